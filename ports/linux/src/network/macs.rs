//! The macvlan that carries a virtual MAC.

use std::io;

use vrrp_core::{Family, VirtualAddress, VrKey};
use vrrp_host::PlatformError;
use vrrp_port_kit::{KernelIf, Port as _, Served, Serving, noted, unprepared};

use super::Network;
use crate::fitness::{self, explain_no_macvlan};
use crate::instances;
use crate::ledger::Entry;
use crate::leftovers;
use crate::names::{link_alias, link_group, link_name};
use crate::netlink::{self, Address, Event, Link, OUR_PROTOCOL};
use crate::sysctl::files;
use crate::sysctl::table::{DEAF, Sysctl};

impl Network {
    pub(super) fn make_macvlan(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let (parent, parent_name) = self.state.table.interfaces.parent(key)?;
        let name = link_name(key.family, key.vrid, parent);
        let what = format!("create macvlan {name} on {parent_name}");
        if name.len() > 15 {
            return Err(PlatformError::new(what, io::ErrorKind::InvalidInput.into()));
        }
        let mac = key.virtual_mac();
        let entry = Entry::Link {
            name: name.clone(),
            mac,
        };
        self.installer.ledger.add([entry.clone()]).map_err(noted)?;
        let alias = link_alias(self.installer.ledger.token());
        let result = self.create_link(key, parent, &name, &alias);
        match result {
            Ok(index) => {
                self.state.add_macvlan(key, index);
                // Its notice has not been read yet.
                self.state.links.apply(Event::Link(Link {
                    name,
                    mac,
                    alias,
                    ..Link::new(index)
                }));
                Ok(())
            }
            Err(error) => {
                // The note stays where it cannot be told that nothing was left.
                if self.remove_named(&name).is_ok() {
                    let _ = self.installer.ledger.remove(&entry);
                }
                let error = explain_no_macvlan(error, self.state.links.get(parent));
                Err(PlatformError::new(what, error))
            }
        }
    }

    fn create_link(
        &mut self,
        key: VrKey,
        parent: KernelIf,
        name: &str,
        alias: &str,
    ) -> io::Result<KernelIf> {
        let (mac, group) = (key.virtual_mac(), link_group(self.installer.ledger.token()));
        let create =
            |to: &mut netlink::Requests| netlink::create_macvlan(to, parent, name, mac, group);
        // The one of before may not have gone yet.
        self.reaper.hurry(name);
        if let Err(error) = self.installer.netlink.perform(create) {
            if error.raw_os_error() != Some(libc::EEXIST) || !self.remove_stray(name, key)? {
                return Err(error);
            }
            self.installer.netlink.perform(create)?;
        }
        // Without a descriptor more, of which there may be none left.
        let index = self
            .installer
            .netlink
            .find_link(name)?
            .ok_or(io::ErrorKind::NotFound)?
            .index;
        self.quieten(key, parent, (index, name), alias)?;
        Ok(index)
    }

    /// Removes a macvlan of this life that could not be made wholly: better none than one that talks.
    fn remove_named(&mut self, name: &str) -> io::Result<()> {
        let found = self.installer.netlink.find_link(name);
        let ours = |link: &Link| self.is_of_this_life(link);
        let result = match found {
            Ok(Some(link)) if ours(&link) => self
                .installer
                .netlink
                .perform(|to| netlink::delete_link(to, link.index)),
            Ok(_) => return Ok(()),
            Err(error) => Err(error),
        };
        self.installer
            .retry_removal(result, || format!("remove {name}"))
    }

    /// Whether a macvlan was made by this platform, marked or not yet.
    pub(super) fn is_of_this_life(&self, link: &Link) -> bool {
        let token = self.installer.ledger.token();
        link.kind == "macvlan"
            && (link.alias == link_alias(token)
                || link.alias.is_empty() && link.group == link_group(token))
    }

    /// Sets what a macvlan needs before it is up for the first time.
    fn quieten(
        &mut self,
        key: VrKey,
        parent: KernelIf,
        link: (KernelIf, &str),
        alias: &str,
    ) -> io::Result<()> {
        let (name, ipv6) = (link.1, self.has_ipv6);
        let sysctls = self.sysctls.ipv4_sysctls(&self.state, key, parent, false);
        self.installer
            .netlink
            .perform(|to| netlink::link_settings(to, name, alias, &sysctls, ipv6))?;
        self.sysctls.set_ipv6_sysctls(key, parent, link)
    }

