//! The requests that the parent allows the worker, beside a naive reading of the
//! configurations.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use vrrp_core::{Family, MacAddr, MacMode, TrackEffect, VirtualAddress, VrKey, Vrid};
use vrrp_host::{AddressSpec, HostConfig, HostIf, TrackSpec, Tracked, VrId, VrSetup, VrSpec};
use vrrp_port_kit::privsep::{Guard, Request, Unicast};

use crate::engine::{V4, V6, list_of};
use crate::octets::Octets;
use crate::remote::request;

const NAMES: [&str; 3] = ["em0", "em1", "vlan7"];
const PEERS_V4: [IpAddr; 2] = [v4(2), v4(3)];
const PEERS_V6: [IpAddr; 2] = [v6(2), v6(3)];

const fn v4(last: u8) -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, last))
}

const fn v6(last: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last))
}

/// The guard, and what it has to know.
struct Bench {
    guard: Guard,
    /// In force, before, and offered.
    configs: [HostConfig; 3],
    watched: BTreeMap<HostIf, String>,
    prepared: BTreeMap<VrKey, VrSetup>,
}

/// Reloads and requests, as `octets` say.
///
/// # Panics
/// When a request is let through that no configuration asks for, or refused though one does.
pub(crate) fn check(octets: &mut Octets<'_>) {
    let first = some_config(octets);
    let mut bench = Bench {
        guard: Guard::new(first.clone()),
        configs: [first, HostConfig::default(), HostConfig::default()],
        watched: BTreeMap::new(),
        prepared: BTreeMap::new(),
    };
    while !octets.is_empty() {
        match octets.u8() % 16 {
            0 => {
                let config = some_config(octets);
                bench.guard.allow(config.clone());
                bench.configs[2] = config;
            }
            1 => {
                bench.guard.adopt();
                let offered = std::mem::take(&mut bench.configs[2]);
                bench.configs[1] = std::mem::replace(&mut bench.configs[0], offered);
            }
            2 => {
                let len = octets.u8();
                if let Some(request) = request(octets.take(len.into())) {
                    bench.ask(&request);
                }
            }
            kind => {
                let asked = bench.some_request(octets, kind);
                assert_eq!(request(&asked.encode()), Some(asked.clone()));
                bench.ask(&asked);
            }
        }
    }
}

impl Bench {
    fn ask(&mut self, request: &Request) {
        let expected = self.is_asked_for(request);
        let admitted = self.guard.admit(request).is_ok();
        assert_eq!(admitted, expected, "{request:?} with {:#?}", self.configs);
        match request {
            Request::Watch { host_if, name } if admitted => {
                self.watched.insert(*host_if, name.clone());
            }
            Request::Unwatch { host_if } => {
                self.watched.remove(host_if);
                self.prepared.retain(|key, _| HostIf::of(key) != *host_if);
            }
            Request::Prepare(setup) if admitted => {
                self.prepared.insert(setup.key, setup.clone());
            }
            Request::Release { key } => drop(self.prepared.remove(key)),
            _ => {}
        }
    }

    fn specs(&self) -> impl Iterator<Item = &VrSpec> {
        self.configs.iter().flat_map(|c| &c.virtual_routers)
    }

    /// Whether a configuration says that an interface called so is used for something.
    fn is_used(&self, name: &str) -> bool {
        self.specs().any(|spec| {
            let carries = |a: &AddressSpec| a.interface.as_deref() == Some(name);
            let tracked = Tracked::Interface(name.into());
            spec.id.interface == name
                || spec.addresses.iter().any(carries)
                || spec.tracks.iter().any(|track| track.what == tracked)
        })
    }

    /// The entries of the configurations for a virtual router that is set up so.
    fn specs_of(&self, setup: &VrSetup) -> Vec<&VrSpec> {
        let key = setup.key;
        let says_so = |spec: &&VrSpec| {
            self.watched.get(&HostIf::of(key)) == Some(&spec.id.interface)
                && spec.id.vrid == key.vrid
                && spec.id.family == key.family
                && *setup == setup_of(spec, key)
        };
        self.specs().filter(says_so).collect()
    }

