//! A host with three interfaces, on three segments with a rival and a client on each. Two of these
//! worlds are the same in everything that can be seen from inside.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vrrp_lab::daemons::vrrpctl;
use vrrp_lab::decode::{Mac, What};
use vrrp_lab::linux::kernel;
use vrrp_lab::sys::now_us;
use vrrp_lab::{Capture, Daemon, Host, Lab, Nic, Program, Seen, Segment, Vr};

use crate::files::{self, INTERFACES, RIVAL, RIVALS, Section, VRIDS};

/// How long frames are looked at.
pub(crate) const WINDOW: Duration = Duration::from_millis(1_200);
/// How late a timer may be beside the lateness of the machine.
pub(crate) const LATE: Duration = Duration::from_millis(250);
/// How long answers are waited for.
const ANSWER: Duration = Duration::from_millis(200);
/// An octet of own addresses.
const OWN: u8 = 1;
const CLIENT: u8 = 5;

pub(crate) struct World {
    /// The host that is looked at. Its daemon comes and goes.
    pub(crate) host: Host,
    /// Its further interfaces.
    nics: Vec<Nic>,
    clients: Vec<Host>,
    captures: Vec<Capture>,
    rival: Daemon,
    rival_host: Host,
    /// Whether the rival's daemon runs.
    pub(crate) with_rival: bool,
    _labs: Vec<Lab>,
}

/// Measures how late this machine wakes a thread that sleeps.
pub(crate) struct Lateness {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Duration>>,
}

impl Lateness {
    pub(crate) fn measure() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || {
            let nap = Duration::from_millis(5);
            let mut latest = Duration::ZERO;
            while !stopped.load(Ordering::Relaxed) {
                let begun = Instant::now();
                std::thread::sleep(nap);
                latest = latest.max(begun.elapsed().saturating_sub(nap));
            }
            latest
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }

    /// The most since the beginning.
    pub(crate) fn most(mut self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is taken once");
        thread.join().expect("it only sleeps")
    }
}

/// The observable state of the host from outside and inside, in lines.
pub(crate) type Picture = BTreeSet<String>;

impl World {
    pub(crate) fn new() -> Self {
        let mut labs = vec![Lab::new(Segment::Hub)];
        for (_, net) in &INTERFACES[1..] {
            labs.push(labs[0].segment(Segment::Hub, *net));
        }
        let (host, rival_host) = (labs[0].host("host", OWN), labs[0].host("rival", 2));
        let mut nics = Vec::new();
        for ((name, _), lab) in INTERFACES.iter().zip(&labs).skip(1) {
            nics.push(host.join(lab, name));
            rival_host.join(lab, name);
        }
        let clients: Vec<Host> = labs
            .iter()
            .enumerate()
            .map(|(number, lab)| {
                let client = lab.host(&format!("client{number}"), CLIENT);
                // Addresses of the other segments are looked for on this one, too.
                for (_, net) in INTERFACES {
                    if net != INTERFACES[number].1 {
                        client.netns().ip(&format!(
                            "route add 10.10.{net}.0/24 dev xl0\nroute add fd00:{net}::/64 dev xl0"
                        ));
                    }
                }
                client
            })
            .collect();
        let captures = labs.iter().map(Lab::capture).collect();
        let rivals: Vec<Vr> = (1..=RIVALS).map(rival).collect();
        let world = Self {
            rival: rival_host.start(Program::Vrrpd, &rivals),
            with_rival: true,
            host,
            nics,
            clients,
            captures,
            rival_host,
            _labs: labs,
        };
        // Until the kernel has made its link-local addresses.
        std::thread::sleep(Duration::from_secs(1));
        world
    }

    /// Starts the rival's daemon or stops it. Without it nothing that is heard wakes the host.
    pub(crate) fn set_rival(&mut self, on: bool) {
        match (std::mem::replace(&mut self.with_rival, on), on) {
            (false, true) => self.rival.start_again(&self.rival_host),
            (true, false) => self.rival.stop(),
            _ => {}
        }
    }

    pub(crate) fn set_cable(&self, interface: usize, plugged: bool) {
        match (interface.checked_sub(1), plugged) {
            (None, true) => self.host.plug_cable(),
            (None, false) => self.host.pull_cable(),
            (Some(further), true) => self.nics[further].plug_cable(),
            (Some(further), false) => self.nics[further].pull_cable(),
        }
    }

