//! The administrator's configuration of a host, in names instead of numbers.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use vrrp_core::{
    AntiReplay, Error, Family, MAX_TRACKS, MacAddr, Track, TrackEffect, Version, VirtualAddress,
    VrConfig, VrKey, VrSettings, Vrid,
};

use crate::error::PlatformError;
use crate::hmac::HmacSpec;
use crate::limits::{MAX_INTERFACES, MAX_VIRTUAL_ROUTERS};
use crate::routing::RoutingItem;
use crate::setup::VrSetup;

/// Everything that a host is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostConfig {
    /// The virtual routers, each named once.
    pub virtual_routers: Vec<VrSpec>,
    /// The boot count of this host, for [`AntiReplay::Monotonic`]: a number
    /// after every one that it has signed with before, as `take_from` of vrrp-port-kit keeps it on the disk.
    /// `None`: the number that was given before stays in force; where there was none, a virtual router
    /// with such keys is refused.
    pub boot_count: Option<u32>,
    /// The synchronisation groups, each named once.
    pub groups: Vec<GroupSpec>,
}

/// A synchronisation group: virtual routers that are Active together or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSpec {
    /// Its name.
    pub name: Arc<str>,
    /// Its members, at least two, each in no other group, in the order that all hosts agree on: the
    /// election of the first one decides where those of several disagree.
    pub members: Vec<VrId>,
}

/// The identity of a virtual router: `VRID 1 on eth0 (ipv4)`, or with a name
/// `web (VRID 1 on eth0, ipv4)`. The name is for people and does not count in comparisons.
#[derive(Clone, Debug)]
pub struct VrId {
    /// The name of its interface.
    pub interface: String,
    /// Its identifier.
    pub vrid: Vrid,
    /// Its address family.
    pub family: Family,
    /// The name that the administrator has given it.
    pub name: Option<Arc<str>>,
}

impl VrId {
    /// The part that tells one virtual router from another.
    fn identity(&self) -> (&str, Vrid, Family) {
        (&self.interface, self.vrid, self.family)
    }
}

impl PartialEq for VrId {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for VrId {}

impl PartialOrd for VrId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for VrId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.identity().cmp(&other.identity())
    }
}

impl Hash for VrId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl fmt::Display for VrId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, vrid) = (self.name.as_deref(), self.vrid.get());
        f.write_str(&full_name(
            name,
            vrid,
            &self.interface,
            family_word(self.family),
        ))
    }
}

/// The way in which people are told of a virtual router, in logs and answers.
pub fn full_name(name: Option<&str>, vrid: u8, interface: &str, family: &str) -> String {
    match name {
        Some(name) => format!("{name} (VRID {vrid} on {interface}, {family})"),
        None => format!("VRID {vrid} on {interface} ({family})"),
    }
}

/// `ipv4` or `ipv6`: an address family in logs, arguments and answers.
pub const fn family_word(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    }
}

/// The number of the object that is always down, and makes a drained virtual router stand back. Others
/// are counted from 0.
pub(crate) const DRAINED: u16 = u16::MAX;

/// The part of the engine's form that is not of the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// Whether it takes over from an Active router that is well.
    pub(crate) preempts: Preempts,
    /// Whether it stands back.
    pub(crate) drained: bool,
}

/// Whether a Backup takes over from an Active router that is well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Preempts {
    /// As the configuration says.
    #[default]
    AsConfigured,
    /// No.
    Never,
    /// Yes, and without a delay.
    AtOnce,
}

/// One virtual router: [`VrConfig`], owned, and with interfaces by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VrSpec {
    /// Its name.
    pub id: VrId,
    /// The plain values. Changing [`mac_mode`](VrSettings::mac_mode) in a reload stops the virtual
    /// router gracefully and starts it again.
    pub settings: VrSettings,
    /// See [`VrSetup::replace_mac`]. Changing it in a reload is as changing the MAC mode.
    pub replace_mac: bool,
    /// See [`VrSetup::silent`]. It needs accept mode.
    pub silent: bool,
    /// See [`VrSetup::reset_connections`].
    pub reset_connections: bool,
    /// Whether this host has to be prepared before it takes over from an Active router that is well: then
    /// it asks with [`Event::Prepare`](crate::Event::Prepare), and waits for
    /// [`Host::set_prepared`](crate::Host::set_prepared). It does not wait where the Active router is
    /// silent or says that it stops, nor as the owner of the addresses.
    pub prepares: bool,
    /// Its addresses: at least one, or none where it [elects alone](VrSettings::advertise_only); with
    /// `peers` at most [`MAX_ADDRESSES`](crate::MAX_ADDRESSES).
    pub addresses: Vec<AddressSpec>,
    /// Addresses of another family that follow it: served on an interface of the host while this host is
    /// Active, and not advertised; at most [`MAX_ADDRESSES`](crate::MAX_ADDRESSES). They need accept mode.
    pub followers: Vec<AddressSpec>,
    /// See [`VrConfig::source`]. While the interface does not have it there is a warning.
    pub source: Option<IpAddr>,
    /// See [`VrSetup::routing`]; at most [`MAX_ROUTING`](crate::MAX_ROUTING).
    pub routing: Vec<RoutingItem>,
    /// See [`VrConfig::peers`].
    pub peers: Vec<IpAddr>,
    /// Objects that move its priority or hold it back; at most [`vrrp_core::MAX_TRACKS`].
    pub tracks: Vec<TrackSpec>,
    /// Signatures of advertisements. `None`: none are sent, and none verified.
    pub hmac: Option<HmacSpec>,
    /// The interface of its second path, on which copies of its advertisements are sent and heard. They show
    /// whether a silent master is dead or cut off, and are no part of the election. No virtual router of
    /// this family may use the VRID on that interface.
    pub heartbeat: Option<String>,
}

