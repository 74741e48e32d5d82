//! The scripts of one virtual router or group: what it was told, what waits, and the next one to run.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use vrrp_config::Script;

use super::happening::{Happening, NOTIFY, Occasion, ScriptSet, Subject};
use super::run::Run;
use super::{NONE, PAUSES};

/// The scripts of one virtual router. Most of the time nothing runs, and many have no scripts at
/// all: what they do not need takes no room.
pub(super) struct Line {
    /// `None`: no script at all. What happened is noted all the same, for a later set.
    pub(super) set: Option<Box<ScriptSet>>,
    pub(super) told: Told,
    /// The latest event, while it waits for its turn.
    pub(super) pending: Option<Box<Happening>>,
    /// A request that is no change of state, while it waits for its turn.
    pub(super) request: Option<Box<Happening>>,
    /// The script that runs now, or ran last.
    pub(super) attempt: Option<Box<Attempt>>,
    /// When it began.
    pub(super) began: Option<Instant>,
    /// Those that failed in this state, and when each is run again.
    pub(super) again: Vec<(Instant, Attempt)>,
    /// It has been prepared since it was last Backup for another reason than that.
    is_prepared: bool,
    /// It was asked to be prepared, and has no script for that any more.
    pub(super) nothing_to_prepare: bool,
    pub(super) current: Option<Box<Current>>,
    pub(super) run: Option<Box<Run>>,
    /// The virtual router is gone: forget it when everything has run.
    pub(super) leaving: bool,
}

/// One script for one event.
#[derive(Clone)]
pub(super) struct Attempt {
    pub(super) happening: Happening,
    pub(super) name: &'static str,
    pub(super) script: Script,
    /// Before it is run again, should it fail.
    pause: Duration,
}

impl Attempt {
    /// Whether it is repeated where a configuration asks for that.
    fn is_repeatable(&self) -> bool {
        let stopped = self.happening.occasion == Occasion::Stop;
        ["masterscript", "backupscript", "reclaimscript"].contains(&self.name)
            || self.name == NOTIFY && !stopped
    }

    /// Whether its success is waited for.
    fn prepares(&self) -> bool {
        self.happening.occasion == Occasion::Prepare
    }
}

/// The event that has its turn, and the scripts that it still has to run.
pub(super) struct Current {
    pub(super) happening: Happening,
    rest: VecDeque<(&'static str, Script)>,
}

/// The events that the scripts of a virtual router know already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// The last occasion that had its turn.
    pub(super) occasion: Option<Occasion>,
    /// Whether they believe to be master; `None`: never told.
    pub(super) master: Option<bool>,
    /// The state in the words of the environment.
    state: Option<&'static str>,
    /// The last priority that an event named.
    priority: Option<u8>,
}

impl Line {
    pub(super) fn new(set: Option<Box<ScriptSet>>) -> Self {
        Self {
            set,
            told: Told::default(),
            pending: None,
            request: None,
            attempt: None,
            began: None,
            again: Vec::new(),
            is_prepared: false,
            nothing_to_prepare: false,
            current: None,
            run: None,
            leaving: false,
        }
    }

    /// Whether the next script is the first to hear that this host is not master any more.
    pub(super) fn is_about_to_lose(&self) -> bool {
        let pending = self.pending.as_deref();
        let loses = pending.is_some_and(|happening| happening.occasion != Occasion::Master);
        loses && self.told.master == Some(true)
    }

    pub(super) fn idle(&self) -> bool {
        self.run.is_none() && !self.has_work()
    }

    pub(super) fn has_work(&self) -> bool {
        let more = self.current.as_ref().is_some_and(|c| !c.rest.is_empty());
        self.pending.is_some() || self.request.is_some() || more
    }

