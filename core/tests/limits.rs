//! Where each rule ends: what stands beside it and must not be touched by it. `not V-1` is the case
//! to which V-1 does not apply.

mod common;

use common::{IF, Line, Peer, addresses, cs, interface, ip, key, priority, secs};
use vrrp_core::wire::WireVersion;
use vrrp_core::{
    AdvertInterval, Announce, Auth, Error, Failure, Family, InterfaceState, MacMode, Output,
    OwnerReceive, Reason, State, Track, TrackEffect, Version, VirtualAddress, VrConfig,
};

const PASSWORD: Auth = Auth::Simple(*b"paper\0\0\0");

fn list() -> Vec<VirtualAddress> {
    addresses(&["10.10.10.80", "10.10.10.53"])
}

fn config(value: u8, addresses: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        priority: priority(value),
        addresses,
        announce: Announce {
            repeats: 0,
            ..Announce::DEFAULT
        },
        ..VrConfig::DEFAULT
    }
}

fn line(value: u8) -> Line {
    Line::new(&config(value, &list()))
}

fn version(version: Version, auth: Auth) -> Line {
    Line::new(&VrConfig {
        version,
        auth,
        ..config(100, &list())
    })
}

fn active(value: u8) -> Line {
    let mut line = line(value);
    line.at(4.1).expect_state(State::Active).skip();
    line
}

fn enable(line: &mut Line, on: bool) {
    let key = line.key;
    line.act(|r, now| r.set_enabled(now, key, on).unwrap());
}

/// Hears fridge say this priority.
fn hears(line: &mut Line, value: u8) -> &mut Line {
    let peer = Peer::fridge(line, value);
    line.accept(&peer)
}

// Packets.

#[test]
fn what_is_nearly_refused_is_accepted() {
    // not V-1, not V-3, not V-6, not V-8, not V-11, not V-18: 255 hops, type 1, our VRID and
    // family, an address list of the carrier's family, from somebody else.
    let mut line = line(100);
    hears(&mut line, 200);
}

#[test]
fn unicast_peers_may_be_further_away() {
    // not V-1
    let peers = [ip("10.10.10.2")];
    let mut line = Line::new(&VrConfig {
        peers: &peers,
        max_hops: 2,
        ..config(100, &list())
    });
    let mut peer = Peer::fridge(&line, 200);
    peer.destination = Some(ip("10.10.10.6"));
    peer.ttl = 254;
    line.accept(&peer);
    // G-5: and no further; only from whom we were told of.
    peer.ttl = 253;
    let verdict = line.hear(&peer);
    assert_eq!(format!("{verdict:?}"), "Dropped(Ttl)");
    // not G-5: to the group nobody has to be named.
    let mut line = self::line(100);
    let mut stranger = Peer::fridge(&line, 200);
    stranger.source = ip("10.10.10.77");
    line.accept(&stranger);
}

#[test]
fn each_version_is_heard_by_who_speaks_it() {
    // not V-2; X-1
    for (ours, theirs) in [
        (Version::V2, WireVersion::V2),
        (Version::V3, WireVersion::V3),
        (Version::Both, WireVersion::V2),
        (Version::Both, WireVersion::V3),
    ] {
        let mut line = version(ours, Auth::None);
        let mut peer = Peer::fridge(&line, 200);
        peer.version = theirs;
        line.accept(&peer);
    }
    // not X-1: who speaks one version hears and says that one only.
    let mut line = active(100);
    let mut peer = Peer::fridge(&line, 200);
    peer.version = WireVersion::V2;
    line.hear(&peer);
    line.at(6.0).expect_state(State::Active);
    let said: Vec<String> = line.seen.drain(..).collect();
    assert!(said.iter().all(|s| s.contains(" v3 ")), "{said:?}");
}

#[test]
fn an_owner_that_discards_does_so_while_it_is_owner() {
    // V-7; not V-7: one that was demoted takes part as anybody.
    let tracks = [Track {
        object: 1,
        effect: TrackEffect::WhileDown(-200),
    }];
    let mut line = Line::new(&VrConfig {
        owner_receive: OwnerReceive::Discard,
        tracks: &tracks,
        ..config(255, &list())
    });
    let peer = Peer::fridge(&line, 200);
    assert_eq!(format!("{:?}", line.hear(&peer)), "Dropped(Owner)");
    line.act(|r, now| r.set_tracked(now, 1, false));
    line.accept(&peer).expect_state(State::Backup);
}

