//! The IPv6 header (RFC 8200). Extension headers are not walked: an advertisement has none
//! (RFC 9568 section 5.1.2.4), and a packet that has one is not for the engine.

use core::net::Ipv6Addr;

use crate::verdict::DropReason;

/// The length of the header in octets.
pub const HEADER_LEN: usize = 40;

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
    /// [`DropReason::BadHeader`]: cut short, not version 6, or a payload length beyond `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<View<'a>, DropReason> {
        let Some((header, after)) = bytes.split_first_chunk::<HEADER_LEN>() else {
            return Err(DropReason::BadHeader);
        };
        let [version, _, _, _, len_high, len_low, ..] = *header;
        if version >> 4 != 6 {
            return Err(DropReason::BadHeader);
        }
        match after.get(..usize::from(u16::from_be_bytes([len_high, len_low]))) {
            Some(payload) => Ok(View { header, payload }),
            None => Err(DropReason::BadHeader),
        }
    }

    /// The source address.
    #[inline]
    pub fn source(&self) -> Ipv6Addr {
        let [_, _, _, _, _, _, _, _, rest @ ..] = self.header;
        rest.first_chunk::<16>()
            .map_or(Ipv6Addr::UNSPECIFIED, |octets| Ipv6Addr::from(*octets))
    }

    /// The destination address.
    #[inline]
    pub fn destination(&self) -> Ipv6Addr {
        self.header
            .last_chunk::<16>()
            .map_or(Ipv6Addr::UNSPECIFIED, |octets| Ipv6Addr::from(*octets))
    }

    /// The hop limit as it arrived.
    #[inline]
    pub const fn hop_limit(&self) -> u8 {
        let [_, _, _, _, _, _, _, hop_limit, ..] = *self.header;
        hop_limit
    }

    /// The type of the next header: a protocol, or an extension header.
    #[inline]
    pub const fn next_header(&self) -> u8 {
        let [_, _, _, _, _, _, next_header, ..] = *self.header;
        next_header
    }

    /// The octets after the header, up to the payload length.
    #[inline]
    pub const fn payload(&self) -> &'a [u8] {
        self.payload
    }
}

/// The next header field of a packet that nothing has checked. `None` when the packet ends before
/// it.
#[inline]
pub fn next_header_of(bytes: &[u8]) -> Option<u8> {
    bytes.get(6).copied()
}

/// The hop limit of a packet that nothing has checked. Returns `None` if the packet ends before it.
pub(super) fn hop_limit_of(bytes: &[u8]) -> Option<u8> {
    bytes.get(7).copied()
}

/// Source and destination of a packet that nothing has checked. `None` when it is not of version 6
/// or ends before them.
pub(crate) fn addresses_of(bytes: &[u8]) -> Option<(Ipv6Addr, Ipv6Addr)> {
    let ([version, ..], rest) = bytes.split_first_chunk::<8>()?;
    let (source, rest) = rest.split_first_chunk::<16>()?;
    let destination = rest.first_chunk::<16>()?;
    (version >> 4 == 6).then_some((Ipv6Addr::from(*source), Ipv6Addr::from(*destination)))
}

/// The fields that differ among the packets that the engine sends.
pub(super) struct Header {
    /// The traffic class (RFC 8200 section 7).
    pub(super) traffic_class: u8,
    pub(super) next_header: u8,
    pub(super) hop_limit: u8,
    pub(super) source: Ipv6Addr,
    pub(super) destination: Ipv6Addr,
}

impl Header {
    /// Writes the header of a packet of `payload_len` octets, without a flow label, to the beginning
    /// of `buf` and gives what follows it. `None` when it does not fit.
    #[inline]
    pub(super) fn write<'b>(&self, buf: &'b mut [u8], payload_len: u16) -> Option<&'b mut [u8]> {
        let [l0, l1] = payload_len.to_be_bytes();
        let (fixed, rest) = buf.split_first_chunk_mut()?;
        let (source, rest) = rest.split_first_chunk_mut()?;
        let (destination, rest) = rest.split_first_chunk_mut()?;
        *fixed = [
            0x60 | self.traffic_class >> 4,
            self.traffic_class << 4,
            0,
            0,
            l0,
            l1,
            self.next_header,
            self.hop_limit,
        ];
        *source = self.source.octets();
        *destination = self.destination.octets();
        Some(rest)
    }
}
