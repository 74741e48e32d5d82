//! A parent that stands still under a lease: the system takes the addresses away, and another host has to get
//! them.

use std::io;
use std::time::{Duration, Instant};

use vrrp_core::State;
use vrrp_host::Platform;

use super::Daemon;

impl<P: Platform> Daemon<P> {
    /// The time without a word of the parent after which no address of ours is left. It asks us three times in
    /// a lease, and renews it with each answer.
    fn lease(&self) -> Option<Duration> {
        let seconds = self.global.lease.filter(|_| self.stop.is_none())?;
        Some(Duration::from_secs(seconds.into()))
    }

    /// When [`look_at_parent`](Self::look_at_parent) is due.
    pub(super) fn parent_deadline(&self) -> Option<Instant> {
        let lease = self.lease()?;
        Some(match self.parent_in_doubt {
            None => self.parent.heard() + lease,
            Some(since) => since + lease / 4,
        })
    }

    /// Hands over when the parent has said nothing for a lease.
    ///
    /// When both processes stood still, as on a suspended host, the silence says nothing of the parent: it has a
    /// quarter of a lease to speak.
    ///
    /// # Errors
    /// The parent stands still. This process is to end: the parent starts another one when it goes on.
    pub(super) fn look_at_parent(&mut self, now: Instant) -> io::Result<()> {
        let silent = self
            .lease()
            .filter(|lease| now >= self.parent.heard() + *lease);
        let Some(lease) = silent else {
            self.parent_in_doubt = None;
            return Ok(());
        };
        let since = *self.parent_in_doubt.get_or_insert(now);
        if now < since + lease / 4 {
            return Ok(());
        }
        for report in self.host.statuses() {
            if report.status.state == State::Active {
                // Where it is refused, silence tells the other hosts.
                let _ = self.host.resign(&report.id);
            }
        }
        let seconds = now
            .saturating_duration_since(self.parent.heard())
            .as_secs_f64();
        Err(io::Error::other(format!(
            "the parent process stands still: it has said nothing for {seconds:.1} s, the leases of the addresses have ended, and another host gets them"
        )))
    }
}
