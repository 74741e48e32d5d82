//! Hosts that answer for the address of a silent master: they are alive, or have left it behind.
//!
//! After a takeover this host goes on asking for the address, so that the warning ends when the answers do.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vrrp_core::wire::Claim;
use vrrp_core::{Duration, Instant, OnConflict, Reason, State, Status, VrKey};

use super::core::{Core, Notice, Vr};
use crate::event::Event;
use crate::report::{About, Holder, Warning};

/// How long a host that was found before a takeover is told of after its last answer, where this host does
/// not ask again.
const REMEMBER: Duration = Duration::from_secs(180);
/// Neighbour probes in a row without an answer after which the address is free. One may get lost.
const MISSES: u32 = 3;
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(1);

/// The host that has answered the last neighbour probe of each virtual router.
#[derive(Debug, Default)]
pub(super) struct Holders(BTreeMap<VrKey, Answerer>);

/// A host that has answered.
#[derive(Debug)]
struct Answerer {
    claim: Claim,
    /// When it has answered last.
    last: Instant,
    /// When it was last asked for.
    asked: Instant,
    /// How often it was asked for since its last answer.
    misses: u32,
}

impl Answerer {
    fn new(now: Instant, claim: Claim) -> Self {
        Self {
            claim,
            last: now,
            asked: now,
            misses: 0,
        }
    }

    /// Whether it has ceased to answer.
    fn is_silent(&self, now: Instant) -> bool {
        self.misses >= MISSES && now.since(self.asked) >= ANSWER
    }
}

impl Holders {
    /// Forgets a virtual router that is not there any more.
    pub(super) fn forget(&mut self, key: VrKey) {
        self.0.remove(&key);
    }

    /// Notes that the address of a host was asked for.
    pub(super) fn asked(&mut self, now: Instant, key: VrKey) {
        if let Some(one) = self.0.get_mut(&key) {
            one.asked = now;
            one.misses = one.misses.saturating_add(1);
        }
    }
}

/// Whether a virtual router stays Backup for as long as a host answers.
fn waits(vr: &Vr) -> bool {
    let spec = vr.current.as_ref();
    spec.is_some_and(|spec| spec.settings.on_conflict == OnConflict::Wait)
}

/// Whether a virtual router took over while a host answered.
fn took_over(status: &Status) -> bool {
    status.state == State::Active && status.reason == Reason::ActiveUnheard
}

impl Core {
    /// Takes in a claim, which may answer the neighbour probe of a virtual router.
    pub(super) fn hear_holder(&mut self, now: Instant, host_if: u32, claim: Claim) {
        let Some(key) = self.engine.handle_claim(host_if, &claim) else {
            self.hear_again(now, host_if, claim);
            return;
        };
        self.holders.0.insert(key, Answerer::new(now, claim));
        let notice = (key, claim.address, Notice::Unheard);
        if self.notices.note(now, notice).is_none() {
            return;
        }
        if let Some(vr) = self.vrs.get(&key) {
            self.events.push(Event::Unheard {
                id: vr.id.clone(),
                address: claim.address,
                mac: claim.mac,
            });
        }
    }

    /// Takes in an answer after a takeover.
    fn hear_again(&mut self, now: Instant, host_if: u32, claim: Claim) {
        for (key, one) in &mut self.holders.0 {
            let is_it = key.ifindex == host_if && one.claim == claim;
            if is_it && self.engine.status(*key).as_ref().is_some_and(took_over) {
                *one = Answerer {
                    asked: one.asked,
                    ..Answerer::new(now, claim)
                };
            }
        }
    }

    /// The host that has the first address of a virtual router though no advertisement of it is heard.
    pub(super) fn holder(&self, now: Instant, key: VrKey) -> Option<Holder> {
        let one = self.holders.0.get(&key)?;
        let Claim { address, mac } = one.claim;
        let status = self.engine.status(key)?;
        let holds = match status.state {
            State::Initialize => false,
            State::Backup => {
                let mut active = status.active.into_iter();
                let is_heard = active.any(|active| active.last_heard > one.last);
                now.since(one.last) <= status.down_interval && !is_heard
            }
            State::Active => {
                took_over(&status)
                    && now.since(one.last) <= REMEMBER
                    && !one.is_silent(now)
                    && !self.is_heard_since_takeover(key, &status)
            }
        };
        holds.then_some(Holder { address, mac })
    }

    /// Whether the router that was master before is heard again; any router, if none was known.
    fn is_heard_since_takeover(&self, key: VrKey, status: &Status) -> bool {
        let why = self.vrs.get(&key).and_then(|vr| vr.why.as_ref());
        let former = why.and_then(|why| why.peer).map(|peer| peer.address);
        if let Some(former) = former {
            let seen = self.sightings.get(key, former, false);
            return seen.is_some_and(|seen| seen.last_heard > status.since);
        }
        self.sightings.iter().any(|(place, seen)| {
            place.key == key && !place.refused && seen.last_heard > status.since
        })
    }

    /// The virtual router and the address of a host from which an answer is due: `each` after the last
    /// one, or, when it did not answer, a moment after the last probe.
    pub(super) fn holder_to_ask(&self, now: Instant, each: Duration) -> Option<(VrKey, IpAddr)> {
        let due = self.holders.0.iter().filter(|(key, one)| {
            let pause = if one.misses == 0 { each } else { ANSWER };
            now.since(one.asked) >= pause
                && self.engine.status(**key).as_ref().is_some_and(took_over)
                && self.holder(now, **key).is_some()
        });
        let (key, one) = due.min_by_key(|(_, one)| one.asked)?;
        Some((*key, one.claim.address))
    }

    /// Warns of hosts that have an address and are not heard. Where a peer is refused, or the host is a
    /// stranger without VRRP, another warning says so.
    pub(super) fn unheard_holders(&self, now: Instant, list: &mut Vec<Warning>) {
        if self.holders.0.is_empty() {
            // No need to go through all routers that are heard.
            return;
        }
        let refused = self.refused_peers(now);
        for &key in self.holders.0.keys() {
            let (Some(holder), Some(vr)) = (self.holder(now, key), self.vrs.get(&key)) else {
                continue;
            };
            let Holder { address, mac } = holder;
            if refused.contains_key(&key) || self.conflicts.is_stranger(key, mac) {
                continue;
            }
            let what = match vr.state {
                State::Active => "this host took over",
                State::Backup | State::Initialize if waits(vr) => "this host waits",
                // It takes over in a moment, and then says so.
                State::Backup | State::Initialize => continue,
            };
            list.push(Warning {
                about: About::VirtualRouter(vr.id.clone()),
                text: format!(
                    "a host with the MAC {mac} answers for {address}, and no advertisement of it is heard; {what}: \
                     look for a firewall, IGMP snooping or other settings between the two, or for a vrrpd there \
                     that was killed"
                ),
            });
        }
    }
}
