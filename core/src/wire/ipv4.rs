//! The IPv4 header (RFC 791).

use core::net::Ipv4Addr;

use super::{PROTOCOL, checksum};
use crate::verdict::DropReason;

/// The length of a header without options, in octets.
pub const HEADER_LEN: usize = 20;
/// The offset of the checksum in the header.
pub(crate) const CHECKSUM_AT: usize = 10;

/// A received packet whose header agrees with itself.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    header: &'a [u8; HEADER_LEN],
    payload: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks the header; `bytes` begin with it and may be longer than the packet (Ethernet pads).
    ///
    /// # Errors
    /// - [`DropReason::BadHeader`]: cut short, not version 4, a header length below 20 octets or
    ///   beyond the total length, or a total length beyond `bytes`.
    /// - [`DropReason::IpChecksum`]: the header checksum is wrong (RFC 791 section 3.1).
    /// - [`DropReason::Fragment`]: a fragment, first or later. No advertisement is longer than the
    ///   smallest MTU that its address list needs, and the engine reassembles nothing.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<View<'a>, DropReason> {
        let Some((header, after)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(DropReason::BadHeader);
        };
        let [
            version_ihl,
            _,
            len_high,
            len_low,
            _,
            _,
            fragment_high,
            fragment_low,
            ..,
        ] = *header;
        if version_ihl >> 4 != 4 {
            return Err(DropReason::BadHeader);
        }
        let header_len = usize::from(version_ihl & 0x0f) * 4;
        let total_len = usize::from(u16::from_be_bytes([len_high, len_low]));
        let options_len = header_len.checked_sub(HEADER_LEN);
        let rest_len = total_len.checked_sub(HEADER_LEN);
        let (Some(options_len), Some(rest_len)) = (options_len, rest_len) else {
            return Err(DropReason::BadHeader);
        };
        let Some((options, payload)) = after
            .get(..rest_len)
            .and_then(|rest| rest.split_at_checked(options_len))
        else {
            return Err(DropReason::BadHeader);
        };
        let right = match options.is_empty() {
            true => checksum::is_right(header),
            false => checksum::fold(checksum::sum(header) + checksum::sum(options)) == 0xffff,
        };
        if !right {
            return Err(DropReason::IpChecksum);
        }
        // More Fragments, or an offset. Don't Fragment and the reserved bit say nothing here.
        if u16::from_be_bytes([fragment_high, fragment_low]) & 0x3fff != 0 {
            return Err(DropReason::Fragment);
        }
        Ok(View { header, payload })
    }

    /// The source address.
    #[inline]
    pub const fn source(&self) -> Ipv4Addr {
        let [.., a, b, c, d, _, _, _, _] = *self.header;
        Ipv4Addr::new(a, b, c, d)
    }

    /// The destination address.
    #[inline]
    pub const fn destination(&self) -> Ipv4Addr {
        let [.., a, b, c, d] = *self.header;
        Ipv4Addr::new(a, b, c, d)
    }

    /// The time to live as it arrived.
    #[inline]
    pub const fn ttl(&self) -> u8 {
        let [_, _, _, _, _, _, _, _, ttl, ..] = *self.header;
        ttl
    }

    /// The protocol of the payload.
    #[inline]
    pub const fn protocol(&self) -> u8 {
        let [_, _, _, _, _, _, _, _, _, protocol, ..] = *self.header;
        protocol
    }

    /// The octets after the header and its options, up to the total length.
    #[inline]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// The protocol field of a packet that nothing has checked. `None` when the packet ends before it.
#[inline]
pub fn protocol_of(bytes: &[u8]) -> Option<u8> {
    bytes.get(9).copied()
}

/// Source and destination of a packet that nothing has checked. `None` when it is not of version 4
/// or ends before them.
pub(crate) fn addresses_of(bytes: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let header = bytes.first_chunk::<HEADER_LEN>()?;
    let [version_ihl, .., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    (version_ihl >> 4 == 4)
        .then_some((Ipv4Addr::new(s0, s1, s2, s3), Ipv4Addr::new(d0, d1, d2, d3)))
}

/// The header of an advertisement of `payload_len` octets. The identification is zero: it only
/// tells fragments apart, and on the way to a neighbour there are none.
// Saves 33 instructions of each advertisement.
#[cfg_attr(feature = "large", inline(always))]
pub(super) const fn header(
    tos: u8,
    ttl: u8,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    payload_len: u16,
) -> [u8; HEADER_LEN] {
    const VERSION_IHL: u8 = 0x45;
    let total_len = payload_len.wrapping_add(HEADER_LEN as u16);
    let sum = u16::from_be_bytes([VERSION_IHL, tos]) as u32
        + total_len as u32
        + u16::from_be_bytes([ttl, PROTOCOL]) as u32
        + checksum::v4(source)
        + checksum::v4(destination);
    let [l0, l1] = total_len.to_be_bytes();
    let [c0, c1] = checksum::field(sum).to_be_bytes();
    let [s0, s1, s2, s3] = source.octets();
    let [d0, d1, d2, d3] = destination.octets();
    [
        VERSION_IHL,
        tos,
        l0,
        l1,
        0,
        0,
        0,
        0,
        ttl,
        PROTOCOL,
        c0,
        c1,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ]
}
