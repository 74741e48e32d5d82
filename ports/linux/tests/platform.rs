//! The platform in a network namespace of its own. Needs root.

mod common;

use std::time::{Duration, Instant};

use common::*;
use vrrp_core::{Failure, Family, FrameKind, InterfaceState, MacAddr, MacMode, Transmit};
use vrrp_host::{Incoming, Platform};
use vrrp_linux::{LinuxPlatform, Options};

const OWN_MAC: MacAddr = MacAddr([2, 0, 0, 0, 0, 1]);
const V4: [u8; 4] = [10, 0, 0, 100];

fn states(came: &[Came]) -> Vec<InterfaceState> {
    came.iter()
        .filter_map(|c| match c {
            Came::Interface(A0, state) => Some(*state),
            _ => None,
        })
        .collect()
}

fn frames(came: &[Came]) -> Vec<Vec<u8>> {
    came.iter()
        .filter_map(|c| match c {
            Came::Frame(A0, frame) => Some(frame.clone()),
            _ => None,
        })
        .collect()
}

fn lost(came: &[Came]) -> Vec<Failure> {
    came.iter()
        .filter_map(|c| match c {
            Came::Lost(failure) => Some(*failure),
            _ => None,
        })
        .collect()
}

//= RFC 9568 section 6.4.3, 8.1.2: one MAC answers, and it is the virtual one (M-2, M-3, M-4)
#[test]
fn the_virtual_mac_alone_answers_arp_and_only_while_active() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    let name = platform.mac_interface(key).unwrap();
    assert!(name.starts_with("vr4.") && name.ends_with(".7"), "{name}");
    assert_eq!(ask(&wire, V4), []);
    for _ in 0..2 {
        take_up(&mut platform, &setup);
        assert_eq!(ask(&wire, V4), [(key.virtual_mac(), key.virtual_mac())]);
        // Its own address is still the interface's.
        assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN_MAC, OWN_MAC)]);
        give_up(&mut platform, &setup);
        assert_eq!(ask(&wire, V4), []);
    }
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
    let routes = ip("route show");
    assert_eq!(
        routes.lines().count(),
        1,
        "the address brought a route: {routes}"
    );
    drop(platform);
    assert!(!ip("link show").contains("vr4."));
}

#[test]
fn the_virtual_mac_alone_answers_solicitations_and_only_while_active() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv6, 7);
    let mut setup = setup(key, MacMode::Virtual, vip("2001:db8::100", 64));
    setup.addresses.push((vip("fe80::100", 64), None));
    platform.prepare(&setup).unwrap();
    assert_eq!(solicit(&wire, "2001:db8::100"), []);
    take_up(&mut platform, &setup);
    let answer = [(key.virtual_mac(), key.virtual_mac())];
    assert_eq!(solicit(&wire, "2001:db8::100"), answer);
    assert_eq!(solicit(&wire, "fe80::100"), answer);
    give_up(&mut platform, &setup);
    assert_eq!(solicit(&wire, "2001:db8::100"), []);
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
}

#[test]
fn with_the_interfaces_own_mac_it_alone_answers_also_beside_a_second_interface() {
    let wire = enter();
    // A second interface of the host hears the same segment.
    ip("link add b0 type bridge");
    ip("link add c0 address 02:00:00:00:00:02 type veth peer name c1");
    ip("address add 10.0.0.3/24 dev c0");
    for name in ["b0", "c0", "c1"] {
        set(&format!("ipv6/conf/{name}/disable_ipv6"), "1");
        ip(&format!("link set {name} up"));
    }
    ip("link add d0 type veth peer name d1");
    for name in ["d0", "d1"] {
        set(&format!("ipv6/conf/{name}/disable_ipv6"), "1");
        ip(&format!("link set {name} up"));
    }
    for name in ["a1", "c1", "d1"] {
        ip(&format!("link set {name} master b0"));
    }
    drop(wire);
    let wire = vrrp_linux::testing::RawPort::open("d0").unwrap();
    // The switch and the neighbour have no part in it.
    for name in ["b0", "c1", "d0", "d1"] {
        set(&format!("ipv4/conf/{name}/arp_ignore"), "8");
    }

    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Interface, vip("10.0.0.100", 32));
    platform.prepare(&setup).unwrap();
    assert_eq!(platform.mac_interface(key), None);
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), [(OWN_MAC, OWN_MAC)]);
    assert_eq!(setting("ipv4/conf/c0/arp_ignore"), "1");
    give_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), []);
    drop(platform);
    assert_eq!(setting("ipv4/conf/c0/arp_ignore"), "0");
    assert_eq!(setting("ipv4/conf/a0/arp_ignore"), "0");
}

