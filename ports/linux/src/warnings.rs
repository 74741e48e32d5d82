//! Warnings about addresses that this host has by itself and should not have, shares with another host,
//! or lacks, and about virtual MACs that another has.

use std::net::IpAddr;

use vrrp_core::VrKey;
use vrrp_host::{HostIf, PlatformWarning, Subject};

use crate::netlink::Address;
use crate::state::State;

impl State {
    /// Appends what is wrong with the addresses and the virtual MACs now.
    pub(crate) fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        self.mac_warnings(list);
        self.address_warnings(list);
        self.source_warnings(list);
    }

    /// Warns of virtual MACs that somebody else had when they were wanted last. Whether that is still so
    /// shows when the MAC is wanted again.
    fn mac_warnings(&self, list: &mut Vec<PlatformWarning>) {
        for (key, router) in self.table.routers.iter() {
            if let Some(text) = &router.mac.in_use {
                list.push(PlatformWarning {
                    subject: Subject::VirtualRouter(*key),
                    text: text.clone(),
                });
            }
        }
    }

    /// Warns of virtual addresses that somebody has installed here while we do not serve them: the kernel
    /// answers for them all the same. Warns of own addresses that another host has, too.
    fn address_warnings(&self, list: &mut Vec<PlatformWarning>) {
        for own in self.links.addresses().filter(|a| !self.is_ours(a)) {
            let Some(link) = self.links.get(own.index) else {
                continue;
            };
            let (name, address) = (&link.name, own.address);
            for (key, router) in self.table.routers.iter() {
                if !self.is_virtual(*key, own) || router.serves(address) {
                    continue;
                }
                list.push(PlatformWarning {
                    subject: Subject::VirtualRouter(*key),
                    text: format!(
                        "{name} has {address} by itself and answers for it while this host is not master: remove it there"
                    ),
                });
            }
            if own.is_duplicate() {
                let watched = self.table.interfaces.iter();
                let watched = watched.filter(|(_, w)| w.index() == Some(own.index));
                list.extend(watched.map(|(host_if, _)| PlatformWarning {
                    subject: Subject::Interface(host_if),
                    text: format!(
                        "another host on {name} has {address}, too: duplicate address detection failed"
                    ),
                }));
            }
        }
    }

    /// Warns of chosen addresses to advertise from that their interfaces do not have.
    fn source_warnings(&self, list: &mut Vec<PlatformWarning>) {
        for (key, router) in self.table.routers.iter() {
            let Some(source) = router.setup.source else {
                continue;
            };
            let Ok((index, name)) = self.table.interfaces.parent(*key) else {
                continue;
            };
            if !self.links.has_address(index, source) {
                list.push(PlatformWarning {
                    subject: Subject::VirtualRouter(*key),
                    text: format!(
                        "{name} does not have {source}: advertisements come from an address that is not there; give it to {name}, or change source"
                    ),
                });
            }
        }
    }

    /// Whether an address of this host is one of a virtual router's. A link-local one is another on
    /// another link.
    fn is_virtual(&self, key: VrKey, own: &Address) -> bool {
        let Some(router) = self.table.routers.get(key) else {
            return false;
        };
        let here = |device: &Option<String>| match (own.address, device) {
            (IpAddr::V6(v6), _) if !v6.is_unicast_link_local() => true,
            (IpAddr::V4(_), _) => true,
            (_, Some(device)) => self.links.find(device) == Some(own.index),
            (_, None) => self.table.interfaces.index(HostIf::of(key)) == Some(own.index),
        };
        let mut addresses = router.setup.addresses.iter();
        addresses.any(|(a, device)| a.address == own.address && here(device))
    }
}
