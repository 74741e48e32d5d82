//! Answers as text for people.

use std::fmt::Write as _;

use vrrp_control::{
    Auth, AuthSender, Check, CheckEvent, Event, Family, GivenOverride, Group, Heartbeat, Log,
    Notice, OverrideKind, Record, Seen, State, Stats, Status, VirtualRouter,
};
use vrrp_host::full_name;
use vrrp_host::wording::{ago, gave_up, span, utc};

/// The state of each virtual router, and with `verbose` its settings. Writing to a `String` cannot fail.
pub fn status(status: &Status, verbose: bool) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "vrrpd {}, process {}, running for {}{}{}",
        status.version,
        status.pid,
        span(status.uptime_s),
        match status.worker_crashes {
            0 => String::new(),
            1 => ", 1 crash of its worker process".into(),
            many => format!(", {many} crashes of its worker process"),
        },
        if status.stopping { ", stopping" } else { "" }
    );
    for text in &status.warnings {
        let _ = writeln!(out, "  {:<10} {text}", "warning");
    }
    for one in &status.checks {
        out.push('\n');
        out += &state_of(one);
    }
    for router in &status.virtual_routers {
        let _ = writeln!(
            out,
            "\n{}: {} for {}{}",
            name(
                router.name.as_deref(),
                router.vrid,
                &router.interface,
                router.family
            ),
            router.state,
            span(router.since_s),
            marks(router)
        );
        let settings = verbose.then(|| settings(router));
        for (name, value) in facts(router)
            .into_iter()
            .chain(settings.into_iter().flatten())
        {
            let _ = writeln!(out, "  {name:<10} {value}");
        }
    }
    out
}

/// One line for each virtual router.
pub fn brief(status: &Status) -> String {
    let named = status.virtual_routers.iter().any(|r| r.name.is_some());
    let head = [
        "VRID",
        "INTERFACE",
        "FAMILY",
        "STATE",
        "SINCE",
        "PRIO",
        "MASTER",
        "WARNINGS",
    ];
    let mut table = vec![head.map(str::to_owned).to_vec()];
    for router in &status.virtual_routers {
        table.push(vec![
            router.vrid.to_string(),
            router.interface.clone(),
            router.family.to_string(),
            format!("{}{}", router.state, marks(router)),
            span(router.since_s),
            match router.priority_override {
                Some(_) => format!("{} (set)", router.priority),
                None => router.priority.to_string(),
            },
            master(router),
            router.warnings.len().to_string(),
        ]);
    }
    if named {
        let names = status.virtual_routers.iter();
        let names = names.map(|router| router.name.clone().unwrap_or_else(|| "-".into()));
        let names = std::iter::once("NAME".to_owned()).chain(names);
        for (row, name) in table.iter_mut().zip(names) {
            row.insert(0, name);
        }
    }
    aligned(&table)
}

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

/// An event on a line.
pub fn event(event: &Event) -> String {
    format!(
        "{} {} {}: {} -> {}: {}",
        event.seq,
        utc(event.time_ms),
        name(
            event.name.as_deref(),
            event.vrid,
            &event.interface,
            event.family
        ),
        event.from,
        event.to,
        event.reason
    )
}

/// A record in one line.
pub fn record(record: &Record) -> String {
    match record {
        Record::Event(one) => event(one),
        Record::CheckEvent(one) => check_event(one),
        Record::Notice(one) => notice(one),
    }
}

/// The history, a line for each record.
pub fn log(log: &Log) -> String {
    let lines = log.records.iter().map(|one| record(one) + "\n");
    dropped(log.forgotten) + &lines.collect::<String>()
}

/// A line about records that are forgotten, if there are any.
pub fn dropped(count: u64) -> String {
    match count {
        0 => String::new(),
        1 => "1 record is forgotten\n".into(),
        n => format!("{n} records are forgotten\n"),
    }
}

/// A notice in one line.
pub fn notice(notice: &Notice) -> String {
    let mut line = format!("{} {} ", notice.seq, utc(notice.time_ms));
    let interface = notice.interface.as_deref();
    // Other texts name their interface.
    if let (Some(vrid), Some(interface), Some(family)) = (notice.vrid, interface, notice.family) {
        line += &format!(
            "{}: ",
            name(notice.name.as_deref(), vrid, interface, family)
        );
    }
    line += &format!("{}: {}", notice.kind, notice.text);
    if let Some(uid) = notice.uid {
        line += &format!(" (by {})", user(uid, notice.user.as_deref()));
    }
    line
}

