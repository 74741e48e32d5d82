//! A host: a port, a clock that is not quite right, a queue of frames that nobody has read yet, and
//! the ways in which it can fail.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use vrrp_core::wire::{Claim, ethernet, ipv4, ipv6};
use vrrp_core::{
    Duration, Failure, Family, Instant, InterfaceState, MacAddr, Priority, StateChange, Status,
    VrKey, WallClock,
};

use crate::client;
use crate::config::Config;
use crate::lan::Micros;
use crate::plan::{Admin, Fault};
use crate::port::{self, Checked, Engine, Port, Sent};
use crate::rng::{Draw, Rng};
use crate::world::asked;

/// Frames that wait for a host that does not read them; further ones are lost.
const QUEUE: usize = 256;
/// The right wall clock at time 0, in microseconds: 2026-11-30.
pub(crate) const EPOCH: u64 = 1_796_000_000_000_000;
/// The seconds of Unix time at a moment of true time.
pub(crate) fn right_seconds(now: Micros) -> u64 {
    (EPOCH + now) / 1_000_000
}

/// A step of the wall clock that every window has room for, in microseconds.
pub(crate) const SMALL_STEP: u64 = 1_000_000;
/// How late a host wakes at best.
const PROMPT: Micros = 60;

/// Whether a host runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Power {
    On,
    /// The daemon does not run; the kernel does.
    Frozen,
    Suspended,
    Off,
}

/// The operator's wish for a virtual router, which outlives a crash.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) config: Config,
    pub(crate) enabled: bool,
}

pub(crate) struct Host {
    number: usize,
    power: Power,
    port: Port,
    interfaces: Vec<InterfaceState>,
    pub(crate) wishes: BTreeMap<VrKey, Wish>,
    /// The operator's calls to a host that did not run.
    waiting: Vec<(VrKey, Admin)>,
    tracks: BTreeMap<u16, bool>,
    queue: VecDeque<(u32, Vec<u8>)>,
    drift: i64,
    /// How far its wall clock is ahead of true time, at the start and now, and whether it says to be
    /// synchronised.
    first_skew: i64,
    skew: i64,
    synchronised: bool,
    late: Micros,
    failing: u64,
    /// Effects have failed since the last time that it was healthy.
    pub(crate) has_failed: bool,
    wake_at: Option<Micros>,
    rng: Rng,
}

impl Host {
    pub(crate) fn new(number: usize, lans: usize, (drift, skew): (i64, i64), rng: Rng) -> Self {
        let interfaces = (0..lans).map(|lan| {
            let mac = MacAddr([2, 0, 0, lan as u8, 0, number as u8 + 1]);
            port::interface(mac, number as u8 + 1)
        });
        let mut host = Self {
            number,
            power: Power::On,
            port: Port::new(),
            interfaces: interfaces.collect(),
            wishes: BTreeMap::new(),
            waiting: Vec::new(),
            tracks: BTreeMap::new(),
            queue: VecDeque::new(),
            drift,
            first_skew: skew,
            skew,
            synchronised: true,
            late: 0,
            failing: 0,
            has_failed: false,
            wake_at: None,
            rng,
        };
        host.describe_interfaces(0);
        host
    }

    pub(crate) fn power(&self) -> Power {
        self.power
    }

    /// Effects fail or it wakes late: nothing can be promised.
    pub(crate) fn is_unfit(&self) -> bool {
        self.failing > 0 || self.late > 0
    }

    pub(crate) fn engine(&self) -> &Engine {
        self.port.engine()
    }

    pub(crate) fn status(&self, key: VrKey) -> Option<Status> {
        self.port.engine().status(key)
    }

    pub(crate) fn mac(&self, lan: usize) -> MacAddr {
        self.interfaces[lan].mac
    }

    pub(crate) fn carrier(&self, lan: usize) -> bool {
        self.interfaces[lan].up && self.power != Power::Off
    }

