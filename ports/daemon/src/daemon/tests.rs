//! The whole daemon over a platform that is not there.

mod commands;
mod groups;
mod overrides;
pub(crate) mod platform;
mod reloads;
mod tracked;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use platform::FakePlatform;
use vrrp_config as config;
use vrrp_control::{Answer, NoticeKind, Record, Request, Since, State, Status, Terms, Which};
use vrrp_core::VrKey;
use vrrp_host::{Host, Platform, PlatformWarning, Secret, Subject};

use super::{Daemon, Parts};
use crate::control::{ControlSocket, Server};
use crate::logging::capture;
use crate::patience::patient;
use crate::privsep::tests::serve;
use crate::scratch::Directory;
use crate::sys;

const LONG: Duration = Duration::from_secs(20);

struct Bench {
    daemon: Daemon<FakePlatform>,
    client: BufReader<UnixStream>,
    _control: ControlSocket,
    /// The last: the others write into it.
    dir: Directory,
}

/// Two virtual routers that become master within half a second, with scripts that write down what
/// they are told.
fn sections(dir: &Path, priority: u8) -> String {
    let script = dir.join("script");
    let section = |vrid: u8, priority: u8| {
        let s = script.display();
        format!(
            "[VRID]\nserverid = {vrid}\ninterface = eth0\naddr = 10.0.0.{vrid}/32\n\
             priority = {priority}\nadvertinterval = 0.05\nmasterscript = /bin/sh {s}\n\
             backupscript = /bin/sh {s}\nfaultscript = /bin/sh {s}\nstopscript = /bin/sh {s}\n"
        )
    };
    section(1, priority) + &section(2, 100)
}

impl Bench {
    fn new() -> Self {
        Self::with(|dir| sections(dir, 200))
    }

    fn with(text: impl FnOnce(&Path) -> String) -> Self {
        let dir = Directory::new("daemon");
        capture::start();
        let log = dir.join("log");
        let script = format!(
            "echo $1:$3:$VRRP_OLD_STATE:$VRRP_NEW_STATE >>{}\n",
            log.display()
        );
        fs::write(dir.join("script"), script).expect("a script");
        let file = dir.join("vrrpd.conf");
        fs::write(&file, text(&dir)).expect("a file");
        let parsed = config::parse(&file, fs::read(&file).expect("the file"));
        let mut config = parsed.config.expect("a correct file");
        let secrets = config.virtual_routers.iter().filter_map(|router| {
            let hmac = router.spec.hmac.as_ref()?;
            Some(hmac.keys.iter().filter_map(|_| Secret::new(vec![7; 32])))
        });
        assert!(config.put_secrets(secrets.flatten().collect()));
        let host = Host::open(FakePlatform::new(), config.host()).expect("a host");
        let control = ControlSocket::bind(&dir.join("socket"), None).expect("a socket");
        let server = Server::new(control.listener().expect("a copy"), sys::effective_uid());
        let client = UnixStream::connect(control.path()).expect("a client");
        client
            .set_read_timeout(Some(patient(LONG)))
            .expect("a time limit");
        let (parent, start) = serve(&file, || FakePlatform::new().facts());
        let parts = Parts {
            control: server,
            text: fs::read(&file).expect("the file"),
            parent,
            file,
            config,
            pid: std::process::id(),
            began: start.began,
            crashes: start.crashes,
            log_level_of_file: false,
            history: start.history,
            overrides: start.overrides,
            refused_reload: start.refused_reload,
            user_name: start.user_name,
            scraper: None,
        };
        let mut daemon = Daemon::new(host, parts);
        daemon.start();
        Self {
            dir,
            daemon,
            client: BufReader::new(client),
            _control: control,
        }
    }

    /// True: it goes on.
    fn turn(&mut self) -> bool {
        let turn = self.daemon.turn(Some(Duration::from_millis(5)));
        turn.expect("a turn")
    }

    fn until(&mut self, what: &str, done: impl Fn(&mut Self) -> bool) {
        let end = Instant::now() + patient(LONG);
        while !done(self) {
            assert!(Instant::now() < end, "{what}; log: {:?}", capture::peek());
            self.turn();
        }
    }

