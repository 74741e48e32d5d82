//! Effects that fail, packets that lie, users who do not listen.

use vrrp_core::{AdvertInterval, DropReason, Reason, State, VrSettings};
use vrrp_host::{Event, VrSpec, Why};

use crate::fake::Call;
use crate::sim::{Sim, address, advert, at, config, id, ip, key, spec};

/// One host, Active with VRID 1.
fn lone() -> Sim {
    let mut sim = Sim::new(&[config(&[spec(1, 100)])]);
    sim.run_to(4_000);
    sim.take_calls(0);
    sim.take_events(0);
    sim
}

#[test]
fn an_address_that_somebody_removes_is_put_back() {
    let mut sim = lone();
    sim.machine(0).steal(key(1), ip("10.0.0.101"));
    sim.run_to(4_001);
    assert!(sim.machine(0).addresses.contains(&ip("10.0.0.101")));
    let calls = sim.take_calls(0);
    assert_eq!(
        calls,
        [Call::Address(ip("10.0.0.101"), true), Call::Announce(1)]
    );
    let told = sim.take_events(0);
    assert!(
        matches!(&told[..], [Event::Problem { id: Some(vr), text }]
        if *vr == id("eth0", 1) && text.contains("10.0.0.101")),
        "{told:?}"
    );
    assert_eq!(sim.state(0, 1), State::Active);
}

#[test]
fn an_address_that_cannot_be_installed_makes_room_for_another_host() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[spec(1, 100)])]);
    sim.machine(0).broken.push("set address".into());
    sim.run_to(30_000);
    let reports = sim.hosts[1].statuses();
    assert!(reports[0].statistics.active_transitions > 0);
    let told = sim.take_events(0);
    let problems = told
        .iter()
        .filter(|e| matches!(e, Event::Problem { .. }))
        .count();
    assert_eq!(problems, 1, "the same trouble is told once a minute");
    assert!(told.iter().any(|e| matches!(
        e,
        Event::StateChange {
            to: State::Initialize,
            why: Why {
                reason: Reason::EffectFailed,
                ..
            },
            ..
        }
    )));
    sim.machine(0).broken.clear();
    sim.run_to(120_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert!(sim.machine(1).addresses.is_empty());
}

#[test]
fn a_group_that_cannot_be_joined_is_tried_again() {
    let mut sim = Sim::new(&[config(&[spec(1, 100)])]);
    sim.machine(0).broken.push("set group".into());
    sim.run_to(2_500);
    let joins = |calls: &[Call]| {
        calls
            .iter()
            .filter(|c| matches!(c, Call::Group(..)))
            .count()
    };
    assert!((2..=4).contains(&joins(&sim.take_calls(0))));
    sim.machine(0).broken.clear();
    sim.run_to(10_000);
    assert_eq!(joins(&sim.take_calls(0)), 1);
}

// V-15
#[test]
fn a_flood_of_bad_packets_neither_grows_memory_nor_stops_the_clock() {
    let mut sim = lone();
    let good = advert("10.0.0.9", 1, 50, &["10.0.0.101"]);
    let sent = sim.report(0, &id("eth0", 1)).statistics.adverts_sent;
    let mut now = 4_000;
    for round in 0..200_u32 {
        for number in 0..=255_u8 {
            let mut bad = good.clone();
            bad[35] = number;
            bad[29] = round as u8;
            if number % 3 == 0 {
                bad.truncate(usize::from(number) / 3);
            }
            sim.machine(0).deliver("eth0", bad);
        }
        // The events are not fetched.
        now += 50;
        let end = at(now);
        while sim.machine(0).is_readable(end) {
            sim.net.borrow().clock.set(end);
            sim.hosts[0].step().unwrap();
        }
    }
    let status = sim.report(0, &id("eth0", 1));
    assert_eq!(status.status.state, State::Active);
    assert!(
        status.statistics.adverts_sent >= sent + 9,
        "it goes on advertising"
    );
    let told = sim.take_events(0);
    assert!(told.len() <= 520, "{} events", told.len());
    let reports = sim.hosts[0].interfaces();
    let drops: u64 = reports[0].drops.iter().map(|(_, count)| count).sum();
    assert!(drops > 40_000, "{drops} drops");
    assert!(sim.hosts[0].segment().len() <= 1600);
}

#[test]
fn rejections_are_told_once_and_then_counted() {
    let mut sim = lone();
    let frame = advert("10.0.0.9", 1, 50, &["10.0.0.101"]);
    let mut bad = frame.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    for second in 0..130 {
        sim.run_to(4_000 + 1_000 * second);
        sim.machine(0).deliver("eth0", bad.clone());
    }
    let told = sim.take_events(0);
    let counts: Vec<u64> = told
        .iter()
        .filter_map(|event| match event {
            Event::Rejected {
                interface,
                source,
                vrid: Some(1),
                reason: DropReason::Checksum,
                count,
            } if interface == "eth0" && *source == Some(ip("10.0.0.9")) => Some(*count),
            _ => None,
        })
        .collect();
    assert_eq!(counts, [1, 60, 60], "{told:?}");
}

