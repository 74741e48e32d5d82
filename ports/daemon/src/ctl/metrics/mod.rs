//! State and counters for monitoring: in the text format of Prometheus, and in OpenMetrics.
//!
//! The samples are the same in both. The forms differ in how a counter's family is named, in units
//! and in the end mark.

mod families;
mod page;
mod tables;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use vrrp_control::{Stats, Status};

use self::families::{
    checks, counter, daemon, gauge, groups, heartbeats, overrides, refused_peers, rejected,
    router_rejected, scripts, states, transitions,
};
use self::page::Page;
use self::tables::GAUGES;

pub use self::tables::COUNTERS;

/// A form of the exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Prometheus' text format, version 0.0.4, which a node exporter's textfile collector reads.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Form {
    /// Its media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Form::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Form::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The numbers of one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// State.
    pub status: Status,
    /// Counters.
    pub stats: Stats,
}

/// The whole exposition.
pub fn render(form: Form, status: Status, stats: Stats) -> String {
    Exposition::new(form, Arc::new(Snapshot { status, stats })).collect()
}

/// The exposition, family by family.
#[derive(Debug)]
pub struct Exposition {
    form: Form,
    numbers: Arc<Snapshot>,
    parts: std::vec::IntoIter<Part>,
}

/// A piece of the exposition: a family, or a few small ones.
#[derive(Clone, Copy, Debug)]
enum Part {
    Daemon,
    States,
    Gauge(usize),
    RefusedPeers,
    Heartbeats,
    Groups,
    Overrides,
    Checks,
    Scripts,
    Transitions,
    Counter(usize),
    Rejected,
    RouterRejected,
    End,
}

impl Exposition {
    /// Of the numbers of one moment.
    pub fn new(form: Form, numbers: Arc<Snapshot>) -> Self {
        let first = [Part::Daemon, Part::States];
        let gauges = (0..GAUGES.len()).map(Part::Gauge);
        let middle = [
            Part::RefusedPeers,
            Part::Heartbeats,
            Part::Groups,
            Part::Overrides,
            Part::Checks,
            Part::Scripts,
            Part::Transitions,
        ];
        let counters = (0..COUNTERS.len()).map(Part::Counter);
        let last = [Part::Rejected, Part::RouterRejected, Part::End];
        let parts = first.into_iter().chain(gauges).chain(middle);
        let parts: Vec<Part> = parts.chain(counters).chain(last).collect();
        Self {
            form,
            numbers,
            parts: parts.into_iter(),
        }
    }
}

impl Iterator for Exposition {
    type Item = String;

    /// The next piece, which is not empty.
    fn next(&mut self) -> Option<String> {
        loop {
            let part = self.parts.next()?;
            let mut out = Page {
                form: self.form,
                text: String::new(),
            };
            write(part, &mut out, &self.numbers.status, &self.numbers.stats);
            if !out.text.is_empty() {
                return Some(out.text);
            }
        }
    }
}

fn write(part: Part, out: &mut Page, status: &Status, stats: &Stats) {
    match part {
        Part::Daemon => daemon(out, status, stats),
        Part::States => states(out, status),
        Part::Gauge(place) => gauge(out, place, status),
        Part::RefusedPeers => refused_peers(out, status),
        Part::Heartbeats => heartbeats(out, status),
        Part::Groups => groups(out, status),
        Part::Overrides => overrides(out, status),
        Part::Checks => checks(out, stats),
        Part::Scripts => scripts(out, status),
        Part::Transitions => transitions(out, stats),
        Part::Counter(place) => counter(out, place, stats),
        Part::Rejected => rejected(out, stats),
        Part::RouterRejected => router_rejected(out, stats),
        Part::End if out.form == Form::OpenMetrics => out.text.push_str("# EOF\n"),
        Part::End => {}
    }
}
