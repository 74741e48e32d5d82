//! The parent's side of the messages: what it does for a worker beside changing the network.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use vrrp_host::{HostConfig, HostFacts, Secret, VrId};
use vrrp_port_kit::boot_count::{self, BootCount};
use vrrp_port_kit::privsep::{PrivilegedPlatform, Server};
use vrrp_port_kit::state::StateDir;

use super::channel::MessageChannel;
use super::messages::{
    Beginning, FileRead, MAX_TO_PARENT, MAX_TO_WORKER, Remark, ToParent, ToWorker, WireId,
    WireSecret, characters,
};
use crate::checks::{Checkers, News};
use crate::daemon::apply_log_level;
use crate::history::Archive;
use crate::keeper::Keeper;
use crate::notify::Notifier;
use crate::overrides::{self, Book, Counting};
use crate::poll::PollSet;
use crate::scripts::{PROGRAM, Scripts, Subject, group_script_set, script_set};
use crate::sys::{self, SystemAccounts, Taken};
use vrrp_config::{self as config, Account, Config, Source};
use vrrp_control::{Notice, NoticeKind};

/// The network, as far as a configuration has to do with it.
pub(super) trait Network {
    /// See [`Server::facts`].
    fn facts(&self) -> HostFacts;
    /// See [`Server::allow`].
    fn allow(&mut self, config: HostConfig);
    /// See [`Server::adopt`].
    fn adopt(&mut self);
}

impl<P: PrivilegedPlatform> Network for Server<P> {
    fn facts(&self) -> HostFacts {
        Server::facts(self)
    }

    fn allow(&mut self, config: HostConfig) {
        Server::allow(self, config);
    }

    fn adopt(&mut self) {
        Server::adopt(self);
    }
}

/// The configuration that is in force.
#[derive(Debug)]
pub struct InForce {
    /// The file that it was read from.
    pub file: PathBuf,
    /// The contents of the file.
    pub text: Vec<u8>,
    /// The same, parsed.
    pub config: Config,
    /// Whether debug lines were asked for by the command line.
    pub debug: bool,
    /// Lines about what could not be done at the start, without which vrrpd does.
    pub troubles: Vec<String>,
}

/// Reads the configuration, runs scripts and speaks with the service manager.
#[derive(Debug)]
pub(super) struct Services {
    channel: MessageChannel,
    pub(super) scripts: Scripts,
    pub(super) checkers: Checkers,
    /// The last report of each check, for the next worker.
    reports: BTreeMap<String, News>,
    /// The last news about each checker: that of commands, and the other.
    troubles: BTreeMap<bool, News>,
    pub(super) notifier: Notifier,
    pub(super) archive: Archive,
    began: Instant,
    /// Workers that have ended unexpectedly.
    pub(super) crashes: u64,
    file: PathBuf,
    debug: bool,
    /// The file's contents that are in force.
    text: Vec<u8>,
    /// The keys that it names, for the next worker.
    secrets: Vec<Secret>,
    pub(super) host: HostConfig,
    /// The lease of addresses, in seconds.
    pub(super) lease: Option<u32>,
    /// The user of the next worker. `None`: our own.
    user: Option<Account>,
    /// The overrides, with the changes that are being written.
    overrides: Book,
    /// The overrides as they are written.
    written: Book,
    pub(super) counting: Counting,
    /// The state directory.
    pub(super) keeper: Keeper,
    /// Why it cannot be used, if that is so.
    stateless: Option<String>,
    /// The boot count, once a virtual router has signed with it.
    boots: Option<BootCount>,
    /// Why it is not on the disk, if that is so.
    uncounted: Option<String>,
    /// Warnings that it does not go on from the one before, until the next reload.
    broken_off: Vec<String>,
    /// Lines about files of the state directory that were set aside at the start, and about what else could
    /// not be done.
    lost: Vec<String>,
    /// A reload has begun, and is not over.
    reloads: bool,
    /// The warning that the last reload was refused, if it was.
    refused_reload: Option<String>,
    /// The file's contents when it was last read, while they are not in force.
    read: Option<(Vec<u8>, Config)>,
    /// The name of our own user, if that is not root.
    user_name: Option<String>,
    happened: u64,
    done: u64,
}

