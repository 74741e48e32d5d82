//! The arguments of ioctl requests, as octets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_core::{MacAddr, VirtualAddress};
use vrrp_host::{Route, RouteKind};
use vrrp_port_kit::KernelIf;

use crate::abi::*;

/// A request and its argument, as long as the request says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) number: u64,
    pub(crate) argument: Vec<u8>,
}

impl Request {
    /// A request about the interface called `name`, its argument otherwise zero.
    pub(crate) fn about(number: u64, name: &str) -> io::Result<Self> {
        if name.len() >= IFNAMSIZ || name.contains('\0') {
            let long = format!("{name}: no interface has such a name");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, long));
        }
        let mut argument = vec![0; argument_len(number)];
        put(&mut argument, 0, name.as_bytes());
        Ok(Self { number, argument })
    }

    fn with(mut self, at: usize, octets: &[u8]) -> Self {
        put(&mut self.argument, at, octets);
        self
    }
}

/// The prefix that an address is installed with: that of a host, which brings no route to its
/// subnet, as the interface's own address has brought one. Only a link-local address needs the
/// route of its link.
pub(crate) fn prefix_len(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 64,
        IpAddr::V6(_) => 128,
    }
}

/// Adds an address with its [`prefix_len`]. An IPv6 address is deprecated from the beginning, so that
/// source address selection (RFC 6724 rule 3) prefers an address of the host's own.
pub(crate) fn add_address(name: &str, address: IpAddr) -> io::Result<Request> {
    Ok(match address {
        IpAddr::V4(ip) => Request::about(SIOCAIFADDR, name)?
            .with(IFALIASREQ_ADDR, &sockaddr_in(ip))
            .with(IFALIASREQ_BROADCAST, &sockaddr_in(ip))
            .with(IFALIASREQ_MASK, &sockaddr_in(Ipv4Addr::BROADCAST)),
        IpAddr::V6(ip) => {
            let forever = ND6_INFINITE_LIFETIME.to_ne_bytes();
            let mask = Ipv6Addr::from_bits(u128::MAX << (128 - prefix_len(address)));
            Request::about(SIOCAIFADDR_IN6, name)?
                .with(IN6_ALIASREQ_ADDR, &sockaddr_in6(ip, None))
                .with(IN6_ALIASREQ_MASK, &sockaddr_in6(mask, None))
                .with(IN6_ALIASREQ_VALID, &forever)
                .with(IN6_ALIASREQ_PREFERRED, &[0; 4])
        }
    })
}

/// Removes an address.
pub(crate) fn remove_address(name: &str, address: IpAddr) -> io::Result<Request> {
    Ok(match address {
        IpAddr::V4(ip) => Request::about(SIOCDIFADDR, name)?.with(IFREQ_UNION, &sockaddr_in(ip)),
        IpAddr::V6(ip) => {
            Request::about(SIOCDIFADDR_IN6, name)?.with(IN6_IFREQ_ADDR, &sockaddr_in6(ip, None))
        }
    })
}

/// Asks for the flags of an IPv6 address, which [`address_flags`] reads.
pub(crate) fn ask_address_flags(name: &str, address: Ipv6Addr) -> io::Result<Request> {
    Ok(Request::about(SIOCGIFAFLAG_IN6, name)?.with(IN6_IFREQ_ADDR, &sockaddr_in6(address, None)))
}

/// The answer to [`ask_address_flags`].
pub(crate) fn address_flags(answer: &[u8]) -> u32 {
    read_u32(answer, IN6_IFREQ_FLAGS)
}

/// Asks for the flags of an interface, which [`link_flags`] reads.
pub(crate) fn ask_link_flags(name: &str) -> io::Result<Request> {
    Request::about(SIOCGIFFLAGS, name)
}

/// The answer to [`ask_link_flags`].
pub(crate) fn link_flags(answer: &[u8]) -> u32 {
    let (low, high) = (
        read_u16(answer, IFREQ_UNION),
        read_u16(answer, IFREQ_FLAGS_HIGH),
    );
    u32::from(high) << 16 | u32::from(low)
}

/// Sets the flags of an interface.
pub(crate) fn set_link_flags(name: &str, flags: u32) -> io::Result<Request> {
    let (low, high) = (flags as u16, (flags >> 16) as u16);
    Ok(Request::about(SIOCSIFFLAGS, name)?
        .with(IFREQ_UNION, &low.to_ne_bytes())
        .with(IFREQ_FLAGS_HIGH, &high.to_ne_bytes()))
}

