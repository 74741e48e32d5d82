//! Limits the log lines that a stranger on the segment can cause: for each virtual router and kind of
//! line, and in total. What is left out is counted and told.

use std::collections::BTreeMap;
use std::time::Instant;

use vrrp_host::{About, Event, VrId};

/// A token bucket: so many lines at once, and so many in a second after that.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    burst: f64,
    refill: f64,
}

/// The limits of one sort of lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// For each subject.
    each: Rate,
    /// For all together.
    total: Rate,
    /// Lines of the total that are kept for subjects of which nothing was said lately, so that what
    /// really happens is told while others are made to fill the log.
    reserve: f64,
}

/// Events: of one virtual router and kind, or of a kind that belongs to none. Every virtual router there
/// can be may start and become master.
const EVENTS: Limits = Limits {
    each: Rate {
        burst: 50.0,
        refill: 0.5,
    },
    total: Rate {
        burst: 4096.0,
        refill: 10.0,
    },
    reserve: 1024.0,
};
/// Beginnings of warnings. As many lines tell of their ends.
const WARNINGS: Limits = Limits {
    each: Rate {
        burst: 20.0,
        refill: 0.1,
    },
    total: Rate {
        burst: 512.0,
        refill: 2.0,
    },
    reserve: 256.0,
};

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
    left_out: u64,
}

impl Bucket {
    fn new(rate: Rate, now: Instant) -> Self {
        Self {
            tokens: rate.burst,
            filled: now,
            left_out: 0,
        }
    }

    fn fill(&mut self, rate: Rate, now: Instant) {
        let seconds = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + seconds * rate.refill).min(rate.burst);
        self.filled = now;
    }
}

/// The buckets. Only what the configuration names has any, so a network cannot make it grow.
#[derive(Debug)]
struct Buckets<K> {
    limits: Limits,
    each: BTreeMap<K, Bucket>,
    total: Option<Bucket>,
}

impl<K: Ord> Buckets<K> {
    fn new(limits: Limits) -> Self {
        Self {
            limits,
            each: BTreeMap::new(),
            total: None,
        }
    }

    /// Takes a token for a line about `key`, if there is one.
    fn admits(&mut self, key: K, now: Instant) -> bool {
        let Limits {
            each: rate,
            total: all,
            reserve,
        } = self.limits;
        let total = self.total.get_or_insert_with(|| Bucket::new(all, now));
        let each = self.each.entry(key);
        let each = each.or_insert_with(|| Bucket::new(rate, now));
        total.fill(all, now);
        each.fill(rate, now);
        let is_quiet = each.tokens >= rate.burst;
        let least = if is_quiet { 1.0 } else { 1.0 + reserve };
        let admits = total.tokens >= least && each.tokens >= 1.0;
        if admits {
            total.tokens -= 1.0;
            each.tokens -= 1.0;
        }
        admits
    }

    /// Counts a line that is not written.
    fn leave_out(&mut self, key: &K) {
        if let Some(bucket) = self.each.get_mut(key) {
            bucket.left_out += 1;
        }
    }

    /// Gives how many lines were left out to `tell`, where lines are written again, and forgets the rest.
    fn tell(&mut self, now: Instant, mut tell: impl FnMut(&K, u64)) {
        let rate = self.limits.each;
        self.each.retain(|key, bucket| {
            bucket.fill(rate, now);
            if bucket.left_out > 0 && bucket.tokens >= 1.0 {
                bucket.tokens -= 1.0;
                tell(key, std::mem::take(&mut bucket.left_out));
            }
            bucket.tokens < rate.burst
        });
    }
}

