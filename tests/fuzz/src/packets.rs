//! Packets that are mostly well made: what chance alone would not come upon.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_core::wire::{Advert, PROTOCOL, WireVersion};
use vrrp_core::{AdvertInterval, Auth, Family, MacAddr, VrKey};

use crate::engine::{V4, V6, list_of};
use crate::octets::Octets;

const ICMPV6: u8 = 58;
const IGMP: u8 = 2;

/// An advertisement of somebody for `key`, mostly a good one.
pub(crate) fn advert(octets: &mut Octets<'_>, key: VrKey) -> Vec<u8> {
    let bits = octets.u8();
    let who = octets.u8() % 12 + 1;
    let source: IpAddr = match key.family {
        Family::Ipv4 => [10, 0, 0, who].into(),
        Family::Ipv6 => [0xfe80, 0, 0, 0, 0, 0, 0, u16::from(who)].into(),
    };
    let interval = AdvertInterval::from_centis(u16::from(octets.u8()) * 10);
    let advert = Advert {
        source_mac: key.virtual_mac(),
        destination_mac: key.family.group_mac(),
        source,
        destination: key.family.group(),
        ttl: 255,
        version: [WireVersion::V3, WireVersion::V2][usize::from(bits & 1)],
        vrid: key.vrid,
        priority: octets.u8(),
        interval: interval.unwrap_or(AdvertInterval::DEFAULT),
        auth: [Auth::None, Auth::Simple(*b"paper\0\0\0")][usize::from(bits >> 1 & 1)],
        pseudo_header: bits & 4 == 0,
    };
    let list = octets.u8();
    let addresses: Vec<IpAddr> = match key.family {
        Family::Ipv4 => list_of(&V4, list).iter().map(|a| a.address).collect(),
        Family::Ipv6 => list_of(&V6, list).iter().map(|a| a.address).collect(),
    };
    let mut frame = [0; 512];
    let len = advert
        .emit(&mut frame, addresses.into_iter())
        .map_or(0, |e| e.len);
    frame.get(..len).unwrap_or_default().to_vec()
}

/// Anything else that the hosts of a segment say to each other.
pub(crate) fn other(octets: &mut Octets<'_>) -> Vec<u8> {
    let kind = octets.u8() % 8;
    let (to, from) = (mac(octets), mac(octets));
    let head = |ethertype: u16| [&to.0[..], &from.0, &ethertype.to_be_bytes()].concat();
    let mut frame = match kind {
        0 | 1 => {
            let (sender, target) = (v4(octets), v4(octets));
            let fixed = [0, 1, 8, 0, 6, 4, 0, kind + 1];
            let (sender, target) = (sender.octets(), target.octets());
            [&head(0x0806)[..], &fixed, &from.0, &sender, &to.0, &target].concat()
        }
        2 | 3 => {
            let body = match kind {
                2 => [&[0x11, octets.u8(), 0, 0][..], &v4(octets).octets()].concat(),
                _ => vec![0, 7, 0, 7, 0, 8, 0, 0],
            };
            let protocol = if kind == 2 { IGMP } else { 17 };
            let (source, destination) = (v4(octets).octets(), v4(octets).octets());
            let len = 20 + body.len() as u8;
            let fixed = [0x45, 0, 0, len, 0, 0, 0, 0, octets.u8(), protocol, 0, 0];
            [&head(0x0800)[..], &fixed, &source, &destination, &body].concat()
        }
        4 | 5 => {
            let option = [octets.u8() % 3, 1];
            let kind = [135, 136][usize::from(kind - 4)];
            let target = v6(octets).octets();
            let body = [&[kind, 0, 0, 0, 0, 0, 0, 0][..], &target, &option, &from.0].concat();
            ipv6(octets, head(0x86dd), ICMPV6, &body)
        }
        6 => {
            let group = v6(octets).octets();
            let delay = octets.u16().to_be_bytes();
            let body = [&[130, 0, 0, 0][..], &delay, &[0, 0], &group].concat();
            let options = [ICMPV6, 0, 5, 2, 0, 0, 1, 0];
            ipv6(octets, head(0x86dd), 0, &[&options[..], &body].concat())
        }
        _ => ipv6(octets, head(0x86dd), 17, &[0, 7, 0, 7, 0, 8, 0, 0]),
    };
    mend(&mut frame);
    frame
}

