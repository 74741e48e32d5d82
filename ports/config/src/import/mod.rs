//! Importers: configurations of other daemons, written anew as `vrrpd.conf`, with a report of every line.
//!
//! Nothing of the input is lost in silence. A line is carried over, or the report names it: as without
//! effect here, as something that works otherwise, as not carried over, or as an error that the other
//! daemon passes over, too. What is written has been read again by [`Surroundings::judge`] and has no
//! error; a part that had one was left out and is in the report.

mod output;
mod report;
mod surroundings;
mod values;

mod carp;
mod keepalived;
#[cfg(test)]
mod tests;

pub use carp::import as from_carp;
pub use keepalived::import as from_keepalived;
pub use report::{Finding, Verdict};
pub use surroundings::{Surroundings, ThisHost};

use std::fmt::Write as _;

/// The exit status of an import that carried everything over.
pub const COMPLETE: u8 = 0;
/// The exit status of an import of which something is missing, works otherwise or was an error.
pub const INCOMPLETE: u8 = 1;
/// The exit status of an import that gives no configuration.
pub const NOTHING: u8 = 78;

/// The result of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The whole `vrrpd.conf`. `None`: there was nothing that could be served.
    pub text: Option<String>,
    /// Everything there is to say, in the order of the lines.
    pub findings: Vec<Finding>,
    /// The virtual routers that were written.
    pub virtual_routers: usize,
    /// The statements of the input that were carried over.
    pub carried: usize,
}

impl Imported {
    /// The exit status: [`COMPLETE`], [`INCOMPLETE`] or [`NOTHING`].
    pub fn status(&self) -> u8 {
        let harmless = |f: &Finding| f.verdict == Verdict::Note;
        match &self.text {
            None => NOTHING,
            Some(_) if self.findings.iter().all(harmless) => COMPLETE,
            Some(_) => INCOMPLETE,
        }
    }

    /// The report: a line for each finding, and one with the counts.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let _ = writeln!(text, "{finding}");
        }
        let count = |verdict| {
            self.findings
                .iter()
                .filter(|f| f.verdict == verdict)
                .count()
        };
        let s = |count: usize| if count == 1 { "" } else { "s" };
        let routers = self.virtual_routers;
        let _ = write!(
            text,
            "{routers} virtual router{}: {} carried over",
            s(routers),
            self.carried
        );
        for (verdict, one, more) in [
            (Verdict::Note, "note", "notes"),
            (Verdict::Differs, "differs", "differ"),
            (
                Verdict::NotCarriedOver,
                "not carried over",
                "not carried over",
            ),
            (Verdict::Error, "error", "errors"),
        ] {
            let count = count(verdict);
            if count > 0 {
                let _ = write!(text, ", {count} {}", if count == 1 { one } else { more });
            }
        }
        text.push('\n');
        if self.text.is_none() {
            text.push_str("no configuration was written: there is no virtual router to serve\n");
        }
        text
    }
}
