//! The gate: which frames pass, what is written to them, and how groups are reported.

#[path = "common/gate.rs"]
mod common;
#[path = "golden/load.rs"]
mod load;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::{ms, written};
use load::{checksum, frame, frames};
use vrrp_core::gate::{Action, Addressee, Discard, Gate, GateKey, Received, max_frame_len};
use vrrp_core::wire::{arp, igmp, mld, ndisc};
use vrrp_core::*;

const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 6]);
const ASKER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 6);
const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 80);
const ASKER_V4: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 9);
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const VMAC: MacAddr = MacAddr([0, 0, 0x5e, 0, 1, 7]);
const VMAC6: MacAddr = MacAddr([0, 0, 0x5e, 0, 2, 7]);

type TestGate = Gate<4, 8>;

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an IPv6 address")
}

/// A frame that the stack or a neighbour sends.
fn ethernet(destination: MacAddr, source: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    let ethertype = ethertype.to_be_bytes();
    [&destination.0[..], &source.0, &ethertype, payload].concat()
}

fn udp_v4(destination_mac: MacAddr, source: Ipv4Addr, destination: Ipv4Addr) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    ip.extend(source.octets());
    ip.extend(destination.octets());
    let field = checksum(&[&ip]);
    ip[10..12].copy_from_slice(&field);
    ip.extend([0, 7, 0, 7, 0, 8, 0, 0]);
    ethernet(destination_mac, OWN, 0x0800, &ip)
}

/// A neighbour solicitation or advertisement with one link-layer option.
fn neighbour(kind: u8, source: &str, destination: &str, target: &str, mac: MacAddr) -> Vec<u8> {
    let (source, destination) = (v6(source).octets(), v6(destination).octets());
    let mut icmp = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(v6(target).octets());
    icmp.extend([if kind == 135 { 1 } else { 2 }, 1]);
    icmp.extend(mac.0);
    let pseudo = [0, 0, 0, icmp.len() as u8, 0, 0, 0, 58];
    let field = checksum(&[&source, &destination, &pseudo, &icmp]);
    icmp[2..4].copy_from_slice(&field);
    let fixed = [0x60, 0, 0, 0, 0, icmp.len() as u8, 58, 255];
    let packet = [&fixed[..], &source, &destination, &icmp].concat();
    let group = MacAddr([0x33, 0x33, 0xff, 0, 0, destination[15]]);
    ethernet(group, mac, 0x86dd, &packet)
}

fn gate() -> TestGate {
    let mut gate = TestGate::new(1);
    let state = InterfaceState {
        up: true,
        mac: OWN,
        ipv4: Some(OWN_V4),
        ipv6: Some(v6("fe80::6")),
    };
    gate.set_interface(ms(0), state);
    gate
}

fn vr(family: Family) -> GateKey {
    GateKey::new(Vrid::new(7).unwrap(), family)
}

fn insert(gate: &mut TestGate, addresses: &[&str], priority: u8, accept: bool) -> GateKey {
    let addresses: Vec<VirtualAddress> = addresses
        .iter()
        .map(|text| VirtualAddress {
            address: text.parse().expect("an address"),
            prefix_len: 24,
        })
        .collect();
    let key = vr(Family::of(addresses[0].address));
    let config = VrConfig {
        settings: VrSettings {
            priority: Priority::new(priority).unwrap(),
            accept,
            ..VrSettings::DEFAULT
        },
        addresses: &addresses,
        ..VrConfig::DEFAULT
    };
    gate.admin(ms(0)).insert(key, &config).expect("room");
    key
}

/// Everything that the gate has to say now: frames, and addresses for the stack.
fn drain(gate: &mut TestGate, now: Instant) -> (Vec<Vec<u8>>, Vec<(IpAddr, bool)>) {
    let (mut frames, mut addresses) = (Vec::new(), Vec::new());
    let mut buf = [0; max_frame_len(8)];
    while let Some(action) = gate.poll(now, true, &mut buf) {
        match action {
            Action::Send(frame) => frames.push(frame.to_vec()),
            Action::SetAddress { address, on, .. } => addresses.push((address.address, on)),
            Action::SetFilter | Action::StateChange(_) | Action::Removed { .. } => {}
        }
    }
    (frames, addresses)
}

