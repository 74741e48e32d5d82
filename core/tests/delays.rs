//! Delays that are running when the settings change (T-9): those of the configuration count from where
//! they began, and for an Active router a Backup waits no longer than after a start at that moment.

mod common;

use common::{Line, Peer, addresses, cs, ip, priority, secs};
use vrrp_core::{
    Announce, Failure, Priority, Reason, State, Track, TrackEffect, Version, VirtualAddress,
    VrConfig, VrSettings,
};

fn list() -> Vec<VirtualAddress> {
    addresses(&["10.10.10.80"])
}

fn reconfigure(line: &mut Line, config: &VrConfig<'_>) {
    let key = line.key;
    line.act(|r, now| r.admin(now).reconfigure(key, config).unwrap());
    line.wake();
}

/// Backup until just before `seconds`, and then Active for `reason`.
#[track_caller]
fn expect_active_at(line: &mut Line, seconds: f64, reason: Reason) {
    line.at(seconds - 1e-6).expect_state(State::Backup);
    line.at(seconds).expect_state(State::Active);
    assert_eq!(line.status().reason, reason);
}

/// A virtual router that leaves a worse one alone for 600 s, since 1 s.
fn patient(list: &[VirtualAddress]) -> (Line, VrConfig<'_>, Peer) {
    let config = VrConfig {
        settings: VrSettings {
            priority: priority(200),
            preempt_delay: secs(600.0),
            ..VrSettings::DEFAULT
        },
        addresses: list,
        ..VrConfig::DEFAULT
    };
    let mut line = Line::new(&config);
    let worse = Peer::fridge(&line, 100);
    for second in 1..10 {
        line.at(f64::from(second)).accept(&worse);
    }
    (line, config, worse)
}

// T-9
#[test]
fn a_preempt_delay_that_has_passed_ends_at_once() {
    let list = list();
    for seconds in [0.0, 1.0, 7.9] {
        let (mut line, config, _) = patient(&list);
        let preempt_delay = secs(seconds);
        reconfigure(
            &mut line,
            &VrConfig {
                settings: VrSettings {
                    preempt_delay,
                    ..config.settings
                },
                ..config
            },
        );
        line.expect_state(State::Active);
        assert_eq!(line.status().reason, Reason::Preempted);
        assert_eq!(line.router.statistics(line.key).unwrap().stalls, 0);
    }
}

// T-9
#[test]
fn a_preempt_delay_counts_from_when_the_worse_router_was_heard_first() {
    let list = list();
    let (mut line, config, worse) = patient(&list);
    for (now, seconds) in [(9.5, 30.0), (10.0, 1000.0), (10.5, 15.0)] {
        line.at(now).accept(&worse);
        let preempt_delay = secs(seconds);
        let other = VrConfig {
            settings: VrSettings {
                preempt_delay,
                ..config.settings
            },
            ..config
        };
        reconfigure(&mut line, &other);
    }
    line.at(13.0).accept(&worse);
    expect_active_at(&mut line, 16.0, Reason::Preempted);
}

// T-9
#[test]
fn an_owner_does_not_wait_to_preempt() {
    let list = list();
    let (mut line, config, _) = patient(&list);
    let owner = VrConfig {
        settings: VrSettings {
            priority: Priority::OWNER,
            ..config.settings
        },
        ..config
    };
    reconfigure(&mut line, &owner);
    line.expect_state(State::Active);

    let (mut line, _, _) = patient(&list);
    let key = line.key;
    line.act(|r, now| {
        r.admin(now)
            .set_priority(key, Some(Priority::OWNER))
            .unwrap()
    });
    line.wake().expect_state(State::Active);

    // And not after the start either: the start delay is all that it waits for.
    let slow = VrConfig {
        settings: VrSettings {
            start_delay: secs(5.0),
            ..owner.settings
        },
        ..owner
    };
    let mut line = Line::new(&slow);
    let worse = Peer::fridge(&line, 100);
    for second in 1..5 {
        line.at(f64::from(second)).accept(&worse);
    }
    expect_active_at(&mut line, 5.0, Reason::Preempted);
}

// T-9
#[test]
fn a_start_delay_counts_from_the_start() {
    let list = list();
    let config = VrConfig {
        settings: VrSettings {
            start_delay: secs(100.0),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let start = |at: f64, start_delay: f64| {
        let mut line = Line::new(&config);
        line.at(at);
        let start_delay = secs(start_delay);
        reconfigure(
            &mut line,
            &VrConfig {
                settings: VrSettings {
                    start_delay,
                    ..config.settings
                },
                ..config
            },
        );
        line
    };
    expect_active_at(&mut start(10.0, 0.0), 13.609375, Reason::ActiveTimeout);
    expect_active_at(&mut start(10.0, 5.0), 13.609375, Reason::ActiveTimeout);
    expect_active_at(&mut start(10.0, 12.0), 15.609375, Reason::ActiveTimeout);
    expect_active_at(&mut start(10.0, 200.0), 200.0, Reason::ActiveTimeout);
    // One that is over does not begin again.
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            start_delay: secs(1.0),
            ..config.settings
        },
        ..config
    });
    line.at(2.0);
    reconfigure(&mut line, &config);
    expect_active_at(&mut line, 4.609375, Reason::ActiveTimeout);
}

