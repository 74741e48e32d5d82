//! Addresses, MACs, and what cannot be installed.

use super::*;
use vrrp_core::Poll;

fn arp_request(target: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend([2, 0, 0, 0, 0, 9, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend([2, 0, 0, 0, 0, 9, 10, 10, 10, 9]);
    frame.extend([0; 6]);
    frame.extend(target);
    frame
}

#[test]
fn questions_are_answered_for_what_is_served_here() {
    let mut buf = [0; 128];
    let request = arp_request([10, 10, 10, 80]);
    // M-2: not by a Backup.
    let mut line = line(100);
    assert!(line.router.answer(IF, &request, &mut buf).is_none());
    // not M-2, A-3: by an Active router, also without Accept_Mode; M-4: with the virtual MAC.
    line.at(4.1);
    let answer = line.router.answer(IF, &request, &mut buf).unwrap();
    assert_eq!(answer.frame[6..12], [0, 0, 0x5e, 0, 1, 1]);
    assert_eq!(answer.frame[22..28], [0, 0, 0x5e, 0, 1, 1]);
    // not M-3, not A-3: for nobody else's address, and on no other interface.
    let other = arp_request([10, 10, 10, 81]);
    assert!(line.router.answer(IF, &other, &mut buf).is_none());
    assert!(line.router.answer(IF + 1, &request, &mut buf).is_none());
    // not M-4: the interface's own MAC, where that was chosen.
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            mac_mode: MacMode::Interface,
            ..config(100, &list()).settings
        },
        ..config(100, &list())
    });
    line.at(4.1);
    let answer = line.router.answer(IF, &request, &mut buf).unwrap();
    assert_eq!(answer.frame[6..12], interface().mac.0);
}

#[test]
fn an_address_that_is_not_in_place_is_not_announced() {
    // M-5; not M-5: once it is in place it is.
    let mut line = line(100);
    // The probe has been sent.
    line.at(3.0).skip();
    let next = line.router.poll_timeout().unwrap();
    line.router.handle_timeout(next);
    let mut buf = [0; 512];
    let mut seen = Vec::new();
    let mut fail = true;
    while let Poll::Output(output) = line.router.poll_output(&mut buf) {
        let text = common::describe(&output);
        if text == "+10.10.10.53" && std::mem::take(&mut fail) {
            let address = ip("10.10.10.53");
            let key = line.key;
            let failure = Failure::Address { key, address };
            line.router.handle_failure(next, failure);
        }
        seen.push(text);
    }
    assert_eq!(
        seen,
        [
            "+mac 00:00:5e:00:01:01",
            "+10.10.10.80",
            "+10.10.10.53",
            "+10.10.10.53",
            "v3 priority 100",
            "arp 10.10.10.80",
            "arp 10.10.10.53",
            "Backup -> Active: no advertisement within the down interval",
        ]
    );
}

#[test]
fn frames_of_the_protocol_name_the_virtual_mac_and_the_group() {
    // M-14, M-6; not M-14, not M-6: not with the interface's own MAC.
    for (mac_mode, from) in [
        (MacMode::Virtual, [0, 0, 0x5e, 0, 1, 1]),
        (MacMode::Interface, interface().mac.0),
    ] {
        let mut line = Line::new(&VrConfig {
            settings: VrSettings {
                mac_mode,
                ..config(100, &list()).settings
            },
            ..config(100, &list())
        });
        line.at(4.1);
        assert_eq!(line.frames[0][..6], [1, 0, 0x5e, 0, 0, 0x12]);
        for frame in &line.frames {
            assert_eq!(frame[6..12], from);
        }
        assert_eq!(line.frames[1][22..28], from, "the ARP names it too");
    }
}

#[test]
fn addresses_are_accepted_where_the_rfc_says() {
    // a Backup serves none. A-2; not A-1, not A-2: an owner, or Accept_Mode.
    for (value, accept, accepted) in [(100, false, false), (100, true, true), (255, false, true)] {
        let mut line = Line::disabled(&VrConfig {
            settings: VrSettings {
                accept,
                ..config(value, &list()).settings
            },
            ..config(value, &list())
        });
        let router = &mut line.router;
        router.admin(line.now).set_enabled(line.key, true).unwrap();
        let mut buf = [0; 512];
        let mut served = Vec::new();
        loop {
            let backup = router.status(line.key).unwrap().state == State::Backup;
            while let Poll::Output(output) = router.poll_output(&mut buf) {
                if let Output::SetAddress { accept, on, .. } = output {
                    assert!(on && !backup, "priority {value}: {output:?}");
                    served.push(accept);
                }
            }
            if !backup {
                break;
            }
            let next = router.poll_timeout().unwrap();
            router.handle_timeout(next);
        }
        assert_eq!(served, [accepted; 2], "priority {value}");
    }
}

#[test]
fn an_address_that_is_not_in_place_is_not_answered_for() {
    // M-2, M-5: Active, but nothing was installed yet.
    let mut line = line(100);
    // The probe has been sent.
    line.at(3.0);
    let next = line.router.poll_timeout().unwrap();
    line.router.handle_timeout(next);
    line.expect_state(State::Active);
    let request = arp_request([10, 10, 10, 80]);
    let mut buf = [0; 128];
    assert!(line.router.answer(IF, &request, &mut buf).is_none());
    line.drain();
    assert!(line.router.answer(IF, &request, &mut buf).is_some());
}

#[test]
fn a_mac_that_was_taken_away_is_back_before_the_next_advertisement() {
    // M-5, S-14
    let mut line = active(100);
    let key = line.key;
    line.at(4.7).skip();
    let next = line.router.poll_timeout().unwrap();
    line.now = next;
    line.router.handle_timeout(next);
    line.fail(Failure::Mac { key }).expect(&[
        "5.609375 +mac 00:00:5e:00:01:01",
        "5.609375 v3 priority 100",
        "5.609375 arp 10.10.10.80",
        "5.609375 arp 10.10.10.53",
    ]);
}

#[test]
fn failures_far_apart_do_not_add_up() {
    // not S-14
    let mut line = active(100);
    let key = line.key;
    for round in 0..20 {
        line.at(5.0 + 1.5 * f64::from(round));
        for _ in 0..3 {
            line.fail(Failure::Mac { key });
        }
    }
    line.expect_state(State::Active);
}

#[test]
fn the_wait_after_failures_doubles() {
    // S-14
    let mut line = active(100);
    let key = line.key;
    let mut waits = Vec::new();
    for _ in 0..3 {
        while line.state() == State::Active {
            line.fail(Failure::Mac { key });
        }
        assert_eq!(line.status().reason, Reason::EffectFailed);
        let since = line.now;
        let next = line.router.poll_timeout().unwrap();
        waits.push(next.since(since).as_micros());
        line.at(next.as_micros() as f64 / 1e6)
            .expect_state(State::Backup);
        let back = next.as_micros() as f64 / 1e6 + 3.7;
        line.at(back).expect_state(State::Active);
    }
    assert_eq!(waits, [1_000_000, 2_000_000, 4_000_000]);
}

#[test]
fn the_wait_after_failures_is_forgotten_in_time() {
    // not S-14
    let mut line = active(100);
    let key = line.key;
    for start in [10.0, 400.0] {
        line.at(start).expect_state(State::Active);
        while line.state() == State::Active {
            line.fail(Failure::Mac { key });
        }
        let next = line.router.poll_timeout().unwrap();
        assert_eq!(next.since(line.now).as_micros(), 1_000_000);
    }
}
