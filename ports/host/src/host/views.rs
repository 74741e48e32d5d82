//! Answers questions about the host.

use vrrp_core::{
    AuthSender, DropReason, Duration, Instant, MacMode, State, Status, Version, VrKey,
};

use super::Host;
use super::core::Vr;
use super::refusals::Heard;
use crate::config::{AddressSpec, Tracked, VrSpec};
use crate::event::Why;
use crate::host_if::HostIf;
use crate::interfaces::Interface;
use crate::platform::Platform;
use crate::report::{AuthReport, InterfaceReport, Sighting, TrackReport, VrReport};
use crate::sightings::{Place, Seen};

/// Other masters that [`Host::segment`] tells of: those of our virtual routers first, then those
/// that were heard last.
const MAX_OTHERS: usize = 256;
/// How long a virtual MAC is served before a frame to it can be expected to have come.
const EXPECTED: Duration = Duration::from_secs(30);
/// Addresses of them all that it lists.
const MAX_LISTED: usize = 2048;

/// Whether it is Active and has not said that it stops.
fn is_master(status: &Status) -> bool {
    status.state == State::Active && !status.handing_over
}

impl<P: Platform> Host<P> {
    pub(super) fn report(&self, key: VrKey, vr: &Vr, heard: &Heard<'_>) -> Option<VrReport> {
        let spec = vr.current.as_ref()?;
        let interface = self.core.interfaces.get(HostIf::of(key))?.state;
        let mut status = self.core.engine.status(key)?;
        // While the platform is not ready the engine is kept from starting it.
        status.enabled = vr.enabled;
        Some(VrReport {
            id: vr.id.clone(),
            why: self.why(key, vr, &status),
            configured_priority: spec.settings.priority,
            priority_override: vr.priority,
            tracks: self.tracks(spec),
            settings: spec.settings,
            peers: spec.peers.clone(),
            group: self.core.groups.name_of(key).cloned(),
            drained: vr.wishes.is_drained(),
            held: vr.wishes.is_held(),
            status,
            refused: self.core.why_not_ready(key).map(str::to_owned),
            statistics: *self.core.engine.statistics(key)?,
            addresses: self.addresses(key, spec),
            routing: spec.routing.clone(),
            mac_mode: spec.settings.mac_mode,
            mac: match spec.settings.mac_mode {
                MacMode::Virtual => key.virtual_mac(),
                MacMode::Interface => interface.mac,
            },
            mac_interface: self.platform.mac_interface(key),
            interface,
            source: self.core.source(key, spec),
            leaving: vr.leaving,
            rejected: vr.rejected,
            refused_peers: heard.refused(key),
            first_refused: heard.first_refused(key),
            masters: heard.masters(key) + usize::from(is_master(&status)),
            mac_unreached: self.is_unreached(key, spec, &status),
            preempts_at: self.core.engine.preempts_at(key),
            holder: self.core.holder(self.now(), key),
            second_path: self.core.second_path(self.now(), key, &heard.copies),
            auth: self.auth(key, spec),
        })
    }

    fn auth(&self, key: VrKey, spec: &VrSpec) -> Option<AuthReport> {
        let status = self.core.engine.auth(key)?;
        let mut senders: Vec<AuthSender> = self.core.engine.auth_senders(key).collect();
        senders.sort_by_key(|sender| sender.address);
        let unheard = spec.peers.iter().copied();
        let unheard = unheard.filter(|peer| senders.iter().all(|sender| sender.address != *peer));
        Some(AuthReport {
            status,
            unheard: unheard.collect(),
            senders,
        })
    }

    /// Whether the virtual MAC of a virtual router may be rejected by a hypervisor or a switch.
    fn is_unreached(&self, key: VrKey, spec: &VrSpec, status: &Status) -> bool {
        let served = status.state == State::Active
            && !status.handing_over
            && spec.settings.mac_mode == MacMode::Virtual
            && self.now().since(status.since) >= EXPECTED;
        if !served || self.platform.mac_was_reached(key) != Some(false) {
            return false;
        }
        // Our own advertisement that comes back is no other router's.
        let is_echo = |seen: &Seen| {
            let reason = seen.refusal.map(|refusal| refusal.reason);
            reason == Some(DropReason::OwnLoopedBack)
        };
        let mut heard = self.core.sightings.iter();
        !heard.any(|(place, seen)| HostIf::of(place.key) == HostIf::of(key) && !is_echo(seen))
    }

