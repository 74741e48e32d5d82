//! The sysctls that decide whether a virtual address can be reached, and the values that it needs.

use vrrp_core::Family;

use Sysctl::*;

/// A sysctl of an interface, `net.FAMILY.conf.INTERFACE.NAME`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sysctl {
    Forwarding,
    ProxyArp,
    AcceptRedirects,
    SecureRedirects,
    RpFilter,
    AcceptSourceRoute,
    LogMartians,
    ArpFilter,
    MediumId,
    DisableXfrm,
    DisablePolicy,
    ArpAnnounce,
    ArpIgnore,
    PromoteSecondaries,
    AcceptLocal,
    SrcValidMark,
    ProxyArpPvlan,
    RouteLocalnet,
    BcForwarding,
    Forwarding6,
    ForceForwarding6,
    AcceptRa6,
    AcceptRedirects6,
    AcceptSourceRoute6,
    NdiscNotify6,
    ProxyNdp6,
    DisableIpv6,
}

/// In the order of [`Sysctl`]: name and number. The number is that of `IPV4_DEVCONF_*` in
/// linux/ip.h, by which netlink sets it; 0: an IPv6 one, which can only be set below /proc/sys.
const NAMES: [(&str, u16); Sysctl::COUNT] = [
    ("forwarding", 1),
    ("proxy_arp", 3),
    ("accept_redirects", 4),
    ("secure_redirects", 5),
    ("rp_filter", 8),
    ("accept_source_route", 9),
    ("log_martians", 11),
    ("arp_filter", 13),
    ("medium_id", 14),
    ("disable_xfrm", 15),
    ("disable_policy", 16),
    ("arp_announce", 18),
    ("arp_ignore", 19),
    ("promote_secondaries", 20),
    ("accept_local", 23),
    ("src_valid_mark", 24),
    ("proxy_arp_pvlan", 25),
    ("route_localnet", 26),
    ("bc_forwarding", 32),
    ("forwarding", 0),
    ("force_forwarding", 0),
    ("accept_ra", 0),
    ("accept_redirects", 0),
    ("accept_source_route", 0),
    ("ndisc_notify", 0),
    ("proxy_ndp", 0),
    ("disable_ipv6", 0),
];

impl Sysctl {
    pub(crate) const COUNT: usize = DisableIpv6 as usize + 1;

    pub(crate) fn name(self) -> &'static str {
        NAMES[self as usize].0
    }

    /// The number by which netlink sets it. `None`: it cannot.
    pub(crate) fn number(self) -> Option<u16> {
        Some(NAMES[self as usize].1).filter(|number| *number != 0)
    }

    pub(crate) fn family(self) -> Family {
        match self.number() {
            Some(_) => Family::Ipv4,
            None => Family::Ipv6,
        }
    }

    /// The name of its directory below /proc/sys/net.
    pub(crate) fn directory(self) -> &'static str {
        match self.family() {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        }
    }

    /// As sysctl(8) names it: with slashes where the interface's name has a dot.
    pub(crate) fn path(self, device: &str) -> String {
        let path = format!("net/{}/conf/{device}/{}", self.directory(), self.name());
        match device.contains('.') {
            true => path,
            false => path.replace('/', "."),
        }
    }
}

/// The values of one interface, or of "all". `None`: not read, or this kernel does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Values([Option<i32>; Sysctl::COUNT]);

impl Values {
    pub(crate) const UNKNOWN: Self = Self([None; Sysctl::COUNT]);

    pub(crate) fn get(&self, sysctl: Sysctl) -> Option<i32> {
        self.0[sysctl as usize]
    }

    /// The value, or 0 where none is known, as the kernel takes it.
    fn or_zero(&self, sysctl: Sysctl) -> i32 {
        self.get(sysctl).unwrap_or_default()
    }

    pub(crate) fn set(&mut self, sysctl: Sysctl, value: Option<i32>) {
        self.0[sysctl as usize] = value;
    }
}

