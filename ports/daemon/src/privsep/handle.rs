//! The worker's side of the messages.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vrrp_host::{Secret, VrId};

use super::channel::MessageChannel;
use super::messages::{
    Beginning, FileRead, MAX_TO_WORKER, ToParent, ToWorker, WireHappening, WireId, WireSecret,
    octets,
};
use super::services::lasting_refused;
use crate::checks::News;
use crate::overrides::Override;
use crate::scripts::{Happening, Occasion, Prepared, Subject};
use crate::sys::Taken;
use vrrp_config::{self as config, Account, Diagnostic, Parsed};
use vrrp_control::{Record, Script};

/// Octets of messages that may wait for the parent.
const MOST_QUEUED: usize = 64 * 1024 * 1024;

/// The parent, as the worker sees it: it takes signals, reads the configuration file, runs scripts and
/// speaks with the service manager.
#[derive(Debug)]
pub struct ParentHandle {
    channel: MessageChannel,
    signals: u32,
    configuration: Option<Result<FileRead, String>>,
    /// News of checks that were not taken yet.
    news: Vec<News>,
    /// Happenings that it was told of, and how many of them it is done with.
    told: u64,
    done: u64,
    /// The last occasion of each virtual router that it may be told of.
    occasions: BTreeMap<Subject, Option<Occasion>>,
    /// The scripts of each virtual router that have run.
    scripts: BTreeMap<VrId, Vec<Script>>,
    /// Results of preparations that were not taken yet.
    prepared: Vec<Prepared>,
    managed: bool,
    /// Why the state directory cannot be used, if that is so.
    stateless: Option<String>,
    /// The warnings about the boot count, and those of them that were not taken yet.
    count_warnings: Vec<String>,
    new_count_warnings: Vec<String>,
    /// A line about each file of the state directory that was set aside at the start.
    lost: Vec<String>,
    /// Outcomes of writes and counts that were not taken yet.
    kept: Vec<(u64, Result<(), String>)>,
    counted: Vec<(VrId, Result<u64, String>)>,
    /// When it said something last.
    heard: Instant,
    /// It is not there any more.
    gone: Option<io::ErrorKind>,
}

/// The beginning of a worker.
#[derive(Debug)]
pub struct Start {
    /// The configuration file.
    pub file: PathBuf,
    /// Its contents.
    pub text: Vec<u8>,
    /// The keys that it names, in order.
    pub secrets: Vec<Secret>,
    /// The boot count, where a virtual router signs with it.
    pub boot_count: Option<u32>,
    /// The process that stands for vrrpd.
    pub pid: u32,
    /// When that process was started.
    pub began: Instant,
    /// Workers that have ended unexpectedly since then.
    pub crashes: u64,
    /// The user who may do what root may by the control socket.
    pub uid: u32,
    /// The name of that user, where it is not root.
    pub user_name: Option<String>,
    /// The user to become. `None`: stay what we are.
    pub user: Option<Account>,
    /// Debug lines were asked for.
    pub debug: bool,
    /// The history so far.
    pub history: Vec<Record>,
    /// The overrides.
    pub overrides: Vec<Override>,
    /// The warning that the last reload was refused, if it was.
    pub refused_reload: Option<String>,
}

/// The configuration file as the parent has read it.
#[derive(Debug)]
pub struct ReadFile {
    /// Its octets.
    pub text: Vec<u8>,
    /// The judgement of them, and of the files of its keys.
    pub diagnostics: Vec<Diagnostic>,
    secrets: Option<Vec<Secret>>,
    boot_count: Option<u32>,
}

impl ReadFile {
    /// Parses the text as the file called `file`, with the keys, the boot count and the judgement of the parent,
    /// who may see more of it than a worker. The octets come with it.
    pub fn parse(self, file: &Path) -> (Vec<u8>, Parsed) {
        let mut config = config::parse(file, &self.text).config;
        let complete = config
            .as_mut()
            .zip(self.secrets)
            .is_some_and(|(config, secrets)| {
                config.boot_count = self.boot_count;
                config.put_secrets(secrets)
            });
        let parsed = Parsed {
            config: config.filter(|_| complete),
            diagnostics: self.diagnostics,
        };
        (self.text, parsed)
    }
}

