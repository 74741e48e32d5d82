//! Synchronisation groups: two members, each on its own segment.

use std::sync::Arc;

use vrrp_core::{MacMode, Priority, State, TrackEffect};
use vrrp_host::wording;
use vrrp_host::{
    ConfigCause, Ended, Event, GroupCause, GroupSpec, GroupWhy, Host, HostConfig, TrackSpec,
    Tracked, VrId, VrSpec,
};

use crate::sim::{Sim, address, config, id, spec};

const ACTIVE: [State; 2] = [State::Active, State::Active];
const BACKUP: [State; 2] = [State::Backup, State::Backup];
const FAULT: [State; 2] = [State::Initialize, State::Initialize];

/// VRID 1 on eth0 and VRID 2 on eth1.
fn members(priority: u8) -> [VrSpec; 2] {
    let mut inside = spec(1, priority);
    let mut outside = VrSpec::new(id("eth1", 2), vec![address("10.0.1.102")]);
    outside.settings.priority = Priority::new(priority).expect("a priority");
    for spec in [&mut inside, &mut outside] {
        spec.settings.accept = true;
    }
    [inside, outside]
}

fn group(name: &str, specs: &[VrSpec]) -> GroupSpec {
    GroupSpec {
        name: name.into(),
        members: specs.iter().map(|spec| spec.id.clone()).collect(),
    }
}

fn grouped(specs: &[VrSpec]) -> HostConfig {
    HostConfig {
        groups: vec![group("gw", specs)],
        ..config(specs)
    }
}

/// The states of the members on each host.
fn states(sim: &Sim) -> Vec<[State; 2]> {
    let members = |host: &Host<_>| {
        [id("eth0", 1), id("eth1", 2)].map(|id| {
            host.status(&id)
                .map_or(State::Initialize, |r| r.status.state)
        })
    };
    sim.hosts.iter().map(members).collect()
}

/// Two hosts, the first one Active of everything.
fn pair(change: impl Fn(&mut VrSpec)) -> Sim {
    let of = |priority| {
        let mut specs = members(priority);
        specs.iter_mut().for_each(&change);
        grouped(&specs)
    };
    let mut sim = Sim::new(&[of(200), of(100)]);
    sim.run_to(5_000);
    assert_eq!(states(&sim), [ACTIVE, BACKUP]);
    sim
}

fn group_changes(sim: &Sim, host: usize) -> Vec<(State, State, GroupWhy)> {
    let events = sim.events[host].iter();
    let changes = events.filter_map(|(_, event)| match event {
        Event::Group { from, to, why, .. } => Some((*from, *to, why.clone())),
        _ => None,
    });
    changes.collect()
}

#[test]
fn a_cable_that_is_cut_moves_every_member() {
    for (cut, member) in [("eth0", id("eth0", 1)), ("eth1", id("eth1", 2))] {
        let mut sim = pair(|_| {});
        sim.machine(0).set_up(cut, false);
        sim.run_to(9_000);
        assert_eq!(states(&sim), [FAULT, ACTIVE], "{cut}");
        sim.run_to(12_000);
        sim.machine(0).set_up(cut, true);
        sim.run_to(20_000);
        assert_eq!(states(&sim), [ACTIVE, BACKUP], "{cut}");
        let (first, second) = (&group_changes(&sim, 0), &group_changes(&sim, 1));
        let states = |changes: &[(State, State, GroupWhy)]| -> Vec<State> {
            changes.iter().map(|(_, to, _)| *to).collect()
        };
        use State::{Active, Backup, Initialize};
        assert_eq!(states(first), [Backup, Active, Initialize, Backup, Active]);
        assert_eq!(states(second), [Backup, Active, Backup]);
        assert_eq!(first[2].2, GroupWhy::Fault(member));
    }
}

#[test]
fn a_segment_that_passes_nothing_moves_no_member() {
    for (silent, preempt) in [
        ("eth0", true),
        ("eth1", true),
        ("eth0", false),
        ("eth1", false),
    ] {
        let mut sim = pair(|spec| spec.settings.preempt = preempt);
        sim.machine(0).cut.insert(silent.into());
        sim.run_to(30_000);
        assert_eq!(states(&sim), [ACTIVE, BACKUP], "{silent}");
        let warnings = |sim: &Sim| -> Vec<String> {
            let all = sim.hosts[1].warnings().into_iter();
            all.map(|warning| format!("{:?}: {}", warning.about, warning.text))
                .collect()
        };
        let said = warnings(&sim);
        assert!(
            said.len() == 1 && said[0].contains(silent) && said[0].contains("no master is heard"),
            "{said:?}"
        );
        sim.machine(0).cut.clear();
        sim.run_to(40_000);
        assert_eq!(states(&sim), [ACTIVE, BACKUP], "{silent}");
        assert_eq!(warnings(&sim), [""; 0]);
    }
}

