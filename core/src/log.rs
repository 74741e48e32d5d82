//! The log messages of the engine, for `defmt`, for `log`, or for no logger.

use core::net::IpAddr;

use crate::gate::Discard;
use crate::output::{Reason, State};
use crate::types::{MacAddr, VrKey};
use crate::verdict::DropReason;

/// A state changed.
#[allow(unused_variables)] // Without a log nobody reads them.
pub(crate) fn state_changed(key: VrKey, from: State, to: State, reason: Reason) {
    #[cfg(feature = "defmt")]
    defmt::info!("{}: {} -> {}: {}", key, from, to, reason);
    #[cfg(feature = "log")]
    log::info!(
        "interface {} VRID {} {}: {from} -> {to}: {reason}",
        key.ifindex,
        key.vrid,
        key.family
    );
}

/// A packet was discarded.
#[allow(unused_variables)] // Without a log nobody reads them.
pub(crate) fn packet_dropped(ifindex: u32, reason: DropReason) {
    #[cfg(feature = "defmt")]
    defmt::debug!("interface {}: packet discarded: {}", ifindex, reason);
    #[cfg(feature = "log")]
    log::debug!("interface {ifindex}: packet discarded: {reason}");
}

/// A frame did not pass the gate.
#[allow(unused_variables)] // Without a log nobody reads them.
pub(crate) fn frame_discarded(reason: Discard) {
    #[cfg(feature = "defmt")]
    defmt::debug!("frame discarded: {}", reason);
    #[cfg(feature = "log")]
    log::debug!("frame discarded: {reason}");
}

/// A neighbour answers our own MAC and is not heard at a virtual one.
#[allow(unused_variables)] // Without a log nobody reads them.
pub(crate) fn virtual_mac_unheard(address: IpAddr, neighbour: IpAddr, mac: MacAddr) {
    #[cfg(feature = "defmt")]
    defmt::warn!(
        "answered {} for {}, and heard no frame to {}, though it answers our own MAC: does the device \
         filter MACs? Let it receive this one, or use MacMode::Interface",
        address,
        neighbour,
        mac
    );
    #[cfg(feature = "log")]
    log::warn!(
        "answered {address} for {neighbour}, and heard no frame to {mac}, though it answers our own \
         MAC: does the device filter MACs? Let it receive this one, or use MacMode::Interface"
    );
}
