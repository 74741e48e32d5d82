//! Routers whose advertisements are refused: present, and not there for the election.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vrrp_core::{Auth, DropReason, Duration, Instant, State, Version, VrKey};

use super::core::{Core, Vr};
use super::second_path::Copies;
use crate::config::VrSpec;
use crate::report::{About, Refused, Warning};
use crate::sightings::{Refusal, Seen};

/// Advertisements in a row that are refused before a router counts as present: a single packet may be
/// of the moment in which a configuration is changed, or come from anywhere.
const REFUSALS: u32 = 2;
/// Refused routers of one virtual router that are named.
const NAMED: usize = 3;
/// How long after another router became master the last advertisement of the former one may arrive: it was
/// on its way when the new one was sent.
const CROSSED: Duration = Duration::from_millis(250);

/// The routers that are refused now, by virtual router.
pub(super) type RefusedPeers<'a> = BTreeMap<VrKey, Vec<(IpAddr, &'a Seen, Refusal)>>;

/// The routers that are heard now, by virtual router.
#[derive(Debug, Default)]
pub(super) struct Heard<'a> {
    refused: BTreeMap<VrKey, (usize, Vec<(IpAddr, DropReason)>)>,
    masters: BTreeMap<VrKey, usize>,
    /// Those on second paths.
    pub(super) copies: Copies<'a>,
}

impl Heard<'_> {
    /// The number of those that are refused.
    pub(super) fn refused(&self, key: VrKey) -> usize {
        self.refused.get(&key).map_or(0, |(many, _)| *many)
    }

    /// The first of those that are refused, and why.
    pub(super) fn first_refused(&self, key: VrKey) -> Vec<(IpAddr, DropReason)> {
        let first = self.refused.get(&key).map(|(_, first)| first.clone());
        first.unwrap_or_default()
    }

    /// The number of other masters, refused or not.
    pub(super) fn masters(&self, key: VrKey) -> usize {
        self.masters.get(&key).copied().unwrap_or(0)
    }
}

