//! Each side's values in the types of the other. Written apart from the library, which has its own.

use std::mem::size_of;
use std::net::IpAddr;

use ::vrrp::*;
use vrrp_core::{
    AddressCheck, AdvertInterval, Announce, Auth, ChecksumMode, DropReason, Duration, Error,
    Failure, Family, MacMode, OnConflict, Output, OwnerReceive, Priority, Track, TrackEffect,
    Version, VirtualAddress, VrConfig, VrKey, VrSettings, Vrid,
};

/// The number of a refusal, which are in the order of `Error`.
pub(crate) fn number(result: Result<(), Error>) -> i32 {
    const IN_ORDER: [Error; 15] = [
        Error::InterfaceTableFull,
        Error::VirtualRouterTableFull,
        Error::AddressTableFull,
        Error::TrackTableFull,
        Error::Exists,
        Error::NotFound,
        Error::InUse,
        Error::NoAddresses,
        Error::BadAddress,
        Error::FamilyVersion,
        Error::BadInterval,
        Error::AuthVersion,
        Error::MacModeFixed,
        Error::BadMaxHops,
        Error::BadDelay,
    ];
    match result {
        Ok(()) => VRRP_OK,
        Err(error) => {
            let at = IN_ORDER.iter().position(|e| *e == error).expect("known");
            VRRP_ERR_INTERFACES_FULL - at as i32
        }
    }
}

/// The number of a drop reason: the engine's order with `UnknownVrid`, its fourth, as the tenth.
pub(crate) fn drop_number(reason: DropReason) -> i32 {
    match reason {
        DropReason::UnknownVrid => VRRP_DROP_UNKNOWN_VRID,
        _ => match VRRP_DROP_BAD_HEADER + reason as i32 {
            moved @ ..=VRRP_DROP_UNKNOWN_VRID => moved - i32::from(moved > VRRP_DROP_FRAGMENT),
            same => same,
        },
    }
}

/// The configuration in Rust, or the error of what Rust cannot say.
pub(crate) fn legal<'a>(
    c: &vrrp_config,
    addresses: &'a [VirtualAddress],
    peers: &'a [IpAddr],
    tracks: &'a [Track],
) -> Result<VrConfig<'a>, i32> {
    let priority = Priority::new(c.priority).ok_or(VRRP_ERR_VALUE)?;
    let (version, interval) = match c.version {
        2 if !c.advert_interval_cs.is_multiple_of(100) => return Err(VRRP_ERR_BAD_INTERVAL),
        2 => (
            Version::V2,
            AdvertInterval::from_secs((c.advert_interval_cs / 100) as u8),
        ),
        3 => (
            Version::V3,
            AdvertInterval::from_centis(c.advert_interval_cs),
        ),
        23 => (
            Version::Both,
            AdvertInterval::from_centis(c.advert_interval_cs),
        ),
        _ => return Err(VRRP_ERR_VALUE),
    };
    let refresh = Duration::from_micros(c.announce_refresh_us);
    Ok(VrConfig {
        settings: VrSettings {
            version,
            priority,
            advert_interval: interval.ok_or(VRRP_ERR_BAD_INTERVAL)?,
            preempt: c.preempt == 1,
            preempt_delay: Duration::from_micros(c.preempt_delay_us),
            start_delay: Duration::from_micros(c.start_delay_us),
            accept: c.accept == 1,
            max_hops: c.max_hops,
            mac_mode: [MacMode::Virtual, MacMode::Interface][usize::from(c.mac_mode)],
            auth: if c.auth == 1 {
                Auth::Simple(c.password)
            } else {
                Auth::None
            },
            checksum: [
                ChecksumMode::Auto,
                ChecksumMode::Rfc9568,
                ChecksumMode::Rfc5798,
            ][usize::from(c.checksum)],
            address_check: [AddressCheck::Warn, AddressCheck::Strict][usize::from(c.address_check)],
            owner_receive: [OwnerReceive::Elect, OwnerReceive::Discard]
                [usize::from(c.owner_receive)],
            announce: Announce {
                repeats: c.announce_repeats,
                repeat_interval: Duration::from_micros(c.announce_repeat_us),
                refresh: (c.announce_refresh_us > 0).then_some(refresh),
            },
            on_conflict: [OnConflict::TakeOver, OnConflict::Wait][usize::from(c.on_conflict)],
            unadvertised: c.unadvertised,
            advertise_only: c.advertise_only == 1,
            group: None,
        },
        addresses,
        peers,
        source: match c.source.family {
            4 => Some([10, 0, 0, c.source.octets[3]].into()),
            _ => None,
        },
        tracks,
    })
}

