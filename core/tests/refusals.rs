//! Frames that are cut short or changed: each is refused for its own reason, and none is a panic.

#[path = "golden/load.rs"]
mod load;

use std::net::IpAddr;

use load::{checksum, frame, frames};
use vrrp_core::wire::vrrp::{self, ChecksumForm};
use vrrp_core::wire::{PROTOCOL, arp, ethernet, ipv4, ipv6, ndisc};
use vrrp_core::{DropReason, Family, MacAddr};

/// The verdict of the views about a frame. Rules that need more than the frame are tested elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judged {
    NotVrrp,
    Dropped(DropReason),
    Fine,
}

use DropReason::{BadHeader, Checksum, Fragment, IpChecksum, Length, NoAddresses, Type, Version};
use Judged::{Dropped, Fine, NotVrrp};

fn judge(frame: &[u8]) -> Judged {
    let judged = || {
        let ethernet = ethernet::View::new(frame).ok_or(Dropped(BadHeader))?;
        let packet = ethernet.payload();
        let (source, destination, message): (IpAddr, IpAddr, _) = match ethernet.ethertype() {
            ethernet::IPV4 => {
                if ipv4::protocol_of(packet).is_some_and(|p| p != PROTOCOL) {
                    return Err(NotVrrp);
                }
                let ip = ipv4::View::new(packet).map_err(Dropped)?;
                (ip.source().into(), ip.destination().into(), ip.payload())
            }
            ethernet::IPV6 => {
                if ipv6::next_header_of(packet).is_some_and(|p| p != PROTOCOL) {
                    return Err(NotVrrp);
                }
                let ip = ipv6::View::new(packet).map_err(Dropped)?;
                (ip.source().into(), ip.destination().into(), ip.payload())
            }
            _ => return Err(NotVrrp),
        };
        let message = vrrp::View::new(message, Family::of(source)).map_err(Dropped)?;
        match message.checksum(source, destination) {
            ChecksumForm::Wrong => Err(Dropped(Checksum)),
            ChecksumForm::Plain | ChecksumForm::PseudoHeader => Ok(()),
        }
    };
    judged().err().unwrap_or(Fine)
}

/// Which checksums are made right again after the change.
#[derive(Clone, Copy, Debug)]
enum Mend {
    Nothing,
    Ip,
    /// The message alone is summed.
    All,
}

use Mend::{All, Ip, Nothing};

fn mend(frame: &mut [u8], what: Mend) {
    if matches!(what, Ip | All) {
        frame[24..26].fill(0);
        let sum = checksum(&[&frame[14..34]]);
        frame[24..26].copy_from_slice(&sum);
    }
    if matches!(what, All) {
        frame[40..42].fill(0);
        let sum = checksum(&[&frame[34..]]);
        frame[40..42].copy_from_slice(&sum);
    }
}

type Change = (&'static str, usize, &'static [u8], Mend, Judged);

fn judge_changes(name: &str, changes: &[Change]) {
    let whole = frame(name);
    assert_eq!(judge(&whole), Fine, "{name}");
    for &(what, at, octets, mended, expected) in changes {
        let mut frame = whole.clone();
        assert_ne!(
            &frame[at..at + octets.len()],
            octets,
            "{name}: {what} changes nothing"
        );
        frame[at..at + octets.len()].copy_from_slice(octets);
        mend(&mut frame, mended);
        assert_eq!(judge(&frame), expected, "{name}: {what}");
    }
}

