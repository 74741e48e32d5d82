//! The check of each request of the worker, by the parent.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use vrrp_core::{Family, MacAddr, MacMode, VirtualAddress, VrKey};

use super::{Request, Unicast};
use vrrp_host::{HostConfig, HostIf, VrSetup, VrSpec};

/// VRRP's number among IP protocols.
const VRRP: u8 = 112;

/// Compares requests with the configuration: interfaces, virtual routers, addresses and peers that
/// are not in it are refused.
#[derive(Debug)]
pub struct Guard {
    current: HostConfig,
    /// The configuration before, from which come those that leave gracefully.
    before: HostConfig,
    /// A reload tries to bring it into force.
    offered: HostConfig,
    /// Watched interfaces by the host's number.
    names: BTreeMap<HostIf, String>,
    prepared: BTreeMap<VrKey, Prepared>,
}

#[derive(Debug)]
struct Prepared {
    setup: VrSetup,
    /// Whom it may send to. `None`: no configuration has it any more, and it can only give up.
    peers: Option<Vec<IpAddr>>,
}

/// Why a request was refused: it is not what a process that works as it should asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(&'static str);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the configuration has no such {}", self.0)
    }
}

impl std::error::Error for Refused {}

impl Guard {
    /// Lets through what this configuration asks for.
    pub fn new(config: HostConfig) -> Self {
        Self {
            current: config,
            before: HostConfig::default(),
            offered: HostConfig::default(),
            names: BTreeMap::new(),
            prepared: BTreeMap::new(),
        }
    }

    /// Lets through what this configuration asks for, too: a reload tries it.
    pub fn allow(&mut self, config: HostConfig) {
        self.offered = config;
        self.look_again();
    }

    /// The reload has succeeded.
    pub fn adopt(&mut self) {
        let new = std::mem::take(&mut self.offered);
        self.before = std::mem::replace(&mut self.current, new);
        self.look_again();
    }

    /// A virtual router that is prepared stays so in a reload that changes nothing but its peers, or takes it away.
    fn look_again(&mut self) {
        let mut prepared = std::mem::take(&mut self.prepared);
        for one in prepared.values_mut() {
            one.peers = self.peers_of(&one.setup);
        }
        self.prepared = prepared;
    }

    /// Whether a request is let through. To give up what is prepared is always allowed.
    pub fn admit(&mut self, request: &Request) -> Result<(), Refused> {
        match request {
            Request::Watch { host_if, name } => {
                if !self.is_named(name) || self.names.contains_key(host_if) {
                    return Err(Refused("interface"));
                }
                self.names.insert(*host_if, name.clone());
            }
            Request::Unwatch { host_if } => {
                self.names.remove(host_if);
                self.prepared.retain(|key, _| HostIf::of(key) != *host_if);
            }
            Request::Prepare(setup) => {
                let peers = self.peers_of(setup).ok_or(Refused("virtual router"))?;
                let (setup, peers) = (setup.clone(), Some(peers));
                self.prepared.insert(setup.key, Prepared { setup, peers });
            }
            Request::Release { key } => {
                self.prepared.remove(key);
            }
            Request::SetMac { key, mac, on } => {
                let setup = &self.prepared(*key, *on)?.setup;
                let virtual_mac = setup.mac_mode == MacMode::Virtual && *mac == key.virtual_mac();
                if *on && !virtual_mac {
                    return Err(Refused("MAC"));
                }
            }
            Request::SetAddress {
                key, address, on, ..
            } => {
                let setup = &self.prepared(*key, *on)?.setup;
                if *on && !serves(setup, *address) {
                    return Err(Refused("address"));
                }
            }
            Request::SetGroup { host_if, on, .. } => {
                let name = self.names.get(host_if).ok_or(Refused("interface"))?;
                if *on && !self.is_named(name) {
                    return Err(Refused("interface"));
                }
            }
            Request::Send(unicast) => {
                let mut peers = self.prepared(unicast.key, true)?.peers.iter().flatten();
                if !peers.any(|peer| *peer == unicast.to) || !is_vrrp(unicast) {
                    return Err(Refused("peer"));
                }
            }
            Request::Flush => {}
        }
        Ok(())
    }

