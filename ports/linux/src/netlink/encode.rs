//! Requests to the kernel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_core::{MacAddr, VirtualAddress};
use vrrp_port_kit::KernelIf;

use super::*;

pub(super) const REQUEST: u16 = 1;
pub(super) const ACK: u16 = 4;
pub(super) const DUMP: u16 = 0x300;
pub(super) const REPLACE: u16 = 0x100;
pub(super) const EXCLUSIVE: u16 = 0x200;
pub(super) const CREATE: u16 = 0x400;

const IFLA_INFO_DATA: u16 = 2;
const IFLA_MACVLAN_MODE: u16 = 1;
/// Not "private": that mode swallows frames of a peer that has the same virtual MAC.
const MACVLAN_MODE_BRIDGE: u32 = 4;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_EXT_MASK: u16 = 29;
const SKIP_STATISTICS: u32 = 8;
const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const ADDR_GEN_MODE_NONE: u8 = 1;

const IFA_CACHEINFO: u16 = 6;
const IFA_F_NODAD: u32 = 0x02;
const IFA_F_NOPREFIXROUTE: u32 = 0x200;

/// The lifetime of an address that stays until it is removed.
const FOR_EVER: u32 = u32::MAX;

pub(super) const RT_SCOPE_HOST: u8 = 254;
pub(super) const RT_SCOPE_LINK: u8 = 253;
const RTPROT_KERNEL: u8 = 2;
pub(super) const RTN_UNICAST: u8 = 1;
const RT_TABLE_MAIN: u8 = 254;
pub(super) const RTN_BLACKHOLE: u8 = 6;

/// Messages with the sequence numbers by which their answers are known.
#[derive(Debug, Default)]
pub(crate) struct Requests {
    octets: Vec<u8>,
    /// Where each message begins.
    starts: Vec<usize>,
    /// The sequence number of the last message.
    sequence: u32,
}

impl Requests {
    /// Forgets the messages, keeps the room and goes on counting.
    pub(crate) fn clear(&mut self) {
        self.octets.clear();
        self.starts.clear();
    }

    /// The number of messages.
    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// The octets of some of the messages, by their places.
    pub(crate) fn part(&self, places: std::ops::Range<usize>) -> &[u8] {
        let start_of = |place: usize| self.starts.get(place).copied();
        let start = start_of(places.start).unwrap_or(self.octets.len());
        let end = start_of(places.end).unwrap_or(self.octets.len());
        self.octets.get(start..end).unwrap_or_default()
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The sequence numbers of the messages.
    pub(crate) fn sequences(&self) -> std::ops::RangeInclusive<u32> {
        let count = self.starts.len() as u32;
        let first = self.sequence.wrapping_sub(count).wrapping_add(1);
        first..=self.sequence
    }

    pub(super) fn message(
        &mut self,
        kind: u16,
        flags: u16,
        body: &[u8],
        attributes: impl FnOnce(&mut Self),
    ) {
        // Numbers do not wrap within one batch; 2^32 requests are more than a life.
        self.sequence = self.sequence.wrapping_add(1);
        let start = self.octets.len();
        self.starts.push(start);
        self.octets.extend_from_slice(&[0; 4]);
        self.octets.extend_from_slice(&kind.to_ne_bytes());
        self.octets.extend_from_slice(&flags.to_ne_bytes());
        self.octets.extend_from_slice(&self.sequence.to_ne_bytes());
        self.octets.extend_from_slice(&[0; 4]);
        self.octets.extend_from_slice(body);
        attributes(self);
        let len = (self.octets.len() - start) as u32;
        self.patch(start, &len.to_ne_bytes());
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.nest(kind, |m| m.octets.extend_from_slice(value));
    }

    pub(super) fn nest(&mut self, kind: u16, inside: impl FnOnce(&mut Self)) {
        let start = self.octets.len();
        self.octets.extend_from_slice(&[0; 2]);
        self.octets.extend_from_slice(&kind.to_ne_bytes());
        inside(self);
        let len = (self.octets.len() - start) as u16;
        self.patch(start, &len.to_ne_bytes());
        self.octets.resize(self.octets.len().next_multiple_of(4), 0);
    }

    fn patch(&mut self, at: usize, value: &[u8]) {
        if let Some(place) = self.octets.get_mut(at..at + value.len()) {
            place.copy_from_slice(value);
        }
    }

    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.nest(kind, |m| {
            m.octets.extend_from_slice(text.as_bytes());
            m.octets.push(0);
        });
    }
}

