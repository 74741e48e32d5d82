//! Addresses that are served and given up, as many as come together with one system call.

use std::io;

use vrrp_core::{Instant, VirtualAddress, VrKey};
use vrrp_host::{AddressChange, HostIf, PlatformError};
use vrrp_port_kit::{GivenUp, KernelIf, Port as _, Served, Serving, noted, unprepared};

use super::Network;
use crate::ledger::Entry;
use crate::netlink::{self, AddressRoute, OUR_PROTOCOL, Requests};
use crate::sys;

/// Changes of addresses that are performed at once. In a kernel whose interface has thousands of
/// addresses they take a few milliseconds.
pub(crate) const AT_ONCE: usize = 32;

/// The change that is asked for.
#[derive(Default)]
struct Plan {
    give_up: Option<Served<Entry>>,
    /// Is to be served, there in this way.
    serve: Option<Served<Entry>>,
    /// The address with the prefix that it has, or is to have, where it is.
    installed: Option<VirtualAddress>,
    /// The route that it brings.
    route: AddressRoute,
    /// The seconds after which the kernel removes it, unless it is renewed.
    lease: Option<u32>,
    /// Why it cannot be done.
    error: Option<PlatformError>,
}

impl Plan {
    /// Adds the requests for the kernel.
    fn ask(&self, to: &mut Requests) {
        for (served, on) in self.steps() {
            self.ask_for(to, served, on);
        }
    }

    fn ask_for(&self, to: &mut Requests, served: &Served<Entry>, on: bool) {
        match served.how {
            Serving::Installed => {
                let address = self.installed.unwrap_or(served.address);
                netlink::address_and_route(to, served.index, address, self.route, self.lease, on);
            }
            Serving::Silent { .. } => netlink::blackhole(to, served.address.address, on),
            Serving::Adopted => {}
        }
    }

    /// The steps that need a request, in order.
    fn steps(&self) -> impl Iterator<Item = (&Served<Entry>, bool)> {
        let needed = |served: &&Served<Entry>| match served.how {
            Serving::Installed => true,
            Serving::Adopted => false,
            Serving::Silent { route } => route,
        };
        let give_up = self
            .give_up
            .iter()
            .filter(needed)
            .map(|served| (served, false));
        let serve = self
            .serve
            .iter()
            .filter(needed)
            .map(|served| (served, true));
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

impl Network {
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
        let given_up = self.park(key, plans.iter().filter_map(|plan| plan.give_up.as_ref()));
        let mut answers = self
            .installer
            .netlink
            .perform_each(|to| plans.iter().for_each(|plan| plan.ask(to)))
            .into_iter();
        self.resets.start(given_up);
        let mut listed = false;
        let mut results = Vec::with_capacity(plans.len());
        for plan in plans {
            let [left, mut taken] = plan.errors(&mut answers);
            if let (Some(served), Some(error)) = (&plan.serve, &taken)
                && error.kind() == io::ErrorKind::PermissionDenied
                && self.state.is_macvlan(served.index)
            {
                // Somebody has taken IPv6 from the macvlan.
                let given = self.give_ipv6(key, served.index);
                let ask = |to: &mut Requests| plan.ask_for(to, served, true);
                let retried = given.and_then(|()| self.installer.netlink.perform(ask));
                taken = retried.err();
            }
            let given_up = match plan.give_up {
                Some(served) => self.gone_or_stray(served, left),
                None => Ok(()),
            };
            let served = match (plan.serve, plan.error) {
                (_, Some(error)) => Err(error),
                (Some(served), None) => self.served(key, served, taken, &mut listed),
                (None, None) => Ok(()),
            };
            results.push(given_up.and(served));
        }
        let link = self.state.macvlan(key);
        if let Err(error) = link.map_or(Ok(()), |link| self.fill(key, link))
            && let Some(last) = results.last_mut().filter(|last| last.is_ok())
        {
            *last = Err(error);
        }
        self.doubt_routing();
        self.tidy_routing();
        results
    }

    /// Keeps addresses that a virtual router gives up on the loopback while their connections are reset,
    /// so that their clients can be told. Returns those whose connections are to be: none while the
    /// interface is down, where nobody could be told, and none of an address that another one serves.
    fn park<'a>(
        &mut self,
        key: VrKey,
        served: impl Iterator<Item = &'a Served<Entry>>,
    ) -> Vec<GivenUp> {
        let state = &self.state;
        let parent = state.table.interfaces.index(HostIf::of(key));
        let Some(router) = state.table.routers.get(key).filter(|router| {
            router.setup.reset_connections && parent.is_some_and(|p| state.links.is_connected(p))
        }) else {
            return Vec::new();
        };
        let given_up = served.filter(|served| served.how == Serving::Installed);
        let given_up = given_up.map(|served| served.address.address);
        let others = || state.table.routers.served();
        let given_up: Vec<GivenUp> = given_up
            .filter(|ip| !others().any(|other| other.address.address == *ip))
            .map(|address| GivenUp {
                address,
                stays: router.setup.silent,
            })
            .collect();
        let now = Instant::from_micros(sys::monotonic_us());
        self.loopback
            .park(given_up.iter().map(|given_up| given_up.address), now);
        self.loopback.tidy(&self.state, &mut self.installer);
        given_up
    }

