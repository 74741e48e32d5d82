//! The command lines of both programs: no privilege needed, nothing touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use vrrpd::control::ControlSocket;

const VRRPD: &str = env!("CARGO_BIN_EXE_vrrpd");
const VRRPCTL: &str = env!("CARGO_BIN_EXE_vrrpctl");

const GOOD: &str = "[VRID]\nserverid = 1\ninterface = none0\naddr = 10.0.0.1/32\n";

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("vrrpd-cli-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).expect("a directory");
        Self(dir)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn run(program: &str, args: &[&str]) -> Output {
    let mut command = Command::new(program);
    command.args(args).env_remove("JOURNAL_STREAM");
    command.output().expect("the program")
}

/// Copies vrrpd, by cp(1): another thread's child could inherit a descriptor by which we write, and a program that
/// is open for writing does not start.
fn copy_program(to: &Path) {
    let copied = Command::new("cp").arg(VRRPD).arg(to).status();
    assert!(copied.is_ok_and(|status| status.success()), "cp(1)");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn check_says_that_a_file_is_correct() {
    let dir = Dir::new("good");
    let file = dir.file("c", GOOD);
    let got = run(VRRPD, &["--check", text(&file)]);
    assert_eq!(got.status.code(), Some(0), "{}", out(&got));
    assert!(out(&got).ends_with("/c: correct, 1 virtual router\n"));
}

#[test]
fn check_says_that_the_program_of_checks_is_missing() {
    let dir = Dir::new("checker");
    let lone = dir.0.join("vrrpd");
    copy_program(&lone);
    let file = dir.file(
        "c",
        &format!("{GOOD}check = a\n\n[CHECK]\nname = a\nfile = /tmp\n"),
    );
    let check = || {
        let got = run(text(&lone), &["--check", text(&file)]);
        assert_eq!(got.status.code(), Some(0), "{}", out(&got));
        out(&got)
    };
    let warned = check();
    let expected = "/c:7: warning: no check of this file is run";
    assert!(warned.contains(expected), "{warned}");
    assert!(
        warned.contains("../libexec/vrrpd/vrrp-checker: "),
        "{warned}"
    );
    let checker = dir.0.join("vrrp-checker");
    fs::write(&checker, "").expect("a file");
    let warned = check();
    assert!(
        warned.contains("vrrp-checker: it is no program"),
        "{warned}"
    );
    fs::remove_file(&checker).expect("the file was there");
    copy_program(&checker);
    let silent = check();
    assert!(!silent.contains("vrrp-checker"), "{silent}");
}

#[test]
fn check_prints_what_is_in_force_as_a_file() {
    let dir = Dir::new("print");
    let file = dir.file("c", GOOD);
    let got = run(VRRPD, &["-f", text(&file), "--check", "--print"]);
    assert_eq!(got.status.code(), Some(0), "{}", out(&got));
    let printed = out(&got);
    assert!(printed.contains("\npriority = 100\n"), "{printed}");
    assert!(printed.starts_with("# "), "{printed}");
    let again = dir.file("d", &printed);
    let got = run(VRRPD, &["--check", text(&again), "--print"]);
    assert_eq!(got.status.code(), Some(0));
    let without = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    assert_eq!(without(&out(&got)), without(&printed));
}

#[test]
fn check_compares_with_a_vrrpd_that_runs() {
    let dir = Dir::new("compare");
    let socket = dir.0.join("s");
    let text_of = format!("[GLOBAL]\ncontrolsocket = {}\n{GOOD}", text(&socket));
    let file = dir.file("c", &text_of);
    let got = run(VRRPD, &["--check", "--against-running", text(&file)]);
    assert_eq!(got.status.code(), Some(1));
    assert!(out(&got).contains(text(&socket)), "{}", out(&got));
    // vrrpctl asks there, too.
    let got = run(VRRPCTL, &["-f", text(&file), "status"]);
    assert_eq!(got.status.code(), Some(3));
    assert!(err(&got).contains(text(&socket)), "{}", err(&got));
    let wrong = dir.file("d", "[GLOBAL]\ncontrolsocket = s\n");
    for args in [
        &["-f", text(&wrong), "status"][..],
        &["-f", text(&dir.0.join("none")), "status"],
        &["-f", text(&file), "-s", "/x", "status"],
        &["status", "--dry-run"],
        &["config", "-4"],
    ] {
        let got = run(VRRPCTL, args);
        assert_eq!(got.status.code(), Some(2), "{args:?}: {}", err(&got));
    }
    for args in [
        &["--print"][..],
        &["some.conf"],
        &["--check", "--print", "--against-running"],
        &["--check", "a", "b"],
        &["--check", "--clean"],
    ] {
        let got = run(VRRPD, args);
        assert_eq!(got.status.code(), Some(2), "{args:?}: {}", err(&got));
    }
}

#[test]
fn check_shows_every_error_at_once_and_ends_with_78() {
    let dir = Dir::new("bad");
    let file = dir.file(
        "c",
        &GOOD.replace("serverid = 1", "serverid = 0\npriorty = 9"),
    );
    let got = run(VRRPD, &["--check", text(&file)]);
    assert_eq!(got.status.code(), Some(78));
    let out = out(&got);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].contains("/c:2: serverid: "), "{out}");
    assert!(
        lines[1].contains("/c:3: ") && lines[1].contains("`priority`"),
        "{out}"
    );
    let missing = run(VRRPD, &["--check", text(&dir.0.join("none"))]);
    assert_eq!(missing.status.code(), Some(78));
}

