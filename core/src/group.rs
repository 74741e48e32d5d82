//! Synchronisation groups: virtual routers of one host, each on its own segment, that are to be Active
//! together or not at all, such as the two sides of a gateway. RFC 9568 does not know them.
//!
//! [`Group`] is the machine of one group on one host. It has no clock and no I/O: after each input of the
//! engine its caller [reviews](Group::review) it with the [`Member`]s as they stand, and tells the engine
//! the state with [`Admin::set_group_state`](crate::Admin::set_group_state). Groups of different hosts
//! exchange nothing but the advertisements of their members.
//!
//! # The machine
//!
//! Facts are those of the members: whether one has a fault of its own, whether its election would make it
//! Active (it is [due](crate::Status::due)), and whether it has lost one. The group decides:
//!
//! | state | while | the members |
//! |---|---|---|
//! | Initialize | a member has a fault | are held in Initialize |
//! | Backup | no fault | listen; one whose timer ends waits and is due |
//! | Active | no fault | take part as if each was alone |
//!
//! Backup becomes Active when *every* member is due, and all of them become Active at that moment. Active
//! becomes Backup when a member loses: it is Backup and hears the router that has won. The others then
//! hand over, and end as Backup also where nobody is heard. The first member loses at once. The next ones
//! may be Backup for one *patience* (the down interval and one interval), the third for two, and so on.
//!
//! # Why hosts do not stay apart
//!
//! Invariant: once faults have ended, and after the patience of the last member and two down intervals,
//! one host has every member and the others have none. The members of all hosts are in one order.
//!
//! 1. A group in Backup or Initialize leaves every member within a handover, and takes none. So hosts
//!    contend only while two groups are Active.
//! 2. Two Active groups hear each other on every segment. On that of the first member one of the two
//!    loses, by priority or by address, at once. It gives up all the others, which are free before the
//!    patience of their place ends: the winner takes those that it had lost meanwhile, and stays. Higher
//!    addresses on different segments do not matter: that of the first decides, and no other is asked.
//! 3. A group in Backup becomes Active only when nobody better is heard on *any* segment. So a host that
//!    lacks one segment disturbs nobody, and one that returns takes over everywhere or nowhere: with
//!    preemption off on one member, nowhere.
//! 4. Where every group is Backup nobody advertises, every timer ends, and the first whose last timer does
//!    is Active. There is no livelock: a group falls back only by an election that another host has won,
//!    and that one goes on unless it loses to a third, which is better still.
//!
//! # A segment that passes nothing
//!
//! While a fault lasts that no carrier shows (a port that is silent, a cable dead in one direction), hosts
//! that hear each other on another segment are one election all the same. The Active group goes on, for
//! the others are not due where they hear it: also if its own port is the silent one, which nobody can
//! tell by advertisements alone. A check of that path is a fault of its own, and moves the group. If the
//! segment of the first member is the silent one when two groups are Active, the second decides, after its
//! patience. When the segment passes frames again there is nothing to heal: one host serves.

use crate::output::State;
use crate::status::Status;
use crate::time::{Duration, Instant};

/// One member of a group as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// It cannot take part for a reason of its own.
    fault: bool,
    state: State,
    due: bool,
    /// Since when it is Backup of a router that is heard.
    lost: Option<Instant>,
    /// For how long the next member may have lost before it counts.
    patience: Duration,
}

impl Member {
    /// A member with this status, and whether it has a fault of its own: of its interface, a tracked
    /// object or an effect, not of the group.
    pub fn new(now: Instant, status: &Status, fault: bool) -> Self {
        let is_heard = status.active.is_some_and(|active| {
            active.priority != 0 && now < active.last_heard + status.down_interval
        });
        let loses = status.state == State::Backup && is_heard;
        Self {
            fault,
            state: status.state,
            due: status.due,
            lost: loses.then_some(status.since),
            patience: status.down_interval + status.active_interval.duration(),
        }
    }

    /// Whether it is Backup of a router that is heard.
    pub fn has_lost(&self) -> bool {
        self.lost.is_some()
    }
}

/// The machine of one group on one host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    state: State,
}

impl Default for Group {
    fn default() -> Self {
        Self::new()
    }
}

impl Group {
    /// A group in Initialize. The first review starts it: as Active if every member is.
    pub const fn new() -> Self {
        Self {
            state: State::Initialize,
        }
    }

    /// The state that members are to follow.
    pub fn state(&self) -> State {
        self.state
    }

    /// Decides the state by the members, which are in the same order on all hosts. Returns when to review
    /// it again if nothing happens before. `None`: not at all.
    pub fn review(&mut self, now: Instant, members: &[Member]) -> Option<Instant> {
        if members.is_empty() || members.iter().any(|member| member.fault) {
            self.state = State::Initialize;
            return None;
        }
        if self.state == State::Initialize {
            let serves = members.iter().all(|member| member.state == State::Active);
            self.state = if serves { State::Active } else { State::Backup };
        }
        match self.state {
            State::Active => self.review_active(now, members),
            _ => {
                if members.iter().all(|member| member.due) {
                    self.state = State::Active;
                }
                None
            }
        }
    }

    fn review_active(&mut self, now: Instant, members: &[Member]) -> Option<Instant> {
        let mut next = None;
        let mut patience = Duration::ZERO;
        for member in members {
            if let Some(since) = member.lost {
                let at = since + patience;
                next = Some(next.map_or(at, |next: Instant| next.min(at)));
            }
            patience = patience + member.patience;
        }
        if next.is_none_or(|at| at > now) {
            return next;
        }
        self.state = State::Backup;
        None
    }
}
