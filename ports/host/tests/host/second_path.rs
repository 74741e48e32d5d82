//! Copies of advertisements on a second interface, which tell a dead master from one that is cut off.

use vrrp_core::wire::{Datagram, ethernet};
use vrrp_core::{Family, MacAddr, State};
use vrrp_host::{ConfigCause, Event, Host, PathState, VrId, VrSpec};

use crate::fake::{Call, interface};
use crate::sim::{Sim, advert, config, id, ip, spec, vrid};

fn with_heartbeat(priority: u8) -> VrSpec {
    VrSpec {
        heartbeat: Some("eth1".into()),
        ..spec(1, priority)
    }
}

/// Two hosts of which host 0 is master since long.
fn pair() -> Sim {
    let mut sim = Sim::new(&[
        config(&[with_heartbeat(200)]),
        config(&[with_heartbeat(100)]),
    ]);
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    for host in [0, 1] {
        sim.take_events(host);
        sim.take_calls(host);
    }
    sim
}

/// The state of a host's second path, and the router that it is about.
fn path(sim: &Sim, host: usize) -> (PathState, Option<String>) {
    let report = sim.report(host, &id("eth0", 1));
    let path = report.second_path.expect("a second path");
    assert_eq!(path.interface, "eth1");
    (path.state, path.peer.map(|peer| peer.to_string()))
}

fn warnings(sim: &Sim, host: usize) -> Vec<String> {
    let all = sim.hosts[host].warnings().into_iter();
    all.map(|warning| warning.text).collect()
}

const MASTER: &str = "10.0.0.1";
const BACKUP: &str = "10.0.0.2";

fn about(state: PathState, peer: &str) -> (PathState, Option<String>) {
    (state, Some(peer.to_owned()))
}

#[test]
fn copies_have_the_mac_of_the_second_interface_and_are_no_announcements() {
    let mut sim = pair();
    assert_eq!(path(&sim, 0), (PathState::Silent, None));
    assert_eq!(path(&sim, 1), about(PathState::Both, MASTER));
    assert_eq!(warnings(&sim, 0), [""; 0]);
    assert_eq!(warnings(&sim, 1), [""; 0]);
    sim.machine(0).announced.clear();
    sim.run_to(30_000);
    let copies = std::mem::take(&mut sim.machine(0).announced);
    assert_eq!(copies.len(), 10);
    for (name, frame) in copies {
        assert_eq!(name, "eth1");
        let view = ethernet::View::new(&frame).expect("a frame");
        assert_eq!(view.source(), interface(0).mac);
        assert_eq!(view.destination(), Family::Ipv4.group_mac());
        let datagram = Datagram::new(&frame).expect("sound").expect("VRRP");
        assert_eq!(
            (datagram.source, datagram.vrid()),
            (ip(MASTER), Some(vrid(1)))
        );
    }
    // A backup sends none, and no copy is a packet that is dropped.
    assert_eq!(sim.machine(1).announced, []);
    let drops = sim.hosts[1]
        .drops()
        .iter()
        .map(|(_, count)| count)
        .sum::<u32>();
    assert_eq!(drops, 0);
    for interface in sim.hosts[1].interfaces() {
        assert_eq!(interface.drops, [], "{}", interface.name);
    }
    let events = sim.take_events(1);
    assert_eq!(events, [], "nothing is told");
    let seen = sim.hosts[1].segment();
    let of_copies: Vec<_> = seen.iter().filter(|seen| seen.heartbeat).collect();
    let [copy] = &of_copies[..] else {
        panic!("{seen:?}");
    };
    assert_eq!((copy.interface.as_str(), copy.ours), ("eth1", false));
}

#[test]
fn a_master_that_dies_is_silent_on_both_paths() {
    let mut sim = pair();
    sim.frozen.insert(0);
    sim.run_to(30_000);
    assert_eq!(sim.state(1, 1), State::Active);
    assert_eq!(path(&sim, 1), about(PathState::Dead, MASTER));
    assert_eq!(
        warnings(&sim, 1),
        ["10.0.0.1 fell silent on eth0 and eth1 at once: it is dead"]
    );
    // It may be a backup by now, which nobody hears.
    sim.run_to(210_000);
    assert_eq!(path(&sim, 1), (PathState::Silent, None));
    assert_eq!(warnings(&sim, 1), [""; 0]);
}

