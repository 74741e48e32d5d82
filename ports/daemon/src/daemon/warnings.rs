//! Logs the beginning and the end of each warning once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vrrp_host::{About, Event, Platform, Warning};

use super::Daemon;
use crate::words;

/// The shortest time between two looks. One is taken in the first turn after it.
const REST: Duration = Duration::from_secs(1);
/// The longest time between two looks: on an idle host there are no turns for other reasons.
const PATIENCE: Duration = Duration::from_secs(5);

/// Lines about beginnings, and about ends, that one look logs. Forged advertisements can cause
/// hundreds of warnings.
const MOST_LINES: usize = 32;

/// The warnings that the log knows of.
#[derive(Debug, Default)]
pub(super) struct Logged {
    begun: BTreeSet<Warning>,
    /// Problems logged since the last look: the warning that follows from one needs no second line.
    problems: BTreeSet<Warning>,
    looked: Option<Instant>,
}

impl Logged {
    /// Notes a problem that was logged.
    pub(super) fn note(&mut self, event: &Event) {
        if let Event::Problem { id, text } = event {
            self.problems.insert(Warning {
                about: id.clone().map_or(About::Host, About::VirtualRouter),
                text: text.clone(),
            });
        }
    }

    /// When the next look is due if no turn comes before.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.looked.map(|at| at + PATIENCE)
    }

    /// Goes over to the warnings that hold now.
    fn compare(&mut self, holding: Vec<Warning>) {
        let problems = std::mem::take(&mut self.problems);
        if holding.is_empty() && self.begun.is_empty() {
            return;
        }
        let holding: BTreeSet<Warning> = holding.into_iter().collect();
        let news = holding.difference(&self.begun);
        let news: Vec<&Warning> = news.filter(|w| !problems.contains(w)).collect();
        for warning in news.iter().take(MOST_LINES) {
            log::warn!("{}", words::warning(warning));
        }
        if let more @ 1.. = news.len().saturating_sub(MOST_LINES) {
            log::warn!("{more} more warnings: see vrrpctl status");
        }
        let over: Vec<&Warning> = self.begun.difference(&holding).collect();
        for warning in over.iter().take(MOST_LINES) {
            log::info!("no longer: {}", words::warning(warning));
        }
        if let more @ 1.. = over.len().saturating_sub(MOST_LINES) {
            log::info!("no longer: {more} more warnings");
        }
        self.begun = holding;
    }
}

impl<P: Platform> Daemon<P> {
    /// Compares the warnings that hold with what the log knows, about once a second. While it stops
    /// there is more to come that ends them.
    pub(super) fn log_warnings(&mut self, now: Instant) {
        let rested = |at: Instant| now.saturating_duration_since(at) >= REST;
        if self.stop.is_none() && self.logged.looked.is_none_or(rested) {
            self.logged.looked = Some(now);
            self.limit.tell(now);
            self.logged.compare(self.host.warnings());
        }
    }
}
