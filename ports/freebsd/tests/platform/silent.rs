//! Silent addresses: on lo0 at all times, and answered for by nobody but the master.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::process::Command;

use vrrp_core::{Family, MacAddr, MacMode};
use vrrp_freebsd::FreebsdPlatform;
use vrrp_host::{Platform, VrSetup};

use crate::common::*;

const V6: &str = "2001:db8::100";

fn silent(mac_mode: MacMode) -> VrSetup {
    let mut setup = seven(mac_mode);
    setup.silent = true;
    setup
}

fn prepare(platform: &mut FreebsdPlatform, setup: &VrSetup) {
    platform.prepare(setup).unwrap();
    platform.flush();
    receive(platform, SOON);
}

fn is_on_loopback(address: &str) -> bool {
    let output = Command::new("ifconfig").arg("lo0").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    shown.contains(&format!(" {address} "))
}

fn master(setup: &VrSetup) -> MacAddr {
    match setup.mac_mode {
        MacMode::Virtual => setup.key.virtual_mac(),
        MacMode::Interface => OWN,
    }
}

pub(crate) fn a_backup_has_silent_addresses_and_answers_nobody() {
    has_silent_addresses(MacMode::Interface);
}

pub(crate) fn a_backup_with_a_virtual_mac_has_silent_addresses() {
    has_silent_addresses(MacMode::Virtual);
}

fn has_silent_addresses(mac_mode: MacMode) {
    let wire = enter();
    let mut platform = open();
    let setup = silent(mac_mode);
    prepare(&mut platform, &setup);
    let service = UdpSocket::bind((Ipv4Addr::from(V4), 53)).expect("bind a silent address");
    for on in [false, true, false, true, false] {
        if on {
            take_up(&mut platform, &setup);
        } else {
            give_up(&mut platform, &setup);
        }
        receive(&mut platform, SOON);
        assert!(is_on_loopback("10.0.0.100"), "{mac_mode:?}, {on}");
        let mac = master(&setup);
        let answers: &[_] = if on { &[(mac, mac)] } else { &[] };
        assert_eq!(ask(&wire, V4), answers, "{mac_mode:?}, {on}");
        // A local client reaches the service of its own host.
        let itself = UdpSocket::bind("0.0.0.0:0").unwrap();
        itself.send_to(b"x", (Ipv4Addr::from(V4), 53)).unwrap();
        service.recv_from(&mut [0]).unwrap();
    }
    platform.release(setup.key);
    platform.flush();
    assert!(!is_on_loopback("10.0.0.100"));
}

pub(crate) fn silent_addresses_of_ipv6_are_ready_at_once() {
    let wire = enter();
    ifconfig("a0 inet6 2001:db8::2/64 no_dad");
    let mut platform = open();
    let mut setup = setup(
        key(Family::Ipv6, 7),
        MacMode::Interface,
        vip("fe80::100", 64),
    );
    setup.addresses.push((vip(V6, 64), None));
    setup.silent = true;
    prepare(&mut platform, &setup);
    let address: Ipv6Addr = V6.parse().unwrap();
    let service = UdpSocket::bind((address, 53)).expect("bind a silent address");
    for on in [false, true, false] {
        if on {
            take_up(&mut platform, &setup);
        } else {
            give_up(&mut platform, &setup);
        }
        receive(&mut platform, SOON);
        assert!(is_on_loopback(V6), "{on}");
        assert!(!is_on_loopback("fe80::100"), "of one link");
        let (_, answers) = solicit(&wire, &mut platform, "fe80::9", V6);
        assert_eq!(answers.len(), usize::from(on), "{on}");
        let itself = UdpSocket::bind("[::]:0").unwrap();
        itself.send_to(b"x", (address, 53)).unwrap();
        service.recv_from(&mut [0]).unwrap();
    }
}

pub(crate) fn a_reload_turns_silence_on_and_off() {
    let wire = enter();
    let mut platform = open();
    let mut setup = seven(MacMode::Interface);
    prepare(&mut platform, &setup);
    take_up(&mut platform, &setup);
    for silent in [true, false, true] {
        setup.silent = silent;
        prepare(&mut platform, &setup);
        assert_eq!(is_on_loopback("10.0.0.100"), silent);
        assert_eq!(ask(&wire, V4), [(OWN, OWN)], "{silent}");
    }
    drop(platform);
    assert!(!is_on_loopback("10.0.0.100"));
}
