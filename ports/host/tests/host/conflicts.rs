//! Hosts that have our addresses without VRRP are named, and routers never are.

use vrrp_core::{AdvertInterval, Family, InterfaceState, MacAddr, MacMode, State};
use vrrp_core::{
    VrSettings,
    wire::{arp, ndisc},
};
use vrrp_host::{About, AddressSpec, HostConfig, VrSpec};

use crate::fake::{asks_for, interface};
use crate::sim::{Sim, address, config, id, ip, spec};

/// The MAC of a host that is no router.
const STRANGER: MacAddr = MacAddr([2, 0, 0, 0, 9, 9]);
/// The time after which a host that is quiet is forgotten, in milliseconds.
const FORGET: u64 = 180_000;

/// A frame in which the host with this MAC says that it has an address.
fn claim(mac: MacAddr, text: &str) -> Vec<u8> {
    let mut buf = [0; 128];
    let emitted = match ip(text) {
        std::net::IpAddr::V4(ip) => arp::emit_gratuitous(&mut buf, mac, ip),
        std::net::IpAddr::V6(ip) => ndisc::emit_unsolicited_na(&mut buf, mac, ip),
    };
    buf[..emitted.expect("room").len].to_vec()
}

/// Has every machine hear a claim on eth0.
fn say(sim: &Sim, mac: MacAddr, text: &str) {
    for machine in 0..sim.hosts.len() {
        sim.machine(machine).deliver("eth0", claim(mac, text));
    }
}

fn millis(sim: &Sim) -> u64 {
    sim.now().as_micros() / 1_000
}

fn run(sim: &mut Sim, span: u64) {
    let end = millis(sim) + span;
    sim.run_to(end);
}

/// The warnings of a host about addresses that others have.
fn warnings(sim: &Sim, host: usize) -> Vec<String> {
    let all = sim.hosts[host].warnings().into_iter();
    let all = all.filter(|warning| warning.text.contains("another host"));
    let texts = all.map(|warning| match warning.about {
        About::Host => warning.text,
        About::Interface(name) => format!("{name}: {}", warning.text),
        About::VirtualRouter(id) => format!("{}: {}", id.vrid, warning.text),
    });
    texts.collect()
}

/// Runs and looks four times a second: no host takes another one for a stranger.
fn run_quietly(sim: &mut Sim, span: u64) {
    let end = millis(sim) + span;
    while millis(sim) < end {
        run(sim, 250);
        for host in 0..sim.hosts.len() {
            assert_eq!(warnings(sim, host), [""; 0], "at {} ms", millis(sim));
        }
    }
}

/// A master and a backup.
fn pair(mac_mode: MacMode) -> Sim {
    let of = |priority| {
        config(&[VrSpec {
            settings: VrSettings {
                mac_mode,
                ..spec(1, priority).settings
            },
            ..spec(1, priority)
        }])
    };
    let mut sim = Sim::new(&[of(200), of(100)]);
    run(&mut sim, 10_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
    sim
}

fn text(address: &str) -> String {
    format!(
        "1: another host on eth0 (MAC {STRANGER}) has {address} without VRRP: remove the address from that host, or have it no longer answer for others (proxy ARP)"
    )
}

#[test]
fn a_stranger_is_named_by_master_and_backup_until_it_is_quiet() {
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        let mut sim = pair(mac_mode);
        say(&sim, STRANGER, "10.0.0.101");
        run(&mut sim, 6_000);
        let said = [text("10.0.0.101")];
        for host in [0, 1] {
            assert_eq!(warnings(&sim, host), said);
        }
        // It is the same warning for as long as it goes on.
        for _ in 0..10 {
            run(&mut sim, FORGET - 10_000);
            say(&sim, STRANGER, "10.0.0.101");
            run(&mut sim, 0);
            assert_eq!(warnings(&sim, 0), said);
            assert_eq!(warnings(&sim, 1), said);
        }
        run(&mut sim, FORGET - 1_000);
        assert_eq!(warnings(&sim, 1), said);
        run(&mut sim, 2_000);
        for host in [0, 1] {
            assert_eq!(warnings(&sim, host), [""; 0]);
        }
        assert_eq!(sim.states(1), [State::Active, State::Backup]);
    }
}

