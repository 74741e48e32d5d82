//! Scarce resources, stuck devices and hostile frames.

use vrrp_core::{Error, Family, State, VirtualAddress, VrConfig, VrSettings};
use vrrp_embassy::Discard;

use crate::world::host::{Host, client, fast, vr};
use crate::world::{World, wire};

const V4: &str = "10.0.0.80";

/// Two hosts, the first the better one.
fn pair(world: &mut World) -> [Host; 2] {
    [(1, 200), (2, 100)].map(|(number, priority)| {
        let host = Host::new(world, number);
        host.serve(world, Some(V4), None);
        host.insert(7, &[V4], priority, fast());
        host
    })
}

#[test]
fn without_accept_mode_no_stack_is_needed() {
    let mut world = World::new();
    let host = Host::new(&mut world, 1);
    host.insert(
        7,
        &[V4],
        100,
        VrConfig {
            settings: VrSettings {
                accept: false,
                ..fast().settings
            },
            ..fast()
        },
    );
    let answers = client(&mut world, 3, V4);
    world.run_ms(2_000);
    assert!(answers.borrow().iter().all(|&who| who == 0));
    let discards = host.control.discards();
    assert!(discards.count(Discard::NotAccepted) > 10);
    let mac = vr(7, Family::Ipv4).virtual_mac().0;
    let asked = world.hub.sent.borrow();
    let arp = asked
        .iter()
        .filter(|s| s.frame[12..14] == [0x08, 0x06] && s.frame[21] == 2);
    assert!(arp.clone().count() > 0);
    assert!(arp.clone().all(|s| wire::source_mac(&s.frame) == mac));
}

/// They would have to be found in a neighbour table, which is the stack's.
#[test]
fn unicast_peers_are_refused_and_change_nothing() {
    let mut world = World::new();
    let host = Host::new(&mut world, 1);
    let address = V4.parse().unwrap();
    let service = VirtualAddress {
        address,
        prefix_len: 24,
    };
    let peers = ["10.0.0.2".parse().unwrap()];
    let config = VrConfig {
        addresses: &[service],
        peers: &peers,
        ..fast()
    };
    let key = vr(7, Family::Ipv4);
    assert_eq!(
        host.control.admin(|admin| admin.insert(key, &config)),
        Err(Error::NoPeers)
    );
    assert_eq!(host.control.status(key), None);

    host.insert(7, &[V4], 100, fast());
    assert_eq!(
        host.control.admin(|admin| admin.reconfigure(key, &config)),
        Err(Error::NoPeers)
    );
    world.run_ms(2_000);
    assert_eq!(host.state(key), State::Active);
}

/// A task that has nothing to do is not polled.
#[test]
fn a_host_sleeps_between_advertisements() {
    let mut world = World::new();
    let hosts = pair(&mut world);
    world.run_ms(20_000);
    assert_eq!(hosts[1].state(vr(7, Family::Ipv4)), State::Backup);
    let before = world.polls;
    world.run_ms(10_000);
    // A hundred advertisements: one poll to send each, and one to hear it.
    let polls = world.polls - before;
    assert!((200..=450).contains(&polls), "{polls}");
}

#[test]
fn a_flood_stops_neither_the_clock_nor_other_tasks() {
    let mut world = World::new();
    let host = Host::new(&mut world, 1);
    host.serve(&mut world, Some(V4), None);
    host.insert(7, &[V4], 100, fast());
    world.run_ms(1_000);
    let key = vr(7, Family::Ipv4);
    let before = host.control.statistics(key).unwrap().adverts_sent;
    // Broadcast that the host's own stack has to look at.
    let mut noise = vec![0xff; 6];
    noise.extend([2, 0, 0, 0, 0, 55, 0x08, 0x06]);
    noise.extend([0; 46]);
    for _ in 0..1_000 {
        for _ in 0..100 {
            world.hub.inject(&noise);
        }
        world.run_ms(1);
    }
    let sent = host.control.statistics(key).unwrap().adverts_sent - before;
    assert!((9..=11).contains(&sent), "{sent}");
}

#[test]
fn a_stack_that_does_not_run_harms_nobody_else() {
    let mut world = World::new();
    let hosts = [(1, 200), (2, 100)].map(|(number, priority)| {
        let host = Host::new(&mut world, number);
        host.insert(7, &[V4], priority, fast());
        host.serve(&mut world, Some("10.0.0.81"), None);
        host.insert(8, &["10.0.0.81"], priority, fast());
        host
    });
    // Its device is there, and nobody takes its frames.
    let _device = hosts[0]
        .control
        .stack_driver(V4.parse().ok(), None)
        .unwrap();
    let unheard = client(&mut world, 3, V4);
    let heard = client(&mut world, 4, "10.0.0.81");
    world.run_ms(3_000);
    assert_eq!(unheard.borrow().last(), Some(&0));
    assert_eq!(hosts[0].state(vr(7, Family::Ipv4)), State::Active);
    assert_eq!(hosts[0].state(vr(8, Family::Ipv4)), State::Active);
    assert!(hosts[0].control.discards().count(Discard::NoRoom) > 10);
    assert_eq!(heard.borrow().last(), Some(&1));
}

