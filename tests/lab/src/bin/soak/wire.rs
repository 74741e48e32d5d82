//! Judges the frames on the wire one by one as they come, so that hours of them need no memory.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use vrrp_lab::conform::{Rules, Sender};
use vrrp_lab::decode::Mac;
use vrrp_lab::{Lab, Seen, Tap, Vr};

use crate::server::Server;

/// Frames kept for whoever has to find out what went wrong: half a minute or so.
const KEPT: usize = 40_000;
/// Breaches kept; one is enough to end the run.
const BREACHES: usize = 50;
/// How long before or after a frame from a virtual MAC its sender must have advertised, beside
/// three intervals: the kernel speaks when the macvlan goes up, a little before the first
/// advertisement, and when it is closed, a little after the last.
const SLACK_US: u64 = 1_500_000;

/// A host as the rules of [`Rules`] know it.
#[derive(Debug)]
struct Station {
    name: String,
    mac: Mac,
    v4: Ipv4Addr,
    link_local: Ipv6Addr,
}

impl Sender for Station {
    fn name(&self) -> &str {
        &self.name
    }
    fn mac(&self) -> Mac {
        self.mac
    }
    fn v4(&self) -> Ipv4Addr {
        self.v4
    }
    fn link_local(&self) -> Ipv6Addr {
        self.link_local
    }
}

/// The messages that one host has sent for one virtual router.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seat {
    /// Advertisements but those of priority 0.
    pub(crate) adverts: u64,
    /// When the last of them came.
    pub(crate) advert_us: u64,
    /// The first of them since [`Wire::mark`].
    pub(crate) first_us: Option<u64>,
    /// The first advertisement of priority 0 since [`Wire::mark`].
    pub(crate) stop_us: Option<u64>,
    /// Whether it advertised when [`Wire::mark`] was called.
    pub(crate) was_master: bool,
    /// The longest time between two advertisements since then.
    pub(crate) gap_us: u64,
    /// The last gratuitous ARP or unsolicited neighbour advertisement for the service address.
    pub(crate) announced_us: u64,
    /// Frames of any kind from the virtual MAC.
    pub(crate) from_vmac: u64,
    /// Priorities that it may advertise: the configured one and, while a change is under way, the
    /// one before.
    priorities: Vec<u8>,
}

/// A frame from a virtual MAC whose sender was not known to be master.
#[derive(Debug)]
struct Suspect {
    host: usize,
    vr: usize,
    at_us: u64,
    text: String,
}

#[derive(Debug)]
struct State {
    stations: Vec<Station>,
    vrs: Vec<Vr>,
    seats: Vec<Vec<Seat>>,
    /// Until when a host's kernel may answer for what its daemon, frozen or dead, has left.
    excused_us: Vec<u64>,
    suspects: Vec<Suspect>,
    breaches: Vec<String>,
    kept: VecDeque<(u64, Arc<str>, Vec<u8>)>,
    frames: u64,
}

/// The listener.
#[derive(Debug)]
pub(crate) struct Wire {
    state: Arc<Mutex<State>>,
    _tap: Tap,
}

impl Wire {
    /// Begins to listen to the segment of an interface of the servers. `vrs` holds VRID 1, 2 and so
    /// on.
    pub(crate) fn new(lab: &Lab, interface: usize, servers: &[Server], vrs: &[Vr]) -> Self {
        let stations = servers.iter().map(|server| {
            let host = &server.host;
            let (mac, v4, link_local) = match interface.checked_sub(1) {
                None => (host.mac(), host.v4(), host.link_local()),
                Some(further) => {
                    let nic = &server.nics[further];
                    (nic.mac(), nic.v4(), nic.link_local())
                }
            };
            Station {
                name: host.name().to_owned(),
                mac,
                v4,
                link_local,
            }
        });
        let state = Arc::new(Mutex::new(State {
            stations: stations.collect(),
            vrs: vrs.to_vec(),
            seats: vec![vec![Seat::default(); vrs.len()]; servers.len()],
            excused_us: vec![0; servers.len()],
            suspects: Vec::new(),
            breaches: Vec::new(),
            kept: VecDeque::new(),
            frames: 0,
        }));
        let shared = state.clone();
        let tap = lab.tap(move |seen, octets| lock(&shared).take(&seen, octets));
        Self { state, _tap: tap }
    }

