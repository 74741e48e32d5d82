//! Watched interfaces: what netlink says of them, and what becomes of ours when they go and come.

use std::io;
use vrrp_host::{HostIf, Incoming, PlatformError};
use vrrp_port_kit::{KernelIf, Served, Watched, unwatched};

use vrrp_core::{Failure, Family, InterfaceState, VrKey};

use crate::fitness::{fitness, judge};
use crate::links::Links;
use crate::netlink::{self, Address, Event, OUR_PROTOCOL};
use crate::platform::LinuxPlatform;
use crate::router::Router;
use crate::serve::Places;
use crate::sockets::Sockets;

/// Datagrams of notices that one call takes at most.
const NOTICES: usize = 256;

impl LinuxPlatform {
    pub(crate) fn watch_interface(
        &mut self,
        host_if: HostIf,
        name: &str,
    ) -> Result<(), PlatformError> {
        if self.interfaces.contains_key(&host_if) {
            let error = io::ErrorKind::AlreadyExists.into();
            return Err(PlatformError::new(
                format!("watch {name}: number {host_if}"),
                error,
            ));
        }
        self.interfaces.insert(host_if, Watched::new(name));
        // The host learns the state without waiting for a change.
        self.unsettled = true;
        if let Some(index) = self.links.find(name) {
            self.attach(host_if, index);
        }
        Ok(())
    }

    pub(crate) fn unwatch_interface(&mut self, host_if: HostIf) {
        let keys = self.keys_on(host_if);
        for key in keys {
            self.release_router(key);
        }
        self.interfaces.remove(&host_if);
        self.untidy = true;
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

    /// Takes what the monitor has.
    pub(crate) fn take_notices(&mut self) -> io::Result<()> {
        let mut events = Vec::new();
        let mut doubt = false;
        for _ in 0..NOTICES {
            match self.monitor.receive(&mut |event| events.push(event)) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => match error.raw_os_error() {
                    // Notices were lost.
                    Some(libc::ENOBUFS | libc::EMSGSIZE) => doubt = true,
                    _ => return Err(error),
                },
            }
        }
        for event in events {
            doubt |= self.is_doubtful(&event);
            self.unsettled |= match &event {
                Event::Link(link) => {
                    let foreign = !self.macvlans.contains_key(&link.index);
                    // It may have been down, and lost its routes.
                    self.unrouted |= foreign;
                    foreign
                }
                Event::Address(a) | Event::AddressGone(a) => {
                    let foreign = !self.macvlans.contains_key(&a.index) && !self.is_ours(a);
                    // Another interface may have come into a virtual address's subnet.
                    self.untidy |= foreign;
                    self.unrouted |= foreign;
                    self.unannounced |= foreign;
                    foreign
                }
                Event::Sysctl(index) => {
                    self.note_sysctl(*index);
                    false
                }
                _ => true,
            };
            self.links.apply(event);
        }
        if doubt { self.resync() } else { Ok(()) }
    }

    /// Whether a notice says that something of ours is gone. It may be the late echo of something
    /// that we have done and undone since, so it is a reason to look, not a proof.
    fn is_doubtful(&self, event: &Event) -> bool {
        match event {
            Event::Link(link) => self
                .macvlans
                .get(&link.index)
                .and_then(|key| self.routers.get(key).map(|router| (key, router)))
                .is_some_and(|(key, router)| {
                    let up = link.flags & libc::IFF_UP as u32 != 0;
                    router.mac_on && !up || link.mac != key.virtual_mac()
                }),
            Event::LinkGone(index) => {
                self.macvlans.contains_key(index)
                    || self
                        .routers
                        .values()
                        .any(|r| r.served.iter().any(|h| h.index == *index))
            }
            Event::Address(address) => self.has_come_first(address),
            Event::AddressGone(gone) => self.places.contains(gone.index, gone.address),
            _ => false,
        }
    }

