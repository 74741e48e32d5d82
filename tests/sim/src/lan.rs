//! Segments: stations on learning switches, the links between them, and what links do to frames.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::rng::{Draw, Rng};

/// Microseconds of the simulation's own clock.
pub type Micros = u64;

/// The end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Node {
    /// A switch of the same segment.
    Switch(usize),
    /// A host's interface on this segment.
    Host(usize),
    /// A client.
    Client(usize),
}

/// The faults of frames on the way, one link at a time. Chances are of a million.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// The shortest way takes this long.
    pub latency: Micros,
    /// And up to this much longer.
    pub jitter: Micros,
    /// A frame is lost.
    pub loss: u64,
    /// A burst of losses begins.
    pub burst: u64,
    /// How long a burst lasts.
    pub burst_length: Micros,
    /// A frame comes twice.
    pub duplicate: u64,
    /// A frame does not wait for the one before it.
    pub reorder: u64,
}

impl Noise {
    /// A quiet segment.
    pub const NONE: Noise = Noise {
        latency: 20,
        jitter: 30,
        loss: 0,
        burst: 0,
        burst_length: 0,
        duplicate: 0,
        reorder: 0,
    };
}

/// A cable. A direction is named by the end that sends.
#[derive(Clone, Debug)]
pub struct Link {
    /// The ends that it connects.
    pub ends: [Node; 2],
    /// Which directions are cut.
    pub cut: [bool; 2],
    clear_at: [Micros; 2],
    lost_until: [Micros; 2],
}

/// A frame that reaches an end of a link.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The segment.
    pub lan: usize,
    /// The link.
    pub link: usize,
    /// The end that it reaches.
    pub end: usize,
    /// The frame.
    pub frame: Rc<[u8]>,
}

#[derive(Clone, Debug, Default)]
struct Switch {
    ports: Vec<usize>,
    /// Where a MAC was seen last, and when.
    table: BTreeMap<[u8; 6], (usize, Micros)>,
}

/// A switch forgets where a MAC is after this long.
const AGEING: Micros = 300_000_000;

/// A segment.
#[derive(Clone, Debug)]
pub struct Lan {
    number: usize,
    /// Its links.
    pub links: Vec<Link>,
    switches: Vec<Switch>,
    /// The noise of its links.
    pub noise: Noise,
}

impl Lan {
    /// A row of switches, and stations each on one of them.
    pub fn new(number: usize, switches: usize, stations: &[(Node, usize)]) -> Self {
        let mut lan = Self {
            number,
            links: Vec::new(),
            switches: vec![Switch::default(); switches],
            noise: Noise::NONE,
        };
        for at in 1..switches {
            lan.connect(Node::Switch(at - 1), Node::Switch(at));
        }
        for (station, at) in stations {
            lan.connect(*station, Node::Switch(*at));
        }
        lan
    }

    fn connect(&mut self, a: Node, b: Node) {
        for node in [a, b] {
            if let Node::Switch(at) = node {
                self.switches[at].ports.push(self.links.len());
            }
        }
        self.links.push(Link {
            ends: [a, b],
            cut: [false; 2],
            clear_at: [0; 2],
            lost_until: [0; 2],
        });
    }

    /// The link of a station.
    pub fn link_of(&self, station: Node) -> Option<usize> {
        self.links.iter().position(|l| l.ends.contains(&station))
    }

    /// A station sends.
    pub fn send(
        &mut self,
        now: Micros,
        station: Node,
        frame: Rc<[u8]>,
        rng: &mut Rng,
    ) -> Vec<(Micros, Arrival)> {
        let mut arrivals = Vec::new();
        if let Some(link) = self.link_of(station) {
            let end = usize::from(self.links[link].ends[1] == station);
            self.carry(now, link, end, frame, rng, &mut arrivals);
        }
        arrivals
    }

    /// A switch passes on what has reached it.
    pub fn forward(
        &mut self,
        now: Micros,
        arrival: &Arrival,
        rng: &mut Rng,
    ) -> Vec<(Micros, Arrival)> {
        let mut arrivals = Vec::new();
        let Node::Switch(at) = self.links[arrival.link].ends[arrival.end] else {
            return arrivals;
        };
        let (Some(to), Some(from)) = (mac_at(&arrival.frame, 0), mac_at(&arrival.frame, 6)) else {
            return arrivals;
        };
        let switch = &mut self.switches[at];
        switch.table.insert(from, (arrival.link, now));
        let known = switch
            .table
            .get(&to)
            .filter(|(_, seen)| now - seen < AGEING);
        let ports = match known {
            Some((port, _)) if to[0] & 1 == 0 => vec![*port],
            _ => switch.ports.clone(),
        };
        for port in ports.into_iter().filter(|port| *port != arrival.link) {
            let end = usize::from(self.links[port].ends[1] == Node::Switch(at));
            self.carry(now, port, end, arrival.frame.clone(), rng, &mut arrivals);
        }
        arrivals
    }

    /// Sends a frame over a link from one of its ends.
    fn carry(
        &mut self,
        now: Micros,
        link: usize,
        end: usize,
        frame: Rc<[u8]>,
        rng: &mut Rng,
        arrivals: &mut Vec<(Micros, Arrival)>,
    ) {
        let noise = self.noise;
        let l = &mut self.links[link];
        if l.cut[end] {
            return;
        }
        if noise.burst > 0 && rng.chance(noise.burst) {
            l.lost_until[end] = now + noise.burst_length;
        }
        let lost = now < l.lost_until[end] || (noise.loss > 0 && rng.chance(noise.loss));
        if lost {
            return;
        }
        let copies = 1 + u64::from(noise.duplicate > 0 && rng.chance(noise.duplicate));
        for _ in 0..copies {
            let mut at = now + noise.latency + rng.between(0, noise.jitter);
            if noise.reorder == 0 || !rng.chance(noise.reorder) {
                at = at.max(l.clear_at[end]);
                l.clear_at[end] = at;
            }
            let arrival = Arrival {
                lan: self.number,
                link,
                end: 1 - end,
                frame: frame.clone(),
            };
            arrivals.push((at, arrival));
        }
    }

    /// Every link works again, and no burst goes on.
    pub fn heal(&mut self) {
        self.noise = Noise::NONE;
        for link in &mut self.links {
            link.cut = [false; 2];
            link.lost_until = [0; 2];
        }
    }

    /// Whether a direction is cut whose other one is not.
    pub fn is_lopsided(&self) -> bool {
        self.links.iter().any(|l| l.cut[0] != l.cut[1])
    }

    /// The stations that reach each other, as sets.
    pub fn partitions(&self) -> Vec<Vec<Node>> {
        let mut left: Vec<Node> = self.links.iter().flat_map(|l| l.ends).collect();
        left.sort();
        left.dedup();
        let mut parts = Vec::new();
        while let Some(first) = left.pop() {
            let mut part = vec![first];
            let mut next = 0;
            while let Some(node) = part.get(next).copied() {
                next += 1;
                let whole = self.links.iter().filter(|l| l.cut == [false; 2]);
                for link in whole.filter(|l| l.ends.contains(&node)) {
                    for other in link.ends {
                        if let Some(at) = left.iter().position(|n| *n == other) {
                            part.push(left.remove(at));
                        }
                    }
                }
            }
            part.sort();
            parts.push(part);
        }
        parts.sort();
        parts
    }
}

fn mac_at(frame: &[u8], offset: usize) -> Option<[u8; 6]> {
    frame.get(offset..offset + 6)?.try_into().ok()
}
