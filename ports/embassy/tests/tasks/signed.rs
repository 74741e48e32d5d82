//! Hosts with a key elect as others do, and nothing without the key disturbs them.

use vrrp_core::wire::{Advert, WireVersion};
use vrrp_core::{
    Auth, AuthConfig, AuthKey, AuthSettings, DropReason, Duration, Family, Priority, State,
    WallClock,
};

use crate::world::host::{Host, fast, vr};
use crate::world::{World, wire};

const ADDRESS: &str = "10.0.0.80";
/// The wall clock at the start of the world, in seconds since 1970.
const EPOCH: u64 = 1_796_000_000;

fn signing(world: &mut World, number: u8, priority: u8) -> Host {
    let host = Host::new(world, number);
    let keys = [AuthKey::new(1, &[7; 32]).unwrap()];
    let config = AuthConfig {
        settings: AuthSettings {
            active_key: 1,
            ..AuthSettings::DEFAULT
        },
        keys: &keys,
    };
    let clock = WallClock {
        since_epoch: Duration::from_secs(EPOCH),
        synchronised: true,
    };
    let told = host.control.admin(|admin| {
        admin.set_wall_clock(Some(clock));
        Ok(())
    });
    told.unwrap();
    host.insert(7, &[ADDRESS], priority, fast());
    let set = host
        .control
        .admin(|admin| admin.set_auth(vr(7, Family::Ipv4), Some(&config)));
    set.unwrap();
    host
}

/// An advertisement of the host `number` without a signature.
fn forged(number: u8, priority: Priority) -> Vec<u8> {
    let key = vr(7, Family::Ipv4);
    let advert = Advert {
        source_mac: key.virtual_mac(),
        destination_mac: Family::Ipv4.group_mac(),
        source: [10, 0, 0, number].into(),
        destination: Family::Ipv4.group(),
        ttl: 255,
        version: WireVersion::V3,
        vrid: key.vrid,
        priority: priority.get(),
        interval: fast().settings.advert_interval,
        auth: Auth::None,
        pseudo_header: true,
    };
    let mut frame = [0; 128];
    let addresses = std::iter::once(ADDRESS.parse().unwrap());
    let len = advert.emit(&mut frame, addresses).unwrap().len;
    frame[..len].to_vec()
}

#[test]
fn two_with_the_key_elect_and_a_forger_changes_nothing() {
    let mut world = World::new();
    let (a, b) = (signing(&mut world, 1, 200), signing(&mut world, 2, 100));
    let key = vr(7, Family::Ipv4);
    let settled = || (a.state(key), b.state(key)) == (State::Active, State::Backup);
    world.run_ms(1_500);
    assert!(settled());
    let recorded: Vec<Vec<u8>> = {
        let sent = world.hub.sent.borrow();
        let adverts = sent.iter().filter(|sent| wire::is_advert(&sent.frame));
        adverts.map(|sent| sent.frame.clone()).collect()
    };
    // Ethernet, IPv4, a message with one address, and the signature.
    let is_signed = |frame: &Vec<u8>| frame.len() == 14 + 20 + 12 + 28;
    assert!(recorded.len() > 5 && recorded.iter().all(is_signed));
    let mut altered = recorded.clone();
    for frame in &mut altered {
        *frame.last_mut().unwrap() ^= 1;
    }
    let made_up = [Priority::OWNER, Priority::new(254).unwrap()]
        .map(|priority| [1, 2, 77].map(|number| forged(number, priority)));
    let made_up = made_up.into_iter().flatten();
    for frame in made_up.chain(recorded).chain(altered) {
        world.hub.inject(&frame);
        world.run_ms(5);
        assert!(settled());
    }
    let drops = b.control.statistics(key).unwrap().drops;
    for reason in [DropReason::AuthMissing, DropReason::AuthReplay] {
        assert!(drops.count(reason) > 0, "{reason}: {drops:?}");
    }
    // Signed advertisements of the other one are believed: that it stops, above all.
    a.control.admin(|admin| admin.remove(key)).unwrap();
    world.run_ms(100);
    assert_eq!(b.state(key), State::Active);
}
