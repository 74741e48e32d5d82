//! From an event of the host to the struct of C.

use std::net::IpAddr;

use ::vrrp_host::wording::{self, Weight};
use ::vrrp_host::{Event, VrId};
use vrrp_core::{AdvertInterval, Peer, Vrid};

use super::message;
use super::numbers::*;
use super::types::*;
use crate::convert;
use crate::types::*;

/// Nothing happened yet.
fn empty() -> vrrp_host_event {
    vrrp_host_event {
        size: size_of::<vrrp_host_event>() as u32,
        kind: VRRP_HOST_EVENT_OTHER,
        level: VRRP_HOST_LEVEL_INFO,
        from: 0,
        to: 0,
        reason: 0,
        up: 0,
        id: vrrp_host_id::default(),
        peer: vrrp_peer::default(),
        drop_reason: 0,
        our_interval_cs: 0,
        their_interval_cs: 0,
        addresses_len: 0,
        their_addresses_len: 0,
        count: 0,
        late_us: 0,
        addresses: [vrrp_virtual_address::default(); VRRP_HOST_MAX_ADDRESSES],
        their_addresses: [vrrp_address::default(); VRRP_HOST_MAX_ADDRESSES],
        text: [0; VRRP_HOST_TEXT_SIZE],
    }
}

/// A trouble of the host as a whole.
pub(crate) fn problem(text: &str) -> vrrp_host_event {
    vrrp_host_event {
        kind: VRRP_HOST_EVENT_PROBLEM,
        level: VRRP_HOST_LEVEL_WARNING,
        text: message::field(text),
        ..empty()
    }
}

/// Converts an event.
pub(crate) fn event(event: &Event) -> vrrp_host_event {
    let about = subject(event);
    let (weight, text) = wording::event(event);
    let mut told = empty();
    told.level = match weight {
        Weight::Warning | Weight::Warned => VRRP_HOST_LEVEL_WARNING,
        Weight::Info => VRRP_HOST_LEVEL_INFO,
    };
    told.text = message::field(&text);
    told.id = about.map_or(told.id, id);
    fill(&mut told, event);
    told
}

/// The virtual router that an event is about.
fn subject(event: &Event) -> Option<&VrId> {
    match event {
        Event::StateChange { id, .. }
        | Event::IntervalMismatch { id, .. }
        | Event::AddressMismatch { id, .. }
        | Event::DualOwner { id, .. }
        | Event::Contested { id, .. }
        | Event::Unheard { id, .. }
        | Event::Removed { id } => Some(id),
        Event::Problem { id, .. } => id.as_ref(),
        _ => None,
    }
}

fn fill(told: &mut vrrp_host_event, event: &Event) {
    let router = |address: IpAddr, priority| Peer { address, priority }.into();
    match event {
        Event::StateChange {
            from,
            to,
            why,
            addresses,
            ..
        } => {
            told.kind = VRRP_HOST_EVENT_STATE_CHANGE;
            told.from = convert::state(*from);
            told.to = convert::state(*to);
            told.reason = convert::reason(why.reason);
            told.peer = why.peer.map_or(told.peer, Into::into);
            told.addresses_len = copy(&mut told.addresses, addresses.iter().map(|a| (*a).into()));
        }
        Event::Interface { name, state } => {
            told.kind = VRRP_HOST_EVENT_INTERFACE;
            told.id.interface = message::field(name);
            told.up = state.up.into();
        }
        Event::Rejected {
            interface,
            source,
            vrid,
            reason,
            count,
        } => {
            told.kind = VRRP_HOST_EVENT_REJECTED;
            told.id.interface = message::field(interface);
            told.id.vrid = vrid.unwrap_or_default();
            told.peer = source.map_or(told.peer, |source| router(source, 0));
            // Below 256.
            told.drop_reason = convert::drop_reason(*reason) as u16;
            told.count = *count;
        }
        Event::Problem { .. } => told.kind = VRRP_HOST_EVENT_PROBLEM,
        Event::IntervalMismatch {
            peer, ours, theirs, ..
        } => {
            told.kind = VRRP_HOST_EVENT_INTERVAL_MISMATCH;
            told.peer = router(*peer, 0);
            told.our_interval_cs = AdvertInterval::as_centis(*ours);
            told.their_interval_cs = AdvertInterval::as_centis(*theirs);
        }
        Event::AddressMismatch {
            peer, ours, theirs, ..
        } => {
            told.kind = VRRP_HOST_EVENT_ADDRESS_MISMATCH;
            told.peer = router(*peer, 0);
            let ours = ours.iter().map(|&address| vrrp_virtual_address {
                address: address.into(),
                prefix_len: 0,
            });
            told.addresses_len = copy(&mut told.addresses, ours);
            let theirs = theirs.iter().map(|&address| address.into());
            told.their_addresses_len = copy(&mut told.their_addresses, theirs);
        }
        Event::DualOwner { peer, .. } => {
            told.kind = VRRP_HOST_EVENT_DUAL_OWNER;
            told.peer = router(*peer, u8::MAX);
        }
        Event::Contested { peer, .. } => {
            told.kind = VRRP_HOST_EVENT_CONTESTED;
            told.peer = (*peer).into();
        }
        Event::Unheard { address, .. } => {
            told.kind = VRRP_HOST_EVENT_UNHEARD;
            let address = vrrp_virtual_address {
                address: (*address).into(),
                prefix_len: 0,
            };
            told.addresses_len = copy(&mut told.addresses, [address].into_iter());
        }
        Event::Stalled { late } => {
            told.kind = VRRP_HOST_EVENT_STALLED;
            told.late_us = vrrp_core::Duration::from(*late).as_micros();
        }
        Event::Removed { .. } => told.kind = VRRP_HOST_EVENT_REMOVED,
        Event::Lost { count } => {
            told.kind = VRRP_HOST_EVENT_LOST;
            told.count = *count;
        }
        _ => {}
    }
}

/// The name of a virtual router for C.
pub(crate) fn id(id: &VrId) -> vrrp_host_id {
    vrrp_host_id {
        interface: message::field(&id.interface),
        vrid: Vrid::get(id.vrid),
        family: convert::family(id.family),
    }
}

/// Copies as many as fit, and counts them.
pub(crate) fn copy<T>(to: &mut [T], from: impl Iterator<Item = T>) -> u16 {
    let mut len = 0;
    for (slot, item) in to.iter_mut().zip(from) {
        *slot = item;
        len += 1;
    }
    len
}
