//! The details that a verdict carries, so that no caller has to read the packet again.

mod common;

use common::{IF, Line, Peer, addresses, cs, ip, priority};
use vrrp_core::wire::{Datagram, WireVersion};
use vrrp_core::{
    Accepted, DropReason, Dropped, MacAddr, State, Verdict, Version, VirtualAddress, VrConfig,
    VrSettings,
};

fn line(list: &[VirtualAddress], version: Version) -> Line {
    Line::new(&VrConfig {
        settings: VrSettings {
            version,
            ..VrSettings::DEFAULT
        },
        addresses: list,
        ..VrConfig::DEFAULT
    })
}

fn accepted<'f>(line: &mut Line, frame: &'f [u8]) -> Accepted<'f> {
    match line.router.handle_frame(line.now, IF, frame) {
        Verdict::Accepted(accepted) => accepted,
        other => panic!("{other:?}"),
    }
}

fn dropped<'f>(line: &mut Line, frame: &'f [u8]) -> Dropped<'f> {
    match line.router.handle_frame(line.now, IF, frame) {
        Verdict::Dropped(dropped) => dropped,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_accepted_is_told_with_its_sender() {
    let mut line = line(&addresses(&["10.10.10.80"]), Version::V3);
    let peer = Peer::fridge(&line, 200);
    let frame = peer.frame();
    let accepted = accepted(&mut line, &frame);
    assert_eq!(accepted.key, line.key);
    let datagram = accepted.datagram;
    assert_eq!(Ok(Some(datagram)), Datagram::new(&frame));
    assert_eq!(datagram.source, peer.source);
    assert_eq!(
        datagram.source_mac,
        Some(MacAddr(frame[6..12].try_into().unwrap()))
    );
    assert_eq!((datagram.ttl, datagram.vrid()), (255, Some(line.key.vrid)));
    let advert = datagram.advert().unwrap();
    assert_eq!(advert.priority(), 200);
    assert!(advert.addresses().eq([ip("10.10.10.80")]));
}

#[test]
fn mismatches_are_told_whatever_the_state() {
    // V-13, V-14: of the Active router to a Backup, and of one that loses to the Active router.
    let list = addresses(&["10.10.10.53", "10.10.10.80"]);
    for ours in [100, 250] {
        let mut line = line(&list, Version::V3);
        line.act(|r, now| {
            let key = common::key(1, vrrp_core::Family::Ipv4);
            r.admin(now)
                .set_priority(key, Some(priority(ours)))
                .unwrap();
        });
        if ours > 200 {
            line.at(4.0).expect_state(State::Active);
        }
        let good = Peer::fridge(&line, 200);
        let mut other = good.clone();
        other.addresses.reverse();
        other.interval = cs(99);
        let mut shorter = good.clone();
        shorter.addresses.pop();
        for (peer, interval_mismatch, address_mismatch) in [
            (&good, false, false),
            (&other, true, false),
            (&shorter, false, true),
            (&good, false, false),
        ] {
            let frame = peer.frame();
            let accepted = accepted(&mut line, &frame);
            assert_eq!(accepted.interval_mismatch, interval_mismatch);
            assert_eq!(accepted.address_mismatch, address_mismatch);
            line.drain();
        }
    }
}

#[test]
fn an_interval_of_version_2_is_no_mismatch() {
    // V-13 is of version 3. Version 2 says whole seconds.
    let mut line = line(&addresses(&["10.10.10.80"]), Version::Both);
    let peer = Peer {
        version: WireVersion::V2,
        interval: cs(200),
        ..Peer::fridge(&line, 200)
    };
    let frame = peer.frame();
    assert!(!accepted(&mut line, &frame).interval_mismatch);
    assert!(!line.status().active.unwrap().interval_mismatch);
}

#[cfg(feature = "large")] // There each advertisement is judged.
#[test]
fn a_repetition_is_recognised_in_a_backup_until_anything_differs() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = line(&list, Version::V3);
    let mut peer = Peer::fridge(&line, 200);
    peer.interval = cs(99);
    let first = peer.frame();
    let repeated = |line: &mut Line, frame: &[u8]| {
        let accepted = accepted(line, frame);
        assert!(accepted.interval_mismatch, "as it was the first time");
        assert!(!accepted.address_mismatch);
        accepted.repeated
    };
    assert!(!repeated(&mut line, &first));
    assert!(repeated(&mut line, &first));
    // From another MAC.
    let mut moved = first.clone();
    moved[11] ^= 1;
    assert!(!repeated(&mut line, &moved));
    assert!(repeated(&mut line, &moved));
    let mac = line.status().active.unwrap().mac;
    assert_eq!(mac, Some(MacAddr(moved[6..12].try_into().unwrap())));
    // Of another priority.
    peer.priority = 201;
    assert!(!repeated(&mut line, &peer.frame()));
    assert!(!repeated(&mut line, &first));
    // To an Active router no advertisement is without meaning.
    line.at(4.0).expect_state(State::Active);
    peer.priority = 50;
    for _ in 0..3 {
        assert!(!repeated(&mut line, &peer.frame()));
    }
}

#[test]
fn what_was_dropped_is_told_as_far_as_it_can_be_read() {
    let mut line = line(&addresses(&["10.10.10.80"]), Version::V3);
    let peer = Peer::fridge(&line, 200);
    let mut frame = peer.frame();
    frame[41] ^= 1;
    let wrong = dropped(&mut line, &frame);
    assert_eq!(wrong.reason, DropReason::Checksum);
    let datagram = wrong.datagram.unwrap();
    assert_eq!(
        (datagram.source, datagram.vrid()),
        (peer.source, Some(line.key.vrid))
    );
    // Of a virtual router that is not there.
    frame[35] = 77;
    let unknown = dropped(&mut line, &frame);
    assert_eq!(unknown.reason, DropReason::UnknownVrid);
    let vrid = unknown.datagram.unwrap().vrid().unwrap();
    assert_eq!(vrid.get(), 77);
    // With a header that says nothing for sure.
    frame[24] ^= 1;
    let bad = dropped(&mut line, &frame);
    assert_eq!((bad.reason, bad.datagram), (DropReason::IpChecksum, None));
}
