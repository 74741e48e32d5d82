//! Signed advertisements: a group goes over to them, to another key, to another `antireplay` and back without
//! a change of master, who has recorded everything achieves nothing, and a host with a wrong clock stays
//! backup. Needs root, and gcc for the clocks. Where `KEEPALIVED_HMAC` names a keepalived of 2.4.2 or later
//! with authentication it is one of the hosts of the sweeps; vrrpd is in its place otherwise.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use vrrp_lab::clock::{Clock, build_shim};
use vrrp_lab::daemons::{vrrpctl, vrrpctl_drops as drops, vrrpctl_state as state, vrrpd_binary};
use vrrp_lab::linux::flooder::Flooder;
use vrrp_lab::probe::Ask;
use vrrp_lab::{
    Capture, Daemon, HZ, Host, Lab, Probe, Program, Segment, Vr, patience, pause, wait_until,
};

const LIMIT: Duration = Duration::from_secs(30);
const VRID: u8 = 51;
const ADDRESS: &str = "10.10.10.80";
const INTERVAL: Duration = Duration::from_secs(1);

/// A step of the way: how to sign, with which keys and numbers.
#[derive(Clone, Copy)]
struct Step {
    mode: &'static str,
    keys: &'static [u8],
    active: u8,
    replay: &'static str,
}

/// Without keys.
const BARE: Step = step("none", &[], 0);

/// First nothing, then the three sweeps, then a change of keys in three.
const STEPS: [Step; 6] = [
    step("receive-only", &[1], 1),
    step("permissive", &[1], 1),
    step("enforce", &[1], 1),
    step("enforce", &[1, 2], 1),
    step("enforce", &[1, 2], 2),
    step("enforce", &[2], 2),
];

const fn step(mode: &'static str, keys: &'static [u8], active: u8) -> Step {
    Step {
        mode,
        keys,
        active,
        replay: "time",
    }
}

impl Step {
    const fn monotonic(self) -> Self {
        Self {
            replay: "monotonic",
            ..self
        }
    }

    fn has_keys(self) -> bool {
        !self.keys.is_empty()
    }

    fn signs(self) -> bool {
        matches!(self.mode, "permissive" | "enforce")
    }
}

/// The file of a key, which its owner alone can read.
fn key_file(dir: &Path, id: u8) -> PathBuf {
    let path = dir.join(format!("key{id}"));
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).write(true).truncate(true).mode(0o600);
    let mut file = file.open(&path).expect("make a key");
    let line = format!("hex:{}\n", format!("{id:02x}5a").repeat(16));
    std::io::Write::write_all(&mut file, line.as_bytes()).expect("write a key");
    path
}

fn vr(priority: u8) -> Vr {
    Vr::new(VRID, ADDRESS).priority(priority)
}

/// The virtual router at a step of the way.
fn signed(host: &Host, priority: u8, step: Step) -> Vr {
    if !step.has_keys() {
        return vr(priority);
    }
    let keys = step.keys.iter();
    let keys = keys.map(|id| format!("{id}:{}", key_file(&host.dir(), *id).display()));
    let keys: Vec<String> = keys.collect();
    vr(priority)
        .line("auth = hmac")
        .line(&format!("keyfile = {}", keys.join(", ")))
        .line(&format!("activekey = {}", step.active))
        .line(&format!("authmode = {}", step.mode))
        .line(&format!("antireplay = {}", step.replay))
}

/// A host of the group, and its daemon.
struct Member {
    daemon: Daemon,
    host: Host,
    priority: u8,
    /// The configuration of keepalived, where that is the daemon.
    foreign: Option<PathBuf>,
}

