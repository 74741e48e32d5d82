//! Classic BPF programs, as every kernel with packet filters runs them: the instructions that ports
//! put together, and what the programs decide.
//!
//! A program sees a frame from its Ethernet header on and decides before the frame is queued, so
//! that other traffic of an interface never wakes the host.

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
            JUMP_ALWAYS => at += i.k as usize,
            RETURN => return Some(i.k != 0),
            _ => return None,
        }
    }
}
