//! The state, and the reasons for it.

use super::*;

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
            "it does not listen, so nothing is known of other hosts",
        ],
    );
    let pulled = VirtualRouter {
        checks: Vec::new(),
        tracked: vec![TrackedObject {
            what: "interface lan".into(),
            effect: "fault".into(),
            up: false,
        }],
        ..fault
    };
    let heard = "Meanwhile 10.0.0.3 is heard as master.";
    let named = "cannot do without fails: a reason: interface lan.";
    says(&pulled, &[other(None)], &[], &[named, heard]);
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
