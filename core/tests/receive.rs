//! The packets that a virtual router discards: one advertisement that is right, changed in one respect at a
//! time (RFC 9568 section 7.1, RFC 3768 section 7.1).

mod common;

use common::{IF, Line, Peer, Verdict, addresses, cs, ip, priority};
use vrrp_core::wire::{Datagram, WireVersion};
use vrrp_core::{
    AddressCheck, Auth, ChecksumMode, DropReason, Instant, State, Version, VrConfig, VrSettings,
};

const PASSWORD: Auth = Auth::Simple(*b"foobingb");

fn v3() -> Line {
    let addresses = addresses(&["10.10.10.53", "10.10.10.80"]);
    Line::new(&VrConfig {
        addresses: &addresses,
        ..VrConfig::DEFAULT
    })
}

fn v2(auth: Auth) -> Line {
    let addresses = addresses(&["10.10.10.53", "10.10.10.80"]);
    Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::V2,
            auth,
            address_check: AddressCheck::Strict,
            ..VrSettings::DEFAULT
        },
        addresses: &addresses,
        ..VrConfig::DEFAULT
    })
}

fn v6() -> Line {
    let addresses = addresses(&["fe80::53/64", "2001:db8::53/64"]);
    Line::new(&VrConfig {
        addresses: &addresses,
        ..VrConfig::DEFAULT
    })
}

/// Expects that a frame is discarded for `reason`, and that nothing but that counter changes.
#[track_caller]
fn refuse(line: &mut Line, frame: &[u8], reason: DropReason) {
    let count = |line: &Line| {
        let own = line
            .router
            .statistics(line.key)
            .unwrap()
            .drops
            .count(reason);
        own + line.router.drops().count(reason)
    };
    let (status, timeout, before) = (line.status(), line.router.poll_timeout(), count(line));
    let verdict = line.hear_frame(frame);
    assert_eq!(verdict, Verdict::Dropped(reason));
    assert_eq!(count(line), before + 1, "{reason} is counted once");
    assert_eq!(line.status(), status, "{reason} changes nothing");
    assert_eq!(line.router.poll_timeout(), timeout);
    line.drain();
}

/// The offset of the VRRP message in a frame without IP options.
fn message(frame: &[u8]) -> usize {
    if frame[12] == 0x08 { 34 } else { 54 }
}

#[test]
fn v3_refusals() {
    type Change = fn(&mut Peer);
    let table: &[(&str, DropReason, Change)] = &[
        ("V-1 TTL 254", DropReason::Ttl, |p| p.ttl = 254),
        ("V-1 TTL 0", DropReason::Ttl, |p| p.ttl = 0),
        ("V-2 version 2", DropReason::Version, |p| {
            p.version = WireVersion::V2
        }),
        ("V-6 another VRID", DropReason::UnknownVrid, |p| p.vrid = 2),
        ("V-18 our own", DropReason::OwnLoopedBack, |p| {
            p.source = ip("10.10.10.6")
        }),
        ("unicast", DropReason::WrongDestination, |p| {
            p.destination = Some(ip("10.10.10.6"))
        }),
        ("no router's address", DropReason::UnknownPeer, |p| {
            p.source = ip("0.0.0.0")
        }),
        ("a group's address", DropReason::UnknownPeer, |p| {
            p.source = ip("224.0.0.1")
        }),
    ];
    for (what, reason, change) in table {
        let mut line = v3();
        let mut peer = Peer::fridge(&line, 200);
        change(&mut peer);
        println!("{what}");
        refuse(&mut line, &peer.frame(), *reason);
    }
}