impl VrSpec {
    /// Whether it signs with numbers that begin with a boot count: [`HostConfig::boot_count`].
    pub fn needs_boot_count(&self) -> bool {
        let hmac = self.hmac.as_ref();
        hmac.is_some_and(|hmac| hmac.settings.replay == AntiReplay::Monotonic)
    }

    /// A virtual router with the engine's defaults and these addresses. But packets to them are
    /// accepted, and their connections reset when they are given up: the service is on this host.
    pub fn new(id: VrId, addresses: Vec<AddressSpec>) -> Self {
        Self {
            id,
            settings: VrSettings {
                accept: true,
                ..VrSettings::DEFAULT
            },
            replace_mac: false,
            silent: false,
            reset_connections: true,
            prepares: false,
            addresses,
            followers: Vec::new(),
            source: None,
            routing: Vec::new(),
            peers: Vec::new(),
            tracks: Vec::new(),
            hmac: None,
            heartbeat: None,
        }
    }

    /// Calls `f` with the engine's form, tracked objects numbered by `number`.
    pub(crate) fn with_engine_form<R>(
        &self,
        form: Form,
        mut number: impl FnMut(&Tracked) -> u16,
        f: impl FnOnce(&VrConfig<'_>) -> R,
    ) -> R {
        let mut addresses: Vec<VirtualAddress> = self.addresses.iter().map(|a| a.address).collect();
        if addresses.is_empty() && self.settings.advertise_only {
            addresses.extend(dummy_address(self.settings.version, &self.id));
        }
        let mut tracks: Vec<Track> = self
            .tracks
            .iter()
            .map(|track| Track {
                object: number(&track.what),
                effect: track.effect,
            })
            .collect();
        if form.drained {
            let has_weight = |t: &Track| t.effect != TrackEffect::Fault;
            let spare = tracks.iter().position(has_weight);
            // One that stands back has priority 1, whatever its objects weigh: there is room.
            if let Some(spare) = spare.filter(|_| tracks.len() >= MAX_TRACKS) {
                tracks.remove(spare);
            }
            tracks.push(Track {
                object: DRAINED,
                effect: TrackEffect::StandBack,
            });
        }
        let preempt_delay = match form.preempts {
            Preempts::AtOnce => vrrp_core::Duration::ZERO,
            _ => self.settings.preempt_delay,
        };
        f(&VrConfig {
            settings: VrSettings {
                preempt: match form.preempts {
                    Preempts::AsConfigured => self.settings.preempt,
                    Preempts::Never => false,
                    Preempts::AtOnce => true,
                },
                preempt_delay,
                ..self.settings
            },
            addresses: &addresses,
            source: self.source,
            peers: &self.peers,
            tracks: &tracks,
        })
    }

    /// Returns the part that the platform has to know.
    pub fn setup(&self, key: VrKey) -> VrSetup {
        VrSetup {
            key,
            mac_mode: self.settings.mac_mode,
            replace_mac: self.replace_mac,
            accept: self.settings.accept,
            silent: self.silent,
            reset_connections: self.reset_connections,
            addresses: self
                .addresses
                .iter()
                .map(|a| (a.address, a.interface.clone()))
                .collect(),
            followers: self
                .followers
                .iter()
                .map(|a| (a.address, a.interface.clone()))
                .collect(),
            unicast: !self.peers.is_empty(),
            group: self.settings.group.filter(|_| self.peers.is_empty()),
            source: self.source,
            routing: self.routing.clone(),
        }
    }

    /// Where each address is: the interface that carries it, or that of the virtual router.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        let own = self.addresses.iter().map(|entry| {
            let carrier = entry.interface.as_ref().unwrap_or(&self.id.interface);
            (carrier.as_str(), entry.address.address)
        });
        own.chain(self.follower_places())
    }

    /// Where each address is that follows it.
    pub(crate) fn follower_places(&self) -> impl Iterator<Item = (&str, IpAddr)> {
        self.followers.iter().map(|entry| {
            let carrier = entry.interface.as_ref().unwrap_or(&self.id.interface);
            (carrier.as_str(), entry.address.address)
        })
    }

    /// The interface that carries an address, if it is another one than the virtual router's.
    pub(crate) fn device_of(&self, address: IpAddr) -> Option<&str> {
        let entry = self.addresses.iter().find(|a| a.address.address == address);
        let device = entry.and_then(|a| a.interface.as_deref());
        device.filter(|device| *device != self.id.interface)
    }

    /// Lowers the priority to 1 while an interface is down that carries an address, unless it is
    /// tracked in another way: a host that reaches all networks is to be preferred.
    pub(crate) fn track_devices(&mut self) {
        let addresses = self.addresses.iter().map(|a| a.address.address);
        let devices: BTreeSet<&str> = addresses.filter_map(|a| self.device_of(a)).collect();
        let tracks = devices.into_iter().map(|device| TrackSpec {
            what: Tracked::Interface(device.to_owned()),
            effect: TrackEffect::WhileDown(-i16::from(u8::MAX)),
        });
        for track in tracks.collect::<Vec<_>>() {
            let room = self.tracks.len() < MAX_TRACKS;
            if room && !self.tracks.iter().any(|known| known.what == track.what) {
                self.tracks.push(track);
            }
        }
    }

    /// Whether a virtual router has to be removed and set up anew to become `new`: the platform and the
    /// engine know it by one MAC only, and an address that stays is not installed anew.
    pub fn is_replaced_by(&self, new: &VrSpec) -> bool {
        let mac = |spec: &VrSpec| (spec.settings.mac_mode, spec.replace_mac);
        mac(self) != mac(new) || !self.carries_like(new)
    }

    /// Whether each address that `other` has too is on the same interface there.
    pub(crate) fn carries_like(&self, other: &VrSpec) -> bool {
        let theirs = || other.addresses.iter().chain(&other.followers);
        let moved = |mine: &AddressSpec| {
            let theirs = theirs().find(|a| a.address == mine.address);
            theirs.is_some_and(|theirs| theirs.interface != mine.interface)
        };
        !self.addresses.iter().chain(&self.followers).any(moved)
    }

    /// Every interface that it names: its own first.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        let all = self.addresses.iter().chain(&self.followers);
        let carriers = all.filter_map(|a| a.interface.as_deref());
        let tracked = self.tracks.iter().filter_map(|track| match &track.what {
            Tracked::Interface(name) => Some(name.as_str()),
            _ => None,
        });
        std::iter::once(self.id.interface.as_str())
            .chain(carriers)
            .chain(tracked)
            .chain(self.heartbeat.as_deref())
    }
}

