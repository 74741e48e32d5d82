//! The steps that every port takes in the same order, and the parts of it that differ.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use vrrp_core::{Failure, InterfaceState, VirtualAddress, VrKey};
use vrrp_host::{HostIf, Incoming, PlatformError, VrSetup};

use crate::errors::{noted, unprepared};
use crate::interfaces::Interfaces;
use crate::kernel_if::KernelIf;
use crate::ledger::{self, Ledger};
use crate::routers::Routers;
use crate::watched::InterfaceSockets;

/// The interfaces and virtual routers that the host wants, and the news that it has not been told.
#[derive(Debug)]
pub struct Table<S, E, M> {
    /// The interfaces that the host watches.
    pub interfaces: Interfaces<S>,
    /// The virtual routers that the host has prepared.
    pub routers: Routers<E, M>,
    /// The losses of which the host has not been told.
    pub lost: Vec<Failure>,
    /// The state of an interface may have changed, and the host has not been told.
    pub unsettled: bool,
}

impl<S, E, M> Default for Table<S, E, M> {
    fn default() -> Self {
        Self {
            interfaces: Interfaces::default(),
            routers: Routers::default(),
            lost: Vec::new(),
            unsettled: false,
        }
    }
}

/// The installed carrier of the MAC of a virtual router.
pub trait VirtualMac: Default {
    /// Returns the interface of its own that carries the virtual MAC, if there is one.
    fn carrier(&self) -> Option<KernelIf>;
}

/// A port to an operating system. The required methods are what differs between systems.
pub trait Port {
    /// The sockets of one interface.
    type Sockets: InterfaceSockets;
    /// The entries of the ledger.
    type Entry: ledger::Entry;
    /// The installed carrier of the MAC of a virtual router.
    type Mac: VirtualMac;

    /// Returns the interfaces and virtual routers.
    fn table(&self) -> &Table<Self::Sockets, Self::Entry, Self::Mac>;

    /// Returns the interfaces and virtual routers.
    fn table_mut(&mut self) -> &mut Table<Self::Sockets, Self::Entry, Self::Mac>;

    /// Returns the ledger of this process.
    fn ledger(&mut self) -> &mut Ledger<Self::Entry>;

    /// Returns the entry of an address that is put on the interface `device`.
    fn address_entry(device: &str, address: VirtualAddress) -> Self::Entry;

    /// Returns the entry of a blackhole route.
    fn route_entry(address: IpAddr) -> Self::Entry;

    /// Returns the virtual address that an entry is about, if it is about one.
    fn address_of(entry: &Self::Entry) -> Option<IpAddr>;

    /// Lists the interfaces, unless the kernel has told every change.
    fn list_anew(&mut self) -> io::Result<()>;

    /// Returns the index of the interface that the kernel knows by a name.
    fn find(&self, name: &str) -> Option<KernelIf>;

    /// Returns the name of an interface, if it is there.
    fn name(&self, index: KernelIf) -> Option<String>;

    /// Whether an interface has an address, whoever put it there.
    fn has_address(&self, index: KernelIf, address: IpAddr) -> bool;

    /// Returns the state of an interface that is there, by which its virtual routers are driven.
    fn state(&mut self, host_if: HostIf, index: KernelIf) -> InterfaceState;

    /// Whether virtual routers on an interface can stay as they are: it is of the same kind as when
    /// [`sockets`](Self::sockets) was called.
    fn is_as_opened(&self, host_if: HostIf, index: KernelIf) -> bool;

    /// Returns the sockets of an interface that has come.
    fn sockets(&mut self, host_if: HostIf, index: KernelIf) -> Self::Sockets;

    /// Hears what the virtual routers on an interface need that has come. What fails is tried again when
    /// the host prepares them.
    fn come(&mut self, host_if: HostIf);

    /// Removes what is installed on an interface for all its virtual routers together, which are gone
    /// from it.
    fn gone(&mut self, host_if: HostIf);

    /// Notes that filters, sysctls and the like have to be compared with the virtual routers.
    fn compare_later(&mut self);

    /// Judges whether this host can serve a virtual router as it is set up.
    fn judge(&self, setup: &VrSetup) -> Result<(), PlatformError>;

    /// Whether the MAC of a virtual router needs an interface of its own.
    fn wants_carrier(setup: &VrSetup) -> bool;

    /// Makes the interface that carries the MAC of a virtual router.
    fn make_carrier(&mut self, key: VrKey) -> Result<(), PlatformError>;

