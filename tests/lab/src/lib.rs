//! The lab: hosts, a hub and cables made from the network stacks of one machine, on which VRRP daemons are run,
//! disturbed, measured and listened to. The stories are in the folder `tests`, the programs in `src/bin`.
//!
//! Hosts on one segment, as in the paper: a hub, cables, servers, a client.
//!
//! ```no_run
//! use vrrp_lab::{Lab, Segment};
//!
//! let lab = Lab::new(Segment::Hub);
//! let clarinet = lab.host("clarinet", 6); // 10.10.10.6/24 and fd00:10::6/64 on xl0
//! let jimbob = lab.host("jimbob", 5);
//! clarinet.serve();
//! assert_eq!(jimbob.ask("10.10.10.6").as_deref(), Some("clarinet"));
//! clarinet.pull_cable();
//! assert_eq!(jimbob.ask("10.10.10.6"), None);
//! ```
//!
//! On Linux a host is a network namespace, held by a file descriptor of this process; on FreeBSD it
//! is a jail with a network stack of its own, held by a process that ends with this one. Nothing of
//! the machine's own network is touched, and nothing is left however the process ends. Several labs
//! may exist at once.

#[cfg(feature = "firmware")]
pub mod board;
#[cfg(target_os = "linux")]
pub mod built;
#[cfg(target_os = "linux")]
pub mod c;
pub mod capture;
#[cfg(target_os = "linux")]
pub mod clock;
pub mod conform;
pub mod daemons;
pub mod decode;
#[cfg(target_os = "freebsd")]
pub mod freebsd;
pub mod host;
#[cfg(target_os = "linux")]
pub mod linux;
pub mod nic;
pub mod output;
pub mod pair;
pub mod probe;
#[cfg(target_os = "linux")]
pub mod services;
pub mod sys;
pub mod vr;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

#[cfg(feature = "firmware")]
pub use board::Board;
pub use capture::{Capture, Seen, Tap};
pub use daemons::{Daemon, Program};
pub use host::{Host, INTERFACE};
pub use nic::Nic;
pub use pair::Pair;
pub use probe::{Probe, Report};
pub use vr::Vr;

#[cfg(target_os = "freebsd")]
use freebsd as system;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(target_os = "linux")]
pub use linux::netns;

/// How many times longer things may take than on a machine that has Linux's own speed: FreeBSD may
/// well be emulated.
pub const PATIENCE: u32 = if cfg!(target_os = "linux") { 1 } else { 4 };

/// How many times longer a story waits for something on this machine: [`PATIENCE`], times the variable
/// `VRRP_LAB_PATIENCE` for a machine that is slow or busy.
pub fn patience() -> u32 {
    static FACTOR: LazyLock<u32> = LazyLock::new(|| {
        let Ok(text) = std::env::var("VRRP_LAB_PATIENCE") else {
            return 1;
        };
        let factor = text.parse().ok().filter(|factor| *factor > 0);
        factor.unwrap_or_else(|| {
            panic!("VRRP_LAB_PATIENCE: expected a number from 1, found `{text}`")
        })
    });
    PATIENCE * *FACTOR
}

/// How often a scenario probes, times a second.
pub const HZ: u32 = 500 / PATIENCE;

/// The shortest advertisement interval that a scenario uses, in centiseconds.
pub const INTERVAL_CS: u16 = 20 * PATIENCE as u16;

/// Sleeps for `time` (times [`PATIENCE`]).
pub fn pause(time: Duration) {
    std::thread::sleep(time * PATIENCE);
}

/// The device that joins the cables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A hub: every frame goes to every other port.
    Hub,
    /// A switch that learns where MACs live and floods multicast.
    Switch,
    /// A switch that also sends multicast only where it was asked for, and asks.
    #[cfg(target_os = "linux")]
    SnoopingSwitch,
    /// Two learning switches and a trunk between them, the first host at the one, all others at
    /// the other.
    TwoSwitches,
}

/// One segment and the hosts on it.
#[derive(Debug)]
pub struct Lab {
    hub: Arc<system::Hub>,
    net: u8,
    dir: Arc<WorkDir>,
    hosts: Cell<u32>,
}

/// The `net` of the first segment: 10.10.10.0/24 and fd00:10::/64, as in the paper.
const FIRST_NET: u8 = 10;

impl Lab {
    /// Makes a segment without hosts.
    ///
    /// # Panics
    ///
    /// When the process may not make network stacks; the message says what to do.
    pub fn new(segment: Segment) -> Self {
        Self {
            hub: Arc::new(system::Hub::new(segment)),
            net: FIRST_NET,
            dir: Arc::new(WorkDir::new()),
            hosts: Cell::new(0),
        }
    }

    /// Makes another segment, for hosts of its own and for further interfaces of hosts that exist
    /// ([`Host::join`]). Its subnets are 10.10.`net`.0/24 and fd00:`net`::/64 (decimal digits).
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn segment(&self, segment: Segment, net: u8) -> Self {
        Self {
            hub: Arc::new(system::Hub::new(segment)),
            net,
            dir: self.dir.clone(),
            hosts: Cell::new(0),
        }
    }