#[test]
fn only_the_first_ipv6_address_is_link_local() {
    // not V-9
    let list = addresses(&["fe80::53/64", "2001:db8::53/64"]);
    let mut line = Line::new(&config(100, &list));
    hears(&mut line, 200);
}

#[test]
fn the_shortest_and_the_longest_interval_are_heard_and_learned() {
    // not V-10, not V-12: all twelve bits are the interval. not V-13, T-1
    for centis in [1, 0x0fff] {
        let mut line = line(100);
        let mut peer = Peer::fridge(&line, 200);
        peer.interval = cs(centis);
        line.accept(&peer);
        assert_eq!(line.status().active_interval, cs(centis));
    }
    let mut line = line(100);
    hears(&mut line, 200);
    let active = line.status().active.unwrap();
    assert!(!active.interval_mismatch && !active.address_mismatch);
}

#[test]
fn intervals_that_a_version_cannot_say_are_refused() {
    // not T-1
    assert_eq!(AdvertInterval::from_centis(0), None);
    assert_eq!(AdvertInterval::from_centis(4096), None);
    let list = list();
    for (version, interval) in [
        (Version::V2, AdvertInterval::from_centis(150)),
        (Version::V3, AdvertInterval::from_secs(41)),
        (Version::Both, AdvertInterval::from_secs(41)),
    ] {
        let mut line = line(100);
        let other = VrConfig {
            version,
            advert_interval: interval.unwrap(),
            ..config(100, &list)
        };
        let refused = line.router.reconfigure(line.now, line.key, &other);
        assert_eq!(refused, Err(Error::BadInterval), "{version:?}");
    }
}

#[test]
fn what_version_2_demands_is_not_asked_of_version_3() {
    // not V-14, not V-16: order is free; version 3 reports another list or interval, no more.
    let mut line = version(Version::V2, Auth::None);
    let mut peer = Peer::fridge(&line, 200);
    peer.addresses.reverse();
    line.accept(&peer);
    let mut line = self::line(100);
    let mut peer = Peer::fridge(&line, 200);
    peer.addresses.pop();
    peer.interval = cs(250);
    line.accept(&peer);
}

#[test]
fn the_right_password_is_believed() {
    // not V-17
    let mut line = version(Version::V2, PASSWORD);
    let mut peer = Peer::fridge(&line, 200);
    peer.auth = PASSWORD;
    line.accept(&peer);
}

#[test]
fn without_authentication_its_octets_are_not_looked_at() {
    // not V-17: RFC 3768 section 5.3.10.
    let mut line = version(Version::V2, Auth::None);
    let mut frame = Peer::fridge(&line, 200).frame();
    let len = frame.len();
    // Two octets that leave the sum as it is.
    frame[len - 8..len - 4].copy_from_slice(&[0x12, 0x34, 0xed, 0xcb]);
    let verdict = line.router.handle_frame(line.now, IF, &frame);
    assert_eq!(format!("{verdict:?}"), format!("Accepted({:?})", line.key));
}

// Timers.

#[test]
fn once_heard_the_learned_interval_counts_and_not_our_own() {
    // not T-2
    let mut line = line(100);
    let mut peer = Peer::fridge(&line, 200);
    peer.interval = cs(10);
    line.at(1.0).accept(&peer);
    line.at(1.3609).expect_state(State::Backup);
    line.at(1.361).expect_state(State::Active);
}

#[test]
fn what_is_discarded_teaches_nothing() {
    // not T-3: S-7 discards; version 2 has no such rule.
    let mut line = line(100);
    let mut worse = Peer::fridge(&line, 50);
    worse.interval = cs(10);
    line.accept(&worse);
    assert_eq!(line.status().active_interval, cs(100));
}

