//! The state of every check, for the worker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vrrp_config::{Check, Outcome, check_name};
use vrrp_core::TrackEffect;
use vrrp_host::{TrackSpec, Tracked, VrId};

use super::News;
use vrrp_config::Report;

/// The longest answer in words; the checker, which reads what strangers say, is not trusted with more.
const MAX_TEXT: usize = 320;
/// The most steps of an explanation.
const MAX_STEPS: usize = 20;

/// The checks and their states.
#[derive(Debug, Default)]
pub struct Board {
    checks: BTreeMap<String, Row>,
    /// The checks of each virtual router that has some.
    uses: BTreeMap<VrId, Vec<(String, TrackEffect)>>,
    /// Why the process that asks services is not there, and why that which runs commands is not.
    trouble: [Option<String>; 2],
}

/// A check.
#[derive(Debug)]
struct Row {
    kind: &'static str,
    up: bool,
    since: Instant,
    /// The last answer, and when it was told.
    last: Option<(Outcome, Instant)>,
    runs: u64,
    timeout: Duration,
    changes: u64,
    /// The explanation of the last run that was asked for.
    steps: Vec<String>,
    /// How many of those have been answered.
    explained: u64,
}

/// A change of a check's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The check.
    pub name: String,
    /// Whether it passes.
    pub up: bool,
    /// Why, in words.
    pub text: String,
}

