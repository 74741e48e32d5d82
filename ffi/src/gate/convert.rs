//! From the values of the gate to the octets of C, and back.

use core::ffi::c_int;
use core::mem::size_of;

use vrrp_core::Vrid;
use vrrp_core::gate::{Action, Addressee, Discard, GateKey};

use super::numbers::*;
use super::types::*;
use crate::convert::{self, Legal};
use crate::numbers::*;

impl Legal<GateKey> for vrrp_gate_key {
    fn legal(&self) -> Result<GateKey, c_int> {
        let vrid = Vrid::new(self.vrid).ok_or(VRRP_ERR_VALUE)?;
        Ok(GateKey::new(vrid, self.family.legal()?))
    }
}

impl From<GateKey> for vrrp_gate_key {
    fn from(key: GateKey) -> Self {
        Self {
            vrid: key.vrid.get(),
            family: convert::family(key.family),
        }
    }
}

/// The number of a discard reason.
pub(super) fn discard(reason: Discard) -> c_int {
    match reason {
        Discard::Truncated => VRRP_GATE_DISCARD_TRUNCATED,
        Discard::OtherStation => VRRP_GATE_DISCARD_OTHER_STATION,
        Discard::MacNotTakenUp => VRRP_GATE_DISCARD_MAC_NOT_TAKEN_UP,
        Discard::ToUnserved => VRRP_GATE_DISCARD_TO_UNSERVED,
        Discard::NotAccepted => VRRP_GATE_DISCARD_NOT_ACCEPTED,
        Discard::BadSolicitation => VRRP_GATE_DISCARD_BAD_SOLICITATION,
        Discard::FromUnserved => VRRP_GATE_DISCARD_FROM_UNSERVED,
        Discard::NoRoom => VRRP_GATE_DISCARD_NO_ROOM,
        _ => VRRP_GATE_DISCARD_OTHER,
    }
}

impl From<Addressee> for vrrp_gate_addressee {
    fn from(addressee: Addressee) -> Self {
        let to = |to| Self {
            to,
            ..Self::default()
        };
        match addressee {
            Addressee::Own => to(VRRP_GATE_TO_OWN),
            Addressee::All => to(VRRP_GATE_TO_ALL),
            Addressee::Virtual(address) => Self {
                to: VRRP_GATE_TO_VIRTUAL,
                address: address.into(),
            },
        }
    }
}

impl vrrp_gate_action {
    /// An action of a kind that names nothing.
    pub(super) fn of_kind(kind: u8) -> Self {
        Self {
            size: size_of::<Self>() as u32,
            kind,
            ..Self::default()
        }
    }
}

impl From<Action<'_>> for vrrp_gate_action {
    fn from(action: Action<'_>) -> Self {
        match action {
            Action::Send(frame) => Self {
                frame_len: frame.len() as u32,
                ..Self::of_kind(VRRP_GATE_SEND)
            },
            Action::SetAddress { key, address, on } => Self {
                key: key.into(),
                on: on.into(),
                address: address.into(),
                ..Self::of_kind(VRRP_GATE_SET_ADDRESS)
            },
            Action::SetFilter => Self::of_kind(VRRP_GATE_SET_FILTER),
            Action::StateChange(change) => Self {
                key: change.key.into(),
                from: convert::state(change.from),
                to: convert::state(change.to),
                reason: convert::reason(change.reason),
                peer: change.peer.map_or_else(Default::default, Into::into),
                ..Self::of_kind(VRRP_GATE_STATE_CHANGE)
            },
            Action::Removed { key } => Self {
                key: key.into(),
                ..Self::of_kind(VRRP_GATE_REMOVED)
            },
        }
    }
}