    /// Lists everything anew and compares it with what should be there.
    pub(crate) fn resync(&mut self) -> io::Result<()> {
        let mut fresh = Links::default();
        for ask in [netlink::dump_links, netlink::dump_addresses] {
            for event in self.netlink.dump(ask)? {
                fresh.apply(event);
            }
        }
        for (index, key) in &self.macvlans {
            if fresh
                .get(*index)
                .is_some_and(|link| link.mac != key.virtual_mac())
            {
                // Somebody changed its MAC: it is of no use, and nobody shall hear from that MAC.
                // If it refuses to go, taking up the MAC fails and says so.
                let _ = self.netlink.perform(|to| netlink::delete_link(to, *index));
                fresh.apply(Event::LinkGone(*index));
            }
        }
        let result = self.take_first_ones(&mut fresh);
        self.links = fresh;
        self.counters.resyncs += 1;
        self.unsettled = true;
        self.untidy = true;
        self.unannounced = true;
        let links = &self.links;
        for (key, router) in &mut self.routers {
            router.find_losses(*key, links, &mut self.lost);
        }
        self.places = Places::of(self.routers.values());
        self.macvlans.retain(|index, _| links.get(*index).is_some());
        result
    }

    /// Follows interfaces that came and went, and tells the host what has changed. An interface
    /// that becomes fit or unfit for virtual routers counts as another one.
    pub(crate) fn settle(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) {
        self.unsettled = false;
        let numbers: Vec<HostIf> = self.interfaces.keys().copied().collect();
        for host_if in numbers {
            let Some(watched) = self.interfaces.get(&host_if) else {
                continue;
            };
            let index = self.links.find(&watched.name);
            let known = watched.index();
            let watched_as = watched.sockets.as_ref().map(Sockets::fitness);
            let same = known == index
                && index.and_then(|index| self.links.get(index).map(fitness)) == watched_as;
            if known.is_some() && !same {
                self.detach(host_if);
            }
            if let Some(index) = index.filter(|_| !same) {
                self.attach(host_if, index);
            }
            let attached = self.interfaces.get(&host_if).and_then(Watched::index);
            let state = match attached {
                Some(index) => self.links.state(index, |a| self.is_ours(a)),
                None => InterfaceState::default(),
            };
            if let Some(watched) = self.interfaces.get_mut(&host_if) {
                watched.report(host_if, state, sink);
            }
        }
        for failure in self.lost.drain(..) {
            sink(Incoming::Lost(failure));
        }
    }

    pub(crate) fn is_ours(&self, address: &Address) -> bool {
        if self.marks_addresses {
            return address.protocol == OUR_PROTOCOL;
        }
        self.places.is_installed(address.index, address.address)
    }

    /// The interface is there: opens what its virtual routers hear by. Where that fails the host
    /// hears why, since it prepares them again, and then their macvlans are made: one by one, for
    /// hundreds take longer than an interval.
    fn attach(&mut self, host_if: HostIf, index: KernelIf) {
        let (Some(watched), Some(link)) =
            (self.interfaces.get_mut(&host_if), self.links.get(index))
        else {
            return;
        };
        let fit = judge(&self.links, link).is_ok();
        for family in watched.arrive(Sockets::new(index, host_if, fitness(link))) {
            // The host tries again, and hears why not.
            let ifindex = host_if.number();
            self.lost.push(Failure::Group { ifindex, family });
        }
        self.untidy = true;
        self.unannounced = true;
        if fit {
            for key in self.keys_on(host_if) {
                let _ = self.listen(key);
            }
        }
    }

    /// The interface is gone, or has another name: what is left of ours on it goes, too.
    fn detach(&mut self, host_if: HostIf) {
        for key in self.keys_on(host_if) {
            self.strip_router(key);
        }
        if let Some(watched) = self.interfaces.get_mut(&host_if) {
            watched.depart();
        }
        self.untidy = true;
        self.unannounced = true;
    }

    pub(crate) fn keys_on(&self, host_if: HostIf) -> Vec<VrKey> {
        let keys = self.routers.keys().copied();
        keys.filter(|key| HostIf::of(key) == host_if).collect()
    }
}

impl Router {
    /// Forgets what is not there any more, and says so where it should be.
    fn find_losses(&mut self, key: VrKey, links: &Links, lost: &mut Vec<Failure>) {
        if let Some(index) = self.link {
            if self.mac_on && !links.is_up(index) {
                self.mac_on = false;
                lost.push(Failure::Mac { key });
            }
            if links.get(index).is_none() {
                self.link = None;
                self.reached = None;
            }
        }
        let there = |served: &Served<_>| links.has_address(served.index, served.address.address);
        self.served.find_losses(key, there, lost);
    }
}