impl Member {
    /// `shim`: the library by which vrrpd has a clock that is right and not synchronised.
    fn start(host: Host, priority: u8, step: Step, keepalived: Option<&str>, shim: &Path) -> Self {
        host.serve();
        let Some(program) = keepalived else {
            let clock = Clock::new(host.dir().join("clock"));
            let text = Program::Vrrpd.config(&host, &[signed(&host, priority, step)]);
            std::fs::write(config_file(&host), text).expect("a configuration");
            let command = command(&host, &["-F"], &clock, shim);
            return Self {
                daemon: Daemon::run(&host, "vrrpd", command),
                host,
                priority,
                foreign: None,
            };
        };
        let path = host.dir().join("keepalived.conf");
        std::fs::write(&path, foreign_text(&host, priority, step)).expect("a configuration");
        let owner = std::fs::Permissions::from_mode(0o600);
        std::fs::set_permissions(&path, owner).expect("its mode");
        let mut command = Command::new(program);
        command.args(["--dont-fork", "--log-console", "--log-detail"]);
        command.arg("-f").arg(&path);
        command.arg("--pid").arg(host.dir().join("keepalived.pid"));
        command
            .arg("--vrrp_pid")
            .arg(host.dir().join("keepalived-vrrp.pid"));
        Self {
            daemon: Daemon::run(&host, "keepalived", command),
            host,
            priority,
            foreign: Some(path),
        }
    }

    /// Reloads the daemon. Returns what vrrpctl says of that; keepalived says nothing.
    fn go_over_to(&self, step: Step) -> String {
        match &self.foreign {
            None => {
                let vr = signed(&self.host, self.priority, step);
                let text = Program::Vrrpd.config(&self.host, &[vr]);
                std::fs::write(config_file(&self.host), text).expect("a configuration");
                let said = vrrpctl(&self.host, &["reload"]);
                assert!(said.contains("1 changed"), "{said}");
                said
            }
            Some(path) => {
                let text = foreign_text(&self.host, self.priority, step);
                std::fs::write(path, text).expect("a configuration");
                self.daemon.signal(libc::SIGHUP);
                String::new()
            }
        }
    }

    /// The words of vrrpctl about its signatures. Empty: it is not ours.
    fn auth(&self) -> String {
        match self.foreign {
            None => vrrpctl(&self.host, &["auth"]),
            Some(_) => String::new(),
        }
    }
}

fn foreign_text(host: &Host, priority: u8, step: Step) -> String {
    let signs = step.has_keys().then(|| {
        let keys = step.keys.iter();
        let keys = keys.map(|id| {
            let file = key_file(&host.dir(), *id);
            format!("    key {id} file:{}\n", file.display())
        });
        let keys: String = keys.collect();
        format!(
            "  auth_hmac {{\n{keys}    active_key {}\n    anti_replay {}\n    mode {}\n  }}\n",
            step.active, step.replay, step.mode
        )
    });
    format!(
        "global_defs {{\n  router_id lab\n}}\nvrrp_instance lab {{\n  interface xl0\n  state BACKUP\n  version 3\n  virtual_router_id {VRID}\n  priority {priority}\n  advert_int 1\n{}  virtual_ipaddress {{\n    {ADDRESS}/32\n  }}\n}}\n",
        signs.unwrap_or_default()
    )
}

/// Waits until `name` has advertised `count` times from now on, and nobody else.
fn wait_adverts(capture: &Capture, name: &str, count: usize) {
    let from_us = vrrp_lab::sys::now_us();
    wait_until(LIMIT, &format!("{name} advertises {count} times"), || {
        let adverts = capture.find(|seen| {
            seen.at_us >= from_us && seen.advert().is_some_and(|advert| advert.vrid == VRID)
        });
        let others: Vec<_> = adverts.iter().filter(|seen| &*seen.host != name).collect();
        assert!(others.is_empty(), "{others:#?}");
        adverts.len() >= count
    });
}

/// Three hosts that begin with a step, clarinet as master, and a client that asks them.
struct Group {
    members: Vec<Member>,
    client: Host,
    capture: Capture,
    _lab: Lab,
}

/// A time in which nothing may happen to a group.
struct Calm {
    began_us: u64,
    probe: Probe,
}

impl Group {
    /// Starts it. `foreign`: the place of the host whose daemon is keepalived, and the path of that.
    fn start(step: Step, foreign: Option<(usize, &str)>) -> Self {
        let lab = Lab::new(Segment::Hub);
        let client = lab.host("jimbob", 5);
        let capture = lab.capture();
        let shim = build_shim(&lab);
        let hosts = [("clarinet", 6, 250), ("fridge", 2, 150), ("violin", 3, 100)];
        let mut members = Vec::new();
        for (index, (name, number, priority)) in hosts.into_iter().enumerate() {
            let keepalived = foreign.filter(|(place, _)| *place == index);
            let program = keepalived.map(|(_, program)| program);
            let host = lab.host(name, number);
            members.push(Member::start(host, priority, step, program, &shim));
            if index == 0 {
                wait_until(LIMIT, "the first is master", || {
                    client.ask(ADDRESS).as_deref() == Some(name)
                });
            }
        }
        wait_adverts(&capture, "clarinet", 3);
        Self {
            members,
            client,
            capture,
            _lab: lab,
        }
    }

