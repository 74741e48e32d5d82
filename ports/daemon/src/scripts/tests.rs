//! With real children of /bin/sh and a clock that the test moves.
//!
//! Time limits are reached by moving the clock. The machine's own time bounds how long a test waits
//! for a child, and no more: [`LIMIT`].

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use vrrp_core::{Family, Peer, Vrid};

use super::*;
use crate::logging::capture;
use crate::patience::patient;

/// A timeout that no test reaches unless it moves the clock that far.
const LONG: Duration = Duration::from_secs(20);

/// The longest that a test waits for a child, in the machine's own time.
const LIMIT: Duration = Duration::from_secs(60);

/// A directory of scripts for one test, gone afterwards.
struct Bench {
    dir: PathBuf,
    scripts: Scripts,
    set: PollSet,
    /// The time as the scripts are told it. It stands still unless a test moves it.
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("vrrpd-scripts-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).expect("a directory");
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
        let _ = fs::remove_dir_all(&self.dir);
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

#[test]
fn scripts_of_a_loss_wait_until_the_addresses_are_gone() {
    let mut bench = Bench::new();
    for vrid in [7, 8] {
        let set = bench.recording("");
        bench.scripts.configure(&id(vrid), set);
    }
    bench.scripts.submit(&id(7), happening(Occasion::Master));
    bench.until_idle();
    bench.scripts.hold_losses(true, bench.now);
    bench.scripts.submit(&id(7), happening(Occasion::Backup));
    bench.scripts.submit(&id(8), happening(Occasion::Master));
    bench.until("the other virtual router is not held up", |bench| {
        bench.scripts.running == 0 && bench.read("log") == "master:master\nmaster:master\n"
    });
    assert!(!bench.scripts.is_idle());
    bench.scripts.hold_losses(false, bench.now);
    bench.until_idle();
    assert!(bench.read("log").ends_with("backup:backup\n"));
}

#[test]
fn addresses_that_stay_hold_up_no_script_for_long() {
    let mut bench = Bench::new();
    let set = bench.recording("");
    bench.scripts.configure(&id(7), set);
    bench.scripts.submit(&id(7), happening(Occasion::Master));
    bench.until_idle();
    bench.scripts.hold_losses(true, bench.now);
    bench.scripts.submit(&id(7), happening(Occasion::Fault));
    bench.turn();
    assert_eq!(bench.read("log"), "master:master\n");
    let deadline = bench.scripts.deadline();
    assert_eq!(deadline, Some(bench.now + LONGEST_HOLD));
    bench.now += LONGEST_HOLD;
    bench.until_idle();
    assert_eq!(
        bench.read("log"),
        "master:master\nbackup:fault\nfault:fault\n"
    );
    // It is not held up once more.
    bench.scripts.hold_losses(true, bench.now);
    assert_eq!(bench.scripts.deadline(), None);
}

#[test]
fn scripts_of_a_group_are_told_its_name() {
    let mut bench = Bench::new();
    let out = bench.dir.join("out");
    let text = format!(
        "echo \"$*\" $VRRP_GROUP $VRRP_NAME $VRRP_EVENT [$VRRP_VRID$VRRP_INTERFACE$VRRP_FAMILY] >>{}",
        out.display()
    );
    let mut set = bench.recording("");
    set.master = bench.script("m", &text);
    set.notify = bench.script("n", &text);
    let group = || Subject::Group("gw".into());
    bench.scripts.configure(group(), set);
    bench.scripts.submit(group(), happening(Occasion::Master));
    bench.until_idle();
    assert_eq!(
        bench.read("out"),
        "GROUP gw master gw gw master []\nGROUP gw MASTER 100 gw gw master []\n"
    );
    assert_eq!(bench.scripts.last_occasion(group()), Some(Occasion::Master));
    // Another of the same name, which is a virtual router, has nothing to do with it.
    assert_eq!(bench.scripts.last_occasion(&id(7)), None);
}

#[test]
fn arguments_and_environment_say_what_happened() {
    let mut bench = Bench::new();
    let out = bench.dir.join("out");
    let text = format!(
        "echo \"$*\" >{0}; env | grep ^VRRP_ | sort >>{0}",
        out.display()
    );
    let mut set = bench.recording("");
    set.master = bench.script("m", &text);
    let named = VrId {
        name: Some("web".into()),
        ..id(7)
    };
    bench.scripts.configure(&named, set);
    bench.scripts.submit(&id(7), happening(Occasion::Master));
    bench.until_idle();
    let expected = "7 eth0 master ipv4
VRRP_ADDRESSES=10.10.10.53/32 10.10.10.80/32
VRRP_EVENT=master
VRRP_FAMILY=ipv4
VRRP_GROUP=
VRRP_INTERFACE=eth0
VRRP_NAME=web
VRRP_NEW_STATE=master
VRRP_OLD_STATE=init
VRRP_PEER_ADDRESS=10.10.10.6
VRRP_PEER_PRIORITY=250
VRRP_PRIORITY=100
VRRP_REASON=because
VRRP_VRID=7
";
    assert_eq!(bench.read("out"), expected);
}

#[test]
fn backupscript_runs_at_every_loss_and_none_twice_for_one_state() {
    use Occasion::{Backup, Fault, Master, Stop};
    let mut bench = Bench::new();
    let set = bench.recording("");
    bench.scripts.configure(&id(1), set);
    for occasion in [
        Backup, Master, Master, Fault, Backup, Master, Backup, Stop, Stop,
    ] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.until_idle();
    }
    let expected = "backup:backup
master:master
backup:fault
fault:fault
master:master
backup:backup
stop:stop
";
    assert_eq!(bench.read("log"), expected);
}

#[test]
fn the_latest_state_wins_and_what_it_supersedes_is_skipped() {
    use Occasion::{Backup, Fault, Master};
    let mut bench = Bench::new();
    let set = bench.recording(&bench.at_the_gate());
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Master));
    bench.until("running", |b| !b.read("log").is_empty());
    for occasion in [Backup, Fault, Master, Backup] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.turn();
    }
    assert_eq!(bench.read("log"), "master:master\n", "one at a time");
    bench.open_gate();
    bench.until_idle();
    assert_eq!(bench.read("log"), "master:master\nbackup:backup\n");
    let skipped = capture::take().into_iter();
    let skipped: Vec<_> = skipped.filter(|line| line.contains("skipped")).collect();
    assert_eq!(skipped.len(), 3);
    let expected =
        "INFO: VRID 1 on eth0 (ipv4): scripts for \"backup\" skipped: the state has changed again";
    assert_eq!(skipped[0], expected);
}

