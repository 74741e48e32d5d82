//! The effects that the port is asked for, their failures, and the changes of a new configuration.

mod common;

use common::{IF, Line, Peer, Sent, Verdict, addresses, cs, interface, ip, key, priority};
use vrrp_core::{
    Announce, Auth, Error, Failure, Family, InterfaceState, MacAddr, MacMode, Output, Reason,
    State, Version, VirtualAddress, VrConfig, VrSettings,
};
use vrrp_core::{Poll, wire::vrrp::ChecksumForm};

const QUIET: Announce = Announce {
    repeats: 0,
    ..Announce::DEFAULT
};

fn config(addresses: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            announce: QUIET,
            ..VrSettings::DEFAULT
        },
        addresses,
        ..VrConfig::DEFAULT
    }
}

fn active(config: &VrConfig<'_>) -> Line {
    let mut line = Line::new(config);
    line.at(4.1).expect_state(State::Active);
    line
}

#[test]
fn an_advertisement_says_what_was_configured() {
    // M-14, G-1, V-12
    let list = addresses(&["10.10.10.53", "10.10.10.80"]);
    let line = active(&VrConfig {
        settings: VrSettings {
            advert_interval: cs(50),
            ..config(&list).settings
        },
        ..config(&list)
    });
    let sent = Sent::parse(&line.frames[0]);
    let expected = Sent {
        source_mac: MacAddr([0, 0, 0x5e, 0, 1, 1]),
        destination_mac: MacAddr([0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]),
        source: ip("10.10.10.6"),
        destination: ip("224.0.0.18"),
        ttl: 255,
        version: 3,
        vrid: 1,
        priority: 100,
        interval_cs: 50,
        auth_type: 0,
        auth_data: [0; 8],
        addresses: vec![ip("10.10.10.53"), ip("10.10.10.80")],
        checksum: ChecksumForm::PseudoHeader,
    };
    assert_eq!(sent, expected);
}

#[test]
fn a_v2_advertisement_carries_the_password() {
    let list = addresses(&["10.10.10.53"]);
    let line = active(&VrConfig {
        settings: VrSettings {
            version: Version::V2,
            auth: Auth::Simple(*b"foobingb"),
            ..config(&list).settings
        },
        ..config(&list)
    });
    let sent = Sent::parse(&line.frames[0]);
    assert_eq!((sent.version, sent.auth_type), (2, 1));
    assert_eq!(&sent.auth_data, b"foobingb");
    assert_eq!(sent.checksum, ChecksumForm::Plain);
}

#[test]
fn ipv6_advertises_a_link_local_address_first_and_announces_each() {
    // V-9, S-4, M-5: none was configured, so that of the virtual MAC is added.
    let list = addresses(&["2001:db8::53/64"]);
    let mut line = Line::new(&config(&list));
    line.at(4.0).expect(&[
        "0 +group IPv6",
        "0 Initialize -> Backup: started",
        "3.609375 +mac 00:00:5e:00:02:01",
        "3.609375 +fe80::200:5eff:fe00:201",
        "3.609375 +2001:db8::53",
        "3.609375 v3 priority 100",
        "3.609375 na fe80::200:5eff:fe00:201",
        "3.609375 na 2001:db8::53",
        "3.609375 Backup -> Active: no advertisement within the down interval",
    ]);
    let sent = Sent::parse(&line.frames[0]);
    assert_eq!(sent.source, ip("fe80::6"));
    assert_eq!(
        sent.addresses,
        [ip("fe80::200:5eff:fe00:201"), ip("2001:db8::53")]
    );
    assert_eq!(sent.ttl, 255);
}

#[test]
fn with_the_interface_mac_everything_names_it() {
    // M-6
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..config(&list).settings
        },
        ..config(&list)
    });
    line.at(4.0).expect(&[
        "0 +group IPv4",
        "0 Initialize -> Backup: started",
        "3.609375 +10.10.10.80",
        "3.609375 v3 priority 100",
        "3.609375 arp 10.10.10.80",
        "3.609375 Backup -> Active: no advertisement within the down interval",
    ]);
    for frame in &line.frames {
        assert_eq!(frame[6..12], common::OWN_MAC.0);
    }
}

