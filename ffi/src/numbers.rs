//! Every number of the interface. Numbers are only ever added.

use core::ffi::c_int;

/// The number of this interface: for `vrrp_init()` and `vrrp_host_open()`. It changes when a program
/// that was compiled before would not work any more.
pub const VRRP_ABI: u32 = 2;

/// The version of the header. `vrrp_version()` is that of the library.
pub const VRRP_VERSION_MAJOR: u32 = 0;
/// A minor version adds.
pub const VRRP_VERSION_MINOR: u32 = 1;
/// A patch corrects.
pub const VRRP_VERSION_PATCH: u32 = 0;

/// A deadline that is not set.
pub const VRRP_NEVER: u64 = u64::MAX;

/// It worked.
pub const VRRP_OK: c_int = 0;
/// A pointer is NULL that must not be.
pub const VRRP_ERR_NULL: c_int = -1;
/// The program was compiled with the header of another ABI: compile it again.
pub const VRRP_ERR_ABI: c_int = -2;
/// The storage is smaller than `vrrp_storage_size()`: the library was built with larger capacities
/// than the program. Define them alike, or ask `vrrp_storage_size()`.
pub const VRRP_ERR_STORAGE: c_int = -3;
/// The storage is not aligned to `vrrp_storage_align()`: use `union vrrp_storage` or malloc().
pub const VRRP_ERR_ALIGN: c_int = -4;
/// This is no handle: `vrrp_init()` was not called or has failed.
pub const VRRP_ERR_HANDLE: c_int = -5;
/// The `size` of a struct is too small, or it is larger than this library knows and what is beyond
/// is not zero. Set it to sizeof the struct, and the rest to zero before the fields are filled in.
pub const VRRP_ERR_SIZE: c_int = -6;
/// A field or an argument is none of the values that its description allows.
pub const VRRP_ERR_VALUE: c_int = -7;
/// The buffer is too small. Nothing is lost: call again with a larger one.
pub const VRRP_ERR_BUFFER: c_int = -8;
/// `VRRP_MAX_INTERFACES` interfaces are known already.
pub const VRRP_ERR_INTERFACES_FULL: c_int = -9;
/// `VRRP_MAX_ROUTERS` virtual routers exist already, those that are being removed included.
pub const VRRP_ERR_ROUTERS_FULL: c_int = -10;
/// Addresses and unicast peers together are more than `VRRP_MAX_ADDRESSES`.
pub const VRRP_ERR_ADDRESSES_FULL: c_int = -11;
/// More tracked objects than `VRRP_MAX_TRACKS`.
pub const VRRP_ERR_TRACKS_FULL: c_int = -12;
/// A virtual router with this key exists already, or is still being removed.
pub const VRRP_ERR_EXISTS: c_int = -13;
/// There is no virtual router with this key, or no such interface.
pub const VRRP_ERR_NOT_FOUND: c_int = -14;
/// The interface still has virtual routers: remove them first.
pub const VRRP_ERR_IN_USE: c_int = -15;
/// A virtual router needs at least one address.
pub const VRRP_ERR_NO_ADDRESSES: c_int = -16;
/// An address or peer is of another family than the virtual router, not unicast, given twice, or
/// its prefix is too long.
pub const VRRP_ERR_BAD_ADDRESS: c_int = -17;
/// `VRRP_V2` and `VRRP_V2_AND_V3` exist for IPv4 only.
pub const VRRP_ERR_FAMILY_VERSION: c_int = -18;
/// VRRPv2 needs an interval of whole seconds, VRRPv3 one of at most 40.95 seconds.
pub const VRRP_ERR_BAD_INTERVAL: c_int = -19;
/// A password needs `VRRP_V2`.
pub const VRRP_ERR_AUTH_VERSION: c_int = -20;
/// The MAC mode of a virtual router cannot change: remove it and insert it again.
pub const VRRP_ERR_MAC_MODE_FIXED: c_int = -21;
/// `max_hops` is 0, or above 1 without unicast peers.
pub const VRRP_ERR_BAD_MAX_HOPS: c_int = -22;
/// `preempt_delay_us`, `start_delay_us` or `announce_repeat_us` is longer than 4,294 seconds.
pub const VRRP_ERR_BAD_DELAY: c_int = -23;
/// The engine refused for a reason that this library has no number for.
pub const VRRP_ERR_OTHER: c_int = -24;
/// A gate has no unicast peers: they need a neighbour table.
pub const VRRP_ERR_PEERS: c_int = -25;
/// A library built without the feature `large` advertises from the address of the interface only.
pub const VRRP_ERR_SOURCE: c_int = -26;
/// A key of fewer than 32 or more than 64 octets, with the id 0 or that of another one, or no key with
/// the id `active_key`.
pub const VRRP_ERR_AUTH_KEY: c_int = -27;
/// More keys than `VRRP_MAX_AUTH_KEYS`.
pub const VRRP_ERR_AUTH_KEYS_FULL: c_int = -28;
/// `window_s` is not 0 to 300.
pub const VRRP_ERR_AUTH_WINDOW: c_int = -29;
/// A virtual router has keys or a password, not both.
pub const VRRP_ERR_AUTH_CONFLICT: c_int = -30;
/// `VRRP_REPLAY_MONOTONIC` before `vrrp_set_boot_count()` or `vrrp_set_wall_clock()`.
pub const VRRP_ERR_NO_CLOCK: c_int = -31;
/// The library was built without signed advertisements (the feature `hmac`).
pub const VRRP_ERR_NO_HMAC: c_int = -32;
/// The group is not multicast or of another family, or this engine has the usual one only.
pub const VRRP_ERR_GROUP: c_int = -33;