#[test]
fn several_addresses_of_a_stranger_are_one_warning() {
    let addresses = (101..=110).map(|n| address(&format!("10.0.0.{n}")));
    let mut sim = Sim::new(&[config(&[VrSpec {
        addresses: addresses.collect(),
        ..spec(1, 100)
    }])]);
    run(&mut sim, 5_000);
    for n in 101..=102 {
        say(&sim, STRANGER, &format!("10.0.0.{n}"));
    }
    run(&mut sim, 6_000);
    assert_eq!(warnings(&sim, 0), [text("10.0.0.101 10.0.0.102")]);
    for n in 101..=110 {
        say(&sim, STRANGER, &format!("10.0.0.{n}"));
    }
    say(&sim, STRANGER, "10.0.0.111");
    run(&mut sim, 6_000);
    let many = "10.0.0.101 10.0.0.102 10.0.0.103 10.0.0.104 and more";
    assert_eq!(warnings(&sim, 0), [text(many)]);
    // And several hosts are several.
    for n in 0..=255 {
        say(&sim, MacAddr([2, 0, 0, 0, 8, n]), "10.0.0.101");
    }
    run(&mut sim, 6_000);
    assert_eq!(warnings(&sim, 0).len(), 4);
}

#[test]
fn ipv6_is_claimed_by_neighbour_advertisements() {
    let of = |priority| {
        let mut id = id("eth0", 1);
        id.family = Family::Ipv6;
        config(&[VrSpec {
            id,
            addresses: vec![address("fe80::101"), address("2001:db8::101")],
            ..spec(1, priority)
        }])
    };
    let mut sim = Sim::new(&[of(200), of(100)]);
    run_quietly(&mut sim, 10_000);
    say(&sim, STRANGER, "2001:db8::101");
    say(&sim, STRANGER, "2001:db8::102");
    run(&mut sim, 6_000);
    assert_eq!(warnings(&sim, 0), [text("2001:db8::101")]);
    assert_eq!(warnings(&sim, 1), [text("2001:db8::101")]);
}

#[test]
fn routers_that_take_over_from_each_other_are_no_strangers() {
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        let mut sim = pair(mac_mode);
        // As its kernel asks for the MAC of a client.
        let talk = |sim: &Sim| {
            if mac_mode == MacMode::Interface {
                for host in [0, 1] {
                    if sim.state(host, 1) == State::Active {
                        let frame = claim(interface(host).mac, "10.0.0.101");
                        sim.machine(1 - host).deliver("eth0", frame);
                    }
                }
            }
        };
        for round in 0..4 {
            talk(&sim);
            run_quietly(&mut sim, 5_000);
            match round {
                0 => sim.hosts[0].resign(&id("eth0", 1)).unwrap(),
                1 => sim.hosts[1].resign(&id("eth0", 1)).unwrap(),
                2 => sim.machine(0).set_up("eth0", false),
                _ => sim.machine(0).set_up("eth0", true),
            }
            run_quietly(&mut sim, 10_000);
            talk(&sim);
            run_quietly(&mut sim, 60_000);
        }
        // The network is divided, and mended when the claims are almost forgotten.
        sim.machine(0).cut.insert("eth0".into());
        run_quietly(&mut sim, FORGET - 10_000);
        assert_eq!(sim.states(1), [State::Active, State::Active]);
        sim.machine(0).cut.clear();
        // It is heard before its first advertisement.
        talk(&sim);
        run_quietly(&mut sim, 20_000);
        assert_eq!(sim.states(1), [State::Active, State::Backup]);
        // The announcements of a host that was a router some seconds ago are still excused.
        sim.hosts[0].set_enabled(&id("eth0", 1), false).unwrap();
        run_quietly(&mut sim, 20_000);
        let frame = claim(interface(0).mac, "10.0.0.101");
        if mac_mode == MacMode::Interface {
            sim.machine(1).deliver("eth0", frame.clone());
            run_quietly(&mut sim, 60_000);
            // But not for ever: it has kept the address.
            sim.machine(1).deliver("eth0", frame);
            run(&mut sim, 6_000);
            assert_eq!(warnings(&sim, 1).len(), 1);
        }
    }
}