fn link_body(index: Option<KernelIf>, flags: u32, change: u32) -> [u8; 16] {
    let mut body = [0; 16];
    let index = index.map_or(0, KernelIf::number);
    body[4..8].copy_from_slice(&index.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..16].copy_from_slice(&change.to_ne_bytes());
    body
}

/// Makes a macvlan, down. Its MAC is in the same message: it never has another one.
pub(crate) fn create_macvlan(
    to: &mut Requests,
    parent: KernelIf,
    name: &str,
    mac: MacAddr,
    group: u32,
) {
    let flags = REQUEST | ACK | CREATE | EXCLUSIVE;
    to.message(RTM_NEWLINK, flags, &link_body(None, 0, 0), |m| {
        m.text(IFLA_IFNAME, name);
        m.attribute(IFLA_LINK, &parent.number().to_ne_bytes());
        m.attribute(IFLA_ADDRESS, &mac.0);
        m.attribute(IFLA_GROUP, &group.to_ne_bytes());
        m.nest(IFLA_LINKINFO, |m| {
            m.text(IFLA_INFO_KIND, "macvlan");
            m.nest(IFLA_INFO_DATA, |m| {
                m.attribute(IFLA_MACVLAN_MODE, &MACVLAN_MODE_BRIDGE.to_ne_bytes());
            });
        });
    });
}

/// Marks a link as ours, sets its IPv4 sysctls (`IPV4_DEVCONF_*` and values), and keeps it from
/// making a link-local IPv6 address by itself, where the kernel has IPv6 (`ipv6`).
pub(crate) fn link_settings(
    to: &mut Requests,
    name: &str,
    alias: &str,
    sysctls: &[(u16, i32)],
    ipv6: bool,
) {
    to.message(RTM_SETLINK, REQUEST | ACK, &link_body(None, 0, 0), |m| {
        m.text(IFLA_IFNAME, name);
        m.text(IFLA_IFALIAS, alias);
        m.nest(IFLA_AF_SPEC, |m| {
            ipv4_sysctls(m, sysctls);
            if ipv6 {
                m.nest(u16::from(AF_INET6), |m| {
                    m.attribute(IFLA_INET6_ADDR_GEN_MODE, &[ADDR_GEN_MODE_NONE]);
                });
            }
        });
    });
}

/// Sets IPv4 sysctls of a link: `IPV4_DEVCONF_*` and values.
pub(crate) fn link_sysctls(to: &mut Requests, index: KernelIf, sysctls: &[(u16, i32)]) {
    let body = link_body(Some(index), 0, 0);
    to.message(RTM_SETLINK, REQUEST | ACK, &body, |m| {
        m.nest(IFLA_AF_SPEC, |m| ipv4_sysctls(m, sysctls));
    });
}

fn ipv4_sysctls(to: &mut Requests, sysctls: &[(u16, i32)]) {
    to.nest(u16::from(AF_INET), |m| {
        m.nest(IFLA_INET_CONF, |m| {
            for (number, value) in sysctls {
                m.attribute(*number, &value.to_ne_bytes());
            }
        });
    });
}

/// Sets a link up or down.
pub(crate) fn link_flags(to: &mut Requests, index: KernelIf, up: bool) {
    let iff_up = libc::IFF_UP as u32;
    let flags = if up { iff_up } else { 0 };
    let body = link_body(Some(index), flags, iff_up);
    to.message(RTM_NEWLINK, REQUEST | ACK, &body, |_| {});
}

/// Asks for the link of a name.
pub(crate) fn link_named(to: &mut Requests, name: &str) {
    to.message(RTM_GETLINK, REQUEST | ACK, &link_body(None, 0, 0), |m| {
        m.attribute(IFLA_EXT_MASK, &SKIP_STATISTICS.to_ne_bytes());
        m.text(IFLA_IFNAME, name);
    });
}

