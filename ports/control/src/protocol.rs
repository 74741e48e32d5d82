//! Requests and answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::history::{Log, Notice, Record, Since};
use crate::words::{Family, OverrideKind, State, Versions};

/// The number of the form of the answers. It rises when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// A request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Request {
    /// How every virtual router stands.
    Status,
    /// The masters of each virtual router seen on the segments.
    Who,
    /// The counters.
    Stats,
    /// A line for each record of the history, from now on or from an earlier one on, until the client
    /// hangs up.
    Events(Since),
    /// The records of the history.
    Log(Since),
    /// How a check stands.
    Check {
        /// Its name.
        name: String,
        /// Whether it is to be run now. The answer does not wait for that: the steps have come when
        /// `explained` has risen.
        #[serde(default)]
        run: bool,
    },
    /// Read the configuration file again.
    Reload,
    /// Tell what [`Reload`](Request::Reload) would change, and change nothing.
    Compare,
    /// Tell the configuration that is in force, a line in each message, without passwords.
    Config,
    /// Advertise another priority than the configured one.
    SetPriority {
        /// Which virtual router.
        #[serde(flatten)]
        which: Which,
        /// 1 to 255. `None`: the configured one again.
        priority: Option<u8>,
        /// When it ends, and why it is given.
        #[serde(flatten)]
        terms: Terms,
    },
    /// Have every other host serve rather than this one, until it is taken back.
    Drain {
        /// Which virtual router.
        #[serde(flatten)]
        which: Which,
        /// When it ends, and why it is given.
        #[serde(flatten)]
        terms: Terms,
        /// Seconds for which a master lets TCP connections end before it leaves. `None`: it leaves at once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        wait_s: Option<u32>,
    },
    /// Take a drain back.
    Undrain(Which),
    /// Stay as it is: a better host is no reason to move, on either side.
    Hold {
        /// Which virtual router.
        #[serde(flatten)]
        which: Which,
        /// When it ends, and why it is given.
        #[serde(flatten)]
        terms: Terms,
    },
    /// Take a hold back.
    Release(Which),
    /// Move a virtual router that is master here to another host, once.
    Failover(Which),
    /// Move a virtual router here whose master has a lower priority, once.
    Failback(Which),
    /// Take back everything that these requests have changed.
    Default(Which),
    /// Cease to be master, in favour of whoever is there, and do not take over again.
    Resign(Which),
    /// Take part again.
    Enable(Which),
    /// Stop gracefully, until enabled again.
    Disable(Which),
}

impl Request {
    /// Whether it changes something: for root and the daemon's own user only.
    pub const fn is_admin(&self) -> bool {
        !matches!(
            self,
            Request::Status
                | Request::Who
                | Request::Stats
                | Request::Events(_)
                | Request::Log(_)
                | Request::Check { run: false, .. }
        )
    }

    /// The virtual routers that it is to change. `None`: it concerns none in particular.
    pub const fn which(&self) -> Option<&Which> {
        match self {
            Request::SetPriority { which, .. }
            | Request::Drain { which, .. }
            | Request::Hold { which, .. }
            | Request::Undrain(which)
            | Request::Release(which)
            | Request::Failover(which)
            | Request::Failback(which)
            | Request::Default(which)
            | Request::Resign(which)
            | Request::Enable(which)
            | Request::Disable(which) => Some(which),
            Request::Status
            | Request::Who
            | Request::Stats
            | Request::Events(_)
            | Request::Log(_)
            | Request::Check { .. }
            | Request::Reload
            | Request::Compare
            | Request::Config => None,
        }
    }
}

