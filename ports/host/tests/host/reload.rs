//! From one configuration to the next.

use vrrp_core::{Error, MacMode, Priority, Reason, State, VrSettings};
use vrrp_host::{AddressSpec, ConfigCause, Event, TrackSpec, Tracked, VrSpec};

use crate::fake::Call;
use crate::sim::{Sim, address, config, id, ip, key, spec};

/// One host, Active with VRIDs 1 and 2.
fn lone() -> Sim {
    let mut sim = Sim::new(&[config(&[spec(1, 100), spec(2, 100)])]);
    sim.run_to(4_000);
    sim.take_calls(0);
    sim.take_events(0);
    sim
}

#[test]
fn what_did_not_change_is_not_touched() {
    let mut sim = lone();
    let before = sim.hosts[0].statuses();
    let reload = sim.hosts[0].reload(config(&[spec(1, 100), spec(2, 100)]));
    let reload = reload.unwrap();
    assert_eq!(reload.unchanged, [id("eth0", 1), id("eth0", 2)]);
    assert!(reload.added.is_empty() && reload.changed.is_empty() && reload.removed.is_empty());
    assert_eq!(sim.take_calls(0), []);
    assert_eq!(sim.take_events(0), []);
    assert_eq!(sim.hosts[0].statuses(), before);
    // A neighbour in the configuration changes nothing either.
    let reload = sim.hosts[0].reload(config(&[spec(1, 100), spec(2, 50), spec(3, 100)]));
    let reload = reload.unwrap();
    assert_eq!(reload.unchanged, [id("eth0", 1)]);
    assert_eq!(reload.changed, [id("eth0", 2)]);
    assert_eq!(reload.added, [id("eth0", 3)]);
    let calls = sim.take_calls(0);
    assert!(
        matches!(&calls[..], [Call::Prepare(setup), Call::Advert(2, 50), ..]
        if setup.key == key(3)),
        "{calls:?}"
    );
    assert!(!calls.contains(&Call::Advert(1, 100)));
    assert_eq!(sim.report(0, &id("eth0", 1)), before[0]);
}

#[test]
fn a_configuration_with_an_error_changes_nothing() {
    let mut sim = lone();
    let before = sim.hosts[0].statuses();
    let empty = VrSpec {
        addresses: Vec::new(),
        ..spec(3, 100)
    };
    let tracking = |what| VrSpec {
        tracks: vec![TrackSpec {
            what,
            effect: vrrp_core::TrackEffect::Fault,
        }],
        ..spec(3, 100)
    };
    let stolen = VrSpec {
        addresses: vec![address("10.0.0.101")],
        ..spec(3, 100)
    };
    let elsewhere = VrSpec {
        addresses: vec![AddressSpec {
            interface: Some("eth0".into()),
            ..address("10.0.0.101")
        }],
        id: id("eth1", 1),
        ..spec(3, 100)
    };
    let cases = [
        (
            vec![spec(1, 50), empty],
            "a virtual router needs at least one address",
        ),
        (
            vec![spec(1, 50), spec(3, 100), spec(3, 100)],
            "configured twice",
        ),
        (
            vec![spec(1, 50), tracking(Tracked::VirtualRouter(id("eth0", 3)))],
            "it depends on itself",
        ),
        (
            vec![spec(1, 50), tracking(Tracked::VirtualRouter(id("eth0", 2)))],
            "it depends on VRID 2 on eth0 (ipv4), which is not configured",
        ),
        (
            vec![spec(1, 50), stolen],
            "the address 10.0.0.101 belongs to VRID 1 on eth0 (ipv4) already",
        ),
        (
            vec![spec(1, 50), elsewhere],
            "the address 10.0.0.101 belongs to VRID 1 on eth0 (ipv4) already",
        ),
    ];
    for (specs, message) in cases {
        let culprit = specs.last().unwrap().id.clone();
        let error = sim.hosts[0].reload(config(&specs)).unwrap_err();
        assert_eq!(error.id.as_ref(), Some(&culprit));
        assert_eq!(error.to_string(), format!("{culprit}: {message}"));
        assert_eq!(sim.take_calls(0), []);
        assert_eq!(sim.hosts[0].statuses(), before);
    }
    sim.run_to(20_000);
    assert_eq!(sim.take_events(0), []);
}

