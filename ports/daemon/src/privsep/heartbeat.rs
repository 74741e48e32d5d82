//! Notices a worker that lives and does nothing: its loop has to answer a ping now and then.

use std::time::{Duration, Instant};

use vrrp_host::HostConfig;

/// The shortest time after which a worker counts as frozen: a busy host may take as long to run it.
const LEAST: Duration = Duration::from_millis(250);
/// How long a worker that starts may do nothing: one with thousands of virtual routers is busy all the while.
const START: Duration = Duration::from_secs(60);
/// With no virtual router there is no hurry.
const MOST: Duration = Duration::from_secs(10);

/// The next step of the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing.
    Wait,
    /// Send a ping of this number.
    Ping(u64),
    /// The worker is frozen: it has not answered for so long.
    Frozen(Duration),
}

/// The pings to a worker.
#[derive(Debug)]
pub(super) struct Heartbeat {
    /// How long a ping may go without an answer: the shortest Active_Down_Interval, after which other
    /// routers take over anyway.
    patience: Duration,
    /// The time from an answer to the next ping.
    rest: Duration,
    number: u64,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It has not started well yet, and did something last at this time.
    Starting(Instant),
    /// The next ping is due.
    Quiet(Instant),
    /// A ping was sent, or was given more time, and is not answered.
    Asked(Instant),
}

impl Heartbeat {
    /// Waits from `now` on for a worker to start, and does not ask it.
    pub(super) fn starting(now: Instant) -> Self {
        Self {
            patience: MOST,
            rest: MOST,
            number: 0,
            state: State::Starting(now),
        }
    }

    /// The worker has asked for something, which is a sign of life of one that starts.
    pub(super) fn heard(&mut self, now: Instant) {
        if let State::Starting(last) = &mut self.state {
            *last = now;
        }
    }

    /// Begins at `now`.
    pub(super) fn new(config: &HostConfig, lease: Option<u32>, now: Instant) -> Self {
        let mut heartbeat = Self {
            patience: MOST,
            rest: MOST,
            number: 0,
            state: State::Quiet(now),
        };
        heartbeat.configure(config, lease, now);
        heartbeat
    }

    /// Another configuration is in force. Each answer renews a lease, given in seconds.
    pub(super) fn configure(&mut self, config: &HostConfig, lease: Option<u32>, now: Instant) {
        let down_intervals = config.virtual_routers.iter().map(|spec| {
            let settings = &spec.settings;
            let interval = settings.advert_interval;
            Duration::from(interval.down_interval(settings.version, settings.priority))
        });
        let shortest = down_intervals.min().unwrap_or(MOST);
        self.patience = shortest.clamp(LEAST, MOST);
        let of_lease = lease.map(|seconds| Duration::from_secs(seconds.into()) / 3);
        self.rest = (self.patience / 2).min(of_lease.unwrap_or(MOST));
        if let State::Quiet(next) = &mut self.state {
            *next = (*next).min(now + self.rest);
        }
    }

    /// When [`look`](Self::look) is due.
    pub(super) fn deadline(&self) -> Instant {
        match self.state {
            State::Starting(last) => last + START,
            State::Quiet(next) => next,
            State::Asked(since) => since + self.patience,
        }
    }

    /// A lateness of the parent itself that says nothing about the worker.
    pub(super) fn tolerance(&self) -> Duration {
        self.patience / 4
    }

    /// The parent was late: a worker that is to be judged gets its time anew.
    pub(super) fn excuse(&mut self, now: Instant) {
        if let State::Asked(since) | State::Starting(since) = &mut self.state {
            *since = now;
        }
    }

    /// A ping was answered.
    pub(super) fn answered(&mut self, number: u64, now: Instant) {
        if number == self.number {
            self.state = State::Quiet(now + self.rest);
        }
    }

