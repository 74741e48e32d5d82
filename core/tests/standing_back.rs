//! A virtual router that stands back: its service fails, and every other is to serve rather than it (G-7).

mod common;

use common::*;
use vrrp_core::{
    Duration, Reason, State, Track, TrackEffect, VirtualAddress, VrConfig, VrSettings,
};

const CHECK: u16 = 1;
const TRACKS: [Track; 1] = [Track {
    object: CHECK,
    effect: TrackEffect::StandBack,
}];

fn list() -> Vec<VirtualAddress> {
    addresses(&["10.10.10.80"])
}

/// Of this priority, an interval of 1 s, preempting, and standing back while [`CHECK`] is down.
fn config(base: u8, list: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            priority: priority(base),
            ..VrSettings::DEFAULT
        },
        addresses: list,
        tracks: &TRACKS,
        ..VrConfig::DEFAULT
    }
}

fn line(base: u8) -> Line {
    Line::new(&config(base, &list()))
}

fn check(line: &mut Line, passes: bool) -> &mut Line {
    line.act(|r, now| r.admin(now).set_tracked(CHECK, passes))
}

fn hears(line: &mut Line, priority: u8) -> &mut Line {
    let peer = Peer::fridge(line, priority);
    line.accept(&peer)
}

/// The advertisements since the last call, without announcements.
fn adverts(line: &mut Line) -> Vec<String> {
    let seen = line.seen.drain(..);
    seen.filter(|text| text.contains("priority")).collect()
}

#[test]
fn an_active_router_offers_its_addresses_when_its_check_fails() {
    // G-7, S-8
    let mut line = line(200);
    line.at(3.25).expect_state(State::Active);
    line.skip();
    check(&mut line, false);
    assert_eq!(adverts(&mut line), ["3.25 v3 priority 0"]);
    assert!(line.status().handing_over && line.status().standing_back);
    line.at(3.5);
    hears(&mut line, 100).expect_state(State::Backup);
    assert_eq!(line.status().reason, Reason::StandsBack);
    assert_eq!(line.status().priority, priority(1));
    // It never preempts.
    for second in 4..20 {
        line.at(f64::from(second) + 0.5);
        hears(&mut line, 50).expect_state(State::Backup);
    }
    // not G-7: until its check passes again.
    check(&mut line, true);
    assert_eq!(line.status().priority, priority(200));
    line.at(20.0);
    hears(&mut line, 50);
    line.at(24.0).expect_state(State::Active);
}

#[test]
fn the_last_one_standing_serves_at_the_least_priority_and_offers_again() {
    // G-7: at once, then after ten advertisements; an offer lasts two intervals.
    let mut line = line(200);
    line.at(3.25);
    line.skip();
    check(&mut line, false);
    line.at(20.0).expect_state(State::Active);
    let mut expected = vec!["3.25 v3 priority 0".to_owned()];
    expected.extend((0..10).map(|n| format!("{}.25 v3 priority 1", 5 + n)));
    expected.push("15.25 v3 priority 0".to_owned());
    expected.extend((17..20).map(|n| format!("{n}.25 v3 priority 1")));
    assert_eq!(adverts(&mut line), expected);
    // No event: the addresses have not moved.
    assert_eq!(line.changes.last().unwrap().to, State::Active);
    // not G-7: one whose check passes again serves as before, and offers nothing.
    check(&mut line, true);
    line.at(40.0).expect_state(State::Active);
    let adverts = adverts(&mut line);
    assert_eq!(adverts.len(), 21);
    assert!(
        adverts
            .iter()
            .all(|advert| advert.ends_with("priority 200"))
    );
}

#[test]
fn an_offer_is_taken_back_when_the_check_passes_again() {
    // G-7
    let mut line = line(200);
    line.at(3.25);
    check(&mut line, false);
    line.at(3.5);
    line.skip();
    check(&mut line, true);
    assert!(!line.status().handing_over);
    assert_eq!(adverts(&mut line), ["3.5 v3 priority 200"]);
}

#[test]
fn offers_of_short_intervals_are_five_seconds_apart() {
    // G-7
    let list = list();
    let base = config(200, &list);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            advert_interval: cs(10),
            ..base.settings
        },
        ..base
    });
    line.at(1.0);
    line.skip();
    check(&mut line, false);
    line.at(13.0);
    let offers = adverts(&mut line);
    let offers: Vec<_> = offers.iter().filter(|text| text.ends_with(" 0")).collect();
    assert_eq!(
        offers,
        ["1 v3 priority 0", "6.2 v3 priority 0", "11.4 v3 priority 0"]
    );
}