#[test]
fn the_lowest_priority_is_not_a_farewell() {
    // not T-4, not S-5: 1 is a priority; no preemption, so the timer begins anew.
    let mut line = Line::new(&VrConfig {
        preempt: false,
        ..config(100, &list())
    });
    hears(line.at(1.0), 1);
    line.at(4.6).expect_state(State::Backup);
    line.at(4.7).expect_state(State::Active);
}

#[test]
fn nothing_that_is_heard_makes_the_adver_timer_begin_anew_but_an_answer() {
    // not T-5, not S-9, not S-14: refused packets leave it alone.
    let mut line = active(100);
    let mut bad = Peer::fridge(&line, 200);
    bad.ttl = 1;
    line.at(4.5);
    line.hear(&bad);
    line.at(5.7)
        .expect(&["4.609375 v3 priority 100", "5.609375 v3 priority 100"]);
}

#[test]
fn the_skew_of_version_2_is_a_part_of_a_second() {
    // T-6; not T-6: whatever its interval.
    let mut line = Line::new(&VrConfig {
        version: Version::V2,
        advert_interval: cs(400),
        ..config(128, &list())
    });
    line.at(12.4999).expect_state(State::Backup);
    line.at(12.5).expect_state(State::Active);
}

#[test]
fn a_timer_that_is_a_little_late_is_no_stall() {
    // not T-7, not T-8
    let mut line = line(100);
    line.sleep_until(4.5).wake().expect_state(State::Active);
    assert_eq!(line.router.statistics(line.key).unwrap().stalls, 0);
}

// States.

#[test]
fn who_is_no_owner_waits_and_who_is_one_does_not() {
    // not S-1, S-2; not S-2
    line(254).expect_state(State::Backup);
    line(255).expect_state(State::Active);
}

#[test]
fn before_the_down_timer_nothing_is_said() {
    // not S-4
    let mut line = line(100);
    line.skip();
    line.at(3.609).expect(&[]).expect_state(State::Backup);
}

#[test]
fn a_backup_shortens_its_wait_on_priority_zero() {
    // S-5
    let mut line = line(128);
    hears(line.at(1.0), 200);
    hears(&mut line, 0);
    line.at(1.4999).expect_state(State::Backup);
    line.at(1.5).expect_state(State::Active);
}

#[test]
fn an_equal_priority_is_followed_and_a_lower_one_is_not() {
    // S-6; not S-6, not S-7
    for (theirs, state) in [(100, State::Backup), (99, State::Active)] {
        let mut line = line(100);
        hears(line.at(2.0), theirs);
        line.at(3.7).expect_state(state);
    }
}

#[test]
fn only_who_is_active_says_that_it_stops() {
    // not S-3: an Active router does say it. not S-8: without its interface it cannot.
    let mut line = active(100);
    enable(&mut line, false);
    line.expect(&["4.1 v3 priority 0"]);
    let mut line = active(100);
    line.act(|r, now| r.set_interface(now, IF, InterfaceState::default()).unwrap());
    let said: Vec<String> = line.seen.drain(..).collect();
    assert!(said.iter().all(|s| !s.contains("priority")), "{said:?}");
}

#[test]
fn farewells_are_answered_by_who_is_active() {
    // S-10; not S-10: a Backup says nothing.
    let mut line = active(100);
    hears(&mut line, 0);
    line.expect(&["4.1 v3 priority 100"])
        .expect_state(State::Active);
    let mut line = self::line(100);
    line.skip();
    hears(&mut line, 0).expect(&[]);
}

#[test]
fn between_equals_the_lower_address_gives_way() {
    // S-11; not S-11: our own address 10.10.10.6 is higher than 10.10.10.2.
    let mut line = active(100);
    hears(&mut line, 100).expect_state(State::Active);
    let mut higher = Peer::fridge(&line, 100);
    higher.source = ip("10.10.10.200");
    line.accept(&higher).expect_state(State::Backup);
}

#[test]
fn losers_are_answered_by_who_is_active() {
    // not S-12: a Backup that would win says nothing; it waits for its timer.
    let mut line = line(200);
    line.skip();
    hears(line.at(1.0), 50).expect(&[]);
}