#[test]
fn settings_are_put_back_unless_somebody_changed_them() {
    let _wire = enter();
    set("ipv4/conf/a0/arp_announce", "1");
    let mut platform = open();
    let (one, two) = (key(Family::Ipv4, 1), key(Family::Ipv4, 2));
    for key in [one, two] {
        let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
        platform.prepare(&setup).unwrap();
    }
    platform.flush();
    let read = || {
        (
            setting("ipv4/conf/a0/arp_ignore"),
            setting("ipv4/conf/a0/arp_announce"),
        )
    };
    assert_eq!(read(), ("1".into(), "2".into()));
    platform.release(one);
    platform.flush();
    assert_eq!(read(), ("1".into(), "2".into()), "another still needs them");
    platform.release(two);
    platform.flush();
    assert_eq!(read(), ("0".into(), "1".into()));
    platform
        .prepare(&setup(one, MacMode::Virtual, vip("10.0.0.100", 24)))
        .unwrap();
    platform.flush();
    set("ipv4/conf/a0/arp_ignore", "2");
    drop(platform);
    assert_eq!(read(), ("2".into(), "1".into()));
}

#[test]
fn a_macvlan_is_silent_before_during_and_after() {
    let wire = enter();
    let mut platform = open();
    std::thread::sleep(Duration::from_secs(2));
    wire.hear(Duration::ZERO).unwrap();
    let v4 = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    let v6 = setup(key(Family::Ipv6, 7), MacMode::Virtual, vip("fe80::100", 64));
    platform.prepare(&v4).unwrap();
    platform.prepare(&v6).unwrap();
    // Whatever does not come from the interface itself, be it a virtual MAC or one in between.
    let foreign = |mut heard: Vec<Vec<u8>>| {
        heard.retain(|frame| mac(&frame[6..12]) != OWN_MAC);
        heard
    };
    let heard = foreign(wire.hear(Duration::from_secs(1)).unwrap());
    assert_eq!(heard, Vec::<Vec<u8>>::new(), "prepared");
    take_up(&mut platform, &v4);
    take_up(&mut platform, &v6);
    let heard = foreign(wire.hear(Duration::from_secs(3)).unwrap());
    // Reports of the solicited-node group of the address, by MLDv2, and nothing else.
    for frame in &heard {
        assert_eq!(mac(&frame[6..12]), v6.key.virtual_mac());
        assert_eq!(frame[62], 143, "{frame:02x?}");
    }
    give_up(&mut platform, &v6);
    give_up(&mut platform, &v4);
    let heard = foreign(wire.hear(Duration::from_secs(3)).unwrap());
    assert_eq!(heard, Vec::<Vec<u8>>::new(), "given up");
}

#[test]
fn a_peer_with_our_virtual_mac_is_heard_and_nothing_that_is_not_for_us() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    receive(&mut platform, SOON);
    let group = Family::Ipv4.group_mac();
    for on in [false, true] {
        if on {
            take_up(&mut platform, &setup);
        }
        let peer = frame_from(key.virtual_mac().0, group, 0x0800, &advert(1));
        wire.send(&peer).unwrap();
        // With a VLAN tag.
        let tagged = [&[0, 5, 8, 0][..], &advert(2)].concat();
        wire.send(&frame_from(key.virtual_mac().0, group, 0x8100, &tagged))
            .unwrap();
        // Another protocol.
        let mut other = advert(3);
        other[9] = 17;
        wire.send(&frame(group, 0x0800, &other)).unwrap();
        // To another host.
        wire.send(&frame(MacAddr([2, 0, 0, 0, 0, 0x77]), 0x0800, &advert(4)))
            .unwrap();
        // Our own.
        let own = frame_from(key.virtual_mac().0, group, 0x0800, &advert(5));
        platform.transmit(&Transmit {
            key,
            frame: &own,
            ip_offset: 14,
            payload_offset: 34,
            kind: FrameKind::Advertisement,
            unicast: None,
        });
        platform.flush();
        assert_eq!(frames(&receive(&mut platform, SOON)), [peer]);
        assert!(wire.hear(SOON).unwrap().contains(&own));
    }
}

