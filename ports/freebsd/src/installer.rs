//! Changes the kernel, and notes what has to be undone.

use std::io;
use std::os::fd::OwnedFd;

use vrrp_core::{Family, VirtualAddress};
use vrrp_host::Route;
use vrrp_port_kit::{KernelIf, explain};

use crate::abi::*;
use crate::graph::Graph;
use crate::ledger::Ledger;
use crate::request::{self, Request};
use crate::route::Link;
use crate::sys;

/// Changes the kernel, and notes what has to be undone.
#[derive(Debug)]
pub(crate) struct Installer {
    /// Hears of changes, and takes routes.
    routing: OwnedFd,
    /// Requests about IPv4 and about IPv6. `None`: the kernel does not have that family.
    requests: [Option<OwnedFd>; 2],
    sequence: u32,
    pub(crate) graph: Graph,
    pub(crate) ledger: Ledger,
}

impl Installer {
    /// Changes routes by the socket `routing`.
    pub(crate) fn new(routing: OwnedFd, ledger: Ledger) -> Self {
        let requests = [libc::AF_INET, libc::AF_INET6]
            .map(|domain| sys::socket(domain, libc::SOCK_DGRAM, 0).ok());
        Self {
            routing,
            requests,
            sequence: 0,
            graph: Graph::default(),
            ledger,
        }
    }

    /// Returns the socket that notices are read from.
    pub(crate) fn routing(&self) -> &OwnedFd {
        &self.routing
    }

    /// Whether the kernel has a family.
    pub(crate) fn has(&self, family: Family) -> bool {
        self.requests[family as usize].is_some()
    }

    /// The socket for requests about a family.
    pub(crate) fn requester(&self, family: Family) -> io::Result<&OwnedFd> {
        let fd = self.requests[family as usize].as_ref();
        fd.ok_or_else(|| {
            let error = io::Error::from_raw_os_error(libc::EAFNOSUPPORT);
            explain(error, &format!("the kernel has no {family}"))
        })
    }

    /// Any socket for requests about interfaces.
    pub(crate) fn any_requester(&self) -> io::Result<&OwnedFd> {
        self.requester(Family::Ipv4)
            .or_else(|_| self.requester(Family::Ipv6))
    }

    /// The type of an interface.
    pub(crate) fn kind(&self, link: &Link) -> u8 {
        let fd = self.any_requester();
        fd.map_or(link.kind, |fd| sys::interface_kind(fd, link))
    }

    pub(crate) fn nd_flags(&self, device: &str) -> io::Result<u32> {
        let mut request = Request::about(SIOCGIFINFO_IN6, device)?;
        sys::ioctl(self.requester(Family::Ipv6)?, &mut request)?;
        Ok(request::nd_flags(&request.argument))
    }

    pub(crate) fn set_nd_flags(&self, device: &str, flags: u32) -> io::Result<()> {
        let mut request = request::set_nd_flags(device, flags)?;
        sys::ioctl(self.requester(Family::Ipv6)?, &mut request)
    }

    /// Adds or removes the route that drops packets to an address.
    pub(crate) fn blackhole(&mut self, address: VirtualAddress, on: bool) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let message = request::blackhole(address, on, self.sequence);
        sys::write(&self.routing, &message).map(drop)
    }

    /// Adds or removes a route of a virtual router; `index` is the interface that it names.
    pub(crate) fn route(
        &mut self,
        route: &Route,
        index: Option<KernelIf>,
        on: bool,
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let message = request::route(route, index, on, self.sequence);
        sys::write(&self.routing, &message).map(drop)
    }

    /// Sets an interface up or down.
    pub(crate) fn set_up(&self, name: &str, up: bool) -> io::Result<()> {
        let fd = self.any_requester()?;
        let mut ask = request::ask_link_flags(name)?;
        sys::ioctl(fd, &mut ask)?;
        let before = request::link_flags(&ask.argument);
        let flags = if up {
            before | IFF_UP
        } else {
            before & !IFF_UP
        };
        sys::ioctl(fd, &mut request::set_link_flags(name, flags)?)
    }
}

/// Whether what refused to go was gone already, by itself or with its interface.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    let gone = [
        libc::EADDRNOTAVAIL,
        libc::ENXIO,
        libc::ESRCH,
        libc::ENOENT,
        libc::ENODEV,
    ];
    error
        .raw_os_error()
        .is_some_and(|number| gone.contains(&number))
}