#[test]
fn while_active_preempt_mode_means_nothing() {
    // S-13; not S-13: in Backup it keeps us from taking over.
    let list = list();
    let unwilling = VrConfig {
        preempt: false,
        ..config(100, &list)
    };
    let mut line = Line::new(&unwilling);
    hears(line.at(4.1), 50).expect_state(State::Active);
    hears(&mut line, 101).expect_state(State::Backup);
    let mut line = Line::new(&unwilling);
    for second in 1..8 {
        hears(line.at(f64::from(second)), 50);
    }
    line.expect_state(State::Backup);
}

#[test]
fn two_owners_are_two_equals() {
    // S-15, not S-15: only the lower address gives way.
    let mut line = line(255);
    hears(&mut line, 255).expect_state(State::Active);
    let mut higher = Peer::fridge(&line, 255);
    higher.source = ip("10.10.10.9");
    line.accept(&higher).expect_state(State::Backup);
}

// Addresses and MACs.

fn arp_request(target: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend([2, 0, 0, 0, 0, 9, 10, 10, 10, 9]);
    frame.extend([0; 6]);
    frame.extend(target);
    frame
}

#[test]
fn questions_are_answered_for_what_is_served_here() {
    let mut buf = [0; 128];
    let request = arp_request([10, 10, 10, 80]);
    // M-2: not by a Backup.
    let mut line = line(100);
    assert!(line.router.answer(IF, &request, &mut buf).is_none());
    // not M-2, A-3: by an Active router, also without Accept_Mode; M-4: with the virtual MAC.
    line.at(4.1);
    let answer = line.router.answer(IF, &request, &mut buf).unwrap();
    assert_eq!(answer.frame[6..12], [0, 0, 0x5e, 0, 1, 1]);
    assert_eq!(answer.frame[22..28], [0, 0, 0x5e, 0, 1, 1]);
    // not M-3, not A-3: for nobody else's address, and on no other interface.
    let other = arp_request([10, 10, 10, 81]);
    assert!(line.router.answer(IF, &other, &mut buf).is_none());
    assert!(line.router.answer(IF + 1, &request, &mut buf).is_none());
    // not M-4: the interface's own MAC, where that was chosen.
    let mut line = Line::new(&VrConfig {
        mac_mode: MacMode::Interface,
        ..config(100, &list())
    });
    line.at(4.1);
    let answer = line.router.answer(IF, &request, &mut buf).unwrap();
    assert_eq!(answer.frame[6..12], interface().mac.0);
}

#[test]
fn an_address_that_is_not_in_place_is_not_announced() {
    // M-5; not M-5: once it is in place it is.
    let mut line = line(100);
    line.skip();
    let next = line.router.poll_timeout().unwrap();
    line.router.handle_timeout(next);
    let mut buf = [0; 512];
    let mut seen = Vec::new();
    let mut fail = true;
    while let Some(output) = line.router.poll_output(&mut buf) {
        let text = common::describe(&output);
        if text == "+10.10.10.53" && std::mem::take(&mut fail) {
            let address = ip("10.10.10.53");
            let key = line.key;
            let failure = Failure::Address { key, address };
            line.router.handle_failure(next, failure);
        }
        seen.push(text);
    }
    assert_eq!(
        seen,
        [
            "+mac 00:00:5e:00:01:01",
            "+10.10.10.80",
            "+10.10.10.53",
            "+10.10.10.53",
            "v3 priority 100",
            "arp 10.10.10.80",
            "arp 10.10.10.53",
            "Backup -> Active: no advertisement within the down interval",
        ]
    );
}

#[test]
fn frames_of_the_protocol_name_the_virtual_mac_and_the_group() {
    // M-14, M-6; not M-14, not M-6: not with the interface's own MAC.
    for (mac_mode, from) in [
        (MacMode::Virtual, [0, 0, 0x5e, 0, 1, 1]),
        (MacMode::Interface, interface().mac.0),
    ] {
        let mut line = Line::new(&VrConfig {
            mac_mode,
            ..config(100, &list())
        });
        line.at(4.1);
        assert_eq!(line.frames[0][..6], [1, 0, 0x5e, 0, 0, 0x12]);
        for frame in &line.frames {
            assert_eq!(frame[6..12], from);
        }
        assert_eq!(line.frames[1][22..28], from, "the ARP names it too");
    }
}

