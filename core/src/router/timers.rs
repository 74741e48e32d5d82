//! A hierarchical timer wheel: one deadline for each virtual router, kept in constant time however
//! many there are.
//!
//! Deadlines are sorted into slots of 2^11 microseconds, thirty-two to a level; a slot of the next
//! level is as wide as all slots of the one below. An entry's level is that of the highest five-bit
//! digit in which its tick differs from the wheel's, so everything on a level comes before anything
//! on the next. The exact deadline is kept beside, so that precision is one microsecond.

use crate::time::Instant;

const TICK_SHIFT: u32 = 11;
const DIGIT: u32 = 5;
const SLOTS: usize = 1 << DIGIT;
const LEVELS: usize = 4;
/// The list of deadlines beyond the last level.
const OVERFLOW: u8 = (LEVELS * SLOTS) as u8;
/// The list of entries whose tick has passed.
const DUE: u8 = OVERFLOW + 1;
const UNLINKED: u8 = u8::MAX;
const NIL: u16 = u16::MAX;
/// Entries of one slot that are looked at to find the exact next deadline. A fuller slot in the
/// future is reported by its beginning instead, which keeps the search short.
const EXACT_SCAN: usize = 16;

#[derive(Clone, Copy)]
struct Entry {
    deadline: Instant,
    next: u16,
    prev: u16,
    slot: u8,
}

pub(super) struct Timers<const N: usize> {
    entries: [Entry; N],
    heads: [u16; LEVELS * SLOTS + 2],
    /// Which slots of each level hold something.
    used: [u32; LEVELS],
    /// The tick that has been reached.
    base: u64,
}

impl<const N: usize> Timers<N> {
    pub(super) const fn new() -> Self {
        Self {
            entries: [Entry {
                deadline: Instant::NEVER,
                next: NIL,
                prev: NIL,
                slot: UNLINKED,
            }; N],
            heads: [NIL; LEVELS * SLOTS + 2],
            used: [0; LEVELS],
            base: 0,
        }
    }

    /// Sets the deadline of entry `index`, replacing what was set; [`Instant::NEVER`] for none.
    pub(super) fn set(&mut self, index: u16, deadline: Instant) {
        let Some(entry) = self.entries.get_mut(usize::from(index)) else {
            return;
        };
        if entry.deadline == deadline {
            return;
        }
        entry.deadline = deadline;
        self.unlink(index);
        if deadline != Instant::NEVER {
            self.link(index, deadline);
        }
    }

    /// The next deadline, or an earlier point at which to look again. `None`: nothing is set.
    pub(super) fn next(&self) -> Option<Instant> {
        if self.head(DUE.into()) != NIL {
            return Some(self.earliest(DUE.into(), 0));
        }
        for level in 0..LEVELS {
            let used = self.used.get(level).copied().unwrap_or(0);
            if used != 0 {
                let slot = used.trailing_zeros() as usize;
                let start = self.slot_start(level, slot);
                return Some(self.earliest(level * SLOTS + slot, start));
            }
        }
        let head = self.head(usize::from(OVERFLOW));
        (head != NIL).then(|| self.earliest(usize::from(OVERFLOW), 0))
    }

    /// Moves the wheel to `now`. What has come due stays linked until it is set anew.
    pub(super) fn advance(&mut self, now: Instant) {
        let target = now.as_micros() >> TICK_SHIFT;
        while let Some((level, slot)) = self.first_slot() {
            let start = if level == LEVELS {
                // Beyond the last level: look again whenever its digits roll over.
                ((self.base >> (DIGIT * LEVELS as u32)) + 1) << (DIGIT * LEVELS as u32)
            } else {
                self.slot_start(level, slot)
            };
            if start > target || (level == 0 && start == target) {
                break;
            }
            self.base = self.base.max(start);
            match level {
                0 => self.relink(slot, true),
                LEVELS => self.relink(OVERFLOW.into(), false),
                _ => self.relink(level * SLOTS + slot, false),
            }
        }
        self.base = self.base.max(target);
    }

