//! Checks a configuration before anything is touched.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use vrrp_core::{Duration, Engine, Instant, InterfaceState, MAX_TRACKS, VrKey, WallClock};

use crate::config::{
    ConfigCause, ConfigError, Form, GroupCause, HostConfig, TrackSpec, Tracked, VrId, VrSpec,
};
use crate::limits::{MAX_ADDRESSES, MAX_INTERFACES, MAX_VIRTUAL_ROUTERS};

/// A wall clock for an engine that is asked whether it takes a configuration.
const SOME_CLOCK: WallClock = WallClock {
    since_epoch: Duration::from_secs(1),
    synchronised: true,
};

impl HostConfig {
    /// Finds what [`Host::open`](crate::Host::open) would refuse it for, without a host.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), ConfigError> {
        check(self, std::iter::empty())
    }
}

/// Finds the first fault of `config`. `occupied`: interfaces that the engine knows already.
pub(super) fn check<'a>(
    config: &'a HostConfig,
    occupied: impl Iterator<Item = &'a str>,
) -> Result<(), ConfigError> {
    let specs = &config.virtual_routers;
    if specs.len() > MAX_VIRTUAL_ROUTERS {
        return Err(refuse(None, ConfigCause::TooManyVirtualRouters));
    }
    let mut ids: HashSet<&VrId> = HashSet::new();
    let mut interfaces: HashSet<&str> = occupied.collect();
    for spec in specs {
        if !ids.insert(&spec.id) {
            return Err(refuse(Some(spec), ConfigCause::Twice));
        }
        interfaces.insert(&spec.id.interface);
        if interfaces.len() > MAX_INTERFACES {
            return Err(refuse(Some(spec), ConfigCause::TooManyInterfaces));
        }
    }
    check_second_paths(specs, &ids)?;
    let mut owners: HashMap<(&str, IpAddr), &VrId> = HashMap::new();
    for spec in specs {
        check_addresses(spec, &mut owners)?;
        check_devices(spec)?;
        check_tracks(spec, &ids)?;
        check_engine(spec)?;
    }
    check_groups(config, &ids)
}

/// A virtual router is in one group, with another, and with all that its members track.
fn check_groups(config: &HostConfig, ids: &HashSet<&VrId>) -> Result<(), ConfigError> {
    let mut names: HashSet<&str> = HashSet::new();
    let mut grouped: HashSet<&VrId> = HashSet::new();
    for group in &config.groups {
        let refuse = |id: Option<&VrId>, cause| ConfigError {
            id: id.cloned(),
            cause: ConfigCause::Group {
                name: group.name.clone(),
                cause,
            },
        };
        if !names.insert(&group.name) {
            return Err(refuse(None, GroupCause::Twice));
        }
        for id in &group.members {
            if !ids.contains(id) {
                return Err(refuse(Some(id), GroupCause::NoSuchVirtualRouter));
            }
            if !grouped.insert(id) {
                return Err(refuse(Some(id), GroupCause::InAnother));
            }
        }
        if group.members.len() < 2 {
            return Err(refuse(group.members.first(), GroupCause::Alone));
        }
        let specs = config.virtual_routers.iter();
        let members = specs.filter(|spec| group.members.contains(&spec.id));
        let mut tracks: Vec<&TrackSpec> = Vec::new();
        for track in members.flat_map(|spec| &spec.tracks) {
            if !tracks.contains(&track) {
                tracks.push(track);
            }
        }
        if tracks.len() > MAX_TRACKS {
            return Err(refuse(None, GroupCause::Tracks(tracks.len())));
        }
    }
    Ok(())
}

/// A copy is known by the interface, the VRID and the family.
fn check_second_paths(specs: &[VrSpec], ids: &HashSet<&VrId>) -> Result<(), ConfigError> {
    let mut copies: HashSet<VrId> = HashSet::new();
    for spec in specs {
        let Some(interface) = &spec.heartbeat else {
            continue;
        };
        let copy = VrId {
            interface: interface.clone(),
            ..spec.id.clone()
        };
        if ids.contains(&copy) || !copies.insert(copy) {
            let cause = ConfigCause::SecondPathTaken(interface.clone());
            return Err(refuse(Some(spec), cause));
        }
    }
    Ok(())
}

