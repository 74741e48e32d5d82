//! What depends on all virtual routers of an interface together: what is heard on it, and which
//! MACs its bridge knows.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vrrp_core::{Failure, MacAddr};
use vrrp_host::{HostIf, PlatformError};
use vrrp_port_kit::{KernelIf, Serving, Watched};

use crate::bpf::Wanted;
use crate::graph;
use crate::names;
use crate::platform::FreebsdPlatform;
use crate::router::is_gone;
use crate::sockets::solicited_node;

impl FreebsdPlatform {
    /// Makes filters, memberships and bridges as the virtual routers want them, where that may have
    /// changed.
    pub(crate) fn tidy(&mut self) -> Result<(), PlatformError> {
        if !self.untidy {
            return Ok(());
        }
        let numbers: Vec<HostIf> = self.interfaces.keys().copied().collect();
        for host_if in numbers {
            self.hear(host_if)?;
            self.introduce(host_if)?;
        }
        self.untidy = false;
        Ok(())
    }

    /// Hears VRRP of the families of an interface's virtual routers, and the questions that the
    /// kernel does not answer.
    pub(crate) fn hear(&mut self, host_if: HostIf) -> Result<(), PlatformError> {
        let mut wanted = Wanted::default();
        let mut groups = BTreeSet::new();
        for (key, router) in self
            .routers
            .iter()
            .filter(|(k, _)| HostIf::of(*k) == host_if)
        {
            wanted.vrrp[key.family as usize] = true;
            wanted.announced.extend(router.setup.source);
            let name = self.interfaces.get(&host_if).map(|watched| &watched.name);
            let here = router.setup.addresses.iter();
            let here = here.filter(|(_, device)| device.is_none() || device.as_ref() == name);
            wanted
                .announced
                .extend(here.map(|(address, _)| address.address));
            let carrier = router.carrier.as_ref().map(|carrier| carrier.index);
            for served in router.served.iter() {
                let ip = served.address.address;
                match (ip, served.how) {
                    (_, Serving::Silent { .. }) => {
                        wanted.questions.insert(ip);
                        if let IpAddr::V6(ip) = ip {
                            groups.insert(solicited_node(ip));
                        }
                    }
                    // On a carrier the kernel takes no source for a neighbour but link-local ones,
                    // for the prefix is the interface's, and leaves the others without an answer.
                    (IpAddr::V6(ip), _) if carrier == Some(served.index) => {
                        wanted.from_afar.insert(ip);
                    }
                    _ => {}
                }
            }
        }
        let index = self.interfaces.get(&host_if).and_then(Watched::index);
        if let Some(index) = index.filter(|_| wanted != Wanted::default()) {
            let own = self.links.state(index, |a| self.is_ours(a));
            let own = [own.ipv4.map(IpAddr::V4), own.ipv6.map(IpAddr::V6)];
            wanted.announced.extend(own.into_iter().flatten());
        }
        let Some(watched) = self.interfaces.get_mut(&host_if) else {
            return Ok(());
        };
        let Some(sockets) = &mut watched.sockets else {
            return Ok(());
        };
        let silent = wanted == Wanted::default();
        wanted.announces = self.routers.iter().any(|(key, router)| {
            let mut devices = router.setup.addresses.iter().map(|(_, device)| device);
            let name = Some(&watched.name);
            HostIf::of(key) != host_if && devices.any(|device| device.as_ref() == name)
        });
        let queue = self.frames.then_some(&self.queue);
        let heard = match sockets.hear(queue, wanted) {
            // Without Ethernet there is nobody to announce to.
            Err(_) if silent => Ok(()),
            other => other,
        };
        heard
            .and_then(|()| sockets.join_solicited(groups))
            .map_err(|error| PlatformError::new(format!("listen on {}", watched.name), error))
    }

    /// Tells the bridge of an interface which MACs are this host's: that of the interface, and those
    /// of VLANs on it, which may have others.
    fn introduce(&mut self, host_if: HostIf) -> Result<(), PlatformError> {
        let carriers = self.routers.values().filter_map(|r| r.carrier.as_ref());
        let carriers: BTreeSet<KernelIf> = carriers.map(|carrier| carrier.index).collect();
        let mut macs: BTreeSet<MacAddr> = self.links.macs(|index| !carriers.contains(&index));
        // A virtual MAC is at its carrier and nowhere else, whoever has it on another interface.
        macs.retain(|mac| !names::is_virtual(*mac));
        let Some(watched) = self.interfaces.get_mut(&host_if) else {
            return Ok(());
        };
        let Some(sockets) = watched.sockets.as_mut() else {
            return Ok(());
        };
        let Some(bridge) = sockets.bridge.as_mut() else {
            return Ok(());
        };
        match self.graph.know(bridge, macs) {
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
        for (host_if, watched) in &mut self.interfaces {
            let Some(sockets) = watched.sockets.as_mut() else {
                continue;
            };
            let Some(bridge) = &sockets.bridge else {
                continue;
            };
            let hooks = match self.graph.hooks_of(&bridge.node) {
                Ok(hooks) => hooks,
                Err(error) if is_gone(&error) => Vec::new(),
                // It can be asked again.
                Err(_) => continue,
            };
            if !graph::is_whole(&hooks) {
                // What is left of it keeps the host from its network, or is nothing.
                let _ = self.graph.shutdown(&bridge.node);
                sockets.bridge = None;
            }
            let routers = self
                .routers
                .iter_mut()
                .filter(|(k, _)| HostIf::of(*k) == *host_if);
            for (key, router) in routers.filter(|(_, r)| r.mac_on && r.carrier.is_some()) {
                let place = names::hook(key.family, key.vrid);
                let joined = hooks.iter().any(|hook| hook.name == place);
                if sockets.bridge.is_none() || !joined {
                    router.mac_on = false;
                    self.lost.push(Failure::Mac { key: *key });
                    self.unsettled = true;
                }
            }
        }
    }
}
