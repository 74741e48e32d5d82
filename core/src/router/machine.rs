//! The state machine of RFC 9568 section 6.4, with section 6 of RFC 3768 where VRRPv2 differs.
//!
//! Nothing here sends or installs anything: a transition changes fields, and what follows from the
//! fields is emitted by `output`.

use core::net::IpAddr;

use super::SMALL;
use super::vr::{After, Announcing, Handover, Micros, Owed, Tracked, VirtualRouter};
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
/// With the interface's own MAC, how long the addresses are served on after a better router was
/// heard, unless it is heard again before.
const STAND_DOWN: Duration = Duration::from_millis(20);
/// How long after a takeover the addresses are announced once more: the kernel of the old Active router
/// may have answered the first announcement from the same virtual MAC, from which a switch has learned
/// its port again.
const ANNOUNCED_TWICE_AFTER: Duration = Duration::from_millis(100);
/// The longest handover, unless the skew of the slowest successor may be longer.
const LONGEST_HANDOVER_CENTIS: u32 = 1_000;
/// The longest wait before a failed effect is tried again is 2^6 seconds.
const MAX_BACKOFF: u8 = 6;
const FAILURE_WINDOW: Duration = Duration::from_secs(1);
/// After so long without a failure the wait begins with one second again.
const FAILURES_FORGOTTEN: Duration = Duration::from_secs(300);

