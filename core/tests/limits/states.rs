//! Timers, states and priorities.

use super::*;

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
        settings: VrSettings {
            preempt: false,
            ..config(100, &list()).settings
        },
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
        settings: VrSettings {
            version: Version::V2,
            advert_interval: cs(400),
            ..config(128, &list()).settings
        },
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
fn farewells_that_come_apart_are_answered_at_once() {
    // S-16; not S-16: the second comes later than 10 ms after the first.
    let mut line = active(100);
    let stop = Peer::fridge(&line, 0);
    for at in [4.2, 4.211] {
        line.at(at).accept(&stop);
    }
    line.expect(&["4.2 v3 priority 100", "4.211 v3 priority 100"]);
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
        settings: VrSettings {
            preempt: false,
            ..config(100, &list).settings
        },
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
    line.act(|r, now| r.admin(now).set_priority(key, Some(priority(255))).unwrap());
    assert_eq!(line.status().priority, priority(255));
}

#[test]
fn several_families_and_vrids_do_not_disturb_each_other() {
    // V-6
    let mut line = line(100);
    let six = addresses(&["fe80::53/64"]);
    let now = line.now;
    let other = key(1, Family::Ipv6);
    line.router
        .admin(now)
        .insert(other, &config(255, &six))
        .unwrap();
    line.router.admin(now).set_enabled(other, true).unwrap();
    line.drain();
    line.expect_state(State::Backup);
    assert_eq!(line.router.status(other).unwrap().state, State::Active);
}

#[test]
fn an_owner_that_had_to_listen_first_starts_as_the_owner() {
    // S-1
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            start_delay: secs(2.0),
            ..config(255, &list()).settings
        },
        ..config(255, &list())
    });
    line.skip();
    line.at(2.0).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::Owner);
}
