//! The system calls of the lab: network stacks, clocks, signals, and the sockets that std does not
//! have.
#![allow(unsafe_code)]

#[cfg(target_os = "freebsd")]
mod freebsd;
#[cfg(target_os = "linux")]
mod linux;

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

#[cfg(target_os = "freebsd")]
pub use freebsd::*;
#[cfg(target_os = "linux")]
pub use linux::*;

/// The option by which a datagram of IPv4 tells where it was sent to.
#[cfg(target_os = "linux")]
const DESTINATION: libc::c_int = libc::IP_PKTINFO;
#[cfg(target_os = "freebsd")]
const DESTINATION: libc::c_int = libc::IP_RECVDSTADDR;

/// Turns the kernel's "-1 and errno" into an `io::Result`.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

fn clock_ns(clock: libc::clockid_t) -> i64 {
    // SAFETY: a timespec is plain integers, for which zero is a value.
    let mut ts: libc::timespec = unsafe { mem::zeroed() };
    // SAFETY: `ts` outlives the call; both clocks used here always exist.
    unsafe { libc::clock_gettime(clock, &mut ts) };
    ts.tv_sec * 1_000_000_000 + ts.tv_nsec
}

/// The monotonic clock in microseconds: the lab's only time.
pub fn now_us() -> u64 {
    (clock_ns(libc::CLOCK_MONOTONIC) / 1000) as u64
}

/// Sleeps until the monotonic clock shows `at_us`. Returns at once when that is past.
pub fn sleep_until_us(at_us: u64) {
    let ts = libc::timespec {
        tv_sec: (at_us / 1_000_000) as i64,
        tv_nsec: (at_us % 1_000_000 * 1000) as i64,
    };
    loop {
        // SAFETY: `ts` outlives the call; no remainder is asked for with an absolute time.
        let error = unsafe {
            libc::clock_nanosleep(
                libc::CLOCK_MONOTONIC,
                libc::TIMER_ABSTIME,
                &ts,
                std::ptr::null_mut(),
            )
        };
        if error != libc::EINTR {
            return;
        }
    }
}

/// Sends `signal` to every process of the group that `pid` leads.
pub fn signal_group(pid: u32, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: kill has no memory effects in this process.
    check(unsafe { libc::kill(-(pid as libc::pid_t), signal) }).map(drop)
}

/// Sends `signal` to the process `pid`.
pub fn signal(pid: u32, signal: libc::c_int) -> io::Result<()> {
    // SAFETY: kill has no memory effects in this process.
    check(unsafe { libc::kill(pid as libc::pid_t, signal) }).map(drop)
}

fn set_option<T>(fd: RawFd, level: libc::c_int, name: libc::c_int, value: &T) -> io::Result<()> {
    // SAFETY: `value` outlives the call and its size is the one given.
    check(unsafe {
        libc::setsockopt(
            fd,
            level,
            name,
            std::ptr::from_ref(value).cast(),
            mem::size_of::<T>() as libc::socklen_t,
        )
    })
    .map(drop)
}

fn socket(family: libc::c_int, kind: libc::c_int, protocol: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: no memory is passed.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: `fd` was just opened and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A raw socket for ICMP (or ICMPv6) of the calling thread's network stack, whose messages are sent
/// and received with the calls of a `UdpSocket`, port 0. What it receives begins with the IP header
/// for IPv4, without for IPv6.
pub fn icmp_socket(v6: bool) -> io::Result<UdpSocket> {
    let (family, protocol) = icmp(v6);
    let fd = socket(family, libc::SOCK_RAW, protocol)?;
    enlarge(&fd)?;
    Ok(UdpSocket::from(fd))
}

fn icmp(v6: bool) -> (libc::c_int, libc::c_int) {
    match v6 {
        true => (libc::AF_INET6, libc::IPPROTO_ICMPV6),
        false => (libc::AF_INET, libc::IPPROTO_ICMP),
    }
}

/// Makes room for many messages that wait.
fn enlarge(fd: &OwnedFd) -> io::Result<()> {
    let bytes: libc::c_int = 1 << 20;
    set_option(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_RCVBUF, &bytes)
}

/// Asks that each datagram of `socket` tells which address it was sent to.
pub fn want_destination(socket: &UdpSocket, v6: bool) -> io::Result<()> {
    let on: libc::c_int = 1;
    let fd = socket.as_raw_fd();
    if v6 {
        set_option(fd, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, &on)
    } else {
        set_option(fd, libc::IPPROTO_IP, DESTINATION, &on)
    }
}

/// Receives one datagram, appends `name` to it and sends it back from the address that was asked.
/// `socket` needs [`want_destination`]. Returns an error of kind `WouldBlock` at the read timeout.
pub fn echo_once(socket: &UdpSocket, name: &[u8]) -> io::Result<()> {
    let mut data = [0u8; 512];
    let mut control = [0u64; 16];
    // SAFETY: both structures are plain data, for which zero is a value.
    let (mut from, mut message): (libc::sockaddr_storage, libc::msghdr) =
        unsafe { (mem::zeroed(), mem::zeroed()) };
    let mut iov = libc::iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: 256,
    };
    message.msg_name = (&raw mut from).cast();
    message.msg_namelen = mem::size_of_val(&from) as libc::socklen_t;
    message.msg_iov = &mut iov;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = mem::size_of_val(&control) as _;
    // SAFETY: every pointer of `message` is to a local of at least the length stated beside it.
    let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, 0) };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    let got = got as usize;
    let name = &name[..name.len().min(256)];
    data[got..got + name.len()].copy_from_slice(name);
    iov.iov_len = got + name.len();
    // The control message says where the datagram came in; sent back, it says where the answer
    // leaves. The interface is cleared so that the answer follows the routing table.
    // SAFETY: the kernel filled `control` up to msg_controllen; the macros stay within it, and the
    // data of a control message of these types is the structure that it is cast to.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(&message);
        if !header.is_null() {
            let info = libc::CMSG_DATA(header);
            match (*header).cmsg_level {
                #[cfg(target_os = "linux")]
                libc::IPPROTO_IP => (*info.cast::<libc::in_pktinfo>()).ipi_ifindex = 0,
                // FreeBSD names the address alone.
                #[cfg(not(target_os = "linux"))]
                libc::IPPROTO_IP => {}
                _ => (*info.cast::<libc::in6_pktinfo>()).ipi6_ifindex = 0,
            }
        }
        message.msg_iov = &mut iov;
        // SAFETY: as above; the lengths are those that recvmsg left.
        if libc::sendmsg(socket.as_raw_fd(), &message, 0) < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
