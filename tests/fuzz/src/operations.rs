//! Sequences of operations, legal or not, in any order and at any pace: the contract of the engine
//! holds throughout.

use std::net::IpAddr;

use vrrp_core::wire::{Advert, WireVersion};
use vrrp_core::{
    AdvertInterval, Auth, Duration, Failure, Family, InterfaceState, MacAddr, Priority, Track,
    TrackEffect, Version, VrConfig, VrKey,
};

use crate::engine::{Bench, IF, OTHER_IF, V4, V6, key, kinds, up};
use crate::octets::Octets;

/// Performs what `octets` say.
///
/// # Panics
/// When the contract is broken: see `Bench`.
pub fn check(octets: &[u8]) {
    let mut bench = Bench::new();
    let mut octets = Octets(octets);
    while !octets.is_empty() {
        operation(&mut bench, &mut octets);
    }
    // With everything removed, nothing is left and nothing is due.
    let keys: Vec<VrKey> = bench.engine.keys().collect();
    for key in keys {
        // One that is being removed already says so.
        let _ = bench.engine.remove(bench.now, key);
    }
    bench.settle();
    bench.advance(bench.now + Duration::from_secs(3_600));
    assert_eq!(bench.engine.keys().count(), 0, "a virtual router stays");
    assert_eq!(bench.engine.poll_timeout(), None);
}

fn operation(bench: &mut Bench, octets: &mut Octets<'_>) {
    let which = octets.u8();
    let now = bench.now;
    let Some(key) = some_key(octets) else { return };
    let engine = &mut bench.engine;
    // Refusals are part of the contract: what matters is that they change nothing that is checked.
    match which % 16 {
        0 | 1 => {
            let _ = with_config(octets, key, |config| engine.insert(now, key, config));
            let _ = engine.set_enabled(now, key, true);
        }
        2 => drop(with_config(octets, key, |config| {
            engine.reconfigure(now, key, config)
        })),
        3 => drop(engine.remove(now, key)),
        4 => drop(engine.set_enabled(now, key, octets.bool())),
        5 => drop(engine.set_priority(now, key, Priority::new(octets.u8()))),
        6 => drop(engine.resign(now, key)),
        7 => drop(engine.set_interface(now, some_ifindex(octets), some_interface(octets))),
        8 => drop(engine.remove_interface(some_ifindex(octets))),
        9 => engine.set_tracked(now, u16::from(octets.u8() % 4), octets.bool()),
        10 => bench.fail(some_failure(octets, key)),
        11 | 12 => {
            let frame = advert(octets, key);
            engine.handle_frame(now, IF, &frame);
        }
        // What is late, is handled late.
        13 => {
            bench.now = now + Duration::from_millis(u64::from(octets.u16()));
            let now = bench.now;
            bench.engine.handle_timeout(now);
        }
        _ => {
            let passed = Duration::from_millis(u64::from(octets.u16()) / 4);
            bench.advance(now + passed);
        }
    }
    // Several inputs may come before their outputs are taken.
    if which & 0x80 == 0 {
        bench.settle();
        assert_eq!(bench.settle(), 0, "it repeats itself");
    }
}

fn some_key(octets: &mut Octets<'_>) -> Option<VrKey> {
    let octet = octets.u8();
    let family = [Family::Ipv4, Family::Ipv6][usize::from(octet >> 7)];
    key(octet % 10 + 1, family)
}

fn some_ifindex(octets: &mut Octets<'_>) -> u32 {
    [IF, OTHER_IF, 9][usize::from(octets.u8() % 8 / 3)]
}

fn some_interface(octets: &mut Octets<'_>) -> InterfaceState {
    let bits = octets.u8();
    let all = up();
    InterfaceState {
        up: bits & 1 == 0,
        mac: MacAddr([2, 0, 0, 0, 0, bits >> 4]),
        ipv4: all.ipv4.filter(|_| bits & 2 == 0),
        ipv6: all.ipv6.filter(|_| bits & 4 == 0),
    }
}

