//! Reads from a frame who sent which advertisement, for those who are not the engine.

use std::net::IpAddr;

use vrrp_core::wire::vrrp::{self, ChecksumForm};
use vrrp_core::wire::{PROTOCOL, ethernet, ipv4, ipv6};
use vrrp_core::{DropReason, Family, MacAddr};

/// A frame that holds an IP packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) mac: MacAddr,
    pub(crate) source: IpAddr,
    pub(crate) family: Family,
    pub(crate) destination: IpAddr,
    pub(crate) ttl: u8,
    protocol: u8,
    message: &'a [u8],
}

impl<'a> Heard<'a> {
    /// `None` when there is no sound IP packet in the frame.
    pub(crate) fn new(frame: &'a [u8]) -> Option<Self> {
        let frame = ethernet::View::new(frame)?;
        let mac = frame.source();
        match frame.ethertype() {
            ethernet::IPV4 => {
                let ip = ipv4::View::new(frame.payload()).ok()?;
                Some(Self {
                    mac,
                    source: IpAddr::V4(ip.source()),
                    family: Family::Ipv4,
                    destination: IpAddr::V4(ip.destination()),
                    ttl: ip.ttl(),
                    protocol: ip.protocol(),
                    message: ip.payload(),
                })
            }
            ethernet::IPV6 => {
                let ip = ipv6::View::new(frame.payload()).ok()?;
                Some(Self {
                    mac,
                    source: IpAddr::V6(ip.source()),
                    family: Family::Ipv6,
                    destination: IpAddr::V6(ip.destination()),
                    ttl: ip.hop_limit(),
                    protocol: ip.next_header(),
                    message: ip.payload(),
                })
            }
            _ => None,
        }
    }

    /// The VRID that the message names, whatever else is wrong with it.
    pub(crate) fn vrid(&self) -> Option<u8> {
        (self.protocol == PROTOCOL)
            .then(|| vrrp::peek_vrid(self.message))
            .flatten()
    }

    /// The version and the priority, which every version has in the same places.
    pub(crate) fn version_and_priority(&self) -> Option<(u8, u8)> {
        match *self.message {
            [version_type, _, priority, ..] if self.protocol == PROTOCOL => {
                Some((version_type >> 4, priority))
            }
            _ => None,
        }
    }

    /// The advertisement, its checksum not looked at.
    pub(crate) fn advert(&self) -> Result<vrrp::View<'a>, DropReason> {
        vrrp::View::new(self.message, self.family)
    }

    /// The advertisement, when it came from this link (V-1) with a good checksum (V-5).
    pub(crate) fn sound_advert(&self) -> Option<vrrp::View<'a>> {
        let advert = self.advert().ok()?;
        let sound = self.protocol == PROTOCOL
            && self.ttl == 255
            && advert.checksum(self.source, self.destination) != ChecksumForm::Wrong;
        sound.then_some(advert)
    }
}
