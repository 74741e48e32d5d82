//! Advertisements written octet by octet, right or wrong, without the engine's own encoder.

use std::net::IpAddr;

use crate::signature::Trailer;

/// Which sum a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Over the message alone.
    Plain,
    /// Over a pseudo-header too.
    Pseudo,
    /// Neither.
    Wrong,
}

/// An advertisement, field by field.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "RFC 9568 section 5.2 and RFC 3768 section 5.3 say what they are"
)]
pub struct Message {
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ttl: u8,
    pub version: u8,
    pub kind: u8,
    pub vrid: u8,
    pub priority: u8,
    /// Centiseconds of twelve bits in version 3, seconds in version 2.
    pub interval: u16,
    /// The four bits before the interval of version 3.
    pub reserved: u8,
    pub addresses: Vec<IpAddr>,
    /// The number of addresses that the header claims, where it is a lie.
    pub count: Option<u8>,
    pub auth_type: u8,
    pub auth_data: [u8; 8],
    pub sum: Sum,
    /// Octets that are missing at the end.
    pub missing: usize,
    /// Octets that follow what belongs there.
    pub trailing: usize,
    pub trailer: Option<Trailer>,
}

impl Message {
    /// The number of addresses that it claims.
    pub fn claimed(&self) -> u8 {
        self.count.unwrap_or(self.addresses.len() as u8)
    }

    /// The VRRP message, and what follows it.
    pub fn encode(&self) -> Vec<u8> {
        let mut m = vec![self.version << 4 | self.kind, self.vrid, self.priority];
        m.push(self.claimed());
        match self.version {
            2 => m.extend([self.auth_type, self.interval as u8]),
            _ => m.extend((u16::from(self.reserved) << 12 | self.interval).to_be_bytes()),
        }
        m.extend([0, 0]);
        for address in &self.addresses {
            match address {
                IpAddr::V4(v4) => m.extend(v4.octets()),
                IpAddr::V6(v6) => m.extend(v6.octets()),
            }
        }
        if self.version == 2 {
            m.extend(self.auth_data);
        }
        m.truncate(m.len().saturating_sub(self.missing));
        let trailer = self.trailer.as_ref();
        let trailer = trailer.map_or_else(Vec::new, |trailer| trailer.encode(self.source, &m));
        // The sum of IPv6 covers the trailer, and that of IPv4 does not (H-9).
        let covered = match self.source {
            IpAddr::V4(_) => m.clone(),
            IpAddr::V6(_) => [&m[..], &trailer].concat(),
        };
        let pseudo = match self.sum {
            Sum::Plain => Vec::new(),
            Sum::Pseudo | Sum::Wrong => self.pseudo_header(covered.len()),
        };
        let mut sum = ones_complement(pseudo.iter().chain(&covered).copied());
        if self.sum == Sum::Wrong {
            // Neither what is right over the message nor over the pseudo-header.
            let plain = ones_complement(covered.iter().copied());
            sum = sum.wrapping_add(0x0101);
            if sum == plain {
                sum = sum.wrapping_add(0x0101);
            }
        }
        if let Some(field) = m.get_mut(6..8) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
        m.extend(trailer);
        m.extend(vec![0xa5; self.trailing]);
        m
    }

    fn pseudo_header(&self, len: usize) -> Vec<u8> {
        let mut p = Vec::new();
        match (self.source, self.destination) {
            (IpAddr::V4(s), IpAddr::V4(d)) => {
                p.extend(s.octets());
                p.extend(d.octets());
                p.extend([0, 112]);
                p.extend((len as u16).to_be_bytes());
            }
            (IpAddr::V6(s), IpAddr::V6(d)) => {
                p.extend(s.octets());
                p.extend(d.octets());
                p.extend((len as u32).to_be_bytes());
                p.extend([0, 0, 0, 112]);
            }
            _ => {}
        }
        p
    }

    /// The whole frame.
    pub fn frame(&self) -> Vec<u8> {
        let message = self.encode();
        let mut f = match self.destination {
            IpAddr::V4(_) => vec![1, 0, 0x5e, 0, 0, 0x12],
            IpAddr::V6(_) => vec![0x33, 0x33, 0, 0, 0, 0x12],
        };
        f.extend([2, 0, 0, 0, 0, 0x77]);
        match (self.source, self.destination) {
            (IpAddr::V4(s), IpAddr::V4(d)) => {
                let mut ip = vec![0x45, 0xc0];
                ip.extend((20 + message.len() as u16).to_be_bytes());
                ip.extend([0, 0, 0, 0, self.ttl, 112, 0, 0]);
                ip.extend(s.octets());
                ip.extend(d.octets());
                let sum = ones_complement(ip.iter().copied());
                ip[10..12].copy_from_slice(&sum.to_be_bytes());
                f.extend([8, 0]);
                f.extend(ip);
            }
            (IpAddr::V6(s), IpAddr::V6(d)) => {
                f.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                f.extend((message.len() as u16).to_be_bytes());
                f.extend([112, self.ttl]);
                f.extend(s.octets());
                f.extend(d.octets());
            }
            _ => {}
        }
        f.extend(message);
        f
    }
}

/// RFC 1071, one octet at a time.
fn ones_complement(octets: impl Iterator<Item = u8>) -> u16 {
    let mut sum = 0_u64;
    for (at, octet) in octets.enumerate() {
        sum += if at % 2 == 0 {
            u64::from(octet) << 8
        } else {
            u64::from(octet)
        };
    }
    while sum > 0xffff {
        sum = (sum >> 16) + (sum & 0xffff);
    }
    !(sum as u16)
}
