use std::net::IpAddr;

use vrrp_core::{Failure, Family, InterfaceState, MacAddr, MacMode, VirtualAddress, VrKey, Vrid};

use super::*;
use vrrp_host::{AddressSpec, HostConfig, VrId, VrSpec};

fn key(number: u32, vrid: u8, family: Family) -> VrKey {
    HostIf::new(number).key(Vrid::new(vrid).unwrap(), family)
}

fn address(text: &str, prefix_len: u8) -> VirtualAddress {
    let address = text.parse().unwrap();
    VirtualAddress {
        address,
        prefix_len,
    }
}

fn spec(interface: &str, vrid: u8, addresses: &[VirtualAddress]) -> VrSpec {
    let id = VrId {
        interface: interface.into(),
        vrid: Vrid::new(vrid).unwrap(),
        family: Family::of(addresses[0].address),
        name: None,
    };
    let place = |address: &VirtualAddress| AddressSpec {
        address: *address,
        interface: None,
    };
    VrSpec::new(id, addresses.iter().map(place).collect())
}

fn config(specs: &[VrSpec]) -> HostConfig {
    HostConfig {
        virtual_routers: specs.to_vec(),
        ..HostConfig::default()
    }
}

fn watch(number: u32, name: &str) -> Request {
    let name = name.into();
    let host_if = HostIf::new(number);
    Request::Watch { host_if, name }
}

fn set_address(key: VrKey, address: VirtualAddress, on: bool) -> Request {
    Request::SetAddress {
        key,
        address,
        accept: true,
        on,
    }
}

fn every_request() -> Vec<Request> {
    let key = key(3, 7, Family::Ipv6);
    let mut one = spec("em0", 7, &[address("fe80::7", 64), address("fd00::7", 64)]);
    one.addresses[1].interface = Some("em1".into());
    one.peers = vec!["fd00::2".parse().unwrap()];
    one.followers = vec![vrrp_host::AddressSpec {
        address: address("10.0.0.7", 24),
        interface: Some("em1".into()),
    }];
    for text in [
        "route default via fe80::9 dev em0",
        "rule inet6 from all priority 7 lookup 7",
    ] {
        one.routing.push(text.parse().unwrap());
    }
    vec![
        watch(3, "em0"),
        Request::Unwatch {
            host_if: HostIf::new(3),
        },
        Request::Prepare(one.setup(key)),
        Request::Release { key },
        Request::SetMac {
            key,
            mac: key.virtual_mac(),
            on: true,
        },
        set_address(key, address("10.0.0.1", 24), true),
        Request::SetGroup {
            host_if: HostIf::new(3),
            family: Family::Ipv4,
            on: false,
        },
        Request::Send(Unicast {
            key,
            to: "fd00::2".parse().unwrap(),
            ip_offset: 14,
            payload_offset: 54,
            frame: vec![1, 2, 3],
        }),
        Request::Flush,
    ]
}

fn warning(subject: Subject, text: &str) -> PlatformWarning {
    let text = text.to_owned();
    PlatformWarning { subject, text }
}

fn every_message() -> Vec<Message> {
    let key = key(3, 7, Family::Ipv4);
    let state = InterfaceState {
        up: true,
        mac: MacAddr([2, 0, 0, 0, 0, 1]),
        ipv4: Some([10, 0, 0, 1].into()),
        ipv6: None,
    };
    let error = |error| PlatformError::new("add address 10.0.0.1 to em0", error);
    let mac = key.virtual_mac();
    let link = |role| Message::Link {
        index: 7,
        link: Some(Link { mac, role }),
    };
    let reached = |reached| Message::Reached { key, reached };
    vec![
        Message::Done(Ok(())),
        Message::Done(Err(error(std::io::Error::from_raw_os_error(1)))),
        Message::Done(Err(error(std::io::Error::other("it is there by carp")))),
        Message::Interface {
            host_if: HostIf::new(3),
            state,
        },
        Message::Lost(Failure::Mac { key }),
        Message::Lost(Failure::Address {
            key,
            address: [10, 0, 0, 1].into(),
        }),
        Message::Lost(Failure::Group {
            ifindex: 3,
            family: Family::Ipv6,
        }),
        Message::Open(Place::Interface(HostIf::new(3), 2)),
        Message::Close(Place::Carrier(key, "vr4.3.7".into())),
        Message::Link {
            index: 7,
            link: None,
        },
        link(LinkRole::Other),
        link(LinkRole::Interface(HostIf::new(3))),
        link(LinkRole::Carrier(key, "vr4.3.7".into())),
        reached(None),
        reached(Some(false)),
        reached(Some(true)),
        Message::ConnectionsReset(0x1234_5678_9abc_def0),
        Message::RoutingRestored(0x1234_5678_9abc_def0),
        Message::Warnings(Vec::new()),
        Message::Warnings(vec![
            warning(Subject::Host, "the kernel is old"),
            warning(Subject::Interface(HostIf::new(3)), ""),
            warning(Subject::VirtualRouter(key), "no eth2"),
        ]),
    ]
}