/// IPv4, as a family. 0 is no family, and an address of family 0 is no address.
pub const VRRP_IPV4: u8 = 4;
/// IPv6, as a family.
pub const VRRP_IPV6: u8 = 6;

/// VRRPv2 (RFC 3768), IPv4 only.
pub const VRRP_V2: u8 = 2;
/// VRRPv3 (RFC 9568).
pub const VRRP_V3: u8 = 3;
/// Both on one VRID, for the time of an upgrade (RFC 9568 section 8.4.2), IPv4 only.
pub const VRRP_V2_AND_V3: u8 = 23;

/// Serve the addresses with the virtual MAC that the RFC prescribes.
pub const VRRP_MAC_VIRTUAL: u8 = 0;
/// Serve them with the interface's own MAC.
pub const VRRP_MAC_INTERFACE: u8 = 1;

/// No authentication.
pub const VRRP_AUTH_NONE: u8 = 0;
/// A password of up to eight octets (RFC 2338), readable by anyone on the segment. Needs `VRRP_V2`.
pub const VRRP_AUTH_SIMPLE: u8 = 1;

/// Does not sign, hears what is signed and what is not: the first of three sweeps over the hosts.
pub const VRRP_AUTH_MODE_RECEIVE_ONLY: u8 = 0;
/// Signs, hears both: the second.
pub const VRRP_AUTH_MODE_PERMISSIVE: u8 = 1;
/// Signs, and hears signed advertisements only.
pub const VRRP_AUTH_MODE_ENFORCE: u8 = 2;

/// An advertisement that was signed longer ago than the window, or whose number is not after the last
/// one, is refused.
pub const VRRP_REPLAY_TIME: u8 = 0;
/// By the number alone, for hosts without a clock: see `vrrp_set_boot_count()`.
pub const VRRP_REPLAY_MONOTONIC: u8 = 1;

/// Keys that one virtual router can have at once.
pub const VRRP_MAX_AUTH_KEYS: usize = 4;
/// Senders that `vrrp_auth_senders()` knows at most.
pub const VRRP_MAX_AUTH_SENDERS: usize = 8;

/// Checksum of VRRPv3 over IPv4: begin with the pseudo-header form, then follow the peers.
pub const VRRP_CHECKSUM_AUTO: u8 = 0;
/// Checksum over the message alone, as RFC 9568 says.
pub const VRRP_CHECKSUM_RFC9568: u8 = 1;
/// Checksum with a pseudo-header, as RFC 5798 was widely read.
pub const VRRP_CHECKSUM_RFC5798: u8 = 2;

/// Two owners of the same addresses elect by address (RFC 9568, erratum 8298).
pub const VRRP_OWNER_ELECT: u8 = 0;
/// An owner discards the advertisements of others, as RFC 9568 was published.
pub const VRRP_OWNER_DISCARD: u8 = 1;

/// A VRRPv2 advertisement with another address list is taken and reported, as in VRRPv3.
pub const VRRP_ADDRESSES_WARN: u8 = 0;
/// It is discarded unless an owner sent it (RFC 3768).
pub const VRRP_ADDRESSES_STRICT: u8 = 1;

/// A Backup takes over from a silent Active router whoever answers for the address.
pub const VRRP_CONFLICT_TAKE_OVER: u8 = 0;
/// It stays Backup until an interval has passed in which nobody answered for the first address.
pub const VRRP_CONFLICT_WAIT: u8 = 1;

