//! A timer wheel: one deadline for each virtual router, kept in constant time however many there
//! are.
//!
//! Time is cut into ticks of 2^11 microseconds. Deadlines of the next 64 ticks have a slot for each
//! tick; those of the next 64 times 64 share a slot of the second level for every 64, and so on. A
//! slot of a higher level is sorted into the lower ones when its time begins. The exact deadline is
//! kept beside, so that precision is one microsecond.
//!
//! A small table has no wheel: its few deadlines are looked through one by one, which on a
//! microcontroller saves the memory and the code.

use crate::time::Instant;

const TICK_SHIFT: u32 = 11;
const DIGIT: u32 = 6;
const SLOTS: usize = 1 << DIGIT;
const LEVELS: usize = 3;
/// The list of deadlines beyond the last level.
const OVERFLOW: u8 = (LEVELS * SLOTS) as u8;
/// The list of entries whose tick has passed.
const DUE: u8 = OVERFLOW + 1;
const LISTS: usize = LEVELS * SLOTS + 2;
/// The heads of the lists are kept in a table that grows with that of the entries.
const HEADS_PER_ENTRY: usize = 4;
const UNLINKED: u8 = u8::MAX;
const NIL: u16 = u16::MAX;
/// Entries of one slot that are looked at to find the exact next deadline. A fuller slot in the
/// future is reported by its beginning instead, which keeps the search short.
const EXACT_SCAN: usize = 4;

#[derive(Clone, Copy)]
struct Entry {
    deadline: Instant,
    next: u16,
    prev: u16,
    slot: u8,
}

#[derive(Clone)]
pub(in crate::engine) struct Deadlines<const N: usize> {
    entries: [Entry; N],
    heads: [[u16; HEADS_PER_ENTRY]; N],
    /// Which slots of each level hold something.
    used: [u64; LEVELS],
    /// The tick that has been reached.
    base: u64,
}

impl<const N: usize> Deadlines<N> {
    /// Too few entries for a wheel.
    const FEW: bool = N * HEADS_PER_ENTRY < LISTS;

    pub(in crate::engine) const fn new() -> Self {
        Self {
            entries: [Entry {
                deadline: Instant::NEVER,
                next: NIL,
                prev: NIL,
                slot: UNLINKED,
            }; N],
            heads: [[NIL; HEADS_PER_ENTRY]; N],
            used: [0; LEVELS],
            base: 0,
        }
    }

    /// Sets the deadline of entry `index`, replacing what was set; [`Instant::NEVER`] for none.
    pub(in crate::engine) fn set(&mut self, index: u16, deadline: Instant) {
        let Some(entry) = self.entries.get_mut(usize::from(index)) else {
            return;
        };
        if Self::FEW {
            entry.deadline = deadline;
            return;
        }
        let slot = slot_for(self.base, deadline);
        let old = *entry;
        entry.deadline = deadline;
        if old.slot == slot {
            return;
        }
        entry.slot = slot;
        if old.slot != UNLINKED {
            self.unlink(old);
        }
        if slot != UNLINKED {
            self.push(index, slot);
        }
    }

    /// The next deadline, or an earlier point at which to look again. `None`: nothing is set.
    pub(in crate::engine) fn next(&self) -> Option<Instant> {
        if Self::FEW {
            let next = self.entries.iter().map(|entry| entry.deadline).min()?;
            return (next != Instant::NEVER).then_some(next);
        }
        if self.head(DUE.into()) != NIL {
            return Some(self.earliest(DUE.into(), 0));
        }
        let mut next = Instant::NEVER;
        for level in 0..LEVELS {
            if let Some(start) = self.first(level)
                && start << TICK_SHIFT < next.as_micros()
            {
                next = next.min(self.earliest(slot_of(level, start), start));
            }
        }
        if self.head(OVERFLOW.into()) != NIL {
            next = next.min(self.earliest(OVERFLOW.into(), 0));
        }
        (next != Instant::NEVER).then_some(next)
    }

    /// Moves a wheel without deadlines to `now`, which no timer does. It has to be done before the first one is
    /// set, or a slot may begin in the past, and [`next`](Self::next) with it.
    #[inline(never)]
    pub(in crate::engine) fn catch_up(&mut self, now: Instant) {
        self.advance(now);
    }

    /// Moves the wheel to `now`. What has come due stays linked until it is set anew.
    ///
    /// Inlined into the handling of timers, where that saves 19 of 712 instructions for an advertisement.
    #[inline(always)]
    pub(in crate::engine) fn advance(&mut self, now: Instant) {
        if Self::FEW {
            return;
        }
        let target = now.as_micros() >> TICK_SHIFT;
        if self.base >= target {
            return;
        }
        // Slots of two levels may begin with the very tick of `target`, so it is not `base` that
        // tells when all are sorted.
        while let Some((start, level)) = self.next_slot() {
            if start > target || (level == 0 && start == target) {
                break;
            }
            self.base = self.base.max(start);
            match level {
                0 => self.relink(slot_of(0, start), true),
                LEVELS => self.relink(OVERFLOW.into(), false),
                _ => self.relink(slot_of(level, start), false),
            }
        }
        self.base = self.base.max(target);
    }

