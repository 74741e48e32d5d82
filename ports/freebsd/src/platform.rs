//! The platform: what it is made of, and the seam to the host.

use std::io;
use std::net::IpAddr;
use std::os::fd::RawFd;
use std::path::PathBuf;

use vrrp_core::{Family, Instant, MacAddr, Transmit, VirtualAddress, VrKey};
use vrrp_host::{
    HostFacts, HostIf, Incoming, Platform, PlatformError, PlatformWarning, VrSetup, Waited,
};
use vrrp_port_kit::{Counters, Port as _, incoming, refused};

use crate::abi::*;
use crate::bpf::{self, Record};
use crate::facts::FreebsdFacts;
use crate::ledger;
use crate::leftovers;
use crate::network::Network;
use crate::refusals::wants_carrier;
use crate::route::Address;
use crate::sockets::BUFFER;
use crate::state::Table;
use crate::sys::{self, Queue, Ready};

/// The token of the routing socket, above those of interfaces.
const NOTICES: u64 = 1 << 40;

/// The way in which a platform is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory of the ledgers. It is made when missing, and is empty after a reboot.
    pub runtime_dir: PathBuf,
}

impl Default for Options {
    /// `/var/run/vrrpd`.
    fn default() -> Self {
        Self {
            runtime_dir: ledger::DIRECTORY.into(),
        }
    }
}

/// VRRP's operating system: the network stack of the jail of the process that opened it.
///
/// Dropping it removes everything that it installed.
#[derive(Debug)]
pub struct FreebsdPlatform {
    network: Network,
    buffer: Vec<u8>,
    ready: Vec<Ready>,
    /// Findings at the start, odd or left by a dead process.
    found: Vec<String>,
    /// Addresses that dead processes served, and their interfaces.
    left_served: Vec<(String, IpAddr)>,
    counters: Counters,
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
        let directory = options.runtime_dir;
        let keeping = format!("keep a ledger in {}", directory.display());
        let jail = sys::jail().map_err(failed("find out the jail"))?;
        let place = ledger::place(jail);
        let ledger = ledger::create(&directory, jail).map_err(failed(&keeping))?;
        let network = Network::open(queue, routing, ledger);
        let mut platform = Self {
            network: network.map_err(failed("list the interfaces"))?,
            buffer: vec![0; BUFFER],
            ready: Vec::new(),
            found: Vec::new(),
            left_served: Vec::new(),
            counters: Counters::default(),
        };
        let mut remarks = Vec::new();
        let leftovers = ledger::leftovers(&directory, jail, &mut remarks);
        let (state, installer) = platform.network.parts();
        for leftover in leftovers.map_err(failed(&keeping))? {
            let served = &mut platform.left_served;
            if let Err(error) = leftovers::clean(installer, &state.links, leftover, served) {
                remarks.push(format!("cannot clean up after a crash wholly: {error}"));
            }
        }
        leftovers::sweep(installer, &state.links, &place, &mut remarks);
        platform.found = remarks;
        let listed = platform.network.resync();
        listed.map_err(failed("list the interfaces"))?;
        Ok(platform)
    }

    /// The addresses that dead processes served until the platform was opened, with the interface of
    /// each.
    pub(crate) fn left_served(&self) -> &[(String, IpAddr)] {
        &self.left_served
    }

    /// Counts of events below the protocol.
    pub fn counters(&self) -> Counters {
        Counters {
            resyncs: self.network.resyncs(),
            ..self.counters
        }
    }

    /// Remarks on this system for the administrator, one sentence each: with what was odd, or
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

    fn receive_frames(&mut self, token: u64, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        let host_if = HostIf::new(token as u32);
        // Closed since the token was made.
        let sockets = self.network.state().table.interfaces.sockets(host_if);
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
                    self.network.detach(host_if);
                    return self.network.resync();
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
        let table = &mut self.network.state_mut().table;
        let router = table.routers.get(transmit.key);
        if transmit.unicast.is_none()
            && let Some(router) = router.filter(|router| wants_carrier(&router.setup))
        {
            let carrier = router.mac.carrier.as_ref();
            let carrier = carrier.ok_or(io::ErrorKind::NotConnected)?;
            return sys::write(&carrier.bpf, transmit.frame).map(drop);
        }
        let sockets = table.interfaces.sockets_mut(HostIf::of(transmit.key));
        let sockets = sockets.ok_or(io::ErrorKind::NotConnected)?;
        if let Some(to) = transmit.unicast {
            return sockets.send_ip(transmit, to);
        }
        sys::write(sockets.sender()?, transmit.frame).map(drop)
    }

    pub(crate) fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    /// The interfaces and virtual routers.
    pub(crate) fn table(&self) -> &Table {
        &self.network.state().table
    }
}

