//! Routes and policy rules that come and go with the addresses of a virtual router.

use std::time::{Duration, Instant};

use vrrp_core::{Family, MacMode};
use vrrp_host::{Platform, VrSetup};
use vrrp_linux::{LinuxPlatform, Options};

use crate::common::*;

/// The routes and rules that bear our mark, sorted.
fn marked() -> Vec<String> {
    let mut found = Vec::new();
    for family in ["-4", "-6"] {
        for what in ["route show table all protocol 112", "-d rule show"] {
            let text = ip(&format!("{family} {what}"));
            // ip-rule(8) shows all.
            let ours = text
                .lines()
                .filter(|line| what.starts_with("route") || line.contains("proto 112"));
            found.extend(ours.map(|line| {
                let words: Vec<&str> = line.split_ascii_whitespace().collect();
                let mut text = words.join(" ");
                for word in [" proto 112", " pref medium", " linkdown"] {
                    text = text.replace(word, "");
                }
                text
            }));
        }
    }
    found.sort();
    found
}

fn with(mac_mode: MacMode, routing: &[&str]) -> VrSetup {
    VrSetup {
        routing: routing.iter().map(|text| text.parse().unwrap()).collect(),
        ..seven(mac_mode)
    }
}

fn warnings(platform: &LinuxPlatform) -> Vec<String> {
    let mut list = Vec::new();
    platform.warnings(&mut list);
    list.into_iter().map(|warning| warning.text).collect()
}

/// Lets the platform look after itself until `done`.
fn until(platform: &mut LinuxPlatform, what: &str, mut done: impl FnMut(&LinuxPlatform) -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !done(platform) {
        assert!(Instant::now() < patience, "{what}: {:?}", marked());
        receive(platform, Duration::from_millis(50));
    }
}

/// Lets the platform take the notices of what it did, and look twice.
fn settle(platform: &mut LinuxPlatform) {
    let end = Instant::now() + Duration::from_millis(2500);
    until(platform, "time passes", |_| Instant::now() > end);
}

#[test]
fn they_come_with_the_address_and_go_with_it() {
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        let _wire = enter();
        let mut platform = open();
        let setup = with(
            mac_mode,
            &[
                "rule from 10.0.0.100 priority 50 lookup 300",
                "rule inet6 from all fwmark 0x7/0xff priority 51 prohibit",
                "route 10.8.0.0/16 via 10.0.0.9 dev a0 table 300 metric 5 src 10.0.0.100",
                "route default via 10.0.0.9 metric 77 mtu 1400",
                "route blackhole 10.9.0.0/16",
                "route unreachable 2001:db8:9::/48 table 300",
                "route 2001:db8:8::/48 via fe80::9 dev a0",
                "route default via 10.77.0.1 dev a0 onlink table 301",
            ],
        );
        platform.prepare(&setup).unwrap();
        platform.flush();
        receive(&mut platform, SOON);
        assert_eq!(marked(), [""; 0], "{mac_mode:?}");
        for _ in 0..2 {
            take_up(&mut platform, &setup);
            assert_eq!(
                marked(),
                [
                    "10.8.0.0/16 via 10.0.0.9 dev a0 table 300 src 10.0.0.100 metric 5",
                    "2001:db8:8::/48 via fe80::9 dev a0 metric 1024",
                    "50: from 10.0.0.100 lookup 300",
                    "51: from all fwmark 0x7/0xff prohibit",
                    "blackhole 10.9.0.0/16",
                    "default via 10.0.0.9 dev a0 metric 77 mtu 1400",
                    "default via 10.77.0.1 dev a0 table 301 onlink",
                    "unreachable 2001:db8:9::/48 dev lo table 300 metric 1024",
                ]
            );
            assert_eq!(warnings(&platform), [""; 0]);
            give_up(&mut platform, &setup);
            assert_eq!(marked(), [""; 0], "{mac_mode:?}");
        }
        take_up(&mut platform, &setup);
        platform.close().unwrap();
        assert_eq!(marked(), [""; 0], "{mac_mode:?}");
    }
}

