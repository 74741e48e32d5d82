//! A virtual router on a table of its own, stepped through time by hand: `Line` reads as a time
//! line, `at 3.609 s expect ...`.
#![allow(dead_code, unreachable_pub)] // Each test program uses its part.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::IpAddr;

use vrrp_core::{
    AdvertInterval, Auth, DropReason, Duration, Engine, Failure, Family, FrameKind, Instant,
    InterfaceState, MacAddr, Output, Priority, State, StateChange, Status, VirtualAddress,
    VrConfig, VrKey, Vrid,
};
use vrrp_core::{
    Poll,
    wire::{self, WireVersion, ethernet, ipv4, ipv6, vrrp},
};

pub type TestRouter = Engine<4, 8, 16>;

pub const IF: u32 = 7;
pub const OWN_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x06]);
pub const PEER_MAC: MacAddr = MacAddr([0x02, 0, 0, 0, 0, 0x02]);

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn key(vrid: u8, family: Family) -> VrKey {
    VrKey {
        ifindex: IF,
        vrid: Vrid::new(vrid).unwrap(),
        family,
    }
}

pub fn priority(value: u8) -> Priority {
    Priority::new(value).unwrap()
}

pub fn cs(value: u16) -> AdvertInterval {
    AdvertInterval::from_centis(value).unwrap()
}

/// "10.10.10.80/32" or "10.10.10.80".
pub fn addresses(list: &[&str]) -> Vec<VirtualAddress> {
    list.iter()
        .map(|text| {
            let (address, prefix) = text.split_once('/').unwrap_or((text, "32"));
            VirtualAddress {
                address: ip(address),
                prefix_len: prefix.parse().unwrap(),
            }
        })
        .collect()
}

/// The interface of clarinet, 10.10.10.6.
pub fn interface() -> InterfaceState {
    InterfaceState {
        up: true,
        mac: OWN_MAC,
        ipv4: Some("10.10.10.6".parse().unwrap()),
        ipv6: Some("fe80::6".parse().unwrap()),
    }
}

/// A verdict without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    NotVrrp,
    Accepted(VrKey),
    Dropped(DropReason),
}

impl From<vrrp_core::Verdict<'_>> for Verdict {
    fn from(verdict: vrrp_core::Verdict<'_>) -> Self {
        match verdict {
            vrrp_core::Verdict::NotVrrp => Verdict::NotVrrp,
            vrrp_core::Verdict::Accepted(accepted) => Verdict::Accepted(accepted.key),
            vrrp_core::Verdict::Dropped(dropped) => Verdict::Dropped(dropped.reason),
        }
    }
}

/// An advertisement of a peer, changed field by field where a test needs it.
#[derive(Clone)]
pub struct Peer {
    pub source: IpAddr,
    pub destination: Option<IpAddr>,
    pub vrid: u8,
    pub priority: u8,
    pub interval: AdvertInterval,
    pub version: WireVersion,
    pub addresses: Vec<IpAddr>,
    pub auth: Auth,
    pub pseudo_header: bool,
    pub ttl: u8,
}

impl Peer {
    /// fridge, 10.10.10.2 or fe80::2, of this priority, agreeing with us on everything else.
    pub fn fridge(line: &Line, priority: u8) -> Peer {
        let status = line.status();
        let source = match status.key.family {
            Family::Ipv4 => ip("10.10.10.2"),
            Family::Ipv6 => ip("fe80::2"),
        };
        Peer {
            source,
            destination: None,
            vrid: status.key.vrid.get(),
            priority,
            interval: status.advert_interval,
            version: match status.version {
                vrrp_core::Version::V2 => WireVersion::V2,
                _ => WireVersion::V3,
            },
            addresses: line.router.addresses(line.key).map(|a| a.address).collect(),
            auth: Auth::None,
            pseudo_header: true,
            ttl: 255,
        }
    }

    pub fn frame(&self) -> Vec<u8> {
        let family = Family::of(self.source);
        let mut buf = [0; 5_000];
        let advert = wire::Advert {
            source_mac: PEER_MAC,
            destination_mac: family.group_mac(),
            source: self.source,
            destination: self.destination.unwrap_or(family.group()),
            ttl: self.ttl,
            version: self.version,
            vrid: Vrid::new(self.vrid).unwrap(),
            priority: self.priority,
            interval: self.interval,
            auth: self.auth,
            pseudo_header: self.pseudo_header,
        };
        let emitted = advert.emit(&mut buf, self.addresses.iter().copied());
        buf[..emitted.expect("the advertisement fits").len].to_vec()
    }
}

