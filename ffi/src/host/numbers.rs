//! Every number of the host's interface. Numbers are only ever added.

use core::ffi::c_int;

/// The configuration cannot be had: the message says which field or line, and why.
pub const VRRP_ERR_HOST_CONFIG: c_int = -40;
/// The operating system does not permit it: run as root, or with CAP_NET_ADMIN and CAP_NET_RAW.
pub const VRRP_ERR_HOST_DENIED: c_int = -41;
/// The operating system refused something: the message, or a `VRRP_HOST_EVENT_PROBLEM`, says what.
pub const VRRP_ERR_HOST_SYSTEM: c_int = -42;
/// The handle belongs to another process, of which this one is a fork: it can only be closed here.
pub const VRRP_ERR_HOST_FORKED: c_int = -43;
/// Another call on the handle is under way in another thread: let one thread at a time call.
pub const VRRP_ERR_HOST_BUSY: c_int = -44;
/// The host is shutting down and takes no other configuration.
pub const VRRP_ERR_HOST_STOPPING: c_int = -45;

/// The octets for the name of an interface, its final 0 included.
pub const VRRP_HOST_NAME_SIZE: usize = 16;
/// The octets for an event in words, the final 0 included.
pub const VRRP_HOST_TEXT_SIZE: usize = 512;
/// Addresses and unicast peers of one virtual router, at most. `VRRP_MAX_ADDRESSES` of vrrp.h is
/// about engines of your own.
pub const VRRP_HOST_MAX_ADDRESSES: usize = 64;
/// Virtual routers of one host, at most.
pub const VRRP_HOST_MAX_ROUTERS: usize = 1024;
/// Interfaces with virtual routers, at most.
pub const VRRP_HOST_MAX_INTERFACES: usize = 64;

/// The interface `id.interface`: down while it is not up or does not exist.
pub const VRRP_HOST_OBJECT_INTERFACE: u8 = 1;
/// The virtual router `id` of this host: down while its interface is down, has no address to
/// advertise from, or an effect failed. What it tracks itself does not count.
pub const VRRP_HOST_OBJECT_ROUTER: u8 = 2;
/// An object of yours called `name`: `vrrp_host_set_tracked()` says how it is; up until then.
pub const VRRP_HOST_OBJECT_NAMED: u8 = 3;

/// The virtual router `id` changed its state `from`, `to`, for `reason`; what the new state needs
/// has been done. `peer` decided it, or its silence did. `addresses` are its own.
pub const VRRP_HOST_EVENT_STATE_CHANGE: u8 = 1;
/// The interface `id.interface` changed, or is told for the first time: it is `up` or not.
pub const VRRP_HOST_EVENT_INTERFACE: u8 = 2;
/// `count` packets were discarded for `drop_reason` on `id.interface`, the last one from `peer`;
/// `id.vrid` is 0 where it could not be read. Told at most once a minute for each interface, VRID
/// and reason.
pub const VRRP_HOST_EVENT_REJECTED: u8 = 3;
/// The operating system refused something, or somebody undid what was installed. It is tried again.
/// `text` says what; `id.vrid` is 0 where no virtual router suffers.
pub const VRRP_HOST_EVENT_PROBLEM: u8 = 4;
/// `peer` advertises `their_interval_cs` for `id`, and ours is `our_interval_cs`.
pub const VRRP_HOST_EVENT_INTERVAL_MISMATCH: u8 = 5;
/// `peer` advertises `their_addresses` for `id`, and ours are `addresses`.
pub const VRRP_HOST_EVENT_ADDRESS_MISMATCH: u8 = 6;
/// `peer` claims, as we do, to own the addresses of `id`: both have priority 255.
pub const VRRP_HOST_EVENT_DUAL_OWNER: u8 = 7;
/// We are Active for `id`, and `peer`, which should give way, goes on advertising: it does not hear
/// us, refuses what it hears, or belongs to somebody else with the same VRID.
pub const VRRP_HOST_EVENT_CONTESTED: u8 = 8;
/// `vrrp_host_step()` was called `late_us` too late for a timer.
pub const VRRP_HOST_EVENT_STALLED: u8 = 9;
/// The virtual router `id`, which was to be removed, is gone, and everything that it had installed.
pub const VRRP_HOST_EVENT_REMOVED: u8 = 10;
/// `count` events were dropped because they were not fetched. The last state of a virtual router is
/// never among them.
pub const VRRP_HOST_EVENT_LOST: u8 = 11;
/// The Active router of `id` is silent, and a host that is not heard answers for `addresses`: it is cut
/// off in one direction, or died and left the address behind. `text` has its MAC.
pub const VRRP_HOST_EVENT_UNHEARD: u8 = 12;
/// Something that this library has no number for: `text` says what.
pub const VRRP_HOST_EVENT_OTHER: u8 = 255;

/// Part of ordinary life.
pub const VRRP_HOST_LEVEL_INFO: u8 = 0;
/// Somebody should look.
pub const VRRP_HOST_LEVEL_WARNING: u8 = 1;
