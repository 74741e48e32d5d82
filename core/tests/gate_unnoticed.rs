//! The gate's groups and questions: what mutations of the code had gone unnoticed in.

#[path = "common/gate.rs"]
mod common;
#[path = "golden/load.rs"]
mod load;

use std::net::{Ipv4Addr, Ipv6Addr};

use common::{ms, written};
use load::{checksum, frame};
use vrrp_core::gate::{Action, Addressee, Discard, Gate, GateKey, Received, max_frame_len};
use vrrp_core::wire::{igmp, mld};
use vrrp_core::*;

const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 6]);
const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 6);
const SERVICE: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 80);
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const VMAC: MacAddr = MacAddr([0, 0, 0x5e, 0, 1, 7]);

struct Line {
    gate: Gate<4, 8>,
    now: Instant,
    sent: Vec<(u64, Vec<u8>)>,
}

fn igmp_of(message: igmp::Message) -> Vec<u8> {
    written(|buf| igmp::emit(buf, OWN, OWN_V4, GROUP_V4, message))
}

fn mld_of(group: &str, message: mld::Message, v1: bool) -> Vec<u8> {
    let source = "fe80::6".parse().unwrap();
    written(|buf| mld::emit(buf, OWN, source, group.parse().unwrap(), message, v1))
}

/// A general query of version 1, or of version 2 with a delay in tenths of a second; for a group.
fn igmp_query(tenths: u8, group: Ipv4Addr) -> Vec<u8> {
    let mut frame = igmp_of(igmp::Message::Report);
    frame[38..40].copy_from_slice(&[0x11, tenths]);
    frame[40..42].fill(0);
    frame[42..46].copy_from_slice(&group.octets());
    let field = checksum(&[&frame[38..46]]);
    frame[40..42].copy_from_slice(&field);
    frame
}

fn udp(source: [u8; 4]) -> Vec<u8> {
    let mut ip = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    ip.extend(source);
    ip.extend(SERVICE.octets());
    let field = checksum(&[&ip]);
    ip[10..12].copy_from_slice(&field);
    ip.extend([0, 7, 0, 7, 0, 8, 0, 0]);
    [&VMAC.0[..], &OWN.0, &[8, 0], &ip].concat()
}

impl Line {
    /// One virtual router that accepts packets, on an interface that is up.
    fn new(addresses: &[&str], priority: u8) -> Line {
        let mut gate = Gate::new(1);
        let state = InterfaceState {
            up: true,
            mac: OWN,
            ipv4: Some(OWN_V4),
            ipv6: Some("fe80::6".parse().unwrap()),
        };
        gate.set_interface(ms(0), state);
        let mut line = Line {
            gate,
            now: ms(0),
            sent: Vec::new(),
        };
        let (key, list) = line.config(addresses);
        let config = Self::with(&list, priority);
        line.gate.admin(ms(0)).insert(key, &config).unwrap();
        line.drain();
        line
    }

    fn config(&self, addresses: &[&str]) -> (GateKey, Vec<VirtualAddress>) {
        let list: Vec<VirtualAddress> = addresses
            .iter()
            .map(|text| VirtualAddress {
                address: text.parse().unwrap(),
                prefix_len: 24,
            })
            .collect();
        let family = Family::of(list[0].address);
        (GateKey::new(Vrid::new(7).unwrap(), family), list)
    }

