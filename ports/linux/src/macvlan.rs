//! The macvlan that carries a virtual MAC.

use std::hash::{Hash as _, Hasher as _};
use std::io;

use vrrp_core::{Family, VrKey};
use vrrp_host::PlatformError;
use vrrp_host::port::{noted, unprepared};

use crate::fitness::explain_no_macvlan;
use crate::janitor::Janitor;
use crate::ledger::Entry;
use crate::netlink::{self, Event, Link};
use crate::platform::LinuxPlatform;
use crate::settings;
use crate::sys;

impl LinuxPlatform {
    pub(crate) fn make_link(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let (parent, parent_name) = self.parent(key)?;
        let name = link_name(key, parent);
        let what = format!("create macvlan {name} on {parent_name}");
        if name.len() > 15 {
            return Err(PlatformError::new(what, io::ErrorKind::InvalidInput.into()));
        }
        let mac = key.virtual_mac();
        let entry = Entry::Link {
            name: name.clone(),
            mac,
        };
        self.ledger.add([entry.clone()]).map_err(noted)?;
        let alias = link_alias(self.ledger.token());
        let result = self.create_link(key, parent, &name, &alias);
        match result {
            Ok(index) => {
                self.macvlans.insert(index, key);
                if let Some(router) = self.routers.get_mut(&key) {
                    router.link = Some(index);
                }
                // Its notice has not been read yet.
                self.links.apply(Event::Link(Link {
                    index,
                    name,
                    mac,
                    alias,
                    ..Link::default()
                }));
                Ok(())
            }
            Err(error) => {
                // Nothing was left behind by this life.
                let _ = self.ledger.remove(&entry);
                let error = explain_no_macvlan(error, self.links.get(parent));
                Err(PlatformError::new(what, error))
            }
        }
    }

    fn create_link(&mut self, key: VrKey, parent: u32, name: &str, alias: &str) -> io::Result<u32> {
        let (mac, group) = (key.virtual_mac(), link_group(self.ledger.token()));
        let create =
            |to: &mut netlink::Requests| netlink::create_macvlan(to, parent, name, mac, group);
        if let Some(index) = self.leaving.remove(name) {
            // The one of before has not gone yet.
            self.janitor.hurry(index);
        }
        if let Err(error) = self.netlink.perform(create) {
            if error.raw_os_error() != Some(libc::EEXIST) || !self.remove_stray(name, key)? {
                return Err(error);
            }
            self.netlink.perform(create)?;
        }
        let index = sys::interface_index(name)?;
        let result = self.quieten(key.family, name, alias);
        if result.is_err() {
            // Better no macvlan than one that talks.
            let _ = self.netlink.perform(|to| netlink::delete_link(to, index));
        }
        result.map(|()| index)
    }

    /// What must be set on a macvlan before it is up for the first time.
    fn quieten(&mut self, family: Family, name: &str, alias: &str) -> io::Result<()> {
        let all = settings::read("ipv4", "all", "rp_filter").unwrap_or_default();
        let (rp_filter, ipv6) = (settings::rp_filter(&all), self.has_ipv6);
        self.netlink
            .perform(|to| netlink::link_settings(to, name, alias, rp_filter, ipv6))?;
        if !ipv6 {
            return Ok(());
        }
        let wanted = match family {
            Family::Ipv4 => settings::NO_IPV6,
            Family::Ipv6 => settings::QUIET_IPV6,
        };
        for (setting, value) in wanted {
            settings::write("ipv6", name, setting, value)?;
        }
        Ok(())
    }

    /// Removes a macvlan that an earlier life left and whose ledger is lost. `false`: the link is
    /// somebody else's.
    fn remove_stray(&mut self, name: &str, key: VrKey) -> io::Result<bool> {
        self.resync()?;
        let Some(link) = self.links.find(name).and_then(|i| self.links.get(i)) else {
            return Ok(false);
        };
        let token = link.alias.strip_prefix(ALIAS);
        let stray = link.kind == "macvlan"
            && link.mac == key.virtual_mac()
            && token.is_some_and(|token| !self.ledger.is_known(token));
        let index = link.index;
        if stray {
            self.netlink.perform(|to| netlink::delete_link(to, index))?;
        }
        Ok(stray)
    }

    pub(crate) fn set_router_mac(&mut self, key: VrKey, on: bool) -> Result<(), PlatformError> {
        let Some(router) = self.routers.get(&key) else {
            return Err(unprepared(key));
        };
        if !on {
            let link = router.link;
            if let Some(router) = self.routers.get_mut(&key) {
                router.mac_on = false;
            }
            let Some(index) = link else {
                return Ok(());
            };
            let hushed = self.set_ipv6(key, index, false);
            let deaf = self.deafen(index);
            return hushed.and(deaf).map_err(|error| {
                let what = format!("set {} down", self.link_label(index));
                PlatformError::new(what, error)
            });
        }
        self.tidy()?;
        match self.raise_link(key) {
            // Somebody removed it and the notice has not been read yet.
            Err(error) if error.error.raw_os_error() == Some(libc::ENODEV) => {
                self.forget_link(key);
                self.raise_link(key)
            }
            other => other,
        }
    }

