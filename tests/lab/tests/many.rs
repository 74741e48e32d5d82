//! 255 virtual routers on one interface: the paper's pitfall, and its end. Needs root or a user
//! namespace.

use std::collections::BTreeSet;
use std::time::Duration;

use vrrp_lab::capture::Seen;
use vrrp_lab::decode::Mac;
use vrrp_lab::{Host, PATIENCE, PaperNetwork, Program, Segment, Vr, pause, wait_until};

/// Many times what the protocol needs, for a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

fn all(priority: u8, vmac: bool) -> Vec<Vr> {
    (1..=255)
        .map(|vrid| {
            let vr = Vr::new(vrid, &format!("10.10.20.{vrid}"));
            // A slow machine cannot do the work of 255 within a second.
            let interval_cs = 100 * PATIENCE as u16;
            vr.priority(priority).vmac(vmac).interval_cs(interval_cs)
        })
        .collect()
}

fn advertised_by(seen: &[Seen], name: &str) -> BTreeSet<u8> {
    seen.iter()
        .filter(|seen| &*seen.host == name)
        .filter_map(|seen| seen.advert().map(|advert| advert.vrid))
        .collect()
}

fn held_by(host: &Host) -> usize {
    let addresses = host.addresses();
    let held = addresses
        .iter()
        .filter(|address| address.starts_with("10.10.20."));
    held.count()
}

/// Each advertisement and each binding names the MAC of its own virtual router, and no frame has a
/// MAC that belongs to nobody.
fn assert_macs(seen: &[Seen], host: &Host, vmac: bool) {
    let right = |vrid: u8| match vmac {
        true => Mac([0, 0, 0x5e, 0, 1, vrid]),
        false => host.mac(),
    };
    for seen in seen.iter().filter(|seen| &*seen.host == host.name()) {
        let source = seen.frame.src;
        assert!(
            source == host.mac() || (vmac && source.is_virtual()),
            "{seen:?}"
        );
        if let Some(advert) = seen.advert() {
            assert_eq!(source, right(advert.vrid), "{seen:?}");
        }
        if let Some(arp) = seen
            .arp()
            .filter(|arp| arp.spa.octets()[..3] == [10, 10, 20])
        {
            assert_eq!(arp.sha, right(arp.spa.octets()[3]), "{seen:?}");
            assert_eq!(source, arp.sha, "{seen:?}");
        }
    }
}

fn story(vmac: bool) {
    let network = PaperNetwork::new(Segment::Hub);
    let PaperNetwork {
        clarinet,
        fridge,
        jimbob,
        lab,
    } = &network;
    jimbob.add_route("10.10.20.0/24");
    let capture = lab.capture();
    let mut on_clarinet = clarinet.start(Program::Vrrpd, &all(250, vmac));
    wait_until(LIMIT, "clarinet holds and advertises 255", || {
        held_by(clarinet) == 255 && advertised_by(&capture.seen(), "clarinet").len() == 255
    });
    let on_fridge = fridge.start(Program::Vrrpd, &all(100, vmac));
    pause(Duration::from_secs(6));
    assert_eq!(advertised_by(&capture.seen(), "fridge").len(), 0);

    clarinet.pull_cable();
    wait_until(LIMIT, "fridge holds and advertises 255", || {
        held_by(fridge) == 255 && advertised_by(&capture.seen(), "fridge").len() == 255
    });
    wait_until(LIMIT, "clarinet holds none", || held_by(clarinet) == 0);
    for address in ["10.10.20.1", "10.10.20.128", "10.10.20.255"] {
        assert_eq!(jimbob.ask(address).as_deref(), Some("fridge"));
    }
    clarinet.plug_cable();
    wait_until(LIMIT, "clarinet holds 255 again, fridge none", || {
        held_by(clarinet) == 255 && held_by(fridge) == 0
    });
    assert_eq!(jimbob.ask("10.10.20.128").as_deref(), Some("clarinet"));

    on_clarinet.stop();
    assert_eq!(held_by(clarinet), 0);
    assert_eq!(clarinet.interfaces(), ["xl0"]);
    for host in [clarinet, fridge] {
        assert_macs(&capture.seen(), host, vmac);
    }
    drop(on_fridge);
}

/// While 60 virtual routers of 20 addresses are taken over, those that are served already are
/// advertised in time.
fn nobody_is_silent(vmac: bool) {
    let vr = |vrid: u8| {
        let list: Vec<String> = (0..20)
            .map(|n| format!("10.10.{}.{vrid}", 20 + n))
            .collect();
        Vr::new(vrid, &list.join(","))
            .vmac(vmac)
            .interval_cs(50 * PATIENCE as u16)
    };
    let vrs: Vec<Vr> = (1..=60).map(vr).collect();
    let masters: Vec<Vr> = vrs.iter().map(|vr| vr.clone().priority(250)).collect();
    let PaperNetwork {
        clarinet,
        fridge,
        lab,
        ..
    } = &PaperNetwork::new(Segment::Hub);
    let mut on_clarinet = clarinet.start(Program::Vrrpd, &masters);
    let capture = lab.capture();
    wait_until(LIMIT, "clarinet advertises 60", || {
        advertised_by(&capture.seen(), "clarinet").len() == 60
    });
    let on_fridge = fridge.start(Program::Vrrpd, &vrs);
    pause(Duration::from_secs(3));
    capture.clear();
    pause(Duration::from_secs(1));
    on_clarinet.stop();
    wait_until(LIMIT, "fridge advertises 60", || {
        advertised_by(&capture.seen(), "fridge").len() == 60
    });
    pause(Duration::from_secs(1));
    // One and a half intervals, and another for a busy machine.
    let bound_us = 1_250_000 * u64::from(PATIENCE);
    let mut lasts = [None; 256];
    for seen in capture.seen() {
        if let Some(advert) = seen.advert()
            && let Some(last_us) = lasts[usize::from(advert.vrid)].replace(seen.at_us)
        {
            let silence_us = seen.at_us - last_us;
            assert!(
                silence_us < bound_us,
                "VRID {}: {silence_us} us",
                advert.vrid
            );
        }
    }
    let addresses = fridge.addresses();
    assert!(
        vrs.iter()
            .flat_map(|vr| &vr.addresses)
            .all(|a| addresses.contains(&a.to_string()))
    );
    drop(on_fridge);
}

#[test]
fn nobody_is_silent_in_a_takeover_with_virtual_macs() {
    nobody_is_silent(true);
}

#[test]
fn nobody_is_silent_in_a_takeover_with_the_physical_mac() {
    nobody_is_silent(false);
}

#[test]
fn with_virtual_macs() {
    story(true);
}

#[test]
fn with_the_physical_mac() {
    story(false);
}
