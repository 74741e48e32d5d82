//! vrrpd as a process: signals, service manager, background, first process of a container.
//!
//! Each runs in user, network and mount namespaces of its own, made by unshare(1): no privilege
//! needed where the kernel allows that, and the tests fail where it does not.

#![cfg(target_os = "linux")]

#[path = "../../host/tests/bench/patience.rs"]
mod patience;

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use patience::patient;

const VRRPD: &str = env!("CARGO_BIN_EXE_vrrpd");
const VRRPCTL: &str = env!("CARGO_BIN_EXE_vrrpctl");
const LONG: Duration = Duration::from_secs(20);

struct Bench {
    dir: PathBuf,
    manager: UnixDatagram,
}

impl Bench {
    fn new(name: &str) -> Self {
        let name = format!("vrrpd-process-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).expect("a directory");
        let manager = UnixDatagram::bind(dir.join("notify")).expect("a socket");
        manager
            .set_read_timeout(Some(patient(LONG)))
            .expect("a time limit");
        let bench = Self { dir, manager };
        bench.configure("priority = 100\n");
        bench
    }

    /// A virtual router on an interface that does not exist, with a stopscript.
    fn configure(&self, more: &str) {
        let d = self.dir.display();
        fs::write(
            self.dir.join("conf"),
            format!(
                "[GLOBAL]\ncontrolsocket = {d}/socket\nstatedir = {d}/state\n[VRID]\nserverid = 7\ninterface = eth0\n\
                 addr = 10.0.0.1/32\nstopscript = /bin/sh {d}/stop\n{more}"
            ),
        )
        .expect("a file");
        let stop = format!("echo stopping $1; [ -e {d}/hang ] && sleep 1000; exit 4\n");
        fs::write(self.dir.join("stop"), stop).expect("a script");
    }

    /// vrrpd in namespaces of its own, as itself or as `unshare`'s child with process number 1.
    fn start(&self, unshare: &[&str], args: &str) -> Child {
        self.start_after("true", unshare, args)
    }

    /// vrrpd in the background, on a host whose syslog daemon is the socket that is returned.
    fn start_with_syslog(&self) -> (Child, UnixDatagram) {
        let d = self.dir.display();
        let syslog = UnixDatagram::bind(self.dir.join("syslog")).expect("a socket");
        let dev = format!(
            "mkdir {d}/dev && mount --rbind /dev {d}/dev && mount -t tmpfs none /dev \
             && touch /dev/null && mount --bind {d}/dev/null /dev/null && ln -s {d}/syslog /dev/log"
        );
        (self.start_after(&dev, &[], ""), syslog)
    }

    fn start_after(&self, prepare: &str, unshare: &[&str], args: &str) -> Child {
        let d = self.dir.display();
        let run = "mount -t tmpfs none /run";
        let script = format!("{run} && {prepare} && exec {VRRPD} {args} -f {d}/conf");
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--net", "--mount"])
            .args(unshare)
            .args(["sh", "-c", &script])
            .env("NOTIFY_SOCKET", self.dir.join("notify"))
            .env_remove("INVOCATION_ID")
            .env_remove("JOURNAL_STREAM")
            .stderr(Stdio::piped());
        if !args.contains("-F") && unshare.is_empty() {
            command.env_remove("NOTIFY_SOCKET");
        }
        command.spawn().expect("unshare(1)")
    }

    fn told(&self) -> String {
        let mut buffer = [0; 512];
        let n = self
            .manager
            .recv(&mut buffer)
            .expect("a word to the manager");
        String::from_utf8_lossy(&buffer[..n]).into_owned()
    }

    fn until_told(&self, what: &str) {
        let end = Instant::now() + patient(LONG);
        while !self.told().contains(what) {
            assert!(Instant::now() < end, "never told {what}");
        }
    }

    fn ctl(&self, args: &[&str]) -> Output {
        let socket = self.dir.join("socket");
        let mut command = Command::new(VRRPCTL);
        command.arg("-s").arg(socket).args(args);
        command.output().expect("vrrpctl")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

fn signal(pid: u32, name: &str) {
    let status = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(status.expect("kill(1)").success());
}

/// Its exit status and what it logged.
fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().expect("the end");
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), log)
}