#[test]
fn limits_are_said() {
    let mut sim = lone();
    let many: Vec<VrSpec> = (0..65).map(|n| on_interface(n, 1)).collect();
    let error = sim.hosts[0].reload(config(&many)).unwrap_err();
    assert!(matches!(error.cause, ConfigCause::TooManyInterfaces));
    let many: Vec<VrSpec> = (0..5)
        .flat_map(|n| (1..=255).map(move |v| on_interface(n, v)))
        .collect();
    let error = sim.hosts[0].reload(config(&many)).unwrap_err();
    assert!(matches!(error.cause, ConfigCause::TooManyVirtualRouters));
    let addresses = (0..65).map(|n| address(&format!("10.1.0.{n}"))).collect();
    let crowded = VrSpec {
        addresses,
        ..spec(3, 100)
    };
    let error = sim.hosts[0].reload(config(&[crowded])).unwrap_err();
    assert!(matches!(
        error.cause,
        ConfigCause::Engine(Error::AddressTableFull)
    ));
    // As many as fit do fit, even while the old ones are still there.
    let many: Vec<VrSpec> = (0..5)
        .flat_map(|n| (1..=204).map(move |v| on_interface(n, v)))
        .collect();
    sim.hosts[0].reload(config(&many)).unwrap();
    sim.run_to(10_000);
    assert_eq!(sim.hosts[0].statuses().len(), 1020);
    assert_eq!(sim.machine(0).addresses.len(), 408);
}

/// VRID `number` on interface wan`n`, or eth0 and eth1 for 0 and 1, each with its own address.
fn on_interface(n: usize, number: u8) -> VrSpec {
    let interface = match n {
        0 | 1 => format!("eth{n}"),
        _ => format!("wan{n}"),
    };
    VrSpec {
        id: id(&interface, number),
        addresses: vec![address(&format!("10.2.{n}.{number}"))],
        ..spec(1, 100)
    }
}

// The handover of the paper: raise the slave, reload.
#[test]
fn a_changed_priority_moves_the_master_and_no_address_is_missing() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[spec(1, 100)])]);
    sim.run_to(4_000);
    sim.hosts[1].reload(config(&[spec(1, 250)])).unwrap();
    for millis in 4_000..9_000 {
        sim.run_to(millis);
        let served = (0..2).any(|host| !sim.machine(host).addresses.is_empty());
        assert!(served, "at {millis} ms nobody serves the address");
    }
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    // An override stays until the configured priority changes.
    let one = id("eth0", 1);
    sim.hosts[1].set_priority(&one, Priority::new(10)).unwrap();
    sim.hosts[1]
        .reload(config(&[VrSpec {
            settings: VrSettings {
                accept: true,
                ..spec(1, 250).settings
            },
            ..spec(1, 250)
        }]))
        .unwrap();
    assert_eq!(sim.report(1, &one).status.priority.get(), 10);
    sim.hosts[1].reload(config(&[spec(1, 240)])).unwrap();
    assert_eq!(sim.report(1, &one).status.priority.get(), 240);
}

#[test]
fn addresses_come_and_go_in_place() {
    let mut sim = lone();
    let mut changed = spec(1, 100);
    changed.addresses = vec![address("10.0.0.201"), address("10.0.0.202")];
    sim.hosts[0]
        .reload(config(&[changed.clone(), spec(2, 100)]))
        .unwrap();
    let calls = sim.take_calls(0);
    assert!(matches!(&calls[0], Call::Prepare(setup) if setup.addresses.len() == 2));
    assert_eq!(
        calls[1..4],
        [
            Call::Address(ip("10.0.0.101"), false),
            Call::Address(ip("10.0.0.201"), true),
            Call::Address(ip("10.0.0.202"), true),
        ]
    );
    assert_eq!(sim.state(0, 1), State::Active);
    // More than the table holds together with the old ones: stopped and started anew.
    let many = |net| {
        (0..60)
            .map(|n| address(&format!("10.{net}.0.{n}")))
            .collect()
    };
    changed.addresses = many(3);
    sim.hosts[0]
        .reload(config(&[changed.clone(), spec(2, 100)]))
        .unwrap();
    changed.addresses = many(4);
    sim.hosts[0]
        .reload(config(&[changed, spec(2, 100)]))
        .unwrap();
    sim.run_to(12_000);
    assert_eq!(sim.state(0, 1), State::Active);
    let served = sim.machine(0).addresses.clone();
    assert!(
        served.contains(&ip("10.4.0.59")) && served.len() == 61,
        "{served:?}"
    );
}

