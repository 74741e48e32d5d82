//! The state machine as time lines (RFC 9568 section 6.4).

mod common;

use common::{IF, Line, Peer, Verdict, addresses, cs, interface, ip, priority, secs};
use vrrp_core::{
    AdvertInterval, Announce, InterfaceState, MacMode, OwnerReceive, Reason, State, Track,
    TrackEffect, Version, VirtualAddress, VrConfig, VrSettings,
};

const QUIET: Announce = Announce {
    repeats: 0,
    ..Announce::DEFAULT
};

fn one_address() -> Vec<VirtualAddress> {
    addresses(&["10.10.10.80"])
}

fn config(value: u8, addresses: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            priority: priority(value),
            announce: QUIET,
            ..VrSettings::DEFAULT
        },
        addresses,
        ..VrConfig::DEFAULT
    }
}

fn line(value: u8) -> Line {
    Line::new(&config(value, &one_address()))
}

/// A line that has become Active for want of anybody else, its outputs forgotten.
fn active(value: u8) -> Line {
    active_with(&config(value, &one_address()))
}

fn active_with(config: &VrConfig<'_>) -> Line {
    let mut line = Line::new(config);
    line.at(4.1).expect_state(State::Active).skip();
    line
}

#[test]
//= RFC 9568 section 6.4.1
fn a_router_alone_becomes_active_after_the_down_interval() {
    // S-2, T-2: three intervals and (256 - 100) / 256 of one.
    let mut line = line(100);
    line.expect(&["0 +group IPv4", "0 Initialize -> Backup: started"]);
    line.at(3.609374).expect(&[]);
    // S-4, M-5: MAC and address come before anything is announced.
    line.at(3.609375).expect(&[
        "3.609375 +mac 00:00:5e:00:01:01",
        "3.609375 +10.10.10.80",
        "3.609375 v3 priority 100",
        "3.609375 arp 10.10.10.80",
        "3.609375 Backup -> Active: no advertisement within the down interval",
    ]);
    // T-5, S-9
    line.at(6.0)
        .expect(&["4.609375 v3 priority 100", "5.609375 v3 priority 100"]);
}

#[test]
//= RFC 9568 section 6.4.1
fn an_owner_is_active_at_once() {
    // S-1
    let mut line = line(255);
    line.expect(&[
        "0 +group IPv4",
        "0 +mac 00:00:5e:00:01:01",
        "0 +10.10.10.80",
        "0 v3 priority 255",
        "0 arp 10.10.10.80",
        "0 Initialize -> Active: started as owner of the addresses",
    ]);
}

#[test]
fn a_disabled_router_does_nothing() {
    let mut line = Line::disabled(&config(100, &one_address()));
    line.drain();
    line.at(10.0).expect(&[]).expect_state(State::Initialize);
}

#[test]
//= RFC 9568 section 6.4.2
fn a_backup_that_is_stopped_says_nothing() {
    // S-3
    let mut line = line(100);
    line.skip().at(1.0).act(|r, now| {
        let key = r.keys().next().unwrap();
        r.admin(now).set_enabled(key, false).unwrap();
    });
    line.expect(&["1 Backup -> Initialize: disabled", "1 -group IPv4"]);
    line.at(20.0).expect(&[]);
}

#[test]
//= RFC 9568 section 6.4.2
fn an_equal_or_better_advertisement_restarts_the_down_timer() {
    // S-6, T-3: the learned interval counts.
    for better in [100, 101, 255] {
        let mut line = line(100);
        line.skip();
        let peer = Peer {
            interval: cs(50),
            ..Peer::fridge(&line, better)
        };
        line.at(1.0).accept(&peer);
        // 1 + 3 * 0.5 + 0.5 * 156 / 256
        line.at(2.804686).expect(&[]);
        line.at(2.804687).expect_state(State::Active);
        let change = line.changes[1];
        assert_eq!(change.reason, Reason::ActiveTimeout);
        assert_eq!(change.peer.unwrap().address, ip("10.10.10.2"));
    }
}

