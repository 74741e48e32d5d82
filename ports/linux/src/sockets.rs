//! The sockets of one interface.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};

use vrrp_core::Family;
use vrrp_core::wire::mld::solicited_node;
use vrrp_host::HostIf;
use vrrp_port_kit::{InterfaceSockets, KernelIf};

use crate::bpf;
use crate::fitness::Fitness;
use crate::sys::{self, Epoll};

const ETH_P_IP: u16 = 0x0800;
const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;
const RECEIVE_BUFFER: i32 = 1024 * 1024;
/// Room for some forty frames: when they come faster than they are read, some of them will do.
const ANNOUNCEMENT_BUFFER: i32 = 16 * 1024;
const IP_MULTICAST_ALL: i32 = 49;

/// Packet sockets of one interface.
const PURPOSES: usize = 5;

/// The purpose of a packet socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// VRRP over IPv4.
    Vrrp4,
    /// VRRP over IPv6.
    Vrrp6,
    /// ARP requests that the kernel does not answer.
    Arp,
    /// Neighbour solicitations that the kernel does not answer.
    Solicitations,
    /// ARP packets of hosts that have an address of ours. Those of IPv6 come with VRRP.
    Announcements,
}

impl Purpose {
    fn ethertype(self) -> u16 {
        match self {
            Purpose::Vrrp4 => ETH_P_IP,
            Purpose::Arp | Purpose::Announcements => ETH_P_ARP,
            Purpose::Vrrp6 | Purpose::Solicitations => ETH_P_IPV6,
        }
    }
}

/// Addresses that nobody else should announce, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Announced {
    pub(crate) ipv4: Vec<Ipv4Addr>,
    pub(crate) ipv6: Vec<Ipv6Addr>,
}

/// The sockets of an interface that is there. All close, and all memberships end, with it.
///
/// Each packet socket is bound to one Ethernet type: a socket for all types would be shown every
/// packet of the interface, outgoing ones too.
#[derive(Debug)]
pub(crate) struct Sockets {
    index: KernelIf,
    host_if: HostIf,
    fitness: Option<Fitness>,
    for_worker: bool,
    packet: [Option<Numbered>; PURPOSES],
    /// Sends for a worker. `None`: this process hears and sends by itself.
    sender: Option<Numbered>,
    /// Never bound and never read: they hold the memberships that IGMP and MLD report.
    members: [Option<OwnedFd>; 2],
    /// Send IP packets whose neighbour the kernel finds.
    raw: [Option<OwnedFd>; 2],
    solicited: BTreeSet<Ipv6Addr>,
    /// The addresses whose announcements are heard.
    announced: Announced,
}

/// A socket, told from every other that this process has opened.
#[derive(Debug)]
struct Numbered {
    fd: OwnedFd,
    serial: usize,
}

impl Numbered {
    fn new(fd: OwnedFd) -> Self {
        // MIPS and older ARM have no atomic of 64 bits.
        static SERIAL: AtomicUsize = AtomicUsize::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        Self { fd, serial }
    }
}

impl Sockets {
    /// The number of the socket that a worker sends by, beside the places of packet sockets.
    pub(crate) const SENDER: u8 = PURPOSES as u8;

    /// None yet, for the interface that the kernel calls `index` and the host `host_if`.
    /// `for_worker`: frames are heard and sent by another process.
    pub(crate) fn new(
        index: KernelIf,
        host_if: HostIf,
        fitness: Option<Fitness>,
        for_worker: bool,
    ) -> Self {
        // An interface without one sends nothing, which peers notice.
        let sender = for_worker.then(|| sender_on(index).ok()).flatten();
        Self {
            index,
            host_if,
            fitness,
            for_worker,
            packet: [const { None }; PURPOSES],
            sender: sender.map(Numbered::new),
            members: [None, None],
            raw: [None, None],
            solicited: BTreeSet::new(),
            announced: Announced::default(),
        }
    }

    /// The kind of interface that it was when the sockets were made.
    pub(crate) fn fitness(&self) -> Option<Fitness> {
        self.fitness
    }

    /// The host's handle of the interface and the place of the socket, from an epoll token.
    pub(crate) fn split_token(token: u64) -> (HostIf, usize) {
        (HostIf::new((token >> 8) as u32), (token & 0xff) as usize)
    }

