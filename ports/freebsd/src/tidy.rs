//! What depends on all virtual routers of an interface together: what is heard on it, and which
//! MACs its bridge knows.

use std::collections::BTreeSet;
use std::net::IpAddr;

use vrrp_core::MacAddr;
use vrrp_host::PlatformError;

use crate::bpf::Wanted;
use crate::platform::FreebsdPlatform;
use crate::port::solicited_node;
use crate::router::{How, is_gone};

impl FreebsdPlatform {
    /// Makes filters, memberships and bridges as the virtual routers want them, where that may have
    /// changed.
    pub(crate) fn tidy(&mut self) -> Result<(), PlatformError> {
        if !self.untidy {
            return Ok(());
        }
        let numbers: Vec<u32> = self.interfaces.keys().copied().collect();
        for number in numbers {
            self.hear(number)?;
            self.introduce(number)?;
        }
        self.untidy = false;
        Ok(())
    }

    /// Hears VRRP of the families of an interface's virtual routers, and the questions that the
    /// kernel does not answer.
    pub(crate) fn hear(&mut self, number: u32) -> Result<(), PlatformError> {
        let mut wanted = Wanted::default();
        let mut groups = BTreeSet::new();
        for (key, router) in self.routers.iter().filter(|(k, _)| k.ifindex == number) {
            wanted.vrrp[key.family as usize] = true;
            let carrier = router.carrier.as_ref().map(|carrier| carrier.index);
            for held in &router.held {
                let ip = held.address.address;
                match (ip, held.how) {
                    (_, How::Silent { .. }) => {
                        wanted.questions.insert(ip);
                        if let IpAddr::V6(ip) = ip {
                            groups.insert(solicited_node(ip));
                        }
                    }
                    // On a carrier the kernel takes no source for a neighbour but link-local ones,
                    // for the prefix is the interface's, and leaves the others without an answer.
                    (IpAddr::V6(ip), _) if carrier == Some(held.index) => {
                        wanted.from_afar.insert(ip);
                    }
                    _ => {}
                }
            }
        }
        let Some(watched) = self.interfaces.get_mut(&number) else {
            return Ok(());
        };
        let Some(port) = &mut watched.port else {
            return Ok(());
        };
        port.hear(&self.queue, wanted)
            .and_then(|()| port.join_solicited(groups))
            .map_err(|error| PlatformError::new(format!("listen on {}", watched.name), error))
    }

    /// Tells the bridge of an interface which MACs are this host's: that of the interface, and those
    /// of VLANs on it, which may have others.
    fn introduce(&mut self, number: u32) -> Result<(), PlatformError> {
        let carriers = self.routers.values().filter_map(|r| r.carrier.as_ref());
        let carriers: BTreeSet<u32> = carriers.map(|carrier| carrier.index).collect();
        let macs: BTreeSet<MacAddr> = self.links.macs(|index| !carriers.contains(&index));
        let Some(watched) = self.interfaces.get_mut(&number) else {
            return Ok(());
        };
        let Some(port) = watched.port.as_mut() else {
            return Ok(());
        };
        let Some(bridge) = port.bridge.as_mut() else {
            return Ok(());
        };
        match self.graph.know(bridge, macs) {
            // Somebody removed it. Its carriers have lost their links, and it comes with them.
            Err(error) if is_gone(&error) => {
                port.bridge = None;
                Ok(())
            }
            other => other.map_err(|error| {
                let what = format!("tell the bridge on {} its MACs", watched.name);
                PlatformError::new(what, error)
            }),
        }
    }
}