/// Sets the MAC of an interface.
pub(crate) fn set_mac(name: &str, mac: MacAddr) -> io::Result<Request> {
    // A struct sockaddr whose family does not matter and whose length is that of the address.
    let mut address = [0; 16];
    address[0] = 6;
    address[1] = AF_LINK;
    address[2..8].copy_from_slice(&mac.0);
    Ok(Request::about(SIOCSIFLLADDR, name)?.with(IFREQ_UNION, &address))
}

/// A request whose argument is one number after the name: MTU, FIB.
pub(crate) fn set_number(request: u64, name: &str, value: u32) -> io::Result<Request> {
    Ok(Request::about(request, name)?.with(IFREQ_UNION, &value.to_ne_bytes()))
}

/// The number after the name in an answer.
pub(crate) fn number(answer: &[u8]) -> u32 {
    read_u32(answer, IFREQ_UNION)
}

/// Sets the flags of neighbour discovery of an interface.
pub(crate) fn set_nd_flags(name: &str, flags: u32) -> io::Result<Request> {
    let request = Request::about(SIOCSIFINFO_FLAGS, name)?;
    Ok(request.with(IN6_NDIREQ_FLAGS, &flags.to_ne_bytes()))
}

/// The flags of neighbour discovery in the answer to SIOCGIFINFO_IN6.
pub(crate) fn nd_flags(answer: &[u8]) -> u32 {
    read_u32(answer, IN6_NDIREQ_FLAGS)
}

/// Whether a medium is there, in the answer to SIOCGIFMEDIA. `None`: the driver does not know.
pub(crate) fn media_active(answer: &[u8]) -> Option<bool> {
    let status = read_u32(answer, IFMEDIAREQ_STATUS);
    (status & IFM_AVALID != 0).then_some(status & IFM_ACTIVE != 0)
}

/// The octets of a struct sockaddr_in.
pub(crate) fn sockaddr_in(ip: Ipv4Addr) -> [u8; SOCKADDR_IN_LEN] {
    let mut address = [0; SOCKADDR_IN_LEN];
    address[0] = SOCKADDR_IN_LEN as u8;
    address[1] = AF_INET;
    address[SIN_ADDR..SIN_ADDR + 4].copy_from_slice(&ip.octets());
    address
}

/// The octets of a struct sockaddr_in6.
pub(crate) fn sockaddr_in6(ip: Ipv6Addr, scope: Option<KernelIf>) -> [u8; SOCKADDR_IN6_LEN] {
    let mut address = [0; SOCKADDR_IN6_LEN];
    address[0] = SOCKADDR_IN6_LEN as u8;
    address[1] = AF_INET6;
    address[SIN6_ADDR..SIN6_ADDR + 16].copy_from_slice(&ip.octets());
    address[SIN6_SCOPE..SIN6_SCOPE + 4]
        .copy_from_slice(&scope.map_or(0, KernelIf::number).to_ne_bytes());
    address
}

/// The octets of a socket address of either family.
pub(crate) fn sockaddr(ip: IpAddr, scope: Option<KernelIf>) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => sockaddr_in(ip).to_vec(),
        IpAddr::V6(ip) => sockaddr_in6(ip, scope).to_vec(),
    }
}

