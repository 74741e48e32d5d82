//! The answer to `status`: the facts and settings of each virtual router, and the table of `--brief`.

use std::fmt::Write as _;

use vrrp_control::{Group, Heartbeat, OverrideKind, State, Status, VirtualRouter};
use vrrp_host::wording::{ago, gave_up, span};

use super::{aligned, name, state_of};

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
pub(crate) fn obstacles(group: &Group) -> String {
    match group.obstacles.as_slice() {
        [] => " for the others".to_owned(),
        some => format!(": {}", some.join("; ")),
    }
}

/// The priority that is advertised, and how it differs from the configured one.
pub(super) fn priority(router: &VirtualRouter) -> String {
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

/// The reason of the last change of state, with the names of the tracked objects that keep it from taking
/// part: `a tracked object is down: interface lan`.
pub fn reason(router: &VirtualRouter) -> String {
    let reason = &router.reason;
    if router.state != State::Init || router.cause != "tracked-fault" {
        return reason.clone();
    }
    let down = router.tracked.iter();
    let down = down.filter(|one| !one.up && one.effect == "fault" && !reason.contains(&one.what));
    let down: Vec<&str> = down.map(|one| one.what.as_str()).collect();
    match down.as_slice() {
        [] => reason.clone(),
        some => format!("{reason}: {}", some.join(", ")),
    }
}

fn facts(router: &VirtualRouter) -> Vec<(&'static str, String)> {
    let mut facts = vec![("why", reason(router))];
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
pub(crate) fn heartbeat(router: &VirtualRouter, path: &Heartbeat) -> String {
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
