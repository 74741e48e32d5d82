//! The processes: their output, their ends, and what they may be.

use super::*;

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
