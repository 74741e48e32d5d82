//! The interface that carries a virtual MAC, or the virtual MAC that takes the place of an
//! interface's own.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use vrrp_core::{Failure, Family, MacAddr, MacMode, VrKey};
use vrrp_host::{HostIf, Platform, PlatformError};
use vrrp_port_kit::{KernelIf, noted, unprepared};

use crate::abi::*;
use crate::errors::{explain, refused};
use crate::ledger::Entry;
use crate::names;
use crate::platform::FreebsdPlatform;
use crate::refusals::no_carrier;
use crate::request::{self, Request};
use crate::router::is_gone;
use crate::sockets::{self, Device};
use crate::sys;
use crate::watch::MAC_CHANGE;

/// Serving often to look whether a node or an interface that ends is gone, and how long to wait between.
pub(crate) const ENDING_LOOKS: u32 = 50;
pub(crate) const ENDING: Duration = Duration::from_millis(10);

/// What the description of our interfaces begins with; the token of the ledger follows.
const MARK: &str = "vrrp ";

/// An interface that carries a virtual MAC.
#[derive(Debug)]
pub(crate) struct Carrier {
    pub(crate) name: String,
    pub(crate) index: KernelIf,
    pub(crate) node: String,
    /// Sends out of it.
    pub(crate) bpf: Device,
}

/// An interface whose own MAC a virtual one replaces.
#[derive(Debug)]
pub(crate) struct Replaced {
    pub(crate) index: KernelIf,
    device: String,
    old: MacAddr,
}

impl FreebsdPlatform {
    pub(crate) fn make_carrier(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let (parent, parent_name) = self.parent(key)?;
        self.graph.open()?;
        self.forget_lost(key);
        self.need_bridge(HostIf::of(key))?;
        let node = names::carrier_node(key.family, key.vrid, parent);
        let name = names::carrier(key.family, key.vrid, parent);
        let what = format!("create the interface {name} on {parent_name}");
        let failed = |error| PlatformError::new(what.clone(), error);
        if name.len() >= IFNAMSIZ {
            return Err(failed(io::ErrorKind::InvalidInput.into()));
        }
        self.remove_stray(&node, &name).map_err(failed)?;
        self.wait_gone(&name).map_err(failed)?;
        let entry = Entry::Carrier { node: node.clone() };
        self.ledger.add([entry.clone()]).map_err(noted)?;
        let bridge = self.bridge(HostIf::of(key));
        let made = bridge.ok_or_else(|| io::ErrorKind::NotFound.into());
        let made = made.and_then(|bridge| self.graph.make_interface(&bridge, key, &node));
        let made = made.and_then(|born| self.bring_up(key, parent, &born, &name));
        match made {
            Ok((index, bpf)) => {
                if let Some(router) = self.routers.get_mut(&key) {
                    router.carrier = Some(Carrier {
                        name,
                        index,
                        node,
                        bpf,
                    });
                }
                Ok(())
            }
            Err(error) => {
                // Better no interface than one that talks.
                if self.graph.shutdown(&node).is_ok() {
                    let _ = self.ledger.remove(&entry);
                }
                Err(failed(error))
            }
        }
    }

    /// What must be set on a carrier before it is up for the first time.
    fn bring_up(
        &mut self,
        key: VrKey,
        parent: KernelIf,
        born: &str,
        name: &str,
    ) -> io::Result<(KernelIf, Device)> {
        let fd = self.any_requester()?;
        sys::describe(fd, born, &format!("{MARK}{}", self.ledger.token()))?;
        sys::rename(fd, born, name)?;
        let sockets = self
            .interfaces
            .get(&HostIf::of(key))
            .and_then(|w| w.sockets.as_ref());
        let fib = sockets.map_or(0, |sockets| sockets.fib);
        if fib != 0 {
            sys::ioctl(fd, &mut request::set_number(SIOCSIFFIB, name, fib)?)?;
        }
        let mtu = self.links.get(parent).map_or(0, |link| link.mtu);
        if mtu != 0 {
            // It takes no larger frames than this; what it cannot do is no reason to have none.
            let _ = sys::ioctl(fd, &mut request::set_number(SIOCSIFMTU, name, mtu)?);
        }
        if self.requests[Family::Ipv6 as usize].is_some() {
            let before = self.nd_flags(name)?;
            // It makes no address by itself, believes no router, and asks for nobody's leave.
            let quiet = before & !(ND6_IFF_AUTO_LINKLOCAL | ND6_IFF_ACCEPT_RTADV) | ND6_IFF_NO_DAD;
            let flags = match key.family {
                Family::Ipv4 => quiet | ND6_IFF_IFDISABLED,
                Family::Ipv6 => quiet & !ND6_IFF_IFDISABLED,
            };
            self.set_nd_flags(name, flags)?;
        }
        Ok((sys::interface_index(name)?, sockets::sender(name)?))
    }

