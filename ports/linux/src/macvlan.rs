//! The macvlan that carries a virtual MAC.

use std::hash::{Hash as _, Hasher as _};
use std::io;
use vrrp_port_kit::{KernelIf, Served, Serving, noted, unprepared};

use vrrp_core::{Family, MacAddr, VirtualAddress, VrKey, Vrid};
use vrrp_host::{PlatformError, PlatformWarning, Subject};

use crate::fitness::{self, explain_no_macvlan};
use crate::instances;
use crate::ledger::Entry;
use crate::leftovers;
use crate::netlink::{self, Address, Event, Link, OUR_PROTOCOL};
use crate::platform::LinuxPlatform;
use crate::sysctl::{self, Sysctl};

impl LinuxPlatform {
    pub(crate) fn make_link(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let (parent, parent_name) = self.parent(key)?;
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
                    let _ = self.ledger.remove(&entry);
                }
                let error = explain_no_macvlan(error, self.links.get(parent));
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
        // Without a descriptor more, of which there may be none left.
        let index = self
            .netlink
            .find_link(name)?
            .ok_or(io::ErrorKind::NotFound)?
            .index;
        self.quieten(key, parent, (index, name), alias)?;
        Ok(index)
    }

    /// Removes a macvlan of this life that could not be made wholly: better none than one that talks.
    fn remove_named(&mut self, name: &str) -> io::Result<()> {
        let found = self.netlink.find_link(name);
        let ours = |link: &Link| self.is_of_this_life(link);
        let result = match found {
            Ok(Some(link)) if ours(&link) => self
                .netlink
                .perform(|to| netlink::delete_link(to, link.index)),
            Ok(_) => return Ok(()),
            Err(error) => Err(error),
        };
        self.retry_removal(result, || format!("remove {name}"))
    }

    /// Whether a macvlan was made by this platform, marked or not yet.
    pub(crate) fn is_of_this_life(&self, link: &Link) -> bool {
        let token = self.ledger.token();
        link.kind == "macvlan"
            && (link.alias == link_alias(token)
                || link.alias.is_empty() && link.group == link_group(token))
    }

    /// What must be set on a macvlan before it is up for the first time.
    fn quieten(
        &mut self,
        key: VrKey,
        parent: KernelIf,
        link: (KernelIf, &str),
        alias: &str,
    ) -> io::Result<()> {
        let (name, ipv6) = (link.1, self.has_ipv6);
        let sysctls = self.ipv4_sysctls(key, parent, false);
        self.netlink
            .perform(|to| netlink::link_settings(to, name, alias, &sysctls, ipv6))?;
        self.set_ipv6_sysctls(key, parent, link)
    }

    /// Removes a macvlan that an earlier life, or a try of this one, has left. `false`: the link is
    /// somebody else's.
    fn remove_stray(&mut self, name: &str, key: VrKey) -> io::Result<bool> {
        self.resync()?;
        let Some(link) = self.links.find(name).and_then(|i| self.links.get(i)) else {
            return Ok(false);
        };
        if !leftovers::is_marked(link) || link.mac != key.virtual_mac() {
            return Ok(false);
        }
        let living = instances::others(&self.place, self.ledger.token())?;
        let stray = !living.iter().any(|instance| {
            let token = &instance.token;
            link.alias == link_alias(token) || link.group == link_group(token)
        });
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
            return self.deafen(key, index).map_err(|error| {
                let what = format!("set {} down", self.link_label(index));
                PlatformError::new(what, error)
            });
        }
        self.tidy_sysctls()?;
        match self.raise_link(key) {
            // Somebody removed it and the notice has not been read yet.
            Err(error) if error.error.raw_os_error() == Some(libc::ENODEV) => {
                self.forget_link(key);
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
            let device = self.link_label(index);
            sysctl::write_if_allowed(Sysctl::DisableIpv6, &device, 1).unwrap_or(false)
        };
        // Where that of "all" is loose the kernel takes it instead.
        let can_be_deaf = sysctl::read(Sysctl::RpFilter, "all").is_ok_and(|all| all < 2);
        let deaf = silent
            && can_be_deaf
            && self
                .netlink
                .perform(|to| netlink::link_sysctls(to, index, &[sysctl::DEAF]))
                .is_ok();
        if deaf && self.janitor.close(index).is_ok() {
            return Ok(());
        }
        // It is closed at once, however long that takes.
        let result = self
            .netlink
            .perform(|to| netlink::link_flags(to, index, false));
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => {
                let label = self.link_label(index);
                self.retry_removal(other, || format!("set {label} down"))
            }
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
        let parent = self.parent(key)?.0;
        let sysctls = self.ipv4_sysctls(key, parent, true);
        let result = self.give_ipv6(key, index).and_then(|()| {
            self.netlink.perform(|to| {
                netlink::link_sysctls(to, index, &sysctls);
                netlink::link_flags(to, index, true);
            })
        });
        let Some(router) = self.routers.get_mut(&key) else {
            return Err(unprepared(key));
        };
        match result {
            Ok(()) => {
                router.mac_on = true;
                router.mac_in_use = None;
                Ok(())
            }
            Err(error) => {
                let in_use = fitness::is_in_use(&error);
                let error = fitness::explain_in_use(error, key, self.links.get(parent));
                let what = format!("set {} up", self.link_label(index));
                let error = PlatformError::new(what, error);
                if let Some(router) = self.routers.get_mut(&key) {
                    router.mac_in_use = in_use.then(|| error.to_string());
                }
                Err(error)
            }
        }
    }

    /// Appends the virtual MACs that somebody else had when they were wanted last. Whether that is
    /// still so shows when the MAC is wanted again.
    pub(crate) fn mac_warnings(&self, list: &mut Vec<PlatformWarning>) {
        for (key, router) in &self.routers {
            if let Some(text) = &router.mac_in_use {
                list.push(PlatformWarning {
                    subject: Subject::VirtualRouter(*key),
                    text: text.clone(),
                });
            }
        }
    }

    /// Gives a macvlan of IPv6 back what [`deafen`](Self::deafen) took.
    pub(crate) fn give_ipv6(&self, key: VrKey, index: KernelIf) -> io::Result<()> {
        let device = self.link_label(index);
        if key.family == Family::Ipv4 || sysctl::read(Sysctl::DisableIpv6, &device).ok() == Some(0)
        {
            return Ok(());
        }
        match sysctl::write(Sysctl::DisableIpv6, &device, 0) {
            // Somebody has removed it, which the caller finds out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// Gives a macvlan whose addresses are all served without being accepted one that is in nobody's
    /// way, and takes it away when there are none such any more: a loose rp_filter lets in nothing by
    /// an interface that has no address.
    pub(crate) fn fill(&mut self, key: VrKey, index: KernelIf) -> Result<(), PlatformError> {
        let Some(router) = self
            .routers
            .get(&key)
            .filter(|_| key.family == Family::Ipv4)
        else {
            return Ok(());
        };
        let is_silent = |served: &Served<Entry>| {
            served.index == index && matches!(served.how, Serving::Silent { .. })
        };
        let wanted = router.link == Some(index) && router.served.iter().any(is_silent);
        let filler = filler(index);
        if wanted == self.links.has_address(index, filler.address) {
            return Ok(());
        }
        let change = |to: &mut netlink::Requests| netlink::address(to, index, filler, wanted);
        match self.netlink.perform(change) {
            // It is so already, which a notice says that has not been read yet.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EEXIST | libc::EADDRNOTAVAIL | libc::ENODEV)
                ) => {}
            other => other.map_err(|error| {
                let (verb, ip) = (if wanted { "add" } else { "remove" }, filler.address);
                let what = format!("{verb} address {ip} of {}", self.link_label(index));
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
        };
        self.links.apply(match wanted {
            true => Event::Address(address),
            false => Event::AddressGone(address),
        });
        Ok(())
    }

    /// Has the macvlan removed. Its ledger entry stays: a link that is gone is no leftover.
    pub(crate) fn remove_link(&mut self, key: VrKey) {
        let Some(index) = self.routers.get(&key).and_then(|router| router.link) else {
            return;
        };
        let name = self.link_label(index);
        if self.janitor.delete(index).is_ok() {
            self.leaving.insert(name, index);
        } else {
            let deleted = self.netlink.perform(|to| netlink::delete_link(to, index));
            // What fails is tried again.
            let _ = self.retry_removal(deleted, || format!("remove {name}"));
        }
        self.forget_link(key);
    }

    /// Removes all macvlans of this life in one request. `false`: they refused to go.
    pub(crate) fn remove_links(&mut self) -> bool {
        // What the thread has not done is done by this.
        self.janitor.end();
        if self.macvlans.is_empty() && self.leaving.is_empty() && !self.strays.are_there() {
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
        self.links.iter().any(|link| self.is_of_this_life(link))
    }

    fn forget_link(&mut self, key: VrKey) {
        if let Some(router) = self.routers.get_mut(&key)
            && let Some(index) = router.link.take()
        {
            router.mac_in_use = None;
            router.reached = None;
            self.macvlans.remove(&index);
            self.links.apply(Event::LinkGone(index));
        }
    }
}

/// What the alias of our macvlans begins with; the token of the ledger follows.
pub(crate) const ALIAS: &str = "vrrp ";

/// The address of a macvlan that has no other: one of this host alone, which is no source for others
/// and which ARP is not answered for.
fn filler(index: KernelIf) -> VirtualAddress {
    let [.., high, low] = index.number().to_be_bytes();
    VirtualAddress {
        address: [127, 112, high, low].into(),
        prefix_len: 32,
    }
}

/// The alias that marks a macvlan as ours.
pub(crate) fn link_alias(token: &str) -> String {
    format!("{ALIAS}{token}")
}

/// The device group of the macvlans of one life, by which they can be removed together.
pub(crate) fn link_group(token: &str) -> u32 {
    let mut hasher = std::hash::DefaultHasher::new();
    token.hash(&mut hasher);
    // Far above what people number their groups with.
    GROUPS | (hasher.finish() as u32 & !GROUP_MARK)
}

const GROUPS: u32 = 0x4000_0000;
const GROUP_MARK: u32 = 0xc000_0000;

/// Whether a device group can be one of [`link_group`].
pub(crate) fn is_group(group: u32) -> bool {
    group & GROUP_MARK == GROUPS
}

/// Whether a macvlan of ours can have this name and MAC.
pub(crate) fn is_ours(name: &str, mac: MacAddr) -> bool {
    let parts = name.strip_prefix("vr").map(|rest| rest.split('.'));
    let parts: Vec<&str> = parts.into_iter().flatten().collect();
    let [family, parent, vrid] = *parts.as_slice() else {
        return false;
    };
    let family = match family {
        "4" => Family::Ipv4,
        "6" => Family::Ipv6,
        _ => return false,
    };
    let parent = parent.parse().ok().and_then(KernelIf::new);
    let vrid = vrid.parse().ok().and_then(Vrid::new);
    let (Some(parent), Some(vrid)) = (parent, vrid) else {
        return false;
    };
    link_name(family, vrid, parent) == name && MacAddr::virtual_router(family, vrid) == mac
}

fn link_name(family: Family, vrid: Vrid, parent: KernelIf) -> String {
    let family = match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    format!("vr{family}.{parent}.{vrid}")
}
