//! Hostile frames disturb no virtual router.

use crate::world::{Random, Vr, World, wire};
use smoltcp::time::Duration;
use vrrp_smoltcp::Discard;
use vrrp_smoltcp::vrrp_core::{DropReason, State};

const V4: &str = "10.0.0.80";

fn vrs() -> [Vr; 2] {
    [
        Vr::new(7, &[V4]),
        Vr::new(8, &["fe80::8:80", "2001:db8::80"]),
    ]
}

/// Real frames of the segment, cut and damaged, and noise.
#[test]
fn damaged_frames_and_noise_change_nothing() {
    let vrs = vrs();
    let mut world = World::new(&[200, 100], &vrs);
    world.run_ms(1_000);
    assert!(world.is_pinged(V4) && world.is_pinged("2001:db8::80"));
    let seeds: Vec<Vec<u8>> = {
        let sent = world.hub.sent.borrow();
        // Whole priority 0 and the like would be obeyed, as they should: advertisements are forged in
        // the next story.
        let harmless = sent.iter().filter(|s| !wire::is_advert(&s.frame));
        harmless.map(|s| s.frame.clone()).collect()
    };
    assert!(seeds.len() > 10);
    let mut random = Random(0x1234_5678);
    for _ in 0..200 {
        for _ in 0..100 {
            let mut frame = seeds[random.below(seeds.len())].clone();
            match random.below(4) {
                0 => frame.truncate(random.below(frame.len())),
                1 => {
                    let len = 12 + random.below(100);
                    frame.extend((0..len).map(|at| at as u8));
                    for octet in &mut frame[12..] {
                        *octet = random.below(256) as u8;
                    }
                }
                _ => {
                    for _ in 0..1 + random.below(6) {
                        let at = random.below(frame.len());
                        frame[at] = random.below(256) as u8;
                    }
                }
            }
            world.hub.carry(usize::MAX, frame);
        }
        world.run_ms(1);
    }
    world.run_ms(1_000);
    for vr in &vrs {
        assert_eq!(world.active(vr), 1);
        for host in &world.hosts {
            let transitions = host.vrrp.statistics(vr.key()).unwrap().active_transitions;
            assert_eq!(transitions, u32::from(host.number == 1));
        }
    }
    let discards = world.hosts[0].vrrp.discards();
    for reason in [
        Discard::Truncated,
        Discard::OtherStation,
        Discard::BadSolicitation,
    ] {
        assert!(discards.count(reason) > 0, "{reason}");
    }
    // The clients cache may have been poisoned by forged ARP; that is between them. It is forgotten
    // within a minute.
    world.run_ms(61_000);
    assert_eq!(world.who(V4), 1);
    assert_eq!(world.who("2001:db8::80"), 1);
}

#[test]
fn forged_advertisements_are_counted_by_reason() {
    let vrs = vrs();
    let mut world = World::new(&[200, 100], &vrs);
    world.run_ms(1_000);
    let advert = {
        let sent = world.hub.sent.borrow();
        let found = sent
            .iter()
            .find(|s| wire::is_advert(&s.frame) && s.frame[12] == 0x08);
        found.unwrap().frame.clone()
    };
    // From another source, or the Active one would hear itself.
    let forge = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = advert.clone();
        frame[29] = 77;
        change(&mut frame);
        frame[24..26].copy_from_slice(&[0, 0]);
        let mut sum: u32 = frame[14..34]
            .chunks(2)
            .map(|w| u32::from(w[0]) * 256 + u32::from(w[1]))
            .sum();
        sum = (sum & 0xffff) + (sum >> 16);
        let field = !(((sum & 0xffff) + (sum >> 16)) as u16);
        frame[24..26].copy_from_slice(&field.to_be_bytes());
        frame
    };
    let plain = |f: &mut Vec<u8>| f[36] = 255;
    for (reason, frame) in [
        (DropReason::Ttl, forge(&|f| f[22] = 254)),
        (DropReason::Checksum, forge(&plain)),
        (DropReason::Version, forge(&|f| f[34] = 0x41)),
        (DropReason::Type, forge(&|f| f[34] = 0x32)),
        (DropReason::WrongDestination, forge(&|f| f[33] = 5)),
    ] {
        let key = vrs[0].key();
        let before = world.hosts[1]
            .vrrp
            .statistics(key)
            .unwrap()
            .drops
            .count(reason);
        world.hub.carry(usize::MAX, frame);
        world.run_ms(1);
        let after = world.hosts[1]
            .vrrp
            .statistics(key)
            .unwrap()
            .drops
            .count(reason);
        assert_eq!(after, before + 1, "{reason}");
    }
    let drops = world.hosts[1].vrrp.drops().count(DropReason::UnknownVrid);
    world.hub.carry(usize::MAX, forge(&|f| f[35] = 9));
    world.run_ms(1);
    assert_eq!(
        world.hosts[1].vrrp.drops().count(DropReason::UnknownVrid),
        drops + 1
    );
    // To another station, as a port in promiscuous mode hears it.
    let others = world.hosts[1].vrrp.discards().count(Discard::OtherStation);
    world.hub.carry(
        usize::MAX,
        forge(&|f| f[..6].copy_from_slice(&[2, 0, 0, 0, 0, 55])),
    );
    world.run_ms(1);
    assert_eq!(
        world.hosts[1].vrrp.discards().count(Discard::OtherStation),
        others + 1
    );
    world.run_ms(1_000);
    assert_eq!(world.active(&vrs[0]), 1);
}

/// A flood that never lets a host come to the end of its queue leaves time for its timers, and a
/// poll takes a bounded part of it.
#[test]
fn a_flood_does_not_stop_the_clock() {
    let [vr, _] = vrs();
    let mut world = World::new(&[100], std::slice::from_ref(&vr));
    world.run_ms(1_000);
    assert_eq!(world.hosts[0].state(&vr), State::Active);
    let before = world.hosts[0]
        .vrrp
        .statistics(vr.key())
        .unwrap()
        .adverts_sent;
    let mut noise = vec![0xff; 6];
    noise.extend([2, 0, 0, 0, 0, 55, 0x08, 0x06]);
    noise.extend([0; 46]);
    for _ in 0..1_000 {
        world.now += Duration::from_millis(1);
        for _ in 0..100 {
            world.hub.carry(usize::MAX, noise.clone());
        }
        let now = world.now;
        let host = &mut world.hosts[0];
        host.vrrp.poll(now, &mut host.iface, &mut host.sockets);
        assert!(world.hub.has_arrived(1));
        let host = &mut world.hosts[0];
        assert_eq!(
            host.vrrp.poll_at(now, &mut host.iface, &host.sockets),
            Some(now)
        );
    }
    let after = world.hosts[0]
        .vrrp
        .statistics(vr.key())
        .unwrap()
        .adverts_sent;
    assert!((9..=11).contains(&(after - before)), "{}", after - before);
}
