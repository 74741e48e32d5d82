//! The trailer that signs a VRRP message (draft-cassen-vrrp-auth-hmac): 28 octets within the IP payload,
//! directly after the message, which does not tell of them.
//!
//! | offset | length | field |
//! |---|---|---|
//! | 0 | 1 | scheme: 1, HMAC-SHA-256 of which the first 16 octets are sent |
//! | 1 | 1 | key id |
//! | 2 | 2 | reserved, zero |
//! | 4 | 8 | number: 32 bits of seconds, 16 of their fraction, 16 of a counter |
//! | 12 | 16 | HMAC |

use core::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::vrrp::{TRAILER_LEN, View};
use super::{Emitted, PROTOCOL, checksum, ipv4};
use crate::IPV6;

/// The scheme of the only signature there is.
const HMAC_SHA256: u8 = 1;
/// The octets before the HMAC, which it covers.
const COVERED: usize = 12;
/// The length of the HMAC as it is sent.
const TAG_LEN: usize = TRAILER_LEN - COVERED;

/// A received trailer.
#[derive(Clone, Copy, Debug)]
pub struct Trailer<'a> {
    octets: &'a [u8; TRAILER_LEN],
}

impl<'a> Trailer<'a> {
    /// The trailer of a message that is the IP payload `payload`, of which `view` was made. Returns
    /// `None` if there is none.
    pub fn of(view: &View<'_>, payload: &'a [u8]) -> Option<Self> {
        if !view.has_trailer(payload) {
            return None;
        }
        let octets = payload.last_chunk()?;
        Some(Self { octets })
    }

    /// Whether its scheme is known and its reserved octets are zero (H-3).
    pub fn is_well_formed(&self) -> bool {
        matches!(self.octets, [HMAC_SHA256, id, 0, 0, ..] if *id != 0)
    }

    /// The id of the key.
    pub fn key_id(&self) -> u8 {
        let [_, id, ..] = *self.octets;
        id
    }

    /// The number: seconds of Unix time modulo 2^32, their fraction, and a counter.
    pub fn number(&self) -> u64 {
        let [
            _,
            _,
            _,
            _,
            n @ ..,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
            _,
        ] = *self.octets;
        u64::from_be_bytes(n)
    }

    /// Whether the HMAC is that of the message with this key, for a message that came from `source`.
    /// The time that it takes does not tell how far it is right (H-6).
    pub fn is_signed_with(&self, secret: &[u8], view: &View<'_>, source: IpAddr) -> bool {
        let (covered, tag) = self.octets.split_at(COVERED);
        digest(secret, view.pdu(), source, covered)
            .is_some_and(|mac| mac.verify_truncated_left(tag).is_ok())
    }
}

/// The HMAC's input: the family, version, VRID and source of the message, the message without its
/// checksum, the first octets of the trailer, and zeros in the place of the HMAC (H-6). Returns `None` if
/// the message has no header, which none has that was read or written.
fn digest(secret: &[u8], pdu: &[u8], source: IpAddr, covered: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).ok()?;
    let ([version_type, vrid, a, b, c, d, _, _], rest) = pdu.split_first_chunk()?;
    let family = match source {
        IpAddr::V4(_) => 4,
        IpAddr::V6(_) => 6,
    };
    mac.update(&[family, version_type >> 4, *vrid, 0]);
    match source {
        IpAddr::V4(v4) => {
            mac.update(&v4.octets());
            mac.update(&[0; 12]);
        }
        IpAddr::V6(v6) => mac.update(&v6.octets()),
    }
    mac.update(&[*version_type, *vrid, *a, *b, *c, *d, 0, 0]);
    mac.update(rest);
    mac.update(covered);
    mac.update(&[0; TAG_LEN]);
    Some(mac)
}

/// Signs the advertisement that was written to the beginning of `buf`, which comes from `source` and goes
/// to `destination`. Returns the longer frame, or `None` if it does not fit.
///
/// The headers are completed: IPv4's length and checksum, and for IPv6 its length and the checksum of
/// the message, which covers the trailer. Over IPv4 the checksum of the message stays that of the message
/// alone (H-9).
pub(crate) fn sign(
    buf: &mut [u8],
    emitted: Emitted,
    (source, destination): (IpAddr, IpAddr),
    (key_id, secret): (u8, &[u8]),
    number: u64,
) -> Option<Emitted> {
    let len = emitted.len + TRAILER_LEN;
    let frame = buf.get_mut(..len)?;
    let (_, ip) = frame.split_at_mut_checked(emitted.ip_offset.into())?;
    let header_len = emitted.payload_offset.checked_sub(emitted.ip_offset)?;
    let (header, payload) = ip.split_at_mut_checked(header_len.into())?;
    let (pdu, trailer) = payload.split_at_mut_checked(payload.len().checked_sub(TRAILER_LEN)?)?;

    let (covered, tag) = trailer.split_at_mut_checked(COVERED)?;
    let [n0, n1, n2, n3, n4, n5, n6, n7] = number.to_be_bytes();
    let fields = [HMAC_SHA256, key_id, 0, 0, n0, n1, n2, n3, n4, n5, n6, n7];
    covered.copy_from_slice(&fields);
    let mac = digest(secret, pdu, source, &fields)?
        .finalize()
        .into_bytes();
    tag.copy_from_slice(mac.get(..TAG_LEN)?);

    let payload_len = payload.len() as u16;
    match (source, destination) {
        (IpAddr::V4(_), _) => {
            let header: &mut [u8; ipv4::HEADER_LEN] = header.first_chunk_mut()?;
            let total = payload_len.wrapping_add(ipv4::HEADER_LEN as u16);
            put(header, 2, total);
            put(header, 10, 0);
            let sum = checksum::field(checksum::sum(header));
            put(header, 10, sum);
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) if IPV6 => {
            put(header, 4, payload_len);
            put(payload, 6, 0);
            let pseudo = checksum::pseudo_v6(source, destination, PROTOCOL, payload_len);
            let sum = checksum::field(pseudo + checksum::sum(payload));
            put(payload, 6, sum);
        }
        _ => return None,
    }
    Some(Emitted { len, ..emitted })
}

/// Writes a number of 16 bits where there is room for it.
fn put(octets: &mut [u8], at: usize, value: u16) {
    if let Some(slot) = octets.get_mut(at..).and_then(|o| o.first_chunk_mut()) {
        *slot = value.to_be_bytes();
    }
}
