//! The system calls of the channel between two processes, of the wall clock and of trust in files. All that
//! is `unsafe` in this crate.
#![allow(unsafe_code)]

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// Words of a control buffer with room for one descriptor.
const CONTROL: usize = 8;

fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// Sends octets and perhaps a descriptor with the first of them, without waiting.
pub(crate) fn send_with(
    fd: &UnixStream,
    octets: &[u8],
    passed: Option<&OwnedFd>,
) -> io::Result<usize> {
    let mut part = libc::iovec {
        iov_base: octets.as_ptr().cast_mut().cast(),
        iov_len: octets.len(),
    };
    // u64 so that the header in it is aligned.
    let mut control = [0u64; CONTROL];
    // SAFETY: zeros are a valid message; its parts outlive the call, which only reads them; the
    // control buffer has room for a header and one descriptor, and is aligned for it.
    let sent = unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        if let Some(passed) = passed {
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
            let header = libc::CMSG_FIRSTHDR(&message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
            libc::CMSG_DATA(header)
                .cast::<RawFd>()
                .write_unaligned(passed.as_raw_fd());
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            libc::sendmsg(fd.as_raw_fd(), &message, flags)
        } else {
            // The worker is not allowed the other call.
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            libc::send(fd.as_raw_fd(), part.iov_base, part.iov_len, flags)
        }
    };
    check_len(sent)
}

/// Reads octets and perhaps a descriptor that came with them, without waiting. No octets: the end.
pub(crate) fn receive_with(
    fd: &UnixStream,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut part = libc::iovec {
        iov_base: buffer.as_mut_ptr().cast(),
        iov_len: buffer.len(),
    };
    let mut control = [0u64; CONTROL];
    // SAFETY: zeros are a valid message; its parts outlive the call, which writes as much as their
    // lengths say. The header is read only where the kernel says that it wrote one, and the
    // descriptor in it is new, and ours.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
        let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
        let len = check_len(libc::recvmsg(fd.as_raw_fd(), &mut message, flags))?;
        let header = libc::CMSG_FIRSTHDR(&message);
        let mut passed = None;
        if let Some(head) = header.as_ref()
            && (head.cmsg_level, head.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS)
            && head.cmsg_len as u64 >= u64::from(libc::CMSG_LEN(size_of::<RawFd>() as u32))
        {
            let number = libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned();
            passed = Some(OwnedFd::from_raw_fd(number));
        }
        Ok((len, passed))
    }
}

/// Waits until a stream can be read, or, if `write`, takes octets. `patience_ms`: for no longer than that.
/// `false`: it was in vain.
pub(crate) fn wait(fd: &UnixStream, write: bool, patience_ms: Option<u16>) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: match write {
            true => libc::POLLIN | libc::POLLOUT,
            false => libc::POLLIN,
        },
        revents: 0,
    };
    // SAFETY: one pollfd, as the count says.
    match unsafe { libc::poll(&mut poll, 1, patience_ms.map_or(-1, i32::from)) } {
        ready @ 0.. => Ok(ready > 0),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            error => Err(error),
        },
    }
}

/// CLOCK_REALTIME, as the time since 1970.
pub(crate) fn wall_clock() -> Duration {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a timespec that the call fills. This clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &mut now) };
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    let nanos = u32::try_from(now.tv_nsec).unwrap_or(0);
    Duration::new(seconds, nanos)
}

/// Whether the kernel was told that the clock is right, by a program that compares it with others. Where it
/// does not say, it was not.
#[cfg(target_os = "linux")]
pub(crate) fn is_clock_synchronised() -> bool {
    // SAFETY: zeros are a valid timex, which asks for no change.
    let mut state: libc::timex = unsafe { zeroed() };
    // SAFETY: the call fills the structure.
    let result = unsafe { libc::adjtimex(&mut state) };
    result >= 0 && state.status & libc::STA_UNSYNC == 0
}

/// Whether the kernel was told that the clock is right, by a program that compares it with others. Where it
/// does not say, it was not. Capability mode allows this call, and not ntp_adjtime(2).
#[cfg(target_os = "freebsd")]
pub(crate) fn is_clock_synchronised() -> bool {
    // SAFETY: zeros are a valid answer.
    let mut state: libc::ntptimeval = unsafe { zeroed() };
    // SAFETY: the call fills the structure.
    let result = unsafe { libc::ntp_gettime(&mut state) };
    result >= 0 && result != libc::TIME_ERROR
}

/// The user that this process acts as.
pub fn effective_uid() -> u32 {
    // SAFETY: geteuid cannot fail.
    unsafe { libc::geteuid() }
}

/// Flags to open a file with that somebody else may have put there: no symbolic link is followed,
/// and a FIFO does not wait for its other end.
pub const CAREFUL: i32 = libc::O_NOFOLLOW | libc::O_NONBLOCK;
