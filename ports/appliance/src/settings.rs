//! The settings, as words of text: `own=10.10.10.9/24 vrid=51 address=10.10.10.80 priority=200`.
//!
//! Words before the first `vrid` are about the host; words after a `vrid` are about that virtual
//! router. The README lists them.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::str::FromStr;

use defmt::intern;
use heapless::{String, Vec};
use vrrp_embassy::vrrp_core::{
    AdvertInterval, Auth, Family, MacMode, Priority, Version, VirtualAddress, VrSettings, Vrid,
};

use crate::IPV6;

/// Virtual routers; each address family of a VRID is one.
pub(crate) const VRS: usize = if IPV6 { 4 } else { 2 };
/// Virtual addresses of each, the link-local one of IPv6 among them.
pub(crate) const ADDRS: usize = 8;

/// The greatest boot count that may be set: as many again come after it.
#[cfg(feature = "hmac")]
const MOST_BOOTS: u32 = u32::MAX / 2;

/// Everything that the firmware is told.
#[derive(Default)]
pub(crate) struct Settings {
    /// The host's name for itself.
    pub(crate) name: String<16>,
    /// Its own IPv4 address and the length of the prefix.
    pub(crate) own: Option<(Ipv4Addr, u8)>,
    /// Its own IPv6 link-local address. `None`: the one that its MAC gives.
    pub(crate) own6: Option<Ipv6Addr>,
    /// The least boot count to begin with.
    #[cfg(feature = "hmac")]
    pub(crate) boot_count: u32,
    /// Its virtual routers.
    pub(crate) routers: Vec<VirtualRouter, VRS>,
}

/// One virtual router.
pub(crate) struct VirtualRouter {
    pub(crate) vrid: Vrid,
    pub(crate) addresses: Vec<VirtualAddress, ADDRS>,
    #[cfg(feature = "hmac")]
    pub(crate) keys: crate::keys::Keys,
    /// Everything else.
    pub(crate) settings: VrSettings,
}

impl VirtualRouter {
    /// The family of its addresses.
    pub(crate) fn family(&self) -> Family {
        let first = self.addresses.first();
        first.map_or(Family::Ipv4, |a| Family::of(a.address))
    }
}

/// Words for the log. They are in the file that its reader has, and take no flash.
pub(crate) type Words = defmt::Str;

/// A word that cannot be understood, and what was expected in its place.
#[derive(Clone, Copy)]
pub(crate) struct Mistake<'t> {
    pub(crate) word: &'t str,
    pub(crate) expected: Words,
}

impl Settings {
    /// Reads settings.
    ///
    /// # Errors
    ///
    /// The first word that is not right, or what is missing.
    pub(crate) fn read<'t>(&mut self, text: &'t str) -> Result<(), Mistake<'t>> {
        for word in text.split_ascii_whitespace() {
            let mistake = |expected| Mistake { word, expected };
            let (key, value) = word.split_once('=').ok_or(mistake(intern!("KEY=VALUE")))?;
            match self.routers.last_mut() {
                _ if key == "vrid" => self.begin_router(value).map_err(mistake)?,
                Some(router) => router.set(key, value).map_err(mistake)?,
                None => self.set(key, value).map_err(mistake)?,
            }
        }
        self.check()
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Words> {
        match key {
            "name" => {
                self.name =
                    String::try_from(value).map_err(|_| intern!("a name of at most 16 octets"))?;
            }
            "own" => {
                let expected = intern!("an IPv4 address and prefix length, such as 10.10.10.9/24");
                self.own = Some(cidr(value).ok_or(expected)?);
            }
            "own6" if IPV6 => {
                let expected = intern!("an IPv6 link-local address, such as fe80::9");
                let address: Ipv6Addr = value.parse().map_err(|_| expected)?;
                self.own6 = Some(address);
                return address
                    .is_unicast_link_local()
                    .then_some(())
                    .ok_or(expected);
            }
            #[cfg(feature = "hmac")]
            "bootcount" => {
                let count = number(value).filter(|count| *count >= 1 && *count <= MOST_BOOTS);
                self.boot_count = count.ok_or(intern!("a number from 1 to 2147483647"))?;
            }
            _ => {
                return Err(intern!(
                    "one of name, own, own6, vrid before the first vrid"
                ));
            }
        }
        Ok(())
    }

    fn begin_router(&mut self, vrid: &str) -> Result<(), Words> {
        let vrid = number(vrid).and_then(Vrid::new);
        let router = VirtualRouter {
            vrid: vrid.ok_or(intern!("a number from 1 to 255"))?,
            addresses: Vec::new(),
            #[cfg(feature = "hmac")]
            keys: Default::default(),
            settings: VrSettings {
                accept: true,
                ..VrSettings::DEFAULT
            },
        };
        self.routers
            .push(router)
            .map_err(|_| intern!("no more than four virtual routers, or two without IPv6"))
    }

    /// Calls `f` with the virtual addresses that packets are accepted for, those first that are to be
    /// served first: one of each virtual router, then the second of each. A link-local address has
    /// no service; it is there for the protocol.
    pub(crate) fn each_served(&self, f: &mut dyn FnMut(IpAddr)) {
        for round in 0..ADDRS {
            for router in self.routers.iter().filter(|router| router.settings.accept) {
                if let Some(address) = router.served(round) {
                    f(address);
                }
            }
        }
    }

    fn check(&mut self) -> Result<(), Mistake<'static>> {
        let missing = |word, expected| Err(Mistake { word, expected });
        if self.name.is_empty() {
            self.name = String::try_from("appliance").unwrap_or_default();
        }
        if self.routers.is_empty() {
            return missing(
                "vrid",
                intern!("at least one virtual router, such as vrid=51"),
            );
        }
        let mut routers = self.routers.iter();
        if routers.any(|router| router.addresses.is_empty()) {
            return missing("address", intern!("at least one after each vrid"));
        }
        #[cfg(feature = "hmac")]
        for router in &self.routers {
            if router.keys.lacks_a_key() {
                return missing(
                    "key",
                    intern!("a key for each vrid that has authmode or activekey"),
                );
            }
            if !router.keys.is_empty() && router.settings.auth != Auth::None {
                return missing("password", intern!("no password where there is a key"));
            }
        }
        let mut routers = self.routers.iter();
        if self.own.is_none() && routers.any(|router| router.family() == Family::Ipv4) {
            return missing(
                "own",
                intern!("the host's own address, for virtual routers of IPv4"),
            );
        }
        Ok(())
    }
}

