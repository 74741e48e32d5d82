//! The VRRP message, versions 2 and 3, as received (RFC 9568 section 5.2, RFC 3768 section 5.3).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{PROTOCOL, checksum};
use crate::IPV6;
use crate::engine::SMALL;
use crate::types::Family;
use crate::verdict::DropReason;

/// The length of the fixed part of a message in octets.
pub const HEADER_LEN: usize = 8;
/// The length of the authentication data that ends a version 2 message, in octets.
pub const AUTH_LEN: usize = 8;
/// The length of the trailer that signs a message, in octets (draft-cassen-vrrp-auth-hmac). It follows the
/// message within the IP payload, and the header of the message does not tell of it.
pub const TRAILER_LEN: usize = 28;

/// How the checksum of a message was made (V-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ChecksumForm {
    /// Over the message alone: version 2, and version 3 over IPv4 as RFC 9568 section 5.2.8 says.
    Plain,
    /// Over a pseudo-header and the message: version 3 over IPv6, and version 3 over IPv4 as RFC
    /// 5798 section 5.2.8 was widely read.
    PseudoHeader,
    /// In no form that the version and family allow.
    Wrong,
}

/// The length of a carp(4) advertisement in octets, and its fourth octet, where VRRP counts addresses.
const CARP: (usize, u8) = (36, 7);

/// A received message that holds everything that its header promises.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    header: [u8; HEADER_LEN],
    family: Family,
    addresses: &'a [u8],
    pdu: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks the shape of a message, which is the payload of an IP packet of `family`. Octets
    /// beyond the message are tolerated (V-4), reserved bits ignored (V-12; RFC 9568 section
    /// 5.2.6). The checksum is not looked at: see [`View::checksum`].
    ///
    /// # Errors
    /// In the order of the checks:
    /// - [`DropReason::Length`]: shorter than the fixed part (V-4).
    /// - [`DropReason::Carp`]: an advertisement of carp(4).
    /// - [`DropReason::Version`]: not 2 or 3, or 2 over IPv6 (V-2).
    /// - [`DropReason::Type`]: not an advertisement (V-3).
    /// - [`DropReason::NoAddresses`]: the count is zero (V-8).
    /// - [`DropReason::Length`]: the address list or the authentication data is cut short (V-4).
    #[inline]
    pub fn new(message: &'a [u8], family: Family) -> Result<View<'a>, DropReason> {
        let Some((header, rest)) = message.split_first_chunk::<HEADER_LEN>() else {
            return Err(DropReason::Length);
        };
        let [version_type, _, _, count, ..] = *header;
        if is_carp(message) {
            return Err(DropReason::Carp);
        }
        let auth_len = match (version_type >> 4, family) {
            (3, _) => 0,
            (2, Family::Ipv4) => AUTH_LEN,
            _ => return Err(DropReason::Version),
        };
        if version_type & 0x0f != 1 {
            return Err(DropReason::Type);
        }
        // V-8; VRRPv2 has no such rule, and a router that elects alone no address.
        if count == 0 && (SMALL || auth_len == 0) {
            return Err(DropReason::NoAddresses);
        }
        // V-11: the addresses are of the family that carries them.
        let list_len = usize::from(count) * family.address_len();
        let (Some(addresses), Some(pdu)) = (
            rest.get(..list_len),
            message.get(..HEADER_LEN + list_len + auth_len),
        ) else {
            return Err(DropReason::Length);
        };
        Ok(View {
            header: *header,
            family,
            addresses,
            pdu,
        })
    }

    /// The version, 2 or 3 (RFC 9568 section 5.2.1).
    #[inline]
    pub const fn version(&self) -> u8 {
        let [version_type, ..] = self.header;
        version_type >> 4
    }

    /// The virtual router identifier; 0 is possible and names none (RFC 9568 section 5.2.3).
    #[inline]
    pub const fn vrid(&self) -> u8 {
        let [_, vrid, ..] = self.header;
        vrid
    }

    /// The sender's priority, 0 when it stops (RFC 9568 section 5.2.4).
    #[inline]
    pub const fn priority(&self) -> u8 {
        let [_, _, priority, ..] = self.header;
        priority
    }

    /// The number of addresses, 1 to 255 (RFC 9568 section 5.2.5); version 2 says 0 as well.
    #[inline]
    pub const fn count(&self) -> u8 {
        let [_, _, _, count, ..] = self.header;
        count
    }

    /// The sender's interval in centiseconds: version 3 says 0 to 4095 (RFC 9568 section 5.2.7),
    /// version 2 whole seconds up to 255 (RFC 3768 section 5.3.7). Zero is for the caller to refuse.
    #[inline]
    pub const fn interval_cs(&self) -> u16 {
        let [_, _, _, _, high, low, ..] = self.header;
        if self.version() == 2 {
            low as u16 * 100
        } else {
            u16::from_be_bytes([high & 0x0f, low])
        }
    }

    /// The authentication type of a version 2 message (RFC 2338 section 5.3.6); 0 for version 3.
    #[inline]
    pub const fn auth_type(&self) -> u8 {
        let [_, _, _, _, auth_type, ..] = self.header;
        if self.version() == 2 { auth_type } else { 0 }
    }

    /// The authentication data of a version 2 message (RFC 2338 section 5.3.10); zeros for
    /// version 3.
    #[inline]
    pub fn auth_data(&self) -> [u8; AUTH_LEN] {
        match self.pdu.last_chunk() {
            Some(data) if self.version() == 2 => *data,
            _ => [0; AUTH_LEN],
        }
    }

    /// The virtual addresses in the order of the message (RFC 9568 section 5.2.9).
    #[inline]
    pub const fn addresses(&self) -> Addresses<'a> {
        Addresses {
            family: self.family,
            rest: self.addresses,
        }
    }

    /// The virtual addresses as they were sent, one after the other.
    #[inline]
    pub const fn address_octets(&self) -> &'a [u8] {
        self.addresses
    }

    /// The message as it was sent, without what may follow it.
    #[inline]
    pub const fn pdu(&self) -> &'a [u8] {
        self.pdu
    }

    /// Whether `message`, the IP payload that this view was made of, ends in a trailer that signs it
    /// (H-1). Padding cannot be taken for one: Ethernet's is behind the length that IP says.
    #[inline]
    pub const fn has_trailer(&self, message: &[u8]) -> bool {
        message.len() == self.pdu.len() + TRAILER_LEN
    }

    /// The checksum field as it arrived (RFC 9568 section 5.2.8).
    #[inline]
    pub const fn checksum_field(&self) -> u16 {
        let [.., high, low] = self.header;
        u16::from_be_bytes([high, low])
    }

    /// Finds the form in which the checksum is right, for a message that came in an IP packet from
    /// `source` to `destination`.
    //= RFC 9568 section 5.2.8, RFC 3768 section 5.3.8
    // V-5
    #[inline]
    pub fn checksum(&self, source: IpAddr, destination: IpAddr) -> ChecksumForm {
        self.checksum_with(self.pdu, source, destination)
    }

    /// As [`checksum`](Self::checksum), with what the checksum covers.
    #[inline]
    pub(super) fn checksum_with(
        &self,
        covered: &[u8],
        source: IpAddr,
        destination: IpAddr,
    ) -> ChecksumForm {
        let message = checksum::sum(covered);
        if self.family == Family::Ipv4 && checksum::fold(message) == 0xffff {
            return ChecksumForm::Plain;
        }
        // At most 8 + 255 * 16 + 28 octets.
        let len = covered.len() as u16;
        let pseudo = match (source, destination) {
            (IpAddr::V4(s), IpAddr::V4(d)) if self.version() == 3 => {
                checksum::pseudo_v4(s, d, PROTOCOL, len)
            }
            (IpAddr::V6(s), IpAddr::V6(d)) if IPV6 => checksum::pseudo_v6(s, d, PROTOCOL, len),
            _ => return ChecksumForm::Wrong,
        };
        if checksum::fold(message + pseudo) == 0xffff {
            ChecksumForm::PseudoHeader
        } else {
            ChecksumForm::Wrong
        }
    }
}

