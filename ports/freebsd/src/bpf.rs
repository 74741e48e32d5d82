//! The language of bpf(4): the filter of an interface and the records of a buffer.
//!
//! A frame that carries a VLAN tag is shown to the filter of the interface below with the tag in
//! its octets, so that its Ethernet type is none that we ask for.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(crate) use vrrp_port_kit::bpf::Instruction;
use vrrp_port_kit::bpf::{
    self, ACCEPT, DROP, JUMP_ALWAYS, JUMP_EQUAL, JUMP_GREATER, LOAD_BYTE, LOAD_HALF, jump, load,
    require,
};

use crate::abi::*;
use crate::request::{read_u16, read_u32};

/// The frames that the filter of an interface lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// VRRP over IPv4 and over IPv6.
    pub(crate) vrrp: [bool; 2],
    /// ARP requests and neighbour solicitations for these addresses.
    pub(crate) questions: BTreeSet<IpAddr>,
    /// Neighbour solicitations for these from a source that is not link-local: to those from
    /// link-local sources the kernel answers.
    pub(crate) from_afar: BTreeSet<Ipv6Addr>,
    /// ARP packets with these senders, and neighbour advertisements for them.
    pub(crate) announced: BTreeSet<IpAddr>,
    /// Nothing is let through for it, but the device has to be open: addresses of virtual routers of
    /// other interfaces are announced.
    pub(crate) announces: bool,
}

/// Room that the longer lists leave to the shorter parts of the program.
const HALF: usize = BPF_MAXINSNS / 2;
/// The most instructions that announcements take, of each family.
const ANNOUNCEMENTS: usize = BPF_MAXINSNS / 8;

impl Wanted {
    /// The program: one block for each kind, entered by the Ethernet type.
    pub(crate) fn program(&self) -> Vec<Instruction> {
        let mut program = Vec::new();
        let (ipv4, ipv6) = by_family(&self.questions);
        let (senders, targets) = by_family(&self.announced);
        if self.vrrp[0] {
            block(&mut program, LOAD_HALF, 12, 0x0800, vrrp(23));
        }
        if !ipv4.is_empty() || !senders.is_empty() {
            let mut inner = Vec::new();
            bpf::arp_senders(&mut inner, &senders, ANNOUNCEMENTS);
            inner.extend(arp(&ipv4));
            block(&mut program, LOAD_HALF, 12, 0x0806, inner);
        }
        let mut inner = Vec::new();
        if self.vrrp[1] {
            let next_header = 20;
            // Other packets may still be wanted.
            inner.extend([
                load(LOAD_BYTE, next_header),
                jump(JUMP_EQUAL, 112, 0, 1),
                ACCEPT,
            ]);
        }
        if !targets.is_empty() {
            const ADVERTISEMENT: u32 = 136;
            let kind = 54;
            let mut advertisements = Vec::new();
            bpf::neighbour_advertisements(&mut advertisements, &targets, ANNOUNCEMENTS);
            block(&mut inner, LOAD_BYTE, kind, ADVERTISEMENT, advertisements);
        }
        inner.extend(self.solicitations(&ipv6));
        block(&mut program, LOAD_HALF, 12, 0x86dd, inner);
        program.push(DROP);
        program
    }

    fn solicitations(&self, always: &[Ipv6Addr]) -> Vec<Instruction> {
        let afar: Vec<Ipv6Addr> = self.from_afar.iter().copied().collect();
        let mut program = Vec::new();
        if afar.is_empty() {
            bpf::neighbour_solicitations(&mut program, always, HALF);
            return program;
        }
        // The source begins with zeros (none: somebody looks for duplicates) or is link-local.
        let mut near = Vec::new();
        bpf::neighbour_solicitations(&mut near, always, HALF / 2);
        let source = 22;
        program.push(load(LOAD_HALF, source));
        let Ok(over) = u8::try_from(near.len()) else {
            // More than one jump reaches: the kernel's answers are given twice.
            let both: Vec<Ipv6Addr> = always.iter().chain(&afar).copied().collect();
            bpf::neighbour_solicitations(&mut program, &both, 0);
            return program;
        };
        program.push(jump(JUMP_EQUAL, 0, 2, 0));
        program.push(jump(JUMP_GREATER, 0xfebf, over + 1, 0));
        program.push(jump(JUMP_GREATER, 0xfe7f, 0, over));
        program.extend(near);
        let both: Vec<Ipv6Addr> = always.iter().chain(&afar).copied().collect();
        bpf::neighbour_solicitations(&mut program, &both, HALF);
        program
    }
}

