//! The wall clock, and whether it is right.

use vrrp_core::{Duration, Instant};

use crate::sys;

/// The time since 1970, in UTC.
pub fn since_epoch() -> Duration {
    let micros = sys::wall_clock().as_micros();
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// Whether the kernel was told that the clock is right: on Linux adjtimex(2) without `STA_UNSYNC`, on FreeBSD
/// ntp_gettime(2) without `TIME_ERROR`.
pub fn is_synchronised() -> bool {
    sys::is_clock_synchronised()
}

/// The latest time that another process of this host can have read from the wall clock, which may have been
/// set back since. A number that is made of it is after every number that the other one has made.
#[derive(Clone, Copy, Debug, Default)]
pub struct LatestClock {
    /// Both clocks when they were looked at last.
    last: Option<(Instant, Duration)>,
    /// The latest time before the clock was set back.
    highest: Duration,
}

impl LatestClock {
    /// More than the engine lets its own clock run ahead of the one that it is told, and than numbers without
    /// a clock take up that follow each other.
    const MARGIN: Duration = Duration::from_millis(20);

    /// Takes in a look at both clocks.
    pub fn look(&mut self, now: Instant, wall: Duration) {
        if let Some((then, before)) = self.last {
            // Just before it was set back the clock said this.
            let expected = before + now.since(then);
            if expected > wall {
                self.highest = self.highest.max(expected);
            }
        }
        self.last = Some((now, wall));
    }

    /// Returns the latest time that was read until now, and a little more. By `window`, if there is one, a clock
    /// that was set back further is followed, as by the engine.
    pub fn latest(&mut self, now: Instant, wall: Duration, window: Option<Duration>) -> Duration {
        self.look(now, wall);
        let is_followed = window.is_some_and(|window| self.highest > wall + window);
        let latest = if is_followed {
            wall
        } else {
            wall.max(self.highest)
        };
        latest + Self::MARGIN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    const fn wall(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn the_latest_time_is_after_every_one_that_was_read() {
        let mut clock = LatestClock::default();
        let window = Some(wall(5));
        assert_eq!(
            clock.latest(at(1), wall(100), window),
            wall(100) + LatestClock::MARGIN
        );
        clock.look(at(2), wall(101));
        // Set back by 3 s at some time in the second before: 102 may have been read.
        assert_eq!(
            clock.latest(at(3), wall(99), window),
            wall(102) + LatestClock::MARGIN
        );
        // The clock catches up.
        assert_eq!(
            clock.latest(at(5), wall(101), window),
            wall(102) + LatestClock::MARGIN
        );
        assert_eq!(
            clock.latest(at(9), wall(105), window),
            wall(105) + LatestClock::MARGIN
        );
        // Set back by an hour: numbers begin anew, where the clock counts.
        clock.look(at(4010), wall(4106));
        assert_eq!(
            clock.latest(at(4011), wall(506), window),
            wall(506) + LatestClock::MARGIN
        );
        assert_eq!(
            clock.latest(at(4012), wall(507), None),
            wall(4107) + LatestClock::MARGIN
        );
        // Forward is no matter.
        assert_eq!(
            clock.latest(at(4013), wall(9000), window),
            wall(9000) + LatestClock::MARGIN
        );
    }

    #[test]
    fn the_clock_of_this_host_is_after_this_program_was_written() {
        assert!(since_epoch() > Duration::from_secs(1_700_000_000));
        // Either is possible, and neither fails.
        let _ = is_synchronised();
    }
}