    /// The virtual routers that are prepared.
    pub(super) fn keys(&self) -> impl Iterator<Item = VrKey> {
        self.prepared.keys().copied()
    }

    /// The boot count that the worker may sign with: of the newest configuration that has one.
    pub(super) fn boot_count(&self) -> Option<u32> {
        let mut configs = [&self.offered, &self.current, &self.before].into_iter();
        configs.find_map(|config| config.boot_count)
    }

    /// The interfaces that are watched.
    pub(super) fn interfaces(&self) -> Vec<HostIf> {
        self.names.keys().copied().collect()
    }

    /// The entry of a configuration that a virtual router is set up by, the newest first.
    pub(super) fn spec_of(&self, key: VrKey) -> Option<&VrSpec> {
        let setup = &self.prepared.get(&key)?.setup;
        let name = self.names.get(&HostIf::of(key))?;
        self.specs().find(|spec| {
            let id = &spec.id;
            let same = id.interface == *name && id.vrid == key.vrid && id.family == key.family;
            same && spec.setup(key) == *setup
        })
    }

    fn specs(&self) -> impl Iterator<Item = &VrSpec> {
        let configs = [&self.current, &self.before, &self.offered];
        configs
            .into_iter()
            .flat_map(|config| &config.virtual_routers)
    }

    /// Whether an interface has a part in any of them.
    fn is_named(&self, name: &str) -> bool {
        self.specs()
            .any(|spec| spec.interfaces().any(|named| named == name))
    }

    /// The peers of a virtual router that is set up as a configuration says.
    fn peers_of(&self, setup: &VrSetup) -> Option<Vec<IpAddr>> {
        let key = setup.key;
        let name = self.names.get(&HostIf::of(key))?;
        let specs = self.specs().filter(|spec| {
            let id = &spec.id;
            id.interface == *name && id.vrid == key.vrid && id.family == key.family
        });
        let mut specs = specs.filter(|spec| spec.setup(key) == *setup).peekable();
        specs.peek()?;
        Some(specs.flat_map(|spec| &spec.peers).copied().collect())
    }

    /// The prepared virtual router of `key`, and one that is not given up in a configuration.
    fn prepared(&self, key: VrKey, on: bool) -> Result<&Prepared, Refused> {
        let prepared = self.prepared.get(&key);
        let prepared = prepared.filter(|one| !on || one.peers.is_some());
        prepared.ok_or(Refused("virtual router"))
    }
}

/// Whether an address is one of a virtual router's, or the link-local one that the engine gives to
/// one that has none (V-9).
fn serves(setup: &VrSetup, address: VirtualAddress) -> bool {
    let mut listed = setup.addresses.iter().chain(&setup.followers);
    let listed = listed.any(|(listed, _)| *listed == address);
    let formed = setup.key.family == Family::Ipv6
        && address.address == IpAddr::V6(link_local(setup.key.virtual_mac()))
        && address.prefix_len == 64;
    listed || formed
}

/// The link-local address of a MAC (RFC 4291 appendix A).
fn link_local(MacAddr([a, b, c, d, e, f]): MacAddr) -> Ipv6Addr {
    let interface = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(interface))
}

/// Whether a frame holds a packet of VRRP, to the peer where it says to whom. The header of an IPv6
/// packet is written by the kernel.
fn is_vrrp(unicast: &Unicast) -> bool {
    let packet = unicast.frame.get(usize::from(unicast.ip_offset)..);
    let packet = packet.unwrap_or_default();
    let octet = |at: usize| packet.get(at).copied().unwrap_or(0);
    match unicast.to {
        IpAddr::V4(to) => {
            octet(0) >> 4 == 4 && octet(9) == VRRP && packet.get(16..20) == Some(&to.octets())
        }
        IpAddr::V6(_) => octet(0) >> 4 == 6 && octet(6) == VRRP,
    }
}
