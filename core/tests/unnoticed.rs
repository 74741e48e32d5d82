//! The engine's days: what mutations of the code had gone unnoticed in.

mod common;

use common::{IF, Line, Peer, Sent, Verdict, addresses, cs, interface, ip, key, priority, secs};
use vrrp_core::{
    Announce, ChecksumMode, DropReason, Engine, Error, Failure, Family, FrameKind, InterfaceState,
    Output, Reason, State, Track, TrackEffect, Version, VirtualAddress, VrConfig, VrSettings,
};
use vrrp_core::{Poll, wire::WireVersion};

fn config(list: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            announce: Announce {
                repeats: 0,
                ..Announce::DEFAULT
            },
            ..VrSettings::DEFAULT
        },
        addresses: list,
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
    line.act(|r, now| r.admin(now).reconfigure(key, config).unwrap());
}

#[test]
fn who_resigned_and_is_stopped_meanwhile_stops() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let key = line.key;
    line.act(|r, now| r.admin(now).resign(key).unwrap());
    line.at(5.2);
    line.act(|r, now| r.admin(now).set_enabled(key, false).unwrap());
    line.at(9.0).expect_state(State::Initialize);
    assert_eq!(line.status().reason, Reason::Disabled);
}

#[test]
fn who_stops_and_is_told_to_resign_stops_all_the_same() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let key = line.key;
    line.act(|r, now| r.admin(now).set_enabled(key, false).unwrap());
    line.at(5.2);
    line.act(|r, now| r.admin(now).resign(key).unwrap());
    line.at(9.0).expect_state(State::Initialize);
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
    line.act(|r, now| r.admin(now).set_enabled(key, false).unwrap());
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
    line.act(|r, now| r.admin(now).set_tracked(1, false));
    line.at(5.9).expect_state(State::Initialize);
    line.at(6.1).expect_state(State::Backup);
}

#[test]
fn a_failed_group_troubles_those_alone_that_use_it() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            start_delay: secs(60.0),
            ..config(&list).settings
        },
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
        line.router.admin(now).insert(key, &config(&list)).unwrap();
        line.router.admin(now).set_enabled(key, true).unwrap();
    }
    let first = line.key;
    assert_eq!(line.router.remove_interface(IF), Err(Error::InUse));
    line.router.admin(now).remove(first).unwrap();
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
            settings: VrSettings {
                preempt: false,
                ..base.settings
            },
            ..base
        },
    );
    assert!(!line.status().pseudo_header);
    for (checksum, pseudo_header) in [
        (ChecksumMode::Rfc5798, true),
        (ChecksumMode::Rfc9568, false),
        (ChecksumMode::Auto, true),
    ] {
        reconfigure(
            &mut line,
            &VrConfig {
                settings: VrSettings {
                    checksum,
                    ..base.settings
                },
                ..base
            },
        );
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
    line.act(|r, now| r.admin(now).resign(key).unwrap());
    line.at(5.1).accept(&peer).expect_state(State::Backup);
    let other = VrConfig {
        settings: VrSettings {
            preempt_delay: secs(1.0),
            ..base.settings
        },
        ..base
    };
    reconfigure(&mut line, &other);
    assert!(line.status().resigned);
    reconfigure(
        &mut line,
        &VrConfig {
            settings: VrSettings {
                priority: priority(120),
                ..other.settings
            },
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
            settings: VrSettings {
                version,
                ..config(&list).settings
            },
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
                settings: VrSettings {
                    advert_interval: cs(300),
                    ..base.settings
                },
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
        let mut router = Engine::<1, 4, 2>::new();
        router.set_interface(now, IF, interface()).unwrap();
        for key in keys {
            router.admin(now).insert(key, &config(&list)).unwrap();
        }
        router.admin(now).remove(gone).unwrap();
        let mut buf = [0; Engine::<1, 4, 2>::MAX_FRAME_LEN];
        let removed = router.poll_output(&mut buf);
        assert_eq!(removed, Poll::Output(Output::Removed { key: gone }));
        assert_eq!(router.poll_output(&mut buf), Poll::Done);
        for key in keys {
            let there = router.status(key).map(|status| status.key);
            assert_eq!(there, (key != gone).then_some(key));
        }
        router.admin(now).insert(gone, &config(&list)).unwrap();
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

/// An advertisement of version 2 or 3 of a peer that speaks both.
fn of_both(line: &Line, version: WireVersion) -> Peer {
    Peer {
        version,
        ..Peer::fridge(line, 200)
    }
}

#[test]
fn version_2_is_shadowed_for_four_intervals_of_version_3() {
    //
    let list = addresses(&["10.10.10.80"]);
    for (seconds, shadowed) in [(4.999_999, true), (5.0, false)] {
        let mut line = Line::new(&VrConfig {
            settings: VrSettings {
                version: Version::Both,
                ..config(&list).settings
            },
            ..config(&list)
        });
        let new = of_both(&line, WireVersion::V3);
        line.at(1.0).accept(&new);
        let old = of_both(&line, WireVersion::V2);
        line.at(seconds);
        let expected = match shadowed {
            true => Verdict::Dropped(DropReason::V2ShadowedByV3),
            false => Verdict::Accepted(line.key),
        };
        assert_eq!(line.hear(&old), expected, "at {seconds}");
    }
}

#[test]
fn who_repeats_itself_in_both_versions_is_heard_in_the_newer_one() {
    //
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::Both,
            ..config(&list).settings
        },
        ..config(&list)
    });
    let new = of_both(&line, WireVersion::V3);
    let old = of_both(&line, WireVersion::V2);
    for second in 1..20 {
        line.at(f64::from(second)).accept(&new);
        let dropped = Verdict::Dropped(DropReason::V2ShadowedByV3);
        assert_eq!(line.hear(&old), dropped);
    }
}

