//! Synchronisation groups: which virtual routers are in one, what the engine is told of it, and what is
//! reported. [`vrrp_core::group`] decides.

use std::sync::Arc;

use vrrp_core::group::{Group, Member};
use vrrp_core::{Instant, MAX_TRACKS, Reason, State, Status, TrackEffect, VrKey};

use super::core::{Core, Vr};
use crate::config::{GroupSpec, VrId, VrSpec};
use crate::event::{Ended, Event};
use crate::host_if::HostIf;
use crate::report::{GroupReason, GroupReport, GroupWhy, Warning};

/// The groups of a host, by name.
#[derive(Debug, Default)]
pub(super) struct Groups {
    all: Vec<Running>,
    /// When one of them has to be looked at again.
    next: Option<Instant>,
}

/// A group and its machine.
#[derive(Debug)]
struct Running {
    name: Arc<str>,
    members: Vec<VrKey>,
    machine: Group,
    /// An administrator moves it away: it is not known yet which members found a successor.
    moves: bool,
    /// As last reported.
    state: State,
    since: Instant,
    why: GroupWhy,
}

impl Groups {
    /// When [`Core::review_groups`] has something to do.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// The group of a virtual router.
    fn of(&self, key: VrKey) -> Option<&Running> {
        self.all.iter().find(|group| group.members.contains(&key))
    }

    /// The name of the group of a virtual router.
    pub(super) fn name_of(&self, key: VrKey) -> Option<&Arc<str>> {
        self.of(key).map(|group| &group.name)
    }
}

/// Gives each member what the others track: a fault of one is one of all, and weights add up. An object
/// that several name in the same way counts once.
pub(super) fn share_tracks(groups: &[GroupSpec], specs: &mut [VrSpec]) {
    for group in groups {
        let mut all = Vec::new();
        for spec in specs.iter().filter(|s| group.members.contains(&s.id)) {
            for track in &spec.tracks {
                if !all.contains(track) && all.len() < MAX_TRACKS {
                    all.push(track.clone());
                }
            }
        }
        for spec in specs.iter_mut().filter(|s| group.members.contains(&s.id)) {
            spec.tracks.clone_from(&all);
        }
    }
}

impl Core {
    /// Takes over the groups of a configuration. A group that stays goes on as it is.
    pub(super) fn set_groups(&mut self, now: Instant, specs: Vec<GroupSpec>) {
        let mut before = std::mem::take(&mut self.groups.all);
        for spec in specs {
            let members = spec.members.iter().filter_map(|id| self.find(id).ok());
            let members: Vec<VrKey> = members.collect();
            let known = before.iter().position(|group| group.name == spec.name);
            let mut group = match known {
                Some(known) => before.swap_remove(known),
                None => Running {
                    name: spec.name,
                    members: Vec::new(),
                    machine: Group::new(),
                    moves: false,
                    state: State::Initialize,
                    since: now,
                    why: GroupWhy::Started,
                },
            };
            group.members = members;
            self.groups.all.push(group);
        }
        for group in before {
            self.events.push(Event::GroupRemoved { name: group.name });
        }
        let left: Vec<VrKey> = self
            .vrs
            .iter()
            .filter(|(key, vr)| vr.told_group.is_some() && self.groups.of(**key).is_none())
            .map(|(key, _)| *key)
            .collect();
        for key in left {
            self.tell_group(now, key, None);
        }
    }

    /// Tells the engine the state of a virtual router's group, before it takes part.
    pub(super) fn tell_group_of(&mut self, now: Instant, key: VrKey) {
        let state = self.groups.of(key).map(|group| group.machine.state());
        self.tell_group(now, key, state);
    }

    fn tell_group(&mut self, now: Instant, key: VrKey, state: Option<State>) {
        if let Some(vr) = self.vrs.get_mut(&key) {
            vr.told_group = state;
        }
        if self.in_engine(key) {
            let result = self.engine.admin(now).set_group_state(key, state);
            self.engine_refused(now, key, result);
        }
    }

