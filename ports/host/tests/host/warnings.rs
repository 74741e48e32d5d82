//! Warnings hold for as long as their cause does.

use vrrp_core::{AdvertInterval, Family, State, TrackEffect, VrSettings};
use vrrp_host::{About, Event, HostIf, PlatformWarning, Subject, TrackSpec, Tracked, VrSpec};

use crate::sim::{Sim, address, advert, config, id, ip, key, spec};

/// The warnings of a host, with their virtual router or interface in words.
fn warnings(sim: &Sim, host: usize) -> Vec<String> {
    let all = sim.hosts[host].warnings().into_iter();
    let texts = all.map(|warning| match warning.about {
        About::Host => warning.text,
        About::Interface(name) => format!("{name}: {}", warning.text),
        About::VirtualRouter(id) => format!("{}: {}", id.vrid, warning.text),
    });
    texts.collect()
}

fn lone() -> Sim {
    let mut sim = Sim::new(&[config(&[spec(1, 100)])]);
    sim.run_to(4_000);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    sim
}

#[test]
fn an_address_that_was_put_back_is_no_warning() {
    let mut sim = lone();
    sim.machine(0).steal(key(1), ip("10.0.0.101"));
    sim.run_to(4_001);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    let told = sim.take_events(0);
    let told = told.iter().any(|e| matches!(e, Event::Problem { .. }));
    assert!(told, "it is an event all the same");
}

#[test]
fn an_address_that_is_refused_is_a_warning_until_it_is_installed() {
    let mut sim = lone();
    sim.machine(0).broken.push("set address".into());
    sim.machine(0).steal(key(1), ip("10.0.0.101"));
    let text = "1: cannot set address 10.0.0.101: broken";
    for now in (4_100..60_000).step_by(500) {
        sim.run_to(now);
        let holds = warnings(&sim, 0);
        // While it is Backup, before it tries again, it wants no address.
        if sim.state(0, 1) != State::Backup {
            assert_eq!(holds, [text], "at {now} ms");
        }
    }
    sim.machine(0).broken.clear();
    sim.run_to(200_000);
    assert_eq!(sim.state(0, 1), State::Active);
    assert_eq!(warnings(&sim, 0), [""; 0]);
}

#[test]
fn an_address_that_is_not_wanted_any_more_is_no_warning() {
    let mut sim = Sim::new(&[config(&[VrSpec {
        addresses: vec![address("10.0.0.101"), address("10.0.0.102")],
        ..spec(1, 100)
    }])]);
    sim.machine(0).broken.push("set address 10.0.0.102".into());
    sim.run_to(4_000);
    assert_eq!(warnings(&sim, 0).len(), 1);
    sim.hosts[0].reload(config(&[spec(1, 100)])).unwrap();
    sim.run_to(4_001);
    assert_eq!(warnings(&sim, 0), [""; 0]);
}

#[test]
fn a_group_that_is_refused_is_a_warning_of_its_interface() {
    let mut sim = Sim::new(&[config(&[spec(1, 100)])]);
    sim.machine(0).broken.push("set group".into());
    sim.run_to(2_500);
    assert_eq!(warnings(&sim, 0), ["eth0: cannot set group eth0: broken"]);
    sim.machine(0).broken.clear();
    sim.run_to(10_000);
    assert_eq!(warnings(&sim, 0), [""; 0]);
}

#[test]
fn a_virtual_router_that_is_removed_takes_its_warnings_along() {
    let mut sim = lone();
    sim.machine(0).broken.push("set address".into());
    sim.machine(0).steal(key(1), ip("10.0.0.101"));
    sim.run_to(4_100);
    assert_eq!(warnings(&sim, 0).len(), 1);
    sim.hosts[0].reload(config(&[])).unwrap();
    sim.run_to(20_000);
    assert_eq!(warnings(&sim, 0), [""; 0]);
}