/// An ICMP echo request of 10.0.0.9, in a frame to `to`.
fn echo_request(to: MacAddr, target: [u8; 4]) -> Vec<u8> {
    let sum = |octets: &[u8]| {
        let words = octets
            .chunks(2)
            .map(|w| u32::from(w[0]) << 8 | u32::from(w[1]));
        let sum: u32 = words.sum();
        (!(((sum & 0xffff) + (sum >> 16)) as u16)).to_be_bytes()
    };
    let mut head = [
        &[0x45, 0, 0, 28, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 9],
        &target[..],
    ]
    .concat();
    let checksum = sum(&head);
    head[10..12].copy_from_slice(&checksum);
    let mut message = [8, 0, 0, 0, 0, 1, 0, 1];
    let checksum = sum(&message);
    message[2..4].copy_from_slice(&checksum);
    frame(to, 0x0800, &[&head[..], &message].concat())
}

//= RFC 9568 section 6.4.2: a Backup discards frames to the virtual MAC (M-2)
#[test]
fn given_up_the_virtual_mac_is_deaf_at_once() {
    let wire = enter();
    set("ipv4/conf/all/forwarding", "1");
    ip("link add f0 type veth peer name f1");
    ip("link set f0 up");
    ip("link set f1 up");
    ip("address add 10.7.0.1/24 dev f0");
    ip("neigh add 10.7.0.5 lladdr 02:00:00:00:00:55 dev f0");
    ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev a0");
    let far = vrrp_linux::testing::RawPort::open("f1").unwrap();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    let is_echo = |f: &&Vec<u8>| f[12..14] == [8, 0] && f[23] == 1;
    for all in ["0", "1", "2"] {
        set("ipv4/conf/all/rp_filter", all);
        for on in [true, false, true, false] {
            if on {
                take_up(&mut platform, &setup);
            } else {
                give_up(&mut platform, &setup);
            }
            wire.send(&echo_request(key.virtual_mac(), [10, 0, 0, 2]))
                .unwrap();
            wire.send(&echo_request(key.virtual_mac(), [10, 7, 0, 5]))
                .unwrap();
            let quiet = Duration::from_millis(30);
            let answered = wire.hear(quiet).unwrap().iter().filter(is_echo).count();
            let forwarded = far.hear(quiet).unwrap().iter().filter(is_echo).count();
            let expected = usize::from(on);
            assert_eq!(
                (answered, forwarded),
                (expected, expected),
                "{on}, all {all}"
            );
        }
    }
}

#[test]
fn the_groups_are_joined_and_reported() {
    let wire = enter();
    let mut platform = open();
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    platform.set_group(A0, Family::Ipv6, true).unwrap();
    // Twice is once.
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    let groups = ip("maddress show dev a0");
    assert!(
        groups.contains("224.0.0.18") && groups.contains("ff02::12"),
        "{groups}"
    );
    let heard = wire.hear(Duration::from_secs(1)).unwrap();
    let names = |frame: &Vec<u8>, group: &[u8]| frame.windows(group.len()).any(|w| w == group);
    assert!(
        heard
            .iter()
            .any(|f| f[23] == 2 && names(f, &[224, 0, 0, 18])),
        "no IGMP report"
    );
    platform.set_group(A0, Family::Ipv4, false).unwrap();
    platform.set_group(A0, Family::Ipv6, false).unwrap();
    let groups = ip("maddress show dev a0");
    assert!(
        !groups.contains("224.0.0.18") && !groups.contains("ff02::12"),
        "{groups}"
    );
}

