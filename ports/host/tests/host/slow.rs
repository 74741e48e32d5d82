//! Platforms whose calls take long: nobody is silent for it.

use std::collections::{BTreeMap, BTreeSet};

use vrrp_core::{
    AdvertInterval, Duration, Instant, InterfaceState, Priority, State, TrackEffect, VrSettings,
};
use vrrp_host::{AddressSpec, HostConfig, TrackSpec, Tracked, VrSpec};

use crate::fake::{Call, interface};
use crate::sim::{Sim, address, at, config, id, ip, key, spec};

/// Virtual routers of one host.
const MANY: u8 = 40;
/// Addresses of each.
const ADDRESSES: u8 = 10;
/// The interval of all.
const INTERVAL: Duration = Duration::from_millis(100);

/// To install everything takes 640 ms, to make ready for it 200 ms.
const COSTS: [(&str, Duration); 6] = [
    ("watch", Duration::from_millis(5)),
    ("prepare", Duration::from_millis(5)),
    ("release", Duration::from_millis(5)),
    ("set MAC", Duration::from_millis(6)),
    ("set address", Duration::from_millis(1)),
    ("set group", Duration::from_millis(1)),
];

fn addresses(number: u8, from: u8) -> Vec<AddressSpec> {
    let one = |last| address(&format!("10.1.{number}.{last}"));
    (from..from + ADDRESSES).map(one).collect()
}

fn many(numbers: impl IntoIterator<Item = u8>, priority: u8) -> Vec<VrSpec> {
    let one = |number| VrSpec {
        settings: VrSettings {
            priority: Priority::new(priority).unwrap(),
            advert_interval: AdvertInterval::from_centis(10).unwrap(),
            ..spec(number, priority).settings
        },
        addresses: addresses(number, 1),
        ..spec(number, priority)
    };
    numbers.into_iter().map(one).collect()
}

fn all(priority: u8) -> HostConfig {
    config(&many(1..=MANY, priority))
}

/// Hosts with these configurations on slow machines.
fn slow(configs: &[HostConfig]) -> Sim {
    let mut sim = Sim::new(&[]);
    for config in configs {
        let platform = sim.add_machine();
        sim.machine(platform.index).slow = COSTS.to_vec();
        sim.open(platform, config.clone());
    }
    sim
}

/// Advertisements of all machines in the order in which they were sent.
fn sent(sim: &Sim) -> Vec<(Instant, u8, u8)> {
    let machines = 0..sim.hosts.len();
    let mut sent: Vec<_> = machines
        .flat_map(|index| sim.machine(index).adverts.clone())
        .collect();
    sent.sort_by_key(|(when, ..)| *when);
    sent
}

/// Asserts that from `from` to `until` no virtual router that somebody had advertised was silent for
/// more than one and a half intervals. One that says so by priority 0 may be silent afterwards.
#[track_caller]
fn assert_heard(sim: &Sim, from: Instant, until: Instant) {
    let bound = INTERVAL + Duration::from_millis(50);
    let mut lasts: BTreeMap<u8, (Instant, u8)> = BTreeMap::new();
    let ends = (1..=u8::MAX).map(|vrid| (until, vrid, 0));
    let in_time = sent(sim).into_iter().filter(|(when, ..)| *when <= until);
    for (when, vrid, priority) in in_time.chain(ends) {
        let Some((last, before)) = lasts.insert(vrid, (when, priority)) else {
            continue;
        };
        let silence = when.since(last.max(from));
        assert!(
            before == 0 || silence <= bound,
            "VRID {vrid} is silent for {silence:?} until {when:?}"
        );
    }
}

fn all_masters(sim: &Sim, index: usize) -> bool {
    (1..=MANY).all(|number| sim.state(index, number) == State::Active)
}

#[test]
fn a_start_silences_nobody() {
    let mut sim = slow(&[all(200)]);
    sim.run_to(2_000);
    assert!(all_masters(&sim, 0));
    assert_eq!(sim.machine(0).addresses.len(), 400);
    assert_heard(&sim, at(0), at(2_000));
}

