//! The network of the soak and what can be done to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use vrrp_lab::linux::kernel;
use vrrp_lab::sys;
use vrrp_lab::{Host, Lab, Segment, Vr};
use vrrp_sim::rng::{Draw, Rng};

use crate::server::{Place, Server};
use crate::wire::{Seat, Wire, interval_us};

/// The interfaces of each server, and the segments' third octets.
pub(crate) const INTERFACES: [(&str, u8); 3] = [("xl0", 10), ("xl1", 30), ("xl2", 40)];
/// The virtual router as it is on an interface: each segment has its own addresses, but for the
/// link-local ones.
pub(crate) fn on(vr: &Vr, interface: usize) -> Vr {
    let step = interface as u8;
    let moved = |address: &IpAddr| match address {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c + step, d].into()
        }
        IpAddr::V6(ip) if ip.is_unicast_link_local() => IpAddr::V6(*ip),
        IpAddr::V6(ip) => {
            let mut segments = ip.segments();
            segments[1] += u16::from(step);
            segments.into()
        }
    };
    let addresses = vr.addresses.iter().map(moved).collect();
    Vr {
        addresses,
        ..vr.clone().on(INTERFACES[interface].0)
    }
}

/// The interface on which the hosts begin with a virtual router, for each eight of them. Moves lead
/// back there as often as elsewhere, so that hosts meet.
const HOMES: [usize; 9] = [0, 1, 0, 2, 0, 1, 0, 2, 0];
/// Virtual routers of VRRPv3 at 0.1 s.
const FAST: u8 = 64;
/// And of VRRPv2, which has whole seconds only.
const SLOW: u8 = 8;
/// All virtual routers.
pub(crate) const ALL: u8 = FAST + SLOW;
/// Lines of the story that are kept.
const STORY: usize = 400;
/// How long after it was thawed or started a host may still answer for what it held.
const EXCUSE_US: u64 = 3_000_000;

/// Everything.
pub(crate) struct World {
    pub(crate) servers: Vec<Server>,
    /// A client on each segment.
    pub(crate) clients: Vec<Host>,
    /// The virtual routers, as they are on the first interface.
    pub(crate) vrs: Vec<Vr>,
    /// The wire of each segment.
    pub(crate) wires: Vec<Wire>,
    /// The group of each server and, last, of the client, while the first hub is divided.
    pub(crate) groups: Option<Vec<usize>>,
    pub(crate) rng: Rng,
    pub(crate) story: VecDeque<String>,
    /// How often each fault was tried.
    pub(crate) tally: BTreeMap<&'static str, u64>,
    /// The sign on the wire that a voluntary leave must have given.
    pub(crate) leaves: Vec<Leave>,
    /// The virtual routers, less one, that the only disturbance of this step, a reload, did not
    /// name: nothing may happen to them.
    pub(crate) bystanders: Option<BTreeSet<usize>>,
    /// The changes of state in the logs since this was last looked at.
    pub(crate) changes: Vec<Change>,
    began_us: u64,
    shim: PathBuf,
    /// The segments. The first one can be divided.
    labs: Vec<Lab>,
}

/// A virtual router that a host leaves of its own will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Leave {
    pub(crate) host: usize,
    /// The virtual router, less one.
    pub(crate) vr: usize,
    pub(crate) interface: usize,
}

/// A change of state that a log tells of.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) host: usize,
    /// The virtual router, less one.
    pub(crate) vr: usize,
    pub(crate) interface: usize,
    pub(crate) to_master: bool,
    pub(crate) at_us: u64,
    pub(crate) line: String,
}

/// The interface on which the hosts begin with a virtual router.
fn home(vrid: u8) -> usize {
    HOMES[(usize::from(vrid) - 1) / 8]
}

/// The first `count` virtual routers: VRIDs 1 to 64 in VRRPv3, four kinds in turn, and 65 to 72 in
/// VRRPv2. Every eighth does not preempt.
fn virtual_routers(count: u8) -> Vec<Vr> {
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
    (1..=count)
        .map(|vrid| match vrid % 8 {
            7 => kind(vrid).no_preempt(),
            _ => kind(vrid),
        })
        .collect()
}