/// Runs to `until` by the gate's own deadlines and gives what it sends, with the time in ms.
fn run(gate: &mut TestGate, until: Instant) -> Vec<(u64, Vec<u8>)> {
    let mut sent = Vec::new();
    while let Some(now) = gate.poll_timeout().filter(|at| *at <= until) {
        gate.handle_timeout(now);
        let frames = drain(gate, now).0;
        sent.extend(frames.into_iter().map(|f| (now.as_micros() / 1_000, f)));
    }
    sent
}

/// A gate whose virtual router has become Active.
fn active(addresses: &[&str], accept: bool) -> TestGate {
    let mut gate = gate();
    insert(&mut gate, addresses, 254, accept);
    drain(&mut gate, ms(0));
    run(&mut gate, ms(3_100));
    gate
}

#[test]
fn reports_are_those_of_linux_octet_for_octet() {
    use igmp::Message as Igmp;
    use mld::Message as Mld;
    for (name, message) in [
        ("groups/igmp_report", Igmp::Report),
        ("groups/igmp_report_v1", Igmp::ReportV1),
        ("groups/igmp_leave", Igmp::Leave),
    ] {
        let ours = written(|buf| igmp::emit(buf, OWN, OWN_V4, GROUP_V4, message));
        assert_eq!(ours, frame(name), "{name}");
    }
    for (name, message, v1) in [
        ("groups/mld_join", Mld::Join, false),
        ("groups/mld_listening", Mld::Listening, false),
        ("groups/mld_leave", Mld::Leave, false),
        ("groups/mld_report_v1", Mld::Join, true),
        ("groups/mld_report_v1", Mld::Listening, true),
        ("groups/mld_done_v1", Mld::Leave, true),
    ] {
        let group = v6("ff02::12");
        let ours = written(|buf| mld::emit(buf, OWN, v6("fe80::6"), group, message, v1));
        assert_eq!(ours, frame(name), "{name}");
        for short in 0..ours.len() {
            let mut buf = vec![0; short];
            let emitted = mld::emit(&mut buf, OWN, v6("fe80::6"), group, message, v1);
            assert_eq!(emitted, None);
        }
    }
}

/// The kernel speaks for keepalived and FRR when they join and leave; where it is told to use our
/// versions, it says what we say.
#[test]
fn reports_for_keepalived_and_frr_are_ours_octet_for_octet() {
    use igmp::Message as Igmp;
    use mld::Message as Mld;
    let (mac, source4, source6) = (
        MacAddr([2, 0, 0, 0, 0, 0x0a]),
        Ipv4Addr::new(192, 0, 2, 1),
        v6("fe80::a"),
    );
    for daemon in ["keepalived", "frr"] {
        let captured = |name: &str| frame(&format!("{daemon}/{name}"));
        for (name, message) in [("igmp_report", Igmp::Report), ("igmp_leave", Igmp::Leave)] {
            let ours = written(|buf| igmp::emit(buf, mac, source4, GROUP_V4, message));
            assert_eq!(ours, captured(name), "{daemon}/{name}");
        }
        for (name, message, v1) in [
            ("mld_join", Mld::Join, false),
            ("mld_report_v1", Mld::Join, true),
            ("mld_done_v1", Mld::Leave, true),
        ] {
            let ours = written(|buf| mld::emit(buf, mac, source6, v6("ff02::12"), message, v1));
            assert_eq!(ours, captured(name), "{daemon}/{name}");
        }
        // Version 3 (RFC 3376 section 4.2), which we do not speak: joins the group that we join
        // (one record, CHANGE_TO_EXCLUDE_MODE of no source), and is no question to us.
        let join = captured("igmp_join_v3");
        assert_eq!(
            join[38..],
            [0x22, 0, 0xf9, 0xeb, 0, 0, 0, 1, 4, 0, 0, 0, 224, 0, 0, 18]
        );
        assert_eq!(igmp::Query::new(&join[14..]), None);
    }
}