#[test]
fn v3_octets_that_are_wrong() {
    let mut line = v3();
    let good = Peer::fridge(&line, 200).frame();
    let at = message(&good);
    let cases: &[(usize, u8, DropReason)] = &[
        (at, 0x32, DropReason::Type),
        (at, 0x41, DropReason::Version),
        (at + 1, 0, DropReason::UnknownVrid),
        (at + 2, 201, DropReason::Checksum),
        (at + 3, 0, DropReason::NoAddresses),
        (at + 3, 3, DropReason::Length),
        (at + 6, !good[at + 6], DropReason::Checksum),
        (at + 8, 11, DropReason::Checksum),
        (14, 0x46, DropReason::BadHeader),
        (14 + 8, 254, DropReason::IpChecksum),
    ];
    for &(offset, octet, reason) in cases {
        let mut frame = good.clone();
        frame[offset] = octet;
        // A longer header length makes the IP checksum wrong first where there is room for it.
        let reason = match offset {
            14 => DropReason::IpChecksum,
            _ => reason,
        };
        refuse(&mut line, &frame, reason);
    }
    // V-12: reserved bits are not looked at, though the checksum covers them.
    let mut frame = good.clone();
    frame[at + 4] |= 0xf0;
    let sum = u16::from_be_bytes([frame[at + 6], frame[at + 7]]);
    let (sum, borrow) = sum.overflowing_sub(0xf000);
    let sum = sum - u16::from(borrow);
    frame[at + 6..at + 8].copy_from_slice(&sum.to_be_bytes());
    let verdict = line.hear_frame(&frame);
    assert_eq!(verdict, Verdict::Accepted(line.key));
    // not V-4: what Ethernet pads is not part of the packet.
    let mut padded = good.clone();
    padded.resize(64, 0xaa);
    let verdict = line.hear_frame(&padded);
    assert_eq!(verdict, Verdict::Accepted(line.key));
}

#[test]
fn every_truncation_is_refused_or_not_vrrp() {
    for line in [&mut v3(), &mut v2(Auth::None), &mut v6()] {
        let good = Peer::fridge(line, 200).frame();
        for len in 0..good.len() {
            let verdict = line.hear_frame(&good[..len]);
            let refused = matches!(verdict, Verdict::Dropped(_) | Verdict::NotVrrp);
            assert!(refused, "{len} octets: {verdict:?}");
        }
    }
}

#[test]
fn an_interval_of_zero_is_refused() {
    // V-10, erratum 8301
    let mut line = v3();
    let mut frame = Peer {
        interval: cs(256),
        ..Peer::fridge(&line, 200)
    }
    .frame();
    let at = message(&frame);
    // 256 to 0: the checksum grows by what the field loses.
    frame[at + 4] = 0;
    frame[at + 6] = frame[at + 6].wrapping_add(1);
    refuse(&mut line, &frame, DropReason::ZeroInterval);
}

#[test]
fn both_checksum_forms_are_accepted_and_auto_follows_the_peer() {
    // V-5, not V-5: either form is right.
    let mut line = v3();
    let mut peer = Peer::fridge(&line, 200);
    for (pseudo_header, plain, pseudo) in [(true, 0, 1), (false, 1, 1), (true, 1, 2)] {
        peer.pseudo_header = pseudo_header;
        line.accept(&peer);
        let statistics = line.router.statistics(line.key).unwrap();
        assert_eq!(
            (statistics.checksum_plain, statistics.checksum_pseudo),
            (plain, pseudo)
        );
        assert_eq!(line.status().pseudo_header, pseudo_header);
    }
    for (mode, form) in [
        (ChecksumMode::Rfc9568, false),
        (ChecksumMode::Rfc5798, true),
    ] {
        let addresses = addresses(&["10.10.10.80"]);
        let mut line = Line::new(&VrConfig {
            settings: VrSettings {
                checksum: mode,
                ..VrSettings::DEFAULT
            },
            addresses: &addresses,
            ..VrConfig::DEFAULT
        });
        let peer = Peer {
            pseudo_header: !form,
            ..Peer::fridge(&line, 200)
        };
        line.accept(&peer);
        assert_eq!(line.status().pseudo_header, form, "{mode:?} is fixed");
    }
}

