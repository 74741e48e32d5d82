//! The two processes of vrrpd: the rights of each, and what a client notices when one of them dies or
//! stands still. Needs root or a user namespace.

#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use vrrp_lab::pair::LIMIT;
use vrrp_lab::sys::{now_us, signal};
use vrrp_lab::{HZ, Pair, Program, Segment, Vr, patience, wait_until};

const ADDRESS: &str = "10.10.10.53";
/// As short as the measurements have it.
const SHORT_CS: u16 = 10;

fn pair(vmac: bool) -> Pair {
    let vr = Vr::new(1, ADDRESS)
        .interval_cs(SHORT_CS)
        .vmac(vmac)
        .no_preempt();
    Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr)
}

/// A line of `/proc/PID/status`.
fn status(pid: u32, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.expect("a line of that name").trim().to_owned()
}

#[test]
fn the_worker_has_no_rights() {
    let pair = pair(true);
    let (parent, worker) = (pair.clarinet.pid(), pair.clarinet.worker());
    for name in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
        assert_eq!(status(worker, name), "0000000000000000", "{name}");
    }
    assert_eq!(status(worker, "NoNewPrivs:"), "1");
    assert_eq!(status(worker, "Seccomp:"), "2");
    assert_ne!(status(parent, "CapEff:"), "0000000000000000");
    // In a user namespace there may be no other user.
    if std::fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| map.contains("4294967295")) {
        assert_ne!(status(worker, "Uid:").split_whitespace().next(), Some("0"));
        assert_eq!(status(worker, "CapBnd:"), "0000000000000000");
        let files = std::fs::read_dir(format!("/proc/{worker}/fd")).expect("its descriptors");
        for file in files.flatten() {
            let to = std::fs::read_link(file.path()).expect("a descriptor");
            let to = to.to_string_lossy().into_owned();
            let known = [
                "socket:",
                "anon_inode:[eventpoll]",
                "anon_inode:[timerfd]",
                "/dev/null",
            ];
            assert!(known.iter().any(|begin| to.starts_with(begin)), "{to}");
        }
    }
}

/// A way in which the daemon of a host comes to harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    WorkerKilled,
    WorkerFrozen,
    ParentKilled,
    BothKilled,
}

/// Does harm to clarinet, and measures.
fn harm(vmac: bool, kind: Harm) {
    let mut pair = pair(vmac);
    let (parent, worker) = (pair.clarinet.pid(), pair.clarinet.worker());
    let (mut at_us, mut gone) = (0, Duration::ZERO);
    let report = pair.probed(HZ, "fridge", |pair| {
        at_us = now_us();
        let begun = Instant::now();
        let hit = |pid, how| signal(pid, how).expect("a running process");
        match kind {
            Harm::WorkerKilled => hit(worker, libc::SIGKILL),
            Harm::WorkerFrozen => hit(worker, libc::SIGSTOP),
            Harm::ParentKilled => hit(parent, libc::SIGKILL),
            Harm::BothKilled => {
                hit(parent, libc::SIGKILL);
                hit(worker, libc::SIGKILL);
            }
        }
        if matches!(kind, Harm::ParentKilled | Harm::BothKilled) {
            // The unit does it as ExecStopPost.
            pair.clarinet.clean_up();
        }
        let host = &pair.network.clarinet;
        // Without a pause between two looks: this is measured.
        while host.has_address(ADDRESS) {
            assert!(begun.elapsed() < LIMIT, "the address stays");
        }
        gone = begun.elapsed();
    });
    let silence_us = report.longest_silence_us();
    let resigned = pair.capture.find(|seen| {
        let advert = seen.advert();
        &*seen.host == "clarinet"
            && seen.at_us >= at_us
            && advert.is_some_and(|advert| advert.priority == 0)
    });
    let resigned_us = resigned.first().map(|seen| seen.at_us - at_us);
    println!(
        "virtual MAC {vmac}, {kind:?}: address gone after {:.1} ms, priority 0 after {:?} us, \
         silence {:.1} ms",
        gone.as_secs_f64() * 1e3,
        resigned_us,
        silence_us as f64 / 1e3
    );
    assert!(resigned_us.is_some(), "{}", pair.capture.tail(30));
    let answerers = report.answerers();
    if kind == Harm::WorkerFrozen {
        // The other host takes over at about the time at which the parent finds it out.
        assert_eq!(answerers.last().map(String::as_str), Some("fridge"));
    } else {
        // The other host answers alone, and the first one never again.
        assert_eq!(answerers, ["clarinet", "fridge"]);
    }
    // By the protocol 61 ms of skew, and 0.3 s until a frozen worker is found out.
    assert!(
        silence_us < 1_000_000 * u64::from(patience()),
        "{silence_us}"
    );
    match kind {
        Harm::WorkerKilled | Harm::WorkerFrozen => {
            wait_until(LIMIT, "another worker", || {
                pair.clarinet.has_said("the new worker process has started")
            });
            assert_ne!(pair.clarinet.worker(), worker);
            pair.fridge.stop();
            pair.wait_master("clarinet");
        }
        Harm::ParentKilled | Harm::BothKilled => {
            let gone = || !std::path::Path::new(&format!("/proc/{worker}/exe")).exists();
            wait_until(LIMIT, "the worker is gone, too", gone);
            assert_eq!(pair.network.clarinet.interfaces(), ["xl0"]);
        }
    }
}

