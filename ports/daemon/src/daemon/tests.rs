//! The whole daemon over a platform that is not there.

mod groups;
mod overrides;
pub(crate) mod platform;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use vrrp_core::VrKey;
use vrrp_host::{Host, Platform, PlatformWarning, Secret, Subject};

use super::{Daemon, Parts};
use crate::control::{ControlSocket, Server};
use crate::logging::capture;
use crate::patience::patient;
use crate::privsep::tests::serve;
use crate::sys;
use platform::FakePlatform;
use vrrp_config as config;
use vrrp_control::{Answer, NoticeKind, Record, Request, Since, State, Status, Terms, Which};

const LONG: Duration = Duration::from_secs(20);

struct Bench {
    dir: PathBuf,
    daemon: Daemon<FakePlatform>,
    client: BufReader<UnixStream>,
    _control: ControlSocket,
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
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("vrrpd-daemon-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).expect("a directory");
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

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
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
fn a_name_means_every_family_of_its_section_and_is_told() {
    let mut bench = Bench::with(|_| {
        "[VRID]\nserverid = 1\nname = web\ninterface = eth0\nadvertinterval = 0.05\npriority = 200\n\
         addr = 10.0.0.1/32, fe80::1/64\n"
            .to_owned()
    });
    // There is no address to advertise from in the other family.
    let serves = |b: &mut Bench| b.states() == [State::Master, State::Init];
    bench.until("master", serves);
    let log = capture::peek();
    let line = "INFO: web (VRID 1 on eth0, ipv4): backup -> master: ";
    assert!(log.iter().any(|l| l.starts_with(line)), "{log:?}");
    let named = |names: &[&str]| Which {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..Which::default()
    };
    let Answer::Done { messages } = bench.ask(&Request::Disable(named(&["web"]))) else {
        panic!("refused");
    };
    assert_eq!(
        messages,
        [
            "web (VRID 1 on eth0, ipv4): disabled",
            "web (VRID 1 on eth0, ipv6): disabled"
        ]
    );
    for (which, why) in [
        (
            named(&["web", "mail"]),
            "there is no such virtual router: mail",
        ),
        (
            named(&[]),
            "which virtual router? Expected a VRID, a name, or all",
        ),
    ] {
        assert_eq!(bench.ask(&Request::Enable(which)), Answer::error(why));
    }
    // Another name, and nothing else, needs no interruption.
    let file = bench.dir.join("vrrpd.conf");
    let text = fs::read_to_string(&file).expect("the file");
    fs::write(&file, text.replace("web", "www")).expect("a file");
    let Answer::Done { messages } = bench.ask(&Request::Reload) else {
        panic!("refused");
    };
    let last = messages.last().expect("a summary");
    assert!(
        last.ends_with("0 added, 0 changed, 0 removed, 2 unchanged"),
        "{last}"
    );
    let names = bench.status().virtual_routers.into_iter().map(|r| r.name);
    assert!(names.into_iter().all(|name| name.as_deref() == Some("www")));
    bench.ask(&Request::Enable(named(&["www"])));
    bench.until("master again", serves);
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
fn every_command_is_carried_out() {
    let mut bench = Bench::new();
    bench.until_masters();
    let Answer::Who(seen) = bench.ask(&Request::Who) else {
        panic!("who");
    };
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|s| s.is_self && s.ours));
    let Answer::Stats(stats) = bench.ask(&Request::Stats) else {
        panic!("stats");
    };
    assert_eq!(stats.virtual_routers[1].counters["active-transitions"], 1);

    let set = Request::SetPriority {
        which: which(2),
        priority: Some(50),
        terms: Terms::default(),
    };
    let why = bench.status().virtual_routers[1].reason.clone();
    bench.done(&set);
    let second = &bench.status().virtual_routers[1];
    assert_eq!((second.priority, second.base_priority), (50, 50));
    let set = (second.configured_priority, second.priority_override);
    assert_eq!(set, (100, Some(50)));
    // The skew, and with it the down interval, follow the priority; what has been does not change.
    assert_eq!(second.reason, why);
    let unset = Request::SetPriority {
        which: which(2),
        priority: None,
        terms: Terms::default(),
    };
    bench.done(&unset);
    let second = &bench.status().virtual_routers[1];
    assert_eq!((second.priority, second.priority_override), (100, None));

    bench.done(&Request::Disable(which(2)));
    bench.until("disabled", |b| b.states() == [State::Master, State::Init]);
    bench.until("stopscript", |b| b.scripts().contains("2:stop:"));
    bench.until_logged("INFO: VRID 2 on eth0 (ipv4): master -> init: disabled");
    bench.done(&Request::Enable(which(2)));
    bench.until_masters();
    bench.done(&Request::Resign(which(1)));
    let resigned = &bench.status().virtual_routers[0];
    assert!(resigned.handing_over || resigned.resigned, "{resigned:?}");
}

/// So many that their events and answers do not pass in one turn.
#[test]
fn hundreds_are_told_of_in_several_turns_and_to_the_end() {
    const MANY: usize = 250;
    let section = |vrid: usize| {
        format!(
            "[VRID]\nserverid = {vrid}\ninterface = eth0\naddr = 10.0.0.{vrid}/32\n\
             advertinterval = 0.05\n"
        )
    };
    let mut bench = Bench::with(|_| (1..=MANY).map(section).collect());
    let said = |what: &str| {
        let log = capture::peek();
        log.iter().filter(|line| line.contains(what)).count()
    };
    // The first turn of all has told of as many as there may be.
    let told = said("init -> backup");
    assert!((1..=super::events::AT_ONCE).contains(&told), "{told}");
    let mut events = UnixStream::connect(bench.dir.join("socket")).expect("another client");
    events
        .write_all(b"{\"command\":\"events\"}\n")
        .expect("room");
    let end = Instant::now() + patient(LONG);
    while said("backup -> master") < MANY {
        let before = said(" -> ");
        bench.turn();
        // They are taken twice in a turn.
        let taken = said(" -> ") - before;
        assert!(taken <= 2 * super::events::AT_ONCE, "{taken} in a turn");
        assert!(Instant::now() < end, "{}", said("backup -> master"));
    }
    assert_eq!(said("init -> backup"), MANY);
    let long = [Request::Status, Request::Stats, Request::Who];
    for (request, least) in long.into_iter().zip([100_000, 50_000, 50_000]) {
        let line = serde_json::to_string(&request).expect("JSON") + "\n";
        let asked = bench.client.get_mut().write_all(line.as_bytes());
        asked.expect("room for a request");
        bench.turn();
        bench
            .client
            .get_mut()
            .set_nonblocking(true)
            .expect("a mode");
        let mut text = Vec::new();
        let mut most = 0;
        while text.last() != Some(&b'\n') {
            let before = text.len();
            // It ends with "would block".
            let _ = bench.client.read_to_end(&mut text);
            most = most.max(text.len() - before);
            bench.turn();
        }
        bench
            .client
            .get_mut()
            .set_nonblocking(false)
            .expect("a mode");
        assert!(text.len() > least, "{}", text.len());
        assert!(most < 2 * crate::control::pieces::PIECE, "{most}");
        let many = match serde_json::from_slice(&text).expect("JSON") {
            Answer::Status(status) => status.virtual_routers.len(),
            Answer::Stats(stats) => stats.virtual_routers.len(),
            Answer::Who(seen) => seen.len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(many, MANY);
    }
    bench.daemon.stop(Instant::now());
    while bench.turn() {
        assert!(Instant::now() < end, "it does not stop");
    }
    assert_eq!(said("master -> init"), MANY, "the last one, too");
    events.set_nonblocking(true).expect("a mode");
    let mut told = Vec::new();
    let _ = events.read_to_end(&mut told);
    let told = String::from_utf8(told).expect("text");
    let ends = told.lines().filter(|line| line.contains("\"to\":\"init\""));
    assert!(ends.count() > 100, "as many as have room in the buffers");
    assert!(!told.contains("dropped"), "{told}");
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let mut bench = Bench::new();
    let mut refused = |request: Request| match bench.ask(&request) {
        Answer::Error { message, .. } => message,
        other => panic!("{other:?}"),
    };
    let nowhere = refused(Request::Resign(which(9)));
    assert_eq!(nowhere, "there is no such virtual router: VRID 9");
    let zero = Request::SetPriority {
        which: which(1),
        priority: Some(0),
        terms: Terms::default(),
    };
    assert_eq!(
        refused(zero),
        "VRID 1 on eth0 (ipv4): a priority is 1 to 255"
    );
    let elsewhere = Which {
        interface: Some("eth1".into()),
        ..which(1)
    };
    let elsewhere = refused(Request::Disable(elsewhere));
    assert_eq!(elsewhere, "there is no such virtual router: VRID 1");
}

#[test]
fn several_virtual_routers_are_told_at_once_or_none() {
    let mut bench = Bench::new();
    bench.until_masters();
    let both = Which {
        more: vec![2, 1],
        ..which(1)
    };
    let said = bench.done(&Request::Resign(both.clone()));
    assert_eq!(said.len(), 2, "each once: {said:?}");
    let some = Which {
        more: vec![9],
        ..which(1)
    };
    let Answer::Error { message, .. } = bench.ask(&Request::Disable(some)) else {
        panic!("one of them does not exist");
    };
    assert_eq!(message, "there is no such virtual router: VRID 9");
    assert!(
        bench.status().virtual_routers[0].enabled,
        "nothing was done"
    );
    let all = Which {
        all: true,
        ..Which::default()
    };
    bench.done(&Request::Disable(all.clone()));
    assert!(!bench.status().virtual_routers.iter().any(|r| r.enabled));
    bench.done(&Request::Enable(all.clone()));
    let set = Request::SetPriority {
        which: all.clone(),
        priority: Some(7),
        terms: Terms::default(),
    };
    bench.done(&set);
    let priorities = bench.status().virtual_routers.into_iter();
    assert!(priorities.map(|r| r.priority).all(|p| p == 7));
    let nowhere = Which {
        interface: Some("eth9".into()),
        ..all
    };
    assert!(matches!(
        bench.ask(&Request::Resign(nowhere)),
        Answer::Error { .. }
    ));
}

#[test]
fn subscribers_hear_of_changes() {
    let mut bench = Bench::new();
    bench.until_masters();
    let Answer::Events { next } = bench.ask(&Request::Events(Since::default())) else {
        panic!("events");
    };
    bench.daemon.stop(Instant::now());
    while bench.turn() {}
    let Answer::Notice(notice) = bench.answer() else {
        panic!("a notice");
    };
    assert_eq!((notice.seq, notice.kind), (next, NoticeKind::Stop));
    let Answer::Event(event) = bench.answer() else {
        panic!("an event");
    };
    assert_eq!(event.seq, next + 1);
    assert_eq!((event.from, event.to), (State::Master, State::Init));
    assert_eq!(event.reason, "shutting down");
}

#[test]
fn the_log_has_changes_commands_with_their_user_and_reloads() {
    let mut bench = Bench::new();
    bench.until_masters();
    let id = Which {
        vrid: 1,
        ..Which::default()
    };
    bench.done(&Request::Disable(id));
    bench.until("init", |b| b.states()[0] == State::Init);
    bench.done(&Request::Reload);
    fs::write(bench.dir.join("vrrpd.conf"), "[VRID]\n").expect("a file");
    assert!(matches!(bench.ask(&Request::Reload), Answer::Error { .. }));
    let warnings = bench.status().warnings;
    let refused = |text: &String| {
        text.contains("vrrpd.conf is not what runs: the reload at ") && text.contains("refused: ")
    };
    assert!(warnings.iter().any(refused), "{warnings:?}");
    bench
        .daemon
        .look_at_clock(Instant::now() + Duration::from_secs(100));
    let Answer::Log(log) = bench.ask(&Request::Log(Since::default())) else {
        panic!("no log");
    };
    let seqs: Vec<u64> = log.records.iter().map(Record::seq).collect();
    assert!(seqs.iter().copied().eq(1..log.next), "{seqs:?}");
    let lines: Vec<String> = log.records.iter().map(crate::ctl::text::record).collect();
    let user = match (sys::effective_uid(), sys::user_name(sys::effective_uid())) {
        (0, _) => "root".to_owned(),
        (uid, Some(name)) => format!("{name} (uid {uid})"),
        (uid, None) => format!("uid {uid}"),
    };
    for part in [
        "VRID 1 on eth0 (ipv4): init -> backup: started".to_owned(),
        "VRID 1 on eth0 (ipv4): backup -> master: no advertisement".to_owned(),
        format!("VRID 1 on eth0 (ipv4): command: disabled (by {user})"),
        "VRID 1 on eth0 (ipv4): master -> init: disabled".to_owned(),
        format!("unchanged (by {user})"),
        "reload: not reloaded: everything stays as it was: ".to_owned(),
        "clock: the clock of this host was set back by ".to_owned(),
    ] {
        assert!(
            lines.iter().any(|line| line.contains(&part)),
            "{part}: {lines:#?}"
        );
    }
}

#[test]
fn a_reload_changes_what_changed_and_nothing_else() {
    let mut bench = Bench::new();
    bench.until_masters();
    let before = bench.status().virtual_routers[1].since_s;
    fs::write(bench.dir.join("vrrpd.conf"), sections(&bench.dir, 210)).expect("a file");
    let said = bench.done(&Request::Reload);
    let last = said.last().expect("a summary");
    assert_eq!(bench.status().warnings, [""; 0]);
    assert!(
        last.ends_with("0 added, 1 changed, 0 removed, 1 unchanged"),
        "{last}"
    );
    let routers = bench.status().virtual_routers;
    assert_eq!(routers[0].priority, 210);
    assert!(routers[1].since_s >= before, "not disturbed");
    assert_eq!(bench.states(), [State::Master, State::Master]);
}

#[test]
fn a_comparison_tells_what_a_reload_would_change_and_changes_nothing() {
    let mut bench = Bench::new();
    bench.until_masters();
    let file = bench.dir.join("vrrpd.conf");
    let same = bench.done(&Request::Compare);
    assert!(
        same.last()
            .is_some_and(|last| last.ends_with(": nothing is different"))
    );
    let before = bench.done(&Request::Config);

    let text = sections(&bench.dir, 150);
    let second = text.rfind("[VRID]").expect("two sections");
    fs::write(&file, &text[..second]).expect("a file");
    let told = [
        "VRID 1 on eth0 (ipv4): priority 200 -> 150",
        "VRID 2 on eth0 (ipv4): removed",
        "VRID 1 on eth0 (ipv4): may move away: this host is master, and a backup with a priority above 150 \
         takes over where it preempts",
        "VRID 2 on eth0 (ipv4): moves away: this host is master, and hands over",
    ];
    assert_eq!(bench.done(&Request::Compare), told);
    assert_eq!(bench.done(&Request::Config), before);
    assert_eq!(bench.states(), [State::Master, State::Master]);
    assert_eq!(bench.status().virtual_routers[0].priority, 200);
    // The parent has not let anything through, so that a reload is judged anew.
    capture::take();
    let said = bench.done(&Request::Reload);
    assert_eq!(said[..4], told);
    let log = capture::take();
    for line in told {
        assert!(log.contains(&format!("INFO: {line}")), "{line}: {log:?}");
    }
    let now = bench.done(&Request::Config);
    assert!(now.contains(&"priority = 150".to_owned()), "{now:?}");
    assert_eq!(now.iter().filter(|line| *line == "[VRID]").count(), 1);

    fs::write(&file, "[VRID]\npriority = 300\n").expect("a file");
    let Answer::Error { message, details } = bench.ask(&Request::Compare) else {
        panic!("refused");
    };
    assert!(message.contains("the file has errors"), "{message}");
    assert!(details.iter().any(|line| line.contains(":2: priority: ")));
}

#[test]
fn a_comparison_names_the_hosts_that_other_signatures_part_from() {
    let text = |dir: &Path, mode: &str| {
        let key = dir.join("key");
        fs::write(&key, format!("hex:{}\n", "07".repeat(32))).expect("a key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("a mode");
        let key = key.display();
        sections(dir, 200) + &format!("auth = hmac\nkeyfile = 1:{key}\nauthmode = {mode}\n")
    };
    let mut bench = Bench::with(|dir| text(dir, "permissive"));
    fs::write(bench.dir.join("vrrpd.conf"), text(&bench.dir, "enforce")).expect("a file");
    assert_eq!(
        bench.done(&Request::Compare),
        [
            "VRID 2 on eth0 (ipv4): authmode permissive -> enforce",
            "VRID 2 on eth0 (ipv4): we refuse hosts that do not sign: with such a host there are two masters",
        ]
    );
}

#[test]
fn a_comparison_knows_that_a_held_master_does_not_move() {
    let mut bench = Bench::new();
    bench.until_masters();
    bench.done(&Request::Hold {
        which: one(),
        terms: Terms::default(),
    });
    fs::write(bench.dir.join("vrrpd.conf"), sections(&bench.dir, 150)).expect("a file");
    let said = bench.done(&Request::Compare);
    assert_eq!(
        said,
        [
            "VRID 1 on eth0 (ipv4): priority 200 -> 150",
            "no virtual router moves to another host by that"
        ]
    );
    bench.done(&Request::Reload);
    assert_eq!(bench.status().virtual_routers[0].priority, 254);
}

#[test]
fn a_file_with_errors_leaves_everything_and_every_error_is_told() {
    let mut bench = Bench::new();
    bench.until_masters();
    let text = sections(&bench.dir, 200).replace("priority = 100", "priority = 300\ncolour = red");
    fs::write(bench.dir.join("vrrpd.conf"), text).expect("a file");
    capture::take();
    let Answer::Error { message, details } = bench.ask(&Request::Reload) else {
        panic!("refused");
    };
    assert_eq!(message, "not reloaded: everything stays as it was");
    assert_eq!(details.len(), 2, "{details:?}");
    assert!(details[0].contains(":15: priority: "), "{details:?}");
    let log = capture::take();
    for detail in &details {
        assert!(log.contains(&format!("ERROR: {detail}")), "{log:?}");
    }
    assert_eq!(bench.status().virtual_routers[1].priority, 100);
    fs::remove_file(bench.dir.join("vrrpd.conf")).expect("there");
    assert!(matches!(bench.ask(&Request::Reload), Answer::Error { .. }));
    assert_eq!(bench.states(), [State::Master, State::Master]);
}

#[test]
fn a_reload_serves_what_fits_the_host_as_a_start_does() {
    let mut bench = Bench::new();
    bench.until_masters();
    let file = bench.dir.join("vrrpd.conf");
    let text = sections(&bench.dir, 200);
    fs::write(&file, text.replacen("eth0", "wg0", 1)).expect("a file");
    capture::take();
    let said = bench.done(&Request::Reload);
    let unfit = ":3: interface: cannot use `wg0`: it is a tunnel";
    assert!(said[0].contains(unfit), "{said:?}");
    assert!(said.last().is_some_and(|last| last.contains("tried again")));
    let log = capture::take();
    let logged = |line: &String| line.starts_with("ERROR: ") && line.contains(unfit);
    assert!(log.iter().any(logged), "{log:?}");
    bench.until("the other goes on", |b| {
        let routers = b.status().virtual_routers;
        let served = routers.iter().find(|r| r.interface == "eth0");
        let unfit = routers.iter().find(|r| r.interface == "wg0");
        routers.len() == 2
            && served.is_some_and(|r| r.vrid == 2 && r.state == State::Master)
            && unfit.is_some_and(|r| {
                r.vrid == 1
                    && r.state == State::Init
                    && r.reason == "not ready: cannot use wg0: it is a tunnel"
                    && r.warnings == ["cannot use wg0: it is a tunnel"]
            })
    });
    // A mistake of the file refuses it all the same, and everything is told.
    let wrong = text.replacen("eth0", "wg0", 1).replace("= 100", "= 300");
    fs::write(&file, wrong).expect("a file");
    assert!(matches!(bench.ask(&Request::Reload), Answer::Error { .. }));
    fs::write(&file, &text).expect("a file");
    bench.done(&Request::Reload);
    bench.until_masters();
    let missing = "warning: interface: this host has no interface `ehh0`";
    fs::write(&file, text.replacen("eth0", "ehh0", 1)).expect("a file");
    capture::take();
    let said = bench.done(&Request::Reload);
    assert!(said.iter().any(|line| line.contains(missing)), "{said:?}");
    let log = capture::take();
    let logged = |line: &String| line.starts_with("WARN: ") && line.contains("interface `ehh0`");
    assert!(log.iter().any(logged), "{log:?}");
}

#[test]
fn a_virtual_router_out_of_the_file_stops_and_its_scripts_are_told() {
    let mut bench = Bench::new();
    bench.until_masters();
    let text = sections(&bench.dir, 200);
    let second = text.rfind("[VRID]").expect("two sections");
    fs::write(bench.dir.join("vrrpd.conf"), &text[..second]).expect("a file");
    bench.done(&Request::Reload);
    bench.until("gone", |b| b.states() == [State::Master]);
    let line = "VRID 2 on eth0 (ipv4): master -> init: removed from the configuration";
    bench.until_logged(&format!("INFO: {line}"));
    bench.until("stopscript", |b| {
        b.scripts().matches("2:stop:").count() == 2
    });
    bench.until("forgotten", |b| {
        b.daemon.known.len() == 1 && b.daemon.parent.is_idle()
    });
    let script_lines = bench.scripts();
    assert!(!script_lines.contains("1:stop:"), "{script_lines}");
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
