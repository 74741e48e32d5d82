//! The two halves of the platform in two processes.
//!
//! The parent opens the sockets, with their filters, and gives the worker copies. A packet socket can
//! send, too, and bind(2) could move it to another interface. So the worker is to be kept to the system
//! calls that it needs; vrrpd does so by seccomp(2). It sends by a socket that is bound to its
//! interface, and with send(2) alone: a message with an address could go elsewhere.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::{OwnedFd, RawFd};

use vrrp_core::{Duration, Instant, MacAddr, Transmit, VrKey};
use vrrp_host::{HostIf, Incoming, PlatformError};
use vrrp_port_kit::privsep::{Frames, Link, LinkRole, Place, PrivilegedPlatform, Worker};
use vrrp_port_kit::{KernelIf, WakeUp};

use crate::network::AT_ONCE;
use crate::platform::LinuxPlatform;
use crate::reception::{Heard, Reception};
use crate::sockets::Sockets;
use crate::sys::{self, Epoll, Timer};

/// Tokens above those of the packet sockets, which are below 2^40.
const TIMER: u64 = 1 << 62;
const POLL: u64 = (1 << 62) + 1;
const CHANNEL: u64 = (1 << 62) + 2;

/// The platform of a worker: see [`vrrp_port_kit::privsep`].
pub type WorkerPlatform = Worker<LinuxFrames>;

/// How long no packet socket has to have been retired before one is closed.
const RETIREMENT: Duration = Duration::from_millis(500);

/// Hears and sends frames by sockets that the parent has opened.
#[derive(Debug)]
pub struct LinuxFrames {
    epoll: Epoll,
    timer: Timer,
    wakeup: WakeUp,
    reception: Reception,
    /// Ready, and not read yet.
    tokens: Vec<u64>,
    heard: Received,
    /// Packet sockets that are of no use any more, the oldest first. The kernel takes some 10 ms to close
    /// one, which no handover has to wait for.
    retired: VecDeque<OwnedFd>,
    /// When one was retired last.
    retired_at: Instant,
}

/// The facts that frames are judged by.
#[derive(Debug, Default)]
struct Received {
    sockets: BTreeMap<(HostIf, u8), OwnedFd>,
    links: HashMap<u32, Link>,
    /// The links with a role.
    interfaces: HashMap<KernelIf, HostIf>,
    names: BTreeMap<VrKey, (KernelIf, String)>,
    macs: HashMap<MacAddr, usize>,
}

impl LinuxFrames {
    /// Closes one retired socket, once nothing has been retired for a while.
    fn close_retired(&mut self) {
        if self.now().since(self.retired_at) >= RETIREMENT {
            self.retired.pop_front();
        }
    }

    /// Hears nothing yet. Needs no rights.
    pub fn new() -> io::Result<Self> {
        let (epoll, timer, reception) = (Epoll::new()?, Timer::new()?, Reception::new()?);
        epoll.add(timer.fd(), TIMER)?;
        epoll.add(reception.timer().fd(), POLL)?;
        Ok(Self {
            epoll,
            timer,
            wakeup: WakeUp::default(),
            reception,
            tokens: Vec::new(),
            heard: Received::default(),
            retired: VecDeque::new(),
            retired_at: Instant::default(),
        })
    }

    fn arm(&mut self) -> io::Result<()> {
        if let Some(at) = self.wakeup.change() {
            self.timer.arm(at.map(Instant::as_micros))?;
            self.wakeup.set_armed(at);
        }
        Ok(())
    }

    fn send(&self, host_if: HostIf, frame: &[u8]) {
        if let Some(fd) = self.heard.sockets.get(&(host_if, Sockets::SENDER)) {
            // The protocol repeats itself: what is not sent is no error.
            let _ = sys::send(fd, frame);
        }
    }
}

impl Frames for LinuxFrames {
    const ADDRESSES_AT_ONCE: usize = AT_ONCE;

    fn fd(&self) -> RawFd {
        self.epoll.raw()
    }

    fn now(&self) -> Instant {
        Instant::from_micros(sys::monotonic_us())
    }

