//! The administrator's wishes that move a virtual router or keep it where it is.

use vrrp_core::{Duration, Error, Instant, State, VrKey};

use super::Host;
use super::core::Core;
use super::partings::Parting;
use crate::config::{DRAINED, Form, Preempts, VrId, VrSpec};
use crate::platform::Platform;

/// How long a return may take longer than the silence after which an Active router counts as dead.
const RETURN: Duration = Duration::from_secs(10);

/// The wishes for one virtual router. They stay over a reload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Every other host is to serve rather than this one.
    drained: bool,
    /// It takes over from no Active router that is well.
    held: bool,
    /// It may take over once, until then, whatever was wished before.
    returns_by: Option<Instant>,
}

impl Wishes {
    pub(super) fn is_drained(self) -> bool {
        self.drained
    }

    pub(super) fn is_held(self) -> bool {
        self.held
    }

    /// The form that follows. `holds_back`: it has to be prepared before.
    pub(super) fn form(self, holds_back: bool) -> Form {
        let preempts = match self.returns_by {
            _ if holds_back => Preempts::Never,
            Some(_) => Preempts::AtOnce,
            None if self.held => Preempts::Never,
            None => Preempts::AsConfigured,
        };
        Form {
            preempts,
            drained: self.drained,
        }
    }

    /// Whether it would take over from an Active router that is well, once it is prepared.
    pub(super) fn may_preempt(self, spec: &VrSpec) -> bool {
        !self.drained && (self.returns_by.is_some() || spec.settings.preempt && !self.held)
    }
}

impl<P: Platform> Host<P> {
    /// Has every other host serve rather than this one, or no longer: as Active it hands over, and when
    /// no other host takes over it serves on and offers the addresses again and again. Many leave as they
    /// [`resign`](Host::resign).
    ///
    /// # Errors
    /// There is no such virtual router.
    pub fn set_drained(&mut self, id: &VrId, on: bool) -> Result<(), Error> {
        let key = self.core.find(id)?;
        let now = self.now();
        for key in self.core.together(key) {
            self.drain_one(now, key, on)?;
        }
        self.settle_or_tell(now);
        Ok(())
    }

    fn drain_one(&mut self, now: Instant, key: VrKey, on: bool) -> Result<(), Error> {
        let Some(vr) = self.core.vrs.get_mut(&key) else {
            return Err(Error::NotFound);
        };
        if vr.wishes.drained == on {
            return Ok(());
        }
        vr.wishes.drained = on;
        self.keep_up();
        if self.core.in_engine(key) {
            if on {
                self.part(now, key, Parting::Drain)?;
            } else {
                self.core.partings.cancel(key, Parting::Drain);
                self.core.tell_hold(now, key);
            }
        }
        Ok(())
    }

    /// Keeps a Backup from taking over from an Active router that is well, or no longer. The owner of
    /// the addresses takes over all the same.
    ///
    /// # Errors
    /// There is no such virtual router.
    pub fn set_held(&mut self, id: &VrId, on: bool) -> Result<(), Error> {
        self.wish(id, |wishes| wishes.held = on)
    }

    /// Lets a Backup take over once from an Active router of lower priority, without a delay and whatever
    /// it was told before.
    ///
    /// # Errors
    /// There is no such virtual router.
    pub fn fail_back(&mut self, id: &VrId) -> Result<(), Error> {
        let key = self.core.find(id)?;
        let now = self.now();
        self.keep_up();
        for key in self.core.together(key) {
            self.core.let_return(now, key);
        }
        self.settle_or_tell(now);
        Ok(())
    }

    fn wish(&mut self, id: &VrId, change: impl Fn(&mut Wishes)) -> Result<(), Error> {
        let key = self.core.find(id)?;
        let now = self.now();
        for key in self.core.together(key) {
            let Some(vr) = self.core.vrs.get_mut(&key) else {
                return Err(Error::NotFound);
            };
            let before = vr.wishes;
            change(&mut vr.wishes);
            if vr.wishes == before {
                continue;
            }
            self.keep_up();
            if self.core.in_engine(key) {
                self.core.tell_hold(now, key);
            }
        }
        self.settle_or_tell(now);
        Ok(())
    }
}

impl Core {
    /// States that the object is down by which a drained virtual router stands back.
    pub(super) fn state_drained(&mut self, now: Instant, key: VrKey) {
        let Some(vr) = self.vrs.get_mut(&key) else {
            return;
        };
        if vr.wishes.drained {
            self.engine.admin(now).set_tracked(DRAINED, false);
        }
        vr.note_standing_back(now, self.engine.status(key).as_ref());
    }

    /// Lets a virtual router take over once, whatever it was told before.
    pub(super) fn let_return(&mut self, now: Instant, key: VrKey) {
        let status = self.engine.status(key);
        let silence = status.map_or(Duration::ZERO, |status| status.down_interval);
        let Some(vr) = self.vrs.get_mut(&key) else {
            return;
        };
        let by = now + Duration::from_micros(2 * silence.as_micros()) + RETURN;
        vr.wishes.returns_by = Some(by);
        let priority = vr.priority;
        if self.in_engine(key) {
            // So that it has not resigned any more.
            let result = self.engine.admin(now).set_priority(key, priority);
            self.engine_refused(now, key, result);
            self.tell_hold(now, key);
        }
    }

    /// Ends the permission to return of those that have, or that could not in time.
    pub(super) fn end_returns(&mut self, now: Instant) {
        let engine = &self.engine;
        let is_over = |key: VrKey, by: Instant| {
            let status = engine.status(key);
            by <= now || status.is_none_or(|status| status.state == State::Active)
        };
        let returning = self.vrs.iter();
        let over = returning.filter(|(key, vr)| {
            let by = vr.wishes.returns_by;
            by.is_some_and(|by| is_over(**key, by))
        });
        let over: Vec<VrKey> = over.map(|(key, _)| *key).collect();
        for key in over {
            if let Some(vr) = self.vrs.get_mut(&key) {
                vr.wishes.returns_by = None;
            }
            self.tell_hold(now, key);
        }
    }
}
