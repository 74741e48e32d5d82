//! The daemon in its worker process: one loop over the host, the control socket and the parent.

mod checks;
mod compare;
mod events;
mod history;
mod limit;
mod overrides;
mod parent;
mod reload;
mod requests;
#[cfg(test)]
pub(crate) mod tests;
mod warnings;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use vrrp_core::State;
use vrrp_host::{Host, Platform, Secret, VrId};

use crate::checks::Board;
use crate::control::Server;
use crate::overrides::Override;
use crate::poll::PollSet;
use crate::privsep::ParentHandle;
use crate::scrape::Scraper;
use crate::scripts::Subject;
use crate::sys;
use history::{Clock, Provoked};
use limit::LogLimit;
use overrides::Overrides;
pub use reload::{apply_log_level, log_remark};
use vrrp_config::{Config, Global};
use vrrp_control::{Answer, NoticeKind, Record, Reloads, Transition};
use vrrp_host::wording;
use warnings::Logged;

/// How long a graceful stop may take: priority 0, then serving until a successor is heard.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How long scripts may run on after it.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(10);
/// How long the platform is left alone after it failed, so that a lasting fault does not become a
/// busy loop.
const FAULT_PAUSE: Duration = Duration::from_millis(20);
/// How often a lasting fault of the platform is logged.
const FAULT_LOG: Duration = Duration::from_secs(60);

/// How long after something happened the memory that it took is given back.
const TIDY_AFTER: Duration = Duration::from_secs(2);

/// The parts of a daemon.
#[derive(Debug)]
pub struct Parts {
    /// The configuration file, read again by a reload.
    pub file: PathBuf,
    /// The contents of the file.
    pub text: Vec<u8>,
    /// The same, parsed.
    pub config: Config,
    /// The control socket.
    pub control: Server,
    /// The process that takes signals, reads the file, runs scripts and speaks with the service manager.
    pub parent: ParentHandle,
    /// The number of the process that stands for vrrpd.
    pub pid: u32,
    /// When that process was started.
    pub began: Instant,
    /// Workers that have ended unexpectedly since then.
    pub crashes: u64,
    /// Whether `loglevel` of the file counts: not when the command line asked for debug lines.
    pub log_level_of_file: bool,
    /// The history so far.
    pub history: Vec<Record>,
    /// The overrides that were given before.
    pub overrides: Vec<Override>,
    /// The warning that the last reload was refused, if it was.
    pub refused_reload: Option<String>,
    /// The name of the user of the process that stands for vrrpd, where it is not root.
    pub user_name: Option<String>,
    /// The endpoint for scrapers of metrics, if there is one.
    pub scraper: Option<Scraper>,
}

/// A running daemon.
pub struct Daemon<P: Platform> {
    host: Host<P>,
    file: PathBuf,
    /// The contents of the file that are in force.
    text: Vec<u8>,
    /// The keys that it names.
    secrets: Vec<Secret>,
    global: Global,
    /// Virtual routers that the file names.
    configured: BTreeSet<VrId>,
    control: Server,
    parent: ParentHandle,
    pid: u32,
    log_level_of_file: bool,
    board: Board,
    logged: Logged,
    limit: LogLimit,
    /// There may be more events than were taken.
    backlog: bool,
    /// Virtual routers that the file names, or named and that are still leaving.
    known: BTreeSet<VrId>,
    /// The groups that have or had scripts to be told of their end.
    groups: BTreeSet<Arc<str>>,
    stop: Option<Stop>,
    /// When vrrpd was started: the parent, not this worker.
    began: Instant,
    /// Workers that have ended unexpectedly before.
    crashes: u64,
    set: PollSet,
    fault: Fault,
    /// See [`look_at_parent`](Self::look_at_parent).
    parent_in_doubt: Option<Instant>,
    tidy_at: Option<Instant>,
    /// The line that the service manager shows.
    shown: String,
    overrides: Overrides,
    provoked: Provoked,
    clock: Clock,
    /// Changes of state of each virtual router.
    transitions: BTreeMap<VrId, Vec<Transition>>,
    reloads: Reloads,
    /// A warning about the last reload, if it was refused.
    refused_reload: Option<String>,
    /// See [`Parts::user_name`].
    user_name: Option<String>,
    scraper: Option<Scraper>,
}

impl<P: Platform> std::fmt::Debug for Daemon<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug)]
struct Stop {
    /// When the host has to be done.
    host_by: Instant,
    /// When scripts have to be done. `None`: the host is not done yet.
    scripts_by: Option<Instant>,
    /// Asked for a second time: at once.
    at_once: bool,
}

#[derive(Debug, Default)]
struct Fault {
    paused_until: Option<Instant>,
    logged: Option<Instant>,
}

