//! Answers, and the MACs that they name.

use std::time::{Duration, Instant};

use vrrp_core::{Family, MacMode, VrKey};
use vrrp_host::{HostIf, Platform, Subject};
use vrrp_linux::LinuxPlatform;

use crate::common::*;

//= RFC 9568 section 6.4.3, 8.1.2: one MAC answers, and it is the virtual one (M-2, M-3, M-4)
#[test]
fn the_virtual_mac_alone_answers_arp_and_only_while_active() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    let name = platform.mac_interface(key).unwrap();
    assert!(name.starts_with("vr4.") && name.ends_with(".7"), "{name}");
    assert_eq!(ask(&wire, V4), []);
    for _ in 0..2 {
        take_up(&mut platform, &setup);
        assert_eq!(ask(&wire, V4), [(key.virtual_mac(), key.virtual_mac())]);
        // Its own address is still the interface's.
        assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
        give_up(&mut platform, &setup);
        assert_eq!(ask(&wire, V4), []);
    }
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
    let routes = ip("route show");
    assert_eq!(
        routes.lines().count(),
        1,
        "the address brought a route: {routes}"
    );
    drop(platform);
    assert!(!ip("link show").contains("vr4."));
}

#[test]
fn the_virtual_mac_alone_answers_solicitations_and_only_while_active() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv6, 7);
    let mut setup = setup(key, MacMode::Virtual, vip("2001:db8::100", 64));
    setup.addresses.push((vip("fe80::100", 64), None));
    platform.prepare(&setup).unwrap();
    assert_eq!(solicit(&wire, "2001:db8::100"), []);
    take_up(&mut platform, &setup);
    let answer = [(key.virtual_mac(), key.virtual_mac())];
    assert_eq!(solicit(&wire, "2001:db8::100"), answer);
    assert_eq!(solicit(&wire, "fe80::100"), answer);
    give_up(&mut platform, &setup);
    assert_eq!(solicit(&wire, "2001:db8::100"), []);
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
}

#[test]
fn with_the_interfaces_own_mac_it_alone_answers_also_beside_a_second_interface() {
    let wire = enter();
    // A second interface of the host hears the same segment.
    ip("link add b0 type bridge");
    ip("link add c0 address 02:00:00:00:00:02 type veth peer name c1");
    ip("address add 10.0.0.3/24 dev c0");
    for name in ["b0", "c0", "c1"] {
        set(&format!("ipv6/conf/{name}/disable_ipv6"), "1");
        ip(&format!("link set {name} up"));
    }
    ip("link add d0 type veth peer name d1");
    for name in ["d0", "d1"] {
        set(&format!("ipv6/conf/{name}/disable_ipv6"), "1");
        ip(&format!("link set {name} up"));
    }
    for name in ["a1", "c1", "d1"] {
        ip(&format!("link set {name} master b0"));
    }
    drop(wire);
    let wire = RawPort::open("d0").unwrap();
    // The switch and the neighbour have no part in it.
    for name in ["b0", "c1", "d0", "d1"] {
        set(&format!("ipv4/conf/{name}/arp_ignore"), "8");
    }

    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Interface, vip("10.0.0.100", 32));
    platform.prepare(&setup).unwrap();
    assert_eq!(platform.mac_interface(key), None);
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), [(OWN, OWN)]);
    assert_eq!(setting("ipv4/conf/c0/arp_ignore"), "1");
    give_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), []);
    drop(platform);
    assert_eq!(setting("ipv4/conf/c0/arp_ignore"), "0");
    assert_eq!(setting("ipv4/conf/a0/arp_ignore"), "0");
}

