//! Addresses that are served and not advertised, and advertisements without anything to serve.
#![cfg(feature = "large")]

mod common;

use common::{Line, Peer, Sent, Verdict, addresses, ip};
use vrrp_core::wire::vrrp::ChecksumForm;
use vrrp_core::{
    AddressCheck, Announce, DropReason, Error, Family, OnConflict, State, Version, VirtualAddress,
    VrConfig, VrKey, VrSettings, Vrid,
};

const KEY: VrKey = VrKey {
    ifindex: common::IF,
    vrid: Vrid::new(1).expect("not 0"),
    family: Family::Ipv4,
};

const QUIET: Announce = Announce {
    repeats: 0,
    ..Announce::DEFAULT
};

fn config(list: &[VirtualAddress], unadvertised: u8, advertise_only: bool) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            announce: QUIET,
            unadvertised,
            advertise_only,
            ..VrSettings::DEFAULT
        },
        addresses: list,
        ..VrConfig::DEFAULT
    }
}

fn said(line: &Line) -> Vec<String> {
    let advert = line.frames.iter().rfind(|frame| frame[23] == 112);
    let advert = Sent::parse(advert.expect("an advertisement"));
    let addresses = advert.addresses.iter();
    addresses.map(ToString::to_string).collect()
}

#[test]
fn the_last_addresses_are_served_and_announced_but_not_advertised() {
    let list = addresses(&["10.10.10.80", "10.10.10.81", "10.10.10.82"]);
    let mut line = Line::new(&config(&list, 2, false));
    line.skip().at(3.7).expect(&[
        "3.609375 +mac 00:00:5e:00:01:01",
        "3.609375 +10.10.10.80",
        "3.609375 +10.10.10.81",
        "3.609375 +10.10.10.82",
        "3.609375 v3 priority 100",
        "3.609375 arp 10.10.10.80",
        "3.609375 arp 10.10.10.81",
        "3.609375 arp 10.10.10.82",
        "3.609375 Backup -> Active: no advertisement within the down interval",
    ]);
    assert_eq!(said(&line), ["10.10.10.80"]);
    // The repeated one, too.
    line.skip().at(5.7);
    assert_eq!(said(&line), ["10.10.10.80"]);

    // A change of what is advertised is advertised at once, and no address is given up.
    line.skip().act(|router, now| {
        let changed = config(&list, 1, false);
        router.admin(now).reconfigure(KEY, &changed).unwrap();
    });
    line.at(5.9);
    assert_eq!(said(&line), ["10.10.10.80", "10.10.10.81"]);
    assert!(!line.seen.iter().any(|text| text.contains(" -")));
}

#[test]
fn a_peer_is_compared_with_the_advertised_addresses_alone() {
    // V-14
    let list = addresses(&["10.10.10.80", "10.10.10.81"]);
    let mut strict = config(&list, 1, false);
    strict.settings.version = Version::V2;
    strict.settings.address_check = AddressCheck::Strict;
    let mut line = Line::new(&strict);
    let mut peer = Peer::fridge(&line, 200);
    peer.addresses.truncate(1);
    line.accept(&peer);
    peer.addresses.push(ip("10.10.10.81"));
    assert_eq!(
        line.hear(&peer),
        Verdict::Dropped(DropReason::AddressMismatch)
    );
}

#[test]
fn an_election_alone_serves_announces_and_asks_for_nothing() {
    let list = addresses(&["192.0.0.8"]);
    let mut alone = config(&list, 0, true);
    alone.settings.on_conflict = OnConflict::Wait;
    let mut line = Line::new(&alone);
    line.sees_probes = true;
    line.skip().at(4.7).expect(&[
        "3.609375 +mac 00:00:5e:00:01:01",
        "3.609375 v3 priority 100",
        "3.609375 Backup -> Active: no advertisement within the down interval",
        "4.609375 v3 priority 100",
    ]);
    assert_eq!(said(&line), ["192.0.0.8"]);
    assert_eq!(line.router.addresses(line.key).count(), 0);
    let mut better = Peer::fridge(&line, 200);
    better.addresses.push(ip("192.0.0.8"));
    line.accept(&better).expect_state(State::Backup);
    // It may begin to serve while it is Active, and cease.
    line.at(10.0).expect_state(State::Active).skip();
    line.act(|router, now| {
        let serving = config(&list, 0, false);
        router.admin(now).reconfigure(KEY, &serving).unwrap();
    });
    assert!(line.seen.iter().any(|text| text.ends_with("+192.0.0.8")));
    line.skip().act(|router, now| {
        let alone = config(&list, 0, true);
        router.admin(now).reconfigure(KEY, &alone).unwrap();
    });
    assert!(line.seen.iter().any(|text| text.ends_with("-192.0.0.8")));
    line.expect_state(State::Active);
}

/// A VRRPv2 router without addresses.
fn nothing() -> VrConfig<'static> {
    let mut nothing = config(&[], 0, true);
    nothing.settings.version = Version::V2;
    nothing
}

#[test]
fn version_2_elects_without_an_address() {
    let mut line = Line::new_of(&nothing(), Family::Ipv4);
    line.skip().at(3.7).expect_state(State::Active);
    assert_eq!(said(&line), [""; 0]);
    let frame = line.frames.first().expect("an advertisement");
    assert_eq!(frame.len(), 14 + 20 + 8 + 8);
    assert_eq!(Sent::parse(frame).checksum, ChecksumForm::Plain);
    line.skip().at(5.0);
    assert_eq!(said(&line), [""; 0]);

    // It is believed by its like, and a repetition is recognised.
    let peer = Peer::fridge(&line, 200);
    assert!(peer.addresses.is_empty());
    line.accept(&peer).expect_state(State::Backup);
    line.at(5.5).accept(&peer);
    let active = line.status().active.expect("an Active router");
    assert!(!active.address_mismatch);

    // But not by a router that has addresses.
    let list = addresses(&["10.10.10.80"]);
    let mut serving = config(&list, 0, false);
    serving.settings.version = Version::V2;
    let mut line = Line::new(&serving);
    assert_eq!(line.hear(&peer), Verdict::Dropped(DropReason::NoAddresses));
}

#[test]
fn one_advertised_address_has_to_be_left() {
    let list = addresses(&["10.10.10.80", "10.10.10.81"]);
    let mut bad = vec![
        config(&list, 2, false),
        config(&list, 3, false),
        config(&list, 2, true),
        config(&[], 0, true),
        config(&[], 1, true),
    ];
    for version in [Version::V2, Version::Both] {
        let mut one = config(&[], 0, version == Version::Both);
        one.settings.version = version;
        bad.push(one);
    }
    let mut line = Line::new(&config(&list, 1, false));
    for config in &bad {
        let now = line.now;
        assert_eq!(
            line.router.admin(now).reconfigure(KEY, config),
            Err(Error::NoAddresses),
            "{config:?}"
        );
    }
}
