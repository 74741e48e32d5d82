//! The worker's process: judged, given up, buried and started again.

use std::io;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use vrrp_control::{Notice, NoticeKind};
use vrrp_host::VrId;
use vrrp_port_kit::privsep::PrivilegedPlatform;

use super::super::heartbeat::{Beat, Heartbeat};
use super::{FIRST_PAUSE, NEEDS_KILL, Parent, Turn, is_end};
use crate::sys::{self, Taken};

/// How long the worker may take to end when it has closed its ends.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// The longest pause, after crashes that follow each other.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// A worker that lives as long has not crashed for a reason that lasts.
const LONG_LIFE: Duration = Duration::from_secs(60);

/// A worker that has been started, and the parent's ends of the ways to it.
#[derive(Debug)]
pub struct WorkerEnds {
    /// The number of the process.
    pub pid: u32,
    /// The requests of its platform.
    pub network: UnixStream,
    /// Everything else.
    pub messages: UnixStream,
    /// Lines of its log.
    pub log: UnixDatagram,
}

/// Starts a worker.
pub type StartWorker = Box<dyn FnMut() -> io::Result<WorkerEnds>>;

/// The worker's process.
#[derive(Debug)]
pub(super) enum Worker {
    /// It is being served.
    Served {
        pid: u32,
        since: Instant,
        heartbeat: Heartbeat,
    },
    /// It has closed its ends, or makes no sense, and has to have ended by `end_by`.
    Ending {
        pid: u32,
        since: Instant,
        end_by: Instant,
        /// Why it was ended and what was handed over, for the record of the crash.
        story: String,
    },
    /// Another one is started at this time.
    Gone { start_at: Instant },
}

impl<P: PrivilegedPlatform> Parent<P> {
    /// Looks whether the worker answers.
    pub(super) fn judge_worker(&mut self, now: Instant) {
        let Worker::Served { heartbeat, .. } = &mut self.worker else {
            return;
        };
        match heartbeat.look(now) {
            Beat::Wait => {}
            Beat::Ping(number) => {
                if let Err(error) = self.services.ping(number) {
                    self.give_up(&error, now);
                }
            }
            Beat::Frozen(patience) => {
                let why = format!("it has done nothing for {} s", patience.as_secs_f64());
                self.give_up(&io::Error::other(why), now);
            }
        }
    }

    /// The worker closed its ends, for it has ended or is about to, or it makes no sense and shall. What
    /// it had taken up is handed over at once.
    pub(super) fn give_up(&mut self, error: &io::Error, now: Instant) {
        let Worker::Served { pid, since, .. } = self.worker else {
            return;
        };
        let mut story = String::new();
        if !is_end(error) {
            log::error!("process {pid}, the worker, is killed and replaced: {error}");
            if let Err(error) = sys::kill(pid) {
                log::error!("the worker process cannot be ended: {error}; {NEEDS_KILL}");
            }
            story = format!(": {error}");
        }
        let active = self.network.withdraw();
        if !active.is_empty() {
            let many = active.iter().map(VrId::to_string).collect::<Vec<_>>();
            log::warn!("handed over by priority 0: {}", many.join(", "));
            story += &format!("; handed over by priority 0: {}", first_of(&many));
        }
        self.worker = Worker::Ending {
            pid,
            since,
            end_by: now + END_PATIENCE,
            story,
        };
    }

