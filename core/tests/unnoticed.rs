//! The engine's days: what mutations of the code had gone unnoticed in.

mod common;

use common::{IF, Line, Peer, Sent, addresses, cs, interface, key, priority, secs};
use vrrp_core::{
    Announce, ChecksumMode, Error, Failure, Family, InterfaceState, Output, Reason, Router, State,
    Track, TrackEffect, Version, VirtualAddress, VrConfig,
};

fn config(list: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        addresses: list,
        announce: Announce {
            repeats: 0,
            ..Announce::DEFAULT
        },
        ..VrConfig::DEFAULT
    }
}

fn active(config: &VrConfig<'_>) -> Line {
    let mut line = Line::new(config);
    line.at(5.0).expect_state(State::Active).skip();
    line
}

fn reconfigure(line: &mut Line, config: &VrConfig<'_>) {
    let key = line.key;
    line.act(|r, now| r.reconfigure(now, key, config).unwrap());
}

#[test]
fn who_resigned_and_is_stopped_meanwhile_stops() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let key = line.key;
    line.act(|r, now| r.resign(now, key).unwrap());
    line.at(5.2);
    line.act(|r, now| r.set_enabled(now, key, false).unwrap());
    line.at(6.5).expect_state(State::Initialize);
    assert_eq!(line.status().reason, Reason::Disabled);
}

#[test]
fn who_stops_and_is_told_to_resign_stops_all_the_same() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let key = line.key;
    line.act(|r, now| r.set_enabled(now, key, false).unwrap());
    line.at(5.2);
    line.act(|r, now| r.resign(now, key).unwrap());
    line.at(6.5).expect_state(State::Initialize);
}

#[test]
fn who_stops_names_its_own_interval() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&config(&list));
    let fast = Peer {
        interval: cs(20),
        ..Peer::fridge(&line, 200)
    };
    line.at(1.0).accept(&fast);
    line.at(3.0).expect_state(State::Active);
    let key = line.key;
    line.skip();
    line.act(|r, now| r.set_enabled(now, key, false).unwrap());
    let sent = Sent::parse(&line.frames[0]);
    assert_eq!((sent.priority, sent.interval_cs), (0, 100));
}

#[test]
fn an_effect_that_failed_is_waited_for_whatever_else_happens() {
    // S-14
    let list = addresses(&["10.10.10.80"]);
    let tracks = [Track {
        object: 1,
        effect: TrackEffect::WhileDown(-10),
    }];
    let mut line = active(&VrConfig {
        tracks: &tracks,
        ..config(&list)
    });
    let key = line.key;
    let failure = Failure::Address {
        key,
        address: list[0].address,
    };
    for _ in 0..5 {
        line.fail(failure);
    }
    line.expect_state(State::Initialize);
    assert_eq!(line.status().reason, Reason::EffectFailed);
    line.at(5.5);
    line.act(|r, now| r.set_tracked(now, 1, false));
    line.at(5.9).expect_state(State::Initialize);
    line.at(6.1).expect_state(State::Backup);
}

#[test]
fn a_failed_group_troubles_those_alone_that_use_it() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        start_delay: secs(60.0),
        ..config(&list)
    });
    let others = interface();
    line.act(|r, now| r.set_interface(now, IF + 1, others).unwrap());
    let due = line.router.poll_timeout();
    for (ifindex, family) in [(IF, Family::Ipv6), (IF + 1, Family::Ipv4)] {
        line.fail(Failure::Group { ifindex, family });
        assert_eq!(line.router.poll_timeout(), due, "{ifindex} {family}");
    }
    line.fail(Failure::Group {
        ifindex: IF,
        family: Family::Ipv4,
    });
    assert!(line.router.poll_timeout() < due);
}

#[test]
fn interfaces_keep_their_virtual_routers_when_one_is_forgotten() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::disabled(&config(&list));
    let now = line.now;
    for ifindex in [IF + 1, IF + 2] {
        let key = vrrp_core::VrKey {
            ifindex,
            ..key(2, Family::Ipv4)
        };
        line.router
            .set_interface(now, ifindex, interface())
            .unwrap();
        line.router.insert(now, key, &config(&list)).unwrap();
        line.router.set_enabled(now, key, true).unwrap();
    }
    let first = line.key;
    assert_eq!(line.router.remove_interface(IF), Err(Error::InUse));
    line.router.remove(now, first).unwrap();
    line.drain();
    line.router.remove_interface(IF).unwrap();
    let down = InterfaceState {
        up: false,
        ..interface()
    };
    line.act(|r, now| r.set_interface(now, IF + 1, down).unwrap());
    let state = |line: &Line, ifindex| {
        let key = vrrp_core::VrKey {
            ifindex,
            ..key(2, Family::Ipv4)
        };
        line.router.status(key).unwrap().state
    };
    assert_eq!(state(&line, IF + 1), State::Initialize);
    assert_eq!(state(&line, IF + 2), State::Backup);
    line.act(|r, now| r.set_interface(now, IF + 2, down).unwrap());
    assert_eq!(state(&line, IF + 2), State::Initialize);
}