#[test]
fn queries_of_linux_are_understood_and_damaged_ones_are_not() {
    let igmp_of = |name: &str| igmp::Query::new(&frame(name)[14..]);
    let second = Duration::from_secs(1);
    for name in ["groups/igmp_query", "groups/igmp_query_v3"] {
        let query = igmp_of(name).expect(name);
        assert_eq!(
            (query.group, query.max_response, query.v1),
            (None, second, false)
        );
    }
    let mld_of = |name: &str| mld::Query::new(&frame(name)[14..]);
    for (name, v1) in [("groups/mld_query", false), ("groups/mld_query_v1", true)] {
        let query = mld_of(name).expect(name);
        assert_eq!(
            (query.group, query.max_response, query.v1),
            (None, second, v1)
        );
    }
    for (name, _) in frames().iter().filter(|(n, _)| !n.contains("query")) {
        assert_eq!((igmp_of(name), mld_of(name)), (None, None), "{name}");
    }
    for name in ["groups/igmp_query", "groups/mld_query"] {
        let whole = frame(name);
        for at in 14..whole.len() {
            // Fields that no checksum covers and no rule is about: class, identification, TTL of
            // IGMP, flow label.
            let mut damaged = whole.clone();
            damaged[at] ^= 0x11;
            let payload = &damaged[14..];
            let heard = igmp::Query::new(payload).is_some() || mld::Query::new(payload).is_some();
            let v6_free = name.contains("mld")
                && (at == 15
                    || at == 16
                    || at == 17
                    || at == 14 + 40 + 1
                    || (56..62).contains(&at));
            assert!(!heard || v6_free, "{name} octet {at}");
            assert_eq!(igmp::Query::new(&whole[14..at]), None);
            assert_eq!(mld::Query::new(&whole[14..at]), None);
        }
    }
}

#[test]
fn a_group_is_reported_at_once_again_and_when_asked() {
    let mut gate = gate();
    insert(&mut gate, &["10.10.10.80"], 100, false);
    let report = frame("groups/igmp_report");
    assert_eq!(drain(&mut gate, ms(0)).0, std::slice::from_ref(&report));
    let again: Vec<u64> = run(&mut gate, ms(10_000))
        .into_iter()
        .filter_map(|(at, f)| (f == report).then_some(at))
        .collect();
    assert_eq!(again.len(), 1);
    assert!((50..=10_000).contains(&again[0]), "{again:?}");

    // Asked: within the second that the querier gives, once for many questions.
    let mut buf = [0; 172];
    for _ in 0..50 {
        let heard = gate.receive(ms(20_000), &frame("groups/igmp_query"), &mut buf);
        assert!(matches!(
            heard,
            Received::Stack {
                to: Addressee::Own,
                ..
            }
        ));
    }
    let sent = run(&mut gate, ms(30_000));
    let answers: Vec<_> = sent.iter().filter(|(_, f)| *f == report).collect();
    assert_eq!(answers.len(), 1);
    assert!((20_050..=21_000).contains(&answers[0].0));

    // The link comes back: whoever is there now has heard nothing.
    let mut state = gate.interface();
    state.up = false;
    gate.set_interface(ms(40_000), state);
    drain(&mut gate, ms(40_000));
    state.up = true;
    gate.set_interface(ms(41_000), state);
    assert!(drain(&mut gate, ms(41_000)).0.contains(&report));
}

#[test]
fn solicited_node_groups_follow_the_addresses() {
    groups_follow(true);
    groups_follow(false);
}

fn groups_follow(accept: bool) {
    let mut gate = gate();
    insert(
        &mut gate,
        &["fe80::a:80", "2001:db8::b:80", "2001:db8::80"],
        254,
        accept,
    );
    assert_eq!(drain(&mut gate, ms(0)).0, [frame("groups/mld_join")]);
    let report = |group: &str, message| {
        written(|buf| mld::emit(buf, OWN, v6("fe80::6"), v6(group), message, false))
    };
    let sent: Vec<Vec<u8>> = run(&mut gate, ms(10_000))
        .into_iter()
        .map(|s| s.1)
        .collect();
    let count = |frame: &[u8]| sent.iter().filter(|f| *f == frame).count();
    // Twice while Backup, once of which is drained above; twice when the addresses are served.
    assert_eq!(count(&frame("groups/mld_join")), 3);
    for group in ["ff02::1:ff0a:80", "ff02::1:ff0b:80", "ff02::1:ff00:80"] {
        assert_eq!(count(&report(group, mld::Message::Join)), 2, "{group}");
    }

    let mut buf = [0; 172];
    let _ = gate.receive(ms(20_000), &frame("groups/mld_query"), &mut buf);
    let sent: Vec<Vec<u8>> = run(&mut gate, ms(21_000))
        .into_iter()
        .map(|s| s.1)
        .collect();
    assert!(sent.contains(&frame("groups/mld_listening")));
    assert!(sent.contains(&report("ff02::1:ff0b:80", mld::Message::Listening)));

    // An address that leaves takes its group along, unless another shares it.
    gate.admin(ms(22_000)).remove(vr(Family::Ipv6)).unwrap();
    let mut left = drain(&mut gate, ms(22_000)).0;
    left.extend(run(&mut gate, ms(30_000)).into_iter().map(|s| s.1));
    for group in [
        "ff02::1:ff0a:80",
        "ff02::1:ff0b:80",
        "ff02::1:ff00:80",
        "ff02::12",
    ] {
        let leave = report(group, mld::Message::Leave);
        assert_eq!(left.iter().filter(|f| **f == leave).count(), 1, "{group}");
    }
}