impl Board {
    /// From now on these are the checks, and these virtual routers use them. A check that was there
    /// before keeps its state.
    pub fn configure<'a>(
        &mut self,
        checks: &[Check],
        uses: impl Iterator<Item = (&'a VrId, &'a [TrackSpec])>,
        now: Instant,
    ) {
        let mut before = std::mem::take(&mut self.checks);
        for check in checks {
            let spec = &check.spec;
            let mut row = before.remove(&spec.name).unwrap_or_else(|| Row {
                kind: "",
                up: spec.initially_up,
                since: now,
                last: None,
                runs: 0,
                timeout: spec.timeout,
                changes: 0,
                steps: Vec::new(),
                explained: 0,
            });
            (row.kind, row.timeout) = (spec.kind.word(), spec.timeout);
            self.checks.insert(spec.name.clone(), row);
        }
        self.uses.clear();
        for (id, tracks) in uses {
            let used = tracks.iter().filter_map(|track| match &track.what {
                Tracked::Named(name) => Some((check_name(name)?.to_owned(), track.effect)),
                _ => None,
            });
            let used: Vec<_> = used.collect();
            if !used.is_empty() {
                self.uses.insert(id.clone(), used);
            }
        }
    }

    /// The checks and whether each passes.
    pub fn states(&self) -> impl Iterator<Item = (&str, bool)> {
        self.checks
            .iter()
            .map(|(name, row)| (name.as_str(), row.up))
    }

    /// Takes what is new. A change of a state is returned.
    pub fn take(&mut self, news: News, now: Instant) -> Option<Change> {
        match news {
            News::Report(report) => self.report(report, now),
            News::Trouble { commands, why } => {
                if let Some(trouble) = self.trouble.get_mut(usize::from(commands)) {
                    *trouble = why;
                }
                None
            }
        }
    }

    fn report(&mut self, report: Report, now: Instant) -> Option<Change> {
        let row = self.checks.get_mut(&report.name)?;
        let mut outcome = report.outcome;
        outcome.text = plain(&outcome.text);
        row.runs = row.runs.max(report.runs);
        if let Some(steps) = report.steps {
            row.steps = steps.iter().take(MAX_STEPS).map(|s| plain(s)).collect();
            row.explained += 1;
        }
        let text = outcome.text.clone();
        row.last = Some((outcome, now));
        if row.up == report.up {
            return None;
        }
        (row.up, row.since) = (report.up, now);
        row.changes += 1;
        Some(Change {
            name: report.name,
            up: report.up,
            text,
        })
    }

    /// The failing checks of a virtual router whose effect is one of those that `fits` picks, in words:
    /// `check web failed: 127.0.0.1:80 connection refused`. `None`: there are none.
    pub fn reason(&self, id: &VrId, fits: impl Fn(TrackEffect) -> bool) -> Option<String> {
        let uses = self.uses.get(id)?.iter();
        let failed = uses.filter_map(|(name, effect)| {
            let row = self.checks.get(name)?;
            if row.up || !fits(*effect) {
                return None;
            }
            let last = row.last.as_ref();
            let text = last.map_or("not answered yet", |(outcome, _)| outcome.text.as_str());
            Some(format!("check {name} failed: {text}"))
        });
        let failed: Vec<String> = failed.collect();
        (!failed.is_empty()).then(|| failed.join("; "))
    }

    /// How every check stands.
    pub fn checks(&self, now: Instant) -> Vec<vrrp_control::Check> {
        let names = self.checks.keys();
        names.filter_map(|name| self.check(name, now)).collect()
    }

    /// How a check stands. `None`: there is none of this name.
    pub fn check(&self, name: &str, now: Instant) -> Option<vrrp_control::Check> {
        let row = self.checks.get(name)?;
        let age = |at: Instant| now.saturating_duration_since(at).as_secs_f64();
        let last = row.last.as_ref();
        Some(vrrp_control::Check {
            name: name.to_owned(),
            kind: row.kind.to_owned(),
            passing: row.up,
            since_s: age(row.since),
            answer: last.map(|(outcome, _)| outcome.text.clone()),
            passed: last.and_then(|(outcome, _)| outcome.passed),
            took_s: last.map(|(outcome, _)| outcome.took.as_secs_f64()),
            age_s: last.map(|(_, at)| age(*at)),
            timeout_s: row.timeout.as_secs_f64(),
            runs: row.runs,
            used_by: self.users(name),
            explained: row.explained,
            steps: row.steps.clone(),
        })
    }

    /// The numbers of every check.
    pub fn stats(&self) -> Vec<vrrp_control::CheckStats> {
        let rows = self.checks.iter();
        let stats = rows.map(|(name, row)| vrrp_control::CheckStats {
            name: name.clone(),
            passing: row.up,
            took_us: row
                .last
                .as_ref()
                .map_or(0, |(o, _)| o.took.as_micros() as u64),
            runs: row.runs,
            changes: row.changes,
        });
        stats.collect()
    }

    /// The checks of a virtual router.
    pub fn of(&self, id: &VrId) -> Vec<vrrp_control::UsedCheck> {
        let uses = self.uses.get(id).into_iter().flatten();
        let used = uses.map(|(name, effect)| vrrp_control::UsedCheck {
            name: name.clone(),
            effect: word(*effect),
            passing: self.checks.get(name).is_none_or(|row| row.up),
        });
        used.collect()
    }

    /// Why nobody asks at the moment, in words.
    pub fn troubles(&self) -> impl Iterator<Item = String> {
        let troubles = self.trouble.iter().flatten();
        troubles.map(|why| format!("checks are not run at the moment: {why}"))
    }

    /// How many virtual routers use a check.
    fn users(&self, name: &str) -> usize {
        let uses = self.uses.values();
        uses.filter(|uses| uses.iter().any(|(used, _)| used == name))
            .count()
    }
}

/// The effect of a failing check, as the file writes it.
fn word(effect: TrackEffect) -> String {
    match effect {
        TrackEffect::StandBack => "stand-back".to_owned(),
        TrackEffect::Fault => "fault".to_owned(),
        TrackEffect::WhileDown(weight) => weight.to_string(),
        TrackEffect::WhileUp(weight) => format!("+{weight}"),
    }
}

/// Text of the checker on one line and of a limited length.
fn plain(text: &str) -> String {
    let mut plain: String = text.chars().take(MAX_TEXT).collect();
    plain.retain(|c| !c.is_control());
    plain
}

#[cfg(test)]
mod tests {
    use vrrp_config::Config;

    use super::*;

    const TEXT: &str = "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/32\n\
        check = web:-50, gateway:fault\n\
        [CHECK]\nname = web\ntcp = localhost:80\n\
        [CHECK]\nname = gateway\nping = 10.0.0.9\ninitially = down\n";

