//! The state of a virtual router, and the facts that led to it.

use vrrp_control::{Conflict, Group, OverrideKind, State, VirtualRouter};
use vrrp_host::wording::ago;

use super::{Facts, command, living};
use crate::ctl::text::{master_heard, name, obstacles, override_warning, reason};

/// The state, why it is so, and why it is no better one.
pub(super) fn now(facts: &Facts<'_>) -> Vec<String> {
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

pub(super) fn backup(facts: &Facts<'_>) -> Vec<String> {
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

/// Whether another host serves meanwhile, as far as a virtual router that takes no part can know.
fn meanwhile(facts: &Facts<'_>) -> String {
    match master_heard(facts.router, facts.seen) {
        Some(seen) => format!("Meanwhile {} is heard as master.", seen.address),
        None => "While it takes no part it does not listen, so nothing is known of other hosts: one may serve all the same.".into(),
    }
}

pub(super) fn init(facts: &Facts<'_>) -> Vec<String> {
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
            reason(router)
        )
    } else {
        format!("{takes} {}.", router.reason)
    };
    vec![sentence, meanwhile(facts)]
}
