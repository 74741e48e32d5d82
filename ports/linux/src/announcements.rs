//! The sockets that hear other hosts announce an address of ours.
//!
//! The kernel drops all that is about other addresses.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vrrp_host::{HostIf, PlatformWarning, Subject};

use crate::sockets::Announced;
use crate::state::State;
use crate::sys::Epoll;

/// The announcements that are heard.
#[derive(Debug, Default)]
pub(crate) struct Announcements {
    /// The addresses whose announcements are heard may not be those that matter.
    doubtful: bool,
    /// Interfaces whose announcements cannot be heard, and why.
    deaf: BTreeMap<HostIf, String>,
}

impl Announcements {
    /// Notes that other announcements may matter.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Tries again to hear announcements where that has failed.
    pub(crate) fn retry(&mut self) {
        self.doubtful |= !self.deaf.is_empty();
    }

    /// Hears announcements of the addresses of virtual routers on their own interfaces, and of the
    /// addresses that these advertise from, where that may have changed. Where that fails there is a
    /// warning.
    pub(crate) fn tidy(&mut self, state: &mut State, epoll: &Epoll) {
        if !std::mem::take(&mut self.doubtful) {
            return;
        }
        for host_if in state.table.interfaces.handles() {
            let announced = announced_on(state, host_if);
            let Some(watched) = state.table.interfaces.get_mut(host_if) else {
                continue;
            };
            let Some(sockets) = &mut watched.sockets else {
                self.deaf.remove(&host_if);
                continue;
            };
            match sockets.hear_announcements(epoll, announced) {
                Ok(()) => drop(self.deaf.remove(&host_if)),
                Err(error) => {
                    let text = format!(
                        "cannot hear whether another host on {} announces our addresses: {error}",
                        watched.name
                    );
                    self.deaf.insert(host_if, text);
                }
            }
        }
        let interfaces = &state.table.interfaces;
        self.deaf
            .retain(|host_if, _| interfaces.get(*host_if).is_some());
    }

    /// Appends the interfaces whose announcements cannot be heard.
    pub(crate) fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        list.extend(self.deaf.iter().map(|(host_if, text)| PlatformWarning {
            subject: Subject::Interface(*host_if),
            text: text.clone(),
        }));
    }
}

fn announced_on(state: &State, host_if: HostIf) -> Announced {
    let mut announced = Announced::default();
    let mut add = |address| match address {
        IpAddr::V4(ip) => announced.ipv4.push(ip),
        IpAddr::V6(ip) => announced.ipv6.push(ip),
    };
    let Some(watched) = state.table.interfaces.get(host_if) else {
        return announced;
    };
    let mut any = false;
    for (_, router) in state.table.routers.on(host_if) {
        any = true;
        router.setup.source.into_iter().for_each(&mut add);
        for (address, device) in &router.setup.addresses {
            if device.as_ref().is_none_or(|device| *device == watched.name) {
                add(address.address);
            }
        }
    }
    if let Some(index) = watched.index().filter(|_| any) {
        let own = state.links.state(index, |a| state.is_ours(a));
        let own = [own.ipv4.map(IpAddr::V4), own.ipv6.map(IpAddr::V6)];
        own.into_iter().flatten().for_each(add);
    }
    announced.ipv4.sort_unstable();
    announced.ipv6.sort_unstable();
    announced
}
