//! Requests by ioctl(2) and messages of the routing socket of FreeBSD's kernel, and its answers.

use std::net::IpAddr;

use vrrp_core::{MacAddr, VirtualAddress};
use vrrp_freebsd::fuzz_api::{address_requests, answers_in, blackhole, link_requests};

use crate::octets::Octets;

/// The room for a name, with the zero at its end.
const NAME: usize = 16;

/// The first octet decides: an answer, or requests with a name, an address and a number.
///
/// # Panics
/// When a request is not as long as it says or does not hold what it is about, or a name is refused
/// that an interface can have.
pub fn check(octets: &[u8]) {
    let mut octets = Octets(octets);
    match octets.u8() & 3 {
        0 => drop(answers_in(octets.rest())),
        kind => ask(&mut octets, kind == 1),
    }
}

fn ask(octets: &mut Octets<'_>, v4: bool) {
    let ip = match v4 {
        true => IpAddr::from(octets.array::<4>()),
        false => IpAddr::from(octets.array::<16>()),
    };
    let (mac, number) = (MacAddr(octets.array()), u32::from_be_bytes(octets.array()));
    route(ip, number);
    let name = String::from_utf8_lossy(octets.rest());
    let can_be = name.len() < NAME && !name.contains('\0');
    let about_address = address_requests(&name, ip);
    let about_link = link_requests(&name, mac, number);
    assert_eq!(about_address.is_ok(), can_be, "{name:?}");
    assert_eq!(about_link.is_ok(), can_be, "{name:?}");
    let (Ok(about_address), Ok(about_link)) = (about_address, about_link) else {
        return;
    };
    for (number, argument) in about_address.iter().chain(&about_link) {
        assert_eq!(argument.len() as u64, number >> 16 & 0x1fff);
        assert_eq!(argument[..name.len()], *name.as_bytes());
        assert!(argument[name.len()..NAME].iter().all(|&octet| octet == 0));
    }
    for (_, argument) in &about_address {
        assert!(argument[NAME..].starts_with(&socket_address(ip)));
    }
    let [flags, mtu, discovery, own_mac, asks] = &about_link;
    assert_eq!(answers_in(&flags.1)[0], number);
    assert_eq!(answers_in(&mtu.1)[1], number);
    assert_eq!(answers_in(&discovery.1)[2], number);
    assert_eq!(
        (own_mac.1[NAME], &own_mac.1[NAME + 2..NAME + 8]),
        (6, &mac.0[..])
    );
    assert!(asks.1[NAME..].iter().all(|&octet| octet == 0));
}

/// A struct sockaddr_in or sockaddr_in6.
fn socket_address(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => [&[16, 2, 0, 0][..], &ip.octets(), &[0; 8]].concat(),
        IpAddr::V6(ip) => [&[28, 28, 0, 0, 0, 0, 0, 0][..], &ip.octets(), &[0; 4]].concat(),
    }
}

/// A message is as long as it says, and the address is the first behind its header.
fn route(address: IpAddr, sequence: u32) {
    let prefix_len = 24;
    let address_and_prefix = VirtualAddress {
        address,
        prefix_len,
    };
    for on in [true, false] {
        let message = blackhole(address_and_prefix, on, sequence);
        let len = u16::from_ne_bytes([message[0], message[1]]);
        assert_eq!(usize::from(len), message.len());
        assert_eq!((message[2], message[3]), (5, if on { 1 } else { 2 }));
        assert!(message[152..].starts_with(&socket_address(address)));
        assert!(message.len().is_multiple_of(8));
    }
}
