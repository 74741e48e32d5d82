//! A C program whose network stack is lwIP shares an address with vrrpd: firmware as its users will
//! build it. Needs root or a user namespace, and Debian's liblwip-dev.

use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use vrrp_lab::capture::Seen;
use vrrp_lab::decode::What;
use vrrp_lab::pair::{LIMIT, wait_master};
use vrrp_lab::probe::Ask;
use vrrp_lab::{Pair, PaperNetwork, Probe, Program, Report, Segment, Vr, wait_until};

const ADDRESS: &str = "10.10.10.53";
/// Takeover takes 0.72 s by the protocol; the rest is for a busy machine.
const TAKEOVER_US: u64 = 3_000_000;

/// Probes a second.
const HZ: u32 = 200;

fn vr() -> Vr {
    Vr::new(7, ADDRESS).interval_cs(20).vmac(true)
}

/// lwIP on clarinet, which is preferred, and vrrpd on fridge.
fn lwip_preferred(segment: Segment) -> Pair {
    Pair::start(segment, Program::Lwip, Program::Vrrpd, &vr())
}

/// vrrpd on clarinet, which is preferred, and lwIP on fridge.
fn vrrpd_preferred(segment: Segment) -> Pair {
    Pair::start(segment, Program::Vrrpd, Program::Lwip, &vr())
}

fn assert_takeover(report: &Report, from: &str, to: &str) {
    assert_moved(report, from, to);
    let silence_us = report.longest_silence_us();
    assert!(silence_us < TAKEOVER_US, "silence of {silence_us} us");
}

/// For a moment of a handover both answer.
fn assert_moved(report: &Report, from: &str, to: &str) {
    let names = report.answerers();
    let ends = (names.first(), names.last());
    assert_eq!(ends, (Some(&from.into()), Some(&to.into())), "{names:?}");
}

/// The losses, of 200 probes a second, of a busy machine while the address moves. Without the handover
/// it would be the skew time of 0.3 s, sixty. A hub brings every probe to both hosts: a switch may
/// hear the last answer of the old one after the first frame of the new one, and be mistaken for an
/// interval.
const ON_THEIR_WAY: usize = 20;

fn assert_seamless(report: &Report, from: &str, to: &str) {
    assert_moved(report, from, to);
    let lost = report.lost();
    assert!(lost <= ON_THEIR_WAY, "{lost}: {:#?}", report.timeline());
}

/// Whether `host` sent an IPv4 packet of this protocol.
fn carries(seen: &Seen, host: &str, protocol: u8) -> bool {
    &*seen.host == host && seen.frame.what == What::Other(0x0800, protocol)
}

const TCP: u8 = 6;
const UDP: u8 = 17;

/// M-4: a question for the address is answered with the virtual MAC alone, and nothing else is the
/// source of what the address sends. The host's own address keeps its own MAC.
#[test]
fn an_active_lwip_serves_with_the_virtual_mac_alone() {
    let pair = lwip_preferred(Segment::Hub);
    let jimbob = &pair.network.jimbob;
    let own_mac = pair.network.clarinet.mac();
    for (address, mac) in [(ADDRESS, pair.vr.virtual_mac()), ("10.10.10.6", own_mac)] {
        pair.capture.clear();
        jimbob.solicit(address.parse().expect("an address"));
        let replies = |seen: &Seen| {
            seen.arp()
                .is_some_and(|arp| arp.op == 2 && arp.spa.to_string() == address)
        };
        pair.capture.wait_for(LIMIT, "an answer to ARP", replies);
        assert_eq!(jimbob.ask(address).as_deref(), Some("clarinet"));
        let page = jimbob.fetch(address, LIMIT);
        assert_eq!(page.as_deref(), Some("hello from clarinet"));
        let probe = Probe::start(jimbob, address, 100, Ask::Ping);
        sleep(Duration::from_millis(300));
        assert_eq!(probe.stop().lost(), 0, "pings");

        for seen in pair.capture.find(replies) {
            assert_eq!((&*seen.host, seen.frame.src), ("clarinet", mac));
            assert_eq!(seen.arp().map(|arp| arp.sha), Some(mac));
        }
        for protocol in [UDP, TCP] {
            let sent = pair
                .capture
                .find(|seen| carries(seen, "clarinet", protocol));
            assert!(!sent.is_empty(), "protocol {protocol}");
            assert!(sent.iter().all(|seen| seen.frame.src == mac), "{sent:#?}");
        }
    }
}

/// M-3, on a hub that brings it everything: it answers neither ARP nor packets for the address, not
/// even those that come with its own MAC.
#[test]
fn a_backup_lwip_is_deaf_at_the_address() {
    let pair = vrrpd_preferred(Segment::Hub);
    let (jimbob, fridge) = (&pair.network.jimbob, &pair.network.fridge);
    assert_eq!(jimbob.ask("10.10.10.2").as_deref(), Some("fridge"));
    pair.capture.clear();
    jimbob.solicit(pair.vr.addresses[0]);
    let report = {
        let probe = pair.probe(100, Ask::Name);
        sleep(Duration::from_secs(1));
        probe.stop()
    };
    assert_eq!(report.duplicates(), 0);
    assert_eq!(report.answerers(), ["clarinet"]);

    let spoke = pair
        .capture
        .find(|seen| &*seen.host == "fridge" && seen.frame.src.is_virtual());
    assert!(spoke.is_empty(), "{spoke:#?}");

    pair.capture.clear();
    let wrong = format!("neigh replace {ADDRESS} lladdr {:?} dev xl0", fridge.mac());
    jimbob.netns().ip(&wrong);
    assert_eq!(jimbob.ask(ADDRESS), None);
    assert_eq!(pair.capture.count(|seen| carries(seen, "fridge", UDP)), 0);
    assert!(pair.capture.count(|seen| carries(seen, "jimbob", UDP)) > 0);
}

