//! The bridges that let several MACs live on one interface, and the MACs that they know.

use std::collections::BTreeSet;

use vrrp_core::{Failure, MacAddr};
use vrrp_host::{HostIf, PlatformError};
use vrrp_port_kit::{KernelIf, Port as _, noted, refused};

use super::Network;
use crate::graph;
use crate::installer::is_gone;
use crate::ledger::Entry;
use crate::names;
use crate::refusals::no_carrier;

impl Network {
    /// Makes the bridge on an interface unless it is there.
    pub(super) fn need_bridge(&mut self, host_if: HostIf) -> Result<(), PlatformError> {
        let sockets = self.state.table.interfaces.sockets(host_if);
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
        let ours = self.installer.ledger.contains(&entry);
        self.installer.ledger.add([entry.clone()]).map_err(noted)?;
        // Of a node that is missing the next step tells.
        if self.installer.graph.auto_source(&name).unwrap_or(false) {
            let device = name.clone();
            self.installer
                .ledger
                .add([Entry::Source { device }])
                .map_err(noted)?;
        }
        match self.installer.graph.insert_bridge(&name, index, ours) {
            Ok(bridge) => {
                if let Some(sockets) = self.state.table.interfaces.sockets_mut(host_if) {
                    sockets.bridge = Some(bridge);
                }
                self.compare_later();
                self.tidy()
            }
            Err(error) => {
                // One of this name that is ours remains so until it is gone.
                if !ours {
                    let _ = self.installer.ledger.remove(&entry);
                    self.restore_source(&name, index);
                }
                Err(error)
            }
        }
    }

    /// The node of the bridge on an interface.
    pub(super) fn bridge(&self, host_if: HostIf) -> Option<String> {
        let sockets = self.state.table.interfaces.sockets(host_if)?;
        Some(sockets.bridge.as_ref()?.node.clone())
    }

    /// Takes the bridge from an interface. `false`: it refused to go.
    pub(super) fn remove_bridge(&mut self, host_if: HostIf) -> bool {
        let sockets = self.state.table.interfaces.sockets_mut(host_if);
        let Some(sockets) = sockets else {
            return true;
        };
        let (name, index, bridge) = (sockets.name.clone(), sockets.index, sockets.bridge.take());
        let clean = bridge.is_none_or(|bridge| {
            let gone = self.installer.graph.shutdown(&bridge.node).is_ok();
            let entry = Entry::Bridge { node: bridge.node };
            gone && self.installer.ledger.remove(&entry).is_ok()
        });
        clean && self.restore_source(&name, index)
    }

    /// Lets the node of an interface replace the source of what it sends, if it did. `false`: it
    /// cannot.
    fn restore_source(&mut self, device: &str, index: KernelIf) -> bool {
        let entry = Entry::Source {
            device: device.into(),
        };
        if !self.installer.ledger.contains(&entry) {
            return true;
        }
        // The node has the name that the interface has by now.
        let name = self
            .state
            .links
            .get(index)
            .map_or(device, |link| &link.name);
        let restored = match self.installer.graph.restore_auto_source(name) {
            Err(error) => is_gone(&error),
            Ok(()) => true,
        };
        restored && self.installer.ledger.remove(&entry).is_ok()
    }

    /// Takes the bridge of an interface down, and with it what it has learned and keeps to. The
    /// carriers of masters have lost their links.
    pub(super) fn drop_bridge(&mut self, host_if: HostIf) {
        if let Some(sockets) = self.state.table.interfaces.sockets_mut(host_if)
            && let Some(bridge) = sockets.bridge.take()
        {
            let _ = self.installer.graph.shutdown(&bridge.node);
        }
        let routers = self
            .state
            .table
            .routers
            .iter_mut()
            .filter(|(k, _)| HostIf::of(*k) == host_if);
        for (key, router) in routers.filter(|(_, r)| r.mac_on && r.mac.carrier.is_some()) {
            router.mac_on = false;
            self.state.table.lost.push(Failure::Mac { key: *key });
            self.state.table.unsettled = true;
        }
    }

    /// Tells the bridge of an interface which MACs are this host's: that of the interface, and those
    /// of VLANs on it, which may have others.
    pub(super) fn introduce(&mut self, host_if: HostIf) -> Result<(), PlatformError> {
        let carriers = self.state.carriers().map(|carrier| carrier.index);
        let carriers: BTreeSet<KernelIf> = carriers.collect();
        let mut macs: BTreeSet<MacAddr> = self.state.links.macs(|index| !carriers.contains(&index));
        // A virtual MAC is at its carrier and nowhere else, whoever has it on another interface.
        macs.retain(|mac| !names::is_virtual(*mac));
        let Some(watched) = self.state.table.interfaces.get_mut(host_if) else {
            return Ok(());
        };
        let Some(sockets) = watched.sockets.as_mut() else {
            return Ok(());
        };
        let Some(bridge) = sockets.bridge.as_mut() else {
            return Ok(());
        };
        match self.installer.graph.know(bridge, macs) {
            // Somebody removed it. Its carriers have lost their links, and it comes with them.
            Err(error) if is_gone(&error) => {
                sockets.bridge = None;
                Ok(())
            }
            other => other.map_err(|error| {
                let what = format!("tell the bridge on {} its MACs", watched.name);
                PlatformError::new(what, error)
            }),
        }
    }

    /// Looks whether the bridges are still there and the carriers of masters joined to them, which
    /// the kernel does not tell.
    pub(crate) fn inspect_bridges(&mut self) {
        for (host_if, watched) in self.state.table.interfaces.iter_mut() {
            let Some(sockets) = watched.sockets.as_mut() else {
                continue;
            };
            let Some(bridge) = &sockets.bridge else {
                continue;
            };
            let hooks = match self.installer.graph.hooks_of(&bridge.node) {
                Ok(hooks) => hooks,
                Err(error) if is_gone(&error) => Vec::new(),
                // It can be asked again.
                Err(_) => continue,
            };
            if !graph::is_whole(&hooks) {
                // The rest of it keeps the host from its network, or is nothing.
                let _ = self.installer.graph.shutdown(&bridge.node);
                sockets.bridge = None;
            }
            let routers = self
                .state
                .table
                .routers
                .iter_mut()
                .filter(|(k, _)| HostIf::of(*k) == host_if);
            for (key, router) in routers.filter(|(_, r)| r.mac_on && r.mac.carrier.is_some()) {
                let place = names::hook(key.family, key.vrid);
                let joined = hooks.iter().any(|hook| hook.name == place);
                if sockets.bridge.is_none() || !joined {
                    router.mac_on = false;
                    self.state.table.lost.push(Failure::Mac { key: *key });
                    self.state.table.unsettled = true;
                }
            }
        }
    }

    /// The type of an interface.
    pub(super) fn kind(&self, index: KernelIf) -> u8 {
        let link = self.state.links.get(index);
        link.map_or(0, |link| self.installer.kind(link))
    }
}
