//! Steps that the tests of every port for hosts take with a platform, and its neighbour on the wire.
//! Each includes this as a module beside its own `RawPort` and `wait_readable`.
#![allow(dead_code, unreachable_pub)]

mod frames;
pub mod patience;

use std::net::Ipv6Addr;
use std::time::Duration;

pub use frames::*;
use vrrp_core::{
    Failure, Family, FrameKind, InterfaceState, MacAddr, MacMode, Transmit, VirtualAddress, VrKey,
    Vrid,
};
use vrrp_host::{HostIf, Incoming, Platform, VrSetup};

use super::{RawPort, wait_readable};

/// The host's number of the interface `a0`, which is none of the operating system's.
pub const A0: HostIf = HostIf::new(700);
/// The MAC of `a0`.
pub const OWN: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
/// An address that virtual routers have.
pub const V4: [u8; 4] = [10, 0, 0, 100];
/// How long nothing has to come until nothing more is expected.
pub const SOON: Duration = Duration::from_millis(150);

pub fn key(family: Family, vrid: u8) -> VrKey {
    A0.key(Vrid::new(vrid).unwrap(), family)
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
        silent: false,
        reset_connections: false,
        addresses: vec![(address, None)],
        followers: Vec::new(),
        unicast: false,
        group: None,
        source: None,
        routing: Vec::new(),
    }
}

/// The setup of VRID 7 over IPv4 with the address [`V4`].
pub fn seven(mac_mode: MacMode) -> VrSetup {
    setup(key(Family::Ipv4, 7), mac_mode, vip("10.0.0.100", 24))
}

/// The input that was taken, without borrowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Came {
    Interface(InterfaceState),
    Lost(Failure),
    Frame(Vec<u8>),
    Announcement(Vec<u8>),
}

/// Receives until nothing has come for `quiet`.
pub fn receive(platform: &mut impl Platform, quiet: Duration) -> Vec<Came> {
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
                    Incoming::Interface { host_if, state } => {
                        assert_eq!(host_if, A0);
                        Came::Interface(state)
                    }
                    Incoming::Lost(failure) => Came::Lost(failure),
                    Incoming::Frame { host_if, frame } => {
                        assert_eq!(host_if, A0);
                        Came::Frame(frame.to_vec())
                    }
                    Incoming::Announcement { host_if, frame } => {
                        assert_eq!(host_if, A0);
                        Came::Announcement(frame.to_vec())
                    }
                });
            })
            .unwrap();
        idle = if all.len() > before { 0 } else { idle + 1 };
    }
    all
}

pub fn states(came: &[Came]) -> Vec<InterfaceState> {
    let states = came.iter().filter_map(|c| match c {
        Came::Interface(state) => Some(*state),
        _ => None,
    });
    states.collect()
}

pub fn last_state(came: &[Came]) -> Option<InterfaceState> {
    states(came).pop()
}

pub fn lost(came: &[Came]) -> Vec<Failure> {
    let lost = came.iter().filter_map(|c| match c {
        Came::Lost(failure) => Some(*failure),
        _ => None,
    });
    lost.collect()
}

pub fn frames(came: Vec<Came>) -> Vec<Vec<u8>> {
    let frames = came.into_iter().filter_map(|c| match c {
        Came::Frame(frame) => Some(frame),
        _ => None,
    });
    frames.collect()
}

pub fn announcements(came: Vec<Came>) -> Vec<Vec<u8>> {
    let frames = came.into_iter().filter_map(|c| match c {
        Came::Announcement(frame) => Some(frame),
        _ => None,
    });
    frames.collect()
}

pub fn take_up(platform: &mut impl Platform, setup: &VrSetup) {
    set_mac(platform, setup, true);
    set_addresses(platform, setup, true);
    platform.flush();
}

pub fn give_up(platform: &mut impl Platform, setup: &VrSetup) {
    set_addresses(platform, setup, false);
    set_mac(platform, setup, false);
    platform.flush();
}

fn set_mac(platform: &mut impl Platform, setup: &VrSetup, on: bool) {
    if setup.mac_mode == MacMode::Virtual {
        let mac = setup.key.virtual_mac();
        platform.set_mac(setup.key, mac, on).unwrap();
    }
}

fn set_addresses(platform: &mut impl Platform, setup: &VrSetup, on: bool) {
    for (address, _) in &setup.addresses {
        platform
            .set_address(setup.key, *address, setup.accept, on)
            .unwrap();
    }
}

/// Sends a frame over IPv4 to the group, as the engine does.
pub fn speak(platform: &mut impl Platform, key: VrKey, frame: &[u8]) {
    transmit(platform, key, frame, None);
}

/// Sends an advertisement as the engine does, to a peer of its own if there is one.
pub fn transmit(
    platform: &mut impl Platform,
    key: VrKey,
    frame: &[u8],
    unicast: Option<std::net::IpAddr>,
) {
    let payload_offset = match key.family {
        Family::Ipv4 => 34,
        Family::Ipv6 => 54,
    };
    platform.transmit(&Transmit {
        key,
        frame,
        ip_offset: 14,
        payload_offset,
        kind: FrameKind::Advertisement,
        unicast,
    });
    platform.flush();
}

/// Asks who has `target`. Gives the source MAC and the claimed MAC of each answer.
pub fn ask(wire: &RawPort, target: [u8; 4]) -> Vec<(MacAddr, MacAddr)> {
    wire.hear(Duration::ZERO).unwrap();
    wire.send(&arp_request(target)).unwrap();
    let heard = wire.hear(ANSWER).unwrap();
    let replies = heard
        .iter()
        .filter(|f| f[12..14] == [8, 6] && f[21] == 2 && f[28..32] == target);
    replies.map(|f| (mac(&f[6..12]), mac(&f[22..28]))).collect()
}

/// How long a kernel may take to answer.
const ANSWER: Duration = Duration::from_millis(300);

/// The source MAC and the claimed MAC of each neighbour advertisement for `target` that is heard.
pub fn neighbour_adverts(wire: &RawPort, target: Ipv6Addr) -> Vec<(MacAddr, MacAddr)> {
    let heard = wire.hear(ANSWER).unwrap();
    let replies = heard
        .iter()
        .filter(|f| f.len() >= 86 && f[20] == 58 && f[54] == 136 && f[62..78] == target.octets());
    replies.map(|f| (mac(&f[6..12]), mac(&f[80..86]))).collect()
}