#[test]
fn addresses_come_before_the_first_advertisement() {
    let mut sim = slow(&[all(200)]);
    sim.run_to(2_000);
    // S-14, for each virtual router.
    let calls = sim.take_calls(0);
    for number in 1..=MANY {
        let place = |wanted: &dyn Fn(&Call) -> bool| calls.iter().position(wanted).unwrap();
        let advert = place(&|call| matches!(call, Call::Advert(n, _) if *n == number));
        let last = ip(&format!("10.1.{number}.{ADDRESSES}"));
        assert!(place(&|call| *call == Call::Mac(number, true)) < advert);
        assert!(place(&|call| *call == Call::Address(last, true)) < advert);
        assert!(place(&|call| *call == Call::Announce(number)) > advert);
    }
}

#[test]
fn a_takeover_silences_nobody() {
    let mut sim = slow(&[all(200), all(100)]);
    sim.run_to(3_000);
    assert!(all_masters(&sim, 0));
    let cut = sim.now();
    sim.machine(0).cut.insert("eth0".into());
    sim.machine(0).adverts.clear();
    sim.machine(1).adverts.clear();
    sim.frozen.insert(0);
    sim.run_to(5_000);
    assert!(all_masters(&sim, 1));
    assert_heard(&sim, cut, at(5_000));

    // The better one is back: each virtual router is served until it is taken over.
    let back = sim.now();
    sim.frozen.clear();
    sim.machine(0).cut.clear();
    sim.run_to(8_000);
    assert!(all_masters(&sim, 0));
    assert_eq!(sim.machine(1).addresses.len(), 0);
    assert_heard(&sim, back, at(8_000));
}

#[test]
fn a_reload_silences_nobody() {
    let mut sim = slow(&[all(200)]);
    sim.run_to(2_000);
    let from = sim.now();
    // Some go, some come, the others get another address in the place of each of theirs.
    let mut specs = many(15..=60, 200);
    for spec in &mut specs {
        spec.addresses = addresses(spec.id.vrid.get(), 101);
    }
    sim.hosts[0].reload(config(&specs)).unwrap();
    sim.run_to(6_000);
    assert_eq!(sim.machine(0).addresses.len(), 460);
    assert_heard(&sim, from, at(6_000));
    for number in 15..=60 {
        assert_eq!(sim.state(0, number), State::Active, "VRID {number}");
    }
    // Nothing but what changed is told to have changed.
    sim.take_calls(0);
    sim.hosts[0].reload(config(&specs)).unwrap();
    assert!(
        !sim.take_calls(0)
            .iter()
            .any(|c| matches!(c, Call::Prepare(_)))
    );
}

#[test]
fn a_reload_that_exchanges_addresses_silences_nobody() {
    let mut sim = slow(&[all(200)]);
    sim.run_to(2_000);
    let from = sim.now();
    let mut specs = many(1..=MANY, 200);
    let lists: Vec<_> = specs.iter().map(|spec| spec.addresses.clone()).collect();
    for (place, spec) in specs.iter_mut().enumerate() {
        spec.addresses = lists[(place + 1) % lists.len()].clone();
    }
    sim.hosts[0].reload(config(&specs)).unwrap();
    sim.run_to(6_000);
    assert_eq!(sim.machine(0).addresses.len(), 400);
    assert_heard(&sim, from, at(6_000));
}

#[test]
fn a_graceful_stop_silences_nobody() {
    let mut sim = as_slow_as_linux(&[all(200), all(100)]);
    let from = sim.now();
    sim.hosts[0].shutdown();
    // S-8: some say so at once, the others as their successors can keep up.
    assert!((1..20).contains(&gone(&sim)), "{}", gone(&sim));
    sim.run_to(6_000);
    assert_eq!(gone(&sim), usize::from(MANY));
    assert!(sim.hosts[0].is_stopped());
    assert!(all_masters(&sim, 1));
    assert_heard(&sim, from, at(6_000));
    assert_never_silent(&sim, from);
}

