//! The schedule of announcements: gratuitous ARPs and unsolicited NAs for all addresses, round by
//! round.

use super::settings::Settings;
use crate::time::{Duration, Instant};

/// The time after a takeover at which the addresses are announced once more. The kernel of the old Active
/// router may have answered the first announcement from the same virtual MAC, and a switch has then
/// learned the old port again.
const ANNOUNCED_TWICE_AFTER: Duration = Duration::from_millis(100);

/// The round that is being made, and the next one.
#[derive(Clone, Copy)]
pub(super) struct Announcements {
    /// The next address to announce; past the table when the round is over.
    next_address: u16,
    repeats_left: u8,
    next_round: Instant,
}

impl Announcements {
    /// The first round after a takeover, and what follows it.
    pub(super) fn after_takeover(now: Instant, settings: &Settings) -> Self {
        let mut announcements = Self {
            next_address: 0,
            repeats_left: settings.repeats,
            next_round: Instant::NEVER,
        };
        announcements.schedule(now, settings);
        if settings.repeats > 0 {
            announcements.hasten(now + ANNOUNCED_TWICE_AFTER);
        }
        announcements
    }

    /// When the next round begins.
    pub(super) fn next_round(&self) -> Instant {
        self.next_round
    }

    /// The address to announce now.
    pub(super) fn next_address(&self) -> usize {
        self.next_address.into()
    }

    /// Notes that an address was announced.
    pub(super) fn advance(&mut self) {
        self.next_address = self.next_address.saturating_add(1);
    }

    /// Begins a round.
    pub(super) fn begin(&mut self) {
        self.next_address = 0;
    }

    /// Gives up the round that is being made.
    pub(super) fn end(&mut self) {
        self.next_address = u16::MAX;
    }

    /// Sets the next round no later than `at`.
    pub(super) fn hasten(&mut self, at: Instant) {
        self.next_round = self.next_round.min(at);
    }

    /// Sets the next round as the settings have it.
    pub(super) fn schedule(&mut self, now: Instant, settings: &Settings) {
        self.next_round = match (self.repeats_left, settings.refresh) {
            (1.., _) => now + settings.repeat_interval.duration(),
            (0, Duration::ZERO) => Instant::NEVER,
            (0, refresh) => now + refresh,
        };
    }

    /// Takes over changed settings.
    pub(super) fn reschedule(&mut self, now: Instant, settings: &Settings) {
        self.repeats_left = self.repeats_left.min(settings.repeats);
        self.schedule(now, settings);
    }

    /// Notes that the round that was scheduled is not any longer.
    pub(super) fn clear(&mut self) {
        self.next_round = Instant::NEVER;
    }

    /// Schedules the round after one that was scheduled and has begun. `since`: the takeover.
    pub(super) fn follow(&mut self, now: Instant, since: Instant, settings: &Settings) {
        let first_repeat = since + settings.repeat_interval.duration();
        if self.repeats_left > 0 && now < first_repeat {
            // The round soon after a takeover is none of the repeats.
            self.next_round = first_repeat;
            return;
        }
        self.repeats_left = self.repeats_left.saturating_sub(1);
        self.schedule(now, settings);
    }
}

/// A token bucket: limits the rounds that neighbours' events may ask for to [`ROUNDS`](Self::ROUNDS) at
/// once and one a second.
#[derive(Clone, Copy)]
pub(super) struct Bucket {
    /// When the bucket is full again.
    full_at: Instant,
}

impl Bucket {
    const ROUNDS: u64 = 3;
    /// The time in which one token comes back.
    const REFILL: Duration = Duration::from_secs(1);
    /// The time in which all but one come back.
    const ALMOST_ALL: Duration = Duration::from_secs(Self::ROUNDS - 1);

    pub(super) fn full(now: Instant) -> Self {
        Self { full_at: now }
    }

    /// Takes a token for a round. A round that `must` be made needs none. Otherwise an empty bucket is
    /// an error: the time at which the next token comes.
    pub(super) fn take(&mut self, now: Instant, must: bool) -> Result<(), Instant> {
        let next = self.full_at - Self::ALMOST_ALL;
        if next <= now {
            self.full_at = self.full_at.max(now) + Self::REFILL;
        } else if !must {
            return Err(next);
        }
        Ok(())
    }
}
