//! Sentences of an explanation. Overrides, groups and the past are here, everything else in its own file.

mod others;
mod state;

use vrrp_control::{
    Auth, Conflict, Event, Family, Group, OverrideKind, Rejected, State, TrackedObject, UsedCheck,
};

use super::*;

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
    let text =
        "It would be master, and waits for its group gw: VRID 2 on eth1 (ipv4) was told to resign.";
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
