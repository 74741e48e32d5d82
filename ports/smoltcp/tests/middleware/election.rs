//! Hosts elect, fail and come back; a client asks every 10 ms and is answered.

use crate::world::{Vr, World, wire};
use vrrp_smoltcp::vrrp_core::{Auth, Family, Priority, State, Version, VrConfig, VrSettings};

const V4: &str = "10.0.0.80";
const V6: &str = "2001:db8::80";

fn v2() -> Vr {
    use vrrp_smoltcp::vrrp_core::AdvertInterval;
    let mut vr = Vr::new(7, &[V4]);
    vr.config = VrConfig {
        settings: VrSettings {
            version: Version::V2,
            auth: Auth::Simple(*b"s3cret\0\0"),
            advert_interval: AdvertInterval::from_secs(1).unwrap(),
            ..vr.config.settings
        },
        ..vr.config
    };
    vr
}

fn v3() -> Vr {
    Vr::new(7, &[V4])
}

fn v6() -> Vr {
    Vr::new(7, &["fe80::7:80", V6])
}

/// The interval in ms, and the address that the client asks.
fn each(story: impl Fn(Vr, u64, &str)) {
    story(v3(), 100, V4);
    story(v6(), 100, V6);
    story(v2(), 1_000, V4);
}

/// Longest row of questions without an answer.
fn longest_silence(answers: &[u8]) -> usize {
    answers
        .split(|&who| who != 0)
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}

#[test]
fn alone_it_serves_after_the_down_interval_to_the_microsecond() {
    let vr = Vr {
        config: VrConfig {
            settings: VrSettings {
                accept: true,
                ..VrSettings::DEFAULT
            },
            ..VrConfig::DEFAULT
        },
        ..v3()
    };
    let mut world = World::new(&[100], std::slice::from_ref(&vr));
    world.run_ms(4_000);
    assert_eq!(world.active(&vr), 1);
    let status = world.hosts[0].vrrp.status(vr.key()).unwrap();
    // Three intervals of a second, and (256 - 100) / 256 of one.
    assert_eq!(status.since.as_micros(), 3_609_375);
    assert!(world.hosts[0].has(V4));
    assert_eq!(world.who(V4), 1);
    assert!(world.is_pinged(V4));
}

#[test]
fn a_pulled_cable_and_its_return() {
    each(|vr, interval, address| {
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(4 * interval);
        assert_eq!(world.active(&vr), 1);
        assert_eq!(world.who(address), 1);
        assert!(!world.hosts[1].has(address));
        world.ask(address);
        world.run_ms(200);

        // The host sees it.
        world.ask_afresh();
        world.hub.set_cable(world.hosts[0].plug(), false);
        world.hosts[0].vrrp.set_link(false);
        world.run_ms(1);
        assert_eq!(world.hosts[0].state(&vr), State::Initialize);
        assert!(!world.hosts[0].has(address));
        world.run_ms(4 * interval);
        assert_eq!(world.active(&vr), 2);
        assert_eq!(world.client.answers.last(), Some(&2));
        // No longer than the down interval, a question that is not asked yet, and one that is lost
        // while the new one asks for the client's MAC.
        let silence = longest_silence(&world.client.answers) as u64 * 10;
        assert!(
            silence <= 3 * interval + interval * 156 / 256 + 20,
            "{silence} ms"
        );

        world.ask_afresh();
        world.hub.set_cable(world.hosts[0].plug(), true);
        world.hosts[0].vrrp.set_link(true);
        world.run_ms(5 * interval);
        assert_eq!(world.active(&vr), 1);
        assert!(!world.hosts[1].has(address));
        assert_eq!(world.client.answers.last(), Some(&1));
        assert!(longest_silence(&world.client.answers) <= 1);
    });
}

#[test]
fn a_dead_switch_port_leaves_two_and_its_return_one() {
    each(|vr, interval, address| {
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(4 * interval);
        // The link stays up: the host that is cut off does not know.
        world.hub.set_cable(world.hosts[0].plug(), false);
        world.run_ms(4 * interval);
        assert_eq!(world.hosts[0].state(&vr), State::Active);
        assert_eq!(world.hosts[1].state(&vr), State::Active);
        assert_eq!(world.who(address), 2);
        world.hub.set_cable(world.hosts[0].plug(), true);
        world.run_ms(2 * interval);
        assert_eq!(world.active(&vr), 1);
        assert_eq!(world.who(address), 1);
    });
}

