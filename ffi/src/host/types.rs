//! The structs of the host's interface.

use core::ffi::c_char;

use super::numbers::*;
use crate::raw::{Plain, sized};
use crate::types::{vrrp_address, vrrp_config, vrrp_peer, vrrp_virtual_address};

/// The name of a virtual router of a host: {"eth0", 51, VRRP_IPV4}.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_host_id {
    /// The name of its interface, ended by a 0.
    pub interface: [c_char; VRRP_HOST_NAME_SIZE],
    /// The virtual router identifier, 1 to 255.
    pub vrid: u8,
    /// `VRRP_IPV4` or `VRRP_IPV6`.
    pub family: u8,
}

/// The name of an interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_host_name {
    /// Ended by a 0.
    pub name: [c_char; VRRP_HOST_NAME_SIZE],
}

/// Something whose state matters to virtual routers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vrrp_host_object {
    /// The name of a `VRRP_HOST_OBJECT_NAMED`, 1 to 255 octets of UTF-8; else unused.
    pub name: *const c_char,
    /// The interface or virtual router of a `VRRP_HOST_OBJECT_INTERFACE` or `VRRP_HOST_OBJECT_ROUTER`; else unused.
    pub id: vrrp_host_id,
    /// One of `VRRP_HOST_OBJECT_*`.
    pub kind: u8,
    /// Zero.
    pub reserved: u8,
}

/// One virtual router of a host.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vrrp_host_router {
    /// sizeof(struct vrrp_host_router), the same in all of an array.
    pub size: u32,
    /// Its name.
    pub id: vrrp_host_id,
    /// 1: its addresses, but for link-local ones, are on the loopback at all times, so that services
    /// bind them once; there no neighbour is answered for them. Needs `accept`.
    pub silent: u8,
    /// 1: TCP connections of an address are reset when it is given up while the interface is up.
    pub reset_connections: u8,
    /// Its configuration, begun with `vrrp_host_settings_init()`. The `object` of its tracks is an index of
    /// `objects` in `struct vrrp_host_config`.
    pub config: *const vrrp_config,
    /// NULL, or for each of `config->addresses` the name of the interface that carries it; a name
    /// of NULL is the interface that carries the MAC of the virtual router. Another one needs
    /// `accept`.
    pub carriers: *const *const c_char,
}

/// Everything that a host is to do.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vrrp_host_config {
    /// sizeof(struct vrrp_host_config).
    pub size: u32,
    /// The virtual routers, each named once.
    pub routers: *const vrrp_host_router,
    /// How many. None: the host waits for a reload.
    pub routers_len: usize,
    /// The objects that virtual routers track.
    pub objects: *const vrrp_host_object,
    /// How many.
    pub objects_len: usize,
}

/// How a host is opened. Set all of it to zero first: zero is the default of each.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vrrp_host_options {
    /// sizeof(struct vrrp_host_options).
    pub size: u32,
    /// Where it is noted what is installed, so that the next life can clean up after a crash: a
    /// directory that is empty after a reboot. It is made when missing. NULL: what the text of the
    /// configuration says, else /run/vrrpd (/var/run/vrrpd on FreeBSD), which is vrrpd's: either
    /// cleans up after the other.
    pub runtime_dir: *const c_char,
    /// The name of the configuration's text in messages, such as its file's. NULL: "config".
    pub config_name: *const c_char,
    /// Where the boot count is kept that numbers of `antireplay = monotonic` begin with: a directory
    /// that survives a reboot, and is not that of a vrrpd that runs. It is made when missing. NULL: what
    /// the text of the configuration says with `statedir`; where that says nothing either, such
    /// a text is refused.
    pub state_dir: *const c_char,
}

