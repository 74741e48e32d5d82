//! Signatures a second time, as plainly as can be: the trailer of a message octet by octet, and whom the oracle
//! believes for it (H-1 to H-7).

use std::collections::BTreeMap;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use vrrp_core::{AntiReplay, AuthKey, AuthMode};

use crate::message::Message;

/// The ids of the keys that both sides of a comparison have.
pub const KEYS: [u8; 2] = [1, 2];
/// The seconds by which the clock of a sender may differ.
pub const WINDOW: u16 = 5;

/// The secret of a key id.
pub fn secret(id: u8) -> [u8; 32] {
    std::array::from_fn(|i| id.wrapping_mul(31) ^ i as u8)
}

/// The keys for an engine.
///
/// # Panics
/// Never: each has 32 octets.
pub fn keys() -> [AuthKey; 2] {
    KEYS.map(|id| AuthKey::new(id, &secret(id)).expect("32 octets"))
}

/// A trailer, field by field. Its HMAC is that of the key, or another.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "they are those of draft-cassen-vrrp-auth-hmac")]
pub struct Trailer {
    pub scheme: u8,
    pub key_id: u8,
    pub reserved: u16,
    pub number: u64,
    /// The bit of the HMAC that is wrong, if any is.
    pub wrong_bit: Option<u8>,
}

impl Trailer {
    /// The octets of it after a message from `source`.
    pub fn encode(&self, source: IpAddr, message: &[u8]) -> Vec<u8> {
        let mut trailer = vec![self.scheme, self.key_id];
        trailer.extend(self.reserved.to_be_bytes());
        trailer.extend(self.number.to_be_bytes());
        let mut tag = tag(&secret(self.key_id), source, message, &trailer);
        if let Some(bit) = self.wrong_bit {
            tag[usize::from(bit / 8 % 16)] ^= 1 << (bit % 8);
        }
        trailer.extend(tag);
        trailer
    }
}

/// The HMAC that a message has with the first twelve octets of its trailer.
fn tag(secret: &[u8], source: IpAddr, message: &[u8], covered: &[u8]) -> [u8; 16] {
    let mut input = match source {
        IpAddr::V4(_) => vec![4],
        IpAddr::V6(_) => vec![6],
    };
    let octet = |at: usize| message.get(at).copied().unwrap_or(0);
    input.extend([octet(0) >> 4, octet(1), 0]);
    match source {
        IpAddr::V4(v4) => {
            input.extend(v4.octets());
            input.extend([0; 12]);
        }
        IpAddr::V6(v6) => input.extend(v6.octets()),
    }
    let without_sum = message.iter().enumerate();
    input.extend(without_sum.map(|(at, octet)| if at == 6 || at == 7 { 0 } else { *octet }));
    input.extend(covered);
    input.extend([0; 16]);
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("any length will do");
    mac.update(&input);
    let whole = mac.finalize().into_bytes();
    std::array::from_fn(|i| whole[i])
}

/// Sees that a message that was sent is signed as it has to be, with a number after `last`. Returns its number.
///
/// # Panics
/// When it is not.
pub fn check_sent(source: IpAddr, payload: &[u8], key_id: u8, last: Option<u64>) -> u64 {
    let (message, trailer) = payload.split_at(payload.len() - 28);
    let (covered, sent) = trailer.split_at(12);
    assert_eq!(covered[..4], [1, key_id, 0, 0]);
    assert_eq!(sent, tag(&secret(key_id), source, message, covered));
    let number = u64::from_be_bytes(covered[4..].try_into().expect("eight octets"));
    assert!(
        last.is_none_or(|last| number > last),
        "{last:x?} {number:x}"
    );
    number
}

/// The part of the oracle that judges signatures. Its clock is right, and is never stepped.
#[derive(Clone, Debug)]
pub struct Judge {
    /// Whether it takes messages without a signature.
    pub mode: AuthMode,
    /// How it keeps out what was recorded.
    pub replay: AntiReplay,
    marks: BTreeMap<IpAddr, u64>,
}

impl Judge {
    /// Makes a judge that has heard nobody.
    pub fn new(mode: AuthMode, replay: AntiReplay) -> Self {
        Self {
            mode,
            replay,
            marks: BTreeMap::new(),
        }
    }

    /// The number of the last message of a sender that was believed.
    pub fn last(&self, source: IpAddr) -> Option<u64> {
        self.marks.get(&source).copied()
    }

    /// Whether a message may be believed at this second of Unix time.
    pub fn believes(&self, seconds: u64, m: &Message) -> bool {
        let Some(trailer) = &m.trailer else {
            // H-2
            return self.mode != AuthMode::Enforce;
        };
        let age = |number: u64| (number >> 32).abs_diff(seconds);
        let by_time = self.replay == AntiReplay::Time;
        // H-3, H-4, H-5, H-6
        trailer.scheme == 1
            && trailer.reserved == 0
            && !(by_time && age(trailer.number) > u64::from(WINDOW))
            && KEYS.contains(&trailer.key_id)
            && trailer.wrong_bit.is_none()
            && self.last(m.source).is_none_or(|mark| {
                // H-7
                by_time && age(mark) > u64::from(WINDOW) || trailer.number > mark
            })
    }

    /// Notes a message that was believed.
    pub fn note(&mut self, m: &Message) {
        if let Some(trailer) = &m.trailer {
            self.marks.insert(m.source, trailer.number);
        }
    }
}
