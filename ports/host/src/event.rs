//! The events of a host for its user.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use vrrp_core::{
    AdvertInterval, DropReason, InterfaceState, MacAddr, Peer, Priority, Reason, State, Status,
    VirtualAddress,
};

use crate::config::VrId;
use crate::report::{GroupReason, GroupWhy};

/// The reason of a change of state, with the numbers of that moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Why {
    /// The engine's reason.
    pub reason: Reason,
    /// The router that decided it, or whose silence did.
    pub peer: Option<Peer>,
    /// The priority that we had.
    pub priority: Priority,
    /// The silence after which the Active router counted as dead.
    pub down_interval: Duration,
    /// The wish that [`Reason::Disabled`] stands for.
    pub ended: Ended,
    /// The synchronisation group that decided it, where nothing of the virtual router itself did: another
    /// member is the cause.
    pub group: Option<GroupReason>,
}

impl Why {
    pub(crate) fn new(status: &Status, reason: Reason, peer: Option<Peer>, ended: Ended) -> Self {
        Self {
            reason,
            peer,
            priority: status.priority,
            down_interval: status.down_interval.into(),
            ended,
            group: None,
        }
    }

    /// Names the group that decided the change.
    pub(crate) fn of_group(self, group: Option<GroupReason>) -> Self {
        Self { group, ..self }
    }
}

/// The wishes by which a virtual router ends, all of which the engine calls [`Reason::Disabled`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ended {
    /// The administrator disabled it.
    #[default]
    Disabled,
    /// It is not in the configuration any more.
    Removed,
    /// The configuration changed so much that it is made anew.
    Replaced,
    /// The whole host shuts down.
    ShuttingDown,
}

/// Something that happened.
///
/// Kinds that a network can provoke are limited in rate. When a user does not keep up, changes of
/// state of one virtual router are merged into one, and the rest is dropped and counted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A virtual router changed its state; what the new state needs has been performed.
    StateChange {
        /// The virtual router.
        id: VrId,
        /// The state before.
        from: State,
        /// The state now.
        to: State,
        /// Why, with the numbers of that moment.
        why: Why,
        /// Its addresses.
        addresses: Vec<VirtualAddress>,
    },
    /// A synchronisation group changed its state, and its members have followed.
    Group {
        /// Its name.
        name: Arc<str>,
        /// The state before; of a group that is new Initialize.
        from: State,
        /// The state now.
        to: State,
        /// Why.
        why: GroupWhy,
        /// The priority that its first member advertises.
        priority: Option<Priority>,
    },
    /// A synchronisation group is not in the configuration any more.
    GroupRemoved {
        /// Its name.
        name: Arc<str>,
    },
    /// A watched interface changed, or is reported for the first time.
    Interface {
        /// Its name.
        name: String,
        /// Its state now.
        state: InterfaceState,
    },
    /// Packets were discarded (V-15). Told at once for the first, then at most once a minute for
    /// each interface, VRID and reason.
    Rejected {
        /// The interface that they came in by.
        interface: String,
        /// The source of the last of them, where it could be read.
        source: Option<IpAddr>,
        /// The VRID, where it could be read.
        vrid: Option<u8>,
        /// Why.
        reason: DropReason,
        /// How many since this was last told.
        count: u64,
    },
    /// The operating system refused something, or somebody undid what we had installed. It will be
    /// tried again. The same text is told at most once a minute.
    Problem {
        /// The virtual router that suffers, where one does.
        id: Option<VrId>,
        /// The attempt and its result.
        text: String,
    },
    /// A router of the same virtual router advertises another interval than ours (V-13).
    IntervalMismatch {
        /// The virtual router.
        id: VrId,
        /// The other router.
        peer: IpAddr,
        /// Our interval.
        ours: AdvertInterval,
        /// Its interval.
        theirs: AdvertInterval,
    },
    /// A router of the same virtual router advertises other addresses than ours (V-14).
    AddressMismatch {
        /// The virtual router.
        id: VrId,
        /// The other router.
        peer: IpAddr,
        /// Our addresses.
        ours: Vec<IpAddr>,
        /// Its addresses.
        theirs: Vec<IpAddr>,
    },
    /// Another router claims, as we do, to own the addresses: both have priority 255 (G-2, S-15).
    DualOwner {
        /// The virtual router.
        id: VrId,
        /// The other router.
        peer: IpAddr,
    },
    /// We are Active, and a router that should give way to us goes on advertising: it does not hear
    /// us, refuses what it hears, or belongs to somebody else who uses the same VRID.
    Contested {
        /// The virtual router.
        id: VrId,
        /// The other router.
        peer: Peer,
    },
    /// The Active router is silent, and a host that is not heard answers for the first address. Either the
    /// Active router lives and is cut off in one direction, or it died and left the address behind.
    Unheard {
        /// The virtual router.
        id: VrId,
        /// The address that was asked for.
        address: IpAddr,
        /// The MAC that answered.
        mac: MacAddr,
    },
    /// We stay Active, and another router that was Active, too, is silent, and so has given way, if it is not
    /// just cut off: a network that was divided has healed. Whatever the other did meanwhile outside of this host may have to be done again.
    Healed {
        /// The virtual router.
        id: VrId,
        /// The other router.
        peer: Peer,
        /// No advertisement of it came for so long.
        silence: Duration,
        /// Its addresses.
        addresses: Vec<VirtualAddress>,
    },
    /// This host would take over from an Active router that is well, and holds back until
    /// [`Host::set_prepared`](crate::Host::set_prepared) says that it is ready: see
    /// [`VrSpec::prepares`](crate::VrSpec::prepares).
    Prepare {
        /// The virtual router.
        id: VrId,
        /// The router to take over from.
        peer: Peer,
        /// The priority of this host.
        priority: Priority,
        /// Its addresses.
        addresses: Vec<VirtualAddress>,
    },
    /// The host was not run in time: a timer was handled this late (T-7).
    Stalled {
        /// How late.
        late: Duration,
    },
    /// A virtual router that was removed is gone, and everything that it had installed.
    Removed {
        /// The virtual router that was.
        id: VrId,
    },
    /// Events were dropped because they were not fetched.
    Lost {
        /// How many since this was last told.
        count: u64,
    },
}
