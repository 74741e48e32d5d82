//! The system calls: thin wrappers that are safe to call. All that is `unsafe` in this crate.
#![allow(unsafe_code)]

mod bpf;
mod interfaces;
mod netgraph;
mod queue;
mod sockets;
mod system;

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::abi::argument_len;
use crate::request::{Request, read_u32};

pub(crate) use bpf::{confine, open_bpf, set_filter, set_write_filter};
pub(crate) use interfaces::{
    describe, description, interface_index, interface_kind, interface_list, rename,
};
pub(crate) use netgraph::{has_module, load_module, send_to_node};
pub(crate) use queue::{Queue, Ready};
pub(crate) use sockets::{bind, member, raw_ipv4, raw_ipv6, send_to, set_option_int};
pub(crate) use system::{
    is_ending, jail, set_sysctl_number, set_sysctl_octets, sysctl_number, sysctl_octets,
    without_signals,
};

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn check_len(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn own(fd: libc::c_int) -> io::Result<OwnedFd> {
    let fd = check(fd)?;
    // SAFETY: the kernel has just given us this descriptor; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Microseconds of CLOCK_MONOTONIC.
pub(crate) fn monotonic_us() -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is a timespec that the call fills. This clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &mut now) };
    now.tv_sec as u64 * 1_000_000 + now.tv_nsec as u64 / 1_000
}

/// A socket, close-on-exec and non-blocking.
pub(crate) fn socket(domain: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    let kind = kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: takes plain numbers.
    own(unsafe { libc::socket(domain, kind, protocol) })
}

/// Performs a request; the answer replaces its argument.
pub(crate) fn ioctl(fd: &OwnedFd, request: &mut Request) -> io::Result<()> {
    // SAFETY: none of the requests made by `request` holds a pointer.
    unsafe { perform(fd, request.number, &mut request.argument) }
}

/// Performs a request on its argument, which the kernel reads and writes.
///
/// # Safety
///
/// A pointer in the argument is to memory that the request may use as it does.
unsafe fn perform(fd: &OwnedFd, number: u64, argument: &mut [u8]) -> io::Result<()> {
    if argument.len() != argument_len(number) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let number = number as libc::c_ulong;
    // SAFETY: the kernel reads and writes as many octets as the request's number says, which are
    // there; what they point to is for the caller to see to.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), number, argument.as_mut_ptr()) }).map(drop)
}

/// Performs a request whose argument is one number.
pub(crate) fn ioctl_number(fd: &OwnedFd, number: u64, value: u32) -> io::Result<u32> {
    let argument = value.to_ne_bytes().to_vec();
    let mut request = Request { number, argument };
    ioctl(fd, &mut request)?;
    Ok(read_u32(&request.argument, 0))
}

/// Reads what there is. Zero: the end, or nothing is there.
pub(crate) fn read(fd: &OwnedFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of one slice, which the call may write.
    check_len(unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) })
}

/// Writes once.
pub(crate) fn write(fd: &OwnedFd, data: &[u8]) -> io::Result<usize> {
    // SAFETY: pointer and length are those of one slice, which the call only reads.
    check_len(unsafe { libc::write(fd.as_raw_fd(), data.as_ptr().cast(), data.len()) })
}

/// Waits until `fd` is readable, `timeout_ms` at most. `false`: it was not.
pub(crate) fn wait_readable(fd: RawFd, timeout_ms: i32) -> io::Result<bool> {
    wait(fd, libc::POLLIN, timeout_ms)
}

fn wait(fd: RawFd, events: libc::c_short, timeout_ms: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: one pollfd, as the count says.
    Ok(check(unsafe { libc::poll(&mut poll, 1, timeout_ms) })? > 0)
}