    /// Removes a carrier that an earlier life left and whose ledger is lost.
    fn remove_stray(&mut self, node: &str, name: &str) -> io::Result<()> {
        match self.graph.node_type(node)?.as_deref() {
            None => return Ok(()),
            Some("eiface") => {}
            Some(kind) => return Err(refused(format!("a {kind} node is called {node}"))),
        }
        let mark = sys::description(self.any_requester()?, name).unwrap_or_default();
        let token = mark.strip_prefix(MARK);
        let others = |token: &&str| *token != self.ledger.token();
        if token
            .filter(others)
            .is_some_and(|token| self.ledger.is_known(token))
        {
            let error = io::Error::from_raw_os_error(libc::EEXIST);
            return Err(explain(error, "another vrrpd that runs has made it"));
        }
        self.graph.shutdown(node)
    }

    /// Waits until an interface of ours is gone whose node has ended: its name is in the way.
    fn wait_gone(&self, name: &str) -> io::Result<()> {
        let fd = self.any_requester()?;
        for _ in 0..ENDING_LOOKS {
            if !sys::description(fd, name).is_ok_and(|mark| mark.starts_with(MARK)) {
                break;
            }
            std::thread::sleep(ENDING);
        }
        Ok(())
    }

    pub(crate) fn nd_flags(&self, device: &str) -> io::Result<u32> {
        let mut request = Request::about(SIOCGIFINFO_IN6, device)?;
        sys::ioctl(self.requester(Family::Ipv6)?, &mut request)?;
        Ok(request::nd_flags(&request.argument))
    }

    pub(crate) fn set_nd_flags(&self, device: &str, flags: u32) -> io::Result<()> {
        let mut request = request::set_nd_flags(device, flags)?;
        sys::ioctl(self.requester(Family::Ipv6)?, &mut request)
    }

    /// Removes the carrier. `false`: it refused to go.
    pub(crate) fn remove_carrier(&mut self, key: VrKey) -> bool {
        let router = self.routers.get_mut(&key);
        let Some(carrier) = router.and_then(|router| router.carrier.take()) else {
            return true;
        };
        let entry = Entry::Carrier {
            node: carrier.node.clone(),
        };
        self.graph.shutdown(&carrier.node).is_ok() && self.ledger.remove(&entry).is_ok()
    }

    /// The type of an interface.
    pub(crate) fn kind(&self, index: KernelIf) -> u8 {
        let Some(link) = self.links.get(index) else {
            return 0;
        };
        let fd = self.any_requester();
        fd.map_or(link.kind, |fd| sys::interface_kind(fd, link))
    }

    /// Makes the bridge on an interface unless it is there.
    fn need_bridge(&mut self, host_if: HostIf) -> Result<(), PlatformError> {
        let sockets = self
            .interfaces
            .get(&host_if)
            .and_then(|w| w.sockets.as_ref());
        let Some(sockets) = sockets.filter(|sockets| sockets.bridge.is_none()) else {
            return Ok(());
        };
        if let Some(why) = no_carrier(self.kind(sockets.index)) {
            let what = format!("carry a virtual MAC on {}", sockets.name);
            return Err(PlatformError::new(what, refused(why)));
        }
        let (name, index) = (sockets.name.clone(), sockets.index);
        let entry = Entry::Bridge {
            node: format!("vrrp_{index}"),
        };
        let ours = self.ledger.contains(&entry);
        self.ledger.add([entry.clone()]).map_err(noted)?;
        // Of a node that is missing the next step tells.
        if self.graph.auto_source(&name).unwrap_or(false) {
            let device = name.clone();
            self.ledger.add([Entry::Source { device }]).map_err(noted)?;
        }
        match self.graph.insert_bridge(&name, index, ours) {
            Ok(bridge) => {
                let watched = self.interfaces.get_mut(&host_if);
                if let Some(sockets) = watched.and_then(|w| w.sockets.as_mut()) {
                    sockets.bridge = Some(bridge);
                }
                self.untidy = true;
                self.tidy()
            }
            Err(error) => {
                // One of this name that is ours remains so until it is gone.
                if !ours {
                    let _ = self.ledger.remove(&entry);
                    self.restore_source(&name, index);
                }
                Err(error)
            }
        }
    }

    /// The node of the bridge on an interface.
    fn bridge(&self, host_if: HostIf) -> Option<String> {
        let sockets = self.interfaces.get(&host_if)?.sockets.as_ref()?;
        Some(sockets.bridge.as_ref()?.node.clone())
    }

