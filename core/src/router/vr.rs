//! One virtual router: what was configured, where it stands, and what the port was told.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heapless::Vec;

use super::SMALL;
use super::memo::Memo;
use super::receive::Heard;
use super::table::Place;
use crate::config::{Announce, MAX_TRACKS, Track, TrackEffect, VrConfig};
use crate::error::Error;
use crate::output::{Peer, Reason, State};
use crate::status::{ActiveRouter, InterfaceState, Statistics, Status};
use crate::time::{Duration, Instant};
use crate::types::{
    AddressCheck, AdvertInterval, Auth, ChecksumMode, Family, MacAddr, MacMode, OwnerReceive,
    Priority, Version, VirtualAddress, VrKey,
};
use crate::wire::vrrp::HEADER_LEN;

/// The part of the configuration that is a plain value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) version: Version,
    pub(super) priority: Priority,
    pub(super) advert_interval: AdvertInterval,
    pub(super) preempt: bool,
    pub(super) preempt_delay: Micros,
    pub(super) start_delay: Micros,
    pub(super) accept: bool,
    pub(super) max_hops: u8,
    pub(super) mac_mode: MacMode,
    pub(super) auth: Auth,
    pub(super) checksum: ChecksumMode,
    /// [`OWNERS`](Self::OWNERS) and [`ADDRESSES`](Self::ADDRESSES), in one octet.
    pub(super) strict: u8,
    /// Of [`Announce`].
    pub(super) repeats: u8,
    pub(super) repeat_interval: Micros,
    /// Zero: never.
    pub(super) refresh: Duration,
}

/// Announcements are not scheduled closer than this, so that no deadline comes again at once.
const LEAST_ANNOUNCE_PAUSE: Duration = Duration::from_millis(10);

/// A span that takes less room than a [`Duration`]: at most 4,294 seconds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Micros(u32);

impl Micros {
    pub(super) const ZERO: Micros = Micros(0);

    fn of(span: Duration) -> Result<Self, Error> {
        let micros = u32::try_from(span.as_micros());
        micros.map(Self).map_err(|_| Error::BadDelay)
    }

    pub(super) fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

/// A virtual address or a unicast peer, in the one table that both share.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    octets: [u8; 16],
    prefix_len: u8,
    /// A role of [`Role`], [`TOLD`](Self::TOLD) and [`ACCEPT`](Self::ACCEPT).
    bits: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Address = 0,
    /// An address that was removed from the configuration while it is served.
    Leaving = 1,
    Peer = 2,
    /// The address to advertise from.
    Source = 3,
}

impl Entry {
    const ROLE: u8 = 0b0011;
    /// The port serves it.
    const TOLD: u8 = 0b0100;
    /// The port serves it with Accept_Mode.
    const ACCEPT: u8 = 0b1000;

    fn new(address: &VirtualAddress, bits: u8) -> Self {
        Self {
            octets: match address.address {
                IpAddr::V4(v4) => {
                    let [a, b, c, d] = v4.octets();
                    [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
                }
                IpAddr::V6(v6) => v6.octets(),
            },
            prefix_len: address.prefix_len,
            bits,
        }
    }

    /// Whether it is a virtual address.
    pub(super) fn is_virtual(&self) -> bool {
        matches!(self.role(), Role::Address | Role::Leaving)
    }

    pub(super) fn role(&self) -> Role {
        match self.bits & Self::ROLE {
            0 => Role::Address,
            1 => Role::Leaving,
            2 => Role::Peer,
            _ => Role::Source,
        }
    }

    /// Whether the port was told to serve it.
    pub(super) fn is_told(&self) -> bool {
        self.bits & Self::TOLD != 0
    }

    /// Whether the port was told to take packets to it.
    pub(super) fn is_told_to_accept(&self) -> bool {
        self.bits & Self::ACCEPT != 0
    }

    /// Notes that the port was told to serve it, with this Accept_Mode.
    pub(super) fn serve(&mut self, accept: bool) {
        self.give_up();
        self.bits |= Self::TOLD | if accept { Self::ACCEPT } else { 0 };
    }

    /// Notes that the port does not serve it.
    pub(super) fn give_up(&mut self) {
        self.bits &= Self::ROLE;
    }

    #[cfg_attr(feature = "small", inline(never))]
    pub(super) fn ip(&self, family: Family) -> IpAddr {
        match family {
            Family::Ipv4 => {
                let [a, b, c, d, ..] = self.octets;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from(self.octets)),
        }
    }

    /// What follows this address in `bytes`, if that is what they begin with.
    #[inline]
    pub(super) fn strip<'a>(&self, family: Family, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let [a, b, c, d, ..] = self.octets;
        match family {
            Family::Ipv4 => bytes.strip_prefix(&[a, b, c, d]),
            Family::Ipv6 => bytes.strip_prefix(&self.octets),
        }
    }