    /// Notes how the script that ran has ended. Returns the result of a preparation.
    pub(super) fn note_end(
        &mut self,
        id: &Subject,
        result: Result<(), String>,
        now: Instant,
    ) -> Option<Result<(), String>> {
        let attempt = self.attempt.as_mut()?;
        if attempt.name == "preparescript" {
            self.is_prepared = result.is_ok();
            let failed = |why| format!("preparescript failed: {why}");
            return attempt.prepares().then(|| result.map_err(failed));
        }
        let repeats = self.set.as_ref().is_some_and(|set| set.retry) && attempt.is_repeatable();
        if result.is_err() && repeats && self.pending.is_none() && !self.leaving {
            let pause = attempt.pause;
            log::warn!(
                "{id}: {} is run again in {} s",
                attempt.name,
                pause.as_secs()
            );
            attempt.pause = (2 * pause).min(PAUSES[1]);
            self.again.push((now + pause, attempt.as_ref().clone()));
        }
        None
    }

    /// The next script to run for the latest thing that happened.
    pub(super) fn next_script(&mut self, id: &Subject, now: Instant) -> Option<Attempt> {
        if let Some(mut happening) = self.pending.take() {
            if let Some(current) = self.current.take()
                && !current.rest.is_empty()
            {
                self.skipped(id, &current.happening);
            }
            // With what was skipped left out, the state before is the one last told.
            happening.old_state = self.told.state.unwrap_or(happening.old_state);
            happening.priority = happening.priority.or(self.told.priority);
            let rest = self.due(&happening);
            self.current = Some(Box::new(Current {
                happening: *happening,
                rest,
            }));
        }
        if self.current.as_ref().is_none_or(|c| c.rest.is_empty()) {
            if let Some(due) = self.again.iter().position(|(at, _)| *at <= now) {
                return Some(self.again.remove(due).1);
            }
            let request = self.request.take();
            self.current = request.map(|happening| {
                let rest = self.due(&happening);
                self.nothing_to_prepare =
                    happening.occasion == Occasion::Prepare && rest.is_empty();
                Box::new(Current {
                    happening: *happening,
                    rest,
                })
            });
        }
        let current = self.current.as_mut()?;
        let Some((name, script)) = current.rest.pop_front() else {
            self.current = None;
            return None;
        };
        Some(Attempt {
            happening: current.happening.clone(),
            name,
            script,
            pause: PAUSES[0],
        })
    }

    /// The scripts that `happening` calls for, given what was told already.
    fn due(&mut self, happening: &Happening) -> VecDeque<(&'static str, Script)> {
        let before = self.told;
        let occasion = happening.occasion;
        let master = occasion == Occasion::Master;
        let is_prepared = self.is_prepared;
        if occasion.is_change() {
            self.is_prepared = false;
            self.told = Told {
                occasion: Some(occasion),
                master: Some(master),
                state: Some(happening.new_state),
                priority: happening.priority.or(before.priority),
            };
        }
        let news = before.occasion != Some(occasion);
        let lost = before.master == Some(true);
        let Some(set) = &self.set else {
            return VecDeque::new();
        };
        let wanted = match occasion {
            // One that takes over without having been prepared, as nobody else does, is prepared now.
            Occasion::Master => [
                (
                    before.master != Some(true) && !is_prepared,
                    "preparescript",
                    &set.prepare,
                ),
                (before.master != Some(true), "masterscript", &set.master),
            ],
            Occasion::Prepare => [(true, "preparescript", &set.prepare), NONE],
            Occasion::Reclaim => [(lost, "reclaimscript", &set.reclaim), NONE],
            Occasion::Backup => [
                (before.master != Some(false), "backupscript", &set.backup),
                NONE,
            ],
            Occasion::Fault => [
                (lost, "backupscript", &set.backup),
                (news, "faultscript", &set.fault),
            ],
            Occasion::Stop => [
                (lost, "backupscript", &set.backup),
                (news, "stopscript", &set.stop),
            ],
        };
        let notify = (occasion.is_change() && news, NOTIFY, &set.notify);
        let due = wanted.into_iter().chain([notify]);
        let due = due.filter(|(due, ..)| *due);
        due.filter_map(|(_, name, script)| Some((name, script.clone()?)))
            .collect()
    }

    pub(super) fn skipped(&self, id: &Subject, older: &Happening) {
        if self.set.is_some() {
            log::info!(
                "{id}: scripts for \"{}\" skipped: the state has changed again",
                older.occasion.word()
            );
        }
    }
}
