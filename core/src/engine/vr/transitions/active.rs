//! Active: the way into it, what it hears, its timers and its announcements (RFC 9568 section 6.4.3).

use core::net::IpAddr;

use crate::engine::vr::announcements::Announcements;
use crate::engine::vr::phase::{Active, After, Leaving, Phase, Then};
use crate::engine::vr::{SMALL, VirtualRouter};
use crate::output::Reason;
use crate::status::{ActiveRouter, InterfaceState};
use crate::time::{Duration, Instant};
use crate::types::{AdvertInterval, MacMode, Version};

/// Advertisements that are due within a hundredth of their interval leave together: one wake-up and
/// one batch for many virtual routers. In microseconds for each centisecond.
const EARLY_PART_OF_CENTI: u64 = 100;
/// But never earlier than this.
const EARLY_MOST: Duration = Duration::from_millis(10);
/// Losing advertisements are answered at most this many times an interval.
const ANSWERS_PER_INTERVAL: u64 = 8;
/// The least time from one answer to priority 0 to the next (S-16).
const ZERO_ANSWER_PAUSE: Duration = Duration::from_millis(10);
/// With the interface's own MAC, how long the addresses are served on after a better router was
/// heard, unless it is heard again before.
const STAND_DOWN: Duration = Duration::from_millis(20);