/// When an override ends by itself, and why it was given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// The seconds for which it is given. `None`: until it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<u64>,
    /// The reason: at most 200 octets without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A virtual router, as far as it must be named to be the only one meant; or several at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Which {
    /// The VRID. 0: unused, as with `all` and `names`.
    #[serde(default)]
    pub vrid: u8,
    /// Further VRIDs. When one of them is not found nothing is done to any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<u8>,
    /// Names of virtual routers, in the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Every virtual router, of the interface and family where these are named.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Needed when several interfaces have the VRID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Needed when the VRID exists in both families.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Who`].
    Who(Vec<Seen>),
    /// To [`Request::Stats`].
    Stats(Stats),
    /// The request was carried out.
    Done {
        /// Remarks on it.
        messages: Vec<String>,
    },
    /// To [`Request::Events`]: the stream begins.
    Events {
        /// The number of the next event.
        next: u64,
    },
    /// To [`Request::Check`].
    Check(Check),
    /// To [`Request::Log`].
    Log(Log),
    /// A record: a change of state.
    Event(Event),
    /// A record: a check has changed its state.
    CheckEvent(CheckEvent),
    /// A record: something else happened.
    Notice(Notice),
    /// Records that are not remembered any more: they were asked for too late, or this client did not
    /// take them in time.
    Dropped {
        /// How many.
        count: u64,
    },
    /// The request was refused, and nothing was changed.
    Error {
        /// Why.
        message: String,
        /// Each thing that was wrong, where there are several.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        details: Vec<String>,
    },
}

impl From<Record> for Answer {
    fn from(record: Record) -> Self {
        match record {
            Record::Event(event) => Answer::Event(event),
            Record::CheckEvent(event) => Answer::CheckEvent(event),
            Record::Notice(notice) => Answer::Notice(notice),
        }
    }
}

impl Answer {
    /// A refusal for one reason.
    pub fn error(message: impl Into<String>) -> Self {
        Answer::Error {
            message: message.into(),
            details: Vec::new(),
        }
    }
}

/// The daemon and its virtual routers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`] of the daemon; 0: it is older than the number.
    #[serde(default)]
    pub schema: u32,
    /// The version of vrrpd.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How long it has been running.
    pub uptime_s: f64,
    /// Times that its worker process has ended unexpectedly since then.
    #[serde(default)]
    pub worker_crashes: u64,
    /// The configuration file.
    pub file: String,
    /// It is stopping.
    pub stopping: bool,
    /// The virtual routers.
    pub virtual_routers: Vec<VirtualRouter>,
    /// Warnings that belong to no virtual router, in words.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The checks.
    #[serde(default)]
    pub checks: Vec<Check>,
}

/// The synchronisation group of a virtual router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The state that all its members have reached last.
    pub state: State,
    /// The state that they are to reach.
    pub wanted: State,
    /// For how long it is in its state.
    pub since_s: f64,
    /// Why, in words.
    pub reason: String,
    /// Its members, in words, in the order in which their elections count.
    pub members: Vec<String>,
    /// Whether the virtual router would be master, and waits for the others.
    pub waits: bool,
    /// The members that would not be master, for which those that would be wait, each with its cause in
    /// words.
    #[serde(default)]
    pub obstacles: Vec<String>,
}

/// How a check stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// The question: the key that the file has for it.
    pub kind: String,
    /// Its state, by `fall` and `rise`.
    pub passing: bool,
    /// For how long.
    pub since_s: f64,
    /// The last answer, in words. `None`: there was none yet.
    pub answer: Option<String>,
    /// Whether that answer was good. `None`: there is none, or it was not judged because this host was
    /// busy.
    pub passed: Option<bool>,
    /// How long that answer took.
    pub took_s: Option<f64>,
    /// How long ago it was told. The same answer again is told every 10 s.
    pub age_s: Option<f64>,
    /// How long an answer may take.
    pub timeout_s: f64,
    /// How often it was asked, as far as was told.
    pub runs: u64,
    /// The virtual routers that name it.
    pub used_by: usize,
    /// How many runs that were asked for have been answered.
    pub explained: u64,
    /// The steps of the last of those, in words.
    pub steps: Vec<String>,
}

/// A check that a virtual router names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsedCheck {
    /// Its name.
    pub name: String,
    /// The effect on the virtual router while it fails: `stand-back` or `fault`; or its weight, as
    /// `-50` or `+20`.
    pub effect: String,
    /// Its state.
    pub passing: bool,
}