    /// Removes a macvlan that an earlier life, or a try of this one, has left. `false`: the link is
    /// somebody else's.
    fn remove_stray(&mut self, name: &str, key: VrKey) -> io::Result<bool> {
        self.resync()?;
        let Some(link) = self
            .state
            .links
            .find(name)
            .and_then(|i| self.state.links.get(i))
        else {
            return Ok(false);
        };
        if !leftovers::is_marked(link) || link.mac != key.virtual_mac() {
            return Ok(false);
        }
        let living = instances::others(&self.place, self.installer.ledger.token())?;
        let stray = !living.iter().any(|instance| {
            let token = &instance.token;
            link.alias == link_alias(token) || link.group == link_group(token)
        });
        let index = link.index;
        if stray {
            self.installer
                .netlink
                .perform(|to| netlink::delete_link(to, index))?;
        }
        Ok(stray)
    }

    pub(crate) fn set_router_mac(&mut self, key: VrKey, on: bool) -> Result<(), PlatformError> {
        let Some(router) = self.state.table.routers.get(key) else {
            return Err(unprepared(key));
        };
        if !on {
            let link = router.mac.macvlan;
            if let Some(router) = self.state.table.routers.get_mut(key) {
                router.mac_on = false;
            }
            let Some(index) = link else {
                return Ok(());
            };
            return self.deafen(key, index).map_err(|error| {
                let what = format!("set {} down", self.state.link_label(index));
                PlatformError::new(what, error)
            });
        }
        self.tidy_sysctls()?;
        match self.raise_link(key) {
            // Somebody removed it and the notice has not been read yet.
            Err(error) if error.error.raw_os_error() == Some(libc::ENODEV) => {
                self.state.forget_macvlan(key);
                self.raise_link(key)
            }
            other => other,
        }
    }

