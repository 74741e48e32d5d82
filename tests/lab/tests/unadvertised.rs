//! Addresses that are served and not advertised, and elections without addresses. Needs root or a user
//! namespace, and keepalived.

#![cfg(target_os = "linux")]

use std::net::IpAddr;

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::pair::{LIMIT, Pair};
use vrrp_lab::{PaperNetwork, Program, Segment, Vr, wait_until};

const ADDRESS: &str = "10.10.10.80";
const EXTRA: &str = "10.10.10.53";

#[test]
fn addresses_that_are_not_advertised_move_with_the_others() {
    let vr = Vr::new(1, ADDRESS)
        .interval_cs(10)
        .vmac(true)
        .line(&format!("extra = {EXTRA}/32"));
    let mut pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
    let network = &pair.network;
    let answers = |name: &str| {
        wait_until(LIMIT, &format!("{name} answers for {EXTRA}"), || {
            network.jimbob.ask(EXTRA).as_deref() == Some(name)
        });
    };
    answers("clarinet");
    let from_us = pair.capture.find(|_| true).last().expect("a frame").at_us;
    pair.clarinet.stop();
    answers("fridge");
    let has = |address| network.clarinet.has_address(address);
    assert!(!has(EXTRA) && !has(ADDRESS), "given up with the others");
    // Neighbours are told of it as of the others, and advertisements have the other alone.
    let adverts = pair
        .capture
        .find(|seen| seen.at_us > from_us && seen.is_advert("fridge", 1));
    assert!(!adverts.is_empty());
    let expected: [IpAddr; 1] = [ADDRESS.parse().expect("an address")];
    for seen in &adverts {
        let advert = seen.advert().expect("an advertisement");
        assert_eq!(advert.addresses, expected);
    }
    let status = vrrpctl(&network.fridge, &["status", "--verbose"]);
    assert!(status.contains(EXTRA), "{status}");

    // A reload that advertises it takes it from nobody.
    let file = network.fridge.dir().join("vrrpd.conf");
    let text = std::fs::read_to_string(&file).expect("read the configuration");
    let text = text.replace(&format!("extra = {EXTRA}/32\n"), "").replace(
        &format!("addr = {ADDRESS}/32\n"),
        &format!("addr = {ADDRESS}/32, {EXTRA}/32\n"),
    );
    std::fs::write(&file, text).expect("write the configuration");
    vrrpctl(&network.fridge, &["reload"]);
    pair.capture
        .wait_for(LIMIT, "fridge advertises both", |seen| {
            seen.is_advert("fridge", 1)
                && seen
                    .advert()
                    .is_some_and(|advert| advert.addresses.len() == 2)
        });
    answers("fridge");
}

#[test]
fn an_ipv6_address_follows_a_virtual_router_of_ipv4() {
    const FOLLOWER: &str = "fd00:10::53";
    for vmac in [true, false] {
        let vr = Vr::new(1, ADDRESS)
            .interval_cs(10)
            .vmac(vmac)
            .no_preempt()
            .line(&format!("extra = {FOLLOWER}/64"));
        let mut pair = Pair::start(Segment::Switch, Program::Vrrpd, Program::Vrrpd, &vr);
        let answers = |pair: &Pair, name: &str| {
            wait_until(LIMIT, &format!("{name} answers for {FOLLOWER}"), || {
                pair.network.jimbob.ask(FOLLOWER).as_deref() == Some(name)
            });
        };
        answers(&pair, "clarinet");
        assert!(!pair.network.fridge.has_address(FOLLOWER));
        pair.clarinet.stop();
        // The client knows the MAC of the host before: it is told of the other one.
        answers(&pair, "fridge");
        assert!(!pair.network.clarinet.has_address(FOLLOWER));
        let status = vrrpctl(&pair.network.fridge, &["status"]);
        assert!(
            status.contains(FOLLOWER) && !status.contains("warning"),
            "{status}"
        );
        pair.clarinet.start_again(&pair.network.clarinet);
        pair.fridge.crash();
        pair.fridge.clean_up();
        answers(&pair, "clarinet");
        assert!(!pair.network.fridge.has_address(FOLLOWER));
    }
}

/// Two hosts elect without an address, each in its turn.
fn election_without_addresses(vr: &Vr, other: Program, count: usize) {
    let network = PaperNetwork::new(Segment::Switch);
    let capture = network.lab.capture();
    let start = |vr: Vr| network.clarinet.start(Program::Vrrpd, &[vr]);
    let preferred = || vr.clone().addressless().priority(250);
    let mut fridge = network
        .fridge
        .start(other, &[vr.clone().addressless().priority(100)]);
    let wait_advert = |name: &str| {
        let from_us = vrrp_lab::sys::now_us();
        capture.wait_for(LIMIT, &format!("{name} is master"), |seen| {
            seen.at_us > from_us
                && seen.is_advert(name, 1)
                && seen
                    .advert()
                    .is_some_and(|advert| advert.addresses.len() == count && advert.priority > 0)
        });
    };
    wait_advert("fridge");
    let mut clarinet = start(preferred());
    wait_advert("clarinet");
    wait_until(LIMIT, "clarinet is the only master", || {
        let from_us = vrrp_lab::sys::now_us();
        std::thread::sleep(std::time::Duration::from_millis(2500));
        let seen = capture.find(|seen| seen.at_us > from_us && seen.advert().is_some());
        !seen.is_empty() && seen.iter().all(|seen| seen.is_advert("clarinet", 1))
    });
    let status = vrrpctl(&network.clarinet, &["status"]);
    assert!(status.contains("master"), "{status}");
    assert!(!status.contains("warning"), "{status}");
    clarinet.stop();
    wait_advert("fridge");
    let _clarinet = start(preferred());
    wait_advert("clarinet");
    fridge.stop();
    wait_advert("clarinet");
}

#[test]
fn an_election_without_addresses_in_version_3() {
    election_without_addresses(&Vr::new(1, ADDRESS).interval_cs(10), Program::Vrrpd, 1);
}

#[test]
fn an_election_without_addresses_with_keepalived() {
    election_without_addresses(&Vr::new(1, ADDRESS).v2(), Program::Keepalived, 0);
}
