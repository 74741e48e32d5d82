//! The platform: what it is made of, and the seam to the host.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use vrrp_host::{
    AddressChange, HostFacts, HostIf, Incoming, Platform, PlatformError, PlatformWarning, VrSetup,
};
use vrrp_port_kit::{Counters, InterfaceSockets, KernelIf, WakeUp, Watched};

use vrrp_core::{Failure, Family, Instant, MacAddr, Transmit, VirtualAddress, VrKey};

use crate::facts::LinuxFacts;
use crate::instances::{self, Presence};
use crate::janitor::Janitor;
use crate::ledger::{self, Ledger};
use crate::leftovers;
use crate::links::Links;
use crate::netlink::{Monitor, Netlink};
use crate::pace::{Pace, Wait};
use crate::router::Router;
use crate::routes::LinkRoute;
use crate::serve::{AT_ONCE, Places};
use crate::sockets::{self, Sockets};
use crate::strays::Strays;
use crate::sys::{self, Epoll, ReceiveBatch, SendBatch, Timer};
use crate::sysctl::{self, Sysctls};

/// Tokens above those of the packet sockets, which are below 2^40.
pub(crate) const TIMER: u64 = 1 << 62;
pub(crate) const MONITOR: u64 = (1 << 62) + 1;
const PACE: u64 = (1 << 62) + 2;
const SYSCTLS: u64 = (1 << 62) + 3;

/// Full batches that are taken of a socket at once. What a flood brings beyond that, sixty-four
/// thousand frames a second and more, the kernel may have to drop.
const BATCHES: usize = 4;

/// Serving a platform is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where ledgers are kept: a directory that is empty after a reboot. It is made when missing.
    pub runtime_dir: PathBuf,
}

impl Default for Options {
    /// `/run/vrrpd`.
    fn default() -> Self {
        Self {
            runtime_dir: "/run/vrrpd".into(),
        }
    }
}

/// VRRP's operating system: the network namespace of the thread that opened it.
///
/// Dropping it removes everything that it installed.
#[derive(Debug)]
pub struct LinuxPlatform {
    pub(crate) epoll: Epoll,
    timer: Timer,
    wakeup: WakeUp,
    pub(crate) monitor: Monitor,
    pub(crate) netlink: Netlink,
    pub(crate) links: Links,
    sender: OwnedFd,
    out: SendBatch,
    batch: ReceiveBatch,
    pace: Pace,
    tokens: Vec<u64>,
    /// By the host's number.
    pub(crate) interfaces: BTreeMap<HostIf, Watched<Sockets>>,
    pub(crate) routers: HashMap<VrKey, Router>,
    /// Where their addresses are.
    pub(crate) places: Places,
    /// Our macvlans by the operating system's number.
    pub(crate) macvlans: HashMap<KernelIf, VrKey>,
    pub(crate) janitor: Janitor,
    /// Macvlans that the janitor is to delete, by name.
    pub(crate) leaving: HashMap<String, KernelIf>,
    pub(crate) strays: Strays,
    pub(crate) sysctls: Sysctls,
    /// What is gone and the host has not been told.
    pub(crate) lost: Vec<Failure>,
    pub(crate) ledger: Ledger,
    /// The beginning of the tokens of this network namespace.
    pub(crate) place: String,
    remarks: Vec<String>,
    _presence: Presence,
    pub(crate) has_ipv6: bool,
    /// The kernel says which addresses are ours.
    pub(crate) marks_addresses: bool,
    /// Sysctls may not be as the virtual routers want them.
    pub(crate) untidy: bool,
    /// The requests that are heard may not be those that the host answers.
    pub(crate) unheard: bool,
    /// The addresses whose announcements are heard may not be those that matter.
    pub(crate) unannounced: bool,
    /// Sockets of announcements that are not waited for, and until when.
    pub(crate) resting: Vec<(u64, u64)>,
    /// The place in the list of macvlans whose counters are looked at next.
    pub(crate) asked_for_unicast: usize,
    /// Interfaces whose announcements cannot be heard, and why.
    pub(crate) deaf: BTreeMap<HostIf, String>,
    /// Routes to the networks of virtual addresses may be missing.
    pub(crate) unrouted: bool,
    /// Routes of our own to the networks of virtual addresses.
    pub(crate) link_routes: BTreeSet<LinkRoute>,
    /// Facts may have changed that the host has not been told.
    pub(crate) unsettled: bool,
    pub(crate) counters: Counters,
    /// It is another process's, or nothing any more.
    abandoned: bool,
}

