//! The way in.

use core::net::IpAddr;

use super::asking::{Question, is_on_link};
use super::{Discard, Gate, IFINDEX};
use crate::IPV6;
use crate::engine::{SMALL, VirtualAddressState};
use crate::time::Instant;
use crate::types::MacAddr;
use crate::verdict::Verdict;
use crate::wire::{Claim, Emitted, arp, ethernet, igmp, ipv4, ipv6, mld, ndisc};

/// The longest answer: a neighbour advertisement.
const ANSWER_LEN: usize = 86;

/// The way that a received frame has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the frame may be for the stack, and an answer has to be sent"]
pub enum Received<'b> {
    /// Hand it to the stack.
    Stack {
        /// For whom it is, where several stacks share the device.
        to: Addressee,
        /// It was sent to a virtual MAC: the stack is to see its own in that place, which
        /// [`Gate::show_own_mac`] writes.
        virtual_mac: bool,
    },
    /// It was for the engine.
    Engine,
    /// It asked for a virtual address.
    Answer {
        /// The answer, to be sent.
        frame: &'b [u8],
        /// A synthesised ARP reply or neighbour advertisement with the MAC of the asker, for the stack
        /// that has this address: it primes the neighbour cache, since the stack has not heard the
        /// request.
        lesson: Option<(IpAddr, &'b [u8])>,
    },
    /// It goes nowhere, and was counted.
    Discarded(Discard),
}

/// Which of several stacks a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Addressee {
    /// The one with the interface's own addresses.
    Own,
    /// The one with this virtual address.
    Virtual(IpAddr),
    /// Every one: a neighbour tells all nodes of its MAC.
    All,
}

/// The parts of a frame that is not VRRP by which the gate decides.
enum Content {
    /// Asks who has an address, rightly or not.
    Question {
        target: IpAddr,
        valid: bool,
    },
    /// Goes to an address.
    Packet {
        source: IpAddr,
        destination: IpAddr,
        /// The answer of a neighbour to a probe.
        is_answer: bool,
    },
    NeighbourNews,
    Other,
}

impl<const VRS: usize, const ADDRS: usize> Gate<VRS, ADDRS> {
    /// Takes in a frame from its Ethernet header on, VLAN tag removed. `buf` takes what is written
    /// here, two frames of 86 octets at most.
    pub fn receive<'b>(&mut self, now: Instant, frame: &[u8], buf: &'b mut [u8]) -> Received<'b> {
        match self.judge(now, frame) {
            Ok(Judged::Stack { to, virtual_mac }) => Received::Stack { to, virtual_mac },
            Ok(Judged::Engine) => Received::Engine,
            Ok(Judged::Question(asked)) => match self.answer(now, frame, asked, buf) {
                Some(answer) => answer,
                None => {
                    self.count_discard(Discard::NoRoom);
                    Received::Discarded(Discard::NoRoom)
                }
            },
            Err(reason) => {
                self.count_discard(reason);
                Received::Discarded(reason)
            }
        }
    }

    fn answer<'b>(
        &mut self,
        now: Instant,
        question: &[u8],
        Asked { target, state }: Asked,
        buf: &'b mut [u8],
    ) -> Option<Received<'b>> {
        let (answer_buf, lesson_buf) = buf.split_at_mut_checked(ANSWER_LEN)?;
        let frame = self.engine.answer(IFINDEX, question, answer_buf)?.frame;
        let own = self.interface().mac;
        let lesson = lesson(lesson_buf, own, question).and_then(|(asker, emitted)| {
            if state.mac != own {
                let (from, about) = (target, asker);
                let question = Question { from, about };
                self.trials.answered(now, question, state.mac);
            }
            let lesson = lesson_buf.get(..emitted.len)?;
            state.accept.then_some((target, lesson))
        });
        Some(Received::Answer { frame, lesson })
    }

    /// Writes the stack's own MAC in the place of the virtual one that a frame was sent to.
    pub fn show_own_mac(&self, frame: &mut [u8]) {
        if let Some(destination) = frame.first_chunk_mut() {
            *destination = self.interface().mac.0;
        }
    }

    fn judge(&mut self, now: Instant, frame: &[u8]) -> Result<Judged, Discard> {
        let Some(ethernet) = ethernet::View::new(frame) else {
            return Err(Discard::Truncated);
        };
        let virtual_mac = self.destination(ethernet.destination())?;
        let verdict = self.engine.handle_frame(now, IFINDEX, frame);
        if !matches!(verdict, Verdict::NotVrrp) {
            return Ok(Judged::Engine);
        }
        self.hear_queries(now, &ethernet);
        if !SMALL && let Some(claim) = Claim::new(frame) {
            // A takeover tells of the answer (G-8).
            let _ = self.engine.handle_claim(IFINDEX, &claim);
        }
        let to = match content(&ethernet) {
            Content::Other => Addressee::Own,
            Content::NeighbourNews => Addressee::All,
            Content::Question { target, valid } => match self.held(target)? {
                None => Addressee::Own,
                Some(state) if valid => return Ok(Judged::Question(Asked { target, state })),
                Some(_) => return Err(Discard::BadSolicitation),
            },
            Content::Packet {
                source,
                destination,
                is_answer,
            } => match self.held(destination)? {
                None => {
                    self.trials.hear_elsewhere(source);
                    Addressee::Own
                }
                Some(holding) if holding.accept => {
                    if !is_answer && is_on_link(source, destination, holding.prefix_len) {
                        self.asking.hear(now, destination, source);
                    }
                    Addressee::Virtual(destination)
                }
                // what neighbours say of themselves is never dropped.
                Some(_) if is_answer => Addressee::Own,
                //
                Some(_) => return Err(Discard::NotAccepted),
            },
        };
        Ok(Judged::Stack { to, virtual_mac })
    }

    /// Whether a destination is a virtual MAC that is taken up. An error for those that are not for
    /// this host.
    fn destination(&mut self, mac: MacAddr) -> Result<bool, Discard> {
        if ethernet::is_group(mac) || mac == self.interface().mac {
            return Ok(false);
        }
        match self.engine.is_mac_taken_up(IFINDEX, mac) {
            Some(true) => {
                self.trials.hear(mac);
                Ok(true)
            }
            Some(false) => Err(Discard::MacNotTakenUp),
            None => Err(Discard::OtherStation),
        }
    }

    /// The virtual address that is served. `None`: it is none, or for now the interface's own like
    /// any other.
    fn held(&self, address: IpAddr) -> Result<Option<VirtualAddressState>, Discard> {
        match self.engine.virtual_address(IFINDEX, address) {
            Some(holding) if holding.served => Ok(Some(holding)),
            Some(holding) if !holding.own => Err(Discard::ToUnserved),
            _ => Ok(None),
        }
    }

    fn hear_queries(&mut self, now: Instant, ethernet: &ethernet::View<'_>) {
        match ethernet.ethertype() {
            ethernet::IPV4 => {
                if let Some(query) = igmp::Query::new(ethernet.payload()) {
                    self.groups.handle_igmp(now, query);
                }
            }
            ethernet::IPV6 if IPV6 => {
                if let Some(query) = mld::Query::new(ethernet.payload()) {
                    self.groups.handle_mld(now, query);
                }
            }
            _ => {}
        }
    }
}