/// While the object is down, the virtual router is held in Initialize.
pub const VRRP_TRACK_FAULT: u8 = 0;
/// While the object is down, `delta` is added to the priority.
pub const VRRP_TRACK_WHILE_DOWN: u8 = 1;
/// While the object is up, `delta` is added to the priority.
pub const VRRP_TRACK_WHILE_UP: u8 = 2;
/// While the object is down, the virtual router stands back: see `vrrp_status.standing_back`.
pub const VRRP_TRACK_STAND_BACK: u8 = 3;

/// Tracked objects that one virtual router can name.
pub const VRRP_MAX_TRACKS: usize = 8;

/// Takes no part: disabled, or held back by an interface, a tracked object or a failed effect.
pub const VRRP_STATE_INITIALIZE: u8 = 0;
/// Listens, ready to take over.
pub const VRRP_STATE_BACKUP: u8 = 1;
/// Serves the addresses: the master.
pub const VRRP_STATE_ACTIVE: u8 = 2;

/// Enabled, and everything that it needs is there.
pub const VRRP_REASON_STARTED: u8 = 0;
/// Started as the owner of the addresses.
pub const VRRP_REASON_OWNER: u8 = 1;
/// The Active router was not heard for the Active_Down_Interval, or nobody ever was.
pub const VRRP_REASON_ACTIVE_TIMEOUT: u8 = 2;
/// The Active router gave up being it (priority 0): it stops, resigns or is disabled.
pub const VRRP_REASON_ACTIVE_STOPPED: u8 = 3;
/// The Active router has a lower priority than we, and preemption is on.
pub const VRRP_REASON_PREEMPTED: u8 = 4;
/// A router of higher priority advertises.
pub const VRRP_REASON_HIGHER_PRIORITY: u8 = 5;
/// A router of equal priority and higher address advertises.
pub const VRRP_REASON_HIGHER_ADDRESS: u8 = 6;
/// Told to give up being Active.
pub const VRRP_REASON_RESIGNED: u8 = 7;
/// Disabled or being removed.
pub const VRRP_REASON_DISABLED: u8 = 8;
/// The interface is down or gone.
pub const VRRP_REASON_INTERFACE_DOWN: u8 = 9;
/// The interface has no address to advertise from.
pub const VRRP_REASON_NO_PRIMARY_ADDRESS: u8 = 10;
/// A tracked object that the virtual router cannot do without is down.
pub const VRRP_REASON_TRACKED_FAULT: u8 = 11;
/// The MAC, an address or the group could not be installed.
pub const VRRP_REASON_EFFECT_FAILED: u8 = 12;
/// A tracked object is down that makes it stand back.
pub const VRRP_REASON_STANDS_BACK: u8 = 13;
/// No advertisement within the down interval, and a host that is not heard answers for the address.
pub const VRRP_REASON_ACTIVE_UNHEARD: u8 = 14;

/// Send the frame in the buffer.
pub const VRRP_OUTPUT_TRANSMIT: u8 = 1;
/// Take up (`on`) or give up `mac`, the virtual MAC: receive frames sent to it, and send from it.
pub const VRRP_OUTPUT_SET_MAC: u8 = 2;
/// Begin (`on`) or cease to serve `address`: answer ARP or neighbour solicitations for it, and with
/// `accept` take packets sent to it.
pub const VRRP_OUTPUT_SET_ADDRESS: u8 = 3;
/// Join (`on`) or leave the multicast group of `key.family` on `key.ifindex`: 224.0.0.18 or ff02::12.
pub const VRRP_OUTPUT_SET_GROUP: u8 = 4;
/// The state changed `from`, `to`, for `reason`. Nothing to perform.
pub const VRRP_OUTPUT_STATE_CHANGE: u8 = 5;
/// A virtual router that was to be removed is gone; its key is free.
pub const VRRP_OUTPUT_REMOVED: u8 = 6;

/// A VRRP advertisement.
pub const VRRP_FRAME_ADVERTISEMENT: u8 = 1;
/// A gratuitous ARP for a virtual address.
pub const VRRP_FRAME_GRATUITOUS_ARP: u8 = 2;
/// An unsolicited neighbour advertisement for a virtual address.
pub const VRRP_FRAME_UNSOLICITED_NA: u8 = 3;
/// The answer to an ARP request for a virtual address.
pub const VRRP_FRAME_ARP_REPLY: u8 = 4;
/// The answer to a neighbour solicitation for a virtual address.
pub const VRRP_FRAME_NA_REPLY: u8 = 5;
/// An ARP probe or a neighbour solicitation without a source, from the interface's own MAC: whether
/// somebody has the first virtual address of a silent Active router.
pub const VRRP_FRAME_NEIGHBOR_PROBE: u8 = 6;