    /// A walk over everything that is due and what else has a slot for its tick up to `until`.
    pub(in crate::engine) fn walk(&self, until: Instant) -> Cursor {
        if Self::FEW {
            return Cursor {
                index: 0,
                slots: 0,
                base: 0,
            };
        }
        let last = until.as_micros() >> TICK_SHIFT;
        let more = last.saturating_sub(self.base).min(SLOTS as u64 - 1);
        let [ticks, ..] = self.used;
        Cursor {
            index: self.head(DUE.into()),
            slots: ticks.rotate_right(self.base as u32) & (u64::MAX >> (SLOTS as u64 - 1 - more)),
            base: self.base,
        }
    }

    /// Steps the walk on and returns the entry that it stood on. Setting that entry's deadline
    /// afterwards does not disturb the walk.
    pub(in crate::engine) fn step(&self, cursor: &mut Cursor) -> Option<(u16, Instant)> {
        if Self::FEW {
            let index = cursor.index;
            cursor.index = index.wrapping_add(1);
            return Some((index, self.entries.get(usize::from(index))?.deadline));
        }
        while cursor.index == NIL {
            if cursor.slots == 0 {
                return None;
            }
            let tick = cursor.base + u64::from(cursor.slots.trailing_zeros());
            cursor.slots &= cursor.slots - 1;
            cursor.index = self.head(slot_of(0, tick));
        }
        let index = cursor.index;
        let entry = self.entries.get(usize::from(index))?;
        cursor.index = entry.next;
        Some((index, entry.deadline))
    }
}

/// A walk over the entries of some slots.
pub(in crate::engine) struct Cursor {
    index: u16,
    /// The slots that are left, the first bit for that of `base`.
    slots: u64,
    base: u64,
}

/// The list that a deadline belongs to while the wheel stands at tick `base`.
fn slot_for(base: u64, deadline: Instant) -> u8 {
    if deadline == Instant::NEVER {
        return UNLINKED;
    }
    let tick = (deadline.as_micros() >> TICK_SHIFT).max(base);
    for level in 0..LEVELS {
        let shift = DIGIT * level as u32;
        if (tick >> shift) - (base >> shift) < SLOTS as u64 {
            return slot_of(level, tick) as u8;
        }
    }
    OVERFLOW
}

/// The list of the slot of a level that begins at a tick.
const fn slot_of(level: usize, start: u64) -> usize {
    level * SLOTS + (start >> (DIGIT * level as u32)) as usize % SLOTS
}

impl<const N: usize> Deadlines<N> {
    fn head(&self, slot: usize) -> u16 {
        self.heads.as_flattened().get(slot).copied().unwrap_or(NIL)
    }

    /// The tick at which the first used slot of a level begins.
    fn first(&self, level: usize) -> Option<u64> {
        let used = self.used.get(level).copied().unwrap_or(0);
        if used == 0 {
            return None;
        }
        let shift = DIGIT * level as u32;
        let now = self.base >> shift;
        let ahead = u64::from(used.rotate_right(now as u32).trailing_zeros());
        Some((now + ahead) << shift)
    }

    /// The slot that begins first, as its tick and level; level [`LEVELS`] is the overflow. Of two
    /// that begin together the higher level comes first: it has to be sorted into the lower.
    fn next_slot(&self) -> Option<(u64, usize)> {
        let mut next = self.first(0).map(|start| (start, 0));
        for level in 1..LEVELS {
            if let Some(start) = self.first(level)
                && next.is_none_or(|(least, _)| start <= least)
            {
                next = Some((start, level));
            }
        }
        if self.head(OVERFLOW.into()) != NIL {
            // Looked at whenever a slot of the last level begins.
            let shift = DIGIT * (LEVELS as u32 - 1);
            let start = ((self.base >> shift) + 1) << shift;
            if next.is_none_or(|(least, _)| start <= least) {
                next = Some((start, LEVELS));
            }
        }
        next
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
        let Some(head) = self.heads.as_flattened_mut().get_mut(slot) else {
            return;
        };
        let mut index = core::mem::replace(head, NIL);
        if let Some(used) = self.used.get_mut(slot / SLOTS) {
            *used &= !(1 << (slot % SLOTS));
        }
        while let Some(entry) = self.entries.get(usize::from(index)) {
            let (next, deadline) = (entry.next, entry.deadline);
            let slot = match due {
                true => DUE,
                false => slot_for(self.base, deadline),
            };
            self.push(index, slot);
            index = next;
        }
    }

