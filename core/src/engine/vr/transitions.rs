//! The transitions of RFC 9568 section 6.4, with section 6 of RFC 3768 where VRRPv2 differs.
//!
//! Nothing here sends or installs anything: a transition changes the phase, and what follows from that
//! is emitted by `output`.

use core::net::IpAddr;

use super::announcements::Announcements;
use super::heard::Heard;
use super::phase::{Active, After, Initialize, Leaving, Phase, Then};
use super::settings::Micros;
use super::{SMALL, VirtualRouter};
use crate::log::state_changed;
use crate::output::{Reason, State};
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
/// The longest handover, unless the skew of the slowest successor may be longer.
const LONGEST_HANDOVER_CENTIS: u32 = 1_000;

/// How much earlier than its time an advertisement may leave to travel with others.
pub(in crate::engine) fn earliness(interval: AdvertInterval) -> Duration {
    let part = u64::from(interval.as_centis()) * EARLY_PART_OF_CENTI;
    Duration::from_micros(part).min(EARLY_MOST)
}

/// Into Initialize and out of it.
impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Compares what is needed to take part with what is there, and starts, stops or goes on.
    pub(super) fn evaluate(&mut self, now: Instant, iface: &InterfaceState) {
        let can_speak = iface.up && self.source(iface).is_some();
        if !can_speak {
            // An advertisement that cannot be sent is not owed any longer.
            self.owed.left = 0;
        }
        match (self.phase, self.hold(iface)) {
            (Phase::Initialize(initialize), None) => {
                if !initialize.is_backing_off(now) {
                    self.start(now);
                }
            }
            (Phase::Initialize(_), Some(hold)) => {
                // When this hold ends, effects that have failed are tried at once.
                self.phase = Phase::INITIALIZE;
                self.reason = hold;
            }
            (Phase::Active(_) | Phase::Leaving(_), Some(hold)) if can_speak => {
                self.hand_over(now, Then::Initialize, hold);
            }
            // S-3: a Backup leaves without a word.
            (Phase::Backup(_) | Phase::Active(_) | Phase::Leaving(_), Some(hold)) => {
                self.enter(now, Phase::INITIALIZE, hold);
            }
            (Phase::Leaving(leaving), None) if leaving.then == Then::Initialize => {
                self.stay_active(now, leaving.announcements);
            }
            (Phase::Backup(_) | Phase::Active(_) | Phase::Leaving(_), None) => {}
        }
    }

    /// Returns what holds the virtual router in Initialize, if anything does (S-14).
    fn hold(&self, iface: &InterfaceState) -> Option<Reason> {
        if !self.admin.enabled {
            Some(Reason::Disabled)
        } else if !iface.up {
            Some(Reason::InterfaceDown)
        } else if self.source(iface).is_none() {
            Some(Reason::NoPrimaryAddress)
        } else if self.tracking.has_fault() {
            Some(Reason::TrackedFault)
        } else {
            None
        }
    }

    fn enter(&mut self, now: Instant, phase: Phase, reason: Reason) {
        state_changed(self.key, self.phase.state(), phase.state(), reason);
        self.phase = phase;
        self.reason = reason;
        self.since = now;
        self.applied.set_differs(true);
        self.repeat.invalidate();
        if !self.serves() && !self.owed.priority_zero {
            // A router that is not Active says nothing but that it stops.
            self.owed.left = 0;
        }
    }

    //= RFC 9568 section 6.4.1
    fn start(&mut self, now: Instant) {
        // T-2: until the Active router is heard, its interval is taken to be ours.
        self.heard = Heard::NOTHING;
        self.learned.set_interval(self.settings.advert_interval);
        if self.is_owner() && self.settings.start_delay == Micros::ZERO {
            // S-1
            self.become_active(now, Reason::Owner);
        } else {
            // S-2
            let backup = Phase::backup(Instant::NEVER, Instant::NEVER);
            self.enter(now, backup, Reason::Started);
            self.reset_delays(now, Micros::ZERO);
        }
    }

    /// An effect failed or was undone. It is asked for again at once; when that keeps failing the
    /// virtual router says that it stops, and waits (S-14).
    pub(super) fn effect_failed(&mut self, now: Instant) {
        self.applied.add_failure(now);
        self.statistics.effect_failures = self.statistics.effect_failures.wrapping_add(1);
        if !self.serves() {
            return;
        }
        // Somebody may have flushed everything at once; that is one event, not many failures.
        let patience = 2 * (self.entries.addresses().len() + 1);
        match self.applied.give_up_after(patience) {
            None => self.announce(now, false),
            Some(wait) => {
                self.owe(true);
                let retry_at = now + wait;
                let phase = Phase::Initialize(Initialize { retry_at });
                self.enter(now, phase, Reason::EffectFailed);
            }
        }
    }
}