    /// Adds a host: interface `xl0`, plugged in, 10.10.10.`number`/24 and fd00:10::`number`/64
    /// (the number in decimal digits), MAC 02:00:0a:0a:0a:`number`. The third octet of address and
    /// MAC, and the second group of the IPv6 address, are those of the segment.
    pub fn host(&self, name: &str, number: u8) -> Host {
        self.hosts.set(self.hosts.get() + 1);
        let nic = Nic::new(name, INTERFACE, self, number);
        Host::new(name, nic, self.dir.clone())
    }

    /// Adds a microcontroller, plugged in and turned off: 10.10.10.`number`/24, MAC
    /// 02:00:0a:0a:0a:`number`.
    #[cfg(feature = "firmware")]
    pub fn board(&self, name: &str, number: u8) -> Board {
        self.hosts.set(self.hosts.get() + 1);
        Board::new(name, number, self.hub.clone(), self.dir.clone())
    }

    /// Begins to listen to everything that comes in on any port of the hub.
    pub fn capture(&self) -> Capture {
        Capture::start(&self.hub)
    }

    /// Begins to show `take` everything that comes in on any port of the hub, and keeps nothing.
    pub fn tap(&self, take: impl FnMut(Seen, &[u8]) + Send + 'static) -> Tap {
        Tap::start(&self.hub, take)
    }

    /// Has its switches forget a MAC that they have not heard for so long.
    ///
    /// # Panics
    ///
    /// When the segment is a [`Segment::Hub`], which learns nothing.
    #[cfg(target_os = "linux")]
    pub fn set_ageing(&self, time: Duration) {
        self.hub.set_ageing(time);
    }

    /// Cuts the trunk between the two switches. No host loses its carrier.
    ///
    /// # Panics
    ///
    /// When the segment is not [`Segment::TwoSwitches`].
    pub fn cut_trunk(&self) {
        self.hub.set_trunk(false);
    }

    /// Undoes [`cut_trunk`](Self::cut_trunk).
    ///
    /// # Panics
    ///
    /// When the segment is not [`Segment::TwoSwitches`].
    pub fn mend_trunk(&self) {
        self.hub.set_trunk(true);
    }

    /// Divides a hub: hosts in different groups no longer hear one another, and no carrier is
    /// lost. A host in no group hears everyone. FreeBSD's bridge can divide groups of one host only.
    ///
    /// # Panics
    ///
    /// When the segment is not [`Segment::Hub`].
    pub fn partition(&self, groups: &[&[&Host]]) {
        let names: Vec<Vec<&str>> = groups
            .iter()
            .map(|group| group.iter().map(|host| host.name()).collect())
            .collect();
        self.hub.partition(&names);
    }

    /// Drops the advertisements of one host to another, and nothing else, as a firewall or IGMP snooping
    /// does, until [`heal`](Self::heal).
    #[cfg(target_os = "linux")]
    pub fn drop_advertisements(&self, from: &Host, to: &Host) {
        self.hub.drop_advertisements(from.name(), to.name());
    }

    /// Undoes [`partition`](Self::partition).
    pub fn heal(&self) {
        self.hub.heal();
    }

    /// A folder for files of this lab, removed with it.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

/// The paper's network: two servers, a client, an eight port hub.
#[derive(Debug)]
pub struct PaperNetwork {
    /// The preferred server, 10.10.10.6. Declared before the lab, so that it goes first.
    pub clarinet: Host,
    /// The backup server, 10.10.10.2.
    pub fridge: Host,
    /// The client, 10.10.10.5.
    pub jimbob: Host,
    /// The segment.
    pub lab: Lab,
}

impl PaperNetwork {
    /// Builds it, with a service on both servers that tells the host's name.
    pub fn new(segment: Segment) -> Self {
        let lab = Lab::new(segment);
        let network = Self {
            clarinet: lab.host("clarinet", 6),
            fridge: lab.host("fridge", 2),
            jimbob: lab.host("jimbob", 5),
            lab,
        };
        network.clarinet.serve();
        network.fridge.serve();
        network
    }
}

/// Waits until `condition` holds, looking every 10 ms.
///
/// # Panics
///
/// When it does not hold within `limit` (times [`patience()`]); the message names `what` was waited for.
pub fn wait_until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    let (start, limit) = (Instant::now(), limit * patience());
    while !condition() {
        assert!(
            start.elapsed() < limit,
            "waited {:.1} s in vain: {what}",
            limit.as_secs_f64()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A folder that lives as long as whoever holds it.
#[derive(Debug)]
pub(crate) struct WorkDir(PathBuf);

impl WorkDir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vrrp-lab-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("create the folder of the lab");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // Nothing depends on it; a failure leaves small files in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