    /// Takes the bridge from an interface. `false`: it refused to go.
    pub(crate) fn remove_bridge(&mut self, host_if: HostIf) -> bool {
        let sockets = self
            .interfaces
            .get_mut(&host_if)
            .and_then(|w| w.sockets.as_mut());
        let Some(sockets) = sockets else {
            return true;
        };
        let (name, index, bridge) = (sockets.name.clone(), sockets.index, sockets.bridge.take());
        let clean = bridge.is_none_or(|bridge| {
            let gone = self.graph.shutdown(&bridge.node).is_ok();
            let entry = Entry::Bridge { node: bridge.node };
            gone && self.ledger.remove(&entry).is_ok()
        });
        clean && self.restore_source(&name, index)
    }

    /// Lets the node of an interface replace the source of what it sends, if it did. `false`: it
    /// cannot.
    fn restore_source(&mut self, device: &str, index: KernelIf) -> bool {
        let entry = Entry::Source {
            device: device.into(),
        };
        if !self.ledger.contains(&entry) {
            return true;
        }
        // The node has the name that the interface has by now.
        let name = self.links.get(index).map_or(device, |link| &link.name);
        let restored = match self.graph.restore_auto_source(name) {
            Err(error) => is_gone(&error),
            Ok(()) => true,
        };
        restored && self.ledger.remove(&entry).is_ok()
    }

    pub(crate) fn set_router_mac(
        &mut self,
        key: VrKey,
        mac: MacAddr,
        on: bool,
    ) -> Result<(), PlatformError> {
        let Some(router) = self.routers.get(&key) else {
            return if on { Err(unprepared(key)) } else { Ok(()) };
        };
        if router.setup.mac_mode == MacMode::Interface {
            let what = format!("take up the MAC of VRID {}, which has none", key.vrid);
            return Err(PlatformError::new(what, io::ErrorKind::Unsupported.into()));
        }
        let replaces = router.setup.replace_mac;
        match (replaces, on) {
            (true, true) => self.replace_mac(key, mac)?,
            (true, false) => self.restore_mac(key)?,
            (false, true) => self.raise(key)?,
            (false, false) => self.lower(key)?,
        }
        if let Some(router) = self.routers.get_mut(&key) {
            router.mac_on = on;
        }
        Ok(())
    }

