//! The simulation itself: a queue of events in true time, hosts with clocks of their own, and the
//! segments between them. Time jumps from event to event.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;

use vrrp_core::{Duration, State, TrackEffect, Version};

use crate::client::{self, Client};
use crate::host::{self, Host, Power};
use crate::intruder;
use crate::lan::{Arrival, Lan, Micros, Node};
use crate::plan::{Fault, Group, Op, Plan};
use crate::port::{Checked, Sent, Violation};
use crate::rng::{Draw, Rng};

/// Advertisements that an attacker has recorded at most.
const RECORDED: usize = 4_096;
/// The age at which every window is over, whatever the clocks.
const STALE: Micros = 20_000_000;

/// A run of the plan that ended well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Simulated time.
    pub time: Micros,
    /// Events that were handled.
    pub events: u64,
    /// Changes of state.
    pub changes: u64,
    /// Advertisements and announcements that were sent.
    pub frames: u64,
    /// Frames that an attacker without the key sent.
    pub attacks: u64,
    /// Virtual routers of a partition that were checked after they had come to rest.
    pub verdicts: u64,
}

/// The next event somewhere.
enum Event {
    Arrive(Arrival),
    Wake(usize),
    Ask(usize),
    Op(usize),
    /// A virtual router has had its time since it was disturbed at this moment.
    Rest(usize, Micros),
}

/// The network while the story is told.
pub(crate) struct World<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) now: Micros,
    pub(crate) lans: Vec<Lan>,
    pub(crate) hosts: Vec<Host>,
    pub(crate) clients: Vec<Client>,
    /// When something was last done to the network.
    pub(crate) disturbed: Micros,
    /// For each group the longest interval, preempt and start delay that it ever had.
    pub(crate) slowest: Vec<Slowest>,
    /// The advertisements that each client heard, with their times: what an attacker has recorded.
    recorded: Vec<VecDeque<(Micros, Rc<[u8]>)>>,
    /// Everything has come to rest: nothing may change until the next disturbance.
    at_rest: bool,
    events: BinaryHeap<Reverse<(Micros, u64)>>,
    bodies: BTreeMap<u64, Event>,
    next_event: u64,
    rng: Rng,
    pub(crate) outcome: Outcome,
}

/// The bounds of the time that a group may take to come to rest.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Slowest {
    pub(crate) interval: Duration,
    pub(crate) preempt_delay: Duration,
    pub(crate) start_delay: Duration,
    /// The interval that a handover allows for: in whole seconds where version 2 is spoken.
    pub(crate) handover: Duration,
    /// The time that hosts which stand back may take: the longest pause between offers, and an offer.
    pub(crate) offers: Duration,
}

impl Slowest {
    fn note(&mut self, config: &crate::config::Config) {
        self.interval = self
            .interval
            .max(config.settings.advert_interval.duration());
        self.preempt_delay = self.preempt_delay.max(config.settings.preempt_delay);
        self.start_delay = self.start_delay.max(config.settings.start_delay);
        let handover = match config.settings.version {
            Version::V3 => config.settings.advert_interval.duration(),
            Version::V2 | Version::Both => {
                Duration::from_secs(config.settings.advert_interval.as_secs_rounded_up().into())
            }
        };
        self.handover = self.handover.max(handover);
        let mut tracks = config.tracks.iter();
        if tracks.any(|t| t.effect == TrackEffect::StandBack) {
            let interval = config.settings.advert_interval.duration().as_micros();
            let pause = (10 * interval).max(5_000_000);
            self.offers = self.offers.max(Duration::from_micros(pause + 4 * interval));
        }
    }
}

/// Tells the plan's story, to its end or to the first rule that is broken.
///
/// # Errors
/// The rule and the time in microseconds.
pub fn run(plan: &Plan) -> Result<Outcome, (Micros, Violation)> {
    let mut world = World::new(plan);
    world.run().map_err(|violation| (world.now, violation))?;
    world.outcome.time = plan.end;
    Ok(world.outcome)
}

