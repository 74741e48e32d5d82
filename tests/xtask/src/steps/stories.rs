//! Runs the stories of the lab, several at once and each in a process of its own, and sees that none
//! leaves a file or a process behind.
//!
//! Most of a story is waiting. Stories that load the machine, or that measure what load changes, are in
//! [`ALONE`] and run one after the other when the rest is done.
//!
//! Daemons of a story keep to intervals of 0.2 s, and a machine that is shared may hold up one of them for
//! longer, which is a lost host to the others. A story that fails is therefore told again when all others
//! are done; if it passes then, the summary names it and what it said the first time is kept. More than
//! [`AGAIN`] such stories are a failure, as is each that fails twice.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::tools::output;
use crate::tools::run::{Failure, cargo, failed, root, target_dir};
use crate::tools::scratch::{self, Scratch};

/// Stories that run with no other beside them: the beginning of `FILE::NAME`. Those of `streams` compile.
const ALONE: &[&str] = &["many::", "streams::the_", "streams::xtask"];

/// Most stories that are told a second time.
const AGAIN: usize = 3;

/// Stories at once for each processor.
const FOR_EACH_PROCESSOR: usize = 3;

/// Stories at once beside others who load the machine: more than [`LOADED`] for each processor.
const BESIDE_OTHERS: usize = 2;

/// The load average for each processor that the stories alone do not reach.
const LOADED: f64 = 3.0;

/// The longest that a story may take.
const LIMIT: Duration = Duration::from_secs(600);

/// How long the processes of a story that has ended may take to end.
const ENDING: Duration = Duration::from_secs(3);

/// The variable by which processes of a story are recognised.
const MARK: &str = "VRRP_STORY";

/// Which stories to run, and how.
pub(crate) struct Plan<'a> {
    /// The arguments of `cargo test` that say what to build.
    pub(crate) build: &'a [&'a str],
    /// Stories whose `FILE::NAME` contains one of these words; none: all.
    pub(crate) words: &'a [String],
    /// Variables of the stories.
    pub(crate) environment: &'a [(&'a str, &'a OsStr)],
    /// How many at once; `None`: [`FOR_EACH_PROCESSOR`].
    pub(crate) at_once: Option<usize>,
}

/// A test of the lab.
#[derive(Clone, Debug)]
struct Story {
    program: PathBuf,
    /// `FILE::NAME`.
    title: String,
    /// The name that the test harness gives it.
    name: String,
}

impl Story {
    fn is_alone(&self) -> bool {
        ALONE.iter().any(|begin| self.title.starts_with(begin))
    }
}

/// The outcome of a story.
struct Outcome {
    story: Story,
    took: Duration,
    /// Why it failed. Empty: it passed.
    failure: String,
}

/// Builds the stories and runs them.
pub(crate) fn run(plan: &Plan<'_>) -> Result<(), Failure> {
    let mut stories = Vec::new();
    for (file, program) in build(plan.build)? {
        stories.extend(list(&file, &program)?);
    }
    let wanted = |story: &Story| {
        plan.words.is_empty() || plan.words.iter().any(|word| story.title.contains(word))
    };
    stories.retain(wanted);
    if stories.is_empty() {
        return Err(Failure(format!("no story is named {:?}", plan.words)));
    }
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let at_once = plan.at_once.unwrap_or(processors * FOR_EACH_PROCESSOR);
    let (alone, together): (Vec<Story>, Vec<Story>) =
        stories.into_iter().partition(Story::is_alone);
    let runner = Runner {
        environment: plan.environment,
        scratch: Scratch::new("vrrp-stories")?,
        stop: AtomicBool::new(false),
    };
    let started = Instant::now();
    let mut outcomes = runner.run(together, at_once);
    outcomes.extend(runner.run(alone, 1));
    let again = runner.tell_again(&mut outcomes)?;
    drop(runner);
    let elapsed = started.elapsed().as_secs_f64();
    outcomes.sort_by_key(|outcome| std::cmp::Reverse(outcome.took));
    sayln!("slowest:");
    for outcome in outcomes.iter().take(10) {
        sayln!(
            "{:7.1} s  {}",
            outcome.took.as_secs_f64(),
            outcome.story.title
        );
    }
    let failed: Vec<&Outcome> = outcomes.iter().filter(|o| !o.failure.is_empty()).collect();
    let (count, sum) = (
        outcomes.len(),
        outcomes.iter().map(|o| o.took.as_secs_f64()),
    );
    let sum: f64 = sum.sum();
    sayln!("{count} stories in {elapsed:.0} s, {sum:.0} s one after the other, {at_once} at once");
    for title in again {
        sayln!("passed only when it was told again, alone: {title}");
    }
    if failed.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = failed
        .iter()
        .map(|o| format!("\n  {}: {}", o.story.title, o.failure))
        .collect();
    Err(Failure(format!(
        "{} of {count} stories failed; what they said is in {}:{}",
        failed.len(),
        logs().display(),
        names.concat()
    )))
}

