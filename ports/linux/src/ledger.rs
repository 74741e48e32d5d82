//! The entries of the ledger on Linux.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use vrrp_core::{MacAddr, VirtualAddress};
use vrrp_host::RoutingItem;
use vrrp_port_kit::{ledger, trust};

use crate::names;
use crate::sys;
use crate::sysctl::table;

/// Our own ledger.
pub(crate) type Ledger = ledger::Ledger<Entry>;
/// A ledger that a dead process left.
pub(crate) type Leftover = ledger::Leftover<Entry>;

/// Makes the ledger of this process in the network namespace `namespace`.
pub(crate) fn create(directory: &Path, namespace: u64) -> io::Result<Ledger> {
    Ledger::create(directory, &place(namespace), system())
}

/// The ledgers that dead processes of the network namespace left. What is odd about them is added
/// to `remarks`.
pub(crate) fn leftovers(
    directory: &Path,
    namespace: u64,
    remarks: &mut Vec<String>,
) -> io::Result<Vec<Leftover>> {
    ledger::leftovers(directory, &place(namespace), system(), remarks)
}

/// The beginning of the tokens of a network namespace.
pub(crate) fn place(namespace: u64) -> String {
    format!("linux-{namespace}")
}

/// Whether the process that has, or had, this token is dead or about to end.
pub(crate) fn is_ending(token: &str) -> bool {
    ledger::is_ending(token, system())
}

/// The entries in the ledger of a living process. Returns `None` if it has none that can be read here.
pub(crate) fn entries_of(directory: &Path, token: &str) -> Option<BTreeSet<Entry>> {
    ledger::entries_of(directory, token, system())
}

fn system() -> ledger::System {
    ledger::System {
        lock: ledger::try_lock,
        user: trust::effective_uid(),
        is_ending: sys::is_ending,
    }
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
    /// A route or a rule of a virtual router.
    Routing(RoutingItem),
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

    /// Reads what we write, and nothing else: see [`is_undoable`].
    fn from_str(text: &str) -> Result<Self, ()> {
        let entry = read(text).filter(is_undoable);
        entry.filter(|entry| entry.to_string() == text).ok_or(())
    }
}

/// The closed list of what may be undone: what this port does install.
fn is_undoable(entry: &Entry) -> bool {
    match entry {
        Entry::Link { name, mac } => names::is_ours(name, *mac),
        Entry::Address {
            device,
            address,
            prefix_len,
        } => {
            let longest = if address.is_ipv4() { 32 } else { 128 };
            is_device(device) && is_virtual(*address) && *prefix_len <= longest
        }
        Entry::Route { address } => is_virtual(*address),
        // Only one with our mark is removed.
        Entry::Routing(_) => true,
        Entry::Setting {
            device,
            name,
            old,
            new,
        } => is_device(device) && table::is_undoable(name, old, new),
    }
}

/// Whether an interface can be called so; `all` and `default` are none below /proc/sys.
fn is_device(name: &str) -> bool {
    let fits = (1..=15).contains(&name.len());
    fits && !name.contains('/') && !matches!(name, "." | ".." | "all" | "default")
}

/// Whether a virtual router may have the address.
fn is_virtual(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
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
            Entry::Routing(item) => write!(f, "virtual {item}"),
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
    if let Some(item) = text.strip_prefix("virtual ") {
        return item.parse().ok().map(Entry::Routing);
    }
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
            Entry::Routing(
                "route 10.0.0.0/8 via 192.0.2.1 dev eth0 table 7"
                    .parse()
                    .unwrap(),
            ),
            Entry::Routing("rule from all priority 7 lookup 7".parse().unwrap()),
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
    fn nothing_is_undone_but_what_we_do() {
        for line in [
            "link eth0 00:00:5e:00:01:01",
            "link vr4.3.1 02:00:00:00:00:01",
            "link vr4.3.1 00:00:5e:00:02:01",
            "link vr4.3.1 00:00:5e:00:01:02",
            "link vr6.3.1 00:00:5e:00:01:01",
            "link vr4.x.1 00:00:5e:00:01:01",
            "link vr4.3.1 0:0:5e:0:1:1",
            "address eth0 10.0.0.1 33",
            "address eth0 127.0.0.1 8",
            "address ../eth0 10.0.0.1 24",
            "address eth0 224.0.0.18 24",
            "address abcdefghijklmnop 10.0.0.1 24",
            "address eth0  10.0.0.1 24",
            "route 0.0.0.0",
            "route 10.0.0.0/8",
            "virtual route 10.0.0.0/8 dev eth0 proto static",
            "virtual route default dev eth0",
            "virtual rule from all lookup 7",
            "virtual address 10.0.0.1",
            "setting eth0 forwarding 0 1",
            "setting eth0 ../../../kernel/core_pattern 0 1",
            "setting all arp_ignore 0 1",
            "setting default arp_ignore 0 1",
            "setting ../eth0 arp_ignore 0 1",
            "setting .. arp_ignore 0 1",
            "setting eth0 arp_ignore 1 1",
            "setting eth0 arp_ignore 0 2",
            "setting eth0 arp_ignore |/bin/sh 1",
            "setting eth0 arp_announce -1 2",
            "file /etc/passwd",
            "link vr4.3.1 00:00:5e:00:01:01 ",
            "",
        ] {
            assert_eq!(line.parse::<Entry>(), Err(()), "{line}");
        }
        for line in [
            "link vr6.12.255 00:00:5e:00:02:ff",
            "setting eth0.7 arp_announce 1 2",
        ] {
            assert!(line.parse::<Entry>().is_ok(), "{line}");
        }
    }

    #[test]
    fn the_living_are_left_alone_and_the_dead_are_found() {
        let directory = std::env::temp_dir().join(format!("vrrp-ledger-{}", std::process::id()));
        let find = |namespace| {
            let mut remarks = Vec::new();
            let found = leftovers(&directory, namespace, &mut remarks).unwrap();
            assert_eq!(remarks, [""; 0]);
            found
        };
        let mut ledger = create(&directory, 77).unwrap();
        ledger.add(entries()).unwrap();
        ledger.add(entries()).unwrap();
        ledger.remove(&entries()[0]).unwrap();
        assert!(find(77).is_empty());
        let token = ledger.token().to_string();
        drop(ledger);
        assert!(find(7).is_empty());
        let mut found = find(77);
        assert_eq!(found.len(), 1);
        let leftover = found.remove(0);
        assert_eq!(leftover.token, token);
        assert_eq!(leftover.entries, entries()[1..].iter().cloned().collect());
        // Somebody else is at it.
        assert!(find(77).is_empty());
        leftover.discard();
        assert!(find(77).is_empty());
        fs::remove_dir(&directory).unwrap();
    }
}