/// Seconds after this host became master in which the last advertisement of the former one may arrive.
const CROSSED: f64 = 0.25;

/// Whether a router that is heard is a master now: the former master, which gave way when this host took
/// over, is none.
pub(super) fn is_master_now(router: &VirtualRouter, seen: &Seen) -> bool {
    router.state != State::Master || seen.last_heard_s + CROSSED < router.since_s
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

/// The signatures of each virtual router that has keys.
pub fn auth(status: &Status) -> String {
    let mut out = String::new();
    for router in &status.virtual_routers {
        let Some(auth) = &router.auth else { continue };
        if !out.is_empty() {
            out.push('\n');
        }
        let named = name(
            router.name.as_deref(),
            router.vrid,
            &router.interface,
            router.family,
        );
        let keys: Vec<String> = auth.keys.iter().map(u8::to_string).collect();
        let window = match auth.anti_replay.as_str() {
            "time" => format!(", time window {} s", auth.window_s),
            other => format!(", {other}"),
        };
        let _ = writeln!(
            out,
            "{named}: {}, key {} of {}{window}",
            auth.mode,
            auth.active_key,
            keys.join(", ")
        );
        let mut line = |name: &str, text: String| {
            let _ = writeln!(out, "  {name:<10} {text}");
        };
        if let Some(peer) = &auth.held_by {
            line(
                "clock",
                format!(
                    "{peer} signs by another clock, and ours is not known to be right: it stays backup"
                ),
            );
        } else if auth.waits_for_clock {
            line("clock", "not known to be right".into());
        }
        if auth.senders.is_empty() {
            line("senders", "none was heard since it has keys".into());
        }
        for sender in &auth.senders {
            line("sender", sender_line(sender));
        }
        if !auth.unheard.is_empty() {
            line("unheard", auth.unheard.join(", "));
        }
        line("ready", readiness(auth));
    }
    if out.is_empty() {
        out.push_str("no virtual router has keys (auth = hmac)\n");
    }
    out
}

fn sender_line(sender: &AuthSender) -> String {
    let mut text = format!("{} ", sender.address);
    text += match sender.signed {
        true => "signed",
        false => "bare",
    };
    // A key and a clock are those of the last signature that was right.
    if let Some(id) = sender.key_id.filter(|_| sender.signed) {
        text += &format!(", key {id}");
    }
    if let Some(skew) = sender.skew_s.filter(|_| sender.signed) {
        text += &match skew {
            0 => ", same clock".to_owned(),
            ahead @ 1.. => format!(", clock {ahead} s ahead"),
            behind => format!(", clock {} s behind", behind.unsigned_abs()),
        };
    }
    text += &format!(", heard {}", ago(sender.last_heard_s));
    if let (Some(reason), Some(age)) = (&sender.refusal, sender.refused_s) {
        text += &match age > sender.last_heard_s {
            true => format!(", believed since it was refused {}: {reason}", ago(age)),
            false => format!(", refused: {reason}"),
        };
    }
    text
}

/// Whether a group can refuse whoever does not sign: what `vrrpctl auth` says in one line.
fn readiness(auth: &Auth) -> String {
    if !auth.ready {
        return format!("for enforce: no, {}", auth.obstacles.join("; "));
    }
    let mut text = "for enforce: yes, as far as was heard".to_owned();
    if auth.mode == "receive-only" {
        text += "; this host signs nothing yet";
    }
    text + "; a backup says nothing until it is master"
}

/// A change of a check's state in one line.
pub fn check_event(event: &CheckEvent) -> String {
    let state = if event.passing { "passes" } else { "failed" };
    let (seq, at, name) = (event.seq, utc(event.time_ms), &event.name);
    format!("{seq} {at} check {name}: {state}: {}", event.answer)
}

/// As [`VrId`](vrrp_host::VrId) names a virtual router.
pub fn name(name: Option<&str>, vrid: u8, interface: &str, family: Family) -> String {
    full_name(name, vrid, interface, &family.to_string())
}

fn marks(router: &VirtualRouter) -> String {
    let given = |kind| router.overrides.iter().any(|one| one.kind == kind);
    let marks = [
        (!router.enabled && !router.leaving, "disabled"),
        (router.leaving, "being removed"),
        (router.handing_over, "handing over"),
        (router.resigned, "resigned"),
        (given(OverrideKind::Drain), "drained"),
        (given(OverrideKind::Hold), "held"),
        (
            router.standing_back && !given(OverrideKind::Drain),
            "standing back",
        ),
    ];
    let set = marks.iter().filter(|(set, _)| *set);
    set.map(|(_, word)| format!(", {word}")).collect()
}

fn master(router: &VirtualRouter) -> String {
    match (&router.peer, router.state) {
        (_, State::Master) => match &router.source {
            Some(source) => format!("this host, {source}"),
            None => "this host".into(),
        },
        (None, _) if router.refused_peers > 0 => "none that is not refused".into(),
        (None, _) => "never heard one".into(),
        (Some(peer), _) if peer.priority == 0 => {
            format!("{}, {}", gave_up(&peer.address), ago(peer.last_heard_s))
        }
        (Some(peer), _) => format!(
            "{}, priority {}, heard {}",
            peer.address,
            peer.priority,
            ago(peer.last_heard_s)
        ),
    }
}

/// A synchronisation group: `gw: backup for 3 s, every member can take part; this one waits for the others`.
fn of_group(group: &Group) -> String {
    let (name, state, since) = (&group.name, group.state, span(group.since_s));
    let mut text = format!("{name}: {state} for {since}");
    if group.wanted != group.state {
        text += &format!(", to be {}", group.wanted);
    }
    text += &format!(", {}", group.reason);
    if group.waits {
        text += &format!("; this one would be master, and waits{}", obstacles(group));
    }
    text
}

/// The members that a group waits for: `: VRID 2 on eth1 (ipv4) was told to resign`.
pub(super) fn obstacles(group: &Group) -> String {
    match group.obstacles.as_slice() {
        [] => " for the others".to_owned(),
        some => format!(": {}", some.join("; ")),
    }
}

/// The priority that is advertised, and how it differs from the configured one.
fn priority(router: &VirtualRouter) -> String {
    let priority = router.priority;
    let mut terms = router.terms.iter();
    let Some(first) = terms.next() else {
        return priority.to_string();
    };
    let mut sum = format!("{} {}", first.value, first.what);
    let mut total = first.value;
    for term in terms {
        let sign = if term.value < 0 { '-' } else { '+' };
        sum += &format!(" {sign} {} {}", term.value.abs(), term.what);
        total += term.value;
    }
    if router.standing_back {
        format!("{priority} while it stands back, otherwise {sum}")
    } else if total == i32::from(priority) {
        format!("{priority} = {sum}")
    } else {
        format!("{priority}, as near to {sum} as can be")
    }
}

/// An override: `drained since 2026-11-30 14:02 UTC by root (uid 0), 1 h 12 min left: kernel update`.
pub fn given_override(given: &GivenOverride) -> String {
    let what = match (given.kind, given.priority) {
        (OverrideKind::Drain, _) if given.wait_left_s.is_some() => "being drained".to_owned(),
        (OverrideKind::Drain, _) => "drained".into(),
        (OverrideKind::Hold, _) => "held".into(),
        (OverrideKind::Priority, Some(priority)) => format!("priority {priority}"),
        (OverrideKind::Priority, None) => "another priority".into(),
    };
    let since = utc(given.time_ms);
    let since = since.get(..16).unwrap_or_default().replace('T', " ");
    let with = with_member(given);
    let mut text = format!("{what}{with} since {since} UTC by {}", giver(given));
    if let Some(left) = given.left_s {
        text += &format!(", {} left", span(left));
    }
    if let Some(left) = given.wait_left_s {
        text += &match given.connections {
            Some(1) => ", waits for 1 TCP connection".to_owned(),
            Some(count) => format!(", waits for {count} TCP connections"),
            None => ", waits for TCP connections that are not counted yet".into(),
        };
        text += &format!(", at most {} more", span(left));
    }
    if let Some(reason) = &given.reason {
        text += &format!(": {reason}");
    }
    text
}

/// A drain as the reason of a change of state.
pub fn drained_by(given: &GivenOverride) -> String {
    let reason = given.reason.as_deref().map(|reason| format!(": {reason}"));
    let with = with_member(given);
    format!(
        "drained{with} by {}{}",
        giver(given),
        reason.unwrap_or_default()
    )
}

fn with_member(given: &GivenOverride) -> String {
    let member = given.member.as_deref();
    member.map_or_else(String::new, |member| format!(" with {member} of its group"))
}

fn giver(given: &GivenOverride) -> String {
    match given.uid {
        0 => "root (uid 0)".into(),
        n => user(n, given.user.as_deref()),
    }
}

/// An override as a warning, with the command that ends it.
pub fn override_warning(router: &VirtualRouter, given: &GivenOverride) -> String {
    let meant = match &router.name {
        Some(name) => name.clone(),
        None => {
            let family = match router.family {
                Family::Ipv4 => 4,
                Family::Ipv6 => 6,
            };
            format!("-i {} -{family} {}", router.interface, router.vrid)
        }
    };
    let end = match given.kind {
        OverrideKind::Drain => format!("undrain {meant}"),
        OverrideKind::Hold => format!("release {meant}"),
        OverrideKind::Priority => format!("priority {meant} default"),
    };
    format!("{}; to end it: vrrpctl {end}", given_override(given))
}

fn facts(router: &VirtualRouter) -> Vec<(&'static str, String)> {
    let mut facts = vec![("why", router.reason.clone())];
    facts.push(("priority", priority(router)));
    if let Some(group) = &router.group {
        facts.push(("group", of_group(group)));
    }
    facts.push(("master", master(router)));
    if router.state == State::Master {
        facts.push((
            "others",
            match &router.peer {
                None if router.refused_peers > 0 => "none that is not refused".into(),
                None => "never heard a peer".into(),
                Some(peer) => format!(
                    "{}, priority {}, last heard as master {}",
                    peer.address,
                    peer.priority,
                    ago(peer.last_heard_s)
                ),
            },
        ));
    }
    if !router.checks.is_empty() {
        let checks = router.checks.iter().map(|check| {
            let state = if check.passing { "passes" } else { "fails" };
            format!("{} {state} ({})", check.name, check.effect)
        });
        let checks: Vec<String> = checks.collect();
        facts.push(("checks", checks.join(", ")));
    }
    let addresses = match router.addresses.as_slice() {
        [] => "none".to_owned(),
        all => all.join(" "),
    };
    facts.push(("addresses", addresses));
    for (name, items) in [("routes", &router.routes), ("rules", &router.rules)] {
        if !items.is_empty() {
            facts.push((name, items.join(", ")));
        }
    }
    facts.push((
        "mac",
        match (&router.mac_interface, router.virtual_mac) {
            (Some(name), _) => format!("{} (virtual, {name})", router.mac),
            (None, true) => format!("{} (virtual)", router.mac),
            (None, false) if router.interface_missing => "that of the interface".into(),
            (None, false) => format!("{} (of the interface)", router.mac),
        },
    ));
    let name = &router.interface;
    let interface = if router.interface_missing {
        format!("{name} is missing")
    } else {
        let updown = if router.interface_up { "up" } else { "down" };
        let source = router.source.as_deref();
        let source = source.unwrap_or("no address to advertise from");
        format!("{name} is {updown}, {source}")
    };
    facts.push(("interface", interface));
    facts.push((
        "protocol",
        format!(
            "VRRPv{}, every {} s, down after {:.3} s",
            router.version, router.interval_s, router.down_interval_s
        ),
    ));
    if let Some(path) = &router.heartbeat {
        facts.push(("heartbeat", heartbeat(router, path)));
    }
    if let Some(rejected) = &router.last_rejected {
        let source = rejected.source.as_deref().unwrap_or("an unreadable source");
        let (reason, n) = (&rejected.reason, rejected.count);
        let when = ago(rejected.age_s);
        facts.push((
            "rejected",
            format!("{reason} from {source}, {when}, {n} in all"),
        ));
    }
    facts.extend(router.warnings.iter().map(|text| ("warning", text.clone())));
    facts.extend(router.notes.iter().map(|text| ("note", text.clone())));
    facts
}

/// The second path in a line: `eth1: cut: 10.0.0.2, priority 200, is heard there and not on eth0`.
pub(super) fn heartbeat(router: &VirtualRouter, path: &Heartbeat) -> String {
    let (here, there) = (&router.interface, &path.interface);
    let peer = path.peer.as_deref().unwrap_or("the master");
    let peer = match path.priority {
        Some(priority) => format!("{peer}, priority {priority},"),
        None => peer.to_owned(),
    };
    let told = match path.state.as_str() {
        "down" => "it is down or missing".to_owned(),
        "silent" => "no other master is heard there".into(),
        "both" => format!("{peer} is heard there and on {here}"),
        "missed" => format!("{peer} is heard on {here} and not there"),
        "cut" => format!("{peer} is heard there and not on {here}"),
        "one-way" => format!("{peer} is heard there and on {here}, and does not hear us"),
        "frozen" => {
            format!("{peer} is silent there and on {here}, and its address is answered for")
        }
        "dead" => format!("{peer} is silent there and on {here}"),
        _ => peer,
    };
    format!("{there}: {}: {told}", path.state)
}

/// The settings that are in force.
fn settings(router: &VirtualRouter) -> Vec<(&'static str, String)> {
    let delay = router.preempt_delay_s;
    let preempt = match (router.preempt, delay > 0.0) {
        (false, _) => "no".to_owned(),
        (true, false) => "yes, without a delay".into(),
        (true, true) => {
            let left = router.preempt_left_s;
            let left = left.map_or(String::new(), |left| format!(", {} left", span(left)));
            format!("yes, after {}{left}", span(delay))
        }
    };
    let start = match (router.start_delay_s, router.start_left_s) {
        (_, Some(left)) => format!("only listens for {} more", span(left)),
        (0.0, None) => "without a delay".into(),
        (delay, None) => format!("only listens for {} after a start", span(delay)),
    };
    let mut facts = vec![("preempt", preempt), ("start", start)];
    facts.push((
        "peers",
        match router.peers.as_slice() {
            [] => "multicast".into(),
            peers => peers.join(" "),
        },
    ));
    facts.push(("checksum", router.checksum.clone()));
    let tracked = router.tracked.iter().map(|one| {
        let state = if one.up { "up" } else { "down" };
        (
            "tracked",
            format!("{} is {state} ({})", one.what, one.effect),
        )
    });
    facts.extend(tracked);
    facts
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

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::{Peer, Rejected, Term, TrackedObject, Versions};

    fn router() -> VirtualRouter {
        VirtualRouter {
            vrid: 1,
            interface: "eth0".into(),
            family: Family::Ipv4,
            state: State::Backup,
            since_s: 130.0,
            reason: "10.10.10.6 (priority 250) advertises, ours is 90".into(),
            priority: 90,
            base_priority: 100,
            terms: vec![term(100, "configured"), term(-10, "eth2 down")],
            enabled: true,
            version: Versions::V2,
            interval_s: 1.0,
            down_interval_s: 3.648,
            source: Some("10.10.10.5".into()),
            peer: Some(Peer {
                address: "10.10.10.6".into(),
                priority: 250,
                last_heard_s: 3.2,
                ..Peer::default()
            }),
            addresses: vec!["10.10.10.53/32".into(), "10.10.10.80/32".into()],
            routes: vec!["10.0.0.0/8 dev eth1".into(), "::/0 dev eth1".into()],
            rules: vec!["from all priority 7 lookup 7".into()],
            mac: "00:00:5e:00:01:01".into(),
            virtual_mac: true,
            mac_interface: Some("vr4.2.1".into()),
            interface_up: true,
            interface_missing: false,
            warnings: vec!["10.10.10.6 advertises another interval (2s) than ours (1s)".into()],
            notes: vec!["no frame has ever arrived".into()],
            last_rejected: Some(Rejected {
                reason: "auth-failure".into(),
                source: Some("10.10.10.9".into()),
                age_s: 61.0,
                count: 12,
            }),
            ..VirtualRouter::default()
        }
    }

    fn term(value: i32, what: &str) -> Term {
        let what = what.to_owned();
        Term { value, what }
    }

    fn of(router: VirtualRouter) -> Status {
        Status {
            version: "0.1.0".into(),
            pid: 42,
            uptime_s: 131.0,
            virtual_routers: vec![router],
            ..Status::default()
        }
    }

    #[test]
    fn status_tells_everything() {
        let expected = "vrrpd 0.1.0, process 42, running for 2 min 11 s

VRID 1 on eth0 (ipv4): backup for 2 min 10 s
  why        10.10.10.6 (priority 250) advertises, ours is 90
  priority   90 = 100 configured - 10 eth2 down
  master     10.10.10.6, priority 250, heard 3 s ago
  addresses  10.10.10.53/32 10.10.10.80/32
  routes     10.0.0.0/8 dev eth1, ::/0 dev eth1
  rules      from all priority 7 lookup 7
  mac        00:00:5e:00:01:01 (virtual, vr4.2.1)
  interface  eth0 is up, 10.10.10.5
  protocol   VRRPv2, every 1 s, down after 3.648 s
  rejected   auth-failure from 10.10.10.9, 1 min 1 s ago, 12 in all
  warning    10.10.10.6 advertises another interval (2s) than ours (1s)
  note       no frame has ever arrived
";
        assert_eq!(status(&of(router()), false), expected);
    }

    #[test]
    fn an_election_without_addresses_has_none() {
        let none = VirtualRouter {
            addresses: Vec::new(),
            ..router()
        };
        let text = status(&of(none), false);
        assert!(text.contains("\n  addresses  none\n"), "{text}");
    }

    #[test]
    fn the_second_path_has_a_line_for_each_state() {
        for (state, expected) in [
            ("down", "eth1: down: it is down or missing"),
            ("silent", "eth1: silent: no other master is heard there"),
            (
                "both",
                "eth1: both: 10.10.10.6, priority 250, is heard there and on eth0",
            ),
            (
                "missed",
                "eth1: missed: 10.10.10.6, priority 250, is heard on eth0 and not there",
            ),
            (
                "cut",
                "eth1: cut: 10.10.10.6, priority 250, is heard there and not on eth0",
            ),
            (
                "one-way",
                "eth1: one-way: 10.10.10.6, priority 250, is heard there and on eth0, and does not hear us",
            ),
            (
                "frozen",
                "eth1: frozen: 10.10.10.6, priority 250, is silent there and on eth0, and its address is answered for",
            ),
            (
                "dead",
                "eth1: dead: 10.10.10.6, priority 250, is silent there and on eth0",
            ),
        ] {
            assert!(Heartbeat::STATES.contains(&state));
            let path = Heartbeat {
                interface: "eth1".into(),
                state: state.into(),
                peer: Some("10.10.10.6".into()),
                priority: Some(250),
                last_heard_s: Some(0.5),
            };
            assert_eq!(heartbeat(&router(), &path), expected);
            let with = VirtualRouter {
                heartbeat: Some(path),
                ..router()
            };
            let line = format!("\n  heartbeat  {expected}\n");
            let text = status(&of(with), false);
            assert!(text.contains(&line), "{text}");
        }
    }

    #[test]
    fn a_lonely_master_says_that_it_never_heard_a_peer() {
        let lonely = VirtualRouter {
            state: State::Master,
            peer: None,
            resigned: true,
            ..router()
        };
        let text = status(&of(lonely), false);
        assert!(text.contains("master for 2 min 10 s, resigned\n"), "{text}");
        assert!(
            text.contains("  master     this host, 10.10.10.5\n"),
            "{text}"
        );
        assert!(text.contains("  others     never heard a peer\n"), "{text}");
    }

    #[test]
    fn a_priority_is_shown_as_the_sum_that_it_is() {
        let line = |priority: u8, terms: Vec<Term>| {
            super::priority(&VirtualRouter {
                priority,
                terms,
                ..router()
            })
        };
        assert_eq!(
            line(250, vec![term(250, "configured")]),
            "250 = 250 configured"
        );
        let terms = vec![
            term(250, "configured"),
            term(-50, "eth2 down"),
            term(-50, "check dns fails"),
        ];
        assert_eq!(
            line(150, terms.clone()),
            "150 = 250 configured - 50 eth2 down - 50 check dns fails"
        );
        let set = vec![
            term(10, "set by vrrpctl, 100 configured"),
            term(-50, "eth2 down"),
        ];
        assert_eq!(
            line(1, set),
            "1, as near to 10 set by vrrpctl, 100 configured - 50 eth2 down as can be"
        );
        let drained = VirtualRouter {
            priority: 1,
            standing_back: true,
            terms: vec![term(250, "configured")],
            ..router()
        };
        assert_eq!(
            super::priority(&drained),
            "1 while it stands back, otherwise 250 configured"
        );
        assert!(
            brief(&of(VirtualRouter {
                priority_override: Some(10),
                ..router()
            }))
            .contains(" 90 (set) ")
        );
    }

    #[test]
    fn verbose_shows_the_settings_in_force() {
        let router = VirtualRouter {
            preempt: true,
            preempt_delay_s: 300.0,
            preempt_left_s: Some(42.0),
            start_delay_s: 60.0,
            start_left_s: Some(12.0),
            peers: vec!["10.10.10.6".into(), "10.10.10.7".into()],
            checksum: "auto".into(),
            tracked: vec![TrackedObject {
                what: "interface eth2".into(),
                effect: "-50".into(),
                up: false,
            }],
            ..router()
        };
        let expected = "
  preempt    yes, after 5 min, 42 s left
  start      only listens for 12 s more
  peers      10.10.10.6 10.10.10.7
  checksum   auto
  tracked    interface eth2 is down (-50)
";
        let text = status(&of(router.clone()), true);
        assert!(text.ends_with(expected), "{text}");
        let text = status(&of(router), false);
        assert!(!text.contains("preempt"), "{text}");
    }

    #[test]
    fn an_override_says_since_when_by_whom_for_how_long_and_how_to_end_it() {
        let mut given = GivenOverride {
            time_ms: 1_795_982_772_345,
            left_s: Some(4_320.0),
            reason: Some("kernel update".into()),
            ..GivenOverride::default()
        };
        assert_eq!(
            given_override(&given),
            "drained since 2026-11-29 20:06 UTC by root (uid 0), 1 h 12 min left: kernel update"
        );
        given.member = Some("outside".into());
        assert!(given_override(&given).starts_with("drained with outside of its group since "));
        assert!(drained_by(&given).starts_with("drained with outside of its group by root"));
        given.member = None;
        given.wait_left_s = Some(25.0);
        given.connections = Some(3);
        given.uid = 7;
        given.left_s = None;
        assert!(drained_by(&given).ends_with("drained by uid 7: kernel update"));
        given.user = Some("alice".into());
        assert!(drained_by(&given).ends_with("drained by alice (uid 7): kernel update"));
        assert_eq!(
            override_warning(&router(), &given),
            "being drained since 2026-11-29 20:06 UTC by alice (uid 7), waits for 3 TCP connections, at most 25 s more: kernel update; to end it: vrrpctl undrain -i eth0 -4 1"
        );
        let named = VirtualRouter {
            name: Some("web".into()),
            overrides: vec![given],
            ..router()
        };
        let held = GivenOverride {
            kind: OverrideKind::Hold,
            ..GivenOverride::default()
        };
        assert!(override_warning(&named, &held).ends_with("; to end it: vrrpctl release web"));
        let set = GivenOverride {
            kind: OverrideKind::Priority,
            priority: Some(7),
            ..GivenOverride::default()
        };
        let text = override_warning(&named, &set);
        assert!(
            text.starts_with("priority 7 since 1970-01-01 00:00 UTC by root"),
            "{text}"
        );
        assert!(
            text.ends_with("; to end it: vrrpctl priority web default"),
            "{text}"
        );
        assert!(status(&of(named), false).contains(": backup for 2 min 10 s, drained\n"));
    }

    #[test]
    fn brief_shows_the_same_marks() {
        let leaving = VirtualRouter {
            state: State::Master,
            leaving: true,
            handing_over: true,
            ..router()
        };
        let text = brief(&of(leaving));
        assert!(
            text.contains("master, being removed, handing over  "),
            "{text}"
        );
    }

    #[test]
    fn an_event_has_its_number_and_time() {
        let happened = Event {
            seq: 17,
            time_ms: 1_795_982_772_345,
            vrid: 1,
            name: Some("web".into()),
            interface: "eth0".into(),
            family: Family::Ipv4,
            from: State::Backup,
            to: State::Master,
            reason: "10.10.10.6 gave up mastership".into(),
            peer: None,
        };
        assert_eq!(
            event(&happened),
            "17 2026-11-29T20:06:12.345Z web (VRID 1 on eth0, ipv4): backup -> master: 10.10.10.6 gave up mastership"
        );
    }

    #[test]
    fn tables_are_aligned() {
        let expected = "\
VRID  INTERFACE  FAMILY  STATE   SINCE       PRIO  MASTER                                    WARNINGS
1     eth0       ipv4    backup  2 min 10 s  90    10.10.10.6, priority 250, heard 3 s ago  1
";
        let got = brief(&of(router()));
        let squeeze = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(squeeze(&got), squeeze(expected));
        let column = |line: &str| line.find("MASTER").or(line.find("10.10.10.6"));
        let columns: Vec<_> = got.lines().map(column).collect();
        assert_eq!(columns[0], columns[1]);
    }

    #[test]
    fn a_name_comes_first_and_has_a_column_where_there_is_one() {
        let mut both = of(router());
        both.virtual_routers.push(VirtualRouter {
            name: Some("web".into()),
            vrid: 2,
            ..router()
        });
        let text = status(&both, false);
        assert!(text.contains("\nVRID 1 on eth0 (ipv4): backup"), "{text}");
        assert!(
            text.contains("\nweb (VRID 2 on eth0, ipv4): backup"),
            "{text}"
        );
        let table = brief(&both);
        let first = |line: &str| {
            line.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let rows: Vec<String> = table.lines().map(first).collect();
        assert_eq!(rows, ["NAME VRID", "- 1", "web 2"]);
    }

    #[test]
    fn signatures_are_told_with_who_stands_in_the_way() {
        let router = |auth: Option<Auth>| VirtualRouter {
            vrid: 7,
            interface: "eth0".into(),
            auth,
            ..VirtualRouter::default()
        };
        let status = |auth| Status {
            virtual_routers: vec![router(auth)],
            ..Status::default()
        };
        assert_eq!(
            auth(&status(None)),
            "no virtual router has keys (auth = hmac)\n"
        );
        let sender = |address: &str, signed| AuthSender {
            address: address.into(),
            signed,
            last_heard_s: 0.4,
            ..AuthSender::default()
        };
        let mut group = Auth {
            mode: "permissive".into(),
            anti_replay: "time".into(),
            window_s: 5,
            keys: vec![1, 2],
            active_key: 2,
            ready: true,
            ..Auth::default()
        };
        assert_eq!(
            auth(&status(Some(group.clone()))),
            "VRID 7 on eth0 (ipv4): permissive, key 2 of 1, 2, time window 5 s\n\
             \u{20} senders    none was heard since it has keys\n\
             \u{20} ready      for enforce: yes, as far as was heard; a backup says nothing until it is master\n"
        );
        group.senders = vec![
            AuthSender {
                key_id: Some(2),
                skew_s: Some(-312),
                refusal: Some("auth-stale".into()),
                refused_s: Some(0.4),
                ..sender("192.0.2.2", true)
            },
            sender("192.0.2.3", false),
        ];
        assert_eq!(
            readiness(&group),
            "for enforce: yes, as far as was heard; a backup says nothing until it is master"
        );
        group.unheard = vec!["192.0.2.4".into()];
        group.ready = false;
        group.obstacles =
            vec!["192.0.2.3 still sends bare advertisements (heard 0.4 s ago)".into()];
        let ago = ago(0.4);
        assert_eq!(
            auth(&status(Some(group))),
            format!(
                "VRID 7 on eth0 (ipv4): permissive, key 2 of 1, 2, time window 5 s\n\
                 \u{20} sender     192.0.2.2 signed, key 2, clock 312 s behind, heard {ago}, refused: auth-stale\n\
                 \u{20} sender     192.0.2.3 bare, heard {ago}\n\
                 \u{20} unheard    192.0.2.4\n\
                 \u{20} ready      for enforce: no, 192.0.2.3 still sends bare advertisements (heard 0.4 s ago)\n"
            )
        );
    }

    #[test]
    fn a_sender_is_shown_by_its_last_advertisement() {
        let sender = AuthSender {
            address: "192.0.2.2".into(),
            signed: false,
            key_id: Some(1),
            skew_s: Some(0),
            last_heard_s: 0.4,
            ..AuthSender::default()
        };
        let heard = ago(0.4);
        assert_eq!(
            sender_line(&sender),
            format!("192.0.2.2 bare, heard {heard}")
        );
        let believed = AuthSender {
            signed: true,
            refusal: Some("auth-missing".into()),
            refused_s: Some(90.0),
            ..sender
        };
        assert_eq!(
            sender_line(&believed),
            format!(
                "192.0.2.2 signed, key 1, same clock, heard {heard}, believed since it was refused {}: auth-missing",
                ago(90.0)
            )
        );
    }

    #[test]
    fn who_marks_strangers_and_the_silent() {
        let seen = Seen {
            interface: "eth0".into(),
            vrid: 9,
            family: Family::Ipv4,
            address: "10.10.10.7".into(),
            priority: 120,
            version: 3,
            interval_s: 0.1,
            last_heard_s: 9.0,
            stale: true,
            ..Seen::default()
        };
        let text = who(&[seen]);
        assert!(text.contains("9 (not ours)"), "{text}");
        assert!(text.contains("0.1 s"), "{text}");
        assert!(text.contains("9 s ago, silent"), "{text}");
    }
}