/// Builds the test programs, which is shown. Returns their names and paths.
fn build(args: &[&str]) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut command = cargo();
    command
        .current_dir(root())
        .args([
            "test",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .args(args)
        .stderr(Stdio::inherit());
    let output = command
        .output()
        .map_err(|e| Failure(format!("cannot run cargo: {e}")))?;
    if !output.status.success() {
        return Err(Failure(format!("cargo test --no-run: {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().filter_map(test_program).collect())
}

/// The name and the path of the test program that a message of cargo's is about.
fn test_program(message: &str) -> Option<(String, PathBuf)> {
    let (_, target) = message.split_once("\"target\":{")?;
    let (_, profile) = message.split_once("\"profile\":{")?;
    let (profile, _) = profile.split_once('}')?;
    if !profile.contains("\"test\":true") {
        return None;
    }
    let text = |of: &str, key: &str| {
        let (_, rest) = of.split_once(&format!("\"{key}\":\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    Some((text(target, "name")?, text(message, "executable")?.into()))
}

/// The stories of a test program.
fn list(file: &str, program: &Path) -> Result<Vec<Story>, Failure> {
    let text =
        crate::tools::run::output(Command::new(program).args(["--list", "--format", "terse"]))?;
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names
        .map(|name| Story {
            program: program.to_path_buf(),
            title: format!("{file}::{name}"),
            name: name.to_owned(),
        })
        .collect())
}

/// The state that the stories of a run share.
struct Runner<'a> {
    environment: &'a [(&'a str, &'a OsStr)],
    scratch: Scratch,
    /// The output has no reader any more.
    stop: AtomicBool,
}

impl Runner<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs stories, `at_once` at a time, and tells of each when it ends.
    fn run(&self, stories: Vec<Story>, at_once: usize) -> Vec<Outcome> {
        let waiting = Mutex::new(VecDeque::from(stories));
        let outcomes = Mutex::new(Vec::new());
        let running = AtomicUsize::new(0);
        let work = || {
            // Nothing panics while the queue is locked.
            let next = || waiting.lock().ok().and_then(|mut queue| queue.pop_front());
            while self.has_room(&running) {
                let Some(story) = next() else {
                    // Others wait for the room.
                    running.fetch_sub(1, Ordering::Relaxed);
                    break;
                };
                let (started, waited) = (Instant::now(), waited_for_processor());
                let failure = self.tell(&story);
                running.fetch_sub(1, Ordering::Relaxed);
                let took = started.elapsed();
                let busy = busy(waited, took);
                let seconds = took.as_secs_f64();
                let text = match failure.is_empty() {
                    true => format!("ok     {seconds:6.1} s  {}\n", story.title),
                    false => {
                        let log = fs::read(log_of(&story)).unwrap_or_default();
                        let log = String::from_utf8_lossy(&log);
                        format!(
                            "FAILED {seconds:6.1} s  {}\n{log}{failure}{busy}\n",
                            story.title
                        )
                    }
                };
                if output::try_say(format_args!("{text}")).is_err() {
                    self.stop.store(true, Ordering::Relaxed);
                }
                let outcome = Outcome {
                    story,
                    took,
                    failure,
                };
                if let Ok(mut outcomes) = outcomes.lock() {
                    outcomes.push(outcome);
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(work);
            }
        });
        outcomes.into_inner().unwrap_or_default()
    }

    /// Tells stories that failed again, alone, if they are at most [`AGAIN`]. Returns the titles of those
    /// that passed then.
    fn tell_again(&self, outcomes: &mut Vec<Outcome>) -> Result<Vec<String>, Failure> {
        let is_failure = |outcome: &Outcome| !outcome.failure.is_empty();
        let failures = outcomes
            .iter()
            .filter(|outcome| is_failure(outcome))
            .count();
        if failures > AGAIN || self.is_stopped() {
            return Ok(Vec::new());
        }
        let failures: Vec<Story> = outcomes
            .extract_if(.., |outcome| is_failure(outcome))
            .map(|outcome| outcome.story)
            .collect();
        for story in &failures {
            let log = log_of(story);
            let mut first = log.clone().into_os_string();
            first.push(".first");
            fs::rename(&log, first).map_err(failed(&log))?;
        }
        let told = self.run(failures, 1);
        let passed = told.iter().filter(|outcome| !is_failure(outcome));
        let passed = passed.map(|outcome| outcome.story.title.clone()).collect();
        outcomes.extend(told);
        Ok(passed)
    }

    /// Waits until another story may begin, and counts it. `false`: the run ends.
    fn has_room(&self, running: &AtomicUsize) -> bool {
        while !self.is_stopped() {
            let most = if is_loaded() {
                BESIDE_OTHERS
            } else {
                usize::MAX
            };
            let begin = |now: usize| (now < most).then_some(now + 1);
            let order = Ordering::Relaxed;
            if running.fetch_update(order, order, begin).is_ok() {
                return true;
            }
            thread::sleep(Duration::from_millis(200));
        }
        false
    }

    /// Runs one story. Returns why it failed, or nothing.
    fn tell(&self, story: &Story) -> String {
        match self.try_tell(story) {
            Ok(failure) => failure,
            Err(error) => format!("cannot run {}: {error}", story.program.display()),
        }
    }

    fn try_tell(&self, story: &Story) -> std::io::Result<String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder = self.scratch.path().join(number.to_string());
        fs::create_dir(&folder)?;
        let log = log_of(story);
        fs::create_dir_all(logs())?;
        let log = File::create(log)?;
        let mark = folder.as_os_str().to_owned();
        let mut child = Command::new(&story.program)
            .args(["--exact", &story.name, "--test-threads", "1"])
            .current_dir(root().join("tests/lab"))
            .env("CARGO", cargo().get_program())
            .env("TMPDIR", &folder)
            .env("VRRP_LAB_RUN", self.scratch.path())
            .env(MARK, &mark)
            .envs(self.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let status = self.wait(&mut child)?;
        let mut failure = match status {
            Some(status) if status.success() => String::new(),
            Some(status) => format!("ended with {status}"),
            None => format!("killed, not done after {} s", LIMIT.as_secs()),
        };
        let processes = left_processes(&mark);
        let files = scratch::names(&folder)?;
        fs::remove_dir_all(&folder)?;
        for (what, left) in [
            ("processes", format!("{processes:?}")),
            ("files", format!("{files:?}")),
        ] {
            if left != "[]" {
                let and = if failure.is_empty() { "" } else { ", and " };
                failure += &format!("{and}left {what} behind: {left}");
            }
        }
        Ok(failure)
    }

    /// Waits for a story to end; `None`: it was killed, as it took too long or the run ends. Its daemons die with it.
    fn wait(&self, child: &mut Child) -> std::io::Result<Option<ExitStatus>> {
        let started = Instant::now();
        while started.elapsed() < LIMIT && !self.is_stopped() {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            thread::sleep(Duration::from_millis(20));
        }
        child.kill()?;
        child.wait()?;
        Ok(None)
    }
}

/// For how long some process of the machine waited for a processor since it was booted; `None`: the kernel
/// does not tell.
fn waited_for_processor() -> Option<Duration> {
    let text = fs::read_to_string("/proc/pressure/cpu").ok()?;
    let (_, total) = text.lines().next()?.split_once("total=")?;
    Some(Duration::from_micros(total.parse().ok()?))
}

/// The share of `took` in which a process waited for a processor, in words.
fn busy(before: Option<Duration>, took: Duration) -> String {
    let (Some(before), Some(now)) = (before, waited_for_processor()) else {
        return String::new();
    };
    let share = 100.0 * now.saturating_sub(before).div_duration_f64(took);
    format!("; in {share:.0} % of that time a process waited for a processor")
}

/// Whether others load the machine.
fn is_loaded() -> bool {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = text.split(' ').next().and_then(|word| word.parse().ok());
    let processors = thread::available_parallelism().map_or(1, usize::from);
    load.unwrap_or(0.0_f64) > LOADED * processors as f64
}

/// The command lines of processes that have the mark in their environment and do not end.
fn left_processes(mark: &OsStr) -> Vec<String> {
    let started = Instant::now();
    loop {
        let left = marked(mark);
        if left.is_empty() || started.elapsed() > ENDING {
            return left;
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn marked(mark: &OsStr) -> Vec<String> {
    let wanted = [MARK.as_bytes(), b"=", mark.as_encoded_bytes()].concat();
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let command_line = |process: PathBuf| {
        // A process that has just ended has no environment, nor has one that is no process.
        let environment = fs::read(process.join("environ")).ok()?;
        let mut variables = environment.split(|octet| *octet == 0);
        variables.find(|variable| *variable == wanted)?;
        let line = fs::read(process.join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    };
    processes
        .flatten()
        .filter_map(|entry| command_line(entry.path()))
        .collect()
}

/// Where the output of each story is.
fn logs() -> PathBuf {
    target_dir().join("lab/log")
}

fn log_of(story: &Story) -> PathBuf {
    logs().join(story.title.replace("::", "."))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn test_programs_are_found_in_cargos_messages() {
        let message = |test: bool, executable: &str| {
            format!(
                "{{\"reason\":\"compiler-artifact\",\"target\":{{\"kind\":[\"test\"],\"name\":\"many\",\
                 \"test\":true}},\"profile\":{{\"opt_level\":\"2\",\"test\":{test}}},\
                 \"executable\":{executable},\"fresh\":true}}"
            )
        };
        let many = Some(("many".to_owned(), PathBuf::from("/t/many-1")));
        assert_eq!(test_program(&message(true, "\"/t/many-1\"")), many);
        assert_eq!(test_program(&message(false, "\"/t/many-1\"")), None);
        assert_eq!(test_program(&message(true, "null")), None);
        assert_eq!(test_program("{\"reason\":\"build-finished\"}"), None);
    }

    #[test]
    fn a_story_that_fails_is_told_once_more() {
        let scratch = Scratch::new("vrrp-told-again").expect("a folder");
        // The argument after --exact is the name: the number of times that it fails.
        let script = "#!/bin/sh\ncd \"$VRRP_LAB_RUN\"\necho >>told-$2\n\
                      test \"$(wc -l <told-$2)\" -gt \"$2\"\n";
        let program = scratch.path().join("program");
        fs::write(&program, script).expect("a file");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o700)).expect("a mode");
        let story = |fails: usize| Story {
            program: program.clone(),
            title: format!("told-again::{fails}"),
            name: fails.to_string(),
        };
        let run = |fails: Vec<usize>| {
            let runner = Runner {
                environment: &[],
                scratch: Scratch::new("vrrp-stories-told").expect("a folder"),
                stop: AtomicBool::new(false),
            };
            let mut outcomes = runner.run(fails.into_iter().map(story).collect(), 1);
            let again = runner.tell_again(&mut outcomes).expect("logs");
            let failed = outcomes.iter().filter(|o| !o.failure.is_empty());
            let failed: Vec<String> = failed.map(|o| o.story.title.clone()).collect();
            (again, failed)
        };
        let titles = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let (again, failed) = run(vec![0, 1, 2]);
        assert_eq!(again, titles(&["told-again::1"]));
        assert_eq!(failed, titles(&["told-again::2"]));
        // Too many to blame the machine.
        let (again, failed) = run((1..=AGAIN + 1).collect());
        assert_eq!((again.len(), failed.len()), (0, AGAIN + 1));
    }

    #[test]
    fn a_process_is_found_by_its_mark() {
        let mark = OsString::from(format!("a test of {}", std::process::id()));
        assert!(marked(&mark).is_empty());
        let mut child = Command::new("sleep")
            .arg("60")
            .env(MARK, &mark)
            .spawn()
            .expect("sleep(1)");
        // spawn() returns at the exec, and the kernel shows the new environment a moment later.
        let started = Instant::now();
        let mut found = marked(&mark);
        while found.is_empty() && started.elapsed() < ENDING {
            thread::sleep(Duration::from_millis(1));
            found = marked(&mark);
        }
        child.kill().expect("kill a child");
        child.wait().expect("wait for a child");
        assert_eq!(found, ["sleep 60 "]);
    }
}
