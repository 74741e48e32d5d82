//! Who holds an address or a MAC: what a frame's way into and out of a stack depends on.

use core::net::{IpAddr, Ipv6Addr};

use super::Router;
use crate::types::{Family, MacAddr, VrKey, Vrid};

/// How a virtual router stands to one of its virtual addresses.
#[derive(Clone, Copy)]
pub(crate) struct Holding {
    /// The length of the prefix that the address is on.
    pub(crate) prefix_len: u8,
    /// The MAC that the address is served with.
    pub(crate) mac: MacAddr,
    /// The port was told to serve it.
    pub(crate) served: bool,
    /// Packets to it are for this host.
    pub(crate) accept: bool,
    /// It is also the interface's own address.
    pub(crate) own: bool,
}

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Router<IFS, VRS, ADDRS> {
    /// `None`: no virtual router of the interface has this address. Of several, the one that serves
    /// it.
    // Called from several places: one copy is enough.
    #[inline(never)]
    pub(crate) fn holding(&self, ifindex: u32, address: IpAddr) -> Option<Holding> {
        let slot = self.interface_index(ifindex)?;
        let state = &self.interfaces.get(usize::from(slot))?.state;
        let family = Family::of(address);
        let own = match address {
            IpAddr::V4(v4) => state.ipv4 == Some(v4),
            IpAddr::V6(v6) => state.ipv6 == Some(v6),
        };
        let mut found = None;
        for vr in self.table.iter() {
            if vr.iface != slot || vr.key.family != family {
                continue;
            }
            let entry = vr
                .entries
                .iter()
                .find(|e| e.is_virtual() && e.ip(family) == address);
            if let Some(entry) = entry {
                found = Some(Holding {
                    prefix_len: entry.virtual_address(family).prefix_len,
                    mac: vr.mac(state),
                    served: entry.is_told(),
                    accept: entry.is_told_to_accept(),
                    own,
                });
                if entry.is_told() {
                    break;
                }
            }
        }
        found
    }

    /// Whether a virtual MAC is taken up. `None`: no virtual router of the interface has it.
    pub(crate) fn is_mac_taken_up(&self, ifindex: u32, mac: MacAddr) -> Option<bool> {
        let (family, vrid) = match mac.0 {
            [0x00, 0x00, 0x5e, 0x00, 1, vrid] => (Family::Ipv4, vrid),
            [0x00, 0x00, 0x5e, 0x00, 2, vrid] => (Family::Ipv6, vrid),
            _ => return None,
        };
        let key = VrKey {
            ifindex,
            vrid: Vrid::new(vrid)?,
            family,
        };
        let vr = self.table.get(self.table.find(key)?)?;
        Some(vr.mac_told)
    }

    /// The IPv6 addresses that are served on the interface.
    pub(crate) fn served_ipv6(&self, ifindex: u32) -> impl Iterator<Item = Ipv6Addr> + '_ {
        let ours = move |key: &VrKey| key.ifindex == ifindex && key.family == Family::Ipv6;
        self.table
            .iter()
            .filter(move |vr| ours(&vr.key))
            .flat_map(|vr| vr.entries.iter())
            .filter(|e| e.is_virtual() && e.is_told())
            .filter_map(|e| match e.ip(Family::Ipv6) {
                IpAddr::V6(v6) => Some(v6),
                IpAddr::V4(_) => None,
            })
    }
}
