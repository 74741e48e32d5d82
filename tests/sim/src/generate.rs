//! The plan of a seed.

use std::net::IpAddr;

use vrrp_core::{
    AddressCheck, AdvertInterval, Announce, Auth, ChecksumMode, Duration, Family, MacMode,
    OwnerReceive, Track, TrackEffect, Version, VirtualAddress,
};

use crate::config::Config;
use crate::intruder::LONGEST_INTERVAL;
use crate::lan::{Micros, Noise};
use crate::plan::{Admin, Fault, Group, Op, Plan};
use crate::port::priority;
use crate::rng::{Draw, Rng};

/// Makes the plan of a seed.
pub fn plan(seed: u64) -> Plan {
    let mut rng = Rng::new(seed);
    let hosts = rng.pick(&[1, 2, 2, 2, 3, 3, 3, 4, 5, 6]);
    let lans: Vec<usize> = (0..rng.pick(&[1, 1, 1, 2, 3]))
        .map(|_| rng.pick(&[1, 1, 2, 3]))
        .collect();
    let groups = groups(&mut rng, lans.len());
    let drift = (0..hosts)
        .map(|_| rng.between(0, 600) as i64 - 300)
        .collect();
    let mut story = Story {
        styles: groups
            .iter()
            .map(|g| Style::of(&mut rng, g, hosts))
            .collect(),
        hosts,
        lans: &lans,
        groups: &groups,
        ops: Vec::new(),
        now: 0,
        rest: 0,
    };
    story.rest = story.time_to_rest();
    story.tell(&mut rng);
    let (mut ops, end) = (story.ops, story.now);
    // By draws of their own, so that the seeds of before tell the stories of before.
    let mut rng = Rng::new(seed ^ 0x7369_676e_6564);
    let mut skew = vec![0; hosts];
    if rng.chance(400_000) {
        skew.fill_with(|| rng.between(0, 2_000_000) as i64 - 1_000_000);
        sign(&mut rng, &mut ops, lans.len(), &skew);
    }
    Plan {
        seed,
        hosts,
        lans,
        groups,
        drift,
        skew,
        ask_every: 100_000,
        ops,
        end,
    }
}

/// Gives every virtual router a key, and adds to a story clocks that are stepped and an attacker who sends
/// what was recorded while nothing happens.
fn sign(rng: &mut Rng, ops: &mut Vec<(Micros, Op)>, lans: usize, skew: &[i64]) {
    let mut signed = Vec::new();
    let mut at_rest = false;
    for (at, mut op) in std::mem::take(ops) {
        if let Op::Admin(_, _, Admin::Insert(config) | Admin::Reconfigure(config)) = &mut op {
            config.signed = true;
            config.settings.auth = Auth::None;
        }
        let expects = op == Op::Expect;
        let host = rng.below(skew.len() as u64) as usize;
        if !expects && rng.chance(200_000) {
            let off = skew[host];
            let (skew, synchronised) = match rng.below(4) {
                // As after a correction: every window has room for it.
                0 | 1 => (off + rng.between(0, 1_800_000) as i64 - 900_000, true),
                2 => (
                    off + rng.pick(&[-31_536_000, -3_600, -60, 60, 3_600]) * 1_000_000,
                    true,
                ),
                _ => (
                    off + rng.pick(&[-31_536_000, -3_600, -60, 60, 3_600]) * 1_000_000,
                    false,
                ),
            };
            signed.push((at, Op::Fault(host, Fault::Clock(skew, synchronised))));
        }
        signed.push((at, op));
        let attack = Op::Attack(rng.below(lans as u64) as usize, 60, rng.bits());
        if expects && !at_rest {
            signed.push((at + 1_000, attack));
        }
        at_rest = expects;
    }
    *ops = signed;
}