#[test]
fn what_somebody_takes_away_is_reported_and_can_be_put_back() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    let name = platform.mac_interface(key).unwrap();
    let mac = Failure::Mac { key };
    let address = Failure::Address {
        key,
        address: V4.into(),
    };
    // Our own to and fro is none of it.
    for _ in 0..3 {
        take_up(&mut platform, &setup);
        give_up(&mut platform, &setup);
    }
    take_up(&mut platform, &setup);
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
    for (command, losses) in [
        (
            format!("address del 10.0.0.100/24 dev {name}"),
            vec![address],
        ),
        (format!("link set {name} down"), vec![mac]),
        (
            format!("link set {name} address 02:00:00:00:00:05"),
            vec![mac, address],
        ),
        (format!("link del {name}"), vec![mac, address]),
    ] {
        ip(&command);
        assert_eq!(lost(&receive(&mut platform, SOON)), losses, "{command}");
        take_up(&mut platform, &setup);
        assert_eq!(lost(&receive(&mut platform, SOON)), [], "{command}");
        assert_eq!(
            ask(&wire, V4),
            [(key.virtual_mac(), key.virtual_mac())],
            "{command}"
        );
    }
}

#[test]
fn an_interface_goes_and_comes_back_and_so_does_what_is_on_it() {
    let wire = enter();
    let mut platform = open();
    let state = InterfaceState {
        up: true,
        mac: OWN_MAC,
        ipv4: Some([10, 0, 0, 2].into()),
        ipv6: None,
    };
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    set("ipv6/conf/a0/disable_ipv6", "1");
    platform.prepare(&setup).unwrap();
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    assert_eq!(states(&receive(&mut platform, SOON)).last(), Some(&state));
    // The carrier.
    ip("link set a1 down");
    let down = InterfaceState { up: false, ..state };
    assert_eq!(states(&receive(&mut platform, SOON)), [down]);
    ip("link set a1 up");
    assert_eq!(states(&receive(&mut platform, SOON)), [state]);
    // The address.
    ip("address del 10.0.0.2/24 dev a0");
    let bare = InterfaceState {
        ipv4: None,
        ..state
    };
    assert_eq!(states(&receive(&mut platform, SOON)), [bare]);
    ip("address add 10.0.0.2/24 dev a0");
    take_up(&mut platform, &setup);
    assert_eq!(states(&receive(&mut platform, SOON)), [state]);
    // The name.
    ip("link set a0 name z0");
    assert_eq!(
        states(&receive(&mut platform, SOON)),
        [InterfaceState::default()]
    );
    let gone = || !ip("link show").contains("vr4.");
    let patience = Instant::now() + Duration::from_secs(10);
    while !gone() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(gone());
    assert_eq!(setting("ipv4/conf/z0/arp_ignore"), "0");
    ip("link set z0 name a0");
    assert_eq!(states(&receive(&mut platform, SOON)), [state]);
    assert_eq!(setting("ipv4/conf/a0/arp_ignore"), "1");
    take_up(&mut platform, &setup);
    drop(wire);
    // All of it, twice between two looks.
    for _ in 0..2 {
        ip("link del a0");
        make_wire();
    }
    set("ipv6/conf/a0/disable_ipv6", "1");
    let came = receive(&mut platform, SOON);
    assert_eq!(states(&came).first(), Some(&InterfaceState::default()));
    assert_eq!(states(&came).last(), Some(&state));
    assert!(ip("maddress show dev a0").contains("224.0.0.18"));
    let wire = vrrp_linux::testing::RawPort::open("a1").unwrap();
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), [(key.virtual_mac(), key.virtual_mac())]);
    let advert = frame(Family::Ipv4.group_mac(), 0x0800, &advert(1));
    wire.send(&advert).unwrap();
    assert_eq!(frames(&receive(&mut platform, SOON)), [advert]);
}