#[test]
fn a_macvlan_is_silent_before_during_and_after() {
    let wire = enter();
    let mut platform = open();
    std::thread::sleep(Duration::from_secs(2));
    wire.hear(Duration::ZERO).unwrap();
    let v4 = seven(MacMode::Virtual);
    let v6 = setup(key(Family::Ipv6, 7), MacMode::Virtual, vip("fe80::100", 64));
    platform.prepare(&v4).unwrap();
    platform.prepare(&v6).unwrap();
    // Any MAC but that of the interface itself, be it a virtual one or one in between.
    let foreign = |mut heard: Vec<Vec<u8>>| {
        heard.retain(|frame| mac(&frame[6..12]) != OWN);
        heard
    };
    let heard = foreign(wire.hear(Duration::from_secs(1)).unwrap());
    assert_eq!(heard, Vec::<Vec<u8>>::new(), "prepared");
    take_up(&mut platform, &v4);
    take_up(&mut platform, &v6);
    let heard = foreign(wire.hear(Duration::from_secs(3)).unwrap());
    // Reports of the solicited-node group of the address, by MLDv2, and nothing else.
    for frame in &heard {
        assert_eq!(mac(&frame[6..12]), v6.key.virtual_mac());
        assert_eq!(frame[62], 143, "{frame:02x?}");
    }
    give_up(&mut platform, &v6);
    give_up(&mut platform, &v4);
    let heard = foreign(wire.hear(Duration::from_secs(3)).unwrap());
    assert_eq!(heard, Vec::<Vec<u8>>::new(), "given up");
}

//= RFC 9568 section 6.4.2: a Backup discards frames to the virtual MAC (M-2)
#[test]
fn given_up_the_virtual_mac_is_deaf_at_once() {
    let wire = enter();
    set("ipv4/conf/all/forwarding", "1");
    ip("link add f0 type veth peer name f1");
    ip("link set f0 up");
    ip("link set f1 up");
    wait_up("f0");
    ip("address add 10.7.0.1/24 dev f0");
    ip("neigh add 10.7.0.5 lladdr 02:00:00:00:00:55 dev f0");
    ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev a0");
    let far = RawPort::open("f1").unwrap();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    let is_echo = |f: &&Vec<u8>| f[12..14] == [8, 0] && f[23] == 1;
    for all in ["0", "1", "2"] {
        set("ipv4/conf/all/rp_filter", all);
        for on in [true, false, true, false] {
            if on {
                take_up(&mut platform, &setup);
            } else {
                give_up(&mut platform, &setup);
            }
            wire.send(&echo_request(key.virtual_mac(), [10, 0, 0, 2]))
                .unwrap();
            wire.send(&echo_request(key.virtual_mac(), [10, 7, 0, 5]))
                .unwrap();
            let quiet = Duration::from_millis(30);
            let answered = wire.hear(quiet).unwrap().iter().filter(is_echo).count();
            let forwarded = far.hear(quiet).unwrap().iter().filter(is_echo).count();
            let expected = usize::from(on);
            assert_eq!(
                (answered, forwarded),
                (expected, expected),
                "{on}, all {all}"
            );
        }
    }
}

#[test]
fn the_mac_of_an_interface_is_not_replaced() {
    let _wire = enter();
    let mut platform = open();
    let mut setup = seven(MacMode::Virtual);
    setup.replace_mac = true;
    let error = platform.prepare(&setup).unwrap_err().to_string();
    assert!(
        error.contains("cannot replace that of the interface"),
        "{error}"
    );
}

//= RFC 9568 section 6.4.3: not accepting is not silence (A-2, A-3, A-5)
#[test]
fn without_accept_the_questions_come_to_the_host_and_packets_are_dropped() {
    let wire = enter();
    let mut platform = open();
    for mode in [MacMode::Virtual, MacMode::Interface] {
        let mut v4 = setup(key(Family::Ipv4, 7), mode, vip("10.0.0.100", 24));
        let mut v6 = setup(key(Family::Ipv6, 7), mode, vip("2001:db8::100", 64));
        (v4.accept, v6.accept) = (false, false);
        platform.prepare(&v4).unwrap();
        platform.prepare(&v6).unwrap();
        receive(&mut platform, SOON);
        let questions = [
            arp_request(V4),
            solicitation("fe80::9".parse().unwrap(), "2001:db8::100".parse().unwrap()),
        ];
        let heard = |platform: &mut _| {
            for question in &questions {
                wire.send(question).unwrap();
            }
            wire.send(&arp_request([10, 0, 0, 77])).unwrap();
            frames(receive(platform, SOON))
        };
        assert_eq!(heard(&mut platform), Vec::<Vec<u8>>::new());
        take_up(&mut platform, &v4);
        take_up(&mut platform, &v6);
        let mut came = heard(&mut platform);
        came.sort();
        let mut expected = questions.to_vec();
        expected.sort();
        assert_eq!(came, expected, "{mode:?}");
        assert_eq!(ask(&wire, V4), [], "the kernel answers, too");
        assert!(ip("route show type blackhole").contains("10.0.0.100"));
        assert!(ip("-6 route show type blackhole").contains("2001:db8::100"));
        // A neighbour that makes sure asks the MAC that it knows.
        receive(&mut platform, SOON);
        if mode == MacMode::Virtual {
            let mut question = arp_request(V4);
            question[..6].copy_from_slice(&v4.key.virtual_mac().0);
            wire.send(&question).unwrap();
            assert_eq!(frames(receive(&mut platform, SOON)), [question]);
        }
        give_up(&mut platform, &v4);
        give_up(&mut platform, &v6);
        assert_eq!(heard(&mut platform), Vec::<Vec<u8>>::new());
        assert_eq!(ip("route show type blackhole"), "");
        platform.release(v4.key);
        platform.release(v6.key);
    }
}