/// Backup.
impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Whether it takes over from anybody, as the owner of the addresses.
    fn is_owner(&self) -> bool {
        self.priority().is_owner() && !self.admin.resigned
    }

    /// How long an Active router of lower priority is left alone. An owner does not wait (S-13).
    pub(super) fn preempt_delay(&self) -> Micros {
        if self.priority().is_owner() {
            Micros::ZERO
        } else {
            self.settings.preempt_delay
        }
    }

    /// Sets the deadlines of a Backup by its settings, which may have changed (T-9). The start delay
    /// and the preempt delay count from where they began; `preempt_delay` is that of before. The down
    /// timer ends no later than after a start at this moment.
    pub(super) fn reset_delays(&mut self, now: Instant, preempt_delay: Micros) {
        let wait = match self.heard.active() {
            None if self.is_owner() => Duration::ZERO,
            _ => self.down_interval(),
        };
        let new_delay = self.preempt_delay().duration();
        let Phase::Backup(backup) = &mut self.phase else {
            return;
        };
        if backup.listen_until > now {
            backup.listen_until = self.since + self.settings.start_delay.duration();
        }
        if backup.preempt_at != Instant::NEVER {
            let heard = (backup.preempt_at - preempt_delay.duration()).min(now);
            backup.preempt_at = (backup.listen_until.max(heard) + new_delay).max(now);
        }
        let from = backup.listen_until.max(now);
        backup.down_at = backup.down_at.min(from + wait).max(backup.listen_until);
    }

    /// Sets Active_Down_Timer after an advertisement of the Active router.
    #[inline]
    pub(super) fn set_down_timer(&mut self, now: Instant, down_interval: Duration) {
        if let Phase::Backup(backup) = &mut self.phase {
            backup.stalled = false;
            backup.down_at = backup.listen_until.max(now + down_interval);
        }
    }

    /// Leaves Active for a better router, whose advertisement has just been noted.
    fn become_backup(&mut self, now: Instant, reason: Reason) {
        // T-8: a host that slept since then hears a healthy Active router within another interval.
        let awake = now + self.learned.interval().duration() + self.skew();
        let down_at = awake.max(self.heard.after_last(now, self.down_interval()));
        self.enter(now, Phase::backup(down_at, now), reason);
    }

    //= RFC 9568 section 6.4.2
    fn hear_as_backup(&mut self, now: Instant, heard: &ActiveRouter) -> bool {
        self.heard.set_active(heard);
        // S-5, T-4: the skew of the interval learned before.
        let skew = self.skew();
        let (preempts, delay) = (self.preempts(heard), self.preempt_delay());
        let Phase::Backup(backup) = &mut self.phase else {
            return false;
        };
        if heard.priority == 0 {
            backup.preempt_at = Instant::NEVER;
            backup.down_at = backup.listen_until.max(now + skew);
            return false;
        }
        if !preempts {
            backup.preempt_at = Instant::NEVER;
        } else if delay == Micros::ZERO {
            // S-7: the down timer runs on.
            return false;
        } else if backup.preempt_at == Instant::NEVER {
            backup.preempt_at = backup.listen_until.max(now) + delay.duration();
        }
        // S-6
        self.learn(heard);
        self.set_down_timer(now, self.down_interval());
        true
    }

    /// Whether a Backup takes over from this router while it is well (S-6, S-7).
    fn preempts(&self, active: &ActiveRouter) -> bool {
        let local = self.priority();
        // S-13: an owner preempts whatever Preempt_Mode says, but not what it was told to leave.
        let may = !self.admin.resigned && (self.settings.preempt || local.is_owner());
        may && active.priority < local.get()
    }

    fn handle_backup(&mut self, now: Instant) {
        let Phase::Backup(backup) = &mut self.phase else {
            return;
        };
        let down_at = backup.down_at;
        if backup.preempt_at <= now {
            backup.preempt_at = Instant::NEVER;
            // Asked anew: priority or Preempt_Mode may have changed since the delay began.
            if self
                .heard
                .active()
                .is_some_and(|active| self.preempts(active))
            {
                self.become_active(now, Reason::Preempted);
                return;
            }
        }
        if down_at <= now {
            self.handle_down_timer(now);
        }
    }

    fn handle_down_timer(&mut self, now: Instant) {
        let interval = self.learned.interval().duration();
        let skew = self.skew();
        if let Phase::Backup(backup) = &mut self.phase
            && now.since(backup.down_at) > interval
            && !backup.stalled
        {
            // T-8: so late that this host must have slept, and what was sent meanwhile may be lost.
            // A healthy Active router will be heard within another interval.
            self.statistics.stalls = self.statistics.stalls.wrapping_add(1);
            backup.stalled = true;
            backup.down_at = now + interval + skew;
            return;
        }
        let reason = match self.heard.active() {
            None if self.priority().is_owner() => Reason::Owner,
            Some(a) if a.priority == 0 => Reason::ActiveStopped,
            Some(a) if now < a.last_heard + self.down_interval() => Reason::Preempted,
            _ => Reason::ActiveTimeout,
        };
        // S-4
        self.become_active(now, reason);
    }
}

