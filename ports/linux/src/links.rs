//! What is known of the links of this network namespace and their addresses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_core::InterfaceState;
use vrrp_host::{OwnAddress, OwnInterface};

use crate::fitness;
use crate::netlink::{Address, Event, Link};

const IFF_UP: u32 = libc::IFF_UP as u32;
const IFF_LOOPBACK: u32 = libc::IFF_LOOPBACK as u32;
const IFF_LOWER_UP: u32 = 1 << 16;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_TENTATIVE: u32 = 0x40;
const RT_SCOPE_UNIVERSE: u8 = 0;
const RT_SCOPE_LINK: u8 = 253;

/// The links by number, each with its addresses in the kernel's order.
#[derive(Debug, Default)]
pub(crate) struct Links(HashMap<u32, Entry>);

#[derive(Debug, Default)]
struct Entry {
    link: Link,
    addresses: Vec<Address>,
}

impl Links {
    /// Takes in what the kernel said.
    pub(crate) fn apply(&mut self, event: Event) {
        match event {
            Event::Link(link) => {
                let entry = self.0.entry(link.index).or_default();
                entry.link = link;
            }
            Event::LinkGone(index) => {
                self.0.remove(&index);
            }
            Event::Address(address) => {
                // The address of a link that is gone already is of no use.
                if let Some(entry) = self.0.get_mut(&address.index) {
                    match entry.addresses.iter_mut().find(|a| same(a, &address)) {
                        Some(known) => *known = address,
                        None => entry.addresses.push(address),
                    }
                }
            }
            Event::AddressGone(address) => {
                if let Some(entry) = self.0.get_mut(&address.index) {
                    entry.addresses.retain(|a| !same(a, &address));
                }
            }
            Event::Route(_) | Event::Sysctl(_) | Event::Done | Event::Result(_) => {}
        }
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Link> {
        self.0.get(&index).map(|entry| &entry.link)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Link> {
        self.0.values().map(|entry| &entry.link)
    }

    /// Every address of every link.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &Address> {
        self.0.values().flat_map(|entry| &entry.addresses)
    }

    /// The addresses of a link.
    pub(crate) fn addresses_of(&self, index: u32) -> impl Iterator<Item = &Address> {
        let entry = self.0.get(&index).into_iter();
        entry.flat_map(|entry| &entry.addresses)
    }

    /// The number of the link called `name`, which may be any name that the kernel takes for it.
    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        let entry = self.0.values().find(|entry| entry.link.is_called(name))?;
        Some(entry.link.index)
    }

    /// Whether a link has an address, whatever its prefix.
    pub(crate) fn has_address(&self, index: u32, address: IpAddr) -> bool {
        self.address(index, address).is_some()
    }

    /// An address of a link, whatever its prefix.
    pub(crate) fn address(&self, index: u32, address: IpAddr) -> Option<&Address> {
        let entry = self.0.get(&index)?;
        entry.addresses.iter().find(|a| a.address == address)
    }

    /// Whether the link is administratively up.
    pub(crate) fn is_up(&self, index: u32) -> bool {
        self.get(index).is_some_and(|link| link.flags & IFF_UP != 0)
    }

    /// What the engine wants to know of a link, `ours` telling the virtual addresses that we
    /// installed, which are no sources of advertisements.
    pub(crate) fn state(&self, index: u32, ours: impl Fn(&Address) -> bool) -> InterfaceState {
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
            let own = addresses.iter().filter(|a| !ours(a));
            OwnInterface {
                name: link.name.clone(),
                other_names: link.other_names.clone(),
                unfit: fitness::judge(self, link).err(),
                addresses: own
                    .map(|a| OwnAddress {
                        address: a.address,
                        prefix_len: a.prefix_len,
                        advertises: sources.contains(&Some(a.address)),
                        duplicate: a.flags & IFA_F_DADFAILED != 0,
                    })
                    .collect(),
            }
        });
        facts.collect()
    }

    /// The links, loopback left out, that have an IPv4 address in whose subnet `address` lies:
    /// they may be on one segment with it.
    pub(crate) fn beside(&self, address: Ipv4Addr) -> impl Iterator<Item = &Link> {
        let near = move |a: &Address| match a.address {
            IpAddr::V4(ip) => {
                // Without a prefix every address would be near.
                let shift = 32 - u32::from(a.prefix_len.min(32));
                shift < 32 && (ip.to_bits() ^ address.to_bits()) >> shift == 0
            }
            IpAddr::V6(_) => false,
        };
        self.0
            .values()
            .filter(|entry| entry.link.flags & IFF_LOOPBACK == 0)
            .filter(move |entry| entry.addresses.iter().any(near))
            .map(|entry| &entry.link)
    }
}