    /// What tells it from another one.
    pub(super) fn identity(&self) -> (Role, [u8; 16], u8) {
        (self.role(), self.octets, self.prefix_len)
    }

    pub(super) fn virtual_address(&self, family: Family) -> VirtualAddress {
        VirtualAddress {
            address: self.ip(family),
            prefix_len: self.prefix_len,
        }
    }
}

/// A tracked object as it stands: a [`Track`] that takes less room.
#[derive(Clone, Copy)]
pub(super) struct Tracked {
    pub(super) object: u16,
    /// What is added to the priority.
    weight: i16,
    when: When,
    pub(super) up: bool,
}

/// When an object does what it does: [`TrackEffect`] without the weight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Fault,
    Down,
    Up,
}

impl Tracked {
    fn new(track: Track, up: bool) -> Self {
        let (when, weight) = match track.effect {
            TrackEffect::Fault => (When::Fault, 0),
            TrackEffect::WhileDown(weight) => (When::Down, weight),
            TrackEffect::WhileUp(weight) => (When::Up, weight),
        };
        Self {
            object: track.object,
            weight,
            when,
            up,
        }
    }

    /// Whether it holds the virtual router in Initialize.
    pub(super) fn is_fault(&self) -> bool {
        self.when == When::Fault && !self.up
    }

    /// What it adds to the priority now.
    fn effect(&self) -> i32 {
        match (self.when, self.up) {
            (When::Down, false) | (When::Up, true) => self.weight.into(),
            _ => 0,
        }
    }
}

/// Leaving the Active state in two steps: what had to be said is said, and the addresses are served
/// until the successor is heard or `VirtualRouter::timer` passes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Handover {
    pub(super) to: State,
    pub(super) reason: Reason,
}

impl Handover {
    /// Leaving for a better router, not because of having been told to.
    pub(super) fn is_yielding(&self) -> bool {
        matches!(self.reason, Reason::HigherPriority | Reason::HigherAddress)
    }
}

/// Advertisements that are owed, counted down as they are emitted: one for each version and
/// destination.
#[derive(Clone, Copy)]
pub(super) struct Owed {
    pub(super) left: u16,
    pub(super) priority_zero: bool,
    pub(super) after: After,
}

/// The work that has to be done before an advertisement that is owed is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing but to take up the MAC.
    Nothing,
    /// The changes of a new configuration, unless they take too long.
    Changes,
    /// Everything: it is the first since the virtual router became Active (S-14).
    Installation,
}

/// The round of announcements that is being made.
#[derive(Clone, Copy)]
pub(super) struct Announcing {
    /// The next entry to announce; past the table when the round is over.
    pub(super) next: u16,
    pub(super) repeats_left: u8,
    /// Rounds that neighbours' events may ask for before the bucket is empty.
    pub(super) tokens: u8,
    pub(super) refilled: Instant,
}

#[derive(Clone)]
pub(super) struct VirtualRouter<const ADDRS: usize> {
    pub(super) key: VrKey,
    pub(super) iface: u8,
    pub(super) settings: Settings,
    /// Addresses, then peers, then the source, then addresses that are leaving.
    pub(super) entries: Entries<ADDRS>,
    address_count: u16,
    peer_count: u16,
    pub(super) tracks: Tracks,
    pub(super) priority_override: Option<Priority>,
    pub(super) enabled: bool,
    pub(super) removing: bool,
    pub(super) resigned: bool,

