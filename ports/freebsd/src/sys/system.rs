//! Facts about the system.

use std::ffi::{CStr, c_void};
use std::io;

use super::check;
use crate::request::read_u32;

/// The number of the jail that this process is in; 0: none.
pub(crate) fn jail() -> io::Result<i32> {
    let pid = std::process::id() as i32;
    let name = [libc::CTL_KERN, libc::KERN_PROC, libc::KERN_PROC_PID, pid];
    let octets = sysctl(&name)?;
    let at = std::mem::offset_of!(libc::kinfo_proc, ki_jid);
    Ok(read_u32(&octets, at) as i32)
}

pub(super) fn sysctl(name: &[libc::c_int]) -> io::Result<Vec<u8>> {
    // It may grow between the two calls.
    for _ in 0..8 {
        let mut len = 0;
        sysctl_once(name, std::ptr::null_mut(), &mut len)?;
        len += len / 4 + 1024;
        let mut buffer = vec![0u8; len];
        match sysctl_once(name, buffer.as_mut_ptr().cast(), &mut len) {
            Ok(()) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

fn sysctl_once(name: &[libc::c_int], to: *mut c_void, len: &mut usize) -> io::Result<()> {
    // SAFETY: the name is one slice; `to` is null or has room for `len` octets, as both callers
    // above see to.
    check(unsafe {
        libc::sysctl(
            name.as_ptr(),
            name.len() as libc::c_uint,
            to,
            len,
            std::ptr::null(),
            0,
        )
    })?;
    Ok(())
}

/// A number that sysctl(8) knows by name. `None`: there is none.
pub(crate) fn sysctl_number(name: &CStr) -> Option<i32> {
    let mut value = 0i32;
    let mut len = size_of::<i32>();
    // SAFETY: the name ends with a zero; the value has as many octets as the length says.
    let result = unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            (&raw mut value).cast(),
            &mut len,
            std::ptr::null(),
            0,
        )
    };
    (result == 0 && len == size_of::<i32>()).then_some(value)
}

/// Sets a number that sysctl(8) knows by name.
pub(crate) fn set_sysctl_number(name: &CStr, value: i32) -> io::Result<()> {
    // SAFETY: the name ends with a zero; the value has as many octets as the length says, and is only
    // read.
    check(unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            (&raw const value).cast(),
            size_of::<i32>(),
        )
    })?;
    Ok(())
}

/// The octets that sysctl(3) knows by name, which may be many.
pub(crate) fn sysctl_octets(name: &CStr) -> io::Result<Vec<u8>> {
    // There may be more of them by the second call.
    for _ in 0..8 {
        let mut len = 0;
        let null = std::ptr::null_mut();
        // SAFETY: the name ends with a zero; nothing but the length is written.
        check(unsafe { libc::sysctlbyname(name.as_ptr(), null, &mut len, null, 0) })?;
        len += len / 4 + 4096;
        let mut octets = vec![0u8; len];
        let to = octets.as_mut_ptr().cast();
        // SAFETY: the name ends with a zero; `to` has room for as many octets as the length says.
        match check(unsafe { libc::sysctlbyname(name.as_ptr(), to, &mut len, null, 0) }) {
            Ok(_) => {
                octets.truncate(len);
                return Ok(octets);
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ENOMEM))
}

/// Sets something that sysctl(3) knows by name to these octets.
pub(crate) fn set_sysctl_octets(name: &CStr, octets: &[u8]) -> io::Result<()> {
    let null = std::ptr::null_mut();
    // SAFETY: the name ends with a zero; the octets are as many as the length says, and are only read.
    check(unsafe {
        libc::sysctlbyname(
            name.as_ptr(),
            null,
            std::ptr::null_mut(),
            octets.as_ptr().cast(),
            octets.len(),
        )
    })?;
    Ok(())
}

/// Does `work` with all signals of the calling thread held back. A thread that it makes takes none.
pub(crate) fn without_signals<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: a set of signals is plain numbers, and the calls below fill both.
    let (mut all, mut before): (libc::sigset_t, libc::sigset_t) =
        unsafe { (std::mem::zeroed(), std::mem::zeroed()) };
    // SAFETY: both sets are valid; the mask is the calling thread's own and is put back below.
    unsafe {
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
    }
    let result = work();
    // SAFETY: `before` was filled above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    result
}

/// Whether there is no process with this number, as far as this jail sees.
pub(crate) fn is_ending(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return true;
    };
    // SAFETY: takes plain numbers, and signal 0 does nothing.
    let there = check(unsafe { libc::kill(pid, 0) });
    there.is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
}
