//! The platform against FreeBSD's kernel, each test in a jail with a network stack of its own.
//! Needs root. Run without arguments it runs every test in a process of its own and prints what
//! passed; with the name of a test, that one alone.
#![cfg(target_os = "freebsd")]

#[path = "../../linux/tests/common/frames.rs"]
#[allow(dead_code, unreachable_pub)]
mod frames;

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use frames::*;
use vrrp_core::{
    Failure, Family, FrameKind, InterfaceState, MacAddr, MacMode, Transmit, VirtualAddress, VrKey,
    Vrid,
};
use vrrp_freebsd::testing::{self, RawPort, wait_readable};
use vrrp_freebsd::{FreebsdPlatform, Options};
use vrrp_host::{Incoming, Platform, VrSetup};

type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("adverts_are_sent_and_heard", adverts_are_sent_and_heard),
    (
        "the_virtual_mac_alone_answers_arp",
        the_virtual_mac_alone_answers_arp,
    ),
    (
        "the_virtual_mac_alone_answers_solicitations",
        the_virtual_mac_alone_answers_solicitations,
    ),
    (
        "several_virtual_macs_live_on_one_interface",
        several_virtual_macs_live_on_one_interface,
    ),
    (
        "a_carrier_is_silent_before_and_after",
        a_carrier_is_silent_before_and_after,
    ),
    (
        "with_the_interfaces_own_mac_it_answers",
        with_the_interfaces_own_mac_it_answers,
    ),
    (
        "the_virtual_mac_replaces_the_interfaces_own",
        the_virtual_mac_replaces_the_interfaces_own,
    ),
    (
        "the_host_stays_reachable_behind_the_bridge",
        the_host_stays_reachable_behind_the_bridge,
    ),
    (
        "a_second_master_shuts_no_link",
        a_second_master_shuts_no_link,
    ),
    (
        "without_accept_the_questions_come_to_the_host",
        without_accept_the_questions_come_to_the_host,
    ),
    (
        "what_others_remove_is_reported",
        what_others_remove_is_reported,
    ),
    (
        "an_interface_goes_and_comes_back",
        an_interface_goes_and_comes_back,
    ),
    (
        "an_address_that_was_there_stays",
        an_address_that_was_there_stays,
    ),
    (
        "an_address_of_the_interface_is_no_virtual_one",
        an_address_of_the_interface_is_no_virtual_one,
    ),
    (
        "what_a_killed_process_left_is_removed",
        what_a_killed_process_left_is_removed,
    ),
    ("unicast_goes_by_the_kernel", unicast_goes_by_the_kernel),
    (
        "a_bridge_that_others_remove_is_built_again",
        a_bridge_that_others_remove_is_built_again,
    ),
    ("a_vlan_serves", a_vlan_serves),
    ("a_lagg_serves", a_lagg_serves),
    ("what_carp_has_is_refused", what_carp_has_is_refused),
    ("a_busy_hook_is_refused", a_busy_hook_is_refused),
    ("a_changed_mac_is_noticed", a_changed_mac_is_noticed),
];

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const A0: u32 = 700;
const SOON: Duration = Duration::from_millis(150);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [word, directory] = args.as_slice()
        && word == "hold"
    {
        hold(directory);
    }
    if let [name] = args.as_slice()
        && let Some((name, test)) = TESTS.iter().find(|(n, _)| n == name)
    {
        let jail = format!("vrrp-{}", std::process::id());
        testing::make_jail(&jail, true).expect("this test needs root and VIMAGE");
        test();
        println!("test {name} ... ok");
        return ExitCode::SUCCESS;
    }
    for module in [
        "carp",
        "if_lagg",
        "if_vlan",
        "if_epair",
        "ng_socket",
        "ng_ether",
        "ng_bridge",
        "ng_eiface",
    ] {
        if let Err(error) = testing::need_module(module) {
            eprintln!("cannot load {module}: {error}");
        }
    }
    let me = std::env::current_exe().expect("our own name");
    let mut failed = 0;
    for (name, _) in TESTS {
        let status = Command::new(&me).arg(name).status().expect("a process");
        if !status.success() {
            println!("test {name} ... FAILED");
            failed += 1;
        }
    }
    println!("\n{} passed, {failed} failed", TESTS.len() - failed);
    ExitCode::from(u8::from(failed > 0))
}

/// A cable `a0` (10.0.0.2/24) to `a1`, where the neighbour without a stack is.
fn enter() -> RawPort {
    // Entered for the second time it has the address.
    let _ = testing::add_address("lo0", [127, 0, 0, 1].into(), 8);
    testing::set_up("lo0", true).unwrap();
    testing::make_cable([("a0", OWN), ("a1", [2, 0, 0, 0, 0, 0x98])]).unwrap();
    testing::add_address("a0", [10, 0, 0, 2].into(), 24).unwrap();
    let wire = RawPort::open("a1").unwrap();
    wire.hear(SOON).unwrap();
    wire
}

fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("vrrp-freebsd-{}", std::process::id()))
}

fn open_at(runtime_dir: PathBuf) -> FreebsdPlatform {
    let mut platform = FreebsdPlatform::open(Options { runtime_dir }).unwrap();
    platform.watch(A0, "a0").unwrap();
    platform
}

fn open() -> FreebsdPlatform {
    open_at(directory())
}

fn key(family: Family, vrid: u8) -> VrKey {
    VrKey {
        ifindex: A0,
        vrid: Vrid::new(vrid).unwrap(),
        family,
    }
}

fn vip(address: &str, prefix_len: u8) -> VirtualAddress {
    VirtualAddress {
        address: address.parse().unwrap(),
        prefix_len,
    }
}

fn setup(key: VrKey, mac_mode: MacMode, address: VirtualAddress) -> VrSetup {
    VrSetup {
        key,
        mac_mode,
        replace_mac: false,
        accept: true,
        addresses: vec![(address, None)],
        unicast: false,
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Interface(InterfaceState),
    Lost(Failure),
    Frame(Vec<u8>),
}

/// Receives until nothing has come for `quiet`.
fn receive(platform: &mut FreebsdPlatform, quiet: Duration) -> Vec<Came> {
    let mut all = Vec::new();
    let mut idle = 0;
    while idle < 3 {
        platform.set_wakeup(None).unwrap();
        if !wait_readable(platform.fd(), quiet / 3).unwrap() {
            idle += 1;
            continue;
        }
        let before = all.len();
        platform
            .receive(&mut |incoming| {
                all.push(match incoming {
                    Incoming::Interface { state, .. } => Came::Interface(state),
                    Incoming::Lost(failure) => Came::Lost(failure),
                    Incoming::Frame { frame, .. } => Came::Frame(frame.to_vec()),
                });
            })
            .unwrap();
        idle = if all.len() > before { 0 } else { idle + 1 };
    }
    all
}

fn lost(came: &[Came]) -> Vec<Failure> {
    let lost = came.iter().filter_map(|c| match c {
        Came::Lost(failure) => Some(*failure),
        _ => None,
    });
    lost.collect()
}

fn heard(came: Vec<Came>) -> Vec<Vec<u8>> {
    let frames = came.into_iter().filter_map(|c| match c {
        Came::Frame(frame) => Some(frame),
        _ => None,
    });
    frames.collect()
}

fn last_state(came: &[Came]) -> Option<InterfaceState> {
    let states = came.iter().filter_map(|c| match c {
        Came::Interface(state) => Some(*state),
        _ => None,
    });
    states.last()
}

fn take_up(platform: &mut FreebsdPlatform, setup: &VrSetup) {
    let mac = setup.key.virtual_mac();
    if setup.mac_mode == MacMode::Virtual {
        platform.set_mac(setup.key, mac, true).unwrap();
    }
    for (address, _) in &setup.addresses {
        platform
            .set_address(setup.key, *address, setup.accept, true)
            .unwrap();
    }
    platform.flush();
}

fn give_up(platform: &mut FreebsdPlatform, setup: &VrSetup) {
    for (address, _) in &setup.addresses {
        platform
            .set_address(setup.key, *address, setup.accept, false)
            .unwrap();
    }
    if setup.mac_mode == MacMode::Virtual {
        platform
            .set_mac(setup.key, setup.key.virtual_mac(), false)
            .unwrap();
    }
    platform.flush();
}

/// Asks who has `target`. Gives the source MAC and the claimed MAC of each answer.
fn ask(wire: &RawPort, target: [u8; 4]) -> Vec<(MacAddr, MacAddr)> {
    wire.hear(Duration::ZERO).unwrap();
    wire.send(&arp_request(target)).unwrap();
    let heard = wire.hear(Duration::from_millis(300)).unwrap();
    let replies = heard
        .iter()
        .filter(|f| f[12..14] == [8, 6] && f[21] == 2 && f[28..32] == target);
    replies.map(|f| (mac(&f[6..12]), mac(&f[22..28]))).collect()
}

/// Solicits a target, lets the host answer as the engine would, and gives every answer.
fn solicit(
    wire: &RawPort,
    platform: &mut FreebsdPlatform,
    source: &str,
    target: &str,
) -> (usize, Vec<(MacAddr, MacAddr)>) {
    let target: Ipv6Addr = target.parse().unwrap();
    wire.hear(Duration::ZERO).unwrap();
    let mut question = solicitation(target);
    let source: Ipv6Addr = source.parse().unwrap();
    question[22..38].copy_from_slice(&source.octets());
    refresh_checksum(&mut question);
    wire.send(&question).unwrap();
    let passed = heard(receive(platform, SOON)).len();
    let heard = wire.hear(Duration::from_millis(300)).unwrap();
    let replies = heard
        .iter()
        .filter(|f| f.len() >= 86 && f[20] == 58 && f[54] == 136 && f[62..78] == target.octets());
    (
        passed,
        replies.map(|f| (mac(&f[6..12]), mac(&f[80..86]))).collect(),
    )
}

/// Sets the checksum of an ICMPv6 message behind Ethernet and IPv6 headers.
fn refresh_checksum(frame: &mut [u8]) {
    frame[56..58].fill(0);
    let len = (frame.len() - 54) as u32;
    let pseudo = [&frame[22..54], &len.to_be_bytes(), &[0, 0, 0, 58]].concat();
    let words = pseudo.chunks(2).chain(frame[54..].chunks(2));
    let mut sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    frame[56..58].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}

fn speak(platform: &mut FreebsdPlatform, key: VrKey, frame: &[u8]) {
    platform.transmit(&Transmit {
        key,
        frame,
        ip_offset: 14,
        payload_offset: 34,
        kind: FrameKind::Advertisement,
        unicast: None,
    });
    platform.flush();
}

fn group_frame(from: MacAddr, mark: u8) -> Vec<u8> {
    frame_from(from.0, Family::Ipv4.group_mac(), 0x0800, &advert(mark))
}

fn names() -> Vec<String> {
    let world = testing::world().unwrap();
    world.into_iter().map(|(name, ..)| name).collect()
}

fn addresses(device: &str) -> Vec<String> {
    let world = testing::world().unwrap();
    let found = world.into_iter().find(|(name, ..)| name == device);
    found.map(|(.., addresses)| addresses).unwrap_or_default()
}

fn mac_of(device: &str) -> MacAddr {
    let world = testing::world().unwrap();
    world
        .into_iter()
        .find(|(name, ..)| name == device)
        .unwrap()
        .1
}

fn adverts_are_sent_and_heard() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    platform
        .prepare(&setup(key, MacMode::Interface, vip("10.0.0.100", 24)))
        .unwrap();
    let state = last_state(&receive(&mut platform, SOON)).unwrap();
    assert!(state.up);
    assert_eq!(
        (state.mac, state.ipv4),
        (MacAddr(OWN), Some([10, 0, 0, 2].into()))
    );
    let peer = group_frame(MacAddr(NEIGHBOUR), 1);
    wire.send(&peer).unwrap();
    wire.send(&frame(MacAddr::BROADCAST, 0x0800, &[0; 64]))
        .unwrap();
    wire.send(&group_frame(MacAddr(NEIGHBOUR), 2)).unwrap();
    let ours = group_frame(MacAddr(OWN), 3);
    speak(&mut platform, key, &ours);
    let came = heard(receive(&mut platform, SOON));
    assert_eq!(
        came.len(),
        2,
        "two adverts, not what else came nor what we sent: {came:02x?}"
    );
    assert_eq!(came[0][..peer.len()], peer);
    assert!(wire.hear(SOON).unwrap().contains(&ours));
    assert_eq!(platform.counters().frames_refused, 0);
}

