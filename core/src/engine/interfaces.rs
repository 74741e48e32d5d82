//! The interfaces as the port described them, and their group memberships.

use crate::status::InterfaceState;
use crate::types::Family;

/// An interface.
#[derive(Clone)]
pub(super) struct Interface {
    pub(super) ifindex: u32,
    pub(super) state: InterfaceState,
    memberships: [Membership; 2],
}

/// The membership of one family's group.
#[derive(Clone, Copy, Default)]
pub(super) struct Membership {
    /// Virtual routers that need it.
    pub(super) users: u16,
    /// The port was told to join.
    pub(super) joined: bool,
}

impl Interface {
    /// An interface that was never described: it is down.
    pub(super) fn new(ifindex: u32) -> Self {
        Self {
            ifindex,
            state: InterfaceState::default(),
            memberships: [Membership::default(); 2],
        }
    }

    pub(super) fn membership(&mut self, family: Family) -> &mut Membership {
        let [v4, v6] = &mut self.memberships;
        match family {
            Family::Ipv4 => v4,
            Family::Ipv6 => v6,
        }
    }
}