/// How much earlier than its time an advertisement may leave to travel with others.
pub(super) fn earliness(interval: AdvertInterval) -> Duration {
    let part = u64::from(interval.as_centis()) * EARLY_PART_OF_CENTI;
    Duration::from_micros(part).min(EARLY_MOST)
}

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Compares what is needed to take part with what is there, and starts, stops or goes on.
    pub(super) fn evaluate(&mut self, now: Instant, iface: &InterfaceState) {
        match (self.state, self.hold(now, iface)) {
            (State::Initialize, None) => self.start(now),
            (State::Initialize, Some(reason)) => self.reason = reason,
            // S-3: a Backup leaves without a word.
            (State::Backup, Some(reason)) => self.initialize(now, reason),
            (State::Active, Some(reason @ (Reason::Disabled | Reason::TrackedFault)))
                if iface.up && self.source(iface).is_some() =>
            {
                self.hand_over(now, State::Initialize, reason);
            }
            // Without an interface or a source nothing can be said any more.
            (State::Active, Some(reason)) => {
                self.owed.left = 0;
                self.initialize(now, reason);
            }
            (State::Active, None) => {
                if self.handover.is_some_and(|h| h.to == State::Initialize) {
                    self.stay_active(now);
                }
            }
            (State::Backup, None) => {}
        }
    }

    /// What keeps the virtual router in Initialize (S-14). `None`: nothing.
    fn hold(&self, now: Instant, iface: &InterfaceState) -> Option<Reason> {
        if !self.enabled {
            Some(Reason::Disabled)
        } else if !iface.up {
            Some(Reason::InterfaceDown)
        } else if self.source(iface).is_none() {
            Some(Reason::NoPrimaryAddress)
        } else if self.tracks.iter().any(Tracked::is_fault) {
            Some(Reason::TrackedFault)
        } else if self.state == State::Initialize
            && self.reason == Reason::EffectFailed
            && now < self.timer
        {
            Some(Reason::EffectFailed)
        } else {
            None
        }
    }

    fn enter(&mut self, now: Instant, state: State, reason: Reason) {
        state_changed(self.key, self.state, state, reason);
        self.state = state;
        self.reason = reason;
        self.since = now;
        self.dirty = true;
        self.forget();
        self.handover = None;
        self.stalled = false;
        self.second_timer = Instant::NEVER;
        self.quiet_until = now;
        if state != State::Active {
            self.announcing.next = u16::MAX;
            // Who is not Active says nothing but that it stops.
            if !self.owed.priority_zero {
                self.owed.left = 0;
            }
        }
    }

    //= RFC 9568 section 6.4.1
    fn start(&mut self, now: Instant) {
        self.active = None;
        // T-2: until the Active router is heard, its interval is taken to be ours.
        self.active_interval = self.settings.advert_interval;
        if self.is_owner() && self.settings.start_delay == Micros::ZERO {
            // S-1
            self.become_active(now, Reason::Owner);
        } else {
            // S-2
            self.enter(now, State::Backup, Reason::Started);
            self.quiet_until = Instant::NEVER;
            self.timer = Instant::NEVER;
            self.reset_delays(now, Micros::ZERO);
        }
    }

    /// Whether it takes over from anybody, as the owner of the addresses.
    fn is_owner(&self) -> bool {
        self.priority().is_owner() && !self.resigned
    }

    /// How long an Active router of lower priority is left alone. An owner does not wait (S-13).
    pub(super) fn preempt_delay(&self) -> Micros {
        match self.priority().is_owner() {
            true => Micros::ZERO,
            false => self.settings.preempt_delay,
        }
    }

    /// Sets the deadlines of a Backup by its settings, which may have changed (T-9). The start delay
    /// and the preempt delay count from where they began; `preempt_delay` is that of before. The down
    /// timer ends no later than after a start at this moment.
    pub(super) fn reset_delays(&mut self, now: Instant, preempt_delay: Micros) {
        if self.quiet_until > now {
            self.quiet_until = self.since + self.settings.start_delay.duration();
        }
        let from = self.quiet_until.max(now);
        if self.second_timer != Instant::NEVER {
            let heard = (self.second_timer - preempt_delay.duration()).min(now);
            let end = self.quiet_until.max(heard) + self.preempt_delay().duration();
            self.second_timer = end.max(now);
        }
        let wait = match self.active {
            None if self.is_owner() => Duration::ZERO,
            _ => self.down_interval(),
        };
        self.timer = self.timer.min(from + wait).max(self.quiet_until);
    }

    fn initialize(&mut self, now: Instant, reason: Reason) {
        self.enter(now, State::Initialize, reason);
        self.timer = Instant::NEVER;
    }

    /// Leaves Active for a better router, whose advertisement has just been noted.
    fn become_backup(&mut self, now: Instant, reason: Reason) {
        self.enter(now, State::Backup, reason);
        let heard = self.active.map_or(now, |a| a.last_heard);
        // T-8: a host that slept since then hears a healthy Active router within another interval.
        let awake = now + self.active_interval.duration() + self.skew();
        self.timer = awake.max(heard + self.down_interval());
    }

    //= RFC 9568 section 6.4.2
    // S-4: advertise, announce, set the Adver_Timer.
    fn become_active(&mut self, now: Instant, reason: Reason) {
        self.enter(now, State::Active, reason);
        self.resigned = false;
        self.answer_is_due = false;
        self.statistics.active_transitions = self.statistics.active_transitions.wrapping_add(1);
        self.advertise(now);
        if !SMALL {
            self.owed.after = After::Installation;
        }
        self.announcing.repeats_left = self.settings.repeats;
        self.announce(now, true);
        self.schedule_announcement(now);
        if self.announcing.repeats_left > 0 {
            self.second_timer = self.second_timer.min(now + ANNOUNCED_TWICE_AFTER);
        }
    }

    /// Owes an advertisement to everyone and sets the Adver_Timer anew (T-5, S-9).
    #[inline]
    pub(super) fn advertise(&mut self, now: Instant) {
        self.owe(false);
        let interval = self.settings.advert_interval.duration();
        self.timer = now + interval;
        if self.answer_is_due {
            self.answer_is_due = false;
            let rest = Duration::from_micros(interval.as_micros() / ANSWERS_PER_INTERVAL);
            self.quiet_until = now + rest;
        }
    }

    #[inline]
    fn owe(&mut self, priority_zero: bool) {
        let versions = match self.settings.version {
            Version::V2 | Version::V3 => 1,
            //
            Version::Both => 2,
        };
        self.owed = Owed {
            left: versions * self.peer_count().max(1),
            priority_zero,
            after: match self.owed.after {
                _ if SMALL => After::Nothing,
                After::Installation if self.owed.left > 0 && !priority_zero => After::Installation,
                _ => After::Nothing,
            },
        };
    }

    /// Says that we stop (S-8) and serves on until the successor is heard, so that no packet to the
    /// addresses is lost between the two.
    pub(super) fn hand_over(&mut self, now: Instant, to: State, reason: Reason) {
        match &mut self.handover {
            Some(handover) => {
                if handover.to != State::Initialize {
                    *handover = Handover { to, reason };
                }
                return;
            }
            None => self.handover = Some(Handover { to, reason }),
        }
        self.owe(true);
        self.second_timer = Instant::NEVER;
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
        self.timer = now + Duration::from_centis((4 * slowest).min(longest) as u16);
    }

    /// The interval to advertise: our own, but that of the router to which we yield, as far as it
    /// can be said.
    #[inline]
    pub(super) fn advertised_interval(&self) -> AdvertInterval {
        match self.handover {
            Some(handover) if handover.is_yielding() => {
                let centis = self.active_interval.as_centis().min(4095);
                AdvertInterval::from_centis(centis).unwrap_or(self.settings.advert_interval)
            }
            _ => self.settings.advert_interval,
        }
    }

    /// Takes back a handover: it was reconsidered, or nobody came.
    fn stay_active(&mut self, now: Instant) {
        self.handover = None;
        self.resigned = false;
        self.advertise(now);
        self.schedule_announcement(now);
    }

    fn finish_handover(&mut self, now: Instant) {
        if let Some(handover) = self.handover {
            match handover.to {
                State::Initialize => self.initialize(now, handover.reason),
                _ => self.become_backup(now, handover.reason),
            }
        }
    }

    /// Takes in a valid advertisement of another router. Says whether a Backup has set its down
    /// timer by it, as it will by the next that is the same.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        heard: ActiveRouter,
    ) -> bool {
        match (self.state, self.handover) {
            (State::Initialize, _) => {}
            (State::Backup, _) => return self.hear_as_backup(now, heard),
            (State::Active, None) => self.hear_as_active(now, iface, heard),
            (State::Active, Some(handover)) => self.hear_while_leaving(now, iface, handover, heard),
        }
        false
    }

    /// T-3, X-3: the interval of the Active router counts, not ours. VRRPv2 has no such rule.
    fn learn(&mut self, heard: &ActiveRouter) {
        if self.settings.version != Version::V2 {
            self.active_interval = heard.interval;
        }
    }

    //= RFC 9568 section 6.4.2
    fn hear_as_backup(&mut self, now: Instant, heard: ActiveRouter) -> bool {
        self.active = Some(heard);
        if heard.priority == 0 {
            // S-5, T-4: the skew of the interval learned before.
            self.second_timer = Instant::NEVER;
            self.timer = self.quiet_until.max(now + self.skew());
            return false;
        }
        if !self.preempts(&heard) {
            self.second_timer = Instant::NEVER;
        } else if self.discards(&heard) {
            // S-7: the down timer runs on.
            return false;
        } else if self.second_timer == Instant::NEVER {
            self.second_timer = now;
            self.reset_delays(now, Micros::ZERO);
        }
        // S-6
        self.learn(&heard);
        self.set_down_timer(now, self.down_interval());
        true
    }

    /// Whether a Backup takes over from this router while it is well (S-6, S-7).
    fn preempts(&self, active: &ActiveRouter) -> bool {
        let local = self.priority();
        // S-13: an owner preempts whatever Preempt_Mode says, but not what it was told to leave.
        let may = !self.resigned && (self.settings.preempt || local.is_owner());
        may && active.priority < local.get()
    }

    /// Whether it takes over from this router with no delay but the down timer (S-7).
    fn discards(&self, active: &ActiveRouter) -> bool {
        self.preempts(active) && self.preempt_delay() == Micros::ZERO
    }

    #[inline]
    pub(super) fn set_down_timer(&mut self, now: Instant, down_interval: Duration) {
        self.stalled = false;
        self.timer = self.quiet_until.max(now + down_interval);
    }

    //= RFC 9568 section 6.4.3
    fn hear_as_active(&mut self, now: Instant, iface: &InterfaceState, heard: ActiveRouter) {
        if heard.priority == 0 {
            // S-10
            self.advertise(now);
        } else if let Some(reason) = self.loses_to(iface, &heard) {
            self.yield_to(now, heard, reason);
        } else {
            self.answer_loser(now);
        }
    }

    /// S-11, S-15: also between two owners. `None`: it does not.
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

    /// Who has said that it stops leaves for any successor. Who yields does so for a better router
    /// only, and takes it back when that one stops.
    fn hear_while_leaving(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        handover: Handover,
        heard: ActiveRouter,
    ) {
        if handover.is_yielding() {
            let from_better = self.active.is_some_and(|a| a.address == heard.address);
            if heard.priority == 0 && from_better {
                self.stay_active(now);
            }
            if self.loses_to(iface, &heard).is_none() {
                return;
            }
        }
        if heard.priority != 0 {
            self.active = Some(heard);
            self.learn(&heard);
            self.finish_handover(now);
        }
    }

    /// Becomes Backup of a better router.
    ///
    /// With a virtual MAC its advertisement has already moved the traffic. With the interface's own
    /// MAC neighbours still send to us until the better router announces itself, and after a healed
    /// partition it has no reason to: so it is sent a last advertisement that loses against its own,
    /// which it answers by announcing, and until then the addresses are served on. That last one names
    /// the interval of the better router, which is what other Backups have to count.
    fn yield_to(&mut self, now: Instant, heard: ActiveRouter, reason: Reason) {
        self.active = Some(heard);
        self.learn(&heard);
        if self.settings.mac_mode == MacMode::Virtual {
            self.become_backup(now, reason);
            return;
        }
        self.forget();
        self.owe(false);
        self.second_timer = Instant::NEVER;
        self.announcing.next = u16::MAX;
        self.handover = Some(Handover {
            to: State::Backup,
            reason,
        });
        self.timer = now + STAND_DOWN;
    }

    /// S-12: whoever sends a losing advertisement has not heard us, and after a healed partition
    /// neighbours may still think that it serves the addresses. Advertise and announce, both limited
    /// in rate: an answer that comes too soon after another one is given later, for who heard the
    /// loser may count its interval until then.
    fn answer_loser(&mut self, now: Instant) {
        self.statistics.losing_adverts = self.statistics.losing_adverts.wrapping_add(1);
        self.answer_is_due = true;
        if now < self.quiet_until {
            self.timer = self.timer.min(self.quiet_until);
            self.second_timer = self.second_timer.min(self.quiet_until);
            return;
        }
        self.advertise(now);
        self.announce(now, false);
    }

    /// Whether something is to be done now.
    #[inline]
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.deadline() <= now
            || (self.state == State::Active
                && self.handover.is_none()
                && self.adver_timer_is_due(now))
    }

    #[inline]
    fn adver_timer_is_due(&self, now: Instant) -> bool {
        self.timer <= now || self.timer <= now + earliness(self.settings.advert_interval)
    }

    /// The common case of what has come due: the Adver_Timer and nothing else. Gives the next
    /// deadline. `None`: it was not that.
    #[cfg_attr(not(feature = "small"), inline(always))]
    pub(super) fn handle_adver_timer_alone(&mut self, now: Instant) -> Option<Instant> {
        let others = self.second_timer.min(self.rejoin_at);
        if others <= now || !self.is_in_charge() || !self.adver_timer_is_due(now) {
            return None;
        }
        self.handle_adver_timer(now);
        Some(self.timer.min(others))
    }

    /// Does what has come due.
    pub(super) fn handle_due(&mut self, now: Instant, iface: &InterfaceState) {
        if self.rejoin_at <= now {
            self.rejoin_at = Instant::NEVER;
            self.dirty = true;
        }
        if self.changes_until() <= now {
            self.owed.after = After::Nothing;
        }
        if self.second_timer <= now {
            self.second_timer = Instant::NEVER;
            if self.state == State::Active {
                self.announce_again(now);
            } else if self.active.is_some_and(|active| self.preempts(&active)) {
                // Asked anew: priority or Preempt_Mode may have changed since the delay began.
                self.become_active(now, Reason::Preempted);
                return;
            }
        }
        match (self.state, self.handover) {
            (State::Active, None) if self.adver_timer_is_due(now) => self.handle_adver_timer(now),
            (State::Active, Some(handover)) if self.timer <= now => match handover.reason {
                // Nobody took over, and we were asked for no more than to let somebody else.
                Reason::Resigned => self.stay_active(now),
                _ => self.finish_handover(now),
            },
            (State::Backup, _) if self.timer <= now => self.handle_down_timer(now),
            (State::Initialize, _) if self.timer <= now => {
                self.evaluate(now, iface);
                if self.state == State::Initialize {
                    self.timer = Instant::NEVER;
                }
            }
            _ => {}
        }
    }

    //= RFC 9568 section 6.4.3
    // S-9: periodic, without drift (T-5).
    #[inline]
    fn handle_adver_timer(&mut self, now: Instant) {
        let interval = self.settings.advert_interval.duration();
        let late = now.since(self.timer);
        let scheduled = self.timer;
        self.advertise(now);
        if late >= interval {
            // T-7: told to who asks.
            self.statistics.stalls = self.statistics.stalls.wrapping_add(1);
        } else if scheduled < now {
            self.timer = scheduled + interval;
        }
    }

    fn handle_down_timer(&mut self, now: Instant) {
        let interval = self.active_interval.duration();
        if now.since(self.timer) > interval && !self.stalled {
            // T-8: so late that this host must have slept, and what was sent meanwhile may be lost.
            // A healthy Active router will be heard within another interval.
            self.statistics.stalls = self.statistics.stalls.wrapping_add(1);
            self.stalled = true;
            self.timer = now + interval + self.skew();
            return;
        }
        let reason = match self.active {
            None if self.priority().is_owner() => Reason::Owner,
            Some(a) if a.priority == 0 => Reason::ActiveStopped,
            Some(a) if now < a.last_heard + self.down_interval() => Reason::Preempted,
            _ => Reason::ActiveTimeout,
        };
        // S-4
        self.become_active(now, reason);
    }

    /// Begins a round of announcements. One that `must` be made is made; another one waits until
    /// the bucket has a token.
    pub(super) fn announce(&mut self, now: Instant, must: bool) {
        let second = Duration::from_secs(1);
        let a = &mut self.announcing;
        while a.tokens < Announcing::BUCKET && now.since(a.refilled) >= second {
            a.tokens += 1;
            a.refilled = a.refilled + second;
        }
        if a.tokens == Announcing::BUCKET {
            a.refilled = now;
        }
        if a.tokens == 0 && !must {
            self.second_timer = self.second_timer.min(a.refilled + second);
            return;
        }
        a.tokens = a.tokens.saturating_sub(1);
        a.next = 0;
        self.dirty = true;
    }

    /// Begins the round that was scheduled, and schedules the next one.
    fn announce_again(&mut self, now: Instant) {
        self.announce(now, false);
        if self.announcing.next == 0 {
            let repeats_left = &mut self.announcing.repeats_left;
            let first_repeat = self.since + self.settings.repeat_interval.duration();
            if *repeats_left > 0 && now < first_repeat {
                // The round soon after a takeover is none of the repeats.
                self.second_timer = first_repeat;
                return;
            }
            *repeats_left = repeats_left.saturating_sub(1);
            self.schedule_announcement(now);
        }
    }

    pub(super) fn schedule_announcement(&mut self, now: Instant) {
        self.second_timer = match (self.announcing.repeats_left, self.settings.refresh) {
            (1.., _) => now + self.settings.repeat_interval.duration(),
            (0, Duration::ZERO) => Instant::NEVER,
            (0, refresh) => now + refresh,
        };
    }

    /// An effect failed or was undone. It is asked for again at once; when that keeps failing the
    /// virtual router says that it stops, and waits (S-14).
    pub(super) fn effect_failed(&mut self, now: Instant) {
        self.dirty = true;
        self.statistics.effect_failures = self.statistics.effect_failures.wrapping_add(1);
        let quiet = now.since(self.failed_at);
        if quiet > FAILURES_FORGOTTEN {
            self.backoff = 0;
        }
        if self.failures == 0 || quiet > FAILURE_WINDOW {
            self.failures = 0;
            self.failed_at = now;
        }
        self.failures = self.failures.saturating_add(1);
        if !self.serves() {
            return;
        }
        // Somebody may have flushed everything at once; that is one event, not many failures.
        let patience = 2 * (self.addresses().len() + 1);
        if usize::from(self.failures) <= patience {
            self.announce(now, false);
            return;
        }
        self.failures = 0;
        self.owe(true);
        self.initialize(now, Reason::EffectFailed);
        self.timer = now + Duration::from_secs(1 << self.backoff);
        self.backoff = (self.backoff + 1).min(MAX_BACKOFF);
    }

    /// Gives up being Active, and does not preempt whoever takes over.
    pub(super) fn resign(&mut self, now: Instant) {
        self.resigned = true;
        self.forget();
        self.second_timer = Instant::NEVER;
        if self.state == State::Active && self.handover.is_none() {
            self.hand_over(now, State::Backup, Reason::Resigned);
        }
    }

    /// Active and not about to leave.
    #[inline]
    pub(super) fn is_in_charge(&self) -> bool {
        self.state == State::Active && self.handover.is_none()
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
