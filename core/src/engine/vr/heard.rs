//! The Active router as it was heard last.

use crate::status::ActiveRouter;
use crate::time::{Duration, Instant};
use crate::types::{AdvertInterval, ChecksumMode, MacAddr};

/// What other routers' advertisements have told.
#[derive(Clone, Copy)]
pub(super) struct Heard {
    active: Option<ActiveRouter>,
    /// The interval of the Active router, or ours until one is learned (T-2, T-3).
    interval: AdvertInterval,
    /// The checksum form to send: with the pseudo-header of RFC 5798.
    pseudo_header: bool,
}

impl Heard {
    /// Nothing heard yet.
    pub(super) fn nothing(interval: AdvertInterval, checksum: ChecksumMode) -> Self {
        Self {
            active: None,
            interval,
            pseudo_header: checksum != ChecksumMode::Rfc9568,
        }
    }

    /// The Active router last heard.
    #[inline]
    pub(super) fn active(&self) -> Option<&ActiveRouter> {
        self.active.as_ref()
    }

    pub(super) fn interval(&self) -> AdvertInterval {
        self.interval
    }

    pub(super) fn pseudo_header(&self) -> bool {
        self.pseudo_header
    }

    /// Forgets the Active router and counts this interval.
    pub(super) fn forget(&mut self, interval: AdvertInterval) {
        self.active = None;
        self.interval = interval;
    }

    pub(super) fn set_active(&mut self, active: ActiveRouter) {
        self.active = Some(active);
    }

    /// Notes that the Active router has repeated its advertisement.
    #[inline]
    pub(super) fn repeat(&mut self, now: Instant, mac: Option<MacAddr>) {
        if let Some(active) = &mut self.active {
            active.last_heard = now;
            active.mac = mac;
        }
    }

    pub(super) fn set_interval(&mut self, interval: AdvertInterval) {
        self.interval = interval;
    }

    /// Sets the checksum form that a mode begins with.
    pub(super) fn reset_checksum(&mut self, checksum: ChecksumMode) {
        self.pseudo_header = checksum != ChecksumMode::Rfc9568;
    }

    pub(super) fn set_pseudo_header(&mut self, pseudo_header: bool) {
        self.pseudo_header = pseudo_header;
    }

    /// The end of a span after the last advertisement of the Active router; after `now` if there was
    /// none.
    pub(super) fn after_last(&self, now: Instant, span: Duration) -> Instant {
        self.active.map_or(now, |active| active.last_heard) + span
    }
}
