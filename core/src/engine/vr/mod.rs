//! One virtual router, made of parts whose fields are private to their own files.
//!
//! | file | part |
//! |---|---|
//! | `settings` | the configuration, checked |
//! | `auth` | keys and numbers of signed advertisements |
//! | `group` | the synchronisation group that it waits for |
//! | `entries` | addresses, peers and source, and which addresses the port serves |
//! | `tracking` | the tracked objects |
//! | `phase` | Initialize, Backup, Active, Leaving, each with its deadlines |
//! | `probe` | the neighbour probe of a Backup |
//! | `transitions` | the ways from phase to phase |
//! | `change` | what administrator, tracked objects and interface change meanwhile |
//! | `heard` | the Active router last heard |
//! | `receive` | the rules by which a packet is believed |
//! | `announcements` | the schedule of gratuitous ARPs and unsolicited NAs |
//! | `applied` | what the port was told |
//! | `output` | the next difference between wanted and applied |
//! | `repeat` | the cache of the repeated advertisement |

mod announcements;
mod applied;
mod auth;
mod change;
mod entries;
mod group;
mod heard;
mod output;
mod phase;
mod probe;
mod receive;
mod repeat;
mod settings;
mod tracking;
mod transitions;

use core::net::IpAddr;

use announcements::Bucket;
use applied::Applied;
use auth::Auth;
#[cfg(feature = "hmac")]
pub(super) use auth::Clock;
use heard::{Heard, Learned};
use phase::{After, Phase};
use repeat::Repeat;
use tracking::Tracking;

use entries::{Entries, Entry};
use group::Membership;
pub(super) use output::{Next, Step, transmit};
pub(super) use receive::Found;
pub(super) use settings::Settings;
pub(super) use transitions::earliness;

use super::SMALL;
use super::table::Links;
use crate::config::VrConfig;
use crate::error::Error;
use crate::output::{Peer, Reason, State};
use crate::status::{InterfaceState, Statistics, Status};
use crate::time::{Duration, Instant};
use crate::types::{MacAddr, MacMode, Priority, VrKey};
use crate::verdict::DropReason;

/// One virtual router.
#[derive(Clone)]
pub(super) struct VirtualRouter<const ADDRS: usize> {
    key: VrKey,
    settings: Settings,
    entries: Entries<ADDRS>,
    tracking: Tracking,
    admin: Admin,
    phase: Phase,
    /// For people.
    reason: Reason,
    /// When it came into its state.
    since: Instant,
    heard: Heard,
    learned: Learned,
    owed: Owed,
    /// The limit of announcements.
    bucket: Bucket,
    applied: Applied,
    repeat: Repeat,
    auth: Auth<ADDRS>,
    statistics: Statistics,
    links: Links,
}

/// The administrator's requests beside the configuration.
#[derive(Clone, Copy)]
struct Admin {
    priority: Option<Priority>,
    enabled: bool,
    removing: bool,
    resigned: bool,
    group: Membership,
}

/// Advertisements that are owed, counted down as they are emitted: one for each version and
/// destination.
#[derive(Clone, Copy)]
struct Owed {
    left: u16,
    priority_zero: bool,
}

impl<const ADDRS: usize> VirtualRouter<ADDRS> {
    /// A virtual router without addresses, to be [filled](Self::fill). The lists are filled in place: a
    /// virtual router that is passed about costs stack.
    pub(super) fn new(now: Instant, key: VrKey, links: Links, settings: Settings) -> Self {
        Self {
            key,
            settings,
            entries: Entries::new(),
            tracking: Tracking::new(),
            admin: Admin {
                priority: None,
                enabled: false,
                removing: false,
                resigned: false,
                group: Membership::NONE,
            },
            phase: Phase::INITIALIZE,
            reason: Reason::Disabled,
            since: now,
            heard: Heard::NOTHING,
            learned: Learned::nothing(settings.advert_interval, settings.checksum),
            owed: Owed {
                left: 0,
                priority_zero: false,
            },
            bucket: Bucket::full(now),
            applied: Applied::NOTHING,
            repeat: Repeat::EMPTY,
            auth: Auth::NONE,
            statistics: Statistics::default(),
            links,
        }
    }

