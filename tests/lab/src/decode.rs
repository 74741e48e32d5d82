//! Decodes a frame by plain offsets, independently of the engine under test.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Mac = Mac([0xff; 6]);

    /// Whether it is a virtual router's (RFC 9568 section 7.3).
    pub fn is_virtual(self) -> bool {
        self.0[..4] == [0, 0, 0x5e, 0] && matches!(self.0[4], 1 | 2)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Destination MAC.
    pub dst: Mac,
    /// Source MAC.
    pub src: Mac,
    /// Its payload.
    pub what: What,
}

/// The payload of a frame, as far as the lab cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A VRRP advertisement.
    Advert(Advert),
    /// ARP.
    Arp(Arp),
    /// A neighbour solicitation or advertisement.
    Neighbour(Neighbour),
    /// Any other, by EtherType and, for IP, protocol.
    Other(u16, u8),
}

/// A VRRP advertisement and what carried it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// 2 or 3.
    pub version: u8,
    /// The message type, 1.
    pub kind: u8,
    /// The virtual router.
    pub vrid: u8,
    /// 0: the sender stops.
    pub priority: u8,
    /// In centiseconds, for version 2 too.
    pub interval_cs: u16,
    /// The virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// Authentication type of version 2, and its data.
    pub auth: Option<(u8, [u8; 8])>,
    /// Whether the checksum is right, and in which of the two readings.
    pub checksum: Checksum,
    /// Whether the IPv4 header's own checksum is right; true for IPv6.
    pub header_checksum_ok: bool,
    /// TTL or hop limit.
    pub ttl: u8,
    /// IP source.
    pub from: IpAddr,
    /// IP destination.
    pub to: IpAddr,
}

/// The verdict on a VRRP checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// Right over the message alone.
    Message,
    /// Right over the pseudo-header and the message.
    Pseudo,
    /// Wrong.
    Bad,
}

/// An ARP message for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub op: u16,
    /// Sender hardware address.
    pub sha: Mac,
    /// Sender protocol address.
    pub spa: Ipv4Addr,
    /// Target hardware address.
    pub tha: Mac,
    /// Target protocol address.
    pub tpa: Ipv4Addr,
}

impl Arp {
    /// Whether it announces the sender's address rather than asks or answers.
    pub fn is_gratuitous(&self) -> bool {
        self.spa == self.tpa
    }
}

/// A neighbour solicitation (135) or advertisement (136).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// 135 or 136.
    pub kind: u8,
    /// The advertisement's R, S and O flags as the top three bits.
    pub flags: u8,
    /// The address asked for or told of.
    pub target: Ipv6Addr,
    /// The link-layer option, source (135) or target (136).
    pub link: Option<Mac>,
    /// IPv6 source.
    pub from: Ipv6Addr,
    /// IPv6 destination.
    pub to: Ipv6Addr,
    /// Hop limit.
    pub hop_limit: u8,
    /// Whether the ICMPv6 checksum is right.
    pub checksum_ok: bool,
}

/// Reads a frame from its Ethernet header on. `None`: too short for what it claims to be.
pub fn frame(octets: &[u8]) -> Option<Frame> {
    let ethertype = be16(octets, 12)?;
    let payload = octets.get(14..)?;
    Some(Frame {
        dst: mac(octets, 0)?,
        src: mac(octets, 6)?,
        what: match ethertype {
            0x0800 => ipv4(payload)?,
            0x0806 => arp(payload)?,
            0x86dd => ipv6(payload)?,
            other => What::Other(other, 0),
        },
    })
}

fn ipv4(packet: &[u8]) -> Option<What> {
    let header_len = usize::from(packet.first()? & 15) * 4;
    let total_len = usize::from(be16(packet, 2)?);
    let protocol = *packet.get(9)?;
    if protocol != 112 {
        return Some(What::Other(0x0800, protocol));
    }
    let header = packet.get(..header_len)?;
    let message = packet.get(header_len..total_len)?;
    let (from, to) = (v4(packet, 12)?, v4(packet, 16)?);
    let mut pseudo = packet.get(12..20)?.to_vec();
    pseudo.extend([0, 112]);
    pseudo.extend((message.len() as u16).to_be_bytes());
    advert(
        message,
        &pseudo,
        from.into(),
        to.into(),
        packet[8],
        sum(&[header]) == 0xffff,
    )
}

