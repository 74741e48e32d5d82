//! Synchronisation groups: hosts with an engine and the machine of a group each, joined by several
//! segments, on each of which every host has one member.
//!
//! Messages may be lost and late, a segment may be deaf in one direction between two hosts or in all, cables
//! are cut, hosts crash and return, members have faults, and administrators have a group resign. After each
//! step what must hold at any time is checked; once all is mended one host has every member.

pub mod model;

use std::rc::Rc;

use vrrp_core::group::{Group, Member};
use vrrp_core::{
    Engine, Family, FrameKind, Instant, InterfaceState, MacAddr, MacMode, Output, Poll, State,
    Status, VirtualAddress, VrKey, Vrid,
};

use crate::config::Config;

/// A member has an engine of its own: then its next deadline tells one state from another.
type Small = Engine<1, 1, 1>;

/// A host of the network.
#[derive(Clone, Debug)]
pub struct Host {
    members: Vec<Small>,
    group: Group,
    /// When the group is to be reviewed.
    review_at: Option<Instant>,
    /// Not crashed.
    pub runs: bool,
    /// For each segment, whether the cable is in.
    pub plugged: Vec<bool>,
    /// For each member, whether it has a fault of its own.
    pub faulty: Vec<bool>,
    /// The state of the group that the engine of each member was told.
    told: Vec<Option<State>>,
    /// When each member has advertised last.
    spoke: Vec<Option<Instant>>,
}

/// An advertisement on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// Its segment.
    pub segment: usize,
    /// Its sender.
    pub from: usize,
    /// Its receiver.
    pub to: usize,
    /// The frame.
    pub frame: Rc<[u8]>,
}

/// The network.
#[derive(Clone, Debug)]
pub struct Network {
    /// The hosts.
    pub hosts: Vec<Host>,
    /// One for each host and segment.
    pub configs: Vec<Vec<Config>>,
    /// For each segment, the pairs of hosts of which the second does not hear the first.
    pub silent: Vec<Vec<(usize, usize)>>,
    /// The time.
    pub now: Instant,
}

fn key(segment: usize) -> VrKey {
    VrKey {
        ifindex: 1,
        vrid: Vrid::new(segment as u8 + 1).unwrap_or_else(|| unreachable!("few segments")),
        family: Family::Ipv4,
    }
}

/// The interface of a host on a segment. On every other segment the addresses have another order, so that
/// equal priorities are decided differently.
fn interface(host: usize, segment: usize, up: bool) -> InterfaceState {
    let host = host as u8 + 1;
    let number = if segment.is_multiple_of(2) {
        host
    } else {
        100 - host
    };
    InterfaceState {
        up,
        mac: MacAddr([2, 0, 0, 0, segment as u8, host]),
        ipv4: Some([10, 0, segment as u8, number].into()),
        ipv6: None,
    }
}

/// The configuration of a member.
pub fn member(segment: usize, priority: u8, preempt: bool, mac_mode: MacMode) -> Config {
    let mut config = Config::new(vec![VirtualAddress {
        address: [10, 0, segment as u8, 200].into(),
        prefix_len: 24,
    }]);
    config.settings.priority = crate::port::priority(priority);
    config.settings.preempt = preempt;
    config.settings.mac_mode = mac_mode;
    config.settings.announce.repeats = 0;
    config
}

impl Network {
    /// A network of hosts that start now, with the configuration of each member.
    pub fn new(configs: Vec<Vec<Config>>) -> Self {
        let segments = configs.first().map_or(0, Vec::len);
        let host = |configs: &Vec<Config>| Host {
            members: Vec::new(),
            group: Group::new(),
            review_at: None,
            runs: false,
            plugged: vec![true; configs.len()],
            faulty: vec![false; configs.len()],
            told: Vec::new(),
            spoke: Vec::new(),
        };
        Self {
            hosts: configs.iter().map(host).collect(),
            configs,
            silent: vec![Vec::new(); segments],
            now: Instant::from_micros(1_000_000),
        }
    }

    /// The number of segments.
    pub fn segments(&self) -> usize {
        self.silent.len()
    }

