//! A platform without an operating system: machines joined by a hub, in virtual time.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;
use std::rc::Rc;

use vrrp_core::{
    Duration, Failure, Family, FrameKind, Instant, InterfaceState, MacAddr, Transmit,
    VirtualAddress, VrKey,
};
use vrrp_host::{HostIf, Incoming, Platform, PlatformError, PlatformWarning, VrSetup};
use vrrp_port_kit::WakeUp;

use crate::random::Random;

/// The calls of a host to its machine, in order. Interfaces by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Watch(String),
    Unwatch(String),
    Prepare(VrSetup),
    Release(u8),
    Mac(u8, bool),
    Address(IpAddr, bool),
    Group(String, Family, bool),
    /// VRID and priority.
    Advert(u8, u8),
    Announce(u8),
    Answer(u8),
}

/// The time of all machines.
pub(crate) type Clock = Rc<Cell<Instant>>;

/// One computer.
#[derive(Default)]
pub(crate) struct Machine {
    clock: Clock,
    /// Every interface that exists.
    pub(crate) interfaces: BTreeMap<String, InterfaceState>,
    /// Interfaces whose frames go nowhere and to whom nothing comes, with carrier all the same.
    pub(crate) cut: BTreeSet<String>,
    /// Interfaces to whom nothing comes.
    pub(crate) deaf: BTreeSet<String>,
    pub(crate) calls: Vec<Call>,
    /// Addresses that are served now.
    pub(crate) addresses: BTreeSet<IpAddr>,
    holders: BTreeSet<(IpAddr, VrKey)>,
    /// Interfaces and frames of announcements that are not of their own virtual routers.
    pub(crate) announced: Vec<(String, Vec<u8>)>,
    /// Frames that asked for a neighbour, and when.
    pub(crate) probes: Vec<(Instant, Vec<u8>)>,
    /// Those of the engine, which have no sender.
    pub(crate) probes_before_takeover: Vec<(Instant, Vec<u8>)>,
    /// The MAC and the addresses of a host without VRRP, which answers them.
    pub(crate) stranger: Option<(MacAddr, Vec<IpAddr>)>,
    /// Frames that were sent from a MAC to itself.
    pub(crate) to_itself: Vec<Vec<u8>>,
    /// Effects that fail: prefixes of what `PlatformError::what` says.
    pub(crate) broken: Vec<String>,
    /// How long the calls take that change something: prefixes of what `PlatformError::what` says.
    pub(crate) slow: Vec<(&'static str, Duration)>,
    /// The seconds in the number of the last advertisement that was sent, if it was signed.
    pub(crate) number: Option<u32>,
    /// Every advertisement that was sent: when, VRID and priority.
    pub(crate) adverts: Vec<(Instant, u8, u8)>,
    /// They fail because somebody else has what is wanted.
    pub(crate) in_use: bool,
    /// The call that fails next, counted down to 0, where one is to.
    pub(crate) refuse: Option<usize>,
    /// Virtual routers that were prepared and not released.
    pub(crate) prepared: BTreeSet<VrKey>,
    /// Virtual routers whose MAC is taken up.
    pub(crate) macs: BTreeSet<VrKey>,
    /// Groups that are joined.
    groups: BTreeSet<(HostIf, Family)>,
    /// Whether a frame to a virtual MAC has come.
    pub(crate) reached: Option<bool>,
    /// The warnings of the operating system.
    pub(crate) warnings: Vec<PlatformWarning>,
    /// The seconds by which its wall clock is ahead.
    pub(crate) clock_ahead: i64,
    /// Its kernel was not told that the wall clock is right.
    pub(crate) unsynchronised: bool,
    timer: WakeUp,
    /// The platform misbehaves as kernels and ports do: its calls set the timer for themselves, and
    /// what it reports comes late, more than once, or only when it looks by itself.
    pub(crate) rough: Option<Random>,
    watched: BTreeMap<HostIf, String>,
    /// Interfaces that are newly watched, to be reported by the next `receive`.
    unreported: Vec<HostIf>,
    /// Notices of the kernel about interfaces, and when they come.
    notices: VecDeque<(Instant, HostIf)>,
    lost: VecDeque<Failure>,
    inbox: VecDeque<(String, Vec<u8>)>,
}

/// All machines, and the time. Interfaces of one name are on one segment.
#[derive(Default)]
pub(crate) struct Net {
    pub(crate) clock: Clock,
    pub(crate) machines: Vec<Machine>,
}

pub(crate) type SharedNet = Rc<RefCell<Net>>;

/// A host's view of its machine.
pub(crate) struct Fake {
    pub(crate) net: SharedNet,
    pub(crate) index: usize,
}

/// An interface of machine `index`: up, 10.0.0.(index + 1), fe80::(index + 1).
pub(crate) fn interface(index: usize) -> InterfaceState {
    let number = index as u8 + 1;
    InterfaceState {
        up: true,
        mac: MacAddr([2, 0, 0, 0, 0, number]),
        ipv4: Some(Ipv4Addr::new(10, 0, 0, number)),
        ipv6: Some(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, number.into())),
    }
}