#[test]
fn what_was_learned_of_checksums_outlives_a_change_of_something_else() {
    let list = addresses(&["10.10.10.80"]);
    let base = config(&list);
    let mut line = Line::new(&base);
    assert!(line.status().pseudo_header);
    let plain = Peer {
        pseudo_header: false,
        ..Peer::fridge(&line, 200)
    };
    line.at(1.0).accept(&plain);
    assert!(!line.status().pseudo_header);
    reconfigure(
        &mut line,
        &VrConfig {
            preempt: false,
            ..base
        },
    );
    assert!(!line.status().pseudo_header);
    for (checksum, pseudo_header) in [
        (ChecksumMode::Rfc5798, true),
        (ChecksumMode::Rfc9568, false),
        (ChecksumMode::Auto, true),
    ] {
        reconfigure(&mut line, &VrConfig { checksum, ..base });
        assert_eq!(line.status().pseudo_header, pseudo_header, "{checksum:?}");
    }
}

#[test]
fn another_priority_ends_having_resigned_and_nothing_else_does() {
    let list = addresses(&["10.10.10.80"]);
    let base = config(&list);
    let mut line = active(&base);
    let key = line.key;
    let peer = Peer::fridge(&line, 50);
    line.act(|r, now| r.resign(now, key).unwrap());
    line.at(5.1).accept(&peer).expect_state(State::Backup);
    let other = VrConfig {
        preempt_delay: secs(1.0),
        ..base
    };
    reconfigure(&mut line, &other);
    assert!(line.status().resigned);
    reconfigure(
        &mut line,
        &VrConfig {
            priority: priority(120),
            ..other
        },
    );
    assert!(!line.status().resigned);
}

#[test]
fn a_new_interval_is_counted_by_a_backup_of_version_2_alone() {
    // T-3: version 3 counts the interval of the Active router.
    let list = addresses(&["10.10.10.80"]);
    for (version, counted) in [(Version::V2, 300), (Version::V3, 20)] {
        let base = VrConfig {
            version,
            ..config(&list)
        };
        let mut line = Line::new(&base);
        if version == Version::V3 {
            let fast = Peer {
                interval: cs(20),
                ..Peer::fridge(&line, 200)
            };
            line.at(1.0).accept(&fast);
        }
        reconfigure(
            &mut line,
            &VrConfig {
                advert_interval: cs(300),
                ..base
            },
        );
        assert_eq!(line.status().active_interval, cs(counted));
    }
}

#[test]
fn a_group_that_is_joined_again_does_not_end_the_wait_for_an_effect() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let (key, address) = (line.key, list[0].address);
    line.fail(Failure::Group {
        ifindex: IF,
        family: Family::Ipv4,
    });
    line.at(5.2);
    for _ in 0..5 {
        line.fail(Failure::Address { key, address });
    }
    line.at(6.1).expect_state(State::Initialize);
    line.at(6.3).expect_state(State::Backup);
}

#[test]
fn who_wakes_late_by_an_interval_has_not_slept() {
    // T-8
    let list = addresses(&["10.10.10.80"]);
    for (seconds, state) in [(4.609_375, State::Active), (4.609_376, State::Backup)] {
        let mut line = Line::new(&config(&list));
        line.sleep_until(seconds).wake().expect_state(state);
    }
}

#[test]
fn virtual_routers_of_one_place_in_the_table_are_told_apart() {
    // VRIDs 1, 5 and 9 share it in a table of four.
    let now = vrrp_core::Instant::from_micros(0);
    let list = addresses(&["10.10.10.80"]);
    let keys = [1, 5, 9].map(|vrid| key(vrid, Family::Ipv4));
    for gone in keys {
        let mut router = Router::<1, 4, 2>::new();
        router.set_interface(now, IF, interface()).unwrap();
        for key in keys {
            router.insert(now, key, &config(&list)).unwrap();
        }
        router.remove(now, gone).unwrap();
        let mut buf = [0; Router::<1, 4, 2>::MAX_FRAME_LEN];
        let removed = router.poll_output(&mut buf);
        assert_eq!(removed, Some(Output::Removed { key: gone }));
        assert_eq!(router.poll_output(&mut buf), None);
        for key in keys {
            let there = router.status(key).map(|status| status.key);
            assert_eq!(there, (key != gone).then_some(key));
        }
        router.insert(now, gone, &config(&list)).unwrap();
        assert_eq!(router.keys().count(), 3);
    }
}

/// Fails the first address `times`, now.
fn fail(line: &mut Line, times: usize) {
    let key = line.key;
    let address = line.router.addresses(key).next().unwrap().address;
    for _ in 0..times {
        line.fail(Failure::Address { key, address });
    }
}

#[test]
fn every_address_twice_and_the_mac_may_fail_within_a_second() {
    // S-14
    let list = addresses(&["10.10.10.80", "10.10.10.81"]);
    let mut line = active(&config(&list));
    fail(&mut line, 6);
    line.expect_state(State::Active);
    fail(&mut line, 1);
    line.expect_state(State::Initialize);
}

#[test]
fn failures_count_together_for_a_second() {
    let list = addresses(&["10.10.10.80"]);
    for (after, state) in [(1.0, State::Initialize), (1.000_001, State::Active)] {
        let mut line = active(&config(&list));
        fail(&mut line, 1);
        line.at(5.0 + after);
        fail(&mut line, 4);
        line.expect_state(state);
    }
}

#[test]
fn failures_are_forgotten_after_five_minutes() {
    let list = addresses(&["10.10.10.80"]);
    for (after, again) in [(300.0, 2.0), (300.000_001, 1.0)] {
        let mut line = active(&config(&list));
        fail(&mut line, 5);
        line.at(5.0 + after).expect_state(State::Active);
        fail(&mut line, 5);
        line.expect_state(State::Initialize);
        line.at(5.0 + after + again - 0.1)
            .expect_state(State::Initialize);
        line.at(5.0 + after + again + 0.1)
            .expect_state(State::Backup);
    }
}