/// The virtual addresses of a message, in its order.
#[derive(Clone, Debug)]
pub struct Addresses<'a> {
    family: Family,
    rest: &'a [u8],
}

impl Iterator for Addresses<'_> {
    type Item = IpAddr;

    #[inline]
    fn next(&mut self) -> Option<IpAddr> {
        match self.family {
            Family::Ipv4 => {
                let (octets, rest) = self.rest.split_first_chunk::<4>()?;
                self.rest = rest;
                Some(IpAddr::V4(Ipv4Addr::from(*octets)))
            }
            Family::Ipv6 => {
                let (octets, rest) = self.rest.split_first_chunk::<16>()?;
                self.rest = rest;
                Some(IpAddr::V6(Ipv6Addr::from(*octets)))
            }
        }
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match self.family {
            Family::Ipv4 => self.rest.len() / 4,
            Family::Ipv6 => self.rest.len() / 16,
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for Addresses<'_> {}

/// Whether a message is an advertisement of carp(4). As VRRPv2 it would be cut short: seven addresses
/// and the authentication data make 44 octets.
#[inline]
pub fn is_carp(message: &[u8]) -> bool {
    matches!(message, [0x21, _, _, count, ..] if (message.len(), *count) == CARP)
}

/// The VRID of a message that nothing has checked. `None` when the message ends before it.
#[inline]
pub fn peek_vrid(message: &[u8]) -> Option<u8> {
    message.get(1).copied()
}
