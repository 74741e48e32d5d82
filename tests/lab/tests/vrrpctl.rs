//! vrrpctl beside a vrrpd that runs: its exit statuses, and its live view on a terminal. Needs root or a
//! user namespace.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::process::{Child, Command, Stdio};

use vrrp_lab::daemons::{vrrpctl, vrrpctl_status, vrrpd_binary, vrrpd_control_socket};
use vrrp_lab::pair::{LIMIT, Pair};
use vrrp_lab::{Host, Program, Segment, Vr, sys, wait_until};

fn pair() -> Pair {
    let vr = Vr::new(1, "10.10.10.80").interval_cs(20).line("name = web");
    Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr)
}

#[test]
fn the_exit_status_tells_what_is_not_there_from_what_is_refused() {
    let pair = pair();
    let host = &pair.network.fridge;
    let status = |words: &[&str]| vrrpctl_status(host, words);
    for words in [
        &["drain", "nosuch"][..],
        &["undrain", "nosuch"],
        &["hold", "2"],
        &["release", "web", "2"],
        &["priority", "2", "9"],
        &["default", "2"],
        &["resign", "nosuch"],
        &["failover", "nosuch"],
        &["failback", "2"],
        &["disable", "2"],
        &["enable", "--all", "-i", "nosuch"],
        &["explain", "nosuch"],
        &["is-master", "2"],
        &["status", "nosuch"],
        &["log", "nosuch"],
        &["who", "99"],
        &["check", "nosuch"],
    ] {
        let (code, [_, error]) = status(words);
        assert_eq!(code, 4, "{words:?}: {error}");
        assert!(error.contains("there is no "), "{words:?}: {error}");
    }
    let refused = status(&["failover", "web"]);
    assert_eq!(refused.0, 1, "a backup has nothing to move: {refused:?}");
    for words in [
        &["explain", "web"][..],
        &["explain", "1"],
        &["hold", "web"],
        &["release", "1"],
        &["undrain", "--all"],
        &["log", "web"],
    ] {
        let got = status(words);
        assert_eq!(got.0, 0, "{words:?}: {got:?}");
    }
    // A drain is a finding.
    assert_eq!(status(&["drain", "web"]).0, 0);
    let (code, [found, _]) = status(&["doctor"]);
    assert_eq!(code, 1, "{found}");
    assert!(found.contains("drained since "), "{found}");
}

#[test]
fn a_host_that_does_not_listen_takes_no_silence_for_absence() {
    let pair = pair();
    let host = &pair.network.fridge;
    assert_eq!(vrrpctl_status(host, &["disable", "web"]).0, 0);
    wait_until(LIMIT, "who says that it does not listen", || {
        vrrpctl(host, &["who"]).contains("unknown since: not listening")
    });
    let (_, [found, _]) = vrrpctl_status(host, &["doctor"]);
    assert!(
        found.contains("it does not listen while it is in init"),
        "{found}"
    );
    assert!(!found.contains("nobody serves"), "{found}");
    // It listens again.
    assert_eq!(vrrpctl_status(host, &["enable", "web"]).0, 0);
    wait_until(LIMIT, "who has the master", || {
        let said = vrrpctl(host, &["who"]);
        !said.contains("not listening") && said.contains("10.10.10.80")
    });
}

#[test]
fn a_number_that_no_record_has_is_told() {
    let pair = pair();
    let host = &pair.network.fridge;
    let last = vrrpctl(host, &["log"]).lines().count();
    let (code, [records, notice]) = vrrpctl_status(host, &["log", "--since", "999999"]);
    assert_eq!((code, records.as_str()), (0, ""));
    assert!(
        notice.contains("there is no record 999999, the last one is "),
        "{last}: {notice}"
    );
    let (_, [_, notice]) = vrrpctl_status(host, &["log", "--since", "1"]);
    assert_eq!(notice, "");
}

