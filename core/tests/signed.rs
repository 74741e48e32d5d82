//! Signed advertisements (H-1 to H-13): golden frames both ways, the rules of a receiver and of a sender, and
//! attackers who have recorded everything.
#![cfg(feature = "hmac")]

mod common;
#[path = "golden/load.rs"]
mod load;

use std::net::IpAddr;

use common::*;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vrrp_core::wire::{WireVersion, vrrp};
use vrrp_core::{
    AntiReplay, AuthConfig, AuthKey, AuthMode, AuthSettings, AuthStatus, ChecksumMode, DropReason,
    Duration, Error, Family, Instant, InterfaceState, Output, Poll, Priority, Reason, State,
    Version, VirtualAddress, VrConfig, VrKey, VrSettings, Vrid, WallClock,
};

const S: u64 = 1 << 32;
const TRAILER: usize = 28;
/// The wall clock at time 0 of a time line: 2026-11-30.
const EPOCH: u64 = 1_796_000_000;

fn secret(n: u8) -> [u8; 32] {
    std::array::from_fn(|i| n.wrapping_mul(31).wrapping_add(i as u8))
}

fn keys(ids: &[u8]) -> Vec<AuthKey> {
    let key = |&id| AuthKey::new(id, &secret(id)).unwrap();
    ids.iter().map(key).collect()
}

fn settings(mode: AuthMode) -> AuthSettings {
    AuthSettings {
        mode,
        active_key: 1,
        ..AuthSettings::DEFAULT
    }
}

/// The clock of a time line, `ahead` seconds ahead of the right one.
fn clock(now: Instant, ahead: i64, synchronised: bool) -> Option<WallClock> {
    let base = Duration::from_secs(EPOCH.saturating_add_signed(ahead));
    let since_epoch = Duration::from_micros(base.as_micros() + now.as_micros());
    Some(WallClock {
        since_epoch,
        synchronised,
    })
}

/// The number of a moment by the right clock.
fn number(line: &Line) -> u64 {
    (EPOCH + line.now.as_micros() / 1_000_000) * S
}

/// Appends a trailer to a frame that is not signed, and corrects lengths and checksums.
fn sign_with(secret: &[u8], id: u8, number: u64, frame: &[u8]) -> Vec<u8> {
    let v6 = frame[12..14] == [0x86, 0xdd];
    let at = if v6 { 54 } else { 34 };
    let (source, family) = if v6 {
        (frame[22..38].to_vec(), 6)
    } else {
        ([&frame[26..30], &[0; 12]].concat(), 4)
    };
    let message = &frame[at..];
    let mut covered = vec![1, id, 0, 0];
    covered.extend(number.to_be_bytes());
    let head = [family, message[0] >> 4, message[1], 0];
    let input = [
        &head,
        &source[..],
        &message[..6],
        &[0, 0],
        &message[8..],
        &covered,
        &[0; 16],
    ]
    .concat();
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(&input);
    let tag = mac.finalize().into_bytes();
    let mut signed = [frame, &covered, &tag[..16]].concat();
    complete(&mut signed);
    signed
}

/// Corrects the lengths and checksums that a trailer, or a change of it, makes wrong.
fn complete(frame: &mut [u8]) {
    if frame[12..14] == [0x86, 0xdd] {
        let len = (frame.len() - 54) as u16;
        frame[18..20].copy_from_slice(&len.to_be_bytes());
        frame[60..62].fill(0);
        let pseudo = [&frame[22..54], &[0, 0], &len.to_be_bytes(), &[0, 0, 0, 112]].concat();
        let sum = load::checksum(&[&pseudo, &frame[54..]]);
        frame[60..62].copy_from_slice(&sum);
    } else {
        let len = (frame.len() - 14) as u16;
        frame[16..18].copy_from_slice(&len.to_be_bytes());
        frame[24..26].fill(0);
        let sum = load::checksum(&[&frame[14..34]]);
        frame[24..26].copy_from_slice(&sum);
    }
}

fn sign(number: u64, frame: &[u8]) -> Vec<u8> {
    sign_with(&secret(1), 1, number, frame)
}

const LISTS: [&str; 2] = ["10.10.10.80", "fe80::80"];

fn config(list: &[VirtualAddress], priority: u8, version: Version) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            priority: Priority::new(priority).unwrap(),
            version,
            ..VrSettings::DEFAULT
        },
        addresses: list,
        ..VrConfig::DEFAULT
    }
}

fn set(line: &mut Line, settings: AuthSettings, keys: &[AuthKey]) {
    let config = AuthConfig { settings, keys };
    line.act(|r, now| {
        let key = r.keys().next().unwrap();
        r.admin(now).set_auth(key, Some(&config)).unwrap();
    });
}

/// A virtual router with keys and a clock, enabled.
fn line_with(config: &VrConfig<'_>, auth: AuthSettings, ahead: i64, synchronised: bool) -> Line {
    let mut line = Line::disabled(config);
    line.act(|r, now| r.set_wall_clock(now, clock(now, ahead, synchronised)));
    set(&mut line, auth, &keys(&[1, 2]));
    let key = line.key;
    line.act(|r, now| r.admin(now).set_enabled(key, true).unwrap());
    line.skip();
    line
}

fn line(mode: AuthMode) -> Line {
    let list = addresses(&["10.10.10.80"]);
    line_with(&config(&list, 100, Version::V3), settings(mode), 0, true)
}

fn status(line: &Line) -> AuthStatus {
    line.router.auth(line.key).unwrap()
}

