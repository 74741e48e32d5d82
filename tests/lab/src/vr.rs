//! A virtual router as a scenario describes it, before a daemon's own words are found for it.

use std::net::IpAddr;
use std::path::PathBuf;

use super::decode::Mac;
use super::host::INTERFACE;

/// One virtual router on one host. Starts on `xl0` as VRRPv3, priority 100, interval 1 s, preempt on,
/// the interface's own MAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vr {
    /// The number, 1 to 255.
    pub vrid: u8,
    /// The interface, as the host calls it.
    pub interface: String,
    /// 1 to 255.
    pub priority: u8,
    /// 2 or 3.
    pub version: u8,
    /// The advertisement interval in centiseconds; for version 2 a multiple of 100.
    pub interval_cs: u16,
    /// The addresses, all of one family.
    pub addresses: Vec<IpAddr>,
    /// Further addresses, each on another interface of the host. No other program knows them.
    pub elsewhere: Vec<(String, IpAddr)>,
    /// The password of version 2.
    pub password: Option<String>,
    /// The file of the key that its advertisements are signed with. vrrpd and keepalived 2.4.2 and later know it.
    pub hmac_key: Option<PathBuf>,
    /// Whether the virtual MAC is used.
    pub vmac: bool,
    /// Whether a higher priority takes over from a living master.
    pub preempt: bool,
    /// Further lines of its section, as vrrpd's configuration has them.
    pub lines: Vec<String>,
}

impl Vr {
    /// The virtual router `vrid` with the addresses of a comma-separated list.
    ///
    /// # Panics
    ///
    /// When one is not an address.
    pub fn new(vrid: u8, addresses: &str) -> Self {
        Self {
            vrid,
            interface: INTERFACE.to_owned(),
            priority: 100,
            version: 3,
            interval_cs: 100,
            addresses: addresses
                .split(',')
                .map(|address| address.trim().parse().expect("an IP address"))
                .collect(),
            elsewhere: Vec::new(),
            password: None,
            hmac_key: None,
            vmac: false,
            preempt: true,
            lines: Vec::new(),
        }
    }

    /// The paper's: VRID 1 with its four addresses and its password, VRRPv2, virtual MAC.
    pub fn paper() -> Self {
        Self::new(1, "10.10.10.53,10.10.10.80,10.10.10.25,10.10.10.22")
            .v2()
            .password("foobingbaz")
            .vmac(true)
    }

    /// On this interface.
    #[must_use]
    pub fn on(self, interface: &str) -> Self {
        Self {
            interface: interface.to_owned(),
            ..self
        }
    }

    /// With this address on another interface of the host, too.
    ///
    /// # Panics
    ///
    /// When it is not an address.
    #[must_use]
    pub fn elsewhere(mut self, interface: &str, address: &str) -> Self {
        let address = address.parse().expect("an IP address");
        self.elsewhere.push((interface.to_owned(), address));
        self
    }

    /// With this priority.
    #[must_use]
    pub fn priority(self, priority: u8) -> Self {
        Self { priority, ..self }
    }

    /// With this interval.
    #[must_use]
    pub fn interval_cs(self, interval_cs: u16) -> Self {
        Self {
            interval_cs,
            ..self
        }
    }

    /// In VRRPv2.
    #[must_use]
    pub fn v2(self) -> Self {
        Self { version: 2, ..self }
    }

    /// With this password, cut by the protocol to eight octets.
    #[must_use]
    pub fn password(self, password: &str) -> Self {
        Self {
            password: Some(password.to_owned()),
            ..self
        }
    }

    /// With the virtual MAC or without.
    #[must_use]
    pub fn vmac(self, vmac: bool) -> Self {
        Self { vmac, ..self }
    }

    /// That leaves a living master alone.
    #[must_use]
    pub fn no_preempt(self) -> Self {
        Self {
            preempt: false,
            ..self
        }
    }

    /// That signs with the key in this file, and hears nobody without it.
    #[must_use]
    pub fn hmac_key(self, file: PathBuf) -> Self {
        Self {
            hmac_key: Some(file),
            ..self
        }
    }

    /// With this line in its section of vrrpd's configuration. No other program knows it.
    #[must_use]
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Whether its addresses are IPv6.
    pub fn is_v6(&self) -> bool {
        self.addresses.first().is_some_and(IpAddr::is_ipv6)
    }

    /// Without an address.
    #[must_use]
    pub fn addressless(self) -> Self {
        Self {
            addresses: Vec::new(),
            ..self
        }
    }

    /// The address that a client asks: the last one, which for IPv6 is not the link-local one.
    pub fn service_address(&self) -> String {
        self.addresses[self.addresses.len() - 1].to_string()
    }

    /// Its virtual MAC (RFC 9568 section 7.3).
    pub fn virtual_mac(&self) -> Mac {
        Mac([0, 0, 0x5e, 0, if self.is_v6() { 2 } else { 1 }, self.vrid])
    }

    /// Three intervals and the skew time: the protocol's own limit of a takeover, microseconds.
    pub fn down_time_us(&self) -> u64 {
        let interval_us = u64::from(self.interval_cs) * 10_000;
        let skew_unit_us = if self.version == 2 {
            1_000_000
        } else {
            interval_us
        };
        3 * interval_us + (256 - u64::from(self.priority)) * skew_unit_us / 256
    }
}