//= RFC 9568 section 6.4.3, 8.1.2: one MAC answers, and it is the virtual one (M-2, M-3, M-4)
fn the_virtual_mac_alone_answers_arp() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    let name = platform.mac_interface(key).unwrap();
    assert!(name.starts_with("vr4.") && name.ends_with(".7"), "{name}");
    let v4 = [10, 0, 0, 100];
    assert_eq!(ask(&wire, v4), []);
    for _ in 0..2 {
        take_up(&mut platform, &setup);
        assert_eq!(ask(&wire, v4), [(key.virtual_mac(), key.virtual_mac())]);
        // Its own address is still the interface's.
        assert_eq!(ask(&wire, [10, 0, 0, 2]), [(MacAddr(OWN), MacAddr(OWN))]);
        give_up(&mut platform, &setup);
        assert_eq!(ask(&wire, v4), []);
        assert_eq!(ask(&wire, [10, 0, 0, 2]), [(MacAddr(OWN), MacAddr(OWN))]);
    }
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
    drop(platform);
    assert_eq!(names(), ["a0", "a1"]);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(MacAddr(OWN), MacAddr(OWN))]);
}

fn the_virtual_mac_alone_answers_solicitations() {
    let wire = enter();
    testing::add_address("a0", "2001:db8::2".parse().unwrap(), 64).unwrap();
    let mut platform = open();
    let key = key(Family::Ipv6, 7);
    let mut setup = setup(key, MacMode::Virtual, vip("fe80::100", 64));
    setup.addresses.push((vip("2001:db8::100", 64), None));
    platform.prepare(&setup).unwrap();
    receive(&mut platform, SOON);
    let answers = |platform: &mut FreebsdPlatform, source, target| {
        let (passed, kernel) = solicit(&wire, platform, source, target);
        (
            passed,
            kernel.len(),
            kernel
                .into_iter()
                .all(|a| a == (key.virtual_mac(), key.virtual_mac())),
        )
    };
    assert_eq!(answers(&mut platform, "fe80::9", "fe80::100"), (0, 0, true));
    take_up(&mut platform, &setup);
    // From a neighbour with a link-local address the kernel takes the question; the others come here.
    assert_eq!(answers(&mut platform, "fe80::9", "fe80::100"), (0, 1, true));
    assert_eq!(
        answers(&mut platform, "fe80::9", "2001:db8::100"),
        (0, 1, true)
    );
    assert_eq!(
        answers(&mut platform, "2001:db8::9", "2001:db8::100"),
        (1, 0, true)
    );
    give_up(&mut platform, &setup);
    assert_eq!(
        answers(&mut platform, "2001:db8::9", "2001:db8::100"),
        (0, 0, true)
    );
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
}