    /// The epoll token of a packet socket.
    pub(crate) fn token(host_if: HostIf, place: u8) -> u64 {
        u64::from(host_if.number()) << 8 | u64::from(place)
    }

    /// The sockets that a worker is given, by place, each with its serial number.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (u8, u64)> {
        let packet = (0..).zip(&self.packet);
        let sender = (Self::SENDER, &self.sender);
        let all = packet.chain(std::iter::once(sender));
        all.filter_map(|(place, socket)| Some((place, socket.as_ref()?.serial as u64)))
    }

    /// A socket that a worker is given.
    pub(crate) fn handed_over(&self, place: u8) -> Option<&OwnedFd> {
        if place == Self::SENDER {
            return self.sender.as_ref().map(|sender| &sender.fd);
        }
        self.packet(place.into())
    }

    /// Whether the place of a socket is that of announcements.
    pub(crate) fn is_for_announcements(place: usize) -> bool {
        place == Purpose::Announcements as usize
    }

    /// Whether a frame of the socket at a place is an announcement that has come with VRRP.
    pub(crate) fn is_announcement(place: usize, frame: &[u8]) -> bool {
        const NEXT_HEADER: usize = 20;
        const ICMPV6: u8 = 58;
        place == Purpose::Vrrp6 as usize && frame.get(NEXT_HEADER) == Some(&ICMPV6)
    }

    pub(crate) fn packet(&self, place: usize) -> Option<&OwnedFd> {
        self.packet.get(place)?.as_ref().map(|packet| &packet.fd)
    }

    /// Begins to hear VRRP of a family.
    pub(crate) fn listen(&mut self, epoll: &Epoll, family: Family) -> io::Result<()> {
        let (purpose, program) = match family {
            Family::Ipv4 => (Purpose::Vrrp4, bpf::vrrp_ipv4(self.index)),
            Family::Ipv6 => (Purpose::Vrrp6, self.vrrp_ipv6()),
        };
        if self.packet[purpose as usize].is_some() {
            return Ok(());
        }
        self.open_packet(epoll, purpose, &program)
    }

    /// Ceases to hear VRRP of a family.
    pub(crate) fn unlisten(&mut self, family: Family) {
        let purpose = match family {
            Family::Ipv4 => Purpose::Vrrp4,
            Family::Ipv6 => Purpose::Vrrp6,
        };
        self.packet[purpose as usize] = None;
        self.raw[family as usize] = None;
    }

    /// Hears the requests for exactly these addresses.
    pub(crate) fn hear_requests(&mut self, epoll: &Epoll, targets: &[IpAddr]) -> io::Result<()> {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for target in targets {
            match target {
                IpAddr::V4(ip) => ipv4.push(*ip),
                IpAddr::V6(ip) => ipv6.push(*ip),
            }
        }
        self.hear(epoll, Purpose::Arp, ipv4.len(), || bpf::arp_requests(&ipv4))?;
        self.hear(epoll, Purpose::Solicitations, ipv6.len(), || {
            bpf::neighbour_solicitations(&ipv6)
        })?;
        self.join_solicited(ipv6.into_iter().map(solicited_node).collect())
    }

    /// Hears hosts that announce one of these addresses: of IPv6, while VRRP of IPv6 is heard.
    pub(crate) fn hear_announcements(
        &mut self,
        epoll: &Epoll,
        announced: Announced,
    ) -> io::Result<()> {
        if announced == self.announced {
            return Ok(());
        }
        let before = std::mem::replace(&mut self.announced, announced);
        let result = self.listen_for_announcements(epoll, &before);
        if result.is_err() {
            // It is tried again as soon as another address is announced.
            self.packet[Purpose::Announcements as usize] = None;
        }
        result
    }

    fn listen_for_announcements(&mut self, epoll: &Epoll, before: &Announced) -> io::Result<()> {
        if self.announced.ipv6 != before.ipv6
            && let Some(Numbered { fd, .. }) = &self.packet[Purpose::Vrrp6 as usize]
        {
            sys::attach_filter(fd, &self.vrrp_ipv6())?;
        }
        let ipv4 = std::mem::take(&mut self.announced.ipv4);
        let result = self.hear(epoll, Purpose::Announcements, ipv4.len(), || {
            bpf::announcements(&ipv4)
        });
        self.announced.ipv4 = ipv4;
        result
    }

    fn vrrp_ipv6(&self) -> Vec<bpf::Instruction> {
        bpf::vrrp_ipv6(self.index, &self.announced.ipv6)
    }

    fn hear(
        &mut self,
        epoll: &Epoll,
        purpose: Purpose,
        targets: usize,
        program: impl FnOnce() -> Vec<bpf::Instruction>,
    ) -> io::Result<()> {
        match &self.packet[purpose as usize] {
            _ if targets == 0 => {
                self.packet[purpose as usize] = None;
                Ok(())
            }
            Some(Numbered { fd, .. }) => sys::attach_filter(fd, &program()),
            None => self.open_packet(epoll, purpose, &program()),
        }
    }

    fn join_solicited(&mut self, wanted: BTreeSet<Ipv6Addr>) -> io::Result<()> {
        if wanted == self.solicited {
            return Ok(());
        }
        let fd = members(&mut self.members, Family::Ipv6)?;
        for group in self.solicited.difference(&wanted) {
            // The membership may have gone with the interface.
            let _ = member6(fd, *group, self.index, false);
        }
        for group in wanted.difference(&self.solicited) {
            member6(fd, *group, self.index, true)?;
        }
        self.solicited = wanted;
        Ok(())
    }

    /// Sends an IP packet, header included, out of this interface to a neighbour or beyond.
    pub(crate) fn send_ip(&mut self, packet: &[u8], to: IpAddr) -> io::Result<()> {
        let family = Family::of(to);
        let place = &mut self.raw[family as usize];
        let fd = match place {
            Some(fd) => fd,
            None => place.insert(raw_socket(family, self.index)?),
        };
        sys::send_ip(fd, packet, to, self.index).map(drop)
    }

    /// The filter comes before the binding, so that nothing unfiltered is ever queued: a packet
    /// socket of protocol 0 hears nothing.
    fn open_packet(
        &mut self,
        epoll: &Epoll,
        purpose: Purpose,
        program: &[bpf::Instruction],
    ) -> io::Result<()> {
        let fd = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        sys::attach_filter(&fd, program)?;
        let room = match purpose {
            Purpose::Announcements => ANNOUNCEMENT_BUFFER,
            _ => RECEIVE_BUFFER,
        };
        set_buffer(&fd, [libc::SO_RCVBUFFORCE, libc::SO_RCVBUF], room)?;
        sys::bind_packet(&fd, self.index, purpose.ethertype())?;
        let group = match purpose {
            Purpose::Vrrp4 => Some(Family::Ipv4.group_mac()),
            Purpose::Vrrp6 => Some(Family::Ipv6.group_mac()),
            Purpose::Arp | Purpose::Solicitations | Purpose::Announcements => None,
        };
        if let Some(mac) = group {
            let mut request = [0; 16];
            request[..4].copy_from_slice(&self.index.number().to_ne_bytes());
            request[4..6].copy_from_slice(&(libc::PACKET_MR_MULTICAST as u16).to_ne_bytes());
            request[6..8].copy_from_slice(&6u16.to_ne_bytes());
            request[8..14].copy_from_slice(&mac.0);
            sys::set_option(&fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &request)?;
        }
        if !self.for_worker {
            epoll.add(&fd, Self::token(self.host_if, purpose as u8))?;
        }
        self.packet[purpose as usize] = Some(Numbered::new(fd));
        Ok(())
    }
}