/// The messages of a worker that matter to the parent's loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The start has succeeded.
    pub(super) ready: bool,
    /// The number of the last ping that was answered.
    pub(super) pong: Option<u64>,
    /// A stop has begun.
    pub(super) stopping: bool,
    /// Another configuration is in force.
    pub(super) adopted: bool,
}

impl Services {
    /// Serves no worker yet, at the other end of `stream`.
    pub(super) fn new(stream: UnixStream, notifier: Notifier, in_force: InForce) -> Self {
        let state = StateDir::new(&in_force.config.global.state_dir);
        let probed = state.probe().err();
        let overrides = Book::read(&state);
        let mut archive = Archive::open(&state);
        // A directory that becomes usable later has overrides that nobody knows.
        let stateless = state.unread(overrides::FILE).or(probed);
        if let Some(why) = &stateless {
            log::warn!("{}", lasting_refused(why));
        }
        let mut lost = state.take_aside();
        for text in &lost {
            log::error!("{text}");
        }
        lost.extend(in_force.troubles);
        for text in &lost {
            archive.push(problem(text));
        }
        let mut services = Self {
            channel: MessageChannel::new(stream, MAX_TO_PARENT, MAX_TO_WORKER),
            scripts: Scripts::default(),
            checkers: Checkers::default(),
            reports: BTreeMap::new(),
            troubles: BTreeMap::new(),
            notifier,
            archive,
            began: Instant::now(),
            crashes: 0,
            file: in_force.file,
            debug: in_force.debug,
            text: in_force.text,
            secrets: Vec::new(),
            host: HostConfig::default(),
            lease: None,
            user: None,
            written: overrides.clone(),
            overrides,
            counting: Counting::default(),
            keeper: Keeper::new(state),
            stateless,
            boots: None,
            uncounted: None,
            broken_off: Vec::new(),
            lost,
            reloads: false,
            refused_reload: None,
            read: None,
            user_name: sys::user_name(sys::effective_uid()),
            happened: 0,
            done: 0,
        };
        let needs_boot_count = in_force.config.needs_boot_count();
        services.configure(in_force.config);
        if needs_boot_count {
            let (number, contents) = services.take_boot_count();
            services.host.boot_count = Some(number);
            // There is no worker yet that would wait: it is on the disk before anything is signed with it.
            let written = services.keeper.dir().write(boot_count::FILE, &contents);
            services.note_boot_count(written.err());
            for text in &services.count_warnings() {
                services.archive.push(problem(text));
            }
        }
        services
    }

    /// Takes the next boot count. Returns it with the contents of its file.
    fn take_boot_count(&mut self) -> (u32, Vec<u8>) {
        let dir = self.keeper.dir();
        let broken_off = &mut self.broken_off;
        let boots = self.boots.get_or_insert_with(|| {
            let read = BootCount::read(dir);
            *broken_off = dir.take_aside();
            for text in broken_off.iter() {
                log::error!("{text}");
            }
            // One that was damaged or cannot be read has its own warning.
            if broken_off.is_empty()
                && dir.unread(boot_count::FILE).is_none()
                && let Some(why) = read.broken_off(dir)
            {
                log::warn!("{why}");
                broken_off.push(why);
            }
            read
        });
        (boots.take(), boots.contents())
    }

    /// The warnings about the boot count.
    fn count_warnings(&self) -> Vec<String> {
        let unkept = self.uncounted.as_deref().map(boot_count::not_kept);
        unkept.into_iter().chain(self.broken_off.clone()).collect()
    }

    /// Takes the next boot count, which is written beside the loop: a crash before it is on the disk does harm
    /// only where the clock is set back, too.
    fn next_boot_count(&mut self) -> u32 {
        let (number, contents) = self.take_boot_count();
        self.keeper.write(boot_count::FILE, 0, contents);
        number
    }

    /// Notes whether the boot count is on the disk. Returns whether that is news.
    fn note_boot_count(&mut self, why: Option<String>) -> bool {
        let is_news = why != self.uncounted;
        if let Some(why) = why.as_deref().filter(|_| is_news) {
            log::warn!("{}", boot_count::not_kept(why));
        }
        self.uncounted = why;
        is_news
    }