fn several_virtual_macs_live_on_one_interface() {
    let wire = enter();
    let mut platform = open();
    let setups: Vec<VrSetup> = (1..=9u8)
        .map(|n| {
            setup(
                key(Family::Ipv4, n),
                MacMode::Virtual,
                vip(&format!("10.0.0.{}", 100 + n), 24),
            )
        })
        .collect();
    for setup in &setups {
        platform.prepare(setup).unwrap();
        take_up(&mut platform, setup);
    }
    for (n, setup) in (1u8..).zip(&setups) {
        let mac = setup.key.virtual_mac();
        assert_eq!(ask(&wire, [10, 0, 0, 100 + n]), [(mac, mac)]);
        let advert = group_frame(mac, n);
        speak(&mut platform, setup.key, &advert);
        assert!(wire.hear(SOON).unwrap().contains(&advert), "from {mac}");
    }
    platform.release(setups[0].key);
    let mac = setups[8].key.virtual_mac();
    assert_eq!(ask(&wire, [10, 0, 0, 109]), [(mac, mac)], "the others stay");
}

fn a_carrier_is_silent_before_and_after() {
    let wire = enter();
    let mut platform = open();
    let v4 = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    let v6 = setup(key(Family::Ipv6, 7), MacMode::Virtual, vip("fe80::100", 64));
    wire.hear(Duration::from_secs(2)).unwrap();
    // Whatever does not come from the interface itself, be it a virtual MAC or one in between.
    let foreign = |time| {
        let mut heard = wire.hear(time).unwrap();
        heard.retain(|frame| mac(&frame[6..12]) != MacAddr(OWN));
        heard
    };
    platform.prepare(&v4).unwrap();
    platform.prepare(&v6).unwrap();
    assert_eq!(
        foreign(Duration::from_secs(1)),
        Vec::<Vec<u8>>::new(),
        "prepared"
    );
    take_up(&mut platform, &v4);
    take_up(&mut platform, &v6);
    for frame in foreign(Duration::from_secs(3)) {
        let from = mac(&frame[6..12]);
        assert!(
            [v4.key.virtual_mac(), v6.key.virtual_mac()].contains(&from),
            "{frame:02x?}"
        );
        // The kernel's own gratuitous ARP for the address, or reports of its groups.
        let garp = frame[12..14] == [8, 6] && frame[28..32] == [10, 0, 0, 100];
        let report = frame[12..14] == [0x86, 0xdd] && [131, 132, 143].contains(&frame[62]);
        assert!(garp || report, "{frame:02x?}");
    }
    give_up(&mut platform, &v6);
    give_up(&mut platform, &v4);
    assert_eq!(
        foreign(Duration::from_secs(3)),
        Vec::<Vec<u8>>::new(),
        "given up"
    );
}

