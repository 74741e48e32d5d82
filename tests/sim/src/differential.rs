//! The engine beside the oracle, through random operations: state, what is said and when, whom it
//! knows, what is believed.

use std::net::IpAddr;

use crate::config::Config;
use crate::message::{Message, Sum};
use crate::oracle::{Oracle, Said};
use crate::port::{Engine, interface, open};
use crate::rng::Draw;
use crate::signature::{self, Judge, Trailer, WINDOW};
use vrrp_core::{
    AddressCheck, AdvertInterval, Announce, AntiReplay, Auth, AuthConfig, AuthMode, AuthSettings,
    Duration, Family, FrameKind, Instant, MacAddr, MacMode, OnConflict, Output, OwnerReceive,
    Priority, State, Track, TrackEffect, Version, VirtualAddress, VrKey, Vrid, WallClock,
};
use vrrp_core::{
    Poll,
    wire::{Claim, ethernet},
};

const IF: u32 = 3;
const OWN: u8 = 10;
/// The second of Unix time at time 0.
const EPOCH: u64 = 1_796_000_000;

struct Pair {
    engine: Box<Engine>,
    oracle: Oracle,
    key: VrKey,
    now: u64,
    config: Config,
    said: Vec<Said>,
    probes: u32,
    log: Vec<String>,
    /// Messages have trailers.
    signs: bool,
    /// The number that the engine has signed with last.
    last_sent: Option<u64>,
}

fn family_of(version: Version, rng: &mut impl Draw) -> Family {
    match version == Version::V3 && rng.chance(500_000) {
        true => Family::Ipv6,
        false => Family::Ipv4,
    }
}

fn address(family: Family, host: u8) -> IpAddr {
    match family {
        Family::Ipv4 => [10, 0, 0, host].into(),
        Family::Ipv6 => [0xfe80, 0, 0, 0, 0, 0, 0, host.into()].into(),
    }
}

fn config(rng: &mut impl Draw, version: Version, family: Family) -> Config {
    let virtuals = (1..=rng.between(1, 3) as u8).map(|n| {
        let (address, prefix_len): (IpAddr, u8) = match family {
            Family::Ipv4 => ([10, 0, 1, n].into(), 24),
            Family::Ipv6 => ([0xfe80, 0, 0, 0, 0, 0, 1, n.into()].into(), 64),
        };
        VirtualAddress {
            address,
            prefix_len,
        }
    });
    let mut c = Config::new(virtuals.collect());
    c.settings.version = version;
    let centis = match version {
        Version::V2 => rng.pick(&[100, 200, 4_000]),
        _ => rng.pick(&[1, 3, 10, 100, 100, 333, 4_095]),
    };
    c.settings.advert_interval = AdvertInterval::from_centis(centis).unwrap();
    c.settings.priority = Priority::new(rng.pick(&[1, 50, 100, 100, 200, 254, 255])).unwrap();
    c.settings.preempt = rng.chance(600_000);
    if rng.chance(300_000) {
        c.settings.preempt_delay = Duration::from_millis(rng.between(1, 5_000));
    }
    if rng.chance(300_000) {
        c.settings.start_delay = Duration::from_millis(rng.between(1, 5_000));
    }
    if rng.chance(400_000) {
        c.settings.mac_mode = MacMode::Interface;
    }
    if version != Version::V3 && rng.chance(400_000) {
        c.settings.auth = Auth::Simple(*b"paper\0\0\0");
    }
    if rng.chance(400_000) {
        c.settings.address_check = AddressCheck::Strict;
    }
    if rng.chance(200_000) {
        c.source = Some(address(family, rng.pick(&[OWN, OWN + 3])));
    }
    if rng.chance(300_000) {
        c.settings.owner_receive = OwnerReceive::Discard;
    }
    if rng.chance(300_000) {
        c.settings.on_conflict = OnConflict::Wait;
    }
    if rng.chance(200_000) {
        c.peers = vec![address(family, OWN - 1), address(family, OWN + 1)];
        c.settings.max_hops = rng.pick(&[1, 3, 255]);
    }
    c.settings.announce = Announce {
        repeats: 0,
        ..Announce::DEFAULT
    };
    for object in 0..rng.below(3) as u16 {
        let weight = rng.between(0, 300) as i16 - 150;
        let effect = match rng.below(4) {
            0 => TrackEffect::Fault,
            3 => TrackEffect::StandBack,
            1 => TrackEffect::WhileDown(weight),
            _ => TrackEffect::WhileUp(weight),
        };
        c.tracks.push(Track { object, effect });
    }
    c
}