impl<'a> World<'a> {
    fn new(plan: &'a Plan) -> Self {
        let mut rng = Rng::new(plan.seed ^ 0x6c61_6e73);
        let lans = plan.lans.iter().enumerate().map(|(number, switches)| {
            let mut stations: Vec<(Node, usize)> = (0..plan.hosts)
                .map(|host| (Node::Host(host), host % switches))
                .collect();
            stations.push((Node::Client(number), switches - 1));
            Lan::new(number, *switches, &stations)
        });
        let lans: Vec<Lan> = lans.collect();
        let mut clients: Vec<Client> = (0..lans.len()).map(|n| Client::new(n as u8)).collect();
        for (_, op) in &plan.ops {
            if let Op::Admin(_, group, crate::plan::Admin::Insert(config)) = op {
                let lan = plan.groups[*group].lan;
                for a in &config.addresses {
                    clients[lan].targets.entry(a.address).or_default();
                }
            }
        }
        let hosts = (0..plan.hosts).map(|number| {
            let drift = plan.drift.get(number).copied().unwrap_or(0);
            let skew = plan.skew.get(number).copied().unwrap_or(0);
            Host::new(number, plan.lans.len(), (drift, skew), rng.fork())
        });
        let hosts = hosts.collect();
        let recorded = lans.iter().map(|_| VecDeque::new()).collect();
        let mut world = Self {
            plan,
            now: 0,
            lans,
            hosts,
            clients,
            disturbed: 0,
            slowest: vec![Slowest::default(); plan.groups.len()],
            recorded,
            at_rest: false,
            events: BinaryHeap::new(),
            bodies: BTreeMap::new(),
            next_event: 0,
            rng,
            outcome: Outcome::default(),
        };
        for (index, (at, _)) in plan.ops.iter().enumerate() {
            world.schedule(*at, Event::Op(index));
        }
        for client in 0..world.clients.len() {
            world.schedule(1_000 + client as u64, Event::Ask(client));
        }
        world
    }

    fn schedule(&mut self, at: Micros, event: Event) {
        self.events.push(Reverse((at, self.next_event)));
        self.bodies.insert(self.next_event, event);
        self.next_event += 1;
    }

    fn run(&mut self) -> Checked {
        while let Some(Reverse((at, number))) = self.events.pop() {
            if at > self.plan.end {
                break;
            }
            self.now = at;
            self.outcome.events += 1;
            match self.bodies.remove(&number) {
                Some(Event::Arrive(arrival)) => self.arrive(arrival)?,
                Some(Event::Wake(host)) => self.wake(host)?,
                Some(Event::Ask(client)) => self.ask(client),
                Some(Event::Op(index)) => self.operate(index)?,
                Some(Event::Rest(group, disturbed)) => self.rest(group, disturbed)?,
                None => {}
            }
        }
        Ok(())
    }

    fn arrive(&mut self, arrival: Arrival) -> Checked {
        let lan = arrival.lan;
        match self.lans[lan].links[arrival.link].ends[arrival.end] {
            Node::Switch(_) => {
                let next = self.lans[lan].forward(self.now, &arrival, &mut self.rng);
                self.arrivals(next);
            }
            Node::Client(client) => {
                if intruder::is_advertisement(&arrival.frame) {
                    let recorded = &mut self.recorded[client];
                    recorded.push_back((self.now, arrival.frame.clone()));
                    if recorded.len() > RECORDED {
                        recorded.pop_front();
                    }
                }
                if let Some(reply) = self.clients[client].receive(&arrival.frame) {
                    self.send(lan, Node::Client(client), reply);
                }
            }
            Node::Host(host) => {
                if let Some(reply) = self.hosts[host].frame_arrives(lan, &arrival.frame) {
                    self.send(lan, Node::Host(host), reply);
                }
                self.plan_wake(host);
            }
        }
        Ok(())
    }

    fn ask(&mut self, client: usize) {
        for frame in self.clients[client].ask() {
            self.send(client, Node::Client(client), frame);
        }
        self.schedule(self.now + self.plan.ask_every, Event::Ask(client));
    }

    /// Puts a frame on a segment.
    fn send(&mut self, lan: usize, from: Node, frame: Vec<u8>) {
        let frame: Rc<[u8]> = frame.into();
        let arrivals = self.lans[lan].send(self.now, from, frame, &mut self.rng);
        self.arrivals(arrivals);
    }