    fn with(list: &[VirtualAddress], priority: u8) -> VrConfig<'_> {
        VrConfig {
            settings: VrSettings {
                priority: Priority::new(priority).unwrap(),
                accept: true,
                announce: Announce {
                    repeats: 0,
                    ..Announce::DEFAULT
                },
                ..VrSettings::DEFAULT
            },
            addresses: list,
            ..VrConfig::DEFAULT
        }
    }

    fn reconfigure(&mut self, addresses: &[&str]) {
        let (key, list) = self.config(addresses);
        let config = Self::with(&list, 254);
        self.gate.admin(self.now).reconfigure(key, &config).unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        let mut buf = [0; max_frame_len(8)];
        while let Some(action) = self.gate.poll(self.now, true, &mut buf) {
            if let Action::Send(frame) = action {
                let at = self.now.as_micros() / 1_000;
                self.sent.push((at, frame.to_vec()));
            }
        }
    }

    fn at(&mut self, end_ms: u64) -> &mut Self {
        while let Some(due) = self.gate.poll_timeout().filter(|at| *at <= ms(end_ms)) {
            self.now = due;
            self.gate.handle_timeout(due);
            self.drain();
        }
        self.now = ms(end_ms);
        self
    }

    fn hear(&mut self, frame: &[u8]) -> &mut Self {
        let mut buf = [0; 172];
        let _ = self.gate.receive(self.now, frame, &mut buf);
        self.drain();
        self
    }

    fn set_interface(&mut self, change: impl FnOnce(&mut InterfaceState)) {
        let mut state = self.gate.interface();
        change(&mut state);
        self.gate.set_interface(self.now, state);
    }

    /// When `frame` was sent since this was last asked about anything.
    fn when(&mut self, frame: &[u8]) -> Vec<u64> {
        let sent = std::mem::take(&mut self.sent);
        let same = sent.into_iter().filter(|(_, f)| f == frame);
        same.map(|(at, _)| at).collect()
    }
}

#[test]
fn a_link_that_was_away_unseen_hears_of_the_groups_again() {
    let report = igmp_of(igmp::Message::Report);
    let mut line = Line::new(&["10.10.10.80"], 100);
    line.at(20_000).sent.clear();
    // Nothing was taken while it was down.
    line.set_interface(|state| state.up = false);
    line.set_interface(|state| state.up = true);
    line.drain();
    assert_eq!(line.at(29_900).when(&report)[0], 20_000);
}

#[test]
fn another_address_of_the_interface_is_no_reason_to_report() {
    let report = igmp_of(igmp::Message::Report);
    let mut line = Line::new(&["10.10.10.80"], 100);
    line.at(20_000).sent.clear();
    line.set_interface(|state| state.ipv6 = Some("fe80::7".parse().unwrap()));
    line.drain();
    assert_eq!(line.at(40_000).when(&report), []);
}

#[test]
fn a_group_that_is_left_is_said_to_be_when_the_device_can_send() {
    let leave = igmp_of(igmp::Message::Leave);
    let mut line = Line::new(&["10.10.10.80"], 100);
    // Still Backup, which leaves at once.
    line.at(1_000).sent.clear();
    let (key, _) = line.config(&["10.10.10.80"]);
    line.gate.admin(line.now).remove(key).unwrap();
    let mut buf = [0; max_frame_len(8)];
    while let Some(action) = line.gate.poll(ms(1_000), false, &mut buf) {
        assert!(!matches!(action, Action::Send(_)), "{action:?}");
    }
    line.drain();
    assert_eq!(line.when(&leave), [1_000]);
}

#[test]
fn a_group_that_was_left_with_the_link_is_not_spoken_of() {
    let mut line = Line::new(&["10.10.10.80"], 100);
    line.at(20_000).sent.clear();
    line.set_interface(|state| state.up = false);
    line.drain();
    line.at(30_000);
    assert_eq!(line.sent, []);
}

#[test]
fn a_querier_of_igmp_version_1_is_told_in_its_words_for_400_seconds() {
    // RFC 2236 section 4
    let (report, old) = (
        igmp_of(igmp::Message::Report),
        igmp_of(igmp::Message::ReportV1),
    );
    let asked = igmp_query(10, Ipv4Addr::UNSPECIFIED);
    let mut line = Line::new(&["10.10.10.80"], 100);
    line.at(20_000).sent.clear();
    line.hear(&igmp_query(0, Ipv4Addr::UNSPECIFIED)).at(40_000);
    assert_eq!(line.when(&old).len(), 1);
    line.at(419_000).hear(&asked);
    assert_eq!(line.at(420_500).when(&old).len(), 1);
    line.at(421_000).hear(&asked);
    assert_eq!(line.at(423_000).when(&report).len(), 1);

    // Which knows no leaving; a later one does.
    let leave = igmp_of(igmp::Message::Leave);
    for (querier, expected) in [(0, 0), (10, 1)] {
        let mut line = Line::new(&["10.10.10.80"], 100);
        line.at(1_000).hear(&igmp_query(querier, GROUP_V4));
        let (key, _) = line.config(&["10.10.10.80"]);
        line.gate.admin(line.now).remove(key).unwrap();
        line.drain();
        assert_eq!(line.when(&leave).len(), expected);
    }
}

