//! Sysctls that make an address unreachable, set by others before us or meanwhile.

use std::time::{Duration, Instant};

use vrrp_core::{Family, MacAddr, MacMode};
use vrrp_host::{Platform, VrSetup};
use vrrp_linux::LinuxPlatform;

use crate::common::*;

/// Longer than the time between two looks at what the kernel gives no notice of.
const LOOK: Duration = Duration::from_millis(1_500);

/// The same wire, and the one beyond the router that this namespace is.
fn enter_router() -> (RawPort, RawPort) {
    let wire = enter();
    for scope in ["all", "default"] {
        set(&format!("ipv4/conf/{scope}/rp_filter"), "0");
    }
    ip("link add f0 type veth peer name f1");
    ip("link set f0 up");
    ip("link set f1 up");
    wait_up("f0");
    ip("address add 10.7.0.1/24 dev f0");
    ip("neigh add 10.7.0.5 lladdr 02:00:00:00:00:55 dev f0");
    let far = RawPort::open("f1").unwrap();
    (wire, far)
}

/// Whether a packet to `mac` is forwarded from one wire to the other.
fn is_forwarded((wire, far): &(RawPort, RawPort), mac: MacAddr) -> bool {
    far.hear(Duration::ZERO).unwrap();
    wire.send(&echo_request(mac, [10, 7, 0, 5])).unwrap();
    let heard = far.hear(Duration::from_millis(30)).unwrap();
    heard.iter().any(|f| f[12..14] == [8, 0] && f[23] == 1)
}

/// A virtual router that takes no packets for itself, and has taken up its MAC and its address.
fn gateway(platform: &mut LinuxPlatform, accept: bool) -> (VrSetup, String) {
    let mut setup = seven(MacMode::Virtual);
    setup.accept = accept;
    platform.prepare(&setup).unwrap();
    take_up(platform, &setup);
    let name = platform.mac_interface(setup.key).unwrap();
    (setup, name)
}

fn warnings(platform: &LinuxPlatform) -> Vec<String> {
    let mut list = Vec::new();
    platform.warnings(&mut list);
    list.into_iter().map(|warning| warning.text).collect()
}

#[test]
fn packets_to_the_virtual_mac_pass_every_reverse_path_filter() {
    for accept in [true, false] {
        let wires = enter_router();
        set("ipv4/conf/all/forwarding", "1");
        for before in ["0", "1", "2"] {
            set("ipv4/conf/a0/rp_filter", before);
            let mut platform = open();
            let (setup, name) = gateway(&mut platform, accept);
            let mac = setup.key.virtual_mac();
            assert!(
                is_forwarded(&wires, mac),
                "accept {accept}, {before} before"
            );
            for (interface, others) in [("all", 3), ("a0", 3), (name.as_str(), 3), ("all", 1)] {
                for value in (0..others).rev() {
                    set(
                        &format!("ipv4/conf/{interface}/rp_filter"),
                        &value.to_string(),
                    );
                    receive(&mut platform, SOON);
                    let passes = is_forwarded(&wires, mac);
                    assert!(passes, "accept {accept}, {interface} {value}");
                }
                assert!(warnings(&platform).is_empty());
            }
            give_up(&mut platform, &setup);
            assert!(!is_forwarded(&wires, mac), "it should be deaf");
        }
    }
}

#[test]
fn a_macvlan_forwards_as_the_interface_below_it() {
    let wires = enter_router();
    set("ipv4/ip_forward", "0");
    for before in ["0", "1"] {
        set("ipv4/conf/a0/forwarding", before);
        let mut platform = open();
        let (setup, name) = gateway(&mut platform, false);
        let mac = setup.key.virtual_mac();
        assert_eq!(is_forwarded(&wires, mac), before == "1");
        for on in ["1", "0", "1", "1", "0"] {
            set("ipv4/conf/a0/forwarding", on);
            receive(&mut platform, SOON);
            assert_eq!(is_forwarded(&wires, mac), on == "1", "while it is master");
            let warned = warnings(&platform).concat().contains("a0.forwarding is 0");
            assert_eq!(warned, on == "0");
            // Of the macvlan itself, by somebody.
            set(&format!("ipv4/conf/{name}/forwarding"), "0");
            receive(&mut platform, SOON);
            assert_eq!(is_forwarded(&wires, mac), on == "1", "put back");
        }
        set("ipv4/ip_forward", "1");
        receive(&mut platform, SOON);
        assert!(is_forwarded(&wires, mac));
        set("ipv4/ip_forward", "0");
    }
}

