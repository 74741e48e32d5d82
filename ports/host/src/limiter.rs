//! Says how often a thing may be told that somebody else can provoke at will.

use std::collections::HashMap;
use std::hash::Hash;

use vrrp_core::{Duration, Instant};

/// The time between two tellings of the same thing.
const PERIOD: Duration = Duration::from_secs(60);
/// Things remembered; more are not told until old ones are forgotten.
const LIMIT: usize = 512;
/// A full table is searched for old entries at most this often.
const PURGE_INTERVAL: Duration = Duration::from_secs(1);

/// Counts occurrences by key and lets the first one of each period through.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    slots: HashMap<K, Slot>,
    purged: Option<Instant>,
}

#[derive(Debug)]
struct Slot {
    told: Instant,
    untold: u64,
}

impl<K: Hash + Eq> Limiter<K> {
    pub(crate) fn new() -> Self {
        Self {
            slots: HashMap::new(),
            purged: None,
        }
    }

    /// Counts one occurrence. `Some`: tell it now, as so many.
    pub(crate) fn note(&mut self, now: Instant, key: K) -> Option<u64> {
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.untold = slot.untold.saturating_add(1);
            if now.since(slot.told) < PERIOD {
                return None;
            }
            slot.told = now;
            return Some(std::mem::take(&mut slot.untold));
        }
        if !self.has_room(now) {
            return None;
        }
        self.slots.insert(
            key,
            Slot {
                told: now,
                untold: 0,
            },
        );
        Some(1)
    }

    fn has_room(&mut self, now: Instant) -> bool {
        if self.slots.len() < LIMIT {
            return true;
        }
        let rested = self.purged.is_none_or(|at| now.since(at) >= PURGE_INTERVAL);
        if rested {
            self.purged = Some(now);
            self.slots.retain(|_, slot| now.since(slot.told) < PERIOD);
        }
        self.slots.len() < LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Instant {
        Instant::from_micros(secs * 1_000_000)
    }

    #[test]
    fn first_is_told_and_the_rest_is_counted() {
        let mut limiter = Limiter::new();
        assert_eq!(limiter.note(at(1), 'a'), Some(1));
        assert_eq!(limiter.note(at(2), 'a'), None);
        assert_eq!(limiter.note(at(3), 'a'), None);
        assert_eq!(limiter.note(at(3), 'b'), Some(1));
        assert_eq!(limiter.note(at(61), 'a'), Some(3));
        assert_eq!(limiter.note(at(62), 'a'), None);
    }

    #[test]
    fn does_not_grow_and_recovers() {
        let mut limiter = Limiter::new();
        let told = (0..100_000u32)
            .filter(|&key| limiter.note(at(1), key).is_some())
            .count();
        assert_eq!(told, LIMIT);
        assert_eq!(limiter.slots.len(), LIMIT);
        assert_eq!(limiter.note(at(62), 1_000_000), Some(1));
    }
}