/// How much earlier than its time an advertisement may leave to travel with others.
pub(in crate::engine) fn earliness(interval: AdvertInterval) -> Duration {
    let part = u64::from(interval.as_centis()) * EARLY_PART_OF_CENTI;
    Duration::from_micros(part).min(EARLY_MOST)
}

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    //= RFC 9568 section 6.4.2
    // S-4: advertise, announce, set the Adver_Timer.
    pub(super) fn become_active(&mut self, now: Instant, reason: Reason) {
        let announcements = Announcements::after_takeover(now, &self.settings);
        let active = Phase::active(announcements, self.until_offer());
        self.enter(now, active, reason);
        self.auth.release();
        self.admin.resigned = false;
        self.statistics.active_transitions = self.statistics.active_transitions.wrapping_add(1);
        self.advertise_after(now, After::Installation);
        self.announce(now, true);
    }

    /// Owes an advertisement to everyone and sets the Adver_Timer anew (T-5, S-9).
    pub(in crate::engine::vr) fn advertise(&mut self, now: Instant) {
        self.advertise_after(now, After::Nothing);
    }

    /// Owes an advertisement that waits for other work. An earlier one that waits for the installation
    /// waits on in its place.
    pub(in crate::engine::vr) fn advertise_after(&mut self, now: Instant, after: After) {
        let Phase::Active(active) = &mut self.phase else {
            return;
        };
        if !SMALL {
            let waits = self.owed.left > 0 && active.after == After::Installation;
            active.after = if waits { After::Installation } else { after };
        }
        active.advertise_at = now + self.settings.advert_interval.duration();
        active.note_answer(now);
        self.owe(now, false);
    }

    /// The number of messages that make an advertisement.
    pub(in crate::engine::vr) fn versions(&self) -> u16 {
        match self.settings.version {
            Version::V2 | Version::V3 => 1,
            //
            Version::Both => 2,
        }
    }

    pub(super) fn owe(&mut self, now: Instant, priority_zero: bool) {
        let versions = self.versions();
        self.auth.take_numbers(now, versions);
        self.owed.left = versions * self.entries.peer_count().max(1);
        self.owed.priority_zero = priority_zero;
    }

    //= RFC 9568 section 6.4.3
    pub(super) fn hear_as_active(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        heard: &ActiveRouter,
    ) {
        if heard.priority == 0 {
            // S-10, S-16
            self.answer_soon(now, ZERO_ANSWER_PAUSE);
        } else if let Some(reason) = self.loses_to(iface, heard) {
            self.yield_to(now, heard, reason);
        } else {
            self.answer_loser(now);
        }
    }

    /// Returns why it loses against another router, if it does (S-11, S-15). Two owners are compared
    /// like others.
    pub(super) fn loses_to(&self, iface: &InterfaceState, heard: &ActiveRouter) -> Option<Reason> {
        let local = self.priority().get();
        let address_wins = self
            .source(iface)
            .is_some_and(|own| is_above(heard.address, own));
        match heard.priority {
            higher if higher > local => Some(Reason::HigherPriority),
            equal if equal == local && address_wins => Some(Reason::HigherAddress),
            _ => None,
        }
    }

    /// Advertises, or soon if the last answer is less than `pause` ago. Returns when.
    fn answer_soon(&mut self, now: Instant, pause: Duration) -> Instant {
        let Phase::Active(active) = &mut self.phase else {
            return now;
        };
        let at = active.ask_for_answer(now, pause);
        if at > now {
            active.advertise_at = active.advertise_at.min(at);
        } else {
            self.advertise(now);
        }
        at
    }

    /// S-12: a router that sends a losing advertisement has not heard us, and after a healed partition
    /// neighbours may still think that it serves the addresses. Advertise and announce, both limited
    /// in rate: an answer that comes too soon after another one is given later, for a Backup that heard
    /// the loser may count its interval until then.
    fn answer_loser(&mut self, now: Instant) {
        self.statistics.losing_adverts = self.statistics.losing_adverts.wrapping_add(1);
        let interval = self.settings.advert_interval.duration().as_micros();
        let at = self.answer_soon(now, Duration::from_micros(interval / ANSWERS_PER_INTERVAL));
        if at <= now {
            self.announce(now, false);
        } else if let Phase::Active(active) = &mut self.phase {
            active.announcements.hasten(at);
        }
    }

    /// Becomes Backup of a better router.
    ///
    /// With a virtual MAC its advertisement has already moved the traffic. With the interface's own
    /// MAC neighbours still send to us until the better router announces itself, and after a healed
    /// partition it has no reason to: so it is sent a last advertisement that loses against its own,
    /// which it answers by announcing, and until then the addresses are served on. That last one names
    /// the interval of the better router, which is what other Backups have to count.
    fn yield_to(&mut self, now: Instant, heard: &ActiveRouter, why: Reason) {
        self.heard.set_active(heard);
        self.learn(heard);
        let Phase::Active(Active {
            mut announcements, ..
        }) = self.phase
        else {
            return;
        };
        if self.settings.mac_mode == MacMode::Virtual {
            self.become_backup(now, why);
            return;
        }
        announcements.end();
        self.repeat.invalidate();
        self.phase = Phase::Leaving(Leaving {
            until: now + STAND_DOWN,
            then: Then::Yield,
            why,
            announcements,
        });
        self.owe(now, false);
    }

    /// Whether an advertisement that is scheduled for then may leave now.
    fn is_advert_due(&self, now: Instant, scheduled: Instant) -> bool {
        scheduled <= now || scheduled <= now + earliness(self.settings.advert_interval)
    }

    pub(super) fn handle_active(&mut self, now: Instant) {
        let changes_are_late = self.changes_until() <= now;
        let Phase::Active(active) = &mut self.phase else {
            return;
        };
        if changes_are_late {
            active.after = After::Nothing;
        }
        let scheduled = active.advertise_at;
        let offers = active.until_offer > 0;
        if active.announcements.next_round() <= now {
            self.announce_again(now);
        }
        if self.is_advert_due(now, scheduled) {
            if offers && self.offer_instead(now) {
                return;
            }
            self.handle_adver_timer(now, scheduled);
        }
    }

    /// Counts an advertisement of a router that stands back, and offers the addresses instead when it
    /// is time for that (G-7).
    #[cold]
    fn offer_instead(&mut self, now: Instant) -> bool {
        let Phase::Active(active) = &mut self.phase else {
            return false;
        };
        active.until_offer = active.until_offer.saturating_sub(1);
        if active.until_offer > 0 {
            return false;
        }
        self.hand_over(now, Then::Offer, Reason::StandsBack);
        true
    }

    //= RFC 9568 section 6.4.3
    // S-9: periodic, without drift (T-5).
    fn handle_adver_timer(&mut self, now: Instant, scheduled: Instant) {
        let interval = self.settings.advert_interval.duration();
        let late = now.since(scheduled);
        self.advertise(now);
        if late >= interval {
            // T-7: told to who asks.
            self.statistics.stalls = self.statistics.stalls.wrapping_add(1);
        } else if scheduled < now
            && let Phase::Active(active) = &mut self.phase
        {
            active.advertise_at = scheduled + interval;
        }
    }

    /// Begins a round of announcements. One that `must` be made is made; another one waits until
    /// the bucket has a token.
    pub(in crate::engine::vr) fn announce(&mut self, now: Instant, must: bool) {
        let (Phase::Active(Active { announcements, .. })
        | Phase::Leaving(Leaving { announcements, .. })) = &mut self.phase
        else {
            return;
        };
        match self.bucket.take(now, must) {
            Ok(()) => {
                announcements.begin();
                self.applied.set_differs(true);
            }
            Err(at) => announcements.hasten(at),
        }
    }

    /// Begins the round that was scheduled, and schedules the next one.
    fn announce_again(&mut self, now: Instant) {
        let Phase::Active(active) = &mut self.phase else {
            return;
        };
        let announcements = &mut active.announcements;
        announcements.clear();
        match self.bucket.take(now, false) {
            Ok(()) => {
                announcements.begin();
                announcements.follow(now, self.since, &self.settings);
                self.applied.set_differs(true);
            }
            Err(at) => announcements.hasten(at),
        }
    }
}

/// Whether an address is the higher of two (S-15). One of another family is not.
fn is_above(address: IpAddr, than: IpAddr) -> bool {
    match (address, than) {
        (IpAddr::V4(address), IpAddr::V4(than)) => address.to_bits() > than.to_bits(),
        (IpAddr::V6(address), IpAddr::V6(than)) => address.octets() > than.octets(),
        _ => false,
    }
}