//= RFC 791 section 3.1
#[test]
fn changes_of_the_ipv4_header() {
    #[rustfmt::skip]
    let changes: &[Change] = &[
        ("another EtherType", 12, &[0x88, 0xcc], Nothing, NotVrrp),
        ("version 5", 14, &[0x55], Nothing, Dropped(BadHeader)),
        ("version 6", 14, &[0x65], Ip, Dropped(BadHeader)),
        ("header of 16 octets", 14, &[0x44], Ip, Dropped(BadHeader)),
        ("header of 24 octets, which takes the message into the sum", 14, &[0x46], Nothing, Dropped(IpChecksum)),
        ("header of 60 octets, beyond the end", 14, &[0x4f], Ip, Dropped(BadHeader)),
        ("type of service", 15, &[0], Nothing, Dropped(IpChecksum)),
        ("type of service, mended", 15, &[0], Ip, Fine),
        ("one octet more than there is", 16, &[0, 33], Ip, Dropped(BadHeader)),
        ("total length 65535", 16, &[0xff, 0xff], Ip, Dropped(BadHeader)),
        ("total length 19", 16, &[0, 19], Ip, Dropped(BadHeader)),
        ("total length 0", 16, &[0, 0], Ip, Dropped(BadHeader)),
        ("total length 31, not mended", 16, &[0, 31], Nothing, Dropped(IpChecksum)),
        ("total length 31: an address cut short", 16, &[0, 31], Ip, Dropped(Length)),
        ("total length 27: a fixed part cut short", 16, &[0, 27], Ip, Dropped(Length)),
        ("total length 20: no message", 16, &[0, 20], Ip, Dropped(Length)),
        ("identification", 18, &[1, 2], Nothing, Dropped(IpChecksum)),
        ("identification, mended", 18, &[1, 2], Ip, Fine),
        ("More Fragments", 20, &[0x20], Ip, Dropped(Fragment)),
        ("More Fragments, not mended", 20, &[0x20], Nothing, Dropped(IpChecksum)),
        ("low bit of the fragment offset", 21, &[1], Ip, Dropped(Fragment)),
        ("high bit of the fragment offset", 20, &[0x10], Ip, Dropped(Fragment)),
        ("Don't Fragment", 20, &[0x40], Ip, Fine),
        ("the reserved flag", 20, &[0x80], Ip, Fine),
        ("TTL, not mended", 22, &[254], Nothing, Dropped(IpChecksum)),
        ("protocol", 23, &[17], Nothing, NotVrrp),
        ("protocol, and a header that is wrong too", 23, &[89, 1], Nothing, NotVrrp),
        ("header checksum", 24, &[0, 0], Nothing, Dropped(IpChecksum)),
        ("source", 26, &[10], Nothing, Dropped(IpChecksum)),
        ("source, mended: the message alone is summed", 26, &[10], Ip, Fine),
        ("destination", 30, &[239], Nothing, Dropped(IpChecksum)),
        ("destination, mended: the message alone is summed", 30, &[239], Ip, Fine),
    ];
    judge_changes("vectors/v3_plain", changes);
    judge_changes(
        "vectors/v3_pseudo",
        &[
            ("source, mended", 26, &[10], Ip, Dropped(Checksum)),
            ("destination, mended", 30, &[239], Ip, Dropped(Checksum)),
        ],
    );
}

//= RFC 8200 section 3
// V-9 and the hop limit (V-1) are judged where the rest of the world is known
#[test]
fn changes_of_the_ipv6_header() {
    #[rustfmt::skip]
    let changes: &[Change] = &[
        ("version 7", 14, &[0x7c], Nothing, Dropped(BadHeader)),
        ("version 4", 14, &[0x4c], Nothing, Dropped(BadHeader)),
        ("traffic class and flow label, which no checksum covers", 14, &[0x60, 1, 2, 3], Nothing, Fine),
        ("one octet more than there is", 18, &[0, 41], Nothing, Dropped(BadHeader)),
        ("payload length 65535", 18, &[0xff, 0xff], Nothing, Dropped(BadHeader)),
        ("payload length 39: an address cut short", 18, &[0, 39], Nothing, Dropped(Length)),
        ("payload length 7: a fixed part cut short", 18, &[0, 7], Nothing, Dropped(Length)),
        ("payload length 0", 18, &[0, 0], Nothing, Dropped(Length)),
        ("a hop-by-hop header", 20, &[0], Nothing, NotVrrp),
        ("ICMPv6", 20, &[58], Nothing, NotVrrp),
        ("source", 37, &[2], Nothing, Dropped(Checksum)),
        ("destination", 53, &[0x13], Nothing, Dropped(Checksum)),
        ("version 2, which IPv6 does not have", 54, &[0x21], Nothing, Dropped(Version)),
        ("version 4", 54, &[0x41], Nothing, Dropped(Version)),
        ("type 2", 54, &[0x32], Nothing, Dropped(Type)),
        ("no addresses", 57, &[0], Nothing, Dropped(NoAddresses)),
        ("one address fewer than there is", 57, &[1], Nothing, Dropped(Checksum)),
        ("one address more than there is", 57, &[3], Nothing, Dropped(Length)),
        ("checksum", 60, &[0, 0], Nothing, Dropped(Checksum)),
        ("address", 62, &[0xfd], Nothing, Dropped(Checksum)),
    ];
    judge_changes("vectors/v3_ipv6", changes);
}

