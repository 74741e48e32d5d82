//! A model checker for synchronisation groups: every order in which messages can be delivered, delayed or lost
//! on the segments of two hosts, with cables that are cut, segments that are deaf in one direction, crashes and
//! resignations in between, as far as budgets allow. From every state that is reached all is mended; within
//! [`Network::bound`] one host has every member, and keeps it.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use vrrp_core::Instant;

use super::{Message, Network};
use crate::config::Config;

/// How much may go wrong on one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budgets {
    /// Messages that are lost.
    pub losses: u8,
    /// Messages that are overtaken by a timer.
    pub delays: u8,
    /// Cables that are cut; each may be mended or not.
    pub cuts: u8,
    /// Directions of a segment that go deaf; all of a segment may be mended or not.
    pub silences: u8,
    /// Hosts that crash; each may return or not.
    pub crashes: u8,
    /// Groups that are told to resign.
    pub resigns: u8,
    /// Where the story begins and ends, in seconds. Before it nothing goes wrong.
    pub story: (u64, u64),
}

/// The part of the space that was covered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Covered {
    /// States that are not alike.
    pub states: u64,
    /// Steps from one to another.
    pub steps: u64,
}

/// A path, shared with all that begin like it.
struct Step {
    what: String,
    before: Option<Rc<Step>>,
}

#[derive(Clone)]
struct Node {
    network: Network,
    /// On their way, and whether a timer has overtaken them.
    messages: Vec<(Message, bool)>,
    left: Budgets,
    path: Option<Rc<Step>>,
}

/// Explores everything that may happen to hosts with these configurations.
///
/// # Errors
/// The first path after which they do not come to rest, and what is wrong.
pub fn explore(configs: &[Vec<Config>], budgets: Budgets) -> Result<Covered, String> {
    let mut covered = Covered::default();
    let mut seen = HashSet::new();
    let mut queue = VecDeque::new();
    let first = begin(configs, budgets);
    seen.insert(fingerprint(&first));
    queue.push_back(first);
    while let Some(node) = queue.pop_front() {
        covered.states += 1;
        if let Err(wrong) = comes_to_rest(&node) {
            return Err(format!("{}{wrong}", story(&node)));
        }
        for next in successors(&node) {
            covered.steps += 1;
            if seen.insert(fingerprint(&next)) {
                queue.push_back(next);
            }
        }
    }
    Ok(covered)
}

/// Both hosts start, and nothing goes wrong until the story begins.
fn begin(configs: &[Vec<Config>], budgets: Budgets) -> Node {
    let mut node = Node {
        network: Network::new(configs.to_vec()),
        messages: Vec::new(),
        left: budgets,
        path: None,
    };
    for host in 0..configs.len() {
        let sent = node.network.start(host);
        node.send(sent);
    }
    node.flow(node.network.now.as_micros() + budgets.story.0 * 1_000_000);
    node
}

impl Node {
    fn send(&mut self, messages: Vec<Message>) {
        self.messages
            .extend(messages.into_iter().map(|m| (m, false)));
    }

    fn deliver(&mut self, at: usize) {
        let (message, _) = self.messages.remove(at);
        let sent = self.network.deliver(&message);
        self.send(sent);
    }

    /// The hosts whose deadline comes first, and when.
    fn next_deadline(&self) -> Option<(Instant, Vec<usize>)> {
        let hosts = 0..self.network.hosts.len();
        let all = hosts.filter_map(|host| Some((self.network.deadline(host)?, host)));
        let all: Vec<(Instant, usize)> = all.collect();
        let first = all.iter().map(|(at, _)| *at).min()?;
        let hosts = all.iter().filter(|(at, _)| *at == first);
        let hosts = hosts.map(|(_, host)| *host).collect();
        Some((first.max(self.network.now), hosts))
    }

    fn time_out(&mut self, host: usize, at: Instant) {
        self.network.now = at;
        let sent = self.network.time_out(host);
        self.send(sent);
    }

    /// Messages flow, and nothing goes wrong, until then.
    fn flow(&mut self, end: u64) {
        loop {
            if !self.messages.is_empty() {
                self.deliver(0);
                continue;
            }
            match self.next_deadline() {
                Some((at, hosts)) if at.as_micros() <= end => self.time_out(hosts[0], at),
                _ => break,
            }
        }
        self.network.now = self.network.now.max(Instant::from_micros(end));
    }
}

fn comes_to_rest(node: &Node) -> Result<(), String> {
    let mut node = node.clone();
    let sent = node.network.mend();
    node.send(sent);
    let mut end = node.network.now.as_micros() + node.network.bound();
    node.flow(end);
    let first = node.network.holder()?;
    for _ in 0..6 {
        end += 1_000_000;
        node.flow(end);
        let holder = node.network.holder()?;
        if holder != first {
            return Err(format!("host {holder} has it after host {first}"));
        }
    }
    Ok(())
}

