//! Planned moves: prepared before, waited for, and done again after a divided network has healed. Needs
//! root or a user namespace.

#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use vrrp_lab::daemons::{vrrpctl, vrrpctl_status};
use vrrp_lab::pair::{LIMIT, Pair, wait_master};
use vrrp_lab::probe::Ask;
use vrrp_lab::{Host, PaperNetwork, Program, Segment, Vr, pause, wait_until};

const ADDRESS: &str = "10.10.10.80";

fn vr() -> Vr {
    Vr::new(1, ADDRESS).interval_cs(10)
}

/// Writes a script that notes its event, and then does this; returns the line of a configuration.
fn script(host: &Host, key: &str, body: &str) -> String {
    let path = host.dir().join(key);
    let events = host.dir().join("events");
    let text = format!("#!/bin/sh\necho {key}:$3 >>{}\n{body}\n", events.display());
    std::fs::write(&path, text).expect("write a script");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, executable).expect("make a script executable");
    format!("{key} = {}", path.display())
}

fn events(host: &Host) -> String {
    std::fs::read_to_string(host.dir().join("events")).unwrap_or_default()
}

/// Runs vrrpctl and returns its exit status and standard output.
fn told(host: &Host, words: &[&str]) -> (i32, String) {
    let (status, [output, _]) = vrrpctl_status(host, words);
    (status, output)
}

#[test]
fn the_old_master_serves_until_the_new_one_is_prepared() {
    let network = PaperNetwork::new(Segment::Switch);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        lab,
    } = &network;
    let capture = lab.capture();
    let ready = clarinet.dir().join("ready");
    let lines = [
        script(
            clarinet,
            "preparescript",
            &format!("test -e {}", ready.display()),
        ),
        script(clarinet, "masterscript", ""),
        script(clarinet, "backupscript", ""),
    ];
    let preferred = lines
        .iter()
        .fold(vr().priority(250), |vr, line| vr.line(line));
    let _fridge = fridge.start(Program::Vrrpd, &[vr().priority(100)]);
    wait_master(&capture, jimbob, &vr(), "fridge");
    let _clarinet = clarinet.start(Program::Vrrpd, &[preferred]);

    // A failure keeps it backup, and says so.
    wait_until(LIMIT, "clarinet has tried to prepare", || {
        events(clarinet).contains("preparescript:prepare")
    });
    wait_until(LIMIT, "status says why", || {
        vrrpctl(clarinet, &["status"]).contains("preparescript failed: exit status: 1")
    });
    pause(Duration::from_secs(1));
    wait_master(&capture, jimbob, &vr(), "fridge");
    assert_eq!(
        events(clarinet),
        "backupscript:backup\npreparescript:prepare\n"
    );

    // A success has it take over, and nothing is lost.
    std::fs::write(&ready, "").expect("write a file");
    let probe = vrrp_lab::Probe::start(jimbob, ADDRESS, 200, Ask::Name);
    pause(Duration::from_millis(300));
    vrrpctl(clarinet, &["priority", "1", "251"]);
    wait_master(&capture, jimbob, &vr(), "clarinet");
    let report = probe.stop();
    assert_eq!(report.lost(), 0, "{report:?}");
    wait_until(LIMIT, "the masterscript has run", || {
        events(clarinet).ends_with("preparescript:prepare\nmasterscript:master\n")
    });

    // A takeover from a master that is silent does not wait.
    let (status, said) = told(clarinet, &["resign", "--wait", "1"]);
    assert_eq!(
        (status, said.as_str()),
        (0, "VRID 1 on xl0 (ipv4): 10.10.10.2 is master\n")
    );
    std::fs::remove_file(&ready).expect("remove a file");
    fridge.pull_cable();
    wait_until(LIMIT, "clarinet serves, and then prepares", || {
        events(clarinet).ends_with("preparescript:master\nmasterscript:master\n")
    });
    assert_eq!(jimbob.ask(ADDRESS).as_deref(), Some("clarinet"));

    // Nor does one from a master that says priority 0, which may be gone at once.
    fridge.plug_cable();
    wait_until(LIMIT, "fridge is backup", || {
        vrrpctl(fridge, &["status"]).contains("backup for")
    });
    let handed_over = |name: &str| (0, format!("VRID 1 on xl0 (ipv4): {name} is master\n"));
    let resigned = told(clarinet, &["resign", "--wait", "1"]);
    assert_eq!(resigned, handed_over("10.10.10.2"));
    let resigned = told(fridge, &["resign", "--wait", "1"]);
    assert_eq!(resigned, handed_over("10.10.10.6"));
    wait_until(LIMIT, "clarinet serves, and then prepares", || {
        events(clarinet).ends_with("preparescript:master\nmasterscript:master\n")
    });
}

#[test]
fn resigning_waits_for_the_successor_or_for_its_absence() {
    let vr = vr();
    let mut pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
    let clarinet = &pair.network.clarinet;
    let (status, said) = told(clarinet, &["resign", "--wait=10", "--json", "--all"]);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.contains(r#""outcome":"handed-over","successor":"10.10.10.2""#),
        "{said}"
    );
    pair.wait_master("fridge");
    vrrpctl(clarinet, &["default", "1"]);
    pair.wait_master("clarinet");
    pair.fridge.stop();
    let (status, said) = told(&pair.network.clarinet, &["resign", "--wait", "1"]);
    assert_eq!(
        (status, said.as_str()),
        (
            1,
            "VRID 1 on xl0 (ipv4): no other host took over: this one serves on\n"
        )
    );
    assert_eq!(
        pair.network.jimbob.ask(ADDRESS).as_deref(),
        Some("clarinet")
    );
    let (status, _) = told(&pair.network.clarinet, &["status", "--wait"]);
    assert_eq!(status, 2, "of resign alone");
}

#[test]
fn after_healing_the_master_that_stays_does_again_what_the_other_has_undone() {
    let network = PaperNetwork::new(Segment::Switch);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        lab,
    } = &network;
    let capture = lab.capture();
    // It fails at first, and is repeated.
    let once = clarinet.dir().join("once");
    let body = format!("test -e {0} || {{ touch {0}; exit 1; }}", once.display());
    let lines = [
        script(clarinet, "reclaimscript", &body),
        script(clarinet, "masterscript", ""),
        "scriptretry = yes".into(),
    ];
    let preferred = lines
        .iter()
        .fold(vr().priority(250), |vr, line| vr.line(line));
    let _clarinet = clarinet.start(Program::Vrrpd, &[preferred]);
    let _fridge = fridge.start(Program::Vrrpd, &[vr().priority(100)]);
    wait_master(&capture, jimbob, &vr(), "clarinet");
    // The segment is divided, with carrier on both sides.
    fridge.fail_port();
    wait_until(LIMIT, "fridge is master, too", || {
        vrrpctl(fridge, &["status"]).contains("master")
    });
    pause(Duration::from_millis(500));
    fridge.mend_port();
    wait_until(LIMIT, "clarinet has done it again", || {
        events(clarinet).matches("reclaimscript:reclaim").count() == 2
    });
    wait_master(&capture, jimbob, &vr(), "clarinet");
    assert_eq!(
        events(clarinet),
        "masterscript:master\nreclaimscript:reclaim\nreclaimscript:reclaim\n"
    );
}
