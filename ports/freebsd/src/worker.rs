//! The two halves of the platform in two processes: see [`vrrp_port_kit::privsep`].

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{OwnedFd, RawFd};
use std::time::Duration;

use vrrp_core::{Instant, Transmit, VrKey};
use vrrp_host::{HostIf, Incoming, PlatformError, VrSetup, Waited};
use vrrp_port_kit::incoming;
use vrrp_port_kit::privsep::{Frames, Place, PrivilegedPlatform, Worker};

use crate::bpf::{self, Record};
use crate::platform::FreebsdPlatform;
use crate::refusals::wants_carrier;
use crate::sockets::{BUFFER, Device};
use crate::sys::{self, Queue, Ready};

/// The token of the channel in a queue, above those of interfaces.
const CHANNEL: u64 = 1 << 41;
/// The one descriptor of an interface.
const ONLY: u8 = 0;

/// The platform of a worker.
pub type WorkerPlatform = Worker<FreebsdFrames>;

/// Hears and sends frames by bpf devices that the parent has opened.
#[derive(Debug)]
pub struct FreebsdFrames {
    queue: Queue,
    interfaces: BTreeMap<HostIf, OwnedFd>,
    carriers: BTreeMap<VrKey, (String, OwnedFd)>,
    /// Virtual routers that send by a carrier, or not at all.
    carried: BTreeSet<VrKey>,
    own: Option<Instant>,
    buffer: Vec<u8>,
    ready: Vec<Ready>,
}

impl FreebsdFrames {
    /// Hears nothing yet. Needs no rights.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            queue: Queue::new()?,
            interfaces: BTreeMap::new(),
            carriers: BTreeMap::new(),
            carried: BTreeSet::new(),
            own: None,
            buffer: vec![0; BUFFER],
            ready: Vec::new(),
        })
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
                // The interface went down; the parent tells, too.
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

impl Frames for FreebsdFrames {
    const ADDRESSES_AT_ONCE: usize = 1;

    fn fd(&self) -> RawFd {
        self.queue.raw()
    }

    fn now(&self) -> Instant {
        Instant::from_micros(sys::monotonic_us())
    }

    fn wait_for(&mut self, channel: RawFd) -> io::Result<()> {
        self.queue.add(&channel, CHANNEL)
    }

    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.queue.set_wakeup(at);
        self.queue.arm(self.own)
    }

    fn set_own_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.own = at;
        self.queue.arm(at)
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

    fn look(&mut self) -> io::Result<bool> {
        self.queue.take(&mut self.ready)?;
        Ok(self.ready.contains(&Ready::Read(CHANNEL)))
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        let ready = std::mem::take(&mut self.ready);
        let mut result = Ok(());
        for &event in &ready {
            if let Ready::Read(token) = event
                && token < CHANNEL
            {
                result = result.and(self.receive_frames(HostIf::new(token as u32), sink));
            }
        }
        self.ready = ready;
        self.ready.clear();
        result
    }

    fn open(&mut self, place: Place, fd: OwnedFd) -> io::Result<()> {
        match place {
            Place::Interface(host_if, _) => {
                self.queue.add(&fd, u64::from(host_if.number()))?;
                self.interfaces.insert(host_if, fd);
            }
            Place::Carrier(key, name) => {
                self.carriers.insert(key, (name, fd));
            }
        }
        Ok(())
    }

    fn close(&mut self, place: &Place) {
        match place {
            Place::Interface(host_if, _) => drop(self.interfaces.remove(host_if)),
            Place::Carrier(key, _) => drop(self.carriers.remove(key)),
        }
    }

    fn prepared(&mut self, setup: &VrSetup) {
        match wants_carrier(setup) {
            true => self.carried.insert(setup.key),
            false => self.carried.remove(&setup.key),
        };
    }

    fn released(&mut self, key: VrKey) {
        self.carried.remove(&key);
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
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

    fn mac_interface(&self, key: VrKey) -> Option<String> {
        self.carriers.get(&key).map(|(name, _)| name.clone())
    }
}

impl FreebsdPlatform {
    /// The devices that a worker hears and sends by.
    fn handed_over(&self) -> BTreeMap<Place, &Device> {
        let mut there = BTreeMap::new();
        let table = self.table();
        for (host_if, watched) in table.interfaces.iter() {
            let sockets = watched.sockets.as_ref();
            if let Some(device) = sockets.and_then(|sockets| sockets.bpf.as_ref()) {
                there.insert(Place::Interface(host_if, ONLY), device);
            }
        }
        for (key, router) in table.routers.iter() {
            if let Some(carrier) = &router.mac.carrier {
                there.insert(Place::Carrier(*key, carrier.name.clone()), &carrier.bpf);
            }
        }
        there
    }
}

impl PrivilegedPlatform for FreebsdPlatform {
    fn hold_silent(&mut self) {
        self.network_mut().hold_silent();
    }

    fn leave_frames(&mut self) {
        self.network_mut().leave_frames();
    }

    fn devices(&self) -> BTreeMap<Place, u64> {
        let there = self.handed_over().into_iter();
        there
            .map(|(place, device)| (place, device.serial))
            .collect()
    }

    fn close(self) -> Result<(), PlatformError> {
        // The ledger notes all that refuses to go.
        drop(self);
        Ok(())
    }

    fn left_served(&self) -> &[(String, IpAddr)] {
        FreebsdPlatform::left_served(self)
    }

    fn duplicate(&self, place: &Place) -> io::Result<OwnedFd> {
        let there = self.handed_over();
        let device = there.get(place).ok_or(io::ErrorKind::NotFound)?;
        let copy = device.try_clone()?;
        // The filter stays ours.
        sys::confine(&copy, &[])?;
        Ok(copy)
    }
}
