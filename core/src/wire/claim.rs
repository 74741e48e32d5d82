//! Claims: packets by which a host says that it has an address.

use core::net::IpAddr;

use super::{arp, ethernet, ndisc};
use crate::IPV6;
use crate::types::MacAddr;

/// The statement of a host that it has an address: by the sender of an ARP packet, or by the target of a
/// neighbour advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The address.
    pub address: IpAddr,
    /// The MAC that it is at.
    pub mac: MacAddr,
}

impl Claim {
    /// Reads a frame from its Ethernet header on. Returns `None` if it claims no address.
    pub fn new(frame: &[u8]) -> Option<Claim> {
        let frame = ethernet::View::new(frame)?;
        let claim = match frame.ethertype() {
            ethernet::ARP => {
                let packet = arp::Packet::new(frame.payload())?;
                Claim {
                    address: packet.sender_ip.into(),
                    mac: packet.sender_mac,
                }
            }
            ethernet::IPV6 if IPV6 => {
                let advertisement = ndisc::Advertisement::new(frame.payload())?;
                Claim {
                    address: advertisement.target.into(),
                    mac: advertisement.target_mac.unwrap_or(frame.source()),
                }
            }
            _ => return None,
        };
        (claim.mac != MacAddr::default()).then_some(claim)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, clippy::unwrap_used)]
mod tests {
    use super::*;

    const MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 9]);

    #[test]
    fn a_claim_is_read_from_every_arp_packet_with_a_sender() {
        let mut buf = [0; 128];
        let emitted = arp::emit_gratuitous(&mut buf, MAC, [10, 0, 0, 100].into()).unwrap();
        let request = buf[..emitted.len].to_vec();
        let claim = Claim {
            address: [10, 0, 0, 100].into(),
            mac: MAC,
        };
        assert_eq!(Claim::new(&request), Some(claim));
        let mut reply = request.clone();
        reply[21] = 2;
        assert_eq!(Claim::new(&reply), Some(claim));
        for len in 0..request.len() {
            assert_eq!(Claim::new(&request[..len]), None);
        }
        let mut of_nobody = request;
        of_nobody[22..28].fill(0);
        assert_eq!(Claim::new(&of_nobody), None);
    }

    #[test]
    #[cfg(feature = "ipv6")]
    fn a_claim_is_read_from_advertisements_and_not_from_solicitations() {
        let mut buf = [0; 128];
        let address = "2001:db8::1".parse().unwrap();
        let emitted = ndisc::emit_unsolicited_na(&mut buf, MAC, address).unwrap();
        let frame = buf[..emitted.len].to_vec();
        let claim = Claim {
            address: address.into(),
            mac: MAC,
        };
        assert_eq!(Claim::new(&frame), Some(claim));
        let with = |at: usize, octet: u8| {
            let mut frame = frame.clone();
            frame[at] = octet;
            frame
        };
        assert_eq!(Claim::new(&with(54, 135)), None);
        assert_eq!(Claim::new(&with(21, 254)), None, "from beyond a router");
        let mut other_source = with(78, 1);
        other_source[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 7]);
        let of_frame = Claim {
            mac: MacAddr([2, 0, 0, 0, 0, 7]),
            ..claim
        };
        assert_eq!(Claim::new(&other_source), Some(of_frame));
        assert_eq!(Claim::new(&other_source[..78]), Some(of_frame));
        for len in 0..78 {
            assert_eq!(Claim::new(&frame[..len]), None);
        }
    }
}
