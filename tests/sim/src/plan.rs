//! The plan of a simulation: the network, and the operations on it with their times. A seed makes a plan; a plan
//! can also be written by hand.

use vrrp_core::{Family, VrKey, Vrid};

use crate::config::Config;
use crate::lan::{Micros, Noise};

/// A virtual router of a segment, which several hosts may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// The segment.
    pub lan: usize,
    /// Its identifier there.
    pub vrid: u8,
    /// Its family.
    pub family: Family,
}

impl Group {
    /// The key by which every host knows it: interface `lan + 1`.
    pub fn key(&self) -> VrKey {
        VrKey {
            ifindex: self.lan as u32 + 1,
            vrid: Vrid::new(self.vrid.max(1)).unwrap_or_else(|| unreachable!("not 0")),
            family: self.family,
        }
    }
}

/// An operator's call to a virtual router of a host.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "as the engine's calls of these names")]
pub enum Admin {
    Insert(Box<Config>),
    Reconfigure(Box<Config>),
    Enable(bool),
    Remove,
    Priority(Option<u8>),
    Resign,
    /// Somebody takes the MAC away.
    UndoMac,
    /// Somebody removes an address, by its place in the list.
    UndoAddress(usize),
    /// The membership is lost.
    UndoGroup,
}

/// A disturbance of a host.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The daemon stops running; the kernel goes on to answer for what is installed.
    Freeze,
    /// The whole host stops running.
    Suspend,
    /// It runs on.
    Thaw,
    /// The host loses its power and all that it knew.
    Crash,
    /// It comes back with the configuration that it had.
    Restart,
    /// The carrier of the interface on a segment.
    Carrier(usize, bool),
    /// The address that advertisements come from. `None`: there is none.
    Source(usize, Option<u8>),
    /// A tracked object goes down or up.
    Track(u16, bool),
    /// So many effects of a million fail.
    Effects(u64),
    /// It wakes up to so much later than it asked for.
    Late(Micros),
    /// Its wall clock is stepped to so many microseconds ahead of true time, and says that it is
    /// synchronised or not.
    Clock(i64, bool),
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// To a virtual router (the index of its group) of a host.
    Admin(usize, usize, Admin),
    /// To a host.
    Fault(usize, Fault),
    /// Both directions of a link of a segment, or that which one of its ends sends.
    Cut(usize, usize, Option<usize>),
    /// A link works again.
    Mend(usize, usize),
    /// The noise of the links of a segment.
    Noise(usize, Noise),
    /// Frames are sent by a stranger: so many, made from a seed.
    Intrude(usize, u32, u64),
    /// An attacker at the client's place, who has recorded everything that it heard and has no key, sends
    /// so many frames, made from a seed. Unlike a stranger's they disturb nothing.
    Attack(usize, u32, u64),
    /// Everything works again: links, hosts, effects, tracked objects.
    Heal,
    /// By now everything must have come to rest, as the protocol says.
    Expect,
}

/// A network and its story.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Decides what is left to chance on the way.
    pub seed: u64,
    /// How many hosts, each on every segment.
    pub hosts: usize,
    /// For each segment how many switches there are in a row; hosts are spread over them, and a
    /// client is at the last.
    pub lans: Vec<usize>,
    /// The virtual routers.
    pub groups: Vec<Group>,
    /// How fast each host's clock runs, in millionths more than true time.
    pub drift: Vec<i64>,
    /// How far each host's wall clock is ahead of true time, in microseconds.
    pub skew: Vec<i64>,
    /// How often a client asks each address.
    pub ask_every: Micros,
    /// The operations with their times, in order.
    pub ops: Vec<(Micros, Op)>,
    /// When the story ends.
    pub end: Micros,
}

impl Plan {
    /// The same story with these operations only.
    pub fn with_ops(&self, ops: Vec<(Micros, Op)>) -> Plan {
        Plan {
            ops,
            ..self.clone()
        }
    }

    /// The operations, one a line.
    pub fn story(&self) -> String {
        let mut text = String::new();
        let head = format!(
            "{} hosts, switches {:?}, groups {:?}\n",
            self.hosts, self.lans, self.groups
        );
        text.push_str(&head);
        for (at, op) in &self.ops {
            text.push_str(&format!("  at {:>14.6} s {op:?}\n", *at as f64 / 1e6));
        }
        text
    }
}
