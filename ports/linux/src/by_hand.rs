//! Addresses that this host has by itself and should not have, shares with another host, or lacks.

use std::net::IpAddr;
use vrrp_host::{HostIf, PlatformWarning, Subject};

use vrrp_core::VrKey;

use crate::netlink::Address;
use crate::platform::LinuxPlatform;

impl LinuxPlatform {
    /// Warns of virtual addresses that somebody has put here while we do not serve them, for which the
    /// kernel answers all the same, and of own addresses that another host was found to have, too.
    pub(crate) fn address_warnings(&self, list: &mut Vec<PlatformWarning>) {
        for own in self.links.addresses().filter(|a| !self.is_ours(a)) {
            let Some(link) = self.links.get(own.index) else {
                continue;
            };
            let (name, address) = (&link.name, own.address);
            let served = |key| {
                let router = self.routers.get(&key);
                router.is_some_and(|r| r.served.iter().any(|h| h.address.address == address))
            };
            let with_it = self.routers.keys().copied();
            for key in with_it.filter(|key| self.is_virtual(*key, own) && !served(*key)) {
                list.push(PlatformWarning {
                    subject: Subject::VirtualRouter(key),
                    text: format!(
                        "{name} has {address} by itself and answers for it while this host is not master: remove it there"
                    ),
                });
            }
            if own.is_duplicate() {
                let watched = self.interfaces.iter();
                let watched = watched.filter(|(_, w)| w.index() == Some(own.index));
                list.extend(watched.map(|(number, _)| PlatformWarning {
                    subject: Subject::Interface(*number),
                    text: format!(
                        "another host on {name} has {address}, too: duplicate address detection failed"
                    ),
                }));
            }
        }
    }

    /// Warns of chosen addresses to advertise from that their interfaces do not have.
    pub(crate) fn source_warnings(&self, list: &mut Vec<PlatformWarning>) {
        for (key, router) in &self.routers {
            let Some(source) = router.setup.source else {
                continue;
            };
            let Ok((index, name)) = self.parent(*key) else {
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
        let Some(router) = self.routers.get(&key) else {
            return false;
        };
        let here = |device: &Option<String>| match (own.address, device) {
            (IpAddr::V6(v6), _) if !v6.is_unicast_link_local() => true,
            (IpAddr::V4(_), _) => true,
            (_, Some(device)) => self.links.find(device) == Some(own.index),
            (_, None) => {
                let watched = self.interfaces.get(&HostIf::of(key));
                watched.and_then(|w| w.index()) == Some(own.index)
            }
        };
        let mut addresses = router.setup.addresses.iter();
        addresses.any(|(a, device)| a.address == own.address && here(device))
    }
}