#[test]
fn a_reload_adds_and_removes_them() {
    let _wire = enter();
    let mut platform = open();
    let before = with(
        MacMode::Interface,
        &["route 10.8.0.0/16 dev a0", "route 10.9.0.0/16 dev a0"],
    );
    platform.prepare(&before).unwrap();
    take_up(&mut platform, &before);
    let after = with(
        MacMode::Interface,
        &[
            "route 10.9.0.0/16 dev a0",
            "rule from all priority 9 lookup main",
        ],
    );
    platform.prepare(&after).unwrap();
    platform.flush();
    let expected = ["10.9.0.0/16 dev a0 scope link", "9: from all lookup main"];
    assert_eq!(marked(), expected);
}

#[test]
fn one_that_somebody_else_has_there_is_left_alone() {
    let _wire = enter();
    ip("route add 10.8.0.0/16 via 10.0.0.9");
    ip("rule add from 10.0.0.100 priority 50 lookup 300");
    let mut platform = open();
    let setup = with(
        MacMode::Interface,
        &[
            "route 10.8.0.0/16 via 10.0.0.9 dev a0",
            "rule from 10.0.0.100 priority 50 lookup 300",
        ],
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    let told = warnings(&platform);
    let is_left = |text: &String| text.contains("that vrrpd did not install, and it stays");
    assert!(told.len() == 1 && told.iter().all(is_left), "{told:?}");
    // Rules that differ in their mark alone stand side by side.
    assert_eq!(marked(), ["50: from 10.0.0.100 lookup 300"]);
    give_up(&mut platform, &setup);
    assert!(ip("route show").contains("10.8.0.0/16 via 10.0.0.9"));
    assert!(ip("rule show").contains("50:\tfrom 10.0.0.100 lookup 300"));
    // Once it is gone ours takes its place.
    take_up(&mut platform, &setup);
    ip("route del 10.8.0.0/16 via 10.0.0.9");
    ip("rule del from 10.0.0.100 priority 50 lookup 300");
    until(&mut platform, "ours come", |_| marked().len() == 2);
    assert_eq!(warnings(&platform), [""; 0]);
}

#[test]
fn one_that_another_program_replaces_is_left_to_it_with_a_warning() {
    let _wire = enter();
    let mut platform = open();
    let setup = with(
        MacMode::Interface,
        &[
            "route default via 10.0.0.9 dev a0",
            "route 10.8.0.0/16 via 10.0.0.9 dev a0 table 300 metric 5",
            "route blackhole 10.9.0.0/16",
            "route 2001:db8:8::/48 via fe80::9 dev a0",
            "route 10.7.0.0/16 via 10.0.0.9",
        ],
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    assert_eq!((marked().len(), warnings(&platform)), (5, Vec::new()));
    settle(&mut platform);
    // One of another metric stands beside ours, and is no matter of ours.
    ip("route replace default via 10.0.0.7 metric 9");
    // One was removed, and is said to be installed again for a minute.
    ip("route del 10.8.0.0/16 table 300");
    until(&mut platform, "it is installed again", |platform| {
        warnings(platform).len() == 1 && marked().len() == 5
    });
    let foreign = [
        ("-4", "default via 10.0.0.7"),
        ("-4", "10.8.0.0/16 via 10.0.0.7 table 300 metric 5"),
        ("-4", "10.9.0.0/16 via 10.0.0.7"),
        ("-6", "2001:db8:8::/48 via fe80::7 dev a0"),
    ];
    for (family, route) in foreign {
        ip(&format!("{family} route replace {route}"));
    }
    // Not replaced, but removed and added between two looks.
    ip("route del 10.7.0.0/16");
    ip("route add 10.7.0.0/16 via 10.0.0.7");
    until(&mut platform, "all are said", |platform| {
        warnings(platform).len() == 5
    });
    let is_left = |text: &String| text.contains("that vrrpd did not install, and it stays");
    let told = warnings(&platform);
    assert!(told.iter().all(is_left), "{told:?}");
    // They are not removed, and ours come once they are gone.
    for (family, route) in foreign {
        assert!(!ip(&format!("{family} route show table all {route}")).is_empty());
        ip(&format!("{family} route del {route}"));
    }
    until(&mut platform, "ours come", |_| marked().len() == 4);
    assert_eq!(platform.routing_restored(), 1);
    give_up(&mut platform, &setup);
    assert_eq!(marked(), [""; 0]);
    assert!(ip("route show").contains("10.7.0.0/16 via 10.0.0.7"));
    // Our own changes are none of somebody else's.
    for _ in 0..3 {
        ip("route flush proto boot");
        take_up(&mut platform, &setup);
        give_up(&mut platform, &setup);
    }
    take_up(&mut platform, &setup);
    settle(&mut platform);
    assert_eq!((marked().len(), warnings(&platform)), (5, Vec::new()));
}

#[test]
fn one_whose_place_is_taken_while_its_interface_is_down_is_not_ours() {
    let _wire = enter();
    let mut platform = open();
    let setup = with(
        MacMode::Interface,
        &["route 10.8.0.0/16 via 10.0.0.9 dev a0"],
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    // The kernel says nothing of the IPv4 routes that go so.
    ip("link set a0 down");
    ip("route add blackhole 10.8.0.0/16");
    ip("link set a0 up");
    until(&mut platform, "it is said", |platform| {
        warnings(platform).len() == 1
    });
    assert!(warnings(&platform)[0].contains("and it stays"));
}

#[test]
fn one_that_the_kernel_refuses_is_a_warning_and_tried_again() {
    let _wire = enter();
    let mut platform = open();
    let setup = with(
        MacMode::Interface,
        &[
            "route 10.8.0.0/16 via 192.0.2.1",
            "route 10.9.0.0/16 dev b0",
        ],
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    assert!(ip("address show dev a0").contains("10.0.0.100"));
    let told = warnings(&platform).join("\n");
    let refused = "route 10.8.0.0/16 via 192.0.2.1 is not installed: Network is unreachable";
    assert!(told.contains(refused), "{told}");
    let absent = "route 10.9.0.0/16 dev b0 is not installed: there is no b0";
    assert!(told.contains(absent), "{told}");
    ip("address add 192.0.2.2/24 dev a0");
    ip("link add b0 type veth peer name b1");
    ip("link set b0 up");
    until(&mut platform, "they come", |_| marked().len() == 2);
    assert_eq!(warnings(&platform), [""; 0]);
    // The kernel removes routes of an interface that goes down, and of one that goes.
    ip("link set a0 down");
    ip("link del b0");
    assert_eq!(marked(), [""; 0]);
    ip("link set a0 up");
    until(&mut platform, "it comes again", |_| marked().len() == 1);
    give_up(&mut platform, &setup);
    assert_eq!(marked(), [""; 0]);
}

#[test]
fn the_next_life_removes_what_a_killed_one_left() {
    let _wire = enter();
    // A rule of somebody else that is no part of it.
    ip("rule add from 10.0.0.7 priority 49 lookup 300");
    ip("route add 10.7.0.0/16 dev a0");
    let setup = with(
        MacMode::Interface,
        &[
            "route 10.8.0.0/16 dev a0 table 300",
            "route blackhole 2001:db8:8::/48",
            "rule from 10.0.0.100 priority 50 lookup 300",
            "rule inet6 from all priority 50 lookup 300",
        ],
    );
    for is_ledger_lost in [false, true] {
        let runtime_dir = directory();
        let options = Options {
            runtime_dir: runtime_dir.clone(),
        };
        let mut platform = LinuxPlatform::open(options.clone()).unwrap();
        platform.watch(A0, "a0").unwrap();
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        assert_eq!(marked().len(), 4);
        // Another one beside it lets them alone.
        drop(LinuxPlatform::open(options.clone()).unwrap());
        assert_eq!(marked().len(), 4);
        platform.abandon();
        assert_eq!(marked().len(), 4);
        if is_ledger_lost {
            std::fs::remove_dir_all(&runtime_dir).unwrap();
        }
        // A child of another test holds the ledger's lock between its fork and its exec.
        let end = Instant::now() + Duration::from_secs(10);
        while !marked().is_empty() {
            let next = LinuxPlatform::open(options.clone()).unwrap();
            let remarks = next.remarks();
            assert!(Instant::now() < end, "{is_ledger_lost}: {remarks:?}");
        }
    }
    assert!(ip("rule show").contains("from 10.0.0.7 lookup 300"));
    assert!(ip("route show").contains("10.7.0.0/16 dev a0"));
}

#[test]
fn they_are_those_of_the_other_family_too() {
    let _wire = enter();
    let mut platform = open();
    let mut setup = setup(key(Family::Ipv6, 7), MacMode::Virtual, vip("fe80::100", 64));
    setup.routing = vec!["route 10.8.0.0/16 dev a0".parse().unwrap()];
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    assert_eq!(marked(), ["10.8.0.0/16 dev a0 scope link"]);
    give_up(&mut platform, &setup);
    assert_eq!(marked(), [""; 0]);
}
