//! The host: platform, engine, and what lies between.

mod conflicts;
mod core;
mod devices;
mod followers;
mod groups;
mod healing;
mod holders;
mod learning;
mod partings;
mod perform;
mod plan;
mod preparation;
mod probes;
mod receive;
mod refusals;
mod reload;
mod second_path;
mod signing;
mod views;
mod warnings;
mod wishes;

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use vrrp_core::{DropCounters, Error, Instant, Priority, State, VrKey};

use self::core::Core;
use self::partings::Parting;
use crate::config::{ConfigCause, ConfigError, HostConfig, Tracked, VrId};
use crate::event::Event;
use crate::platform::{Platform, Waited};
use crate::report::{
    GroupReport, InterfaceReport, Lateness, Reload, Sighting, TrackReport, VrReport, Warning,
};

/// Calls of [`Platform::receive`] before a timer that is due has its turn.
const MAX_ROUNDS: usize = 16;

/// Virtual routers on an operating system.
///
/// The administrator's calls have the names and the meaning of those of [`vrrp_core::Admin`]. But virtual
/// routers come and go by [`reload`](Host::reload), and have names for keys.
pub struct Host<P: Platform> {
    platform: P,
    core: Core,
    /// The engine has more outputs than were performed in one go.
    unfinished: bool,
    /// Interfaces or objects may be out of use.
    reap_due: bool,
    stopping: bool,
}

impl<P: Platform> std::fmt::Debug for Host<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("stopping", &self.stopping)
            .finish_non_exhaustive()
    }
}

impl<P: Platform> Host<P> {
    /// Checks the configuration, makes the platform ready for it and starts every virtual router.
    /// Nothing is sent or received before the first [`step`](Host::step). A virtual router that the
    /// platform is not ready for waits in Initialize ([`VrReport::refused`]) and is tried again.
    pub fn open(platform: P, config: HostConfig) -> Result<Self, ConfigError> {
        let core = Core::new().map_err(|error| ConfigError {
            id: None,
            cause: ConfigCause::Platform(error),
        })?;
        let mut host = Self {
            platform,
            core,
            unfinished: true,
            reap_due: false,
            stopping: false,
        };
        let now = host.now();
        host.apply(now, config)?;
        host.prepare_all();
        host.arm_or_tell(now);
        Ok(host)
    }

    /// The descriptor that is readable when [`step`](Host::step) has something to do.
    pub fn fd(&self) -> RawFd {
        self.platform.fd()
    }

    /// Waits as [`Platform::wait`] does: `true` when [`step`](Host::step) has something to do.
    /// `None`: wait on [`fd`](Host::fd) instead. Whoever waits here once always does.
    #[must_use]
    pub fn wait(
        &mut self,
        others: &mut [Waited],
        timeout: Option<Duration>,
    ) -> Option<io::Result<bool>> {
        self.platform.wait(others, timeout)
    }

    /// The platform's clock.
    pub fn now(&self) -> Instant {
        self.platform.now()
    }

    /// The platform.
    pub fn platform(&self) -> &P {
        &self.platform
    }

    /// Lets go of the platform, with everything that it has installed. What is to be said and
    /// removed first is for [`shutdown`](Host::shutdown).
    pub fn into_platform(self) -> P {
        self.platform
    }

    /// Receives what has arrived, then handles timers, performs what follows and sets the next
    /// wake-up. Call it once after `open` and then whenever [`fd`](Host::fd) is readable. The work
    /// is bounded; what remains keeps the descriptor readable.
    pub fn step(&mut self) -> io::Result<()> {
        let now = self.now();
        self.assert_armed();
        self.read_clock(now);
        if let Some(deadline) = self.core.engine.poll_timeout() {
            self.core.note_stall(now, deadline);
        }
        let received = self.receive(now);
        self.core.review_conflicts(now);
        self.core.refresh_tracked(now);
        self.go_on_parting(now);
        if self.core.engine.poll_timeout().is_some_and(|at| at <= now) {
            self.core.engine.handle_timeout(now);
            self.advertise();
        }
        self.core.settle_healed(now);
        self.core.end_returns(now);
        self.review_preparations(now);
        self.announce_on_devices(now);
        self.go_on_with_second_paths(now, false);
        self.probe(now);
        let settled = self.settle(now);
        received.and(settled)
    }