#[test]
fn an_older_querier_gets_what_it_knows() {
    let mut gate = active(&["fe80::a:80"], false);
    let mut buf = [0; 172];
    let _ = gate.receive(ms(20_000), &frame("groups/mld_query_v1"), &mut buf);
    let sent: Vec<Vec<u8>> = run(&mut gate, ms(21_000))
        .into_iter()
        .map(|s| s.1)
        .collect();
    assert!(sent.contains(&frame("groups/mld_report_v1")));
    // It is remembered for 260 s.
    let _ = gate.receive(ms(281_000), &frame("groups/mld_query"), &mut buf);
    let sent: Vec<Vec<u8>> = run(&mut gate, ms(282_000))
        .into_iter()
        .map(|s| s.1)
        .collect();
    assert!(sent.contains(&frame("groups/mld_listening")));
}

//= RFC 9568 section 6.4.3
#[test]
fn questions_are_answered_with_the_virtual_mac_while_active_alone() {
    let request = |target| {
        let mut payload = vec![0, 1, 8, 0, 6, 4, 0, 1];
        payload.extend(ASKER.0);
        payload.extend(ASKER_V4.octets());
        payload.extend([0; 6]);
        payload.extend(Ipv4Addr::octets(&target));
        ethernet(MacAddr::BROADCAST, ASKER, 0x0806, &payload)
    };
    let reply = |mac: MacAddr, ip: Ipv4Addr, to_mac: MacAddr, to: Ipv4Addr| {
        let fixed = [0, 1, 8, 0, 6, 4, 0, 2];
        let payload = [&fixed[..], &mac.0, &ip.octets(), &to_mac.0, &to.octets()].concat();
        ethernet(to_mac, mac, 0x0806, &payload)
    };
    let mut buf = [0; 172];
    for accept in [false, true] {
        let mut serving = active(&["10.10.10.80"], accept);
        let asked = arp::Request::new(&request(SERVICE)[14..]).unwrap();
        let expected = written(|b| arp::emit_reply(b, VMAC, &asked));
        let learned = reply(ASKER, ASKER_V4, OWN, SERVICE);
        let lesson = accept.then_some((SERVICE.into(), &learned[..]));
        let heard = serving.receive(ms(3_200), &request(SERVICE), &mut buf);
        assert_eq!(
            heard,
            Received::Answer {
                frame: &expected,
                lesson
            }
        );
        let heard = serving.receive(ms(3_200), &request(OWN_V4), &mut buf);
        assert!(matches!(
            heard,
            Received::Stack {
                to: Addressee::Own,
                ..
            }
        ));
    }
    let mut waiting = gate();
    insert(&mut waiting, &["10.10.10.80"], 100, true);
    drain(&mut waiting, ms(0));
    let heard = waiting.receive(ms(10), &request(SERVICE), &mut buf);
    assert_eq!(heard, Received::Discarded(Discard::ToUnserved));

    let mut serving = active(&["fe80::a:80", "2001:db8::80"], false);
    let question = neighbour(135, "fe80::9", "ff02::1:ff00:80", "2001:db8::80", ASKER);
    let asked = ndisc::Solicitation::new(&question[14..]).unwrap();
    let expected = written(|b| ndisc::emit_na_reply(b, VMAC6, &asked, ASKER));
    let heard = serving.receive(ms(3_200), &question, &mut buf);
    let frame = &expected[..];
    assert_eq!(
        heard,
        Received::Answer {
            frame,
            lesson: None
        }
    );
    let mut accepting = active(&["fe80::a:80", "2001:db8::80"], true);
    let heard = accepting.receive(ms(3_200), &question, &mut buf);
    let mut learned = neighbour(136, "fe80::9", "2001:db8::80", "fe80::9", ASKER);
    learned[..6].copy_from_slice(&OWN.0);
    // Solicited, overriding: 0x60 in the flags, and so much less in the checksum.
    learned[58] = 0x60;
    let field = u16::from_be_bytes([learned[56], learned[57]]);
    let (less, borrow) = field.overflowing_sub(0x6000);
    let field = less - u16::from(borrow);
    learned[56..58].copy_from_slice(&field.to_be_bytes());
    let lesson = Some((v6("2001:db8::80").into(), &learned[..]));
    assert_eq!(heard, Received::Answer { frame, lesson });
    let mut damaged = question;
    damaged[60] ^= 1;
    let heard = serving.receive(ms(3_200), &damaged, &mut buf);
    assert_eq!(heard, Received::Discarded(Discard::BadSolicitation));
    assert_eq!(serving.discards().count(Discard::BadSolicitation), 1);
}

