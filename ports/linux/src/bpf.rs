//! The kernel filters of the packet sockets, as classic BPF programs.
//!
//! A program sees a frame from its Ethernet header on and decides before the frame is queued, so
//! that other traffic of the interface never wakes us. Every program takes only frames that were
//! sent to us: not what this host sends or loops back, and not what came with a VLAN tag, which
//! belongs to another interface (the kernel strips a tag nobody claims and marks the frame as for
//! another host).

use std::net::{Ipv4Addr, Ipv6Addr};

/// One instruction, laid out as the kernel's `sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jt: u8,
    pub(crate) jf: u8,
    pub(crate) k: u32,
}

/// The most instructions that the kernel takes in one program.
const MAX_INSTRUCTIONS: usize = 4096;

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const RETURN: u16 = 0x06;

/// Facts about the packet that are not in its octets live at this offset.
const ANCILLARY: u32 = 0xffff_f000;
const PACKET_TYPE: u32 = ANCILLARY + 4;
const IFINDEX: u32 = ANCILLARY + 8;
const VLAN_TAG_PRESENT: u32 = ANCILLARY + 48;

/// PACKET_HOST, _BROADCAST and _MULTICAST are 0 to 2; for another host, outgoing and looped back
/// come after.
const LAST_PACKET_TYPE_FOR_US: u32 = 2;

const ACCEPT: Instruction = Instruction {
    code: RETURN,
    jt: 0,
    jf: 0,
    k: 0x4_0000,
};
const DROP: Instruction = Instruction {
    code: RETURN,
    jt: 0,
    jf: 0,
    k: 0,
};

/// VRRP over IPv4 that arrived on the interface `ifindex` itself.
pub(crate) fn vrrp_ipv4(ifindex: u32) -> Vec<Instruction> {
    let mut program = for_us(0x0800);
    require(&mut program, LOAD_WORD, IFINDEX, ifindex);
    require(&mut program, LOAD_BYTE, 23, 112);
    program.push(ACCEPT);
    program
}

/// VRRP over IPv6 that arrived on the interface `ifindex` itself.
pub(crate) fn vrrp_ipv6(ifindex: u32) -> Vec<Instruction> {
    let mut program = for_us(0x86dd);
    require(&mut program, LOAD_WORD, IFINDEX, ifindex);
    require(&mut program, LOAD_BYTE, 20, 112);
    program.push(ACCEPT);
    program
}

/// ARP requests for one of `targets`; for anything when there are too many to list.
///
/// The interface is not looked at: a request sent to the virtual MAC arrives by the macvlan.
pub(crate) fn arp_requests(targets: &[Ipv4Addr]) -> Vec<Instruction> {
    let mut program = for_us(0x0806);
    require(&mut program, LOAD_HALF, 20, 1);
    if program.len() + 2 * targets.len() + 2 > MAX_INSTRUCTIONS {
        program.push(ACCEPT);
        return program;
    }
    program.push(load(LOAD_WORD, 38));
    for target in targets {
        program.push(jump(JUMP_EQUAL, target.to_bits(), 0, 1));
        program.push(ACCEPT);
    }
    program.push(DROP);
    program
}

/// Neighbour solicitations for one of `targets`; for anything when there are too many to list.
pub(crate) fn neighbour_solicitations(targets: &[Ipv6Addr]) -> Vec<Instruction> {
    let mut program = for_us(0x86dd);
    require(&mut program, LOAD_BYTE, 20, 58);
    require(&mut program, LOAD_BYTE, 54, 135);
    if program.len() + 9 * targets.len() + 1 > MAX_INSTRUCTIONS {
        program.push(ACCEPT);
        return program;
    }
    for target in targets {
        let bits = target.to_bits();
        let words = [bits >> 96, bits >> 64, bits >> 32, bits];
        for (offset, (left, word)) in (62..).step_by(4).zip([6u8, 4, 2, 0].iter().zip(words)) {
            program.push(load(LOAD_WORD, offset));
            // To the next target: over the comparisons that are left and the acceptance.
            program.push(jump(JUMP_EQUAL, word as u32, 0, left + 1));
        }
        program.push(ACCEPT);
    }
    program.push(DROP);
    program
}

fn for_us(ethertype: u32) -> Vec<Instruction> {
    let mut program = vec![
        load(LOAD_WORD, PACKET_TYPE),
        jump(JUMP_GREATER, LAST_PACKET_TYPE_FOR_US, 0, 1),
        DROP,
    ];
    require(&mut program, LOAD_WORD, VLAN_TAG_PRESENT, 0);
    require(&mut program, LOAD_HALF, 12, ethertype);
    program
}

/// Drops the frame unless what is loaded from `offset` is `value`.
fn require(program: &mut Vec<Instruction>, width: u16, offset: u32, value: u32) {
    program.push(load(width, offset));
    program.push(jump(JUMP_EQUAL, value, 1, 0));
    program.push(DROP);
}

