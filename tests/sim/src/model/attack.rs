//! Routers that sign (H-1 to H-13), and an attacker without the key who has recorded every frame.
//!
//! A recorded advertisement that a router has not believed yet, nor a later one of that sender since the router's
//! start, is believed when the attacker sends it, within the window of [`AntiReplay::Time`]: that is a late delivery,
//! and one step. Everything else that the attacker sends must leave no trace: it is sent all at once, to every
//! router, and each frame is checked.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use vrrp_core::wire::vrrp::TRAILER_LEN;
use vrrp_core::{
    AntiReplay, AuthConfig, AuthSettings, Duration, Error, Family, Instant, Poll, State, WallClock,
};

use super::{KEY, Model, Node, Small};
use crate::host::EPOCH;
use crate::intruder::{Change, change, signature_of};
use crate::message::{Message, Sum};
use crate::signature::{self, Trailer};

/// The seconds by which the clock of a sender may differ, few, so that what was recorded becomes stale soon.
const WINDOW: u16 = 2;
/// The key id that routers sign with.
const ACTIVE_KEY: u8 = signature::KEYS[0];
/// The seconds by which the clock of each router is ahead of that of the one before it.
const SKEW: u64 = 1;
/// A key id that no router has.
const UNKNOWN_KEY: u8 = 9;
/// Where the IP payload of a frame begins, and the priority in it.
const PAYLOAD: usize = 34;
const PRIORITY: usize = 2;
/// The last octet of the address of a host that is no router.
const STRANGER: u8 = 77;

/// The signatures of the routers of a model, in mode enforce.
#[derive(Clone, Debug)]
pub struct Signed {
    replay: AntiReplay,
    broken: Option<Broken>,
}

/// A defect, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Broken {
    /// A router forgets its marks when the attacker speaks.
    Marks,
    /// The attacker signs as a router does.
    Digest,
}

/// The numbers of a router's signatures.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Numbers {
    /// The last one that it sent, over its crashes.
    sent: Option<u64>,
    /// The last one of each sender that it has believed since its start, by the last octet of the address.
    believed: BTreeMap<u8, u64>,
    boots: u32,
}

/// A frame that the attacker sends to a router.
pub(super) struct Strike {
    to: usize,
    frame: Rc<[u8]>,
}

/// Notes an advertisement for the attacker, and checks that its number was never sent before: also the first one
/// after a crash is believed by those who heard the last one before it.
pub(super) fn record(node: &mut Node, host: usize, frame: &Rc<[u8]>) {
    let sent = &mut node.hosts[host].numbers.sent;
    let wrong = match signature_of(frame) {
        None => format!("{host} sends what is not signed"),
        Some((_, number)) => match sent.replace(number).filter(|last| *last >= number) {
            Some(last) => format!("{host} sends number {number:#x} after {last:#x}"),
            None => {
                node.recorded.push(frame.clone());
                return;
            }
        },
    };
    node.wrong.get_or_insert(wrong);
}

impl Signed {
    /// Routers that sign with a key that the attacker has not.
    pub const fn new(replay: AntiReplay) -> Self {
        let broken = None;
        Self { replay, broken }
    }

    /// Gives a router that starts its clocks and its key.
    pub(super) fn start(
        &self,
        engine: &mut Small,
        now: Instant,
        host: usize,
        numbers: &mut Numbers,
    ) -> Result<(), Error> {
        numbers.boots += 1;
        numbers.believed.clear();
        if self.replay == AntiReplay::Monotonic {
            engine.set_boot_count(now, numbers.boots);
        } else {
            let since_epoch = Duration::from_micros(EPOCH + now.as_micros())
                + Duration::from_secs(SKEW * host as u64);
            let synchronised = true;
            let wall = WallClock {
                since_epoch,
                synchronised,
            };
            engine.set_wall_clock(now, Some(wall));
        }
        self.set_keys(engine, now)
    }

    fn set_keys(&self, engine: &mut Small, now: Instant) -> Result<(), Error> {
        let settings = AuthSettings {
            replay: self.replay,
            window: WINDOW,
            active_key: ACTIVE_KEY,
            ..AuthSettings::DEFAULT
        };
        let keys = &signature::keys();
        let auth = AuthConfig { settings, keys };
        engine.admin(now).set_auth(KEY, Some(&auth))
    }

    /// The seconds of a router's clock.
    fn seconds(&self, node: &Node, host: usize) -> u64 {
        (EPOCH + node.now) / 1_000_000 + SKEW * host as u64
    }