#[test]
fn a_start_with_a_wrong_file_ends_with_78_and_touches_nothing() {
    let dir = Dir::new("start");
    let socket = dir.0.join("s");
    let text_of = format!("[GLOBAL]\ncontrolsocket = {}\n[VRID]\n", text(&socket));
    let file = dir.file("c", &text_of);
    let got = run(VRRPD, &["-F", "-f", text(&file)]);
    assert_eq!(got.status.code(), Some(78));
    assert!(err(&got).contains("vrrpd: error: "), "{}", err(&got));
    assert!(!socket.exists());
}

#[test]
fn the_second_daemon_of_a_control_socket_is_refused() {
    let dir = Dir::new("second");
    let socket = dir.0.join("s");
    let file = dir.file(
        "c",
        &format!("[GLOBAL]\ncontrolsocket = {}\n{GOOD}", text(&socket)),
    );
    let _first = ControlSocket::bind(&socket, None).expect("a socket");
    let got = run(VRRPD, &["-F", "-f", text(&file)]);
    assert_eq!(got.status.code(), Some(1));
    assert!(
        err(&got).contains("another vrrpd runs with the control socket"),
        "{}",
        err(&got)
    );
}

#[test]
fn wrong_usage_ends_with_2_and_says_where_the_right_one_is() {
    for args in [&["--bogus"][..], &["-f"], &["stray"]] {
        let got = run(VRRPD, args);
        assert_eq!(got.status.code(), Some(2), "{args:?}");
        assert!(err(&got).contains("usage: vrrpd"), "{args:?}");
    }
    let cases: [&[&str]; 7] = [
        &[],
        &["shout"],
        &["resign"],
        &["resign", "0"],
        &["priority", "1", "256"],
        &["who", "--openmetrics"],
        &["reload", "now"],
    ];
    for args in cases {
        let got = run(VRRPCTL, args);
        assert_eq!(got.status.code(), Some(2), "{args:?}");
        let said = err(&got);
        assert!(said.starts_with("vrrpctl: "), "{args:?}: {said}");
        assert!(said.ends_with("; see vrrpctl(8)\n"), "{args:?}: {said}");
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    }
}

#[test]
fn a_word_that_is_missing_or_in_the_wrong_place_is_named() {
    for (args, part) in [
        (
            &["priority", "web", "--for", "20s"][..],
            "a priority from 1 to 255 or `default` after the virtual router, found `web` alone",
        ),
        (
            &["drain", "web", "--wait", "30s"],
            ": --wait=30s, not --wait 30s",
        ),
        (
            &["resign", "--wait", "2m", "web"],
            ": --wait=2m, not --wait 2m",
        ),
    ] {
        let got = run(VRRPCTL, args);
        assert_eq!(got.status.code(), Some(2), "{args:?}");
        assert!(err(&got).contains(part), "{args:?}: {}", err(&got));
    }
    // A number is a VRID.
    let got = run(VRRPCTL, &["-s", "/nonexistent", "resign", "--wait", "1"]);
    assert_eq!(got.status.code(), Some(3), "{}", err(&got));
}

#[test]
fn help_and_version_go_to_the_standard_output() {
    for program in [VRRPD, VRRPCTL] {
        let help = run(program, &["--help"]);
        assert_eq!(help.status.code(), Some(0));
        assert!(out(&help).starts_with("usage: vrrp"));
        let version = out(&run(program, &["--version"]));
        assert!(
            version.trim_end().ends_with(env!("CARGO_PKG_VERSION")),
            "{version}"
        );
    }
}

#[test]
fn vrrpctl_says_when_there_is_no_daemon() {
    let dir = Dir::new("none");
    let got = run(VRRPCTL, &["-s", text(&dir.0.join("s")), "status"]);
    assert_eq!(got.status.code(), Some(3));
    assert!(
        err(&got).starts_with("vrrpctl: vrrpd does not run: "),
        "{}",
        err(&got)
    );
}

#[test]
fn vrrpctl_explains_its_commands() {
    let help = out(&run(VRRPCTL, &["help", "resign"]));
    assert!(help.starts_with("usage: vrrpctl resign"), "{help}");
    assert_eq!(out(&run(VRRPCTL, &["resign", "--help"])), help);
    let completion = out(&run(VRRPCTL, &["completion", "bash"]));
    assert!(completion.contains("complete -F _vrrpctl vrrpctl"));
    for args in [&["help", "shout"][..], &["completion", "tcsh"]] {
        assert_eq!(run(VRRPCTL, args).status.code(), Some(2), "{args:?}");
    }
}