fn refused(line: &mut Line, frame: &[u8]) -> DropReason {
    match line.hear_frame(frame) {
        Verdict::Dropped(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn believed(line: &mut Line, frame: &[u8]) {
    assert_eq!(line.hear_frame(frame), Verdict::Accepted(line.key));
    line.drain();
}

/// The number of a signed frame.
fn number_of(frame: &[u8]) -> u64 {
    let at = frame.len() - 24;
    u64::from_be_bytes(frame[at..at + 8].try_into().unwrap())
}

// ---- golden frames

/// A virtual router of the golden frames, which becomes Active at 3.21875 s, when its clock says the
/// number of the vectors.
fn golden(list: &[&str], version: Version, checksum: ChecksumMode, peer: Option<&str>) -> Line {
    let list = addresses(list);
    let family = Family::of(list[0].address);
    let vrid = Vrid::new(51).unwrap();
    let peers: Vec<IpAddr> = peer.into_iter().map(ip).collect();
    let config = VrConfig {
        settings: VrSettings {
            version,
            checksum,
            priority: Priority::new(200).unwrap(),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        peers: &peers,
        ..VrConfig::DEFAULT
    };
    let mut router = TestRouter::new();
    let now = Instant::from_micros(0);
    let interface = InterfaceState {
        ipv4: Some("198.51.100.10".parse().unwrap()),
        ipv6: Some("fe80::10".parse().unwrap()),
        ..interface()
    };
    router.set_interface(now, IF, interface).unwrap();
    let key = VrKey::new(IF, vrid, family);
    router.admin(now).insert(key, &config).unwrap();
    let takeover = AdvertTime::of(&config);
    let since_epoch = Duration::from_micros(0x6800_0000 * 1_000_000 + 500_000 - takeover);
    let wall = WallClock {
        since_epoch,
        synchronised: true,
    };
    router.set_wall_clock(now, Some(wall));
    let octets: Vec<u8> = (0..32).collect();
    let keys = [AuthKey::new(1, &octets).unwrap()];
    let auth = AuthConfig {
        settings: settings(AuthMode::Enforce),
        keys: &keys,
    };
    router.admin(now).set_auth(key, Some(&auth)).unwrap();
    router.admin(now).set_enabled(key, true).unwrap();
    let mut line = Line {
        router,
        key,
        now,
        seen: Default::default(),
        frames: Vec::new(),
        changes: Vec::new(),
        sees_probes: false,
    };
    line.drain();
    line
}

struct AdvertTime;

impl AdvertTime {
    /// When a virtual router takes over that starts at time 0 and hears nobody, in microseconds.
    fn of(config: &VrConfig<'_>) -> u64 {
        let settings = &config.settings;
        let interval = settings.advert_interval;
        interval
            .down_interval(settings.version, settings.priority)
            .as_micros()
    }
}

type Golden = (
    &'static str,
    &'static [&'static str],
    Version,
    ChecksumMode,
    Option<&'static str>,
);

const GOLDEN: [Golden; 5] = [
    (
        "draft_ipv4",
        &["192.0.2.100"],
        Version::V3,
        ChecksumMode::Rfc9568,
        None,
    ),
    (
        "v3_pseudo",
        &["192.0.2.100"],
        Version::V3,
        ChecksumMode::Rfc5798,
        None,
    ),
    (
        "v2_ipv4",
        &["192.0.2.100"],
        Version::V2,
        ChecksumMode::Auto,
        None,
    ),
    (
        "draft_ipv6",
        &["fe80::100"],
        Version::V3,
        ChecksumMode::Auto,
        Some("fe80::20"),
    ),
    (
        "v3_ipv6",
        &["fe80::100", "2001:db8::7"],
        Version::V3,
        ChecksumMode::Auto,
        None,
    ),
];

#[test]
fn golden_frames_are_written_octet_for_octet() {
    // H-6, H-8, H-9
    for (name, list, version, checksum, peer) in GOLDEN {
        let mut line = golden(list, version, checksum, peer);
        line.at(3.5).expect_state(State::Active);
        let expected = load::frame(&format!("signed/{name}"));
        assert_eq!(line.frames[0], expected, "{name}");
    }
}

#[test]
fn golden_frames_are_believed_and_no_changed_octet_of_them_is() {
    // H-6, H-9
    for (name, list, version, checksum, peer) in GOLDEN {
        let frame = load::frame(&format!("signed/{name}"));
        let mut line = golden(list, version, checksum, peer);
        // We are the peer, or another one of the group.
        let (own, from) = (interface(), peer.map(|_| ip("fe80::10")));
        let own = InterfaceState {
            ipv6: Some("fe80::20".parse().unwrap()),
            ..own
        };
        line.act(|r, now| r.set_interface(now, IF, own).unwrap());
        if let Some(from) = from {
            let list = addresses(list);
            let peers = [from];
            let config = VrConfig {
                addresses: &list,
                peers: &peers,
                ..VrConfig::DEFAULT
            };
            let key = line.key;
            line.act(|r, now| r.admin(now).reconfigure(key, &config).unwrap());
        }
        line.at(3.0);
        let message = if frame[12..14] == [8, 0] { 34 } else { 54 };
        let trailer = frame.len() - TRAILER;
        for at in message..frame.len() {
            for bit in 0..8 {
                let mut changed = frame.clone();
                changed[at] ^= 1 << bit;
                complete(&mut changed);
                let verdict = line.router.clone();
                let mut other = Line {
                    router: verdict,
                    seen: Default::default(),
                    frames: Vec::new(),
                    changes: Vec::new(),
                    ..line
                };
                match other.hear_frame(&changed) {
                    Verdict::Dropped(reason) => {
                        if at == trailer || (trailer + 2..trailer + 4).contains(&at) {
                            assert_eq!(reason, DropReason::AuthMalformed, "{name} {at}");
                        }
                        if at == trailer + 1 {
                            let malformed = changed[at] == 0;
                            let expected = match malformed {
                                true => DropReason::AuthMalformed,
                                false => DropReason::AuthUnknownKey,
                            };
                            assert_eq!(reason, expected, "{name} {at}");
                        }
                        if at >= trailer + 12 {
                            assert_eq!(reason, DropReason::AuthInvalidHmac, "{name} {at}");
                        }
                    }
                    // `complete` makes the checksum of IPv6 right again, and it is not covered.
                    other => assert!(
                        message == 54 && (60..62).contains(&at),
                        "{name} {at}: {other:?}"
                    ),
                }
            }
        }
        believed(&mut line, &frame);
        let signed = line.router.auth(line.key).unwrap().signed_received;
        assert_eq!(signed, 1, "{name}");
    }
}

// ---- a receiver

#[test]
fn each_mode_hears_what_it_says() {
    // H-2, not H-2
    for (mode, hears_bare) in [
        (AuthMode::ReceiveOnly, true),
        (AuthMode::Permissive, true),
        (AuthMode::Enforce, false),
    ] {
        let mut line = line(mode);
        let peer = Peer::fridge(&line, 200);
        let verdict = line.hear(&peer);
        match hears_bare {
            true => assert_eq!(verdict, Verdict::Accepted(line.key)),
            false => assert_eq!(verdict, Verdict::Dropped(DropReason::AuthMissing)),
        }
        // Counted in each mode, and who it was.
        assert_eq!(status(&line).bare_received, 1);
        let bare = |line: &Line, since| -> Vec<IpAddr> {
            let since = Instant::from_micros(since);
            line.router.bare_senders(line.key, since).collect()
        };
        assert_eq!(bare(&line, 0), [peer.source]);
        line.at(0.5);
        assert_eq!(bare(&line, 1), Vec::<IpAddr>::new());
        // A trailer has to be right in each mode.
        let number = number(&line);
        let wrong = sign_with(&secret(9), 1, number, &peer.frame());
        assert_eq!(refused(&mut line, &wrong), DropReason::AuthInvalidHmac);
        believed(&mut line, &sign(number, &peer.frame()));
        assert_eq!(bare(&line, 0), Vec::<IpAddr>::new());
        let sender = line.router.auth_senders(line.key).next().unwrap();
        assert!(sender.signed && sender.key_id == Some(1) && sender.skew == Some(0));
        let refusal = sender.refusal.map(|(reason, _)| reason);
        assert_eq!(refusal, Some(DropReason::AuthInvalidHmac));
        assert_eq!(sender.refused, if hears_bare { 1 } else { 2 });
    }
}

#[test]
fn each_mode_says_what_it_says() {
    // H-2
    for (mode, signs) in [
        (AuthMode::ReceiveOnly, false),
        (AuthMode::Permissive, true),
        (AuthMode::Enforce, true),
    ] {
        let mut line = line(mode);
        line.at(6.0).expect_state(State::Active);
        let adverts: Vec<_> = line.frames.iter().filter(|f| f[12..14] == [8, 0]).collect();
        assert!(adverts.len() >= 3);
        for advert in adverts {
            assert_eq!(advert.len(), 34 + 12 + if signs { TRAILER } else { 0 });
        }
    }
}

#[test]
fn a_trailer_of_another_form_is_malformed() {
    // H-3, not H-3
    for (at, value) in [(0, 0), (0, 2), (1, 0), (2, 1), (3, 0x80)] {
        for mode in [
            AuthMode::ReceiveOnly,
            AuthMode::Permissive,
            AuthMode::Enforce,
        ] {
            let mut line = line(mode);
            let peer = Peer::fridge(&line, 200).frame();
            let mut frame = sign(number(&line), &peer);
            let trailer = frame.len() - TRAILER;
            frame[trailer + at] = value;
            assert_eq!(refused(&mut line, &frame), DropReason::AuthMalformed);
        }
    }
    let mut line = line(AuthMode::Enforce);
    let frame = sign(number(&line), &Peer::fridge(&line, 200).frame());
    believed(&mut line, &frame);
}

#[test]
fn the_window_is_counted_in_whole_seconds_and_before_the_digest() {
    // H-4, not H-4, H-5
    let clone = line(AuthMode::Enforce);
    let peer = Peer::fridge(&clone, 200).frame();
    let now = number(&clone);
    for (skew, fresh) in [(-6, false), (-5, true), (0, true), (5, true), (6, false)] {
        let mut line = line(AuthMode::Enforce);
        let number = now.wrapping_add_signed(skew << 32);
        let frame = sign(number, &peer);
        if fresh {
            believed(&mut line, &frame);
            let sender = line.router.auth_senders(line.key).next().unwrap();
            assert_eq!(sender.skew, Some(skew as i32));
            continue;
        }
        assert_eq!(refused(&mut line, &frame), DropReason::AuthStale);
        // Neither the key nor the digest is looked at before.
        let other = sign_with(&secret(9), 9, number, &peer);
        assert_eq!(refused(&mut line, &other), DropReason::AuthStale);
        line.expect_state(State::Backup);
    }
    let mut line = line(AuthMode::Enforce);
    let unknown = sign_with(&secret(9), 9, now, &peer);
    assert_eq!(refused(&mut line, &unknown), DropReason::AuthUnknownKey);
    // not H-5: each key is good, whichever is active.
    believed(&mut line, &sign_with(&secret(2), 2, now, &peer));
    // Neither is one key for the other.
    let other = sign_with(&secret(1), 2, now + 1, &peer);
    assert_eq!(refused(&mut line, &other), DropReason::AuthInvalidHmac);
}

#[test]
fn an_advertisement_of_another_source_or_virtual_router_is_not_signed() {
    // H-6: the source is covered, so an address translation breaks it.
    let mut line = line(AuthMode::Enforce);
    let mut frame = sign(number(&line), &Peer::fridge(&line, 200).frame());
    frame[29] = 3;
    complete(&mut frame);
    assert_eq!(refused(&mut line, &frame), DropReason::AuthInvalidHmac);
    // not H-6: TTL is not, and has a rule of its own.
    frame[29] = 2;
    frame[22] = 254;
    complete(&mut frame);
    assert_eq!(refused(&mut line, &frame), DropReason::Ttl);
    assert_eq!(status(&line).signed_received, 0);
}

#[test]
fn a_number_is_believed_once_for_each_sender() {
    // H-7, not H-7, H-13
    let mut line = line(AuthMode::Enforce);
    let mut peer = Peer::fridge(&line, 200);
    let now = number(&line);
    let first = sign(now, &peer.frame());
    believed(&mut line, &first);
    assert_eq!(refused(&mut line, &first), DropReason::AuthReplay);
    believed(&mut line, &sign(now + 1, &peer.frame()));
    assert_eq!(refused(&mut line, &first), DropReason::AuthReplay);
    // Another sender has numbers of its own.
    peer.source = ip("10.10.10.3");
    let other = sign(now, &peer.frame());
    believed(&mut line, &other);
    assert_eq!(refused(&mut line, &other), DropReason::AuthReplay);
    assert_eq!(refused(&mut line, &first), DropReason::AuthReplay);
    let statistics = line.router.statistics(line.key).unwrap();
    assert_eq!(statistics.drops.count(DropReason::AuthReplay), 4);
    assert_eq!(statistics.adverts_received, 3);
}

#[test]
fn a_broken_copy_spends_no_number() {
    // H-7: the checksum is not covered, so an attacker can break it.
    let mut line = line(AuthMode::Enforce);
    let frame = sign(number(&line), &Peer::fridge(&line, 200).frame());
    let mut broken = frame.clone();
    broken[40] ^= 1;
    assert_eq!(refused(&mut line, &broken), DropReason::Checksum);
    believed(&mut line, &frame);
}

#[test]
fn the_down_timer_is_not_put_off_by_what_is_refused() {
    // not H-6, not H-7
    let mut line = line(AuthMode::Enforce);
    let peer = Peer::fridge(&line, 200).frame();
    let first = sign(number(&line), &peer);
    believed(&mut line, &first);
    let deadline = line.router.poll_timeout();
    for tenth in 1..20 {
        line.at(f64::from(tenth) / 10.0);
        assert_eq!(refused(&mut line, &first), DropReason::AuthReplay);
        let forged = sign_with(&secret(9), 1, number(&line), &peer);
        assert_eq!(refused(&mut line, &forged), DropReason::AuthInvalidHmac);
        assert_eq!(refused(&mut line, &peer), DropReason::AuthMissing);
        assert_eq!(line.router.poll_timeout(), deadline);
    }
    line.at(5.0).expect_state(State::Active);
}

#[test]
fn a_bare_advertisement_that_repeats_is_counted_each_time() {
    // H-13
    let mut line = line(AuthMode::Permissive);
    let peer = Peer::fridge(&line, 200);
    for n in 1..=3 {
        let frame = peer.frame();
        let verdict = line.router.handle_frame(line.now, IF, &frame);
        assert!(
            matches!(verdict, vrrp_core::Verdict::Accepted(a) if !a.repeated && a.signed.is_none())
        );
        assert_eq!(status(&line).bare_received, n);
    }
    // not H-13: without keys the third is recognised, and with keys again it is not.
    let key = line.key;
    line.act(|r, now| r.admin(now).set_auth(key, None).unwrap());
    line.accept(&peer);
    let frame = peer.frame();
    let repeated = |line: &mut Line| {
        let verdict = line.router.handle_frame(line.now, IF, &frame);
        matches!(verdict, vrrp_core::Verdict::Accepted(a) if a.repeated)
    };
    assert_eq!(repeated(&mut line), cfg!(feature = "large"));
    set(&mut line, settings(AuthMode::Enforce), &keys(&[1]));
    assert_eq!(refused(&mut line, &frame), DropReason::AuthMissing);
}

#[test]
fn monotonic_numbers_need_no_clock() {
    // not H-4, H-7
    let list = addresses(&["10.10.10.80"]);
    let auth = AuthSettings {
        replay: AntiReplay::Monotonic,
        ..settings(AuthMode::Enforce)
    };
    let mut line = Line::disabled(&config(&list, 100, Version::V3));
    let keys = keys(&[1]);
    let given = AuthConfig {
        settings: auth,
        keys: &keys,
    };
    let (key, now) = (line.key, line.now);
    // H-10
    let refused_without = line.router.admin(now).set_auth(key, Some(&given));
    assert_eq!(refused_without, Err(Error::NoClock));
    assert!(line.router.auth(key).is_none());
    line.router.set_boot_count(now, 41);
    line.router.admin(now).set_auth(key, Some(&given)).unwrap();
    line.act(|r, now| r.admin(now).set_enabled(key, true).unwrap());
    assert!(!status(&line).waits_for_clock);
    let peer = Peer::fridge(&line, 200).frame();
    believed(&mut line, &sign(7 * S, &peer));
    believed(&mut line, &sign(9_000 * S, &peer));
    assert_eq!(
        refused(&mut line, &sign(8_999 * S, &peer)),
        DropReason::AuthReplay
    );
    assert_eq!(line.router.auth_senders(key).next().unwrap().skew, None);
    // Its own numbers begin with the boot count.
    line.at(10.0).expect_state(State::Active);
    let numbers = sent(&line);
    assert!(numbers.windows(2).all(|w| w[0] < w[1]));
    assert!(numbers.iter().all(|n| n >> 32 == 41), "{numbers:x?}");
}

// ---- a sender

/// The numbers of the advertisements that a line has sent.
fn sent(line: &Line) -> Vec<u64> {
    let adverts = line.frames.iter();
    let adverts =
        adverts.filter(|f| f[12..14] == [8, 0] || f[12..14] == [0x86, 0xdd] && f[20] == 112);
    adverts.map(|f| number_of(f)).collect()
}

#[test]
fn all_peers_get_the_same_number_and_each_version_another() {
    // H-8
    let list = addresses(&["10.10.10.80"]);
    let peers = [ip("10.10.10.2"), ip("10.10.10.3")];
    let config = VrConfig {
        peers: &peers,
        ..config(&list, 200, Version::Both)
    };
    let mut line = line_with(&config, settings(AuthMode::Enforce), 0, true);
    line.at(3.5).expect_state(State::Active);
    let numbers = sent(&line);
    assert_eq!(numbers.len(), 4);
    // v3 and v2 to the last peer, then to the first.
    assert_eq!(numbers[0], numbers[2]);
    assert_eq!(numbers[1], numbers[0] + 1);
    assert_eq!(numbers[1], numbers[3]);
    line.at(4.5);
    let numbers = sent(&line);
    assert!(numbers[4] > numbers[3]);
}

#[test]
fn two_hosts_believe_each_other_in_every_version_and_family() {
    // H-6, H-8, H-9
    for (address, version) in [
        (LISTS[0], Version::V2),
        (LISTS[0], Version::V3),
        (LISTS[0], Version::Both),
        (LISTS[1], Version::V3),
    ] {
        for unicast in [false, true] {
            let list = addresses(&[address]);
            let (own, other): (IpAddr, IpAddr) = match address {
                a if a.contains(':') => (ip("fe80::6"), ip("fe80::2")),
                _ => (ip("10.10.10.6"), ip("10.10.10.2")),
            };
            let (to_other, to_own) = ([other], [own]);
            let with = |peers| VrConfig {
                peers: if unicast { peers } else { &[] },
                ..config(&list, 200, version)
            };
            let auth = settings(AuthMode::Enforce);
            let mut active = line_with(&with(&to_other), auth, 0, true);
            let mut backup = line_with(&with(&to_own), auth, -2, true);
            let fridge = InterfaceState {
                ipv4: Some("10.10.10.2".parse().unwrap()),
                ipv6: Some("fe80::2".parse().unwrap()),
                ..interface()
            };
            backup.act(|r, now| r.set_interface(now, IF, fridge).unwrap());
            active.at(3.4).expect_state(State::Active);
            backup.at(3.2);
            for tenth in 34..80 {
                active.at(f64::from(tenth) / 10.0);
                backup.at(f64::from(tenth) / 10.0);
                for frame in std::mem::take(&mut active.frames) {
                    if frame[12..14] == [8, 6] || frame[20] == 58 && frame[12] == 0x86 {
                        continue;
                    }
                    let verdict = backup.hear_frame(&frame);
                    let shadowed = Verdict::Dropped(DropReason::V2ShadowedByV3);
                    let fine = verdict == Verdict::Accepted(backup.key)
                        || version == Version::Both && verdict == shadowed;
                    assert!(fine, "{version:?} {unicast} {verdict:?}");
                }
            }
            backup.expect_state(State::Backup);
            let sender = backup.router.auth_senders(backup.key).next().unwrap();
            assert_eq!((sender.address, sender.skew), (own, Some(2)));
        }
    }
}

#[test]
fn a_step_of_the_clock_opens_no_gap() {
    // H-8: whatever the step, each advertisement of an Active router is news for a Backup whose clock is
    // right, from the moment at which the sender's is.
    for step in [1, 3_600, 31_536_000] {
        for wrong in [-step, step] {
            let list = addresses(&["10.10.10.80"]);
            let auth = settings(AuthMode::Enforce);
            let config = config(&list, 200, Version::V3);
            let mut active = line_with(&config, auth, 0, true);
            let mut backup = line(AuthMode::Enforce);
            let fridge = InterfaceState {
                ipv4: Some("10.10.10.2".parse().unwrap()),
                ..interface()
            };
            active.act(|r, now| r.set_interface(now, IF, fridge).unwrap());
            active.at(3.4).expect_state(State::Active);
            let mut pass = |active: &mut Line, until: f64, right: bool| {
                active.at(until);
                let adverts: Vec<_> = active
                    .frames
                    .drain(..)
                    .filter(|f| f[12..14] == [8, 0])
                    .collect();
                assert!(!adverts.is_empty());
                for frame in adverts {
                    backup.at(until);
                    let verdict = backup.hear_frame(&frame);
                    match right {
                        true => assert_eq!(verdict, Verdict::Accepted(backup.key), "{wrong}"),
                        false => assert_eq!(verdict, Verdict::Dropped(DropReason::AuthStale)),
                    }
                }
            };
            pass(&mut active, 3.5, true);
            active.act(|r, now| r.set_wall_clock(now, clock(now, wrong, true)));
            active.expect_state(State::Active);
            let near = step <= 5;
            pass(&mut active, 4.5, near);
            pass(&mut active, 5.5, near);
            active.act(|r, now| r.set_wall_clock(now, clock(now, 0, true)));
            pass(&mut active, 6.5, true);
            pass(&mut active, 7.5, true);
            active.expect_state(State::Active);
        }
    }
}

#[test]
fn monotonic_numbers_go_on_when_the_clock_is_set_back() {
    // not H-8
    let list = addresses(&["10.10.10.80"]);
    let auth = AuthSettings {
        replay: AntiReplay::Monotonic,
        ..settings(AuthMode::Enforce)
    };
    let mut line = line_with(&config(&list, 200, Version::V3), auth, 0, true);
    line.at(3.4).expect_state(State::Active);
    let before = *sent(&line).last().unwrap();
    line.act(|r, now| r.set_wall_clock(now, clock(now, -3_600, true)));
    line.at(5.5);
    assert_eq!(sent(&line)[1..], [before + 1, before + 2]);
}

#[test]
fn the_checksum_of_ipv4_knows_no_trailer() {
    // not H-9: a frame whose checksum covers its trailer is wrong over IPv4, and right over IPv6.
    let mut line = line(AuthMode::Enforce);
    let mut frame = sign(number(&line), &Peer::fridge(&line, 200).frame());
    frame[40..42].fill(0);
    let sum = load::checksum(&[&frame[34..]]);
    frame[40..42].copy_from_slice(&sum);
    assert_eq!(refused(&mut line, &frame), DropReason::Checksum);
}

#[test]
fn a_receiver_whose_clock_was_stepped_believes_who_is_fresh_now() {
    // H-7: its mark is an hour ahead of the numbers that come.
    let mut line = line(AuthMode::Enforce);
    line.act(|r, now| r.set_wall_clock(now, clock(now, 3_600, true)));
    let peer = Peer::fridge(&line, 200).frame();
    let early = number(&line) + 3_600 * S;
    believed(&mut line, &sign(early, &peer));
    line.act(|r, now| r.set_wall_clock(now, clock(now, 0, true)));
    let now = number(&line);
    believed(&mut line, &sign(now, &peer));
    assert_eq!(
        refused(&mut line, &sign(early, &peer)),
        DropReason::AuthStale
    );
}

// ---- keys

#[test]
fn a_configuration_that_cannot_be_kept_to_is_refused() {
    // H-10, not H-10
    for len in [0, 31, 65, 200] {
        assert!(matches!(
            AuthKey::new(1, &vec![7; len]),
            Err(Error::BadAuthKey)
        ));
    }
    for len in [32, 64] {
        assert!(AuthKey::new(1, &vec![7; len]).is_ok());
    }
    assert!(matches!(AuthKey::new(0, &[7; 32]), Err(Error::BadAuthKey)));
    let mut line = line(AuthMode::Permissive);
    let before = status(&line);
    let refused = |line: &mut Line, auth: AuthSettings, ids: &[u8], error: Error| {
        let keys = keys(ids);
        let given = AuthConfig {
            settings: auth,
            keys: &keys,
        };
        let (key, now) = (line.key, line.now);
        let answer = line.router.admin(now).set_auth(key, Some(&given));
        assert_eq!(answer, Err(error), "{ids:?}");
        // The settings before it are in force.
        assert_eq!(status(line), before);
    };
    let auth = settings(AuthMode::Enforce);
    refused(&mut line, auth, &[], Error::BadAuthKey);
    refused(&mut line, auth, &[2, 3], Error::BadAuthKey);
    refused(&mut line, auth, &[1, 2, 1], Error::BadAuthKey);
    refused(&mut line, auth, &[1, 2, 3, 4, 5], Error::AuthKeyTableFull);
    for window in [0, 301] {
        let auth = AuthSettings { window, ..auth };
        refused(&mut line, auth, &[1], Error::BadAuthWindow);
    }
    set(
        &mut line,
        AuthSettings {
            window: 300,
            ..auth
        },
        &keys(&[1, 2, 3, 4]),
    );
    assert_eq!(status(&line).keys, [1, 2, 3, 4]);
    // A password in their place, and they in the place of a password.
    let list = addresses(&["10.10.10.80"]);
    let mut password = config(&list, 100, Version::V2);
    password.settings.auth = vrrp_core::Auth::Simple(*b"eightoct");
    let (key, now) = (line.key, line.now);
    let answer = line.router.admin(now).reconfigure(key, &password);
    assert_eq!(answer, Err(Error::AuthConflict));
    let mut line = Line::disabled(&password);
    let given = AuthConfig {
        settings: auth,
        keys: &keys(&[1]),
    };
    let answer = line.router.admin(now).set_auth(line.key, Some(&given));
    assert_eq!(answer, Err(Error::AuthConflict));
    let absent = key_of(9);
    let answer = line.router.admin(now).set_auth(absent, None);
    assert_eq!(answer, Err(Error::NotFound));
}

fn key_of(vrid: u8) -> VrKey {
    key(vrid, Family::Ipv4)
}

#[test]
fn a_key_shows_its_id_and_nothing_else() {
    // H-10
    let key = AuthKey::new(77, b"an-octet-string-of-forty-octets-in-all!!").unwrap();
    let shown = format!(
        "{key:?} {:?}",
        AuthConfig {
            settings: AuthSettings::DEFAULT,
            keys: std::slice::from_ref(&key)
        }
    );
    assert!(shown.contains("77"), "{shown}");
    assert!(
        !shown.contains("octet") && !shown.contains("97, 110"),
        "{shown}"
    );
}

#[test]
fn the_usual_window_is_three_intervals_of_whole_seconds() {
    let window = |centis| AuthSettings::window_for(cs(centis));
    assert_eq!(
        [1, 100, 166, 167, 200, 201, 4095].map(window),
        [5, 5, 6, 6, 6, 9, 123]
    );
    let longest = vrrp_core::AdvertInterval::from_secs(255).unwrap();
    assert_eq!(AuthSettings::window_for(longest), 300);
}

#[test]
fn keys_change_without_a_lost_advertisement() {
    // H-5, H-7: add everywhere, move everywhere, drop the old one.
    let list = addresses(&["10.10.10.80"]);
    let auth = settings(AuthMode::Enforce);
    let mut active = line_with(&config(&list, 200, Version::V3), auth, 0, true);
    let mut backup = line(AuthMode::Enforce);
    let fridge = InterfaceState {
        ipv4: Some("10.10.10.2".parse().unwrap()),
        ..interface()
    };
    active.act(|r, now| r.set_interface(now, IF, fridge).unwrap());
    active.at(3.4);
    let mut seconds = 3.4;
    let mut pass = |active: &mut Line, backup: &mut Line, id: u8| {
        for _ in 0..2 {
            seconds += 1.0;
            active.at(seconds);
            backup.at(seconds - 0.9);
            let frames = std::mem::take(&mut active.frames);
            for frame in frames.iter().filter(|f| f[12..14] == [8, 0]) {
                believed(backup, frame);
                let sender = backup.router.auth_senders(backup.key).next().unwrap();
                assert_eq!(sender.key_id, Some(id));
            }
        }
        assert_eq!(
            (active.state(), backup.state()),
            (State::Active, State::Backup)
        );
    };
    let active_key = |id| AuthSettings {
        active_key: id,
        ..auth
    };
    set(&mut active, auth, &keys(&[1]));
    set(&mut backup, auth, &keys(&[1]));
    pass(&mut active, &mut backup, 1);
    set(&mut backup, auth, &keys(&[1, 3]));
    pass(&mut active, &mut backup, 1);
    set(&mut active, auth, &keys(&[1, 3]));
    pass(&mut active, &mut backup, 1);
    set(&mut active, active_key(3), &keys(&[1, 3]));
    pass(&mut active, &mut backup, 3);
    set(&mut backup, active_key(3), &keys(&[3]));
    set(&mut active, active_key(3), &keys(&[3]));
    pass(&mut active, &mut backup, 3);
    // A recorded advertisement of before the change is as dead as the key.
    let old = sign(number(&backup), &Peer::fridge(&backup, 200).frame());
    assert_eq!(refused(&mut backup, &old), DropReason::AuthUnknownKey);
}

#[test]
fn keys_that_come_while_active_sign_what_is_owed() {
    // H-8
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&config(&list, 200, Version::V3));
    line.act(|r, now| r.set_wall_clock(now, clock(now, 0, true)));
    line.at(4.0).expect_state(State::Active);
    line.skip();
    let keys = keys(&[1]);
    let given = AuthConfig {
        settings: settings(AuthMode::Enforce),
        keys: &keys,
    };
    let (key, now) = (line.key, line.now);
    // An advertisement is owed as the keys come.
    line.router
        .admin(now)
        .set_priority(key, Priority::new(201))
        .unwrap();
    line.router.admin(now).set_auth(key, Some(&given)).unwrap();
    line.drain();
    assert_eq!(sent(&line), [number(&line)]);
    // They go, and come back: no number comes again.
    line.act(|r, now| r.admin(now).set_auth(key, None).unwrap());
    line.skip();
    line.router.admin(now).set_auth(key, Some(&given)).unwrap();
    line.act(|r, now| r.admin(now).set_priority(key, Priority::new(202)).unwrap());
    assert_eq!(sent(&line), [number(&line) + 1]);
}

// ---- clocks

fn in_doubt(priority: u8, ahead: i64) -> Line {
    let list = addresses(&["10.10.10.80"]);
    line_with(
        &config(&list, priority, Version::V3),
        settings(AuthMode::Enforce),
        ahead,
        false,
    )
}

#[test]
fn a_backup_whose_clock_is_in_doubt_takes_over_late() {
    // H-11
    let mut line = in_doubt(100, 0);
    assert!(status(&line).waits_for_clock && !status(&line).synchronised);
    line.at(5.5).expect_state(State::Backup);
    line.at(5.7).expect_state(State::Active);
    assert_eq!(line.changes.last().unwrap().reason, Reason::ActiveTimeout);
    // An owner waits like the others.
    let mut owner = in_doubt(255, 0);
    owner.at(4.9).expect_state(State::Backup);
    owner.at(5.1).expect_state(State::Active);
    // not H-11: the clock is said to be right, and what is left is shorter.
    let mut line = in_doubt(100, 0);
    line.at(1.0);
    line.act(|r, now| r.set_wall_clock(now, clock(now, 0, true)));
    assert!(!status(&line).waits_for_clock);
    line.at(4.5).expect_state(State::Backup);
    line.at(4.7).expect_state(State::Active);
}

#[test]
fn a_fresh_advertisement_ends_the_doubt() {
    // not H-11
    let mut line = in_doubt(200, 0);
    let peer = Peer::fridge(&line, 100).frame();
    let now = number(&line);
    believed(&mut line, &sign(now, &peer));
    assert!(!status(&line).waits_for_clock);
    // It preempts: the clocks agree.
    line.at(3.3).expect_state(State::Active);
    // H-11: a step begins it again, and a bare advertisement does not end it.
    let mut line = in_doubt(200, 0);
    let now = number(&line);
    believed(&mut line, &sign(now, &peer));
    line.act(|r, now| r.set_wall_clock(now, clock(now, 50, false)));
    assert!(status(&line).waits_for_clock);
    let list = addresses(&["10.10.10.80"]);
    let auth = settings(AuthMode::Permissive);
    let mut line = line_with(&config(&list, 200, Version::V3), auth, 0, false);
    for second in 1..20 {
        line.at(f64::from(second));
        believed(&mut line, &peer);
    }
    assert!(status(&line).waits_for_clock);
    line.expect_state(State::Backup);
}

#[test]
fn monotonic_numbers_say_nothing_of_the_clock() {
    // H-11, H-12: what was believed before `antireplay = time` compared no clocks.
    let list = addresses(&["10.10.10.80"]);
    let by = |replay| AuthSettings {
        replay,
        ..settings(AuthMode::Enforce)
    };
    let monotonic = by(AntiReplay::Monotonic);
    let mut line = line_with(&config(&list, 200, Version::V3), monotonic, -312, false);
    let peer = Peer::fridge(&line, 100).frame();
    let theirs = |line: &Line| number(line) + 312 * S;
    let frame = sign(theirs(&line), &peer);
    believed(&mut line, &frame);
    set(&mut line, by(AntiReplay::Time), &keys(&[1, 2]));
    assert!(status(&line).waits_for_clock);
    for second in 1..20 {
        line.at(f64::from(second));
        let frame = sign(theirs(&line), &peer);
        assert_eq!(refused(&mut line, &frame), DropReason::AuthStale);
    }
    line.expect_state(State::Backup);
}

#[test]
fn a_peer_with_another_clock_is_present() {
    // H-12
    let mut line = in_doubt(100, -312);
    let peer = Peer::fridge(&line, 50);
    for second in 1..30 {
        line.at(f64::from(second));
        let frame = sign(number(&line), &peer.frame());
        let verdict = line.router.handle_frame(line.now, IF, &frame);
        let vrrp_core::Verdict::Dropped(dropped) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(dropped.reason, DropReason::AuthStale);
        assert_eq!(dropped.genuine.unwrap().skew, 312);
        line.drain();
        line.expect_state(State::Backup);
    }
    let held = status(&line).held_by.unwrap();
    assert_eq!((held.address, held.skew), (peer.source, 312));
    // The clock is set, and the peer is heard.
    line.act(|r, now| r.set_wall_clock(now, clock(now, 0, true)));
    assert!(status(&line).held_by.is_none());
    line.at(29.5);
    let mut peer = peer;
    peer.priority = 200;
    let now = number(&line) + 7;
    believed(&mut line, &sign(now, &peer.frame()));
    line.at(32.9).expect_state(State::Backup);
    line.at(33.2).expect_state(State::Active);
}

#[test]
fn a_stale_advertisement_holds_nobody_whose_clock_is_right() {
    // not H-12
    let mut line = line(AuthMode::Enforce);
    let peer = Peer::fridge(&line, 200);
    let mut genuine = 0;
    for tenth in 1..=35 {
        line.at(f64::from(tenth) / 10.0);
        let frame = sign(number(&line) - 400 * S + tenth as u64, &peer.frame());
        let verdict = line.router.handle_frame(line.now, IF, &frame);
        let vrrp_core::Verdict::Dropped(dropped) = verdict else {
            panic!("{verdict:?}")
        };
        assert_eq!(dropped.reason, DropReason::AuthStale);
        genuine += i32::from(dropped.genuine.is_some());
    }
    // Looked at once a second, for people.
    assert_eq!(genuine, 4);
    let sender = line.router.auth_senders(line.key).next().unwrap();
    assert!((-401..=-396).contains(&sender.skew.unwrap()), "{sender:?}");
    line.at(3.7).expect_state(State::Active);
}

#[test]
fn recorded_advertisements_hold_a_doubtful_clock_once_each() {
    // not H-12
    let mut line = in_doubt(100, -312);
    let peer = Peer::fridge(&line, 200);
    let frame = sign(number(&line), &peer.frame());
    let stop = Peer {
        priority: 0,
        ..peer.clone()
    };
    line.at(1.0);
    assert_eq!(refused(&mut line, &frame), DropReason::AuthStale);
    for tenth in 11..=66 {
        line.at(f64::from(tenth) / 10.0);
        if line.state() == State::Active {
            break;
        }
        // The same again, one that is not signed with the key, and one that stops.
        assert_eq!(refused(&mut line, &frame), DropReason::AuthStale);
        let forged = sign_with(&secret(9), 1, number(&line), &peer.frame());
        assert_eq!(refused(&mut line, &forged), DropReason::AuthStale);
        let stops = sign(number(&line) + tenth as u64, &stop.frame());
        assert_eq!(refused(&mut line, &stops), DropReason::AuthStale);
    }
    // Five intervals and the skew after the first.
    line.at(6.65).expect_state(State::Active);
    assert!(status(&line).held_by.is_none());
}

#[test]
fn a_slow_peer_holds_for_its_own_interval() {
    // H-12
    let mut line = in_doubt(100, -312);
    let mut peer = Peer::fridge(&line, 200);
    peer.interval = cs(1_000);
    for tens in 0..5 {
        line.at(f64::from(tens) * 10.0 + 1.0);
        let frame = sign(number(&line), &peer.frame());
        assert_eq!(refused(&mut line, &frame), DropReason::AuthStale);
    }
    line.at(70.0).expect_state(State::Backup);
    line.at(80.0).expect_state(State::Active);
}

// ---- attackers

/// Everything that can be asked about a virtual router but the counters of refusals.
fn facts(line: &Line) -> impl PartialEq + std::fmt::Debug + use<> {
    let status = line.status();
    let statistics = line.router.statistics(line.key).unwrap();
    let counters = (
        statistics.adverts_received,
        statistics.priority_zero_received,
    );
    let said = (
        statistics.adverts_sent,
        statistics.losing_adverts,
        line.router.has_output(),
    );
    (
        status,
        counters,
        said,
        line.router.poll_timeout(),
        auth_facts(line),
    )
}

fn auth_facts(line: &Line) -> (u32, bool, bool) {
    let auth = status(line);
    (
        auth.signed_received,
        auth.waits_for_clock,
        auth.held_by.is_some(),
    )
}

#[test]
fn without_the_key_nothing_that_is_sent_changes_anything() {
    // H-2 to H-7, H-12
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut draw = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random % below as u64) as usize
    };
    for address in LISTS {
        let list = addresses(&[address]);
        let auth = settings(AuthMode::Enforce);
        let mut active = line_with(&config(&list, 200, Version::V3), auth, 0, true);
        let mut backup = line_with(&config(&list, 100, Version::V3), auth, 1, true);
        let fridge = InterfaceState {
            ipv4: Some("10.10.10.2".parse().unwrap()),
            ipv6: Some("fe80::2".parse().unwrap()),
            ..interface()
        };
        active.act(|r, now| r.set_interface(now, IF, fridge).unwrap());
        let mut recorded: Vec<Vec<u8>> = Vec::new();
        let is_advert = |f: &[u8]| f[12..14] == [8, 0] || f[12..14] == [0x86, 0xdd] && f[20] == 112;
        active.at(3.4);
        for round in 0..200 {
            let seconds = 3.4 + f64::from(round) * 0.25;
            active.at(seconds);
            backup.at(seconds);
            for frame in std::mem::take(&mut active.frames) {
                if is_advert(&frame) {
                    believed(&mut backup, &frame);
                    recorded.push(frame);
                }
            }
            if round == 150 {
                // A master that stops says so, signed: recorded, too.
                let key = active.key;
                active.act(|r, now| r.admin(now).resign(key).unwrap());
            }
            for _ in 0..40 {
                let Some(frame) = recorded.get(draw(recorded.len().max(1))) else {
                    continue;
                };
                let mut frame = frame.clone();
                let message = if frame[12..14] == [8, 0] { 34 } else { 54 };
                match draw(6) {
                    // As it was.
                    0 => {}
                    // Without its trailer.
                    1 => frame.truncate(frame.len() - TRAILER),
                    // With the number of now.
                    2 => {
                        let at = frame.len() - 24;
                        frame[at..at + 8].copy_from_slice(&(number(&backup) + 1).to_be_bytes());
                    }
                    // Any octet of the message or the trailer but the checksum.
                    3 => {
                        let at = message + draw(frame.len() - message);
                        if !(message + 6..message + 8).contains(&at) {
                            frame[at] ^= 1 << draw(8);
                        }
                    }
                    // Of another sender.
                    4 if message == 34 => frame[29] = 9,
                    4 => frame[37] = 9,
                    // The trailer of another one.
                    _ => {
                        let other = &recorded[draw(recorded.len())];
                        let at = frame.len() - TRAILER;
                        if other[other.len() - TRAILER..] != frame[at..] {
                            frame[at..].copy_from_slice(&other[other.len() - TRAILER..]);
                        }
                    }
                }
                complete(&mut frame);
                for line in [&mut backup, &mut active] {
                    let before = facts(line);
                    let verdict = line.hear_frame(&frame);
                    assert!(matches!(verdict, Verdict::Dropped(_)), "{verdict:?}");
                    assert_eq!(facts(line), before);
                }
            }
        }
    }
}

#[test]
fn a_signed_frame_fits_where_the_engine_says_it_does() {
    // H-9
    let list: Vec<VirtualAddress> = (1..=16)
        .map(|n| addresses(&[&format!("fe80::{n}")])[0])
        .collect();
    let mut line = line_with(
        &config(&list, 200, Version::V3),
        settings(AuthMode::Enforce),
        0,
        true,
    );
    line.now = Instant::from_micros(3_300_000);
    line.router.handle_timeout(line.now);
    let mut small = vec![0; TestRouter::MAX_FRAME_LEN - 1];
    loop {
        match line.router.poll_output(&mut small) {
            Poll::BufferTooSmall => break,
            Poll::Output(Output::Transmit(_)) | Poll::Done => panic!("it does not fit"),
            Poll::Output(_) => {}
        }
    }
    line.drain();
    let advert = &line.frames[0];
    assert_eq!(advert.len(), TestRouter::MAX_FRAME_LEN);
    let view = vrrp::View::new(&advert[54..], Family::Ipv6).unwrap();
    assert!(view.has_trailer(&advert[54..]));
    assert_eq!(WireVersion::V3 as u8 + 2, view.version());
}
