//! An engine and a gate that are built without IPv6.
#![cfg(not(feature = "ipv6"))]

mod common;

use common::{Line, Peer, Verdict, addresses, interface, key};
use vrrp_core::gate::{Addressee, Gate, Received};
use vrrp_core::wire::{Advert, WireVersion};
use vrrp_core::{AdvertInterval, Auth, Error, Family, Instant, MacAddr, State, VrConfig, Vrid};

/// An advertisement over IPv6.
fn advert6() -> [u8; 94] {
    // Made by hand: such an engine writes none.
    let mut frame = [0; 94];
    frame[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, 0x12]);
    frame[6..12].copy_from_slice(&[0, 0, 0x5e, 0, 2, 1]);
    frame[12..14].copy_from_slice(&[0x86, 0xdd]);
    frame[14] = 0x60;
    frame[18..22].copy_from_slice(&[0, 40, 112, 255]);
    frame[22..24].copy_from_slice(&[0xfe, 0x80]);
    frame[38..40].copy_from_slice(&[0xff, 2]);
    frame[53] = 0x12;
    frame[54..58].copy_from_slice(&[0x31, 1, 100, 2]);
    frame
}

#[test]
fn an_election_over_ipv4_goes_on_as_ever() {
    let mut line = Line::new(&VrConfig {
        addresses: &addresses(&["10.10.10.80"]),
        ..VrConfig::DEFAULT
    });
    let peer = Peer::fridge(&line, 200);
    line.accept(&peer).expect_state(State::Backup);
    line.at(3.6).expect_state(State::Backup);
    line.at(3.7).expect_state(State::Active);
    assert!(!line.frames.is_empty());
}

#[test]
fn a_virtual_router_of_ipv6_is_refused() {
    let list = addresses(&["fe80::80"]);
    let config = VrConfig {
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let mut router = common::TestRouter::new();
    let refused = router
        .admin(Instant::default())
        .insert(key(1, Family::Ipv6), &config);
    assert_eq!(refused, Err(Error::NoIpv6));
    let advert = Advert {
        source_mac: MacAddr::default(),
        destination_mac: MacAddr::default(),
        source: list[0].address,
        destination: Family::Ipv6.group(),
        ttl: 255,
        version: WireVersion::V3,
        vrid: Vrid::new(1).unwrap(),
        priority: 100,
        interval: AdvertInterval::DEFAULT,
        auth: Auth::None,
        pseudo_header: true,
    };
    let written = advert.emit(&mut [0; 256], [list[0].address].into_iter());
    assert_eq!(written, None);
}

#[test]
fn a_frame_of_ipv6_is_for_somebody_else() {
    let mut line = Line::new(&VrConfig {
        addresses: &addresses(&["10.10.10.80"]),
        ..VrConfig::DEFAULT
    });
    assert_eq!(line.hear_frame(&advert6()), Verdict::NotVrrp);
    let mut gate = Gate::<2, 4>::new(1);
    gate.set_interface(Instant::default(), interface());
    let mut buf = [0; 256];
    let received = gate.receive(Instant::default(), &advert6(), &mut buf);
    let to = Addressee::Own;
    let virtual_mac = false;
    assert_eq!(received, Received::Stack { to, virtual_mac });
}
