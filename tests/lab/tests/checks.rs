//! Checks: a service that does not work moves its address. Needs root and python3.

use std::process::Command;
use std::time::Duration;

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::pair::{LIMIT, Pair};
use vrrp_lab::{Daemon, Host, Program, Segment, Vr, wait_until};

/// The rate of probes.
const HZ: u32 = 100;

/// A small web server on every address of a host.
fn web_server(host: &Host) -> Daemon {
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "0.0.0.0", "80"]);
    command.current_dir(host.dir());
    Daemon::run(host, "web", command)
}

/// A virtual router with one check, asked every 0.2 s.
fn checked(effect: &str, question: &str) -> Vr {
    Vr::new(1, "10.10.10.80")
        .interval_cs(20)
        .line(&format!("check = web{effect}"))
        .line("[CHECK]\nname = web\ninterval = 0.2\nfall = 2\nrise = 2")
        .line(question)
}

/// Both servers have a web server and a check of it.
fn pair(vr: &Vr) -> (Pair, Daemon, Daemon) {
    let pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, vr);
    let (one, other) = (
        web_server(&pair.network.clarinet),
        web_server(&pair.network.fridge),
    );
    for host in [&pair.network.clarinet, &pair.network.fridge] {
        wait_until(
            LIMIT,
            &format!("the check of {} passes", host.name()),
            || vrrpctl(host, &["status"]).contains("web passes"),
        );
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
    wait_until(LIMIT, log, || pair.clarinet.has_said(log));
    assert!(
        pair.clarinet
            .has_said("check web: failed: 127.0.0.1:80 connection refused")
    );
    let _web = web_server(&pair.network.clarinet);
    pair.probed(HZ, "clarinet", |_| ());
    assert!(
        pair.clarinet
            .has_said("check web: passes: 127.0.0.1:80 accepts connections")
    );
    std::thread::sleep(Duration::from_millis(100));
}
