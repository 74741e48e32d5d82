//! Neighbour discovery (RFC 4861): unsolicited advertisements, and answers to solicitations for
//! ports whose stack gives none.

use core::net::Ipv6Addr;

use super::{Emitted, checksum, ethernet, ipv6, mld};
use crate::types::MacAddr;

pub(super) const ICMPV6: u8 = 58;
const HOP_LIMIT: u8 = 255;
const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// The fixed part of a solicitation or advertisement: type to target.
const FIXED_LEN: usize = 24;
const OPTION_SOURCE_LINK_LAYER: u8 = 1;
const OPTION_TARGET_LINK_LAYER: u8 = 2;
/// A message with its one option.
const MESSAGE_LEN: usize = FIXED_LEN + 8;

const FLAG_ROUTER: u8 = 0x80;
const FLAG_SOLICITED: u8 = 0x40;
const FLAG_OVERRIDE: u8 = 0x20;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// The Ethernet address of the group of all nodes.
pub(crate) const ALL_NODES_MAC: MacAddr = MacAddr([0x33, 0x33, 0, 0, 0, 1]);

/// Writes an unsolicited neighbour advertisement to all nodes that says that `address` lives at
/// `mac`: a router, overriding what they know.
///
/// `None` when `buf` is shorter than 86 octets.
//= RFC 9568 section 6.4.1, RFC 4861 section 7.2.6
#[inline]
pub fn emit_unsolicited_na(buf: &mut [u8], mac: MacAddr, address: Ipv6Addr) -> Option<Emitted> {
    let flags = FLAG_ROUTER | FLAG_OVERRIDE;
    emit(buf, mac, address, flags, ALL_NODES_MAC, ALL_NODES)
}

/// Writes the answer to `solicitation`: its target lives at `mac` (M-3; RFC 9568 section 6.4.3).
/// It goes to the asker, at the address that the solicitation names or else at `frame_source_mac`,
/// the source of the frame that brought it. Who has no address yet and looks whether the target is
/// in use (RFC 4862 section 5.4.2) is answered by an advertisement to all nodes.
///
/// `None` when `buf` is shorter than 86 octets.
//= RFC 4861 section 7.2.4
#[inline]
pub fn emit_na_reply(
    buf: &mut [u8],
    mac: MacAddr,
    solicitation: &Solicitation,
    frame_source_mac: MacAddr,
) -> Option<Emitted> {
    if solicitation.source.is_unspecified() {
        return emit_unsolicited_na(buf, mac, solicitation.target);
    }
    let flags = FLAG_ROUTER | FLAG_SOLICITED | FLAG_OVERRIDE;
    let asker_mac = solicitation.source_mac.unwrap_or(frame_source_mac);
    let asker = solicitation.source;
    emit(buf, mac, solicitation.target, flags, asker_mac, asker)
}

/// Writes a solicitation of `source`, which lives at `mac`, for `target`, to the group in which
/// that listens. `None` when `buf` is shorter than 86 octets.
//= RFC 4861 section 7.2.2
pub fn emit_solicitation(
    buf: &mut [u8],
    mac: MacAddr,
    source: Ipv6Addr,
    target: Ipv6Addr,
) -> Option<Emitted> {
    let group = mld::solicited_node(target);
    let message = Message {
        kind: SOLICITATION,
        flags: 0,
        target,
        option: OPTION_SOURCE_LINK_LAYER,
    };
    message.emit(buf, mac, source, mld::group_mac(group), group)
}

