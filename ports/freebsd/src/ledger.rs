//! The entries of the ledger on FreeBSD.

#[cfg(target_os = "freebsd")]
use std::collections::BTreeSet;
use std::fmt;
#[cfg(target_os = "freebsd")]
use std::io;
use std::net::IpAddr;
#[cfg(target_os = "freebsd")]
use std::path::Path;
use std::str::FromStr;

use vrrp_core::MacAddr;
use vrrp_host::Route;
use vrrp_port_kit::ledger;

use crate::names;

/// Our own ledger.
pub(crate) type Ledger = ledger::Ledger<Entry>;
/// A ledger that a dead process left.
pub(crate) type Leftover = ledger::Leftover<Entry>;

/// The beginning of the tokens of a jail.
pub(crate) fn place(jail: i32) -> String {
    format!("freebsd-{jail}")
}

/// The directory of the ledgers, unless another is chosen.
pub(crate) const DIRECTORY: &str = "/var/run/vrrpd";

/// Makes the ledger of this process in a jail.
#[cfg(target_os = "freebsd")]
pub(crate) fn create(directory: &Path, jail: i32) -> io::Result<Ledger> {
    Ledger::create(directory, &place(jail), system())
}

/// The ledgers that dead processes of a jail left. What is odd about them is added to `remarks`.
#[cfg(target_os = "freebsd")]
pub(crate) fn leftovers(
    directory: &Path,
    jail: i32,
    remarks: &mut Vec<String>,
) -> io::Result<Vec<Leftover>> {
    ledger::leftovers(directory, &place(jail), system(), remarks)
}

/// The entries of the ledgers of a jail in a directory. Only root reads them.
#[cfg(target_os = "freebsd")]
pub(crate) fn entries_at(directory: &Path, jail: i32) -> BTreeSet<Entry> {
    ledger::entries_at(directory, &place(jail), system())
}

#[cfg(target_os = "freebsd")]
fn system() -> ledger::System {
    use vrrp_port_kit::trust;

    use crate::sys;
    ledger::System {
        lock: ledger::try_lock,
        user: trust::effective_uid(),
        is_ending: sys::is_ending,
    }
}

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
    /// A route of a virtual router.
    Routing(Route),
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

    /// Reads what we write, and nothing else: see [`is_undoable`].
    fn from_str(text: &str) -> Result<Self, ()> {
        let entry = read(text).filter(is_undoable);
        entry.filter(|entry| entry.to_string() == text).ok_or(())
    }
}

/// The closed list of what may be undone: what this port does install.
fn is_undoable(entry: &Entry) -> bool {
    match entry {
        Entry::Bridge { node } => names::is_bridge(node),
        Entry::Carrier { node } => names::birthplace(node).is_some(),
        Entry::Source { device } | Entry::Detection { device } => is_device(device),
        Entry::Address { device, address } => is_device(device) && is_virtual(*address),
        Entry::Route { address } => is_virtual(*address),
        Entry::Routing(_) => true,
        Entry::Mac { device, old, new } => {
            let (own, taken) = (old.0, names::is_virtual(*new));
            is_device(device) && taken && own[0] & 1 == 0 && own != [0; 6]
        }
    }
}

/// Whether an interface can be called so.
fn is_device(name: &str) -> bool {
    (1..=15).contains(&name.len())
}

/// Whether a virtual router may have the address.
fn is_virtual(address: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
}

fn read(text: &str) -> Option<Entry> {
    if let Some(route) = text.strip_prefix("virtual route ") {
        return route.parse().ok().map(Entry::Routing);
    }
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
            Entry::Routing(route) => write!(f, "virtual route {route}"),
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
            Entry::Routing("10.0.0.0/8 via 192.0.2.1 dev em0".parse().unwrap()),
            Entry::Mac {
                device: device(),
                old: MacAddr([2, 0, 0, 0, 0, 1]),
                new: MacAddr([0, 0, 0x5e, 0, 1, 1]),
            },
            Entry::Detection { device: device() },
        ] {
            assert_eq!(entry.to_string().parse(), Ok(entry));
        }
    }

    #[test]
    fn nothing_is_undone_but_what_we_do() {
        for line in [
            "bridge em0",
            "bridge vrrp_x",
            "bridge vrrp_03",
            "carrier em0",
            "carrier vrrp4_3",
            "carrier vrrp5_3_1",
            "carrier vrrp4_3_0",
            "carrier vrrp4_3_256",
            "carrier vrrp4_3_1_1",
            "carrier vrrp4_+3_1",
            "source abcdefghijklmnop",
            "address em0 127.0.0.1",
            "address em0 ::",
            "address em0  10.0.0.1",
            "route 224.0.0.18",
            "virtual route default dev em0",
            "virtual rule from all priority 7 lookup 7",
            "mac em0 1:2:3 4:5:6",
            "mac em0 02:00:00:00:00:01 02:00:00:00:00:02",
            "mac em0 01:00:00:00:00:01 00:00:5e:00:01:01",
            "mac em0 00:00:00:00:00:00 00:00:5e:00:01:01",
            "detection",
            "file /etc/passwd",
        ] {
            assert_eq!(line.parse::<Entry>(), Err(()), "{line}");
        }
    }
}
