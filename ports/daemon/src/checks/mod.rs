//! Checks of services: the processes that ask, and the states that the daemon acts on.
//!
//! ```text
//!   vrrp-checker --user     asks services, without rights
//!   vrrp-checker --commands runs commands, as scriptuser
//!        |  Report
//!     Checkers              the parent starts both, again when they end
//!        |  News
//!      Board                the worker knows every check's state
//! ```

mod board;
mod checkers;
mod process;

use serde::{Deserialize, Serialize};
use vrrp_config::Report;

pub use board::{Board, Change};
pub use checkers::{Checkers, checker_trouble};

/// From those who ask to those who act on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum News {
    /// An answer.
    Report(Report),
    /// A process that asks is not there, and why; `None`: it is there again.
    Trouble {
        /// Whether it is the one that runs commands.
        commands: bool,
        /// Why it is not there.
        why: Option<String>,
    },
}
