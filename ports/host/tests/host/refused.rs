//! A platform that is not ready for some virtual routers.

use vrrp_core::{InterfaceState, MacMode, Reason, State, VrSettings};
use vrrp_host::{Event, TrackSpec, Tracked, VrSpec};

use crate::fake::{Call, interface};
use crate::sim::{Sim, address, config, id, ip, spec};

/// VRID `number` on eth1 with an address of its own.
fn on_eth1(number: u8) -> VrSpec {
    VrSpec {
        id: id("eth1", number),
        addresses: vec![address(&format!("10.1.0.{number}"))],
        ..spec(number, 100)
    }
}

/// Every question to the platform about this VRID.
fn questions(calls: &[Call], number: u8) -> usize {
    let about = |c: &&Call| matches!(c, Call::Prepare(setup) if setup.key.vrid.get() == number);
    calls.iter().filter(about).count()
}

fn problems(events: &[Event]) -> Vec<&str> {
    let mut texts = Vec::new();
    for event in events {
        if let Event::Problem { text, .. } = event {
            texts.push(text.as_str());
        }
    }
    texts
}

#[test]
fn the_trouble_of_one_interface_stays_there_and_is_tried_again() {
    let mut sim = Sim::new(&[]);
    let platform = sim.add_machine();
    sim.machine(0).broken.push("prepare eth1".into());
    sim.open(platform, config(&[spec(1, 100), on_eth1(2), on_eth1(3)]));
    sim.run_to(10_000);
    assert_eq!(sim.state(0, 1), State::Active);
    for number in [2, 3] {
        let report = sim.report(0, &id("eth1", number));
        assert_eq!(report.status.state, State::Initialize);
        assert!(report.status.enabled, "nobody has disabled it");
        let why = format!("cannot prepare eth1 {number}: broken");
        assert_eq!(report.refused, Some(why));
    }
    let events = sim.take_events(0);
    assert_eq!(problems(&events).len(), 2, "{events:?}");
    // After 1, 2, 4, ... 32 and then each 60 seconds.
    sim.run_to(600_000);
    let asked = questions(&sim.take_calls(0), 2);
    assert!((10..=16).contains(&asked), "{asked} times");
    assert!(problems(&sim.take_events(0)).is_empty(), "told before");
    sim.machine(0).broken.clear();
    sim.run_to(665_000);
    assert_eq!(sim.report(0, &id("eth1", 2)).refused, None);
    let held = &sim.machine(0).addresses.clone();
    assert!(held.contains(&ip("10.1.0.2")) && held.contains(&ip("10.1.0.3")));
}

#[test]
fn a_change_of_the_interface_has_it_tried_at_once() {
    let mut sim = Sim::new(&[]);
    let platform = sim.add_machine();
    sim.machine(0).broken.push("prepare eth1".into());
    sim.open(platform, config(&[on_eth1(2)]));
    sim.run_to(500_000);
    sim.take_calls(0);
    sim.machine(0).broken.clear();
    sim.machine(0).set_up("eth1", false);
    sim.run_to(500_001);
    assert_eq!(questions(&sim.take_calls(0), 2), 1);
    let report = sim.report(0, &id("eth1", 2));
    assert_eq!(report.refused, None);
    assert_eq!(report.status.reason, Reason::InterfaceDown);
}

#[test]
fn an_interface_that_comes_back_as_another_one_is_judged_anew() {
    let mut sim = Sim::new(&[config(&[spec(1, 255), on_eth1(2)])]);
    sim.run_to(4_000);
    sim.take_calls(0);
    sim.machine(0).broken.push("prepare eth0".into());
    // Gone and there again before the host looks.
    sim.machine(0)
        .set_interface("eth0", InterfaceState::default());
    sim.run_to(4_001);
    sim.machine(0).set_interface("eth0", interface(0));
    sim.run_to(8_000);
    let report = sim.report(0, &id("eth0", 1));
    assert_eq!(report.status.state, State::Initialize);
    assert!(report.refused.is_some());
    assert_eq!(
        sim.report(0, &id("eth1", 2)).status.state,
        State::Active,
        "the other interface is not touched"
    );
    let calls = sim.take_calls(0);
    let released = calls.iter().position(|c| *c == Call::Release(1));
    let given_up = Call::Address(ip("10.0.0.101"), false);
    let given_up = calls.iter().position(|c| *c == given_up);
    assert!(given_up.is_some() && given_up < released, "{calls:?}");
    assert!(!calls.iter().any(|c| matches!(c, Call::Advert(1, _))));
    sim.machine(0).broken.clear();
    sim.run_to(80_000);
    assert_eq!(sim.state(0, 1), State::Active);
}

