//! From the structs of C to a configuration, with the path of a field for each refusal.

use std::ffi::{CStr, c_char, c_int};
use std::net::IpAddr;

use ::vrrp_host::{AddressSpec, HostConfig, MAX_ADDRESSES, TrackSpec, Tracked, VrId, VrSpec};
use vrrp_core::{Family, MAX_TRACKS, Track, VirtualAddress, VrSettings, Vrid};

use super::message::Refusal;
use super::numbers::*;
use super::types::*;
use crate::convert::{self, Legal};
use crate::numbers::*;
use crate::raw::{self, string};
use crate::types::*;

/// The names of objects and of virtual routers are no longer than this.
const MAX_NAME: usize = 255;

/// The result of reading a call's arguments.
type Read<T> = Result<T, Refusal>;

/// Reads a whole configuration.
///
/// # Safety
/// It is NULL, or points to what the header says, down to the last string.
pub(crate) unsafe fn config(config: *const vrrp_host_config) -> Read<HostConfig> {
    // SAFETY: the caller keeps the contract; each pointer is read with the length beside it, and
    // strings end with a 0.
    unsafe {
        let config = at("config", raw::read_sized(config))?;
        let path = "config.objects";
        let given = at(path, raw::items(config.objects, config.objects_len))?;
        let objects = given.iter().enumerate();
        let objects = objects.map(|(i, given)| object(&format!("objects[{i}]"), given));
        let objects = objects.collect::<Read<Vec<Tracked>>>()?;
        let mut virtual_routers = Vec::new();
        for (i, given) in routers(&config)?.into_iter().enumerate() {
            virtual_routers.push(router(&format!("routers[{i}]"), &given, &objects)?);
        }
        Ok(HostConfig {
            virtual_routers,
            ..HostConfig::default()
        })
    }
}

/// Reads what names a virtual router.
///
/// # Safety
/// It is NULL, or points to an id.
pub(crate) unsafe fn id(given: *const vrrp_host_id) -> Result<VrId, c_int> {
    // SAFETY: the contract is the same.
    let given = unsafe { raw::read(given)? };
    legal_id("id", &given).map_err(|refusal| refusal.code)
}

/// The virtual routers, which lie apart by what they say their size is.
///
/// # Safety
/// As for [`config`].
unsafe fn routers(config: &vrrp_host_config) -> Read<Vec<vrrp_host_router>> {
    let len = config.routers_len;
    if len > VRRP_HOST_MAX_ROUTERS {
        let text = format!("config.routers_len: {len} are more than {VRRP_HOST_MAX_ROUTERS}");
        return Err(Refusal::new(VRRP_ERR_ROUTERS_FULL, text));
    }
    let mut routers = Vec::with_capacity(len);
    let mut next = config.routers;
    for i in 0..len {
        // SAFETY: `len` of them are there, each as long as it says.
        let given = at(&format!("routers[{i}]"), unsafe { raw::read_sized(next) })?;
        let first: u32 = routers
            .first()
            .map_or(given.size, |f: &vrrp_host_router| f.size);
        if given.size != first {
            return Err(Refusal::field(&format!("routers[{i}].size"), VRRP_ERR_SIZE));
        }
        next = next.wrapping_byte_add(given.size as usize);
        routers.push(given);
    }
    Ok(routers)
}

/// # Safety
/// As for [`config`].
unsafe fn object(path: &str, given: &vrrp_host_object) -> Read<Tracked> {
    if given.reserved != 0 {
        return Err(Refusal::field(&format!("{path}.reserved"), VRRP_ERR_VALUE));
    }
    Ok(match given.kind {
        VRRP_HOST_OBJECT_INTERFACE => Tracked::Interface(interface(
            &format!("{path}.id.interface"),
            &given.id.interface,
        )?),
        VRRP_HOST_OBJECT_ROUTER => {
            Tracked::VirtualRouter(legal_id(&format!("{path}.id"), &given.id)?)
        }
        VRRP_HOST_OBJECT_NAMED => {
            let path = format!("{path}.name");
            // SAFETY: the contract is the same.
            let name = at(&path, unsafe { string(given.name) })?;
            if name.is_empty() || name.len() > MAX_NAME {
                let text = format!(
                    "{path}: expected 1 to {MAX_NAME} octets, found {}",
                    name.len()
                );
                return Err(Refusal::new(VRRP_ERR_VALUE, text));
            }
            Tracked::Named(name.to_owned())
        }
        other => {
            let text = format!("{path}.kind: expected one of VRRP_HOST_OBJECT_*, found {other}");
            return Err(Refusal::new(VRRP_ERR_VALUE, text));
        }
    })
}

