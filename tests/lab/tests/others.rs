//! Other people's daemons among themselves: when these stories fail too, look at the lab or the
//! machine before our own daemon. Needs root or a user namespace, keepalived and FRR.

use vrrp_lab::{Pair, Program, Segment, Vr};

fn story(program: Program, vr: &Vr) {
    let mut pair = Pair::start(Segment::Switch, program, program, vr);
    pair.network.clarinet.pull_cable();
    pair.wait_master("fridge");
    pair.network.clarinet.plug_cable();
    pair.wait_master("clarinet");
    pair.clarinet.stop();
    pair.wait_master("fridge");
}

#[test]
fn two_keepalived_version_2() {
    story(Program::Keepalived, &Vr::paper().vmac(false));
}

#[test]
fn two_keepalived_version_3_virtual_mac() {
    story(
        Program::Keepalived,
        &Vr::new(51, "10.10.10.53").interval_cs(20).vmac(true),
    );
}

#[test]
fn two_keepalived_ipv6() {
    story(
        Program::Keepalived,
        &Vr::new(51, "fe80::53,fd00:10::53").interval_cs(20),
    );
}

#[test]
fn two_frr_version_3() {
    story(
        Program::Frr,
        &Vr::new(51, "10.10.10.53").interval_cs(20).vmac(true),
    );
}

#[test]
fn two_frr_ipv6() {
    story(
        Program::Frr,
        &Vr::new(51, "fe80::53,fd00:10::53")
            .interval_cs(20)
            .vmac(true),
    );
}