    pub(super) state: State,
    pub(super) reason: Reason,
    pub(super) since: Instant,
    pub(super) handover: Option<Handover>,
    pub(super) active: Option<ActiveRouter>,
    pub(super) active_interval: AdvertInterval,
    pub(super) pseudo_header: bool,
    pub(super) heard: Memo<Heard>,
    /// The header of the periodic advertisement, if it was worked out. Whatever changes what it says
    /// forgets it.
    pub(super) said: Memo<[u8; HEADER_LEN]>,

    /// Adver_Timer while Active, Active_Down_Timer while Backup, the end of a handover, or the
    /// retry after a failed effect while in Initialize.
    pub(super) timer: Instant,
    /// The next round of announcements while Active, the end of a preempt delay while Backup. NEVER:
    /// neither is due.
    pub(super) second_timer: Instant,
    /// The end of a start delay while Backup. Losing advertisements are answered again from here on
    /// while Active.
    pub(super) quiet_until: Instant,
    /// When a group that could not be joined is tried again.
    pub(super) rejoin_at: Instant,
    /// The down timer was late once and has been given another interval.
    pub(super) stalled: bool,
    /// The next advertisement answers a loser.
    pub(super) answer_is_due: bool,
    pub(super) failures: u8,
    pub(super) backoff: u8,
    pub(super) failed_at: Instant,

    pub(super) owed: Owed,
    pub(super) announcing: Announcing,
    /// Something besides an owed advertisement may be to emit.
    pub(super) dirty: bool,
    pub(super) mac_told: bool,
    pub(super) group_held: bool,
    pub(super) reported: State,

    #[cfg(not(feature = "small"))]
    pub(super) urgent: Place,
    pub(super) rest: Place,
    pub(super) hash_next: u16,
    pub(super) statistics: Statistics,
}

