//! What is installed for a virtual router, and its addresses.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use vrrp_host::{HostIf, PlatformError, VrSetup};
use vrrp_port_kit::{KernelIf, ServedAddresses, noted, refused, unprepared};

use vrrp_core::{MacMode, VirtualAddress, VrKey};

use crate::fitness;
use crate::ledger::Entry;
use crate::platform::LinuxPlatform;
use crate::serve::Places;

/// A virtual router that the host has prepared.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) setup: VrSetup,
    /// The operating system's number of its macvlan.
    pub(crate) link: Option<KernelIf>,
    pub(crate) mac_on: bool,
    /// Whether a unicast frame has come to its macvlan since that was made. `None`: not looked yet.
    pub(crate) reached: Option<bool>,
    /// The error of the last attempt to take up the MAC, if somebody else had it.
    pub(crate) mac_in_use: Option<String>,
    /// The addresses that it serves now.
    pub(crate) served: ServedAddresses<Entry>,
}

impl LinuxPlatform {
    pub(crate) fn prepare_router(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        let key = setup.key;
        let Some(watched) = self.interfaces.get(&HostIf::of(key)) else {
            let what = format!("prepare VRID {} on an interface not watched", key.vrid);
            return Err(PlatformError::new(what, io::ErrorKind::NotFound.into()));
        };
        let what = format!("prepare VRID {} on {}", key.vrid, watched.name);
        let attached = watched.sockets.is_some();
        let elsewhere =
            |device: &Option<String>| device.as_ref().is_some_and(|d| *d != watched.name);
        if !setup.accept && setup.addresses.iter().any(|(_, device)| elsewhere(device)) {
            let why = "an address on another interface needs accept mode";
            return Err(PlatformError::new(what, refused(why)));
        }
        if setup.replace_mac {
            let why = "the virtual MAC cannot replace that of the interface: on Linux it has an \
                       interface of its own";
            return Err(PlatformError::new(what, refused(why)));
        }
        if let Some(link) = watched.index().and_then(|index| self.links.get(index)) {
            fitness::judge(&self.links, link)
                .map_err(|why| PlatformError::new(format!("use {}", watched.name), refused(why)))?;
        }
        let before = self.routers.remove(&key);
        if let Some(before) = before {
            let changed = before.setup.mac_mode != setup.mac_mode;
            self.routers.insert(key, before);
            if changed {
                // The new setup is to be told apart from what the old one left, if anything.
                self.strip_router(key);
            }
        }
        match self.routers.get_mut(&key) {
            Some(router) => router.setup = setup.clone(),
            None => {
                let router = Router {
                    setup: setup.clone(),
                    link: None,
                    mac_on: false,
                    reached: None,
                    mac_in_use: None,
                    served: ServedAddresses::default(),
                };
                self.routers.insert(key, router);
            }
        }
        self.untidy = true;
        self.unannounced = true;
        if attached {
            self.listen(key)?;
            self.attach_router(key)?;
        }
        Ok(())
    }

    /// Hears VRRP of the family of a virtual router on its interface.
    pub(crate) fn listen(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let Some(watched) = self.interfaces.get_mut(&HostIf::of(key)) else {
            return Ok(());
        };
        let Some(sockets) = &mut watched.sockets else {
            return Ok(());
        };
        sockets.listen(&self.epoll, key.family).map_err(|error| {
            let what = format!("listen to VRRP over {} on {}", key.family, watched.name);
            PlatformError::new(what, error)
        })
    }

    /// Makes the macvlan of a virtual router whose interface is there, and notes what will be
    /// installed for it.
    pub(crate) fn attach_router(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let Some(router) = self.routers.get(&key) else {
            return Ok(());
        };
        if router.setup.mac_mode == MacMode::Virtual && router.link.is_none() {
            self.make_link(key)?;
        }
        let Some(router) = self.routers.get(&key) else {
            return Ok(());
        };
        let mut entries = Vec::new();
        for (address, _) in &router.setup.addresses {
            if !router.setup.accept {
                let address = address.address;
                entries.push(Entry::Route { address });
            } else if let Ok(index) = self.carrier(key, *address)
                && Some(index) != router.link
                && !self.links.has_address(index, address.address)
                && let Some(link) = self.links.get(index)
            {
                entries.push(Entry::address(&link.name, *address));
            }
        }
        self.ledger.add(entries).map_err(noted)
    }