/// Something that happened. Fields that a kind does not name are zero.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vrrp_host_event {
    /// Set it to sizeof(struct vrrp_host_event).
    pub size: u32,
    /// One of `VRRP_HOST_EVENT_STATE_CHANGE` and what follows, which name the fields that they fill in.
    pub kind: u8,
    /// `VRRP_HOST_LEVEL_INFO` or `VRRP_HOST_LEVEL_WARNING`: how much it matters in a log.
    pub level: u8,
    /// One of `VRRP_STATE_*`: the state before.
    pub from: u8,
    /// The state now.
    pub to: u8,
    /// One of `VRRP_REASON_*`.
    pub reason: u8,
    /// 1: the interface is up.
    pub up: u8,
    /// The virtual router, or the interface alone with a VRID of 0.
    pub id: vrrp_host_id,
    /// The other router. Family 0: there is none.
    pub peer: vrrp_peer,
    /// One of `VRRP_DROP_*`.
    pub drop_reason: u16,
    /// Our interval in centiseconds.
    pub our_interval_cs: u16,
    /// Its interval in centiseconds.
    pub their_interval_cs: u16,
    /// How many of `addresses` there are.
    pub addresses_len: u16,
    /// How many of `their_addresses` there are.
    pub their_addresses_len: u16,
    /// How often.
    pub count: u64,
    /// How late.
    pub late_us: u64,
    /// The virtual addresses of `id`.
    pub addresses: [vrrp_virtual_address; VRRP_HOST_MAX_ADDRESSES],
    /// The addresses that the other router advertises.
    pub their_addresses: [vrrp_address; VRRP_HOST_MAX_ADDRESSES],
    /// All of it in one line for a log, in UTF-8, cut with "..." where it is too long. Never empty.
    pub text: [c_char; VRRP_HOST_TEXT_SIZE],
}

/// How a host serves a virtual router.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct vrrp_host_service {
    /// Set it to sizeof(struct vrrp_host_service).
    pub size: u32,
    /// `VRRP_MAC_VIRTUAL` or `VRRP_MAC_INTERFACE`.
    pub mac_mode: u8,
    /// The MAC that answers for the addresses while it is Active.
    pub mac: [u8; 6],
    /// 1: it is being removed, stopping, or serving until its successor is heard.
    pub leaving: u8,
    /// The interface that carries the virtual MAC. Empty: the interface's own MAC is used, or the
    /// interface does not exist.
    pub mac_interface: [c_char; VRRP_HOST_NAME_SIZE],
    /// The source of its advertisements. Family 0: the interface has no address for it.
    pub source: vrrp_address,
    /// 1: its interface is up.
    pub interface_up: u8,
    /// 1: the operating system is not ready for it, so that it waits in Initialize and is tried again.
    pub refused: u8,
}

/// A router that is, or was, master of a virtual router on one of our segments, ours or not. Two
/// fresh ones of the same virtual router are two masters.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vrrp_host_sighting {
    /// Set it to sizeof(struct vrrp_host_sighting).
    pub size: u32,
    /// The virtual router, which need not be one of ours.
    pub id: vrrp_host_id,
    /// The MAC of its advertisements.
    pub mac: [u8; 6],
    /// The source of its advertisements and the priority that it advertised last; 0 when it stopped.
    pub router: vrrp_peer,
    /// 2 or 3.
    pub version: u8,
    /// 1: it has stopped, or was not heard for three of its intervals and the longest skew.
    pub stale: u8,
    /// 1: this virtual router is configured here, too.
    pub ours: u8,
    /// 1: it is this host.
    pub is_self: u8,
    /// The interval that it advertised, in centiseconds.
    pub interval_cs: u16,
    /// How many of `addresses` there are.
    pub addresses_len: u16,
    /// How long ago it was heard.
    pub age_us: u64,
    /// The virtual addresses that it advertised.
    pub addresses: [vrrp_address; VRRP_HOST_MAX_ADDRESSES],
    /// 1: its advertisements are refused for `drop_reason`, so that it does not count in the election
    /// and may be master beside us. One that is no longer heard is not listed.
    pub refused: u8,
    /// Zero.
    pub reserved: [u8; 5],
    /// VRRP_DROP_*.
    pub drop_reason: u16,
}

macro_rules! plain {
    ($($name:ident)*) => {$(
        // SAFETY: numbers and pointers, of which any octets are one.
        unsafe impl Plain for $name {}
    )*};
}

plain!(vrrp_host_id vrrp_host_object vrrp_host_router vrrp_host_config vrrp_host_options);
plain!(vrrp_host_event vrrp_host_service vrrp_host_sighting vrrp_host_name);
sized! {
    vrrp_host_router up to carriers;
    vrrp_host_config up to objects_len;
    vrrp_host_options up to config_name;
    vrrp_host_event up to text;
    vrrp_host_service up to interface_up;
    vrrp_host_sighting up to addresses;
}

const _: () = {
    assert!(VRRP_HOST_MAX_ADDRESSES == ::vrrp_host::MAX_ADDRESSES);
    assert!(VRRP_HOST_MAX_ROUTERS == ::vrrp_host::MAX_VIRTUAL_ROUTERS);
    assert!(VRRP_HOST_MAX_INTERFACES == ::vrrp_host::MAX_INTERFACES);
};