    /// The next thing that happened. Fetch until `None` after each call of any other method.
    #[must_use = "an event that is not looked at is lost"]
    pub fn next_event(&mut self) -> Option<Event> {
        self.core.events.next()
    }

    /// Goes over to another configuration, wholly or, with an error, not at all. Virtual routers
    /// that did not change are not touched; those that are gone stop gracefully. One that the
    /// platform is not ready for is treated as by [`open`](Host::open). A priority set by
    /// [`set_priority`](Host::set_priority) stays until the configured one changes.
    pub fn reload(&mut self, config: HostConfig) -> Result<Reload, ConfigError> {
        if self.stopping {
            return Err(ConfigError {
                id: None,
                cause: ConfigCause::ShuttingDown,
            });
        }
        let now = self.now();
        let reload = self.apply(now, config);
        self.settle_or_tell(now);
        reload
    }

    /// Begins a graceful stop of every virtual router: go on stepping until
    /// [`is_stopped`](Host::is_stopped).
    pub fn shutdown(&mut self) {
        let now = self.now();
        self.stopping = true;
        let keys: Vec<_> = self.core.vrs.keys().copied().collect();
        for key in keys {
            self.remove(now, key, None);
        }
        self.reap_due = true;
        self.settle_or_tell(now);
    }

    /// Whether a shutdown is complete.
    pub fn is_stopped(&self) -> bool {
        self.stopping && self.core.vrs.is_empty()
    }

    /// Overrides the configured priority; `None`: back to the configured one.
    pub fn set_priority(&mut self, id: &VrId, priority: Option<Priority>) -> Result<(), Error> {
        let key = self.core.find(id)?;
        self.keep_up();
        let now = self.now();
        for key in self.core.together(key) {
            self.override_priority(now, key, priority)?;
        }
        self.settle_or_tell(now);
        Ok(())
    }

    fn override_priority(
        &mut self,
        now: Instant,
        key: VrKey,
        priority: Option<Priority>,
    ) -> Result<(), Error> {
        if self.core.in_engine(key) {
            if self.core.partings.cancel(key, Parting::Resign) {
                // It was asked for before, and is taken back by this.
                self.core.engine.admin(now).resign(key)?;
            }
            self.core.engine.admin(now).set_priority(key, priority)?;
        }
        if let Some(vr) = self.core.vrs.get_mut(&key) {
            vr.priority = priority;
        }
        self.core.preparations.retry(key);
        Ok(())
    }

    /// Gives up being Active, in favour of whoever is there, and does not take over again by
    /// preemption. When many are told at once they leave one after the other, as their successors
    /// can keep up. As each of these calls it is for all members of a virtual router's group.
    pub fn resign(&mut self, id: &VrId) -> Result<(), Error> {
        let key = self.core.find(id)?;
        self.keep_up();
        let now = self.now();
        for key in self.core.together(key) {
            if self.core.in_engine(key) {
                self.part(now, key, Parting::Resign)?;
            }
        }
        self.core.note_move(key);
        self.settle_or_tell(now);
        Ok(())
    }

    /// Stops a virtual router gracefully, or starts it again. Many stop as they
    /// [`resign`](Host::resign).
    pub fn set_enabled(&mut self, id: &VrId, on: bool) -> Result<(), Error> {
        let key = self.core.find(id)?;
        self.keep_up();
        let now = self.now();
        for key in self.core.together(key) {
            self.enable(now, key, on)?;
        }
        self.core.look_at_tracked = true;
        self.settle_or_tell(now);
        Ok(())
    }

    fn enable(&mut self, now: Instant, key: VrKey, on: bool) -> Result<(), Error> {
        let Some(vr) = self.core.vrs.get_mut(&key) else {
            return Err(Error::NotFound);
        };
        vr.enabled = on;
        let ready = vr.prepared.is_some();
        if ready && self.core.in_engine(key) {
            if on {
                self.core.partings.cancel(key, Parting::Disable);
                if self.core.is_armed(key) {
                    self.core.engine.admin(now).set_enabled(key, true)?;
                }
            } else {
                self.part(now, key, Parting::Disable)?;
            }
        }
        Ok(())
    }