    /// Takes over the addresses, peers and tracked objects of its first configuration.
    pub(super) fn fill(&mut self, config: &VrConfig<'_>) -> Result<(), Error> {
        self.entries = self.entries.merged(self.key, config)?;
        self.tracking = self.tracking.merged(config)?;
        Ok(())
    }

    pub(super) fn key(&self) -> VrKey {
        self.key
    }

    pub(super) fn entries(&self) -> &Entries<ADDRS> {
        &self.entries
    }

    pub(super) fn links(&self) -> &Links {
        &self.links
    }

    pub(super) fn links_mut(&mut self) -> &mut Links {
        &mut self.links
    }

    #[cfg(feature = "hmac")]
    pub(super) fn auth(&self) -> &Auth<ADDRS> {
        &self.auth
    }

    pub(super) fn statistics(&self) -> &Statistics {
        &self.statistics
    }

    pub(super) fn count_drop(&mut self, reason: DropReason) {
        self.statistics.drops.add(reason);
    }

    /// Whether it is being removed.
    pub(super) fn is_removing(&self) -> bool {
        self.admin.removing
    }

    /// Whether its virtual MAC is taken up.
    pub(super) fn has_mac(&self) -> bool {
        self.applied.mac()
    }

    /// Whether something besides an owed advertisement may be to emit.
    pub(super) fn differs(&self) -> bool {
        self.applied.differs()
    }

    /// Whether it is Active, or Leaving and still serves the addresses.
    fn serves(&self) -> bool {
        self.phase.state() == State::Active
    }

    /// Whether packets to the addresses are for this host (A-2; RFC 9568 section 6.4.3).
    fn accepts(&self) -> bool {
        self.settings.accept || self.settings.priority.is_owner()
    }

    fn is_unicast(&self) -> bool {
        self.entries.peer_count() > 0
    }