fn ipv6(octets: &mut Octets<'_>, head: Vec<u8>, next: u8, body: &[u8]) -> Vec<u8> {
    let hops = [255, 1, 64][usize::from(octets.u8() % 3)];
    let (source, destination) = (v6(octets).octets(), v6(octets).octets());
    let fixed = [0x60, 0, 0, 0, 0, body.len() as u8, next, hops];
    [&head[..], &fixed, &source, &destination, body].concat()
}

fn mac(octets: &mut Octets<'_>) -> MacAddr {
    let octet = octets.u8();
    MacAddr(match octet >> 5 {
        0 => [2, 0, 0, 0, 0, 6],
        1 => [2, 0, 0, 0, 0, octet & 15],
        2 => [0, 0, 0x5e, 0, 1, octet & 15],
        3 => [0, 0, 0x5e, 0, 2, octet & 15],
        4 => [0x33, 0x33, 0xff, 0, 0, 0x53],
        5 => [0x33, 0x33, 0, 0, 0, 1],
        6 => [1, 0, 0x5e, 0, 0, 1],
        _ => [255; 6],
    })
}

fn v4(octets: &mut Octets<'_>) -> Ipv4Addr {
    match octets.u8() {
        0 => Ipv4Addr::UNSPECIFIED,
        1 => Ipv4Addr::new(224, 0, 0, 1),
        2 => Ipv4Addr::new(224, 0, 0, 18),
        n @ 3..16 => Ipv4Addr::new(10, 0, 0, n),
        n => match V4[usize::from(n) % V4.len()].address {
            IpAddr::V4(ip) => ip,
            IpAddr::V6(_) => Ipv4Addr::BROADCAST,
        },
    }
}

fn v6(octets: &mut Octets<'_>) -> Ipv6Addr {
    match octets.u8() {
        0 => Ipv6Addr::UNSPECIFIED,
        1 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
        2 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
        3 => Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0x53),
        n @ 4..16 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n.into()),
        n => match V6[usize::from(n) % V6.len()].address {
            IpAddr::V6(ip) => ip,
            IpAddr::V4(_) => Ipv6Addr::LOCALHOST,
        },
    }
}

/// Breaks up to seven octets, and mends the checksums if so decided.
pub(crate) fn spoil(octets: &mut Octets<'_>, frame: &mut Vec<u8>) {
    let bits = octets.u8();
    for _ in 0..bits & 7 {
        let (at, value) = (usize::from(octets.u8()), octets.u8());
        if let Some(octet) = frame.get_mut(at) {
            *octet = value;
        }
    }
    if bits & 0x40 != 0 {
        frame.resize(usize::from(octets.u8()), 0);
    }
    if bits & 0x80 == 0 {
        mend(frame);
    }
}

/// Sets the checksums of a frame right, where there are any that can be found.
pub(crate) fn mend(frame: &mut [u8]) {
    match frame.get(12..14) {
        Some([0x08, 0x00]) => mend_ipv4(&mut frame[14..]),
        Some([0x86, 0xdd]) => mend_ipv6(&mut frame[14..]),
        _ => {}
    }
}

fn mend_ipv4(packet: &mut [u8]) {
    let Some(header) = packet.first().map(|first| usize::from(first & 15) * 4) else {
        return;
    };
    if header < 20 || packet.len() < header {
        return;
    }
    let (head, message) = packet.split_at_mut(header);
    put_sum(head, 10, &[]);
    match head[9] {
        PROTOCOL => put_sum(message, 6, &[]),
        IGMP => put_sum(message, 2, &[]),
        _ => {}
    }
}

fn mend_ipv6(packet: &mut [u8]) {
    if packet.len() < 40 {
        return;
    }
    let (head, mut message) = packet.split_at_mut(40);
    let (mut protocol, addresses) = (head[6], &head[8..40]);
    if protocol == 0 && message.len() > 8 {
        protocol = message[0];
        message = &mut message[8..];
    }
    let len = (message.len() as u32).to_be_bytes();
    let pseudo = [addresses, &len, &[0, 0, 0, protocol]].concat();
    match protocol {
        PROTOCOL => put_sum(message, 6, &pseudo),
        ICMPV6 => put_sum(message, 2, &pseudo),
        _ => {}
    }
}

/// Writes the checksum of a message and what is before it (RFC 1071), the slow way.
fn put_sum(message: &mut [u8], at: usize, before: &[u8]) {
    let Some(place) = message.get_mut(at..at + 2) else {
        return;
    };
    place.fill(0);
    let all = [before, message].concat();
    let mut sum: u32 = 0;
    for pair in all.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum >> 16 != 0 {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    message[at..at + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}
