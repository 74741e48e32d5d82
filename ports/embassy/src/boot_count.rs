//! A boot count in flash, for `AntiReplay::Monotonic` of vrrp-core (feature `hmac`) on boards
//! without a clock.
//!
//! Signed advertisements bear numbers that only go up, over restarts too. A board without a clock begins
//! each life with a greater number than any that it has used, from [`BootCount`]:
//!
//! ```
//! # use embedded_storage::nor_flash::NorFlash;
//! # use vrrp_embassy::boot_count::{BootCount, BootCountError};
//! # fn start(flash: impl NorFlash, vrrp: vrrp_embassy::Control<'_, 4, 8>) -> Result<(), BootCountError> {
//! // Two sectors of the chip that nothing else is in. Once at each start, before `Admin::set_auth`.
//! let mut store = BootCount::new(flash, 0x1a_0000..0x1e_0000);
//! let taken = store.take(0)?;
//! # #[cfg(feature = "hmac")]
//! let _ = vrrp.admin(|admin| Ok(admin.set_boot_count(taken.count)));
//! # let _ = (taken, vrrp);
//! # Ok(())
//! # }
//! ```
//!
//! # The store
//!
//! Each start appends one record to the sector that has the greatest count, and reads it back before the
//! count is given away. When the sector is full the other one is erased and takes over, so a sector is
//! erased once in as many starts as two sectors have records. A record is 16 octets, or a word of the flash
//! where that is longer, and is written once. Each octet is there with its complement, so that a record is
//! not taken for a whole one after bits of it changed in one direction, as in an interrupted write or erase.
//!
//! Power may fail at each moment, and one sector may be lost as a whole, or any one record: no count is
//! given twice. A record that cannot be read is taken for one that was used, and a sector without any for
//! one that was full. Both are then written anew.
//!
//! Only where both sectors are lost there is nothing to go on from: [`Found::Nothing`] where they are blank,
//! as at the first start, and [`BootCountError::Damaged`] where they are not. An administrator who knows a
//! number that is great enough gives it as `least`.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;

/// The numbers from one count to the next. Advertisements number on from their count: after 2^32 of them,
/// 497 days at an interval of 10 ms, they have reached the number after it, which has to be free.
const SPAN: u32 = 16;
/// The longest record in octets: the word of an STM32H7.
const MOST: usize = 32;
/// The beginning of a record.
const MARK: [u8; 4] = *b"VRBC";
/// Places that are tried for one record, where the flash is worn out.
const TRIES: u32 = 4;

/// A count that was not given before, and is in the flash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The count, for `Admin::set_boot_count`.
    pub count: u32,
    /// The state of the flash before.
    pub found: Found,
}

/// The flash as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A count to go on from.
    Count,
    /// Both sectors were blank: this is the first start, or the count was lost. The count is `least`, or 1.
    /// Routers that have heard this host before refuse it until its numbers are past those they know.
    Nothing,
    /// No count, but other octets; an administrator gave the one to begin with.
    Damaged,
}

/// The reason why there is no count. Without one a board must not sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum BootCountError {
    /// There are octets in the flash, and no count among them: those of another program, or damaged ones.
    /// [`BootCount::take`] erases them when it is given a `least` count.
    Damaged,
    /// The flash did not keep what was written.
    NotKept,
    /// No greater number is left.
    UsedUp,
}

/// A count in two sectors of flash that goes up with each start.
#[derive(Debug)]
pub struct BootCount<F> {
    flash: F,
    sectors: Range<u32>,
}

/// A sector as it was read.
struct Sector {
    at: u32,
    /// The greatest count in it.
    newest: Option<u32>,
    /// The records after that one that cannot be read, or all of them.
    unread: u32,
    /// The records up to the last one that is not blank.
    used: u32,
}

/// A record as it was read.
enum Record {
    Blank,
    Count(u32),
    Unread,
}

impl<F: NorFlash> BootCount<F> {
    /// The length of a record.
    const RECORD: usize = {
        let len = if F::WRITE_SIZE > 16 { MOST } else { 16 };
        assert!(len.is_multiple_of(F::WRITE_SIZE) && len.is_multiple_of(F::READ_SIZE));
        len
    };

    /// A store in these octets of a flash, by their offset: two sectors of one length. Each is erased as a
    /// whole.
    pub const fn new(flash: F, sectors: Range<u32>) -> Self {
        Self { flash, sectors }
    }

