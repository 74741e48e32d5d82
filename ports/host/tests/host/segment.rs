//! The masters of each virtual router on the segment.

use std::time::Duration;

use vrrp_core::{State, VrSettings};
use vrrp_host::{Sighting, VrSpec};

use crate::fake::Call;
use crate::sim::{Sim, advert, config, id, ip, spec};

fn seen(sim: &Sim, host: usize, number: u8) -> Vec<Sighting> {
    let all = sim.hosts[host].segment();
    all.into_iter().filter(|s| s.vrid.get() == number).collect()
}

#[test]
fn our_own_virtual_routers_from_both_sides() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[spec(1, 100)])]);
    assert!(sim.hosts[0].segment().is_empty());
    sim.run_to(5_000);
    let [own] = &seen(&sim, 0, 1)[..] else {
        panic!("one master, ourselves");
    };
    assert!(own.is_self && own.ours && !own.stale);
    let [other] = &seen(&sim, 1, 1)[..] else {
        panic!("one master, the other host");
    };
    assert!(!other.is_self && other.ours && !other.stale);
    assert_eq!(other.address, ip("10.0.0.1"));
    assert_eq!(
        (
            own.address,
            own.mac,
            own.priority,
            own.version,
            own.interval,
            &own.addresses
        ),
        (
            other.address,
            other.mac,
            other.priority,
            other.version,
            other.interval,
            &other.addresses
        )
    );
    // at 4.21875 s it advertised last
    assert_eq!(other.age, Duration::from_micros(781_250));
    sim.hosts[0].shutdown();
    sim.run_to(5_001);
    assert!(seen(&sim, 1, 1)[0].stale, "it said that it stops");
}

#[test]
fn virtual_routers_that_are_not_ours() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)])]);
    sim.run_to(1_000);
    let addresses = ["10.0.0.70", "10.0.0.71"];
    sim.machine(0)
        .deliver("eth0", advert("10.0.0.7", 77, 150, &addresses));
    sim.run_to(1_500);
    let [foreign] = &seen(&sim, 0, 77)[..] else {
        panic!("one master");
    };
    assert_eq!(foreign.interface, "eth0");
    assert_eq!(foreign.address, ip("10.0.0.7"));
    assert_eq!(foreign.mac.to_string(), "00:00:5e:00:01:4d");
    assert_eq!((foreign.priority, foreign.version), (150, 3));
    assert_eq!(foreign.addresses, addresses.map(ip));
    assert!(!foreign.ours && !foreign.is_self && !foreign.stale);
    // Another master of the same virtual router, and news of the first.
    sim.machine(0)
        .deliver("eth0", advert("10.0.0.8", 77, 160, &addresses));
    sim.machine(0)
        .deliver("eth0", advert("10.0.0.7", 77, 140, &addresses[..1]));
    sim.run_to(4_000);
    let masters = seen(&sim, 0, 77);
    let priorities: Vec<u8> = masters.iter().map(|s| s.priority).collect();
    assert_eq!(priorities, [140, 160]);
    assert_eq!(masters[0].addresses, [ip("10.0.0.70")]);
    assert!(masters.iter().all(|s| !s.stale));
    sim.run_to(5_600);
    assert!(seen(&sim, 0, 77).iter().all(|s| s.stale));
}

#[test]
fn a_master_that_gave_way_to_us_is_none_beside_us() {
    // Host 0 preempts host 1 when it joins.
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[spec(1, 100)])]);
    sim.frozen.insert(0);
    sim.run_to(8_000);
    assert_eq!(sim.state(1, 1), State::Active);
    sim.frozen.clear();
    let masters = |sim: &Sim| {
        let report = sim.report(0, &id("eth0", 1));
        (report.status.state, report.masters)
    };
    let mut until = 8_000;
    while masters(&sim).0 != State::Active {
        until += 10;
        assert!(until < 30_000, "host 0 takes over");
        sim.run_to(until);
    }
    let others = |sim: &Sim| seen(sim, 0, 1).into_iter().filter(|s| !s.is_self);
    assert!(others(&sim).any(|s| !s.stale), "it was heard a moment ago");
    for _ in 0..50 {
        assert_eq!(masters(&sim), (State::Active, 1), "at {until} ms");
        until += 100;
        sim.run_to(until);
    }
    // A master that is heard after that is one beside us.
    let frame = advert("10.0.0.7", 1, 150, &["10.0.0.101"]);
    sim.machine(0).deliver("eth0", frame);
    sim.run_to(until + 10);
    assert_eq!(masters(&sim), (State::Active, 2));
}

#[test]
fn a_third_host_does_not_count_the_master_that_gave_way_to_another() {
    // Host 2 looks on while host 0 preempts host 1.
    let mut sim = Sim::new(&[
        config(&[spec(1, 200)]),
        config(&[spec(1, 100)]),
        config(&[spec(1, 50)]),
    ]);
    sim.frozen.insert(0);
    sim.run_to(8_000);
    assert_eq!(sim.state(1, 1), State::Active);
    sim.frozen.clear();
    let masters = |sim: &Sim| sim.report(2, &id("eth0", 1)).masters;
    let mut until = 8_000;
    while sim.state(0, 1) != State::Active {
        until += 10;
        assert!(until < 30_000, "host 0 takes over");
        sim.run_to(until);
    }
    for _ in 0..60 {
        until += 100;
        sim.run_to(until);
        assert_eq!(masters(&sim), 1, "at {until} ms");
    }
    // The former one is heard again although the other goes on: two masters.
    let frame = advert("10.0.0.2", 1, 100, &["10.0.0.101"]);
    sim.machine(2).deliver("eth0", frame);
    sim.run_to(until + 1_500);
    assert_eq!(masters(&sim), 2);
}

