//! The phases of one virtual router: the states of RFC 9568 section 6.4, with Leaving between Active
//! and what follows. Each phase owns its deadlines. [`Instant::NEVER`] is a deadline that is not set.

use super::announcements::Announcements;
use super::group::Due;
use super::probe::Probe;
use crate::output::{Reason, State};
use crate::time::{Duration, Instant};

#[derive(Clone, Copy)]
pub(super) enum Phase {
    Initialize(Initialize),
    Backup(Backup),
    Active(Active),
    Leaving(Leaving),
}

/// Takes no part.
#[derive(Clone, Copy)]
pub(super) struct Initialize {
    /// The end of the back-off after effects that failed.
    pub(super) retry_at: Instant,
}

/// Listens to the Active router.
#[derive(Clone, Copy)]
pub(super) struct Backup {
    /// Active_Down_Timer.
    pub(super) down_at: Instant,
    /// The end of the preempt delay: an Active router of lower priority is heard.
    pub(super) preempt_at: Instant,
    /// The end of the start delay, and of nothing before: no takeover comes earlier.
    pub(super) listen_until: Instant,
    /// Active_Down_Timer was late once and has been given another interval (T-8).
    pub(super) stalled: bool,
    pub(super) probe: Probe,
    /// It would be Active but for its group.
    pub(super) due: Due,
}

/// Serves the addresses.
#[derive(Clone, Copy)]
pub(super) struct Active {
    /// Adver_Timer.
    pub(super) advertise_at: Instant,
    /// The work that has to be done before the advertisement that is owed is sent.
    pub(super) after: After,
    /// The next advertisement answers another router.
    pub(super) answer_due: bool,
    /// Advertisements until the addresses are offered again; 0 for one that does not stand back (G-7).
    pub(super) until_offer: u16,
    /// The last answer.
    pub(super) answered_at: Instant,
    pub(super) announcements: Announcements,
}

/// Was Active and has said so: serves the addresses until the successor is heard, so that no packet to
/// them is lost between the two.
#[derive(Clone, Copy)]
pub(super) struct Leaving {
    /// The end of waiting for a successor.
    pub(super) until: Instant,
    pub(super) then: Then,
    /// For people.
    pub(super) why: Reason,
    /// The announcements to go on with if it stays after all.
    pub(super) announcements: Announcements,
}

/// The purpose of leaving, which decides how it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// Stop: Initialize follows.
    Initialize,
    /// Let somebody else be Active: Backup follows if there is anybody, and Active if not.
    Resign,
    /// The same, to be repeated while it stands back (G-7).
    Offer,
    /// Yield to a better router: Backup follows.
    Yield,
}

/// The work that has to be done before an advertisement that is owed is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing but to take up the MAC.
    Nothing,
    /// The changes of a new configuration, unless they take too long.
    Changes,
    /// Everything: it is the first since the virtual router became Active (S-14).
    Installation,
}

impl Initialize {
    pub(super) fn is_backing_off(&self, now: Instant) -> bool {
        self.retry_at != Instant::NEVER && now < self.retry_at
    }
}

impl Backup {
    /// Sets Active_Down_Timer, and plans a probe for one interval before it ends (G-8).
    pub(super) fn wait_until(&mut self, down_at: Instant, interval: Duration) {
        self.down_at = down_at;
        self.probe = Probe::at(down_at - interval);
        self.due = Due::NOT;
    }

    /// Sets Active_Down_Timer, and plans no probe.
    pub(super) fn wait_unprobed_until(&mut self, down_at: Instant) {
        self.down_at = down_at;
        self.probe = Probe::at(Instant::NEVER);
        self.due = Due::NOT;
    }

    /// Waits for the group, which is to make it Active for this reason.
    pub(super) fn wait_for_group(&mut self, reason: Reason) {
        self.down_at = Instant::NEVER;
        self.preempt_at = Instant::NEVER;
        self.probe = Probe::at(Instant::NEVER);
        self.due = Due::to(reason);
    }
}

impl Active {
    /// Asks for an advertisement that answers another router. Returns when it may be given: `now`, or
    /// the end of `pause` after the last answer.
    pub(super) fn ask_for_answer(&mut self, now: Instant, pause: Duration) -> Instant {
        self.answer_due = true;
        if self.answered_at == Instant::NEVER {
            return now;
        }
        now.max(self.answered_at + pause)
    }

    /// Notes that an advertisement is sent, which answers whatever was asked before.
    pub(super) fn note_answer(&mut self, now: Instant) {
        if self.answer_due {
            self.answer_due = false;
            self.answered_at = now;
        }
    }
}

impl Phase {
    /// Initialize with nothing to wait for.
    pub(super) const INITIALIZE: Self = Phase::Initialize(Initialize {
        retry_at: Instant::NEVER,
    });

    /// Backup without a preempt delay.
    pub(super) fn backup(down_at: Instant, interval: Duration, listen_until: Instant) -> Self {
        Phase::Backup(Backup {
            down_at,
            preempt_at: Instant::NEVER,
            listen_until,
            stalled: false,
            probe: Probe::at(down_at - interval),
            due: Due::NOT,
        })
    }

    /// Active with an advertisement to be scheduled.
    pub(super) fn active(announcements: Announcements, until_offer: u16) -> Self {
        Phase::Active(Active {
            advertise_at: Instant::NEVER,
            after: After::Nothing,
            answer_due: false,
            until_offer,
            answered_at: Instant::NEVER,
            announcements,
        })
    }

    /// The state that it is part of.
    pub(super) fn state(&self) -> State {
        match self {
            Phase::Initialize(_) => State::Initialize,
            Phase::Backup(_) => State::Backup,
            Phase::Active(_) | Phase::Leaving(_) => State::Active,
        }
    }

    /// The next deadline but for that of [`After::Changes`].
    pub(super) fn deadline(&self) -> Instant {
        match self {
            Phase::Initialize(initialize) => initialize.retry_at,
            Phase::Backup(backup) => {
                let first = backup.down_at.min(backup.preempt_at);
                first.min(backup.probe.due_at())
            }
            Phase::Active(active) => active.advertise_at.min(active.announcements.next_round()),
            Phase::Leaving(leaving) => leaving.until,
        }
    }
}
