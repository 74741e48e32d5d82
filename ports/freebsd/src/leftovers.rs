//! Removes what a dead process has left.

use std::io;

use vrrp_core::{Family, VirtualAddress};

use crate::abi::ND6_IFF_NO_DAD;
use crate::carrier::is_marked;
use crate::graph;
use crate::ledger::{Entry, Leftover};
use crate::platform::FreebsdPlatform;
use crate::request;
use crate::router::is_gone;
use crate::sys;

/// Removes everything in the ledger that is still as it was left, then the ledger.
pub(crate) fn clean(platform: &mut FreebsdPlatform, leftover: Leftover) -> io::Result<()> {
    // With a bridge the way between the wire and the host is free at once; carriers follow, but for
    // those that are known by their place on it.
    for entry in &leftover.entries {
        if let Entry::Bridge { node } = entry {
            let unborn = platform.clean_unborn(node, &leftover);
            unborn.or_else(|error| if is_gone(&error) { Ok(()) } else { Err(error) })?;
        }
        match platform.clean_entry(entry, &leftover.token) {
            Err(error) if !is_gone(&error) => return Err(error),
            _ => {}
        }
    }
    leftover.discard();
    Ok(())
}

impl FreebsdPlatform {
    fn clean_entry(&mut self, entry: &Entry, token: &str) -> io::Result<()> {
        match entry {
            Entry::Bridge { node } => self.clean_node(node, "bridge"),
            Entry::Carrier { node } => {
                // Node vrrp4_3_7 carries interface vr4.3.7.
                let name = node.replacen("vrrp", "vr", 1).replace('_', ".");
                let mark = sys::description(self.any_requester()?, &name).unwrap_or_default();
                match is_marked(&mark, token) {
                    true => self.clean_node(node, "eiface"),
                    false => Ok(()),
                }
            }
            Entry::Source { device } if self.graph.open_if_there() => {
                self.graph.restore_auto_source(device)
            }
            Entry::Source { .. } => Ok(()),
            Entry::Address { device, address } => {
                let index = self.links.find(device);
                let known = index.and_then(|index| self.links.address(index, *address));
                let ours = request::prefix_len(*address);
                if !known.is_some_and(|known| known.prefix_len == ours && known.vhid == 0) {
                    return Ok(());
                }
                let mut request = request::remove_address(device, *address)?;
                sys::ioctl(self.requester(Family::of(*address))?, &mut request)
            }
            Entry::Route { address } => {
                let prefix_len = if address.is_ipv4() { 32 } else { 128 };
                let address = VirtualAddress {
                    address: *address,
                    prefix_len,
                };
                self.blackhole(address, false)
            }
            Entry::Mac { device, old, new } => {
                let index = self.links.find(device);
                let mac = index.and_then(|index| self.links.get(index)).map(|l| l.mac);
                if mac != Some(*new) {
                    return Ok(());
                }
                sys::ioctl(self.any_requester()?, &mut request::set_mac(device, *old)?)
            }
            Entry::Detection { device } => {
                let flags = self.nd_flags(device)?;
                self.set_nd_flags(device, flags & !ND6_IFF_NO_DAD)
            }
        }
    }

    /// Removes the carriers that were just being made when the process was killed.
    fn clean_unborn(&mut self, bridge: &str, leftover: &Leftover) -> io::Result<()> {
        if !self.graph.open_if_there() {
            return Ok(());
        }
        let places = leftover.entries.iter().filter_map(|entry| match entry {
            Entry::Carrier { node } => graph::birthplace(node),
            _ => None,
        });
        let places = places.filter(|(on, _)| on == bridge).map(|(_, hook)| hook);
        self.graph
            .remove_unborn(bridge, &places.collect::<Vec<_>>())
    }

    fn clean_node(&mut self, node: &str, kind: &str) -> io::Result<()> {
        if !self.graph.open_if_there() {
            return Ok(());
        }
        match self.graph.node_type(node)? {
            Some(found) if found == kind => self.graph.shutdown(node),
            _ => Ok(()),
        }
    }
}
