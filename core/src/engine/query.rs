//! Questions about virtual routers, their counters and their addresses. They change nothing. A key may
//! be a [`GateKey`](crate::gate::GateKey), too.

use core::net::{IpAddr, Ipv6Addr};

use super::Engine;
use crate::status::{DropCounters, InterfaceState, Statistics, Status};
use crate::time::Instant;
use crate::types::{Family, MacAddr, VirtualAddress, VrKey, Vrid};

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Engine<IFS, VRS, ADDRS> {
    /// How an interface was last described. `None`: never.
    pub fn interface(&self, ifindex: u32) -> Option<&InterfaceState> {
        let slot = self.interface_index(ifindex)?;
        self.interfaces.get(usize::from(slot)).map(|i| &i.state)
    }

    /// A virtual router as it stands. `None`: there is none with this key.
    pub fn status(&self, key: impl Into<VrKey>) -> Option<Status> {
        self.table
            .get(self.table.find(key.into())?)
            .map(|vr| vr.status())
    }

    /// When the preempt delay of a Backup ends that hears an Active router of lower priority. `None`: no
    /// such delay runs.
    pub fn preempts_at(&self, key: impl Into<VrKey>) -> Option<Instant> {
        self.table.get(self.table.find(key.into())?)?.preempts_at()
    }

    /// The keys of all virtual routers, in no order.
    pub fn keys(&self) -> impl Iterator<Item = VrKey> + '_ {
        self.table.iter().map(|vr| vr.key())
    }

    /// The virtual addresses of a virtual router in the order in which they are advertised, and then those
    /// that are not. None where it [elects alone](crate::VrSettings::advertise_only).
    pub fn addresses<K: Into<VrKey>>(
        &self,
        key: K,
    ) -> impl Iterator<Item = VirtualAddress> + use<'_, K, IFS, VRS, ADDRS> {
        let key = key.into();
        let vr = self.table.find(key).and_then(|index| self.table.get(index));
        vr.into_iter().flat_map(move |vr| {
            let entries = vr.entries().addresses().iter();
            let entries = entries.filter(|_| vr.serves_addresses());
            entries.map(move |e| e.virtual_address(key.family))
        })
    }

    /// The counters of a virtual router. `None`: there is none with this key.
    pub fn statistics(&self, key: impl Into<VrKey>) -> Option<&Statistics> {
        self.table
            .get(self.table.find(key.into())?)
            .map(|vr| vr.statistics())
    }

    /// How many packets were discarded that belong to no virtual router.
    pub fn drops(&self) -> &DropCounters {
        &self.drops
    }
}

/// How a virtual router stands to one of its virtual addresses.
#[derive(Clone, Copy)]
pub(crate) struct VirtualAddressState {
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

impl<const IFS: usize, const VRS: usize, const ADDRS: usize> Engine<IFS, VRS, ADDRS> {
    /// How an address is served; of several virtual routers that have it, by the one that serves it.
    /// Returns `None` if no virtual router of the interface has it.
    // Called from several places: one copy is enough.
    #[inline(never)]
    pub(crate) fn virtual_address(
        &self,
        ifindex: u32,
        address: IpAddr,
    ) -> Option<VirtualAddressState> {
        let slot = self.interface_index(ifindex)?;
        let state = &self.interfaces.get(usize::from(slot))?.state;
        let family = Family::of(address);
        let own = match address {
            IpAddr::V4(v4) => state.ipv4 == Some(v4),
            IpAddr::V6(v6) => state.ipv6 == Some(v6),
        };
        let mut found = None;
        for vr in self.table.on(slot).filter(|vr| vr.key().family == family) {
            let mut entries = vr.entries().iter();
            let entry = entries.find(|e| e.is_virtual() && e.ip(family) == address);
            if let Some(entry) = entry {
                found = Some(VirtualAddressState {
                    prefix_len: entry.virtual_address(family).prefix_len,
                    mac: vr.mac(state),
                    served: entry.is_served(),
                    accept: entry.is_accepted(),
                    own,
                });
                if entry.is_served() {
                    break;
                }
            }
        }
        found
    }

    /// Whether a virtual MAC is taken up. Returns `None` if no virtual router of the interface has it.
    pub(crate) fn is_mac_taken_up(&self, ifindex: u32, mac: MacAddr) -> Option<bool> {
        let (family, vrid) = match mac.0 {
            [0x00, 0x00, 0x5e, 0x00, 1, vrid] => (Family::Ipv4, vrid),
            [0x00, 0x00, 0x5e, 0x00, 2, vrid] => (Family::Ipv6, vrid),
            _ => return None,
        };
        let key = VrKey::new(ifindex, Vrid::new(vrid)?, family);
        let vr = self.table.get(self.table.find(key)?)?;
        Some(vr.has_mac())
    }

    /// The IPv6 addresses that are served on the interface.
    pub(crate) fn served_ipv6(&self, ifindex: u32) -> impl Iterator<Item = Ipv6Addr> + '_ {
        let ours = move |key: &VrKey| key.ifindex == ifindex && key.family.is_ipv6();
        self.table
            .iter()
            .filter(move |vr| ours(&vr.key()))
            .flat_map(|vr| vr.entries().iter())
            .filter(|e| e.is_virtual() && e.is_served())
            .filter_map(|e| match e.ip(Family::Ipv6) {
                IpAddr::V6(v6) => Some(v6),
                IpAddr::V4(_) => None,
            })
    }
}