#[test]
fn another_address_list_or_interval_is_accepted_in_v3_and_reported() {
    // V-13, V-14
    let mut line = v3();
    let mut peer = Peer::fridge(&line, 200);
    peer.addresses.reverse();
    line.accept(&peer);
    assert!(
        !line.status().active.unwrap().address_mismatch,
        "order is free"
    );
    peer.addresses.pop();
    peer.interval = cs(50);
    line.accept(&peer);
    let active = line.status().active.unwrap();
    assert!(active.address_mismatch && active.interval_mismatch);
    assert_eq!(line.status().active_interval, cs(50));
}

#[test]
fn another_address_list_of_version_2_is_accepted_and_reported_unless_it_is_checked() {
    // V-20
    let addresses = addresses(&["10.10.10.53", "10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::V2,
            ..VrSettings::DEFAULT
        },
        addresses: &addresses,
        ..VrConfig::DEFAULT
    });
    let mut peer = Peer::fridge(&line, 200);
    peer.addresses.pop();
    line.accept(&peer);
    assert!(line.status().active.unwrap().address_mismatch);
    for second in 1..10 {
        line.at(second.into()).accept(&peer);
    }
    line.expect_state(State::Backup);
}

#[cfg(feature = "large")] // There the interface has the only source.
#[test]
fn a_chosen_source_is_the_one_that_is_sent_compared_and_sent_to() {
    // G-6
    use common::{Sent, key};
    use vrrp_core::Family;
    let addresses = addresses(&["10.10.10.80"]);
    let peers = [ip("10.10.10.2")];
    for peers in [&[][..], &peers] {
        let config = VrConfig {
            settings: VrSettings {
                priority: priority(100),
                ..VrSettings::DEFAULT
            },
            addresses: &addresses,
            source: Some(ip("10.10.10.60")),
            peers,
            ..VrConfig::DEFAULT
        };
        let mut line = Line::new(&config);
        line.at(4.0).expect_state(State::Active);
        let sent = Sent::parse(line.frames.first().unwrap());
        assert_eq!(sent.source, ip("10.10.10.60"));
        let mut peer = Peer::fridge(&line, 100);
        if !peers.is_empty() {
            // The interface's own address is another.
            peer.destination = Some(ip("10.10.10.6"));
            refuse(&mut line, &peer.frame(), DropReason::WrongDestination);
            peer.destination = config.source;
        }
        let own = Peer {
            source: ip("10.10.10.60"),
            ..peer.clone()
        };
        refuse(&mut line, &own.frame(), DropReason::OwnLoopedBack);
        // Above 10.10.10.2, while 10.10.10.6 would be, too; and below that of another.
        line.accept(&peer).expect_state(State::Active);
        line.act(|r, now| {
            let lower = VrConfig {
                source: Some(ip("10.10.10.1")),
                ..config
            };
            r.admin(now)
                .reconfigure(key(1, Family::Ipv4), &lower)
                .unwrap();
        });
        if !peers.is_empty() {
            peer.destination = Some(ip("10.10.10.1"));
        }
        line.accept(&peer).expect_state(State::Backup);
    }
}

#[test]
fn v2_refusals() {
    type Change = fn(&mut Peer);
    let table: &[(&str, Auth, DropReason, Change)] = &[
        (
            "V-16 interval",
            Auth::None,
            DropReason::IntervalMismatch,
            |p| p.interval = cs(200),
        ),
        (
            "V-14 addresses",
            Auth::None,
            DropReason::AddressMismatch,
            |p| {
                p.addresses.pop();
            },
        ),
        ("V-2 version 3", Auth::None, DropReason::Version, |p| {
            p.version = WireVersion::V3
        }),
        (
            "V-17 password not wanted",
            Auth::None,
            DropReason::AuthType,
            |p| p.auth = PASSWORD,
        ),
        ("V-17 no password", PASSWORD, DropReason::AuthType, |_| {}),
        (
            "V-17 wrong password",
            PASSWORD,
            DropReason::AuthFailure,
            |p| {
                p.auth = Auth::Simple(*b"foobingc");
            },
        ),
    ];
    for (what, auth, reason, change) in table {
        let mut line = v2(*auth);
        let mut peer = Peer::fridge(&line, 200);
        change(&mut peer);
        println!("{what}");
        refuse(&mut line, &peer.frame(), *reason);
    }
    let mut line = v2(PASSWORD);
    let mut peer = Peer::fridge(&line, 200);
    peer.auth = PASSWORD;
    line.accept(&peer);
    // V-14: the owner may advertise another list.
    peer.priority = 255;
    peer.addresses.pop();
    line.accept(&peer);
}