#[test]
fn a_healed_partition_leaves_one_and_the_client_with_it() {
    each(|vr, interval, address| {
        let mut world = World::new(&[200, 100, 150], std::slice::from_ref(&vr));
        world.run_ms(4 * interval);
        // The client is with the second and the third.
        world.hub.set_side(world.hosts[0].plug(), true);
        world.hub.parted.set(true);
        world.run_ms(4 * interval);
        let states = world
            .hosts
            .iter()
            .map(|host| host.state(&vr))
            .collect::<Vec<_>>();
        assert_eq!(states, [State::Active, State::Backup, State::Active]);
        assert_eq!(world.who(address), 3);
        world.hub.parted.set(false);
        world.run_ms(2 * interval);
        assert_eq!(world.active(&vr), 1);
        assert_eq!(world.who(address), 1);
    });
}

#[test]
fn a_graceful_stop_loses_nothing() {
    each(|vr, interval, address| {
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(4 * interval);
        world.ask(address);
        world.run_ms(100);
        world.ask_afresh();
        world.hosts[0]
            .vrrp
            .admin(world.now)
            .remove(vr.key())
            .unwrap();
        world.run_ms(2 * interval);
        assert_eq!(world.hosts[0].vrrp.status(vr.key()), None);
        assert!(!world.hosts[0].has(address));
        assert_eq!(world.active(&vr), 2);
        assert_eq!(world.client.answers.last(), Some(&2));
        // The successor has the client's MAC to ask for once.
        assert!(longest_silence(&world.client.answers) <= 1);
        let sent = world.hub.sent.borrow();
        let mut adverts = sent
            .iter()
            .filter(|s| s.plug == world.hosts[0].plug() && wire::is_advert(&s.frame));
        assert_eq!(
            adverts.next_back().map(|s| wire::priority(&s.frame)),
            Some(0)
        );
    });
}

#[test]
fn resigning_and_another_priority_move_the_service() {
    each(|vr, interval, address| {
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(4 * interval);
        let now = world.now;
        world.hosts[0].vrrp.admin(now).resign(vr.key()).unwrap();
        world.run_ms(2 * interval);
        assert_eq!(world.active(&vr), 2);
        assert_eq!(world.who(address), 2);
        // It does not come back by itself, but by what it is told.
        world.run_ms(5 * interval);
        assert_eq!(world.active(&vr), 2);
        let now = world.now;
        let other = Priority::new(210);
        world.hosts[0]
            .vrrp
            .admin(now)
            .set_priority(vr.key(), other)
            .unwrap();
        world.run_ms(4 * interval);
        assert_eq!(world.active(&vr), 1);
        let now = world.now;
        world.hosts[1]
            .vrrp
            .admin(now)
            .set_priority(vr.key(), Priority::new(220))
            .unwrap();
        world.run_ms(4 * interval);
        assert_eq!(world.active(&vr), 2);
        assert_eq!(world.who(address), 2);
    });
}

#[test]
fn without_preempt_the_successor_stays() {
    each(|mut vr, interval, address| {
        vr.config.settings.preempt = false;
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(4 * interval);
        assert_eq!(world.active(&vr), 1);
        world.hosts[0].vrrp.set_link(false);
        world.hub.set_cable(world.hosts[0].plug(), false);
        world.run_ms(4 * interval);
        world.hosts[0].vrrp.set_link(true);
        world.hub.set_cable(world.hosts[0].plug(), true);
        world.run_ms(8 * interval);
        assert_eq!(world.active(&vr), 2);
        assert_eq!(world.who(address), 2);
    });
}

#[test]
fn a_host_that_slept_hears_before_it_believes_its_timer() {
    each(|vr, interval, _| {
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(5 * interval);
        // Longer than its down interval, and what it missed waits in its device.
        world.hosts[1].frozen = true;
        world.run_ms(10 * interval);
        world.hosts[1].frozen = false;
        world.run_ms(interval);
        assert_eq!(world.active(&vr), 1);
        let statistics = world.hosts[1].vrrp.statistics(vr.key()).unwrap();
        assert_eq!(statistics.active_transitions, 0);
    });
}