/// Asks for a link with its counters.
pub(crate) fn link_with_counters(to: &mut Requests, index: KernelIf) {
    to.message(
        RTM_GETLINK,
        REQUEST | ACK,
        &link_body(Some(index), 0, 0),
        |_| {},
    );
}

/// Removes a link.
pub(crate) fn delete_link(to: &mut Requests, index: KernelIf) {
    to.message(
        RTM_DELLINK,
        REQUEST | ACK,
        &link_body(Some(index), 0, 0),
        |_| {},
    );
}

/// Deletes all links of a device group at once, which takes the kernel little longer than one.
pub(crate) fn delete_group(to: &mut Requests, group: u32) {
    to.message(RTM_DELLINK, REQUEST | ACK, &link_body(None, 0, 0), |m| {
        m.attribute(IFLA_GROUP, &group.to_ne_bytes());
    });
}

/// The metric of a route that is to be used when there is no other to the network.
const LAST_METRIC: u32 = 1 << 20;

/// The route to the network of an address that is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AddressRoute {
    /// The kernel makes none.
    #[default]
    None,
    /// The kernel makes one as for an address of the host's own, with which it is shared.
    Ordinary,
    /// The kernel makes one that is used when there is no other.
    Last,
}

/// Adds or removes an address, without duplicate address detection: another router may just have
/// had it. A link-local address, whose link may have no route (a macvlan has none), is installed
/// with the prefix of its link (RFC 4291 section 2.5.6) and brings the route in any case.
///
/// An IPv6 address is deprecated from the beginning, so that source address selection (RFC 6724
/// rule 3) prefers an address of the host's own.
pub(crate) fn address(to: &mut Requests, index: KernelIf, address: VirtualAddress, add: bool) {
    address_and_route(to, index, address, AddressRoute::None, None, add);
}

/// Adds or removes an address as [`address()`] does; one that is added brings this route, and is removed
/// by the kernel after so many seconds, if any.
pub(crate) fn address_and_route(
    to: &mut Requests,
    index: KernelIf,
    address: VirtualAddress,
    route: AddressRoute,
    lease: Option<u32>,
    add: bool,
) {
    let scope = match address.address.is_loopback() {
        true => RT_SCOPE_HOST,
        false => 0,
    };
    scoped_address(to, index, (address, scope), (route, lease), add);
}

/// Gives an address of ours another lifetime, in seconds or without an end. The rest of it is repeated as
/// the kernel has it: what the message leaves out would be lost.
pub(crate) fn renew_address(to: &mut Requests, known: &Address, lease: Option<u32>) {
    let mut body = [0; 8];
    body[0] = family_of(known.address);
    body[1] = known.prefix_len;
    body[3] = known.scope;
    body[4..8].copy_from_slice(&known.index.number().to_ne_bytes());
    let flags = known.flags & IFA_F_NOPREFIXROUTE
        | match known.address {
            IpAddr::V4(_) => 0,
            IpAddr::V6(_) => IFA_F_NODAD,
        };
    to.message(RTM_NEWADDR, REQUEST | ACK | REPLACE, &body, |m| {
        ip_attribute(m, IFA_LOCAL, known.address);
        ip_attribute(m, IFA_ADDRESS, known.address);
        m.attribute(IFA_FLAGS, &flags.to_ne_bytes());
        lifetime(m, known.address, lease);
        m.attribute(IFA_PROTO, &[OUR_PROTOCOL]);
        if known.metric != 0 {
            m.attribute(IFA_RT_PRIORITY, &known.metric.to_ne_bytes());
        }
    });
}

/// A struct ifa_cacheinfo; the kernel fills in the times of creation and of change. An IPv6 address is
/// preferred for no time, see [`address()`]; one of IPv4 for as long as it is valid.
fn lifetime(to: &mut Requests, address: IpAddr, lease: Option<u32>) {
    let valid = lease.unwrap_or(FOR_EVER);
    let preferred = match address {
        IpAddr::V4(_) => valid,
        IpAddr::V6(_) => 0,
    };
    let mut times = [0; 16];
    times[..4].copy_from_slice(&preferred.to_ne_bytes());
    times[4..8].copy_from_slice(&valid.to_ne_bytes());
    to.attribute(IFA_CACHEINFO, &times);
}

fn family_of(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => AF_INET,
        IpAddr::V6(_) => AF_INET6,
    }
}