impl ParentHandle {
    /// Waits for the first message of the parent at the other end of `stream`.
    pub fn begin(stream: UnixStream) -> io::Result<(Self, Start)> {
        let mut channel = MessageChannel::new(stream, MAX_TO_WORKER, MOST_QUEUED);
        let Beginning {
            version,
            file,
            text,
            secrets,
            boot_count,
            pid,
            age_ms,
            crashes,
            uid,
            user_name,
            user,
            debug,
            managed,
            stateless,
            count_warnings,
            lost,
            refused_reload,
            overrides,
            history,
        } = loop {
            match channel.receive()? {
                Some(ToWorker::Begin(beginning)) => break beginning,
                Some(_) => return Err(io::ErrorKind::InvalidData.into()),
                None => channel.wait()?,
            }
        };
        if version != env!("CARGO_PKG_VERSION") {
            let why = format!("the parent is vrrpd {version}: restart vrrpd");
            return Err(io::Error::other(why));
        }
        let now = Instant::now();
        let handle = Self {
            channel,
            signals: 0,
            configuration: None,
            news: Vec::new(),
            told: 0,
            done: 0,
            occasions: BTreeMap::new(),
            scripts: BTreeMap::new(),
            prepared: Vec::new(),
            managed,
            stateless,
            count_warnings,
            new_count_warnings: Vec::new(),
            lost,
            kept: Vec::new(),
            counted: Vec::new(),
            heard: now,
            gone: None,
        };
        let start = Start {
            file,
            text: octets(&text),
            secrets: secrets.iter().filter_map(WireSecret::secret).collect(),
            boot_count,
            pid,
            // The clock of a host is as old as any process on it.
            began: now
                .checked_sub(Duration::from_millis(age_ms))
                .unwrap_or(now),
            crashes,
            uid,
            user_name,
            user: user.map(|(uid, gid)| Account { uid, gid }),
            debug,
            history,
            overrides,
            refused_reload,
        };
        Ok((handle, start))
    }

    /// When the parent said something last, as far as was [taken](Self::take).
    pub fn heard(&self) -> Instant {
        self.heard
    }

    /// Readable when [`take`](Self::take) is due.
    pub fn fd(&self) -> RawFd {
        self.channel.fd()
    }

    /// The warnings about the start of vrrpd: the state directory, for as long as it cannot be used, the boot
    /// count, each file that was set aside, and each other step that failed.
    pub fn start_warnings(&self) -> impl Iterator<Item = String> {
        let stateless = self.stateless.as_deref().map(lasting_refused);
        let lasting = self.count_warnings.iter().chain(&self.lost);
        stateless.into_iter().chain(lasting.cloned())
    }