    pub(crate) fn has_address(&self, lan: usize, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(v4) => self.interfaces[lan].ipv4 == Some(v4),
            IpAddr::V6(v6) => self.interfaces[lan].ipv6 == Some(v6),
        }
    }

    /// Whether it advertises a virtual router from this address.
    pub(crate) fn advertises_from(&self, key: VrKey, address: IpAddr) -> bool {
        let chosen = self.wishes.get(&key).and_then(|wish| wish.config.source);
        let lan = key.ifindex as usize - 1;
        chosen.map_or_else(
            || self.has_address(lan, address),
            |source| source == address,
        )
    }

    /// Whether it has the address by which unicast peers were told of it.
    pub(crate) fn is_where_peers_think(&self, lan: usize) -> bool {
        let told = port::interface(self.mac(lan), self.number as u8 + 1);
        self.interfaces[lan].ipv4 == told.ipv4 && self.interfaces[lan].ipv6 == told.ipv6
    }

    /// Whether nothing of the host itself keeps this virtual router from taking part.
    pub(crate) fn is_able(&self, key: VrKey) -> bool {
        let interface = &self.interfaces[key.ifindex as usize - 1];
        let first = match key.family {
            Family::Ipv4 => interface.ipv4.is_some(),
            Family::Ipv6 => interface.ipv6.is_some(),
        };
        let faulty = |config: &Config| {
            config.tracks.iter().any(|t| {
                t.effect == vrrp_core::TrackEffect::Fault
                    && self.tracks.get(&t.object) == Some(&false)
            })
        };
        let wish = self.wishes.get(&key);
        self.power == Power::On
            && interface.up
            && (first || wish.is_some_and(|w| w.config.source.is_some()))
            && wish.is_some_and(|w| w.enabled && !faulty(&w.config))
    }

    pub(crate) fn take_changes(&mut self) -> Vec<(Instant, StateChange)> {
        std::mem::take(&mut self.port.changes)
    }

    /// The host's own clock, which began at another time than true time.
    fn clock(&self, now: Micros) -> Instant {
        let ran = i128::from(now) * i128::from(1_000_000 + self.drift) / 1_000_000;
        Instant::from_micros(ran as u64 + 1_000_000 * (self.number as u64 + 1))
    }

    /// Whether its wall clock is as right as at the start.
    pub(crate) fn has_right_clock(&self) -> bool {
        self.synchronised && self.skew.abs_diff(self.first_skew) <= SMALL_STEP
    }

    /// The fault that sets its wall clock right.
    pub(crate) fn set_clock_right(&self) -> Fault {
        Fault::Clock(self.first_skew, true)
    }

    /// Tells the engine what the wall clock says.
    fn tell_wall_clock(&mut self, now: Micros) {
        let since_epoch = EPOCH.saturating_add(now).saturating_add_signed(self.skew);
        let wall = WallClock {
            since_epoch: Duration::from_micros(since_epoch),
            synchronised: self.synchronised,
        };
        let clock = self.clock(now);
        self.port.engine_mut().set_wall_clock(clock, Some(wall));
    }

    /// The first moment of true time at which the host's clock shows `at`.
    fn true_time(&self, at: Instant) -> Micros {
        let ran = at
            .as_micros()
            .saturating_sub(1_000_000 * (self.number as u64 + 1));
        let rate = i128::from(1_000_000 + self.drift);
        ((i128::from(ran) * 1_000_000 + rate - 1) / rate) as u64
    }

    /// When to wake it, unless that is known already.
    pub(crate) fn next_wake(&mut self, now: Micros) -> Option<Micros> {
        if self.power != Power::On {
            return None;
        }
        let mut at = match self.queue.is_empty() {
            false => now,
            true => self.true_time(self.port.engine().poll_timeout()?).max(now),
        };
        if self
            .wake_at
            .is_some_and(|planned| planned > now && planned <= at + PROMPT)
        {
            return None;
        }
        at += self.rng.between(1, PROMPT);
        if self.late > 0 {
            at += self.rng.below(self.late);
            if self
                .wake_at
                .is_some_and(|planned| planned > now && planned <= at)
            {
                return None;
            }
        }
        self.wake_at = Some(at);
        Some(at)
    }

    pub(crate) fn is_time(&self, now: Micros) -> bool {
        self.power == Power::On && self.wake_at == Some(now)
    }

    /// Reads what has arrived, then handles what is due.
    pub(crate) fn wake(&mut self, now: Micros) -> Checked<Vec<Sent>> {
        self.wake_at = None;
        self.tell_wall_clock(now);
        let clock = self.clock(now);
        while let Some((ifindex, frame)) = self.queue.pop_front() {
            let opened = self.rng.chance(300_000);
            let _ = self.port.receive(clock, ifindex, &frame, opened)?;
        }
        self.settle(now)
    }

    fn settle(&mut self, now: Micros) -> Checked<Vec<Sent>> {
        let clock = self.clock(now);
        let (failing, rng) = (self.failing, &mut self.rng);
        let before = self.port.failures;
        let sent = self
            .port
            .settle(clock, &mut || failing > 0 && rng.chance(failing))?;
        self.has_failed |= self.port.failures > before;
        Ok(sent)
    }

    /// Does what the network card and the kernel do with a frame. Gives an answer that needs no daemon.
    pub(crate) fn frame_arrives(&mut self, lan: usize, frame: &[u8]) -> Option<Vec<u8>> {
        let view = ethernet::View::new(frame)?;
        let held = self.held_mac(lan, view.destination());
        let taken = held || self.is_for_us(lan, view.destination());
        if !taken || !self.carrier(lan) {
            return None;
        }
        let running = self.power == Power::On || self.power == Power::Frozen;
        let ifindex = lan as u32 + 1;
        let bytes = view.payload();
        let vrrp = match view.ethertype() {
            ethernet::IPV4 => ipv4::protocol_of(bytes) == Some(112),
            ethernet::IPV6 => ipv6::next_header_of(bytes) == Some(112),
            _ => false,
        };
        if vrrp {
            if self.queue.len() < QUEUE {
                self.queue.push_back((ifindex, frame.to_vec()));
            }
            return None;
        }
        if !running {
            return None;
        }
        if self.power == Power::On
            && let Some(claim) = Claim::new(frame)
        {
            let _ = self.port.engine_mut().handle_claim(ifindex, &claim);
        }
        if let Some(address) = asked(frame) {
            let serving = self.port.held().iter().find(|(key, held)| {
                key.ifindex == ifindex && held.addresses.contains_key(&address)
            });
            let mac = serving.map(|(key, held)| match held.mac {
                true => key.virtual_mac(),
                false => self.interfaces[lan].mac,
            })?;
            let reached = view.destination() == mac;
            return reached
                .then(|| client::answer(self.number as u8, mac.0, frame))
                .flatten();
        }
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        let answer = self.port.engine().answer(ifindex, frame, &mut buf)?;
        Some(answer.frame.to_vec())
    }

    fn held_mac(&self, lan: usize, mac: MacAddr) -> bool {
        let ours = |(key, held): (&VrKey, &port::Held)| {
            key.ifindex == lan as u32 + 1 && held.mac && key.virtual_mac() == mac
        };
        self.port.held().iter().any(ours)
    }

    fn is_for_us(&self, lan: usize, mac: MacAddr) -> bool {
        let joined = |family: Family| {
            family.group_mac() == mac && self.port.groups().contains(&(lan as u32 + 1, family))
        };
        let node_group = mac.0[..3] == [0x33, 0x33, 0xff] || mac.0 == [0x33, 0x33, 0, 0, 0, 1];
        mac == self.interfaces[lan].mac
            || mac == MacAddr::BROADCAST
            || node_group
            || joined(Family::Ipv4)
            || joined(Family::Ipv6)
    }

    /// Does what the operator says. What the engine refuses is the operator's mistake.
    pub(crate) fn operate(&mut self, now: Micros, key: VrKey, admin: &Admin) -> Checked<Vec<Sent>> {
        match self.power {
            Power::On => {}
            Power::Off => {
                self.wish(key, admin);
                return Ok(Vec::new());
            }
            Power::Frozen | Power::Suspended => {
                self.waiting.push((key, admin.clone()));
                return Ok(Vec::new());
            }
        }
        self.tell_wall_clock(now);
        let clock = self.clock(now);
        let engine = self.port.engine_mut();
        let done = match admin {
            Admin::Insert(config) => self.port.insert(clock, key, config).is_ok(),
            Admin::Reconfigure(config) => self.port.reconfigure(clock, key, config).is_ok(),
            Admin::Enable(on) => engine.admin(clock).set_enabled(key, *on).is_ok(),
            Admin::Remove => self.port.remove(clock, key).is_ok(),
            Admin::Priority(value) => {
                let value = value.and_then(Priority::new);
                engine.admin(clock).set_priority(key, value).is_ok()
            }
            Admin::Resign => engine.admin(clock).resign(key).is_ok(),
            Admin::UndoMac | Admin::UndoAddress(_) | Admin::UndoGroup => {
                self.undo(clock, key, admin);
                false
            }
        };
        if done {
            self.wish(key, admin);
        }
        if matches!(admin, Admin::Insert(_) | Admin::Reconfigure(_)) {
            self.tell_tracks(clock);
        }
        self.settle(now)
    }

    fn undo(&mut self, clock: Instant, key: VrKey, admin: &Admin) {
        let failure = match admin {
            Admin::UndoMac => Failure::Mac { key },
            Admin::UndoAddress(place) => {
                let address = self.port.engine().addresses(key).nth(*place);
                let Some(address) = address else { return };
                Failure::Address {
                    key,
                    address: address.address,
                }
            }
            _ => Failure::Group {
                ifindex: key.ifindex,
                family: key.family,
            },
        };
        self.has_failed = true;
        self.port.undo(clock, failure);
    }

    fn wish(&mut self, key: VrKey, admin: &Admin) {
        match admin {
            Admin::Insert(config) => {
                let config = Config::clone(config);
                self.wishes.entry(key).or_insert(Wish {
                    config,
                    enabled: false,
                });
            }
            Admin::Reconfigure(config) => {
                if let Some(wish) = self.wishes.get_mut(&key) {
                    wish.config = Config::clone(config);
                }
            }
            Admin::Enable(on) => {
                if let Some(wish) = self.wishes.get_mut(&key) {
                    wish.enabled = *on;
                }
            }
            Admin::Remove => {
                self.wishes.remove(&key);
            }
            _ => {}
        }
    }

    pub(crate) fn fault(&mut self, now: Micros, fault: &Fault) -> Checked<Vec<Sent>> {
        let clock = self.clock(now);
        match *fault {
            Fault::Freeze if self.power == Power::On => self.power = Power::Frozen,
            Fault::Suspend if self.power == Power::On => self.power = Power::Suspended,
            Fault::Thaw => return self.thaw(now),
            Fault::Crash => self.crash(),
            Fault::Restart if self.power == Power::Off => self.restart(now),
            Fault::Carrier(lan, up) => self.interfaces[lan].up = up,
            Fault::Source(lan, number) => {
                let described = number.map(|n| port::interface(self.interfaces[lan].mac, n));
                self.interfaces[lan].ipv4 = described.and_then(|d| d.ipv4);
                self.interfaces[lan].ipv6 = described.and_then(|d| d.ipv6);
            }
            Fault::Track(object, up) => {
                self.tracks.insert(object, up);
            }
            Fault::Effects(failing) => self.failing = failing,
            Fault::Late(most) => self.late = most,
            Fault::Clock(skew, synchronised) => {
                (self.skew, self.synchronised) = (skew, synchronised);
                self.port.forget_numbers();
            }
            _ => {}
        }
        if self.power != Power::On {
            return Ok(Vec::new());
        }
        match *fault {
            Fault::Carrier(..) | Fault::Source(..) => self.describe_interfaces(now),
            Fault::Clock(..) => self.tell_wall_clock(now),
            Fault::Track(object, up) => self.port.engine_mut().admin(clock).set_tracked(object, up),
            _ => {}
        }
        // An input alone: timers are handled when the host wakes.
        let (failing, rng) = (self.failing, &mut self.rng);
        self.port
            .perform(clock, &mut || failing > 0 && rng.chance(failing))
    }

    fn describe_interfaces(&mut self, now: Micros) {
        let clock = self.clock(now);
        for (lan, state) in self.interfaces.iter().enumerate() {
            let described = self
                .port
                .engine_mut()
                .set_interface(clock, lan as u32 + 1, *state);
            debug_assert!(described.is_ok(), "there is room for every segment");
        }
    }

    fn tell_tracks(&mut self, clock: Instant) {
        for (object, up) in &self.tracks {
            self.port
                .engine_mut()
                .admin(clock)
                .set_tracked(*object, *up);
        }
    }

    /// Runs on: what has arrived is read before anything else happens.
    fn thaw(&mut self, now: Micros) -> Checked<Vec<Sent>> {
        if self.power != Power::Frozen && self.power != Power::Suspended {
            return Ok(Vec::new());
        }
        self.power = Power::On;
        let mut sent = self.wake(now)?;
        self.describe_interfaces(now);
        let clock = self.clock(now);
        self.tell_tracks(clock);
        sent.extend(self.settle(now)?);
        for (key, admin) in std::mem::take(&mut self.waiting) {
            sent.extend(self.operate(now, key, &admin)?);
        }
        Ok(sent)
    }

    fn crash(&mut self) {
        for (key, admin) in std::mem::take(&mut self.waiting) {
            self.wish(key, &admin);
        }
        self.power = Power::Off;
        self.port = Port::new();
        self.queue.clear();
        self.wake_at = None;
    }

    fn restart(&mut self, now: Micros) {
        self.power = Power::On;
        self.has_failed = false;
        self.describe_interfaces(now);
        self.tell_wall_clock(now);
        let clock = self.clock(now);
        for (key, wish) in &self.wishes {
            let inserted = self.port.insert(clock, *key, &wish.config);
            debug_assert!(inserted.is_ok(), "it was accepted before");
            for (object, up) in &self.tracks {
                self.port
                    .engine_mut()
                    .admin(clock)
                    .set_tracked(*object, *up);
            }
            let enabled = self
                .port
                .engine_mut()
                .admin(clock)
                .set_enabled(*key, wish.enabled);
            debug_assert!(enabled.is_ok(), "it was just inserted");
        }
    }
}
