//! From the octets of C to the legal values of the engine, and back.

use core::ffi::c_int;
use core::mem::size_of;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::ptr;

use vrrp_core::wire::Datagram;
use vrrp_core::{
    AddressCheck, AdvertInterval, Announce, Auth, ChecksumMode, DropReason, Duration, Error,
    Failure, Family, FrameKind, InterfaceState, MacAddr, MacMode, OnConflict, Output, OwnerReceive,
    Peer, Priority, Reason, State, Track, TrackEffect, Transmit, Verdict, Version, VirtualAddress,
    VrKey, VrSettings, Vrid,
};

use crate::numbers::*;
use crate::types::*;

/// A legal value of the engine, from what C has written.
pub(crate) trait Legal<T> {
    /// Returns its meaning, or the error to answer.
    fn legal(&self) -> Result<T, c_int>;
}

impl Legal<Family> for u8 {
    #[inline]
    fn legal(&self) -> Result<Family, c_int> {
        match *self {
            VRRP_IPV4 => Ok(Family::Ipv4),
            VRRP_IPV6 => Ok(Family::Ipv6),
            _ => Err(VRRP_ERR_VALUE),
        }
    }
}

impl Legal<VrKey> for vrrp_key {
    fn legal(&self) -> Result<VrKey, c_int> {
        Ok(VrKey {
            ifindex: self.ifindex,
            vrid: Vrid::new(self.vrid).ok_or(VRRP_ERR_VALUE)?,
            family: self.family.legal()?,
        })
    }
}

impl Legal<IpAddr> for vrrp_address {
    fn legal(&self) -> Result<IpAddr, c_int> {
        Ok(match self.family.legal()? {
            Family::Ipv4 => {
                let [a, b, c, d, ..] = self.octets;
                IpAddr::V4(Ipv4Addr::new(a, b, c, d))
            }
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::from(self.octets)),
        })
    }
}

impl Legal<VirtualAddress> for vrrp_virtual_address {
    fn legal(&self) -> Result<VirtualAddress, c_int> {
        Ok(VirtualAddress {
            address: self.address.legal()?,
            prefix_len: self.prefix_len,
        })
    }
}

impl Legal<Version> for u8 {
    fn legal(&self) -> Result<Version, c_int> {
        match *self {
            VRRP_V2 => Ok(Version::V2),
            VRRP_V3 => Ok(Version::V3),
            VRRP_V2_AND_V3 => Ok(Version::Both),
            _ => Err(VRRP_ERR_VALUE),
        }
    }
}

impl Legal<MacMode> for u8 {
    fn legal(&self) -> Result<MacMode, c_int> {
        match *self {
            VRRP_MAC_VIRTUAL => Ok(MacMode::Virtual),
            VRRP_MAC_INTERFACE => Ok(MacMode::Interface),
            _ => Err(VRRP_ERR_VALUE),
        }
    }
}

impl Legal<ChecksumMode> for u8 {
    fn legal(&self) -> Result<ChecksumMode, c_int> {
        match *self {
            VRRP_CHECKSUM_AUTO => Ok(ChecksumMode::Auto),
            VRRP_CHECKSUM_RFC9568 => Ok(ChecksumMode::Rfc9568),
            VRRP_CHECKSUM_RFC5798 => Ok(ChecksumMode::Rfc5798),
            _ => Err(VRRP_ERR_VALUE),
        }
    }
}

impl Legal<AddressCheck> for u8 {
    fn legal(&self) -> Result<AddressCheck, c_int> {
        match *self {
            VRRP_ADDRESSES_WARN => Ok(AddressCheck::Warn),
            VRRP_ADDRESSES_STRICT => Ok(AddressCheck::Strict),
            _ => Err(VRRP_ERR_VALUE),
        }
    }
}

/// An address that may be left out: none when its family is 0.
pub(crate) fn source(given: vrrp_address) -> Result<Option<IpAddr>, c_int> {
    match given.family {
        0 => Ok(None),
        _ => given.legal().map(Some),
    }
}

