//! A model checker for the engine itself: every order in which the messages of two or three routers
//! can be delivered, delayed or lost, with crashes, returns, stops and failing checks in between, as far
//! as budgets allow. From every state that is reached the messages flow again, and then exactly one
//! router must be Active, the right one, for good.
//!
//! A state is the engines themselves and the messages on their way. Two states are the same when
//! everything that decides the future is: states, timers relative to now, who is known, budgets.
//!
//! Routers may have keys, and an attacker who has recorded everything: see [`attack`].

pub mod attack;

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use vrrp_core::wire::Claim;
use vrrp_core::{
    Announce, Engine, Family, FrameKind, Instant, MacAddr, OnConflict, Output, Poll, Reason, State,
    VrKey, Vrid,
};

use crate::config::Config;
use crate::port::{interface, open};
use attack::{Numbers, Signed};

/// An engine with room for one virtual router.
type Small = Engine<1, 1, 1>;

const KEY: VrKey = VrKey {
    ifindex: 1,
    vrid: match Vrid::new(1) {
        Some(vrid) => vrid,
        None => unreachable!(),
    },
    family: Family::Ipv4,
};

/// The object that stands for a check of the service.
pub const CHECK: u16 = 0;

/// How much may go wrong on one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budgets {
    /// Messages that are lost.
    pub losses: u8,
    /// Messages that are overtaken by a timer.
    pub delays: u8,
    /// Routers that crash; each may return or not.
    pub crashes: u8,
    /// Routers that are stopped by their operator; each may be started again or not.
    pub stops: u8,
    /// Checks that begin or cease to fail, where the configuration has one ([`CHECK`]).
    pub checks: u8,
    /// Times at which the attacker acts, where the routers sign.
    pub attacks: u8,
    /// How long a story lasts, in seconds.
    pub horizon: u64,
}

/// The space that is explored.
#[derive(Clone, Debug)]
pub struct Model {
    /// A name for the report.
    pub name: String,
    /// One router for each.
    pub configs: Vec<Config>,
    /// How much may go wrong.
    pub budgets: Budgets,
    /// The signatures of the routers, and their attacker. `None`: they have no keys.
    pub signed: Option<Signed>,
}

/// The part of the space that was covered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Covered {
    /// States that are not alike.
    pub states: u64,
    /// Steps from one to another.
    pub steps: u64,
    /// The longest path.
    pub depth: u32,
}

/// A path to a state from which the routers do not come to rest.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// The events, in order.
    pub path: Vec<String>,
    /// The violated property.
    pub wrong: String,
}

#[derive(Clone)]
struct Message {
    to: usize,
    frame: Rc<[u8]>,
    delayed: bool,
}

impl Message {
    /// Whether it answers a probe; else it is an advertisement.
    fn is_answer(&self) -> bool {
        Claim::new(&self.frame).is_some()
    }
}

#[derive(Clone)]
struct Host {
    engine: Option<Box<Small>>,
    /// When it advertised or heard a loser, as far as the engine may remember it.
    recent: Vec<u64>,
    stopped: bool,
    /// Its check fails.
    failing: bool,
    /// The probe since it came into its state: none, sent, answered.
    probe: u8,
    /// When state, handover or standing back changed last, and the advertisements since.
    phase: (Option<(State, bool, bool)>, u64, u32),
    numbers: Numbers,
}

#[derive(Clone)]
struct Node {
    hosts: Vec<Host>,
    messages: Vec<Message>,
    now: u64,
    left: Budgets,
    /// An answer to a probe was lost, or came after a timer.
    unanswered: bool,
    /// Every advertisement that was sent and is signed, as the attacker has it.
    recorded: Vec<Rc<[u8]>>,
    /// The times at which the attacker acted.
    attacked: Vec<u64>,
    /// The property that the last step violated.
    wrong: Option<String>,
    depth: u32,
    path: Option<Rc<Step>>,
}

/// A path, shared with all that begin like it.
struct Step {
    what: String,
    before: Option<Rc<Step>>,
}

