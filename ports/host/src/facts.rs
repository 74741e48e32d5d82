//! Facts about a host that a configuration is judged against before anything is installed.

use std::io;
use std::net::IpAddr;

use vrrp_core::Family;

use crate::config::VrSpec;

/// Facts about this host, or why they cannot be had.
pub type HostFacts = io::Result<Box<dyn Facts>>;

/// The facts that a port knows of the host without being opened. A list of interfaces will do for a test.
pub trait Facts {
    /// Every interface of the host.
    fn interfaces(&self) -> &[OwnInterface];

    /// The reasons why this host, as it is now, cannot serve `spec`, beyond those that the
    /// interfaces and addresses tell by themselves. Each is a sentence for people.
    fn refusals(&self, spec: &VrSpec) -> Vec<String> {
        let _ = spec;
        Vec::new()
    }
}

impl Facts for Vec<OwnInterface> {
    fn interfaces(&self) -> &[OwnInterface] {
        self
    }
}

/// An interface of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnInterface {
    /// The name.
    pub name: String,
    /// Other names that the kernel takes for it.
    pub other_names: Vec<String>,
    /// The kind of interface that it is and what to do, if it can have no virtual routers: "it is the
    /// loopback interface ...".
    pub unfit: Option<String>,
    /// The addresses of both families in the kernel's order, without those that a port installed.
    pub addresses: Vec<OwnAddress>,
}

impl OwnInterface {
    /// Whether the kernel knows it by this name.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.other_names.iter().any(|other| other == name)
    }

    /// The address that advertisements of a family are sent from.
    pub fn source(&self, family: Family) -> Option<&OwnAddress> {
        let mut addresses = self.addresses.iter();
        addresses.find(|own| own.advertises && Family::of(own.address) == family)
    }
}

/// An address of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnAddress {
    /// The address.
    pub address: IpAddr,
    /// The length of the prefix of its network.
    pub prefix_len: u8,
    /// Whether the port advertises from it, unless it is told otherwise.
    pub advertises: bool,
    /// Whether the kernel found out that another host has it, too.
    pub duplicate: bool,
}

impl OwnAddress {
    /// Whether `address` is in the network of this address. Without a prefix, and within a whole
    /// one, no other address is.
    pub fn is_beside(&self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, width: u32| {
            let len = u32::from(self.prefix_len).min(width);
            len > 0 && (a ^ b).checked_shr(width - len).unwrap_or(0) == 0
        };
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_is_what_the_prefix_says() {
        let beside = |own: &str, prefix_len, other: &str| {
            let own = OwnAddress {
                address: own.parse().unwrap(),
                prefix_len,
                advertises: true,
                duplicate: false,
            };
            own.is_beside(other.parse().unwrap())
        };
        assert!(beside("10.0.0.2", 24, "10.0.0.254"));
        assert!(!beside("10.0.0.2", 24, "10.0.1.2"));
        assert!(!beside("10.0.0.2", 32, "10.0.0.3") && beside("10.0.0.2", 32, "10.0.0.2"));
        assert!(!beside("10.0.0.2", 0, "10.0.0.3"));
        assert!(beside("2001:db8::2", 64, "2001:db8::ffff:1"));
        assert!(!beside("2001:db8::2", 64, "2001:db8:0:1::1"));
        assert!(!beside("2001:db8::2", 64, "10.0.0.2"));
    }
}
