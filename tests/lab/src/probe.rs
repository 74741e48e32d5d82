//! A client that asks an address many times a second, and the account of what it got.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::host::{ECHO_PORT, Host};
use super::pause;
use super::system::Stack;
use crate::sys;

/// How long after the last probe an answer still counts (times [`PATIENCE`](super::PATIENCE)).
const GRACE: Duration = Duration::from_millis(500);

/// How a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// ICMP echo: the kernel answers, with the least noise; who answered is not known.
    Ping,
    /// UDP to the service of [`Host::serve`], which answers with its host's name.
    Name,
}

/// A running probe.
#[derive(Debug)]
pub struct Probe {
    period_us: u64,
    stop_sending: Arc<AtomicBool>,
    stop_receiving: Arc<AtomicBool>,
    sender: JoinHandle<Vec<u64>>,
    receiver: JoinHandle<Vec<Answer>>,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Which probe it answers, from 0.
    pub number: u32,
    /// When it came, monotonic microseconds.
    pub at_us: u64,
    /// The name of the host that answered; `None` for a ping.
    pub who: Option<Arc<str>>,
}

/// The answers that a probe got.
#[derive(Clone, Debug)]
pub struct Report {
    /// The time between probes.
    pub period_us: u64,
    /// When each probe was sent, monotonic microseconds.
    pub sent_us: Vec<u64>,
    /// The answers in order of arrival.
    pub answers: Vec<Answer>,
}

/// A stretch of time in which the same host answered, or nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The name of the host that answered; `None`: no answer.
    pub who: Option<Arc<str>>,
    /// The first probe of the stretch was sent then.
    pub from_us: u64,
    /// The last one was sent then.
    pub to_us: u64,
    /// How many probes it holds.
    pub probes: u32,
}

impl Probe {
    /// Begins to ask `address` from `host`, `hz` times a second.
    ///
    /// # Panics
    ///
    /// When `address` is not one, or no socket can be had.
    pub fn start(host: &Host, address: &str, hz: u32, ask: Ask) -> Self {
        static NEXT_ID: AtomicU16 = AtomicU16::new(1);
        let address: IpAddr = address.parse().expect("an IP address");
        let wire = Wire {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            v6: address.is_ipv6(),
            ask,
        };
        let socket = wire.open(host.stack());
        let socket = socket.expect("open a socket for probes");
        let period_us = 1_000_000 / u64::from(hz);
        let stop_sending = Arc::new(AtomicBool::new(false));
        let stop_receiving = Arc::new(AtomicBool::new(false));
        let receiver = {
            let socket = socket.try_clone().expect("a second handle on a socket");
            let stop = stop_receiving.clone();
            std::thread::spawn(move || receive(&socket, wire, address, &stop))
        };
        let sender = {
            let stop = stop_sending.clone();
            std::thread::spawn(move || send(&socket, wire, address, period_us, &stop))
        };
        Self {
            period_us,
            stop_sending,
            stop_receiving,
            sender,
            receiver,
        }
    }

    /// Stops asking, gives late answers a moment, and returns the account.
    pub fn stop(self) -> Report {
        self.stop_sending.store(true, Ordering::Relaxed);
        let sent_us = self.sender.join().expect("the sender of a probe");
        pause(GRACE);
        self.stop_receiving.store(true, Ordering::Relaxed);
        let answers = self.receiver.join().expect("the receiver of a probe");
        Report {
            period_us: self.period_us,
            sent_us,
            answers,
        }
    }
}

impl Report {
    /// How many probes got no answer.
    pub fn lost(&self) -> usize {
        self.first_answers()
            .iter()
            .filter(|answer| answer.is_none())
            .count()
    }

    /// How many answers came to probes that were already answered: two hosts spoke.
    pub fn duplicates(&self) -> usize {
        self.answers.len() - (self.sent_us.len() - self.lost())
    }

    /// The longest time in which no answer arrived while probes were being sent. Undisturbed it is
    /// a little more than the period.
    pub fn longest_silence_us(&self) -> u64 {
        let (Some(&first), Some(&last)) = (self.sent_us.first(), self.sent_us.last()) else {
            return 0;
        };
        let mut longest = 0;
        let mut before = first;
        for answer in &self.answers {
            longest = longest.max(answer.at_us.saturating_sub(before));
            before = before.max(answer.at_us);
        }
        longest.max(last.saturating_sub(before))
    }