    /// Takes an interface of the host down or up, as an administrator does.
    pub(crate) fn set_up(&self, interface: usize, up: bool) {
        let (name, net) = INTERFACES[interface];
        if !up {
            self.host.netns().ip(&format!("link set {name} down"));
            return;
        }
        // Its IPv6 address went with it.
        self.host.netns().ip(&format!(
            "link set {name} up\naddr replace fd00:{net}::{OWN}/64 dev {name} nodad"
        ));
    }

    /// Runs `ip` with this line on the host. It may fail.
    pub(crate) fn try_ip(&self, line: &str) {
        self.host.run(&format!("ip {line}"));
    }

    /// The state of the host's kernel.
    pub(crate) fn kernel(&self) -> Vec<String> {
        kernel::state(&self.host)
    }

    /// Begins to look at the frames. The picture is to be taken after [`WINDOW`].
    pub(crate) fn look(&self) {
        for capture in &self.captures {
            capture.clear();
        }
    }

    /// Which master was silent for much longer than its interval since [`look`](Self::look), once it
    /// had begun to advertise. `late` is how late this machine wakes anybody. Nothing is sent to the
    /// host meanwhile.
    pub(crate) fn silent(&self, sections: &[Section], late: Duration) -> Option<String> {
        let now_us = now_us();
        sections.iter().find_map(|section| {
            let capture = &self.captures[section.interface];
            let sent = capture.find(|seen| {
                seen.is_advert("host", section.vrid)
                    && seen.advert().is_some_and(|advert| advert.priority > 0)
            });
            let mut times: Vec<u64> = sent.iter().map(|seen| seen.at_us).collect();
            times.extend(section.wins(self.with_rival).then_some(now_us));
            let gaps = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
            let longest = Duration::from_micros(gaps.max()?);
            let interval = Duration::from_millis(10 * section.interval_cs);
            let (name, _) = INTERFACES[section.interface];
            let (vrid, most) = (section.vrid, 2 * interval + LATE + 4 * late);
            (longest > most).then(|| {
                format!("VRID {vrid} on {name} was silent for {longest:?}, late: {late:?}")
            })
        })
    }

    pub(crate) fn picture(&self, sections: &[Section]) -> Picture {
        let mut lines = self.frames(sections);
        lines.extend(self.answers());
        lines.extend(kernel::state(&self.host));
        lines.extend(self.status());
        lines
    }

    /// The advertisements on every wire, and whether they are as many as they should be.
    fn frames(&self, sections: &[Section]) -> Picture {
        let mut kinds: BTreeMap<String, (u64, usize)> = BTreeMap::new();
        for ((name, _), capture) in INTERFACES.iter().zip(&self.captures) {
            for seen in capture.seen() {
                let Some(line) = describe(&seen, name) else {
                    continue;
                };
                let advert = seen.advert().expect("it is described");
                let kind = kinds.entry(line).or_default();
                kind.0 = match (&*seen.host, advert.version) {
                    ("host", 3) => u64::from(advert.interval_cs),
                    // The interval is rounded up to seconds.
                    ("host", _) => own_interval(sections, advert.vrid),
                    _ => 100,
                };
                kind.1 += 1;
            }
        }
        kinds
            .into_iter()
            .map(|(line, (interval_cs, count))| {
                let expected = WINDOW.as_millis() as u64 / 10 / interval_cs.max(1);
                let enough = count as u64 >= expected / 2;
                format!(
                    "{line}, {}",
                    if enough { "often enough" } else { "too few" }
                )
            })
            .collect()
    }

