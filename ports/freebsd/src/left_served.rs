//! The addresses that a dead process served, as far as they are there yet: it was master with them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use crate::ledger::Entry;
use crate::links::Links;
use crate::names;
use crate::request;
use crate::route::Address;

/// An address that an entry names, where it is as it was installed: with the prefix that we give, and not of
/// carp(4).
pub(crate) fn installed<'a>(
    links: &'a Links,
    device: &str,
    address: IpAddr,
) -> Option<&'a Address> {
    let known = links.address(links.find(device)?, address)?;
    let ours = request::prefix_len(address);
    (known.prefix_len == ours && known.vhid == 0).then_some(known)
}

/// Returns the addresses of a ledger that are there, with the interface of each. An address on a carrier is
/// in no ledger, as it goes with that: `is_ours` tells the carriers that bear the mark of that life. One that
/// is not accepted has a route instead, which is noted while it is served, and no interface. Addresses
/// on the loopback are there on every host.
pub(crate) fn left_served(
    entries: &BTreeSet<Entry>,
    links: &Links,
    is_ours: impl Fn(&str) -> bool,
) -> Vec<(String, IpAddr)> {
    let mut served = Vec::new();
    for entry in entries {
        match entry {
            Entry::Address { device, address } => {
                let known = installed(links, device, *address);
                if known.is_some_and(|known| !links.is_loopback(known.index)) {
                    served.push((device.clone(), *address));
                }
            }
            Entry::Carrier { node } => {
                let Some((name, index)) = names::carrier_of(node) else {
                    continue;
                };
                let Some(parent) = links.get(index).filter(|_| is_ours(&name)) else {
                    continue;
                };
                let mut all = links.all();
                let addresses = all.find(|(link, _)| link.name == name);
                let addresses = addresses.map_or(&[][..], |(_, addresses)| addresses);
                served.extend(addresses.iter().map(|a| (parent.name.clone(), a.address)));
            }
            // An address that is not accepted: it is on no interface.
            Entry::Route { address } => served.push((String::new(), *address)),
            _ => {}
        }
    }
    served
}

#[cfg(test)]
mod tests {
    use vrrp_port_kit::KernelIf;

    use super::*;
    use crate::abi::IFF_LOOPBACK;
    use crate::route::{Item, Link};

    fn index(number: u32) -> KernelIf {
        KernelIf::new(number).unwrap()
    }

    fn link(number: u32, name: &str, flags: u32) -> Item {
        Item::Link(Link {
            name: name.into(),
            flags,
            ..Link::new(index(number))
        })
    }

    fn address(number: u32, address: &str, prefix_len: u8, vhid: u8) -> Item {
        Item::Address(Address {
            index: index(number),
            address: address.parse().unwrap(),
            prefix_len,
            vhid,
        })
    }

    fn links() -> Links {
        Links::new([
            link(1, "lo0", IFF_LOOPBACK),
            link(3, "em0", 0),
            link(4, "em1", 0),
            link(5, "vr4.3.7", 0),
            link(6, "vr6.3.7", 0),
            address(1, "10.0.0.80", 32, 0),
            address(3, "10.0.0.1", 24, 0),
            address(3, "10.0.0.80", 32, 0),
            address(3, "10.0.0.81", 24, 0),
            address(3, "10.0.0.82", 32, 9),
            address(5, "10.0.0.90", 32, 0),
            address(6, "2001:db8::90", 128, 0),
        ])
    }

    fn left(entries: &[&str], is_ours: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let entries = entries.iter().map(|entry| entry.parse().unwrap());
        let served = left_served(&entries.collect(), &links(), is_ours);
        let served = served.into_iter();
        served
            .map(|(device, address)| (device, address.to_string()))
            .collect()
    }

    fn pair(device: &str, address: &str) -> (String, String) {
        (device.into(), address.into())
    }

    #[test]
    fn an_address_was_served_where_it_is_as_it_was_installed() {
        let entries = [
            "address em0 10.0.0.80",
            // Silent: there on every host of the group.
            "address lo0 10.0.0.80",
            // Of the host itself, of carp, on no interface, on one that is gone.
            "address em0 10.0.0.81",
            "address em0 10.0.0.82",
            "address em1 10.0.0.80",
            "address em2 10.0.0.80",
            "route 10.0.0.99",
        ];
        let served = [pair("em0", "10.0.0.80"), pair("", "10.0.0.99")];
        assert_eq!(left(&entries, |_| true), served);
    }

    #[test]
    fn addresses_on_a_carrier_were_served_on_its_interface() {
        let entries = [
            "carrier vrrp4_3_7",
            "carrier vrrp6_3_7",
            "carrier vrrp4_3_8",
        ];
        assert_eq!(
            left(&entries, |_| true),
            [pair("em0", "10.0.0.90"), pair("em0", "2001:db8::90")]
        );
        // One of another life.
        assert_eq!(
            left(&entries, |name| name == "vr6.3.7"),
            [pair("em0", "2001:db8::90")]
        );
    }
}
