//! The settings of one virtual router, checked: the part of the configuration that is a plain value.

use core::net::IpAddr;

use crate::IPV6;
use crate::config::{Announce, VrConfig, VrSettings};
use crate::engine::SMALL;
use crate::error::Error;
use crate::time::Duration;
use crate::types::{
    AddressCheck, AdvertInterval, Auth, ChecksumMode, Family, MacMode, OnConflict, OwnerReceive,
    Priority, Version, VrKey,
};

/// Rounds of announcements are not scheduled closer than this, so that no deadline comes again at
/// once.
const LEAST_ANNOUNCE_PAUSE: Duration = Duration::from_millis(10);

/// Checked settings. Plain values, read everywhere; they are replaced as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) struct Settings {
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
    /// [`OWNERS`](Self::OWNERS), [`ADDRESSES`](Self::ADDRESSES), [`CONFLICTS`](Self::CONFLICTS),
    /// [`UNSERVED`](Self::UNSERVED) and [`GROUP`](Self::GROUP), in one octet.
    pub(super) strict: u8,
    /// The addresses that are served but not advertised: the last ones. A small build has none.
    #[cfg(feature = "large")]
    unadvertised: u8,
    /// The repeats of [`Announce`].
    pub(super) repeats: u8,
    pub(super) repeat_interval: Micros,
    /// Zero: never.
    pub(super) refresh: Duration,
}

/// A span in four octets: at most 4,294 seconds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Micros(u32);

impl Micros {
    pub(super) const ZERO: Micros = Micros(0);

    pub(super) fn duration(self) -> Duration {
        Duration::from_micros(self.0.into())
    }
}

impl TryFrom<Duration> for Micros {
    type Error = Error;

    fn try_from(span: Duration) -> Result<Self, Error> {
        let micros = u32::try_from(span.as_micros());
        micros.map(Self).map_err(|_| Error::BadDelay)
    }
}

impl Settings {
    /// [`OwnerReceive::Discard`].
    pub(super) const OWNERS: u8 = 1;
    /// [`AddressCheck::Strict`].
    pub(super) const ADDRESSES: u8 = 2;
    /// [`OnConflict::Wait`].
    pub(super) const CONFLICTS: u8 = 4;
    /// [`VrSettings::advertise_only`].
    pub(super) const UNSERVED: u8 = 8;
    /// The entries have a group of its own to advertise to.
    const GROUP: u8 = 16;

    /// Checks everything about a configuration that does not depend on what is in the table.
    pub(in crate::engine) fn new(key: VrKey, config: &VrConfig<'_>) -> Result<Self, Error> {
        check(key, config)?;
        Self::packed(&config.settings)
    }

    /// Takes over checked settings, in fewer octets. All fields are named, so that none is forgotten.
    fn packed(given: &VrSettings) -> Result<Self, Error> {
        let &VrSettings {
            version,
            priority,
            advert_interval,
            preempt,
            preempt_delay,
            start_delay,
            accept,
            max_hops,
            mac_mode,
            auth,
            checksum,
            address_check,
            owner_receive,
            announce,
            on_conflict,
            // Kept by `large` alone.
            unadvertised: _,
            // Itself among the entries.
            group,
            advertise_only,
        } = given;
        let owners = match owner_receive {
            OwnerReceive::Discard => Self::OWNERS,
            OwnerReceive::Elect => 0,
        };
        let addresses = match address_check {
            AddressCheck::Strict => Self::ADDRESSES,
            AddressCheck::Warn => 0,
        };
        let conflicts = match on_conflict {
            OnConflict::TakeOver => 0,
            OnConflict::Wait => Self::CONFLICTS,
        };
        // No address is asked for, so no answer is waited for.
        let (conflicts, unserved) = match advertise_only {
            true => (0, Self::UNSERVED),
            false => (conflicts, 0),
        };
        let grouped = if group.is_some() { Self::GROUP } else { 0 };
        let Announce {
            repeats,
            repeat_interval,
            refresh,
        } = announce;
        Ok(Self {
            version,
            priority,
            advert_interval,
            preempt,
            preempt_delay: preempt_delay.try_into()?,
            start_delay: start_delay.try_into()?,
            accept,
            max_hops,
            mac_mode,
            auth,
            checksum,
            strict: owners | addresses | conflicts | unserved | grouped,
            #[cfg(feature = "large")]
            unadvertised: given.unadvertised,
            repeats,
            repeat_interval: repeat_interval.max(LEAST_ANNOUNCE_PAUSE).try_into()?,
            refresh: refresh.map_or(Duration::ZERO, |r| r.max(LEAST_ANNOUNCE_PAUSE)),
        })
    }

