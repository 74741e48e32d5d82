//! The advertisement to send: a whole Ethernet frame (RFC 9568 sections 5.1, 5.2 and 7.2).

use core::mem;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::vrrp::{AUTH_LEN, HEADER_LEN};
use super::{Emitted, PROTOCOL, checksum, ethernet, ipv4, ipv6};
use crate::IPV6;
use crate::types::{AdvertInterval, Auth, MacAddr, Vrid};

/// The class of routing protocols, precedence internetwork control: CS6 (RFC 4594 section 3.1).
const TRAFFIC_CLASS: u8 = 0xc0;

/// The version of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WireVersion {
    /// VRRPv2 (RFC 3768), over IPv4 only.
    V2,
    /// VRRPv3 (RFC 9568).
    V3,
}

/// An advertisement, but for its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advert {
    /// The Ethernet source: the virtual MAC when there is one (M-14; RFC 9568 section 7.2).
    pub source_mac: MacAddr,
    /// The Ethernet destination: that of the group, or zero for the port to fill in.
    pub destination_mac: MacAddr,
    /// The sender's primary IPv4 address or link-local IPv6 address (RFC 9568 sections 5.1.1.1 and
    /// 5.1.2.1).
    pub source: IpAddr,
    /// The group, or a unicast peer; of the family of `source`.
    pub destination: IpAddr,
    /// TTL or hop limit: 255 (RFC 9568 sections 5.1.1.3 and 5.1.2.3).
    pub ttl: u8,
    /// The version of the message.
    pub version: WireVersion,
    /// The virtual router (RFC 9568 section 5.2.3).
    pub vrid: Vrid,
    /// The priority, 0 to say that we stop (RFC 9568 section 5.2.4).
    pub priority: u8,
    /// The interval (RFC 9568 section 5.2.7). Version 2 says whole seconds, rounded up.
    pub interval: AdvertInterval,
    /// Authentication, which version 2 alone has (RFC 2338 section 5.3.6).
    pub auth: Auth,
    /// Whether the checksum of version 3 over IPv4 covers a pseudo-header: RFC 5798 as widely read,
    /// against RFC 9568 section 5.2.8. Over IPv6 it always does, in version 2 never.
    pub pseudo_header: bool,
}

impl Advert {
    /// Writes the frame with these addresses to the beginning of `buf`, without padding and FCS.
    ///
    /// Returns `None` if `buf` is too small, if there are more than 255 addresses, or none in version 3.
    /// The same holds if source, destination and addresses are not of one family that the version has.
    /// `buf` may then hold a part of the frame.
    #[inline]
    pub fn emit(&self, buf: &mut [u8], addresses: impl Iterator<Item = IpAddr>) -> Option<Emitted> {
        self.emit_with(None, buf, addresses)
    }

    /// As [`emit`](Self::emit). A `header` is that of the same message, worked out before: nothing
    /// is summed then.
    // Inlined, as what it calls and `VirtualRouter::advert` are: a caller who has a header pays for
    // nothing else. It saves 210 instructions of each advertisement sent (`cargo xtask bench`).
    #[cfg_attr(feature = "large", inline(always))]
    pub(crate) fn emit_with(
        &self,
        header: Option<[u8; HEADER_LEN]>,
        buf: &mut [u8],
        addresses: impl Iterator<Item = IpAddr>,
    ) -> Option<Emitted> {
        match (self.source, self.destination, self.version) {
            (IpAddr::V4(source), IpAddr::V4(destination), _) => {
                self.emit_v4(header, buf, source, destination, addresses)
            }
            (IpAddr::V6(source), IpAddr::V6(destination), WireVersion::V3) if IPV6 => {
                self.emit_v6(header, buf, source, destination, addresses)
            }
            _ => None,
        }
    }