const fn load(width: u16, offset: u32) -> Instruction {
    Instruction {
        code: width,
        jt: 0,
        jf: 0,
        k: offset,
    }
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel knows of a packet besides its octets.
    #[derive(Clone, Copy)]
    struct About {
        packet_type: u32,
        ifindex: u32,
        vlan_tag: u32,
    }

    const MULTICAST: About = About {
        packet_type: 2,
        ifindex: 7,
        vlan_tag: 0,
    };

    /// Runs a program as the kernel does: a load outside the packet drops it.
    fn run(program: &[Instruction], about: About, frame: &[u8]) -> bool {
        let (mut at, mut acc) = (0, 0);
        loop {
            let i = program[at];
            at += 1;
            match i.code {
                LOAD_WORD | LOAD_HALF | LOAD_BYTE => {
                    let width = match i.code {
                        LOAD_WORD => 4,
                        LOAD_HALF => 2,
                        _ => 1,
                    };
                    acc = match i.k {
                        PACKET_TYPE => about.packet_type,
                        IFINDEX => about.ifindex,
                        VLAN_TAG_PRESENT => about.vlan_tag,
                        k => match frame.get(k as usize..k as usize + width) {
                            Some(octets) => octets.iter().fold(0, |n, &o| n << 8 | u32::from(o)),
                            None => return false,
                        },
                    };
                }
                JUMP_EQUAL => at += usize::from(if acc == i.k { i.jt } else { i.jf }),
                JUMP_GREATER => at += usize::from(if acc > i.k { i.jt } else { i.jf }),
                RETURN => return i.k != 0,
                code => panic!("unknown instruction {code:#x}"),
            }
        }
    }

    fn frame(ethertype: u16, len: usize, set: &[(usize, &[u8])]) -> Vec<u8> {
        let mut frame = vec![0; len];
        frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
        for (at, octets) in set {
            frame[*at..at + octets.len()].copy_from_slice(octets);
        }
        frame
    }

    #[test]
    fn vrrp_over_ipv4_and_nothing_else() {
        let program = vrrp_ipv4(7);
        let advert = frame(0x0800, 54, &[(23, &[112])]);
        assert!(run(&program, MULTICAST, &advert));
        assert!(!run(
            &program,
            MULTICAST,
            &frame(0x0800, 54, &[(23, &[17])])
        ));
        assert!(!run(
            &program,
            MULTICAST,
            &frame(0x86dd, 54, &[(23, &[112])])
        ));
        for cut in 0..24 {
            assert!(!run(&program, MULTICAST, &advert[..cut]));
        }
    }

    #[test]
    fn vrrp_over_ipv6_and_nothing_else() {
        let program = vrrp_ipv6(7);
        assert!(run(
            &program,
            MULTICAST,
            &frame(0x86dd, 78, &[(20, &[112])])
        ));
        assert!(!run(&program, MULTICAST, &frame(0x86dd, 78, &[(20, &[6])])));
        assert!(!run(
            &program,
            MULTICAST,
            &frame(0x0800, 78, &[(20, &[112])])
        ));
    }

    #[test]
    fn nothing_tagged_outgoing_or_of_another_interface() {
        let program = vrrp_ipv4(7);
        let advert = frame(0x0800, 54, &[(23, &[112])]);
        for packet_type in 0..8 {
            let about = About {
                packet_type,
                ..MULTICAST
            };
            assert_eq!(run(&program, about, &advert), packet_type <= 2);
        }
        let tagged = About {
            vlan_tag: 1,
            ..MULTICAST
        };
        assert!(!run(&program, tagged, &advert));
        let other = About {
            ifindex: 8,
            ..MULTICAST
        };
        assert!(!run(&program, other, &advert));
        // A tag that the kernel left in the octets.
        let tag = frame(0x8100, 58, &[(16, &[8, 0]), (27, &[112])]);
        assert!(!run(&program, MULTICAST, &tag));
    }

    #[test]
    fn arp_requests_for_listed_addresses() {
        let targets = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
        let program = arp_requests(&targets);
        let ask = |op: u8, target: [u8; 4]| frame(0x0806, 42, &[(21, &[op]), (38, &target)]);
        assert!(run(&program, MULTICAST, &ask(1, [10, 0, 0, 1])));
        assert!(run(&program, MULTICAST, &ask(1, [10, 0, 0, 2])));
        assert!(!run(&program, MULTICAST, &ask(1, [10, 0, 0, 3])));
        assert!(!run(&program, MULTICAST, &ask(2, [10, 0, 0, 1])));
        assert!(!run(&arp_requests(&[]), MULTICAST, &ask(1, [10, 0, 0, 1])));
    }

    #[test]
    fn neighbour_solicitations_for_listed_addresses() {
        let one: Ipv6Addr = "2001:db8::1".parse().unwrap();
        let two: Ipv6Addr = "fe80::2".parse().unwrap();
        let program = neighbour_solicitations(&[one, two]);
        let ask = |kind: u8, target: Ipv6Addr| {
            frame(
                0x86dd,
                86,
                &[(20, &[58]), (54, &[kind]), (62, &target.octets())],
            )
        };
        assert!(run(&program, MULTICAST, &ask(135, one)));
        assert!(run(&program, MULTICAST, &ask(135, two)));
        assert!(!run(&program, MULTICAST, &ask(136, one)));
        for bit in 0..128 {
            let other = Ipv6Addr::from_bits(one.to_bits() ^ 1 << bit);
            assert!(!run(&program, MULTICAST, &ask(135, other)), "{other}");
        }
    }

    #[test]
    fn a_list_too_long_becomes_no_list() {
        let many: Vec<Ipv4Addr> = (0..3000).map(Ipv4Addr::from_bits).collect();
        let program = arp_requests(&many);
        assert!(program.len() <= MAX_INSTRUCTIONS);
        let ask = frame(0x0806, 42, &[(21, &[1]), (38, &[9, 9, 9, 9])]);
        assert!(run(&program, MULTICAST, &ask));
        let many: Vec<Ipv6Addr> = (0..600).map(Ipv6Addr::from_bits).collect();
        assert!(neighbour_solicitations(&many).len() <= MAX_INSTRUCTIONS);
    }
}
