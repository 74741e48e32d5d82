//! Reads a frame without the code under test.

use std::net::IpAddr;

pub(crate) type Mac = [u8; 6];

fn ip(octets: &[u8]) -> IpAddr {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).unwrap().into(),
        _ => <[u8; 16]>::try_from(octets).unwrap().into(),
    }
}

pub(crate) fn source_mac(frame: &[u8]) -> Mac {
    frame[6..12].try_into().unwrap()
}

pub(crate) fn destination_mac(frame: &[u8]) -> Mac {
    frame[..6].try_into().unwrap()
}

/// Destination of an IP packet.
pub(crate) fn destination(frame: &[u8]) -> Option<IpAddr> {
    match frame[12..14] {
        [0x08, 0x00] => Some(ip(&frame[30..34])),
        [0x86, 0xdd] => Some(ip(&frame[38..54])),
        _ => None,
    }
}

/// Every address that a frame speaks for, with a MAC that it names for it.
pub(crate) fn claims(frame: &[u8]) -> Vec<(IpAddr, Mac)> {
    let mac = source_mac(frame);
    let at = |from: usize| frame[from..from + 6].try_into().unwrap();
    match frame[12..14] {
        [0x08, 0x06] => {
            let sender = ip(&frame[28..32]);
            vec![(sender, mac), (sender, at(22))]
        }
        [0x08, 0x00] => vec![(ip(&frame[26..30]), mac)],
        [0x86, 0xdd] => {
            let source = ip(&frame[22..38]);
            let mut claims = vec![(source, mac)];
            if frame[20] == 58 {
                let (subject, options) = match frame[54] {
                    133 => (source, 62),
                    135 => (source, 78),
                    136 => (ip(&frame[62..78]), 78),
                    _ => return claims,
                };
                let mut option = options;
                while option + 8 <= frame.len() {
                    claims.push((subject, at(option + 2)));
                    option += 8 * usize::from(frame[option + 1]);
                }
            }
            claims
        }
        _ => Vec::new(),
    }
}

pub(crate) fn is_advert(frame: &[u8]) -> bool {
    match frame[12..14] {
        [0x08, 0x00] => frame[23] == 112,
        [0x86, 0xdd] => frame[20] == 112,
        _ => false,
    }
}

/// The priority of an advertisement.
pub(crate) fn priority(frame: &[u8]) -> u8 {
    let message = if frame[12] == 0x08 { 34 } else { 54 };
    frame[message + 2]
}