    fn arrivals(&mut self, arrivals: Vec<(Micros, Arrival)>) {
        for (at, arrival) in arrivals {
            self.schedule(at, Event::Arrive(arrival));
        }
    }

    fn wake(&mut self, host: usize) -> Checked {
        if !self.hosts[host].is_time(self.now) {
            return Ok(());
        }
        let sent = self.hosts[host].wake(self.now).map_err(at_host(host))?;
        self.after(host, sent)
    }

    /// Handles the outputs of a host's engine after an input.
    fn after(&mut self, host: usize, sent: Vec<Sent>) -> Checked {
        self.outcome.frames += sent.len() as u64;
        for sent in sent {
            let lan = sent.ifindex as usize - 1;
            let mut frame = sent.frame;
            if let Some(peer) = sent.unicast {
                let mac = self.mac_of(lan, peer);
                frame[..6].copy_from_slice(&mac);
            }
            if self.hosts[host].carrier(lan) {
                self.send(lan, Node::Host(host), frame);
            }
        }
        let changes = self.hosts[host].take_changes();
        self.outcome.changes += changes.len() as u64;
        if let (true, Some(change)) = (self.at_rest, changes.first()) {
            return Err(Violation {
                rule: "nothing changes without a cause",
                seen: format!("host {host}: {change:?}"),
            });
        }
        self.plan_wake(host);
        Ok(())
    }

    /// The MAC of a unicast peer, as if by ARP.
    fn mac_of(&self, lan: usize, peer: IpAddr) -> [u8; 6] {
        let host = self.hosts.iter().find(|h| h.has_address(lan, peer));
        host.map_or([2, 0xee, 0, 0, 0, 0], |h| h.mac(lan).0)
    }

    fn plan_wake(&mut self, host: usize) {
        if let Some(at) = self.hosts[host].next_wake(self.now) {
            self.schedule(at, Event::Wake(host));
        }
    }

    fn operate(&mut self, index: usize) -> Checked {
        let op = &self.plan.ops[index].1;
        if *op == Op::Expect {
            if self.expect()? {
                self.at_rest = true;
            }
            return Ok(());
        }
        if let Op::Attack(lan, frames, seed) = *op {
            self.attack(lan, frames, seed);
            return Ok(());
        }
        self.at_rest = false;
        self.disturbed = self.now;
        self.disturb(op)?;
        for group in 0..self.plan.groups.len() {
            let bound = self.bound(group);
            self.schedule(self.now + bound, Event::Rest(group, self.now));
        }
        Ok(())
    }

    /// The time of a virtual router is over, unless something has happened meanwhile.
    fn rest(&mut self, group: usize, disturbed: Micros) -> Checked {
        let bound = self.bound(group);
        match (self.disturbed == disturbed, self.now < disturbed + bound) {
            (false, _) => Ok(()),
            (true, true) => {
                self.schedule(disturbed + bound, Event::Rest(group, disturbed));
                Ok(())
            }
            (true, false) => self.expect_group(group).map(|_| ()),
        }
    }

    fn disturb(&mut self, op: &Op) -> Checked {
        match op {
            Op::Admin(host, group, admin) => {
                use crate::plan::Admin::{Insert, Reconfigure};
                if let Insert(config) | Reconfigure(config) = admin {
                    self.slowest[*group].note(config);
                }
                let key = self.plan.groups[*group].key();
                let sent = self.hosts[*host].operate(self.now, key, admin);
                self.after(*host, sent.map_err(at_host(*host))?)?;
            }
            Op::Fault(host, fault) => self.fault(*host, fault)?,
            Op::Cut(lan, link, end) => {
                if let Some(link) = self.lans[*lan].links.get_mut(*link) {
                    match end {
                        None => link.cut = [true; 2],
                        Some(end) => link.cut[*end] = true,
                    }
                }
            }
            Op::Mend(lan, link) => {
                if let Some(link) = self.lans[*lan].links.get_mut(*link) {
                    link.cut = [false; 2];
                }
            }
            Op::Noise(lan, noise) => self.lans[*lan].noise = *noise,
            Op::Intrude(lan, frames, seed) => self.intrude(*lan, *frames, *seed),
            Op::Heal => self.heal()?,
            Op::Attack(..) | Op::Expect => {}
        }
        Ok(())
    }

