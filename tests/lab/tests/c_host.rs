//! Programs in C that link libvrrp, against daemons and among themselves: elections, failovers, and
//! nothing left behind. Needs root or a user namespace; on Linux also keepalived, a C compiler and
//! libevent, on FreeBSD the program that the archive has.

use std::path::PathBuf;
use std::time::Duration;

use vrrp_lab::pair::LIMIT;
use vrrp_lab::probe::Ask;
use vrrp_lab::{
    HZ, Host, INTERVAL_CS, Lab, PATIENCE, Pair, Program, Segment, Vr, pause, wait_until,
};

/// The programs there are.
const PROGRAMS: &[Program] = &[
    Program::Poll,
    #[cfg(target_os = "linux")]
    Program::Libevent,
];

/// Takeover takes 0.72 s by the protocol; the rest is for a busy machine.
const TAKEOVER_US: u64 = 3_000_000 * PATIENCE as u64;
/// The probes that a busy machine may lose while the address moves. Without the
/// handover it would be the skew time, thirty.
const ON_THEIR_WAY: usize = 12;

fn vr() -> Vr {
    Vr::new(51, "10.10.10.53,10.10.10.80")
        .interval_cs(INTERVAL_CS)
        .vmac(true)
}

/// The addresses and links of a host before anything runs on it.
struct Bare {
    addresses: Vec<String>,
    settings: String,
}

impl Bare {
    fn of(host: &Host) -> Self {
        let link_local = host.link_local().to_string();
        wait_until(LIMIT, "its link-local address", || {
            host.has_address(&link_local)
        });
        Self {
            addresses: host.addresses(),
            settings: settings(host),
        }
    }

    /// The host is as it was.
    fn assert_restored(&self, host: &Host) {
        assert_eq!(host.interfaces(), ["xl0"]);
        assert_eq!(host.addresses(), self.addresses);
        assert_eq!(settings(host), self.settings);
        let notes: Vec<PathBuf> = std::fs::read_dir(host.dir().join("run"))
            .expect("the directory of the notes")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        assert!(notes.is_empty(), "{notes:?}");
    }
}

/// Every setting of the host's interfaces.
#[cfg(target_os = "linux")]
fn settings(host: &Host) -> String {
    let settings = host.run("grep -r . /proc/sys/net/ipv4/conf /proc/sys/net/ipv6/conf");
    let mut lines: Vec<&str> = settings.lines().collect();
    lines.sort_unstable();
    assert!(lines.len() > 50, "{lines:?}");
    lines.join("\n")
}

/// Every setting of the host's interfaces, and the nodes of netgraph.
#[cfg(target_os = "freebsd")]
fn settings(host: &Host) -> String {
    let nodes = host.run("ngctl list");
    // ngctl has one itself.
    let nodes = nodes.lines().filter(|line| line.contains("Type: "));
    let nodes: Vec<&str> = nodes.filter(|line| !line.contains("socket")).collect();
    format!("{}{}", host.run("ifconfig -a"), nodes.join("\n"))
}

/// Clarinet runs `ours`, which fails over to `other` and back in every way.
fn fails_over(ours: Program, other: Program, vr: &Vr) {
    eprintln!("--- {ours:?} preferred, {other:?} the backup");
    let mut pair = Pair::start(Segment::Switch, ours, other, vr);
    pair.network.clarinet.pull_cable();
    pair.wait_master("fridge");
    pair.network.clarinet.plug_cable();
    pair.wait_master("clarinet");

    // Killed, it leaves everything behind, which its next life finds.
    let probe = pair.probe(HZ, Ask::Name);
    pair.clarinet.crash();
    pair.wait_master("fridge");
    let silence_us = probe.stop().longest_silence_us();
    assert!(silence_us < TAKEOVER_US, "silence of {silence_us} us");
    pair.clarinet.start_again(&pair.network.clarinet);
    pair.wait_master("clarinet");

    let probe = pair.probe(HZ, Ask::Name);
    pause(Duration::from_millis(300));
    pair.clarinet.stop();
    pair.wait_master("fridge");
    let report = probe.stop();
    assert_eq!(report.answerers(), ["clarinet", "fridge"]);
    // keepalived lets its addresses wait after it has said that it is master.
    let most = match other {
        #[cfg(target_os = "linux")]
        Program::Keepalived => usize::MAX,
        _ => ON_THEIR_WAY,
    };
    let lost = report.lost();
    assert!(lost <= most, "{lost}: {:#?}", report.timeline());
    assert!(report.longest_silence_us() < TAKEOVER_US);
}

