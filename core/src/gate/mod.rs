//! A gate in the frames' way between an Ethernet device and an IP stack that has one MAC.
//!
//! An operating system gives a virtual MAC an interface of its own. The stack of a microcontroller
//! has one hardware address: it hears no frame to another and sends all from its own. The gate
//! makes up for that, for any stack:
//!
//! ```text
//!             IP stack, one MAC, virtual addresses as ordinary ones
//!                 |  ^
//!   Gate::send    |  |  Gate::receive ----- Router: advertisements, ARP and NS for
//!   source MAC,   |  |  virtual MAC shown    ^  |    virtual addresses
//!   ARP and ND    |  |  as the stack's own   |  |
//!   options       v  |                       |  v  Gate::poll: advertisements, answers,
//!             Ethernet device --------------------  gratuitous ARP, NA, IGMP, MLD
//! ```
//!
//! - What is received goes through [`Gate::receive`]: VRRP to the engine; ARP requests and neighbour
//!   solicitations for a virtual address are answered with its virtual MAC (M-3, M-4), never by the
//!   stack; frames to a virtual MAC pass only while it is taken up (A-1), and the stack is to see
//!   them under its own MAC; packets to a virtual address pass while it is served and accepted.
//! - What the stack sends goes through [`Gate::send`]: what comes from a virtual address gets the
//!   virtual MAC, in the Ethernet header, in ARP and in neighbour discovery; while the address is not
//!   served it is discarded.
//! - [`Gate::poll`] gives what there is to send and to do, the engine's and the gate's own: it
//!   reports the group memberships itself, since stacks do it wrongly or not at all.
//! - The stack hears no question for its virtual addresses, and so knows nobody who asked. The gate
//!   passes on who it was ([`Received::Answer`]), and asks itself for who talks to an address that
//!   was taken over.
//! - [`Gate::macs`] are what the device's filter has to let in ([`mac_filter`]), and
//!   [`Gate::reception`] says when it does not.
//!
//! The gate has one interface, so that a [`GateKey`] names none. Unicast peers need a neighbour table and are refused.
#![deny(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable
)]

mod asking;
mod groups;
pub mod mac_filter;
mod receive;
mod reception;
mod send;

use core::fmt;
use core::net::{IpAddr, Ipv4Addr};

use crate::IPV6;
use crate::engine::{Admin, Engine};
use crate::log::frame_discarded;
use crate::output::{Failure, Output, Poll, StateChange};
use crate::status::InterfaceState;
use crate::time::{Duration, Instant};
use crate::types::{Family, MacAddr, VirtualAddress, VrKey, Vrid};
use crate::wire::vrrp::TRAILER_LEN;
use crate::wire::{igmp, mld, ndisc};
use asking::Asking;
use groups::Groups;
use reception::Trials;

pub use mac_filter::MacFilter;
pub use receive::{Addressee, Received};
pub use reception::Reception;
pub use send::zero_checksums;

/// The number of a gate's one interface, to its engine.
const IFINDEX: u32 = 1;

/// The name of a virtual router of a gate, which has one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GateKey {
    /// The virtual router identifier.
    pub vrid: Vrid,
    /// The address family.
    pub family: Family,
}

impl GateKey {
    /// The virtual router `vrid` of a family.
    pub const fn new(vrid: Vrid, family: Family) -> Self {
        Self { vrid, family }
    }

    fn from_engine(VrKey { vrid, family, .. }: VrKey) -> Self {
        Self { vrid, family }
    }

    /// The virtual MAC of this virtual router.
    pub const fn virtual_mac(self) -> MacAddr {
        MacAddr::virtual_router(self.family, self.vrid)
    }
}

impl From<GateKey> for VrKey {
    fn from(GateKey { vrid, family }: GateKey) -> Self {
        Self::new(IFINDEX, vrid, family)
    }
}

impl fmt::Display for GateKey {
    /// `VRID 1 (IPv4)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VRID {} ({})", self.vrid, self.family)
    }
}

/// The most octets that a gate with `ADDRS` addresses writes at once.
pub const fn max_frame_len(addrs: usize) -> usize {
    let trailer = if cfg!(feature = "hmac") {
        TRAILER_LEN
    } else {
        0
    };
    let advert = 14 + 40 + 8 + 16 * addrs + trailer;
    // An answer and a lesson, which need more than the reports of memberships.
    if advert < 172 { 172 } else { advert }
}