/// The addresses that advertisements are sent from, `ours` left out: of IPv4 the first that is not
/// secondary, one of link scope only if there is no other; of IPv6 the first of the link.
fn sources(
    addresses: &[Address],
    ours: impl Fn(&Address) -> bool,
) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
    let own = || addresses.iter().filter(|a| !ours(a));
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

fn same(a: &Address, b: &Address) -> bool {
    // IPv4 may have one address with two prefixes.
    a.address == b.address && a.prefix_len == b.prefix_len
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_core::MacAddr;

    fn link(index: u32, name: &str, flags: u32) -> Event {
        Event::Link(Link {
            index,
            flags,
            name: name.into(),
            mac: MacAddr([2, 0, 0, 0, 0, index as u8]),
            ..Link::default()
        })
    }

    fn address(address: &str, flags: u32, scope: u8, protocol: u8) -> Address {
        Address {
            index: 2,
            address: address.parse().unwrap(),
            prefix_len: 24,
            flags,
            scope,
            protocol,
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
        let state = links.state(2, ours);
        assert!(state.up);
        assert_eq!(state.mac, MacAddr([2, 0, 0, 0, 0, 2]));
        assert_eq!(state.ipv4, Some([10, 0, 0, 2].into()));
        assert_eq!(state.ipv6, Some("fe80::2".parse().unwrap()));
        links.apply(Event::AddressGone(address("10.0.0.2", 0, 0, 0)));
        assert_eq!(links.state(2, ours).ipv4, Some([10, 0, 1, 2].into()));
        links.apply(Event::AddressGone(address("10.0.1.2", 0, 0, 0)));
        links.apply(Event::AddressGone(address("10.0.0.3", 0, 0, 0)));
        assert_eq!(links.state(2, ours).ipv4, Some([169, 254, 1, 1].into()));
        // The end of duplicate address detection.
        links.apply(Event::Address(address("fe80::1", 0, 253, 0)));
        assert_eq!(links.state(2, ours).ipv6, Some("fe80::1".parse().unwrap()));
    }

    #[test]
    fn up_needs_a_carrier() {
        let mut links = Links::default();
        for (flags, up) in [(0, false), (IFF_UP, false), (IFF_LOWER_UP, false)] {
            links.apply(link(2, "eth0", flags));
            assert_eq!(links.state(2, ours).up, up);
        }
        links.apply(Event::LinkGone(2));
        assert_eq!(links.state(2, ours), InterfaceState::default());
        assert_eq!(links.find("eth0"), None);
    }

    #[test]
    fn a_renamed_link_is_found_by_its_new_name() {
        let mut links = Links::default();
        links.apply(link(2, "eth0", 0));
        links.apply(link(2, "lan", 0));
        assert_eq!((links.find("eth0"), links.find("lan")), (None, Some(2)));
    }

    #[test]
    fn beside_are_links_of_the_same_subnet() {
        let mut links = Links::default();
        links.apply(link(1, "lo", IFF_LOOPBACK));
        links.apply(link(2, "eth0", 0));
        links.apply(Event::Address(address("10.0.0.2", 0, 0, 0)));
        let names = |ip: [u8; 4]| -> Vec<String> {
            let links = links.beside(ip.into());
            links.map(|link| link.name.clone()).collect()
        };
        assert_eq!(names([10, 0, 0, 100]), ["eth0"]);
        assert!(names([10, 0, 1, 100]).is_empty());
    }
}
