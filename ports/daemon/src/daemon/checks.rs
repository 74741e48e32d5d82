//! Answers of checks, and their consequences for virtual routers.

use std::time::Instant;

use vrrp_config::tracked_name;
use vrrp_control::{Answer, CheckEvent, NoticeKind};
use vrrp_core::{Reason, TrackEffect};
use vrrp_host::{Platform, Tracked, VrId, Why, wording};

use super::Daemon;
use crate::checks::{Change, News};
use crate::report;

impl<P: Platform> Daemon<P> {
    /// Tells the host the state of every check: a tracked object that is new to it counts as up.
    pub(super) fn state_checks(&mut self) {
        for (name, up) in self.board.states() {
            self.host.set_tracked(&tracked_name(name), up);
        }
    }

    /// Takes the news of checkers and of the boot count.
    pub(super) fn take_news(&mut self, now: Instant) {
        for one in self.parent.take_news() {
            self.take_one(one, now);
        }
        for text in self.parent.take_count_warnings() {
            self.notice(NoticeKind::Problem, None, text);
        }
    }

    fn take_one(&mut self, news: News, now: Instant) {
        if let Some(change) = self.board.take(news, now) {
            log_change(&change);
            self.host
                .set_tracked(&tracked_name(&change.name), change.up);
            let event = CheckEvent {
                seq: 0,
                time_ms: 0,
                name: change.name,
                passing: change.up,
                answer: change.text,
            };
            self.record(event);
        }
    }

    /// How a check stands; `run`: it is run now, and somebody will ask again.
    pub(super) fn check(&mut self, name: &str, run: bool, uid: u32) -> Answer {
        let Some(check) = self.board.check(name, Instant::now()) else {
            return Answer::error(format!("there is no check `{name}`"));
        };
        if run {
            let text = format!("check {name}: run now");
            log::info!("{text} (by vrrpctl)");
            self.command(None, uid, text);
            self.parent.run_check(name);
        }
        Answer::Check(check)
    }

    /// Why a state changed, with the tracked objects that had a part in it.
    pub(super) fn reason(&self, id: &VrId, why: &Why) -> String {
        let reason = wording::reason(why);
        match why.reason {
            Reason::TrackedFault if why.group.is_none() => {
                let faults = self.down(id, |effect| effect == TrackEffect::Fault);
                faults.unwrap_or(reason)
            }
            // The members of a group resign when the first of them that stands back is succeeded.
            Reason::Resigned if why.group.is_some() => self.drain_reason(id).unwrap_or(reason),
            Reason::StandsBack => {
                let drained = self.drain_reason(id);
                drained
                    .or_else(|| self.down(id, |effect| effect == TrackEffect::StandBack))
                    .unwrap_or(reason)
            }
            Reason::HigherPriority | Reason::HigherAddress => {
                match self.down(id, |effect| effect != TrackEffect::Fault) {
                    Some(down) => format!("{reason}; {down}"),
                    None => reason,
                }
            }
            _ => reason,
        }
    }

    /// The tracked objects of a virtual router that are down and whose effect is one of those that `fits`
    /// picks, in words: `check web failed: 127.0.0.1:80 connection refused; interface eth1 is down`. Returns
    /// `None` if there are none.
    fn down(&self, id: &VrId, fits: impl Fn(TrackEffect) -> bool) -> Option<String> {
        let tracked = self.host.tracked(id).into_iter();
        let objects = tracked.filter_map(|track| match (&track.what, track.up) {
            (Tracked::Interface(_) | Tracked::VirtualRouter(_), false) if fits(track.effect) => {
                Some(format!("{} is down", report::object(&track.what)))
            }
            // The board knows more of a check.
            _ => None,
        });
        let checks = self.board.reason(id, &fits);
        let all: Vec<String> = checks.into_iter().chain(objects).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }
}

fn log_change(change: &Change) {
    let Change { name, up, text } = change;
    match up {
        true => log::info!("check {name}: passes: {text}"),
        false => log::warn!("check {name}: failed: {text}"),
    }
}
