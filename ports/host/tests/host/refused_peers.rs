//! Routers whose advertisements are refused: seen, named, and counted.

use vrrp_core::wire::{Advert, WireVersion};
use vrrp_core::{AdvertInterval, Auth, Family, MacAddr, State, Version, VrSettings};
use vrrp_host::{VrId, VrSpec};

use crate::fake;
use crate::sim::{Sim, address, advert, config, id, ip, spec, vrid};

/// The warnings of a host.
fn warnings(sim: &Sim, host: usize) -> Vec<String> {
    let all = sim.hosts[host].warnings().into_iter();
    all.map(|warning| warning.text).collect()
}

/// The other routers that advertise, each with the reason why it is refused.
fn others(sim: &Sim, host: usize) -> Vec<(String, Option<String>)> {
    let all = sim.hosts[host].segment().into_iter().filter(|s| !s.is_self);
    all.map(|s| (s.address.to_string(), s.refused.map(|r| r.text)))
        .collect()
}

fn v2(priority: u8) -> VrSpec {
    VrSpec {
        settings: VrSettings {
            version: Version::V2,
            ..spec(1, priority).settings
        },
        ..spec(1, priority)
    }
}

fn password(octets: &[u8; 8]) -> Auth {
    Auth::Simple(*octets)
}

/// Both become master, each knows of the other and why it refuses it, and all is well when both are
/// configured alike.
fn refuse_each_other(one: VrSpec, other: VrSpec, by_one: &str, by_other: &str, repaired: VrSpec) {
    let mut sim = Sim::new(&[config(&[one]), config(&[other])]);
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Active, State::Active]);
    for (host, peer, why) in [(0, "10.0.0.2", by_one), (1, "10.0.0.1", by_other)] {
        assert_eq!(
            warnings(&sim, host),
            [format!("peer present but refused: {peer}: {why}")]
        );
        let expected = (peer.to_owned(), Some(why.to_owned()));
        assert_eq!(others(&sim, host), [expected]);
        let report = sim.report(host, &id("eth0", 1));
        assert_eq!(report.refused_peers, 1);
        let last = report.rejected.expect("some");
        assert!(last.count > 3, "not only those that were logged: {last:?}");
        assert!(
            sim.now().since(last.at).as_micros() <= 2_000_000,
            "{last:?}"
        );
        assert_eq!(last.source, ip(peer));
    }
    for host in [0, 1] {
        let spec = VrSpec {
            settings: VrSettings {
                priority: sim.report(host, &id("eth0", 1)).status.priority,
                ..repaired.clone().settings
            },
            peers: match (repaired.peers.is_empty(), host) {
                (true, _) => Vec::new(),
                (false, 0) => vec![ip("10.0.0.2")],
                (false, _) => vec![ip("10.0.0.1")],
            },
            ..repaired.clone()
        };
        sim.hosts[host].reload(config(&[spec])).unwrap();
    }
    sim.run_to(40_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    for host in [0, 1] {
        assert_eq!(warnings(&sim, host), [""; 0]);
        let refused = others(&sim, host).iter().any(|(_, why)| why.is_some());
        assert!(!refused, "{:?}", others(&sim, host));
        assert_eq!(sim.report(host, &id("eth0", 1)).refused_peers, 0);
    }
}

#[test]
fn another_password_is_named() {
    let auth = |priority, auth| VrSpec {
        settings: VrSettings {
            auth,
            ..v2(priority).settings
        },
        ..v2(priority)
    };
    let why = "it has another password";
    let (one, other) = (password(b"one\0\0\0\0\0"), password(b"other\0\0\0"));
    refuse_each_other(auth(200, one), auth(100, other), why, why, v2(1));
    refuse_each_other(
        auth(200, one),
        v2(100),
        "it does not send the password that we have",
        "it sends a password, and we have none",
        auth(1, one),
    );
}

#[test]
fn another_version_is_named() {
    refuse_each_other(
        v2(200),
        spec(1, 100),
        "it speaks version 3, and we speak version 2",
        "it speaks version 2, and we speak version 3",
        spec(1, 1),
    );
}