    fn ask(&mut self, request: &Request) -> Answer {
        let mut line = serde_json::to_string(request).expect("JSON");
        line.push('\n');
        let said = self.client.get_mut().write_all(line.as_bytes());
        said.expect("room for a request");
        // The answer may wait for the disk.
        self.client.get_ref().set_nonblocking(true).expect("a flag");
        self.until("an answer", |b| {
            b.client.fill_buf().is_ok_and(|buf| !buf.is_empty())
        });
        self.client
            .get_ref()
            .set_nonblocking(false)
            .expect("a flag");
        self.turn();
        self.answer()
    }

    fn answer(&mut self) -> Answer {
        let mut text = String::new();
        self.client.read_line(&mut text).expect("an answer");
        serde_json::from_str(&text).expect("JSON")
    }

    fn status(&mut self) -> Status {
        match self.ask(&Request::Status) {
            Answer::Status(status) => status,
            other => panic!("{other:?}"),
        }
    }

    fn states(&mut self) -> Vec<State> {
        let routers = self.status().virtual_routers.into_iter();
        routers.map(|router| router.state).collect()
    }

    fn until_masters(&mut self) {
        self.until("both master", |b| {
            b.states() == [State::Master, State::Master]
        });
    }

    fn until_logged(&mut self, line: &str) {
        self.until(line, |_| capture::peek().iter().any(|l| l == line));
    }