    /// The counts of frames that every host has sent so far: by host, by VRID less one.
    pub(crate) fn seats(&self) -> Vec<Vec<Seat>> {
        lock(&self.state).seats.clone()
    }

    /// Forgets the firsts and the gaps.
    pub(crate) fn mark(&self) {
        let now_us = vrrp_lab::sys::now_us();
        let mut state = lock(&self.state);
        let State { seats, vrs, .. } = &mut *state;
        for (seat, vr) in seats
            .iter_mut()
            .flat_map(|seats| seats.iter_mut().zip(&*vrs))
        {
            seat.first_us = None;
            seat.stop_us = None;
            seat.was_master = seat.advert_us + 2 * interval_us(vr) > now_us;
            seat.gap_us = 0;
        }
    }

    /// From now on the host may advertise this priority too.
    pub(crate) fn allow(&self, host: usize, vr: usize, priority: u8) {
        lock(&self.state).seats[host][vr].priorities.push(priority);
    }

    /// From now on the host may advertise no other priority.
    pub(crate) fn allow_only(&self, host: usize, vr: usize, priority: Option<u8>) {
        lock(&self.state).seats[host][vr].priorities = priority.into_iter().collect();
    }

    /// Until then the host's kernel may answer without its daemon.
    pub(crate) fn excuse(&self, host: usize, until_us: u64) {
        lock(&self.state).excused_us[host] = until_us;
    }

    /// The rules that were broken since the beginning.
    pub(crate) fn breaches(&self) -> Vec<String> {
        let mut state = lock(&self.state);
        state.judge_suspects(vrrp_lab::sys::now_us());
        state.breaches.clone()
    }

    /// How many frames there were.
    pub(crate) fn frames(&self) -> u64 {
        lock(&self.state).frames
    }

    /// Writes the last frames to a file that tcpdump reads; times count from the machine's start.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let state = lock(&self.state);
        let mut file = io::BufWriter::new(std::fs::File::create(path)?);
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0xffff, 1] {
            file.write_all(&word.to_ne_bytes())?;
        }
        for (at_us, _, octets) in &state.kept {
            let len = octets.len() as u32;
            for word in [
                (at_us / 1_000_000) as u32,
                (at_us % 1_000_000) as u32,
                len,
                len,
            ] {
                file.write_all(&word.to_ne_bytes())?;
            }
            file.write_all(octets)?;
        }
        file.flush()
    }
}

impl State {
    fn take(&mut self, seen: &Seen, octets: &[u8]) {
        self.frames += 1;
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept
            .push_back((seen.at_us, seen.host.clone(), octets.to_vec()));
        // The client has no part in it.
        let host = self.stations.iter().position(|s| *s.name == *seen.host);
        if let Some(host) = host {
            self.judge(host, seen);
        }
    }

    fn judge(&mut self, host: usize, seen: &Seen) {
        let subject = self.subject(seen);
        if let Some(vr) = subject {
            let mut vr = self.vrs[vr].clone();
            if let Some(advert) = seen.advert() {
                let allowed = &self.seats[host][usize::from(vr.vrid) - 1].priorities;
                if allowed.contains(&advert.priority) {
                    vr.priority = advert.priority;
                }
            }
            let station = &self.stations[host];
            let rules = Rules {
                host: station,
                vr: &vr,
            };
            let broken = rules.breaches(std::slice::from_ref(seen));
            self.report(broken);
        } else if seen.frame.src != self.stations[host].mac && self.behind(seen.frame.src).is_none()
        {
            self.report(vec![format!("a MAC that is nobody's: {seen:?}")]);
        }
        if let Some(vr) = subject.filter(|vr| announces(seen, &self.vrs[*vr])) {
            self.seats[host][vr].announced_us = seen.at_us;
        }
        if let Some(advert) = seen.advert() {
            let Some(vr) = subject else {
                return self.report(vec![format!("nobody's VRID: {seen:?}")]);
            };
            let seat = &mut self.seats[host][vr];
            if advert.priority == 0 {
                seat.stop_us.get_or_insert(seen.at_us);
            } else {
                seat.adverts += 1;
                let gap_us = seen.at_us.saturating_sub(seat.advert_us);
                seat.gap_us = seat.gap_us.max(gap_us);
                seat.advert_us = seen.at_us;
                seat.first_us.get_or_insert(seen.at_us);
            }
        }
        if let Some(vr) = self.behind(seen.frame.src) {
            self.note_virtual_mac(host, vr, seen);
        }
    }