#[test]
fn the_status_has_the_down_interval_that_the_timer_is_set_to() {
    // T-6: version 2 counts the skew in seconds, version 3 in intervals of the Active router.
    let list = addresses(&["10.10.10.80"]);
    for (version, ours, interval, down_interval) in [
        (Version::V3, 100, 100, 3_609_375),
        (Version::V2, 100, 100, 3_609_375),
        (Version::V2, 100, 300, 9_609_375),
        (Version::V3, 250, 10, 302_343),
        (Version::V3, 1, 4095, 163_640_039),
    ] {
        let mut line = Line::new(&VrConfig {
            settings: VrSettings {
                version,
                priority: priority(ours),
                advert_interval: cs(interval),
                ..VrSettings::DEFAULT
            },
            addresses: &list,
            ..VrConfig::DEFAULT
        });
        let peer = Peer::fridge(&line, 254);
        line.accept(&peer);
        let found = line.status().down_interval;
        assert_eq!(found.as_micros(), down_interval);
        let end = line.now + found;
        if cfg!(feature = "large") {
            // An interval before, the first address is asked for (G-8).
            let asked_at = end - cs(interval).duration();
            assert_eq!(line.router.poll_timeout(), Some(asked_at));
            line.at(asked_at.as_micros() as f64 / 1e6);
        }
        assert_eq!(line.router.poll_timeout(), Some(end));
    }
}

#[test]
//= RFC 9568 section 6.4.2
fn a_worse_advertisement_does_not_stop_the_down_timer() {
    // S-7
    let mut line = line(100);
    let worse = Peer::fridge(&line, 99);
    line.at(1.0).accept(&worse).at(2.0).accept(&worse);
    line.at(3.0).accept(&worse).skip();
    line.at(3.609375).expect_state(State::Active);
    assert_eq!(line.changes[1].reason, Reason::Preempted);
}

#[test]
//= RFC 9568 section 6.4.2
fn without_preempt_a_worse_router_is_left_alone() {
    let addresses = one_address();
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            preempt: false,
            ..config(200, &addresses).settings
        },
        ..config(200, &addresses)
    });
    let worse = Peer::fridge(&line, 1);
    for second in 1..60 {
        line.at(f64::from(second)).accept(&worse);
    }
    line.expect_state(State::Backup);
    // It is taken over from when it falls silent: 3 s + 56 / 256 s.
    line.at(62.218749).expect_state(State::Backup);
    line.at(62.218750).expect_state(State::Active);
}

#[test]
fn an_owner_preempts_whatever_preempt_says() {
    // S-13
    let addresses = one_address();
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            preempt: false,
            start_delay: secs(2.0),
            ..config(255, &addresses).settings
        },
        ..config(255, &addresses)
    });
    let worse = Peer::fridge(&line, 254);
    line.at(1.0).accept(&worse);
    line.at(2.0).expect_state(State::Active);
    line.at(2.5).accept(&worse).expect_state(State::Active);
}

#[test]
//= RFC 9568 section 6.4.2
fn priority_zero_shortens_the_wait_to_the_skew() {
    // S-5, T-4: a second one sets the skew anew.
    let mut line = line(100);
    let better = Peer::fridge(&line, 250);
    let stop = Peer::fridge(&line, 0);
    line.at(1.0).accept(&better).at(1.5).accept(&stop);
    line.at(2.0).accept(&stop).skip();
    line.at(2.609374).expect(&[]);
    line.at(2.609375).expect_state(State::Active);
    assert_eq!(line.changes[1].reason, Reason::ActiveStopped);
}

#[test]
fn the_skew_after_priority_zero_is_that_of_the_learned_interval() {
    // T-4
    let mut line = line(100);
    let better = Peer {
        interval: cs(400),
        ..Peer::fridge(&line, 250)
    };
    let stop = Peer::fridge(&line, 0);
    line.at(1.0).accept(&better).at(2.0).accept(&stop);
    line.at(4.437499).expect_state(State::Backup);
    line.at(4.437500).expect_state(State::Active);
}

#[test]
//= RFC 9568 section 6.4.3
fn an_active_router_yields_to_a_higher_priority() {
    // S-11
    let mut line = active(100);
    let better = Peer {
        interval: cs(200),
        ..Peer::fridge(&line, 101)
    };
    line.at(4.2).accept(&better).expect(&[
        "4.2 -10.10.10.80",
        "4.2 -mac 00:00:5e:00:01:01",
        "4.2 Active -> Backup: a router of higher priority advertises",
    ]);
    // T-3: 4.2 + 3 * 2 + 2 * 156 / 256
    line.at(11.418749).expect(&[]);
    line.at(11.418750).expect_state(State::Active);
}

