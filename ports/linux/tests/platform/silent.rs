//! Silent addresses: on the loopback at all times, and answered for by nobody but the master.

use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use vrrp_core::{Family, MacAddr, MacMode};
use vrrp_host::{AddressSpec, Platform, VrId, VrSetup, VrSpec};
use vrrp_linux::LinuxPlatform;

use crate::common::*;

const V6: &str = "2001:db8::100";
const BOTH: [MacMode; 2] = [MacMode::Virtual, MacMode::Interface];

fn silent(mac_mode: MacMode) -> VrSetup {
    let mut setup = seven(mac_mode);
    setup.silent = true;
    setup
}

fn silent_v6(mac_mode: MacMode) -> VrSetup {
    let mut setup = setup(key(Family::Ipv6, 7), mac_mode, vip("fe80::100", 64));
    setup.addresses.push((vip(V6, 64), None));
    setup.silent = true;
    setup
}

fn prepare(platform: &mut LinuxPlatform, setup: &VrSetup) {
    platform.prepare(setup).unwrap();
    platform.flush();
    receive(platform, SOON);
}

fn on_loopback(address: &str) -> bool {
    ip("-brief address show dev lo").contains(address)
}

fn echoes(wire: &RawPort, to: MacAddr) -> usize {
    wire.hear(Duration::ZERO).unwrap();
    wire.send(&echo_request(to, V4)).unwrap();
    let heard = wire.hear(Duration::from_millis(100)).unwrap();
    let is_echo = |f: &&Vec<u8>| f[12..14] == [8, 0] && f[23] == 1 && f[34] == 0;
    heard.iter().filter(is_echo).count()
}

fn warnings(platform: &LinuxPlatform) -> Vec<String> {
    let mut list = Vec::new();
    platform.warnings(&mut list);
    list.into_iter().map(|warning| warning.text).collect()
}

#[test]
fn a_backup_has_them_and_answers_nobody() {
    for mac_mode in BOTH {
        let wire = enter();
        // No address of the virtual router's subnet is there.
        ip("link add e0 address 02:00:00:00:00:05 type veth peer name e1");
        set("ipv4/conf/e1/arp_ignore", "8");
        ip("address add 192.0.2.1/24 dev e0");
        ip("link set e1 up");
        ip("link set e0 up");
        wait_up("e0");
        ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev a0");
        let elsewhere = RawPort::open("e1").unwrap();
        let mut platform = open();
        let setup = silent(mac_mode);
        prepare(&mut platform, &setup);
        let virtual_mac = setup.key.virtual_mac();
        let master = match mac_mode {
            MacMode::Virtual => virtual_mac,
            MacMode::Interface => OWN,
        };
        // A service binds once, as a backup, and is not told of anything.
        let service = UdpSocket::bind((Ipv4Addr::from(V4), 53)).expect("bind a silent address");
        for on in [false, true, false] {
            if on {
                take_up(&mut platform, &setup);
            } else {
                give_up(&mut platform, &setup);
            }
            receive(&mut platform, SOON);
            assert!(on_loopback("10.0.0.100/32"), "{mac_mode:?}, {on}");
            let answers: &[_] = if on { &[(master, master)] } else { &[] };
            assert_eq!(ask(&wire, V4), answers, "{mac_mode:?}, {on}");
            if !on {
                assert_eq!(ask(&elsewhere, V4), [], "{mac_mode:?}");
            }
            // The host itself is found by its own addresses as ever.
            assert_eq!(ask(&wire, [10, 0, 0, 2]).len(), 1);
            assert_eq!(ask(&elsewhere, [192, 0, 2, 1]).len(), 1);
            assert_eq!(ask(&elsewhere, [10, 0, 0, 2]).len(), 1, "as without");
            // A frame that a switch floods.
            let expected = usize::from(on && mac_mode == MacMode::Virtual);
            assert_eq!(echoes(&wire, virtual_mac), expected, "{mac_mode:?}, {on}");
            let source = ip("route get 10.0.0.9");
            assert!(source.contains("src 10.0.0.2"), "{source}");
            let source = ip("route get 192.0.2.9");
            assert!(source.contains("src 192.0.2.1"), "{source}");
            let itself = UdpSocket::bind("0.0.0.0:0").unwrap();
            itself.send_to(b"x", (Ipv4Addr::from(V4), 53)).unwrap();
            let mut octet = [0];
            service.recv_from(&mut octet).unwrap();
        }
        assert!(warnings(&platform).is_empty(), "{:?}", warnings(&platform));
        platform.release(setup.key);
        platform.flush();
        assert!(!on_loopback("10.0.0.100"));
        for (device, was) in [("a0", "0"), ("e0", "0")] {
            let found = setting(&format!("ipv4/conf/{device}/arp_ignore"));
            assert_eq!(found, was, "{device}");
        }
    }
}