/// How long a frame waits for a device that can send none: longer than any frame takes, no longer
/// than the shortest interval.
const PATIENCE: Duration = Duration::from_millis(10);

/// The engine on one interface, and the way of its frames. See the [module](self).
pub struct Gate<const VRS: usize, const ADDRS: usize> {
    engine: Engine<1, VRS, ADDRS>,
    groups: Groups,
    asking: Asking,
    trials: Trials,
    /// The MACs that the device has to let in are others than the port was told.
    macs_changed: bool,
    /// Since when a frame of the engine waits for a device that can send none.
    blocked_at: Option<Instant>,
    discards: DiscardCounters,
}

impl<const VRS: usize, const ADDRS: usize> core::fmt::Debug for Gate<VRS, ADDRS> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Gate")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

/// One thing for the port to do or to know, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<'b> {
    /// Send this frame.
    Send(&'b [u8]),
    /// Give the stack an address (`on`), or take it away. Only addresses that packets are accepted
    /// for; the others stay out of the stack and are answered for by the gate.
    SetAddress {
        /// The virtual router.
        key: GateKey,
        /// The address and its prefix.
        address: VirtualAddress,
        /// Give or take away.
        on: bool,
    },
    /// Have the device let in other MACs: [`Gate::macs`] gives them.
    SetFilter,
    /// A virtual router changed its state.
    StateChange(StateChange<GateKey>),
    /// A virtual router that was to be removed is gone; its key is free.
    Removed {
        /// The virtual router that was.
        key: GateKey,
    },
}

impl<const VRS: usize, const ADDRS: usize> Gate<VRS, ADDRS> {
    /// A gate without virtual routers. `seed` is any number that differs from host to host: reports
    /// of memberships are spread by it.
    pub const fn new(seed: u64) -> Self {
        Self {
            engine: Engine::new(),
            groups: Groups::new(seed),
            asking: Asking::NONE,
            trials: Trials::NONE,
            macs_changed: false,
            blocked_at: None,
            discards: DiscardCounters([0; Discard::ALL.len()]),
        }
    }

    /// The engine, for questions: status, counters, addresses. They take a [`GateKey`], too.
    pub fn engine(&self) -> &Engine<1, VRS, ADDRS> {
        &self.engine
    }

