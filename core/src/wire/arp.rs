//! ARP over Ethernet for IPv4 (RFC 826): gratuitous requests, and answers for ports whose stack
//! gives none.

use core::net::Ipv4Addr;

use super::{Emitted, ethernet};
use crate::types::MacAddr;

/// The length of an ARP packet for IPv4 over Ethernet, in octets.
pub const PACKET_LEN: usize = 28;

const REQUEST: u8 = 1;
const REPLY: u8 = 2;

/// Writes a gratuitous ARP that says that `address` lives at `mac`: a broadcast request with sender
/// and target alike, the target hardware address too.
///
/// `None` when `buf` is shorter than 42 octets.
//= RFC 9568 section 6.4.1, errata 7947 and 7949
#[inline]
pub fn emit_gratuitous(buf: &mut [u8], mac: MacAddr, address: Ipv4Addr) -> Option<Emitted> {
    let us = (mac, address);
    emit(buf, MacAddr::BROADCAST, REQUEST, us, us)
}

/// Writes the answer to `request`: its target lives at `mac`, said to the asker alone (M-3; RFC
/// 9568 section 6.4.3).
///
/// `None` when `buf` is shorter than 42 octets.
#[inline]
pub fn emit_reply(buf: &mut [u8], mac: MacAddr, request: &Request) -> Option<Emitted> {
    let us = (mac, request.target_ip);
    let asker = (request.sender_mac, request.sender_ip);
    emit(buf, request.sender_mac, REPLY, us, asker)
}

/// Writes a broadcast request of `sender`, which lives at `mac`, for `target`. `None` when `buf` is
/// shorter than 42 octets.
pub fn emit_request(
    buf: &mut [u8],
    mac: MacAddr,
    sender: Ipv4Addr,
    target: Ipv4Addr,
) -> Option<Emitted> {
    let unknown = (MacAddr([0; 6]), target);
    emit(buf, MacAddr::BROADCAST, REQUEST, (mac, sender), unknown)
}

/// Writes what the sender of `request` would reply to its target, which has the MAC `target_mac`.
/// `None` for a probe, whose sender has no address, and when `buf` is shorter than 42 octets.
pub(crate) fn emit_lesson(
    buf: &mut [u8],
    target_mac: MacAddr,
    request: &Request,
) -> Option<Emitted> {
    if request.sender_ip.is_unspecified() {
        return None;
    }
    let sender = (request.sender_mac, request.sender_ip);
    let target = (target_mac, request.target_ip);
    emit(buf, target_mac, REPLY, sender, target)
}

/// A received request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The MAC of the asker; a unicast address.
    pub sender_mac: MacAddr,
    /// The asker; 0.0.0.0 in a probe, which looks whether the address is in use (RFC 5227 section
    /// 1.1).
    pub sender_ip: Ipv4Addr,
    /// The address that is asked for.
    pub target_ip: Ipv4Addr,
}

impl Request {
    /// Reads the payload of an ARP frame. `None` when it is no request, not of Ethernet and IPv4,
    /// cut short, or of a sender whose hardware address is a group's: the answer would go to many.
    // Called from several places: one copy is enough.
    #[inline(never)]
    pub fn new(frame_payload: &[u8]) -> Option<Request> {
        let [
            0,
            1,
            0x08,
            0,
            6,
            4,
            0,
            REQUEST,
            m0,
            m1,
            m2,
            m3,
            m4,
            m5,
            s0,
            s1,
            s2,
            s3,
            _,
            _,
            _,
            _,
            _,
            _,
            t0,
            t1,
            t2,
            t3,
        ] = *frame_payload.first_chunk::<PACKET_LEN>()?
        else {
            return None;
        };
        let sender_mac = MacAddr([m0, m1, m2, m3, m4, m5]);
        if ethernet::is_group(sender_mac) {
            return None;
        }
        Some(Request {
            sender_mac,
            sender_ip: Ipv4Addr::new(s0, s1, s2, s3),
            target_ip: Ipv4Addr::new(t0, t1, t2, t3),
        })
    }
}

/// The sender and the target of any ARP packet of Ethernet and IPv4, request or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The sender asks, or tells without being asked.
    pub is_request: bool,
    /// The sender's hardware address, whatever it is.
    pub sender_mac: MacAddr,
    /// The sender's address.
    pub sender_ip: Ipv4Addr,
    /// The address that is asked for, or the asker's.
    pub target_ip: Ipv4Addr,
}

impl Packet {
    /// Reads the payload of an ARP frame. `None` when it is not of Ethernet and IPv4, or cut short.
    pub fn new(frame_payload: &[u8]) -> Option<Packet> {
        let (fixed, rest) = frame_payload.split_first_chunk::<8>()?;
        let [0, 1, 0x08, 0, 6, 4, 0, operation] = *fixed else {
            return None;
        };
        let [m0, m1, m2, m3, m4, m5, s0, s1, s2, s3, rest @ ..] = *rest.first_chunk::<20>()?;
        let [_, _, _, _, _, _, t0, t1, t2, t3] = rest;
        Some(Packet {
            is_request: operation == REQUEST,
            sender_mac: MacAddr([m0, m1, m2, m3, m4, m5]),
            sender_ip: Ipv4Addr::new(s0, s1, s2, s3),
            target_ip: Ipv4Addr::new(t0, t1, t2, t3),
        })
    }
}

/// Writes another sender hardware address to an ARP frame.
pub(crate) fn set_sender_mac(frame: &mut [u8], mac: MacAddr) {
    const AT: usize = ethernet::HEADER_LEN + 8;
    if let Some(sha) = frame.get_mut(AT..).and_then(|f| f.first_chunk_mut()) {
        *sha = mac.0;
    }
}

/// Writes a whole frame.
// Called from several places: one copy is enough.
#[inline(never)]
fn emit(
    buf: &mut [u8],
    destination: MacAddr,
    operation: u8,
    (sender_mac, sender_ip): (MacAddr, Ipv4Addr),
    (target_mac, target_ip): (MacAddr, Ipv4Addr),
) -> Option<Emitted> {
    let (header, rest) = buf.split_first_chunk_mut()?;
    let (fixed, rest) = rest.split_first_chunk_mut()?;
    let (sha, rest) = rest.split_first_chunk_mut()?;
    let (spa, rest) = rest.split_first_chunk_mut()?;
    let (tha, rest) = rest.split_first_chunk_mut()?;
    *rest.first_chunk_mut()? = target_ip.octets();
    *tha = target_mac.0;
    *spa = sender_ip.octets();
    *sha = sender_mac.0;
    // Hardware type Ethernet, protocol type IPv4, the lengths of their addresses.
    *fixed = [0, 1, 0x08, 0, 6, 4, 0, operation];
    *header = ethernet::header(destination, sender_mac, ethernet::ARP);
    Some(Emitted {
        len: ethernet::HEADER_LEN + PACKET_LEN,
        ip_offset: ethernet::HEADER_LEN as u16,
        payload_offset: ethernet::HEADER_LEN as u16,
    })
}
