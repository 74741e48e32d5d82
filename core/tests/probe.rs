//! The neighbour probe of a Backup whose Active router is silent (G-8).
#![cfg(feature = "large")]

mod common;

use common::*;
use vrrp_core::wire::{Claim, arp, ethernet, ipv6, mld, ndisc};
use vrrp_core::{
    Failure, MacAddr, OnConflict, Reason, State, VirtualAddress, VrConfig, VrSettings,
};

fn config(on_conflict: OnConflict, list: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            on_conflict,
            ..VrSettings::DEFAULT
        },
        addresses: list,
        ..VrConfig::DEFAULT
    }
}

/// A Backup of priority 100 that hears its Active router at 1 s, and no more.
fn silent(on_conflict: OnConflict, list: &[&str]) -> Line {
    let mut line = Line::new(&config(on_conflict, &addresses(list)));
    line.sees_probes = true;
    let active = Peer::fridge(&line, 200);
    line.at(1.0).accept(&active).skip();
    line
}

fn claim(line: &mut Line, address: &str, mac: MacAddr) -> bool {
    let claim = Claim {
        address: ip(address),
        mac,
    };
    let answered = line.router.handle_claim(IF, &claim);
    line.drain();
    answered == Some(line.key)
}

const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 9, 9]);

#[test]
fn the_first_address_is_asked_for_after_the_second_missed_advertisement() {
    // G-8, S-4: down interval 3.609375 s; the probe delays nothing.
    let mut line = silent(OnConflict::TakeOver, &["10.10.10.80", "10.10.10.53"]);
    line.at(4.609374).expect(&["3.609375 probe"]);
    let frame = ethernet::View::new(&line.frames[0]).unwrap();
    assert_eq!(frame.source(), interface().mac);
    let probe = arp::Request::new(frame.payload()).unwrap();
    assert!(probe.sender_ip.is_unspecified());
    assert_eq!(probe.sender_mac, interface().mac);
    assert_eq!(std::net::IpAddr::from(probe.target_ip), ip("10.10.10.80"));
    line.expect_state(State::Backup);
    line.at(4.609375).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::ActiveTimeout);
}

#[test]
fn an_ipv6_probe_has_no_source_and_goes_to_the_group_of_its_target() {
    // G-8; RFC 4862 section 5.4.2
    let mut line = silent(OnConflict::TakeOver, &["fe80::80"]);
    line.at(4.6).expect(&["3.609375 probe"]);
    let frame = ethernet::View::new(&line.frames[0]).unwrap();
    let probe = ndisc::Solicitation::new(frame.payload()).expect("a valid solicitation");
    assert!(probe.source.is_unspecified());
    assert_eq!(probe.source_mac, None);
    assert_eq!(std::net::IpAddr::from(probe.target), ip("fe80::80"));
    let group = mld::solicited_node(probe.target);
    assert_eq!(
        ipv6::View::new(frame.payload()).unwrap().destination(),
        group
    );
    assert!(claim(&mut line, "fe80::80", OTHER));
    line.at(4.7).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::ActiveUnheard);
}

#[test]
fn an_answer_is_the_reason_of_the_takeover_and_does_not_put_it_off() {
    // G-8
    let mut line = silent(OnConflict::TakeOver, &["10.10.10.80"]);
    line.at(3.7);
    assert!(claim(&mut line, "10.10.10.80", OTHER));
    // not G-8: it is the answer of one host that counts.
    assert!(!claim(&mut line, "10.10.10.80", OTHER));
    line.at(4.609374).expect_state(State::Backup);
    line.at(4.609375).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::ActiveUnheard);
}

#[test]
fn a_claim_that_answers_nothing_changes_nothing() {
    // not G-8: before the probe, of another address, or our own.
    let mut line = silent(OnConflict::TakeOver, &["10.10.10.80", "10.10.10.53"]);
    line.at(3.5);
    assert!(!claim(&mut line, "10.10.10.80", OTHER));
    line.at(3.7);
    assert!(!claim(&mut line, "10.10.10.53", OTHER));
    assert!(!claim(&mut line, "10.10.10.80", interface().mac));
    line.at(4.7).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::ActiveTimeout);
    assert!(!claim(&mut line, "10.10.10.80", OTHER));
}

