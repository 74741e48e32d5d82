//! The structs of the engine's interface.

use core::ffi::c_int;
use core::mem::offset_of;

use crate::raw::{Plain, Sized32, size_up_to, sized};

/// An IP address in network order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_address {
    /// `VRRP_IPV4` (then the first four octets count) or `VRRP_IPV6`. 0: no address.
    pub family: u8,
    /// The address. Beyond an IPv4 address the library writes zeros and reads nothing.
    pub octets: [u8; 16],
}

/// A virtual address with its prefix.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_virtual_address {
    /// The address.
    pub address: vrrp_address,
    /// The length of the prefix, 0 to 32 or 0 to 128: what you need to install the address.
    pub prefix_len: u8,
}

/// The name of a virtual router.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_key {
    /// The interface, by a number that you choose and keep.
    pub ifindex: u32,
    /// The virtual router identifier, 1 to 255.
    pub vrid: u8,
    /// `VRRP_IPV4` or `VRRP_IPV6`: one VRID may exist once in each.
    pub family: u8,
}

/// Another router of the same virtual router.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_peer {
    /// The source of its advertisements. Family 0: there is none.
    pub address: vrrp_address,
    /// The priority that it last advertised; 0 when it stopped.
    pub priority: u8,
}

/// The state of an interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_interface {
    /// sizeof(struct vrrp_interface).
    pub size: u32,
    /// Not 0: administratively up and with carrier.
    pub up: u8,
    /// Its own MAC.
    pub mac: [u8; 6],
    /// Its primary IPv4 address, never a virtual one: the source of advertisements. 0.0.0.0: none,
    /// and IPv4 virtual routers wait in Initialize.
    pub ipv4: [u8; 4],
    /// Its own IPv6 link-local address: the source of advertisements. `::`: none, and IPv6 virtual
    /// routers wait in Initialize.
    pub ipv6: [u8; 16],
    /// Zero.
    pub reserved: u8,
}

/// A tracked object of a virtual router.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_track {
    /// The object, by a number that you choose: see `vrrp_set_tracked()`.
    pub object: u16,
    /// The addend of the priority; the sum stays within 1 to 254. For `VRRP_TRACK_FAULT`: unused.
    pub delta: i16,
    /// One of `VRRP_TRACK_*`.
    pub effect: u8,
}

