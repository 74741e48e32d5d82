//! The interface that carries a virtual MAC, or the virtual MAC that takes the place of an
//! interface's own.

use std::io;

use vrrp_core::{Duration, Family, Instant, MacAddr, MacMode, VrKey};
use vrrp_host::{HostIf, PlatformError};
use vrrp_port_kit::{KernelIf, Port as _, explain, noted, refused, unprepared};

use super::Network;
use crate::abi::*;
use crate::graph::{ENDING, ENDING_LOOKS};
use crate::installer::is_gone;
use crate::ledger::Entry;
use crate::names::{self, MARK};
use crate::request;
use crate::sockets::{self, Device};
use crate::state::{Carrier, Replaced};
use crate::sys;

/// How long a link may be down because its MAC was changed, by us.
const MAC_CHANGE: Duration = Duration::from_secs(4);

impl Network {
    pub(super) fn add_carrier(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let (parent, parent_name) = self.state.table.interfaces.parent(key)?;
        let parent_name = parent_name.to_owned();
        self.installer.graph.open()?;
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
        self.installer.ledger.add([entry.clone()]).map_err(noted)?;
        let bridge = self.bridge(HostIf::of(key));
        let made = bridge.ok_or_else(|| io::ErrorKind::NotFound.into());
        let made = made.and_then(|bridge| self.installer.graph.make_interface(&bridge, key, &node));
        let made = made.and_then(|born| self.bring_up(key, parent, &born, &name));
        match made {
            Ok((index, bpf)) => {
                if let Some(router) = self.state.table.routers.get_mut(key) {
                    router.mac.carrier = Some(Carrier {
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
                if self.installer.graph.shutdown(&node).is_ok() {
                    let _ = self.installer.ledger.remove(&entry);
                }
                Err(failed(error))
            }
        }
    }

    /// Sets what a carrier needs before it is up for the first time.
    fn bring_up(
        &mut self,
        key: VrKey,
        parent: KernelIf,
        born: &str,
        name: &str,
    ) -> io::Result<(KernelIf, Device)> {
        let fd = self.installer.any_requester()?;
        sys::describe(
            fd,
            born,
            &format!("{MARK}{}", self.installer.ledger.token()),
        )?;
        sys::rename(fd, born, name)?;
        let sockets = self.state.table.interfaces.sockets(HostIf::of(key));
        let fib = sockets.map_or(0, |sockets| sockets.fib);
        if fib != 0 {
            sys::ioctl(fd, &mut request::set_number(SIOCSIFFIB, name, fib)?)?;
        }
        let mtu = self.state.links.get(parent).map_or(0, |link| link.mtu);
        if mtu != 0 {
            // It takes no larger frames than this; what it cannot do is no reason to have none.
            let _ = sys::ioctl(fd, &mut request::set_number(SIOCSIFMTU, name, mtu)?);
        }
        if self.installer.has(Family::Ipv6) {
            let before = self.installer.nd_flags(name)?;
            // It makes no address by itself, believes no router, and asks for nobody's leave.
            let quiet = before & !(ND6_IFF_AUTO_LINKLOCAL | ND6_IFF_ACCEPT_RTADV) | ND6_IFF_NO_DAD;
            let flags = match key.family {
                Family::Ipv4 => quiet | ND6_IFF_IFDISABLED,
                Family::Ipv6 => quiet & !ND6_IFF_IFDISABLED,
            };
            self.installer.set_nd_flags(name, flags)?;
        }
        Ok((sys::interface_index(name)?, sockets::sender(name)?))
    }

    /// Removes a carrier that an earlier life left and whose ledger is lost.
    fn remove_stray(&mut self, node: &str, name: &str) -> io::Result<()> {
        match self.installer.graph.node_type(node)?.as_deref() {
            None => return Ok(()),
            Some("eiface") => {}
            Some(kind) => return Err(refused(format!("a {kind} node is called {node}"))),
        }
        let mark = sys::description(self.installer.any_requester()?, name).unwrap_or_default();
        let token = mark.strip_prefix(MARK);
        let others = |token: &&str| *token != self.installer.ledger.token();
        if token
            .filter(others)
            .is_some_and(|token| self.installer.ledger.is_known(token))
        {
            let error = io::Error::from_raw_os_error(libc::EEXIST);
            return Err(explain(error, "another vrrpd that runs has made it"));
        }
        self.installer.graph.shutdown(node)
    }

    /// Waits until an interface of ours is gone whose node has ended: its name is in the way.
    fn wait_gone(&self, name: &str) -> io::Result<()> {
        let fd = self.installer.any_requester()?;
        for _ in 0..ENDING_LOOKS {
            if !sys::description(fd, name).is_ok_and(|mark| mark.starts_with(MARK)) {
                break;
            }
            std::thread::sleep(ENDING);
        }
        Ok(())
    }

    /// Removes the carrier. `false`: it refused to go.
    pub(super) fn remove_carrier(&mut self, key: VrKey) -> bool {
        let router = self.state.table.routers.get_mut(key);
        let Some(carrier) = router.and_then(|router| router.mac.carrier.take()) else {
            return true;
        };
        let entry = Entry::Carrier {
            node: carrier.node.clone(),
        };
        self.installer.graph.shutdown(&carrier.node).is_ok()
            && self.installer.ledger.remove(&entry).is_ok()
    }

    pub(crate) fn set_router_mac(
        &mut self,
        key: VrKey,
        mac: MacAddr,
        on: bool,
    ) -> Result<(), PlatformError> {
        let Some(router) = self.state.table.routers.get(key) else {
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
        if let Some(router) = self.state.table.routers.get_mut(key) {
            router.mac_on = on;
        }
        Ok(())
    }

    fn raise(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let carrier = self.state.carrier(key);
        let link = carrier.and_then(|carrier| self.state.links.get(carrier.index));
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
        if let Some(sockets) = self.state.table.interfaces.sockets_mut(HostIf::of(key))
            && let Some(bridge) = &sockets.bridge
            && matches!(self.installer.graph.node_type(&bridge.node), Ok(None))
        {
            sockets.bridge = None;
        }
        if let Some(router) = self.state.table.routers.get_mut(key)
            && let Some(carrier) = &router.mac.carrier
            && matches!(self.installer.graph.node_type(&carrier.node), Ok(None))
        {
            router.mac.carrier = None;
        }
    }

    fn open_up(&mut self, key: VrKey) -> io::Result<()> {
        let bridge = self.bridge(HostIf::of(key));
        let carrier = self.state.carrier(key);
        let (Some(bridge), Some(carrier)) = (bridge, carrier) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        self.installer.graph.join(&bridge, key, &carrier.node)?;
        self.installer.set_up(&carrier.name, true)
    }

    /// The carrier is down and parted from the bridge: deaf, silent, and no work for the kernel.
    fn lower(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let bridge = self.bridge(HostIf::of(key));
        let carrier = self.state.carrier(key);
        let (Some(bridge), Some(carrier)) = (bridge, carrier) else {
            return Ok(());
        };
        let parted = self.installer.graph.part(&bridge, key);
        let down = self.installer.set_up(&carrier.name, false);
        match parted.and(down) {
            Err(error) if is_gone(&error) => Ok(()),
            other => other,
        }
        .map_err(|error| PlatformError::new(self.mac_label(key, "give up"), error))
    }

    fn replace_mac(&mut self, key: VrKey, mac: MacAddr) -> Result<(), PlatformError> {
        let (index, device) = self.state.table.interfaces.parent(key)?;
        let device = device.to_owned();
        let what = self.mac_label(key, "take up");
        let failed = |error| PlatformError::new(what.clone(), error);
        let old = self.state.links.get(index).map(|link| link.mac);
        let old = old.ok_or_else(|| failed(io::Error::from_raw_os_error(libc::ENXIO)))?;
        if old == mac {
            return Ok(());
        }
        let entry = Entry::Mac {
            device: device.clone(),
            old,
            new: mac,
        };
        self.installer.ledger.add([entry]).map_err(noted)?;
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
        if let Some(router) = self.state.table.routers.get_mut(key) {
            router.mac.replaced = Some(Replaced { index, device, old });
        }
        self.list_again(failed)
    }

    /// Gives an interface its own MAC back.
    pub(super) fn restore_mac(&mut self, key: VrKey) -> Result<(), PlatformError> {
        let router = self.state.table.routers.get_mut(key);
        let Some(replaced) = router.and_then(|router| router.mac.replaced.take()) else {
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
                if let Some(router) = self.state.table.routers.get_mut(key) {
                    router.mac.replaced = Some(replaced);
                }
                return Err(failed(error));
            }
            _ => {}
        }
        self.installer.ledger.remove(&entry).map_err(noted)?;
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
        let now = Instant::from_micros(sys::monotonic_us());
        sys::ioctl(
            self.installer.any_requester()?,
            &mut request::set_mac(device, mac)?,
        )?;
        if let Some(sockets) = self.state.table.interfaces.sockets_mut(host_if) {
            sockets.changing_until = Some(now + MAC_CHANGE);
        }
        Ok(())
    }

    fn mac_label(&self, key: VrKey, verb: &str) -> String {
        let watched = self.state.table.interfaces.get(HostIf::of(key));
        let name = watched.map_or("?", |w| w.name.as_str());
        format!("{verb} the MAC of VRID {} on {name}", key.vrid)
    }
}
