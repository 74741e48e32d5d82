//! Second paths: copies of advertisements on another interface, `heartbeat = eth1`. They tell a master that is
//! dead from one that is cut off. The engine never sees them: they are evidence, and no part of the election.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use vrrp_core::wire::Datagram;
use vrrp_core::{
    Duration, Failure, Family, FrameKind, Instant, MacAddr, Reason, State, Status, Transmit, VrKey,
};

use super::Host;
use super::core::{Core, Vr};
use super::receive::CONTESTS;
use crate::host_if::HostIf;
use crate::interfaces::Interfaces;
use crate::limits::MAX_FRAME;
use crate::platform::Platform;
use crate::report::{About, PathState, SecondPath, Warning};
use crate::sightings::Seen;

/// How long a master is called dead after this host took over from it. After that it may be a backup, which
/// no host hears.
const REMEMBER: Duration = Duration::from_secs(180);
/// The time between two attempts to hear on a second path.
const RETRY: Duration = Duration::from_secs(10);
/// Intervals by which a copy is newer than the last advertisement on the other path, before the latter counts
/// as silent.
const BEHIND: u64 = 3;

/// The second paths of all virtual routers.
#[derive(Debug, Default)]
pub(super) struct SecondPaths {
    /// Where the copies of a virtual router's advertisements go, and the peer whose advertisement is copied
    /// where each peer gets one.
    ways: BTreeMap<VrKey, (HostIf, Option<IpAddr>)>,
    /// The virtual router of the copies that come in, by VRID, family and second interface.
    of_copies: BTreeMap<VrKey, VrKey>,
    /// Groups that were joined for them.
    joined: BTreeSet<(HostIf, Family)>,
    /// Groups that could not be joined, and why.
    refused: BTreeMap<(HostIf, Family), String>,
    retry_at: Option<Instant>,
}

/// The other routers that are, or were, heard on second paths: by virtual router.
pub(super) type Copies<'a> = BTreeMap<VrKey, Vec<(IpAddr, &'a Seen)>>;

impl SecondPaths {
    /// When [`Host::go_on_with_second_paths`] is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Whether a group is needed for copies.
    pub(super) fn needs(&self, host_if: HostIf, family: Family) -> bool {
        let mut ways = self.ways.iter();
        ways.any(|(key, (way, _))| *way == host_if && key.family == family)
    }

    /// The virtual router of which a datagram on an interface may be a copy.
    fn of_copy(&self, host_if: HostIf, datagram: &Datagram<'_>) -> Option<(VrKey, VrKey)> {
        let copy = host_if.key(datagram.vrid()?, datagram.family());
        Some((copy, *self.of_copies.get(&copy)?))
    }

    /// Sends a copy of an advertisement, with the MAC of the second interface and to the group whatever its
    /// IP header says: packet sockets take it in, and no kernel does.
    pub(super) fn send_copy<P: Platform>(
        &self,
        platform: &mut P,
        interfaces: &Interfaces,
        transmit: &Transmit<'_>,
    ) {
        if self.ways.is_empty() || transmit.kind != FrameKind::Advertisement {
            return;
        }
        let Some((host_if, first)) = self.ways.get(&transmit.key) else {
            return;
        };
        let Some(interface) = interfaces.get(*host_if) else {
            return;
        };
        let mac = interface.state.mac;
        let is_ready = interface.state.up && mac != MacAddr::default();
        if !is_ready || transmit.unicast != *first {
            return;
        }
        let mut buf = [0; MAX_FRAME];
        let Some(copy) = buf.get_mut(..transmit.frame.len()) else {
            return;
        };
        copy.copy_from_slice(transmit.frame);
        let Some((destination, rest)) = copy.split_first_chunk_mut() else {
            return;
        };
        let Some(source) = rest.first_chunk_mut() else {
            return;
        };
        *destination = transmit.key.family.group_mac().0;
        *source = mac.0;
        platform.announce(*host_if, copy);
    }
}

impl Core {
    /// Takes in a frame if it is a copy of an advertisement. Returns whether it is.
    pub(super) fn take_copy(&mut self, now: Instant, host_if: HostIf, frame: &[u8]) -> bool {
        if self.second_paths.of_copies.is_empty() {
            return false;
        }
        let Ok(Some(datagram)) = Datagram::new(frame) else {
            return false;
        };
        let Some((copy, key)) = self.second_paths.of_copy(host_if, &datagram) else {
            return false;
        };
        let spec = self.vrs.get(&key).and_then(|vr| vr.current.as_ref());
        let own = spec.and_then(|spec| self.source(key, spec));
        if own != Some(datagram.source) {
            self.foreign(now, copy, &datagram);
        }
        true
    }

    /// Whether a sighting is one of copies.
    pub(super) fn is_of_copies(&self, key: VrKey) -> bool {
        self.second_paths.of_copies.contains_key(&key)
    }

