//! Commands that give and take back overrides: each is written to the disk before it has an effect.

use std::time::{Duration, Instant};

use vrrp_control::{Answer, OverrideKind, Request, Terms};
use vrrp_core::{Priority, State};
use vrrp_host::{Platform, VrId, wording};

use super::effects::HELD;
use crate::control::Asked;
use crate::daemon::Daemon;
use crate::history::now_ms;
use crate::overrides::{LONGEST_MS, MAX_REASON, Override};

/// Commands that may wait for the disk.
const MOST_JOBS: usize = 32;

/// A command.
#[derive(Debug, Default)]
pub(in crate::daemon) struct Job {
    pub(super) uid: u32,
    /// Overrides that are set (true) or taken back.
    pub(super) changes: Vec<(Override, bool)>,
    /// How long masters let connections end.
    pub(super) wait: Option<Duration>,
    /// The line about each virtual router when it is done.
    done: Vec<(VrId, String)>,
    /// Everything that does not last is to be as configured, too.
    resets: bool,
    /// It is about a priority, which ends a resignation even where it is the same as before.
    ends_resigning: bool,
}

impl Job {
    fn sets(&self) -> bool {
        self.changes.iter().any(|(_, on)| *on)
    }
}

impl<P: Platform> Daemon<P> {
    /// The job of a request whose effect lasts. `None`: it is another request.
    pub(in crate::daemon) fn override_job(
        &self,
        request: &Request,
        uid: u32,
    ) -> Option<Result<Job, String>> {
        let (which, kind, terms) = match request {
            Request::Drain { which, terms, .. } => (which, Some(OverrideKind::Drain), Some(terms)),
            Request::Undrain(which) => (which, Some(OverrideKind::Drain), None),
            Request::Hold { which, terms } => (which, Some(OverrideKind::Hold), Some(terms)),
            Request::Release(which) => (which, Some(OverrideKind::Hold), None),
            Request::SetPriority {
                which,
                priority,
                terms,
            } => {
                let terms = priority.map(|_| terms);
                (which, Some(OverrideKind::Priority), terms)
            }
            Request::Default(which) => (which, None, None),
            _ => return None,
        };
        let ids = match self.find_all(which) {
            Ok(ids) => ids,
            Err(why) => return Some(Err(why)),
        };
        if self.overrides.jobs.len() >= MOST_JOBS {
            return Some(Err("too many commands wait for the disk".into()));
        }
        let mut job = Job {
            uid,
            resets: kind.is_none(),
            ends_resigning: kind == Some(OverrideKind::Priority),
            ..Job::default()
        };
        if kind == Some(OverrideKind::Priority) {
            // That of another member would come back when this one ends.
            ids.iter().for_each(|id| self.end(&mut job, id, kind));
        }
        for id in ids {
            let step = match (kind, terms) {
                (Some(kind), Some(terms)) => self.set(&mut job, &id, kind, terms, request),
                _ => {
                    self.take_back(&mut job, &id, kind);
                    Ok(())
                }
            };
            if let Err(why) = step {
                return Some(Err(format!("{id}: {why}")));
            }
        }
        Some(Ok(job))
    }

    fn set(
        &self,
        job: &mut Job,
        id: &VrId,
        kind: OverrideKind,
        terms: &Terms,
        request: &Request,
    ) -> Result<(), String> {
        let now = now_ms();
        let length_ms = terms.for_s.map(|seconds| seconds.saturating_mul(1000));
        if length_ms.is_some_and(|ms| ms == 0 || ms > LONGEST_MS) {
            return Err(format!(
                "an override lasts from 1 s to {} days, or until it is taken back",
                LONGEST_MS / 86_400_000
            ));
        }
        let reason = terms.reason.as_deref().unwrap_or_default();
        if reason.len() > MAX_REASON || reason.contains(char::is_control) {
            return Err(format!(
                "a reason has at most {MAX_REASON} octets, and no control characters"
            ));
        }
        let mut one = Override::new(id, kind, job.uid, now);
        one.until_ms = length_ms.map(|ms| now + ms);
        one.reason = terms.reason.clone().filter(|reason| !reason.is_empty());
        let report = self.host.status(id);
        let is_master = report
            .as_ref()
            .is_some_and(|r| r.status.state == State::Active);
        let configured = report.as_ref().map(|r| r.configured_priority);
        let mut text = match (kind, request) {
            (OverrideKind::Priority, Request::SetPriority { priority, .. }) => {
                let wanted = priority.and_then(Priority::new);
                let wanted = wanted.ok_or("a priority is 1 to 255")?;
                one.priority = Some(wanted.get());
                one.configured = configured.map(Priority::get);
                format!("has priority {wanted} until the configured one changes")
            }
            (OverrideKind::Hold, _) if is_master => format!(
                "held as master: it advertises priority {HELD}, which only a host of priority 255 or of the same priority takes it from"
            ),
            (OverrideKind::Hold, _) if configured.is_some_and(Priority::is_owner) => {
                return Err("as a backup of priority 255, the owner of the addresses, it takes over whatever it is told: drain it instead".into());
            }
            (OverrideKind::Hold, _) => {
                "held: it does not take over from a master that is well".into()
            }
            _ => "drained: every other host serves rather than this one".into(),
        };
        if let Request::Drain {
            wait_s: Some(seconds),
            ..
        } = request
        {
            let wait = Duration::from_secs((*seconds).into());
            if is_master && !wait.is_zero() {
                job.wait = Some(wait);
                text = format!("drained when its TCP connections have ended, or in {seconds} s");
            }
        }
        if let Some(ms) = length_ms {
            text += &format!(", for {}", wording::span(ms as f64 / 1e3));
        }
        if let Some(reason) = &one.reason {
            text += &format!(": {reason}");
        }
        job.changes.push((one, true));
        job.done.push((id.clone(), text));
        Ok(())
    }