#[test]
fn a_life_as_the_service_manager_sees_it() {
    let bench = Bench::new("life");
    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    assert_eq!(bench.told(), "STATUS=0 master, 0 backup, 1 waiting\n");
    bench.configure("priority = 110\n");
    signal(child.id(), "-HUP");
    bench.until_told("RELOADING=1\nMONOTONIC_USEC=");
    bench.until_told("READY=1");
    let status = bench.ctl(&["status", "--json"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.contains("\"priority\": 110"), "{status}");
    let asked = Instant::now();
    signal(child.id(), "-TERM");
    bench.until_told("STOPPING=1");
    let (code, log) = end(child);
    assert_eq!(code, Some(0), "{log}");
    // The end of the last script ends the stop, not the time that scripts are given.
    assert!(asked.elapsed() < Duration::from_secs(8), "{log}");
    for line in [
        "vrrpd: VRID 7 on eth0 (ipv4): stopscript /bin/sh: stopping 7",
        "exit status: 4",
        "vrrpd: stopped",
    ] {
        assert!(log.contains(line), "{line} in {log}");
    }
    assert!(!bench.dir.join("socket").exists());
}

#[test]
fn a_file_with_errors_is_refused_and_life_goes_on() {
    let bench = Bench::new("errors");
    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    bench.configure("priority = 300\nadvertinterval = never\n");
    let reload = bench.ctl(&["reload"]);
    assert_eq!(reload.status.code(), Some(1));
    let said = String::from_utf8_lossy(&reload.stderr).into_owned();
    assert!(
        said.contains(": priority: ") && said.contains(": advertinterval: "),
        "{said}"
    );
    let not_master = bench.ctl(&["is-master", "7"]);
    assert_eq!(not_master.status.code(), Some(1));
    signal(child.id(), "-USR1");
    signal(child.id(), "-INT");
    let (code, log) = end(child);
    assert_eq!(code, Some(0), "{log}");
    assert!(
        log.contains("not reloaded: everything stays as it was"),
        "{log}"
    );
}

#[test]
fn what_a_reload_would_change_is_told_before() {
    let bench = Bench::new("compare");
    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    let check = |args: &[&str]| {
        let mut command = Command::new(VRRPD);
        let file = bench.dir.join("conf");
        command.args(args).arg(file).env_remove("JOURNAL_STREAM");
        let output = command.output().expect("vrrpd");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let (code, said) = check(&["--check", "--against-running"]);
    assert_eq!(code, Some(0), "{said}");
    let same = "nothing is different from the vrrpd that runs; passwords and the octets of keys are not compared";
    assert!(said.contains(same), "{said}");
    bench.configure("priority = 120\n");
    let change = "VRID 7 on eth0 (ipv4): priority 100 -> 120\n";
    let (code, said) = check(&["--check", "--against-running"]);
    assert_eq!(code, Some(0));
    assert!(said.contains(change), "{said}");
    let ctl = |args: &[&str]| {
        let output = bench.ctl(args);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert!(ctl(&["reload", "--dry-run"]).contains(change));
    assert!(ctl(&["config"]).contains("\npriority = 100\n"));
    assert!(ctl(&["reload"]).contains(change));
    assert!(ctl(&["config"]).contains("\npriority = 120\n"));
    assert!(ctl(&["reload", "--dry-run"]).contains("nothing is different"));
    signal(child.id(), "-TERM");
    end(child);
}

#[test]
fn included_files_are_read_at_a_start_and_a_reload() {
    let bench = Bench::new("include");
    let include = format!("[GLOBAL]\ninclude = {}/*.inc\n", bench.dir.display());
    let conf = bench.dir.join("conf");
    let text = fs::read_to_string(&conf).expect("the file");
    fs::write(&conf, text.replacen("[GLOBAL]\n", &include, 1)).expect("a file");
    let write = |vrid: u8| {
        let text =
            format!("[VRID]\nserverid = {vrid}\ninterface = eth0\naddr = 10.0.1.{vrid}/32\n");
        fs::write(bench.dir.join(format!("{vrid}.inc")), text).expect("a file");
    };
    write(8);
    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    let ctl = |args: &[&str]| {
        let output = bench.ctl(args);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let config = ctl(&["config"]);
    assert!(config.contains("\nserverid = 7\n") && config.contains("\nserverid = 8\n"));
    write(9);
    assert!(ctl(&["reload"]).contains("VRID 9 on eth0 (ipv4): added"));
    fs::write(bench.dir.join("9.inc"), "[VRID]\npriority = 0\n").expect("a file");
    let refused = bench.ctl(&["reload"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("/9.inc:2: priority: "), "{said}");
    assert!(ctl(&["config"]).contains("\nserverid = 9\n"));
    signal(child.id(), "-TERM");
    end(child);
}

#[test]
fn a_second_signal_does_not_wait_for_scripts() {
    let bench = Bench::new("twice");
    fs::write(bench.dir.join("hang"), "").expect("a file");
    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    let began = Instant::now();
    signal(child.id(), "-TERM");
    bench.until_told("STOPPING=1");
    thread::sleep(Duration::from_millis(300));
    signal(child.id(), "-TERM");
    let (code, log) = end(child);
    assert_eq!(code, Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_secs(8), "{log}");
    assert!(log.contains("vrrpd stops at once"), "{log}");
}

#[test]
fn the_first_process_of_a_container_stops_when_asked() {
    let bench = Bench::new("init");
    // Without -F: process 1 stays in the foreground by itself.
    let child = bench.start(&["--pid", "--fork", "--kill-child"], "");
    bench.until_told("READY=1");
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let children = fs::read_to_string(children).expect("proc");
    let init = children.split_whitespace().next().expect("a child");
    signal(init.parse().expect("a number"), "-TERM");
    let (code, log) = end(child);
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("vrrpd: stopped"), "{log}");
}

#[test]
fn in_the_background_the_starter_returns_when_it_is_ready() {
    let bench = Bench::new("background");
    let pid_file = bench.dir.join("pid");
    let child = bench.start(&[], &format!("-p {}", pid_file.display()));
    let (code, log) = end(child);
    assert_eq!(code, Some(0), "{log}");
    let status = bench.ctl(&["status"]);
    assert_eq!(status.status.code(), Some(0), "ready at once");
    let pid = fs::read_to_string(&pid_file).expect("a pid file");
    let pid: u32 = pid.trim().parse().expect("a number");
    signal(pid, "-TERM");
    let end = Instant::now() + patient(LONG);
    while pid_file.exists() || bench.dir.join("socket").exists() {
        assert!(Instant::now() < end, "it does not stop");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn in_the_background_a_failure_is_the_starters_failure() {
    let bench = Bench::new("failure");
    let _first =
        vrrpd::control::ControlSocket::bind(&bench.dir.join("socket"), None).expect("a socket");
    let (code, log) = end(bench.start(&[], ""));
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("another vrrpd runs"), "{log}");
}

/// The lines that a syslog daemon has got by now.
fn logged(syslog: &UnixDatagram) -> String {
    syslog
        .set_nonblocking(true)
        .expect("a socket that does not wait");
    let (mut buffer, mut lines) = ([0; 4096], String::new());
    while let Ok(len) = syslog.recv(&mut buffer) {
        lines += &String::from_utf8_lossy(&buffer[..len]);
        lines.push('\n');
    }
    lines
}

#[test]
fn in_the_background_every_line_reaches_syslog_from_the_first_on() {
    let bench = Bench::new("syslog");
    let (child, syslog) = bench.start_with_syslog();
    let (code, shown) = end(child);
    let lines = logged(&syslog);
    assert_eq!(code, Some(0), "{shown}{lines}");
    // Said of the file, before the terminal is left, and after.
    assert!(
        lines.contains("this host has no interface `eth0`"),
        "{lines}"
    );
    assert!(lines.contains("starts with 1 virtual router"), "{lines}");
    assert!(!lines.contains("virtual routers"), "{lines}");
    assert_eq!(shown, "", "nothing that is no error");
    let status = bench.ctl(&["status", "--json"]);
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    let pid = status.split("\"pid\": ").nth(1).and_then(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse().ok()
    });
    signal(pid.expect("its number"), "-TERM");
    let end = Instant::now() + patient(LONG);
    let mut lines = String::new();
    while !lines.contains("stopped") {
        assert!(Instant::now() < end, "{lines}");
        thread::sleep(Duration::from_millis(20));
        lines += &logged(&syslog);
    }
}

#[test]
fn in_the_background_an_error_of_the_start_is_shown_and_logged() {
    let bench = Bench::new("syslog-error");
    bench.configure("priorty = 9\n");
    let (child, syslog) = bench.start_with_syslog();
    let (code, shown) = end(child);
    let lines = logged(&syslog);
    assert_eq!(code, Some(78), "{shown}{lines}");
    for said in [shown, lines] {
        assert!(
            said.contains("priorty") && said.contains("not usable"),
            "{said}"
        );
    }
}

/// Runs vrrpctl with its standard output going to `out`, and answers exit status and complaint.
fn into(bench: &Bench, args: &[&str], out: Stdio) -> (Option<i32>, String) {
    let mut command = Command::new(VRRPCTL);
    command.arg("-s").arg(bench.dir.join("socket")).args(args);
    let child = command.stdout(out).stderr(Stdio::piped()).spawn();
    end(child.expect("vrrpctl"))
}

/// A pipe whose reader has gone.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    writer.into()
}

fn full_disk() -> Stdio {
    let full = fs::OpenOptions::new().write(true).open("/dev/full");
    full.expect("/dev/full").into()
}

const ALL: [&[&str]; 11] = [
    &["status"],
    &["status", "--brief"],
    &["status", "--json"],
    &["who"],
    &["who", "--json"],
    &["stats"],
    &["stats", "--prometheus"],
    &["stats", "--openmetrics"],
    &["priority", "7", "90"],
    &["reload"],
    &["--help"],
];

#[test]
fn a_closed_pipe_is_no_failure_and_a_full_disk_is_one() {
    let bench = Bench::new("streams");
    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    for args in ALL {
        let (code, said) = into(&bench, args, closed_pipe());
        assert_eq!((code, said.as_str()), (Some(0), ""), "{args:?}");
        let (code, said) = into(&bench, args, full_disk());
        assert_eq!(code, Some(1), "{args:?}: {said}");
        let told = "vrrpctl: cannot write the standard output: ";
        assert!(said.starts_with(told), "{args:?}: {said}");
    }
    // One that follows ends with its reader, without an event.
    let (code, said) = into(&bench, &["events"], closed_pipe());
    assert_eq!((code, said.as_str()), (Some(0), ""));
    signal(child.id(), "-TERM");
    assert_eq!(end(child).0, Some(0));
}

#[test]
fn interface_and_family_choose_what_is_shown() {
    let bench = Bench::new("filter");
    bench.configure("[VRID]\nserverid = 8\ninterface = eth1\naddr = fe80::8/64\n");
    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    let seen = |args: &[&str]| {
        let got = bench.ctl(args);
        let text = String::from_utf8_lossy(&got.stdout).into_owned();
        let of = |vrid: &str, name: &str| {
            let json = format!("\"vrid\": {vrid},");
            let metric = format!("vrid=\"{vrid}\"");
            let row = |l: &str| l.split_whitespace().next() == Some(vrid);
            [name, &json, &metric].iter().any(|t| text.contains(t)) || text.lines().any(row)
        };
        let both = (of("7", "VRID 7 on eth0"), of("8", "VRID 8 on eth1"));
        (both, got.status.code())
    };
    for command in [
        &["status"][..],
        &["status", "--brief"],
        &["status", "--json"],
        &["stats"],
        &["stats", "--json"],
        &["stats", "--prometheus"],
        &["stats", "--openmetrics"],
    ] {
        for (filter, both, code) in [
            (&[][..], (true, true), 0),
            (&["-i", "eth0"], (true, false), 0),
            (&["-6"], (false, true), 0),
            (&["-4", "-i", "eth0"], (true, false), 0),
            (&["-6", "-i", "eth0"], (false, false), 4),
            (&["-i", "eth9"], (false, false), 4),
        ] {
            let args = [command, filter].concat();
            assert_eq!(seen(&args), (both, Some(code)), "{args:?}");
        }
    }
    for (args, code) in [
        (&["is-master", "7"][..], 1),
        (&["is-master", "9"], 4),
        (&["-6", "is-master", "7"], 4),
        (&["-i", "eth1", "is-master", "7"], 4),
        (&["-i", "eth0", "-4", "is-master", "7"], 1),
        (&["-i", "eth0", "reload"], 2),
        (&["-4", "-6", "status"], 2),
        (&["-i", "eth0", "-i", "eth1", "status"], 2),
        (&["--json", "--brief", "status"], 2),
    ] {
        assert_eq!(bench.ctl(args).status.code(), Some(code), "{args:?}");
    }
    signal(child.id(), "-TERM");
    assert_eq!(end(child).0, Some(0));
}

#[test]
fn the_history_goes_on_over_a_crash_of_the_worker_and_a_restart() {
    let bench = Bench::new("history");
    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    assert_eq!(bench.ctl(&["disable", "7"]).status.code(), Some(0));
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    let children = fs::read_to_string(children).expect("its children");
    let is_worker = |pid: &&str| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm"));
        name.is_ok_and(|name| name.trim_end() == "vrrpd-worker")
    };
    let worker = children.split_whitespace().find(is_worker);
    signal(
        worker.expect("a worker").parse().expect("a number"),
        "-KILL",
    );
    let log = || String::from_utf8_lossy(&bench.ctl(&["log"]).stdout).into_owned();
    let until = |what: &str| {
        let end = Instant::now() + patient(LONG);
        while !log().contains(what) {
            assert!(Instant::now() < end, "{what} is not in {}", log());
            thread::sleep(Duration::from_millis(50));
        }
    };
    until(
        " crash: the worker process was ended by signal 9; another is started in 0.1 s; `disable` and `resign` of vrrpctl are forgotten",
    );
    let status = || String::from_utf8_lossy(&bench.ctl(&["status"]).stdout).into_owned();
    let counted = ", 1 crash of its worker process";
    let limit = Instant::now() + patient(LONG);
    while !status().contains(counted) {
        assert!(Instant::now() < limit, "{}", status());
        thread::sleep(Duration::from_millis(50));
    }
    signal(child.id(), "-TERM");
    end(child);

    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    until(" stop: ");
    let text = log();
    let numbers = text.lines().map(|line| {
        let (number, _) = line.split_once(' ').expect("a number");
        number.parse().expect("a number")
    });
    let numbers: Vec<usize> = numbers.collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len()), "{text}");
    for part in [
        "start: vrrpd ",
        "VRID 7 on eth0 (ipv4): command: disabled (by ",
        "crash: ",
        "stop: vrrpd stops",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let last = numbers.len() - 1;
    let since = bench.ctl(&["log", "--since", &last.to_string()]);
    let since = String::from_utf8_lossy(&since.stdout).into_owned();
    assert_eq!(since.lines().count(), 1, "{since}");
    let none = bench.ctl(&["log", "--since", "soon"]);
    assert_eq!(none.status.code(), Some(2));
    signal(child.id(), "-TERM");
    end(child);
}

#[test]
fn a_scraper_is_answered_by_the_confined_worker() {
    use std::io::{Read, Write};
    let bench = Bench::new("metrics");
    let conf = fs::read_to_string(bench.dir.join("conf")).expect("the file");
    let metrics = bench.dir.join("metrics");
    let line = format!("[GLOBAL]\nmetrics = unix:{}\n", metrics.display());
    let conf = conf.replacen("[GLOBAL]\n", &line, 1);
    fs::write(bench.dir.join("conf"), conf).expect("a file");
    let child = bench.start(&[], "-F");
    bench.until_told("READY=1");
    let scrape = || {
        let mut stream = std::os::unix::net::UnixStream::connect(&metrics).expect("a socket");
        let limit = Some(patient(LONG));
        stream.set_read_timeout(limit).expect("a time limit");
        stream
            .write_all(b"GET /metrics HTTP/1.0\r\n\r\n")
            .expect("room");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let answer = scrape();
    let state = "\nvrrp_state{vrid=\"7\",interface=\"eth0\",family=\"ipv4\",state=\"init\"} 1\n";
    assert!(answer.contains(state), "{answer}");
    assert!(answer.contains("\nvrrpd_reload_success 1\n"), "{answer}");
    // A file that is refused is seen by monitoring.
    fs::write(bench.dir.join("conf"), "[VRID]\n").expect("a file");
    assert_eq!(bench.ctl(&["reload"]).status.code(), Some(1));
    // Scrapes that follow each other at once get the same numbers.
    let end_by = Instant::now() + patient(LONG);
    while !scrape().contains("\nvrrpd_reload_success 0\n") {
        assert!(Instant::now() < end_by, "{}", scrape());
        thread::sleep(Duration::from_millis(50));
    }
    signal(child.id(), "-TERM");
    let (status, log) = end(child);
    assert_eq!(status, Some(0), "{log}");
    assert!(!metrics.exists(), "the name goes with vrrpd");
}