impl LinuxPlatform {
    /// Opens the platform in the network namespace of the calling thread, and removes what a
    /// killed process has left there.
    pub fn open(options: Options) -> Result<Self, PlatformError> {
        let failed = |what: &str| {
            let what = what.to_string();
            move |error| PlatformError::new(what, error)
        };
        let privileged = "open network sockets (CAP_NET_ADMIN and CAP_NET_RAW are needed)";
        let sender = sockets::sender().map_err(failed(privileged))?;
        let monitor = Monitor::open().map_err(failed(privileged))?;
        let mut netlink = Netlink::open().map_err(failed("open a netlink socket"))?;
        netlink.filter_dumps();
        let janitor = Janitor::open().map_err(failed("open a netlink socket"))?;
        let (epoll, timer, pace) = Epoll::new()
            .and_then(|epoll| Ok((epoll, Timer::new()?, Pace::new()?)))
            .map_err(failed("make an epoll and timers"))?;
        let sysctls = Sysctls::new().map_err(failed("make a timer"))?;
        epoll
            .add(timer.fd(), TIMER)
            .and_then(|()| epoll.add(pace.timer().fd(), PACE))
            .and_then(|()| epoll.add(sysctls.timer().fd(), SYSCTLS))
            .and_then(|()| epoll.add(monitor.fd(), MONITOR))
            .map_err(failed("wait on timers and netlink"))?;

        let directory = options.runtime_dir;
        let keeping = format!("keep a ledger in {}", directory.display());
        let namespace = std::fs::metadata("/proc/thread-self/ns/net")
            .map_err(failed("find out the network namespace"))?
            .ino();
        let place = ledger::place(namespace);
        let mut ledger = ledger::create(&directory, namespace).map_err(failed(&keeping))?;
        let mut remarks = Vec::new();
        let mut clean_up = || {
            let presence = Presence::announce(ledger.token(), &directory)?;
            let living = instances::others(&place, ledger.token())?;
            let leftovers = ledger::leftovers(&directory, namespace, &mut remarks)?;
            leftovers::clean_all(&mut netlink, leftovers, &living, &mut remarks);
            Ok(presence)
        };
        let presence = clean_up().map_err(|error| {
            ledger.close();
            PlatformError::new("clean up after a crash", error)
        })?;

        let mut platform = Self {
            epoll,
            timer,
            wakeup: WakeUp::default(),
            monitor,
            netlink,
            links: Links::default(),
            sender,
            out: SendBatch::new(),
            batch: ReceiveBatch::new(),
            pace,
            tokens: Vec::new(),
            interfaces: BTreeMap::new(),
            routers: HashMap::new(),
            places: Places::default(),
            macvlans: HashMap::new(),
            janitor,
            leaving: HashMap::new(),
            strays: Strays::default(),
            sysctls,
            lost: Vec::new(),
            ledger,
            place,
            remarks,
            _presence: presence,
            has_ipv6: sysctl::has_ipv6(),
            marks_addresses: leftovers::marks_addresses(&sys::kernel_release()),
            untidy: false,
            unheard: false,
            unannounced: false,
            resting: Vec::new(),
            asked_for_unicast: 0,
            deaf: BTreeMap::new(),
            unrouted: false,
            link_routes: BTreeSet::new(),
            unsettled: false,
            counters: Counters::default(),
            abandoned: false,
        };
        platform.resync().map_err(failed("list the interfaces"))?;
        Ok(platform)
    }

    /// Closes every descriptor and leaves everything that is installed as it is: for the child of a
    /// fork, whose parent goes on.
    pub fn abandon(mut self) {
        self.abandoned = true;
        self.janitor.abandon();
    }

    /// Removes everything that was installed. After an error something is left, and noted for the
    /// next life.
    pub fn close(mut self) -> Result<(), PlatformError> {
        self.end()
    }