#[test]
fn what_comes_in_passes_by_mac_and_by_address() {
    let mut buf = [0; 172];
    let mut judged = |gate: &mut TestGate, mac, destination| match gate.receive(
        ms(3_200),
        &udp_v4(mac, ASKER_V4, destination),
        &mut buf,
    ) {
        Received::Stack { to, virtual_mac } => Ok((to, virtual_mac)),
        Received::Discarded(reason) => Err(reason),
        other => panic!("{other:?}"),
    };
    let service = Addressee::Virtual(SERVICE.into());
    let mut serving = active(&["10.10.10.80"], true);
    assert_eq!(judged(&mut serving, VMAC, SERVICE), Ok((service, true)));
    assert_eq!(judged(&mut serving, OWN, SERVICE), Ok((service, false)));
    assert_eq!(
        judged(&mut serving, OWN, OWN_V4),
        Ok((Addressee::Own, false))
    );
    assert_eq!(
        judged(&mut serving, VMAC, OWN_V4),
        Ok((Addressee::Own, true))
    );
    assert_eq!(
        judged(&mut serving, ASKER, OWN_V4),
        Err(Discard::OtherStation)
    );
    let other_vmac = MacAddr([0, 0, 0x5e, 0, 1, 8]);
    assert_eq!(
        judged(&mut serving, other_vmac, SERVICE),
        Err(Discard::OtherStation)
    );

    let mut silent = active(&["10.10.10.80"], false);
    assert_eq!(
        judged(&mut silent, VMAC, SERVICE),
        Err(Discard::NotAccepted)
    );
    // neighbours are heard even so.
    let mut silent6 = active(&["fe80::a:80"], false);
    let mut advert = neighbour(136, "fe80::9", "fe80::a:80", "fe80::9", ASKER);
    advert[..6].copy_from_slice(&VMAC6.0);
    let mut room = [0; 172];
    let heard = silent6.receive(ms(3_200), &advert, &mut room);
    let own = Received::Stack {
        to: Addressee::Own,
        virtual_mac: true,
    };
    assert_eq!(heard, own);

    let mut waiting = gate();
    insert(&mut waiting, &["10.10.10.80"], 100, true);
    drain(&mut waiting, ms(0));
    assert_eq!(
        judged(&mut waiting, VMAC, SERVICE),
        Err(Discard::MacNotTakenUp)
    );
    assert_eq!(judged(&mut waiting, OWN, SERVICE), Err(Discard::ToUnserved));
}

