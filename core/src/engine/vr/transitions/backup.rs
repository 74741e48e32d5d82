//! Backup: the ways into it, what it hears, and its timers (RFC 9568 section 6.4.2).

use core::net::IpAddr;

use crate::engine::vr::VirtualRouter;
use crate::engine::vr::group::Due;
use crate::engine::vr::phase::Phase;
use crate::engine::vr::probe::{PROBES, Probe};
use crate::engine::vr::settings::{Micros, Settings};
use crate::output::Reason;
use crate::status::ActiveRouter;
use crate::time::{Duration, Instant};
use crate::types::AdvertInterval;

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Whether it takes over from anybody, as the owner of the addresses.
    pub(super) fn is_owner(&self) -> bool {
        self.priority().is_owner() && !self.admin.resigned && !self.auth.clock_is_in_doubt()
    }

    /// How long an Active router of lower priority is left alone. An owner does not wait (S-13).
    pub(in crate::engine::vr) fn preempt_delay(&self) -> Micros {
        if self.priority().is_owner() {
            Micros::ZERO
        } else {
            self.settings.preempt_delay
        }
    }

    /// Sets the deadlines of a Backup by its settings, which may have changed (T-9). The start delay
    /// and the preempt delay count from where they began; `preempt_delay` is that of before. The down
    /// timer ends no later than after a start at this moment.
    pub(in crate::engine::vr) fn reset_delays(&mut self, now: Instant, preempt_delay: Micros) {
        let wait = match self.heard.active() {
            None if self.is_owner() => Duration::ZERO,
            _ => self.patience(),
        };
        let new_delay = self.preempt_delay().duration();
        let interval = self.learned.interval().duration();
        let Phase::Backup(backup) = &mut self.phase else {
            return;
        };
        if backup.due.is_set() {
            // An advertisement that it would not preempt ends that.
            return;
        }
        if backup.listen_until > now {
            backup.listen_until = self.since + self.settings.start_delay.duration();
        }
        if backup.preempt_at != Instant::NEVER {
            let heard = (backup.preempt_at - preempt_delay.duration()).min(now);
            backup.preempt_at = (backup.listen_until.max(heard) + new_delay).max(now);
        }
        let from = backup.listen_until.max(now);
        let down_at = backup.down_at.min(from + wait).max(backup.listen_until);
        if !PROBES || down_at != backup.down_at {
            backup.wait_until(down_at, interval);
        }
    }

    /// Lets Active_Down_Timer begin anew: every other router has its time from now on (G-7).
    pub(in crate::engine::vr) fn restart_down_timer(&mut self) {
        if let Phase::Backup(backup) = &mut self.phase {
            backup.stalled = false;
            backup.down_at = Instant::NEVER;
            backup.due = Due::NOT;
        }
    }

    /// Sets Active_Down_Timer after an advertisement of the Active router.
    pub(in crate::engine::vr) fn set_down_timer(&mut self, now: Instant, down_interval: Duration) {
        let interval = self.learned.interval().duration();
        if let Phase::Backup(backup) = &mut self.phase {
            backup.stalled = false;
            backup.wait_until(backup.listen_until.max(now + down_interval), interval);
        }
    }

    /// Waits for another Active_Down_Interval: a router that advertises this interval was refused because
    /// its clock is not ours, and is present (H-12).
    pub(in crate::engine::vr) fn wait_for_refused(
        &mut self,
        now: Instant,
        interval: AdvertInterval,
    ) {
        let theirs = interval.down_interval(self.settings.version, self.rank());
        self.set_down_timer(now, self.patience().max(theirs));
    }

    /// Leaves Active for a better router, whose advertisement has just been noted.
    pub(super) fn become_backup(&mut self, now: Instant, reason: Reason) {
        // T-8: a host that slept since then hears a healthy Active router within another interval.
        let interval = self.learned.interval().duration();
        let awake = now + interval + self.skew();
        let down_at = awake.max(self.heard.after_last(now, self.patience()));
        self.enter(now, Phase::backup(down_at, interval, now), reason);
    }

    //= RFC 9568 section 6.4.2
    pub(super) fn hear_as_backup(&mut self, now: Instant, heard: &ActiveRouter) -> bool {
        self.heard.set_active(heard);
        // S-5, T-4: the skew of the interval learned before.
        // G-7: one that stands back lets an offer pass.
        let skew = if self.holds_back() {
            self.down_interval()
        } else {
            self.skew()
        };
        let (preempts, delay) = (self.preempts(heard), self.preempt_delay());
        let Phase::Backup(backup) = &mut self.phase else {
            return false;
        };
        if heard.priority == 0 {
            backup.preempt_at = Instant::NEVER;
            backup.wait_unprobed_until(backup.listen_until.max(now + skew));
            return false;
        }
        if !preempts {
            backup.preempt_at = Instant::NEVER;
        } else if backup.due.is_set() {
            // It waits for its group and for nothing else.
            return false;
        } else if delay == Micros::ZERO {
            // S-7: the down timer runs on.
            return false;
        } else if backup.preempt_at == Instant::NEVER {
            backup.preempt_at = backup.listen_until.max(now) + delay.duration();
        }
        // S-6
        self.learn(heard);
        self.set_down_timer(now, self.patience());
        true
    }

    /// Whether a Backup takes over from this router while it is well (S-6, S-7).
    fn preempts(&self, active: &ActiveRouter) -> bool {
        let local = self.priority();
        // S-13: an owner preempts whatever Preempt_Mode says, but not what it was told to leave.
        let may = !self.admin.resigned && (self.settings.preempt || local.is_owner());
        // G-7, H-11
        may && active.priority < local.get() && !self.holds_back()
    }

    pub(super) fn handle_backup(&mut self, now: Instant) {
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
                self.wait_or_take_over(now, Reason::Preempted);
                return;
            }
        }
        if down_at <= now {
            self.handle_down_timer(now);
        }
        if PROBES
            && let Phase::Backup(backup) = &self.phase
            && backup.probe.due_at() <= now
        {
            self.plan_probe(now);
        }
    }

    /// Has the first address asked for, unless the Active router is heard and is to be preempted (G-8).
    fn plan_probe(&mut self, now: Instant) {
        let interval = self.learned.interval().duration();
        let active = self.heard.active();
        let silent = active.is_none_or(|active| active.last_heard + interval + interval <= now);
        let asks = silent && self.settings.serves_addresses();
        if let Phase::Backup(backup) = &mut self.phase {
            backup.probe = Probe::at(Instant::NEVER);
            if asks {
                backup.probe.owe();
                self.applied.set_differs(true);
            }
        }
    }

    /// Whether it has asked for this address, and nobody has answered.
    pub(in crate::engine) fn asks_for(&self, address: IpAddr) -> bool {
        let asks = matches!(&self.phase, Phase::Backup(backup) if backup.probe.is_unanswered());
        asks && self.addresses().next() == Some(address)
    }

    /// Notes the answer: a host that is not heard has the address (G-8).
    pub(in crate::engine) fn note_claim(&mut self) {
        if let Phase::Backup(backup) = &mut self.phase {
            backup.probe.note_answer();
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
            backup.wait_until(now + interval + skew, interval);
            return;
        }
        let reason = match self.heard.active() {
            None if self.priority().is_owner() => Reason::Owner,
            Some(a) if a.priority == 0 => Reason::ActiveStopped,
            Some(a) if now < a.last_heard + self.patience() => Reason::Preempted,
            _ => Reason::ActiveTimeout,
        };
        let reason = match &mut self.phase {
            Phase::Backup(backup) if PROBES && reason == Reason::ActiveTimeout => {
                let waits = self.settings.is_strict(Settings::CONFLICTS);
                if waits && !backup.probe.is_unanswered() {
                    // G-8: asks again, and waits for another interval.
                    backup.wait_until(now + interval, interval);
                    return;
                }
                if backup.probe.is_answered() {
                    Reason::ActiveUnheard
                } else {
                    reason
                }
            }
            _ => reason,
        };
        // S-4
        self.wait_or_take_over(now, reason);
    }
}
