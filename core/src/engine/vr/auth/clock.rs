//! The wall clock as the engine was told, and the numbers that are made of it.

use crate::auth::{AntiReplay, WallClock};
use crate::time::{Duration, Instant};

/// A wall clock that differs from where it should be by no more than this has not been stepped.
const STEP: u64 = 10_000;
/// A step that other hosts may take for a wrong clock.
const LARGE_STEP: u64 = 1_000_000;

/// The clocks beside the monotonic one.
#[derive(Clone, Copy)]
pub(in crate::engine) struct Clock {
    /// When the wall clock was read, and what it said. Without one it stands at 1970.
    read_at: Instant,
    wall: WallClock,
    known: bool,
    boots: Option<u32>,
}

impl Clock {
    pub(in crate::engine) const UNKNOWN: Self = Self {
        read_at: Instant::from_micros(0),
        wall: WallClock {
            since_epoch: Duration::ZERO,
            synchronised: false,
        },
        known: false,
        boots: None,
    };

    /// Takes in a reading. Returns `None` if it says no more than that time went on, or else whether the
    /// clock was stepped by more than a second.
    pub(in crate::engine) fn set_wall(
        &mut self,
        now: Instant,
        wall: Option<WallClock>,
    ) -> Option<bool> {
        let known = wall.is_some();
        let wall = wall.unwrap_or(Self::UNKNOWN.wall);
        let expected = self.micros(now);
        let off = expected.abs_diff(wall.since_epoch.as_micros());
        let same = known == self.known && wall.synchronised == self.wall.synchronised;
        if same && (off <= STEP || !known) {
            return None;
        }
        (self.read_at, self.wall, self.known) = (now, wall, known);
        Some(off > LARGE_STEP)
    }

    pub(in crate::engine) fn set_boots(&mut self, boots: u32) {
        self.boots = Some(boots);
    }

    pub(super) fn is_synchronised(&self) -> bool {
        self.wall.synchronised
    }

    /// Whether numbers that only go up can be made of it, over a restart too.
    pub(super) fn has_numbers(&self) -> bool {
        self.known || self.boots.is_some()
    }

    fn micros(&self, now: Instant) -> u64 {
        let passed = if self.known {
            now.since(self.read_at).as_micros()
        } else {
            0
        };
        self.wall.since_epoch.as_micros().wrapping_add(passed)
    }

    /// The seconds of Unix time, modulo 2^32.
    pub(super) fn seconds(&self, now: Instant) -> u32 {
        (self.micros(now) / 1_000_000) as u32
    }

    /// The number of this moment: seconds, their fraction, and a counter of 0. Without a clock the
    /// seconds are the boot count, and the other 32 bits count spans of 65,536 microseconds since the boot.
    pub(super) fn number(&self, now: Instant, replay: AntiReplay) -> u64 {
        if replay == AntiReplay::Monotonic
            && let Some(boots) = self.boots
        {
            let uptime = (now.as_micros() >> 16).min(u32::MAX.into());
            return u64::from(boots) << 32 | uptime;
        }
        let micros = self.micros(now);
        let fraction = (micros % 1_000_000) * 65_536 / 1_000_000;
        u64::from((micros / 1_000_000) as u32) << 32 | fraction << 16
    }
}

/// Whether a number is after another one (RFC 1982).
pub(super) fn is_after(number: u64, other: u64) -> bool {
    number.wrapping_sub(other) as i64 > 0
}

/// The seconds of a number.
pub(super) fn seconds_of(number: u64) -> u32 {
    (number >> 32) as u32
}

/// By how many seconds the first of two is ahead of the other, below zero if it is behind.
pub(super) fn ahead(seconds: u32, of: u32) -> i32 {
    seconds.wrapping_sub(of) as i32
}

/// The number to sign with next (H-8). `last` is the last one; `None`: nothing was signed yet.
pub(super) fn next_number(last: Option<u64>, clock: u64, replay: AntiReplay, window: u16) -> u64 {
    let Some(last) = last else {
        return clock;
    };
    if is_after(clock, last) {
        return clock;
    }
    let runs_ahead = ahead(seconds_of(last), seconds_of(clock)) > i32::from(window);
    if replay == AntiReplay::Time && runs_ahead {
        // The clock was set back: every other router takes the next number for stale otherwise.
        return clock;
    }
    last.wrapping_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1 << 32;

    #[test]
    fn numbers_follow_the_clock_and_never_stand_still() {
        let time = |last, clock| next_number(last, clock, AntiReplay::Time, 5);
        // H-8: nothing sent yet is no number, also after 2038 and at 0.
        assert_eq!(time(None, 0), 0);
        assert_eq!(time(None, 0xffff_0000 * S), 0xffff_0000 * S);
        assert_eq!(time(Some(9 * S), 10 * S), 10 * S);
        assert_eq!(time(Some(10 * S), 10 * S), 10 * S + 1);
        // Carries run on into the fraction and the seconds.
        assert_eq!(time(Some(10 * S + 0xffff), 9 * S), 10 * S + 0x1_0000);
        assert_eq!(time(Some(11 * S - 1), 9 * S), 11 * S);
        // Set back by up to the window: it goes on. By more: it begins anew.
        assert_eq!(time(Some(15 * S), 10 * S), 15 * S + 1);
        assert_eq!(time(Some(16 * S), 10 * S), 10 * S);
        // Over the end of 32 bits of seconds.
        let end = u64::from(u32::MAX) * S;
        assert_eq!(time(Some(end), 0), 0);
        assert_eq!(time(Some(0), end), 1);
        // not H-8
        let monotonic = |last, clock| next_number(last, clock, AntiReplay::Monotonic, 5);
        assert_eq!(monotonic(Some(100 * S), 10 * S), 100 * S + 1);
    }

    #[test]
    fn a_clock_goes_on_from_its_last_reading_and_tells_a_step() {
        let mut clock = Clock::UNKNOWN;
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let reads = |micros, synchronised| {
            Some(WallClock {
                since_epoch: Duration::from_micros(micros),
                synchronised,
            })
        };
        assert!(!clock.has_numbers());
        assert_eq!(clock.number(at(7), AntiReplay::Time), 0);
        assert_eq!(clock.set_wall(at(7), reads(1_500_000, false)), Some(true));
        assert_eq!(clock.number(at(7), AntiReplay::Time), S | 0x8000 << 16);
        assert_eq!(clock.seconds(at(9)), 3);
        // A hundredth is no step, more is one, and so is the state of the clock.
        assert_eq!(clock.set_wall(at(8), reads(2_510_000, false)), None);
        assert_eq!(clock.set_wall(at(8), reads(2_511_000, false)), Some(false));
        assert_eq!(clock.set_wall(at(9), reads(3_511_000, true)), Some(false));
        assert!(clock.is_synchronised());
        // The boot count is for monotonic numbers alone.
        clock.set_boots(3);
        assert_eq!(clock.number(at(0), AntiReplay::Monotonic), 3 * S);
        assert_eq!(
            clock.number(at(4096), AntiReplay::Monotonic),
            3 * S + 62_500
        );
        assert_eq!(clock.seconds(at(9)), 3);
        assert_eq!(clock.set_wall(at(10), None), Some(true));
        assert!(!clock.is_synchronised() && clock.has_numbers());
    }
}