    /// Removes what is installed for the MAC of a virtual router. Returns `false` if something refused
    /// to go.
    fn remove_mac(&mut self, key: VrKey) -> bool;

    /// Removes every address of a virtual router. Returns `false` if something refused to go.
    fn give_up_all(&mut self, key: VrKey) -> bool;

    /// Hears VRRP for a virtual router on an interface that is there.
    fn listen(&mut self, key: VrKey) -> Result<(), PlatformError>;

    /// Removes what only a virtual router that was released needed. Returns `false` if something refused
    /// to go.
    fn released(&mut self, key: VrKey) -> bool;

    /// Begins to watch an interface.
    fn watch_interface(&mut self, host_if: HostIf, name: &str) -> Result<(), PlatformError> {
        self.table_mut().interfaces.watch(host_if, name)?;
        // The host learns the state without waiting for a change.
        self.table_mut().unsettled = true;
        self.list_anew()
            .map_err(|error| PlatformError::new("list the interfaces", error))?;
        if let Some(index) = self.find(name) {
            self.attach(host_if, index);
        }
        Ok(())
    }

    /// Ceases to watch an interface. Its virtual routers are released.
    fn unwatch_interface(&mut self, host_if: HostIf) {
        for key in self.table().routers.keys_on(host_if) {
            self.release_router(key);
        }
        self.table_mut().interfaces.unwatch(host_if);
        self.compare_later();
    }

    /// Follows interfaces that came and went, and tells the host what has changed. An interface of
    /// which the kind changes counts as another one.
    fn settle(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) {
        self.table_mut().unsettled = false;
        for host_if in self.table().interfaces.handles() {
            let index = self.find(self.table().interfaces.name(host_if));
            let known = self.table().interfaces.index(host_if);
            let same = known == index && index.is_none_or(|i| self.is_as_opened(host_if, i));
            if known.is_some() && !same {
                self.detach(host_if);
            }
            if let Some(index) = index.filter(|_| !same) {
                self.attach(host_if, index);
            }
            let attached = self.table().interfaces.index(host_if);
            let state = attached.map(|index| self.state(host_if, index));
            if let Some(watched) = self.table_mut().interfaces.get_mut(host_if) {
                watched.report(host_if, state.unwrap_or_default(), sink);
            }
        }
        for failure in self.table_mut().lost.drain(..) {
            sink(Incoming::Lost(failure));
        }
    }

    /// Opens what the virtual routers on an interface need that has come. Where that fails the host
    /// hears why, since it prepares them again.
    fn attach(&mut self, host_if: HostIf, index: KernelIf) {
        let sockets = self.sockets(host_if, index);
        let Table {
            interfaces, lost, ..
        } = self.table_mut();
        let Some(watched) = interfaces.get_mut(host_if) else {
            return;
        };
        for family in watched.arrive(sockets) {
            // The host tries again, and hears why not.
            let ifindex = host_if.number();
            lost.push(Failure::Group { ifindex, family });
        }
        self.compare_later();
        self.come(host_if);
    }

    /// Removes what is left on an interface that is gone, or has another name.
    fn detach(&mut self, host_if: HostIf) {
        for key in self.table().routers.keys_on(host_if) {
            self.strip_router(key);
        }
        self.gone(host_if);
        if let Some(watched) = self.table_mut().interfaces.get_mut(host_if) {
            watched.depart();
        }
        self.compare_later();
    }

    /// Prepares a virtual router, or gives one that is prepared another setup.
    fn prepare_router(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        let key = setup.key;
        let Some(watched) = self.table().interfaces.get(HostIf::of(key)) else {
            let what = format!("prepare VRID {} on an interface not watched", key.vrid);
            return Err(PlatformError::new(what, io::ErrorKind::NotFound.into()));
        };
        let attached = watched.sockets.is_some();
        self.judge(setup)?;
        if let Some(router) = self.table().routers.get(key)
            && (router.setup.mac_mode, router.setup.replace_mac)
                != (setup.mac_mode, setup.replace_mac)
        {
            // The new setup is to be told apart from what the old one left, if anything.
            self.strip_router(key);
        }
        self.table_mut().routers.prepare(setup);
        self.compare_later();
        if attached {
            self.listen(key)?;
            self.join_groups(HostIf::of(key))?;
            self.attach_router(key)?;
        }
        Ok(())
    }

