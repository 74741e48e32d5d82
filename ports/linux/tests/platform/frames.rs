//! Frames that are sent and heard.

use std::time::Duration;

use vrrp_core::{Family, MacAddr, MacMode};
use vrrp_host::{Incoming, Platform};

use crate::common::{self, *};

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
        speak(&mut platform, key, &own);
        assert_eq!(frames(receive(&mut platform, SOON)), [peer]);
        assert!(wire.hear(SOON).unwrap().contains(&own));
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
    let frame = frame_from(OWN.0, MacAddr::default(), 0x0800, &packet);
    transmit(&mut platform, key, &frame, Some([10, 0, 0, 9].into()));
    let heard = wire.hear(SOON).unwrap();
    let sent = heard
        .iter()
        .find(|f| f[23] == 112)
        .expect("it was not sent");
    assert_eq!(mac(&sent[..6]).0, NEIGHBOUR);
    assert_eq!((sent[22], &sent[26..34]), (255, &packet[12..20]));
    // And one comes in.
    let answer = common::frame(OWN, 0x0800, &packet);
    receive(&mut platform, SOON);
    wire.send(&answer).unwrap();
    assert_eq!(frames(receive(&mut platform, SOON)), [answer]);

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
    let frame = frame_from(OWN.0, MacAddr::default(), 0x86dd, &packet);
    transmit(&mut platform, key, &frame, Some(to.into()));
    let heard = wire.hear(SOON).unwrap();
    let sent = heard
        .iter()
        .find(|f| f[20] == 112)
        .expect("it was not sent");
    assert_eq!(sent[14..], packet);
    assert_eq!(mac(&sent[..6]).0, NEIGHBOUR);
}

/// A flood wakes the host every millisecond and not with every frame; what comes after it is heard
/// at once again.
#[test]
fn a_flood_is_read_by_the_clock() {
    let wire = enter();
    let mut platform = open();
    let setup = seven(MacMode::Virtual);
    platform.prepare(&setup).unwrap();
    receive(&mut platform, SOON);
    let advert = frame(Family::Ipv4.group_mac(), 0x0800, &advert(1));
    let flood = 4_000;
    let (mut wakes, mut got) = (0, 0);
    for _ in 0..flood {
        wire.send(&advert).unwrap();
        if wait_readable(platform.fd(), Duration::ZERO).unwrap() {
            wakes += 1;
            platform
                .receive(&mut |came| got += usize::from(matches!(came, Incoming::Frame { .. })))
                .unwrap();
        }
    }
    assert!(wakes < flood / 2, "{wakes} wake-ups for {flood} frames");
    got += frames(receive(&mut platform, SOON)).len();
    assert_eq!(got, flood);
    for _ in 0..3 {
        wire.send(&advert).unwrap();
        let one = std::slice::from_ref(&advert);
        assert_eq!(frames(receive(&mut platform, SOON)), one);
    }
}