// V-13, V-14
#[test]
fn a_peer_with_another_configuration_is_a_warning_while_it_is_heard() {
    let other = VrSpec {
        settings: VrSettings {
            advert_interval: AdvertInterval::from_centis(50).unwrap(),
            ..spec(1, 200).settings
        },
        addresses: vec![address("10.0.0.101"), address("10.0.0.201")],
        ..spec(1, 200)
    };
    let mut sim = Sim::new(&[config(&[other]), config(&[spec(1, 100)])]);
    sim.run_to(10_000);
    assert_eq!(
        warnings(&sim, 1),
        [
            "1: 10.0.0.1 advertises another interval (500ms) than ours (1s)",
            "1: 10.0.0.1 advertises other addresses than ours (only there: 10.0.0.201)",
        ]
    );
    sim.machine(0).set_up("eth0", false);
    sim.run_to(13_000);
    assert_eq!(warnings(&sim, 1), [""; 0], "it is silent");
}

// V-13, V-14
#[test]
fn a_peer_is_judged_anew_after_a_reload() {
    let ours = |centis: u16, addresses: &[&str]| VrSpec {
        settings: VrSettings {
            advert_interval: AdvertInterval::from_centis(centis).unwrap(),
            ..spec(1, 100).settings
        },
        addresses: addresses.iter().map(|a| address(a)).collect(),
        ..spec(1, 100)
    };
    let both = ["10.0.0.101", "10.0.0.201"];
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[ours(50, &both)])]);
    sim.run_to(10_000);
    assert_eq!(warnings(&sim, 1).len(), 2);
    assert_eq!(mismatches(&mut sim), (1, 1));
    sim.hosts[1]
        .reload(config(&[ours(100, &both[..1])]))
        .unwrap();
    assert_eq!(warnings(&sim, 1), [""; 0]);
    sim.run_to(100_000);
    assert_eq!(warnings(&sim, 1), [""; 0]);
    sim.hosts[1]
        .reload(config(&[ours(50, &both[..1])]))
        .unwrap();
    sim.run_to(102_000);
    assert_eq!(
        warnings(&sim, 1),
        ["1: 10.0.0.1 advertises another interval (1s) than ours (500ms)"]
    );
    assert_eq!(mismatches(&mut sim), (1, 0), "it is told once");
}

/// How many events tell of another interval and of other addresses.
fn mismatches(sim: &mut Sim) -> (usize, usize) {
    let told = sim.take_events(1);
    let count = |is: fn(&Event) -> bool| told.iter().filter(|e| is(e)).count();
    (
        count(|e| matches!(e, Event::IntervalMismatch { .. })),
        count(|e| matches!(e, Event::AddressMismatch { .. })),
    )
}

// S-15
#[test]
fn a_master_that_does_not_give_way_is_a_warning_until_it_does() {
    let text = |priority: u8, why: &str| {
        format!(
            "1: 10.0.0.9 goes on advertising with priority {priority} though {why}: it does not \
             hear us, or refuses what it hears, or belongs to somebody else with the same VRID"
        )
    };
    let mut sim = lone();
    sim.machine(0).set_interface(
        "eth0",
        vrrp_core::InterfaceState {
            ipv4: Some([10, 0, 0, 50].into()),
            ..crate::fake::interface(0)
        },
    );
    for (priority, why) in [
        (50, "ours (100) wins"),
        (
            100,
            "ours is the same and 10.0.0.50, our address, is the higher one",
        ),
    ] {
        let frame = advert("10.0.0.9", 1, priority, &["10.0.0.101"]);
        let begin = sim.now();
        for second in 0..4 {
            sim.machine(0).deliver("eth0", frame.clone());
            sim.run_to(begin.as_micros() / 1_000 + 1_000 * second);
        }
        assert_eq!(sim.state(0, 1), State::Active);
        assert_eq!(warnings(&sim, 0), [text(priority, why)]);
    }
    // With a lower priority ours does not win any more.
    let one = id("eth0", 1);
    let lower = vrrp_core::Priority::new(90);
    sim.hosts[0].set_priority(&one, lower).unwrap();
    assert_eq!(warnings(&sim, 0), [""; 0]);
    sim.hosts[0].set_priority(&one, None).unwrap();
    assert_eq!(warnings(&sim, 0).len(), 1);
    let later = sim.now().as_micros() / 1_000 + 5_000;
    sim.run_to(later);
    assert_eq!(warnings(&sim, 0), [""; 0], "it is silent");
}