// T-9
#[test]
fn an_owner_waits_for_the_start_delay_alone() {
    let list = list();
    let config = VrConfig {
        settings: VrSettings {
            start_delay: secs(10.0),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let mut line = Line::new(&config);
    line.at(4.0);
    let owner = VrConfig {
        settings: VrSettings {
            priority: Priority::OWNER,
            ..config.settings
        },
        ..config
    };
    reconfigure(&mut line, &owner);
    expect_active_at(&mut line, 10.0, Reason::Owner);
}

// T-9
#[test]
fn a_backup_that_heard_nobody_counts_its_new_interval() {
    let list = list();
    for version in [Version::V2, Version::V3, Version::Both] {
        let config = VrConfig {
            settings: VrSettings {
                version,
                advert_interval: cs(1_000),
                ..VrSettings::DEFAULT
            },
            addresses: &list,
            ..VrConfig::DEFAULT
        };
        let short = VrConfig {
            settings: VrSettings {
                advert_interval: cs(100),
                ..config.settings
            },
            ..config
        };
        let mut line = Line::new(&config);
        line.at(8.0);
        reconfigure(&mut line, &short);
        expect_active_at(&mut line, 11.609375, Reason::ActiveTimeout);
        assert_eq!(line.router.statistics(line.key).unwrap().stalls, 0);
        assert_eq!(line.status().active_interval, cs(100));
    }
}

#[test]
fn a_backup_that_discards_what_it_hears_counts_its_new_interval() {
    // T-9, S-7: the interval of the worse router was heard, and never learned.
    let list = list();
    let config = VrConfig {
        settings: VrSettings {
            advert_interval: cs(1_000),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let short = VrConfig {
        settings: VrSettings {
            advert_interval: cs(100),
            ..config.settings
        },
        ..config
    };
    let mut line = Line::new(&config);
    let mut worse = Peer::fridge(&line, 50);
    worse.interval = cs(200);
    for second in [1.0, 2.0, 3.0] {
        line.at(second).accept(&worse);
    }
    reconfigure(&mut line, &short);
    line.at(5.0).accept(&worse);
    expect_active_at(&mut line, 6.609375, Reason::Preempted);
    assert_eq!(line.status().active_interval, cs(100));
}

// not T-9
#[test]
fn the_interval_of_the_active_router_still_counts() {
    // T-3: what was learned is not configured.
    let list = list();
    let config = VrConfig {
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let mut line = Line::new(&config);
    let better = Peer {
        interval: cs(1_000),
        ..Peer::fridge(&line, 200)
    };
    line.at(1.0).accept(&better);
    let short = VrConfig {
        settings: VrSettings {
            advert_interval: cs(10),
            ..config.settings
        },
        ..config
    };
    reconfigure(&mut line, &short);
    expect_active_at(&mut line, 37.09375, Reason::ActiveTimeout);
}

// T-9
#[test]
fn the_skew_follows_the_priority() {
    let list = list();
    let tracks = [Track {
        object: 3,
        effect: TrackEffect::WhileDown(150),
    }];
    let config = VrConfig {
        settings: VrSettings {
            advert_interval: cs(1_000),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        tracks: &tracks,
        ..VrConfig::DEFAULT
    };
    let raised = VrConfig {
        settings: VrSettings {
            priority: priority(250),
            ..config.settings
        },
        ..config
    };
    let until = 32.0 + 10.0 * 6.0 / 256.0;
    let mut line = Line::new(&config);
    line.at(2.0);
    reconfigure(&mut line, &raised);
    expect_active_at(&mut line, until, Reason::ActiveTimeout);
    let mut line = Line::new(&config);
    line.at(2.0)
        .act(|r, now| r.admin(now).set_tracked(3, false));
    expect_active_at(&mut line, until, Reason::ActiveTimeout);
}

// not T-9
#[test]
fn a_down_timer_that_runs_on_is_not_put_off() {
    // S-7
    let list = list();
    let config = VrConfig {
        settings: VrSettings {
            priority: priority(200),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let mut line = Line::new(&config);
    let worse = Peer::fridge(&line, 100);
    for (second, priority_) in [(1.0, 210), (2.0, 220), (3.0, 230)] {
        line.at(second).accept(&worse);
        let other = VrConfig {
            settings: VrSettings {
                priority: priority(priority_),
                ..config.settings
            },
            ..config
        };
        reconfigure(&mut line, &other);
    }
    expect_active_at(&mut line, 3.21875, Reason::Preempted);
}

// not T-9
#[test]
fn the_same_settings_again_move_nothing() {
    let list = list();
    let tracks = [Track {
        object: 3,
        effect: TrackEffect::WhileDown(0),
    }];
    let config = VrConfig {
        settings: VrSettings {
            priority: priority(150),
            start_delay: secs(2.0),
            preempt_delay: secs(3.0),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        tracks: &tracks,
        ..VrConfig::DEFAULT
    };
    for heard in [None, Some(0), Some(100), Some(200)] {
        let run = |disturbed: bool| {
            let mut line = Line::new(&config);
            let peer = Peer::fridge(&line, heard.unwrap_or(1));
            for tenth in 1..200_u32 {
                line.at(f64::from(tenth) / 10.0);
                if heard.is_some() && tenth.is_multiple_of(8) && tenth < 100 {
                    line.accept(&peer);
                }
                if disturbed {
                    reconfigure(&mut line, &config);
                    line.act(|r, now| r.admin(now).set_tracked(3, tenth % 2 == 0));
                }
            }
            let list: Vec<String> = line.seen.drain(..).collect();
            list
        };
        assert_eq!(run(false), run(true), "{heard:?}");
    }
}

// not T-9
#[test]
fn a_reload_does_not_take_a_healthy_router_for_dead() {
    // T-8
    let list = list();
    let config = VrConfig {
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let quick = VrConfig {
        settings: VrSettings {
            priority: priority(110),
            ..config.settings
        },
        ..config
    };
    let mut line = Line::new(&config);
    let better = Peer::fridge(&line, 200);
    line.at(1.0).accept(&better);
    line.sleep_until(300.0);
    reconfigure(&mut line, &quick);
    line.expect_state(State::Backup);
    reconfigure(&mut line, &config);
    line.at(300.9).accept(&better).at(303.0);
    line.expect_state(State::Backup);
    // One that yielded a moment ago.
    let mut line = Line::new(&config);
    line.at(5.0).expect_state(State::Active);
    line.accept(&better).expect_state(State::Backup);
    reconfigure(&mut line, &quick);
    expect_active_at(&mut line, 8.570312, Reason::ActiveTimeout);
}

// T-9
#[test]
fn an_effect_that_failed_is_tried_at_once_with_another_configuration() {
    let list = addresses(&["10.10.10.80"]);
    let other = addresses(&["10.10.10.81"]);
    let config = VrConfig {
        settings: VrSettings {
            priority: Priority::OWNER,
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let mut line = Line::new(&config);
    let failure = Failure::Address {
        key: line.key,
        address: ip("10.10.10.80"),
    };
    while line.state() == State::Active {
        line.fail(failure);
    }
    line.expect_state(State::Initialize);
    let addresses = &other[..];
    reconfigure(
        &mut line,
        &VrConfig {
            addresses,
            ..config
        },
    );
    line.expect_state(State::Active);
}

// T-9
#[test]
fn announcements_keep_their_time_and_take_new_ones() {
    let list = list();
    let announce = Announce {
        repeats: 2,
        repeat_interval: secs(60.0),
        refresh: Some(secs(10.0)),
    };
    let config = VrConfig {
        settings: VrSettings {
            priority: Priority::OWNER,
            announce,
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    };
    let announced = |line: &mut Line| {
        let seen = line.seen.drain(..).filter(|seen| seen.contains("arp"));
        seen.collect::<Vec<_>>()
    };
    let mut line = Line::new(&config);
    line.at(1.0).skip();
    let announce = Announce {
        repeat_interval: secs(2.0),
        ..announce
    };
    reconfigure(
        &mut line,
        &VrConfig {
            settings: VrSettings {
                announce,
                ..config.settings
            },
            ..config
        },
    );
    for second in 2..30 {
        line.at(f64::from(second));
        // Something else changes all the time.
        let preempt_delay = secs(f64::from(second));
        let other = VrConfig {
            settings: VrSettings {
                announce,
                preempt_delay,
                ..config.settings
            },
            ..config
        };
        reconfigure(&mut line, &other);
    }
    assert_eq!(
        announced(&mut line),
        [
            "3 arp 10.10.10.80",
            "5 arp 10.10.10.80",
            "15 arp 10.10.10.80",
            "25 arp 10.10.10.80"
        ]
    );
}

#[test]
fn the_end_of_a_preempt_delay_is_told_while_it_runs() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = Line::new(&VrConfig {
        settings: VrSettings {
            preempt_delay: secs(5.0),
            ..VrSettings::DEFAULT
        },
        addresses: &list,
        ..VrConfig::DEFAULT
    });
    let ends = |line: &Line| line.router.preempts_at(line.key).map(|at| at.as_micros());
    assert_eq!(ends(&line), None);
    let worse = Peer::fridge(&line, 50);
    line.at(1.0).accept(&worse);
    line.at(1.5).accept(&worse);
    assert_eq!(ends(&line), Some(6_000_000), "from when it was heard first");
    let better = Peer::fridge(&line, 200);
    line.accept(&better);
    assert_eq!(ends(&line), None);
}
