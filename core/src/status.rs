//! The status and the counters of a virtual router, and the facts about interfaces and packets.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::output::{Reason, State};
use crate::time::{Duration, Instant};
use crate::types::{AdvertInterval, MacAddr, Priority, Version, VrKey};
use crate::verdict::DropReason;

/// An interface as the port knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct InterfaceState {
    /// Administratively up and with carrier.
    pub up: bool,
    /// Its own MAC.
    pub mac: MacAddr,
    /// Its primary IPv4 address, never a virtual one that we installed: the source of
    /// advertisements. `None`: IPv4 virtual routers wait in Initialize.
    pub ipv4: Option<Ipv4Addr>,
    /// Its own IPv6 link-local address: the source of advertisements. `None`: IPv6 virtual routers
    /// wait in Initialize.
    pub ipv6: Option<Ipv6Addr>,
}

/// A virtual router as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Status {
    /// The virtual router.
    pub key: VrKey,
    /// Its state.
    pub state: State,
    /// Why it is in that state.
    pub reason: Reason,
    /// Since when.
    pub since: Instant,
    /// Whether the administrator has enabled it.
    pub enabled: bool,
    /// It has said that it stops and serves on until the successor is heard.
    pub handing_over: bool,
    /// It has resigned and will not preempt until it has been Active again or its priority is set.
    pub resigned: bool,
    /// Backup, and it would be Active if it did not wait for its synchronisation group.
    #[cfg(feature = "groups")]
    pub due: bool,
    /// The versions that it speaks.
    pub version: Version,
    /// The priority that it advertises: configured, overridden, and moved by tracked objects; 1 while it
    /// stands back.
    pub priority: Priority,
    /// The priority without the effect of tracked objects.
    pub base_priority: Priority,
    /// A tracked object with [`TrackEffect::StandBack`](crate::TrackEffect::StandBack) is down, so every
    /// other router is to serve rather than this one. It neither preempts nor takes an address that is
    /// offered, and takes over from a silent Active router two intervals after all others had their
    /// time. As Active it advertises priority 1 and offers the addresses: at once, and every 5 seconds
    /// or every ten intervals, whichever is longer, it sends priority 0 and serves on.
    pub standing_back: bool,
    /// Our own interval.
    pub advert_interval: AdvertInterval,
    /// The interval that the down timer counts: learned from the Active router in v3.
    pub active_interval: AdvertInterval,
    /// The silence after which the Active router counts as dead: Active_Down_Interval (RFC 9568
    /// section 6.1), Master_Down_Interval in v2, and two intervals more while it stands back.
    pub down_interval: Duration,
    /// The Active router last heard. `None`: none since we started to listen.
    pub active: Option<ActiveRouter>,
    /// The advertisement that the checksum form was last learned from had a pseudo-header.
    pub pseudo_header: bool,
}

/// The Active router last heard, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct ActiveRouter {
    /// The source of its advertisements.
    pub address: IpAddr,
    /// Their source MAC, where the port told.
    pub mac: Option<MacAddr>,
    /// The priority that it advertised last; 0 when it stopped.
    pub priority: u8,
    /// 2 or 3.
    pub version: u8,
    /// The interval that it advertised.
    pub interval: AdvertInterval,
    /// When it was last heard.
    pub last_heard: Instant,
    /// Its address list differed from ours (V-14).
    pub address_mismatch: bool,
    /// Its interval differed from ours (V-13).
    pub interval_mismatch: bool,
}

/// Counters of one virtual router since it was inserted. They wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Statistics {
    /// Times that it became Active (`active-transitions` of draft-ietf-rtgwg-vrrp-rfc8347bis).
    pub active_transitions: u32,
    /// Valid advertisements received (`advertisement-rcvd`).
    pub adverts_received: u32,
    /// Advertisements sent (`advertisement-sent`).
    pub adverts_sent: u32,
    /// Priority 0 received (`priority-zero-pkts-rcvd`).
    pub priority_zero_received: u32,
    /// Priority 0 sent (`priority-zero-pkts-sent`).
    pub priority_zero_sent: u32,
    /// Gratuitous ARPs and unsolicited NAs sent.
    pub announcements_sent: u32,
    /// Effects that the port reported as failed or undone.
    pub effect_failures: u32,
    /// Timers that were handled more than an interval late: this host stalled.
    pub stalls: u32,
    /// Advertisements that lost against us while we were Active.
    pub losing_adverts: u32,
    /// VRRPv3/IPv4 advertisements whose checksum covered the message only (RFC 9568).
    pub checksum_plain: u32,
    /// VRRPv3/IPv4 advertisements whose checksum covered a pseudo-header (RFC 5798).
    pub checksum_pseudo: u32,
    /// Discarded packets by reason, those that were for this virtual router.
    pub drops: DropCounters<{ DropReason::ALL.len() - DropReason::BEFORE_ADDRESSEE }>,
}

/// One counter for each of the last `N` [`DropReason`]s: of all, or of those that a virtual router can
/// have. They wrap, without the feature `large` at 65,536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DropCounters<const N: usize = { DropReason::ALL.len() }>([Count; N]);

impl<const N: usize> Default for DropCounters<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(feature = "large")]
type Count = u32;
#[cfg(not(feature = "large"))]
type Count = u16;

impl<const N: usize> DropCounters<N> {
    const FIRST: usize = DropReason::ALL.len() - N;

    /// All zero.
    pub const fn new() -> Self {
        Self([0; N])
    }

    /// How many packets were discarded for this reason.
    // Of no use where they have the width already.
    #[allow(clippy::useless_conversion)]
    pub fn count(&self, reason: DropReason) -> u32 {
        let index = (reason as usize).wrapping_sub(Self::FIRST);
        self.0.get(index).map_or(0, |&n| n.into())
    }

    /// Every reason with its count; those without a counter of their own count 0.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u32)> + '_ {
        DropReason::ALL.iter().map(|&r| (r, self.count(r)))
    }

    pub(crate) fn add(&mut self, reason: DropReason) {
        if let Some(n) = self.0.get_mut((reason as usize).wrapping_sub(Self::FIRST)) {
            *n = n.wrapping_add(1);
        }
    }
}