fn message(rng: &mut impl Draw, pair: &Pair) -> Message {
    let family = pair.key.family;
    let c = &pair.config;
    let version = match c.settings.version {
        Version::V2 => 2,
        Version::V3 => 3,
        Version::Both => rng.pick(&[2, 3]),
    };
    let ours = c.settings.advert_interval.as_centis();
    let peer = rng.pick(&[OWN - 1, OWN + 1, OWN + 1]);
    let unicast = !c.peers.is_empty();
    let mut m = Message {
        source: address(family, peer),
        destination: if unicast {
            c.source.unwrap_or(address(family, OWN))
        } else {
            family.group()
        },
        ttl: 255,
        version,
        kind: 1,
        vrid: pair.key.vrid.get(),
        priority: rng.pick(&[0, 1, 50, 100, 100, 150, 200, 254, 255]),
        interval: match version {
            2 => ours.div_ceil(100),
            _ => rng.pick(&[ours.min(4_095), 1, 10, 100, 4_095]),
        },
        reserved: rng.below(16) as u8,
        addresses: c.addresses.iter().map(|a| a.address).collect(),
        count: None,
        auth_type: 0,
        auth_data: [0; 8],
        sum: match (version, family) {
            (2, _) => Sum::Plain,
            (_, Family::Ipv6) => Sum::Pseudo,
            _ => rng.pick(&[Sum::Plain, Sum::Pseudo]),
        },
        missing: 0,
        trailing: rng.pick(&[0, 0, 0, 5]),
        trailer: None,
    };
    if let Auth::Simple(password) = c.settings.auth {
        (m.auth_type, m.auth_data) = (1, password);
    }
    if rng.chance(300_000) {
        spoil(rng, &mut m);
    }
    // With another length it is none.
    let is_whole = m.missing == 0 && m.count.is_none() && [2, 3].contains(&m.version);
    if pair.signs && is_whole && rng.chance(800_000) {
        m.trailing = 0;
        m.trailer = Some(trailer(rng, pair, m.source));
    }
    m
}

/// A good trailer, or one that breaks a rule.
fn trailer(rng: &mut impl Draw, pair: &Pair, source: IpAddr) -> Trailer {
    let seconds = EPOCH + pair.now / 1_000_000;
    let window = i64::from(WINDOW);
    let off = rng.pick(&[
        0,
        0,
        0,
        0,
        1,
        -1,
        window,
        -window,
        window + 1,
        -window - 1,
        3_600,
        -3_600,
    ]);
    let fraction = pair.now % 1_000_000 * 65_536 / 1_000_000;
    let mut number = seconds.saturating_add_signed(off) << 32 | fraction << 16 | rng.below(4);
    let judge = pair.oracle.judge.as_ref();
    if let Some(last) = judge.and_then(|(judge, _)| judge.last(source))
        && rng.chance(400_000)
    {
        number = last.saturating_add_signed(rng.pick(&[-1, 0, 1, 1, 1]));
    }
    let mut trailer = Trailer {
        scheme: 1,
        key_id: rng.pick(&signature::KEYS),
        reserved: 0,
        number,
        wrong_bit: None,
    };
    if rng.chance(200_000) {
        match rng.below(5) {
            0 => trailer.scheme = rng.pick(&[0, 2, 255]),
            1 => trailer.key_id = rng.pick(&[0, 3, 255]),
            2 => trailer.reserved = 1 << rng.below(16),
            _ => trailer.wrong_bit = Some(rng.below(128) as u8),
        }
    }
    trailer
}

