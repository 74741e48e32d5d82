//! Records of the history beside changes of state.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vrrp_control::{Notice, NoticeKind, Record};
use vrrp_host::wording::{self, Weight, utc};
use vrrp_host::{About, Event, Platform, VrId, Warning};

use super::Daemon;
use crate::history::now_ms;
use crate::report;

/// The longest text of a record, in octets.
const LONGEST: usize = 1_000;
/// Records of one kind that the network or a busy host can cause at once.
const BURST: f64 = 50.0;
/// Seconds until there may be another one. A flood of a day leaves three fifths of the history alone.
const REFILL: f64 = 240.0;
/// The time between two looks at the clock.
const LOOK: Duration = Duration::from_secs(1);
/// A difference between the clock and the time that has gone by, in milliseconds, that is recorded.
const STEP_MS: i64 = 1_000;
/// The longest pause between the readings of two clocks that are compared.
const SHORT: Duration = Duration::from_millis(100);

/// Limits the records that others can cause, by their kind: a flood must not wash away the history.
#[derive(Debug, Default)]
pub(super) struct Provoked(BTreeMap<&'static str, Allowance>);

#[derive(Debug)]
struct Allowance {
    left: f64,
    filled: Instant,
    left_out: u64,
}

impl Provoked {
    /// Returns whether a record may be made, and how many were not since the last one.
    fn admit(&mut self, kind: NoticeKind, now: Instant) -> Option<u64> {
        let allowance = self.0.entry(kind.as_str()).or_insert(Allowance {
            left: BURST,
            filled: now,
            left_out: 0,
        });
        let seconds = now
            .saturating_duration_since(allowance.filled)
            .as_secs_f64();
        allowance.left = (allowance.left + seconds / REFILL).min(BURST);
        allowance.filled = now;
        if allowance.left < 1.0 {
            allowance.left_out += 1;
            return None;
        }
        allowance.left -= 1.0;
        Some(std::mem::take(&mut allowance.left_out))
    }
}

/// Notices that the clock of the host was set.
#[derive(Debug)]
pub(super) struct Clock {
    looked: Instant,
    time_ms: u64,
}

impl Clock {
    pub(super) fn now() -> Self {
        Self {
            looked: Instant::now(),
            time_ms: now_ms(),
        }
    }

    /// By how many milliseconds the clock was set since the last look, if by much.
    fn step(&mut self, now: Instant, time_ms: u64) -> Option<i64> {
        let passed = now.saturating_duration_since(self.looked).as_millis() as i64;
        let by = (time_ms as i64)
            .saturating_sub(self.time_ms as i64)
            .saturating_sub(passed);
        *self = Self {
            looked: now,
            time_ms,
        };
        (by.abs() >= STEP_MS).then_some(by)
    }
}

impl<P: Platform> Daemon<P> {
    /// Adds a record to the history: those who follow it are told, and the parent keeps it.
    pub(super) fn record(&mut self, record: impl Into<Record>) {
        let record = self.control.publish(record, now_ms());
        self.parent.record(record);
    }

    /// Records what happened to a virtual router or to the whole host.
    pub(super) fn notice(&mut self, kind: NoticeKind, id: Option<&VrId>, text: String) {
        self.record(about(kind, id, text));
    }

    /// Records a request of an administrator.
    pub(super) fn command(&mut self, id: Option<&VrId>, uid: u32, text: String) {
        let notice = about(NoticeKind::Command, id, text);
        self.record(Notice {
            uid: Some(uid),
            user: self.user_name(uid),
            ..notice
        });
    }

    /// Records the outcome of a reload. `uid`: the user who asked for it by vrrpctl.
    pub(super) fn note_reload(
        &mut self,
        outcome: &Result<Vec<String>, Vec<String>>,
        uid: Option<u32>,
    ) {
        self.reloads.last_accepted = outcome.is_ok();
        match outcome {
            Ok(_) => self.reloads.accepted += 1,
            Err(_) => self.reloads.refused += 1,
        }
        self.refused_reload = outcome.as_ref().err().map(|errors| {
            let first = errors.first().map_or("", String::as_str);
            let time = utc(now_ms());
            let time = time.get(..16).unwrap_or_default().replace('T', " ");
            format!(
                "{} is not what runs: the reload at {time} UTC was refused: {first}; see vrrpd --check, and type vrrpctl reload",
                self.file.display()
            )
        });
        let text = match outcome {
            Ok(said) => said.join("; "),
            Err(errors) => {
                let errors = errors.join("; ");
                format!("not reloaded: everything stays as it was: {errors}")
            }
        };
        let user = uid.and_then(|uid| self.user_name(uid));
        let notice = about(NoticeKind::Reload, None, text);
        self.record(Notice {
            uid,
            user,
            ..notice
        });
    }

    /// Records an event that is no change of state.
    pub(super) fn note_event(&mut self, event: &Event, now: Instant) {
        let (kind, id, interface) = match event {
            Event::StateChange { .. } | Event::Prepare { .. } => return,
            Event::Interface { name, .. } => (NoticeKind::Interface, None, Some(name)),
            Event::Rejected { interface, .. } => (NoticeKind::Refused, None, Some(interface)),
            Event::Problem { id, .. } => (NoticeKind::Problem, id.as_ref(), None),
            Event::Healed { id, .. } => (NoticeKind::Healed, Some(id), None),
            Event::Stalled { .. } => (NoticeKind::Stall, None, None),
            Event::Removed { id } => (NoticeKind::Other, Some(id), None),
            event => match wording::event(event).0 {
                // A warning says the same, and its end as well.
                Weight::Warned => return,
                _ => (NoticeKind::Other, None, None),
            },
        };
        let Some(left_out) = self.provoked.admit(kind, now) else {
            return;
        };
        let (_, line) = wording::event(event);
        let line = match id {
            Some(id) => line.strip_prefix(&format!("{id}: ")).unwrap_or(&line),
            None => &line,
        };
        let mut notice = about(kind, id, with_left_out(line, left_out));
        if let Event::Rejected { vrid, .. } = event {
            notice.vrid = *vrid;
        }
        notice.interface = notice.interface.or_else(|| interface.cloned());
        self.record(notice);
    }

    /// Records that a warning has begun, or that it holds no longer.
    pub(super) fn note_warning(&mut self, warning: &Warning, begins: bool, now: Instant) {
        let Some(left_out) = self.provoked.admit(NoticeKind::Warning, now) else {
            return;
        };
        let text = match begins {
            true => warning.text.clone(),
            false => format!("no longer: {}", warning.text),
        };
        let text = with_left_out(&text, left_out);
        let mut notice = match &warning.about {
            About::VirtualRouter(id) => about(NoticeKind::Warning, Some(id), text),
            About::Host | About::Interface(_) => about(NoticeKind::Warning, None, text),
        };
        if let About::Interface(name) = &warning.about {
            notice.interface = Some(name.clone());
        }
        self.record(notice);
    }

    /// Records that the clock was set, once a second at most.
    pub(super) fn look_at_clock(&mut self, now: Instant) {
        if now.saturating_duration_since(self.clock.looked) < LOOK {
            return;
        }
        let time_ms = now_ms();
        // On a busy host a pause between the readings of the two clocks would look like a step.
        if now.elapsed() >= SHORT {
            return;
        }
        let Some(by) = self.clock.step(now, time_ms) else {
            return;
        };
        if let Some(left_out) = self.provoked.admit(NoticeKind::Clock, now) {
            let seconds = by.unsigned_abs() as f64 / 1e3;
            let way = if by > 0 { "forward" } else { "back" };
            let text = format!("the clock of this host was set {way} by {seconds:.3} s");
            log::info!("{text}");
            let text = with_left_out(&text, left_out);
            self.notice(NoticeKind::Clock, None, text);
        }
    }
}

fn with_left_out(text: &str, left_out: u64) -> String {
    match left_out {
        0 => text.to_owned(),
        n => format!("{text} ({n} records of this kind were left out before)"),
    }
}

fn about(kind: NoticeKind, id: Option<&VrId>, text: String) -> Notice {
    let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end));
    let end = end.filter(|_| text.len() > LONGEST).unwrap_or(text.len());
    let text = text.get(..end).unwrap_or_default();
    Notice {
        kind,
        vrid: id.map(|id| id.vrid.get()),
        name: id.and_then(|id| id.name.as_deref().map(str::to_owned)),
        interface: id.map(|id| id.interface.clone()),
        family: id.map(|id| report::family(id.family)),
        text: text.replace(char::is_control, " "),
        ..Notice::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_one_kind_leaves_the_others_alone_and_is_counted() {
        let mut provoked = Provoked::default();
        let begin = Instant::now();
        let admitted = (0..10_000)
            .filter(|n| {
                let now = begin + Duration::from_millis(10 * n);
                provoked.admit(NoticeKind::Refused, now).is_some()
            })
            .count();
        assert_eq!(admitted, 50, "in 100 s");
        assert_eq!(provoked.admit(NoticeKind::Problem, begin), Some(0));
        let later = begin + Duration::from_secs(400);
        assert_eq!(provoked.admit(NoticeKind::Refused, later), Some(9_950));
        let day = (0..86_400).filter(|n| {
            let now = later + Duration::from_secs(*n);
            provoked.admit(NoticeKind::Refused, now).is_some()
        });
        assert!(day.count() < 400);
    }

    #[test]
    fn a_clock_that_is_set_is_told_from_time_that_goes_by() {
        let mut clock = Clock::now();
        let (began, time) = (clock.looked, clock.time_ms);
        let after = |s: u64| began + Duration::from_secs(s);
        assert_eq!(clock.step(after(5), time + 5_000), None);
        assert_eq!(clock.step(after(6), time + 3_606_000), Some(3_600_000));
        assert_eq!(clock.step(after(7), time + 7_400), Some(-3_599_600));
        assert_eq!(clock.step(after(8), time + 8_000), None);
    }

    #[test]
    fn a_text_is_one_line_of_bounded_length() {
        let notice = about(NoticeKind::Other, None, "a\nb".into());
        assert_eq!(notice.text, "a b");
        let long = "ü".repeat(LONGEST);
        assert_eq!(about(NoticeKind::Other, None, long).text.len(), LONGEST);
    }
}