#[test]
fn an_ipv6_list_begins_with_a_link_local_address() {
    // V-9, erratum 8300
    let mut line = v6();
    let mut peer = Peer::fridge(&line, 200);
    peer.addresses.reverse();
    refuse(&mut line, &peer.frame(), DropReason::NotLinkLocal);
    // RFC 9568 section 5.1.2.1: so does the source.
    let mut peer = Peer::fridge(&line, 200);
    peer.source = ip("2001:db8::2");
    refuse(&mut line, &peer.frame(), DropReason::UnknownPeer);
}

#[test]
fn a_disabled_router_hears_nothing() {
    let mut line = v3();
    let key = line.key;
    line.act(|r, now| r.admin(now).set_enabled(key, false).unwrap());
    let frame = Peer::fridge(&line, 200).frame();
    refuse(&mut line, &frame, DropReason::NotRunning);
}

#[test]
fn a_vrid_is_that_of_its_interface_and_family() {
    // V-6
    let mut line = v3();
    let frame = Peer::fridge(&line, 200).frame();
    let verdict: Verdict = line.router.handle_frame(line.now, IF + 1, &frame).into();
    assert_eq!(verdict, Verdict::Dropped(DropReason::UnknownVrid));
}

#[test]
fn a_fragment_is_refused_and_other_traffic_is_not_ours() {
    let mut line = v3();
    let mut frame = Peer::fridge(&line, 200).frame();
    frame[14 + 6] |= 0x20; // More Fragments
    let (sum, borrow) = u16::from_be_bytes([frame[24], frame[25]]).overflowing_sub(0x2000);
    let sum = sum - u16::from(borrow);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    refuse(&mut line, &frame, DropReason::Fragment);
    frame[14 + 9] = 17; // UDP
    let verdict = line.hear_frame(&frame);
    assert_eq!(verdict, Verdict::NotVrrp);
}

#[test]
fn the_second_door_ends_in_the_same_rules() {
    let mut line = v3();
    let frame = Peer::fridge(&line, 200).frame();
    let good = Datagram {
        source: ip("10.10.10.2"),
        destination: ip("224.0.0.18"),
        ttl: 255,
        source_mac: None,
        message: &frame[34..],
    };
    let mut hear = |datagram: &Datagram<'_>| {
        let verdict = line.router.handle_datagram(line.now, IF, datagram);
        Verdict::from(verdict)
    };
    assert_eq!(hear(&good), Verdict::Accepted(line.key));
    let from_afar = Datagram { ttl: 64, ..good };
    assert_eq!(hear(&from_afar), Verdict::Dropped(DropReason::Ttl));
    for len in 0..2 {
        let message = &good.message[..len];
        let short = Datagram { message, ..good };
        assert_eq!(hear(&short), Verdict::Dropped(DropReason::Length));
    }
}