fn groups(rng: &mut Rng, lans: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for _ in 0..rng.pick(&[1, 1, 1, 2, 3, 5]) {
        let group = Group {
            lan: rng.below(lans as u64) as usize,
            vrid: rng.pick(&[1, 2, 3, 7, 255]),
            family: rng.pick(&[Family::Ipv4, Family::Ipv4, Family::Ipv6]),
        };
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    groups
}

/// How the hosts of one virtual router are configured.
struct Style {
    configs: Vec<Config>,
}

impl Style {
    fn of(rng: &mut Rng, group: &Group, hosts: usize) -> Style {
        let versions = match group.family {
            Family::Ipv6 => &[Version::V3][..],
            Family::Ipv4 => rng.pick(&[
                &[Version::V3][..],
                &[Version::V3],
                &[Version::V3],
                &[Version::V2],
                &[Version::V2],
                &[Version::Both],
                &[Version::Both, Version::V3],
                &[Version::Both, Version::V2],
            ]),
        };
        let v2 = versions.contains(&Version::V2);
        let intervals: &[u16] = match v2 {
            true => &[100, 200],
            false => &[1, 2, 5, 10, 10, 50, 100, 100, 300],
        };
        let interval = rng.pick(intervals);
        let unlike_intervals = !v2 && rng.chance(200_000);
        let priorities = rng.below(6);
        let preempt = rng.pick(&[1_000_000, 1_000_000, 500_000, 0]);
        let delays = rng.chance(200_000);
        let mac_modes = rng.pick(&[
            &[MacMode::Virtual][..],
            &[MacMode::Virtual],
            &[MacMode::Interface],
            &[MacMode::Virtual, MacMode::Interface],
        ]);
        let unicast = rng.chance(150_000);
        let auth = match v2 && rng.chance(400_000) {
            true => Auth::Simple(*b"paper\0\0\0"),
            false => Auth::None,
        };
        let discard = rng.chance(100_000);
        let strict = v2 && rng.chance(400_000);
        let sources = !unicast && rng.chance(150_000);
        let addresses = addresses(rng, group);
        let tracked = rng.chance(300_000);
        let configs = (0..hosts).map(|host| {
            let mut c = Config::new(addresses.clone());
            c.settings.version = rng.pick(versions);
            c.settings.auth = match c.settings.version {
                Version::V3 => Auth::None,
                _ => auth,
            };
            c.settings.priority = priority(match priorities {
                0 => 100,
                1 if host == 0 => 255,
                2 => rng.pick(&[254, 255, 255]),
                3 => rng.between(1, 254) as u8,
                _ => rng.pick(&[1, 50, 100, 100, 150, 200, 254]),
            });
            let interval = if unlike_intervals {
                rng.pick(intervals)
            } else {
                interval
            };
            c.settings.advert_interval = centis(interval);
            c.settings.preempt = rng.chance(preempt);
            if delays && rng.chance(600_000) {
                c.settings.preempt_delay = Duration::from_millis(rng.between(1, 4_000));
            }
            if delays && rng.chance(600_000) {
                c.settings.start_delay = Duration::from_millis(rng.between(1, 5_000));
            }
            c.settings.accept = rng.chance(500_000);
            c.settings.mac_mode = rng.pick(mac_modes);
            if unicast {
                c.peers = peers(group.family, hosts, host);
                c.settings.max_hops = rng.pick(&[1, 255]);
            }
            if c.peers.is_empty() {
                c.settings.max_hops = 1;
            }
            c.settings.checksum = rng.pick(&[
                ChecksumMode::Auto,
                ChecksumMode::Rfc9568,
                ChecksumMode::Rfc5798,
            ]);
            if strict {
                c.settings.address_check = AddressCheck::Strict;
            }
            if sources && rng.chance(600_000) {
                c.source = Some(source(group.family, host));
            }
            if discard {
                c.settings.owner_receive = OwnerReceive::Discard;
            }
            c.settings.announce = announce(rng);
            if tracked {
                c.tracks = (0..rng.below(3)).map(|_| track(rng)).collect();
            }
            c
        });
        Style {
            configs: configs.collect(),
        }
    }
}

fn centis(interval: u16) -> AdvertInterval {
    AdvertInterval::from_centis(interval).unwrap_or(AdvertInterval::DEFAULT)
}

fn addresses(rng: &mut Rng, group: &Group) -> Vec<VirtualAddress> {
    (1..=rng.between(1, 3) as u8)
        .map(|n| {
            let (address, prefix_len): (IpAddr, u8) = match group.family {
                Family::Ipv4 => ([10, 1 + group.lan as u8, group.vrid, n].into(), 24),
                Family::Ipv6 if n == 2 => {
                    ([0xfe80, 0, 0, 0, 0, 1, group.vrid.into(), 1].into(), 64)
                }
                Family::Ipv6 => {
                    let (lan, vrid) = (group.lan as u16, group.vrid.into());
                    ([0x2001, 0xdb8, lan, 0, 0, 0, vrid, n.into()].into(), 64)
                }
            };
            VirtualAddress {
                address,
                prefix_len,
            }
        })
        .collect()
}

fn peers(family: Family, hosts: usize, host: usize) -> Vec<IpAddr> {
    let others = (0..hosts).filter(|other| *other != host);
    others
        .map(|other| match family {
            Family::Ipv4 => [10, 0, 0, other as u8 + 1].into(),
            Family::Ipv6 => [0xfe80, 0, 0, 0, 0, 0, 0, other as u16 + 1].into(),
        })
        .collect()
}

/// An address of a host that is not the first of its interface.
fn source(family: Family, host: usize) -> IpAddr {
    match family {
        Family::Ipv4 => [10, 0, 1, host as u8 + 1].into(),
        Family::Ipv6 => [0xfe80, 0, 0, 0, 0, 0, 1, host as u16 + 1].into(),
    }
}

fn announce(rng: &mut Rng) -> Announce {
    Announce {
        repeats: rng.pick(&[0, 1, 1, 3]),
        repeat_interval: Duration::from_millis(rng.pick(&[10, 1_000, 5_000])),
        refresh: match rng.chance(300_000) {
            true => Some(Duration::from_millis(rng.pick(&[200, 2_000, 30_000]))),
            false => None,
        },
    }
}

fn track(rng: &mut Rng) -> Track {
    let weight = rng.between(0, 200) as i16 - 100;
    Track {
        object: rng.below(4) as u16,
        effect: match rng.below(4) {
            0 => TrackEffect::Fault,
            3 => TrackEffect::StandBack,
            1 => TrackEffect::WhileDown(weight),
            _ => TrackEffect::WhileUp(weight),
        },
    }
}

/// The story as it grows.
struct Story<'a> {
    styles: Vec<Style>,
    hosts: usize,
    lans: &'a [usize],
    groups: &'a [Group],
    ops: Vec<(Micros, Op)>,
    now: Micros,
    /// Longer than anything takes to come to rest.
    rest: Micros,
}

