//! The gate and the MAC filter of a device: which MACs it names, when it finds that frames to them do
//! not come in, and the checksums that a device fills in.

#[path = "common/gate.rs"]
mod common;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use common::{ms, written};
use vrrp_core::gate::mac_filter::{
    HashTable, MacList, Promiscuous, Unfiltered, crc_hash, synopsys_hash, synopsys_registers,
};
use vrrp_core::gate::{
    Action, Discard, Gate, GateKey, MacFilter, Received, max_frame_len, zero_checksums,
};
use vrrp_core::wire::{arp, igmp, mld, ndisc};
use vrrp_core::*;

const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 6]);
const ASKER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 6);
const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 80);
const ASKER_V4: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 9);
const VMAC: MacAddr = MacAddr([0, 0, 0x5e, 0, 1, 7]);
const VMAC6: MacAddr = MacAddr([0, 0, 0x5e, 0, 2, 7]);
const SERVICE_V6: &str = "2001:db8::80";
const ASKER_V6: &str = "2001:db8::9";

fn v6(text: &str) -> Ipv6Addr {
    text.parse().expect("an IPv6 address")
}

/// The manners of the neighbour, and of the host's own device.
#[derive(Clone, Copy)]
struct Segment {
    /// The host's device lets in frames to the virtual MACs.
    hears_virtual: bool,
    /// The neighbour answers who asks for it.
    neighbour_answers: bool,
}

/// A gate that is Active, on a segment with one neighbour.
struct Scene {
    gate: Gate<4, 8>,
    now: Instant,
    segment: Segment,
    /// Everything that the gate has sent since it is Active.
    sent: Vec<Vec<u8>>,
    /// Probes of the neighbour: the MAC that each came from, and the address that it named.
    probes: Vec<(MacAddr, IpAddr)>,
    /// The MACs as the gate has named them last.
    macs: Vec<MacAddr>,
}

impl Scene {
    fn new(addresses: &[&str], settings: VrSettings, segment: Segment) -> Scene {
        let mut gate = Gate::new(1);
        let state = InterfaceState {
            up: true,
            mac: OWN,
            ipv4: Some(OWN_V4),
            ipv6: Some(v6("fe80::6")),
        };
        gate.set_interface(ms(0), state);
        let addresses: Vec<VirtualAddress> = addresses
            .iter()
            .map(|text| VirtualAddress {
                address: text.parse().expect("an address"),
                prefix_len: 24,
            })
            .collect();
        let config = VrConfig {
            settings,
            addresses: &addresses,
            ..VrConfig::DEFAULT
        };
        let key = key(Family::of(addresses[0].address));
        gate.admin(ms(0)).insert(key, &config).expect("room");
        let mut scene = Scene {
            gate,
            now: ms(0),
            segment,
            sent: Vec::new(),
            probes: Vec::new(),
            macs: Vec::new(),
        };
        scene.run_ms(10_000);
        let state = scene.gate.engine().status(key).map(|s| s.state);
        assert_eq!(state, Some(State::Active));
        scene.sent.clear();
        scene
    }

    fn drain(&mut self) {
        let mut buf = [0; max_frame_len(8)];
        while let Some(action) = self.gate.poll(self.now, true, &mut buf) {
            match action {
                Action::Send(frame) => {
                    let frame = frame.to_vec();
                    self.sent.push(frame.clone());
                    self.neighbour_hears(&frame);
                }
                Action::SetFilter => self.macs = self.gate.macs().collect(),
                _ => {}
            }
        }
    }

    /// The neighbour is asked, and may answer.
    fn neighbour_hears(&mut self, frame: &[u8]) {
        let payload = &frame[14..];
        let (mac, asker, answer) = match frame[12..14] {
            [8, 6] => match arp::Request::new(payload) {
                Some(request) if request.target_ip == ASKER_V4 => {
                    let answer = written(|buf| arp::emit_reply(buf, ASKER, &request));
                    (request.sender_mac, request.sender_ip.into(), answer)
                }
                _ => return,
            },
            _ => match ndisc::Solicitation::new(payload) {
                Some(asked) if asked.target == v6(ASKER_V6) => {
                    let answer = written(|buf| ndisc::emit_na_reply(buf, ASKER, &asked, ASKER));
                    (asked.source_mac.unwrap(), asked.source.into(), answer)
                }
                _ => return,
            },
        };
        self.probes.push((mac, asker));
        if self.segment.neighbour_answers {
            self.arrive(&answer);
        }
    }