/// How late a rough platform may be.
const LATE: Duration = Duration::from_millis(80);
/// How long a change is not noticed whose notice was lost.
const LOOK: Duration = Duration::from_millis(500);

impl Machine {
    pub(crate) fn new(clock: &Clock) -> Self {
        Self {
            clock: Rc::clone(clock),
            ..Self::default()
        }
    }

    pub(crate) fn set_interface(&mut self, name: &str, state: InterfaceState) {
        self.interfaces.insert(name.to_owned(), state);
        self.notice(name);
    }

    /// The interface does not exist any more.
    pub(crate) fn remove_interface(&mut self, name: &str) {
        self.interfaces.remove(name);
        self.notice(name);
    }

    fn notice(&mut self, name: &str) {
        let numbers = self.watched.iter().filter(|(_, watched)| *watched == name);
        for host_if in numbers.map(|(&host_if, _)| host_if).collect::<Vec<_>>() {
            let times = match &mut self.rough {
                Some(rough) => rough.below(4),
                None => 1,
            };
            for _ in 0..times {
                let at = self.clock.get() + self.delay(LATE);
                self.notices.push_back((at, host_if));
            }
            if times == 0 {
                // It is lost, and found when the platform looks by itself.
                let at = self.clock.get() + LOOK;
                self.notices.push_back((at, host_if));
            }
        }
    }

    /// None, unless the platform is rough.
    fn delay(&mut self, most: Duration) -> Duration {
        match &mut self.rough {
            Some(rough) => Duration::from_micros(rough.below(2) * rough.below(most.as_micros())),
            None => Duration::ZERO,
        }
    }

    /// Sets the timer to the earlier of the host's deadline and the platform's own.
    fn arm(&mut self) {
        if !self.unreported.is_empty() {
            self.timer.set_own(Some(Instant::default()));
        }
        if let Some(at) = self.timer.change() {
            self.timer.set_armed(at);
        }
    }

    /// Lets a rough platform set the timer for itself, as if nobody else used it.
    fn disturb(&mut self) {
        let at = self.clock.get() + self.delay(LATE);
        if let Some(rough) = &mut self.rough
            && rough.below(2) == 0
        {
            self.timer.set_own(Some(at));
            self.timer.set_armed(Some(at));
        }
    }

    /// When the host is woken, if nothing else happens before.
    pub(crate) fn next(&self) -> Option<Instant> {
        let notices = self.notices.iter().map(|(at, _)| *at);
        self.timer.armed().into_iter().chain(notices).min()
    }

    pub(crate) fn set_up(&mut self, name: &str, up: bool) {
        let state = InterfaceState {
            up,
            ..self.interfaces[name]
        };
        self.set_interface(name, state);
    }

    /// Somebody removes an address that is served.
    pub(crate) fn steal(&mut self, key: VrKey, address: IpAddr) {
        assert!(self.addresses.remove(&address), "{address} is not served");
        self.holders.remove(&(address, key));
        self.lost.push_back(Failure::Address { key, address });
    }

    pub(crate) fn deliver(&mut self, name: &str, frame: Vec<u8>) {
        let deaf = self.cut.contains(name) || self.deaf.contains(name);
        if !deaf && self.interfaces.get(name).is_some_and(|i| i.up) {
            self.inbox.push_back((name.to_owned(), frame));
        }
    }

