//! Frames by which switches learn where a virtual MAC is when advertisements do not tell them: those
//! to unicast peers leave from the interface's own MAC, since the kernel routes them. Without, a
//! switch forgets the virtual MAC after its ageing time and floods all that is sent to it.

use std::net::IpAddr;

use vrrp_core::wire::{arp, ndisc};
use vrrp_core::{FrameKind, MacMode, Transmit};

use super::core::Vr;

/// The longest learning frame: a neighbour advertisement.
const MAX_FRAME: usize = 86;

/// A frame from the virtual MAC to itself. The switch learns from its source, and drops it, because
/// the destination is where it came from; a host that hears it takes no notice.
#[derive(Debug)]
pub(super) struct LearningFrame {
    buf: [u8; MAX_FRAME],
    len: usize,
    payload_offset: u16,
    kind: FrameKind,
}

impl LearningFrame {
    /// Makes the frame that goes with an advertisement: one for each round of advertisements to
    /// unicast peers of a virtual router with a virtual MAC.
    pub(super) fn for_advertisement(vr: &Vr, transmit: &Transmit<'_>) -> Option<Self> {
        if transmit.kind != FrameKind::Advertisement {
            return None;
        }
        let spec = vr.current.as_ref()?;
        let first = transmit.unicast.is_some() && transmit.unicast.as_ref() == spec.peers.first();
        if !first || spec.settings.mac_mode != MacMode::Virtual {
            return None;
        }
        let mac = transmit.key.virtual_mac();
        let own = spec.addresses.iter().map(|entry| entry.address.address);
        let address = own.clone().find(|own| spec.device_of(*own).is_none());
        let mut buf = [0; MAX_FRAME];
        // It says the truth about an address, in a packet that every filter of ours lets out.
        let (emitted, kind) = match address.or_else(|| own.clone().next())? {
            IpAddr::V4(ip) => {
                let emitted = arp::emit_gratuitous(&mut buf, mac, ip)?;
                (emitted, FrameKind::GratuitousArp)
            }
            IpAddr::V6(ip) => {
                let emitted = ndisc::emit_unsolicited_na(&mut buf, mac, ip)?;
                (emitted, FrameKind::UnsolicitedNa)
            }
        };
        let (destination, _) = buf.split_first_chunk_mut()?;
        *destination = mac.0;
        Some(Self {
            buf,
            len: emitted.len,
            payload_offset: emitted.payload_offset,
            kind,
        })
    }

    /// The frame as the platform takes it, on behalf of the virtual router of `advertisement`.
    pub(super) fn transmit(&self, advertisement: &Transmit<'_>) -> Transmit<'_> {
        Transmit {
            key: advertisement.key,
            frame: self.buf.get(..self.len).unwrap_or_default(),
            ip_offset: advertisement.ip_offset,
            payload_offset: self.payload_offset,
            kind: self.kind,
            unicast: None,
        }
    }
}
