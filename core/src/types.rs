//! The words of the protocol as types that can only hold legal values.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use core::num::{NonZeroU8, TryFromIntError};

use crate::IPV6;
use crate::time::Duration;

/// A virtual router identifier, 1 to 255 (RFC 9568 section 5.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Vrid(u8);

impl Vrid {
    /// `None` for 0, which no virtual router may use.
    pub const fn new(vrid: u8) -> Option<Self> {
        if vrid == 0 { None } else { Some(Self(vrid)) }
    }

    /// The identifier as a number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Vrid {
    type Error = TryFromIntError;

    fn try_from(vrid: u8) -> Result<Self, TryFromIntError> {
        Ok(Self(NonZeroU8::try_from(vrid)?.get()))
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A configured priority, 1 to 255 (RFC 9568 section 5.2.4). 255 is the owner of the addresses.
///
/// Zero is no priority but the word "I stop": it exists on the wire only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Priority(u8);

impl Priority {
    /// The default for a virtual router that does not own its addresses.
    pub const DEFAULT: Priority = Priority(100);
    /// The least that takes part.
    pub(crate) const LOWEST: Priority = Priority(1);
    /// The owner of the addresses.
    pub const OWNER: Priority = Priority(255);

    /// `None` for 0.
    pub const fn new(priority: u8) -> Option<Self> {
        if priority == 0 {
            None
        } else {
            Some(Self(priority))
        }
    }

    /// The priority as a number.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// Whether this is the owner's priority, 255.
    pub const fn is_owner(self) -> bool {
        self.0 == 255
    }
}

impl TryFrom<u8> for Priority {
    type Error = TryFromIntError;

    fn try_from(priority: u8) -> Result<Self, TryFromIntError> {
        Ok(Self(NonZeroU8::try_from(priority)?.get()))
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An advertisement interval: 1 to 4095 centiseconds in VRRPv3 (RFC 9568 section 6.1, erratum
/// 8301), 1 to 255 seconds in VRRPv2 (RFC 3768 section 5.3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AdvertInterval(u16);

impl AdvertInterval {
    /// One second, the default.
    pub const DEFAULT: AdvertInterval = AdvertInterval(100);

    /// An interval that VRRPv3 can say. `None` outside 1 to 4095.
    pub const fn from_centis(cs: u16) -> Option<Self> {
        if cs == 0 || cs > 4095 {
            None
        } else {
            Some(Self(cs))
        }
    }

    /// An interval that VRRPv2 can say. `None` for 0.
    pub const fn from_secs(secs: u8) -> Option<Self> {
        if secs == 0 {
            None
        } else {
            Some(Self(secs as u16 * 100))
        }
    }

    /// The interval in centiseconds, 1 to 25,500.
    pub const fn as_centis(self) -> u16 {
        self.0
    }

    /// Whole seconds, rounded up: what a VRRPv2 advertisement can say.
    pub const fn as_secs_rounded_up(self) -> u8 {
        self.0.div_ceil(100) as u8
    }

    /// The interval as a span of time.
    pub const fn duration(self) -> Duration {
        Duration::from_centis(self.0)
    }

    /// Skew_Time: a fraction of the Active router's interval that is smaller the higher our priority, in
    /// microseconds so that no two priorities expire together (T-6; RFC 9568 section 6.1, RFC 3768
    /// section 6.1).
    #[inline]
    pub(crate) fn skew(self, version: Version, priority: Priority) -> Duration {
        let scale = match version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 | Version::Both => self.duration(),
        };
        let below = 256 - u64::from(priority.get());
        Duration::from_micros(scale.as_micros() * below / 256)
    }

    /// Active_Down_Interval: three intervals of the Active router and the skew (RFC 9568 section 6.1, RFC
    /// 3768 section 6.1).
    #[inline]
    pub fn down_interval(self, version: Version, priority: Priority) -> Duration {
        Duration::from_micros(3 * self.duration().as_micros()) + self.skew(version, priority)
    }
}

impl Default for AdvertInterval {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The address family of a virtual router. One VRID may exist once in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }

    /// The length of an address in octets.
    pub(crate) const fn address_len(self) -> usize {
        match self {
            Family::Ipv4 => 4,
            Family::Ipv6 => 16,
        }
    }

    /// Whether it is IPv6, which it never is where the engine does not know that.
    pub(crate) const fn is_ipv6(self) -> bool {
        IPV6 && matches!(self, Family::Ipv6)
    }

    /// Its name: `IPv4` or `IPv6`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Family::Ipv4 => "IPv4",
            Family::Ipv6 => "IPv6",
        }
    }

    /// The group that advertisements go to: 224.0.0.18 or ff02::12 (RFC 9568 sections 5.1.1.2, 5.1.2.2).
    #[cfg_attr(not(feature = "large"), inline(never))]
    pub const fn group(self) -> IpAddr {
        match self {
            Family::Ipv4 => IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
            Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
        }
    }

    /// The Ethernet address of [`Family::group`].
    pub const fn group_mac(self) -> MacAddr {
        match self {
            Family::Ipv4 => MacAddr([0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]),
            Family::Ipv6 => MacAddr([0x33, 0x33, 0x00, 0x00, 0x00, 0x12]),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether an IPv6 address is of fe80::/10. By its octets: `Ipv6Addr::is_unicast_link_local` copies
/// the groups, which takes 68 octets more on a Cortex-M3.
#[cfg_attr(not(feature = "large"), inline(never))]
pub(crate) fn is_link_local(address: &Ipv6Addr) -> bool {
    matches!(address.octets(), [0xfe, 0x80..=0xbf, ..])
}

/// An Ethernet address in network order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: MacAddr = MacAddr([0xff; 6]);

    /// The virtual MAC of a virtual router: 00:00:5e:00:01:VRID for IPv4, 00:00:5e:00:02:VRID for
    /// IPv6 (RFC 9568 section 7.3).
    pub const fn virtual_router(family: Family, vrid: Vrid) -> Self {
        let block = match family {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        };
        MacAddr([0x00, 0x00, 0x5e, 0x00, block, vrid.get()])
    }
}

impl From<[u8; 6]> for MacAddr {
    fn from(octets: [u8; 6]) -> Self {
        Self(octets)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The name of a virtual router: interface, VRID and family (RFC 9568 section 1.1: VRIDs are
/// independent for each interface and family).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct VrKey {
    /// The interface, by a number that the port chooses and keeps.
    pub ifindex: u32,
    /// The virtual router identifier.
    pub vrid: Vrid,
    /// The address family.
    pub family: Family,
}

impl VrKey {
    /// The virtual router `vrid` of a family on an interface.
    pub const fn new(ifindex: u32, vrid: Vrid, family: Family) -> Self {
        Self {
            ifindex,
            vrid,
            family,
        }
    }

    /// The virtual MAC of this virtual router.
    pub const fn virtual_mac(self) -> MacAddr {
        MacAddr::virtual_router(self.family, self.vrid)
    }
}

impl fmt::Display for VrKey {
    /// `VRID 1 on interface 2 (IPv4)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ifindex,
            vrid,
            family,
        } = self;
        write!(f, "VRID {vrid} on interface {ifindex} ({family})")
    }
}

/// A virtual address and the length of its prefix (0 to 32 or 0 to 128), which the port needs to
/// install it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct VirtualAddress {
    /// The address.
    pub address: IpAddr,
    /// The length of the prefix in bits.
    pub prefix_len: u8,
}

/// Which protocol versions a virtual router speaks and hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Version {
    /// VRRPv2 (RFC 3768), IPv4 only.
    V2,
    /// VRRPv3 (RFC 9568).
    #[default]
    V3,
    /// Both on one VRID, for the time of an upgrade (RFC 9568 section 8.4.2), IPv4 only.
    Both,
}

/// The Ethernet address that a virtual router answers and sends with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MacMode {
    /// The virtual MAC that the RFC prescribes.
    #[default]
    Virtual,
    /// The interface's own MAC; neighbours learn of a move by gratuitous ARP or unsolicited NA.
    Interface,
}