/// Active.
impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    //= RFC 9568 section 6.4.2
    // S-4: advertise, announce, set the Adver_Timer.
    fn become_active(&mut self, now: Instant, reason: Reason) {
        let announcements = Announcements::after_takeover(now, &self.settings);
        self.enter(now, Phase::active(announcements), reason);
        self.admin.resigned = false;
        self.statistics.active_transitions = self.statistics.active_transitions.wrapping_add(1);
        self.advertise_after(now, After::Installation);
        self.announce(now, true);
    }

    /// Owes an advertisement to everyone and sets the Adver_Timer anew (T-5, S-9).
    #[inline]
    pub(super) fn advertise(&mut self, now: Instant) {
        self.advertise_after(now, After::Nothing);
    }

    /// Owes an advertisement that waits for other work. An earlier one that waits for the installation
    /// waits on in its place.
    #[inline]
    pub(super) fn advertise_after(&mut self, now: Instant, after: After) {
        let Phase::Active(active) = &mut self.phase else {
            return;
        };
        if !SMALL {
            let waits = self.owed.left > 0 && active.after == After::Installation;
            active.after = if waits { After::Installation } else { after };
        }
        active.advertise_at = now + self.settings.advert_interval.duration();
        active.note_answer(now);
        self.owe(false);
    }

    #[inline]
    fn owe(&mut self, priority_zero: bool) {
        let versions = match self.settings.version {
            Version::V2 | Version::V3 => 1,
            //
            Version::Both => 2,
        };
        self.owed.left = versions * self.entries.peer_count().max(1);
        self.owed.priority_zero = priority_zero;
    }

    //= RFC 9568 section 6.4.3
    fn hear_as_active(&mut self, now: Instant, iface: &InterfaceState, heard: &ActiveRouter) {
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
    fn loses_to(&self, iface: &InterfaceState, heard: &ActiveRouter) -> Option<Reason> {
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
        self.owe(false);
    }

    /// Whether an advertisement that is scheduled for then may leave now.
    #[inline]
    fn is_advert_due(&self, now: Instant, scheduled: Instant) -> bool {
        scheduled <= now || scheduled <= now + earliness(self.settings.advert_interval)
    }

    #[inline]
    fn handle_active(&mut self, now: Instant) {
        let changes_are_late = self.changes_until() <= now;
        let Phase::Active(active) = &mut self.phase else {
            return;
        };
        if changes_are_late {
            active.after = After::Nothing;
        }
        let scheduled = active.advertise_at;
        if active.announcements.next_round() <= now {
            self.announce_again(now);
        }
        if self.is_advert_due(now, scheduled) {
            self.handle_adver_timer(now, scheduled);
        }
    }

    //= RFC 9568 section 6.4.3
    // S-9: periodic, without drift (T-5).
    #[inline]
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
    pub(super) fn announce(&mut self, now: Instant, must: bool) {
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

/// Leaving.
impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Says that we stop (S-8) and serves on until the successor is heard, so that no packet to the
    /// addresses is lost between the two.
    fn hand_over(&mut self, now: Instant, then: Then, why: Reason) {
        let announcements = match &mut self.phase {
            Phase::Active(active) => active.announcements,
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
        self.phase = Phase::Leaving(Leaving {
            until: now + Duration::from_centis((4 * slowest).min(longest) as u16),
            then,
            why,
            announcements,
        });
        self.owe(true);
    }

    /// Gives up being Active, and does not preempt whoever takes over.
    pub(in crate::engine) fn resign(&mut self, now: Instant) {
        self.admin.resigned = true;
        self.repeat.invalidate();
        match &mut self.phase {
            Phase::Backup(backup) => backup.preempt_at = Instant::NEVER,
            Phase::Active(_) => self.hand_over(now, Then::Resign, Reason::Resigned),
            Phase::Initialize(_) | Phase::Leaving(_) => {}
        }
    }

    /// The interval to advertise: our own, but that of the router to which we yield, as far as it
    /// can be said.
    #[inline]
    pub(super) fn advertised_interval(&self) -> AdvertInterval {
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
    fn stay_active(&mut self, now: Instant, mut announcements: Announcements) {
        announcements.schedule(now, &self.settings);
        self.admin.resigned = false;
        self.phase = Phase::active(announcements);
        self.applied.set_differs(true);
        self.advertise(now);
    }

    fn finish_leaving(&mut self, now: Instant, then: Then, why: Reason) {
        match then {
            Then::Initialize => self.enter(now, Phase::INITIALIZE, why),
            Then::Resign | Then::Yield => self.become_backup(now, why),
        }
    }

    /// A router that has said that it stops leaves for any successor. One that yields does so for a
    /// better router only, and takes it back when that one stops.
    fn hear_while_leaving(
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

    fn handle_leaving(&mut self, now: Instant, leaving: Leaving) {
        match leaving.then {
            // No successor was heard, and we were asked for no more than to let one take over.
            Then::Resign => self.stay_active(now, leaving.announcements),
            Then::Initialize | Then::Yield => self.finish_leaving(now, leaving.then, leaving.why),
        }
    }
}

/// Inputs of every phase.
impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Takes in a valid advertisement of another router. Says whether a Backup has set its down
    /// timer by it, as it will by the next that is the same.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        heard: &ActiveRouter,
    ) -> bool {
        match self.phase {
            Phase::Initialize(_) => {}
            Phase::Backup(_) => return self.hear_as_backup(now, heard),
            Phase::Active(_) => self.hear_as_active(now, iface, heard),
            Phase::Leaving(leaving) => self.hear_while_leaving(now, iface, leaving, heard),
        }
        false
    }

    /// T-3, X-3: the interval of the Active router counts, not ours. VRRPv2 has no such rule.
    fn learn(&mut self, heard: &ActiveRouter) {
        if self.settings.version != Version::V2 {
            self.learned.set_interval(heard.interval);
        }
    }

    /// Does what has come due.
    pub(in crate::engine) fn handle_due(&mut self, now: Instant, iface: &InterfaceState) {
        if self.applied.rejoin_at() <= now {
            self.applied.rejoin();
        }
        match self.phase {
            Phase::Initialize(initialize) if initialize.retry_at <= now => {
                self.phase = Phase::INITIALIZE;
                self.evaluate(now, iface);
            }
            Phase::Backup(_) => self.handle_backup(now),
            Phase::Active(_) => self.handle_active(now),
            Phase::Leaving(leaving) if leaving.until <= now => self.handle_leaving(now, leaving),
            Phase::Initialize(_) | Phase::Leaving(_) => {}
        }
    }

    /// Active and not about to leave.
    #[inline]
    pub(super) fn is_in_charge(&self) -> bool {
        matches!(self.phase, Phase::Active(_))
    }

    /// Whether it takes no part.
    pub(super) fn is_idle(&self) -> bool {
        self.phase.state() == State::Initialize
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
