//! Signed advertisements: without the key no frame changes anything, made up, recorded or recorded and altered.

use vrrp_core::{
    AuthConfig, AuthKey, AuthSettings, Duration, FrameKind, Instant, Output, Poll, Priority,
    VrConfig, VrKey, WallClock,
};

use crate::engine::{Bench, Engine, IF, key, kinds, up};
use crate::octets::Octets;
use crate::packets;

/// The wall clock at time 0, in seconds since 1970.
const EPOCH: u64 = 1_796_000_000;
const KEY: [u8; 32] = *b"an attacker does not know this..";
/// The length of a trailer.
const TRAILER: usize = 28;
/// The bits of a choice that are time or a number.
const REST: u8 = 3;

/// A host that is attacked, one that is not and hears the same otherwise, and the peer of both.
struct Segment {
    attacked: Bench,
    spared: Bench,
    peer: Engine,
    now: Instant,
    /// Every advertisement that was on the wire and was heard.
    recorded: Vec<Vec<u8>>,
}

/// Steps one after the other, each with an octet of choices first: its lowest bits say what happens, the others
/// how long it takes, or which of the recorded advertisements it is.
///
/// # Panics
/// When a frame of the attacker is believed, or the host that is attacked goes another way than the one that is
/// not.
pub fn check(octets: &[u8]) {
    let mut octets = Octets(octets);
    let mut segment = Segment::new(octets.u8());
    while !octets.is_empty() {
        let choices = octets.u8();
        let rest = choices >> REST;
        match choices & 7 {
            0 | 1 => segment.pass(u64::from(rest) * 31_250, choices & 1 == 1),
            2 | 3 => {
                let mut frame = segment.record(rest, &mut octets);
                if choices & 1 == 1 {
                    packets::spoil(&mut octets, &mut frame);
                }
                segment.attack(&frame);
            }
            4 | 5 => {
                let mut frame = made(rest, &mut octets);
                if choices & 1 == 1 {
                    packets::spoil(&mut octets, &mut frame);
                }
                segment.attack(&frame);
            }
            6 => {
                // A message of now with the trailer of another one.
                let mut frame = made(rest, &mut octets);
                let recorded = segment.record(rest, &mut octets);
                if let (Some(to), Some(from)) = (trailer(&frame), trailer(&recorded)) {
                    frame[to..].copy_from_slice(&recorded[from..]);
                    packets::mend(&mut frame);
                }
                segment.attack(&frame);
            }
            _ => {
                let len = octets.u16() & 0x7ff;
                let mut frame = octets.take(len.into()).to_vec();
                if rest & 1 == 1 {
                    packets::mend(&mut frame);
                }
                segment.attack(&frame);
            }
        }
    }
    // Hidden state shows when all that is heard is gone.
    segment.pass(10_000_000, false);
}

/// Where the trailer of a frame begins that is long enough for one.
fn trailer(frame: &[u8]) -> Option<usize> {
    frame.len().checked_sub(TRAILER).filter(|&at| at >= 34)
}

/// A good advertisement with a good trailer, but for the signature.
fn made(rest: u8, octets: &mut Octets<'_>) -> Vec<u8> {
    let kinds = kinds();
    let vrid = rest % kinds.len() as u8;
    let family = kinds.get(usize::from(vrid)).map(|(family, _)| *family);
    let Some(key) = family.and_then(|family| key(vrid + 1, family)) else {
        return Vec::new();
    };
    let mut frame = packets::advert(octets, key);
    // Seconds around those of now, as an attacker knows the time.
    let seconds = EPOCH as u32 + u32::from(octets.u8()) / 4;
    frame.extend([1, octets.u8() & 3, 0, 0]);
    frame.extend(seconds.to_be_bytes());
    frame.extend(octets.array::<4>());
    frame.extend(octets.array::<16>());
    lengthen(&mut frame);
    packets::mend(&mut frame);
    frame
}

/// Writes the length of an IP packet after its frame has grown.
fn lengthen(frame: &mut [u8]) {
    let len = (frame.len() as u16).saturating_sub(14);
    let (at, len) = match frame.get(12..14) {
        Some([0x86, 0xdd]) => (18, len.saturating_sub(40)),
        _ => (16, len),
    };
    if let Some(field) = frame.get_mut(at..at + 2) {
        field.copy_from_slice(&len.to_be_bytes());
    }
}

/// Gives every virtual router the key, but for one with a password, whose own it is.
fn sign(engine: &mut Engine, now: Instant) {
    let since_epoch = Duration::from_secs(EPOCH);
    let clock = WallClock {
        since_epoch,
        synchronised: true,
    };
    engine.set_wall_clock(now, Some(clock));
    let keys = [AuthKey::new(1, &KEY).expect("32 octets")];
    let settings = AuthSettings {
        active_key: 1,
        ..AuthSettings::DEFAULT
    };
    let all: Vec<VrKey> = engine.keys().collect();
    for key in all {
        let config = AuthConfig {
            settings,
            keys: &keys,
        };
        if engine.admin(now).set_auth(key, Some(&config)).is_err() {
            engine.admin(now).remove(key).expect("it is there");
        }
    }
}

