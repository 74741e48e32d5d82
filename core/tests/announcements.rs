//! When neighbours are told, and who is told by unicast: what mutations of the code had gone unnoticed
//! in.

mod common;

use common::{Line, Peer, addresses, ip, priority, secs};
use vrrp_core::{Announce, State, Version, VrConfig, VrSettings};

fn config() -> VrConfig<'static> {
    VrConfig {
        settings: VrSettings {
            priority: priority(200),
            ..VrSettings::DEFAULT
        },
        ..VrConfig::DEFAULT
    }
}

/// An Active router since 3.21875 s.
fn active(announce: Announce) -> Line {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            announce,
            ..config().settings
        },
        addresses: &list,
        ..config()
    });
    line.at(3.3).expect_state(State::Active).skip();
    line
}

fn reconfigure(line: &mut Line, announce: Announce) {
    let list = addresses(&["10.10.10.80"]);
    let key = line.key;
    let other = VrConfig {
        settings: VrSettings {
            announce,
            ..config().settings
        },
        addresses: &list,
        ..config()
    };
    line.act(|r, now| r.admin(now).reconfigure(key, &other).unwrap());
}

fn announced(line: &mut Line) -> Vec<String> {
    let all = line.seen.drain(..);
    all.filter(|seen| seen.contains("arp")).collect()
}

const ONCE: Announce = Announce {
    repeats: 0,
    ..Announce::DEFAULT
};

#[test]
fn after_a_quiet_time_a_few_rounds_are_made_at_once_and_then_one_a_second() {
    let mut line = active(ONCE);
    let loser = Peer::fridge(&line, 50);
    line.at(100.0).skip();
    for fifth in 0..15 {
        line.at(100.0 + 0.2 * f64::from(fifth)).accept(&loser);
    }
    line.at(103.0);
    let rounds = announced(&mut line);
    assert!((5..=6).contains(&rounds.len()), "{rounds:?}");
}

#[test]
fn the_same_configuration_again_leaves_a_repeat_where_it_was() {
    let mut line = active(Announce::DEFAULT);
    line.at(5.0);
    reconfigure(&mut line, Announce::DEFAULT);
    line.at(20.0);
    assert_eq!(
        announced(&mut line),
        ["3.31875 arp 10.10.10.80", "8.21875 arp 10.10.10.80"]
    );
}

#[test]
fn a_refresh_that_is_asked_for_later_begins_then() {
    let mut line = active(ONCE);
    line.at(5.0);
    let refresh = Some(secs(2.0));
    reconfigure(&mut line, Announce { refresh, ..ONCE });
    line.at(9.5);
    assert_eq!(
        announced(&mut line),
        ["7 arp 10.10.10.80", "9 arp 10.10.10.80"]
    );
}

#[test]
fn an_interval_of_nothing_asks_for_no_deadline_that_has_come() {
    for announce in [
        Announce {
            repeats: 9,
            repeat_interval: secs(0.0),
            refresh: None,
        },
        Announce {
            refresh: Some(secs(0.0)),
            ..ONCE
        },
    ] {
        let mut line = active(announce);
        for _ in 0..50 {
            line.now = line.router.poll_timeout().unwrap();
            line.wake();
            let due = line.router.poll_timeout().unwrap();
            assert!(due > line.now, "{due:?} at {:?}", line.now);
        }
    }
}

#[test]
fn unicast_peers_are_told_again_and_again_each_by_itself() {
    let list = addresses(&["10.10.10.80"]);
    let peers = [ip("10.10.10.2"), ip("10.10.10.3")];
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            announce: ONCE,
            ..config().settings
        },
        addresses: &list,
        peers: &peers,
        ..config()
    });
    line.at(3.3).skip();
    line.at(5.3).expect(&[
        "4.21875 v3 priority 200 to 10.10.10.3",
        "4.21875 v3 priority 200 to 10.10.10.2",
        "5.21875 v3 priority 200 to 10.10.10.3",
        "5.21875 v3 priority 200 to 10.10.10.2",
    ]);
}

#[test]
fn unicast_peers_are_told_in_both_versions() {
    //
    let list = addresses(&["10.10.10.80"]);
    let peers = [ip("10.10.10.2"), ip("10.10.10.3")];
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            version: Version::Both,
            announce: ONCE,
            ..config().settings
        },
        addresses: &list,
        peers: &peers,
        ..config()
    });
    line.at(3.3).skip();
    line.at(4.3).expect(&[
        "4.21875 v3 priority 200 to 10.10.10.3",
        "4.21875 v2 priority 200 to 10.10.10.3",
        "4.21875 v3 priority 200 to 10.10.10.2",
        "4.21875 v2 priority 200 to 10.10.10.2",
    ]);
}

#[test]
fn a_repeated_announcement_brings_no_advertisement() {
    // not S-9
    let mut line = active(Announce {
        repeats: 1,
        repeat_interval: secs(0.5),
        refresh: None,
    });
    line.at(4.2)
        .expect(&["3.31875 arp 10.10.10.80", "3.71875 arp 10.10.10.80"]);
}

#[test]
fn a_backup_that_gets_another_priority_says_nothing() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        addresses: &list,
        ..config()
    });
    line.skip();
    let key = line.key;
    line.at(1.0);
    line.act(|r, now| r.admin(now).set_priority(key, Some(priority(50))).unwrap());
    line.at(3.2).expect(&[]).expect_state(State::Backup);
}