/// Breaks one rule, or bends it.
fn spoil(rng: &mut impl Draw, m: &mut Message) {
    let family = Family::of(m.source);
    match rng.below(18) {
        0 => m.ttl = rng.pick(&[254, 253, 1, 0]),
        1 => m.version = rng.pick(&[0, 1, 2, 3, 4]),
        2 => m.kind = rng.pick(&[0, 2, 15]),
        3 => m.missing = rng.between(1, 12) as usize,
        4 => m.sum = rng.pick(&[Sum::Plain, Sum::Pseudo, Sum::Wrong]),
        5 => m.vrid = rng.pick(&[0, 6, 8, 255]),
        6 => m.count = Some(0),
        7 => m.count = Some(m.addresses.len() as u8 + 1),
        8 => m.interval = 0,
        9 => m.interval = rng.pick(&[1, 2, 40, 255]),
        10 => m.auth_type = rng.pick(&[0, 1, 2, 77]),
        11 => m.auth_data[rng.below(8) as usize] ^= 1,
        12 => m.source = address(family, rng.pick(&[OWN, OWN + 3, OWN + 5])),
        13 => m.addresses.reverse(),
        14 => {
            m.addresses.pop();
        }
        15 => {
            let other: IpAddr = match family {
                Family::Ipv4 => [10, 0, 9, 9].into(),
                Family::Ipv6 => [0x2001, 0xdb8, 0, 0, 0, 0, 0, 9].into(),
            };
            let at = rng.below(m.addresses.len() as u64) as usize;
            m.addresses[at] = other;
        }
        16 => m.destination = address(family, rng.pick(&[OWN, 77])),
        _ => m.destination = family.group(),
    }
    m.interval &= if m.version == 2 { 0xff } else { 0xfff };
}

impl Pair {
    fn new(rng: &mut impl Draw, version: Version, family: Family) -> Pair {
        let key = VrKey {
            ifindex: IF,
            vrid: Vrid::new(7).unwrap(),
            family,
        };
        let config = config(rng, version, family);
        let mut engine = Box::new(Engine::new());
        let now = rng.below(1 << 40);
        let at = Instant::from_micros(now);
        engine
            .set_interface(at, IF, interface(MacAddr([2, 0, 0, 0, 0, OWN]), OWN))
            .unwrap();
        engine
            .admin(at)
            .insert(key, &config.as_vr_config())
            .unwrap();
        let oracle = Oracle::new(key, &config, address(family, OWN));
        let log = vec![format!("{version:?} {family} {config:?}")];
        Pair {
            engine,
            oracle,
            key,
            now,
            config,
            said: Vec::new(),
            probes: 0,
            log,
            signs: false,
            last_sent: None,
        }
    }

    /// Gives both the keys, or none of them, and has messages signed from now on.
    fn sign(&mut self, rng: &mut impl Draw) {
        self.signs = true;
        if self.config.settings.auth != Auth::None || rng.chance(100_000) {
            return;
        }
        let at = self.at();
        let clock = WallClock {
            since_epoch: Duration::from_micros(EPOCH * 1_000_000 + self.now),
            synchronised: true,
        };
        self.engine.set_wall_clock(at, Some(clock));
        let modes = [
            AuthMode::ReceiveOnly,
            AuthMode::Permissive,
            AuthMode::Enforce,
        ];
        let settings = AuthSettings {
            mode: rng.pick(&modes),
            replay: rng.pick(&[AntiReplay::Time, AntiReplay::Time, AntiReplay::Monotonic]),
            window: WINDOW,
            active_key: rng.pick(&signature::KEYS),
        };
        let keys = signature::keys();
        let config = AuthConfig {
            settings,
            keys: &keys,
        };
        let set = self.engine.admin(at).set_auth(self.key, Some(&config));
        set.expect("it is there and has no password");
        self.log.push(format!("{settings:?}"));
        let judge = Judge::new(settings.mode, settings.replay);
        self.oracle.judge = Some((judge, EPOCH));
    }

    /// Sees that what was sent is signed, or is not, as it has to be.
    fn check_signature(&mut self, source: IpAddr, payload: &[u8]) {
        let per = if self.key.family == Family::Ipv6 {
            16
        } else {
            4
        };
        let password = if payload[0] >> 4 == 2 { 8 } else { 0 };
        let len = 8 + per * usize::from(payload[3]) + password;
        let auth = self.engine.auth(self.key).map(|auth| auth.settings);
        match auth.filter(|settings| settings.mode != AuthMode::ReceiveOnly) {
            None => assert_eq!(payload.len(), len),
            Some(settings) => {
                assert_eq!(payload.len(), len + 28);
                let id = settings.active_key;
                let number = signature::check_sent(source, payload, id, self.last_sent);
                self.last_sent = Some(number);
            }
        }
    }

    fn at(&self) -> Instant {
        Instant::from_micros(self.now)
    }