    /// The virtual routers that share the fate of one: the members of its group, or itself alone.
    pub(super) fn together(&self, key: VrKey) -> Vec<VrKey> {
        match self.groups.of(key) {
            Some(group) => group.members.clone(),
            None => vec![key],
        }
    }

    /// Looks at every group, and tells the engine what has changed. Returns whether anything has.
    pub(super) fn review_groups(&mut self, now: Instant, stopping: bool) -> bool {
        if self.groups.all.is_empty() {
            return false;
        }
        let mut all = std::mem::take(&mut self.groups.all);
        let mut next: Option<Instant> = None;
        let mut news = false;
        for group in &mut all {
            let (at, told) = self.review_group(now, group, stopping);
            next = next.into_iter().chain(at).min();
            news |= told;
        }
        self.groups.all = all;
        self.groups.next = next;
        news
    }

    fn review_group(
        &mut self,
        now: Instant,
        group: &mut Running,
        stopping: bool,
    ) -> (Option<Instant>, bool) {
        let members = group.members.iter();
        let members = members.filter(|key| self.in_engine(**key) || self.is_replaced(**key));
        let mut statuses: Vec<(VrKey, Status, bool)> = Vec::with_capacity(group.members.len());
        for key in members {
            let (Some(vr), Some(status)) = (self.vrs.get(key), self.engine.status(*key)) else {
                continue;
            };
            statuses.push((*key, status, self.is_in_fault(*key, vr, &status)));
        }
        let members = statuses
            .iter()
            .map(|(_, s, fault)| Member::new(now, s, *fault));
        let members: Vec<Member> = members.collect();
        let before = group.machine.state();
        let at = group.machine.review(now, &members);
        let state = group.machine.state();
        // While one fault follows another, the member that has one may be another.
        if state != before || state == State::Initialize {
            let why = self.why_group(state, &members, &statuses);
            group.why = match (why, &group.why) {
                (None, _) => GroupWhy::Stopped(self.why_stopped(&group.members, stopping)),
                // The members have not left all the addresses yet, and nobody was told of the fault.
                (Some(GroupWhy::Started), GroupWhy::Fault(member))
                    if group.state == State::Active =>
                {
                    GroupWhy::Recovered(member.clone())
                }
                (Some(why), _) => why,
            };
        }
        let mut news = group.moves && self.review_move(now, group, &members, &statuses);
        for (key, status, _) in &statuses {
            if !self.in_engine(*key) {
                continue;
            }
            // One whose effects failed counts the time until it tries them again.
            let failed = status.state == State::Initialize && status.reason == Reason::EffectFailed;
            let state = match state {
                State::Initialize if failed => State::Backup,
                state => state,
            };
            let told = self.vrs.get(key).and_then(|vr| vr.told_group);
            let strays =
                state != State::Active && status.state == State::Active && !status.handing_over;
            if told != Some(state) || strays {
                self.tell_group(now, *key, Some(state));
                news = true;
            }
        }
        (at, news)
    }

    /// Notes that an administrator moves the group of a virtual router away from this host.
    pub(super) fn note_move(&mut self, key: VrKey) {
        let all = &mut self.groups.all;
        if let Some(group) = all.iter_mut().find(|group| group.members.contains(&key)) {
            group.moves = group.machine.state() == State::Active;
        }
    }

    /// Has a group come back when a move has ended and some members found a successor, some none: that
    /// host is cut off from a network. Returns whether the engine was told something.
    fn review_move(
        &mut self,
        now: Instant,
        group: &mut Running,
        members: &[Member],
        statuses: &[(VrKey, Status, bool)],
    ) -> bool {
        let mut leaves = statuses.iter();
        if leaves.any(|(key, status, _)| status.handing_over || self.partings.awaits(*key)) {
            return false;
        }
        group.moves = false;
        let moved = members.iter().position(Member::has_lost);
        let alone = members.iter().position(|member| !member.has_lost());
        let (Some(_), Some(alone)) = (moved, alone) else {
            return false;
        };
        if group.machine.state() == State::Initialize {
            return false;
        }
        if let Some((key, ..)) = statuses.get(alone) {
            let text = format!(
                "no other host took over, as one did for others of the group {}: it comes back as a whole, where no better master is",
                group.name
            );
            self.problem(now, Some(*key), text);
        }
        for (key, ..) in statuses {
            self.let_return(now, *key);
        }
        true
    }