    /// Takes back one kind, or all: those that are in force for a virtual router, whichever member of its
    /// group they were given for.
    fn end(&self, job: &mut Job, id: &VrId, kind: Option<OverrideKind>) {
        for one in self.in_force(id) {
            let change = (one.clone(), false);
            if kind.is_none_or(|kind| kind == one.kind) && !job.changes.contains(&change) {
                job.changes.push(change);
            }
        }
    }

    fn take_back(&self, job: &mut Job, id: &VrId, kind: Option<OverrideKind>) {
        self.end(job, id, kind);
        let any = self.in_force(id).iter().any(|one| Some(one.kind) == kind);
        let text = match (kind, any) {
            (Some(OverrideKind::Priority), _) => "has its configured priority",
            (Some(OverrideKind::Drain), true) => "not drained any more",
            (Some(OverrideKind::Drain), false) => "was not drained",
            (Some(OverrideKind::Hold), true) => "not held any more",
            (Some(OverrideKind::Hold), false) => "was not held",
            (None, _) => "as configured",
        };
        job.done.push((id.clone(), text.into()));
    }

    /// Has a command carried out, when it is written.
    pub(in crate::daemon) fn take_job(&mut self, job: Job, asked: Option<Asked>, now: Instant) {
        if job.changes.is_empty() {
            self.finish(job, asked, None, now);
        } else {
            self.overrides.jobs.push_back((job, asked));
            self.write_next();
        }
    }

    pub(super) fn write_next(&mut self) {
        if self.overrides.writing {
            return;
        }
        if let Some((job, _)) = self.overrides.jobs.front() {
            for (one, on) in &job.changes {
                self.parent.change_override(one, *on);
            }
            self.overrides.ticket += 1;
            self.parent.keep_overrides(self.overrides.ticket);
            self.overrides.writing = true;
        }
    }

    /// A command is written, or could not be.
    pub(super) fn finish(
        &mut self,
        job: Job,
        asked: Option<Asked>,
        failed: Option<String>,
        now: Instant,
    ) {
        if let Some(why) = failed.as_ref().filter(|_| job.sets()) {
            let text = format!("nothing was changed, as it would not last: {why}");
            log::error!("{text}");
            if let Some(asked) = asked {
                self.control.answer(&asked, Answer::error(text).into(), now);
            }
            return;
        }
        for (one, on) in &job.changes {
            match on {
                true => self.overrides.book.set(one.clone()),
                false => self.overrides.book.remove(one),
            }
        }
        self.begin_waiting(&job, now);
        for id in job.changes.iter().filter_map(|(one, _)| one.id()) {
            self.take_effect(&id);
        }
        let mut messages = Vec::new();
        for (id, text) in job.done {
            if job.resets {
                self.reset(&id);
            }
            if job.ends_resigning {
                self.end_resigning(&id);
            }
            let message = format!("{id}: {text}");
            log::info!("{message} (by vrrpctl)");
            self.command(Some(&id), job.uid, text);
            messages.push(message);
        }
        if let Some(why) = failed {
            let text =
                format!("this holds until vrrpd is restarted, as it could not be written: {why}");
            log::error!("{text}");
            messages.push(text);
        }
        self.backlog = true;
        if let Some(asked) = asked {
            let answer = Answer::Done { messages };
            self.control.answer(&asked, answer.into(), now);
        }
    }

    /// Ends what does not last: `resign` and `disable`.
    fn reset(&mut self, id: &VrId) {
        let reset = self.host.set_enabled(id, true);
        let reset = reset.and_then(|()| self.host.set_priority(id, None));
        if let Err(error) = reset {
            log::error!("{id}: {error}");
        }
        self.take_effect(id);
    }

    /// Sets the priority that it has.
    fn end_resigning(&mut self, id: &VrId) {
        // One that waits for its turn to resign does not say so.
        if let Some(report) = self.host.status(id)
            && let Err(error) = self.host.set_priority(id, report.priority_override)
        {
            log::error!("{id}: {error}");
        }
    }
}
