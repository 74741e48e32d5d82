//! Classic BPF programs, as every kernel with packet filters runs them: the instructions that ports
//! put together, and what the programs decide.
//!
//! A program sees a frame from its Ethernet header on and decides before the frame is queued, so
//! that other traffic of an interface never wakes the host.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// One instruction, laid out as the kernels' `sock_filter` and `bpf_insn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// The operation.
    pub code: u16,
    /// Instructions to skip when the comparison holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// The offset, value or result.
    pub k: u32,
}

/// Loads four octets, in network order.
pub const LOAD_WORD: u16 = 0x20;
/// Loads two octets, in network order.
pub const LOAD_HALF: u16 = 0x28;
/// Loads an octet.
pub const LOAD_BYTE: u16 = 0x30;
/// Compares what is loaded.
pub const JUMP_EQUAL: u16 = 0x15;
/// Compares what is loaded.
pub const JUMP_GREATER: u16 = 0x25;
/// Compares what is loaded: greater or equal.
pub const JUMP_NOT_LESS: u16 = 0x35;
/// Skips `k` instructions: further than a comparison can.
pub const JUMP_ALWAYS: u16 = 0x05;
/// Ends with the number of octets to keep.
pub const RETURN: u16 = 0x06;

/// Takes the frame.
pub const ACCEPT: Instruction = Instruction {
    code: RETURN,
    jt: 0,
    jf: 0,
    k: 0x4_0000,
};
/// Drops the frame.
pub const DROP: Instruction = Instruction {
    code: RETURN,
    jt: 0,
    jf: 0,
    k: 0,
};

/// Loads from `offset`.
pub const fn load(width: u16, offset: u32) -> Instruction {
    Instruction {
        code: width,
        jt: 0,
        jf: 0,
        k: offset,
    }
}

/// Compares with `k` and skips.
pub const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// Drops the frame unless what is loaded from `offset` is `value`.
pub fn require(program: &mut Vec<Instruction>, width: u16, offset: u32, value: u32) {
    program.push(load(width, offset));
    program.push(jump(JUMP_EQUAL, value, 1, 0));
    program.push(DROP);
}

/// Accepts an ARP request for one of `targets` and drops what is for another; accepts every request
/// when the program would have more than `most` instructions. The Ethernet type has been looked at.
pub fn arp_requests(program: &mut Vec<Instruction>, targets: &[Ipv4Addr], most: usize) {
    require(program, LOAD_HALF, 20, 1);
    if program.len() + 2 * targets.len() + 2 > most {
        program.push(ACCEPT);
        return;
    }
    program.push(load(LOAD_WORD, 38));
    for target in targets {
        program.push(jump(JUMP_EQUAL, target.to_bits(), 0, 1));
        program.push(ACCEPT);
    }
    program.push(DROP);
}

/// Accepts a neighbour solicitation for one of `targets` and drops everything else; accepts every
/// solicitation when the program would have more than `most` instructions. The Ethernet type has
/// been looked at.
pub fn neighbour_solicitations(program: &mut Vec<Instruction>, targets: &[Ipv6Addr], most: usize) {
    require(program, LOAD_BYTE, 20, 58);
    require(program, LOAD_BYTE, 54, 135);
    if program.len() + 9 * targets.len() + 1 > most {
        program.push(ACCEPT);
        return;
    }
    accept_targets(program, targets);
    program.push(DROP);
}

/// Accepts an ARP packet of one of `senders`; with a few addresses between them where the program would
/// have more than `most` instructions. Goes on with what is of others. The Ethernet type has been looked at.
pub fn arp_senders(program: &mut Vec<Instruction>, senders: &[Ipv4Addr], most: usize) {
    program.push(load(LOAD_WORD, 28));
    accept_words(program, senders.iter().map(|ip| ip.to_bits()), most);
}

/// Accepts a neighbour advertisement for one of `targets` and drops everything else; goes by the end
/// of the address alone, and takes a few more, where the program would have more than `most`
/// instructions. The Ethernet type has been looked at.
pub fn neighbour_advertisements(program: &mut Vec<Instruction>, targets: &[Ipv6Addr], most: usize) {
    require(program, LOAD_BYTE, 20, 58);
    require(program, LOAD_BYTE, 54, 136);
    if program.len() + 9 * targets.len() < most {
        accept_targets(program, targets);
    } else {
        program.push(load(LOAD_WORD, 74));
        accept_words(program, targets.iter().map(|ip| ip.to_bits() as u32), most);
    }
    program.push(DROP);
}

/// Accepts if what is loaded is one of `words`. Where there are too many for `most` instructions, those
/// that are closest together become ranges with what lies between them.
fn accept_words(program: &mut Vec<Instruction>, words: impl Iterator<Item = u32>, most: usize) {
    const RANGE: usize = 3;
    let words: BTreeSet<u32> = words.collect();
    let room = most.saturating_sub(program.len() + 1) / RANGE;
    let gaps = words.iter().zip(words.iter().skip(1));
    let mut gaps: Vec<u32> = gaps.map(|(low, high)| high - low).collect();
    gaps.sort_unstable_by(|a, b| b.cmp(a));
    // Gaps that are no greater than this are closed.
    let closed = gaps
        .get(room.saturating_sub(1))
        .map_or(1, |gap| (*gap).max(1));
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for word in words {
        match ranges.last_mut() {
            Some((_, last)) if word - *last <= closed => *last = word,
            _ => ranges.push((word, word)),
        }
    }
    for (first, last) in ranges {
        program.push(jump(JUMP_GREATER, last, 2, 0));
        program.push(jump(JUMP_NOT_LESS, first, 0, 1));
        program.push(ACCEPT);
    }
}