#[test]
fn another_interval_of_version_2_is_named() {
    let slow = VrSpec {
        settings: VrSettings {
            advert_interval: AdvertInterval::from_secs(3).unwrap(),
            ..v2(100).settings
        },
        ..v2(100)
    };
    refuse_each_other(
        v2(200),
        slow,
        "its interval is 3 s and ours 1 s, which VRRPv2 needs to be the same",
        "its interval is 1 s and ours 3 s, which VRRPv2 needs to be the same",
        v2(1),
    );
}

#[test]
fn peers_that_do_not_know_each_other_are_named() {
    let peers = |priority, peer: &str| VrSpec {
        peers: vec![ip(peer)],
        ..spec(1, priority)
    };
    refuse_each_other(
        peers(200, "10.0.0.2"),
        spec(1, 100),
        "it advertises to 224.0.0.18, and we expect it at 10.0.0.1, our address",
        "it advertises to 10.0.0.2 as to one of its peers, and we listen to the group: we have no peers",
        spec(1, 1),
    );
}

#[test]
fn a_single_packet_is_no_peer() {
    let mut sim = Sim::new(&[config(&[v2(100)])]);
    sim.run_to(4_000);
    let frame = advert("10.0.0.9", 1, 50, &["10.0.0.101"]);
    sim.machine(0).deliver("eth0", frame.clone());
    sim.run_to(4_500);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    assert!(sim.report(0, &id("eth0", 1)).rejected.is_some());
    // Nor are two that have nothing to do with each other.
    sim.run_to(20_000);
    sim.machine(0).deliver("eth0", frame.clone());
    sim.run_to(20_500);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    sim.machine(0).deliver("eth0", frame);
    sim.run_to(21_000);
    assert_eq!(warnings(&sim, 0).len(), 1);
    sim.run_to(30_000);
    assert_eq!(warnings(&sim, 0), [""; 0], "it is silent");
    assert_eq!(others(&sim, 0), [], "and was no master to us");
}

#[test]
fn a_crowd_is_not_named_one_by_one() {
    let mut sim = Sim::new(&[config(&[v2(100)])]);
    sim.run_to(4_000);
    for host in (1..=200).rev() {
        for _ in 0..2 {
            let frame = advert(&format!("10.0.7.{host}"), 1, 50, &["10.0.0.101"]);
            sim.machine(0).deliver("eth0", frame);
        }
    }
    sim.run_to(4_500);
    let said = warnings(&sim, 0);
    assert_eq!(said.len(), 4, "{said:?}");
    for (number, line) in ["10.0.7.1:", "10.0.7.2:", "10.0.7.3:"].iter().enumerate() {
        assert!(said.iter().any(|l| l.contains(line)), "{number}: {said:?}");
    }
    assert_eq!(sim.report(0, &id("eth0", 1)).refused_peers, 200);
}

#[test]
fn who_is_accepted_is_present_whatever_is_sent_in_its_name() {
    let mut sim = Sim::new(&[config(&[v2(200)]), config(&[v2(100)])]);
    for second in 1..=20 {
        let forged = advert("10.0.0.1", 1, 200, &["10.0.0.101"]);
        sim.machine(1).deliver("eth0", forged);
        sim.run_to(1_000 * second);
    }
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(warnings(&sim, 1), [""; 0]);
    let seen = others(&sim, 1);
    assert_eq!(seen.len(), 2, "told apart: {seen:?}");
    assert_eq!(seen.iter().filter(|(_, why)| why.is_none()).count(), 1);
}

