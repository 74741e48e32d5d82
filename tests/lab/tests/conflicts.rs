//! Hosts that have an address of ours and no VRRP. Needs root or a user namespace.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{Daemon, Host, PaperNetwork, Program, Segment, Vr, pause, wait_until};

const V4: &str = "10.10.10.53";
const V6: &str = "fd00:10::53";
/// The beginning of every warning about such a host.
const STRANGER: &str = "another host on xl0";

fn virtual_routers(priority: u8, vmac: bool) -> [Vr; 2] {
    [(1, V4.to_owned()), (2, format!("fe80::53,{V6}"))].map(|(vrid, addresses)| {
        Vr::new(vrid, &addresses)
            .priority(priority)
            .interval_cs(20)
            .vmac(vmac)
    })
}

/// A master and a backup, with the virtual MAC or without.
fn pair(vmac: [bool; 2]) -> (PaperNetwork, [Daemon; 2]) {
    pair_with(vmac, 20, "onconflict = takeover")
}

/// A master and a backup with an interval in centiseconds, of which the latter has another line of
/// configuration.
fn pair_with(vmac: [bool; 2], interval_cs: u16, line: &str) -> (PaperNetwork, [Daemon; 2]) {
    eprintln!("--- virtual MAC: {vmac:?}");
    let network = PaperNetwork::new(Segment::Switch);
    let (clarinet, fridge) = (&network.clarinet, &network.fridge);
    let master = virtual_routers(200, vmac[0]).map(|vr| vr.interval_cs(interval_cs));
    let backup = virtual_routers(100, vmac[1]).map(|vr| vr.interval_cs(interval_cs).line(line));
    let daemons = [
        clarinet.start(Program::Vrrpd, &master),
        fridge.start(Program::Vrrpd, &backup),
    ];
    wait_until(LIMIT, "a master and a backup", || {
        states(clarinet, "master") == 2 && states(fridge, "backup") == 2
    });
    (network, daemons)
}

fn states(host: &Host, state: &str) -> usize {
    let brief = vrrpctl(host, &["status", "--brief"]);
    brief.lines().filter(|line| line.contains(state)).count()
}

fn warnings(host: &Host) -> Vec<String> {
    let status = vrrpctl(host, &["status"]);
    let warnings = status.lines().filter(|line| line.contains("warning"));
    warnings.map(str::to_owned).collect()
}

/// Waits until a host has a warning with all of these words.
fn wait_for_warning(host: &Host, words: &[&str]) {
    let what = format!("{} warns: {words:?}", host.name());
    wait_until(LIMIT, &what, || {
        let mut all = warnings(host).into_iter();
        all.any(|warning| words.iter().all(|word| warning.contains(word)))
    });
}

/// Gives a host an address, and has it say so: it asks for a neighbour in the name of one of IPv4, and
/// its kernel announces one of IPv6.
fn take(host: &Host, address: &str) {
    let ns = host.netns();
    if address.contains(':') {
        ns.sysctl("net/ipv6/conf/xl0/ndisc_notify", "1");
        ns.ip(&format!("addr add {address}/64 dev xl0"));
    } else {
        ns.ip(&format!("addr add {address}/32 dev xl0"));
        ask_in_the_name_of(host, address);
    }
}

fn ask_in_the_name_of(host: &Host, address: &str) {
    // No host answers there, so that the kernel asks again and again.
    host.run(&format!("ping -c 1 -W 1 -I {address} 10.10.10.77"));
}

#[test]
fn a_host_that_has_the_address_without_vrrp_is_named_by_master_and_backup() {
    for vmac in [true, false] {
        let (network, daemons) = pair([vmac, vmac]);
        let stranger = &network.jimbob;
        let mac = format!("MAC {:?}", stranger.mac());
        for address in [V4, V6] {
            take(stranger, address);
            for host in [&network.clarinet, &network.fridge] {
                wait_for_warning(host, &[STRANGER, &mac, address, "without VRRP"]);
            }
        }
        for (host, daemon) in [&network.clarinet, &network.fridge].iter().zip(&daemons) {
            wait_until(LIMIT, "it is in the log", || {
                let log = daemon.log();
                let told = log.iter().filter(|(_, line)| line.contains(STRANGER));
                told.count() == 2
            });
            let metrics = vrrpctl(host, &["stats", "--prometheus"]);
            let counted = metrics
                .lines()
                .filter(|line| line.starts_with("vrrp_warnings{") && line.ends_with(" 1"));
            assert_eq!(counted.count(), 2, "{metrics}");
        }
        assert_eq!(states(&network.clarinet, "master"), 2);
    }
}