    fn begin_calm(&self) -> Calm {
        Calm {
            began_us: vrrp_lab::sys::now_us(),
            probe: Probe::start(&self.client, ADDRESS, HZ, Ask::Name),
        }
    }

    /// The master alone has said anything, none of its advertisements is missing, none was refused, and the
    /// client had all of its answers.
    fn end_calm(&mut self, calm: Calm) {
        wait_adverts(&self.capture, "clarinet", 3);
        let report = calm.probe.stop();
        assert_eq!(report.lost(), 0, "{:#?}", report.timeline());
        assert_eq!(report.answerers(), ["clarinet"]);
        let adverts = self.capture.find(|seen| {
            seen.at_us >= calm.began_us && seen.advert().is_some_and(|advert| advert.vrid == VRID)
        });
        assert!(adverts.iter().all(|seen| &*seen.host == "clarinet"));
        let most =
            u64::try_from(INTERVAL.as_micros()).unwrap_or(u64::MAX) * 2 * u64::from(patience());
        for pair in adverts.windows(2) {
            let gap = pair[1].at_us - pair[0].at_us;
            assert!(gap < most, "{gap} us without an advertisement");
        }
        for member in &mut self.members {
            let name = member.host.name();
            assert!(member.daemon.is_running(), "the daemon of {name} runs");
        }
        self.assert_nothing_refused();
    }

    fn assert_nothing_refused(&self) {
        for member in self
            .members
            .iter()
            .filter(|member| member.foreign.is_none())
        {
            let name = member.host.name();
            assert_eq!(drops(&member.host), BTreeMap::new(), "{name}");
        }
    }

    /// Makes each host master in turn, as vrrpd_auth(7) says it, and asks every other one about its
    /// advertisements.
    fn ask_in_turn(&self, step: Step) {
        let vrid = VRID.to_string();
        for master in &self.members {
            let name = master.host.name();
            vrrpctl(&master.host, &["priority", &vrid, "254"]);
            vrrpctl(&master.host, &["wait", &vrid, "master"]);
            let sender = if step.signs() {
                format!("{} signed, key {}", master.host.v4(), step.active)
            } else {
                format!("{} bare", master.host.v4())
            };
            for other in &self.members {
                let other_name = other.host.name();
                if other_name == name {
                    continue;
                }
                wait_until(LIMIT, &format!("{other_name} has heard {name}"), || {
                    state(&other.host) == "backup"
                        && (!step.has_keys() || other.auth().contains(&sender))
                });
            }
            assert_eq!(self.client.ask(ADDRESS).as_deref(), Some(name));
            vrrpctl(&master.host, &["default", &vrid]);
            wait_until(LIMIT, "clarinet is master again", || {
                let states = self.members.iter().map(|member| state(&member.host));
                states.eq(["master", "backup", "backup"])
            });
        }
        wait_adverts(&self.capture, "clarinet", 2);
        for member in self.members.iter().filter(|_| step.has_keys()) {
            let ready = if step.signs() { "yes" } else { "no" };
            let said = member.auth();
            let expected = format!("ready      for enforce: {ready}, ");
            assert!(said.contains(&expected), "{}: {said}", member.host.name());
        }
        self.assert_nothing_refused();
    }
}

/// Three hosts, one of them keepalived where it is there, go through all steps, one host after the other.
fn sweep(place: usize) {
    let foreign = std::env::var("KEEPALIVED_HMAC").ok();
    let mut group = Group::start(BARE, foreign.as_deref().map(|program| (place, program)));
    let calm = group.begin_calm();
    for step in STEPS {
        for member in &group.members {
            member.go_over_to(step);
            wait_adverts(&group.capture, "clarinet", 2);
        }
        let members = &mut group.members.iter();
        let ours = members.find(|m| m.foreign.is_none() && m.priority < 250);
        let said = ours.expect("two of three are ours").auth();
        let expected = match step.mode {
            "receive-only" => "for enforce: no, 10.10.10.6 still sends bare advertisements",
            _ => "for enforce: yes",
        };
        assert!(said.contains(expected), "{}: {said}", step.mode);
        let key = format!("signed, key {}", step.active);
        assert!(step.mode == "receive-only" || said.contains(&key), "{said}");
    }
    group.end_calm(calm);
}

