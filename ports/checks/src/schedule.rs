//! One task for each check: when it is asked, and what is told of it.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{Instant, sleep_until};
use vrrp_config::{CheckKind, CheckSpec, Order, Outcome, Report};

use crate::lateness::{Late, Pulse};
use crate::line::Reports;
use crate::probe::{self, Tools, Trace, Trouble};
use crate::tally::Tally;

/// The first questions of all checks are asked within this time.
const START_WITHIN: Duration = Duration::from_secs(1);
/// Checks become due together, at multiples of this time: of 500 checks at 1 s ten share each wake-up, which
/// costs as much as asking.
const GRID: Duration = Duration::from_millis(20);
/// The same for units, which one program asks together.
const GRID_OF_UNITS: Duration = Duration::from_millis(200);
/// A check that is asked more often than this does not wait for others.
const SHORT: Duration = Duration::from_millis(200);
/// An answer in other words, which changes no state, is told no more often than this.
const WORDS_AFTER: Duration = Duration::from_secs(2);
/// The duration of the same answer is told no more often than this.
const AGAIN_AFTER: Duration = Duration::from_secs(10);
/// The longest answer in words.
pub(crate) const MAX_TEXT: usize = 300;
/// The most steps of an explanation.
const MAX_STEPS: usize = 20;

/// The checks that run.
pub(crate) struct Schedule {
    checks: HashMap<String, Running>,
    tools: Rc<Tools>,
    reports: Reports,
    pulse: Pulse,
    random: RandomState,
    epoch: Instant,
}

/// A check that runs.
struct Running {
    spec: Rc<CheckSpec>,
    asked_for: Rc<AskedFor>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A run that somebody waits for.
#[derive(Default)]
struct AskedFor {
    pending: Cell<bool>,
    notify: Notify,
}

impl Schedule {
    pub(crate) fn new(tools: Rc<Tools>, reports: Reports) -> Self {
        Self {
            checks: HashMap::new(),
            tools,
            reports,
            pulse: Pulse::start(),
            random: RandomState::new(),
            epoch: Instant::now(),
        }
    }

    /// Does what vrrpd wants.
    pub(crate) fn follow(&mut self, order: Order) {
        match order {
            Order::Checks(checks) => self.adopt(checks),
            Order::Run(name) => {
                if let Some(running) = self.checks.get(&name) {
                    running.asked_for.pending.set(true);
                    running.asked_for.notify.notify_one();
                }
            }
        }
    }

    fn adopt(&mut self, checks: Vec<(CheckSpec, bool)>) {
        let mut before = std::mem::take(&mut self.checks);
        for (spec, up) in checks {
            let same = before.remove(&spec.name);
            let running = match same.filter(|running| *running.spec == spec) {
                Some(running) => running,
                None => self.begin(spec, up),
            };
            self.checks.insert(running.spec.name.clone(), running);
        }
        for name in before.keys() {
            self.reports.forget(name);
        }
    }

    fn begin(&self, spec: CheckSpec, up: bool) -> Running {
        // Services are not asked all at the same moment, but for those that are asked together.
        let within = match is_asked_together(&spec) {
            true => 0,
            false => spec.interval.min(START_WITHIN).as_micros() as u64,
        };
        let offset = self.random.hash_one(&spec.name) % within.max(1);
        let spec = Rc::new(spec);
        let asked_for = Rc::new(AskedFor::default());
        let task = Task {
            spec: spec.clone(),
            asked_for: asked_for.clone(),
            tools: self.tools.clone(),
            reports: self.reports.clone(),
            pulse: self.pulse.clone(),
            epoch: self.epoch,
            tally: Tally::new(up),
            runs: 0,
            told: None,
        };
        let task = spawn_local(task.run(Duration::from_micros(offset))).abort_handle();
        Running {
            spec,
            asked_for,
            task,
        }
    }
}

/// Whether one program asks all checks of this kind that are due together.
fn is_asked_together(spec: &CheckSpec) -> bool {
    matches!(spec.kind, CheckKind::Unit(_))
}

/// The task of one check.
struct Task {
    spec: Rc<CheckSpec>,
    asked_for: Rc<AskedFor>,
    tools: Rc<Tools>,
    reports: Reports,
    pulse: Pulse,
    epoch: Instant,
    tally: Tally,
    runs: u64,
    /// The last outcome that was told, and when.
    told: Option<(Outcome, Instant)>,
}

impl Task {
    async fn run(mut self, offset: Duration) {
        let mut due = Instant::now() + offset;
        loop {
            tokio::select! {
                () = sleep_until(self.shared(due)) => {}
                () = self.asked_for.notify.notified() => {}
            }
            let explain = self.asked_for.pending.take();
            let began = Instant::now();
            let (outcome, steps) = self.ask(explain).await;
            self.tell(outcome, steps);
            // A question that took longer than the interval is followed by the next at once, and those
            // in between are left out.
            if !explain {
                due += self.spec.interval;
                let earliest = began.max(due);
                due = earliest.max(Instant::now());
            }
        }
    }

    /// The moment at which this check is asked together with others, and not before it is due.
    fn shared(&self, due: Instant) -> Instant {
        if self.spec.interval < SHORT {
            return due;
        }
        let since = due.saturating_duration_since(self.epoch).as_nanos();
        let grid = match is_asked_together(&self.spec) {
            true => GRID_OF_UNITS,
            false => GRID,
        };
        let over = (since % grid.as_nanos()) as u64;
        match over {
            0 => due,
            over => due + grid - Duration::from_nanos(over),
        }
    }

    /// Asks once.
    async fn ask(&self, explain: bool) -> (Outcome, Option<Vec<String>>) {
        let trace = Trace::new(explain);
        let began = Instant::now();
        let question = probe::ask(&self.spec, &self.tools, &trace);
        let answer = self.pulse.limit(self.spec.timeout, question).await;
        let took = began.elapsed();
        let (passed, text) = match answer {
            Ok(Ok(text)) => (Some(true), text),
            Ok(Err(Trouble::Failed(text))) => (Some(false), text),
            Ok(Err(Trouble::NotJudged(text))) => (None, text),
            Err(Late::TimedOut) => (Some(false), trace.waited_for(self.spec.timeout)),
            Err(Late::Stalled(stalled)) => {
                let stalled = probe::seconds(stalled);
                (
                    None,
                    format!("not judged: this host was busy for {stalled}"),
                )
            }
        };
        let text = probe::printable(&text, MAX_TEXT);
        let outcome = Outcome { passed, text, took };
        let steps = explain.then(|| trace.steps(MAX_STEPS, MAX_TEXT));
        (outcome, steps)
    }

    fn tell(&mut self, outcome: Outcome, steps: Option<Vec<String>>) {
        self.runs += 1;
        let spec = &self.spec;
        let changed = match outcome.passed {
            Some(passed) => self.tally.count(passed, spec.fall, spec.rise),
            None => false,
        };
        let now = Instant::now();
        let news = self.told.as_ref().is_none_or(|(told, at)| {
            let other = told.text != outcome.text || told.passed != outcome.passed;
            let after = match other {
                // Whether it passed is always news.
                true if told.passed != outcome.passed => Duration::ZERO,
                true => WORDS_AFTER,
                false => AGAIN_AFTER,
            };
            now >= *at + after
        });
        if changed || news || steps.is_some() {
            self.told = Some((outcome.clone(), now));
            self.reports.send(Report {
                name: spec.name.clone(),
                up: self.tally.is_up(),
                outcome,
                runs: self.runs,
                steps,
            });
        }
    }
}
