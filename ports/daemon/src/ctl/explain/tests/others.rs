//! Other routers of the segment, and the second path.

use super::*;

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
    // It is no mystery then who answers for the address.
    let conflict = VirtualRouter {
        conflict: Some(Conflict {
            address: "10.0.0.1".into(),
            mac: "00:00:5e:00:01:01".into(),
            waits: false,
        }),
        ..router()
    };
    let refused = [other(Some("it has another password"))];
    let text = says(
        &conflict,
        &refused,
        &[],
        &["answers for 10.0.0.1: a router"],
    );
    assert!(!text.contains("cut off"), "{text}");
    assert!(text.find("refused:") < text.find("answers for"), "{text}");
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
fn a_forged_priority_from_our_own_address_is_no_loop() {
    let forged = Seen {
        address: "10.0.0.2".into(),
        priority: 255,
        ..other(Some("is advertised from with priority 255"))
    };
    let parts = ["with priority 255: look for the host with that MAC: it forges advertisements."];
    says(&router(), &[forged], &[], &parts);
}
