//! The overrides in force: how they are given, what they do, and how they end.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use vrrp_control::{Answer, GivenOverride, OverrideKind, Request, Terms, Which};
use vrrp_core::{Priority, State};
use vrrp_host::{Platform, VrId, VrReport, wording};

use super::Daemon;
use crate::control::Asked;
use crate::ctl::text;
use crate::history::now_ms;
use crate::overrides::{Book, LONGEST_MS, MAX_REASON, Override};

/// The priority of a held master: the highest one that is not the owner's.
const HELD: u8 = 254;
/// The time between two counts of connections.
const COUNT_PAUSE: Duration = Duration::from_millis(500);
/// The time between two looks at those that wait. There are many turns between.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// Commands that may wait for the disk.
const MOST_JOBS: usize = 32;

/// The overrides, and the commands that are being carried out.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    book: Book,
    /// The first one is being written.
    jobs: VecDeque<(Job, Option<Asked>)>,
    ticket: u64,
    writing: bool,
    waits: BTreeMap<VrId, Wait>,
    /// When those that wait are looked at again.
    look_at: Option<Instant>,
}

/// A command.
#[derive(Debug, Default)]
pub(super) struct Job {
    uid: u32,
    /// Overrides that are set (true) or taken back.
    changes: Vec<(Override, bool)>,
    /// How long masters let connections end.
    wait: Option<Duration>,
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

/// A master that lets connections end before it leaves.
#[derive(Debug)]
struct Wait {
    until: Instant,
    count_at: Instant,
    asked: bool,
    connections: Option<u64>,
    failed: Option<String>,
}

impl Overrides {
    pub(super) fn new(all: Vec<Override>) -> Self {
        Self {
            book: Book::new(all),
            // Not one of an earlier worker.
            ticket: now_ms(),
            ..Self::default()
        }
    }

    /// When [`Daemon::go_on_with_overrides`] is due.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        let end = self.book.next_end_ms(now_ms());
        let end = end.map(|ms| now + Duration::from_millis(ms));
        let look = (!self.waits.is_empty()).then(|| self.look_at.unwrap_or(now));
        let unwritten = (!self.writing && !self.jobs.is_empty()).then_some(now);
        look.into_iter().chain(end).chain(unwritten).min()
    }

    /// Drops those of virtual routers that are not configured any more, and priorities in the place of
    /// a configured one that is another now.
    pub(super) fn keep_configured(&mut self, priorities: &BTreeMap<VrId, Priority>) {
        let mut job = Job::default();
        for one in self.book.all() {
            let Some(id) = one.id() else { continue };
            let configured = priorities.get(&id).map(|priority| priority.get());
            let why = match (one.kind, configured) {
                (_, None) => "it is not configured any more".to_owned(),
                (OverrideKind::Priority, Some(now)) if one.configured != Some(now) => {
                    format!("the configured priority is {now} now")
                }
                _ => continue,
            };
            log::warn!("{id}: {} is over: {why}", words(one.kind));
            job.changes.push((one.clone(), false));
        }
        self.drop_at_once(job);
    }

    /// Takes back what has ended anyway: it need not be written before.
    fn drop_at_once(&mut self, job: Job) {
        if !job.changes.is_empty() {
            job.changes
                .iter()
                .for_each(|(one, _)| self.book.remove(one));
            self.jobs.push_back((job, None));
        }
    }
}

/// An override in words.
const fn words(kind: OverrideKind) -> &'static str {
    match kind {
        OverrideKind::Drain => "the drain",
        OverrideKind::Hold => "the hold",
        OverrideKind::Priority => "the priority of vrrpctl",
    }
}