fn ipv6(packet: &[u8]) -> Option<What> {
    let len = usize::from(be16(packet, 4)?);
    let next = *packet.get(6)?;
    let hop_limit = *packet.get(7)?;
    let (from, to) = (v6(packet, 8)?, v6(packet, 24)?);
    let message = packet.get(40..40 + len)?;
    let mut pseudo = packet.get(8..40)?.to_vec();
    pseudo.extend((len as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, next]);
    match next {
        112 => advert(message, &pseudo, from.into(), to.into(), hop_limit, true),
        58 if matches!(message.first()?, 135 | 136) => Some(What::Neighbour(Neighbour {
            kind: message[0],
            flags: *message.get(4)? & 0xe0,
            target: v6(message, 8)?,
            link: link_option(message.get(24..)?),
            from,
            to,
            hop_limit,
            checksum_ok: sum(&[&pseudo, message]) == 0xffff,
        })),
        _ => Some(What::Other(0x86dd, next)),
    }
}

fn advert(
    message: &[u8],
    pseudo: &[u8],
    from: IpAddr,
    to: IpAddr,
    ttl: u8,
    header_checksum_ok: bool,
) -> Option<What> {
    let version = message.first()? >> 4;
    let count = usize::from(*message.get(3)?);
    let size = if from.is_ipv4() { 4 } else { 16 };
    let mut addresses = Vec::with_capacity(count);
    for at in (8..8 + size * count).step_by(size) {
        addresses.push(if size == 4 {
            v4(message, at)?.into()
        } else {
            v6(message, at)?.into()
        });
    }
    let auth = if version == 2 {
        let data = message.get(8 + size * count..16 + size * count)?;
        Some((message[4], data.try_into().ok()?))
    } else {
        None
    };
    let checksum = if sum(&[message]) == 0xffff {
        Checksum::Message
    } else if sum(&[pseudo, message]) == 0xffff {
        Checksum::Pseudo
    } else {
        Checksum::Bad
    };
    Some(What::Advert(Advert {
        version,
        kind: message[0] & 15,
        vrid: message[1],
        priority: message[2],
        interval_cs: match version {
            2 => u16::from(message[5]) * 100,
            _ => be16(message, 4)? & 0xfff,
        },
        addresses,
        auth,
        checksum,
        header_checksum_ok,
        ttl,
        from,
        to,
    }))
}

fn arp(message: &[u8]) -> Option<What> {
    if message.get(..6)? != [0, 1, 8, 0, 6, 4] {
        return Some(What::Other(0x0806, 0));
    }
    Some(What::Arp(Arp {
        op: be16(message, 6)?,
        sha: mac(message, 8)?,
        spa: v4(message, 14)?,
        tha: mac(message, 18)?,
        tpa: v4(message, 24)?,
    }))
}

/// The first source (1) or target (2) link-layer address among neighbour discovery options.
fn link_option(mut options: &[u8]) -> Option<Mac> {
    loop {
        let len = usize::from(*options.get(1)?) * 8;
        if len == 0 {
            return None;
        }
        if matches!(options[0], 1 | 2) {
            return mac(options, 2);
        }
        options = options.get(len..)?;
    }
}

/// The Internet checksum's sum (RFC 1071), not complemented. Parts but the last have even length.
fn sum(parts: &[&[u8]]) -> u16 {
    let mut total = 0u32;
    for part in parts {
        for pair in part.chunks(2) {
            total += u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low));
        }
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    total as u16
}

fn be16(octets: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(octets.get(at..at + 2)?.try_into().ok()?))
}

fn mac(octets: &[u8], at: usize) -> Option<Mac> {
    Some(Mac(octets.get(at..at + 6)?.try_into().ok()?))
}

fn v4(octets: &[u8], at: usize) -> Option<Ipv4Addr> {
    let address: [u8; 4] = octets.get(at..at + 4)?.try_into().ok()?;
    Some(address.into())
}

