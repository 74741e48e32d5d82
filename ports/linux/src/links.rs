//! The links of this network namespace and their addresses, as far as they are known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_core::InterfaceState;
use vrrp_host::{OwnAddress, OwnInterface};
use vrrp_port_kit::KernelIf;

use crate::fitness;
use crate::netlink::{Address, Event, Link, OUR_PROTOCOL};

const IFF_UP: u32 = libc::IFF_UP as u32;
const IFF_LOOPBACK: u32 = libc::IFF_LOOPBACK as u32;
const IFF_NOARP: u32 = libc::IFF_NOARP as u32;
const IFF_LOWER_UP: u32 = 1 << 16;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;

/// The links by number, each with its addresses in the kernel's order.
#[derive(Debug, Default)]
pub(crate) struct Links(HashMap<KernelIf, Entry>);

#[derive(Debug)]
struct Entry {
    link: Link,
    addresses: Addresses,
}

/// The addresses of a link in the kernel's order. There may be thousands.
#[derive(Debug, Default)]
struct Addresses {
    by_age: BTreeMap<u64, Address>,
    /// IPv4 may have one address with two prefixes.
    ages: BTreeMap<(IpAddr, u8), u64>,
    /// Those that do not bear our mark: the few among many.
    unmarked: BTreeSet<u64>,
    next: u64,
}

impl Addresses {
    /// Adds an address, or takes in what has changed about it.
    fn set(&mut self, address: Address) {
        let age = self.ages.entry((address.address, address.prefix_len));
        let age = *age.or_insert_with(|| {
            self.next += 1;
            self.next
        });
        if address.protocol == OUR_PROTOCOL {
            self.unmarked.remove(&age);
        } else {
            self.unmarked.insert(age);
        }
        self.by_age.insert(age, address);
    }

    fn remove(&mut self, address: &Address) {
        if let Some(age) = self.ages.remove(&(address.address, address.prefix_len)) {
            self.unmarked.remove(&age);
            self.by_age.remove(&age);
        }
    }

    /// An address with each prefix that it has.
    fn same(&self, address: IpAddr) -> impl Iterator<Item = &Address> {
        let ages = self.ages.range((address, 0)..=(address, u8::MAX));
        ages.filter_map(|(_, age)| self.by_age.get(age))
    }

    fn unmarked(&self) -> impl Iterator<Item = &Address> {
        self.unmarked.iter().filter_map(|age| self.by_age.get(age))
    }

    fn iter(&self) -> impl Iterator<Item = &Address> {
        self.by_age.values()
    }
}

