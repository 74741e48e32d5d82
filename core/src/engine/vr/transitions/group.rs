//! The synchronisation group: a Backup that waits for it, and what its state asks for.

use crate::engine::vr::VirtualRouter;
#[cfg(feature = "groups")]
use crate::engine::vr::group::Membership;
use crate::engine::vr::phase::Phase;
#[cfg(feature = "groups")]
use crate::engine::vr::phase::Then;
use crate::output::Reason;
#[cfg(feature = "groups")]
use crate::output::State;
#[cfg(feature = "groups")]
use crate::status::InterfaceState;
use crate::time::Instant;

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// Becomes Active, or waits for its group.
    pub(super) fn wait_or_take_over(&mut self, now: Instant, reason: Reason) {
        if self.admin.group.waits()
            && let Phase::Backup(backup) = &mut self.phase
        {
            backup.wait_for_group(reason);
            // A repeated advertisement would set the timer.
            self.repeat.invalidate();
        } else {
            self.become_active(now, reason);
        }
    }

    /// Takes in the state of the group.
    #[cfg(feature = "groups")]
    pub(in crate::engine) fn set_group_state(
        &mut self,
        now: Instant,
        iface: &InterfaceState,
        state: Option<State>,
    ) {
        self.admin.group = Membership::new(state);
        self.evaluate(now, iface);
        match self.phase {
            Phase::Backup(backup) if !self.admin.group.waits() => {
                if let Some(reason) = backup.due.reason() {
                    self.become_active(now, reason);
                }
            }
            Phase::Active(_) if self.admin.group.waits() => {
                self.hand_over(now, Then::Resign, Reason::Resigned);
            }
            Phase::Leaving(leaving) if leaving.then == Then::Offer && self.admin.group.waits() => {
                self.hand_over(now, Then::Resign, Reason::Resigned);
            }
            _ => {}
        }
    }
}