/// One virtual router and its time line.
pub struct Line {
    pub router: TestRouter,
    pub key: VrKey,
    pub now: Instant,
    pub seen: VecDeque<String>,
    pub frames: Vec<Vec<u8>>,
    pub changes: Vec<StateChange>,
    /// Whether neighbour probes (G-8) are among what is seen.
    pub sees_probes: bool,
}

impl Line {
    /// Inserts and enables one virtual router at time 0 on an interface that is up.
    pub fn new(config: &VrConfig<'_>) -> Line {
        Line::new_of(config, Family::of(config.addresses[0].address))
    }

    /// As [`new`](Self::new), of this family: there may be no address.
    pub fn new_of(config: &VrConfig<'_>, family: Family) -> Line {
        let mut line = Line::disabled_of(config, family);
        line.router
            .admin(line.now)
            .set_enabled(line.key, true)
            .unwrap();
        line.drain();
        line
    }

    pub fn disabled(config: &VrConfig<'_>) -> Line {
        Line::disabled_of(config, Family::of(config.addresses[0].address))
    }

    fn disabled_of(config: &VrConfig<'_>, family: Family) -> Line {
        let mut line = Line {
            router: TestRouter::new(),
            key: key(1, family),
            now: Instant::from_micros(0),
            seen: VecDeque::new(),
            frames: Vec::new(),
            changes: Vec::new(),
            sees_probes: false,
        };
        line.router
            .set_interface(line.now, IF, interface())
            .unwrap();
        line.router
            .admin(line.now)
            .insert(line.key, config)
            .unwrap();
        line
    }

    pub fn status(&self) -> Status {
        self.router.status(self.key).expect("it is in the table")
    }

    pub fn state(&self) -> State {
        self.status().state
    }

