//! The event scripts: children that follow the state of each virtual router.
//!
//! For each virtual router one script runs at a time. While it runs, only the latest thing that
//! happened waits: what that supersedes is skipped, and logged. So the last script to run always
//! belongs to the state that holds, and a script never hears twice of the same state.
//!
//! A request that is no change of state, to prepare or to reclaim, has its turn after the changes, and
//! is skipped when the state changes before. A script that has failed is run again where that is asked
//! for, until it succeeds or the state changes.

mod happening;
mod launch;
mod output;
mod queue;
mod run;
mod spawner;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use output::Pipe;
use run::{Ended, Outcome, Run};
use vrrp_config::{Group, Program, Script, ScriptSecurity, VirtualRouter};
use vrrp_host::VrId;

use self::queue::{Attempt, Line};
use crate::poll::PollSet;
use crate::sys::SystemAccounts;

pub use happening::{Happening, Occasion, ScriptSet, Subject};
pub(crate) use launch::Launch;
pub(crate) use spawner::Spawner;

/// vrrpd, as a reader of its configuration file.
pub const PROGRAM: Program<'_> = Program::Vrrpd {
    accounts: &SystemAccounts,
    checker_trouble: crate::checks::checker_trouble,
};

/// Scripts that run at the same time, of all virtual routers: a host that takes over hundreds of
/// them goes on advertising while their scripts get their turns.
const MAX_RUNNING: usize = 16;

/// Streams that processes left behind by scripts still hold and that are still logged.
const MAX_LEFT: usize = 64;

/// The scripts of every virtual router, as this process runs them.
#[derive(Default)]
pub struct Scripts {
    lines: BTreeMap<Subject, Line>,
    /// Virtual routers with something to run, in the order in which it happened.
    waiting: VecDeque<Subject>,
    spawner: Option<Spawner>,
    tickets: u64,
    left: VecDeque<Pipe>,
    abandoned: Vec<Child>,
    running: usize,
    prepared: Vec<Prepared>,
    hold: Hold,
    ran: Vec<Ran>,
}

/// A script that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// Its virtual router or its group.
    pub id: Subject,
    /// The key of the configuration that names it.
    pub name: &'static str,
    /// Its exit status. `None`: a signal ended it, or it could not be run.
    pub exit: Option<i32>,
    /// The time that it took.
    pub took: Duration,
    /// It counts as failed.
    pub failed: bool,
}

/// Whether scripts that follow the loss of addresses wait for these to be gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Hold {
    /// The addresses are gone.
    #[default]
    No,
    /// They wait until then.
    Until(Instant),
    /// They have waited long enough for addresses that are there yet.
    Over,
}

/// A virtual router that was to be prepared, and the result.
pub type Prepared = (VrId, Result<(), String>);

/// How long scripts that follow the loss of addresses wait for these to be gone, at most.
const LONGEST_HOLD: Duration = Duration::from_millis(500);

/// The pause before a script that has failed is run again, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripts").finish_non_exhaustive()
    }
}

impl Scripts {
    /// Sets the scripts of a virtual router or a group. What runs or waits is not disturbed.
    pub fn configure(&mut self, id: impl Into<Subject>, set: ScriptSet) {
        let id = &id.into();
        let set = (!set.is_empty()).then(|| Box::new(set));
        // The key has the name, which may be another.
        let line = match self.lines.remove(id) {
            Some(mut line) => {
                line.set = set;
                line.leaving = false;
                line
            }
            None => Line::new(set),
        };
        self.lines.insert(id.clone(), line);
    }

    /// Forgets a virtual router or a group that is gone. What runs or waits comes to its end.
    pub fn remove(&mut self, id: impl Into<Subject>) {
        let id = &id.into();
        if let Some(line) = self.lines.get_mut(id) {
            line.leaving = true;
            if line.idle() {
                self.lines.remove(id);
            }
        }
    }

