//! A virtual router in a synchronisation group, as the engine has it.
#![cfg(feature = "groups")]

mod common;

use common::*;
use vrrp_core::{Reason, State, VirtualAddress, VrConfig, VrSettings};

fn list() -> Vec<VirtualAddress> {
    addresses(&["10.10.10.80"])
}

/// Of this priority, an interval of 1 s, in a group that is Backup.
fn line(base: u8) -> Line {
    let list = list();
    let config = VrConfig {
        settings: VrSettings {
            priority: priority(base),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let mut line = Line::disabled(&config);
    group(&mut line, Some(State::Backup));
    let key = line.status().key;
    line.act(|r, now| r.admin(now).set_enabled(key, true).unwrap());
    line
}

fn group(line: &mut Line, state: Option<State>) {
    let key = line.status().key;
    line.act(|r, now| r.admin(now).set_group_state(key, state).unwrap());
}

fn hears(line: &mut Line, priority: u8) {
    let peer = Peer::fridge(line, priority);
    line.accept(&peer);
}

#[test]
fn a_backup_whose_timer_ends_is_due_until_its_group_takes_over() {
    let mut line = line(200);
    line.at(3.2);
    assert!(!line.status().due);
    line.at(30.0).expect_state(State::Backup);
    assert!(line.status().due);
    group(&mut line, Some(State::Active));
    line.expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::ActiveTimeout);
    assert!(!line.status().due);
}

#[test]
fn an_owner_waits_for_its_group() {
    let mut line = line(255);
    line.at(0.1).expect_state(State::Backup);
    assert!(line.status().due);
    group(&mut line, None);
    line.expect_state(State::Active);
}

#[test]
fn a_better_router_that_is_heard_again_ends_it() {
    let mut line = line(100);
    line.at(10.0);
    assert!(line.status().due);
    hears(&mut line, 200);
    assert!(!line.status().due);
    // A lower one that is to be preempted does not, and the timer runs on meanwhile.
    line.at(14.0);
    assert!(line.status().due);
    hears(&mut line, 50);
    assert!(line.status().due);
    group(&mut line, Some(State::Active));
    line.expect_state(State::Active);
}

#[test]
fn a_repeated_advertisement_ends_it_too() {
    let mut line = line(100);
    for second in 1..4 {
        line.at(f64::from(second));
        hears(&mut line, 200);
    }
    line.at(20.0);
    assert!(line.status().due);
    hears(&mut line, 200);
    assert!(!line.status().due);
    line.at(21.0);
    hears(&mut line, 200);
    assert!(!line.status().due);
}

#[test]
fn an_active_router_hands_over_with_its_group_and_ends_as_backup() {
    let mut line = line(200);
    line.at(4.0);
    group(&mut line, Some(State::Active));
    line.at(5.0).expect_state(State::Active);
    group(&mut line, Some(State::Backup));
    assert!(line.status().handing_over);
    line.skip();
    // No successor comes. Alone it would stay Active.
    line.at(9.5).expect_state(State::Backup);
    line.at(20.0).expect_state(State::Backup);
    assert!(line.status().due);
}

#[test]
fn a_group_in_initialize_holds_it_there() {
    let mut line = line(200);
    line.at(4.0);
    group(&mut line, Some(State::Active));
    group(&mut line, Some(State::Initialize));
    assert!(line.status().handing_over);
    line.at(9.0).expect_state(State::Initialize);
    assert_eq!(line.status().reason, Reason::TrackedFault);
    group(&mut line, Some(State::Backup));
    line.expect_state(State::Backup);
}