/// Read of "all" and of the interfaces below macvlans: the kernel takes the greater value of both, or
/// either. `forwarding` of IPv6 is that of "all".
pub(crate) const DECISIVE: [Sysctl; 5] = [ArpIgnore, ArpFilter, ArpAnnounce, RpFilter, Forwarding6];

/// Those of which a macvlan has what the interface below it has.
pub(crate) fn inherited() -> impl Iterator<Item = Sysctl> {
    let rules = MACVLAN.iter().filter(|rule| rule.1 == Wanted::Inherited);
    rules.map(|(sysctl, _)| *sysctl)
}

/// A sysctl of an interface of the host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnSegment {
    pub(crate) sysctl: Sysctl,
    /// The value that is set.
    pub(crate) value: i32,
    /// Values that are left as they are.
    pub(crate) good: &'static [i32],
    /// The harm that interfaces do with another value.
    pub(crate) harm: &'static str,
}

/// Set on each interface of the host that is on a segment of a virtual router, so that an address
/// on another interface is neither answered for nor announced with the MAC of this one.
pub(crate) const SEGMENT: [OnSegment; 2] = [
    OnSegment {
        sysctl: ArpIgnore,
        value: 1,
        good: &[1, 2, 8],
        harm: "answer ARP for virtual addresses with their own MAC",
    },
    OnSegment {
        sysctl: ArpAnnounce,
        value: 2,
        good: &[2],
        harm: "announce virtual addresses with their own MAC",
    },
];

/// Set on each other interface that answers ARP while an address of IPv4 is on the loopback, so that
/// this one is neither answered for nor announced there. Other addresses of this host, which have no
/// scope of the host alone, still are.
pub(crate) const ELSEWHERE: [OnSegment; 2] = [
    OnSegment {
        sysctl: ArpIgnore,
        value: 3,
        good: &[1, 2, 3, 8],
        harm: "answer ARP for silent addresses",
    },
    OnSegment {
        sysctl: ArpAnnounce,
        value: 2,
        good: &[2],
        harm: "announce silent addresses",
    },
];

/// The rules for an interface of the host, by where that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a segment of an IPv4 virtual router.
    Segment,
    /// On none, while an address of IPv4 is on the loopback.
    Elsewhere,
}

impl Place {
    pub(crate) fn rules(self) -> &'static [OnSegment; 2] {
        match self {
            Place::Segment => &SEGMENT,
            Place::Elsewhere => &ELSEWHERE,
        }
    }
}

/// Whether a sysctl of an interface of the host may be put back from `new` to `old`: we set it so, and
/// would have left another value alone.
pub(crate) fn is_undoable(name: &str, old: &str, new: &str) -> bool {
    let Ok(old) = old.parse::<i32>() else {
        return false;
    };
    let mut rules = SEGMENT.iter().chain(&ELSEWHERE);
    rules.any(|rule| {
        let same = rule.sysctl.name() == name && new == rule.value.to_string();
        same && old >= 0 && !rule.good.contains(&old)
    })
}

/// The source of the value that a macvlan needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Is(i32),
    /// That of the interface below: a packet is treated alike, whichever MAC it was sent to.
    Inherited,
    ArpIgnore,
    RpFilter,
    DisableIpv6,
}