#[test]
fn an_address_moves_from_one_virtual_router_to_another() {
    let mut sim = lone();
    let mut one = spec(1, 100);
    one.addresses = vec![address("10.0.0.1"), address("10.0.0.102")];
    let mut two = spec(2, 100);
    two.addresses = vec![address("10.0.0.2")];
    sim.hosts[0].reload(config(&[one, two])).unwrap();
    let moved: Vec<Call> = sim
        .take_calls(0)
        .into_iter()
        .filter(|call| matches!(call, Call::Address(a, _) if *a == ip("10.0.0.102")))
        .collect();
    let moved_address = ip("10.0.0.102");
    assert_eq!(
        moved,
        [
            Call::Address(moved_address, false),
            Call::Address(moved_address, true)
        ]
    );
    assert_eq!(sim.machine(0).addresses.len(), 3);
}

#[test]
fn another_mac_mode_means_stop_and_start() {
    let mut sim = lone();
    let changed = VrSpec {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..spec(1, 100).settings
        },
        ..spec(1, 100)
    };
    let reload = sim.hosts[0]
        .reload(config(&[changed, spec(2, 100)]))
        .unwrap();
    assert_eq!(reload.changed, [id("eth0", 1)]);
    assert_eq!(sim.take_calls(0), [Call::Advert(1, 0)]);
    sim.run_to(12_000);
    assert_eq!(sim.state(0, 1), State::Active);
    assert_eq!(
        sim.report(0, &id("eth0", 1)).mac.to_string(),
        "02:00:00:00:00:01"
    );
    let calls = sim.take_calls(0);
    let release = calls.iter().position(|c| *c == Call::Release(1)).unwrap();
    assert!(matches!(&calls[release + 1], Call::Prepare(setup)
        if setup.mac_mode == MacMode::Interface));
    let removed = Event::Removed { id: id("eth0", 1) };
    assert!(!sim.take_events(0).contains(&removed));
}

#[test]
fn an_address_on_another_interface_means_stop_and_start() {
    let mut sim = lone();
    sim.machine(0)
        .set_interface("eth1", crate::fake::interface(0));
    let mut changed = spec(1, 100);
    changed.addresses[0].interface = Some("eth1".into());
    changed.settings.accept = true;
    let changed = [changed, spec(2, 100)];
    let reload = sim.hosts[0].reload(config(&changed)).unwrap();
    assert_eq!(reload.changed, [id("eth0", 1)]);
    sim.run_to(12_000);
    assert_eq!(sim.state(0, 1), State::Active);
    // The platform learns where the address is to be when it has given it up.
    let calls = sim.take_calls(0);
    let expected = [
        Call::Advert(1, 0),
        Call::Address(ip("10.0.0.101"), false),
        Call::Release(1),
    ];
    let mut rest = calls.iter();
    for call in &expected {
        assert!(rest.any(|c| c == call), "{call:?} in {calls:?}");
    }
    let prepared = |c: &Call| matches!(c, Call::Prepare(setup) if setup.addresses[0].1.is_some());
    assert!(rest.any(prepared));
    assert!(rest.any(|c| *c == Call::Address(ip("10.0.0.101"), true)));
}

#[test]
fn a_mac_that_is_to_replace_the_interfaces_own_is_another_mac() {
    let mut sim = lone();
    let changed = VrSpec {
        replace_mac: true,
        ..spec(1, 100)
    };
    sim.hosts[0]
        .reload(config(&[changed, spec(2, 100)]))
        .unwrap();
    assert_eq!(sim.take_calls(0), [Call::Advert(1, 0)]);
    sim.run_to(10_000);
    let calls = sim.take_calls(0);
    let release = calls.iter().position(|c| *c == Call::Release(1)).unwrap();
    assert!(matches!(&calls[release + 1], Call::Prepare(setup) if setup.replace_mac));
}

