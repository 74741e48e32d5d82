//! Graceful leaves of many virtual routers, paced so that their successors can keep up: removals,
//! resignations and stops that the administrator asks for.
//!
//! Each says priority 0, and its successor then needs a millisecond or more to install it. Were all
//! to say so at once, the last would be advertised by nobody for as long as that takes for all, and
//! a third router would take over, too. Those that wait are served and advertised meanwhile.

use std::collections::VecDeque;

use vrrp_core::{Duration, Error, Instant, State, VrKey};

use super::Host;
use super::core::Core;
use crate::platform::Platform;

/// Leaves that need not wait.
const BURST: u64 = 8;
/// The time for which a successor may need each of the others.
const PACE: Duration = Duration::from_millis(5);

/// How a virtual router leaves. The later ones include those before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parting {
    /// It goes on as Backup.
    Resign,
    /// It stands back until it is wanted again: every other host serves rather than this one.
    Drain,
    /// It stops until it is enabled again.
    Disable,
    /// It is removed.
    Remove,
}

/// Virtual routers that are to leave and have not been told.
#[derive(Debug, Default)]
pub(super) struct Partings {
    /// Each virtual router once.
    waiting: VecDeque<(VrKey, Parting)>,
    /// When successors are done with those that have been told.
    done_at: Instant,
}

impl Partings {
    /// When the next one has its turn. `None`: nobody waits.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.front().map(|_| self.turn())
    }

    /// Whether a virtual router waits for its turn.
    pub(super) fn awaits(&self, key: VrKey) -> bool {
        self.waiting.iter().any(|(waiting, _)| *waiting == key)
    }

    /// Takes back that a virtual router is to leave in this way. Returns whether it was.
    pub(super) fn cancel(&mut self, key: VrKey, parting: Parting) -> bool {
        let before = self.waiting.len();
        self.waiting.retain(|waiting| *waiting != (key, parting));
        self.waiting.len() < before
    }

    /// Has a virtual router wait for its turn, which it keeps if it waits already.
    fn wait(&mut self, key: VrKey, parting: Parting) {
        match self.waiting.iter_mut().find(|(waiting, _)| *waiting == key) {
            Some((_, known)) => *known = parting.max(*known),
            None => self.waiting.push_back((key, parting)),
        }
    }

    fn turn(&self) -> Instant {
        self.done_at - Duration::from_micros(BURST * PACE.as_micros())
    }

    fn note(&mut self, now: Instant) {
        self.done_at = self.done_at.max(now) + PACE;
    }
}

impl Core {
    /// Tells the engine.
    fn leave(&mut self, now: Instant, key: VrKey, parting: Parting) -> Result<(), Error> {
        match parting {
            Parting::Resign => self.engine.admin(now).resign(key),
            Parting::Drain => {
                self.tell_hold(now, key);
                Ok(())
            }
            Parting::Disable => self.engine.admin(now).set_enabled(key, false),
            Parting::Remove => self.engine.admin(now).remove(key),
        }
    }
}

impl<P: Platform> Host<P> {
    /// Has a virtual router leave, or wait for its turn: only a master has a successor to wait for.
    pub(super) fn part(&mut self, now: Instant, key: VrKey, parting: Parting) -> Result<(), Error> {
        let status = self.core.engine.status(key);
        let is_master =
            status.is_some_and(|status| status.state == State::Active && !status.handing_over);
        let partings = &mut self.core.partings;
        if is_master {
            if !partings.waiting.is_empty() || partings.turn() > now {
                partings.wait(key, parting);
                return Ok(());
            }
            partings.note(now);
        } else {
            partings.waiting.retain(|(waiting, _)| *waiting != key);
        }
        self.core.leave(now, key, parting)
    }

    /// Has those leave whose turn it is.
    pub(super) fn go_on_parting(&mut self, now: Instant) {
        while self.core.partings.next().is_some_and(|at| at <= now)
            && let Some((key, parting)) = self.core.partings.waiting.pop_front()
        {
            self.core.partings.note(now);
            let result = self.core.leave(now, key, parting);
            self.core.engine_refused(now, key, result);
        }
    }
}