    /// A frame is on the wire for the host, whose device may not let it in.
    fn arrive(&mut self, frame: &[u8]) {
        if frame[..5]
            == VMAC.0[..4]
                .iter()
                .chain(&[frame[4]])
                .copied()
                .collect::<Vec<u8>>()
            && !self.segment.hears_virtual
        {
            return;
        }
        let mut buf = [0; 172];
        let received = self.gate.receive(self.now, frame, &mut buf);
        if let Received::Answer { frame, .. } = received {
            self.sent.push(frame.to_vec());
        }
    }

    fn run_ms(&mut self, ms: u64) {
        let end = self.now + Duration::from_millis(ms);
        self.drain();
        while let Some(due) = self.gate.poll_timeout().filter(|at| *at <= end) {
            self.now = due.max(self.now);
            self.gate.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// The neighbour asks for the virtual address, as `from`.
    fn asks_as(&mut self, from: Ipv4Addr) {
        let question = written(|buf| arp::emit_request(buf, ASKER, from, SERVICE));
        self.arrive(&question);
    }

    fn unheard(&self) -> Option<IpAddr> {
        self.gate.reception().unheard
    }
}

fn key(family: Family) -> GateKey {
    GateKey::new(Vrid::new(7).unwrap(), family)
}

const ALIVE: Segment = Segment {
    hears_virtual: true,
    neighbour_answers: true,
};
/// As on nearly every controller that nobody has told.
const FILTERED: Segment = Segment {
    hears_virtual: false,
    ..ALIVE
};

fn v4_scene(segment: Segment) -> Scene {
    Scene::new(&["10.10.10.80"], VrSettings::DEFAULT, segment)
}

fn packet(to: MacAddr) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    ip.extend(ASKER_V4.octets());
    ip.extend(SERVICE.octets());
    ip.extend([0, 7, 0, 7, 0, 8, 0, 0]);
    [&to.0[..], &ASKER.0, &[8, 0], &ip].concat()
}

#[test]
fn a_black_hole_is_found_five_seconds_after_one_neighbour_asked() {
    let mut scene = v4_scene(FILTERED);
    scene.asks_as(ASKER_V4);
    scene.run_ms(3_900);
    assert_eq!(scene.unheard(), None);
    scene.run_ms(1_100);
    assert_eq!(scene.unheard(), Some(SERVICE.into()));
    // In each of three rounds from the virtual MAC, which is not heard, and from the own one.
    let round = [(VMAC, SERVICE.into()), (OWN, OWN_V4.into())];
    assert_eq!(scene.probes, round.repeat(3));
    assert_eq!(scene.gate.reception().frames, 0);
    // It stays so without another probe, until a frame comes.
    scene.asks_as(ASKER_V4);
    scene.run_ms(60_000);
    assert_eq!(
        (scene.unheard(), scene.probes.len()),
        (Some(SERVICE.into()), 6)
    );
    scene.segment.hears_virtual = true;
    scene.arrive(&packet(VMAC));
    assert_eq!(scene.unheard(), None);
    assert_eq!(scene.gate.reception().frames, 1);
    // And is found again.
    scene.segment.hears_virtual = false;
    scene.asks_as(ASKER_V4);
    scene.run_ms(5_000);
    assert_eq!(scene.unheard(), Some(SERVICE.into()));
}

#[test]
fn a_black_hole_of_ipv6_is_found() {
    let mut scene = Scene::new(&["fe80::80", SERVICE_V6], VrSettings::DEFAULT, FILTERED);
    let question =
        written(|buf| ndisc::emit_solicitation(buf, ASKER, v6(ASKER_V6), v6(SERVICE_V6)));
    scene.arrive(&question);
    scene.run_ms(5_000);
    assert_eq!(scene.unheard(), Some(v6(SERVICE_V6).into()));
    let round = [(VMAC6, v6(SERVICE_V6).into()), (OWN, v6("fe80::6").into())];
    assert_eq!(scene.probes, round.repeat(3));
}

#[test]
fn a_neighbour_that_wanted_no_more_than_an_answer_is_no_alarm() {
    let mut scene = v4_scene(ALIVE);
    for _ in 0..20 {
        scene.asks_as(ASKER_V4);
        scene.run_ms(10_000);
        assert_eq!(scene.unheard(), None);
    }
    // Each time it answered the first probe, which went from the virtual MAC, and was not probed again.
    assert_eq!(scene.gate.reception().frames, 20);
    assert_eq!(scene.probes.len(), 20);
}

#[test]
fn a_neighbour_that_sends_at_once_is_not_probed() {
    let mut scene = v4_scene(ALIVE);
    scene.asks_as(ASKER_V4);
    scene.arrive(&packet(VMAC));
    scene.run_ms(60_000);
    assert_eq!(scene.probes, []);
}

#[test]
fn without_a_witness_there_is_no_alarm() {
    // Asked by somebody who is gone, or by a scanner in a name that is not its own.
    let mut scene = v4_scene(Segment {
        neighbour_answers: false,
        ..FILTERED
    });
    scene.run_ms(60_000);
    assert_eq!(scene.probes, []);
    scene.asks_as(ASKER_V4);
    scene.run_ms(60_000);
    assert_eq!((scene.unheard(), scene.probes.len()), (None, 6));
    // A host that looks whether the address is in use has none itself, and is not probed.
    scene.asks_as(Ipv4Addr::UNSPECIFIED);
    scene.run_ms(60_000);
    assert_eq!((scene.unheard(), scene.probes.len()), (None, 6));
    // The next one is a witness.
    scene.segment.neighbour_answers = true;
    scene.asks_as(ASKER_V4);
    scene.run_ms(5_000);
    assert_eq!(scene.unheard(), Some(SERVICE.into()));
}

#[test]
fn the_mac_that_is_given_up_is_not_missed() {
    let mut scene = v4_scene(FILTERED);
    scene.asks_as(ASKER_V4);
    scene.run_ms(5_000);
    assert_eq!(scene.unheard(), Some(SERVICE.into()));
    let link = |scene: &mut Scene, up| {
        let mut state = scene.gate.interface();
        state.up = up;
        scene.gate.set_interface(scene.now, state);
    };
    link(&mut scene, false);
    scene.run_ms(1_000);
    assert_eq!(scene.unheard(), None);

    // Nor is one probed from any more that is given up meanwhile.
    link(&mut scene, true);
    scene.run_ms(10_000);
    scene.asks_as(ASKER_V4);
    link(&mut scene, false);
    scene.probes.clear();
    scene.run_ms(10_000);
    assert_eq!((scene.unheard(), scene.probes.len()), (None, 0));
}

/// An address that is taken out of the configuration while a neighbour of it is looked for.
#[test]
fn an_address_that_is_not_served_any_more_is_not_probed_from() {
    let mut scene = Scene::new(
        &["10.10.10.80", "10.10.10.81"],
        VrSettings::DEFAULT,
        FILTERED,
    );
    scene.asks_as(ASKER_V4);
    let left = [VirtualAddress {
        address: [10, 10, 10, 81].into(),
        prefix_len: 24,
    }];
    let config = VrConfig {
        addresses: &left,
        ..VrConfig::DEFAULT
    };
    let now = scene.now;
    let done = scene
        .gate
        .admin(now)
        .reconfigure(key(Family::Ipv4), &config);
    assert_eq!(done, Ok(()));
    scene.run_ms(10_000);
    assert_eq!((scene.unheard(), scene.probes.len()), (None, 0));
}

/// Its address lives at the virtual MAC alone, and no frame may say otherwise.
#[test]
fn the_owner_probes_without_its_address() {
    let settings = VrSettings {
        priority: Priority::OWNER,
        ..VrSettings::DEFAULT
    };
    let mut scene = Scene::new(&["10.10.10.6"], settings, FILTERED);
    let question = written(|buf| arp::emit_request(buf, ASKER, ASKER_V4, OWN_V4));
    scene.arrive(&question);
    scene.run_ms(5_000);
    let round = [(VMAC, OWN_V4.into()), (OWN, Ipv4Addr::UNSPECIFIED.into())];
    assert_eq!(scene.probes, round.repeat(3));
    assert_eq!(scene.unheard(), Some(OWN_V4.into()));
}

#[test]
fn with_the_interfaces_own_mac_nothing_is_probed_nor_let_in() {
    let settings = VrSettings {
        mac_mode: MacMode::Interface,
        ..VrSettings::DEFAULT
    };
    let mut scene = Scene::new(&["10.10.10.80"], settings, FILTERED);
    scene.asks_as(ASKER_V4);
    scene.run_ms(60_000);
    assert_eq!((scene.unheard(), scene.probes.len()), (None, 0));
    let arps = scene.sent.iter().filter(|frame| frame[12..14] == [8, 6]);
    let macs: Vec<&[u8]> = arps.map(|frame| &frame[6..12]).collect();
    assert_eq!(macs, [&OWN.0[..]]);
    assert!(!scene.macs.contains(&VMAC));
}

#[test]
fn the_macs_to_let_in_follow_the_state() {
    let group = |mac: [u8; 6]| MacAddr(mac);
    let own_node = group([0x33, 0x33, 0xff, 0, 0, 6]);
    let v4_groups = [
        group([1, 0, 0x5e, 0, 0, 0x12]),
        group([1, 0, 0x5e, 0, 0, 1]),
    ];
    let mut scene = v4_scene(ALIVE);
    let sorted = |scene: &Scene| {
        let mut macs = scene.macs.clone();
        macs.sort();
        macs
    };
    let expected = |macs: &[&[MacAddr]]| {
        let mut macs = macs.concat();
        macs.sort();
        macs
    };
    assert_eq!(
        sorted(&scene),
        expected(&[&[VMAC], &v4_groups, &[own_node]])
    );
    let resign = |scene: &mut Scene| {
        let now = scene.now;
        let (v4, v6) = (key(Family::Ipv4), key(Family::Ipv6));
        let done = scene.gate.admin(now).set_enabled(v4, false);
        let done = done.or_else(|_| scene.gate.admin(now).set_enabled(v6, false));
        assert_eq!(done, Ok(()));
        scene.run_ms(10_000);
    };
    resign(&mut scene);
    assert_eq!(sorted(&scene), [own_node]);

    let mut scene = Scene::new(&["fe80::80", SERVICE_V6], VrSettings::DEFAULT, ALIVE);
    let nodes = [group([0x33, 0x33, 0xff, 0, 0, 0x80]); 2];
    let v6_groups = [
        group([0x33, 0x33, 0, 0, 0, 0x12]),
        group([0x33, 0x33, 0, 0, 0, 1]),
    ];
    let all = expected(&[&[VMAC6], &v6_groups, &nodes, &[own_node]]);
    assert_eq!(sorted(&scene), all);
    resign(&mut scene);
    assert_eq!(sorted(&scene), [own_node]);
}

/// A driver can be told before a neighbour is.
#[test]
fn the_filter_is_set_before_a_frame_names_the_mac() {
    let mut scene = v4_scene(ALIVE);
    let key = key(Family::Ipv4);
    scene.gate.admin(scene.now).set_enabled(key, false).unwrap();
    scene.run_ms(10_000);
    scene.gate.admin(scene.now).set_enabled(key, true).unwrap();
    let mut let_in = Vec::new();
    let mut buf = [0; max_frame_len(8)];
    for _ in 0..10_000 {
        while let Some(action) = scene.gate.poll(scene.now, true, &mut buf) {
            match action {
                Action::SetFilter => let_in = scene.gate.macs().collect(),
                Action::Send(frame) if frame[6..12] == VMAC.0 => {
                    assert!(let_in.contains(&VMAC));
                    return;
                }
                _ => {}
            }
        }
        scene.now = scene.now + Duration::from_millis(1);
        scene.gate.handle_timeout(scene.now);
    }
    panic!("it does not become Active");
}

#[test]
fn each_kind_of_filter_is_given_what_it_needs() {
    let group = MacAddr([1, 0, 0x5e, 0, 0, 0x12]);
    let macs = [VMAC, group, group];
    Unfiltered.set(&mut (), &mut macs.into_iter());

    let mut promiscuous = Promiscuous(|wanted: &mut Vec<bool>, everything| wanted.push(everything));
    let mut wanted = Vec::new();
    promiscuous.set(&mut wanted, &mut macs.into_iter());
    promiscuous.set(&mut wanted, &mut [group].into_iter());
    assert_eq!(wanted, [true, false]);

    let mut lists: Vec<Option<Vec<MacAddr>>> = Vec::new();
    let mut list = MacList::<2, _>(|lists: &mut Vec<_>, macs: Option<&[MacAddr]>| {
        lists.push(macs.map(<[_]>::to_vec));
    });
    list.set(&mut lists, &mut macs.into_iter());
    list.set(&mut lists, &mut [VMAC, VMAC6, group].into_iter());
    list.set(&mut lists, &mut std::iter::empty());
    assert_eq!(lists, [Some(vec![VMAC, group]), None, Some(vec![])]);

    let mut tables = Vec::new();
    let mut table = HashTable {
        hash: synopsys_hash,
        write: |tables: &mut Vec<u64>, table| tables.push(table),
    };
    table.set(&mut tables, &mut macs.into_iter());
    table.set(&mut tables, &mut std::iter::empty());
    let bits = [VMAC, group].map(|mac| 1 << synopsys_hash(mac));
    assert_eq!(tables, [bits[0] | bits[1], 0]);
    assert!((0..=255).all(|octet| crc_hash(MacAddr([0, 0, 0x5e, 0, 1, octet])) < 64));

    let mut given = Vec::new();
    let mut closure = |given: &mut Vec<MacAddr>, macs: &mut dyn Iterator<Item = MacAddr>| {
        given.extend(macs);
    };
    closure.set(&mut given, &mut macs.into_iter());
    assert_eq!(given, macs);
}

/// The comparison of such a MAC, as ST's RM0090 has it for MACAxHR and MACAxLR.
#[test]
fn two_registers_let_in_the_virtual_macs_and_nothing_else() {
    let passes = |mac: [u8; 6]| {
        [Family::Ipv4, Family::Ipv6].iter().any(|family| {
            let registers = synopsys_registers(*family);
            assert_eq!(registers.high >> 31, 1, "the address is used");
            assert_eq!(registers.high >> 30 & 1, 0, "as a destination");
            let low = registers.low.to_le_bytes();
            let high = registers.high.to_le_bytes();
            let wanted = [low[0], low[1], low[2], low[3], high[0], high[1]];
            (0..6).all(|at| {
                let masked = registers.high >> (24 + at) & 1 == 1;
                masked || wanted[at as usize] == mac[at as usize]
            })
        })
    };
    for octet in 0..=255 {
        assert!(passes([0, 0, 0x5e, 0, 1, octet]));
        assert!(passes([0, 0, 0x5e, 0, 2, octet]));
        assert!(!passes([0, 0, 0x5e, 0, 3, octet]));
    }
    for at in 0..5 {
        let mut other = VMAC.0;
        other[at] ^= 0x10;
        assert!(!passes(other));
    }
}

/// Where a device fills a checksum in, zero is there; everything else stays as it is.
#[test]
fn checksums_are_left_to_the_device() {
    let with_zero = |frame: &[u8], at: usize| {
        let mut frame = frame.to_vec();
        assert_ne!(frame[at..at + 2], [0, 0]);
        frame[at..at + 2].fill(0);
        frame
    };
    let group = Ipv4Addr::new(224, 0, 0, 18);
    let v4 = written(|buf| igmp::emit(buf, OWN, OWN_V4, group, igmp::Message::Report));
    let ndp = written(|buf| ndisc::emit_solicitation(buf, OWN, v6("fe80::6"), v6(ASKER_V6)));
    let listener = mld::Message::Join;
    let mld = written(|buf| mld::emit(buf, OWN, v6("fe80::6"), v6("ff02::12"), listener, false));
    let arp = written(|buf| arp::emit_request(buf, OWN, OWN_V4, ASKER_V4));
    for (frame, of_v4, of_icmpv6) in [
        (&v4, Some(24), None),
        (&ndp, None, Some(56)),
        (&mld, None, Some(64)),
        (&arp, None, None),
    ] {
        for (ipv4, icmpv6) in [(false, false), (true, false), (false, true), (true, true)] {
            let at = of_v4.filter(|_| ipv4).or(of_icmpv6.filter(|_| icmpv6));
            let expected = at.map_or(frame.clone(), |at| with_zero(frame, at));
            let mut left = frame.clone();
            zero_checksums(&mut left, ipv4, icmpv6);
            assert_eq!(left, expected);
        }
    }
    // Cut short, nothing is out of bounds.
    for frame in [&v4, &ndp, &mld, &arp] {
        for len in 0..frame.len() {
            let mut short = frame[..len].to_vec();
            zero_checksums(&mut short, true, true);
        }
    }
}

/// Another host announces an address before its advertisement arrives: to answer would be to say that
/// it still lives here, and to teach the stack another MAC for an address of its own.
#[test]
fn a_gratuitous_arp_is_no_question() {
    let mut scene = v4_scene(ALIVE);
    let announcement = written(|buf| arp::emit_gratuitous(buf, ASKER, SERVICE));
    let mut buf = [0; 172];
    let received = scene.gate.receive(scene.now, &announcement, &mut buf);
    assert_eq!(received, Received::Discarded(Discard::BadSolicitation));
    scene.run_ms(60_000);
    assert_eq!(scene.probes, []);
}
