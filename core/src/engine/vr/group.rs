//! The synchronisation group that a virtual router is a member of, as far as it has to know. Without the
//! feature `groups` it has none: no octet of memory, no code.

use crate::output::Reason;
#[cfg(feature = "groups")]
use crate::output::State;

/// The state of the group.
#[derive(Clone, Copy)]
pub(super) struct Membership {
    /// `None`: it is in no group.
    #[cfg(feature = "groups")]
    state: Option<State>,
}

/// Whether a Backup would be Active but for its group, and why.
#[derive(Clone, Copy)]
pub(super) struct Due {
    #[cfg(feature = "groups")]
    reason: Option<Reason>,
}

#[cfg(feature = "groups")]
impl Membership {
    pub(super) const NONE: Self = Self { state: None };

    pub(super) fn new(state: Option<State>) -> Self {
        Self { state }
    }

    /// Whether it becomes Active with its group alone.
    pub(super) fn waits(self) -> bool {
        matches!(self.state, Some(State::Backup | State::Initialize))
    }

    /// Whether a member cannot take part, and so none does.
    pub(super) fn is_in_fault(self) -> bool {
        self.state == Some(State::Initialize)
    }
}

#[cfg(feature = "groups")]
impl Due {
    pub(super) const NOT: Self = Self { reason: None };

    pub(super) fn to(reason: Reason) -> Self {
        Self {
            reason: Some(reason),
        }
    }

    pub(super) fn is_set(self) -> bool {
        self.reason.is_some()
    }

    /// The reason of becoming Active, if it would.
    pub(super) fn reason(self) -> Option<Reason> {
        self.reason
    }
}

#[cfg(not(feature = "groups"))]
impl Membership {
    pub(super) const NONE: Self = Self {};

    pub(super) fn waits(self) -> bool {
        false
    }

    pub(super) fn is_in_fault(self) -> bool {
        false
    }
}

#[cfg(not(feature = "groups"))]
impl Due {
    pub(super) const NOT: Self = Self {};

    pub(super) fn to(_: Reason) -> Self {
        Self {}
    }

    pub(super) fn is_set(self) -> bool {
        false
    }
}
