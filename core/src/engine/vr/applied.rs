//! The state that the port was told, but for the addresses, and its failures.

use crate::engine::interfaces::Membership;
use crate::output::State;
use crate::time::{Duration, Instant};

/// How long after a failure a group is joined again.
const REJOIN_AFTER: Duration = Duration::from_secs(1);
/// The longest wait before a failed effect is tried again is 2^6 seconds.
const MAX_BACKOFF: u8 = 6;
const FAILURE_WINDOW: Duration = Duration::from_secs(1);
/// After so long without a failure the wait begins with one second again.
const FAILURES_FORGOTTEN: Duration = Duration::from_secs(300);

/// The state that the port was told. Its difference to what the phase wants is emitted next.
#[derive(Clone, Copy)]
pub(super) struct Applied {
    mac: bool,
    /// It counts as a user of the interface's group.
    group: bool,
    /// When a group that could not be joined is tried again.
    rejoin_at: Instant,
    reported: State,
    /// There may be a difference.
    differs: bool,
    /// Failures of effects within a second from `failed_at` on.
    failures: u8,
    /// The next wait after too many failures is 2 to this power seconds.
    backoff: u8,
    failed_at: Instant,
}

impl Applied {
    pub(super) const NOTHING: Self = Self {
        mac: false,
        group: false,
        rejoin_at: Instant::NEVER,
        reported: State::Initialize,
        differs: false,
        failures: 0,
        backoff: 0,
        failed_at: Instant::from_micros(0),
    };

    /// Whether something besides an owed advertisement may be to emit.
    pub(super) fn differs(&self) -> bool {
        self.differs
    }

    pub(super) fn set_differs(&mut self, differs: bool) {
        self.differs = differs;
    }

    /// Whether the virtual MAC is taken up.
    pub(super) fn mac(&self) -> bool {
        self.mac
    }

    /// Notes whether the virtual MAC is taken up. Says whether that is new.
    pub(super) fn set_mac(&mut self, on: bool) -> bool {
        core::mem::replace(&mut self.mac, on) != on
    }

    /// Notes the state as reported and returns the one reported before, if it is another.
    pub(super) fn report(&mut self, state: State) -> Option<State> {
        let before = core::mem::replace(&mut self.reported, state);
        (before != state).then_some(before)
    }

    /// Becomes a user of the group. Says whether the port has to join it.
    pub(super) fn join(&mut self, membership: &mut Membership) -> bool {
        if !self.group {
            self.group = true;
            membership.users = membership.users.saturating_add(1);
        }
        if membership.joined || self.rejoin_at != Instant::NEVER {
            return false;
        }
        membership.joined = true;
        true
    }

    /// Ceases to be a user of the group. Says whether the port has to leave it.
    pub(super) fn leave(&mut self, membership: &mut Membership) -> bool {
        if self.group {
            self.group = false;
            membership.users = membership.users.saturating_sub(1);
        }
        if membership.users > 0 || !membership.joined {
            return false;
        }
        membership.joined = false;
        true
    }

    /// Notes that the membership failed or was lost.
    pub(super) fn lost_group(&mut self, now: Instant) {
        if self.group {
            self.rejoin_at = now + REJOIN_AFTER;
        }
    }

    pub(super) fn rejoin_at(&self) -> Instant {
        self.rejoin_at
    }

    /// Tries the group again.
    pub(super) fn rejoin(&mut self) {
        self.rejoin_at = Instant::NEVER;
        self.differs = true;
    }

    /// Counts a failure of an effect, which is asked for again.
    pub(super) fn add_failure(&mut self, now: Instant) {
        self.differs = true;
        let quiet = now.since(self.failed_at);
        if quiet > FAILURES_FORGOTTEN {
            self.backoff = 0;
        }
        if self.failures == 0 || quiet > FAILURE_WINDOW {
            self.failures = 0;
            self.failed_at = now;
        }
        self.failures = self.failures.saturating_add(1);
    }

    /// Returns the time to wait before the next try, if there were more than so many failures within a
    /// second.
    pub(super) fn give_up_after(&mut self, patience: usize) -> Option<Duration> {
        if usize::from(self.failures) <= patience {
            return None;
        }
        self.failures = 0;
        let wait = Duration::from_secs(1 << self.backoff);
        self.backoff = (self.backoff + 1).min(MAX_BACKOFF);
        Some(wait)
    }
}