    /// Without IPv6 a macvlan that is still open reports to nobody that it leaves the groups of its
    /// addresses: such a report would come from the virtual MAC.
    fn set_ipv6(&mut self, key: VrKey, index: u32, on: bool) -> io::Result<()> {
        if key.family == Family::Ipv4 {
            return Ok(());
        }
        let value = if on { "0" } else { "1" };
        match settings::write("ipv6", &self.link_label(index), "disable_ipv6", value) {
            // Somebody has removed it, which the caller finds out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Closing takes time that a Backup must not be heard in: frames to the virtual MAC are for
    /// the successor, to be neither taken nor forwarded here (M-2).
    fn deafen(&mut self, index: u32) -> io::Result<()> {
        let all = settings::read("ipv4", "all", "rp_filter").unwrap_or_default();
        let result = match settings::deaf_rp_filter(&all) {
            Some(filter) => self
                .netlink
                .perform(|to| netlink::link_rp_filter(to, index, filter))
                .and(self.janitor.close(index)),
            // It cannot be filtered, so that it is closed at once, however long that takes.
            None => self
                .netlink
                .perform(|to| netlink::link_flags(to, index, false)),
        };
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => other,
        }
    }

    fn raise_link(&mut self, key: VrKey) -> Result<(), PlatformError> {
        self.attach_router(key)?;
        let Some(router) = self.routers.get(&key) else {
            return Err(unprepared(key));
        };
        let Some(index) = router.link else {
            let what = format!("take up the MAC of VRID {}, which has none", key.vrid);
            return Err(PlatformError::new(what, io::ErrorKind::Unsupported.into()));
        };
        self.janitor.settle(index);
        let result = self.set_ipv6(key, index, true).and_then(|()| {
            let all = settings::read("ipv4", "all", "rp_filter").unwrap_or_default();
            let filter = settings::rp_filter(&all);
            self.netlink.perform(|to| {
                netlink::link_rp_filter(to, index, filter);
                netlink::link_flags(to, index, true);
            })
        });
        let Some(router) = self.routers.get_mut(&key) else {
            return Err(unprepared(key));
        };
        match result {
            Ok(()) => {
                router.mac_on = true;
                Ok(())
            }
            Err(error) => {
                let what = format!("set {} up", self.link_label(index));
                Err(PlatformError::new(what, error))
            }
        }
    }

    /// Has the macvlan removed. Its ledger entry stays: a link that is gone is no leftover.
    pub(crate) fn remove_link(&mut self, key: VrKey) {
        let Some(index) = self.routers.get(&key).and_then(|router| router.link) else {
            return;
        };
        let name = self.link_label(index);
        if self.janitor.delete(index).is_ok() {
            self.leaving.insert(name, index);
        }
        self.forget_link(key);
    }

    /// Removes all macvlans of this life in one request. `false`: they refused to go.
    pub(crate) fn remove_links(&mut self) -> bool {
        // What the thread has not done is done by this.
        self.janitor = Janitor::default();
        if self.macvlans.is_empty() && self.leaving.is_empty() {
            return true;
        }
        let group = link_group(self.ledger.token());
        let result = self.netlink.perform(|to| netlink::delete_group(to, group));
        let gone = result.is_ok() || self.resync().is_ok_and(|()| !self.has_links());
        if gone {
            let _ = self
                .ledger
                .remove_where(|e| matches!(e, Entry::Link { .. }));
        }
        gone
    }

    fn has_links(&self) -> bool {
        let left = |index| self.links.get(index).is_some();
        self.macvlans.keys().copied().any(left) || self.leaving.values().copied().any(left)
    }

    fn forget_link(&mut self, key: VrKey) {
        if let Some(router) = self.routers.get_mut(&key)
            && let Some(index) = router.link.take()
        {
            self.macvlans.remove(&index);
            self.links.apply(Event::LinkGone(index));
        }
    }
}

/// What the alias of our macvlans begins with; the token of the ledger follows.
pub(crate) const ALIAS: &str = "vrrp ";

/// The alias that marks a macvlan as ours.
pub(crate) fn link_alias(token: &str) -> String {
    format!("{ALIAS}{token}")
}

/// The device group of the macvlans of one life, by which they can be removed together.
pub(crate) fn link_group(token: &str) -> u32 {
    let mut hasher = std::hash::DefaultHasher::new();
    token.hash(&mut hasher);
    // Far above what people number their groups with.
    0x4000_0000 | (hasher.finish() as u32 & 0x3fff_ffff)
}

fn link_name(key: VrKey, parent: u32) -> String {
    let family = match key.family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    format!("vr{family}.{parent}.{}", key.vrid)
}
