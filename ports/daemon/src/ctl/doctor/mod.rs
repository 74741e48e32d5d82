//! `vrrpctl doctor`: conditions of this host and of the wire that do harm sooner or later.

mod faults;
mod firewall;
mod host;
mod refused;
mod tracked;
mod wire;

use serde::Serialize;

use vrrp_control::{Seen, Status};

pub use host::{Host, Listening};

/// A condition that does harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A word that does not change.
    pub id: &'static str,
    /// The subject: a virtual router, an interface, or empty for the host.
    pub about: String,
    /// The condition.
    pub found: String,
    /// Why it matters.
    pub matters: String,
    /// The command to type, or the thing to do.
    pub todo: String,
}

/// Everything that was found, the daemon's knowledge first.
pub fn examine(status: &Status, seen: &[Seen], host: &Host) -> Vec<Finding> {
    let mut all = wire::findings(status, seen, host);
    all.extend(host::findings(status, host));
    all
}

/// The findings as text for people.
pub fn text(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "nothing found\n".into();
    }
    let one = |finding: &Finding| {
        let about = match finding.about.as_str() {
            "" => String::new(),
            about => format!("{about}: "),
        };
        format!(
            "{about}{} [{}]\n  why   {}\n  todo  {}\n",
            finding.found, finding.id, finding.matters, finding.todo
        )
    };
    let all: Vec<String> = findings.iter().map(one).collect();
    all.join("\n")
}
