//! The system calls that the standard library does not offer, each behind a safe function.

#![allow(unsafe_code)]

mod accounts;
mod background;
#[cfg(all(
    target_os = "linux",
    any(
        target_arch = "x86_64",
        target_arch = "aarch64",
        target_arch = "riscv64"
    )
))]
mod calls;
mod confine;
mod descriptors;
mod processes;
mod signals;
mod terminal;
#[cfg(test)]
mod tests;

use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{FromRawFd, OwnedFd};

pub use self::accounts::{SystemAccounts, group_id, host_name, nobody, user_name};
pub use self::background::{Background, daemonize};
pub use self::descriptors::{
    close_streams, peer_uid, poll, send_now, set_nonblocking, set_send_buffer, wait_for_input,
    writable_now,
};
pub use self::processes::{
    destroy_group, ended, has_ended, kill, may_kill, passed, reap_other, spawn_with,
    terminate_group, with_ordinary_priority,
};
pub use self::signals::{Signals, Taken};
pub use self::terminal::{RawTerminal, terminal_size};
pub use confine::{confine, give_up_rights};
pub use vrrp_port_kit::trust::{CAREFUL, effective_uid};

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(target_os = "linux")]
fn own(fd: libc::c_int) -> io::Result<OwnedFd> {
    let fd = check(fd)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets the file mode creation mask and returns the one before.
pub fn umask(mask: libc::mode_t) -> libc::mode_t {
    // SAFETY: umask cannot fail.
    unsafe { libc::umask(mask) }
}

/// CLOCK_MONOTONIC in microseconds, as service managers read it.
pub fn monotonic_us() -> u64 {
    // SAFETY: the pointer is valid for the call; CLOCK_MONOTONIC always exists.
    let time = unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut time);
        time
    };
    time.tv_sec as u64 * 1_000_000 + time.tv_nsec as u64 / 1_000
}

/// Gives memory that is free back to the system, where the allocator keeps it otherwise.
pub fn release_memory() {
    // SAFETY: malloc_trim takes an integer and locks the allocator itself.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Keeps the memory of this process out of core dumps and debuggers, until it executes another program.
pub fn hide_memory() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        let none: libc::c_ulong = 0;
        // SAFETY: PR_SET_DUMPABLE takes plain numbers.
        check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, none, none, none, none) }).map(drop)
    }
    #[cfg(target_os = "freebsd")]
    {
        let mut mode = libc::PROC_TRACE_CTL_DISABLE;
        let own = libc::id_t::from(std::process::id());
        // SAFETY: PROC_TRACE_CTL reads one integer, which outlives the call.
        check(unsafe {
            libc::procctl(
                libc::P_PID,
                own,
                libc::PROC_TRACE_CTL,
                (&raw mut mode).cast(),
            )
        })
        .map(drop)
    }
}

/// Gives up everything but the descriptors that are open, where the system can do that.
pub fn enter_sandbox() -> io::Result<()> {
    // SAFETY: takes nothing.
    #[cfg(target_os = "freebsd")]
    match check(unsafe { libc::cap_enter() }) {
        // A kernel without it.
        Err(error) if error.raw_os_error() != Some(libc::ENOSYS) => return Err(error),
        _ => {}
    }
    Ok(())
}

/// Whether the kernel knows that its clock is synchronised. `None`: it cannot be asked.
#[cfg(target_os = "linux")]
pub fn clock_is_synchronised() -> Option<bool> {
    // SAFETY: zeros are a valid request: nothing is changed; the struct outlives the call.
    let state = unsafe {
        let mut request: libc::timex = std::mem::zeroed();
        libc::adjtimex(&mut request)
    };
    (state >= 0).then_some(state != libc::TIME_ERROR)
}

/// Whether the kernel knows that its clock is synchronised. `None`: it cannot be asked.
#[cfg(target_os = "freebsd")]
pub fn clock_is_synchronised() -> Option<bool> {
    None
}
