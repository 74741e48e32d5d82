//! The network stack of a jail: what is installed in it for the virtual routers, and what becomes of
//! that.
//!
//! The facts are the [`State`], and the [`Installer`] changes the kernel. Here they are brought together.

mod addresses;
mod bridges;
mod macs;
mod notices;
mod port;
mod routing;

use std::io;
use std::os::fd::OwnedFd;

use vrrp_core::{Duration, Family, Instant};
use vrrp_host::{HostIf, Incoming, PlatformError, PlatformWarning, Subject};
use vrrp_port_kit::{Port as _, Resets, Routing};

use crate::connections::{Drops, spawn};
use crate::installer::Installer;
use crate::ledger::Ledger;
use crate::loopback::LoopbackAddresses;
use crate::state::State;
use crate::sys::{self, Queue};

/// How long silent addresses stay without their virtual routers: longer than the pause before another
/// worker is started.
const HOLD: Duration = Duration::from_secs(15);
/// The longest time that an end waits for connections to be reset.
const RESETS: std::time::Duration = std::time::Duration::from_secs(1);

/// A network stack: our installation in it, and its state.
#[derive(Debug)]
pub(crate) struct Network {
    /// Waits for the devices of interfaces, and for whatever the platform adds.
    queue: Queue,
    /// Whether frames are read here, and not by the process that the devices were given to.
    frames: bool,
    /// When to look at the interfaces again, for what the kernel does not tell.
    look_at: Option<Instant>,
    state: State,
    installer: Installer,
    loopback: LoopbackAddresses,
    resets: Resets<Drops>,
    routing: Routing,
    /// Until when silent addresses stay whose virtual routers were released.
    held_until: Option<Instant>,
    /// Filters and bridges may not be as the virtual routers want them.
    doubtful: bool,
    /// Times that the interfaces were listed anew.
    resyncs: u64,
}

impl Network {
    /// Lists what there is. Routes are changed by the socket `routing`, and notices read from it.
    pub(crate) fn open(queue: Queue, routing: OwnedFd, ledger: Ledger) -> io::Result<Self> {
        let mut network = Self {
            queue,
            frames: true,
            look_at: None,
            state: State::default(),
            installer: Installer::new(routing, ledger),
            loopback: LoopbackAddresses::default(),
            resets: Resets::new(Ok(Drops), spawn),
            routing: Routing::default(),
            held_until: None,
            doubtful: false,
            resyncs: 0,
        };
        let listed = network.resync();
        if listed.is_err() {
            // Nothing is installed yet.
            network.installer.ledger.close();
        }
        listed.map(|()| network)
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_micros(sys::monotonic_us())
    }

    /// Waits for the devices of interfaces.
    pub(crate) fn queue(&self) -> &Queue {
        &self.queue
    }

    /// Waits for the devices of interfaces.
    pub(crate) fn queue_mut(&mut self) -> &mut Queue {
        &mut self.queue
    }

    /// Returns the state.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Appends what is wrong now.
    pub(crate) fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        self.state.warnings(list);
        self.loopback.warnings(list);
        self.routing.warnings(list);
        if let Some(why) = self.resets.failure() {
            list.push(PlatformWarning {
                subject: Subject::Host,
                text: format!(
                    "cannot reset TCP connections of addresses that are given up, whose clients then \
                     wait: {why}; connections = leave does without"
                ),
            });
        }
    }

    /// How many routes another program had removed.
    pub(crate) fn routing_restored(&self) -> u64 {
        self.routing.restored()
    }

    /// How many connections have been reset.
    pub(crate) fn connections_reset(&self) -> u64 {
        self.resets.count()
    }

    /// Returns the state.
    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// Returns what changes the kernel.
    pub(crate) fn installer(&self) -> &Installer {
        &self.installer
    }

    /// Returns the state, and what changes the kernel.
    pub(crate) fn parts(&mut self) -> (&State, &mut Installer) {
        (&self.state, &mut self.installer)
    }

    /// Times that the interfaces were listed anew.
    pub(crate) fn resyncs(&self) -> u64 {
        self.resyncs
    }

    /// Leaves frames to the process that the devices are given to.
    pub(crate) fn leave_frames(&mut self) {
        self.frames = false;
    }

    /// Sets the timer to the earlier of what the host and what we want.
    pub(crate) fn arm(&mut self) -> io::Result<()> {
        // News for the host does not wait.
        let now = self.state.table.unsettled.then(Instant::default);
        self.queue.arm(now.or(self.look_at))
    }

    /// Looks at the interfaces again `after` this, if not before.
    fn look_again(&mut self, after: Duration) {
        let at = self.now() + after;
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
    }

    /// Keeps silent addresses for a while although their virtual routers are released.
    pub(crate) fn hold_silent(&mut self) {
        self.state.table.routers.hold_silent();
        self.held_until = Some(self.now() + HOLD);
        self.look_again(HOLD);
    }

    /// Looks at the interfaces, if it is time to.
    pub(crate) fn look(&mut self) -> io::Result<()> {
        let now = self.now();
        if self.look_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        self.look_at = None;
        if let Some(until) = self.held_until {
            if until <= now {
                self.held_until = None;
                self.state.table.routers.let_go_silent();
                self.compare_later();
            } else {
                self.look_at = Some(until);
            }
        }
        let listed = self.resync();
        self.inspect_bridges();
        self.routing.doubt();
        self.tidy_routing();
        listed
    }

    /// Tells the host what has changed.
    pub(crate) fn take_news(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) {
        if self.state.table.unsettled {
            self.settle(sink);
        }
    }

    /// Makes filters, memberships and bridges as the virtual routers want them, where that may have
    /// changed.
    pub(crate) fn tidy(&mut self) -> Result<(), PlatformError> {
        self.tidy_routing();
        if !self.doubtful {
            return Ok(());
        }
        self.loopback.tidy(&mut self.state, &mut self.installer);
        for host_if in self.state.table.interfaces.handles() {
            self.hear(host_if)?;
            self.introduce(host_if)?;
        }
        self.doubtful = false;
        Ok(())
    }

    /// Joins or leaves the group of a family on an interface. VRRP is heard there, too, for as long: there
    /// need be no virtual router on it.
    pub(crate) fn set_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        let interfaces = &mut self.state.table.interfaces;
        interfaces.set_group(host_if, family, on)?;
        self.hear(host_if)
    }

    fn hear(&mut self, host_if: HostIf) -> Result<(), PlatformError> {
        let queue = self.frames.then_some(&self.queue);
        self.state.hear(queue, host_if)
    }

    /// Removes everything that is installed. What refuses to go is noted for the next life.
    pub(crate) fn close(&mut self) {
        let mut clean = true;
        for key in self.state.table.routers.keys() {
            clean &= self.release_router(key);
        }
        self.resets.wait(RESETS);
        self.resets.end();
        self.state.table.routers.let_go_silent();
        self.loopback.tidy(&mut self.state, &mut self.installer);
        clean &= self.loopback.is_empty();
        if clean {
            self.installer.ledger.close();
        }
    }
}