    fn scripts(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn done(&mut self, request: &Request) -> Vec<String> {
        match self.ask(request) {
            Answer::Done { messages } => messages,
            other => panic!("{request:?}: {other:?}"),
        }
    }
}

fn which(vrid: u8) -> Which {
    Which {
        vrid,
        ..Which::default()
    }
}

fn one() -> Which {
    Which {
        vrid: 1,
        ..Which::default()
    }
}

fn drain(terms: Terms) -> Request {
    Request::Drain {
        which: one(),
        terms,
        wait_s: None,
    }
}

#[test]
fn nothing_is_brought_back_while_the_clock_is_in_doubt() {
    // The platform has no clock, and as nobody is heard for long it stays backup.
    let mut bench = Bench::with(|dir| {
        let keys = format!("auth = hmac\nkeyfile = 1:{}\n", dir.join("key").display());
        sections(dir, 200).replace("advertinterval = 0.05\n", "advertinterval = 40\n") + &keys
    });
    bench.until("both backup", |b| {
        b.states() == [State::Backup, State::Backup]
    });
    bench.done(&Request::Failback(one()));
    let Answer::Error { message, .. } = bench.ask(&Request::Failback(which(2))) else {
        panic!("done");
    };
    assert!(
        message.contains("VRID 2 on eth0 (ipv4): its clock is not known to be right"),
        "{message}"
    );
}

#[test]
fn a_parent_that_says_nothing_for_a_lease_ends_the_worker_which_hands_over() {
    let mut bench = Bench::with(|dir| format!("[GLOBAL]\nlease = 2\n{}", sections(dir, 200)));
    bench.until_masters();
    let began = Instant::now();
    let end = began + patient(LONG);
    let error = loop {
        assert!(Instant::now() < end, "it goes on");
        match bench.daemon.turn(Some(Duration::from_millis(5))) {
            Ok(goes_on) => assert!(goes_on),
            Err(error) => break error.to_string(),
        }
    };
    let expected = "the parent process stands still: it has said nothing for ";
    assert!(error.starts_with(expected), "{error}");
    let reports = bench.daemon.host.statuses();
    assert!(
        reports.iter().all(|report| report.status.handing_over),
        "{reports:?}"
    );
}

#[test]
fn a_start_is_logged_told_to_scripts_and_seen_in_status() {
    let mut bench = Bench::new();
    bench.until_masters();
    let wanted = ["1:backup:init:backup", "1:master:backup:master"];
    bench.until("scripts", |b| {
        let scripts = b.scripts();
        wanted.iter().all(|line| scripts.contains(line))
    });
    let log = capture::take();
    let line = "INFO: VRID 1 on eth0 (ipv4): backup -> master: no advertisement from anybody within 0.161 s";
    assert!(log.contains(&line.to_owned()), "{log:?}");
    let status = bench.status();
    assert_eq!(status.pid, std::process::id());
    let first = &status.virtual_routers[0];
    assert_eq!(first.addresses, ["10.0.0.1/32"]);
    assert_eq!(first.mac, "00:00:5e:00:01:01");
    assert_eq!(first.source.as_deref(), Some("10.0.0.200"));
    assert_eq!((first.priority, first.base_priority), (200, 200));
    assert_eq!(first.peer, None);
}

#[test]
fn a_stop_waits_for_scripts_and_leaves_nothing() {
    let mut bench = Bench::new();
    bench.until_masters();
    bench.daemon.stop(Instant::now());
    let end = Instant::now() + patient(LONG);
    while bench.turn() {
        assert!(Instant::now() < end, "{:?}", capture::peek());
    }
    let scripts = bench.scripts();
    // backupscript for the loss of mastership, then stopscript.
    for vrid in [1, 2] {
        let line = format!("{vrid}:stop:master:init\n");
        assert_eq!(scripts.matches(&line).count(), 2, "{scripts}");
    }
    let platform = bench.daemon.host.platform();
    assert!(
        platform.installed().is_empty(),
        "{:?}",
        platform.installed()
    );
}

#[test]
fn the_second_request_to_stop_is_one_to_stop_at_once() {
    let mut bench = Bench::new();
    let hang = format!("trap '' TERM; sleep 1000; echo {}\n", bench.dir.display());
    fs::write(bench.dir.join("script"), hang).expect("a script");
    bench.until_masters();
    bench.daemon.stop(Instant::now());
    assert!(bench.turn());
    bench.daemon.stop(Instant::now());
    let began = Instant::now();
    assert!(!bench.turn());
    // Scripts would have ten seconds.
    assert!(began.elapsed() < Duration::from_secs(8));
}

#[test]
fn a_warning_is_shown_while_it_lasts_and_logged_at_both_ends() {
    let mut bench = Bench::new();
    bench.until_masters();
    let warn = |subject, text: &str| PlatformWarning {
        subject,
        text: text.into(),
    };
    let key = VrKey {
        ifindex: 1,
        vrid: vrrp_core::Vrid::new(2).expect("not 0"),
        family: vrrp_core::Family::Ipv4,
    };
    let all = vec![
        warn(Subject::Host, "the kernel is old"),
        warn(Subject::VirtualRouter(key), "eth2 does not exist"),
    ];
    capture::take();
    bench.daemon.host.platform().warnings.replace(all);
    let has = |line: &str, log: &[String]| log.iter().any(|l| l == line);
    let shown = |b: &mut Bench| {
        let status = b.status();
        let of = |number: usize| status.virtual_routers[number].warnings.clone();
        (status.warnings.clone(), of(0), of(1))
    };
    let eth2 = "eth2 does not exist".to_owned();
    let whole = vec!["the kernel is old".to_owned()];
    assert_eq!(shown(&mut bench), (whole, vec![], vec![eth2]));
    let lines = [
        "WARN: the kernel is old",
        "WARN: VRID 2 on eth0 (ipv4): eth2 does not exist",
    ];
    bench.until("logged", |_| {
        lines.iter().all(|line| has(line, &capture::peek()))
    });
    // Several looks later.
    let later = Instant::now() + Duration::from_millis(2_500);
    bench.until("time", |_| Instant::now() >= later);
    let log = capture::take();
    for line in lines {
        let many = log.iter().filter(|l| *l == line).count();
        assert_eq!(many, 1, "{log:?}");
    }
    bench.daemon.host.platform().warnings.take();
    assert_eq!(shown(&mut bench), (vec![], vec![], vec![]));
    let lines = [
        "INFO: no longer: the kernel is old",
        "INFO: no longer: VRID 2 on eth0 (ipv4): eth2 does not exist",
    ];
    bench.until("over", |_| {
        lines.iter().all(|line| has(line, &capture::peek()))
    });
}