    /// The warnings about the boot count that have begun since the last call.
    pub fn take_count_warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.new_count_warnings)
    }

    /// Tells that the start has succeeded.
    pub fn ready(&mut self) {
        self.send(&ToParent::Ready);
    }

    /// Tells that a reload begins.
    pub fn reloading(&mut self) {
        self.send(&ToParent::Reloading);
    }

    /// Tells that the reload is over; `refused`: the warning that it was refused.
    pub fn reloaded(&mut self, refused: Option<&str>) {
        self.send(&ToParent::Reloaded(refused.map(str::to_owned)));
    }

    /// Tells that a stop begins.
    pub fn stopping(&mut self) {
        self.send(&ToParent::Stopping);
    }

    /// Whether a service manager shows the line of [`status`](Self::status).
    pub fn is_managed(&self) -> bool {
        self.managed
    }

    /// Has a line shown by the service manager.
    pub fn status(&mut self, text: String) {
        self.send(&ToParent::Status(text));
    }

    /// The signals that have come since the last call.
    ///
    /// # Errors
    /// The parent is gone, and so shall we.
    pub fn take(&mut self) -> io::Result<Taken> {
        self.listen()?;
        Ok(Taken::of(std::mem::take(&mut self.signals)))
    }

    /// Whether [`take`](Self::take) is due though nothing is readable: signals came while something
    /// else was waited for, or the parent is gone.
    pub fn is_due(&self) -> bool {
        let unread = !self.news.is_empty()
            || !self.prepared.is_empty()
            || !self.kept.is_empty()
            || !self.counted.is_empty()
            || !self.new_count_warnings.is_empty();
        self.signals != 0 || self.gone.is_some() || unread
    }

    /// The news of checks since the last call.
    pub fn take_news(&mut self) -> Vec<News> {
        std::mem::take(&mut self.news)
    }

    /// The scripts of a virtual router that have run.
    pub fn scripts(&self, id: &VrId) -> Vec<Script> {
        self.scripts.get(id).cloned().unwrap_or_default()
    }

    /// The results of preparations since the last call.
    pub fn take_prepared(&mut self) -> Vec<Prepared> {
        std::mem::take(&mut self.prepared)
    }

    /// Has a record of the history kept.
    pub fn record(&mut self, record: Record) {
        self.send(&ToParent::Record(record));
    }

    /// Has the parent change an override, with the next [`keep_overrides`](Self::keep_overrides).
    pub fn change_override(&mut self, one: &Override, on: bool) {
        self.send(&ToParent::Override(one.clone(), on));
    }

    /// Has the overrides written; [`take_kept`](Self::take_kept) has the outcome, with this number.
    pub fn keep_overrides(&mut self, ticket: u64) {
        self.send(&ToParent::KeepOverrides(ticket));
    }

    /// The outcomes of writes since the last call.
    pub fn take_kept(&mut self) -> Vec<(u64, Result<(), String>)> {
        std::mem::take(&mut self.kept)
    }

    /// Has the TCP connections of a virtual router's addresses counted.
    pub fn count(&mut self, id: &VrId) {
        self.send(&ToParent::Count(WireId::new(id)));
    }

    /// The counts since the last call.
    pub fn take_counted(&mut self) -> Vec<(VrId, Result<u64, String>)> {
        std::mem::take(&mut self.counted)
    }

    /// Has a check run now.
    pub fn run_check(&mut self, name: &str) {
        self.send(&ToParent::RunCheck(name.to_owned()));
    }

    /// The configuration file as it is now, and the judgement of it, for a reload.
    pub fn configuration(&mut self) -> Result<ReadFile, String> {
        self.read_file(&ToParent::Configuration)
    }

    /// The same, to be looked at alone.
    pub fn look_at_file(&mut self) -> Result<ReadFile, String> {
        self.read_file(&ToParent::Look)
    }

    fn read_file(&mut self, request: &ToParent) -> Result<ReadFile, String> {
        self.send(request);
        loop {
            if let Some(answer) = self.configuration.take() {
                return answer.map(|read| ReadFile {
                    text: octets(&read.text),
                    diagnostics: read.remarks.into_iter().map(|remark| remark.0).collect(),
                    secrets: read
                        .secrets
                        .map(|all| all.iter().filter_map(WireSecret::secret).collect()),
                    boot_count: read.boot_count,
                });
            }
            let waited = self.channel.wait().and_then(|()| self.listen());
            waited.map_err(|error| format!("the parent process is gone: {error}"))?;
        }
    }

    /// Tells that the configuration that was read last is in force.
    pub fn adopted(&mut self) {
        self.send(&ToParent::Adopted);
    }

    /// Begins to run the scripts of a virtual router, which the parent knows from the file.
    pub fn configure(&mut self, id: impl Into<Subject>) {
        self.occasions.entry(id.into()).or_default();
    }

    /// Tells that a virtual router is gone. What runs or waits comes to its end.
    pub fn remove(&mut self, id: &VrId) {
        self.scripts.remove(id);
        if self.occasions.remove(&id.into()).is_some() {
            self.send(&ToParent::Forget(WireId::new(id)));
        }
    }

    /// Tells that the group of this name is gone. What runs or waits comes to its end.
    pub fn remove_group(&mut self, name: &Arc<str>) {
        if self
            .occasions
            .remove(&Subject::Group(name.clone()))
            .is_some()
        {
            self.send(&ToParent::ForgetGroup(name.to_string()));
        }
    }

    /// Tells what happened to a virtual router or a group.
    pub fn submit(&mut self, id: impl Into<Subject>, happening: &Happening) {
        let id = id.into();
        if let Some(last) = self.occasions.get_mut(&id) {
            if happening.occasion.is_change() {
                *last = Some(happening.occasion);
            }
            self.told += 1;
            let happening = WireHappening::new(happening);
            self.send(&match id {
                Subject::VirtualRouter(id) => ToParent::Happened(WireId::new(&id), happening),
                Subject::Group(name) => ToParent::GroupHappened(name.to_string(), happening),
            });
        }
    }

    /// The event that the scripts of `id` were last told, for those that have to catch up at a stop.
    pub fn last_occasion(&self, id: impl Into<Subject>) -> Option<Occasion> {
        *self.occasions.get(&id.into())?
    }

    /// Whether no script runs and none waits.
    pub fn is_idle(&self) -> bool {
        self.told == self.done
    }

    /// Has scripts killed that still run: the time for stopping is over.
    pub fn kill_scripts(&mut self) {
        self.send(&ToParent::KillScripts);
    }

    fn listen(&mut self) -> io::Result<()> {
        if let Some(kind) = self.gone {
            return Err(kind.into());
        }
        while let Some(message) = self.channel.receive()? {
            self.heard = Instant::now();
            match message {
                ToWorker::Begin(_) => return Err(io::ErrorKind::InvalidData.into()),
                ToWorker::Ping(number) => self.send(&ToParent::Pong(number)),
                ToWorker::Signals(signals) => self.signals |= signals,
                ToWorker::Configuration(answer) => self.configuration = Some(answer),
                ToWorker::Checked(news) => self.news.push(news),
                ToWorker::Kept(ticket, result) => self.kept.push((ticket, result)),
                ToWorker::Counted(id, count) => {
                    self.counted.extend(id.id().map(|id| (id, count)));
                }
                ToWorker::Stateless(why) => self.stateless = why,
                ToWorker::CountWarnings(warnings) => {
                    let begun = warnings.iter().filter(|w| !self.count_warnings.contains(w));
                    self.new_count_warnings.extend(begun.cloned());
                    self.count_warnings = warnings;
                }
                ToWorker::Done(count) => self.done = count,
                ToWorker::Ran(id, name, exit, took_us, failed) => {
                    if let Some(id) = id.id() {
                        self.note_script(id, name, exit, took_us, failed);
                    }
                }
                ToWorker::Prepared(id, result) => {
                    self.prepared.extend(id.id().map(|id| (id, result)));
                }
            }
        }
        Ok(())
    }

    fn note_script(
        &mut self,
        id: VrId,
        name: String,
        exit: Option<i32>,
        took_us: u64,
        failed: bool,
    ) {
        if !self.occasions.contains_key(&(&id).into()) {
            return;
        }
        let scripts = self.scripts.entry(id).or_default();
        let place = scripts.iter().position(|script| script.name == name);
        let place = place.unwrap_or_else(|| {
            scripts.push(Script {
                name,
                ..Script::default()
            });
            scripts.len() - 1
        });
        if let Some(script) = scripts.get_mut(place) {
            script.exit = exit;
            script.took_s = took_us as f64 / 1e6;
            script.runs += 1;
            script.failures += u64::from(failed);
        }
    }

    fn send(&mut self, message: &ToParent) {
        if let Err(error) = self.channel.send_all(message) {
            // Told by `take`, which the loop comes to.
            self.gone.get_or_insert(error.kind());
        }
    }
}