    fn is_asked_for(&self, request: &Request) -> bool {
        let prepared = |key: &VrKey| self.prepared.get(key);
        // A virtual router that is no longer in a configuration may only be given up.
        let serving = |key: &VrKey| prepared(key).filter(|s| !self.specs_of(s).is_empty());
        match request {
            Request::Watch { host_if, name } => {
                !self.watched.contains_key(host_if) && self.is_used(name)
            }
            Request::Unwatch { .. } | Request::Release { .. } | Request::Flush => true,
            Request::Prepare(setup) => !self.specs_of(setup).is_empty(),
            Request::SetMac { key, on: false, .. } | Request::SetAddress { key, on: false, .. } => {
                prepared(key).is_some()
            }
            Request::SetMac { key, mac, .. } => serving(key)
                .is_some_and(|s| s.mac_mode == MacMode::Virtual && *mac == virtual_mac(*key)),
            Request::SetAddress { key, address, .. } => serving(key).is_some_and(|s| {
                s.addresses.iter().any(|(listed, _)| listed == address)
                    || formed_address(*key) == Some(*address)
            }),
            Request::SetGroup { host_if, on, .. } => self
                .watched
                .get(host_if)
                .is_some_and(|name| !on || self.is_used(name)),
            Request::Send(unicast) => prepared(&unicast.key).is_some_and(|s| {
                let mut peers = self.specs_of(s).into_iter().flat_map(|spec| &spec.peers);
                peers.any(|peer| *peer == unicast.to) && is_for(unicast)
            }),
        }
    }

    /// A request, mostly one that a configuration asks for.
    fn some_request(&self, octets: &mut Octets<'_>, kind: u8) -> Request {
        let host_if = HostIf::new(u32::from(octets.u8() % 4));
        let which = usize::from(octets.u8());
        let count = self.specs().count().max(1);
        let chosen = self.specs().nth(which % count).cloned();
        let spec = chosen.unwrap_or_else(|| some_spec(octets));
        let key = host_if.key(spec.id.vrid, spec.id.family);
        let bits = octets.u8();
        let on = bits & 1 == 0;
        // Now and then what another would ask for.
        let other = (bits & 0x70 == 0x70).then(|| some_spec(octets));
        let other = other.as_ref().unwrap_or(&spec);
        match kind {
            3 | 4 => Request::Watch {
                host_if,
                name: match bits & 2 {
                    0 => other.id.interface.clone(),
                    _ => NAMES[usize::from(octets.u8()) % NAMES.len()].into(),
                },
            },
            5 => Request::Unwatch { host_if },
            6..9 => Request::Prepare(setup_of(other, key)),
            9 => Request::Release { key },
            10 => Request::SetMac {
                key,
                mac: virtual_mac(VrKey {
                    vrid: other.id.vrid,
                    ..key
                }),
                on,
            },
            11 | 12 => Request::SetAddress {
                key,
                address: some_address(octets, other, key),
                accept: bits & 4 == 0,
                on,
            },
            13 => Request::SetGroup {
                host_if,
                family: key.family,
                on,
            },
            14 => Request::Send(some_unicast(octets, other, key)),
            _ => Request::Flush,
        }
    }
}

fn some_config(octets: &mut Octets<'_>) -> HostConfig {
    let count = octets.u8() % 4;
    HostConfig {
        virtual_routers: (0..count).map(|_| some_spec(octets)).collect(),
        ..HostConfig::default()
    }
}

fn some_spec(octets: &mut Octets<'_>) -> VrSpec {
    let (bits, list) = (octets.u8(), octets.u8());
    let name = |n: u8| NAMES[usize::from(n) % NAMES.len()].to_owned();
    let family = [Family::Ipv4, Family::Ipv6][usize::from(bits & 1)];
    let id = VrId {
        interface: name(bits >> 1 & 1),
        vrid: Vrid::new((bits >> 2 & 1) + 1).expect("one or two"),
        family,
        name: None,
    };
    let (all, peers) = match family {
        Family::Ipv4 => (&V4[..], PEERS_V4),
        Family::Ipv6 => (&V6[..], PEERS_V6),
    };
    let elsewhere = (list & 8 != 0).then(|| name(list >> 4));
    let placed = list_of(all, list & 7)
        .into_iter()
        .map(|address| AddressSpec {
            address,
            interface: elsewhere.clone(),
        });
    let mut spec = VrSpec::new(id, placed.collect());
    spec.settings.mac_mode = match bits & 8 {
        0 => MacMode::Virtual,
        _ => MacMode::Interface,
    };
    spec.settings.accept = bits & 16 != 0;
    spec.replace_mac = bits & 32 != 0;
    spec.silent = list & 32 != 0;
    spec.reset_connections = list & 16 != 0;
    spec.peers = list_of(&peers, bits >> 6 ^ 3);
    if list & 64 != 0 {
        spec.tracks = vec![TrackSpec {
            what: Tracked::Interface(name(list >> 5)),
            effect: TrackEffect::Fault,
        }];
    }
    spec
}

