//! Random networks of hosts with synchronisation groups: whatever fails, once it has ended one host has
//! every member, and keeps it.

use std::collections::BTreeMap;

use vrrp_core::{Duration, Instant, MacMode};
use vrrp_sim::groups::model::{Budgets, explore};
use vrrp_sim::groups::{Message, Network, member};
use vrrp_sim::rng::{Draw, Rng};

const SECOND: u64 = 1_000_000;
/// Networks of one run.
const SEEDS: u64 = 4_000;

struct World {
    network: Network,
    /// Messages on their way, by the time of their arrival.
    messages: BTreeMap<(u64, u64), Message>,
    sent: u64,
    /// Of a million.
    loss: u64,
    rng: Rng,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let hosts = rng.pick(&[2, 2, 2, 3]);
        let segments = rng.pick(&[2, 2, 3, 4]);
        let preempt = rng.chance(500_000);
        let mac_mode = rng.pick(&[MacMode::Virtual, MacMode::Interface]);
        let equal = rng.chance(500_000);
        let unlike = rng.chance(100_000);
        let mut configs = Vec::new();
        for _ in 0..hosts {
            let priority = if equal {
                100
            } else {
                rng.pick(&[50, 100, 150, 254])
            };
            let of = |segment| {
                // Members that disagree are legal.
                let priority = match unlike {
                    true => rng.pick(&[50, 100, 150]),
                    false => priority,
                };
                member(segment, priority, preempt, mac_mode)
            };
            configs.push((0..segments).map(of).collect());
        }
        Self {
            network: Network::new(configs),
            messages: BTreeMap::new(),
            sent: 0,
            loss: 0,
            rng,
        }
    }

    fn send(&mut self, messages: Vec<Message>) {
        for message in messages {
            if self.rng.chance(self.loss) {
                continue;
            }
            let latency = self.rng.between(50, 3_000);
            self.sent += 1;
            let at = self.network.now.as_micros() + latency;
            self.messages.insert((at, self.sent), message);
        }
    }

    fn run_until(&mut self, end: u64) {
        let mut left = 1_000_000;
        loop {
            left -= 1;
            assert!(left > 0, "a storm: {:?}", self.network.now);
            let hosts = 0..self.network.hosts.len();
            let timer = hosts
                .filter_map(|host| Some((self.network.deadline(host)?.as_micros(), host)))
                .min();
            let message = self.messages.keys().next().copied();
            let next = timer.map(|(at, _)| at).into_iter();
            let next = next.chain(message.map(|(at, _)| at)).min();
            let Some(at) = next.filter(|at| *at <= end) else {
                break;
            };
            self.network.now = self.network.now.max(Instant::from_micros(at));
            let sent = match (message, timer) {
                (Some(first), _) if first.0 == at => {
                    let message = self.messages.remove(&first).expect("it was there");
                    self.network.deliver(&message)
                }
                (_, Some((_, host))) => self.network.time_out(host),
                _ => unreachable!("one of them is next"),
            };
            self.send(sent);
        }
        self.network.now = self.network.now.max(Instant::from_micros(end));
    }

    fn run_for(&mut self, span: u64) {
        let end = self.network.now + Duration::from_micros(span);
        self.run_until(end.as_micros());
    }

    /// Something goes wrong, or is mended.
    fn disturb(&mut self) {
        let host = self.rng.below(self.network.hosts.len() as u64) as usize;
        let other = self.rng.below(self.network.hosts.len() as u64) as usize;
        let segment = self.rng.below(self.network.segments() as u64) as usize;
        let runs = self.network.hosts[host].runs;
        let on = self.rng.chance(500_000);
        let sent = match self.rng.below(7) {
            0 => self.network.plug(host, segment, on),
            1 if runs => {
                self.network.crash(host);
                Vec::new()
            }
            1 => self.network.start(host),
            2 => self.network.set_faulty(host, segment, on),
            3 if runs => self.network.resign(host),
            // A cable that is dead in one direction, or a port that is silent.
            4 => {
                let silent = &mut self.network.silent[segment];
                match on {
                    true => silent.push((host, other)),
                    false => silent.clear(),
                }
                Vec::new()
            }
            5 => {
                let hosts = 0..self.network.hosts.len();
                let pairs = hosts.flat_map(|other| [(host, other), (other, host)]);
                self.network.silent[segment].extend(pairs);
                Vec::new()
            }
            _ => {
                self.loss = self.rng.pick(&[0, 0, 50_000, 300_000]);
                Vec::new()
            }
        };
        self.send(sent);
    }
}