// V-13, V-14
#[test]
fn a_peer_with_another_configuration_is_told() {
    let slow = VrSpec {
        settings: VrSettings {
            advert_interval: AdvertInterval::from_centis(50).unwrap(),
            ..spec(1, 200).settings
        },
        addresses: vec![address("10.0.0.101"), address("10.0.0.201")],
        ..spec(1, 200)
    };
    let mut sim = Sim::new(&[config(&[slow]), config(&[spec(1, 100)])]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    let told = sim.take_events(1);
    let intervals = told.iter().filter(|e| {
        matches!(e, Event::IntervalMismatch { peer, ours, theirs, .. }
        if *peer == ip("10.0.0.1") && ours.as_centis() == 100 && theirs.as_centis() == 50)
    });
    assert_eq!(intervals.count(), 1);
    let lists = told.iter().filter(|e| {
        matches!(e, Event::AddressMismatch { ours, theirs, .. }
        if ours.len() == 1 && theirs.len() == 2)
    });
    assert_eq!(lists.count(), 1);
}

// G-2, S-15
#[test]
fn a_second_owner_is_told_and_the_higher_address_wins() {
    let mut sim = Sim::new(&[config(&[spec(1, 255)]), config(&[spec(1, 255)])]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    let told = [sim.take_events(0), sim.take_events(1)].concat();
    let owners = told.iter().filter(|e| matches!(e, Event::DualOwner { .. }));
    assert!(owners.count() >= 1);
}

#[test]
fn a_master_that_does_not_give_way_is_told() {
    let mut sim = lone();
    for second in 0..10 {
        let frame = advert("10.0.0.9", 1, 50, &["10.0.0.101"]);
        sim.machine(0).deliver("eth0", frame);
        sim.run_to(4_000 + 1_000 * second);
    }
    let told = sim.take_events(0);
    let contested = told.iter().filter(|e| {
        matches!(e, Event::Contested { peer, .. }
        if peer.address == ip("10.0.0.9") && peer.priority == 50)
    });
    assert_eq!(contested.count(), 1);
    assert_eq!(sim.state(0, 1), State::Active);
}

// Two containers on one network card, where a MAC can be up once.
#[test]
fn a_mac_that_the_master_has_on_the_same_card_is_taken_when_that_is_gone() {
    let mut sim = Sim::new(&[config(&[spec(1, 100)]), config(&[spec(1, 200)])]);
    sim.frozen.insert(1);
    sim.run_to(5_000);
    sim.machine(1).broken.push("set MAC 1".into());
    sim.machine(1).in_use = true;
    sim.frozen.clear();
    sim.run_to(60_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim.run_to(120_000);
    let changes = |sim: &mut Sim| {
        let told = sim.take_events(1);
        let changes = told
            .iter()
            .filter(|e| matches!(e, Event::StateChange { .. }));
        changes.count()
    };
    assert!(changes(&mut sim) <= 5);
    sim.run_to(200_000);
    assert_eq!(changes(&mut sim), 0, "it waits");
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim.machine(1).broken.clear();
    sim.frozen.insert(0);
    sim.run_to(204_000);
    assert_eq!(sim.state(1, 1), State::Active);
}

/// Each call of the platform is refused once, in turn.
#[test]
fn what_is_refused_once_is_right_in_the_end() {
    let two = VrSpec {
        addresses: vec![address("10.0.0.101"), address("10.0.0.111")],
        ..spec(1, 100)
    };
    let moved = VrSpec {
        id: id("eth1", 3),
        ..spec(3, 100)
    };
    let first = config(&[two, spec(2, 100)]);
    let second = config(&[spec(1, 100), moved]);
    let mut refused = 0;
    for nth in 0.. {
        let mut sim = Sim::new(&[config(&[])]);
        sim.machine(0).refuse = Some(nth);
        let reload = |sim: &mut Sim, config: &vrrp_host::HostConfig| {
            if let Err(error) = sim.hosts[0].reload(config.clone()) {
                assert!(error.to_string().contains("refused once"), "{error}");
                sim.hosts[0].reload(config.clone()).expect("not again");
            }
        };
        let served = |sim: &Sim, addresses: &[&str], vrids: usize| {
            let machine = sim.machine(0);
            let served: Vec<String> = machine.addresses.iter().map(ToString::to_string).collect();
            assert_eq!(served, addresses, "call {nth}");
            assert_eq!(machine.prepared.len(), vrids, "call {nth}");
            assert_eq!(machine.macs.len(), vrids, "call {nth}");
        };
        reload(&mut sim, &first);
        sim.run_to(30_000);
        served(&sim, &["10.0.0.101", "10.0.0.102", "10.0.0.111"], 2);
        reload(&mut sim, &second);
        sim.run_to(60_000);
        served(&sim, &["10.0.0.101", "10.0.0.103"], 2);
        assert!(sim.hosts[0].warnings().is_empty(), "call {nth}");
        sim.hosts[0].shutdown();
        sim.run_to(90_000);
        assert!(sim.hosts[0].is_stopped(), "call {nth}");
        served(&sim, &[], 0);
        assert_eq!(sim.machine(0).watched(), 0, "call {nth}");
        if sim.machine(0).refuse.is_some() {
            break;
        }
        refused += 1;
    }
    assert!(refused > 20, "{refused} calls");
}

#[test]
fn forged_rejections_do_not_hide_one_of_ours() {
    let mut sim = lone();
    let spoil = |mut frame: Vec<u8>| {
        let last = frame.len() - 1;
        frame[last] ^= 1;
        frame
    };
    // Of each VRID that is not ours a wrong checksum, a wrong TTL and a wrong version.
    for number in 2..=255 {
        let good = advert("10.0.0.9", number, 50, &["10.0.0.101"]);
        let (mut far, mut odd) = (good.clone(), good.clone());
        far[22] = 1;
        odd[34] = 0x71;
        for frame in [spoil(good), far, odd] {
            sim.machine(0).deliver("eth0", frame);
        }
        sim.run_to(4_000 + u64::from(number));
    }
    let ours = advert("10.0.0.9", 1, 50, &["10.0.0.101"]);
    sim.machine(0).deliver("eth0", spoil(ours));
    sim.run_to(4_300);
    let told = sim.take_events(0);
    let of_ours = |e: &&Event| matches!(e, Event::Rejected { vrid: Some(1), .. });
    assert_eq!(told.iter().filter(of_ours).count(), 1);
}
