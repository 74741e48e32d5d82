//! Conditions that hold now: what the platform cannot do, and peers that disagree with us.
//!
//! Each is derived from the present state, so that it ends when its cause ends. How to add one to a
//! port stands at [`Platform::warnings`]; one of the host's own is a function here that appends to
//! the list.

use std::net::IpAddr;

use vrrp_core::{
    AdvertInterval, AuthMode, Duration, Instant, Priority, State, Status, TrackEffect, VrKey,
};

use super::Host;
use super::core::{Core, Effect, Vr};
use super::receive::CONTESTS;
use crate::config::{Tracked, VrId};
use crate::host_if::HostIf;
use crate::platform::{Platform, Subject};
use crate::report::{About, Warning};
use crate::sightings::Seen;

/// How long two virtual routers that depend on each other may be in different states.
const SETTLED: Duration = Duration::from_secs(5);
/// Intervals after which nobody has taken the addresses of a router that offers them.
const OFFER_INTERVALS: u64 = 3;
/// Intervals after which a router without signatures is not heard any more.
const BARE_INTERVALS: u64 = 4;
/// Addresses that a text names.
const LISTED: usize = 4;

impl<P: Platform> Host<P> {
    pub(super) fn conditions(&self, now: Instant) -> Vec<Warning> {
        let mut list = Vec::new();
        for (effect, text) in self.core.refused() {
            let about = match effect {
                Effect::Group(host_if, _) => self.core.about_interface(host_if),
                _ => effect.key().map_or(About::Host, |key| self.core.about(key)),
            };
            let text = text.to_owned();
            list.push(Warning { about, text });
        }
        self.core.devices_down(&mut list);
        self.core.ties_that_are_torn(now, &mut list);
        self.core.last_ones_standing(now, &mut list);
        self.core.peers_that_disagree(now, &mut list);
        self.core.peers_that_are_refused(now, &mut list);
        self.core.address_conflicts(now, &mut list);
        self.core.unheard_holders(now, &mut list);
        self.core.second_path_warnings(now, &mut list);
        self.core.failed_preparations(&mut list);
        self.core.signatures(now, &mut list);
        self.core.members_cut_off(now, &mut list);
        let mut of_platform = Vec::new();
        self.platform.warnings(&mut of_platform);
        for warning in of_platform {
            let about = match warning.subject {
                Subject::Host => About::Host,
                Subject::Interface(host_if) => self.core.about_interface(host_if),
                Subject::VirtualRouter(key) => self.core.about(key),
            };
            let text = warning.text;
            list.push(Warning { about, text });
        }
        list.sort();
        list.dedup();
        list
    }
}

impl Core {
    /// Virtual routers that depend on each other, of which this host is master of one only: nothing ties
    /// them but the faults of their interfaces.
    fn ties_that_are_torn(&self, now: Instant, list: &mut Vec<Warning>) {
        let settled = |key: VrKey| {
            let status = self.engine.status(key)?;
            (now.since(status.since) >= SETTLED && !status.handing_over).then_some(status.state)
        };
        for (key, vr) in &self.vrs {
            if settled(*key) != Some(State::Active) {
                continue;
            }
            for other in ties(vr) {
                let Ok(theirs) = self.find(other) else {
                    continue;
                };
                let mutual = self.vrs.get(&theirs);
                let mutual = mutual.is_some_and(|o| ties(o).any(|id| *id == vr.id));
                if mutual && settled(theirs).is_some_and(|state| state != State::Active) {
                    list.push(Warning {
                        about: About::VirtualRouter(vr.id.clone()),
                        text: format!(
                            "this host is master of it and not of {other}, which it is tied to by vridsdep: have both on one host with \"vrrpctl resign\" or \"vrrpctl priority\" of the two at once"
                        ),
                    });
                }
            }
        }
    }

