//! The network namespace: what is installed in it for the virtual routers, and what becomes of that.
//!
//! Each part has its own room and private fields: the facts are the [`State`], which the others only
//! read, and the [`Installer`] changes the kernel. Here they are brought together.

mod addresses;
mod leases;
mod macs;
mod notices;
mod port;
mod removals;
mod routing;

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use vrrp_core::{Family, Instant, VrKey};
use vrrp_host::{HostIf, Incoming, PlatformError, PlatformWarning, Subject};
use vrrp_port_kit::{KernelIf, Port as _, Resets, Routing};

use crate::announcements::Announcements;
use crate::connections::{SockDiag, spawn};
use crate::installer::Installer;
use crate::ledger::Ledger;
use crate::loopback::LoopbackAddresses;
use crate::macvlan_reaper::Reaper;
use crate::neighbor_requests::NeighborRequests;
use crate::netlink::{Monitor, Netlink};
use crate::reached::Reached;
use crate::routes::Routes;
use crate::state::{State, Table};
use crate::sys::{self, Epoll};
use crate::sysctl::apply::Sysctls;
use crate::sysctl::files;

pub(crate) use addresses::AT_ONCE;
use leases::Leases;
pub(crate) use routing::gone;

/// The longest time that an end waits for connections to be reset.
const RESETS: Duration = Duration::from_secs(1);

/// A network namespace: our installation in it, and its state.
#[derive(Debug)]
pub(crate) struct Network {
    /// Waits for the sockets of interfaces, and for whatever the platform adds.
    epoll: Epoll,
    monitor: Monitor,
    state: State,
    installer: Installer,
    reaper: Reaper,
    sysctls: Sysctls,
    requests: NeighborRequests,
    announcements: Announcements,
    routes: Routes,
    routing: Routing,
    /// Another program may have put routes in the places of ours.
    suspects_routing: bool,
    loopback: LoopbackAddresses,
    leases: Leases,
    resets: Resets<SockDiag>,
    reached: Reached,
    /// The beginning of the tokens of this network namespace.
    place: String,
    has_ipv6: bool,
    /// Frames are heard and sent by another process.
    leaves_frames: bool,
    /// Times that the links were listed anew.
    resyncs: u64,
}

/// The parts that a network is opened with.
pub(crate) struct Opened {
    pub(crate) epoll: Epoll,
    pub(crate) monitor: Monitor,
    pub(crate) netlink: Netlink,
    pub(crate) reaper: Reaper,
    pub(crate) sysctls: Sysctls,
    pub(crate) ledger: Ledger,
    pub(crate) connections: io::Result<SockDiag>,
    pub(crate) place: String,
    /// The kernel says which addresses are ours.
    pub(crate) marks_addresses: bool,
}

impl Network {
    /// Lists what there is.
    pub(crate) fn open(opened: Opened) -> io::Result<Self> {
        let mut network = Self {
            epoll: opened.epoll,
            monitor: opened.monitor,
            state: State::new(opened.marks_addresses),
            installer: Installer::new(opened.netlink, opened.ledger),
            reaper: opened.reaper,
            sysctls: opened.sysctls,
            requests: NeighborRequests::default(),
            announcements: Announcements::default(),
            routes: Routes::default(),
            routing: Routing::default(),
            suspects_routing: false,
            loopback: LoopbackAddresses::default(),
            leases: Leases::default(),
            resets: Resets::new(opened.connections, spawn),
            reached: Reached::default(),
            place: opened.place,
            has_ipv6: files::has_ipv6(),
            leaves_frames: false,
            resyncs: 0,
        };
        let listed = network.resync();
        if listed.is_err() {
            // Nothing is installed yet.
            network.installer.ledger.close();
        }
        listed.map(|()| network)
    }

    /// Waits for the sockets of interfaces.
    pub(crate) fn epoll(&self) -> &Epoll {
        &self.epoll
    }

    /// Returns the state.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Times that the links were listed anew.
    pub(crate) fn resyncs(&self) -> u64 {
        self.resyncs
    }