    /// Begins with the worker at the other end of the channel.
    pub(super) fn begin(&mut self) -> io::Result<()> {
        self.channel.send(&ToWorker::Begin(Beginning {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            file: self.file.clone(),
            text: characters(&self.text),
            secrets: self.secrets.iter().map(WireSecret::new).collect(),
            pid: std::process::id(),
            age_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            crashes: self.crashes,
            uid: sys::effective_uid(),
            user_name: self.user_name.clone(),
            user: self.user.map(|user| (user.uid, user.gid)),
            debug: self.debug,
            managed: self.notifier.is_listening(),
            stateless: self.stateless.clone(),
            boot_count: self.host.boot_count,
            count_warnings: self.count_warnings(),
            lost: self.lost.clone(),
            refused_reload: self.refused_reload.clone(),
            overrides: self.overrides.all().to_vec(),
            history: self.archive.records().cloned().collect(),
        }))?;
        for news in self.reports.values().chain(self.troubles.values()) {
            self.channel.send(&ToWorker::Checked(news.clone()))?;
        }
        Ok(())
    }

    /// Takes the news of checks, and tells the worker if there is one.
    pub(super) fn take_news(&mut self, set: &PollSet, now: Instant) {
        for news in self.checkers.handle(set, now) {
            match &news {
                News::Report(report) => self.reports.insert(report.name.clone(), news.clone()),
                News::Trouble { commands, .. } => self.troubles.insert(*commands, news.clone()),
            };
            // Where it fails there is an end to be seen in the next turn.
            let _ = self.channel.send(&ToWorker::Checked(news));
        }
    }

    /// Serves another worker. What it signs comes after everything that the one before has signed.
    pub(super) fn replace(&mut self, stream: UnixStream) {
        if self.host.boot_count.is_some() {
            self.host.boot_count = Some(self.next_boot_count());
        }
        self.channel = MessageChannel::new(stream, MAX_TO_PARENT, MAX_TO_WORKER);
        self.read = None;
        if std::mem::take(&mut self.reloads) {
            let file = self.file.display();
            self.refused_reload = Some(format!(
                "{file} is not what runs: the worker process ended while it was read; see the log, and type vrrpctl reload"
            ));
        }
        (self.happened, self.done) = (0, 0);
    }

    /// Adds what the worker's messages have to be waited for.
    pub(super) fn register(&self, set: &mut PollSet) {
        set.read(self.channel.fd());
        if self.channel.has_output() {
            set.write(self.channel.fd());
        }
    }

    /// Takes the outcome of writes to the state directory, and tells the worker whether it can be used.
    pub(super) fn take_written(&mut self, now: Instant) {
        self.archive.write(&mut self.keeper, now);
        while let Some(written) = self.keeper.take() {
            self.archive.written(&written, now);
            if written.name == overrides::FILE.name {
                match &written.result {
                    Ok(()) => self.written = self.overrides.clone(),
                    Err(_) => self.overrides = self.written.clone(),
                }
                let kept = ToWorker::Kept(written.ticket, written.result.clone());
                // Where it fails there is an end to be seen in the next turn.
                let _ = self.channel.send(&kept);
            }
            let why = written.result.err();
            if written.name == boot_count::FILE.name && self.note_boot_count(why.clone()) {
                let told = ToWorker::CountWarnings(self.count_warnings());
                // Where it fails there is an end to be seen in the next turn.
                let _ = self.channel.send(&told);
            }
            if why == self.stateless {
                continue;
            }
            match &why {
                Some(why) => log::error!(
                    "cannot write {} to the state directory: {why}; tried again, and lost by a restart until then",
                    written.name
                ),
                None => log::info!("the state directory can be written again"),
            }
            self.stateless = why;
            let told = ToWorker::Stateless(self.stateless.clone());
            // Where it fails there is an end to be seen in the next turn.
            let _ = self.channel.send(&told);
        }
    }

    /// Tells the worker how many connections there are.
    pub(super) fn take_counted(&mut self) {
        while let Some((id, count)) = self.counting.take() {
            // Where it fails there is an end to be seen in the next turn.
            let _ = self
                .channel
                .send(&ToWorker::Counted(WireId::new(&id), count));
        }
    }

    /// Sends signals on.
    pub(super) fn signal(&mut self, taken: Taken) -> io::Result<()> {
        self.channel.send(&ToWorker::Signals(taken.bits()))
    }

