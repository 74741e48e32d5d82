//! A silent master whose address is still answered for (G-8).

use vrrp_core::{InterfaceState, MacAddr, OnConflict, Priority, Reason, State, VrSettings};
use vrrp_host::{Event, Holder, VrSpec};

use crate::fake::interface;
use crate::sim::{Sim, config, id, ip, key, spec};

/// A backup whose master, of priority 200, freezes at 10 s.
fn frozen_master(on_conflict: OnConflict) -> Sim {
    let backup = VrSpec {
        settings: VrSettings {
            on_conflict,
            ..spec(1, 100).settings
        },
        ..spec(1, 100)
    };
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[backup])]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim.take_events(1);
    sim.frozen.insert(0);
    sim
}

/// Lets a host answer for the address of the virtual router, or no host.
fn answers(sim: &Sim, mac: Option<MacAddr>) {
    sim.machine(1).stranger = mac.map(|mac| (mac, vec![ip("10.0.0.101")]));
}

fn holder() -> Holder {
    Holder {
        address: ip("10.0.0.101"),
        mac: key(1).virtual_mac(),
    }
}

/// The times at which an answer was reported, as events.
fn found(sim: &mut Sim) -> Vec<MacAddr> {
    let events = sim.take_events(1).into_iter();
    let found = events.filter_map(|event| match event {
        Event::Unheard { mac, address, .. } => {
            assert_eq!(address, ip("10.0.0.101"));
            Some(mac)
        }
        _ => None,
    });
    found.collect()
}

fn warnings(sim: &Sim) -> Vec<String> {
    let all = sim.hosts[1].warnings().into_iter();
    all.map(|warning| warning.text).collect()
}

#[test]
fn a_dead_master_is_asked_for_once_and_replaced_in_time() {
    let mut sim = frozen_master(OnConflict::Wait);
    sim.run_to(20_000);
    assert_eq!(sim.machine(1).probes_before_takeover.len(), 2);
    let at = sim.last_change(1, 1, State::Active);
    assert_eq!(at, (9_218_750 + 3_609_375, Reason::ActiveTimeout));
    assert_eq!(found(&mut sim), []);
    assert_eq!(sim.report(1, &id("eth0", 1)).holder, None);
}

#[test]
fn a_takeover_from_a_master_that_answers_is_in_time_and_says_so() {
    let mut sim = frozen_master(OnConflict::TakeOver);
    answers(&sim, Some(key(1).virtual_mac()));
    // It is found before, and is no reason to speak of waiting.
    sim.run_to(12_800);
    assert_eq!(sim.report(1, &id("eth0", 1)).holder, Some(holder()));
    assert_eq!(sim.state(1, 1), State::Backup);
    assert_eq!(warnings(&sim), [""; 0]);
    sim.run_to(20_000);
    let at = sim.last_change(1, 1, State::Active);
    assert_eq!(at, (9_218_750 + 3_609_375, Reason::ActiveUnheard));
    assert_eq!(found(&mut sim), [key(1).virtual_mac()]);
    assert_eq!(sim.report(1, &id("eth0", 1)).holder, Some(holder()));
    let [warning] = &warnings(&sim)[..] else {
        panic!("{:?}", warnings(&sim));
    };
    assert!(warning.contains("answers for 10.0.0.101, and no advertisement"));
    assert!(warning.contains("this host took over"));
    // It lasts for as long as the host answers, and a lost answer does not end it.
    sim.run_to(400_000);
    assert_eq!(warnings(&sim).len(), 1);
    answers(&sim, None);
    sim.run_to(403_000);
    assert_eq!(warnings(&sim).len(), 1);
    answers(&sim, Some(key(1).virtual_mac()));
    for second in 404..440 {
        sim.run_to(second * 1_000);
        assert_eq!(warnings(&sim).len(), 1, "{second}");
    }
    // It is history when there are no more answers.
    answers(&sim, None);
    sim.run_to(458_000);
    assert_eq!(warnings(&sim), [""; 0]);
    assert_eq!(sim.report(1, &id("eth0", 1)).holder, None);
    assert_eq!(sim.state(1, 1), State::Active);
    // A host that comes back is told of again.
    answers(&sim, Some(key(1).virtual_mac()));
    sim.run_to(475_000);
    assert_eq!(warnings(&sim).len(), 1);
}