    /// Has a macvlan closed, which takes time that a Backup must not be heard in: frames to the
    /// virtual MAC are for the successor, to be neither taken nor forwarded here (M-2). Without IPv6 a
    /// macvlan that is still open reports to nobody that it leaves the groups of its addresses: such a
    /// report would come from the virtual MAC.
    fn deafen(&mut self, key: VrKey, index: KernelIf) -> io::Result<()> {
        let silent = key.family == Family::Ipv4 || {
            let device = self.state.link_label(index);
            files::write_if_allowed(Sysctl::DisableIpv6, &device, 1).unwrap_or(false)
        };
        // Where that of "all" is loose the kernel takes it instead.
        let can_be_deaf = files::read(Sysctl::RpFilter, "all").is_ok_and(|all| all < 2);
        let deaf = silent
            && can_be_deaf
            && self
                .installer
                .netlink
                .perform(|to| netlink::link_sysctls(to, index, &[DEAF]))
                .is_ok();
        if deaf && self.reaper.close(index).is_ok() {
            return Ok(());
        }
        // It is closed at once, however long that takes.
        let result = self
            .installer
            .netlink
            .perform(|to| netlink::link_flags(to, index, false));
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => {
                let label = self.state.link_label(index);
                self.installer
                    .retry_removal(other, || format!("set {label} down"))
            }
        }
    }

    fn raise_link(&mut self, key: VrKey) -> Result<(), PlatformError> {
        self.attach_router(key)?;
        let Some(router) = self.state.table.routers.get(key) else {
            return Err(unprepared(key));
        };
        let Some(index) = router.mac.macvlan else {
            let what = format!("take up the MAC of VRID {}, which has none", key.vrid);
            return Err(PlatformError::new(what, io::ErrorKind::Unsupported.into()));
        };
        self.reaper.settle(index);
        let parent = self.state.table.interfaces.parent(key)?.0;
        let sysctls = self.sysctls.ipv4_sysctls(&self.state, key, parent, true);
        let result = self.give_ipv6(key, index).and_then(|()| {
            self.installer.netlink.perform(|to| {
                netlink::link_sysctls(to, index, &sysctls);
                netlink::link_flags(to, index, true);
            })
        });
        match result {
            Ok(()) => {
                if let Some(router) = self.state.table.routers.get_mut(key) {
                    router.mac_on = true;
                    router.mac.in_use = None;
                }
                Ok(())
            }
            Err(error) => {
                let in_use = fitness::is_in_use(&error);
                let error = fitness::explain_in_use(error, key, self.state.links.get(parent));
                let what = format!("set {} up", self.state.link_label(index));
                let error = PlatformError::new(what, error);
                if let Some(router) = self.state.table.routers.get_mut(key) {
                    router.mac.in_use = in_use.then(|| error.to_string());
                }
                Err(error)
            }
        }
    }

    /// Gives a macvlan of IPv6 back what [`deafen`](Self::deafen) took.
    pub(super) fn give_ipv6(&self, key: VrKey, index: KernelIf) -> io::Result<()> {
        let device = self.state.link_label(index);
        if key.family == Family::Ipv4 || files::read(Sysctl::DisableIpv6, &device).ok() == Some(0) {
            return Ok(());
        }
        match files::write(Sysctl::DisableIpv6, &device, 0) {
            // Somebody has removed it, which the caller finds out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Gives a macvlan an address that is in nobody's way, while all of its virtual addresses are served
    /// without being accepted, and removes it afterwards. A loose rp_filter lets nothing in by an
    /// interface without an address.
    pub(super) fn fill(&mut self, key: VrKey, index: KernelIf) -> Result<(), PlatformError> {
        let router = self.state.table.routers.get(key);
        let Some(router) = router.filter(|_| key.family == Family::Ipv4) else {
            return Ok(());
        };
        let is_silent = |served: &Served<Entry>| {
            served.index == index && matches!(served.how, Serving::Silent { .. })
        };
        let wanted = router.mac.macvlan == Some(index) && router.served().any(is_silent);
        let filler = filler(index);
        if wanted == self.state.links.has_address(index, filler.address) {
            return Ok(());
        }
        let change = |to: &mut netlink::Requests| netlink::address(to, index, filler, wanted);
        match self.installer.netlink.perform(change) {
            // It is so already, which a notice says that has not been read yet.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EEXIST | libc::EADDRNOTAVAIL | libc::ENODEV)
                ) => {}
            other => other.map_err(|error| {
                let (verb, ip) = (if wanted { "add" } else { "remove" }, filler.address);
                let what = format!("{verb} address {ip} of {}", self.state.link_label(index));
                PlatformError::new(what, error)
            })?,
        }
        let address = Address {
            index,
            address: filler.address,
            prefix_len: filler.prefix_len,
            flags: 0,
            scope: 0,
            protocol: OUR_PROTOCOL,
            metric: 0,
        };
        self.state.links.apply(match wanted {
            true => Event::Address(address),
            false => Event::AddressGone(address),
        });
        Ok(())
    }

    /// Has the macvlan removed. Its ledger entry stays: a link that is gone is no leftover.
    pub(super) fn remove_macvlan(&mut self, key: VrKey) {
        let Some(index) = self.state.macvlan(key) else {
            return;
        };
        let name = self.state.link_label(index);
        if self.reaper.delete(index, name.clone()).is_err() {
            let deleted = self
                .installer
                .netlink
                .perform(|to| netlink::delete_link(to, index));
            // A failure is tried again.
            let _ = self
                .installer
                .retry_removal(deleted, || format!("remove {name}"));
        }
        self.state.forget_macvlan(key);
    }

    /// Removes all macvlans of this life in one request. `false`: they refused to go.
    pub(super) fn remove_macvlans(&mut self) -> bool {
        // This does the rest of the thread's work, too.
        self.reaper.end();
        let any = self.state.macvlans().next().is_some() || self.reaper.has_deleted();
        if !any && !self.installer.strays.are_there() {
            return true;
        }
        let group = link_group(self.installer.ledger.token());
        let result = self
            .installer
            .netlink
            .perform(|to| netlink::delete_group(to, group));
        let gone = result.is_ok() || self.resync().is_ok_and(|()| !self.has_links());
        if gone {
            let _ = self
                .installer
                .ledger
                .remove_where(|e| matches!(e, Entry::Link { .. }));
        }
        gone
    }

    fn has_links(&self) -> bool {
        self.state
            .links
            .iter()
            .any(|link| self.is_of_this_life(link))
    }
}

/// The address of a macvlan that has no other: one of this host alone, which is no source for others
/// and which ARP is not answered for.
fn filler(index: KernelIf) -> VirtualAddress {
    let [.., high, low] = index.number().to_be_bytes();
    VirtualAddress {
        address: [127, 112, high, low].into(),
        prefix_len: 32,
    }
}
