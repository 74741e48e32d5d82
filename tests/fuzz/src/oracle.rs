//! The engine beside the simulator's oracle: whatever happens to one virtual router, both say the
//! same. With keys and without.

use vrrp_core::Version;
use vrrp_sim::differential::{agree, agree_signed};
use vrrp_sim::rng::Draw;

use crate::octets::Octets;

/// The bit of the first octet that asks for keys. The other bits are the version.
const SIGNS: u8 = 0x80;

/// Lets `octets` decide the version, the configuration, whether there are keys, and everything that happens.
///
/// # Panics
/// When engine and oracle differ.
pub fn check(octets: &[u8]) {
    let mut octets = Octets(octets);
    let first = octets.u8();
    let version = match first % 3 {
        0 => Version::V3,
        1 => Version::V2,
        _ => Version::Both,
    };
    if first & SIGNS == 0 {
        agree(&mut octets, version, 400);
    } else {
        agree_signed(&mut octets, version, 400);
    }
}

/// Few choices take few octets, so that each octet matters.
impl Draw for Octets<'_> {
    fn below(&mut self, limit: u64) -> u64 {
        match limit {
            // Chances are of a million, and a step of 1/256 is fine enough.
            1_000_000 => u64::from(self.u8()) * limit / 256,
            0..=256 => u64::from(self.u8()) % limit,
            257..=65_536 => u64::from(self.u16()) % limit,
            _ => u64::from_be_bytes(self.array()) % limit,
        }
    }

    fn is_used_up(&self) -> bool {
        self.is_empty()
    }
}
