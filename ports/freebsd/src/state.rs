//! The facts that every part of the port goes by: what the host wants, and what the kernel has.

use vrrp_core::{Failure, MacAddr, VrKey};
use vrrp_port_kit::{KernelIf, Served, VirtualMac};

use crate::abi::LINK_STATE_DOWN;
use crate::ledger::Entry;
use crate::links::Links;
use crate::route::Address;
use crate::sockets::{Device, Sockets};

pub(crate) type Table = vrrp_port_kit::Table<Sockets, Entry, Mac>;

/// The installation for the MAC of a virtual router.
#[derive(Debug, Default)]
pub(crate) struct Mac {
    /// The interface that carries it. `None`: none yet, or it needs none.
    pub(crate) carrier: Option<Carrier>,
    /// The MAC that it replaces now.
    pub(crate) replaced: Option<Replaced>,
}

impl VirtualMac for Mac {
    fn carrier(&self) -> Option<KernelIf> {
        self.carrier.as_ref().map(|carrier| carrier.index)
    }
}

/// An interface that carries a virtual MAC.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) name: String,
    pub(crate) index: KernelIf,
    pub(crate) node: String,
    /// Sends out of it.
    pub(crate) bpf: Device,
}

/// An interface whose own MAC a virtual one replaces.
#[derive(Debug)]
pub(crate) struct Replaced {
    pub(crate) index: KernelIf,
    pub(crate) device: String,
    pub(crate) old: MacAddr,
}

/// The wishes of the host, and the links and addresses of the kernel.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) table: Table,
    pub(crate) links: Links,
}

impl State {
    /// Whether we installed an address.
    pub(crate) fn is_ours(&self, address: &Address) -> bool {
        let routers = &self.table.routers;
        let is_silent = |ip| routers.silent_addresses().any(|silent| silent == ip);
        routers.is_installed(address.index, address.address)
            || self.links.is_loopback(address.index) && is_silent(address.address)
    }

    /// The name of an interface, or its number if it is not known.
    pub(crate) fn link_label(&self, index: KernelIf) -> String {
        let mut carriers = self.carriers();
        match (
            carriers.find(|carrier| carrier.index == index),
            self.links.get(index),
        ) {
            (Some(carrier), _) => carrier.name.clone(),
            (None, Some(link)) => link.name.clone(),
            (None, None) => format!("interface {index}"),
        }
    }

    /// The interface that carries the MAC of a virtual router.
    pub(crate) fn carrier(&self, key: VrKey) -> Option<&Carrier> {
        self.table.routers.get(key)?.mac.carrier.as_ref()
    }

    /// The interfaces that carry virtual MACs.
    pub(crate) fn carriers(&self) -> impl Iterator<Item = &Carrier> {
        let routers = self.table.routers.iter();
        routers.filter_map(|(_, router)| router.mac.carrier.as_ref())
    }

    /// Reports as lost what should be there and is not in the list of interfaces.
    pub(crate) fn find_losses(&mut self) {
        let (table, links) = (&mut self.table, &self.links);
        for (&key, router) in table.routers.iter_mut() {
            if let Some(carrier) = &router.mac.carrier {
                let there = links.get(carrier.index);
                // One that is joined to no bridge any more has lost its link.
                let whole = there.is_some_and(|link| {
                    link.mac == key.virtual_mac() && link.link_state != LINK_STATE_DOWN
                });
                if router.mac_on && !(whole && links.is_up(carrier.index)) {
                    router.mac_on = false;
                    table.lost.push(Failure::Mac { key });
                }
                if there.is_none() {
                    router.mac.carrier = None;
                }
            }
            if let Some(replaced) = &router.mac.replaced
                && links
                    .get(replaced.index)
                    .is_none_or(|link| link.mac != key.virtual_mac())
            {
                router.mac.replaced = None;
                router.mac_on = false;
                table.lost.push(Failure::Mac { key });
            }
        }
        let there = |served: &Served<_>| {
            let known = links.address(served.index, served.address.address);
            known.is_some()
        };
        table.routers.find_losses(there, &mut table.lost);
    }
}