pub(crate) fn track(track: Track) -> vrrp_track {
    let (effect, delta) = match track.effect {
        TrackEffect::Fault => (VRRP_TRACK_FAULT, 0),
        TrackEffect::StandBack => (VRRP_TRACK_STAND_BACK, 0),
        TrackEffect::WhileDown(delta) => (VRRP_TRACK_WHILE_DOWN, delta),
        TrackEffect::WhileUp(delta) => (VRRP_TRACK_WHILE_UP, delta),
    };
    vrrp_track {
        object: track.object,
        delta,
        effect,
    }
}

pub(crate) fn octets(address: IpAddr) -> vrrp_address {
    let mut octets = [0; 16];
    let family = match address {
        IpAddr::V4(v4) => {
            octets[..4].copy_from_slice(&v4.octets());
            VRRP_IPV4
        }
        IpAddr::V6(v6) => {
            octets = v6.octets();
            VRRP_IPV6
        }
    };
    vrrp_address { family, octets }
}

pub(crate) fn ip(address: &vrrp_address) -> Option<IpAddr> {
    match address.family {
        VRRP_IPV4 => <[u8; 4]>::try_from(&address.octets[..4])
            .ok()
            .map(IpAddr::from),
        VRRP_IPV6 => Some(address.octets.into()),
        _ => None,
    }
}

pub(crate) fn key_of(key: VrKey) -> vrrp_key {
    vrrp_key {
        ifindex: key.ifindex,
        vrid: key.vrid.get(),
        family: if key.family == Family::Ipv4 { 4 } else { 6 },
    }
}

pub(crate) fn rust_key(key: &vrrp_key) -> VrKey {
    VrKey {
        ifindex: key.ifindex,
        vrid: Vrid::new(key.vrid).expect("legal"),
        family: if key.family == 4 {
            Family::Ipv4
        } else {
            Family::Ipv6
        },
    }
}

pub(crate) fn failure(output: &vrrp_output) -> Failure {
    match output.kind {
        VRRP_OUTPUT_SET_MAC => Failure::Mac {
            key: rust_key(&output.key),
        },
        VRRP_OUTPUT_SET_ADDRESS => Failure::Address {
            key: rust_key(&output.key),
            address: ip(&output.address.address).expect("legal"),
        },
        _ => Failure::Group {
            ifindex: output.key.ifindex,
            family: if output.key.family == 4 {
                Family::Ipv4
            } else {
                Family::Ipv6
            },
        },
    }
}

/// One output, field by field.
pub(crate) fn compare(rust: &Output<'_>, c: &vrrp_output, buf: &[u8]) {
    let on = c.on == 1;
    assert_eq!(c.size as usize, size_of::<vrrp_output>());
    match *rust {
        Output::Transmit(t) => {
            assert_eq!((c.kind, rust_key(&c.key)), (VRRP_OUTPUT_TRANSMIT, t.key));
            assert_eq!(&buf[..c.frame_len as usize], t.frame);
            assert_eq!(
                (c.ip_offset, c.payload_offset),
                (t.ip_offset, t.payload_offset)
            );
            assert_eq!(
                (c.frame_kind, ip(&c.unicast)),
                (t.kind as u8 + 1, t.unicast)
            );
        }
        Output::SetMac {
            key,
            mac,
            on: rust_on,
        } => {
            assert_eq!((c.kind, rust_key(&c.key)), (VRRP_OUTPUT_SET_MAC, key));
            assert_eq!((c.mac, on), (mac.0, rust_on));
        }
        Output::SetAddress {
            key,
            address,
            accept,
            on: rust_on,
        } => {
            assert_eq!((c.kind, rust_key(&c.key)), (VRRP_OUTPUT_SET_ADDRESS, key));
            assert_eq!(ip(&c.address.address), Some(address.address));
            assert_eq!(c.address.prefix_len, address.prefix_len);
            assert_eq!((c.accept == 1, on), (accept, rust_on));
        }
        Output::SetGroup {
            ifindex,
            family,
            on: rust_on,
        } => {
            assert_eq!(
                (c.kind, c.key.ifindex, on),
                (VRRP_OUTPUT_SET_GROUP, ifindex, rust_on)
            );
            assert_eq!(c.key.family == 4, family == Family::Ipv4);
        }
        Output::StateChange(change) => {
            assert_eq!(
                (c.kind, rust_key(&c.key)),
                (VRRP_OUTPUT_STATE_CHANGE, change.key)
            );
            let expected = (change.from as u8, change.to as u8, change.reason as u8);
            assert_eq!((c.from, c.to, c.reason), expected);
            let peer = ip(&c.peer.address).map(|address| (address, c.peer.priority));
            assert_eq!(peer, change.peer.map(|p| (p.address, p.priority)));
        }
        Output::Removed { key } => {
            assert_eq!((c.kind, rust_key(&c.key)), (VRRP_OUTPUT_REMOVED, key));
        }
    }
}