    fn end(&mut self) -> Result<(), PlatformError> {
        if std::mem::replace(&mut self.abandoned, true) {
            return Ok(());
        }
        self.send_queued();
        self.release_everything()?;
        self.ledger.close();
        Ok(())
    }

    /// What was odd, or left by a dead process, when the platform was opened: one sentence each.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What happened below the protocol.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Sets the timer to the earlier of the host's deadline and our own.
    fn arm(&mut self) -> io::Result<()> {
        // News for the host does not wait.
        let news = self.unsettled.then(Instant::default);
        self.wakeup.set_own(news.or(self.strays.due()));
        if let Some(at) = self.wakeup.change() {
            self.timer.arm(at.map(Instant::as_micros))?;
            self.wakeup.set_armed(at);
        }
        Ok(())
    }

    fn queue(&mut self, index: KernelIf, frame: &[u8]) {
        if self.out.is_full(frame.len()) {
            self.send_queued();
        }
        self.out.push(index, frame);
    }

    fn send_queued(&mut self) {
        if !self.out.is_empty() {
            let (sent, refused) = self.out.flush(&self.sender);
            self.counters.frames_sent += sent;
            self.counters.frames_refused += refused;
        }
    }

    /// Reads a packet socket; while much comes in, by the clock.
    fn read_socket(&mut self, token: u64, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        if Sockets::is_for_announcements(Sockets::split_token(token).1) {
            self.receive_frames(token, sink)?;
            return self.rest(token);
        }
        let mut frames = 0;
        for _ in 0..BATCHES {
            let taken = self.receive_frames(token, sink)?;
            frames += taken;
            if taken < sys::RECEIVE_FRAMES {
                break;
            }
        }
        let reported = match self.pace.note(token, frames) {
            Wait::Same => return Ok(()),
            Wait::Not => false,
            Wait::Again => true,
        };
        // Closed meanwhile: nobody waits for it any more.
        match packet_socket(&self.interfaces, token) {
            Some((_, fd)) => self.epoll.set_reported(fd, token, reported),
            None => Ok(()),
        }
    }

    /// Takes a batch of frames of a packet socket; returns how many.
    fn receive_frames(
        &mut self,
        token: u64,
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> io::Result<usize> {
        let (host_if, place) = Sockets::split_token(token);
        let announced = Sockets::is_for_announcements(place);
        let Some((sockets, fd)) = packet_socket(&self.interfaces, token) else {
            return Ok(0);
        };
        match self.batch.receive(fd) {
            Ok(()) => {}
            // The interface went down: netlink tells, too.
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        }
        let mut taken = 0;
        for frame in self.batch.frames() {
            taken += 1;
            let Some((device, frame)) = frame else {
                self.counters.frames_too_long += 1;
                continue;
            };
            // A question may have come by one of our macvlans, but not by a VLAN on the interface.
            let ours = device == sockets.index()
                || self
                    .macvlans
                    .get(&device)
                    .is_some_and(|key| HostIf::of(key) == host_if);
            if !ours {
                continue;
            }
            self.counters.frames_received += 1;
            // What is no VRRP comes with it over IPv6.
            let announced = announced || Sockets::is_announcement(place, frame);
            if !announced {
                sink(Incoming::Frame { host_if, frame });
            } else if !self.is_from_us(frame) {
                sink(Incoming::Announcement { host_if, frame });
            }
        }
        Ok(taken)
    }
}

/// The packet socket that a token stands for. `None`: closed since the token was made.
fn packet_socket(
    interfaces: &BTreeMap<HostIf, Watched<Sockets>>,
    token: u64,
) -> Option<(&Sockets, &OwnedFd)> {
    let (host_if, place) = Sockets::split_token(token);
    let sockets = interfaces.get(&host_if)?.sockets.as_ref()?;
    Some((sockets, sockets.packet(place)?))
}

impl Platform for LinuxPlatform {
    fn fd(&self) -> RawFd {
        self.epoll.raw()
    }

    fn now(&self) -> Instant {
        Instant::from_micros(sys::monotonic_us())
    }

    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.wakeup.set_host(at);
        self.arm()
    }

