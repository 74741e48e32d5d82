//! Virtual routers that are prepared before they take over from an Active router that is well.
//!
//! Until then the engine is told not to preempt, so that this host takes over at once where the Active
//! router is silent or stops.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vrrp_core::{ActiveRouter, Duration, Error, Instant, Peer, State, VrKey};

use super::Host;
use super::core::Core;
use crate::config::{VrId, VrSpec};
use crate::event::Event;
use crate::platform::Platform;
use crate::report::{About, Warning};

/// The time between two looks at who would take over.
const REST: Duration = Duration::from_millis(100);

/// How far the preparations are of virtual routers that would take over.
#[derive(Debug, Default)]
pub(super) struct Preparations {
    stages: BTreeMap<VrKey, Stage>,
    rest_until: Instant,
}

/// How far a preparation is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stage {
    /// The user was asked.
    Asked { peer: IpAddr },
    /// The engine may preempt.
    Ready,
    /// It failed.
    Failed { peer: IpAddr, why: String },
}

impl Preparations {
    /// Whether a virtual router leaves an Active router alone that is well.
    pub(super) fn holds_back(&self, key: VrKey, spec: &VrSpec) -> bool {
        spec.prepares && self.stages.get(&key) != Some(&Stage::Ready)
    }

    /// Asks again for a virtual router whose preparation has failed.
    pub(super) fn retry(&mut self, key: VrKey) {
        if matches!(self.stages.get(&key), Some(Stage::Failed { .. })) {
            self.stages.remove(&key);
        }
        self.rest_until = Instant::default();
    }
}

impl<P: Platform> Host<P> {
    /// States whether a virtual router is ready to take over, for which [`Event::Prepare`] has asked: only
    /// then it preempts. An error, in words, keeps it Backup and is a warning for as long as it would
    /// take over; it may be followed by a success.
    ///
    /// # Errors
    /// There is no such virtual router.
    pub fn set_prepared(&mut self, id: &VrId, result: Result<(), String>) -> Result<(), Error> {
        let key = self.core.find(id)?;
        let stages = &mut self.core.preparations.stages;
        let Some(stage) = stages.get_mut(&key) else {
            // It would not take over any more.
            return Ok(());
        };
        let (Stage::Asked { peer } | Stage::Failed { peer, .. }) = *stage else {
            return Ok(());
        };
        match result {
            Ok(()) => {
                *stage = Stage::Ready;
                let now = self.now();
                self.keep_up();
                self.core.tell_hold(now, key);
                self.settle_or_tell(now);
            }
            Err(why) => *stage = Stage::Failed { peer, why },
        }
        Ok(())
    }

    /// Asks for what has to be prepared, and holds back again what has been.
    pub(super) fn review_preparations(&mut self, now: Instant) {
        if self.core.preparations.rest_until > now {
            return;
        }
        self.core.preparations.rest_until = now + REST;
        self.core.review_preparations(now);
    }
}

impl Core {
    fn review_preparations(&mut self, now: Instant) {
        let vrs = self.vrs.iter();
        let preparing = vrs.filter(|(_, vr)| vr.current.as_ref().is_some_and(|s| s.prepares));
        let keys: Vec<VrKey> = preparing.map(|(key, _)| *key).collect();
        if keys.is_empty() {
            self.preparations.stages.clear();
            return;
        }
        self.preparations.stages.retain(|key, _| keys.contains(key));
        for key in keys {
            let weaker = self.weaker_active(now, key);
            let stage = self.preparations.stages.get(&key);
            let ask = match (&weaker, stage) {
                (Some(_), None) => true,
                (Some(active), Some(Stage::Failed { peer, .. })) => *peer != active.address,
                _ => false,
            };
            if let Some(active) = weaker {
                if ask {
                    self.ask_to_prepare(key, &active);
                }
            } else if self.preparations.stages.remove(&key) == Some(Stage::Ready) {
                self.tell_hold(now, key);
            }
        }
    }

    /// The Active router that a Backup would preempt.
    fn weaker_active(&self, now: Instant, key: VrKey) -> Option<ActiveRouter> {
        let status = self.engine.status(key)?;
        let vr = self.vrs.get(&key)?;
        let spec = vr.current.as_ref()?;
        let may = status.state == State::Backup
            && vr.wishes.may_preempt(spec)
            && !status.resigned
            && !status.priority.is_owner();
        let active = status.active.filter(|_| may)?;
        let is_well = active.priority != 0 && now < active.last_heard + status.down_interval;
        (is_well && active.priority < status.priority.get()).then_some(active)
    }

    fn ask_to_prepare(&mut self, key: VrKey, active: &ActiveRouter) {
        let (Some(vr), Some(status)) = (self.vrs.get(&key), self.engine.status(key)) else {
            return;
        };
        let peer = active.address;
        self.preparations.stages.insert(key, Stage::Asked { peer });
        self.events.push(Event::Prepare {
            id: vr.id.clone(),
            peer: Peer {
                address: peer,
                priority: active.priority,
            },
            priority: status.priority,
            addresses: self.engine.addresses(key).collect(),
        });
    }

    /// Tells the engine whether a virtual router may preempt, and whether it stands back.
    pub(super) fn tell_hold(&mut self, now: Instant, key: VrKey) {
        let Some(vr) = self.vrs.get(&key).filter(|vr| !vr.leaving) else {
            return;
        };
        let Some(spec) = &vr.current else {
            return;
        };
        let form = vr.wishes.form(self.preparations.holds_back(key, spec));
        let (objects, engine) = (&mut self.objects, &mut self.engine);
        let result = spec.with_engine_form(
            form,
            |what| objects.number(what),
            |config| engine.admin(now).reconfigure(key, config),
        );
        self.engine_refused(now, key, result);
        self.state_drained(now, key);
    }

    /// Virtual routers that would take over and could not be prepared.
    pub(super) fn failed_preparations(&self, list: &mut Vec<Warning>) {
        for (key, stage) in &self.preparations.stages {
            if let (Stage::Failed { peer, why }, Some(vr)) = (stage, self.vrs.get(key)) {
                list.push(Warning {
                    about: About::VirtualRouter(vr.id.clone()),
                    text: format!("does not take over from {peer}, as it is not prepared: {why}"),
                });
            }
        }
    }
}
