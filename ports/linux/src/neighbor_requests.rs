//! Hears the ARP requests and neighbour solicitations that the host answers in the kernel's place.

use std::net::IpAddr;

use vrrp_core::{MacMode, VrKey};
use vrrp_host::{HostIf, PlatformError};
use vrrp_port_kit::{Served, Serving};

use crate::ledger::Entry;
use crate::state::State;
use crate::sys::Epoll;
use crate::sysctl::apply::Sysctls;
use crate::sysctl::table::Answers;

/// The neighbour requests that are heard.
#[derive(Debug, Default)]
pub(crate) struct NeighborRequests {
    /// They may not be those that the host answers.
    doubtful: bool,
}

impl NeighborRequests {
    /// Notes that other requests may have to be heard.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Notes that an address is served, or not any more.
    pub(crate) fn note(
        &mut self,
        state: &State,
        sysctls: &Sysctls,
        key: VrKey,
        served: &Served<Entry>,
    ) {
        self.doubtful |= !is_answered(state, sysctls, key, served);
    }

    /// Hears requests for the addresses that are served without being accepted, and for those that
    /// the kernel does not answer for because of a sysctl, where that may have changed.
    pub(crate) fn tidy(
        &mut self,
        state: &mut State,
        sysctls: &Sysctls,
        epoll: &Epoll,
    ) -> Result<(), PlatformError> {
        if !self.doubtful {
            return Ok(());
        }
        let mut targets: Vec<(HostIf, IpAddr)> = Vec::new();
        for (key, router) in state.table.routers.iter() {
            let unanswered = router
                .served()
                .filter(|served| !is_answered(state, sysctls, *key, served));
            targets.extend(unanswered.map(|served| (HostIf::of(key), served.address.address)));
        }
        targets.sort_unstable();
        for (host_if, watched) in state.table.interfaces.iter_mut() {
            let Some(sockets) = &mut watched.sockets else {
                continue;
            };
            let of_interface = targets.iter().filter(|(on, _)| *on == host_if);
            let targets: Vec<IpAddr> = of_interface.map(|(_, target)| *target).collect();
            sockets.hear_requests(epoll, &targets).map_err(|error| {
                PlatformError::new(format!("hear ARP and NS on {}", watched.name), error)
            })?;
        }
        self.doubtful = false;
        Ok(())
    }
}

/// Whether the kernel answers requests for the MAC of an address, or nobody does: requests on
/// another interface than that of the virtual router are not heard.
fn is_answered(state: &State, sysctls: &Sysctls, key: VrKey, served: &Served<Entry>) -> bool {
    if matches!(served.how, Serving::Silent { .. }) {
        return false;
    }
    let Some(router) = state.table.routers.get(key) else {
        return true;
    };
    let (device, own) = match router.setup.mac_mode {
        MacMode::Virtual => (None, router.mac.macvlan),
        MacMode::Interface => {
            let own = state.table.interfaces.index(HostIf::of(key));
            (Some(served.index), own)
        }
    };
    let is_elsewhere = own != Some(served.index);
    served.address.address.is_ipv6()
        || is_elsewhere
        || sysctls.kernel_answers(device) == Answers::All
}