    /// A walk over everything that is due and what else lies in the ticks up to `until`, at most
    /// until the first level ends.
    pub(super) fn walk(&self, until: Instant) -> Cursor {
        let slots = self.used.first().copied().unwrap_or(0);
        let last = (until.as_micros() >> TICK_SHIFT).min(self.base | (SLOTS as u64 - 1));
        let keep = (last & (SLOTS as u64 - 1)) as u32;
        let mask = u32::MAX >> (SLOTS as u32 - 1 - keep);
        let mut cursor = Cursor {
            index: self.head(DUE.into()),
            slots: slots & mask,
        };
        self.refill(&mut cursor);
        cursor
    }

    /// Steps the walk on and returns the entry that it stood on. Setting that entry's deadline
    /// afterwards does not disturb the walk.
    pub(super) fn step(&self, cursor: &mut Cursor) -> Option<(u16, Instant)> {
        let index = cursor.index;
        let entry = self.entries.get(usize::from(index))?;
        cursor.index = entry.next;
        self.refill(cursor);
        Some((index, entry.deadline))
    }

    fn refill(&self, cursor: &mut Cursor) {
        while cursor.index == NIL && cursor.slots != 0 {
            let slot = cursor.slots.trailing_zeros() as usize;
            cursor.slots &= cursor.slots - 1;
            cursor.index = self.head(slot);
        }
    }
}

/// A walk over the entries of some slots.
pub(super) struct Cursor {
    index: u16,
    slots: u32,
}

impl<const N: usize> Timers<N> {
    fn head(&self, slot: usize) -> u16 {
        self.heads.get(slot).copied().unwrap_or(NIL)
    }

    /// The first slot that holds something, as level and slot; level [`LEVELS`] is the overflow.
    fn first_slot(&self) -> Option<(usize, usize)> {
        for (level, &used) in self.used.iter().enumerate() {
            if used != 0 {
                return Some((level, used.trailing_zeros() as usize));
            }
        }
        (self.head(usize::from(OVERFLOW)) != NIL).then_some((LEVELS, 0))
    }

    /// The tick at which a slot begins.
    fn slot_start(&self, level: usize, slot: usize) -> u64 {
        let shift = DIGIT * level as u32;
        ((self.base >> (shift + DIGIT)) << (shift + DIGIT)) | ((slot as u64) << shift)
    }

    /// The earliest deadline of a list that begins at tick `start`, or that beginning when the list
    /// is long and has not been reached.
    fn earliest(&self, slot: usize, start: u64) -> Instant {
        let mut index = self.head(slot);
        let mut earliest = Instant::NEVER;
        let mut seen = 0;
        while let Some(entry) = self.entries.get(usize::from(index)) {
            earliest = earliest.min(entry.deadline);
            index = entry.next;
            seen += 1;
            if seen >= EXACT_SCAN && start > self.base {
                return earliest.min(Instant::from_micros(start << TICK_SHIFT));
            }
        }
        earliest
    }

    /// Sorts the entries of a list in again now that the wheel has moved, or calls them due.
    fn relink(&mut self, slot: usize, due: bool) {
        let Some(head) = self.heads.get_mut(slot) else {
            return;
        };
        let mut index = core::mem::replace(head, NIL);
        if let Some(used) = self.used.get_mut(slot / SLOTS) {
            *used &= !(1 << (slot % SLOTS));
        }
        while let Some(entry) = self.entries.get(usize::from(index)) {
            let (next, deadline) = (entry.next, entry.deadline);
            if due {
                self.push(index, DUE);
            } else {
                self.link(index, deadline);
            }
            index = next;
        }
    }

    fn link(&mut self, index: u16, deadline: Instant) {
        let tick = (deadline.as_micros() >> TICK_SHIFT).max(self.base);
        let differing = u64::BITS - (tick ^ self.base).leading_zeros();
        let level = (differing.saturating_sub(1) / DIGIT) as usize;
        let slot = if level >= LEVELS {
            OVERFLOW
        } else {
            let digit = ((tick >> (DIGIT * level as u32)) & (SLOTS as u64 - 1)) as usize;
            if let Some(used) = self.used.get_mut(level) {
                *used |= 1 << digit;
            }
            (level * SLOTS + digit) as u8
        };
        self.push(index, slot);
    }

    fn push(&mut self, index: u16, slot: u8) {
        let Some(head) = self.heads.get_mut(usize::from(slot)) else {
            return;
        };
        let next = core::mem::replace(head, index);
        if let Some(entry) = self.entries.get_mut(usize::from(next)) {
            entry.prev = index;
        }
        if let Some(entry) = self.entries.get_mut(usize::from(index)) {
            entry.slot = slot;
            entry.next = next;
            entry.prev = NIL;
        }
    }