    /// The host that answers for each address, own and virtual, on each segment.
    fn answers(&self) -> Picture {
        let mut asked: Vec<IpAddr> = Vec::new();
        for (_, net) in INTERFACES {
            asked.push([10, 10, net, OWN].into());
            asked.push(format!("fd00:{net}::{OWN}").parse().expect("an address"));
            for vrid in 1..=VRIDS {
                let address = match files::is_v6(vrid) {
                    true => format!("fd00:{net}::20{vrid}"),
                    false => format!("10.10.{net}.20{vrid}"),
                };
                asked.push(address.parse().expect("an address"));
            }
        }
        for vrid in 1..=VRIDS {
            let list = files::addresses(vrid);
            let plain = list.iter().filter_map(|text| text.split('/').next());
            asked.extend(plain.map(|text| text.parse::<IpAddr>().expect("an address")));
        }
        for (client, capture) in self.clients.iter().zip(&self.captures) {
            client.forget_neighbours();
            capture.clear();
            let sockets = [false, true].map(|v6| client.stack().datagrams(v6, 0));
            for &address in &asked {
                let socket = sockets[usize::from(address.is_ipv6())].as_ref();
                // The kernel sends a neighbour request before any packet. Port 9 discards.
                let to: SocketAddr = (address, 9).into();
                let _ = socket.expect("a socket").send_to(b"", to);
            }
        }
        std::thread::sleep(ANSWER);
        let mut lines = Picture::new();
        for ((name, _), capture) in INTERFACES.iter().zip(&self.captures) {
            for seen in capture.seen() {
                let answer: Option<(IpAddr, Mac)> = match &seen.frame.what {
                    What::Arp(arp) if arp.op == 2 => Some((arp.spa.into(), arp.sha)),
                    What::Neighbour(n) if n.kind == 136 && n.flags & 0b010 != 0 => n
                        .link
                        .filter(|_| asked.contains(&n.target.into()))
                        .map(|mac| (n.target.into(), mac)),
                    _ => None,
                };
                if let Some((address, mac)) = answer {
                    lines.insert(format!("answer {name} {} {address} {mac:?}", seen.host));
                }
            }
        }
        lines
    }

    /// The output of `vrrpctl status`, without times and history.
    fn status(&self) -> Picture {
        let text = vrrpctl(&self.host, &["status", "--json"]);
        assert!(text.starts_with('{'), "no status: {text}");
        let mut lines = Picture::new();
        let (mut name, mut is_master) = (String::new(), false);
        let mut skipped = None;
        for line in text.lines() {
            let depth = line.len() - line.trim_start().len();
            if let Some(outer) = skipped {
                if depth > outer {
                    continue;
                }
                skipped = None;
                if line.trim_start().starts_with('}') || line.trim_start().starts_with(']') {
                    continue;
                }
            }
            let line = line.trim().trim_end_matches(',');
            if line == "]" && depth == 2 {
                // The end of the virtual routers.
                (name, is_master) = ("host".into(), false);
            }
            let Some((key, value)) = line.split_once(": ") else {
                if line.starts_with('"') {
                    lines.insert(format!("status {name} {line}"));
                }
                continue;
            };
            match key.trim_matches('"') {
                "vrid" => name = format!("VRID {value}"),
                "interface" => name = format!("{name} on {value}"),
                "state" => is_master = value == "\"master\"",
                _ => {}
            }
            let ignored = IGNORED.contains(&key.trim_matches('"'))
                || is_master && OF_BACKUPS.contains(&key.trim_matches('"'));
            if ignored {
                if value == "{" || value == "[" {
                    skipped = Some(depth);
                }
                continue;
            }
            lines.insert(format!("status {name} {line}"));
        }
        lines
    }
}

/// Facts of the status that are of the past or of the process.
const IGNORED: [&str; 10] = [
    "last_heard_s",
    "pid",
    "uptime_s",
    "file",
    "since_s",
    "reason",
    "last_rejected",
    "refused_peers",
    "heard",
    "others",
];
/// A master keeps what it last knew of another one.
const OF_BACKUPS: [&str; 2] = ["peer", "down_interval_s"];

/// The rival's virtual router: the addresses of the host's, at home.
fn rival(vrid: u8) -> Vr {
    let addresses = files::addresses(vrid);
    let plain: Vec<&str> = addresses
        .iter()
        .filter_map(|text| text.split('/').next())
        .collect();
    Vr::new(vrid, &plain.join(","))
        .on(INTERFACES[Section::home(vrid)].0)
        .priority(RIVAL)
        .interval_cs(20)
        .vmac(true)
}

/// Everything that an advertisement says. `None`: it is another frame.
fn describe(seen: &Seen, interface: &str) -> Option<String> {
    let advert = seen.advert()?;
    Some(format!(
        "advert {interface} {} VRID {} v{} priority {} every {} cs, {:?} from {} ({:?} to {:?})",
        seen.host,
        advert.vrid,
        advert.version,
        advert.priority,
        advert.interval_cs,
        advert.addresses,
        advert.from,
        seen.frame.src,
        seen.frame.dst,
    ))
}

fn own_interval(sections: &[Section], vrid: u8) -> u64 {
    let section = sections.iter().find(|section| section.vrid == vrid);
    section.map_or(100, |section| section.interval_cs)
}