/// The lengths of the lists, too, are as short as they can be.
pub(super) type Entries<const ADDRS: usize> = Vec<Entry, ADDRS, u16>;
pub(super) type Tracks = Vec<Tracked, MAX_TRACKS, u8>;

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// One without addresses, to be [filled](Self::fill).
    pub(super) fn new(now: Instant, key: VrKey, iface: u8, settings: Settings) -> Self {
        Self {
            key,
            iface,
            settings,
            entries: Vec::new(),
            address_count: 0,
            peer_count: 0,
            tracks: Vec::new(),
            priority_override: None,
            enabled: false,
            removing: false,
            resigned: false,
            state: State::Initialize,
            reason: Reason::Disabled,
            since: now,
            handover: None,
            active: None,
            active_interval: settings.advert_interval,
            pseudo_header: settings.checksum != ChecksumMode::Rfc9568,
            heard: Memo::NONE,
            said: Memo::NONE,
            timer: Instant::NEVER,
            second_timer: Instant::NEVER,
            quiet_until: now,
            stalled: false,
            answer_is_due: false,
            failures: 0,
            backoff: 0,
            failed_at: now,
            owed: Owed {
                left: 0,
                priority_zero: false,
                after: After::Nothing,
            },
            announcing: Announcing {
                next: u16::MAX,
                repeats_left: 0,
                tokens: Announcing::BUCKET,
                refilled: now,
            },
            dirty: false,
            rejoin_at: Instant::NEVER,
            mac_told: false,
            group_held: false,
            reported: State::Initialize,
            #[cfg(not(feature = "small"))]
            urgent: Place::NONE,
            rest: Place::NONE,
            hash_next: super::table::NIL,
            statistics: Statistics::default(),
        }
    }

    /// Takes over the addresses, peers and tracked objects of its first configuration.
    pub(super) fn fill(&mut self, config: &VrConfig<'_>) -> Result<(), Error> {
        self.set_entries(self.merged_entries(config)?);
        self.tracks = self.merged_tracks(config)?;
        Ok(())
    }

    /// The address table that `config` asks for. What the port serves now stays in it until the
    /// port was told otherwise.
    pub(super) fn merged_entries(&self, config: &VrConfig<'_>) -> Result<Entries<ADDRS>, Error> {
        let mut entries = Entries::new();
        // The first advertised IPv6 address is link-local (V-9).
        let first = match self.key.family {
            Family::Ipv4 => None,
            Family::Ipv6 => Some(first_link_local(self.key, config)),
        };
        if let Some(first) = &first {
            add(&mut entries, first, Role::Address as u8)?;
        }
        for address in config.addresses {
            if first.is_none_or(|first| first.address != address.address) {
                add(&mut entries, address, Role::Address as u8)?;
            }
        }
        for &address in config.peers {
            let peer = VirtualAddress {
                address,
                prefix_len: 0,
            };
            add(&mut entries, &peer, Role::Peer as u8)?;
        }
        if let Some(address) = config.source.filter(|_| !SMALL) {
            let source = VirtualAddress {
                address,
                prefix_len: 0,
            };
            add(&mut entries, &source, Role::Source as u8)?;
        }
        for old in self.entries.iter().filter(|e| e.is_told()) {
            let same = entries.iter_mut().find(|e| {
                e.role() == Role::Address
                    && e.octets == old.octets
                    && e.prefix_len == old.prefix_len
            });
            match same {
                Some(entry) => entry.serve(old.is_told_to_accept()),
                None => {
                    let bits = old.bits & !Entry::ROLE | Role::Leaving as u8;
                    add(&mut entries, &old.virtual_address(self.key.family), bits)?;
                }
            }
        }
        Ok(entries)
    }

    /// The tracked objects that `config` asks for. What is known of an object is kept; an unknown
    /// one counts as up.
    pub(super) fn merged_tracks(&self, config: &VrConfig<'_>) -> Result<Tracks, Error> {
        let mut tracks = Vec::new();
        for &track in config.tracks {
            let known = self.tracks.iter().find(|t| t.object == track.object);
            let up = known.is_none_or(|t| t.up);
            tracks
                .push(Tracked::new(track, up))
                .map_err(|_| Error::TrackTableFull)?;
        }
        Ok(tracks)
    }

    /// Whether it is Active or still serves the addresses after having said that it stops.
    pub(super) fn serves(&self) -> bool {
        self.state == State::Active
    }

    /// Whether packets to the addresses are for this host (A-2; RFC 9568 section 6.4.3).
    pub(super) fn accepts(&self) -> bool {
        self.settings.accept || self.settings.priority.is_owner()
    }

    pub(super) fn set_entries(&mut self, entries: Entries<ADDRS>) {
        let count = |role| entries.iter().filter(|e| e.role() == role).count() as u16;
        self.address_count = count(Role::Address);
        self.peer_count = count(Role::Peer);
        self.entries = entries;
    }

    pub(super) fn peer_count(&self) -> u16 {
        self.peer_count
    }

    pub(super) fn unicast(&self) -> bool {
        self.peer_count > 0
    }

    pub(super) fn address_entries(&self) -> &[Entry] {
        let addresses = self.entries.get(..self.address_count.into());
        addresses.unwrap_or_default()
    }

    /// The unicast peers.
    pub(super) fn peers(&self) -> impl ExactSizeIterator<Item = IpAddr> + '_ {
        let (from, count) = (self.address_count.into(), self.peer_count.into());
        let peers = self.entries.get(from..).unwrap_or_default();
        let family = self.key.family;
        peers.iter().take(count).map(move |e| e.ip(family))
    }

    /// The virtual addresses in the order in which they are advertised.
    pub(super) fn addresses(&self) -> impl ExactSizeIterator<Item = IpAddr> + Clone + '_ {
        self.address_entries().iter().map(|e| e.ip(self.key.family))
    }

    pub(super) fn base_priority(&self) -> Priority {
        self.priority_override.unwrap_or(self.settings.priority)
    }

    /// The priority that is advertised and compared. Tracked objects move it within 1 to 254, so an
    /// owner can be demoted too (G-1).
    pub(super) fn priority(&self) -> Priority {
        let base = self.base_priority();
        let mut sum = 0_i32;
        for t in &self.tracks {
            sum = sum.saturating_add(t.effect());
        }
        if sum == 0 || (base.is_owner() && sum > 0) {
            return base;
        }
        let moved = i32::from(base.get()).saturating_add(sum).clamp(1, 254);
        Priority::new(moved as u8).unwrap_or(base)
    }

    /// Skew_Time: a fraction of the interval that is smaller the higher the priority, in
    /// microseconds so that no two priorities expire together (T-6; RFC 9568 section 6.1, RFC 3768
    /// section 6.1).
    #[inline]
    pub(super) fn skew(&self) -> Duration {
        let scale = match self.settings.version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 | Version::Both => self.active_interval.duration(),
        };
        let below = 256 - u64::from(self.priority().get());
        Duration::from_micros(scale.as_micros() * below / 256)
    }

    /// Active_Down_Interval: three intervals of the Active router and the skew.
    pub(super) fn down_interval(&self) -> Duration {
        let interval = self.active_interval.duration().as_micros();
        Duration::from_micros(3 * interval) + self.skew()
    }

    /// The address that advertisements come from (G-6).
    #[cfg_attr(feature = "small", inline(never))]
    pub(super) fn source(&self, iface: &InterfaceState) -> Option<IpAddr> {
        let at = self.address_count + self.peer_count;
        let chosen = self.entries.get(usize::from(at)).filter(|_| !SMALL);
        if let Some(entry) = chosen.filter(|e| e.role() == Role::Source) {
            return Some(entry.ip(self.key.family));
        }
        match self.key.family {
            Family::Ipv4 => iface.ipv4.map(IpAddr::V4),
            Family::Ipv6 => iface.ipv6.map(IpAddr::V6),
        }
    }

    /// The MAC that serves the addresses.
    #[cfg_attr(feature = "small", inline(never))]
    pub(super) fn mac(&self, iface: &InterfaceState) -> MacAddr {
        match self.settings.mac_mode {
            MacMode::Virtual => self.key.virtual_mac(),
            MacMode::Interface => iface.mac,
        }
    }

    pub(super) fn status(&self) -> Status {
        Status {
            key: self.key,
            state: self.state,
            reason: self.reason,
            since: self.since,
            enabled: self.enabled,
            handing_over: self.handover.is_some(),
            resigned: self.resigned,
            version: self.settings.version,
            priority: self.priority(),
            base_priority: self.base_priority(),
            advert_interval: self.settings.advert_interval,
            active_interval: self.active_interval,
            active: self.active,
            pseudo_header: self.pseudo_header,
        }
    }

    /// The router whose advertisement, or whose silence, decided last.
    pub(super) fn peer(&self) -> Option<Peer> {
        self.active.map(|a| Peer {
            address: a.address,
            priority: a.priority,
        })
    }

    /// The next time at which something has to happen.
    #[cfg_attr(feature = "small", inline(never))]
    pub(super) fn deadline(&self) -> Instant {
        let others = self.second_timer.min(self.rejoin_at);
        self.timer.min(others).min(self.changes_until())
    }

    /// Until when an advertisement waits for the changes that it tells of: the last one before it
    /// may have left a whole interval before they began.
    #[inline]
    pub(super) fn changes_until(&self) -> Instant {
        if SMALL || self.owed.after != After::Changes || self.owed.left == 0 {
            return Instant::NEVER;
        }
        let interval = self.settings.advert_interval.duration().as_micros();
        self.timer - Duration::from_micros(interval - interval / 4)
    }
}

