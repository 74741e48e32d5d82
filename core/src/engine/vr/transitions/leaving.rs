//! Leaving: the way into it, and how it ends (RFC 9568 section 6.4.3, Shutdown).

use crate::engine::vr::VirtualRouter;
use crate::engine::vr::announcements::Announcements;
use crate::engine::vr::phase::{Leaving, Phase, Then};
use crate::output::Reason;
use crate::status::{ActiveRouter, InterfaceState};
use crate::time::{Duration, Instant};
use crate::types::{AdvertInterval, Version};

/// The longest handover, unless the skew of the slowest successor may be longer.
const LONGEST_HANDOVER_CENTIS: u32 = 1_000;
/// The time from one offer of a router that stands back to the next.
const OFFER_PAUSE_CENTIS: u16 = 500;
/// And the advertisements that are sent meanwhile at least.
const LEAST_ADVERTS_BETWEEN_OFFERS: u16 = 10;

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Says that we stop (S-8) and serves on until the successor is heard, so that no packet to the
    /// addresses is lost between the two.
    pub(super) fn hand_over(&mut self, now: Instant, then: Then, why: Reason) {
        let announcements = match &mut self.phase {
            Phase::Active(active) => active.announcements,
            Phase::Leaving(offer) if offer.then == Then::Offer => offer.announcements,
            Phase::Leaving(leaving) => {
                if leaving.then != Then::Initialize {
                    leaving.then = then;
                    leaving.why = why;
                }
                return;
            }
            Phase::Initialize(_) | Phase::Backup(_) => return,
        };
        // A successor that ignores priority 0, as FreeBSD's carp(4) with preempt=0, takes over after the
        // Active_Down_Interval: less than four intervals, which VRRPv2 counts in whole seconds.
        let interval = self.settings.advert_interval;
        let centis = u32::from(interval.as_centis());
        let slowest = match self.settings.version {
            Version::V2 | Version::Both => u32::from(interval.as_secs_rounded_up()) * 100,
            Version::V3 => centis,
        };
        // The skew of one that heeds it is less than an interval, however long that is.
        let longest = LONGEST_HANDOVER_CENTIS.max(centis + centis / 2);
        let time = match then {
            // G-7: less than the patience of a Backup that stands back.
            Then::Offer => 2 * centis,
            _ => (4 * slowest).min(longest),
        };
        self.phase = Phase::Leaving(Leaving {
            until: now + Duration::from_centis(time as u16),
            then,
            why,
            announcements,
        });
        self.owe(now, true);
    }

    /// Gives up being Active, and does not preempt whoever takes over.
    pub(in crate::engine) fn resign(&mut self, now: Instant) {
        self.admin.resigned = true;
        self.repeat.invalidate();
        match &mut self.phase {
            Phase::Backup(backup) => backup.preempt_at = Instant::NEVER,
            Phase::Active(_) => self.hand_over(now, Then::Resign, Reason::Resigned),
            Phase::Leaving(leaving) if leaving.then == Then::Offer => {
                self.hand_over(now, Then::Resign, Reason::Resigned);
            }
            Phase::Initialize(_) | Phase::Leaving(_) => {}
        }
    }

    /// Offers the addresses when it begins to stand back, and takes the offer back when it ceases to
    /// (G-7).
    pub(super) fn follow_standing_back(&mut self, now: Instant) {
        let stands_back = self.stands_back();
        match &mut self.phase {
            Phase::Active(active) if stands_back && active.until_offer == 0 => {
                self.hand_over(now, Then::Offer, Reason::StandsBack);
            }
            Phase::Active(active) if !stands_back => active.until_offer = 0,
            Phase::Leaving(leaving) if leaving.then == Then::Offer && !stands_back => {
                let announcements = leaving.announcements;
                self.stay_active(now, announcements);
            }
            _ => {}
        }
    }

    /// The advertisements from one offer to the next.
    #[cfg_attr(not(feature = "large"), inline(never))]
    pub(super) fn until_offer(&self) -> u16 {
        if !self.stands_back() {
            return 0;
        }
        let centis = self.settings.advert_interval.as_centis().max(1);
        (OFFER_PAUSE_CENTIS / centis).max(LEAST_ADVERTS_BETWEEN_OFFERS)
    }

    /// The interval to advertise: our own, but that of the router to which we yield, as far as it
    /// can be said.
    pub(in crate::engine::vr) fn advertised_interval(&self) -> AdvertInterval {
        match self.phase {
            Phase::Leaving(Leaving {
                then: Then::Yield, ..
            }) => {
                let centis = self.learned.interval().as_centis().min(4095);
                AdvertInterval::from_centis(centis).unwrap_or(self.settings.advert_interval)
            }
            _ => self.settings.advert_interval,
        }
    }

    /// Takes leaving back: it was reconsidered, or nobody came.
    pub(super) fn stay_active(&mut self, now: Instant, mut announcements: Announcements) {
        announcements.schedule(now, &self.settings);
        self.admin.resigned = false;
        self.phase = Phase::active(announcements, self.until_offer());
        self.applied.set_differs(true);
        self.advertise(now);
    }

    fn finish_leaving(&mut self, now: Instant, then: Then, why: Reason) {
        match then {
            Then::Initialize => self.enter(now, Phase::INITIALIZE, why),
            Then::Resign | Then::Offer | Then::Yield => self.become_backup(now, why),
        }
    }

    /// A router that has said that it stops leaves for any successor. One that yields does so for a
    /// better router only, and takes it back when that one stops.
    pub(super) fn hear_while_leaving(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        leaving: Leaving,
        heard: &ActiveRouter,
    ) {
        if leaving.then == Then::Yield {
            let better = self.heard.active();
            let from_better = better.is_some_and(|a| a.address == heard.address);
            if heard.priority == 0 && from_better {
                self.stay_active(now, leaving.announcements);
            }
            if self.loses_to(iface, heard).is_none() {
                return;
            }
        }
        if heard.priority != 0 {
            self.heard.set_active(heard);
            self.learn(heard);
            self.finish_leaving(now, leaving.then, leaving.why);
        }
    }

    pub(super) fn handle_leaving(&mut self, now: Instant, leaving: Leaving) {
        match leaving.then {
            // No successor was heard, and we were asked for no more than to let one take over.
            Then::Resign | Then::Offer if !self.admin.group.waits() => {
                self.stay_active(now, leaving.announcements);
            }
            _ => self.finish_leaving(now, leaving.then, leaving.why),
        }
    }
}