/// Writes a probe, which looks whether a host has `target`: a solicitation without source or option,
/// to the group in which that listens. The answer goes to all nodes. `None` when `buf` is shorter than
/// 78 octets.
//= RFC 4862 section 5.4.2
pub fn emit_probe(buf: &mut [u8], mac: MacAddr, target: Ipv6Addr) -> Option<Emitted> {
    const LEN: u16 = FIXED_LEN as u16;
    let group = mld::solicited_node(target);
    let ip = ipv6::Header {
        traffic_class: 0,
        next_header: ICMPV6,
        hop_limit: HOP_LIMIT,
        source: Ipv6Addr::UNSPECIFIED,
        destination: group,
    };
    let sum = checksum::pseudo_v6(ip.source, group, ICMPV6, LEN)
        + u32::from(u16::from_be_bytes([SOLICITATION, 0]))
        + checksum::v6(target);
    let [c0, c1] = checksum::field(sum).to_be_bytes();
    let (header, rest) = buf.split_first_chunk_mut()?;
    let rest = ip.write(rest, LEN)?;
    let (fixed, rest) = rest.split_first_chunk_mut()?;
    *rest.first_chunk_mut()? = target.octets();
    *fixed = [SOLICITATION, 0, c0, c1, 0, 0, 0, 0];
    *header = ethernet::header(mld::group_mac(group), mac, ethernet::IPV6);
    Some(Emitted {
        len: ethernet::HEADER_LEN + ipv6::HEADER_LEN + FIXED_LEN,
        ip_offset: ethernet::HEADER_LEN as u16,
        payload_offset: (ethernet::HEADER_LEN + ipv6::HEADER_LEN) as u16,
    })
}

/// Writes what the sender of `solicitation` would advertise to its target, which has the MAC
/// `target_mac`. `None` while it has no address, and when `buf` is shorter than 86 octets.
pub(crate) fn emit_lesson(
    buf: &mut [u8],
    target_mac: MacAddr,
    solicitation: &Solicitation,
    frame_source_mac: MacAddr,
) -> Option<Emitted> {
    if solicitation.source.is_unspecified() {
        return None;
    }
    let asker_mac = solicitation.source_mac.unwrap_or(frame_source_mac);
    let asker = solicitation.source;
    let flags = FLAG_SOLICITED | FLAG_OVERRIDE;
    emit(
        buf,
        asker_mac,
        asker,
        flags,
        target_mac,
        solicitation.target,
    )
}

/// A received neighbour solicitation that is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Solicitation {
    /// The asker; unspecified while it looks whether the target is in use.
    pub source: Ipv6Addr,
    /// The address that is asked for; not a group's.
    pub target: Ipv6Addr,
    /// The asker's link-layer address, when the solicitation names one that is unicast.
    pub source_mac: Option<MacAddr>,
}

impl Solicitation {
    /// Reads the payload of an IPv6 frame. `None` when it is no neighbour solicitation, or one
    /// that the validation of RFC 4861 section 7.1.1 discards.
    //= RFC 4861 section 7.1.1
    // Called from several places: one copy is enough.
    #[inline(never)]
    pub fn new(frame_payload: &[u8]) -> Option<Solicitation> {
        if ipv6::next_header_of(frame_payload) != Some(ICMPV6) {
            return None;
        }
        let ip = ipv6::View::new(frame_payload).ok()?;
        let (source, destination) = (ip.source(), ip.destination());
        let (fixed, options) = ip.payload().split_first_chunk::<FIXED_LEN>()?;
        let [SOLICITATION, 0, ..] = *fixed else {
            return None;
        };
        if ip.hop_limit() != HOP_LIMIT || source.is_multicast() {
            return None;
        }
        let target = Ipv6Addr::from(*fixed.last_chunk::<16>()?);
        if target.is_multicast() {
            return None;
        }
        // The payload is no longer than its 16-bit length field can say.
        let len = ip.payload().len() as u16;
        let pseudo = checksum::pseudo_v6(source, destination, ICMPV6, len);
        if checksum::fold(pseudo + checksum::sum(ip.payload())) != 0xffff {
            return None;
        }
        let source_option = link_layer(options, OPTION_SOURCE_LINK_LAYER)?;
        if source.is_unspecified() && (source_option.is_some() || !is_solicited_node(destination)) {
            return None;
        }
        Some(Solicitation {
            source,
            target,
            source_mac: source_option.filter(|mac| !ethernet::is_group(*mac)),
        })
    }
}

/// A neighbour solicitation or advertisement of which nothing is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// A solicitation; else an advertisement.
    pub is_solicitation: bool,
    /// The address that it is about.
    pub target: Ipv6Addr,
}