#[test]
fn a_router_that_is_heard_is_not_asked_for() {
    // not G-8: not while it advertises, nor when it stops, nor while it is about to be preempted.
    let mut line = silent(OnConflict::Wait, &["10.10.10.80"]);
    let active = Peer::fridge(&line, 200);
    for second in 2..10 {
        line.at(f64::from(second)).accept(&active);
    }
    line.expect(&[]);
    let stopping = Peer::fridge(&line, 0);
    line.accept(&stopping).at(9.7).expect_state(State::Active);
    assert!(!line.seen.iter().any(|seen| seen.ends_with("probe")));
    let mut line = silent(OnConflict::Wait, &["10.10.10.80"]);
    let worse = Peer::fridge(&line, 50);
    for second in 2..5 {
        line.at(f64::from(second)).accept(&worse);
    }
    line.at(4.7).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::Preempted);
    assert!(!line.seen.iter().any(|seen| seen.ends_with("probe")));
}

#[test]
fn one_that_waits_asks_each_interval_until_nobody_answers() {
    // G-8
    let mut line = silent(OnConflict::Wait, &["10.10.10.80"]);
    line.at(3.7);
    assert!(claim(&mut line, "10.10.10.80", OTHER));
    for round in 0..5 {
        let asked = 4.609375 + f64::from(round);
        line.skip().at(asked).expect(&[&format!("{asked} probe")]);
        assert!(claim(&mut line, "10.10.10.80", OTHER));
    }
    line.skip().at(9.609375).expect(&["9.609375 probe"]);
    line.at(10.609374).expect_state(State::Backup);
    line.at(10.609375).expect_state(State::Active);
    assert_eq!(line.status().reason, Reason::ActiveTimeout);
}

#[test]
fn one_that_waits_follows_a_router_that_is_heard_again() {
    // G-8, S-6
    let mut line = silent(OnConflict::Wait, &["10.10.10.80"]);
    line.at(3.7);
    assert!(claim(&mut line, "10.10.10.80", OTHER));
    line.at(8.0);
    let active = Peer::fridge(&line, 200);
    line.accept(&active).skip();
    line.at(10.6).expect(&[]);
    line.at(11.6).expect(&["10.609375 probe"]);
    // This one is not answered.
    line.at(11.7).expect_state(State::Active);
}

#[test]
fn one_that_waits_and_woke_too_late_to_ask_asks_before_it_takes_over() {
    // G-8; T-8: less than an interval late.
    let mut line = silent(OnConflict::Wait, &["10.10.10.80"]);
    line.sleep_until(5.0).wake();
    line.expect(&["5 probe"]).expect_state(State::Backup);
    line.at(6.0).expect_state(State::Active);
    // not G-8: one that does not wait takes over at once.
    let mut line = silent(OnConflict::TakeOver, &["10.10.10.80"]);
    line.sleep_until(5.0).wake();
    line.expect_state(State::Active);
}

#[test]
fn an_owner_that_starts_again_with_a_short_delay_asks_at_once() {
    // G-8, S-14: after effects that failed, no deadline stays behind.
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            priority: priority(255),
            start_delay: secs(0.5),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    });
    line.sees_probes = true;
    line.at(1.0).expect_state(State::Active);
    for _ in 0..8 {
        let key = line.key;
        line.fail(Failure::Mac { key });
    }
    line.expect_state(State::Initialize).skip();
    line.at(2.0).expect_state(State::Backup);
    assert!(
        line.seen.iter().any(|seen| seen == "2 probe"),
        "{:?}",
        line.seen
    );
    assert!(
        line.router
            .poll_timeout()
            .is_some_and(|next| next > line.now)
    );
    line.at(2.5).expect_state(State::Active);
}