/// The address that is advertised where there is none: VRRPv3 forbids an advertisement without one (RFC
/// 9568 section 5.2.5), and all hosts have to name the same. VRRPv2 needs none, and keepalived sends none.
fn dummy_address(version: Version, id: &VrId) -> Option<VirtualAddress> {
    /// The IPv4 dummy address (RFC 7600), which belongs to no host.
    const DUMMY: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
    let (address, prefix_len) = match id.family {
        _ if version == Version::V2 => return None,
        Family::Ipv4 => (DUMMY.into(), 32),
        Family::Ipv6 => (link_local_of(id.vrid).into(), 64),
    };
    Some(VirtualAddress {
        address,
        prefix_len,
    })
}

/// Returns the link-local address that the virtual MAC of an IPv6 virtual router would form by itself (RFC
/// 4291 appendix A).
pub fn link_local_of(vrid: Vrid) -> Ipv6Addr {
    let [a, b, c, d, e, f] = MacAddr::virtual_router(Family::Ipv6, vrid).0;
    let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(
        0xfe80,
        0,
        0,
        0,
        word(a ^ 0x02, b),
        word(c, 0xff),
        word(0xfe, d),
        word(e, f),
    )
}

/// A virtual address and where it is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressSpec {
    /// The address and its prefix.
    pub address: VirtualAddress,
    /// The interface that carries it. `None`: the one that carries the MAC of the virtual router.
    /// Changing it in a reload stops the virtual router gracefully and starts it again.
    pub interface: Option<String>,
}

/// A tracked object and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackSpec {
    /// The object.
    pub what: Tracked,
    /// The effect of its state on the virtual router.
    pub effect: TrackEffect,
}

/// Something whose state matters to a virtual router.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Tracked {
    /// An interface: down while it is not up or does not exist.
    Interface(String),
    /// Another virtual router of this host. It counts as down while its interface is down or has no
    /// address to advertise from, and while an effect has failed. It does not count as down because of
    /// its own tracked objects, so that two may depend on each other, nor while it is disabled.
    VirtualRouter(VrId),
    /// A fact that the user of the host states with [`Host::set_tracked`](crate::Host::set_tracked); up
    /// until then.
    Named(String),
}

