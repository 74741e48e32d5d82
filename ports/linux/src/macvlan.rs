//! The macvlan that carries a virtual MAC.

use std::io;

use vrrp_core::{Family, VrKey};
use vrrp_host::PlatformError;

use crate::ledger::Entry;
use crate::netlink::{self, Event, Link};
use crate::platform::LinuxPlatform;
use crate::router::{noted, unprepared};
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
                Err(PlatformError::new(what, error))
            }
        }
    }

    fn create_link(&mut self, key: VrKey, parent: u32, name: &str, alias: &str) -> io::Result<u32> {
        let mac = key.virtual_mac();
        let create = |to: &mut netlink::Requests| netlink::create_macvlan(to, parent, name, mac);
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
            return match self
                .netlink
                .perform(|to| netlink::link_flags(to, index, false))
            {
                Err(error) if error.raw_os_error() != Some(libc::ENODEV) => {
                    let what = format!("set {} down", self.link_label(index));
                    Err(PlatformError::new(what, error))
                }
                _ => Ok(()),
            };
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

    fn raise_link(&mut self, key: VrKey) -> Result<(), PlatformError> {
        self.attach_router(key)?;
        let Some(router) = self.routers.get_mut(&key) else {
            return Err(unprepared(key));
        };
        let Some(index) = router.link else {
            let what = format!("take up the MAC of VRID {}, which has none", key.vrid);
            return Err(PlatformError::new(what, io::ErrorKind::Unsupported.into()));
        };
        match self
            .netlink
            .perform(|to| netlink::link_flags(to, index, true))
        {
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

    /// Removes the macvlan. `false`: it refused to go.
    pub(crate) fn remove_link(&mut self, key: VrKey) -> bool {
        let Some(index) = self.routers.get(&key).and_then(|router| router.link) else {
            return true;
        };
        let name = self.link_label(index);
        let result = self.netlink.perform(|to| netlink::delete_link(to, index));
        self.forget_link(key);
        match result {
            Err(error) if error.raw_os_error() != Some(libc::ENODEV) => false,
            _ => {
                let mac = key.virtual_mac();
                self.ledger.remove(&Entry::Link { name, mac }).is_ok()
            }
        }
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

fn link_name(key: VrKey, parent: u32) -> String {
    let family = match key.family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    format!("vr{family}.{parent}.{}", key.vrid)
}