#[test]
//= RFC 9568 section 6.4.3
fn between_equals_the_higher_address_stays_active() {
    // S-11, S-13: ours is 10.10.10.6.
    let mut line = active(100);
    let mut equal = Peer::fridge(&line, 100);
    line.at(4.2).accept(&equal).expect_state(State::Active);
    // Unsigned: 200 is above 10.
    equal.source = ip("200.0.0.1");
    line.at(5.0).accept(&equal).expect_state(State::Backup);
    assert_eq!(line.changes[2].reason, Reason::HigherAddress);
}

#[test]
//= RFC 9568 section 6.4.3
fn priority_zero_heard_while_active_is_answered() {
    // S-10, T-5: the timer starts anew.
    let mut line = active(100);
    let stop = Peer::fridge(&line, 0);
    line.at(4.2).accept(&stop).expect(&["4.2 v3 priority 100"]);
    line.at(5.5).expect(&["5.2 v3 priority 100"]);
}

#[test]
fn answers_to_a_storm_of_priority_zero_are_ten_milliseconds_apart() {
    // S-16: two in each millisecond are answered at once, and then each 10 ms.
    let mut line = active(100);
    let stop = Peer::fridge(&line, 0);
    for half in 0..80 {
        line.at(4.2 + f64::from(half) / 2_000.0).accept(&stop);
    }
    line.at(5.3).expect(&[
        "4.2 v3 priority 100",
        "4.21 v3 priority 100",
        "4.22 v3 priority 100",
        "4.23 v3 priority 100",
        "4.24 v3 priority 100",
        "5.24 v3 priority 100",
    ]);
}

#[test]
//= RFC 9568 section 6.4.3
fn a_losing_advertisement_is_answered_and_the_address_announced() {
    // S-12
    let mut line = active(100);
    let worse = Peer::fridge(&line, 99);
    line.at(4.2)
        .accept(&worse)
        .expect(&["4.2 v3 priority 100", "4.2 arp 10.10.10.80"]);
    line.at(5.3).expect(&["5.2 v3 priority 100"]);
}

#[test]
fn a_flood_of_losing_advertisements_is_answered_at_a_limited_rate() {
    let mut line = active(100);
    let worse = Peer::fridge(&line, 99);
    for ms in 0..10_000 {
        line.at(5.0 + f64::from(ms) / 1_000.0).accept(&worse);
    }
    let count = |what: &str| line.seen.iter().filter(|s| s.contains(what)).count();
    assert!(count("v3 priority") <= 82, "{}", count("v3 priority"));
    assert!(count("arp") <= 14, "{}", count("arp"));
    assert_eq!(line.state(), State::Active);
}

#[test]
//= RFC 9568 section 6.4.3
fn a_graceful_stop_serves_until_the_successor_is_heard() {
    // S-8
    let mut line = active(250);
    line.at(4.2)
        .act(|r, now| {
            let key = r.keys().next().unwrap();
            r.admin(now).remove(key).unwrap();
        })
        .expect(&["4.2 v3 priority 0"]);
    let successor = Peer::fridge(&line, 100);
    line.at(4.8).expect(&[]).accept(&successor).expect(&[
        "4.8 -10.10.10.80",
        "4.8 -mac 00:00:5e:00:01:01",
        "4.8 Active -> Initialize: disabled",
        "4.8 -group IPv4",
        "4.8 removed",
    ]);
    assert!(line.router.keys().next().is_none());
    assert_eq!(line.router.poll_timeout(), None);
}

#[test]
fn a_graceful_stop_ends_when_nobody_takes_over() {
    let mut line = active(250);
    line.at(4.2).act(|r, now| {
        let key = r.keys().next().unwrap();
        r.admin(now).set_enabled(key, false).unwrap();
    });
    // As long as a successor may wait that ignores priority 0: four intervals.
    line.skip().at(8.2).expect(&[
        "8.2 -10.10.10.80",
        "8.2 -mac 00:00:5e:00:01:01",
        "8.2 Active -> Initialize: disabled",
        "8.2 -group IPv4",
    ]);
}

/// When a router of this configuration that stops and hears nobody is done.
fn longest_stop(config: &VrConfig<'_>) -> f64 {
    let mut line = Line::new(config);
    let key = line.key;
    line.act(|r, now| r.admin(now).set_enabled(key, false).unwrap());
    let start = line.now;
    while line.state() == State::Active {
        line.now = line.router.poll_timeout().unwrap();
        line.wake();
    }
    line.now.since(start).as_micros() as f64 / 1e6
}

