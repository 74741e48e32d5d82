//! Checks: a service that does not work moves its address. Needs root and python3.

use std::process::Command;
use std::time::Duration;

use vrrp_lab::daemons::{children_of, vrrpctl};
use vrrp_lab::pair::{LIMIT, Pair};
use vrrp_lab::{Daemon, Host, PaperNetwork, Program, Segment, Vr, wait_until};

/// The rate of probes.
const HZ: u32 = 100;

/// A small web server on every address of a host.
fn web_server(host: &Host) -> Daemon {
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "0.0.0.0", "80"]);
    command.current_dir(host.dir());
    Daemon::run(host, "web", command)
}

fn wait_listening(host: &Host) {
    wait_until(LIMIT, "the web server listens", || {
        host.run("ss -ltn sport = :80").contains(":80")
    });
}

/// A virtual router with one check, asked every 0.2 s.
fn checked(effect: &str, question: &str) -> Vr {
    Vr::new(1, "10.10.10.80")
        .interval_cs(20)
        .line(&format!("check = web{effect}"))
        .line("[CHECK]\nname = web\ninterval = 0.2\nfall = 2\nrise = 2")
        .line(question)
}

/// The paper's servers, each with a web server and a check of it that passes.
fn pair(vr: &Vr) -> (Pair, Daemon, Daemon) {
    let network = PaperNetwork::new(Segment::Switch);
    let (one, other) = (web_server(&network.clarinet), web_server(&network.fridge));
    for host in [&network.clarinet, &network.fridge] {
        wait_listening(host);
    }
    let capture = network.lab.capture();
    let pair = Pair {
        clarinet: network
            .clarinet
            .start(Program::Vrrpd, &[vr.clone().priority(250)]),
        fridge: network
            .fridge
            .start(Program::Vrrpd, &[vr.clone().priority(100)]),
        vr: vr.clone(),
        capture,
        network,
    };
    for host in [&pair.network.clarinet, &pair.network.fridge] {
        let what = format!("the check of {} was asked", host.name());
        wait_until(LIMIT, &what, || {
            vrrpctl(host, &["status"]).contains("last       127.0.0.1:80")
        });
    }
    pair.wait_master("clarinet");
    (pair, one, other)
}

#[test]
fn a_service_that_is_killed_takes_its_weight_from_the_priority() {
    let vr = checked(":-200", "tcp = localhost:80");
    let (mut pair, mut web, _other) = pair(&vr);
    let report = pair.probed(HZ, "fridge", |_| web.crash());
    eprintln!("longest silence {} us", report.longest_silence_us());
    let log = "master -> backup: 10.10.10.2 (priority 100) advertises, ours is 50; check web failed: 127.0.0.1:80 connection refused";
    pair.clarinet.wait_said(log);
    pair.clarinet
        .wait_said("check web: failed: 127.0.0.1:80 connection refused");
    let _web = web_server(&pair.network.clarinet);
    pair.probed(HZ, "clarinet", |_| ());
    pair.clarinet
        .wait_said("check web: passes: 127.0.0.1:80 accepts connections");
}

#[test]
fn a_service_that_hangs_takes_its_host_out() {
    let vr = checked(":fault", "http = http://localhost/\ntimeout = 0.3");
    let (mut pair, web, _other) = pair(&vr);
    pair.probed(HZ, "fridge", |_| web.freeze());
    let log = "master -> init: check web failed: 127.0.0.1:80 did not answer within 0.3 s";
    pair.clarinet.wait_said(log);
    let status = vrrpctl(&pair.network.clarinet, &["status"]);
    for line in [
        "why        check web failed: 127.0.0.1:80 did not answer within 0.3 s",
        "checks     web fails (fault)",
        "check web (http): fails for",
        "last       failed: 127.0.0.1:80 did not answer within 0.3 s",
    ] {
        assert!(status.contains(line), "{line}\n{status}");
    }
    pair.probed(HZ, "clarinet", |_| web.thaw());
}

#[test]
fn the_last_host_serves_on_and_gives_way_to_a_healthy_one() {
    let vr = checked("", "tcp = localhost:80").no_preempt();
    let (mut pair, mut web, mut other) = pair(&vr);
    pair.probed(HZ, "fridge", |_| web.crash());
    let log = "master -> backup: check web failed: 127.0.0.1:80 connection refused";
    pair.clarinet.wait_said(log);
    // The other one fails, too: there is nobody to give way to.
    let report = pair.probed(HZ, "fridge", |pair| {
        other.crash();
        let log = "it stands back (check web failed) and serves all the same";
        pair.fridge.wait_said(log);
        std::thread::sleep(Duration::from_secs(2));
    });
    assert_eq!(report.lost(), 0, "nobody serves for a moment");
    let status = vrrpctl(&pair.network.fridge, &["status"]);
    for line in [
        "master for",
        "standing back",
        "warning    it stands back (check web failed)",
    ] {
        assert!(status.contains(line), "{line}\n{status}");
    }
    // It takes the offer without preemption.
    let _web = web_server(&pair.network.clarinet);
    pair.probed(HZ, "clarinet", |_| ());
}

