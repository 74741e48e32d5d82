//! Frames that nobody asked for: advertisements that are nearly right, noise, and what an attacker has
//! recorded.

use std::net::IpAddr;
use std::rc::Rc;

use vrrp_core::wire::vrrp::TRAILER_LEN;
use vrrp_core::wire::{Advert, Datagram, WireVersion, checksum};
use vrrp_core::{AdvertInterval, Auth, Family, MacAddr, Vrid};

use crate::plan::Group;
use crate::port::open;
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

/// Whether a frame is VRRP.
pub(crate) fn is_advertisement(frame: &[u8]) -> bool {
    matches!(Datagram::new(frame), Ok(Some(_)))
}

/// The seconds of Unix time at which a recorded frame was signed; 0 for one that is not signed.
pub(crate) fn seconds_of(frame: &[u8]) -> u64 {
    let at = frame.len().checked_sub(TRAILER_LEN - 4);
    let seconds = at.and_then(|at| frame.get(at..)?.first_chunk().copied());
    seconds.map_or(0, |seconds| u32::from_be_bytes(seconds).into())
}

/// The octet of the source address by which simulated hosts differ, and the number of the signature, of a
/// recorded frame over IPv4. Returns `None` for one that is not signed.
pub(crate) fn signature_of(frame: &[u8]) -> Option<(u8, u64)> {
    let datagram = open(frame)?;
    let (_, trailer) = datagram.message.split_last_chunk::<TRAILER_LEN>()?;
    let number = trailer.get(4..)?.first_chunk().copied()?;
    let IpAddr::V4(source) = datagram.source else {
        return None;
    };
    let is_signed = datagram.message.len() > 8 + TRAILER_LEN;
    is_signed.then(|| (source.octets()[3], u64::from_be_bytes(number)))
}

/// A change to a recorded advertisement that is signed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    /// Takes its trailer away.
    Bare,
    /// Flips bits of the octet `at` of the IP payload, message and trailer.
    Flip {
        /// Where the octet is.
        at: usize,
        /// The bits that change.
        bits: u8,
    },
    /// Puts the trailer of another frame in the place of its own.
    TrailerOf(&'a [u8]),
    /// Adds to the number of its trailer.
    Later(u64),
}

/// A recorded frame as it was, or with something changed and every checksum right again.
pub(crate) fn changed(rng: &mut Rng, recorded: &[Rc<[u8]>]) -> Vec<u8> {
    let frame = &recorded[rng.below(recorded.len() as u64) as usize];
    let message = payload_offset(frame);
    if frame.len().saturating_sub(TRAILER_LEN) <= message {
        return frame.to_vec();
    }
    let how = match rng.below(6) {
        0 | 1 => return frame.to_vec(),
        2 => Change::Bare,
        3 => {
            let at = rng.between(message as u64, frame.len() as u64 - 1) as usize - message;
            let bits = 1 << rng.below(8);
            Change::Flip { at, bits }
        }
        4 => Change::TrailerOf(&recorded[rng.below(recorded.len() as u64) as usize]),
        _ => Change::Later(rng.between(1, 1 << 20)),
    };
    change(frame, how)
}

/// A recorded frame that is signed, with this change and every checksum right again, unless the change is
/// to the checksum.
pub(crate) fn change(recorded: &[u8], how: Change<'_>) -> Vec<u8> {
    let mut frame = recorded.to_vec();
    let message = payload_offset(&frame);
    let trailer = frame.len() - TRAILER_LEN;
    match how {
        Change::Bare => frame.truncate(trailer),
        Change::Flip { at, bits } => frame[message + at] ^= bits,
        Change::TrailerOf(other) => {
            if let Some(from) = other.len().checked_sub(TRAILER_LEN) {
                frame[trailer..].copy_from_slice(&other[from..]);
            }
        }
        Change::Later(by) => {
            let slot = &mut frame[trailer + 4..trailer + 12];
            let old = u64::from_be_bytes(std::array::from_fn(|i| slot[i]));
            slot.copy_from_slice(&old.wrapping_add(by).to_be_bytes());
        }
    }
    let v6 = is_ipv6(&frame);
    complete(&mut frame, v6);
    if !v6 && !matches!(how, Change::Flip { at: 6 | 7, .. }) {
        // Over IPv4 the sum does not cover the trailer (H-9), and each receiver takes it without a pseudo-header.
        frame[message + 6..message + 8].fill(0);
        let sum = checksum::field(checksum::sum(&frame[message..trailer]));
        frame[message + 6..message + 8].copy_from_slice(&sum.to_be_bytes());
    }
    frame
}

fn is_ipv6(frame: &[u8]) -> bool {
    frame.get(12..14) == Some(&[0x86, 0xdd])
}

/// Where the IP payload of an advertisement begins.
fn payload_offset(frame: &[u8]) -> usize {
    if is_ipv6(frame) { 54 } else { 34 }
}

/// Makes lengths and checksums right, over IPv6 that of the message, too.
fn complete(frame: &mut [u8], v6: bool) {
    let len = frame.len();
    if v6 {
        let payload = (len - 54) as u16;
        frame[18..20].copy_from_slice(&payload.to_be_bytes());
        frame[60..62].fill(0);
        let sum = checksum::sum(&frame[22..54]) + 112 + u32::from(payload);
        let sum = checksum::field(sum + checksum::sum(&frame[54..]));
        frame[60..62].copy_from_slice(&sum.to_be_bytes());
    } else {
        frame[16..18].copy_from_slice(&((len - 14) as u16).to_be_bytes());
        frame[24..26].fill(0);
        let sum = checksum::field(checksum::sum(&frame[14..34]));
        frame[24..26].copy_from_slice(&sum.to_be_bytes());
    }
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