/// A valid advertisement for one of our virtual routers.
pub const VRRP_ACCEPTED: c_int = 0;
/// The Ethernet, IPv4 or IPv6 header is cut short or contradicts itself. The first drop reason: the
/// others follow without a gap, to where `vrrp_drop_reason_name()` gives NULL.
pub const VRRP_DROP_BAD_HEADER: c_int = 1;
/// The IPv4 header checksum is wrong.
pub const VRRP_DROP_IP_CHECKSUM: c_int = 2;
/// The packet is a fragment.
pub const VRRP_DROP_FRAGMENT: c_int = 3;
/// It was sent neither to the group nor, for unicast peers, to us.
pub const VRRP_DROP_WRONG_DESTINATION: c_int = 4;
/// TTL or hop limit is not 255, or further away than unicast peers may be.
pub const VRRP_DROP_TTL: c_int = 5;
/// The version is none that this virtual router speaks.
pub const VRRP_DROP_VERSION: c_int = 6;
/// The type is not ADVERTISEMENT.
pub const VRRP_DROP_TYPE: c_int = 7;
/// Shorter than its own address list asks.
pub const VRRP_DROP_LENGTH: c_int = 8;
/// The checksum is wrong.
pub const VRRP_DROP_CHECKSUM: c_int = 9;
/// The VRID is not configured on this interface and family.
pub const VRRP_DROP_UNKNOWN_VRID: c_int = 10;
/// We own the addresses and discard what others advertise.
pub const VRRP_DROP_OWNER: c_int = 11;
/// The address list is empty.
pub const VRRP_DROP_NO_ADDRESSES: c_int = 12;
/// The first IPv6 address is not link-local.
pub const VRRP_DROP_NOT_LINK_LOCAL: c_int = 13;
/// The VRRPv3 interval is zero.
pub const VRRP_DROP_ZERO_INTERVAL: c_int = 14;
/// The VRRPv2 address list is not ours and the sender is not the owner.
pub const VRRP_DROP_ADDRESS_MISMATCH: c_int = 15;
/// The VRRPv2 interval is not ours.
pub const VRRP_DROP_INTERVAL_MISMATCH: c_int = 16;
/// The VRRPv2 authentication type is unknown or not ours.
pub const VRRP_DROP_AUTH_TYPE: c_int = 17;
/// The VRRPv2 password is not ours.
pub const VRRP_DROP_AUTH_FAILURE: c_int = 18;
/// Our own advertisement came back.
pub const VRRP_DROP_OWN_LOOPED_BACK: c_int = 19;
/// The source is none of the unicast peers, or no address that a router can have.
pub const VRRP_DROP_UNKNOWN_PEER: c_int = 20;
/// A VRRPv2 advertisement of a router that also sends VRRPv3.
pub const VRRP_DROP_V2_SHADOWED_BY_V3: c_int = 21;
/// The virtual router is disabled or its interface is down.
pub const VRRP_DROP_NOT_RUNNING: c_int = 22;
/// An advertisement of carp(4), whose `carpver 3` alone is VRRP.
pub const VRRP_DROP_CARP: c_int = 23;
/// It is signed, and this virtual router has no key.
pub const VRRP_DROP_AUTHENTICATION_TRAILER: c_int = 24;
/// It is not signed, and this virtual router hears signed advertisements only.
pub const VRRP_DROP_AUTH_MISSING: c_int = 25;
/// The scheme of its signature is unknown, or reserved octets are not zero.
pub const VRRP_DROP_AUTH_MALFORMED: c_int = 26;
/// It was signed longer ago than the time window, or a clock is wrong.
pub const VRRP_DROP_AUTH_STALE: c_int = 27;
/// It is signed with a key whose id is not known here.
pub const VRRP_DROP_AUTH_UNKNOWN_KEY: c_int = 28;
/// The signature is not that of the key.
pub const VRRP_DROP_AUTH_INVALID_HMAC: c_int = 29;
/// Its number is not after that of the last one: it was recorded and sent again.
pub const VRRP_DROP_AUTH_REPLAY: c_int = 30;
/// A discard that this library has no number for.
pub const VRRP_DROP_OTHER: c_int = 255;
/// Not VRRP: for somebody else, such as the rest of your network stack.
pub const VRRP_NOT_VRRP: c_int = 256;