    /// Finds out what a change asks for. What it gives up is not served any more.
    fn plan(&mut self, key: VrKey, change: &AddressChange) -> Plan {
        let address = change.address;
        let routers = &mut self.state.table.routers;
        let Some(steps) = routers.change(key, address, change.accept, change.on) else {
            return Plan {
                error: Some(unprepared(key)),
                ..Plan::default()
            };
        };
        if let Some(served) = &steps.give_up {
            let (index, ip) = (served.index, served.address.address);
            self.routes.source_goes(&self.state, index, ip);
            self.note_served(key, served);
        }
        let (mut serve, mut error) = (None, None);
        if steps.serve {
            match self.carrier(key, address) {
                Ok(index) => serve = Some(self.to_serve(index, address, change.accept)),
                Err(why) => error = Some(why),
            }
        }
        let served = steps.give_up.as_ref().or(serve.as_ref());
        let installed = served.map(|served| self.state.as_installed(served.index, address));
        let route = match &serve {
            Some(served) => self
                .routes
                .route_of(&self.state, key, served.index, address),
            None => AddressRoute::None,
        };
        Plan {
            give_up: steps.give_up,
            serve,
            installed,
            route,
            lease: self.leases.seconds(),
            error,
        }
    }

    /// An address as it is to be served: accepted, or, silently, so that packets to it are dropped and
    /// not sent around.
    fn to_serve(&self, index: KernelIf, address: VirtualAddress, accept: bool) -> Served<Entry> {
        let (how, entry) = if accept {
            let device = self.state.link_label(index);
            (Serving::Installed, Entry::address(&device, address))
        } else {
            let address = address.address;
            (Serving::Silent { route: true }, Entry::Route { address })
        };
        Served {
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
        if serve().any(|served| served.how == Serving::Installed) {
            self.tidy_sysctls()?;
        }
        // An address on a macvlan goes with it.
        let noted_ones = serve().filter(|served| {
            served.how != Serving::Installed || !self.state.is_macvlan(served.index)
        });
        let entries: Vec<Entry> = noted_ones.map(|served| served.entry.clone()).collect();
        self.installer.ledger.add(entries).map_err(noted)
    }

    /// Holds an address that the kernel was asked to take, unless it refused. `listed`: the addresses
    /// have been listed since.
    fn served(
        &mut self,
        key: VrKey,
        mut served: Served<Entry>,
        error: Option<io::Error>,
        listed: &mut bool,
    ) -> Result<(), PlatformError> {
        let ip = served.address.address;
        match (error, &mut served.how) {
            (None, _) => {}
            (Some(error), how) if error.raw_os_error() == Some(libc::EEXIST) => match how {
                // The route of an earlier try, or of somebody else.
                Serving::Silent { route } => *route = self.installer.strays.forget_route(ip),
                // On our own macvlan nobody else puts any.
                _ if self.state.is_macvlan(served.index) => {}
                Serving::Installed | Serving::Adopted => {
                    if !std::mem::replace(listed, true) {
                        self.resync()
                            .map_err(|error| PlatformError::new("list the addresses", error))?;
                    }
                    if !self.is_left_by_us(&served) {
                        self.installer.ledger.remove(&served.entry).map_err(noted)?;
                        served.how = Serving::Adopted;
                    }
                }
            },
            (Some(error), Serving::Silent { .. }) => {
                self.installer.strays.keep(served, None);
                let what = format!("add blackhole route {ip}");
                return Err(PlatformError::new(what, error));
            }
            (Some(error), _) => {
                let installed = self.state.as_installed(served.index, served.address);
                let (len, device) = (installed.prefix_len, self.state.link_label(served.index));
                let what = format!("add address {ip}/{len} to {device}");
                // The answer may be what was lost.
                self.installer.strays.keep(served, None);
                return Err(PlatformError::new(what, error));
            }
        }
        self.note_served(key, &served);
        self.state.table.routers.serve(key, served);
        Ok(())
    }

    /// Notes what has to be compared when an address is served, or not any more.
    fn note_served(&mut self, key: VrKey, served: &Served<Entry>) {
        let (state, sysctls) = (&self.state, &self.sysctls);
        self.requests.note(state, sysctls, key, served);
        if matches!(served.how, Serving::Silent { .. }) {
            self.routes.doubt();
        }
    }

    /// Whether an address that is there already was installed by us.
    fn is_left_by_us(&self, served: &Served<Entry>) -> bool {
        let known = self
            .state
            .links
            .address(served.index, served.address.address);
        let marked = known.is_some_and(|a| a.protocol == OUR_PROTOCOL);
        marked && self.installer.ledger.contains(&served.entry)
    }

    /// Ceases to serve an address that no virtual router holds.
    pub(super) fn give_up(&mut self, served: &Served<Entry>) -> Result<(), PlatformError> {
        let plan = Plan {
            installed: Some(self.state.as_installed(served.index, served.address)),
            ..Plan::default()
        };
        let asked = self.installer.netlink.perform(|to| match served.how {
            Serving::Silent { route: false } => {}
            _ => plan.ask_for(to, served, false),
        });
        self.removal(served, asked.err())
    }

    /// Takes note of what the kernel said when an address was given up. What refuses to go is tried
    /// again until it does.
    fn gone_or_stray(
        &mut self,
        served: Served<Entry>,
        error: Option<io::Error>,
    ) -> Result<(), PlatformError> {
        let gone = self.removal(&served, error);
        if let Err(error) = &gone {
            self.installer.strays.keep(served, Some(error));
        }
        gone
    }

    /// Whether an address is gone, after what the kernel said when it was given up.
    fn removal(
        &self,
        served: &Served<Entry>,
        error: Option<io::Error>,
    ) -> Result<(), PlatformError> {
        let Some(error) = error else {
            return Ok(());
        };
        let ip = served.address.address;
        match error.raw_os_error() {
            // Gone already, by itself or with its interface.
            Some(libc::EADDRNOTAVAIL | libc::ENODEV | libc::ESRCH) => Ok(()),
            _ if served.how == Serving::Installed => {
                let what = format!(
                    "remove address {ip} from {}",
                    self.state.link_label(served.index)
                );
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
    pub(super) fn give_up_addresses(&mut self, key: VrKey) -> bool {
        let Some(router) = self.state.table.routers.get(key) else {
            return true;
        };
        // As long as they are known to be ours.
        let as_installed = |served: &Served<_>| {
            let Served { index, address, .. } = *served;
            self.state.as_installed(index, address)
        };
        let installed: Vec<VirtualAddress> = router.served().map(as_installed).collect();
        let all = self.state.table.routers.take_served(key);
        let plans: Vec<Plan> = all
            .into_iter()
            .zip(installed)
            .map(|(served, installed)| Plan {
                installed: Some(installed),
                give_up: Some(served),
                ..Plan::default()
            })
            .collect();
        let given_up = self.park(key, plans.iter().filter_map(|plan| plan.give_up.as_ref()));
        let mut answers = self
            .installer
            .netlink
            .perform_each(|to| plans.iter().for_each(|plan| plan.ask(to)))
            .into_iter();
        self.resets.start(given_up);
        let mut clean = true;
        for plan in plans {
            let [left, _] = plan.errors(&mut answers);
            if let Some(served) = plan.give_up {
                self.note_served(key, &served);
                let entry = served.entry.clone();
                let gone = self.gone_or_stray(served, left).is_ok();
                clean &= gone && self.installer.ledger.remove(&entry).is_ok();
            }
        }
        self.doubt_routing();
        self.tidy_routing();
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