#[test]
fn another_host_with_our_own_address_is_named() {
    let (network, _daemons) = pair([true, true]);
    let PaperNetwork {
        clarinet, jimbob, ..
    } = &network;
    let mac = format!("MAC {:?}", jimbob.mac());
    take(jimbob, "10.10.10.6");
    wait_for_warning(clarinet, &[STRANGER, &mac, "our own address 10.10.10.6"]);
    assert_eq!(warnings(&network.fridge), [""; 0]);
}

#[test]
fn two_routers_that_take_over_from_each_other_are_no_strangers() {
    for vmac in [[true, true], [false, false], [false, true]] {
        let (network, mut daemons) = pair(vmac);
        let hosts = [&network.clarinet, &network.fridge];
        // A stranger's kernel is asked, and routers ask in the name of the address.
        let talk = |master: usize| {
            network.jimbob.forget_neighbours();
            assert!(network.jimbob.ask(V4).is_some());
            assert!(network.jimbob.ask(V6).is_some());
            ask_in_the_name_of(hosts[master], V4);
        };
        let settle = |master: usize| {
            wait_until(LIMIT, "the other one is master", || {
                states(hosts[master], "master") == 2 && states(hosts[1 - master], "master") == 0
            });
            talk(master);
        };
        talk(0);
        for vrid in ["1", "2"] {
            vrrpctl(hosts[0], &["resign", vrid]);
        }
        settle(1);
        for vrid in ["1", "2"] {
            vrrpctl(hosts[1], &["resign", vrid]);
        }
        settle(0);
        // It is disabled, and hears a master whose advertisements it does not take in.
        vrrpctl(hosts[0], &["disable", "--all"]);
        settle(1);
        vrrpctl(hosts[0], &["enable", "--all"]);
        settle(0);
        hosts[0].pull_cable();
        wait_until(LIMIT, "the backup takes over", || {
            states(hosts[1], "master") == 2
        });
        talk(1);
        hosts[0].plug_cable();
        settle(0);
        let log = |daemon: &Daemon| {
            let lines = daemon.log().into_iter().map(|(_, line)| line);
            let lines: Vec<_> = lines.filter(|line| line.contains(STRANGER)).collect();
            lines
        };
        daemons[0].stop();
        wait_until(LIMIT, "the backup takes over", || {
            states(hosts[1], "master") == 2
        });
        talk(1);
        assert_eq!(log(&daemons[0]), [""; 0]);
        daemons[0].start_again(hosts[0]);
        settle(0);
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(5) {
            for host in hosts {
                assert_eq!(warnings(host), [""; 0]);
            }
            pause(Duration::from_millis(200));
        }
        for daemon in &daemons {
            assert_eq!(log(daemon), [""; 0]);
        }
    }
}

#[test]
fn an_address_to_advertise_from_that_leaves_its_interface_is_a_warning_until_it_is_back() {
    let network = PaperNetwork::new(Segment::Switch);
    let host = &network.clarinet;
    let second = "addr add 10.10.10.66/24 dev xl0";
    host.netns().ip(second);
    for vmac in [true, false] {
        let vr = Vr::new(1, V4).interval_cs(20).vmac(vmac);
        let mut daemon = host.start(Program::Vrrpd, &[vr.line("source = 10.10.10.66")]);
        wait_until(LIMIT, "it is master", || states(host, "master") == 1);
        assert_eq!(warnings(host), [""; 0]);
        host.netns().ip("addr del 10.10.10.66/24 dev xl0");
        let text = "VRID 1 on xl0 (ipv4): xl0 does not have 10.10.10.66";
        wait_for_warning(host, &["xl0 does not have 10.10.10.66", "change source"]);
        wait_until(LIMIT, "it is in the log", || daemon.has_said(text));
        assert_eq!(states(host, "master"), 1);
        host.netns().ip(second);
        wait_until(LIMIT, "no warning", || warnings(host).is_empty());
        wait_until(LIMIT, "that is in the log, too", || {
            daemon.has_said(&format!("no longer: {text}"))
        });
        daemon.stop();
    }
}