/// How a virtual router stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VirtualRouter {
    /// The VRID.
    pub vrid: u8,
    /// The name that the file gives it.
    #[serde(default)]
    pub name: Option<String>,
    /// The synchronisation group that it is a member of.
    #[serde(default)]
    pub group: Option<Group>,
    /// The interface.
    pub interface: String,
    /// The family of its addresses.
    pub family: Family,
    /// Its state.
    pub state: State,
    /// For how long.
    pub since_s: f64,
    /// Why, in words.
    pub reason: String,
    /// Why, in a word that does not change, as the metrics have it.
    #[serde(default)]
    pub cause: String,
    /// The priority that it advertises.
    pub priority: u8,
    /// The priority without the effect of tracked objects.
    pub base_priority: u8,
    /// The priority that the file says.
    pub configured_priority: u8,
    /// The priority that vrrpctl has put in its place.
    pub priority_override: Option<u8>,
    /// The sum that gives the priority, the first term being what objects move.
    #[serde(default)]
    pub terms: Vec<Term>,
    /// The overrides that vrrpctl has given.
    #[serde(default)]
    pub overrides: Vec<GivenOverride>,
    /// Whether the administrator lets it take part.
    pub enabled: bool,
    /// It was told to resign and does not preempt.
    pub resigned: bool,
    /// It has said that it stops, and serves until the successor is heard.
    pub handing_over: bool,
    /// A check fails by which it stands back: every other host is to serve rather than this one.
    pub standing_back: bool,
    /// It is being removed.
    pub leaving: bool,
    /// The versions that it speaks.
    pub version: Versions,
    /// Our own interval.
    pub interval_s: f64,
    /// The silence after which the master counts as dead.
    pub down_interval_s: f64,
    /// The address that we advertise from. `None`: the interface has none.
    pub source: Option<String>,
    /// The router last heard as master, other than we. `None`: never heard one.
    pub peer: Option<Peer>,
    /// The virtual addresses, with prefix lengths.
    pub addresses: Vec<String>,
    /// The routes that come and go with them, in the words of ip-route(8).
    #[serde(default)]
    pub routes: Vec<String>,
    /// The policy rules that come and go with them, in the words of ip-rule(8).
    #[serde(default)]
    pub rules: Vec<String>,
    /// The MAC that serves them.
    pub mac: String,
    /// Whether that is the virtual MAC.
    pub virtual_mac: bool,
    /// The interface that carries it. `None`: the interface itself.
    pub mac_interface: Option<String>,
    /// The interface is up and has carrier.
    pub interface_up: bool,
    /// There is no such interface.
    #[serde(default)]
    pub interface_missing: bool,
    /// Whether it takes over from a master of lower priority that is well.
    #[serde(default)]
    pub preempt: bool,
    /// How long it leaves such a master alone.
    #[serde(default)]
    pub preempt_delay_s: f64,
    /// The rest of that, while such a master is heard. `None`: none is.
    #[serde(default)]
    pub preempt_left_s: Option<f64>,
    /// How long it only listens after a start.
    #[serde(default)]
    pub start_delay_s: f64,
    /// The rest of that. `None`: it is over.
    #[serde(default)]
    pub start_left_s: Option<f64>,
    /// The unicast peers; empty with multicast.
    #[serde(default)]
    pub peers: Vec<String>,
    /// The form of the checksum of VRRPv3 over IPv4: `auto`, `rfc9568` or `rfc5798`.
    #[serde(default)]
    pub checksum: String,
    /// The objects that it tracks, checks among them.
    #[serde(default)]
    pub tracked: Vec<TrackedObject>,
    /// The checks that it names.
    #[serde(default)]
    pub checks: Vec<UsedCheck>,
    /// Faults, in words.
    pub warnings: Vec<String>,
    /// Notes in words: worth knowing, and perhaps not wrong.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Routers that advertise it now and are refused.
    #[serde(default)]
    pub refused_peers: usize,
    /// A host that answers for the first address although no advertisement of it is heard.
    #[serde(default)]
    pub conflict: Option<Conflict>,
    /// The second path, and what it tells of other routers. `None`: there is none.
    #[serde(default)]
    pub heartbeat: Option<Heartbeat>,
    /// The first refused routers, as many as warnings name.
    #[serde(default)]
    pub refused: Vec<RefusedPeer>,
    /// The event scripts that have run.
    #[serde(default)]
    pub scripts: Vec<Script>,
    /// Routers that are master of it now, as far as they are heard: this host, and others that are
    /// accepted or refused.
    #[serde(default)]
    pub masters: usize,
    /// The last packet for it that was refused.
    pub last_rejected: Option<Rejected>,
    /// Its signatures and those of others. `None`: it has no keys.
    #[serde(default)]
    pub auth: Option<Auth>,
}