/// Tells one network, and says what is wrong in the end.
fn tell(seed: u64) -> Result<(), String> {
    let mut world = World::new(seed);
    for host in 0..world.network.hosts.len() {
        let pause = world.rng.pick(&[0, 1_000, SECOND / 2, 7 * SECOND]);
        world.run_for(pause);
        let sent = world.network.start(host);
        world.send(sent);
    }
    for _ in 0..world.rng.between(0, 30) {
        let pause = world
            .rng
            .pick(&[0, 1_000, SECOND / 3, SECOND, 4 * SECOND, 9 * SECOND]);
        let pause = world.rng.below(pause + 1);
        world.run_for(pause);
        world.disturb();
    }
    world.loss = 0;
    let sent = world.network.mend();
    world.send(sent);
    let bound = world.network.bound();
    world.run_for(bound);
    let first = world.network.holder()?;
    for _ in 0..40 {
        world.run_for(SECOND / 2);
        let holder = world.network.holder()?;
        if holder != first {
            return Err(format!("{holder} has it after {first}"));
        }
    }
    Ok(())
}

/// Two hosts with two members each, in every order of messages.
fn explored(priorities: [u8; 2], preempt: bool, mac_mode: MacMode, budgets: Budgets) {
    let host = |priority| {
        let members = (0..2).map(|segment| member(segment, priority, preempt, mac_mode));
        members.collect()
    };
    let covered = match explore(&priorities.map(host), budgets) {
        Ok(covered) => covered,
        Err(path) => panic!("{priorities:?}, preempt {preempt}, {budgets:?}\n{path}"),
    };
    eprintln!(
        "{priorities:?}, preempt {preempt}, {mac_mode:?}: {} states, {} steps",
        covered.states, covered.steps
    );
    assert!(covered.states > 100);
}

#[test]
fn one_host_has_every_member_after_every_order_of_events() {
    const NONE: Budgets = Budgets {
        losses: 0,
        delays: 0,
        cuts: 0,
        silences: 0,
        crashes: 0,
        resigns: 0,
        story: (4, 9),
    };
    for priorities in [[200, 100], [100, 100]] {
        for preempt in [true, false] {
            // From the start on, before anybody is Active.
            let at_start = Budgets {
                losses: 1,
                delays: 1,
                story: (0, 6),
                ..NONE
            };
            let cut = Budgets {
                losses: 1,
                cuts: 1,
                ..NONE
            };
            let silent = Budgets {
                silences: 2,
                ..NONE
            };
            let crash = Budgets {
                losses: 1,
                crashes: 1,
                ..NONE
            };
            for mac_mode in [MacMode::Virtual, MacMode::Interface] {
                for budgets in [at_start, cut, silent, crash] {
                    explored(priorities, preempt, mac_mode, budgets);
                }
            }
            let moved = Budgets {
                delays: 1,
                resigns: 1,
                cuts: 1,
                ..NONE
            };
            explored(priorities, preempt, MacMode::Virtual, moved);
        }
    }
}

#[test]
fn one_host_has_every_member_when_all_is_mended() {
    let from = std::env::var("SEED").ok().and_then(|s| s.parse().ok());
    let seeds = match from {
        Some(seed) => seed..seed + 1,
        None => 0..std::env::var("SEEDS").map_or(SEEDS, |s| s.parse().expect("a number")),
    };
    let bad: Vec<String> = seeds
        .filter_map(|seed| Some(format!("seed {seed}: {}", tell(seed).err()?)))
        .collect();
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}
