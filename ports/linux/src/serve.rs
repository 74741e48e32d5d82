//! Addresses that are served and given up, as many as come together with one system call.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;

use vrrp_core::{VirtualAddress, VrKey};
use vrrp_host::{AddressChange, PlatformError};
use vrrp_port_kit::port::{Held, How, noted, unprepared};

use crate::ledger::Entry;
use crate::netlink::{self, AddressRoute, OUR_PROTOCOL, Requests};
use crate::platform::LinuxPlatform;
use crate::router::Router;

/// Changes of addresses that are performed at once. In a kernel whose interface has thousands of
/// addresses they take a few milliseconds.
pub(crate) const AT_ONCE: usize = 32;

/// Where addresses of virtual routers are: an index of [`Router::held`], for questions about one
/// address. What changes `held` changes it too, or makes it anew.
#[derive(Debug, Default)]
pub(crate) struct Places(HashMap<(u32, IpAddr), Count>);

/// How many virtual routers have an address at a place. During a reload two may.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    held: u32,
    installed: u32,
}

impl Places {
    /// The places of what `routers` hold.
    pub(crate) fn of<'a>(routers: impl IntoIterator<Item = &'a Router>) -> Self {
        let mut places = Self::default();
        for held in routers.into_iter().flat_map(|router| router.held.iter()) {
            places.add(held);
        }
        places
    }

    fn add(&mut self, held: &Held<Entry>) {
        let count = self.0.entry(place(held)).or_default();
        count.held += 1;
        count.installed += u32::from(held.how == How::Installed);
    }

    pub(crate) fn remove(&mut self, held: &Held<Entry>) {
        if let Some(count) = self.0.get_mut(&place(held)) {
            count.held = count.held.saturating_sub(1);
            let installed = u32::from(held.how == How::Installed);
            count.installed = count.installed.saturating_sub(installed);
            if count.held == 0 {
                self.0.remove(&place(held));
            }
        }
    }

    /// Whether a virtual router has the address there.
    pub(crate) fn contains(&self, index: u32, address: IpAddr) -> bool {
        self.0.contains_key(&(index, address))
    }

    /// Whether we put the address there.
    pub(crate) fn is_installed(&self, index: u32, address: IpAddr) -> bool {
        let count = self.0.get(&(index, address));
        count.is_some_and(|count| count.installed > 0)
    }
}

fn place(held: &Held<Entry>) -> (u32, IpAddr) {
    (held.index, held.address.address)
}

/// The change that is asked for.
#[derive(Default)]
struct Plan {
    give_up: Option<Held<Entry>>,
    /// Is to be served, there in this way.
    serve: Option<Held<Entry>>,
    /// The address with the prefix that it has, or is to have, where it is.
    installed: Option<VirtualAddress>,
    /// The route that it brings.
    route: AddressRoute,
    /// Why it cannot be done.
    error: Option<PlatformError>,
}

impl Plan {
    /// Adds the requests for the kernel.
    fn ask(&self, to: &mut Requests) {
        for (held, on) in self.steps() {
            self.ask_for(to, held, on);
        }
    }

    fn ask_for(&self, to: &mut Requests, held: &Held<Entry>, on: bool) {
        match held.how {
            How::Installed => {
                let address = self.installed.unwrap_or(held.address);
                netlink::address_and_route(to, held.index, address, self.route, on);
            }
            How::Silent { .. } => netlink::blackhole(to, held.address.address, on),
            How::Adopted => {}
        }
    }

    /// The steps that need a request, in order.
    fn steps(&self) -> impl Iterator<Item = (&Held<Entry>, bool)> {
        let needed = |held: &&Held<Entry>| match held.how {
            How::Installed => true,
            How::Adopted => false,
            How::Silent { route } => route,
        };
        let give_up = self.give_up.iter().filter(needed).map(|held| (held, false));
        let serve = self.serve.iter().filter(needed).map(|held| (held, true));
        give_up.chain(serve)
    }

    /// Takes the answers to its requests. Returns what kept the address from being given up, and
    /// from being served.
    fn errors(&self, answers: &mut impl Iterator<Item = io::Result<()>>) -> [Option<io::Error>; 2] {
        let (mut left, mut taken) = (None, None);
        for (_, on) in self.steps() {
            let error = answers.next().and_then(Result::err);
            if on {
                taken = error;
            } else {
                left = error;
            }
        }
        [left, taken]
    }
}