    /// Whether a virtual router is on its way out, and will be set up anew.
    fn is_replaced(&self, key: VrKey) -> bool {
        let vr = self.vrs.get(&key);
        vr.is_some_and(|vr| vr.current.is_some() && vr.leaving && vr.next.is_some())
    }

    /// Whether a member cannot take part for a reason of its own.
    fn is_in_fault(&self, key: VrKey, vr: &Vr, status: &Status) -> bool {
        let interface = self.interfaces.get(HostIf::of(key));
        let tracks = vr.current.iter().flat_map(|spec| &spec.tracks);
        let mut faults = tracks.filter(|track| track.effect == TrackEffect::Fault);
        let is_down = |what| {
            self.objects
                .find(what)
                .is_some_and(|n| !self.objects.is_up(n))
        };
        // One that is set up anew serves until its successor is heard, and a group elsewhere takes it over
        // with all the others alone.
        !vr.enabled
            || self.is_replaced(key)
            || interface.is_none_or(|interface| !interface.serves(key.family))
            || self.why_not_ready(key).is_some()
            || faults.any(|track| is_down(&track.what))
            || status.state == State::Initialize && status.reason == Reason::EffectFailed
    }

    /// Whether a member was disabled.
    fn is_stopped(&self, statuses: &[(VrKey, Status, bool)]) -> bool {
        let mut members = statuses.iter().filter_map(|(key, ..)| self.vrs.get(key));
        members.any(|vr| !vr.enabled)
    }

    /// The wish that ended a group: that which ended the first of its members that is still known.
    fn why_stopped(&self, members: &[VrKey], stopping: bool) -> Ended {
        let mut known = members.iter().filter_map(|key| self.vrs.get(key));
        match known.next() {
            Some(vr) => vr.ended(stopping),
            None if stopping => Ended::ShuttingDown,
            None => Ended::Removed,
        }
    }

    /// Returns the group that decided a change of state, if nothing of the virtual router itself did.
    pub(super) fn decided_by_group(
        &self,
        key: VrKey,
        status: &Status,
        reason: Reason,
    ) -> Option<GroupReason> {
        let (group, vr) = (self.groups.of(key)?, self.vrs.get(&key)?);
        let follows = match reason {
            Reason::Resigned => !status.resigned,
            Reason::TrackedFault => !self.is_in_fault(key, vr, status),
            _ => false,
        };
        follows.then(|| GroupReason {
            name: group.name.clone(),
            why: group.why.clone(),
        })
    }

    /// Why a group is in its state. Returns `None` if it was stopped.
    fn why_group(
        &self,
        state: State,
        members: &[Member],
        statuses: &[(VrKey, Status, bool)],
    ) -> Option<GroupWhy> {
        let id = |at: usize| {
            let (key, ..) = statuses.get(at)?;
            Some(self.vrs.get(key)?.id.clone())
        };
        let fault = statuses.iter().position(|(.., fault)| *fault);
        let lost = members.iter().position(Member::has_lost);
        let why = match state {
            State::Initialize if self.is_stopped(statuses) => return None,
            State::Initialize => GroupWhy::Fault(fault.and_then(id)?),
            State::Active => GroupWhy::Won,
            State::Backup => match lost.and_then(|at| Some((at, id(at)?))) {
                Some((at, member)) => {
                    let active = statuses.get(at).and_then(|(_, status, _)| status.active);
                    GroupWhy::Lost {
                        member,
                        to: active.map(|active| active.address),
                    }
                }
                None => GroupWhy::Started,
            },
        };
        Some(why)
    }

