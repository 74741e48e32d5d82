//! The network stack of a jail: what is installed in it for the virtual routers, and what becomes of
//! that.
//!
//! The facts are the [`State`], and the [`Installer`] changes the kernel. Here they are brought together.

mod addresses;
mod bridges;
mod macs;
mod notices;
mod port;

use std::io;
use std::os::fd::OwnedFd;

use vrrp_core::{Duration, Instant};
use vrrp_host::{HostIf, Incoming, PlatformError, PlatformWarning};
use vrrp_port_kit::Port as _;

use crate::installer::Installer;
use crate::ledger::Ledger;
use crate::loopback::LoopbackAddresses;
use crate::state::State;
use crate::sys::{self, Queue};

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

    /// Looks at the interfaces, if it is time to.
    pub(crate) fn look(&mut self) -> io::Result<()> {
        let now = self.now();
        if self.look_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        self.look_at = None;
        let listed = self.resync();
        self.inspect_bridges();
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
        if !self.doubtful {
            return Ok(());
        }
        self.loopback.tidy(&self.state, &mut self.installer);
        for host_if in self.state.table.interfaces.handles() {
            self.hear(host_if)?;
            self.introduce(host_if)?;
        }
        self.doubtful = false;
        Ok(())
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
        self.loopback.tidy(&self.state, &mut self.installer);
        clean &= self.loopback.is_empty();
        if clean {
            self.installer.ledger.close();
        }
    }
}