impl Segment {
    fn new(priority: u8) -> Self {
        let mut benches = [Bench::with_all_kinds(), Bench::with_all_kinds()];
        for bench in &mut benches {
            sign(&mut bench.engine, bench.now);
            bench.settle();
        }
        let [attacked, spared] = benches;
        let now = attacked.now;
        Self {
            peer: peer(priority, now),
            attacked,
            spared,
            now,
            recorded: Vec::new(),
        }
    }

    /// Lets time pass, and delivers what the peer says meanwhile, if it is not lost.
    fn pass(&mut self, micros: u64, is_lost: bool) {
        let end = Instant::from_micros(self.now.as_micros() + micros);
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        loop {
            while let Poll::Output(output) = self.peer.poll_output(&mut buf) {
                if let Output::Transmit(transmit) = output
                    && transmit.kind == FrameKind::Advertisement
                    && !is_lost
                {
                    self.deliver(transmit.frame);
                }
            }
            let Some(due) = self.peer.poll_timeout().filter(|&due| due <= end) else {
                break;
            };
            self.advance(due.max(self.now));
            self.peer.handle_timeout(self.now);
        }
        self.advance(end);
        self.compare("time has passed");
    }

    fn advance(&mut self, now: Instant) {
        self.now = now;
        self.attacked.advance(now);
        self.spared.advance(now);
    }

    fn deliver(&mut self, frame: &[u8]) {
        for bench in [&mut self.attacked, &mut self.spared] {
            let _ = bench.engine.handle_frame(bench.now, IF, frame);
            bench.settle();
        }
        self.recorded.push(frame.to_vec());
    }

    /// One of the recorded advertisements. Empty: there is none.
    fn record(&self, rest: u8, octets: &mut Octets<'_>) -> Vec<u8> {
        let number = usize::from(rest) << 8 | usize::from(octets.u8());
        let place = number.checked_rem(self.recorded.len());
        place.map_or_else(Vec::new, |place| self.recorded[place].clone())
    }

    fn attack(&mut self, frame: &[u8]) {
        let bench = &mut self.attacked;
        let verdict = bench.engine.handle_frame(bench.now, IF, frame);
        assert!(verdict.accepted().is_none(), "believed: {verdict:?}");
        assert_eq!(bench.settle(), 0, "{verdict:?} led to something");
        self.compare("an attack");
    }

    fn compare(&self, after: &str) {
        let (attacked, spared) = (self.attacked.picture(), self.spared.picture());
        assert_eq!(attacked, spared, "after {after}");
    }
}

/// The other host of the segment, with the same virtual routers and another priority.
fn peer(priority: u8, now: Instant) -> Engine {
    let mut engine = Engine::new();
    let state = vrrp_core::InterfaceState {
        mac: vrrp_core::MacAddr([2, 0, 0, 0, 0, 2]),
        ipv4: Some([10, 0, 0, 2].into()),
        ipv6: Some([0xfe80, 0, 0, 0, 0, 0, 0, 2].into()),
        ..up()
    };
    engine.set_interface(now, IF, state).expect("room for two");
    let own = up().ipv4.map(std::net::IpAddr::V4);
    for (vrid, (family, config)) in (1..).zip(kinds()) {
        let key = key(vrid, family).expect("a legal VRID");
        let peers: Vec<_> = own
            .into_iter()
            .filter(|_| !config.peers.is_empty())
            .collect();
        let config = VrConfig {
            settings: vrrp_core::VrSettings {
                priority: Priority::new(priority).unwrap_or_default(),
                ..config.settings
            },
            peers: &peers,
            ..config
        };
        let inserted = engine.admin(now).insert(key, &config);
        inserted.expect("a good configuration");
        let enabled = engine.admin(now).set_enabled(key, true);
        enabled.expect("it is there");
    }
    sign(&mut engine, now);
    engine
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The peer becomes master, and is heard.
    fn settled() -> Segment {
        let mut segment = Segment::new(200);
        segment.pass(10_000_000, false);
        assert!(segment.recorded.len() > 20, "{}", segment.recorded.len());
        segment
    }

    #[test]
    fn what_was_recorded_changes_nothing() {
        let mut segment = settled();
        for frame in segment.recorded.clone() {
            segment.attack(&frame);
        }
        segment.pass(10_000_000, true);
    }

    #[test]
    #[should_panic(expected = "believed")]
    fn one_with_the_key_is_believed() {
        let mut segment = settled();
        let mut buf = [0; Engine::MAX_FRAME_LEN];
        let key = segment.peer.keys().next().expect("a virtual router");
        let now = segment.now;
        segment.peer.admin(now).resign(key).expect("it is there");
        while let Poll::Output(output) = segment.peer.poll_output(&mut buf) {
            if let Output::Transmit(transmit) = output {
                segment.attack(transmit.frame);
            }
        }
    }
}
