//! Ethernet controllers that do not let in everything, or fill in checksums.

use std::net::IpAddr;

use vrrp_smoltcp::vrrp_core::wire::{arp, ndisc};
use vrrp_smoltcp::vrrp_core::{MacAddr, MacMode};

use crate::world::nic::{MacFilter, assert_sums};
use crate::world::{Vr, World, wire};

const V4: &str = "10.0.0.80";
const V6: &str = "2001:db8::80";

fn both() -> [Vr; 2] {
    [Vr::new(7, &[V4]), Vr::new(7, &["fe80::7:80", V6])]
}

/// One host with the virtual routers, whose controller filters, and a client.
fn filtered(filter: MacFilter, vrs: &[Vr]) -> World {
    let world = World::new(&[100], vrs);
    let plug = world.hosts[0].plug();
    world.hub.set_nic(plug, |nic| nic.filter = filter);
    world
}

/// Asserts that a black hole is found for an address within ten seconds of the client's first request,
/// and that it is over with the first frame.
fn assert_found(filter: MacFilter, vr: &Vr, address: &str) {
    let mut world = filtered(filter, std::slice::from_ref(vr));
    world.run_ms(1_000);
    assert_eq!(world.active(vr), 1);
    assert_eq!(world.hosts[0].vrrp.reception().unheard, None);
    assert!(!world.is_pinged(address));
    // smoltcp believes the unsolicited NA and does not ask, which others do.
    world.hub.carry(world.client.device.plug, request(address));
    world.run_ms(6_000);
    let reception = world.hosts[0].vrrp.reception();
    assert_eq!(reception.unheard, address.parse().ok());
    assert_eq!(reception.frames, 0);

    let plug = world.hosts[0].plug();
    world.hub.set_nic(plug, |nic| nic.filter = MacFilter::None);
    assert!(world.is_pinged(address));
    let reception = world.hosts[0].vrrp.reception();
    assert_eq!(reception.unheard, None);
    assert!(reception.frames > 0);
}

#[test]
fn a_black_hole_is_found_within_ten_seconds() {
    let [v4, v6] = both();
    assert_found(MacFilter::OwnAndGroups, &v4, V4);
    assert_found(MacFilter::Own, &v4, V4);
    assert_found(MacFilter::OwnAndGroups, &v6, V6);
}

/// Clients that are served, that only ask for a MAC, and that ask for nothing.
#[test]
fn a_controller_that_lets_everything_in_is_no_alarm() {
    for (vr, address) in both().iter().zip([V4, V6]) {
        let mut world = filtered(MacFilter::None, std::slice::from_ref(vr));
        world.run_ms(20_000);
        assert_eq!(world.hosts[0].vrrp.reception().unheard, None);
        assert_eq!(world.who(address), 1);
        for _ in 0..10 {
            world.hub.carry(world.client.device.plug, request(address));
            world.run_ms(1_000);
            assert_eq!(world.hosts[0].vrrp.reception().unheard, None);
        }
    }
}

/// The client's ARP request or NS for an address, of which it wants no more than the answer.
fn request(address: &str) -> Vec<u8> {
    let mac = MacAddr([2, 0, 0, 0, 0, 99]);
    let mut frame = [0; 86];
    let emitted = match address.parse().unwrap() {
        IpAddr::V4(target) => arp::emit_request(&mut frame, mac, [10, 0, 0, 99].into(), target),
        IpAddr::V6(target) => {
            let client = "2001:db8::99".parse().unwrap();
            ndisc::emit_solicitation(&mut frame, mac, client, target)
        }
    };
    frame[..emitted.unwrap().len].to_vec()
}

/// With a driver that hands on what it is told, a controller hears what one without a filter hears.
#[test]
fn a_driver_that_is_told_makes_up_for_the_filter() {
    for filter in [MacFilter::OwnAndGroups, MacFilter::Own] {
        let vrs = both();
        let mut world = World::new(&[200, 100], &vrs);
        for host in &world.hosts {
            world.hub.set_nic(host.plug(), |nic| {
                nic.filter = filter;
                nic.has_driver = true;
            });
        }
        world.run_ms(1_000);
        for (vr, address) in vrs.iter().zip([V4, V6]) {
            assert_eq!(world.active(vr), 1);
            assert_eq!(world.who(address), 1);
            assert!(world.is_pinged(address));
            let now = world.now;
            world.hosts[0].vrrp.admin(now).resign(vr.key()).unwrap();
            world.run_ms(1_000);
            assert_eq!(world.who(address), 2);
        }
        // Only as long as it is Active.
        for (host, expected) in world.hosts.iter().zip([0, 2]) {
            world.hub.set_nic(host.plug(), |nic| {
                let unicast = nic.let_in.iter().filter(|mac| mac[0] & 1 == 0);
                assert_eq!(unicast.count(), expected);
            });
        }
    }
}

#[test]
fn with_the_interfaces_own_mac_the_filter_does_not_matter() {
    for (mut vr, address) in both().into_iter().zip([V4, V6]) {
        vr.config.settings.mac_mode = MacMode::Interface;
        let mut world = filtered(MacFilter::OwnAndGroups, std::slice::from_ref(&vr));
        world.run_ms(1_000);
        assert_eq!(world.who(address), 1);
        world.run_ms(20_000);
        assert_eq!(world.hosts[0].vrrp.reception().unheard, None);
    }
}

#[test]
fn checksums_are_left_to_a_controller_that_fills_them_in() {
    let vrs = both();
    let mut world = World::new(&[200, 100], &vrs);
    for host in &world.hosts {
        world.hub.set_nic(host.plug(), |nic| nic.fills_in = true);
    }
    world.run_ms(1_000);
    for (vr, address) in vrs.iter().zip([V4, V6]) {
        assert_eq!(world.active(vr), 1);
        assert_eq!(world.who(address), 1);
        assert!(world.is_pinged(address));
    }
    let sent = world.hub.sent.borrow();
    let ours = sent
        .iter()
        .filter(|sent| sent.plug != world.client.device.plug);
    let mut adverts = 0;
    for sent in ours {
        assert_sums(&sent.frame);
        adverts += usize::from(wire::is_advert(&sent.frame));
    }
    assert!(adverts > 10);
}
