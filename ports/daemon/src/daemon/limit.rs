//! Limits the log lines that a stranger on the segment can cause: for each virtual router and kind of
//! event, and in total. What is left out is counted and told.

use std::collections::BTreeMap;
use std::time::Instant;

use vrrp_host::{Event, VrId};

/// A token bucket: so many lines at once, and so many in a second after that.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: f64,
    refill: f64,
}

/// For one virtual router, or for one kind of event that belongs to none.
const EACH: Rate = Rate {
    burst: 50.0,
    refill: 0.5,
};
/// For all together: every virtual router there can be may start and become master.
const TOTAL: Rate = Rate {
    burst: 4096.0,
    refill: 10.0,
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

/// The buckets. Only virtual routers of the configuration have any, so a network cannot make it grow.
#[derive(Debug, Default)]
pub(super) struct LogLimit {
    each: BTreeMap<(Option<VrId>, &'static str), Bucket>,
    total: Option<Bucket>,
}

impl LogLimit {
    /// Whether the line for an event is written. Otherwise it is counted.
    pub(super) fn admits(&mut self, event: &Event, now: Instant) -> bool {
        let total = self.total.get_or_insert_with(|| Bucket::new(TOTAL, now));
        let (id, kind) = kind(event);
        let each = self.each.entry((id.cloned(), kind));
        let each = each.or_insert_with(|| Bucket::new(EACH, now));
        total.fill(TOTAL, now);
        each.fill(EACH, now);
        let admits = total.tokens >= 1.0 && each.tokens >= 1.0;
        if admits {
            total.tokens -= 1.0;
            each.tokens -= 1.0;
        } else {
            each.left_out += 1;
        }
        admits
    }

    /// Tells how many lines were left out, where lines are written again, and forgets the rest.
    pub(super) fn tell(&mut self, now: Instant) {
        self.each.retain(|(id, kind), bucket| {
            bucket.fill(EACH, now);
            if bucket.left_out > 0 && bucket.tokens >= 1.0 {
                bucket.tokens -= 1.0;
                let many = std::mem::take(&mut bucket.left_out);
                let of = id.as_ref().map_or(String::new(), |id| format!("{id}: "));
                log::warn!("{of}{many} more log lines about {kind} were left out");
            }
            bucket.tokens < EACH.burst
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
        assert!(limit.each.is_empty());
    }
}
