//! The one timer, which host and platform share.

use vrrp_core::{AdvertInterval, State, TrackEffect, VrSettings};
use vrrp_host::{HostConfig, TrackSpec, Tracked, VrSpec};

use crate::fake::{Call, interface};
use crate::random::Random;
use crate::sim::{Sim, address, config, id, spec};

/// VRID `number` on an interface, every 0.1 s.
fn fast(interface: &str, number: u8, priority: u8) -> VrSpec {
    VrSpec {
        settings: VrSettings {
            advert_interval: AdvertInterval::from_centis(10).unwrap(),
            ..spec(number, priority).settings
        },
        id: id(interface, number),
        ..spec(number, priority)
    }
}

/// Advertisements that the host has sent for a VRID since the calls were last taken.
fn adverts(calls: &[Call], number: u8) -> usize {
    let of_it = |call: &&Call| matches!(call, Call::Advert(vrid, 1..) if *vrid == number);
    calls.iter().filter(of_it).count()
}

/// One host that is Active with VRID 1 and goes over to `next` at 2 s. Gives what it does for the
/// four seconds after.
fn after_reload(next: &HostConfig, rough: Option<u64>) -> (Sim, Vec<Call>) {
    let mut sim = Sim::new(&[config(&[fast("eth0", 1, 200)])]);
    sim.machine(0).rough = rough.map(Random::new);
    sim.run_to(2_000);
    assert_eq!(sim.state(0, 1), State::Active);
    sim.take_calls(0);
    sim.hosts[0].reload(next.clone()).unwrap();
    sim.run_to(6_000);
    let calls = sim.take_calls(0);
    (sim, calls)
}

#[test]
fn a_reload_that_names_an_interface_for_the_first_time_stops_no_timer() {
    let added = config(&[fast("eth0", 1, 200), fast("eth1", 2, 100)]);
    let tracked = VrSpec {
        tracks: vec![TrackSpec {
            what: Tracked::Interface("eth1".into()),
            effect: TrackEffect::WhileDown(-50),
        }],
        ..fast("eth0", 1, 200)
    };
    for rough in (0..20).map(Some).chain([None]) {
        let (sim, calls) = after_reload(&added, rough);
        assert!(adverts(&calls, 1) >= 39, "seed {rough:?}");
        assert!(adverts(&calls, 2) >= 33, "seed {rough:?}");
        let moved = sim.report(0, &id("eth1", 2)).status.state;
        assert_eq!(moved, State::Active, "seed {rough:?}");

        let (_, calls) = after_reload(&config(std::slice::from_ref(&tracked)), rough);
        assert!(adverts(&calls, 1) >= 39, "seed {rough:?}");
    }
}

#[test]
fn a_virtual_router_that_moves_to_another_interface_leaves_and_starts_there() {
    let moved = config(&[fast("eth1", 1, 200)]);
    for rough in (0..20).map(Some).chain([None]) {
        let (mut sim, calls) = after_reload(&moved, rough);
        assert!(adverts(&calls, 1) >= 35, "seed {rough:?}");
        assert!(calls.contains(&Call::Unwatch("eth0".into())), "{calls:?}");
        let statuses = sim.hosts[0].statuses();
        assert_eq!(statuses.len(), 1);
        assert_eq!(statuses[0].status.state, State::Active);
        let events = sim.take_events(0);
        let stalled = |event: &vrrp_host::Event| matches!(event, vrrp_host::Event::Stalled { .. });
        assert!(!events.iter().any(stalled), "{events:?}");
    }
}

#[test]
fn a_reload_that_is_refused_in_whole_or_in_part_stops_no_timer() {
    let mut sim = Sim::new(&[config(&[fast("eth0", 1, 200)])]);
    sim.run_to(2_000);
    for (what, in_whole) in [("watch eth1", true), ("prepare eth1 2", false)] {
        sim.machine(0).broken = vec![what.into()];
        let next = config(&[fast("eth0", 1, 200), fast("eth1", 2, 100)]);
        sim.take_calls(0);
        assert_eq!(sim.hosts[0].reload(next).is_err(), in_whole, "{what}");
        let end = sim.now().as_micros() / 1000 + 2_000;
        sim.run_to(end);
        assert!(adverts(&sim.take_calls(0), 1) >= 19, "{what}");
    }
}

#[test]
fn calls_that_use_the_timer_stop_no_virtual_router() {
    for seed in 0..50 {
        let two = [
            fast("eth0", 1, 255),
            VrSpec {
                addresses: vec![address("10.9.0.1")],
                ..fast("eth1", 2, 100)
            },
        ];
        let mut sim = Sim::new(&[config(&two), config(&[fast("eth0", 1, 100)])]);
        sim.machine(0).rough = Some(Random::new(seed));
        sim.machine(1).rough = Some(Random::new(!seed));
        sim.run_to(5_000);
        assert_eq!(sim.states(1), [State::Active, State::Backup], "seed {seed}");
        let calls = sim.take_calls(0);
        assert!(adverts(&calls, 1) >= 49, "seed {seed}");
        assert!(adverts(&calls, 2) >= 44, "seed {seed}");
        sim.machine(0).remove_interface("eth1");
        sim.run_to(8_000);
        sim.machine(0).set_interface("eth1", interface(0));
        sim.run_to(12_000);
        let calls = sim.take_calls(0);
        assert!(adverts(&calls, 1) >= 69, "seed {seed}");
        assert!(adverts(&calls, 2) >= 30, "seed {seed}");
        let events = sim.take_events(1);
        let changes = |e: &&vrrp_host::Event| matches!(e, vrrp_host::Event::StateChange { .. });
        assert_eq!(
            events.iter().filter(changes).count(),
            1,
            "seed {seed}: {events:?}"
        );
    }
}