/// The part of an entry that a port must know.
fn setup_of(spec: &VrSpec, key: VrKey) -> VrSetup {
    let placed = spec.addresses.iter();
    VrSetup {
        key,
        mac_mode: spec.settings.mac_mode,
        replace_mac: spec.replace_mac,
        accept: spec.settings.accept,
        silent: spec.silent,
        reset_connections: spec.reset_connections,
        addresses: placed.map(|a| (a.address, a.interface.clone())).collect(),
        followers: Vec::new(),
        unicast: !spec.peers.is_empty(),
        group: spec.settings.group.filter(|_| spec.peers.is_empty()),
        source: spec.source,
        routing: spec.routing.clone(),
    }
}

/// RFC 9568 section 7.3.
fn virtual_mac(key: VrKey) -> MacAddr {
    let family = match key.family {
        Family::Ipv4 => 1,
        Family::Ipv6 => 2,
    };
    MacAddr([0, 0, 0x5e, 0, family, key.vrid.get()])
}

/// The link-local address that an IPv6 virtual router without one gets (V-9).
fn formed_address(key: VrKey) -> Option<VirtualAddress> {
    let vrid = u16::from(key.vrid.get());
    let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x0200, 0x5eff, 0xfe00, 0x0200 | vrid);
    (key.family == Family::Ipv6).then_some(VirtualAddress {
        address: address.into(),
        prefix_len: 64,
    })
}

fn some_address(octets: &mut Octets<'_>, spec: &VrSpec, key: VrKey) -> VirtualAddress {
    let which = octets.u8();
    let listed = spec.addresses.get(usize::from(which & 3));
    let mut address = listed.map_or(V4[0], |listed| listed.address);
    if which & 4 != 0 {
        address = formed_address(key).unwrap_or(address);
    }
    if which & 0x38 == 0x38 {
        address.prefix_len = octets.u8();
    }
    address
}

fn some_unicast(octets: &mut Octets<'_>, spec: &VrSpec, key: VrKey) -> Unicast {
    let which = octets.u8();
    let all = [PEERS_V4[0], PEERS_V4[1], PEERS_V6[0], PEERS_V6[1]];
    let to = spec.peers.get(usize::from(which & 1)).copied();
    let to = to.unwrap_or(all[usize::from(which >> 1 & 3)]);
    let mut frame = vec![0; 94];
    match to {
        IpAddr::V4(to) => {
            (frame[14], frame[23]) = (0x45, 112);
            frame[30..34].copy_from_slice(&to.octets());
        }
        IpAddr::V6(_) => (frame[14], frame[20]) = (0x60, 112),
    }
    let mut ip_offset = 14;
    if which & 0x18 == 0x18 {
        let (at, value) = (usize::from(octets.u8()), octets.u8());
        if let Some(octet) = frame.get_mut(at) {
            *octet = value;
        }
        frame.truncate(octets.u8().into());
        ip_offset = octets.u16();
    }
    Unicast {
        key,
        to,
        ip_offset,
        payload_offset: ip_offset.saturating_add(20),
        frame,
    }
}

/// Whether it is a packet of VRRP, and for its peer: the kernel writes the header of IPv6 anew.
fn is_for(unicast: &Unicast) -> bool {
    let packet = unicast.frame.iter().skip(usize::from(unicast.ip_offset));
    let packet: Vec<u8> = packet.copied().collect();
    match unicast.to {
        IpAddr::V4(to) => {
            packet.len() >= 20
                && packet[0] & 0xf0 == 0x40
                && packet[9] == 112
                && packet[16..20] == to.octets()
        }
        IpAddr::V6(_) => packet.len() >= 7 && packet[0] & 0xf0 == 0x60 && packet[6] == 112,
    }
}
