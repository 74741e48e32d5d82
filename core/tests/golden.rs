//! Frames of other implementations and frames put together by hand, both ways: read by our views,
//! and written again by us octet for octet. Where they come from: golden/README.md.

#[path = "golden/load.rs"]
mod load;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use load::{checksum, frame, frames};
use vrrp_core::wire::vrrp::{self, ChecksumForm};
use vrrp_core::wire::{Advert, Emitted, WireVersion, arp, ethernet, ipv4, ipv6, ndisc};
use vrrp_core::{AdvertInterval, Auth, Family, MacAddr, Vrid};

use ChecksumForm::{Plain, PseudoHeader};

const ASKER: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x0b]);
const PHYSICAL: MacAddr = MacAddr([2, 0, 0, 0, 0, 0x0a]);
const VMAC4: MacAddr = MacAddr([0, 0, 0x5e, 0, 1, 7]);
const VMAC6: MacAddr = MacAddr([0, 0, 0x5e, 0, 2, 7]);
const V2: u8 = 2;
const V3: u8 = 3;

/// The content of an advertisement: name, source MAC (`None`: the virtual one), source, version, VRID,
/// priority, interval in centiseconds, password, addresses, form of the checksum.
type Said = (
    &'static str,
    Option<MacAddr>,
    &'static str,
    u8,
    u8,
    u8,
    u16,
    &'static str,
    &'static str,
    ChecksumForm,
);

#[rustfmt::skip]
const ADVERTS: &[Said] = &[
    ("keepalived/v2_ipv4_vrid1_advert", Some(PHYSICAL), "192.0.2.1", V2, 1, 100, 100, "s3cret", "192.0.2.101 192.0.2.102", Plain),
    ("keepalived/v2_ipv4_vrid1_stop", Some(PHYSICAL), "192.0.2.1", V2, 1, 0, 100, "s3cret", "192.0.2.101 192.0.2.102", Plain),
    ("keepalived/v2_ipv4_vrid2_advert", None, "192.0.2.1", V2, 2, 110, 200, "", "192.0.2.103", Plain),
    ("keepalived/v2_ipv4_vrid2_stop", None, "192.0.2.1", V2, 2, 0, 200, "", "192.0.2.103", Plain),
    ("keepalived/v3_ipv4_vrid3_advert", Some(PHYSICAL), "192.0.2.1", V3, 3, 120, 50, "", "192.0.2.104 192.0.2.105 192.0.2.106", PseudoHeader),
    ("keepalived/v3_ipv4_vrid3_stop", Some(PHYSICAL), "192.0.2.1", V3, 3, 0, 50, "", "192.0.2.104 192.0.2.105 192.0.2.106", PseudoHeader),
    ("keepalived/v3_ipv4_vrid4_advert", None, "192.0.2.1", V3, 4, 130, 100, "", "192.0.2.107", PseudoHeader),
    ("keepalived/v3_ipv4_vrid4_stop", None, "192.0.2.1", V3, 4, 0, 100, "", "192.0.2.107", PseudoHeader),
    ("keepalived/v3_ipv6_vrid5_advert", Some(PHYSICAL), "fe80::a", V3, 5, 140, 100, "", "fe80::5:1 2001:db8::105", PseudoHeader),
    ("keepalived/v3_ipv6_vrid5_stop", Some(PHYSICAL), "fe80::a", V3, 5, 0, 100, "", "fe80::5:1 2001:db8::105", PseudoHeader),
    ("keepalived/v3_ipv6_vrid6_advert", None, "fe80::a", V3, 6, 254, 1023, "", "fe80::6:1 2001:db8::106", PseudoHeader),
    ("keepalived/v3_ipv6_vrid6_stop", None, "fe80::a", V3, 6, 0, 1023, "", "fe80::6:1 2001:db8::106", PseudoHeader),
    ("frr/v2_ipv4_vrid11_advert", None, "192.0.2.1", V2, 11, 90, 100, "", "192.0.2.111", Plain),
    ("frr/v2_ipv4_vrid11_stop", None, "192.0.2.1", V2, 11, 0, 100, "", "192.0.2.111", Plain),
    ("frr/v3_ipv4_vrid12_advert", None, "192.0.2.1", V3, 12, 120, 50, "", "192.0.2.112 192.0.2.113", PseudoHeader),
    ("frr/v3_ipv4_vrid12_stop", None, "192.0.2.1", V3, 12, 0, 50, "", "192.0.2.112 192.0.2.113", PseudoHeader),
    ("frr/v3_ipv4_vrid13_advert", None, "192.0.2.1", V3, 13, 100, 100, "", "192.0.2.114", PseudoHeader),
    ("frr/v3_ipv4_vrid13_stop", None, "192.0.2.1", V3, 13, 0, 100, "", "192.0.2.114", PseudoHeader),
    ("frr/v3_ipv6_vrid12_advert", None, "fe80::c:1", V3, 12, 120, 50, "", "fe80::c:1 2001:db8::112", PseudoHeader),
    ("frr/v3_ipv6_vrid12_stop", None, "fe80::c:1", V3, 12, 0, 50, "", "fe80::c:1 2001:db8::112", PseudoHeader),
    ("vectors/v2_none", None, "198.51.100.1", V2, 7, 100, 100, "", "198.51.100.7", Plain),
    ("vectors/v2_password", None, "198.51.100.1", V2, 7, 200, 300, "eightoct", "198.51.100.7 198.51.100.8", Plain),
    ("vectors/v2_stop", None, "198.51.100.1", V2, 7, 0, 100, "pw", "198.51.100.7", Plain),
    ("vectors/v3_plain", None, "198.51.100.1", V3, 7, 100, 100, "", "198.51.100.7", Plain),
    ("vectors/v3_pseudo", None, "198.51.100.1", V3, 7, 100, 100, "", "198.51.100.7", PseudoHeader),
    ("vectors/v3_stop", None, "198.51.100.1", V3, 7, 0, 4095, "", "198.51.100.7", Plain),
    ("vectors/v3_ipv6", None, "fe80::1", V3, 7, 254, 10, "", "fe80::7 2001:db8::7", PseudoHeader),
];

