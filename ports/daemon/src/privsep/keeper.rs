//! The side with the rights.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use vrrp_host::{HostConfig, HostFacts, Waited};

use super::line::Line;
use super::words::{Ask, MAX_ASK, Remark, Tell, characters};
use crate::checks::Checkers;
use crate::logging;
use crate::poll::PollSet;
use crate::scripts::{PROGRAM, Runner, Scripts, script_set};
use crate::sys::{self, Signals};
use vrrp_config::{self as config, Config};

/// Log lines taken before others of the loop have their turn.
const MOST_LINES: usize = 64;
/// How long the other process may take to end when it has closed its ends.
const END_PATIENCE: Duration = Duration::from_secs(5);

/// The server of the other process's [`Platform`](vrrp_host::Platform).
pub trait Served {
    /// Waits until [`handle`](Served::handle) has something to do, which is `true`, one of `others`
    /// is ready or `timeout` has passed.
    fn wait(&mut self, others: &mut [Waited], timeout: Option<Duration>) -> io::Result<bool>;
    /// The state of the network, without the addresses installed by us.
    fn facts(&self) -> HostFacts;
    /// From now on the other side may ask for what this configuration needs, too.
    fn allow(&mut self, config: HostConfig);
    /// The configuration that was allowed last is in force.
    fn adopt(&mut self);
    /// Does what was asked. An error: the other side is gone, or makes no sense.
    fn handle(&mut self, trouble: &mut dyn FnMut(io::Error)) -> io::Result<()>;
}

/// The process that changes the network, reads the configuration and starts scripts, for another
/// that speaks the protocol.
pub struct Keeper<S> {
    served: S,
    line: Line,
    log: UnixDatagram,
    signals: Signals,
    /// The other process.
    child: u32,
    scripts: Scripts,
    checkers: Checkers,
    file: PathBuf,
    /// The file's contents when it was last read, while they are not in force.
    read: Option<Config>,
    happened: u64,
    done: u64,
    set: PollSet,
    /// When the other process has to have ended by itself. `None`: it need not.
    end_by: Option<Instant>,
}

impl<S> std::fmt::Debug for Keeper<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

/// The result of a turn of the keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing that matters.
    Running,
    /// The other process has started well.
    Ready,
    /// The other process has ended. What it installed is still there until the keeper is dropped.
    Ended(ExitStatus),
}

impl<S: Served> Keeper<S> {
    /// A keeper of the process `child`, which is at the other ends of `stream` and `log` and has
    /// read `config` from `file`, too.
    pub fn new(
        served: S,
        (child, stream, log): (u32, UnixStream, UnixDatagram),
        signals: Signals,
        file: PathBuf,
        config: Config,
    ) -> io::Result<Self> {
        log.set_nonblocking(true)?;
        let mut keeper = Self {
            served,
            line: Line::new(stream, MAX_ASK)?,
            log,
            signals,
            child,
            scripts: Scripts::default(),
            checkers: Checkers::default(),
            file,
            read: None,
            happened: 0,
            done: 0,
            set: PollSet::default(),
            end_by: None,
        };
        keeper.configure(config);
        Ok(keeper)
    }

    /// Waits until something is to be done, and does it.
    pub fn turn(&mut self) -> io::Result<Turn> {
        self.register();
        let asked = self.wait()?;
        let now = Instant::now();
        if self.set.ready(self.log.as_raw_fd()) {
            self.take_lines(MOST_LINES);
        }
        let mut turn = Turn::Running;
        if self.end_by.is_none() {
            match self.serve(asked, now) {
                Ok(true) => turn = Turn::Ready,
                Ok(false) => {}
                Err(error) => self.give_up(&error, now),
            }
        }
        self.scripts.handle(&self.set, now);
        for news in self.checkers.handle(&self.set, now) {
            // Where it fails there is an end to be seen in the next turn.
            let _ = self.line.say(&Tell::Checked(news));
        }
        if self.end_by.is_some_and(|by| by <= now) {
            sys::kill(self.child);
            self.end_by = Some(now + END_PATIENCE);
        }
        if let Some(status) = sys::ended(self.child)? {
            self.take_lines(usize::MAX);
            return Ok(Turn::Ended(status));
        }
        if self.scripts.is_idle() && self.done != self.happened {
            self.done = self.happened;
            // Where it fails there is an end to be seen in the next turn.
            let _ = self.line.say(&Tell::Done(self.done));
        }
        Ok(turn)
    }