#[test]
fn a_stuck_transmitter_is_waited_for_asleep() {
    let mut world = World::new();
    let hosts = pair(&mut world);
    let key = vr(7, Family::Ipv4);
    world.run_ms(1_000);
    world.hub.set_deaf(hosts[1].plug, true);
    world.run_ms(1_000);
    assert_eq!(hosts[1].state(key), State::Backup);
    world.hub.set_deaf(hosts[0].plug, true);
    let before = world.polls;
    world.run_ms(1_000);
    assert!(world.polls - before < 100, "{}", world.polls - before);
    // The link goes: what was to be sent is not sent late.
    world.hub.set_cable(hosts[0].plug, false);
    world.run_ms(10);
    assert_eq!(hosts[0].state(key), State::Initialize);
    world.hub.set_deaf(hosts[0].plug, false);
    world.hub.set_deaf(hosts[1].plug, false);
    world.run_ms(1_000);
    assert_eq!(hosts[1].state(key), State::Active);
}

/// A frame that a stack has written while Active is not sent once that is over.
#[test]
fn what_waits_in_a_stuck_device_is_not_sent_late() {
    let mut world = World::new();
    let host = Host::new(&mut world, 1);
    host.serve(&mut world, Some(V4), None);
    host.insert(7, &[V4], 100, fast());
    let answers = client(&mut world, 3, V4);
    world.run_ms(2_000);
    assert_eq!(answers.borrow().last(), Some(&1));
    world.hub.set_deaf(host.plug, true);
    world.run_ms(100);
    let key = vr(7, Family::Ipv4);
    host.control
        .admin(|admin| admin.set_enabled(key, false))
        .unwrap();
    world.run_ms(400);
    assert_eq!(host.state(key), State::Initialize);
    let before = world.hub.sent.borrow().len();
    world.hub.set_deaf(host.plug, false);
    world.run_ms(1_000);
    let sent = world.hub.sent.borrow();
    let mut ours = sent[before..].iter().filter(|s| s.plug == host.plug);
    let mac = key.virtual_mac().0;
    assert!(ours.all(|s| wire::source_mac(&s.frame) != mac));
    assert!(host.control.discards().count(Discard::FromUnserved) > 0);
}

#[test]
fn damaged_frames_and_noise_change_nothing() {
    let mut world = World::new();
    let hosts = pair(&mut world);
    let answers = client(&mut world, 3, V4);
    world.run_ms(2_000);
    assert_eq!(answers.borrow().last(), Some(&1));
    let seeds: Vec<Vec<u8>> = {
        let sent = world.hub.sent.borrow();
        let harmless = sent.iter().filter(|s| !wire::is_advert(&s.frame));
        harmless.map(|s| s.frame.clone()).collect()
    };
    let mut random: u32 = 0x9e37_79b9;
    let mut below = |limit: usize| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        random as usize % limit
    };
    for _ in 0..10_000 {
        let mut frame = seeds[below(seeds.len())].clone();
        for _ in 0..1 + below(5) {
            let at = below(frame.len());
            frame[at] = below(256) as u8;
        }
        frame.truncate(1 + below(frame.len()) + below(2) * 200);
        world.hub.inject(&frame);
        world.settle();
    }
    world.run_ms(500);
    let key = vr(7, Family::Ipv4);
    assert_eq!(
        (hosts[0].state(key), hosts[1].state(key)),
        (State::Active, State::Backup)
    );
    let statistics = hosts[1].control.statistics(key).unwrap();
    assert_eq!(statistics.active_transitions, 0);
    // A neighbour whose MAC was forged in the client's table is asked again within a minute.
    world.run_ms(61_000);
    assert_eq!(answers.borrow().last(), Some(&1));
}

#[test]
fn the_administrator_is_not_called_from_within_a_call() {
    let mut world = World::new();
    let host = Host::new(&mut world, 1);
    host.insert(7, &[V4], 100, fast());
    let control = host.control;
    let key = vr(7, Family::Ipv4);
    let nested = control.admin(|_| control.admin(|admin| admin.resign(key)));
    assert_eq!(nested, Err(Error::InUse));
    assert_eq!(control.admin(|admin| admin.resign(key)), Ok(()));
}
