//! A VRRP message with the headers that brought it: the one parse of a frame.

use core::net::IpAddr;

use super::{PROTOCOL, ethernet, ipv4, ipv6, vrrp};
use crate::IPV6;
use crate::types::{Family, MacAddr, Vrid};
use crate::verdict::DropReason;

/// A VRRP message, and the fields of its IP and Ethernet headers that the rules ask for.
///
/// A port that is handed IP payloads by its stack fills one by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Datagram<'f> {
    /// The source of the IP packet.
    pub source: IpAddr,
    /// Its destination, of the same family.
    pub destination: IpAddr,
    /// Its TTL or hop limit on arrival.
    pub ttl: u8,
    /// The source MAC, where the port knows it.
    pub source_mac: Option<MacAddr>,
    /// The payload of the IP packet.
    pub message: &'f [u8],
}

impl<'f> Datagram<'f> {
    /// Reads a frame from its Ethernet header on, VLAN tag removed. Returns `Ok(None)` if it is not
    /// VRRP.
    ///
    /// # Errors
    /// Those of [`ipv4::View::new`] and [`ipv6::View::new`].
    #[cfg_attr(feature = "large", inline)]
    #[cfg_attr(not(feature = "large"), inline(never))]
    pub fn new(frame: &'f [u8]) -> Result<Option<Datagram<'f>>, DropReason> {
        let Some(ethernet) = ethernet::View::new(frame) else {
            return Ok(None);
        };
        let source_mac = Some(ethernet.source());
        let bytes = ethernet.payload();
        match ethernet.ethertype() {
            ethernet::IPV4 if ipv4::protocol_of(bytes) == Some(PROTOCOL) => {
                let ip = ipv4::View::new(bytes)?;
                Ok(Some(Datagram {
                    source: ip.source().into(),
                    destination: ip.destination().into(),
                    ttl: ip.ttl(),
                    source_mac,
                    message: ip.payload(),
                }))
            }
            ethernet::IPV6 if IPV6 && ipv6::next_header_of(bytes) == Some(PROTOCOL) => {
                let ip = ipv6::View::new(bytes)?;
                Ok(Some(Datagram {
                    source: ip.source().into(),
                    destination: ip.destination().into(),
                    ttl: ip.hop_limit(),
                    source_mac,
                    message: ip.payload(),
                }))
            }
            _ => Ok(None),
        }
    }

    /// The family of the packet.
    #[inline]
    pub fn family(&self) -> Family {
        Family::of(self.source)
    }

    /// The VRID that the message names, whatever else is wrong with it. Returns `None` if it is cut
    /// short before, or names none.
    #[inline]
    pub fn vrid(&self) -> Option<Vrid> {
        Vrid::new(vrrp::peek_vrid(self.message)?)
    }

    /// The message, its checksum not looked at.
    ///
    /// # Errors
    /// Those of [`vrrp::View::new`].
    #[inline]
    pub fn advert(&self) -> Result<vrrp::View<'f>, DropReason> {
        vrrp::View::new(self.message, self.family())
    }

    /// The form in which the checksum of a message is right that came in this packet (V-5).
    #[inline]
    pub fn checksum(&self, advert: &vrrp::View<'_>) -> vrrp::ChecksumForm {
        #[cfg(feature = "hmac")]
        if advert.has_trailer(self.message) && self.family().is_ipv6() {
            // H-9
            return advert.checksum_with(self.message, self.source, self.destination);
        }
        advert.checksum(self.source, self.destination)
    }
}