/// Adds or removes a virtual address on the loopback. It is of this host alone: its scope, and of IPv6
/// that it is deprecated, keep it from being chosen as a source.
pub(crate) fn loopback_address(to: &mut Requests, index: KernelIf, address: IpAddr, add: bool) {
    let prefix_len = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    let address = VirtualAddress {
        address,
        prefix_len,
    };
    let form = (AddressRoute::None, None);
    scoped_address(to, index, (address, RT_SCOPE_HOST), form, add);
}

fn scoped_address(
    to: &mut Requests,
    index: KernelIf,
    (address, scope): (VirtualAddress, u8),
    (route, lease): (AddressRoute, Option<u32>),
    add: bool,
) {
    let mut body = [0; 8];
    let routeless = match route {
        AddressRoute::None => IFA_F_NOPREFIXROUTE,
        AddressRoute::Ordinary | AddressRoute::Last => 0,
    };
    let (family, prefix_len, new_flags) = match address.address {
        IpAddr::V4(_) => (AF_INET, address.prefix_len, routeless),
        IpAddr::V6(ip) if ip.is_unicast_link_local() => (AF_INET6, 64, IFA_F_NODAD),
        IpAddr::V6(_) => (AF_INET6, address.prefix_len, routeless | IFA_F_NODAD),
    };
    body[0] = family;
    body[1] = prefix_len;
    body[3] = scope;
    body[4..8].copy_from_slice(&index.number().to_ne_bytes());
    let (kind, flags) = if add {
        (RTM_NEWADDR, REQUEST | ACK | CREATE | EXCLUSIVE)
    } else {
        (RTM_DELADDR, REQUEST | ACK)
    };
    to.message(kind, flags, &body, |m| {
        ip_attribute(m, IFA_LOCAL, address.address);
        ip_attribute(m, IFA_ADDRESS, address.address);
        if add {
            m.attribute(IFA_FLAGS, &new_flags.to_ne_bytes());
            if family == AF_INET6 || lease.is_some() {
                lifetime(m, address.address, lease);
            }
            m.attribute(IFA_PROTO, &[OUR_PROTOCOL]);
            if route == AddressRoute::Last {
                m.attribute(IFA_RT_PRIORITY, &LAST_METRIC.to_ne_bytes());
            }
        }
    });
}

/// The network of an IPv4 address.
pub(crate) fn network_of(ip: Ipv4Addr, prefix_len: u8) -> Ipv4Addr {
    let mask = u32::MAX.checked_shl(32 - u32::from(prefix_len.min(32)));
    Ipv4Addr::from_bits(ip.to_bits() & mask.unwrap_or_default())
}

/// The network of an IPv6 address.
pub(crate) fn network_of_ipv6(ip: Ipv6Addr, prefix_len: u8) -> Ipv6Addr {
    let mask = u128::MAX.checked_shl(128 - u32::from(prefix_len.min(128)));
    Ipv6Addr::from_bits(ip.to_bits() & mask.unwrap_or_default())
}

/// Adds the route to the network of an IPv4 address that is there without one, as
/// [`AddressRoute::Last`] would have it. The kernel removes it with the address, its source.
pub(crate) fn network_route(
    to: &mut Requests,
    index: KernelIf,
    (network, prefix_len): (Ipv4Addr, u8),
    source: Ipv4Addr,
) {
    let mut body = [0; 12];
    body[..8].copy_from_slice(&[
        AF_INET,
        prefix_len,
        0,
        0,
        RT_TABLE_MAIN,
        RTPROT_KERNEL,
        RT_SCOPE_LINK,
        RTN_UNICAST,
    ]);
    let flags = REQUEST | ACK | CREATE | EXCLUSIVE;
    to.message(RTM_NEWROUTE, flags, &body, |m| {
        ip_attribute(m, RTA_DST, network.into());
        m.attribute(RTA_OIF, &index.number().to_ne_bytes());
        ip_attribute(m, RTA_PREFSRC, source.into());
        m.attribute(RTA_PRIORITY, &LAST_METRIC.to_ne_bytes());
    });
}

