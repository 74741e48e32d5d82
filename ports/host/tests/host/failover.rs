//! Election, takeover and graceful stop.

use vrrp_core::{Family, MacMode, Priority, Reason, State, VrSettings};
use vrrp_host::{Event, VrId, VrSpec};

use crate::fake::Call;
use crate::sim::{Sim, address, config, id, ip, key, spec, vrid};

/// Two hosts with VRID 1 and priorities 200 and 100, the first one Active.
fn pair() -> Sim {
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[spec(1, 100)])]);
    sim.run_to(3_300);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim
}

//= RFC 9568 section 6.4.2
// S-2, S-4: the order is group, MAC, address, advertisement, announcement, event.
#[test]
fn the_higher_priority_is_elected() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[spec(1, 100)])]);
    sim.run_to(3_218);
    assert_eq!(sim.states(1), [State::Backup, State::Backup]);
    // at 3.21875 s: three intervals and a skew of 56/256 of one
    sim.run_to(3_300);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(
        sim.last_change(0, 1, State::Active),
        (3_218_750, Reason::ActiveTimeout)
    );
    let calls = sim.take_calls(0);
    let group = Call::Group("eth0".into(), Family::Ipv4, true);
    let joined = calls.iter().position(|call| *call == group).unwrap();
    assert_eq!(
        calls[joined + 1..],
        [
            Call::Mac(1, true),
            Call::Address(ip("10.0.0.101"), true),
            Call::Advert(1, 200),
            Call::Announce(1),
        ]
    );
}

// T-2, S-4
#[test]
fn silence_is_noticed_to_the_microsecond() {
    let mut sim = pair();
    sim.run_to(10_000);
    // The last advertisement was at 9.21875 s.
    sim.frozen.insert(0);
    sim.run_to(20_000);
    assert_eq!(
        sim.last_change(1, 1, State::Active),
        (9_218_750 + 3_609_375, Reason::ActiveTimeout)
    );
}

#[test]
fn a_mended_cable_leaves_one_master_who_announces_again() {
    let mut sim = pair();
    sim.machine(0).cut.insert("eth0".into());
    sim.run_to(8_000);
    assert_eq!(sim.states(1), [State::Active, State::Active]);
    sim.take_calls(0);
    sim.machine(0).cut.clear();
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    let (_, reason) = sim.last_change(1, 1, State::Backup);
    assert_eq!(reason, Reason::HigherPriority);
    assert!(sim.machine(1).addresses.is_empty());
    assert!(sim.take_calls(0).contains(&Call::Announce(1)));
}

