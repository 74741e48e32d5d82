//! The platform: what it is made of, and the seam to the host.

use std::io;
use std::net::IpAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use vrrp_core::{Family, Instant, MacAddr, Transmit, VirtualAddress, VrKey};
use vrrp_host::{
    AddressChange, HostFacts, HostIf, Incoming, Platform, PlatformError, PlatformWarning, VrSetup,
};
use vrrp_port_kit::{Counters, Port as _, WakeUp};

use crate::connections::SockDiag;
use crate::facts::LinuxFacts;
use crate::instances::{self, Presence};
use crate::ledger;
use crate::leftovers;
use crate::macvlan_reaper::Reaper;
use crate::netlink::{Monitor, Netlink};
use crate::network::{AT_ONCE, Network, Opened};
use crate::reception::Reception;
use crate::sockets;
use crate::sys::{self, Epoll, SendBatch, Timer};
use crate::sysctl::apply::Sysctls;

/// Tokens above those of the packet sockets, which are below 2^40.
const TIMER: u64 = 1 << 62;
const MONITOR: u64 = (1 << 62) + 1;
const POLL: u64 = (1 << 62) + 2;
const SYSCTLS: u64 = (1 << 62) + 3;

/// The way in which a platform is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of the ledgers. It is made when missing, and is empty after a reboot.
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
    network: Network,
    timer: Timer,
    wakeup: WakeUp,
    sender: OwnedFd,
    out: SendBatch,
    reception: Reception,
    tokens: Vec<u64>,
    counters: Counters,
    remarks: Vec<String>,
    /// Addresses that dead processes served, and their interfaces.
    left_served: Vec<(String, IpAddr)>,
    _presence: Presence,
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
        let reaper = Reaper::open().map_err(failed("open a netlink socket"))?;
        let (epoll, timer, reception) = Epoll::new()
            .and_then(|epoll| Ok((epoll, Timer::new()?, Reception::new()?)))
            .map_err(failed("make an epoll and timers"))?;
        let sysctls = Sysctls::new().map_err(failed("make a timer"))?;
        epoll
            .add(timer.fd(), TIMER)
            .and_then(|()| epoll.add(reception.timer().fd(), POLL))
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
            let served = leftovers::clean_all(&mut netlink, leftovers, &living, &mut remarks);
            Ok((presence, served))
        };
        let (presence, served) = clean_up().map_err(|error| {
            ledger.close();
            PlatformError::new("clean up after a crash", error)
        })?;

        let opened = Opened {
            epoll,
            monitor,
            netlink,
            reaper,
            sysctls,
            ledger,
            connections: SockDiag::open(),
            place,
            marks_addresses: leftovers::marks_addresses(&sys::kernel_release()),
        };
        Ok(Self {
            network: Network::open(opened).map_err(failed("list the interfaces"))?,
            timer,
            wakeup: WakeUp::default(),
            sender,
            out: SendBatch::new(),
            reception,
            tokens: Vec::new(),
            counters: Counters::default(),
            remarks,
            left_served: served,
            _presence: presence,
            abandoned: false,
        })
    }

    /// Closes every descriptor and leaves everything that is installed as it is: for the child of a
    /// fork, whose parent goes on.
    pub fn abandon(mut self) {
        self.abandoned = true;
        self.network.abandon();
    }

    /// Renews the leases of addresses, where that is due.
    pub(crate) fn renew_address_leases(&mut self) -> io::Result<()> {
        let renewed = self.network.renew_leases();
        // The host is told at once of addresses that have gone.
        renewed.and(self.arm())
    }

    /// Keeps silent addresses for a while although their virtual routers are released.
    pub(crate) fn hold_silent_addresses(&mut self) {
        self.network.hold_silent();
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
        self.network.close()
    }

    /// The addresses that dead processes served until the platform was opened, with the interface of
    /// each.
    pub(crate) fn left_served(&self) -> &[(String, IpAddr)] {
        &self.left_served
    }

    /// Findings when the platform was opened, odd or left by a dead process: one sentence each.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Counts of events below the protocol.
    pub fn counters(&self) -> Counters {
        let (frames_received, frames_too_long) = self.reception.counts();
        Counters {
            frames_received,
            frames_too_long,
            resyncs: self.network.resyncs(),
            ..self.counters
        }
    }

    /// Sets the timer to the earlier of the host's deadline and our own.
    fn arm(&mut self) -> io::Result<()> {
        self.wakeup.set_own(self.network.due());
        if let Some(at) = self.wakeup.change() {
            self.timer.arm(at.map(Instant::as_micros))?;
            self.wakeup.set_armed(at);
        }
        Ok(())
    }

    /// Queues a frame to be sent out of an interface, if that is there.
    fn queue(&mut self, host_if: HostIf, frame: &[u8]) {
        let Some(index) = self.network.state().table.interfaces.index(host_if) else {
            self.counters.frames_refused += 1;
            return;
        };
        if self.out.is_full(frame.len()) {
            self.send_queued();
        }
        self.out.push(index, frame);
    }

    pub(crate) fn send_queued(&mut self) {
        if !self.out.is_empty() {
            let (sent, refused) = self.out.flush(&self.sender);
            self.counters.frames_sent += sent;
            self.counters.frames_refused += refused;
        }
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }

    pub(crate) fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }
}