    /// Has the scripts run that follow what happened to a virtual router.
    pub fn submit(&mut self, id: impl Into<Subject>, happening: Happening) {
        let id = &id.into();
        // As it was configured, with its name.
        let known = self.lines.get_key_value(id).map(|(id, _)| id.clone());
        let id = &known.unwrap_or_else(|| id.clone());
        let Some(line) = self.lines.get_mut(id) else {
            return;
        };
        let place = match happening.occasion.is_change() {
            true => &mut line.pending,
            false => &mut line.request,
        };
        let changes = happening.occasion.is_change();
        let older = place.replace(Box::new(happening));
        let request = if changes { line.request.take() } else { None };
        for older in older.into_iter().chain(request) {
            line.skipped(id, &older);
        }
        if changes {
            line.again.clear();
        }
        if !self.waiting.contains(id) {
            self.waiting.push_back(id.clone());
        }
    }

    /// Notes whether addresses that were given up are on this host yet: scripts that follow their loss
    /// wait, for half a second at most.
    pub fn hold_losses(&mut self, hold: bool, now: Instant) {
        self.hold = match self.hold {
            _ if !hold => Hold::No,
            Hold::No => Hold::Until(now + LONGEST_HOLD),
            held => held,
        };
    }

    /// The event that the scripts of `id` were last told.
    pub fn last_occasion(&self, id: impl Into<Subject>) -> Option<Occasion> {
        let line = self.lines.get(&id.into())?;
        let pending = line.pending.as_ref().map(|h| h.occasion);
        pending.or(line.told.occasion)
    }

    /// Whether nothing runs and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }

    /// Takes the results of preparations that have ended since the last call.
    pub fn take_prepared(&mut self) -> Vec<Prepared> {
        std::mem::take(&mut self.prepared)
    }

    /// Takes the scripts that have ended since the last call.
    pub fn take_ran(&mut self) -> Vec<Ran> {
        std::mem::take(&mut self.ran)
    }

    /// Kills what still runs: the time for stopping is over.
    pub fn kill_all(&mut self) {
        for line in self.lines.values_mut() {
            if let Some(run) = &mut line.run {
                run.kill();
            }
        }
    }
}

impl Scripts {
    /// Adds what has to be waited for.
    pub fn register(&self, set: &mut PollSet) {
        let of_runs = self.runs().flat_map(Run::pipes);
        for fd in of_runs.chain(&self.left).filter_map(Pipe::fd) {
            set.read(fd);
        }
        if let Some(spawner) = &self.spawner {
            set.read(spawner.fd());
        }
    }

    /// When [`Scripts::handle`] is due even though nothing is ready.
    pub fn deadline(&self) -> Option<Instant> {
        let runs = self.runs().map(Run::deadline);
        // One that waits for its turn, or for another script of its virtual router, has no deadline.
        let again = self.lines.iter().filter(|(id, _)| self.is_free(id));
        let again = again.flat_map(|(_, line)| &line.again).map(|(at, _)| *at);
        let held = match self.hold {
            Hold::Until(until) => Some(until),
            Hold::No | Hold::Over => None,
        };
        runs.chain(self.left.iter().filter_map(Pipe::deadline))
            .chain(again)
            .chain(held)
            .min()
    }

    /// Does everything that can be done without waiting: logs output, notices ends, enforces
    /// timeouts, starts what is due.
    pub fn handle(&mut self, set: &PollSet, now: Instant) {
        self.take_started(now);
        let ready = |pipe: &Pipe| pipe.fd().is_some_and(|fd| set.ready(fd));
        self.left.retain_mut(|pipe| {
            pipe.tick(now);
            !ready(pipe) || pipe.read(now)
        });
        let busy: Vec<Subject> = self.busy().cloned().collect();
        for id in &busy {
            self.advance(id, &ready, now);
        }
        self.abandoned
            .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        self.queue_again(now);
        self.start_waiting(now);
    }

    /// Queues scripts that have failed and are to be run again by now.
    fn queue_again(&mut self, now: Instant) {
        let due = |line: &Line| line.again.iter().any(|(at, _)| *at <= now);
        let lines = self.lines.iter().filter(|(_, line)| due(line));
        let ready = lines.filter(|(id, line)| !line.leaving && self.is_free(id));
        let ready: Vec<Subject> = ready.map(|(id, _)| id.clone()).collect();
        self.waiting.extend(ready);
    }