impl Legal<OwnerReceive> for u8 {
    fn legal(&self) -> Result<OwnerReceive, c_int> {
        match *self {
            VRRP_OWNER_ELECT => Ok(OwnerReceive::Elect),
            VRRP_OWNER_DISCARD => Ok(OwnerReceive::Discard),
            _ => Err(VRRP_ERR_VALUE),
        }
    }
}

impl Legal<OnConflict> for u8 {
    fn legal(&self) -> Result<OnConflict, c_int> {
        match *self {
            VRRP_CONFLICT_TAKE_OVER => Ok(OnConflict::TakeOver),
            VRRP_CONFLICT_WAIT => Ok(OnConflict::Wait),
            _ => Err(VRRP_ERR_VALUE),
        }
    }
}

impl Legal<Track> for vrrp_track {
    fn legal(&self) -> Result<Track, c_int> {
        Ok(Track {
            object: self.object,
            effect: match self.effect {
                VRRP_TRACK_FAULT => TrackEffect::Fault,
                VRRP_TRACK_WHILE_DOWN => TrackEffect::WhileDown(self.delta),
                VRRP_TRACK_WHILE_UP => TrackEffect::WhileUp(self.delta),
                VRRP_TRACK_STAND_BACK => TrackEffect::StandBack,
                _ => return Err(VRRP_ERR_VALUE),
            },
        })
    }
}

impl Legal<InterfaceState> for vrrp_interface {
    fn legal(&self) -> Result<InterfaceState, c_int> {
        if self.reserved != 0 {
            return Err(VRRP_ERR_VALUE);
        }
        let (ipv4, ipv6) = (Ipv4Addr::from(self.ipv4), Ipv6Addr::from(self.ipv6));
        Ok(InterfaceState {
            up: self.up != 0,
            mac: MacAddr(self.mac),
            ipv4: (!ipv4.is_unspecified()).then_some(ipv4),
            ipv6: (!ipv6.is_unspecified()).then_some(ipv6),
        })
    }
}

/// The interface and the datagram that a packet brought.
pub(crate) fn datagram<'m>(
    packet: &vrrp_packet,
    message: &'m [u8],
) -> Result<(u32, Datagram<'m>), c_int> {
    if packet.reserved != [0; 2] || packet.source.family != packet.destination.family {
        return Err(VRRP_ERR_VALUE);
    }
    let datagram = Datagram {
        source: packet.source.legal()?,
        destination: packet.destination.legal()?,
        ttl: packet.ttl,
        source_mac: (packet.has_source_mac != 0).then_some(MacAddr(packet.source_mac)),
        message,
    };
    Ok((packet.ifindex, datagram))
}

/// The interval of a configuration, which depends on the version.
fn interval(version: Version, cs: u16) -> Result<AdvertInterval, c_int> {
    let interval = match version {
        Version::V2 if cs.is_multiple_of(100) => u8::try_from(cs / 100)
            .ok()
            .and_then(AdvertInterval::from_secs),
        Version::V2 => None,
        Version::V3 | Version::Both => AdvertInterval::from_centis(cs),
    };
    interval.ok_or(VRRP_ERR_BAD_INTERVAL)
}

/// The password of a configuration.
fn auth(auth: u8, password: [u8; 8]) -> Result<Auth, c_int> {
    match auth {
        VRRP_AUTH_NONE => Ok(Auth::None),
        VRRP_AUTH_SIMPLE => Ok(Auth::Simple(password)),
        _ => Err(VRRP_ERR_VALUE),
    }
}