#[test]
fn a_frozen_master_gives_way_and_takes_back() {
    each(|vr, interval, address| {
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(4 * interval);
        world.hosts[0].frozen = true;
        world.run_ms(4 * interval);
        assert_eq!(world.hosts[1].state(&vr), State::Active);
        assert_eq!(world.who(address), 2);
        world.hosts[0].frozen = false;
        world.run_ms(2 * interval);
        assert_eq!(world.active(&vr), 1);
        assert_eq!(world.who(address), 1);
    });
}

#[test]
fn a_tracked_object_decides() {
    use vrrp_smoltcp::vrrp_core::{Track, TrackEffect};
    const FAULT: &[Track] = &[Track {
        object: 3,
        effect: TrackEffect::Fault,
    }];
    each(|mut vr, interval, address| {
        vr.config.tracks = FAULT;
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        world.run_ms(4 * interval);
        let now = world.now;
        world.hosts[0].vrrp.admin(now).set_tracked(3, false);
        world.run_ms(2 * interval);
        assert_eq!(world.hosts[0].state(&vr), State::Initialize);
        assert_eq!(world.who(address), 2);
        let now = world.now;
        world.hosts[0].vrrp.admin(now).set_tracked(3, true);
        world.run_ms(5 * interval);
        assert_eq!(world.who(address), 1);
    });
}

#[test]
fn a_wrong_password_is_not_obeyed() {
    let vr = v2();
    let mut world = World::new(&[100], std::slice::from_ref(&vr));
    let mut stranger = crate::world::host(&world.hub, world.now, 2);
    let other = Vr {
        config: VrConfig {
            settings: VrSettings {
                auth: Auth::Simple(*b"another\0"),
                ..vr.config.settings
            },
            ..vr.config
        },
        ..vr.clone()
    };
    crate::world::insert(&mut stranger, world.now, &other, 200);
    world.hosts.push(stranger);
    world.run_ms(10_000);
    assert_eq!(world.hosts[0].state(&vr), State::Active);
    let statistics = world.hosts[0].vrrp.statistics(vr.key()).unwrap();
    let reason = vrrp_smoltcp::vrrp_core::DropReason::AuthFailure;
    assert!(statistics.drops.count(reason) > 3);
}

/// Four virtual routers of both families; each host is the better one for half of them.
#[test]
fn two_hosts_share_the_load_and_each_stands_in_for_the_other() {
    let vrs = [
        Vr::new(1, &["10.0.0.81"]),
        Vr::new(2, &["10.0.0.82", "10.0.0.83"]),
        Vr::new(1, &["fe80::1:81", "2001:db8::81"]),
        Vr::new(2, &["fe80::1:82"]),
    ];
    let mut world = World::new(&[], &vrs);
    for number in [1, 2] {
        let mut host = crate::world::host(&world.hub, world.now, number);
        for vr in &vrs {
            let priority = if vr.vrid == number { 200 } else { 100 };
            crate::world::insert(&mut host, world.now, vr, priority);
        }
        world.hosts.push(host);
    }
    world.run_ms(1_000);
    for vr in &vrs {
        assert_eq!(world.active(vr), vr.vrid);
        for address in &vr.addresses {
            assert_eq!(world.who(&address.to_string()), vr.vrid);
        }
    }
    world.hosts[1].vrrp.set_link(false);
    world.hub.set_cable(world.hosts[1].plug(), false);
    world.run_ms(1_000);
    // Room for the three own addresses and five of the six virtual ones: the last virtual router
    // to come finds none, says so, and leaves the others be.
    let served = vrs
        .iter()
        .filter(|vr| world.hosts[0].state(vr) == State::Active)
        .count();
    assert_eq!(served, 3);
    let failed = vrs
        .iter()
        .find(|vr| world.hosts[0].state(vr) != State::Active)
        .unwrap();
    let statistics = world.hosts[0].vrrp.statistics(failed.key()).unwrap();
    assert!(statistics.effect_failures > 0);
    // One is given up, and the other has its place.
    let given_up = vrs
        .iter()
        .find(|vr| vr.key() != failed.key() && Family::of(vr.addresses[0]) == Family::Ipv4)
        .unwrap();
    let now = world.now;
    world.hosts[0]
        .vrrp
        .admin(now)
        .remove(given_up.key())
        .unwrap();
    world.run_ms(30_000);
    assert_eq!(world.hosts[0].state(failed), State::Active);
    assert_eq!(world.who(&failed.addresses[0].to_string()), 1);
}
