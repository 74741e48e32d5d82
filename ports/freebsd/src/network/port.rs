//! The steps of a port that differ on FreeBSD from other systems.

use std::io;
use std::net::IpAddr;

use vrrp_core::{InterfaceState, VirtualAddress, VrKey};
use vrrp_host::{HostIf, PlatformError, VrSetup};
use vrrp_port_kit::{KernelIf, Port, Router, refused};

use super::Network;
use crate::abi::SIOCGIFFIB;
use crate::ledger::{Entry, Ledger};
use crate::refusals::{self, Wish};
use crate::request::{self, Request};
use crate::sockets::Sockets;
use crate::state::{Mac, Table};
use crate::sys;

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
        Entry::Address {
            device: device.into(),
            address: address.address,
        }
    }

    fn route_entry(address: IpAddr) -> Entry {
        Entry::Route { address }
    }

    fn address_of(entry: &Entry) -> Option<IpAddr> {
        match entry {
            Entry::Address { address, .. } | Entry::Route { address } => Some(*address),
            _ => None,
        }
    }

    fn list_anew(&mut self) -> io::Result<()> {
        self.resync()
    }

    fn find(&self, name: &str) -> Option<KernelIf> {
        self.state.links.find(name)
    }

    fn name(&self, index: KernelIf) -> Option<String> {
        let link = self.state.links.get(index)?;
        Some(link.name.clone())
    }

    fn has_address(&self, index: KernelIf, address: IpAddr) -> bool {
        self.state.links.address(index, address).is_some()
    }

    fn state(&mut self, host_if: HostIf, index: KernelIf) -> InterfaceState {
        let state = &self.state;
        let found = state.links.state(index, |address| state.is_ours(address));
        self.forgive(host_if, found)
    }

    /// An interface does not change its kind.
    fn is_as_opened(&self, _: HostIf, _: KernelIf) -> bool {
        true
    }

    fn sockets(&mut self, host_if: HostIf, index: KernelIf) -> Sockets {
        let name = self.state.table.interfaces.name(host_if);
        let fib = Request::about(SIOCGIFFIB, name).and_then(|mut request| {
            sys::ioctl(self.installer.any_requester()?, &mut request)?;
            Ok(request::number(&request.argument))
        });
        Sockets::new(index, host_if, name, fib.unwrap_or(0))
    }

    fn come(&mut self, host_if: HostIf) {
        if self.hear(host_if).is_err() {
            return;
        }
        for key in self.state.table.routers.keys_on(host_if) {
            let _ = self.attach_router(key);
        }
    }

    fn gone(&mut self, host_if: HostIf) {
        self.remove_bridge(host_if);
    }

    fn compare_later(&mut self) {
        self.doubtful = true;
        self.routing.doubt();
    }

    /// Says what cannot be had, and what to do about it, all at once.
    fn judge(&self, setup: &VrSetup) -> Result<(), PlatformError> {
        let (key, host_if) = (setup.key, HostIf::of(setup.key));
        let (table, links) = (&self.state.table, &self.state.links);
        let name = table.interfaces.name(host_if);
        let wish = Wish::of_setup(setup, name);
        let ours = |_, ip| {
            let mut served = table.routers.served();
            served.any(|served| served.address.address == ip)
        };
        let mut reasons = refusals::refusals(links, &wish, |i| self.kind(i), ours);
        let mut others = table.routers.on(host_if).filter(|(k, _)| *k != key);
        if others.any(|(_, r)| setup.replace_mac || r.setup.replace_mac) {
            reasons.push(format!(
                "useVMAC = replace allows one virtual router on an interface, and {name} has others"
            ));
        }
        if reasons.is_empty() {
            return Ok(());
        }
        let what = format!("prepare VRID {} on {name}", key.vrid);
        Err(PlatformError::new(what, refused(reasons.join("; "))))
    }

    fn wants_carrier(setup: &VrSetup) -> bool {
        refusals::wants_carrier(setup)
    }

    fn make_carrier(&mut self, key: VrKey) -> Result<(), PlatformError> {
        self.add_carrier(key)
    }

    fn remove_mac(&mut self, key: VrKey) -> bool {
        let restored = self.restore_mac(key).is_ok();
        self.remove_carrier(key) && restored
    }

    fn give_up_all(&mut self, key: VrKey) -> bool {
        self.give_up_addresses(key)
    }

    fn listen(&mut self, key: VrKey) -> Result<(), PlatformError> {
        self.hear(HostIf::of(key))
    }

    fn released(&mut self, key: VrKey) -> bool {
        let host_if = HostIf::of(key);
        let routers = &self.state.table.routers;
        let wants_carrier =
            |(_, router): (_, &Router<_, _>)| refusals::wants_carrier(&router.setup);
        routers.on(host_if).any(wants_carrier) || self.remove_bridge(host_if)
    }
}