impl InterfaceSockets for Sockets {
    const NO_INTERFACE: i32 = libc::ENODEV;

    fn index(&self) -> KernelIf {
        self.index
    }

    /// So that switches forward to us and the interface lets it in.
    fn set_membership(&mut self, group: IpAddr, on: bool) -> io::Result<()> {
        let fd = members(&mut self.members, Family::of(group))?;
        let result = match group {
            IpAddr::V4(group) => member4(fd, group, self.index, on),
            IpAddr::V6(group) => member6(fd, group, self.index, on),
        };
        match result.as_ref().map_err(io::Error::raw_os_error) {
            // Already as wanted.
            Err(Some(libc::EADDRINUSE)) if on => Ok(()),
            Err(Some(libc::EADDRNOTAVAIL | libc::ENODEV)) if !on => Ok(()),
            _ => result,
        }
    }
}

/// The socket that frames of all interfaces are sent through. Of protocol 0: it hears nothing.
pub(crate) fn sender() -> io::Result<OwnedFd> {
    let fd = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
    // Room for a whole queue, even where the device is slow to take it.
    set_buffer(&fd, [libc::SO_SNDBUFFORCE, libc::SO_SNDBUF], RECEIVE_BUFFER)?;
    // TC_PRIO_CONTROL: before ordinary traffic, where the device has bands.
    sys::set_option_int(&fd, libc::SOL_SOCKET, libc::SO_PRIORITY, 7)?;
    Ok(fd)
}

