//! The process with the rights.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use vrrp_control::{Notice, NoticeKind};
use vrrp_host::VrId;
use vrrp_port_kit::privsep::{PrivilegedPlatform, Server};

use super::heartbeat::{Beat, Heartbeat};
use super::services::{InForce, Said, Services};
use crate::logging;
use crate::notify::Notifier;
use crate::poll::PollSet;
use crate::sys::{self, Signals, Taken};

/// Log lines taken before others of the loop have their turn.
const MOST_LINES: usize = 64;
/// How long the worker may take to end when it has closed its ends.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// The pause before another worker is started, after the first crash.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause, after crashes that follow each other.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long after a start or a reload the memory that it took is given back.
const TIDY_AFTER: Duration = Duration::from_secs(2);
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

/// The worker's process.
#[derive(Debug)]
enum Worker {
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
            heartbeat.configure(&self.services.host, self.services.lease);
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
            if !std::mem::replace(&mut self.was_ready, true) {
                return Turn::Ready;
            }
            log::info!("the new worker process has started");
        }
        Turn::Running
    }

    /// Looks whether the worker answers.
    fn judge_worker(&mut self, now: Instant) {
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
    fn give_up(&mut self, error: &io::Error, now: Instant) {
        let Worker::Served { pid, since, .. } = self.worker else {
            return;
        };
        let mut story = String::new();
        if !is_end(error) {
            sys::kill(pid);
            log::error!("the worker process is ended: {error}");
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
    fn look_after_worker(&mut self, now: Instant) -> io::Result<Option<Turn>> {
        match self.worker {
            Worker::Served { pid, since, .. } | Worker::Ending { pid, since, .. } => {
                let Some(status) = sys::ended(pid)? else {
                    if let Worker::Ending { end_by, .. } = &mut self.worker
                        && *end_by <= now
                    {
                        sys::kill(pid);
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
                    log::error!("cannot start a worker process: {error}");
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
    fn begin(&mut self, worker: WorkerEnds) -> io::Result<()> {
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
    fn reap_orphans(&mut self, now: Instant) {
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

impl Worker {
    fn begun(pid: u32) -> Self {
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
fn first_of(names: &[String]) -> String {
    const MOST: usize = 16;
    let (first, rest) = names.split_at(names.len().min(MOST));
    match rest.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Whether the worker ended, or is about to.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    [BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof].contains(&error.kind())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::rc::Rc;

    use vrrp_control::Record;

    use super::*;
    use crate::daemon::tests::platform::FakePlatform;
    use crate::patience::patient;
    use crate::privsep::channel::MessageChannel;
    use crate::privsep::messages::{MAX_TO_PARENT, MAX_TO_WORKER, ToParent};

    /// The worker's ends, and the number of its process, which sleeps.
    struct Far {
        pid: u32,
        messages: MessageChannel,
        _network: UnixStream,
        _log: UnixDatagram,
    }

    fn start() -> (WorkerEnds, Far) {
        let mut command = Command::new("sleep");
        let child = command.arg("1000").stdin(Stdio::null()).spawn();
        let pid = child.expect("sleep(1)").id();
        let network = UnixStream::pair().expect("a pair");
        let messages = UnixStream::pair().expect("a pair");
        let log = UnixDatagram::pair().expect("a pair");
        let ends = WorkerEnds {
            pid,
            network: network.0,
            messages: messages.0,
            log: log.0,
        };
        let far = Far {
            pid,
            messages: MessageChannel::new(messages.1, MAX_TO_WORKER, MAX_TO_PARENT),
            _network: network.1,
            _log: log.1,
        };
        (ends, far)
    }

    fn in_force(dir: &Path) -> InForce {
        let text = format!(
            "[GLOBAL]\nstatedir = {}\n[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/32\nadvertinterval = 0.05\n",
            dir.join("state").display()
        );
        let file = PathBuf::from("vrrpd.conf");
        let config = vrrp_config::parse(&file, text.as_str()).config;
        InForce {
            file,
            text: text.into(),
            config: config.expect("correct"),
            debug: true,
            troubles: Vec::new(),
        }
    }

    fn crashes<P: PrivilegedPlatform>(parent: &Parent<P>) -> Vec<String> {
        let text = |record: &Record| match record {
            Record::Notice(notice) if notice.kind == NoticeKind::Crash => Some(notice.text.clone()),
            _ => None,
        };
        parent.services.archive.records().filter_map(text).collect()
    }

    #[test]
    fn each_end_of_a_worker_is_taken_and_recorded_with_its_cause() {
        let dir = std::env::temp_dir().join(format!("vrrpd-parent-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let fars = Rc::new(RefCell::new(Vec::<Far>::new()));
        let started = fars.clone();
        let mut pids = Vec::new();
        let start = Box::new(move || {
            let (ends, far) = start();
            pids.push(far.pid);
            match pids.as_slice() {
                // It ends before it is told to begin.
                [_, pid] => sys::kill(*pid),
                _ => started.borrow_mut().push(far),
            }
            Ok(ends)
        });
        let signals = Signals::deaf().expect("a pipe");
        let notifier = Notifier::default();
        let platform = FakePlatform::new();
        let mut parent =
            Parent::new(platform, start, signals, notifier, in_force(&dir)).expect("a parent");
        let ready = || {
            let mut fars = fars.borrow_mut();
            let far = fars.last_mut().expect("a worker");
            far.messages.send(&ToParent::Ready).expect("room");
        };
        let end = Instant::now() + patient(Duration::from_secs(60));
        let until = |parent: &mut Parent<FakePlatform>, done: &dyn Fn(&Parent<_>) -> bool| {
            while !done(parent) {
                assert!(Instant::now() < end, "{parent:?}: {:?}", crashes(parent));
                parent.turn().expect("a turn");
            }
        };
        ready();
        until(&mut parent, &|parent| parent.was_ready);
        let first = fars.borrow_mut().pop().expect("a worker");
        sys::kill(first.pid);
        drop(first);
        // The second one is gone before the third is started.
        until(&mut parent, &|_| !fars.borrow().is_empty());
        assert_eq!(
            crashes(&parent),
            ["0.1", "0.2"].map(|pause| format!(
                "the worker process was ended by signal 9; another is started in {pause} s; `disable` and `resign` of vrrpctl are forgotten"
            ))
        );
        let next = fars.borrow().first().expect("a worker").pid;
        assert_eq!(sys::ended(next).expect("a child of ours"), None);
        ready();
        // It does nothing after that.
        until(&mut parent, &|parent| crashes(parent).len() == 3);
        assert_eq!(parent.services.crashes, 3);
        let last = crashes(&parent).pop().expect("a crash");
        assert!(
            last.starts_with("the worker process was ended by signal 9: it has done nothing for "),
            "{last}"
        );
        assert!(
            sys::ended(next).is_err(),
            "its end was taken: it is no zombie"
        );
        std::fs::remove_dir_all(dir).expect("the directory");
    }

    #[test]
    fn a_record_names_the_first_virtual_routers_of_many() {
        let names: Vec<String> = (1..=18).map(|n| n.to_string()).collect();
        assert_eq!(first_of(&names[..2]), "1, 2");
        assert!(first_of(&names).ends_with("15, 16 and 2 more"));
    }
}
