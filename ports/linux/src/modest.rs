//! Settings and sockets that depend on all virtual routers together: who must not answer, and
//! whom the host answers for.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use vrrp_core::Family;
use vrrp_host::PlatformError;
use vrrp_host::port::{How, Port};

use crate::ledger::Entry;
use crate::platform::LinuxPlatform;
use crate::settings::{self, MODEST_IPV4};

/// A setting of an interface that we changed.
#[derive(Debug)]
pub(crate) struct Hold {
    index: u32,
    entry: Entry,
}

impl LinuxPlatform {
    /// Makes settings and sockets as the virtual routers want them, where that may have changed.
    pub(crate) fn tidy(&mut self) -> Result<(), PlatformError> {
        if !self.untidy {
            return Ok(());
        }
        self.hear_questions()?;
        self.make_modest()?;
        self.untidy = false;
        Ok(())
    }

    /// Questions for the addresses that are served without being accepted come to the host.
    fn hear_questions(&mut self) -> Result<(), PlatformError> {
        for (number, watched) in &mut self.interfaces {
            let Some(sockets) = &mut watched.port else {
                continue;
            };
            let routers = self
                .routers
                .iter()
                .filter(|(key, _)| key.ifindex == *number);
            let mut targets: Vec<IpAddr> = routers
                .flat_map(|(_, router)| router.held.iter())
                .filter(|held| matches!(held.how, How::Silent { .. }))
                .map(|held| held.address.address)
                .collect();
            targets.sort_unstable();
            sockets
                .hear_questions(&self.epoll, &targets)
                .map_err(|error| {
                    PlatformError::new(format!("hear ARP and NS on {}", watched.name), error)
                })?;
        }
        Ok(())
    }

    /// The interface of an IPv4 virtual router, and any other that is in the subnet of its
    /// addresses, answer ARP for their own addresses only, and name only those.
    fn make_modest(&mut self) -> Result<(), PlatformError> {
        let mut wanted = BTreeSet::new();
        for (key, router) in self
            .routers
            .iter()
            .filter(|(key, _)| key.family == Family::Ipv4)
        {
            let watched = self.interfaces.get(&key.ifindex);
            let Some(sockets) = watched.and_then(|w| w.port.as_ref()) else {
                continue;
            };
            wanted.insert(sockets.index());
            for (address, _) in &router.setup.addresses {
                if let IpAddr::V4(ip) = address.address {
                    wanted.extend(self.links.beside(ip).map(|link| link.index));
                }
            }
        }
        // They were born so.
        wanted.retain(|index| !self.macvlans.contains_key(index));
        if wanted == self.modest {
            return Ok(());
        }
        for index in self.modest.difference(&wanted).copied().collect::<Vec<_>>() {
            self.restore(index);
            self.modest.remove(&index);
        }
        for index in wanted.difference(&self.modest.clone()) {
            self.hold(*index)?;
            self.modest.insert(*index);
        }
        Ok(())
    }

    fn hold(&mut self, index: u32) -> Result<(), PlatformError> {
        let Some(link) = self.links.get(index) else {
            return Ok(());
        };
        let device = link.name.clone();
        for (name, least) in MODEST_IPV4 {
            let what = || format!("set {name} of {device} to {least}");
            let old = match settings::read("ipv4", &device, name) {
                Ok(old) => old,
                // The interface has just gone.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(PlatformError::new(what(), error)),
            };
            if old.parse().is_ok_and(|old: u32| old >= *least) {
                continue;
            }
            let entry = Entry::Setting {
                device: device.clone(),
                name: (*name).into(),
                old,
                new: least.to_string(),
            };
            self.ledger
                .add([entry.clone()])
                .and_then(|()| settings::write("ipv4", &device, name, &least.to_string()))
                .map_err(|error| PlatformError::new(what(), error))?;
            self.holds.push(Hold { index, entry });
        }
        Ok(())
    }

    /// Puts back what was there before, unless somebody has changed it since.
    fn restore(&mut self, index: u32) {
        // The interface may have another name by now; a new one of the old name is another one.
        let device = self.links.get(index).map(|link| link.name.clone());
        let (over, holds) = std::mem::take(&mut self.holds)
            .into_iter()
            .partition(|hold| hold.index == index);
        self.holds = holds;
        let over: Vec<Hold> = over;
        for hold in over {
            if let (Some(device), Entry::Setting { name, old, new, .. }) = (&device, &hold.entry) {
                settings::restore(device, name, old, new);
            }
            // If the ledger cannot be written the next life restores it, or finds it restored.
            let _ = self.ledger.remove(&hold.entry);
        }
    }
}
