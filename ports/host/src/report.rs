//! The reports of a host: owned copies, for status and logs.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use vrrp_core::{
    AdvertInterval, AuthSender, AuthStatus, DropReason, Family, Instant, InterfaceState, MacAddr,
    MacMode, Priority, State, Statistics, Status, TrackEffect, VrSettings, Vrid,
};

use crate::config::{AddressSpec, Tracked, VrId};
use crate::event::{Ended, Why};
use crate::routing::RoutingItem;
use crate::wording;

/// A virtual router as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VrReport {
    /// Its name.
    pub id: VrId,
    /// State, reason, priority, the Active router last heard.
    pub status: Status,
    /// Why the platform cannot make ready for it: it waits in Initialize, and the platform is asked
    /// again. `None`: the platform is ready.
    pub refused: Option<String>,
    /// Why it is in its state, with the numbers of the moment when it came into it.
    pub why: Why,
    /// The priority of its configuration.
    pub configured_priority: Priority,
    /// The priority that [`Host::set_priority`](crate::Host::set_priority) has put in its place.
    pub priority_override: Option<Priority>,
    /// The objects that it tracks.
    pub tracks: Vec<TrackReport>,
    /// Its settings.
    pub settings: VrSettings,
    /// The name of its synchronisation group. `None`: it is in none.
    pub group: Option<Arc<str>>,
    /// The unicast peers.
    pub peers: Vec<IpAddr>,
    /// It is drained: every other host is to serve rather than this one.
    pub drained: bool,
    /// It takes over from no Active router that is well.
    pub held: bool,
    /// Its counters.
    pub statistics: Statistics,
    /// Its addresses.
    pub addresses: Vec<AddressSpec>,
    /// The routes and rules that come and go with them.
    pub routing: Vec<RoutingItem>,
    /// Which MAC it is configured to serve them with.
    pub mac_mode: MacMode,
    /// The MAC that serves them while it is Active.
    pub mac: MacAddr,
    /// The interface that carries the virtual MAC. `None`: the interface's own MAC is used.
    pub mac_interface: Option<String>,
    /// The state of its interface.
    pub interface: InterfaceState,
    /// The address that it advertises from. `None`: the interface has none.
    pub source: Option<IpAddr>,
    /// It is being removed: stopping, or serving until the successor is heard.
    pub leaving: bool,
    /// The last packet for it that was refused (V-15).
    pub rejected: Option<Rejection>,
    /// Routers that advertise it now and are refused, each for several advertisements.
    pub refused_peers: usize,
    /// The first of these by address, as many as warnings name, and why.
    pub first_refused: Vec<(IpAddr, DropReason)>,
    /// Routers that are master of it now, as far as they are heard: this one, and others that are accepted
    /// or refused. More than one are a split brain.
    pub masters: usize,
    /// The virtual MAC may be rejected on the way: it has been served for a while, no frame has ever
    /// arrived at it, and no other router was heard on the interface.
    pub mac_unreached: bool,
    /// When it takes over from a master of lower priority that is well; `None`: no preempt delay runs.
    pub preempts_at: Option<Instant>,
    /// A host that answers for its first address although no advertisement of it is heard: the master is
    /// cut off in one direction, or died and left the address behind.
    pub holder: Option<Holder>,
    /// Its signatures and those of others. `None`: it has no keys.
    pub auth: Option<AuthReport>,
    /// Its second path, and what that tells. `None`: it has none.
    pub second_path: Option<SecondPath>,
}

/// A synchronisation group as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupReport {
    /// Its name.
    pub name: Arc<str>,
    /// The state that all members have reached last.
    pub state: State,
    /// The state that they are to reach.
    pub wanted: State,
    /// Since when it is in its state.
    pub since: Instant,
    /// Why its state is to be, or became, what it is.
    pub why: GroupWhy,
    /// Its members, in the order in which their elections count.
    pub members: Vec<VrId>,
    /// The members that would not be Active, while the group is Backup: each keeps those that would be
    /// waiting.
    pub obstacles: Vec<(VrId, Status)>,
}

/// A synchronisation group that decided a change of state, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupReason {
    /// The name of the group.
    pub name: Arc<str>,
    /// Why the group is in its state, with the member that is the cause.
    pub why: GroupWhy,
}

