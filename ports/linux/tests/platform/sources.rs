//! The routes that come with an address, and the source of the host's own connections.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use vrrp_core::{Family, MacMode};
use vrrp_host::{Platform, Subject, VrSetup};
use vrrp_linux::LinuxPlatform;

use crate::common::*;

/// The source that the kernel chooses for an unbound socket.
fn source(to: &str) -> IpAddr {
    let to: SocketAddr = to.parse().unwrap();
    let any: IpAddr = match to {
        SocketAddr::V4(_) => [0; 4].into(),
        SocketAddr::V6(_) => [0_u16; 8].into(),
    };
    let socket = UdpSocket::bind((any, 0)).unwrap();
    socket.connect(to).unwrap();
    socket.local_addr().unwrap().ip()
}

fn virtual_router(mac_mode: MacMode, vips: &[(&str, u8)]) -> VrSetup {
    let vip = |&(ip, len): &(&str, u8)| (vip(ip, len), None);
    let addresses: Vec<_> = vips.iter().map(vip).collect();
    let family = Family::of(addresses[0].0.address);
    VrSetup {
        addresses,
        ..setup(key(family, 7), mac_mode, crate::common::vip("::", 64))
    }
}

//= RFC 6724 section 5, rule 3: prefer an address that is not deprecated
#[test]
fn a_virtual_address_is_no_source_unless_a_socket_is_bound_to_it() {
    let _wire = enter();
    // Own addresses that every other rule puts after the virtual ones: longer prefixes in common
    // with the destination, and the same interface.
    ip("address add 2001:db8:1::2/64 dev a0 nodad");
    let patience = Instant::now() + Duration::from_secs(10);
    while ip("-6 address show dev a0 tentative").contains("fe80") {
        assert!(Instant::now() < patience, "duplicate address detection");
        std::thread::sleep(Duration::from_millis(20));
    }
    ip("route add default via 10.0.0.1");
    ip("route add 2001:db8::/32 via 2001:db8:1::1");
    ip("route add 10.8.0.0/16 dev a0");
    let v6 = [
        ("fe80::100", 64),
        ("2001:db8:1::100", 64),
        ("2001:db8:2::100", 128),
    ];
    let v4 = [("10.0.0.100", 24), ("10.0.0.101", 32), ("10.8.0.100", 16)];
    for mac_mode in [MacMode::Interface, MacMode::Virtual] {
        let mut platform = open();
        let setups = [virtual_router(mac_mode, &v4), virtual_router(mac_mode, &v6)];
        for setup in &setups {
            platform.prepare(setup).unwrap();
            take_up(&mut platform, setup);
        }
        let own = |to| (source(to), mac_mode);
        let (ipv4, ipv6): (IpAddr, IpAddr) = (
            [10, 0, 0, 2].into(),
            "2001:db8:1::2"
                .parse::<std::net::Ipv6Addr>()
                .unwrap()
                .into(),
        );
        for to in ["10.0.0.9:9", "192.0.2.9:9", "10.8.0.9:9"] {
            assert_eq!(own(to), (ipv4, mac_mode), "{to}");
        }
        for to in ["[2001:db8:1::109]:9", "[2001:db8:2::101]:9"] {
            assert_eq!(own(to), (ipv6, mac_mode), "{to}");
        }
        let index = ip("-o link show dev a0");
        let index = index.split(':').next().unwrap();
        let link_local = own(&format!("[fe80::101%{index}]:9")).0;
        assert_eq!(link_local.to_string(), "fe80::ff:fe00:1");
        // Bound, it is.
        for vip in ["10.0.0.100", "2001:db8:1::100"] {
            let vip: IpAddr = vip.parse().unwrap();
            assert_eq!(
                UdpSocket::bind((vip, 0))
                    .unwrap()
                    .local_addr()
                    .unwrap()
                    .ip(),
                vip
            );
        }
        for setup in &setups {
            give_up(&mut platform, setup);
        }
    }
}

/// A neighbour can only be answered on its link if the link has a route.
#[test]
fn a_link_local_address_brings_the_route_of_its_link_and_takes_it_away() {
    let _wire = enter();
    let mut platform = open();
    let routes = |device: &str| {
        let routes = ip(&format!("-6 route show dev {device}"));
        routes
            .lines()
            .filter(|l| l.starts_with("fe80::/64"))
            .count()
    };
    for prefix_len in [64, 10, 128] {
        let setup = virtual_router(MacMode::Virtual, &[("fe80::100", prefix_len)]);
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        let name = platform.mac_interface(setup.key).unwrap();
        assert_eq!(routes(&name), 1);
        // Only the address goes, and comes back.
        let address = setup.addresses[0].0;
        for on in [false, true] {
            platform.set_address(setup.key, address, true, on).unwrap();
            assert_eq!(routes(&name), usize::from(on), "on: {on}");
        }
        give_up(&mut platform, &setup);
        assert_eq!(routes(&name), 0);
        platform.release(setup.key);
        let setup = virtual_router(MacMode::Interface, &[("fe80::100", prefix_len)]);
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        give_up(&mut platform, &setup);
        platform.release(setup.key);
        assert_eq!(routes("a0"), 1, "the interface's own route");
    }
}