    /// Forgets a group that the platform has lost, so that it is joined again.
    pub(super) fn copies_lost(&mut self, now: Instant, failure: Failure) {
        if let Failure::Group { ifindex, family } = failure {
            let group = (HostIf::new(ifindex), family);
            if self.second_paths.joined.remove(&group) {
                self.second_paths.retry_at = Some(now + RETRY);
            }
        }
    }

    /// The other routers that are, or were, heard on second paths.
    pub(super) fn copies(&self) -> Copies<'_> {
        let mut all = Copies::new();
        if self.second_paths.of_copies.is_empty() {
            return all;
        }
        for (place, seen) in self.sightings.iter() {
            if let Some(key) = self.second_paths.of_copies.get(&place.key) {
                all.entry(*key).or_default().push((place.address, seen));
            }
        }
        for heard in all.values_mut() {
            // The one that is heard, and of these the best.
            heard.sort_by_key(|(address, seen)| (seen.last_heard, seen.priority, *address));
            heard.reverse();
        }
        all
    }

    /// The second path of a virtual router, with what it tells of other routers. `None`: it has none.
    pub(super) fn second_path(
        &self,
        now: Instant,
        key: VrKey,
        copies: &Copies<'_>,
    ) -> Option<SecondPath> {
        let (host_if, _) = self.second_paths.ways.get(&key)?;
        let status = self.engine.status(key)?;
        let interface = self.interfaces.get(*host_if)?;
        let heard = copies.get(&key).map_or(&[][..], Vec::as_slice);
        let ours = heard
            .iter()
            .filter(|(_, seen)| self.has_our_address(key, seen));
        let ours: Vec<(IpAddr, &Seen)> = ours.copied().collect();
        // Before the platform has told its state nothing is known.
        let (state, of) = match interface.state.up || !interface.reported {
            true => self.judge(now, key, &status, &ours),
            false => (PathState::Down, None),
        };
        Some(SecondPath {
            interface: interface.name.clone(),
            state,
            peer: of.map(|(address, _)| address),
            priority: of.map(|(_, seen)| seen.priority),
            last_heard: of.map(|(_, seen)| seen.last_heard),
        })
    }

    /// Compares both paths.
    fn judge<'a>(
        &'a self,
        now: Instant,
        key: VrKey,
        status: &Status,
        heard: &[(IpAddr, &'a Seen)],
    ) -> (PathState, Option<(IpAddr, &'a Seen)>) {
        let is_active = status.state == State::Active && !status.handing_over;
        let fresh = || {
            heard
                .iter()
                .filter(|(_, seen)| !seen.is_stale(now))
                .copied()
        };
        if let Some(one) = fresh().find(|(address, seen)| self.is_cut(now, key, *address, seen)) {
            return (PathState::Cut, Some(one));
        }
        let goes_on = |(address, _): &(IpAddr, &Seen)| {
            let here = self.sightings.get(key, *address, false);
            is_active && here.is_some_and(|here| !here.is_stale(now) && here.contests >= CONTESTS)
        };
        if let Some(one) = fresh().find(goes_on) {
            return (PathState::OneWay, Some(one));
        }
        if let Some(one) = fresh().next() {
            return (PathState::Both, Some(one));
        }
        // From here on the second path is silent.
        let last = heard.first().copied().filter(|(_, seen)| seen.priority > 0);
        if status.state == State::Backup
            && let Some(master) = &status.active
            && let Some(here) = self.sightings.get(key, master.address, false)
            && !here.is_stale(now)
        {
            // At first a copy may be due.
            return match now.since(here.since) > here.patience() {
                true => (PathState::Missed, Some((master.address, here))),
                false => (PathState::Silent, None),
            };
        }
        if last.is_some() && self.holder(now, key).is_some() {
            return (PathState::Frozen, last);
        }
        let taken_over = status.state == State::Active && status.reason == Reason::ActiveTimeout;
        let died = last.filter(|(_, seen)| {
            // The last copy came before the takeover, and not long before.
            let silence = Duration::from_micros(2 * seen.patience().as_micros());
            seen.last_heard <= status.since && status.since.since(seen.last_heard) <= silence
        });
        match died {
            Some(_) if taken_over && now.since(status.since) <= REMEMBER => (PathState::Dead, died),
            _ => (PathState::Silent, None),
        }
    }

    /// Whether a router whose copies are heard is silent on the interface of the virtual router.
    fn is_cut(&self, now: Instant, key: VrKey, address: IpAddr, copy: &Seen) -> bool {
        let both = [false, true].map(|refused| self.sightings.get(key, address, refused));
        let interval = copy.interval.duration().as_micros();
        let behind = Duration::from_micros(BEHIND * interval);
        let last = both.iter().flatten().map(|here| here.last_heard).max();
        match last {
            Some(last) => copy.last_heard.since(last) > behind && now.since(last) > behind,
            None => now.since(copy.since) > copy.patience(),
        }
    }

    /// Whether a router advertises an address of ours: otherwise it is of another group.
    fn has_our_address(&self, key: VrKey, seen: &Seen) -> bool {
        let mut ours = self.engine.addresses(key).map(|a| a.address);
        ours.any(|address| seen.addresses.contains(&address))
    }

    /// Warns of what second paths tell, and of those that tell nothing.
    pub(super) fn second_path_warnings(&self, now: Instant, list: &mut Vec<Warning>) {
        if self.second_paths.ways.is_empty() {
            return;
        }
        for ((host_if, _), text) in &self.second_paths.refused {
            let about = self.about_interface(*host_if);
            let text = text.clone();
            list.push(Warning { about, text });
        }
        let copies = self.copies();
        for key in self.second_paths.ways.keys() {
            let (Some(vr), Some(path)) = (self.vrs.get(key), self.second_path(now, *key, &copies))
            else {
                continue;
            };
            let about = || About::VirtualRouter(vr.id.clone());
            let text = path_warning(vr, &path);
            list.extend(text.map(|text| Warning {
                about: about(),
                text,
            }));
            let heard = copies.get(key).into_iter().flatten();
            let strangers = heard.filter(|(_, seen)| {
                !seen.is_stale(now) && seen.priority > 0 && !self.has_our_address(*key, seen)
            });
            list.extend(strangers.take(1).map(|(address, _)| Warning {
                about: about(),
                text: format!(
                    "{address} uses VRID {} for other addresses on {}, the second path: give one of the two another serverid",
                    key.vrid, path.interface
                ),
            }));
        }
    }
}

/// The condition that a second path shows, in words that stay the same for as long as it lasts.
fn path_warning(vr: &Vr, path: &SecondPath) -> Option<String> {
    let (here, there) = (&vr.id.interface, &path.interface);
    let peer = path.peer.map(|peer| peer.to_string()).unwrap_or_default();
    Some(match path.state {
        PathState::Silent | PathState::Both => return None,
        PathState::Down => format!(
            "{there}, the second path, is down or missing: a master that falls silent cannot be told from one that is cut off"
        ),
        PathState::Missed => format!(
            "{peer} is heard on {here} and not on {there}: the second path is broken, or heartbeat is not set on that host"
        ),
        PathState::Cut => format!(
            "{peer} is alive on {there} and not heard on {here}: it is cut off from this host there; look for the cable, the VLAN or a firewall between the two"
        ),
        PathState::OneWay => format!(
            "{peer} is heard on {here} and {there} and goes on as master beside this host: advertisements of this host do not reach it on {here}, in one direction, or it refuses them"
        ),
        PathState::Frozen => format!(
            "{peer} fell silent on {here} and {there}, and its address is answered for: its vrrpd stands still, or was killed and left the address behind"
        ),
        PathState::Dead => {
            format!("{peer} fell silent on {here} and {there} at once: it is dead")
        }
    })
}

impl<P: Platform> Host<P> {
    /// Goes over to the second paths that are configured now.
    pub(super) fn configure_second_paths(&mut self, now: Instant) {
        let core = &mut self.core;
        let (mut ways, mut of_copies) = (BTreeMap::new(), BTreeMap::new());
        for (key, vr) in &core.vrs {
            let Some(spec) = vr.wanted() else { continue };
            let host_if = spec.heartbeat.as_ref();
            let host_if = host_if.and_then(|name| core.interfaces.number(name));
            if let Some(host_if) = host_if {
                ways.insert(*key, (host_if, spec.peers.first().copied()));
                of_copies.insert(host_if.key(key.vrid, key.family), *key);
            }
        }
        core.second_paths.ways = ways;
        core.second_paths.of_copies = of_copies;
        self.go_on_with_second_paths(now, true);
    }

    /// Joins the groups of copies that are not joined, when it is time or `at_once`, and leaves those that
    /// nothing needs.
    pub(super) fn go_on_with_second_paths(&mut self, now: Instant, at_once: bool) {
        let paths = &mut self.core.second_paths;
        if !at_once && paths.retry_at.is_none_or(|at| at > now) {
            return;
        }
        paths.retry_at = None;
        let ways = paths.ways.iter();
        let wanted: BTreeSet<(HostIf, Family)> = ways
            .map(|(key, (host_if, _))| (*host_if, key.family))
            .collect();
        paths.refused.retain(|group, _| wanted.contains(group));
        let over: Vec<(HostIf, Family)> = paths.joined.difference(&wanted).copied().collect();
        let missing: Vec<(HostIf, Family)> = wanted.difference(&paths.joined).copied().collect();
        for (host_if, family) in over {
            self.core.second_paths.joined.remove(&(host_if, family));
            let mut others = self.core.vrs_on(host_if);
            if !others.any(|(key, _)| key.family == family) {
                // The rest of it goes with the interface.
                let _ = self.platform.set_group(host_if, family, false);
            }
        }
        for group in missing {
            let (host_if, family) = group;
            let paths = &mut self.core.second_paths;
            match self.platform.set_group(host_if, family, true) {
                Ok(()) => {
                    paths.joined.insert(group);
                    paths.refused.remove(&group);
                }
                Err(error) => {
                    let text = format!("nothing can be heard on a second path: {error}");
                    paths.refused.insert(group, text);
                    paths.retry_at = Some(now + RETRY);
                }
            }
        }
    }
}
