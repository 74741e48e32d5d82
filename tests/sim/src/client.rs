//! A client: it asks the addresses again and again, by the MAC that its cache of neighbours holds,
//! and remembers which host answered.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use vrrp_core::wire::checksum;

/// The ethertype of a question to an address, one of those for local experiments.
pub const QUESTION: u16 = 0x88b5;
/// The ethertype of its answer.
pub const ANSWER: u16 = 0x88b6;
/// Questions without an answer after which a neighbour is looked for anew.
const PATIENCE: u32 = 3;
/// Answers that are remembered for each address.
const REMEMBERED: usize = 3;

const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;

/// A client's knowledge of an address.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The hosts that answered the last requests, the latest last. `None`: no answer.
    pub answers: VecDeque<Option<u8>>,
    waiting: bool,
    unanswered: u32,
}

/// A client on a segment.
#[derive(Clone, Debug)]
pub struct Client {
    mac: [u8; 6],
    ipv4: [u8; 4],
    ipv6: Ipv6Addr,
    /// The addresses that it asks.
    pub targets: BTreeMap<IpAddr, Target>,
    neighbours: BTreeMap<IpAddr, [u8; 6]>,
}

impl Client {
    /// A client of this number.
    pub fn new(number: u8) -> Self {
        Self {
            mac: [2, 0xc, 0, 0, 0, number],
            ipv4: [10, 0, 0, 200 + number],
            ipv6: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xc, number.into()),
            targets: BTreeMap::new(),
            neighbours: BTreeMap::new(),
        }
    }

    /// Asks every address once: the frames to send.
    pub fn ask(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        for (address, target) in &mut self.targets {
            if target.waiting {
                target.unanswered += 1;
                remember(&mut target.answers, None);
            }
            if target.unanswered >= PATIENCE {
                target.unanswered = 0;
                self.neighbours.remove(address);
            }
            target.waiting = true;
            frames.push(match (self.neighbours.get(address), address) {
                (Some(mac), _) => question(self.mac, *mac, *address),
                (None, IpAddr::V4(v4)) => {
                    let mut frame = header([0xff; 6], self.mac, ARP);
                    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
                    frame.extend(self.mac);
                    frame.extend(self.ipv4);
                    frame.extend([0; 6]);
                    frame.extend(v4.octets());
                    frame
                }
                (None, IpAddr::V6(v6)) => solicitation(self.mac, self.ipv6, *v6),
            });
        }
        frames
    }

    /// Takes in a frame.
    pub fn receive(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        let to: [u8; 6] = frame.get(..6)?.try_into().ok()?;
        if to != self.mac && to[0] & 1 == 0 {
            return None;
        }
        let payload = frame.get(14..)?;
        match u16::from_be_bytes([*frame.get(12)?, *frame.get(13)?]) {
            ANSWER => {
                let address = address_in(payload)?;
                let target = self.targets.get_mut(&address)?;
                if target.waiting {
                    target.waiting = false;
                    target.unanswered = 0;
                    remember(&mut target.answers, payload.get(17).copied());
                }
                None
            }
            ARP => {
                let mac = payload.get(8..14)?.try_into().ok()?;
                let ip: [u8; 4] = payload.get(14..18)?.try_into().ok()?;
                self.learn(ip.into(), mac, to == self.mac)
            }
            IPV6 if payload.get(6) == Some(&58) && payload.get(40) == Some(&136) => {
                let target: [u8; 16] = payload.get(48..64)?.try_into().ok()?;
                let mac = payload.get(66..72)?.try_into().ok()?;
                self.learn(target.into(), mac, to == self.mac)
            }
            _ => None,
        }
    }

    /// Everybody corrects what is known; only an answer to us tells of somebody new. What waits
    /// for the answer is then asked.
    fn learn(&mut self, address: IpAddr, mac: [u8; 6], asked: bool) -> Option<Vec<u8>> {
        if !self.targets.contains_key(&address) {
            return None;
        }
        match self.neighbours.get_mut(&address) {
            Some(known) => {
                *known = mac;
                None
            }
            None if asked => {
                self.neighbours.insert(address, mac);
                Some(question(self.mac, mac, address))
            }
            None => None,
        }
    }
}

fn remember(answers: &mut VecDeque<Option<u8>>, answer: Option<u8>) {
    answers.push_back(answer);
    if answers.len() > REMEMBERED {
        answers.pop_front();
    }
}

fn header(to: [u8; 6], from: [u8; 6], ethertype: u16) -> Vec<u8> {
    let mut frame = to.to_vec();
    frame.extend(from);
    frame.extend(ethertype.to_be_bytes());
    frame
}

fn question(from: [u8; 6], to: [u8; 6], address: IpAddr) -> Vec<u8> {
    let mut frame = header(to, from, QUESTION);
    frame.extend(octets(address));
    frame
}

/// The answer of host `number` to a question, sent from `mac`.
pub fn answer(number: u8, mac: [u8; 6], question: &[u8]) -> Option<Vec<u8>> {
    let asker: [u8; 6] = question.get(6..12)?.try_into().ok()?;
    let mut frame = header(asker, mac, ANSWER);
    frame.extend(question.get(14..31)?);
    frame.push(number);
    Some(frame)
}

/// The address that a question or answer is about.
pub fn address_in(payload: &[u8]) -> Option<IpAddr> {
    let octets: [u8; 16] = payload.get(1..17)?.try_into().ok()?;
    Some(match payload.first()? {
        4 => IpAddr::from([octets[0], octets[1], octets[2], octets[3]]),
        _ => IpAddr::from(octets),
    })
}

fn octets(address: IpAddr) -> [u8; 17] {
    let mut octets = [0; 17];
    match address {
        IpAddr::V4(v4) => {
            octets[0] = 4;
            octets[1..5].copy_from_slice(&v4.octets());
        }
        IpAddr::V6(v6) => {
            octets[0] = 6;
            octets[1..].copy_from_slice(&v6.octets());
        }
    }
    octets
}

fn solicitation(mac: [u8; 6], from: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let t = target.octets();
    let group = Ipv6Addr::from([
        0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, t[13], t[14], t[15],
    ]);
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(t);
    message.extend([1, 1]);
    message.extend(mac);
    let sum = checksum::pseudo_v6(from, group, 58, 32) + checksum::sum(&message);
    message[2..4].copy_from_slice(&checksum::field(sum).to_be_bytes());
    let mut frame = header([0x33, 0x33, 0xff, t[13], t[14], t[15]], mac, IPV6);
    frame.extend([0x60, 0, 0, 0, 0, 32, 58, 255]);
    frame.extend(from.octets());
    frame.extend(group.octets());
    frame.extend(message);
    frame
}
