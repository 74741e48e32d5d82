//! Checks: what the file asks of a service, and the messages between vrrpd and vrrp-checker.
//!
//! | file | contents |
//! |---|---|
//! | `read` | one `[CHECK]` section |
//! | `place` | hosts and ports, and the words `self`, `virtual` and `localhost` |
//! | `join` | virtual routers and the checks that they name |
//! | `host` | the part of the judgement that needs the host |
//! | `wire` | the messages |

mod host;
mod join;
mod place;
mod read;
mod wire;

use std::path::PathBuf;
use std::time::Duration;

use crate::lexer::Section;
use crate::router::Lines;
use crate::script::Script;
use crate::script_security::{Account, ScriptSecurity, ScriptUser};

pub use host::unresolved;
pub(crate) use host::{judge, judge_checker};
pub(crate) use join::{Use, join, uses};
pub use place::Place;
pub(crate) use read::read;
pub use wire::{MAX_MESSAGE, Order, Outcome, Report};

/// The most checks of a file.
pub const MAX_CHECKS: usize = 1000;

/// A `[CHECK]` section.
///
/// Two are equal when they ask for the same, wherever in a file they stand.
#[derive(Clone, Debug)]
pub struct Check {
    /// The check itself.
    pub spec: CheckSpec,
    /// The line of its `[CHECK]`.
    pub section_line: usize,
    pub(crate) lines: Lines,
}

impl PartialEq for Check {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
    }
}

impl Eq for Check {}

impl Check {
    pub(crate) fn new(spec: CheckSpec, section: &Section<'_>) -> Self {
        Self {
            spec,
            section_line: section.line,
            lines: Lines::new(section),
        }
    }
}

/// A check: what is asked, how often, and how many answers change its state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CheckSpec {
    /// Its name.
    pub name: String,
    /// The question.
    pub kind: CheckKind,
    /// From the beginning of one question to that of the next.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Failures in a row after which it is failing.
    pub fall: u32,
    /// Successes in a row after which it is passing.
    pub rise: u32,
    /// Whether it counts as passing before its first answers.
    pub initially_up: bool,
}

/// The tracked object that stands for the check called `name`.
pub fn tracked_name(name: &str) -> String {
    format!("check {name}")
}

/// The name of the check that a tracked object stands for. `None`: it stands for none.
pub fn check_name(tracked: &str) -> Option<&str> {
    tracked.strip_prefix("check ")
}

/// The question of a check. Regular expressions and addresses have been judged.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum CheckKind {
    /// A process runs.
    Process(Process),
    /// The service manager calls a unit active.
    Unit(String),
    /// A connection is accepted.
    Tcp(Tcp),
    /// An answer of HTTP.
    Http(Http),
    /// An answer of DNS.
    Dns(Dns),
    /// An ICMP echo comes back.
    Ping(Place),
    /// A file exists, or does not.
    File {
        /// An absolute path.
        path: PathBuf,
        /// It passes when there is no such file.
        absent: bool,
    },
    /// A program ends with status 0.
    Command(Command),
}

impl CheckKind {
    /// The key that the file has for it.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Process(_) => "process",
            Self::Unit(_) => "unit",
            Self::Tcp(_) => "tcp",
            Self::Http(_) => "http",
            Self::Dns(_) => "dns",
            Self::Ping(_) => "ping",
            Self::File { .. } => "file",
            Self::Command(_) => "command",
        }
    }
}

/// A process to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Process {
    /// By the name of its program.
    Name(String),
    /// By the number in a file.
    PidFile(PathBuf),
}

/// A connection to make.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tcp {
    /// The host.
    pub place: Place,
    /// The port.
    pub port: u16,
    /// The octets that are said first, after escapes.
    pub send: Option<Vec<u8>>,
    /// A regular expression that the first line has to match.
    pub expect: Option<String>,
}

/// A page to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Http {
    /// Whether to use TLS, and how. `None`: `http://`.
    pub tls: Option<Tls>,
    /// The host to connect to.
    pub place: Place,
    /// The port.
    pub port: u16,
    /// The name of the site in the request, and in the certificate.
    pub host: String,
    /// The path, with the query.
    pub path: String,
    /// The statuses that pass.
    pub statuses: Vec<u16>,
    /// A text that the page has to contain.
    pub body: Option<String>,
}

/// How a certificate is judged.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tls {
    /// Whether it has to be valid.
    pub verify: bool,
    /// A file with the authorities that may have signed it. `None`: those of the system.
    pub ca: Option<PathBuf>,
}

/// A name to look up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dns {
    /// The server.
    pub place: Place,
    /// Its port.
    pub port: u16,
    /// The name.
    pub name: String,
    /// The type, as `TXT`.
    pub kind: String,
    /// The text that one of the records has to have.
    pub answer: Option<String>,
}

/// A program to run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Command {
    /// The program and its words.
    pub script: Script,
    /// The user that it runs as. `None`: the user of vrrpd.
    pub user: Option<ScriptUser>,
    /// The numbers of that user, which vrrpd looks up before it tells vrrp-checker.
    pub account: Option<Account>,
    /// The treatment of a program that others could replace.
    pub security: ScriptSecurity,
}
