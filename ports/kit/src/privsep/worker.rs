//! The platform of the process without rights: it hears and sends frames itself, and asks the parent
//! for the rest.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use vrrp_core::{Family, Instant, MacAddr, Transmit, VirtualAddress, VrKey};
use vrrp_host::{
    AddressChange, HostIf, Incoming, Platform, PlatformError, PlatformWarning, VrSetup, Waited,
};

use super::{Channel, Link, MAX_DATAGRAM, Message, Place, Request, Unicast};

/// Octets of requests that may wait for the parent.
const MOST_QUEUED: usize = 16 * 1024 * 1024;

/// Hears and sends frames by descriptors that the parent has opened: what differs between operating
/// systems.
pub trait Frames {
    /// See [`Platform::addresses_at_once`].
    const ADDRESSES_AT_ONCE: usize;

    /// See [`Platform::fd`]: readable, too, when the channel of [`wait_for`](Self::wait_for) is.
    fn fd(&self) -> RawFd;

    /// See [`Platform::now`].
    fn now(&self) -> Instant;

    /// Has [`fd`](Self::fd) readable when the channel to the parent is.
    fn wait_for(&mut self, channel: RawFd) -> io::Result<()>;

    /// Sets the deadline of the host; see [`Platform::set_wakeup`].
    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()>;

    /// Sets the deadline of the worker itself, beside that of the host.
    fn set_own_wakeup(&mut self, at: Option<Instant>) -> io::Result<()>;

    /// See [`Platform::wakeup`].
    fn wakeup(&self) -> Option<Instant>;

    /// See [`Platform::wait`].
    fn wait(
        &mut self,
        others: &mut [Waited],
        timeout: Option<Duration>,
    ) -> Option<io::Result<bool>> {
        let _ = (others, timeout);
        None
    }

    /// Finds out what is ready. `true`: the channel is.
    fn look(&mut self) -> io::Result<bool>;

    /// Takes frames of the descriptors that [`look`](Self::look) has found ready.
    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()>;

    /// Hears or sends by a descriptor from now on, in place of the one before at that place.
    fn open(&mut self, place: Place, fd: OwnedFd) -> io::Result<()>;

    /// Closes the descriptor of a place.
    fn close(&mut self, place: &Place);

    /// Notes what a link is used for; `None`: it is gone.
    fn note_link(&mut self, index: u32, link: Option<Link>) {
        let _ = (index, link);
    }

    /// Notes that a virtual router is prepared.
    fn prepared(&mut self, setup: &VrSetup) {
        let _ = setup;
    }

    /// Notes that a virtual router is released.
    fn released(&mut self, key: VrKey) {
        let _ = key;
    }

    /// Sends a frame that goes to no unicast peer. The protocol repeats itself: what is not sent is no
    /// error.
    fn transmit(&mut self, transmit: &Transmit<'_>);

    /// See [`Platform::announce`].
    fn announce(&mut self, host_if: HostIf, frame: &[u8]);

    /// See [`Platform::probe`].
    fn probe(&mut self, host_if: HostIf, frame: &[u8]) {
        self.announce(host_if, frame);
    }

    /// See [`Platform::mac_interface`].
    fn mac_interface(&self, key: VrKey) -> Option<String>;
}

/// The worker's [`Platform`]: hears and sends frames itself, and asks the parent for the rest.
#[derive(Debug)]
pub struct Worker<F> {
    frames: F,
    channel: Channel,
    /// Requests that have not been answered, the oldest first: whether the answer is waited for.
    unanswered: VecDeque<bool>,
    /// Answers that are waited for.
    answers: VecDeque<Result<(), PlatformError>>,
    /// Has come while an answer was waited for.
    news: Vec<Message>,
    /// The warnings of the parent.
    warnings: Vec<PlatformWarning>,
    /// The sum of what the parent has told.
    connections_reset: u64,
    routing_restored: u64,
    reached: BTreeMap<VrKey, bool>,
    /// Something was asked for since the last flush.
    unflushed: bool,
}

impl<F: Frames> Worker<F> {
    /// Asks the [`Server`](super::Server) at the other end of `stream`. Needs no rights.
    pub fn new(mut frames: F, stream: UnixStream) -> io::Result<Self> {
        let channel = Channel::new(stream, MAX_DATAGRAM, MOST_QUEUED);
        frames.wait_for(channel.fd())?;
        Ok(Self {
            frames,
            channel,
            unanswered: VecDeque::new(),
            answers: VecDeque::new(),
            news: Vec::new(),
            warnings: Vec::new(),
            connections_reset: 0,
            routing_restored: 0,
            reached: BTreeMap::new(),
            unflushed: false,
        })
    }

    /// Asks without waiting for the answer. The end of the parent is an error of the next
    /// [`receive`](Platform::receive).
    fn tell(&mut self, request: &Request) {
        let _ = self.post(request, false);
        let _ = self.channel.flush_all();
    }

    fn post(&mut self, request: &Request, waits: bool) -> io::Result<()> {
        self.unflushed = *request != Request::Flush;
        self.channel.queue(&request.encode(), None)?;
        self.unanswered.push_back(waits);
        Ok(())
    }

    /// Asks, and waits for the answer.
    fn ask(&mut self, request: &Request) -> Result<(), PlatformError> {
        let mut results = self.ask_all(std::slice::from_ref(request));
        results.pop().unwrap_or(Ok(()))
    }

