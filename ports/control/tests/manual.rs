//! The manual page describes every member of every answer, and no other.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use vrrp_control::{
    Answer, Auth, AuthSender, Check, CheckEvent, CheckStats, Event, GivenOverride, Group,
    Heartbeat, Log, Notice, Peer, RefusedPeer, Rejected, Reloads, Request, SCHEMA, Script, Seen,
    Since, Stats, Status, Term, Terms, TimerLate, TrackedObject, Transition, UsedCheck,
    VirtualRouter, VrStats, Which,
};

const PAGE: &str = include_str!("../../daemon/man/vrrpd_control.5");

/// The members that the page describes in the part that begins with `head`.
fn described(head: &str) -> Vec<String> {
    let (_, part) = PAGE.split_once(&format!("\n{head}\n")).expect(head);
    let end = part.find("\n.S").unwrap_or(part.len());
    let items = part[..end]
        .lines()
        .filter_map(|l| l.strip_prefix(".It Va "));
    let mut items: Vec<String> = items.map(str::to_owned).collect();
    items.sort_unstable();
    items
}

/// The members of a value that has all of them.
fn members(value: &impl Serialize) -> Vec<String> {
    match serde_json::to_value(value).expect("JSON") {
        Value::Object(members) => members.keys().cloned().collect(),
        other => panic!("no object: {other}"),
    }
}

/// The members of the one member of an answer.
fn members_within(answer: &Answer) -> Vec<String> {
    let value = serde_json::to_value(answer).expect("JSON");
    let inner = value.as_object().and_then(|answer| answer.values().next());
    members(inner.expect("an answer"))
}

fn whole_notice() -> Notice {
    Notice {
        vrid: Some(1),
        name: Some("web".into()),
        interface: Some("eth0".into()),
        family: Some(vrrp_control::Family::Ipv4),
        uid: Some(0),
        user: Some("vrrp".into()),
        ..Notice::default()
    }
}

#[test]
fn every_kind_of_notice_is_described() {
    let (_, part) = PAGE.split_once("\n.Ss notice\n").expect("its part");
    let (_, part) = part.split_once("\n.It Va kind\n").expect("kinds");
    let (part, _) = part.split_once("\n.It").expect("the next member");
    for kind in vrrp_control::NoticeKind::ALL {
        let named = |word: &str| word == kind.as_str();
        assert!(part.split_whitespace().any(named), "{kind}");
    }
}

#[test]
fn every_member_is_described_and_no_other() {
    for (head, found) in [
        (".Ss status", members(&Status::default())),
        (
            ".Ss A virtual router of the status",
            members(&VirtualRouter::default()),
        ),
        (
            ".Ss The signatures of a virtual router",
            members(&Auth::default()),
        ),
        (
            ".Ss A sender of advertisements",
            members(&AuthSender::default()),
        ),
        (".Ss A group", members(&Group::default())),
        (".Ss A tracked object", members(&TrackedObject::default())),
        (".Ss A term of a priority", members(&Term::default())),
        (
            ".Ss An override of a virtual router",
            members(&GivenOverride {
                user: Some("vrrp".into()),
                member: Some("inside".into()),
                ..GivenOverride::default()
            }),
        ),
        (".Ss A second path", members(&Heartbeat::default())),
        (".Ss A peer", members(&Peer::default())),
        (".Ss check", members(&Check::default())),
        (
            ".Ss A check of a virtual router",
            members(&UsedCheck::default()),
        ),
        (".Ss A check of the stats", members(&CheckStats::default())),
        (".Ss check-event", members(&CheckEvent::default())),
        (".Ss A rejected packet", members(&Rejected::default())),
        (".Ss A refused peer", members(&RefusedPeer::default())),
        (".Ss A script", members(&Script::default())),
        (".Ss A transition", members(&Transition::default())),
        (
            ".Ss The timers of the stats",
            members(&TimerLate::default()),
        ),
        (".Ss The reloads of the stats", members(&Reloads::default())),
        (".Ss who", members(&Seen::default())),
        (".Ss stats", members(&Stats::default())),
        (
            ".Ss A virtual router of the stats",
            members(&VrStats::default()),
        ),
        (
            ".Ss done",
            members_within(&Answer::Done {
                messages: Vec::new(),
            }),
        ),
        (".Ss events", members_within(&Answer::Events { next: 1 })),
        (".Ss event", members(&Event::default())),
        (".Ss log", members(&Log::default())),
        (".Ss notice", members(&whole_notice())),
        (".Ss dropped", members_within(&Answer::Dropped { count: 1 })),
        (
            ".Ss error",
            members_within(&Answer::Error {
                message: String::new(),
                details: vec![String::new()],
            }),
        ),
    ] {
        assert_eq!(described(head), found, "{head}");
    }
}

#[test]
fn every_member_of_a_request_is_described() {
    let request = Request::SetPriority {
        which: Which {
            vrid: 1,
            more: vec![2],
            names: vec!["web".into()],
            all: true,
            interface: Some("eth0".into()),
            family: Some(vrrp_control::Family::Ipv4),
        },
        priority: None,
        terms: Terms {
            for_s: Some(1),
            reason: Some(String::new()),
        },
    };
    let mut found = members(&request);
    found.push("wait_s".into());
    found.extend(members(&Request::Check {
        name: String::new(),
        run: true,
    }));
    found.extend(members(&Since {
        since: Some(1),
        within_s: Some(1.0),
    }));
    found.retain(|name| name != "command");
    found.sort_unstable();
    assert_eq!(described(".Sh REQUESTS"), found);
}

#[test]
fn the_page_names_the_form_and_its_requests_can_be_sent() {
    assert!(PAGE.contains(&format!("It is {SCHEMA}.\n")));
    let requests: BTreeMap<usize, Request> = PAGE
        .lines()
        .enumerate()
        .filter(|(_, line)| line.starts_with("{\"command\""))
        .map(|(at, line)| (at, serde_json::from_str(line).expect(line)))
        .collect();
    assert_eq!(requests.len(), 3);
}
