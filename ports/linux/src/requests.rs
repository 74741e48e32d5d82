//! The sockets for ARP requests and neighbour solicitations that the host answers in the kernel's
//! place.

use std::net::IpAddr;
use vrrp_host::{HostIf, PlatformError};

use vrrp_core::{MacMode, VrKey};
use vrrp_port_kit::{Served, Serving};

use crate::ledger::Entry;
use crate::platform::LinuxPlatform;
use crate::sysctl::Answers;

impl LinuxPlatform {
    /// Hears requests for the addresses that are served without being accepted, and for those that
    /// the kernel does not answer for because of a sysctl.
    pub(crate) fn hear_requests(&mut self) -> Result<(), PlatformError> {
        let mut targets: Vec<(HostIf, IpAddr)> = Vec::new();
        for (key, router) in &self.routers {
            let unanswered = router
                .served
                .iter()
                .filter(|served| !self.is_answered(*key, served));
            targets.extend(unanswered.map(|served| (HostIf::of(key), served.address.address)));
        }
        targets.sort_unstable();
        for (host_if, watched) in &mut self.interfaces {
            let Some(sockets) = &mut watched.sockets else {
                continue;
            };
            let of_interface = targets.iter().filter(|(interface, _)| interface == host_if);
            let targets: Vec<IpAddr> = of_interface.map(|(_, target)| *target).collect();
            sockets
                .hear_questions(&self.epoll, &targets)
                .map_err(|error| {
                    PlatformError::new(format!("hear ARP and NS on {}", watched.name), error)
                })?;
        }
        Ok(())
    }

    /// Whether the kernel answers requests for the MAC of an address, or nobody does: requests on
    /// another interface than that of the virtual router are not heard.
    pub(crate) fn is_answered(&self, key: VrKey, served: &Served<Entry>) -> bool {
        if matches!(served.how, Serving::Silent { .. }) {
            return false;
        }
        let Some(router) = self.routers.get(&key) else {
            return true;
        };
        let device = match router.setup.mac_mode {
            MacMode::Virtual => None,
            MacMode::Interface => Some(served.index),
        };
        let own = match device {
            None => router.link,
            Some(_) => self
                .interfaces
                .get(&HostIf::of(key))
                .and_then(|watched| watched.index()),
        };
        let is_elsewhere = own != Some(served.index);
        served.address.address.is_ipv6()
            || is_elsewhere
            || self.sysctls.kernel_answers(device) == Answers::All
    }
}