impl Model {
    /// Explores everything. `Err` is a path that ends badly.
    ///
    /// # Errors
    /// The first path after which the routers do not come to rest.
    pub fn explore(&self) -> Result<Covered, Counterexample> {
        let mut covered = Covered::default();
        let mut seen = HashSet::new();
        let mut queue = VecDeque::new();
        let first = self.first();
        seen.insert(self.fingerprint(&first));
        queue.push_back(first);
        while let Some(node) = queue.pop_front() {
            covered.states += 1;
            covered.depth = covered.depth.max(node.depth);
            let right = match &node.wrong {
                Some(wrong) => Err(wrong.clone()),
                None => self.waits(&node),
            };
            let right = right.and_then(|()| self.comes_to_rest(&node));
            right.map_err(|wrong| Counterexample {
                path: path_of(&node),
                wrong,
            })?;
            for next in self.successors(&node) {
                covered.steps += 1;
                if seen.insert(self.fingerprint(&next)) {
                    queue.push_back(next);
                }
            }
        }
        Ok(covered)
    }

    fn first(&self) -> Node {
        let hosts = self.configs.iter().map(|_| Host {
            engine: None,
            recent: Vec::new(),
            stopped: false,
            failing: false,
            probe: 0,
            phase: (None, 0, 0),
            numbers: Numbers::default(),
        });
        let mut node = Node {
            hosts: hosts.collect(),
            messages: Vec::new(),
            now: 1_000_000,
            left: self.budgets,
            unanswered: false,
            recorded: Vec::new(),
            attacked: Vec::new(),
            wrong: None,
            depth: 0,
            path: None,
        };
        for host in 0..self.configs.len() {
            self.start(&mut node, host);
        }
        node
    }

    fn start(&self, node: &mut Node, host: usize) {
        let at = Instant::from_micros(node.now);
        let mut engine = Box::new(Small::new());
        let number = host as u8 + 1;
        let mac = MacAddr([2, 0, 0, 0, 0, number]);
        let config = &self.configs[host];
        let started = engine
            .set_interface(at, 1, interface(mac, number))
            .and_then(|()| engine.admin(at).insert(KEY, &config.as_vr_config()))
            .and_then(|()| match &self.signed {
                Some(signed) => signed.start(&mut engine, at, host, &mut node.hosts[host].numbers),
                None => Ok(()),
            })
            .and_then(|()| engine.admin(at).set_enabled(KEY, true));
        assert_eq!(started, Ok(()), "a model's configuration is sound");
        let failing = node.hosts[host].failing;
        engine.admin(at).set_tracked(CHECK, !failing);
        node.hosts[host].engine = Some(engine);
        node.hosts[host].stopped = false;
        node.hosts[host].recent.clear();
        self.drain(node, host);
    }

    /// Takes the outputs of a router; its messages are on their way to everybody else.
    fn drain(&self, node: &mut Node, host: usize) {
        let mut frames: Vec<Rc<[u8]>> = Vec::new();
        let mut probe: Option<Vec<u8>> = None;
        let Some(engine) = &mut node.hosts[host].engine else {
            return;
        };
        let mut buf = [0; Small::MAX_FRAME_LEN];
        while let Poll::Output(output) = engine.poll_output(&mut buf) {
            match output {
                Output::Transmit(t) if t.kind == FrameKind::Advertisement => {
                    frames.push(t.frame.into());
                }
                Output::Transmit(t) if t.kind == FrameKind::NeighborProbe => {
                    probe = Some(t.frame.to_vec());
                }
                _ => {}
            }
        }
        let phase = engine
            .status(KEY)
            .map(|s| (s.state, s.handing_over, s.standing_back));
        if node.hosts[host].phase.0 != phase {
            node.hosts[host].phase = (phase, node.now, 0);
            node.hosts[host].probe = 0;
        }
        if let Some(probe) = probe {
            node.hosts[host].probe = 1;
            Self::answer(node, host, &probe);
        }
        node.hosts[host].phase.2 += frames.len() as u32;
        if !frames.is_empty() {
            node.hosts[host].recent.push(node.now);
        }
        for frame in frames {
            if self.signed.is_some() {
                attack::record(node, host, &frame);
            }
            for to in (0..node.hosts.len()).filter(|to| *to != host) {
                if node.hosts[to].engine.is_some() {
                    let frame = frame.clone();
                    node.messages.push(Message {
                        to,
                        frame,
                        delayed: false,
                    });
                }
            }
        }
    }

    /// Every router that serves the address answers the probe of another; it hears the answers as it
    /// hears advertisements.
    fn answer(node: &mut Node, asker: usize, probe: &[u8]) {
        let mut buf = [0; 128];
        for host in (0..node.hosts.len()).filter(|host| *host != asker) {
            let engine = node.hosts[host].engine.as_ref();
            if let Some(answer) = engine.and_then(|e| e.answer(1, probe, &mut buf)) {
                node.messages.push(Message {
                    to: asker,
                    frame: answer.frame.into(),
                    delayed: false,
                });
            }
        }
    }

