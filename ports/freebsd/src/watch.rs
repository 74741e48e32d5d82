//! Watched interfaces: what the kernel says of them, and what becomes of ours when they go and come.

use std::io;

use vrrp_core::{Duration, Failure, Family, InterfaceState, VrKey};
use vrrp_host::{HostIf, Incoming, Platform, PlatformError};
use vrrp_port_kit::{KernelIf, Served, Serving, Watched, unwatched};

use crate::abi::*;
use crate::links::Links;
use crate::platform::{FreebsdPlatform, NOW_AND_THEN};
use crate::request::{self, Request};
use crate::route::{self, Address};
use crate::router::Router;
use crate::sockets::Sockets;
use crate::sys;

/// The kernel does not tell when an address has passed duplicate address detection.
const DETECTION: Duration = Duration::from_millis(250);
/// Serving long a link may be down because its MAC was changed, by us.
pub(crate) const MAC_CHANGE: Duration = Duration::from_secs(4);

impl FreebsdPlatform {
    pub(crate) fn watch_interface(
        &mut self,
        host_if: HostIf,
        name: &str,
    ) -> Result<(), PlatformError> {
        if self.interfaces.contains_key(&host_if) {
            let error = io::ErrorKind::AlreadyExists.into();
            let what = format!("watch {name}: number {host_if}");
            return Err(PlatformError::new(what, error));
        }
        self.interfaces.insert(host_if, Watched::new(name));
        self.unsettled = true;
        let listed = self.resync();
        listed.map_err(|error| PlatformError::new("list the interfaces", error))?;
        if let Some(index) = self.links.find(name) {
            self.attach(host_if, index);
        }
        Ok(())
    }

    pub(crate) fn unwatch_interface(&mut self, host_if: HostIf) {
        for key in self.keys_on(host_if) {
            self.release_router(key);
        }
        self.interfaces.remove(&host_if);
    }

