//! What goes into the ledger on FreeBSD.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use vrrp_core::MacAddr;
use vrrp_host::ledger;

/// Our own ledger.
pub(crate) type Ledger = ledger::Ledger<Entry>;
/// A ledger that a dead process left.
pub(crate) type Leftover = ledger::Leftover<Entry>;

/// Something that we install.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    /// The netgraph bridge on an interface.
    Bridge { node: String },
    /// The netgraph interface that carries a virtual MAC.
    Carrier { node: String },
    /// The node of an interface, which replaced the source of what it sent, must not do so.
    Source { device: String },
    /// An address that was not on that interface before.
    Address { device: String, address: IpAddr },
    /// A blackhole route.
    Route { address: IpAddr },
    /// The MAC of an interface that a virtual one replaces.
    Mac {
        device: String,
        old: MacAddr,
        new: MacAddr,
    },
    /// Duplicate address detection of an interface, off for the moment that an address is added.
    Detection { device: String },
}

impl FromStr for Entry {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        read(text).ok_or(())
    }
}

fn read(text: &str) -> Option<Entry> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    Some(match *words.as_slice() {
        ["bridge", node] => Entry::Bridge { node: node.into() },
        ["carrier", node] => Entry::Carrier { node: node.into() },
        ["source", device] => Entry::Source {
            device: device.into(),
        },
        ["address", device, address] => Entry::Address {
            device: device.into(),
            address: address.parse().ok()?,
        },
        ["route", address] => Entry::Route {
            address: address.parse().ok()?,
        },
        ["mac", device, old, new] => Entry::Mac {
            device: device.into(),
            old: read_mac(old)?,
            new: read_mac(new)?,
        },
        ["detection", device] => Entry::Detection {
            device: device.into(),
        },
        _ => return None,
    })
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Bridge { node } => write!(f, "bridge {node}"),
            Entry::Carrier { node } => write!(f, "carrier {node}"),
            Entry::Source { device } => write!(f, "source {device}"),
            Entry::Address { device, address } => write!(f, "address {device} {address}"),
            Entry::Route { address } => write!(f, "route {address}"),
            Entry::Mac { device, old, new } => write!(f, "mac {device} {old} {new}"),
            Entry::Detection { device } => write!(f, "detection {device}"),
        }
    }
}

fn read_mac(text: &str) -> Option<MacAddr> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut mac {
        *octet = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(MacAddr(mac))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_were_written() {
        let device = || "em0".to_string();
        for entry in [
            Entry::Bridge {
                node: "vrrp_3".into(),
            },
            Entry::Carrier {
                node: "vrrp4_3_1".into(),
            },
            Entry::Source { device: device() },
            Entry::Address {
                device: device(),
                address: "2001:db8::1".parse().unwrap(),
            },
            Entry::Route {
                address: [10, 0, 0, 1].into(),
            },
            Entry::Mac {
                device: device(),
                old: MacAddr([2, 0, 0, 0, 0, 1]),
                new: MacAddr([0, 0, 0x5e, 0, 1, 1]),
            },
            Entry::Detection { device: device() },
        ] {
            assert_eq!(entry.to_string().parse(), Ok(entry));
        }
        assert_eq!("mac em0 1:2:3 4:5:6".parse::<Entry>(), Err(()));
    }
}