#[test]
fn what_is_encoded_is_decoded_and_nothing_shorter_or_longer() {
    for request in every_request() {
        let octets = request.encode();
        assert_eq!(Request::decode(&octets), Some(request));
        for len in 0..octets.len() {
            assert_eq!(Request::decode(&octets[..len]), None);
        }
        assert_eq!(Request::decode(&[octets, vec![0]].concat()), None);
    }
    for message in every_message() {
        let octets = message.encode();
        let decoded = Message::decode(&octets).unwrap();
        assert_eq!(format!("{decoded:?}"), format!("{message:?}"));
        for len in 0..octets.len() {
            assert!(Message::decode(&octets[..len]).is_none());
        }
    }
}

#[test]
fn an_error_arrives_with_its_kind_and_its_words() {
    let denied = std::io::Error::new(std::io::ErrorKind::PermissionDenied, "no \u{e9}clair");
    let long = "\u{e9}".repeat(5_000);
    for (error, kind) in [
        (denied, std::io::ErrorKind::PermissionDenied),
        (std::io::Error::other(long), std::io::ErrorKind::Other),
        (
            std::io::Error::from_raw_os_error(2),
            std::io::ErrorKind::NotFound,
        ),
    ] {
        let text = error.to_string();
        let message = Message::Done(Err(PlatformError::new("do it", error)));
        let octets = message.encode();
        assert!(octets.len() < MAX_DATAGRAM);
        let Some(Message::Done(Err(arrived))) = Message::decode(&octets) else {
            panic!("another message");
        };
        assert_eq!(arrived.error.kind(), kind);
        assert!(text.starts_with(&arrived.error.to_string()));
    }
}

#[test]
fn whatever_octets_come_are_survived() {
    let mut seed = 1u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 33) as usize
    };
    let requests: Vec<Vec<u8>> = every_request().iter().map(Request::encode).collect();
    let messages: Vec<Vec<u8>> = every_message().iter().map(Message::encode).collect();
    let mut guard = Guard::new(config(&[]));
    for round in 0..50_000 {
        let seeds = if round % 2 == 0 { &requests } else { &messages };
        let mut octets = seeds[next() % seeds.len()].clone();
        for _ in 0..1 + next() % 4 {
            let at = next() % octets.len();
            octets[at] = next() as u8;
        }
        if let Some(request) = Request::decode(&octets) {
            assert_eq!(Request::decode(&request.encode()), Some(request.clone()));
            let _ = guard.admit(&request);
        }
        let _ = Message::decode(&octets);
    }
}

#[test]
fn datagrams_come_out_of_a_stream_as_they_went_in() {
    let sent: [&[u8]; 4] = [b"one", b"", b"three", &[7; 1000]];
    let stream: Vec<u8> = sent.iter().flat_map(|d| packed(d)).collect();
    for step in [1, 2, 3, 7, 64, stream.len()] {
        let mut inbox = Inbox::new(1000);
        let mut came = Vec::new();
        for part in stream.chunks(step) {
            inbox.push(part);
            while let Some(datagram) = inbox.take().unwrap() {
                came.push(datagram);
            }
        }
        assert_eq!(came, sent);
    }
    let mut inbox = Inbox::new(1000);
    inbox.push(&packed(&[7; 1001])[..5]);
    assert_eq!(inbox.take(), Err(TooLong));
}

