//! Answers, and the MACs that they name.

use std::time::{Duration, Instant};

use vrrp_core::{Family, MacAddr, MacMode, Vrid};
use vrrp_freebsd::testing::{self, RawPort};
use vrrp_freebsd::{FreebsdPlatform, Options};
use vrrp_host::{Platform, VrSetup};

use crate::common::*;

pub(crate) fn adverts_are_sent_and_heard() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    platform.set_group(A0, Family::Ipv4, true).unwrap();
    platform
        .prepare(&setup(key, MacMode::Interface, vip("10.0.0.100", 24)))
        .unwrap();
    let state = last_state(&receive(&mut platform, SOON)).unwrap();
    assert!(state.up);
    assert_eq!((state.mac, state.ipv4), (OWN, Some([10, 0, 0, 2].into())));
    let peer = group_frame(MacAddr(NEIGHBOUR), 1);
    wire.send(&peer).unwrap();
    wire.send(&frame(MacAddr::BROADCAST, 0x0800, &[0; 64]))
        .unwrap();
    wire.send(&group_frame(MacAddr(NEIGHBOUR), 2)).unwrap();
    let ours = group_frame(OWN, 3);
    speak(&mut platform, key, &ours);
    let came = frames(receive(&mut platform, SOON));
    assert_eq!(
        came.len(),
        2,
        "two adverts, not what else came nor what we sent: {came:02x?}"
    );
    assert_eq!(came[0][..peer.len()], peer);
    assert!(wire.hear(SOON).unwrap().contains(&ours));
    assert_eq!(platform.counters().frames_refused, 0);
}

//= RFC 9568 section 6.4.3, 8.1.2: one MAC answers, and it is the virtual one (M-2, M-3, M-4)
pub(crate) fn the_virtual_mac_alone_answers_arp() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    let name = platform.mac_interface(key).unwrap();
    assert!(name.starts_with("vr4.") && name.ends_with(".7"), "{name}");
    let v4 = [10, 0, 0, 100];
    assert_eq!(ask(&wire, v4), []);
    for _ in 0..2 {
        take_up(&mut platform, &setup);
        assert_eq!(ask(&wire, v4), [(key.virtual_mac(), key.virtual_mac())]);
        // Its own address is still the interface's.
        assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
        give_up(&mut platform, &setup);
        assert_eq!(ask(&wire, v4), []);
        assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
    }
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
    drop(platform);
    assert_eq!(names(), ["a0", "a1"]);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
}

pub(crate) fn the_virtual_mac_alone_answers_solicitations() {
    let wire = enter();
    testing::add_address("a0", "2001:db8::2".parse().unwrap(), 64).unwrap();
    let mut platform = open();
    let key = key(Family::Ipv6, 7);
    let mut setup = setup(key, MacMode::Virtual, vip("fe80::100", 64));
    setup.addresses.push((vip("2001:db8::100", 64), None));
    platform.prepare(&setup).unwrap();
    receive(&mut platform, SOON);
    let answers = |platform: &mut FreebsdPlatform, source, target| {
        let (passed, kernel) = solicit(&wire, platform, source, target);
        (
            passed,
            kernel.len(),
            kernel
                .into_iter()
                .all(|a| a == (key.virtual_mac(), key.virtual_mac())),
        )
    };
    assert_eq!(answers(&mut platform, "fe80::9", "fe80::100"), (0, 0, true));
    take_up(&mut platform, &setup);
    // From a neighbour with a link-local address the kernel takes the question; the others come here.
    assert_eq!(answers(&mut platform, "fe80::9", "fe80::100"), (0, 1, true));
    assert_eq!(
        answers(&mut platform, "fe80::9", "2001:db8::100"),
        (0, 1, true)
    );
    assert_eq!(
        answers(&mut platform, "2001:db8::9", "2001:db8::100"),
        (1, 0, true)
    );
    give_up(&mut platform, &setup);
    assert_eq!(
        answers(&mut platform, "2001:db8::9", "2001:db8::100"),
        (0, 0, true)
    );
    assert_eq!(lost(&receive(&mut platform, SOON)), []);
}