    /// Whether this rule is on: one of [`OWNERS`](Self::OWNERS), [`ADDRESSES`](Self::ADDRESSES),
    /// [`CONFLICTS`](Self::CONFLICTS) and [`UNSERVED`](Self::UNSERVED).
    pub(super) fn is_strict(&self, rule: u8) -> bool {
        self.strict & rule != 0
    }

    /// How many of the addresses, the last ones, are served but not advertised.
    pub(super) fn unadvertised(&self) -> usize {
        #[cfg(feature = "large")]
        return self.unadvertised.into();
        #[cfg(not(feature = "large"))]
        return 0;
    }

    /// Whether addresses are served, announced and asked for.
    pub(super) fn serves_addresses(&self) -> bool {
        SMALL || !self.is_strict(Self::UNSERVED)
    }

    /// Whether advertisements go to another group than the RFC's. Every advertisement asks for it, so it is
    /// a bit here: to look through the entries costs 190 instructions.
    pub(super) fn has_own_group(&self) -> bool {
        !SMALL && self.is_strict(Self::GROUP)
    }

    /// The settings of announcements.
    pub(super) fn announcements(&self) -> (u8, Micros, Duration) {
        (self.repeats, self.repeat_interval, self.refresh)
    }
}

/// Refuses what does not go together.
fn check(key: VrKey, config: &VrConfig<'_>) -> Result<(), Error> {
    let given = &config.settings;
    if SMALL && (given.unadvertised > 0 || given.advertise_only) {
        return Err(Error::NoAddresses);
    }
    let alone = !SMALL && given.advertise_only && given.version == Version::V2;
    let advertised = config
        .addresses
        .len()
        .checked_sub(given.unadvertised.into());
    if advertised.is_none_or(|count| count == 0 && !alone) {
        return Err(Error::NoAddresses);
    }
    if SMALL && config.source.is_some() {
        return Err(Error::NoSource);
    }
    if !IPV6 && key.family == Family::Ipv6 {
        return Err(Error::NoIpv6);
    }
    if given.version != Version::V3 && key.family.is_ipv6() {
        return Err(Error::FamilyVersion);
    }
    if given.auth != Auth::None && given.version == Version::V3 {
        return Err(Error::AuthVersion);
    }
    // T-1: the twelve bits of v3, the seconds of v2.
    let centis = given.advert_interval.as_centis();
    if (given.version == Version::V2 && !centis.is_multiple_of(100))
        || (given.version != Version::V2 && centis > 4095)
    {
        return Err(Error::BadInterval);
    }
    let fits = |group: IpAddr| !SMALL && group.is_multicast() && Family::of(group) == key.family;
    if given.group.is_some_and(|group| !fits(group)) {
        return Err(Error::BadGroup);
    }
    if given.max_hops == 0 || (given.max_hops > 1 && config.peers.is_empty()) {
        return Err(Error::BadMaxHops);
    }
    check_addresses(key.family, config)
}

fn check_addresses(family: Family, config: &VrConfig<'_>) -> Result<(), Error> {
    let longest = match family {
        Family::Ipv4 => 32,
        Family::Ipv6 => 128,
    };
    for (i, a) in config.addresses.iter().enumerate() {
        let earlier = config.addresses.iter().take(i);
        let twice = earlier.clone().any(|b| b.address == a.address);
        if is_bad(family, &a.address) || a.prefix_len > longest || twice {
            return Err(Error::BadAddress);
        }
    }
    if config.source.is_some_and(|source| is_bad(family, &source)) {
        return Err(Error::BadAddress);
    }
    for (i, peer) in config.peers.iter().enumerate() {
        if is_bad(family, peer) || config.peers.iter().take(i).any(|b| b == peer) {
            return Err(Error::BadAddress);
        }
    }
    Ok(())
}

/// Whether an address is not one of a host, or not of the family.
fn is_bad(family: Family, address: &IpAddr) -> bool {
    Family::of(*address) != family || !is_unicast(*address)
}

/// Whether an address can belong to one host.
pub(super) fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_unspecified() || v4.is_multicast() || v4.is_broadcast()),
        IpAddr::V6(v6) => !(v6.is_unspecified() || v6.is_multicast()),
    }
}
