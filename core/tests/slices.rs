//! A port that performs a few outputs at a time: advertisements do not wait for what takes long.
#![cfg(feature = "large")] // There outputs cost next to nothing, and have one queue.

mod common;

use common::{Line, addresses, cs, describe, key, priority};
use vrrp_core::{
    Announce, Duration, Failure, Family, Instant, MacMode, Output, Poll, State, VirtualAddress,
    VrConfig, VrKey, VrSettings,
};

const QUIET: Announce = Announce {
    repeats: 0,
    ..Announce::DEFAULT
};

fn config(addresses: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            announce: QUIET,
            advert_interval: cs(100),
            mac_mode: MacMode::Interface,
            ..VrSettings::DEFAULT
        },
        addresses,
        ..VrConfig::DEFAULT
    }
}

fn owner(addresses: &[VirtualAddress]) -> VrConfig<'_> {
    VrConfig {
        settings: VrSettings {
            priority: priority(255),
            ..config(addresses).settings
        },
        ..config(addresses)
    }
}

fn other() -> VrKey {
    key(2, Family::Ipv4)
}

/// VRID 1 advertises at each whole second; VRID 2 becomes Active at `seconds` and has been given
/// none of its outputs yet.
fn one_serves_and_another_begins(list: &[VirtualAddress], seconds: f64) -> Line {
    let own = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&owner(&own));
    line.at(seconds).skip();
    line.router
        .admin(line.now)
        .insert(other(), &owner(list))
        .unwrap();
    line.router
        .admin(line.now)
        .set_enabled(other(), true)
        .unwrap();
    line
}

/// Takes `count` outputs, each with its VRID.
fn take(line: &mut Line, count: usize) -> Vec<String> {
    let mut buf = [0; common::TestRouter::MAX_FRAME_LEN];
    let mut taken = Vec::new();
    while taken.len() < count
        && let Poll::Output(output) = line.router.poll_output(&mut buf)
    {
        let vrid = match output {
            Output::Transmit(t) => t.key.vrid.get(),
            Output::SetMac { key, .. }
            | Output::SetAddress { key, .. }
            | Output::Removed { key } => key.vrid.get(),
            Output::SetGroup { .. } => 0,
            Output::StateChange(change) => change.key.vrid.get(),
        };
        taken.push(format!("{vrid}: {}", describe(&output)));
    }
    taken
}

fn timeout_at(line: &mut Line, seconds: f64) {
    line.now = Instant::from_micros((seconds * 1e6) as u64);
    line.router.handle_timeout(line.now);
}

#[test]
fn an_advertisement_does_not_wait_for_what_others_install() {
    let list = addresses(&["10.10.10.1", "10.10.10.2", "10.10.10.3", "10.10.10.4"]);
    let mut line = one_serves_and_another_begins(&list, 2.9);
    assert_eq!(take(&mut line, 2), ["2: +10.10.10.1", "2: +10.10.10.2"]);
    timeout_at(&mut line, 3.0);
    assert_eq!(take(&mut line, 2), ["1: v3 priority 255", "2: +10.10.10.3"]);
    timeout_at(&mut line, 4.0);
    assert_eq!(
        take(&mut line, 20),
        [
            "1: v3 priority 255",
            "2: +10.10.10.4",
            // S-14: the first one follows the addresses, also when the next is due.
            "2: v3 priority 255",
            "2: arp 10.10.10.1",
            "2: arp 10.10.10.2",
            "2: arp 10.10.10.3",
            "2: arp 10.10.10.4",
            "2: Initialize -> Active: started as owner of the addresses",
        ]
    );
}

#[test]
fn a_virtual_router_goes_on_where_it_was_interrupted() {
    // Its own advertisement comes between its own announcements.
    let list = addresses(&["10.10.10.1", "10.10.10.2"]);
    let mut line = one_serves_and_another_begins(&list, 2.5);
    assert_eq!(take(&mut line, 4).last().unwrap(), "2: arp 10.10.10.1");
    timeout_at(&mut line, 3.5);
    assert_eq!(
        take(&mut line, 20),
        [
            "1: v3 priority 255",
            "2: v3 priority 255",
            "2: arp 10.10.10.2",
            "2: Initialize -> Active: started as owner of the addresses",
        ]
    );
}

#[test]
fn priority_zero_does_not_wait_for_what_others_install() {
    // S-8
    let list = addresses(&["10.10.10.1", "10.10.10.2"]);
    let mut line = one_serves_and_another_begins(&list, 2.5);
    let (now, first) = (line.now, line.key);
    assert_eq!(take(&mut line, 1), ["2: +10.10.10.1"]);
    line.router.admin(now).remove(first).unwrap();
    line.router.admin(now).remove(other()).unwrap();
    assert_eq!(take(&mut line, 2), ["1: v3 priority 0", "2: v3 priority 0"]);
}