impl Neighbour {
    /// Reads the payload of an IPv6 frame. `None` when it is something else or cut short.
    // Called from several places: one copy is enough.
    #[inline(never)]
    pub fn new(frame_payload: &[u8]) -> Option<Neighbour> {
        if ipv6::next_header_of(frame_payload) != Some(ICMPV6) {
            return None;
        }
        let (_, icmp) = frame_payload.split_first_chunk::<{ ipv6::HEADER_LEN }>()?;
        let fixed = icmp.first_chunk::<FIXED_LEN>()?;
        let [kind @ (SOLICITATION | ADVERTISEMENT), ..] = *fixed else {
            return None;
        };
        Some(Neighbour {
            is_solicitation: kind == SOLICITATION,
            target: Ipv6Addr::from(*fixed.last_chunk::<16>()?),
        })
    }
}

/// A neighbour advertisement from the link. Its checksum is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The address that it is about.
    pub target: Ipv6Addr,
    /// The target's link-layer address, when the advertisement names one.
    pub target_mac: Option<MacAddr>,
}

impl Advertisement {
    /// Reads the payload of an IPv6 frame. Returns `None` if it is something else, cut short before its
    /// options, or from beyond a router (RFC 4861 section 7.1.2).
    pub fn new(frame_payload: &[u8]) -> Option<Advertisement> {
        let neighbour = Neighbour::new(frame_payload)?;
        let from_the_link = ipv6::hop_limit_of(frame_payload) == Some(HOP_LIMIT);
        if neighbour.is_solicitation || !from_the_link {
            return None;
        }
        let options = frame_payload.get(ipv6::HEADER_LEN + FIXED_LEN..)?;
        Some(Advertisement {
            target: neighbour.target,
            target_mac: link_layer(options, OPTION_TARGET_LINK_LAYER).flatten(),
        })
    }
}

/// Replaces `old` by `new` in the link-layer address options of a neighbour discovery message of
/// any kind, and mends its checksum (RFC 1624). Any other frame stays as it is.
pub(crate) fn replace_mac(frame: &mut [u8], old: MacAddr, new: MacAddr) {
    const ICMP_AT: usize = ethernet::HEADER_LEN + ipv6::HEADER_LEN;
    let next_header = frame
        .get(ethernet::HEADER_LEN..)
        .and_then(ipv6::next_header_of);
    if next_header != Some(ICMPV6) {
        return;
    }
    let Some((head, options)) = frame.get_mut(ICMP_AT..).and_then(|icmp| {
        let options_at = match icmp.first()? {
            &ROUTER_SOLICITATION => 8,
            &ROUTER_ADVERTISEMENT => 16,
            &SOLICITATION | &ADVERTISEMENT => FIXED_LEN,
            _ => return None,
        };
        icmp.split_at_mut_checked(options_at)
    }) else {
        return;
    };
    let Some([_, _, c0, c1, ..]) = head.first_chunk_mut::<8>() else {
        return;
    };
    let mut rest = options;
    while let Some(&[kind, eighths]) = rest.first_chunk() {
        let len = usize::from(eighths) * 8;
        let Some((option, tail)) = rest.split_at_mut_checked(len) else {
            return;
        };
        let Some([_, _, mac @ ..]) = option.first_chunk_mut::<8>() else {
            return;
        };
        if matches!(kind, OPTION_SOURCE_LINK_LAYER | OPTION_TARGET_LINK_LAYER) && *mac == old.0 {
            let was = !u16::from_be_bytes([*c0, *c1]);
            let less = old.0.map(|octet| !octet);
            let sum = u32::from(was) + checksum::sum(&less) + checksum::sum(&new.0);
            [*c0, *c1] = checksum::field(sum).to_be_bytes();
            *mac = new.0;
        }
        rest = tail;
    }
}

