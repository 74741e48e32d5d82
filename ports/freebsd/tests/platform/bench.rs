//! What the tests do to a platform and see of it.

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use vrrp_core::{
    Failure, Family, FrameKind, InterfaceState, MacAddr, MacMode, Transmit, VirtualAddress, VrKey,
    Vrid,
};
use vrrp_freebsd::testing::{self, RawPort, wait_readable};
use vrrp_freebsd::{FreebsdPlatform, Options};
use vrrp_host::{Incoming, Platform, VrSetup};

use crate::frames::*;

pub(crate) const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
pub(crate) const A0: u32 = 700;
pub(crate) const SOON: Duration = Duration::from_millis(150);

/// A cable `a0` (10.0.0.2/24) to `a1`, where the neighbour without a stack is.
pub(crate) fn enter() -> RawPort {
    // Entered for the second time it has the address.
    let _ = testing::add_address("lo0", [127, 0, 0, 1].into(), 8);
    testing::set_up("lo0", true).unwrap();
    testing::make_cable([("a0", OWN), ("a1", [2, 0, 0, 0, 0, 0x98])]).unwrap();
    testing::add_address("a0", [10, 0, 0, 2].into(), 24).unwrap();
    let wire = RawPort::open("a1").unwrap();
    wire.hear(SOON).unwrap();
    wire
}

pub(crate) fn directory() -> PathBuf {
    std::env::temp_dir().join(format!("vrrp-freebsd-{}", std::process::id()))
}

pub(crate) fn open_at(runtime_dir: PathBuf) -> FreebsdPlatform {
    let mut platform = FreebsdPlatform::open(Options { runtime_dir }).unwrap();
    platform.watch(A0, "a0").unwrap();
    platform
}

pub(crate) fn open() -> FreebsdPlatform {
    open_at(directory())
}

pub(crate) fn key(family: Family, vrid: u8) -> VrKey {
    VrKey {
        ifindex: A0,
        vrid: Vrid::new(vrid).unwrap(),
        family,
    }
}

pub(crate) fn vip(address: &str, prefix_len: u8) -> VirtualAddress {
    VirtualAddress {
        address: address.parse().unwrap(),
        prefix_len,
    }
}

pub(crate) fn setup(key: VrKey, mac_mode: MacMode, address: VirtualAddress) -> VrSetup {
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
pub(crate) enum Came {
    Interface(InterfaceState),
    Lost(Failure),
    Frame(Vec<u8>),
}

/// Receives until nothing has come for `quiet`.
pub(crate) fn receive(platform: &mut impl Platform, quiet: Duration) -> Vec<Came> {
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

pub(crate) fn lost(came: &[Came]) -> Vec<Failure> {
    let lost = came.iter().filter_map(|c| match c {
        Came::Lost(failure) => Some(*failure),
        _ => None,
    });
    lost.collect()
}

pub(crate) fn heard(came: Vec<Came>) -> Vec<Vec<u8>> {
    let frames = came.into_iter().filter_map(|c| match c {
        Came::Frame(frame) => Some(frame),
        _ => None,
    });
    frames.collect()
}

pub(crate) fn last_state(came: &[Came]) -> Option<InterfaceState> {
    let mut states = came.iter().filter_map(|c| match c {
        Came::Interface(state) => Some(*state),
        _ => None,
    });
    states.next_back()
}

pub(crate) fn take_up(platform: &mut impl Platform, setup: &VrSetup) {
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

pub(crate) fn give_up(platform: &mut impl Platform, setup: &VrSetup) {
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
pub(crate) fn ask(wire: &RawPort, target: [u8; 4]) -> Vec<(MacAddr, MacAddr)> {
    wire.hear(Duration::ZERO).unwrap();
    wire.send(&arp_request(target)).unwrap();
    let heard = wire.hear(Duration::from_millis(300)).unwrap();
    let replies = heard
        .iter()
        .filter(|f| f[12..14] == [8, 6] && f[21] == 2 && f[28..32] == target);
    replies.map(|f| (mac(&f[6..12]), mac(&f[22..28]))).collect()
}

/// Solicits a target, lets the host answer as the engine would, and gives every answer.
pub(crate) fn solicit(
    wire: &RawPort,
    platform: &mut impl Platform,
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
pub(crate) fn refresh_checksum(frame: &mut [u8]) {
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

pub(crate) fn speak(platform: &mut impl Platform, key: VrKey, frame: &[u8]) {
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

pub(crate) fn group_frame(from: MacAddr, mark: u8) -> Vec<u8> {
    frame_from(from.0, Family::Ipv4.group_mac(), 0x0800, &advert(mark))
}

pub(crate) fn names() -> Vec<String> {
    let world = testing::world().unwrap();
    world.into_iter().map(|(name, ..)| name).collect()
}

pub(crate) fn addresses(device: &str) -> Vec<String> {
    let world = testing::world().unwrap();
    let found = world.into_iter().find(|(name, ..)| name == device);
    found.map(|(.., addresses)| addresses).unwrap_or_default()
}

pub(crate) fn mac_of(device: &str) -> MacAddr {
    let world = testing::world().unwrap();
    world
        .into_iter()
        .find(|(name, ..)| name == device)
        .unwrap()
        .1
}

/// An unasked answer that tells the host where 10.0.0.9 is.
pub(crate) fn arp_reply(to: MacAddr) -> Vec<u8> {
    let mut reply = arp_request([10, 0, 0, 2]);
    reply[..6].copy_from_slice(&to.0);
    reply[21] = 2;
    reply
}

/// An echo request of 10.0.0.9.
pub(crate) fn echo(to: MacAddr, target: [u8; 4]) -> Vec<u8> {
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

pub(crate) fn checksum(octets: &[u8]) -> [u8; 2] {
    let words = octets.chunks(2);
    let mut sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

/// FreeBSD's own tool, for what only it can do.
pub(crate) fn ifconfig(line: &str) {
    let output = Command::new("ifconfig")
        .args(line.split_whitespace())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ifconfig {line}: {errors}");
}
