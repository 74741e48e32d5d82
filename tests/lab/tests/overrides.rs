//! Overrides that vrrpctl gives: they last, end, and can be left. Needs root or a user namespace.

#![cfg(target_os = "linux")]

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use vrrp_lab::daemons::{vrrpctl, vrrpctl_status};
use vrrp_lab::pair::{LIMIT, Pair};
use vrrp_lab::probe::Ask;
use vrrp_lab::{Capture, Host, PaperNetwork, Program, Segment, Vr, patience, pause, wait_until};

const ADDRESS: &str = "10.10.10.80";

fn pair() -> Pair {
    let vr = Vr::new(1, ADDRESS).interval_cs(10).line("name = web");
    Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr)
}

/// Runs vrrpctl and returns its exit status and all that it has said.
fn told(host: &Host, words: &[&str]) -> (i32, String) {
    let (status, texts) = vrrpctl_status(host, words);
    (status, texts.concat())
}

/// Runs vrrpctl, which succeeds.
fn done(host: &Host, words: &[&str]) -> String {
    let (status, text) = told(host, words);
    assert_eq!(status, 0, "{words:?}: {text}");
    text
}

fn wait_up(host: &Host) {
    wait_until(LIMIT, "vrrpd answers", || told(host, &["status"]).0 == 0);
}

