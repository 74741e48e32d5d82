//! Virtual addresses and virtual hosts of carp(4) that somebody else has put on this host.

use std::net::IpAddr;

use vrrp_core::VrKey;
use vrrp_host::{HostIf, PlatformWarning, Subject};

use crate::names;
use crate::route::Address;
use crate::state::State;

impl State {
    /// Warns of virtual addresses that are here while we do not serve them, for which the kernel answers
    /// all the same, and of virtual hosts of carp that are the same virtual router.
    pub(crate) fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        for (link, addresses) in self.links.all() {
            // The list may have a carrier and its addresses that are going. It is down where we are not
            // master, and answers for nothing.
            if names::node_of(&link.name).is_some() {
                continue;
            }
            for own in addresses.iter().filter(|a| !self.is_ours(a)) {
                for key in self.table.routers.keys() {
                    if !self.is_in_the_way(key, own) {
                        continue;
                    }
                    let (name, address) = (&link.name, own.address);
                    let text = match own.vhid {
                        0 => format!(
                            "{name} has {address} by itself and answers for it while this host is not master: remove it there"
                        ),
                        vhid => {
                            format!("{name} has {address} by carp, vhid {vhid}: remove it there")
                        }
                    };
                    let subject = Subject::VirtualRouter(key);
                    list.push(PlatformWarning { subject, text });
                }
            }
        }
        for (&key, router) in self.table.routers.iter() {
            let Ok((index, name)) = self.table.interfaces.parent(key) else {
                continue;
            };
            if let Some(source) = router.setup.source
                && self.links.address(index, source).is_none()
            {
                list.push(PlatformWarning {
                    subject: Subject::VirtualRouter(key),
                    text: format!(
                        "{name} does not have {source}: advertisements come from an address that is not there; give it to {name}, or change source"
                    ),
                });
            }
            if self.links.has_vhid(index, key.vrid.get()) {
                list.push(PlatformWarning {
                    subject: Subject::VirtualRouter(key),
                    text: format!(
                        "{name} has a virtual host of carp with vhid {}, which has the same MAC and number: remove it",
                        key.vrid
                    ),
                });
            }
        }
    }

    /// Whether an address that is not ours is one of a virtual router's that we do not serve, or that
    /// carp would move. A link-local one is another on another link.
    fn is_in_the_way(&self, key: VrKey, own: &Address) -> bool {
        let Some(router) = self.table.routers.get(key) else {
            return false;
        };
        let here = |device: &Option<String>| match (own.address, device) {
            (IpAddr::V6(v6), Some(device)) if v6.is_unicast_link_local() => {
                self.links.find(device) == Some(own.index)
            }
            (IpAddr::V6(v6), None) if v6.is_unicast_link_local() => {
                self.table.interfaces.index(HostIf::of(key)) == Some(own.index)
            }
            _ => true,
        };
        let mut addresses = router.setup.addresses.iter();
        let is_virtual = addresses.any(|(a, device)| a.address == own.address && here(device));
        is_virtual && (own.vhid != 0 || !router.serves(own.address))
    }
}