    fn peers(&self) -> impl ExactSizeIterator<Item = IpAddr> + '_ {
        self.entries.peers(self.key.family)
    }

    /// The virtual addresses that are advertised, in that order.
    fn addresses(&self) -> impl ExactSizeIterator<Item = IpAddr> + Clone + '_ {
        let family = self.key.family;
        self.advertised().iter().map(move |e| e.ip(family))
    }

    /// Whether it serves, announces and asks for its addresses.
    pub(super) fn serves_addresses(&self) -> bool {
        self.settings.serves_addresses()
    }

    fn advertised(&self) -> &[Entry] {
        let all = self.entries.addresses();
        let count = all.len().saturating_sub(self.settings.unadvertised());
        all.get(..count).unwrap_or_default()
    }

    fn base_priority(&self) -> Priority {
        self.admin.priority.unwrap_or(self.settings.priority)
    }

    /// Whether every other router is to serve rather than this one (G-7).
    fn stands_back(&self) -> bool {
        self.tracking.stands_back()
    }

    /// Whether it leaves the addresses to every other router while it is Backup: it stands back, or cannot
    /// tell by its clock whether the Active router is there (H-11).
    fn holds_back(&self) -> bool {
        self.stands_back() || self.auth.clock_is_in_doubt()
    }

    /// The priority that is advertised and compared: the least, while it stands back (G-7).
    fn priority(&self) -> Priority {
        if self.stands_back() {
            Priority::LOWEST
        } else {
            self.rank()
        }
    }

    /// The priority while it does not stand back. Tracked objects move it within 1 to 254, so an owner
    /// can be demoted too (G-1).
    fn rank(&self) -> Priority {
        let base = self.base_priority();
        let sum = self.tracking.weight();
        if sum == 0 || (base.is_owner() && sum > 0) {
            return base;
        }
        let moved = i32::from(base.get()).saturating_add(sum).clamp(1, 254);
        Priority::new(moved as u8).unwrap_or(base)
    }

    /// Skew_Time.
    fn skew(&self) -> Duration {
        let interval = self.learned.interval();
        interval.skew(self.settings.version, self.rank())
    }

    /// Active_Down_Interval.
    fn down_interval(&self) -> Duration {
        let interval = self.learned.interval();
        interval.down_interval(self.settings.version, self.rank())
    }

    /// The silence after which it takes over: Active_Down_Interval and, while it holds back, two
    /// intervals more, in which every other router has taken over (G-7, H-11).
    fn patience(&self) -> Duration {
        let mut patience = self.down_interval();
        if self.holds_back() {
            let interval = self.learned.interval().duration();
            patience = patience + interval + interval;
        }
        patience
    }

    /// The address that advertisements come from (G-6).
    #[cfg_attr(not(feature = "large"), inline(never))]
    fn source(&self, iface: &InterfaceState) -> Option<IpAddr> {
        let family = self.key.family;
        if let Some(chosen) = self.entries.source(family) {
            return Some(chosen);
        }
        if family.is_ipv6() {
            iface.ipv6.map(IpAddr::V6)
        } else {
            iface.ipv4.map(IpAddr::V4)
        }
    }

    /// Whether `address` is the source of our own advertisements.
    fn is_own(&self, iface: &InterfaceState, address: IpAddr) -> bool {
        self.source(iface) == Some(address)
    }

    /// The group that advertisements go to without peers.
    fn group(&self) -> IpAddr {
        self.own_group().unwrap_or(self.key.family.group())
    }

    /// The group that advertisements go to, where that is not the RFC's.
    fn own_group(&self) -> Option<IpAddr> {
        if !self.settings.has_own_group() {
            return None;
        }
        self.entries.group(self.key.family)
    }

    /// The MAC that serves the addresses.
    #[cfg_attr(not(feature = "large"), inline(never))]
    pub(super) fn mac(&self, iface: &InterfaceState) -> MacAddr {
        match self.settings.mac_mode {
            MacMode::Virtual => self.key.virtual_mac(),
            MacMode::Interface => iface.mac,
        }
    }

    pub(super) fn status(&self) -> Status {
        Status {
            key: self.key,
            state: self.phase.state(),
            reason: self.reason,
            since: self.since,
            enabled: self.admin.enabled,
            handing_over: matches!(self.phase, Phase::Leaving(_)),
            resigned: self.admin.resigned,
            #[cfg(feature = "groups")]
            due: matches!(&self.phase, Phase::Backup(backup) if backup.due.is_set()),
            version: self.settings.version,
            priority: self.priority(),
            base_priority: self.base_priority(),
            standing_back: self.stands_back(),
            advert_interval: self.settings.advert_interval,
            active_interval: self.learned.interval(),
            down_interval: self.patience(),
            active: self.heard.copy_active(),
            pseudo_header: self.learned.pseudo_header(),
        }
    }

    /// The end of the preempt delay, while it runs.
    pub(super) fn preempts_at(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Backup(backup) if backup.preempt_at != Instant::NEVER => Some(backup.preempt_at),
            _ => None,
        }
    }

    /// The router whose advertisement, or whose silence, decided last.
    fn peer(&self) -> Option<Peer> {
        self.heard.active().map(|active| Peer {
            address: active.address,
            priority: active.priority,
        })
    }

    /// The next time at which something has to happen.
    #[cfg_attr(not(feature = "large"), inline(never))]
    pub(super) fn deadline(&self) -> Instant {
        let next = self.phase.deadline().min(self.applied.rejoin_at());
        next.min(self.changes_until())
    }

    /// Until when an advertisement waits for the changes that it tells of: the last one before it
    /// may have left a whole interval before they began.
    fn changes_until(&self) -> Instant {
        match &self.phase {
            Phase::Active(active)
                if !SMALL && active.after == After::Changes && self.owed.left > 0 =>
            {
                let interval = self.settings.advert_interval.duration().as_micros();
                active.advertise_at - Duration::from_micros(interval - interval / 4)
            }
            _ => Instant::NEVER,
        }
    }
}