impl fmt::Display for GroupReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "group {}: {}", self.name, self.why)
    }
}

/// Why a synchronisation group changed its state.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupWhy {
    /// Every member can take part.
    Started,
    /// Every member would be Active.
    Won,
    /// This member cannot take part.
    Fault(VrId),
    /// This member could not take part, and can again.
    Recovered(VrId),
    /// The administrator has disabled or removed it, or the host stops.
    Stopped(Ended),
    /// A member has lost its election.
    Lost {
        /// The member.
        member: VrId,
        /// The router that has won.
        to: Option<IpAddr>,
    },
}

impl fmt::Display for GroupWhy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupWhy::Started => f.write_str("every member can take part"),
            GroupWhy::Won => f.write_str("every member has won its election"),
            GroupWhy::Stopped(ended) => f.write_str(wording::ended(*ended)),
            GroupWhy::Recovered(member) => write!(f, "{member} could not take part for a moment"),
            GroupWhy::Fault(member) => write!(f, "{member} cannot take part"),
            GroupWhy::Lost {
                member,
                to: Some(to),
            } => write!(f, "{member} is served by {to}"),
            GroupWhy::Lost { member, to: None } => {
                write!(f, "{member} is served by another router")
            }
        }
    }
}

/// The signatures of a virtual router with keys.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthReport {
    /// Settings, clock and counters.
    pub status: AuthStatus,
    /// The routers that were heard since it has keys, by address.
    pub senders: Vec<AuthSender>,
    /// The peers of a unicast group that were never heard since.
    pub unheard: Vec<IpAddr>,
}

impl AuthReport {
    /// The senders that [`AuthMode::Enforce`](vrrp_core::AuthMode::Enforce) would not hear: those whose last
    /// advertisement had no signature.
    pub fn bare(&self) -> impl Iterator<Item = &AuthSender> {
        self.senders.iter().filter(|sender| !sender.signed)
    }

    /// The senders whose last advertisement was signed and refused, and why.
    pub fn refused(&self) -> impl Iterator<Item = (&AuthSender, DropReason)> {
        self.senders.iter().filter_map(|sender| {
            let (reason, at) = sender.refusal?;
            (sender.signed && at == sender.last_heard).then_some((sender, reason))
        })
    }

    /// The senders whose last advertisement was believed for a key that has been taken away since, and its
    /// id.
    pub fn of_keys_that_are_gone(&self) -> impl Iterator<Item = (&AuthSender, u8)> {
        self.senders.iter().filter_map(|sender| {
            let id = sender.key_id.filter(|_| sender.signed)?;
            let is_refused = sender
                .refusal
                .is_some_and(|(_, at)| at == sender.last_heard);
            (!is_refused && !self.status.keys.contains(&id)).then_some((sender, id))
        })
    }
}

/// The second path of a virtual router: see [`VrSpec::heartbeat`](crate::VrSpec::heartbeat).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SecondPath {
    /// The interface of the copies.
    pub interface: String,
    /// The comparison of both paths.
    pub state: PathState,
    /// The other router that the state is about.
    pub peer: Option<IpAddr>,
    /// The priority that it advertised last.
    pub priority: Option<u8>,
    /// When that was, on the path that hears it.
    pub last_heard: Option<Instant>,
}

/// The comparison of the interface of a virtual router with its second path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathState {
    /// The second interface is down or missing.
    Down,
    /// No other master is heard there, nor missed.
    Silent,
    /// Another master is heard on both.
    Both,
    /// The master is heard on the interface of the virtual router and not on the second one.
    Missed,
    /// Another master is heard on the second path and not on the interface of the virtual router.
    Cut,
    /// Another master goes on beside this one and is heard on both: it does not hear us.
    OneWay,
    /// The master fell silent on both, and a host answers for the address.
    Frozen,
    /// The master fell silent on both.
    Dead,
}

impl PathState {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Down,
        Self::Silent,
        Self::Both,
        Self::Missed,
        Self::Cut,
        Self::OneWay,
        Self::Frozen,
        Self::Dead,
    ];

    /// A word that does not change.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Silent => "silent",
            Self::Both => "both",
            Self::Missed => "missed",
            Self::Cut => "cut",
            Self::OneWay => "one-way",
            Self::Frozen => "frozen",
            Self::Dead => "dead",
        }
    }
}