impl Platform for FreebsdPlatform {
    fn fd(&self) -> RawFd {
        self.network.queue().raw()
    }

    fn now(&self) -> Instant {
        self.network.now()
    }

    fn since_epoch(&self) -> Option<vrrp_core::Duration> {
        Some(vrrp_port_kit::clock::since_epoch())
    }

    fn is_clock_synchronised(&self) -> bool {
        vrrp_port_kit::clock::is_synchronised()
    }

    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.network.queue_mut().set_wakeup(at);
        self.network.arm()
    }

    fn wakeup(&self) -> Option<Instant> {
        self.network.queue().wakeup()
    }

    fn wait(
        &mut self,
        others: &mut [Waited],
        timeout: Option<std::time::Duration>,
    ) -> Option<io::Result<bool>> {
        Some(self.network.queue_mut().wait(others, timeout))
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        let mut result = self.network.queue_mut().take(&mut ready);
        if ready.contains(&Ready::Timer) {
            result = result.and(self.network.look());
        }
        if ready.contains(&Ready::Read(NOTICES)) {
            result = result.and(self.network.take_notices(&mut self.buffer));
        }
        self.network.take_news(sink);
        for &event in &ready {
            if let Ready::Read(token) = event
                && token < NOTICES
            {
                result = result.and(self.receive_frames(token, sink));
            }
        }
        self.ready = ready;
        let tidied = self.network.tidy().map_err(io::Error::other);
        result.and(tidied).and(self.network.arm())
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
        self.network.release_router(key);
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        match self.send(transmit) {
            Ok(()) => self.counters.frames_sent += 1,
            Err(_) => self.counters.frames_refused += 1,
        }
    }

    fn announce(&mut self, host_if: HostIf, frame: &[u8]) {
        let sockets = self.table().interfaces.sockets(host_if);
        let fd = sockets.and_then(|sockets| sockets.bpf.as_ref());
        if fd.is_some_and(|fd| sys::write(fd, frame).is_ok()) {
            self.counters.frames_sent += 1;
        } else {
            self.counters.frames_refused += 1;
        }
    }

    fn flush(&mut self) {
        // Frames have been sent already. What fails here is tried, and told, by the next `receive`.
        let _ = self.network.tidy();
    }

    fn set_mac(&mut self, key: VrKey, mac: MacAddr, on: bool) -> Result<(), PlatformError> {
        self.network.set_router_mac(key, mac, on)
    }

    fn set_address(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        accept: bool,
        on: bool,
    ) -> Result<(), PlatformError> {
        self.network.set_router_address(key, address, accept, on)
    }

    fn set_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        self.network.set_group(host_if, family, on)
    }

    fn mac_interface(&self, key: VrKey) -> Option<String> {
        let carrier = self.network.state().carrier(key)?;
        Some(carrier.name.clone())
    }

    fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        self.network.warnings(list);
    }

    fn routing_restored(&self) -> u64 {
        self.network.routing_restored()
    }

    fn connections_reset(&self) -> u64 {
        self.network.connections_reset()
    }

    fn facts(&self) -> HostFacts {
        let state = self.network.state();
        let ours = |address: &Address| state.is_ours(address);
        let socket = self.network.installer().any_requester().ok();
        Ok(Box::new(FreebsdFacts::new(&state.links, ours, socket)))
    }
}

impl Drop for FreebsdPlatform {
    fn drop(&mut self) {
        self.network.close();
    }
}