//= RFC 9568 sections 5.2 and 7.1
// V-2, V-3, V-4, V-5, V-8, V-12
#[test]
fn changes_of_a_version_3_message() {
    #[rustfmt::skip]
    let changes: &[Change] = &[
        ("version 1", 34, &[0x11], All, Dropped(Version)),
        ("version 4", 34, &[0x41], All, Dropped(Version)),
        ("version 15 and type 0: the version is looked at first", 34, &[0xf0], All, Dropped(Version)),
        ("version 2, without its authentication data", 34, &[0x21], All, Dropped(Length)),
        ("type 0", 34, &[0x30], All, Dropped(Type)),
        ("type 2", 34, &[0x32], All, Dropped(Type)),
        ("type 2 and no addresses: the type is looked at first", 34, &[0x32, 7, 100, 0], All, Dropped(Type)),
        ("VRID", 35, &[8], Nothing, Dropped(Checksum)),
        ("VRID, mended", 35, &[8], All, Fine),
        ("priority", 36, &[101], Nothing, Dropped(Checksum)),
        ("no addresses", 37, &[0], All, Dropped(NoAddresses)),
        ("one address more than there is", 37, &[2], All, Dropped(Length)),
        ("255 addresses", 37, &[255], All, Dropped(Length)),
        ("reserved bits", 38, &[0xf0], Nothing, Dropped(Checksum)),
        ("reserved bits, mended", 38, &[0xf0], All, Fine),
        ("interval", 39, &[99], Nothing, Dropped(Checksum)),
        ("checksum", 40, &[0, 0], Nothing, Dropped(Checksum)),
        ("address", 45, &[8], Nothing, Dropped(Checksum)),
    ];
    judge_changes("vectors/v3_plain", changes);
}

//= RFC 3768 sections 5.3 and 7.1, RFC 2338 section 5.3.6
// V-4, V-5
#[test]
fn changes_of_a_version_2_message() {
    // A small build has no router that elects alone, and looks no further.
    let none = if cfg!(feature = "large") {
        Checksum
    } else {
        NoAddresses
    };
    #[rustfmt::skip]
    let changes: &[Change] = &[
        ("version 3: a shorter message", 34, &[0x31], Nothing, Dropped(Checksum)),
        ("type 3", 34, &[0x23], All, Dropped(Type)),
        ("no addresses, and so a shorter message than was mended", 37, &[0], All, Dropped(none)),
        ("one address fewer", 37, &[1], Nothing, Dropped(Checksum)),
        ("one address more, in the place of the authentication data", 37, &[3], All, Dropped(Length)),
        ("authentication type", 38, &[0], Nothing, Dropped(Checksum)),
        ("interval", 39, &[1], Nothing, Dropped(Checksum)),
        ("password", 57, b"T", Nothing, Dropped(Checksum)),
        ("password, mended", 57, b"T", All, Fine),
    ];
    judge_changes("vectors/v2_password", changes);
    // No form with a pseudo-header exists in version 2.
    let mut frame = frame("vectors/v2_none");
    frame[40..42].fill(0);
    let pseudo = [&frame[26..34], &[0, 112, 0, 20], &frame[34..]];
    let sum = checksum(&pseudo);
    frame[40..42].copy_from_slice(&sum);
    assert_eq!(judge(&frame), Dropped(Checksum));
}