fn successors(node: &Node) -> Vec<Node> {
    let mut list = Vec::new();
    let mut add = |what: String, change: &mut dyn FnMut(&mut Node)| {
        let mut next = node.clone();
        change(&mut next);
        let at = next.network.now.as_micros() as f64 / 1e6;
        next.path = Some(Rc::new(Step {
            what: format!("{at:.6} s {what}"),
            before: node.path.clone(),
        }));
        list.push(next);
    };
    for (at, (message, _)) in node.messages.iter().enumerate() {
        if node.messages[..at].iter().any(|(m, _)| m == message) {
            continue;
        }
        let text = format!("segment {} of {}", message.segment, message.from);
        add(format!("deliver {text}"), &mut |n| n.deliver(at));
        if node.left.losses > 0 {
            add(format!("lose {text}"), &mut |n| {
                n.left.losses -= 1;
                n.messages.remove(at);
            });
        }
    }
    let waiting = node.messages.iter().filter(|(_, late)| !late).count() as u8;
    let stuck = node.messages.iter().any(|(_, late)| *late);
    let horizon = (node.left.story.1 + 1) * 1_000_000;
    if let Some((at, hosts)) = node.next_deadline()
        && at.as_micros() <= horizon
        && !stuck
        && waiting <= node.left.delays
    {
        for host in hosts {
            add(format!("timer of {host}"), &mut |n| {
                n.left.delays -= waiting;
                n.messages.iter_mut().for_each(|(_, late)| *late = true);
                n.time_out(host, at);
            });
        }
    }
    for host in 0..node.network.hosts.len() {
        faults(node, host, &mut add);
    }
    for segment in 0..node.network.segments() {
        if !node.network.silent[segment].is_empty() {
            add(format!("segment {segment} is mended"), &mut |n| {
                n.network.silent[segment].clear();
            });
        }
    }
    list
}

/// Takes in a step: its words, and the change that it makes.
type Add<'a> = dyn FnMut(String, &mut dyn FnMut(&mut Node)) + 'a;

/// Something goes wrong with a host, or is mended.
fn faults(node: &Node, host: usize, add: &mut Add<'_>) {
    let this = &node.network.hosts[host];
    if !this.runs {
        return add(format!("return of {host}"), &mut |n| {
            let sent = n.network.start(host);
            n.send(sent);
        });
    }
    if node.left.crashes > 0 {
        add(format!("crash of {host}"), &mut |n| {
            n.left.crashes -= 1;
            n.network.crash(host);
        });
    }
    if node.left.resigns > 0 {
        add(format!("{host} resigns"), &mut |n| {
            n.left.resigns -= 1;
            let sent = n.network.resign(host);
            n.send(sent);
        });
    }
    for segment in 0..node.network.segments() {
        let plugged = this.plugged[segment];
        if !plugged || node.left.cuts > 0 {
            let what = if plugged { "cut" } else { "mended" };
            add(format!("cable {segment} of {host} is {what}"), &mut |n| {
                n.left.cuts -= u8::from(plugged);
                let sent = n.network.plug(host, segment, !plugged);
                n.send(sent);
            });
        }
        let direction = (host, 1 - host);
        if node.left.silences > 0 && !node.network.silent[segment].contains(&direction) {
            add(format!("segment {segment} is deaf to {host}"), &mut |n| {
                n.left.silences -= 1;
                n.network.silent[segment].push(direction);
            });
        }
    }
}

/// Everything that decides the future, relative to now.
fn fingerprint(node: &Node) -> (u64, u64) {
    let mut one = DefaultHasher::new();
    let mut two = DefaultHasher::new();
    0x5eed_u64.hash(&mut two);
    let now = node.network.now.as_micros();
    let since = |at: Instant| at.as_micros() as i64 - now as i64;
    for hasher in [&mut one, &mut two] {
        for (number, host) in node.network.hosts.iter().enumerate() {
            (host.runs, &host.plugged, &host.faulty, &host.told).hash(hasher);
            (host.group, host.review_at.map(since)).hash(hasher);
            for (status, spoke) in node.network.statuses(number).iter().zip(&host.spoke) {
                (
                    status.state,
                    status.handing_over,
                    status.due,
                    status.resigned,
                )
                    .hash(hasher);
                (since(status.since), status.reason as u8).hash(hasher);
                let known = status
                    .active
                    .map(|a| (a.address, a.priority, since(a.last_heard)));
                known.hash(hasher);
                // As far as an engine may remember its last answer.
                let recent = spoke.map(since).filter(|ago| *ago > -125_000);
                recent.hash(hasher);
            }
            let deadlines = node.network.deadlines(number);
            let deadlines = deadlines.iter().map(|at| at.map(since));
            deadlines.collect::<Vec<_>>().hash(hasher);
        }
        let mut messages = node.messages.clone();
        messages.sort();
        messages.hash(hasher);
        (&node.network.silent, node.left, now).hash(hasher);
    }
    (one.finish(), two.finish())
}

fn story(node: &Node) -> String {
    let mut lines = Vec::new();
    let mut step = node.path.clone();
    while let Some(s) = step {
        lines.push(format!("  {}\n", s.what));
        step = s.before.clone();
    }
    lines.reverse();
    lines.concat()
}