/// Set on each macvlan.
pub(crate) const MACVLAN: &[(Sysctl, Wanted)] = &[
    (ArpIgnore, Wanted::ArpIgnore),
    (ArpAnnounce, Wanted::Is(2)),
    (ArpFilter, Wanted::Is(0)),
    (ProxyArp, Wanted::Is(0)),
    (ProxyArpPvlan, Wanted::Is(0)),
    // Where "all" has proxy_arp: no proxy for the neighbours, whom a macvlan reaches by its parent.
    (MediumId, Wanted::Is(-1)),
    // Of several addresses of one subnet the first would take the others with it when it goes.
    (PromoteSecondaries, Wanted::Is(1)),
    (RpFilter, Wanted::RpFilter),
    (Forwarding, Wanted::Inherited),
    (BcForwarding, Wanted::Inherited),
    (AcceptLocal, Wanted::Inherited),
    (SrcValidMark, Wanted::Inherited),
    (RouteLocalnet, Wanted::Inherited),
    (AcceptRedirects, Wanted::Inherited),
    (SecureRedirects, Wanted::Inherited),
    (AcceptSourceRoute, Wanted::Inherited),
    (LogMartians, Wanted::Inherited),
    (DisableXfrm, Wanted::Inherited),
    (DisablePolicy, Wanted::Inherited),
    (AcceptRa6, Wanted::Is(0)),
    (NdiscNotify6, Wanted::Is(0)),
    (ProxyNdp6, Wanted::Is(0)),
    (Forwarding6, Wanted::Inherited),
    (ForceForwarding6, Wanted::Inherited),
    (AcceptRedirects6, Wanted::Inherited),
    (AcceptSourceRoute6, Wanted::Inherited),
    (DisableIpv6, Wanted::DisableIpv6),
];

/// The sysctls that may be changed, as a manual page names them: those of a macvlan with `vr*` in place
/// of its name, those of an interface of the host with `IF`.
pub fn names() -> Vec<String> {
    let macvlan = MACVLAN.iter().map(|(sysctl, _)| (*sysctl, "vr*"));
    let segment = SEGMENT.iter().map(|rule| (rule.sysctl, "IF"));
    let all = macvlan.chain(segment);
    all.map(|(sysctl, device)| sysctl.path(device)).collect()
}

/// The number and value of a strict rp_filter, which makes a macvlan deaf to IPv4: no route leads out
/// by it.
pub(crate) const DEAF: (u16, i32) = (NAMES[RpFilter as usize].1, 1);

/// The facts that decide the values that a macvlan needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) all: &'a Values,
    pub(crate) parent: &'a Values,
    /// The family of its virtual router.
    pub(crate) family: Family,
    /// It is up for the virtual MAC, or about to be.
    pub(crate) on: bool,
}

impl Surroundings<'_> {
    /// The value that a macvlan needs. `None`: any will do for now.
    pub(crate) fn value(&self, sysctl: Sysctl, wanted: Wanted) -> Option<i32> {
        match wanted {
            // A macvlan of IPv4 has no IPv6 at all.
            Wanted::Is(_) | Wanted::Inherited if self.family < sysctl.family() => None,
            Wanted::Is(value) => Some(value),
            Wanted::Inherited => self.parent.get(sysctl),
            // One of IPv6 has it while it is on, and is silent about the groups that it leaves when
            // it has it no more.
            Wanted::DisableIpv6 => match self.family {
                Family::Ipv4 => Some(1),
                Family::Ipv6 => self.on.then_some(0),
            },
            // For its own addresses, or not at all, so that nobody is answered twice.
            Wanted::ArpIgnore => match answers_on_macvlan(self.all) {
                Answers::All => Some(1),
                _ => Some(8),
            },
            // The way back to the source leads by the parent, so that strict would let in nothing,
            // and the kernel takes the greater value of this one and that of "all".
            Wanted::RpFilter => self.on.then(|| {
                let filtered = [self.all, self.parent]
                    .iter()
                    .any(|v| v.or_zero(RpFilter) != 0);
                if filtered { 2 } else { 0 }
            }),
        }
    }
}

/// The neighbours whose ARP requests for an address of an interface the kernel answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    All,
    /// Those of the subnet of an address, or those that the way back to leads by the interface.
    Some,
    None,
}

/// Where "all" and an interface of the host have these values.
pub(crate) fn answers_on_device(all: &Values, device: &Values) -> Answers {
    let values = [all, device];
    let filtered = values.iter().any(|values| values.or_zero(ArpFilter) != 0);
    match greatest(ArpIgnore, &values) {
        8 => Answers::None,
        2 => Answers::Some,
        _ if filtered => Answers::Some,
        _ => Answers::All,
    }
}

