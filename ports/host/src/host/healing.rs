//! A virtual router whose other master has given way, as after a network that was divided has healed.

use std::collections::BTreeMap;

use vrrp_core::{Duration, Instant, Peer, State, VrKey};

use super::core::Core;
use crate::event::Event;
use crate::sightings::Seen;

/// The virtual routers that this host stays Active of, and that another one was heard to be Active of.
#[derive(Debug, Default)]
pub(super) struct Healing(BTreeMap<VrKey, Contested>);

/// The other Active router.
#[derive(Clone, Copy, Debug)]
struct Contested {
    peer: Peer,
    /// The silence after which it counts as having given way.
    silence: Duration,
    /// When it counts as having given way, if it is not heard before.
    over_at: Instant,
}

impl Healing {
    /// When [`Core::settle_healed`] has something to do.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.values().map(|contested| contested.over_at).min()
    }

    /// Forgets a virtual router that is not Active any more.
    pub(super) fn forget(&mut self, key: VrKey) {
        self.0.remove(&key);
    }
}

impl Core {
    /// Notes that another router advertises as Active, which gives way if all goes well. It is nothing
    /// new while this host has just taken over.
    pub(super) fn note_other_active(&mut self, now: Instant, key: VrKey, peer: Peer) {
        let Some(status) = self.engine.status(key) else {
            return;
        };
        let down_interval = status.down_interval;
        let is_settled = status.state == State::Active
            && !status.handing_over
            && now.since(status.since) >= down_interval;
        if is_settled || self.healing.0.contains_key(&key) {
            let seen = self.sightings.get(key, peer.address, false);
            let patience = seen.map_or(Duration::ZERO, Seen::longest_silence);
            let silence = down_interval.max(patience);
            let over_at = now + silence;
            self.healing.0.insert(
                key,
                Contested {
                    peer,
                    silence,
                    over_at,
                },
            );
        }
    }

    /// Reports the virtual routers whose other master has given way.
    pub(super) fn settle_healed(&mut self, now: Instant) {
        if self.healing.next().is_none_or(|at| at > now) {
            return;
        }
        let contested = std::mem::take(&mut self.healing.0);
        for (key, one) in contested {
            if one.over_at > now {
                self.healing.0.insert(key, one);
                continue;
            }
            let stays = self
                .engine
                .status(key)
                .is_some_and(|status| status.state == State::Active && !status.handing_over);
            if let Some(vr) = self.vrs.get(&key).filter(|_| stays) {
                self.events.push(Event::Healed {
                    id: vr.id.clone(),
                    peer: one.peer,
                    silence: std::time::Duration::from_micros(one.silence.as_micros()),
                    addresses: self.engine.addresses(key).collect(),
                });
            }
        }
    }
}