/// Adds or removes our own route to a network that a link leads to, to be used when there is no other.
pub(crate) fn link_route(
    to: &mut Requests,
    index: KernelIf,
    (network, prefix_len): (IpAddr, u8),
    add: bool,
) {
    let (family, scope) = match network {
        IpAddr::V4(_) => (AF_INET, RT_SCOPE_LINK),
        IpAddr::V6(_) => (AF_INET6, 0),
    };
    let mut body = [0; 12];
    body[..8].copy_from_slice(&[
        family,
        prefix_len,
        0,
        0,
        RT_TABLE_MAIN,
        OUR_PROTOCOL,
        scope,
        RTN_UNICAST,
    ]);
    let (kind, flags) = if add {
        (RTM_NEWROUTE, REQUEST | ACK | CREATE | EXCLUSIVE)
    } else {
        (RTM_DELROUTE, REQUEST | ACK)
    };
    to.message(kind, flags, &body, |m| {
        ip_attribute(m, RTA_DST, network);
        m.attribute(RTA_OIF, &index.number().to_ne_bytes());
        m.attribute(RTA_PRIORITY, &LAST_METRIC.to_ne_bytes());
    });
}

/// Adds or removes a route that swallows packets to one address.
pub(crate) fn blackhole(to: &mut Requests, address: IpAddr, add: bool) {
    let (family, len) = match address {
        IpAddr::V4(_) => (AF_INET, 32),
        IpAddr::V6(_) => (AF_INET6, 128),
    };
    let mut body = [0; 12];
    body[..8].copy_from_slice(&[
        family,
        len,
        0,
        0,
        RT_TABLE_MAIN,
        OUR_PROTOCOL,
        0,
        RTN_BLACKHOLE,
    ]);
    let (kind, flags) = if add {
        (RTM_NEWROUTE, REQUEST | ACK | CREATE | EXCLUSIVE)
    } else {
        (RTM_DELROUTE, REQUEST | ACK)
    };
    to.message(kind, flags, &body, |m| ip_attribute(m, RTA_DST, address));
}

/// Removes a route, given as a dump told it.
pub(crate) fn delete_route(to: &mut Requests, route: &[u8]) {
    to.message(RTM_DELROUTE, REQUEST | ACK, route, |_| {});
}

/// Asks for every route of IPv4 that bears our mark. A kernel before 4.20, and a socket without
/// NETLINK_GET_STRICT_CHK, tells the others, too.
pub(crate) fn dump_routes_ipv4(to: &mut Requests) {
    dump_routes(to, AF_INET);
}

/// As [`dump_routes_ipv4`] for IPv6.
pub(crate) fn dump_routes_ipv6(to: &mut Requests) {
    dump_routes(to, AF_INET6);
}

fn dump_routes(to: &mut Requests, family: u8) {
    let body = [family, 0, 0, 0, 0, OUR_PROTOCOL, 0, 0, 0, 0, 0, 0];
    to.message(RTM_GETROUTE, REQUEST | DUMP, &body, |_| {});
}

/// Asks for every link, without its statistics.
pub(crate) fn dump_links(to: &mut Requests) {
    to.message(RTM_GETLINK, REQUEST | DUMP, &link_body(None, 0, 0), |m| {
        m.attribute(IFLA_EXT_MASK, &SKIP_STATISTICS.to_ne_bytes());
    });
}

/// Asks for every address of both families.
pub(crate) fn dump_addresses(to: &mut Requests) {
    to.message(
        RTM_GETADDR,
        REQUEST | DUMP,
        &[AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0],
        |_| {},
    );
}