// S-14
#[test]
fn a_link_that_goes_down_is_acted_on_at_once() {
    let mut sim = pair();
    sim.machine(0).set_up("eth0", false);
    sim.run_to(3_301);
    assert_eq!(sim.state(0, 1), State::Initialize);
    assert!(sim.machine(0).addresses.is_empty());
    let (_, reason) = sim.last_change(0, 1, State::Initialize);
    assert_eq!(reason, Reason::InterfaceDown);
    sim.run_to(8_000);
    assert_eq!(sim.state(1, 1), State::Active);
    sim.machine(0).set_up("eth0", true);
    sim.run_to(8_001);
    assert_eq!(sim.state(0, 1), State::Backup);
    sim.run_to(12_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
}

//= RFC 9568 section 6.4.3
// S-8, and our own rule: serve until the successor is heard.
#[test]
fn a_graceful_stop_serves_until_the_successor_is_heard() {
    let mut sim = pair();
    sim.run_to(5_000);
    sim.take_calls(0);
    sim.hosts[0].shutdown();
    assert_eq!(sim.take_calls(0), [Call::Advert(1, 0)]);
    assert!(!sim.hosts[0].is_stopped());
    // at 5.609375 s: the skew of the successor
    sim.run_to(5_609);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert!(sim.machine(0).addresses.contains(&ip("10.0.0.101")));
    assert!(sim.report(0, &id("eth0", 1)).leaving);
    sim.take_calls(0);
    sim.run_to(5_610);
    assert_eq!(sim.state(1, 1), State::Active);
    assert!(sim.hosts[0].is_stopped());
    assert_eq!(
        sim.take_calls(0),
        [
            Call::Address(ip("10.0.0.101"), false),
            Call::Mac(1, false),
            Call::Group("eth0".into(), Family::Ipv4, false),
            Call::Release(1),
            Call::Unwatch("eth0".into()),
        ]
    );
    let told = sim.take_events(0);
    assert_eq!(told.last(), Some(&Event::Removed { id: id("eth0", 1) }));
}

#[test]
fn the_last_host_stops_without_a_successor() {
    let mut sim = Sim::new(&[config(&[spec(1, 200), spec(2, 100)])]);
    sim.run_to(4_000);
    sim.hosts[0].shutdown();
    // Four intervals, in which a successor that ignores priority 0 would have come.
    sim.run_to(7_999);
    assert!(!sim.hosts[0].is_stopped());
    sim.run_to(8_001);
    assert!(sim.hosts[0].is_stopped());
    assert!(sim.machine(0).addresses.is_empty());
    assert!(sim.hosts[0].reload(config(&[spec(1, 200)])).is_err());
}

// T-8: more advertisements wait than one call of `receive` takes in.
#[test]
fn a_host_that_slept_does_not_take_over_from_a_healthy_peer() {
    let mut sim = pair();
    sim.frozen.insert(1);
    sim.run_to(90_000);
    sim.take_events(1);
    sim.frozen.clear();
    sim.run_to(95_000);
    let told = sim.take_events(1);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(
        sim.report(1, &id("eth0", 1)).statistics.active_transitions,
        0
    );
    let stalls = told.iter().filter(|e| matches!(e, Event::Stalled { .. }));
    assert_eq!((stalls.count(), told.len()), (1, 1));
}

#[test]
fn unicast_peers_need_no_group() {
    let to = |peer: &str, priority| VrSpec {
        peers: vec![ip(peer)],
        ..spec(1, priority)
    };
    let mut sim = Sim::new(&[
        config(&[to("10.0.0.2", 200)]),
        config(&[to("10.0.0.1", 100)]),
    ]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    for host in 0..2 {
        let calls = sim.take_calls(host);
        assert!(!calls.iter().any(|call| matches!(call, Call::Group(..))));
    }
    sim.frozen.insert(0);
    sim.run_to(15_000);
    assert_eq!(sim.state(1, 1), State::Active);
}

// The kernel sends advertisements to unicast peers, from the MAC of the interface.
#[test]
fn switches_learn_the_virtual_mac_with_each_round_of_unicast_advertisements() {
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        let to = |peers: [&str; 2], priority| VrSpec {
            settings: VrSettings {
                mac_mode,
                ..spec(1, priority).settings
            },
            peers: peers.map(ip).to_vec(),
            ..spec(1, priority)
        };
        let mut sim = Sim::new(&[
            config(&[to(["10.0.0.2", "10.0.0.3"], 200)]),
            config(&[to(["10.0.0.1", "10.0.0.3"], 100)]),
        ]);
        sim.run_to(10_000);
        assert_eq!(sim.states(1), [State::Active, State::Backup]);
        let calls = sim.take_calls(0);
        let adverts = calls.iter().filter(|c| matches!(c, Call::Advert(1, 200)));
        let rounds = adverts.count() / 2;
        let learning = sim.machine(0).to_itself.clone();
        if mac_mode == MacMode::Interface {
            assert!(learning.is_empty());
            continue;
        }
        assert!(rounds >= 6);
        assert_eq!(learning.len(), rounds);
        for frame in &learning {
            assert_eq!(frame[6..12], key(1).virtual_mac().0);
        }
        assert!(sim.machine(1).to_itself.is_empty(), "a backup is silent");
    }
}

#[test]
fn two_vrids_share_the_load_and_three_hosts_the_rest() {
    let mut sim = Sim::new(&[
        config(&[spec(1, 200), spec(2, 100)]),
        config(&[spec(1, 100), spec(2, 200)]),
        config(&[spec(1, 50), spec(2, 50)]),
    ]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup, State::Backup]);
    assert_eq!(sim.states(2), [State::Backup, State::Active, State::Backup]);
    sim.frozen.extend([0, 1]);
    sim.run_to(20_000);
    assert_eq!(sim.state(2, 1), State::Active);
    assert_eq!(sim.state(2, 2), State::Active);
    assert_eq!(sim.machine(2).addresses.len(), 2);
}