#[test]
fn a_priority_that_we_do_not_send_is_forged() {
    for (priority, claim) in [
        (0, "which makes us seem to hand over though we do not"),
        (255, "which makes us seem to own the addresses"),
    ] {
        let mut sim = Sim::new(&[config(&[spec(1, 200)])]);
        sim.run_to(8_000);
        for second in 8..12 {
            let frame = advert("10.0.0.1", 1, priority, &["10.0.0.101"]);
            sim.machine(0).deliver("eth0", frame);
            sim.run_to(1_000 * second + 500);
        }
        let said = warnings(&sim, 0);
        let [line] = &said[..] else {
            panic!("{said:?}");
        };
        assert!(
            line.starts_with(&format!(
                "10.0.0.1, our own address, is advertised from with priority {priority} by another host (MAC "
            )) && line.ends_with(claim),
            "{line}"
        );
        // It is not counted as another master, and goes as it has come.
        assert_eq!(sim.report(0, &id("eth0", 1)).masters, 1);
        sim.run_to(20_000);
        assert_eq!(warnings(&sim, 0), [""; 0]);
    }
}

#[test]
fn another_host_with_our_own_address_is_named() {
    let mut sim = Sim::new(&[config(&[spec(1, 200)]), config(&[spec(1, 100)])]);
    let same = vrrp_core::InterfaceState {
        ipv4: fake::interface(0).ipv4,
        ..fake::interface(1)
    };
    sim.machine(1).set_interface("eth0", same);
    sim.run_to(10_000);
    assert_eq!(sim.states(1), [State::Active, State::Active]);
    for host in [0, 1] {
        assert_eq!(
            warnings(&sim, host),
            [
                "10.0.0.1, our own address, is advertised from by another host (MAC 00:00:5e:00:01:01), or what we send comes back to us"
            ]
        );
    }
    sim.machine(1).set_interface("eth0", fake::interface(1));
    sim.run_to(20_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    assert_eq!(warnings(&sim, 1), [""; 0]);
}

/// An advertisement of VRRPv3 to one address, with this TTL or hop limit.
fn distant(from: &str, to: &str, ttl: u8, virtual_ip: &str) -> Vec<u8> {
    let (from, to) = (ip(from), ip(to));
    let mut buf = [0; 1536];
    let emitted = Advert {
        source_mac: MacAddr([2, 0, 0, 0, 0, 9]),
        destination_mac: MacAddr([2, 0, 0, 0, 0, 1]),
        source: from,
        destination: to,
        ttl,
        version: WireVersion::V3,
        vrid: vrid(1),
        priority: 200,
        interval: AdvertInterval::DEFAULT,
        auth: Auth::None,
        pseudo_header: true,
    }
    .emit(&mut buf, [ip(virtual_ip)].into_iter())
    .expect("it fits");
    buf[..emitted.len].to_vec()
}

#[test]
fn a_ttl_that_is_too_low_is_named() {
    let from_elsewhere = "they come from another link, or from a program that is no VRRP router";
    let six = |max_hops| VrSpec {
        peers: vec![ip("fe80::9")],
        settings: VrSettings {
            max_hops,
            ..spec(1, 100).settings
        },
        ..VrSpec::new(
            VrId {
                family: Family::Ipv6,
                ..id("eth0", 1)
            },
            vec![address("fe80::101")],
        )
    };
    let warned = |spec: VrSpec, frame: Vec<u8>| {
        let mut sim = Sim::new(&[config(&[spec])]);
        sim.run_to(4_000);
        for second in 5..10 {
            sim.machine(0).deliver("eth0", frame.clone());
            sim.run_to(1_000 * second);
        }
        warnings(&sim, 0)
    };
    let frame = distant("10.0.0.9", "224.0.0.18", 64, "10.0.0.101");
    assert_eq!(
        warned(spec(1, 100), frame),
        [format!(
            "peer present but refused: 10.0.0.9: its packets arrive with a TTL of 64: {from_elsewhere}"
        )]
    );
    let frame = distant("fe80::9", "fe80::1", 64, "fe80::101");
    assert_eq!(
        warned(six(1), frame.clone()),
        [format!(
            "peer present but refused: fe80::9: its packets arrive with a hop limit of 64: {from_elsewhere}, or from keepalived without `unicast_ttl 255`, which `maxhops = 192` lets in"
        )]
    );
    assert_eq!(warned(six(192), frame), [""; 0]);
}
