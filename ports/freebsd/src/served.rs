//! The platform for a process that has no rights itself: what is done here, and what there.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vrrp_core::{Family, Instant, MacAddr, Transmit, VirtualAddress, VrKey};
use vrrp_host::{
    HostConfig, HostFacts, HostIf, Incoming, Platform, PlatformError, PlatformWarning, VrSetup,
    Waited,
};
use vrrp_port_kit::incoming;
use vrrp_port_kit::privsep::{self, Guard, Message, Place, Request, Unicast};

use crate::bpf::{self, Record};
use crate::line::Line;
use crate::platform::{FreebsdPlatform, LINE};
use crate::router::wants_carrier;
use crate::sockets::BUFFER;
use crate::sys::{self, Queue, Ready};

/// Requests that are carried out before others of the loop have their turn.
const MOST_REQUESTS: usize = 64;

/// The side with the rights.
#[derive(Debug)]
pub struct Server {
    platform: FreebsdPlatform,
    guard: Guard,
    line: Line,
    /// What the other side was given, and the serial number of each.
    given: BTreeMap<Place, u64>,
    /// The warnings that the other side knows, as octets. Empty: it knows of none.
    warned: Vec<u8>,
}

impl Server {
    /// Serves a process at the other end of `stream`, which may ask for what `config` needs.
    pub fn new(
        mut platform: FreebsdPlatform,
        stream: UnixStream,
        config: HostConfig,
    ) -> io::Result<Self> {
        platform.frames = false;
        let line = Line::new(stream);
        platform.queue.add(line.fd(), LINE)?;
        Ok(Self {
            platform,
            guard: Guard::new(config),
            line,
            given: BTreeMap::new(),
            warned: Vec::new(),
        })
    }

    /// Waits until [`handle`](Server::handle) has something to do, which is `true`, one of `others`
    /// is ready or `timeout` has passed, or a little less.
    pub fn wait(&mut self, others: &mut [Waited], timeout: Option<Duration>) -> io::Result<bool> {
        self.platform.queue.wait(others, timeout)
    }

    /// The facts that a new configuration is judged against.
    pub fn facts(&self) -> HostFacts {
        self.platform.facts()
    }

    /// From now on the other side may ask for what this configuration needs, too.
    pub fn allow(&mut self, config: HostConfig) {
        self.guard.allow(config);
    }

    /// The configuration that was allowed last is in force.
    pub fn adopt(&mut self) {
        self.guard.adopt();
    }

    /// Carries out what was asked, and tells what has happened. An error: there is no other side
    /// any more, or it makes no sense. What the network refused is in `trouble`.
    pub fn handle(&mut self, trouble: &mut dyn FnMut(io::Error)) -> io::Result<()> {
        let mut news = Vec::new();
        let received = self
            .platform
            .receive(&mut |incoming| news.extend(Message::of(incoming)));
        if let Err(error) = received {
            trouble(error);
        }
        // First what it needs to act on the news.
        self.give()?;
        for message in news {
            self.line.send(&message.encode(), None)?;
        }
        for _ in 0..MOST_REQUESTS {
            let Some(datagram) = self.line.receive()? else {
                break;
            };
            self.line.refuse_passed();
            let request = Request::decode(&datagram).ok_or(io::ErrorKind::InvalidData)?;
            let result = match self.guard.admit(&request) {
                Ok(()) => privsep::perform(&mut self.platform, &request),
                Err(refused) => {
                    let error = io::Error::new(io::ErrorKind::PermissionDenied, refused);
                    Err(PlatformError::new("do what was asked", error))
                }
            };
            self.give()?;
            self.line.send(&Message::Done(result).encode(), None)?;
        }
        self.warn()?;
        // When to look at the interfaces again.
        self.platform.set_wakeup(None)
    }

    /// Tells the warnings that hold now, if they are others than before.
    fn warn(&mut self) -> io::Result<()> {
        let message = Message::of_warnings(&self.platform);
        let octets = match &message {
            Message::Warnings(warnings) if warnings.is_empty() => Vec::new(),
            _ => message.encode(),
        };
        if octets != self.warned {
            self.line.send(&message.encode(), None)?;
            self.warned = octets;
        }
        Ok(())
    }

