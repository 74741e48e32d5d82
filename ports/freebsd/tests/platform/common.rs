//! A cable in the test's jail: `a0` is where the platform works, `a1` is the wire's other end.

#[path = "../../../host/tests/bench/mod.rs"]
mod bench;

use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use vrrp_core::MacAddr;
use vrrp_freebsd::testing::{self, RawPort, wait_readable};
use vrrp_freebsd::{FreebsdPlatform, Options};
use vrrp_host::Platform;

pub(crate) use bench::*;

/// A cable `a0` (10.0.0.2/24) to `a1`, where the neighbour without a stack is.
pub(crate) fn enter() -> RawPort {
    // Entered for the second time it has the address.
    let _ = testing::add_address("lo0", [127, 0, 0, 1].into(), 8);
    testing::set_up("lo0", true).unwrap();
    testing::make_cable([("a0", OWN.0), ("a1", [2, 0, 0, 0, 0, 0x98])]).unwrap();
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

/// Solicits a target, lets the host answer as the engine would, and gives every answer.
pub(crate) fn solicit(
    wire: &RawPort,
    platform: &mut impl Platform,
    source: &str,
    target: &str,
) -> (usize, Vec<(MacAddr, MacAddr)>) {
    let target: Ipv6Addr = target.parse().unwrap();
    wire.hear(Duration::ZERO).unwrap();
    let question = solicitation(source.parse().unwrap(), target);
    wire.send(&question).unwrap();
    let passed = frames(receive(platform, SOON)).len();
    (passed, neighbour_adverts(wire, target))
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

/// FreeBSD's own tool, for what only it can do.
pub(crate) fn ifconfig(line: &str) {
    let output = Command::new("ifconfig")
        .args(line.split_whitespace())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ifconfig {line}: {errors}");
}