fn with_the_interfaces_own_mac_it_answers() {
    let wire = enter();
    testing::add_address("a0", "2001:db8::2".parse().unwrap(), 64).unwrap();
    let mut platform = open();
    let v4 = setup(
        key(Family::Ipv4, 7),
        MacMode::Interface,
        vip("10.0.0.100", 32),
    );
    let v6 = setup(
        key(Family::Ipv6, 7),
        MacMode::Interface,
        vip("2001:db8::100", 64),
    );
    for setup in [&v4, &v6] {
        platform.prepare(setup).unwrap();
        assert_eq!(platform.mac_interface(setup.key), None);
        take_up(&mut platform, setup);
    }
    let own = (MacAddr(OWN), MacAddr(OWN));
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [own]);
    // At once: nobody is asked whether the address is in use.
    let (passed, answers) = solicit(&wire, &mut platform, "2001:db8::9", "2001:db8::100");
    assert_eq!((passed, answers), (0, vec![own]));
    let state = last_state(&receive(&mut platform, SOON));
    assert_eq!(
        state.and_then(|s| s.ipv4),
        None,
        "nothing new to say: {state:?}"
    );
    give_up(&mut platform, &v4);
    give_up(&mut platform, &v6);
    assert_eq!(ask(&wire, [10, 0, 0, 100]), []);
    assert_eq!(addresses("a0"), ["10.0.0.2/24", "2001:db8::2/64"]);
}

fn the_virtual_mac_replaces_the_interfaces_own() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let mut setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 32));
    setup.replace_mac = true;
    platform.prepare(&setup).unwrap();
    assert_eq!(platform.mac_interface(key), None);
    receive(&mut platform, SOON);
    take_up(&mut platform, &setup);
    let mac = key.virtual_mac();
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(mac, mac)]);
    let state = last_state(&receive(&mut platform, SOON)).unwrap();
    assert!(state.up && state.mac == mac, "{state:?}");
    let mut second = setup.clone();
    second.key.vrid = Vrid::new(8).unwrap();
    assert!(platform.prepare(&second).is_err(), "there is room for one");
    give_up(&mut platform, &setup);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(MacAddr(OWN), MacAddr(OWN))]);
    take_up(&mut platform, &setup);
    drop(platform);
    assert_eq!(mac_of("a0"), MacAddr(OWN));
}

fn the_host_stays_reachable_behind_the_bridge() {
    let wire = enter();
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    platform.prepare(&setup).unwrap();
    let ping = |to: MacAddr, target: [u8; 4]| {
        wire.hear(Duration::ZERO).unwrap();
        wire.send(&arp_reply(to)).unwrap();
        wire.send(&echo(to, target)).unwrap();
        let heard = wire.hear(Duration::from_millis(300)).unwrap();
        heard
            .iter()
            .filter(|f| f.len() > 34 && f[23] == 1 && f[34] == 0)
            .count()
    };
    assert_eq!(ping(MacAddr(OWN), [10, 0, 0, 2]), 1, "its own address");
    assert_eq!(
        ping(MacAddr([2, 0, 0, 0, 0, 0x77]), [10, 0, 0, 2]),
        0,
        "for another MAC"
    );
    assert_eq!(
        ping(setup.key.virtual_mac(), [10, 0, 0, 100]),
        0,
        "while Backup"
    );
    take_up(&mut platform, &setup);
    assert_eq!(
        ping(setup.key.virtual_mac(), [10, 0, 0, 100]),
        1,
        "the virtual address"
    );
    assert_eq!(
        ping(MacAddr(OWN), [10, 0, 0, 2]),
        1,
        "its own address still"
    );
    give_up(&mut platform, &setup);
    assert_eq!(
        ping(setup.key.virtual_mac(), [10, 0, 0, 100]),
        0,
        "given up"
    );
    drop(platform);
    assert_eq!(ping(MacAddr(OWN), [10, 0, 0, 2]), 1, "the bridge is gone");
}

/// An unasked answer that tells the host where 10.0.0.9 is.
fn arp_reply(to: MacAddr) -> Vec<u8> {
    let mut reply = arp_request([10, 0, 0, 2]);
    reply[..6].copy_from_slice(&to.0);
    reply[21] = 2;
    reply
}

/// An echo request of 10.0.0.9.
fn echo(to: MacAddr, target: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 36, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9];
    packet.extend(target);
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum);
    let mut message = vec![8, 0, 0, 0, 0, 1, 0, 1];
    message.extend([0x55; 8]);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum);
    packet.extend(message);
    frame(to, 0x0800, &packet)
}

fn checksum(octets: &[u8]) -> [u8; 2] {
    let words = octets.chunks(2);
    let mut sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

fn a_second_master_shuts_no_link() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    let mac = key.virtual_mac();
    for n in 0..20 {
        // The same source MAC from both sides within a moment.
        wire.send(&group_frame(mac, n)).unwrap();
        speak(&mut platform, key, &group_frame(mac, n));
    }
    let came = heard(receive(&mut platform, SOON));
    assert_eq!(came.len(), 20, "the other master is heard");
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(MacAddr(OWN), MacAddr(OWN))]);
    wire.hear(SOON).unwrap();
    speak(&mut platform, key, &group_frame(mac, 99));
    assert!(wire.hear(SOON).unwrap().contains(&group_frame(mac, 99)));
}