/// Two hosts, of which the first one is Active, on machines that take as long as Linux: 3 ms for each
/// virtual router, 120 ms for all.
fn as_slow_as_linux(configs: &[HostConfig]) -> Sim {
    let mut sim = slow(configs);
    sim.run_to(3_000);
    assert!(all_masters(&sim, 0));
    let costs = [("set MAC", 1_000), ("set address", 200)];
    let costs = costs.map(|(what, micros)| (what, Duration::from_micros(micros)));
    for index in 0..configs.len() {
        sim.machine(index).slow = costs.to_vec();
        sim.machine(index).adverts.clear();
    }
    sim
}

/// Those that have said that they leave.
fn gone(sim: &Sim) -> usize {
    let zeros = sim.machine(0).adverts.clone().into_iter();
    let zeros = zeros.filter(|(_, _, priority)| *priority == 0);
    zeros
        .map(|(_, vrid, _)| vrid)
        .collect::<BTreeSet<u8>>()
        .len()
}

/// Asserts that nobody was silent for more than an interval and a half from `from` on, not even
/// between priority 0 and the successor.
#[track_caller]
fn assert_never_silent(sim: &Sim, from: Instant) {
    let mut lasts = BTreeMap::new();
    for (when, vrid, _) in sent(sim).into_iter().filter(|(when, ..)| *when >= from) {
        let last = lasts.insert(vrid, when).unwrap_or(from);
        let silence = when.since(last);
        assert!(
            silence <= Duration::from_millis(150),
            "VRID {vrid}: {silence:?}"
        );
    }
    assert_eq!(lasts.len(), usize::from(MANY));
}

// `vrrpctl resign --all`, and `disable --all`: the host is told of each in the same turn.
#[test]
fn many_that_resign_or_stop_at_once_silence_nobody() {
    type Act = fn(&mut Sim, u8);
    let resign: Act = |sim, number| sim.hosts[0].resign(&id("eth0", number)).unwrap();
    let disable: Act = |sim, number| {
        let id = id("eth0", number);
        sim.hosts[0].set_enabled(&id, false).unwrap();
    };
    for (act, end) in [(resign, State::Backup), (disable, State::Initialize)] {
        for leaving in [MANY, 30] {
            let mut sim = as_slow_as_linux(&[all(200), all(100)]);
            let from = sim.now();
            for number in 1..=leaving {
                act(&mut sim, number);
            }
            // The others wait until their successors can keep up.
            assert!((1..20).contains(&gone(&sim)), "{}", gone(&sim));
            sim.run_to(6_000);
            assert_eq!(gone(&sim), usize::from(leaving));
            for number in 1..=MANY {
                let left = number <= leaving;
                let expected = match left {
                    true => [end, State::Active],
                    false => [State::Active, State::Backup],
                };
                assert_eq!(sim.states(number), expected, "VRID {number}");
            }
            assert_never_silent(&sim, from);
            assert_heard(&sim, from, at(6_000));
        }
    }
}

#[test]
fn many_that_are_enabled_at_once_silence_nobody() {
    let mut sim = as_slow_as_linux(&[all(200), all(100)]);
    for number in 1..=30 {
        let id = id("eth0", number);
        sim.hosts[0].set_enabled(&id, false).unwrap();
    }
    sim.run_to(6_000);
    for index in 0..2 {
        sim.machine(index).slow = COSTS.to_vec();
    }
    let from = sim.now();
    for number in 1..=30 {
        let id = id("eth0", number);
        sim.hosts[0].set_enabled(&id, true).unwrap();
    }
    sim.run_to(9_000);
    assert!(all_masters(&sim, 0));
    assert_heard(&sim, from, at(9_000));
}

