//! Hosts elect, fail and come back, and clients follow the service.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;

use embassy_time::Instant;
use vrrp_core::{Family, Priority, Reason, State};

use crate::world::host::{Answers, Host, client, fast, own, vr};
use crate::world::{World, wire};

const V4: &str = "10.0.0.80";
const V6: &str = "2001:db8::80";
const LINK_LOCAL: &str = "fe80::7:80";

fn pair(world: &mut World) -> (Host, Host) {
    let hosts = [(1, 200), (2, 100)].map(|(number, priority)| {
        let host = Host::new(world, number);
        host.serve(world, Some(V4), Some(V6));
        host.insert(7, &[V4], priority, fast());
        host.insert(7, &[LINK_LOCAL, V6], priority, fast());
        host
    });
    hosts.into()
}

fn last(answers: &Answers) -> u8 {
    *answers.borrow().last().expect("it has asked")
}

/// Nothing that speaks for a virtual address names another MAC than the virtual one, and nothing that
/// goes there has another.
fn assert_macs(world: &World) {
    let expected = [
        (V4, vr(7, Family::Ipv4)),
        (V6, vr(7, Family::Ipv6)),
        (LINK_LOCAL, vr(7, Family::Ipv6)),
    ];
    let mut seen = 0;
    for sent in world.hub.sent.borrow().iter() {
        let to = wire::destination(&sent.frame).map(|to| (to, wire::destination_mac(&sent.frame)));
        for (address, mac) in wire::claims(&sent.frame).into_iter().chain(to) {
            for (text, key) in &expected {
                if address == text.parse::<IpAddr>().unwrap() {
                    assert_eq!(mac, key.virtual_mac().0, "{address} at {} ms", sent.at_ms);
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 10);
}

#[test]
fn a_pulled_cable_and_its_return() {
    let mut world = World::new();
    let (a, b) = pair(&mut world);
    let clients = [client(&mut world, 3, V4), client(&mut world, 4, V6)];
    let keys = [Family::Ipv4, Family::Ipv6].map(|family| vr(7, family));
    // Three intervals of 100 ms, and (256 - 200) / 256 of one.
    let took = world.run_until(1_000, || a.state(keys[0]) == State::Active);
    assert!((321..=323).contains(&took), "{took} ms");
    world.run_ms(1_500);
    for (key, answers) in keys.iter().zip(&clients) {
        assert_eq!(
            (a.state(*key), b.state(*key)),
            (State::Active, State::Backup)
        );
        assert_eq!(last(answers), 1);
    }

    world.hub.set_cable(a.plug, false);
    let took = world.run_until(1_000, || {
        keys.iter().all(|key| b.state(*key) == State::Active)
    });
    assert!((260..=362).contains(&took), "{took} ms");
    world.run_ms(300);
    for (key, answers) in keys.iter().zip(&clients) {
        let status = a.control.status(*key).unwrap();
        assert_eq!(
            (status.state, status.reason),
            (State::Initialize, Reason::InterfaceDown)
        );
        assert_eq!(last(answers), 2);
    }

    world.hub.set_cable(a.plug, true);
    world.run_ms(1_000);
    for (key, answers) in keys.iter().zip(&clients) {
        assert_eq!(
            (a.state(*key), b.state(*key)),
            (State::Active, State::Backup)
        );
        assert_eq!(last(answers), 1);
    }
    assert_macs(&world);
}

#[test]
fn a_healed_partition_leaves_one() {
    let mut world = World::new();
    let (a, b) = pair(&mut world);
    let answers = client(&mut world, 3, V4);
    world.run_ms(1_500);
    world.hub.set_side(a.plug, true);
    world.hub.parted.set(true);
    world.run_ms(1_000);
    let key = vr(7, Family::Ipv4);
    assert_eq!((a.state(key), b.state(key)), (State::Active, State::Active));
    assert_eq!(last(&answers), 2);
    world.hub.parted.set(false);
    world.run_ms(300);
    assert_eq!((a.state(key), b.state(key)), (State::Active, State::Backup));
    assert_eq!(last(&answers), 1);
    assert_macs(&world);
}

#[test]
fn a_graceful_stop_loses_nothing_that_was_resolved() {
    let mut world = World::new();
    let (a, b) = pair(&mut world);
    let answers = client(&mut world, 3, V4);
    world.run_ms(1_500);
    answers.borrow_mut().clear();
    let key = vr(7, Family::Ipv4);
    a.control.admin(|admin| admin.remove(key)).unwrap();
    world.run_ms(500);
    assert_eq!(a.control.status(key), None);
    assert_eq!(b.state(key), State::Active);
    assert_eq!(last(&answers), 2);
    let sent = world.hub.sent.borrow();
    let adverts = sent.iter().filter(|s| s.plug == a.plug && s.frame[12] == 8);
    let mut adverts = adverts.filter(|s| wire::is_advert(&s.frame));
    assert_eq!(
        adverts.next_back().map(|s| wire::priority(&s.frame)),
        Some(0)
    );
    // The successor asks for the client's MAC once.
    let lost = answers.borrow().iter().filter(|&&who| who == 0).count();
    assert!(lost <= 1, "{lost}");
}

#[test]
fn the_handle_rules_and_tells() {
    let mut world = World::new();
    let (a, b) = pair(&mut world);
    world.run_ms(1_000);
    let key = vr(7, Family::Ipv4);
    let told = Rc::new(Cell::new(0));
    // As many tasks as can wait at once.
    for _ in 0..8 {
        let (count, handle) = (told.clone(), b.control);
        world.spawn(async move {
            loop {
                handle.wait_for_change().await;
                count.set(count.get() + 1);
            }
        });
    }
    world.run_ms(1_000);
    assert_eq!(told.get(), 0);
    a.control.admin(|admin| admin.resign(key)).unwrap();
    world.run_ms(300);
    assert_eq!((a.state(key), b.state(key)), (State::Backup, State::Active));
    assert_eq!(told.get(), 8);
    b.control
        .admin(|admin| admin.set_priority(key, Priority::new(50)))
        .unwrap();
    a.control
        .admin(|admin| admin.set_priority(key, None))
        .unwrap();
    world.run_ms(500);
    assert_eq!((a.state(key), b.state(key)), (State::Active, State::Backup));
    assert_eq!(told.get(), 16);
    let statistics = b.control.statistics(key).unwrap();
    assert_eq!(statistics.active_transitions, 1);
    assert!(statistics.adverts_received > 0);

    a.control
        .admin(|admin| admin.set_enabled(key, false))
        .unwrap();
    world.run_ms(500);
    assert_eq!(b.state(key), State::Active);
    a.control
        .admin(|admin| admin.set_enabled(key, true))
        .unwrap();
    world.run_ms(1_000);
    assert_eq!(a.state(key), State::Active);
}

#[test]
fn the_link_of_a_service_is_up_while_it_is_served() {
    let mut world = World::new();
    let host = Host::new(&mut world, 1);
    let service = host.serve(&mut world, Some(V4), None);
    host.insert(7, &[V4], 100, fast());
    let up_at = Rc::new(Cell::new(0));
    let at = up_at.clone();
    world.spawn(async move {
        service.wait_link_up().await;
        at.set(Instant::now().as_millis());
    });
    world.run_ms(1_000);
    assert!((360..=362).contains(&up_at.get()), "{}", up_at.get());
    assert!(host.own.is_link_up());
    world.hub.set_cable(host.plug, false);
    world.run_ms(10);
    assert!(!service.is_link_up() && !host.own.is_link_up());
}

#[test]
fn own_addresses_may_come_late_and_go() {
    let mut world = World::new();
    let host = Host::new(&mut world, 1);
    let key = vr(7, Family::Ipv4);
    let mut addresses = own(1);
    addresses.ipv4 = None;
    host.control.set_own_addresses(addresses);
    host.insert(7, &[V4], 100, fast());
    world.run_ms(1_000);
    let status = host.control.status(key).unwrap();
    assert_eq!(
        (status.state, status.reason),
        (State::Initialize, Reason::NoPrimaryAddress)
    );
    host.control.set_own_addresses(own(1));
    world.run_ms(1_000);
    assert_eq!(host.state(key), State::Active);
}

#[test]
fn two_services_on_two_stacks_move_apart() {
    let mut world = World::new();
    let hosts = [1, 2].map(|number| {
        let host = Host::new(&mut world, number);
        for vrid in [1, 2] {
            let address = format!("10.0.0.8{vrid}");
            host.serve(&mut world, Some(&address), None);
            let priority = if vrid == number { 200 } else { 100 };
            host.insert(vrid, &[&address], priority, fast());
        }
        assert!(host.control.stack_driver(None, None).is_none());
        host
    });
    let clients = [
        client(&mut world, 3, "10.0.0.81"),
        client(&mut world, 4, "10.0.0.82"),
    ];
    world.run_ms(2_500);
    assert_eq!(clients.each_ref().map(last), [1, 2]);
    world.hub.set_cable(hosts[0].plug, false);
    world.run_ms(1_000);
    assert_eq!(clients.each_ref().map(last), [2, 2]);
}