    /// Asks for a sign of life.
    pub(super) fn ping(&mut self, number: u64) -> io::Result<()> {
        self.channel.send(&ToWorker::Ping(number))
    }

    /// Does what the worker has asked for.
    ///
    /// # Errors
    /// There is no worker any more, or it makes no sense.
    pub(super) fn serve(&mut self, network: &mut dyn Network, now: Instant) -> io::Result<Said> {
        let mut said = Said::default();
        // There may be messages of a worker that has ended.
        let flushed = self.channel.flush();
        while let Some(message) = self.channel.receive()? {
            match message {
                ToParent::Ready => {
                    said.ready = true;
                    self.notifier.ready();
                }
                ToParent::Reloading => {
                    self.reloads = true;
                    self.notifier.reloading();
                }
                ToParent::Reloaded(refused) => {
                    self.reloads = false;
                    self.refused_reload = refused.map(|text| printable(&text, MAX_WARNING));
                    self.notifier.ready();
                }
                ToParent::Stopping => {
                    said.stopping = true;
                    self.notifier.stopping();
                }
                ToParent::Status(text) => self.notifier.status(&printable(&text, MAX_STATUS)),
                ToParent::Pong(number) => said.pong = Some(number),
                ToParent::Configuration => {
                    let before = self.count_warnings();
                    let answer = self.read_file(network, true);
                    self.channel.send(&ToWorker::Configuration(answer))?;
                    let warnings = self.count_warnings();
                    if warnings != before {
                        self.channel.send(&ToWorker::CountWarnings(warnings))?;
                    }
                }
                ToParent::Look => {
                    let answer = self.read_file(network, false);
                    self.channel.send(&ToWorker::Configuration(answer))?;
                }
                ToParent::Adopted => {
                    if let Some((text, config)) = self.read.take() {
                        self.text = text;
                        self.reloads = false;
                        self.refused_reload = None;
                        self.configure(config);
                        network.adopt();
                        said.adopted = true;
                    }
                }
                ToParent::Happened(id, happening) => {
                    self.happened += 1;
                    match (id.id(), happening.happening()) {
                        (Some(id), Some(happening)) => self.scripts.submit(&id, happening),
                        _ => log::error!("ignored a malformed script event from the worker"),
                    }
                }
                ToParent::Forget(id) => {
                    if let Some(id) = id.id() {
                        self.scripts.remove(&id);
                    }
                }
                ToParent::GroupHappened(name, happening) => {
                    self.happened += 1;
                    match happening.happening() {
                        // A group that is not in the file has no scripts.
                        Some(happening) => {
                            self.scripts.submit(Subject::Group(name.into()), happening);
                        }
                        None => log::error!("ignored a malformed script event from the worker"),
                    }
                }
                ToParent::ForgetGroup(name) => self.scripts.remove(Subject::Group(name.into())),
                ToParent::KillScripts => self.scripts.kill_all(),
                ToParent::RunCheck(name) => {
                    self.checkers.run(&name);
                }
                ToParent::Override(one, on) => {
                    let routers = &self.host.virtual_routers;
                    let known = |id: &VrId| routers.iter().any(|spec| spec.id == *id);
                    if !self.overrides.take(one, on, known) {
                        log::error!("ignored a malformed override from the worker");
                    }
                }
                ToParent::KeepOverrides(ticket) => {
                    let lines = self.overrides.lines();
                    self.keeper.write(overrides::FILE, ticket, lines);
                }
                ToParent::Count(id) => {
                    let routers = self.host.virtual_routers.iter();
                    let id = id.id();
                    let mut meant = routers.filter(|spec| Some(&spec.id) == id.as_ref());
                    if let Some(spec) = meant.next() {
                        let addresses = spec.addresses.iter().map(|a| a.address.address);
                        self.counting.count(spec.id.clone(), addresses.collect());
                    }
                }
                ToParent::Record(record) => {
                    if !self.archive.take(record) {
                        log::error!("ignored a malformed record of the history from the worker");
                    }
                }
            }
            self.scripts.handle(&PollSet::default(), now);
        }
        flushed.map(|()| said)
    }