//= RFC 9568 section 6.4.3: not accepting is not silence (A-2, A-3, A-5)
fn without_accept_the_questions_come_to_the_host() {
    let wire = enter();
    let mut platform = open();
    for mode in [MacMode::Virtual, MacMode::Interface] {
        let mut setup = setup(key(Family::Ipv4, 7), mode, vip("10.0.0.100", 24));
        setup.accept = false;
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        receive(&mut platform, SOON);
        assert_eq!(ask(&wire, [10, 0, 0, 100]), [], "the kernel is silent");
        let came = heard(receive(&mut platform, SOON));
        assert_eq!(came.len(), 1);
        assert_eq!(came[0][..42], arp_request([10, 0, 0, 100])[..42]);
        assert_eq!(ask(&wire, [10, 0, 0, 101]), []);
        assert_eq!(
            heard(receive(&mut platform, SOON)).len(),
            0,
            "nobody asked for ours"
        );
        give_up(&mut platform, &setup);
        platform.release(setup.key);
    }
}

fn what_others_remove_is_reported() {
    let _wire = enter();
    let mut platform = open();
    let own = setup(
        key(Family::Ipv4, 7),
        MacMode::Interface,
        vip("10.0.0.100", 32),
    );
    let carried = setup(
        key(Family::Ipv4, 8),
        MacMode::Virtual,
        vip("10.0.0.101", 32),
    );
    for setup in [&own, &carried] {
        platform.prepare(setup).unwrap();
        take_up(&mut platform, setup);
    }
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
    testing::remove_address("a0", [10, 0, 0, 100].into()).unwrap();
    let address = [10, 0, 0, 100].into();
    let gone = [Failure::Address {
        key: own.key,
        address,
    }];
    assert_eq!(lost(&receive(&mut platform, Duration::from_secs(2))), gone);
    let name = platform.mac_interface(carried.key).unwrap();
    testing::set_up(&name, false).unwrap();
    let gone = [Failure::Mac { key: carried.key }];
    assert_eq!(lost(&receive(&mut platform, Duration::from_secs(2))), gone);
    take_up(&mut platform, &own);
    assert!(addresses("a0").contains(&"10.0.0.100/32".to_string()));
}

fn an_interface_goes_and_comes_back() {
    let _wire = enter();
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    receive(&mut platform, SOON);
    testing::destroy("a0").unwrap();
    let came = receive(&mut platform, Duration::from_secs(1));
    assert_eq!(last_state(&came), Some(InterfaceState::default()));
    assert_eq!(names(), Vec::<String>::new(), "the carrier goes with it");
    enter();
    let came = receive(&mut platform, Duration::from_secs(1));
    assert!(last_state(&came).unwrap().up);
    take_up(&mut platform, &setup);
    // Away and back, perhaps under the same number, before anybody has looked.
    testing::destroy("a0").unwrap();
    let wire = enter();
    let came = receive(&mut platform, Duration::from_secs(1));
    assert!(came.contains(&Came::Interface(InterfaceState::default())));
    assert!(last_state(&came).unwrap().up);
    take_up(&mut platform, &setup);
    let mac = setup.key.virtual_mac();
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    testing::set_up("a0", false).unwrap();
    let came = receive(&mut platform, Duration::from_secs(1));
    assert!(!last_state(&came).unwrap().up);
}

fn an_address_that_was_there_stays() {
    let _wire = enter();
    testing::add_address("a0", [10, 0, 0, 100].into(), 32).unwrap();
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Interface,
        vip("10.0.0.100", 32),
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    give_up(&mut platform, &setup);
    drop(platform);
    assert!(addresses("a0").contains(&"10.0.0.100/32".to_string()));
}

fn an_address_of_the_interface_is_no_virtual_one() {
    let _wire = enter();
    let mut platform = open();
    let setup = setup(key(Family::Ipv4, 7), MacMode::Virtual, vip("10.0.0.2", 24));
    let error = platform.prepare(&setup).unwrap_err().to_string();
    for part in [
        "a0 has 10.0.0.2 already",
        "rc.conf",
        "ifconfig a0 inet 10.0.0.2 -alias",
        "useVMAC = no",
    ] {
        assert!(error.contains(part), "{error}");
    }
}

