//! Routes to the networks of virtual addresses.
//!
//! Where the host has an address of its own in the network of a virtual one, it reaches the
//! neighbours by that, and the virtual one must not get in the way. Where it has none, the virtual
//! address has to bring the route: without, it could answer nobody of its network. One that is served
//! without being accepted is on no interface and brings none; there we add one of our own, or a gateway
//! would forward nothing back to its clients.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;

use vrrp_core::{VirtualAddress, VrKey};
use vrrp_host::HostIf;
use vrrp_port_kit::{KernelIf, Serving};

use crate::installer::Installer;
use crate::ledger::Entry;
use crate::netlink::{self, AddressRoute};
use crate::state::State;

/// A route of our own: the number of the link, the network and its length.
type LinkRoute = (KernelIf, IpAddr, u8);

/// The routes that virtual addresses need and the kernel does not make.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// Some may be missing.
    doubtful: bool,
    /// Those of our own.
    own: BTreeSet<LinkRoute>,
}

impl Routes {
    /// Notes that a route may be missing.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Makes the routes to networks as the virtual routers need them, where that may have changed.
    pub(crate) fn tidy(&mut self, state: &State, installer: &mut Installer) -> io::Result<()> {
        if !std::mem::take(&mut self.doubtful) {
            return Ok(());
        }
        self.apply(state, installer)
    }

    /// The route that the kernel is to make for an address of a virtual router on a link.
    pub(crate) fn route_of(
        &mut self,
        state: &State,
        key: VrKey,
        index: KernelIf,
        address: VirtualAddress,
    ) -> AddressRoute {
        if !state.needs_route(key, index, address) {
            return AddressRoute::None;
        }
        match address.address {
            _ if state.is_macvlan(index) => AddressRoute::Last,
            // One that the host gets later shares it.
            IpAddr::V6(_) => AddressRoute::Ordinary,
            IpAddr::V4(_) => {
                // The address is a network of its own there.
                self.doubtful = true;
                AddressRoute::None
            }
        }
    }

    /// Notes that an address goes, which may be the source of a route that others need.
    pub(crate) fn source_goes(&mut self, state: &State, index: KernelIf, address: IpAddr) {
        self.doubtful |= address.is_ipv4() && !state.is_macvlan(index);
    }

    /// Makes the routes to networks as the virtual routers need them, where that may have changed: the
    /// kernel removes routes when an interface goes down.
    pub(crate) fn apply(&mut self, state: &State, installer: &mut Installer) -> io::Result<()> {
        let of_addresses = routes_of_addresses(state, installer);
        self.link_routes(state, installer).and(of_addresses)
    }

    /// Adds and removes our own routes, to the networks of addresses that are served without being
    /// accepted.
    fn link_routes(&mut self, state: &State, installer: &mut Installer) -> io::Result<()> {
        let mut wanted: BTreeSet<LinkRoute> = BTreeSet::new();
        for (key, router) in state.table.routers.iter() {
            let Ok((parent, _)) = state.table.interfaces.parent(*key) else {
                continue;
            };
            let is_silent = |how| matches!(how, Serving::Silent { .. });
            for served in router.served().filter(|served| is_silent(served.how)) {
                let address = served.address;
                if state.links.is_up(parent) && state.needs_route(*key, parent, address) {
                    let len = address.prefix_len;
                    let network = match address.address {
                        IpAddr::V4(ip) => netlink::network_of(ip, len).into(),
                        IpAddr::V6(ip) => netlink::network_of_ipv6(ip, len).into(),
                    };
                    wanted.insert((parent, network, len));
                }
            }
        }
        if wanted.is_empty() && self.own.is_empty() {
            return Ok(());
        }
        // Before they are there: a sweep of another life lets what is noted alone.
        let entry = |route: &LinkRoute| Entry::Route { address: route.1 };
        let noted = installer.ledger.add(wanted.iter().map(entry));
        noted.map_err(io::Error::other)?;
        let gone: Vec<LinkRoute> = self.own.difference(&wanted).copied().collect();
        let changes: Vec<(LinkRoute, bool)> = gone
            .iter()
            .map(|route| (*route, false))
            .chain(wanted.iter().map(|route| (*route, true)))
            .collect();
        let answers = installer.netlink.perform_each(|to| {
            for ((index, network, len), add) in &changes {
                netlink::link_route(to, *index, (*network, *len), *add);
            }
        });
        for (route, answer) in gone.iter().zip(&answers) {
            // One that went with its interface is gone, too.
            let there = answer.as_ref().is_err_and(|error| {
                !matches!(error.raw_os_error(), Some(libc::ESRCH | libc::ENODEV))
            });
            if !there {
                self.own.remove(route);
                let _ = installer.ledger.remove(&entry(route));
            }
        }
        self.own.extend(wanted);
        for answer in answers {
            match answer.as_ref().map_err(io::Error::raw_os_error) {
                Ok(()) => {}
                Err(Some(libc::EEXIST | libc::ESRCH | libc::ENETDOWN | libc::ENODEV)) => {}
                Err(_) => return answer,
            }
        }
        Ok(())
    }
}

/// Adds the routes of IPv4 addresses that are on interfaces of the host, where they are missing.
fn routes_of_addresses(state: &State, installer: &mut Installer) -> io::Result<()> {
    let mut wanted = BTreeMap::new();
    for (key, router) in state.table.routers.iter() {
        for served in router.served().filter(|h| h.how == Serving::Installed) {
            let (index, address) = (served.index, served.address);
            if let IpAddr::V4(ip) = address.address
                && !state.is_macvlan(index)
                && state.links.is_up(index)
                && state.needs_route(*key, index, address)
            {
                let len = address.prefix_len;
                let network = netlink::network_of(ip, len);
                wanted.entry((index, network, len)).or_insert(ip);
            }
        }
    }
    if wanted.is_empty() {
        return Ok(());
    }
    let answers = installer.netlink.perform_each(|to| {
        for ((index, network, prefix_len), source) in &wanted {
            netlink::network_route(to, *index, (*network, *prefix_len), *source);
        }
    });
    for answer in answers {
        match answer.as_ref().map_err(io::Error::raw_os_error) {
            // It is there, or the interface or the address has just gone.
            Ok(()) | Err(Some(libc::EEXIST | libc::ENETDOWN | libc::ENODEV | libc::EINVAL)) => {}
            Err(_) => return answer,
        }
    }
    Ok(())
}

impl State {
    /// Whether the host has no address in the network of a virtual one, where that is or on the
    /// interface of the virtual router.
    fn needs_route(&self, key: VrKey, index: KernelIf, address: VirtualAddress) -> bool {
        let ip = address.address;
        let whole = match ip {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        // On the loopback the whole network would be the host's own.
        if address.prefix_len >= whole || ip.is_loopback() || self.links.is_loopback(index) {
            return false;
        }
        let parent = self.table.interfaces.index(HostIf::of(key));
        let places = [Some(index), parent.filter(|parent| *parent != index)];
        let mut own = places
            .into_iter()
            .flatten()
            .flat_map(|index| self.links.unmarked_addresses(index));
        !own.any(|a| a.has_beside(ip) && !self.is_ours(a))
    }
}
