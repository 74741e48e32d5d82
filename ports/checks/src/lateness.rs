//! The time in which this process was not scheduled.
//!
//! A clock ticks in the loop that all checks share. A tick that comes late says how long nothing of this
//! process ran, and so how much of a check's time was not the service's.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Between two ticks.
const TICK: Duration = Duration::from_millis(50);
/// A tick that is no later than this is in time.
const TOLERANCE: Duration = Duration::from_millis(20);
/// Stalls that are remembered.
const REMEMBERED: usize = 64;
/// A check may be given this many times its own timeout for the time that it lost.
const MOST_TIMES: u32 = 10;

/// The clock, and the stalls that it has seen.
#[derive(Clone)]
pub(crate) struct Pulse {
    seen: Rc<RefCell<Seen>>,
}

struct Seen {
    /// When the next tick is due.
    due: Instant,
    /// The beginning and the end of each stall, the latest last.
    stalls: VecDeque<(Instant, Instant)>,
}

impl Pulse {
    pub(crate) fn start() -> Self {
        let due = Instant::now() + TICK;
        let stalls = VecDeque::new();
        let pulse = Self {
            seen: Rc::new(RefCell::new(Seen { due, stalls })),
        };
        let ticking = pulse.clone();
        tokio::task::spawn_local(async move {
            loop {
                let due = ticking.seen.borrow().due;
                sleep_until(due).await;
                ticking.seen.borrow_mut().tick(Instant::now());
            }
        });
        pulse
    }

    /// How much of the time since `began` this process was stalled.
    fn stalled_since(&self, began: Instant, now: Instant) -> Duration {
        let seen = self.seen.borrow();
        let since = |(from, to): (Instant, Instant)| to.saturating_duration_since(from.max(began));
        let running = now.saturating_duration_since(seen.due);
        let running = match running > TOLERANCE {
            true => since((seen.due, now)),
            false => Duration::ZERO,
        };
        let past: Duration = seen.stalls.iter().map(|stall| since(*stall)).sum();
        past + running
    }

    /// Waits for `answer`, at most for `timeout` of time in which this process was running.
    pub(crate) async fn limit<T>(
        &self,
        timeout: Duration,
        answer: impl Future<Output = T>,
    ) -> Result<T, Late> {
        let began = Instant::now();
        let mut until = began + timeout;
        let mut granted = Duration::ZERO;
        let mut answer = std::pin::pin!(answer);
        loop {
            tokio::select! {
                biased;
                answer = &mut answer => return Ok(answer),
                () = sleep_until(until) => {}
            }
            let now = Instant::now();
            let stalled = self.stalled_since(began, now);
            if stalled > timeout * MOST_TIMES {
                return Err(Late::Stalled(stalled));
            }
            if stalled <= granted + TOLERANCE {
                return Err(Late::TimedOut);
            }
            until = now + (stalled - granted);
            granted = stalled;
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Late {
    /// It did not come in time.
    TimedOut,
    /// This process was hardly ever running.
    Stalled(Duration),
}

impl Seen {
    fn tick(&mut self, now: Instant) {
        if now.saturating_duration_since(self.due) > TOLERANCE {
            if self.stalls.len() == REMEMBERED {
                self.stalls.pop_front();
            }
            self.stalls.push_back((self.due, now));
        }
        self.due = now + TICK;
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::LocalSet;
    use tokio::time::sleep;

    use super::*;

    fn run<T>(test: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().build().unwrap();
        LocalSet::new().block_on(&runtime, test)
    }

    #[test]
    fn an_answer_that_does_not_come_is_late() {
        let late = run(async {
            let pulse = Pulse::start();
            let never = std::future::pending::<()>();
            pulse.limit(Duration::from_millis(100), never).await
        });
        assert_eq!(late, Err(Late::TimedOut));
    }

    #[test]
    fn time_that_this_process_lost_is_given_back() {
        let answer = run(async {
            let pulse = Pulse::start();
            sleep(Duration::from_millis(10)).await;
            let answer = async {
                // Everything stands still for three times the timeout; then the answer comes in
                // another quarter of it, in two steps.
                std::thread::sleep(Duration::from_millis(600));
                sleep(Duration::from_millis(25)).await;
                sleep(Duration::from_millis(25)).await;
            };
            pulse.limit(Duration::from_millis(200), answer).await
        });
        assert_eq!(answer, Ok(()));
    }

    #[test]
    fn a_process_that_never_runs_judges_nobody() {
        let late = run(async {
            let pulse = Pulse::start();
            sleep(Duration::from_millis(10)).await;
            let answer = async {
                std::thread::sleep(Duration::from_millis(600));
                std::future::pending::<()>().await;
            };
            pulse.limit(Duration::from_millis(20), answer).await
        });
        assert!(matches!(late, Err(Late::Stalled(_))), "{late:?}");
    }
}