impl<P: Platform> Daemon<P> {
    /// A daemon whose host has been opened with the configuration of `parts`.
    pub fn new(host: Host<P>, mut parts: Parts) -> Self {
        parts.control.restore(parts.history);
        let mut daemon = Self {
            host,
            file: parts.file,
            text: parts.text,
            secrets: parts.config.secrets(),
            global: Global::default(),
            configured: BTreeSet::new(),
            control: parts.control,
            parent: parts.parent,
            pid: parts.pid,
            log_level_of_file: parts.log_level_of_file,
            board: Board::default(),
            logged: Logged::default(),
            limit: LogLimit::default(),
            backlog: false,
            known: BTreeSet::new(),
            groups: BTreeSet::new(),
            stop: None,
            began: parts.began,
            crashes: parts.crashes,
            set: PollSet::default(),
            fault: Fault::default(),
            parent_in_doubt: None,
            tidy_at: None,
            shown: String::new(),
            overrides: Overrides::new(parts.overrides),
            provoked: Provoked::default(),
            clock: Clock::now(),
            transitions: BTreeMap::new(),
            reloads: Reloads {
                last_accepted: parts.refused_reload.is_none(),
                ..Reloads::default()
            },
            refused_reload: parts.refused_reload,
            user_name: parts.user_name,
            scraper: parts.scraper,
        };
        daemon.configure(parts.config);
        daemon.review_overrides();
        daemon.log_overrides();
        daemon
    }

    /// Takes the first step and tells the parent that we are ready. Then it is for the caller to take
    /// [`turn`](Daemon::turn)s.
    pub fn start(&mut self) {
        let now = Instant::now();
        self.step_host(now);
        self.take_events(now);
        self.parent.ready();
        self.tell_manager();
        // Reading a large file took more than what follows.
        self.tidy_at = Some(now + TIDY_AFTER);
    }

    /// Waits until something is to be done, at most for `patience`, and does it. False: stopped.
    pub fn turn(&mut self, patience: Option<Duration>) -> io::Result<bool> {
        let now = Instant::now();
        self.register(now);
        let until = self
            .deadline(now)
            .map(|at| at.saturating_duration_since(now));
        let timeout = until.into_iter().chain(patience).min();
        let due = match self.fault.paused_until {
            Some(_) => self.set.wait(timeout).map(|()| false),
            None => self.set.wait_with(&mut self.host, timeout),
        }?;

        // The protocol comes first.
        let now = Instant::now();
        if due {
            self.step_host(now);
        }
        let changed = self.take_events(now);
        self.take_signals(now)?;
        self.look_at_parent(now)?;
        self.take_news(now);
        self.go_on_with_overrides(now);
        self.serve_clients(now);
        self.serve_scraper(now);
        let changed = self.take_events(now) || changed;
        self.go_on_stopping(now);
        self.log_warnings(now);
        self.look_at_clock(now);
        self.take_prepared();
        if changed {
            self.tell_manager();
            self.tidy_at = Some(now + TIDY_AFTER);
        }
        if self.tidy_at.is_some_and(|at| at <= now) {
            self.tidy_at = None;
            sys::release_memory();
        }
        Ok(!self.has_stopped(now))
    }

    /// Begins a graceful stop; the second call makes it one at once.
    pub fn stop(&mut self, now: Instant) {
        if let Some(stop) = &mut self.stop {
            log::warn!(
                "asked a second time to stop: vrrpd stops at once and waits for no successor"
            );
            stop.at_once = true;
            return;
        }
        log::info!("stopping");
        self.notice(NoticeKind::Stop, None, "vrrpd stops".into());
        self.parent.stopping();
        self.stop = Some(Stop {
            host_by: now + STOP_PATIENCE,
            scripts_by: None,
            at_once: false,
        });
        self.host.shutdown();
    }

    fn register(&mut self, now: Instant) {
        self.set.clear();
        self.fault.paused_until = self.fault.paused_until.filter(|at| *at > now);
        self.set.read(self.parent.fd());
        self.control.register(&mut self.set);
        if let Some(scraper) = &self.scraper {
            scraper.register(&mut self.set);
        }
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let stop = self.stop.map(|s| s.scripts_by.unwrap_or(s.host_by));
        let warnings = self.logged.deadline().filter(|_| self.stop.is_none());
        let all = [
            warnings,
            self.control.deadline(now),
            self.overrides.deadline(now),
            self.scraper
                .as_ref()
                .and_then(|scraper| scraper.deadline(now)),
            (self.backlog || self.parent.is_due()).then_some(now),
            stop,
            self.fault.paused_until,
            self.parent_deadline(),
            self.tidy_at,
        ];
        all.into_iter().flatten().min()
    }

    fn step_host(&mut self, now: Instant) {
        let Err(error) = self.host.step() else {
            return;
        };
        self.fault.paused_until = Some(now + FAULT_PAUSE);
        if self.fault.logged.is_none_or(|at| now >= at + FAULT_LOG) {
            self.fault.logged = Some(now);
            log::error!(
                "cannot read packets and notices of the kernel: {error}; tried again each {} ms, and another host takes over while it lasts",
                FAULT_PAUSE.as_millis()
            );
        }
    }