#[test]
fn what_waits_for_its_turn_to_leave_can_be_taken_back() {
    let mut sim = as_slow_as_linux(&[all(200), all(100)]);
    for number in 1..=MANY {
        let id = id("eth0", number);
        sim.hosts[0].set_enabled(&id, false).unwrap();
    }
    let told = gone(&sim) as u8;
    for number in told + 1..=MANY {
        let id = id("eth0", number);
        sim.hosts[0].set_enabled(&id, true).unwrap();
    }
    sim.run_to(6_000);
    for number in 1..=MANY {
        let expected = match number <= told {
            true => State::Initialize,
            false => State::Active,
        };
        assert_eq!(sim.state(0, number), expected, "VRID {number}");
    }
    // To be removed takes the place of to resign, and a priority ends a resignation.
    let mut sim = as_slow_as_linux(&[all(200), all(100)]);
    for number in 1..=MANY {
        sim.hosts[0].resign(&id("eth0", number)).unwrap();
    }
    sim.hosts[0]
        .set_priority(&id("eth0", 30), Priority::new(210))
        .unwrap();
    sim.hosts[0].reload(config(&many(1..=30, 200))).unwrap();
    sim.run_to(9_000);
    assert_eq!(sim.hosts[0].statuses().len(), 30);
    assert_eq!(sim.states(29), [State::Backup, State::Active]);
    assert_eq!(sim.states(30), [State::Active, State::Backup]);
    assert_eq!(sim.state(1, MANY), State::Active);
}

#[test]
fn a_fault_that_many_share_silences_no_other() {
    let mut specs = many(1..=MANY, 200);
    for spec in &mut specs[..30] {
        spec.tracks = vec![TrackSpec {
            what: Tracked::Interface("eth1".into()),
            effect: TrackEffect::Fault,
        }];
    }
    let mut sim = slow(&[config(&specs), all(100)]);
    sim.run_to(3_000);
    assert!(all_masters(&sim, 0));
    let from = sim.now();
    for up in [false, true] {
        sim.machine(0).set_up("eth1", up);
        let end = sim.now().as_micros() / 1_000 + 4_000;
        sim.run_to(end);
        let states = if up { State::Active } else { State::Initialize };
        assert!((1..=30).all(|number| sim.state(0, number) == states));
        assert!((31..=MANY).all(|number| sim.state(0, number) == State::Active));
    }
    assert_heard(&sim, from, sim.now());
}

#[test]
fn an_interface_that_comes_back_silences_nobody_elsewhere() {
    let mut specs = many(1..=MANY, 200);
    for spec in &mut specs[..30] {
        spec.id.interface = "eth1".into();
    }
    let mut sim = slow(&[config(&specs)]);
    sim.run_to(2_000);
    sim.machine(0)
        .set_interface("eth1", InterfaceState::default());
    sim.run_to(3_000);
    assert_eq!(sim.machine(0).addresses.len(), 100);
    let from = sim.now();
    sim.machine(0).set_interface("eth1", interface(0));
    sim.run_to(5_000);
    assert_eq!(sim.machine(0).addresses.len(), 400);
    let served = |(_, vrid, _): &(Instant, u8, u8)| *vrid > 30;
    sim.machine(0).adverts.retain(served);
    assert_heard(&sim, from, at(5_000));
}

#[test]
fn a_step_returns_soon_and_what_remains_keeps_the_host_awake() {
    let mut sim = slow(&[all(200)]);
    sim.run_to(310);
    let mut steps = 0;
    while !all_masters(&sim, 0) || sim.machine(0).addresses.len() < 400 {
        let before = sim.now();
        if sim.machine(0).is_readable(before) {
            sim.hosts[0].step().unwrap();
            let took = sim.now().since(before);
            // Its slice, and the call that was begun before the end of that.
            assert!(took <= Duration::from_millis(10), "{took:?}");
            steps += 1;
        } else {
            let next = sim.machine(0).next().unwrap();
            sim.net.borrow().clock.set(next);
        }
    }
    assert!(steps > 50, "{steps}");
    assert!(sim.now() <= at(1_500), "{:?}", sim.now());
}

#[test]
fn an_effect_that_fails_among_many_is_tried_again() {
    let mut sim = slow(&[all(200)]);
    sim.machine(0).broken.push("set address 10.1.7.3".into());
    sim.run_to(2_000);
    assert_eq!(sim.state(0, 7), State::Initialize);
    assert_eq!(sim.machine(0).addresses.len(), 390);
    sim.machine(0).broken.clear();
    sim.run_to(6_000);
    assert!(all_masters(&sim, 0));
    assert_eq!(sim.machine(0).addresses.len(), 400);
    assert_heard(&sim, at(3_000), at(6_000));
    let report = sim.report(0, &id("eth0", 7));
    assert_eq!(report.status.key, key(7));
}