#[test]
fn a_query_for_another_group_is_not_answered() {
    let report = igmp_of(igmp::Message::Report);
    let mut line = Line::new(&["10.10.10.80"], 100);
    line.at(20_000).sent.clear();
    line.hear(&igmp_query(10, Ipv4Addr::new(224, 0, 0, 251)));
    assert_eq!(line.at(30_000).when(&report), []);
    line.hear(&igmp_query(10, GROUP_V4));
    assert_eq!(line.at(40_000).when(&report).len(), 1);
}

#[test]
fn a_query_that_leaves_less_time_brings_the_answer_forward() {
    let report = igmp_of(igmp::Message::Report);
    let mut line = Line::new(&["10.10.10.80"], 100);
    line.at(20_000).sent.clear();
    // Within 25.5 s, of which the hosts of a segment take random parts; and within 0.1 s.
    line.hear(&igmp_query(255, Ipv4Addr::UNSPECIFIED));
    line.hear(&igmp_query(1, Ipv4Addr::UNSPECIFIED));
    let answers = line.at(60_000).when(&report);
    assert_eq!(answers.len(), 1);
    assert!((20_050..=20_100).contains(&answers[0]), "{answers:?}");
}

#[test]
fn a_querier_of_mld_version_1_is_remembered_for_260_seconds() {
    // RFC 3810 section 9.12
    let mut line = Line::new(&["fe80::a:80"], 100);
    let old = mld_of("ff02::12", mld::Message::Listening, true);
    line.at(20_000).sent.clear();
    line.hear(&frame("groups/mld_query_v1")).at(30_000);
    // Not all at once.
    let answers = line.when(&old);
    assert_eq!(answers.len(), 1);
    assert!((20_050..=21_000).contains(&answers[0]), "{answers:?}");
    line.at(279_000).hear(&frame("groups/mld_query"));
    assert_eq!(line.at(280_500).when(&old).len(), 1);
    line.at(281_000).hear(&frame("groups/mld_query"));
    let new = mld_of("ff02::12", mld::Message::Listening, false);
    assert_eq!(line.at(283_000).when(&new).len(), 1);
}

#[test]
fn an_older_querier_is_told_of_leaving_in_its_words_until_its_time_is_over() {
    for (after, v1) in [(259_999, true), (260_000, false)] {
        let mut line = Line::new(&["fe80::a:80", "2001:db8::80"], 254);
        line.at(20_000).hear(&frame("groups/mld_query_v1"));
        line.at(20_000 + after).sent.clear();
        line.reconfigure(&["fe80::a:80"]);
        let leave = mld_of("ff02::1:ff00:80", mld::Message::Leave, v1);
        assert_eq!(line.when(&leave), [20_000 + after]);
    }
    let leave = igmp_of(igmp::Message::Leave);
    for (after, count) in [(399_999, 0), (400_000, 1)] {
        let mut line = Line::new(&["10.10.10.80"], 254);
        line.at(20_000);
        let worse = VrConfig {
            settings: VrSettings {
                start_delay: Duration::from_secs(3_600),
                ..VrSettings::DEFAULT
            },
            addresses: &line.config(&["10.10.10.80"]).1,
            ..VrConfig::DEFAULT
        };
        // One more that only listens.
        let key = GateKey::new(Vrid::new(8).unwrap(), Family::Ipv4);
        let (first, _) = line.config(&["10.10.10.80"]);
        line.gate.admin(line.now).remove(first).unwrap();
        line.drain();
        line.at(25_000);
        line.gate.admin(line.now).insert(key, &worse).unwrap();
        line.drain();
        line.hear(&igmp_query(0, Ipv4Addr::UNSPECIFIED));
        line.at(25_000 + after).sent.clear();
        line.gate.admin(line.now).remove(key).unwrap();
        line.drain();
        assert_eq!(line.when(&leave).len(), count);
    }
}