fn row(name: &str) -> Said {
    let found = ADVERTS.iter().find(|said| said.0 == name);
    *found.unwrap_or_else(|| panic!("{name} is not in the table"))
}

fn addresses(text: &str) -> Vec<IpAddr> {
    let parse = |a: &str| a.parse().expect("an address");
    text.split_whitespace().map(parse).collect()
}

fn password(text: &str) -> [u8; 8] {
    let mut octets = text.bytes();
    std::array::from_fn(|_| octets.next().unwrap_or(0))
}

/// The frame as we send it, where others only differ in what no receiver looks at: the IPv4
/// identification and Don't Fragment, the IPv6 flow label.
fn with_our_ip_header(mut frame: Vec<u8>) -> Vec<u8> {
    if frame[12..14] == [0x08, 0x00] {
        frame[18..22].fill(0);
        frame[24..26].fill(0);
        let sum = checksum(&[&frame[14..34]]);
        frame[24..26].copy_from_slice(&sum);
    } else {
        frame[15] &= 0xf0;
        frame[16..18].fill(0);
    }
    frame
}

/// Reads an advertisement down to its message and checks what lies around it.
fn message_of<'a>(frame: &'a [u8], source: IpAddr) -> (vrrp::View<'a>, IpAddr) {
    let family = Family::of(source);
    let ethernet = ethernet::View::new(frame).expect("an Ethernet header");
    assert_eq!(ethernet.destination(), family.group_mac());
    let (from, to, ttl, protocol, payload): (IpAddr, IpAddr, _, _, _) = match family {
        Family::Ipv4 => {
            assert_eq!(ethernet.ethertype(), ethernet::IPV4);
            assert_eq!(ipv4::protocol_of(ethernet.payload()), Some(112));
            let ip = ipv4::View::new(ethernet.payload()).expect("an IPv4 header");
            let (from, to) = (ip.source().into(), ip.destination().into());
            (from, to, ip.ttl(), ip.protocol(), ip.payload())
        }
        Family::Ipv6 => {
            assert_eq!(ethernet.ethertype(), ethernet::IPV6);
            assert_eq!(ipv6::next_header_of(ethernet.payload()), Some(112));
            let ip = ipv6::View::new(ethernet.payload()).expect("an IPv6 header");
            let (from, to) = (ip.source().into(), ip.destination().into());
            (from, to, ip.hop_limit(), ip.next_header(), ip.payload())
        }
    };
    assert_eq!((from, to, ttl), (source, family.group(), 255));
    assert_eq!(protocol, 112);
    (vrrp::View::new(payload, family).expect("a message"), to)
}