fn crash_setups() -> [VrSetup; 4] {
    let on = |vrid, mode, address| setup(key(Family::Ipv4, vrid), mode, vip(address, 24));
    let mut silent = on(3, MacMode::Virtual, "10.0.0.103");
    silent.accept = false;
    let v6 = setup(
        key(Family::Ipv6, 4),
        MacMode::Interface,
        vip("2001:db8::100", 64),
    );
    [
        on(1, MacMode::Virtual, "10.0.0.101"),
        on(2, MacMode::Interface, "10.0.0.102"),
        silent,
        v6,
    ]
}

/// Takes everything up and waits to be killed.
fn hold(directory: &str) -> ! {
    let mut platform = open_at(directory.into());
    for setup in crash_setups() {
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
    }
    println!("held");
    loop {
        std::thread::park();
    }
}

fn what_a_killed_process_left_is_removed() {
    let wire = enter();
    let before = testing::world().unwrap();
    let runtime_dir = directory();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["hold", runtime_dir.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut output, &mut line).unwrap();
    assert_eq!(line, "held\n");
    let held = testing::world().unwrap();
    assert_eq!(held.len(), before.len() + 2, "{held:?}");

    // While it lives nobody disturbs it.
    let options = Options {
        runtime_dir: runtime_dir.clone(),
    };
    drop(FreebsdPlatform::open(options.clone()).unwrap());
    assert_eq!(testing::world().unwrap(), held);

    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(testing::world().unwrap(), held);
    // What somebody else added meanwhile stays.
    testing::add_address("a0", [10, 0, 0, 50].into(), 32).unwrap();
    let platform = FreebsdPlatform::open(options).unwrap();
    testing::remove_address("a0", [10, 0, 0, 50].into()).unwrap();
    assert_eq!(testing::world().unwrap(), before);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(MacAddr(OWN), MacAddr(OWN))]);
    drop(platform);
    assert_eq!(std::fs::read_dir(&runtime_dir).unwrap().count(), 0);
    std::fs::remove_dir(&runtime_dir).unwrap();
}

fn unicast_goes_by_the_kernel() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    platform
        .prepare(&setup(key, MacMode::Interface, vip("10.0.0.100", 32)))
        .unwrap();
    wire.send(&arp_reply(MacAddr(OWN))).unwrap();
    let mut packet = advert(9);
    packet[12..20].copy_from_slice(&[10, 0, 0, 2, 10, 0, 0, 9]);
    let frame = frame_from([0; 6], MacAddr([0; 6]), 0x0800, &packet);
    let transmit = Transmit {
        key,
        frame: &frame,
        ip_offset: 14,
        payload_offset: 34,
        kind: FrameKind::Advertisement,
        unicast: Some([10, 0, 0, 9].into()),
    };
    for _ in 0..2 {
        platform.transmit(&transmit);
        // The first may have made the kernel ask.
        wire.send(&arp_reply(MacAddr(OWN))).unwrap();
        let heard = wire.hear(SOON).unwrap();
        let found = heard.iter().find(|f| f.len() >= 42 && f[23] == 112);
        if let Some(found) = found {
            assert_eq!(mac(&found[..6]), MacAddr(NEIGHBOUR));
            assert_eq!((found[22], &found[34..42]), (255, &[9u8; 8][..]));
            return;
        }
    }
    panic!("no advertisement came");
}

/// FreeBSD's own tool, for what only it can do.
fn ifconfig(line: &str) {
    let output = Command::new("ifconfig")
        .args(line.split_whitespace())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ifconfig {line}: {errors}");
}

fn a_bridge_that_others_remove_is_built_again() {
    let wire = enter();
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    receive(&mut platform, SOON);
    let name = platform.mac_interface(setup.key).unwrap();
    let index = name.split('.').nth(1).unwrap();
    assert!(testing::shutdown_node(&format!("vrrp_{index}")).unwrap());
    let gone = [Failure::Mac { key: setup.key }];
    let long = Duration::from_secs(20);
    assert_eq!(lost(&receive(&mut platform, long)), gone);
    take_up(&mut platform, &setup);
    let mac = setup.key.virtual_mac();
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(MacAddr(OWN), MacAddr(OWN))]);
    // The carrier too, and its MAC.
    assert!(testing::shutdown_node(&format!("vrrp4_{index}_7")).unwrap());
    assert_eq!(lost(&receive(&mut platform, long))[..1], gone);
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    ifconfig(&format!("{name} ether 02:00:00:00:00:55"));
    assert_eq!(lost(&receive(&mut platform, long)), gone);
    take_up(&mut platform, &setup);
    receive(&mut platform, SOON);
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, [10, 0, 0, 100]), [(mac, mac)]);
    drop(platform);
    assert_eq!(names(), ["a0", "a1"]);
}

