//! The cache of the repeated advertisement: of what is heard and of what is said again and again.
//!
//! It saves the checks of an advertisement that repeats the last one, and the checksum of one that is
//! sent again. That is 360 instructions of each that is received and 970 of a whole host's 3,460, which
//! need not compare it either; and 150 of each that is sent, of a whole host's 1,180 (`cargo xtask
//! bench`, `cargo bench -p vrrp-host`). [`Repeat::invalidate`] forgets both. It is called with every
//! change of settings, entries, priority, phase or interface, and for each message that is not a
//! repetition. A small build has no cache.

use crate::engine::SMALL;
use crate::wire::vrrp::{ChecksumForm, HEADER_LEN};

/// The cache of one virtual router.
#[derive(Clone, Copy)]
pub(super) struct Repeat {
    #[cfg(feature = "large")]
    heard: Option<Heard>,
    #[cfg(feature = "large")]
    said: Option<[u8; HEADER_LEN]>,
}

/// The message by which Active_Down_Timer was set last. It came from the Active router to the group and
/// ends in our own addresses and authentication data: its header tells it from any other.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    pub(super) header: [u8; HEADER_LEN],
    pub(super) form: ChecksumForm,
    /// The Active_Down_Interval that it set the timer to, in microseconds: less than 2^30.
    pub(super) down_interval: u32,
}

#[cfg(feature = "large")]
impl Repeat {
    pub(super) const EMPTY: Self = Self {
        heard: None,
        said: None,
    };

    pub(super) fn heard(&self) -> Option<Heard> {
        self.heard
    }

    pub(super) fn remember_heard(&mut self, heard: Heard) {
        self.heard = Some(heard);
    }

    /// The header of the periodic advertisement, checksum included.
    pub(super) fn said(&self) -> Option<[u8; HEADER_LEN]> {
        self.said
    }

    pub(super) fn remember_said(&mut self, header: Option<[u8; HEADER_LEN]>) {
        self.said = header;
    }

    pub(super) fn invalidate(&mut self) {
        *self = Self::EMPTY;
    }
}

#[cfg(not(feature = "large"))]
impl Repeat {
    pub(super) const EMPTY: Self = Self {};

    pub(super) fn heard(&self) -> Option<Heard> {
        None
    }

    pub(super) fn remember_heard(&mut self, _: Heard) {}

    pub(super) fn said(&self) -> Option<[u8; HEADER_LEN]> {
        None
    }

    pub(super) fn remember_said(&mut self, _: Option<[u8; HEADER_LEN]>) {}

    pub(super) fn invalidate(&mut self) {}
}

/// Whether there is a cache at all.
pub(super) const CACHED: bool = !SMALL;