    fn deliver(&self, node: &mut Node, at: usize) {
        let message = node.messages.remove(at);
        let claim = Claim::new(&message.frame);
        if claim.is_none() {
            self.hear(node, message.to, &message.frame);
        }
        let now = node.now;
        let host = &mut node.hosts[message.to];
        if let Some(engine) = &mut host.engine {
            if claim.is_some_and(|claim| engine.handle_claim(1, &claim).is_some()) {
                host.probe = 2;
            }
            if engine.status(KEY).is_some_and(|s| s.state == State::Active) {
                host.recent.push(now);
            }
        }
        self.drain(node, message.to);
    }

    /// Hands a router an advertisement that another one sent.
    fn hear(&self, node: &mut Node, to: usize, frame: &[u8]) {
        if let Some(signed) = &self.signed {
            signed.hear(node, to, frame, true);
            return;
        }
        let now = Instant::from_micros(node.now);
        if let Some(engine) = &mut node.hosts[to].engine {
            let _ = engine.handle_frame(now, 1, frame);
        }
    }

    fn deadline(node: &Node, host: usize) -> Option<u64> {
        let engine = node.hosts[host].engine.as_ref()?;
        engine.poll_timeout().map(|t| t.as_micros())
    }

    /// The routers whose deadline comes first, and when.
    fn next_deadline(node: &Node) -> Option<(u64, Vec<usize>)> {
        let all = (0..node.hosts.len()).filter_map(|h| Some((Self::deadline(node, h)?, h)));
        let all: Vec<(u64, usize)> = all.collect();
        let first = all.iter().map(|(at, _)| *at).min()?;
        let hosts = all.iter().filter(|(at, _)| *at == first).map(|(_, h)| *h);
        Some((first.max(node.now), hosts.collect()))
    }

    fn time_out(&self, node: &mut Node, host: usize, at: u64) {
        node.now = at;
        let remembered = self.configs[host]
            .settings
            .advert_interval
            .duration()
            .as_micros()
            / 8;
        for h in &mut node.hosts {
            h.recent.retain(|t| t + remembered > at);
        }
        if let Some(engine) = &mut node.hosts[host].engine {
            engine.handle_timeout(Instant::from_micros(at));
        }
        self.drain(node, host);
    }

    fn successors(&self, node: &Node) -> Vec<Node> {
        let mut list = Vec::new();
        let mut add = |what: String, change: &mut dyn FnMut(&mut Node)| {
            let mut next = node.clone();
            change(&mut next);
            next.depth += 1;
            next.path = Some(Rc::new(Step {
                what: format!("{:.6} s {what}", next.now as f64 / 1e6),
                before: node.path.clone(),
            }));
            list.push(next);
        };
        for (at, message) in node.messages.iter().enumerate() {
            let twin = |m: &Message| m.to == message.to && m.frame == message.frame;
            if node.messages[..at].iter().any(twin) {
                continue;
            }
            let text = describe(message);
            add(format!("deliver {text}"), &mut |n| self.deliver(n, at));
            if node.left.losses > 0 {
                add(format!("lose {text}"), &mut |n| {
                    n.left.losses -= 1;
                    n.unanswered |= n.messages[at].is_answer();
                    n.messages.remove(at);
                });
            }
        }
        let waiting = node.messages.iter().filter(|m| !m.delayed).count() as u8;
        let stuck = node.messages.iter().any(|m| m.delayed);
        if let Some((at, hosts)) = Self::next_deadline(node)
            && at <= (self.budgets.horizon + 1) * 1_000_000
            && !stuck
            && waiting <= node.left.delays
        {
            for host in hosts {
                add(format!("timer of {host}"), &mut |n| {
                    n.left.delays -= waiting;
                    n.messages.iter_mut().for_each(|m| m.delayed = true);
                    n.unanswered |= n.messages.iter().any(Message::is_answer);
                    self.time_out(n, host, at);
                });
            }
        }
        if let Some(signed) = &self.signed
            && node.left.attacks > 0
        {
            for (what, target) in signed.late(node) {
                add(what, &mut |n| self.strike(n, &target));
            }
            add("attack on both".into(), &mut |n| self.storm(n));
        }
        for host in 0..node.hosts.len() {
            let h = &node.hosts[host];
            match (&h.engine, h.stopped) {
                (None, _) => add(format!("return of {host}"), &mut |n| self.start(n, host)),
                (Some(_), true) => add(format!("start of {host}"), &mut |n| {
                    self.enable(n, host, true);
                }),
                (Some(_), false) => {
                    if node.left.crashes > 0 {
                        add(format!("crash of {host}"), &mut |n| {
                            n.left.crashes -= 1;
                            n.hosts[host].engine = None;
                            n.messages.retain(|m| m.to != host);
                        });
                    }
                    if node.left.checks > 0 && self.has_check(host) {
                        let what = if h.failing { "passes" } else { "fails" };
                        add(format!("check of {host} {what}"), &mut |n| {
                            n.left.checks -= 1;
                            self.fail(n, host, !h.failing);
                        });
                    }
                    if node.left.stops > 0 {
                        add(format!("stop of {host}"), &mut |n| {
                            n.left.stops -= 1;
                            self.enable(n, host, false);
                        });
                    }
                }
            }
        }
        list
    }