#[test]
fn a_state_that_came_back_while_its_script_ran_is_not_told_again() {
    use Occasion::{Backup, Master};
    let mut bench = Bench::new();
    let set = bench.recording(&bench.at_the_gate());
    bench.scripts.configure(&id(1), set);
    for occasion in [Master, Backup, Master] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.turn();
    }
    bench.open_gate();
    bench.until_idle();
    assert_eq!(bench.read("log"), "master:master\n");
}

#[test]
fn virtual_routers_do_not_wait_for_each_other() {
    let mut bench = Bench::new();
    let slow = bench.recording("sleep 1000");
    bench.scripts.configure(&id(1), slow);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until("slow one running", |b| !b.read("log").is_empty());
    let quick = bench.recording("");
    bench.scripts.configure(&id(2), quick);
    bench.scripts.submit(&id(2), happening(Occasion::Backup));
    bench.until("quick one done", |b| b.read("log").contains("backup"));
    let is_running = bench.scripts.lines[&(&id(1)).into()].run.is_some();
    assert!(is_running, "the slow one was not waited for");
}

#[test]
fn output_and_exit_status_are_logged_line_by_line() {
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    set.master = bench.script("m", "echo one; echo oops >&2; printf two; exit 3");
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until_idle();
    let lines = capture::take();
    let at = "VRID 1 on eth0 (ipv4): masterscript /bin/sh";
    for line in ["INFO: {}: one", "WARN: {}: oops", "INFO: {}: two"] {
        let line = line.replace("{}", at);
        assert!(lines.contains(&line), "{line} in {lines:?}");
    }
    let last = lines.last().expect("a line");
    assert!(
        last.starts_with(&format!("WARN: {at}: failed after ")),
        "{last}"
    );
    assert!(last.ends_with("exit status: 3"), "{last}");
}

