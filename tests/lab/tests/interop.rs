//! Beside other people's daemons on one segment, in both roles: the elections come out right, each
//! takes over from the other, and nobody has reason to discard anything. Needs root or a user
//! namespace, keepalived and FRR.

use std::time::Duration;

use vrrp_lab::conform::Rules;
use vrrp_lab::probe::Ask;
use vrrp_lab::{HZ, Pair, Program, Segment, Vr, pause};

/// Both ways round: ours the preferred master, then the other.
fn beside(other: Program, vr: &Vr) {
    for (clarinet, fridge) in [(Program::Vrrpd, other), (other, Program::Vrrpd)] {
        eprintln!("--- {clarinet:?} preferred, {fridge:?} the backup");
        let mut pair = Pair::start(Segment::Switch, clarinet, fridge, vr);
        pair.network.clarinet.pull_cable();
        pair.wait_master("fridge");
        pair.network.clarinet.plug_cable();
        pair.wait_master("clarinet");
        pair.clarinet.stop();
        pair.wait_master("fridge");

        let (ours, priority) = match clarinet {
            Program::Vrrpd => (&pair.network.clarinet, 250),
            _ => (&pair.network.fridge, 100),
        };
        let vr = vr.clone().priority(priority);
        let breaches = Rules {
            host: ours,
            vr: &vr,
        }
        .breaches(&pair.capture.seen());
        assert!(breaches.is_empty(), "{breaches:#?}");
    }
}

fn v2() -> Vr {
    Vr::new(51, "10.10.10.53,10.10.10.80").v2()
}

fn v3() -> Vr {
    Vr::new(51, "10.10.10.53,10.10.10.80").interval_cs(20)
}

fn v6() -> Vr {
    Vr::new(51, "fe80::53,fd00:10::53").interval_cs(20)
}

#[test]
fn keepalived_version_2_password_virtual_mac() {
    beside(Program::Keepalived, &v2().password("foobingbaz").vmac(true));
}

#[test]
fn keepalived_version_2_password_physical_mac() {
    beside(Program::Keepalived, &v2().password("foobingbaz"));
}

#[test]
fn keepalived_version_3_virtual_mac() {
    beside(Program::Keepalived, &v3().vmac(true));
}

#[test]
fn keepalived_version_3_physical_mac() {
    beside(Program::Keepalived, &v3());
}

#[test]
fn keepalived_ipv6_virtual_mac() {
    beside(Program::Keepalived, &v6().vmac(true));
}

#[test]
fn keepalived_ipv6_physical_mac() {
    beside(Program::Keepalived, &v6());
}

#[test]
fn frr_version_2() {
    beside(Program::Frr, &v2().vmac(true));
}

#[test]
fn frr_version_3() {
    beside(Program::Frr, &v3().vmac(true));
}

#[test]
fn frr_ipv6() {
    beside(Program::Frr, &v6().vmac(true));
}

/// A takeover from a master that lives: the old master's kernel has the address for some
/// milliseconds more, and answers the new one's gratuitous ARP from the same virtual MAC. A switch
/// learns the old port again from that answer.
fn a_planned_takeover(old: Program, vr: &Vr) {
    let pair = Pair::start(Segment::Switch, old, Program::Vrrpd, vr);
    for _ in 0..3 {
        let probe = pair.probe(HZ, Ask::Name);
        pause(Duration::from_millis(300));
        let raised = vr.clone().priority(254);
        pair.fridge.reload(&pair.network.fridge, &[raised]);
        pair.wait_master("fridge");
        pause(Duration::from_millis(300));
        let report = probe.stop();
        // Until the second round the switch may send to the old master once more.
        let answerers = report.answerers();
        assert_eq!(answerers.first().map(String::as_str), Some("clarinet"));
        assert_eq!(answerers.last().map(String::as_str), Some("fridge"));
        // Without the second round the next advertisement, an interval later, ends the silence.
        let silence_us = report.longest_silence_us();
        assert!(silence_us < 500_000, "{:#?}", report.timeline());
        let lowered = vr.clone().priority(100);
        pair.fridge.reload(&pair.network.fridge, &[lowered]);
        pair.wait_master("clarinet");
    }
}

#[test]
fn a_planned_takeover_from_keepalived_is_learned_by_the_switch() {
    a_planned_takeover(Program::Keepalived, &v3().interval_cs(100).vmac(true));
}

#[test]
fn a_planned_takeover_from_vrrpd_is_learned_by_the_switch() {
    a_planned_takeover(Program::Vrrpd, &v3().interval_cs(100).vmac(true));
}
