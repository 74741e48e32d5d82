//! The effects of overrides: priorities, and masters that move.

use vrrp_control::{Answer, OverrideKind, Which};
use vrrp_core::{Priority, State};
use vrrp_host::{Platform, VrId, VrReport};

use crate::daemon::Daemon;
use crate::overrides::Override;

/// The priority of a held master: the highest one that is not the owner's.
pub(super) const HELD: u8 = 254;

impl<P: Platform> Daemon<P> {
    pub(super) fn is_master(&self, id: &VrId) -> bool {
        let report = self.host.status(id);
        report.is_some_and(|report| report.status.state == State::Active)
    }

    /// The overrides that are in force for a virtual router: those of all members of its group, in the order
    /// in which they were given.
    pub(super) fn in_force(&self, id: &VrId) -> Vec<&Override> {
        let together = self.host.together(id);
        let all = self.overrides.book.all().iter();
        all.filter(|one| together.iter().any(|id| one.is_of(id)))
            .collect()
    }

    fn is_held(&self, id: &VrId) -> bool {
        let all = self.in_force(id);
        all.iter().any(|one| one.kind == OverrideKind::Hold)
    }

    fn is_drained(&self, id: &VrId) -> bool {
        let all = self.in_force(id);
        all.iter().any(|one| one.kind == OverrideKind::Drain)
    }

    /// Has the host do what the overrides of a virtual router and of the others of its group say, unless it
    /// has stopped.
    pub(super) fn take_effect(&mut self, id: &VrId) {
        let together = self.host.together(id);
        let reports = together.iter().filter_map(|id| self.host.status(id));
        let reports: Vec<VrReport> = reports.collect();
        let Some(report) = reports.iter().find(|report| report.id == *id) else {
            return;
        };
        let waits = &self.overrides.waits;
        let waits = together.iter().any(|id| waits.contains_key(id));
        let drained = self.is_drained(id) && !waits;
        let held = self.is_held(id);
        let all = self.in_force(id);
        let given = all.iter().rev().find_map(|one| one.priority);
        let given = given.and_then(Priority::new);
        let mut states = reports.iter().map(|report| report.status.state);
        let wanted = if held && states.any(|state| state == State::Active) {
            let else_wanted = given.unwrap_or(report.configured_priority);
            Priority::new(HELD.max(else_wanted.get()))
        } else {
            given
        };
        let mut now = reports.iter().map(|report| report.priority_override);
        let as_wanted = now.all(|now| now == wanted);
        let result = self.host.set_drained(id, drained);
        let result = result.and_then(|()| self.host.set_held(id, held));
        let result = result.and_then(|()| match as_wanted {
            true => Ok(()),
            false => self.host.set_priority(id, wanted),
        });
        if let Err(error) = result {
            log::error!(
                "{id}: an override that is kept cannot be put in force: {error}; see vrrpctl status"
            );
        }
    }

    /// Has every override take effect, at a start and after a reload.
    pub(in crate::daemon) fn review_overrides(&mut self) {
        let mut ids = self.overrides.book.ids();
        self.overrides.waits.retain(|id, _| ids.contains(id));
        // A reload may have changed which of them share an override.
        let reports = self.host.statuses().into_iter();
        let shared = reports
            .filter(|report| report.drained || report.held || report.priority_override.is_some());
        ids.extend(shared.map(|report| report.id));
        ids.iter().for_each(|id| self.take_effect(id));
    }

    /// A held virtual router has changed its state: its priority depends on that.
    pub(in crate::daemon) fn follow_hold(&mut self, id: &VrId) {
        if self.is_held(id) {
            self.take_effect(id);
        }
    }

    /// Moves masters away, once.
    pub(in crate::daemon) fn fail_over(&mut self, which: &Which, uid: u32) -> Answer {
        let ids = match self.find_all(which) {
            Ok(ids) => ids,
            Err(why) => return Answer::error(why),
        };
        if let Some(id) = ids.iter().find(|id| !self.is_master(id)) {
            return Answer::error(format!(
                "{id}: it is not master here: there is nothing to move"
            ));
        }
        self.on(
            which,
            uid,
            "moves to another host; it serves on if there is none",
            |host, id| host.resign(id),
        )
    }

    /// Moves masters of lower priority here, once.
    pub(in crate::daemon) fn fail_back(&mut self, which: &Which, uid: u32) -> Answer {
        let ids = match self.find_all(which) {
            Ok(ids) => ids,
            Err(why) => return Answer::error(why),
        };
        for id in &ids {
            if let Err(why) = self.may_return(id) {
                return Answer::error(format!("{id}: {why}"));
            }
        }
        self.on(which, uid, "moves here", |host, id| host.fail_back(id))
    }

    fn may_return(&self, id: &VrId) -> Result<(), String> {
        if self.is_drained(id) {
            return Err("it is drained: take that back first with `vrrpctl undrain`".into());
        }
        let report = self.host.status(id).ok_or("it waits for its turn")?;
        let status = &report.status;
        let auth = report.auth.as_ref();
        let waits = auth.is_some_and(|auth| auth.status.waits_for_clock);
        match (status.state, &status.active) {
            (State::Active, _) => Err("it is master here: there is nothing to move".into()),
            (State::Initialize, _) => Err("it cannot take part now: see vrrpctl status".into()),
            (State::Backup, _) if waits => Err(
                "its clock is not known to be right, so that it takes over from no master that is heard: let an NTP client set the clock, see vrrpd_auth(7)"
                    .into(),
            ),
            (State::Backup, Some(master)) if master.priority >= status.priority.get() => {
                Err(format!(
                    "{} advertises priority {} and ours is {}: a backup takes over from a lower one only; use `vrrpctl priority`",
                    master.address, master.priority, status.priority
                ))
            }
            (State::Backup, _) => Ok(()),
        }
    }
}