#[test]
fn a_host_that_does_not_answer_after_a_takeover_is_asked_for_few_times() {
    let mut sim = frozen_master(OnConflict::TakeOver);
    answers(&sim, Some(key(1).virtual_mac()));
    sim.run_to(13_000);
    answers(&sim, None);
    assert_eq!(warnings(&sim).len(), 1);
    sim.run_to(30_000);
    assert_eq!(warnings(&sim), [""; 0]);
    let asked = sim.machine(1).probes.len();
    sim.run_to(90_000);
    // One each 10 s, as any master asks.
    let more = sim.machine(1).probes.len() - asked;
    assert!((5..=7).contains(&more), "{more}");
}

#[test]
fn a_host_that_cannot_be_asked_for_is_history_after_a_while() {
    let mut sim = frozen_master(OnConflict::TakeOver);
    answers(&sim, Some(key(1).virtual_mac()));
    sim.run_to(14_000);
    let state = InterfaceState {
        ipv4: Some([10, 0, 0, 101].into()),
        ..interface(1)
    };
    sim.machine(1).set_interface("eth0", state);
    sim.run_to(190_000);
    assert_eq!(warnings(&sim).len(), 1);
    sim.run_to(200_000);
    assert_eq!(warnings(&sim), [""; 0]);
}

#[test]
fn a_former_master_that_is_heard_again_ends_the_warning() {
    let mut sim = frozen_master(OnConflict::TakeOver);
    answers(&sim, Some(key(1).virtual_mac()));
    sim.run_to(20_000);
    assert_eq!(warnings(&sim).len(), 1);
    // It goes on, as it does not hear this host, and is heard.
    sim.machine(0).deaf.insert("eth0".into());
    sim.hosts[1]
        .set_priority(&id("eth0", 1), Priority::new(250))
        .expect("it is there");
    sim.frozen.clear();
    sim.run_to(22_000);
    assert_eq!(sim.states(1), [State::Active, State::Active]);
    let all = warnings(&sim);
    assert!(
        all.iter().all(|text| !text.contains("answers for")),
        "{all:?}"
    );
}

#[test]
fn a_backup_that_waits_takes_over_when_nobody_answers_any_more() {
    let mut sim = frozen_master(OnConflict::Wait);
    answers(&sim, Some(key(1).virtual_mac()));
    sim.run_to(60_000);
    assert_eq!(sim.state(1, 1), State::Backup);
    // Told once a minute, and shown for as long as it lasts.
    assert_eq!(found(&mut sim), [key(1).virtual_mac()]);
    assert_eq!(sim.report(1, &id("eth0", 1)).holder, Some(holder()));
    assert!(warnings(&sim)[0].contains("this host waits"));
    let asked = sim.machine(1).probes_before_takeover.len();
    assert!((45..=55).contains(&asked), "{asked} in 50 s");
    answers(&sim, None);
    sim.run_to(63_000);
    assert_eq!(sim.state(1, 1), State::Active);
    assert_eq!(
        sim.report(1, &id("eth0", 1)).why.reason,
        Reason::ActiveTimeout
    );
    assert_eq!(warnings(&sim), [""; 0]);
}

#[test]
fn a_master_that_is_heard_again_ends_the_wait() {
    let mut sim = frozen_master(OnConflict::Wait);
    answers(&sim, Some(key(1).virtual_mac()));
    sim.run_to(30_000);
    answers(&sim, None);
    sim.frozen.clear();
    sim.run_to(31_500);
    assert_eq!(sim.state(1, 1), State::Backup);
    assert_eq!(sim.report(1, &id("eth0", 1)).holder, None);
    assert_eq!(warnings(&sim), [""; 0]);
}