/// A client that knows the virtual MAC asks nothing; the stack that takes over has to know its.
#[test]
fn who_talks_to_a_virtual_address_is_asked_for() {
    let asked = |sent: &[Vec<u8>]| {
        let arp = sent
            .iter()
            .filter(|f| f[12..14] == [0x08, 0x06] && f[28..32] != f[38..42]);
        arp.map(|f| f[41]).collect::<Vec<u8>>()
    };
    let from = |last: u8| Ipv4Addr::new(10, 10, 10, last);
    let mut buf = [0; 172];
    let mut gate = active(&["10.10.10.80"], true);
    let mut now = 4_000;
    let mut hear = |gate: &mut TestGate, source: Ipv4Addr, after_ms: u64| {
        now += after_ms;
        let _ = gate.receive(ms(now), &udp_v4(VMAC, source, SERVICE), &mut buf);
        drain(gate, ms(now)).0
    };
    let sent = hear(&mut gate, from(9), 10);
    let mut payload = vec![0, 1, 8, 0, 6, 4, 0, 1];
    payload.extend(VMAC.0);
    payload.extend(SERVICE.octets());
    payload.extend([0; 6]);
    payload.extend(from(9).octets());
    assert_eq!(sent, [ethernet(MacAddr::BROADCAST, VMAC, 0x0806, &payload)]);
    assert!(hear(&mut gate, from(9), 10).is_empty());
    for last in [10, 11, 12] {
        assert_eq!(asked(&hear(&mut gate, from(last), 10)), [last]);
    }
    // A host elsewhere is reached through a router, which the stack asks for.
    assert!(hear(&mut gate, Ipv4Addr::new(192, 0, 2, 1), 10).is_empty());
    // Forged senders: no more than one question in 5 ms.
    let questions: usize = (0..1_000u32)
        .map(|n| asked(&hear(&mut gate, from(n as u8), u64::from(n % 10 == 0))).len())
        .sum();
    assert!((10..=21).contains(&questions), "{questions}");

    let mut gate = active(&["fe80::a:80", "2001:db8::80"], true);
    let advert = neighbour(136, "fe80::9", "2001:db8::80", "fe80::9", ASKER);
    let mut packet = advert.clone();
    packet[..6].copy_from_slice(&VMAC6.0);
    // An echo request with the addresses of one network.
    packet[22..38].copy_from_slice(&v6("2001:db8::9").octets());
    packet[54] = 128;
    let _ = gate.receive(ms(4_000), &packet, &mut buf);
    let sent = drain(&mut gate, ms(4_000)).0;
    let expected = neighbour(135, "2001:db8::80", "ff02::1:ff00:9", "2001:db8::9", VMAC6);
    assert_eq!(sent, [expected]);
}

#[test]
fn who_ceases_to_serve_an_address_asks_nobody_from_its_mac() {
    let mut buf = [0; 172];
    let mut gate = active(&["10.10.10.80"], true);
    let _ = gate.receive(ms(4_000), &udp_v4(VMAC, ASKER_V4, SERVICE), &mut buf);
    let fault = [Track {
        object: 1,
        effect: TrackEffect::Fault,
    }];
    let service = [VirtualAddress {
        address: SERVICE.into(),
        prefix_len: 24,
    }];
    let config = VrConfig {
        settings: VrSettings {
            priority: Priority::new(254).unwrap(),
            accept: true,
            ..VrSettings::DEFAULT
        },
        addresses: &service,
        tracks: &fault,
        ..VrConfig::DEFAULT
    };
    gate.admin(ms(4_000))
        .reconfigure(vr(Family::Ipv4), &config)
        .unwrap();
    gate.admin(ms(4_000)).set_tracked(1, false);
    gate.handle_timeout(ms(8_000));
    let (sent, addresses) = drain(&mut gate, ms(8_000));
    assert_eq!(addresses, [(SERVICE.into(), false)]);
    let asked = |frame: &&Vec<u8>| frame[12..14] == [0x08, 0x06];
    assert_eq!(sent.iter().find(asked), None);
}