impl LinuxPlatform {
    /// Serves and gives up addresses of a virtual router, in this order. Returns the result of each.
    pub(crate) fn change_addresses(
        &mut self,
        key: VrKey,
        changes: &[AddressChange],
    ) -> Vec<Result<(), PlatformError>> {
        let mut plans: Vec<Plan> = changes.iter().map(|c| self.plan(key, c)).collect();
        if let Err(error) = self.make_way(&plans) {
            for plan in &mut plans {
                if plan.serve.take().is_some() {
                    plan.error = Some(again(&error));
                }
            }
        }
        let mut answers = self
            .netlink
            .perform_each(|to| plans.iter().for_each(|plan| plan.ask(to)))
            .into_iter();
        let mut listed = false;
        let mut results = Vec::with_capacity(plans.len());
        for plan in plans {
            let [left, mut taken] = plan.errors(&mut answers);
            if let (Some(held), Some(error)) = (&plan.serve, &taken)
                && error.kind() == io::ErrorKind::PermissionDenied
                && self.macvlans.contains_key(&held.index)
            {
                // Somebody has taken IPv6 from the macvlan.
                let given = self.give_ipv6(key, held.index);
                let ask = |to: &mut Requests| plan.ask_for(to, held, true);
                let retried = given.and_then(|()| self.netlink.perform(ask));
                taken = retried.err();
            }
            let given_up = match plan.give_up {
                Some(held) => self.gone_or_stray(held, left),
                None => Ok(()),
            };
            let served = match (plan.serve, plan.error) {
                (_, Some(error)) => Err(error),
                (Some(held), None) => self.served(key, held, taken, &mut listed),
                (None, None) => Ok(()),
            };
            results.push(given_up.and(served));
        }
        let link = self.routers.get(&key).and_then(|router| router.link);
        if let Err(error) = link.map_or(Ok(()), |link| self.fill(key, link))
            && let Some(last) = results.last_mut().filter(|last| last.is_ok())
        {
            *last = Err(error);
        }
        results
    }

    /// Finds out what a change asks for. What it gives up is not held any more.
    fn plan(&mut self, key: VrKey, change: &AddressChange) -> Plan {
        let Some(router) = self.routers.get_mut(&key) else {
            return Plan {
                error: Some(unprepared(key)),
                ..Plan::default()
            };
        };
        let address = change.address;
        let steps = router.held.change(address, change.accept, change.on);
        if let Some(held) = &steps.give_up {
            self.places.remove(held);
            let (index, ip) = (held.index, held.address.address);
            self.source_goes(index, ip);
            self.unrouted |= matches!(held.how, How::Silent { .. });
            self.unheard |= !self.is_answered(key, held);
        }
        let (mut serve, mut error) = (None, None);
        if steps.serve {
            match self.carrier(key, address) {
                Ok(index) => serve = Some(self.to_hold(index, address, change.accept)),
                Err(why) => error = Some(why),
            }
        }
        let held = steps.give_up.as_ref().or(serve.as_ref());
        let installed = held.map(|held| self.as_installed(held.index, address));
        let route = match &serve {
            Some(held) => self.route_of(key, held.index, address),
            None => AddressRoute::None,
        };
        Plan {
            give_up: steps.give_up,
            serve,
            installed,
            route,
            error,
        }
    }

    /// An address as it is to be held: accepted, or, silently, so that packets to it are dropped and
    /// not sent around.
    fn to_hold(&self, index: u32, address: VirtualAddress, accept: bool) -> Held<Entry> {
        let (how, entry) = if accept {
            let device = self.link_label(index);
            (How::Installed, Entry::address(&device, address))
        } else {
            let address = address.address;
            (How::Silent { route: true }, Entry::Route { address })
        };
        Held {
            address,
            index,
            how,
            entry,
        }
    }

    /// Does what comes before addresses are served: who must not answer for them is told so, and
    /// what is about to be installed is noted.
    fn make_way(&mut self, plans: &[Plan]) -> Result<(), PlatformError> {
        let serve = || plans.iter().filter_map(|plan| plan.serve.as_ref());
        if serve().any(|held| held.how == How::Installed) {
            self.tidy_sysctls()?;
        }
        // An address on a macvlan goes with it.
        let noted_ones = serve()
            .filter(|held| held.how != How::Installed || !self.macvlans.contains_key(&held.index));
        let entries: Vec<Entry> = noted_ones.map(|held| held.entry.clone()).collect();
        self.ledger.add(entries).map_err(noted)
    }

