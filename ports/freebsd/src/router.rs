//! What is installed for a virtual router, and its addresses.

use std::io;
use std::net::IpAddr;

use vrrp_core::{Family, MacMode, VirtualAddress, VrKey};
use vrrp_host::{HostIf, PlatformError, VrSetup};
use vrrp_port_kit::{KernelIf, Served, ServedAddresses, Serving, noted, unprepared};

use crate::carrier::{Carrier, Replaced};
use crate::errors::{explain, refused};
use crate::ledger::Entry;
use crate::platform::FreebsdPlatform;
use crate::refusals::{self, Wish};
use crate::request;
use crate::sys;

/// A virtual router that the host has prepared.
#[derive(Debug)]
pub(crate) struct Router {
    pub(crate) setup: VrSetup,
    /// The interface that carries its MAC. `None`: none yet, or it needs none.
    pub(crate) carrier: Option<Carrier>,
    /// The MAC that its own replaces now.
    pub(crate) replaced: Option<Replaced>,
    pub(crate) mac_on: bool,
    /// The addresses that it serves now.
    pub(crate) served: ServedAddresses<Entry>,
}

impl Router {
    /// Whether its MAC needs an interface of its own.
    pub(crate) fn wants_carrier(&self) -> bool {
        wants_carrier(&self.setup)
    }
}

/// Whether the MAC of a virtual router needs an interface of its own. What it sends must never leave
/// by the interface below: the bridge would learn that the MAC is there, and keep to it.
pub(crate) fn wants_carrier(setup: &VrSetup) -> bool {
    setup.mac_mode == MacMode::Virtual && !setup.replace_mac
}

impl FreebsdPlatform {
    pub(crate) fn prepare_router(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        let key = setup.key;
        let Some(watched) = self.interfaces.get(&HostIf::of(key)) else {
            let what = format!("prepare VRID {} on an interface not watched", key.vrid);
            return Err(PlatformError::new(what, io::ErrorKind::NotFound.into()));
        };
        let what = format!("prepare VRID {} on {}", key.vrid, watched.name);
        let attached = watched.sockets.is_some();
        self.check_setup(setup)
            .map_err(|why| PlatformError::new(what, refused(why)))?;
        if let Some(before) = self.routers.get(&key).map(|router| &router.setup)
            && (before.mac_mode, before.replace_mac) != (setup.mac_mode, setup.replace_mac)
        {
            // The new setup is to be told apart from what the old one left, if anything.
            self.strip_router(key);
        }
        match self.routers.get_mut(&key) {
            Some(router) => router.setup = setup.clone(),
            None => {
                let router = Router {
                    setup: setup.clone(),
                    carrier: None,
                    replaced: None,
                    mac_on: false,
                    served: ServedAddresses::default(),
                };
                self.routers.insert(key, router);
            }
        }
        self.untidy = true;
        if attached {
            self.hear(HostIf::of(key))?;
            self.attach_router(key)?;
        }
        Ok(())
    }