#[test]
fn a_graceful_stop_waits_for_the_slowest_successor() {
    // S-8, T-4
    let addresses = one_address();
    let centis = |version, centis| VrConfig {
        settings: VrSettings {
            version,
            advert_interval: AdvertInterval::from_centis(centis).unwrap(),
            ..config(255, &addresses).settings
        },
        ..config(255, &addresses)
    };
    for (version, interval, longest) in [
        (Version::V3, 1, 0.04),
        (Version::V3, 20, 0.8),
        (Version::V3, 100, 4.0),
        (Version::V3, 250, 10.0),
        // Ten seconds are enough for one that heeds priority 0.
        (Version::V3, 600, 10.0),
        // Its skew is as long as an interval.
        (Version::V3, 4_000, 60.0),
        (Version::V2, 100, 4.0),
        (Version::V2, 4_000, 60.0),
        // A successor of version 2 counts in seconds.
        (Version::Both, 10, 4.0),
        (Version::Both, 110, 8.0),
    ] {
        let stop = longest_stop(&centis(version, interval));
        assert_eq!(stop, longest, "{version:?}, {interval} cs");
    }
}

#[test]
fn a_successor_that_ignores_priority_zero_is_waited_for() {
    let mut line = active(250);
    let key = line.key;
    line.at(4.2)
        .act(|r, now| r.admin(now).set_enabled(key, false).unwrap())
        .expect(&["4.2 v3 priority 0"]);
    // carp(4) with preempt=0: three intervals and its skew.
    line.at(7.9).expect(&[]).expect_state(State::Active);
    let successor = Peer::fridge(&line, 1);
    line.accept(&successor).expect_state(State::Initialize);
}

#[test]
fn a_stop_that_is_taken_back_leaves_it_active() {
    let mut line = active(250);
    let key = line.key;
    line.at(4.2)
        .act(|r, now| r.admin(now).set_enabled(key, false).unwrap())
        .expect(&["4.2 v3 priority 0"]);
    line.at(4.3)
        .act(|r, now| r.admin(now).set_enabled(key, true).unwrap())
        .expect(&["4.3 v3 priority 250"])
        .expect_state(State::Active);
}

#[test]
fn resigning_hands_over_and_does_not_preempt_back() {
    let mut line = active(250);
    let key = line.key;
    line.at(4.2)
        .act(|r, now| r.admin(now).resign(key).unwrap())
        .expect(&["4.2 v3 priority 0"]);
    let successor = Peer::fridge(&line, 100);
    line.at(4.8).accept(&successor).expect_state(State::Backup);
    for second in 5..30 {
        line.at(f64::from(second)).accept(&successor);
    }
    line.expect_state(State::Backup);
    assert!(line.status().resigned);
    // The successor dies; having been Active again ends the resignation.
    line.at(33.0).expect_state(State::Active);
    assert!(!line.status().resigned);
}

#[test]
fn a_resignation_goes_on_when_its_host_is_enabled_once_more() {
    let mut line = active(250);
    let key = line.key;
    line.at(4.2)
        .act(|r, now| r.admin(now).resign(key).unwrap())
        .expect(&["4.2 v3 priority 0"]);
    line.at(4.3)
        .act(|r, now| r.admin(now).set_enabled(key, true).unwrap())
        .act(|r, now| r.admin(now).set_tracked(7, true))
        .expect(&[]);
    assert!(line.status().handing_over);
    let successor = Peer::fridge(&line, 100);
    line.at(4.8).accept(&successor).expect_state(State::Backup);
    assert!(line.status().resigned);
}

#[test]
fn an_owner_that_resigned_stays_away_until_it_is_needed_or_told() {
    let addresses = one_address();
    let mut line = Line::new(&config(255, &addresses));
    let key = line.key;
    line.at(1.2).act(|r, now| r.admin(now).resign(key).unwrap());
    let successor = Peer::fridge(&line, 100);
    line.at(1.8).accept(&successor).expect_state(State::Backup);
    for second in 3..30 {
        line.at(f64::from(second)).accept(&successor);
    }
    line.expect_state(State::Backup);
    // The interface comes back: it is no start as the owner.
    let mut down = common::interface();
    down.up = false;
    line.at(29.5)
        .act(|r, now| r.set_interface(now, common::IF, down).unwrap())
        .act(|r, now| {
            r.set_interface(now, common::IF, common::interface())
                .unwrap()
        });
    line.at(30.0).accept(&successor).expect_state(State::Backup);
    // S-13: told its priority again it is the owner as before.
    line.act(|r, now| r.admin(now).set_priority(key, None).unwrap());
    line.at(31.0).accept(&successor);
    line.at(35.0).expect_state(State::Active);
}