    #[cfg_attr(feature = "large", inline(always))]
    fn emit_v4(
        &self,
        header: Option<[u8; HEADER_LEN]>,
        buf: &mut [u8],
        source: Ipv4Addr,
        destination: Ipv4Addr,
        addresses: impl Iterator<Item = IpAddr>,
    ) -> Option<Emitted> {
        const OFFSET: usize = ethernet::HEADER_LEN + ipv4::HEADER_LEN;
        let (ethernet, rest) = buf.split_first_chunk_mut()?;
        let (ip, rest) = rest.split_first_chunk_mut()?;
        let (message, mut rest) = rest.split_first_chunk_mut()?;

        let (mut count, mut sum) = (0u8, 0);
        for address in addresses {
            let IpAddr::V4(address) = address else {
                return None;
            };
            let (slot, tail) = mem::take(&mut rest).split_first_chunk_mut()?;
            *slot = address.octets();
            rest = tail;
            sum += checksum::v4(address);
            count = count.checked_add(1)?;
        }
        let mut len = HEADER_LEN as u16 + u16::from(count) * 4;
        if self.version == WireVersion::V2 {
            let data: &mut [u8; AUTH_LEN] = rest.first_chunk_mut()?;
            match self.auth {
                Auth::None => *data = [0; AUTH_LEN],
                Auth::Simple(password) => {
                    *data = password;
                    sum += checksum::sum(&password);
                }
            }
            len += AUTH_LEN as u16;
        } else if self.pseudo_header {
            sum += checksum::pseudo_v4(source, destination, PROTOCOL, len);
        }

        *message = match header {
            Some(header) => header,
            None => self.message_header(count, sum)?,
        };
        *ip = ipv4::header(TRAFFIC_CLASS, self.ttl, source, destination, len);
        *ethernet = ethernet::header(self.destination_mac, self.source_mac, ethernet::IPV4);
        Some(Emitted {
            len: OFFSET + usize::from(len),
            ip_offset: ethernet::HEADER_LEN as u16,
            payload_offset: OFFSET as u16,
        })
    }

    #[cfg_attr(feature = "large", inline(always))]
    fn emit_v6(
        &self,
        header: Option<[u8; HEADER_LEN]>,
        buf: &mut [u8],
        source: Ipv6Addr,
        destination: Ipv6Addr,
        addresses: impl Iterator<Item = IpAddr>,
    ) -> Option<Emitted> {
        const OFFSET: usize = ethernet::HEADER_LEN + ipv6::HEADER_LEN;
        let (ethernet, rest) = buf.split_first_chunk_mut()?;
        let (ip, rest) = rest.split_first_chunk_mut::<{ ipv6::HEADER_LEN }>()?;
        let (message, mut rest) = rest.split_first_chunk_mut()?;

        let (mut count, mut sum) = (0u8, 0);
        for address in addresses {
            let IpAddr::V6(address) = address else {
                return None;
            };
            let (slot, tail) = mem::take(&mut rest).split_first_chunk_mut()?;
            *slot = address.octets();
            rest = tail;
            sum += checksum::v6(address);
            count = count.checked_add(1)?;
        }
        let len = HEADER_LEN as u16 + u16::from(count) * 16;
        sum += checksum::pseudo_v6(source, destination, PROTOCOL, len);

        *message = match header {
            Some(header) => header,
            None => self.message_header(count, sum)?,
        };
        let ip_header = ipv6::Header {
            traffic_class: TRAFFIC_CLASS,
            next_header: PROTOCOL,
            hop_limit: self.ttl,
            source,
            destination,
        };
        ip_header.write(ip, len)?;
        *ethernet = ethernet::header(self.destination_mac, self.source_mac, ethernet::IPV6);
        Some(Emitted {
            len: OFFSET + usize::from(len),
            ip_offset: ethernet::HEADER_LEN as u16,
            payload_offset: OFFSET as u16,
        })
    }

    /// The fixed part of the message, with the checksum over itself and over what `sum` has summed.
    /// `None` without addresses in version 3.
    //= RFC 9568 section 5.2, RFC 3768 section 5.3
    // V-8, V-12, G-1
    fn message_header(&self, count: u8, sum: u32) -> Option<[u8; HEADER_LEN]> {
        if count == 0 && self.version == WireVersion::V3 {
            return None;
        }
        let (version_type, interval) = match (self.version, self.auth) {
            (WireVersion::V3, _) => (0x31, self.interval.as_centis()),
            (WireVersion::V2, Auth::None) => (0x21, v2_interval(0, self.interval)),
            (WireVersion::V2, Auth::Simple(_)) => (0x21, v2_interval(1, self.interval)),
        };
        let vrid = self.vrid.get();
        let sum = sum
            + u32::from(u16::from_be_bytes([version_type, vrid]))
            + u32::from(u16::from_be_bytes([self.priority, count]))
            + u32::from(interval);
        let ([i0, i1], [c0, c1]) = (interval.to_be_bytes(), checksum::field(sum).to_be_bytes());
        Some([version_type, vrid, self.priority, count, i0, i1, c0, c1])
    }
}

/// The authentication type and the interval, where version 3 has its interval (RFC 3768 section
/// 5.1). Nobody is told of less than a second.
fn v2_interval(auth_type: u8, interval: AdvertInterval) -> u16 {
    u16::from_be_bytes([auth_type, interval.as_secs_rounded_up()])
}
