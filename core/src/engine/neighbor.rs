//! Neighbour requests, for the MAC of an address, and their answers.

use core::net::IpAddr;

use crate::IPV6;
use crate::output::FrameKind;
use crate::types::MacAddr;
use crate::wire::{Emitted, arp, ethernet, ndisc};

/// An ARP request, or a neighbour solicitation and the MAC that it came from.
pub(super) enum NeighborRequest {
    Arp(arp::Request),
    Ndisc(ndisc::Solicitation, MacAddr),
}

impl NeighborRequest {
    pub(super) fn new(frame: &[u8]) -> Option<Self> {
        let ethernet = ethernet::View::new(frame)?;
        match ethernet.ethertype() {
            ethernet::ARP => arp::Request::new(ethernet.payload()).map(NeighborRequest::Arp),
            ethernet::IPV6 if IPV6 => ndisc::Solicitation::new(ethernet.payload())
                .map(|s| NeighborRequest::Ndisc(s, ethernet.source())),
            _ => None,
        }
    }

    pub(super) fn target(&self) -> IpAddr {
        match self {
            NeighborRequest::Arp(request) => request.target_ip.into(),
            NeighborRequest::Ndisc(solicitation, _) => solicitation.target.into(),
        }
    }

    /// M-4: the answer names the MAC that serves the address and no other.
    pub(super) fn answer(&self, buf: &mut [u8], mac: MacAddr) -> Option<(Emitted, FrameKind)> {
        match self {
            NeighborRequest::Arp(request) => {
                Some((arp::emit_reply(buf, mac, request)?, FrameKind::ArpReply))
            }
            NeighborRequest::Ndisc(..) if !IPV6 => None,
            NeighborRequest::Ndisc(solicitation, asker) => Some((
                ndisc::emit_na_reply(buf, mac, solicitation, *asker)?,
                FrameKind::NaReply,
            )),
        }
    }
}
