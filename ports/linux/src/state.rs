//! The facts that every part of the port goes by: what the host wants, and what the kernel has.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use vrrp_core::{Failure, VrKey};
use vrrp_host::HostIf;
use vrrp_port_kit::{KernelIf, Served, VirtualMac};

use crate::ledger::Entry;
use crate::links::Links;
use crate::netlink::{Address, Event, OUR_PROTOCOL};
use crate::reception::Heard;
use crate::sockets::Sockets;

pub(crate) type Table = vrrp_port_kit::Table<Sockets, Entry, Mac>;

/// The installation for the MAC of a virtual router.
#[derive(Debug, Default)]
pub(crate) struct Mac {
    /// The macvlan that carries it. `None`: none yet, or it needs none.
    pub(crate) macvlan: Option<KernelIf>,
    /// Whether a unicast frame has come to that since it was made. `None`: not looked yet.
    pub(crate) reached: Option<bool>,
    /// The error of the last attempt to take up the MAC, if somebody else had it.
    pub(crate) in_use: Option<String>,
}

impl VirtualMac for Mac {
    fn carrier(&self) -> Option<KernelIf> {
        self.macvlan
    }
}

/// The wishes of the host, and the links and addresses of the kernel.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) table: Table,
    pub(crate) links: Links,
    /// The virtual routers by the index of their macvlans.
    macvlans: HashMap<KernelIf, VrKey>,
    /// The kernel says which addresses are ours.
    marks_addresses: bool,
    /// Changes with the links, their MACs and what they are used for.
    generation: u64,
}

impl State {
    pub(crate) fn new(marks_addresses: bool) -> Self {
        Self {
            table: Table::default(),
            links: Links::default(),
            macvlans: HashMap::new(),
            marks_addresses,
            generation: 1,
        }
    }

    /// A number that changes with the links, their MACs and what they are used for.
    pub(crate) fn links_generation(&self) -> u64 {
        self.generation
    }

    /// Notes that links, their MACs or what they are used for have changed.
    pub(crate) fn note_links(&mut self) {
        self.generation += 1;
    }

    /// Whether we installed an address that is known, or that a notice speaks of.
    pub(crate) fn is_ours(&self, address: &Address) -> bool {
        if self.marks_addresses {
            return address.protocol == OUR_PROTOCOL;
        }
        let routers = &self.table.routers;
        routers.is_installed(address.index, address.address)
            || self.links.is_loopback(address.index)
                && routers
                    .silent_addresses()
                    .any(|silent| silent == address.address)
    }

    /// Whether the kernel says which addresses are ours.
    pub(crate) fn marks_addresses(&self) -> bool {
        self.marks_addresses
    }

    /// The name of a link, or its number if it is not known.
    pub(crate) fn link_label(&self, index: KernelIf) -> String {
        match self.links.get(index) {
            Some(link) => link.name.clone(),
            None => format!("link {index}"),
        }
    }

    /// Whether a link is a macvlan of a virtual router.
    pub(crate) fn is_macvlan(&self, index: KernelIf) -> bool {
        self.macvlans.contains_key(&index)
    }

    /// The virtual router that a link is the macvlan of.
    pub(crate) fn of_macvlan(&self, index: KernelIf) -> Option<VrKey> {
        self.macvlans.get(&index).copied()
    }

    /// The macvlans and their virtual routers.
    pub(crate) fn macvlans(&self) -> impl Iterator<Item = (KernelIf, VrKey)> {
        self.macvlans.iter().map(|(index, key)| (*index, *key))
    }

    /// The macvlan of a virtual router.
    pub(crate) fn macvlan(&self, key: VrKey) -> Option<KernelIf> {
        self.table.routers.get(key)?.mac.macvlan
    }

    /// Notes that a macvlan was made for a virtual router.
    pub(crate) fn add_macvlan(&mut self, key: VrKey, index: KernelIf) {
        self.note_links();
        self.macvlans.insert(index, key);
        if let Some(router) = self.table.routers.get_mut(key) {
            router.mac.macvlan = Some(index);
        }
    }

    /// Notes that the macvlan of a virtual router goes.
    pub(crate) fn forget_macvlan(&mut self, key: VrKey) {
        self.note_links();
        if let Some(router) = self.table.routers.get_mut(key)
            && let Some(index) = router.mac.macvlan
        {
            router.mac = Mac::default();
            self.macvlans.remove(&index);
            self.links.apply(Event::LinkGone(index));
        }
    }

    /// Notes that all macvlans are gone, and the addresses with them.
    pub(crate) fn forget_macvlans(&mut self) {
        self.note_links();
        let gone = std::mem::take(&mut self.macvlans);
        for (_, router) in self.table.routers.iter_mut() {
            router.mac.macvlan = None;
        }
        let routers = &mut self.table.routers;
        routers.forget_on(|index| gone.contains_key(&index));
    }

    /// Takes in a whole list of links, and reports as lost what should be there and is not.
    pub(crate) fn replace_links(&mut self, links: Links) {
        self.note_links();
        let table = &mut self.table;
        for (key, router) in table.routers.iter_mut() {
            let Some(index) = router.mac.macvlan else {
                continue;
            };
            if router.mac_on && !links.is_up(index) {
                router.mac_on = false;
                table.lost.push(Failure::Mac { key: *key });
            }
            if links.get(index).is_none() {
                router.mac.macvlan = None;
                router.mac.reached = None;
            }
        }
        let there = |served: &Served<_>| links.has_address(served.index, served.address.address);
        table.routers.find_losses(there, &mut table.lost);
        self.macvlans.retain(|index, _| links.get(*index).is_some());
        table.unsettled = true;
        self.links = links;
    }
}

impl Heard for State {
    fn socket(&self, token: u64) -> Option<&OwnedFd> {
        let (host_if, place) = Sockets::split_token(token);
        self.table.interfaces.sockets(host_if)?.packet(place)
    }

    fn belongs(&self, host_if: HostIf, device: KernelIf) -> bool {
        Some(device) == self.table.interfaces.index(host_if)
            || self
                .of_macvlan(device)
                .is_some_and(|key| HostIf::of(key) == host_if)
    }

    fn is_from_us(&self, frame: &[u8]) -> bool {
        let source = frame.get(6..12);
        let mut links = self.links.iter();
        links.any(|link| source == Some(&link.mac.0[..]))
    }
}