    pub(crate) fn is_readable(&self, now: Instant) -> bool {
        !self.inbox.is_empty() || !self.lost.is_empty() || self.next().is_some_and(|at| at <= now)
    }

    pub(crate) fn take_calls(&mut self) -> Vec<Call> {
        std::mem::take(&mut self.calls)
    }

    /// Lets the time pass that a call takes.
    fn spend(&self, what: &str) {
        let slow = self
            .slow
            .iter()
            .find(|(prefix, _)| what.starts_with(prefix));
        if let Some((_, time)) = slow {
            self.clock.set(self.clock.get() + *time);
        }
    }

    fn attempt(&mut self, what: String, call: Call) -> Result<(), PlatformError> {
        self.calls.push(call);
        self.spend(&what);
        self.disturb();
        let refused = self.refuse == Some(0);
        self.refuse = self.refuse.and_then(|left| left.checked_sub(1));
        if refused {
            return Err(PlatformError::new(what, io::Error::other("refused once")));
        }
        if self.broken.iter().any(|prefix| what.starts_with(prefix)) {
            let error = match self.in_use {
                true => io::ErrorKind::AddrInUse.into(),
                false => io::Error::other("broken"),
            };
            return Err(PlatformError::new(what, error));
        }
        Ok(())
    }

    /// The addresses, MACs and interfaces that the host has installed and watches, in lines that are the same for any numbers of the
    /// interfaces.
    pub(crate) fn installed(&self) -> Vec<String> {
        let vr = |key: &VrKey| {
            let name = &self.watched[&HostIf::of(key)];
            format!("of VRID {} {:?} on {name}", key.vrid, key.family)
        };
        let watched = self.watched.values().map(|name| format!("watched {name}"));
        let prepared = self.prepared.iter().map(|key| format!("setup {}", vr(key)));
        let macs = self.macs.iter().map(|key| format!("MAC {}", vr(key)));
        let holders = self.holders.iter();
        let addresses = holders.map(|(address, key)| format!("address {address} {}", vr(key)));
        let groups = self.groups.iter();
        let groups = groups.map(|(at, family)| format!("{family:?} on {}", self.watched[at]));
        watched
            .chain(prepared)
            .chain(macs)
            .chain(addresses)
            .chain(groups)
            .collect()
    }

    /// Interfaces that are watched.
    pub(crate) fn watched(&self) -> usize {
        self.watched.len()
    }

    fn name(&self, host_if: HostIf) -> String {
        let name = self.watched.get(&host_if);
        name.expect("the interface is watched").clone()
    }
}

impl Net {
    fn broadcast(&mut self, from: usize, name: &str, frame: &[u8], to: Option<IpAddr>) {
        let sender = &self.machines[from];
        if sender.cut.contains(name) || !sender.interfaces.get(name).is_some_and(|i| i.up) {
            return;
        }
        for (index, machine) in self.machines.iter_mut().enumerate() {
            let Some(state) = machine.interfaces.get(name).copied() else {
                continue;
            };
            let addressed = to.is_none_or(|to| state.ipv4.map(IpAddr::V4) == Some(to));
            if index != from && addressed {
                let mut frame = frame.to_vec();
                if to.is_some() {
                    frame[..6].copy_from_slice(&state.mac.0);
                }
                machine.deliver(name, frame);
            }
        }
    }
}

impl Fake {
    fn machine<R>(&self, f: impl FnOnce(&mut Machine) -> R) -> R {
        f(&mut self.net.borrow_mut().machines[self.index])
    }
}

/// Whether a frame asks for an address.
pub(crate) fn asks_for(frame: &[u8], address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => frame.get(38..42) == Some(&ip.octets()[..]),
        IpAddr::V6(ip) => frame.get(62..78) == Some(&ip.octets()[..]),
    }
}

impl Platform for Fake {
    fn fd(&self) -> RawFd {
        -1
    }

    fn now(&self) -> Instant {
        self.net.borrow().clock.get()
    }

    fn since_epoch(&self) -> Option<Duration> {
        let right = 1_796_000_000_000_000 + self.now().as_micros();
        let micros = right.saturating_add_signed(self.machine(|m| m.clock_ahead) * 1_000_000);
        Some(Duration::from_micros(micros))
    }

