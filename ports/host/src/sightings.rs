//! The routers that were heard as master of a virtual router, ours or not, accepted or refused.

use std::collections::HashMap;
use std::net::IpAddr;

use vrrp_core::wire::{Datagram, vrrp};
use vrrp_core::{Accepted, AdvertInterval, DropReason, Duration, Instant, MacAddr, VrKey};

use crate::host_if::HostIf;
use crate::limits::{MAX_ADDRESSES, MAX_VIRTUAL_ROUTERS};

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

/// The last advertisement of a master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) mac: MacAddr,
    pub(crate) priority: u8,
    pub(crate) version: u8,
    pub(crate) interval: AdvertInterval,
    /// At most [`MAX_ADDRESSES`] of them are kept.
    pub(crate) addresses: Vec<IpAddr>,
    /// The engine found another interval than ours (V-13).
    pub(crate) interval_mismatch: bool,
    /// The engine found other addresses than ours (V-14).
    pub(crate) address_mismatch: bool,
    pub(crate) last_heard: Instant,
    /// When it was heard first without a pause in which it was stale.
    pub(crate) since: Instant,
    /// How many advertisements in a row came while we were Active.
    pub(crate) contests: u32,
    /// The reason why the last one was refused, if it was.
    pub(crate) refusal: Option<Refusal>,
    /// How many were refused without a pause in which it was stale.
    pub(crate) refusals: u32,
    /// It is of a virtual router of ours, and accepted.
    ours: bool,
    /// The longest silence after which it went on, where it advertises less often than it says.
    gap: Duration,
    /// Advertisements in a row that came as often as it says.
    punctual: u8,
}

/// A router that goes on after a silence of at most so many times its patience advertises seldom.
const SELDOM: u64 = 3;
/// So many punctual advertisements end that.
const PUNCTUAL: u8 = 16;

/// The reason why an advertisement was refused, and what tells more about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: DropReason,
    pub(crate) destination: IpAddr,
    pub(crate) ttl: u8,
    /// The seconds by which the sender's clock is ahead of ours, where a right signature has told.
    pub(crate) skew: Option<i32>,
}

/// The news of an advertisement about its sender.
#[derive(Debug)]
pub(crate) enum News<'a> {
    /// The same as the last one.
    Same(&'a mut Seen),
    /// Something new.
    Changed(&'a mut Seen),
}

impl Seen {
    fn new(now: Instant, mac: MacAddr) -> Self {
        Self {
            mac,
            priority: 0,
            version: 0,
            interval: AdvertInterval::DEFAULT,
            addresses: Vec::new(),
            interval_mismatch: false,
            address_mismatch: false,
            last_heard: now,
            since: now,
            contests: 0,
            refusal: None,
            refusals: 0,
            ours: false,
            gap: Duration::ZERO,
            punctual: 0,
        }
    }

    /// It has stopped, or three intervals and the longest skew (one interval) have gone by. Our own address
    /// with priority 0 is no router that stops.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        let own = self.refusal.map(|refusal| refusal.reason) == Some(DropReason::OwnLoopedBack);
        let stops = self.priority == 0 && !own;
        stops || now.since(self.last_heard) > self.patience()
    }

    /// The silence after which it is stale.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_micros(self.interval.duration().as_micros().saturating_mul(4))
    }

    /// It is stale, also by the pace at which it was heard: a router that others refuse, or that is busy, may
    /// advertise less often than it says, and serves all the same.
    pub(crate) fn is_gone(&self, now: Instant) -> bool {
        if self.priority == 0 {
            self.is_stale(now)
        } else {
            now.since(self.last_heard) > self.longest_silence()
        }
    }

    /// The silence after which it is gone.
    pub(crate) fn longest_silence(&self) -> Duration {
        let pace = self.gap.as_micros().saturating_mul(2);
        self.patience().max(Duration::from_micros(pace))
    }

    /// Notes that it is heard.
    fn hear(&mut self, now: Instant) {
        let (silence, patience) = (now.since(self.last_heard), self.patience());
        if silence <= patience {
            self.punctual = self.punctual.saturating_add(1);
            if self.punctual >= PUNCTUAL {
                self.gap = Duration::ZERO;
            }
        } else {
            self.punctual = 0;
            let is_seldom = silence.as_micros() <= patience.as_micros().saturating_mul(SELDOM);
            // One that had stopped and is back is no such router.
            if is_seldom && self.priority > 0 {
                self.gap = self.gap.max(silence);
            }
        }
        if self.is_stale(now) {
            self.since = now;
        }
        self.last_heard = now;
    }

    fn says(&self, mac: MacAddr, advert: &vrrp::View<'_>) -> bool {
        self.mac == mac
            && self.priority == advert.priority()
            && self.version == advert.version()
            && self.interval == interval(advert)
            && advert
                .addresses()
                .take(MAX_ADDRESSES)
                .eq(self.addresses.iter().copied())
    }

    /// Takes over what an advertisement says. Returns whether that is new. Allocates only then.
    fn update(&mut self, mac: MacAddr, advert: &vrrp::View<'_>) -> bool {
        if self.says(mac, advert) {
            return false;
        }
        self.mac = mac;
        self.priority = advert.priority();
        self.version = advert.version();
        self.interval = interval(advert);
        self.addresses.clear();
        self.addresses
            .extend(advert.addresses().take(MAX_ADDRESSES));
        true
    }
}

