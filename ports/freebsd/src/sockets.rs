//! The descriptors of one interface that is there.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use vrrp_core::{Family, Instant, Transmit};
use vrrp_host::HostIf;
use vrrp_port_kit::{InterfaceSockets, KernelIf, explain, refused};

use crate::abi::*;
use crate::bpf::{Instruction, Wanted, writable};
use crate::graph::Bridge;
use crate::request::Request;
use crate::sys::{self, Queue};

/// Octets that one read takes at most; a buffer in the kernel is as long.
pub(crate) const BUFFER: usize = 128 * 1024;
/// A descriptor that only sends has the least buffer that the kernel gives.
const SEND_BUFFER: usize = 4096;

/// The descriptors of an interface. All close, and all memberships end, with it.
#[derive(Debug)]
pub(crate) struct Sockets {
    pub(crate) index: KernelIf,
    host_if: HostIf,
    pub(crate) name: String,
    /// The routing table of the interface.
    pub(crate) fib: u32,
    pub(crate) bpf: Option<Device>,
    /// Sends where nothing is heard.
    sender: Option<Device>,
    wanted: Wanted,
    /// Never bound and never read: they hold the memberships that IGMP and MLD report.
    members: [Option<OwnedFd>; 2],
    /// Send IP packets whose neighbour the kernel finds.
    raw_ipv4: Option<OwnedFd>,
    /// The same, with the source that it is bound to.
    raw_ipv6: Option<(Ipv6Addr, OwnedFd)>,
    solicited: BTreeSet<Ipv6Addr>,
    pub(crate) bridge: Option<Bridge>,
    /// Until then the link may be down because we changed its MAC.
    pub(crate) changing_until: Option<Instant>,
}

impl Sockets {
    /// Nothing yet, for the interface that the kernel calls `index` and the host `host_if`.
    pub(crate) fn new(index: KernelIf, host_if: HostIf, name: &str, fib: u32) -> Self {
        Self {
            index,
            host_if,
            name: name.into(),
            fib,
            bpf: None,
            sender: None,
            wanted: Wanted::default(),
            members: [None, None],
            raw_ipv4: None,
            raw_ipv6: None,
            solicited: BTreeSet::new(),
            bridge: None,
            changing_until: None,
        }
    }

    /// Hears exactly what is wanted. Without a queue what is heard is read by somebody else.
    pub(crate) fn hear(&mut self, queue: Option<&Queue>, wanted: Wanted) -> io::Result<()> {
        match &self.bpf {
            None if wanted == Wanted::default() => return Ok(()),
            Some(_) if wanted == self.wanted => return Ok(()),
            Some(fd) => sys::set_filter(fd, &wanted.program())?,
            None => {
                let device = open(&self.name, BUFFER, &wanted.program(), &writable())?;
                if let Some(queue) = queue {
                    queue.add(&*device, u64::from(self.host_if.number()))?;
                }
                self.bpf = Some(device);
            }
        }
        self.wanted = wanted;
        Ok(())
    }

    /// Returns the device to send frames by. Where nothing is heard it is opened for the first.
    pub(crate) fn sender(&mut self) -> io::Result<&Device> {
        if let Some(heard) = &self.bpf {
            return Ok(heard);
        }
        match &mut self.sender {
            Some(sender) => Ok(sender),
            none => Ok(none.insert(sender(&self.name)?)),
        }
    }

    /// Is a member of the solicited-node groups of exactly these addresses.
    pub(crate) fn join_solicited(&mut self, wanted: BTreeSet<Ipv6Addr>) -> io::Result<()> {
        if wanted == self.solicited {
            return Ok(());
        }
        let (index, before) = (self.index, std::mem::take(&mut self.solicited));
        let fd = self.member(Family::Ipv6)?;
        for group in before.difference(&wanted) {
            // The membership may have gone with the interface.
            let _ = sys::member(fd, (*group).into(), index, false);
        }
        for group in wanted.difference(&before) {
            sys::member(fd, (*group).into(), index, true)?;
        }
        self.solicited = wanted;
        Ok(())
    }

