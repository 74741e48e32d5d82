//! The service manager's word: systemctl(1) on Linux, service(8) on FreeBSD.
//!
//! Starting systemctl(1) costs as much as hundreds of other checks, so that all checks which are due together
//! are asked by one: a [`Batch`] of names, and a line for each.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::{Answer, Trace, Trouble, failed, printable, words};

#[cfg(not(target_os = "linux"))]
pub(super) use rc::Manager;
#[cfg(target_os = "linux")]
pub(super) use systemd::Manager;

/// The longest answer that is read of each unit.
const MAX_ANSWER: u64 = 4096;

/// Runs a program to its end, and returns what it printed and what it complained of.
async fn run(mut command: Command, longest: u64) -> io::Result<(ExitStatus, String, String)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    command.stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let read = async |pipe: Option<&mut (dyn tokio::io::AsyncRead + Unpin)>| {
        let mut text = Vec::new();
        if let Some(pipe) = pipe {
            pipe.take(longest).read_to_end(&mut text).await?;
        }
        Ok::<_, io::Error>(String::from_utf8_lossy(&text).into_owned())
    };
    let (mut output, mut complaints) = (child.stdout.take(), child.stderr.take());
    let output = output.as_mut().map(|pipe| pipe as _);
    let complaints = complaints.as_mut().map(|pipe| pipe as _);
    let (output, complaints) = tokio::try_join!(read(output), read(complaints))?;
    Ok((child.wait().await?, output, complaints))
}

fn cannot_be_asked(why: &str) -> Trouble {
    Trouble::Failed(format!("the service manager cannot be asked: {why}"))
}

