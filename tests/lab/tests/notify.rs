//! The script that hears of every change, with the arguments that keepalived gives. Needs root or a user
//! namespace.

#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt;

use vrrp_lab::pair::{LIMIT, wait_master};
use vrrp_lab::{Host, PaperNetwork, Program, Segment, Vr, wait_until};

const ADDRESS: &str = "10.10.10.80";

/// Writes a script that appends its words, and returns the line of a configuration.
fn script(host: &Host) -> String {
    let path = host.dir().join("notify");
    let log = host.dir().join("notified");
    let text = format!("#!/bin/sh\necho \"$*|$VRRP_EVENT\" >>{}\n", log.display());
    std::fs::write(&path, text).expect("write a script");
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&path, executable).expect("make a script executable");
    format!("notifyscript = {} keepalived", path.display())
}

fn wait_notified(host: &Host, lines: &[&str]) {
    let expected: String = lines
        .iter()
        .map(|line| format!("keepalived INSTANCE {line}\n"))
        .collect();
    let read = || std::fs::read_to_string(host.dir().join("notified")).unwrap_or_default();
    wait_until(LIMIT, &format!("notified of {lines:?}"), || {
        read() == expected
    });
}

#[test]
fn one_script_hears_of_takeover_fault_recovery_and_stop() {
    let network = PaperNetwork::new(Segment::Switch);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        lab,
    } = &network;
    let capture = lab.capture();
    let vr = Vr::new(1, ADDRESS).interval_cs(10);
    let told = vr
        .clone()
        .priority(250)
        .line("name = web")
        .line(&script(clarinet));
    let mut preferred = clarinet.start(Program::Vrrpd, &[told]);
    let unnamed = vr.clone().priority(100).line(&script(fridge));
    let mut other = fridge.start(Program::Vrrpd, &[unnamed]);
    wait_master(&capture, jimbob, &vr, "clarinet");
    let mut heard = vec!["web BACKUP 250|backup", "web MASTER 250|master"];
    wait_notified(clarinet, &heard);
    wait_notified(fridge, &["1 BACKUP 100|backup"]);

    clarinet.pull_cable();
    heard.push("web FAULT 250|fault");
    wait_notified(clarinet, &heard);
    wait_notified(fridge, &["1 BACKUP 100|backup", "1 MASTER 100|master"]);

    clarinet.plug_cable();
    heard.extend(["web BACKUP 250|backup", "web MASTER 250|master"]);
    wait_notified(clarinet, &heard);

    preferred.stop();
    heard.push("web STOP 250|stop");
    wait_notified(clarinet, &heard);
    other.stop();
}