    /// Takes the end of the worker, and starts another.
    pub(super) fn look_after_worker(&mut self, now: Instant) -> io::Result<Option<Turn>> {
        match self.worker {
            Worker::Served { pid, since, .. } | Worker::Ending { pid, since, .. } => {
                let Some(status) = sys::ended(pid)? else {
                    if let Worker::Ending { end_by, .. } = &mut self.worker
                        && *end_by <= now
                    {
                        // A worker that cannot be ended ends with this process, and whatever watches
                        // over this process starts it again.
                        sys::kill(pid)?;
                        *end_by = now + END_PATIENCE;
                    }
                    return Ok(None);
                };
                self.give_up(&io::ErrorKind::UnexpectedEof.into(), now);
                self.take_lines(usize::MAX);
                if self.stopping || !self.was_ready {
                    return Ok(Some(Turn::Ended(status)));
                }
                if now.saturating_duration_since(since) >= LONG_LIFE {
                    self.pause = FIRST_PAUSE;
                }
                let gone = Worker::Gone {
                    start_at: now + self.pause,
                };
                let story = match std::mem::replace(&mut self.worker, gone) {
                    Worker::Ending { story, .. } => story,
                    Worker::Served { .. } | Worker::Gone { .. } => String::new(),
                };
                let next = format!(
                    "another is started in {} s; `disable` and `resign` of vrrpctl are forgotten",
                    self.pause.as_secs_f64()
                );
                let ending = ending(status);
                log::error!("the worker process {ending}; {next}");
                self.services.crashes += 1;
                self.services.archive.push(Notice {
                    kind: NoticeKind::Crash,
                    text: format!("the worker process {ending}{story}; {next}"),
                    ..Notice::default()
                });
                self.pause = (2 * self.pause).min(LONGEST_PAUSE);
            }
            Worker::Gone { .. } if self.stopping => {
                // There is nothing to be handed over.
                return Ok(Some(Turn::Ended(ExitStatus::from_raw(0))));
            }
            Worker::Gone { start_at } if start_at <= now => {
                if let Err(error) = self.restart(now) {
                    log::error!(
                        "cannot start a worker process: {error}; tried again in {} s, and until then this host takes no part",
                        self.pause.as_secs_f64()
                    );
                    let start_at = now + self.pause;
                    self.worker = Worker::Gone { start_at };
                    self.pause = (2 * self.pause).min(LONGEST_PAUSE);
                }
            }
            Worker::Gone { .. } => {}
        }
        Ok(None)
    }

    /// Starts a worker. One that has ended before it was told to begin is given up as any other, so that
    /// its end is taken and recorded.
    ///
    /// # Errors
    /// There is no process.
    fn restart(&mut self, now: Instant) -> io::Result<()> {
        let worker = (self.start)()?;
        self.worker = Worker::begun(worker.pid);
        if let Err(error) = self.begin(worker) {
            self.give_up(&error, now);
        }
        Ok(())
    }

    /// Begins with a worker that has been started.
    pub(super) fn begin(&mut self, worker: WorkerEnds) -> io::Result<()> {
        worker.log.set_nonblocking(true)?;
        self.log = worker.log;
        self.services.replace(worker.messages);
        let config = self.services.host.clone();
        self.network.restart(worker.network, config);
        self.services.begin()?;
        if self.held != 0 {
            // A worker that has ended leaves them to the next one.
            self.services.signal(Taken::of(self.held))?;
            self.held = 0;
        }
        Ok(())
    }

    /// As PID 1 the children of the dead are ours. While a script is being started its number is
    /// not known yet: its end sends another signal, or is noticed in a later turn.
    pub(super) fn reap_orphans(&mut self, now: Instant) {
        let worker = match self.worker {
            Worker::Served { pid, .. } | Worker::Ending { pid, .. } => pid,
            Worker::Gone { .. } => 0,
        };
        let (scripts, checkers) = (&mut self.services.scripts, &mut self.services.checkers);
        scripts.handle(&self.set, now);
        while !scripts.starting()
            && !checkers.starting()
            && let Some((pid, status)) = sys::reap_other(worker)
        {
            scripts.reaped(pid, status, now);
            checkers.reaped(pid, status, now);
        }
    }
}

impl Worker {
    pub(super) fn begun(pid: u32) -> Self {
        let now = Instant::now();
        Worker::Served {
            pid,
            since: now,
            heartbeat: Heartbeat::starting(now),
        }
    }
}

/// How a worker has ended, in words.
fn ending(status: ExitStatus) -> String {
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, code) => format!("has ended with status {}", code.unwrap_or_default()),
    }
}

/// A list for a record of the history, which has to stay short.
pub(super) fn first_of(names: &[String]) -> String {
    const MOST: usize = 16;
    let (first, rest) = names.split_at(names.len().min(MOST));
    match rest.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