//= RFC 9568 section 5.2, RFC 3768 section 5.3
// V-5
#[test]
fn every_advertisement_is_read() {
    for &(name, mac, source, version, vrid, priority, interval, auth, list, form) in ADVERTS {
        let frame = frame(name);
        let source: IpAddr = source.parse().expect("an address");
        let id = Vrid::new(vrid).expect("a VRID");
        let mac = mac.unwrap_or(MacAddr::virtual_router(Family::of(source), id));
        let ethernet = ethernet::View::new(&frame).expect("an Ethernet header");
        assert_eq!(ethernet.source(), mac, "{name}");

        let (message, destination) = message_of(&frame, source);
        assert_eq!(vrrp::peek_vrid(message.pdu()), Some(vrid), "{name}");
        assert_eq!(message.vrid(), vrid, "{name}");
        assert_eq!(message.version(), version, "{name}");
        assert_eq!(message.priority(), priority, "{name}");
        assert_eq!(message.interval_cs(), interval, "{name}");
        assert_eq!(message.auth_type(), u8::from(!auth.is_empty()), "{name}");
        assert_eq!(message.auth_data(), password(auth), "{name}");
        let list = addresses(list);
        assert_eq!(usize::from(message.count()), list.len(), "{name}");
        assert_eq!(message.addresses().len(), list.len(), "{name}");
        assert!(message.addresses().eq(list), "{name}");
        assert_eq!(message.checksum(source, destination), form, "{name}");
        let pdu = message.pdu();
        assert_eq!(message.checksum_field().to_be_bytes(), pdu[6..8], "{name}");
    }
}

fn advert(said: &Said) -> Advert {
    let &(_, mac, source, version, vrid, priority, interval, auth, _, form) = said;
    let source: IpAddr = source.parse().expect("an address");
    let family = Family::of(source);
    let vrid = Vrid::new(vrid).expect("a VRID");
    Advert {
        source_mac: mac.unwrap_or(MacAddr::virtual_router(family, vrid)),
        destination_mac: family.group_mac(),
        source,
        destination: family.group(),
        ttl: 255,
        version: if version == V2 {
            WireVersion::V2
        } else {
            WireVersion::V3
        },
        vrid,
        priority,
        interval: AdvertInterval::from_centis(interval).expect("an interval"),
        auth: if auth.is_empty() {
            Auth::None
        } else {
            Auth::Simple(password(auth))
        },
        pseudo_header: form == PseudoHeader,
    }
}

//= RFC 9568 sections 5.1, 5.2 and 7.2, RFC 3768 section 5.3
// M-14, V-12, G-1
#[test]
fn every_advertisement_is_written() {
    for said in ADVERTS {
        let expected = with_our_ip_header(frame(said.0));
        if said.0.starts_with("vectors/") {
            assert_eq!(expected, frame(said.0), "the vectors are in our form");
        }
        // The former content of the buffer must not show.
        let mut buf = [0xa5; 2048];
        let list = addresses(said.8);
        let emitted = advert(said).emit(&mut buf, list.iter().copied());
        let ip_len = if said.2.contains(':') { 40 } else { 20 };
        let offsets = Emitted {
            len: expected.len(),
            ip_offset: 14,
            payload_offset: 14 + ip_len,
        };
        assert_eq!(emitted, Some(offsets), "{}", said.0);
        assert_eq!(buf[..expected.len()], expected, "{}", said.0);
        assert!(
            buf[expected.len()..].iter().all(|&b| b == 0xa5),
            "{}",
            said.0
        );

        // One octet less is too small, the exact size is enough.
        for len in 0..expected.len() {
            let emitted = advert(said).emit(&mut buf[..len], list.iter().copied());
            assert_eq!(emitted, None, "{} in {len} octets", said.0);
        }
        let emitted = advert(said).emit(&mut buf[..expected.len()], list.iter().copied());
        assert_eq!(emitted, Some(offsets), "{}", said.0);
    }
}

