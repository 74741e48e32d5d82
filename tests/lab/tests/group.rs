//! Another multicast group than the usual one, on a segment whose switch forwards groups to members alone.
//! Needs root or a user namespace, and keepalived.

#![cfg(target_os = "linux")]

use std::net::IpAddr;
use std::time::Duration;

use vrrp_lab::pair::Pair;
use vrrp_lab::{Program, Segment, Vr, pause};

/// Both take over from each other by the group, and a host of the usual group is no part of it.
fn moves(vr: &Vr, group: &str) {
    let vr = vr.clone().interval_cs(10).line(&format!("group = {group}"));
    let mut pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
    let group: IpAddr = group.parse().expect("an address");
    let adverts = || pair.capture.find(|seen| seen.advert().is_some());
    assert!(!adverts().is_empty());
    for seen in adverts() {
        assert_eq!(seen.advert().expect("an advertisement").to, group);
    }
    let joined = |host: &vrrp_lab::Host| host.run("ip maddress show dev xl0");
    let host = &pair.network.fridge;
    let members = joined(host);
    assert!(members.contains(&group.to_string()), "{members}");
    let usual = if vr.is_v6() { "ff02::12" } else { "224.0.0.18" };
    assert!(!members.contains(&format!("{usual}\n")), "{members}");

    // An interface that goes and comes back is a member again.
    pair.network.clarinet.pull_cable();
    pair.wait_master("fridge");
    pair.network.clarinet.plug_cable();
    pair.wait_master("clarinet");
    pair.clarinet.stop();
    pair.wait_master("fridge");
    pause(Duration::from_millis(300));
    let left = joined(&pair.network.clarinet);
    assert!(!left.contains(&group.to_string()), "{left}");
}

#[test]
fn advertisements_go_to_another_group() {
    moves(&Vr::new(1, "10.10.10.80").vmac(true), "224.0.0.99");
    moves(&Vr::new(1, "10.10.10.80"), "239.129.2.3");
}

#[test]
fn advertisements_over_ipv6_go_to_another_group() {
    moves(&Vr::new(1, "fe80::80,fd00:10::80").vmac(true), "ff02::1:99");
}