#[test]
fn a_host_that_has_the_address_and_announces_nothing_is_found_by_the_master() {
    for vmac in [true, false] {
        let (network, _daemons) = pair([vmac, vmac]);
        let stranger = &network.jimbob;
        let mac = format!("MAC {:?}", stranger.mac());
        stranger.netns().ip(&format!(
            "addr add {V4}/32 dev xl0\n\
             addr add {V6}/128 dev xl0 nodad"
        ));
        for address in [V4, V6] {
            wait_for_warning(&network.clarinet, &[STRANGER, &mac, address]);
        }
        assert_eq!(states(&network.clarinet, "master"), 2);
    }
}

/// The series of a host that tells of addresses which others answer for, as far as they are 1.
fn conflicts(host: &Host) -> usize {
    let metrics = vrrpctl(host, &["stats", "--prometheus"]);
    let series = metrics.lines();
    let series = series.filter(|line| line.starts_with("vrrp_address_conflict{"));
    series.filter(|line| line.ends_with(" 1")).count()
}

#[test]
fn a_takeover_from_a_master_that_is_cut_off_in_one_direction_says_so() {
    for vmac in [true, false] {
        // A probe that a busy machine sends late is not answered in time.
        let (network, daemons) = pair_with([vmac, vmac], 60, "onconflict = takeover");
        let (clarinet, fridge) = (&network.clarinet, &network.fridge);
        assert_eq!(conflicts(fridge), 0);
        network.lab.drop_advertisements(clarinet, fridge);
        wait_until(LIMIT, "two masters", || {
            states(clarinet, "master") == 2 && states(fridge, "master") == 2
        });
        for (address, family) in [(V4, "ipv4"), ("fe80::53", "ipv6")] {
            wait_for_warning(fridge, &["answers for", address, "this host took over"]);
            let log = daemons[1].log();
            let takeover = log
                .iter()
                .find(|(_, line)| line.contains("backup -> master") && line.contains(family));
            let (_, line) = takeover.expect("it is in the log");
            assert!(
                line.contains("though a host answers for the address"),
                "{line}"
            );
        }
        assert_eq!(conflicts(fridge), 2);
        network.lab.heal();
        wait_until(LIMIT, "one master", || states(fridge, "backup") == 2);
        wait_until(LIMIT, "no conflict", || conflicts(fridge) == 0);
        assert_eq!(warnings(fridge), [""; 0]);
    }
}

#[test]
fn the_warning_of_a_takeover_lasts_as_long_as_the_host_answers() {
    let (network, daemons) = pair_with([true, true], 60, "onconflict = takeover");
    let (clarinet, fridge) = (&network.clarinet, &network.fridge);
    // Its kernel goes on answering.
    daemons[0].freeze();
    wait_until(LIMIT, "another master", || states(fridge, "master") == 2);
    for address in [V4, "fe80::53"] {
        wait_for_warning(fridge, &["answers for", address, "this host took over"]);
    }
    // Each is asked every ten seconds, and three answers would have to be missing.
    pause(Duration::from_secs(35));
    assert_eq!(conflicts(fridge), 2);
    clarinet.fail_port();
    wait_until(3 * LIMIT, "no conflict", || conflicts(fridge) == 0);
    assert!(
        warnings(fridge)
            .iter()
            .all(|text| !text.contains("answers for"))
    );
    wait_until(LIMIT, "it is in the log", || {
        let log = vrrpctl(fridge, &["log"]);
        log.matches("no longer: a host with the MAC").count() == 2
    });
}

#[test]
fn a_backup_that_waits_leaves_the_address_to_a_host_that_answers_and_takes_it_from_a_dead_one() {
    for vmac in [true, false] {
        let (network, daemons) = pair_with([vmac, vmac], 20, "onconflict = wait");
        let (clarinet, fridge) = (&network.clarinet, &network.fridge);
        network.lab.drop_advertisements(clarinet, fridge);
        for address in [V4, "fe80::53"] {
            wait_for_warning(fridge, &["answers for", address, "this host waits"]);
        }
        // Ten intervals and more.
        pause(Duration::from_millis(2_500));
        assert_eq!(states(fridge, "backup"), 2);
        assert_eq!(conflicts(fridge), 2);
        assert!(network.jimbob.ask(V4).is_some());
        clarinet.pull_cable();
        wait_until(LIMIT, "it takes over", || states(fridge, "master") == 2);
        assert!(!daemons[1].has_said("though a host answers"));
        assert_eq!(conflicts(fridge), 0);
    }
}
