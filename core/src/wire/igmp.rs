//! IGMPv2 (RFC 2236), the host's side: membership reports with Router Alert (RFC 2113), and the
//! queries that ask for them. For ports whose stack reports its groups without the option, or not
//! at all.

use core::net::Ipv4Addr;

use super::{Emitted, checksum, ethernet, ipv4};
use crate::time::Duration;
use crate::types::MacAddr;

/// The IP protocol number of IGMP.
pub const PROTOCOL: u8 = 2;
/// The length of a message in octets.
pub const MESSAGE_LEN: usize = 8;

const QUERY: u8 = 0x11;
const REPORT_V1: u8 = 0x12;
const REPORT_V2: u8 = 0x16;
const LEAVE: u8 = 0x17;

const ALL_ROUTERS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 2);
const ROUTER_ALERT: [u8; 4] = [0x94, 0x04, 0, 0];
const HEADER_LEN: usize = ipv4::HEADER_LEN + ROUTER_ALERT.len();
/// Precedence internetwork control, as routers send their own traffic.
const TOS: u8 = 0xc0;

/// The report of a host about a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// It is a member, in the form of version 2.
    Report,
    /// It is a member, in the form that a version 1 querier knows.
    ReportV1,
    /// It is a member no longer.
    Leave,
}

/// Writes a frame that says `message` of `group` to whom it concerns: reports go to the group,
/// leaves to all routers (RFC 2236 section 3).
///
/// `None` when `buf` is shorter than 46 octets.
pub fn emit(
    buf: &mut [u8],
    mac: MacAddr,
    source: Ipv4Addr,
    group: Ipv4Addr,
    message: Message,
) -> Option<Emitted> {
    const TOTAL_LEN: u16 = (HEADER_LEN + MESSAGE_LEN) as u16;
    let (kind, destination) = match message {
        Message::Report => (REPORT_V2, group),
        Message::ReportV1 => (REPORT_V1, group),
        Message::Leave => (LEAVE, ALL_ROUTERS),
    };
    let [s0, s1, s2, s3] = source.octets();
    let [d0, d1, d2, d3] = destination.octets();
    let [g0, g1, g2, g3] = group.octets();
    let [l0, l1] = TOTAL_LEN.to_be_bytes();
    let mut ip = [
        0x46, TOS, l0, l1, 0, 0, 0x40, 0, 1, PROTOCOL, 0, 0, s0, s1, s2, s3, d0, d1, d2, d3,
    ];
    let sum = checksum::sum(&ip) + checksum::sum(&ROUTER_ALERT);
    let [.., c0, c1, _, _, _, _, _, _, _, _] = &mut ip;
    [*c0, *c1] = checksum::field(sum).to_be_bytes();
    let sum = checksum::sum(&[kind, 0, g0, g1, g2, g3]);
    let [c0, c1] = checksum::field(sum).to_be_bytes();

    let (header, rest) = buf.split_first_chunk_mut()?;
    let (ip_slot, rest) = rest.split_first_chunk_mut()?;
    let (option, rest) = rest.split_first_chunk_mut()?;
    *rest.first_chunk_mut()? = [kind, 0, c0, c1, g0, g1, g2, g3];
    *option = ROUTER_ALERT;
    *ip_slot = ip;
    *header = ethernet::header(group_mac(destination), mac, ethernet::IPV4);
    Some(Emitted {
        len: ethernet::HEADER_LEN + usize::from(TOTAL_LEN),
        ip_offset: ethernet::HEADER_LEN as u16,
        payload_offset: (ethernet::HEADER_LEN + HEADER_LEN) as u16,
    })
}

/// The Ethernet address of an IPv4 group (RFC 1112 section 6.4).
pub const fn group_mac(group: Ipv4Addr) -> MacAddr {
    let [_, b, c, d] = group.octets();
    MacAddr([0x01, 0x00, 0x5e, b & 0x7f, c, d])
}

/// A received query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The group that is asked for. `None`: every group.
    pub group: Option<Ipv4Addr>,
    /// Within what time a member shall report.
    pub max_response: Duration,
    /// The querier speaks version 1 and knows its reports alone (RFC 2236 section 4).
    pub v1: bool,
}

impl Query {
    /// Reads the payload of an IPv4 frame. `None` when it is no query, or a damaged one. A query of
    /// version 3 is read as one of version 2, as RFC 3376 section 7.2.1 foresees.
    pub fn new(frame_payload: &[u8]) -> Option<Query> {
        if ipv4::protocol_of(frame_payload) != Some(PROTOCOL) {
            return None;
        }
        let ip = ipv4::View::new(frame_payload).ok()?;
        let [kind, tenths, _, _, g0, g1, g2, g3] = *ip.payload().first_chunk()?;
        if kind != QUERY || !checksum::is_right(ip.payload()) {
            return None;
        }
        let group = Ipv4Addr::new(g0, g1, g2, g3);
        let v1 = tenths == 0;
        Some(Query {
            group: (!group.is_unspecified()).then_some(group),
            max_response: match v1 {
                true => Duration::from_secs(10),
                false => Duration::from_millis(u64::from(tenths) * 100),
            },
            v1,
        })
    }
}