    /// Hands over the devices that were opened, and says which were closed.
    fn give(&mut self) -> io::Result<()> {
        let mut there = BTreeMap::new();
        for (host_if, watched) in &self.platform.interfaces {
            if let Some(device) = watched
                .sockets
                .as_ref()
                .and_then(|sockets| sockets.bpf.as_ref())
            {
                there.insert(Place::Interface(*host_if), device);
            }
        }
        for (key, router) in &self.platform.routers {
            if let Some(carrier) = &router.carrier {
                there.insert(Place::Carrier(*key, carrier.name.clone()), &carrier.bpf);
            }
        }
        let line = &self.line;
        let mut result = Ok(());
        self.given.retain(|place, serial| {
            let stays = there
                .get(place)
                .is_some_and(|device| device.serial == *serial);
            if !stays && result.is_ok() {
                result = line.send(&Message::Close(place.clone()).encode(), None);
            }
            stays
        });
        result?;
        for (place, device) in there {
            if let Entry::Vacant(vacant) = self.given.entry(place) {
                let copy = device.try_clone()?;
                // The filter stays ours.
                sys::confine(&copy, &[])?;
                let open = Message::Open(vacant.key().clone());
                line.send(&open.encode(), Some(&copy))?;
                vacant.insert(device.serial);
            }
        }
        Ok(())
    }
}

/// The side without: a [`Platform`] that hears and sends frames itself and asks for the rest.
#[derive(Debug)]
pub struct ServedPlatform {
    queue: Queue,
    line: Line,
    /// Has come while an answer was waited for.
    news: Vec<Message>,
    /// The warnings of the side with the rights.
    warnings: Vec<PlatformWarning>,
    interfaces: BTreeMap<HostIf, OwnedFd>,
    carriers: BTreeMap<VrKey, (String, OwnedFd)>,
    /// Who sends by a carrier, or not at all.
    carried: BTreeSet<VrKey>,
    /// Something was asked for since the last flush.
    unflushed: bool,
    buffer: Vec<u8>,
    ready: Vec<Ready>,
}

impl ServedPlatform {
    /// Asks the [`Server`] at the other end of `stream`. Needs no rights.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let queue = Queue::new()?;
        let line = Line::new(stream);
        queue.add(line.fd(), LINE)?;
        Ok(Self {
            queue,
            line,
            news: Vec::new(),
            warnings: Vec::new(),
            interfaces: BTreeMap::new(),
            carriers: BTreeMap::new(),
            carried: BTreeSet::new(),
            unflushed: false,
            buffer: vec![0; BUFFER],
            ready: Vec::new(),
        })
    }

    /// Asks, and waits for the answer.
    fn ask(&mut self, request: &Request) -> Result<(), PlatformError> {
        let failed = |error| PlatformError::new("ask the process that has the rights", error);
        self.unflushed = *request != Request::Flush;
        self.line.send(&request.encode(), None).map_err(failed)?;
        loop {
            match self.line.receive().map_err(failed)? {
                Some(datagram) => {
                    if let Some(result) = self.take(&datagram).map_err(failed)? {
                        return result;
                    }
                }
                None => {
                    sys::wait_readable(self.line.raw(), -1).map_err(failed)?;
                }
            }
        }
    }

    /// Takes in a message. Some: it is the answer.
    fn take(&mut self, datagram: &[u8]) -> io::Result<Option<Result<(), PlatformError>>> {
        match Message::decode(datagram).ok_or(io::ErrorKind::InvalidData)? {
            Message::Done(result) => return Ok(Some(result)),
            Message::Open(place) => {
                let fd = self.line.passed().ok_or(io::ErrorKind::InvalidData)?;
                match place {
                    Place::Interface(host_if) => {
                        self.queue.add(&fd, u64::from(host_if.number()))?;
                        self.interfaces.insert(host_if, fd);
                    }
                    Place::Carrier(key, name) => {
                        self.carriers.insert(key, (name, fd));
                    }
                }
            }
            Message::Close(Place::Interface(host_if)) => {
                self.interfaces.remove(&host_if);
            }
            Message::Close(Place::Carrier(key, _)) => {
                self.carriers.remove(&key);
            }
            Message::Warnings(warnings) => self.warnings = warnings,
            news => self.news.push(news),
        }
        Ok(None)
    }

    fn arm(&mut self) -> io::Result<()> {
        let now = (!self.news.is_empty()).then(Instant::default);
        self.queue.arm(now)
    }

    fn receive_frames(
        &mut self,
        host_if: HostIf,
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> io::Result<()> {
        // Closed since the token was made.
        let Some(fd) = self.interfaces.get(&host_if) else {
            return Ok(());
        };
        let len = match sys::read(fd, &mut self.buffer) {
            Ok(len) => len,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => match error.raw_os_error() {
                // The interface went down; the other side tells, too.
                Some(libc::ENETDOWN) => return Ok(()),
                // It is gone.
                Some(libc::ENXIO) => {
                    self.interfaces.remove(&host_if);
                    return Ok(());
                }
                _ => return Err(error),
            },
        };
        for record in bpf::records(self.buffer.get(..len).unwrap_or_default()) {
            if let Record::Frame(frame) = record {
                sink(incoming(host_if, frame));
            }
        }
        Ok(())
    }
}