/// The configuration of one virtual router. Begin with `vrrp_config_init()`, which fills in the
/// defaults of the RFC (for a host: `vrrp_host_settings_init()`), and set `addresses` at least. The engine copies what it needs: arrays may go
/// as soon as the call returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vrrp_config {
    /// sizeof(struct vrrp_config).
    pub size: u32,
    /// The versions to speak and hear: `VRRP_V2`, `VRRP_V3` (default) or `VRRP_V2_AND_V3`.
    pub version: u8,
    /// The priority when every tracked object is up: 1 to 255, 255 for the owner of the addresses;
    /// default 100.
    pub priority: u8,
    /// The interval between our advertisements while Active, in centiseconds: 1 to 4095 in VRRPv3,
    /// whole seconds of 100 to 25,500 in VRRPv2; default 100.
    pub advert_interval_cs: u16,
    /// Not 0 (default): take over from an Active router of lower priority.
    pub preempt: u8,
    /// Not 0: take packets for addresses that we do not own (Accept_Mode); default 0.
    pub accept: u8,
    /// With unicast peers, how many hops an advertisement may have come; default 1: the same link.
    pub max_hops: u8,
    /// `VRRP_MAC_VIRTUAL` (default) or `VRRP_MAC_INTERFACE`.
    pub mac_mode: u8,
    /// `VRRP_CHECKSUM_AUTO` (default), `VRRP_CHECKSUM_RFC9568` or `VRRP_CHECKSUM_RFC5798`.
    pub checksum: u8,
    /// `VRRP_OWNER_ELECT` (default) or `VRRP_OWNER_DISCARD`.
    pub owner_receive: u8,
    /// `VRRP_AUTH_NONE` (default) or `VRRP_AUTH_SIMPLE`.
    pub auth: u8,
    /// How many times more the addresses are announced (gratuitous ARP, unsolicited neighbour
    /// advertisement) after the takeover; default 1. Unless it is 0 there is also a round 100 ms
    /// after the first, for switches that have learned the old port again.
    pub announce_repeats: u8,
    /// The password of `VRRP_AUTH_SIMPLE`, padded with zeros.
    pub password: [u8; 8],
    /// How long an Active router of lower priority is left alone before it is preempted, at most 4,294
    /// seconds; default 0.
    pub preempt_delay_us: u64,
    /// How long to listen before the election can make us Active, after being enabled and after the
    /// interface comes up, at most 4,294 seconds; default 0.
    pub start_delay_us: u64,
    /// The time between repeated announcements, at most 4,294 seconds; default 5 seconds.
    pub announce_repeat_us: u64,
    /// Announce again at this period for as long as we are Active; 0 (default): never.
    pub announce_refresh_us: u64,
    /// The virtual addresses, at least one, all of the family of the virtual router.
    pub addresses: *const vrrp_virtual_address,
    /// How many.
    pub addresses_len: usize,
    /// Unicast peers. None (default): advertise to the multicast group.
    pub peers: *const vrrp_address,
    /// How many. Addresses, peers and `source` together fit `VRRP_MAX_ADDRESSES`.
    pub peers_len: usize,
    /// Objects that move the priority.
    pub tracks: *const vrrp_track,
    /// How many: up to `VRRP_MAX_TRACKS`.
    pub tracks_len: usize,
    /// The address to advertise from, one of the interface's own: that it is there is for you to know.
    /// Of family 0 (default): the one that `vrrp_interface` has.
    pub source: vrrp_address,
    /// How VRRPv2 advertisements of other addresses than ours are treated: `VRRP_ADDRESSES_WARN`
    /// (default) or `VRRP_ADDRESSES_STRICT`.
    pub address_check: u8,
    /// The choice of a Backup whose Active router is silent while a host answers for the first address:
    /// `VRRP_CONFLICT_TAKE_OVER` (default) or `VRRP_CONFLICT_WAIT`. It hears of answers by
    /// `vrrp_handle_claim()`.
    pub on_conflict: u8,
    /// How many of the addresses, counted from the last, are served but not advertised; default 0. At
    /// least one has to be left.
    pub unadvertised: u8,
    /// Not 0: the addresses are advertised and nothing else: not served, announced or asked for; default
    /// 0. With VRRPv2 alone there may then be no address.
    pub advertise_only: u8,
    /// The multicast group to advertise to and to hear; of family 0 (default): 224.0.0.18 or ff02::12. To
    /// join another one is for you: no `VRRP_OUTPUT_SET_GROUP` comes. Without effect beside peers.
    pub group: vrrp_address,
    /// Zero.
    pub reserved: [u8; 2],
}

/// Where a VRRP message came from, when you hand over the IP payload alone.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_packet {
    /// sizeof(struct vrrp_packet).
    pub size: u32,
    /// The interface that it arrived on.
    pub ifindex: u32,
    /// The source of the IP packet.
    pub source: vrrp_address,
    /// Its destination, of the same family.
    pub destination: vrrp_address,
    /// Its TTL or hop limit on arrival.
    pub ttl: u8,
    /// Not 0: `source_mac` is known.
    pub has_source_mac: u8,
    /// The source MAC.
    pub source_mac: [u8; 6],
    /// Zero.
    pub reserved: [u8; 2],
}

/// One thing for you to do, or to know. Fields that a kind does not name are zero.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_output {
    /// Set it to sizeof(struct vrrp_output). On return: the octets that were filled in, no more than that.
    pub size: u32,
    /// The virtual router.
    pub key: vrrp_key,
    /// One of `VRRP_OUTPUT_*`, which say what is to be done.
    pub kind: u8,
    /// Of `SET_*`: 1 take up, install, join; 0 give up, remove, leave.
    pub on: u8,
    /// Of `SET_ADDRESS`: 1 when packets to the address are for this host.
    pub accept: u8,
    /// Of `TRANSMIT`: one of `VRRP_FRAME_*`.
    pub frame_kind: u8,
    /// Of `TRANSMIT`: the length of the Ethernet frame in the buffer, without padding and FCS.
    pub frame_len: u32,
    /// Of `TRANSMIT`: where the IP header begins (for ARP: the ARP packet).
    pub ip_offset: u16,
    /// Of `TRANSMIT`: where the VRRP or ICMPv6 message begins (for ARP: the ARP packet).
    pub payload_offset: u16,
    /// Of `SET_MAC`: the virtual MAC.
    pub mac: [u8; 6],
    /// Of `SET_ADDRESS`: the address and its prefix.
    pub address: vrrp_virtual_address,
    /// Of `TRANSMIT`, for a unicast advertisement: the destination. Its Ethernet destination is left
    /// zero for you to fill in, or send the IP packet instead. Family 0: not unicast.
    pub unicast: vrrp_address,
    /// Of `STATE_CHANGE`: the state before, as last reported; one of `VRRP_STATE_*`.
    pub from: u8,
    /// Of `STATE_CHANGE`: the state now.
    pub to: u8,
    /// Of `STATE_CHANGE`: why, one of `VRRP_REASON_*`.
    pub reason: u8,
    /// Of `STATE_CHANGE`: the router whose advertisement, or whose silence, decided it; else family 0.
    pub peer: vrrp_peer,
}