    /// Whether no script of `id` runs and none waits for its turn.
    fn is_free(&self, id: &Subject) -> bool {
        let runs = self.lines.get(id).is_some_and(|line| line.run.is_some());
        !runs && !self.waiting.contains(id)
    }

    /// Whether a process may come into being at this moment, so that [`Scripts::reaped`] must not
    /// be given the children of others.
    pub fn starting(&self) -> bool {
        self.spawner.as_ref().is_some_and(|s| s.in_flight() > 0)
    }

    /// As PID 1: the exit status of `pid` has been taken. Ours or an orphan's.
    pub fn reaped(&mut self, pid: u32, status: ExitStatus, now: Instant) {
        let of_pid = |line: &Line| line.run.as_ref().and_then(|run| run.pid()) == Some(pid);
        let found = self.lines.iter().find(|(_, line)| of_pid(line));
        let Some(id) = found.map(|(id, _)| id.clone()) else {
            return;
        };
        if let Some(mut run) = self.lines.get_mut(&id).and_then(|line| line.run.take()) {
            let ended = run.reaped(status, now);
            self.ended(&id, ended, now);
        }
    }

    fn runs(&self) -> impl Iterator<Item = &Run> {
        self.lines.values().filter_map(|line| line.run.as_deref())
    }

    fn busy(&self) -> impl Iterator<Item = &Subject> {
        // Without a running script the table need not be gone through.
        let lines = (self.running > 0).then_some(&self.lines);
        let entries = lines.into_iter().flatten();
        entries.filter(|(_, l)| l.run.is_some()).map(|(id, _)| id)
    }

    fn take_started(&mut self, now: Instant) {
        while let Some(started) = self.spawner.as_mut().and_then(Spawner::next) {
            let of_ticket = |l: &Line| l.run.as_ref().is_some_and(|r| r.ticket == started.ticket);
            let found = self.lines.iter().find(|(_, line)| of_ticket(line));
            let id = found.map(|(id, _)| id.clone());
            let run = id
                .as_ref()
                .and_then(|id| self.lines.get_mut(id)?.run.as_mut());
            match (started.result, run, id) {
                (Ok(child), Some(run), _) => run.started(child, now),
                // It came after it was given up.
                (Ok(mut child), None, _) => {
                    let _ = child.kill();
                    self.abandoned.push(child);
                }
                (Err(error), Some(run), Some(id)) => {
                    log::error!("{}: cannot be run: {error}", run.label());
                    if let Some(line) = self.lines.get_mut(&id) {
                        line.run = None;
                    }
                    self.ended(&id, failed(format!("cannot be run: {error}")), now);
                }
                (Err(_), _, _) => {}
            }
        }
    }

    fn advance(&mut self, id: &Subject, ready: &dyn Fn(&Pipe) -> bool, now: Instant) {
        let Some(line) = self.lines.get_mut(id) else {
            return;
        };
        let Some(run) = &mut line.run else { return };
        run.read(ready, now);
        match run.handle(now) {
            Outcome::Running => {}
            Outcome::Ended(ended) => {
                line.run = None;
                self.ended(id, ended, now);
            }
            Outcome::Abandoned(child) => {
                line.run = None;
                self.abandoned.extend(child);
                self.ended(id, failed("does not end".into()), now);
            }
        }
    }

    /// A script of `id` is over: keeps what it left, and queues `id` when it has more to run.
    fn ended(&mut self, id: &Subject, ended: Ended, now: Instant) {
        self.running -= 1;
        self.left.extend(ended.pipes);
        while self.left.len() > MAX_LEFT {
            self.left.pop_front();
        }
        let Some(line) = self.lines.get_mut(id) else {
            return;
        };
        if let Some(attempt) = &line.attempt {
            self.ran.push(Ran {
                id: id.clone(),
                name: attempt.name,
                exit: ended.exit,
                took: line
                    .began
                    .map_or(Duration::ZERO, |at| now.saturating_duration_since(at)),
                failed: ended.result.is_err(),
            });
        }
        if let Some(result) = line.note_end(id, ended.result, now)
            && let Subject::VirtualRouter(id) = id
        {
            self.prepared.push((id.clone(), result));
        }
        if line.has_work() {
            if !self.waiting.contains(id) {
                // Before others: it has been waited for already.
                self.waiting.push_front(id.clone());
            }
        } else {
            line.current = None;
            if line.leaving {
                self.lines.remove(id);
            }
        }
    }

