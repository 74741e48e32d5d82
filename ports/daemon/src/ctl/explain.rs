//! The answer to "why": a virtual router's state, the facts that led to it, and what would follow.

use std::fmt::Write as _;

use vrrp_control::{
    Conflict, Group, Notice, NoticeKind, OverrideKind, Peer, Record, Seen, State, Versions,
    VirtualRouter,
};
use vrrp_core::{AdvertInterval, Priority, Version};
use vrrp_host::wording::{ago, seconds, span, utc};

use super::text::{is_master_now, name, obstacles, override_warning, record};

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

/// The state, why it is so, and why it is no better one.
fn now(facts: &Facts<'_>) -> Vec<String> {
    let mut all = match facts.router.state {
        State::Master => master(facts),
        State::Backup => backup(facts),
        State::Init => init(facts),
    };
    if let Some(group) = &facts.router.group {
        all.push(in_group(facts.router, group));
    }
    if let Some(set) = facts.router.priority_override
        && facts.router.overrides.is_empty()
    {
        all.push(format!(
            "Its priority was set to {set} by vrrpctl; the file says {}. \"vrrpctl priority {} default\" ends that.",
            facts.router.configured_priority, facts.router.vrid
        ));
    }
    let overrides = facts.router.overrides.iter();
    all.extend(overrides.map(|one| format!("{}.", override_warning(facts.router, one))));
    let failing = facts.router.checks.iter().filter(|check| !check.passing);
    all.extend(failing.map(|check| {
        let effect = match check.effect.as_str() {
            "fault" => "and keeps it from taking part".to_owned(),
            "stand-back" => "and makes it stand back: every other host is to serve".to_owned(),
            weight => format!("and moves its priority by {weight}"),
        };
        format!("The check {} fails, {effect}.", check.name)
    }));
    all
}

/// The group that it is master with, or not at all.
fn in_group(router: &VirtualRouter, group: &Group) -> String {
    let called = &group.name;
    let own = name(
        router.name.as_deref(),
        router.vrid,
        &router.interface,
        router.family,
    );
    let others = group.members.iter().filter(|member| **member != own);
    let others: Vec<&str> = others.map(String::as_str).collect();
    let others = others.join(", ");
    let why = &group.reason;
    match (group.wanted, group.waits) {
        (State::Master, _) => format!("Its group {called} is master here, with {others}."),
        (State::Backup, true) => format!(
            "It would be master, and waits for its group {called}{}.",
            obstacles(group)
        ),
        (State::Backup, false) => {
            format!("Its group {called} is backup, with {others}: {why}.")
        }
        (State::Init, _) => {
            format!("Its group {called} takes no part, with {others}: {why}.")
        }
    }
}

fn master(facts: &Facts<'_>) -> Vec<String> {
    let router = facts.router;
    let priority = router.priority;
    let serves = if router.addresses.is_empty() {
        "is master"
    } else {
        "serves the addresses"
    };
    let mut all = vec![match router.cause.as_str() {
        "no-response" if router.peer.is_none() => format!(
            "This host {serves} because it heard no master: {}.",
            router.reason
        ),
        "no-response" | "unheard" => format!(
            "This host {serves} because the master before it fell silent: {}.",
            router.reason
        ),
        "preempted" => format!(
            "This host {serves} because its priority, {priority}, is the highest: {}.",
            router.reason
        ),
        "priority" if router.addresses.is_empty() => {
            "This host is master because its priority is 255.".to_owned()
        }
        "priority" => {
            "This host serves the addresses because they are its own (priority 255).".to_owned()
        }
        _ => format!(
            "This host {serves}, with priority {priority}: {}.",
            router.reason
        ),
    }];
    let routes = router.routes.iter().map(|one| format!("route {one}"));
    let rules = router.rules.iter().map(|one| format!("rule {one}"));
    let routing: Vec<String> = routes.chain(rules).collect();
    if !routing.is_empty() {
        all.push(format!("With the addresses go: {}.", routing.join("; ")));
    }
    if router.handing_over {
        all.push("It has said that it stops, and serves until the successor is heard.".into());
    }
    if router.standing_back {
        let why = match (is_drained(router), checks_hold_back(router)) {
            (true, false) => "it is drained",
            (true, true) => "it is drained, and a check fails",
            (false, _) => "it should not serve, as a check fails",
        };
        all.push(format!(
            "It is the last one standing: {why}, and it serves all the same, as no other host takes the addresses when it offers them."
        ));
    }
    all
}