/// A virtual router as it stands.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_status {
    /// Set it to sizeof(struct vrrp_status). On return: the octets that were filled in, no more than that.
    pub size: u32,
    /// The virtual router.
    pub key: vrrp_key,
    /// One of `VRRP_STATE_*`.
    pub state: u8,
    /// Why it is in that state: one of `VRRP_REASON_*`.
    pub reason: u8,
    /// 1: the administrator has enabled it.
    pub enabled: u8,
    /// 1: it has said that it stops and serves on until the successor is heard.
    pub handing_over: u8,
    /// Since when it is in that state.
    pub since_us: u64,
    /// 1: it has resigned and will not preempt until it has been Active again or its priority is set.
    pub resigned: u8,
    /// The versions that it speaks: one of `VRRP_V*`.
    pub version: u8,
    /// The priority that it advertises: configured, overridden, and moved by tracked objects.
    pub priority: u8,
    /// The priority without the effect of tracked objects.
    pub base_priority: u8,
    /// Our own interval in centiseconds.
    pub advert_interval_cs: u16,
    /// The interval that the down timer counts: learned from the Active router in VRRPv3.
    pub active_interval_cs: u16,
    /// When the Active router was last heard.
    pub active_last_heard_us: u64,
    /// The Active router last heard. Family 0: none since we started to listen, and then every
    /// `active_` field but the interval is zero.
    pub active: vrrp_peer,
    /// 2 or 3.
    pub active_version: u8,
    /// The interval that it advertised, in centiseconds.
    pub active_advert_interval_cs: u16,
    /// 1: `active_mac` is known.
    pub active_has_mac: u8,
    /// The source MAC of its advertisements.
    pub active_mac: [u8; 6],
    /// 1: its address list differed from ours.
    pub active_address_mismatch: u8,
    /// 1: its interval differed from ours.
    pub active_interval_mismatch: u8,
    /// 1: the advertisement that the checksum form was last learned from had a pseudo-header.
    pub pseudo_header: u8,
    /// 1: an object that it tracks with `VRRP_TRACK_STAND_BACK` is down, so every other router is to serve
    /// rather than this one. As Active it advertises priority 1 and offers the addresses again and again.
    pub standing_back: u8,
}

/// Counters of one virtual router since it was inserted. They wrap. See also `vrrp_drops()`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_statistics {
    /// Set it to sizeof(struct vrrp_statistics). On return: the octets that were filled in, no more than that.
    pub size: u32,
    /// Times that it became Active.
    pub active_transitions: u32,
    /// Valid advertisements received.
    pub adverts_received: u32,
    /// Advertisements sent.
    pub adverts_sent: u32,
    /// Priority 0 received.
    pub priority_zero_received: u32,
    /// Priority 0 sent.
    pub priority_zero_sent: u32,
    /// Gratuitous ARPs and unsolicited neighbour advertisements sent.
    pub announcements_sent: u32,
    /// Effects that were reported as failed or undone.
    pub effect_failures: u32,
    /// Timers that were handled more than an interval late: this host stalled.
    pub stalls: u32,
    /// Advertisements that lost against us while we were Active.
    pub losing_adverts: u32,
    /// VRRPv3/IPv4 advertisements whose checksum covered the message only (RFC 9568).
    pub checksum_plain: u32,
    /// VRRPv3/IPv4 advertisements whose checksum covered a pseudo-header (RFC 5798).
    pub checksum_pseudo: u32,
}

/// A key for signed advertisements.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vrrp_auth_key {
    /// The secret, 32 to 64 octets. The library copies it: wipe yours when the call has returned.
    pub secret: *const u8,
    /// How many octets.
    pub secret_len: usize,
    /// Its id, 1 to 255, which is sent with each advertisement.
    pub id: u8,
}

impl core::fmt::Debug for vrrp_auth_key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "vrrp_auth_key({}, ..)", self.id)
    }
}

