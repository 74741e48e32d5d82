//! The messages of the kernel. Total: any octets give some events or none.

use std::net::IpAddr;

use vrrp_core::{MacAddr, VirtualAddress};
use vrrp_port_kit::KernelIf;

use super::*;

const IFA_F_SECONDARY: u32 = 0x01;

/// The octet of a struct rtmsg that is its protocol.
pub(super) const RTM_PROTOCOL: usize = 5;

/// One netlink message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) body: &'a [u8],
}

/// The meaning of a message for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A link is there, or has changed.
    Link(Link),
    /// The link with this number is gone.
    LinkGone(KernelIf),
    /// An address is there, or has changed.
    Address(Address),
    /// An address is gone.
    AddressGone(Address),
    /// A sysctl of the link with this number has changed; `None`: one of "all".
    Sysctl(Option<KernelIf>),
    /// A route that bears our mark: the message, as the kernel wants it back to remove the route.
    Route(Vec<u8>),
    /// A rule that bears our mark, likewise.
    Rule(Vec<u8>),
    /// A route of ours has gone from this place, or another route has replaced the one there.
    RouteLost(RoutePlace),
    /// The end of a dump.
    Done,
    /// The answer to a request: 0, or a number of errno.
    Result(i32),
}

/// The place of a route: the kernel adds one alone there with NLM_F_EXCL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RoutePlace {
    pub(crate) address: IpAddr,
    pub(crate) prefix_len: u8,
    pub(crate) table: u32,
    pub(crate) metric: u32,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: KernelIf,
    /// `IFF_*`.
    pub(crate) flags: u32,
    pub(crate) name: String,
    /// Other names that the kernel takes for it.
    pub(crate) other_names: Vec<String>,
    /// `ARPHRD_*`.
    pub(crate) hardware: u16,
    pub(crate) mac: MacAddr,
    /// Empty: none.
    pub(crate) alias: String,
    /// Such as "macvlan". Empty: a device.
    pub(crate) kind: String,
    /// The device group.
    pub(crate) group: u32,
    /// The bridge, bond or the like that it is a port of.
    pub(crate) master: Option<KernelIf>,
    /// The kind of `master`, such as "bridge".
    pub(crate) master_kind: String,
    /// Frames that have come to it and to no group. `None`: not told.
    pub(crate) unicast_received: Option<u64>,
}

impl Link {
    /// A link of which nothing but its index is known.
    pub(crate) fn new(index: KernelIf) -> Self {
        Self {
            index,
            flags: 0,
            name: String::new(),
            other_names: Vec::new(),
            hardware: 0,
            mac: MacAddr::default(),
            alias: String::new(),
            kind: String::new(),
            group: 0,
            master: None,
            master_kind: String::new(),
            unicast_received: None,
        }
    }
}

impl Link {
    /// Whether the kernel knows it by this name.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.other_names.iter().any(|other| other == name)
    }
}

/// An address of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) index: KernelIf,
    pub(crate) address: IpAddr,
    pub(crate) prefix_len: u8,
    /// `IFA_F_*`.
    pub(crate) flags: u32,
    /// `RT_SCOPE_*`.
    pub(crate) scope: u8,
    /// The mark of its maker. 0: there is none, or the kernel is older than 5.18.
    pub(crate) protocol: u8,
    /// The metric of the route that it brings. 0: that of the kernel's choice.
    pub(crate) metric: u32,
}

impl Address {
    /// Whether it is behind another one of its subnet.
    pub(crate) fn is_secondary(&self) -> bool {
        self.flags & IFA_F_SECONDARY != 0
    }

    /// Whether another address is in the network of this one. Without a prefix, and within a whole
    /// one, none is.
    pub(crate) fn has_beside(&self, other: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let len = u32::from(self.prefix_len).min(width);
            len > 0 && (a ^ b).checked_shr(width - len).unwrap_or(0) == 0
        };
        match (self.address, other) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }

    /// Whether the kernel would count an IPv4 address to the same subnet.
    pub(crate) fn is_in_subnet_of(&self, other: VirtualAddress) -> bool {
        let (IpAddr::V4(ours), IpAddr::V4(theirs)) = (self.address, other.address) else {
            return false;
        };
        // Without a prefix every address is of one subnet.
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix_len.min(32)));
        let differing = (ours.to_bits() ^ theirs.to_bits()) & mask.unwrap_or_default();
        self.prefix_len == other.prefix_len && differing == 0
    }
}