    /// Starts a host that does not run. Returns what it sends.
    pub fn start(&mut self, host: usize) -> Vec<Message> {
        let now = self.now;
        let this = &mut self.hosts[host];
        this.runs = true;
        this.group = Group::new();
        this.review_at = None;
        this.told = vec![None; this.plugged.len()];
        this.spoke = vec![None; this.plugged.len()];
        this.members.clear();
        for (segment, config) in self.configs[host].iter().enumerate() {
            let mut engine = Small::new();
            let up = this.plugged[segment];
            let started = engine
                .set_interface(now, 1, interface(host, segment, up))
                .and_then(|()| {
                    engine
                        .admin(now)
                        .insert(key(segment), &config.as_vr_config())
                })
                .and_then(|()| {
                    // As a host that has not reviewed it yet.
                    let state = Some(State::Initialize);
                    engine.admin(now).set_group_state(key(segment), state)
                })
                .and_then(|()| engine.admin(now).set_enabled(key(segment), true));
            assert_eq!(started, Ok(()), "a sound configuration");
            this.members.push(engine);
        }
        self.settle(host)
    }

    /// A host is gone without a word.
    pub fn crash(&mut self, host: usize) {
        self.hosts[host].runs = false;
        self.hosts[host].members.clear();
        self.hosts[host].review_at = None;
    }

    /// Plugs a cable in, or pulls it out. Returns what the host sends.
    pub fn plug(&mut self, host: usize, segment: usize, on: bool) -> Vec<Message> {
        self.hosts[host].plugged[segment] = on;
        if !self.hosts[host].runs {
            return Vec::new();
        }
        let state = interface(host, segment, on);
        let done = self.hosts[host].members[segment].set_interface(self.now, 1, state);
        assert_eq!(done, Ok(()));
        self.settle(host)
    }

    /// A member gets a fault, or loses it. Returns what the host sends.
    pub fn set_faulty(&mut self, host: usize, segment: usize, on: bool) -> Vec<Message> {
        self.hosts[host].faulty[segment] = on;
        self.settle(host)
    }

    /// The administrator has the group of a host resign. Returns what the host sends.
    pub fn resign(&mut self, host: usize) -> Vec<Message> {
        for (segment, engine) in self.hosts[host].members.iter_mut().enumerate() {
            let done = engine.admin(self.now).resign(key(segment));
            assert_eq!(done, Ok(()));
        }
        self.settle(host)
    }

    /// Delivers a message, if its cable and its segment pass it. Returns what its host sends.
    pub fn deliver(&mut self, message: &Message) -> Vec<Message> {
        let Message {
            segment, from, to, ..
        } = *message;
        let passes = self.hosts[to].runs
            && self.hosts[to].plugged[segment]
            && self.hosts[from].plugged[segment]
            && !self.silent[segment].contains(&(from, to));
        if !passes {
            return Vec::new();
        }
        let _ = self.hosts[to].members[segment].handle_frame(self.now, 1, &message.frame);
        self.settle(to)
    }

    /// The next deadline of a host.
    pub fn deadline(&self, host: usize) -> Option<Instant> {
        let host = &self.hosts[host];
        let engines = host
            .members
            .iter()
            .filter_map(|engine| engine.poll_timeout());
        engines.chain(host.review_at).min()
    }

    /// A deadline of a host has come. Returns what it sends.
    pub fn time_out(&mut self, host: usize) -> Vec<Message> {
        for engine in &mut self.hosts[host].members {
            engine.handle_timeout(self.now);
        }
        self.settle(host)
    }

    /// The states of a host's members.
    pub fn statuses(&self, host: usize) -> Vec<Status> {
        let members = self.hosts[host].members.iter().enumerate();
        let statuses = members.filter_map(|(segment, engine)| engine.status(key(segment)));
        statuses.collect()
    }

    /// The state of a host's group.
    pub fn group(&self, host: usize) -> &Group {
        &self.hosts[host].group
    }

    /// When the group of a host is reviewed again by itself.
    pub fn review_at(&self, host: usize) -> Option<Instant> {
        self.hosts[host].review_at
    }

    /// The deadlines of a host's members.
    pub fn deadlines(&self, host: usize) -> Vec<Option<Instant>> {
        let members = self.hosts[host].members.iter();
        members.map(|engine| engine.poll_timeout()).collect()
    }

    /// Reviews the group of a host until nothing changes, and takes what its members send.
    fn settle(&mut self, host: usize) -> Vec<Message> {
        let mut sent = Vec::new();
        if !self.hosts[host].runs {
            return sent;
        }
        for _ in 0..20 {
            self.drain(host, &mut sent);
            if !self.review(host) {
                self.check_at_rest(host);
                return sent;
            }
        }
        panic!("the group of host {host} does not come to rest");
    }