    /// An error: the parent is gone.
    fn take_signals(&mut self, now: Instant) -> io::Result<()> {
        if !self.set.ready(self.parent.fd()) && !self.parent.is_due() {
            return Ok(());
        }
        let taken = self.parent.take()?;
        if taken.dump() {
            self.dump();
        }
        if taken.stop() {
            self.stop(now);
        } else if taken.reload() {
            // The log has the outcome.
            let _ = self.reload(None);
        }
        Ok(())
    }

    fn serve_clients(&mut self, now: Instant) {
        if let Some(asked) = self.control.take_request(&self.set, now) {
            self.tidy_at = Some(now + TIDY_AFTER);
            match self.override_job(&asked.request, asked.uid) {
                Some(Ok(job)) => self.take_job(job, Some(asked), now),
                Some(Err(why)) => self.control.answer(&asked, Answer::error(why).into(), now),
                None => {
                    let reply = self.answer(&asked.request, asked.uid);
                    self.control.answer(&asked, reply, now);
                }
            }
        }
    }

    fn serve_scraper(&mut self, now: Instant) {
        let Some(mut scraper) = self.scraper.take() else {
            return;
        };
        scraper.serve(&self.set, now, || self.snapshot());
        self.scraper = Some(scraper);
    }

    /// Ends the first half of a stop when the host is done, or its time is over: what scripts have
    /// not been told yet they are told now.
    fn go_on_stopping(&mut self, now: Instant) {
        let Some(stop) = &mut self.stop else { return };
        let late = now >= stop.host_by;
        let done = self.host.is_stopped() && !self.backlog;
        if stop.scripts_by.is_none() && (late || done) {
            stop.scripts_by = Some(now + SCRIPT_PATIENCE);
            if late {
                let seconds = STOP_PATIENCE.as_secs();
                log::warn!(
                    "the graceful stop has not ended within {seconds} s: vrrpd waits for no successor any more, and removes its addresses"
                );
            }
            while self.backlog {
                self.take_events(now);
            }
            self.catch_up_scripts();
        }
    }

    /// Whether a stop is over: scripts too, or their time.
    fn has_stopped(&mut self, now: Instant) -> bool {
        let Some(stop) = self.stop else { return false };
        if stop.scripts_by.is_some() && self.parent.is_idle() {
            return true;
        }
        let over = stop.at_once || stop.scripts_by.is_some_and(|by| now >= by);
        if over {
            self.parent.kill_scripts();
        }
        over
    }

    fn configure(&mut self, config: Config) {
        self.configured.clear();
        let now = Instant::now();
        let routers = config.virtual_routers.iter();
        let uses = routers.map(|router| (&router.spec.id, router.spec.tracks.as_slice()));
        self.board.configure(&config.checks, uses, now);
        self.state_checks();
        let mut priorities = BTreeMap::new();
        for router in config.virtual_routers {
            let id = router.spec.id;
            self.parent.configure(&id);
            self.known.insert(id.clone());
            priorities.insert(id.clone(), router.spec.settings.priority);
            self.configured.insert(id);
        }
        for group in config.groups {
            let name = group.spec.name;
            self.parent.configure(Subject::Group(name.clone()));
            self.groups.insert(name);
        }
        self.overrides.keep_configured(&priorities);
        self.global = config.global;
        // Unless the command line asked for more.
        if self.log_level_of_file {
            apply_log_level(self.global.log_level);
        }
    }

    /// The line that the service manager shows.
    fn tell_manager(&mut self) {
        if !self.parent.is_managed() {
            return;
        }
        let (mut master, mut backup, mut waiting) = (0, 0, 0);
        for state in self.host.states() {
            match state {
                State::Active => master += 1,
                State::Backup => backup += 1,
                State::Initialize => waiting += 1,
            }
        }
        let text = format!("{master} master, {backup} backup, {waiting} waiting");
        if text != self.shown {
            self.parent.status(text.clone());
            self.shown = text;
        }
    }

    /// The name of a user who may give commands. `None`: it is root, or was the user of another vrrpd.
    fn user_name(&self, uid: u32) -> Option<String> {
        let is_own = uid != 0 && uid == self.control.owner();
        self.user_name.clone().filter(|_| is_own)
    }

    /// Writes how everything stands to the log.
    fn dump(&self) {
        let now = self.host.now();
        for report in self.host.statuses() {
            let vr = crate::report::virtual_router(
                &report,
                now,
                &[],
                &self.reason(&report.id, &report.why),
            );
            log::info!(
                "{}: {} for {}, priority {}: {}",
                report.id,
                vr.state,
                wording::span(vr.since_s),
                vr.priority,
                vr.reason
            );
        }
    }
}