impl Platform for LinuxPlatform {
    fn fd(&self) -> RawFd {
        self.network.epoll().raw()
    }

    fn now(&self) -> Instant {
        Instant::from_micros(sys::monotonic_us())
    }

    fn since_epoch(&self) -> Option<vrrp_core::Duration> {
        Some(vrrp_port_kit::clock::since_epoch())
    }

    fn is_clock_synchronised(&self) -> bool {
        vrrp_port_kit::clock::is_synchronised()
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
        let mut result = self.network.epoll().ready(&mut tokens);
        if tokens.contains(&TIMER) {
            self.timer.clear();
            self.wakeup.expired(self.now());
        }
        if tokens.contains(&MONITOR) {
            result = result.and(self.network.take_notices());
        }
        if tokens.contains(&SYSCTLS) {
            result = result.and(self.network.look_at_sysctls());
        }
        self.network.take_news(self.now(), sink);
        let due = tokens.contains(&POLL);
        tokens.retain(|token| *token < TIMER);
        let from = (self.network.state(), self.network.epoll());
        result = result.and(self.reception.read(&mut tokens, due, from, sink));
        self.tokens = tokens;
        let tidied = self.network.tidy().map_err(io::Error::other);
        result.and(tidied).and(self.arm())
    }

    fn watch(&mut self, host_if: HostIf, name: &str) -> Result<(), PlatformError> {
        self.network.watch_interface(host_if, name)
    }

    fn unwatch(&mut self, host_if: HostIf) {
        self.network.unwatch_interface(host_if);
    }

    fn prepare(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        self.network.prepare_router(setup)
    }

    fn release(&mut self, key: VrKey) {
        self.send_queued();
        self.network.release_router(key);
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        if let Some(to) = transmit.unicast {
            let packet = transmit.frame.get(usize::from(transmit.ip_offset)..);
            let packet = packet.unwrap_or_default();
            match self.network.send_ip(transmit.key, packet, to) {
                Ok(()) => self.counters.frames_sent += 1,
                Err(_) => self.counters.frames_refused += 1,
            }
            return;
        }
        self.queue(HostIf::of(transmit.key), transmit.frame);
    }

    fn announce(&mut self, host_if: HostIf, frame: &[u8]) {
        self.queue(host_if, frame);
    }

    fn probe(&mut self, host_if: HostIf, frame: &[u8]) {
        let from = (self.network.state(), self.network.epoll());
        self.reception.attend(from);
        self.queue(host_if, frame);
    }

    fn flush(&mut self) {
        self.send_queued();
        // A failure is tried again, and told, by the next `receive`.
        let _ = self.network.tidy();
    }

    fn set_mac(&mut self, key: VrKey, _mac: MacAddr, on: bool) -> Result<(), PlatformError> {
        if !on {
            // Frames from before the MAC is given up must not come after.
            self.send_queued();
        }
        self.network.postpone();
        self.network.set_router_mac(key, on)
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
            // Frames from before an address is given up must not come after.
            self.send_queued();
        }
        self.network.postpone();
        self.network.change_addresses(key, changes)
    }

    fn set_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        self.network.set_group(host_if, family, on)
    }

    fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        self.network.warnings(list);
    }

    fn mac_interface(&self, key: VrKey) -> Option<String> {
        let state = self.network.state();
        let link = state.links.get(state.macvlan(key)?)?;
        Some(link.name.clone())
    }

    fn mac_was_reached(&self, key: VrKey) -> Option<bool> {
        self.network.state().table.routers.get(key)?.mac.reached
    }

    fn routing_restored(&self) -> u64 {
        self.network.routing_restored()
    }

    fn connections_reset(&self) -> u64 {
        self.network.connections_reset()
    }

    fn facts(&self) -> HostFacts {
        let state = self.network.state();
        let ours = |address: &_| state.is_ours(address);
        Ok(Box::new(LinuxFacts::new(&state.links, ours)))
    }
}

impl Drop for LinuxPlatform {
    fn drop(&mut self) {
        // The next life finds the rest.
        let _ = self.end();
    }
}