#[cfg(target_os = "linux")]
mod systemd {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, BTreeSet};
    use std::rc::Rc;
    use std::time::Duration;

    use tokio::sync::oneshot;
    use tokio::time::sleep;

    use super::*;

    /// How often a batch looks whether anybody still waits for it.
    const LOOK: Duration = Duration::from_millis(100);

    /// The states of a unit that works: what is reloaded goes on serving.
    const WORKING: [&str; 3] = ["active", "reloading", "refreshing"];

    /// The word of systemd about a unit, or why there is none.
    type Word = Result<String, String>;

    /// The checks that wait for systemd's word.
    pub(in super::super) struct Manager {
        /// systemctl(1), or the program of a test.
        program: Rc<str>,
        waiting: Rc<RefCell<Waiting>>,
    }

    impl Default for Manager {
        fn default() -> Self {
            Self::of("systemctl")
        }
    }

    #[derive(Default)]
    struct Waiting {
        asks: Vec<(String, oneshot::Sender<Word>)>,
        /// A batch runs, and takes those that wait when it ends.
        runs: bool,
    }

    impl Manager {
        pub(in super::super) fn of(program: &str) -> Self {
            Self {
                program: program.into(),
                waiting: Rc::default(),
            }
        }

        /// Asks once.
        pub(in super::super) async fn ask(&self, unit: &str, trace: &Trace) -> Answer {
            trace.wait("the service manager did not answer");
            let (tell, word) = oneshot::channel();
            let begin = {
                let mut waiting = self.waiting.borrow_mut();
                waiting.asks.push((unit.to_owned(), tell));
                !std::mem::replace(&mut waiting.runs, true)
            };
            if begin {
                tokio::task::spawn_local(run_batches(self.program.clone(), self.waiting.clone()));
            }
            let word = word
                .await
                .map_err(|_| cannot_be_asked("it was left alone"))?;
            let word = word.map_err(|why| cannot_be_asked(&why))?;
            trace.say(|| format!("systemd says `{word}`"));
            match WORKING.contains(&word.as_str()) {
                true => Ok(format!("{unit} is {word}")),
                false => failed(format!("{unit} is {word}")),
            }
        }
    }

    async fn run_batches(program: Rc<str>, waiting: Rc<RefCell<Waiting>>) {
        loop {
            // Those that became due at the same moment join in.
            tokio::task::yield_now().await;
            let mut asks = {
                let mut waiting = waiting.borrow_mut();
                let mut asks = std::mem::take(&mut waiting.asks);
                asks.retain(|(_, tell)| !tell.is_closed());
                if asks.is_empty() {
                    waiting.runs = false;
                    return;
                }
                asks
            };
            let units: BTreeSet<String> = asks.iter().map(|(unit, _)| unit.clone()).collect();
            let units: Vec<String> = units.into_iter().collect();
            let left = async {
                while asks.iter().any(|(_, tell)| !tell.is_closed()) {
                    sleep(LOOK).await;
                }
            };
            let words = tokio::select! {
                words = states(&program, &units) => words,
                // Everybody has given up: systemctl ends with this.
                () = left => continue,
            };
            for (unit, tell) in asks.drain(..) {
                let word = words.get(&unit).cloned();
                // One that has given up needs no word.
                let _ = tell.send(word.unwrap_or_else(|| Err("no answer about it".into())));
            }
        }
    }

    /// The states of units. Those of which systemd knows nothing are `not-found`.
    async fn states(program: &str, units: &[String]) -> BTreeMap<String, Word> {
        let mut words = match lines(program, &["is-active"], units).await {
            Ok(words) => words,
            // A name that systemctl takes for several spoils the order of the rest.
            Err(_) if units.len() > 1 => {
                let mut words = BTreeMap::new();
                for unit in units {
                    let one = std::slice::from_ref(unit);
                    match lines(program, &["is-active"], one).await {
                        Ok(word) => {
                            words.extend(word.into_iter().map(|(unit, word)| (unit, Ok(word))))
                        }
                        Err(why) => drop(words.insert(unit.clone(), Err(why))),
                    }
                }
                return words;
            }
            Err(why) => {
                return units
                    .iter()
                    .map(|unit| (unit.clone(), Err(why.clone())))
                    .collect();
            }
        };
        let unknown: Vec<String> = { words.iter() }
            .filter(|(_, word)| *word == "inactive")
            .map(|(unit, _)| unit.clone())
            .collect();
        if !unknown.is_empty() {
            let loaded = lines(
                program,
                &["show", "--property=LoadState", "--value"],
                &unknown,
            )
            .await;
            for (unit, word) in loaded.unwrap_or_default() {
                if word != "loaded" {
                    words.insert(unit, word);
                }
            }
        }
        words
            .into_iter()
            .map(|(unit, word)| (unit, Ok(word)))
            .collect()
    }

    /// Runs systemctl, which prints a word for each unit in their order.
    async fn lines(
        program: &str,
        verb: &[&str],
        units: &[String],
    ) -> Result<BTreeMap<String, String>, String> {
        let mut command = Command::new(program);
        command.args(verb).arg("--").args(units);
        let longest = MAX_ANSWER * units.len() as u64;
        let (status, output, complaints) =
            run(command, longest).await.map_err(|error| words(&error))?;
        let found: Vec<&str> = { output.lines() }
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        let is_word = |line: &&str| !line.contains(char::is_whitespace);
        if found.len() != units.len() || !found.iter().all(is_word) {
            let complaint = complaints.lines().next().unwrap_or_default();
            return Err(match complaint.is_empty() {
                true => format!("systemctl: {status}"),
                false => printable(complaint, 200),
            });
        }
        let found = found.into_iter().map(|word| printable(word, 80));
        Ok(units.iter().cloned().zip(found).collect())
    }
}

#[cfg(not(target_os = "linux"))]
mod rc {
    use tokio::sync::Semaphore;

    use super::*;

    /// Scripts that are asked at the same time.
    const AT_ONCE: usize = 4;

    /// The turns of those who ask.
    pub(in super::super) struct Manager(Semaphore);

    impl Default for Manager {
        fn default() -> Self {
            Self(Semaphore::new(AT_ONCE))
        }
    }

    impl Manager {
        /// Asks once.
        pub(in super::super) async fn ask(&self, unit: &str, trace: &Trace) -> Answer {
            trace.wait("the service manager did not answer");
            // Never closed.
            let _turn = self.0.acquire().await;
            let mut command = Command::new("service");
            command.args([unit, "status"]);
            let asked = run(command, MAX_ANSWER).await;
            let (status, output, _) = asked.map_err(|error| cannot_be_asked(&words(&error)))?;
            let text = printable(output.trim(), 80);
            trace.say(|| format!("the script says `{text}`, {status}"));
            match status.success() {
                true => Ok(format!("{unit} is active")),
                false => failed(format!("{unit}: {status} {text}")),
            }
        }
    }
}