    /// The spans of time in which one host answered, in order.
    pub fn timeline(&self) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for (answer, &sent_us) in self.first_answers().iter().zip(&self.sent_us) {
            let who = answer
                .as_ref()
                .map(|answer| answer.who.clone().unwrap_or_else(|| Arc::from("somebody")));
            match spans.last_mut() {
                Some(span) if span.who == who => {
                    span.to_us = sent_us;
                    span.probes += 1;
                }
                _ => spans.push(Span {
                    who,
                    from_us: sent_us,
                    to_us: sent_us,
                    probes: 1,
                }),
            }
        }
        spans
    }

    /// The hosts that answered, in order, a host again when it answers again.
    pub fn answerers(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for who in self.timeline().into_iter().filter_map(|span| span.who) {
            if names.last().is_none_or(|last| **last != *who) {
                names.push(who.to_string());
            }
        }
        names
    }

    /// For each probe its first answer.
    fn first_answers(&self) -> Vec<Option<&Answer>> {
        let mut first = vec![None; self.sent_us.len()];
        for answer in &self.answers {
            if let Some(slot @ None) = first.get_mut(answer.number as usize) {
                *slot = Some(answer);
            }
        }
        first
    }
}

/// The form of one probe's messages.
#[derive(Clone, Copy, Debug)]
struct Wire {
    id: u16,
    v6: bool,
    ask: Ask,
}

impl Wire {
    fn open(self, stack: &Stack) -> std::io::Result<UdpSocket> {
        let socket = match self.ask {
            Ask::Ping => stack.icmp(self.v6)?,
            Ask::Name => stack.datagrams(self.v6, 0)?,
        };
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        Ok(socket)
    }

    fn question(self, number: u32) -> Vec<u8> {
        let number = number.to_be_bytes();
        if self.ask == Ask::Name {
            return number.to_vec();
        }
        let mut message = vec![if self.v6 { 128 } else { 8 }, 0, 0, 0];
        message.extend(self.id.to_be_bytes());
        message.extend([0, 0]);
        message.extend(number);
        if !self.v6 {
            // The kernel fills in the checksum of ICMPv6 only.
            let mut sum: u32 = message
                .chunks(2)
                .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
                .sum();
            sum = (sum & 0xffff) + (sum >> 16);
            sum = (sum & 0xffff) + (sum >> 16);
            message[2..4].copy_from_slice(&(!(sum as u16)).to_be_bytes());
        }
        message
    }

    /// The number of the probe that `message` answers, and the name in it.
    fn answer(self, message: &[u8]) -> Option<(u32, Option<&[u8]>)> {
        let number = |at: usize| {
            Some(u32::from_be_bytes(
                message.get(at..at + 4)?.try_into().ok()?,
            ))
        };
        if self.ask == Ask::Name {
            return Some((number(0)?, message.get(4..)));
        }
        let (start, reply) = if self.v6 { (0, 129) } else { (20, 0) };
        let ours = *message.get(start)? == reply
            && message.get(start + 4..start + 6)? == self.id.to_be_bytes();
        ours.then_some((number(start + 8)?, None))
    }
}

fn send(
    socket: &UdpSocket,
    wire: Wire,
    address: IpAddr,
    period_us: u64,
    stop: &AtomicBool,
) -> Vec<u64> {
    let port = if wire.ask == Ask::Name { ECHO_PORT } else { 0 };
    let to = SocketAddr::new(address, port);
    let mut sent_us = Vec::new();
    let mut due_us = sys::now_us();
    while !stop.load(Ordering::Relaxed) {
        sys::sleep_until_us(due_us);
        due_us += period_us;
        let question = wire.question(sent_us.len() as u32);
        sent_us.push(sys::now_us());
        // A probe that cannot be sent (no neighbour, no route) is a lost one.
        let _ = socket.send_to(&question, to);
    }
    sent_us
}

fn receive(socket: &UdpSocket, wire: Wire, address: IpAddr, stop: &AtomicBool) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut names: Vec<Arc<str>> = Vec::new();
    let mut buffer = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        // Errors that are not timeouts are ICMP's complaints about earlier probes.
        let Ok((len, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let at_us = sys::now_us();
        let Some((number, name)) = wire.answer(&buffer[..len]) else {
            continue;
        };
        if from.ip() != address {
            continue;
        }
        let who = name.map(|name| {
            let name = String::from_utf8_lossy(name);
            let known = names.iter().position(|known| **known == *name);
            let known = known.unwrap_or_else(|| {
                names.push(Arc::from(&*name));
                names.len() - 1
            });
            names[known].clone()
        });
        answers.push(Answer { number, at_us, who });
    }
    answers
}
