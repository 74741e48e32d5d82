//! The interfaces of this network stack and their addresses, as far as they are known.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_core::{InterfaceState, MacAddr};
use vrrp_host::{OwnAddress, OwnInterface};
use vrrp_port_kit::KernelIf;

use crate::abi::*;
use crate::request;
use crate::route::{Address, Item, Link};

/// The reason why an interface without a MAC can have no virtual routers.
const NO_ETHERNET: &str = "it has no Ethernet, which VRRP needs: name the interface of a network \
                           card, a VLAN, a bridge or a lagg";

/// The interfaces by number, each with its addresses in the kernel's order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Links {
    entries: BTreeMap<KernelIf, Entry>,
    /// IPv6 addresses that cannot be used yet, or ever: tentative or duplicated.
    unready: HashSet<(KernelIf, Ipv6Addr)>,
}

#[derive(Clone, Debug)]
struct Entry {
    link: Link,
    /// Where the driver does not report the state of the link: whether the medium is there.
    medium: Option<bool>,
    addresses: Vec<Address>,
}

impl Links {
    /// Takes in a whole list.
    pub(crate) fn new(items: impl IntoIterator<Item = Item>) -> Self {
        let mut links = Self::default();
        for item in items {
            match item {
                Item::Link(link) => {
                    let entry = links.entries.entry(link.index);
                    let entry = entry.or_insert_with(|| Entry {
                        link: Link::new(link.index),
                        medium: None,
                        addresses: Vec::new(),
                    });
                    entry.link = link;
                }
                Item::Address(address) => {
                    if let Some(entry) = links.entries.get_mut(&address.index) {
                        entry.addresses.push(address);
                    }
                }
            }
        }
        links
    }

    /// Interfaces whose medium has to be asked for.
    pub(crate) fn silent_about_carrier(&self) -> Vec<(KernelIf, String)> {
        self.entries
            .values()
            .filter(|entry| entry.link.link_state == LINK_STATE_UNKNOWN)
            .map(|entry| (entry.link.index, entry.link.name.clone()))
            .collect()
    }

    pub(crate) fn set_medium(&mut self, index: KernelIf, active: Option<bool>) {
        if let Some(entry) = self.entries.get_mut(&index) {
            entry.medium = active;
        }
    }

