//! The facts that a port must know of a virtual router.

use std::net::IpAddr;

use vrrp_core::{MacMode, VirtualAddress, VrKey};

use crate::routing::RoutingItem;

/// The facts that a port must know of a virtual router before it can take part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VrSetup {
    /// The virtual router.
    pub key: VrKey,
    /// Which MAC it answers with.
    pub mac_mode: MacMode,
    /// With [`MacMode::Virtual`]: the virtual MAC is to take the place of the interface's own, of
    /// which there can then be one. A port that cannot do it refuses.
    pub replace_mac: bool,
    /// Whether the host takes packets to its addresses.
    pub accept: bool,
    /// Whether its addresses, but for link-local ones, are on the loopback for as long as it is
    /// prepared, whichever host is Active: services bind them once. There nobody is answered for
    /// them; while this host is Active they are on the interface that carries them, too.
    pub silent: bool,
    /// Whether established TCP connections of an address are reset when it is given up while the
    /// interface of the virtual router is up.
    pub reset_connections: bool,
    /// Its addresses, with the interface that carries each; `None`: the one that carries the MAC.
    /// That one also carries an address that is not listed: the engine gives an IPv6 virtual router
    /// a link-local address when it has none (V-9).
    pub addresses: Vec<(VirtualAddress, Option<String>)>,
    /// Addresses of another family that it serves besides, on an interface of the host and not with the
    /// virtual MAC; `None`: on that of the virtual router.
    pub followers: Vec<(VirtualAddress, Option<String>)>,
    /// Whether advertisements go to unicast peers.
    pub unicast: bool,
    /// The multicast group to hear, if that is not the RFC's and there are no unicast peers.
    pub group: Option<IpAddr>,
    /// The address to advertise from, where one is chosen. The platform warns while its interface does not
    /// have it.
    pub source: Option<IpAddr>,
    /// Routes and rules that are installed while it serves an address, and no longer. One that is there
    /// already, put by somebody else, is left alone; one that the system refuses is tried again, with a
    /// warning, and keeps nothing else from being served.
    pub routing: Vec<RoutingItem>,
}
