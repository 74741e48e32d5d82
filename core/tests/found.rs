//! The findings of the simulator, the oracle and the transition table, replayed as time lines. The seeds
//! are those of the simulator at the time; since it has grown it tells other stories by them.

mod common;

use common::{IF, Line, Peer, addresses, cs, interface, ip, key, priority, secs};
use vrrp_core::{
    Announce, Duration, Engine, Family, Instant, InterfaceState, MacMode, State, VirtualAddress,
    VrConfig, VrSettings,
};

fn config<'a>(value: u8, addresses: &'a [VirtualAddress]) -> VrConfig<'a> {
    VrConfig {
        settings: VrSettings {
            priority: priority(value),
            mac_mode: MacMode::Interface,
            announce: Announce {
                repeats: 0,
                ..Announce::DEFAULT
            },
            ..VrSettings::DEFAULT
        },
        addresses,
        ..VrConfig::DEFAULT
    }
}

fn active(config: &VrConfig<'_>) -> Line {
    let mut line = Line::new(config);
    line.at(4.1).expect_state(State::Active).skip();
    line
}

/// Seed 12: with the interface's own MAC, two advertisements of the better router that were read
/// together made a Backup that still said its last word.
#[test]
fn a_backup_is_silent_though_it_still_owed_an_advertisement() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(100, &list));
    let frame = Peer::fridge(&line, 200).frame();
    for _ in 0..2 {
        line.hear_frame(&frame);
    }
    line.drain();
    line.expect(&[
        "4.1 -10.10.10.80",
        "4.1 Active -> Backup: a router of higher priority advertises",
    ]);
}

/// Seed 155: the last word of a router that yields taught other Backups its own short interval, by
/// which they took the silence of a slower router for its death, again and again.
#[test]
fn who_yields_names_the_interval_of_the_better_router() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&VrConfig {
        settings: VrSettings {
            advert_interval: cs(10),
            ..config(100, &list).settings
        },
        ..config(100, &list)
    });
    let mut better = Peer::fridge(&line, 200);
    better.interval = cs(300);
    line.accept(&better).expect(&["4.1 v3 priority 100"]);
    let said = common::Sent::parse(line.frames.last().unwrap());
    assert_eq!(said.interval_cs, 300);
    // Being Active again, it names its own.
    line.accept(&better).at(20.0).expect_state(State::Active);
    let said = common::Sent::parse(line.frames.last().unwrap());
    assert_eq!(said.interval_cs, 10);
}

/// Seed 155: a losing advertisement that came soon after another one was never answered.
#[test]
fn an_answer_to_a_loser_that_may_not_be_given_now_is_given_later() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(200, &list));
    let mut loser = Peer::fridge(&line, 100);
    line.accept(&loser);
    line.expect(&["4.1 v3 priority 200", "4.1 arp 10.10.10.80"]);
    loser.source = ip("10.10.10.3");
    line.accept(&loser).expect(&[]);
    line.at(4.3)
        .expect(&["4.225 v3 priority 200", "4.225 arp 10.10.10.80"]);
    // No loser is left: back to once an interval.
    line.at(6.3)
        .expect(&["5.225 v3 priority 200", "6.225 v3 priority 200"]);
}

/// Seed 238: a host that slept while it yielded woke as a Backup whose time was already over.
#[test]
fn who_slept_while_yielding_does_not_take_over_from_a_healthy_router() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(100, &list));
    let better = Peer::fridge(&line, 200);
    line.accept(&better).skip();
    line.sleep_until(9.0).wake().expect_state(State::Backup);
    assert!(line.router.poll_timeout().unwrap() > line.now);
    // One interval and a skew more for the better router.
    line.at(10.6).expect_state(State::Backup);
    line.at(10.7).expect_state(State::Active);
}