    fn start_waiting(&mut self, now: Instant) {
        if matches!(self.hold, Hold::Until(until) if until <= now) {
            self.hold = Hold::Over;
        }
        let mut held = VecDeque::new();
        while self.running < MAX_RUNNING
            && let Some(id) = self.waiting.pop_front()
        {
            let Some(line) = self.lines.get_mut(&id) else {
                continue;
            };
            if line.run.is_some() {
                // Its turn comes when what runs has ended, see `ended`.
                continue;
            }
            if matches!(self.hold, Hold::Until(_)) && line.is_about_to_lose() {
                held.push_back(id);
                continue;
            }
            match line.next_script(&id, now) {
                Some(attempt) => {
                    if let Err(error) = self.start(&id, attempt, now) {
                        log::error!(
                            "{id}: a script is left out, as no process can be started for it: {error}"
                        );
                    }
                }
                None if std::mem::take(&mut line.nothing_to_prepare) => {
                    if let Subject::VirtualRouter(id) = id {
                        self.prepared.push((id, Ok(())));
                    }
                }
                None if line.leaving => {
                    self.lines.remove(&id);
                }
                None => {}
            }
        }
        held.append(&mut self.waiting);
        self.waiting = held;
    }

    fn start(&mut self, id: &Subject, attempt: Attempt, now: Instant) -> io::Result<()> {
        let Some(line) = self.lines.get_mut(id) else {
            return Ok(());
        };
        let prepares = attempt.name == "preparescript";
        let timeout = line
            .set
            .as_ref()
            .map_or(Duration::ZERO, |set| match prepares {
                true => set.prepare_timeout,
                false => set.timeout,
            });
        let (name, script) = (attempt.name, &attempt.script);
        let spawner = match &mut self.spawner {
            Some(spawner) => spawner,
            none => none.insert(Spawner::new()?),
        };
        self.tickets += 1;
        let label = format!("{id}: {name} {}", script.path.display());
        let (user, security) = match &line.set {
            Some(set) => (set.user.clone(), set.security),
            None => (None, ScriptSecurity::Enforce),
        };
        let launch = Launch {
            label: label.clone(),
            command: attempt.happening.command(id, name, script),
            user,
            security: Some(security),
        };
        spawner.start(self.tickets, launch);
        let run = Run::new(self.tickets, label, timeout, now);
        line.run = Some(Box::new(run));
        line.attempt = Some(Box::new(attempt));
        line.began = Some(now);
        self.running += 1;
        Ok(())
    }
}

/// The scripts that the file gives to a virtual router, with the `security` of the daemon as a whole.
pub fn script_set(router: VirtualRouter, security: ScriptSecurity) -> ScriptSet {
    ScriptSet {
        master: router.master_script,
        backup: router.backup_script,
        fault: router.fault_script,
        stop: router.stop_script,
        prepare: router.prepare_script,
        reclaim: router.reclaim_script,
        notify: router.notify_script,
        prepare_timeout: router.prepare_timeout,
        retry: router.script_retry,
        timeout: router.script_timeout,
        user: router.script_user,
        security,
    }
}

/// The scripts that the file gives to a group.
pub fn group_script_set(group: Group, security: ScriptSecurity) -> ScriptSet {
    ScriptSet {
        master: group.master_script,
        backup: group.backup_script,
        fault: group.fault_script,
        stop: group.stop_script,
        prepare: None,
        reclaim: None,
        notify: group.notify_script,
        prepare_timeout: group.script_timeout,
        retry: group.script_retry,
        timeout: group.script_timeout,
        user: group.script_user,
        security,
    }
}

/// The end of a script of which no process is left.
fn failed(why: String) -> Ended {
    Ended {
        result: Err(why),
        exit: None,
        pipes: Vec::new(),
    }
}

const NONE: (bool, &str, &Option<Script>) = (false, "", &None);