    /// Removes everything that is installed for a virtual router and keeps its setup. `false`:
    /// something refused to go, and stays in the ledger for the next life.
    pub(crate) fn strip_router(&mut self, key: VrKey) -> bool {
        let Some(router) = self.routers.get_mut(&key) else {
            return true;
        };
        router.mac_on = false;
        let clean = self.give_up_all(key);
        self.remove_link(key);
        clean
    }

    pub(crate) fn release_router(&mut self, key: VrKey) {
        let clean = self.strip_router(key);
        let Some(router) = self.routers.remove(&key) else {
            return;
        };
        if clean {
            // Notes of what was never installed. What a reload moves is another's by now.
            let of = |router: &Router| -> Vec<IpAddr> {
                let addresses = router.setup.addresses.iter();
                addresses.map(|(address, _)| address.address).collect()
            };
            let mut of_router: BTreeSet<IpAddr> = of(&router).into_iter().collect();
            for address in self.routers.values().flat_map(of) {
                of_router.remove(&address);
            }
            let _ = self.ledger.remove_where(|entry| match entry {
                Entry::Address { address, .. } | Entry::Route { address } => {
                    of_router.contains(address)
                }
                Entry::Link { .. } | Entry::Setting { .. } => false,
            });
        }
        let last = !self
            .routers
            .keys()
            .any(|k| (HostIf::of(k), k.family) == (HostIf::of(key), key.family));
        if last
            && let Some(watched) = self.interfaces.get_mut(&HostIf::of(key))
            && let Some(sockets) = &mut watched.sockets
        {
            sockets.unlisten(key.family);
        }
        self.untidy = true;
        self.unannounced = true;
    }

    /// Removes everything that is installed.
    pub(crate) fn release_everything(&mut self) -> Result<(), PlatformError> {
        // With a macvlan its addresses go.
        let links_are_gone = self.remove_links();
        if links_are_gone {
            let links = std::mem::take(&mut self.macvlans);
            for router in self.routers.values_mut() {
                router.link = None;
                router
                    .served
                    .retain(|served| !links.contains_key(&served.index));
            }
            self.places = Places::of(self.routers.values());
        }
        let keys: Vec<VrKey> = self.routers.keys().copied().collect();
        for key in keys {
            self.release_router(key);
        }
        // What fails bears our mark, and goes with the next life.
        let _ = self.network_routes();
        let restored = self.tidy_sysctls();
        if !links_are_gone || self.strays.are_there() {
            // Nothing is left to be done later.
            self.janitor.end();
            self.remove_strays()?;
        }
        restored
    }

    /// The link that an address is put on.
    pub(crate) fn carrier(
        &self,
        key: VrKey,
        address: VirtualAddress,
    ) -> Result<KernelIf, PlatformError> {
        let Some(Router { setup, link, .. }) = self.routers.get(&key) else {
            return Err(unprepared(key));
        };
        let (parent, parent_name) = self.parent(key)?;
        let named = setup.addresses.iter().find(|(a, _)| *a == address);
        match named.and_then(|(_, device)| device.as_ref()) {
            // To name the interface itself says nothing about the MAC.
            Some(device) if *device != parent_name => self.links.find(device).ok_or_else(|| {
                let what = format!("find {device}, which is to carry {}", address.address);
                PlatformError::new(what, io::Error::from_raw_os_error(libc::ENODEV))
            }),
            _ if setup.mac_mode == MacMode::Interface => Ok(parent),
            _ => link.ok_or_else(|| {
                let what = format!(
                    "find the macvlan of VRID {} on {parent_name}",
                    setup.key.vrid
                );
                PlatformError::new(what, io::Error::from_raw_os_error(libc::ENODEV))
            }),
        }
    }

    pub(crate) fn parent(&self, key: VrKey) -> Result<(KernelIf, String), PlatformError> {
        let watched = self.interfaces.get(&HostIf::of(key));
        let Some(watched) = watched else {
            return Err(unprepared(key));
        };
        match watched.index() {
            Some(index) => Ok((index, watched.name.clone())),
            None => {
                let error = io::Error::from_raw_os_error(libc::ENODEV);
                Err(PlatformError::new(format!("find {}", watched.name), error))
            }
        }
    }

    pub(crate) fn link_label(&self, index: KernelIf) -> String {
        match self.links.get(index) {
            Some(link) => link.name.clone(),
            None => format!("link {index}"),
        }
    }
}
