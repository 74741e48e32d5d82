//! Neighbour probes: ARP requests and neighbour solicitations for the clients of a virtual address.
//!
//! After a takeover clients send to the virtual MAC without asking for it, so the neighbour cache of
//! the stack is empty; and stacks such as smoltcp ask for one neighbour a second. The gate asks for
//! each client at once, and the answers, which go to the virtual address, reach the stack.

use core::net::IpAddr;

use crate::IPV6;
use crate::time::{Duration, Instant};
use crate::types::MacAddr;
use crate::wire::{Emitted, arp, ndisc};

/// Those that were asked last. A hash each; one that meets another's is asked twice, no more.
const REMEMBERED: usize = 16;
/// The least time between two questions, so that forged senders cost little.
const LEAST_PAUSE: Duration = Duration::from_millis(5);

/// An address of this host, and the neighbour that is asked for.
#[derive(Clone, Copy)]
pub(super) struct Question {
    pub(super) from: IpAddr,
    pub(super) about: IpAddr,
}

pub(super) struct Asking {
    asked: [u32; REMEMBERED],
    pending: Option<Question>,
    quiet_until: Instant,
}

impl Asking {
    pub(super) const NONE: Asking = Asking {
        asked: [0; REMEMBERED],
        pending: None,
        quiet_until: Instant::from_micros(0),
    };

    /// An address has come to the stack, which has forgotten whom it knew.
    pub(super) fn forget(&mut self) {
        self.asked = [0; REMEMBERED];
    }

    /// The stack is about to hear `about` talk to its address `from`.
    pub(super) fn hear(&mut self, now: Instant, from: IpAddr, about: IpAddr) {
        let hash = hash(from) ^ hash(about).rotate_left(7);
        let index = (hash >> 16) as usize % REMEMBERED;
        let Some(asked) = self.asked.get_mut(index) else {
            return;
        };
        if *asked == hash || self.pending.is_some() || now < self.quiet_until {
            return;
        }
        *asked = hash;
        self.quiet_until = now + LEAST_PAUSE;
        self.pending = Some(Question { from, about });
    }

    /// Writes the question that is to be sent, from the MAC that serves its address now. `None`:
    /// none is. One that does not fit, or whose address is not served any more, is given up.
    pub(super) fn emit(
        &mut self,
        mac_of: impl Fn(IpAddr) -> Option<MacAddr>,
        buf: &mut [u8],
    ) -> Option<Emitted> {
        let question = self.pending.take()?;
        emit_probe(buf, mac_of(question.from)?, question)
    }
}

/// Writes a neighbour probe from a MAC.
pub(super) fn emit_probe(buf: &mut [u8], mac: MacAddr, question: Question) -> Option<Emitted> {
    match (question.from, question.about) {
        (IpAddr::V4(from), IpAddr::V4(about)) => arp::emit_request(buf, mac, from, about),
        (IpAddr::V6(from), IpAddr::V6(about)) if IPV6 => {
            ndisc::emit_solicitation(buf, mac, from, about)
        }
        _ => None,
    }
}

fn hash(address: IpAddr) -> u32 {
    let bits = match address {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let folded = bits ^ (bits >> 64);
    let folded = folded as u32 ^ (folded >> 32) as u32;
    // Knuth's multiplicative hash; never the mark of an empty place.
    folded.wrapping_mul(2_654_435_761) | 1
}

/// Whether two addresses of one family share a prefix of `len` bits.
pub(super) fn is_on_link(one: IpAddr, other: IpAddr, len: u8) -> bool {
    let differing_from = match (one, other) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits() ^ b.to_bits()).leading_zeros(),
        _ => return false,
    };
    differing_from >= u32::from(len)
}