#[test]
//= RFC 9568 section 8.4.2
fn both_versions_are_sent_and_heard_during_an_upgrade() {
    //
    let list = addresses(&["10.10.10.80"]);
    let both = VrConfig {
        settings: VrSettings {
            version: Version::Both,
            advert_interval: cs(50),
            ..config(&list).settings
        },
        ..config(&list)
    };
    let mut line = active(&both);
    let versions = |line: &Line| -> Vec<u8> {
        line.frames
            .iter()
            .filter(|f| f[23] == 112)
            .map(|f| Sent::parse(f).version)
            .collect()
    };
    assert_eq!(versions(&line)[..2], [3, 2]);
    assert_eq!(Sent::parse(&line.frames[0]).interval_cs, 50);
    assert_eq!(
        Sent::parse(&line.frames[1]).interval_cs,
        100,
        "v2 says whole seconds"
    );

    // a Backup counts by what the Active router advertises, v2 in seconds.
    let v2 = Peer {
        version: vrrp_core::wire::WireVersion::V2,
        interval: cs(200),
        ..Peer::fridge(&line, 200)
    };
    line.at(5.0).accept(&v2).expect_state(State::Backup);
    assert_eq!(line.status().active_interval, cs(200));

    // the v2 half of a router that sends both is ignored.
    let v3 = Peer::fridge(&line, 200);
    line.at(5.1).accept(&v3);
    let verdict = line.hear(&v2);
    assert_eq!(
        verdict,
        Verdict::Dropped(vrrp_core::DropReason::V2ShadowedByV3)
    );
    assert_eq!(line.status().active_interval, cs(50));
    // When its v3 half falls silent the v2 half counts again.
    line.at(7.2).accept(&v2);
}

#[test]
fn an_address_that_somebody_removed_is_put_back_and_announced() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    line.skip();
    let failure = Failure::Address {
        key: line.key,
        address: ip("10.10.10.80"),
    };
    line.fail(failure)
        .expect(&["4.1 +10.10.10.80", "4.1 arp 10.10.10.80"])
        .expect_state(State::Active);
}

#[test]
fn everything_removed_at_once_is_put_back() {
    let names: Vec<String> = (1..=15).map(|n| format!("10.10.10.{}", 100 + n)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let list = addresses(&names);
    let mut line = active(&config(&list));
    let key = line.key;
    for a in &list {
        let address = a.address;
        line.router
            .handle_failure(line.now, Failure::Address { key, address });
    }
    line.router.handle_failure(line.now, Failure::Mac { key });
    line.skip().drain();
    line.expect_state(State::Active);
    let put_back = line.seen.iter().filter(|s| s.contains('+')).count();
    assert_eq!(put_back, 16);
}

#[test]
fn an_effect_that_keeps_failing_ends_in_initialize_and_is_tried_again_later() {
    // S-14: what cannot be served is not advertised.
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&config(&list));
    line.at(3.6).skip();
    line.sleep_until(3.609375);
    line.router.handle_timeout(line.now);
    // A port that cannot install the address, whatever it is asked.
    let mut buf = [0; 512];
    let mut sent_zero = false;
    while let Poll::Output(output) = line.router.poll_output(&mut buf) {
        match output {
            Output::SetAddress {
                on: true,
                key,
                address,
                ..
            } => {
                let address = address.address;
                line.router
                    .handle_failure(line.now, Failure::Address { key, address });
            }
            Output::Transmit(t) => sent_zero |= t.frame[36] == 0,
            _ => {}
        }
    }
    assert!(sent_zero, "it says that it stops");
    line.expect_state(State::Initialize);
    assert_eq!(line.status().reason, Reason::EffectFailed);
    // One second later it listens again, and takes over when the down interval has passed.
    line.at(4.7).expect_state(State::Backup);
    line.at(8.3).expect_state(State::Active);
    assert_eq!(line.router.statistics(line.key).unwrap().effect_failures, 5);
}

