//! The platform: what it is made of, and the seam to the host.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::path::PathBuf;

use vrrp_core::{Duration, Failure, Family, Instant, MacAddr, Transmit, VirtualAddress, VrKey};
use vrrp_host::{
    HostFacts, HostIf, Incoming, Platform, PlatformError, PlatformWarning, VrSetup, Waited,
};
use vrrp_port_kit::{Counters, Watched, incoming, ledger};

use crate::abi::*;
use crate::bpf::{self, Record};
use crate::errors::{explain, refused};
use crate::facts::FreebsdFacts;
use crate::graph::Graph;
use crate::ledger::Ledger;
use crate::leftovers;
use crate::links::Links;
use crate::route::{self, Address, Notice};
use crate::router::Router;
use crate::sockets::{BUFFER, Sockets};
use crate::sys::{self, Queue, Ready};

/// The token of the routing socket, above those of interfaces.
const NOTICES: u64 = 1 << 40;
/// The token of the line to another process.
pub(crate) const LINE: u64 = 1 << 41;

/// Serving long after routes have changed the interfaces are looked at.
const ROUTES: Duration = Duration::from_secs(1);
/// Serving often they are looked at in any case: no notice tells of another MAC, or of a bridge that
/// somebody removed.
pub(crate) const NOW_AND_THEN: Duration = Duration::from_secs(5);

/// Serving a platform is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where ledgers are kept: a directory that is empty after a reboot. It is made when missing.
    pub runtime_dir: PathBuf,
}

impl Default for Options {
    /// `/var/run/vrrpd`.
    fn default() -> Self {
        Self {
            runtime_dir: "/var/run/vrrpd".into(),
        }
    }
}

/// What the ledgers of the processes in a jail are called by.
pub(crate) fn place(jail: i32) -> String {
    format!("freebsd-{jail}")
}

pub(crate) fn ledger_system() -> ledger::System {
    ledger::System {
        lock: sys::try_lock,
        careful: libc::O_NOFOLLOW | libc::O_NONBLOCK,
        user: sys::effective_user(),
        is_ending: sys::is_ending,
    }
}

/// VRRP's operating system: the network stack of the jail of the process that opened it.
///
/// Dropping it removes everything that it installed.
#[derive(Debug)]
pub struct FreebsdPlatform {
    pub(crate) queue: Queue,
    /// Whether frames are read here, and not by the process that the devices were given to.
    pub(crate) frames: bool,
    /// When to look at the interfaces again, for what the kernel does not tell.
    pub(crate) look_at: Option<Instant>,
    /// Hears of changes, and takes routes.
    pub(crate) routing: OwnedFd,
    /// Requests about IPv4 and about IPv6. `None`: the kernel does not have that family.
    pub(crate) requests: [Option<OwnedFd>; 2],
    pub(crate) graph: Graph,
    pub(crate) links: Links,
    buffer: Vec<u8>,
    ready: Vec<Ready>,
    /// By the host's handle.
    pub(crate) interfaces: BTreeMap<HostIf, Watched<Sockets>>,
    pub(crate) routers: HashMap<VrKey, Router>,
    /// What is gone and the host has not been told.
    pub(crate) lost: Vec<Failure>,
    pub(crate) ledger: Ledger,
    /// What was odd, or left by a dead process, at the start.
    found: Vec<String>,
    pub(crate) sequence: u32,
    /// Filters and bridges may not be as the routers want them.
    pub(crate) untidy: bool,
    /// Facts may have changed that the host has not been told.
    pub(crate) unsettled: bool,
    pub(crate) counters: Counters,
}