#[test]
fn a_group_with_a_foreign_backup_goes_over_to_signatures_without_a_loss() {
    sweep(2);
}

#[test]
fn a_group_with_a_foreign_master_goes_over_to_signatures_without_a_loss() {
    sweep(0);
}

/// The hosts of a group take a step, in an order of their places, and each backup says how it stands.
/// Returns what the reloads said.
fn take_step(group: &Group, order: [usize; 3], step: Step) -> Vec<String> {
    let reloads = order.map(|place| {
        let said = group.members[place].go_over_to(step);
        wait_adverts(&group.capture, "clarinet", 2);
        said
    });
    let window = match step.replay {
        "time" => "time window 5 s",
        other => other,
    };
    let keys = format!("{}, key {} of 1, {window}\n", step.mode, step.active);
    let expected = match step.mode {
        "none" => vec!["no virtual router has keys (auth = hmac)"],
        "receive-only" => vec![
            keys.as_str(),
            "sender     10.10.10.6 bare, heard",
            "ready      for enforce: no, 10.10.10.",
            "10.10.10.6 still sends bare advertisements",
        ],
        _ => vec![keys.as_str(), "sender     10.10.10.6 signed, key 1"],
    };
    for member in &group.members {
        let (name, said) = (member.host.name(), member.auth());
        // The master hears nobody.
        let count = if name == "clarinet" {
            1
        } else {
            expected.len()
        };
        for expected in &expected[..count] {
            assert!(said.contains(expected), "{name}, {expected}: {said}");
        }
    }
    reloads.into()
}

/// A configuration without `auth` and with the rest is an error, and changes nothing.
fn assert_half_of_it_is_refused(member: &Member, now: Step) {
    let half = signed(&member.host, member.priority, now);
    let text = Program::Vrrpd.config(&member.host, &[half]);
    let text = text.replace("auth = hmac\n", "");
    std::fs::write(config_file(&member.host), text).expect("a configuration");
    let (code, said) = vrrp_lab::daemons::vrrpctl_status(&member.host, &["reload"]);
    let said = said.concat();
    assert_eq!(code, 1, "{said}");
    for expected in [
        "authmode: expected `auth = hmac`",
        "everything stays as it was",
    ] {
        assert!(said.contains(expected), "{said}");
    }
    assert!(member.auth().contains(now.mode));
}

/// The first two rounds of the way back, as vrrpd_auth(7) says it: from `enforce` to `receive-only`.
fn stop_signing(group: &mut Group, order: [usize; 3], replay: fn(Step) -> Step) {
    let calm = group.begin_calm();
    let permissive = replay(step("permissive", &[1], 1));
    take_step(group, order, permissive);
    group.end_calm(calm);
    let in_doubt = |group: &Group| {
        let members = group.members.iter();
        let all = members.map(|member| {
            let said = member.auth();
            said.contains("  clock      not known to be right\n")
        });
        all.collect::<Vec<_>>()
    };
    // The master alone has heard no signature yet.
    let by_time = permissive.replay == "time";
    assert_eq!(in_doubt(group), [by_time, false, false]);
    group.ask_in_turn(permissive);
    assert_eq!(in_doubt(group), [false; 3]);
    let calm = group.begin_calm();
    let receive_only = replay(step("receive-only", &[1], 1));
    take_step(group, order, receive_only);
    group.end_calm(calm);
    group.ask_in_turn(receive_only);
}

/// A group gives up its signatures as vrrpd_auth(7) says it.
fn give_up(order: [usize; 3]) {
    let mut group = Group::start(step("enforce", &[1], 1), None);
    stop_signing(&mut group, order, |step| step);
    let calm = group.begin_calm();
    assert_half_of_it_is_refused(&group.members[1], step("receive-only", &[1], 1));
    take_step(&group, order, BARE);
    group.end_calm(calm);
    group.ask_in_turn(BARE);
}

#[test]
fn a_group_gives_up_signatures_without_a_loss_its_master_first() {
    give_up([0, 1, 2]);
}

#[test]
fn a_group_gives_up_signatures_without_a_loss_its_master_last() {
    give_up([2, 1, 0]);
}

