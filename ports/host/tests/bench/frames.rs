//! Frames of a neighbour.

use std::net::Ipv6Addr;

use vrrp_core::{Family, MacAddr};

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

/// A gratuitous ARP request of the host with this MAC.
pub fn gratuitous_arp(from: [u8; 6], address: [u8; 4]) -> Vec<u8> {
    let head = [0, 1, 8, 0, 6, 4, 0, 1];
    let arp = [&head[..], &from, &address, &[0; 6], &address].concat();
    frame_from(from, MacAddr::BROADCAST, 0x0806, &arp)
}

/// A neighbour advertisement to all nodes, of the host with this MAC.
pub fn unsolicited_na(from: [u8; 6], target: Ipv6Addr) -> Vec<u8> {
    let all_nodes: Ipv6Addr = "ff02::1".parse().unwrap();
    let head = [136, 0, 0, 0, 0x20, 0, 0, 0];
    let mut message = [&head[..], &target.octets(), &[2, 1], &from].concat();
    let addresses = [target.octets(), all_nodes.octets()].concat();
    let pseudo = [&addresses[..], &[0, 0, 0, 32, 0, 0, 0, 58]].concat();
    let sum = checksum(&[&pseudo[..], &message].concat());
    message[2..4].copy_from_slice(&sum);
    let head = [0x60, 0, 0, 0, 0, 32, 58, 255];
    let packet = [&head[..], &addresses, &message].concat();
    frame_from(from, MacAddr([0x33, 0x33, 0, 0, 0, 1]), 0x86dd, &packet)
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

/// An advertisement to the group, in a frame of this source.
pub fn group_frame(from: MacAddr, mark: u8) -> Vec<u8> {
    frame_from(from.0, Family::Ipv4.group_mac(), 0x0800, &advert(mark))
}

/// An echo request of 10.0.0.9.
pub fn echo_request(to: MacAddr, target: [u8; 4]) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 36, 0, 1, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9];
    packet.extend(target);
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum);
    let mut message = vec![8, 0, 0, 0, 0, 1, 0, 1];
    message.extend([0x55; 8]);
    let sum = checksum(&message);
    message[2..4].copy_from_slice(&sum);
    packet.extend(message);
    frame(to, 0x0800, &packet)
}

/// A neighbour solicitation for `target`.
pub fn solicitation(source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let low = &target.octets()[13..];
    let group = [&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff][..], low].concat();
    let head = [135, 0, 0, 0, 0, 0, 0, 0];
    let mut message = [&head[..], &target.octets(), &[1, 1], &NEIGHBOUR].concat();
    let pseudo = [&source.octets()[..], &group, &[0, 0, 0, 32, 0, 0, 0, 58]].concat();
    let sum = checksum(&[&pseudo[..], &message].concat());
    message[2..4].copy_from_slice(&sum);
    let head = [0x60, 0, 0, 0, 0, 32, 58, 255];
    let packet = [&head[..], &source.octets(), &group, &message].concat();
    let to = MacAddr([0x33, 0x33, 0xff, low[0], low[1], low[2]]);
    frame(to, 0x86dd, &packet)
}

/// The checksum of an even number of octets (RFC 1071).
fn checksum(octets: &[u8]) -> [u8; 2] {
    let words = octets.chunks(2);
    let mut sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