impl Core {
    /// Routers that are refused now, and have been for several advertisements.
    pub(super) fn refused_peers(&self, now: Instant) -> RefusedPeers<'_> {
        let mut all = RefusedPeers::new();
        for (place, seen) in self.sightings.iter() {
            let (key, address) = (place.key, place.address);
            if let Some(refusal) = seen.refusal
                && seen.refusals >= REFUSALS
                && !seen.is_gone(now)
                && !self.sightings.accepts(now, key, address)
            {
                all.entry(key).or_default().push((address, seen, refusal));
            }
        }
        all
    }

    /// Whether a router that is heard is a master now, as far as can be known. The former master is none,
    /// though its last advertisement is not stale yet: it gave way when we became Active, or when another
    /// router did at `successor`.
    fn is_master_now(&self, key: VrKey, seen: &Seen, successor: Option<Instant>) -> bool {
        let status = self.engine.status(key);
        let active = status.filter(|status| status.state == State::Active);
        match (active, successor) {
            (Some(active), _) => seen.last_heard > active.since + CROSSED,
            (None, Some(began)) => seen.since == began || seen.last_heard > began + CROSSED,
            (None, None) => true,
        }
    }

    /// When the accepted router that was heard for the first time last was so, by virtual router.
    fn successors(&self, now: Instant) -> BTreeMap<VrKey, Instant> {
        let mut newest = BTreeMap::new();
        for (place, seen) in self.sightings.iter() {
            if !place.refused && !seen.is_gone(now) {
                let began = newest.entry(place.key).or_insert(seen.since);
                *began = seen.since.max(*began);
            }
        }
        newest
    }

    /// Counts the routers that are heard now.
    pub(super) fn heard(&self, now: Instant) -> Heard<'_> {
        let mut heard = Heard {
            copies: self.copies(),
            ..Heard::default()
        };
        let successors = self.successors(now);
        let successor = |key: &VrKey| successors.get(key).copied();
        for (place, seen) in self.sightings.iter() {
            let key = place.key;
            let fresh = !place.refused && !seen.is_gone(now);
            if fresh && self.is_master_now(key, seen, successor(&key)) {
                *heard.masters.entry(key).or_default() += 1;
            }
        }
        for (key, mut peers) in self.refused_peers(now) {
            // Our own advertisements that come back are no other router's.
            let others = peers.iter().filter(|(_, seen, refusal)| {
                refusal.reason != DropReason::OwnLoopedBack && self.is_master_now(key, seen, None)
            });
            *heard.masters.entry(key).or_default() += others.count();
            peers.sort_by_key(|(peer, ..)| *peer);
            let first = peers.iter().take(NAMED);
            let first = first.map(|(peer, _, refusal)| (*peer, refusal.reason));
            heard.refused.insert(key, (peers.len(), first.collect()));
        }
        heard
    }

    /// Warns of the routers that are refused now.
    pub(super) fn peers_that_are_refused(&self, now: Instant, list: &mut Vec<Warning>) {
        for (key, mut peers) in self.refused_peers(now) {
            let Some(vr) = self.vrs.get(&key) else {
                continue;
            };
            peers.sort_by_key(|(peer, ..)| *peer);
            let named = peers.iter().take(NAMED).map(|(peer, seen, refusal)| {
                let why = self.explain(key, vr, seen, refusal);
                match refusal.reason {
                    DropReason::OwnLoopedBack => format!("{peer}, our own address, {why}"),
                    _ => format!("peer present but refused: {peer}: {why}"),
                }
            });
            let more = (peers.len() > NAMED)
                .then(|| "more peers are present but refused; see \"vrrpctl who\"".to_owned());
            list.extend(named.chain(more).map(|text| Warning {
                about: About::VirtualRouter(vr.id.clone()),
                text,
            }));
        }
    }

    /// The refusal of a router that was heard, for a report.
    pub(super) fn refusal(&self, key: VrKey, seen: &Seen) -> Option<Refused> {
        let (refusal, vr) = (seen.refusal?, self.vrs.get(&key)?);
        Some(Refused {
            reason: refusal.reason,
            text: self.explain(key, vr, seen, &refusal),
        })
    }

    /// The reason in words, the same for as long as the router and we are configured alike.
    fn explain(&self, key: VrKey, vr: &Vr, seen: &Seen, refusal: &Refusal) -> String {
        let Some(spec) = &vr.current else {
            return refusal.reason.to_string();
        };
        match refusal.reason {
            DropReason::AuthFailure => "it has another password".into(),
            DropReason::AuthType if spec.settings.auth == Auth::None => {
                "it sends a password, and we have none".into()
            }
            DropReason::AuthType => "it does not send the password that we have".into(),
            DropReason::Version => {
                let ours = match spec.settings.version {
                    Version::V2 => "version 2",
                    Version::V3 => "version 3",
                    Version::Both => "versions 2 and 3",
                };
                format!("it speaks version {}, and we speak {ours}", seen.version)
            }
            DropReason::AddressMismatch => {
                let ours: Vec<IpAddr> = spec.addresses.iter().map(|a| a.address.address).collect();
                format!(
                    "it advertises other addresses ({}) than ours ({}), and addresscheck is strict",
                    super::warnings::list(&seen.addresses),
                    super::warnings::list(&ours)
                )
            }
            DropReason::IntervalMismatch => format!(
                "its interval is {} s and ours {} s, which VRRPv2 needs to be the same",
                seen.interval.as_secs_rounded_up(),
                spec.settings.advert_interval.as_secs_rounded_up()
            ),
            DropReason::UnknownPeer if !spec.peers.is_empty() => {
                format!(
                    "it is none of our peers ({})",
                    super::warnings::list(&spec.peers)
                )
            }
            DropReason::UnknownPeer => "no router can have that address".into(),
            DropReason::WrongDestination => self.wrong_destination(key, spec, refusal.destination),
            DropReason::Ttl => explain_hops(spec, refusal.ttl),
            DropReason::Owner => {
                "it advertises our addresses, which are our own (ownerreceive = discard)".into()
            }
            DropReason::AuthenticationTrailer => {
                "it signs its advertisements, and we have no key to tell them from forged ones (auth, keyfile)"
                    .into()
            }
            DropReason::AuthMissing => {
                "it does not sign its advertisements, and authmode is enforce".into()
            }
            DropReason::AuthMalformed => "its signature is of no form that we know".into(),
            DropReason::AuthUnknownKey => {
                "it signs with a key whose id we do not have (keyfile)".into()
            }
            DropReason::AuthInvalidHmac => {
                "its signature is wrong: it has another key under the same id, or is forged".into()
            }
            DropReason::AuthReplay => {
                "its advertisements were sent before: somebody who recorded them sends them again, or its clock was set back"
                    .into()
            }
            DropReason::AuthStale => self.explain_stale(spec, refusal),
            DropReason::OwnLoopedBack => self.own_address(key, seen),
            reason => format!("its packets are wrong ({reason})"),
        }
    }

    /// An advertisement from our own address, in words: one with a priority that we do not send is forged.
    fn own_address(&self, key: VrKey, seen: &Seen) -> String {
        let (mac, priority) = (seen.mac, seen.priority);
        let ours = self.engine.status(key).map(|status| status.priority.get());
        let forged = match priority {
            0 => Some("hand over though we do not"),
            255 if ours != Some(255) => Some("own the addresses"),
            _ => None,
        };
        match forged {
            Some(claim) => format!(
                "is advertised from with priority {priority} by another host (MAC {mac}), which makes us seem to {claim}"
            ),
            None => format!(
                "is advertised from by another host (MAC {mac}), or what we send comes back to us"
            ),
        }
    }

    /// The clocks of two routers that differ, or advertisements of another time.
    fn explain_stale(&self, spec: &VrSpec, refusal: &Refusal) -> String {
        let window = spec.hmac.as_ref().map_or(0, |hmac| hmac.settings.window);
        match refusal.skew {
            Some(skew) => format!(
                "its signature is right, but its clock is {} s {} ours, and timewindow is {window} s: set both clocks",
                skew.unsigned_abs(),
                if skew < 0 { "behind" } else { "ahead of" }
            ),
            None => format!(
                "its signature is of a time that is not ours by more than timewindow ({window} s): its clock is wrong, or somebody sends what was recorded"
            ),
        }
    }

    fn wrong_destination(&self, key: VrKey, spec: &VrSpec, destination: IpAddr) -> String {
        let own = self.source(key, spec);
        match (spec.peers.is_empty(), own) {
            (true, _) => format!(
                "it advertises to {destination} as to one of its peers, and we listen to the group: we have no peers"
            ),
            (false, Some(own)) => {
                format!("it advertises to {destination}, and we expect it at {own}, our address")
            }
            (false, None) => format!("it advertises to {destination}, which is not our address"),
        }
    }
}

/// A TTL or hop limit below the one that is let in, in words.
fn explain_hops(spec: &VrSpec, ttl: u8) -> String {
    let origin = "they come from another link, or from a program that is no VRRP router";
    if spec.peers.iter().any(IpAddr::is_ipv6) {
        let hops = 256 - u16::from(ttl.max(1));
        return format!(
            "its packets arrive with a hop limit of {ttl}: {origin}, or from keepalived without `unicast_ttl 255`, which `maxhops = {hops}` lets in"
        );
    }
    format!("its packets arrive with a TTL of {ttl}: {origin}")
}