fn some_failure(octets: &mut Octets<'_>, key: VrKey) -> Failure {
    match octets.u8() % 3 {
        0 => Failure::Mac { key },
        1 => Failure::Address {
            key,
            address: V4[usize::from(octets.u8() % 3)].address,
        },
        _ => Failure::Group {
            ifindex: IF,
            family: key.family,
        },
    }
}

/// A configuration, mostly a good one.
fn with_config<R>(
    octets: &mut Octets<'_>,
    key: VrKey,
    apply: impl FnOnce(&VrConfig<'_>) -> R,
) -> R {
    let kinds = kinds();
    let (_, mut config) = kinds[usize::from(octets.u8()) % kinds.len()];
    let bits = octets.u8();
    let list = octets.u8();
    let (v4, v6) = (list_of(&V4, list), list_of(&V6, list));
    config.addresses = match key.family {
        Family::Ipv4 => &v4,
        Family::Ipv6 => &v6,
    };
    if key.family == Family::Ipv6 && bits & 0x40 == 0 {
        config.version = Version::V3;
        config.auth = Auth::None;
        config.peers = &[];
        config.max_hops = 1;
    }
    config.preempt = bits & 1 == 0;
    config.accept = bits & 2 == 0;
    if let Some(priority) = Priority::new(octets.u8()) {
        config.priority = priority;
    }
    if let Some(interval) = AdvertInterval::from_centis(u16::from(octets.u8()) * 10) {
        config.advert_interval = interval;
    }
    config.preempt_delay =
        Duration::from_millis(u64::from(octets.u8()) * 20 * u64::from(bits >> 2 & 1));
    config.start_delay =
        Duration::from_millis(u64::from(octets.u8()) * 20 * u64::from(bits >> 3 & 1));
    config.announce.refresh = (bits & 0x10 != 0).then(|| Duration::from_secs(octets.u8().into()));
    let tracks = [
        Track {
            object: u16::from(octets.u8() % 4),
            effect: TrackEffect::WhileDown(i16::from(octets.u8()) - 128),
        },
        Track {
            object: u16::from(octets.u8() % 4),
            effect: TrackEffect::Fault,
        },
    ];
    config.tracks = &tracks[..usize::from(bits >> 5 & 1) * 2];
    apply(&config)
}

/// Some of `all`, and now and then one twice.
fn list_of<T: Copy>(all: &[T], bits: u8) -> Vec<T> {
    let chosen = all.iter().enumerate().filter(|(n, _)| bits >> n & 1 == 0);
    let mut list: Vec<T> = chosen.map(|(_, item)| *item).collect();
    if bits & 0xf0 == 0xf0 {
        list.extend(all.first().copied());
    }
    list
}

/// An advertisement of somebody for `key`, mostly a good one.
fn advert(octets: &mut Octets<'_>, key: VrKey) -> Vec<u8> {
    let bits = octets.u8();
    let who = octets.u8() % 12 + 1;
    let source: IpAddr = match key.family {
        Family::Ipv4 => [10, 0, 0, who].into(),
        Family::Ipv6 => [0xfe80, 0, 0, 0, 0, 0, 0, u16::from(who)].into(),
    };
    let interval = AdvertInterval::from_centis(u16::from(octets.u8()) * 10);
    let advert = Advert {
        source_mac: key.virtual_mac(),
        destination_mac: key.family.group_mac(),
        source,
        destination: key.family.group(),
        ttl: 255,
        version: [WireVersion::V3, WireVersion::V2][usize::from(bits & 1)],
        vrid: key.vrid,
        priority: octets.u8(),
        interval: interval.unwrap_or(AdvertInterval::DEFAULT),
        auth: [Auth::None, Auth::Simple(*b"paper\0\0\0")][usize::from(bits >> 1 & 1)],
        pseudo_header: bits & 4 == 0,
    };
    let list = octets.u8();
    let addresses: Vec<IpAddr> = match key.family {
        Family::Ipv4 => list_of(&V4, list).iter().map(|a| a.address).collect(),
        Family::Ipv6 => list_of(&V6, list).iter().map(|a| a.address).collect(),
    };
    let mut frame = [0; 512];
    let len = advert
        .emit(&mut frame, addresses.into_iter())
        .map_or(0, |e| e.len);
    frame.get(..len).unwrap_or_default().to_vec()
}