/// The offset of the checksum of ICMPv6 in an IPv6 packet, also of a message of MLD, which stands behind
/// a hop-by-hop header. Returns `None` if the packet is something else.
pub(crate) fn checksum_at(packet: &[u8]) -> Option<usize> {
    const FIELD_AT: usize = 2;
    let option = packet.get(ipv6::HEADER_LEN..)?;
    match (ipv6::next_header_of(packet)?, option) {
        (ICMPV6, _) => Some(ipv6::HEADER_LEN + FIELD_AT),
        (mld::HOP_BY_HOP, [ICMPV6, eighths, ..]) => {
            let option_len = 8 + 8 * usize::from(*eighths);
            Some(ipv6::HEADER_LEN + option_len + FIELD_AT)
        }
        _ => None,
    }
}

/// The first link-layer address among `options` that is of this kind. The outer `None`: an option is of
/// length zero or does not fit.
fn link_layer(options: &[u8], wanted: u8) -> Option<Option<MacAddr>> {
    let mut found = None;
    let mut rest = options;
    while !rest.is_empty() {
        let &[kind, eighths] = rest.first_chunk()?;
        if eighths == 0 {
            return None;
        }
        let (option, tail) = rest.split_at_checked(usize::from(eighths) * 8)?;
        rest = tail;
        if kind == wanted && found.is_none() {
            let &[_, _, a, b, c, d, e, f] = option.first_chunk()?;
            found = Some(MacAddr([a, b, c, d, e, f]));
        }
    }
    Some(found)
}

/// Whether this is a group of the block ff02::1:ff00:0/104 (RFC 4291 section 2.7.1).
fn is_solicited_node(address: Ipv6Addr) -> bool {
    matches!(
        address.octets(),
        [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, ..]
    )
}

/// Writes a whole frame with a neighbour advertisement for `target`, sent by it from `mac`.
#[inline]
fn emit(
    buf: &mut [u8],
    mac: MacAddr,
    target: Ipv6Addr,
    flags: u8,
    destination_mac: MacAddr,
    destination: Ipv6Addr,
) -> Option<Emitted> {
    let message = Message {
        kind: ADVERTISEMENT,
        flags,
        target,
        option: OPTION_TARGET_LINK_LAYER,
    };
    message.emit(buf, mac, target, destination_mac, destination)
}

/// The parts that differ among the messages that are sent; each has one option, which names the sender's MAC.
struct Message {
    kind: u8,
    flags: u8,
    target: Ipv6Addr,
    option: u8,
}

impl Message {
    /// Writes a whole frame.
    // Called from several places: one copy is enough.
    #[inline(never)]
    fn emit(
        &self,
        buf: &mut [u8],
        mac: MacAddr,
        source: Ipv6Addr,
        destination_mac: MacAddr,
        destination: Ipv6Addr,
    ) -> Option<Emitted> {
        const LEN: u16 = MESSAGE_LEN as u16;
        let [m0, m1, m2, m3, m4, m5] = mac.0;
        let option = [self.option, 1, m0, m1, m2, m3, m4, m5];
        let sum = checksum::pseudo_v6(source, destination, ICMPV6, LEN)
            + u32::from(u16::from_be_bytes([self.kind, 0]))
            + u32::from(u16::from_be_bytes([self.flags, 0]))
            + checksum::v6(self.target)
            + checksum::sum(&option);
        let [c0, c1] = checksum::field(sum).to_be_bytes();

        let (header, rest) = buf.split_first_chunk_mut()?;
        let ip = ipv6::Header {
            traffic_class: 0,
            next_header: ICMPV6,
            hop_limit: HOP_LIMIT,
            source,
            destination,
        };
        let rest = ip.write(rest, LEN)?;
        let (fixed, rest) = rest.split_first_chunk_mut()?;
        let (target_slot, rest) = rest.split_first_chunk_mut()?;
        *rest.first_chunk_mut()? = option;
        *target_slot = self.target.octets();
        *fixed = [self.kind, 0, c0, c1, self.flags, 0, 0, 0];
        *header = ethernet::header(destination_mac, mac, ethernet::IPV6);
        Some(Emitted {
            len: ethernet::HEADER_LEN + ipv6::HEADER_LEN + MESSAGE_LEN,
            ip_offset: ethernet::HEADER_LEN as u16,
            payload_offset: (ethernet::HEADER_LEN + ipv6::HEADER_LEN) as u16,
        })
    }
}