fn v6(octets: &[u8], at: usize) -> Option<Ipv6Addr> {
    let address: [u8; 16] = octets.get(at..at + 16)?.try_into().ok()?;
    Some(address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Octets from pairs of hexadecimal digits, blanks ignored. Checksums were added up by hand.
    fn octets(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .chars()
            .filter_map(|c| c.to_digit(16).map(|digit| digit as u8))
            .collect();
        digits.chunks(2).map(|two| two[0] << 4 | two[1]).collect()
    }

    const V2: &str = "01005e000012 00005e000101 0800
        45c00028 00000000 ff70c687 0a0a0a02 e0000012
        21016401 010165bd 0a0a0a35 0000000000000000";
    const V3_MESSAGE: &str = "01005e000012 00005e000101 0800
        45c00020 00000000 ff70c68f 0a0a0a02 e0000012
        31016401 0064565a 0a0a0a35";
    const V3_PSEUDO: &str = "01005e000012 00005e000101 0800
        45c00020 00000000 ff70c68f 0a0a0a02 e0000012
        31016401 006461bf 0a0a0a35";
    const NA: &str = "333300000001 00005e000201 86dd
        60000000 00203aff fe800000000000000000000000000053 ff020000000000000000000000000001
        880078f6 a0000000 fe800000000000000000000000000053 0201 00005e000201";

    fn advert_of(text: &str) -> Advert {
        match frame(&octets(text)).expect("a whole frame").what {
            What::Advert(advert) => advert,
            other => panic!("{other:?} is no advertisement"),
        }
    }

    #[test]
    fn reads_version_2() {
        let advert = advert_of(V2);
        assert_eq!((advert.version, advert.kind, advert.vrid), (2, 1, 1));
        assert_eq!((advert.priority, advert.interval_cs), (100, 100));
        assert_eq!(advert.auth, Some((1, [0; 8])));
        assert_eq!(advert.checksum, Checksum::Message);
        assert!(advert.header_checksum_ok);
        assert_eq!(advert.ttl, 255);
        assert_eq!(advert.addresses, [IpAddr::from([10, 10, 10, 53])]);
        assert_eq!(advert.from, IpAddr::from([10, 10, 10, 2]));
        assert_eq!(advert.to, IpAddr::from([224, 0, 0, 18]));
    }

    #[test]
    fn tells_the_two_checksums_of_version_3_apart() {
        assert_eq!(advert_of(V3_MESSAGE).checksum, Checksum::Message);
        assert_eq!(advert_of(V3_PSEUDO).checksum, Checksum::Pseudo);
        assert_eq!(advert_of(V3_PSEUDO).interval_cs, 100);
    }

    #[test]
    fn finds_every_wrong_bit_of_a_message_and_of_its_header() {
        for text in [V2, V3_MESSAGE, V3_PSEUDO] {
            let good = octets(text);
            for bit in 34 * 8..good.len() * 8 {
                let mut bad = good.clone();
                bad[bit / 8] ^= 0x80 >> (bit % 8);
                if let Some(What::Advert(advert)) = frame(&bad).map(|frame| frame.what) {
                    assert_eq!(advert.checksum, Checksum::Bad, "bit {bit} of {text}");
                }
            }
        }
        let wrong_ttl = V2.replace("ff70c687", "fe70c687");
        assert!(!advert_of(&wrong_ttl).header_checksum_ok);
    }

    #[test]
    fn reads_an_unsolicited_neighbour_advertisement() {
        let frame = frame(&octets(NA)).expect("a whole frame");
        let What::Neighbour(neighbour) = frame.what else {
            panic!("{frame:?} is no neighbour advertisement");
        };
        assert_eq!((neighbour.kind, neighbour.flags), (136, 0xa0));
        assert_eq!(neighbour.link, Some(frame.src));
        assert_eq!(neighbour.hop_limit, 255);
        assert!(neighbour.checksum_ok && frame.src.is_virtual());
        assert_eq!(neighbour.target, neighbour.from);
    }

    #[test]
    fn a_frame_cut_short_is_none_or_less() {
        for text in [V2, V3_PSEUDO, NA] {
            let whole = octets(text);
            for len in 0..whole.len() {
                assert_ne!(
                    frame(&whole[..len]),
                    frame(&whole),
                    "{len} octets of {text}"
                );
            }
        }
    }
}