    /// Asks for all at once, and waits for the answers.
    fn ask_all(&mut self, requests: &[Request]) -> Vec<Result<(), PlatformError>> {
        let answered = self.exchange(requests);
        let mut results: Vec<_> = self.answers.drain(..).take(requests.len()).collect();
        if let Err(error) = answered {
            let kind = error.kind();
            results.resize_with(requests.len(), || {
                Err(PlatformError::new("ask the parent process", kind.into()))
            });
        }
        results
    }

    fn exchange(&mut self, requests: &[Request]) -> io::Result<()> {
        for request in requests {
            self.post(request, true)?;
        }
        self.channel.flush_all()?;
        while self.answers.len() < requests.len() {
            match self.channel.receive()? {
                Some(datagram) => self.take(&datagram)?,
                None => self.channel.wait()?,
            }
        }
        Ok(())
    }

    /// Takes in a message.
    fn take(&mut self, datagram: &[u8]) -> io::Result<()> {
        match Message::decode(datagram).ok_or(io::ErrorKind::InvalidData)? {
            Message::Done(result) => {
                let waits = self.unanswered.pop_front();
                if waits.ok_or(io::ErrorKind::InvalidData)? {
                    self.answers.push_back(result);
                }
            }
            Message::Open(place) => {
                let fd = self.channel.passed().ok_or(io::ErrorKind::InvalidData)?;
                self.frames.open(place, fd)?;
            }
            Message::Close(place) => self.frames.close(&place),
            Message::Link { index, link } => self.frames.note_link(index, link),
            Message::Reached { key, reached } => {
                match reached {
                    Some(reached) => self.reached.insert(key, reached),
                    None => self.reached.remove(&key),
                };
            }
            Message::Warnings(warnings) => self.warnings = warnings,
            Message::ConnectionsReset(more) => {
                self.connections_reset = self.connections_reset.saturating_add(more);
            }
            Message::RoutingRestored(more) => {
                self.routing_restored = self.routing_restored.saturating_add(more);
            }
            news @ (Message::Interface { .. } | Message::Lost(_)) => self.news.push(news),
        }
        Ok(())
    }

    /// News that came while an answer was waited for does not wait.
    fn arm(&mut self) -> io::Result<()> {
        let now = (!self.news.is_empty()).then(Instant::default);
        self.frames.set_own_wakeup(now)
    }
}

impl<F: Frames> Platform for Worker<F> {
    fn fd(&self) -> RawFd {
        self.frames.fd()
    }

    fn now(&self) -> Instant {
        self.frames.now()
    }

    fn since_epoch(&self) -> Option<vrrp_core::Duration> {
        Some(crate::clock::since_epoch())
    }

    fn is_clock_synchronised(&self) -> bool {
        crate::clock::is_synchronised()
    }

    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        let now = (!self.news.is_empty()).then(Instant::default);
        self.frames.set_own_wakeup(now)?;
        self.frames.set_wakeup(at)
    }

    fn wakeup(&self) -> Option<Instant> {
        self.frames.wakeup()
    }

    fn wait(
        &mut self,
        others: &mut [Waited],
        timeout: Option<Duration>,
    ) -> Option<io::Result<bool>> {
        self.frames.wait(others, timeout)
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        if self.frames.look()? {
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
                _ => {}
            }
        }
        let result = self.frames.receive(sink);
        result.and(self.arm())
    }

    fn watch(&mut self, host_if: HostIf, name: &str) -> Result<(), PlatformError> {
        let name = name.into();
        self.ask(&Request::Watch { host_if, name })
    }

    fn unwatch(&mut self, host_if: HostIf) {
        self.tell(&Request::Unwatch { host_if });
    }

    fn prepare(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        self.frames.prepared(setup);
        self.ask(&Request::Prepare(setup.clone()))
    }

    fn release(&mut self, key: VrKey) {
        self.tell(&Request::Release { key });
        self.frames.released(key);
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        match transmit.unicast {
            Some(to) => self.tell(&Request::Send(Unicast {
                key: transmit.key,
                to,
                ip_offset: transmit.ip_offset,
                payload_offset: transmit.payload_offset,
                frame: transmit.frame.to_vec(),
            })),
            None => self.frames.transmit(transmit),
        }
    }

    fn announce(&mut self, host_if: HostIf, frame: &[u8]) {
        self.frames.announce(host_if, frame);
    }

    fn probe(&mut self, host_if: HostIf, frame: &[u8]) {
        self.frames.probe(host_if, frame);
    }

    fn flush(&mut self) {
        // Frames have been sent already.
        if self.unflushed {
            self.tell(&Request::Flush);
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

    fn addresses_at_once(&self) -> usize {
        F::ADDRESSES_AT_ONCE
    }

    fn set_addresses(
        &mut self,
        key: VrKey,
        changes: &[AddressChange],
    ) -> Vec<Result<(), PlatformError>> {
        let requests: Vec<Request> = changes
            .iter()
            .map(|change| Request::SetAddress {
                key,
                address: change.address,
                accept: change.accept,
                on: change.on,
            })
            .collect();
        self.ask_all(&requests)
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
        self.frames.mac_interface(key)
    }

    fn mac_was_reached(&self, key: VrKey) -> Option<bool> {
        self.reached.get(&key).copied()
    }

    fn connections_reset(&self) -> u64 {
        self.connections_reset
    }

    fn routing_restored(&self) -> u64 {
        self.routing_restored
    }

    fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        list.extend_from_slice(&self.warnings);
    }
}
