//! Virtual routers that are drained, held and brought back.

use vrrp_core::{Duration, Reason, State, TrackEffect};
use vrrp_host::{TrackSpec, Tracked, VrSpec};

use crate::sim::{Sim, config, id, spec};

const ID: &str = "eth0";

/// A host of priority 200 that is Active, and a Backup of 100.
fn pair() -> Sim {
    with(spec(1, 200))
}

fn with(preferred: VrSpec) -> Sim {
    let mut sim = Sim::new(&[config(&[preferred]), config(&[spec(1, 100)])]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim
}

#[test]
fn a_drained_master_leaves_stays_away_and_comes_back() {
    let mut sim = pair();
    sim.hosts[0].set_drained(&id(ID, 1), true).unwrap();
    sim.run_to(12_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    assert_eq!(sim.last_change(0, 1, State::Backup).1, Reason::StandsBack);
    sim.run_to(60_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    // A reload changes nothing of it.
    sim.hosts[0].reload(config(&[spec(1, 210)])).unwrap();
    sim.run_to(80_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    sim.hosts[0].set_drained(&id(ID, 1), false).unwrap();
    sim.run_to(90_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
}

#[test]
fn the_last_host_serves_though_it_is_drained_and_offers_the_addresses() {
    let mut sim = pair();
    sim.hosts[0].set_drained(&id(ID, 1), true).unwrap();
    sim.run_to(12_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    sim.hosts[1].set_enabled(&id(ID, 1), false).unwrap();
    sim.run_to(30_000);
    assert_eq!(sim.states(1), [State::Active, State::Initialize]);
    sim.hosts[1].set_enabled(&id(ID, 1), true).unwrap();
    sim.run_to(60_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
}

#[test]
fn a_drained_host_makes_room_among_the_tracked_objects() {
    let preferred = VrSpec {
        tracks: (0..8)
            .map(|n| TrackSpec {
                what: Tracked::Named(n.to_string()),
                effect: TrackEffect::WhileDown(-1),
            })
            .collect(),
        ..spec(1, 200)
    };
    let mut sim = with(preferred);
    sim.hosts[0].set_drained(&id(ID, 1), true).unwrap();
    sim.run_to(12_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    sim.hosts[0].set_drained(&id(ID, 1), false).unwrap();
    sim.run_to(30_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    let report = sim.hosts[0].status(&id(ID, 1)).unwrap();
    assert_eq!(report.status.priority.get(), 200);
}

#[test]
fn a_held_backup_is_not_better_than_anybody_until_it_is_brought_back_once() {
    let mut sim = pair();
    let preferred = id(ID, 1);
    sim.hosts[0].set_held(&preferred, true).unwrap();
    sim.hosts[0].resign(&preferred).unwrap();
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    // Another priority ends the resignation, and not the hold.
    let status = sim.hosts[0].status(&preferred).unwrap().status;
    let priority = Some(status.priority);
    sim.hosts[0].set_priority(&preferred, priority).unwrap();
    sim.run_to(40_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    sim.hosts[0].fail_back(&preferred).unwrap();
    sim.run_to(50_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    // Once.
    sim.hosts[0].resign(&preferred).unwrap();
    sim.run_to(60_000);
    sim.hosts[0].set_priority(&preferred, priority).unwrap();
    sim.run_to(80_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    sim.hosts[0].set_held(&preferred, false).unwrap();
    sim.run_to(90_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
}

#[test]
fn a_host_that_does_not_preempt_is_brought_back_and_waits_for_no_delay() {
    let mut preferred = spec(1, 200);
    preferred.settings.preempt = false;
    preferred.settings.preempt_delay = Duration::from_secs(300);
    let mut sim = with(preferred);
    sim.hosts[0].resign(&id(ID, 1)).unwrap();
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    sim.hosts[0].fail_back(&id(ID, 1)).unwrap();
    sim.run_to(30_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
}
