//! The property: after any chain of reloads and disturbances a host is as after a fresh start with the
//! last file, and its timer is set. It waits no longer for that than the file has it wait.
//!
//! `VRRP_CHAINS` is how many chains are tried, [`CHAINS`] unless it is set, and `VRRP_SEED` the seed of
//! the first. A chain that fails says its seed: with that and one chain it is tried again.

use std::collections::BTreeSet;

use vrrp_core::{
    AdvertInterval, Duration, Instant, MacMode, Priority, State, TrackEffect, VrSettings,
};
use vrrp_host::{ConfigCause, Event, TrackSpec, Tracked, VrId, VrSpec};

use crate::fake::interface;
use crate::random::Random;
use crate::sim::{Sim, address, advert, config, id, spec};

/// Chains in CI: some seconds.
const CHAINS: u64 = 60;
/// The first seed.
const SEED: u64 = 1;

const INTERFACES: [&str; 3] = ["eth0", "eth1", "eth2"];
/// The numbers that virtual routers can have. Those up to [`RIVALS`] have a rival at home.
const VRIDS: u8 = 6;
const RIVALS: u8 = 3;
/// How long calls take on slow machines.
const COSTS: [(&str, Duration); 6] = [
    ("watch", Duration::from_millis(2)),
    ("prepare", Duration::from_millis(5)),
    ("release", Duration::from_millis(5)),
    ("set MAC", Duration::from_millis(6)),
    ("set address", Duration::from_millis(3)),
    ("set group", Duration::from_millis(1)),
];
/// The priority of the rival, which no other virtual router has.
const RIVAL: u8 = 120;
/// Twice the time by which a rough platform notices late.
const NOTICED: Duration = Duration::from_millis(1_200);
/// How long whoever leaves serves on, at most, when nobody takes over.
const DEPARTURE: Duration = Duration::from_secs(16);
/// The longest back-off after effects that failed, and the work after it.
const BACK_OFF: Duration = Duration::from_secs(70);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn chance(random: &mut Random, of_hundred: u64) -> bool {
    random.below(100) < of_hundred
}

fn pick<T: Clone>(random: &mut Random, list: &[T]) -> T {
    list[random.below(list.len() as u64) as usize].clone()
}

/// The interface on which the rival has a virtual router.
fn home(number: u8) -> &'static str {
    INTERFACES[usize::from(number) % INTERFACES.len()]
}

fn rivals() -> Vec<VrSpec> {
    let one = |number| VrSpec {
        settings: VrSettings {
            advert_interval: AdvertInterval::from_centis(20).unwrap(),
            ..spec(number, RIVAL).settings
        },
        id: id(home(number), number),
        ..spec(number, RIVAL)
    };
    (1..=RIVALS).map(one).collect()
}

/// A virtual router at random. `others` are those before it in the file.
fn section(random: &mut Random, number: u8, others: &[VrSpec]) -> VrSpec {
    let interface = match chance(random, 50) {
        true => home(number),
        false => pick(random, &INTERFACES),
    };
    let mut addresses = vec![address(&format!("10.0.0.{}", 100 + number))];
    if chance(random, 30) {
        addresses.push(address(&format!("10.0.0.{}", 120 + number)));
    }
    // Not without accept mode.
    let elsewhere = chance(random, 15);
    if elsewhere {
        let mut elsewhere = address(&format!("10.0.0.{}", 140 + number));
        elsewhere.interface = Some(pick(random, &INTERFACES).to_owned());
        addresses.push(elsewhere);
    }
    let mut tracks = Vec::new();
    if chance(random, 25) {
        tracks.push(TrackSpec {
            what: Tracked::Interface(pick(random, &INTERFACES).to_owned()),
            effect: pick(random, &[TrackEffect::WhileDown(-60), TrackEffect::Fault]),
        });
    }
    if chance(random, 15) && !others.is_empty() {
        tracks.push(TrackSpec {
            what: Tracked::VirtualRouter(pick(random, others).id),
            effect: TrackEffect::Fault,
        });
    }
    let priority = pick(random, &[1, 50, 100, 140, 200, 254, 255]);
    VrSpec {
        settings: VrSettings {
            priority: Priority::new(priority).unwrap(),
            advert_interval: AdvertInterval::from_centis(pick(random, &[10, 10, 50, 100, 1_000]))
                .unwrap(),
            mac_mode: pick(random, &[MacMode::Virtual, MacMode::Interface]),
            accept: elsewhere || chance(random, 70),
            start_delay: millis(pick(random, &[0, 0, 1_000, 30_000])),
            preempt_delay: match priority {
                255 => Duration::ZERO,
                _ => millis(pick(random, &[0, 0, 1_000, 30_000])),
            },
            ..spec(number, priority).settings
        },
        id: id(interface, number),
        addresses,
        tracks,
        ..spec(number, priority)
    }
}

