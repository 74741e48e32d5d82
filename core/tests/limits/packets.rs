//! The packets that are believed, and in which versions.

use super::*;

#[test]
fn what_is_nearly_refused_is_accepted() {
    // not V-1, not V-3, not V-6, not V-8, not V-11, not V-18: 255 hops, type 1, our VRID and
    // family, an address list of the carrier's family, from somebody else.
    let mut line = line(100);
    hears(&mut line, 200);
}

#[test]
fn unicast_peers_may_be_further_away() {
    // not V-1
    let peers = [ip("10.10.10.2")];
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            max_hops: 2,
            ..config(100, &list()).settings
        },
        peers: &peers,
        ..config(100, &list())
    });
    let mut peer = Peer::fridge(&line, 200);
    peer.destination = Some(ip("10.10.10.6"));
    peer.ttl = 254;
    line.accept(&peer);
    // G-5: and no further; only from whom we were told of.
    peer.ttl = 253;
    let verdict = line.hear(&peer);
    assert_eq!(format!("{verdict:?}"), "Dropped(Ttl)");
    // not G-5: to the group nobody has to be named.
    let mut line = self::line(100);
    let mut stranger = Peer::fridge(&line, 200);
    stranger.source = ip("10.10.10.77");
    line.accept(&stranger);
}

#[test]
fn an_address_list_of_version_2_that_is_checked_is_ours_or_the_owners() {
    // not V-20
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::V2,
            address_check: AddressCheck::Strict,
            ..config(100, &list()).settings
        },
        ..config(100, &list())
    });
    let mut peer = Peer::fridge(&line, 200);
    peer.addresses.push(ip("10.10.10.99"));
    let verdict = line.hear(&peer);
    assert_eq!(format!("{verdict:?}"), "Dropped(AddressMismatch)");
    peer.priority = 255;
    line.accept(&peer);
}

#[test]
fn without_a_chosen_source_it_is_that_of_the_interface() {
    // not G-6
    let mut line = Line::new(&config(100, &list()));
    line.at(4.0).expect_state(State::Active);
    let sent = Sent::parse(line.frames.first().unwrap());
    assert_eq!(sent.source, ip("10.10.10.6"));
    // An address that no host can have is none to advertise from.
    let mut router = common::TestRouter::new();
    router.set_interface(line.now, IF, interface()).unwrap();
    for source in ["224.0.0.18", "fe80::1"] {
        let list = list();
        let config = VrConfig {
            source: Some(ip(source)),
            ..config(100, &list)
        };
        let refused = router.admin(line.now).insert(line.key, &config);
        // A small build refuses every source.
        let reason = if cfg!(feature = "large") {
            vrrp_core::Error::BadAddress
        } else {
            vrrp_core::Error::NoSource
        };
        assert_eq!(refused, Err(reason), "{source}");
    }
}

#[test]
fn each_version_is_heard_by_who_speaks_it() {
    // not V-2; X-1
    for (ours, theirs) in [
        (Version::V2, WireVersion::V2),
        (Version::V3, WireVersion::V3),
        (Version::Both, WireVersion::V2),
        (Version::Both, WireVersion::V3),
    ] {
        let mut line = version(ours, Auth::None);
        let mut peer = Peer::fridge(&line, 200);
        peer.version = theirs;
        line.accept(&peer);
    }
    // not X-1: who speaks one version hears and says that one only.
    let mut line = active(100);
    let mut peer = Peer::fridge(&line, 200);
    peer.version = WireVersion::V2;
    line.hear(&peer);
    line.at(6.0).expect_state(State::Active);
    let said: Vec<String> = line.seen.drain(..).collect();
    assert!(said.iter().all(|s| s.contains(" v3 ")), "{said:?}");
}

#[test]
fn an_owner_that_discards_does_so_while_it_is_owner() {
    // V-7; not V-7: one that was demoted takes part as anybody.
    let tracks = [Track {
        object: 1,
        effect: TrackEffect::WhileDown(-200),
    }];
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            owner_receive: OwnerReceive::Discard,
            ..config(255, &list()).settings
        },
        tracks: &tracks,
        ..config(255, &list())
    });
    let peer = Peer::fridge(&line, 200);
    assert_eq!(format!("{:?}", line.hear(&peer)), "Dropped(Owner)");
    line.act(|r, now| r.admin(now).set_tracked(1, false));
    line.accept(&peer).expect_state(State::Backup);
}

#[test]
fn only_the_first_ipv6_address_is_link_local() {
    // not V-9
    let list = addresses(&["fe80::53/64", "2001:db8::53/64"]);
    let mut line = Line::new(&config(100, &list));
    hears(&mut line, 200);
}

#[test]
fn the_shortest_and_the_longest_interval_are_heard_and_learned() {
    // not V-10, not V-12: all twelve bits are the interval. not V-13, T-1
    for centis in [1, 0x0fff] {
        let mut line = line(100);
        let mut peer = Peer::fridge(&line, 200);
        peer.interval = cs(centis);
        line.accept(&peer);
        assert_eq!(line.status().active_interval, cs(centis));
    }
    let mut line = line(100);
    hears(&mut line, 200);
    let active = line.status().active.unwrap();
    assert!(!active.interval_mismatch && !active.address_mismatch);
}