#[test]
fn a_group_that_cannot_be_joined_is_tried_again_every_second() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&config(&list));
    line.skip();
    let failure = Failure::Group {
        ifindex: IF,
        family: Family::Ipv4,
    };
    line.fail(failure).expect(&[]);
    line.at(1.5).expect(&["1 +group IPv4"]);
}

#[test]
fn a_group_is_joined_once_for_all_and_left_by_the_last() {
    let list = addresses(&["10.10.10.80"]);
    let other = addresses(&["10.10.10.81"]);
    let mut line = Line::new(&config(&list));
    let second = key(2, Family::Ipv4);
    line.skip().act(|r, now| {
        r.admin(now).insert(second, &config(&other)).unwrap();
        r.admin(now).set_enabled(second, true).unwrap();
    });
    line.expect(&["0 Initialize -> Backup: started"]);
    let first = line.key;
    line.act(|r, now| r.admin(now).remove(first).unwrap());
    line.expect(&["0 Backup -> Initialize: disabled", "0 removed"]);
    line.act(|r, now| r.admin(now).remove(second).unwrap());
    line.expect(&[
        "0 Backup -> Initialize: disabled",
        "0 -group IPv4",
        "0 removed",
    ]);
}

#[test]
fn a_changed_priority_is_advertised_at_once() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let key = line.key;
    line.skip()
        .act(|r, now| r.admin(now).set_priority(key, Some(priority(42))).unwrap())
        .expect(&["4.1 v3 priority 42"]);
    line.act(|r, now| r.admin(now).set_priority(key, None).unwrap())
        .expect(&["4.1 v3 priority 100"]);
}

#[test]
fn the_same_configuration_again_changes_nothing() {
    let list = addresses(&["10.10.10.53", "10.10.10.80"]);
    let same = VrConfig {
        settings: VrSettings {
            announce: Announce {
                repeats: 1,
                ..QUIET
            },
            ..config(&list).settings
        },
        ..config(&list)
    };
    for mut line in [Line::new(&same), active(&same)] {
        let (before, timeout, key) = (line.status(), line.router.poll_timeout(), line.key);
        line.skip()
            .act(|r, now| r.admin(now).reconfigure(key, &same).unwrap());
        line.expect(&[]);
        assert_eq!(line.status(), before);
        assert_eq!(line.router.poll_timeout(), timeout);
    }
}

#[test]
fn a_changed_address_list_moves_only_what_changed() {
    let before = addresses(&["10.10.10.53", "10.10.10.80"]);
    let after = addresses(&["10.10.10.80", "10.10.10.25"]);
    let mut line = active(&config(&before));
    let key = line.key;
    line.skip()
        .act(|r, now| r.admin(now).reconfigure(key, &config(&after)).unwrap());
    line.expect(&[
        "4.1 -10.10.10.53",
        "4.1 +10.10.10.25",
        "4.1 v3 priority 100",
        "4.1 arp 10.10.10.80",
        "4.1 arp 10.10.10.25",
    ]);
    let kept: Vec<_> = line.router.addresses(key).collect();
    assert_eq!(kept, after);
}

#[test]
fn a_changed_accept_mode_installs_the_addresses_anew() {
    //
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let key = line.key;
    let accepting = VrConfig {
        settings: VrSettings {
            accept: true,
            ..config(&list).settings
        },
        ..config(&list)
    };
    line.skip()
        .act(|r, now| r.admin(now).reconfigure(key, &accepting).unwrap());
    line.expect(&["4.1 -10.10.10.80", "4.1 +10.10.10.80"]);
}

#[test]
fn a_new_source_address_is_advertised_at_once() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let moved = InterfaceState {
        ipv4: Some("10.10.10.7".parse().unwrap()),
        ..interface()
    };
    line.skip()
        .act(|r, now| r.set_interface(now, IF, moved).unwrap())
        .expect(&["4.1 v3 priority 100"]);
    assert_eq!(Sent::parse(&line.frames[0]).source, ip("10.10.10.7"));
}