impl vrrp_config {
    /// Its plain values: the one way from C to the settings of a virtual router. `error` makes an error
    /// of the name of a field without a legal value, and its number.
    pub(crate) fn settings<E>(&self, error: impl Fn(&str, c_int) -> E) -> Result<VrSettings, E> {
        let error = &error;
        let bad = |name| move |code| error(name, code);
        let version = self.version.legal().map_err(bad("version"))?;
        let priority = Priority::new(self.priority).ok_or(VRRP_ERR_VALUE);
        let interval = interval(version, self.advert_interval_cs);
        let refresh = Duration::from_micros(self.announce_refresh_us);
        Ok(VrSettings {
            version,
            priority: priority.map_err(bad("priority"))?,
            advert_interval: interval.map_err(bad("advert_interval_cs"))?,
            preempt: self.preempt != 0,
            preempt_delay: Duration::from_micros(self.preempt_delay_us),
            start_delay: Duration::from_micros(self.start_delay_us),
            accept: self.accept != 0,
            max_hops: self.max_hops,
            mac_mode: self.mac_mode.legal().map_err(bad("mac_mode"))?,
            auth: auth(self.auth, self.password).map_err(bad("auth"))?,
            checksum: self.checksum.legal().map_err(bad("checksum"))?,
            address_check: self.address_check.legal().map_err(bad("address_check"))?,
            owner_receive: self.owner_receive.legal().map_err(bad("owner_receive"))?,
            announce: Announce {
                repeats: self.announce_repeats,
                repeat_interval: Duration::from_micros(self.announce_repeat_us),
                refresh: (refresh != Duration::ZERO).then_some(refresh),
            },
            on_conflict: self.on_conflict.legal().map_err(bad("on_conflict"))?,
            unadvertised: self.unadvertised,
            advertise_only: self.advertise_only != 0,
            group: source(self.group).map_err(bad("group"))?,
        })
    }

    /// The defaults of the RFC.
    pub(crate) fn with_defaults(size: u32) -> Self {
        let from = VrSettings::DEFAULT;
        Self {
            size,
            version: VRRP_V3,
            priority: from.priority.get(),
            advert_interval_cs: from.advert_interval.as_centis(),
            preempt: from.preempt.into(),
            accept: from.accept.into(),
            max_hops: from.max_hops,
            mac_mode: VRRP_MAC_VIRTUAL,
            checksum: VRRP_CHECKSUM_AUTO,
            owner_receive: VRRP_OWNER_ELECT,
            auth: VRRP_AUTH_NONE,
            announce_repeats: from.announce.repeats,
            password: [0; 8],
            preempt_delay_us: from.preempt_delay.as_micros(),
            start_delay_us: from.start_delay.as_micros(),
            announce_repeat_us: from.announce.repeat_interval.as_micros(),
            announce_refresh_us: 0,
            addresses: ptr::null(),
            addresses_len: 0,
            peers: ptr::null(),
            peers_len: 0,
            tracks: ptr::null(),
            tracks_len: 0,
            source: vrrp_address::default(),
            address_check: VRRP_ADDRESSES_WARN,
            on_conflict: VRRP_CONFLICT_TAKE_OVER,
            unadvertised: from.unadvertised,
            advertise_only: from.advertise_only.into(),
            group: vrrp_address::default(),
            reserved: [0; 2],
        }
    }
}

