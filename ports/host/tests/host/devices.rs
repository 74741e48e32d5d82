//! Addresses on another interface than their virtual router's.

use std::net::IpAddr;

use vrrp_core::{
    Announce, Duration, InterfaceState, MacAddr, MacMode, State, TrackEffect, VirtualAddress,
};
use vrrp_core::{
    VrSettings,
    wire::{arp, ethernet, ndisc},
};
use vrrp_host::{AddressSpec, ConfigCause, Host, TrackSpec, Tracked, VrId, VrSpec};

use crate::fake::{Call, interface};
use crate::sim::{Sim, address, config, id, ip, spec};

/// VRID 1 on eth0 with 10.0.0.101 there and 10.2.0.101 on eth1.
fn on_both(priority: u8) -> VrSpec {
    let elsewhere = AddressSpec {
        interface: Some("eth1".into()),
        ..address("10.2.0.101")
    };
    VrSpec {
        settings: VrSettings {
            accept: true,
            ..spec(1, priority).settings
        },
        addresses: vec![address("10.0.0.101"), elsewhere],
        ..spec(1, priority)
    }
}

/// The announcements since the last call: interface, source MAC, MAC and address that are told.
fn announced(sim: &Sim) -> Vec<(String, MacAddr, MacAddr, IpAddr)> {
    let all = std::mem::take(&mut sim.machine(0).announced);
    let read = |(name, frame): (String, Vec<u8>)| {
        let view = ethernet::View::new(&frame).expect("a frame");
        let payload = view.payload();
        let (told, address) = if view.ethertype() == 0x0806 {
            let packet = arp::Packet::new(payload).expect("ARP");
            assert_eq!(packet.sender_ip, packet.target_ip);
            (&payload[8..14], IpAddr::from(packet.sender_ip))
        } else {
            let neighbour = ndisc::Neighbour::new(payload).expect("neighbour discovery");
            (&frame[frame.len() - 6..], neighbour.target.into())
        };
        let told = MacAddr(told.try_into().expect("a MAC"));
        (name, view.source(), told, address)
    };
    all.into_iter().map(read).collect()
}

#[test]
fn announcements_leave_by_the_device_with_its_mac() {
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        let spec = VrSpec {
            settings: VrSettings {
                mac_mode,
                announce: Announce {
                    repeats: 2,
                    repeat_interval: Duration::from_secs(1),
                    refresh: Some(Duration::from_secs(10)),
                },
                ..on_both(100).settings
            },
            ..on_both(100)
        };
        let mut sim = Sim::new(&[config(&[spec])]);
        let other = MacAddr([2, 0, 0, 0, 1, 1]);
        let eth1 = InterfaceState {
            mac: other,
            ..interface(0)
        };
        sim.machine(0).set_interface("eth1", eth1);
        sim.run_to(6_500);
        let one = (String::from("eth1"), other, other, ip("10.2.0.101"));
        // As often as the address of the virtual router's own interface.
        let own = |calls: &[Call]| calls.iter().filter(|c| **c == Call::Announce(1)).count();
        let times = own(&sim.take_calls(0));
        assert!(times >= 3, "{times}");
        assert_eq!(announced(&sim), vec![one.clone(); times]);
        sim.run_to(36_000);
        let times = own(&sim.take_calls(0));
        assert_eq!((times, announced(&sim)), (3, vec![one; 3]), "refreshed");
    }
}

#[test]
fn ipv6_is_announced_on_the_device_too() {
    let two = |text: &str, interface: Option<&str>| AddressSpec {
        address: VirtualAddress {
            address: ip(text),
            prefix_len: 64,
        },
        interface: interface.map(str::to_owned),
    };
    let id = VrId {
        family: vrrp_core::Family::Ipv6,
        ..id("eth0", 1)
    };
    let addresses = vec![two("fe80::100", None), two("2001:db8:2::100", Some("eth1"))];
    let spec = VrSpec::new(id, addresses);
    let mut sim = Sim::new(&[config(&[spec])]);
    sim.run_to(4_000);
    let mac = interface(0).mac;
    let one = (String::from("eth1"), mac, mac, ip("2001:db8:2::100"));
    let told = announced(&sim);
    assert!(
        !told.is_empty() && told.iter().all(|told| *told == one),
        "{told:?}"
    );
}

#[test]
fn a_device_without_neighbours_is_told_nothing() {
    let mut sim = Sim::new(&[config(&[on_both(100)])]);
    let loopback = InterfaceState {
        mac: MacAddr::default(),
        ..interface(0)
    };
    sim.machine(0).set_interface("eth1", loopback);
    sim.run_to(20_000);
    assert!(sim.machine(0).addresses.contains(&ip("10.2.0.101")));
    assert_eq!(announced(&sim), []);
    assert_eq!(sim.hosts[0].warnings(), []);
}

#[test]
fn a_device_whose_state_is_not_known_yet_is_no_warning() {
    let sim = Sim::new(&[config(&[on_both(200)])]);
    assert_eq!(sim.hosts[0].warnings(), [], "nothing was told yet");
    let mut sim = Sim::new(&[]);
    let platform = sim.add_machine();
    sim.machine(0).remove_interface("eth1");
    sim.open(platform, config(&[on_both(200)]));
    assert_eq!(sim.hosts[0].warnings(), [], "nothing was told yet");
    sim.run_to(100);
    let warnings = sim.hosts[0].warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].text.contains("eth1 is down or missing"));
}