#[test]
fn a_program_that_cannot_be_run_is_an_error_line() {
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    set.master = Some(Script {
        path: "/nonexistent/script".into(),
        args: Vec::new(),
    });
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until_idle();
    let lines = capture::take();
    let start = "ERROR: VRID 1 on eth0 (ipv4): masterscript /nonexistent/script: cannot be run: ";
    assert!(lines.iter().any(|l| l.starts_with(start)), "{lines:?}");
    bench.scripts.submit(&id(1), happening(Occasion::Backup));
    bench.until_idle();
    assert_eq!(bench.read("log"), "backup:backup\n", "others still run");
}

#[test]
fn a_program_that_others_could_replace_is_run_only_where_that_is_allowed() {
    let mut bench = Bench::new();
    let open = bench.dir.join("open");
    fs::create_dir(&open).expect("a folder");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("its mode");
    let path = open.join("program");
    std::os::unix::fs::symlink("/bin/echo", &path).expect("a link");
    let label = format!("VRID 1 on eth0 (ipv4): masterscript {}", path.display());
    for (security, said) in [
        (
            ScriptSecurity::Enforce,
            "cannot be run: others could replace it: everybody can write",
        ),
        (ScriptSecurity::Warn, "done in"),
    ] {
        let mut set = bench.recording("");
        set.master = Some(Script {
            path: path.clone(),
            args: Vec::new(),
        });
        set.security = security;
        bench.scripts.configure(&id(1), set);
        bench.scripts.submit(&id(1), happening(Occasion::Backup));
        bench.until_idle();
        bench.scripts.submit(&id(1), happening(Occasion::Master));
        bench.until_idle();
        let lines = capture::take();
        let wanted = format!("{label}: {said}");
        assert!(lines.iter().any(|l| l.contains(&wanted)), "{lines:?}");
    }
}

#[test]
fn a_script_of_a_user_that_does_not_exist_is_not_run() {
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    let text =
        "[VRID]\nserverid = 1\ninterface = eth0\naddr = 10.0.0.1/32\nscriptuser = no-such-user\n";
    let config = vrrp_config::parse("vrrpd.conf".as_ref(), text)
        .config
        .expect("a good file");
    set.user = config.virtual_routers[0].script_user.clone();
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until_idle();
    let lines = capture::take();
    let wanted = "cannot be run: there is no user `no-such-user` on this host";
    assert!(lines.iter().any(|l| l.ends_with(wanted)), "{lines:?}");
    assert_eq!(bench.read("log"), "");
}

#[test]
fn at_the_timeout_the_whole_group_ends() {
    let mut bench = Bench::new();
    let pids = bench.dir.join("pids");
    let text = format!("sleep 1000 & echo $! >{}; wait", pids.display());
    let mut set = bench.recording("");
    set.master = bench.script("m", &text);
    set.timeout = Duration::from_millis(300);
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until("the child", |b| b.read("pids").ends_with('\n'));
    assert!(!bench.said("terminating it"));
    bench.reach_deadline(Duration::from_millis(300));
    bench.until_idle();
    let child = bench.read("pids");
    bench.until("the grandchild ended", |_| !process_exists(&child));
    let lines = capture::take();
    let line =
        "WARN: VRID 1 on eth0 (ipv4): masterscript /bin/sh: not done after 0.3 s: terminating it";
    assert!(lines.contains(&line.to_owned()), "{lines:?}");
    let killed = |line: &String| line.contains("killing it");
    assert!(!lines.iter().any(killed), "SIGTERM was enough: {lines:?}");
}

