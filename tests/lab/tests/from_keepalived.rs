//! From keepalived, host by host: each configuration is imported from the one that runs, and the group
//! serves all the while. Needs root or a user namespace, and keepalived.

#![cfg(target_os = "linux")]

use std::process::Command;

use vrrp_lab::daemons::{Daemon, vrrpctl, vrrpd_binary, vrrpd_control_socket};
use vrrp_lab::pair::{LIMIT, Pair, wait_master};
use vrrp_lab::probe::Ask;
use vrrp_lab::{HZ, Host, Program, Report, Segment, Vr, wait_until};

/// How often a change is made, of which one loses nothing: a busy machine may be late in one of them.
const ROUNDS: u32 = 3;

/// Imports the configuration of the keepalived on a host, and returns it with the lab's own folders.
fn imported(host: &Host) -> String {
    let mut vrrpd = Command::new(vrrpd_binary("vrrpd"));
    vrrpd
        .arg("--import")
        .arg(host.dir().join("keepalived.conf"));
    let output = host.netns().enter(|| vrrpd.output()).expect("run vrrpd");
    let report = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{report}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let folder = host.dir();
    format!(
        "[GLOBAL]\ncontrolsocket = {}\nruntimedir = {}\nstatedir = {}\n\n{text}",
        vrrpd_control_socket(host).display(),
        folder.join("run").display(),
        folder.join("state").display()
    )
}

/// Stops keepalived on a host, and starts vrrpd with what was imported; waits until it is a backup.
fn change(keepalived: &mut Daemon, host: &Host, vr: &Vr) -> Daemon {
    let text = imported(host);
    keepalived.stop();
    let vrrpd = Daemon::start(Program::Vrrpd, host, &text, std::slice::from_ref(vr));
    wait_until(LIMIT, "vrrpd is a backup", || {
        vrrpctl(host, &["status", "--brief"]).contains("backup")
    });
    vrrpd
}

/// The backup changes first, takes over, and gives back when the master has changed, too.
fn the_backup_first(vr: &Vr) -> Report {
    let mut pair = Pair::start(
        Segment::Switch,
        Program::Keepalived,
        Program::Keepalived,
        vr,
    );
    let probe = pair.probe(HZ, Ask::Name);
    let number = vr.vrid.to_string();
    let mut keepalived = pair.fridge;
    let _fridge = change(&mut keepalived, &pair.network.fridge, vr);
    let (network, capture) = (&pair.network, &pair.capture);
    wait_master(capture, &network.jimbob, vr, "clarinet");
    vrrpctl(&network.fridge, &["priority", &number, "254"]);
    wait_master(capture, &network.jimbob, vr, "fridge");
    let _clarinet = change(&mut pair.clarinet, &network.clarinet, vr);
    wait_master(capture, &network.jimbob, vr, "fridge");
    vrrpctl(&network.fridge, &["priority", &number, "default"]);
    wait_master(capture, &network.jimbob, vr, "clarinet");
    probe.stop()
}

/// The master changes first, while the other keepalived has a higher priority for that time.
fn the_master_first(vr: &Vr) -> Report {
    let mut pair = Pair::start(
        Segment::Switch,
        Program::Keepalived,
        Program::Keepalived,
        vr,
    );
    let (network, capture) = (&pair.network, &pair.capture);
    let fridge = &network.fridge;
    pair.fridge.reload(fridge, &[vr.clone().priority(254)]);
    wait_master(capture, &network.jimbob, vr, "fridge");
    // That move was keepalived's own.
    let probe = pair.probe(HZ, Ask::Name);
    let _clarinet = change(&mut pair.clarinet, &network.clarinet, vr);
    wait_master(capture, &network.jimbob, vr, "fridge");
    pair.fridge.reload(fridge, &[vr.clone().priority(100)]);
    wait_master(capture, &network.jimbob, vr, "clarinet");
    let _fridge = change(&mut pair.fridge, fridge, vr);
    wait_master(capture, &network.jimbob, vr, "clarinet");
    probe.stop()
}

/// Makes a change until one loses no probe.
fn without_loss(change: impl Fn() -> Report) {
    let mut lost = Vec::new();
    for _ in 0..ROUNDS {
        let report = change();
        let silence_us = report.longest_silence_us();
        assert!(silence_us < 500_000, "{:#?}", report.timeline());
        lost.push(report.lost());
        if report.lost() == 0 {
            break;
        }
    }
    eprintln!("lost: {lost:?}");
    assert_eq!(lost.last(), Some(&0), "probes are lost each time: {lost:?}");
}

fn v2() -> Vr {
    Vr::new(51, "10.10.10.53,10.10.10.80")
        .v2()
        .password("gate-pass")
}

fn v3() -> Vr {
    Vr::new(51, "10.10.10.53,10.10.10.80").interval_cs(50)
}

fn v6() -> Vr {
    Vr::new(51, "fe80::53,fd00:10::53").interval_cs(50)
}

#[test]
fn version_2_the_backup_first() {
    without_loss(|| the_backup_first(&v2()));
}

#[test]
fn version_2_the_master_first() {
    without_loss(|| the_master_first(&v2()));
}

#[test]
fn version_3_the_backup_first() {
    without_loss(|| the_backup_first(&v3()));
}

#[test]
fn version_3_the_master_first() {
    without_loss(|| the_master_first(&v3()));
}

/// A switch learns the port of the virtual MAC anew at each move, which may take until the second round of
/// announcements.
#[test]
fn the_virtual_mac_stays_what_it_is() {
    let report = the_backup_first(&v2().vmac(true));
    let silence_us = report.longest_silence_us();
    assert!(silence_us < 500_000, "{:#?}", report.timeline());
}

#[test]
fn ipv6_the_backup_first() {
    without_loss(|| the_backup_first(&v6()));
}

/// Both ways beside each other, one failover each: what was imported elects and is heard as the original.
#[test]
fn an_import_and_its_original_stand_in_for_each_other() {
    for (vr, clarinet_is_imported) in [(v2(), true), (v2(), false), (v3(), true), (v3(), false)] {
        let mut pair = Pair::start(
            Segment::Switch,
            Program::Keepalived,
            Program::Keepalived,
            &vr,
        );
        let (keepalived, host) = if clarinet_is_imported {
            (&mut pair.clarinet, &pair.network.clarinet)
        } else {
            (&mut pair.fridge, &pair.network.fridge)
        };
        let text = imported(host);
        keepalived.stop();
        let _vrrpd = Daemon::start(Program::Vrrpd, host, &text, std::slice::from_ref(&vr));
        pair.wait_master("clarinet");
        pair.network.clarinet.pull_cable();
        pair.wait_master("fridge");
        pair.network.clarinet.plug_cable();
        pair.wait_master("clarinet");
    }
}
