//! The Active router as it was heard last, and what was learned from it.

use crate::status::ActiveRouter;
use crate::time::{Duration, Instant};
use crate::types::{AdvertInterval, ChecksumMode};

/// The Active router last heard.
#[derive(Clone, Copy)]
pub(super) struct Heard(Option<ActiveRouter>);

impl Heard {
    pub(super) const NOTHING: Self = Self(None);

    pub(super) fn active(&self) -> Option<&ActiveRouter> {
        self.0.as_ref()
    }

    pub(super) fn copy_active(&self) -> Option<ActiveRouter> {
        self.0
    }

    pub(super) fn set_active(&mut self, active: &ActiveRouter) {
        self.0 = Some(*active);
    }

    /// Notes that the Active router has repeated its advertisement.
    pub(super) fn repeat(&mut self, now: Instant) {
        if let Some(active) = &mut self.0 {
            active.last_heard = now;
        }
    }

    /// The end of a span after the last advertisement of the Active router; after `now` if there was
    /// none.
    pub(super) fn after_last(&self, now: Instant, span: Duration) -> Instant {
        self.0.map_or(now, |active| active.last_heard) + span
    }
}

/// The facts that outlast the Active router that told them.
#[derive(Clone, Copy)]
pub(super) struct Learned {
    interval: AdvertInterval,
    pseudo_header: bool,
}

impl Learned {
    pub(super) fn nothing(interval: AdvertInterval, checksum: ChecksumMode) -> Self {
        Self {
            interval,
            pseudo_header: checksum != ChecksumMode::Rfc9568,
        }
    }

    /// The interval of the Active router, or ours until one is learned (T-2, T-3).
    pub(super) fn interval(&self) -> AdvertInterval {
        self.interval
    }

    pub(super) fn set_interval(&mut self, interval: AdvertInterval) {
        self.interval = interval;
    }

    /// Whether the checksum to send covers the pseudo-header of RFC 5798.
    pub(super) fn pseudo_header(&self) -> bool {
        self.pseudo_header
    }

    pub(super) fn set_pseudo_header(&mut self, pseudo_header: bool) {
        self.pseudo_header = pseudo_header;
    }

    /// Sets the checksum form that a mode begins with.
    pub(super) fn reset_checksum(&mut self, checksum: ChecksumMode) {
        self.pseudo_header = checksum != ChecksumMode::Rfc9568;
    }
}