#[test]
fn a_backup_that_stands_back_takes_over_after_all_others_had_the_time_to() {
    // G-7, S-4: the down interval of priority 200 is 3.21875 s, that of any other less than 4 s.
    let mut line = line(200);
    line.at(1.0);
    hears(&mut line, 250);
    check(&mut line, false);
    line.at(2.0);
    hears(&mut line, 250);
    assert_eq!(line.status().down_interval, secs(5.21875));
    line.at(2.0 + 5.21).expect_state(State::Backup);
    line.at(2.0 + 5.22).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::ActiveTimeout);
    // It serves, and offers at its time, not at once.
    assert_eq!(line.status().priority, priority(1));
    assert!(!line.status().handing_over);
    line.skip();
    line.act(|r, now| r.set_interface(now, IF, interface()).unwrap());
    line.at(17.0);
    assert_eq!(adverts(&mut line).len(), 9);
    line.at(17.25);
    assert_eq!(adverts(&mut line), ["17.21875 v3 priority 0"]);
}

#[test]
fn a_backup_gives_all_others_their_time_from_when_its_check_fails() {
    // G-7: the down timer would have ended at 4.21875 s.
    let mut line = line(200);
    line.at(1.0);
    hears(&mut line, 250);
    line.at(4.0);
    check(&mut line, false);
    line.at(9.2).expect_state(State::Backup);
    line.at(9.22).expect_state(State::Active);
}

#[test]
fn an_offer_is_not_taken_by_one_that_stands_back() {
    // G-7, S-5: who offers sends the next advertisement within two intervals.
    let mut line = line(200);
    line.at(1.0);
    hears(&mut line, 250);
    check(&mut line, false);
    line.at(2.0);
    hears(&mut line, 0);
    line.at(4.0).expect_state(State::Backup);
    hears(&mut line, 1);
    line.at(9.2).expect_state(State::Backup);
    // not G-7: after a priority 0 that nobody follows it takes over while the one who stops still
    // serves.
    hears(&mut line, 0);
    line.at(9.2 + 3.21).expect_state(State::Backup);
    line.at(9.2 + 3.22).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::ActiveStopped);
}

#[test]
fn an_owner_that_stands_back_starts_as_a_backup() {
    // G-7, not S-1, not S-13
    let list = list();
    let mut line = Line::disabled(&config(255, &list));
    let key = line.key;
    check(&mut line, false);
    line.act(|r, now| r.admin(now).set_enabled(key, true).unwrap());
    line.expect_state(State::Backup);
    line.at(1.0);
    hears(&mut line, 100);
    line.at(2.0);
    hears(&mut line, 100);
    line.at(2.5).expect_state(State::Backup);
    check(&mut line, true);
    line.expect_state(State::Backup);
    line.at(3.0);
    hears(&mut line, 100);
    line.at(6.0).expect_state(State::Active);
}

#[test]
fn who_is_told_to_resign_during_an_offer_waits_for_a_successor_of_any_kind() {
    // G-7, S-8: a router that stands back takes over within four intervals.
    let mut line = line(200);
    line.at(3.25);
    check(&mut line, false);
    line.at(4.0);
    line.skip();
    let key = line.key;
    line.act(|r, now| r.admin(now).resign(key).unwrap());
    assert_eq!(adverts(&mut line), ["4 v3 priority 0"]);
    line.at(7.9);
    assert!(line.status().handing_over && line.status().resigned);
    hears(&mut line, 1).expect_state(State::Backup);
}

#[test]
fn weights_count_again_once_it_does_not_stand_back() {
    // G-1, G-7
    let list = list();
    let tracks = [
        TRACKS[0],
        Track {
            object: 2,
            effect: TrackEffect::WhileDown(-50),
        },
    ];
    let mut line = Line::new(&VrConfig {
        tracks: &tracks,
        ..config(200, &list)
    });
    line.act(|r, now| r.admin(now).set_tracked(2, false));
    check(&mut line, false);
    assert_eq!(line.status().priority, priority(1));
    assert_eq!(line.status().base_priority, priority(200));
    assert_eq!(line.status().down_interval, secs(5.0) + skew_of(150));
    check(&mut line, true);
    assert_eq!(line.status().priority, priority(150));
    assert_eq!(line.status().down_interval, secs(3.0) + skew_of(150));
}

/// Skew_Time at an interval of 1 s.
fn skew_of(priority: u64) -> Duration {
    Duration::from_micros(1_000_000 * (256 - priority) / 256)
}