// V-12
#[test]
fn reserved_bits_are_no_part_of_the_interval() {
    let mut frame = frame("vectors/v3_plain");
    frame[38] = 0xf0;
    let message = vrrp::View::new(&frame[34..], Family::Ipv4).expect("a message");
    assert_eq!(message.interval_cs(), 100);
    assert_eq!((message.auth_type(), message.auth_data()), (0, [0; 8]));
}

const ADVERTS: [&str; 6] = [
    "vectors/v2_none",
    "vectors/v2_password",
    "vectors/v3_plain",
    "vectors/v3_pseudo",
    "vectors/v3_255_addresses",
    "vectors/v3_ipv6",
];

/// Gives the IP header of a frame the length that the frame has.
fn set_ip_length(frame: &mut [u8]) {
    let ipv4 = frame[12] == 0x08;
    let (at, len) = if ipv4 {
        (16, frame.len() - 14)
    } else {
        (18, frame.len() - 54)
    };
    frame[at..at + 2].copy_from_slice(&(len as u16).to_be_bytes());
    if ipv4 {
        mend(frame, Ip);
    }
}

// V-4
#[test]
fn frames_cut_at_every_length() {
    for name in ADVERTS {
        let whole = frame(name);
        let headers = if whole[12] == 0x08 { 34 } else { 54 };
        for len in 0..whole.len() {
            // The IP header promises more than is there.
            assert_eq!(
                judge(&whole[..len]),
                Dropped(BadHeader),
                "{name} cut to {len}"
            );
            if len >= headers {
                let mut cut = whole[..len].to_vec();
                set_ip_length(&mut cut);
                assert_eq!(judge(&cut), Dropped(Length), "{name} shortened to {len}");
            }
        }
    }
}

// V-4
#[test]
fn octets_after_the_message_are_tolerated() {
    for name in ADVERTS {
        for extra in [1, 2, 7, 8, 28, 100] {
            let mut frame = frame(name);
            // Ethernet padding, beyond the IP packet.
            frame.resize(frame.len() + extra, 0x5a);
            assert_eq!(judge(&frame), Fine, "{name} padded by {extra}");
            // Octets within the IP packet, beyond the message.
            set_ip_length(&mut frame);
            assert_eq!(judge(&frame), Fine, "{name} followed by {extra}");
        }
    }
}

//= RFC 791 section 3.1
#[test]
fn ipv4_options_are_skipped() {
    let mut frame = frame("vectors/v3_pseudo");
    // Engine Alert (RFC 2113).
    frame.splice(34..34, [0x94, 4, 0, 0]);
    frame[14] = 0x46;
    frame[17] += 4;
    frame[24..26].fill(0);
    let sum = checksum(&[&frame[14..38]]);
    frame[24..26].copy_from_slice(&sum);
    assert_eq!(judge(&frame), Fine);
    frame[36] ^= 1;
    assert_eq!(judge(&frame), Dropped(IpChecksum));
}

// V-5
#[test]
fn no_flipped_bit_of_a_message_is_missed() {
    for name in ADVERTS {
        let whole = frame(name);
        let headers = if whole[12] == 0x08 { 34 } else { 54 };
        for bit in headers * 8..whole.len() * 8 {
            let mut frame = whole.clone();
            frame[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(judge(&frame), Dropped(_)), "{name} bit {bit}");
        }
    }
}