impl Story<'_> {
    fn time_to_rest(&self) -> Micros {
        let all = self.styles.iter().flat_map(|s| &s.configs);
        let longest = all.map(|c| {
            let delays = c.settings.preempt_delay.as_micros() + c.settings.start_delay.as_micros();
            (c.settings.advert_interval.duration().as_micros(), delays)
        });
        // A stranger may claim as much.
        let mut interval = Duration::from_centis(LONGEST_INTERVAL).as_micros();
        let mut delay = 0;
        for (i, d) in longest {
            interval = interval.max(i);
            delay = delay.max(d);
        }
        5 * interval + 2 * delay + 1_100_000
    }

    fn op(&mut self, op: Op) {
        self.ops.push((self.now, op));
    }

    /// Waits for everything to come to rest, and a little to see that it stays so.
    fn expect(&mut self, extra: Micros) {
        self.now += self.rest + extra;
        self.op(Op::Expect);
        self.now += self.rest;
        self.op(Op::Expect);
        self.now += 1;
    }

    fn tell(&mut self, rng: &mut Rng) {
        for host in 0..self.hosts {
            for group in 0..self.groups.len() {
                let config = Box::new(self.styles[group].configs[host].clone());
                self.op(Op::Admin(host, group, Admin::Insert(config)));
                self.now += rng.between(0, 5_000);
                if !rng.chance(50_000) {
                    self.op(Op::Admin(host, group, Admin::Enable(true)));
                }
            }
            self.now += rng.pick(&[0, 10_000, 1_000_000, 4_000_000]);
        }
        self.expect(0);
        let mut failing = 0;
        for _ in 0..rng.between(2, 5) {
            if rng.chance(500_000) {
                self.single(rng);
                self.expect(failing);
            } else {
                let effects = self.chaos(rng);
                failing = failing.max(effects);
            }
            self.op(Op::Heal);
            self.expect(failing);
        }
    }

    /// One fault on a network at rest.
    fn single(&mut self, rng: &mut Rng) {
        let op = loop {
            let op = self.any(rng);
            let clean = !matches!(
                op,
                Op::Noise(..)
                    | Op::Intrude(..)
                    | Op::Cut(_, _, Some(_))
                    | Op::Fault(_, Fault::Effects(_) | Fault::Late(_))
            );
            if clean {
                break op;
            }
        };
        self.now += rng.between(0, 1_000_000);
        self.op(op);
    }

    /// Many at once. Gives what failed effects may add to the time to come to rest.
    fn chaos(&mut self, rng: &mut Rng) -> Micros {
        let span = rng.pick(&[50_000, 1_000_000, 5_000_000, 30_000_000]);
        let many = rng.between(1, 14);
        let mut extra = 0;
        for _ in 0..many {
            self.now += rng.between(0, 2 * span / many);
            let op = self.any(rng);
            let effects = matches!(
                op,
                Op::Fault(_, Fault::Effects(_))
                    | Op::Admin(
                        _,
                        _,
                        Admin::UndoMac | Admin::UndoGroup | Admin::UndoAddress(_)
                    )
            );
            if effects {
                extra = 70_000_000;
            }
            self.op(op);
        }
        self.now += rng.between(0, span);
        extra
    }

    fn any(&self, rng: &mut Rng) -> Op {
        let host = rng.below(self.hosts as u64) as usize;
        let group = rng.below(self.groups.len() as u64) as usize;
        let lan = self.groups[group].lan;
        let links = (self.lans[lan] - 1 + self.hosts + 1) as u64;
        match rng.below(20) {
            0..=2 => {
                let end = rng.pick(&[None, None, Some(0), Some(1)]);
                Op::Cut(lan, rng.below(links) as usize, end)
            }
            3 => Op::Mend(lan, rng.below(links) as usize),
            4 => Op::Noise(lan, noise(rng)),
            5 => Op::Fault(
                host,
                if rng.chance(500_000) {
                    Fault::Freeze
                } else {
                    Fault::Suspend
                },
            ),
            6 => Op::Fault(host, Fault::Thaw),
            7 => Op::Fault(host, Fault::Crash),
            8 => Op::Fault(host, Fault::Restart),
            9 => Op::Fault(host, Fault::Carrier(lan, rng.chance(400_000))),
            10 => {
                let number = rng.pick(&[None, Some(host as u8 + 1), Some(host as u8 + 21)]);
                Op::Fault(host, Fault::Source(lan, number))
            }
            11 => Op::Fault(host, Fault::Track(rng.below(4) as u16, rng.chance(400_000))),
            12 => Op::Fault(
                host,
                Fault::Effects(rng.pick(&[20_000, 300_000, 1_000_000, 0])),
            ),
            13 => Op::Fault(host, Fault::Late(rng.pick(&[5_000, 100_000, 2_000_000]))),
            14 => Op::Intrude(lan, rng.between(1, 60) as u32, rng.bits()),
            _ => Op::Admin(host, group, self.admin(rng, host, group)),
        }
    }

    fn admin(&self, rng: &mut Rng, host: usize, group: usize) -> Admin {
        let config = &self.styles[group].configs[host];
        match rng.below(12) {
            0 => Admin::Insert(Box::new(config.clone())),
            1 | 2 => Admin::Enable(rng.chance(500_000)),
            3 => Admin::Remove,
            4 | 5 => Admin::Priority(rng.pick(&[
                None,
                Some(1),
                Some(100),
                Some(150),
                Some(254),
                Some(255),
            ])),
            6 | 7 => Admin::Resign,
            8 => match rng.below(4) {
                0 => Admin::UndoMac,
                1 => Admin::UndoGroup,
                at => Admin::UndoAddress(at as usize - 2),
            },
            _ => Admin::Reconfigure(Box::new(changed(rng, config))),
        }
    }
}