#[test]
fn resigning_to_nobody_leaves_it_active() {
    let mut line = active(250);
    let key = line.key;
    line.at(4.2).act(|r, now| r.admin(now).resign(key).unwrap());
    line.skip().at(8.2).expect(&["8.2 v3 priority 250"]);
    line.expect_state(State::Active);
}

#[test]
fn a_preempt_delay_leaves_the_worse_router_alone_for_so_long() {
    let addresses = one_address();
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            preempt_delay: secs(10.0),
            ..config(200, &addresses).settings
        },
        ..config(200, &addresses)
    });
    let worse = Peer::fridge(&line, 100);
    for second in 1..11 {
        line.at(f64::from(second)).accept(&worse);
    }
    line.at(10.999999).expect_state(State::Backup);
    line.at(11.0).expect_state(State::Active);
    assert_eq!(line.changes[1].reason, Reason::Preempted);
}

#[test]
fn a_preempt_delay_does_not_delay_the_takeover_from_the_dead() {
    let addresses = one_address();
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            preempt_delay: secs(100.0),
            ..config(200, &addresses).settings
        },
        ..config(200, &addresses)
    });
    let worse = Peer::fridge(&line, 100);
    line.at(1.0).accept(&worse);
    line.at(4.21875).expect_state(State::Active);
    assert_eq!(line.changes[1].reason, Reason::ActiveTimeout);
}

#[test]
fn a_start_delay_holds_back_the_election() {
    let addresses = one_address();
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            start_delay: secs(30.0),
            ..config(100, &addresses).settings
        },
        ..config(100, &addresses)
    });
    let stop = Peer::fridge(&line, 0);
    line.at(1.0).accept(&stop);
    line.at(29.9).expect_state(State::Backup);
    line.at(33.7).expect_state(State::Active);
}

#[test]
fn two_owners_are_resolved_by_address() {
    // S-15, V-7 with erratum 8298.
    let mut line = line(255);
    let mut other = Peer::fridge(&line, 255);
    line.at(0.5).accept(&other).expect_state(State::Active);
    other.source = ip("10.10.10.7");
    line.at(0.8).accept(&other).expect_state(State::Backup);
}

#[test]
fn an_owner_may_discard_what_others_advertise() {
    // V-7 as published.
    let addresses = one_address();
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            owner_receive: OwnerReceive::Discard,
            ..config(255, &addresses).settings
        },
        ..config(255, &addresses)
    });
    let mut other = Peer::fridge(&line, 255);
    other.source = ip("10.10.10.7");
    assert_eq!(
        line.hear(&other),
        Verdict::Dropped(vrrp_core::DropReason::Owner)
    );
    line.expect_state(State::Active);
}

#[test]
fn tracked_objects_move_the_priority_and_demote_an_owner() {
    let addresses = one_address();
    let tracks = [
        Track {
            object: 1,
            effect: TrackEffect::WhileDown(-100),
        },
        Track {
            object: 2,
            effect: TrackEffect::Fault,
        },
    ];
    let mut line = Line::new(&VrConfig {
        tracks: &tracks,
        ..config(255, &addresses)
    });
    line.skip().at(0.5);
    line.act(|r, now| r.admin(now).set_tracked(1, false));
    line.expect(&["0.5 v3 priority 155"]);
    line.at(0.6).act(|r, now| r.admin(now).set_tracked(1, true));
    line.expect(&["0.6 v3 priority 255"]);
    // The one it cannot do without: it says that it stops.
    line.at(0.7)
        .act(|r, now| r.admin(now).set_tracked(2, false));
    line.expect(&["0.7 v3 priority 0"]);
    let successor = Peer::fridge(&line, 100);
    line.at(0.9).accept(&successor).expect(&[
        "0.9 -10.10.10.80",
        "0.9 -mac 00:00:5e:00:01:01",
        "0.9 Active -> Initialize: a tracked object is down",
        "0.9 -group IPv4",
    ]);
    line.at(1.0).act(|r, now| r.admin(now).set_tracked(2, true));
    line.expect_state(State::Active);
}

