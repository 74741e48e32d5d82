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
    destination: &'a [u8; 6],
    source: &'a [u8; 6],
    ethertype: &'a [u8; 2],
    payload: &'a [u8],
}

impl<'a> View<'a> {
    /// `None` when the frame is shorter than 14 octets.
    #[inline]
    pub const fn new(frame: &'a [u8]) -> Option<View<'a>> {
        let Some((destination, rest)) = frame.split_first_chunk() else {
            return None;
        };
        let Some((source, rest)) = rest.split_first_chunk() else {
            return None;
        };
        let Some((ethertype, payload)) = rest.split_first_chunk() else {
            return None;
        };
        Some(View {
            destination,
            source,
            ethertype,
            payload,
        })
    }

    /// The destination address.
    #[inline]
    pub const fn destination(&self) -> MacAddr {
        MacAddr(*self.destination)
    }

    /// The source address.
    #[inline]
    pub const fn source(&self) -> MacAddr {
        MacAddr(*self.source)
    }

    /// The EtherType. Tagged frames (802.1Q) show the tag's: ports take tags off.
    #[inline]
    pub const fn ethertype(&self) -> u16 {
        u16::from_be_bytes(*self.ethertype)
    }

    /// The octets after the header, padding included.
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
pub(crate) const fn is_group(mac: MacAddr) -> bool {
    let [first, ..] = mac.0;
    first & 1 != 0
}

/// Writes another source address to a frame.
pub(crate) fn set_source(frame: &mut [u8], mac: MacAddr) {
    if let Some(source) = frame.get_mut(6..12).and_then(|s| s.first_chunk_mut()) {
        *source = mac.0;
    }
}
