//! The deadline of a platform's timer: the host's, the platform's own, and the one that is armed.

use vrrp_core::Instant;

/// The wake-up timer of a [`Platform`](vrrp_host::Platform), without the system call: the one place that
/// knows who wants to be woken when, and what the kernel's timer is set to.
///
/// The host's deadline and the platform's own are kept apart, so that neither replaces the other. The
/// timer expires at the earlier of both.
#[derive(Debug, Default)]
pub struct WakeUp {
    /// The deadline of the last [`set_host`](Self::set_host).
    host: Option<Instant>,
    /// The deadline of the last [`set_own`](Self::set_own).
    own: Option<Instant>,
    /// The deadline that the kernel has. `None`: disarmed, or expired and taken.
    armed: Option<Instant>,
}

impl WakeUp {
    /// Replaces the deadline of the host; `None`: the host wants no wake-up.
    pub fn set_host(&mut self, at: Option<Instant>) {
        self.host = at;
    }

    /// Replaces the deadline of the platform itself; `None`: the platform wants no wake-up.
    pub fn set_own(&mut self, at: Option<Instant>) {
        self.own = at;
    }

    /// Returns the deadline that the kernel's timer has to be set to; `None` if it may stay as it is.
    ///
    /// A timer that expires too early is left alone: each advertisement that is received moves the
    /// deadline away, and one system call for each costs more than a wake-up for nothing.
    #[must_use]
    pub fn change(&self) -> Option<Option<Instant>> {
        let wanted = self.host.into_iter().chain(self.own).min();
        let early_enough = match (self.armed, wanted) {
            (Some(armed), Some(wanted)) => armed <= wanted,
            (armed, wanted) => armed == wanted,
        };
        (!early_enough).then_some(wanted)
    }

    /// Notes that the kernel's timer has been set to `at`.
    pub fn set_armed(&mut self, at: Option<Instant>) {
        self.armed = at;
    }

    /// Notes that the kernel's timer has expired and was taken at `now`. It is not armed any more, and
    /// deadlines of the host that have passed have been met.
    pub fn expired(&mut self, now: Instant) {
        self.armed = None;
        self.host = self.host.filter(|at| *at > now);
    }

    /// Returns the deadline that the kernel's timer was set to.
    pub fn armed(&self) -> Option<Instant> {
        self.armed
    }

    /// Returns the deadline that the kernel's timer has after the [`change`](Self::change).
    pub fn deadline(&self) -> Option<Instant> {
        self.change().unwrap_or(self.armed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Option<Instant> {
        Some(Instant::from_micros(micros))
    }

    /// Makes the system call that is wanted, if one is.
    fn arm(wakeup: &mut WakeUp) -> bool {
        let change = wakeup.change();
        if let Some(deadline) = change {
            wakeup.set_armed(deadline);
        }
        change.is_some()
    }

    #[test]
    fn the_host_and_the_platform_keep_their_own_deadlines() {
        let mut wakeup = WakeUp::default();
        wakeup.set_host(at(1_000));
        assert!(arm(&mut wakeup));
        wakeup.set_own(at(0));
        assert!(arm(&mut wakeup));
        assert_eq!(wakeup.deadline(), at(0));
        // It expires for the platform: the host's deadline is still to come.
        wakeup.expired(Instant::from_micros(10));
        wakeup.set_own(None);
        assert_eq!(wakeup.deadline(), at(1_000));
        assert!(arm(&mut wakeup));
        wakeup.set_own(at(2_000));
        assert!(!arm(&mut wakeup));
        wakeup.expired(Instant::from_micros(1_000));
        assert_eq!(wakeup.change(), Some(at(2_000)));
        wakeup.set_own(None);
        assert!(!arm(&mut wakeup), "an expired timer need not be disarmed");
    }

    #[test]
    fn a_timer_that_is_early_enough_is_left_alone() {
        let mut wakeup = WakeUp::default();
        assert!(!arm(&mut wakeup));
        wakeup.set_host(at(1_000));
        assert!(arm(&mut wakeup));
        wakeup.set_host(at(4_000));
        assert!(!arm(&mut wakeup));
        assert_eq!(wakeup.deadline(), at(1_000));
        wakeup.set_host(at(999));
        assert!(arm(&mut wakeup));
        wakeup.set_host(None);
        assert!(arm(&mut wakeup), "with nothing to wait for it is disarmed");
        assert_eq!(wakeup.deadline(), None);
    }
}