#[test]
fn the_master_is_no_stranger_to_a_host_that_takes_no_part() {
    let mut sim = pair(MacMode::Interface);
    sim.hosts[1].set_enabled(&id("eth0", 1), false).unwrap();
    run_quietly(&mut sim, 100_000);
    sim.machine(1)
        .deliver("eth0", claim(interface(0).mac, "10.0.0.101"));
    run_quietly(&mut sim, 10_000);
    sim.hosts[1].set_enabled(&id("eth0", 1), true).unwrap();
    sim.machine(1)
        .deliver("eth0", claim(interface(0).mac, "10.0.0.101"));
    run_quietly(&mut sim, 10_000);
}

#[test]
fn a_slow_router_is_no_stranger_before_its_first_advertisement() {
    let slow = |priority| {
        config(&[VrSpec {
            settings: VrSettings {
                mac_mode: MacMode::Interface,
                advert_interval: AdvertInterval::from_secs(30).unwrap(),
                ..spec(1, priority).settings
            },
            ..spec(1, priority)
        }])
    };
    let mut sim = Sim::new(&[slow(200)]);
    run(&mut sim, 130_000);
    let platform = sim.add_machine();
    sim.open(platform, slow(100));
    sim.machine(1)
        .deliver("eth0", claim(interface(0).mac, "10.0.0.101"));
    run_quietly(&mut sim, 200_000);
    assert_eq!(sim.states(1), [State::Active, State::Backup]);
}

#[test]
fn a_router_that_is_refused_is_named_once() {
    use vrrp_core::Version;
    let of = |version, priority| {
        config(&[VrSpec {
            settings: VrSettings {
                version,
                mac_mode: MacMode::Interface,
                ..spec(1, priority).settings
            },
            ..spec(1, priority)
        }])
    };
    let mut sim = Sim::new(&[of(Version::V2, 200), of(Version::V3, 100)]);
    run_quietly(&mut sim, 60_000);
    assert_eq!(sim.states(1), [State::Active, State::Active]);
    for host in [0, 1] {
        let refused = sim.hosts[host].warnings();
        assert!(refused[0].text.starts_with("peer present but refused"));
        assert_eq!(refused.len(), 1, "{refused:?}");
    }
    // The same judgement goes on after a reload.
    let same = VrSpec {
        settings: VrSettings {
            version: Version::V3,
            mac_mode: MacMode::Interface,
            ..spec(1, 101).settings
        },
        ..spec(1, 101)
    };
    sim.hosts[1].reload(config(&[same])).unwrap();
    run_quietly(&mut sim, 10_000);
}

#[test]
fn an_own_address_that_another_host_has_is_a_warning_of_the_interface() {
    let mut sim = pair(MacMode::Virtual);
    say(&sim, STRANGER, "10.0.0.2");
    run(&mut sim, 6_000);
    assert_eq!(warnings(&sim, 0), [""; 0]);
    let said = format!(
        "eth0: another host on eth0 (MAC {STRANGER}) has our own address 10.0.0.2, too: give one of the two another address"
    );
    assert_eq!(warnings(&sim, 1), [said]);
    // It is ours no more.
    sim.machine(1).set_interface(
        "eth0",
        InterfaceState {
            ipv4: Some([10, 0, 0, 77].into()),
            ..interface(1)
        },
    );
    run(&mut sim, 1_000);
    assert_eq!(warnings(&sim, 1), [""; 0]);
}

#[test]
fn what_is_no_claim_to_an_address_here_is_ignored() {
    let on_device = AddressSpec {
        interface: Some("eth1".into()),
        ..address("10.0.1.101")
    };
    let mut sim = Sim::new(&[config(&[VrSpec {
        addresses: vec![address("10.0.0.101"), on_device],
        ..spec(1, 100)
    }])]);
    run(&mut sim, 5_000);
    let virtual_mac = MacAddr::virtual_router(Family::Ipv4, crate::sim::vrid(1));
    // Our own frames that come back, those of the virtual router's, those of other addresses, and those
    // of an address on another interface, of which nobody knows who has it now.
    say(&sim, interface(0).mac, "10.0.0.101");
    say(&sim, virtual_mac, "10.0.0.101");
    say(&sim, STRANGER, "10.0.0.102");
    say(&sim, STRANGER, "0.0.0.0");
    say(&sim, STRANGER, "10.0.1.101");
    let claim = claim(STRANGER, "10.0.1.101");
    sim.machine(0).deliver("eth1", claim);
    run_quietly(&mut sim, 10_000);
}