impl VirtualRouter {
    /// The address number `number` of those that have a service.
    fn served(&self, number: usize) -> Option<IpAddr> {
        let addresses = self.addresses.iter().map(|a| a.address);
        let mut served = addresses.filter(|address| match address {
            IpAddr::V4(_) => true,
            IpAddr::V6(v6) => !v6.is_unicast_link_local(),
        });
        served.nth(number)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), Words> {
        #[cfg(feature = "hmac")]
        if let Some(done) = self.keys.set(key, value) {
            return done;
        }
        let settings = &mut self.settings;
        match key {
            "address" => return self.add_address(value),
            "priority" => {
                let priority = number(value).and_then(Priority::new);
                settings.priority = priority.ok_or(intern!("a number from 1 to 255"))?;
            }
            "interval_cs" => {
                let interval = number(value).and_then(AdvertInterval::from_centis);
                settings.advert_interval =
                    interval.ok_or(intern!("centiseconds from 1 to 4095"))?;
            }
            "version" => {
                settings.version = match value {
                    "2" => Version::V2,
                    "3" => Version::V3,
                    "both" => Version::Both,
                    _ => return Err(intern!("2, 3 or both")),
                };
            }
            "password" => {
                let mut octets = [0; 8];
                let room = octets.get_mut(..value.len());
                let room = room.ok_or(intern!("a password of at most 8 octets"))?;
                for (octet, from) in room.iter_mut().zip(value.bytes()) {
                    *octet = from;
                }
                settings.auth = Auth::Simple(octets);
            }
            "mac" => {
                settings.mac_mode = match value {
                    "virtual" => MacMode::Virtual,
                    "interface" => MacMode::Interface,
                    _ => return Err(intern!("virtual or interface")),
                };
            }
            "accept" => settings.accept = yes_or_no(value)?,
            "preempt" => settings.preempt = yes_or_no(value)?,
            _ => {
                return Err(intern!(
                    "one of vrid, address, priority, interval_cs, version, password, mac, accept, preempt after a vrid"
                ));
            }
        }
        Ok(())
    }

    fn add_address(&mut self, value: &str) -> Result<(), Words> {
        let address: IpAddr = if IPV6 {
            value
                .parse()
                .map_err(|_| intern!("an IPv4 or IPv6 address"))?
        } else {
            let v4: Ipv4Addr = value.parse().map_err(|_| intern!("an IPv4 address"))?;
            v4.into()
        };
        let family = Family::of(address);
        if !self.addresses.is_empty() && family != self.family() {
            return Err(intern!(
                "addresses of one family; the other one is another virtual router"
            ));
        }
        let prefix_len = match family {
            Family::Ipv4 => 32,
            Family::Ipv6 => 128,
        };
        let address = VirtualAddress {
            address,
            prefix_len,
        };
        self.addresses
            .push(address)
            .map_err(|_| intern!("no more than eight addresses for a virtual router"))
    }
}

fn cidr(value: &str) -> Option<(Ipv4Addr, u8)> {
    let (address, prefix_len) = value.split_once('/')?;
    let prefix_len = number(prefix_len).filter(|len| *len <= 32)?;
    Some((address.parse().ok()?, prefix_len))
}

pub(crate) fn number<N: FromStr>(value: &str) -> Option<N> {
    value.parse().ok()
}

fn yes_or_no(value: &str) -> Result<bool, Words> {
    match value {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err(intern!("yes or no")),
    }
}