    /// Whether a router has to believe an advertisement that another router has signed (H-4, H-7).
    fn is_fresh(&self, node: &Node, to: usize, frame: &[u8]) -> bool {
        let Some((sender, number)) = signature_of(frame) else {
            return false;
        };
        let is_stale = self.replay == AntiReplay::Time
            && (number >> 32).abs_diff(self.seconds(node, to)) > WINDOW.into();
        let last = node.hosts[to].numbers.believed.get(&sender);
        usize::from(sender) != to + 1 && !is_stale && last.is_none_or(|last| number > *last)
    }

    /// Hands a router a frame, `genuine` if a router has sent it as it is. It has to believe what is genuine
    /// and fresh, and nothing else may change anything.
    pub(super) fn hear(&self, node: &mut Node, to: usize, frame: &[u8], genuine: bool) {
        let fresh = genuine && self.is_fresh(node, to, frame);
        let now = Instant::from_micros(node.now);
        let host = &mut node.hosts[to];
        let Some(engine) = &mut host.engine else {
            return;
        };
        let state = |engine: &Small| (engine.status(KEY), engine.poll_timeout());
        let signatures = |engine: &Small| {
            let auth = engine.auth(KEY);
            auth.map(|auth| (auth.signed_received, auth.held_by))
        };
        let before = (state(engine), signatures(engine));
        let takes_part = before.0.0.is_some_and(|s| s.state != State::Initialize);
        let verdict = engine.handle_frame(now, 1, frame);
        let believed = verdict.accepted().is_some();
        let mut wrong = None;
        if believed != (fresh && takes_part) {
            let not = if believed { "should not" } else { "should" };
            wrong = Some(format!("{to} {not} have believed it: {verdict:?}"));
        } else if !believed {
            let asks = matches!(
                engine.poll_output(&mut [0; Small::MAX_FRAME_LEN]),
                Poll::Output(_)
            );
            // One that takes no part spends the number all the same.
            let after = (state(engine), signatures(engine));
            if asks || after.0 != before.0 || !fresh && after.1 != before.1 {
                wrong = Some(format!("{to}: {before:?} became {after:?}, output {asks}"));
            }
        }
        if let Some((sender, number)) = signature_of(frame).filter(|_| fresh) {
            host.numbers.believed.insert(sender, number);
        }
        if let Some(wrong) = wrong {
            node.wrong.get_or_insert(wrong);
        }
    }

    /// The late deliveries that the attacker can make: of recorded frames that are believed.
    pub(super) fn late(&self, node: &Node) -> Vec<(String, Strike)> {
        let mut list = Vec::new();
        for to in 0..node.hosts.len() {
            let fresh = |frame: &&Rc<[u8]>| self.is_fresh(node, to, frame);
            let runs = node.hosts[to].engine.is_some();
            for frame in node.recorded.iter().filter(|_| runs).filter(fresh) {
                let (sender, number) = signature_of(frame).unwrap_or_default();
                let what = format!("replay of {number:#x} of {} to {to}", sender - 1);
                let frame = frame.clone();
                list.push((what, Strike { to, frame }));
            }
        }
        list
    }

    /// The frames that no router has sent: recorded ones with a change, and made up ones.
    fn forgeries(&self, node: &Node) -> Vec<Vec<u8>> {
        let mut list = Vec::new();
        let number = |frame: &&Rc<[u8]>| signature_of(frame).map(|(_, number)| number);
        let newest = node.recorded.iter().max_by_key(number);
        for frame in &node.recorded {
            let priority = frame[PAYLOAD + PRIORITY];
            let key_id = frame.len() - PAYLOAD - TRAILER_LEN + 1;
            let flips = [
                (PRIORITY, priority),
                (PRIORITY, !priority),
                (key_id, ACTIVE_KEY ^ signature::KEYS[1]),
                (key_id, ACTIVE_KEY ^ UNKNOWN_KEY),
            ];
            let flips = flips.into_iter().filter(|(_, bits)| *bits != 0);
            let flips = flips.map(|(at, bits)| Change::Flip { at, bits });
            let other = newest.filter(|newest| covered(newest) != covered(frame));
            let other = other.map(|other| Change::TrailerOf(other));
            let changes = [Change::Bare, Change::Later(1 << 16)];
            let changes = changes.into_iter().chain(flips).chain(other);
            list.extend(changes.map(|how| change(frame, how)));
        }
        let sources = (1..=node.hosts.len() as u8).chain([STRANGER]);
        for (source, priority) in sources.flat_map(|source| [(source, 0), (source, 255)]) {
            let mut made_up = message(source, priority);
            list.push(made_up.frame());
            made_up.trailer = Some(Trailer {
                scheme: 1,
                key_id: ACTIVE_KEY,
                reserved: 0,
                // After every number of this second, and of any boot.
                number: self.seconds(node, 0) << 32 | 0xffff_0000,
                wrong_bit: (self.broken != Some(Broken::Digest)).then_some(0),
            });
            list.push(made_up.frame());
        }
        list
    }
}

