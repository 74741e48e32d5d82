//! Where each rule ends: what stands beside it and must not be touched by it. `not V-1` is the case
//! to which V-1 does not apply.

#[path = "../common/mod.rs"]
mod common;
mod packets;
mod service;
mod states;

use common::{IF, Line, Peer, Sent, addresses, cs, interface, ip, key, priority, secs};
use vrrp_core::wire::WireVersion;
use vrrp_core::{
    AddressCheck, AdvertInterval, Announce, Auth, Error, Failure, Family, InterfaceState, MacMode,
    Output, OwnerReceive, Reason, State, Track, TrackEffect, Version, VirtualAddress, VrConfig,
    VrSettings,
};

const PASSWORD: Auth = Auth::Simple(*b"paper\0\0\0");

fn list() -> Vec<VirtualAddress> {
    addresses(&["10.10.10.80", "10.10.10.53"])
}

fn config(value: u8, addresses: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            priority: priority(value),
            announce: Announce {
                repeats: 0,
                ..Announce::DEFAULT
            },
            ..VrSettings::DEFAULT
        },
        addresses,
        ..VrConfig::DEFAULT
    }
}

fn line(value: u8) -> Line {
    Line::new(&config(value, &list()))
}

fn version(version: Version, auth: Auth) -> Line {
    Line::new(&VrConfig {
        settings: VrSettings {
            version,
            auth,
            ..config(100, &list()).settings
        },
        ..config(100, &list())
    })
}

fn active(value: u8) -> Line {
    let mut line = line(value);
    line.at(4.1).expect_state(State::Active).skip();
    line
}

fn enable(line: &mut Line, on: bool) {
    let key = line.key;
    line.act(|r, now| r.admin(now).set_enabled(key, on).unwrap());
}

/// Hears fridge say this priority.
fn hears(line: &mut Line, value: u8) -> &mut Line {
    let peer = Peer::fridge(line, value);
    line.accept(&peer)
}