impl Announcing {
    /// Rounds in the bucket when it is full; one comes back a second.
    pub(super) const BUCKET: u8 = 3;
}

impl Settings {
    /// [`OwnerReceive::Discard`].
    pub(super) const OWNERS: u8 = 1;
    /// [`AddressCheck::Strict`].
    pub(super) const ADDRESSES: u8 = 2;

    fn strictness(config: &VrConfig<'_>) -> u8 {
        let owners = match config.owner_receive {
            OwnerReceive::Discard => Self::OWNERS,
            OwnerReceive::Elect => 0,
        };
        let addresses = match config.address_check {
            AddressCheck::Strict => Self::ADDRESSES,
            AddressCheck::Warn => 0,
        };
        owners | addresses
    }

    /// Checks everything about a configuration that does not depend on what is in the table.
    pub(super) fn of(key: VrKey, config: &VrConfig<'_>) -> Result<Self, Error> {
        if config.addresses.is_empty() {
            return Err(Error::NoAddresses);
        }
        if SMALL && config.source.is_some() {
            return Err(Error::NoSource);
        }
        if config.version != Version::V3 && key.family == Family::Ipv6 {
            return Err(Error::FamilyVersion);
        }
        if config.auth != Auth::None && config.version == Version::V3 {
            return Err(Error::AuthVersion);
        }
        // T-1: the twelve bits of v3, the seconds of v2.
        let centis = config.advert_interval.as_centis();
        if (config.version == Version::V2 && !centis.is_multiple_of(100))
            || (config.version != Version::V2 && centis > 4095)
        {
            return Err(Error::BadInterval);
        }
        if config.max_hops == 0 || (config.max_hops > 1 && config.peers.is_empty()) {
            return Err(Error::BadMaxHops);
        }
        check_addresses(key.family, config)?;
        let Announce {
            repeats,
            repeat_interval,
            refresh,
        } = config.announce;
        Ok(Self {
            version: config.version,
            priority: config.priority,
            advert_interval: config.advert_interval,
            preempt: config.preempt,
            preempt_delay: Micros::of(config.preempt_delay)?,
            start_delay: Micros::of(config.start_delay)?,
            accept: config.accept,
            max_hops: config.max_hops,
            mac_mode: config.mac_mode,
            auth: config.auth,
            checksum: config.checksum,
            strict: Self::strictness(config),
            repeats,
            repeat_interval: Micros::of(repeat_interval.max(LEAST_ANNOUNCE_PAUSE))?,
            refresh: refresh.map_or(Duration::ZERO, |r| r.max(LEAST_ANNOUNCE_PAUSE)),
        })
    }
}