    fn drain(&mut self, host: usize, sent: &mut Vec<Message>) {
        let others: Vec<usize> = (0..self.hosts.len()).filter(|to| *to != host).collect();
        let mut buf = [0; Small::MAX_FRAME_LEN];
        let this = &mut self.hosts[host];
        for (segment, engine) in this.members.iter_mut().enumerate() {
            while let Poll::Output(output) = engine.poll_output(&mut buf) {
                let Output::Transmit(transmit) = output else {
                    continue;
                };
                if transmit.kind != FrameKind::Advertisement {
                    continue;
                }
                this.spoke[segment] = Some(self.now);
                let frame: Rc<[u8]> = transmit.frame.into();
                for &to in &others {
                    sent.push(Message {
                        segment,
                        from: host,
                        to,
                        frame: Rc::clone(&frame),
                    });
                }
            }
        }
    }

    /// As the host loop does. Returns whether anything was told to an engine.
    fn review(&mut self, host: usize) -> bool {
        let statuses = self.statuses(host);
        let this = &mut self.hosts[host];
        let faults = this.plugged.iter().zip(&this.faulty);
        let faults = faults.map(|(plugged, faulty)| !plugged || *faulty);
        let members = statuses.iter().zip(faults);
        let members = members.map(|(status, fault)| Member::new(self.now, status, fault));
        let members: Vec<Member> = members.collect();
        this.review_at = this.group.review(self.now, &members);
        let state = this.group.state();
        let mut news = false;
        for (segment, status) in statuses.iter().enumerate() {
            let strays =
                state != State::Active && status.state == State::Active && !status.handing_over;
            if this.told[segment] != Some(state) || strays {
                this.told[segment] = Some(state);
                let engine = &mut this.members[segment];
                let told = engine
                    .admin(self.now)
                    .set_group_state(key(segment), Some(state));
                assert_eq!(told, Ok(()));
                news = true;
            }
        }
        news
    }

    /// A member serves with its group, or is on its way out.
    fn check_at_rest(&self, host: usize) {
        let state = self.group(host).state();
        for status in self.statuses(host) {
            let serves = status.state == State::Active && !status.handing_over;
            assert!(
                !serves || state == State::Active,
                "{:?} serves while its group is {state} on host {host}",
                status.key
            );
            let takes_part = status.state != State::Initialize && !status.handing_over;
            assert!(
                !takes_part || state != State::Initialize,
                "{:?} takes part while its group has a fault on host {host}",
                status.key
            );
        }
    }

    /// Mends every cable and segment and ends every fault; hosts that crashed start. Returns what is sent.
    pub fn mend(&mut self) -> Vec<Message> {
        let mut sent = Vec::new();
        for silent in &mut self.silent {
            silent.clear();
        }
        for host in 0..self.hosts.len() {
            for segment in 0..self.segments() {
                if self.hosts[host].faulty[segment] {
                    sent.extend(self.set_faulty(host, segment, false));
                }
                if !self.hosts[host].plugged[segment] {
                    sent.extend(self.plug(host, segment, true));
                }
            }
            if !self.hosts[host].runs {
                sent.extend(self.start(host));
            }
        }
        sent
    }

    /// The time after which one host has everything, from when nothing goes wrong any more.
    pub fn bound(&self) -> u64 {
        // The patience of the last member, two down intervals, and the slowest handover.
        let members = self.segments() as u64;
        1_000_000 * (5 * members + 2 * 4 + 5)
    }

    /// The host that has every member, if the others have none.
    ///
    /// # Errors
    /// The states, where no host has them all.
    pub fn holder(&self) -> Result<usize, String> {
        let states = |host| -> Vec<State> {
            let statuses = self.statuses(host);
            statuses.iter().map(|status| status.state).collect()
        };
        let all: Vec<Vec<State>> = (0..self.hosts.len()).map(states).collect();
        let has =
            |wanted: State| move |states: &&Vec<State>| states.iter().all(|state| *state == wanted);
        let active = all.iter().position(|states| has(State::Active)(&states));
        let backups = all.iter().filter(has(State::Backup)).count();
        match active {
            Some(host) if backups + 1 == all.len() => Ok(host),
            _ => Err(format!("{all:?} at {} us", self.now.as_micros())),
        }
    }
}