#[test]
fn a_reload_that_the_platform_refuses_in_part_does_the_rest() {
    let mut sim = Sim::new(&[config(&[spec(1, 100), spec(2, 100)])]);
    sim.run_to(4_000);
    sim.take_events(0);
    sim.machine(0).broken = vec!["prepare eth0 2".into(), "prepare eth1 3".into()];
    let mut changed = spec(2, 100);
    changed.addresses.push(address("10.0.0.202"));
    let reload = sim.hosts[0].reload(config(&[spec(1, 50), changed, on_eth1(3)]));
    assert_eq!(reload.unwrap().changed.len(), 2);
    sim.run_to(20_000);
    assert_eq!(sim.report(0, &id("eth0", 1)).status.priority.get(), 50);
    for id in [id("eth0", 2), id("eth1", 3)] {
        let report = sim.report(0, &id);
        assert_eq!(report.status.state, State::Initialize, "{id}");
        assert!(report.refused.is_some(), "{id}");
    }
    assert_eq!(sim.machine(0).addresses.len(), 1);
    sim.machine(0).broken.clear();
    sim.run_to(90_000);
    assert_eq!(sim.machine(0).addresses.len(), 4);
    // A refused virtual router can be removed, and leaves nothing.
    sim.machine(0).broken.push("prepare eth1 3".into());
    let again = VrSpec {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..on_eth1(3).settings
        },
        ..on_eth1(3)
    };
    sim.hosts[0].reload(config(&[again])).unwrap();
    sim.run_to(100_000);
    sim.hosts[0].reload(config(&[])).unwrap();
    sim.run_to(110_000);
    assert!(sim.hosts[0].statuses().is_empty());
    assert!(sim.machine(0).addresses.is_empty());
    let calls = sim.take_calls(0);
    assert_eq!(calls.last(), Some(&Call::Unwatch("eth1".into())));
}

#[test]
fn one_that_is_in_the_way_makes_room() {
    let mut sim = Sim::new(&[config(&[spec(1, 100)])]);
    sim.run_to(4_000);
    sim.machine(0).broken.push("prepare eth0 2".into());
    sim.hosts[0].reload(config(&[spec(2, 100)])).unwrap();
    sim.machine(0).broken.clear();
    sim.run_to(4_100);
    let asked = |sim: &mut Sim| questions(&sim.take_calls(0), 2);
    assert_eq!(asked(&mut sim), 1);
    // Without an answer it waits for its successor, and is gone then.
    sim.run_to(4_950);
    let gone = !sim.hosts[0].statuses().iter().any(|r| r.id.vrid.get() == 1);
    assert_eq!(asked(&mut sim), usize::from(gone));
    sim.run_to(12_000);
    assert_eq!(sim.state(0, 2), State::Active);
}

#[test]
fn what_is_refused_counts_as_a_fault_of_its_own() {
    let fault = VrSpec {
        tracks: vec![TrackSpec {
            what: Tracked::VirtualRouter(id("eth1", 2)),
            effect: vrrp_core::TrackEffect::Fault,
        }],
        ..spec(1, 100)
    };
    let mut sim = Sim::new(&[]);
    let platform = sim.add_machine();
    sim.machine(0).broken.push("prepare eth1".into());
    sim.open(platform, config(&[fault, on_eth1(2)]));
    sim.run_to(10_000);
    let reason = |sim: &Sim| sim.report(0, &id("eth0", 1)).status.reason;
    assert_eq!(reason(&sim), Reason::TrackedFault);
    sim.machine(0).broken.clear();
    sim.run_to(80_000);
    assert_eq!(sim.state(0, 1), State::Active);
}
