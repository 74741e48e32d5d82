//! Tracked interfaces, virtual routers and named objects.

use vrrp_core::{Reason, State, TrackEffect};
use vrrp_host::{TrackSpec, Tracked, VrSpec};

use crate::sim::{Sim, address, config, id, spec};

fn tracking(mut spec: VrSpec, what: Tracked, effect: TrackEffect) -> VrSpec {
    spec.tracks.push(TrackSpec { what, effect });
    spec
}

fn on_eth1(number: u8) -> VrSpec {
    VrSpec {
        id: id("eth1", number),
        addresses: vec![address("10.9.0.1")],
        ..spec(number, 100)
    }
}

#[test]
fn an_interface_moves_the_priority() {
    let eth1 = || Tracked::Interface("eth1".into());
    let first = tracking(spec(1, 200), eth1(), TrackEffect::WhileDown(-150));
    let mut sim = Sim::new(&[config(&[first]), config(&[spec(1, 100)])]);
    sim.run_to(4_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim.machine(0).set_up("eth1", false);
    sim.run_to(8_000);
    assert_eq!(sim.report(0, &id("eth0", 1)).status.priority.get(), 50);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    sim.machine(0).set_up("eth1", true);
    sim.run_to(12_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
}

#[test]
fn an_interface_that_does_not_exist_is_down() {
    let ppp0 = Tracked::Interface("ppp0".into());
    let mut sim = Sim::new(&[config(&[tracking(spec(1, 200), ppp0, TrackEffect::Fault)])]);
    sim.run_to(5_000);
    let status = sim.report(0, &id("eth0", 1)).status;
    assert_eq!(
        (status.state, status.reason),
        (State::Initialize, Reason::TrackedFault)
    );
    let state = crate::fake::interface(0);
    sim.machine(0).set_interface("ppp0", state);
    sim.run_to(10_000);
    assert_eq!(sim.state(0, 1), State::Active);
}

#[test]
fn two_virtual_routers_that_depend_on_each_other_fall_and_rise_together() {
    let (one, two) = (id("eth0", 1), id("eth1", 2));
    let specs = [
        tracking(
            spec(1, 200),
            Tracked::VirtualRouter(two.clone()),
            TrackEffect::Fault,
        ),
        tracking(
            on_eth1(2),
            Tracked::VirtualRouter(one.clone()),
            TrackEffect::Fault,
        ),
    ];
    let mut sim = Sim::new(&[config(&specs)]);
    sim.run_to(5_000);
    let mut now = 5_000;
    for (broken, victim, other) in [("eth0", &one, &two), ("eth1", &two, &one)] {
        sim.machine(0).set_up(broken, false);
        now += 5_000;
        sim.run_to(now);
        let (victim, other) = (sim.report(0, victim).status, sim.report(0, other).status);
        assert_eq!(
            (victim.state, victim.reason),
            (State::Initialize, Reason::InterfaceDown)
        );
        assert_eq!(
            (other.state, other.reason),
            (State::Initialize, Reason::TrackedFault)
        );
        sim.machine(0).set_up(broken, true);
        now += 5_000;
        sim.run_to(now);
        assert_eq!(sim.report(0, &one).status.state, State::Active);
        assert_eq!(sim.report(0, &two).status.state, State::Active);
    }
    // One that is disabled on purpose pulls nobody down.
    sim.hosts[0].set_enabled(&one, false).unwrap();
    sim.run_to(now + 5_000);
    assert_eq!(sim.report(0, &two).status.state, State::Active);
}

#[test]
fn a_virtual_router_whose_address_cannot_be_installed_pulls_the_other_down() {
    let one = Tracked::VirtualRouter(id("eth0", 1));
    let two = tracking(on_eth1(2), one, TrackEffect::Fault);
    let mut sim = Sim::new(&[config(&[spec(1, 200), two])]);
    sim.run_to(5_000);
    let broken = "set address 10.0.0.101";
    sim.machine(0).broken.push(broken.into());
    sim.machine(0)
        .steal(crate::sim::key(1), crate::sim::ip("10.0.0.101"));
    sim.run_to(5_010);
    assert_eq!(
        sim.report(0, &id("eth0", 1)).status.reason,
        Reason::EffectFailed
    );
    let other = sim.report(0, &id("eth1", 2)).status;
    assert!(other.handing_over || other.state == State::Initialize);
    sim.machine(0).broken.clear();
    sim.run_to(30_000);
    assert_eq!(sim.state(0, 1), State::Active);
    assert_eq!(sim.report(0, &id("eth1", 2)).status.state, State::Active);
}

#[test]
fn a_named_object_is_what_the_user_says() {
    let web = || Tracked::Named("web".into());
    let first = tracking(spec(1, 200), web(), TrackEffect::WhileDown(-150));
    let second = tracking(spec(2, 200), web(), TrackEffect::Fault);
    let mut sim = Sim::new(&[config(&[first.clone(), second.clone()])]);
    sim.run_to(4_000);
    assert!(!sim.hosts[0].set_tracked("mail", false));
    assert!(sim.hosts[0].set_tracked("web", false));
    sim.run_to(8_000);
    assert_eq!(sim.report(0, &id("eth0", 1)).status.priority.get(), 50);
    assert_eq!(sim.state(0, 2), State::Initialize);
    // A newcomer that tracks the same object learns of its state, and the others keep theirs.
    let third = tracking(spec(3, 200), web(), TrackEffect::WhileDown(-20));
    sim.hosts[0]
        .reload(config(&[first, second, third]))
        .unwrap();
    assert_eq!(sim.report(0, &id("eth0", 3)).status.priority.get(), 180);
    assert_eq!(sim.state(0, 2), State::Initialize);
    assert!(sim.hosts[0].set_tracked("web", true));
    sim.run_to(12_000);
    assert_eq!(sim.report(0, &id("eth0", 1)).status.priority.get(), 200);
    assert_eq!(sim.state(0, 2), State::Active);
}
