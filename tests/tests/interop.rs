//! Beside other people's daemons on one segment, in both roles: the elections come out right, each
//! takes over from the other, and nobody has reason to discard anything. Needs root or a user
//! namespace, keepalived and FRR.

use vrrp_tests::lab::conform::Rules;
use vrrp_tests::lab::{Pair, Program, Segment, Vr};

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
