//! The notices of netlink about links and their addresses.

use std::io;

use vrrp_port_kit::Port as _;

use super::Network;
use crate::links::Links;
use crate::netlink::{self, Event};

/// Datagrams of notices that one call takes at most.
const NOTICES: usize = 256;

impl Network {
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
            self.state.table.unsettled |= match &event {
                Event::Link(link) => {
                    let foreign = !self.state.is_macvlan(link.index);
                    // It may have been down, and lost its routes.
                    if foreign {
                        self.suspects_routing |= link.flags & libc::IFF_UP as u32 == 0;
                        self.routes.doubt();
                        self.routing.doubt();
                        self.sysctls.note_link();
                    }
                    foreign
                }
                Event::Address(a) | Event::AddressGone(a) => {
                    if matches!(event, Event::AddressGone(_)) {
                        self.loopback.note_gone(a);
                    }
                    let foreign = !self.state.is_macvlan(a.index) && !self.state.is_ours(a);
                    // Another interface may have come into a virtual address's subnet.
                    if foreign {
                        self.suspects_routing |= matches!(event, Event::AddressGone(_));
                        self.sysctls.doubt();
                        self.routes.doubt();
                        self.routing.doubt();
                        self.announcements.doubt();
                    }
                    foreign
                }
                Event::RouteLost(place) => {
                    self.suspects_routing |= self.has_route_at(*place);
                    false
                }
                Event::Sysctl(index) => {
                    self.sysctls.note(&self.state, *index);
                    false
                }
                _ => true,
            };
            if self.changes_links(&event) {
                self.state.note_links();
            }
            self.state.links.apply(event);
        }
        if doubt { self.resync() } else { Ok(()) }
    }

    /// Whether a notice is of a link that comes or goes, or has another MAC or name.
    fn changes_links(&self, event: &Event) -> bool {
        match event {
            Event::Link(link) => {
                let known = self.state.links.get(link.index);
                known.is_none_or(|known| (known.mac, &known.name) != (link.mac, &link.name))
            }
            Event::LinkGone(_) => true,
            _ => false,
        }
    }

    /// Whether a notice says that something of ours is gone. It may be the late echo of something
    /// that we have done and undone since, so it is a reason to look, not a proof.
    fn is_doubtful(&self, event: &Event) -> bool {
        let routers = &self.state.table.routers;
        match event {
            Event::Link(link) => {
                let key = self.state.of_macvlan(link.index);
                let router = key.and_then(|key| routers.get(key));
                router.is_some_and(|router| {
                    let up = link.flags & libc::IFF_UP as u32 != 0;
                    router.mac_on && !up || link.mac != router.setup.key.virtual_mac()
                })
            }
            Event::LinkGone(index) => {
                self.state.is_macvlan(*index) || routers.served().any(|s| s.index == *index)
            }
            Event::Address(address) => self.state.has_come_first(address),
            Event::AddressGone(gone) => routers.serves(gone.index, gone.address),
            _ => false,
        }
    }

    /// Lists everything anew and compares it with what should be there.
    pub(crate) fn resync(&mut self) -> io::Result<()> {
        let mut fresh = Links::default();
        for ask in [netlink::dump_links, netlink::dump_addresses] {
            for event in self.installer.netlink.dump(ask)? {
                fresh.apply(event);
            }
        }
        for (index, key) in self.state.macvlans() {
            let known = fresh.get(index);
            if known.is_some_and(|link| link.mac != key.virtual_mac()) {
                // Somebody changed its MAC: it is of no use, and nobody shall hear from that MAC.
                // If it refuses to go, taking up the MAC fails and says so.
                let netlink = &mut self.installer.netlink;
                let _ = netlink.perform(|to| netlink::delete_link(to, index));
                fresh.apply(Event::LinkGone(index));
            }
        }
        let netlink = &mut self.installer.netlink;
        let result = self.state.take_first_ones(netlink, &mut fresh);
        self.state.replace_links(fresh);
        self.resyncs += 1;
        self.compare_later();
        result
    }
}