pub(crate) fn several_virtual_macs_live_on_one_interface() {
    let wire = enter();
    let mut platform = open();
    let setups: Vec<VrSetup> = (1..=9u8)
        .map(|n| {
            setup(
                key(Family::Ipv4, n),
                MacMode::Virtual,
                vip(&format!("10.0.0.{}", 100 + n), 24),
            )
        })
        .collect();
    for setup in &setups {
        platform.prepare(setup).unwrap();
        take_up(&mut platform, setup);
    }
    for (n, setup) in (1u8..).zip(&setups) {
        let mac = setup.key.virtual_mac();
        assert_eq!(ask(&wire, [10, 0, 0, 100 + n]), [(mac, mac)]);
        let advert = group_frame(mac, n);
        speak(&mut platform, setup.key, &advert);
        assert!(wire.hear(SOON).unwrap().contains(&advert), "from {mac}");
    }
    platform.release(setups[0].key);
    let mac = setups[8].key.virtual_mac();
    assert_eq!(ask(&wire, [10, 0, 0, 109]), [(mac, mac)], "the others stay");
}

pub(crate) fn a_carrier_is_silent_before_and_after() {
    let wire = enter();
    let mut platform = open();
    let v4 = seven(MacMode::Virtual);
    let v6 = setup(key(Family::Ipv6, 7), MacMode::Virtual, vip("fe80::100", 64));
    wire.hear(Duration::from_secs(2)).unwrap();
    // Any MAC but that of the interface itself, be it a virtual one or one in between.
    let foreign = |time| {
        let mut heard = wire.hear(time).unwrap();
        heard.retain(|frame| mac(&frame[6..12]) != OWN);
        heard
    };
    platform.prepare(&v4).unwrap();
    platform.prepare(&v6).unwrap();
    assert_eq!(
        foreign(Duration::from_secs(1)),
        Vec::<Vec<u8>>::new(),
        "prepared"
    );
    take_up(&mut platform, &v4);
    take_up(&mut platform, &v6);
    for frame in foreign(Duration::from_secs(3)) {
        let from = mac(&frame[6..12]);
        assert!(
            [v4.key.virtual_mac(), v6.key.virtual_mac()].contains(&from),
            "{frame:02x?}"
        );
        // The kernel's own gratuitous ARP for the address, or reports of its groups.
        let garp = frame[12..14] == [8, 6] && frame[28..32] == [10, 0, 0, 100];
        let report = frame[12..14] == [0x86, 0xdd] && [131, 132, 143].contains(&frame[62]);
        assert!(garp || report, "{frame:02x?}");
    }
    give_up(&mut platform, &v6);
    give_up(&mut platform, &v4);
    // The kernel may have reported that it leaves a group before the carrier was parted.
    foreign(Duration::ZERO);
    assert_eq!(
        foreign(Duration::from_secs(3)),
        Vec::<Vec<u8>>::new(),
        "given up"
    );
}

pub(crate) fn with_the_interfaces_own_mac_it_answers() {
    let wire = enter();
    testing::add_address("a0", "2001:db8::2".parse().unwrap(), 64).unwrap();
    let mut platform = open();
    // The interface's own link-local address is no news when it has been tested for duplicates.
    let begin = Instant::now();
    let ready = |came: Vec<Came>| last_state(&came).is_some_and(|state| state.ipv6.is_some());
    while !ready(receive(&mut platform, SOON)) {
        assert!(begin.elapsed() < Duration::from_secs(20), "not usable");
    }
    let v4 = setup(
        key(Family::Ipv4, 7),
        MacMode::Interface,
        vip("10.0.0.100", 32),
    );
    let v6 = setup(
        key(Family::Ipv6, 7),
        MacMode::Interface,
        vip("2001:db8::100", 64),
    );
    for setup in [&v4, &v6] {
        platform.prepare(setup).unwrap();
        assert_eq!(platform.mac_interface(setup.key), None);
        take_up(&mut platform, setup);
    }
    let own = (OWN, OWN);
    assert_eq!(ask(&wire, V4), [own]);
    // At once: nobody is asked whether the address is in use.
    let (passed, answers) = solicit(&wire, &mut platform, "2001:db8::9", "2001:db8::100");
    assert_eq!((passed, answers), (0, vec![own]));
    let state = last_state(&receive(&mut platform, SOON));
    assert_eq!(
        state.and_then(|s| s.ipv4),
        None,
        "nothing new to say: {state:?}"
    );
    give_up(&mut platform, &v4);
    give_up(&mut platform, &v6);
    assert_eq!(ask(&wire, V4), []);
    assert_eq!(addresses("a0"), ["10.0.0.2/24", "2001:db8::2/64"]);
}