    /// When [`take_news`](Self::take_news) is to be called, if not before.
    pub(crate) fn due(&self) -> Option<Instant> {
        // News for the host does not wait.
        let news = self.state.table.unsettled.then(Instant::default);
        let dues = [self.installer.strays.due(), self.loopback.due()];
        news.or(dues.into_iter().flatten().min())
    }

    /// Tells the host what has changed, and tries again what has failed.
    pub(crate) fn take_news(&mut self, now: Instant, sink: &mut dyn FnMut(Incoming<'_>)) {
        if self.reaper.has_failed() {
            self.installer.strays.look_at(now);
        }
        if self.installer.strays.due().is_some_and(|at| at <= now) {
            // A failure is a warning, and tried again.
            let _ = self.remove_strays();
        }
        self.loopback.look(now, || self.resets.is_idle());
        if self.loopback.end_hold(now) {
            self.state.table.routers.let_go_silent();
            self.compare_later();
        }
        if self.state.table.unsettled {
            self.settle(sink);
        }
    }

    /// Whether addresses that were given up are on the loopback while their connections are reset.
    pub(crate) fn is_giving_up(&self) -> bool {
        self.loopback.is_parking()
    }

    /// Waits until the connections of addresses that were given up are reset, but not longer than `most`.
    pub(crate) fn finish_giving_up(&mut self, most: Duration) {
        if self.loopback.is_parking() {
            self.resets.wait(most);
            if self.resets.is_idle() {
                self.loopback.give_up_parked();
                self.loopback.tidy(&self.state, &mut self.installer);
            }
        }
    }

    /// Keeps silent addresses for a while although their virtual routers are released.
    pub(crate) fn hold_silent(&mut self) {
        self.state.table.routers.hold_silent();
        self.loopback
            .hold(Instant::from_micros(sys::monotonic_us()));
    }

    /// The host takes up or gives up something: what can wait does.
    pub(crate) fn postpone(&self) {
        self.reaper.postpone();
    }

    /// Leaves frames to the process that the sockets are given to.
    pub(crate) fn leave_frames(&mut self) {
        self.leaves_frames = true;
    }

    /// Sends an IP packet to a unicast peer from the interface of a virtual router.
    pub(crate) fn send_ip(&mut self, key: VrKey, packet: &[u8], to: IpAddr) -> io::Result<()> {
        let interfaces = &mut self.state.table.interfaces;
        let sockets = interfaces.sockets_mut(HostIf::of(key));
        let sockets = sockets.ok_or(io::ErrorKind::NotConnected)?;
        sockets.send_ip(packet, to)
    }

    /// Joins or leaves the group of a family on an interface. VRRP is heard there, too, for as long: there
    /// need be no virtual router on it.
    pub(crate) fn set_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        let Table {
            interfaces,
            routers,
            ..
        } = &mut self.state.table;
        interfaces.set_group(host_if, family, on)?;
        if on {
            return self.hear(host_if, family);
        }
        let used = routers.on(host_if).any(|(key, _)| key.family == family);
        if !used && let Some(sockets) = interfaces.sockets_mut(host_if) {
            sockets.unlisten(family);
        }
        Ok(())
    }

    /// Hears VRRP of a family on an interface, if that is there.
    fn hear(&mut self, host_if: HostIf, family: Family) -> Result<(), PlatformError> {
        let interfaces = &mut self.state.table.interfaces;
        let Some(watched) = interfaces.get_mut(host_if) else {
            return Ok(());
        };
        let Some(sockets) = &mut watched.sockets else {
            return Ok(());
        };
        sockets.listen(&self.epoll, family).map_err(|error| {
            let what = format!("listen to VRRP over {family} on {}", watched.name);
            PlatformError::new(what, error)
        })
    }

    /// Makes sysctls and sockets as the virtual routers want them, where that may have changed.
    pub(crate) fn tidy(&mut self) -> Result<(), PlatformError> {
        self.tidy_sysctls()?;
        // By now no neighbour is answered for them.
        self.loopback.tidy(&self.state, &mut self.installer);
        self.requests
            .tidy(&mut self.state, &self.sysctls, &self.epoll)?;
        self.announcements.tidy(&mut self.state, &self.epoll);
        self.tidy_routing();
        self.routes
            .tidy(&self.state, &mut self.installer)
            .map_err(|error| PlatformError::new("add the route to a network", error))
    }