#[test]
fn a_rival_that_gives_way_soon_after_the_start_is_not_dead() {
    let mut sim = Sim::new(&[config(&[with_heartbeat(200)])]);
    assert_eq!(warnings(&sim, 0), [""; 0], "nothing is known yet");
    sim.run_to(4_000);
    assert_eq!(sim.state(0, 1), State::Active);
    for second in 4..8 {
        for interface in ["eth0", "eth1"] {
            let frame = advert("10.0.0.2", 1, 100, &["10.0.0.101"]);
            sim.machine(0).deliver(interface, frame);
        }
        sim.run_to(1_000 * second + 500);
    }
    assert_eq!(path(&sim, 0), about(PathState::OneWay, BACKUP));
    sim.run_to(20_000);
    assert_eq!(path(&sim, 0), (PathState::Silent, None));
    assert_eq!(warnings(&sim, 0), [""; 0]);
}

#[test]
fn a_cable_that_is_cut_shows_both_alive() {
    let mut sim = pair();
    for host in [0, 1] {
        sim.machine(host).cut.insert("eth0".into());
    }
    sim.run_to(30_000);
    // Evidence is no vote.
    assert_eq!(sim.states(1), [State::Active, State::Active]);
    assert_eq!(path(&sim, 0), about(PathState::Cut, BACKUP));
    assert_eq!(path(&sim, 1), about(PathState::Cut, MASTER));
    assert_eq!(
        warnings(&sim, 1),
        [
            "10.0.0.1 is alive on eth1 and not heard on eth0: it is cut off from this host there; look for the cable, the VLAN or a firewall between the two"
        ]
    );
    for host in [0, 1] {
        sim.machine(host).cut.clear();
    }
    sim.run_to(50_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(path(&sim, 0), (PathState::Silent, None));
    assert_eq!(path(&sim, 1), about(PathState::Both, MASTER));
    assert_eq!(warnings(&sim, 1), [""; 0]);
}

#[test]
fn a_loss_in_one_direction_is_seen_from_both_sides() {
    let mut sim = pair();
    sim.machine(1).deaf.insert("eth0".into());
    sim.run_to(30_000);
    assert_eq!(sim.states(1), [State::Active, State::Active]);
    assert_eq!(path(&sim, 1), about(PathState::Cut, MASTER));
    assert_eq!(path(&sim, 0), about(PathState::OneWay, BACKUP));
    let said = warnings(&sim, 0);
    assert!(
        said.iter().any(|line| line.starts_with(
            "10.0.0.2 is heard on eth0 and eth1 and goes on as master beside this host: "
        )),
        "{said:?}"
    );
    sim.machine(1).deaf.clear();
    sim.run_to(50_000);
    assert_eq!(warnings(&sim, 0), [""; 0]);
}

#[test]
fn a_second_path_that_is_broken_is_told() {
    let mut sim = pair();
    sim.machine(1).cut.insert("eth1".into());
    sim.run_to(30_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(path(&sim, 1), about(PathState::Missed, MASTER));
    let broken = "10.0.0.1 is heard on eth0 and not on eth1: the second path is broken, or heartbeat is not set on that host";
    assert_eq!(warnings(&sim, 1), [broken]);
    sim.machine(1).cut.clear();
    sim.run_to(35_000);
    assert_eq!(path(&sim, 1), about(PathState::Both, MASTER));
    sim.machine(1).set_up("eth1", false);
    sim.run_to(36_000);
    assert_eq!(path(&sim, 1), (PathState::Down, None));
    let said = warnings(&sim, 1);
    assert!(
        said[0].starts_with("eth1, the second path, is down or missing"),
        "{said:?}"
    );
    assert_eq!(
        sim.states(1),
        [State::Active, State::Backup],
        "it moves nothing"
    );
    sim.machine(1).set_up("eth1", true);
    sim.run_to(40_000);
    assert_eq!(path(&sim, 1), about(PathState::Both, MASTER));
    // Nothing is sent where there is no way.
    sim.machine(0).set_up("eth1", false);
    sim.machine(0).announced.clear();
    sim.run_to(45_000);
    assert_eq!(sim.machine(0).announced, []);
}

#[test]
fn a_frozen_master_still_answers_for_its_address() {
    let mut sim = pair();
    sim.frozen.insert(0);
    sim.machine(1).stranger = Some((MacAddr([2, 0, 0, 0, 0, 1]), vec![ip("10.0.0.101")]));
    sim.run_to(30_000);
    assert_eq!(sim.state(1, 1), State::Active);
    assert_eq!(path(&sim, 1), about(PathState::Frozen, MASTER));
    let said = warnings(&sim, 1);
    assert!(
        said.iter()
            .any(|line| line.starts_with("10.0.0.1 fell silent on eth0 and eth1, and its address")),
        "{said:?}"
    );
}

#[test]
fn a_planned_move_is_no_news_of_the_second_path() {
    let mut sim = pair();
    for drained in [true, false] {
        sim.hosts[0]
            .set_drained(&id("eth0", 1), drained)
            .expect("a virtual router");
        let start = sim.now().as_micros() / 1000;
        for tenth in 1..=150 {
            sim.run_to(start + 100 * tenth);
            for host in [0, 1] {
                let (state, _) = path(&sim, host);
                assert!(
                    matches!(state, PathState::Silent | PathState::Both),
                    "host {host}, {tenth}: {state:?}"
                );
                assert_eq!(warnings(&sim, host), [""; 0], "host {host}, {tenth}");
            }
        }
    }
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
}

#[test]
fn another_group_with_the_vrid_on_the_second_path_is_named() {
    let mut sim = pair();
    for second in 20..30 {
        let frame = advert("10.9.0.9", 1, 250, &["10.9.0.100"]);
        sim.machine(1).deliver("eth1", frame);
        sim.run_to(1_000 * second + 500);
    }
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(path(&sim, 1), about(PathState::Both, MASTER));
    assert_eq!(
        warnings(&sim, 1),
        [
            "10.9.0.9 uses VRID 1 for other addresses on eth1, the second path: give one of the two another serverid"
        ]
    );
}

#[test]
fn the_group_is_joined_left_and_tried_again() {
    let group = |on| Call::Group("eth1".into(), Family::Ipv4, on);
    let mut sim = Sim::new(&[]);
    let platform = sim.add_machine();
    sim.machine(0).broken = vec!["set group eth1".into()];
    sim.open(platform, config(&[with_heartbeat(100)]));
    sim.run_to(5_000);
    let refused = "nothing can be heard on a second path: ";
    assert!(
        warnings(&sim, 0)[0].starts_with(refused),
        "{:?}",
        warnings(&sim, 0)
    );
    assert_eq!(sim.state(0, 1), State::Active, "it serves all the same");
    sim.machine(0).broken.clear();
    sim.take_calls(0);
    sim.run_to(30_000);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    let calls = sim.take_calls(0);
    assert_eq!(calls.iter().filter(|call| **call == group(true)).count(), 1);
    // Another virtual router on the second interface comes and goes.
    let other = VrSpec {
        id: id("eth1", 2),
        ..spec(2, 100)
    };
    sim.hosts[0]
        .reload(config(&[with_heartbeat(100), other]))
        .expect("good");
    sim.run_to(40_000);
    sim.hosts[0]
        .reload(config(&[with_heartbeat(100)]))
        .expect("good");
    sim.run_to(50_000);
    let calls = sim.take_calls(0);
    assert!(!calls.contains(&group(false)), "{calls:?}");
    sim.hosts[0].reload(config(&[spec(1, 100)])).expect("good");
    sim.run_to(60_000);
    let calls = sim.take_calls(0);
    assert!(calls.contains(&group(false)), "{calls:?}");
    assert!(calls.contains(&Call::Unwatch("eth1".into())), "{calls:?}");
    assert_eq!(sim.report(0, &id("eth0", 1)).second_path, None);
    let of_it =
        |event: &Event| matches!(event, Event::StateChange { id, .. } if id.interface == "eth0");
    let changes = sim.take_events(0).into_iter().filter(of_it);
    assert_eq!(changes.count(), 2, "only its start");
}

#[test]
fn a_vrid_that_is_used_on_the_second_interface_is_refused() {
    let there = VrSpec {
        id: id("eth1", 1),
        addresses: spec(2, 100).addresses,
        ..spec(1, 100)
    };
    let twin = VrSpec {
        id: id("eth2", 1),
        addresses: spec(3, 100).addresses,
        ..with_heartbeat(100)
    };
    for other in [there, twin] {
        let mut sim = Sim::new(&[]);
        let platform = sim.add_machine();
        let refused = Host::open(platform, config(&[with_heartbeat(100), other]));
        let error = refused.expect_err("refused");
        assert!(
            matches!(&error.cause, ConfigCause::SecondPathTaken(name) if name == "eth1"),
            "{error}"
        );
    }
    // Another family is another virtual router.
    let ipv6 = VrId {
        family: Family::Ipv6,
        ..id("eth1", 1)
    };
    let mut six = VrSpec::new(ipv6, vec![crate::sim::address("fe80::1")]);
    six.addresses[0].address.prefix_len = 64;
    config(&[with_heartbeat(100), six]).check().expect("good");
}