    /// Virtual routers that stand back and serve, since no other router took the addresses when they were
    /// offered first.
    fn last_ones_standing(&self, now: Instant, list: &mut Vec<Warning>) {
        for (key, vr) in &self.vrs {
            let (Some(since), Some(status)) = (vr.standing_back, self.engine.status(*key)) else {
                continue;
            };
            let offer = OFFER_INTERVALS * status.advert_interval.duration().as_micros();
            let offered = now.since(since.max(status.since)).as_micros() > offer;
            if status.state != State::Active || !offered {
                continue;
            }
            let tracks = vr.current.iter().flat_map(|spec| &spec.tracks);
            let down: Vec<&str> = tracks
                .filter(|track| track.effect == TrackEffect::StandBack)
                .filter_map(|track| match &track.what {
                    Tracked::Named(name) => Some((name, self.objects.find(&track.what)?)),
                    _ => None,
                })
                .filter(|(_, number)| !self.objects.is_up(*number))
                .map(|(name, _)| name.as_str())
                .collect();
            let failed = down.join(", ");
            let why = match (vr.wishes.is_drained(), down.is_empty()) {
                (true, true) => "it is drained".to_owned(),
                (true, false) => format!("it is drained and stands back ({failed} failed)"),
                (false, true) => "it stands back".to_owned(),
                (false, false) => format!("it stands back ({failed} failed)"),
            };
            list.push(Warning {
                about: About::VirtualRouter(vr.id.clone()),
                text: format!(
                    "{why} and serves all the same, as no other host takes over: the addresses are offered again and again"
                ),
            });
        }
    }

    pub(super) fn about(&self, key: VrKey) -> About {
        match self.vrs.get(&key) {
            Some(vr) => About::VirtualRouter(vr.id.clone()),
            None => self.about_interface(HostIf::of(key)),
        }
    }

    pub(super) fn about_interface(&self, host_if: HostIf) -> About {
        match self.interfaces.get(host_if) {
            Some(interface) => About::Interface(interface.name.clone()),
            None => About::Host,
        }
    }

    /// Clocks that signatures cannot be judged by, and routers that stand in the way of stricter rules.
    fn signatures(&self, now: Instant, list: &mut Vec<Warning>) {
        for (&key, vr) in &self.vrs {
            let (Some(spec), Some(auth)) = (&vr.current, self.engine.auth(key)) else {
                continue;
            };
            let about = || About::VirtualRouter(vr.id.clone());
            let state = self.engine.status(key).map(|status| status.state);
            let held = auth.held_by.filter(|_| state == Some(State::Backup));
            if let Some(held) = held {
                let text = format!(
                    "it stays backup, as {} is present and signs by another clock, and ours is not known to be right: set the clocks of both",
                    held.address
                );
                list.push(Warning {
                    about: about(),
                    text,
                });
            } else if auth.waits_for_clock && state != Some(State::Active) {
                // A master serves on: its clock matters to it when it is backup again.
                let text = "it takes over late and from no master, as its clock is not synchronised and no signed advertisement has shown it right: let an NTP client set the clock".to_owned();
                list.push(Warning {
                    about: about(),
                    text,
                });
            }
            if auth.settings.mode == AuthMode::Permissive {
                let patience = Duration::from_micros(
                    spec.settings.advert_interval.duration().as_micros() * BARE_INTERVALS,
                );
                let bare = self
                    .engine
                    .auth_senders(key)
                    .filter(|sender| !sender.signed && now.since(sender.last_heard) <= patience);
                let bare: Vec<IpAddr> = bare.map(|sender| sender.address).collect();
                if !bare.is_empty() {
                    let text = format!(
                        "advertisements without a signature are taken from {}, which authmode = enforce would refuse",
                        self::list(&bare)
                    );
                    list.push(Warning {
                        about: about(),
                        text,
                    });
                }
            }
        }
    }

    /// Routers that are heard now and do not say what we say.
    fn peers_that_disagree(&self, now: Instant, list: &mut Vec<Warning>) {
        for (place, seen) in self.sightings.iter() {
            if place.refused || seen.is_gone(now) {
                continue;
            }
            let Some(vr) = self.vrs.get(&place.key) else {
                continue;
            };
            let peer = place.address;
            let about = || About::VirtualRouter(vr.id.clone());
            let texts = [
                self.other_interval(vr, peer, seen),
                self.other_addresses(place.key, peer, seen),
                self.other_master(place.key, peer, seen),
            ];
            for text in texts.into_iter().flatten() {
                let about = about();
                list.push(Warning { about, text });
            }
        }
    }