pub(crate) fn the_virtual_mac_replaces_the_interfaces_own() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let mut setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 32));
    setup.replace_mac = true;
    platform.prepare(&setup).unwrap();
    assert_eq!(platform.mac_interface(key), None);
    receive(&mut platform, SOON);
    take_up(&mut platform, &setup);
    let mac = key.virtual_mac();
    assert_eq!(ask(&wire, V4), [(mac, mac)]);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(mac, mac)]);
    let state = last_state(&receive(&mut platform, SOON)).unwrap();
    assert!(state.up && state.mac == mac, "{state:?}");
    let mut second = setup.clone();
    second.key.vrid = Vrid::new(8).unwrap();
    assert!(platform.prepare(&second).is_err(), "there is room for one");
    give_up(&mut platform, &setup);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
    take_up(&mut platform, &setup);
    drop(platform);
    assert_eq!(mac_of("a0"), OWN);
}

pub(crate) fn the_host_stays_reachable_behind_the_bridge() {
    let wire = enter();
    let mut platform = open();
    let setup = seven(MacMode::Virtual);
    platform.prepare(&setup).unwrap();
    let ping = |to: MacAddr, target: [u8; 4]| {
        wire.hear(Duration::ZERO).unwrap();
        wire.send(&arp_reply(to)).unwrap();
        wire.send(&echo_request(to, target)).unwrap();
        let heard = wire.hear(Duration::from_millis(300)).unwrap();
        heard
            .iter()
            .filter(|f| f.len() > 34 && f[23] == 1 && f[34] == 0)
            .count()
    };
    assert_eq!(ping(OWN, [10, 0, 0, 2]), 1, "its own address");
    assert_eq!(
        ping(MacAddr([2, 0, 0, 0, 0, 0x77]), [10, 0, 0, 2]),
        0,
        "for another MAC"
    );
    assert_eq!(ping(setup.key.virtual_mac(), V4), 0, "while Backup");
    take_up(&mut platform, &setup);
    assert_eq!(ping(setup.key.virtual_mac(), V4), 1, "the virtual address");
    assert_eq!(ping(OWN, [10, 0, 0, 2]), 1, "its own address still");
    give_up(&mut platform, &setup);
    assert_eq!(ping(setup.key.virtual_mac(), V4), 0, "given up");
    drop(platform);
    assert_eq!(ping(OWN, [10, 0, 0, 2]), 1, "the bridge is gone");
}

pub(crate) fn a_second_master_shuts_no_link() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    let setup = setup(key, MacMode::Virtual, vip("10.0.0.100", 24));
    platform.prepare(&setup).unwrap();
    take_up(&mut platform, &setup);
    let mac = key.virtual_mac();
    for n in 0..20 {
        // The same source MAC from both sides within a moment.
        wire.send(&group_frame(mac, n)).unwrap();
        speak(&mut platform, key, &group_frame(mac, n));
    }
    let came = frames(receive(&mut platform, SOON));
    assert_eq!(came.len(), 20, "the other master is heard");
    assert_eq!(ask(&wire, V4), [(mac, mac)]);
    assert_eq!(ask(&wire, [10, 0, 0, 2]), [(OWN, OWN)]);
    wire.hear(SOON).unwrap();
    speak(&mut platform, key, &group_frame(mac, 99));
    assert!(wire.hear(SOON).unwrap().contains(&group_frame(mac, 99)));
}

//= RFC 9568 section 6.4.3: not accepting is not silence (A-2, A-3, A-5)
pub(crate) fn without_accept_the_questions_come_to_the_host() {
    let wire = enter();
    let mut platform = open();
    for mode in [MacMode::Virtual, MacMode::Interface] {
        let mut setup = setup(key(Family::Ipv4, 7), mode, vip("10.0.0.100", 24));
        setup.accept = false;
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        receive(&mut platform, SOON);
        assert_eq!(ask(&wire, V4), [], "the kernel is silent");
        let came = frames(receive(&mut platform, SOON));
        assert_eq!(came.len(), 1);
        assert_eq!(came[0][..42], arp_request(V4)[..42]);
        assert_eq!(ask(&wire, [10, 0, 0, 101]), []);
        assert_eq!(
            frames(receive(&mut platform, SOON)).len(),
            0,
            "nobody asked for ours"
        );
        give_up(&mut platform, &setup);
        platform.release(setup.key);
    }
}