/// What virtual routers on `device` do, seen by `wire`.
fn serve_on(device: &str, wire: &RawPort) {
    let mut platform = FreebsdPlatform::open(Options {
        runtime_dir: directory(),
    })
    .unwrap();
    platform.watch(A0, device).unwrap();
    let key = key(Family::Ipv4, 7);
    let mut setup = setup(key, MacMode::Virtual, vip("10.0.1.100", 24));
    // A kernel that looks closely panics on what ng_eiface sends there.
    let error = platform.prepare(&setup).unwrap_err().to_string();
    assert!(error.contains("use useVMAC = replace or no"), "{error}");
    let state = last_state(&receive(&mut platform, SOON)).unwrap();
    assert!(state.up, "{state:?}");
    for mode in [MacMode::Interface, MacMode::Virtual] {
        setup.mac_mode = mode;
        setup.replace_mac = mode == MacMode::Virtual;
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        let mac = match mode {
            MacMode::Virtual => key.virtual_mac(),
            MacMode::Interface => state.mac,
        };
        assert_eq!(ask(wire, [10, 0, 1, 100]), [(mac, mac)]);
        let advert = group_frame(mac, 1);
        speak(&mut platform, key, &advert);
        assert!(wire.hear(SOON).unwrap().contains(&advert));
        wire.send(&group_frame(MacAddr(NEIGHBOUR), 2)).unwrap();
        assert_eq!(heard(receive(&mut platform, SOON)).len(), 1);
        give_up(&mut platform, &setup);
        assert_eq!(ask(wire, [10, 0, 1, 100]), []);
        assert_eq!(mac_of(device), state.mac);
    }
}

fn a_vlan_serves() {
    enter();
    ifconfig("vlan create vlan 5 vlandev a0 name a0.5");
    ifconfig("vlan create vlan 5 vlandev a1 name a1.5");
    ifconfig("a0.5 inet 10.0.1.2/24 up");
    ifconfig("a1.5 up");
    let wire = RawPort::open("a1.5").unwrap();
    serve_on("a0.5", &wire);
}

fn a_lagg_serves() {
    let wire = enter();
    testing::remove_address("a0", [10, 0, 0, 2].into()).unwrap();
    ifconfig("lagg0 create");
    ifconfig("lagg0 laggproto failover laggport a0 up");
    ifconfig("lagg0 inet 10.0.1.2/24");
    // Its name says nothing about what it is.
    ifconfig("lagg0 name a2");
    serve_on("a2", &wire);
}

fn what_carp_has_is_refused() {
    enter();
    ifconfig("a0 vhid 7 pass secret 10.0.0.77/32 alias");
    let mut platform = open();
    assert!(
        platform
            .remarks()
            .iter()
            .any(|remark| remark.contains("carp(4)"))
    );
    let refused = |platform: &mut FreebsdPlatform, vrid, address| {
        let setup = setup(
            key(Family::Ipv4, vrid),
            MacMode::Interface,
            vip(address, 32),
        );
        platform.prepare(&setup).unwrap_err().to_string()
    };
    let error = refused(&mut platform, 7, "10.0.0.100");
    assert!(
        error.contains("vhid 7") && error.contains("choose another VRID"),
        "{error}"
    );
    let error = refused(&mut platform, 8, "10.0.0.77");
    assert!(error.contains("10.0.0.77 by carp, vhid 7"), "{error}");
    // The address of carp is no source of advertisements, and does no harm.
    let setup = setup(
        key(Family::Ipv4, 8),
        MacMode::Virtual,
        vip("10.0.0.100", 32),
    );
    platform.prepare(&setup).unwrap();
    let state = last_state(&receive(&mut platform, SOON)).unwrap();
    assert_eq!(state.ipv4, Some([10, 0, 0, 2].into()));
}

fn a_busy_hook_is_refused() {
    enter();
    let mut first = open();
    let one = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    first.prepare(&one).unwrap();
    // A second vrrpd, for other virtual routers on the same interface.
    let mut second = open();
    let two = setup(
        key(Family::Ipv4, 8),
        MacMode::Virtual,
        vip("10.0.0.101", 24),
    );
    let error = second.prepare(&two).unwrap_err().to_string();
    assert!(
        error.contains("joined to the bridge node 'vrrp_"),
        "{error}"
    );
    drop(second);
    take_up(&mut first, &one);
}

fn a_changed_mac_is_noticed() {
    enter();
    let mut platform = open();
    receive(&mut platform, SOON);
    ifconfig("a0 ether 02:00:00:00:00:44");
    let came = receive(&mut platform, Duration::from_secs(20));
    assert_eq!(
        last_state(&came).unwrap().mac,
        MacAddr([2, 0, 0, 0, 0, 0x44])
    );
}