//= RFC 4861 section 7.1.1
#[test]
fn invalid_solicitations_are_not_answered() {
    let read = |frame: &[u8]| ndisc::Solicitation::new(&frame[14..]);
    let mut broken = 0;
    for (name, frame) in frames() {
        if name.starts_with("vectors/bad_ns") {
            assert_eq!(read(&frame), None, "{name}");
            broken += 1;
        }
    }
    assert_eq!(broken, 7);

    let whole = frame("vectors/ns");
    assert!(read(&whole).is_some());
    for len in 14..whole.len() {
        assert_eq!(read(&whole[..len]), None, "cut to {len}");
    }
    // From the payload length on: lengths, next header, hop limit, addresses and the message.
    for bit in 18 * 8..whole.len() * 8 {
        let mut frame = whole.clone();
        frame[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(read(&frame), None, "bit {bit}");
    }
    // Code 1, with a checksum that is right for it.
    let mut coded = whole;
    coded[55] = 1;
    coded[56..58].fill(0);
    let sum = checksum(&[&coded[22..54], &[0, 0, 0, 32, 0, 0, 0, 58], &coded[54..]]);
    coded[56..58].copy_from_slice(&sum);
    assert_eq!(read(&coded), None);
}

//= RFC 826
#[test]
fn other_arp_is_not_answered() {
    let whole = frame("vectors/arp_request");
    assert!(arp::Request::new(&whole[14..]).is_some());
    for len in 14..whole.len() {
        assert_eq!(arp::Request::new(&whole[14..len]), None, "cut to {len}");
    }
    // Hardware and protocol type, their lengths, the operation.
    for bit in 14 * 8..22 * 8 {
        let mut frame = whole.clone();
        frame[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(arp::Request::new(&frame[14..]), None, "bit {bit}");
    }
    // The answer to a group would go to many.
    let mut grouped = whole;
    grouped[22] |= 1;
    assert_eq!(arp::Request::new(&grouped[14..]), None);
}

/// Reads everything that can be read of `octets`, whatever they say that they are.
fn read_all(octets: &[u8]) -> u64 {
    let mut sum = 0;
    let mut buf = [0; 128];
    let mac = MacAddr([2; 6]);
    let Some(ethernet) = ethernet::View::new(octets) else {
        return 0;
    };
    sum += u64::from(ethernet.ethertype());
    sum += u64::from(ethernet.source() == ethernet.destination());
    let packet = ethernet.payload();
    let mut messages = vec![packet];
    messages.extend(ipv4::View::new(packet).map(|ip| {
        sum += u64::from(ip.ttl()) + u64::from(ip.protocol());
        ip.payload()
    }));
    messages.extend(ipv6::View::new(packet).map(|ip| {
        sum += u64::from(ip.hop_limit()) + u64::from(ip.next_header());
        ip.payload()
    }));
    for message in messages {
        for family in [Family::Ipv4, Family::Ipv6] {
            let Ok(view) = vrrp::View::new(message, family) else {
                continue;
            };
            sum += u64::from(view.interval_cs()) + u64::from(view.checksum_field());
            sum += u64::from(view.auth_type()) + u64::from(view.auth_data()[7]);
            assert_eq!(view.addresses().count(), usize::from(view.count()));
            for group in [Family::Ipv4.group(), Family::Ipv6.group()] {
                let form = view.checksum(group, group);
                sum += u64::from(form == ChecksumForm::Wrong);
            }
        }
    }
    if let Some(request) = arp::Request::new(packet) {
        sum += u64::from(arp::emit_reply(&mut buf, mac, &request).is_some());
    }
    if let Some(asked) = ndisc::Solicitation::new(packet) {
        sum += u64::from(ndisc::emit_na_reply(&mut buf, mac, &asked, mac).is_some());
    }
    sum
}

#[test]
fn no_cut_and_no_changed_octet_is_a_panic() {
    let mut sum = 0u64;
    for (_, whole) in frames() {
        for len in 0..=whole.len() {
            sum = sum.wrapping_add(read_all(&whole[..len]));
        }
        for at in 0..whole.len() {
            // Every value, but for the long address lists, which nothing looks into.
            let short = at < 64 || whole.len() < 256;
            let values: &[u8] = if short { &ALL } else { &[!whole[at]] };
            let mut frame = whole.clone();
            for &value in values {
                frame[at] = value;
                sum = sum.wrapping_add(read_all(&frame));
            }
        }
    }
    assert_ne!(sum, 0);
}

const ALL: [u8; 256] = {
    let mut all = [0; 256];
    let mut i = 0;
    while i < 256 {
        all[i] = i as u8;
        i += 1;
    }
    all
};