impl<P: Platform> Daemon<P> {
    /// The job of a request whose effect lasts. `None`: it is another request.
    pub(super) fn override_job(&self, request: &Request, uid: u32) -> Option<Result<Job, String>> {
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
    pub(super) fn take_job(&mut self, job: Job, asked: Option<Asked>, now: Instant) {
        if job.changes.is_empty() {
            self.finish(job, asked, None, now);
        } else {
            self.overrides.jobs.push_back((job, asked));
            self.write_next();
        }
    }

    fn write_next(&mut self) {
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

    /// Takes what the parent has done, ends what has ended, and lets those leave that have waited.
    pub(super) fn go_on_with_overrides(&mut self, now: Instant) {
        for (ticket, result) in self.parent.take_kept() {
            if ticket == self.overrides.ticket
                && std::mem::take(&mut self.overrides.writing)
                && let Some((job, asked)) = self.overrides.jobs.pop_front()
            {
                self.finish(job, asked, result.err(), now);
            }
        }
        for (id, count) in self.parent.take_counted() {
            if let Some(wait) = self.overrides.waits.get_mut(&id) {
                wait.asked = false;
                wait.count_at = now + COUNT_PAUSE;
                match count {
                    Ok(count) => wait.connections = Some(count),
                    Err(why) => wait.failed = Some(why),
                }
            }
        }
        let ended = self.overrides.book.ended(now_ms());
        if !ended.is_empty() {
            let mut job = Job::default();
            for one in ended {
                if let Some(id) = one.id() {
                    let id = self.configured.get(&id).cloned().unwrap_or(id);
                    log::warn!("{id}: {} is over: its time has passed", words(one.kind));
                    self.command(
                        Some(&id),
                        one.uid,
                        format!("{} is over: its time has passed", words(one.kind)),
                    );
                }
                job.changes.push((one, false));
            }
            let ids: Vec<VrId> = job.changes.iter().filter_map(|(one, _)| one.id()).collect();
            self.overrides.drop_at_once(job);
            ids.iter().for_each(|id| self.take_effect(id));
        }
        self.go_on_waiting(now);
        self.write_next();
    }

    /// A command is written, or could not be.
    fn finish(&mut self, job: Job, asked: Option<Asked>, failed: Option<String>, now: Instant) {
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

    /// Has the masters that a command drains wait for their connections, if it says so. A command without
    /// that ends the wait of the whole group.
    fn begin_waiting(&mut self, job: &Job, now: Instant) {
        let drains = job.changes.iter();
        let drains = drains.filter(|(one, _)| one.kind == OverrideKind::Drain);
        let drains: Vec<(VrId, bool)> = drains
            .filter_map(|(one, on)| Some((one.id()?, *on)))
            .collect();
        for (id, on) in &drains {
            let over = match on {
                true => self.host.together(id),
                false => vec![id.clone()],
            };
            for id in over {
                self.overrides.waits.remove(&id);
            }
        }
        let Some(wait) = job.wait else { return };
        for (id, _) in drains.into_iter().filter(|(_, on)| *on) {
            if self.is_master(&id) {
                let wait = Wait {
                    until: now + wait,
                    count_at: now,
                    asked: false,
                    connections: None,
                    failed: None,
                };
                self.overrides.waits.insert(id, wait);
            }
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

    fn is_master(&self, id: &VrId) -> bool {
        let report = self.host.status(id);
        report.is_some_and(|report| report.status.state == State::Active)
    }

    /// The overrides that are in force for a virtual router: those of all members of its group, in the order
    /// in which they were given.
    fn in_force(&self, id: &VrId) -> Vec<&Override> {
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
    fn take_effect(&mut self, id: &VrId) {
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
            log::error!("{id}: an override has no effect: {error}");
        }
    }

    /// Has every override take effect, at a start and after a reload.
    pub(super) fn review_overrides(&mut self) {
        let mut ids = self.overrides.book.ids();
        self.overrides.waits.retain(|id, _| ids.contains(id));
        // A reload may have changed which of them share an override.
        let reports = self.host.statuses().into_iter();
        let shared = reports
            .filter(|report| report.drained || report.held || report.priority_override.is_some());
        ids.extend(shared.map(|report| report.id));
        ids.iter().for_each(|id| self.take_effect(id));
    }

    /// Says at a start which overrides there are: somebody may have forgotten them.
    pub(super) fn log_overrides(&self) {
        for id in self.overrides.book.ids() {
            let id = self.configured.get(&id).unwrap_or(&id);
            for given in self.given_overrides(id) {
                log::warn!("{id}: {}", text::given_override(&given));
            }
        }
    }

    /// A held virtual router has changed its state: its priority depends on that.
    pub(super) fn follow_hold(&mut self, id: &VrId) {
        if self.is_held(id) {
            self.take_effect(id);
        }
    }

    fn go_on_waiting(&mut self, now: Instant) {
        if self.overrides.look_at.is_some_and(|at| at > now) {
            return;
        }
        self.overrides.look_at = Some(now + LOOK_PAUSE);
        let ids: Vec<VrId> = self.overrides.waits.keys().cloned().collect();
        for id in ids {
            let is_master = self.is_master(&id);
            let Some(wait) = self.overrides.waits.get_mut(&id) else {
                continue;
            };
            let left = match (wait.connections, &wait.failed) {
                (Some(count), _) => format!("{count} TCP connections"),
                (None, Some(why)) => format!("TCP connections that are not counted: {why}"),
                (None, None) => "TCP connections that were not counted".into(),
            };
            if is_master && wait.connections != Some(0) && wait.until > now {
                if !wait.asked && wait.count_at <= now {
                    wait.asked = true;
                    self.parent.count(&id);
                }
                continue;
            }
            self.overrides.waits.remove(&id);
            let named = self.configured.get(&id).unwrap_or(&id);
            log::info!("{named}: drained with {left} left");
            self.take_effect(&id);
            self.backlog = true;
        }
    }

    /// Moves masters away, once.
    pub(super) fn fail_over(&mut self, which: &Which, uid: u32) -> Answer {
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
    pub(super) fn fail_back(&mut self, which: &Which, uid: u32) -> Answer {
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

    /// The overrides of a virtual router, as status shows them: its own, and of a kind that it has none of
    /// that of another member of its group.
    pub(super) fn given_overrides(&self, id: &VrId) -> Vec<GivenOverride> {
        let (now, now_ms) = (Instant::now(), now_ms());
        let all = self.in_force(id);
        let own: Vec<&Override> = all.iter().copied().filter(|one| one.is_of(id)).collect();
        let mut shown = own;
        for one in all.into_iter().rev() {
            if shown.iter().all(|shown| shown.kind != one.kind) {
                shown.push(one);
            }
        }
        let given = shown.into_iter().map(|one| {
            let drains = one.kind == OverrideKind::Drain;
            let of = one.id().unwrap_or_else(|| id.clone());
            let wait = self.overrides.waits.get(&of).filter(|_| drains);
            let wait_left = wait.map(|wait| wait.until.saturating_duration_since(now));
            let member = (!one.is_of(id)).then(|| {
                let named = self.configured.get(&of).unwrap_or(&of);
                named.to_string()
            });
            GivenOverride {
                kind: one.kind,
                priority: one.priority,
                member,
                uid: one.uid,
                user: self.user_name(one.uid),
                time_ms: one.since_ms,
                left_s: one.left_ms(now_ms).map(|ms| ms as f64 / 1e3),
                reason: one.reason.clone(),
                wait_left_s: wait_left.map(|left| left.as_secs_f64()),
                connections: wait.and_then(|wait| wait.connections),
            }
        });
        given.collect()
    }

    /// The drain of a virtual router, in words, as the reason why it stands back.
    pub(super) fn drain_reason(&self, id: &VrId) -> Option<String> {
        let given = self.given_overrides(id);
        let drain = given.iter().find(|one| one.kind == OverrideKind::Drain)?;
        Some(text::drained_by(drain))
    }
}