#[test]
fn addresses_are_accepted_where_the_rfc_says() {
    // a Backup serves none. A-2; not A-1, not A-2: an owner, or Accept_Mode.
    for (value, accept, accepted) in [(100, false, false), (100, true, true), (255, false, true)] {
        let mut line = Line::disabled(&VrConfig {
            accept,
            ..config(value, &list())
        });
        let router = &mut line.router;
        router.set_enabled(line.now, line.key, true).unwrap();
        let mut buf = [0; 512];
        let mut served = Vec::new();
        loop {
            let backup = router.status(line.key).unwrap().state == State::Backup;
            while let Some(output) = router.poll_output(&mut buf) {
                if let Output::SetAddress { accept, on, .. } = output {
                    assert!(on && !backup, "priority {value}: {output:?}");
                    served.push(accept);
                }
            }
            if !backup {
                break;
            }
            let next = router.poll_timeout().unwrap();
            router.handle_timeout(next);
        }
        assert_eq!(served, [accepted; 2], "priority {value}");
    }
}

#[test]
fn an_address_that_is_not_in_place_is_not_answered_for() {
    // M-2, M-5: Active, but nothing was installed yet.
    let mut line = line(100);
    let next = line.router.poll_timeout().unwrap();
    line.router.handle_timeout(next);
    line.expect_state(State::Active);
    let request = arp_request([10, 10, 10, 80]);
    let mut buf = [0; 128];
    assert!(line.router.answer(IF, &request, &mut buf).is_none());
    line.drain();
    assert!(line.router.answer(IF, &request, &mut buf).is_some());
}

// Versions together.

#[test]
fn both_versions_are_sent_at_the_configured_rate_by_who_was_told_to() {
    // X-2; not X-2: a Backup sends neither.
    let mut line = version(Version::Both, Auth::None);
    line.skip();
    line.at(3.6).expect(&[]);
    line.at(4.0).skip();
    line.at(6.0).expect(&[
        "4.609375 v3 priority 100",
        "4.609375 v2 priority 100",
        "5.609375 v3 priority 100",
        "5.609375 v2 priority 100",
    ]);
}

#[test]
fn the_rate_of_the_active_router_counts_in_its_own_unit() {
    // X-3; not X-3: version 2 alone counts its own.
    let mut line = version(Version::Both, Auth::None);
    let mut peer = Peer::fridge(&line, 200);
    (peer.version, peer.interval) = (WireVersion::V2, cs(300));
    line.accept(&peer);
    assert_eq!(line.status().active_interval, cs(300));
    let mut line = version(Version::V2, Auth::None);
    hears(&mut line, 200);
    assert_eq!(line.status().active_interval, cs(100));
}

#[test]
fn version_2_is_heard_of_who_no_longer_speaks_version_3() {
    // X-4; not X-4
    let mut line = version(Version::Both, Auth::None);
    let peer = Peer::fridge(&line, 200);
    let mut old = Peer::fridge(&line, 200);
    old.version = WireVersion::V2;
    line.at(1.0).accept(&peer);
    assert_eq!(format!("{:?}", line.hear(&old)), "Dropped(V2ShadowedByV3)");
    // Somebody else may speak version 2 alone.
    let mut other = old.clone();
    other.source = ip("10.10.10.3");
    line.accept(&other);
    let mut line = version(Version::Both, Auth::None);
    line.at(1.0).accept(&peer);
    line.sleep_until(5.01);
    line.accept(&old);
}

#[test]
fn version_2_says_no_interval_below_a_second() {
    // X-5; not X-5: version 3 says its own.
    let mut line = Line::new(&VrConfig {
        version: Version::Both,
        advert_interval: cs(50),
        ..config(100, &list())
    });
    line.at(2.0);
    let sent: Vec<common::Sent> = line
        .frames
        .iter()
        .take(2)
        .map(|f| common::Sent::parse(f))
        .collect();
    assert_eq!((sent[0].version, sent[0].interval_cs), (3, 50));
    assert_eq!((sent[1].version, sent[1].interval_cs), (2, 100));
}

// Roles.

