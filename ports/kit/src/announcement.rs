//! Tells announcements from other frames.

use vrrp_core::wire::{arp, ethernet, ndisc};
use vrrp_host::{HostIf, Incoming};

/// A frame as the host takes it, for a port that hears everything by one descriptor.
pub fn incoming(host_if: HostIf, frame: &[u8]) -> Incoming<'_> {
    if is_announcement(frame) {
        Incoming::Announcement { host_if, frame }
    } else {
        Incoming::Frame { host_if, frame }
    }
}

/// Whether a frame says by itself who has an address: an ARP reply, an ARP request for the sender's own
/// address, or a neighbour advertisement. Nobody is to answer it.
fn is_announcement(frame: &[u8]) -> bool {
    let Some(frame) = ethernet::View::new(frame) else {
        return false;
    };
    let payload = frame.payload();
    match frame.ethertype() {
        ethernet::ARP => arp::Packet::new(payload)
            .is_some_and(|packet| !packet.is_request || packet.sender_ip == packet.target_ip),
        ethernet::IPV6 => ndisc::Neighbour::new(payload).is_some_and(|n| !n.is_solicitation),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_are_told_from_questions() {
        let mac = vrrp_core::MacAddr([2, 0, 0, 0, 0, 9]);
        let mut buf = [0; 128];
        let emitted = arp::emit_gratuitous(&mut buf, mac, [10, 0, 0, 1].into()).unwrap();
        let mut frame = buf[..emitted.len].to_vec();
        assert!(is_announcement(&frame));
        frame[41] = 2;
        assert!(!is_announcement(&frame), "a request");
        frame[21] = 2;
        assert!(is_announcement(&frame), "a reply");
        let address = "2001:db8::1".parse().unwrap();
        let emitted = ndisc::emit_unsolicited_na(&mut buf, mac, address).unwrap();
        let mut frame = buf[..emitted.len].to_vec();
        assert!(is_announcement(&frame));
        frame[54] = 135;
        assert!(!is_announcement(&frame));
        assert!(!is_announcement(&frame[..13]));
    }
}