#[test]
fn what_ignores_sigterm_is_killed_after_two_seconds() {
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    let text = "trap '' TERM; echo deaf; while :; do sleep 0.1; done";
    set.master = bench.script("m", text);
    set.timeout = Duration::from_secs(5);
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until("deaf to SIGTERM", |b| b.said(": deaf"));
    bench.reach_deadline(Duration::from_secs(5));
    assert!(bench.said("terminating it") && !bench.said("killing it"));
    bench.reach_deadline(Duration::from_secs(2));
    assert!(bench.said("killing it"));
    bench.until_idle();
    let lines = capture::take();
    let last = lines.last().expect("a line");
    assert!(last.ends_with("signal: 9 (SIGKILL)"), "{lines:?}");
}

#[test]
fn a_process_left_behind_neither_holds_us_nor_loses_its_log() {
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    let text = format!("({}; echo late) & echo early", bench.at_the_gate());
    set.master = bench.script("m", &text);
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until_idle();
    assert!(capture::take().iter().any(|l| l.ends_with(": early")));
    bench.open_gate();
    bench.until("late", |_| {
        capture::peek().iter().any(|l| l.ends_with(": late"))
    });
    bench.until("closed", |b| b.scripts.left.is_empty());
}

#[test]
fn a_flood_takes_neither_the_log_nor_the_loop() {
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    set.master = bench.script("m", "yes");
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    for second in 1..=3 {
        let is_full = |b: &Bench| {
            b.scripts
                .runs()
                .any(|run| run.pipes().iter().any(is_held_back))
        };
        bench.until("as much as is read in a second", is_full);
        let logged = capture::peek();
        let logged = logged.iter().filter(|line| line.ends_with(": y")).count();
        assert_eq!(logged, 100 * second);
        bench.reach_deadline(Duration::from_secs(1));
        assert!(bench.said("more lines not logged"));
    }
    bench.scripts.kill_all();
    bench.until_idle();
}

#[test]
fn hundreds_run_a_few_at_a_time_and_all_get_their_turn() {
    let mut bench = Bench::new();
    let set = bench.recording("sleep 0.05");
    for vrid in 1..=60 {
        bench.scripts.configure(&id(vrid), set.clone());
        bench.scripts.submit(&id(vrid), happening(Occasion::Master));
        bench.scripts.remove(&id(vrid));
    }
    bench.turn();
    assert_eq!(bench.scripts.running, MAX_RUNNING);
    bench.until_idle();
    assert_eq!(bench.read("log").lines().count(), 60);
    assert!(bench.scripts.lines.is_empty(), "removed ones are forgotten");
}

#[test]
fn killing_all_ends_what_still_runs() {
    let mut bench = Bench::new();
    let set = bench.recording("sleep 1000");
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until("running", |b| b.scripts.runs().any(|r| r.pid().is_some()));
    bench.scripts.kill_all();
    bench.until_idle();
    let lines = capture::take();
    assert!(
        lines
            .iter()
            .any(|l| l.contains("killed because vrrpd stops"))
    );
}

#[test]
fn an_exit_status_reaped_as_pid_1_counts_as_the_end() {
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    set.master = bench.script("m", "sleep 1000");
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Master));
    bench.until("running", |b| b.scripts.runs().any(|r| r.pid().is_some()));
    assert!(!bench.scripts.starting());
    let pid = bench.scripts.runs().find_map(Run::pid).expect("a process");
    let status = ExitStatus::default();
    bench.scripts.reaped(pid + 1, status, bench.now);
    assert!(!bench.scripts.is_idle(), "an orphan's is not ours");
    crate::sys::destroy_group(pid);
    bench.scripts.reaped(pid, status, bench.now);
    assert!(bench.scripts.is_idle());
}

