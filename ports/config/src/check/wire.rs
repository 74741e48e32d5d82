//! The messages between vrrpd and vrrp-checker: each a JSON text after its length in four octets.

use std::time::Duration;

use super::CheckSpec;

/// The longest message, in octets: the largest configuration, as JSON.
pub const MAX_MESSAGE: usize = 16 << 20;

/// From vrrpd.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Order {
    /// All checks from now on, each with whether it is passing. One that was there before, unchanged,
    /// goes on undisturbed.
    Checks(Vec<(CheckSpec, bool)>),
    /// Run the check of this name now.
    Run(String),
}

/// From vrrp-checker: one answer. Every change of the state is told, and every answer in other words
/// than before; the same words again now and then.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Report {
    /// The check.
    pub name: String,
    /// Its state, by `fall` and `rise`.
    pub up: bool,
    /// The last answer.
    pub outcome: Outcome,
    /// How often it has been answered, or not been judged, since the checker knows it.
    pub runs: u64,
    /// The steps of the answer, for a run that was asked for.
    pub steps: Option<Vec<String>>,
}

/// The end of one run of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Outcome {
    /// `None`: not judged, because this host was too busy to ask in time.
    pub passed: Option<bool>,
    /// In words, on one line.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}
