//! The Internet checksum (RFC 1071).
//!
//! Partial sums are `u32` and are added with `+`: each is below 2^20, so thousands of them fit.
//! [`fold`] ends the sum. Octets that carry a right checksum fold to 0xffff.

use core::net::{Ipv4Addr, Ipv6Addr};

/// The sum of the 16-bit words of `bytes` in network order, an odd last octet padded with zero.
/// At most 0xffff.
pub const fn sum(bytes: &[u8]) -> u32 {
    u16::from_be(native(bytes)) as u32
}

/// Whether octets that carry their own checksum carry the right one.
pub const fn is_right(bytes: &[u8]) -> bool {
    native(bytes) == 0xffff
}

/// The sum of the 16-bit words in the order of the machine: it is turned at the end, if at all (RFC 1071
/// section 2).
#[cfg_attr(not(feature = "large"), inline(never))]
const fn native(bytes: &[u8]) -> u16 {
    let mut total: u32 = 0;
    let mut rest = bytes;
    while let Some((word, tail)) = rest.split_first_chunk::<2>() {
        total = total.wrapping_add(u16::from_ne_bytes(*word) as u32);
        rest = tail;
    }
    if let Some(&last) = rest.first() {
        total = total.wrapping_add(u16::from_ne_bytes([last, 0]) as u32);
    }
    fold(total)
}

/// The one's complement sum as 16 bits. 0xffff over octets that include their own checksum means
/// that the checksum is right.
#[inline]
pub const fn fold(sum: u32) -> u16 {
    let once = words(sum);
    words(once) as u16
}

/// The checksum field for a sum that was made with the field zero.
#[inline]
pub const fn field(sum: u32) -> u16 {
    !fold(sum)
}

/// The sum of the IPv4 pseudo-header: source, destination, zero, protocol and length (RFC 5798
/// section 5.2.8, RFC 793 section 3.1).
#[inline]
pub const fn pseudo_v4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, len: u16) -> u32 {
    v4(source) + v4(destination) + protocol as u32 + len as u32
}

/// The sum of the IPv6 pseudo-header: source, destination, upper-layer length, zero and next header
/// (RFC 8200 section 8.1).
#[inline]
pub const fn pseudo_v6(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, len: u16) -> u32 {
    v6(source) + v6(destination) + next_header as u32 + len as u32
}

/// The sum of an IPv4 address, at most 0x1fffe.
#[inline]
pub(super) const fn v4(address: Ipv4Addr) -> u32 {
    words(address.to_bits())
}

/// The sum of an IPv6 address, at most 0xffff.
#[cfg_attr(not(feature = "large"), inline(never))]
pub(super) const fn v6(address: Ipv6Addr) -> u32 {
    sum(&address.octets())
}

/// The sum of the two halves, at most 0x1fffe.
#[inline]
const fn words(word: u32) -> u32 {
    (word >> 16) + (word & 0xffff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071() {
        //= RFC 1071 section 3
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(fold(sum(&bytes)), 0xddf2);
        assert_eq!(field(sum(&bytes)), 0x220d);
    }

    #[test]
    fn every_length_agrees_with_adding_words_one_by_one() {
        let mut bytes = [0u8; 67];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = (i * 151 + 200) as u8;
        }
        for len in 0..=bytes.len() {
            let (part, _) = bytes.split_at(len);
            let mut slow: u32 = 0;
            for pair in part.chunks(2) {
                let low = pair.get(1).copied().unwrap_or(0);
                slow += u32::from(pair.first().copied().unwrap_or(0)) * 256 + u32::from(low);
                slow = (slow & 0xffff) + (slow >> 16);
            }
            assert_eq!(u32::from(fold(sum(part))), slow, "{len} octets");
        }
    }

    #[test]
    fn carries_are_not_lost() {
        assert_eq!(fold(sum(&[0xff; 64])), 0xffff);
        assert_eq!(fold(sum(&[])), 0);
        assert_eq!(fold(u32::MAX), 0xffff);
        assert_eq!(fold(0x1_ffff), 1);
        // A carry that makes another one: words of 0xffff and a 1, whichever octet of its word a
        // machine takes for the lowest.
        for (one, folded) in [(1u64.to_be_bytes(), 1), (1u64.to_le_bytes(), 0x100)] {
            let mut bytes = [0xff; 16];
            bytes.split_at_mut(8).1.copy_from_slice(&one);
            assert_eq!(fold(sum(&bytes)), folded);
        }
    }
}
