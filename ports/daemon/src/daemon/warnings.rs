//! Logs the beginning and the end of each warning once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use vrrp_host::{About, Event, Platform, Warning};

use super::Daemon;
use super::limit::WarningLimit;
use vrrp_host::wording;

/// The shortest time between two looks. One is taken in the first turn after it.
const REST: Duration = Duration::from_secs(1);
/// The longest time between two looks: on an idle host there are no turns for other reasons.
const PATIENCE: Duration = Duration::from_secs(5);

/// The warnings that the log knows of.
#[derive(Debug, Default)]
pub(super) struct Logged {
    begun: BTreeSet<Warning>,
    /// Warnings that hold and for which the log had no room. They are tried again before others: forged
    /// advertisements can cause hundreds, which do not last.
    waiting: BTreeSet<Warning>,
    /// Problems logged since the last look: the warning that follows from one needs no second line.
    problems: BTreeSet<Warning>,
    limit: WarningLimit,
    looked: Option<Instant>,
    /// Connections that were reset, as far as they have been logged.
    connections_reset: u64,
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

    /// Goes over to the warnings that hold now. Returns those that were logged: begun, or else ended.
    fn compare(&mut self, holding: Vec<Warning>, now: Instant) -> Vec<(Warning, bool)> {
        let problems = std::mem::take(&mut self.problems);
        self.limit.tell(now);
        if holding.is_empty() && self.begun.is_empty() && self.waiting.is_empty() {
            return Vec::new();
        }
        let mut logged = Vec::new();
        let holding: BTreeSet<Warning> = holding.into_iter().collect();
        for over in self.begun.difference(&holding) {
            log::info!("no longer: {}", wording::warning(over));
            logged.push((over.clone(), false));
        }
        self.begun.retain(|warning| holding.contains(warning));
        self.waiting.retain(|warning| holding.contains(warning));
        let mut news = std::mem::take(&mut self.waiting);
        for warning in &news {
            if self.limit.admits(&warning.about, now) {
                log::warn!("{}", wording::warning(warning));
                logged.push((warning.clone(), true));
                self.begun.insert(warning.clone());
            }
        }
        news.retain(|warning| !self.begun.contains(warning));
        self.waiting = news;
        for warning in holding {
            if self.begun.contains(&warning) || self.waiting.contains(&warning) {
                continue;
            }
            if problems.contains(&warning) {
                self.begun.insert(warning);
            } else if self.limit.admits(&warning.about, now) {
                log::warn!("{}", wording::warning(&warning));
                logged.push((warning.clone(), true));
                self.begun.insert(warning);
            } else {
                self.limit.leave_out(&warning.about);
                self.waiting.insert(warning);
            }
        }
        logged
    }
}

impl<P: Platform> Daemon<P> {
    /// Compares the warnings that hold with what the log knows, about once a second. While it stops
    /// there is more to come that ends them.
    pub(super) fn log_warnings(&mut self, now: Instant) {
        if self.stop.is_some() {
            self.log_resets();
        }
        let rested = |at: Instant| now.saturating_duration_since(at) >= REST;
        if self.stop.is_none() && self.logged.looked.is_none_or(rested) {
            self.logged.looked = Some(now);
            self.limit.tell(now);
            self.log_resets();
            let logged = self.logged.compare(self.host.warnings(), now);
            for (warning, begins) in logged {
                self.note_warning(&warning, begins, now);
            }
        }
    }

    /// Logs how many connections have been reset since the last look.
    pub(super) fn log_resets(&mut self) {
        let count = self.host.connections_reset();
        let more = count - self.logged.connections_reset;
        if more > 0 {
            self.logged.connections_reset = count;
            let s = if more == 1 { "" } else { "s" };
            log::info!("reset {more} TCP connection{s} of addresses that this host has given up");
        }
    }
}
