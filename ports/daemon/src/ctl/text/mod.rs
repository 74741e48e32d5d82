//! Answers as text for people.

mod auth;
mod overrides;
mod records;
mod status;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use vrrp_control::{Check, Family, Seen, State, Stats, VirtualRouter};
use vrrp_host::full_name;
use vrrp_host::wording::{ago, span};

pub use self::auth::auth;
pub use self::overrides::{drained_by, given_override, override_warning};
pub use self::records::{check_event, dropped, event, log, notice, record};
pub use self::status::{brief, reason, status};
pub(crate) use self::status::{heartbeat, obstacles};

/// The masters of each virtual router seen on the segments.
pub fn who(list: &[Seen]) -> String {
    let head = [
        "VRID",
        "INTERFACE",
        "FAMILY",
        "MASTER",
        "MAC",
        "PRIO",
        "VERSION",
        "INTERVAL",
        "HEARD",
        "ADDRESSES",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for seen in list {
        let heard = match (seen.is_self, seen.stale) {
            (true, _) => "this host".to_owned(),
            (_, false) => ago(seen.last_heard_s),
            (_, true) if seen.deaf => {
                format!("{}, unknown since: not listening", ago(seen.last_heard_s))
            }
            (_, true) if seen.priority == 0 => format!("{}, gave up", ago(seen.last_heard_s)),
            (_, true) => format!("{}, silent", ago(seen.last_heard_s)),
        };
        let heard = match &seen.refused {
            Some(why) => format!("{heard}, refused: {why}"),
            None => heard,
        };
        table.push(vec![
            format!(
                "{}{}",
                seen.vrid,
                match (seen.ours, seen.heartbeat) {
                    (true, _) => "",
                    (false, true) => " (heartbeat)",
                    (false, false) => " (not ours)",
                }
            ),
            seen.interface.clone(),
            seen.family.to_string(),
            seen.address.clone(),
            seen.mac.clone(),
            seen.priority.to_string(),
            seen.version.to_string(),
            format!("{} s", seen.interval_s),
            heard,
            seen.addresses.join(" "),
        ]);
    }
    aligned(&table)
}

/// The counters. Those that are zero are left out, except the three that everybody looks for.
pub fn stats(stats: &Stats) -> String {
    const ALWAYS: [&str; 3] = [
        "advertisement-rcvd",
        "advertisement-sent",
        "active-transitions",
    ];
    let mut out = String::new();
    for router in &stats.virtual_routers {
        let name = name(
            router.name.as_deref(),
            router.vrid,
            &router.interface,
            router.family,
        );
        let _ = writeln!(out, "{name}");
        for (name, n) in &router.counters {
            if *n > 0 || ALWAYS.contains(&name.as_str()) {
                let _ = writeln!(out, "  {name:<32} {n:>10}");
            }
        }
        for (reason, n) in &router.drops {
            let _ = writeln!(out, "  rejected {reason:<23} {n:>10}");
        }
    }
    if stats.connections_reset > 0 {
        let n = stats.connections_reset;
        let _ = writeln!(out, "TCP connections\n  {:<32} {n:>10}", "reset");
    }
    if stats.routing_restored > 0 {
        let n = stats.routing_restored;
        let _ = writeln!(out, "routes and rules\n  {:<32} {n:>10}", "restored");
    }
    for (name, drops) in stats
        .interfaces
        .iter()
        .filter(|(_, drops)| !drops.is_empty())
    {
        let _ = writeln!(out, "{name}, all virtual routers");
        for (reason, n) in drops {
            let _ = writeln!(out, "  rejected {reason:<23} {n:>10}");
        }
    }
    out
}

/// Seconds after this host became master in which the last advertisement of the former one may arrive.
const CROSSED: f64 = 0.25;

/// Whether a router that is heard is a master now: the former master, which gave way when this host took
/// over, is none.
pub(super) fn is_master_now(router: &VirtualRouter, seen: &Seen) -> bool {
    router.state != State::Master || seen.last_heard_s + CROSSED < router.since_s
}

/// The master that is heard for a virtual router.
pub(super) fn master_heard<'a>(router: &VirtualRouter, seen: &'a [Seen]) -> Option<&'a Seen> {
    seen.iter().find(|seen| {
        !seen.is_self
            && !seen.stale
            && seen.priority != 0
            && seen.vrid == router.vrid
            && seen.interface == router.interface
            && seen.family == router.family
    })
}

/// A user by name, as far as it is known, and number.
pub(super) fn user(uid: u32, name: Option<&str>) -> String {
    match (uid, name) {
        (0, _) => "root".into(),
        (n, Some(name)) => format!("{name} (uid {n})"),
        (n, None) => format!("uid {n}"),
    }
}

/// How a check stands, with the steps of the run that was asked for.
pub fn check(check: &Check) -> String {
    let mut out = state_of(check);
    for step in &check.steps {
        let _ = writeln!(out, "  {:<10} {step}", "step");
    }
    out
}

fn state_of(check: &Check) -> String {
    let mut out = String::new();
    let state = if check.passing { "passes" } else { "fails" };
    let (name, kind, since) = (&check.name, &check.kind, span(check.since_s));
    let _ = writeln!(out, "check {name} ({kind}): {state} for {since}");
    let answer = match (&check.answer, check.passed) {
        (None, _) => "not answered yet".to_owned(),
        (Some(text), Some(true)) => text.clone(),
        (Some(text), Some(false)) => format!("failed: {text}"),
        (Some(text), None) => text.clone(),
    };
    let took = match check.took_s.filter(|_| check.passed.is_some()) {
        Some(took) => format!(", in {:.1} ms", took * 1e3),
        None => String::new(),
    };
    let _ = writeln!(out, "  {:<10} {answer}{took}", "last");
    out
}

/// As [`VrId`](vrrp_host::VrId) names a virtual router.
pub fn name(name: Option<&str>, vrid: u8, interface: &str, family: Family) -> String {
    full_name(name, vrid, interface, &family.to_string())
}

/// Columns as wide as their widest cell, two spaces apart.
fn aligned(table: &[Vec<String>]) -> String {
    let columns = table.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = table.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in table {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}
