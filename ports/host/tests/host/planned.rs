//! Takeovers that are prepared, and masters that stay when another has given way.

use vrrp_core::{MacMode, Priority, Reason, State};
use vrrp_host::{Event, VrSpec};

use crate::sim::{Sim, advert, config, id, ip, spec};

/// The preferred host, which has to be prepared.
fn prepared(priority: u8) -> VrSpec {
    VrSpec {
        prepares: true,
        ..spec(1, priority)
    }
}

/// A host of priority 100 that is Active, and one of 200 that has come and is asked for.
fn waiting() -> Sim {
    let mut sim = Sim::new(&[config(&[spec(1, 100)])]);
    sim.run_to(5_000);
    let platform = sim.add_machine();
    sim.open(platform, config(&[prepared(200)]));
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim
}

fn asked(sim: &mut Sim) -> usize {
    let events = sim.take_events(1);
    let is_asked = |event: &&Event| matches!(event, Event::Prepare { .. });
    events.iter().filter(is_asked).count()
}

fn warnings(sim: &Sim) -> Vec<String> {
    let warnings = sim.hosts[1].warnings();
    warnings.into_iter().map(|warning| warning.text).collect()
}

#[test]
fn a_weaker_master_is_left_alone_until_this_host_is_prepared() {
    let mut sim = waiting();
    let events = sim.take_events(1);
    let asked: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Prepare { peer, priority, .. } => Some((peer.address, priority.get())),
            _ => None,
        })
        .collect();
    assert_eq!(asked, [(ip("10.0.0.1"), 200)], "once");
    sim.hosts[1].set_prepared(&id("eth0", 1), Ok(())).unwrap();
    sim.run_to(25_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    assert_eq!(sim.last_change(1, 1, State::Active).1, Reason::Preempted);
    // It is prepared anew when it has been Backup again.
    sim.hosts[1].resign(&id("eth0", 1)).unwrap();
    sim.run_to(40_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(self::asked(&mut sim), 0, "it has resigned");
    let priority = Priority::new(201);
    sim.hosts[1].set_priority(&id("eth0", 1), priority).unwrap();
    sim.run_to(60_000);
    assert_eq!(self::asked(&mut sim), 1);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
}

#[test]
fn a_failure_keeps_it_backup_and_is_a_warning_until_it_succeeds() {
    let mut sim = waiting();
    let failed = Err("exit status: 1".to_owned());
    sim.hosts[1].set_prepared(&id("eth0", 1), failed).unwrap();
    sim.run_to(60_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(
        warnings(&sim),
        ["does not take over from 10.0.0.1, as it is not prepared: exit status: 1"]
    );
    assert_eq!(asked(&mut sim), 1);
    // A reload asks again.
    let mut changed = prepared(200);
    changed.settings.priority = Priority::new(202).unwrap();
    sim.hosts[1].reload(config(&[changed])).unwrap();
    sim.run_to(65_000);
    assert_eq!(asked(&mut sim), 1);
    assert!(warnings(&sim).is_empty());
    sim.hosts[1].set_prepared(&id("eth0", 1), Ok(())).unwrap();
    sim.run_to(70_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
}

#[test]
fn silence_and_a_stop_are_not_waited_for() {
    let mut sim = waiting();
    sim.frozen.insert(0);
    sim.run_to(24_000);
    assert_eq!(sim.state(1, 1), State::Active);
    assert_eq!(
        sim.last_change(1, 1, State::Active).1,
        Reason::ActiveTimeout
    );
    let mut sim = waiting();
    sim.hosts[0].shutdown();
    sim.run_to(21_500);
    assert_eq!(sim.state(1, 1), State::Active);
    assert_eq!(
        sim.last_change(1, 1, State::Active).1,
        Reason::ActiveStopped
    );
    // A result that comes too late is of no consequence.
    sim.hosts[1].set_prepared(&id("eth0", 1), Ok(())).unwrap();
    assert!(sim.hosts[1].set_prepared(&id("eth0", 2), Ok(())).is_err());
}

#[test]
fn the_master_that_stays_hears_that_the_other_has_given_way() {
    // With its own MAC one that gives way is heard once more.
    let with_own_mac = |priority| {
        let mut spec = spec(1, priority);
        spec.settings.mac_mode = MacMode::Interface;
        config(&[spec])
    };
    let mut sim = Sim::new(&[with_own_mac(200), with_own_mac(100)]);
    sim.run_to(5_000);
    sim.machine(1).cut.insert("eth0".into());
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Active, State::Active]);
    for index in [0, 1] {
        sim.take_events(index);
    }
    sim.machine(1).cut.clear();
    sim.run_to(40_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    let is_healed = |event: &Event| match event {
        Event::Healed { peer, .. } => Some(peer.address),
        _ => None,
    };
    let healed: Vec<_> = sim.take_events(0).iter().filter_map(is_healed).collect();
    assert_eq!(healed, [ip("10.0.0.2")]);
    assert!(!sim.take_events(1).iter().any(|e| is_healed(e).is_some()));
    // A planned move is none, in either direction.
    sim.hosts[0].resign(&id("eth0", 1)).unwrap();
    sim.run_to(50_000);
    sim.hosts[0]
        .set_priority(&id("eth0", 1), Priority::new(210))
        .unwrap();
    sim.run_to(60_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    for index in [0, 1] {
        assert!(
            !sim.take_events(index)
                .iter()
                .any(|e| is_healed(e).is_some())
        );
    }
}

#[test]
fn a_master_that_advertises_seldom_is_not_taken_for_gone_after_each_silence() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)])]);
    sim.run_to(20_000);
    let healed = |sim: &mut Sim| -> Vec<u128> {
        let events = sim.take_events(0).into_iter();
        let silences = events.filter_map(|event| match event {
            Event::Healed { silence, .. } => Some(silence.as_millis()),
            _ => None,
        });
        silences.collect()
    };
    let advertise = |sim: &mut Sim, at: u64| {
        sim.run_to(at);
        let frame = advert("10.0.0.9", 1, 100, &["10.0.0.101"]);
        sim.machine(0).deliver("eth0", frame);
    };
    // As often as it says, then silent: known when four intervals have gone by.
    for at in [21_000, 22_000] {
        advertise(&mut sim, at);
    }
    sim.run_to(25_900);
    assert_eq!(sim.report(0, &id("eth0", 1)).masters, 2);
    sim.run_to(27_000);
    assert_eq!(sim.report(0, &id("eth0", 1)).masters, 1);
    assert_eq!(healed(&mut sim), [4_000]);
    // It goes on, seldom.
    for at in [29_500, 30_000, 37_000, 44_400, 45_000] {
        advertise(&mut sim, at);
        sim.run_to(at + 100);
        assert_eq!(sim.report(0, &id("eth0", 1)).masters, 2);
    }
    for at in [50_000, 59_000] {
        sim.run_to(at);
        assert_eq!(sim.report(0, &id("eth0", 1)).masters, 2, "at {at}");
    }
    assert_eq!(healed(&mut sim), [0; 0]);
    sim.run_to(61_000);
    assert_eq!(healed(&mut sim), [15_000]);
    assert_eq!(sim.report(0, &id("eth0", 1)).masters, 1);
    // Punctual again, it is believed to be.
    for second in 70..=90 {
        advertise(&mut sim, second * 1_000);
    }
    sim.run_to(95_000);
    assert_eq!(healed(&mut sim), [4_000]);
    assert_eq!(sim.states(1), [State::Active]);
}