/// The source and the message of a recorded frame, as far as the HMAC covers them: without the checksum (H-6).
fn covered(frame: &[u8]) -> [&[u8]; 3] {
    let end = frame.len() - TRAILER_LEN;
    let (before, after) = (PAYLOAD..PAYLOAD + 6, PAYLOAD + 8..end);
    [&frame[26..30], &frame[before], &frame[after]]
}

/// An advertisement without a signature.
fn message(source: u8, priority: u8) -> Message {
    Message {
        source: [10, 0, 0, source].into(),
        destination: Family::Ipv4.group(),
        ttl: 255,
        version: 3,
        kind: 1,
        vrid: KEY.vrid.get(),
        priority,
        interval: 100,
        reserved: 0,
        addresses: vec![IpAddr::from([10, 0, 1, 1])],
        count: None,
        auth_type: 0,
        auth_data: [0; 8],
        sum: Sum::Pseudo,
        missing: 0,
        trailing: 0,
        trailer: None,
    }
}

impl Model {
    /// Lets the attacker deliver an advertisement late.
    pub(super) fn strike(&self, node: &mut Node, strike: &Strike) {
        node.left.attacks -= 1;
        node.attacked.push(node.now);
        self.hear(node, strike.to, &strike.frame);
        self.drain(node, strike.to);
    }

    /// Lets the attacker send every router all that must not be believed. Each frame leaves no trace,
    /// and the routers come to rest as they would have.
    pub(super) fn storm(&self, node: &mut Node) {
        let Some(signed) = &self.signed else {
            return;
        };
        let twin = self.comes_to_rest(node);
        node.left.attacks -= 1;
        node.attacked.push(node.now);
        let forgeries = signed.forgeries(node);
        let recorded = node.recorded.clone();
        for to in 0..node.hosts.len() {
            let now = Instant::from_micros(node.now);
            for frame in &recorded {
                if signed.is_fresh(node, to, frame) {
                    continue;
                }
                if let Some(engine) = &mut node.hosts[to].engine
                    && signed.broken == Some(Broken::Marks)
                {
                    let forgotten = engine.admin(now).set_auth(KEY, None);
                    let again = forgotten.and_then(|()| signed.set_keys(engine, now));
                    assert_eq!(again, Ok(()), "they were set before");
                }
                signed.hear(node, to, frame, true);
            }
            for frame in &forgeries {
                signed.hear(node, to, frame, false);
            }
        }
        if let (Ok(twin), Ok(end)) = (twin, self.comes_to_rest(node)) {
            let statuses = |node: &Node| -> Vec<_> {
                let engines = node.hosts.iter().map(|host| host.engine.as_ref());
                engines.map(|engine| engine?.status(KEY)).collect()
            };
            let (was, is) = (statuses(&twin), statuses(&end));
            if was != is {
                let wrong = format!("without the attacker {was:#?}, with it {is:#?}");
                node.wrong.get_or_insert(wrong);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Budgets, router};
    use super::*;

    /// The property that a model finds violated.
    fn found(replay: AntiReplay, broken: Option<Broken>) -> Option<String> {
        let model = Model {
            name: "two that sign".into(),
            configs: vec![router(100, true), router(200, true)],
            budgets: Budgets {
                losses: 0,
                delays: 0,
                crashes: 1,
                stops: 0,
                checks: 0,
                attacks: 1,
                horizon: 7,
            },
            signed: Some(Signed { replay, broken }),
        };
        model.explore().err().map(|found| found.wrong)
    }

    #[test]
    fn a_broken_mark_or_digest_is_found() {
        for replay in [AntiReplay::Time, AntiReplay::Monotonic] {
            assert_eq!(found(replay, None), None);
            for broken in [Broken::Marks, Broken::Digest] {
                let wrong = found(replay, Some(broken)).unwrap();
                assert!(wrong.contains("should not have believed it"), "{wrong}");
            }
        }
    }
}