    fn drain(&mut self) {
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        while let Poll::Output(output) = self.engine.poll_output(&mut buf) {
            let Output::Transmit(t) = output else {
                continue;
            };
            if t.kind == FrameKind::NeighborProbe {
                self.probes += 1;
            }
            if t.kind != FrameKind::Advertisement {
                continue;
            }
            assert!(ethernet::View::new(t.frame).is_some());
            let datagram = open(t.frame).expect("it is VRRP");
            let m = datagram.message;
            if t.unicast.is_none() {
                self.check_signature(datagram.source, m);
            }
            let interval = match m[0] >> 4 {
                2 => m[5].into(),
                _ => u16::from_be_bytes([m[4], m[5]]),
            };
            self.said.push(Said {
                version: m[0] >> 4,
                priority: m[2],
                interval,
            });
        }
    }

    /// Compares everything that can be seen.
    fn compare(&mut self) {
        self.drain();
        let theirs = self.engine.status(self.key).expect("it is in the table");
        let o = &self.oracle;
        let log = || self.log[self.log.len().saturating_sub(12)..].join("\n");
        let start = &self.log[0];
        let context = || format!("at {}: {start}\n{}\n{theirs:?}\n{o:?}", self.now, log());
        assert_eq!(theirs.state, o.state, "{}", context());
        assert_eq!(theirs.handing_over, o.is_leaving(), "{}", context());
        assert_eq!(theirs.priority.get(), o.priority(), "{}", context());
        assert_eq!(self.said, o.said, "{}", context());
        assert_eq!(self.probes, o.probes, "{}", context());
        if o.state != State::Initialize {
            assert_eq!(
                theirs.active_interval.as_centis(),
                o.learned_cs(),
                "{}",
                context()
            );
            let known = theirs.active.map(|a| {
                let at = a.last_heard.as_micros();
                (a.address, a.priority, a.version, a.interval.as_centis(), at)
            });
            let expected = o
                .heard
                .map(|h| (h.source, h.priority, h.version, h.interval_cs, h.at));
            assert_eq!(known, expected, "{}", context());
        }
        self.said.clear();
        self.oracle.said.clear();
        (self.probes, self.oracle.probes) = (0, 0);
    }

    /// Lets time pass to `end`; both handle what is due at each other's deadlines.
    fn pass(&mut self, end: u64) {
        loop {
            let engine = self
                .engine
                .poll_timeout()
                .map_or(u64::MAX, |t| t.as_micros());
            let next = engine.min(self.oracle.next()).max(self.now);
            if next > end {
                break;
            }
            self.now = next;
            self.timeout();
        }
        self.now = end;
    }

    fn timeout(&mut self) {
        self.log.push(format!("{} timeout", self.now));
        self.engine.handle_timeout(self.at());
        self.drain();
        let sent = !self.said.is_empty();
        self.oracle.handle_timeout(self.now, sent);
        self.compare();
    }

    fn hear(&mut self, m: &Message) {
        self.log.push(format!("{} hear {m:?}", self.now));
        let frame = m.frame();
        let verdict = self.engine.handle_frame(self.at(), IF, &frame);
        let believed = self.oracle.hear(self.now, m);
        let accepted = verdict.accepted() == Some(self.key);
        assert_eq!(accepted, believed, "{verdict:?} {m:?}\n{:?}", self.oracle);
        self.compare();
    }

    /// Somebody says that he has an address, shortly before the end of a silence or at any time.
    fn claim(&mut self, rng: &mut impl Draw) {
        let address = match rng.chance(900_000) {
            true => self.config.addresses[0].address,
            false => address(self.key.family, OWN + 9),
        };
        if rng.chance(700_000) {
            let interval = self.oracle.learned_cs();
            let end = self.now + rng.below(4 * u64::from(interval) * 10_000);
            self.pass(end);
        }
        self.log.push(format!("{} claim {address}", self.now));
        let mac = MacAddr([2, 0, 0, 0, 0, rng.pick(&[OWN, OWN + 9, OWN + 9, OWN + 9])]);
        let found = self.engine.handle_claim(IF, &Claim { address, mac });
        let expected = mac.0[5] != OWN && self.oracle.claim(address);
        assert_eq!(found.is_some(), expected, "{:?}", self.oracle);
        self.compare();
    }

