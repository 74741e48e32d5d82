//! vrrpctl says why: a split brain by a loss in one direction, as both hosts explain it. Needs root or a
//! user namespace.

#![cfg(target_os = "linux")]

use std::process::Command;

use vrrp_lab::daemons::{vrrpctl, vrrpctl_status};
use vrrp_lab::pair::{LIMIT, Pair};
use vrrp_lab::{Host, Program, Segment, Vr, wait_until};

const ADDRESS: &str = "10.10.10.80";
/// The backup hears no advertisement any more, and everything else as before.
const DEAF: &str = "table netdev deaf { chain c { type filter hook ingress device xl0 priority 0; \
                    ip protocol 112 drop; }; }";

/// Waits until vrrpctl says all of `parts`.
fn wait_for(host: &Host, words: &[&str], parts: &[&str]) {
    let what = format!("{} says {parts:?}", host.name());
    wait_until(LIMIT, &what, || {
        let text = vrrpctl(host, words);
        parts.iter().all(|part| text.contains(part))
    });
}

/// The identifiers of what the doctor finds.
fn findings(host: &Host) -> String {
    let (_, [output, _]) = vrrpctl_status(host, &["doctor"]);
    output
}

#[test]
fn a_split_brain_by_a_loss_in_one_direction_is_explained_on_both_hosts() {
    let vr = Vr::new(1, ADDRESS).interval_cs(20).line("name = web");
    let pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
    let (master, backup) = (&pair.network.clarinet, &pair.network.fridge);
    wait_for(
        backup,
        &["explain", "web"],
        &["This host is backup: ", "Nothing would change: "],
    );
    let nft = &mut Command::new("nft");
    backup.netns().feed(nft.args(["-f", "-"]), DEAF);
    // It hears nobody, and the address answers.
    wait_for(
        backup,
        &["explain", "web"],
        &[
            "because the master before it fell silent",
            "and no advertisement of it is heard",
            "backup -> master: no advertisement within ",
        ],
    );
    // The other hears it: one host alone sees the split brain.
    wait_for(
        master,
        &["explain", "web"],
        &["There are two masters: ", "How it came to this"],
    );
    wait_for(master, &["stats", "--prometheus"], &["vrrp_masters_heard{"]);
    let metrics = vrrpctl(master, &["stats", "--prometheus"]);
    let heard = metrics
        .lines()
        .find(|line| line.starts_with("vrrp_masters_heard{"));
    assert!(heard.is_some_and(|line| line.ends_with(" 2")), "{metrics}");
    let found = findings(master);
    assert!(found.contains("[two-masters]"), "{found}");
    // It ends, and the history has both ends of it.
    backup.run("nft delete table netdev deaf");
    wait_for(backup, &["explain", "web"], &["This host is backup: "]);
    wait_for(
        backup,
        &["log", "web"],
        &["backup -> master: ", "master -> backup: "],
    );
}
