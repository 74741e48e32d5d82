//! The process with the rights.

#[cfg(test)]
mod tests;
mod worker;

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use vrrp_control::{Notice, NoticeKind};
use vrrp_port_kit::privsep::{PrivilegedPlatform, Server};

use self::worker::Worker;
use super::heartbeat::Heartbeat;
use super::services::{InForce, Said, Services};
use crate::logging;
use crate::notify::Notifier;
use crate::poll::PollSet;
use crate::sys::{self, Signals};

pub use self::worker::{StartWorker, WorkerEnds};

/// Log lines taken before others of the loop have their turn.
const MOST_LINES: usize = 64;

/// The advice where the worker cannot be ended.
const NEEDS_KILL: &str = "give vrrpd the capability CAP_KILL";
/// The pause before another worker is started, after the first crash.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long after a start or a reload the memory that it took is given back.
const TIDY_AFTER: Duration = Duration::from_secs(2);

/// The process that changes the network, reads the configuration and starts scripts, for a worker that
/// speaks the protocol.
///
/// It outlives the worker: one that crashes has its addresses taken away and handed over, and another
/// one is started.
pub struct Parent<P> {
    network: Server<P>,
    services: Services,
    log: UnixDatagram,
    signals: Signals,
    start: StartWorker,
    worker: Worker,
    pause: Duration,
    /// A worker has started well before.
    was_ready: bool,
    /// Somebody asked for a stop.
    stopping: bool,
    /// Signals that came while there was no worker, for the next one.
    held: u32,
    set: PollSet,
    /// When the memory is given back that a configuration took.
    tidy_at: Option<Instant>,
    is_init: bool,
}

impl<P> std::fmt::Debug for Parent<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parent")
            .field("worker", &self.worker)
            .finish_non_exhaustive()
    }
}

/// The result of a turn of the parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing that matters.
    Running,
    /// The worker has started well, for the first time.
    Ready,
    /// The worker has ended, as it was asked to, or before it has ever started well.
    Ended(ExitStatus),
}

impl<P: PrivilegedPlatform> Parent<P> {
    /// Starts a worker and serves it.
    pub fn new(
        platform: P,
        mut start: StartWorker,
        signals: Signals,
        notifier: Notifier,
        in_force: InForce,
    ) -> io::Result<Self> {
        let worker = start()?;
        worker.log.set_nonblocking(true)?;
        let mut services = Services::new(worker.messages, notifier, in_force);
        let mut network = Server::new(platform, worker.network, services.host.clone());
        services.archive.push(Notice {
            kind: NoticeKind::Start,
            text: format!("vrrpd {} starts", env!("CARGO_PKG_VERSION")),
            ..Notice::default()
        });
        services.begin()?;
        network.set_lease(services.lease);
        Ok(Self {
            network,
            services,
            log: worker.log,
            signals,
            start,
            worker: Worker::begun(worker.pid),
            pause: FIRST_PAUSE,
            was_ready: false,
            stopping: false,
            held: 0,
            set: PollSet::default(),
            tidy_at: None,
            is_init: std::process::id() == 1,
        })
    }

    /// Waits until something is to be done, and does it.
    pub fn turn(&mut self) -> io::Result<Turn> {
        self.register();
        let due = self.deadline();
        let news = self.wait(due)?;
        let now = Instant::now();
        self.excuse_lateness(due, now);
        if self.set.ready(self.log.as_raw_fd()) {
            self.take_lines(MOST_LINES);
        }
        let mut turn = Turn::Running;
        match self.serve(news, now) {
            Ok(said) => turn = self.take_note(said, now),
            Err(error) => self.give_up(&error, now),
        }
        self.services.scripts.handle(&self.set, now);
        self.services.take_news(&self.set, now);
        self.services.take_written(now);
        self.services.take_counted();
        self.judge_worker(now);
        if let Some(turn) = self.look_after_worker(now)? {
            return Ok(turn);
        }
        self.services.tell_done();
        self.services.notifier.beat(now);
        if self.tidy_at.is_some_and(|at| at <= now) {
            self.tidy_at = None;
            sys::release_memory();
        }
        // The worker may have waited for what took long here.
        let end = Instant::now();
        self.excuse_lateness(Some(now), end);
        Ok(turn)
    }

    /// Lets go of the platform, when the worker has ended.
    pub fn into_platform(self) -> P {
        self.services.archive.close(self.services.keeper.dir());
        self.network.into_platform()
    }

    fn register(&mut self) {
        self.set.clear();
        if let Worker::Served { .. } = self.worker {
            self.services.register(&mut self.set);
            self.set.read(self.network.fd());
            if self.network.has_output() {
                self.set.write(self.network.fd());
            }
        }
        for fd in [self.log.as_raw_fd(), self.signals.fd()] {
            self.set.read(fd);
        }
        self.services.keeper.register(&mut self.set);
        self.services.counting.register(&mut self.set);
        self.services.scripts.register(&mut self.set);
        self.services.checkers.register(&mut self.set);
    }