fn is_drained(router: &VirtualRouter) -> bool {
    let mut kinds = router.overrides.iter().map(|one| one.kind);
    kinds.any(|kind| kind == OverrideKind::Drain)
}

/// Whether a check fails by which it stands back.
fn checks_hold_back(router: &VirtualRouter) -> bool {
    let mut failing = router.checks.iter().filter(|check| !check.passing);
    failing.any(|check| check.effect == "stand-back")
}

/// The host that answers for the address and keeps a backup from taking over.
fn awaited(router: &VirtualRouter) -> Option<&Conflict> {
    let conflict = router.conflict.as_ref();
    conflict.filter(|conflict| conflict.waits)
}

/// The peer beside which a backup stays so, as the two sign by different clocks.
fn held_by_clock(router: &VirtualRouter) -> Option<String> {
    let auth = router.auth.as_ref()?;
    let peer = auth.held_by.as_ref()?;
    let mut senders = auth.senders.iter();
    let sender = senders.find(|sender| sender.address == *peer);
    let differ = match sender.and_then(|sender| sender.skew_s) {
        Some(skew) => format!("clocks differ by {} s", skew.unsigned_abs()),
        None => "clocks differ".into(),
    };
    Some(format!(
        "This host is backup: peer {peer} is present, {differ}, and nobody has told this kernel that its clock is right. It takes over when {peer} is silent. Set the clocks of both."
    ))
}

fn backup(facts: &Facts<'_>) -> Vec<String> {
    let router = facts.router;
    if let Some(held) = held_by_clock(router) {
        return vec![held];
    }
    let is_due = router.group.as_ref().is_some_and(|group| group.waits);
    let Some(peer) = living(router) else {
        if is_due {
            return vec!["This host is backup and hears no master.".into()];
        }
        if let Some(Conflict { address, mac, .. }) = awaited(router) {
            return vec![format!(
                "This host is backup and hears no master, and it does not take over (onconflict = wait), as a host with the MAC {mac} answers for {address}. It takes over an interval after the last answer."
            )];
        }
        let left = router.down_interval_s;
        return vec![format!(
            "This host is backup and hears no master; it takes over when it has heard none for {left:.3} s."
        )];
    };
    let of = format!("{} (priority {})", peer.address, peer.priority);
    let heard = ago(peer.last_heard_s);
    let mut all = vec![format!(
        "This host is backup: {of} is master and was heard {heard}; ours is {}.",
        router.priority
    )];
    all.extend(match peer.priority.cmp(&router.priority) {
        std::cmp::Ordering::Greater => Some(
            "It has the higher priority, so it stays master for as long as it is heard.".into(),
        ),
        std::cmp::Ordering::Equal => {
            Some("The priorities are equal: a master that serves is left alone.".into())
        }
        std::cmp::Ordering::Less if is_due => None,
        std::cmp::Ordering::Less => Some(why_not_preempt(facts)),
    });
    all
}

/// Why a backup with the higher priority lets another one serve.
fn why_not_preempt(facts: &Facts<'_>) -> String {
    let router = facts.router;
    let prefix = "Ours is the higher priority, and it does not take over, because";
    if router.resigned {
        let when = command(facts, "resigns").map_or(String::new(), |by| format!(" ({by})"));
        return format!(
            "{prefix} it was told to resign{when}. \"vrrpctl default {}\" lets it compete again.",
            router.vrid
        );
    }
    if router.standing_back {
        return match is_drained(router) {
            true => format!("{prefix} it is drained."),
            false => format!("{prefix} a check fails by which it stands back."),
        };
    }
    if !router.preempt {
        return format!(
            "{prefix} preempt = no: it waits until the master fails or gives up. \"vrrpctl resign {}\" on the master moves the addresses here.",
            router.vrid
        );
    }
    if router
        .auth
        .as_ref()
        .is_some_and(|auth| auth.waits_for_clock)
    {
        return format!(
            "{prefix} the clock of this host is not known to be right: it is not synchronised, and no signed advertisement was found fresh. Let an NTP client set the clock."
        );
    }
    if router.preempt_delay_s > 0.0 {
        let left = router.preempt_left_s;
        let left = left.map_or(String::new(), |left| format!(": {left:.1} s are left"));
        return format!(
            "{prefix} preemptdelay = {} has not gone by since the master was first heard with a lower priority{left}.",
            router.preempt_delay_s
        );
    }
    format!(
        "{prefix} the master was heard a moment ago only, or a preparation is awaited (preparescript)."
    )
}

