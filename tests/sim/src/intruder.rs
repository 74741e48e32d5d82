//! Frames that nobody asked for: advertisements that are nearly right, and noise.

use std::net::IpAddr;

use vrrp_core::wire::{Advert, WireVersion};
use vrrp_core::{AdvertInterval, Auth, Family, MacAddr, Vrid};

use crate::plan::Group;
use crate::rng::{Draw, Rng};

/// The longest interval that a stranger claims, in centiseconds.
pub const LONGEST_INTERVAL: u16 = 100;

/// A frame for a segment on which these virtual routers are.
pub fn frame(rng: &mut Rng, lan: usize, groups: &[Group]) -> Vec<u8> {
    if rng.chance(50_000) {
        return (0..rng.below(90)).map(|_| rng.bits() as u8).collect();
    }
    let here: Vec<Group> = groups.iter().copied().filter(|g| g.lan == lan).collect();
    let mut group = Group {
        lan,
        vrid: rng.between(1, 255) as u8,
        family: Family::Ipv4,
    };
    if !here.is_empty() && !rng.chance(100_000) {
        group = rng.pick(&here);
    }
    let mut frame = advertisement(rng, &group);
    match rng.below(4) {
        // As it is: what it says may still be a lie.
        0 => {}
        1 => {
            let at = rng.below(frame.len() as u64) as usize;
            frame[at] ^= 1 << rng.below(8);
        }
        2 => {
            // A header without a sum over it is believed more easily.
            let at = rng.between(14, frame.len() as u64 - 1) as usize;
            frame[at] = rng.bits() as u8;
        }
        _ => frame.truncate(rng.below(frame.len() as u64 + 1) as usize),
    }
    frame
}

fn advertisement(rng: &mut Rng, group: &Group) -> Vec<u8> {
    let stranger = rng.between(1, 40) as u8;
    let (source, first): (IpAddr, IpAddr) = match group.family {
        Family::Ipv4 => (
            [10, 0, 0, stranger].into(),
            [10, 1 + group.lan as u8, group.vrid, 1].into(),
        ),
        Family::Ipv6 => (
            [0xfe80, 0, 0, 0, 0, 0, 0, stranger.into()].into(),
            [0xfe80, 0, 0, 0, 0, 1, group.vrid.into(), 1].into(),
        ),
    };
    let version = match group.family == Family::Ipv4 && rng.chance(400_000) {
        true => WireVersion::V2,
        false => WireVersion::V3,
    };
    let interval = match version {
        WireVersion::V2 => 100,
        WireVersion::V3 => rng.between(1, LONGEST_INTERVAL.into()) as u16,
    };
    let advert = Advert {
        source_mac: match rng.chance(500_000) {
            true => group.key().virtual_mac(),
            false => MacAddr([2, 0xbd, 0, 0, 0, stranger]),
        },
        destination_mac: group.family.group_mac(),
        source,
        destination: group.family.group(),
        ttl: if rng.chance(100_000) { 254 } else { 255 },
        version,
        vrid: Vrid::new(group.vrid).unwrap_or_else(|| unreachable!("groups have one")),
        priority: rng.pick(&[0, 1, 50, 100, 150, 200, 254, 255]),
        interval: AdvertInterval::from_centis(interval).unwrap_or(AdvertInterval::DEFAULT),
        auth: Auth::None,
        pseudo_header: rng.chance(500_000),
    };
    let mut buf = [0; 256];
    let len = advert
        .emit(&mut buf, [first].into_iter())
        .map_or(0, |e| e.len);
    buf[..len].to_vec()
}