#[test]
fn new_addresses_are_advertised_when_they_are_served_or_soon() {
    let before = addresses(&["10.10.10.80"]);
    let after = addresses(&["10.10.10.80", "10.10.10.81", "10.10.10.82"]);
    for patient in [true, false] {
        let mut line = Line::new(&owner(&before));
        line.at(2.9).skip();
        line.router
            .admin(line.now)
            .reconfigure(line.key, &owner(&after))
            .unwrap();
        if patient {
            line.drain();
            line.expect(&[
                "2.9 +10.10.10.81",
                "2.9 +10.10.10.82",
                "2.9 v3 priority 255",
                "2.9 arp 10.10.10.80",
                "2.9 arp 10.10.10.81",
                "2.9 arp 10.10.10.82",
            ]);
        } else {
            assert_eq!(take(&mut line, 1), ["1: +10.10.10.81"]);
            // A quarter of an interval, so that it is not one and a half since the last.
            let next = line.router.poll_timeout().unwrap();
            assert!(next <= line.now + Duration::from_millis(250), "{next:?}");
            timeout_at(&mut line, 3.15);
            assert_eq!(
                take(&mut line, 2),
                ["1: v3 priority 255", "1: +10.10.10.82"]
            );
            line.drain();
            line.skip();
        }
        // T-5: and then an interval after the change, without another in between.
        line.at(3.95)
            .expect(&["3.9 v3 priority 255"])
            .expect_state(State::Active);
    }
}

#[test]
fn a_port_in_the_midst_of_something_takes_advertisements_only() {
    let list = addresses(&["10.10.10.1"]);
    let mut line = one_serves_and_another_begins(&list, 2.9);
    let mut buf = [0; common::TestRouter::MAX_FRAME_LEN];
    assert_eq!(line.router.poll_advertisement(&mut buf), None);
    timeout_at(&mut line, 3.0);
    let advertisement = line.router.poll_advertisement(&mut buf).unwrap();
    assert_eq!(advertisement.key, line.key);
    assert_eq!(line.router.poll_advertisement(&mut buf), None);
    assert_eq!(take(&mut line, 1), ["2: +10.10.10.1"]);
}

#[test]
fn further_addresses_are_those_of_one_virtual_router() {
    let list = addresses(&["10.10.10.1", "10.10.10.2"]);
    let third = key(3, Family::Ipv4);
    let mut line = one_serves_and_another_begins(&list, 2.5);
    let more = addresses(&["10.10.10.3"]);
    line.router
        .admin(line.now)
        .insert(third, &owner(&more))
        .unwrap();
    line.router
        .admin(line.now)
        .set_enabled(third, true)
        .unwrap();
    assert_eq!(take(&mut line, 1), ["2: +10.10.10.1"]);
    assert_eq!(line.router.poll_further_address(third), None);
    let further = line.router.poll_further_address(other());
    assert_eq!(further.as_ref().map(describe).unwrap(), "+10.10.10.2");
    assert_eq!(line.router.poll_further_address(other()), None);
    assert_eq!(take(&mut line, 1), ["2: v3 priority 255"]);
}

#[test]
fn an_advertisement_waits_for_a_mac_that_was_lost() {
    let list = addresses(&["10.10.10.80"]);
    let config = VrConfig {
        settings: VrSettings {
            mac_mode: MacMode::Virtual,
            ..owner(&list).settings
        },
        ..owner(&list)
    };
    let mut line = Line::new(&config);
    line.at(0.5).skip();
    let key = line.key;
    line.router.handle_failure(line.now, Failure::Mac { key });
    timeout_at(&mut line, 1.0);
    let mut buf = [0; common::TestRouter::MAX_FRAME_LEN];
    assert_eq!(line.router.poll_advertisement(&mut buf), None);
    assert_eq!(
        take(&mut line, 2),
        ["1: +mac 00:00:5e:00:01:01", "1: v3 priority 255"]
    );
}

#[test]
fn an_advertisement_that_is_owed_no_more_costs_no_other_output() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            mac_mode: MacMode::Virtual,
            ..config(&list).settings
        },
        ..config(&list)
    });
    line.at(4.0).expect_state(State::Active).skip();
    let due = line.router.poll_timeout().unwrap();
    line.router.handle_timeout(due);
    line.now = due;
    let better = common::Peer::fridge(&line, 200).frame();
    let _ = line.router.handle_frame(due, common::IF, &better);
    let mut buf = [0; common::TestRouter::MAX_FRAME_LEN];
    assert_eq!(line.router.poll_advertisement(&mut buf), None);
    line.drain();
    let seen: Vec<_> = line
        .seen
        .iter()
        .map(|s| s.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(seen.first(), Some(&"-10.10.10.80"), "{seen:?}");
}
