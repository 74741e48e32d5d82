//! The property: after any chain of reloads and disturbances a host is as after a fresh start with the
//! last file.
//!
//! `VRRP_CHAINS` is how many chains are tried, [`CHAINS`] unless it is set, and `VRRP_SEED` the seed of
//! the first. A chain that fails says its seed: with that and one chain it is tried again from a start
//! of its own.

use std::time::{Duration, Instant};

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::{Daemon, Program, wait_until};
use vrrp_sim::rng::{Draw, Rng};

use crate::files::{self, INTERFACES, Section};
use crate::reload;
use crate::world::{LATE, Lateness, Picture, WINDOW, World};

/// Chains in CI: less than a minute.
const CHAINS: u64 = 4;
/// The first seed.
const SEED: u64 = 1;
/// The longest that the last file leaves to wait: a start delay, an election and a preempt delay.
const SETTLED: Duration = Duration::from_millis(3_700);
/// On a busy machine.
const PATIENCE: Duration = Duration::from_secs(25);

fn variable(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

/// A host that chains have happened to, and what is to be mended at the end of one.
struct Veteran {
    world: World,
    daemon: Daemon,
    rng: Rng,
    /// The steps so far, for the message of a failure.
    story: Vec<String>,
    pulled: [bool; 3],
    down: [bool; 3],
    /// Interface and address with prefix length that somebody added.
    added: Vec<(usize, String)>,
    /// The file in force.
    sections: Vec<Section>,
}

impl Veteran {
    fn new(world: World) -> Self {
        let mut rng = Rng::new(SEED);
        let sections = files::file(&mut rng, true);
        let text = files::text(&world.host.dir(), &sections);
        let daemon = Daemon::start(Program::Vrrpd, &world.host, &text, &[]);
        wait_until(PATIENCE, "vrrpd answers", || {
            vrrpctl(&world.host, &["status"]).contains("VRID")
        });
        Self {
            daemon,
            world,
            rng,
            story: Vec::new(),
            pulled: [false; 3],
            down: [false; 3],
            added: Vec::new(),
            sections,
        }
    }

    fn reload(&mut self, sections: Vec<Section>) {
        let text = files::text(&self.world.host.dir(), &sections);
        self.story.push(format!("reload: {sections:#?}"));
        let said = reload(&self.world.host, &self.daemon, &text);
        assert!(said.contains(" added, "), "{said}\n{text}");
        self.sections = sections;
    }

    /// One thing happens.
    fn step(&mut self) {
        let interface = self.rng.below(3) as usize;
        let (name, net) = INTERFACES[interface];
        match self.rng.below(12) {
            0..=4 => {
                let sections = self.next_file(false);
                self.reload(sections);
            }
            5 => {
                let plugged = std::mem::replace(&mut self.pulled[interface], false);
                self.pulled[interface] = !plugged;
                self.story.push(format!("cable of {name}: {plugged}"));
                self.world.set_cable(interface, plugged);
            }
            6 => {
                let up = std::mem::replace(&mut self.down[interface], false);
                self.down[interface] = !up;
                self.story.push(format!("{name} up: {up}"));
                self.world.set_up(interface, up);
            }
            7 | 8 => {
                // Somebody takes a virtual address away, wherever it is.
                let Some(section) = self.any() else {
                    return;
                };
                for address in files::addresses(section.vrid) {
                    self.story.push(format!("{address} is removed"));
                    let ip = address.split('/').next().unwrap_or_default();
                    let line = self.world.host.run(&format!("ip -o addr show to {ip}"));
                    if let Some(device) = line.split_whitespace().nth(1) {
                        self.world
                            .try_ip(&format!("addr del {address} dev {device}"));
                    }
                }
            }
            9 => {
                let address = match self.any() {
                    Some(section) => files::addresses(section.vrid).remove(0),
                    None => format!("10.10.{net}.77/24"),
                };
                self.story.push(format!("{address} is added to {name}"));
                self.world
                    .try_ip(&format!("addr add {address} dev {name} nodad"));
                self.added.push((interface, address));
            }
            10 => self.remove_added(),
            _ => {
                let links = self.world.host.interfaces();
                let links = links.into_iter().filter(|link| link.starts_with("vr"));
                let links: Vec<String> = links.collect();
                if !links.is_empty() {
                    let link = &links[self.rng.below(links.len() as u64) as usize];
                    self.story.push(format!("{link} is deleted"));
                    self.world.try_ip(&format!("link del {link}"));
                }
            }
        }
    }

    /// How late it says that a timer was handled. It says so once a minute at most.
    fn longest_stall(&self) -> Duration {
        let lines = self.daemon.take_log();
        let seconds = lines.iter().filter_map(|(_, line)| {
            let (_, rest) = line.split_once("a timer was handled ")?;
            rest.split_once(" s late")?.0.parse().ok()
        });
        Duration::from_secs_f64(seconds.fold(0.0, f64::max))
    }

    /// Another file, or the one in force with one thing changed.
    fn next_file(&mut self, is_final: bool) -> Vec<Section> {
        match self.rng.chance(400_000) {
            true => files::file(&mut self.rng, is_final),
            false => files::edited(&mut self.rng, self.sections.clone(), is_final),
        }
    }

    fn any(&mut self) -> Option<Section> {
        let count = self.sections.len() as u64;
        (count > 0).then(|| self.sections[self.rng.below(count) as usize].clone())
    }

    fn remove_added(&mut self) {
        for (interface, address) in self.added.drain(..) {
            let (name, _) = INTERFACES[interface];
            self.story.push(format!("{address} is removed from {name}"));
            self.world.try_ip(&format!("addr del {address} dev {name}"));
        }
    }

    /// A chain, at the end of which everything is mended and this file in force.
    fn chain(&mut self, seed: u64) -> Vec<Section> {
        self.rng = Rng::new(seed);
        let with_rival = self.rng.chance(500_000);
        self.world.set_rival(with_rival);
        self.story = vec![format!("seed {seed}, with a rival: {with_rival}")];
        for _ in 0..self.rng.between(4, 10) {
            self.step();
            let pause = self.rng.pick(&[0, 0, 50, 300, 800]);
            std::thread::sleep(Duration::from_millis(pause));
        }
        let last = self.next_file(true);
        // The end of the disturbances and the last file come in either order.
        let mended_first = self.rng.chance(500_000);
        if !mended_first {
            self.reload(last.clone());
            self.world.look();
        }
        for interface in 0..3 {
            if std::mem::take(&mut self.pulled[interface]) {
                self.world.set_cable(interface, true);
            }
            if std::mem::take(&mut self.down[interface]) {
                self.world.set_up(interface, true);
            }
        }
        self.remove_added();
        self.story.push("all is mended".into());
        if mended_first {
            self.world.look();
            self.reload(last.clone());
        }
        last
    }
}

/// The lines that only one of two pictures has.
fn difference(veteran: &Picture, fresh: &Picture) -> String {
    let only = |a: &Picture, b: &Picture, sign: char| {
        let lines = a.difference(b).map(|line| format!("{sign} {line}\n"));
        lines.collect::<String>()
    };
    only(fresh, veteran, '-') + &only(veteran, fresh, '+')
}

#[test]
fn after_any_chain_a_host_is_as_after_a_fresh_start() {
    let chains = variable("VRRP_CHAINS").unwrap_or(CHAINS);
    let seed = variable("VRRP_SEED").unwrap_or(SEED);
    let (mut veteran, mut twin) = (Veteran::new(World::new()), World::new());
    let untouched = twin.kernel();
    for seed in seed..seed + chains {
        let lateness = Lateness::measure();
        let sections = veteran.chain(seed);
        twin.set_rival(veteran.world.with_rival);
        let text = files::text(&twin.host.dir(), &sections);
        let mut fresh = Daemon::start(Program::Vrrpd, &twin.host, &text, &[]);
        std::thread::sleep(SETTLED);
        let late = lateness.most();
        let silent = veteran.world.silent(&sections, late);
        assert_eq!(silent, None, "{}", veteran.story.join("\n"));
        let stalled = veteran.longest_stall();
        assert!(
            stalled <= LATE + 4 * late,
            "{}\na timer was handled {stalled:?} late, this thread {late:?}",
            veteran.story.join("\n")
        );
        let begun = Instant::now();
        loop {
            veteran.world.look();
            twin.look();
            std::thread::sleep(WINDOW);
            let seen = veteran.world.picture(&sections);
            let expected = twin.picture(&sections);
            let difference = difference(&seen, &expected);
            if difference.is_empty() {
                expect_right(&expected, &sections, twin.with_rival);
                break;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{}\nagainst a fresh start (-) the host has (+):\n{difference}\n{}",
                veteran.story.join("\n"),
                vrrpctl(&veteran.world.host, &["status"]),
            );
        }
        fresh.stop();
        assert_eq!(twin.kernel(), untouched, "a stop leaves nothing behind");
    }
}

/// That the two agree on what is right.
fn expect_right(picture: &Picture, sections: &[Section], with_rival: bool) {
    for section in sections {
        let (name, _) = INTERFACES[section.interface];
        let vrid = section.vrid;
        let wins = section.wins(with_rival);
        let state = if wins { "master" } else { "backup" };
        let line = format!("status VRID {vrid} on \"{name}\" \"state\": \"{state}\"");
        assert!(picture.contains(&line), "{line}: {picture:#?}");
        let adverts = format!("advert {name} host VRID {vrid} ");
        let sent = picture.iter().any(|line| line.starts_with(&adverts));
        assert_eq!(sent, wins, "{adverts}");
    }
    let few = picture.iter().find(|line| line.ends_with("too few"));
    assert_eq!(few, None);
}