/// How the checksum of a VRRPv3 advertisement over IPv4 is computed (RFC 9568 section 5.2.8).
/// Both forms are accepted whatever this says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ChecksumMode {
    /// Begin with the pseudo-header form, then follow the peers heard on that VRID.
    #[default]
    Auto,
    /// The message alone, as RFC 9568 says.
    Rfc9568,
    /// With a pseudo-header, as RFC 5798 was widely read.
    Rfc5798,
}

/// Authentication of a VRRPv2 virtual router (RFC 2338 section 5.3.6).
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Auth {
    /// Type 0: none.
    #[default]
    None,
    /// Type 1: a password of up to eight octets, zero padded, readable by anyone on the segment.
    Simple([u8; 8]),
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The password stays out of logs.
        f.write_str(match self {
            Auth::None => "None",
            Auth::Simple(_) => "Simple(..)",
        })
    }
}

/// How a VRRPv2 advertisement is treated whose address list is not ours (V-14). In VRRPv3 it is
/// taken and reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AddressCheck {
    /// Take it and report the difference, as in VRRPv3: a list can be changed on one host after the
    /// other without a second master.
    #[default]
    Warn,
    /// Discard it unless an owner sent it: the text of RFC 3768 section 7.1.
    Strict,
}

/// The way of an owner (priority 255) with advertisements of others (V-7; RFC 9568 section 7.1,
/// erratum 8298).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OwnerReceive {
    /// Go on and elect by priority and address, reporting the other owner: the erratum.
    #[default]
    Elect,
    /// Discard them: the text as published.
    Discard,
}

/// The way of a Backup whose Active router is silent while a host answers for the first address (G-8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum OnConflict {
    /// Take over when Active_Down_Timer ends, and name the answer as part of the
    /// [reason](crate::Reason::ActiveUnheard).
    #[default]
    TakeOver,
    /// Stay Backup, and ask again each interval, until an interval has passed without an answer.
    Wait,
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::*;

    #[test]
    fn zero_is_neither_a_vrid_nor_a_priority() {
        assert!(Vrid::try_from(0).is_err() && Priority::try_from(0).is_err());
        for number in 1..=255 {
            assert_eq!(Vrid::try_from(number).ok(), Vrid::new(number));
            assert_eq!(Priority::try_from(number).ok(), Priority::new(number));
        }
    }

    #[test]
    fn names_of_virtual_routers_read_well() {
        let vrid = Vrid::new(7).unwrap();
        let key = VrKey::new(3, vrid, Family::Ipv6);
        assert_eq!(key.to_string(), "VRID 7 on interface 3 (IPv6)");
        let key = crate::gate::GateKey::new(vrid, Family::Ipv4);
        assert_eq!(key.to_string(), "VRID 7 (IPv4)");
        let mac = MacAddr::from([0, 0, 0x5e, 0, 1, 7]);
        assert_eq!(key.virtual_mac(), mac);
        assert_eq!(mac.to_string(), "00:00:5e:00:01:07");
    }
}