#[test]
fn the_form_of_the_checksum_is_learned_of_version_3_over_ipv4_alone() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::Both,
            ..config(&list).settings
        },
        ..config(&list)
    });
    let old = of_both(&line, WireVersion::V2);
    line.at(1.0).accept(&old);
    assert!(line.status().pseudo_header);
    let statistics = *line.router.statistics(line.key).unwrap();
    assert_eq!(statistics.adverts_received, 1);
    assert_eq!(
        (statistics.checksum_plain, statistics.checksum_pseudo),
        (0, 0)
    );

    let list = addresses(&["fe80::80"]);
    let mut line = Line::new(&config(&list));
    let peer = Peer::fridge(&line, 200);
    line.at(1.0).accept(&peer);
    let statistics = *line.router.statistics(line.key).unwrap();
    assert_eq!(
        (statistics.checksum_plain, statistics.checksum_pseudo),
        (0, 0)
    );
}

#[test]
fn priority_zero_is_counted_and_others_are_not() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&config(&list));
    for (priority, counted) in [(200, 0), (0, 1), (200, 1)] {
        let peer = Peer::fridge(&line, priority);
        line.accept(&peer);
        let statistics = line.router.statistics(line.key).unwrap();
        assert_eq!(statistics.priority_zero_received, counted);
    }
}

#[test]
fn what_is_owed_on_an_interface_that_went_holds_nobody_up() {
    let list = addresses(&["10.10.10.80"]);
    let down = InterfaceState {
        up: false,
        ..interface()
    };
    let bare = InterfaceState {
        ipv4: None,
        ..interface()
    };
    for state in [down, bare] {
        let mut line = active(&config(&list));
        let (now, key, address) = (line.now, line.key, list[0].address);
        for _ in 0..5 {
            // The port has not yet taken the word that it stops.
            let failure = Failure::Address { key, address };
            line.router.handle_failure(now, failure);
            while let Poll::Output(_) = line.router.poll_output(&mut []) {}
        }
        line.router.set_interface(now, IF, state).unwrap();
        line.drain();
        line.expect_state(State::Initialize);
        assert_eq!(line.router.poll_output(&mut []), Poll::Done);
        let last = line.changes.last().unwrap();
        assert_eq!((last.from, last.to), (State::Active, State::Initialize));
    }
}