    fn deadline(&self) -> Option<Instant> {
        let of_worker = match &self.worker {
            Worker::Served { heartbeat, .. } => {
                let dues = [Some(heartbeat.deadline()), self.network.deadline()];
                dues.into_iter().flatten().min()
            }
            Worker::Ending { end_by, .. } => Some(*end_by),
            Worker::Gone { start_at } => Some(*start_at),
        };
        let deadlines = [
            self.services.scripts.deadline(),
            self.services.checkers.deadline(),
            self.services.notifier.deadline(),
            self.services.archive.deadline(),
            self.tidy_at,
            of_worker,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// True: the platform has something to tell.
    fn wait(&mut self, due: Option<Instant>) -> io::Result<bool> {
        let timeout = due.map(|at| at.saturating_duration_since(Instant::now()));
        self.set.wait_for(self.network.platform_mut(), timeout)
    }

    /// This process was woken late, or was busy: the worker is not judged by that.
    fn excuse_lateness(&mut self, due: Option<Instant>, now: Instant) {
        if let (Some(due), Worker::Served { heartbeat, .. }) = (due, &mut self.worker)
            && now.saturating_duration_since(due) > heartbeat.tolerance()
        {
            heartbeat.excuse(now);
        }
    }

    /// The network first, then what else was asked for.
    fn serve(&mut self, news: bool, now: Instant) -> io::Result<Said> {
        if self.set.ready(self.signals.fd()) {
            self.take_signals(now)?;
        }
        let mut trouble = |error| log::error!("the network cannot be read: {error}");
        if !matches!(self.worker, Worker::Served { .. }) {
            if news {
                self.network.idle(&mut trouble)?;
            }
            self.hold_scripts(now);
            return Ok(Said::default());
        }
        if let Worker::Served { heartbeat, .. } = &mut self.worker
            && self.set.ready(self.network.fd())
        {
            heartbeat.heard(now);
        }
        // Its end of the network may be closed while there are messages that were sent before.
        let due = self.network.deadline().is_some_and(|at| at <= now);
        let asked = news || due || self.set.ready(self.network.fd());
        let network = match asked {
            true => self.network.handle(news, &mut trouble),
            false => Ok(()),
        };
        self.hold_scripts(now);
        let said = self.services.serve(&mut self.network, now)?;
        network.map(|()| said)
    }

    /// The scripts of a loss find none of the addresses on this host.
    fn hold_scripts(&mut self, now: Instant) {
        let hold = self.network.is_giving_up();
        self.services.scripts.hold_losses(hold, now);
    }

    fn take_signals(&mut self, now: Instant) -> io::Result<()> {
        let taken = self.signals.take();
        self.stopping |= taken.stop();
        if taken.child() && self.is_init {
            self.reap_orphans(now);
        }
        match self.worker {
            Worker::Served { .. } => self.services.signal(taken),
            Worker::Ending { .. } | Worker::Gone { .. } => {
                self.held |= taken.bits();
                Ok(())
            }
        }
    }

    fn take_note(&mut self, said: Said, now: Instant) -> Turn {
        if said.ready || said.adopted {
            self.tidy_at = Some(now + TIDY_AFTER);
        }
        let Worker::Served { heartbeat, .. } = &mut self.worker else {
            return Turn::Running;
        };
        if said.adopted {
            self.network.set_lease(self.services.lease);
            heartbeat.configure(&self.services.host, self.services.lease, now);
        }
        if let Some(number) = said.pong {
            heartbeat.answered(number, now);
            // A worker that is frozen does not speak for its addresses, and neither does a parent that is.
            if let Err(error) = self.network.renew_leases() {
                log::error!("cannot list addresses to renew their leases: {error}");
            }
        }
        self.stopping |= said.stopping;
        if said.ready {
            *heartbeat = Heartbeat::new(&self.services.host, self.services.lease, now);
            if let Worker::Served { pid, .. } = self.worker
                && let Err(error) = sys::may_kill(pid)
            {
                log::warn!(
                    "the worker process could not be ended if it stood still, nor could scripts of other users: {error}; {NEEDS_KILL}"
                );
            }
            if !std::mem::replace(&mut self.was_ready, true) {
                return Turn::Ready;
            }
            log::info!("the new worker process has started");
        }
        Turn::Running
    }

    fn take_lines(&self, most: usize) {
        let mut buffer = [0; logging::MAX_LINE + 8];
        for _ in 0..most {
            let Ok(len) = self.log.recv(&mut buffer) else {
                return;
            };
            logging::pass_on(buffer.get(..len).unwrap_or_default());
        }
    }
}

/// Whether the worker ended, or is about to.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    [BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof].contains(&error.kind())
}