impl FreebsdPlatform {
    /// Opens the platform in the network stack of this process, and removes what a killed process
    /// has left there.
    pub fn open(options: Options) -> Result<Self, PlatformError> {
        let failed = |what: &str| {
            let what = what.to_string();
            move |error| PlatformError::new(what, error)
        };
        if sys::sysctl_number(c"security.jail.jailed").unwrap_or(0) != 0
            && sys::sysctl_number(c"security.jail.vnet").unwrap_or(1) == 0
        {
            let why = "a jail needs a network stack of its own (vnet); without, run it on the host";
            return Err(failed("change the network of this jail")(refused(why)));
        }
        let routing = sys::socket(PF_ROUTE, libc::SOCK_RAW, 0).map_err(failed(
            "open a routing socket (root is needed, in a jail vnet too)",
        ))?;
        // Lost notices are an error, what we write ourselves is no notice; older kernels lack one.
        let _ = sys::set_option_int(&routing, libc::SOL_SOCKET, SO_RERROR, 1);
        let _ = sys::set_option_int(&routing, libc::SOL_SOCKET, libc::SO_USELOOPBACK, 0);
        let _ = sys::set_option_int(&routing, libc::SOL_SOCKET, libc::SO_RCVBUF, 256 * 1024);
        let queue = Queue::new().map_err(failed("make a kqueue"))?;
        let number = NOTICES;
        queue
            .add(&routing, number)
            .map_err(failed("wait on the routing socket"))?;
        let requests = [libc::AF_INET, libc::AF_INET6]
            .map(|domain| sys::socket(domain, libc::SOCK_DGRAM, 0).ok());

        let directory = options.runtime_dir;
        let keeping = format!("keep a ledger in {}", directory.display());
        let jail = sys::jail().map_err(failed("find out the jail"))?;
        let place = place(jail);
        let system = ledger_system();
        let ledger = Ledger::create(&directory, &place, system).map_err(failed(&keeping))?;
        let mut platform = Self {
            queue,
            frames: true,
            look_at: None,
            routing,
            requests,
            graph: Graph::default(),
            links: Links::default(),
            buffer: vec![0; BUFFER],
            ready: Vec::new(),
            interfaces: BTreeMap::new(),
            routers: HashMap::new(),
            lost: Vec::new(),
            ledger,
            found: Vec::new(),
            sequence: 0,
            untidy: false,
            unsettled: false,
            counters: Counters::default(),
        };
        platform.resync().map_err(failed("list the interfaces"))?;
        let mut remarks = Vec::new();
        let leftovers = ledger::leftovers(&directory, &place, system, &mut remarks);
        for leftover in leftovers.map_err(failed(&keeping))? {
            if let Err(error) = leftovers::clean(&mut platform, leftover) {
                remarks.push(format!("cannot clean up after a crash wholly: {error}"));
            }
        }
        platform.sweep(&place, &mut remarks);
        platform.found = remarks;
        platform.resync().map_err(failed("list the interfaces"))?;
        Ok(platform)
    }

