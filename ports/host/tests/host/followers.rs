//! Addresses of the other family that follow their virtual router.

use std::net::IpAddr;

use vrrp_core::wire::{ethernet, ndisc};
use vrrp_core::{MacAddr, MacMode, State, VirtualAddress, VrSettings};
use vrrp_host::{AddressSpec, ConfigCause, Host, VrSpec};

use crate::fake::{Call, interface};
use crate::sim::{Sim, config, id, ip, key, spec};

fn follower(text: &str, interface: Option<&str>) -> AddressSpec {
    AddressSpec {
        address: VirtualAddress {
            address: ip(text),
            prefix_len: 64,
        },
        interface: interface.map(str::to_owned),
    }
}

/// VRID 1 on eth0 with 2001:db8::1 there and 2001:db8:1::1 on eth1.
fn followed(priority: u8) -> VrSpec {
    let own = spec(1, priority);
    VrSpec {
        settings: VrSettings {
            accept: true,
            mac_mode: MacMode::Virtual,
            ..own.settings
        },
        followers: vec![
            follower("2001:db8::1", None),
            follower("2001:db8:1::1", Some("eth1")),
        ],
        ..own
    }
}

fn served(sim: &Sim, index: usize) -> Vec<IpAddr> {
    let machine = sim.machine(index);
    machine
        .addresses
        .iter()
        .copied()
        .filter(IpAddr::is_ipv6)
        .collect()
}

#[test]
fn they_are_served_after_the_addresses_and_given_up_after_them() {
    let mut sim = Sim::new(&[config(&[followed(200)]), config(&[followed(100)])]);
    sim.run_to(6_000);
    let both = [ip("2001:db8::1"), ip("2001:db8:1::1")];
    assert_eq!((served(&sim, 0), served(&sim, 1)), (both.to_vec(), vec![]));
    let order = |calls: &[Call], on| -> Vec<bool> {
        let calls = calls.iter().filter_map(|call| match call {
            Call::Address(address, how) if *how == on => Some(address.is_ipv6()),
            _ => None,
        });
        calls.collect()
    };
    let calls = sim.take_calls(0);
    assert_eq!(order(&calls, true), [false, true, true]);
    // They are announced with the MACs of the interfaces that carry them.
    let told = std::mem::take(&mut sim.machine(0).announced);
    for (device, address) in [("eth0", both[0]), ("eth1", both[1])] {
        let is_told = told.iter().any(|(name, frame)| {
            let view = ethernet::View::new(frame).expect("a frame");
            let neighbour = ndisc::Neighbour::new(view.payload()).expect("neighbour discovery");
            let mac = MacAddr(frame[frame.len() - 6..].try_into().expect("a MAC"));
            name == device
                && IpAddr::from(neighbour.target) == address
                && mac == interface(0).mac
                && view.source() == mac
        });
        assert!(is_told, "{address}");
    }
    let report = sim.report(0, &id("eth0", 1));
    let listed = report.addresses.iter().map(|a| a.address.address);
    assert_eq!(listed.filter(IpAddr::is_ipv6).collect::<Vec<_>>(), both);
    sim.hosts[0]
        .resign(&id("eth0", 1))
        .expect("a virtual router");
    sim.run_to(9_000);
    assert_eq!((served(&sim, 0), served(&sim, 1)), (vec![], both.to_vec()));
    assert_eq!(order(&sim.take_calls(0), false), [false, true, true]);
}

#[test]
fn one_that_is_refused_fails_no_election_and_is_tried_again() {
    let mut sim = Sim::new(&[config(&[followed(200)])]);
    sim.machine(0).broken = vec!["set address 2001:db8::1".into()];
    sim.run_to(6_000);
    assert_eq!(sim.state(0, 1), State::Active);
    assert_eq!(served(&sim, 0), [ip("2001:db8:1::1")]);
    let warned = |sim: &Sim| {
        let warnings = sim.hosts[0].warnings();
        warnings
            .iter()
            .any(|w| w.text.contains("set address 2001:db8::1"))
    };
    assert!(warned(&sim));
    sim.machine(0).broken.clear();
    sim.run_to(8_000);
    assert_eq!(served(&sim, 0).len(), 2);
    assert!(!warned(&sim));
    // Somebody takes one away.
    sim.machine(0).steal(key(1), ip("2001:db8::1"));
    sim.run_to(8_100);
    assert_eq!(served(&sim, 0).len(), 2);
    assert_eq!(sim.state(0, 1), State::Active);
}

#[test]
fn a_reload_adds_and_removes_them() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)])]);
    sim.run_to(6_000);
    assert!(served(&sim, 0).is_empty());
    let mut changed = followed(200);
    changed.settings = VrSettings {
        mac_mode: spec(1, 200).settings.mac_mode,
        ..changed.settings
    };
    sim.hosts[0]
        .reload(config(&[changed.clone()]))
        .expect("a good configuration");
    sim.run_to(6_100);
    assert_eq!(served(&sim, 0).len(), 2);
    changed.followers.remove(0);
    sim.hosts[0]
        .reload(config(&[changed]))
        .expect("a good configuration");
    sim.run_to(6_200);
    assert_eq!(served(&sim, 0), [ip("2001:db8:1::1")]);
    assert_eq!(sim.state(0, 1), State::Active);
    // And the end of the virtual router.
    sim.hosts[0]
        .reload(config(&[spec(2, 200)]))
        .expect("a good configuration");
    sim.run_to(12_000);
    assert!(served(&sim, 0).is_empty());
}

#[test]
fn they_need_accept_mode_and_belong_to_one_virtual_router() {
    let mut sim = Sim::new(&[]);
    let mut silent = followed(100);
    silent.settings.accept = false;
    let refused = Host::open(sim.add_machine(), config(&[silent])).expect_err("a refusal");
    assert!(
        matches!(refused.cause, ConfigCause::NeedsAccept { .. }),
        "{refused}"
    );
    let mut other = followed(100);
    other.id = id("eth0", 2);
    other.addresses = spec(2, 100).addresses;
    let refused = Host::open(sim.add_machine(), config(&[followed(100), other]));
    let refused = refused.expect_err("a refusal");
    assert!(
        matches!(refused.cause, ConfigCause::AddressTaken { .. }),
        "{refused}"
    );
}
