//! A program whose network stack is smoltcp (`ports/smoltcp/examples/tap.rs`) shares addresses with
//! daemons on a real segment. Needs root or a user namespace, and keepalived.

use std::thread::sleep;
use std::time::Duration;

use vrrp_lab::capture::Seen;
use vrrp_lab::conform::answers;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::probe::Ask;
use vrrp_lab::{Pair, Probe, Program, Report, Segment, Vr, wait_until};

/// Takeover takes 0.72 s by the protocol; the rest is for a busy machine.
const TAKEOVER_US: u64 = 3_000_000;

/// Probes a second.
const HZ: u32 = 200;

fn v4() -> Vr {
    let vr = Vr::new(7, "10.10.10.53,10.10.10.80").interval_cs(20);
    vr.vmac(true)
}

fn v6() -> Vr {
    let vr = Vr::new(7, "fe80::53,fd00:10::53").interval_cs(20);
    vr.vmac(true)
}

fn assert_takeover(report: &Report, from: &str, to: &str) {
    assert_eq!(report.answerers(), [from, to]);
    let silence_us = report.longest_silence_us();
    assert!(silence_us < TAKEOVER_US, "silence of {silence_us} us");
}

/// Each is master and fails, and each is backup and takes over, and gives way again.
fn failover_both_ways(program: Program, vr: &Vr) {
    for (clarinet, fridge) in [(Program::Smoltcp, program), (program, Program::Smoltcp)] {
        eprintln!("--- {clarinet:?} preferred, {fridge:?} the backup");
        let mut pair = Pair::start(Segment::Switch, clarinet, fridge, vr);
        let report = pair.probed(HZ, "fridge", |pair| {
            pair.clarinet.crash();
            // The addresses of a daemon that was killed would stay in the kernel.
            pair.network.clarinet.pull_cable();
        });
        assert_takeover(&report, "clarinet", "fridge");
        let report = pair.probed(HZ, "clarinet", Pair::clarinet_returns);
        assert_takeover(&report, "fridge", "clarinet");
    }
}

#[test]
fn with_vrrpd() {
    failover_both_ways(Program::Vrrpd, &v4());
}

#[test]
fn with_vrrpd_ipv6() {
    failover_both_ways(Program::Vrrpd, &v6());
}

#[test]
fn with_keepalived() {
    failover_both_ways(Program::Keepalived, &v4());
}

#[test]
fn with_keepalived_ipv6() {
    failover_both_ways(Program::Keepalived, &v6());
}

/// M-3, M-4, A-1: who is Active answers for every address with the virtual MAC alone and serves a
/// page there; who is Backup says nothing of them.
#[test]
fn the_addresses_are_served_by_the_active_router_alone() {
    for vr in [v4(), v6()] {
        for (clarinet, fridge) in [
            (Program::Smoltcp, Program::Vrrpd),
            (Program::Vrrpd, Program::Smoltcp),
        ] {
            let pair = Pair::start(Segment::Hub, clarinet, fridge, &vr);
            let jimbob = &pair.network.jimbob;
            jimbob.forget_neighbours();
            for &address in &vr.addresses {
                pair.capture.clear();
                jimbob.solicit(address);
                let expected = [("clarinet".to_owned(), vr.virtual_mac())].into();
                wait_until(LIMIT, "the master alone answers", || {
                    answers(&pair.capture.seen(), address) == expected
                });
            }
            let probe = Probe::start(jimbob, &vr.service_address(), 100, Ask::Name);
            sleep(Duration::from_millis(500));
            let report = probe.stop();
            assert_eq!((report.lost(), report.duplicates()), (0, 0));
            if clarinet == Program::Smoltcp {
                let page = jimbob.fetch(&vr.service_address(), LIMIT);
                assert_eq!(page.as_deref(), Some("hello from clarinet"));
            }
            let virtual_one = |seen: &Seen| &*seen.host == "fridge" && seen.frame.src.is_virtual();
            assert_eq!(pair.capture.count(virtual_one), 0);
        }
    }
}
