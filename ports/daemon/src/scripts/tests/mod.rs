//! With real children of /bin/sh and a clock that the test moves.
//!
//! Time limits are reached by moving the clock. The machine's own time bounds how long a test waits
//! for a child, and no more: [`LIMIT`].

mod order;
mod processes;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use vrrp_core::{Family, Peer, Vrid};

use super::*;
use crate::logging::capture;
use crate::patience::patient;
use crate::scratch::Directory;

/// A timeout that no test reaches unless it moves the clock that far.
const LONG: Duration = Duration::from_secs(20);

/// The longest that a test waits for a child, in the machine's own time.
const LIMIT: Duration = Duration::from_secs(60);

/// A directory of scripts for one test, gone afterwards.
struct Bench {
    dir: Directory,
    scripts: Scripts,
    set: PollSet,
    /// The time as the scripts are told it. It stands still unless a test moves it.
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        let dir = Directory::new("scripts");
        capture::start();
        Self {
            dir,
            scripts: Scripts::default(),
            set: PollSet::default(),
            now: Instant::now(),
        }
    }

    /// A program that runs `text` with /bin/sh. It is read by the shell rather than executed, so
    /// that a process forked by another test cannot hold it open for writing.
    fn script(&self, name: &str, text: &str) -> Option<Script> {
        let path = self.dir.join(name);
        fs::write(&path, text).expect("a script");
        Some(Script {
            path: "/bin/sh".into(),
            args: vec![path.to_str().expect("UTF-8").to_owned()],
        })
    }

    /// A script for each occasion that appends its name and the occasion to the file `log`.
    fn recording(&self, body: &str) -> ScriptSet {
        let log = self.dir.join("log");
        let one = |name: &str| {
            let text = format!("echo {name}:$3 >>{}\n{body}\n", log.display());
            self.script(name, &text)
        };
        ScriptSet {
            master: one("master"),
            backup: one("backup"),
            fault: one("fault"),
            stop: one("stop"),
            prepare: None,
            reclaim: one("reclaim"),
            notify: None,
            prepare_timeout: LONG,
            retry: false,
            timeout: LONG,
            user: None,
            security: ScriptSecurity::Enforce,
        }
    }

    /// A command that ends after [`open_gate`](Self::open_gate).
    fn at_the_gate(&self) -> String {
        let gate = self.dir.join("gate");
        format!("while [ ! -e {} ]; do sleep 0.02; done", gate.display())
    }

    fn open_gate(&self) {
        fs::write(self.dir.join("gate"), "").expect("the gate");
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    fn turn(&mut self) {
        self.set.clear();
        self.scripts.register(&mut self.set);
        let wait = Duration::from_millis(5);
        self.set.wait(Some(wait)).expect("poll");
        self.scripts.handle(&self.set, self.now);
    }

    fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let (began, limit) = (Instant::now(), patient(LIMIT));
        while !done(self) {
            let waited = began.elapsed();
            assert!(waited < limit, "{what}; log: {:?}", capture::peek());
            self.turn();
        }
    }

    /// Moves the clock to the next deadline, which is `after` from now, and does what is due then.
    fn reach_deadline(&mut self, after: Duration) {
        let deadline = self.scripts.deadline().expect("a deadline");
        assert_eq!(deadline - self.now, after);
        self.now = deadline - Duration::from_millis(1);
        self.turn();
        self.now = deadline;
        self.turn();
    }

    /// Whether a line of the log contains `text`.
    fn said(&self, text: &str) -> bool {
        capture::peek().iter().any(|line| line.contains(text))
    }

    fn until_idle(&mut self) {
        self.turn();
        self.until("idle", |bench| bench.scripts.is_idle());
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.scripts.kill_all();
    }
}

fn id(vrid: u8) -> VrId {
    VrId {
        interface: "eth0".into(),
        vrid: Vrid::new(vrid).expect("not 0"),
        family: Family::Ipv4,
        name: None,
    }
}

fn happening(occasion: Occasion) -> Happening {
    Happening {
        occasion,
        old_state: "init",
        new_state: match occasion {
            Occasion::Master => "master",
            Occasion::Backup => "backup",
            Occasion::Fault | Occasion::Stop => "init",
            Occasion::Prepare => "backup",
            Occasion::Reclaim => "master",
        },
        reason: "because".into(),
        addresses: vec!["10.10.10.53/32".into(), "10.10.10.80/32".into()],
        peer: Some(Peer {
            address: "10.10.10.6".parse().expect("an address"),
            priority: 250,
        }),
        priority: Some(100),
    }
}

/// Whether a stream is not read until the next second begins.
fn is_held_back(pipe: &Pipe) -> bool {
    pipe.fd().is_none()
}

fn process_exists(pid: &str) -> bool {
    // A zombie that nobody reaps here has ended, too.
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| {
        let state = rest.trim_start().chars().next();
        state.is_some_and(|c| c != 'Z')
    })
}
