//! The structs of the gate's interface.

use crate::raw::{Plain, sized};
use crate::types::{vrrp_address, vrrp_peer, vrrp_virtual_address};

/// The name of a virtual router of a gate.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_gate_key {
    /// The virtual router identifier, 1 to 255.
    pub vrid: u8,
    /// `VRRP_IPV4` or `VRRP_IPV6`: one VRID may exist once in each.
    pub family: u8,
}

/// Which of several stacks a frame is for.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_gate_addressee {
    /// One of `VRRP_GATE_TO_*`.
    pub to: u8,
    /// Of `VRRP_GATE_TO_VIRTUAL`: the address; else family 0.
    pub address: vrrp_address,
}

/// One thing for you to do, or to know. Fields that a kind does not name are zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_gate_action {
    /// Set it to sizeof(struct vrrp_gate_action). On return: the octets that were filled in, no more than
    /// that.
    pub size: u32,
    /// Of `SEND` and `DELIVER`: the length of the frame in the buffer, without padding and FCS.
    pub frame_len: u32,
    /// One of `VRRP_GATE_SEND` and what follows, which say what is to be done.
    pub kind: u8,
    /// Of `SET_ADDRESS`: 1 give, 0 take away.
    pub on: u8,
    /// Of `SET_ADDRESS`, `STATE_CHANGE` and `REMOVED`: the virtual router.
    pub key: vrrp_gate_key,
    /// Of `SET_ADDRESS`: the address and its prefix. Of `DELIVER`: the address, prefix 0.
    pub address: vrrp_virtual_address,
    /// Of `STATE_CHANGE`: the state before, as last reported; one of `VRRP_STATE_*`.
    pub from: u8,
    /// Of `STATE_CHANGE`: the state now.
    pub to: u8,
    /// Of `STATE_CHANGE`: why, one of `VRRP_REASON_*`.
    pub reason: u8,
    /// Of `STATE_CHANGE`: the router whose advertisement, or whose silence, decided it; else family 0.
    pub peer: vrrp_peer,
}

/// Whether the frames to the virtual MACs come in.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_gate_reception {
    /// Set it to sizeof(struct vrrp_gate_reception). On return: the octets that were filled in, no more
    /// than that.
    pub size: u32,
    /// Frames to a virtual MAC that was taken up. The counter wraps.
    pub frames: u32,
    /// A virtual address that this host answers for while no frame to its virtual MAC comes in, which a
    /// neighbour that was probed from both MACs bears out: the driver filters MACs. Family 0 otherwise,
    /// and again with the first frame.
    pub unheard: vrrp_address,
    /// Zeros.
    pub reserved: [u8; 3],
}

macro_rules! plain {
    ($($name:ident)*) => {$(
        // SAFETY: numbers, of which any octets are one.
        unsafe impl Plain for $name {}
    )*};
}

plain!(vrrp_gate_key vrrp_gate_addressee vrrp_gate_action vrrp_gate_reception);
sized! {
    vrrp_gate_action up to peer;
    vrrp_gate_reception up to reserved;
}