    /// The calls of the administrator, as made at `now`.
    pub fn admin(&mut self, now: Instant) -> Admin<'_, 1, VRS, ADDRS, GateKey> {
        self.engine.admin_by(now)
    }

    /// The keys of all virtual routers, in no order.
    pub fn keys(&self) -> impl Iterator<Item = GateKey> + '_ {
        self.engine.keys().map(GateKey::from_engine)
    }

    /// Learns that the stack did not take an address, or has lost it.
    pub fn handle_address_failure(&mut self, now: Instant, key: GateKey, address: IpAddr) {
        let key = key.into();
        let failure = Failure::Address { key, address };
        self.engine.handle_failure(now, failure);
    }

    /// States how the interface is: link, MAC, and the stack's own addresses.
    pub fn set_interface(&mut self, now: Instant, state: InterfaceState) {
        let was_up = self.interface().up;
        self.macs_changed = true;
        // The table has room for the one interface.
        let _ = self.engine.set_interface(now, IFINDEX, state);
        if state.up && !was_up {
            self.groups.report_again();
        }
    }

    /// How the interface was last described.
    pub fn interface(&self) -> InterfaceState {
        self.engine.interface(IFINDEX).copied().unwrap_or_default()
    }

    /// When [`handle_timeout`](Self::handle_timeout) and [`poll`](Self::poll) are to be called at
    /// the latest. `None`: not before something else happens.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let mut at = self.engine.poll_timeout().unwrap_or(Instant::NEVER);
        at = at.min(self.groups.next_deadline());
        at = at.min(self.trials.next_deadline());
        if let Some(blocked_at) = self.blocked_at {
            at = at.min(blocked_at + PATIENCE);
        }
        (at != Instant::NEVER).then_some(at)
    }

    /// Does what has come due, after the frames that have arrived by then were handled.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.engine.handle_timeout(now);
        self.groups.handle_timeout(now);
        self.trials.handle_timeout(now);
    }

    /// The next thing to do, in order; to be called until it gives `None` after any input, and when
    /// the device can send again. Frames need a `buf` of [`max_frame_len`] octets.
    ///
    /// While the device `can_send` no frame, what comes before the next one is given. A frame that
    /// has waited for 10 ms is discarded and counted: late it would tell of a state that is over.
    #[must_use = "an action that is not performed is lost"]
    pub fn poll<'b>(
        &mut self,
        now: Instant,
        can_send: bool,
        buf: &'b mut [u8],
    ) -> Option<Action<'b>> {
        let iface = self.interface();
        if can_send {
            self.blocked_at = None;
        }
        let frame_len = loop {
            // Before neighbours are told of a MAC.
            if core::mem::take(&mut self.macs_changed) {
                return Some(Action::SetFilter);
            }
            // Before the next one: only one group can wait to be reported as left.
            if can_send
                && iface.up
                && let Some(emitted) = self.groups.emit_leave(now, &iface, buf)
            {
                return Some(Action::Send(buf.get(..emitted.len)?));
            }
            let room = if can_send { &mut *buf } else { &mut [] };
            match self.engine.poll_output(room) {
                Poll::Output(Output::Transmit(transmit)) => break Some(transmit.frame.len()),
                Poll::Output(output) => {
                    if let Some(action) = self.perform(output) {
                        return Some(action);
                    }
                }
                Poll::BufferTooSmall if !can_send => {
                    if !self.discard_late(now, buf) {
                        return None;
                    }
                }
                Poll::BufferTooSmall => return None,
                Poll::Done => break None,
            }
        };
        if !can_send {
            self.blocked_at = None;
            return None;
        }
        let mac_of = |from| {
            let holding = self.engine.virtual_address(IFINDEX, from);
            holding.filter(|h| h.served).map(|h| h.mac)
        };
        let probe = || {
            let asked = self.asking.emit(mac_of, buf);
            let probe = asked.or_else(|| self.trials.emit_probe(mac_of, &iface, buf));
            let emitted = probe.or_else(|| {
                let served = self.engine.served_ipv6(IFINDEX);
                self.groups.emit_report(now, &iface, served, buf)
            });
            emitted.map(|emitted| emitted.len)
        };
        let len = frame_len.or_else(probe)?;
        Some(Action::Send(buf.get(..len)?))
    }

    /// Discards a frame that waits for a device that could not send it for too long. Whether it did.
    fn discard_late(&mut self, now: Instant, buf: &mut [u8]) -> bool {
        let blocked_at = *self.blocked_at.get_or_insert(now);
        let late = now >= blocked_at + PATIENCE;
        if late && let Poll::Output(_) = self.engine.poll_output(buf) {
            self.count_discard(Discard::NoRoom);
            return true;
        }
        false
    }

    /// Does what concerns the gate alone, and gives what concerns the port.
    fn perform(&mut self, output: Output<'_>) -> Option<Action<'static>> {
        match output {
            // Frames have gone their way.
            Output::Transmit(_) => None,
            Output::SetMac { mac, .. } => {
                self.macs_changed = true;
                self.trials.forget(mac);
                None
            }
            Output::SetGroup { family, on, .. } => {
                self.macs_changed = true;
                self.groups.set(family, on);
                None
            }
            Output::SetAddress {
                key,
                address,
                accept,
                on,
            } => {
                if on {
                    self.asking.forget();
                }
                let shared = self.shares_group(address.address);
                self.groups.set_address(address.address, on, shared);
                self.macs_changed |= address.address.is_ipv6();
                let key = GateKey::from_engine(key);
                accept.then_some(Action::SetAddress { key, address, on })
            }
            Output::StateChange(change) => Some(Action::StateChange(StateChange {
                key: GateKey::from_engine(change.key),
                from: change.from,
                to: change.to,
                reason: change.reason,
                peer: change.peer,
            })),
            Output::Removed { key } => Some(Action::Removed {
                key: GateKey::from_engine(key),
            }),
        }
    }

    fn shares_group(&self, address: IpAddr) -> bool {
        let IpAddr::V6(address) = address else {
            return false;
        };
        if !IPV6 {
            return false;
        }
        let group = mld::solicited_node(address);
        let mut served = self.engine.served_ipv6(IFINDEX);
        served.any(|other| mld::solicited_node(other) == group)
    }

    /// The MACs that the device has to let in. Its own, broadcast, and the groups that the stack has
    /// joined are not among them.
    ///
    /// They are the virtual MACs that are taken up, and the groups of advertisements and of queries for
    /// members. The solicited-node groups of served virtual addresses and of the link-local address
    /// follow (RFC 4291 section 2.7.1). Groups may come twice. Ask after [`Action::SetFilter`].
    pub fn macs(&self) -> impl Iterator<Item = MacAddr> + '_ {
        let taken_up = |mac: &MacAddr| self.engine.is_mac_taken_up(IFINDEX, *mac) == Some(true);
        let virtual_macs = self.keys().map(GateKey::virtual_mac).filter(taken_up);
        let families = [Family::Ipv4, Family::Ipv6].into_iter();
        let joined = families.filter(|family| self.groups.has_joined(*family));
        let groups = joined.flat_map(|family| [family.group_mac(), all_nodes_mac(family)]);
        let own = self.interface().ipv6.filter(|_| IPV6);
        let nodes = self.engine.served_ipv6(IFINDEX).chain(own);
        let nodes = nodes.map(|node| mld::group_mac(mld::solicited_node(node)));
        virtual_macs.chain(groups).chain(nodes)
    }

    /// Whether the frames to the virtual MACs come in. Stays as it was while nobody asks for a virtual
    /// address.
    pub fn reception(&self) -> Reception {
        self.trials.reception()
    }

    /// How many frames were discarded that are not VRRP.
    pub fn discards(&self) -> &DiscardCounters {
        &self.discards
    }

    /// Counts a frame that the port could not take or send, as the gate counts its own.
    pub fn count_discard(&mut self, reason: Discard) {
        self.discards.add(reason);
        frame_discarded(reason);
    }
}

