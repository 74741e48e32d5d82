//! Inputs of the administrator and the operating system, mostly sensible.

use vrrp_core::{
    AdvertInterval, Auth, Duration, Family, InterfaceState, MacAddr, Priority, Track, TrackEffect,
    Version, VrConfig, VrKey,
};

use crate::engine::{V4, V6, kinds, list_of, up};
use crate::octets::Octets;

pub(crate) fn some_interface(octets: &mut Octets<'_>) -> InterfaceState {
    let bits = octets.u8();
    let all = up();
    InterfaceState {
        up: bits & 1 == 0,
        mac: MacAddr([2, 0, 0, 0, 0, bits >> 4]),
        // Now and then an address is the virtual one too.
        ipv4: match bits & 10 {
            0 => all.ipv4,
            8 => Some([10, 0, 0, 80].into()),
            _ => None,
        },
        ipv6: all.ipv6.filter(|_| bits & 4 == 0),
    }
}

/// A configuration, mostly a good one.
pub(crate) fn with_config<R>(
    octets: &mut Octets<'_>,
    key: VrKey,
    apply: impl FnOnce(&VrConfig<'_>) -> R,
) -> R {
    let kinds = kinds();
    let (_, mut config) = kinds[usize::from(octets.u8()) % kinds.len()];
    let bits = octets.u8();
    let list = octets.u8();
    let (v4, v6) = (list_of(&V4, list), list_of(&V6, list));
    config.addresses = match key.family {
        Family::Ipv4 => &v4,
        Family::Ipv6 => &v6,
    };
    if key.family == Family::Ipv6 && bits & 0x40 == 0 {
        config.settings.version = Version::V3;
        config.settings.auth = Auth::None;
        config.peers = &[];
        config.settings.max_hops = 1;
    }
    config.settings.preempt = bits & 1 == 0;
    config.settings.accept = bits & 2 == 0;
    if let Some(priority) = Priority::new(octets.u8()) {
        config.settings.priority = priority;
    }
    if let Some(interval) = AdvertInterval::from_centis(u16::from(octets.u8()) * 10) {
        config.settings.advert_interval = interval;
    }
    config.settings.preempt_delay =
        Duration::from_millis(u64::from(octets.u8()) * 20 * u64::from(bits >> 2 & 1));
    config.settings.start_delay =
        Duration::from_millis(u64::from(octets.u8()) * 20 * u64::from(bits >> 3 & 1));
    config.settings.announce.refresh =
        (bits & 0x10 != 0).then(|| Duration::from_secs(octets.u8().into()));
    let tracks = [
        Track {
            object: u16::from(octets.u8() % 4),
            effect: TrackEffect::WhileDown(i16::from(octets.u8()) - 128),
        },
        Track {
            object: u16::from(octets.u8() % 4),
            effect: TrackEffect::Fault,
        },
    ];
    config.tracks = &tracks[..usize::from(bits >> 5 & 1) * 2];
    apply(&config)
}