#[test]
fn an_interface_may_come_after_everything_else() {
    vrrp_linux::testing::enter_new_namespace().expect("this test needs root");
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    assert_eq!(
        states(&receive(&mut platform, SOON)),
        [InterfaceState::default()]
    );
    make_wire();
    let last = states(&receive(&mut platform, SOON))
        .last()
        .copied()
        .unwrap();
    assert!(
        last.up && last.ipv4 == Some([10, 0, 0, 2].into()),
        "{last:?}"
    );
    let wire = vrrp_linux::testing::RawPort::open("a1").unwrap();
    take_up(&mut platform, &setup);
    assert_eq!(ask(&wire, V4), [(key.virtual_mac(), key.virtual_mac())]);
}

#[test]
fn an_address_that_was_there_before_stays() {
    let _wire = enter();
    ip("address add 10.0.0.100/24 dev a0");
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let own = setup(key, MacMode::Interface, vip("10.0.0.2", 24));
    let mut all = own.clone();
    all.addresses.push((vip("10.0.0.100", 24), None));
    all.addresses.push((vip("10.0.0.101", 24), None));
    platform.prepare(&all).unwrap();
    take_up(&mut platform, &all);
    // An owner's address is its primary one; one that we added never is.
    let last = states(&receive(&mut platform, SOON))
        .last()
        .copied()
        .unwrap();
    assert_eq!(last.ipv4, Some([10, 0, 0, 2].into()));
    give_up(&mut platform, &all);
    let shown = ip("address show dev a0");
    assert!(
        shown.contains("10.0.0.2/24") && shown.contains("10.0.0.100/24"),
        "{shown}"
    );
    assert!(!shown.contains("10.0.0.101"), "{shown}");
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
}

#[test]
fn the_mac_of_an_interface_is_not_replaced() {
    let _wire = enter();
    let mut platform = open();
    let mut setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    setup.replace_mac = true;
    let error = platform.prepare(&setup).unwrap_err().to_string();
    assert!(error.contains("replace the MAC of a0"), "{error}");
}

#[test]
fn an_address_may_live_on_another_interface() {
    let _wire = enter();
    ip("link add c0 type veth peer name c1");
    let mut platform = open();
    let mut setup = setup(key(Family::Ipv4, 7), MacMode::Virtual, vip("10.9.0.1", 32));
    setup.addresses[0].1 = Some("c0".into());
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    assert!(ip("address show dev c0").contains("10.9.0.1/32"));
    drop(platform);
    assert!(!ip("address show dev c0").contains("10.9.0.1"));
    // Without accepting, nobody could answer there.
    let mut platform = open();
    setup.accept = false;
    assert!(platform.prepare(&setup).is_err());
}

//= RFC 9568 section 6.4.3: not accepting is not silence (A-2, A-3, A-5)
#[test]
fn without_accept_the_questions_come_to_the_host_and_packets_are_dropped() {
    let wire = enter();
    let mut platform = open();
    for mode in [MacMode::Virtual, MacMode::Interface] {
        let mut v4 = setup(key(Family::Ipv4, 7), mode, vip("10.0.0.100", 24));
        let mut v6 = setup(key(Family::Ipv6, 7), mode, vip("2001:db8::100", 64));
        (v4.accept, v6.accept) = (false, false);
        platform.prepare(&v4).unwrap();
        platform.prepare(&v6).unwrap();
        receive(&mut platform, SOON);
        let questions = [
            arp_request(V4),
            solicitation("2001:db8::100".parse().unwrap()),
        ];
        let heard = |platform: &mut _| {
            for question in &questions {
                wire.send(question).unwrap();
            }
            wire.send(&arp_request([10, 0, 0, 77])).unwrap();
            frames(&receive(platform, SOON))
        };
        assert_eq!(heard(&mut platform), Vec::<Vec<u8>>::new());
        take_up(&mut platform, &v4);
        take_up(&mut platform, &v6);
        let mut came = heard(&mut platform);
        came.sort();
        let mut expected = questions.to_vec();
        expected.sort();
        assert_eq!(came, expected, "{mode:?}");
        assert_eq!(ask(&wire, V4), [], "the kernel answers, too");
        assert!(ip("route show type blackhole").contains("10.0.0.100"));
        assert!(ip("-6 route show type blackhole").contains("2001:db8::100"));
        // A neighbour that makes sure asks the MAC that it knows.
        receive(&mut platform, SOON);
        if mode == MacMode::Virtual {
            let mut question = arp_request(V4);
            question[..6].copy_from_slice(&v4.key.virtual_mac().0);
            wire.send(&question).unwrap();
            assert_eq!(frames(&receive(&mut platform, SOON)), [question]);
        }
        give_up(&mut platform, &v4);
        give_up(&mut platform, &v6);
        assert_eq!(heard(&mut platform), Vec::<Vec<u8>>::new());
        assert_eq!(ip("route show type blackhole"), "");
        platform.release(v4.key);
        platform.release(v6.key);
    }
}