impl Sightings {
    /// Notes that a router has repeated its advertisement to a Backup. Returns whether it is remembered.
    pub(crate) fn repeat(&mut self, now: Instant, key: VrKey, address: IpAddr) -> bool {
        let seen = self.table.get_mut(&Place {
            key,
            address,
            refused: false,
        });
        if let Some(seen) = seen {
            seen.hear(now);
            seen.contests = 0;
            return true;
        }
        false
    }

    /// Takes in an advertisement that the engine has accepted.
    pub(crate) fn accept(
        &mut self,
        now: Instant,
        accepted: &Accepted<'_>,
        advert: &vrrp::View<'_>,
    ) -> News<'_> {
        let (seen, said_something) = self.hear(now, accepted.key, &accepted.datagram, advert);
        seen.ours = true;
        let judged = (accepted.interval_mismatch, accepted.address_mismatch);
        let before = (seen.interval_mismatch, seen.address_mismatch);
        (seen.interval_mismatch, seen.address_mismatch) = judged;
        if said_something || judged != before {
            News::Changed(seen)
        } else {
            News::Same(seen)
        }
    }

    /// Takes in a sound advertisement of a virtual router that is not ours.
    pub(crate) fn hear_foreign(
        &mut self,
        now: Instant,
        key: VrKey,
        datagram: &Datagram<'_>,
        advert: &vrrp::View<'_>,
    ) {
        let (seen, _) = self.hear(now, key, datagram, advert);
        seen.ours = false;
    }

    /// Remembers what an advertisement says. Returns whether that is new, too.
    fn hear(
        &mut self,
        now: Instant,
        key: VrKey,
        datagram: &Datagram<'_>,
        advert: &vrrp::View<'_>,
    ) -> (&mut Seen, bool) {
        let seen = self.at(now, key, datagram, false);
        seen.hear(now);
        let news = seen.update(mac(datagram), advert);
        (seen, news)
    }

    /// The entry of the sender of a datagram, made if there is none.
    fn at(
        &mut self,
        now: Instant,
        key: VrKey,
        datagram: &Datagram<'_>,
        refused: bool,
    ) -> &mut Seen {
        let place = Place {
            key,
            address: datagram.source,
            refused,
        };
        self.make_room(&place);
        let entry = self.table.entry(place);
        entry.or_insert_with(|| Seen::new(now, mac(datagram)))
    }

    /// Takes in an advertisement for a virtual router of ours that was refused. One that makes no sense
    /// counts as sent every second. `skew`: the seconds by which its clock is ahead of ours, if its signature
    /// is known to be right.
    pub(crate) fn refuse(
        &mut self,
        now: Instant,
        key: VrKey,
        datagram: &Datagram<'_>,
        why: DropReason,
        skew: Option<i32>,
    ) {
        // Every version has them in the same places.
        let [version_type, _, priority, ..] = *datagram.message else {
            return;
        };
        let seen = self.at(now, key, datagram, true);
        let pause = seen.is_gone(now);
        match datagram.advert() {
            Ok(advert) => {
                seen.update(mac(datagram), &advert);
            }
            Err(_) => {
                (seen.mac, seen.version, seen.priority) =
                    (mac(datagram), version_type >> 4, priority);
                seen.interval = AdvertInterval::DEFAULT;
                seen.addresses.clear();
            }
        }
        seen.refusals = if pause {
            1
        } else {
            seen.refusals.saturating_add(1)
        };
        seen.hear(now);
        let before = seen.refusal.filter(|before| before.reason == why);
        seen.refusal = Some(Refusal {
            reason: why,
            destination: datagram.destination,
            ttl: datagram.ttl,
            skew: steady(before.and_then(|before| before.skew), skew),
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

    /// The last advertisement of a router, if it is remembered.
    pub(crate) fn get(&self, key: VrKey, address: IpAddr, refused: bool) -> Option<&Seen> {
        self.table.get(&Place {
            key,
            address,
            refused,
        })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Place, &Seen)> {
        self.table.iter()
    }

    /// Forgets everything about an interface.
    pub(crate) fn forget_interface(&mut self, host_if: HostIf) {
        self.table
            .retain(|place, _| HostIf::of(place.key) != host_if);
    }

    /// Forgets what was refused for a virtual router and what was found about others: another
    /// configuration judges them from now on.
    pub(crate) fn judge_anew(&mut self, key: VrKey) {
        self.table
            .retain(|place, _| place.key != key || !place.refused);
        for (_, seen) in self.table.iter_mut().filter(|(place, _)| place.key == key) {
            (seen.interval_mismatch, seen.address_mismatch) = (false, false);
        }
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

/// The difference of two clocks that is told: that of before for as long as it is about right, for whole
/// seconds of both turn at different times.
fn steady(before: Option<i32>, now: Option<i32>) -> Option<i32> {
    match (before, now) {
        (Some(before), Some(now)) if before.abs_diff(now) > 2 => Some(now),
        (before, now) => before.or(now),
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

/// The source MAC, which every frame has.
fn mac(datagram: &Datagram<'_>) -> MacAddr {
    datagram.source_mac.unwrap_or_default()
}