/// `many` of a hundred virtual routers are there. Where there are few the host is not woken for others.
fn file(random: &mut Random, many: u64) -> Vec<VrSpec> {
    let mut specs = Vec::new();
    for number in 1..=VRIDS {
        if chance(random, many) {
            specs.push(section(random, number, &specs));
        }
    }
    specs
}

/// The file with one virtual router added, changed, moved or removed.
fn edited(random: &mut Random, before: &[VrSpec]) -> Vec<VrSpec> {
    let number = 1 + random.below(VRIDS.into()) as u8;
    let place = before.iter().position(|s| s.id.vrid.get() == number);
    let mut specs = before.to_vec();
    match place {
        Some(place) if chance(random, 25) => drop(specs.remove(place)),
        Some(place) if chance(random, 30) => {
            specs[place].id.interface = pick(random, &INTERFACES).to_owned();
        }
        Some(place) => {
            let new = section(random, number, &before[..place]);
            let old = &mut specs[place];
            match random.below(5) {
                0 => old.settings.priority = new.settings.priority,
                1 => old.settings.advert_interval = new.settings.advert_interval,
                2 => old.settings.start_delay = new.settings.start_delay,
                3 => old.settings.preempt_delay = new.settings.preempt_delay,
                _ => *old = new,
            }
            if old.settings.priority.get() == 255 {
                old.settings.preempt_delay = Duration::ZERO;
            }
        }
        None => {
            let new = section(random, number, &[]);
            specs.insert(0, new);
        }
    }
    // A virtual router that depended on one that is gone, or elsewhere now, does not any more.
    let ids: BTreeSet<VrId> = specs.iter().map(|s| s.id.clone()).collect();
    for spec in &mut specs {
        // Not without accept mode.
        spec.settings.accept |= spec.addresses.iter().any(|a| a.interface.is_some());
        spec.tracks.retain(|track| match &track.what {
            Tracked::VirtualRouter(id) => ids.contains(id),
            _ => true,
        });
    }
    specs
}

/// The file in short.
fn brief(specs: &[VrSpec]) -> String {
    let one = |spec: &VrSpec| {
        let addresses = spec.addresses.iter();
        let addresses: Vec<String> = addresses
            .map(|a| format!("{:?}:{}", a.interface, a.address.address))
            .collect();
        format!(
            "\n    {} priority {} every {:?} after {:?} and {:?}, {addresses:?} {:?} accept {}, {:?}",
            spec.id,
            spec.settings.priority,
            spec.settings.advert_interval,
            spec.settings.start_delay,
            spec.settings.preempt_delay,
            spec.settings.mac_mode,
            spec.settings.accept,
            spec.tracks
        )
    };
    specs.iter().map(one).collect()
}

/// How long an election with this file takes at most from its beginning, delays included.
fn election(specs: &[VrSpec]) -> Duration {
    let one = |spec: &VrSpec| {
        // The rival's interval counts, if it was heard.
        let interval = spec.settings.advert_interval.duration().max(millis(200));
        let down = 4 * interval.as_micros();
        Duration::from_micros(down + interval.as_micros())
            + spec.settings.start_delay
            + spec.settings.preempt_delay
    };
    let longest = specs.iter().map(one).max();
    // One that depends on another begins when that has begun.
    longest.unwrap_or_default() + millis(100)
}

/// The host and its machine as seen from outside, in lines.
fn picture(sim: &Sim) -> BTreeSet<String> {
    let machine = sim.machine(0);
    let mut lines: BTreeSet<String> = machine.installed().into_iter().collect();
    drop(machine);
    for report in sim.hosts[0].statuses() {
        let (id, status) = (&report.id, &report.status);
        lines.insert(format!(
            "status {id}: {:?}, priority {} of {}, enabled {}, {:?} with {:?} {}, refused {:?}, \
             leaving {}, on {:?} from {:?}",
            status.state,
            status.priority,
            report.configured_priority,
            status.enabled,
            report.addresses,
            report.mac_mode,
            report.mac,
            report.refused,
            report.leaving,
            report.interface,
            report.source,
        ));
    }
    let warnings = sim.hosts[0].warnings();
    lines.extend(warnings.iter().map(|warning| format!("{warning:?}")));
    for report in sim.hosts[0].interfaces() {
        lines.insert(format!("interface {} {:?}", report.name, report.state));
    }
    lines
}