    fn raise(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let carrier = self.routers.get(&key).and_then(|r| r.carrier.as_ref());
        let link = carrier.and_then(|carrier| self.links.get(carrier.index));
        if link.is_some_and(|link| link.mac != key.virtual_mac()) {
            // Somebody changed its MAC: nobody shall hear from that one.
            self.remove_carrier(key);
        }
        self.attach_router(key)?;
        self.need_bridge(HostIf::of(key))?;
        match self.open_up(key) {
            // Somebody removed it, or the bridge, and the notice has not been read yet.
            Err(error) if is_gone(&error) => {
                self.forget_lost(key);
                self.attach_router(key)?;
                self.need_bridge(HostIf::of(key))?;
                self.open_up(key)
            }
            // Somebody has sent from this MAC by the interface itself, and the bridge has learned it.
            Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
                self.drop_bridge(HostIf::of(key));
                self.need_bridge(HostIf::of(key))?;
                self.open_up(key)
            }
            other => other,
        }
        .map_err(|error| PlatformError::new(self.mac_label(key, "take up"), error))
    }

    /// Forgets a carrier and a bridge whose nodes are gone.
    fn forget_lost(&mut self, key: VrKey) {
        let watched = self.interfaces.get_mut(&HostIf::of(key));
        if let Some(sockets) = watched.and_then(|w| w.sockets.as_mut())
            && let Some(bridge) = &sockets.bridge
            && matches!(self.graph.node_type(&bridge.node), Ok(None))
        {
            sockets.bridge = None;
        }
        if let Some(router) = self.routers.get_mut(&key)
            && let Some(carrier) = &router.carrier
            && matches!(self.graph.node_type(&carrier.node), Ok(None))
        {
            router.carrier = None;
        }
    }

    fn open_up(&mut self, key: VrKey) -> io::Result<()> {
        let bridge = self.bridge(HostIf::of(key));
        let carrier = self.routers.get(&key).and_then(|r| r.carrier.as_ref());
        let (Some(bridge), Some(carrier)) = (bridge, carrier) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        self.graph.join(&bridge, key, &carrier.node)?;
        set_up(self.any_requester()?, &carrier.name, true)
    }

    /// Takes the bridge of an interface down, and with it what it has learned and keeps to. The
    /// carriers of masters have lost their links.
    fn drop_bridge(&mut self, host_if: HostIf) {
        let watched = self.interfaces.get_mut(&host_if);
        if let Some(sockets) = watched.and_then(|w| w.sockets.as_mut())
            && let Some(bridge) = sockets.bridge.take()
        {
            let _ = self.graph.shutdown(&bridge.node);
        }
        let routers = self
            .routers
            .iter_mut()
            .filter(|(k, _)| HostIf::of(*k) == host_if);
        for (key, router) in routers.filter(|(_, r)| r.mac_on && r.carrier.is_some()) {
            router.mac_on = false;
            self.lost.push(Failure::Mac { key: *key });
            self.unsettled = true;
        }
    }

    /// The carrier is down and parted from the bridge: deaf, silent, and no work for the kernel.
    fn lower(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let bridge = self.bridge(HostIf::of(key));
        let carrier = self.routers.get(&key).and_then(|r| r.carrier.as_ref());
        let (Some(bridge), Some(carrier)) = (bridge, carrier) else {
            return Ok(());
        };
        let parted = self.graph.part(&bridge, key);
        let down = self
            .any_requester()
            .and_then(|fd| set_up(fd, &carrier.name, false));
        match parted.and(down) {
            Err(error) if is_gone(&error) => Ok(()),
            other => other,
        }
        .map_err(|error| PlatformError::new(self.mac_label(key, "give up"), error))
    }

    fn replace_mac(&mut self, key: VrKey, mac: MacAddr) -> Result<(), PlatformError> {
        let (index, device) = self.parent(key)?;
        let what = self.mac_label(key, "take up");
        let failed = |error| PlatformError::new(what.clone(), error);
        let old = self.links.get(index).map(|link| link.mac);
        let old = old.ok_or_else(|| failed(io::Error::from_raw_os_error(libc::ENXIO)))?;
        if old == mac {
            return Ok(());
        }
        let entry = Entry::Mac {
            device: device.clone(),
            old,
            new: mac,
        };
        self.ledger.add([entry]).map_err(noted)?;
        self.set_link_mac(HostIf::of(key), &device, mac)
            .map_err(|error| {
                let hint = "the driver cannot change its MAC; use useVMAC = yes or no";
                match error.raw_os_error() {
                    Some(libc::EINVAL | libc::ENODEV | libc::EOPNOTSUPP | libc::ENOTTY) => {
                        failed(explain(error, hint))
                    }
                    _ => failed(error),
                }
            })?;
        if let Some(router) = self.routers.get_mut(&key) {
            router.replaced = Some(Replaced { index, device, old });
        }
        self.list_again(failed)
    }

    /// Gives an interface its own MAC back.
    pub(crate) fn restore_mac(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let router = self.routers.get_mut(&key);
        let Some(replaced) = router.and_then(|router| router.replaced.take()) else {
            return Ok(());
        };
        let what = self.mac_label(key, "give up");
        let failed = |error| PlatformError::new(what.clone(), error);
        let entry = Entry::Mac {
            device: replaced.device.clone(),
            old: replaced.old,
            new: key.virtual_mac(),
        };
        match self.set_link_mac(HostIf::of(key), &replaced.device, replaced.old) {
            Err(error) if !is_gone(&error) => {
                if let Some(router) = self.routers.get_mut(&key) {
                    router.replaced = Some(replaced);
                }
                return Err(failed(error));
            }
            _ => {}
        }
        self.ledger.remove(&entry).map_err(noted)?;
        self.list_again(failed)
    }

    /// The list must know the new MAC before somebody compares it.
    fn list_again(
        &mut self,
        failed: impl FnOnce(io::Error) -> PlatformError,
    ) -> Result<(), PlatformError> {
        self.resync().map_err(failed)
    }

    fn set_link_mac(&mut self, host_if: HostIf, device: &str, mac: MacAddr) -> io::Result<()> {
        let now = self.now();
        sys::ioctl(self.any_requester()?, &mut request::set_mac(device, mac)?)?;
        let watched = self.interfaces.get_mut(&host_if);
        if let Some(sockets) = watched.and_then(|w| w.sockets.as_mut()) {
            sockets.changing_until = Some(now + MAC_CHANGE);
        }
        Ok(())
    }

    fn mac_label(&self, key: VrKey, verb: &str) -> String {
        let watched = self.interfaces.get(&HostIf::of(key));
        let name = watched.map_or("?", |w| w.name.as_str());
        format!("{verb} the MAC of VRID {} on {name}", key.vrid)
    }
}

/// Sets an interface up or down.
fn set_up(fd: &OwnedFd, name: &str, up: bool) -> io::Result<()> {
    let mut ask = request::ask_link_flags(name)?;
    sys::ioctl(fd, &mut ask)?;
    let before = request::link_flags(&ask.argument);
    let flags = if up {
        before | IFF_UP
    } else {
        before & !IFF_UP
    };
    sys::ioctl(fd, &mut request::set_link_flags(name, flags)?)
}

/// Whether a description is the mark of the life with this token, or none yet.
pub(crate) fn is_marked(description: &str, token: &str) -> bool {
    description.is_empty() || description.strip_prefix(MARK) == Some(token)
}

/// The token in a description that is a mark of ours.
pub(crate) fn token_of(description: &str) -> Option<&str> {
    description.strip_prefix(MARK)
}