    /// Makes the sysctls of the host's interfaces as the virtual routers want them, where that may
    /// have changed.
    fn tidy_sysctls(&mut self) -> Result<(), PlatformError> {
        if !self.sysctls.is_doubtful() {
            return Ok(());
        }
        self.requests.doubt();
        self.sysctls.apply(&self.state, &mut self.installer)
    }

    /// Looks whether somebody has changed a sysctl, and sets it again where we can.
    pub(crate) fn look_at_sysctls(&mut self) -> io::Result<()> {
        let all = self.sysctls.begin_look(&self.state);
        self.announcements.retry();
        self.loopback.retry();
        let mut result = self.tidy();
        if all {
            self.reached
                .look(&mut self.state, &mut self.installer.netlink);
            let held = self
                .sysctls
                .look_at_segments(&self.state, &mut self.installer);
            result = result.and(held);
        }
        for index in self.sysctls.take_due(&self.state, all) {
            result = result.and(self.examine(index));
        }
        self.look_at_routing(all);
        let ended = self.sysctls.end_look();
        result.map_err(io::Error::other).and(ended)
    }

    /// Sets on a macvlan again what is not as it should be.
    fn examine(&mut self, index: KernelIf) -> Result<(), PlatformError> {
        if let Some(key) = self.state.of_macvlan(index) {
            self.fill(key, index)?;
        }
        self.sysctls
            .examine(&self.state, &mut self.installer, index)
    }

    /// How many routes and rules another program had removed.
    pub(crate) fn routing_restored(&self) -> u64 {
        self.routing.restored()
    }

    /// How many connections have been reset.
    pub(crate) fn connections_reset(&self) -> u64 {
        self.resets.count()
    }

    /// Appends what is wrong now.
    pub(crate) fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        self.sysctls.warnings(&self.state, list);
        self.state.warnings(list);
        self.announcements.warnings(list);
        self.loopback.warnings(&self.state, list);
        self.leases.warnings(list);
        self.routing.warnings(list);
        let mut setups = self.state.table.routers.iter().map(|(_, r)| &r.setup);
        if let Some(why) = self.resets.failure()
            && setups.any(|setup| setup.reset_connections && setup.accept)
        {
            list.push(PlatformWarning {
                subject: Subject::Host,
                text: format!(
                    "cannot reset TCP connections of addresses that are given up, whose clients then \
                     wait: {why}; connections = leave does without"
                ),
            });
        }
        list.extend(self.installer.strays.warning());
    }

    /// Removes everything that is installed. After an error something is left, and noted for the next
    /// life.
    pub(crate) fn close(&mut self) -> Result<(), PlatformError> {
        // With a macvlan its addresses go.
        let macvlans_are_gone = self.remove_macvlans();
        if macvlans_are_gone {
            self.state.forget_macvlans();
        }
        for key in self.state.table.routers.keys() {
            self.release_router(key);
        }
        // A route that refuses to go bears our mark, and goes with the next life.
        let _ = self.routes.apply(&self.state, &mut self.installer);
        self.state.table.routers.let_go_silent();
        // Clients are told before the addresses are gone.
        self.resets.wait(RESETS);
        self.resets.end();
        self.loopback.give_up_parked();
        self.loopback.tidy(&self.state, &mut self.installer);
        let restored = self.tidy_sysctls();
        if !macvlans_are_gone || self.installer.strays.are_there() {
            // Nothing is left to be done later.
            self.reaper.end();
            self.remove_strays()?;
        }
        restored?;
        self.installer.ledger.close();
        Ok(())
    }

    /// Leaves everything that is installed as it is: it is another process's.
    pub(crate) fn abandon(&mut self) {
        self.reaper.abandon();
        self.resets.abandon();
    }
}
