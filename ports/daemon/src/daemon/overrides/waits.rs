//! Drained masters that let TCP connections end before they leave.

use std::time::{Duration, Instant};

use vrrp_control::OverrideKind;
use vrrp_host::{Platform, VrId};

use super::jobs::Job;
use crate::daemon::Daemon;

/// The time between two counts of connections.
pub(super) const COUNT_PAUSE: Duration = Duration::from_millis(500);

/// The time between two looks at those that wait. There are many turns between.
const LOOK_PAUSE: Duration = Duration::from_millis(100);

/// A master that lets connections end before it leaves.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) until: Instant,
    pub(super) count_at: Instant,
    pub(super) asked: bool,
    pub(super) connections: Option<u64>,
    pub(super) failed: Option<String>,
}

impl<P: Platform> Daemon<P> {
    /// Has the masters that a command drains wait for their connections, if it says so. A command without
    /// that ends the wait of the whole group.
    pub(super) fn begin_waiting(&mut self, job: &Job, now: Instant) {
        let drains = job.changes.iter();
        let drains = drains.filter(|(one, _)| one.kind == OverrideKind::Drain);
        let drains: Vec<(VrId, bool)> = drains
            .filter_map(|(one, on)| Some((one.id()?, *on)))
            .collect();
        for (id, on) in &drains {
            let over = match on {
                true => self.host.together(id),
                false => vec![id.clone()],
            };
            for id in over {
                self.overrides.waits.remove(&id);
            }
        }
        let Some(wait) = job.wait else { return };
        for (id, _) in drains.into_iter().filter(|(_, on)| *on) {
            if self.is_master(&id) {
                let wait = Wait {
                    until: now + wait,
                    count_at: now,
                    asked: false,
                    connections: None,
                    failed: None,
                };
                self.overrides.waits.insert(id, wait);
            }
        }
    }

    pub(super) fn go_on_waiting(&mut self, now: Instant) {
        if self.overrides.look_at.is_some_and(|at| at > now) {
            return;
        }
        self.overrides.look_at = Some(now + LOOK_PAUSE);
        let ids: Vec<VrId> = self.overrides.waits.keys().cloned().collect();
        for id in ids {
            let is_master = self.is_master(&id);
            let Some(wait) = self.overrides.waits.get_mut(&id) else {
                continue;
            };
            let left = match (wait.connections, &wait.failed) {
                (Some(count), _) => format!("{count} TCP connections"),
                (None, Some(why)) => format!("TCP connections that are not counted: {why}"),
                (None, None) => "TCP connections that were not counted".into(),
            };
            if is_master && wait.connections != Some(0) && wait.until > now {
                if !wait.asked && wait.count_at <= now {
                    wait.asked = true;
                    self.parent.count(&id);
                }
                continue;
            }
            self.overrides.waits.remove(&id);
            let named = self.configured.get(&id).unwrap_or(&id);
            log::info!("{named}: drained with {left} left");
            self.take_effect(&id);
            self.backlog = true;
        }
    }
}