#[test]
fn what_goes_out_from_a_virtual_address_names_the_virtual_mac_alone() {
    let mut serving = active(&["10.10.10.80"], true);
    let mut frame = udp_v4(ASKER, SERVICE, ASKER_V4);
    let mut expected = frame.clone();
    expected[6..12].copy_from_slice(&VMAC.0);
    assert_eq!(serving.send(&mut frame), Ok(()));
    assert_eq!(frame, expected);

    let request = |sender: Ipv4Addr| {
        let mut payload = vec![0, 1, 8, 0, 6, 4, 0, 1];
        payload.extend(OWN.0);
        payload.extend(sender.octets());
        payload.extend([0; 6]);
        payload.extend(ASKER_V4.octets());
        ethernet(MacAddr::BROADCAST, OWN, 0x0806, &payload)
    };
    let mut frame = request(SERVICE);
    assert_eq!(serving.send(&mut frame), Ok(()));
    assert_eq!((&frame[6..12], &frame[22..28]), (&VMAC.0[..], &VMAC.0[..]));
    let own = request(OWN_V4);
    let mut frame = own.clone();
    assert_eq!(serving.send(&mut frame), Ok(()));
    assert_eq!(frame, own);

    // Solicitations by their source, advertisements by their target; with a right checksum.
    let mut serving = active(&["fe80::a:80", "2001:db8::80"], true);
    let virtual_one = "2001:db8::80";
    for (kind, source, target) in [
        (135, virtual_one, "2001:db8::9"),
        (136, "fe80::6", virtual_one),
        (136, virtual_one, virtual_one),
    ] {
        let mut frame = neighbour(kind, source, "ff02::1:ff00:9", target, OWN);
        let expected = neighbour(kind, source, "ff02::1:ff00:9", target, VMAC6);
        assert_eq!(serving.send(&mut frame), Ok(()));
        assert_eq!(frame, expected, "{kind} from {source}");
    }
    let own = neighbour(135, "fe80::6", "ff02::1:ff00:9", virtual_one, OWN);
    let mut frame = own.clone();
    assert_eq!(serving.send(&mut frame), Ok(()));
    assert_eq!(frame, own);
}

#[test]
fn nothing_goes_out_from_a_virtual_address_that_is_not_served() {
    let mut waiting = gate();
    insert(&mut waiting, &["10.10.10.80"], 100, true);
    drain(&mut waiting, ms(0));
    let refused = Err(Discard::FromUnserved);
    assert_eq!(waiting.send(&mut udp_v4(ASKER, SERVICE, ASKER_V4)), refused);
    assert_eq!(waiting.send(&mut udp_v4(ASKER, OWN_V4, SERVICE)), Ok(()));
    assert_eq!(waiting.discards().count(Discard::FromUnserved), 1);
    // Served, but not the stack's.
    let mut silent = active(&["10.10.10.80"], false);
    assert_eq!(silent.send(&mut udp_v4(ASKER, SERVICE, ASKER_V4)), refused);
}

#[test]
fn an_owners_address_stays_its_own() {
    let mut gate = gate();
    let key = insert(&mut gate, &["10.10.10.6"], 255, false);
    drain(&mut gate, ms(0));
    let mut buf = [0; 172];
    let mut frame = udp_v4(ASKER, OWN_V4, ASKER_V4);
    assert_eq!(gate.send(&mut frame), Ok(()));
    assert_eq!(frame[6..12], VMAC.0);
    // Disabled it has the address still, as any host has its own.
    gate.admin(ms(10)).set_enabled(key, false).unwrap();
    drain(&mut gate, ms(10));
    run(&mut gate, ms(5_000));
    let mut frame = udp_v4(ASKER, OWN_V4, ASKER_V4);
    assert_eq!(gate.send(&mut frame), Ok(()));
    assert_eq!(frame[6..12], OWN.0);
    let heard = gate.receive(ms(5_000), &udp_v4(OWN, ASKER_V4, OWN_V4), &mut buf);
    assert!(matches!(
        heard,
        Received::Stack {
            to: Addressee::Own,
            ..
        }
    ));
}

/// The demands on a device that can send nothing.
fn drain_blocked(gate: &mut TestGate, now: Instant) -> Vec<(IpAddr, bool)> {
    let mut addresses = Vec::new();
    let mut buf = [0; max_frame_len(8)];
    while let Some(action) = gate.poll(now, false, &mut buf) {
        match action {
            Action::SetAddress { address, on, .. } => addresses.push((address.address, on)),
            Action::Send(_) => panic!("it can send nothing"),
            Action::SetFilter | Action::StateChange(_) | Action::Removed { .. } => {}
        }
    }
    addresses
}

#[test]
fn without_a_link_an_address_goes_at_once() {
    let mut gate = active(&["10.10.10.80"], true);
    let mut state = gate.interface();
    state.up = false;
    gate.set_interface(ms(4_000), state);
    assert_eq!(
        drain_blocked(&mut gate, ms(4_000)),
        [(SERVICE.into(), false)]
    );
}

