//! Every priority with every interval: skew and down timers to the microsecond (T-1, T-2, T-4,
//! T-6), against the formulas of the RFCs in whole numbers.

use std::net::IpAddr;

use vrrp_core::wire::{Advert, WireVersion};
use vrrp_core::{
    AdvertInterval, Auth, Engine, Family, Instant, MacAddr, Priority, State, Version,
    VirtualAddress, VrConfig, VrKey, VrSettings, Vrid,
};
use vrrp_sim::port::interface;

const KEY: VrKey = VrKey {
    ifindex: 1,
    vrid: Vrid::new(9).unwrap(),
    family: Family::Ipv4,
};

type Small = Engine<1, 1, 1>;

/// A Backup of this priority, started at time 0.
fn backup(version: Version, priority: u8, interval: AdvertInterval) -> Small {
    let mut router = Small::new();
    let start = Instant::from_micros(0);
    let address = VirtualAddress {
        address: [10, 0, 1, 1].into(),
        prefix_len: 24,
    };
    let config = VrConfig {
        settings: VrSettings {
            version,
            priority: Priority::new(priority).unwrap(),
            advert_interval: interval,
            ..VrSettings::DEFAULT
        },
        addresses: &[address],
        ..VrConfig::DEFAULT
    };
    router
        .set_interface(start, 1, interface(MacAddr([2, 0, 0, 0, 0, 1]), 1))
        .unwrap();
    router.admin(start).insert(KEY, &config).unwrap();
    router.admin(start).set_enabled(KEY, true).unwrap();
    router
}

fn advertisement(version: WireVersion, priority: u8, interval: AdvertInterval) -> Vec<u8> {
    let advert = Advert {
        source_mac: MacAddr([2, 0, 0, 0, 0, 2]),
        destination_mac: Family::Ipv4.group_mac(),
        source: [10, 0, 0, 2].into(),
        destination: Family::Ipv4.group(),
        ttl: 255,
        version,
        vrid: KEY.vrid,
        priority,
        interval,
        auth: Auth::None,
        pseudo_header: false,
    };
    let mut buf = [0; 128];
    let address: IpAddr = [10, 0, 1, 1].into();
    let emitted = advert.emit(&mut buf, [address].into_iter()).unwrap();
    buf[..emitted.len].to_vec()
}

/// Becomes Active at this microsecond and not the one before.
fn is_active_at(router: &mut Small, micros: u64) {
    let at = Instant::from_micros;
    assert_eq!(router.poll_timeout(), Some(at(micros)));
    router.handle_timeout(at(micros - 1));
    assert_eq!(router.status(KEY).unwrap().state, State::Backup);
    router.handle_timeout(at(micros));
    assert_eq!(router.status(KEY).unwrap().state, State::Active);
}

/// Expects a probe one `interval` before Active_Down_Timer ends at `down` (G-8), in microseconds.
fn expect_timers(router: &Small, down: u64, interval: u64) {
    let probe_at = Instant::from_micros(down - interval);
    assert_eq!(router.poll_timeout(), Some(probe_at));
    let mut later = router.clone();
    later.handle_timeout(probe_at);
    assert_eq!(later.poll_timeout(), Some(Instant::from_micros(down)));
}

/// `whole * 10,000 us * (256 - priority) / 256`, rounded down.
fn skew(centis: u64, priority: u8) -> u64 {
    centis * 10_000 * (256 - u64::from(priority)) / 256
}

#[test]
fn version_3() {
    for centis in 1..=4095 {
        let interval = AdvertInterval::from_centis(centis).unwrap();
        let other = AdvertInterval::from_centis(4096 - centis).unwrap();
        let better = advertisement(WireVersion::V3, 255, other);
        let stopping = advertisement(WireVersion::V3, 0, other);
        let (own, learned) = (u64::from(centis), u64::from(4096 - centis));
        for priority in 1..=254 {
            let mut router = backup(Version::V3, priority, interval);
            let down = 3 * own * 10_000 + skew(own, priority);
            expect_timers(&router, down, own * 10_000);
            // T-3: what was learned counts from here on.
            let heard = Instant::from_micros(5);
            let verdict = router.handle_frame(heard, 1, &better);
            assert_eq!(verdict.accepted(), Some(KEY));
            let down = 5 + 3 * learned * 10_000 + skew(learned, priority);
            expect_timers(&router, down, learned * 10_000);
            // T-4
            let _ = router.handle_frame(Instant::from_micros(7), 1, &stopping);
            is_active_at(&mut router, 7 + skew(learned, priority));
        }
        // S-1: an owner does not wait.
        let router = backup(Version::V3, 255, interval);
        assert_eq!(router.status(KEY).unwrap().state, State::Active);
    }
}

#[test]
fn version_2() {
    for seconds in 1..=255 {
        let interval = AdvertInterval::from_secs(seconds).unwrap();
        let better = advertisement(WireVersion::V2, 255, interval);
        let stopping = advertisement(WireVersion::V2, 0, interval);
        for priority in 1..=254 {
            let mut router = backup(Version::V2, priority, interval);
            let down = 3 * u64::from(seconds) * 1_000_000 + skew(100, priority);
            let interval = u64::from(seconds) * 1_000_000;
            expect_timers(&router, down, interval);
            let heard = Instant::from_micros(11);
            let verdict = router.handle_frame(heard, 1, &better);
            assert_eq!(verdict.accepted(), Some(KEY));
            expect_timers(&router, 11 + down, interval);
            let _ = router.handle_frame(Instant::from_micros(12), 1, &stopping);
            is_active_at(&mut router, 12 + skew(100, priority));
        }
    }
}