/// The limits of the lines about events.
#[derive(Debug)]
pub(super) struct LogLimit(Buckets<(Option<VrId>, &'static str)>);

impl Default for LogLimit {
    fn default() -> Self {
        Self(Buckets::new(EVENTS))
    }
}

impl LogLimit {
    /// Whether the line for an event is written. Otherwise it is counted.
    pub(super) fn admits(&mut self, event: &Event, now: Instant) -> bool {
        let (id, kind) = kind(event);
        let key = (id.cloned(), kind);
        let admits = self.0.admits(key.clone(), now);
        if !admits {
            self.0.leave_out(&key);
        }
        admits
    }

    /// Tells how many lines were left out, where lines are written again, and forgets the rest.
    pub(super) fn tell(&mut self, now: Instant) {
        self.0.tell(now, |(id, kind), many| {
            let of = id.as_ref().map_or(String::new(), |id| format!("{id}: "));
            log::warn!("{of}{many} more log lines about {kind} were left out");
        });
    }
}

/// The limits of the lines about warnings.
#[derive(Debug)]
pub(super) struct WarningLimit(Buckets<About>);

impl Default for WarningLimit {
    fn default() -> Self {
        Self(Buckets::new(WARNINGS))
    }
}

impl WarningLimit {
    /// Whether the beginning of a warning is logged.
    pub(super) fn admits(&mut self, about: &About, now: Instant) -> bool {
        self.0.admits(about.clone(), now)
    }

    /// Counts a warning that is not logged.
    pub(super) fn leave_out(&mut self, about: &About) {
        self.0.leave_out(about);
    }

    /// Tells how many warnings were not logged.
    pub(super) fn tell(&mut self, now: Instant) {
        self.0.tell(now, |about, many| {
            let of = match about {
                About::Host => String::new(),
                About::Interface(name) => format!("{name}: "),
                About::VirtualRouter(id) => format!("{id}: "),
            };
            log::warn!("{of}{many} more warnings were left out: see vrrpctl status");
        });
    }
}

/// The virtual router that an event is about, and its kind in words.
fn kind(event: &Event) -> (Option<&VrId>, &'static str) {
    match event {
        Event::StateChange { id, .. } => (Some(id), "changes of state"),
        Event::Problem { id, .. } => (id.as_ref(), "what the system refuses"),
        Event::Removed { id } => (Some(id), "its removal"),
        Event::Rejected { .. } => (None, "rejected packets"),
        Event::Interface { .. } => (None, "interfaces"),
        _ => (None, "other events"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::logging::capture;

    fn problem(text: &str) -> Event {
        Event::Problem {
            id: None,
            text: text.into(),
        }
    }

    #[test]
    fn a_storm_of_lines_is_counted_and_leaves_other_kinds_alone() {
        capture::start();
        let mut limit = LogLimit::default();
        let begin = Instant::now();
        let storm = Event::Lost { count: 1 };
        let written = (0..1_000)
            .filter(|n| limit.admits(&storm, begin + Duration::from_millis(10 * n)))
            .count();
        assert!((54..=56).contains(&written), "{written} in 10 seconds");
        let now = begin + Duration::from_secs(10);
        assert!(limit.admits(&problem("genuine"), now));
        let later = now + Duration::from_secs(3);
        limit.tell(later);
        let left_out = format!(
            "WARN: {} more log lines about other events were left out",
            1_000 - written
        );
        assert_eq!(capture::take(), [left_out]);
        // Nothing is kept of what has been quiet.
        limit.tell(later + Duration::from_secs(200));
        assert!(limit.0.each.is_empty());
    }

    #[test]
    fn a_storm_about_many_leaves_room_for_those_that_were_quiet() {
        let id = |vrid| VrId {
            interface: "eth0".into(),
            vrid: vrrp_core::Vrid::new(vrid).expect("a VRID"),
            family: vrrp_core::Family::Ipv4,
            name: None,
        };
        let mut limit = LogLimit::default();
        let begin = Instant::now();
        let mut written = 0;
        for round in 0..1_000 {
            let now = begin + Duration::from_millis(10 * round);
            for vrid in 1..=200 {
                let event = Event::Removed { id: id(vrid) };
                written += usize::from(limit.admits(&event, now));
            }
        }
        assert!((3_000..3_400).contains(&written), "{written} in 10 seconds");
        let now = begin + Duration::from_secs(10);
        assert!(limit.admits(&Event::Removed { id: id(201) }, now));
        assert!(limit.admits(&problem("genuine"), now));
    }
}