    /// Takes a count that is greater than each one before, and at least `least`: 0 unless an administrator
    /// says otherwise. It takes the time of a write, and at times of an erase or two: as long as the chip says,
    /// which may be seconds, with everything else at rest.
    ///
    /// # Errors
    /// [`BootCountError`]. The host must not sign then.
    pub fn take(&mut self, least: u32) -> Result<Taken, BootCountError> {
        let (mut current, mut other) = self.read();
        if other.bound() > current.bound() {
            core::mem::swap(&mut current, &mut other);
        }
        let Some(bound) = current.bound() else {
            let blank = current.used == 0 && other.used == 0;
            if !blank && least == 0 {
                return Err(BootCountError::Damaged);
            }
            let count = least.max(1);
            self.renew(&current, &other, count)?;
            let found = if blank {
                Found::Nothing
            } else {
                Found::Damaged
            };
            return Ok(Taken { count, found });
        };
        let lost = other.newest.is_none();
        // It may have been full of counts after the one that is left.
        let steps = if lost { 1 + self.records() } else { 1 };
        let next = bound.checked_add(steps.saturating_mul(SPAN));
        let next = next.ok_or(BootCountError::UsedUp)?;
        let count = next.max(least);
        if lost || count > next {
            // The next start has to find it, whichever sector is lost.
            self.renew(&other, &current, count)?;
        } else if !self.keep(&current, current.used, count) {
            self.begin(&other, count)?;
        }
        let found = Found::Count;
        Ok(Taken { count, found })
    }

    /// Has a count in both sectors, and nothing else. The second one is left alone until the first one has it.
    fn renew(&mut self, first: &Sector, second: &Sector, count: u32) -> Result<(), BootCountError> {
        self.begin(first, count)?;
        self.begin(second, count)
    }

    /// Erases a sector and has it begin with a count.
    fn begin(&mut self, sector: &Sector, count: u32) -> Result<(), BootCountError> {
        let to = sector.at.saturating_add(self.sector_len());
        let erased = self.flash.erase(sector.at, to).is_ok();
        let kept = erased && self.keep(sector, 0, count);
        kept.then_some(()).ok_or(BootCountError::NotKept)
    }

    /// Writes a record at a free place or, where the flash does not take it, at one of those after it. Returns
    /// whether it is there.
    fn keep(&mut self, sector: &Sector, free: u32, count: u32) -> bool {
        let places = self.records().saturating_sub(free).min(TRIES);
        (free..free.saturating_add(places)).any(|place| self.write(sector.at, place, count))
    }

    fn write(&mut self, sector: u32, place: u32, count: u32) -> bool {
        let mut octets = [0xff; MOST];
        let parts = [
            MARK,
            count.to_le_bytes(),
            (!count).to_le_bytes(),
            MARK.map(|octet| !octet),
        ];
        for (octet, from) in octets.iter_mut().zip(parts.as_flattened()) {
            *octet = *from;
        }
        let record = octets.get(..Self::RECORD).unwrap_or_default();
        let _ = self.flash.write(self.offset(sector, place), record);
        matches!(self.read_record(sector, place), Record::Count(kept) if kept == count)
    }

    fn read(&mut self) -> (Sector, Sector) {
        let (first, second) = (self.sectors.start, self.sectors.start + self.sector_len());
        (self.read_sector(first), self.read_sector(second))
    }

    fn read_sector(&mut self, at: u32) -> Sector {
        let mut sector = Sector {
            at,
            newest: None,
            unread: 0,
            used: 0,
        };
        for place in 0..self.records() {
            match self.read_record(at, place) {
                Record::Blank => continue,
                Record::Count(count) if Some(count) > sector.newest => {
                    sector.newest = Some(count);
                    sector.unread = 0;
                }
                Record::Count(_) | Record::Unread => sector.unread += 1,
            }
            sector.used = place + 1;
        }
        sector
    }

    fn read_record(&mut self, sector: u32, place: u32) -> Record {
        let mut octets = [0; MOST];
        let offset = self.offset(sector, place);
        let record = octets.get_mut(..Self::RECORD).unwrap_or_default();
        if self.flash.read(offset, record).is_err() {
            return Record::Unread;
        }
        if record.iter().all(|&octet| octet == 0xff) {
            return Record::Blank;
        }
        let (parts, _) = record.as_chunks::<4>();
        match *parts {
            [mark, count, not_count, not_mark, ..]
                if mark == MARK && not_mark == MARK.map(|octet| !octet) =>
            {
                let (count, not_count) = (u32::from_le_bytes(count), u32::from_le_bytes(not_count));
                if count == !not_count {
                    Record::Count(count)
                } else {
                    Record::Unread
                }
            }
            _ => Record::Unread,
        }
    }

    fn offset(&self, sector: u32, place: u32) -> u32 {
        sector.saturating_add(place.saturating_mul(Self::RECORD as u32))
    }

    fn sector_len(&self) -> u32 {
        self.sectors.end.saturating_sub(self.sectors.start) / 2
    }

    /// The records of a sector.
    fn records(&self) -> u32 {
        self.sector_len() / Self::RECORD as u32
    }
}

impl Sector {
    /// The greatest count that may have been given by its records. `None`: none of them can be read.
    fn bound(&self) -> Option<u32> {
        let unread = self.unread.saturating_mul(SPAN);
        Some(self.newest?.saturating_add(unread))
    }
}