#[test]
fn what_the_administrator_says_is_done_at_once() {
    let mut sim = pair();
    let one = id("eth0", 1);
    sim.hosts[1].set_priority(&one, Priority::new(250)).unwrap();
    sim.run_to(8_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    sim.hosts[1].set_priority(&one, None).unwrap();
    sim.run_to(12_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim.hosts[0].resign(&one).unwrap();
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    sim.hosts[1].set_enabled(&one, false).unwrap();
    sim.run_to(25_000);
    assert_eq!(sim.states(1), [State::Active, State::Initialize]);
    sim.hosts[1].set_enabled(&one, true).unwrap();
    sim.run_to(26_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    let nobody = id("eth0", 9);
    assert!(sim.hosts[0].resign(&nobody).is_err());
    assert!(sim.hosts[0].set_enabled(&nobody, true).is_err());
    assert!(sim.hosts[0].set_priority(&nobody, None).is_err());
}

// V-9
#[test]
fn ipv6_gets_a_link_local_address() {
    let v6 = VrSpec::new(
        VrId {
            interface: "eth0".into(),
            vrid: vrid(1),
            family: Family::Ipv6,
            name: None,
        },
        vec![address("2001:db8::1")],
    );
    let mut sim = Sim::new(&[config(&[v6.clone(), spec(1, 100)])]);
    sim.run_to(5_000);
    let report = sim.report(0, &v6.id);
    assert_eq!(report.status.state, State::Active);
    let addresses: Vec<_> = report.addresses.iter().map(|a| a.address.address).collect();
    assert_eq!(
        addresses,
        [ip("fe80::200:5eff:fe00:201"), ip("2001:db8::1")]
    );
    assert_eq!(report.mac.to_string(), "00:00:5e:00:02:01");
    assert_eq!(sim.machine(0).addresses.len(), 3);
}

#[test]
fn every_vrid_of_an_interface() {
    let all = |priority| config(&(1..=255).map(|n| spec_at(n, priority)).collect::<Vec<_>>());
    let mut sim = Sim::new(&[all(200), all(100)]);
    sim.run_to(5_000);
    for number in 1..=255 {
        assert_eq!(sim.states(number), [State::Active, State::Backup]);
    }
    sim.frozen.insert(0);
    sim.run_to(10_000);
    assert_eq!(sim.machine(1).addresses.len(), 255);
}

fn spec_at(number: u8, priority: u8) -> VrSpec {
    VrSpec {
        id: id("eth0", number),
        addresses: vec![address(&format!("10.0.1.{number}"))],
        ..spec(1, priority)
    }
}

#[test]
fn one_virtual_router_is_found_by_its_name() {
    let mut sim = pair();
    let all = sim.hosts[0].statuses();
    assert_eq!(sim.hosts[0].status(&id("eth0", 1)).as_ref(), all.first());
    assert_eq!(sim.hosts[0].status(&id("eth0", 2)), None);
    assert_eq!(sim.hosts[0].status(&id("eth1", 1)), None);
    sim.take_calls(0);
    let platform = sim.hosts.remove(0).into_platform();
    assert_eq!(platform.index, 0);
    // Nothing was given up on the way.
    assert_eq!(sim.take_calls(0), []);
}