#[test]
fn a_preparation_has_a_result_and_no_state() {
    use Occasion::{Backup, Master, Prepare};
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    let log = bench.dir.join("log");
    let prepare = format!("echo prepare:$3 >>{0}; test -e {0}.ready", log.display());
    set.prepare = bench.script("prepare", &prepare);
    set.prepare_timeout = Duration::from_secs(3);
    bench.scripts.configure(&id(1), set);
    for occasion in [Backup, Prepare] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.until_idle();
    }
    let failed = Err("preparescript failed: exit status: 1".to_owned());
    assert_eq!(bench.scripts.take_prepared(), [(id(1), failed)]);
    fs::write(log.with_extension("ready"), "").expect("a file");
    bench.scripts.submit(&id(1), happening(Prepare));
    bench.until_idle();
    assert_eq!(bench.scripts.take_prepared(), [(id(1), Ok(()))]);
    assert_eq!(bench.scripts.last_occasion(&id(1)), Some(Backup));
    // It is not run again at the takeover, but at one that did not wait for it.
    for occasion in [Master, Backup, Master] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.until_idle();
    }
    let expected = "backup:backup
prepare:prepare
prepare:prepare
master:master
backup:backup
prepare:master
master:master
";
    assert_eq!(bench.read("log"), expected);
    assert!(bench.scripts.take_prepared().is_empty());
}

#[test]
fn a_preparation_that_takes_too_long_has_failed() {
    let mut bench = Bench::new();
    let mut set = bench.recording("");
    let wait = bench.at_the_gate();
    set.prepare = bench.script(
        "prepare",
        &format!("echo here >{}/began; {wait}", bench.dir.display()),
    );
    set.prepare_timeout = Duration::from_secs(3);
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Occasion::Prepare));
    bench.until("running", |b| !b.read("began").is_empty());
    bench.reach_deadline(Duration::from_secs(3));
    bench.until_idle();
    let failed = Err("preparescript failed: not done after 3 s".to_owned());
    assert_eq!(bench.scripts.take_prepared(), [(id(1), failed)]);
}

#[test]
fn what_is_done_again_after_healing_is_no_change_of_state() {
    use Occasion::{Backup, Master, Reclaim};
    let mut bench = Bench::new();
    let set = bench.recording("");
    bench.scripts.configure(&id(1), set);
    for occasion in [Reclaim, Master, Reclaim, Reclaim, Backup, Reclaim] {
        bench.scripts.submit(&id(1), happening(occasion));
        bench.until_idle();
    }
    let expected = "master:master\nreclaim:reclaim\nreclaim:reclaim\nbackup:backup\n";
    assert_eq!(bench.read("log"), expected);
    // A request waits for what runs, and goes with the state that it was made in.
    let set = bench.recording(&bench.at_the_gate());
    bench.scripts.configure(&id(2), set);
    bench.scripts.submit(&id(2), happening(Master));
    bench.turn();
    bench.scripts.submit(&id(2), happening(Reclaim));
    bench.scripts.submit(&id(2), happening(Backup));
    bench.open_gate();
    bench.until_idle();
    assert!(
        bench
            .read("log")
            .ends_with("master:master\nbackup:backup\n")
    );
}

#[test]
fn a_script_that_fails_is_repeated_until_it_succeeds_or_the_state_changes() {
    use Occasion::{Backup, Master};
    let mut bench = Bench::new();
    let ready = bench.dir.join("ready");
    let mut set = bench.recording(&format!("test -e {}", ready.display()));
    set.retry = true;
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Master));
    bench.until_idle();
    for seconds in [1, 2, 4] {
        bench.reach_deadline(Duration::from_secs(seconds));
        bench.until_idle();
    }
    assert_eq!(bench.read("log"), "master:master\n".repeat(4));
    // Another state has its own scripts, and begins anew.
    bench.scripts.submit(&id(1), happening(Backup));
    bench.until_idle();
    fs::write(&ready, "").expect("a file");
    bench.reach_deadline(Duration::from_secs(1));
    bench.until_idle();
    let expected = "master:master\n".repeat(4) + &"backup:backup\n".repeat(2);
    assert_eq!(bench.read("log"), expected);
    assert_eq!(bench.scripts.deadline(), None, "it has succeeded");
}