    // V-13
    fn other_interval(&self, vr: &Vr, peer: IpAddr, seen: &Seen) -> Option<String> {
        let ours = vr.current.as_ref()?.settings.advert_interval;
        let span = |interval: AdvertInterval| {
            std::time::Duration::from_micros(interval.duration().as_micros())
        };
        seen.interval_mismatch.then(|| {
            let (theirs, ours) = (span(seen.interval), span(ours));
            format!("{peer} advertises another interval ({theirs:?}) than ours ({ours:?})")
        })
    }

    // V-14
    fn other_addresses(&self, key: VrKey, peer: IpAddr, seen: &Seen) -> Option<String> {
        let ours = || self.engine.addresses(key).map(|a| a.address);
        let is_ours = |theirs: &IpAddr| ours().any(|ours| ours == *theirs);
        let theirs = || seen.addresses.iter().copied();
        if !seen.address_mismatch {
            return None;
        }
        let only_there: Vec<IpAddr> = theirs().filter(|theirs| !is_ours(theirs)).collect();
        let only_here: Vec<IpAddr> = ours()
            .filter(|ours| !seen.addresses.contains(ours))
            .collect();
        let more = [("only there", only_there), ("only here", only_here)]
            .into_iter()
            .filter(|(_, addresses)| !addresses.is_empty())
            .map(|(place, addresses)| format!("{place}: {}", list(&addresses)));
        let more: Vec<String> = more.collect();
        Some(format!(
            "{peer} advertises other addresses than ours ({})",
            more.join("; ")
        ))
    }

    /// A router that should give way to us and has not done so for several advertisements.
    fn other_master(&self, key: VrKey, peer: IpAddr, seen: &Seen) -> Option<String> {
        let status = self.engine.status(key)?;
        if status.state != State::Active || status.handing_over || seen.contests == 0 {
            return None;
        }
        let ours = status.priority;
        if ours == Priority::OWNER && seen.priority == Priority::OWNER.get() {
            return Some(format!(
                "{peer} claims to own the addresses (priority 255), as we do"
            ));
        }
        if seen.contests < CONTESTS {
            return None;
        }
        let why = self.why_ours_wins(key, &status, peer, seen.priority)?;
        Some(format!(
            "{peer} goes on advertising with priority {} though {why}: it does not hear us, or refuses what it hears, or belongs to somebody else with the same VRID",
            seen.priority
        ))
    }

    // S-15
    /// Returns `None` if the other router is the better one.
    fn why_ours_wins(
        &self,
        key: VrKey,
        status: &Status,
        peer: IpAddr,
        theirs: u8,
    ) -> Option<String> {
        let ours = status.priority.get();
        if ours != theirs {
            return (ours > theirs).then(|| format!("ours ({ours}) wins"));
        }
        let own = self.source(key, self.vrs.get(&key)?.current.as_ref()?)?;
        (own > peer).then(|| format!("ours is the same and {own}, our address, is the higher one"))
    }
}

/// The virtual routers that a virtual router depends on.
fn ties(vr: &Vr) -> impl Iterator<Item = &VrId> {
    let tracks = vr.current.iter().flat_map(|spec| &spec.tracks);
    tracks.filter_map(|track| match &track.what {
        Tracked::VirtualRouter(id) => Some(id),
        _ => None,
    })
}

/// The first addresses of a list, and how many more there are.
pub(super) fn list(addresses: &[IpAddr]) -> String {
    let named = addresses.iter().take(LISTED).map(ToString::to_string);
    let more = addresses.len().saturating_sub(LISTED);
    let more = (more > 0).then(|| format!("and {more} more"));
    named.chain(more).collect::<Vec<_>>().join(" ")
}