#[test]
fn a_drained_host_stays_away_over_restarts_and_crashes_until_it_is_undrained() {
    let mut pair = pair();
    let report = pair.probed(200, "fridge", |pair| {
        let words = ["drain", "web", "--for=2h", "--reason", "kernel update"];
        let said = done(&pair.network.clarinet, &words);
        assert_eq!(
            said,
            "web (VRID 1 on xl0, ipv4): drained: every other host serves rather than this one, for 2 h: kernel update\n"
        );
    });
    assert_eq!(report.lost(), 0, "{report:?}");
    let drained = |pair: &Pair| {
        let text = vrrpctl(&pair.network.clarinet, &["status"]);
        for part in [
            ": backup for ",
            ", drained",
            "priority   1 while it stands back, otherwise 250 configured",
            "warning    drained since 20",
            " UTC by root (uid 0), 1 h 59 min left: kernel update; to end it: vrrpctl undrain web",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    };
    wait_until(LIMIT, "clarinet is backup", || {
        told(&pair.network.clarinet, &["is-master", "web"]).0 == 1
    });
    drained(&pair);
    // A restart, the end of the worker, and the end of both.
    pair.clarinet.stop();
    pair.clarinet.start_again(&pair.network.clarinet);
    wait_up(&pair.network.clarinet);
    pause(Duration::from_secs(1));
    drained(&pair);
    let kill = |pid: u32| pair.network.clarinet.run(&format!("kill -9 {pid}"));
    let worker = pair.clarinet.worker();
    kill(worker);
    wait_until(LIMIT, "another worker", || {
        told(&pair.network.clarinet, &["status"]).0 == 0 && pair.clarinet.worker() != worker
    });
    pause(Duration::from_secs(1));
    drained(&pair);
    pair.clarinet.crash();
    pair.clarinet.start_again(&pair.network.clarinet);
    wait_up(&pair.network.clarinet);
    pause(Duration::from_secs(1));
    drained(&pair);
    pair.wait_master("fridge");
    let log = pair.clarinet.log();
    let masters = log.iter().filter(|(_, l)| l.contains("backup -> master"));
    assert_eq!(masters.count(), 1, "before the drain");
    let log = vrrpctl(&pair.network.clarinet, &["log", "web"]);
    let reason = "master -> backup: drained by root (uid 0): kernel update";
    assert!(log.contains(reason), "{log}");
    // Back, and nothing is left.
    let report = pair.probed(200, "clarinet", |pair| {
        let said = done(&pair.network.clarinet, &["undrain", "web"]);
        assert_eq!(said, "web (VRID 1 on xl0, ipv4): not drained any more\n");
    });
    assert_eq!(report.lost(), 0, "{report:?}");
    let text = vrrpctl(&pair.network.clarinet, &["status"]);
    assert!(text.contains("priority   250 = 250 configured"), "{text}");
    assert!(!text.contains("warning"), "{text}");
}

#[test]
fn a_drain_lets_connections_end_and_ends_by_itself() {
    let pair = pair();
    let (clarinet, jimbob) = (&pair.network.clarinet, &pair.network.jimbob);
    let listener = clarinet.netns().enter(|| TcpListener::bind("0.0.0.0:22"));
    let listener = listener.expect("listen");
    let session = jimbob
        .netns()
        .enter(|| TcpStream::connect((ADDRESS, 22)))
        .expect("connect");
    let accepted = listener.accept().expect("a connection").0;
    done(clarinet, &["drain", "1", "--wait=10m", "--for", "8s"]);
    wait_until(LIMIT, "the connection is counted", || {
        vrrpctl(clarinet, &["status"]).contains(", waits for 1 TCP connection, at most 9 min")
    });
    pair.wait_master("clarinet");
    drop((session, accepted));
    pair.wait_master("fridge");
    // Eight seconds have not passed before it left, and pass.
    pair.wait_master("clarinet");
    let log = vrrpctl(clarinet, &["log", "web"]);
    assert!(
        log.contains("the drain is over: its time has passed"),
        "{log}"
    );
}

#[test]
fn the_last_host_serves_on_though_it_is_drained() {
    let mut pair = pair();
    pair.fridge.stop();
    pair.wait_master("clarinet");
    let probe = pair.probe(200, Ask::Name);
    done(&pair.network.clarinet, &["drain", "--all"]);
    pause(Duration::from_secs(2));
    pair.wait_master("clarinet");
    let report = probe.stop();
    assert_eq!(report.lost(), 0, "{report:?}");
    let text = vrrpctl(&pair.network.clarinet, &["status"]);
    assert!(text.contains(": master for "), "{text}");
    assert!(text.contains(", drained"), "{text}");
    // Another host comes and is offered the addresses.
    pair.fridge.start_again(&pair.network.fridge);
    pair.wait_master("fridge");
    // And fails again.
    pair.fridge.crash();
    pair.wait_master("clarinet");
}

#[test]
fn a_hold_keeps_either_side_and_moves_are_made_once() {
    let pair = pair();
    let (clarinet, fridge) = (&pair.network.clarinet, &pair.network.fridge);
    let (status, said) = told(fridge, &["failover", "web"]);
    assert!(
        status == 1 && said.contains("it is not master here"),
        "{said}"
    );
    let (status, said) = told(fridge, &["failback", "web"]);
    assert_eq!(status, 1);
    assert!(
        said.contains("10.10.10.6 advertises priority 250 and ours is 100"),
        "{said}"
    );
    assert_eq!(
        done(clarinet, &["failover", "web"]),
        "web (VRID 1 on xl0, ipv4): 10.10.10.2 is master\n"
    );
    pair.wait_master("fridge");
    // The master is held: a better backup is not better any more.
    done(fridge, &["hold", "web"]);
    done(clarinet, &["default"]);
    pause(Duration::from_secs(1));
    pair.wait_master("fridge");
    let text = vrrpctl(fridge, &["status"]);
    assert!(
        text.contains("priority   254 = 254 held as master, 100 configured"),
        "{text}"
    );
    // The backup is held, too: the end of the other hold changes nothing.
    done(clarinet, &["hold", "web"]);
    done(fridge, &["release", "web"]);
    pause(Duration::from_secs(1));
    pair.wait_master("fridge");
    done(clarinet, &["failback", "web"]);
    done(clarinet, &["wait", "web", "master", "--timeout=20s"]);
    pair.wait_master("clarinet");
    assert!(vrrpctl(clarinet, &["status"]).contains(", held\n"));
    done(clarinet, &["default", "--all"]);
    assert!(!vrrpctl(clarinet, &["status"]).contains("held"));
}

/// The longest time for which no host advertised a virtual router, of all of them.
fn longest_silence(capture: &Capture) -> Duration {
    let mut last = [None; 256];
    let mut longest = 0;
    for seen in capture.seen() {
        if let Some(advert) = seen.advert()
            && let Some(before) = last[usize::from(advert.vrid)].replace(seen.at_us)
        {
            longest = longest.max(seen.at_us - before);
        }
    }
    Duration::from_micros(longest)
}

#[test]
fn a_hundred_are_drained_by_one_command_and_none_is_silent() {
    let network = PaperNetwork::new(Segment::Switch);
    let PaperNetwork {
        clarinet,
        fridge,
        lab,
        ..
    } = &network;
    let all = |priority: u8| -> Vec<Vr> {
        let vr = |vrid| Vr::new(vrid, &format!("10.10.20.{vrid}")).vmac(false);
        let vr = |vrid| vr(vrid).priority(priority).interval_cs(100);
        (1..=100).map(vr).collect()
    };
    let states = |host: &Host, state: &str| {
        let text = vrrpctl(host, &["status", "--brief"]);
        let in_state = |line: &&str| line.split_whitespace().nth(3) == Some(state);
        let lines = text.lines().map(|line| line.replace(',', " "));
        lines.filter(|line| in_state(&line.as_str())).count()
    };
    let _clarinet = clarinet.start(Program::Vrrpd, &all(250));
    wait_until(LIMIT, "clarinet is master of all", || {
        states(clarinet, "master") == 100
    });
    let _fridge = fridge.start(Program::Vrrpd, &all(100));
    wait_up(fridge);
    pause(Duration::from_secs(2));
    let capture = lab.capture();
    pause(Duration::from_secs(1));
    let began = Instant::now();
    done(clarinet, &["drain", "--all", "--reason=switch"]);
    let answered = began.elapsed();
    wait_until(LIMIT, "fridge is master of all", || {
        states(fridge, "master") == 100
    });
    let moved = began.elapsed();
    pause(Duration::from_secs(2));
    let silence = longest_silence(&capture);
    println!(
        "100 drained: answered after {answered:?}, moved after {moved:?}, longest silence {silence:?}"
    );
    // One that is late by an interval would be taken for dead.
    assert!(
        silence < Duration::from_millis(2_500) * patience(),
        "{silence:?}"
    );
    assert_eq!(states(clarinet, "backup"), 100);
    done(clarinet, &["default"]);
    wait_until(LIMIT, "clarinet is master of all again", || {
        states(clarinet, "master") == 100
    });
}