#[test]
fn the_checksum_follows_the_peer_while_active() {
    // V-5: also once many advertisements of the other form were sent.
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(&list));
    let mut peer = Peer::fridge(&line, 50);
    for pseudo_header in [false, true] {
        peer.pseudo_header = pseudo_header;
        let later = line.now.as_micros() as f64 / 1e6 + 3.0;
        line.at(later).skip().accept(&peer);
        let form = match pseudo_header {
            true => ChecksumForm::PseudoHeader,
            false => ChecksumForm::Plain,
        };
        assert_eq!(Sent::parse(&line.frames[0]).checksum, form);
    }
}

#[test]
fn arp_and_ns_are_answered_while_active_only_and_with_one_mac() {
    // M-2, M-3, M-4, A-3
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&config(&list));
    let mut request = vec![0xff; 6];
    request.extend([2, 0, 0, 0, 0, 5, 0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
    request.extend([
        2, 0, 0, 0, 0, 5, 10, 10, 10, 5, 0, 0, 0, 0, 0, 0, 10, 10, 10, 80,
    ]);
    let mut buf = [0; 128];
    assert_eq!(line.router.answer(IF, &request, &mut buf), None, "Backup");
    line.at(4.0);
    let answer = line.router.answer(IF, &request, &mut buf).unwrap();
    assert_eq!(answer.frame[..6], [2, 0, 0, 0, 0, 5]);
    assert_eq!(answer.frame[6..12], [0, 0, 0x5e, 0, 1, 1]);
    assert_eq!(answer.frame[20..28], [0, 2, 0, 0, 0x5e, 0, 1, 1]);
    assert_eq!(line.router.answer(IF + 1, &request, &mut buf), None);
    *request.last_mut().unwrap() = 6;
    assert_eq!(
        line.router.answer(IF, &request, &mut buf),
        None,
        "not virtual"
    );
}

#[test]
fn a_buffer_that_is_too_small_loses_nothing() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            priority: priority(255),
            ..config(&list).settings
        },
        ..config(&list)
    });
    line.skip();
    line.sleep_until(1.0);
    line.router.handle_timeout(line.now);
    for _ in 0..2 {
        let mut buf = [0; 40];
        let polled = line.router.poll_output(&mut buf);
        assert_eq!(polled, Poll::BufferTooSmall);
    }
    line.drain();
    assert_eq!(line.router.poll_output(&mut []), Poll::Done);
    line.expect(&["1 v3 priority 255"]);
}

#[test]
fn advertisements_due_together_leave_together() {
    let mut line = active(&config(&addresses(&["10.10.10.80"])));
    let second = key(2, Family::Ipv4);
    // Five milliseconds after the first: within one hundredth of the interval.
    line.at(4.614375).skip().act(|r, now| {
        let list = addresses(&["10.10.10.81"]);
        let owner = VrConfig {
            settings: VrSettings {
                priority: priority(255),
                ..config(&list).settings
            },
            ..config(&list)
        };
        r.admin(now).insert(second, &owner).unwrap();
        r.admin(now).set_enabled(second, true).unwrap();
    });
    line.skip().at(6.0);
    line.expect(&["5.609375 v3 priority 100", "5.609375 v3 priority 255"]);
}

