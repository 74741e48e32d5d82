//! Sockets: options, memberships, and sending.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use vrrp_port_kit::KernelIf;

use super::{check, check_len, socket};
use crate::request::sockaddr;

/// Sets a socket option to the octets of its value.
fn set_option(fd: &OwnedFd, level: i32, name: i32, value: &[u8]) -> io::Result<()> {
    // SAFETY: pointer and length are those of one slice, which the call only reads.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Sets a socket option that is a number.
pub(crate) fn set_option_int(fd: &OwnedFd, level: i32, name: i32, value: i32) -> io::Result<()> {
    set_option(fd, level, name, &value.to_ne_bytes())
}

/// Joins or leaves a multicast group on an interface.
pub(crate) fn member(fd: &OwnedFd, group: IpAddr, index: KernelIf, on: bool) -> io::Result<()> {
    match group {
        IpAddr::V4(group) => {
            // struct ip_mreqn: group, local address (none), interface.
            let mut request = [0; 12];
            request[..4].copy_from_slice(&group.octets());
            request[8..].copy_from_slice(&index.number().to_ne_bytes());
            let (join, leave) = (libc::IP_ADD_MEMBERSHIP, libc::IP_DROP_MEMBERSHIP);
            let name = if on { join } else { leave };
            set_option(fd, libc::IPPROTO_IP, name, &request)
        }
        IpAddr::V6(group) => {
            // struct ipv6_mreq: group, interface.
            let mut request = [0; 20];
            request[..16].copy_from_slice(&group.octets());
            request[16..].copy_from_slice(&index.number().to_ne_bytes());
            let (join, leave) = (libc::IPV6_JOIN_GROUP, libc::IPV6_LEAVE_GROUP);
            let name = if on { join } else { leave };
            set_option(fd, libc::IPPROTO_IPV6, name, &request)
        }
    }
}

/// A raw socket that sends whole IPv4 packets and receives nothing.
pub(crate) fn raw_ipv4() -> io::Result<OwnedFd> {
    let fd = socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW)?;
    set_option_int(&fd, libc::IPPROTO_IP, libc::IP_HDRINCL, 1)?;
    Ok(fd)
}

/// A raw socket that sends the payload of VRRP packets over IPv6 with a hop limit of 255, and
/// whose receiving side is closed.
pub(crate) fn raw_ipv6() -> io::Result<OwnedFd> {
    let fd = socket(libc::AF_INET6, libc::SOCK_RAW, 112)?;
    set_option_int(&fd, libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS, 255)?;
    // SAFETY: takes plain numbers. Where it fails packets are queued and never read.
    unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_RD) };
    Ok(fd)
}

/// Gives a socket its source address.
pub(crate) fn bind(fd: &OwnedFd, address: Ipv6Addr, scope: Option<KernelIf>) -> io::Result<()> {
    let octets = sockaddr(address.into(), scope);
    // SAFETY: pointer and length are those of one slice that holds a socket address.
    check(unsafe {
        libc::bind(
            fd.as_raw_fd(),
            octets.as_ptr().cast(),
            octets.len() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Sends to an IP address without blocking.
pub(crate) fn send_to(
    fd: &OwnedFd,
    data: &[u8],
    to: IpAddr,
    scope: Option<KernelIf>,
) -> io::Result<usize> {
    send_to_octets(fd, data, &sockaddr(to, scope))
}

pub(super) fn send_to_octets(fd: &OwnedFd, data: &[u8], to: &[u8]) -> io::Result<usize> {
    // SAFETY: both pointers and lengths are those of one slice each, which the call only reads;
    // the second holds a socket address.
    check_len(unsafe {
        libc::sendto(
            fd.as_raw_fd(),
            data.as_ptr().cast(),
            data.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
            to.as_ptr().cast(),
            to.len() as libc::socklen_t,
        )
    })
}
