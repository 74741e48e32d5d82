//! The processes that ask, for the parent.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Instant;

use vrrp_config::{Account, Check, CheckKind, CheckSpec};

use super::News;
use super::process::Process;
use crate::poll::PollSet;
use crate::scripts::Spawner;
use crate::sys::SystemAccounts;

/// The name of the program.
const PROGRAM: &str = "vrrp-checker";

/// The checkers: one of services, one of commands. Without checks there is no process.
pub struct Checkers {
    services: Process,
    commands: Process,
    spawner: Option<Spawner>,
    /// News that came while something else was done.
    news: Vec<News>,
}

impl std::fmt::Debug for Checkers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checkers").finish_non_exhaustive()
    }
}

impl Default for Checkers {
    fn default() -> Self {
        Self {
            services: Process::new(false),
            commands: Process::new(true),
            spawner: None,
            news: Vec::new(),
        }
    }
}

impl Checkers {
    /// From now on these are checked, by processes that are started from now on as `user`, as far as they
    /// run no commands. `None`: as the user of this process.
    pub fn configure(&mut self, checks: &[Check], user: Option<Account>, now: Instant) {
        self.services.set_user(user);
        let (mut services, mut commands) = (Vec::new(), Vec::new());
        for check in checks {
            let spec = with_account(check.spec.clone());
            match &spec.kind {
                CheckKind::Command(_) => commands.push(spec),
                _ => services.push(spec),
            }
        }
        let mut tell = |one| self.news.push(one);
        self.services.configure(services, now, &mut tell);
        self.commands.configure(commands, now, &mut tell);
    }

    /// Runs a check now. False: there is no such check, or nobody to run it.
    pub fn run(&mut self, name: &str) -> bool {
        self.services.run(name) || self.commands.run(name)
    }

    /// Adds what has to be waited for.
    pub fn register(&self, set: &mut PollSet) {
        self.services.register(set);
        self.commands.register(set);
        if let Some(spawner) = &self.spawner {
            set.read(spawner.fd());
        }
    }

    /// When [`Checkers::handle`] is due even though nothing is ready.
    pub fn deadline(&self) -> Option<Instant> {
        let processes = [&self.services, &self.commands];
        processes.into_iter().filter_map(Process::deadline).min()
    }

    /// Does everything that can be done without waiting, and returns what is new.
    pub fn handle(&mut self, set: &PollSet, now: Instant) -> Vec<News> {
        let mut news = std::mem::take(&mut self.news);
        let mut tell = |one| news.push(one);
        while let Some(started) = self.spawner.as_mut().and_then(Spawner::next) {
            let process = match started.ticket {
                0 => &mut self.services,
                _ => &mut self.commands,
            };
            process.started(started.result, now, &mut tell);
        }
        for process in [&mut self.services, &mut self.commands] {
            process.handle(set, now, &mut tell);
            if !process.is_due(now) {
                continue;
            }
            if self.spawner.is_none() {
                match Spawner::new() {
                    Ok(spawner) => self.spawner = Some(spawner),
                    Err(error) => log::error!("{PROGRAM} cannot be started: {error}"),
                }
            }
            if let Some(spawner) = &mut self.spawner {
                process.start(&program(), spawner, now, &mut tell);
            }
        }
        news
    }

    /// Whether a process may come into being at this moment.
    pub fn starting(&self) -> bool {
        self.spawner.as_ref().is_some_and(|s| s.in_flight() > 0)
    }

    /// As PID 1: the exit status of `pid` has been taken. Ours or an orphan's.
    pub fn reaped(&mut self, pid: u32, status: ExitStatus, now: Instant) {
        let mut tell = |one| self.news.push(one);
        self.services.reaped(pid, status, now, &mut tell);
        self.commands.reaped(pid, status, now, &mut tell);
    }
}

/// Looks up the user of a command once, so that a dead directory server holds up no check.
fn with_account(mut spec: CheckSpec) -> CheckSpec {
    if let CheckKind::Command(command) = &mut spec.kind {
        let user = command.user.as_ref();
        command.account = user.and_then(|user| match user.resolve(&SystemAccounts) {
            Ok(account) => Some(account),
            Err(message) => {
                log::error!("check {}: {message}", spec.name);
                None
            }
        });
    }
    spec
}

/// Says why vrrp-checker cannot be started, if it cannot.
pub fn checker_trouble() -> Option<String> {
    let path = program();
    let why = match std::fs::metadata(&path) {
        Err(error) => error.to_string(),
        Ok(meta) if !meta.is_file() || meta.permissions().mode() & 0o111 == 0 => {
            "it is no program".to_owned()
        }
        Ok(_) => return None,
    };
    let path = path.display();
    Some(format!(
        "{PROGRAM} cannot be started: {path}: {why}; install it there or beside vrrpd"
    ))
}

/// Beside the program that runs now; otherwise where packages put what is not for people.
fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let folder = own.parent().map(PathBuf::from).unwrap_or_default();
    let beside = folder.join(PROGRAM);
    match beside.exists() {
        true => beside,
        false => folder.join("../libexec/vrrpd").join(PROGRAM),
    }
}