/// A group goes over to another `antireplay` as vrrpd_auth(7) says it.
fn change_antireplay(order: [usize; 3], from: fn(Step) -> Step, to: fn(Step) -> Step) {
    let at = |mode| to(step(mode, &[1], 1));
    let mut group = Group::start(from(step("enforce", &[1], 1)), None);
    stop_signing(&mut group, order, from);
    let calm = group.begin_calm();
    let replay = at("receive-only").replay;
    for said in take_step(&group, order, at("receive-only")) {
        let expected = format!("we refuse hosts that sign without antireplay = {replay}: with");
        assert!(said.contains(&expected), "{said}");
    }
    let warned = |group: &Group| {
        let members = group.members.iter();
        let statuses = members.map(|member| vrrpctl(&member.host, &["status"]));
        statuses
            .map(|status| status.contains("boot-count is missing"))
            .collect::<Vec<_>>()
    };
    assert_eq!(warned(&group), [replay == "monotonic"; 3]);
    take_step(&group, order, at("permissive"));
    assert_eq!(warned(&group), [false; 3]);
    group.end_calm(calm);
    group.ask_in_turn(at("permissive"));
    let calm = group.begin_calm();
    take_step(&group, order, at("enforce"));
    group.end_calm(calm);
    group.ask_in_turn(at("enforce"));
}

#[test]
fn a_group_goes_over_to_monotonic_numbers_without_a_loss() {
    change_antireplay([0, 1, 2], |step| step, Step::monotonic);
}

#[test]
fn a_group_goes_over_to_numbers_of_time_without_a_loss() {
    change_antireplay([2, 1, 0], Step::monotonic, |step| step);
}

#[test]
fn who_has_recorded_everything_and_sends_it_again_achieves_nothing() {
    let lab = Lab::new(Segment::Hub);
    let client = lab.host("jimbob", 5);
    let mallory = lab.host("mallory", 66);
    let recorded: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let kept = Arc::clone(&recorded);
    let tap = lab.tap(move |seen, octets| {
        if seen.advert().is_some() {
            kept.lock().expect("no panic").push(octets.to_vec());
        }
    });
    let step = step("enforce", &[1], 1);
    let (clarinet, fridge) = (lab.host("clarinet", 6), lab.host("fridge", 2));
    let mut daemons = Vec::new();
    for (host, priority) in [(&clarinet, 250), (&fridge, 100)] {
        host.serve();
        daemons.push(host.start(Program::Vrrpd, &[signed(host, priority, step)]));
    }
    let answers = |name: &str| client.ask(ADDRESS).as_deref() == Some(name);
    wait_until(LIMIT, "clarinet is master", || answers("clarinet"));
    // Both have spoken, and both have said that they stop.
    for (from, to) in [("clarinet", "fridge"), ("fridge", "clarinet")] {
        let host = if from == "clarinet" {
            &clarinet
        } else {
            &fridge
        };
        vrrpctl(host, &["resign", &VRID.to_string()]);
        wait_until(LIMIT, &format!("{to} is master"), || answers(to));
        vrrpctl(host, &["default", &VRID.to_string()]);
        pause(Duration::from_secs(2));
        if answers("clarinet") {
            break;
        }
    }
    wait_until(LIMIT, "clarinet is master again", || answers("clarinet"));
    pause(INTERVAL * 2);
    drop(tap);
    let frames = recorded.lock().expect("no panic").clone();
    assert!(frames.len() >= 6, "{} were recorded", frames.len());
    // Each bit of a signature counts.
    let forged: Vec<Vec<u8>> = frames.iter().map(|frame| altered(frame)).collect();
    let capture = lab.capture();
    let probe = Probe::start(&client, ADDRESS, HZ, Ask::Name);
    let transitions = |host: &Host| vrrpctl(host, &["log"]).matches(" -> ").count();
    let before = (transitions(&clarinet), transitions(&fridge));
    for round in 0..3 {
        Flooder::once(&mallory, &frames, 200);
        Flooder::once(&mallory, &forged, 200);
        // The last round comes when all of it is older than the window.
        pause(Duration::from_secs(if round == 1 { 6 } else { 1 }));
    }
    let said = drops(&fridge);
    for reason in ["auth-replay", "auth-invalid-hmac", "auth-stale"] {
        assert!(said.contains_key(reason), "{reason}: {said:?}");
    }
    assert_eq!((transitions(&clarinet), transitions(&fridge)), before);
    assert_eq!(state(&clarinet), "master");
    assert_eq!(state(&fridge), "backup");
    let ours = capture.find(|seen| &*seen.host == "fridge" && seen.advert().is_some());
    assert!(ours.is_empty(), "{ours:#?}");
    assert_eq!(probe.stop().answerers(), ["clarinet"]);
}