/// Seconds after which the kernel removes an address that is not renewed.
const LEASE: u32 = 2;

/// A pair of whom clarinet has leased its addresses.
fn leased(vmac: bool) -> Pair {
    let pair = pair(vmac);
    let vr = pair.vr.clone().priority(250);
    let config = Program::Vrrpd.config(&pair.network.clarinet, &[vr]);
    let lease = format!("[GLOBAL]\nlease = {LEASE}\n");
    // By a reload, so that an address that is there gets its lease, too.
    pair.clarinet
        .reload_text(&config.replacen("[GLOBAL]\n", &lease, 1));
    wait_until(LIMIT, "the address is leased", || {
        let line = pair.network.clarinet.run(&address_of_ip());
        (line.contains("valid_lft 2sec") || line.contains("valid_lft 1sec"))
            && line.contains("dynamic")
    });
    pair
}

fn address_of_ip() -> String {
    format!("ip -o addr show to {ADDRESS}")
}

#[test]
fn a_leased_address_goes_when_both_processes_stand_still() {
    for vmac in [true, false] {
        let pair = leased(vmac);
        let begun = Instant::now();
        for pid in [pair.clarinet.pid(), pair.clarinet.worker()] {
            signal(pid, libc::SIGSTOP).expect("a running process");
        }
        wait_until(LIMIT, "the address has gone by itself", || {
            !pair.network.clarinet.has_address(ADDRESS)
        });
        println!(
            "virtual MAC {vmac}, lease {LEASE} s: gone after {:.2} s",
            begun.elapsed().as_secs_f64()
        );
        pair.network.jimbob.forget_neighbours();
        pair.wait_master("fridge");
        // Nothing brings it back before its owner goes on.
        std::thread::sleep(Duration::from_secs(1));
        assert!(!pair.network.clarinet.has_address(ADDRESS));
        for pid in [pair.clarinet.worker(), pair.clarinet.pid()] {
            signal(pid, libc::SIGCONT).expect("a stopped process");
        }
        pair.wait_master("clarinet");
    }
}

#[test]
fn a_parent_that_stands_still_under_a_lease_hands_over() {
    for vmac in [true, false] {
        let pair = leased(vmac);
        let begun = Instant::now();
        let parent = pair.clarinet.pid();
        signal(parent, libc::SIGSTOP).expect("a running process");
        pair.network.jimbob.forget_neighbours();
        pair.wait_master("fridge");
        println!(
            "virtual MAC {vmac}, lease {LEASE} s: handed over after {:.2} s",
            begun.elapsed().as_secs_f64()
        );
        wait_until(LIMIT, "the address has gone by itself", || {
            !pair.network.clarinet.has_address(ADDRESS)
        });
        signal(parent, libc::SIGCONT).expect("a stopped process");
        wait_until(LIMIT, "another worker", || {
            let mut log = pair.clarinet.log().into_iter();
            log.any(|(_, said)| said.contains("the new worker process has started"))
        });
        let mut log = pair.clarinet.log().into_iter();
        let line = "the parent process stands still";
        assert!(log.any(|(_, said)| said.contains(line)));
        // It does not preempt.
        pair.wait_master("fridge");
    }
}

#[test]
fn a_leased_address_goes_when_both_processes_are_killed() {
    let mut pair = leased(true);
    let worker = pair.clarinet.worker();
    pair.clarinet.crash();
    let _ = signal(worker, libc::SIGKILL);
    wait_until(LIMIT, "the address has gone by itself", || {
        !pair.network.clarinet.has_address(ADDRESS)
    });
    pair.network.jimbob.forget_neighbours();
    pair.wait_master("fridge");
    // As the unit does, for the macvlan.
    pair.clarinet.clean_up();
}

#[test]
fn a_renewal_is_not_noticed() {
    for vmac in [true, false] {
        let mut pair = leased(vmac);
        let changes = pair.clarinet.log().len();
        let report = pair.probed(HZ, "clarinet", |_| {
            std::thread::sleep(Duration::from_secs(3 * u64::from(LEASE)));
        });
        assert_eq!(report.answerers(), ["clarinet"]);
        assert_eq!(
            report.lost(),
            0,
            "silence {} us",
            report.longest_silence_us()
        );
        let log = pair.clarinet.log();
        let said: Vec<_> = log.iter().skip(changes).collect();
        assert!(said.is_empty(), "{said:?}");
        let line = pair.network.clarinet.run(&address_of_ip());
        assert!(line.contains("dynamic"), "{line}");
        // Without a lease it stays for ever.
        let vr = pair.vr.clone().priority(250);
        pair.clarinet.reload(&pair.network.clarinet, &[vr]);
        wait_until(LIMIT, "the address has no lease any more", || {
            let line = pair.network.clarinet.run(&address_of_ip());
            line.contains("valid_lft forever")
        });
    }
}

fn in_both_modes(kind: Harm) {
    for vmac in [true, false] {
        harm(vmac, kind);
    }
}

#[test]
fn a_worker_that_is_killed_hands_over() {
    in_both_modes(Harm::WorkerKilled);
}

#[test]
fn a_worker_that_stands_still_hands_over() {
    in_both_modes(Harm::WorkerFrozen);
}

#[test]
fn a_parent_that_is_killed_takes_the_worker_along() {
    in_both_modes(Harm::ParentKilled);
}

#[test]
fn both_killed_are_cleaned_up_after() {
    in_both_modes(Harm::BothKilled);
}