/// The oracle: a stopped router whose interface went down served on until its time was over.
#[test]
fn a_handover_ends_with_the_interface() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(100, &list));
    line.act(|r, now| {
        r.admin(now)
            .set_enabled(common::key(1, Family::Ipv4), false)
            .unwrap()
    })
    .expect(&["4.1 v3 priority 0"]);
    line.act(|r, now| {
        let down = InterfaceState {
            up: false,
            ..common::interface()
        };
        r.set_interface(now, common::IF, down).unwrap();
    });
    line.expect(&[
        "4.1 -10.10.10.80",
        "4.1 Active -> Initialize: disabled",
        "4.1 -group IPv4",
    ]);
}

/// The oracle: a delay before preemption that was running when preemption was switched off, or the
/// priority lowered, ended in a preemption.
#[test]
fn a_preempt_delay_ends_in_nothing_when_it_is_no_longer_wanted() {
    let list = addresses(&["10.10.10.80"]);
    let preempting = VrConfig {
        settings: VrSettings {
            preempt_delay: secs(2.0),
            ..config(200, &list).settings
        },
        ..config(200, &list)
    };
    for change in [
        VrConfig {
            settings: VrSettings {
                preempt: false,
                ..preempting.settings
            },
            ..preempting
        },
        VrConfig {
            settings: VrSettings {
                priority: priority(50),
                ..preempting.settings
            },
            ..preempting
        },
    ] {
        let mut line = Line::new(&preempting);
        let peer = Peer::fridge(&line, 100);
        line.at(1.0).accept(&peer).at(2.5).accept(&peer);
        line.act(|r, now| {
            let key = common::key(1, Family::Ipv4);
            r.admin(now).reconfigure(key, &change).unwrap();
        });
        line.at(5.0).expect_state(State::Backup);
    }
}

/// The transition table: a router that yielded to a better one left for a worse one too, and paid
/// no heed when the better one stopped, so that nobody served for three intervals.
#[test]
fn who_yields_does_so_for_the_better_router_only() {
    let list = addresses(&["10.10.10.80"]);
    let mut line = active(&config(100, &list));
    let better = Peer::fridge(&line, 200);
    let mut worse = Peer::fridge(&line, 50);
    worse.source = ip("10.10.10.3");
    line.accept(&better).skip();
    line.accept(&worse).expect(&[]).expect_state(State::Active);
    let mut stopping = better.clone();
    stopping.priority = 0;
    line.accept(&stopping).expect(&["4.1 v3 priority 100"]);
    line.at(4.9).expect_state(State::Active).expect(&[]);
}

/// Many virtual routers whose interface was down for long, or that were all disabled: no deadline of theirs
/// was behind the time at which it was set.
#[test]
fn after_a_time_without_deadlines_none_is_in_the_past() {
    let list = addresses(&["10.10.10.80"]);
    let down = InterfaceState {
        up: false,
        ..interface()
    };
    for tenths in (10..400).step_by(7) {
        for disabled in [false, true] {
            let mut engine = Box::new(Engine::<1, 64, 1>::new());
            let mut now = Instant::from_micros(1_000_000);
            engine.set_interface(now, IF, interface()).unwrap();
            let keys: Vec<_> = (1..=6).map(|vrid| key(vrid, Family::Ipv4)).collect();
            for key in &keys {
                let mut admin = engine.admin(now);
                admin.insert(*key, &config(100, &list)).unwrap();
                admin.set_enabled(*key, true).unwrap();
            }
            let set = |engine: &mut Engine<1, 64, 1>, now, up: bool| {
                if !disabled {
                    let state = if up { interface() } else { down };
                    return engine.set_interface(now, IF, state).unwrap();
                }
                for key in &keys {
                    engine.admin(now).set_enabled(*key, up).unwrap();
                }
            };
            now = now + Duration::from_millis(500);
            engine.handle_timeout(now);
            set(&mut engine, now, false);
            assert_eq!(engine.poll_timeout(), None);
            now = now + Duration::from_millis(100 * tenths);
            set(&mut engine, now, true);
            let next = engine.poll_timeout().unwrap();
            assert!(next > now, "{tenths} {disabled}: {next:?} {now:?}");
        }
    }
}