/// A simulation of the host, with three interfaces, and the rival.
fn world(specs: &[VrSpec], with_rival: bool, rough: Option<u64>) -> Sim {
    let mut sim = Sim::new(&[]);
    let platform = sim.add_machine();
    let rival = sim.add_machine();
    for index in 0..2 {
        sim.machine(index).set_interface("eth2", interface(index));
    }
    sim.machine(0).rough = rough.map(Random::new);
    sim.open(platform, config(specs));
    if with_rival {
        sim.open(rival, config(&rivals()));
    }
    sim
}

/// A host that a chain happens to.
struct Veteran {
    sim: Sim,
    random: Random,
    specs: Vec<VrSpec>,
    /// Its files have one virtual router at most, and nothing else wakes the host.
    alone: bool,
    /// Of a hundred virtual routers that there can be, those that a new file has.
    many: u64,
    /// Of an interval, the hundredths for which an Active router may be silent.
    patience: u64,
    /// The steps so far, for the message of a failure.
    story: Vec<String>,
    /// Effects have failed: some back-off may be running.
    was_broken: bool,
    disabled: BTreeSet<VrId>,
    overridden: BTreeSet<VrId>,
}

impl Veteran {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        // With one virtual router and nothing else that wakes the host.
        let alone = chance(&mut random, 33);
        let with_rival = !alone && chance(&mut random, 50);
        let many = pick(&mut random, &[15, 60]);
        let mut specs = file(&mut random, many);
        specs.truncate(if alone { 1 } else { specs.len() });
        let rough = !alone && chance(&mut random, 75);
        let rough = rough.then(|| random.below(u64::MAX));
        let slow = chance(&mut random, 40);
        let sim = world(&specs, with_rival, rough);
        if slow {
            sim.machine(0).slow = COSTS.to_vec();
        }
        Self {
            sim,
            random,
            alone,
            many,
            // With calls that take long it may be one and a half.
            patience: if slow { 150 } else { 100 },
            story: vec![format!(
                "seed {seed}, with a rival: {with_rival}, rough: {rough:?}, slow: {slow}{}",
                brief(&specs)
            )],
            specs,
            was_broken: false,
            disabled: BTreeSet::new(),
            overridden: BTreeSet::new(),
        }
    }

    fn tell(&mut self, line: String) {
        let now = self.sim.now().as_micros();
        self.story.push(format!("{now} us: {line}"));
    }

    fn fail(&self, why: &str) -> ! {
        panic!("{why}");
    }

    fn reload(&mut self, specs: Vec<VrSpec>) {
        let result = self.sim.hosts[0].reload(config(&specs));
        let error = result.as_ref().err();
        self.tell(format!("reload, refused: {error:?}{}", brief(&specs)));
        match result {
            Ok(_) => {
                self.specs = specs;
            }
            // An interface cannot be watched: nothing has changed.
            Err(error) if matches!(error.cause, ConfigCause::Platform(_)) => drop(error),
            Err(error) => self.fail(&error.to_string()),
        }
    }

    fn next_file(&mut self) -> Vec<VrSpec> {
        let mut specs = match chance(&mut self.random, 30) {
            true => file(&mut self.random, self.many),
            false => edited(&mut self.random, &self.specs),
        };
        if self.alone && !specs.is_empty() {
            specs.truncate(1);
            specs[0]
                .tracks
                .retain(|track| matches!(track.what, Tracked::Interface(_)));
        }
        specs
    }

    fn any(&mut self) -> Option<VrId> {
        let ids: Vec<VrId> = self.specs.iter().map(|spec| spec.id.clone()).collect();
        (!ids.is_empty()).then(|| pick(&mut self.random, &ids))
    }

    /// One thing happens.
    fn step(&mut self) {
        let name = pick(&mut self.random, &INTERFACES);
        match self.random.below(14) {
            0..=4 => {
                let specs = self.next_file();
                self.reload(specs);
            }
            5 => {
                let mut machine = self.sim.machine(0);
                match machine.interfaces.contains_key(name) {
                    true => machine.remove_interface(name),
                    false => machine.set_interface(name, interface(0)),
                }
                drop(machine);
                self.tell(format!("{name} goes or comes"));
            }
            6 => {
                let state = self.sim.machine(0).interfaces.get(name).copied();
                let mut state = state.unwrap_or_else(|| interface(0));
                match self.random.below(3) {
                    0 => state.ipv4 = state.ipv4.xor(interface(0).ipv4),
                    1 => state.mac.0[4] ^= 1,
                    _ => state.up = !state.up,
                }
                self.sim.machine(0).set_interface(name, state);
                self.tell(format!("{name} is {state:?}"));
            }
            7 => {
                let what = pick(
                    &mut self.random,
                    &["set address", "set MAC", "set group", "prepare", "watch"],
                );
                self.sim.machine(0).broken = vec![what.into()];
                self.was_broken = true;
                self.tell(format!("{what} fails from now on"));
            }
            8 => {
                let after = self.random.below(6) as usize;
                self.sim.machine(0).refuse = Some(after);
                self.was_broken = true;
                self.tell(format!("call {after} from now will fail"));
            }
            9 => {
                self.sim.machine(0).broken.clear();
                self.tell("nothing fails any more".into());
            }
            10 | 11 => {
                let number = 1 + self.random.below(VRIDS.into()) as u8;
                let priority = pick(&mut self.random, &[0, 1, 100, 254, 255]);
                let virtual_address = format!("10.0.0.{}", 100 + number);
                let frame = advert("10.0.0.9", number, priority, &[&virtual_address]);
                self.sim.machine(0).deliver(name, frame);
                self.tell(format!(
                    "VRID {number} is advertised on {name} with {priority}"
                ));
            }
            12 => {
                if let Some(id) = self.any() {
                    let on = self.disabled.remove(&id);
                    if !on {
                        self.disabled.insert(id.clone());
                    }
                    // One that is being replaced does not hear of it.
                    let result = self.sim.hosts[0].set_enabled(&id, on);
                    self.tell(format!("{id} enabled {on}: {result:?}"));
                }
            }
            _ => {
                if let Some(id) = self.any() {
                    let priority = Priority::new(1 + self.random.below(255) as u8);
                    let result = self.sim.hosts[0].set_priority(&id, priority);
                    self.overridden.insert(id.clone());
                    self.tell(format!("{id} has priority {priority:?}: {result:?}"));
                }
            }
        }
    }

    /// Lets time pass in which nothing is done to the host. Whoever is Active all the time advertises.
    fn pause(&mut self, time: Duration) {
        let from = self.sim.now();
        let masters = self.masters();
        self.sim.machine(0).adverts.clear();
        let end = from + time;
        self.sim.run_to(end.as_micros().div_ceil(1_000));
        let now = self.sim.now();
        self.sim.fetch(0);
        let mut changed = BTreeSet::new();
        for (when, event) in std::mem::take(&mut self.sim.events[0]) {
            if let Event::StateChange {
                id, from, to, why, ..
            } = event
            {
                let when = when.as_micros();
                let line = format!("{when} us:   {id}: {from:?} -> {to:?}: {:?}", why.reason);
                self.story.push(line);
                changed.insert(id);
            }
        }
        let adverts = self.sim.machine(0).adverts.clone();
        // A host that hands over has said so, and is silent.
        let still = self.masters();
        let masters = masters.into_iter().filter(|master| still.contains(master));
        for (id, interval) in masters.filter(|(id, _)| !changed.contains(id)) {
            let sent = adverts.iter().filter(|(_, vrid, _)| *vrid == id.vrid.get());
            let mut last = from;
            for at in sent.map(|(at, ..)| *at).chain([now]) {
                let most = Duration::from_micros(interval.as_micros() * self.patience / 100);
                if at.since(last) > most {
                    let report = self.sim.report(0, &id);
                    self.fail(&format!(
                        "{id} is silent from {last:?} to {at:?}: {report:#?}"
                    ));
                }
                last = at;
            }
        }
    }

    /// Those that are Active, to stay, with their intervals.
    fn masters(&self) -> Vec<(VrId, Duration)> {
        let reports = self.sim.hosts[0].statuses();
        let active = reports.into_iter().filter(|report| {
            let status = &report.status;
            status.state == State::Active && !report.leaving && !status.handing_over
        });
        let interval = |id: &VrId| {
            let spec = self.specs.iter().find(|spec| spec.id == *id)?;
            Some(spec.settings.advert_interval.duration())
        };
        active
            .filter_map(|report| Some((report.id.clone(), interval(&report.id)?)))
            .collect()
    }

    fn mend(&mut self) {
        self.tell("all is mended".into());
        if chance(&mut self.random, 60) {
            // A platform that keeps the host awake would hide a wake-up that was lost.
            self.sim.machine(0).rough = None;
        }
        // The host is not told: it tries again.
        self.sim.machine(0).broken.clear();
        for name in INTERFACES {
            let state = self.sim.machine(0).interfaces.get(name).copied();
            if state != Some(interface(0)) {
                self.sim.machine(0).set_interface(name, interface(0));
            }
        }
        for id in std::mem::take(&mut self.disabled) {
            // It may be gone.
            let _ = self.sim.hosts[0].set_enabled(&id, true);
        }
        for id in std::mem::take(&mut self.overridden) {
            let _ = self.sim.hosts[0].set_priority(&id, None);
        }
    }
}