    /// The virtual routers that share the fate of one: the members of its synchronisation group, or itself
    /// alone.
    pub fn together(&self, id: &VrId) -> Vec<VrId> {
        let Ok(key) = self.core.find(id) else {
            return vec![id.clone()];
        };
        let all = self.core.together(key).into_iter();
        all.filter_map(|key| Some(self.core.vrs.get(&key)?.id.clone()))
            .collect()
    }

    /// Every synchronisation group, in the order of the configuration.
    pub fn groups(&self) -> Vec<GroupReport> {
        self.core.group_reports()
    }

    /// States whether the object that the configuration tracks as
    /// [`Tracked::Named`](crate::Tracked::Named) is up. `false`: nothing tracks that name.
    pub fn set_tracked(&mut self, name: &str, up: bool) -> bool {
        let what = Tracked::Named(name.to_owned());
        let Some(number) = self.core.objects.find(&what) else {
            return false;
        };
        self.keep_up();
        let now = self.now();
        self.core.set_object(now, number, up);
        self.settle_or_tell(now);
        true
    }

    /// Every virtual router, in the order in which interfaces were first named, VRIDs and families.
    pub fn statuses(&self) -> Vec<VrReport> {
        let vrs = self.core.vrs.iter();
        let heard = self.core.heard(self.now());
        vrs.filter_map(|(&key, vr)| self.report(key, vr, &heard))
            .collect()
    }

    /// The state of every virtual router, in the order of [`statuses`](Host::statuses).
    pub fn states(&self) -> impl Iterator<Item = State> {
        let keys = self.core.vrs.keys();
        keys.filter_map(|key| Some(self.core.engine.status(*key)?.state))
    }

    /// One virtual router. `None`: there is none of this name, or it still waits for its turn.
    pub fn status(&self, id: &VrId) -> Option<VrReport> {
        let host_if = self.core.interfaces.number(&id.interface)?;
        let key = host_if.key(id.vrid, id.family);
        let heard = self.core.heard(self.now());
        self.report(key, self.core.vrs.get(&key)?, &heard)
    }

    /// The tracked objects of one virtual router as they stand. Empty: there is no virtual router of this
    /// name, or it tracks nothing.
    pub fn tracked(&self, id: &VrId) -> Vec<TrackReport> {
        let vr = self.core.find(id).ok();
        let vr = vr.and_then(|key| self.core.vrs.get(&key));
        let spec = vr.and_then(|vr| vr.current.as_ref());
        spec.map_or_else(Vec::new, |spec| self.tracks(spec))
    }

    /// Every router that is, or lately was, master of a virtual router on our segments.
    pub fn segment(&self) -> Vec<Sighting> {
        self.sightings(self.now())
    }

    /// The conditions that hold now and that an administrator should know of, in order. Allocates
    /// nothing when there are none.
    pub fn warnings(&self) -> Vec<Warning> {
        self.conditions(self.now())
    }

    /// How many TCP connections of addresses that this host has given up were reset.
    pub fn connections_reset(&self) -> u64 {
        self.platform.connections_reset()
    }

    /// How many routes and rules another program had removed and were installed again.
    pub fn routing_restored(&self) -> u64 {
        self.platform.routing_restored()
    }

    /// How late timers have been handled.
    pub fn lateness(&self) -> &Lateness {
        &self.core.lateness
    }

    /// Every watched interface.
    pub fn interfaces(&self) -> Vec<InterfaceReport> {
        let interfaces = self.core.interfaces.iter();
        interfaces
            .map(|(_, interface)| Self::report_interface(interface))
            .collect()
    }

    /// Discarded packets that belong to no virtual router of ours.
    pub fn drops(&self) -> &DropCounters {
        self.core.engine.drops()
    }

    /// Takes in what has arrived. While a timer is due everything is received first: a peer whose
    /// advertisement waits in the socket is alive, and it is this host that is late (T-8).
    fn receive(&mut self, now: Instant) -> io::Result<()> {
        for _ in 0..MAX_ROUNDS {
            let mut many = 0usize;
            let core = &mut self.core;
            self.platform.receive(&mut |incoming| {
                many += 1;
                core.take_in(now, incoming);
            })?;
            let due = self.core.engine.poll_timeout().is_some_and(|at| at <= now);
            if many == 0 || !due {
                break;
            }
        }
        Ok(())
    }
}
