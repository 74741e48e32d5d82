//! Changes that others make to the system, and their repair.

use std::time::{Duration, Instant};

use vrrp_core::{Failure, Family, InterfaceState, MacMode};
use vrrp_host::{HostIf, Platform};
use vrrp_linux::{LinuxPlatform, Options};

use crate::common::*;

#[test]
fn settings_are_put_back_unless_somebody_changed_them() {
    let _wire = enter();
    set("ipv4/conf/a0/arp_announce", "1");
    let mut platform = open();
    let (one, two) = (key(Family::Ipv4, 1), key(Family::Ipv4, 2));
    for key in [one, two] {
        let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
        platform.prepare(&setup).unwrap();
    }
    platform.flush();
    let read = || {
        (
            setting("ipv4/conf/a0/arp_ignore"),
            setting("ipv4/conf/a0/arp_announce"),
        )
    };
    assert_eq!(read(), ("1".into(), "2".into()));
    platform.release(one);
    platform.flush();
    assert_eq!(read(), ("1".into(), "2".into()), "another still needs them");
    platform.release(two);
    platform.flush();
    assert_eq!(read(), ("0".into(), "1".into()));
    platform
        .prepare(&setup(one, MacMode::Virtual, vip("10.0.0.100", 24)))
        .unwrap();
    platform.flush();
    set("ipv4/conf/a0/arp_ignore", "2");
    drop(platform);
    assert_eq!(read(), ("2".into(), "1".into()));
}

#[test]
fn what_somebody_takes_away_is_reported_and_can_be_put_back() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    let name = platform.mac_interface(key).unwrap();
    let mac = Failure::Mac { key };
    let address = Failure::Address {
        key,
        address: V4.into(),
    };
    // Our own to and fro is none of it.
    for _ in 0..3 {
        take_up(&mut platform, &setup);
        give_up(&mut platform, &setup);
    }
    take_up(&mut platform, &setup);
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
    for (command, losses) in [
        (
            format!("address del 10.0.0.100/24 dev {name}"),
            vec![address],
        ),
        (format!("link set {name} down"), vec![mac]),
        (
            format!("link set {name} address 02:00:00:00:00:05"),
            vec![mac, address],
        ),
        (format!("link del {name}"), vec![mac, address]),
    ] {
        ip(&command);
        assert_eq!(lost(&receive(&mut platform, SOON)), losses, "{command}");
        take_up(&mut platform, &setup);
        assert_eq!(lost(&receive(&mut platform, SOON)), [], "{command}");
        assert_eq!(
            ask(&wire, V4),
            [(key.virtual_mac(), key.virtual_mac())],
            "{command}"
        );
    }
}

#[test]
fn an_interface_goes_and_comes_back_and_so_does_what_is_on_it() {
    let wire = enter();
    let mut platform = open();
    let state = InterfaceState {
        up: true,
        mac: OWN,
        ipv4: Some([10, 0, 0, 2].into()),
        ipv6: None,
    };
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    set("ipv6/conf/a0/disable_ipv6", "1");
    platform.prepare(&setup).unwrap();
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    assert_eq!(states(&receive(&mut platform, SOON)).last(), Some(&state));
    // The carrier.
    ip("link set a1 down");
    let down = InterfaceState { up: false, ..state };
    assert_eq!(states(&receive(&mut platform, SOON)), [down]);
    ip("link set a1 up");
    assert_eq!(states(&receive(&mut platform, SOON)), [state]);
    // The address.
    ip("address del 10.0.0.2/24 dev a0");
    let bare = InterfaceState {
        ipv4: None,
        ..state
    };
    assert_eq!(states(&receive(&mut platform, SOON)), [bare]);
    ip("address add 10.0.0.2/24 dev a0");
    take_up(&mut platform, &setup);
    assert_eq!(states(&receive(&mut platform, SOON)), [state]);
    // The name.
    ip("link set a0 name z0");
    assert_eq!(
        states(&receive(&mut platform, SOON)),
        [InterfaceState::default()]
    );
    let gone = || !ip("link show").contains("vr4.");
    let patience = Instant::now() + Duration::from_secs(10);
    while !gone() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(gone());
    assert_eq!(setting("ipv4/conf/z0/arp_ignore"), "0");
    ip("link set z0 name a0");
    assert_eq!(states(&receive(&mut platform, SOON)), [state]);
    assert_eq!(setting("ipv4/conf/a0/arp_ignore"), "1");
    take_up(&mut platform, &setup);
    drop(wire);
    // All of it, twice between two looks.
    for _ in 0..2 {
        ip("link del a0");
        make_wire();
    }
    set("ipv6/conf/a0/disable_ipv6", "1");
    let came = receive(&mut platform, SOON);
    assert_eq!(states(&came).first(), Some(&InterfaceState::default()));
    assert_eq!(states(&came).last(), Some(&state));
    assert!(ip("maddress show dev a0").contains("224.0.0.18"));
    let wire = RawPort::open("a1").unwrap();
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), [(key.virtual_mac(), key.virtual_mac())]);
    let advert = frame(Family::Ipv4.group_mac(), 0x0800, &advert(1));
    wire.send(&advert).unwrap();
    assert_eq!(frames(receive(&mut platform, SOON)), [advert]);
}