// V-1, V-5: whoever is not on this link, or is garbled, is no master.
#[test]
fn what_is_not_sound_is_not_believed() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)])]);
    sim.run_to(1_000);
    let good = advert("10.0.0.7", 77, 150, &["10.0.0.70"]);
    let mut garbled = good.clone();
    *garbled.last_mut().unwrap() ^= 1;
    let mut far = good.clone();
    // TTL 254, and the header checksum that belongs to it
    far[22] = 254;
    let sum = u16::from_be_bytes([far[24], far[25]]) + 0x100;
    far[24..26].copy_from_slice(&sum.to_be_bytes());
    for frame in [garbled, far] {
        sim.machine(0).deliver("eth0", frame);
        sim.run_to(1_100);
        assert!(seen(&sim, 0, 77).is_empty());
    }
    let counted = sim.hosts[0].interfaces()[0]
        .drops
        .iter()
        .map(|d| d.1)
        .sum::<u64>();
    assert_eq!(counted, 2);
}

#[test]
fn forged_masters_are_forgotten_before_real_ones() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[spec(1, 100)])]);
    sim.run_to(5_000);
    for number in 0..5_000_u16 {
        let [high, low] = number.to_be_bytes();
        let from = format!("10.1.{high}.{low}");
        sim.machine(1)
            .deliver("eth0", advert(&from, 77, 100, &["10.0.0.70"]));
    }
    sim.run_to(5_001);
    let all = sim.hosts[1].segment();
    assert!(all.len() <= 1536, "{} masters", all.len());
    assert!(all.iter().any(|s| s.ours && s.address == ip("10.0.0.1")));
}

// M-3, M-4: for platforms whose kernel does not answer.
#[test]
fn a_question_for_an_active_address_is_answered_with_its_mac() {
    let mut question = [0; 42];
    question[..6].fill(0xff);
    question[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    question[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    question[22..28].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
    question[28..32].copy_from_slice(&[10, 0, 0, 9]);
    question[38..42].copy_from_slice(&[10, 0, 0, 101]);
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[spec(1, 100)])]);
    sim.run_to(5_000);
    sim.take_calls(0);
    sim.take_calls(1);
    for host in 0..2 {
        for _ in 0..100 {
            sim.machine(host).deliver("eth0", question.to_vec());
        }
    }
    sim.run_to(5_001);
    assert_eq!(sim.take_calls(0), vec![Call::Answer(1); 100]);
    assert_eq!(sim.take_calls(1), []);
}

/// Forged advertisements can fill the table, and not make an answer long.
#[test]
fn of_a_flood_of_masters_the_last_are_listed_and_ours_first() {
    let mut sim = Sim::new(&[config(&[spec(1, 100)])]);
    let many: Vec<String> = (0..64).map(|n| format!("10.9.9.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for number in 0..1_000_u16 {
        let [high, low] = number.to_be_bytes();
        let frame = advert(&format!("10.8.{high}.{low}"), 9, 100, &many);
        sim.machine(0).deliver("eth0", frame);
        sim.run_to(1 + u64::from(number));
    }
    let peer = advert("10.0.0.9", 1, 200, &["10.0.0.101"]);
    sim.machine(0).deliver("eth0", peer);
    sim.run_to(1_100);
    let all = sim.hosts[0].segment();
    assert_eq!(all.len(), 256);
    assert_eq!(all[0].address, ip("10.0.0.9"));
    let listed: usize = all.iter().map(|seen| seen.addresses.len()).sum();
    assert_eq!(listed, 2048);
    let last = ip("10.8.3.231");
    assert!(all.iter().any(|seen| seen.address == last), "heard last");
}

#[test]
fn we_are_seen_by_the_address_that_we_advertise_from() {
    let chosen = vrrp_host::VrSpec {
        source: Some(ip("10.0.0.77")),
        ..spec(1, 200)
    };
    let mut sim = Sim::new(&[config(&[chosen]), config(&[spec(1, 100)])]);
    sim.run_to(5_000);
    for host in [0, 1] {
        let seen = sim.hosts[host].segment();
        assert_eq!(seen.len(), 1);
        assert_eq!(seen[0].address, ip("10.0.0.77"));
    }
    assert_eq!(sim.report(0, &id("eth0", 1)).source, Some(ip("10.0.0.77")));
}

#[test]
fn a_virtual_mac_to_which_nothing_comes_is_suspected_of_being_rejected() {
    use vrrp_core::MacMode;
    let mut sim = Sim::new(&[config(&[spec(1, 100)])]);
    sim.machine(0).reached = Some(false);
    let suspected = |sim: &Sim| sim.report(0, &id("eth0", 1)).mac_unreached;
    sim.run_to(33_000);
    assert!(!suspected(&sim), "it has been master for less than 30 s");
    sim.run_to(34_000);
    assert!(suspected(&sim));
    for reached in [None, Some(true)] {
        sim.machine(0).reached = reached;
        assert!(!suspected(&sim));
    }
    sim.machine(0).reached = Some(false);
    // Another router is heard, of whatever virtual router.
    sim.machine(0)
        .deliver("eth0", advert("10.0.0.9", 9, 50, &["10.0.0.109"]));
    sim.run_to(34_001);
    assert!(!suspected(&sim));
    let own = VrSpec {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..spec(1, 100).settings
        },
        ..spec(1, 100)
    };
    let mut sim = Sim::new(&[config(&[own])]);
    sim.machine(0).reached = Some(false);
    sim.run_to(60_000);
    assert!(!suspected(&sim), "the MAC of the interface");
}
