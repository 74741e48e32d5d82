//! Hosts with a key elect as others do, and nothing without the key disturbs them.

use crate::world::{Vr, World, wire};
use vrrp_core::wire::{Advert, WireVersion};
use vrrp_smoltcp::vrrp_core::{
    self, AntiReplay, Auth, AuthConfig, AuthKey, AuthSettings, DropReason, Priority, State,
};

/// Gives a host the key, with the boot count of a board that has no clock.
fn sign(world: &mut World, host: usize, vr: &Vr, boots: u32) {
    let keys = [AuthKey::new(1, &[7; 32]).unwrap()];
    let settings = AuthSettings {
        replay: AntiReplay::Monotonic,
        active_key: 1,
        ..AuthSettings::DEFAULT
    };
    let config = AuthConfig {
        settings,
        keys: &keys,
    };
    let mut admin = world.hosts[host].vrrp.admin(world.now);
    admin.set_boot_count(boots);
    admin.set_auth(vr.key(), Some(&config)).unwrap();
}

/// An advertisement of the host `number` without a signature.
fn forged(vr: &Vr, number: u8, priority: Priority) -> Vec<u8> {
    let key = vr.key();
    let family = key.family;
    let source = match family {
        vrrp_core::Family::Ipv4 => [10, 0, 0, number].into(),
        vrrp_core::Family::Ipv6 => [0xfe80, 0, 0, 0, 0, 0, 0, u16::from(number)].into(),
    };
    let advert = Advert {
        source_mac: key.virtual_mac(),
        destination_mac: family.group_mac(),
        source,
        destination: family.group(),
        ttl: 255,
        version: WireVersion::V3,
        vrid: key.vrid,
        priority: priority.get(),
        interval: vr.config.settings.advert_interval,
        auth: Auth::None,
        pseudo_header: true,
    };
    let mut frame = [0; 256];
    let addresses = vr.addresses.iter().copied();
    let len = advert.emit(&mut frame, addresses).unwrap().len;
    frame[..len].to_vec()
}

#[test]
fn two_with_the_key_elect_and_a_forger_changes_nothing() {
    for vr in [
        Vr::new(7, &["10.0.0.80"]),
        Vr::new(7, &["fe80::7:80", "2001:db8::80"]),
    ] {
        let mut world = World::new(&[200, 100], std::slice::from_ref(&vr));
        sign(&mut world, 0, &vr, 41);
        sign(&mut world, 1, &vr, 7);
        world.run_ms(1_000);
        assert_eq!(world.active(&vr), 1);
        let key = vr.key();
        let transitions = |world: &World| {
            let of = |host: usize| world.hosts[host].vrrp.statistics(key).unwrap();
            [0, 1].map(|host| of(host).active_transitions)
        };
        let before = transitions(&world);
        let recorded: Vec<Vec<u8>> = {
            let sent = world.hub.sent.borrow();
            let adverts = sent.iter().filter(|sent| wire::is_advert(&sent.frame));
            adverts.map(|sent| sent.frame.clone()).collect()
        };
        for priority in [Priority::OWNER, Priority::new(254).unwrap()] {
            for number in [1, 2, 77] {
                world.hub.carry(usize::MAX, forged(&vr, number, priority));
                world.run_ms(10);
                assert_eq!(world.active(&vr), 1);
            }
        }
        for frame in &recorded {
            let mut altered = frame.clone();
            *altered.last_mut().unwrap() ^= 1;
            for frame in [frame.clone(), altered] {
                world.hub.carry(usize::MAX, frame);
                world.run_ms(10);
            }
        }
        assert_eq!(world.active(&vr), 1);
        assert_eq!(transitions(&world), before);
        let drops = world.hosts[1].vrrp.statistics(key).unwrap().drops;
        for reason in [DropReason::AuthMissing, DropReason::AuthReplay] {
            assert!(drops.count(reason) > 0, "{reason}: {drops:?}");
        }

        // A graceful stop is believed, and so is the other's return with the next boot count.
        world.hosts[0].vrrp.admin(world.now).remove(key).unwrap();
        world.run_ms(100);
        assert_eq!(world.hosts[1].state(&vr), State::Active);
        crate::world::insert(&mut world.hosts[0], world.now, &vr, 200);
        sign(&mut world, 0, &vr, 42);
        world.run_ms(1_000);
        assert_eq!(world.active(&vr), 1);
    }
}
