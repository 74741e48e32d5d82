//! The RFCs' demands on everything on the wire, by capture, through a life of changes: start,
//! takeover, return, stop. Needs root or a user namespace.

use std::collections::BTreeSet;
use std::time::Duration;

use vrrp_lab::conform::{Rules, answers};
use vrrp_lab::{INTERVAL_CS, Pair, Program, Segment, Vr, pause, wait_until};

fn life(vr: &Vr) {
    let mut pair = Pair::start(Segment::Hub, Program::Vrrpd, Program::Vrrpd, vr);
    one_answers(&pair, "clarinet");
    pair.network.clarinet.pull_cable();
    pair.wait_master("fridge");
    one_answers(&pair, "fridge");
    pair.network.clarinet.plug_cable();
    pair.wait_master("clarinet");
    one_answers(&pair, "clarinet");
    pair.fridge.stop();
    pair.clarinet.stop();
    pause(Duration::from_millis(200));

    let seen = pair.capture.seen();
    for (host, priority) in [(&pair.network.clarinet, 250), (&pair.network.fridge, 100)] {
        let vr = vr.clone().priority(priority);
        let breaches = Rules { host, vr: &vr }.breaches(&seen);
        assert!(breaches.is_empty(), "{}: {breaches:#?}", host.name());
    }
    announced(&pair);
}

/// Exactly one host answers for each virtual address, with the one right MAC, and the backup not.
fn one_answers(pair: &Pair, master: &str) {
    let host = match master {
        "clarinet" => &pair.network.clarinet,
        _ => &pair.network.fridge,
    };
    let rules = Rules { host, vr: &pair.vr };
    for address in &pair.vr.addresses {
        let from = pair.capture.seen().len();
        for _ in 0..3 {
            pair.network.jimbob.solicit(*address);
        }
        wait_until(Duration::from_secs(2), "an answer", || {
            !answers(&pair.capture.seen()[from..], *address).is_empty()
        });
        // Time for a second one.
        pause(Duration::from_millis(100));
        let seen = pair.capture.seen();
        let expected = BTreeSet::from([(master.to_owned(), rules.mac())]);
        assert_eq!(answers(&seen[from..], *address), expected, "{address}");
    }
}

/// Both said where each address lives when they became master: after the first advertisement.
fn announced(pair: &Pair) {
    let seen = pair.capture.seen();
    for name in ["clarinet", "fridge"] {
        let first = seen
            .iter()
            .position(|seen| seen.is_advert(name, pair.vr.vrid));
        let first = first.expect("both have been master");
        // FreeBSD's kernel announces an address by itself when it is given one, which is before.
        let from = if cfg!(target_os = "freebsd") {
            first
        } else {
            0
        };
        for address in &pair.vr.addresses {
            let at = seen.iter().skip(from).position(|seen| {
                let arp = seen
                    .arp()
                    .is_some_and(|arp| arp.is_gratuitous() && arp.spa == *address);
                let neighbour = seen.neighbour().is_some_and(|neighbour| {
                    neighbour.kind == 136
                        && neighbour.target == *address
                        && neighbour.flags == 0xa0
                        && neighbour.link.is_some()
                });
                &*seen.host == name && (arp || neighbour)
            });
            let at = at.unwrap_or_else(|| panic!("{name} never announced {address}")) + from;
            assert!(
                at > first,
                "{name} announced {address} before it advertised: {:?}, {:?}",
                seen[at],
                seen[first]
            );
        }
    }
}

#[test]
fn version_2_with_a_password_and_the_virtual_mac() {
    life(&Vr::paper());
}

#[test]
fn version_2_with_a_password_and_the_physical_mac() {
    life(&Vr::paper().vmac(false));
}

#[test]
fn version_3_with_the_virtual_mac() {
    life(
        &Vr::new(7, "10.10.10.53,10.10.10.80")
            .interval_cs(INTERVAL_CS)
            .vmac(true),
    );
}

#[test]
fn version_3_with_the_physical_mac() {
    life(&Vr::new(7, "10.10.10.53,10.10.10.80").interval_cs(INTERVAL_CS));
}

#[test]
fn ipv6_with_the_virtual_mac() {
    life(
        &Vr::new(7, "fe80::53,fd00:10::53")
            .interval_cs(INTERVAL_CS)
            .vmac(true),
    );
}

#[test]
fn ipv6_with_the_physical_mac() {
    life(&Vr::new(7, "fe80::53,fd00:10::53").interval_cs(INTERVAL_CS));
}

#[cfg(target_os = "linux")]
#[test]
fn ipv6_through_a_switch_that_snoops() {
    let vr = Vr::new(7, "fe80::53,fd00:10::53")
        .interval_cs(INTERVAL_CS)
        .vmac(true);
    let pair = Pair::start(Segment::SnoopingSwitch, Program::Vrrpd, Program::Vrrpd, &vr);
    pair.network.clarinet.pull_cable();
    pair.wait_master("fridge");
    pair.network.clarinet.plug_cable();
    pair.wait_master("clarinet");
}