    /// Holds an address that the kernel was asked to take, unless it refused. `listed`: the addresses
    /// have been listed since.
    fn served(
        &mut self,
        key: VrKey,
        mut held: Held<Entry>,
        error: Option<io::Error>,
        listed: &mut bool,
    ) -> Result<(), PlatformError> {
        let ip = held.address.address;
        match (error, &mut held.how) {
            (None, _) => {}
            (Some(error), how) if error.raw_os_error() == Some(libc::EEXIST) => match how {
                // The route of an earlier try, or of somebody else.
                How::Silent { route } => *route = self.strays.forget_route(ip),
                // On our own macvlan nobody else puts any.
                _ if self.macvlans.contains_key(&held.index) => {}
                How::Installed | How::Adopted => {
                    if !std::mem::replace(listed, true) {
                        self.resync()
                            .map_err(|error| PlatformError::new("list the addresses", error))?;
                    }
                    if !self.is_left_by_us(&held) {
                        self.ledger.remove(&held.entry).map_err(noted)?;
                        held.how = How::Adopted;
                    }
                }
            },
            (Some(error), How::Silent { .. }) => {
                self.strays.keep(held, None);
                let what = format!("add blackhole route {ip}");
                return Err(PlatformError::new(what, error));
            }
            (Some(error), _) => {
                let installed = self.as_installed(held.index, held.address);
                let (len, device) = (installed.prefix_len, self.link_label(held.index));
                let what = format!("add address {ip}/{len} to {device}");
                // The answer may be what was lost.
                self.strays.keep(held, None);
                return Err(PlatformError::new(what, error));
            }
        }
        self.places.add(&held);
        self.unheard |= !self.is_answered(key, &held);
        self.unrouted |= matches!(held.how, How::Silent { .. });
        if let Some(router) = self.routers.get_mut(&key) {
            router.held.push(held);
        }
        Ok(())
    }

    /// Whether an address that is there already was installed by us.
    fn is_left_by_us(&self, held: &Held<Entry>) -> bool {
        let known = self.links.address(held.index, held.address.address);
        let marked = known.is_some_and(|a| a.protocol == OUR_PROTOCOL);
        marked && self.ledger.contains(&held.entry)
    }

    /// Ceases to serve an address that no virtual router holds.
    pub(crate) fn give_up(&mut self, held: &Held<Entry>) -> Result<(), PlatformError> {
        let plan = Plan {
            installed: Some(self.as_installed(held.index, held.address)),
            ..Plan::default()
        };
        let asked = self.netlink.perform(|to| match held.how {
            How::Silent { route: false } => {}
            _ => plan.ask_for(to, held, false),
        });
        self.gone(held, asked.err())
    }

    /// Takes note of what the kernel said when an address was given up. What refuses to go is tried
    /// again until it does.
    fn gone_or_stray(
        &mut self,
        held: Held<Entry>,
        error: Option<io::Error>,
    ) -> Result<(), PlatformError> {
        let gone = self.gone(&held, error);
        if let Err(error) = &gone {
            self.strays.keep(held, Some(error));
        }
        gone
    }

    /// Whether an address is gone, after what the kernel said when it was given up.
    fn gone(&self, held: &Held<Entry>, error: Option<io::Error>) -> Result<(), PlatformError> {
        let Some(error) = error else {
            return Ok(());
        };
        let ip = held.address.address;
        match error.raw_os_error() {
            // Gone already, by itself or with its interface.
            Some(libc::EADDRNOTAVAIL | libc::ENODEV | libc::ESRCH) => Ok(()),
            _ if held.how == How::Installed => {
                let what = format!("remove address {ip} from {}", self.link_label(held.index));
                Err(PlatformError::new(what, error))
            }
            _ => {
                let what = format!("remove blackhole route {ip}");
                Err(PlatformError::new(what, error))
            }
        }
    }

    /// Removes every address of a virtual router. `false`: something refused to go, and stays in the
    /// ledger for the next life.
    pub(crate) fn give_up_all(&mut self, key: VrKey) -> bool {
        let Some(router) = self.routers.get_mut(&key) else {
            return true;
        };
        let all = router.held.take();
        let plans: Vec<Plan> = all
            .into_iter()
            .map(|held| Plan {
                installed: Some(self.as_installed(held.index, held.address)),
                give_up: Some(held),
                ..Plan::default()
            })
            .collect();
        let mut answers = self
            .netlink
            .perform_each(|to| plans.iter().for_each(|plan| plan.ask(to)))
            .into_iter();
        let mut clean = true;
        for plan in plans {
            let [left, _] = plan.errors(&mut answers);
            if let Some(held) = plan.give_up {
                self.places.remove(&held);
                self.unheard |= !self.is_answered(key, &held);
                self.unrouted |= matches!(held.how, How::Silent { .. });
                let entry = held.entry.clone();
                let gone = self.gone_or_stray(held, left).is_ok();
                clean &= gone && self.ledger.remove(&entry).is_ok();
            }
        }
        clean
    }
}

/// The same error once more, for another address that it concerns.
fn again(error: &PlatformError) -> PlatformError {
    PlatformError::new(error.what.clone(), copy(&error.error))
}

fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(errno) => io::Error::from_raw_os_error(errno),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}