/// The socket that a worker sends frames of one interface through.
fn sender_on(index: KernelIf) -> io::Result<OwnedFd> {
    let fd = sender()?;
    sys::bind_packet(&fd, index, 0)?;
    Ok(fd)
}

/// Asks for a buffer of `size` octets with the first of `options`, which passes the system's limit;
/// or with the second, within it, where that privilege is not had, as in a user namespace.
pub(crate) fn set_buffer(fd: &OwnedFd, options: [i32; 2], size: i32) -> io::Result<()> {
    let [forced, limited] = options;
    match sys::set_option_int(fd, libc::SOL_SOCKET, forced, size) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            sys::set_option_int(fd, libc::SOL_SOCKET, limited, size)
        }
        result => result,
    }
}

fn members(sockets: &mut [Option<OwnedFd>; 2], family: Family) -> io::Result<&OwnedFd> {
    let place = &mut sockets[family as usize];
    if place.is_none() {
        let fd = match family {
            Family::Ipv4 => {
                let fd = sys::socket(libc::AF_INET, libc::SOCK_DGRAM, 0)?;
                sys::set_option_int(&fd, libc::IPPROTO_IP, IP_MULTICAST_ALL, 0)?;
                fd
            }
            Family::Ipv6 => sys::socket(libc::AF_INET6, libc::SOCK_DGRAM, 0)?,
        };
        *place = Some(fd);
    }
    place.as_ref().ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn member4(fd: &OwnedFd, group: Ipv4Addr, index: KernelIf, on: bool) -> io::Result<()> {
    // struct ip_mreqn: group, local address (none), interface.
    let mut request = [0; 12];
    request[..4].copy_from_slice(&group.octets());
    request[8..].copy_from_slice(&index.number().to_ne_bytes());
    let name = if on {
        libc::IP_ADD_MEMBERSHIP
    } else {
        libc::IP_DROP_MEMBERSHIP
    };
    sys::set_option(fd, libc::IPPROTO_IP, name, &request)
}

fn member6(fd: &OwnedFd, group: Ipv6Addr, index: KernelIf, on: bool) -> io::Result<()> {
    // struct ipv6_mreq: group, interface.
    let mut request = [0; 20];
    request[..16].copy_from_slice(&group.octets());
    request[16..].copy_from_slice(&index.number().to_ne_bytes());
    let name = if on {
        libc::IPV6_ADD_MEMBERSHIP
    } else {
        libc::IPV6_DROP_MEMBERSHIP
    };
    sys::set_option(fd, libc::IPPROTO_IPV6, name, &request)
}

/// A raw socket of IPPROTO_RAW takes whole IP packets and receives nothing.
fn raw_socket(family: Family, index: KernelIf) -> io::Result<OwnedFd> {
    let domain = match family {
        Family::Ipv4 => libc::AF_INET,
        Family::Ipv6 => libc::AF_INET6,
    };
    let fd = sys::socket(domain, libc::SOCK_RAW, libc::IPPROTO_RAW)?;
    sys::set_option_int(
        &fd,
        libc::SOL_SOCKET,
        libc::SO_BINDTOIFINDEX,
        index.number() as i32,
    )?;
    sys::set_option_int(&fd, libc::SOL_SOCKET, libc::SO_PRIORITY, 7)?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_enumerations_index_the_tables() {
        assert_eq!(Purpose::Announcements as usize, PURPOSES - 1);
        assert_eq!([Family::Ipv4 as usize, Family::Ipv6 as usize], [0, 1]);
    }
}
