//! The outputs of the engine: effects for its port to perform, and events.

use core::fmt;
use core::net::IpAddr;

use crate::types::{Family, MacAddr, VirtualAddress, VrKey};

/// The answer of [`Engine::poll_output`](crate::Engine::poll_output).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an output that is not performed is lost"]
pub enum Poll<'b> {
    /// Nothing is left to do.
    Done,
    /// The next thing to do.
    Output(Output<'b>),
    /// The next thing to do is to send a frame that does not fit the buffer. It is not lost: the next
    /// call gives it.
    BufferTooSmall,
}

/// One thing for the port to do, or to know. Perform outputs in the order in which they come.
///
/// Exhaustive on purpose: a new action breaks every port at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output<'b> {
    /// Send this frame.
    Transmit(Transmit<'b>),
    /// Take up (`on`) or give up the virtual MAC: receive frames sent to it, and send from it.
    /// Only with [`MacMode::Virtual`](crate::MacMode::Virtual).
    SetMac {
        /// The virtual router.
        key: VrKey,
        /// The virtual MAC.
        mac: MacAddr,
        /// Take up or give up.
        on: bool,
    },
    /// Begin (`on`) or cease to serve a virtual address: answer ARP or NS for it, and with
    /// `accept` take packets sent to it.
    SetAddress {
        /// The virtual router.
        key: VrKey,
        /// The address and its prefix.
        address: VirtualAddress,
        /// Whether packets to it are for this host (owner, or Accept_Mode).
        accept: bool,
        /// Begin or cease.
        on: bool,
    },
    /// Join or leave the multicast group of a family on an interface.
    SetGroup {
        /// The interface.
        ifindex: u32,
        /// IPv4: 224.0.0.18. IPv6: ff02::12.
        family: Family,
        /// Join or leave.
        on: bool,
    },
    /// A virtual router changed its state. Nothing to perform.
    StateChange(StateChange),
    /// A virtual router that was to be removed is gone; its key is free.
    Removed {
        /// The virtual router that was.
        key: VrKey,
    },
}

/// A frame to send.
///
/// Exhaustive on purpose: a port that sends from another process makes it anew there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transmit<'b> {
    /// The virtual router that it speaks for.
    pub key: VrKey,
    /// The whole Ethernet frame, without padding and FCS.
    pub frame: &'b [u8],
    /// The offset of the IP header in octets (for ARP: of the ARP packet).
    pub ip_offset: u16,
    /// The offset of the VRRP message or the ICMPv6 message in octets (for ARP: of the ARP packet).
    pub payload_offset: u16,
    /// The kind of frame.
    pub kind: FrameKind,
    /// `Some` for a unicast advertisement: the destination. Its Ethernet destination is not known
    /// to the engine and is left zero for the port to fill in, or the port sends the IP packet.
    pub unicast: Option<IpAddr>,
}

/// The kinds of frame that the engine sends.
///
/// Exhaustive on purpose: a port sends each kind in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FrameKind {
    /// A VRRP advertisement.
    Advertisement,
    /// A gratuitous ARP for a virtual address.
    GratuitousArp,
    /// An unsolicited neighbour advertisement for a virtual address.
    UnsolicitedNa,
    /// The answer to an ARP request for a virtual address.
    ArpReply,
    /// The answer to a neighbour solicitation for a virtual address.
    NaReply,
    /// An ARP probe or a neighbour solicitation without a source, from the interface's own MAC: whether
    /// somebody has the first virtual address of a silent Active router.
    NeighborProbe,
}

impl FrameKind {
    /// Its name, such as `gratuitous ARP`.
    pub const fn as_str(self) -> &'static str {
        match self {
            FrameKind::Advertisement => "advertisement",
            FrameKind::GratuitousArp => "gratuitous ARP",
            FrameKind::UnsolicitedNa => "unsolicited neighbour advertisement",
            FrameKind::ArpReply => "ARP reply",
            FrameKind::NaReply => "neighbour advertisement",
            FrameKind::NeighborProbe => "neighbour probe",
        }
    }
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The states of RFC 9568 section 6.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum State {
    /// Takes no part: disabled, or held back by an interface, a tracked object or a failed effect.
    Initialize,
    /// Listens, ready to take over.
    Backup,
    /// Serves the addresses.
    #[doc(alias = "master")]
    Active,
}