/// The host's own address goes and comes back while a virtual one of its subnet is there: the kernel
/// takes the first address of a subnet for its source and its route, and removes the others with it.
#[test]
fn an_own_address_that_comes_back_is_first_again_and_stays() {
    for promote in ["0", "1"] {
        let _wire = enter();
        set("ipv4/conf/a0/promote_secondaries", promote);
        ip("address add 10.5.0.2/24 dev a0");
        ip("route add default via 10.0.0.9");
        let setup = virtual_router(
            MacMode::Interface,
            &[("10.0.0.100", 24), ("10.0.0.101", 24), ("10.0.1.100", 24)],
        );
        let vips = ["10.0.0.100", "10.0.0.101", "10.0.1.100"];
        let mut platform = open();
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        assert!(ip("address show dev a0").contains("10.0.0.100/24"));
        assert!(ip("address show dev a0").contains("10.0.1.100/32"));
        let settle = |platform: &mut vrrp_linux::LinuxPlatform| {
            // The host puts back what was lost.
            for failure in lost(&receive(platform, SOON)) {
                let vrrp_core::Failure::Address { address, .. } = failure else {
                    panic!("{failure:?}");
                };
                let mut addresses = setup.addresses.iter();
                let (address, _) = addresses.find(|(a, _)| a.address == address).unwrap();
                platform
                    .set_address(setup.key, *address, true, true)
                    .unwrap();
            }
            receive(platform, SOON);
        };
        // With a pause between the two, and at once.
        for pause in [true, false] {
            ip("address del 10.0.0.2/24 dev a0");
            if pause {
                settle(&mut platform);
                assert_eq!(source("10.5.0.9:9"), IpAddr::from([10, 5, 0, 2]));
            }
            ip("address add 10.0.0.2/24 dev a0");
            settle(&mut platform);
            for to in ["10.0.0.9:9", "192.0.2.9:9"] {
                let case = format!("promote {promote}, pause {pause}, {to}");
                assert_eq!(source(to), IpAddr::from([10, 0, 0, 2]), "{case}");
            }
            assert!(ip("route show").contains("10.0.0.0/24 dev a0"));
            let shown = ip("address show dev a0");
            assert!(vips.iter().all(|vip| shown.contains(vip)), "{shown}");
        }
        assert_eq!(setting("ipv4/conf/a0/promote_secondaries"), promote);
        give_up(&mut platform, &setup);
        let shown = ip("address show dev a0");
        assert!(
            shown.contains("10.0.0.2/24") && shown.contains("10.5.0.2/24"),
            "{shown}"
        );
        assert!(!vips.iter().any(|vip| shown.contains(vip)), "{shown}");
    }
}

#[test]
fn an_address_that_goes_takes_no_other_with_it() {
    for mode in [MacMode::Virtual, MacMode::Interface] {
        let wire = enter();
        let vips = [("10.0.0.100", 24), ("10.0.0.101", 24), ("10.0.0.102", 24)];
        let setup = virtual_router(mode, &vips);
        let mut platform = open();
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        receive(&mut platform, SOON);
        for gone in 0..2 {
            let address = setup.addresses[gone].0;
            platform
                .set_address(setup.key, address, true, false)
                .unwrap();
            assert_eq!(ask(&wire, [10, 0, 0, 102]).len(), 1, "{mode:?}");
            assert_eq!(lost(&receive(&mut platform, SOON)), []);
        }
    }
}

#[test]
fn an_address_by_hand_is_a_warning_while_it_is_not_served() {
    let _wire = enter();
    let mut platform = open();
    let setup = virtual_router(MacMode::Interface, &[("10.0.0.100", 24)]);
    platform.prepare(&setup).unwrap();
    let said = |platform: &LinuxPlatform| {
        let mut list = Vec::new();
        platform.warnings(&mut list);
        list.retain(|warning| warning.text.contains("10.0.0.100 by itself"));
        list
    };
    receive(&mut platform, SOON);
    assert_eq!(said(&platform), []);
    ip("address add 10.0.0.100/32 dev lo");
    receive(&mut platform, SOON);
    let told = said(&platform);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].subject, Subject::VirtualRouter(setup.key));
    assert!(told[0].text.starts_with("lo has "), "{told:?}");
    ip("address del 10.0.0.100/32 dev lo");
    receive(&mut platform, SOON);
    assert_eq!(said(&platform), []);
    // Our own is none.
    take_up(&mut platform, &setup);
    receive(&mut platform, SOON);
    assert_eq!(said(&platform), []);
}