/// Accepts an ICMPv6 message about one of `targets`.
fn accept_targets(program: &mut Vec<Instruction>, targets: &[Ipv6Addr]) {
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
}

/// Runs a program as a kernel does, for the tests of ports: whether it takes `frame`. A load outside
/// the frame drops it, unless `ancillary` knows the offset. `None`: no kernel would load the program.
#[doc(hidden)]
pub fn run(
    program: &[Instruction],
    frame: &[u8],
    ancillary: impl Fn(u32) -> Option<u32>,
) -> Option<bool> {
    let (mut at, mut acc) = (0, 0);
    loop {
        let i = program.get(at)?;
        at += 1;
        match i.code {
            LOAD_WORD | LOAD_HALF | LOAD_BYTE => {
                let width = match i.code {
                    LOAD_WORD => 4,
                    LOAD_HALF => 2,
                    _ => 1,
                };
                let from = i.k as usize;
                let octets = from.checked_add(width).and_then(|to| frame.get(from..to));
                acc = match (ancillary(i.k), octets) {
                    (Some(known), _) => known,
                    (None, Some(octets)) => octets.iter().fold(0, |n, &o| n << 8 | u32::from(o)),
                    (None, None) => return Some(false),
                };
            }
            JUMP_EQUAL => at += usize::from(if acc == i.k { i.jt } else { i.jf }),
            JUMP_GREATER => at += usize::from(if acc > i.k { i.jt } else { i.jf }),
            JUMP_NOT_LESS => at += usize::from(if acc >= i.k { i.jt } else { i.jf }),
            JUMP_ALWAYS => at += i.k as usize,
            RETURN => return Some(i.k != 0),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(program: &[Instruction], frame: &[u8]) -> bool {
        run(program, frame, |_| None).expect("a program that ends")
    }

    fn arp_of(sender: u32) -> Vec<u8> {
        let mut frame = vec![0; 42];
        frame[28..32].copy_from_slice(&sender.to_be_bytes());
        frame
    }

    #[test]
    fn the_senders_of_a_list_and_no_others() {
        let list = [0, 5, 6, 7, 9, 0x0a00_0001, u32::MAX].map(Ipv4Addr::from_bits);
        let mut program = Vec::new();
        arp_senders(&mut program, &list, 100);
        program.push(DROP);
        for word in (0..20).chain([0x0a00_0000, 0x0a00_0001, 0x0a00_0002, u32::MAX]) {
            let listed = list.contains(&Ipv4Addr::from_bits(word));
            assert_eq!(takes(&program, &arp_of(word)), listed, "{word}");
        }
        assert!(!takes(&program, &arp_of(9)[..31]), "cut short");
        let mut program = Vec::new();
        arp_senders(&mut program, &[], 100);
        program.push(DROP);
        assert!(!takes(&program, &arp_of(0)));
    }

    #[test]
    fn a_list_too_long_takes_what_lies_closest() {
        let words: Vec<u32> = (0..5_000u32).map(|n| n * n + 1_000).collect();
        let list: Vec<Ipv4Addr> = words.iter().map(|w| Ipv4Addr::from_bits(*w)).collect();
        let mut program = Vec::new();
        arp_senders(&mut program, &list, 300);
        program.push(DROP);
        assert!(program.len() <= 300, "{}", program.len());
        for word in &words {
            assert!(takes(&program, &arp_of(*word)), "{word}");
        }
        // The greatest gaps are at the end.
        assert!(!takes(&program, &arp_of(words[4_999] - 1)));
        assert!(!takes(&program, &arp_of(999)));
        // Gaps of one size, and no room at all.
        let list: Vec<Ipv4Addr> = (0..5_000u32).map(|n| Ipv4Addr::from_bits(3 * n)).collect();
        for most in [300, 0] {
            let mut program = Vec::new();
            arp_senders(&mut program, &list, most);
            program.push(DROP);
            assert!(program.len() <= most.max(5));
            assert!(list.iter().all(|ip| takes(&program, &arp_of(ip.to_bits()))));
        }
    }

    #[test]
    fn advertisements_for_a_list_by_whole_addresses_or_by_their_ends() {
        let frame = |kind: u8, target: Ipv6Addr| {
            let mut frame = vec![0; 86];
            (frame[20], frame[54]) = (58, kind);
            frame[62..78].copy_from_slice(&target.octets());
            frame
        };
        for count in [1u128, 200] {
            let bits = |n: u128| 0x2001_0db8 << 96 | (n * 7 + 1);
            let list: Vec<Ipv6Addr> = (0..count).map(|n| Ipv6Addr::from_bits(bits(n))).collect();
            let mut program = Vec::new();
            neighbour_advertisements(&mut program, &list, 700);
            assert!(program.len() <= 700, "{}", program.len());
            for target in &list {
                assert!(takes(&program, &frame(136, *target)));
                assert!(!takes(&program, &frame(135, *target)));
                let beside = Ipv6Addr::from_bits(target.to_bits() + 1);
                assert!(!takes(&program, &frame(136, beside)));
            }
            let elsewhere = Ipv6Addr::from_bits(list[0].to_bits() ^ 1 << 100);
            assert_eq!(takes(&program, &frame(136, elsewhere)), count > 1);
            let mut not_icmp = frame(136, list[0]);
            not_icmp[20] = 6;
            assert!(!takes(&program, &not_icmp));
        }
    }
}
