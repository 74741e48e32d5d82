//! All steps of `cargo xtask test` in three lanes at once.
//!
//! Two lanes mostly wait: for the hosts of the lab, and for other daemons, emulated boards and package
//! managers. The third compiles and counts. It has the scheduling policy SCHED_IDLE, as have the builds
//! of the other two: such a process gets the time that nobody else wants, and hardly delays a timer.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use super::{Lane, Step, print_times};
use crate::tools::output::{self, READER_GONE};
use crate::tools::processes;
use crate::tools::run::{self, BESIDE, Failure, failed};

/// Runs all `steps`, each in a process of its own, and shows the output of each in one piece when it has
/// ended. `folder` is for that output.
///
/// The first failure ends the steps of the other lanes.
pub(super) fn run(steps: &[Step], folder: &Path) -> Result<(), Failure> {
    let run = Run {
        folder,
        mark: std::process::id().to_string(),
        state: Mutex::new(State {
            waiting: steps.iter().collect(),
            ..State::default()
        }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        for lane in [Lane::Lab, Lane::Timed, Lane::Computing] {
            let run = &run;
            scope.spawn(move || run.lane(lane));
        }
    });
    let state = run.state.into_inner().unwrap_or_else(|e| e.into_inner());
    print_times(&state.took);
    match state.failure {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// The parts of a run that do not change, and its state.
struct Run<'a> {
    folder: &'a Path,
    /// The value of [`BESIDE`].
    mark: String,
    state: Mutex<State<'a>>,
    /// Wakes a lane whose steps all wait for a folder.
    changed: Condvar,
}

#[derive(Default)]
struct State<'a> {
    /// The steps that have not begun, in their order.
    waiting: Vec<&'a Step>,
    /// The folders in which running steps build: see [`Step::builds_in`].
    folders: Vec<&'static str>,
    took: Vec<(&'static str, f64)>,
    /// The first failure. After it no step begins, and the end of a running one does not count.
    failure: Option<Failure>,
}

/// The answer to a lane that asks for a step.
#[derive(Debug)]
enum Next<'a> {
    Step(&'a Step),
    /// Each step of the lane builds in a folder where another builds now.
    Wait,
    /// No step of the lane is left, or one has failed.
    End,
}

impl<'a> State<'a> {
    fn next(&mut self, lane: Lane) -> Next<'a> {
        if self.failure.is_some() || !self.waiting.iter().any(|step| step.lane == lane) {
            return Next::End;
        }
        let is_free = |step: &&Step| step.folder.is_none_or(|f| !self.folders.contains(&f));
        let place = self
            .waiting
            .iter()
            .position(|step| step.lane == lane && is_free(step));
        let Some(place) = place else {
            return Next::Wait;
        };
        let step = self.waiting.remove(place);
        self.folders.extend(step.folder);
        Next::Step(step)
    }
}

impl<'a> Run<'a> {
    fn state(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }

    fn lane(&self, lane: Lane) {
        let mut state = self.state();
        loop {
            match state.next(lane) {
                Next::Step(step) => {
                    drop(state);
                    self.step(step);
                    state = self.state();
                }
                Next::Wait => {
                    state = self.changed.wait(state).unwrap_or_else(|e| e.into_inner());
                }
                Next::End => break,
            }
        }
    }

    /// Runs one step and shows its output, unless another lane has failed meanwhile.
    fn step(&self, step: &Step) {
        let name = step.name;
        sayln!("=== {name}: begun");
        let path = self.folder.join(format!("step-{name}"));
        let started = Instant::now();
        let status = self.status(step, &path);
        let seconds = started.elapsed().as_secs_f64();
        let text = fs::read(&path).unwrap_or_default();
        // There is nowhere to report that this failed, and the folder is removed soon.
        let _ = fs::remove_file(&path);

        let mut state = self.state();
        state.folders.retain(|folder| Some(*folder) != step.folder);
        self.changed.notify_all();
        if state.failure.is_some() {
            return;
        }
        state.took.push((name, seconds));
        let failure = match status {
            Ok(status) if status.success() => None,
            Ok(status) if status.code() == Some(READER_GONE) => std::process::exit(READER_GONE),
            Ok(status) => Some(Failure(format!("step {name}: {status}"))),
            Err(failure) => Some(failure),
        };
        output::say(format_args!("{}", String::from_utf8_lossy(&text)));
        if failure.is_some() {
            end_all(&self.mark);
        } else {
            sayln!("=== {name}: passed in {seconds:.0} s");
        }
        state.failure = failure;
    }

    fn status(&self, step: &Step, output: &Path) -> Result<ExitStatus, Failure> {
        let output = File::create(output).map_err(failed(output))?;
        let failed = |e: std::io::Error| Failure(format!("step {}: {e}", step.name));
        let ourselves = std::env::current_exe().map_err(failed)?;
        let mut command = match step.lane {
            Lane::Lab | Lane::Timed => Command::new(ourselves),
            Lane::Computing => run::idle(ourselves.as_os_str()),
        };
        command
            .args(["test", step.name])
            .env(BESIDE, &self.mark)
            .stdin(Stdio::null())
            .stdout(output.try_clone().map_err(failed)?)
            .stderr(output);
        command.status().map_err(failed)
    }
}

/// Ends all processes of the run's steps.
fn end_all(mark: &str) {
    let found = processes::with_variable(BESIDE, mark.as_ref());
    let pids: Vec<String> = found.iter().map(|found| found.pid.to_string()).collect();
    if !pids.is_empty() {
        // kill(1) fails for those that have ended meanwhile.
        let _ = Command::new("kill")
            .args(pids)
            .stderr(Stdio::null())
            .status();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{computing, timed};
    use super::*;

    fn state(steps: &[Step]) -> State<'_> {
        State {
            waiting: steps.iter().collect(),
            ..State::default()
        }
    }

    fn name(next: Next<'_>) -> &'static str {
        match next {
            Next::Step(step) => step.name,
            Next::Wait => "wait",
            Next::End => "end",
        }
    }

    #[test]
    fn a_lane_passes_over_a_step_whose_folder_is_in_use() {
        let nothing = || Ok(());
        let steps = [
            timed("a", &[], nothing).builds_in("x"),
            computing("b", &[], nothing).builds_in("x"),
            computing("c", &[], nothing),
        ];
        let mut state = state(&steps);
        assert_eq!(name(state.next(Lane::Timed)), "a");
        assert_eq!(name(state.next(Lane::Computing)), "c");
        assert_eq!(name(state.next(Lane::Computing)), "wait");
        assert_eq!(name(state.next(Lane::Timed)), "end");
        state.folders.clear();
        assert_eq!(name(state.next(Lane::Computing)), "b");
        assert_eq!(name(state.next(Lane::Computing)), "end");
    }

    #[test]
    fn no_step_begins_after_a_failure() {
        let steps = [timed("a", &[], || Ok(()))];
        let mut state = state(&steps);
        state.failure = Some(Failure("step b: exit status: 1".into()));
        assert_eq!(name(state.next(Lane::Timed)), "end");
    }
}