#[cfg_attr(feature = "small", inline(never))]
fn add<const ADDRS: usize>(
    entries: &mut Entries<ADDRS>,
    address: &VirtualAddress,
    bits: u8,
) -> Result<(), Error> {
    let entry = Entry::new(address, bits);
    entries.push(entry).map_err(|_| Error::AddressTableFull)
}

fn check_addresses(family: Family, config: &VrConfig<'_>) -> Result<(), Error> {
    let longest = match family {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    };
    let bad = |address: &IpAddr| Family::of(*address) != family || !is_unicast(*address);
    for (i, a) in config.addresses.iter().enumerate() {
        let earlier = config.addresses.iter().take(i);
        let twice = earlier.clone().any(|b| b.address == a.address);
        if bad(&a.address) || a.prefix_len > longest || twice {
            return Err(Error::BadAddress);
        }
    }
    if config.source.is_some_and(|source| bad(&source)) {
        return Err(Error::BadAddress);
    }
    for (i, peer) in config.peers.iter().enumerate() {
        if bad(peer) || config.peers.iter().take(i).any(|b| b == peer) {
            return Err(Error::BadAddress);
        }
    }
    Ok(())
}

/// Whether an address can belong to one host.
pub(super) fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast()),
    }
}

/// The link-local address that is formed from the virtual MAC 00:00:5e:00:02:00 by the modified EUI-64
/// (RFC 4291 appendix A). The last octet is that of the VRID.
const FORMED: u128 = 0xfe80_0000_0000_0000_0200_5eff_fe00_0200;

/// The link-local address to advertise first: the first one configured, or else the one formed from
/// the virtual MAC by the modified EUI-64 (RFC 4291 appendix A).
#[cfg_attr(feature = "small", inline(never))]
fn first_link_local(key: VrKey, config: &VrConfig<'_>) -> VirtualAddress {
    let link_local = |a: &&VirtualAddress| match a.address {
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
        IpAddr::V4(_) => false,
    };
    config
        .addresses
        .iter()
        .find(link_local)
        .copied()
        .unwrap_or_else(|| VirtualAddress {
            address: IpAddr::V6(Ipv6Addr::from_bits(FORMED | u128::from(key.vrid.get()))),
            prefix_len: 64,
        })
}