#[test]
fn a_macvlan_of_ipv6_forwards_as_the_interface_below_it() {
    let _wire = enter();
    for on in ["0", "1"] {
        set("ipv6/conf/a0/forwarding", on);
        let mut platform = open();
        let setup = setup(key(Family::Ipv6, 7), MacMode::Virtual, vip("fe80::100", 64));
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        let name = platform.mac_interface(setup.key).unwrap();
        let forwarding = format!("ipv6/conf/{name}/forwarding");
        assert_eq!(setting(&forwarding), on);
        for other in ["1", "0"] {
            set("ipv6/conf/a0/forwarding", other);
            receive(&mut platform, SOON);
            assert_eq!(setting(&forwarding), other);
        }
        assert_eq!(setting(&format!("ipv6/conf/{name}/accept_ra")), "0");
        set(&format!("ipv6/conf/{name}/accept_ra"), "2");
        // Until the next look it says so.
        let patience = Instant::now() + Duration::from_secs(5);
        while !warnings(&platform)
            .concat()
            .contains("accept_ra was set to 2")
        {
            assert!(Instant::now() < patience);
            receive(&mut platform, SOON);
        }
        assert_eq!(setting(&format!("ipv6/conf/{name}/accept_ra")), "0");
        receive(&mut platform, LOOK);
        assert!(warnings(&platform).is_empty());
    }
}

/// Requests that the kernel does not answer come to the host, which does, and nobody answers twice.
#[test]
fn requests_that_the_kernel_is_told_to_ignore_come_to_the_host() {
    for mode in [MacMode::Virtual, MacMode::Interface] {
        let wire = enter();
        let setup = seven(mode);
        let mut platform = open();
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        let mac = match mode {
            MacMode::Virtual => setup.key.virtual_mac(),
            MacMode::Interface => OWN,
        };
        let request = arp_request(V4);
        let heard = |platform: &mut LinuxPlatform| {
            wire.send(&request).unwrap();
            let comes = frames(receive(platform, SOON)).contains(&request);
            (ask(&wire, V4), comes)
        };
        assert_eq!(heard(&mut platform), (vec![(mac, mac)], false), "{mode:?}");
        for (name, value) in [
            ("arp_filter", "1"),
            ("arp_ignore", "2"),
            ("arp_ignore", "8"),
        ] {
            let path = format!("ipv4/conf/all/{name}");
            set(&path, value);
            receive(&mut platform, LOOK);
            let (answers, comes) = heard(&mut platform);
            assert!(comes, "{mode:?}, {name} {value}");
            // One on the interface itself is answered by the kernel where it can be.
            if mode == MacMode::Virtual || value == "8" {
                assert_eq!(answers, [], "{mode:?}, {name} {value}");
            }
            let warned = warnings(&platform).concat();
            let cause = format!("net.ipv4.conf.all.{name} is {value}: ");
            let warns = mode == MacMode::Virtual || value == "8";
            assert_eq!(warned.starts_with(&cause), warns, "{warned}");
            // As it was found at the start.
            give_up(&mut platform, &setup);
            drop(platform);
            platform = open();
            platform.prepare(&setup).unwrap();
            take_up(&mut platform, &setup);
            assert!(
                heard(&mut platform).1,
                "{mode:?}, {name} {value} at the start"
            );
            set(&path, "0");
            receive(&mut platform, LOOK);
            assert_eq!(heard(&mut platform), (vec![(mac, mac)], false), "{mode:?}");
            assert!(warnings(&platform).is_empty());
        }
    }
}