#[test]
fn groups_that_differ_are_named_by_the_host_that_waits() {
    // The first host serves both, and has no group.
    let mut sim = Sim::new(&[config(&members(200)), grouped(&members(100))]);
    sim.run_to(5_000);
    assert_eq!(states(&sim), [ACTIVE, BACKUP]);
    sim.machine(0).set_up("eth0", false);
    sim.run_to(10_000);
    sim.machine(0).set_up("eth0", true);
    sim.hosts[0].reload(config(&members(200)[1..])).unwrap();
    sim.run_to(20_000);
    let warnings = sim.hosts[1].warnings();
    let texts: Vec<&str> = warnings.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("lacks this member"), "{texts:?}");
    // One that is taken away where it serves is given up, and that is heard.
    let mut sim = Sim::new(&[config(&members(200)), grouped(&members(100))]);
    sim.run_to(5_000);
    sim.hosts[0].reload(config(&members(200)[1..])).unwrap();
    sim.run_to(20_000);
    assert_eq!(states(&sim)[1], BACKUP);
    let warnings = sim.hosts[1].warnings();
    let texts: Vec<&str> = warnings.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        texts[0].contains(" gave it up, and ") && texts[0].contains("have the same [GROUP]"),
        "{texts:?}"
    );
}

#[test]
fn hosts_that_were_apart_on_every_segment_agree_again_on_any() {
    for heals in ["eth0", "eth1"] {
        for priorities in [[200, 100], [100, 200], [100, 100]] {
            let configs = priorities.map(|priority| grouped(&members(priority)));
            let mut sim = Sim::new(&configs);
            let both = ["eth0".to_owned(), "eth1".to_owned()];
            sim.machine(0).cut.extend(both.clone());
            sim.run_to(10_000);
            assert_eq!(states(&sim), [ACTIVE, ACTIVE]);
            sim.machine(0).cut.remove(heals);
            sim.run_to(25_000);
            let serving = states(&sim);
            // The higher address is the second host's.
            let expected = match priorities {
                [200, _] => [ACTIVE, BACKUP],
                _ => [BACKUP, ACTIVE],
            };
            assert_eq!(serving, expected, "{heals} {priorities:?}");
        }
    }
}

/// The reasons of the changes of a member, as the log has them.
fn reasons(sim: &Sim, host: usize, of: &VrId) -> Vec<String> {
    let events = sim.events[host].iter();
    let changes = events.filter_map(|(_, event)| match event {
        Event::StateChange { id, why, .. } if id == of => Some(wording::reason(why)),
        _ => None,
    });
    changes.collect()
}

#[test]
fn a_member_that_follows_its_group_names_the_group_and_the_cause() {
    // A fault of another.
    let mut sim = pair(|_| {});
    sim.machine(0).set_up("eth1", false);
    sim.run_to(9_000);
    let fault = "group gw: VRID 2 on eth1 (ipv4) cannot take part";
    let (inside, outside) = (id("eth0", 1), id("eth1", 2));
    assert_eq!(reasons(&sim, 0, &inside).last().unwrap(), fault);
    assert_eq!(
        wording::reason(&sim.hosts[0].status(&inside).unwrap().why),
        fault
    );
    assert_eq!(reasons(&sim, 0, &outside).last().unwrap(), "interface down");
    // The one with the fault is another now.
    sim.machine(0).set_up("eth0", false);
    sim.machine(0).set_up("eth1", true);
    sim.run_to(10_000);
    assert_eq!(
        wording::reason(&sim.hosts[0].status(&outside).unwrap().why),
        "group gw: VRID 1 on eth0 (ipv4) cannot take part"
    );
    // An election that another has lost.
    let configs = [200, 100].map(|priority| grouped(&members(priority)));
    let mut sim = Sim::new(&configs);
    let both = ["eth0".to_owned(), "eth1".to_owned()];
    sim.machine(0).cut.extend(both);
    sim.run_to(10_000);
    sim.machine(0).cut.remove("eth0");
    sim.run_to(25_000);
    let said = reasons(&sim, 1, &outside);
    let last = said.last().unwrap();
    assert!(
        last.starts_with("group gw: VRID 1 on eth0 (ipv4) is served by "),
        "{last}"
    );
    // An administrator tells all of them.
    let mut sim = pair(|spec| spec.settings.preempt = false);
    sim.hosts[0].resign(&outside).unwrap();
    sim.run_to(9_000);
    for member in [&inside, &outside] {
        assert_eq!(reasons(&sim, 0, member).last().unwrap(), "told to resign");
    }
}

