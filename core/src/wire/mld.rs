//! Multicast listener discovery, the host's side: reports of version 2 (RFC 3810) and of version 1
//! (RFC 2710), and the queries that ask for them. For ports whose stack does not report its groups
//! or reports them wrongly.

use core::net::Ipv6Addr;

use super::ndisc::ICMPV6;
use super::{Emitted, checksum, ethernet, ipv6};
use crate::time::Duration;
use crate::types::MacAddr;

pub(super) const HOP_BY_HOP: u8 = 0;
/// Next header ICMPv6, no more octets, Router Alert for MLD (RFC 2711), padding.
const ROUTER_ALERT: [u8; 8] = [ICMPV6, 0, 5, 2, 0, 0, 1, 0];

const QUERY: u8 = 130;
const REPORT_V1: u8 = 131;
const DONE_V1: u8 = 132;
const REPORT_V2: u8 = 143;

const MODE_IS_EXCLUDE: u8 = 2;
const CHANGE_TO_INCLUDE: u8 = 3;
const CHANGE_TO_EXCLUDE: u8 = 4;

/// The length of a version 1 message, and of a version 1 query; longer queries are of version 2.
const V1_LEN: usize = 24;
/// A report of version 2 with one record without sources.
const V2_LEN: usize = 8 + 20;

const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
const ALL_V2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// The report of a host about a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// It listens from now on, to any source.
    Join,
    /// It listens, says the answer to a query.
    Listening,
    /// It listens no longer.
    Leave,
}

/// Writes a frame that says `message` of `group` from the link-local address `source`. With `v1` in
/// the form of version 1, to the group or to all routers; else of version 2, to the routers that
/// know it (RFC 3810 section 5.2.14).
///
/// `None` when `buf` is shorter than 90 octets.
pub fn emit(
    buf: &mut [u8],
    mac: MacAddr,
    source: Ipv6Addr,
    group: Ipv6Addr,
    message: Message,
    v1: bool,
) -> Option<Emitted> {
    let (kind, destination) = match (v1, message) {
        (false, _) => (REPORT_V2, ALL_V2_ROUTERS),
        (true, Message::Leave) => (DONE_V1, ALL_ROUTERS),
        (true, _) => (REPORT_V1, group),
    };
    let record = match message {
        Message::Join => CHANGE_TO_EXCLUDE,
        Message::Listening => MODE_IS_EXCLUDE,
        Message::Leave => CHANGE_TO_INCLUDE,
    };
    let icmp_len = if v1 { V1_LEN } else { V2_LEN };

    let (header, rest) = buf.split_first_chunk_mut()?;
    *header = ethernet::header(group_mac(destination), mac, ethernet::IPV6);
    let ip = ipv6::Header {
        traffic_class: 0,
        next_header: HOP_BY_HOP,
        hop_limit: 1,
        source,
        destination,
    };
    let rest = ip.write(rest, (ROUTER_ALERT.len() + icmp_len) as u16)?;
    let (option, icmp) = rest.split_first_chunk_mut()?;
    *option = ROUTER_ALERT;
    let icmp = icmp.get_mut(..icmp_len)?;
    let (fixed, rest) = icmp.split_first_chunk_mut::<8>()?;
    *fixed = match v1 {
        true => [kind, 0, 0, 0, 0, 0, 0, 0],
        false => [kind, 0, 0, 0, 0, 0, 0, 1],
    };
    let rest = match v1 {
        true => rest,
        false => {
            let (head, rest) = rest.split_first_chunk_mut()?;
            *head = [record, 0, 0, 0];
            rest
        }
    };
    *rest.first_chunk_mut()? = group.octets();
    let pseudo = checksum::pseudo_v6(source, destination, ICMPV6, icmp_len as u16);
    let field = checksum::field(pseudo + checksum::sum(icmp));
    let [_, _, c0, c1] = icmp.first_chunk_mut()?;
    [*c0, *c1] = field.to_be_bytes();
    let payload_offset = ethernet::HEADER_LEN + ipv6::HEADER_LEN + ROUTER_ALERT.len();
    Some(Emitted {
        len: payload_offset + icmp_len,
        ip_offset: ethernet::HEADER_LEN as u16,
        payload_offset: payload_offset as u16,
    })
}

/// The Ethernet address of an IPv6 group (RFC 2464 section 7).
pub const fn group_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

/// The group in which who asks for an address looks for it (RFC 4291 section 2.7.1).
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    let low = u16::from_be_bytes([b, c]);
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | a as u16, low)
}

/// A received query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The group that is asked for. `None`: every group.
    pub group: Option<Ipv6Addr>,
    /// Within what time a listener shall report.
    pub max_response: Duration,
    /// The querier speaks version 1 and knows its reports alone (RFC 3810 section 8.2.1).
    pub v1: bool,
}

impl Query {
    /// Reads the payload of an IPv6 frame. `None` when it is no query, or one that RFC 3810 section
    /// 6.2 discards.
    pub fn new(frame_payload: &[u8]) -> Option<Query> {
        if ipv6::next_header_of(frame_payload) != Some(HOP_BY_HOP) {
            return None;
        }
        let ip = ipv6::View::new(frame_payload).ok()?;
        let ([ICMPV6, 0, ..], icmp) = ip.payload().split_first_chunk::<8>()? else {
            return None;
        };
        let (fixed, rest) = icmp.split_first_chunk::<8>()?;
        let [QUERY, 0, _, _, code0, code1, _, _] = *fixed else {
            return None;
        };
        if ip.hop_limit() != 1 || !ip.source().is_unicast_link_local() {
            return None;
        }
        // The payload is no longer than its 16-bit length field can say.
        let len = icmp.len() as u16;
        let pseudo = checksum::pseudo_v6(ip.source(), ip.destination(), ICMPV6, len);
        if checksum::fold(pseudo + checksum::sum(icmp)) != 0xffff {
            return None;
        }
        let group = Ipv6Addr::from(*rest.first_chunk::<16>()?);
        let v1 = icmp.len() == V1_LEN;
        Some(Query {
            group: (!group.is_unspecified()).then_some(group),
            max_response: max_response(u16::from_be_bytes([code0, code1]), v1),
            v1,
        })
    }
}

/// Milliseconds, or from 32768 on a floating-point number (RFC 3810 section 5.1.3).
fn max_response(code: u16, v1: bool) -> Duration {
    let millis = match v1 || code < 0x8000 {
        true => u64::from(code),
        false => u64::from(code & 0x0fff | 0x1000) << ((code >> 12 & 7) + 3),
    };
    Duration::from_millis(millis)
}