    /// The link-local addresses of an interface, whose flags have to be asked for.
    pub(crate) fn link_locals(&self, index: KernelIf) -> Vec<Ipv6Addr> {
        let addresses = self.entries.get(&index).map(|e| e.addresses.as_slice());
        let addresses = addresses.unwrap_or_default().iter();
        addresses
            .filter_map(|a| match a.address {
                IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(ip),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn set_unready(&mut self, index: KernelIf, address: Ipv6Addr) {
        self.unready.insert((index, address));
    }

    pub(crate) fn get(&self, index: KernelIf) -> Option<&Link> {
        self.entries.get(&index).map(|entry| &entry.link)
    }

    /// The number of the interface called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<KernelIf> {
        let entry = self.entries.values().find(|e| e.link.name == name)?;
        Some(entry.link.index)
    }

    /// The first loopback, `lo0`.
    pub(crate) fn loopback(&self) -> Option<&Link> {
        let mut links = self.entries.values().map(|entry| &entry.link);
        links.find(|link| link.flags & IFF_LOOPBACK != 0)
    }

    /// Whether the interface is the loopback that [`loopback`](Self::loopback) gives.
    pub(crate) fn is_loopback(&self, index: KernelIf) -> bool {
        self.loopback().is_some_and(|link| link.index == index)
    }

    /// An address of an interface, whatever its prefix.
    pub(crate) fn address(&self, index: KernelIf, address: IpAddr) -> Option<&Address> {
        let entry = self.entries.get(&index)?;
        entry.addresses.iter().find(|a| a.address == address)
    }

    /// Notes an address that we have added: the kernel's notice of it is read later.
    pub(crate) fn added(&mut self, index: KernelIf, address: IpAddr) {
        if self.address(index, address).is_some() {
            return;
        }
        if let Some(entry) = self.entries.get_mut(&index) {
            entry.addresses.push(Address {
                index,
                address,
                prefix_len: request::prefix_len(address),
                vhid: 0,
            });
        }
    }

    /// Notes that an address is gone that we have removed: the kernel's notice of it is read later.
    pub(crate) fn removed(&mut self, index: KernelIf, address: IpAddr) {
        if let Some(entry) = self.entries.get_mut(&index) {
            entry.addresses.retain(|a| a.address != address);
        }
    }

    /// Whether an interface has a virtual host of carp(4) of this number.
    pub(crate) fn has_vhid(&self, index: KernelIf, vhid: u8) -> bool {
        let entry = self.entries.get(&index);
        entry.is_some_and(|entry| entry.addresses.iter().any(|a| a.vhid == vhid))
    }

    /// Every interface and its addresses.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Link, &[Address])> {
        let entries = self.entries.values();
        entries.map(|entry| (&entry.link, entry.addresses.as_slice()))
    }

    /// The MACs of the interfaces that `which` picks.
    pub(crate) fn macs(&self, which: impl Fn(KernelIf) -> bool) -> BTreeSet<MacAddr> {
        let links = self.entries.values().map(|entry| &entry.link);
        let macs = links.filter(|link| which(link.index)).map(|link| link.mac);
        macs.filter(|mac| *mac != MacAddr([0; 6])).collect()
    }

    /// Whether the interface is administratively up.
    pub(crate) fn is_up(&self, index: KernelIf) -> bool {
        self.get(index).is_some_and(|link| link.flags & IFF_UP != 0)
    }

    /// The state of an interface for the engine, `ours` telling the virtual addresses that we
    /// installed, which are no sources of advertisements. Nor are those of carp(4), which move.
    pub(crate) fn state(&self, index: KernelIf, ours: impl Fn(&Address) -> bool) -> InterfaceState {
        let Some(entry) = self.entries.get(&index) else {
            return InterfaceState::default();
        };
        let (ipv4, ipv6) = self.sources(entry, ours);
        let ready = IFF_UP | IFF_DRV_RUNNING;
        let carrier = match entry.link.link_state {
            LINK_STATE_UP => true,
            LINK_STATE_DOWN => false,
            _ => entry.medium.unwrap_or(true),
        };
        InterfaceState {
            up: entry.link.flags & ready == ready && carrier,
            mac: entry.link.mac,
            ipv4,
            ipv6,
        }
    }

    /// The addresses that advertisements are sent from: the first of IPv4, and the first of IPv6 that
    /// is of the link and can be used.
    fn sources(
        &self,
        entry: &Entry,
        ours: impl Fn(&Address) -> bool,
    ) -> (Option<Ipv4Addr>, Option<Ipv6Addr>) {
        let index = entry.link.index;
        let own = || entry.addresses.iter().filter(|a| a.vhid == 0 && !ours(a));
        let ipv4 = own().find_map(|a| match a.address {
            IpAddr::V4(ip) if !ip.is_unspecified() => Some(ip),
            _ => None,
        });
        let ipv6 = own().find_map(|a| match a.address {
            IpAddr::V6(ip)
                if ip.is_unicast_link_local() && !self.unready.contains(&(index, ip)) =>
            {
                Some(ip)
            }
            _ => None,
        });
        (ipv4, ipv6)
    }

    /// The interfaces by number with their addresses, without those that are `ours`.
    pub(crate) fn facts(&self, ours: impl Fn(&Address) -> bool) -> Vec<OwnInterface> {
        let facts = self.entries.values().map(|entry| {
            let (ipv4, ipv6) = self.sources(entry, &ours);
            let sources = [ipv4.map(IpAddr::V4), ipv6.map(IpAddr::V6)];
            let own = entry.addresses.iter().filter(|a| !ours(a));
            OwnInterface {
                name: entry.link.name.clone(),
                other_names: Vec::new(),
                // Loopbacks and tunnels have no address of the link.
                unfit: (entry.link.mac == MacAddr([0; 6])).then(|| NO_ETHERNET.into()),
                addresses: own
                    .map(|a| OwnAddress {
                        address: a.address,
                        prefix_len: a.prefix_len,
                        advertises: a.vhid == 0 && sources.contains(&Some(a.address)),
                        duplicate: false,
                    })
                    .collect(),
            }
        });
        facts.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(number: u32) -> KernelIf {
        KernelIf::new(number).unwrap()
    }

    fn link(flags: u32, link_state: u8) -> Item {
        Item::Link(Link {
            name: "em0".into(),
            flags,
            link_state,
            mac: MacAddr([2, 0, 0, 0, 0, 1]),
            ..Link::new(index(3))
        })
    }

    fn address(address: &str, vhid: u8) -> Item {
        Item::Address(Address {
            index: index(3),
            address: address.parse().unwrap(),
            prefix_len: 24,
            vhid,
        })
    }

    const UP: u32 = IFF_UP | IFF_DRV_RUNNING;

    #[test]
    fn the_source_is_the_first_address_that_will_do() {
        let items = [
            link(UP, LINK_STATE_UP),
            address("10.0.0.9", 4),
            address("10.0.0.80", 0),
            address("10.0.0.2", 0),
            address("fe80::1", 0),
            address("fe80::2", 0),
        ];
        let mut links = Links::new(items);
        let ours = |a: &Address| a.address.to_string() == "10.0.0.80";
        links.set_unready(index(3), "fe80::1".parse().unwrap());
        let state = links.state(index(3), ours);
        assert!(state.up);
        assert_eq!(state.ipv4, Some([10, 0, 0, 2].into()));
        assert_eq!(state.ipv6, Some("fe80::2".parse().unwrap()));
        assert!(links.has_vhid(index(3), 4) && !links.has_vhid(index(3), 5));
        assert_eq!(links.find("em0"), Some(index(3)));
        assert_eq!(links.state(index(4), ours), InterfaceState::default());
    }

    #[test]
    fn an_address_is_known_as_soon_as_we_have_changed_it() {
        let mut links = Links::new([link(UP, LINK_STATE_UP), address("10.0.0.2", 0)]);
        let known = |links: &Links, address: &str| {
            let known = links.address(index(3), address.parse().unwrap());
            known.map(|known| known.prefix_len)
        };
        for ip in ["10.0.0.80", "2001:db8::80"] {
            links.added(index(3), ip.parse().unwrap());
            links.added(index(4), ip.parse().unwrap());
        }
        // One that is there keeps its prefix.
        links.added(index(3), [10, 0, 0, 2].into());
        assert_eq!(known(&links, "10.0.0.80"), Some(32));
        assert_eq!(known(&links, "2001:db8::80"), Some(128));
        assert_eq!(known(&links, "10.0.0.2"), Some(24));
        links.removed(index(3), [10, 0, 0, 80].into());
        links.removed(index(4), [10, 0, 0, 2].into());
        assert_eq!(known(&links, "10.0.0.80"), None);
        assert_eq!(known(&links, "10.0.0.2"), Some(24));
    }

    #[test]
    fn up_needs_flags_and_a_carrier() {
        let up = |flags, state, medium| {
            let mut links = Links::new([link(flags, state)]);
            links.set_medium(index(3), medium);
            links.state(index(3), |_| false).up
        };
        assert!(!up(IFF_UP, LINK_STATE_UP, None));
        assert!(!up(IFF_DRV_RUNNING, LINK_STATE_UP, None));
        assert!(!up(UP, LINK_STATE_DOWN, Some(true)));
        assert!(
            up(UP, LINK_STATE_UP, Some(false)),
            "what is reported counts"
        );
        assert!(up(UP, LINK_STATE_UNKNOWN, Some(true)));
        assert!(!up(UP, LINK_STATE_UNKNOWN, Some(false)));
        assert!(up(UP, LINK_STATE_UNKNOWN, None), "nobody knows");
        let links = Links::new([link(0, LINK_STATE_UNKNOWN)]);
        assert_eq!(
            links.silent_about_carrier(),
            [(index(3), "em0".to_string())]
        );
    }
}