fn by_family(addresses: &BTreeSet<IpAddr>) -> (Vec<Ipv4Addr>, Vec<Ipv6Addr>) {
    let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
    for address in addresses {
        match address {
            IpAddr::V4(ip) => ipv4.push(*ip),
            IpAddr::V6(ip) => ipv6.push(*ip),
        }
    }
    (ipv4, ipv6)
}

/// Enters `inner`, which ends by itself, when what is loaded is `value`.
fn block(
    program: &mut Vec<Instruction>,
    width: u16,
    offset: u32,
    value: u32,
    inner: Vec<Instruction>,
) {
    program.push(load(width, offset));
    program.push(jump(JUMP_EQUAL, value, 1, 0));
    program.push(jump(JUMP_ALWAYS, inner.len() as u32, 0, 0));
    program.extend(inner);
}

fn vrrp(protocol: u32) -> Vec<Instruction> {
    let mut program = Vec::new();
    require(&mut program, LOAD_BYTE, protocol, 112);
    program.push(ACCEPT);
    program
}

fn arp(targets: &[Ipv4Addr]) -> Vec<Instruction> {
    let mut program = Vec::new();
    bpf::arp_requests(&mut program, targets, BPF_MAXINSNS / 4);
    program
}

/// The filter of everything that is written to a device: VRRP, ARP and ICMPv6, whatever a fault here
/// would send.
pub(crate) fn writable() -> Vec<Instruction> {
    let mut program = Vec::new();
    block(&mut program, LOAD_HALF, 12, 0x0800, vrrp(23));
    block(&mut program, LOAD_HALF, 12, 0x0806, vec![ACCEPT]);
    let next_header = vec![
        load(LOAD_BYTE, 20),
        jump(JUMP_EQUAL, 112, 1, 0),
        jump(JUMP_EQUAL, 58, 0, 1),
        ACCEPT,
        DROP,
    ];
    block(&mut program, LOAD_HALF, 12, 0x86dd, next_header);
    program.push(DROP);
    program
}

/// A record of a buffer that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// A whole frame.
    Frame(&'a [u8]),
    /// A frame of which only a part was kept.
    Cut,
}