#[test]
fn addresses_of_ipv4_have_no_group_of_ipv6() {
    let mut line = Line::new(&["10.10.10.80"], 254);
    line.at(10_000).sent.clear();
    line.hear(&frame("groups/mld_query")).at(13_000);
    let v6 = line.sent.iter().find(|(_, f)| f[12..14] == [0x86, 0xdd]);
    assert_eq!(v6, None);
}

#[test]
fn joining_is_said_again_after_a_moment() {
    let join = mld_of("ff02::12", mld::Message::Join, false);
    let mut line = Line::new(&["fe80::a:80"], 100);
    let said = line.at(3_000).when(&join);
    assert_eq!((said.len(), said[0]), (2, 0));
    assert!((50..=1_000).contains(&said[1]), "{said:?}");
}

#[test]
fn the_hosts_of_a_segment_do_not_all_answer_at_once() {
    let report = igmp_of(igmp::Message::Report);
    let mut answers = Vec::new();
    for seed in 0..40 {
        let mut line = Line::new(&["10.10.10.80"], 100);
        line.gate = Gate::new(seed);
        line.now = ms(0);
        let state = InterfaceState {
            up: true,
            mac: OWN,
            ipv4: Some(OWN_V4),
            ipv6: None,
        };
        line.gate.set_interface(ms(0), state);
        let (key, list) = line.config(&["10.10.10.80"]);
        line.gate
            .admin(ms(0))
            .insert(key, &Line::with(&list, 100))
            .unwrap();
        line.drain();
        line.at(20_000).sent.clear();
        line.hear(&igmp_query(100, Ipv4Addr::UNSPECIFIED));
        answers.push(line.at(40_000).when(&report)[0] - 20_000);
    }
    let early = answers.iter().filter(|at| **at < 5_000).count();
    assert!((8..=32).contains(&early), "{answers:?}");
    answers.sort_unstable();
    answers.dedup();
    assert!(answers.len() > 30, "{answers:?}");
    assert!(answers.iter().all(|at| (50..=10_000).contains(at)));
}

#[test]
fn a_group_that_two_addresses_share_stays_until_the_last_has_gone() {
    let (shared, own) = ("ff02::1:ff00:80", "ff02::1:ff0a:80");
    let leave = |group| mld_of(group, mld::Message::Leave, false);
    let mut line = Line::new(&["fe80::a:80", "2001:db8::80", "2001:db8::b:0:80"], 254);
    line.at(20_000).sent.clear();
    line.reconfigure(&["fe80::a:80", "2001:db8::80"]);
    assert_eq!(line.when(&leave(shared)), []);
    line.reconfigure(&["fe80::a:80"]);
    assert_eq!(line.when(&leave(shared)), [20_000]);
    assert_eq!(line.when(&leave(own)), []);
}

/// The last octet of whom the gate asks for, as each packet comes.
fn asked(line: &mut Line, source: [u8; 4]) -> Option<u8> {
    line.sent.clear();
    line.hear(&udp(source));
    let arp = line.sent.iter().find(|(_, f)| f[12..14] == [0x08, 0x06]);
    arp.map(|(_, f)| f[41])
}

#[test]
fn neighbours_are_asked_for_again_when_an_address_has_come() {
    let mut line = Line::new(&["10.10.10.80"], 254);
    line.at(10_000);
    assert_eq!(asked(&mut line, [10, 10, 10, 9]), Some(9));
    line.at(10_100);
    assert_eq!(asked(&mut line, [10, 10, 10, 9]), None);
    // The stack forgets whom it knew when it gets an address.
    line.reconfigure(&["10.10.10.80", "10.10.10.81"]);
    assert_eq!(asked(&mut line, [10, 10, 10, 9]), Some(9));
}

#[test]
fn five_milliseconds_lie_between_two_questions() {
    let mut line = Line::new(&["10.10.10.80"], 254);
    line.at(10_000);
    assert_eq!(asked(&mut line, [10, 10, 10, 9]), Some(9));
    line.at(10_004);
    assert_eq!(asked(&mut line, [10, 10, 10, 10]), None);
    line.at(10_005);
    assert_eq!(asked(&mut line, [10, 10, 10, 10]), Some(10));
}