/// A vrrpctl at a terminal.
struct Watching {
    child: Child,
    person: File,
    shown: String,
}

impl Watching {
    fn start(host: &Host, words: &[&str]) -> (Self, std::os::fd::OwnedFd) {
        let (person, terminal) = sys::terminal(12, 60).expect("a pseudo-terminal");
        let mut command = Command::new(vrrpd_binary("vrrpctl"));
        let end = || Stdio::from(terminal.try_clone().expect("a copy"));
        command
            .arg("-s")
            .arg(vrrpd_control_socket(host))
            .args(words);
        command.env_remove("NO_COLOR");
        command.stdin(end()).stdout(end()).stderr(end());
        host.netns().start_in(&mut command);
        let watching = Self {
            child: command.spawn().expect("vrrpctl"),
            person: File::from(person),
            shown: String::new(),
        };
        (watching, terminal)
    }

    /// Takes what has been written, and returns all of it.
    fn read(&mut self) -> &str {
        let mut octets = [0; 4096];
        loop {
            match self.person.read(&mut octets) {
                Ok(n) if n > 0 => self.shown += &String::from_utf8_lossy(&octets[..n]),
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    panic!("the terminal: {error}")
                }
                _ => return &self.shown,
            }
        }
    }

    fn wait_for(&mut self, part: &str) {
        wait_until(LIMIT, part, || self.read().contains(part));
    }

    /// Waits for its end, and returns its exit status.
    fn end(&mut self) -> (Option<i32>, &str) {
        let mut status = None;
        wait_until(LIMIT, "vrrpctl ends", || {
            self.read();
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        self.read();
        (status.and_then(|status| status.code()), &self.shown)
    }
}

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

#[test]
fn the_live_view_follows_what_happens_and_leaves_the_terminal_as_it_was() {
    let pair = pair();
    let host = &pair.network.clarinet;
    for end in [b"q", b"\x03"] {
        let (mut watching, terminal) = Watching::start(host, &["status", "--watch"]);
        watching.wait_for("\x1b[32mmaster\x1b[0m for ");
        assert!(watching.shown.starts_with(ENTER), "{:?}", watching.shown);
        assert!(!sys::is_cooked(&terminal).expect("settings"));
        // Events are shown at once, and not at the next second.
        let frames = watching.read().matches("\x1b[H").count();
        vrrpctl(host, &["hold", "web"]);
        watching.wait_for(", held");
        vrrpctl(host, &["release", "web"]);
        assert!(watching.shown.matches("\x1b[H").count() > frames);
        for line in watching.shown.split("\r\n").map(visible) {
            assert!(line.chars().count() <= 60, "{line:?}");
        }
        watching.person.write_all(end).expect("a key");
        let (code, shown) = watching.end();
        assert_eq!(code, Some(0), "{end:?}");
        assert!(shown.ends_with(LEAVE), "{shown:?}");
        assert!(sys::is_cooked(&terminal).expect("settings"));
    }
    // A vrrpd that stops is told, on the screen that was there before.
    let (mut watching, terminal) = Watching::start(host, &["status", "--brief", "--watch"]);
    watching.wait_for("master");
    let mut daemon = pair.clarinet;
    daemon.stop();
    let (code, shown) = watching.end();
    assert_eq!(code, Some(3));
    let (_, after) = shown.split_once(LEAVE).expect("the end of the view");
    assert!(after.contains("vrrpctl: "), "{after:?}");
    assert!(sys::is_cooked(&terminal).expect("settings"));
    // Without a terminal there is no view.
    let (code, [_, error]) = vrrpctl_status(&pair.network.fridge, &["status", "--watch"]);
    assert_eq!(code, 2);
    assert!(error.contains("--watch is for terminals"), "{error}");
}

/// A line without its escape sequences.
fn visible(line: &str) -> String {
    let mut pieces = line.split('\x1b');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        let rest = piece.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
        text + rest.get(1..).unwrap_or_default()
    })
}
