//! The paper's network and the paper's configuration, word for word but for the folder of the event
//! scripts. Needs root or a user namespace.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use vrrp_lab::conform::Rules;
use vrrp_lab::daemons::{vrrpctl, vrrpd_control_socket};
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{Daemon, Host, PaperNetwork, Program, Segment, Vr, pause, wait_until};

const SERVICES: [&str; 4] = ["10.10.10.53", "10.10.10.80", "10.10.10.25", "10.10.10.22"];

/// A section of the paper, with the host's own scripts and control socket.
fn configuration(host: &Host, section: &str) -> String {
    let dir = host.dir();
    let socket = vrrpd_control_socket(host);
    format!(
        "[GLOBAL]\ncontrolsocket = {}\nruntimedir = {}\nstatedir = {}\n{section}",
        socket.display(),
        host.dir().join("run").display(),
        host.dir().join("state").display()
    )
    .replace("/usr/local/etc/vrrp", &dir.to_string_lossy())
}

fn start(host: &Host, section: &str) -> Daemon {
    Daemon::start(Program::Vrrpd, host, &configuration(host, section), &[])
}

/// "The configuration on clarinet differs only in its priority; clarinet uses 250."
fn vrid_1(priority: u8) -> String {
    format!(
        "
[VRID]
serverid = 1
priority = {priority}
addr = 10.10.10.53/32,10.10.10.80/32,10.10.10.25/32,10.10.10.22/32
masterscript = /usr/local/etc/vrrp/vrid1_master.sh
backupscript = /usr/local/etc/vrrp/vrid1_backup.sh
password = foobingbaz
interface = xl0
"
    )
}

/// Writes event scripts that note in `events` what they were run for, and whether the address was
/// there at that moment; and that say something to the log.
fn write_scripts(host: &Host, vrid: u8, address: &str) {
    for event in ["master", "backup"] {
        let path = host.dir().join(format!("vrid{vrid}_{event}.sh"));
        let events = host.dir().join("events");
        let count = Host::count_address(address);
        let script = format!(
            "#!/bin/sh\n\
             held=$({count})\n\
             echo \"{event} $held\" >> {}\n\
             echo \"{event} script of VRID {vrid} was here\"\n",
            events.display()
        );
        std::fs::write(&path, script).expect("write a script");
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, executable).expect("make a script executable");
    }
}

fn events(host: &Host) -> Vec<String> {
    let text = std::fs::read_to_string(host.dir().join("events")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn wait_events(host: &Host, expected: &[&str]) {
    let what = format!("{} has run {expected:?}", host.name());
    let mut before = Vec::new();
    wait_until(LIMIT, &what, || {
        let now = events(host);
        if now != before {
            eprintln!("{} has run {now:?}", host.name());
            before.clone_from(&now);
        }
        now == expected
    });
}

fn wait_served_by(jimbob: &Host, addresses: &[&str], name: &str) {
    wait_until(LIMIT, &format!("{name} serves {addresses:?}"), || {
        addresses
            .iter()
            .all(|address| jimbob.ask(address).as_deref() == Some(name))
    });
}

#[test]
fn clarinets_cable_is_pulled_and_plugged_in_again() {
    let network = PaperNetwork::new(Segment::Hub);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        lab,
    } = &network;
    let capture = lab.capture();
    write_scripts(clarinet, 1, SERVICES[0]);
    write_scripts(fridge, 1, SERVICES[0]);
    let on_clarinet = start(clarinet, &vrid_1(250));
    let on_fridge = start(fridge, &vrid_1(100));

    wait_served_by(jimbob, &SERVICES, "clarinet");
    wait_events(clarinet, &["backup 0", "master 1"]);
    wait_events(fridge, &["backup 0"]);

    // "I simulate a system failure affecting clarinet by disconnecting its network cable."
    clarinet.pull_cable();
    wait_served_by(jimbob, &SERVICES, "fridge");
    wait_events(clarinet, &["backup 0", "master 1", "backup 0"]);
    wait_events(fridge, &["backup 0", "master 1"]);

    // "Given that, recovery is obvious. Reconnect the cable."
    clarinet.plug_cable();
    wait_served_by(jimbob, &SERVICES, "clarinet");
    wait_events(fridge, &["backup 0", "master 1", "backup 0"]);
    wait_until(LIMIT, "clarinet has run its masterscript again", || {
        events(clarinet).last().map(String::as_str) == Some("master 1")
    });

    for (host, priority) in [(clarinet, 250), (fridge, 100)] {
        let vr = Vr::paper().priority(priority);
        let breaches = Rules { host, vr: &vr }.breaches(&capture.seen());
        assert!(breaches.is_empty(), "{}: {breaches:#?}", host.name());
    }
    // "Any output from the event scripts is discarded": no longer.
    on_clarinet.wait_said("master script of VRID 1 was here");
    on_fridge.wait_said("backup script of VRID 1 was here");
}

#[cfg(target_os = "linux")]
#[test]
fn event_scripts_run_as_their_user() {
    let network = PaperNetwork::new(Segment::Hub);
    let clarinet = &network.clarinet;
    // Prints the owner of its own process, and complains of the words that vrrpd adds.
    let vrid = vrid_1(250).replace(
        "masterscript = /usr/local/etc/vrrp/vrid1_master.sh",
        "masterscript = /usr/bin/stat -c script-of-%U /proc/self/status\nscriptuser = nobody",
    );
    let vrid = vrid.replace("backupscript = /usr/local/etc/vrrp/vrid1_backup.sh\n", "");
    let daemon = start(clarinet, &vrid);
    wait_until(
        LIMIT,
        "the script has said whose it is (needs root)",
        || daemon.has_said("script-of-nobody"),
    );
}

#[test]
fn anybody_can_be_asked_who_is_master() {
    let network = PaperNetwork::new(Segment::Hub);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        ..
    } = &network;
    write_scripts(clarinet, 1, SERVICES[0]);
    write_scripts(fridge, 1, SERVICES[0]);
    let daemons = [start(clarinet, &vrid_1(250)), start(fridge, &vrid_1(100))];
    wait_served_by(jimbob, &SERVICES, "clarinet");
    for host in [clarinet, fridge] {
        wait_until(LIMIT, "vrrpctl who tells of clarinet", || {
            let who = vrrpctl(host, &["who"]);
            who.contains("10.10.10.6") && SERVICES.iter().all(|address| who.contains(address))
        });
    }
    assert!(vrrpctl(clarinet, &["status"]).contains("master"));
    assert!(vrrpctl(fridge, &["status"]).contains("backup"));
    drop(daemons);
}