    /// Reports groups whose members have all come to where they belong.
    pub(super) fn report_groups(&mut self, now: Instant) {
        let mut all = std::mem::take(&mut self.groups.all);
        for group in &mut all {
            let states = group.members.iter().filter_map(|key| self.vrs.get(key));
            let states: Vec<State> = states.map(|vr| vr.state).collect();
            let state = match group.machine.state() {
                State::Active if states.iter().all(|state| *state == State::Active) => {
                    State::Active
                }
                State::Active => continue,
                _ if states.contains(&State::Active) => continue,
                state => state,
            };
            if state == group.state {
                continue;
            }
            let from = std::mem::replace(&mut group.state, state);
            group.since = now;
            let first = group
                .members
                .first()
                .and_then(|key| self.engine.status(*key));
            self.events.push(Event::Group {
                name: group.name.clone(),
                from,
                to: state,
                why: group.why.clone(),
                priority: first.map(|status| status.priority),
            });
        }
        self.groups.all = all;
    }

    /// Members of a Backup group on whose network no master is heard, while one is heard on that of another:
    /// a port is silent, here or at the master, and nobody can tell which.
    pub(super) fn members_cut_off(&self, now: Instant, list: &mut Vec<Warning>) {
        for group in &self.groups.all {
            if group.machine.state() != State::Backup {
                continue;
            }
            let status = |key: &VrKey| Some((*key, self.engine.status(*key)?));
            let statuses: Vec<(VrKey, Status)> = group.members.iter().filter_map(status).collect();
            let heard = |status: &Status| {
                let active = status.active.filter(|active| active.priority != 0)?;
                (now < active.last_heard + status.down_interval).then_some(active.address)
            };
            let mut others = statuses.iter().filter(|(_, status)| !status.due);
            let Some((other, master)) =
                others.find_map(|(key, status)| Some((*key, heard(status)?)))
            else {
                continue;
            };
            for (key, status) in statuses.iter().filter(|(_, status)| status.due) {
                // It has been due for another interval at least.
                let patience = status.down_interval + status.down_interval;
                let last = status
                    .active
                    .map_or(status.since, |active| active.last_heard);
                let (Some(vr), true) = (self.vrs.get(&other), last + patience < now) else {
                    continue;
                };
                list.push(Warning {
                    about: self.about(*key),
                    text: match status.active.filter(|active| active.priority == 0) {
                        Some(active) => format!(
                            "{} gave it up, and {master} is master of {} in the same group: the group of that host lacks one of the two; have the same [GROUP] on all hosts",
                            active.address, vr.id
                        ),
                        None => format!(
                            "no master is heard, but {master} is, as master of {} in the same group: a switch port or a cable passes nothing, at this host or at that one, or the group of that host lacks this member",
                            vr.id
                        ),
                    },
                });
            }
        }
    }

    /// Every group, in the order of the configuration.
    pub(super) fn group_reports(&self) -> Vec<GroupReport> {
        let all = self.groups.all.iter();
        all.map(|group| {
            let members = group.members.iter().filter_map(|key| self.vrs.get(key));
            let members: Vec<VrId> = members.map(|vr| vr.id.clone()).collect();
            GroupReport {
                name: group.name.clone(),
                wanted: group.machine.state(),
                state: group.state,
                since: group.since,
                why: group.why.clone(),
                members,
                obstacles: self.obstacles(group),
            }
        })
        .collect()
    }

    /// The members for which the others of a Backup group wait.
    fn obstacles(&self, group: &Running) -> Vec<(VrId, Status)> {
        if group.machine.state() != State::Backup {
            return Vec::new();
        }
        let members = group.members.iter();
        let members =
            members.filter_map(|key| Some((self.vrs.get(key)?, self.engine.status(*key)?)));
        let members = members.filter(|(_, status)| !status.due && status.state != State::Active);
        members
            .map(|(vr, status)| (vr.id.clone(), status))
            .collect()
    }
}