#[test]
fn a_repeated_message_is_judged_by_the_configuration_of_its_time() {
    // The memory of the last message must not outlive a change.
    let mut line = v2(Auth::None);
    let peer = Peer::fridge(&line, 200);
    line.accept(&peer).accept(&peer);
    let changed = addresses(&["10.10.10.99"]);
    let key = line.key;
    line.act(|r, now| {
        let config = VrConfig {
            settings: VrSettings {
                version: Version::V2,
                address_check: AddressCheck::Strict,
                ..VrSettings::DEFAULT
            },
            addresses: &changed,
            ..VrConfig::DEFAULT
        };
        r.admin(now).reconfigure(key, &config).unwrap();
    });
    refuse(&mut line, &peer.frame(), DropReason::AddressMismatch);
    // Nor may another router borrow it, nor a changed octet pass.
    let mut line = v3();
    let peer = Peer::fridge(&line, 200);
    line.accept(&peer).accept(&peer);
    let mut frame = peer.frame();
    let at = message(&frame);
    frame[at + 2] = 1;
    refuse(&mut line, &frame, DropReason::Checksum);
    let mut other = peer.clone();
    other.source = ip("10.10.10.3");
    let mut frame = other.frame();
    frame[at..].copy_from_slice(&peer.frame()[at..]);
    refuse(&mut line, &frame, DropReason::Checksum);
    assert_eq!(line.state(), State::Backup);
}

#[test]
fn unicast_peers_are_known_by_source_and_distance() {
    // G-5
    let addresses = addresses(&["10.10.10.80"]);
    let peers = [ip("10.10.10.2"), ip("10.20.0.2")];
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            max_hops: 3,
            priority: priority(100),
            ..VrSettings::DEFAULT
        },
        addresses: &addresses,
        peers: &peers,
        ..VrConfig::DEFAULT
    });
    // No group is joined.
    line.expect(&["0 Initialize -> Backup: started"]);
    let mut peer = Peer::fridge(&line, 50);
    refuse(&mut line, &peer.frame(), DropReason::WrongDestination);
    peer.destination = Some(ip("10.10.10.6"));
    line.accept(&peer);
    peer.ttl = 253;
    line.accept(&peer);
    peer.ttl = 252;
    refuse(&mut line, &peer.frame(), DropReason::Ttl);
    peer.ttl = 255;
    peer.source = ip("10.10.10.3");
    refuse(&mut line, &peer.frame(), DropReason::UnknownPeer);
    line.skip().at(3.61);
    line.seen.retain(|s| s.contains("v3"));
    line.expect(&[
        "3.609375 v3 priority 100 to 10.20.0.2",
        "3.609375 v3 priority 100 to 10.10.10.2",
    ]);
}

#[test]
fn nothing_is_due_in_the_past_after_any_input() {
    let mut line = v3();
    let peer = Peer::fridge(&line, 200);
    line.at(1.0).accept(&peer);
    assert!(line.router.poll_timeout() > Some(Instant::from_micros(1_000_000)));
}

/// An advertisement of carp(4) for a vhid: version 2, type 1, no skew, seven words of counter and digest.
fn carp(vhid: u8) -> Vec<u8> {
    let mut message = vec![0x21, vhid, 0, 7, 0, 1, 0, 0];
    message.extend(0x0123_4567_89ab_cdef_u64.to_be_bytes());
    message.extend([0x5a; 20]);
    let sum: u32 = message
        .chunks(2)
        .map(|two| u32::from(u16::from_be_bytes([two[0], two[1]])))
        .sum();
    let folded = !((sum & 0xffff) + (sum >> 16)) as u16;
    message[6..8].copy_from_slice(&folded.to_be_bytes());
    message
}