#[test]
fn unicast_goes_to_the_neighbour_that_the_kernel_knows() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    platform
        .prepare(&setup(key, MacMode::Interface, vip("10.0.0.100", 24)))
        .unwrap();
    ip("neigh add 10.0.0.9 lladdr 02:00:00:00:00:99 dev a0");
    let mut packet = advert(9);
    packet[12..20].copy_from_slice(&[10, 0, 0, 2, 10, 0, 0, 9]);
    let frame = frame_from(OWN_MAC.0, MacAddr::default(), 0x0800, &packet);
    platform.transmit(&Transmit {
        key,
        frame: &frame,
        ip_offset: 14,
        payload_offset: 34,
        kind: FrameKind::Advertisement,
        unicast: Some([10, 0, 0, 9].into()),
    });
    let heard = wire.hear(SOON).unwrap();
    let sent = heard
        .iter()
        .find(|f| f[23] == 112)
        .expect("it was not sent");
    assert_eq!(mac(&sent[..6]).0, NEIGHBOUR);
    assert_eq!((sent[22], &sent[26..34]), (255, &packet[12..20]));
    // And one comes in.
    let answer = common::frame(OWN_MAC, 0x0800, &packet);
    receive(&mut platform, SOON);
    wire.send(&answer).unwrap();
    assert_eq!(frames(&receive(&mut platform, SOON)), [answer]);

    // The same over IPv6, from the link-local address.
    let key = common::key(Family::Ipv6, 7);
    platform
        .prepare(&setup(key, MacMode::Interface, vip("fe80::100", 64)))
        .unwrap();
    ip("neigh add fe80::9 lladdr 02:00:00:00:00:99 dev a0");
    let (from, to): (std::net::Ipv6Addr, std::net::Ipv6Addr) = (
        "fe80::ff:fe00:1".parse().unwrap(),
        "fe80::9".parse().unwrap(),
    );
    let came = receive(&mut platform, Duration::from_secs(3));
    let known = states(&came).last().and_then(|state| state.ipv6);
    assert_eq!(
        known,
        Some(from),
        "duplicate address detection should be over"
    );
    let head = [0x60, 0, 0, 0, 0, 8, 112, 255];
    let packet = [&head[..], &from.octets(), &to.octets(), &[7; 8]].concat();
    let frame = frame_from(OWN_MAC.0, MacAddr::default(), 0x86dd, &packet);
    platform.transmit(&Transmit {
        key,
        frame: &frame,
        ip_offset: 14,
        payload_offset: 54,
        kind: FrameKind::Advertisement,
        unicast: Some(to.into()),
    });
    let heard = wire.hear(SOON).unwrap();
    let sent = heard
        .iter()
        .find(|f| f[20] == 112)
        .expect("it was not sent");
    assert_eq!(sent[14..], packet);
    assert_eq!(mac(&sent[..6]).0, NEIGHBOUR);
}

