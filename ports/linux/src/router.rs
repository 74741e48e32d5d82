//! What is installed for a virtual router, and its addresses.

use std::io;

use vrrp_core::{MacMode, VirtualAddress, VrKey};
use vrrp_host::port::{Held, HeldAddresses, How, noted, refused, unprepared};
use vrrp_host::{PlatformError, VrSetup};

use crate::fitness;
use crate::ledger::Entry;
use crate::netlink::{self, OUR_PROTOCOL};
use crate::platform::LinuxPlatform;

/// A virtual router that the host has prepared.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) setup: VrSetup,
    /// The operating system's number of its macvlan.
    pub(crate) link: Option<u32>,
    pub(crate) mac_on: bool,
    /// The error of the last attempt to take up the MAC, if somebody else had it.
    pub(crate) mac_in_use: Option<String>,
    /// The addresses that it serves now.
    pub(crate) held: HeldAddresses<Entry>,
}

impl LinuxPlatform {
    pub(crate) fn prepare_router(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        let key = setup.key;
        let Some(watched) = self.interfaces.get(&key.ifindex) else {
            let what = format!("prepare VRID {} on an interface not watched", key.vrid);
            return Err(PlatformError::new(what, io::ErrorKind::NotFound.into()));
        };
        let what = format!("prepare VRID {} on {}", key.vrid, watched.name);
        let attached = watched.port.is_some();
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
                    mac_in_use: None,
                    held: HeldAddresses::default(),
                };
                self.routers.insert(key, router);
            }
        }
        self.untidy = true;
        if attached {
            self.listen(key)?;
            self.attach_router(key)?;
        }
        Ok(())
    }

    /// Hears VRRP of the family of a virtual router on its interface.
    pub(crate) fn listen(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let Some(watched) = self.interfaces.get_mut(&key.ifindex) else {
            return Ok(());
        };
        let Some(sockets) = &mut watched.port else {
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

    pub(crate) fn set_router_address(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        accept: bool,
        on: bool,
    ) -> Result<(), PlatformError> {
        let Some(router) = self.routers.get_mut(&key) else {
            return Err(unprepared(key));
        };
        let change = router.held.change(address, accept, on);
        let link = router.link;
        if let Some(held) = change.give_up {
            self.unheard |= !self.is_answered(key, &held);
            let result = self.give_up_or_retry(held);
            if !change.serve {
                let filled = link.map_or(Ok(()), |link| self.fill(key, link));
                return result.and(filled);
            }
            result?;
        }
        if !change.serve {
            return Ok(());
        }
        let index = self.carrier(key, address)?;
        let held = if accept {
            self.tidy_sysctls()?;
            self.install(index, address)?
        } else {
            self.swallow(index, address)?
        };
        self.unheard |= !self.is_answered(key, &held);
        if let Some(router) = self.routers.get_mut(&key) {
            router.held.push(held);
        }
        link.map_or(Ok(()), |link| self.fill(key, link))
    }

    fn install(
        &mut self,
        index: u32,
        address: VirtualAddress,
    ) -> Result<Held<Entry>, PlatformError> {
        let device = self.link_label(index);
        let entry = Entry::address(&device, address);
        if !self.macvlans.contains_key(&index) {
            // An address on a macvlan goes with it.
            self.ledger.add([entry.clone()]).map_err(noted)?;
        }
        let installed = self.as_installed(index, address);
        let add = |to: &mut netlink::Requests| netlink::address(to, index, installed, true);
        let held = |how| Held {
            address,
            index,
            how,
            entry: entry.clone(),
        };
        let mut added = self.netlink.perform(add);
        if let Err(error) = &added
            && error.kind() == io::ErrorKind::PermissionDenied
            && let Some(key) = self.macvlans.get(&index)
        {
            // Somebody has taken IPv6 from the macvlan.
            added = self
                .give_ipv6(*key, index)
                .and_then(|()| self.netlink.perform(add));
        }
        let how = match added {
            Ok(()) => How::Installed,
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                self.resync()
                    .map_err(|error| PlatformError::new("list the addresses", error))?;
                let known = self.links.address(index, address.address);
                let ours = known.is_some_and(|a| a.protocol == OUR_PROTOCOL);
                // An address on a macvlan of ours can be nobody else's.
                if self.macvlans.contains_key(&index) || ours && self.ledger.contains(&entry) {
                    How::Installed
                } else {
                    self.ledger.remove(&entry).map_err(noted)?;
                    How::Adopted
                }
            }
            Err(error) => {
                let (ip, len) = (installed.address, installed.prefix_len);
                let what = format!("add address {ip}/{len} to {device}");
                let error = PlatformError::new(what, error);
                // The answer may be what was lost.
                self.strays.keep(held(How::Installed), None);
                return Err(error);
            }
        };
        Ok(held(how))
    }

    /// Serves an address without accepting: packets to it are dropped, not sent around.
    fn swallow(
        &mut self,
        index: u32,
        address: VirtualAddress,
    ) -> Result<Held<Entry>, PlatformError> {
        let ip = address.address;
        let entry = Entry::Route { address: ip };
        self.ledger.add([entry.clone()]).map_err(noted)?;
        let held = |route| Held {
            address,
            index,
            how: How::Silent { route },
            entry: entry.clone(),
        };
        let route = match self.netlink.perform(|to| netlink::blackhole(to, ip, true)) {
            Ok(()) => true,
            // The route of an earlier try, or of somebody else.
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {
                self.strays.forget_route(ip)
            }
            Err(error) => {
                self.strays.keep(held(true), None);
                let what = format!("add blackhole route {ip}");
                return Err(PlatformError::new(what, error));
            }
        };
        Ok(held(route))
    }

    /// Ceases to serve an address. Where that fails it is tried again until it succeeds.
    fn give_up_or_retry(&mut self, held: Held<Entry>) -> Result<(), PlatformError> {
        match self.give_up(&held) {
            Err(error) => {
                self.strays.keep(held, Some(&error));
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    pub(crate) fn give_up(&mut self, held: &Held<Entry>) -> Result<(), PlatformError> {
        let (ip, index) = (held.address.address, held.index);
        let (result, what) = match held.how {
            How::Adopted => return Ok(()),
            How::Installed => {
                let installed = self.as_installed(index, held.address);
                let remove =
                    |to: &mut netlink::Requests| netlink::address(to, index, installed, false);
                let what = format!("remove address {ip} from {}", self.link_label(index));
                (self.netlink.perform(remove), what)
            }
            How::Silent { route } => {
                self.unheard = true;
                let result = match route {
                    true => self.netlink.perform(|to| netlink::blackhole(to, ip, false)),
                    false => Ok(()),
                };
                (result, format!("remove blackhole route {ip}"))
            }
        };
        match result {
            // Gone already, by itself or with its interface.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EADDRNOTAVAIL | libc::ENODEV | libc::ESRCH)
                ) =>
            {
                Ok(())
            }
            other => other.map_err(|error| PlatformError::new(what, error)),
        }
    }

    /// Removes everything that is installed for a virtual router and keeps its setup. `false`:
    /// something refused to go, and stays in the ledger for the next life.
    pub(crate) fn strip_router(&mut self, key: VrKey) -> bool {
        let Some(router) = self.routers.get_mut(&key) else {
            return true;
        };
        router.mac_on = false;
        let mut clean = true;
        for held in router.held.take() {
            let entry = held.entry.clone();
            let gone = self.give_up_or_retry(held).is_ok() && self.ledger.remove(&entry).is_ok();
            clean &= gone;
        }
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
            let has =
                |router: &Router, ip| router.setup.addresses.iter().any(|(a, _)| a.address == ip);
            let others = &self.routers;
            let of_router = |ip| has(&router, ip) && !others.values().any(|other| has(other, ip));
            let _ = self.ledger.remove_where(|entry| match entry {
                Entry::Address { address, .. } | Entry::Route { address } => of_router(*address),
                Entry::Link { .. } | Entry::Setting { .. } => false,
            });
        }
        let last = !self
            .routers
            .keys()
            .any(|k| (k.ifindex, k.family) == (key.ifindex, key.family));
        if last
            && let Some(watched) = self.interfaces.get_mut(&key.ifindex)
            && let Some(sockets) = &mut watched.port
        {
            sockets.unlisten(key.family);
        }
        self.untidy = true;
    }

    /// Removes everything that is installed.
    pub(crate) fn release_everything(&mut self) -> Result<(), PlatformError> {
        // With a macvlan its addresses go.
        let links_are_gone = self.remove_links();
        if links_are_gone {
            let links = std::mem::take(&mut self.macvlans);
            for router in self.routers.values_mut() {
                router.link = None;
                router.held.retain(|held| !links.contains_key(&held.index));
            }
        }
        let keys: Vec<VrKey> = self.routers.keys().copied().collect();
        for key in keys {
            self.release_router(key);
        }
        let restored = self.tidy_sysctls();
        if !links_are_gone || self.strays.are_there() {
            // Nothing is left to be done later.
            self.janitor.end();
            self.remove_strays()?;
        }
        restored
    }

    /// The link that an address is put on.
    fn carrier(&self, key: VrKey, address: VirtualAddress) -> Result<u32, PlatformError> {
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

    pub(crate) fn parent(&self, key: VrKey) -> Result<(u32, String), PlatformError> {
        let watched = self.interfaces.get(&key.ifindex);
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

    pub(crate) fn link_label(&self, index: u32) -> String {
        match self.links.get(index) {
            Some(link) => link.name.clone(),
            None => format!("link {index}"),
        }
    }
}