/// The number of a refusal.
pub(crate) fn error(error: Error) -> c_int {
    match error {
        Error::InterfaceTableFull => VRRP_ERR_INTERFACES_FULL,
        Error::VirtualRouterTableFull => VRRP_ERR_ROUTERS_FULL,
        Error::AddressTableFull => VRRP_ERR_ADDRESSES_FULL,
        Error::TrackTableFull => VRRP_ERR_TRACKS_FULL,
        Error::Exists => VRRP_ERR_EXISTS,
        Error::NotFound => VRRP_ERR_NOT_FOUND,
        Error::InUse => VRRP_ERR_IN_USE,
        Error::NoAddresses => VRRP_ERR_NO_ADDRESSES,
        Error::BadAddress => VRRP_ERR_BAD_ADDRESS,
        Error::FamilyVersion => VRRP_ERR_FAMILY_VERSION,
        Error::BadInterval => VRRP_ERR_BAD_INTERVAL,
        Error::AuthVersion => VRRP_ERR_AUTH_VERSION,
        Error::MacModeFixed => VRRP_ERR_MAC_MODE_FIXED,
        Error::BadMaxHops => VRRP_ERR_BAD_MAX_HOPS,
        Error::BadDelay => VRRP_ERR_BAD_DELAY,
        Error::NoPeers => VRRP_ERR_PEERS,
        Error::NoSource => VRRP_ERR_SOURCE,
        Error::BadGroup => VRRP_ERR_GROUP,
        Error::BadAuthKey => VRRP_ERR_AUTH_KEY,
        Error::AuthKeyTableFull => VRRP_ERR_AUTH_KEYS_FULL,
        Error::BadAuthWindow => VRRP_ERR_AUTH_WINDOW,
        Error::AuthConflict => VRRP_ERR_AUTH_CONFLICT,
        Error::NoClock => VRRP_ERR_NO_CLOCK,
        _ => VRRP_ERR_OTHER,
    }
}

/// The number of a verdict.
#[inline]
pub(crate) fn verdict(verdict: &Verdict<'_>) -> c_int {
    match verdict {
        Verdict::NotVrrp => VRRP_NOT_VRRP,
        Verdict::Accepted(_) => VRRP_ACCEPTED,
        Verdict::Dropped(dropped) => drop_reason(dropped.reason),
    }
}

/// The number of a drop reason.
pub(crate) fn drop_reason(reason: DropReason) -> c_int {
    match reason {
        DropReason::BadHeader => VRRP_DROP_BAD_HEADER,
        DropReason::IpChecksum => VRRP_DROP_IP_CHECKSUM,
        DropReason::Fragment => VRRP_DROP_FRAGMENT,
        DropReason::WrongDestination => VRRP_DROP_WRONG_DESTINATION,
        DropReason::Ttl => VRRP_DROP_TTL,
        DropReason::Version => VRRP_DROP_VERSION,
        DropReason::Type => VRRP_DROP_TYPE,
        DropReason::Length => VRRP_DROP_LENGTH,
        DropReason::Checksum => VRRP_DROP_CHECKSUM,
        DropReason::UnknownVrid => VRRP_DROP_UNKNOWN_VRID,
        DropReason::Owner => VRRP_DROP_OWNER,
        DropReason::NoAddresses => VRRP_DROP_NO_ADDRESSES,
        DropReason::NotLinkLocal => VRRP_DROP_NOT_LINK_LOCAL,
        DropReason::ZeroInterval => VRRP_DROP_ZERO_INTERVAL,
        DropReason::AddressMismatch => VRRP_DROP_ADDRESS_MISMATCH,
        DropReason::IntervalMismatch => VRRP_DROP_INTERVAL_MISMATCH,
        DropReason::AuthType => VRRP_DROP_AUTH_TYPE,
        DropReason::AuthFailure => VRRP_DROP_AUTH_FAILURE,
        DropReason::OwnLoopedBack => VRRP_DROP_OWN_LOOPED_BACK,
        DropReason::UnknownPeer => VRRP_DROP_UNKNOWN_PEER,
        DropReason::V2ShadowedByV3 => VRRP_DROP_V2_SHADOWED_BY_V3,
        DropReason::NotRunning => VRRP_DROP_NOT_RUNNING,
        DropReason::Carp => VRRP_DROP_CARP,
        DropReason::AuthenticationTrailer => VRRP_DROP_AUTHENTICATION_TRAILER,
        DropReason::AuthMissing => VRRP_DROP_AUTH_MISSING,
        DropReason::AuthMalformed => VRRP_DROP_AUTH_MALFORMED,
        DropReason::AuthStale => VRRP_DROP_AUTH_STALE,
        DropReason::AuthUnknownKey => VRRP_DROP_AUTH_UNKNOWN_KEY,
        DropReason::AuthInvalidHmac => VRRP_DROP_AUTH_INVALID_HMAC,
        DropReason::AuthReplay => VRRP_DROP_AUTH_REPLAY,
        _ => VRRP_DROP_OTHER,
    }
}