#[test]
fn the_notifyscript_hears_every_change_with_the_arguments_of_keepalived() {
    use Occasion::{Backup, Fault, Master, Prepare, Reclaim, Stop};
    let mut bench = Bench::new();
    let out = bench.dir.join("out");
    let mut set = bench.recording("");
    let text = format!("echo \"$*:$VRRP_EVENT:$VRRP_VRID\" >>{}", out.display());
    set.notify = bench.script("n", &text);
    let named = VrId {
        name: Some("web".into()),
        ..id(7)
    };
    bench.scripts.configure(&named, set.clone());
    for occasion in [
        Backup, Prepare, Master, Master, Reclaim, Fault, Backup, Stop, Stop,
    ] {
        bench.scripts.submit(&id(7), happening(occasion));
        bench.until_idle();
    }
    let expected = "INSTANCE web BACKUP 100:backup:7
INSTANCE web MASTER 100:master:7
INSTANCE web FAULT 100:fault:7
INSTANCE web BACKUP 100:backup:7
INSTANCE web STOP 100:stop:7
";
    assert_eq!(bench.read("out"), expected);

    // Without a name its VRID; without a priority of its own the last one.
    bench.scripts.configure(&id(8), set);
    bench.scripts.submit(&id(8), happening(Master));
    bench.until_idle();
    let mut removed = happening(Stop);
    removed.priority = None;
    bench.scripts.submit(&id(8), removed);
    bench.until_idle();
    let expected = "INSTANCE 8 MASTER 100:master:8\nINSTANCE 8 STOP 100:stop:8\n";
    assert!(
        bench.read("out").ends_with(expected),
        "{}",
        bench.read("out")
    );
}

#[test]
fn the_notifyscript_comes_after_the_others_and_each_is_repeated_by_itself() {
    use Occasion::{Fault, Master, Stop};
    let mut bench = Bench::new();
    let (ready, log) = (bench.dir.join("ready"), bench.dir.join("log"));
    let fails = format!("test -e {}", ready.display());
    let mut set = bench.recording(&fails);
    set.retry = true;
    let text = format!("echo notify:$3 >>{}\n{fails}", log.display());
    set.notify = bench.script("n", &text);
    bench.scripts.configure(&id(1), set);
    bench.scripts.submit(&id(1), happening(Master));
    bench.until_idle();
    let once = "master:master\nnotify:MASTER\n";
    assert_eq!(bench.read("log"), once);
    bench.reach_deadline(Duration::from_secs(1));
    bench.until_idle();
    assert_eq!(bench.read("log"), once.repeat(2));

    // A faultscript is not repeated; the script before it is, and not the other in its place.
    bench.scripts.submit(&id(1), happening(Fault));
    bench.until_idle();
    fs::write(&ready, "").expect("a file");
    bench.reach_deadline(Duration::from_secs(1));
    bench.until_idle();
    let fault = "backup:fault\nfault:fault\nnotify:FAULT\nbackup:fault\nnotify:FAULT\n";
    assert_eq!(bench.read("log"), once.repeat(2) + fault);
    assert_eq!(bench.scripts.deadline(), None);

    // One that fails as it stops has no state to be repeated in.
    fs::remove_file(&ready).expect("remove a file");
    bench.scripts.submit(&id(1), happening(Stop));
    bench.until_idle();
    assert_eq!(bench.scripts.deadline(), None);
}
