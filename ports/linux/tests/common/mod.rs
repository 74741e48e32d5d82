//! A network namespace for each test: `a0` is where the platform works, `a1` is the wire's other
//! end, where a neighbour without a stack says and hears raw frames. Needs root and iproute2.
#![allow(dead_code, unreachable_pub)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use vrrp_core::{Failure, Family, InterfaceState, MacAddr, MacMode, VirtualAddress, VrKey, Vrid};
use vrrp_host::{Incoming, Platform, VrSetup};
use vrrp_linux::testing::{RawPort, enter_new_namespace, wait_readable};
use vrrp_linux::{LinuxPlatform, Options};

pub const NEIGHBOUR: [u8; 6] = [2, 0, 0, 0, 0, 0x99];
/// The host's number of `a0`, which is none of the operating system's.
pub const A0: u32 = 700;

/// Runs `ip`, panicking unless it works.
pub fn ip(arguments: &str) -> String {
    run("ip", arguments)
}

pub fn run(program: &str, arguments: &str) -> String {
    let output = Command::new(program)
        .args(arguments.split_ascii_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {errors}");
    text
}

pub fn setting(name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap();
    text.trim().to_string()
}

pub fn set(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{name}"), value).unwrap();
}

/// Enters a namespace of this thread's own with `a0` (10.0.0.2/24) and `a1`, both up.
pub fn enter() -> RawPort {
    enter_new_namespace().expect("this test needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN)");
    ip("link set lo up");
    make_wire();
    RawPort::open("a1").unwrap()
}

pub fn make_wire() {
    ip("link add a0 address 02:00:00:00:00:01 type veth peer name a1");
    set("ipv6/conf/a1/disable_ipv6", "1");
    set("ipv4/conf/a1/arp_ignore", "8");
    ip("address add 10.0.0.2/24 dev a0");
    ip("link set a1 up");
    ip("link set a0 up");
}

/// A directory for ledgers that is this test's own.
pub fn directory() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("vrrp-linux-{}-{number}", std::process::id()))
}

pub fn open() -> LinuxPlatform {
    let runtime_dir = directory();
    let mut platform = LinuxPlatform::open(Options { runtime_dir }).unwrap();
    platform.watch(A0, "a0").unwrap();
    platform
}

pub fn key(family: Family, vrid: u8) -> VrKey {
    VrKey {
        ifindex: A0,
        vrid: Vrid::new(vrid).unwrap(),
        family,
    }
}

pub fn vip(address: &str, prefix_len: u8) -> VirtualAddress {
    VirtualAddress {
        address: address.parse().unwrap(),
        prefix_len,
    }
}

pub fn setup(key: VrKey, mac_mode: MacMode, address: VirtualAddress) -> VrSetup {
    VrSetup {
        key,
        mac_mode,
        replace_mac: false,
        accept: true,
        addresses: vec![(address, None)],
        unicast: false,
    }
}

/// What came, without borrowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    Interface(u32, InterfaceState),
    Lost(Failure),
    Frame(u32, Vec<u8>),
}

/// Receives until nothing has come for `quiet`.
pub fn receive(platform: &mut LinuxPlatform, quiet: Duration) -> Vec<Came> {
    let mut all = Vec::new();
    loop {
        platform.set_wakeup(None).unwrap();
        if !wait_readable(platform.fd(), quiet).unwrap() {
            return all;
        }
        platform
            .receive(&mut |incoming| {
                all.push(match incoming {
                    Incoming::Interface { ifindex, state } => Came::Interface(ifindex, state),
                    Incoming::Lost(failure) => Came::Lost(failure),
                    Incoming::Frame { ifindex, frame } => Came::Frame(ifindex, frame.to_vec()),
                });
            })
            .unwrap();
    }
}

pub const SOON: Duration = Duration::from_millis(100);

pub fn take_up(platform: &mut LinuxPlatform, setup: &VrSetup) {
    set_all(platform, setup, true);
    platform.flush();
}