    /// Tells the worker what has been prepared, and when all scripts are done that follow what it has told.
    pub(super) fn tell_done(&mut self) {
        for (id, result) in self.scripts.take_prepared() {
            // Where it fails there is an end to be seen in the next turn.
            let _ = self
                .channel
                .send(&ToWorker::Prepared(WireId::new(&id), result));
        }
        for ran in self.scripts.take_ran() {
            let took = u64::try_from(ran.took.as_micros()).unwrap_or(u64::MAX);
            // Those of groups are in the log alone.
            let Subject::VirtualRouter(id) = &ran.id else {
                continue;
            };
            let id = WireId::new(id);
            let told = ToWorker::Ran(id, ran.name.to_owned(), ran.exit, took, ran.failed);
            // Where it fails there is an end to be seen in the next turn.
            let _ = self.channel.send(&told);
        }
        if self.scripts.is_idle() && self.done != self.happened {
            self.done = self.happened;
            // Where it fails there is an end to be seen in the next turn.
            let _ = self.channel.send(&ToWorker::Done(self.done));
        }
    }

    /// Reads the file and judges it, as the worker may not see all that it needs. For a reload it lets
    /// through what a good one asks for.
    fn read_file(&mut self, network: &mut dyn Network, reloads: bool) -> Result<FileRead, String> {
        let source = Source::read(&self.file);
        let source = source.map_err(|e| format!("{}: {e}", self.file.display()))?;
        let text = characters(source.text());
        let judged = config::judge_source(&source, PROGRAM, &network.facts());
        let octets = source.into_text();
        let secrets = judged.config.as_ref().map(Config::secrets);
        hide(secrets.as_deref().unwrap_or_default());
        let mut boot_count = None;
        if let Some(mut config) = judged.config.filter(|_| reloads) {
            self.broken_off.clear();
            // A virtual router that went by time may have signed with more than the number in force.
            boot_count = config.needs_boot_count().then(|| self.next_boot_count());
            config.boot_count = boot_count;
            network.allow(config.host());
            self.read = Some((octets, config));
        }
        Ok(FileRead {
            text,
            remarks: judged.diagnostics.into_iter().map(Remark).collect(),
            secrets: secrets.map(|all| all.iter().map(WireSecret::new).collect()),
            boot_count,
        })
    }

    fn configure(&mut self, config: Config) {
        self.host = config.host();
        self.secrets = config.secrets();
        hide(&self.secrets);
        self.lease = config.global.lease;
        // Another user than root has no way to become a third.
        self.user = (sys::effective_uid() == 0).then(|| {
            let chosen = config.global.user.as_ref();
            let chosen = chosen.and_then(|chosen| chosen.user.resolve(&SystemAccounts).ok());
            let chosen = chosen.filter(|account| account.uid != 0);
            chosen.unwrap_or_else(sys::nobody)
        });
        if !self.debug {
            apply_log_level(config.global.log_level);
        }
        self.checkers
            .configure(&config.checks, self.user, Instant::now());
        let checks = config.checks.iter().map(|check| check.spec.name.as_str());
        let names: BTreeSet<&str> = checks.collect();
        self.reports.retain(|name, _| names.contains(name.as_str()));
        let security = config.global.script_security;
        for router in config.virtual_routers {
            let id = router.spec.id.clone();
            self.scripts.configure(&id, script_set(router, security));
        }
        for group in config.groups {
            let subject = Subject::Group(group.spec.name.clone());
            let set = group_script_set(group, security);
            self.scripts.configure(subject, set);
        }
    }
}

/// Keeps this process out of core dumps where it has keys.
fn hide(secrets: &[Secret]) {
    if !secrets.is_empty()
        && let Err(error) = sys::hide_memory()
    {
        log::warn!("the keys are not kept out of core dumps of this process: {error}");
    }
}

/// The warning for as long as the state directory cannot be used.
pub(super) fn lasting_refused(why: &str) -> String {
    format!("{why}; commands of vrrpctl whose effect has to last are refused")
}

/// The record of a trouble of the whole host.
fn problem(text: &str) -> Notice {
    Notice {
        kind: NoticeKind::Problem,
        text: text.to_owned(),
        ..Notice::default()
    }
}

/// The longest line of a service manager's status, and the longest warning, in characters.
const MAX_STATUS: usize = 200;
const MAX_WARNING: usize = 1_000;

/// One line of a text that the worker made.
fn printable(text: &str, longest: usize) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(longest).collect()
}
