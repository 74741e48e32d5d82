//! Ethernet controllers that do not let in everything, or fill in checksums; and small frames.

use vrrp_core::{Family, MacMode, State, VrConfig, VrSettings};
use vrrp_embassy::{Discard, Resources};

use crate::world::host::{Answers, Host, client, fast, own, vr};
use crate::world::nic::{MacFilter, Nic, assert_sums};
use crate::world::{World, wire};

const V4: &str = "10.0.0.80";
const V6: &str = "2001:db8::80";
const LINK_LOCAL: &str = "fe80::7:80";

/// A host that serves both addresses, behind a controller.
fn host(
    world: &mut World,
    number: u8,
    config: VrConfig<'_>,
    change: impl FnOnce(&mut Nic),
) -> Host {
    let host = Host::with_nic(world, number, change);
    host.serve(world, Some(V4), Some(V6));
    // The first one is preferred.
    let priority = 201 - number;
    host.insert(7, &[V4], priority, config);
    host.insert(7, &[LINK_LOCAL, V6], priority, config);
    host
}

fn last(answers: &Answers) -> u8 {
    *answers.borrow().last().expect("it has asked")
}

/// Asserts that a black hole is found for an address within ten seconds of the client's first request,
/// and that it is over with the first frame.
fn assert_found(filter: MacFilter, address: &str) {
    let mut world = World::new();
    let host = host(&mut world, 1, fast(), |nic| nic.filter = filter);
    world.run_ms(5_000);
    assert_eq!(host.control.reception().unheard, None);
    let answers = client(&mut world, 3, address);
    world.run_ms(8_000);
    assert_eq!(last(&answers), 0);
    let reception = host.control.reception();
    assert_eq!(reception.unheard, address.parse().ok());
    assert_eq!(reception.frames, 0);

    world
        .hub
        .set_nic(host.plug, |nic| nic.filter = MacFilter::None);
    world.run_ms(2_000);
    // No stack has the link-local address.
    assert_eq!(last(&answers), u8::from(address == V4));
    let reception = host.control.reception();
    assert_eq!(reception.unheard, None);
    assert!(reception.frames > 10);
}

#[test]
fn a_black_hole_is_found_within_ten_seconds() {
    assert_found(MacFilter::OwnAndGroups, V4);
    assert_found(MacFilter::Own, V4);
    // Its clients have a link-local address, as every host but those of embassy-net.
    assert_found(MacFilter::OwnAndGroups, LINK_LOCAL);
}

#[test]
fn a_controller_that_lets_everything_in_is_no_alarm() {
    let mut world = World::new();
    let host = host(&mut world, 1, fast(), |_| {});
    world.run_ms(20_000);
    assert_eq!(host.control.reception().unheard, None);
    let answers = [client(&mut world, 3, V4), client(&mut world, 4, V6)];
    for _ in 0..10 {
        world.run_ms(1_000);
        assert_eq!(host.control.reception().unheard, None);
    }
    assert!(answers.iter().all(|answers| last(answers) == 1));
}

/// With a driver that hands on what it is told, a controller hears what one without a filter hears.
#[test]
fn a_driver_that_is_told_makes_up_for_the_filter() {
    for filter in [MacFilter::OwnAndGroups, MacFilter::Own] {
        let mut world = World::new();
        let hosts = [1, 2].map(|number| {
            host(&mut world, number, fast(), |nic| {
                nic.filter = filter;
                nic.has_driver = true;
            })
        });
        let answers = [client(&mut world, 3, V4), client(&mut world, 4, V6)];
        world.run_ms(3_000);
        assert!(answers.iter().all(|answers| last(answers) == 1));
        for family in [Family::Ipv4, Family::Ipv6] {
            let key = vr(7, family);
            hosts[0].control.admin(|admin| admin.resign(key)).unwrap();
        }
        world.run_ms(3_000);
        assert!(answers.iter().all(|answers| last(answers) == 2));
        // Only as long as it is Active.
        for (host, expected) in hosts.iter().zip([0, 2]) {
            world.hub.set_nic(host.plug, |nic| {
                let unicast = nic.let_in.iter().filter(|mac| mac[0] & 1 == 0);
                assert_eq!(unicast.count(), expected);
            });
        }
    }
}

/// The way for controllers that cannot be told, and for stations of Wi-Fi: a frame of another MAC
/// passes in neither direction.
#[test]
fn with_the_interfaces_own_mac_no_controller_needs_help() {
    let mut world = World::new();
    let config = VrConfig {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..fast().settings
        },
        ..fast()
    };
    let filter = |nic: &mut Nic| nic.filter = MacFilter::OwnAndGroups;
    let hosts = [1, 2].map(|number| host(&mut world, number, config, filter));
    world.run_ms(1_000);
    let answers = [client(&mut world, 3, V4), client(&mut world, 4, V6)];
    world.run_ms(3_000);
    assert!(answers.iter().all(|answers| last(answers) == 1));
    assert_eq!(hosts[0].control.reception().unheard, None);

    // Neighbours learn of a move by announcements; embassy-net believes none before its entry is old.
    world.hub.set_cable(hosts[0].plug, false);
    world.run_ms(1_000);
    for family in [Family::Ipv4, Family::Ipv6] {
        assert_eq!(hosts[1].state(vr(7, family)), State::Active);
    }
    world.run_ms(62_000);
    assert!(answers.iter().all(|answers| last(answers) == 2));
    for sent in world.hub.sent.borrow().iter() {
        assert_eq!(wire::source_mac(&sent.frame)[0], 2, "only own MACs send");
    }
}

#[test]
fn checksums_are_left_to_a_controller_that_fills_them_in() {
    let mut world = World::new();
    let hosts = [1, 2].map(|number| host(&mut world, number, fast(), |nic| nic.fills_in = true));
    let answers = [client(&mut world, 3, V4), client(&mut world, 4, V6)];
    world.run_ms(3_000);
    assert!(answers.iter().all(|answers| last(answers) == 1));
    assert_eq!(hosts[1].state(vr(7, Family::Ipv4)), State::Backup);
    let sent = world.hub.sent.borrow();
    let ours = sent
        .iter()
        .filter(|s| hosts.iter().any(|host| host.plug == s.plug));
    let mut adverts = 0;
    for sent in ours {
        assert_sums(&sent.frame);
        adverts += usize::from(wire::is_advert(&sent.frame));
    }
    assert!(adverts > 10);
}

/// The length of the slots is what the stacks are told, and longer frames to them are lost alone.
#[test]
fn slots_are_as_long_as_there_is_memory() {
    use embassy_net::driver::Driver as _;
    let mut world = World::new();
    let device = world.hub.plug(1);
    let memory = Box::leak(Box::new(Resources::<1, 8, 1, 3, 590>::new()));
    let (control, stack, mut runner) = vrrp_embassy::new(device, own(1), memory, 1);
    assert_eq!(stack.capabilities().max_transmission_unit, 590);
    world.spawn(async move { runner.run().await });
    world.run_ms(10);
    let frame = |len: usize| {
        let mut frame = vec![0; len];
        frame[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
        frame[12..14].copy_from_slice(&[0x88, 0xb5]);
        frame
    };
    world.hub.inject(&frame(590));
    world.run_ms(10);
    assert_eq!(control.discards().count(Discard::NoRoom), 0);
    world.hub.inject(&frame(591));
    world.run_ms(10);
    assert_eq!(control.discards().count(Discard::NoRoom), 1);
}