#[test]
fn an_advertisement_of_carp_is_named() {
    // V-4
    for (address, version, source) in [
        ("10.10.10.80", Version::V2, "10.10.10.9"),
        ("10.10.10.80", Version::V3, "10.10.10.9"),
        ("10.10.10.80", Version::Both, "10.10.10.9"),
        ("fe80::80", Version::V3, "fe80::9"),
    ] {
        let list = addresses(&[address]);
        let mut line = Line::new(&VrConfig {
            settings: VrSettings {
                version,
                ..VrSettings::DEFAULT
            },
            addresses: &list,
            ..VrConfig::DEFAULT
        });
        let mut hear = |message: &[u8]| {
            let datagram = Datagram {
                source: ip(source),
                destination: line.key.family.group(),
                ttl: 255,
                source_mac: None,
                message,
            };
            Verdict::from(line.router.handle_datagram(line.now, IF, &datagram))
        };
        // Of ours and of another number.
        assert_eq!(hear(&carp(1)), Verdict::Dropped(DropReason::Carp));
        assert_eq!(hear(&carp(9)), Verdict::Dropped(DropReason::Carp));
        // Other lengths and counts are something else that is wrong.
        let mut longer = carp(1);
        longer.push(0);
        assert_ne!(hear(&longer), Verdict::Dropped(DropReason::Carp));
        assert_ne!(hear(&carp(1)[..35]), Verdict::Dropped(DropReason::Carp));
        let mut six = carp(1);
        six[3] = 6;
        assert_ne!(hear(&six), Verdict::Dropped(DropReason::Carp));
        assert_eq!(line.router.drops().count(DropReason::Carp), 1);
        let drops = line.router.statistics(line.key).unwrap().drops;
        assert_eq!(drops.count(DropReason::Carp), 1);
    }
}

/// The payload of a v3 advertisement with a trailer of `extra` octets, its checksum right for the family.
fn with_trailer(line: &Line, extra: usize) -> Vec<u8> {
    let peer = Peer::fridge(line, 200);
    let frame = peer.frame();
    let ip_len = if peer.source.is_ipv4() { 20 } else { 40 };
    let mut message = frame[14 + ip_len..].to_vec();
    message.extend((0..extra).map(|i| i as u8));
    if peer.source.is_ipv6() {
        // It covers the trailer.
        message[6..8].fill(0);
        let mut octets = Vec::new();
        for address in [peer.source, line.key.family.group()] {
            if let std::net::IpAddr::V6(v6) = address {
                octets.extend(v6.octets());
            }
        }
        octets.extend((message.len() as u32).to_be_bytes());
        octets.extend([0, 0, 0, 112]);
        octets.extend(&message);
        let sum: u32 = octets
            .chunks(2)
            .map(|two| u32::from(two[0]) << 8 | u32::from(*two.get(1).unwrap_or(&0)))
            .sum();
        let folded = !((sum >> 16) + (sum & 0xffff)) as u16;
        message[6..8].copy_from_slice(&folded.to_be_bytes());
    }
    message
}

#[test]
fn a_signed_advertisement_is_refused_without_a_key() {
    // H-1
    for (address, source) in [("10.10.10.80", "10.10.10.2"), ("fe80::80", "fe80::2")] {
        let list = addresses(&[address]);
        let mut line = Line::new(&VrConfig {
            addresses: &list,
            ..VrConfig::DEFAULT
        });
        let mut hear = |extra: usize| {
            let message = with_trailer(&line, extra);
            let datagram = Datagram {
                source: ip(source),
                destination: line.key.family.group(),
                ttl: 255,
                source_mac: None,
                message: &message,
            };
            Verdict::from(line.router.handle_datagram(line.now, IF, &datagram))
        };
        let refused = Verdict::Dropped(DropReason::AuthenticationTrailer);
        assert_eq!(hear(28), refused);
        // not H-1: other lengths are no trailer, and mean nothing over IPv4. Over IPv6 our checksum is that
        // of the message.
        for extra in [0, 27, 29] {
            assert_ne!(hear(extra), refused, "{extra}");
        }
        assert_eq!(hear(0), Verdict::Accepted(line.key));
        let drops = line.router.statistics(line.key).unwrap().drops;
        assert_eq!(drops.count(DropReason::AuthenticationTrailer), 1);
    }
}

#[test]
fn padding_of_ethernet_is_no_trailer() {
    // not H-1: 34 octets of headers, 12 of the message, 28 of padding beyond what IP says.
    let mut line = v3();
    let mut frame = Peer::fridge(&line, 200).frame();
    frame.extend([0; 28]);
    let verdict = line.router.handle_frame(line.now, IF, &frame);
    assert_eq!(Verdict::from(verdict), Verdict::Accepted(line.key));
}
