//! The last number of each sender that was believed (H-7).

use core::net::IpAddr;

use heapless::Vec;

use super::clock::{ahead, is_after, seconds_of};

/// Senders to the group that have a mark.
const OF_A_GROUP: usize = 4;

/// The marks of the senders of one virtual router: one for each unicast peer, or four for the group, of
/// which the least recently used gives way. A mark is made only for a signature that is right, so nobody
/// without the key can push one out.
#[derive(Clone)]
pub(super) struct Marks<const ADDRS: usize> {
    list: Vec<Mark, ADDRS>,
    uses: u32,
}

#[derive(Clone, Copy)]
struct Mark {
    /// Its family is that of the virtual router.
    source: [u8; 16],
    /// The number that was believed last, and that of the last one that was stale, whose signature was
    /// right.
    numbers: [u64; 2],
    /// Which of the two there are.
    is_set: [bool; 2],
    used: u32,
}

/// An address in the form of a mark.
fn octets(source: IpAddr) -> [u8; 16] {
    match source {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// Which of the two numbers of a mark.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    Fresh = 0,
    Stale = 1,
}

impl<const ADDRS: usize> Marks<ADDRS> {
    pub(super) const EMPTY: Self = Self {
        list: Vec::new(),
        uses: 0,
    };

    /// Whether a number is after the mark of its sender, or there is none. With a `window` of seconds
    /// around `now` a mark outside it is none: the clock was stepped since.
    pub(super) fn is_news(
        &self,
        of: Of,
        source: IpAddr,
        number: u64,
        window: Option<(u32, u16)>,
    ) -> bool {
        let source = octets(source);
        let mark = self.list.iter().find(|mark| mark.source == source);
        let Some((&last, true)) = mark.and_then(|mark| {
            let is_set = *mark.is_set.get(of as usize)?;
            Some((mark.numbers.get(of as usize)?, is_set))
        }) else {
            return true;
        };
        let forgotten = window.is_some_and(|(now, window)| {
            ahead(seconds_of(last), now).unsigned_abs() > u32::from(window)
        });
        forgotten || is_after(number, last)
    }

    /// Sets the mark of a sender.
    pub(super) fn set(&mut self, of: Of, source: IpAddr, number: u64, is_unicast: bool) {
        self.uses = self.uses.wrapping_add(1);
        let (uses, source) = (self.uses, octets(source));
        let known = self.list.iter().position(|mark| mark.source == source);
        let index = known.unwrap_or_else(|| self.make_room(source, is_unicast));
        let Some(mark) = self.list.get_mut(index) else {
            return;
        };
        mark.used = uses;
        if let (Some(last), Some(is_set)) = (
            mark.numbers.get_mut(of as usize),
            mark.is_set.get_mut(of as usize),
        ) {
            (*last, *is_set) = (number, true);
        }
    }

    /// Makes an empty mark for a sender, in the place of the least recently used if there is no room.
    /// Returns its place.
    fn make_room(&mut self, source: [u8; 16], is_unicast: bool) -> usize {
        let room = if is_unicast {
            ADDRS
        } else {
            OF_A_GROUP.min(ADDRS)
        };
        let empty = Mark {
            source,
            numbers: [0; 2],
            is_set: [false; 2],
            used: self.uses,
        };
        // More than a group has room for are left of peers that the virtual router had before.
        self.list.truncate(room.max(1));
        if self.list.len() < room && self.list.push(empty).is_ok() {
            return self.list.len().saturating_sub(1);
        }
        let uses = self.uses;
        let ages = self.list.iter().map(|mark| uses.wrapping_sub(mark.used));
        let oldest = ages.enumerate().max_by_key(|(_, age)| *age);
        let index = oldest.map_or(0, |(index, _)| index);
        if let Some(mark) = self.list.get_mut(index) {
            *mark = empty;
        }
        index
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1 << 32;

    fn host(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    #[test]
    fn a_number_is_believed_once() {
        let mut marks = Marks::<8>::EMPTY;
        assert!(marks.is_news(Of::Fresh, host(1), 0, None));
        marks.set(Of::Fresh, host(1), 7, false);
        // H-7, not H-7
        assert!(!marks.is_news(Of::Fresh, host(1), 7, None));
        assert!(!marks.is_news(Of::Fresh, host(1), 6, None));
        assert!(marks.is_news(Of::Fresh, host(1), 8, None));
        assert!(marks.is_news(Of::Fresh, host(2), 7, None));
        // Stale numbers have a mark of their own.
        assert!(marks.is_news(Of::Stale, host(1), 3, None));
        marks.set(Of::Stale, host(1), 3, false);
        assert!(!marks.is_news(Of::Stale, host(1), 3, None));
        assert!(!marks.is_news(Of::Fresh, host(1), 7, None));
    }

    #[test]
    fn a_mark_is_forgotten_when_the_clock_has_left_it() {
        let mut marks = Marks::<8>::EMPTY;
        marks.set(Of::Fresh, host(1), 1_000 * S, false);
        assert!(!marks.is_news(Of::Fresh, host(1), 999 * S, Some((995, 5))));
        assert!(marks.is_news(Of::Fresh, host(1), 994 * S, Some((994, 5))));
        assert!(!marks.is_news(Of::Fresh, host(1), 999 * S, Some((1_005, 5))));
        assert!(marks.is_news(Of::Fresh, host(1), 999 * S, Some((1_006, 5))));
    }

    #[test]
    fn four_senders_to_the_group_and_every_peer_have_a_mark() {
        let mut marks = Marks::<8>::EMPTY;
        for n in 1..=4 {
            marks.set(Of::Fresh, host(n), 7, false);
        }
        marks.set(Of::Fresh, host(1), 8, false);
        marks.set(Of::Fresh, host(5), 7, false);
        // The second was not heard for the longest.
        let known = |marks: &Marks<8>, n| !marks.is_news(Of::Fresh, host(n), 7, None);
        let all = |marks: &Marks<8>| [1, 2, 3, 4, 5].map(|n| known(marks, n));
        assert_eq!(all(&marks), [true, false, true, true, true]);
        let mut marks = Marks::<8>::EMPTY;
        for n in 1..=8 {
            marks.set(Of::Fresh, host(n), 7, true);
        }
        assert!((1..=8).all(|n| known(&marks, n)));
        // A table for one address.
        let mut one = Marks::<1>::EMPTY;
        one.set(Of::Fresh, host(1), 7, false);
        one.set(Of::Fresh, host(2), 7, false);
        assert!(one.is_news(Of::Fresh, host(1), 7, None));
        assert!(!one.is_news(Of::Fresh, host(2), 7, None));
    }
}