pub(super) fn ip_attribute(to: &mut Requests, kind: u16, address: IpAddr) {
    match address {
        IpAddr::V4(ip) => to.attribute(kind, &ip.octets()),
        IpAddr::V6(ip) => to.attribute(kind, &ip.octets()),
    }
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    fn index(number: u32) -> KernelIf {
        KernelIf::new(number).unwrap()
    }

    fn made(fill: impl FnOnce(&mut Requests)) -> Vec<u8> {
        let mut requests = Requests::default();
        fill(&mut requests);
        requests.octets().to_vec()
    }

    #[test]
    fn a_link_is_set_up_by_flag_and_mask() {
        let octets = made(|m| link_flags(m, index(0x0102), true));
        assert_eq!(
            octets,
            [
                32, 0, 0, 0, 16, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, // header
                0, 0, 0, 0, 2, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, // ifinfomsg
            ]
        );
    }

    #[test]
    fn the_filter_of_a_link_changes_alone() {
        let octets = made(|m| link_sysctls(m, index(3), &[(8, 1)]));
        assert_eq!(
            octets,
            [
                52, 0, 0, 0, 19, 0, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, // header
                0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ifinfomsg
                20, 0, 26, 0, 16, 0, 2, 0, 12, 0, 1,
                0, // IFLA_AF_SPEC, AF_INET, IFLA_INET_CONF
                8, 0, 8, 0, 1, 0, 0, 0, // rp_filter
            ]
        );
    }

    // As strace shows `ip link add link lo0 name v address 00:00:5e:00:01:07 group 16909060 type
    // macvlan mode bridge`.
    #[test]
    fn a_macvlan_is_born_with_its_mac() {
        let mac = MacAddr([0, 0, 0x5e, 0, 1, 7]);
        let octets = made(|m| create_macvlan(m, index(3), "v", mac, 0x0102_0304));
        let expected: &[u8] = &[
            96, 0, 0, 0, 16, 0, 5, 6, 1, 0, 0, 0, 0, 0, 0, 0, // header
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, // ifinfomsg
            6, 0, 3, 0, b'v', 0, 0, 0, // IFLA_IFNAME
            8, 0, 5, 0, 3, 0, 0, 0, // IFLA_LINK
            10, 0, 1, 0, 0, 0, 0x5e, 0, 1, 7, 0, 0, // IFLA_ADDRESS
            8, 0, 27, 0, 4, 3, 2, 1, // IFLA_GROUP
            28, 0, 18, 0, // IFLA_LINKINFO
            12, 0, 1, 0, b'm', b'a', b'c', b'v', b'l', b'a', b'n', 0, // IFLA_INFO_KIND
            12, 0, 2, 0, 8, 0, 1, 0, 4, 0, 0, 0, // IFLA_INFO_DATA, IFLA_MACVLAN_MODE
        ];
        let mut expected = expected.to_vec();
        expected[0] = expected.len() as u8;
        assert_eq!(octets, expected);
    }

    #[test]
    fn an_ipv4_address_brings_no_route() {
        let vip = VirtualAddress {
            address: [10, 0, 0, 1].into(),
            prefix_len: 24,
        };
        let octets = made(|m| address(m, index(5), vip, true));
        assert_eq!(
            octets,
            [
                56, 0, 0, 0, 20, 0, 5, 6, 1, 0, 0, 0, 0, 0, 0, 0, // header
                2, 24, 0, 0, 5, 0, 0, 0, // ifaddrmsg
                8, 0, 2, 0, 10, 0, 0, 1, // IFA_LOCAL
                8, 0, 1, 0, 10, 0, 0, 1, // IFA_ADDRESS
                8, 0, 8, 0, 0, 2, 0, 0, // IFA_FLAGS
                5, 0, 11, 0, 112, 0, 0, 0, // IFA_PROTO
            ]
        );
    }

    fn added(ip: &str, prefix_len: u8) -> Vec<u8> {
        let vip = VirtualAddress {
            address: ip.parse().unwrap(),
            prefix_len,
        };
        made(|m| address(m, index(5), vip, true))
    }

    #[test]
    fn an_ipv6_address_is_deprecated_and_brings_no_route() {
        let octets = added("2001:db8::1", 64);
        let ip = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        let expected = [
            &[100, 0, 0, 0, 20, 0, 5, 6, 1, 0, 0, 0, 0, 0, 0, 0][..], // header
            &[10, 64, 0, 0, 5, 0, 0, 0],                              // ifaddrmsg
            &[20, 0, 2, 0],
            &ip, // IFA_LOCAL
            &[20, 0, 1, 0],
            &ip,                        // IFA_ADDRESS
            &[8, 0, 8, 0, 2, 2, 0, 0],  // IFA_FLAGS
            &[20, 0, 6, 0, 0, 0, 0, 0], // IFA_CACHEINFO: preferred for 0 s,
            &[0xff, 0xff, 0xff, 0xff],  // valid for ever
            &[0, 0, 0, 0, 0, 0, 0, 0],
            &[5, 0, 11, 0, 112, 0, 0, 0], // IFA_PROTO
        ]
        .concat();
        let mut expected = expected;
        expected[0] = expected.len() as u8;
        assert_eq!(octets, expected);
    }

    #[test]
    fn a_link_local_address_brings_the_route_of_its_link() {
        for prefix_len in [10, 64, 128] {
            let octets = added("fe80::1", prefix_len);
            assert_eq!(octets[17], 64, "the length of the link's prefix");
            let flags = 24 + 20 + 20;
            assert_eq!(octets[flags..flags + 8], [8, 0, 8, 0, 2, 0, 0, 0]);
        }
    }

    #[test]
    fn a_lease_is_the_lifetime_of_an_address() {
        let vip = VirtualAddress {
            address: [10, 0, 0, 1].into(),
            prefix_len: 24,
        };
        let route = AddressRoute::None;
        let octets = made(|m| address_and_route(m, index(5), vip, route, Some(3), true));
        let flags = 24 + 8 + 8;
        assert_eq!(octets[flags..flags + 8], [8, 0, 8, 0, 0, 2, 0, 0]);
        let times = [20, 0, 6, 0, 3, 0, 0, 0, 3, 0, 0, 0];
        assert_eq!(octets[flags + 8..flags + 20], times);
    }

    #[test]
    fn a_renewal_repeats_what_the_kernel_has() {
        let known = Address {
            index: index(5),
            address: "2001:db8::1".parse().unwrap(),
            prefix_len: 64,
            // NODAD, deprecated, NOPREFIXROUTE.
            flags: 0x222,
            scope: 0,
            protocol: OUR_PROTOCOL,
            metric: 1 << 20,
        };
        let octets = made(|m| renew_address(m, &known, Some(3)));
        // RTM_NEWADDR, and NLM_F_REPLACE without NLM_F_CREATE and NLM_F_EXCL.
        assert_eq!(octets[4..8], [20, 0, 5, 1]);
        assert_eq!(octets[16..24], [10, 64, 0, 0, 5, 0, 0, 0]);
        let flags = 24 + 20 + 20;
        let expected = [
            &[8, 0, 8, 0, 2, 2, 0, 0][..],          // IFA_FLAGS
            &[20, 0, 6, 0, 0, 0, 0, 0, 3, 0, 0, 0], // preferred for 0 s, valid for 3 s
            &[0, 0, 0, 0, 0, 0, 0, 0],              // IFA_CACHEINFO: times
            &[5, 0, 11, 0, 112, 0, 0, 0],           // IFA_PROTO
            &[8, 0, 9, 0, 0, 0, 16, 0],             // IFA_RT_PRIORITY
        ]
        .concat();
        assert_eq!(octets[flags..], expected);
        let for_ever = made(|m| renew_address(m, &known, None));
        assert_eq!(for_ever[flags + 16..flags + 20], [0xff; 4]);
    }

    #[test]
    fn a_blackhole_is_a_host_route() {
        let octets = made(|m| blackhole(m, [10, 0, 0, 1].into(), true));
        assert_eq!(
            octets,
            [
                36, 0, 0, 0, 24, 0, 5, 6, 1, 0, 0, 0, 0, 0, 0, 0, // header
                2, 32, 0, 0, 254, 112, 0, 6, 0, 0, 0, 0, // rtmsg
                8, 0, 1, 0, 10, 0, 0, 1, // RTA_DST
            ]
        );
    }

    #[test]
    fn messages_are_numbered_and_aligned() {
        let mut requests = Requests::default();
        link_flags(&mut requests, index(1), true);
        requests.clear();
        let vip = VirtualAddress {
            address: "fe80::1".parse().unwrap(),
            prefix_len: 64,
        };
        address(&mut requests, index(1), vip, false);
        link_settings(&mut requests, "vr4.1.1", "mark", &[(8, 0), (14, -1)], true);
        assert_eq!(requests.sequences(), 2..=3);
        assert_eq!(requests.octets().len() % 4, 0);
        let kinds: Vec<u16> = messages(requests.octets()).map(|m| m.kind).collect();
        assert_eq!(kinds, [RTM_DELADDR, RTM_SETLINK]);
    }
}