#[test]
fn a_waiting_group_names_the_members_that_hold_it_back() {
    let mut own = members(200);
    own[1].settings.priority = Priority::new(50).unwrap();
    let mut sim = Sim::new(&[grouped(&own), grouped(&members(100))]);
    sim.run_to(15_000);
    assert_eq!(states(&sim), [BACKUP, ACTIVE]);
    let report = &sim.hosts[0].groups()[0];
    let obstacles: Vec<&VrId> = report.obstacles.iter().map(|(id, _)| id).collect();
    assert_eq!(obstacles, [&id("eth1", 2)]);
    assert_eq!(sim.hosts[1].groups()[0].obstacles, []);
}

#[test]
fn a_fault_that_ends_while_members_leave_is_the_reason_of_the_group() {
    let mut sim = pair(|_| {});
    sim.machine(0).set_up("eth0", false);
    sim.run_to(5_001);
    sim.machine(0).set_up("eth0", true);
    sim.run_to(9_000);
    let changes = group_changes(&sim, 0);
    let recovered = GroupWhy::Recovered(id("eth0", 1));
    let left = (State::Active, State::Backup, recovered);
    assert!(changes.contains(&left), "{changes:?}");
}

#[test]
fn a_group_that_ends_says_by_which_wish() {
    for (ended, end) in [
        (
            Ended::ShuttingDown,
            (|host| host.shutdown()) as fn(&mut Host<_>),
        ),
        (Ended::Disabled, |host| {
            host.set_enabled(&id("eth1", 2), false).unwrap();
        }),
    ] {
        let mut sim = pair(|_| {});
        end(&mut sim.hosts[0]);
        sim.run_to(12_000);
        let changes = group_changes(&sim, 0);
        let (.., to, why) = changes.last().unwrap();
        assert_eq!((*to, why), (State::Initialize, &GroupWhy::Stopped(ended)));
    }
}

#[test]
fn a_group_that_starts_without_an_interface_names_the_member() {
    let mut sim = Sim::new(&[]);
    let platform = sim.add_machine();
    sim.machine(0).set_up("eth1", false);
    sim.open(platform, grouped(&members(100)));
    sim.run_to(5_000);
    let report = &sim.hosts[0].groups()[0];
    assert_eq!(report.state, State::Initialize);
    assert_eq!(report.why, GroupWhy::Fault(id("eth1", 2)));
}

#[test]
fn a_host_that_stops_is_succeeded_by_another_in_everything() {
    let mut sim = pair(|spec| spec.settings.preempt = false);
    sim.frozen.insert(0);
    sim.run_to(10_000);
    assert_eq!(states(&sim)[1], ACTIVE);
}

#[test]
fn the_administrator_moves_every_member() {
    let mut sim = pair(|spec| spec.settings.preempt = false);
    sim.hosts[0].resign(&id("eth1", 2)).unwrap();
    sim.run_to(8_000);
    assert_eq!(states(&sim), [BACKUP, ACTIVE]);
    sim.hosts[1].set_drained(&id("eth0", 1), true).unwrap();
    sim.run_to(12_000);
    assert_eq!(states(&sim), [ACTIVE, BACKUP]);
    sim.hosts[1].set_drained(&id("eth0", 1), false).unwrap();
    sim.hosts[0].set_enabled(&id("eth0", 1), false).unwrap();
    sim.run_to(16_000);
    assert_eq!(states(&sim), [FAULT, ACTIVE]);
    sim.hosts[0].set_enabled(&id("eth1", 2), true).unwrap();
    sim.run_to(20_000);
    assert_eq!(states(&sim), [BACKUP, ACTIVE]);
    sim.hosts[0].fail_back(&id("eth1", 2)).unwrap();
    sim.run_to(30_000);
    assert_eq!(states(&sim), [ACTIVE, BACKUP]);
    sim.hosts[0]
        .set_priority(&id("eth0", 1), Priority::new(50))
        .unwrap();
    let report = sim.hosts[0].status(&id("eth1", 2)).unwrap();
    assert_eq!(report.status.priority.get(), 50);
    assert_eq!(report.group.as_deref(), Some("gw"));
}

#[test]
fn the_weights_of_members_add_up_and_a_fault_of_one_is_one_of_all() {
    let tracked = |name: &str, effect| TrackSpec {
        what: Tracked::Named(name.into()),
        effect,
    };
    let mut specs = members(200);
    specs[0].tracks = vec![tracked("a", TrackEffect::WhileDown(-60))];
    specs[1].tracks = vec![
        tracked("b", TrackEffect::WhileDown(-60)),
        tracked("f", TrackEffect::Fault),
    ];
    let mut sim = Sim::new(&[grouped(&specs), grouped(&members(100))]);
    sim.run_to(5_000);
    assert!(sim.hosts[0].set_tracked("a", false));
    sim.run_to(10_000);
    assert_eq!(states(&sim), [ACTIVE, BACKUP]);
    assert!(sim.hosts[0].set_tracked("b", false));
    for id in [id("eth0", 1), id("eth1", 2)] {
        let report = sim.hosts[0].status(&id).unwrap();
        assert_eq!(report.status.priority.get(), 80);
    }
    sim.run_to(20_000);
    assert_eq!(states(&sim), [BACKUP, ACTIVE]);
    sim.hosts[0].set_tracked("f", false);
    sim.run_to(21_000);
    assert_eq!(states(&sim), [FAULT, ACTIVE]);
}

