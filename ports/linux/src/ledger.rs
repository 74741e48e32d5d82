//! What goes into the ledger on Linux.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use vrrp_core::{MacAddr, VirtualAddress};
use vrrp_host::ledger;

use crate::sys;

/// Our own ledger.
pub(crate) type Ledger = ledger::Ledger<Entry>;
/// A ledger that a dead process left.
pub(crate) type Leftover = ledger::Leftover<Entry>;

/// Makes the ledger of this process in the network namespace `namespace`.
pub(crate) fn create(directory: &Path, namespace: u64) -> io::Result<Ledger> {
    Ledger::create(directory, &place(namespace), sys::try_lock)
}

/// The ledgers that dead processes of the network namespace left.
pub(crate) fn leftovers(directory: &Path, namespace: u64) -> io::Result<Vec<Leftover>> {
    ledger::leftovers(directory, &place(namespace), sys::try_lock)
}

fn place(namespace: u64) -> String {
    format!("linux-{namespace}")
}

/// Something that we install.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entry {
    /// A macvlan.
    Link { name: String, mac: MacAddr },
    /// An address that was not on that interface before.
    Address {
        device: String,
        address: IpAddr,
        prefix_len: u8,
    },
    /// A blackhole route.
    Route { address: IpAddr },
    /// A setting of an interface, below /proc/sys/net/ipv4/conf.
    Setting {
        device: String,
        name: String,
        old: String,
        new: String,
    },
}

impl Entry {
    pub(crate) fn address(device: &str, address: VirtualAddress) -> Self {
        Entry::Address {
            device: device.into(),
            address: address.address,
            prefix_len: address.prefix_len,
        }
    }
}

impl FromStr for Entry {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        read(text).ok_or(())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Entry::Link { name, mac } => write!(f, "link {name} {mac}"),
            Entry::Address {
                device,
                address,
                prefix_len,
            } => write!(f, "address {device} {address} {prefix_len}"),
            Entry::Route { address } => write!(f, "route {address}"),
            Entry::Setting {
                device,
                name,
                old,
                new,
            } => write!(f, "setting {device} {name} {old} {new}"),
        }
    }
}

fn parse_mac(text: &str) -> Option<MacAddr> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut mac {
        *octet = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(MacAddr(mac))
}

fn read(text: &str) -> Option<Entry> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    match *words.as_slice() {
        ["link", name, mac] => Some(Entry::Link {
            name: name.into(),
            mac: parse_mac(mac)?,
        }),
        ["address", device, address, prefix_len] => Some(Entry::Address {
            device: device.into(),
            address: address.parse().ok()?,
            prefix_len: prefix_len.parse().ok()?,
        }),
        ["route", address] => Some(Entry::Route {
            address: address.parse().ok()?,
        }),
        ["setting", device, name, old, new] => Some(Entry::Setting {
            device: device.into(),
            name: name.into(),
            old: old.into(),
            new: new.into(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entries() -> Vec<Entry> {
        vec![
            Entry::Link {
                name: "vr4.3.1".into(),
                mac: MacAddr([0, 0, 0x5e, 0, 1, 1]),
            },
            Entry::Address {
                device: "eth0".into(),
                address: "2001:db8::1".parse().unwrap(),
                prefix_len: 64,
            },
            Entry::Route {
                address: [10, 0, 0, 1].into(),
            },
            Entry::Setting {
                device: "eth0".into(),
                name: "arp_ignore".into(),
                old: "0".into(),
                new: "1".into(),
            },
        ]
    }

    #[test]
    fn lines_are_read_as_they_were_written() {
        for entry in entries() {
            assert_eq!(entry.to_string().parse(), Ok(entry));
        }
    }

    #[test]
    fn the_living_are_left_alone_and_the_dead_are_found() {
        let directory = std::env::temp_dir().join(format!("vrrp-ledger-{}", std::process::id()));
        let mut ledger = create(&directory, 77).unwrap();
        ledger.add(entries()).unwrap();
        ledger.add(entries()).unwrap();
        ledger.remove(&entries()[0]).unwrap();
        assert!(leftovers(&directory, 77).unwrap().is_empty());
        let token = ledger.token().to_string();
        drop(ledger);
        assert!(leftovers(&directory, 7).unwrap().is_empty());
        let mut found = leftovers(&directory, 77).unwrap();
        assert_eq!(found.len(), 1);
        let leftover = found.remove(0);
        assert_eq!(leftover.token, token);
        assert_eq!(leftover.entries, entries()[1..].iter().cloned().collect());
        // Somebody else is at it.
        assert!(leftovers(&directory, 77).unwrap().is_empty());
        leftover.discard();
        assert!(leftovers(&directory, 77).unwrap().is_empty());
        fs::remove_dir(&directory).unwrap();
    }
}