#[test]
fn a_crash_of_lwip_and_its_return() {
    let mut pair = lwip_preferred(Segment::Switch);
    let report = pair.probed(HZ, "fridge", |pair| pair.clarinet.crash());
    assert_takeover(&report, "clarinet", "fridge");
    let report = pair.probed(HZ, "clarinet", |pair| {
        pair.clarinet.start_again(&pair.network.clarinet);
    });
    assert_takeover(&report, "fridge", "clarinet");
}

#[test]
fn a_pulled_cable_of_lwip_and_its_return() {
    let mut pair = lwip_preferred(Segment::Switch);
    let report = pair.probed(HZ, "fridge", |pair| {
        pair.network.clarinet.pull_cable();
    });
    assert_takeover(&report, "clarinet", "fridge");
    wait_until(LIMIT, "lwIP sees that its link is gone", || {
        pair.clarinet.has_said("init")
    });
    let report = pair.probed(HZ, "clarinet", |pair| {
        pair.network.clarinet.plug_cable();
    });
    assert_takeover(&report, "fridge", "clarinet");
}

/// One lwIP serves addresses of several virtual routers and of both families, and gives all of them
/// up and takes all of them over.
#[test]
fn several_virtual_routers_of_both_families() {
    let network = PaperNetwork::new(Segment::Switch);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        lab,
    } = &network;
    let capture = lab.capture();
    let vrs = |priority| {
        [
            Vr::new(7, "10.10.10.53,10.10.10.54"),
            Vr::new(8, "10.10.10.80"),
            Vr::new(7, "fe80::53,fd00:10::53,fd00:10::54"),
        ]
        .map(|vr| vr.interval_cs(20).vmac(true).priority(priority))
    };
    let mut lwip = clarinet.start(Program::Lwip, &vrs(250));
    let _vrrpd = fridge.start(Program::Vrrpd, &vrs(100));
    let addresses = [
        "10.10.10.53",
        "10.10.10.54",
        "10.10.10.80",
        "fd00:10::53",
        "fd00:10::54",
    ];
    let served_by = |name: &str| {
        for vr in &vrs(250) {
            wait_master(&capture, jimbob, vr, name);
        }
        for address in addresses {
            assert_eq!(jimbob.ask(address).as_deref(), Some(name), "{address}");
            if name == "clarinet" {
                let page = jimbob.fetch(address, LIMIT);
                assert_eq!(page.as_deref(), Some("hello from clarinet"), "{address}");
            }
        }
    };
    served_by("clarinet");
    clarinet.pull_cable();
    served_by("fridge");
    clarinet.plug_cable();
    served_by("clarinet");
    for vr in &vrs(250) {
        let spoke =
            capture.find(|seen| &*seen.host == "clarinet" && seen.frame.src == vr.virtual_mac());
        assert!(!spoke.is_empty(), "from the virtual MAC of {vr:?}");
    }
    lwip.stop();
    served_by("fridge");
}

#[test]
fn a_lost_vrrpd_and_its_return() {
    let mut pair = vrrpd_preferred(Segment::Switch);
    let report = pair.probed(HZ, "fridge", |pair| {
        pair.clarinet.crash();
        pair.network.clarinet.pull_cable();
    });
    assert_takeover(&report, "clarinet", "fridge");
    let report = pair.probed(HZ, "clarinet", Pair::clarinet_returns);
    assert_takeover(&report, "fridge", "clarinet");
}

#[test]
fn graceful_stops_and_returns_lose_nothing() {
    let vr = vr().interval_cs(50);
    for (clarinet, fridge) in [
        (Program::Lwip, Program::Vrrpd),
        (Program::Vrrpd, Program::Lwip),
    ] {
        let mut pair = Pair::start(Segment::Hub, clarinet, fridge, &vr);
        let report = pair.probed(HZ, "fridge", |pair| pair.clarinet.stop());
        assert_seamless(&report, "clarinet", "fridge");
        let report = pair.probed(HZ, "clarinet", |pair| {
            pair.clarinet.start_again(&pair.network.clarinet);
        });
        assert_seamless(&report, "fridge", "clarinet");
    }
}

/// A connection of the time when it was Active goes on to be served by nobody: what its stack
/// repeats would tell the switches that the virtual MAC is still here.
#[test]
fn a_lwip_that_gave_way_is_silent_about_its_old_connections() {
    let mut pair = vrrpd_preferred(Segment::Switch);
    pair.clarinet.stop();
    pair.wait_master("fridge");
    let jimbob = &pair.network.jimbob;
    let repeats = |pair: &Pair| pair.capture.count(|seen| carries(seen, "fridge", TCP));
    let connect = || TcpStream::connect((ADDRESS, 80));
    let mut connection = jimbob.netns().enter(connect).expect("connect to lwIP");
    // From now on the client hears nothing, and so acknowledges nothing.
    let deaf = "add table ip deaf { chain input { type filter hook input priority 0; \
                ip protocol tcp drop; }; }";
    jimbob
        .netns()
        .feed(Command::new("nft").args(["-f", "-"]), deaf);
    connection
        .write_all(b"GET / HTTP/1.0\r\n\r\n")
        .expect("ask");
    wait_until(LIMIT, "lwIP repeats its answer", || repeats(&pair) >= 4);

    pair.clarinet.start_again(&pair.network.clarinet);
    wait_until(LIMIT, "lwIP gives way", || {
        pair.fridge
            .has_said("VRID 7 (ipv4): backup: a router of higher priority advertises")
    });
    pair.capture.clear();
    sleep(Duration::from_secs(8));
    assert_eq!(repeats(&pair), 0, "{}", pair.capture.tail(30));
}