impl Links {
    /// Takes in what the kernel said.
    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Link(link) => {
                let entry = self.0.entry(link.index).or_insert_with(|| Entry {
                    link: Link::new(link.index),
                    addresses: Addresses::default(),
                });
                entry.link = link;
            }
            Event::LinkGone(index) => {
                self.0.remove(&index);
            }
            Event::Address(address) => {
                // The address of a link that is gone already is of no use.
                if let Some(entry) = self.0.get_mut(&address.index) {
                    entry.addresses.set(address);
                }
            }
            Event::AddressGone(address) => {
                if let Some(entry) = self.0.get_mut(&address.index) {
                    entry.addresses.remove(&address);
                }
            }
            Event::Route(_)
            | Event::Rule(_)
            | Event::RouteLost(_)
            | Event::Sysctl(_)
            | Event::Done
            | Event::Result(_) => {}
        }
    }

    pub(crate) fn get(&self, index: KernelIf) -> Option<&Link> {
        self.0.get(&index).map(|entry| &entry.link)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.0.values().map(|entry| &entry.link)
    }

    /// Every address of every link.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.0.values().flat_map(|entry| entry.addresses.iter())
    }

    /// An address of a link with each prefix that it has.
    pub(crate) fn same_addresses(
        &self,
        index: KernelIf,
        address: IpAddr,
    ) -> impl Iterator<Item = &Address> {
        let entry = self.0.get(&index).into_iter();
        entry.flat_map(move |entry| entry.addresses.same(address))
    }

    /// The addresses of a link that do not bear our mark: where the kernel keeps none, all.
    pub(crate) fn unmarked_addresses(&self, index: KernelIf) -> impl Iterator<Item = &Address> {
        let entry = self.0.get(&index).into_iter();
        entry.flat_map(|entry| entry.addresses.unmarked())
    }

    /// The number of the link called `name`, which may be any name that the kernel takes for it.
    pub(crate) fn find(&self, name: &str) -> Option<KernelIf> {
        let entry = self.0.values().find(|entry| entry.link.is_called(name))?;
        Some(entry.link.index)
    }

    /// Whether a link has an address, whatever its prefix.
    pub(crate) fn has_address(&self, index: KernelIf, address: IpAddr) -> bool {
        self.address(index, address).is_some()
    }

    /// An address of a link, whatever its prefix.
    pub(crate) fn address(&self, index: KernelIf, address: IpAddr) -> Option<&Address> {
        self.0.get(&index)?.addresses.same(address).next()
    }

    /// Judges whether virtual routers can be on a link.
    ///
    /// # Errors
    /// See [`fitness::judge`].
    pub(crate) fn judge(&self, link: &Link) -> Result<(), String> {
        let master = link.master.and_then(|master| self.get(master));
        fitness::judge(link, master)
    }

    /// The loopback, which every network namespace has.
    pub(crate) fn loopback(&self) -> Option<&Link> {
        self.iter().find(|link| link.flags & IFF_LOOPBACK != 0)
    }

    /// The links by which others can ask over ARP for addresses of this host: ports of a bridge or a
    /// bond are not.
    pub(crate) fn answering(&self) -> impl Iterator<Item = &Link> {
        let links = self.iter();
        links.filter(|link| link.flags & (IFF_LOOPBACK | IFF_NOARP) == 0 && link.master.is_none())
    }

    /// Whether the link is the loopback.
    pub(crate) fn is_loopback(&self, index: KernelIf) -> bool {
        let link = self.get(index);
        link.is_some_and(|link| link.flags & IFF_LOOPBACK != 0)
    }

    /// Whether the link is up and has a carrier.
    pub(crate) fn is_connected(&self, index: KernelIf) -> bool {
        let link = self.get(index);
        link.is_some_and(|link| link.flags & IFF_UP != 0 && link.flags & IFF_LOWER_UP != 0)
    }

    /// Whether the link is administratively up.
    pub(crate) fn is_up(&self, index: KernelIf) -> bool {
        self.get(index).is_some_and(|link| link.flags & IFF_UP != 0)
    }

    /// The state of a link for the engine, `ours` telling the virtual addresses that we
    /// installed, which are no sources of advertisements.
    pub(crate) fn state(&self, index: KernelIf, ours: impl Fn(&Address) -> bool) -> InterfaceState {
        let Some(Entry { link, addresses }) = self.0.get(&index) else {
            return InterfaceState::default();
        };
        let (ipv4, ipv6) = sources(addresses, ours);
        InterfaceState {
            up: link.flags & IFF_UP != 0 && link.flags & IFF_LOWER_UP != 0,
            mac: link.mac,
            ipv4,
            ipv6,
        }
    }

    /// The links by number with their addresses, without those that are `ours`.
    pub(crate) fn facts(&self, ours: impl Fn(&Address) -> bool) -> Vec<OwnInterface> {
        let mut entries: Vec<&Entry> = self.0.values().collect();
        entries.sort_by_key(|entry| entry.link.index);
        let facts = entries.into_iter().map(|Entry { link, addresses }| {
            let (ipv4, ipv6) = sources(addresses, &ours);
            let sources = [ipv4.map(IpAddr::V4), ipv6.map(IpAddr::V6)];
            let own = addresses.unmarked().filter(|a| !ours(a));
            OwnInterface {
                name: link.name.clone(),
                other_names: link.other_names.clone(),
                unfit: self.judge(link).err(),
                addresses: own
                    .map(|a| OwnAddress {
                        address: a.address,
                        prefix_len: a.prefix_len,
                        advertises: sources.contains(&Some(a.address)),
                        duplicate: a.is_duplicate(),
                    })
                    .collect(),
            }
        });
        facts.collect()
    }

    /// The links, loopback left out, that have an IPv4 address in whose subnet one of `addresses`
    /// lies: they may be on one segment with it. `addresses` are sorted. Links that are
    /// `known` without looking are left out.
    pub(crate) fn beside(
        &self,
        addresses: &[Ipv4Addr],
        known: impl Fn(KernelIf) -> bool,
    ) -> impl Iterator<Item = &Link> {
        let near = |a: &Address| match a.address {
            // Without a prefix every address would be near.
            IpAddr::V4(ip) if (1..=32).contains(&a.prefix_len) => {
                let hosts = u32::MAX.checked_shr(a.prefix_len.into()).unwrap_or(0);
                let (first, last) = (ip.to_bits() & !hosts, ip.to_bits() | hosts);
                let at = addresses.partition_point(|address| address.to_bits() < first);
                addresses.get(at).is_some_and(|next| next.to_bits() <= last)
            }
            _ => false,
        };
        self.0
            .values()
            .filter(|entry| entry.link.flags & IFF_LOOPBACK == 0)
            .filter(move |entry| !known(entry.link.index))
            .filter(move |entry| entry.addresses.iter().any(near))
            .map(|entry| &entry.link)
    }
}

