//! A network namespace for each test: `a0` is where the platform works, `a1` is the wire's other
//! end, where a neighbour without a stack says and hears raw frames. Needs root and iproute2.
#![allow(dead_code, unreachable_pub)]

mod frames;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub use frames::*;
use vrrp_core::{Failure, Family, InterfaceState, MacAddr, MacMode, VirtualAddress, VrKey, Vrid};
use vrrp_host::{Incoming, Platform, VrSetup};
use vrrp_linux::testing::{RawPort, enter_new_namespace, wait_readable};
use vrrp_linux::{LinuxPlatform, Options};

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