    pub(crate) fn set_interface_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        match self.interfaces.get_mut(&host_if) {
            Some(watched) => watched.set_group(family, on),
            None => Err(unwatched(host_if, family, on)),
        }
    }

    /// Lists the interfaces anew and compares them with what should be there.
    pub(crate) fn resync(&mut self) -> io::Result<()> {
        let list = sys::interface_list()?;
        self.links = Links::new(route::list(&list));
        self.counters.resyncs += 1;
        self.unsettled = true;
        self.untidy = true;
        for (index, name) in self.links.silent_about_carrier() {
            // Loopbacks and tunnels have no medium to ask for.
            let asked = Request::about(SIOCGIFMEDIA, &name).and_then(|mut request| {
                sys::ioctl(self.any_requester()?, &mut request)?;
                Ok(request::media_active(&request.argument))
            });
            self.links.set_medium(index, asked.ok().flatten());
        }
        if !self.interfaces.is_empty() {
            self.look_again(NOW_AND_THEN);
        }
        self.ask_for_detection();
        let links = &self.links;
        for (key, router) in &mut self.routers {
            router.find_losses(*key, links, &mut self.lost);
        }
        Ok(())
    }

    /// Learns which link-local addresses of watched interfaces cannot be used yet, or ever.
    fn ask_for_detection(&mut self) {
        let mut tentative = false;
        let names = self.interfaces.values().map(|w| w.name.clone());
        for name in names.collect::<Vec<_>>() {
            let Some(index) = self.links.find(&name) else {
                continue;
            };
            for ip in self.links.link_locals(index) {
                let asked = request::ask_address_flags(&name, ip).and_then(|mut request| {
                    sys::ioctl(self.requester(Family::Ipv6)?, &mut request)?;
                    Ok(request::address_flags(&request.argument))
                });
                let flags = asked.unwrap_or(0);
                tentative |= flags & IN6_IFF_TENTATIVE != 0 && self.links.is_up(index);
                if flags & (IN6_IFF_TENTATIVE | IN6_IFF_DUPLICATED) != 0 {
                    self.links.set_unready(index, ip);
                }
            }
        }
        if tentative {
            self.look_again(DETECTION);
        }
    }

    /// Follows interfaces that came and went, and tells the host what has changed.
    pub(crate) fn settle(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) {
        self.unsettled = false;
        let numbers: Vec<HostIf> = self.interfaces.keys().copied().collect();
        for host_if in numbers {
            let Some(watched) = self.interfaces.get(&host_if) else {
                continue;
            };
            let index = self.links.find(&watched.name);
            let known = watched.index();
            if known.is_some() && known != index {
                self.detach(host_if);
            }
            let known = self.interfaces.get(&host_if).and_then(Watched::index);
            if let Some(index) = index.filter(|_| known != index) {
                self.attach(host_if, index);
            }
            let attached = self.interfaces.get(&host_if).and_then(Watched::index);
            let state = match attached {
                Some(index) => self.links.state(index, |a| self.is_ours(a)),
                None => InterfaceState::default(),
            };
            let state = self.forgive(host_if, state);
            if let Some(watched) = self.interfaces.get_mut(&host_if) {
                watched.report(host_if, state, sink);
            }
        }
        for failure in self.lost.drain(..) {
            sink(Incoming::Lost(failure));
        }
    }

    /// Some drivers lose the link for a moment when their MAC is set. A link that we have done this
    /// to counts as up, lest it be given up and taken up for ever.
    fn forgive(&mut self, host_if: HostIf, mut state: InterfaceState) -> InterfaceState {
        let now = self.now();
        let Some(watched) = self.interfaces.get_mut(&host_if) else {
            return state;
        };
        let known_up = watched.is_known_up();
        let Some(sockets) = &mut watched.sockets else {
            return state;
        };
        let Some(until) = sockets.changing_until.filter(|until| *until > now) else {
            sockets.changing_until = None;
            return state;
        };
        if !state.up && self.links.is_up(sockets.index) && known_up {
            state.up = true;
            self.look_again(Duration::from_micros(until.as_micros() - now.as_micros()));
        }
        state
    }

    pub(crate) fn is_ours(&self, address: &Address) -> bool {
        let mut served = self
            .routers
            .values()
            .flat_map(|router| router.served.iter());
        served.any(|h| {
            h.how == Serving::Installed
                && h.index == address.index
                && h.address.address == address.address
        })
    }

    /// The interface is there: opens what its virtual routers need. Where that fails the host
    /// hears why, since it prepares them again.
    fn attach(&mut self, host_if: HostIf, index: KernelIf) {
        let Some(name) = self.interfaces.get(&host_if).map(|w| w.name.clone()) else {
            return;
        };
        let fib = Request::about(SIOCGIFFIB, &name).and_then(|mut request| {
            sys::ioctl(self.any_requester()?, &mut request)?;
            Ok(request::number(&request.argument))
        });
        let sockets = Sockets::new(index, host_if, &name, fib.unwrap_or(0));
        let Some(watched) = self.interfaces.get_mut(&host_if) else {
            return;
        };
        for family in watched.arrive(sockets) {
            // The host tries again, and hears why not.
            let ifindex = host_if.number();
            self.lost.push(Failure::Group { ifindex, family });
        }
        self.untidy = true;
        if self.hear(host_if).is_err() {
            return;
        }
        for key in self.keys_on(host_if) {
            let _ = self.attach_router(key);
        }
    }

    /// The interface is gone, or has another name: what is left of ours on it goes, too.
    pub(crate) fn detach(&mut self, host_if: HostIf) {
        for key in self.keys_on(host_if) {
            self.strip_router(key);
        }
        self.remove_bridge(host_if);
        if let Some(watched) = self.interfaces.get_mut(&host_if) {
            watched.depart();
        }
        self.untidy = true;
    }

    /// The interface of this index is gone.
    pub(crate) fn detach_index(&mut self, index: KernelIf) {
        let interfaces = self.interfaces.iter();
        let numbers = interfaces.filter(|(_, watched)| watched.index() == Some(index));
        let numbers: Vec<HostIf> = numbers.map(|(host_if, _)| *host_if).collect();
        for host_if in numbers {
            self.detach(host_if);
        }
    }

    pub(crate) fn keys_on(&self, host_if: HostIf) -> Vec<VrKey> {
        let keys = self.routers.keys().copied();
        keys.filter(|key| HostIf::of(key) == host_if).collect()
    }
}

impl Router {
    /// Forgets what is not there any more, and says so where it should be.
    fn find_losses(&mut self, key: VrKey, links: &Links, lost: &mut Vec<Failure>) {
        if let Some(carrier) = &self.carrier {
            let there = links.get(carrier.index);
            // One that is joined to no bridge any more has lost its link.
            let whole = there.is_some_and(|link| {
                link.mac == key.virtual_mac() && link.link_state != LINK_STATE_DOWN
            });
            if self.mac_on && !(whole && links.is_up(carrier.index)) {
                self.mac_on = false;
                lost.push(Failure::Mac { key });
            }
            if there.is_none() {
                self.carrier = None;
            }
        }
        if let Some(replaced) = &self.replaced
            && links
                .get(replaced.index)
                .is_none_or(|link| link.mac != key.virtual_mac())
        {
            self.replaced = None;
            self.mac_on = false;
            lost.push(Failure::Mac { key });
        }
        let there = |served: &Served<_>| {
            links
                .address(served.index, served.address.address)
                .is_some()
        };
        self.served.find_losses(key, there, lost);
    }
}
