//! `useVMAC = replace`, as the paper's daemon did it and only FreeBSD's port does: the interface
//! itself takes the virtual MAC while its host is master. Needs root.
#![cfg(target_os = "freebsd")]

use vrrp_lab::conform::Rules;
use vrrp_lab::pair::LIMIT;
use vrrp_lab::{Daemon, Host, INTERVAL_CS, Pair, PaperNetwork, Program, Segment, Vr, wait_until};

fn start(host: &Host, vr: &Vr) -> Daemon {
    let config = Program::Vrrpd.config(host, std::slice::from_ref(vr));
    let config = config.replace("useVMAC = yes", "useVMAC = replace");
    Daemon::start(Program::Vrrpd, host, &config, &[])
}

/// Clarinet preferred and in service.
fn pair(addresses: &str) -> Pair {
    let network = PaperNetwork::new(Segment::Hub);
    let capture = network.lab.capture();
    let vr = Vr::new(1, addresses).interval_cs(INTERVAL_CS).vmac(true);
    let pair = Pair {
        clarinet: start(&network.clarinet, &vr.clone().priority(250)),
        fridge: start(&network.fridge, &vr.clone().priority(100)),
        vr,
        capture,
        network,
    };
    pair.wait_master("clarinet");
    pair
}

/// The interface of `host` has the MAC that is its own again, and nothing of the virtual router.
fn assert_restored(pair: &Pair, host: &Host) {
    let text = host.run("ifconfig xl0");
    assert!(text.contains(&format!("{:?}", host.mac())), "{text}");
    for address in &pair.vr.addresses {
        assert!(!host.has_address(&address.to_string()), "{text}");
    }
}

/// Asserts that every frame on the wire was as the RFC wants it, with the virtual MAC.
fn assert_conformance(pair: &Pair) {
    let seen = pair.capture.seen();
    for (host, priority) in [(&pair.network.clarinet, 250), (&pair.network.fridge, 100)] {
        let vr = pair.vr.clone().priority(priority);
        let breaches = Rules { host, vr: &vr }.breaches(&seen);
        assert!(breaches.is_empty(), "{}: {breaches:#?}", host.name());
    }
}

#[test]
fn a_stopped_master_hands_over() {
    let mut pair = pair("10.10.10.53");
    let text = pair.network.clarinet.run("ifconfig xl0");
    let mac = format!("{:?}", pair.vr.virtual_mac());
    assert!(text.contains(&mac), "{text}");
    pair.clarinet.stop();
    pair.wait_master("fridge");
    assert_restored(&pair, &pair.network.clarinet);
    assert_conformance(&pair);
}

#[test]
fn the_next_life_of_a_killed_master_cleans_up() {
    let mut pair = pair("10.10.10.53");
    pair.clarinet.crash();
    pair.wait_advert("fridge");
    let Pair {
        clarinet, network, ..
    } = &mut pair;
    assert!(network.clarinet.has_address("10.10.10.53"));
    clarinet.start_again(&network.clarinet);
    pair.wait_master("clarinet");
    pair.clarinet.stop();
    pair.wait_master("fridge");
    assert_restored(&pair, &pair.network.clarinet);
    assert_conformance(&pair);
}

#[test]
fn a_port_of_the_hub_fails_and_works_again() {
    let pair = pair("10.10.10.53");
    let PaperNetwork {
        clarinet, jimbob, ..
    } = &pair.network;
    clarinet.fail_port();
    wait_until(LIMIT, "fridge answers", || {
        jimbob.ask(&pair.address()).as_deref() == Some("fridge")
    });
    clarinet.mend_port();
    pair.wait_master("clarinet");
    assert_restored(&pair, &pair.network.fridge);
}

#[test]
fn an_ipv6_service_moves() {
    let mut pair = pair("fe80::53,fd00:10::53");
    pair.clarinet.stop();
    pair.wait_master("fridge");
    assert_restored(&pair, &pair.network.clarinet);
    assert_conformance(&pair);
}