#[test]
fn an_interface_may_come_after_everything_else() {
    enter_new_namespace().expect("this test needs root");
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    assert_eq!(
        states(&receive(&mut platform, SOON)),
        [InterfaceState::default()]
    );
    make_wire();
    let last = states(&receive(&mut platform, SOON))
        .last()
        .copied()
        .unwrap();
    assert!(
        last.up && last.ipv4 == Some([10, 0, 0, 2].into()),
        "{last:?}"
    );
    let wire = RawPort::open("a1").unwrap();
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), [(key.virtual_mac(), key.virtual_mac())]);
}

#[test]
fn an_address_that_was_there_before_stays() {
    let _wire = enter();
    ip("address add 10.0.0.100/24 dev a0");
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let own = setup(key, MacMode::Interface, vip("10.0.0.2", 24));
    let mut all = own.clone();
    all.addresses.push((vip("10.0.0.100", 24), None));
    all.addresses.push((vip("10.0.0.101", 24), None));
    platform.prepare(&all).unwrap();
    take_up(&mut platform, &all);
    // An owner's address is its primary one; one that we added never is.
    let last = states(&receive(&mut platform, SOON))
        .last()
        .copied()
        .unwrap();
    assert_eq!(last.ipv4, Some([10, 0, 0, 2].into()));
    give_up(&mut platform, &all);
    let shown = ip("address show dev a0");
    assert!(
        shown.contains("10.0.0.2/24") && shown.contains("10.0.0.100/24"),
        "{shown}"
    );
    assert!(!shown.contains("10.0.0.101"), "{shown}");
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
}

#[test]
fn an_address_may_live_on_another_interface() {
    let _wire = enter();
    ip("link add c0 type veth peer name c1");
    let mut platform = open();
    let mut setup = setup(key(Family::Ipv4, 7), MacMode::Virtual, vip("10.9.0.1", 32));
    setup.addresses[0].1 = Some("c0".into());
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    assert!(ip("address show dev c0").contains("10.9.0.1/32"));
    drop(platform);
    assert!(!ip("address show dev c0").contains("10.9.0.1"));
    // Without accepting, nobody could answer there.
    let mut platform = open();
    setup.accept = false;
    assert!(platform.prepare(&setup).is_err());
}

#[test]
fn what_is_abandoned_stays_until_the_next_life() {
    let _wire = enter();
    let runtime_dir = directory();
    let open = || {
        let runtime_dir = runtime_dir.clone();
        let mut platform = LinuxPlatform::open(Options { runtime_dir }).unwrap();
        platform.watch(A0, "a0").unwrap();
        platform
    };
    let mut platform = open();
    let setup = seven(MacMode::Virtual);
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    platform.abandon();
    assert!(ip("address show").contains("10.0.0.100/24"));
    let platform = open();
    assert!(!ip("address show").contains("10.0.0.100"));
    assert!(!ip("link show").contains("vr4."));
    drop(platform);
    assert_eq!(std::fs::read_dir(&runtime_dir).unwrap().count(), 0);
}

#[test]
fn what_cannot_have_virtual_routers_says_what_it_is_and_what_to_do() {
    let _wire = enter();
    ip("tuntap add t0 mode tun");
    ip("link add c0 type veth peer name c1");
    ip("link add br0 type bridge");
    ip("link set c0 master br0");
    let mut platform = open();
    for (number, name) in [(11, "lo"), (12, "t0"), (13, "c0"), (14, "br0")] {
        platform.watch(HostIf::new(number), name).unwrap();
    }
    let on = |host_if: HostIf, mode| {
        let key = host_if.key(key(Family::Ipv4, 7).vrid, Family::Ipv4);
        setup(key, mode, vip("10.0.0.100", 24))
    };
    for mode in [MacMode::Virtual, MacMode::Interface] {
        for (number, hint) in [
            (11, "cannot use lo: it is the loopback interface"),
            (
                12,
                "cannot use t0: it is an interface of the kind tun, without Ethernet",
            ),
            (13, "cannot use c0: it is a port of the bridge br0"),
        ] {
            let on_it = HostIf::new(number);
            let error = platform.prepare(&on(on_it, mode)).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
            platform.release(on(on_it, mode).key);
        }
        // Its neighbours are not touched by that.
        for host_if in [A0, HostIf::new(14)] {
            platform.prepare(&on(host_if, mode)).unwrap();
            platform.release(on(host_if, mode).key);
        }
    }
}

#[test]
fn an_interface_that_becomes_a_port_of_a_bridge_counts_as_another_one() {
    let _wire = enter();
    ip("link add br0 type bridge");
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Interface,
        vip("10.0.0.100", 24),
    );
    platform.prepare(&setup).unwrap();
    let before = states(&receive(&mut platform, SOON));
    let state = *before.last().unwrap();
    ip("link set a0 master br0");
    let told = states(&receive(&mut platform, SOON));
    assert_eq!(told, [InterfaceState::default(), state]);
    let error = platform.prepare(&setup).unwrap_err().to_string();
    assert!(error.contains("set `interface = br0`"), "{error}");
    platform.release(setup.key);
    ip("link set a0 nomaster");
    let told = states(&receive(&mut platform, SOON));
    assert_eq!(told, [InterfaceState::default(), state]);
    platform.prepare(&setup).unwrap();
}