/// The route to an address that drops what is sent there, to be written to a routing socket.
pub(crate) fn blackhole(address: VirtualAddress, on: bool, sequence: u32) -> Vec<u8> {
    let ip = address.address;
    let gateway = match ip {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let mut message = vec![0; RT_MSGHDR_LEN];
    for ip in [ip, gateway] {
        message.extend(sockaddr(ip, None));
        // Each is padded to a multiple of a long.
        message.resize(message.len().next_multiple_of(8), 0);
    }
    let len = (message.len() as u16).to_ne_bytes();
    put(&mut message, RTM_MSGLEN, &len);
    message[RTM_MSG_VERSION] = RTM_VERSION;
    message[RTM_TYPE] = if on { RTM_ADD } else { RTM_DELETE };
    let flags = RTF_UP | RTF_HOST | RTF_STATIC | RTF_BLACKHOLE;
    put(&mut message, RTM_FLAGS, &flags.to_ne_bytes());
    put(
        &mut message,
        RTM_ADDRS,
        &(RTA_DST | RTA_GATEWAY).to_ne_bytes(),
    );
    put(&mut message, RTM_SEQ, &sequence.to_ne_bytes());
    message
}

/// A route of a virtual router, to be written to a routing socket; `index` is the interface that it names.
pub(crate) fn route(route: &Route, index: Option<KernelIf>, on: bool, sequence: u32) -> Vec<u8> {
    let to = route.to.address;
    let widest = if to.is_ipv4() { 32 } else { 128 };
    let is_host = route.to.prefix_len == widest;
    let mut flags = RTF_UP | RTF_STATIC;
    if is_host {
        flags |= RTF_HOST;
    }
    let loopback = match to {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    };
    let link = index.map(sockaddr_dl);
    let gateway = match (route.kind, route.via) {
        (RouteKind::Unicast, Some(via)) => {
            flags |= RTF_GATEWAY;
            // Of a link-local one the link is a part.
            sockaddr(via, index.filter(|_| is_link_local(via)))
        }
        (RouteKind::Unicast, None) => link.clone().unwrap_or_default(),
        (kind, _) => {
            flags |= match kind {
                RouteKind::Blackhole => RTF_BLACKHOLE,
                _ => RTF_REJECT,
            };
            sockaddr(loopback, None)
        }
    };
    let mut addresses = vec![(RTA_DST, sockaddr(to, None)), (RTA_GATEWAY, gateway)];
    if !is_host {
        addresses.push((RTA_NETMASK, sockaddr(mask(to, route.to.prefix_len), None)));
    }
    addresses.extend(link.map(|link| (RTA_IFP, link)));
    let mut message = vec![0; RT_MSGHDR_LEN];
    let mut there = 0;
    for (bit, address) in addresses {
        there |= bit;
        message.extend(address);
        // Each is padded to a multiple of a long.
        message.resize(message.len().next_multiple_of(8), 0);
    }
    let len = (message.len() as u16).to_ne_bytes();
    put(&mut message, RTM_MSGLEN, &len);
    message[RTM_MSG_VERSION] = RTM_VERSION;
    message[RTM_TYPE] = if on { RTM_ADD } else { RTM_DELETE };
    put(&mut message, RTM_FLAGS, &flags.to_ne_bytes());
    put(&mut message, RTM_ADDRS, &there.to_ne_bytes());
    put(&mut message, RTM_SEQ, &sequence.to_ne_bytes());
    message
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}

/// The mask of a prefix.
fn mask(of: IpAddr, len: u8) -> IpAddr {
    let len = u32::from(len);
    match of {
        IpAddr::V4(_) => {
            let bits = u32::MAX.checked_shl(32 - len.min(32)).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(bits))
        }
        IpAddr::V6(_) => {
            let bits = u128::MAX.checked_shl(128 - len.min(128)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    }
}

/// The octets of a struct sockaddr_dl that names an interface.
fn sockaddr_dl(index: KernelIf) -> Vec<u8> {
    let mut address = vec![0; SOCKADDR_DL_LEN];
    address[0] = SOCKADDR_DL_LEN as u8;
    address[1] = AF_LINK;
    // The kernel has no more than 65,535 interfaces.
    let number = u16::try_from(index.number()).unwrap_or(0);
    put(&mut address, SDL_INDEX, &number.to_ne_bytes());
    address
}

/// Writes octets, of which those that have no room are left out.
pub(crate) fn put(to: &mut [u8], at: usize, octets: &[u8]) {
    if let Some(room) = to.get_mut(at..) {
        for (to, octet) in room.iter_mut().zip(octets) {
            *to = *octet;
        }
    }
}

/// Reads a number in the machine's order; zero where there is none.
pub(crate) fn read_u16(from: &[u8], at: usize) -> u16 {
    let octets = from.get(at..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u16::from_ne_bytes(*octets))
}

/// Reads a number in the machine's order; zero where there is none.
pub(crate) fn read_u32(from: &[u8], at: usize) -> u32 {
    let octets = from.get(at..).and_then(|rest| rest.first_chunk());
    octets.map_or(0, |octets| u32::from_ne_bytes(*octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_is_added_as_a_hosts() {
        let request = add_address("em0", [10, 0, 0, 80].into()).unwrap();
        assert_eq!(request.number, 0x8044_692b);
        let mut golden = vec![0; 68];
        golden[..3].copy_from_slice(b"em0");
        golden[16..24].copy_from_slice(&[16, 2, 0, 0, 10, 0, 0, 80]);
        golden[32..40].copy_from_slice(&[16, 2, 0, 0, 10, 0, 0, 80]);
        golden[48..56].copy_from_slice(&[16, 2, 0, 0, 255, 255, 255, 255]);
        assert_eq!(request.argument, golden);
        let request = remove_address("em0", [10, 0, 0, 80].into()).unwrap();
        assert_eq!((request.number, request.argument.len()), (0x8020_6919, 32));
        assert_eq!(request.argument[16..24], [16, 2, 0, 0, 10, 0, 0, 80]);
    }

    #[test]
    fn an_ipv6_address_is_added_for_ever_and_deprecated() {
        let ip: Ipv6Addr = "2001:db8::80".parse().unwrap();
        let request = add_address("em0", ip.into()).unwrap();
        assert_eq!((request.number, request.argument.len()), (0x8088_691b, 136));
        assert_eq!(request.argument[16..18], [28, 28]);
        assert_eq!(request.argument[24..40], ip.octets());
        assert_eq!(request.argument[72..74], [28, 28]);
        assert_eq!(request.argument[80..96], [255; 16]);
        assert_eq!(request.argument[120..124], [255; 4], "valid");
        assert_eq!(request.argument[124..128], [0; 4], "preferred");
        let link_local: Ipv6Addr = "fe80::80".parse().unwrap();
        let request = add_address("em0", link_local.into()).unwrap();
        assert_eq!(
            request.argument[80..96],
            [
                255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0
            ]
        );
    }

    #[test]
    fn flags_are_two_halves() {
        let request = set_link_flags("em0", 0x1_8843).unwrap();
        assert_eq!(request.argument[16..20], [0x43, 0x88, 1, 0]);
        assert_eq!(link_flags(&request.argument), 0x1_8843);
    }

    #[test]
    fn a_mac_is_a_short_address() {
        let request = set_mac("em0", MacAddr([0, 0, 0x5e, 0, 1, 7])).unwrap();
        assert_eq!(request.argument[16..24], [6, 18, 0, 0, 0x5e, 0, 1, 7]);
    }

    #[test]
    fn names_that_no_interface_has_are_refused() {
        for name in ["a234567890123456", "a\0b"] {
            assert!(Request::about(SIOCGIFFLAGS, name).is_err());
        }
        assert!(Request::about(SIOCGIFFLAGS, "a23456789012345").is_ok());
    }

    #[test]
    fn a_medium_may_be_unknown() {
        let answer = |status: u8| {
            let mut answer = vec![0; 48];
            answer[24] = status;
            media_active(&answer)
        };
        assert_eq!(
            [0, 1, 2, 3].map(answer),
            [None, Some(false), None, Some(true)]
        );
    }

    #[test]
    fn a_route_has_its_network_next_hop_mask_and_interface() {
        let made = |text: &str, index: Option<u32>, on| {
            let index = index.and_then(KernelIf::new);
            route(&text.parse().unwrap(), index, on, 7)
        };
        let message = made("10.0.0.0/8 via 192.0.2.1 dev em0", Some(3), true);
        assert_eq!(message.len(), 152 + 16 + 16 + 16 + 56);
        assert_eq!(message[..4], [0, 1, 5, 1]);
        // RTF_UP, RTF_GATEWAY, RTF_STATIC; RTA_DST, RTA_GATEWAY, RTA_NETMASK, RTA_IFP.
        assert_eq!(message[8..16], [0x03, 0x08, 0, 0, 0x17, 0, 0, 0]);
        assert_eq!(message[152..160], [16, 2, 0, 0, 10, 0, 0, 0]);
        assert_eq!(message[168..176], [16, 2, 0, 0, 192, 0, 2, 1]);
        assert_eq!(message[184..192], [16, 2, 0, 0, 255, 0, 0, 0]);
        assert_eq!(message[200..204], [54, 18, 3, 0]);
        let message = made("blackhole 2001:db8::7/128", None, false);
        assert_eq!(message.len(), 152 + 32 + 32);
        assert_eq!(message[3], 2);
        assert_eq!(message[8..16], [0x05, 0x18, 0, 0, 3, 0, 0, 0]);
        let message = made("default via fe80::1 dev em0", Some(3), true);
        assert_eq!(message[184..186], [28, 28], "the next hop");
        assert_eq!(message[208..212], [3, 0, 0, 0], "its link");
        let message = made("10.0.0.0/8 dev em0", Some(3), true);
        assert_eq!(message[8..16], [0x01, 0x08, 0, 0, 0x17, 0, 0, 0]);
        assert_eq!(message[168..172], [54, 18, 3, 0]);
        let message = made("unreachable 10.0.0.0/8", None, true);
        assert_eq!(message[8..16], [0x09, 0x08, 0, 0, 7, 0, 0, 0]);
    }

    #[test]
    fn a_blackhole_is_a_host_route_by_the_loopback() {
        let address = VirtualAddress {
            address: [10, 0, 0, 80].into(),
            prefix_len: 24,
        };
        let message = blackhole(address, true, 7);
        assert_eq!(message.len(), 152 + 16 + 16);
        assert_eq!(message[..4], [184, 0, 5, 1]);
        assert_eq!(message[8..16], [0x05, 0x18, 0, 0, 3, 0, 0, 0]);
        assert_eq!(message[152..160], [16, 2, 0, 0, 10, 0, 0, 80]);
        assert_eq!(message[168..176], [16, 2, 0, 0, 127, 0, 0, 1]);
        assert_eq!(blackhole(address, false, 8)[3], 2);
    }
}
