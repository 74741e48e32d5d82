//! The frames that are heard on an interface for all its virtual routers together.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use vrrp_core::Family;
use vrrp_core::wire::mld::solicited_node;
use vrrp_host::{HostIf, PlatformError};
use vrrp_port_kit::{Serving, VirtualMac as _};

use crate::bpf::Wanted;
use crate::state::State;
use crate::sys::Queue;

impl State {
    /// The frames that an interface's virtual routers need to hear, and the solicited-node groups that
    /// some of these frames are sent to. The frames are VRRP of their families, the neighbour requests
    /// that the kernel does not answer, and announcements of their addresses.
    fn wanted_on(&self, host_if: HostIf) -> (Wanted, BTreeSet<Ipv6Addr>) {
        let mut wanted = Wanted::default();
        let mut groups = BTreeSet::new();
        let name = self.table.interfaces.name(host_if);
        // Also without a virtual router.
        for family in [Family::Ipv4, Family::Ipv6] {
            let watched = self.table.interfaces.get(host_if);
            wanted.vrrp[family as usize] = watched.is_some_and(|w| w.wants_group(family));
        }
        for (key, router) in self.table.routers.on(host_if) {
            wanted.vrrp[key.family as usize] = true;
            wanted.announced.extend(router.setup.source);
            let here = router.setup.addresses.iter();
            let here = here.filter(|(_, device)| device.as_ref().is_none_or(|d| d == name));
            wanted
                .announced
                .extend(here.map(|(address, _)| address.address));
            let carrier = router.mac.carrier();
            for served in router.served() {
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
        let index = self.table.interfaces.index(host_if);
        if let Some(index) = index.filter(|_| wanted != Wanted::default()) {
            let own = self.links.state(index, |a| self.is_ours(a));
            let own = [own.ipv4.map(IpAddr::V4), own.ipv6.map(IpAddr::V6)];
            wanted.announced.extend(own.into_iter().flatten());
        }
        (wanted, groups)
    }

    /// Whether virtual routers on other interfaces have addresses on this one, to be announced there.
    fn announces_on(&self, host_if: HostIf) -> bool {
        let name = self.table.interfaces.name(host_if);
        let mut routers = self.table.routers.iter();
        routers.any(|(key, router)| {
            let mut devices = router.setup.addresses.iter().map(|(_, device)| device);
            HostIf::of(key) != host_if && devices.any(|device| device.as_deref() == Some(name))
        })
    }

    /// Hears VRRP of the families of an interface's virtual routers, and the requests that the kernel
    /// does not answer. Without a queue another process reads what is heard.
    pub(crate) fn hear(
        &mut self,
        queue: Option<&Queue>,
        host_if: HostIf,
    ) -> Result<(), PlatformError> {
        let (mut wanted, groups) = self.wanted_on(host_if);
        let silent = wanted == Wanted::default();
        wanted.announces = self.announces_on(host_if);
        let Some(watched) = self.table.interfaces.get_mut(host_if) else {
            return Ok(());
        };
        let Some(sockets) = &mut watched.sockets else {
            return Ok(());
        };
        let heard = match sockets.hear(queue, wanted) {
            // Without Ethernet there is nobody to announce to.
            Err(_) if silent => Ok(()),
            other => other,
        };
        heard
            .and_then(|()| sockets.join_solicited(groups))
            .map_err(|error| PlatformError::new(format!("listen on {}", watched.name), error))
    }
}