/// Priority 0 that is sent late would have the others depose who is Active by then.
#[test]
fn what_a_stuck_device_cannot_send_in_time_is_not_sent_late() {
    let mut gate = active(&["10.10.10.80"], true);
    gate.admin(ms(4_000))
        .set_enabled(vr(Family::Ipv4), false)
        .unwrap();
    assert_eq!(drain_blocked(&mut gate, ms(4_000)), []);
    assert_eq!(gate.poll_timeout(), Some(ms(4_010)));
    assert_eq!(drain_blocked(&mut gate, ms(4_009)), []);
    drain_blocked(&mut gate, ms(4_010));
    assert_eq!(gate.discards().count(Discard::NoRoom), 1);
    assert!(drain(&mut gate, ms(4_020)).0.is_empty());
    // Busy for a moment only, it sends all.
    let mut gate = active(&["10.10.10.80"], true);
    gate.admin(ms(4_000))
        .set_enabled(vr(Family::Ipv4), false)
        .unwrap();
    assert_eq!(drain_blocked(&mut gate, ms(4_000)), []);
    assert_eq!(drain(&mut gate, ms(4_009)).0.len(), 1);
    assert_eq!(gate.discards().count(Discard::NoRoom), 0);
}

#[test]
fn unicast_peers_are_refused() {
    let mut gate = gate();
    let addresses = [VirtualAddress {
        address: SERVICE.into(),
        prefix_len: 24,
    }];
    let peers = [IpAddr::V4(ASKER_V4)];
    let config = VrConfig {
        addresses: &addresses,
        ..VrConfig::DEFAULT
    };
    let unicast = VrConfig {
        peers: &peers,
        ..config
    };
    let key = vr(Family::Ipv4);
    assert_eq!(gate.admin(ms(0)).insert(key, &unicast), Err(Error::NoPeers));
    assert_eq!(gate.admin(ms(0)).insert(key, &config), Ok(()));
    assert_eq!(
        gate.admin(ms(0)).reconfigure(key, &unicast),
        Err(Error::NoPeers)
    );
}

/// Frames of all kinds, cut and damaged, both ways: nothing panics, and what passes to the stack has
/// a destination that is ours.
#[test]
fn damaged_frames_are_no_harm() {
    let mut gates = [
        active(&["10.10.10.80"], true),
        active(&["fe80::a:80", "2001:db8::80"], true),
        gate(),
    ];
    let mut seeds: Vec<Vec<u8>> = frames().into_iter().map(|f| f.1).collect();
    seeds.push(neighbour(
        135,
        "fe80::9",
        "ff02::1:ff00:80",
        "2001:db8::80",
        ASKER,
    ));
    seeds.push(neighbour(
        136,
        "2001:db8::80",
        "ff02::1",
        "2001:db8::80",
        OWN,
    ));
    seeds.push(udp_v4(VMAC, SERVICE, SERVICE));
    let mut random: u32 = 0x2545_f491;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random as usize % below
    };
    let mut buf = [0; 172];
    for round in 0..60_000u64 {
        let mut frame = seeds[next(seeds.len())].clone();
        for _ in 0..next(4) {
            let at = next(frame.len());
            frame[at] = next(256) as u8;
        }
        frame.truncate(next(frame.len() + 1) + next(2) * frame.len());
        let gate = &mut gates[next(3)];
        if let Received::Stack { virtual_mac, .. } =
            gate.receive(ms(4_000 + round / 100), &frame, &mut buf)
        {
            assert!(virtual_mac || frame[0] & 1 == 1 || frame[..6] == OWN.0);
        }
        let len = frame.len();
        let _ = gate.send(&mut frame);
        assert_eq!(frame.len(), len);
        drain(gate, ms(4_000 + round / 100));
    }
}

#[test]
fn the_room_is_that_of_the_longest_frame() {
    // An answer and a lesson of 86 octets, or an advertisement of so many IPv6 addresses, signed.
    let trailer = if cfg!(feature = "hmac") { 28 } else { 0 };
    assert_eq!(max_frame_len(1), 172);
    assert_eq!(max_frame_len(5), 172);
    for addrs in 7..10 {
        assert_eq!(max_frame_len(addrs), 62 + 16 * addrs + trailer);
    }
    assert_eq!(max_frame_len(8), Engine::<1, 1, 8>::MAX_FRAME_LEN);
}
