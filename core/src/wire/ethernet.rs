//! The Ethernet II header (RFC 894, RFC 2464).

use crate::types::MacAddr;

/// The length of the header in octets.
pub const HEADER_LEN: usize = 14;
/// The EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// The EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;
/// The EtherType of ARP.
pub const ARP: u16 = 0x0806;

/// A received frame that is long enough for its header.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> View<'a> {
    /// `None` when the frame is shorter than 14 octets.
    #[inline]
    pub const fn new(frame: &'a [u8]) -> Option<View<'a>> {
        match frame.split_first_chunk() {
            Some((header, payload)) => Some(View { header, payload }),
            None => None,
        }
    }

    /// The destination address.
    #[inline]
    pub const fn destination(&self) -> MacAddr {
        let [a, b, c, d, e, f, ..] = *self.header;
        MacAddr([a, b, c, d, e, f])
    }

    /// The source address.
    #[inline]
    pub const fn source(&self) -> MacAddr {
        let [_, _, _, _, _, _, a, b, c, d, e, f, ..] = *self.header;
        MacAddr([a, b, c, d, e, f])
    }

    /// The EtherType. Tagged frames (802.1Q) show the tag's: ports take tags off.
    #[inline]
    pub const fn ethertype(&self) -> u16 {
        let [.., high, low] = *self.header;
        u16::from_be_bytes([high, low])
    }

    /// What follows the header, padding included.
    #[inline]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// The header of a frame to send.
#[inline]
pub(super) const fn header(
    destination: MacAddr,
    source: MacAddr,
    ethertype: u16,
) -> [u8; HEADER_LEN] {
    let [d0, d1, d2, d3, d4, d5] = destination.0;
    let [s0, s1, s2, s3, s4, s5] = source.0;
    let [high, low] = ethertype.to_be_bytes();
    [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, high, low]
}

/// Whether a frame to this address reaches more than one station.
pub(super) const fn is_group(mac: MacAddr) -> bool {
    let [first, ..] = mac.0;
    first & 1 != 0
}
