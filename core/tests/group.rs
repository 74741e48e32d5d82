//! A multicast group in the place of the RFC's.
#![cfg(feature = "large")]

mod common;

use std::net::IpAddr;

use common::{Line, Peer, Sent, Verdict, addresses, ip};
use vrrp_core::{
    Announce, DropReason, Error, MacAddr, State, VirtualAddress, VrConfig, VrSettings,
};

fn config<'a>(list: &'a [VirtualAddress], group: Option<IpAddr>) -> VrConfig<'a> {
    VrConfig {
        settings: VrSettings {
            group,
            announce: Announce {
                repeats: 0,
                ..Announce::DEFAULT
            },
            ..VrSettings::DEFAULT
        },
        addresses: list,
        ..VrConfig::DEFAULT
    }
}

#[test]
fn a_group_of_its_own_is_advertised_to_and_heard_alone() {
    for (address, group, mac) in [
        (
            "10.10.10.80",
            "239.129.2.3",
            MacAddr([0x01, 0, 0x5e, 1, 2, 3]),
        ),
        ("fe80::80", "ff02::1:2:3", MacAddr([0x33, 0x33, 0, 2, 0, 3])),
    ] {
        let list = addresses(&[address]);
        let mut line = Line::new(&config(&list, Some(ip(group))));
        // The port joins it, by the settings.
        assert!(!line.seen.iter().any(|text| text.contains("group")));
        line.skip().at(3.7).expect_state(State::Active);
        let advert = Sent::parse(line.frames.first().expect("an advertisement"));
        assert_eq!(
            (advert.destination, advert.destination_mac),
            (ip(group), mac)
        );
        line.skip().at(4.7);
        let repeated = Sent::parse(line.frames.first().expect("another one"));
        assert_eq!(repeated, advert);

        let mut better = Peer::fridge(&line, 200);
        let wrong = Verdict::Dropped(DropReason::WrongDestination);
        assert_eq!(line.hear(&better), wrong);
        better.destination = Some(ip(group));
        line.accept(&better).expect_state(State::Backup);
        line.at(5.0).accept(&better);
        // Octet for octet the same, to another group.
        better.destination = None;
        assert_eq!(line.hear(&better), wrong);
    }
}

#[test]
fn a_reload_moves_from_one_group_to_the_other() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&config(&list, None));
    line.at(3.7).expect_state(State::Active).skip();
    for (group, membership) in [
        (Some(ip("224.0.0.200")), "-group IPv4"),
        (None, "+group IPv4"),
    ] {
        let key = line.key;
        line.skip().act(|router, now| {
            router
                .admin(now)
                .reconfigure(key, &config(&list, group))
                .unwrap();
        });
        assert!(
            line.seen.iter().any(|text| text.ends_with(membership)),
            "{:?}",
            line.seen
        );
        line.at(line.now.as_micros() as f64 / 1e6 + 1.0);
        let advert = line.frames.iter().find(|frame| frame[23] == 112);
        let advert = Sent::parse(advert.expect("an advertisement"));
        assert_eq!(advert.destination, group.unwrap_or(ip("224.0.0.18")));
    }
}

#[test]
fn a_group_is_multicast_and_of_the_family() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&config(&list, None));
    for bad in ["10.10.10.1", "255.255.255.255", "ff02::12", "fe80::1"] {
        let (key, now) = (line.key, line.now);
        let refused = line
            .router
            .admin(now)
            .reconfigure(key, &config(&list, Some(ip(bad))));
        assert_eq!(refused, Err(Error::BadGroup), "{bad}");
    }
}