    fn fault(&mut self, host: usize, fault: &Fault) -> Checked {
        if let Fault::Carrier(lan, up) = fault
            && let Some(link) = self.lans[*lan].link_of(Node::Host(host))
        {
            self.lans[*lan].links[link].cut = [!*up; 2];
        }
        let sent = self.hosts[host].fault(self.now, fault);
        self.after(host, sent.map_err(at_host(host))?)
    }

    /// A stranger at the client's place sends what it likes.
    fn intrude(&mut self, lan: usize, frames: u32, seed: u64) {
        let mut rng = Rng::new(seed);
        let groups: Vec<Group> = self.plan.groups.to_vec();
        // The interval of a stranger is learned as anybody's.
        let claimed = Duration::from_centis(intruder::LONGEST_INTERVAL);
        for (group, slowest) in groups.iter().zip(&mut self.slowest) {
            if group.lan == lan {
                slowest.interval = slowest.interval.max(claimed);
            }
        }
        for _ in 0..frames {
            let frame = intruder::frame(&mut rng, lan, &groups);
            self.send(lan, Node::Client(lan), frame);
        }
    }

    /// Sends again, as they were or changed, advertisements that were recorded since everything is as it
    /// is now, or that were signed so long ago that they are stale. A host whose clock is wrong can be told
    /// lies, and what a clock that ran ahead has signed is fresh when that time comes: no receiver can
    /// tell, so neither is tried.
    fn attack(&mut self, lan: usize, frames: u32, seed: u64) {
        if !self.hosts.iter().all(Host::has_right_clock) {
            return;
        }
        let mut rng = Rng::new(seed);
        let since = self.at_rest.then_some(self.disturbed);
        let stale = host::right_seconds(self.now.saturating_sub(STALE));
        let recorded = self.recorded[lan].iter().filter(|(at, frame)| {
            since.is_some_and(|since| *at > since) || intruder::seconds_of(frame) < stale
        });
        let recorded: Vec<Rc<[u8]>> = recorded.map(|(_, frame)| frame.clone()).collect();
        for _ in 0..frames {
            let frame = match rng.chance(800_000) && !recorded.is_empty() {
                true => intruder::changed(&mut rng, &recorded),
                false => intruder::frame(&mut rng, lan, &self.plan.groups),
            };
            self.outcome.attacks += 1;
            self.send(lan, Node::Client(lan), frame);
        }
    }

    fn heal(&mut self) -> Checked {
        for lan in &mut self.lans {
            lan.heal();
        }
        for host in 0..self.hosts.len() {
            let right = self.hosts[host].set_clock_right();
            let mut faults = vec![right, Fault::Effects(0), Fault::Late(0)];
            match self.hosts[host].power() {
                Power::Off => faults.push(Fault::Restart),
                Power::Frozen | Power::Suspended => faults.push(Fault::Thaw),
                Power::On => {}
            }
            for lan in 0..self.lans.len() {
                faults.push(Fault::Carrier(lan, true));
                faults.push(Fault::Source(lan, Some(host as u8 + 1)));
            }
            faults.extend((0..4).map(|object| Fault::Track(object, true)));
            for fault in faults {
                self.fault(host, &fault)?;
            }
        }
        Ok(())
    }

    /// Which of the hosts run a virtual router as Active.
    pub(crate) fn actives(&self, group: &Group, hosts: &[usize]) -> Vec<usize> {
        let active = |host: &&usize| {
            let status = self.hosts[**host].status(group.key());
            let runs = self.hosts[**host].power() == Power::On;
            runs && status.is_some_and(|s| s.state == State::Active)
        };
        hosts.iter().filter(active).copied().collect()
    }
}

fn at_host(host: usize) -> impl Fn(Violation) -> Violation {
    move |mut violation| {
        violation.seen = format!("host {host}: {}", violation.seen);
        violation
    }
}

/// The answer that a host gives to a client's question, if the frame is one.
pub(crate) fn asked(frame: &[u8]) -> Option<IpAddr> {
    let ethertype = u16::from_be_bytes([*frame.get(12)?, *frame.get(13)?]);
    match ethertype == client::QUESTION {
        true => client::address_in(frame.get(14..)?),
        false => None,
    }
}