#[test]
fn a_lost_interface_ends_everything_without_a_word() {
    // S-14
    let mut line = active(100);
    let down = InterfaceState {
        up: false,
        ..interface()
    };
    line.at(4.2)
        .act(|r, now| r.set_interface(now, IF, down).unwrap())
        .expect(&[
            "4.2 -10.10.10.80",
            "4.2 -mac 00:00:5e:00:01:01",
            "4.2 Active -> Initialize: interface down",
            "4.2 -group IPv4",
        ]);
    line.at(9.0)
        .act(|r, now| r.set_interface(now, IF, interface()).unwrap())
        .expect(&["9 +group IPv4", "9 Initialize -> Backup: started"]);
}

#[test]
fn without_an_address_to_advertise_from_it_waits() {
    let mut line = active(100);
    let bare = InterfaceState {
        ipv4: None,
        ..interface()
    };
    line.act(|r, now| r.set_interface(now, IF, bare).unwrap());
    line.expect_state(State::Initialize);
    assert_eq!(line.status().reason, Reason::NoPrimaryAddress);
}

#[test]
fn with_the_interface_mac_it_serves_until_the_winner_announces() {
    // After a healed partition the winner does not know of us, and neighbours send to us.
    let addresses = one_address();
    let mut line = active_with(&VrConfig {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..config(100, &addresses).settings
        },
        ..config(100, &addresses)
    });
    let better = Peer::fridge(&line, 250);
    line.at(4.2)
        .accept(&better)
        .expect(&["4.2 v3 priority 100"]);
    line.at(4.201).accept(&better).expect(&[
        "4.201 -10.10.10.80",
        "4.201 Active -> Backup: a router of higher priority advertises",
    ]);
    // The winner may also be one that does not answer.
    let mut line = active_with(&VrConfig {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..config(100, &addresses).settings
        },
        ..config(100, &addresses)
    });
    line.at(4.2)
        .accept(&better)
        .at(4.22)
        .expect_state(State::Backup);
}

#[test]
fn a_backup_that_slept_does_not_take_over_from_a_healthy_router() {
    // T-8
    let mut line = line(100);
    let better = Peer::fridge(&line, 250);
    line.at(1.0).accept(&better).skip();
    // Its frames were lost with the sleep; the next one is heard in time.
    line.sleep_until(300.0).wake().expect_state(State::Backup);
    line.at(300.9).accept(&better).at(303.0);
    line.expect_state(State::Backup);
    assert_eq!(line.router.statistics(line.key).unwrap().stalls, 1);
    // A dead one is taken over from after one more interval and skew.
    line.sleep_until(400.0).wake();
    line.at(401.609374).expect_state(State::Backup);
    line.at(401.609375).expect_state(State::Active);
}

#[test]
fn a_late_active_router_does_not_make_up_for_what_it_missed() {
    // T-7, T-8: one advertisement, not fifty, and a stall is counted.
    let mut line = active(100);
    line.sleep_until(54.0)
        .wake()
        .expect(&["54 v3 priority 100"]);
    assert_eq!(line.router.statistics(line.key).unwrap().stalls, 1);
    line.at(55.5).expect(&["55 v3 priority 100"]);
}

#[test]
fn advertisements_do_not_drift_when_handled_late() {
    // T-5
    let mut line = active(100);
    line.sleep_until(4.7).wake();
    line.at(6.0)
        .expect(&["4.7 v3 priority 100", "5.609375 v3 priority 100"]);
}

#[test]
fn version_2_counts_skew_in_seconds_and_learns_nothing() {
    // RFC 3768 section 6.1
    let addresses = one_address();
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::V2,
            advert_interval: cs(200),
            ..config(100, &addresses).settings
        },
        ..config(100, &addresses)
    });
    let better = Peer::fridge(&line, 250);
    line.at(1.0).accept(&better);
    // 1 + 3 * 2 + 156 / 256
    line.at(7.609374).expect_state(State::Backup);
    line.at(7.609375).expect_state(State::Active);
}

#[test]
fn announcements_are_repeated_and_refreshed() {
    let addresses = one_address();
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            announce: Announce {
                repeats: 2,
                repeat_interval: secs(5.0),
                refresh: Some(secs(60.0)),
            },
            ..config(255, &addresses).settings
        },
        ..config(255, &addresses)
    });
    line.at(131.0);
    line.seen.retain(|s| s.contains("arp"));
    line.expect(&[
        "0 arp 10.10.10.80",
        "0.1 arp 10.10.10.80",
        "5 arp 10.10.10.80",
        "10 arp 10.10.10.80",
        "70 arp 10.10.10.80",
        "130 arp 10.10.10.80",
    ]);
}
