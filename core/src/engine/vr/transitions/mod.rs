//! The transitions of RFC 9568 section 6.4, with section 6 of RFC 3768 where VRRPv2 differs: here those
//! into Initialize and out of it, in the other files those of one phase each.
//!
//! Nothing here sends or installs anything: a transition changes the phase, and what follows from that
//! is emitted by `output`.

mod active;
mod backup;
mod group;
mod leaving;

use super::VirtualRouter;
use super::heard::Heard;
use super::phase::{Initialize, Phase, Then};
use super::probe::PROBES;
use super::settings::Micros;
use crate::log::state_changed;
use crate::output::{Reason, State};
use crate::status::{ActiveRouter, InterfaceState};
use crate::time::{Duration, Instant};
use crate::types::Version;

pub(in crate::engine) use active::earliness;

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
            (Phase::Backup(_) | Phase::Active(_) | Phase::Leaving(_), None) => {
                self.follow_standing_back(now);
            }
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
        } else if self.tracking.has_fault() || self.admin.group.is_in_fault() {
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
        let waits = self.admin.group.waits();
        if self.is_owner() && self.settings.start_delay == Micros::ZERO && !waits {
            // S-1
            self.become_active(now, Reason::Owner);
        } else {
            // S-2
            let backup = Phase::backup(Instant::NEVER, Duration::ZERO, Instant::NEVER);
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
                self.owe(now, true);
                let retry_at = now + wait;
                let phase = Phase::Initialize(Initialize { retry_at });
                self.enter(now, phase, Reason::EffectFailed);
            }
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
                if PROBES {
                    // An owner that starts with a short delay asks at once (G-8).
                    self.handle_backup(now);
                }
            }
            Phase::Backup(_) => self.handle_backup(now),
            Phase::Active(_) => self.handle_active(now),
            Phase::Leaving(leaving) if leaving.until <= now => self.handle_leaving(now, leaving),
            Phase::Initialize(_) | Phase::Leaving(_) => {}
        }
    }

    /// Active and not about to leave.
    pub(super) fn is_in_charge(&self) -> bool {
        matches!(self.phase, Phase::Active(_))
    }

    /// Whether it takes no part.
    pub(super) fn is_idle(&self) -> bool {
        self.phase.state() == State::Initialize
    }
}