#[test]
fn intervals_that_a_version_cannot_say_are_refused() {
    // not T-1
    assert_eq!(AdvertInterval::from_centis(0), None);
    assert_eq!(AdvertInterval::from_centis(4096), None);
    let list = list();
    for (version, interval) in [
        (Version::V2, AdvertInterval::from_centis(150)),
        (Version::V3, AdvertInterval::from_secs(41)),
        (Version::Both, AdvertInterval::from_secs(41)),
    ] {
        let mut line = line(100);
        let other = VrConfig {
            settings: VrSettings {
                version,
                advert_interval: interval.unwrap(),
                ..config(100, &list).settings
            },
            ..config(100, &list)
        };
        let refused = line.router.admin(line.now).reconfigure(line.key, &other);
        assert_eq!(refused, Err(Error::BadInterval), "{version:?}");
    }
}

#[test]
fn what_version_2_demands_is_not_asked_of_version_3() {
    // not V-14, not V-16: order is free; version 3 reports another list or interval, no more.
    let mut line = version(Version::V2, Auth::None);
    let mut peer = Peer::fridge(&line, 200);
    peer.addresses.reverse();
    line.accept(&peer);
    let mut line = self::line(100);
    let mut peer = Peer::fridge(&line, 200);
    peer.addresses.pop();
    peer.interval = cs(250);
    line.accept(&peer);
}

#[test]
fn the_right_password_is_believed() {
    // not V-17
    let mut line = version(Version::V2, PASSWORD);
    let mut peer = Peer::fridge(&line, 200);
    peer.auth = PASSWORD;
    line.accept(&peer);
}

#[test]
fn without_authentication_its_octets_are_not_looked_at() {
    // not V-17: RFC 3768 section 5.3.10.
    let mut line = version(Version::V2, Auth::None);
    let mut frame = Peer::fridge(&line, 200).frame();
    let len = frame.len();
    // Two octets that leave the sum as it is.
    frame[len - 8..len - 4].copy_from_slice(&[0x12, 0x34, 0xed, 0xcb]);
    let verdict = line.hear_frame(&frame);
    assert_eq!(format!("{verdict:?}"), format!("Accepted({:?})", line.key));
}

#[test]
fn both_versions_are_sent_at_the_configured_rate_by_who_was_told_to() {
    // X-2; not X-2: a Backup sends neither.
    let mut line = version(Version::Both, Auth::None);
    line.skip();
    line.at(3.6).expect(&[]);
    line.at(4.0).skip();
    line.at(6.0).expect(&[
        "4.609375 v3 priority 100",
        "4.609375 v2 priority 100",
        "5.609375 v3 priority 100",
        "5.609375 v2 priority 100",
    ]);
}

#[test]
fn the_rate_of_the_active_router_counts_in_its_own_unit() {
    // X-3; not X-3: version 2 alone counts its own.
    let mut line = version(Version::Both, Auth::None);
    let mut peer = Peer::fridge(&line, 200);
    (peer.version, peer.interval) = (WireVersion::V2, cs(300));
    line.accept(&peer);
    assert_eq!(line.status().active_interval, cs(300));
    let mut line = version(Version::V2, Auth::None);
    hears(&mut line, 200);
    assert_eq!(line.status().active_interval, cs(100));
}

#[test]
fn version_2_is_heard_of_who_no_longer_speaks_version_3() {
    // X-4; not X-4
    let mut line = version(Version::Both, Auth::None);
    let peer = Peer::fridge(&line, 200);
    let mut old = Peer::fridge(&line, 200);
    old.version = WireVersion::V2;
    line.at(1.0).accept(&peer);
    assert_eq!(format!("{:?}", line.hear(&old)), "Dropped(V2ShadowedByV3)");
    // Somebody else may speak version 2 alone.
    let mut other = old.clone();
    other.source = ip("10.10.10.3");
    line.accept(&other);
    let mut line = version(Version::Both, Auth::None);
    line.at(1.0).accept(&peer);
    line.sleep_until(5.01);
    line.accept(&old);
}

#[test]
fn version_2_says_no_interval_below_a_second() {
    // X-5; not X-5: version 3 says its own.
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::Both,
            advert_interval: cs(50),
            ..config(100, &list()).settings
        },
        ..config(100, &list())
    });
    line.at(2.0);
    let sent: Vec<common::Sent> = line
        .frames
        .iter()
        .take(2)
        .map(|f| common::Sent::parse(f))
        .collect();
    assert_eq!((sent[0].version, sent[0].interval_cs), (3, 50));
    assert_eq!((sent[1].version, sent[1].interval_cs), (2, 100));
}

#[test]
fn the_longest_interval_of_version_2_is_heard() {
    // not V-10, not V-16: 255 s, which version 3 could not say.
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::V2,
            advert_interval: AdvertInterval::from_secs(255).unwrap(),
            ..config(100, &list()).settings
        },
        ..config(100, &list())
    });
    hears(&mut line, 200).expect_state(State::Backup);
    assert_eq!(line.status().active_interval.as_centis(), 25_500);
}

#[test]
fn a_repeated_message_to_another_destination_is_refused() {
    // The rules of the way hold for what was heard before, too.
    let mut line = line(100);
    // With this sum it is the same octet for octet wherever it goes.
    let mut peer = Peer {
        pseudo_header: false,
        ..Peer::fridge(&line, 200)
    };
    line.accept(&peer).accept(&peer);
    peer.destination = Some(ip("10.10.10.6"));
    assert_eq!(
        format!("{:?}", line.hear(&peer)),
        "Dropped(WrongDestination)"
    );
}
