//! The steps of a port that differ on Linux from other systems.

use std::io;
use std::net::IpAddr;

use vrrp_core::{Family, InterfaceState, MacMode, VirtualAddress, VrKey};
use vrrp_host::{HostIf, PlatformError, VrSetup};
use vrrp_port_kit::{KernelIf, Port, Watched, refused};

use super::Network;
use crate::facts::SILENT_IS_ON_LOOPBACK;
use crate::fitness::fitness;
use crate::ledger::{Entry, Ledger};
use crate::sockets::Sockets;
use crate::state::{Mac, State, Table};

impl Port for Network {
    type Sockets = Sockets;
    type Entry = Entry;
    type Mac = Mac;

    fn table(&self) -> &Table {
        &self.state.table
    }

    fn table_mut(&mut self) -> &mut Table {
        &mut self.state.table
    }

    fn ledger(&mut self) -> &mut Ledger {
        &mut self.installer.ledger
    }

    fn address_entry(device: &str, address: VirtualAddress) -> Entry {
        Entry::address(device, address)
    }

    fn route_entry(address: IpAddr) -> Entry {
        Entry::Route { address }
    }

    fn address_of(entry: &Entry) -> Option<IpAddr> {
        match entry {
            Entry::Address { address, .. } | Entry::Route { address } => Some(*address),
            Entry::Link { .. } | Entry::Setting { .. } | Entry::Routing(_) => None,
        }
    }

    /// Netlink has told every change.
    fn list_anew(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn find(&self, name: &str) -> Option<KernelIf> {
        self.state.links.find(name)
    }

    fn name(&self, index: KernelIf) -> Option<String> {
        let link = self.state.links.get(index)?;
        Some(link.name.clone())
    }

    fn has_address(&self, index: KernelIf, address: IpAddr) -> bool {
        self.state.links.has_address(index, address)
    }

    fn state(&mut self, _: HostIf, index: KernelIf) -> InterfaceState {
        let state = &self.state;
        state.links.state(index, |address| state.is_ours(address))
    }

    fn is_as_opened(&self, host_if: HostIf, index: KernelIf) -> bool {
        let sockets = self.state.table.interfaces.sockets(host_if);
        let opened_for = sockets.and_then(Sockets::fitness);
        self.state.links.get(index).map(fitness) == opened_for
    }

    fn sockets(&mut self, host_if: HostIf, index: KernelIf) -> Sockets {
        let fitness = self.state.links.get(index).map(fitness);
        self.state.note_links();
        Sockets::new(index, host_if, fitness, self.leaves_frames)
    }

    /// The host prepares the virtual routers again, and then their macvlans are made: one by one, for
    /// hundreds take longer than an interval.
    fn come(&mut self, host_if: HostIf) {
        let State { table, links, .. } = &self.state;
        let index = table.interfaces.index(host_if);
        let link = index.and_then(|index| links.get(index));
        if link.is_some_and(|link| links.judge(link).is_ok()) {
            for family in [Family::Ipv4, Family::Ipv6] {
                let table = &self.state.table;
                let joined = |watched: &Watched<Sockets>| watched.wants_group(family);
                let used = table
                    .routers
                    .on(host_if)
                    .any(|(key, _)| key.family == family);
                if used || table.interfaces.get(host_if).is_some_and(joined) {
                    // Virtual routers are prepared again, and then the host hears why not.
                    let _ = self.hear(host_if, family);
                }
            }
        }
    }

    /// Macvlans belong to one virtual router each.
    fn gone(&mut self, _: HostIf) {
        self.state.note_links();
    }

    fn compare_later(&mut self) {
        self.sysctls.doubt();
        self.announcements.doubt();
        self.loopback.doubt();
        self.doubt_routing();
        self.suspects_routing = true;
    }

    fn judge(&self, setup: &VrSetup) -> Result<(), PlatformError> {
        let (table, links) = (&self.state.table, &self.state.links);
        let host_if = HostIf::of(setup.key);
        let name = table.interfaces.name(host_if);
        let cannot = |why| {
            let what = format!("prepare VRID {} on {name}", setup.key.vrid);
            Err(PlatformError::new(what, refused(why)))
        };
        let mut devices = setup.addresses.iter().filter_map(|(_, d)| d.as_deref());
        if !setup.accept && devices.any(|device| device != name) {
            return cannot("an address on another interface needs accept mode");
        }
        if setup.silent && !setup.accept {
            return cannot("silent addresses need accept mode");
        }
        let mut devices = setup.addresses.iter().filter_map(|(_, d)| d.as_deref());
        let is_loopback = |device: &str| links.find(device).is_some_and(|i| links.is_loopback(i));
        if setup.silent && devices.any(is_loopback) {
            return cannot(SILENT_IS_ON_LOOPBACK);
        }
        if setup.replace_mac {
            return cannot(
                "the virtual MAC cannot replace that of the interface: on Linux it has an \
                 interface of its own",
            );
        }
        let index = table.interfaces.index(host_if);
        match index.and_then(|index| links.get(index)) {
            Some(link) => links
                .judge(link)
                .map_err(|why| PlatformError::new(format!("use {name}"), refused(why))),
            None => Ok(()),
        }
    }

    fn wants_carrier(setup: &VrSetup) -> bool {
        setup.mac_mode == MacMode::Virtual
    }

    fn make_carrier(&mut self, key: VrKey) -> Result<(), PlatformError> {
        self.make_macvlan(key)
    }

    /// A macvlan that refuses to go is tried again.
    fn remove_mac(&mut self, key: VrKey) -> bool {
        self.remove_macvlan(key);
        true
    }

    fn give_up_all(&mut self, key: VrKey) -> bool {
        self.give_up_addresses(key)
    }

    fn listen(&mut self, key: VrKey) -> Result<(), PlatformError> {
        self.hear(HostIf::of(key), key.family)
    }

    fn released(&mut self, key: VrKey) -> bool {
        let host_if = HostIf::of(key);
        let Table {
            interfaces,
            routers,
            ..
        } = &mut self.state.table;
        let used = routers.on(host_if).any(|(k, _)| k.family == key.family);
        let joined = interfaces.get(host_if);
        let joined = joined.is_some_and(|watched| watched.wants_group(key.family));
        if !used
            && !joined
            && let Some(sockets) = interfaces.sockets_mut(host_if)
        {
            sockets.unlisten(key.family);
        }
        true
    }
}