    /// Lets time pass to `seconds`, handling every timer on the way at its deadline. Asserts that
    /// the engine never asks for a deadline in the past twice.
    pub fn at(&mut self, seconds: f64) -> &mut Self {
        let end = Instant::from_micros((seconds * 1e6).round() as u64);
        assert!(end >= self.now, "time lines go forward");
        let mut same = 0;
        while let Some(next) = self.router.poll_timeout().filter(|next| *next <= end) {
            same = if next <= self.now { same + 1 } else { 0 };
            assert!(same < 3, "livelock at {} us", self.now.as_micros());
            self.now = self.now.max(next);
            self.router.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
        self
    }

    /// Lets time jump to `seconds` without a chance to handle timers: the host slept.
    pub fn sleep_until(&mut self, seconds: f64) -> &mut Self {
        self.now = Instant::from_micros((seconds * 1e6).round() as u64);
        self
    }

    /// Handles what is due now.
    pub fn wake(&mut self) -> &mut Self {
        self.router.handle_timeout(self.now);
        self.drain();
        self
    }

    pub fn hear(&mut self, peer: &Peer) -> Verdict {
        let verdict = self.hear_frame(&peer.frame());
        self.drain();
        verdict
    }

    /// Hears a frame, and leaves the outputs for later.
    pub fn hear_frame(&mut self, frame: &[u8]) -> Verdict {
        self.router.handle_frame(self.now, IF, frame).into()
    }

    /// Hears an advertisement that must be accepted.
    pub fn accept(&mut self, peer: &Peer) -> &mut Self {
        assert_eq!(self.hear(peer), Verdict::Accepted(self.key));
        self
    }

    pub fn act(&mut self, act: impl FnOnce(&mut TestRouter, Instant)) -> &mut Self {
        act(&mut self.router, self.now);
        self.drain();
        self
    }

    pub fn fail(&mut self, failure: Failure) -> &mut Self {
        self.act(|router, now| router.handle_failure(now, failure))
    }

    /// Expects that exactly these outputs came since the last expectation, in this order.
    #[track_caller]
    pub fn expect(&mut self, outputs: &[&str]) -> &mut Self {
        let seen: Vec<_> = self.seen.drain(..).collect();
        assert_eq!(seen, outputs, "until {} us", self.now.as_micros());
        self
    }

    #[track_caller]
    pub fn expect_state(&mut self, state: State) -> &mut Self {
        assert_eq!(self.state(), state, "at {} us", self.now.as_micros());
        self
    }

    /// Forgets what came until now.
    pub fn skip(&mut self) -> &mut Self {
        self.seen.clear();
        self.frames.clear();
        self
    }

    pub fn drain(&mut self) {
        let mut buf = [0; TestRouter::MAX_FRAME_LEN];
        while let Poll::Output(output) = self.router.poll_output(&mut buf) {
            if let Output::Transmit(t) = output
                && t.kind == FrameKind::NeighborProbe
                && !self.sees_probes
            {
                continue;
            }
            let time = self.now.as_micros() as f64 / 1e6;
            let mut text = format!("{time:.6}");
            text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
            write!(text, " {}", describe(&output)).unwrap();
            self.seen.push_back(text);
            match output {
                Output::Transmit(t) => self.frames.push(t.frame.to_vec()),
                Output::StateChange(change) => self.changes.push(change),
                _ => {}
            }
        }
    }
}

/// An output in a few words.
pub fn describe(output: &Output<'_>) -> String {
    let sign = |on| if on { '+' } else { '-' };
    match output {
        Output::Transmit(t) => describe_frame(t.frame, t.kind, t.unicast),
        Output::SetMac { on, mac, .. } => format!("{}mac {mac}", sign(*on)),
        Output::SetAddress { on, address, .. } => format!("{}{}", sign(*on), address.address),
        Output::SetGroup { on, family, .. } => format!("{}group {family}", sign(*on)),
        Output::StateChange(c) => format!("{} -> {}: {}", c.from, c.to, c.reason),
        Output::Removed { .. } => "removed".into(),
    }
}

fn describe_frame(frame: &[u8], kind: FrameKind, unicast: Option<IpAddr>) -> String {
    match kind {
        FrameKind::Advertisement => {
            let advert = Sent::parse(frame);
            let mut text = format!("v{} priority {}", advert.version, advert.priority);
            if let Some(to) = unicast {
                write!(text, " to {to}").unwrap();
            }
            text
        }
        FrameKind::GratuitousArp => {
            let ip = &frame[28..32];
            format!("arp {}.{}.{}.{}", ip[0], ip[1], ip[2], ip[3])
        }
        FrameKind::UnsolicitedNa => {
            let target: [u8; 16] = frame[62..78].try_into().unwrap();
            format!("na {}", std::net::Ipv6Addr::from(target))
        }
        FrameKind::ArpReply | FrameKind::NaReply => "answer".into(),
        FrameKind::NeighborProbe => "probe".into(),
    }
}

/// An advertisement that was sent, read back field by field.
#[derive(Debug, PartialEq, Eq)]
pub struct Sent {
    pub source_mac: MacAddr,
    pub destination_mac: MacAddr,
    pub source: IpAddr,
    pub destination: IpAddr,
    pub ttl: u8,
    pub version: u8,
    pub vrid: u8,
    pub priority: u8,
    pub interval_cs: u16,
    pub auth_type: u8,
    pub auth_data: [u8; 8],
    pub addresses: Vec<IpAddr>,
    pub checksum: vrrp::ChecksumForm,
}

impl Sent {
    pub fn parse(frame: &[u8]) -> Sent {
        let ethernet = ethernet::View::new(frame).unwrap();
        let (source, destination, ttl, message): (IpAddr, IpAddr, u8, &[u8]) =
            match ethernet.ethertype() {
                ethernet::IPV4 => {
                    let ip = ipv4::View::new(ethernet.payload()).unwrap();
                    let (s, d) = (ip.source().into(), ip.destination().into());
                    (s, d, ip.ttl(), ip.payload())
                }
                _ => {
                    let ip = ipv6::View::new(ethernet.payload()).unwrap();
                    let (s, d) = (ip.source().into(), ip.destination().into());
                    (s, d, ip.hop_limit(), ip.payload())
                }
            };
        let view = vrrp::View::new(message, Family::of(source)).unwrap();
        Sent {
            source_mac: ethernet.source(),
            destination_mac: ethernet.destination(),
            source,
            destination,
            ttl,
            version: view.version(),
            vrid: view.vrid(),
            priority: view.priority(),
            interval_cs: view.interval_cs(),
            auth_type: view.auth_type(),
            auth_data: view.auth_data(),
            addresses: view.addresses().collect(),
            checksum: view.checksum(source, destination),
        }
    }
}

/// A span in seconds.
pub fn secs(seconds: f64) -> Duration {
    Duration::from_micros((seconds * 1e6).round() as u64)
}
