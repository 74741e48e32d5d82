//! The keys of virtual routers in the engine, and the wall clock that signatures go by.

use vrrp_core::{Duration, Error, Instant, VrKey, WallClock};

use super::Host;
use super::core::Core;
use crate::config::VrSpec;
use crate::limits::HostEngine;
use crate::platform::Platform;

/// How often the platform is asked whether the clock is right.
const LOOK: Duration = Duration::from_secs(1);

/// The reader of the wall clock.
#[derive(Debug, Default)]
pub(super) struct ClockReader {
    /// A virtual router has keys. Without one the clock is nobody's matter.
    pub(super) wanted: bool,
    /// A boot count was given.
    pub(super) is_counted: bool,
    synchronised: bool,
    looked_at: Option<Instant>,
}

impl<P: Platform> Host<P> {
    /// Tells the engine the wall clock, where somebody has keys. Reading costs no system call but one a
    /// second: a step is known at the next wake-up.
    pub(super) fn read_clock(&mut self, now: Instant) {
        let clock = &mut self.core.clock;
        if !clock.wanted {
            return;
        }
        if clock.looked_at.is_none_or(|at| now >= at + LOOK) {
            clock.looked_at = Some(now);
            clock.synchronised = self.platform.is_clock_synchronised();
        }
        let synchronised = clock.synchronised;
        let read = self.platform.since_epoch().map(|since_epoch| WallClock {
            since_epoch,
            synchronised,
        });
        self.core.engine.set_wall_clock(now, read);
    }
}

/// Gives an engine the keys of a virtual router that it has, or takes them away.
pub(super) fn set_auth(
    engine: &mut HostEngine,
    now: Instant,
    key: VrKey,
    spec: &VrSpec,
) -> Result<(), Error> {
    let mut admin = engine.admin(now);
    match &spec.hmac {
        None => admin.set_auth(key, None),
        Some(hmac) => hmac.with_engine_form(|auth| admin.set_auth(key, Some(auth))),
    }
}

impl Core {
    /// Whether a virtual router that is to sign and verify has what it needs in the engine. One that has not
    /// must not begin.
    pub(super) fn is_armed(&self, key: VrKey) -> bool {
        let spec = self.vrs.get(&key).and_then(|vr| vr.current.as_ref());
        spec.is_some_and(|spec| spec.hmac.is_none() || self.engine.auth(key).is_some())
    }
}