    fn has_check(&self, host: usize) -> bool {
        self.configs[host].tracks.iter().any(|t| t.object == CHECK)
    }

    fn fail(&self, node: &mut Node, host: usize, failing: bool) {
        node.hosts[host].failing = failing;
        let at = Instant::from_micros(node.now);
        if let Some(engine) = &mut node.hosts[host].engine {
            engine.admin(at).set_tracked(CHECK, !failing);
        }
        self.drain(node, host);
    }

    fn enable(&self, node: &mut Node, host: usize, on: bool) {
        node.hosts[host].stopped = !on;
        if let Some(engine) = &mut node.hosts[host].engine {
            let done = engine
                .admin(Instant::from_micros(node.now))
                .set_enabled(KEY, on);
            assert_eq!(done, Ok(()));
        }
        self.drain(node, host);
    }

    /// Everything that decides the future, relative to now.
    fn fingerprint(&self, node: &Node) -> (u64, u64) {
        let mut one = DefaultHasher::new();
        let mut two = DefaultHasher::new();
        0x5eed_u64.hash(&mut two);
        for hasher in [&mut one, &mut two] {
            let since = |t: u64| t as i64 - node.now as i64;
            for host in &node.hosts {
                (host.stopped, host.failing, host.probe).hash(hasher);
                if let (Some((State::Active, _, true)), at, adverts) = host.phase {
                    // The time that is left until the next offer.
                    (since(at), adverts).hash(hasher);
                }
                let recent = host.recent.iter().map(|t| since(*t));
                recent.collect::<Vec<i64>>().hash(hasher);
                let Some(engine) = &host.engine else {
                    0_u8.hash(hasher);
                    continue;
                };
                let Some(s) = engine.status(KEY) else {
                    continue;
                };
                (s.state, s.handing_over, s.priority, s.active_interval).hash(hasher);
                (s.reason as u8, s.pseudo_header).hash(hasher);
                host.numbers.hash(hasher);
                let known = s.active.map(|a| {
                    let at = since(a.last_heard.as_micros());
                    (a.address, a.priority, a.interval, at)
                });
                known.hash(hasher);
                let next = engine.poll_timeout().map(|t| since(t.as_micros()));
                next.hash(hasher);
            }
            // In which order messages were sent does not matter: any may come first.
            let messages = node.messages.iter();
            let mut messages: Vec<_> = messages.map(|m| (m.to, &m.frame[..], m.delayed)).collect();
            messages.sort();
            messages.hash(hasher);
            (node.left, node.unanswered).hash(hasher);
            node.attacked.hash(hasher);
            let mut recorded: Vec<&[u8]> = node.recorded.iter().map(|frame| &frame[..]).collect();
            recorded.sort();
            recorded.hash(hasher);
            // The horizon ends a story in true time.
            node.now.hash(hasher);
        }
        (one.finish(), two.finish())
    }

    /// G-8: one that waits on a conflict has not just taken over from a router that was there to answer.
    fn waits(&self, node: &Node) -> Result<(), String> {
        let status = |host: usize| node.hosts[host].engine.as_ref()?.status(KEY);
        for host in 0..node.hosts.len() {
            let settings = &self.configs[host].settings;
            let span = 2 * settings.advert_interval.duration().as_micros();
            let took_over = status(host).is_some_and(|s| {
                s.state == State::Active
                    && matches!(s.reason, Reason::ActiveTimeout | Reason::ActiveUnheard)
                    && s.since.as_micros() == node.now
            });
            let waits = settings.on_conflict == OnConflict::Wait && !node.unanswered;
            let mut others = (0..node.hosts.len()).filter(|other| *other != host);
            let was_there = |other: usize| {
                let there = status(other).is_some_and(|s| s.state == State::Active);
                there && node.hosts[other].phase.1 + span < node.now
            };
            if took_over && waits && others.any(was_there) {
                let now = node.now;
                return Err(format!(
                    "{host} took over at {now} us, though it was answered"
                ));
            }
        }
        Ok(())
    }

