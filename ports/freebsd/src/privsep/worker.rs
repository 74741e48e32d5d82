//! The process without rights: it hears and sends frames itself, and asks the parent for the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vrrp_core::{Family, Instant, MacAddr, Transmit, VirtualAddress, VrKey};
use vrrp_host::{HostIf, Incoming, Platform, PlatformError, PlatformWarning, VrSetup, Waited};
use vrrp_port_kit::incoming;
use vrrp_port_kit::privsep::{Message, Place, Request, Unicast};

use super::channel::{CHANNEL, Channel};
use crate::bpf::{self, Record};
use crate::refusals::wants_carrier;
use crate::sockets::BUFFER;
use crate::sys::{self, Queue, Ready};

/// The side without: a [`Platform`] that hears and sends frames itself and asks for the rest.
#[derive(Debug)]
pub struct WorkerPlatform {
    queue: Queue,
    channel: Channel,
    /// Has come while an answer was waited for.
    news: Vec<Message>,
    /// The warnings of the side with the rights.
    warnings: Vec<PlatformWarning>,
    interfaces: BTreeMap<HostIf, OwnedFd>,
    carriers: BTreeMap<VrKey, (String, OwnedFd)>,
    /// Virtual routers that send by a carrier, or not at all.
    carried: BTreeSet<VrKey>,
    /// Something was asked for since the last flush.
    unflushed: bool,
    buffer: Vec<u8>,
    ready: Vec<Ready>,
}

impl WorkerPlatform {
    /// Asks the [`Parent`](super::Parent) at the other end of `stream`. Needs no rights.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        let queue = Queue::new()?;
        let channel = Channel::new(stream);
        queue.add(channel.fd(), CHANNEL)?;
        Ok(Self {
            queue,
            channel,
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
        self.channel.send(&request.encode(), None).map_err(failed)?;
        loop {
            match self.channel.receive().map_err(failed)? {
                Some(datagram) => {
                    if let Some(result) = self.take(&datagram).map_err(failed)? {
                        return result;
                    }
                }
                None => {
                    sys::wait_readable(self.channel.raw(), -1).map_err(failed)?;
                }
            }
        }
    }

    /// Takes in a message. Some: it is the answer.
    fn take(&mut self, datagram: &[u8]) -> io::Result<Option<Result<(), PlatformError>>> {
        match Message::decode(datagram).ok_or(io::ErrorKind::InvalidData)? {
            Message::Done(result) => return Ok(Some(result)),
            Message::Open(place) => {
                let fd = self.channel.passed().ok_or(io::ErrorKind::InvalidData)?;
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

impl Platform for WorkerPlatform {
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
        if ready.contains(&Ready::Read(CHANNEL)) {
            while let Some(datagram) = self.channel.receive()? {
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
                && token < CHANNEL
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
        // A channel that fails is told of by what comes next.
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