#[test]
fn every_advertisement_in_the_files_is_in_the_table() {
    let is_advert = |name: &str| name.contains("/v2_") || name.contains("/v3_");
    let many = |name: &str| name.contains("255_addresses");
    for (name, _) in frames() {
        // Those that are signed are the engine's affair: tests/signed.rs.
        let signed = name.starts_with("signed/");
        let known = ADVERTS.iter().any(|said| said.0 == name) || many(&name) || signed;
        assert!(known || !is_advert(&name), "{name}");
    }
}

//= RFC 9568 section 5.2.5
#[test]
fn two_hundred_and_fifty_five_addresses_both_ways() {
    let v4 = (1..=255).map(|i| IpAddr::V4(Ipv4Addr::new(203, 0, 113, i)));
    let mut said = row("vectors/v3_plain");
    (said.0, said.4, said.5, said.6) = ("vectors/v3_255_addresses", 255, 255, 1);
    both_ways(&said, &v4.collect::<Vec<_>>());

    let global = |i| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, i));
    let first = "fe80::7".parse().expect("an address");
    let v6 = std::iter::once(first).chain((1..255).map(global));
    let mut said = row("vectors/v3_ipv6");
    (said.0, said.5, said.6) = ("vectors/v3_ipv6_255_addresses", 100, 100);
    both_ways(&said, &v6.collect::<Vec<_>>());
}

fn both_ways(said: &Said, list: &[IpAddr]) {
    let expected = frame(said.0);
    let mut buf = [0; 4200];
    let advert = advert(said);
    let emitted = advert.emit(&mut buf, list.iter().copied()).expect("room");
    assert_eq!(buf[..emitted.len], expected, "{}", said.0);
    let (message, destination) = message_of(&expected, advert.source);
    assert_eq!(message.count(), 255);
    assert!(message.addresses().eq(list.iter().copied()));
    assert_eq!(message.checksum(advert.source, destination), said.9);
    // One more is more than the count can say.
    let more = list.iter().copied().chain(list.first().copied());
    assert_eq!(advert.emit(&mut buf, more), None);
}

// V-8, V-11
#[test]
fn what_cannot_be_said_is_not_written() {
    let mut buf = [0; 256];
    let (v4, v6) = (
        advert(&row("vectors/v3_plain")),
        advert(&row("vectors/v3_ipv6")),
    );
    let (a4, a6) = (addresses("198.51.100.7"), addresses("fe80::7"));
    let mut refused = |advert: &Advert, list: &[IpAddr]| {
        assert_eq!(
            advert.emit(&mut buf, list.iter().copied()),
            None,
            "{advert:?} {list:?}"
        );
    };
    refused(&v4, &[]);
    refused(&v6, &[]);
    refused(&v4, &a6);
    refused(&v6, &a4);
    refused(&v4, &[a4[0], a6[0]]);
    refused(&v6, &[a6[0], a4[0]]);
    refused(
        &Advert {
            destination: v6.destination,
            ..v4
        },
        &a4,
    );
    refused(
        &Advert {
            source: v4.source,
            ..v6
        },
        &a6,
    );
    refused(
        &Advert {
            version: WireVersion::V2,
            ..v6
        },
        &a6,
    );
}

//= RFC 3768 section 5.3.7
//
#[test]
fn version_2_rounds_the_interval_up() {
    let mut buf = [0; 256];
    for (centis, seconds) in [(1, 1), (99, 1), (100, 1), (101, 2), (4095, 41)] {
        let interval = AdvertInterval::from_centis(centis).expect("an interval");
        let advert = Advert {
            interval,
            ..advert(&row("vectors/v2_none"))
        };
        let list = addresses("198.51.100.7");
        advert.emit(&mut buf, list.into_iter()).expect("room");
        assert_eq!(buf[34 + 5], seconds, "{centis} cs");
    }
}

/// The virtual address of a gratuitous ARP.
fn target4(frame: &[u8]) -> Ipv4Addr {
    Ipv4Addr::new(frame[38], frame[39], frame[40], frame[41])
}

fn written(emit: impl Fn(&mut [u8]) -> Option<Emitted>, payload_offset: u16) -> Vec<u8> {
    let mut buf = [0xa5; 128];
    let emitted = emit(&mut buf).expect("room");
    assert_eq!(
        (emitted.ip_offset, emitted.payload_offset),
        (14, payload_offset)
    );
    for len in 0..emitted.len {
        assert_eq!(emit(&mut buf[..len]), None, "in {len} octets");
    }
    assert_eq!(emit(&mut buf[..emitted.len]), Some(emitted));
    buf[..emitted.len].to_vec()
}