pub(crate) fn unicast_goes_by_the_kernel() {
    let wire = enter();
    let mut platform = open();
    let key = key(Family::Ipv4, 7);
    platform
        .prepare(&setup(key, MacMode::Interface, vip("10.0.0.100", 32)))
        .unwrap();
    wire.send(&arp_reply(OWN)).unwrap();
    let mut packet = advert(9);
    packet[12..20].copy_from_slice(&[10, 0, 0, 2, 10, 0, 0, 9]);
    let frame = frame_from([0; 6], MacAddr([0; 6]), 0x0800, &packet);
    for _ in 0..2 {
        transmit(&mut platform, key, &frame, Some([10, 0, 0, 9].into()));
        // The first may have made the kernel ask.
        wire.send(&arp_reply(OWN)).unwrap();
        let heard = wire.hear(SOON).unwrap();
        let found = heard.iter().find(|f| f.len() >= 42 && f[23] == 112);
        if let Some(found) = found {
            assert_eq!(mac(&found[..6]), MacAddr(NEIGHBOUR));
            assert_eq!((found[22], &found[34..42]), (255, &[9u8; 8][..]));
            return;
        }
    }
    panic!("no advertisement came");
}

/// The doings of virtual routers on `device`, seen by `wire`.
pub(crate) fn serve_on(device: &str, wire: &RawPort) {
    let mut platform = FreebsdPlatform::open(Options {
        runtime_dir: directory(),
    })
    .unwrap();
    platform.watch(A0, device).unwrap();
    let key = key(Family::Ipv4, 7);
    let mut setup = setup(key, MacMode::Virtual, vip("10.0.1.100", 24));
    // A kernel that looks closely panics on what ng_eiface sends there.
    let error = platform.prepare(&setup).unwrap_err().to_string();
    assert!(error.contains("use useVMAC = replace or no"), "{error}");
    let state = last_state(&receive(&mut platform, SOON)).unwrap();
    assert!(state.up, "{state:?}");
    for mode in [MacMode::Interface, MacMode::Virtual] {
        setup.mac_mode = mode;
        setup.replace_mac = mode == MacMode::Virtual;
        platform.prepare(&setup).unwrap();
        take_up(&mut platform, &setup);
        let mac = match mode {
            MacMode::Virtual => key.virtual_mac(),
            MacMode::Interface => state.mac,
        };
        assert_eq!(ask(wire, [10, 0, 1, 100]), [(mac, mac)]);
        let advert = group_frame(mac, 1);
        speak(&mut platform, key, &advert);
        assert!(wire.hear(SOON).unwrap().contains(&advert));
        wire.send(&group_frame(MacAddr(NEIGHBOUR), 2)).unwrap();
        assert_eq!(frames(receive(&mut platform, SOON)).len(), 1);
        give_up(&mut platform, &setup);
        assert_eq!(ask(wire, [10, 0, 1, 100]), []);
        assert_eq!(mac_of(device), state.mac);
    }
}

pub(crate) fn a_vlan_serves() {
    enter();
    ifconfig("vlan create vlan 5 vlandev a0 name a0.5");
    ifconfig("vlan create vlan 5 vlandev a1 name a1.5");
    ifconfig("a0.5 inet 10.0.1.2/24 up");
    ifconfig("a1.5 up");
    let wire = RawPort::open("a1.5").unwrap();
    serve_on("a0.5", &wire);
}

pub(crate) fn a_lagg_serves() {
    let wire = enter();
    testing::remove_address("a0", [10, 0, 0, 2].into()).unwrap();
    ifconfig("lagg0 create");
    ifconfig("lagg0 laggproto failover laggport a0 up");
    ifconfig("lagg0 inet 10.0.1.2/24");
    // Its name says nothing about what it is.
    ifconfig("lagg0 name a2");
    serve_on("a2", &wire);
}