    fn act(&mut self, rng: &mut impl Draw) {
        let (at, now) = (self.at(), self.now);
        let what = rng.below(12);
        self.log.push(format!("{now} act {what}"));
        match what {
            0 | 1 => {
                let on = rng.chance(700_000);
                self.engine.admin(at).set_enabled(self.key, on).unwrap();
                self.oracle.enable(now, on);
            }
            2 | 3 => {
                let value = rng.pick(&[None, Some(1), Some(100), Some(200), Some(255)]);
                let priority = value.and_then(Priority::new);
                self.engine
                    .admin(at)
                    .set_priority(self.key, priority)
                    .unwrap();
                self.oracle.set_priority(now, value);
            }
            4 => {
                self.engine.admin(at).resign(self.key).unwrap();
                self.oracle.resign(now);
            }
            5 | 6 => {
                let (object, up) = (rng.below(3) as u16, rng.chance(600_000));
                self.engine.admin(at).set_tracked(object, up);
                self.oracle.set_tracked(now, object, up);
            }
            7 | 8 => {
                let mut state = interface(MacAddr([2, 0, 0, 0, 0, OWN]), OWN);
                state.up = rng.chance(800_000);
                if rng.chance(200_000) {
                    (state.ipv4, state.ipv6) = (None, None);
                }
                let own = state.ipv4.map(|_| address(self.key.family, OWN));
                self.engine.set_interface(at, IF, state).unwrap();
                self.oracle.set_interface(now, state.up, own);
            }
            _ => {
                let version = match self.key.family {
                    Family::Ipv4 if rng.chance(300_000) => {
                        rng.pick(&[Version::V2, Version::V3, Version::Both])
                    }
                    _ => self.config.settings.version,
                };
                let mut other = config(rng, version, self.key.family);
                if self.oracle.judge.is_some() {
                    other.settings.auth = Auth::None;
                }
                other.settings.mac_mode = self.config.settings.mac_mode;
                if other.peers.is_empty() != self.config.peers.is_empty() {
                    other.peers = self.config.peers.clone();
                    other.settings.max_hops = self.config.settings.max_hops;
                }
                self.log.push(format!("{now} reconfigure {other:?}"));
                self.engine
                    .admin(at)
                    .reconfigure(self.key, &other.as_vr_config())
                    .unwrap();
                self.oracle.reconfigure(now, &other);
                self.config = other;
            }
        }
        self.compare();
    }

    fn step(&mut self, rng: &mut impl Draw) {
        let interval = self.config.settings.advert_interval.duration().as_micros();
        match rng.below(10) {
            0..=3 => {
                let m = message(rng, self);
                for _ in 0..rng.pick(&[1, 1, 1, 2, 5]) {
                    self.hear(&m);
                    let gap = rng.below(interval * 2);
                    let end = self.now + rng.pick(&[0, gap, interval]);
                    self.pass(end);
                }
            }
            4 | 5 => {
                let end = self.now + rng.below(4 * interval);
                self.pass(end);
            }
            6 => self.claim(rng),
            7 => {
                // The host sleeps, and wakes late.
                self.now += rng.below(8 * interval);
                if rng.chance(500_000) {
                    let m = message(rng, self);
                    self.hear(&m);
                }
                self.timeout();
            }
            _ => self.act(rng),
        }
    }
}

/// Runs up to `steps` random operations, for as long as there is something that decides them.
///
/// # Panics
/// When engine and oracle differ in anything that can be seen.
pub fn agree(rng: &mut impl Draw, version: Version, steps: u32) {
    compare(rng, version, steps, false);
}

/// The same with keys, and messages with signatures good and bad.
///
/// # Panics
/// As [`agree`], and when what the engine sends is not signed as it should be.
pub fn agree_signed(rng: &mut impl Draw, version: Version, steps: u32) {
    compare(rng, version, steps, true);
}

fn compare(rng: &mut impl Draw, version: Version, steps: u32, signs: bool) {
    let family = family_of(version, rng);
    let mut pair = Pair::new(rng, version, family);
    if signs {
        pair.sign(rng);
    }
    let now = pair.now;
    pair.engine
        .admin(pair.at())
        .set_enabled(pair.key, true)
        .expect("it is there");
    pair.oracle.enable(now, true);
    pair.compare();
    for _ in 0..steps {
        if rng.is_used_up() {
            break;
        }
        pair.step(rng);
    }
}