#[test]
fn a_virtual_router_that_goes_takes_its_claims_along() {
    let mut sim = pair(MacMode::Virtual);
    say(&sim, STRANGER, "10.0.0.101");
    run(&mut sim, 6_000);
    assert_eq!(warnings(&sim, 1).len(), 1);
    sim.hosts[1].reload(HostConfig::default()).unwrap();
    run(&mut sim, 10_000);
    assert_eq!(warnings(&sim, 1), [""; 0]);
    sim.hosts[1].reload(config(&[spec(1, 100)])).unwrap();
    run(&mut sim, 10_000);
    assert_eq!(warnings(&sim, 1), [""; 0]);
}

/// The addresses that a machine has asked for, and when in seconds.
fn probes(sim: &Sim, machine: usize, addresses: &[&str]) -> Vec<(u64, String)> {
    let machine = sim.machine(machine);
    let all = machine.probes.iter().map(|(at, frame)| {
        let asked = addresses.iter().find(|a| asks_for(frame, ip(a)));
        let asked = asked.unwrap_or_else(|| panic!("{frame:?}"));
        (at.as_micros() / 1_000_000, (*asked).to_owned())
    });
    all.collect()
}

#[test]
fn a_master_asks_for_its_addresses_in_turn_and_finds_a_silent_stranger() {
    let list = ["10.0.0.101", "10.0.0.102", "10.0.0.103"];
    let of = |priority| {
        config(&[VrSpec {
            addresses: list.map(address).into(),
            ..spec(1, priority)
        }])
    };
    let mut sim = Sim::new(&[of(200), of(100)]);
    run_quietly(&mut sim, 100_000);
    let asked = probes(&sim, 0, &list);
    assert!((7..=10).contains(&asked.len()), "{asked:?}");
    for pair in asked.windows(2) {
        assert!(pair[1].0 - pair[0].0 >= 9, "{asked:?}");
        assert_ne!(pair[0].1, pair[1].1, "{asked:?}");
    }
    assert_eq!(probes(&sim, 1, &list), [], "the backup has none");
    // From its own address and MAC.
    for (_, frame) in &sim.machine(0).probes {
        assert_eq!(frame[22..28], interface(0).mac.0);
        assert_eq!(frame[28..32], [10, 0, 0, 1]);
    }
    sim.machine(0).stranger = Some((STRANGER, vec![ip("10.0.0.102")]));
    run(&mut sim, 40_000);
    let said = [text("10.0.0.102")];
    assert_eq!(warnings(&sim, 0), said);
    for _ in 0..60 {
        run(&mut sim, 10_000);
        assert_eq!(warnings(&sim, 0), said);
    }
    sim.machine(0).stranger = None;
    run(&mut sim, FORGET + 2_000);
    assert_eq!(warnings(&sim, 0), [""; 0]);
}

#[test]
fn many_virtual_routers_ask_no_more_often_than_once_a_second() {
    let specs: Vec<VrSpec> = (1..=100)
        .map(|number| VrSpec {
            addresses: vec![address(&format!("10.0.1.{number}"))],
            ..spec(number, 100)
        })
        .collect();
    let mut sim = Sim::new(&[config(&specs)]);
    run(&mut sim, 5_000);
    sim.machine(0).stranger = Some((STRANGER, vec![ip("10.0.1.7")]));
    run(&mut sim, 120_000);
    let begin = sim.machine(0).probes.len();
    assert!((50..=126).contains(&begin), "{begin}");
    // A conflict is not forgotten once it was found, with any number of addresses.
    for _ in 0..100 {
        run(&mut sim, 5_000);
        assert_eq!(warnings(&sim, 0).len(), 1, "at {}", millis(&sim));
    }
}

#[test]
fn an_owner_asks_for_nothing_in_the_name_of_a_virtual_address() {
    let owner = VrSpec {
        addresses: vec![address("10.0.0.1")],
        ..spec(1, 255)
    };
    let mut sim = Sim::new(&[config(&[owner])]);
    run(&mut sim, 60_000);
    assert_eq!(sim.states(1), [State::Active]);
    assert!(sim.machine(0).probes.is_empty());
}