//= RFC 9568 section 6.4.1, errata 7947 and 7949
#[test]
fn gratuitous_arp() {
    let address = Ipv4Addr::new(198, 51, 100, 7);
    let ours = written(|buf| arp::emit_gratuitous(buf, VMAC4, address), 14);
    assert_eq!(ours, frame("vectors/garp"));

    let captured = frames().into_iter().filter(|(n, _)| n.contains("/garp_"));
    let mut seen = 0;
    for (name, theirs) in captured {
        let mac = ethernet::View::new(&theirs).expect("a header").source();
        let ours = written(|buf| arp::emit_gratuitous(buf, mac, target4(&theirs)), 14);
        // Both daemons fill the target hardware address with ones; the errata say the virtual MAC.
        let mut expected = theirs.clone();
        assert_eq!(expected[32..38], [0xff; 6], "{name}");
        expected[32..38].copy_from_slice(&mac.0);
        assert_eq!(ours, expected, "{name}");
        let packet = arp::Packet::new(&theirs[14..]).expect("an ARP packet");
        assert_eq!((packet.is_request, packet.sender_mac), (true, mac));
        assert_eq!(packet.sender_ip, packet.target_ip, "{name}");
        seen += 1;
    }
    assert_eq!(seen, 11);
}

//= RFC 826, RFC 5227 section 1.1
// M-3
#[test]
fn arp_answers() {
    let virtual_address = Ipv4Addr::new(198, 51, 100, 7);
    let read = |name: &str| {
        let frame = frame(name);
        let payload = ethernet::View::new(&frame).expect("a header").payload();
        arp::Request::new(payload)
    };
    for (request, reply, sender_ip) in [
        (
            "vectors/arp_request",
            "vectors/arp_reply",
            Ipv4Addr::new(198, 51, 100, 9),
        ),
        (
            "vectors/arp_probe",
            "vectors/arp_probe_reply",
            Ipv4Addr::UNSPECIFIED,
        ),
    ] {
        let request = read(request).expect("a request");
        let expected = arp::Request {
            sender_mac: ASKER,
            sender_ip,
            target_ip: virtual_address,
        };
        assert_eq!(request, expected);
        let ours = written(|buf| arp::emit_reply(buf, VMAC4, &request), 14);
        assert_eq!(ours, frame(reply));
    }
    // As the kernel asked and answered.
    let request = read("linux/arp_request").expect("a request");
    let ours = written(|buf| arp::emit_reply(buf, PHYSICAL, &request), 14);
    assert_eq!(ours, frame("linux/arp_reply"));
    assert_eq!(read("linux/arp_reply"), None);
    assert_eq!(read("vectors/arp_reply"), None);
}

/// The target of a neighbour advertisement.
fn target6(frame: &[u8]) -> Ipv6Addr {
    let octets: [u8; 16] = frame[62..78].try_into().expect("16 octets");
    octets.into()
}

/// A captured neighbour advertisement with other flags, and the checksum that this needs.
fn with_flags(mut frame: Vec<u8>, flags: u8) -> Vec<u8> {
    frame[58] = flags;
    frame[56..58].fill(0);
    let sum = checksum(&[&frame[22..54], &[0, 0, 0, 32, 0, 0, 0, 58], &frame[54..]]);
    frame[56..58].copy_from_slice(&sum);
    frame
}

//= RFC 9568 section 6.4.1, RFC 4861 section 7.2.6
#[test]
fn unsolicited_neighbour_advertisement() {
    let address = "2001:db8::7".parse().expect("an address");
    let ours = written(|buf| ndisc::emit_unsolicited_na(buf, VMAC6, address), 54);
    assert_eq!(ours, frame("vectors/na"));

    let mut seen = 0;
    for (name, theirs) in frames().into_iter().filter(|(n, _)| n.contains("/na_")) {
        if !name.starts_with("keepalived/") && !name.starts_with("frr/") {
            continue;
        }
        let mac = ethernet::View::new(&theirs).expect("a header").source();
        let ours = written(
            |buf| ndisc::emit_unsolicited_na(buf, mac, target6(&theirs)),
            54,
        );
        // FRR's is ours; keepalived on a host that does not forward leaves the router flag out.
        if name.starts_with("keepalived/") {
            assert_eq!(theirs[58], 0x20, "{name}");
            assert_eq!(ours, with_flags(theirs, 0xa0), "{name}");
        } else {
            assert_eq!(ours, theirs, "{name}");
        }
        seen += 1;
    }
    assert_eq!(seen, 6);
}