#[test]
fn what_the_configuration_asks_for_is_let_through() {
    let vip = address("10.0.0.80", 24);
    let key = key(1, 7, Family::Ipv4);
    let spec = spec("em0", 7, &[vip]);
    let mut guard = Guard::new(config(std::slice::from_ref(&spec)));
    let mac = key.virtual_mac();
    for request in [
        watch(1, "em0"),
        Request::Prepare(spec.setup(key)),
        Request::SetGroup {
            host_if: HostIf::new(1),
            family: Family::Ipv4,
            on: true,
        },
        Request::SetMac { key, mac, on: true },
        set_address(key, vip, true),
        Request::Flush,
        set_address(key, vip, false),
        Request::SetMac {
            key,
            mac,
            on: false,
        },
        Request::Release { key },
        Request::Unwatch {
            host_if: HostIf::new(1),
        },
    ] {
        assert_eq!(guard.admit(&request), Ok(()), "{request:?}");
    }
}

#[test]
fn an_address_that_follows_is_let_through_as_configured() {
    let follower = address("fd00::80", 64);
    let key = key(1, 7, Family::Ipv4);
    let mut spec = spec("em0", 7, &[address("10.0.0.80", 24)]);
    spec.followers = vec![vrrp_host::AddressSpec {
        address: follower,
        interface: None,
    }];
    let mut guard = Guard::new(config(std::slice::from_ref(&spec)));
    for request in [
        watch(1, "em0"),
        Request::Prepare(spec.setup(key)),
        set_address(key, follower, true),
    ] {
        assert_eq!(guard.admit(&request), Ok(()), "{request:?}");
    }
    let other = set_address(key, address("fd00::81", 64), true);
    assert!(guard.admit(&other).is_err());
}

#[test]
fn the_largest_setup_fits_a_datagram() {
    let device = "d".repeat(127);
    let placed = |n: usize| (address(&format!("fd00::{n:x}"), 64), Some(device.clone()));
    let net = "2001:db8:1111:2222:3333:4444:5555:6666";
    let long = format!(
        "rule not from {net}/128 to {net}/128 iif {device} oif {device} \
         fwmark 0xffff0000/0xffff0001 priority"
    );
    let rule = |n: usize| {
        let text = format!("{long} {} lookup {}", u32::MAX - n as u32, u32::MAX);
        text.parse().unwrap()
    };
    let key = key(1, 7, Family::Ipv6);
    let setup = VrSetup {
        addresses: (0..vrrp_host::MAX_ADDRESSES).map(placed).collect(),
        followers: (0..vrrp_host::MAX_ADDRESSES).map(placed).collect(),
        routing: (0..vrrp_host::MAX_ROUTING).map(rule).collect(),
        ..spec("em0", 7, &[address("fd00::1", 64)]).setup(key)
    };
    let request = Request::Prepare(setup);
    let octets = request.encode();
    assert!(octets.len() <= MAX_DATAGRAM, "{}", octets.len());
    assert_eq!(Request::decode(&octets), Some(request));
}

#[test]
fn what_the_configuration_does_not_ask_for_is_refused() {
    let vip = address("10.0.0.80", 24);
    let key = key(1, 7, Family::Ipv4);
    let spec = spec("em0", 7, &[vip]);
    let mut guard = Guard::new(config(std::slice::from_ref(&spec)));
    let mut refused = |request: &Request| guard.admit(request).is_err();
    // Nothing before it is watched and prepared.
    assert!(refused(&Request::Prepare(spec.setup(key))));
    assert!(refused(&set_address(key, vip, true)));
    assert!(refused(&watch(1, "em1")));
    assert!(!refused(&watch(1, "em0")));
    assert!(refused(&watch(1, "em0")), "the number is taken");
    let changed = |change: &dyn Fn(&mut VrSetup)| {
        let mut setup = spec.setup(key);
        change(&mut setup);
        Request::Prepare(setup)
    };
    let others = [
        changed(&|s| s.key.vrid = Vrid::new(8).unwrap()),
        changed(&|s| s.key.family = Family::Ipv6),
        changed(&|s| s.key.ifindex = 2),
        changed(&|s| s.mac_mode = MacMode::Interface),
        changed(&|s| s.replace_mac = true),
        changed(&|s| s.accept = !s.accept),
        changed(&|s| s.silent = true),
        changed(&|s| s.reset_connections = !s.reset_connections),
        changed(&|s| s.unicast = true),
        changed(&|s| s.addresses[0].0 = address("10.0.0.81", 24)),
        changed(&|s| s.addresses[0].1 = Some("em1".into())),
        changed(&|s| s.addresses.push((address("10.0.0.81", 24), None))),
        changed(&|s| s.followers.push((address("fd00::81", 64), None))),
        changed(&|s| {
            let route = "route default via 10.0.0.81";
            s.routing.push(route.parse().unwrap());
        }),
    ];
    for other in &others {
        assert!(refused(other), "{other:?}");
    }
    assert!(!refused(&Request::Prepare(spec.setup(key))));
    for other in [
        set_address(key, address("10.0.0.81", 24), true),
        set_address(key, address("10.0.0.80", 8), true),
        set_address(key, address("fe80::200:5eff:fe00:107", 64), true),
        Request::SetMac {
            key,
            mac: MacAddr([2, 0, 0, 0, 0, 9]),
            on: true,
        },
        Request::SetGroup {
            host_if: HostIf::new(2),
            family: Family::Ipv4,
            on: true,
        },
    ] {
        assert!(refused(&other), "{other:?}");
    }
}