#[test]
fn the_timer_wakes_within_a_millisecond_and_not_before() {
    enter();
    let mut platform = open();
    receive(&mut platform, SOON);
    for _ in 0..20 {
        let at = platform.now() + vrrp_core::Duration::from_micros(2_300);
        platform.set_wakeup(Some(at)).unwrap();
        let readable =
            vrrp_linux::testing::wait_readable(platform.fd(), Duration::from_secs(1)).unwrap();
        assert!(readable && platform.now() >= at);
        platform.receive(&mut |_| {}).unwrap();
        let again = vrrp_linux::testing::wait_readable(platform.fd(), Duration::ZERO).unwrap();
        assert!(!again, "the wake-up is still readable");
    }
    // What has passed is now.
    let past = platform.now() - vrrp_core::Duration::from_secs(1);
    platform.set_wakeup(Some(past)).unwrap();
    assert!(vrrp_linux::testing::wait_readable(platform.fd(), SOON).unwrap());
}

/// A flood wakes the host every millisecond and not with every frame; what comes after it is heard
/// at once again.
#[test]
fn a_flood_is_read_by_the_clock() {
    let wire = enter();
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    platform.prepare(&setup).unwrap();
    receive(&mut platform, SOON);
    let advert = frame(Family::Ipv4.group_mac(), 0x0800, &advert(1));
    let flood = 4_000;
    let (mut wakes, mut got) = (0, 0);
    for _ in 0..flood {
        wire.send(&advert).unwrap();
        if vrrp_linux::testing::wait_readable(platform.fd(), Duration::ZERO).unwrap() {
            wakes += 1;
            platform
                .receive(&mut |came| got += usize::from(matches!(came, Incoming::Frame { .. })))
                .unwrap();
        }
    }
    assert!(wakes < flood / 2, "{wakes} wake-ups for {flood} frames");
    got += frames(&receive(&mut platform, SOON)).len();
    assert_eq!(got, flood);
    for _ in 0..3 {
        wire.send(&advert).unwrap();
        let one = std::slice::from_ref(&advert);
        assert_eq!(frames(&receive(&mut platform, SOON)), one);
    }
}

/// A signal that a program waits to be interrupted by must not go to a thread of ours.
#[test]
fn no_thread_of_ours_takes_signals() {
    let _wire = enter();
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    give_up(&mut platform, &setup);
    let until = Instant::now() + Duration::from_secs(5);
    let mut masks = blocked_signals("janitor");
    // A thread gives itself its name.
    while masks.is_empty() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(1));
        masks = blocked_signals("janitor");
    }
    assert!(!masks.is_empty(), "no thread closes macvlans");
    for signal in [libc::SIGTERM, libc::SIGALRM, libc::SIGCHLD, libc::SIGUSR1] {
        let bit = 1 << (signal - 1);
        assert!(masks.iter().all(|mask| mask & bit != 0), "signal {signal}");
    }
}

/// The signals that each thread of this name does not take.
fn blocked_signals(name: &str) -> Vec<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread of another test may have ended meanwhile.
    let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).ok();
    let statuses = tasks.flatten().filter_map(status);
    let named = statuses.filter(|s| s.starts_with(&format!("Name:\t{name}\n")));
    let mask = |status: String| {
        let mask = status.lines().find_map(|l| l.strip_prefix("SigBlk:\t"));
        u64::from_str_radix(mask.unwrap(), 16).unwrap()
    };
    named.map(mask).collect()
}

#[test]
fn what_is_abandoned_stays_until_the_next_life() {
    let _wire = enter();
    let runtime_dir = directory();
    let open = || {
        let runtime_dir = runtime_dir.clone();
        let mut platform = LinuxPlatform::open(Options { runtime_dir }).unwrap();
        platform.watch(A0, "a0").unwrap();
        platform
    };
    let mut platform = open();
    let setup = setup(
        key(Family::Ipv4, 7),
        MacMode::Virtual,
        vip("10.0.0.100", 24),
    );
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    platform.abandon();
    assert!(ip("address show").contains("10.0.0.100/24"));
    let platform = open();
    assert!(!ip("address show").contains("10.0.0.100"));
    assert!(!ip("link show").contains("vr4."));
    drop(platform);
    assert_eq!(std::fs::read_dir(&runtime_dir).unwrap().count(), 0);
}