/// The paper's two virtual routers for a shared load, each host the master of one.
fn load_shared(priority_50: u8, priority_55: u8) -> String {
    format!(
        "
[VRID]
serverid = 50
# VRID 50: 10.10.1.50
priority = {priority_50}
addr = 10.10.1.50/32
masterscript = /usr/local/etc/vrrp/vrid50_master.sh
backupscript = /usr/local/etc/vrrp/vrid50_backup.sh
password = crashbangbump
interface = xl0

[VRID]
serverid = 55
# VRID 55: 10.10.1.55
priority = {priority_55}
addr = 10.10.1.55/32
masterscript = /usr/local/etc/vrrp/vrid55_master.sh
backupscript = /usr/local/etc/vrrp/vrid55_backup.sh
password = whizzflump
interface = xl0
"
    )
}

#[test]
fn two_hosts_share_the_load_and_each_stands_in_for_the_other() {
    let network = PaperNetwork::new(Segment::Switch);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        ..
    } = &network;
    for host in [clarinet, fridge] {
        write_scripts(host, 50, "10.10.1.50");
        write_scripts(host, 55, "10.10.1.55");
    }
    jimbob.add_route("10.10.1.0/24");
    let daemons = [
        start(clarinet, &load_shared(250, 100)),
        start(fridge, &load_shared(100, 250)),
    ];
    wait_served_by(jimbob, &["10.10.1.50"], "clarinet");
    wait_served_by(jimbob, &["10.10.1.55"], "fridge");

    clarinet.pull_cable();
    wait_served_by(jimbob, &["10.10.1.50", "10.10.1.55"], "fridge");
    clarinet.plug_cable();
    wait_served_by(jimbob, &["10.10.1.50"], "clarinet");
    wait_served_by(jimbob, &["10.10.1.55"], "fridge");

    fridge.pull_cable();
    wait_served_by(jimbob, &["10.10.1.50", "10.10.1.55"], "clarinet");
    fridge.plug_cable();
    wait_served_by(jimbob, &["10.10.1.55"], "fridge");
    drop(daemons);
}

#[test]
fn a_wrong_password_is_not_obeyed() {
    let network = PaperNetwork::new(Segment::Hub);
    let PaperNetwork {
        clarinet,
        fridge,
        lab,
        ..
    } = &network;
    let capture = lab.capture();
    write_scripts(clarinet, 1, SERVICES[0]);
    write_scripts(fridge, 1, SERVICES[0]);
    let rogue = vrid_1(250).replace("foobingbaz", "somethingelse");
    let daemons = [start(clarinet, &rogue), start(fridge, &vrid_1(100))];
    for name in ["clarinet", "fridge"] {
        capture.wait_for(LIMIT, &format!("{name} is master"), |seen| {
            seen.is_advert(name, 1)
        });
    }
    pause(Duration::from_secs(4));
    capture.clear();
    pause(Duration::from_millis(2500));
    for name in ["clarinet", "fridge"] {
        assert!(capture.count(|seen| seen.is_advert(name, 1)) >= 2, "{name}");
    }
    // Two masters, and somebody is told why.
    assert!(daemons[1].has_said("password") || daemons[1].has_said("authentication"));
}