#[test]
fn warnings_of_the_platform_bear_names() {
    let sim = lone();
    let warn = |subject| PlatformWarning {
        subject,
        text: "odd".into(),
    };
    let nobody = vrrp_core::VrKey {
        family: Family::Ipv6,
        ..key(9)
    };
    sim.machine(0).warnings = [
        Subject::Host,
        Subject::Interface(HostIf::of(key(1))),
        Subject::VirtualRouter(key(1)),
        Subject::VirtualRouter(nobody),
    ]
    .map(warn)
    .into();
    assert_eq!(warnings(&sim, 0), ["odd", "eth0: odd", "1: odd"]);
}

#[test]
fn two_that_depend_on_each_other_on_different_hosts_are_a_warning() {
    let tied = |number: u8, other: u8, priority: u8| VrSpec {
        tracks: vec![TrackSpec {
            what: Tracked::VirtualRouter(id("eth0", other)),
            effect: TrackEffect::Fault,
        }],
        ..spec(number, priority)
    };
    let pair = |priority| config(&[tied(1, 2, priority), tied(2, 1, priority)]);
    let mut sim = Sim::new(&[pair(200), pair(100)]);
    sim.run_to(20_000);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    sim.hosts[0].resign(&id("eth0", 1)).unwrap();
    sim.run_to(22_000);
    assert_eq!(warnings(&sim, 0), [""; 0], "it may be on its way");
    sim.run_to(40_000);
    for (host, mine, other) in [(0, 2, 1), (1, 1, 2)] {
        let said = warnings(&sim, host);
        let expected = format!(
            "{mine}: this host is master of it and not of VRID {other} on eth0 (ipv4), which it is tied to by vridsdep: "
        );
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(said[0].starts_with(&expected), "{said:?}");
    }
    sim.hosts[0].resign(&id("eth0", 2)).unwrap();
    sim.run_to(60_000);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    assert_eq!(warnings(&sim, 1), [""; 0]);
    // One that depends on another alone goes its own way.
    let one_way = config(&[spec(1, 200), tied(2, 1, 100)]);
    let mut sim = Sim::new(&[one_way, config(&[spec(2, 200)])]);
    sim.run_to(20_000);
    assert_eq!(sim.state(0, 2), State::Backup);
    assert_eq!(warnings(&sim, 0), [""; 0]);
}

#[test]
fn the_last_one_standing_is_a_warning_for_as_long_as_it_serves() {
    let checked = |priority: u8| {
        config(&[VrSpec {
            tracks: vec![TrackSpec {
                what: Tracked::Named("check web".into()),
                effect: TrackEffect::StandBack,
            }],
            ..spec(1, priority)
        }])
    };
    let mut sim = Sim::new(&[checked(200), checked(100)]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    // The other one takes the addresses, and so nothing is wrong.
    assert!(sim.hosts[0].set_tracked("check web", false));
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    assert!(sim.hosts[1].set_tracked("check web", false));
    sim.run_to(22_000);
    assert_eq!(warnings(&sim, 1), [""; 0], "the first offer may be taken");
    let expected = "1: it stands back (check web failed) and serves all the same, as no other host takes over: the addresses are offered again and again";
    // Offers come and go meanwhile.
    for until in 24..60 {
        sim.run_to(until * 1_000);
        assert_eq!(sim.states(1), [State::Backup, State::Active]);
        assert_eq!(warnings(&sim, 1), [expected], "at {until} s");
        assert_eq!(warnings(&sim, 0), [""; 0]);
    }
    // A drain is named beside the check, and alone when the check passes.
    sim.hosts[1].set_drained(&id("eth0", 1), true).unwrap();
    sim.run_to(61_000);
    let both = "1: it is drained and stands back (check web failed) and serves all the same, as no other host takes over: the addresses are offered again and again";
    assert_eq!(warnings(&sim, 1), [both]);
    assert!(sim.hosts[1].set_tracked("check web", true));
    sim.run_to(62_000);
    let drained = "1: it is drained and serves all the same, as no other host takes over: the addresses are offered again and again";
    assert_eq!(warnings(&sim, 1), [drained]);
    sim.hosts[1].set_drained(&id("eth0", 1), false).unwrap();
    sim.run_to(63_000);
    assert_eq!(warnings(&sim, 1), [""; 0]);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
}