    /// The reason of the last change of state, as it was then. While nothing changes but the
    /// reason, as with a virtual router that waits for one thing and then for another, it is that
    /// of now.
    fn why(&self, key: VrKey, vr: &Vr, status: &Status) -> Why {
        let group = self.core.decided_by_group(key, status, status.reason);
        let then = vr.why.as_ref().filter(|why| why.reason == status.reason);
        match then {
            // While one fault of a group follows another, the member that has one may be another.
            Some(then) if status.state == State::Initialize => then.clone().of_group(group),
            Some(then) => then.clone(),
            None => {
                let ended = vr.ended(self.stopping);
                Why::new(status, status.reason, None, ended).of_group(group)
            }
        }
    }

    pub(super) fn tracks(&self, spec: &VrSpec) -> Vec<TrackReport> {
        let objects = &self.core.objects;
        let is_up = |what: &Tracked| objects.find(what).is_none_or(|n| objects.is_up(n));
        let tracks = spec.tracks.iter().map(|track| TrackReport {
            up: is_up(&track.what),
            what: track.what.clone(),
            effect: track.effect,
        });
        tracks.collect()
    }

    /// As advertised: for IPv6 perhaps with a link-local address that the engine has added.
    fn addresses(&self, key: VrKey, spec: &VrSpec) -> Vec<AddressSpec> {
        let named = |address| {
            spec.addresses
                .iter()
                .find(|a| a.address == address)
                .cloned()
        };
        let advertised = self.core.engine.addresses(key);
        let followers = spec.followers.iter().cloned();
        advertised
            .map(|address| {
                named(address).unwrap_or(AddressSpec {
                    address,
                    interface: None,
                })
            })
            .chain(followers)
            .collect()
    }

    pub(super) fn report_interface(interface: &Interface) -> InterfaceReport {
        InterfaceReport {
            name: interface.name.clone(),
            state: interface.state,
            drops: interface.drops(),
        }
    }

    /// Ourselves first, then the one heard last.
    pub(super) fn sightings(&self, now: Instant) -> Vec<Sighting> {
        let ourselves = self.core.vrs.iter().filter_map(|(&key, vr)| {
            let sighting = self.own_sighting(now, key, vr)?;
            Some((key, sighting))
        });
        // One that is not heard any more and was never taken for a master is none of them.
        let present = self.core.sightings.iter();
        let present = present.filter(|(place, seen)| !place.refused || !seen.is_gone(now));
        let mut present: Vec<(&Place, &Seen)> = present.collect();
        // Forged advertisements can fill the table: an answer is no larger for that.
        let ours = |place: &Place| self.core.vrs.contains_key(&place.key);
        present.sort_unstable_by_key(|(place, seen)| {
            let last = std::cmp::Reverse(seen.last_heard);
            (!ours(place), seen.is_gone(now), last, place.address)
        });
        present.truncate(MAX_OTHERS);
        let mut room = MAX_LISTED;
        let others = present.into_iter().map(|(place, seen)| {
            let key = place.key;
            let listed = seen.addresses.len().min(room);
            room -= listed;
            let sighting = Sighting {
                interface: self.core.interfaces.name(HostIf::of(key)).to_owned(),
                vrid: key.vrid,
                family: key.family,
                address: place.address,
                mac: seen.mac,
                priority: seen.priority,
                version: seen.version,
                interval: seen.interval,
                addresses: seen.addresses.iter().take(listed).copied().collect(),
                last_heard: seen.last_heard,
                age: now.since(seen.last_heard).into(),
                stale: seen.is_gone(now),
                ours: self.core.vrs.contains_key(&key),
                heartbeat: self.core.is_of_copies(key),
                is_self: false,
                refused: self.core.refusal(key, seen),
            };
            (key, sighting)
        });
        let mut all: Vec<(VrKey, Sighting)> = ourselves.chain(others).collect();
        all.sort_by_key(|(key, s)| (*key, !s.is_self, std::cmp::Reverse(s.last_heard), s.address));
        all.into_iter().map(|(_, sighting)| sighting).collect()
    }

    /// Our own entry on the segment while we are Active.
    fn own_sighting(&self, now: Instant, key: VrKey, vr: &Vr) -> Option<Sighting> {
        let status = self.core.engine.status(key)?;
        if status.state != State::Active {
            return None;
        }
        let report = self.report(key, vr, &Heard::default())?;
        let address = report.source?;
        Some(Sighting {
            interface: vr.id.interface.clone(),
            vrid: key.vrid,
            family: key.family,
            address,
            mac: report.mac,
            priority: status.priority.get(),
            version: if status.version == Version::V2 { 2 } else { 3 },
            interval: status.advert_interval,
            addresses: self.core.engine.addresses(key).map(|a| a.address).collect(),
            last_heard: now,
            age: Duration::ZERO.into(),
            stale: false,
            ours: true,
            heartbeat: false,
            is_self: true,
            refused: None,
        })
    }
}