#[test]
fn a_failure_is_json_where_json_was_asked_for() {
    let got = run(VRRPCTL, &["-s", "/nonexistent", "status", "--json"]);
    assert_eq!(got.status.code(), Some(3));
    assert!(err(&got).starts_with("vrrpctl: vrrpd does not run: "));
    let text = out(&got);
    assert!(
        text.starts_with("{\"error\":{\"message\":\"vrrpd does not run"),
        "{text}"
    );
}

#[test]
fn a_closed_pipe_is_no_failure_and_a_full_disk_is_one() {
    let dir = Dir::new("streams");
    let good = dir.file("good", GOOD);
    let bad = dir.file("bad", "[VRID]\n");
    let cases: [(&str, &[&str], i32); 7] = [
        (VRRPD, &["--check", text(&good)], 0),
        (VRRPD, &["--check", text(&bad)], 78),
        (VRRPD, &["--check", "/nonexistent"], 78),
        (VRRPD, &["--help"], 0),
        (VRRPD, &["--version"], 0),
        (VRRPCTL, &["--help"], 0),
        (VRRPCTL, &["--version"], 0),
    ];
    for (program, args, code) in cases {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = Command::new(program);
        let got = command
            .args(args)
            .stdout(writer)
            .output()
            .expect("a program");
        assert_eq!(
            (got.status.code(), err(&got)),
            (Some(code), String::new()),
            "{args:?}"
        );
        let full = fs::OpenOptions::new().write(true).open("/dev/full");
        let mut command = Command::new(program);
        command.args(args).stdout(full.expect("/dev/full"));
        let got = command.stderr(Stdio::piped()).output().expect("a program");
        assert_eq!(got.status.code(), Some(1), "{args:?}: {}", err(&got));
        assert!(
            err(&got).contains(": cannot write the standard output: "),
            "{}",
            err(&got)
        );
    }
    // Nor is it one when there is nobody to complain to.
    for (program, args, code) in [
        (VRRPD, &["--bogus"][..], 2),
        (VRRPCTL, &["--bogus"], 2),
        (VRRPCTL, &["-s", "/nonexistent", "status"], 3),
        (VRRPD, &["-F", "-f", "/nonexistent"], 78),
    ] {
        for closed in [true, false] {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            let full = fs::OpenOptions::new().write(true).open("/dev/full");
            let stderr = if closed {
                writer.into()
            } else {
                Stdio::from(full.expect("/dev/full"))
            };
            let status = Command::new(program).args(args).stderr(stderr).status();
            assert_eq!(status.expect("a program").code(), Some(code), "{args:?}");
        }
    }
}

const KEEPALIVED: &str = "vrrp_instance A {
    interface none0
    virtual_router_id 5
    priority 90
    @other nopreempt
    virtual_ipaddress {
        192.0.2.5
    }
}
";

#[test]
fn an_import_gives_a_file_a_report_and_a_status() {
    let dir = Dir::new("import");
    let file = dir.file("keepalived.conf", KEEPALIVED);
    let got = run(VRRPD, &["--import", text(&file), "--config-id", "web"]);
    assert_eq!(got.status.code(), Some(0), "{}", err(&got));
    assert!(
        out(&got).contains("\n[VRID]\nname = A\nserverid = 5\n"),
        "{}",
        out(&got)
    );
    assert!(
        err(&got).ends_with("1 virtual router: 5 carried over, 1 note\n"),
        "{}",
        err(&got)
    );
    let made = dir.file("vrrpd.conf", &out(&got));
    let checked = run(VRRPD, &["--check", text(&made)]);
    assert_eq!(checked.status.code(), Some(0), "{}", out(&checked));

    let other = run(
        VRRPD,
        &[&format!("--import={}", text(&file)), "--config-id=other"],
    );
    assert!(out(&other).contains("\npreempt = no\n"), "{}", out(&other));

    let lost = dir.file(
        "lost.conf",
        &KEEPALIVED.replace("priority 90", "smtp_alert"),
    );
    let got = run(VRRPD, &["--import", text(&lost), "--config-id", "web"]);
    assert_eq!(got.status.code(), Some(1), "{}", err(&got));
    assert!(
        err(&got).contains("lost.conf:4: not carried over: smtp_alert"),
        "{}",
        err(&got)
    );
}

#[test]
fn an_import_of_nothing_gives_no_file() {
    let dir = Dir::new("import-nothing");
    let file = dir.file("keepalived.conf", "virtual_server 192.0.2.1 80 {\n}\n");
    for path in [text(&file), "/nowhere/keepalived.conf", "/"] {
        let got = run(VRRPD, &["--import", path]);
        assert_eq!(got.status.code(), Some(78), "{}", err(&got));
        assert_eq!(out(&got), "");
        assert!(err(&got).contains(path), "{}", err(&got));
    }
}

#[test]
fn an_import_wants_a_file_and_nothing_beside_it() {
    for args in [
        &["--import"][..],
        &["--import", "a", "--check"],
        &["--import", "a", "b"],
        &["--config-id", "a"],
        &["--check", "--config-id", "a"],
    ] {
        let got = run(VRRPD, args);
        assert_eq!(got.status.code(), Some(2), "{args:?} {}", err(&got));
    }
}