/// The addresses that advertisements are sent from, `ours` left out. Of IPv4 it is the first that is not
/// secondary, and one of link scope only if there is no other. Of IPv6 it is the first link-local one
/// that duplicate address detection (RFC 4862 section 5.4) has let pass.
fn sources(
    addresses: &Addresses,
    ours: impl Fn(&Address) -> bool,
) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
    let own = || addresses.unmarked().filter(|a| !ours(a));
    let ipv4 = |scope| {
        own().find_map(|a| match a.address {
            IpAddr::V4(ip) if a.scope == scope && !a.is_secondary() => Some(ip),
            _ => None,
        })
    };
    let ipv6 = own().find_map(|a| match a.address {
        IpAddr::V6(ip)
            if ip.is_unicast_link_local() && a.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) == 0 =>
        {
            Some(ip)
        }
        _ => None,
    });
    (
        ipv4(RT_SCOPE_UNIVERSE).or_else(|| ipv4(RT_SCOPE_LINK)),
        ipv6,
    )
}

impl Address {
    /// Whether duplicate address detection has found it at another host.
    pub(crate) fn is_duplicate(&self) -> bool {
        self.flags & IFA_F_DADFAILED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_core::MacAddr;

    fn index(number: u32) -> KernelIf {
        KernelIf::new(number).unwrap()
    }

    fn link(number: u32, name: &str, flags: u32) -> Event {
        Event::Link(Link {
            flags,
            name: name.into(),
            mac: MacAddr([2, 0, 0, 0, 0, number as u8]),
            ..Link::new(index(number))
        })
    }

    fn address(address: &str, flags: u32, scope: u8, protocol: u8) -> Address {
        Address {
            index: index(2),
            address: address.parse().unwrap(),
            prefix_len: 24,
            flags,
            scope,
            protocol,
            metric: 0,
        }
    }

    fn ours(a: &Address) -> bool {
        a.protocol == 112
    }

    #[test]
    fn the_source_is_the_first_address_that_will_do() {
        let mut links = Links::default();
        links.apply(link(2, "eth0", IFF_UP | IFF_LOWER_UP));
        for a in [
            address("169.254.1.1", 0, 253, 0),
            address("10.0.0.100", 0, 0, 112),
            address("10.0.0.3", 0x01, 0, 0),
            address("10.0.0.2", 0, 0, 0),
            address("10.0.1.2", 0, 0, 0),
            address("fe80::9", 0, 253, 112),
            address("fe80::1", IFA_F_TENTATIVE, 253, 0),
            address("fe80::2", 0, 253, 0),
        ] {
            links.apply(Event::Address(a));
        }
        let state = links.state(index(2), ours);
        assert!(state.up);
        assert_eq!(state.mac, MacAddr([2, 0, 0, 0, 0, 2]));
        assert_eq!(state.ipv4, Some([10, 0, 0, 2].into()));
        assert_eq!(state.ipv6, Some("fe80::2".parse().unwrap()));
        links.apply(Event::AddressGone(address("10.0.0.2", 0, 0, 0)));
        assert_eq!(links.state(index(2), ours).ipv4, Some([10, 0, 1, 2].into()));
        links.apply(Event::AddressGone(address("10.0.1.2", 0, 0, 0)));
        links.apply(Event::AddressGone(address("10.0.0.3", 0, 0, 0)));
        assert_eq!(
            links.state(index(2), ours).ipv4,
            Some([169, 254, 1, 1].into())
        );
        // The end of duplicate address detection.
        links.apply(Event::Address(address("fe80::1", 0, 253, 0)));
        assert_eq!(
            links.state(index(2), ours).ipv6,
            Some("fe80::1".parse().unwrap())
        );
    }

    #[test]
    fn up_needs_a_carrier() {
        let mut links = Links::default();
        for (flags, up) in [(0, false), (IFF_UP, false), (IFF_LOWER_UP, false)] {
            links.apply(link(2, "eth0", flags));
            assert_eq!(links.state(index(2), ours).up, up);
        }
        links.apply(Event::LinkGone(index(2)));
        assert_eq!(links.state(index(2), ours), InterfaceState::default());
        assert_eq!(links.find("eth0"), None);
    }

    #[test]
    fn a_renamed_link_is_found_by_its_new_name() {
        let mut links = Links::default();
        links.apply(link(2, "eth0", 0));
        links.apply(link(2, "lan", 0));
        assert_eq!(
            (links.find("eth0"), links.find("lan")),
            (None, Some(index(2)))
        );
    }

    #[test]
    fn beside_are_links_of_the_same_subnet() {
        let mut links = Links::default();
        links.apply(link(1, "lo", IFF_LOOPBACK));
        links.apply(link(2, "eth0", 0));
        links.apply(Event::Address(address("10.0.0.2", 0, 0, 0)));
        let names = |ips: &[[u8; 4]]| -> Vec<String> {
            let ips: Vec<_> = ips.iter().map(|ip| Ipv4Addr::from(*ip)).collect();
            let links = links.beside(&ips, |_| false);
            links.map(|link| link.name.clone()).collect()
        };
        assert_eq!(names(&[[10, 0, 0, 100]]), ["eth0"]);
        assert!(names(&[[10, 0, 1, 100]]).is_empty());
        assert!(names(&[[9, 255, 255, 255], [10, 0, 1, 0]]).is_empty());
        for inside in [[10, 0, 0, 0], [10, 0, 0, 255]] {
            assert_eq!(names(&[[9, 0, 0, 1], inside, [11, 0, 0, 1]]), ["eth0"]);
        }
        let known = [Ipv4Addr::new(10, 0, 0, 100)];
        assert_eq!(links.beside(&known, |i| i == index(2)).count(), 0);
    }

    #[test]
    fn addresses_keep_the_order_of_the_kernel_and_are_told_apart_by_their_prefix() {
        let mut links = Links::default();
        links.apply(link(2, "eth0", IFF_UP | IFF_LOWER_UP));
        let first = address("10.0.0.3", 0, 0, 0);
        let wide = Address {
            prefix_len: 8,
            ..first
        };
        for a in [first, address("10.0.0.2", 0, 0, 0), wide] {
            links.apply(Event::Address(a));
        }
        let source = |links: &Links| links.state(index(2), ours).ipv4;
        assert_eq!(source(&links), Some([10, 0, 0, 3].into()));
        // Heard again it keeps its place.
        links.apply(Event::Address(first));
        assert_eq!(source(&links), Some([10, 0, 0, 3].into()));
        links.apply(Event::AddressGone(first));
        assert_eq!(source(&links), Some([10, 0, 0, 2].into()));
        assert!(links.has_address(index(2), [10, 0, 0, 3].into()));
        links.apply(Event::AddressGone(wide));
        assert!(!links.has_address(index(2), [10, 0, 0, 3].into()));
        links.apply(Event::AddressGone(wide));
        assert_eq!(source(&links), Some([10, 0, 0, 2].into()));
    }
}
