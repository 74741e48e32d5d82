//! The network of the soak and what can be done to it.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use vrrp_sim::rng::{Draw, Rng};
use vrrp_tests::lab::{Host, Lab, Segment, Vr};
use vrrp_tests::sys;

use crate::server::Server;
use crate::wire::Wire;

/// Virtual routers of VRRPv3 at 0.1 s.
const FAST: u8 = 64;
/// And of VRRPv2, which has whole seconds only.
const SLOW: u8 = 8;
/// Lines of the story that are kept.
const STORY: usize = 400;
/// How long after it was thawed or started a host may still answer for what it held.
const EXCUSE_US: u64 = 3_000_000;

/// Everything.
pub(crate) struct World {
    pub(crate) servers: Vec<Server>,
    pub(crate) client: Host,
    pub(crate) vrs: Vec<Vr>,
    pub(crate) wire: Wire,
    /// The group of each server and, last, of the client, while the hub is divided.
    pub(crate) groups: Option<Vec<usize>>,
    pub(crate) rng: Rng,
    pub(crate) story: VecDeque<String>,
    /// How often each fault was tried.
    pub(crate) tally: BTreeMap<&'static str, u64>,
    /// What a voluntary leave must have shown on the wire: host and virtual router, less one.
    pub(crate) leaves: Vec<(usize, usize)>,
    /// Who has become master since this was last looked at: host, virtual router less one, and
    /// when the log said so.
    pub(crate) promoted: Vec<(usize, usize, u64)>,
    began_us: u64,
    shim: PathBuf,
    lab: Lab,
}

/// The virtual routers: VRIDs 1 to 64 in VRRPv3, four kinds in turn, and 65 to 72 in VRRPv2.
/// Every eighth does not preempt.
fn virtual_routers() -> Vec<Vr> {
    let kind = |vrid: u8| {
        if vrid > FAST {
            let vr = Vr::new(vrid, &format!("10.10.20.{vrid}")).v2();
            return match vrid % 4 {
                0 => vr.vmac(true),
                1 => vr.password("s3cret"),
                2 => vr.vmac(true).password("s3cret"),
                _ => vr,
            };
        }
        let vr = match vrid % 2 {
            0 => Vr::new(vrid, &format!("10.10.20.{vrid}")),
            _ => Vr::new(vrid, &format!("fe80::20:{vrid:x},fd00:20::{vrid:x}")),
        };
        vr.interval_cs(10).vmac(vrid % 4 < 2)
    };
    (1..=FAST + SLOW)
        .map(|vrid| match vrid % 8 {
            7 => kind(vrid).no_preempt(),
            _ => kind(vrid),
        })
        .collect()
}

