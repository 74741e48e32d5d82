//! vrrpctl says why: a split brain by a loss in one direction, as both hosts explain it, and what a second
//! path between them tells of each fault. Needs root or a user namespace.

#![cfg(target_os = "linux")]

use std::process::Command;

use vrrp_lab::daemons::{vrrpctl, vrrpctl_status};
use vrrp_lab::pair::{LIMIT, Pair};
use vrrp_lab::{Host, PaperNetwork, Program, Segment, Vr, sys, wait_until};

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
    // The rule is before the sockets, so it is no rule that vrrpd reads below.
    let found = findings(backup);
    assert!(found.contains("[firewall-ingress]"), "{found}");
    let insert = "nft insert rule netdev deaf c ip protocol 112 accept";
    assert!(found.contains(insert), "{found}");
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

/// Waits until the second path of a host shows a state.
fn wait_for_path(host: &Host, state: &str) {
    wait_for(
        host,
        &["status", "web"],
        &[&format!("\n  heartbeat  xl1: {state}: ")],
    );
}

/// The state of the second path of a host in its metrics.
fn path_metric(host: &Host) -> String {
    let text = vrrpctl(host, &["stats", "--prometheus"]);
    let is_set = |line: &&str| line.starts_with("vrrp_heartbeat{") && line.ends_with(" 1");
    let states: Vec<&str> = text.lines().filter(is_set).collect();
    let [line] = states[..] else {
        panic!("{text}");
    };
    let (_, rest) = line.split_once(",state=\"").expect("a label");
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn a_second_path_tells_dead_from_cut_off_from_frozen() {
    for address in [ADDRESS, "fd00:10::80"] {
        second_path(address);
    }
}

fn second_path(address: &str) {
    let network = PaperNetwork::new(Segment::Hub);
    let second = network.lab.segment(Segment::Hub, 20);
    let (master, backup) = (&network.clarinet, &network.fridge);
    let ports = [master, backup].map(|host| host.join(&second, "xl1"));
    let copies = second.capture();
    let vr = Vr::new(1, address).interval_cs(20).vmac(true);
    let vr = vr.line("name = web").line("heartbeat = xl1");
    let daemon = master.start(Program::Vrrpd, &[vr.clone().priority(250)]);
    let other = backup.start(Program::Vrrpd, &[vr.clone().priority(100)]);
    let well = || {
        wait_for_path(backup, "both");
        wait_for_path(master, "silent");
        wait_for(backup, &["status", "web"], &["): backup for "]);
        wait_for(master, &["status", "web"], &["): master for "]);
    };
    well();
    assert_eq!(
        (path_metric(master), path_metric(backup)),
        ("silent".into(), "both".into())
    );
    wait_for(backup, &["who"], &["1 (heartbeat)  xl1"]);
    // Copies come from the MAC of the second interface, and from a master alone.
    let own = ports[0].mac();
    let adverts = copies.find(|seen| seen.is_advert("clarinet", 1));
    assert!(!adverts.is_empty());
    assert!(
        adverts.iter().all(|seen| seen.frame.src == own),
        "{adverts:?}"
    );
    assert_eq!(copies.count(|seen| seen.is_advert("fridge", 1)), 0);

    // A loss in one direction.
    network.lab.drop_advertisements(master, backup);
    wait_for_path(backup, "cut");
    wait_for_path(master, "one-way");
    assert_eq!(
        (path_metric(master), path_metric(backup)),
        ("one-way".into(), "cut".into())
    );
    wait_for(
        backup,
        &["explain", "web"],
        &[
            " is alive: it is heard on the second path, xl1",
            "the election goes by xl0 alone",
        ],
    );
    wait_for(
        master,
        &["explain", "web"],
        &[" and goes on as master: our advertisements do not reach it on xl0"],
    );
    assert!(findings(backup).contains("[cut]"), "{}", findings(backup));
    assert!(
        findings(master).contains("[one-way]"),
        "{}",
        findings(master)
    );
    wait_for(
        backup,
        &["log", "web"],
        &[" is alive on xl1 and not heard on xl0: it is cut off"],
    );
    network.lab.heal();
    well();
    wait_for(
        backup,
        &["log", "web"],
        &["no longer: ", " is alive on xl1 and not heard on xl0"],
    );

    // The first cable alone, in both directions.
    master.fail_port();
    wait_for_path(backup, "cut");
    wait_for_path(master, "cut");
    master.mend_port();
    well();

    // The second cable alone: it moves nothing.
    let before = vrrpctl(backup, &["log", "web"]).matches(" -> ").count();
    ports[0].fail_port();
    wait_for_path(backup, "missed");
    assert!(
        findings(backup).contains("[second-path]"),
        "{}",
        findings(backup)
    );
    backup.netns().ip("link set xl1 down");
    wait_for_path(backup, "down");
    backup.netns().ip("link set xl1 up");
    ports[0].mend_port();
    well();
    assert_eq!(
        vrrpctl(backup, &["log", "web"]).matches(" -> ").count(),
        before
    );

    // Another worker goes on.
    let worker = other.worker();
    sys::signal(worker, libc::SIGKILL).expect("a worker");
    wait_until(LIMIT, "another worker", || {
        vrrpctl(backup, &["status"]).contains("1 crash of its worker process")
    });
    well();

    // A vrrpd that stands still: its kernel answers.
    daemon.freeze();
    wait_for_path(backup, "frozen");
    wait_for(
        backup,
        &["explain", "web"],
        &["its vrrpd stands still, or was killed"],
    );
    daemon.thaw();
    well();

    // Both cables, as when the power fails.
    master.fail_port();
    ports[0].fail_port();
    wait_for_path(backup, "dead");
    wait_for(
        backup,
        &["explain", "web"],
        &[" at once, last ", "it is dead"],
    );
    assert!(findings(backup).contains("[dead]"), "{}", findings(backup));
}