    fn wakeup(&self) -> Option<Instant> {
        self.wakeup.armed()
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        let mut tokens = std::mem::take(&mut self.tokens);
        let mut result = self.epoll.ready(&mut tokens);
        if tokens.contains(&TIMER) {
            self.timer.clear();
            self.wakeup.expired(self.now());
        }
        if tokens.contains(&MONITOR) {
            result = result.and(self.take_notices());
        }
        if tokens.contains(&SYSCTLS) {
            result = result.and(self.look_at_sysctls());
        }
        let now = self.now();
        if self.janitor.has_failed() {
            self.strays.look_at(now);
        }
        if self.strays.due().is_some_and(|at| at <= now) {
            // What fails is a warning, and tried again.
            let _ = self.remove_strays();
        }
        if self.unsettled {
            self.settle(sink);
        }
        result = result.and(self.end_rests());
        let paced = tokens.contains(&PACE) || !self.pace.held().is_empty();
        tokens.retain(|token| *token < TIMER && !self.pace.held().contains(token));
        tokens.extend_from_slice(self.pace.held());
        for &token in &tokens {
            result = result.and(self.read_socket(token, sink));
        }
        if paced || !self.pace.held().is_empty() {
            self.pace.timer().clear();
            result = result.and(self.pace.arm());
        }
        self.tokens = tokens;
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
        self.send_queued();
        self.release_router(key);
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        let interface = self.interfaces.get_mut(&HostIf::of(transmit.key));
        let Some(sockets) = interface.and_then(|i| i.sockets.as_mut()) else {
            self.counters.frames_refused += 1;
            return;
        };
        if let Some(to) = transmit.unicast {
            let packet = transmit.frame.get(usize::from(transmit.ip_offset)..);
            match sockets.send_ip(packet.unwrap_or_default(), to) {
                Ok(()) => self.counters.frames_sent += 1,
                Err(_) => self.counters.frames_refused += 1,
            }
            return;
        }
        let index = sockets.index();
        self.queue(index, transmit.frame);
    }

    fn announce(&mut self, host_if: HostIf, frame: &[u8]) {
        let watched = self.interfaces.get(&host_if);
        match watched.and_then(Watched::index) {
            Some(index) => self.queue(index, frame),
            None => self.counters.frames_refused += 1,
        }
    }

    fn flush(&mut self) {
        self.send_queued();
        // What fails is tried, and told, by the next `receive`.
        let _ = self.tidy();
    }

    fn set_mac(&mut self, key: VrKey, _mac: MacAddr, on: bool) -> Result<(), PlatformError> {
        if !on {
            // What was said before the MAC is given up must not come after.
            self.send_queued();
        }
        self.janitor.postpone();
        self.set_router_mac(key, on)
    }

    fn set_address(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        accept: bool,
        on: bool,
    ) -> Result<(), PlatformError> {
        let change = AddressChange {
            address,
            accept,
            on,
        };
        let mut results = self.set_addresses(key, &[change]);
        results.pop().unwrap_or(Ok(()))
    }

    fn addresses_at_once(&self) -> usize {
        AT_ONCE
    }

    fn set_addresses(
        &mut self,
        key: VrKey,
        changes: &[AddressChange],
    ) -> Vec<Result<(), PlatformError>> {
        if changes.iter().any(|change| !change.on) {
            // What was said before an address is given up must not come after.
            self.send_queued();
        }
        self.janitor.postpone();
        self.change_addresses(key, changes)
    }

    fn set_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        self.set_interface_group(host_if, family, on)
    }

    fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        self.sysctl_warnings(list);
        self.mac_warnings(list);
        self.address_warnings(list);
        self.source_warnings(list);
        self.announcement_warnings(list);
        list.extend(self.strays.warning());
    }

    fn mac_interface(&self, key: VrKey) -> Option<String> {
        let link = self.routers.get(&key)?.link?;
        Some(self.links.get(link)?.name.clone())
    }

    fn mac_was_reached(&self, key: VrKey) -> Option<bool> {
        self.routers.get(&key)?.reached
    }

    fn facts(&self) -> HostFacts {
        let interfaces = self.links.facts(|address| self.is_ours(address));
        Ok(Box::new(LinuxFacts::new(interfaces)))
    }
}

impl Drop for LinuxPlatform {
    fn drop(&mut self) {
        // What is left is found by the next life.
        let _ = self.end();
    }
}