    /// Sends the IP packet of a frame to a neighbour or beyond.
    pub(crate) fn send_ip(&mut self, transmit: &Transmit<'_>, to: IpAddr) -> io::Result<()> {
        let part = |from: u16| transmit.frame.get(usize::from(from)..).unwrap_or_default();
        let packet = part(transmit.ip_offset);
        match source_of(packet) {
            Some(IpAddr::V4(_)) => {
                let fd = match &mut self.raw_ipv4 {
                    Some(fd) => fd,
                    none => none.insert(in_fib(sys::raw_ipv4()?, self.fib)?),
                };
                sys::send_to(fd, packet, to, None).map(drop)
            }
            Some(IpAddr::V6(source)) => {
                // The kernel writes the header, of which it takes the source from the socket.
                let scope = |ip: Ipv6Addr| ip.is_unicast_link_local().then_some(self.index);
                let bound = self.raw_ipv6.take().filter(|(bound, _)| *bound == source);
                let (_, fd) = match bound {
                    Some(bound) => self.raw_ipv6.insert(bound),
                    None => {
                        let fd = in_fib(sys::raw_ipv6()?, self.fib)?;
                        sys::bind(&fd, source, scope(source))?;
                        self.raw_ipv6.insert((source, fd))
                    }
                };
                let scope = match to {
                    IpAddr::V6(ip) => scope(ip),
                    IpAddr::V4(_) => None,
                };
                sys::send_to(fd, part(transmit.payload_offset), to, scope).map(drop)
            }
            None => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn member(&mut self, family: Family) -> io::Result<&OwnedFd> {
        let place = &mut self.members[family as usize];
        if place.is_none() {
            let domain = match family {
                Family::Ipv4 => libc::AF_INET,
                Family::Ipv6 => libc::AF_INET6,
            };
            *place = Some(sys::socket(domain, libc::SOCK_DGRAM, 0)?);
        }
        place.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl InterfaceSockets for Sockets {
    const NO_INTERFACE: i32 = libc::ENXIO;

    fn index(&self) -> KernelIf {
        self.index
    }

    /// So that switches forward to us and the interface lets it in.
    fn set_membership(&mut self, group: IpAddr, on: bool) -> io::Result<()> {
        let index = self.index;
        let fd = self.member(Family::of(group))?;
        let result = sys::member(fd, group, index, on);
        match result.as_ref().map_err(io::Error::raw_os_error) {
            // Already as wanted.
            Err(Some(libc::EADDRINUSE)) if on => Ok(()),
            Err(Some(libc::EADDRNOTAVAIL | libc::ENXIO)) if !on => Ok(()),
            _ => result,
        }
    }
}

/// An open bpf device, told from every other that this process has opened.
#[derive(Debug)]
pub(crate) struct Device {
    fd: OwnedFd,
    pub(crate) serial: u64,
}

impl Deref for Device {
    type Target = OwnedFd;

    fn deref(&self) -> &OwnedFd {
        &self.fd
    }
}

static SERIAL: AtomicU64 = AtomicU64::new(0);

/// A bpf device that sends out of an interface and hears nothing.
pub(crate) fn sender(name: &str) -> io::Result<Device> {
    open(name, SEND_BUFFER, &Wanted::default().program(), &writable())
}

/// Opens a bpf device on an interface, with filters for what is heard and what is sent. Everything is
/// set before it is bound, so that nothing unfiltered is ever queued.
pub(crate) fn open(
    name: &str,
    buffer: usize,
    heard: &[Instruction],
    sent: &[Instruction],
) -> io::Result<Device> {
    let fd = sys::open_bpf().map_err(|error| match error.raw_os_error() {
        Some(libc::ENOENT) => explain(
            error,
            "/dev/bpf is not there; in a jail, use a devfs ruleset with \"add path 'bpf*' unhide\"",
        ),
        _ => error,
    })?;
    sys::ioctl_number(&fd, BIOCSBLEN, buffer as u32)?;
    sys::set_filter(&fd, heard)?;
    sys::set_write_filter(&fd, sent)?;
    sys::ioctl_number(&fd, BIOCIMMEDIATE, 1)?;
    // The source of what we write is the one that we write.
    sys::ioctl_number(&fd, BIOCSHDRCMPLT, 1)?;
    // Frames that this host sends are not heard.
    sys::ioctl_number(&fd, BIOCSDIRECTION, BPF_D_IN)?;
    sys::ioctl(&fd, &mut Request::about(BIOCSETIF, name)?)?;
    if sys::ioctl_number(&fd, BIOCGDLT, 0)? != DLT_EN10MB {
        return Err(refused("it is no Ethernet interface"));
    }
    sys::confine(&fd, &[BIOCSETFNR])?;
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    Ok(Device { fd, serial })
}

fn in_fib(fd: OwnedFd, fib: u32) -> io::Result<OwnedFd> {
    if fib != 0 {
        sys::set_option_int(&fd, libc::SOL_SOCKET, SO_SETFIB, fib as i32)?;
    }
    Ok(fd)
}

/// The source address in the header of an IP packet.
fn source_of(packet: &[u8]) -> Option<IpAddr> {
    match packet.first()? >> 4 {
        4 => Some(Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?).into()),
        6 => Some(Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?).into()),
        _ => None,
    }
}