pub fn give_up(platform: &mut LinuxPlatform, setup: &VrSetup) {
    set_all(platform, setup, false);
    platform.flush();
}

fn set_all(platform: &mut LinuxPlatform, setup: &VrSetup, on: bool) {
    let mac = |platform: &mut LinuxPlatform| {
        if setup.mac_mode == MacMode::Virtual {
            let mac = setup.key.virtual_mac();
            platform.set_mac(setup.key, mac, on).unwrap();
        }
    };
    if on {
        mac(platform);
    }
    for (address, _) in &setup.addresses {
        platform
            .set_address(setup.key, *address, setup.accept, on)
            .unwrap();
    }
    if !on {
        mac(platform);
    }
}

/// An Ethernet frame from the neighbour.
pub fn frame(to: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    frame_from(NEIGHBOUR, to, ethertype, payload)
}

pub fn frame_from(from: [u8; 6], to: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0[..], &from, &ethertype.to_be_bytes(), payload].concat()
}

/// An ARP request of 10.0.0.9.
pub fn arp_request(target: [u8; 4]) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    let arp = [&head[..], &NEIGHBOUR, &[10, 0, 0, 9], &[0; 6], &target].concat();
    frame(MacAddr::BROADCAST, 0x0806, &arp)
}

/// Asks who has `target`. Gives the source MAC and the claimed MAC of each answer.
pub fn ask(wire: &RawPort, target: [u8; 4]) -> Vec<(MacAddr, MacAddr)> {
    wire.hear(Duration::ZERO).unwrap();
    wire.send(&arp_request(target)).unwrap();
    let heard = wire.hear(Duration::from_millis(150)).unwrap();
    let replies = heard
        .iter()
        .filter(|f| f[12..14] == [8, 6] && f[21] == 2 && f[28..32] == target);
    replies.map(|f| (mac(&f[6..12]), mac(&f[22..28]))).collect()
}

pub fn mac(octets: &[u8]) -> MacAddr {
    MacAddr(octets.try_into().unwrap())
}

/// A packet of protocol 112 from 10.0.0.9 to the group, with `mark` for a payload.
pub fn advert(mark: u8) -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 28, 0, 0, 0, 0, 255, 112, 0, 0, 10, 0, 0, 9, 224, 0, 0, 18,
    ];
    packet.extend([mark; 8]);
    packet
}

/// A neighbour solicitation of fe80::9 for `target`.
pub fn solicitation(target: std::net::Ipv6Addr) -> Vec<u8> {
    let source: std::net::Ipv6Addr = "fe80::9".parse().unwrap();
    let low = &target.octets()[13..];
    let group = [&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff][..], low].concat();
    let mut message = [
        &[135, 0, 0, 0, 0, 0, 0, 0][..],
        &target.octets(),
        &[1, 1],
        &NEIGHBOUR,
    ]
    .concat();
    let pseudo = [&source.octets()[..], &group, &[0, 0, 0, 32, 0, 0, 0, 58]].concat();
    let words = pseudo.chunks(2).chain(message.chunks(2));
    let mut sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    message[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    let head = [0x60, 0, 0, 0, 0, 32, 58, 255];
    let packet = [&head[..], &source.octets(), &group, &message].concat();
    let to = MacAddr([0x33, 0x33, 0xff, low[0], low[1], low[2]]);
    frame(to, 0x86dd, &packet)
}

/// Asks who has an IPv6 address. Gives the source MAC and the claimed MAC of each answer.
pub fn solicit(wire: &RawPort, target: &str) -> Vec<(MacAddr, MacAddr)> {
    let target: std::net::Ipv6Addr = target.parse().unwrap();
    wire.hear(Duration::ZERO).unwrap();
    wire.send(&solicitation(target)).unwrap();
    let heard = wire.hear(Duration::from_millis(150)).unwrap();
    let replies = heard
        .iter()
        .filter(|f| f.len() >= 86 && f[20] == 58 && f[54] == 136 && f[62..78] == target.octets());
    replies.map(|f| (mac(&f[6..12]), mac(&f[80..86]))).collect()
}