#[test]
fn a_second_path_is_heard_on_and_serves_nothing() {
    let mut one = spec("em0", 7, &[address("10.0.0.7", 24)]);
    let group = |on| Request::SetGroup {
        host_if: HostIf::new(2),
        family: Family::Ipv4,
        on,
    };
    let mut without = Guard::new(config(std::slice::from_ref(&one)));
    without.admit(&watch(2, "em1")).unwrap_err();
    without.admit(&group(true)).unwrap_err();
    one.heartbeat = Some("em1".into());
    let mut guard = Guard::new(config(std::slice::from_ref(&one)));
    guard.admit(&watch(1, "em0")).unwrap();
    guard.admit(&watch(2, "em1")).unwrap();
    guard.admit(&group(true)).unwrap();
    guard.admit(&group(false)).unwrap();
    // The virtual router is on its own interface alone.
    let there = one.setup(key(2, 7, Family::Ipv4));
    guard.admit(&Request::Prepare(there)).unwrap_err();
    let mac = Request::SetMac {
        key: key(2, 7, Family::Ipv4),
        mac: key(2, 7, Family::Ipv4).virtual_mac(),
        on: true,
    };
    guard.admit(&mac).unwrap_err();
}

#[test]
fn the_link_local_address_that_the_engine_forms_is_let_through() {
    let key = key(1, 7, Family::Ipv6);
    let spec = spec("em0", 7, &[address("fd00::80", 64)]);
    let mut guard = Guard::new(config(std::slice::from_ref(&spec)));
    guard.admit(&watch(1, "em0")).unwrap();
    guard.admit(&Request::Prepare(spec.setup(key))).unwrap();
    // As RFC 4291 appendix A makes it of 00:00:5e:00:02:07.
    let formed = address("fe80::200:5eff:fe00:207", 64);
    assert_eq!(guard.admit(&set_address(key, formed, true)), Ok(()));
    let other = address("fe80::200:5eff:fe00:208", 64);
    assert!(guard.admit(&set_address(key, other, true)).is_err());
}

#[test]
fn unicast_goes_to_peers_and_is_vrrp() {
    let key = key(1, 7, Family::Ipv4);
    let mut spec = spec("em0", 7, &[address("10.0.0.80", 24)]);
    let to = IpAddr::from([10, 0, 0, 2]);
    spec.peers = vec![to];
    let mut guard = Guard::new(config(std::slice::from_ref(&spec)));
    guard.admit(&watch(1, "em0")).unwrap();
    guard.admit(&Request::Prepare(spec.setup(key))).unwrap();
    let mut frame = vec![0; 54];
    frame[14] = 0x45;
    frame[23] = 112;
    frame[30..34].copy_from_slice(&[10, 0, 0, 2]);
    let send = |to: IpAddr, change: &dyn Fn(&mut Vec<u8>)| {
        let mut frame = frame.clone();
        change(&mut frame);
        Request::Send(Unicast {
            key,
            to,
            ip_offset: 14,
            payload_offset: 34,
            frame,
        })
    };
    assert_eq!(guard.admit(&send(to, &|_| ())), Ok(()));
    for other in [
        send([10, 0, 0, 3].into(), &|_| ()),
        send(to, &|frame| frame[23] = 6),
        send(to, &|frame| frame[33] = 3),
        send(to, &|frame| frame[14] = 0x65),
        send(to, &|frame| frame.truncate(16)),
    ] {
        assert!(guard.admit(&other).is_err(), "{other:?}");
    }
}