/// A field that is 0 or 1.
fn flag(path: &str, given: u8) -> Read<bool> {
    match given {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Refusal::field(path, VRRP_ERR_VALUE)),
    }
}

/// # Safety
/// As for [`config`].
unsafe fn router(path: &str, given: &vrrp_host_router, objects: &[Tracked]) -> Read<VrSpec> {
    let silent = flag(&format!("{path}.silent"), given.silent)?;
    let reset_connections = flag(
        &format!("{path}.reset_connections"),
        given.reset_connections,
    )?;
    let id = legal_id(&format!("{path}.id"), &given.id)?;
    let path = &format!("{path}.config");
    // SAFETY: the contract is the same.
    let config = at(path, unsafe { raw::read_sized(given.config) })?;
    // SAFETY: the contract is the same.
    let lists = unsafe { Lists::read(path, &config)? };
    let carriers = match given.carriers.is_null() {
        true => Ok(&[][..]),
        // SAFETY: the contract is the same.
        false => unsafe { raw::items(given.carriers, lists.addresses.len()) },
    };
    let carriers = at(&format!("{path}, its carriers"), carriers)?;
    let mut addresses = Vec::new();
    for (i, address) in lists.addresses.iter().enumerate() {
        let path = format!("{path}.addresses[{i}]");
        addresses.push(AddressSpec {
            address: fits(&path, id.family, at(&path, address.legal())?)?,
            // SAFETY: the contract is the same.
            interface: unsafe { carrier(&path, carriers.get(i))? },
        });
    }
    let settings = settings(path, &config)?;
    let source = convert::source(config.source);
    let mut spec = VrSpec {
        id,
        settings,
        // Only a text can ask for it.
        replace_mac: false,
        silent,
        reset_connections,
        // A program prepares itself before it opens the host, or raises the priority.
        prepares: false,
        addresses,
        followers: Vec::new(),
        source: at(&format!("{path}.source"), source)?,
        routing: Vec::new(),
        peers: Vec::new(),
        tracks: Vec::new(),
        hmac: None,
        heartbeat: None,
    };
    for (i, peer) in lists.peers.iter().enumerate() {
        spec.peers
            .push(at(&format!("{path}.peers[{i}]"), peer.legal())?);
    }
    for (i, track) in lists.tracks.iter().enumerate() {
        let path = format!("{path}.tracks[{i}]");
        let Track { object, effect } = at(&path, track.legal())?;
        let Some(what) = objects.get(usize::from(object)).cloned() else {
            let text = format!("{path}.object: there is no objects[{object}]");
            return Err(Refusal::new(VRRP_ERR_VALUE, text));
        };
        spec.tracks.push(TrackSpec { what, effect });
    }
    Ok(spec)
}

/// The lists of a configuration.
struct Lists<'a> {
    addresses: &'a [vrrp_virtual_address],
    peers: &'a [vrrp_address],
    tracks: &'a [vrrp_track],
}

impl<'a> Lists<'a> {
    /// # Safety
    /// As for [`config`].
    unsafe fn read(path: &str, config: &'a vrrp_config) -> Read<Self> {
        let most = |field: &str, len: usize, most: usize, code: c_int| match len <= most {
            true => Ok(()),
            false => {
                let text = format!("{path}.{field}: {len} are more than {most}");
                Err(Refusal::new(code, text))
            }
        };
        let together = config.addresses_len.saturating_add(config.peers_len);
        most(
            "addresses_len",
            config.addresses_len,
            MAX_ADDRESSES,
            VRRP_ERR_ADDRESSES_FULL,
        )?;
        most(
            "addresses_len and peers_len",
            together,
            MAX_ADDRESSES,
            VRRP_ERR_ADDRESSES_FULL,
        )?;
        most(
            "tracks_len",
            config.tracks_len,
            MAX_TRACKS,
            VRRP_ERR_TRACKS_FULL,
        )?;
        // SAFETY: the contract is the same.
        unsafe {
            let addresses = raw::items(config.addresses, config.addresses_len);
            let peers = raw::items(config.peers, config.peers_len);
            let tracks = raw::items(config.tracks, config.tracks_len);
            Ok(Self {
                addresses: at(&format!("{path}.addresses"), addresses)?,
                peers: at(&format!("{path}.peers"), peers)?,
                tracks: at(&format!("{path}.tracks"), tracks)?,
            })
        }
    }
}