fn init(facts: &Facts<'_>) -> Vec<String> {
    let router = facts.router;
    let interface = &router.interface;
    let takes = "This host takes no part:";
    let vrid = router.vrid;
    let sentence = if router.leaving {
        format!("{takes} it is being removed.")
    } else if !router.enabled {
        let by = command(facts, "disabled").map_or(String::new(), |by| format!(" ({by})"));
        format!("{takes} it was disabled by vrrpctl{by}. \"vrrpctl enable {vrid}\" ends that.")
    } else if router.interface_missing {
        format!("{takes} there is no interface {interface}. It joins when there is one.")
    } else if !router.interface_up {
        format!("{takes} the interface {interface} is down or has no carrier.")
    } else if router.source.is_none() {
        format!("{takes} {interface} has no address of this family to advertise from.")
    } else if router.cause == "tracked-fault" {
        format!(
            "{takes} a check or an object that it cannot do without fails: {}.",
            router.reason
        )
    } else {
        format!("{takes} {}.", router.reason)
    };
    vec![sentence]
}

/// The other routers of the segment, as far as they matter.
fn others(facts: &Facts<'_>) -> Vec<String> {
    let router = facts.router;
    let mut all = Vec::new();
    if let Some(holder) = &router.conflict {
        all.push(format!(
            "A host with the MAC {} answers for {}, and no advertisement of it is heard: the master may be alive and cut off in one direction, or has died and left the address behind.",
            holder.mac, holder.address
        ));
    }
    let of_ours = facts.seen.iter().filter(|seen| {
        !seen.is_self
            && seen.vrid == router.vrid
            && seen.interface == router.interface
            && seen.family == router.family
    });
    let fresh: Vec<&Seen> = of_ours.filter(|seen| !seen.stale).collect();
    let is_alone = router.peer.is_none() && fresh.is_empty();
    all.extend(second_path(router, is_alone));
    for seen in &fresh {
        let Some(why) = &seen.refused else { continue };
        // The sentence about our own frames begins with "is".
        if router.source.as_deref() == Some(seen.address.as_str()) {
            let todo = match seen.priority {
                0 | 255 if seen.priority != router.priority => {
                    "look for the host with that MAC: it forges advertisements"
                }
                _ => "look for a loop, a port that mirrors, or a host with the same address",
            };
            all.push(format!("Our own address, {}, {why}: {todo}.", seen.address));
        } else {
            all.push(format!(
                "{} (priority {}) is heard and refused: {why}. For the election it does not exist, nor do we for it.",
                seen.address, seen.priority
            ));
        }
    }
    let rivals = fresh.iter();
    let rivals = rivals.filter(|seen| seen.refused.is_none() && is_master_now(router, seen));
    if router.state == State::Master && !router.handing_over {
        for seen in rivals {
            all.push(format!(
                "There are two masters: {} (priority {}) advertises too, heard {}. One of the two does not hear the other, or refuses it: compare \"vrrpctl explain {}\" there.",
                seen.address,
                seen.priority,
                ago(seen.last_heard_s),
                router.vrid
            ));
        }
        if is_alone {
            let path = router.heartbeat.as_ref();
            let there = match path.and_then(|path| path.peer.as_ref()) {
                Some(_) => format!(" on {}", router.interface),
                None => String::new(),
            };
            all.push(format!(
                "No other router was ever heard{there}. A master hears no backups, so there may be some; but if another host should have been master before, look at the cable, the VLAN and the firewall (protocol 112)."
            ));
        }
    }
    if let Some(rejected) = &router.last_rejected
        && all.is_empty()
    {
        let source = rejected.source.as_deref().unwrap_or("an unreadable source");
        all.push(format!(
            "A packet from {source} was refused {}: {}; {} in all.",
            ago(rejected.age_s),
            rejected.reason,
            rejected.count
        ));
    }
    all
}