#[test]
fn a_reload_adds_and_removes_a_group() {
    let alone = config(&members(200));
    let mut sim = Sim::new(&[alone.clone(), config(&members(100))]);
    sim.run_to(5_000);
    assert_eq!(states(&sim), [ACTIVE, BACKUP]);
    for (host, priority) in [(0, 200), (1, 100)] {
        sim.hosts[host].reload(grouped(&members(priority))).unwrap();
    }
    sim.run_to(6_000);
    // It is as it was, and disturbed nobody.
    assert_eq!(states(&sim), [ACTIVE, BACKUP]);
    assert_eq!(sim.hosts[0].groups()[0].state, State::Active);
    let changes = |sim: &Sim| {
        let events = sim.events[0].iter();
        events
            .filter(|(_, e)| matches!(e, Event::StateChange { .. }))
            .count()
    };
    assert_eq!(changes(&sim), 4);
    sim.machine(0).set_up("eth0", false);
    sim.run_to(12_000);
    assert_eq!(states(&sim), [FAULT, ACTIVE]);
    sim.hosts[0].reload(alone).unwrap();
    sim.run_to(18_000);
    assert_eq!(states(&sim)[0], [State::Initialize, State::Active]);
    assert!(sim.hosts[0].groups().is_empty());
    let removed = Event::GroupRemoved { name: "gw".into() };
    assert!(sim.events[0].iter().any(|(_, event)| *event == removed));
}

#[test]
fn a_member_that_is_set_up_anew_moves_the_whole_group() {
    let mut sim = pair(|_| {});
    let mut specs = members(200);
    specs[0].settings.mac_mode = match specs[0].settings.mac_mode {
        MacMode::Interface => MacMode::Virtual,
        MacMode::Virtual => MacMode::Interface,
    };
    sim.hosts[0].reload(grouped(&specs)).unwrap();
    // Every member is served by one host or the other, and in the end by one.
    for ms in (5_010..12_000).step_by(10) {
        sim.run_to(ms);
        let states = states(&sim);
        for member in 0..2 {
            assert!(
                states.iter().any(|host| host[member] == State::Active),
                "{ms} ms: {states:?}"
            );
        }
        if ms == 6_500 {
            assert_eq!(states[1], ACTIVE);
        }
    }
    sim.run_to(20_000);
    assert_eq!(states(&sim), [ACTIVE, BACKUP]);
}

#[test]
fn a_group_that_moves_to_a_host_without_a_network_comes_back() {
    for (cut, preempt) in [
        ("eth0", true),
        ("eth1", true),
        ("eth0", false),
        ("eth1", false),
    ] {
        let mut sim = pair(|spec| spec.settings.preempt = preempt);
        sim.machine(1).cut.insert(cut.into());
        sim.run_to(15_000);
        assert_eq!(states(&sim), [ACTIVE, BACKUP], "{cut}");
        sim.hosts[0].resign(&id("eth0", 1)).unwrap();
        sim.run_to(40_000);
        assert_eq!(states(&sim), [ACTIVE, BACKUP], "{cut} {preempt}");
        let told = sim.events[0].iter().any(|(_, event)| {
            matches!(event, Event::Problem { text, .. } if text.contains("comes back as a whole"))
        });
        assert!(told, "{cut}");
        sim.run_to(60_000);
        assert_eq!(states(&sim), [ACTIVE, BACKUP], "{cut} {preempt}");
    }
}

#[test]
fn groups_that_cannot_be_are_refused() {
    let specs = members(100);
    let name: Arc<str> = "gw".into();
    let refused = |groups: Vec<GroupSpec>| {
        let config = HostConfig {
            groups,
            ..config(&specs)
        };
        match config.check().map_err(|error| error.cause) {
            Err(ConfigCause::Group { cause, .. }) => cause,
            other => panic!("{other:?}"),
        }
    };
    let good = || group("gw", &specs);
    assert_eq!(refused(vec![good(), good()]), GroupCause::Twice);
    assert_eq!(
        refused(vec![good(), group("b", &specs)]),
        GroupCause::InAnother
    );
    assert_eq!(refused(vec![group("a", &specs[..1])]), GroupCause::Alone);
    let strange = GroupSpec {
        name,
        members: vec![id("eth0", 1), id("eth0", 9)],
    };
    assert_eq!(refused(vec![strange]), GroupCause::NoSuchVirtualRouter);
}