#[test]
fn advertisements_of_a_large_table_leave_together() {
    let list = addresses(&["10.10.10.80"]);
    let owner = VrConfig {
        settings: VrSettings {
            priority: vrrp_core::Priority::OWNER,
            ..config(&list).settings
        },
        ..config(&list)
    };
    let mut router = Engine::<1, 64, 2>::new();
    let at = vrrp_core::Instant::from_micros;
    router.set_interface(at(0), IF, interface()).unwrap();
    let mut buf = [0; Engine::<1, 64, 2>::MAX_FRAME_LEN];
    let mut adverts = |router: &mut Engine<1, 64, 2>| {
        let mut count = 0;
        while let Poll::Output(output) = router.poll_output(&mut buf) {
            count += u32::from(matches!(
                output,
                Output::Transmit(t) if t.kind == FrameKind::Advertisement
            ));
        }
        count
    };
    // Within a hundredth of the interval, and one after it.
    for (vrid, millis) in [(1, 0), (2, 3), (3, 5), (4, 9), (5, 40)] {
        let (now, key) = (at(millis * 1_000), key(vrid, Family::Ipv4));
        router.admin(now).insert(key, &owner).unwrap();
        router.admin(now).set_enabled(key, true).unwrap();
        assert_eq!(adverts(&mut router), 1);
    }
    for second in 1..5 {
        for together in [4, 1] {
            let count = std::iter::repeat_with(|| {
                let due = router.poll_timeout().unwrap();
                router.handle_timeout(due);
                adverts(&mut router)
            });
            let sent = count.take(5).find(|count| *count > 0);
            assert_eq!(sent, Some(together), "in second {second}");
        }
    }
}

#[test]
fn nobody_advertises_earlier_by_more_than_a_hundredth_of_its_own_interval() {
    let list = addresses(&["10.10.10.80"]);
    let at = |millis: u64| vrrp_core::Instant::from_micros(millis * 1_000);
    let mut router = Engine::<1, 4, 2>::new();
    router.set_interface(at(0), IF, interface()).unwrap();
    let mut buf = [0; Engine::<1, 4, 2>::MAX_FRAME_LEN];
    let mut speakers = |router: &mut Engine<1, 4, 2>| {
        let mut vrids = Vec::new();
        while let Poll::Output(output) = router.poll_output(&mut buf) {
            if let Output::Transmit(t) = output
                && t.kind == FrameKind::Advertisement
            {
                vrids.push(t.key.vrid.get());
            }
        }
        vrids
    };
    // One is due at 1,000 ms, the other at 1,005.
    for (vrid, millis, interval) in [(1, 0, 100), (2, 905, 10)] {
        let key = key(vrid, Family::Ipv4);
        let owner = VrConfig {
            settings: VrSettings {
                priority: vrrp_core::Priority::OWNER,
                advert_interval: cs(interval),
                ..config(&list).settings
            },
            ..config(&list)
        };
        router.admin(at(millis)).insert(key, &owner).unwrap();
        router.admin(at(millis)).set_enabled(key, true).unwrap();
        assert_eq!(speakers(&mut router), [vrid]);
    }
    router.handle_timeout(at(1_000));
    assert_eq!(speakers(&mut router), [1]);
    router.handle_timeout(at(1_005));
    assert_eq!(speakers(&mut router), [2]);
}

#[test]
fn a_backup_that_is_told_to_resign_says_nothing() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&config(&list));
    let key = line.key;
    line.at(1.0).skip();
    line.act(|r, now| r.admin(now).resign(key).unwrap());
    line.at(1.5).expect(&[]).expect_state(State::Backup);
    assert!(!line.status().handing_over);
}

#[test]
fn what_is_known_of_tracked_objects_outlives_a_change_of_the_list() {
    // G-1
    let list = addresses(&["10.10.10.80"]);
    let down = |object, weight| Track {
        object,
        effect: TrackEffect::WhileDown(weight),
    };
    let up = |object, weight| Track {
        object,
        effect: TrackEffect::WhileUp(weight),
    };
    let tracking = |tracks| VrConfig {
        tracks,
        ..config(&list)
    };
    let first = [down(1, -10), up(2, 20)];
    let mut line = Line::new(&tracking(&first));
    assert_eq!(line.status().priority, priority(120));
    line.act(|r, now| r.admin(now).set_tracked(1, false));
    assert_eq!(line.status().priority, priority(110));
    line.act(|r, now| r.admin(now).set_tracked(2, false));
    assert_eq!(line.status().priority, priority(90));
    let second = [down(3, -1), down(2, -2), down(1, -4)];
    reconfigure(&mut line, &tracking(&second));
    assert_eq!(line.status().priority, priority(94));
}

