//! The overrides in force: how they are given, what they do, and how they end.

mod effects;
mod jobs;
mod waits;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use vrrp_control::{GivenOverride, OverrideKind};
use vrrp_core::Priority;
use vrrp_host::{Platform, VrId};

use self::waits::{COUNT_PAUSE, Wait};
use super::Daemon;
use crate::control::Asked;
use crate::ctl::text;
use crate::history::now_ms;
use crate::overrides::{Book, Override};

pub(in crate::daemon) use self::jobs::Job;

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

    /// Says at a start which overrides there are: somebody may have forgotten them.
    pub(super) fn log_overrides(&self) {
        for id in self.overrides.book.ids() {
            let id = self.configured.get(&id).unwrap_or(&id);
            for given in self.given_overrides(id) {
                log::warn!("{id}: {}", text::given_override(&given));
            }
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
