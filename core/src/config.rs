//! The configuration of a virtual router.

use core::net::IpAddr;

use crate::time::Duration;
use crate::types::{
    AddressCheck, AdvertInterval, Auth, ChecksumMode, MacMode, OnConflict, OwnerReceive, Priority,
    Version, VirtualAddress,
};

/// Tracked objects that one virtual router can name.
pub const MAX_TRACKS: usize = 8;

/// The settings of one virtual router that are plain values. They go as they are from a
/// configuration file to the engine.
///
/// Fields will be added: begin with [`DEFAULT`](Self::DEFAULT) and change what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VrSettings {
    /// The versions to speak and hear. IPv6 has VRRPv3 only.
    pub version: Version,
    /// The priority when every tracked object is up, 1 to 255.
    pub priority: Priority,
    /// The interval between our advertisements while Active: 1 to 4,095 centiseconds, with VRRPv2
    /// alone 1 to 255 whole seconds.
    pub advert_interval: AdvertInterval,
    /// Whether to take over from an Active router of lower priority (RFC 9568 section 6.1). An
    /// owner does so regardless.
    pub preempt: bool,
    /// How long an Active router of lower priority is left alone before it is preempted, 0 to 4,294
    /// seconds. An owner does not wait.
    pub preempt_delay: Duration,
    /// How long to listen before the election can make us Active, after being enabled and after
    /// the interface comes up, 0 to 4,294 seconds.
    pub start_delay: Duration,
    /// Accept_Mode (RFC 9568 section 6.1): whether the host takes packets for the addresses that
    /// it does not own.
    pub accept: bool,
    /// With unicast peers, how many hops an advertisement may have come, 1 to 255: 1 means the same
    /// link and a TTL of 255 on arrival. Without peers it is 1.
    pub max_hops: u8,
    /// Which MAC serves the addresses. It stays for as long as the virtual router exists.
    pub mac_mode: MacMode,
    /// VRRPv2 authentication. VRRPv3 alone has none.
    pub auth: Auth,
    /// The checksum of VRRPv3 over IPv4.
    pub checksum: ChecksumMode,
    /// How VRRPv2 advertisements of other addresses are treated.
    pub address_check: AddressCheck,
    /// The way of an owner with advertisements of others.
    pub owner_receive: OwnerReceive,
    /// Gratuitous ARP and unsolicited NA.
    pub announce: Announce,
    /// Whether to take over from an Active router that is silent while a host answers for the first
    /// address.
    pub on_conflict: OnConflict,
    /// How many of the addresses, counted from the last, are served but not advertised. At least one has
    /// to be left. A small build, without the feature `large`, has none.
    pub unadvertised: u8,
    /// Whether the addresses are advertised and nothing else: not served, announced or asked for. With
    /// VRRPv2 alone there may then be no address. A small build serves them always.
    pub advertise_only: bool,
    /// The multicast group to advertise to and to hear, of the family of the virtual router. `None`: the
    /// [RFC's](crate::Family::group). A small build has no other, nor has a gate. Without effect beside
    /// unicast peers. It takes the room of an address.
    pub group: Option<IpAddr>,
}

impl VrSettings {
    /// The RFC's defaults.
    pub const DEFAULT: VrSettings = VrSettings {
        version: Version::V3,
        priority: Priority::DEFAULT,
        advert_interval: AdvertInterval::DEFAULT,
        preempt: true,
        preempt_delay: Duration::ZERO,
        start_delay: Duration::ZERO,
        accept: false,
        max_hops: 1,
        mac_mode: MacMode::Virtual,
        auth: Auth::None,
        checksum: ChecksumMode::Auto,
        address_check: AddressCheck::Warn,
        owner_receive: OwnerReceive::Elect,
        announce: Announce::DEFAULT,
        on_conflict: OnConflict::TakeOver,
        unadvertised: 0,
        advertise_only: false,
        group: None,
    };
}

impl Default for VrSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The configuration of one virtual router: its settings and its lists. The engine copies what it
/// needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VrConfig<'a> {
    /// The plain values.
    pub settings: VrSettings,
    /// Virtual addresses, all of the family of the virtual router, 1 to `ADDRS`; none is possible where
    /// VRRPv2 [elects alone](VrSettings::advertise_only).
    pub addresses: &'a [VirtualAddress],
    /// The address to advertise from, one of the interface's own: whether it has it is for the port to
    /// know. `None`: the one that the interface's [state](crate::InterfaceState) names.
    pub source: Option<IpAddr>,
    /// Unicast peers. Empty: advertise to the multicast group. Addresses, peers and the
    /// source together fit the `ADDRS` of the router.
    pub peers: &'a [IpAddr],
    /// Objects whose state moves the priority; at most [`MAX_TRACKS`].
    pub tracks: &'a [Track],
}

impl VrConfig<'_> {
    /// The RFC's defaults, with no address: fill in `addresses` at least.
    pub const DEFAULT: VrConfig<'static> = VrConfig {
        settings: VrSettings::DEFAULT,
        addresses: &[],
        source: None,
        peers: &[],
        tracks: &[],
    };
}

impl Default for VrConfig<'_> {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// When neighbours are told where an address lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// How many times more after the first, which comes with becoming Active. Unless it is 0 there is
    /// also a round 100 ms after the first, for switches that have learned the old port again.
    pub repeats: u8,
    /// The time between repeats: at most 4,294 seconds, and less than 10 ms counts as 10 ms.
    pub repeat_interval: Duration,
    /// Announce again at this period for as long as we are Active. Less than 10 ms counts as
    /// 10 ms; more than one round a second is not kept up. `None`: never.
    pub refresh: Option<Duration>,
}

impl Announce {
    /// Once at the takeover, and again after five seconds for those who missed it.
    pub const DEFAULT: Announce = Announce {
        repeats: 1,
        repeat_interval: Duration::from_secs(5),
        refresh: None,
    };
}

impl Default for Announce {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// One tracked object of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Track {
    /// The object, by a number that the port chooses.
    pub object: u16,
    /// The effect of the object on the priority.
    pub effect: TrackEffect,
}

/// The effect of a tracked object on a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackEffect {
    /// While it is down the virtual router is held in Initialize.
    Fault,
    /// While it is down the virtual router [stands back](crate::Status::standing_back).
    StandBack,
    /// While it is down this is added to the priority; the sum stays within 1 to 254.
    WhileDown(i16),
    /// While it is up this is added to the priority; the sum stays within 1 to 254.
    WhileUp(i16),
}