    fn config(text: &str) -> Config {
        let parsed = vrrp_config::parse("x.conf".as_ref(), text);
        parsed.config.expect("a correct file")
    }

    fn configure(board: &mut Board, config: &Config, now: Instant) {
        let routers = config.virtual_routers.iter();
        let uses = routers.map(|router| (&router.spec.id, router.spec.tracks.as_slice()));
        board.configure(&config.checks, uses, now);
    }

    fn report(name: &str, up: bool, text: &str) -> News {
        News::Report(Report {
            name: name.into(),
            up,
            outcome: Outcome {
                passed: Some(up),
                text: text.into(),
                took: Duration::from_millis(2),
            },
            runs: 7,
            steps: None,
        })
    }

    fn faults(effect: TrackEffect) -> bool {
        effect == TrackEffect::Fault
    }

    fn weights(effect: TrackEffect) -> bool {
        matches!(effect, TrackEffect::WhileDown(_) | TrackEffect::WhileUp(_))
    }

    fn states(board: &Board) -> Vec<(&str, bool)> {
        board.states().collect()
    }

    #[test]
    fn a_change_is_told_once_and_has_a_reason() {
        let (mut board, config, now) = (Board::default(), config(TEXT), Instant::now());
        configure(&mut board, &config, now);
        assert_eq!(states(&board), [("gateway", false), ("web", true)]);
        let id = &config.virtual_routers[0].spec.id;
        let reason = board.reason(id, faults);
        assert_eq!(
            reason.as_deref(),
            Some("check gateway failed: not answered yet")
        );
        assert_eq!(board.reason(id, weights), None);
        assert_eq!(
            board
                .take(report("gateway", true, "10.0.0.9 answered"), now)
                .map(|c| c.up),
            Some(true)
        );
        assert_eq!(
            board.take(report("gateway", true, "10.0.0.9 answered"), now),
            None
        );
        assert_eq!(board.reason(id, faults), None);
        let change = board.take(report("web", false, "127.0.0.1:80 connection refused"), now);
        assert_eq!(
            change.map(|c| (c.name, c.up)),
            Some(("web".to_owned(), false))
        );
        let reason = board.reason(id, weights);
        assert_eq!(
            reason.as_deref(),
            Some("check web failed: 127.0.0.1:80 connection refused")
        );
        let used = board.of(id);
        assert_eq!(used[0].effect, "-50");
        assert!(!used[0].passing && used[1].passing);
        assert_eq!(board.take(report("stranger", false, ""), now), None);
    }

    #[test]
    fn a_reload_keeps_what_is_there_and_forgets_the_rest() {
        let (mut board, now) = (Board::default(), Instant::now());
        configure(&mut board, &config(TEXT), now);
        board.take(report("web", false, "x"), now);
        let text = TEXT.replace(
            "[CHECK]\nname = gateway\nping = 10.0.0.9\ninitially = down\n",
            "",
        );
        configure(
            &mut board,
            &config(&text.replace(", gateway:fault", "")),
            now,
        );
        assert_eq!(states(&board), [("web", false)]);
    }

    #[test]
    fn the_checker_is_not_trusted_with_lines_and_lengths() {
        let (mut board, now) = (Board::default(), Instant::now());
        configure(&mut board, &config(TEXT), now);
        let long = format!("a\nb\u{1b}[2J{}", "x".repeat(10_000));
        let change = board
            .take(report("web", false, &long), now)
            .expect("a change");
        assert!(change.text.starts_with("ab[2Jxx") && change.text.len() <= MAX_TEXT);
        let why = Some("vrrp-checker ended".to_owned());
        board.take(
            News::Trouble {
                commands: false,
                why,
            },
            now,
        );
        let troubles: Vec<String> = board.troubles().collect();
        assert_eq!(
            troubles,
            ["checks are not run at the moment: vrrp-checker ended"]
        );
        board.take(
            News::Trouble {
                commands: false,
                why: None,
            },
            now,
        );
        assert_eq!(board.troubles().count(), 0);
    }
}
