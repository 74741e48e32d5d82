//! Whether the device lets frames to the virtual MACs in.
//!
//! Most Ethernet controllers drop unicast frames to another MAC than their own. Then this host is
//! Active and answers ARP, and no packet arrives: a black hole that only the neighbours notice. A
//! neighbour that was answered and sends nothing proves nothing: it may have wanted no more. So it
//! is probed, from the virtual MAC and from the interface's own. If it answers the second and never
//! the first, the device filters.

use core::net::{IpAddr, Ipv4Addr};

use super::asking::{Question, emit_probe};
use crate::log::virtual_mac_unheard;
use crate::status::InterfaceState;
use crate::time::{Duration, Instant};
use crate::types::MacAddr;
use crate::wire::Emitted;

/// The time in which a neighbour that was answered sends its first packet, or answers a probe.
const PAUSE: Duration = Duration::from_secs(1);
/// Rounds of two probes, so that a lost frame is no verdict. With the pauses a black hole is found
/// four seconds after an answer.
const ROUNDS: u8 = 3;
/// Probes in a round.
const PROBES: u8 = 2;

/// The frames that came in to the virtual MACs, as the [gate](super::Gate) has seen them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Reception {
    /// Frames to a virtual MAC that is taken up. The counter wraps.
    pub frames: u32,
    /// A virtual address that this host answers for while no frame to its virtual MAC comes in: a
    /// neighbour answers probes from the interface's own MAC, and none from the virtual one.
    /// `None` again with the first frame to that MAC, and when the MAC is given up.
    pub unheard: Option<IpAddr>,
}

/// A neighbour that was told of a virtual MAC and has not been heard at it.
struct Trial {
    question: Question,
    /// The virtual MAC.
    mac: MacAddr,
    rounds: u8,
    /// Probes of this round that are still to be sent.
    owed: u8,
    /// The neighbour was heard, but not at the virtual MAC.
    alive: bool,
    /// When the next round begins, or the verdict is due. NEVER: it is given.
    at: Instant,
}

/// The counter, and one trial at a time.
pub(super) struct Trials {
    frames: u32,
    trial: Option<Trial>,
}

impl Trials {
    pub(super) const NONE: Trials = Trials {
        frames: 0,
        trial: None,
    };

    pub(super) fn reception(&self) -> Reception {
        let failed = self.trial.as_ref().filter(|t| t.at == Instant::NEVER);
        Reception {
            frames: self.frames,
            unheard: failed.map(|trial| trial.question.from),
        }
    }

    /// A frame to a virtual MAC came in.
    pub(super) fn hear(&mut self, mac: MacAddr) {
        self.frames = self.frames.wrapping_add(1);
        self.forget(mac);
    }

    /// A virtual MAC was heard, or is given up.
    pub(super) fn forget(&mut self, mac: MacAddr) {
        if self.trial.as_ref().is_some_and(|trial| trial.mac == mac) {
            self.trial = None;
        }
    }

    /// A frame of a neighbour came in, but not to a virtual MAC.
    pub(super) fn hear_elsewhere(&mut self, neighbour: IpAddr) {
        if let Some(trial) = &mut self.trial {
            trial.alive |= trial.question.about == neighbour;
        }
    }

    /// A neighbour is told that an address is at a virtual MAC.
    pub(super) fn answered(&mut self, now: Instant, question: Question, mac: MacAddr) {
        self.trial.get_or_insert(Trial {
            question,
            mac,
            rounds: 0,
            owed: 0,
            alive: false,
            at: now + PAUSE,
        });
    }

    /// When a round or the verdict is due. NEVER: there is nothing to wait for.
    pub(super) fn next_deadline(&self) -> Instant {
        self.trial.as_ref().map_or(Instant::NEVER, |t| t.at)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        let Some(trial) = &mut self.trial else {
            return;
        };
        if now < trial.at {
            return;
        }
        if trial.rounds < ROUNDS {
            trial.rounds += 1;
            trial.owed = PROBES;
            trial.at = now + PAUSE;
        } else if trial.alive {
            trial.at = Instant::NEVER;
            virtual_mac_unheard(trial.question.from, trial.question.about, trial.mac);
        } else {
            // It has gone, or was never there: no witness.
            self.trial = None;
        }
    }

    /// Writes the next probe of the round. Returns `None` if none is owed, or the address is not served
    /// any more, which ends the trial.
    pub(super) fn emit_probe(
        &mut self,
        mac_of: impl Fn(IpAddr) -> Option<MacAddr>,
        iface: &InterfaceState,
        buf: &mut [u8],
    ) -> Option<Emitted> {
        let trial = self.trial.as_mut().filter(|trial| trial.owed > 0)?;
        trial.owed -= 1;
        let Question { from, about } = trial.question;
        let Some(mac) = mac_of(from) else {
            self.trial = None;
            return None;
        };
        if trial.owed > 0 {
            return emit_probe(buf, mac, Question { from, about });
        }
        let own = match about {
            IpAddr::V4(_) => iface.ipv4.map(IpAddr::V4),
            IpAddr::V6(_) => iface.ipv6.map(IpAddr::V6),
        };
        let own = own.filter(|own| mac_of(*own).is_none());
        // The owner's address is at the virtual MAC: without it, as RFC 5227 section 1.1 has it.
        let unnamed = about.is_ipv4().then_some(Ipv4Addr::UNSPECIFIED.into());
        let from = own.or(unnamed)?;
        emit_probe(buf, iface.mac, Question { from, about })
    }
}