    /// Lets messages flow, with nothing that goes wrong from here on. Returns the end of it.
    fn comes_to_rest(&self, node: &Node) -> Result<Node, String> {
        let mut node = node.clone();
        let slowest = self
            .configs
            .iter()
            .map(|c| c.settings.advert_interval.duration().as_micros());
        let slowest = slowest.max().unwrap_or(0);
        let (mut rest, mut end) = (node.now + 5 * slowest, node.now + 7 * slowest);
        if (0..self.configs.len()).any(|host| self.has_check(host)) {
            // An offer follows ten advertisements, and lasts two intervals.
            rest += 15 * slowest;
            end = rest + 15 * slowest;
        }
        let mut first = None;
        let mut steps = 0_u32;
        loop {
            steps += 1;
            if steps > 100_000 {
                return Err("it never comes to rest".into());
            }
            if !node.messages.is_empty() {
                self.deliver(&mut node, 0);
                continue;
            }
            let next = Self::next_deadline(&node).filter(|(at, _)| *at <= end);
            let Some((at, hosts)) = next else {
                self.is_right(&node, &mut first)?;
                break;
            };
            if at >= rest {
                self.is_right(&node, &mut first)?;
            }
            self.time_out(&mut node, hosts[0], at);
        }
        match node.wrong.take() {
            Some(wrong) => Err(wrong),
            None => Ok(node),
        }
    }

    /// One Active router, which is `first` if that is known, no other that would preempt it, and one
    /// that stands back only where all do.
    fn is_right(&self, node: &Node, first: &mut Option<usize>) -> Result<(), String> {
        let able = (0..node.hosts.len()).filter(|h| !node.hosts[*h].stopped);
        let statuses = able.filter_map(|h| Some((h, node.hosts[h].engine.as_ref()?.status(KEY)?)));
        let statuses: Vec<_> = statuses.collect();
        let active: Vec<_> = statuses
            .iter()
            .filter(|(_, s)| s.state == State::Active)
            .collect();
        let seen = || format!("at {} us: {statuses:#?}", node.now);
        match active[..] {
            [] if statuses.is_empty() => Ok(()),
            [] => Err(format!("nobody is Active, {}", seen())),
            [(host, best)] => {
                if first.get_or_insert(*host) != host {
                    return Err(format!("another one is Active, {}", seen()));
                }
                let usurper = statuses.iter().any(|(h, s)| {
                    let preempts = self.configs[*h].settings.preempt || s.priority.is_owner();
                    let fitter = best.standing_back && !s.standing_back;
                    fitter || preempts && !s.standing_back && s.priority > best.priority
                });
                match usurper || best.handing_over && !best.standing_back {
                    true => Err(format!("the wrong one is Active, {}", seen())),
                    false => Ok(()),
                }
            }
            _ => Err(format!("several are Active, {}", seen())),
        }
    }
}

fn describe(message: &Message) -> String {
    if message.is_answer() {
        return format!("answer to {}", message.to);
    }
    let priority = open(&message.frame).and_then(|sent| sent.message.get(2).copied());
    let from = message.frame.get(29).copied().unwrap_or(0);
    format!(
        "priority {} of {} to {}",
        priority.unwrap_or(0),
        from.wrapping_sub(1),
        message.to
    )
}

fn path_of(node: &Node) -> Vec<String> {
    let mut path = Vec::new();
    let mut step = node.path.clone();
    while let Some(s) = step {
        path.push(s.what.clone());
        step = s.before.clone();
    }
    path.reverse();
    path
}

/// The configuration of a model's router.
pub fn router(priority: u8, preempt: bool) -> Config {
    let address = vrrp_core::VirtualAddress {
        address: [10, 0, 1, 1].into(),
        prefix_len: 24,
    };
    let mut config = Config::new(vec![address]);
    config.settings.priority = crate::port::priority(priority);
    config.settings.preempt = preempt;
    config.settings.announce = Announce {
        repeats: 0,
        ..Announce::DEFAULT
    };
    config
}