/// The Ethernet address of the group of all nodes, to which queriers ask for members.
const fn all_nodes_mac(family: Family) -> MacAddr {
    match family {
        Family::Ipv4 => igmp::group_mac(Ipv4Addr::new(224, 0, 0, 1)),
        Family::Ipv6 => ndisc::ALL_NODES_MAC,
    }
}

macro_rules! discards {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a frame did not pass the gate.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        #[non_exhaustive]
        pub enum Discard {
            $($(#[$doc])* $name,)*
        }

        impl Discard {
            /// Every reason, in the order of the counters.
            pub const ALL: &'static [Discard] = &[$(Discard::$name,)*];

            /// A short name for logs and statistics, such as `virtual-mac-not-ours-now`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Discard::$name => $text,)* }
            }
        }
    };
}

discards! {
    /// Received, and shorter than an Ethernet header.
    Truncated = "truncated",
    /// Received, to another station.
    OtherStation = "other-station",
    /// Received, to a virtual MAC that is not taken up (A-1).
    MacNotTakenUp = "virtual-mac-not-taken-up",
    /// Received, to a virtual address that is not served.
    ToUnserved = "to-address-not-served",
    /// Received, to a virtual address that is served without accepting packets.
    NotAccepted = "to-address-not-accepted",
    /// Received, a neighbour solicitation for a virtual address that RFC 4861 section 7.1.1 discards, or
    /// a gratuitous ARP for one that this host serves.
    BadSolicitation = "bad-solicitation",
    /// Sent by the stack from a virtual address that is not served, or without being in the stack.
    FromUnserved = "from-address-not-served",
    /// There was no room to hand it over or to send it.
    NoRoom = "no-room",
}

impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One counter for each [`Discard`]. They wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DiscardCounters([u32; Discard::ALL.len()]);

impl DiscardCounters {
    /// How many frames were discarded for this reason.
    pub fn count(&self, reason: Discard) -> u32 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Discard, u32)> + '_ {
        Discard::ALL.iter().map(|&r| (r, self.count(r)))
    }

    fn add(&mut self, reason: Discard) {
        if let Some(n) = self.0.get_mut(reason as usize) {
            *n = n.wrapping_add(1);
        }
    }
}