/// The signatures of a virtual router with keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Auth {
    /// `receive-only`, `permissive` or `enforce`.
    pub mode: String,
    /// `time` or `monotonic`.
    pub anti_replay: String,
    /// The seconds by which clocks may differ.
    pub window_s: u16,
    /// The ids of the keys.
    pub keys: Vec<u8>,
    /// The id of the key that signs.
    pub active_key: u8,
    /// The kernel was told that the clock is right.
    pub synchronised: bool,
    /// The clock is not known to be right: it takes over late, and from no master.
    pub waits_for_clock: bool,
    /// The peer with another clock beside which it stays backup.
    pub held_by: Option<String>,
    /// Advertisements that were believed for their signature. It wraps at 2^32.
    pub signed_received: u32,
    /// Advertisements without a signature, believed or not. It wraps at 2^32.
    pub bare_received: u32,
    /// Nothing that was heard stands in the way of `enforce` on all hosts.
    pub ready: bool,
    /// The obstacles to that, in words.
    pub obstacles: Vec<String>,
    /// The routers that were heard since it has keys.
    pub senders: Vec<AuthSender>,
    /// Peers of a unicast group that were never heard since.
    pub unheard: Vec<String>,
}

/// A router that was heard by a virtual router with keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AuthSender {
    /// Its address.
    pub address: String,
    /// Whether its last advertisement was signed, rightly or not.
    pub signed: bool,
    /// The id of the key of its last signature that was right. `None`: there was none.
    pub key_id: Option<u8>,
    /// The seconds by which its clock is ahead of ours, below zero if it is behind. `None`: no right
    /// signature has told.
    pub skew_s: Option<i32>,
    /// How long ago it was heard.
    pub last_heard_s: f64,
    /// Why an advertisement was last refused, as in the counters.
    pub refusal: Option<String>,
    /// How long ago that was.
    pub refused_s: Option<f64>,
    /// Advertisements that were believed. It wraps at 2^32.
    pub believed: u32,
    /// Advertisements that were refused for their signature, or for having none. It wraps at 2^32.
    pub refused: u32,
}

/// The second path of a virtual router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its interface.
    pub interface: String,
    /// The comparison of both paths: one of [`Heartbeat::STATES`].
    pub state: String,
    /// The other router that the state is about.
    pub peer: Option<String>,
    /// The priority that it advertised last.
    pub priority: Option<u8>,
    /// The time since that was heard, on the path that hears it.
    pub last_heard_s: Option<f64>,
}

impl Heartbeat {
    /// The states: `down`, the second interface is; `silent`, no other master is heard there nor missed;
    /// `both`, one is heard on both paths; `missed`, on the interface of the virtual router alone; `cut`, on
    /// the second path alone; `one-way`, on both, and it does not hear this host; `frozen`, the master fell
    /// silent on both and its address is answered for; `dead`, it fell silent on both.
    pub const STATES: [&str; 8] = [
        "down", "silent", "both", "missed", "cut", "one-way", "frozen", "dead",
    ];
}

/// A host that has a virtual address, and is not heard as a router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The address.
    pub address: String,
    /// The MAC that it answers with.
    pub mac: String,
    /// Whether this host stays backup for as long as it answers (`onconflict = wait`).
    #[serde(default)]
    pub waits: bool,
}

/// A tracked object of a virtual router.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedObject {
    /// The object in words: an interface, a virtual router or a check.
    pub what: String,
    /// Its effect: `stand-back` or `fault` while it is down; or the weight while it is down, as `-50`, or
    /// up, as `+20`.
    pub effect: String,
    /// Its state.
    pub up: bool,
}

/// A term of the sum that gives a priority.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// The value.
    pub value: i32,
    /// Where it is from, in words.
    pub what: String,
}