/// A host that was found to have a virtual address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The address.
    pub address: IpAddr,
    /// The MAC that it answers with.
    pub mac: MacAddr,
}

/// A tracked object of a virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrackReport {
    /// The object.
    pub what: Tracked,
    /// The effect of its state.
    pub effect: TrackEffect,
    /// Its state.
    pub up: bool,
}

/// A packet that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// Why.
    pub reason: DropReason,
    /// The source of the packet.
    pub source: IpAddr,
    /// When it came.
    pub at: Instant,
    /// How many were refused for this virtual router, for whatever reason, this one included.
    pub count: u64,
}

/// A router that is, or was, master of a virtual router on one of our segments.
///
/// Two fresh sightings of one virtual router mean two masters.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sighting {
    /// The interface that it is heard on.
    pub interface: String,
    /// The VRID.
    pub vrid: Vrid,
    /// The address family.
    pub family: Family,
    /// The source of its advertisements.
    pub address: IpAddr,
    /// Their source MAC.
    pub mac: MacAddr,
    /// The priority that it advertised last; 0 when it stopped.
    pub priority: u8,
    /// 2 or 3.
    pub version: u8,
    /// The interval that it advertised.
    pub interval: AdvertInterval,
    /// The virtual addresses that it advertised.
    pub addresses: Vec<IpAddr>,
    /// When it was last heard; for ourselves, now.
    pub last_heard: Instant,
    /// How long ago that was.
    pub age: Duration,
    /// It has stopped, or has not been heard for three of its intervals and the longest skew.
    pub stale: bool,
    /// This virtual router is configured here, too.
    pub ours: bool,
    /// It was heard on the second path of a virtual router of ours.
    pub heartbeat: bool,
    /// It is this host.
    pub is_self: bool,
    /// Its advertisements are refused, for this reason: to us it does not exist, and it may be
    /// master beside us.
    pub refused: Option<Refused>,
}

/// The reason why the advertisements of a router are refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// As it is counted.
    pub reason: DropReason,
    /// In words.
    pub text: String,
}

/// How late timers have been handled: a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Lateness {
    /// Timers that were at most as late as the bound of the same place in [`Lateness::BOUNDS`], and later
    /// than the bound before it; in the last place those that were later than all bounds.
    pub counts: [u64; Self::BOUNDS.len() + 1],
    /// The sum of all delays.
    pub sum: Duration,
}

impl Lateness {
    /// The bounds, in microseconds.
    pub const BOUNDS: [u64; 9] = [
        100, 250, 1_000, 2_500, 10_000, 25_000, 100_000, 250_000, 1_000_000,
    ];

    pub(crate) fn note(&mut self, late: vrrp_core::Duration) {
        let micros = late.as_micros();
        let place = Self::BOUNDS.partition_point(|bound| *bound < micros);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum += Duration::from_micros(micros);
    }
}

/// A watched interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InterfaceReport {
    /// Its name.
    pub name: String,
    /// Its state.
    pub state: InterfaceState,
    /// Packets discarded on it, of virtual routers of ours or not: the reasons that occurred, with
    /// their number since it was first watched.
    pub drops: Vec<(DropReason, u64)>,
}

/// The changes of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reload {
    /// Virtual routers that are new.
    pub added: Vec<VrId>,
    /// Virtual routers whose configuration changed.
    pub changed: Vec<VrId>,
    /// Virtual routers that are to go, gracefully: [`Event::Removed`](crate::Event::Removed) follows.
    pub removed: Vec<VrId>,
    /// Virtual routers that were not touched at all.
    pub unchanged: Vec<VrId>,
}

/// A condition that holds now and that an administrator should know of. It ends with its cause.
///
/// The text is the same for as long as the condition lasts, so that two lists can be compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// The part of the configuration that suffers.
    pub about: About,
    /// The condition in words.
    pub text: String,
}

/// The part of the configuration that a [`Warning`] is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// The whole host.
    Host,
    /// A watched interface.
    Interface(String),
    /// A virtual router.
    VirtualRouter(VrId),
}
