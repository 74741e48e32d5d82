//! The needs of tests, of this and other crates, of the operating system: cables, and a neighbour that
//! says and hears raw frames. No part of the API.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use vrrp_core::MacAddr;

use crate::abi::*;
use crate::bpf::{self, Record};
use crate::graph::Graph;
use crate::links::Links;
use crate::request::{self, Request};
use crate::route;
use crate::sockets;
use crate::sys;

/// Waits until a descriptor is readable. `false`: it was not within the time.
pub fn wait_readable(fd: RawFd, timeout: Duration) -> io::Result<bool> {
    sys::wait_readable(fd, timeout.as_millis() as i32)
}

/// Whether the kernel has a module, loading it where that can be done.
pub fn need_module(name: &str) -> io::Result<()> {
    match sys::has_module(name) {
        true => Ok(()),
        false => sys::load_module(name),
    }
}

fn requester() -> io::Result<OwnedFd> {
    sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)
}

fn perform(mut request: Request) -> io::Result<Vec<u8>> {
    sys::ioctl(&requester()?, &mut request)?;
    Ok(request.argument)
}

/// Makes a cable with two ends, both up, of these names and MACs.
pub fn make_cable(ends: [(&str, [u8; 6]); 2]) -> io::Result<()> {
    let answer = perform(Request::about(SIOCIFCREATE2, "epair")?)?;
    let first = crate::netgraph::string(answer.get(..IFNAMSIZ).unwrap_or_default());
    let stem = first.strip_suffix('a').unwrap_or(&first);
    for (end, (name, mac)) in ["a", "b"].iter().zip(ends) {
        sys::rename(&requester()?, &format!("{stem}{end}"), name)?;
        perform(request::set_mac(name, MacAddr(mac))?)?;
        set_up(name, true)?;
    }
    Ok(())
}

/// Destroys an interface.
pub fn destroy(name: &str) -> io::Result<()> {
    perform(Request::about(SIOCIFDESTROY, name)?).map(drop)
}

/// Ends a netgraph node. `false`: there was none of this name.
pub fn shutdown_node(name: &str) -> io::Result<bool> {
    let mut graph = Graph::default();
    graph.open().map_err(io::Error::other)?;
    let there = graph.node_type(name)?.is_some();
    graph.shutdown(name).map(|()| there)
}

/// Gives an interface another name.
pub fn rename(name: &str, new: &str) -> io::Result<()> {
    sys::rename(&requester()?, name, new)
}

/// Sets an interface up or down.
pub fn set_up(name: &str, up: bool) -> io::Result<()> {
    let before = request::link_flags(&perform(request::ask_link_flags(name)?)?);
    let flags = if up {
        before | IFF_UP
    } else {
        before & !IFF_UP
    };
    perform(request::set_link_flags(name, flags)?).map(drop)
}

/// Gives an interface an address of its own, which brings the route to its subnet.
pub fn add_address(name: &str, address: IpAddr, prefix_len: u8) -> io::Result<()> {
    let mut request = request::add_address(name, address)?;
    let (at, len, whole) = match address {
        IpAddr::V4(_) => (IFALIASREQ_MASK + SIN_ADDR, 4, 32),
        IpAddr::V6(_) => (IN6_ALIASREQ_MASK + SIN6_ADDR, 16, 128),
    };
    let bits = u128::MAX
        .checked_shl(whole - u32::from(prefix_len))
        .unwrap_or(0);
    let octets = bits.to_be_bytes();
    request::put(
        &mut request.argument,
        at,
        octets.get(16 - len..).unwrap_or_default(),
    );
    let forever = ND6_INFINITE_LIFETIME.to_ne_bytes();
    if address.is_ipv6() {
        request::put(&mut request.argument, IN6_ALIASREQ_PREFERRED, &forever);
    } else {
        // The broadcast address of the subnet is for the kernel to find.
        let none = [0; SOCKADDR_IN_LEN];
        request::put(&mut request.argument, IFALIASREQ_BROADCAST, &none);
        return perform(request).map(drop);
    }
    sys::ioctl(
        &sys::socket(libc::AF_INET6, libc::SOCK_DGRAM, 0)?,
        &mut request,
    )
}

/// Removes an address.
pub fn remove_address(name: &str, address: IpAddr) -> io::Result<()> {
    let domain = match address {
        IpAddr::V4(_) => libc::AF_INET,
        IpAddr::V6(_) => libc::AF_INET6,
    };
    let mut request = request::remove_address(name, address)?;
    sys::ioctl(&sys::socket(domain, libc::SOCK_DGRAM, 0)?, &mut request)
}

/// An interface: its name, its MAC, whether it is up, and its addresses with their prefixes.
pub type Seen = (String, MacAddr, bool, Vec<String>);

/// Every interface of this network stack with its MAC, whether it is up, and its addresses, sorted
/// by name: link-local IPv6 addresses and loopbacks left out.
pub fn world() -> io::Result<Vec<Seen>> {
    let list = sys::interface_list()?;
    let links = Links::new(route::list(&list));
    let mut world: Vec<_> = links
        .all()
        .filter(|(link, _)| link.mac != MacAddr([0; 6]))
        .map(|(link, addresses)| {
            let addresses = addresses.iter();
            let shown = addresses
                .filter(|a| !matches!(a.address, IpAddr::V6(ip) if ip.is_unicast_link_local()));
            let text = shown.map(|a| format!("{}/{}", a.address, a.prefix_len));
            (
                link.name.clone(),
                link.mac,
                link.flags & IFF_UP != 0,
                text.collect(),
            )
        })
        .collect();
    world.sort();
    Ok(world)
}

/// A neighbour on the wire: sends and hears whole Ethernet frames on one interface.
#[derive(Debug)]
pub struct RawPort {
    fd: sockets::Device,
}

impl RawPort {
    /// Opens the interface called `name`. What this host sends out of it is not heard, what arrives
    /// is.
    pub fn open(name: &str) -> io::Result<Self> {
        let everything = [vrrp_port_kit::bpf::ACCEPT];
        let fd = sockets::open(name, sockets::BUFFER, &everything, &everything)?;
        Ok(Self { fd })
    }

    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        sys::write(&self.fd, frame).map(drop)
    }

    /// The frames that are heard within `time`.
    pub fn hear(&self, time: Duration) -> io::Result<Vec<Vec<u8>>> {
        let end = Instant::now() + time;
        let mut frames = Vec::new();
        let mut room = vec![0; sockets::BUFFER];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if !sys::wait_readable(self.fd.as_raw_fd(), left.as_millis() as i32)? {
                return Ok(frames);
            }
            let len = match sys::read(&self.fd, &mut room) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                other => other?,
            };
            for record in bpf::records(room.get(..len).unwrap_or_default()) {
                if let Record::Frame(frame) = record {
                    frames.push(frame.to_vec());
                }
            }
        }
    }
}