/// The devices of the routes to a network, in the order in which the kernel takes them.
fn routes(network: &str) -> Vec<String> {
    let family = if network.contains(':') { "-6" } else { "-4" };
    let shown = ip(&format!("{family} route show {network}"));
    let device = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip_while(|w| *w != "dev");
        words.nth(1).unwrap_or_default().to_owned()
    };
    shown.lines().map(device).collect()
}

#[test]
fn an_address_in_a_network_of_its_own_brings_the_route() {
    let _wire = enter();
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        for (vips, network) in [
            (
                &[("192.168.50.1", 24), ("192.168.50.2", 24)][..],
                "192.168.50.0/24",
            ),
            (&[("fe80::1", 64), ("fd00:50::1", 64)], "fd00:50::/64"),
        ] {
            let mut platform = open();
            let setup = virtual_router(mac_mode, vips);
            platform.prepare(&setup).unwrap();
            take_up(&mut platform, &setup);
            platform.flush();
            let carrier = platform.mac_interface(setup.key);
            let carrier = carrier.unwrap_or_else(|| "a0".into());
            assert_eq!(routes(network), [carrier.as_str()], "{mac_mode:?}");
            if setup.key.family == Family::Ipv4 {
                // A reload takes the one that was there first.
                let (first, key) = (setup.addresses[0].0, setup.key);
                platform.set_address(key, first, true, false).unwrap();
                platform.flush();
                assert_eq!(routes(network), [carrier.as_str()], "{mac_mode:?}");
            }
            give_up(&mut platform, &setup);
            assert_eq!(routes(network), [""; 0], "{mac_mode:?}");
        }
    }
}

#[test]
fn where_the_host_has_an_address_it_has_the_route() {
    let _wire = enter();
    ip("address add fd00:50::2/60 dev a0 nodad");
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        for (vips, network) in [
            (&[("10.0.0.100", 24)][..], "10.0.0.0/24"),
            // The host's network is the greater one.
            (&[("fe80::1", 64), ("fd00:50::1", 64)], "fd00:50::/60"),
            // A network of one address, and one that is all on the loopback.
            (&[("192.168.50.1", 32)], "192.168.50.1/32"),
        ] {
            let mut platform = open();
            let setup = virtual_router(mac_mode, vips);
            platform.prepare(&setup).unwrap();
            let before = ip("route show");
            let before6 = ip("-6 route show fd00:50::/60");
            take_up(&mut platform, &setup);
            platform.flush();
            assert_eq!(ip("route show"), before, "{network} {mac_mode:?}");
            assert_eq!(ip("-6 route show fd00:50::/60"), before6);
            assert_eq!(ip("-6 route show fd00:50::/64"), "");
            give_up(&mut platform, &setup);
        }
    }
    let mut platform = open();
    let mut on_loopback = virtual_router(MacMode::Interface, &[("192.168.60.1", 24)]);
    on_loopback.addresses[0].1 = Some("lo".into());
    platform.prepare(&on_loopback).unwrap();
    take_up(&mut platform, &on_loopback);
    platform.flush();
    assert_eq!(routes("192.168.60.0/24 table all"), [""; 0]);
}

#[test]
fn the_route_on_another_interface_comes_back_with_it_and_gives_way_to_the_hosts_own() {
    let _wire = enter();
    ip("link add c0 type veth peer name c1");
    ip("link set c1 up");
    ip("link set c0 up");
    let mut platform = open();
    let mut setup = virtual_router(MacMode::Virtual, &[("192.168.60.1", 24)]);
    setup.addresses[0].1 = Some("c0".into());
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    platform.flush();
    let network = "192.168.60.0/24";
    assert_eq!(routes(network), ["c0"]);
    ip("link set c0 down");
    receive(&mut platform, SOON);
    assert_eq!(routes(network), [""; 0]);
    ip("link set c0 up");
    receive(&mut platform, SOON);
    assert_eq!(routes(network), ["c0"]);
    // Later, as where an interface is set up slowly.
    ip("address add 192.168.60.77/24 dev c0");
    receive(&mut platform, SOON);
    assert_eq!(source("192.168.60.9:9"), IpAddr::from([192, 168, 60, 77]));
    give_up(&mut platform, &setup);
    assert_eq!(source("192.168.60.9:9"), IpAddr::from([192, 168, 60, 77]));
    assert!(ip("address show dev c0").contains("192.168.60.77/24"));
}