    /// What happened below the protocol.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// What the administrator should know of this system, one sentence each: with what was odd, or
    /// left by a dead process, when the platform was opened.
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks = self.found.clone();
        if sys::has_module("carp") {
            remarks.push(
                "carp(4) is in the kernel: it takes what is sent to protocol 112, which vrrpd \
                 hears before it; no virtual host of carp may have the number of a VRID"
                    .into(),
            );
        }
        let level = sys::sysctl_number(c"kern.securelevel").unwrap_or(-1);
        if level > 0 {
            remarks.push(format!(
                "the securelevel is {level}: no kernel module can be loaded for a virtual MAC"
            ));
        }
        remarks
    }

    /// The socket for requests about a family.
    pub(crate) fn requester(&self, family: Family) -> io::Result<&OwnedFd> {
        let fd = self.requests[family as usize].as_ref();
        fd.ok_or_else(|| {
            let error = io::Error::from_raw_os_error(libc::EAFNOSUPPORT);
            explain(error, &format!("the kernel has no {family}"))
        })
    }

    /// Any socket for requests about interfaces.
    pub(crate) fn any_requester(&self) -> io::Result<&OwnedFd> {
        self.requester(Family::Ipv4)
            .or_else(|_| self.requester(Family::Ipv6))
    }

    /// Sets the timer to the earlier of what the host and what we want.
    fn arm(&mut self) -> io::Result<()> {
        // What the host has not been told yet does not wait.
        let now = self.unsettled.then(Instant::default);
        self.queue.arm(now.or(self.look_at))
    }

    fn take_notices(&mut self) -> io::Result<()> {
        let (mut changed, mut routes, mut gone) = (false, false, Vec::new());
        // Bounded: what is left keeps the queue ready.
        for _ in 0..256 {
            match sys::read(&self.routing, &mut self.buffer) {
                Ok(0) => break,
                Ok(len) => {
                    let octets = self.buffer.get(..len).unwrap_or_default();
                    for notice in route::notices(octets) {
                        match notice {
                            Notice::Changed => changed = true,
                            Notice::Gone(index) => gone.push(index),
                            Notice::Route => routes = true,
                            Notice::Other => {}
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Notices were lost.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(error) => return Err(error),
            }
        }
        for index in gone {
            changed = true;
            self.detach_index(index);
        }
        if routes {
            // Where there is a routing daemon they may be many.
            self.look_again(ROUTES);
        }
        if changed { self.resync() } else { Ok(()) }
    }

    fn receive_frames(&mut self, token: u64, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        let host_if = HostIf::new(token as u32);
        let sockets = self
            .interfaces
            .get(&host_if)
            .and_then(|w| w.sockets.as_ref());
        // Closed since the token was made.
        let Some(fd) = sockets.and_then(|sockets| sockets.bpf.as_ref()) else {
            return Ok(());
        };
        let len = match sys::read(fd, &mut self.buffer) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => match error.raw_os_error() {
                // The interface went down, or is gone: the routing socket tells, too.
                Some(libc::ENETDOWN) => return Ok(()),
                Some(libc::ENXIO) => {
                    self.detach(host_if);
                    return self.resync();
                }
                _ => return Err(error),
            },
        };
        let octets = self.buffer.get(..len).unwrap_or_default();
        for record in bpf::records(octets) {
            match record {
                Record::Frame(frame) => {
                    self.counters.frames_received += 1;
                    sink(incoming(host_if, frame));
                }
                Record::Cut => self.counters.frames_too_long += 1,
            }
        }
        Ok(())
    }

    fn send(&mut self, transmit: &Transmit<'_>) -> io::Result<()> {
        let router = self.routers.get(&transmit.key);
        if transmit.unicast.is_none()
            && let Some(router) = router.filter(|router| router.wants_carrier())
        {
            let carrier = router.carrier.as_ref().ok_or(io::ErrorKind::NotConnected)?;
            return sys::write(&carrier.bpf, transmit.frame).map(drop);
        }
        let watched = self.interfaces.get_mut(&HostIf::of(transmit.key));
        let sockets = watched.and_then(|w| w.sockets.as_mut());
        let sockets = sockets.ok_or(io::ErrorKind::NotConnected)?;
        if let Some(to) = transmit.unicast {
            return sockets.send_ip(transmit, to);
        }
        let fd = sockets.bpf.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        sys::write(fd, transmit.frame).map(drop)
    }
}

impl Platform for FreebsdPlatform {
    fn fd(&self) -> RawFd {
        self.queue.raw()
    }

    fn now(&self) -> Instant {
        Instant::from_micros(sys::monotonic_us())
    }

    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.queue.set_wakeup(at);
        self.arm()
    }

    fn wakeup(&self) -> Option<Instant> {
        self.queue.wakeup()
    }

    fn wait(
        &mut self,
        others: &mut [Waited],
        timeout: Option<std::time::Duration>,
    ) -> Option<io::Result<bool>> {
        Some(self.queue.wait(others, timeout))
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        let mut result = self.queue.take(&mut ready);
        let now = self.now();
        if ready.contains(&Ready::Timer) && self.look_at.is_some_and(|at| at <= now) {
            self.look_at = None;
            result = result.and(self.resync());
            self.inspect_bridges();
        }
        if ready.contains(&Ready::Read(NOTICES)) {
            result = result.and(self.take_notices());
        }
        if self.unsettled {
            self.settle(sink);
        }
        for &event in &ready {
            if let Ready::Read(token) = event
                && token < NOTICES
            {
                result = result.and(self.receive_frames(token, sink));
            }
        }
        self.ready = ready;
        let tidied = self.tidy().map_err(io::Error::other);
        result.and(tidied).and(self.arm())
    }

    fn watch(&mut self, host_if: HostIf, name: &str) -> Result<(), PlatformError> {
        self.watch_interface(host_if, name)
    }

    fn unwatch(&mut self, host_if: HostIf) {
        self.unwatch_interface(host_if);
    }

    fn prepare(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        self.prepare_router(setup)
    }

    fn release(&mut self, key: VrKey) {
        self.release_router(key);
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        match self.send(transmit) {
            Ok(()) => self.counters.frames_sent += 1,
            Err(_) => self.counters.frames_refused += 1,
        }
    }

    fn announce(&mut self, host_if: HostIf, frame: &[u8]) {
        let sockets = self
            .interfaces
            .get(&host_if)
            .and_then(|w| w.sockets.as_ref());
        let sent = match sockets.and_then(|sockets| sockets.bpf.as_ref()) {
            Some(fd) => sys::write(fd, frame).is_ok(),
            None => false,
        };
        if sent {
            self.counters.frames_sent += 1;
        } else {
            self.counters.frames_refused += 1;
        }
    }

    fn flush(&mut self) {
        // Frames have been sent already. What fails here is tried, and told, by the next `receive`.
        let _ = self.tidy();
    }

    fn set_mac(&mut self, key: VrKey, mac: MacAddr, on: bool) -> Result<(), PlatformError> {
        self.set_router_mac(key, mac, on)
    }

    fn set_address(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        accept: bool,
        on: bool,
    ) -> Result<(), PlatformError> {
        self.set_router_address(key, address, accept, on)
    }

    fn set_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        self.set_interface_group(host_if, family, on)
    }

    fn mac_interface(&self, key: VrKey) -> Option<String> {
        let carrier = self.routers.get(&key)?.carrier.as_ref()?;
        Some(carrier.name.clone())
    }

    fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        self.address_warnings(list);
    }

    fn facts(&self) -> HostFacts {
        let ours = |address: &Address| self.is_ours(address);
        let socket = self.any_requester().ok();
        Ok(Box::new(FreebsdFacts::new(&self.links, ours, socket)))
    }
}

impl FreebsdPlatform {
    /// Looks at the interfaces again `after` this, if not before.
    pub(crate) fn look_again(&mut self, after: Duration) {
        let at = self.now() + after;
        self.look_at = Some(self.look_at.map_or(at, |before| before.min(at)));
    }
}

impl Drop for FreebsdPlatform {
    fn drop(&mut self) {
        if self.release_everything() {
            self.ledger.close();
        }
    }
}