/// The checkers that a daemon has started.
fn checkers(vrrpd: u32) -> Vec<u32> {
    children_of(vrrpd, "vrrp-checker")
}

#[test]
fn a_checker_that_is_killed_is_started_again_and_nothing_moves() {
    let vr = checked(":-200", "tcp = localhost:80");
    let (mut pair, mut web, _other) = pair(&vr);
    let vrrpd = pair.clarinet.pid();
    let before = checkers(vrrpd);
    assert_eq!(
        before.len(),
        1,
        "one process for services, none for commands"
    );
    let report = pair.probed(HZ, "clarinet", |pair| {
        let killed = Command::new("kill")
            .args(["-9", &before[0].to_string()])
            .status();
        assert!(killed.expect("kill").success());
        let log = "vrrp-checker: runs again";
        pair.clarinet.wait_said(log);
    });
    assert_eq!(report.lost(), 0);
    assert_ne!(checkers(vrrpd), before);
    pair.clarinet.wait_said("vrrp-checker ended");
    pair.probed(HZ, "fridge", |_| web.crash());
    // Nothing of it is left when vrrpd stops.
    pair.clarinet.stop();
    wait_until(LIMIT, "the checker ends", || checkers(vrrpd).is_empty());
}

#[test]
fn a_reload_keeps_the_states_of_checks() {
    let vr = checked(":-200", "tcp = localhost:80");
    let (mut pair, mut web, _other) = pair(&vr);
    pair.probed(HZ, "fridge", |_| web.crash());
    pair.clarinet.take_log();
    // Another check is added and another effect is given; the failing one stays failing.
    let more = vr
        .clone()
        .priority(250)
        .line("[CHECK]\nname = root\nfile = /");
    pair.clarinet.reload(&pair.network.clarinet, &[more]);
    wait_until(LIMIT, "the new check passes", || {
        vrrpctl(&pair.network.clarinet, &["status"]).contains("last       / exists")
    });
    let status = vrrpctl(&pair.network.clarinet, &["status"]);
    assert!(status.contains("web fails (-200)"), "{status}");
    assert!(
        !pair.clarinet.has_said("check web"),
        "the state of web has changed"
    );
    pair.wait_master("fridge");
    // Without the check there is nothing to hold this host back.
    let without = Vr::new(1, "10.10.10.80").interval_cs(20).priority(250);
    pair.clarinet.reload(&pair.network.clarinet, &[without]);
    pair.wait_master("clarinet");
    wait_until(LIMIT, "the checker ends", || {
        checkers(pair.clarinet.pid()).is_empty()
    });
}

#[test]
fn each_kind_is_asked_without_rights() {
    let script = std::env::temp_dir().join(format!("vrrp-check-{}", std::process::id()));
    std::fs::write(&script, "#!/bin/sh\nid -u\n").expect("a script");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).expect("a program");
    let network = PaperNetwork::new(Segment::Switch);
    let vr = Vr::new(1, "10.10.10.80")
        .line("silent = yes\ncheck = who, ping, ping6, own, served")
        .line(&format!(
            "[CHECK]\nname = who\ncommand = {}\nscriptuser = nobody",
            script.display()
        ))
        .line("[CHECK]\nname = ping\nping = 10.10.10.5")
        .line("[CHECK]\nname = ping6\nping = fd00:10::5")
        .line("[CHECK]\nname = own\ntcp = self:80")
        .line("[CHECK]\nname = served\ntcp = virtual:80")
        .line("[CHECK]\nname = lost\nping = 10.10.10.99\ntimeout = 0.2");
    let _web = web_server(&network.clarinet);
    wait_listening(&network.clarinet);
    let vrrpd = network.clarinet.start(Program::Vrrpd, &[vr]);
    wait_until(LIMIT, "clarinet is master", || {
        vrrpctl(&network.clarinet, &["status"]).contains("master for")
    });
    for (name, answer) in [
        ("who", "succeeded: 65534"),
        ("ping", "10.10.10.5 answered"),
        ("ping6", "fd00:10::5 answered"),
        ("own", "10.10.10.6:80 accepts connections"),
        ("served", "10.10.10.80:80 accepts connections"),
        ("lost", "failed: 10.10.10.99 sent no echo within 0.2 s"),
    ] {
        let said = vrrpctl(&network.clarinet, &["check", name]);
        assert!(said.contains(answer), "{name}: {said}");
    }
    let said = vrrpctl(&network.clarinet, &["check", "own"]);
    assert!(
        said.contains("step       connected to 10.10.10.6:80"),
        "{said}"
    );
    let mut uids: Vec<String> = Vec::new();
    for pid in checkers(vrrpd.pid()) {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a status");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_default()
                .split_whitespace()
                .last()
                .unwrap_or_default()
                .to_owned()
        };
        if field("Uid:") != "0" {
            assert_eq!(field("CapEff:"), "0000000000000000");
            assert_eq!(field("CapPrm:"), "0000000000000000");
            assert_eq!(field("NoNewPrivs:"), "1");
        }
        uids.push(field("Uid:"));
    }
    uids.sort();
    assert_eq!(uids, ["0", "65534"], "one for commands, one for services");
    std::fs::remove_file(script).expect("remove the script");
}
