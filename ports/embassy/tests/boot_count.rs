//! The boot count on a flash that loses power in each write and erase, wears out, and is damaged.

use std::collections::BTreeSet;
use std::ops::Range;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use vrrp_embassy::boot_count::{BootCount, BootCountError, Found};

/// The store is not at the beginning of the flash.
const STORE: Range<u32> = 128..384;
const SECTOR: usize = 128;
const FLASH: usize = 512;

/// A source of numbers that are the same each time (xorshift).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() >> 16) as usize % limit
    }
}

/// How a word that lost power reads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Torn {
    /// Some of its bits were changed.
    Partly,
    /// Anything is in it.
    Anything,
    /// As it pleases, each time, until it is erased; and it takes no other write.
    Unstable,
    /// It cannot be read, as behind a code that corrects errors; and it takes no other write.
    Unreadable,
}

/// NOR flash: an erase sets all bits of a sector, a write clears bits of words that are erased.
struct Flash<const WRITE: usize> {
    octets: [u8; FLASH],
    /// Words that were written since they were erased.
    used: BTreeSet<usize>,
    unstable: BTreeSet<usize>,
    /// The operations until the power fails. Nothing is done from then on.
    left: Option<usize>,
    torn: Torn,
    chance: Chance,
    erased: usize,
    written: usize,
    /// Words that never keep a bit.
    worn: Range<usize>,
}

impl<const WRITE: usize> Flash<WRITE> {
    fn new(torn: Torn, seed: u64) -> Self {
        let octets = [0xff; FLASH];
        Self {
            octets,
            used: BTreeSet::new(),
            unstable: BTreeSet::new(),
            left: None,
            torn,
            chance: Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
            erased: 0,
            written: 0,
            worn: 0..0,
        }
    }

    /// Starts the board: a count, or the power fails after `left` words and sectors.
    fn start(&mut self, left: Option<usize>, least: u32) -> Result<(u32, Found), BootCountError> {
        self.left = left;
        let taken = BootCount::new(&mut *self, STORE).take(least);
        self.left = None;
        taken.map(|taken| (taken.count, taken.found))
    }

    /// Returns whether there is power for one more word or sector; `None`: it fails in the middle.
    fn power(&mut self) -> Option<bool> {
        match &mut self.left {
            None => Some(true),
            Some(0) => Some(false),
            Some(left) => {
                *left -= 1;
                (*left > 0).then_some(true)
            }
        }
    }

    /// A word loses power on its way to these octets.
    fn tear(&mut self, word: Range<usize>, octets: &[u8]) {
        for (at, wanted) in word.clone().zip(octets.iter().copied()) {
            let some = self.chance.next() as u8;
            self.octets[at] = match self.torn {
                Torn::Anything => some,
                // Those bits that differ, or not.
                _ => self.octets[at] ^ ((self.octets[at] ^ wanted) & some),
            };
        }
        if matches!(self.torn, Torn::Unstable | Torn::Unreadable) {
            self.unstable.insert(word.start);
        }
    }

    /// Octets that were not written by the store.
    fn damage(&mut self, at: Range<usize>, octet: Option<u8>) {
        for at in at {
            self.octets[at] = octet.unwrap_or_else(|| self.chance.next() as u8);
            self.used.insert(at - at % WRITE);
            self.unstable.remove(&(at - at % WRITE));
        }
    }

    /// A sector is erased by mistake.
    fn wipe(&mut self, at: Range<usize>) {
        self.octets[at.clone()].fill(0xff);
        self.used.retain(|word| !at.contains(word));
        self.unstable.retain(|word| !at.contains(word));
    }
}

#[derive(Debug)]
struct Refused;