/// The number of a family.
#[inline]
pub(crate) fn family(family: Family) -> u8 {
    match family {
        Family::Ipv4 => VRRP_IPV4,
        Family::Ipv6 => VRRP_IPV6,
    }
}

/// The number of a version.
pub(crate) fn version(version: Version) -> u8 {
    match version {
        Version::V2 => VRRP_V2,
        Version::V3 => VRRP_V3,
        Version::Both => VRRP_V2_AND_V3,
    }
}

/// The number of a state.
pub(crate) fn state(state: State) -> u8 {
    match state {
        State::Initialize => VRRP_STATE_INITIALIZE,
        State::Backup => VRRP_STATE_BACKUP,
        State::Active => VRRP_STATE_ACTIVE,
    }
}

/// The number of a reason.
pub(crate) fn reason(reason: Reason) -> u8 {
    match reason {
        Reason::Started => VRRP_REASON_STARTED,
        Reason::Owner => VRRP_REASON_OWNER,
        Reason::ActiveTimeout => VRRP_REASON_ACTIVE_TIMEOUT,
        Reason::ActiveStopped => VRRP_REASON_ACTIVE_STOPPED,
        Reason::Preempted => VRRP_REASON_PREEMPTED,
        Reason::HigherPriority => VRRP_REASON_HIGHER_PRIORITY,
        Reason::HigherAddress => VRRP_REASON_HIGHER_ADDRESS,
        Reason::Resigned => VRRP_REASON_RESIGNED,
        Reason::Disabled => VRRP_REASON_DISABLED,
        Reason::InterfaceDown => VRRP_REASON_INTERFACE_DOWN,
        Reason::NoPrimaryAddress => VRRP_REASON_NO_PRIMARY_ADDRESS,
        Reason::TrackedFault => VRRP_REASON_TRACKED_FAULT,
        Reason::EffectFailed => VRRP_REASON_EFFECT_FAILED,
        Reason::StandsBack => VRRP_REASON_STANDS_BACK,
        Reason::ActiveUnheard => VRRP_REASON_ACTIVE_UNHEARD,
    }
}

/// The number of a kind of frame.
#[inline]
pub(crate) fn frame_kind(kind: FrameKind) -> u8 {
    match kind {
        FrameKind::Advertisement => VRRP_FRAME_ADVERTISEMENT,
        FrameKind::GratuitousArp => VRRP_FRAME_GRATUITOUS_ARP,
        FrameKind::UnsolicitedNa => VRRP_FRAME_UNSOLICITED_NA,
        FrameKind::ArpReply => VRRP_FRAME_ARP_REPLY,
        FrameKind::NaReply => VRRP_FRAME_NA_REPLY,
        FrameKind::NeighborProbe => VRRP_FRAME_NEIGHBOR_PROBE,
    }
}

impl From<VrKey> for vrrp_key {
    #[inline]
    fn from(key: VrKey) -> Self {
        Self {
            ifindex: key.ifindex,
            vrid: key.vrid.get(),
            family: family(key.family),
        }
    }
}

