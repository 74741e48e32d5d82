//! The neighbour probe of a Backup, which tells a dead Active router from one that is not heard (G-8).
//!
//! A small build has none, and takes over as if nobody had answered.

use crate::engine::SMALL;
use crate::time::Instant;

/// Whether there are probes at all.
pub(super) const PROBES: bool = !SMALL;

/// The probe that belongs to the present run of Active_Down_Timer.
///
/// One word for stage and time: with another one all phases would be larger, and an advertisement that is
/// sent cost 8 instructions more (`cargo xtask bench`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Probe {
    /// When it is to be sent, or one of the stages after that: they are later than any point in time that
    /// is reached.
    #[cfg(feature = "large")]
    at: Instant,
}

#[cfg(feature = "large")]
impl Probe {
    /// To be emitted.
    const OWED: Self = Self::stage(1);
    /// Emitted, and not answered.
    const SENT: Self = Self::stage(2);
    /// A host answered it: it has the address, though it is not heard.
    const ANSWERED: Self = Self::stage(3);

    const fn stage(number: u64) -> Self {
        let at = Instant::from_micros(Instant::NEVER.as_micros() - number);
        Self { at }
    }

    /// A probe that is to be sent at this time, unless the Active router is heard before.
    pub(super) fn at(at: Instant) -> Self {
        Self { at }
    }

    /// When it is to be sent; later than any point in time that is reached if that is over.
    pub(super) fn due_at(self) -> Instant {
        self.at
    }

    pub(super) fn owe(&mut self) {
        *self = Self::OWED;
    }

    pub(super) fn is_owed(self) -> bool {
        self == Self::OWED
    }

    pub(super) fn note_sent(&mut self) {
        *self = Self::SENT;
    }

    /// Whether it was sent, and nobody has answered.
    pub(super) fn is_unanswered(self) -> bool {
        self == Self::SENT
    }

    pub(super) fn note_answer(&mut self) {
        *self = Self::ANSWERED;
    }

    pub(super) fn is_answered(self) -> bool {
        self == Self::ANSWERED
    }
}

#[cfg(not(feature = "large"))]
impl Probe {
    pub(super) fn at(_: Instant) -> Self {
        Self {}
    }

    pub(super) fn due_at(self) -> Instant {
        Instant::NEVER
    }

    pub(super) fn owe(&mut self) {}

    pub(super) fn is_owed(self) -> bool {
        false
    }

    pub(super) fn note_sent(&mut self) {}

    pub(super) fn is_unanswered(self) -> bool {
        true
    }

    pub(super) fn note_answer(&mut self) {}

    pub(super) fn is_answered(self) -> bool {
        false
    }
}