/// An override of a virtual router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GivenOverride {
    /// Its effect.
    pub kind: OverrideKind,
    /// The priority that it sets.
    pub priority: Option<u8>,
    /// The other member of the synchronisation group that it was given for. `None`: it was given for this
    /// virtual router.
    #[serde(default)]
    pub member: Option<String>,
    /// The number of the user who has given it.
    pub uid: u32,
    /// The name of that user, where it is known: that of the user of vrrpd, if that is not root.
    #[serde(default)]
    pub user: Option<String>,
    /// When it was given, in milliseconds since 1970.
    pub time_ms: u64,
    /// The time until it ends by itself. `None`: it does not.
    pub left_s: Option<f64>,
    /// Why it was given.
    pub reason: Option<String>,
    /// A drain that waits for connections to end: the time until it no longer does.
    pub wait_left_s: Option<f64>,
    /// TCP connections of the addresses, as long as it waits for them and they can be counted.
    pub connections: Option<u64>,
}

/// Another router of a virtual router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Peer {
    /// Its address.
    pub address: String,
    /// Its priority; 0: it has stopped.
    pub priority: u8,
    /// The source MAC of its advertisements.
    pub mac: Option<String>,
    /// 2 or 3.
    pub version: u8,
    /// Its interval.
    pub interval_s: f64,
    /// How long ago it was last heard.
    pub last_heard_s: f64,
}

/// A router whose advertisements are refused now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedPeer {
    /// Its address.
    pub address: String,
    /// Why, as in the counters.
    pub reason: String,
}

/// An event script that has run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The key of the configuration that names it.
    pub name: String,
    /// Its exit status when it last ran. `None`: a signal ended it, or it could not be run.
    pub exit: Option<i32>,
    /// The time that it took.
    pub took_s: f64,
    /// How often it has ended.
    pub runs: u64,
    /// How often it has failed.
    pub failures: u64,
}

/// A packet that was refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rejected {
    /// Why, as in the counters.
    pub reason: String,
    /// The sender's address.
    pub source: Option<String>,
    /// How long ago.
    pub age_s: f64,
    /// How many since the start.
    pub count: u64,
}

/// A router that is, or lately was, master of a virtual router on a segment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// The interface that it is heard on.
    pub interface: String,
    /// The VRID.
    pub vrid: u8,
    /// The name that the file gives it, where it is configured here.
    #[serde(default)]
    pub name: Option<String>,
    /// The family of its addresses.
    pub family: Family,
    /// Its address.
    pub address: String,
    /// The source MAC of its advertisements.
    pub mac: String,
    /// Its priority; 0: it has stopped.
    pub priority: u8,
    /// 2 or 3.
    pub version: u8,
    /// Its interval.
    pub interval_s: f64,
    /// The virtual addresses that it advertises.
    pub addresses: Vec<String>,
    /// How long ago it was last heard.
    pub last_heard_s: f64,
    /// It has stopped or fallen silent, unless `deaf` is set.
    pub stale: bool,
    /// It is not heard, and no virtual router of this host listens there: those that do not take part do
    /// not. It may advertise still.
    #[serde(default)]
    pub deaf: bool,
    /// The virtual router is configured here.
    pub ours: bool,
    /// Copies of its advertisements are heard on the second path of a virtual router of this host.
    #[serde(default)]
    pub heartbeat: bool,
    /// It is this host.
    pub is_self: bool,
    /// Its advertisements are refused: why, in words.
    #[serde(default)]
    pub refused: Option<String>,
}

/// Counters. Names are those of draft-ietf-rtgwg-vrrp-rfc8347bis where it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// For each virtual router.
    pub virtual_routers: Vec<VrStats>,
    /// Discarded packets by interface and reason, whichever virtual router they were of.
    pub interfaces: BTreeMap<String, BTreeMap<String, u64>>,
    /// For each check.
    #[serde(default)]
    pub checks: Vec<CheckStats>,
    /// TCP connections that were reset, as their address was given up in a planned move.
    #[serde(default)]
    pub connections_reset: u64,
    /// Routes and rules of virtual routers that another program had removed and that were installed again.
    #[serde(default)]
    pub routing_restored: u64,
    /// How late timers were handled.
    #[serde(default)]
    pub timer_late: TimerLate,
    /// How often the configuration was read again.
    #[serde(default)]
    pub reloads: Reloads,
}