    /// Returns what cannot be had, and what to do about it, all at once.
    fn check_setup(&self, setup: &VrSetup) -> Result<(), String> {
        let key = setup.key;
        let watched = self.interfaces.get(&HostIf::of(key));
        let name = watched.map_or("", |w| w.name.as_str());
        let wish = Wish::of_setup(setup, name);
        let ours = |_, ip| {
            let mut served = self.routers.values().flat_map(|r| r.served.iter());
            served.any(|h| h.address.address == ip)
        };
        let mut reasons = refusals::refusals(&self.links, &wish, |i| self.kind(i), ours);
        let mut others = self
            .routers
            .iter()
            .filter(|(k, _)| **k != key && HostIf::of(*k) == HostIf::of(key));
        if others.any(|(_, r)| setup.replace_mac || r.setup.replace_mac) {
            reasons.push(format!(
                "useVMAC = replace allows one virtual router on an interface, and {name} has others"
            ));
        }
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(reasons.join("; "))
        }
    }

    /// Makes the carrier of a virtual router whose interface is there, and notes what will be
    /// installed for it.
    pub(crate) fn attach_router(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let Some(router) = self.routers.get(&key) else {
            return Ok(());
        };
        if router.wants_carrier() && router.carrier.is_none() {
            self.make_carrier(key)?;
        }
        let Some(router) = self.routers.get(&key) else {
            return Ok(());
        };
        let own = router.carrier.as_ref().map(|carrier| carrier.index);
        let mut entries = Vec::new();
        for (address, _) in &router.setup.addresses {
            let address = *address;
            if !router.setup.accept {
                let address = address.address;
                entries.push(Entry::Route { address });
            } else if let Ok(index) = self.place(key, address)
                && Some(index) != own
                && self.links.address(index, address.address).is_none()
            {
                entries.push(self.address_entry(index, address));
            }
        }
        self.ledger.add(entries).map_err(noted)
    }

    fn address_entry(&self, index: KernelIf, address: VirtualAddress) -> Entry {
        Entry::Address {
            device: self.link_label(index),
            address: address.address,
        }
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
        let change = router.served.change(address, accept, on);
        if let Some(served) = change.give_up {
            self.untidy = true;
            self.give_up(served)?;
        }
        if !change.serve {
            return Ok(());
        }
        let index = self.place(key, address)?;
        let served = if accept {
            self.install(key, index, address)?
        } else {
            self.swallow(index, address)?
        };
        self.untidy = true;
        if let Some(router) = self.routers.get_mut(&key) {
            router.served.push(served);
        }
        Ok(())
    }

    fn install(
        &mut self,
        key: VrKey,
        index: KernelIf,
        address: VirtualAddress,
    ) -> Result<Served<Entry>, PlatformError> {
        let ip = address.address;
        let device = self.link_label(index);
        let what = format!("add address {ip} to {device}");
        let failed = |error| PlatformError::new(what.clone(), error);
        let carrier = self.routers.get(&key).and_then(|r| r.carrier.as_ref());
        let on_carrier = carrier.is_some_and(|carrier| carrier.index == index);
        let entry = self.address_entry(index, address);
        let others = self
            .routers
            .values()
            .flat_map(|router| router.served.iter());
        let ours = others
            .into_iter()
            .any(|h| h.how == Serving::Installed && h.index == index && h.address.address == ip);
        if !ours && let Some(known) = self.links.address(index, ip) {
            if known.vhid != 0 {
                let why = format!("it is there by carp, vhid {}", known.vhid);
                return Err(failed(refused(why)));
            }
            // Noted before somebody else put it there.
            self.ledger.remove(&entry).map_err(noted)?;
            let how = Serving::Adopted;
            return Ok(Served {
                address,
                index,
                how,
                entry,
            });
        }
        if !on_carrier {
            // An address on a carrier goes with it.
            self.ledger.add([entry.clone()]).map_err(noted)?;
        }
        if !ours {
            match ip {
                IpAddr::V6(_) if !on_carrier => self.add_undetected(&device, ip),
                _ => self.add(&device, ip),
            }
            .map_err(failed)?;
        }
        let how = Serving::Installed;
        Ok(Served {
            address,
            index,
            how,
            entry,
        })
    }

    fn add(&self, device: &str, ip: IpAddr) -> io::Result<()> {
        let mut request = request::add_address(device, ip)?;
        sys::ioctl(self.requester(Family::of(ip))?, &mut request).map_err(|error| {
            match error.raw_os_error() {
                Some(libc::EINVAL) => explain(
                    error,
                    "is the interface a member of a bridge? Then virtual routers belong on the bridge",
                ),
                Some(libc::EPERM) => explain(error, "in a jail, vnet is needed"),
                _ => error,
            }
        })
    }

    /// Adds an IPv6 address to an interface that is not ours alone, without asking the segment
    /// whether somebody has it: the router that we take over from may still answer. Whether to ask
    /// is decided for the whole interface, at the moment that an address is added.
    fn add_undetected(&mut self, device: &str, ip: IpAddr) -> io::Result<()> {
        let before = self.nd_flags(device)?;
        if before & crate::abi::ND6_IFF_NO_DAD != 0 {
            return self.add(device, ip);
        }
        let entry = Entry::Detection {
            device: device.into(),
        };
        self.ledger.add([entry.clone()])?;
        self.set_nd_flags(device, before | crate::abi::ND6_IFF_NO_DAD)?;
        let added = self.add(device, ip);
        // Adding the first address may have enabled IPv6: only the one flag is put back.
        let now = self.nd_flags(device).unwrap_or(before);
        let restored = self.set_nd_flags(device, now & !crate::abi::ND6_IFF_NO_DAD);
        let noted = restored.and_then(|()| self.ledger.remove(&entry));
        added.and(noted)
    }

    /// Serves an address without accepting: packets to it are dropped, not sent around.
    fn swallow(
        &mut self,
        index: KernelIf,
        address: VirtualAddress,
    ) -> Result<Served<Entry>, PlatformError> {
        let ip = address.address;
        let entry = Entry::Route { address: ip };
        self.ledger.add([entry.clone()]).map_err(noted)?;
        let route = match self.blackhole(address, true) {
            Ok(()) => true,
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => false,
            Err(error) => {
                let error = match error.raw_os_error() {
                    Some(libc::EOPNOTSUPP) => {
                        explain(error, "it leads to lo0, which has no address of the family")
                    }
                    _ => error,
                };
                let what = format!("add blackhole route {ip}");
                return Err(PlatformError::new(what, error));
            }
        };
        let how = Serving::Silent { route };
        Ok(Served {
            address,
            index,
            how,
            entry,
        })
    }

    pub(crate) fn blackhole(&mut self, address: VirtualAddress, on: bool) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let message = request::blackhole(address, on, self.sequence);
        sys::write(&self.routing, &message).map(drop)
    }

    fn give_up(&mut self, served: Served<Entry>) -> Result<(), PlatformError> {
        let ip = served.address.address;
        let still_held = |other: &Served<Entry>| {
            other.how == served.how
                && (other.index, other.address) == (served.index, served.address)
        };
        if self
            .routers
            .values()
            .any(|r| r.served.iter().any(still_held))
        {
            // A reload moves it from one virtual router to another.
            return Ok(());
        }
        let (result, what) = match served.how {
            Serving::Adopted | Serving::Silent { route: false } => return Ok(()),
            Serving::Installed => {
                let device = self.link_label(served.index);
                let result = request::remove_address(&device, ip).and_then(|mut request| {
                    sys::ioctl(self.requester(Family::of(ip))?, &mut request)
                });
                (result, format!("remove address {ip} from {device}"))
            }
            Serving::Silent { route: true } => {
                let result = self.blackhole(served.address, false);
                (result, format!("remove blackhole route {ip}"))
            }
        };
        match result {
            Err(error) if is_gone(&error) => Ok(()),
            other => other.map_err(|error| PlatformError::new(what, error)),
        }
    }

    /// Removes everything that is installed for a virtual router and keeps its setup. `false`:
    /// something refused to go, and stays in the ledger for the next life.
    pub(crate) fn strip_router(&mut self, key: VrKey) -> bool {
        let Some(router) = self.routers.get_mut(&key) else {
            return true;
        };
        let mut clean = true;
        for served in router.served.take() {
            let entry = served.entry.clone();
            let gone = self.give_up(served).is_ok() && self.ledger.remove(&entry).is_ok();
            clean &= gone;
        }
        clean &= self.restore_mac(key).is_ok();
        clean &= self.remove_carrier(key);
        if let Some(router) = self.routers.get_mut(&key) {
            router.mac_on = false;
        }
        self.untidy = true;
        clean
    }

    /// As [`strip_router`](Self::strip_router), and forgets the setup.
    pub(crate) fn release_router(&mut self, key: VrKey) -> bool {
        let mut clean = self.strip_router(key);
        let Some(router) = self.routers.remove(&key) else {
            return clean;
        };
        if clean {
            // Notes of what was never installed.
            let of_router = |ip| router.setup.addresses.iter().any(|(a, _)| a.address == ip);
            let _ = self.ledger.remove_where(|entry| match entry {
                Entry::Address { address, .. } | Entry::Route { address } => of_router(*address),
                _ => false,
            });
        }
        let mut others = self
            .routers
            .iter()
            .filter(|(k, _)| HostIf::of(*k) == HostIf::of(key));
        if !others.any(|(_, router)| router.wants_carrier()) {
            clean &= self.remove_bridge(HostIf::of(key));
        }
        clean
    }

    /// Removes everything that is installed. `false`: something refused to go.
    pub(crate) fn release_everything(&mut self) -> bool {
        let keys: Vec<VrKey> = self.routers.keys().copied().collect();
        let mut clean = true;
        for key in keys {
            clean &= self.release_router(key);
        }
        clean
    }

    /// The interface that an address is put on.
    fn place(&self, key: VrKey, address: VirtualAddress) -> Result<KernelIf, PlatformError> {
        let Some(router) = self.routers.get(&key) else {
            return Err(unprepared(key));
        };
        let (parent, parent_name) = self.parent(key)?;
        let absent =
            |what: String| PlatformError::new(what, io::Error::from_raw_os_error(libc::ENXIO));
        let named = router.setup.addresses.iter().find(|(a, _)| *a == address);
        match named.and_then(|(_, device)| device.as_ref()) {
            // To name the interface itself says nothing about the MAC.
            Some(device) if *device != parent_name => self.links.find(device).ok_or_else(|| {
                absent(format!(
                    "find {device}, which is to carry {}",
                    address.address
                ))
            }),
            _ if !router.wants_carrier() => Ok(parent),
            _ => router
                .carrier
                .as_ref()
                .map(|carrier| carrier.index)
                .ok_or_else(|| {
                    absent(format!(
                        "find the carrier of VRID {} on {parent_name}",
                        key.vrid
                    ))
                }),
        }
    }

    pub(crate) fn parent(&self, key: VrKey) -> Result<(KernelIf, String), PlatformError> {
        let Some(watched) = self.interfaces.get(&HostIf::of(key)) else {
            return Err(unprepared(key));
        };
        match watched.index() {
            Some(index) => Ok((index, watched.name.clone())),
            None => {
                let error = io::Error::from_raw_os_error(libc::ENXIO);
                Err(PlatformError::new(format!("find {}", watched.name), error))
            }
        }
    }

    pub(crate) fn link_label(&self, index: KernelIf) -> String {
        let carriers = self.routers.values().filter_map(|r| r.carrier.as_ref());
        let carrier = carriers.into_iter().find(|carrier| carrier.index == index);
        match (self.links.get(index), carrier) {
            (_, Some(carrier)) => carrier.name.clone(),
            (Some(link), None) => link.name.clone(),
            (None, None) => format!("interface {index}"),
        }
    }
}

/// What refused to go was gone already, by itself or with its interface.
pub(crate) fn is_gone(error: &io::Error) -> bool {
    let gone = [
        libc::EADDRNOTAVAIL,
        libc::ENXIO,
        libc::ESRCH,
        libc::ENOENT,
        libc::ENODEV,
    ];
    error
        .raw_os_error()
        .is_some_and(|number| gone.contains(&number))
}
