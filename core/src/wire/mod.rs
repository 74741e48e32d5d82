//! Wire formats, both directions. Nothing here knows of states or timers.
//!
//! A *view* checks once that everything is there and then reads fields from the received octets; a
//! *repr* ([`Advert`]) can only hold legal values and is written into the caller's buffer. Octets
//! that a view ignores are never judged, and nothing that is received can panic.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

mod advert;
pub mod arp;
pub mod checksum;
mod claim;
mod datagram;
pub mod ethernet;
pub mod igmp;
pub mod ipv4;
pub mod ipv6;
pub mod mld;
pub mod ndisc;
#[cfg(feature = "hmac")]
pub mod trailer;
pub mod vrrp;

pub use advert::{Advert, WireVersion};
pub use claim::Claim;
pub use datagram::Datagram;

/// The IP protocol number of VRRP (RFC 9568 sections 5.1.1.4 and 5.1.2.4).
pub const PROTOCOL: u8 = 112;

/// The offsets of the parts of a frame that was written into a buffer, in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Emitted {
    /// The length of the frame in octets, without padding and FCS.
    pub len: usize,
    /// The first octet of the IP header (for ARP: of the ARP packet).
    pub ip_offset: u16,
    /// The first octet of the VRRP or ICMPv6 message (for ARP: of the ARP packet).
    pub payload_offset: u16,
}