    fn note_virtual_mac(&mut self, host: usize, vr: usize, seen: &Seen) {
        let seat = &mut self.seats[host][vr];
        seat.from_vmac += 1;
        let grace_us = grace_us(&self.vrs[vr]);
        let excused = seen.at_us < self.excused_us[host];
        // A flood of them says no more than the first ones.
        if seen.at_us > seat.advert_us + grace_us && !excused && self.suspects.len() < 1000 {
            let text = format!("{seen:?}");
            let at_us = seen.at_us;
            self.suspects.push(Suspect {
                host,
                vr,
                at_us,
                text,
            });
        }
    }

    /// A host that has not advertised some time after it spoke from a virtual MAC was not master.
    fn judge_suspects(&mut self, now_us: u64) {
        let ripe = |s: &Suspect, vrs: &[Vr]| now_us > s.at_us + grace_us(&vrs[s.vr]);
        let (ripe, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.suspects)
            .into_iter()
            .partition(|suspect| ripe(suspect, &self.vrs));
        self.suspects = rest;
        for suspect in ripe {
            let advert_us = self.seats[suspect.host][suspect.vr].advert_us;
            if advert_us < suspect.at_us && suspect.at_us >= self.excused_us[suspect.host] {
                let text = &suspect.text;
                self.report(vec![format!("from a virtual MAC, and not master: {text}")]);
            }
        }
    }

    fn report(&mut self, breaches: Vec<String>) {
        let room = BREACHES.saturating_sub(self.breaches.len());
        self.breaches.extend(breaches.into_iter().take(room));
    }

    /// The virtual router that a frame speaks of, less one.
    fn subject(&self, seen: &Seen) -> Option<usize> {
        if let Some(advert) = seen.advert() {
            let vr = usize::from(advert.vrid).checked_sub(1)?;
            return (vr < self.vrs.len()).then_some(vr);
        }
        let address: IpAddr = if let Some(arp) = seen.arp() {
            arp.spa.into()
        } else {
            let neighbour = seen.neighbour()?;
            match neighbour.kind {
                136 => neighbour.target.into(),
                _ => neighbour.from.into(),
            }
        };
        self.vrs
            .iter()
            .position(|vr| vr.addresses.contains(&address))
    }

    /// The virtual router, less one, whose virtual MAC this is.
    fn behind(&self, mac: Mac) -> Option<usize> {
        let vr = usize::from(mac.0[5]).checked_sub(1)?;
        let known = self.vrs.get(vr)?;
        (known.vmac && known.virtual_mac() == mac).then_some(vr)
    }
}

/// Whether everybody is told who has the service address.
fn announces(seen: &Seen, vr: &Vr) -> bool {
    let address = vr.addresses[vr.addresses.len() - 1];
    let by_arp = seen
        .arp()
        .is_some_and(|arp| arp.is_gratuitous() && arp.spa == address);
    let solicited = 0x40;
    by_arp
        || seen.neighbour().is_some_and(|neighbour| {
            neighbour.kind == 136 && neighbour.flags & solicited == 0 && neighbour.target == address
        })
}

fn grace_us(vr: &Vr) -> u64 {
    3 * interval_us(vr) + SLACK_US
}

/// The interval in microseconds.
pub(crate) fn interval_us(vr: &Vr) -> u64 {
    u64::from(vr.interval_cs) * 10_000
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no panic while the wire is held")
}
