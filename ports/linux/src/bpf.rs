//! The kernel filters of the packet sockets, as classic BPF programs.
//!
//! Every program takes only frames that were sent to us. It drops what this host sends or loops back.
//! It also drops frames with a VLAN tag, which belong to another interface: the kernel strips a tag
//! that no interface claims, and marks the frame as for another host.

use std::net::{Ipv4Addr, Ipv6Addr};

use vrrp_port_kit::KernelIf;
pub(crate) use vrrp_port_kit::bpf::Instruction;
use vrrp_port_kit::bpf::{self, ACCEPT, DROP, LOAD_BYTE, LOAD_HALF, LOAD_WORD, require};

/// The most instructions that the kernel takes in one program.
const MAX_INSTRUCTIONS: usize = 4096;
/// The most instructions of a program that listens for announcements: some 250 addresses that are not
/// next to each other. The kernel runs through all of them for each ARP packet.
const ANNOUNCEMENTS: usize = 800;

/// Facts about the packet that are not in its octets live at this offset.
const ANCILLARY: u32 = 0xffff_f000;
const PACKET_TYPE: u32 = ANCILLARY + 4;
const IFINDEX: u32 = ANCILLARY + 8;
const VLAN_TAG_PRESENT: u32 = ANCILLARY + 48;

/// PACKET_HOST, _BROADCAST and _MULTICAST are 0 to 2; for another host, outgoing and looped back
/// come after.
const LAST_PACKET_TYPE_FOR_US: u32 = 2;

/// VRRP over IPv4 that arrived on the interface `index` itself.
pub(crate) fn vrrp_ipv4(index: KernelIf) -> Vec<Instruction> {
    let mut program = for_us(0x0800);
    require(&mut program, LOAD_WORD, IFINDEX, index.number());
    require(&mut program, LOAD_BYTE, 23, 112);
    program.push(ACCEPT);
    program
}

/// VRRP over IPv6 that arrived on the interface `index` itself, and advertisements of neighbours
/// that say that they have one of `addresses`. One socket for both: a second one for IPv6 would be shown
/// every packet once more.
pub(crate) fn vrrp_ipv6(index: KernelIf, addresses: &[Ipv6Addr]) -> Vec<Instruction> {
    let mut program = for_us(0x86dd);
    require(&mut program, LOAD_WORD, IFINDEX, index.number());
    program.push(bpf::load(LOAD_BYTE, 20));
    program.push(bpf::jump(bpf::JUMP_EQUAL, 112, 0, 1));
    program.push(ACCEPT);
    bpf::neighbour_advertisements(&mut program, addresses, ANNOUNCEMENTS);
    program
}

/// ARP packets of neighbours that say that they have one of `addresses`.
pub(crate) fn announcements(addresses: &[Ipv4Addr]) -> Vec<Instruction> {
    let mut program = for_us(0x0806);
    bpf::arp_senders(&mut program, addresses, ANNOUNCEMENTS);
    program.push(DROP);
    program
}

/// ARP requests for one of `targets`; for anything when there are too many to list.
///
/// The interface is not looked at: a request sent to the virtual MAC arrives by the macvlan.
pub(crate) fn arp_requests(targets: &[Ipv4Addr]) -> Vec<Instruction> {
    let mut program = for_us(0x0806);
    bpf::arp_requests(&mut program, targets, MAX_INSTRUCTIONS);
    program
}

/// Neighbour solicitations for one of `targets`; for anything when there are too many to list.
pub(crate) fn neighbour_solicitations(targets: &[Ipv6Addr]) -> Vec<Instruction> {
    let mut program = for_us(0x86dd);
    bpf::neighbour_solicitations(&mut program, targets, MAX_INSTRUCTIONS);
    program
}

fn for_us(ethertype: u32) -> Vec<Instruction> {
    let mut program = vec![
        bpf::load(LOAD_WORD, PACKET_TYPE),
        bpf::jump(bpf::JUMP_GREATER, LAST_PACKET_TYPE_FOR_US, 0, 1),
        DROP,
    ];
    require(&mut program, LOAD_WORD, VLAN_TAG_PRESENT, 0);
    require(&mut program, LOAD_HALF, 12, ethertype);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The facts that the kernel knows of a packet besides its octets.
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

    fn index() -> KernelIf {
        KernelIf::new(7).unwrap()
    }

    fn run(program: &[Instruction], about: About, frame: &[u8]) -> bool {
        let known = |offset| match offset {
            PACKET_TYPE => Some(about.packet_type),
            IFINDEX => Some(about.ifindex),
            VLAN_TAG_PRESENT => Some(about.vlan_tag),
            _ => None,
        };
        bpf::run(program, frame, known).expect("a program that ends")
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
        let program = vrrp_ipv4(index());
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
        let program = vrrp_ipv6(index(), &[]);
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
        let program = vrrp_ipv4(index());
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
    fn announcements_of_listed_addresses() {
        let program = announcements(&[[10, 0, 0, 1].into(), [10, 0, 0, 9].into()]);
        let say = |op: u8, sender: [u8; 4]| frame(0x0806, 42, &[(21, &[op]), (28, &sender)]);
        for op in [1, 2] {
            assert!(run(&program, MULTICAST, &say(op, [10, 0, 0, 1])));
            assert!(run(&program, MULTICAST, &say(op, [10, 0, 0, 9])));
            assert!(!run(&program, MULTICAST, &say(op, [10, 0, 0, 2])));
        }
        for packet_type in 0..8 {
            let about = About {
                packet_type,
                ..MULTICAST
            };
            let heard = run(&program, about, &say(1, [10, 0, 0, 1]));
            assert_eq!(heard, packet_type <= 2);
        }
        let (one, two) = (
            "2001:db8::1".parse().unwrap(),
            "2001:db8::2".parse().unwrap(),
        );
        let program = vrrp_ipv6(index(), &[one]);
        let say = |kind: u8, target: Ipv6Addr| {
            let octets = target.octets();
            frame(0x86dd, 86, &[(20, &[58]), (54, &[kind]), (62, &octets)])
        };
        assert!(run(&program, MULTICAST, &say(136, one)));
        assert!(!run(&program, MULTICAST, &say(135, one)));
        assert!(!run(&program, MULTICAST, &say(136, two)));
        let advert = frame(0x86dd, 78, &[(20, &[112])]);
        assert!(run(&program, MULTICAST, &advert));
        let other = About {
            ifindex: 8,
            ..MULTICAST
        };
        assert!(!run(&program, other, &say(136, one)));
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
