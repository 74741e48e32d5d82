//! Graceful stops of many virtual routers, paced so that their successors can keep up.
//!
//! Each says priority 0, and its successor then needs a millisecond or more to install it. Were all
//! to say so at once, the last would be advertised by nobody for as long as that takes for all, and
//! a third router would take over, too. Those that wait are served and advertised meanwhile.

use std::collections::VecDeque;

use vrrp_core::{Duration, Instant, State, VrKey};

use super::Host;
use crate::platform::Platform;

/// Stops that need not wait.
const BURST: u64 = 8;
/// The time for which a successor may need each of the others.
const PACE: Duration = Duration::from_millis(5);

/// Virtual routers that are to stop and have not been told.
#[derive(Debug, Default)]
pub(super) struct Partings {
    waiting: VecDeque<VrKey>,
    /// When successors are done with those that have been told.
    done_at: Instant,
}

impl Partings {
    /// When the next one has its turn. `None`: nobody waits.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.front().map(|_| self.turn())
    }

    fn turn(&self) -> Instant {
        self.done_at - Duration::from_micros(BURST * PACE.as_micros())
    }

    fn note(&mut self, now: Instant) {
        self.done_at = self.done_at.max(now) + PACE;
    }
}

impl<P: Platform> Host<P> {
    /// Removes a virtual router from the engine, or has it wait for its turn: only a master has a
    /// successor to wait for.
    pub(super) fn part(&mut self, now: Instant, key: VrKey) {
        let status = self.core.engine.status(key);
        let is_master =
            status.is_some_and(|status| status.state == State::Active && !status.handing_over);
        if is_master {
            let partings = &mut self.core.partings;
            if !partings.waiting.is_empty() || partings.turn() > now {
                partings.waiting.push_back(key);
                return;
            }
            partings.note(now);
        }
        let result = self.core.engine.remove(now, key);
        self.core.engine_refused(now, key, result);
    }

    /// Removes those from the engine whose turn it is.
    pub(super) fn go_on_parting(&mut self, now: Instant) {
        while self.core.partings.next().is_some_and(|at| at <= now)
            && let Some(key) = self.core.partings.waiting.pop_front()
        {
            self.core.partings.note(now);
            let result = self.core.engine.remove(now, key);
            self.core.engine_refused(now, key, result);
        }
    }
}
