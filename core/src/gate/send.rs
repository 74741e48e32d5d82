//! The way out.

use core::net::IpAddr;

use super::{Discard, Gate, IFINDEX};
use crate::IPV6;
use crate::types::MacAddr;
use crate::wire::{arp, ethernet, ipv4, ipv6, ndisc};

/// The place where a frame from the stack names its sender.
enum Sender {
    /// In the Ethernet header alone.
    Ip(IpAddr),
    Arp(IpAddr),
    /// In an option of neighbour discovery as well.
    Neighbour(IpAddr),
    None,
}

impl<const VRS: usize, const ADDRS: usize> Gate<VRS, ADDRS> {
    /// Takes a frame that the stack sends, and writes the virtual MAC to it wherever it names the
    /// sender, if that is a virtual address (M-4, M-14).
    ///
    /// # Errors
    /// [`Discard::FromUnserved`], counted: the frame must not be sent.
    pub fn send(&mut self, frame: &mut [u8]) -> Result<(), Discard> {
        let done = self.rewrite(frame);
        if let Err(reason) = done {
            self.count_discard(reason);
        }
        done
    }

    fn rewrite(&self, frame: &mut [u8]) -> Result<(), Discard> {
        let sender = sender(frame);
        let (Sender::Ip(address) | Sender::Arp(address) | Sender::Neighbour(address)) = sender
        else {
            return Ok(());
        };
        let Some(holding) = self.engine.virtual_address(IFINDEX, address) else {
            return Ok(());
        };
        if !(holding.served && holding.accept) {
            return match holding.own {
                true => Ok(()),
                false => Err(Discard::FromUnserved),
            };
        }
        ethernet::set_source(frame, holding.mac);
        match sender {
            Sender::Arp(_) => arp::set_sender_mac(frame, holding.mac),
            Sender::Neighbour(_) if IPV6 => {
                let own: MacAddr = self.interface().mac;
                ndisc::replace_mac(frame, own, holding.mac);
            }
            _ => {}
        }
        Ok(())
    }
}

/// The address that a frame speaks for. A neighbour advertisement speaks for its target.
fn sender(frame: &[u8]) -> Sender {
    let Some(ethernet) = ethernet::View::new(frame) else {
        return Sender::None;
    };
    let payload = ethernet.payload();
    let sender = match ethernet.ethertype() {
        ethernet::ARP => arp::Packet::new(payload).map(|p| Sender::Arp(p.sender_ip.into())),
        ethernet::IPV4 => ipv4::addresses_of(payload).map(|(source, _)| Sender::Ip(source.into())),
        ethernet::IPV6 if IPV6 => match ndisc::Neighbour::new(payload) {
            Some(message) if !message.is_solicitation => {
                Some(Sender::Neighbour(message.target.into()))
            }
            _ => ipv6::addresses_of(payload).map(|(source, _)| Sender::Neighbour(source.into())),
        },
        _ => None,
    };
    sender.unwrap_or(Sender::None)
}

/// Writes zero in the place of checksums that the device fills in: that of the IPv4 header (`ipv4`),
/// that of ICMPv6 (`icmpv6`). For each frame that goes to a device which sums what it finds there and
/// so wants zero; others overwrite it.
pub fn zero_checksums(frame: &mut [u8], ipv4: bool, icmpv6: bool) {
    let Some(ethernet) = ethernet::View::new(frame) else {
        return;
    };
    let at = match ethernet.ethertype() {
        ethernet::IPV4 if ipv4 => Some(ipv4::CHECKSUM_AT),
        ethernet::IPV6 if IPV6 && icmpv6 => ndisc::checksum_at(ethernet.payload()),
        _ => None,
    };
    let field = at.and_then(|at| frame.get_mut(ethernet::HEADER_LEN + at..));
    if let Some(field) = field.and_then(|field| field.first_chunk_mut()) {
        *field = [0; 2];
    }
}