/// The frame with another octet at its end, which is that of the signature.
fn altered(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if let Some(last) = frame.last_mut() {
        *last ^= 1;
    }
    frame
}

fn config_file(host: &Host) -> PathBuf {
    host.dir().join("vrrpd.conf")
}

/// vrrpd with these words and the file of a host, by a clock.
fn command(host: &Host, words: &[&str], clock: &Clock, shim: &Path) -> Command {
    let mut command = Command::new(vrrpd_binary("vrrpd"));
    command.args(words).arg("-f").arg(config_file(host));
    clock.give(&mut command, shim);
    command
}

/// Waits until a host says priority 0, and the other one has understood it and refused nothing.
fn wait_farewell(capture: &Capture, from_us: u64, of: &str, to: &Host) {
    let what = format!("{of} hands over by priority 0");
    let said = capture.wait_for(LIMIT, &what, |seen| {
        seen.at_us >= from_us
            && seen.is_advert(of, VRID)
            && seen.advert().is_some_and(|advert| advert.priority == 0)
    });
    assert!(said.at_us >= from_us);
    assert_eq!(drops(to), BTreeMap::new());
}

#[test]
fn a_host_whose_clock_is_set_back_over_restarts_is_believed_by_its_boot_count() {
    let lab = Lab::new(Segment::Hub);
    let shim = build_shim(&lab);
    let client = lab.host("jimbob", 5);
    let capture = lab.capture();
    let step = step("enforce", &[1], 1);
    let (clarinet, fridge) = (lab.host("clarinet", 6), lab.host("fridge", 2));
    let clock = Clock::new(clarinet.dir().join("clock"));
    clock.set(86_400, false);
    for (host, priority) in [(&clarinet, 250), (&fridge, 100)] {
        host.serve();
        let vr = signed(host, priority, step.monotonic());
        let text = Program::Vrrpd.config(host, &[vr]);
        std::fs::write(config_file(host), text).expect("a configuration");
    }
    let of_machine = Clock::new(fridge.dir().join("clock"));
    let start = |host: &Host, clock: &Clock| {
        let command = command(host, &["-F"], clock, &shim);
        Daemon::run(host, "vrrpd", command)
    };
    let answers = |name: &str| {
        wait_until(LIMIT, &format!("{name} is master"), || {
            client.ask(ADDRESS).as_deref() == Some(name)
        });
    };
    let mut daemon = start(&clarinet, &clock);
    answers("clarinet");
    let _other = start(&fridge, &of_machine);
    wait_until(LIMIT, "fridge hears it", || {
        vrrpctl(&fridge, &["auth"]).contains("10.10.10.6 signed")
    });
    // Asked to stop, and started by a clock a day behind; its worker dies; and all of it, another day behind.
    let now = vrrp_lab::sys::now_us;
    daemon.stop();
    answers("fridge");
    clock.set(0, false);
    daemon = start(&clarinet, &clock);
    answers("clarinet");
    let from_us = now();
    vrrp_lab::sys::signal(daemon.worker(), libc::SIGKILL).expect("kill the worker");
    wait_farewell(&capture, from_us, "clarinet", &fridge);
    answers("clarinet");
    wait_until(LIMIT, "another worker speaks", || {
        state(&clarinet) == "master"
    });
    clock.set(-86_400, false);
    let from_us = now();
    daemon.crash();
    let mut clean = command(&clarinet, &["--clean"], &clock, &shim);
    clarinet.stack().output(&mut clean);
    wait_farewell(&capture, from_us, "clarinet", &fridge);
    answers("fridge");
    let _last = start(&clarinet, &clock);
    answers("clarinet");
    wait_until(LIMIT, "fridge is backup", || state(&fridge) == "backup");
    wait_adverts(&capture, "clarinet", 3);
    assert_eq!(drops(&fridge), BTreeMap::new());
}

