//! The configuration of a virtual router that owns what it names.

use std::net::IpAddr;

use vrrp_core::{Duration, Family, Track, VirtualAddress, VrConfig, VrSettings};

/// As [`VrConfig`], with lists of its own.
#[derive(Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "VrConfig says what each field means")]
pub struct Config {
    pub settings: VrSettings,
    pub addresses: Vec<VirtualAddress>,
    pub source: Option<IpAddr>,
    pub peers: Vec<IpAddr>,
    pub tracks: Vec<Track>,
    /// It has a key, and hears signed advertisements only.
    pub signed: bool,
}

impl Config {
    /// The RFC's defaults and these addresses.
    pub fn new(addresses: Vec<VirtualAddress>) -> Self {
        Self {
            settings: VrSettings::DEFAULT,
            addresses,
            source: None,
            peers: Vec::new(),
            tracks: Vec::new(),
            signed: false,
        }
    }

    /// The engine's form of it.
    pub fn as_vr_config(&self) -> VrConfig<'_> {
        VrConfig {
            settings: self.settings,
            addresses: &self.addresses,
            source: self.source,
            peers: &self.peers,
            tracks: &self.tracks,
        }
    }
}

impl std::fmt::Debug for Config {
    /// Only what is not as by default, so that a replay reads well.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (given, default) = (&self.settings, VrSettings::DEFAULT);
        write!(f, "{:?} priority {}", given.version, given.priority)?;
        write!(f, " interval {} cs", given.advert_interval.as_centis())?;
        for a in &self.addresses {
            write!(f, " {}/{}", a.address, a.prefix_len)?;
        }
        if !given.preempt {
            f.write_str(" no preempt")?;
        }
        let ms = |span: Duration| span.as_micros() / 1_000;
        if given.preempt_delay != default.preempt_delay {
            write!(f, " preempt delay {} ms", ms(given.preempt_delay))?;
        }
        if given.start_delay != default.start_delay {
            write!(f, " start delay {} ms", ms(given.start_delay))?;
        }
        if let Some(source) = self.source {
            write!(f, " from {source}")?;
        }
        if !self.peers.is_empty() {
            write!(f, " peers {:?} within {} hops", self.peers, given.max_hops)?;
        }
        if given.accept {
            f.write_str(" accept")?;
        }
        if given.mac_mode != default.mac_mode {
            f.write_str(" interface MAC")?;
        }
        if given.auth != default.auth {
            f.write_str(" password")?;
        }
        if self.signed {
            f.write_str(" signed")?;
        }
        if given.checksum != default.checksum {
            write!(f, " {:?}", given.checksum)?;
        }
        if given.address_check != default.address_check {
            f.write_str(" strict addresses")?;
        }
        if given.owner_receive != default.owner_receive {
            f.write_str(" owner discards")?;
        }
        if given.announce != default.announce {
            write!(f, " {:?}", given.announce)?;
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