#[test]
fn a_setup_that_fails_after_the_reload_is_tried_again() {
    let mut sim = lone();
    let changed = VrSpec {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..spec(1, 100).settings
        },
        ..spec(1, 100)
    };
    sim.machine(0).broken.push("prepare eth0 1".into());
    sim.hosts[0]
        .reload(config(&[changed, spec(2, 100)]))
        .unwrap();
    sim.run_to(20_000);
    let status = sim.report(0, &id("eth0", 1)).status;
    assert_eq!(
        (status.state, status.reason),
        (State::Initialize, Reason::Disabled)
    );
    let problems = sim.take_events(0);
    let problems = problems
        .iter()
        .filter(|e| matches!(e, Event::Problem { .. }));
    assert_eq!(problems.count(), 1);
    sim.machine(0).broken.clear();
    sim.run_to(60_000);
    assert_eq!(sim.state(0, 1), State::Active);
}

#[test]
fn the_administrators_priority_ends_with_the_configured_one() {
    let one = id("eth0", 1);
    for (configured, mac_mode, expected) in [
        (100, MacMode::Virtual, 50),
        (100, MacMode::Interface, 50),
        (120, MacMode::Virtual, 120),
        (120, MacMode::Interface, 120),
    ] {
        let mut sim = lone();
        sim.hosts[0]
            .set_priority(&one, vrrp_core::Priority::new(50))
            .unwrap();
        let changed = VrSpec {
            settings: VrSettings {
                mac_mode,
                preempt_delay: vrrp_core::Duration::from_secs(1),
                ..spec(1, configured).settings
            },
            ..spec(1, configured)
        };
        let next = config(&[changed, spec(2, 100)]);
        sim.hosts[0].reload(next).unwrap();
        sim.run_to(20_000);
        let priority = sim.report(0, &one).status.priority.get();
        assert_eq!(priority, expected, "{configured} {mac_mode:?}");
    }
    // One that was removed and comes back before it has gone begins anew.
    let mut sim = lone();
    sim.hosts[0]
        .set_priority(&one, vrrp_core::Priority::new(50))
        .unwrap();
    sim.hosts[0].reload(config(&[spec(2, 100)])).unwrap();
    let both = config(&[spec(1, 100), spec(2, 100)]);
    sim.hosts[0].reload(both).unwrap();
    sim.run_to(20_000);
    assert_eq!(sim.report(0, &one).status.priority.get(), 100);
}

#[test]
fn removed_and_wanted_again() {
    let mut sim = lone();
    let reload = sim.hosts[0].reload(config(&[spec(1, 100)])).unwrap();
    assert_eq!(reload.removed, [id("eth0", 2)]);
    assert!(sim.report(0, &id("eth0", 2)).leaving);
    let reload = sim.hosts[0]
        .reload(config(&[spec(1, 100), spec(2, 150)]))
        .unwrap();
    assert_eq!(reload.added, [id("eth0", 2)]);
    sim.run_to(12_000);
    let report = sim.report(0, &id("eth0", 2));
    assert_eq!(report.status.state, State::Active);
    assert_eq!(report.status.priority.get(), 150);
    let calls = sim.take_calls(0);
    assert!(calls.contains(&Call::Release(2)));
    sim.take_events(0);
    sim.hosts[0].reload(config(&[])).unwrap();
    sim.run_to(17_000);
    assert!(sim.hosts[0].statuses().is_empty());
    assert!(sim.machine(0).addresses.is_empty());
    assert_eq!(
        sim.take_calls(0).last(),
        Some(&Call::Unwatch("eth0".into()))
    );
    let removed = sim.take_events(0);
    let removed = removed
        .iter()
        .filter(|e| matches!(e, Event::Removed { .. }));
    assert_eq!(removed.count(), 2);
    assert!(!sim.hosts[0].is_stopped());
}
