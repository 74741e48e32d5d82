//! The cache of the repeated advertisement. From outside nothing tells that there is one, in any shape
//! of message.

mod common;

use common::{Line, Peer, Verdict, addresses, ip};
use vrrp_core::{
    Announce, Auth, DropReason, Family, Priority, State, Version, VrConfig, VrSettings,
};
use vrrp_core::{
    Poll,
    wire::vrrp::{self, ChecksumForm},
};

const PASSWORD: Auth = Auth::Simple(*b"paper\0\0\0");

/// Each shape of message: the addresses, the version and the authentication.
fn shapes() -> Vec<(&'static [&'static str], Version, Auth)> {
    let one = &["10.10.10.80"][..];
    let four = &["10.10.10.80", "10.10.10.53", "10.10.10.25", "10.10.10.110"][..];
    vec![
        (one, Version::V3, Auth::None),
        (four, Version::V3, Auth::None),
        (one, Version::V2, Auth::None),
        (four, Version::V2, PASSWORD),
        (&["fe80::53/64"], Version::V3, Auth::None),
        (&["fe80::53/64", "2001:db8::53/64"], Version::V3, Auth::None),
    ]
}

fn line(shape: (&[&str], Version, Auth), priority: Priority) -> Line {
    let (list, version, auth) = shape;
    let list = addresses(list);
    Line::new(&VrConfig {
        settings: VrSettings {
            version,
            auth,
            priority,
            announce: Announce {
                repeats: 0,
                ..Announce::DEFAULT
            },
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    })
}

/// A Backup that has heard the same message twice, and the one who sends it.
fn backup(shape: (&[&str], Version, Auth)) -> (Line, Peer) {
    let mut line = line(shape, Priority::DEFAULT);
    let mut peer = Peer::fridge(&line, 200);
    peer.auth = shape.2;
    line.accept(&peer).accept(&peer);
    (line, peer)
}

fn hear(line: &mut Line, frame: &[u8]) -> Verdict {
    line.hear_frame(frame)
}

#[test]
fn every_periodic_advertisement_is_the_same_octet_for_octet() {
    for shape in shapes() {
        let mut line = line(shape, Priority::OWNER);
        let mut said: Vec<Vec<u8>> = Vec::new();
        line.skip();
        for _ in 0..4 {
            let next = line.router.poll_timeout().unwrap();
            line.router.handle_timeout(next);
            // The former content of the buffer must not show.
            let mut buf = [0xaa; 200];
            while let Poll::Output(output) = line.router.poll_output(&mut buf) {
                if let vrrp_core::Output::Transmit(transmit) = output {
                    said.push(transmit.frame.to_vec());
                }
            }
        }
        let mut fridge = Peer::fridge(&line, 255);
        fridge.auth = shape.2;
        fridge.source = match shape.0 {
            [first, ..] if first.contains(':') => ip("fe80::6"),
            _ => ip("10.10.10.6"),
        };
        // The writer that sums everything each time; only the source MAC is another.
        let mut expected = fridge.frame();
        expected[6..12].copy_from_slice(&line.key.virtual_mac().0);
        assert_eq!(said.len(), 4);
        for frame in said {
            assert_eq!(frame, expected, "{shape:?}");
        }
    }
}

#[test]
fn a_repeated_message_with_any_octet_changed_is_refused() {
    for shape in shapes() {
        let (mut line, peer) = backup(shape);
        let good = peer.frame();
        let from = if good[12] == 0x08 { 34 } else { 54 };
        for at in from..good.len() {
            let mut frame = good.clone();
            frame[at] ^= 1;
            let verdict = hear(&mut line, &frame);
            assert!(matches!(verdict, Verdict::Dropped(_)), "{at} of {shape:?}");
        }
        assert_eq!(hear(&mut line, &good), Verdict::Accepted(line.key));
    }
}

#[test]
fn a_repeated_header_does_not_vouch_for_another_password() {
    // Two words of the password change places: header and checksum stay what they were.
    let (mut line, mut peer) = backup((&["10.10.10.80"], Version::V2, PASSWORD));
    let good = peer.frame();
    peer.auth = Auth::Simple(*b"pepar\0\0\0");
    let other = peer.frame();
    assert_eq!(good[34..42], other[34..42]);
    let verdict = hear(&mut line, &other);
    assert_eq!(verdict, Verdict::Dropped(DropReason::AuthFailure));
    assert_eq!(line.state(), State::Backup);
}

#[test]
fn a_repeated_header_does_not_vouch_for_other_addresses() {
    // One address goes up by one and another down: header and checksum stay what they were.
    let (mut line, mut peer) = backup((&["10.10.10.80", "10.10.10.53"], Version::V3, Auth::None));
    let mismatch = |line: &Line| line.status().active.unwrap().address_mismatch;
    assert!(!mismatch(&line));
    let good = peer.frame();
    peer.addresses = vec![ip("10.10.10.81"), ip("10.10.10.52")];
    let other = peer.frame();
    assert_eq!(good[34..42], other[34..42]);
    assert_eq!(hear(&mut line, &other), Verdict::Accepted(line.key));
    assert!(mismatch(&line));
    assert_eq!(hear(&mut line, &good), Verdict::Accepted(line.key));
    assert!(!mismatch(&line));
}

#[test]
fn a_repeated_message_of_a_greater_distance_is_refused() {
    for shape in shapes() {
        let (mut line, mut peer) = backup(shape);
        peer.ttl = 254;
        let verdict = hear(&mut line, &peer.frame());
        assert_eq!(verdict, Verdict::Dropped(DropReason::Ttl), "{shape:?}");
    }
}

#[test]
fn a_repeated_message_is_judged_by_the_priority_of_its_time() {
    // S-7: what was good enough to wait for is preempted once our priority is higher.
    for shape in shapes() {
        let (mut line, peer) = backup(shape);
        let key = line.key;
        line.act(|r, now| r.admin(now).set_priority(key, Priority::new(250)).unwrap());
        for _ in 0..5 {
            line.at(line.now.as_micros() as f64 / 1e6 + 1.0);
            hear(&mut line, &peer.frame());
        }
        assert_eq!(line.state(), State::Active, "{shape:?}");
    }
}

#[test]
fn the_next_advertisement_has_the_checksum_of_the_peer_that_was_not_answered() {
    // V-5, S-12: the second is too soon after the first to be answered, but teaches its form.
    let shape = (&["10.10.10.80"][..], Version::V3, Auth::None);
    let mut line = line(shape, Priority::OWNER);
    let mut peer = Peer::fridge(&line, 50);
    for (first, second) in [(true, false), (false, true)] {
        line.at(line.now.as_micros() as f64 / 1e6 + 3.0);
        peer.pseudo_header = first;
        line.accept(&peer);
        peer.pseudo_header = second;
        line.skip().accept(&peer);
        assert_eq!(line.frames.len(), 0);
        line.at(line.now.as_micros() as f64 / 1e6 + 1.0);
        let view = vrrp::View::new(&line.frames[0][34..], Family::Ipv4).unwrap();
        let form = view.checksum(ip("10.10.10.6"), Family::Ipv4.group());
        assert_eq!(form == ChecksumForm::PseudoHeader, second);
    }
}

// Heard from a peer, an advertisement to the group is not a repetition: version 2's checksum does not
// cover the destination.
#[test]
fn a_repetition_to_the_group_is_none_of_what_came_to_a_unicast_address() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::V2,
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        peers: &[ip("10.10.10.2")],
        ..VrConfig::DEFAULT
    });
    let mut peer = Peer::fridge(&line, 200);
    peer.destination = Some(ip("10.10.10.6"));
    line.accept(&peer).accept(&peer);
    peer.destination = None;
    assert_eq!(
        line.hear(&peer),
        Verdict::Dropped(DropReason::WrongDestination)
    );
}