impl NorFlashError for Refused {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl<const WRITE: usize> ErrorType for Flash<WRITE> {
    type Error = Refused;
}

impl<const WRITE: usize> ReadNorFlash for Flash<WRITE> {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, octets: &mut [u8]) -> Result<(), Refused> {
        for (at, octet) in (offset as usize..).zip(octets) {
            *octet = self.octets[at];
            if self.unstable.contains(&(at - at % WRITE)) {
                if self.torn == Torn::Unreadable {
                    return Err(Refused);
                }
                *octet |= self.chance.next() as u8;
            }
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        FLASH
    }
}

impl<const WRITE: usize> NorFlash for Flash<WRITE> {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = SECTOR;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Refused> {
        assert!(STORE.contains(&from) && to <= STORE.end && from < to);
        let sectors = from as usize..to as usize;
        assert!(sectors.start.is_multiple_of(SECTOR) && sectors.end.is_multiple_of(SECTOR));
        for at in sectors.step_by(SECTOR) {
            match self.power() {
                Some(false) => return Err(Refused),
                Some(true) => self.wipe(at..at + SECTOR),
                None => {
                    for word in (at..at + SECTOR).step_by(WRITE) {
                        self.tear(word..word + WRITE, &[0xff; 64][..WRITE]);
                    }
                    return Err(Refused);
                }
            }
            self.erased += 1;
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, octets: &[u8]) -> Result<(), Refused> {
        let at = offset as usize;
        assert!(at.is_multiple_of(WRITE) && octets.len().is_multiple_of(WRITE));
        assert!(STORE.contains(&offset) && at + octets.len() <= STORE.end as usize);
        for (word, octets) in (at..).step_by(WRITE).zip(octets.chunks(WRITE)) {
            if self.unstable.contains(&word) {
                return Err(Refused);
            }
            let blank = self.octets[word..word + WRITE].iter().all(|o| *o == 0xff);
            let same = self.octets[word..word + WRITE] == *octets;
            // No 1 over a 0, and no word twice.
            assert!(
                blank && (!self.used.contains(&word) || same),
                "written twice: {word}"
            );
            match self.power() {
                Some(false) => return Err(Refused),
                Some(true) if self.worn.contains(&word) => {}
                Some(true) => {
                    self.octets[word..word + WRITE].copy_from_slice(octets);
                    self.used.insert(word);
                }
                None => {
                    self.tear(word..word + WRITE, octets);
                    return Err(Refused);
                }
            }
        }
        self.written += 1;
        Ok(())
    }
}

const KINDS: [Torn; 4] = [
    Torn::Partly,
    Torn::Anything,
    Torn::Unstable,
    Torn::Unreadable,
];

#[test]
fn each_start_has_a_greater_count_and_sectors_wear_evenly() {
    fn of<const WRITE: usize>(records: usize) {
        let mut flash = Flash::<WRITE>::new(Torn::Partly, 1);
        assert_eq!(flash.start(None, 0), Ok((1, Found::Nothing)));
        let (erased, mut last) = (flash.erased, 1);
        let starts = 20 * records;
        for _ in 0..starts {
            let (count, found) = flash.start(None, 0).expect("a count");
            assert_eq!((count, found), (last + 16, Found::Count));
            last = count;
        }
        assert_eq!(flash.written, starts + 2);
        assert!((19..=20).contains(&(flash.erased - erased)), "{records}");
    }
    of::<1>(8);
    of::<4>(8);
    of::<8>(8);
    of::<16>(8);
    of::<32>(4);
}

/// Power fails after each number of words and sectors, in each start of some that go once around, twice in a
/// row and more.
#[test]
fn power_may_fail_in_each_write_and_erase() {
    fn of<const WRITE: usize>() {
        for torn in KINDS {
            for seed in 1..8 {
                // Two sectors, and a record of at most this many words in each.
                let most = 2 * (1 + 16_usize.div_ceil(WRITE)) + 2;
                for left in 0..most {
                    let mut flash = Flash::<WRITE>::new(torn, seed + 100 * left as u64);
                    let (mut last, mut given) = (0, 0);
                    for start in 0..40 {
                        let fails = start % 3 != 2 && flash.chance.below(4) != 0;
                        let left = match start {
                            _ if !fails => None,
                            _ if start % 2 == 0 => Some(left),
                            _ => Some(flash.chance.below(most)),
                        };
                        // The administrator of a first start that failed.
                        let least = u32::from(last == 0);
                        match flash.start(left, least) {
                            Ok((count, _)) => {
                                assert!(count > last, "{torn:?} {seed} {start}: {count} {last}");
                                (last, given) = (count, given + 1);
                            }
                            Err(error) => assert!(
                                left.is_some(),
                                "{torn:?}, seed {seed}, start {start}: {error:?} with power on"
                            ),
                        }
                    }
                    assert!(given >= 10);
                    // It has not skipped so much that it would be used up in the life of a board.
                    assert!(last < 40 * 16 * 10, "{last}");
                }
            }
        }
    }
    of::<1>();
    of::<4>();
    of::<16>();
    of::<32>();
}

/// After any number of starts one sector, or any one record, is overwritten or erased.
#[test]
fn a_sector_or_a_record_may_be_lost() {
    fn of<const WRITE: usize>(record: usize) {
        let records = SECTOR / record;
        for starts in 1..4 * records {
            for (sector, place) in (0..2).flat_map(|s| (0..=records).map(move |p| (s, p))) {
                for octet in [Some(0), Some(0x5a), Some(0xff), None] {
                    let mut flash = Flash::<WRITE>::new(Torn::Partly, 1 + starts as u64);
                    let mut last = 0;
                    for start in 0..starts {
                        // A jump somewhere.
                        let least = if start == starts / 2 { 5_000 } else { 0 };
                        last = flash.start(None, least).expect("a count").0;
                    }
                    let at = STORE.start as usize + sector * SECTOR;
                    let lost = match place.checked_sub(1) {
                        None => at..at + SECTOR,
                        Some(place) => at + place * record..at + (place + 1) * record,
                    };
                    match (octet, place) {
                        (Some(0xff), 0) => flash.wipe(lost),
                        // A record does not become blank alone.
                        (Some(0xff), _) => continue,
                        (octet, _) => flash.damage(lost, octet),
                    }
                    for _ in 0..3 * records {
                        let (count, found) = flash.start(None, 0).expect("a count");
                        let place = format!("{starts} starts, sector {sector}, record {place}");
                        assert!(count > last, "{place}: {count} after {last}");
                        assert_eq!(found, Found::Count, "{place}");
                        last = count;
                    }
                }
            }
        }
    }
    of::<4>(16);
    of::<32>(32);
}

#[test]
fn octets_of_another_program_are_not_taken_for_a_count() {
    for octet in [Some(0), Some(0x5a), None] {
        let mut flash = Flash::<16>::new(Torn::Partly, 3);
        flash.damage(128..384, octet);
        let before = flash.octets;
        assert_eq!(flash.start(None, 0), Err(BootCountError::Damaged));
        assert_eq!(flash.start(None, 0), Err(BootCountError::Damaged));
        assert_eq!(flash.octets, before, "nothing is erased unasked");
        assert_eq!(flash.start(None, 1), Ok((1, Found::Damaged)));
        assert_eq!(flash.start(None, 1), Ok((17, Found::Count)));
    }
}

/// Each bit of a record counts: one that differs makes it no record, and its count is not given again.
#[test]
fn a_record_of_which_one_bit_differs_is_not_believed() {
    for bit in 0..128 {
        let flip = |flash: &mut Flash<4>, sector: usize, place: usize| {
            let at = STORE.start as usize + sector * SECTOR + place * 16 + bit / 8;
            let octet = flash.octets[at] ^ (1 << (bit % 8));
            flash.damage(at..at + 1, Some(octet));
        };
        // In the newest of three records.
        let mut flash = Flash::<4>::new(Torn::Partly, 1);
        let counts = [(); 3].map(|()| flash.start(None, 0).expect("a count").0);
        flip(&mut flash, 0, 2);
        let next = flash.start(None, 0).expect("a count").0;
        assert_eq!(next, counts[2] + 16, "bit {bit}");
        // In all that there are.
        let mut flash = Flash::<4>::new(Torn::Partly, 1);
        assert_eq!(flash.start(None, 0), Ok((1, Found::Nothing)));
        flip(&mut flash, 0, 0);
        flip(&mut flash, 1, 0);
        let next = flash.start(None, 0);
        assert_eq!(next, Err(BootCountError::Damaged), "bit {bit}");
    }
}

#[test]
fn an_administrator_gives_a_greater_count_and_no_smaller_one() {
    let mut flash = Flash::<4>::new(Torn::Partly, 1);
    assert_eq!(flash.start(None, 7_000), Ok((7_000, Found::Nothing)));
    assert_eq!(flash.start(None, 7_000), Ok((7_016, Found::Count)));
    assert_eq!(flash.start(None, 9_000), Ok((9_000, Found::Count)));
    assert_eq!(flash.start(None, 9), Ok((9_016, Found::Count)));
    assert_eq!(flash.start(None, u32::MAX).map(|it| it.0), Ok(u32::MAX));
    assert_eq!(flash.start(None, 0), Err(BootCountError::UsedUp));
}

/// No count is given that would not be found again.
#[test]
fn a_flash_that_keeps_nothing_gives_no_count() {
    let mut flash = Flash::<4>::new(Torn::Partly, 1);
    flash.worn = 0..FLASH;
    assert_eq!(flash.start(None, 0), Err(BootCountError::NotKept));
    flash.worn = 0..0;
    assert_eq!(flash.start(None, 0), Ok((1, Found::Nothing)));
    flash.worn = 0..FLASH;
    assert_eq!(flash.start(None, 0), Err(BootCountError::NotKept));
    // A record that is worn out is passed over.
    flash.worn = 144..160;
    let (count, _) = flash.start(None, 0).expect("a count");
    assert!(count > 1);
    assert!(flash.start(None, 0).expect("a count").0 > count);
}