impl Drop for Veteran {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.story.join("\n"));
        }
    }
}

fn expect_as_after_a_fresh_start(seed: u64) {
    let mut veteran = Veteran::new(seed);
    for _ in 0..4 + veteran.random.below(9) {
        veteran.step();
        let pause = pick(&mut veteran.random, &[0, 0, 50, 300, 1_500, 12_000]);
        veteran.pause(millis(pause));
    }
    if chance(&mut veteran.random, 30) {
        let what = pick(&mut veteran.random, &["prepare", "set MAC", "set address"]);
        veteran.sim.machine(0).broken = vec![what.into()];
        veteran.was_broken = true;
        veteran.tell(format!("{what} fails until all is mended"));
    }
    // Where an interface cannot be watched the file is refused.
    veteran.sim.machine(0).broken.retain(|what| what != "watch");
    veteran.sim.machine(0).refuse = None;
    let last = veteran.next_file();
    match chance(&mut veteran.random, 50) {
        true => {
            veteran.mend();
            veteran.reload(last);
        }
        false => {
            veteran.reload(last);
            let pause = pick(&mut veteran.random, &[0, 100, 3_000]);
            veteran.pause(millis(pause));
            veteran.mend();
        }
    }
    let specs = veteran.specs.clone();
    let mut settle = DEPARTURE + election(&specs) + NOTICED;
    if veteran.was_broken {
        settle = settle + BACK_OFF;
    }
    veteran.pause(settle);

    let with_rival = veteran.sim.hosts.len() > 1;
    let mut fresh = world(&specs, with_rival, None);
    fresh.run_to((election(&specs) + NOTICED).as_micros() / 1_000);
    let (expected, seen) = (picture(&fresh), picture(&veteran.sim));
    if seen != expected {
        let lines = |a: &BTreeSet<String>, b: &BTreeSet<String>, sign| -> String {
            let only = a.difference(b);
            only.map(|line| format!("{sign} {line}\n")).collect()
        };
        let difference = lines(&expected, &seen, '-') + &lines(&seen, &expected, '+');
        veteran.fail(&format!(
            "against a fresh start (-) the host has (+):\n{difference}"
        ));
    }

    // The timer is set: whoever is Active advertises within an interval, and when the rival dies
    // everything is taken over within the time that the protocol has for it.
    let masters = veteran.masters();
    let now = veteran.sim.now();
    let armed = veteran.sim.machine(0).next();
    let soonest = masters.iter().map(|(_, interval)| now + *interval).min();
    if soonest.is_some_and(|at| armed.is_none_or(|armed| armed > at)) {
        veteran.fail(&format!(
            "at {now:?} the timer is set to {armed:?}, not {soonest:?}"
        ));
    }
    veteran.sim.frozen.insert(1);
    veteran.pause(election(&specs));
    let states = veteran.sim.hosts[0].statuses();
    let waits = states
        .iter()
        .find(|report| report.status.state != State::Active);
    if let Some(report) = waits {
        veteran.fail(&format!(
            "{} is not Active in the end: {report:#?}",
            report.id
        ));
    }
    veteran.pause(Duration::from_secs(11));
    let quiet = veteran.sim.machine(0).adverts.is_empty();
    assert_eq!(quiet, specs.is_empty(), "seed {seed}");
    let end: Instant = veteran.sim.now();
    assert!(
        veteran.sim.machine(0).next().is_none_or(|at| at > end),
        "seed {seed}"
    );
}

#[test]
fn after_any_chain_a_host_is_as_after_a_fresh_start() {
    let variable = |name| {
        let value = std::env::var(name).ok();
        value.map(|value| value.parse().expect("a number"))
    };
    let chains: u64 = variable("VRRP_CHAINS").unwrap_or(CHAINS);
    let first: u64 = variable("VRRP_SEED").unwrap_or(SEED);
    for seed in first..first + chains {
        expect_as_after_a_fresh_start(seed);
    }
}