/// The plain values of a configuration.
fn settings(path: &str, config: &vrrp_config) -> Read<VrSettings> {
    config.settings(|name, code| {
        let path = format!("{path}.{name}");
        if name == "priority" {
            let text = format!("{path}: expected 1 to 255, found 0");
            return Refusal::new(code, text);
        }
        Refusal::field(&path, code)
    })
}

/// The interface that carries an address. `None`: that of the virtual router's MAC.
///
/// # Safety
/// As for [`config`].
unsafe fn carrier(path: &str, name: Option<&*const c_char>) -> Read<Option<String>> {
    let Some(&name) = name.filter(|name| !name.is_null()) else {
        return Ok(None);
    };
    let path = format!("{path}, its carrier");
    // SAFETY: the contract is the same.
    let name = at(&path, unsafe { string(name) })?;
    interface_name(&path, name).map(Some)
}

fn legal_id(path: &str, given: &vrrp_host_id) -> Read<VrId> {
    let vrid = Vrid::new(given.vrid).ok_or_else(|| {
        let text = format!("{path}.vrid: expected 1 to 255, found 0");
        Refusal::new(VRRP_ERR_VALUE, text)
    })?;
    let family = given.family.legal().map_err(|code| {
        let found = given.family;
        let text = format!("{path}.family: expected VRRP_IPV4 or VRRP_IPV6, found {found}");
        Refusal::new(code, text)
    })?;
    Ok(VrId {
        interface: interface(&format!("{path}.interface"), &given.interface)?,
        vrid,
        family,
        name: None,
    })
}

fn interface(path: &str, given: &[c_char; VRRP_HOST_NAME_SIZE]) -> Read<String> {
    let octets = given.map(|octet| octet as u8);
    let name = CStr::from_bytes_until_nul(&octets).ok();
    match name.and_then(|name| name.to_str().ok()) {
        Some(name) => interface_name(path, name),
        None => {
            let text = format!("{path}: expected UTF-8 that ends with a 0");
            Err(Refusal::new(VRRP_ERR_VALUE, text))
        }
    }
}

/// A name that an interface can have.
pub(crate) fn interface_name(path: &str, name: &str) -> Read<String> {
    let longest = VRRP_HOST_NAME_SIZE - 1;
    let odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    if name.is_empty() || name.len() > longest || name.contains(odd) || [".", ".."].contains(&name)
    {
        let text = format!("{path}: expected the name of an interface, found `{name}`");
        return Err(Refusal::new(VRRP_ERR_VALUE, text));
    }
    Ok(name.to_owned())
}

/// Checks an address as the engine would later, naming the address.
fn fits(path: &str, family: Family, given: VirtualAddress) -> Read<VirtualAddress> {
    let (of, longest) = match given.address {
        IpAddr::V4(_) => (Family::Ipv4, 32),
        IpAddr::V6(_) => (Family::Ipv6, 128),
    };
    let address = given.address;
    if of != family {
        let text = format!("{path}: {address} is no {family} address, as the id asks");
        return Err(Refusal::new(VRRP_ERR_BAD_ADDRESS, text));
    }
    if given.prefix_len > longest {
        let found = given.prefix_len;
        let text = format!("{path}.prefix_len: expected 0 to {longest}, found {found}");
        return Err(Refusal::new(VRRP_ERR_BAD_ADDRESS, text));
    }
    Ok(given)
}

/// Names the place of an error.
fn at<T>(path: &str, result: Result<T, c_int>) -> Read<T> {
    result.map_err(|code| Refusal::field(path, code))
}