/// On a macvlan, to no neighbour of which the way back leads by it, where "all" has these values. Of
/// what answers to some we make none.
pub(crate) fn answers_on_macvlan(all: &Values) -> Answers {
    let filtered = all.or_zero(ArpFilter) != 0;
    match greatest(ArpIgnore, &[all]) {
        0 | 1 if !filtered => Answers::All,
        _ => Answers::None,
    }
}

/// The value in force where the kernel takes the greater one of "all" and of the interface.
pub(crate) fn greatest(sysctl: Sysctl, values: &[&Values]) -> i32 {
    let values = values.iter().map(|values| values.or_zero(sysctl));
    values.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(set: &[(Sysctl, i32)]) -> Values {
        let mut values = Values::UNKNOWN;
        for (sysctl, value) in set {
            values.set(*sysctl, Some(*value));
        }
        values
    }

    fn wanted(all: &[(Sysctl, i32)], parent: &[(Sysctl, i32)], on: bool) -> Values {
        let (all, parent) = (values(all), values(parent));
        let mut found = Values::UNKNOWN;
        let around = Surroundings {
            all: &all,
            parent: &parent,
            family: Family::Ipv6,
            on,
        };
        for (sysctl, wanted) in MACVLAN {
            found.set(*sysctl, around.value(*sysctl, *wanted));
        }
        found
    }

    #[test]
    fn the_names_are_in_the_order_of_the_sysctls() {
        for (sysctl, name) in [
            (Forwarding, "net.ipv4.conf.eth0.forwarding"),
            (MediumId, "net.ipv4.conf.eth0.medium_id"),
            (BcForwarding, "net.ipv4.conf.eth0.bc_forwarding"),
            (Forwarding6, "net.ipv6.conf.eth0.forwarding"),
            (DisableIpv6, "net.ipv6.conf.eth0.disable_ipv6"),
        ] {
            assert_eq!(sysctl.path("eth0"), name);
        }
        assert_eq!(
            ArpIgnore.path("vr4.2.7"),
            "net/ipv4/conf/vr4.2.7/arp_ignore"
        );
    }

    #[test]
    fn a_filter_above_is_loose_on_a_macvlan_and_none_is_none() {
        for (all, parent, filter) in [(0, 0, 0), (0, 1, 2), (0, 2, 2), (1, 0, 2), (2, 0, 2)] {
            let wanted = wanted(&[(RpFilter, all)], &[(RpFilter, parent)], true);
            assert_eq!(
                wanted.get(RpFilter),
                Some(filter),
                "all {all}, parent {parent}"
            );
        }
        // The code that makes it deaf decides that.
        assert_eq!(wanted(&[], &[], false).get(RpFilter), None);
    }

    #[test]
    fn a_macvlan_forwards_as_its_parent_does() {
        for on in [0, 1] {
            let wanted = wanted(&[], &[(Forwarding, on), (Forwarding6, 1 - on)], true);
            assert_eq!(wanted.get(Forwarding), Some(on));
            assert_eq!(wanted.get(Forwarding6), Some(1 - on));
            assert_eq!(wanted.get(ForceForwarding6), None, "unknown to this kernel");
        }
    }

    #[test]
    fn one_alone_answers_arp() {
        for (ignore, filter, by_kernel) in [
            (0, 0, true),
            (1, 0, true),
            (2, 0, false),
            (8, 0, false),
            (0, 1, false),
        ] {
            let all = [(ArpIgnore, ignore), (ArpFilter, filter)];
            let macvlan = answers_on_macvlan(&values(&all));
            assert_eq!(macvlan == Answers::All, by_kernel, "{all:?}");
            let ignored = wanted(&all, &[], true).get(ArpIgnore);
            assert_eq!(ignored, Some(if by_kernel { 1 } else { 8 }), "{all:?}");
            for (all, device) in [(&[][..], &all[..]), (&all, &[])] {
                let device = answers_on_device(&values(all), &values(device));
                assert_eq!(device == Answers::All, by_kernel);
                assert_eq!(device == Answers::None, ignore == 8);
            }
        }
    }
}