/// Two virtual routers with one address would take it away from each other.
fn check_addresses<'a>(
    spec: &'a VrSpec,
    owners: &mut HashMap<(&'a str, IpAddr), &'a VrId>,
) -> Result<(), ConfigError> {
    for (carrier, address) in spec.places() {
        match owners.insert((carrier, address), &spec.id) {
            Some(by) if *by != spec.id => {
                let by = by.clone();
                return Err(refuse(
                    Some(spec),
                    ConfigCause::AddressTaken { address, by },
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_devices(spec: &VrSpec) -> Result<(), ConfigError> {
    if spec.silent && !spec.settings.accept {
        return Err(refuse(Some(spec), ConfigCause::SilentNeedsAccept));
    }
    let elsewhere = spec.addresses.iter().filter_map(|entry| {
        let address = entry.address.address;
        Some((address, spec.device_of(address)?.to_owned()))
    });
    let followers = spec.follower_places();
    let followers = followers.map(|(name, address)| (address, name.to_owned()));
    match elsewhere
        .chain(followers)
        .next()
        .filter(|_| !spec.settings.accept)
    {
        Some((address, interface)) => {
            let cause = ConfigCause::NeedsAccept { address, interface };
            Err(refuse(Some(spec), cause))
        }
        None => Ok(()),
    }
}

fn check_tracks(spec: &VrSpec, ids: &HashSet<&VrId>) -> Result<(), ConfigError> {
    for track in &spec.tracks {
        if let Tracked::VirtualRouter(id) = &track.what {
            if *id == spec.id {
                return Err(refuse(Some(spec), ConfigCause::TracksItself));
            }
            if !ids.contains(id) {
                let cause = ConfigCause::NoSuchVirtualRouter(id.clone());
                return Err(refuse(Some(spec), cause));
            }
        }
    }
    Ok(())
}

/// Finds the first virtual router with a key that was not read: it would neither sign nor verify.
pub(super) fn check_secrets(config: &HostConfig) -> Result<(), ConfigError> {
    for spec in &config.virtual_routers {
        let mut keys = spec.hmac.iter().flat_map(|hmac| &hmac.keys);
        if let Some(key) = keys.find(|key| key.secret.is_none()) {
            return Err(refuse(Some(spec), ConfigCause::NoSecret(key.id)));
        }
    }
    Ok(())
}

/// Finds the first virtual router that needs a boot count, unless there is one: after a restart with a clock
/// that was set back it would be refused by the others.
pub(super) fn check_boot_count(config: &HostConfig, is_counted: bool) -> Result<(), ConfigError> {
    if is_counted || config.boot_count.is_some() {
        return Ok(());
    }
    let mut specs = config.virtual_routers.iter();
    match specs.find(|spec| spec.needs_boot_count()) {
        Some(spec) => Err(refuse(Some(spec), ConfigCause::NoBootCount)),
        None => Ok(()),
    }
}

/// Asks an engine with room for one.
fn check_engine(spec: &VrSpec) -> Result<(), ConfigError> {
    let mut engine = Engine::<1, 1, MAX_ADDRESSES>::new();
    let now = Instant::default();
    let key = VrKey {
        ifindex: 1,
        vrid: spec.id.vrid,
        family: spec.id.family,
    };
    let mut objects = 0..;
    // A host knows the time, or says so when it comes to that.
    engine.set_wall_clock(now, Some(SOME_CLOCK));
    engine
        .set_interface(now, key.ifindex, InterfaceState::default())
        .and_then(|()| {
            spec.with_engine_form(
                Form::default(),
                |_| objects.next().unwrap_or(u16::MAX),
                |config| engine.admin(now).insert(key, config),
            )?;
            // A file is looked at before its keys are read.
            let hmac = spec.hmac.as_ref().filter(|hmac| hmac.is_complete());
            hmac.map_or(Ok(()), |hmac| {
                hmac.with_engine_form(|auth| engine.admin(now).set_auth(key, Some(auth)))
            })
        })
        .map_err(|error| refuse(Some(spec), ConfigCause::Engine(error)))
}

fn refuse(spec: Option<&VrSpec>, cause: ConfigCause) -> ConfigError {
    ConfigError {
        id: spec.map(|spec| spec.id.clone()),
        cause,
    }
}