    /// Joins the groups that virtual routers on an interface have for themselves, and leaves those of
    /// virtual routers that are gone.
    fn join_groups(&mut self, host_if: HostIf) -> Result<(), PlatformError> {
        let table = self.table_mut();
        let here = table.routers.iter();
        let here = here.filter(|(key, _)| HostIf::of(**key) == host_if);
        let wanted: BTreeSet<IpAddr> = here.filter_map(|(_, router)| router.setup.group).collect();
        match table.interfaces.get_mut(host_if) {
            Some(watched) => watched.join_others(&wanted),
            None => Ok(()),
        }
    }

    /// Makes the interface that carries the MAC of a virtual router on an interface that is there, and
    /// notes what will be installed for it.
    fn attach_router(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let Some(router) = self.table().routers.get(key) else {
            return Ok(());
        };
        if Self::wants_carrier(&router.setup) && router.mac.carrier().is_none() {
            self.make_carrier(key)?;
        }
        let Some(router) = self.table().routers.get(key) else {
            return Ok(());
        };
        let own = router.mac.carrier();
        let mut entries = Vec::new();
        for (address, _) in &router.setup.addresses {
            if !router.setup.accept {
                entries.push(Self::route_entry(address.address));
            } else if let Ok(index) = self.carrier(key, *address)
                && Some(index) != own
                && !self.has_address(index, address.address)
                && let Some(device) = self.name(index)
            {
                entries.push(Self::address_entry(&device, *address));
            }
        }
        self.ledger().add(entries).map_err(noted)
    }

    /// Removes everything that is installed for a virtual router and keeps its setup. Returns `false`
    /// if something refused to go, which stays in the ledger for the next life.
    fn strip_router(&mut self, key: VrKey) -> bool {
        let Some(router) = self.table_mut().routers.get_mut(key) else {
            return true;
        };
        router.mac_on = false;
        let given_up = self.give_up_all(key);
        let removed = self.remove_mac(key);
        self.compare_later();
        given_up && removed
    }

    /// Removes everything that is installed for a virtual router, and forgets it. Returns `false` if
    /// something refused to go.
    fn release_router(&mut self, key: VrKey) -> bool {
        let clean = self.strip_router(key);
        let Some(router) = self.table_mut().routers.remove(key) else {
            return clean;
        };
        if clean {
            // Notes of what was never installed. What a reload moves is another's by now.
            let addresses = |setup: &VrSetup| -> Vec<IpAddr> {
                let listed = setup.addresses.iter();
                listed.map(|(address, _)| address.address).collect()
            };
            let mut over: BTreeSet<IpAddr> = addresses(&router.setup).into_iter().collect();
            for (_, other) in self.table().routers.iter() {
                for address in addresses(&other.setup) {
                    over.remove(&address);
                }
            }
            let is_over = |entry: &Self::Entry| {
                Self::address_of(entry).is_some_and(|address| over.contains(&address))
            };
            let _ = self.ledger().remove_where(is_over);
        }
        // A group that only it has heard is left: that cannot fail.
        let _ = self.join_groups(HostIf::of(key));
        let rest = self.released(key);
        self.compare_later();
        clean && rest
    }

    /// Returns the interface that an address is put on.
    fn carrier(&self, key: VrKey, address: VirtualAddress) -> Result<KernelIf, PlatformError> {
        let Table {
            interfaces,
            routers,
            ..
        } = self.table();
        let router = routers.get(key).ok_or_else(|| unprepared(key))?;
        let (parent, parent_name) = interfaces.parent(key)?;
        let absent = |what: String| {
            let error = io::Error::from_raw_os_error(Self::Sockets::NO_INTERFACE);
            PlatformError::new(what, error)
        };
        let follower = router.setup.followers.iter().find(|(a, _)| *a == address);
        if let Some((_, None)) = follower {
            return Ok(parent);
        }
        let named = router.setup.addresses.iter().find(|(a, _)| *a == address);
        let named = named.or(follower);
        match named.and_then(|(_, device)| device.as_ref()) {
            // To name the interface itself says nothing about the MAC.
            Some(device) if device == parent_name && follower.is_some() => Ok(parent),
            Some(device) if device != parent_name => self.find(device).ok_or_else(|| {
                let ip = address.address;
                absent(format!("find {device}, which is to carry {ip}"))
            }),
            _ if !Self::wants_carrier(&router.setup) => Ok(parent),
            _ => router.mac.carrier().ok_or_else(|| {
                let vrid = key.vrid;
                absent(format!(
                    "find the interface of the virtual MAC of VRID {vrid} on {parent_name}"
                ))
            }),
        }
    }
}
