//! Points and spans of time, in microseconds of a clock that the caller owns.

use core::ops::{Add, Sub};

/// A point in time: microseconds of any monotonic clock. The zero is the caller's choice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Instant(u64);

impl Instant {
    /// Later than any point that is reached: a deadline that is not set.
    pub(crate) const NEVER: Instant = Instant(u64::MAX);

    /// The point `micros` microseconds after the clock's zero.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the clock's zero.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero when `earlier` is later.
    pub const fn since(self, earlier: Instant) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    #[cfg_attr(not(feature = "large"), inline(never))]
    fn add(self, span: Duration) -> Instant {
        Instant(self.0.saturating_add(span.0))
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;
    fn sub(self, span: Duration) -> Instant {
        Instant(self.0.saturating_sub(span.0))
    }
}

/// A span of time in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Duration(u64);

impl Duration {
    /// No time at all.
    pub const ZERO: Duration = Duration(0);

    /// A span of `micros` microseconds.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds; saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// A span of `secs` seconds; saturates.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// A span of `cs` centiseconds, the unit of the wire.
    pub const fn from_centis(cs: u16) -> Self {
        Self(cs as u64 * 10_000)
    }

    /// The span in microseconds.
    pub const fn as_micros(self) -> u64 {
        self.0
    }
}

/// To whole microseconds; saturates after 584,000 years.
impl From<core::time::Duration> for Duration {
    fn from(span: core::time::Duration) -> Self {
        Self(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }
}

impl From<Duration> for core::time::Duration {
    fn from(span: Duration) -> Self {
        Self::from_micros(span.0)
    }
}

impl Add for Duration {
    type Output = Duration;
    fn add(self, other: Duration) -> Duration {
        Duration(self.0.saturating_add(other.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_become_those_of_core_and_come_back() {
        for micros in [0, 1, 1_234_567, u64::MAX] {
            let ours = Duration::from_micros(micros);
            let theirs = core::time::Duration::from(ours);
            assert_eq!(theirs, core::time::Duration::from_micros(micros));
            assert_eq!(Duration::from(theirs), ours);
        }
        let nanos = core::time::Duration::from_nanos(1_999);
        assert_eq!(Duration::from(nanos), Duration::from_micros(1));
        let saturated = Duration::from(core::time::Duration::MAX);
        assert_eq!(saturated, Duration::from_micros(u64::MAX));
    }
}
