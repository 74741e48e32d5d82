//! Other hosts that announce an address of ours.

use std::time::Duration;

use vrrp_core::{Family, MacAddr, MacMode};
use vrrp_host::Platform;

use crate::common::{self, *};

/// Longer than a socket rests that has been read.
const RESTED: Duration = Duration::from_millis(1_200);

fn heard(platform: &mut impl Platform) -> Vec<Vec<u8>> {
    announcements(receive(platform, SOON))
}

#[test]
fn those_of_our_addresses_are_heard_and_no_others() {
    for mac_mode in [MacMode::Virtual, MacMode::Interface] {
        let wire = enter();
        let mut platform = open();
        let setup = seven(mac_mode);
        platform.prepare(&setup).unwrap();
        receive(&mut platform, SOON);
        for on in [false, true] {
            if on {
                take_up(&mut platform, &setup);
                receive(&mut platform, SOON);
            }
            std::thread::sleep(RESTED);
            let claim = gratuitous_arp(NEIGHBOUR, V4);
            let mut reply = claim.clone();
            reply[21] = 2;
            // To us alone, and to whomever has the virtual MAC.
            let to: Vec<MacAddr> = match (mac_mode, on) {
                (MacMode::Virtual, true) => vec![OWN, setup.key.virtual_mac()],
                _ => vec![OWN],
            };
            let replies = to.iter().map(|to| {
                let mut reply = reply.clone();
                reply[..6].copy_from_slice(&to.0);
                reply
            });
            let of_own = gratuitous_arp(NEIGHBOUR, [10, 0, 0, 2]);
            let expected: Vec<_> = [claim, of_own].into_iter().chain(replies).collect();
            let all = expected.iter().cloned().chain([
                gratuitous_arp(NEIGHBOUR, [10, 0, 0, 101]),
                arp_request(V4),
                // Our own that come back.
                gratuitous_arp(OWN.0, V4),
                // With a VLAN tag.
                [
                    &[0xff; 6][..],
                    &NEIGHBOUR,
                    &[0x81, 0, 0, 5, 8, 6],
                    &expected[0][14..],
                ]
                .concat(),
            ]);
            for frame in all {
                wire.send(&frame).unwrap();
            }
            let heard = heard(&mut platform);
            assert_eq!(heard, expected, "{mac_mode:?}, master {on}");
        }
        platform.release(setup.key);
        platform.flush();
        std::thread::sleep(RESTED);
        wire.send(&gratuitous_arp(NEIGHBOUR, V4)).unwrap();
        assert_eq!(heard(&mut platform).len(), 0);
    }
}

#[test]
fn those_of_ipv6_come_with_vrrp() {
    let wire = enter();
    let mut platform = open();
    let key = common::key(Family::Ipv6, 7);
    let mut setup = setup(key, MacMode::Virtual, vip("fe80::100", 64));
    platform.prepare(&setup).unwrap();
    receive(&mut platform, Duration::from_secs(3));
    let say = |target: &str| {
        let frame = unsolicited_na(NEIGHBOUR, target.parse().unwrap());
        wire.send(&frame).unwrap();
        frame
    };
    let one = say("fe80::100");
    say("2001:db8::100");
    let own = say("fe80::ff:fe00:1");
    assert_eq!(heard(&mut platform), [one.clone(), own.clone()]);
    // The addresses change while VRRP is heard.
    setup.addresses.push((vip("2001:db8::100", 64), None));
    platform.prepare(&setup).unwrap();
    platform.flush();
    say("fe80::100");
    let two = say("2001:db8::100");
    say("2001:db8::101");
    assert_eq!(heard(&mut platform), [one, two]);
    wire.send(&unsolicited_na(OWN.0, "fe80::100".parse().unwrap()))
        .unwrap();
    assert_eq!(heard(&mut platform).len(), 0, "our own");
}

#[test]
fn a_flood_of_them_wakes_nobody() {
    let wire = enter();
    let mut platform = open();
    platform.prepare(&seven(MacMode::Virtual)).unwrap();
    receive(&mut platform, RESTED);
    let claim = gratuitous_arp(NEIGHBOUR, V4);
    let other = gratuitous_arp(NEIGHBOUR, [10, 0, 0, 101]);
    let (mut wakes, mut got) = (0, 0);
    let begin = std::time::Instant::now();
    while begin.elapsed() < Duration::from_secs(3) {
        for _ in 0..100 {
            wire.send(&claim).unwrap();
            wire.send(&other).unwrap();
        }
        if wait_readable(platform.fd(), Duration::from_millis(1)).unwrap() {
            wakes += 1;
            platform.receive(&mut |_| got += 1).unwrap();
        }
    }
    assert!(wakes <= 8, "{wakes} wake-ups in three seconds");
    assert!((1..=8 * 64).contains(&got), "{got} frames");
}
