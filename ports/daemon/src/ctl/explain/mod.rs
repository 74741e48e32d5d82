//! The answer to "why": a virtual router's state, the facts that led to it, and what would follow.

mod failure;
mod others;
mod state;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use vrrp_control::{Notice, NoticeKind, Peer, Record, Seen, VirtualRouter};
use vrrp_host::wording::{span, utc};

use self::failure::failure;
use self::others::others;
use self::state::now;
use super::text::{name, record};

/// Records of the past that are shown.
const PAST: usize = 8;

/// The facts that an explanation is made of.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The virtual router.
    pub router: &'a VirtualRouter,
    /// The masters of all virtual routers that are heard.
    pub seen: &'a [Seen],
    /// The history.
    pub records: &'a [Record],
}

/// The explanation, in sentences.
pub fn explain(facts: &Facts<'_>) -> String {
    let router = facts.router;
    let mut out = format!(
        "{}: {} for {}\n",
        name(
            router.name.as_deref(),
            router.vrid,
            &router.interface,
            router.family
        ),
        router.state,
        span(router.since_s)
    );
    let mut part = |head: &str, sentences: Vec<String>| {
        if !sentences.is_empty() {
            let _ = writeln!(out, "\n{head}");
        }
        for sentence in sentences {
            let _ = writeln!(out, "  {sentence}");
        }
    };
    part("Now", now(facts));
    part("Other routers", others(facts));
    part("How it came to this", past(facts));
    part("If this host failed now", failure(facts));
    out
}

/// The last records about this virtual router.
fn past(facts: &Facts<'_>) -> Vec<String> {
    let of_ours = facts
        .records
        .iter()
        .filter(|one| is_about(facts.router, one));
    let all: Vec<String> = of_ours.map(record).collect();
    let first = all.len().saturating_sub(PAST);
    let prefix = name(
        facts.router.name.as_deref(),
        facts.router.vrid,
        &facts.router.interface,
        facts.router.family,
    );
    let shown = all.into_iter().skip(first);
    shown
        .map(|line| line.replacen(&format!(" {prefix}:"), "", 1))
        .collect()
}

/// The other master, if it was heard lately.
fn living(router: &VirtualRouter) -> Option<&Peer> {
    let peer = router.peer.as_ref()?;
    (peer.priority > 0 && peer.last_heard_s <= router.down_interval_s.max(1.0)).then_some(peer)
}

/// The last command with this text about the virtual router: `2026-11-30T18:00:00.000Z by root`.
fn command(facts: &Facts<'_>, text: &str) -> Option<String> {
    let of_ours = facts.records.iter().rev();
    of_ours
        .filter(|one| is_about(facts.router, one))
        .find_map(|one| match one {
            Record::Notice(Notice {
                kind: NoticeKind::Command,
                text: said,
                time_ms,
                uid,
                user,
                ..
            }) if said.starts_with(text) => {
                let by = uid.map_or(String::new(), |uid| {
                    format!(" by {}", super::text::user(uid, user.as_deref()))
                });
                Some(format!("{}{by}", utc(*time_ms)))
            }
            _ => None,
        })
}

fn is_about(router: &VirtualRouter, record: &Record) -> bool {
    let whole = (
        Some(router.vrid),
        Some(router.interface.as_str()),
        Some(router.family),
    );
    record.about() == whole
}