#[test]
fn most_neighbours_of_a_network_are_told_apart() {
    // Sixteen are remembered, a hash each: two of one place are asked for in turn, and none is
    // taken for another.
    let mut line = Line::new(&["10.10.10.80"], 254);
    for round in 0..2u64 {
        let mut again = 0;
        for host in 1..=12u8 {
            line.at(10_000 + 1_000 * round + 10 * u64::from(host));
            again += u8::from(asked(&mut line, [10, 10, 10, host * 16 + 3]).is_some());
        }
        match round {
            0 => assert_eq!(again, 12),
            _ => assert!(again <= 8, "{again} were forgotten"),
        }
    }
}

fn judged(line: &mut Line, frame: &[u8]) -> Result<Addressee, Discard> {
    let mut buf = [0; 172];
    match line.gate.receive(line.now, frame, &mut buf) {
        Received::Stack { to, .. } => Ok(to),
        Received::Discarded(reason) => Err(reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_stack_is_shown_its_own_mac() {
    let line = Line::new(&["10.10.10.80"], 254);
    let mut frame = udp([10, 10, 10, 9]);
    line.gate.show_own_mac(&mut frame);
    assert_eq!(frame[..6], OWN.0);
    assert_eq!(frame[6..], udp([10, 10, 10, 9])[6..]);
}

#[test]
fn answers_of_neighbours_go_to_the_stack_that_asked() {
    let mut line = Line::new(&["10.10.10.80"], 254);
    line.at(10_000);
    let mut reply = vec![0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 10, 10, 10, 9];
    reply.extend(VMAC.0);
    reply.extend(SERVICE.octets());
    let frame = [&VMAC.0[..], &[2, 0, 0, 0, 0, 9, 8, 6], &reply].concat();
    assert_eq!(
        judged(&mut line, &frame),
        Ok(Addressee::Virtual(SERVICE.into()))
    );
}

/// A neighbour advertisement of fe80::9.
fn advertised(to_mac: [u8; 6], to: &str, target: &str) -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let mut icmp = vec![136, 0, 0, 0, 0x60, 0, 0, 0];
    icmp.extend(address(target));
    icmp.extend([2, 1, 2, 0, 0, 0, 0, 9]);
    let pseudo = [0, 0, 0, icmp.len() as u8, 0, 0, 0, 58];
    let field = checksum(&[&address("fe80::9"), &address(to), &pseudo, &icmp]);
    icmp[2..4].copy_from_slice(&field);
    let fixed = [0x60, 0, 0, 0, 0, icmp.len() as u8, 58, 255];
    let packet = [&fixed[..], &address("fe80::9"), &address(to), &icmp].concat();
    [&to_mac[..], &[2, 0, 0, 0, 0, 9, 0x86, 0xdd], &packet].concat()
}

#[test]
fn news_of_neighbours_go_to_whom_they_concern() {
    let served = "2001:db8::80";
    let mut line = Line::new(&["fe80::a:80", served], 254);
    line.at(10_000);
    let all = advertised([0x33, 0x33, 0, 0, 0, 1], "ff02::1", "fe80::9");
    assert_eq!(judged(&mut line, &all), Ok(Addressee::All));
    let vmac6 = [0, 0, 0x5e, 0, 2, 7];
    for target in ["2001:db8::9", served] {
        let one = advertised(vmac6, served, target);
        let to = Addressee::Virtual(served.parse().unwrap());
        assert_eq!(judged(&mut line, &one), Ok(to));
    }
}

#[test]
fn an_address_that_is_the_interfaces_own_stays_reachable_while_it_is_not_served() {
    let mut line = Line::new(&["fe80::6", "2001:db8::80"], 100);
    let to = |address| advertised(OWN.0, address, "fe80::9");
    assert_eq!(judged(&mut line, &to("fe80::6")), Ok(Addressee::Own));
    let other = judged(&mut line, &to("2001:db8::80"));
    assert_eq!(other, Err(Discard::ToUnserved));
}

#[test]
fn an_ipv4_address_is_not_taken_for_the_beginning_of_an_ipv6_one() {
    let mut line = Line::new(&["2001:db8::80"], 100);
    let mut frame = udp([10, 10, 10, 9]);
    frame[..6].copy_from_slice(&OWN.0);
    frame[30..34].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    assert_eq!(judged(&mut line, &frame), Ok(Addressee::Own));
}

#[test]
fn a_long_delay_of_mld_is_a_floating_point_number() {
    // RFC 3810 section 5.1.3
    let query = frame("groups/mld_query");
    for (code, millis) in [
        (0x7fff, 0x7fff),
        (0x8000, 0x8000),
        (0x8fff, 0x1fff << 3),
        (0x9123, 0x1123 << 4),
        (0xf000, 0x1000 << 10),
    ] {
        let mut packet = query[14..].to_vec();
        let (head, icmp) = packet.split_at_mut(48);
        icmp[4..6].copy_from_slice(&u16::to_be_bytes(code));
        icmp[2..4].fill(0);
        let pseudo = [0, 0, 0, icmp.len() as u8, 0, 0, 0, 58];
        let field = checksum(&[&head[8..40], &pseudo, icmp]);
        icmp[2..4].copy_from_slice(&field);
        let heard = mld::Query::new(&packet).expect("a query");
        assert_eq!(
            heard.max_response,
            Duration::from_millis(millis),
            "{code:x}"
        );
    }
}

/// A message of neighbour discovery from the served address, whose options carry these MACs.
fn discovery(kind: u8, fixed: usize, options: &[(u8, MacAddr)]) -> Vec<u8> {
    let address = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let (source, destination) = (address("2001:db8::80"), address("ff02::2"));
    let mut icmp = vec![0; fixed];
    icmp[0] = kind;
    for (kind, mac) in options {
        icmp.extend([*kind, 1]);
        icmp.extend(mac.0);
    }
    let pseudo = [0, 0, 0, icmp.len() as u8, 0, 0, 0, 58];
    let field = checksum(&[&source, &destination, &pseudo, &icmp]);
    icmp[2..4].copy_from_slice(&field);
    let fixed = [0x60, 0, 0, 0, 0, icmp.len() as u8, 58, 255];
    let packet = [&fixed[..], &source, &destination, &icmp].concat();
    [
        &[0x33, 0x33, 0, 0, 0, 2],
        &OWN.0[..],
        &[0x86, 0xdd],
        &packet,
    ]
    .concat()
}

#[test]
fn every_message_of_neighbour_discovery_names_the_virtual_mac_and_nothing_else_is_changed() {
    const VMAC6: MacAddr = MacAddr([0, 0, 0x5e, 0, 2, 7]);
    const OTHER: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);
    let mut line = Line::new(&["fe80::a:80", "2001:db8::80"], 254);
    line.at(10_000);
    // Engine solicitation and advertisement, neighbour solicitation.
    for (kind, fixed) in [(133, 8), (134, 16), (135, 24)] {
        // Source, target, a nonce (RFC 3971) that happens to be our MAC, and somebody else.
        let options = |mac| [(1, mac), (2, mac), (14, OWN), (1, OTHER)];
        let mut frame = discovery(kind, fixed, &options(OWN));
        let mut expected = discovery(kind, fixed, &options(VMAC6));
        expected[6..12].copy_from_slice(&VMAC6.0);
        assert_eq!(line.gate.send(&mut frame), Ok(()));
        assert_eq!(frame, expected, "{kind}");
    }
}

#[test]
fn reports_say_where_their_parts_begin() {
    let mut buf = [0; 172];
    let report = igmp::emit(&mut buf, OWN, OWN_V4, GROUP_V4, igmp::Message::Report).unwrap();
    assert_eq!((report.ip_offset, report.payload_offset), (14, 38));
    let source = "fe80::6".parse().unwrap();
    let group = "ff02::12".parse().unwrap();
    let report = mld::emit(&mut buf, OWN, source, group, mld::Message::Join, false).unwrap();
    // Behind the hop-by-hop options.
    assert_eq!((report.ip_offset, report.payload_offset), (14, 62));
}