#[test]
fn poll_and_vrrpd() {
    fails_over(Program::Poll, Program::Vrrpd, &vr());
}

#[test]
fn poll_and_vrrpd_with_ipv6_and_the_interfaces_own_mac() {
    let vr = Vr::new(51, "fe80::53,fd00:10::53").interval_cs(INTERVAL_CS);
    fails_over(Program::Poll, Program::Vrrpd, &vr.vmac(false));
}

#[cfg(target_os = "linux")]
#[test]
fn poll_and_keepalived_with_the_interfaces_own_mac() {
    fails_over(Program::Poll, Program::Keepalived, &vr().vmac(false));
}

#[cfg(target_os = "linux")]
#[test]
fn libevent_and_keepalived() {
    fails_over(Program::Libevent, Program::Keepalived, &vr());
}

#[cfg(target_os = "linux")]
#[test]
fn libevent_and_vrrpd_with_a_password() {
    let vr = Vr::new(51, "10.10.10.53").v2().password("foobingbaz");
    fails_over(Program::Libevent, Program::Vrrpd, &vr.vmac(true));
}

#[cfg(target_os = "linux")]
#[test]
fn poll_and_libevent_with_ipv6() {
    let vr = Vr::new(51, "fe80::53,fd00:10::53").interval_cs(INTERVAL_CS);
    fails_over(Program::Poll, Program::Libevent, &vr.vmac(true));
}

#[test]
fn the_host_is_as_it_was_when_a_program_has_ended() {
    for &program in PROGRAMS {
        for (address, vmac) in [
            ("10.10.10.53", true),
            ("10.10.10.53", false),
            ("fe80::53", true),
        ] {
            eprintln!("--- {program:?} with {address}, virtual MAC: {vmac}");
            let lab = Lab::new(Segment::Switch);
            let host = lab.host("clarinet", 6);
            let bare = Bare::of(&host);
            let vr = Vr::new(51, address).interval_cs(INTERVAL_CS).vmac(vmac);
            let mut running = host.start(program, &[vr]);
            let has = || host.has_address(address);
            wait_until(LIMIT, "it is master", has);
            running.stop();
            bare.assert_restored(&host);
            // Killed, and started again for a moment.
            running.start_again(&host);
            wait_until(LIMIT, "it is master again", has);
            running.crash();
            assert!(host.has_address(address));
            running.start_again(&host);
            wait_until(LIMIT, "it cleans up", || !host.has_address(address));
            running.stop();
            bare.assert_restored(&host);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_configuration_is_read_again_or_left_alone() {
    let lab = Lab::new(Segment::Switch);
    let host = lab.host("clarinet", 6);
    let vr = Vr::new(51, "10.10.10.53")
        .interval_cs(INTERVAL_CS)
        .vmac(true);
    let running = host.start(Program::Libevent, std::slice::from_ref(&vr));
    wait_until(LIMIT, "it is master", || host.has_address("10.10.10.53"));
    running.reload_text("[VRID]\nserverid = 300\n");
    wait_until(LIMIT, "it names the line", || {
        running.has_said("libevent.conf:2: serverid: expected a number from 1 to 255")
    });
    assert!(host.has_address("10.10.10.53"));
    let other = Vr {
        addresses: vec!["10.10.10.80".parse().expect("an address")],
        ..vr
    };
    running.reload(&host, &[other]);
    wait_until(LIMIT, "it has the new address", || {
        host.has_address("10.10.10.80") && !host.has_address("10.10.10.53")
    });
    running.wait_said("0 added, 1 changed, 0 removed, 0 unchanged");
    assert!(!running.has_said("master -> "));
}

#[test]
fn a_resignation_hands_over() {
    let pair = Pair::start(Segment::Switch, Program::Poll, Program::Vrrpd, &vr());
    vrrp_lab::sys::signal(pair.clarinet.pid(), libc::SIGUSR2).expect("a running program");
    pair.wait_master("fridge");
    vrrp_lab::sys::signal(pair.clarinet.pid(), libc::SIGUSR1).expect("a running program");
    wait_until(LIMIT, "it says how it stands", || {
        pair.clarinet
            .has_said("status: backup, priority 250, told to resign; last heard 10.10.10.2")
    });
}