fn changed(rng: &mut Rng, config: &Config) -> Config {
    let mut c = config.clone();
    match rng.below(8) {
        0 => c.settings.priority = priority(rng.pick(&[1, 100, 200, 254, 255])),
        1 => c.settings.preempt = !c.settings.preempt,
        2 if c.addresses.len() > 1 => {
            c.addresses.pop();
        }
        2 | 3 => c.addresses.reverse(),
        4 => c.settings.accept = !c.settings.accept,
        5 => c.settings.announce = announce(rng),
        6 if c.settings.version != Version::V2 => {
            // No slower than the story waits for.
            let centis_now = c.settings.advert_interval.as_centis();
            c.settings.advert_interval = centis(rng.between(1, centis_now.into()) as u16);
        }
        _ => {
            c.settings.checksum = rng.pick(&[
                ChecksumMode::Auto,
                ChecksumMode::Rfc9568,
                ChecksumMode::Rfc5798,
            ])
        }
    }
    c
}

fn noise(rng: &mut Rng) -> Noise {
    Noise {
        latency: rng.pick(&[10, 100, 1_000, 20_000]),
        jitter: rng.pick(&[10, 1_000, 50_000]),
        loss: rng.pick(&[0, 10_000, 300_000, 700_000]),
        burst: rng.pick(&[0, 0, 20_000]),
        burst_length: rng.pick(&[10_000, 500_000, 4_000_000]),
        duplicate: rng.pick(&[0, 10_000, 500_000]),
        reorder: rng.pick(&[0, 10_000, 500_000]),
    }
}
