//! Misuse of the engine by its caller.

use core::fmt;

/// Why the engine refused a call. The call changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Error {
    /// `IFS` interfaces are known already.
    InterfaceTableFull,
    /// `VRS` virtual routers exist already.
    VirtualRouterTableFull,
    /// Addresses and unicast peers together are more than `ADDRS`.
    AddressTableFull,
    /// More tracked objects than [`MAX_TRACKS`](crate::MAX_TRACKS).
    TrackTableFull,
    /// A virtual router with this key exists already, or is still being removed.
    Exists,
    /// There is no virtual router with this key, or no such interface.
    NotFound,
    /// The interface still has virtual routers.
    InUse,
    /// No virtual address is left to be advertised; or, without the feature `large`, one is not to be
    /// advertised or not to be served.
    NoAddresses,
    /// An address or peer is not of the virtual router's family, not unicast, given twice, or its
    /// prefix is too long.
    BadAddress,
    /// VRRPv2 and `version = both` exist for IPv4 only.
    FamilyVersion,
    /// VRRPv2 needs an interval of whole seconds, VRRPv3 one of at most 40.95 seconds.
    BadInterval,
    /// A password needs version 2.
    AuthVersion,
    /// The MAC mode cannot change: remove the virtual router and insert it again.
    MacModeFixed,
    /// `max_hops` is 0, or above 1 without unicast peers.
    BadMaxHops,
    /// Unicast peers behind a [`Gate`](crate::gate::Gate), which has no neighbour table to find them.
    NoPeers,
    /// A source beside the interface's own address, without the feature `large`.
    NoSource,
    /// An IPv6 virtual router, without the feature `ipv6`.
    NoIpv6,
    /// A key of fewer than 32 or more than 64 octets, with the id 0 or that of another one, or no key
    /// with the id to sign with.
    BadAuthKey,
    /// More keys than one virtual router can have: four.
    AuthKeyTableFull,
    /// The time window is not 1 to 300 seconds.
    BadAuthWindow,
    /// Keys and a password for one virtual router.
    AuthConflict,
    /// Monotonic numbers, and neither a boot count nor a clock to begin them with.
    NoClock,
    /// The group is not multicast or not of the family; or it is not the RFC's, without the feature
    /// `large` or behind a [`Gate`](crate::gate::Gate).
    BadGroup,
    /// A delay or the interval between announcements is longer than 4,294 seconds.
    BadDelay,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::InterfaceTableFull => "the interface table is full",
            Error::VirtualRouterTableFull => "the table of virtual routers is full",
            Error::AddressTableFull => "too many addresses and peers for one virtual router",
            Error::TrackTableFull => "too many tracked objects for one virtual router",
            Error::Exists => "this virtual router exists already",
            Error::NotFound => "no such virtual router or interface",
            Error::InUse => "the interface still has virtual routers",
            Error::NoAddresses => "a virtual router needs at least one address",
            Error::BadAddress => {
                "an address is of the wrong family, not unicast, given twice, or its prefix is too long"
            }
            Error::FamilyVersion => "VRRPv2 carries IPv4 addresses only",
            Error::BadInterval => {
                "VRRPv2 needs an interval of whole seconds, VRRPv3 one of at most 40.95 seconds"
            }
            Error::AuthVersion => "a password needs VRRPv2",
            Error::MacModeFixed => "the MAC mode of a virtual router cannot change",
            Error::BadMaxHops => "more than one hop needs unicast peers",
            Error::NoIpv6 => "this engine is built without IPv6",
            Error::NoPeers => "unicast peers need a neighbour table, which is not there",
            Error::NoSource => "this build advertises from the address of the interface only",
            Error::BadGroup => "a group is a multicast address of the family, and here perhaps the usual one only",
            Error::BadAuthKey => {
                "a key needs 32 to 64 octets and an id of its own, and the active key has to be one of them"
            }
            Error::AuthKeyTableFull => "more than four keys for one virtual router",
            Error::BadAuthWindow => "a time window is 1 to 300 seconds",
            Error::AuthConflict => "a virtual router has keys or a password, not both",
            Error::NoClock => "monotonic numbers need a boot count or a clock to begin with",
            Error::BadDelay => "a delay is longer than 4,294 seconds",
        })
    }
}

impl core::error::Error for Error {}