    fn unlink(&mut self, index: u16) {
        let Some(entry) = self.entries.get_mut(usize::from(index)) else {
            return;
        };
        let (slot, next, prev) = (entry.slot, entry.next, entry.prev);
        if slot == UNLINKED {
            return;
        }
        entry.slot = UNLINKED;
        if let Some(entry) = self.entries.get_mut(usize::from(next)) {
            entry.prev = prev;
        }
        if let Some(entry) = self.entries.get_mut(usize::from(prev)) {
            entry.next = next;
            return;
        }
        if let Some(head) = self.heads.get_mut(usize::from(slot)) {
            *head = next;
        }
        if next == NIL {
            let (level, digit) = (usize::from(slot) / SLOTS, usize::from(slot) % SLOTS);
            if let Some(used) = self.used.get_mut(level) {
                *used &= !(1 << digit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(micros)
    }

    /// Takes what is due out of the wheel, by exact deadline.
    fn expire<const N: usize>(timers: &mut Timers<N>, now: Instant) -> std::vec::Vec<u16> {
        timers.advance(now);
        let mut due = std::vec::Vec::new();
        let mut cursor = timers.walk(now);
        while let Some((index, deadline)) = timers.step(&mut cursor) {
            if deadline <= now {
                timers.set(index, Instant::NEVER);
                due.push(index);
            }
        }
        due.sort_unstable();
        due
    }

    #[test]
    fn a_single_deadline_is_reported_to_the_microsecond() {
        for micros in [
            1,
            2_047,
            2_048,
            99_999,
            3_609_375,
            40_000_000,
            5_000_000_000,
        ] {
            let mut timers = Timers::<4>::new();
            timers.set(2, at(micros));
            assert_eq!(timers.next(), Some(at(micros)));
            assert_eq!(expire(&mut timers, at(micros - 1)), []);
            assert_eq!(timers.next(), Some(at(micros)));
            assert_eq!(expire(&mut timers, at(micros)), [2]);
            assert_eq!(timers.next(), None);
        }
    }

    /// Random settings and steps against a plain list: what is due is the same at every step, and
    /// the wheel never promises to sleep past a deadline nor asks to wake in the past.
    #[test]
    fn agrees_with_a_plain_list() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        for spread in [3_000, 200_000, 9_000_000, 700_000_000, 9_000_000_000] {
            let mut timers = Timers::<64>::new();
            let mut list = [Instant::NEVER; 64];
            let mut now = draw(1 << 40);
            for _ in 0..4_000 {
                for _ in 0..draw(8) {
                    let index = draw(64) as usize;
                    let deadline = match draw(10) {
                        0 => Instant::NEVER,
                        1 => at(now.saturating_sub(draw(5_000))),
                        _ => at(now + draw(spread)),
                    };
                    timers.set(index as u16, deadline);
                    list[index] = deadline;
                }
                let earliest = list.iter().min().copied().unwrap();
                match timers.next() {
                    None => assert_eq!(earliest, Instant::NEVER),
                    Some(next) => {
                        assert!(next <= earliest, "{next:?} {earliest:?} at {now}");
                        assert!(next == earliest || next > at(now), "{next:?} in the past");
                    }
                }
                now += draw(spread / 4 + 1);
                let due = expire(&mut timers, at(now));
                let mut expected = std::vec::Vec::new();
                for (index, deadline) in list.iter_mut().enumerate() {
                    if *deadline <= at(now) {
                        *deadline = Instant::NEVER;
                        expected.push(index as u16);
                    }
                }
                assert_eq!(due, expected, "at {now}");
            }
        }
    }

    #[test]
    fn a_long_list_in_the_future_is_reported_by_its_beginning() {
        let mut timers = Timers::<64>::new();
        for index in 0..64 {
            timers.set(index, at(1_000_000 + u64::from(index)));
        }
        let mut wakeups = 0;
        let mut now = timers.next().unwrap();
        while expire(&mut timers, now).is_empty() {
            now = timers.next().unwrap();
            wakeups += 1;
        }
        assert_eq!(now, at(1_000_000));
        assert!(wakeups <= LEVELS, "{wakeups} wake-ups for nothing");
    }
}