/// The records of what one read(2) of a bpf device gave. Ends at the first that makes no sense.
pub(crate) fn records(mut buffer: &[u8]) -> impl Iterator<Item = Record<'_>> {
    std::iter::from_fn(move || {
        // The header is as long as it says: 26 octets for Ethernet, so that the IP header behind
        // it is aligned.
        let header_len = usize::from(read_u16(buffer, BPF_HDR_HDRLEN));
        if buffer.len() < BPF_HDR_MIN || header_len < BPF_HDR_MIN {
            return None;
        }
        let captured = read_u32(buffer, BPF_HDR_CAPLEN) as usize;
        let end = header_len.checked_add(captured)?;
        let frame = buffer.get(header_len..end)?;
        let whole = read_u32(buffer, BPF_HDR_DATALEN) as usize == captured;
        // The last record of a buffer is not padded.
        buffer = buffer
            .get(end.next_multiple_of(BPF_ALIGNMENT)..)
            .unwrap_or_default();
        Some(if whole {
            Record::Frame(frame)
        } else {
            Record::Cut
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(wanted: &Wanted, frame: &[u8]) -> bool {
        let program = wanted.program();
        assert!(program.len() <= BPF_MAXINSNS, "{}", program.len());
        bpf::run(&program, frame, |_| None).expect("a program that ends")
    }

    fn frame(ethertype: u16, len: usize, set: &[(usize, &[u8])]) -> Vec<u8> {
        let mut frame = vec![0; len];
        frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
        for (at, octets) in set {
            frame[*at..at + octets.len()].copy_from_slice(octets);
        }
        frame
    }

    fn ask4(op: u8, target: [u8; 4]) -> Vec<u8> {
        frame(0x0806, 42, &[(21, &[op]), (38, &target)])
    }

    fn ask6(source: &str, kind: u8, target: Ipv6Addr) -> Vec<u8> {
        let source: Ipv6Addr = source.parse().unwrap();
        let source = source.octets();
        let set: &[(usize, &[u8])] = &[
            (20, &[58]),
            (22, &source),
            (54, &[kind]),
            (62, &target.octets()),
        ];
        frame(0x86dd, 86, set)
    }

    fn everything() -> Wanted {
        Wanted {
            vrrp: [true, true],
            questions: BTreeSet::from([[10, 0, 0, 1].into(), "2001:db8::1".parse().unwrap()]),
            from_afar: BTreeSet::from(["2001:db8::2".parse().unwrap()]),
            announced: BTreeSet::new(),
            announces: false,
        }
    }

    #[test]
    fn vrrp_of_the_families_that_are_listened_to() {
        let adverts = [
            frame(0x0800, 54, &[(23, &[112])]),
            frame(0x86dd, 78, &[(20, &[112])]),
        ];
        let others = [
            frame(0x0800, 54, &[(23, &[17])]),
            frame(0x86dd, 78, &[(20, &[6])]),
            frame(0x86dd, 54, &[(23, &[112])]),
            frame(0x8100, 58, &[(16, &[8, 0]), (27, &[112])]),
        ];
        for vrrp in [[false, false], [true, false], [false, true], [true, true]] {
            let wanted = Wanted {
                vrrp,
                ..Wanted::default()
            };
            assert_eq!([0, 1].map(|i| run(&wanted, &adverts[i])), vrrp);
            for other in &others {
                assert!(!run(&wanted, other), "{other:02x?}");
            }
        }
        for cut in 0..24 {
            assert!(!run(&everything(), &adverts[0][..cut]));
        }
        assert!(run(&everything(), &adverts[0]) && run(&everything(), &adverts[1]));
    }

    #[test]
    fn nothing_but_the_protocols_of_a_router_can_be_written() {
        let may = |frame: &[u8]| bpf::run(&writable(), frame, |_| None).expect("an end");
        assert!(may(&frame(0x0800, 54, &[(23, &[112])])));
        assert!(may(&frame(0x86dd, 78, &[(20, &[112])])));
        assert!(may(&frame(0x86dd, 86, &[(20, &[58])])));
        assert!(may(&ask4(2, [10, 0, 0, 1])));
        for other in [
            frame(0x0800, 54, &[(23, &[6])]),
            frame(0x86dd, 78, &[(20, &[17])]),
            frame(0x8100, 58, &[(16, &[8, 0]), (27, &[112])]),
            frame(0x0800, 23, &[]),
        ] {
            assert!(!may(&other), "{other:02x?}");
        }
    }

    #[test]
    fn questions_for_listed_addresses() {
        let wanted = everything();
        assert!(run(&wanted, &ask4(1, [10, 0, 0, 1])));
        assert!(!run(&wanted, &ask4(1, [10, 0, 0, 2])));
        assert!(!run(&wanted, &ask4(2, [10, 0, 0, 1])));
        let (one, two): (Ipv6Addr, Ipv6Addr) = (
            "2001:db8::1".parse().unwrap(),
            "2001:db8::2".parse().unwrap(),
        );
        for vrrp in [true, false] {
            let mut wanted = everything();
            wanted.vrrp[1] = vrrp;
            for source in [
                "fe80::9",
                "febf::9",
                "::",
                "2001:db8::9",
                "fec0::9",
                "fe7f::9",
            ] {
                assert!(run(&wanted, &ask6(source, 135, one)), "{source}");
                assert!(!run(&wanted, &ask6(source, 136, one)), "{source}");
                let afar = !["fe80::9", "febf::9", "::"].contains(&source);
                assert_eq!(run(&wanted, &ask6(source, 135, two)), afar, "{source}");
            }
        }
        for bit in 0..128 {
            let other = Ipv6Addr::from_bits(one.to_bits() ^ 1 << bit);
            let heard = run(&wanted, &ask6("2001:db8::9", 135, other));
            assert_eq!(heard, other == two, "{other}");
        }
    }

    #[test]
    fn announcements_of_listed_addresses() {
        let say4 = |op: u8, sender: [u8; 4]| frame(0x0806, 42, &[(21, &[op]), (28, &sender)]);
        let one: Ipv6Addr = "2001:db8::1".parse().unwrap();
        let two: Ipv6Addr = "2001:db8::2".parse().unwrap();
        let mut wanted = everything();
        assert!(!run(&wanted, &say4(2, [10, 0, 0, 1])));
        wanted.announced = BTreeSet::from([[10, 0, 0, 1].into(), one.into()]);
        for vrrp in [[true, true], [false, false]] {
            wanted.vrrp = vrrp;
            for op in [1, 2] {
                assert!(run(&wanted, &say4(op, [10, 0, 0, 1])));
                assert!(!run(&wanted, &say4(op, [10, 0, 0, 2])));
            }
            assert!(run(&wanted, &ask6("fe80::9", 136, one)));
            assert!(!run(&wanted, &ask6("fe80::9", 136, two)));
            // Questions are heard as before.
            assert!(run(&wanted, &ask4(1, [10, 0, 0, 1])));
            assert!(!run(&wanted, &ask4(1, [10, 0, 0, 2])));
            assert!(run(&wanted, &ask6("fe80::9", 135, one)));
        }
        // Nothing but announcements.
        let alone = Wanted {
            announced: wanted.announced.clone(),
            ..Wanted::default()
        };
        assert!(run(&alone, &say4(1, [10, 0, 0, 1])) && run(&alone, &ask6("::", 136, one)));
        assert!(!run(&alone, &ask4(1, [10, 0, 0, 1])) && !run(&alone, &ask6("::", 135, one)));
    }

    #[test]
    fn lists_too_long_become_no_lists_and_the_program_stays_loadable() {
        let mut wanted = everything();
        wanted
            .questions
            .extend((0..1000u32).map(|n| IpAddr::V4(Ipv4Addr::from_bits(n))));
        wanted
            .questions
            .extend((1..500u128).map(|n| IpAddr::V6(Ipv6Addr::from_bits(n))));
        wanted
            .from_afar
            .extend((500..1000u128).map(Ipv6Addr::from_bits));
        wanted.announced = wanted.questions.clone();
        assert!(run(&wanted, &ask4(1, [9, 9, 9, 9])));
        let any: Ipv6Addr = "2001:db8::99".parse().unwrap();
        assert!(run(&wanted, &ask6("2001:db8::9", 135, any)));
        assert!(run(&wanted, &frame(0x86dd, 78, &[(20, &[112])])));
        // The longest that are still lists.
        for count in 0..64u128 {
            let mut wanted = everything();
            wanted
                .questions
                .extend((1..count).map(|n| IpAddr::V6(Ipv6Addr::from_bits(n))));
            wanted
                .from_afar
                .extend((100..100 + count).map(Ipv6Addr::from_bits));
            assert!(run(
                &wanted,
                &ask6("2001:db8::9", 135, "2001:db8::2".parse().unwrap())
            ));
        }
    }

    #[test]
    fn a_dozen_addresses_are_still_a_list() {
        let mut wanted = everything();
        wanted.questions = (1..7u128)
            .map(|n| IpAddr::V6(Ipv6Addr::from_bits(n)))
            .collect();
        wanted.from_afar = (7..13u128).map(Ipv6Addr::from_bits).collect();
        for n in 1..14u128 {
            let target = Ipv6Addr::from_bits(n);
            assert_eq!(
                run(&wanted, &ask6("2001:db8::9", 135, target)),
                n < 13,
                "{target}"
            );
        }
    }

    /// A record as the kernel lays it out for Ethernet.
    fn record(frame: &[u8], data_len: u32) -> Vec<u8> {
        let mut record = vec![0; 16];
        record.extend((frame.len() as u32).to_ne_bytes());
        record.extend(data_len.to_ne_bytes());
        record.extend(26u16.to_ne_bytes());
        record.extend(frame);
        record
    }

    #[test]
    fn several_records_lie_in_one_buffer() {
        let mut buffer = record(&[1; 60], 60);
        buffer.resize(buffer.len().next_multiple_of(8), 0);
        buffer.extend(record(&[2; 61], 1500));
        buffer.resize(buffer.len().next_multiple_of(8), 0);
        buffer.extend(record(&[3; 3], 3));
        let found: Vec<_> = records(&buffer).collect();
        let wanted = [Record::Frame(&[1; 60]), Record::Cut, Record::Frame(&[3; 3])];
        assert_eq!(found, wanted);
        assert_eq!(records(&[]).count(), 0);
    }

    #[test]
    fn whatever_lies_in_a_buffer_is_survived() {
        let mut seed = 1u64;
        let mut buffer = record(&[1; 60], 60);
        buffer.resize(96, 0);
        buffer.extend(record(&[2; 60], 60));
        for _ in 0..20_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = (seed >> 40) as usize % buffer.len();
            let mut broken = buffer.clone();
            broken[at] = (seed >> 32) as u8;
            broken.truncate((seed >> 20) as usize % (buffer.len() + 1));
            assert!(records(&broken).count() <= 2 + broken.len() / 32);
        }
    }
}
