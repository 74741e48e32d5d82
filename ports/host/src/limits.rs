//! The size of a host.

use vrrp_core::Engine;

/// Interfaces that can have virtual routers.
pub const MAX_INTERFACES: usize = 64;
/// Virtual routers of one host.
pub const MAX_VIRTUAL_ROUTERS: usize = 1024;
/// Addresses and unicast peers of one virtual router.
pub const MAX_ADDRESSES: usize = 64;

/// The engine, at the size of a host.
pub(crate) type HostEngine = Engine<MAX_INTERFACES, MAX_VIRTUAL_ROUTERS, MAX_ADDRESSES>;

/// The longest frame: an advertisement with [`MAX_ADDRESSES`] IPv6 addresses has 1,086 octets.
pub(crate) const MAX_FRAME: usize = 1536;
