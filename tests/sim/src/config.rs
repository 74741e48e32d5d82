//! The configuration of a virtual router that owns what it names.

use std::net::IpAddr;

use vrrp_core::{
    AddressCheck, AdvertInterval, Announce, Auth, ChecksumMode, Duration, Family, MacMode,
    OwnerReceive, Priority, Track, Version, VirtualAddress, VrConfig,
};

/// As [`VrConfig`], with lists of its own.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "VrConfig says what each field means")]
pub struct Config {
    pub version: Version,
    pub priority: Priority,
    pub advert_interval: AdvertInterval,
    pub preempt: bool,
    pub preempt_delay: Duration,
    pub start_delay: Duration,
    pub accept: bool,
    pub addresses: Vec<VirtualAddress>,
    pub source: Option<IpAddr>,
    pub peers: Vec<IpAddr>,
    pub max_hops: u8,
    pub mac_mode: MacMode,
    pub auth: Auth,
    pub checksum: ChecksumMode,
    pub address_check: AddressCheck,
    pub owner_receive: OwnerReceive,
    pub announce: Announce,
    pub tracks: Vec<Track>,
}

impl Config {
    /// The RFC's defaults and these addresses.
    pub fn new(addresses: Vec<VirtualAddress>) -> Self {
        let d = VrConfig::DEFAULT;
        Self {
            version: d.version,
            priority: d.priority,
            advert_interval: d.advert_interval,
            preempt: d.preempt,
            preempt_delay: d.preempt_delay,
            start_delay: d.start_delay,
            accept: d.accept,
            addresses,
            source: d.source,
            peers: Vec::new(),
            max_hops: d.max_hops,
            mac_mode: d.mac_mode,
            auth: d.auth,
            checksum: d.checksum,
            address_check: d.address_check,
            owner_receive: d.owner_receive,
            announce: d.announce,
            tracks: Vec::new(),
        }
    }

    /// The engine's form of it.
    pub fn as_vr_config(&self) -> VrConfig<'_> {
        VrConfig {
            version: self.version,
            priority: self.priority,
            advert_interval: self.advert_interval,
            preempt: self.preempt,
            preempt_delay: self.preempt_delay,
            start_delay: self.start_delay,
            accept: self.accept,
            addresses: &self.addresses,
            source: self.source,
            peers: &self.peers,
            max_hops: self.max_hops,
            mac_mode: self.mac_mode,
            auth: self.auth,
            checksum: self.checksum,
            address_check: self.address_check,
            owner_receive: self.owner_receive,
            announce: self.announce,
            tracks: &self.tracks,
        }
    }
}

impl std::fmt::Debug for Config {
    /// Only what is not as by default, so that a replay reads well.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let d = Config::new(Vec::new());
        write!(f, "{:?} priority {}", self.version, self.priority)?;
        write!(f, " interval {} cs", self.advert_interval.as_centis())?;
        for a in &self.addresses {
            write!(f, " {}/{}", a.address, a.prefix_len)?;
        }
        if !self.preempt {
            f.write_str(" no preempt")?;
        }
        let ms = |span: Duration| span.as_micros() / 1_000;
        if self.preempt_delay != d.preempt_delay {
            write!(f, " preempt delay {} ms", ms(self.preempt_delay))?;
        }
        if self.start_delay != d.start_delay {
            write!(f, " start delay {} ms", ms(self.start_delay))?;
        }
        if let Some(source) = self.source {
            write!(f, " from {source}")?;
        }
        if !self.peers.is_empty() {
            write!(f, " peers {:?} within {} hops", self.peers, self.max_hops)?;
        }
        if self.accept {
            f.write_str(" accept")?;
        }
        if self.mac_mode != d.mac_mode {
            f.write_str(" interface MAC")?;
        }
        if self.auth != d.auth {
            f.write_str(" password")?;
        }
        if self.checksum != d.checksum {
            write!(f, " {:?}", self.checksum)?;
        }
        if self.address_check != d.address_check {
            f.write_str(" strict addresses")?;
        }
        if self.owner_receive != d.owner_receive {
            f.write_str(" owner discards")?;
        }
        if self.announce != d.announce {
            write!(f, " {:?}", self.announce)?;
        }
        if !self.tracks.is_empty() {
            write!(f, " {:?}", self.tracks)?;
        }
        Ok(())
    }
}

/// The family of a list of addresses.
pub fn family_of(addresses: &[VirtualAddress]) -> Family {
    let first = addresses.first().map(|a| Family::of(a.address));
    first.unwrap_or(Family::Ipv4)
}