impl Platform for ServedPlatform {
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
        timeout: Option<Duration>,
    ) -> Option<io::Result<bool>> {
        Some(self.queue.wait(others, timeout))
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        let mut ready = std::mem::take(&mut self.ready);
        let mut result = self.queue.take(&mut ready);
        if ready.contains(&Ready::Read(LINE)) {
            while let Some(datagram) = self.line.receive()? {
                self.take(&datagram)?;
            }
        }
        for message in self.news.drain(..) {
            match message {
                Message::Interface { host_if, state } => {
                    sink(Incoming::Interface { host_if, state });
                }
                Message::Lost(failure) => sink(Incoming::Lost(failure)),
                Message::Done(_) | Message::Warnings(_) | Message::Open(_) | Message::Close(_) => {}
            }
        }
        for &event in &ready {
            if let Ready::Read(token) = event
                && token < LINE
            {
                result = result.and(self.receive_frames(HostIf::new(token as u32), sink));
            }
        }
        self.ready = ready;
        result.and(self.arm())
    }

    fn watch(&mut self, host_if: HostIf, name: &str) -> Result<(), PlatformError> {
        let name = name.into();
        self.ask(&Request::Watch { host_if, name })
    }

    fn unwatch(&mut self, host_if: HostIf) {
        // A line that fails is told of by what comes next.
        let _ = self.ask(&Request::Unwatch { host_if });
    }

    fn prepare(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        match wants_carrier(setup) {
            true => self.carried.insert(setup.key),
            false => self.carried.remove(&setup.key),
        };
        self.ask(&Request::Prepare(setup.clone()))
    }

    fn release(&mut self, key: VrKey) {
        let _ = self.ask(&Request::Release { key });
        self.carried.remove(&key);
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        // The protocol repeats itself: what is not sent is no error.
        if let Some(to) = transmit.unicast {
            let _ = self.ask(&Request::Send(Unicast {
                key: transmit.key,
                to,
                ip_offset: transmit.ip_offset,
                payload_offset: transmit.payload_offset,
                frame: transmit.frame.to_vec(),
            }));
            return;
        }
        let fd = match self.carried.contains(&transmit.key) {
            true => self.carriers.get(&transmit.key).map(|(_, fd)| fd),
            false => self.interfaces.get(&HostIf::of(transmit.key)),
        };
        if let Some(fd) = fd {
            let _ = sys::write(fd, transmit.frame);
        }
    }

    fn announce(&mut self, host_if: HostIf, frame: &[u8]) {
        if let Some(fd) = self.interfaces.get(&host_if) {
            let _ = sys::write(fd, frame);
        }
    }

    fn flush(&mut self) {
        if self.unflushed {
            let _ = self.ask(&Request::Flush);
        }
    }

    fn set_mac(&mut self, key: VrKey, mac: MacAddr, on: bool) -> Result<(), PlatformError> {
        self.ask(&Request::SetMac { key, mac, on })
    }

    fn set_address(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        accept: bool,
        on: bool,
    ) -> Result<(), PlatformError> {
        self.ask(&Request::SetAddress {
            key,
            address,
            accept,
            on,
        })
    }

    fn set_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        self.ask(&Request::SetGroup {
            host_if,
            family,
            on,
        })
    }

    fn mac_interface(&self, key: VrKey) -> Option<String> {
        self.carriers.get(&key).map(|(name, _)| name.clone())
    }

    fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        list.extend_from_slice(&self.warnings);
    }
}