#[test]
fn a_device_that_goes_down_is_a_warning_and_moves_the_master_to_who_reaches_it() {
    let mut sim = Sim::new(&[config(&[on_both(200)]), config(&[on_both(100)])]);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    announced(&sim);
    sim.machine(0).set_up("eth1", false);
    sim.run_to(15_000);
    let warnings = sim.hosts[0].warnings();
    assert_eq!(warnings.len(), 1);
    let text = &warnings[0].text;
    assert!(
        text.contains("eth1 is down") && text.contains("10.2.0.101"),
        "{text}"
    );
    assert_eq!(sim.report(0, &id("eth0", 1)).status.priority.get(), 1);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    assert_eq!(announced(&sim), [], "nobody would hear it");
    // Where neither reaches it the other addresses are served on, by the same host as before.
    sim.machine(1).set_up("eth1", false);
    sim.run_to(25_000);
    assert_eq!(sim.states(1), [State::Backup, State::Active]);
    assert!(sim.machine(1).addresses.contains(&ip("10.0.0.101")));
    sim.machine(0).set_up("eth1", true);
    sim.run_to(35_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(sim.hosts[0].warnings(), []);
    assert!(!announced(&sim).is_empty());
}

#[test]
fn a_device_that_comes_back_under_the_master_hears_of_its_addresses_again() {
    let mut sim = Sim::new(&[config(&[on_both(100)])]);
    sim.run_to(30_000);
    announced(&sim);
    sim.machine(0).set_up("eth1", false);
    sim.run_to(31_000);
    assert_eq!(sim.state(0, 1), State::Active);
    sim.machine(0).set_up("eth1", true);
    sim.run_to(31_001);
    assert_eq!(announced(&sim).len(), 1);
    sim.run_to(60_000);
    assert_eq!(announced(&sim).len(), 1, "once more after five seconds");
    // Another MAC is another neighbour.
    let mac = MacAddr([2, 0, 0, 0, 9, 9]);
    let eth1 = InterfaceState {
        mac,
        ..interface(0)
    };
    sim.machine(0).set_interface("eth1", eth1);
    sim.run_to(60_001);
    let told: Vec<MacAddr> = announced(&sim).iter().map(|a| a.2).collect();
    assert_eq!(told, [mac]);
}

#[test]
fn an_address_of_a_missing_device_waits_for_it_and_the_others_are_served() {
    let mut sim = Sim::new(&[config(&[on_both(100)])]);
    sim.machine(0).remove_interface("eth1");
    sim.machine(0).broken.push("set address 10.2.0.101".into());
    sim.run_to(60_000);
    assert_eq!(sim.state(0, 1), State::Active);
    assert!(sim.machine(0).addresses.contains(&ip("10.0.0.101")));
    assert_eq!(sim.hosts[0].warnings().len(), 1);
    sim.machine(0).broken.clear();
    sim.machine(0).set_interface("eth1", interface(0));
    sim.run_to(60_100);
    assert!(sim.machine(0).addresses.contains(&ip("10.2.0.101")));
    assert!(!announced(&sim).is_empty());
    assert_eq!(sim.hosts[0].warnings(), []);
    sim.run_to(100_000);
    let changes = sim.report(0, &id("eth0", 1)).statistics.active_transitions;
    assert_eq!(changes, 1);
}

#[test]
fn an_address_that_a_working_device_refuses_is_a_failure() {
    let mut sim = Sim::new(&[config(&[on_both(200)]), config(&[on_both(100)])]);
    sim.machine(0).broken.push("set address 10.2.0.101".into());
    sim.run_to(30_000);
    let reports = sim.hosts[1].statuses();
    assert!(reports[0].statistics.active_transitions > 0);
}

#[test]
fn a_device_may_be_tracked_in_another_way() {
    let mut tracked = on_both(100);
    tracked.tracks = vec![TrackSpec {
        what: Tracked::Interface("eth1".into()),
        effect: TrackEffect::Fault,
    }];
    let mut sim = Sim::new(&[config(&[tracked.clone()])]);
    sim.run_to(10_000);
    sim.machine(0).set_up("eth1", false);
    sim.run_to(18_000);
    assert_eq!(sim.state(0, 1), State::Initialize);
    assert_eq!(sim.hosts[0].warnings().len(), 1);
    tracked.tracks[0].effect = TrackEffect::WhileDown(-10);
    sim.hosts[0].reload(config(&[tracked.clone()])).unwrap();
    sim.run_to(30_000);
    assert_eq!(sim.report(0, &id("eth0", 1)).status.priority.get(), 90);
    tracked.tracks.clear();
    sim.hosts[0].reload(config(&[tracked])).unwrap();
    sim.run_to(31_000);
    assert_eq!(sim.report(0, &id("eth0", 1)).status.priority.get(), 1);
}

#[test]
fn without_accepting_there_are_no_addresses_on_devices() {
    let mut sim = Sim::new(&[]);
    let platform = sim.add_machine();
    let silent = VrSpec {
        settings: VrSettings {
            accept: false,
            ..on_both(100).settings
        },
        ..on_both(100)
    };
    let error = config(std::slice::from_ref(&silent)).check().unwrap_err();
    assert!(matches!(error.cause, ConfigCause::NeedsAccept { .. }));
    assert!(Host::open(platform, config(&[silent])).is_err());
    let mut bound = VrSpec {
        silent: true,
        ..spec(1, 100)
    };
    config(&[bound.clone()]).check().unwrap();
    bound.settings.accept = false;
    let error = config(&[bound]).check().unwrap_err();
    assert!(matches!(error.cause, ConfigCause::SilentNeedsAccept));
    // To name the interface itself says nothing.
    let mut own = VrSpec {
        settings: VrSettings {
            accept: false,
            ..spec(1, 100).settings
        },
        ..spec(1, 100)
    };
    own.addresses[0].interface = Some("eth0".into());
    config(&[own]).check().unwrap();
}