// As two containers on one macvlan parent: a macvlan on a macvlan is one on the lower device.
#[test]
fn a_mac_that_another_macvlan_of_the_card_has_is_refused_in_words() {
    enter_new_namespace().expect("this test needs root");
    make_wire();
    for name in ["m1", "m2"] {
        ip(&format!("link add {name} link a0 type macvlan mode bridge"));
        ip(&format!("link set {name} up"));
    }
    let mut platform = open();
    let (m1, m2) = (HostIf::new(21), HostIf::new(22));
    platform.watch(m1, "m1").unwrap();
    platform.watch(m2, "m2").unwrap();
    for family in [Family::Ipv4, Family::Ipv6] {
        let address = match family {
            Family::Ipv4 => vip("10.0.0.100", 24),
            Family::Ipv6 => vip("fe80::100", 64),
        };
        let vrid = key(family, 7).vrid;
        let (one, two) = (m1.key(vrid, family), m2.key(vrid, family));
        for key in [one, two] {
            platform
                .prepare(&setup(key, MacMode::Virtual, address))
                .unwrap();
        }
        let set = |platform: &mut LinuxPlatform, key: VrKey, on| {
            platform.set_mac(key, key.virtual_mac(), on)
        };
        let warnings = |platform: &LinuxPlatform| {
            let mut list = Vec::new();
            platform.warnings(&mut list);
            list.retain(|warning| warning.subject == Subject::VirtualRouter(two));
            list
        };
        set(&mut platform, one, true).unwrap();
        let error = set(&mut platform, two, true).unwrap_err();
        assert_eq!(error.error.kind(), std::io::ErrorKind::AddrInUse);
        let text = error.to_string();
        for part in ["m2 is a macvlan", "another container", "useVMAC = no"] {
            assert!(text.contains(part), "{text}");
        }
        let told = warnings(&platform);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].text, text);
        // The end of the holder is no notice to anybody: it is tried when it is wanted.
        platform.release(one);
        let end = Instant::now() + Duration::from_secs(20);
        while set(&mut platform, two, true).is_err() {
            assert!(Instant::now() < end, "the MAC is still in use");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(warnings(&platform), []);
        platform.release(two);
    }
}

#[test]
fn a_frame_to_the_virtual_mac_is_noticed_and_a_broadcast_is_none() {
    let wire = enter();
    let mut platform = open();
    let setup = seven(MacMode::Virtual);
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    let reached = |platform: &mut LinuxPlatform, expected: bool| {
        let end = Instant::now() + Duration::from_secs(10);
        while platform.mac_was_reached(setup.key) != Some(expected) {
            assert!(Instant::now() < end, "{expected}");
            receive(platform, SOON);
        }
    };
    ask(&wire, V4);
    reached(&mut platform, false);
    std::thread::sleep(Duration::from_millis(1_200));
    receive(&mut platform, SOON);
    assert_eq!(platform.mac_was_reached(setup.key), Some(false));
    wire.send(&echo_request(setup.key.virtual_mac(), V4))
        .unwrap();
    reached(&mut platform, true);
}
