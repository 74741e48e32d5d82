//! Frames of a neighbour, as the tests of every port say them.

use vrrp_core::MacAddr;

pub const NEIGHBOUR: [u8; 6] = [2, 0, 0, 0, 0, 0x99];

/// An Ethernet frame from the neighbour.
pub fn frame(to: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    frame_from(NEIGHBOUR, to, ethertype, payload)
}

pub fn frame_from(from: [u8; 6], to: MacAddr, ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to.0[..], &from, &ethertype.to_be_bytes(), payload].concat()
}

/// An ARP request of 10.0.0.9.
pub fn arp_request(target: [u8; 4]) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    let arp = [&head[..], &NEIGHBOUR, &[10, 0, 0, 9], &[0; 6], &target].concat();
    frame(MacAddr::BROADCAST, 0x0806, &arp)
}

pub fn mac(octets: &[u8]) -> MacAddr {
    MacAddr(octets.try_into().unwrap())
}

/// A packet of protocol 112 from 10.0.0.9 to the group, with `mark` for a payload.
pub fn advert(mark: u8) -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 28, 0, 0, 0, 0, 255, 112, 0, 0, 10, 0, 0, 9, 224, 0, 0, 18,
    ];
    packet.extend([mark; 8]);
    packet
}

/// A neighbour solicitation of fe80::9 for `target`.
pub fn solicitation(target: std::net::Ipv6Addr) -> Vec<u8> {
    let source: std::net::Ipv6Addr = "fe80::9".parse().unwrap();
    let low = &target.octets()[13..];
    let group = [&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff][..], low].concat();
    let mut message = [
        &[135, 0, 0, 0, 0, 0, 0, 0][..],
        &target.octets(),
        &[1, 1],
        &NEIGHBOUR,
    ]
    .concat();
    let pseudo = [&source.octets()[..], &group, &[0, 0, 0, 32, 0, 0, 0, 58]].concat();
    let words = pseudo.chunks(2).chain(message.chunks(2));
    let mut sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    message[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    let head = [0x60, 0, 0, 0, 0, 32, 58, 255];
    let packet = [&head[..], &source.octets(), &group, &message].concat();
    let to = MacAddr([0x33, 0x33, 0xff, low[0], low[1], low[2]]);
    frame(to, 0x86dd, &packet)
}