impl World {
    /// Three servers and a client on a hub; nothing runs yet.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let vrs = virtual_routers();
        let lab = Lab::new(Segment::Hub);
        let client = lab.host("jimbob", 5);
        client
            .netns()
            .ip("route add 10.10.20.0/24 dev xl0\nroute add fd00:20::/64 dev xl0");
        // What a client believes of a neighbour outlives a cut that no host notices: a kernel asks
        // anew after a minute at most, this one after six seconds.
        for family in ["ipv4", "ipv6"] {
            let settings = [
                ("base_reachable_time_ms", "1000"),
                ("delay_first_probe_time", "1"),
            ];
            for (name, value) in settings {
                let name = format!("net/{family}/neigh/xl0/{name}");
                client.netns().sysctl(&name, value);
            }
        }
        let mut configs = vec![BTreeMap::new(); 3];
        for vr in &vrs {
            let first = rng.below(3) as usize;
            for (place, config) in configs.iter_mut().enumerate() {
                // Far enough apart for changes that keep them different.
                let priority = [240, 160, 80][(place + first) % 3] - rng.below(60) as u8;
                config.insert(vr.vrid, priority);
            }
        }
        let hosts = [("clarinet", 6), ("fridge", 2), ("oboe", 7)];
        let servers: Vec<Server> = hosts
            .into_iter()
            .zip(configs)
            .map(|((name, number), config)| {
                Server::new(lab.host(name, number), name == "fridge", config)
            })
            .collect();
        let hosts: Vec<&Host> = servers.iter().map(|server| &server.host).collect();
        let wire = Wire::new(&lab, &hosts, &vrs);
        let shim = build_shim(&lab);
        Self {
            servers,
            client,
            vrs,
            wire,
            groups: None,
            rng,
            story: VecDeque::new(),
            tally: BTreeMap::new(),
            leaves: Vec::new(),
            promoted: Vec::new(),
            began_us: sys::now_us(),
            shim,
            lab,
        }
    }

    /// Adds a line to the story.
    pub(crate) fn tell(&mut self, line: &str) {
        let at = (sys::now_us() - self.began_us) as f64 / 1e6;
        if self.story.len() == STORY {
            self.story.pop_front();
        }
        self.story.push_back(format!("{at:>9.3} {line}"));
    }

    /// Copies what the daemons have said into the story. Returns how many lines that were, and
    /// whether one of them says that the host stalled.
    pub(crate) fn take_logs(&mut self) -> (usize, bool) {
        let mut lines: Vec<(u64, String)> = Vec::new();
        for (host, server) in self.servers.iter().enumerate() {
            let name = server.host.name();
            let log = server.daemon.as_ref().map(|daemon| daemon.take_log());
            for (at_us, line) in log.into_iter().flatten() {
                if let Some(vr) = promoted(&line) {
                    self.promoted.push((host, vr, at_us));
                }
                lines.push((at_us, format!("{name}: {line}")));
            }
        }
        lines.sort();
        let stalled = lines.iter().any(|(_, line)| line.contains("stalled"));
        for (at_us, line) in &lines {
            if self.story.len() == STORY {
                self.story.pop_front();
            }
            let at = at_us.saturating_sub(self.began_us) as f64 / 1e6;
            self.story.push_back(format!("{at:>9.3}   {line}"));
        }
        (lines.len(), stalled)
    }

    /// Starts all daemons.
    pub(crate) fn start_all(&mut self) {
        for host in 0..self.servers.len() {
            self.start(host);
        }
    }

    /// Hosts that hear each other: each group, and whether the client is in it.
    pub(crate) fn parts(&self) -> Vec<(Vec<usize>, bool)> {
        let client = self.servers.len();
        let on_hub =
            |at: usize| at == client || (self.servers[at].port_works && self.servers[at].plugged);
        let group = |at: usize| self.groups.as_ref().map_or(0, |groups| groups[at]);
        let mut parts: Vec<(Vec<usize>, bool)> = Vec::new();
        for number in 0..=client {
            let hosts = (0..client).filter(|at| on_hub(*at) && group(*at) == number);
            let with_client = group(client) == number;
            parts.push((hosts.collect(), with_client));
        }
        let alone = (0..client).filter(|at| !on_hub(*at));
        parts.extend(alone.map(|at| (vec![at], false)));
        parts.retain(|(hosts, _)| !hosts.is_empty());
        parts
    }

    /// Does something at random to somebody. `calm`: nothing else is going on, so that what a leave
    /// shows can be told.
    pub(crate) fn disturb(&mut self, calm: bool) {
        self.leaves.clear();
        if calm {
            self.wire.mark();
        }
        let host = self.rng.below(self.servers.len() as u64) as usize;
        match self.rng.below(12) {
            0 => self.cable(host),
            1 => self.port(host),
            2 => self.partition(),
            3 | 4 => self.freeze(host),
            5 => self.kill(host),
            6 => self.stop(host, calm),
            7 | 8 => self.reload(host, calm),
            9 => self.step_clock(host),
            10 => self.glitch(host),
            _ => self.mend(host),
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    fn note(&mut self, what: &'static str, host: usize) {
        self.count(what);
        let name = self.servers[host].host.name().to_owned();
        self.tell(&format!("{what}: {name}"));
    }

    fn cable(&mut self, host: usize) {
        match self.servers[host].plugged {
            true => {
                self.note("cable pulled", host);
                self.servers[host].host.pull_cable();
            }
            false => {
                self.note("cable plugged", host);
                self.servers[host].host.plug_cable();
            }
        }
        self.servers[host].plugged ^= true;
        if self.servers[host].plugged && !self.servers[host].port_works {
            // The port was set up anew with the cable, and works.
            self.servers[host].host.fail_port();
        }
    }

    fn port(&mut self, host: usize) {
        if !self.servers[host].plugged {
            return self.cable(host);
        }
        match self.servers[host].port_works {
            true => {
                self.note("port failed", host);
                self.servers[host].host.fail_port();
            }
            false => {
                self.note("port mended", host);
                self.servers[host].host.mend_port();
            }
        }
        self.servers[host].port_works ^= true;
    }

    fn partition(&mut self) {
        if self.groups.take().is_some() {
            self.count("healed");
            self.tell("healed");
            return self.lab.heal();
        }
        self.count("partition");
        let groups: Vec<usize> = (0..=self.servers.len())
            .map(|_| self.rng.below(2) as usize)
            .collect();
        let mut hosts: Vec<&Host> = self.servers.iter().map(|server| &server.host).collect();
        hosts.push(&self.client);
        let members = |number| -> Vec<&Host> {
            let of = hosts.iter().zip(&groups);
            of.filter(|(_, group)| **group == number)
                .map(|(host, _)| *host)
                .collect()
        };
        let (one, other) = (members(0), members(1));
        let names = |group: &[&Host]| -> Vec<String> {
            group.iter().map(|host| host.name().to_owned()).collect()
        };
        let line = format!("partition: {:?} {:?}", names(&one), names(&other));
        if !one.is_empty() && !other.is_empty() {
            self.lab.partition(&[&one, &other]);
        }
        self.groups = Some(groups);
        self.tell(&line);
    }

    fn freeze(&mut self, host: usize) {
        let Some(daemon) = &self.servers[host].daemon else {
            return self.start(host);
        };
        match self.servers[host].frozen {
            false => {
                daemon.freeze();
                self.wire.excuse(host, u64::MAX);
                self.servers[host].frozen = true;
                self.note("frozen", host);
            }
            true => self.thaw(host),
        }
    }

    fn thaw(&mut self, host: usize) {
        if let Some(daemon) = &self.servers[host].daemon {
            daemon.thaw();
        }
        self.servers[host].frozen = false;
        self.wire.excuse(host, sys::now_us() + EXCUSE_US);
        self.note("thawed", host);
    }

    fn start(&mut self, host: usize) {
        self.note("started", host);
        self.wire.excuse(host, sys::now_us() + EXCUSE_US);
        self.settle_priorities(host);
        self.servers[host].start(&self.vrs, &self.shim);
    }

    fn kill(&mut self, host: usize) {
        if self.servers[host].lasting {
            return self.reload(host, false);
        }
        let Some(mut daemon) = self.servers[host].daemon.take() else {
            return self.start(host);
        };
        self.wire.excuse(host, u64::MAX);
        daemon.crash();
        self.servers[host].frozen = false;
        self.note("killed", host);
        if self.rng.below(2) == 0 {
            self.start(host);
        }
    }

    fn stop(&mut self, host: usize, calm: bool) {
        if self.servers[host].lasting {
            return self.reload(host, calm);
        }
        if self.servers[host].frozen {
            return self.thaw(host);
        }
        let Some(mut daemon) = self.servers[host].daemon.take() else {
            return self.start(host);
        };
        self.note("stopped", host);
        if calm {
            let all: Vec<u8> = self.servers[host].config.keys().copied().collect();
            self.expect_leave(host, &all);
        }
        daemon.stop();
        self.tell("  has ended");
        if self.rng.below(2) == 0 {
            self.start(host);
        }
    }

    /// Who is master now and leaves of its own will must say so.
    fn expect_leave(&mut self, host: usize, vrids: &[u8]) {
        if !self.servers[host].plugged {
            return;
        }
        let seats = self.wire.seats();
        let now_us = sys::now_us();
        for vrid in vrids {
            let vr = usize::from(*vrid) - 1;
            let interval_us = u64::from(self.vrs[vr].interval_cs) * 10_000;
            // Not long ago, even for a busy machine, and it is calm.
            if seats[host][vr].advert_us + 2 * interval_us > now_us {
                self.leaves.push((host, vr));
            }
        }
    }

    fn reload(&mut self, host: usize, calm: bool) {
        if self.servers[host].frozen {
            return self.thaw(host);
        }
        if self.servers[host].daemon.is_none() {
            return self.start(host);
        }
        let mut words = Vec::new();
        let mut removed = Vec::new();
        for _ in 0..self.rng.between(1, 16) {
            let vrid = self.rng.between(1, self.vrs.len() as u64) as u8;
            let taken: Vec<u8> = self
                .servers
                .iter()
                .filter_map(|server| server.priority(vrid))
                .collect();
            let here = self.servers[host].priority(vrid);
            if here.is_some() && self.rng.below(4) == 0 {
                self.servers[host].config.remove(&vrid);
                words.push(format!("-{vrid}"));
                removed.push(vrid);
                continue;
            }
            let priority = loop {
                let priority = self.rng.between(1, 254) as u8;
                if !taken.contains(&priority) {
                    break priority;
                }
            };
            self.wire.allow(host, usize::from(vrid) - 1, priority);
            self.servers[host].config.insert(vrid, priority);
            words.push(format!("{vrid}={priority}"));
        }
        removed.retain(|vrid| self.servers[host].priority(*vrid).is_none());
        if calm {
            self.expect_leave(host, &removed);
        }
        self.note("reload", host);
        self.tell(&format!("  {}", words.join(" ")));
        self.servers[host].reload(&self.vrs);
    }

    fn step_clock(&mut self, host: usize) {
        let year = 365 * 86_400;
        let seconds = match self.rng.below(4) {
            0 => 0,
            1 => self.rng.between(0, 10) as i64 - 5,
            2 => self.rng.between(0, 7200) as i64 - 3600,
            _ => self.rng.between(0, 40 * year) as i64 - 20 * year as i64,
        };
        self.note("clock stepped", host);
        self.tell(&format!("  to {seconds:+} s"));
        self.servers[host].set_clock(seconds);
    }

    /// Something that is over before or about when the others notice.
    fn glitch(&mut self, host: usize) {
        let pause = Duration::from_millis(self.rng.between(1, 600));
        self.note("glitch", host);
        match self.rng.below(3) {
            0 => {
                self.cable(host);
                std::thread::sleep(pause);
                self.cable(host);
            }
            1 => {
                self.freeze(host);
                std::thread::sleep(pause);
                self.freeze(host);
            }
            _ => {
                self.partition();
                std::thread::sleep(pause);
                self.partition();
            }
        }
    }

    /// Undoes everything that ails a host, and a partition.
    fn mend(&mut self, host: usize) {
        if self.groups.is_some() {
            self.partition();
        }
        if !self.servers[host].plugged {
            self.cable(host);
        }
        if !self.servers[host].port_works {
            self.port(host);
        }
        if self.servers[host].frozen {
            self.thaw(host);
        }
        if self.servers[host].daemon.is_none() {
            self.start(host);
        }
    }

    /// Undoes everything.
    pub(crate) fn mend_all(&mut self) {
        for host in 0..self.servers.len() {
            self.mend(host);
        }
    }

    /// Stops every daemon gracefully.
    pub(crate) fn stop_all(&mut self) {
        for server in &mut self.servers {
            if let Some(mut daemon) = server.daemon.take() {
                daemon.stop();
            }
        }
    }

    /// What was changed has been taken over: nothing older may be advertised from now on.
    pub(crate) fn settle_priorities(&self, host: usize) {
        for (at, vr) in self.vrs.iter().enumerate() {
            let priority = self.servers[host].priority(vr.vrid);
            self.wire.allow_only(host, at, priority);
        }
    }
}

/// The virtual router, less one, that a line of the log says the host has become master of.
fn promoted(line: &str) -> Option<usize> {
    let (before, _) = line.split_once(" -> master")?;
    let (_, rest) = before.split_once("VRID ")?;
    let vrid: usize = rest.split(' ').next()?.parse().ok()?;
    vrid.checked_sub(1)
}

/// Compiles what gives the daemons clocks of their own.
fn build_shim(lab: &Lab) -> PathBuf {
    let shim = lab.dir().join("clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/c/clock.c");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"])
        .arg(source)
        .arg("-o")
        .arg(&shim);
    let status = cc.status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cannot compile {source}: it needs gcc and libc6-dev"
    );
    shim
}