#[test]
fn a_host_with_a_wrong_clock_stays_backup_until_it_is_set() {
    let lab = Lab::new(Segment::Hub);
    let shim = build_shim(&lab);
    let client = lab.host("jimbob", 5);
    let step = step("enforce", &[1], 1);
    let (clarinet, fridge) = (lab.host("clarinet", 6), lab.host("fridge", 2));
    let mut clocks = Vec::new();
    let mut daemons = Vec::new();
    for (host, priority, seconds, synchronised) in
        [(&fridge, 100, 0, true), (&clarinet, 250, -312, false)]
    {
        host.serve();
        let clock = Clock::new(host.dir().join("clock"));
        clock.set(seconds, synchronised);
        let text = Program::Vrrpd.config(host, &[signed(host, priority, step)]);
        std::fs::write(config_file(host), text).expect("a configuration");
        let command = command(host, &["-F"], &clock, &shim);
        daemons.push(Daemon::run(host, "vrrpd", command));
        clocks.push(clock);
        if priority == 100 {
            wait_until(LIMIT, "fridge is master", || {
                client.ask(ADDRESS).as_deref() == Some("fridge")
            });
        }
    }
    let vrid = VRID.to_string();
    let explained = || vrrpctl(&clarinet, &["explain", &vrid]);
    wait_until(LIMIT, "clarinet says that the clocks differ", || {
        let said = explained();
        said.contains("peer 10.10.10.2 is present, clocks differ by 31")
    });
    // Longer than any down interval, with the patience of a host that is not sure of its clock.
    pause(INTERVAL * 8);
    assert_eq!(state(&clarinet), "backup", "{}", explained());
    assert_eq!(state(&fridge), "master");
    let said = vrrpctl(&clarinet, &["status"]);
    assert!(
        said.contains("its signature is right, but its clock is 31"),
        "{said}"
    );
    // An NTP client sets the clock.
    clocks[1].set(0, true);
    wait_until(LIMIT, "clarinet takes over", || {
        client.ask(ADDRESS).as_deref() == Some("clarinet")
    });
    assert_eq!(state(&fridge), "backup");
}

#[test]
fn a_key_file_that_others_can_read_refuses_a_reload_and_the_old_keys_stay() {
    let lab = Lab::new(Segment::Hub);
    let step = step("enforce", &[1], 1);
    let (clarinet, fridge) = (lab.host("clarinet", 6), lab.host("fridge", 2));
    let hosts = [(&clarinet, 250), (&fridge, 100)];
    let capture = lab.capture();
    let daemons =
        hosts.map(|(host, priority)| host.start(Program::Vrrpd, &[signed(host, priority, step)]));
    wait_adverts(&capture, "clarinet", 3);
    let key = key_file(&fridge.dir(), 2);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    let both = self::step("enforce", &[1, 2], 1);
    let text = signed(&fridge, 100, both);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).expect("a mode");
    daemons[1].write_config(&Program::Vrrpd.config(&fridge, &[text]));
    let (code, said) = vrrp_lab::daemons::vrrpctl_status(&fridge, &["reload"]);
    let said = said.concat();
    assert_eq!(code, 1, "{said}");
    let expected = format!(
        "keyfile: key 2, {}: expected a file that its owner alone can read, found mode 640",
        key.display()
    );
    assert!(said.contains(&expected), "{said}");
    assert!(said.contains("everything stays as it was"), "{said}");
    wait_adverts(&capture, "clarinet", 3);
    let said = vrrpctl(&fridge, &["auth"]);
    assert!(
        said.contains("enforce, key 1 of 1, time window 5 s"),
        "{said}"
    );
    // Where a worker dies the next one has the keys, too, and the old one's farewell was signed.
    let from_us = vrrp_lab::sys::now_us();
    vrrp_lab::sys::signal(daemons[0].worker(), libc::SIGKILL).expect("kill the worker");
    capture.wait_for(LIMIT, "clarinet hands over by priority 0", |seen| {
        seen.at_us >= from_us
            && seen.is_advert("clarinet", VRID)
            && seen.advert().is_some_and(|advert| advert.priority == 0)
    });
    wait_until(LIMIT, "fridge has heard it", || {
        vrrpctl(&fridge, &["log"]).contains("gave up")
    });
    assert_eq!(drops(&fridge), BTreeMap::new());
}