/// The messages of a datagram. Ends where the octets make no sense.
pub(crate) fn messages(mut data: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let len = u32_at(data, 0)? as usize;
        let message = Message {
            kind: u16_at(data, 4)?,
            flags: u16_at(data, 6)?,
            sequence: u32_at(data, 8)?,
            body: data.get(16..len)?,
        };
        data = data.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

/// The meaning of a message. Returns `None` if it has none for us, or makes no sense.
pub(crate) fn decode(message: &Message<'_>) -> Option<Event> {
    match message.kind {
        NLMSG_ERROR => Some(Event::Result(
            (u32_at(message.body, 0)? as i32).wrapping_neg(),
        )),
        NLMSG_DONE => Some(Event::Done),
        RTM_NEWLINK => link(message.body).map(Event::Link),
        RTM_DELLINK => link(message.body).map(|link| Event::LinkGone(link.index)),
        RTM_NEWADDR => address(message.body).map(Event::Address),
        // A replacement is no removal to the kernel: this flag of the notice alone tells.
        RTM_NEWROUTE if message.flags & REPLACE != 0 => {
            route_place(message.body).map(Event::RouteLost)
        }
        RTM_NEWROUTE => route(message.body).map(Event::Route),
        RTM_DELROUTE => route_place(&route(message.body)?).map(Event::RouteLost),
        RTM_NEWRULE => rule(message.body).map(Event::Rule),
        RTM_DELADDR => address(message.body).map(Event::AddressGone),
        RTM_NEWNETCONF => sysctl(message.body),
        _ => None,
    }
}

fn link(body: &[u8]) -> Option<Link> {
    // A bridge speaks of its ports with its own family, also when a port that lives on leaves it.
    if *body.first()? != AF_UNSPEC {
        return None;
    }
    let mut link = Link {
        flags: u32_at(body, 8)?,
        hardware: u16_at(body, 2)?,
        ..Link::new(index_at(body, 4)?)
    };
    for (kind, value) in attributes(body.get(16..)?) {
        match kind {
            IFLA_IFNAME => link.name = text(value),
            IFLA_IFALIAS => link.alias = text(value),
            IFLA_PROP_LIST => {
                let names = attributes(value).filter(|(kind, _)| *kind == IFLA_ALT_IFNAME);
                link.other_names = names.map(|(_, name)| text(name)).collect();
            }
            IFLA_ADDRESS => {
                if let Ok(mac) = value.try_into() {
                    link.mac = MacAddr(mac);
                }
            }
            IFLA_MASTER => link.master = index_at(value, 0),
            IFLA_GROUP => link.group = u32_at(value, 0)?,
            IFLA_STATS64 => {
                // struct rtnl_link_stats64: rx_packets is the first field, multicast the ninth.
                let counts = u64_at(value, 0).zip(u64_at(value, 64));
                link.unicast_received = counts.map(|(all, groups)| all.saturating_sub(groups));
            }
            IFLA_LINKINFO => {
                for (kind, value) in attributes(value) {
                    match kind {
                        IFLA_INFO_KIND => link.kind = text(value),
                        IFLA_INFO_SLAVE_KIND => link.master_kind = text(value),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    // Notices of wireless events come without a name.
    (!link.name.is_empty()).then_some(link)
}

fn address(body: &[u8]) -> Option<Address> {
    let (family, prefix_len) = (*body.first()?, *body.get(1)?);
    let (mut flags, scope) = (u32::from(*body.get(2)?), *body.get(3)?);
    let (mut local, mut peer, mut protocol, mut metric) = (None, None, 0, 0);
    for (kind, value) in attributes(body.get(8..)?) {
        match kind {
            IFA_LOCAL => local = ip(family, value),
            IFA_ADDRESS => peer = ip(family, value),
            IFA_FLAGS => flags = u32_at(value, 0)?,
            IFA_PROTO => protocol = *value.first()?,
            IFA_RT_PRIORITY => metric = u32_at(value, 0)?,
            _ => {}
        }
    }
    Some(Address {
        index: index_at(body, 4)?,
        // Over a point-to-point link the other one is the neighbour's.
        address: local.or(peer)?,
        prefix_len,
        flags,
        scope,
        protocol,
        metric,
    })
}

/// Which sysctl it is, and its value, are in further attributes.
fn sysctl(body: &[u8]) -> Option<Event> {
    // A struct netconfmsg is one octet, the family.
    let (_, index) = attributes(body.get(4..)?).find(|(kind, _)| *kind == NETCONFA_IFINDEX)?;
    match u32_at(index, 0)? {
        NETCONFA_IFINDEX_ALL => Some(Event::Sysctl(None)),
        // That of links to come.
        NETCONFA_IFINDEX_DEFAULT => None,
        index => Some(Event::Sysctl(Some(KernelIf::new(index)?))),
    }
}

fn route(body: &[u8]) -> Option<Vec<u8>> {
    (*body.get(RTM_PROTOCOL)? == OUR_PROTOCOL).then(|| body.to_vec())
}

fn rule(body: &[u8]) -> Option<Vec<u8>> {
    let mut attributes = attributes(body.get(12..)?);
    let marked = attributes.any(|(kind, value)| kind == FRA_PROTOCOL && value == [OUR_PROTOCOL]);
    marked.then(|| body.to_vec())
}

/// The priority of a rule.
pub(crate) fn rule_priority(rule: &[u8]) -> Option<u32> {
    let (_, value) = attributes(rule.get(12..)?).find(|(kind, _)| *kind == FRA_PRIORITY)?;
    u32_at(value, 0)
}

/// The network that a route is to: its address and the length of its prefix.
pub(crate) fn route_network(route: &[u8]) -> Option<(IpAddr, u8)> {
    let (family, len) = (*route.first()?, *route.get(1)?);
    let mut attributes = attributes(route.get(12..)?);
    match attributes.find(|(kind, _)| *kind == RTA_DST) {
        Some((_, value)) => Some((ip(family, value)?, len)),
        // All of them.
        None => Some((
            ip(
                family,
                [0; 16].get(..if family == AF_INET { 4 } else { 16 })?,
            )?,
            len,
        )),
    }
}

/// The place of a route. Returns `None` for one that is chosen by more than its destination.
pub(crate) fn route_place(route: &[u8]) -> Option<RoutePlace> {
    let (address, prefix_len) = route_network(route)?;
    let (source_len, tos) = (*route.get(2)?, *route.get(3)?);
    let mut place = RoutePlace {
        address,
        prefix_len,
        table: u32::from(*route.get(4)?),
        metric: 0,
    };
    for (kind, value) in attributes(route.get(12..)?) {
        match kind {
            RTA_TABLE => place.table = u32_at(value, 0)?,
            RTA_PRIORITY => place.metric = u32_at(value, 0)?,
            _ => {}
        }
    }
    (source_len == 0 && tos == 0).then_some(place)
}

/// The next hop of a route.
pub(crate) fn route_gateway(route: &[u8]) -> Option<IpAddr> {
    let (_, value) = attributes(route.get(12..)?).find(|(kind, _)| *kind == RTA_GATEWAY)?;
    ip(*route.first()?, value)
}

/// Whether a route has several next hops.
pub(crate) fn is_multipath(route: &[u8]) -> bool {
    let mut attributes = attributes(route.get(12..).unwrap_or_default());
    attributes.any(|(kind, _)| kind == RTA_MULTIPATH)
}

/// The number of the link that a route leads out by.
pub(crate) fn route_device(route: &[u8]) -> Option<KernelIf> {
    let (_, value) = attributes(route.get(12..)?).find(|(kind, _)| *kind == RTA_OIF)?;
    index_at(value, 0)
}

fn attributes(mut data: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let len = u16_at(data, 0)? as usize;
        // The two highest bits say how the value is encoded.
        let kind = u16_at(data, 2)? & 0x3fff;
        let value = data.get(4..len)?;
        data = data.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn ip(family: u8, value: &[u8]) -> Option<IpAddr> {
    match family {
        AF_INET => Some(<[u8; 4]>::try_from(value).ok()?.into()),
        AF_INET6 => Some(<[u8; 16]>::try_from(value).ok()?.into()),
        _ => None,
    }
}

fn text(value: &[u8]) -> String {
    let end = value.iter().position(|&c| c == 0).unwrap_or(value.len());
    String::from_utf8_lossy(value.get(..end).unwrap_or_default()).into_owned()
}

fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(data.get(at..at + 2)?.try_into().ok()?))
}

fn u64_at(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(data.get(at..at + 8)?.try_into().ok()?))
}

fn index_at(data: &[u8], at: usize) -> Option<KernelIf> {
    KernelIf::new(u32_at(data, at)?)
}

fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(data.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    use super::*;

    // Laid out by hand after linux/if_link.h and linux/if_addr.h.
    #[rustfmt::skip]
    const LINK: &[u8] = &[
        140, 0, 0, 0, 16, 0, 2, 0, 9, 0, 0, 0, 1, 2, 3, 4, // header
        0, 0, 1, 0, 4, 0, 0, 0, 0x43, 0x10, 1, 0, 0, 0, 0, 0, // ifinfomsg
        9, 0, 3, 0, b'e', b't', b'h', b'0', 0, 0, 0, 0, // IFLA_IFNAME
        10, 0, 1, 0, 2, 0, 0, 0, 0, 9, 0, 0, // IFLA_ADDRESS
        9, 0, 20, 0, b'm', b'a', b'r', b'k', 0, 0, 0, 0, // IFLA_IFALIAS
        8, 0, 10, 0, 6, 0, 0, 0, // IFLA_MASTER
        32, 0, 18, 0x80, 9, 0, 1, 0, b'v', b'e', b't', b'h', 0, 0, 0, 0, // IFLA_LINKINFO
        11, 0, 4, 0, b'b', b'r', b'i', b'd', b'g', b'e', 0, 0, 0, 0, 0, 0,
        32, 0, 52, 0x80, // IFLA_PROP_LIST
        11, 0, 53, 0, b'e', b'n', b'p', b'3', b's', b'0', 0, 0, // IFLA_ALT_IFNAME
        14, 0, 53, 0, b'e', b'n', b'x', b'0', b'2', b'0', b'0', b'0', b'0', 0, 0, 0,
    ];
    #[rustfmt::skip]
    const ADDRESS: &[u8] = &[
        56, 0, 0, 0, 21, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, // header
        2, 24, 0x80, 0, 4, 0, 0, 0, // ifaddrmsg
        8, 0, 1, 0, 10, 0, 0, 9, // IFA_ADDRESS: the neighbour's
        8, 0, 2, 0, 10, 0, 0, 1, // IFA_LOCAL
        8, 0, 8, 0, 0x80, 2, 0, 0, // IFA_FLAGS
        5, 0, 11, 0, 112, 0, 0, 0, // IFA_PROTO
    ];

    // Laid out by hand after linux/rtnetlink.h.
    #[rustfmt::skip]
    const REPLACEMENT: &[u8] = &[
        60, 0, 0, 0, 24, 0, 0, 1, 7, 0, 0, 0, 1, 2, 3, 4, // header, NLM_F_REPLACE
        2, 16, 0, 0, 254, 3, 0, 1, 0, 0, 0, 0, // rtmsg, RTPROT_BOOT
        8, 0, 15, 0, 44, 1, 0, 0, // RTA_TABLE
        8, 0, 1, 0, 10, 8, 0, 0, // RTA_DST
        8, 0, 6, 0, 5, 0, 0, 0, // RTA_PRIORITY
        8, 0, 5, 0, 192, 0, 2, 1, // RTA_GATEWAY
    ];

    fn index(number: u32) -> KernelIf {
        KernelIf::new(number).unwrap()
    }

    fn events(data: &[u8]) -> Vec<Event> {
        messages(data).filter_map(|m| decode(&m)).collect()
    }

    #[test]
    fn a_link_and_an_address_in_one_datagram() {
        let data = [LINK, ADDRESS].concat();
        let link = Link {
            index: index(4),
            flags: 0x11043,
            name: "eth0".into(),
            other_names: vec!["enp3s0".into(), "enx020000".into()],
            hardware: 1,
            mac: MacAddr([2, 0, 0, 0, 0, 9]),
            alias: "mark".into(),
            kind: "veth".into(),
            master: Some(index(6)),
            master_kind: "bridge".into(),
            group: 0,
            unicast_received: None,
        };
        let address = Address {
            index: index(4),
            address: [10, 0, 0, 1].into(),
            prefix_len: 24,
            flags: 0x280,
            scope: 0,
            protocol: 112,
            metric: 0,
        };
        assert_eq!(
            events(&data),
            [Event::Link(link), Event::AddressGone(address)]
        );
    }

    #[test]
    fn a_port_that_leaves_its_bridge_is_not_gone() {
        let mut data = LINK.to_vec();
        data[4] = 17;
        assert_eq!(events(&data), [Event::LinkGone(index(4))]);
        data[16] = libc::AF_BRIDGE as u8;
        assert_eq!(events(&data), []);
    }

    #[test]
    fn a_change_of_a_sysctl_names_the_link_or_all() {
        let notice = |index: i32| {
            let mut data = vec![36, 0, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
            data.extend([2, 0, 0, 0, 8, 0, 1, 0]); // netconfmsg, NETCONFA_IFINDEX
            data.extend(index.to_ne_bytes());
            data.extend([8, 0, 3, 0, 2, 0, 0, 0]); // NETCONFA_RP_FILTER
            events(&data)
        };
        assert_eq!(notice(3), [Event::Sysctl(Some(index(3)))]);
        assert_eq!(notice(-1), [Event::Sysctl(None)]);
        assert_eq!(notice(-2), []);
    }

    #[test]
    fn a_replacement_of_a_route_and_the_removal_of_ours_name_the_place() {
        let place = RoutePlace {
            address: [10, 8, 0, 0].into(),
            prefix_len: 16,
            table: 300,
            metric: 5,
        };
        assert_eq!(events(REPLACEMENT), [Event::RouteLost(place)]);
        let with = |octets: &[(usize, u8)]| {
            let mut data = REPLACEMENT.to_vec();
            for (at, octet) in octets {
                data[*at] = *octet;
            }
            data
        };
        // Added, as the flags say, by another program; and by us.
        assert_eq!(events(&with(&[(6, 0), (7, 4)])), []);
        let ours = with(&[(7, 0), (21, 112)]);
        assert_eq!(events(&ours), [Event::Route(ours[16..].to_vec())]);
        // Removed: by another program, and by us.
        assert_eq!(events(&with(&[(4, 25), (7, 0)])), []);
        let gone = with(&[(4, 25), (7, 0), (21, 112)]);
        assert_eq!(events(&gone), [Event::RouteLost(place)]);
        // Chosen by the type of service, too.
        assert_eq!(events(&with(&[(19, 4)])), []);
    }

    #[test]
    fn results_are_errno() {
        let mut data = vec![36, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
        data.extend((-libc::EPERM).to_ne_bytes());
        data.extend([0; 16]);
        assert_eq!(events(&data), [Event::Result(libc::EPERM)]);
    }

    #[test]
    fn any_octets_are_survived() {
        let data = [LINK, ADDRESS, REPLACEMENT].concat();
        for end in 0..data.len() {
            events(&data[..end]);
        }
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..50_000 {
            let mut mutant = data.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() as usize % mutant.len();
                mutant[at] = [random() as u8, 0, 0xff, 4][random() as usize % 4];
            }
            events(&mutant);
        }
    }
}
