//! Random lives: cables pulled with and without the host seeing it, partitions, frozen hosts, stuck
//! transmitters, and an administrator who changes his mind. The rules of the segment hold after every
//! poll; when all is well again, one is Active and the client is answered.

use vrrp_smoltcp::vrrp_core::{Priority, State};

use crate::world::{Random, Vr, World};

fn disturb(world: &mut World, vrs: &[Vr], random: &mut Random) {
    let now = world.now;
    let host = random.below(world.hosts.len());
    let vr = &vrs[random.below(vrs.len())];
    let (good, hub) = (random.below(2) == 0, world.hub.clone());
    let plug = world.hosts[host].plug();
    let host = &mut world.hosts[host];
    match random.below(9) {
        0 => hub.set_cable(plug, good),
        1 => {
            hub.set_cable(plug, good);
            host.vrrp.set_link(good);
        }
        2 => host.frozen = !good,
        3 => hub.set_stuck(plug, !good),
        4 => hub.set_side(plug, good),
        5 => hub.parted.set(!good),
        6 => host.vrrp.admin(now).resign(vr.key()).unwrap(),
        7 => {
            let priority = Priority::new(1 + random.below(254) as u8);
            host.vrrp
                .admin(now)
                .set_priority(vr.key(), priority)
                .unwrap();
        }
        _ => host.vrrp.admin(now).set_enabled(vr.key(), good).unwrap(),
    }
}

fn mend(world: &mut World, vrs: &[Vr]) {
    world.hub.parted.set(false);
    let now = world.now;
    for host in &mut world.hosts {
        world.hub.set_stuck(host.plug(), false);
        world.hub.set_cable(host.plug(), true);
        host.frozen = false;
        host.vrrp.set_link(true);
        for vr in vrs {
            host.vrrp.admin(now).set_enabled(vr.key(), true).unwrap();
            host.vrrp.admin(now).set_priority(vr.key(), None).unwrap();
        }
    }
}

#[test]
fn whatever_happens_one_serves_in_the_end() {
    let mut silent = Vr::new(9, &["10.0.0.90"]);
    silent.config.settings.accept = false;
    let vrs = [
        Vr::new(7, &["10.0.0.80", "10.0.0.81"]),
        Vr::new(7, &["fe80::7:80", "2001:db8::80"]),
        silent,
    ];
    for seed in 1..=12u32 {
        let mut random = Random(0x9e37_79b9 ^ (seed << 20));
        let mut world = World::new(&[200, 150, 100], &vrs);
        world.run_ms(1_000);
        for _ in 0..150 {
            disturb(&mut world, &vrs, &mut random);
            world.run_ms(random.below(400) as u64);
        }
        mend(&mut world, &vrs);
        // A host that was cut off for a while may first have to be believed dead.
        world.run_ms(3_000);
        for vr in &vrs {
            assert_eq!(world.active(vr), 1, "seed {seed}");
            for host in &world.hosts {
                let serves = host.state(vr) == State::Active && vr.config.settings.accept;
                for address in &vr.addresses {
                    assert_eq!(host.has(&address.to_string()), serves, "seed {seed}");
                }
            }
        }
        // The client's table may hold a MAC of nobody else, so it is answered at once.
        assert_eq!(world.who("10.0.0.81"), 1, "seed {seed}");
        assert_eq!(world.who("2001:db8::80"), 1, "seed {seed}");
    }
}