    fn is_clock_synchronised(&self) -> bool {
        !self.machine(|m| m.unsynchronised)
    }

    fn set_wakeup(&mut self, at: Option<Instant>) -> io::Result<()> {
        self.machine(|m| {
            m.timer.set_host(at);
            m.arm();
        });
        Ok(())
    }

    fn wakeup(&self) -> Option<Instant> {
        self.machine(|m| m.timer.armed())
    }

    fn receive(&mut self, sink: &mut dyn FnMut(Incoming<'_>)) -> io::Result<()> {
        let now = self.now();
        let (facts, lost, frames) = self.machine(|m| {
            m.timer.expired(now);
            m.timer.set_own(None);
            let notices = std::mem::take(&mut m.notices);
            let (due, later): (VecDeque<_>, _) =
                notices.into_iter().partition(|(at, _)| *at <= now);
            m.notices = later;
            let noticed = due.into_iter().map(|(_, host_if)| host_if);
            let facts = std::mem::take(&mut m.unreported);
            let facts: Vec<_> = facts
                .into_iter()
                .chain(noticed)
                .filter_map(|host_if| {
                    let name = m.watched.get(&host_if)?;
                    let state = m.interfaces.get(name).copied().unwrap_or_default();
                    Some((host_if, state))
                })
                .collect();
            // Bounded, so that a host has to come back for the rest.
            let many = m.inbox.len().min(32);
            let frames: Vec<_> = m.inbox.drain(..many).collect();
            m.disturb();
            m.arm();
            (facts, std::mem::take(&mut m.lost), frames)
        });
        for (host_if, state) in facts {
            sink(Incoming::Interface { host_if, state });
        }
        for failure in lost {
            sink(Incoming::Lost(failure));
        }
        for (name, frame) in frames {
            let host_if = self.machine(|m| {
                let mut watched = m.watched.iter();
                watched.find_map(|(&host_if, watched)| (*watched == name).then_some(host_if))
            });
            if let Some(host_if) = host_if {
                let frame = &frame[..];
                sink(Incoming::Frame { host_if, frame });
            }
        }
        Ok(())
    }

    fn watch(&mut self, host_if: HostIf, name: &str) -> Result<(), PlatformError> {
        self.machine(|m| {
            m.attempt(format!("watch {name}"), Call::Watch(name.to_owned()))?;
            let twice = m.watched.values().any(|watched| watched == name);
            assert!(!twice, "{name} is watched already");
            m.watched.insert(host_if, name.to_owned());
            m.unreported.push(host_if);
            m.timer.set_armed(Some(Instant::default()));
            Ok(())
        })
    }

    fn unwatch(&mut self, host_if: HostIf) {
        self.machine(|m| {
            let name = m.watched.remove(&host_if).expect("it was watched");
            m.groups.retain(|(at, _)| *at != host_if);
            m.calls.push(Call::Unwatch(name));
            m.disturb();
        });
    }

    fn prepare(&mut self, setup: &VrSetup) -> Result<(), PlatformError> {
        self.machine(|m| {
            let name = m.name(HostIf::of(setup.key));
            m.attempt(
                format!("prepare {name} {}", setup.key.vrid),
                Call::Prepare(setup.clone()),
            )?;
            m.prepared.insert(setup.key);
            Ok(())
        })
    }

    fn release(&mut self, key: VrKey) {
        self.machine(|m| {
            m.calls.push(Call::Release(key.vrid.get()));
            m.spend("release");
            m.prepared.remove(&key);
            m.disturb();
        });
    }

    fn transmit(&mut self, transmit: &Transmit<'_>) {
        let key = transmit.key;
        let vrid = key.vrid.get();
        let message = &transmit.frame[usize::from(transmit.payload_offset)..];
        let call = match transmit.kind {
            FrameKind::Advertisement => Call::Advert(vrid, message[2]),
            FrameKind::GratuitousArp | FrameKind::UnsolicitedNa => Call::Announce(vrid),
            FrameKind::ArpReply | FrameKind::NaReply => Call::Answer(vrid),
            FrameKind::NeighborProbe => panic!("a probe goes the way of probes"),
        };
        let name = self.machine(|m| {
            if let Call::Advert(vrid, priority) = call {
                m.adverts.push((m.clock.get(), vrid, priority));
                m.number = seconds_of_trailer(message);
            }
            if transmit.frame[..6] == transmit.frame[6..12] {
                m.to_itself.push(transmit.frame.to_vec());
            } else {
                m.calls.push(call);
            }
            m.disturb();
            m.name(HostIf::of(key))
        });
        let mut net = self.net.borrow_mut();
        net.broadcast(self.index, &name, transmit.frame, transmit.unicast);
    }

    fn announce(&mut self, host_if: HostIf, frame: &[u8]) {
        let name = self.machine(|m| {
            let name = m.name(host_if);
            m.announced.push((name.clone(), frame.to_vec()));
            name
        });
        let mut net = self.net.borrow_mut();
        net.broadcast(self.index, &name, frame, None);
    }

    fn probe(&mut self, host_if: HostIf, frame: &[u8]) {
        self.machine(|m| {
            let name = m.name(host_if);
            let is_before_takeover = match frame[12..14] {
                [0x08, 0x06] => frame[28..32] == [0; 4],
                _ => frame[22..38] == [0; 16],
            };
            let probes = match is_before_takeover {
                true => &mut m.probes_before_takeover,
                false => &mut m.probes,
            };
            probes.push((m.clock.get(), frame.to_vec()));
            let Some((mac, addresses)) = m.stranger.clone() else {
                return;
            };
            for address in addresses.into_iter().filter(|a| asks_for(frame, *a)) {
                let IpAddr::V4(ip) = address else {
                    continue;
                };
                let mut buf = [0; 64];
                let emitted = vrrp_core::wire::arp::emit_gratuitous(&mut buf, mac, ip);
                buf[21] = 2;
                m.deliver(&name, buf[..emitted.expect("room").len].to_vec());
            }
        });
    }

    fn flush(&mut self) {
        self.machine(Machine::disturb);
    }

    fn set_mac(&mut self, key: VrKey, mac: MacAddr, on: bool) -> Result<(), PlatformError> {
        assert_eq!(mac, key.virtual_mac());
        let vrid = key.vrid.get();
        self.machine(|m| {
            let result = m.attempt(format!("set MAC {vrid}"), Call::Mac(vrid, on));
            if !on {
                m.macs.remove(&key);
            } else if result.is_ok() {
                m.macs.insert(key);
            }
            result
        })
    }

    fn set_address(
        &mut self,
        key: VrKey,
        address: VirtualAddress,
        _accept: bool,
        on: bool,
    ) -> Result<(), PlatformError> {
        let address = address.address;
        self.machine(|m| {
            let result = m.attempt(format!("set address {address}"), Call::Address(address, on));
            if !on {
                // A removal that fails is tried again, by the platform.
                m.holders.remove(&(address, key));
                m.addresses = m.holders.iter().map(|holder| holder.0).collect();
            } else if result.is_ok() {
                m.holders.insert((address, key));
                m.addresses.insert(address);
            }
            result
        })
    }

    fn set_group(
        &mut self,
        host_if: HostIf,
        family: Family,
        on: bool,
    ) -> Result<(), PlatformError> {
        self.machine(|m| {
            let name = m.name(host_if);
            let call = Call::Group(name.clone(), family, on);
            let result = m.attempt(format!("set group {name}"), call);
            if !on {
                // A kernel always lets go of them.
                m.groups.remove(&(host_if, family));
            } else if result.is_ok() {
                m.groups.insert((host_if, family));
            }
            result
        })
    }

    fn mac_interface(&self, key: VrKey) -> Option<String> {
        Some(format!("vr{}", key.vrid))
    }

    fn mac_was_reached(&self, _: VrKey) -> Option<bool> {
        self.machine(|m| m.reached)
    }

    fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        self.machine(|m| list.extend_from_slice(&m.warnings));
    }
}

/// The seconds in the number of a message for one IPv4 address. `None`: it is not signed.
fn seconds_of_trailer(message: &[u8]) -> Option<u32> {
    let octets = message.get(12..)?.get(4..8)?;
    Some(u32::from_be_bytes(octets.try_into().ok()?))
}