#[test]
fn what_a_configuration_cannot_mean_is_refused() {
    let list = addresses(&["10.10.10.80"]);
    let refused = |change: &dyn Fn(&mut VrConfig<'_>)| {
        let mut router = Engine::<1, 1, 8>::new();
        let mut config = config(&list);
        change(&mut config);
        let now = vrrp_core::Instant::from_micros(0);
        router
            .admin(now)
            .insert(key(1, Family::Ipv4), &config)
            .err()
    };
    assert_eq!(refused(&|_| {}), None);
    assert_eq!(refused(&|c| c.settings.advert_interval = cs(4_095)), None);
    assert_eq!(refused(&|c| c.addresses = &[]), Some(Error::NoAddresses));
    assert_eq!(
        refused(&|c| c.settings.max_hops = 0),
        Some(Error::BadMaxHops)
    );
    assert_eq!(
        refused(&|c| c.settings.max_hops = 2),
        Some(Error::BadMaxHops)
    );
    let bad = Some(Error::BadAddress);
    let wrong = [
        &["10.10.10.80", "10.10.10.80"][..],
        &["10.10.10.80/33"],
        &["224.0.0.1"],
        &["fe80::1"],
    ];
    let now = vrrp_core::Instant::from_micros(0);
    for list in [&["ff02::1"], &["::"]].map(|list| addresses(list)) {
        let mut router = Engine::<1, 1, 8>::new();
        let inserted = router
            .admin(now)
            .insert(key(1, Family::Ipv6), &config(&list));
        assert_eq!(inserted.err(), bad, "{list:?}");
    }
    for list in wrong.map(addresses) {
        let mut router = Engine::<1, 1, 8>::new();
        let inserted = router
            .admin(now)
            .insert(key(1, Family::Ipv4), &config(&list));
        assert_eq!(inserted.err(), bad, "{list:?}");
    }
    for peers in [
        &["10.10.10.2", "10.10.10.2"][..],
        &["224.0.0.1"],
        &["fe80::2"],
    ] {
        let peers: Vec<_> = peers.iter().map(|text| ip(text)).collect();
        let mut router = Engine::<1, 1, 8>::new();
        let unicast = VrConfig {
            peers: &peers,
            ..config(&list)
        };
        let inserted = router.admin(now).insert(key(1, Family::Ipv4), &unicast);
        assert_eq!(inserted.err(), bad, "{peers:?}");
    }
}

#[test]
fn a_group_that_is_joined_again_does_not_end_a_handover() {
    // S-8
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let key = line.key;
    line.fail(Failure::Group {
        ifindex: IF,
        family: Family::Ipv4,
    });
    line.at(5.5);
    line.act(|r, now| r.admin(now).set_enabled(key, false).unwrap());
    line.at(9.4).expect_state(State::Active);
    line.at(9.6).expect_state(State::Initialize);
}

#[test]
fn every_frame_fits_the_buffer_that_is_asked_for() {
    let signature = if cfg!(feature = "hmac") { 28 } else { 0 };
    let fixed = 62 + signature;
    // Two addresses at least: a neighbour advertisement has 86 octets.
    assert_eq!(Engine::<1, 1, 1>::MAX_FRAME_LEN, fixed + 16 * 2);
    assert_eq!(Engine::<1, 1, 2>::MAX_FRAME_LEN, fixed + 16 * 2);
    assert_eq!(Engine::<1, 1, 3>::MAX_FRAME_LEN, fixed + 16 * 3);
}

#[test]
fn between_equals_of_ipv6_the_higher_address_stays_active() {
    // S-15; ours is fe80::6
    let list = addresses(&["fe80::80"]);
    for (source, state) in [
        ("fe80::2", State::Active),
        ("fe80::7", State::Backup),
        ("fe80::1:0", State::Backup),
    ] {
        let mut line = active(&config(&list));
        let equal = Peer {
            source: ip(source),
            ..Peer::fridge(&line, 100)
        };
        line.accept(&equal).expect_state(state);
    }
}

#[test]
fn an_address_is_given_up_as_it_was_taken() {
    let list = addresses(&["10.10.10.80", "10.10.10.81"]);
    for accept in [false, true] {
        let base = VrConfig {
            settings: VrSettings {
                accept,
                ..config(&list).settings
            },
            ..config(&list)
        };
        let mut line = active(&base);
        let (now, key) = (line.now, line.key);
        let fewer = VrConfig {
            addresses: &list[..1],
            ..base
        };
        line.router.admin(now).reconfigure(key, &fewer).unwrap();
        let gone = line.router.poll_output(&mut []);
        let expected = Output::SetAddress {
            key,
            address: list[1],
            accept,
            on: false,
        };
        assert_eq!(gone, Poll::Output(expected));
    }
}