enum Judged {
    Stack { to: Addressee, virtual_mac: bool },
    Engine,
    Question(Asked),
}

/// A virtual address that a neighbour asks for.
struct Asked {
    target: IpAddr,
    state: VirtualAddressState,
}

/// Writes what an asker would say if the stack asked for its MAC, and gives the asker's address.
/// Returns `None` if it has none yet.
fn lesson(buf: &mut [u8], own: MacAddr, question: &[u8]) -> Option<(IpAddr, Emitted)> {
    let ethernet = ethernet::View::new(question)?;
    match ethernet.ethertype() {
        ethernet::ARP => {
            let request = arp::Request::new(ethernet.payload())?;
            let emitted = arp::emit_lesson(buf, own, &request)?;
            Some((request.sender_ip.into(), emitted))
        }
        _ if !IPV6 => None,
        _ => {
            let solicitation = ndisc::Solicitation::new(ethernet.payload())?;
            let emitted = ndisc::emit_lesson(buf, own, &solicitation, ethernet.source())?;
            Some((solicitation.source.into(), emitted))
        }
    }
}

fn content(ethernet: &ethernet::View<'_>) -> Content {
    let payload = ethernet.payload();
    match ethernet.ethertype() {
        ethernet::ARP => match arp::Packet::new(payload) {
            None => Content::Other,
            Some(packet) if packet.is_request => Content::Question {
                target: packet.target_ip.into(),
                // A gratuitous ARP, of another host that has just taken the address over, asks nothing.
                valid: packet.sender_ip != packet.target_ip && arp::Request::new(payload).is_some(),
            },
            // Its sender says where it is.
            Some(packet) => Content::Packet {
                source: packet.sender_ip.into(),
                destination: packet.target_ip.into(),
                is_answer: true,
            },
        },
        ethernet::IPV4 => match ipv4::addresses_of(payload) {
            Some((source, destination)) => Content::Packet {
                source: source.into(),
                destination: destination.into(),
                is_answer: false,
            },
            None => Content::Other,
        },
        ethernet::IPV6 if IPV6 => match ndisc::Neighbour::new(payload) {
            Some(message) if message.is_solicitation => Content::Question {
                target: message.target.into(),
                valid: ndisc::Solicitation::new(payload).is_some(),
            },
            Some(_) if ethernet::is_group(ethernet.destination()) => Content::NeighbourNews,
            message => match ipv6::addresses_of(payload) {
                Some((source, destination)) => Content::Packet {
                    source: source.into(),
                    destination: destination.into(),
                    is_answer: message.is_some(),
                },
                None => Content::Other,
            },
        },
        _ => Content::Other,
    }
}
