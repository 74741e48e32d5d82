//! The neighbour probe of a Backup, which tells a dead Active router from one that is not heard (G-8).
//!
//! A small build has none, and takes over as if nobody had answered.

use crate::engine::SMALL;
use crate::time::Instant;

/// Whether there are probes at all.
pub(super) const PROBES: bool = !SMALL;

/// The probe that belongs to the present run of Active_Down_Timer.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    #[cfg(feature = "large")]
    stage: Stage,
}

#[cfg(feature = "large")]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// To be sent at this time, unless the Active router is heard before.
    Planned(Instant),
    /// To be emitted.
    Owed,
    /// Emitted, and not answered.
    Sent,
    /// A host answered it: it has the address, though it is not heard.
    Answered,
}

#[cfg(feature = "large")]
impl Probe {
    /// A probe that is to be sent at this time.
    pub(super) fn at(time: Instant) -> Self {
        let stage = Stage::Planned(time);
        Self { stage }
    }

    /// When it is to be sent; [`Instant::NEVER`] if that is over.
    pub(super) fn due_at(self) -> Instant {
        match self.stage {
            Stage::Planned(at) => at,
            Stage::Owed | Stage::Sent | Stage::Answered => Instant::NEVER,
        }
    }

    pub(super) fn owe(&mut self) {
        self.stage = Stage::Owed;
    }

    pub(super) fn is_owed(self) -> bool {
        self.stage == Stage::Owed
    }

    pub(super) fn note_sent(&mut self) {
        self.stage = Stage::Sent;
    }

    /// Whether it was sent, and nobody has answered.
    pub(super) fn is_unanswered(self) -> bool {
        self.stage == Stage::Sent
    }

    pub(super) fn note_answer(&mut self) {
        self.stage = Stage::Answered;
    }

    pub(super) fn is_answered(self) -> bool {
        self.stage == Stage::Answered
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