#[test]
fn tracking_leaves_255_and_0_to_owners_and_farewells() {
    // G-1: it moves within 1 to 254. not G-1: what is set is taken as it is.
    for (base, weight, expected) in [
        (200, 100, 254),
        (20, -100, 1),
        (255, -10, 245),
        (255, 10, 255),
    ] {
        let tracks = [Track {
            object: 1,
            effect: TrackEffect::WhileUp(weight),
        }];
        let line = Line::new(&VrConfig {
            tracks: &tracks,
            ..config(base, &list())
        });
        assert_eq!(line.status().priority, priority(expected));
    }
    let mut line = line(100);
    let key = line.key;
    line.act(|r, now| r.set_priority(now, key, Some(priority(255))).unwrap());
    assert_eq!(line.status().priority, priority(255));
}

#[test]
fn several_families_and_vrids_do_not_disturb_each_other() {
    // V-6
    let mut line = line(100);
    let six = addresses(&["fe80::53/64"]);
    let now = line.now;
    let other = key(1, Family::Ipv6);
    line.router.insert(now, other, &config(255, &six)).unwrap();
    line.router.set_enabled(now, other, true).unwrap();
    line.drain();
    line.expect_state(State::Backup);
    assert_eq!(line.router.status(other).unwrap().state, State::Active);
}

#[test]
fn the_longest_interval_of_version_2_is_heard() {
    // not V-10, not V-16: 255 s, which version 3 could not say.
    let mut line = Line::new(&VrConfig {
        version: Version::V2,
        advert_interval: AdvertInterval::from_secs(255).unwrap(),
        ..config(100, &list())
    });
    hears(&mut line, 200).expect_state(State::Backup);
    assert_eq!(line.status().active_interval.as_centis(), 25_500);
}

#[test]
fn an_owner_that_had_to_listen_first_starts_as_the_owner() {
    // S-1
    let mut line = Line::new(&VrConfig {
        start_delay: secs(2.0),
        ..config(255, &list())
    });
    line.skip();
    line.at(2.0).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::Owner);
}

#[test]
fn a_mac_that_was_taken_away_is_back_before_the_next_advertisement() {
    // M-5, S-14
    let mut line = active(100);
    let key = line.key;
    line.at(4.7).skip();
    let next = line.router.poll_timeout().unwrap();
    line.now = next;
    line.router.handle_timeout(next);
    line.fail(Failure::Mac { key }).expect(&[
        "5.609375 +mac 00:00:5e:00:01:01",
        "5.609375 v3 priority 100",
        "5.609375 arp 10.10.10.80",
        "5.609375 arp 10.10.10.53",
    ]);
}

#[test]
fn failures_far_apart_do_not_add_up() {
    // not S-14
    let mut line = active(100);
    let key = line.key;
    for second in 5..25 {
        line.at(f64::from(second));
        for _ in 0..3 {
            line.fail(Failure::Mac { key });
        }
    }
    line.expect_state(State::Active);
}

#[test]
fn a_repeated_message_to_another_destination_is_refused() {
    // The rules of the way hold for what was heard before, too.
    let mut line = line(100);
    // With this sum it is the same octet for octet wherever it goes.
    let mut peer = Peer {
        pseudo_header: false,
        ..Peer::fridge(&line, 200)
    };
    line.accept(&peer).accept(&peer);
    peer.destination = Some(ip("10.10.10.6"));
    assert_eq!(
        format!("{:?}", line.hear(&peer)),
        "Dropped(WrongDestination)"
    );
}

#[test]
fn the_wait_after_failures_doubles() {
    // S-14
    let mut line = active(100);
    let key = line.key;
    let mut waits = Vec::new();
    for _ in 0..3 {
        while line.state() == State::Active {
            line.fail(Failure::Mac { key });
        }
        assert_eq!(line.status().reason, Reason::EffectFailed);
        let since = line.now;
        let next = line.router.poll_timeout().unwrap();
        waits.push(next.since(since).as_micros());
        line.at(next.as_micros() as f64 / 1e6)
            .expect_state(State::Backup);
        let back = next.as_micros() as f64 / 1e6 + 3.7;
        line.at(back).expect_state(State::Active);
    }
    assert_eq!(waits, [1_000_000, 2_000_000, 4_000_000]);
}