/// A configuration that cannot be had. Nothing was changed.
#[derive(Debug)]
pub struct ConfigError {
    /// The virtual router that it is about. `None`: the whole.
    pub id: Option<VrId>,
    /// The fault.
    pub cause: ConfigCause,
}

/// Why a configuration was refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConfigCause {
    /// The engine cannot do it.
    Engine(Error),
    /// The operating system refused.
    Platform(PlatformError),
    /// The virtual router is named twice.
    Twice,
    /// An address on the same interface belongs to another virtual router.
    AddressTaken {
        /// The address.
        address: IpAddr,
        /// The other virtual router.
        by: VrId,
    },
    /// An address on another interface than the virtual router's needs accept mode: there nobody but
    /// the kernel answers for it.
    NeedsAccept {
        /// The address.
        address: IpAddr,
        /// The interface that is to carry it.
        interface: String,
    },
    /// Silent addresses need accept mode: services bind them.
    SilentNeedsAccept,
    /// A key was not read. The number is its id.
    NoSecret(u8),
    /// It signs with numbers that begin with a boot count
    /// ([`AntiReplay::Monotonic`]), and none was given.
    NoBootCount,
    /// Copies of its advertisements on this interface would be taken for those of a virtual router there, or
    /// for copies of another one.
    SecondPathTaken(String),
    /// A tracked virtual router does not exist.
    NoSuchVirtualRouter(VrId),
    /// It tracks itself.
    TracksItself,
    /// A synchronisation group cannot be.
    Group {
        /// Its name.
        name: Arc<str>,
        /// Its fault.
        cause: GroupCause,
    },
    /// More virtual routers than [`MAX_VIRTUAL_ROUTERS`](crate::MAX_VIRTUAL_ROUTERS).
    TooManyVirtualRouters,
    /// Virtual routers on more interfaces than [`MAX_INTERFACES`](crate::MAX_INTERFACES).
    TooManyInterfaces,
    /// The host is shutting down.
    ShuttingDown,
}

/// The fault of a synchronisation group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupCause {
    /// The group is named twice.
    Twice,
    /// A member is not configured.
    NoSuchVirtualRouter,
    /// A member is in another group, too, or named twice.
    InAnother,
    /// It has less than two members.
    Alone,
    /// Its members track so many different objects, more than [`MAX_TRACKS`].
    Tracks(usize),
}

impl fmt::Display for GroupCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GroupCause::Twice => f.write_str("is configured twice"),
            GroupCause::NoSuchVirtualRouter => f.write_str("has a member that is not configured"),
            GroupCause::InAnother => f.write_str("has a member that is in a group already"),
            GroupCause::Alone => f.write_str("has less than two members"),
            GroupCause::Tracks(count) => write!(
                f,
                "depends on {count} interfaces, virtual routers and checks, expected at most {MAX_TRACKS}"
            ),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{id}: {}", self.cause),
            None => self.cause.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigCause::Engine(error) => error.fmt(f),
            ConfigCause::Platform(error) => error.fmt(f),
            ConfigCause::Twice => f.write_str("configured twice"),
            ConfigCause::AddressTaken { address, by } => {
                write!(f, "the address {address} belongs to {by} already")
            }
            ConfigCause::NeedsAccept { address, interface } => write!(
                f,
                "without accept mode {address} cannot be on {interface}, which is another interface than the virtual router's"
            ),
            ConfigCause::SilentNeedsAccept => f.write_str(
                "its addresses cannot be silent without accept mode: no packet to them is taken",
            ),
            ConfigCause::NoSecret(id) => {
                write!(
                    f,
                    "its key {id} was not read, so that nothing can be signed"
                )
            }
            ConfigCause::NoBootCount => f.write_str(
                "its protection against replays is monotonic, which needs a boot count that is kept over restarts, and there is none",
            ),
            ConfigCause::SecondPathTaken(interface) => write!(
                f,
                "its VRID is used on {interface}, which is to be its second path"
            ),
            ConfigCause::NoSuchVirtualRouter(id) => {
                write!(f, "it depends on {id}, which is not configured")
            }
            ConfigCause::TracksItself => f.write_str("it depends on itself"),
            ConfigCause::Group { name, cause } => write!(f, "group {name} {cause}"),
            ConfigCause::TooManyVirtualRouters => {
                write!(f, "more than {} virtual routers", MAX_VIRTUAL_ROUTERS)
            }
            ConfigCause::TooManyInterfaces => write!(
                f,
                "virtual routers on more than {} interfaces",
                MAX_INTERFACES
            ),
            ConfigCause::ShuttingDown => f.write_str("shutting down"),
        }
    }
}