/// A macvlan reaches its neighbours by the interface below it, so that a proxy would answer for all
/// of them.
#[test]
fn the_virtual_mac_is_no_proxy_for_the_neighbours() {
    let wire = enter();
    set("ipv4/ip_forward", "1");
    let mut platform = open();
    let setup = seven(MacMode::Virtual);
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, [10, 0, 0, 7]), []);
    set("ipv4/conf/all/proxy_arp", "1");
    receive(&mut platform, SOON);
    assert_eq!(ask(&wire, [10, 0, 0, 7]), []);
    assert_eq!(ask(&wire, V4).len(), 1);
}

#[test]
fn the_interfaces_own_mac_answers_for_no_virtual_one_whoever_wants_it() {
    let wire = enter();
    let mut platform = open();
    let setup = seven(MacMode::Virtual);
    let mac = setup.key.virtual_mac();
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    let name = platform.mac_interface(setup.key).unwrap();
    for (interface, sysctl, value) in [
        ("a0", "arp_ignore", "0"),
        ("a0", "arp_announce", "0"),
        ("a0", "arp_ignore", "3"),
        (&name, "arp_ignore", "0"),
        (&name, "arp_filter", "1"),
        (&name, "arp_announce", "1"),
        (&name, "medium_id", "0"),
    ] {
        let path = format!("ipv4/conf/{interface}/{sysctl}");
        let good = setting(&path);
        set(&path, value);
        receive(&mut platform, LOOK);
        assert_eq!(setting(&path), good, "{path} {value}");
        assert_eq!(ask(&wire, V4), [(mac, mac)], "{path} {value}");
    }
    // This cannot be helped: the kernel takes the greater value.
    set("ipv4/conf/all/arp_ignore", "3");
    receive(&mut platform, LOOK);
    let warned = warnings(&platform).concat();
    assert!(
        warned.contains("all.arp_ignore is 3: interfaces answer ARP"),
        "{warned}"
    );
    set("ipv4/conf/all/arp_ignore", "0");
    drop(platform);
    assert_eq!(setting("ipv4/conf/a0/arp_ignore"), "0");
    assert_eq!(setting("ipv4/conf/a0/arp_announce"), "0");
}

/// The address of a macvlan that has no other is nobody else's business, and goes with its cause.
#[test]
fn a_macvlan_without_addresses_has_one_that_nobody_sees() {
    let wire = enter();
    let mut platform = open();
    let (mut setup, name) = gateway(&mut platform, false);
    let shown = |name: &str| ip(&format!("-4 -o address show dev {name}"));
    let filler = shown(&name);
    assert!(
        filler.contains(" 127.112.") && filler.contains("scope host"),
        "{filler}"
    );
    let address: std::net::Ipv4Addr = {
        let text = filler.split_ascii_whitespace().nth(3).unwrap();
        text.split('/').next().unwrap().parse().unwrap()
    };
    assert_eq!(ask(&wire, address.octets()), []);
    // Somebody takes it away.
    ip(&format!("address flush dev {name}"));
    receive(&mut platform, LOOK);
    assert_eq!(shown(&name), filler);
    // From now on packets are accepted.
    setup.accept = true;
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    assert!(shown(&name).contains("10.0.0.100/24") && !shown(&name).contains("127."));
    setup.accept = false;
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    assert_eq!(shown(&name), filler);
    give_up(&mut platform, &setup);
    assert_eq!(shown(&name), "");
}

#[test]
fn ipv6_that_somebody_takes_from_a_macvlan_comes_back_with_the_address() {
    let wire = enter();
    let mut platform = open();
    let setup = setup(key(Family::Ipv6, 7), MacMode::Virtual, vip("fe80::100", 64));
    let mac = setup.key.virtual_mac();
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    let name = platform.mac_interface(setup.key).unwrap();
    set(&format!("ipv6/conf/{name}/disable_ipv6"), "1");
    assert_eq!(lost(&receive(&mut platform, SOON)).len(), 1);
    let address = setup.addresses[0].0;
    platform
        .set_address(setup.key, address, true, true)
        .unwrap();
    assert_eq!(solicit(&wire, "fe80::100"), [(mac, mac)]);
}