#[test]
fn a_reload_lets_through_the_new_and_what_was_before() {
    let (old, new) = (
        spec("em0", 7, &[address("10.0.0.80", 24)]),
        spec("em1", 8, &[address("10.1.0.80", 24)]),
    );
    let mut guard = Guard::new(config(std::slice::from_ref(&old)));
    guard.admit(&watch(1, "em0")).unwrap();
    assert!(guard.admit(&watch(2, "em1")).is_err());
    let new = config(std::slice::from_ref(&new));
    let setup = Request::Prepare(old.setup(key(1, 7, Family::Ipv4)));
    // Reloads that fail leave the old one in force.
    for _ in 0..3 {
        guard.allow(new.clone());
        guard.admit(&setup).unwrap();
    }
    guard.admit(&watch(2, "em1")).unwrap();
    guard.adopt();
    guard.admit(&setup).unwrap();
    guard
        .admit(&Request::Unwatch {
            host_if: HostIf::new(2),
        })
        .unwrap();
    guard.admit(&watch(2, "em1")).unwrap();
    guard.allow(config(&[]));
    guard.adopt();
    assert!(guard.admit(&setup).is_err());
}

#[test]
fn a_reload_that_changes_peers_alone_lets_through_the_new_ones() {
    let key = key(1, 7, Family::Ipv4);
    let peer = |last: u8| IpAddr::from([10, 0, 0, last]);
    let with_peer = |last| {
        let mut spec = spec("em0", 7, &[address("10.0.0.80", 24)]);
        spec.peers = vec![peer(last)];
        spec
    };
    let [one, two, three] = [2, 3, 4].map(with_peer);
    assert_eq!(one.setup(key), two.setup(key), "nothing to prepare anew");
    let mut guard = Guard::new(config(std::slice::from_ref(&one)));
    guard.admit(&watch(1, "em0")).unwrap();
    guard.admit(&Request::Prepare(one.setup(key))).unwrap();
    let sends = |guard: &mut Guard| {
        [2, 3, 4].map(|last| {
            let mut frame = vec![0; 54];
            (frame[14], frame[23]) = (0x45, 112);
            frame[30..34].copy_from_slice(&[10, 0, 0, last]);
            let unicast = Unicast {
                key,
                to: peer(last),
                ip_offset: 14,
                payload_offset: 34,
                frame,
            };
            guard.admit(&Request::Send(unicast)).is_ok()
        })
    };
    assert_eq!(sends(&mut guard), [true, false, false]);
    guard.allow(config(&[two]));
    assert_eq!(sends(&mut guard), [true, true, false]);
    guard.adopt();
    assert_eq!(sends(&mut guard), [true, true, false]);
    guard.allow(config(&[three]));
    guard.adopt();
    assert_eq!(sends(&mut guard), [false, true, true]);
}

#[test]
fn what_two_reloads_have_passed_over_can_only_be_given_up() {
    let vip = address("10.0.0.80", 24);
    let key = key(1, 7, Family::Ipv4);
    let spec = spec("em0", 7, &[vip]);
    let mut guard = Guard::new(config(std::slice::from_ref(&spec)));
    guard.admit(&watch(1, "em0")).unwrap();
    guard.admit(&Request::Prepare(spec.setup(key))).unwrap();
    let mac = key.virtual_mac();
    let family = Family::Ipv4;
    let requests = |on| {
        let group = Request::SetGroup {
            host_if: HostIf::new(1),
            family,
            on,
        };
        let mac = Request::SetMac { key, mac, on };
        [group, mac, set_address(key, vip, on)]
    };
    for (reload, let_through) in [true, false, false].into_iter().enumerate() {
        guard.allow(config(&[]));
        guard.adopt();
        for request in requests(true) {
            let admitted = guard.admit(&request).is_ok();
            assert_eq!(admitted, let_through, "{request:?} after {reload}");
        }
        for request in requests(false) {
            assert_eq!(guard.admit(&request), Ok(()), "{request:?}");
        }
    }
}