impl State {
    /// Its name, such as `Backup`.
    pub const fn as_str(self) -> &'static str {
        match self {
            State::Initialize => "Initialize",
            State::Backup => "Backup",
            State::Active => "Active",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A change of state and why. `K` is [`VrKey`], or behind a gate [`GateKey`](crate::gate::GateKey).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct StateChange<K = VrKey> {
    /// The virtual router.
    pub key: K,
    /// The state before, as last reported.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// The router whose advertisement decided it, where one did, or the Active router last heard
    /// where its silence did.
    pub peer: Option<Peer>,
}

/// Why a state changed.
///
/// Exhaustive on purpose: whoever translates reasons learns of a new one at compile time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Reason {
    /// Enabled, and everything that it needs is there.
    Started,
    /// Started as the owner of the addresses.
    Owner,
    /// The Active router was not heard for the Active_Down_Interval, or nobody ever was.
    ActiveTimeout,
    /// The Active router gave up being it (priority 0): it stops, resigns or is disabled.
    ActiveStopped,
    /// The Active router has a lower priority than we, and preemption is on.
    Preempted,
    /// A router of higher priority advertises.
    HigherPriority,
    /// A router of equal priority and higher address advertises.
    HigherAddress,
    /// Told to give up being Active.
    Resigned,
    /// Disabled or being removed.
    Disabled,
    /// The interface is down or gone.
    InterfaceDown,
    /// The interface has no address to advertise from.
    NoPrimaryAddress,
    /// A tracked object that the virtual router cannot do without is down.
    TrackedFault,
    /// The port could not take up the MAC, an address or the group.
    EffectFailed,
    /// A tracked object is down that makes it stand back.
    StandsBack,
    /// As [`ActiveTimeout`](Self::ActiveTimeout), and a host that is not heard answers for the first
    /// address: the Active router that lives and is cut off in one direction, or one that died and left the
    /// address behind.
    ActiveUnheard,
}

impl Reason {
    /// The cause in a few words, for logs and status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Reason::Started => "started",
            Reason::Owner => "started as owner of the addresses",
            Reason::ActiveTimeout => "no advertisement within the down interval",
            Reason::ActiveUnheard => "the master is silent, though a host answers for the address",
            Reason::ActiveStopped => "the master gave up mastership",
            Reason::Preempted => "the master has a lower priority",
            Reason::HigherPriority => "a router of higher priority advertises",
            Reason::HigherAddress => "a router of equal priority and higher address advertises",
            Reason::Resigned => "told to resign",
            Reason::Disabled => "disabled",
            Reason::InterfaceDown => "interface down",
            Reason::NoPrimaryAddress => "interface has no address to advertise from",
            Reason::TrackedFault => "a tracked object is down",
            Reason::EffectFailed => "an address, MAC or group could not be installed",
            Reason::StandsBack => "stands back",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Another router of the same virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Peer {
    /// Its address, the source of its advertisements.
    pub address: IpAddr,
    /// The priority that it last advertised.
    pub priority: u8,
}

/// An effect that the port could not perform, or that somebody else has undone. The engine will
/// ask again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Failure {
    /// [`Output::SetMac`] failed, or the MAC was taken away.
    Mac {
        /// The virtual router.
        key: VrKey,
    },
    /// [`Output::SetAddress`] failed for this address, or it was taken away.
    Address {
        /// The virtual router.
        key: VrKey,
        /// The address.
        address: IpAddr,
    },
    /// [`Output::SetGroup`] failed, or the membership was lost.
    Group {
        /// The interface.
        ifindex: u32,
        /// The family.
        family: Family,
    },
}