/// How a virtual router signs advertisements and verifies them (HMAC-SHA-256 in a trailer of 28 octets,
/// draft-cassen-vrrp-auth-hmac). Set all of it to zero and `size`, then `active_key` and `keys` at least.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct vrrp_auth {
    /// sizeof(struct vrrp_auth).
    pub size: u32,
    /// One of `VRRP_AUTH_MODE_RECEIVE_ONLY`, `VRRP_AUTH_MODE_PERMISSIVE` and `VRRP_AUTH_MODE_ENFORCE`. A wrong signature is
    /// refused in each.
    pub mode: u8,
    /// `VRRP_REPLAY_TIME` or `VRRP_REPLAY_MONOTONIC`.
    pub replay: u8,
    /// How far in seconds the clock of a sender may be from ours, 1 to 300; 0: 5 seconds, which is enough
    /// for intervals of up to a second.
    pub window_s: u16,
    /// The id of the key to sign with, one of `keys`.
    pub active_key: u8,
    /// Zero.
    pub reserved: [u8; 7],
    /// The keys.
    pub keys: *const vrrp_auth_key,
    /// How many: 1 to `VRRP_MAX_AUTH_KEYS`.
    pub keys_len: usize,
}

/// The authentication of a virtual router as it stands.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_auth_status {
    /// Set it to sizeof(struct vrrp_auth_status). On return: the octets that were filled in, no more than that.
    pub size: u32,
    /// As in `vrrp_auth`.
    pub mode: u8,
    /// As in `vrrp_auth`.
    pub replay: u8,
    /// In seconds.
    pub window_s: u16,
    /// The id of the key to sign with.
    pub active_key: u8,
    /// The ids of the keys; 0: none.
    pub keys: [u8; 4],
    /// 1: the wall clock was last said to be synchronised.
    pub synchronised: u8,
    /// 1: the clock is not known to be right. A Backup takes over two intervals late and does not preempt.
    pub waits_for_clock: u8,
    /// 1: `held_by` and `held_skew_s` are there.
    pub is_held: u8,
    /// The seconds by which the clock of `held_by` is ahead of ours.
    pub held_skew_s: i32,
    /// The peer that is present although its advertisements are refused as stale: a Backup whose clock
    /// is not synchronised does not take over from it.
    pub held_by: vrrp_address,
    /// Advertisements that were believed for their signature. It wraps.
    pub signed_received: u32,
    /// Advertisements without a signature, believed or not. It wraps.
    pub bare_received: u32,
}

/// A router that was heard by a virtual router with keys.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct vrrp_auth_sender {
    /// The source of its advertisements.
    pub address: vrrp_address,
    /// 1: its last advertisement was signed, rightly or not.
    pub is_signed: u8,
    /// The key id of the last signature that was right; 0: there was none.
    pub key_id: u8,
    /// 1: `skew_s` is known.
    pub has_skew: u8,
    /// The seconds by which its clock is ahead of ours, below zero if it is behind.
    pub skew_s: i32,
    /// Why an advertisement was refused last by the rules of signatures, one of `VRRP_DROP_AUTH_*`; 0: none
    /// was.
    pub refusal: i32,
    /// How many advertisements were believed. It wraps.
    pub believed: u32,
    /// How many were refused by the rules of signatures. It wraps.
    pub refused: u32,
    /// When it was heard last, believed or not.
    pub last_heard_us: u64,
    /// When the last one was refused.
    pub refused_at_us: u64,
}

/// The answer of a call: `VRRP_OK` or above, or an error.
pub(crate) type Answer = Result<c_int, c_int>;

macro_rules! plain {
    ($($name:ident)*) => {$(
        // SAFETY: numbers and pointers, of which any octets are one.
        unsafe impl Plain for $name {}
    )*};
}

plain!(vrrp_address vrrp_virtual_address vrrp_key vrrp_peer vrrp_interface vrrp_track);
plain!(vrrp_config vrrp_packet vrrp_output vrrp_status vrrp_statistics);
plain!(vrrp_auth vrrp_auth_key vrrp_auth_status vrrp_auth_sender);
sized! {
    vrrp_auth up to keys_len;
    vrrp_auth_status up to bare_received;
    vrrp_interface up to reserved;
    vrrp_packet up to reserved;
    vrrp_output up to peer;
    vrrp_status up to pseudo_header;
    vrrp_statistics up to checksum_pseudo;
}

// SAFETY: its first field is `size: u32`.
unsafe impl Sized32 for vrrp_config {
    const FIRST: usize = size_up_to(offset_of!(Self, tracks_len), |whole: &Self| {
        &whole.tracks_len
    });

    fn defaults() -> Self {
        Self::with_defaults(size_of::<Self>() as u32)
    }
}