/// How late timers were handled: a histogram.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimerLate {
    /// The bounds, in microseconds.
    pub bounds_us: Vec<u64>,
    /// Timers that were at most as late as the bound of the same place, and later than that before it;
    /// in the last place those that were later than all bounds.
    pub counts: Vec<u64>,
    /// The sum of all delays, in microseconds.
    pub sum_us: u64,
}

/// How often the configuration was read again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloads {
    /// With success.
    pub accepted: u64,
    /// In vain.
    pub refused: u64,
    /// Whether the last one succeeded; the start counts as one.
    pub last_accepted: bool,
}

impl Default for Reloads {
    fn default() -> Self {
        Self {
            accepted: 0,
            refused: 0,
            last_accepted: true,
        }
    }
}

/// Changes to one state for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The state that was entered.
    pub to: State,
    /// Why, as the `cause` of the status.
    pub cause: String,
    /// How often.
    pub count: u64,
}

/// Numbers of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckStats {
    /// Its name.
    pub name: String,
    /// Its state.
    pub passing: bool,
    /// How long the last answer took, in microseconds; 0: there was none yet.
    pub took_us: u64,
    /// How often it was asked, as far as was told.
    pub runs: u64,
    /// How often its state has changed.
    pub changes: u64,
}

/// Counters of one virtual router. They wrap at 2^32.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VrStats {
    /// The VRID.
    pub vrid: u8,
    /// The name that the file gives it.
    #[serde(default)]
    pub name: Option<String>,
    /// The interface.
    pub interface: String,
    /// The family of its addresses.
    pub family: Family,
    /// Whether it is master now.
    pub master: bool,
    /// By name.
    pub counters: BTreeMap<String, u64>,
    /// Discarded packets by reason; those that occurred.
    pub drops: BTreeMap<String, u64>,
    /// Changes of state; those that occurred.
    #[serde(default)]
    pub transitions: Vec<Transition>,
}

/// A change of state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts from 1 at the daemon's first start. A gap means that records were dropped.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The VRID.
    pub vrid: u8,
    /// The name that the file gives it.
    #[serde(default)]
    pub name: Option<String>,
    /// The interface.
    pub interface: String,
    /// The family of its addresses.
    pub family: Family,
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why, in words.
    pub reason: String,
    /// The other router that decided it.
    pub peer: Option<String>,
}

/// A change of a check's state. Its number is one of those of [`Event`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckEvent {
    /// Counts from 1 at the daemon's first start. A gap means that records were dropped.
    pub seq: u64,
    /// When, in milliseconds since 1970.
    pub time_ms: u64,
    /// The check.
    pub name: String,
    /// Its state now.
    pub passing: bool,
    /// The last answer, in words.
    pub answer: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_look_as_documented() {
        let parse = |text: &str| serde_json::from_str::<Request>(text).ok();
        assert_eq!(parse(r#"{"command":"status"}"#), Some(Request::Status));
        let which = Which {
            vrid: 7,
            interface: Some("eth0".into()),
            ..Which::default()
        };
        assert_eq!(
            parse(r#"{"command":"set-priority","vrid":7,"interface":"eth0","priority":200}"#),
            Some(Request::SetPriority {
                which: which.clone(),
                priority: Some(200),
                terms: Terms::default(),
            })
        );
        assert_eq!(
            parse(r#"{"command":"resign","vrid":7,"interface":"eth0"}"#),
            Some(Request::Resign(which))
        );
        for bad in [
            "",
            "{}",
            r#"{"command":"resign","vrid":256}"#,
            r#"{"command":"shout"}"#,
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn answers_name_their_kind() {
        let text = serde_json::to_string(&Answer::error("no")).expect("JSON");
        assert_eq!(text, r#"{"error":{"message":"no"}}"#);
        let text = serde_json::to_string(&Answer::Events { next: 3 }).expect("JSON");
        assert_eq!(text, r#"{"events":{"next":3}}"#);
    }
}
