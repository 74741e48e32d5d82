//! Sequences of operations, legal or not, in any order and at any pace: the contract of the engine
//! holds throughout.

use vrrp_core::{Duration, Failure, Family, Priority, VrKey};

use crate::engine::{Bench, IF, OTHER_IF, V4, key};
use crate::facts::{some_interface, with_config};
use crate::octets::Octets;
use crate::packets;

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
        let _ = bench.engine.admin(bench.now).remove(key);
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
            let _ = with_config(octets, key, |config| engine.admin(now).insert(key, config));
            let _ = engine.admin(now).set_enabled(key, true);
        }
        2 => drop(with_config(octets, key, |config| {
            engine.admin(now).reconfigure(key, config)
        })),
        3 => drop(engine.admin(now).remove(key)),
        4 => drop(engine.admin(now).set_enabled(key, octets.bool())),
        5 => drop(
            engine
                .admin(now)
                .set_priority(key, Priority::new(octets.u8())),
        ),
        6 => drop(engine.admin(now).resign(key)),
        7 => drop(engine.set_interface(now, some_ifindex(octets), some_interface(octets))),
        8 => drop(engine.remove_interface(some_ifindex(octets))),
        9 => engine
            .admin(now)
            .set_tracked(u16::from(octets.u8() % 4), octets.bool()),
        10 => bench.fail(some_failure(octets, key)),
        11 | 12 => {
            let mut frame = packets::advert(octets, key);
            if which & 0x40 != 0 {
                packets::spoil(octets, &mut frame);
            }
            let _ = engine.handle_frame(now, IF, &frame);
        }
        // A deadline that has passed is handled late.
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
    // A port in the midst of something long takes advertisements and no more.
    if which & 0x20 != 0 {
        bench.advertise();
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
