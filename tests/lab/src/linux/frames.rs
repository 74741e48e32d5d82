//! Forged and spoilt advertisements, octet by octet.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{Host, Vr};

/// Frames that are refused for one reason.
#[derive(Debug)]
pub struct Kind {
    /// The fault of the frames.
    pub name: &'static str,
    /// The counter that counts them. `None`: they are not refused.
    pub reason: Option<&'static str>,
    /// Whether the master may answer each (S-10: it says at once that it is still there).
    pub each_answered: bool,
    /// Many, which differ in who sent them.
    pub frames: Vec<Vec<u8>>,
}

/// An advertisement that is about to be spoilt.
#[derive(Clone, Debug)]
struct Advert {
    source: u8,
    ttl: u8,
    /// The third and fourth octet of 224.0.x.y.
    group: [u8; 2],
    /// The VRRP message; its checksum is made good in the end.
    message: Vec<u8>,
    /// Added to the checksum of the message.
    message_error: u16,
    /// Added to the checksum of the IPv4 header.
    header_error: u16,
    /// Added to the length in the IPv4 header.
    excess: u16,
}

impl Advert {
    /// Of VRRPv3 for `vr`, which is of IPv4, from the host with the number `source`.
    fn new(vr: &Vr, priority: u8, source: u8) -> Self {
        let mut message = vec![0x31, vr.vrid, priority, vr.addresses.len() as u8];
        message.extend(vr.interval_cs.to_be_bytes());
        message.extend([0, 0]);
        for address in &vr.addresses {
            match address {
                std::net::IpAddr::V4(address) => message.extend(address.octets()),
                std::net::IpAddr::V6(_) => panic!("the flood's own virtual router is IPv4"),
            }
        }
        Self {
            source,
            ttl: 255,
            group: [0, 18],
            message,
            message_error: 0,
            header_error: 0,
            excess: 0,
        }
    }

    fn with(mut self, spoil: impl FnOnce(&mut Self)) -> Self {
        spoil(&mut self);
        self
    }

    fn frame(mut self) -> Vec<u8> {
        let sum = !sum(&self.message);
        let error = sum.wrapping_add(self.message_error);
        self.message[6..8].copy_from_slice(&error.to_be_bytes());
        let len = 20 + self.message.len() as u16 + self.excess;
        let mut header = vec![0x45, 0xc0];
        header.extend(len.to_be_bytes());
        header.extend([0, 0, 0, 0, self.ttl, 112, 0, 0]);
        header.extend(Ipv4Addr::new(10, 10, 10, self.source).octets());
        header.extend([224, 0, self.group[0], self.group[1]]);
        let sum = (!self::sum(&header)).wrapping_add(self.header_error);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        let mut frame = vec![1, 0, 0x5e, 0, 0, 0x12, 2, 0, 10, 10, 66, self.source, 8, 0];
        frame.extend(header);
        frame.extend(self.message);
        frame
    }
}

/// An advertisement over IPv6 for the VRID, from fe80::`source`.
fn ipv6(vrid: u8, source: u8, hop_limit: u8) -> Vec<u8> {
    let from = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, source.into());
    let to = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
    let mut message = vec![0x31, vrid, 1, 1, 0, 100, 0, 0];
    message.extend(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x20, vrid.into()).octets());
    let mut pseudo = [from.octets(), to.octets()].concat();
    pseudo.extend((message.len() as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, 112]);
    let checksum = !sum(&[pseudo, message.clone()].concat());
    message[6..8].copy_from_slice(&checksum.to_be_bytes());
    let mut frame = vec![
        0x33, 0x33, 0, 0, 0, 0x12, 2, 0, 10, 10, 66, source, 0x86, 0xdd,
    ];
    frame.extend([0x60, 0, 0, 0]);
    frame.extend((message.len() as u16).to_be_bytes());
    frame.extend([112, hop_limit]);
    frame.extend([from.octets(), to.octets()].concat());
    frame.extend(message);
    frame
}

/// Everything that must be refused, by reason, for the IPv4 virtual router `vr` of `master`, who has
/// none of IPv6 but `six`.
pub fn refused(vr: &Vr, six: u8, master: &Host) -> Vec<Kind> {
    let kind = |name, reason, frame: &dyn Fn(u8) -> Vec<u8>| Kind {
        name,
        reason: Some(reason),
        each_answered: false,
        frames: (100..=250).map(frame).collect(),
    };
    let good = |source| Advert::new(vr, 255, source);
    let own = master.v4().octets()[3];
    vec![
        kind("another host's VRID", "vrid-errors", &|source| {
            good(source)
                .with(|advert| advert.message[1] = source)
                .frame()
        }),
        kind("checksum", "checksum-errors", &|source| {
            good(source).with(|advert| advert.message_error = 1).frame()
        }),
        kind("TTL", "ip-ttl-errors", &|source| {
            good(source).with(|advert| advert.ttl = source).frame()
        }),
        kind("hop limit", "ip-ttl-errors", &|source| {
            ipv6(six, source, source)
        }),
        kind("version", "version-errors", &|source| {
            good(source).with(|advert| advert.message[0] = 0x71).frame()
        }),
        kind("type", "invalid-type-pkts-rcvd", &|source| {
            good(source).with(|advert| advert.message[0] = 0x32).frame()
        }),
        kind(
            "shorter than its addresses",
            "packet-length-errors",
            &|source| {
                good(source)
                    .with(|advert| advert.message[3] = source)
                    .frame()
            },
        ),
        kind("without addresses", "address-list-empty", &|source| {
            good(source).with(|advert| advert.message[3] = 0).frame()
        }),
        kind("interval 0", "interval-zero", &|source| {
            good(source)
                .with(|advert| advert.message[4..6].fill(0))
                .frame()
        }),
        kind("IPv4 checksum", "ip-checksum-error", &|source| {
            good(source).with(|advert| advert.header_error = 1).frame()
        }),
        kind("IPv4 length", "bad-header", &|source| {
            good(source).with(|advert| advert.excess = 1000).frame()
        }),
        kind("another group", "wrong-destination", &|source| {
            good(source)
                .with(|advert| advert.group = [0, source])
                .frame()
        }),
        kind("our own address", "own-looped-back", &|_| good(own).frame()),
    ]
}

/// Sound advertisements of somebody who is not there.
pub fn spoofed(name: &'static str, vr: &Vr, priority: u8) -> Kind {
    Kind {
        name,
        reason: None,
        each_answered: priority == 0,
        frames: (100..=250)
            .map(|source| Advert::new(vr, priority, source).frame())
            .collect(),
    }
}

/// A sound advertisement for an IPv4 virtual router from 10.10.10.`source`, with this priority and
/// interval.
pub fn forged(vr: &Vr, priority: u8, interval_cs: u16, source: u8) -> Vec<u8> {
    let vr = vr.clone().interval_cs(interval_cs);
    Advert::new(&vr, priority, source).frame()
}

/// The Internet checksum's sum (RFC 1071) of an even number of octets.
fn sum(octets: &[u8]) -> u16 {
    let mut total: u32 = octets
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}