#[test]
fn ipv6_ones_are_deprecated_and_ready_at_once() {
    for mac_mode in BOTH {
        let wire = enter();
        ip("address add 2001:db8::2/64 dev a0 nodad");
        let mut platform = open();
        let setup = silent_v6(mac_mode);
        prepare(&mut platform, &setup);
        let master = match mac_mode {
            MacMode::Virtual => setup.key.virtual_mac(),
            MacMode::Interface => OWN,
        };
        let address: Ipv6Addr = V6.parse().unwrap();
        let service = UdpSocket::bind((address, 53)).expect("bind a silent address");
        for on in [false, true, false] {
            if on {
                take_up(&mut platform, &setup);
            } else {
                give_up(&mut platform, &setup);
            }
            receive(&mut platform, SOON);
            assert!(on_loopback("2001:db8::100/128"), "{mac_mode:?}, {on}");
            assert!(!on_loopback("fe80::100"), "of one link");
            let answers: &[_] = if on { &[(master, master)] } else { &[] };
            assert_eq!(solicit(&wire, V6), answers, "{mac_mode:?}, {on}");
            let source = ip("-6 route get 2001:db8::9");
            assert!(source.contains("src 2001:db8::2 "), "{source}");
            let itself = UdpSocket::bind("[::]:0").unwrap();
            itself.send_to(b"x", (address, 53)).unwrap();
            service.recv_from(&mut [0]).unwrap();
        }
        let shown = ip("-6 address show dev lo");
        assert!(shown.contains("deprecated"), "{shown}");
        platform.release(setup.key);
        platform.flush();
        assert!(!on_loopback(V6));
    }
}

#[test]
fn an_interface_that_comes_later_is_silent_too() {
    let _wire = enter();
    let mut platform = open();
    prepare(&mut platform, &silent(MacMode::Virtual));
    ip("link add e0 type veth peer name e1");
    receive(&mut platform, SOON);
    assert_eq!(setting("ipv4/conf/e0/arp_ignore"), "3");
    // It comes to the segment, and leaves it.
    ip("address add 10.0.0.3/24 dev e0");
    receive(&mut platform, SOON);
    assert_eq!(setting("ipv4/conf/e0/arp_ignore"), "1");
    ip("address del 10.0.0.3/24 dev e0");
    receive(&mut platform, SOON);
    assert_eq!(setting("ipv4/conf/e0/arp_ignore"), "3");
    assert!(warnings(&platform).is_empty(), "{:?}", warnings(&platform));
    platform.close().unwrap();
    assert_eq!(setting("ipv4/conf/e0/arp_ignore"), "0");
    assert_eq!(setting("ipv4/conf/e0/arp_announce"), "0");
}

#[test]
fn a_reload_turns_it_on_and_off_while_the_address_is_served() {
    for mac_mode in BOTH {
        let wire = enter();
        ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev a0");
        let mut platform = open();
        let mut setup = seven(mac_mode);
        prepare(&mut platform, &setup);
        take_up(&mut platform, &setup);
        let to = match mac_mode {
            MacMode::Virtual => setup.key.virtual_mac(),
            MacMode::Interface => OWN,
        };
        for silent in [true, false, true] {
            setup.silent = silent;
            platform.prepare(&setup).unwrap();
            assert_eq!(echoes(&wire, to), 1, "{mac_mode:?}, {silent}");
            prepare(&mut platform, &setup);
            assert_eq!(on_loopback("10.0.0.100/32"), silent);
            assert_eq!(echoes(&wire, to), 1, "{mac_mode:?}, {silent}");
            assert_eq!(ask(&wire, V4), [(to, to)], "{mac_mode:?}, {silent}");
        }
    }
}

#[test]
fn one_that_is_removed_comes_back_and_one_that_was_there_stays() {
    let _wire = enter();
    ip("address add 10.0.0.101/32 dev lo");
    let mut platform = open();
    let mut setup = silent(MacMode::Virtual);
    setup.addresses.push((vip("10.0.0.101", 24), None));
    prepare(&mut platform, &setup);
    ip("address del 10.0.0.100/32 dev lo");
    receive(&mut platform, SOON);
    assert!(on_loopback("10.0.0.100/32"));
    // A service that binds it finds it as a reload goes by.
    prepare(&mut platform, &setup);
    assert!(on_loopback("10.0.0.100/32"));
    platform.close().unwrap();
    assert!(!on_loopback("10.0.0.100/32"));
    assert!(on_loopback("10.0.0.101/32"));
}

#[test]
fn what_cannot_be_is_refused_and_a_loopback_that_is_down_is_a_warning() {
    let _wire = enter();
    let mut platform = open();
    let mut setup = silent(MacMode::Virtual);
    setup.accept = false;
    let error = platform.prepare(&setup).unwrap_err().to_string();
    assert!(error.contains("need accept mode"), "{error}");
    setup.accept = true;
    setup.addresses[0].1 = Some("lo".into());
    let error = platform.prepare(&setup).unwrap_err().to_string();
    assert!(error.contains("on the loopback by themselves"), "{error}");
    let mut spec = VrSpec::new(
        VrId {
            interface: "a0".into(),
            vrid: setup.key.vrid,
            family: Family::Ipv4,
            name: None,
        },
        vec![AddressSpec {
            address: setup.addresses[0].0,
            interface: Some("lo".into()),
        }],
    );
    let refusals = |spec: &VrSpec| platform.facts().unwrap().refusals(spec).len();
    assert_eq!(refusals(&spec), 0);
    spec.silent = true;
    assert_eq!(refusals(&spec), 1);
    setup.addresses[0].1 = None;
    ip("link set lo down");
    prepare(&mut platform, &setup);
    let said = warnings(&platform).join("\n");
    assert!(said.contains("ip link set lo up"), "{said}");
    ip("link set lo up");
    receive(&mut platform, SOON);
    assert!(warnings(&platform).is_empty(), "{:?}", warnings(&platform));
}