    /// Says what is to be done at `now`.
    pub(super) fn look(&mut self, now: Instant) -> Beat {
        if now < self.deadline() {
            return Beat::Wait;
        }
        match self.state {
            State::Quiet(_) => {
                self.number += 1;
                self.state = State::Asked(now);
                Beat::Ping(self.number)
            }
            State::Asked(_) => Beat::Frozen(self.patience),
            State::Starting(_) => Beat::Frozen(START),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin() -> (Heartbeat, Instant) {
        let text = "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/24\n\
                    priority = 128\nadvertinterval = 1\n";
        let parsed = vrrp_config::parse("some.conf".as_ref(), text);
        let config = parsed.config.expect("a correct file").host();
        let now = Instant::now();
        (Heartbeat::new(&config, None, now), now)
    }

    #[test]
    fn patience_is_the_shortest_down_interval() {
        let (heartbeat, _) = begin();
        assert_eq!(heartbeat.patience, Duration::from_millis(3_500));
        let none = Heartbeat::new(&HostConfig::default(), None, Instant::now());
        assert_eq!(none.patience, MOST);
    }

    #[test]
    fn a_worker_is_asked_three_times_in_a_lease() {
        let now = Instant::now();
        let mut heartbeat = Heartbeat::new(&HostConfig::default(), Some(3), now);
        assert_eq!(heartbeat.look(now), Beat::Ping(1));
        heartbeat.answered(1, now);
        assert_eq!(heartbeat.deadline(), now + Duration::from_secs(1));
        // Its patience is not that of the lease.
        assert_eq!(heartbeat.patience, MOST);
    }

    #[test]
    fn a_lease_that_a_reload_begins_is_renewed_in_its_time() {
        let now = Instant::now();
        let mut heartbeat = Heartbeat::new(&HostConfig::default(), None, now);
        assert_eq!(heartbeat.look(now), Beat::Ping(1));
        heartbeat.answered(1, now);
        assert_eq!(heartbeat.deadline(), now + MOST / 2);
        let soon = now + Duration::from_millis(100);
        heartbeat.configure(&HostConfig::default(), Some(3), soon);
        assert_eq!(heartbeat.deadline(), soon + Duration::from_secs(1));
    }

    #[test]
    fn a_worker_that_does_nothing_before_it_has_started_is_frozen() {
        let now = Instant::now();
        let mut heartbeat = Heartbeat::starting(now);
        let last = now + START - Duration::from_secs(1);
        assert_eq!(heartbeat.look(last), Beat::Wait);
        heartbeat.heard(last);
        assert_eq!(heartbeat.deadline(), last + START);
        // The parent was late, which says nothing about the worker.
        let late = last + 2 * START;
        heartbeat.excuse(late);
        assert_eq!(heartbeat.look(late), Beat::Wait);
        assert_eq!(heartbeat.look(late + START), Beat::Frozen(START));
        // A later request is no answer to a ping.
        let (mut heartbeat, now) = begin();
        assert_eq!(heartbeat.look(now), Beat::Ping(1));
        let end = now + heartbeat.patience;
        heartbeat.heard(end);
        assert_eq!(heartbeat.look(end), Beat::Frozen(heartbeat.patience));
    }

    #[test]
    fn a_worker_that_answers_is_asked_again_and_one_that_does_not_is_frozen() {
        let (mut heartbeat, now) = begin();
        assert_eq!(heartbeat.look(now), Beat::Ping(1));
        heartbeat.answered(1, now);
        let next = now + Duration::from_millis(1_750);
        assert_eq!(heartbeat.deadline(), next);
        assert_eq!(heartbeat.look(next), Beat::Ping(2));
        heartbeat.answered(1, next);
        let end = next + heartbeat.patience;
        assert_eq!(heartbeat.look(end - Duration::from_millis(1)), Beat::Wait);
        assert_eq!(heartbeat.look(end), Beat::Frozen(heartbeat.patience));
    }

    #[test]
    fn a_parent_that_was_late_judges_nothing() {
        let (mut heartbeat, now) = begin();
        assert_eq!(heartbeat.look(now), Beat::Ping(1));
        let late = now + 10 * heartbeat.patience;
        heartbeat.excuse(late);
        assert_eq!(heartbeat.look(late), Beat::Wait);
        assert_eq!(heartbeat.deadline(), late + heartbeat.patience);
    }
}