    fn wait_for(&mut self, channel: RawFd) -> io::Result<()> {
        self.epoll.add(&channel, CHANNEL)
    }

    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.wakeup.set_host(at);
        self.arm()
    }

    fn set_own_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.wakeup.set_own(at);
        self.arm()
    }

    fn wakeup(&self) -> Option<Instant> {
        self.wakeup.armed()
    }

    fn look(&mut self) -> io::Result<bool> {
        self.epoll.ready(&mut self.tokens)?;
        if self.tokens.contains(&TIMER) {
            self.timer.clear();
            self.wakeup.expired(self.now());
        }
        Ok(self.tokens.contains(&CHANNEL))
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        let mut tokens = std::mem::take(&mut self.tokens);
        let due = tokens.contains(&POLL);
        tokens.retain(|token| *token < TIMER);
        let from = (&self.heard, &self.epoll);
        let result = self.reception.read(&mut tokens, due, from, sink);
        self.tokens = tokens;
        self.tokens.clear();
        self.close_retired();
        result
    }

    fn open(&mut self, place: Place, fd: OwnedFd) -> io::Result<()> {
        let Place::Interface(host_if, number) = place else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        if number != Sockets::SENDER {
            self.epoll.add(&fd, Sockets::token(host_if, number))?;
        }
        self.heard.sockets.insert((host_if, number), fd);
        Ok(())
    }

    fn close(&mut self, place: &Place) {
        let Place::Interface(host_if, number) = *place else {
            return;
        };
        if let Some(fd) = self.heard.sockets.remove(&(host_if, number)) {
            self.epoll.remove(&fd);
            self.retired.push_back(fd);
            self.retired_at = self.now();
        }
    }

    fn note_link(&mut self, index: u32, link: Option<Link>) {
        let heard = &mut self.heard;
        let Some(kernel_if) = KernelIf::new(index) else {
            return;
        };
        if let Some(old) = heard.links.remove(&index) {
            heard.interfaces.remove(&kernel_if);
            if let LinkRole::Carrier(key, _) = &old.role
                && heard.names.get(key).is_some_and(|(at, _)| *at == kernel_if)
            {
                heard.names.remove(key);
            }
            if let Some(count) = heard.macs.get_mut(&old.mac) {
                *count -= 1;
                if *count == 0 {
                    heard.macs.remove(&old.mac);
                }
            }
        }
        let Some(link) = link else {
            return;
        };
        match &link.role {
            LinkRole::Other => {}
            LinkRole::Interface(host_if) => {
                heard.interfaces.insert(kernel_if, *host_if);
            }
            LinkRole::Carrier(key, name) => {
                heard.interfaces.insert(kernel_if, HostIf::of(key));
                heard.names.insert(*key, (kernel_if, name.clone()));
            }
        }
        *heard.macs.entry(link.mac).or_default() += 1;
        heard.links.insert(index, link);
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        self.send(HostIf::of(transmit.key), transmit.frame);
    }

    fn announce(&mut self, host_if: HostIf, frame: &[u8]) {
        self.send(host_if, frame);
    }

    fn probe(&mut self, host_if: HostIf, frame: &[u8]) {
        self.reception.attend((&self.heard, &self.epoll));
        self.send(host_if, frame);
    }

    fn mac_interface(&self, key: VrKey) -> Option<String> {
        self.heard.names.get(&key).map(|(_, name)| name.clone())
    }
}

impl Heard for Received {
    fn socket(&self, token: u64) -> Option<&OwnedFd> {
        let (host_if, place) = Sockets::split_token(token);
        self.sockets.get(&(host_if, u8::try_from(place).ok()?))
    }

    fn belongs(&self, host_if: HostIf, device: KernelIf) -> bool {
        self.interfaces.get(&device) == Some(&host_if)
    }

    fn is_from_us(&self, frame: &[u8]) -> bool {
        let source = frame.get(6..12).and_then(|mac| mac.try_into().ok());
        source.is_some_and(|mac| self.macs.contains_key(&MacAddr(mac)))
    }
}

impl PrivilegedPlatform for LinuxPlatform {
    fn hold_silent(&mut self) {
        self.hold_silent_addresses();
    }

    fn is_giving_up(&self) -> bool {
        self.network().is_giving_up()
    }

    fn finish_giving_up(&mut self, most: std::time::Duration) {
        self.network_mut().finish_giving_up(most);
    }

    fn set_lease(&mut self, seconds: Option<u32>) {
        self.network_mut().set_lease(seconds);
    }

    fn renew_leases(&mut self) -> io::Result<()> {
        self.renew_address_leases()
    }

    fn leave_frames(&mut self) {
        self.network_mut().leave_frames();
    }

    fn devices(&self) -> BTreeMap<Place, u64> {
        let interfaces = &self.network().state().table.interfaces;
        let mut devices = BTreeMap::new();
        for (host_if, watched) in interfaces.iter() {
            let sockets = watched.sockets.iter().flat_map(Sockets::numbered);
            devices
                .extend(sockets.map(|(place, serial)| (Place::Interface(host_if, place), serial)));
        }
        devices
    }

    fn duplicate(&self, place: &Place) -> io::Result<OwnedFd> {
        let interfaces = &self.network().state().table.interfaces;
        let fd = match *place {
            Place::Interface(host_if, number) => interfaces
                .sockets(host_if)
                .and_then(|sockets| sockets.handed_over(number)),
            Place::Carrier(..) => None,
        };
        fd.ok_or(io::ErrorKind::NotFound)?.try_clone()
    }

    fn close(self) -> Result<(), PlatformError> {
        LinuxPlatform::close(self)
    }

    fn left_served(&self) -> &[(String, IpAddr)] {
        LinuxPlatform::left_served(self)
    }

    fn send_queued(&mut self) {
        LinuxPlatform::send_queued(self);
    }

    fn links_generation(&self) -> u64 {
        self.network().state().links_generation()
    }

    fn links(&self) -> BTreeMap<u32, Link> {
        let state = self.network().state();
        let interfaces: HashMap<KernelIf, HostIf> = state
            .table
            .interfaces
            .iter()
            .filter_map(|(host_if, watched)| Some((watched.index()?, host_if)))
            .collect();
        let role = |index: KernelIf, name: &str| match state.of_macvlan(index) {
            Some(key) => LinkRole::Carrier(key, name.to_owned()),
            None => match interfaces.get(&index) {
                Some(host_if) => LinkRole::Interface(*host_if),
                None => LinkRole::Other,
            },
        };
        state
            .links
            .iter()
            .map(|link| {
                let role = role(link.index, &link.name);
                let mac = link.mac;
                (link.index.number(), Link { mac, role })
            })
            .collect()
    }
}
