//! The routers that were heard as master of a virtual router, ours or not, accepted or refused.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;

use vrrp_core::wire::vrrp;
use vrrp_core::{AdvertInterval, DropReason, Duration, Instant, MacAddr, VrKey};

use crate::heard::Heard;
use crate::host::{MAX_ADDRESSES, MAX_VIRTUAL_ROUTERS};
use crate::host_if::HostIf;

/// Masters remembered: every virtual router of ours, and as many again of others as a large segment
/// has. Whoever forges advertisements can fill it, but not make it grow.
const LIMIT: usize = MAX_VIRTUAL_ROUTERS + 512;

/// The masters heard, each as of its last advertisement.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    table: HashMap<Place, Seen>,
}

/// Two masters of one virtual router are two entries. So are advertisements of one source that are
/// accepted and such that are refused: anybody can send the latter in its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) key: VrKey,
    pub(crate) address: IpAddr,
    pub(crate) refused: bool,
}

/// What a master said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) mac: MacAddr,
    pub(crate) priority: u8,
    pub(crate) version: u8,
    pub(crate) interval: AdvertInterval,
    /// At most [`MAX_ADDRESSES`] of them are kept.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) last_heard: Instant,
    /// How many advertisements in a row came while we were Active.
    pub(crate) contests: u32,
    /// The reason why the last one was refused, if it was.
    pub(crate) refusal: Option<Refusal>,
    /// How many were refused without a pause in which it was stale.
    pub(crate) refusals: u32,
    /// It is of a virtual router of ours, and accepted.
    ours: bool,
    count: u8,
    checksum: u16,
}

/// The reason why an advertisement was refused, and what tells more about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: DropReason,
    pub(crate) destination: IpAddr,
    pub(crate) ttl: u8,
}

/// What an advertisement told about its sender.
#[derive(Debug)]
pub(crate) enum News<'a> {
    /// The same as the last one.
    Same(&'a mut Seen),
    /// Something new.
    Changed(&'a mut Seen),
}

impl Seen {
    fn new(now: Instant, heard: &Heard<'_>, ours: bool) -> Self {
        Self {
            mac: heard.mac,
            priority: 0,
            version: 0,
            interval: AdvertInterval::DEFAULT,
            addresses: Vec::new(),
            last_heard: now,
            contests: 0,
            refusal: None,
            refusals: 0,
            ours,
            count: 0,
            checksum: 0,
        }
    }

    /// It has stopped, or three intervals and the longest skew (one interval) have gone by.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        let patience = self.interval.duration().as_micros().saturating_mul(4);
        self.priority == 0 || now.since(self.last_heard) > Duration::from_micros(patience)
    }

    /// Compares what can be read in constant time; the checksum stands for the address list.
    fn says(&self, heard: &Heard<'_>, advert: &vrrp::View<'_>) -> bool {
        self.mac == heard.mac
            && self.checksum == advert.checksum_field()
            && self.priority == advert.priority()
            && self.version == advert.version()
            && self.interval == interval(advert)
            && self.count == advert.count()
    }

    fn update(&mut self, heard: &Heard<'_>, advert: &vrrp::View<'_>) {
        self.mac = heard.mac;
        self.priority = advert.priority();
        self.version = advert.version();
        self.interval = interval(advert);
        self.addresses.clear();
        self.addresses
            .extend(advert.addresses().take(MAX_ADDRESSES));
        self.count = advert.count();
        self.checksum = advert.checksum_field();
    }
}

impl Sightings {
    /// Takes in an advertisement that was found valid. Allocates only when it says something new.
    pub(crate) fn hear(
        &mut self,
        now: Instant,
        key: VrKey,
        ours: bool,
        heard: &Heard<'_>,
        advert: &vrrp::View<'_>,
    ) -> News<'_> {
        let place = Place {
            key,
            address: heard.source,
            refused: false,
        };
        self.make_room(&place);
        match self.table.entry(place) {
            Entry::Occupied(entry) => {
                let seen = entry.into_mut();
                seen.last_heard = now;
                seen.ours = ours;
                if seen.says(heard, advert) {
                    return News::Same(seen);
                }
                seen.update(heard, advert);
                News::Changed(seen)
            }
            Entry::Vacant(entry) => {
                let seen = entry.insert(Seen::new(now, heard, ours));
                seen.update(heard, advert);
                News::Changed(seen)
            }
        }
    }

    /// Takes in an advertisement for a virtual router of ours that was refused. One that makes no sense
    /// counts as sent every second.
    pub(crate) fn refuse(&mut self, now: Instant, key: VrKey, heard: &Heard<'_>, why: DropReason) {
        let Some((version, priority)) = heard.version_and_priority() else {
            return;
        };
        let place = Place {
            key,
            address: heard.source,
            refused: true,
        };
        self.make_room(&place);
        let entry = self.table.entry(place);
        let seen = entry.or_insert_with(|| Seen::new(now, heard, false));
        let pause = seen.is_stale(now);
        match heard.advert() {
            Ok(advert) if !seen.says(heard, &advert) => seen.update(heard, &advert),
            Ok(_) => {}
            Err(_) => {
                (seen.mac, seen.version, seen.priority) = (heard.mac, version, priority);
                (seen.interval, seen.count) = (AdvertInterval::DEFAULT, 0);
                seen.addresses.clear();
            }
        }
        seen.refusals = if pause {
            1
        } else {
            seen.refusals.saturating_add(1)
        };
        seen.last_heard = now;
        seen.refusal = Some(Refusal {
            reason: why,
            destination: heard.destination,
            ttl: heard.ttl,
        });
    }

    /// Whether a source has lately been heard with advertisements that were accepted.
    pub(crate) fn accepts(&self, now: Instant, key: VrKey, address: IpAddr) -> bool {
        let place = Place {
            key,
            address,
            refused: false,
        };
        let seen = self.table.get(&place);
        seen.is_some_and(|seen| !seen.is_stale(now))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Place, &Seen)> {
        self.table.iter()
    }

    /// Forgets everything about an interface.
    pub(crate) fn forget_interface(&mut self, host_if: HostIf) {
        self.table
            .retain(|place, _| HostIf::of(place.key) != host_if);
    }

    /// Forgets what was refused for a virtual router, which is judged by another configuration from now
    /// on.
    pub(crate) fn forget_refused(&mut self, key: VrKey) {
        self.table
            .retain(|place, _| place.key != key || !place.refused);
    }

    fn make_room(&mut self, place: &Place) {
        if self.table.len() >= LIMIT && !self.table.contains_key(place) {
            self.evict();
        }
    }

    /// Forgets an eighth at once, so that the search costs little for each newcomer: of others
    /// before ours, the longest unheard first.
    fn evict(&mut self) {
        let mut ages: Vec<(bool, Instant, Place)> = self
            .table
            .iter()
            .map(|(&place, seen)| (seen.ours, seen.last_heard, place))
            .collect();
        let many = ages.len().div_ceil(8);
        if many < ages.len() {
            ages.select_nth_unstable_by_key(many, |&(ours, heard, _)| (ours, heard));
        }
        for (_, _, place) in ages.iter().take(many) {
            self.table.remove(place);
        }
    }
}

/// The interval that it says; a zero (V-10) reads as the shortest.
fn interval(advert: &vrrp::View<'_>) -> AdvertInterval {
    let cs = advert.interval_cs();
    let secs = u8::try_from(cs / 100).unwrap_or(u8::MAX);
    AdvertInterval::from_centis(cs)
        .or(AdvertInterval::from_secs(secs))
        .or(AdvertInterval::from_centis(1))
        .unwrap_or(AdvertInterval::DEFAULT)
}