/// The second path, in sentences, where it tells anything. `is_alone`: no other router was ever heard on the
/// interface of the virtual router.
fn second_path(router: &VirtualRouter, is_alone: bool) -> Option<String> {
    let path = router.heartbeat.as_ref()?;
    let (here, there) = (&router.interface, &path.interface);
    let peer = path.peer.as_deref().unwrap_or("The master");
    let heard = path
        .last_heard_s
        .map_or_else(String::new, |age| format!(", last {}", ago(age)));
    Some(match path.state.as_str() {
        "down" => format!("The second path, {there}, is down or missing: it tells nothing."),
        "both" if is_alone => format!("{peer} is heard on the second path, {there}."),
        "both" => format!("{peer} is heard on the second path, {there}, as on {here}."),
        "missed" => format!(
            "{peer} is heard on {here}{heard}, and not on {there}: the second path is broken, or heartbeat is not set on that host."
        ),
        "cut" => format!(
            "{peer} is alive: it is heard on the second path, {there}{heard}, and not on {here}, where it is cut off from this host, in one direction at least. That is evidence for people; the election goes by {here} alone."
        ),
        "one-way" => format!(
            "{peer} is heard on {here} and on the second path, {there}, and goes on as master: our advertisements do not reach it on {here}, or it refuses them."
        ),
        "frozen" => format!(
            "{peer} is silent on {here} and on the second path, {there}{heard}, and its address is answered for: its vrrpd stands still, or was killed and left the address behind."
        ),
        "dead" => format!(
            "{peer} fell silent on {here} and on the second path, {there}, at once{heard}: it is dead, or cut off from both."
        ),
        _ => return None,
    })
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

/// The consequences if this host failed at this moment.
fn failure(facts: &Facts<'_>) -> Vec<String> {
    let router = facts.router;
    match (router.state, living(router)) {
        (State::Init, _) => vec!["Nothing would change: it takes no part.".into()],
        (State::Backup, Some(peer)) => vec![
            format!("Nothing would change: {} goes on serving.", peer.address),
            format!(
                "If {} failed, this host would take over {:.3} s after its last advertisement, unless a backup with a higher priority does so before: backups do not hear each other.",
                peer.address, router.down_interval_s
            ),
        ],
        (State::Backup, None) => vec![match &router.conflict {
            Some(Conflict { address, mac, .. }) => format!(
                "The host with the MAC {mac} goes on answering for {address}; whether it serves cannot be known from here."
            ),
            None if router.addresses.is_empty() => "Nobody is known who would be master.".into(),
            None => "Nobody is known who would serve the addresses.".into(),
        }],
        (State::Master, _) => failure_of_master(facts),
    }
}

fn failure_of_master(facts: &Facts<'_>) -> Vec<String> {
    let router = facts.router;
    let mut all = vec![
        "A master hears no backups, so who would take over cannot be known from here.".to_owned(),
    ];
    let down = |priority: u8| down_interval(router, priority);
    if let (Some(quick), Some(slow)) = (down(254), down(1)) {
        all.push(format!(
            "A backup would, of whatever priority, {quick} to {slow} after our last advertisement; when vrrpd is stopped in an orderly way, {} to {}.",
            skew(router, 254),
            skew(router, 1)
        ));
    }
    if let Some(peer) = &router.peer
        && peer.priority > 0
        && let Some(after) = down(peer.priority)
    {
        all.push(format!(
            "{} was last heard as master {} with priority {}: if it is backup still, after {after}.",
            peer.address,
            ago(peer.last_heard_s),
            peer.priority
        ));
    }
    all.push("Ask \"vrrpctl status\" on the other hosts whether one of them is backup.".into());
    all
}

/// The other master, if it was heard lately.
fn living(router: &VirtualRouter) -> Option<&Peer> {
    let peer = router.peer.as_ref()?;
    (peer.priority > 0 && peer.last_heard_s <= router.down_interval_s.max(1.0)).then_some(peer)
}

/// The engine's own Active_Down_Interval of a backup of this priority that hears us.
fn down_interval(router: &VirtualRouter, priority: u8) -> Option<String> {
    let (interval, version) = timing(router)?;
    let down = interval.down_interval(version, Priority::new(priority)?);
    Some(seconds(down.into()))
}

/// The skew: the part of the down interval that priority 0 leaves.
fn skew(router: &VirtualRouter, priority: u8) -> String {
    let skew = || {
        let (interval, version) = timing(router)?;
        let down = interval.down_interval(version, Priority::new(priority)?);
        let three = 3 * interval.duration().as_micros();
        let skew = down.as_micros().saturating_sub(three);
        Some(seconds(std::time::Duration::from_micros(skew)))
    };
    skew().unwrap_or_default()
}

fn timing(router: &VirtualRouter) -> Option<(AdvertInterval, Version)> {
    let centis = (router.interval_s * 100.0).round();
    let interval = AdvertInterval::from_centis(centis as u16)?;
    let version = match router.version {
        Versions::V2 => Version::V2,
        Versions::V3 => Version::V3,
        Versions::Both => Version::Both,
    };
    Some((interval, version))
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

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::{Auth, Event, Family, Rejected, UsedCheck};

    /// A master with priority 200 that has never heard anybody.
    fn router() -> VirtualRouter {
        VirtualRouter {
            vrid: 1,
            interface: "eth0".into(),
            family: Family::Ipv4,
            state: State::Master,
            since_s: 61.0,
            reason: "no advertisement from anybody within 3.218 s".into(),
            cause: "no-response".into(),
            priority: 200,
            base_priority: 200,
            configured_priority: 200,
            enabled: true,
            preempt: true,
            interval_s: 1.0,
            down_interval_s: 3.218,
            source: Some("10.0.0.2".into()),
            addresses: vec!["10.0.0.100/24".into()],
            interface_up: true,
            masters: 1,
            ..VirtualRouter::default()
        }
    }

    fn peer(priority: u8) -> Option<Peer> {
        Some(Peer {
            address: "10.0.0.3".into(),
            priority,
            version: 3,
            interval_s: 1.0,
            last_heard_s: 0.4,
            ..Peer::default()
        })
    }

    fn backup(priority: u8) -> VirtualRouter {
        VirtualRouter {
            state: State::Backup,
            cause: "higher-priority".into(),
            peer: peer(priority),
            ..router()
        }
    }

    fn init(cause: &str) -> VirtualRouter {
        VirtualRouter {
            state: State::Init,
            cause: cause.into(),
            reason: "a reason".into(),
            ..router()
        }
    }

    fn other(refused: Option<&str>) -> Seen {
        Seen {
            interface: "eth0".into(),
            vrid: 1,
            family: Family::Ipv4,
            address: "10.0.0.3".into(),
            priority: 100,
            last_heard_s: 0.2,
            ours: true,
            refused: refused.map(str::to_owned),
            ..Seen::default()
        }
    }

    fn told(text: &str, time_ms: u64) -> Record {
        Record::Notice(Notice {
            seq: 3,
            time_ms,
            kind: NoticeKind::Command,
            vrid: Some(1),
            interface: Some("eth0".into()),
            family: Some(Family::Ipv4),
            uid: Some(0),
            text: text.into(),
            ..Notice::default()
        })
    }

    #[track_caller]
    fn says(router: &VirtualRouter, seen: &[Seen], records: &[Record], parts: &[&str]) -> String {
        let text = explain(&Facts {
            router,
            seen,
            records,
        });
        for part in parts {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
        text
    }

    #[test]
    fn master_because_the_other_fell_silent() {
        says(
            &VirtualRouter {
                reason: "no advertisement within 3.218 s from 10.0.0.3 (priority 250)".into(),
                peer: Some(Peer {
                    last_heard_s: 64.0,
                    ..peer(250).unwrap_or_default()
                }),
                ..router()
            },
            &[],
            &[],
            &[
                "because the master before it fell silent: no advertisement within 3.218 s from 10.0.0.3 (priority 250).",
                "10.0.0.3 was last heard as master 1 min 4 s ago with priority 250: if it is backup still, after 3.023 s.",
                "3.008 s to 3.996 s after our last advertisement; when vrrpd is stopped in an orderly way, 0.008 s to 0.996 s.",
            ],
        );
    }

    #[test]
    fn master_by_priority() {
        says(
            &VirtualRouter {
                cause: "preempted".into(),
                reason: "we preempt 10.0.0.3 (priority 100), ours is 200".into(),
                ..router()
            },
            &[],
            &[],
            &["because its priority, 200, is the highest: we preempt 10.0.0.3"],
        );
        says(
            &VirtualRouter {
                cause: "priority".into(),
                ..router()
            },
            &[],
            &[],
            &["because they are its own (priority 255)."],
        );
    }

    #[test]
    fn master_that_never_heard_anybody() {
        let parts = [
            "because it heard no master: no",
            "No other router was ever heard.",
        ];
        let text = says(&router(), &[], &[], &parts);
        assert!(text.contains("cannot be known from here"), "{text}");
    }

    #[test]
    fn two_masters() {
        says(
            &router(),
            &[other(None)],
            &[],
            &["There are two masters: 10.0.0.3 (priority 100) advertises too, heard just now."],
        );
        // The former master gave way: it was heard last before this host took over.
        let fresh = VirtualRouter {
            since_s: 0.3,
            ..router()
        };
        let text = says(&fresh, &[other(None)], &[], &[]);
        assert!(!text.contains("two masters"), "{text}");
    }

    #[test]
    fn a_peer_that_is_refused() {
        let text = says(
            &router(),
            &[other(Some("it has another password"))],
            &[],
            &["10.0.0.3 (priority 100) is heard and refused: it has another password."],
        );
        assert!(!text.contains("ever heard"), "{text}");
    }

    #[test]
    fn a_master_that_is_not_heard_answers_for_the_address() {
        let unheard = VirtualRouter {
            cause: "unheard".into(),
            conflict: Some(Conflict {
                address: "10.0.0.1".into(),
                mac: "00:00:5e:00:01:01".into(),
                waits: false,
            }),
            ..router()
        };
        says(
            &unheard,
            &[],
            &[],
            &[
                "because the master before it fell silent",
                "A host with the MAC 00:00:5e:00:01:01 answers for 10.0.0.1, and no advertisement of it is heard",
            ],
        );
    }

    #[test]
    fn a_backup_waits_for_the_host_that_answers() {
        let waits = |waits| VirtualRouter {
            peer: None,
            conflict: Some(Conflict {
                address: "10.0.0.1".into(),
                mac: "00:00:5e:00:01:01".into(),
                waits,
            }),
            ..backup(0)
        };
        let goes_on = "  The host with the MAC 00:00:5e:00:01:01 goes on answering for 10.0.0.1;";
        let text = says(
            &waits(true),
            &[],
            &[],
            &[
                "hears no master, and it does not take over (onconflict = wait), as a host with the MAC 00:00:5e:00:01:01 answers for 10.0.0.1.",
                goes_on,
            ],
        );
        assert!(!text.contains("it takes over when"), "{text}");
        let parts = ["it takes over when it has heard none for 3.218 s.", goes_on];
        says(&waits(false), &[], &[], &parts);
    }

    #[test]
    fn the_last_one_standing_says_why_it_should_not_serve() {
        let checks = vec![UsedCheck {
            name: "web".into(),
            effect: "stand-back".into(),
            ..UsedCheck::default()
        }];
        let overrides = vec![vrrp_control::GivenOverride {
            kind: OverrideKind::Drain,
            ..vrrp_control::GivenOverride::default()
        }];
        for (checks, overrides, why) in [
            (vec![], overrides.clone(), "it is drained, and it serves"),
            (
                checks.clone(),
                overrides.clone(),
                "it is drained, and a check fails, and it serves",
            ),
            (
                checks,
                vec![],
                "it should not serve, as a check fails, and it serves",
            ),
        ] {
            let last = VirtualRouter {
                standing_back: true,
                checks,
                overrides,
                ..router()
            };
            let expected = format!("It is the last one standing: {why} all the same, as no other");
            says(&last, &[], &[], &[&expected]);
        }
        let drained = VirtualRouter {
            standing_back: true,
            overrides,
            ..backup(100)
        };
        let parts = ["it does not take over, because it is drained."];
        says(&drained, &[], &[], &parts);
    }

    #[test]
    fn our_own_frames_are_heard() {
        let own = Seen {
            address: "10.0.0.2".into(),
            ..other(Some(
                "is advertised from by another host (MAC 02:00:00:00:00:01), or what we send comes back to us",
            ))
        };
        says(
            &router(),
            &[own],
            &[],
            &[
                "Our own address, 10.0.0.2, is advertised from by another host (MAC 02:00:00:00:00:01), or what we send comes back to us: look for a loop",
            ],
        );
    }

    #[test]
    fn the_second_path_tells_dead_from_cut_off() {
        for (state, part) in [
            ("down", "The second path, eth1, is down or missing"),
            (
                "both",
                "10.0.0.3 is heard on the second path, eth1, as on eth0.",
            ),
            (
                "missed",
                "10.0.0.3 is heard on eth0, last 1 s ago, and not on eth1",
            ),
            (
                "cut",
                "10.0.0.3 is alive: it is heard on the second path, eth1, last 1 s ago, and not on eth0",
            ),
            (
                "one-way",
                "our advertisements do not reach it on eth0, or it refuses them.",
            ),
            ("frozen", "its vrrpd stands still, or was killed"),
            (
                "dead",
                "10.0.0.3 fell silent on eth0 and on the second path, eth1, at once, last 1 s ago: it is dead",
            ),
        ] {
            let router = VirtualRouter {
                heartbeat: Some(vrrp_control::Heartbeat {
                    interface: "eth1".into(),
                    state: state.into(),
                    peer: Some("10.0.0.3".into()),
                    priority: Some(200),
                    last_heard_s: Some(1.2),
                }),
                peer: peer(200),
                ..router()
            };
            says(&router, &[], &[], &[part]);
            let alone = VirtualRouter {
                peer: None,
                ..router
            };
            let text = says(
                &alone,
                &[],
                &[],
                &["No other router was ever heard on eth0."],
            );
            assert!(!text.contains("as on eth0"), "{text}");
        }
    }

    #[test]
    fn a_master_has_the_routes_and_rules_that_go_with_the_addresses() {
        let router = VirtualRouter {
            routes: vec!["10.0.0.0/8 dev eth1".into()],
            rules: vec!["from all priority 7 lookup 7".into()],
            ..router()
        };
        let text = says(&router, &[], &[], &["This host serves the addresses"]);
        let expected =
            "With the addresses go: route 10.0.0.0/8 dev eth1; rule from all priority 7 lookup 7.";
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn an_election_without_addresses_serves_none() {
        for cause in ["no-response", "unheard", "preempted", "priority", "other"] {
            let router = VirtualRouter {
                addresses: Vec::new(),
                cause: cause.into(),
                ..router()
            };
            let text = says(&router, &[], &[], &["This host is master"]);
            assert!(!text.contains("the addresses"), "{text}");
        }
        let backup = VirtualRouter {
            addresses: Vec::new(),
            peer: None,
            ..backup(100)
        };
        says(&backup, &[], &[], &["Nobody is known who would be master."]);
    }

    #[test]
    fn a_forged_priority_from_our_own_address_is_no_loop() {
        let forged = Seen {
            address: "10.0.0.2".into(),
            priority: 255,
            ..other(Some("is advertised from with priority 255"))
        };
        let parts =
            ["with priority 255: look for the host with that MAC: it forges advertisements."];
        says(&router(), &[forged], &[], &parts);
    }

    #[test]
    fn the_last_one_standing() {
        says(
            &VirtualRouter {
                standing_back: true,
                checks: vec![UsedCheck {
                    name: "web".into(),
                    effect: "stand-back".into(),
                    passing: false,
                }],
                ..router()
            },
            &[],
            &[],
            &[
                "It is the last one standing",
                "The check web fails, and makes it stand back",
            ],
        );
    }

    #[test]
    fn backup_to_a_better_host() {
        says(
            &backup(250),
            &[],
            &[],
            &[
                "This host is backup: 10.0.0.3 (priority 250) is master and was heard just now; ours is 200.",
                "It has the higher priority",
                "Nothing would change: 10.0.0.3 goes on serving.",
                "If 10.0.0.3 failed, this host would take over 3.218 s after its last advertisement",
            ],
        );
        says(&backup(200), &[], &[], &["The priorities are equal"]);
    }

    #[test]
    fn backup_with_a_better_priority_by_each_reason() {
        let better = || backup(100);
        let because = "Ours is the higher priority, and it does not take over, because";
        let off = VirtualRouter {
            preempt: false,
            ..better()
        };
        says(&off, &[], &[], &[&format!("{because} preempt = no")]);
        let delayed = VirtualRouter {
            preempt_delay_s: 60.0,
            preempt_left_s: Some(12.34),
            ..better()
        };
        says(
            &delayed,
            &[],
            &[],
            &[
                &format!("{because} preemptdelay = 60 has not"),
                "with a lower priority: 12.3 s are left.",
            ],
        );
        let resigned = VirtualRouter {
            resigned: true,
            ..better()
        };
        says(
            &resigned,
            &[],
            &[told("resigns; it serves on", 0)],
            &[&format!(
                "{because} it was told to resign (1970-01-01T00:00:00.000Z by root)."
            )],
        );
        let back = VirtualRouter {
            standing_back: true,
            ..better()
        };
        says(&back, &[], &[], &[&format!("{because} a check fails")]);
        let doubts = VirtualRouter {
            auth: Some(Auth {
                waits_for_clock: true,
                ..Auth::default()
            }),
            ..better()
        };
        says(
            &doubts,
            &[],
            &[],
            &[&format!(
                "{because} the clock of this host is not known to be right"
            )],
        );
        says(
            &better(),
            &[],
            &[],
            &[&format!("{because} the master was heard a moment ago")],
        );
    }

    #[test]
    fn init_by_each_reason() {
        let takes = "This host takes no part:";
        let nothing = "Nothing would change: it takes no part.";
        let missing = VirtualRouter {
            interface_missing: true,
            interface_up: false,
            ..init("interface-down")
        };
        says(
            &missing,
            &[],
            &[],
            &[&format!("{takes} there is no interface eth0."), nothing],
        );
        let down = VirtualRouter {
            interface_up: false,
            ..init("interface-down")
        };
        says(
            &down,
            &[],
            &[],
            &[&format!("{takes} the interface eth0 is down")],
        );
        let bare = VirtualRouter {
            source: None,
            ..init("no-address")
        };
        says(&bare, &[], &[], &[&format!("{takes} eth0 has no address")]);
        let disabled = VirtualRouter {
            enabled: false,
            ..init("disabled")
        };
        says(
            &disabled,
            &[],
            &[told("disabled", 1_000)],
            &[&format!(
                "{takes} it was disabled by vrrpctl (1970-01-01T00:00:01.000Z by root). \"vrrpctl enable 1\" ends that."
            )],
        );
        let fault = VirtualRouter {
            checks: vec![UsedCheck {
                name: "db".into(),
                effect: "fault".into(),
                passing: false,
            }],
            ..init("tracked-fault")
        };
        says(
            &fault,
            &[],
            &[],
            &[
                "cannot do without fails: a reason.",
                "The check db fails, and keeps it",
            ],
        );
        let leaving = VirtualRouter {
            leaving: true,
            ..init("disabled")
        };
        says(
            &leaving,
            &[],
            &[],
            &[&format!("{takes} it is being removed.")],
        );
        says(
            &init("effect-failed"),
            &[],
            &[],
            &[&format!("{takes} a reason.")],
        );
    }

    #[test]
    fn a_priority_that_was_set_and_a_lost_packet_are_told() {
        says(
            &VirtualRouter {
                priority_override: Some(50),
                configured_priority: 200,
                last_rejected: Some(Rejected {
                    reason: "ip-ttl-errors".into(),
                    source: Some("10.0.0.9".into()),
                    age_s: 5.0,
                    count: 2,
                }),
                ..backup(250)
            },
            &[],
            &[],
            &[
                "Its priority was set to 50 by vrrpctl; the file says 200. \"vrrpctl priority 1 default\" ends that.",
                "A packet from 10.0.0.9 was refused 5 s ago: ip-ttl-errors; 2 in all.",
            ],
        );
    }

    #[test]
    fn a_group_is_named_with_its_members() {
        let group = Group {
            name: "gw".into(),
            state: State::Backup,
            wanted: State::Backup,
            reason: "VRID 2 on eth1 (ipv4) is served by 10.0.1.9".into(),
            members: vec![
                "VRID 1 on eth0 (ipv4)".into(),
                "VRID 2 on eth1 (ipv4)".into(),
            ],
            ..Group::default()
        };
        let of = |group: Group| VirtualRouter {
            group: Some(group),
            ..backup(100)
        };
        let text = "Its group gw is backup, with VRID 2 on eth1 (ipv4): VRID 2 on eth1 (ipv4) is served by 10.0.1.9.";
        says(&of(group.clone()), &[], &[], &[text]);
        let waits = of(Group {
            waits: true,
            obstacles: vec!["VRID 2 on eth1 (ipv4) was told to resign".into()],
            ..group
        });
        let text = "It would be master, and waits for its group gw: VRID 2 on eth1 (ipv4) was told to resign.";
        says(&waits, &[], &[], &[text]);
        let said = explain(&Facts {
            router: &waits,
            seen: &[],
            records: &[],
        });
        for wrong in ["heard a moment ago", "takes over when it has heard none"] {
            assert!(!said.contains(wrong), "{said}");
        }
    }

    #[test]
    fn a_drain_is_told_and_how_to_end_it() {
        let drained = VirtualRouter {
            overrides: vec![vrrp_control::GivenOverride {
                kind: vrrp_control::OverrideKind::Drain,
                ..vrrp_control::GivenOverride::default()
            }],
            ..backup(100)
        };
        says(
            &drained,
            &[],
            &[],
            &["drained", "to end it: vrrpctl undrain"],
        );
    }

    #[test]
    fn nobody_is_heard_yet() {
        let alone = VirtualRouter {
            peer: None,
            ..backup(0)
        };
        says(
            &alone,
            &[],
            &[],
            &["hears no master; it takes over when it has heard none for 3.218 s."],
        );
    }

    #[test]
    fn the_past_is_that_of_the_virtual_router() {
        let event = |vrid| {
            Record::Event(Event {
                seq: 9,
                time_ms: 0,
                vrid,
                interface: "eth0".into(),
                family: Family::Ipv4,
                from: State::Init,
                to: State::Backup,
                reason: "started".into(),
                ..Event::default()
            })
        };
        let text = says(
            &router(),
            &[],
            &[event(1), event(2)],
            &["\n  9 1970-01-01T00:00:00.000Z init -> backup: started\n"],
        );
        assert_eq!(text.matches("started").count(), 1, "{text}");
    }
}