    fn push(&mut self, index: u16, slot: u8) {
        let Some(head) = self.heads.as_flattened_mut().get_mut(usize::from(slot)) else {
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
        if let Some(used) = self.used.get_mut(usize::from(slot) / SLOTS) {
            *used |= 1 << (slot % SLOTS as u8);
        }
    }

    /// Takes out of its list what was linked as `entry` says.
    fn unlink(&mut self, entry: Entry) {
        if let Some(next) = self.entries.get_mut(usize::from(entry.next)) {
            next.prev = entry.prev;
        }
        if let Some(prev) = self.entries.get_mut(usize::from(entry.prev)) {
            prev.next = entry.next;
            return;
        }
        // The first of its list.
        let slot = usize::from(entry.slot);
        if let Some(head) = self.heads.as_flattened_mut().get_mut(slot) {
            *head = entry.next;
        }
        if entry.next == NIL
            && let Some(used) = self.used.get_mut(slot / SLOTS)
        {
            *used &= !(1 << (slot % SLOTS));
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
    fn expire<const N: usize>(deadlines: &mut Deadlines<N>, now: Instant) -> std::vec::Vec<u16> {
        deadlines.advance(now);
        let mut due = std::vec::Vec::new();
        let mut cursor = deadlines.walk(now);
        while let Some((index, deadline)) = deadlines.step(&mut cursor) {
            if deadline <= now {
                deadlines.set(index, Instant::NEVER);
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
            single::<4>(micros);
            single::<64>(micros);
        }
    }

    fn single<const N: usize>(micros: u64) {
        let mut deadlines = Deadlines::<N>::new();
        deadlines.set(2, at(micros));
        assert_eq!(deadlines.next(), Some(at(micros)));
        assert_eq!(expire(&mut deadlines, at(micros - 1)), []);
        assert_eq!(deadlines.next(), Some(at(micros)));
        assert_eq!(expire(&mut deadlines, at(micros)), [2]);
        assert_eq!(deadlines.next(), None);
    }

    /// Random settings and steps against a plain list: what is due is the same at every step, and
    /// the wheel never promises to sleep past a deadline nor asks to wake in the past.
    #[test]
    fn agrees_with_a_plain_list() {
        const { assert!(Deadlines::<16>::FEW && !Deadlines::<64>::FEW) }
        random_settings::<16>();
        // The largest table without a wheel, and the smallest with one.
        const { assert!(Deadlines::<48>::FEW && !Deadlines::<49>::FEW) }
        random_settings::<48>();
        random_settings::<49>();
        random_settings::<64>();
    }

    fn random_settings<const N: usize>() {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut draw = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % below
        };
        for spread in [3_000, 200_000, 9_000_000, 700_000_000, 9_000_000_000] {
            let mut deadlines = Deadlines::<N>::new();
            let mut list = [Instant::NEVER; N];
            let mut now = draw(1 << 40);
            for _ in 0..4_000 {
                for _ in 0..draw(8) {
                    let index = draw(N as u64) as usize;
                    let deadline = match draw(10) {
                        0 => Instant::NEVER,
                        1 => at(now.saturating_sub(draw(5_000))),
                        _ => at(now + draw(spread)),
                    };
                    deadlines.set(index as u16, deadline);
                    list[index] = deadline;
                }
                let earliest = list.iter().min().copied().unwrap();
                match deadlines.next() {
                    None => assert_eq!(earliest, Instant::NEVER),
                    Some(next) => {
                        assert!(next <= earliest, "{next:?} {earliest:?} at {now}");
                        assert!(next == earliest || next > at(now), "{next:?} in the past");
                    }
                }
                now += draw(spread / 4 + 1);
                let due = expire(&mut deadlines, at(now));
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
    fn what_is_due_where_slots_of_all_levels_begin_is_found_at_once() {
        // The first tick of a slot of the second and of one of the third level.
        let boundary = (SLOTS * SLOTS) as u64;
        let first = at(boundary << TICK_SHIFT);
        let mut deadlines = Deadlines::<4>::new();
        deadlines.advance(at(1));
        // Set long before: it shares a slot of the third level.
        deadlines.set(0, first);
        // Set not so long before: a slot of the second level.
        deadlines.advance(at((boundary - 500) << TICK_SHIFT));
        deadlines.set(1, first);
        assert_eq!(deadlines.next(), Some(first));
        assert_eq!(expire(&mut deadlines, first), [0, 1]);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn a_long_list_in_the_future_is_reported_by_its_beginning() {
        let mut deadlines = Deadlines::<64>::new();
        for index in 0..64 {
            deadlines.set(index, at(1_000_000 + u64::from(index)));
        }
        let mut wakeups = 0;
        let mut now = deadlines.next().unwrap();
        while expire(&mut deadlines, now).is_empty() {
            now = deadlines.next().unwrap();
            wakeups += 1;
        }
        assert_eq!(now, at(1_000_000));
        assert!(wakeups <= LEVELS, "{wakeups} wake-ups for nothing");
    }
}