    fn register(&mut self) {
        self.set.clear();
        if self.end_by.is_none() {
            self.set.read(self.line.fd());
        }
        for fd in [self.log.as_raw_fd(), self.signals.fd()] {
            self.set.read(fd);
        }
        self.scripts.register(&mut self.set);
        self.checkers.register(&mut self.set);
    }

    /// True: the network's side is asked for something, or has something to tell.
    fn wait(&mut self) -> io::Result<bool> {
        let all = [
            self.scripts.deadline(),
            self.checkers.deadline(),
            self.end_by,
        ];
        let until = all.into_iter().flatten().min();
        let now = Instant::now();
        let timeout = until.map(|at| at.saturating_duration_since(now));
        match self.end_by {
            // No process is there to be served.
            Some(_) => self.set.wait(timeout).map(|()| false),
            None => self.served.wait(self.set.waited(), timeout),
        }
    }

    /// The other process closed its ends, for it is about to end, or it makes no sense and shall.
    fn give_up(&mut self, error: &io::Error, now: Instant) {
        let ends = is_end(error);
        if !ends {
            log::error!("the process that speaks the protocol is ended: {error}");
        }
        self.end_by = Some(if ends { now + END_PATIENCE } else { now });
    }

    /// The network first, then what else was asked for. True: the start has succeeded.
    fn serve(&mut self, asked: bool, now: Instant) -> io::Result<bool> {
        // Its end of the network may be closed while there are words that were said before.
        let network = match asked {
            true => self.served.handle(&mut |error| {
                log::error!("the network cannot be read: {error}");
            }),
            false => Ok(()),
        };
        let mut ready = false;
        while let Some(ask) = self.line.hear()? {
            match ask {
                Ask::Ready => ready = true,
                Ask::Configuration => {
                    let answer = self.read_file();
                    self.line.say(&Tell::Configuration(answer))?;
                }
                Ask::Adopted => {
                    if let Some(config) = self.read.take() {
                        self.configure(config);
                        self.served.adopt();
                    }
                }
                Ask::Happened(name, what) => {
                    self.happened += 1;
                    match (name.id(), what.happening()) {
                        (Some(id), Some(happening)) => self.scripts.submit(&id, happening),
                        _ => log::error!("a happening that cannot be was not given to scripts"),
                    }
                }
                Ask::Forget(name) => {
                    if let Some(id) = name.id() {
                        self.scripts.remove(&id);
                    }
                }
                Ask::KillScripts => self.scripts.kill_all(),
                Ask::RunCheck(name) => {
                    self.checkers.run(&name);
                }
            }
            self.scripts.handle(&PollSet::default(), now);
        }
        network?;
        if self.set.ready(self.signals.fd()) {
            let bits = self.signals.take().bits();
            self.line.say(&Tell::Signals(bits))?;
        }
        Ok(ready)
    }

    /// Reads the file for a reload and judges it, as the other process may not see all that it needs.
    /// Lets through what a good one asks for.
    fn read_file(&mut self) -> Result<(String, Vec<Remark>), String> {
        let octets = std::fs::read(&self.file);
        let octets = octets.map_err(|e| format!("{}: {e}", self.file.display()))?;
        let text = characters(&octets);
        let judged = config::judge(&self.file, octets, PROGRAM, &self.served.facts());
        if let Some(config) = judged.config {
            self.served.allow(config.host());
            self.read = Some(config);
        }
        Ok((text, judged.diagnostics.into_iter().map(Remark).collect()))
    }

    fn configure(&mut self, config: Config) {
        self.checkers.configure(&config.checks, Instant::now());
        let security = config.global.script_security;
        for router in config.virtual_routers {
            let id = router.spec.id.clone();
            self.scripts.configure(&id, script_set(router, security));
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

/// Whether the other process ended, or is about to.
fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    [BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof].contains(&error.kind())
}