impl World {
    /// Three servers on three hubs, each with a client; nothing runs yet.
    pub(crate) fn new(seed: u64, count: u8) -> Self {
        let mut rng = Rng::new(seed);
        let vrs = virtual_routers(count);
        let mut labs = vec![Lab::new(Segment::Hub)];
        for (_, net) in &INTERFACES[1..] {
            labs.push(labs[0].segment(Segment::Hub, *net));
        }
        let names = ["jimbob", "jimbob1", "jimbob2"];
        let clients = labs.iter().zip(names).enumerate();
        let clients = clients.map(|(interface, (lab, name))| client(lab, name, interface));
        let clients: Vec<Host> = clients.collect();
        let mut configs = vec![BTreeMap::new(); 3];
        for vr in &vrs {
            let first = rng.below(3) as usize;
            for (place, config) in configs.iter_mut().enumerate() {
                // Far enough apart for changes that keep them different.
                let priority = [240, 160, 80][(place + first) % 3] - rng.below(60) as u8;
                let interface = home(vr.vrid);
                let place = Place {
                    interface,
                    priority,
                };
                config.insert(vr.vrid, place);
            }
        }
        let hosts = [("clarinet", 6), ("fridge", 2), ("oboe", 7)];
        let servers: Vec<Server> = hosts
            .into_iter()
            .zip(configs)
            .map(|((name, number), config)| {
                let host = labs[0].host(name, number);
                let further = INTERFACES.iter().zip(&labs).skip(1);
                let nics = further.map(|((name, _), lab)| host.join(lab, name));
                let nics = nics.collect();
                Server::new(host, nics, name == "fridge", config)
            })
            .collect();
        let wires = labs.iter().enumerate();
        let wires = wires.map(|(interface, lab)| {
            let vrs: Vec<Vr> = vrs.iter().map(|vr| on(vr, interface)).collect();
            Wire::new(lab, interface, &servers, &vrs)
        });
        let wires = wires.collect();
        let shim = vrrp_lab::clock::build_shim(&labs[0]);
        Self {
            servers,
            clients,
            vrs,
            wires,
            groups: None,
            rng,
            story: VecDeque::new(),
            tally: BTreeMap::new(),
            leaves: Vec::new(),
            bystanders: None,
            changes: Vec::new(),
            began_us: sys::now_us(),
            shim,
            labs,
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
                self.changes.extend(change(host, at_us, &line));
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
        // Until the kernels have made their link-local addresses.
        std::thread::sleep(Duration::from_secs(1));
        for server in &mut self.servers {
            server.untouched = kernel::state(&server.host);
        }
        for host in 0..self.servers.len() {
            self.start(host);
        }
    }

    /// Hosts that hear each other on the segment of an interface: each group, and whether the client
    /// is in it.
    pub(crate) fn parts(&self, interface: usize) -> Vec<(Vec<usize>, bool)> {
        let client = self.servers.len();
        let passes = |at: usize| interface > 0 || self.servers[at].port_works;
        let on_hub = |at: usize| at == client || passes(at) && self.servers[at].plugged[interface];
        let groups = self.groups.as_ref().filter(|_| interface == 0);
        let group = |at: usize| groups.map_or(0, |groups| groups[at]);
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
        self.bystanders = None;
        if calm {
            self.wires.iter().for_each(Wire::mark);
        }
        let host = self.rng.below(self.servers.len() as u64) as usize;
        let interface = self.rng.below(INTERFACES.len() as u64) as usize;
        match self.rng.below(16) {
            0 => self.cable(host, 0),
            1 => self.cable(host, interface),
            2 => self.port(host),
            3 => self.partition(),
            4 => self.freeze(host),
            5 => self.kill(host),
            6 => self.stop(host, calm),
            7..=12 => self.reload(host, calm),
            13 => self.step_clock(host),
            14 => self.glitch(host, interface),
            _ => self.mend(host),
        }
    }

    /// The counts of frames that every host has sent so far on the segment of an interface.
    pub(crate) fn seats(&self, interface: usize) -> Vec<Vec<Seat>> {
        self.wires[interface].seats()
    }

    /// Until then the host's kernel may answer without its daemon.
    fn excuse(&self, host: usize, until_us: u64) {
        for wire in &self.wires {
            wire.excuse(host, until_us);
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

    fn cable(&mut self, host: usize, interface: usize) {
        let plugged = !self.servers[host].plugged[interface];
        self.note(
            if plugged {
                "cable plugged"
            } else {
                "cable pulled"
            },
            host,
        );
        self.tell(&format!("  {}", INTERFACES[interface].0));
        self.servers[host].set_cable(interface, plugged);
        if interface == 0 && plugged && !self.servers[host].port_works {
            // The port was set up anew with the cable, and works.
            self.servers[host].host.fail_port();
        }
    }

    fn port(&mut self, host: usize) {
        if !self.servers[host].plugged[0] {
            return self.cable(host, 0);
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
            return self.labs[0].heal();
        }
        self.count("partition");
        let groups: Vec<usize> = (0..=self.servers.len())
            .map(|_| self.rng.below(2) as usize)
            .collect();
        let mut hosts: Vec<&Host> = self.servers.iter().map(|server| &server.host).collect();
        hosts.push(&self.clients[0]);
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
            self.labs[0].partition(&[&one, &other]);
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
                self.excuse(host, u64::MAX);
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
        self.excuse(host, sys::now_us() + EXCUSE_US);
        self.note("thawed", host);
    }

    fn start(&mut self, host: usize) {
        self.note("started", host);
        self.excuse(host, sys::now_us() + EXCUSE_US);
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
        self.excuse(host, u64::MAX);
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
            let config = self.servers[host].config.iter();
            let all: Vec<(u8, usize)> = config.map(|(vrid, at)| (*vrid, at.interface)).collect();
            self.expect_leave(host, &all);
        }
        daemon.stop();
        self.tell("  has ended");
        if self.rng.below(2) == 0 {
            self.start(host);
        }
    }

    /// A master that leaves an interface of its own will must say so.
    fn expect_leave(&mut self, host: usize, left: &[(u8, usize)]) {
        let seats: Vec<_> = (0..INTERFACES.len()).map(|at| self.seats(at)).collect();
        let now_us = sys::now_us();
        for (vrid, interface) in left.iter().copied() {
            let vr = usize::from(vrid) - 1;
            let seat = &seats[interface][host][vr];
            // Not long ago, even for a busy machine, and it is calm.
            let is_master = seat.advert_us + 2 * interval_us(&self.vrs[vr]) > now_us;
            if is_master && self.servers[host].plugged[interface] {
                self.leaves.push(Leave {
                    host,
                    vr,
                    interface,
                });
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
        let before = self.servers[host].config.clone();
        match self.rng.below(4) {
            0 => self.evacuate(host),
            _ => {
                for _ in 0..self.rng.between(1, 16) {
                    self.edit(host);
                }
            }
        }
        let after = &self.servers[host].config;
        let (mut words, mut left, mut named) = (Vec::new(), Vec::new(), BTreeSet::new());
        for vr in &self.vrs {
            let vrid = vr.vrid;
            let (old, new) = (before.get(&vrid), after.get(&vrid));
            if old == new {
                continue;
            }
            named.insert(usize::from(vrid) - 1);
            let what = match (old, new) {
                (Some(old), Some(new)) if old.interface == new.interface => "priority changed",
                (Some(_), Some(_)) => "moved",
                (Some(_), None) => "removed",
                (None, _) => "added",
            };
            *self.tally.entry(what).or_default() += 1;
            if let Some(old) = old
                && new.is_none_or(|new| new.interface != old.interface)
            {
                left.push((vrid, old.interface));
            }
            if let Some(new) = new {
                self.wires[new.interface].allow(host, usize::from(vrid) - 1, new.priority);
                words.push(format!(
                    "{vrid}={}@{}",
                    new.priority, INTERFACES[new.interface].0
                ));
            } else {
                words.push(format!("-{vrid}"));
            }
        }
        let interfaces = |config: &BTreeMap<u8, Place>| -> BTreeSet<usize> {
            config.values().map(|place| place.interface).collect()
        };
        let (old, new) = (interfaces(&before), interfaces(after));
        for (what, many) in [
            ("interface added", new.difference(&old).count()),
            ("interface removed", old.difference(&new).count()),
        ] {
            *self.tally.entry(what).or_default() += many as u64;
        }
        if calm {
            self.expect_leave(host, &left);
            let all = 0..self.vrs.len();
            self.bystanders = Some(all.filter(|vr| !named.contains(vr)).collect());
        }
        self.note("reload", host);
        self.tell(&format!("  {}", words.join(" ")));
        self.servers[host].reload(&self.vrs);
    }

    /// Removes, moves, changes or adds a virtual router in a host's configuration.
    fn edit(&mut self, host: usize) {
        let vrid = self.rng.between(1, self.vrs.len() as u64) as u8;
        let here = self.servers[host].config.get(&vrid).copied();
        let interface = match (here, self.rng.below(4)) {
            (Some(_), 0) => {
                self.servers[host].config.remove(&vrid);
                return;
            }
            (Some(here), 1 | 2) => here.interface,
            _ => self.somewhere(vrid),
        };
        let others = self.servers.iter().enumerate();
        let taken: BTreeSet<u8> = others
            .filter(|(other, _)| *other != host)
            .filter_map(|(_, server)| Some(server.config.get(&vrid)?.priority))
            .collect();
        let moved = here.filter(|here| here.interface != interface);
        let priority = match moved {
            Some(here) => here.priority,
            None => loop {
                let priority = self.rng.between(1, 254) as u8;
                if !taken.contains(&priority) {
                    break priority;
                }
            },
        };
        let place = Place {
            interface,
            priority,
        };
        self.servers[host].config.insert(vrid, place);
    }

    /// Moves all virtual routers of one interface elsewhere, or back to where nothing is: the
    /// configuration ceases to name an interface, or names it again.
    fn evacuate(&mut self, host: usize) {
        let named = self.servers[host].interfaces();
        let unnamed = (0..INTERFACES.len()).find(|interface| !named.contains(interface));
        let from = self.rng.below(INTERFACES.len() as u64) as usize;
        let step = self.rng.between(1, 2) as usize;
        for (vrid, place) in &mut self.servers[host].config {
            match unnamed {
                Some(unnamed) if home(*vrid) == unnamed => place.interface = unnamed,
                None if place.interface == from => {
                    place.interface = (from + step) % INTERFACES.len();
                }
                _ => {}
            }
        }
    }

    /// An interface to put a virtual router on.
    fn somewhere(&mut self, vrid: u8) -> usize {
        match self.rng.below(2) {
            0 => home(vrid),
            _ => self.rng.below(INTERFACES.len() as u64) as usize,
        }
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
    fn glitch(&mut self, host: usize, interface: usize) {
        let pause = Duration::from_millis(self.rng.between(1, 600));
        self.note("glitch", host);
        match self.rng.below(3) {
            0 => {
                self.cable(host, interface);
                std::thread::sleep(pause);
                self.cable(host, interface);
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
        for interface in 0..INTERFACES.len() {
            if !self.servers[host].plugged[interface] {
                self.cable(host, interface);
            }
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

    /// Marks the changes as taken over: nothing older may be advertised from now on.
    pub(crate) fn settle_priorities(&self, host: usize) {
        for (interface, wire) in self.wires.iter().enumerate() {
            for (at, vr) in self.vrs.iter().enumerate() {
                let priority = self.servers[host].priority(vr.vrid, interface);
                wire.allow_only(host, at, priority);
            }
        }
    }
}

/// The change of state that a line of the log tells of.
fn change(host: usize, at_us: u64, line: &str) -> Option<Change> {
    let (_, rest) = line.split_once("VRID ")?;
    let (vrid, rest) = rest.split_once(" on ")?;
    let (name, rest) = rest.split_once(' ')?;
    let (_, rest) = rest.split_once(" -> ")?;
    Some(Change {
        host,
        vr: vrid.parse::<usize>().ok()?.checked_sub(1)?,
        interface: INTERFACES.iter().position(|(known, _)| *known == name)?,
        to_master: rest.starts_with("master"),
        at_us,
        line: line.to_owned(),
    })
}

/// A client that looks for the virtual addresses of its segment there.
fn client(lab: &Lab, name: &str, interface: usize) -> Host {
    let client = lab.host(name, 5);
    let net = 20 + interface;
    client.netns().ip(&format!(
        "route add 10.10.{net}.0/24 dev xl0\nroute add fd00:{net}::/64 dev xl0"
    ));
    // A client's neighbour entry outlives a cut that no host notices: a kernel asks
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
    client
}