impl From<IpAddr> for vrrp_address {
    fn from(address: IpAddr) -> Self {
        let octets = match address {
            IpAddr::V4(v4) => {
                let [a, b, c, d] = v4.octets();
                [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
            }
            IpAddr::V6(v6) => v6.octets(),
        };
        let family = family(Family::of(address));
        Self { family, octets }
    }
}

impl From<VirtualAddress> for vrrp_virtual_address {
    fn from(address: VirtualAddress) -> Self {
        Self {
            address: address.address.into(),
            prefix_len: address.prefix_len,
        }
    }
}

impl From<Peer> for vrrp_peer {
    fn from(peer: Peer) -> Self {
        Self {
            address: peer.address.into(),
            priority: peer.priority,
        }
    }
}

impl vrrp_output {
    const NONE: Self = Self {
        size: size_of::<Self>() as u32,
        key: vrrp_key {
            ifindex: 0,
            vrid: 0,
            family: 0,
        },
        kind: 0,
        on: 0,
        accept: 0,
        frame_kind: 0,
        frame_len: 0,
        ip_offset: 0,
        payload_offset: 0,
        mac: [0; 6],
        address: vrrp_virtual_address {
            address: vrrp_address::NONE,
            prefix_len: 0,
        },
        unicast: vrrp_address::NONE,
        from: 0,
        to: 0,
        reason: 0,
        peer: vrrp_peer {
            address: vrrp_address::NONE,
            priority: 0,
        },
    };
}

impl vrrp_address {
    const NONE: Self = Self {
        family: 0,
        octets: [0; 16],
    };
}

impl From<Transmit<'_>> for vrrp_output {
    #[inline(always)]
    fn from(transmit: Transmit<'_>) -> Self {
        let Transmit {
            key,
            frame,
            ip_offset,
            payload_offset,
            kind,
            unicast,
        } = transmit;
        vrrp_output {
            key: key.into(),
            kind: VRRP_OUTPUT_TRANSMIT,
            frame_kind: frame_kind(kind),
            frame_len: frame.len() as u32,
            ip_offset,
            payload_offset,
            unicast: match unicast {
                Some(address) => address.into(),
                None => vrrp_address::NONE,
            },
            ..Self::NONE
        }
    }
}

impl From<Output<'_>> for vrrp_output {
    #[inline(never)]
    fn from(output: Output<'_>) -> Self {
        match output {
            Output::Transmit(transmit) => transmit.into(),
            Output::SetMac { key, mac, on } => vrrp_output {
                key: key.into(),
                kind: VRRP_OUTPUT_SET_MAC,
                mac: mac.0,
                on: on.into(),
                ..Self::NONE
            },
            Output::SetAddress {
                key,
                address,
                accept,
                on,
            } => vrrp_output {
                key: key.into(),
                kind: VRRP_OUTPUT_SET_ADDRESS,
                address: address.into(),
                accept: accept.into(),
                on: on.into(),
                ..Self::NONE
            },
            Output::SetGroup {
                ifindex,
                family,
                on,
            } => vrrp_output {
                key: vrrp_key {
                    ifindex,
                    vrid: 0,
                    family: self::family(family),
                },
                kind: VRRP_OUTPUT_SET_GROUP,
                on: on.into(),
                ..Self::NONE
            },
            Output::StateChange(change) => vrrp_output {
                key: change.key.into(),
                kind: VRRP_OUTPUT_STATE_CHANGE,
                from: state(change.from),
                to: state(change.to),
                reason: reason(change.reason),
                peer: change.peer.map_or(vrrp_peer::default(), Into::into),
                ..Self::NONE
            },
            Output::Removed { key } => vrrp_output {
                key: key.into(),
                kind: VRRP_OUTPUT_REMOVED,
                ..Self::NONE
            },
        }
    }
}

impl Legal<Failure> for vrrp_output {
    fn legal(&self) -> Result<Failure, c_int> {
        Ok(match self.kind {
            VRRP_OUTPUT_SET_MAC => Failure::Mac {
                key: self.key.legal()?,
            },
            VRRP_OUTPUT_SET_ADDRESS => Failure::Address {
                key: self.key.legal()?,
                address: self.address.address.legal()?,
            },
            VRRP_OUTPUT_SET_GROUP => Failure::Group {
                ifindex: self.key.ifindex,
                family: self.key.family.legal()?,
            },
            _ => return Err(VRRP_ERR_VALUE),
        })
    }
}