#[test]
fn misuse_is_an_error_and_changes_nothing() {
    let list = addresses(&["10.10.10.80"]);
    let good = config(&list);
    let mut line = Line::disabled(&good);
    let (now, vr) = (line.now, key(2, Family::Ipv4));
    let v6 = addresses(&["2001:db8::1/64"]);
    let twice = addresses(&["10.10.10.80", "10.10.10.80"]);
    let prefix = [VirtualAddress {
        prefix_len: 33,
        ..list[0]
    }];
    let many = vec![list[0]; 17];
    let many: Vec<_> = many
        .iter()
        .enumerate()
        .map(|(n, a)| VirtualAddress {
            address: format!("10.10.11.{n}").parse().unwrap(),
            ..*a
        })
        .collect();
    let tracks = [vrrp_core::Track {
        object: 1,
        effect: vrrp_core::TrackEffect::Fault,
    }; 9];
    let v2 = VrConfig {
        settings: VrSettings {
            version: Version::V2,
            ..good.settings
        },
        ..good
    };
    let cases = [
        (
            VrConfig {
                addresses: &[],
                ..good
            },
            Error::NoAddresses,
        ),
        (
            VrConfig {
                addresses: &v6,
                ..good
            },
            Error::BadAddress,
        ),
        (
            VrConfig {
                addresses: &twice,
                ..good
            },
            Error::BadAddress,
        ),
        (
            VrConfig {
                addresses: &prefix,
                ..good
            },
            Error::BadAddress,
        ),
        (
            VrConfig {
                addresses: &many,
                ..good
            },
            Error::AddressTableFull,
        ),
        (
            VrConfig {
                tracks: &tracks,
                ..good
            },
            Error::TrackTableFull,
        ),
        (
            VrConfig {
                settings: VrSettings {
                    auth: Auth::Simple([0; 8]),
                    ..good.settings
                },
                ..good
            },
            Error::AuthVersion,
        ),
        (
            VrConfig {
                settings: VrSettings {
                    advert_interval: cs(150),
                    ..v2.settings
                },
                ..v2
            },
            Error::BadInterval,
        ),
        (
            VrConfig {
                settings: VrSettings {
                    max_hops: 0,
                    ..good.settings
                },
                ..good
            },
            Error::BadMaxHops,
        ),
        (
            VrConfig {
                settings: VrSettings {
                    max_hops: 2,
                    ..good.settings
                },
                ..good
            },
            Error::BadMaxHops,
        ),
        (
            VrConfig {
                settings: VrSettings {
                    preempt_delay: vrrp_core::Duration::from_micros(1 << 32),
                    ..good.settings
                },
                ..good
            },
            Error::BadDelay,
        ),
        (
            VrConfig {
                settings: VrSettings {
                    start_delay: vrrp_core::Duration::from_micros(1 << 32),
                    ..good.settings
                },
                ..good
            },
            Error::BadDelay,
        ),
        (
            VrConfig {
                settings: VrSettings {
                    announce: Announce {
                        repeat_interval: vrrp_core::Duration::from_micros(1 << 32),
                        ..Announce::DEFAULT
                    },
                    ..good.settings
                },
                ..good
            },
            Error::BadDelay,
        ),
    ];
    for (config, error) in cases {
        assert_eq!(line.router.admin(now).insert(vr, &config), Err(error));
        assert_eq!(
            line.router.admin(now).reconfigure(line.key, &config),
            Err(error)
        );
    }
    let v2_over_ipv6 = VrConfig {
        addresses: &v6,
        ..v2
    };
    let key6 = key(2, Family::Ipv6);
    assert_eq!(
        line.router.admin(now).insert(key6, &v2_over_ipv6),
        Err(Error::FamilyVersion)
    );
    assert_eq!(
        line.router.admin(now).insert(line.key, &good),
        Err(Error::Exists)
    );
    let interface_mac = VrConfig {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..good.settings
        },
        ..good
    };
    let result = line.router.admin(now).reconfigure(line.key, &interface_mac);
    assert_eq!(result, Err(Error::MacModeFixed));
    assert_eq!(line.router.admin(now).remove(vr), Err(Error::NotFound));
    assert_eq!(line.router.remove_interface(IF), Err(Error::InUse));
    assert_eq!(line.router.keys().count(), 1);
    for vrid in 2..=8 {
        line.router
            .admin(now)
            .insert(key(vrid, Family::Ipv4), &good)
            .unwrap();
    }
    let ninth = key(9, Family::Ipv4);
    assert_eq!(
        line.router.admin(now).insert(ninth, &good),
        Err(Error::VirtualRouterTableFull)
    );
    for ifindex in 100..103 {
        line.router
            .set_interface(now, ifindex, interface())
            .unwrap();
    }
    let full = line.router.set_interface(now, 103, interface());
    assert_eq!(full, Err(Error::InterfaceTableFull));
}
