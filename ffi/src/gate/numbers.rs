//! Every number of the gate's interface. Numbers are only ever added.

use core::ffi::c_int;

/// The frame is not for the stack: the engine took it, the gate answered it, or it was discarded and
/// counted.
pub const VRRP_GATE_TAKEN: c_int = 0;
/// The frame is for the stack. Where it was sent to a virtual MAC it has the interface's own in that
/// place now.
pub const VRRP_GATE_STACK: c_int = 1;

/// The frame is for the stack with the interface's own addresses.
pub const VRRP_GATE_TO_OWN: u8 = 0;
/// It is for the virtual address `addressee->address`: a stack of its own where there are several.
pub const VRRP_GATE_TO_VIRTUAL: u8 = 1;
/// It is for every stack: a neighbour tells all nodes of its MAC.
pub const VRRP_GATE_TO_ALL: u8 = 2;

/// Send the frame in the buffer, `frame_len` octets long.
pub const VRRP_GATE_SEND: u8 = 1;
/// Give the stack the frame in the buffer, `frame_len` octets long, as if it had arrived. The gate has
/// answered an ARP request or a neighbour solicitation in the place of the stack, and by this frame, an
/// ARP reply or a neighbour advertisement, the stack learns the MAC of the host that asked. Where there
/// are several stacks it is for the one of `address`.
pub const VRRP_GATE_DELIVER: u8 = 2;
/// Give the stack `address` (`on`), or take it away. An address without Accept_Mode stays out of the
/// stack: the gate answers for it.
pub const VRRP_GATE_SET_ADDRESS: u8 = 3;
/// The state changed `from`, `to`, for `reason`. Nothing to perform.
pub const VRRP_GATE_STATE_CHANGE: u8 = 4;
/// A virtual router that was to be removed is gone; its key is free.
pub const VRRP_GATE_REMOVED: u8 = 5;
/// Have the driver let in other MACs: `vrrp_gate_macs()` gives them. Nothing to do where it lets
/// everything in, or all virtual MACs.
pub const VRRP_GATE_SET_FILTER: u8 = 6;

/// Received, and shorter than an Ethernet header. The first discard reason: the others follow without
/// a gap, to where `vrrp_gate_discard_name()` gives NULL.
pub const VRRP_GATE_DISCARD_TRUNCATED: c_int = 1;
/// Received, to another station.
pub const VRRP_GATE_DISCARD_OTHER_STATION: c_int = 2;
/// Received, to a virtual MAC that is not taken up.
pub const VRRP_GATE_DISCARD_MAC_NOT_TAKEN_UP: c_int = 3;
/// Received, to a virtual address that is not served.
pub const VRRP_GATE_DISCARD_TO_UNSERVED: c_int = 4;
/// Received, to a virtual address that is served without accepting packets.
pub const VRRP_GATE_DISCARD_NOT_ACCEPTED: c_int = 5;
/// Received, a neighbour solicitation for a virtual address that breaks RFC 4861 section 7.1.1, or a
/// gratuitous ARP for one that this host serves.
pub const VRRP_GATE_DISCARD_BAD_SOLICITATION: c_int = 6;
/// Sent by the stack from a virtual address that is not served, or without being in the stack.
pub const VRRP_GATE_DISCARD_FROM_UNSERVED: c_int = 7;
/// There was no room to hand it over or to send it.
pub const VRRP_GATE_DISCARD_NO_ROOM: c_int = 8;
/// A reason that this header does not know.
pub const VRRP_GATE_DISCARD_OTHER: c_int = 255;