//= RFC 4861 section 4.4
#[test]
fn the_owner_of_an_address_is_read_from_an_advertisement() {
    for (_, frame) in frames().into_iter().filter(|(n, _)| n.contains("/na_")) {
        let read = |frame: &[u8]| ndisc::Advertisement::new(&frame[14..]);
        let mac = ethernet::View::new(&frame).expect("a header").source();
        let expected = ndisc::Advertisement {
            target: target6(&frame),
            target_mac: Some(mac),
        };
        assert_eq!(read(&frame), Some(expected));
        // After an option of another kind (RFC 3971 section 5.3.2).
        let mut nonce = frame.clone();
        nonce.splice(78..78, [14, 1, 9, 9, 9, 9, 9, 9]);
        assert_eq!(read(&nonce), Some(expected));
        let nameless = ndisc::Advertisement {
            target_mac: None,
            ..expected
        };
        // No option, another one, and one of no length.
        assert_eq!(read(&frame[..78]), Some(nameless));
        for (at, octet) in [(78, 1), (79, 0)] {
            let mut other = frame.clone();
            other[at] = octet;
            assert_eq!(read(&other), Some(nameless));
        }
        // From beyond a router, a solicitation, and cut short.
        for (at, octet) in [(21, 254), (54, 135), (20, 17)] {
            let mut other = frame.clone();
            other[at] = octet;
            assert_eq!(read(&other), None);
        }
        assert_eq!(read(&frame[..77]), None);
    }
}

fn solicitation(name: &str) -> Option<ndisc::Solicitation> {
    let frame = frame(name);
    ndisc::Solicitation::new(ethernet::View::new(&frame)?.payload())
}

//= RFC 4861 section 7.2.4
// M-3
#[test]
fn neighbour_solicitations_are_answered() {
    let reply = |name: &str, mac| {
        let asked = solicitation(name).unwrap_or_else(|| panic!("{name}"));
        written(|buf| ndisc::emit_na_reply(buf, mac, &asked, ASKER), 54)
    };
    for name in [
        "ns",
        "ns_without_option",
        "ns_group_source_option",
        "ns_two_options",
    ] {
        let ours = reply(&format!("vectors/{name}"), VMAC6);
        assert_eq!(ours, frame("vectors/na_reply"), "{name}");
    }
    // To whom has no address yet, the answer is what everybody is told.
    assert_eq!(reply("vectors/ns_dad", VMAC6), frame("vectors/na"));
    // As the kernel asked and answered; we are a router, that host was none.
    let theirs = frame("linux/na_solicited");
    assert_eq!(theirs[58], 0x60);
    assert_eq!(reply("linux/ns", PHYSICAL), with_flags(theirs, 0xe0));
    // The kernel's own search for a duplicate carries a nonce (RFC 7527).
    let dad = solicitation("linux/ns_dad").expect("a solicitation");
    assert_eq!((dad.source, dad.source_mac), (Ipv6Addr::UNSPECIFIED, None));
    assert_eq!(
        dad.target,
        "fe80::b".parse::<Ipv6Addr>().expect("an address")
    );
}

//= RFC 4861 section 7.1.1
#[test]
fn what_names_the_asker_in_a_solicitation() {
    let expected = ndisc::Solicitation {
        source: "fe80::b".parse().expect("an address"),
        target: "2001:db8::7".parse().expect("an address"),
        source_mac: Some(ASKER),
    };
    assert_eq!(solicitation("vectors/ns"), Some(expected));
    assert_eq!(solicitation("vectors/ns_two_options"), Some(expected));
    let without = Some(ndisc::Solicitation {
        source_mac: None,
        ..expected
    });
    assert_eq!(solicitation("vectors/ns_without_option"), without);
    // An answer to a group would go to many.
    assert_eq!(solicitation("vectors/ns_group_source_option"), without);
}
