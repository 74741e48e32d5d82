//! The reasons why this host, as it is, cannot serve a virtual router: what the judgement of a
//! configuration and the port, when it prepares the virtual router, have in common.

use std::net::IpAddr;

use vrrp_core::{MacMode, Vrid};
use vrrp_host::{VrSetup, VrSpec};
use vrrp_port_kit::KernelIf;

use crate::abi::*;
use crate::links::Links;

/// The part of a virtual router's configuration that the host may be in the way of.
#[derive(Clone, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) interface: &'a str,
    pub(crate) vrid: Vrid,
    pub(crate) mac_mode: MacMode,
    pub(crate) replace_mac: bool,
    pub(crate) accept: bool,
    pub(crate) silent: bool,
    /// The addresses, each with the interface that it names.
    pub(crate) addresses: Vec<(IpAddr, Option<&'a str>)>,
}

impl<'a> Wish<'a> {
    pub(crate) fn of_spec(spec: &'a VrSpec) -> Self {
        let addresses = spec.addresses.iter();
        Self {
            interface: &spec.id.interface,
            vrid: spec.id.vrid,
            mac_mode: spec.settings.mac_mode,
            replace_mac: spec.replace_mac,
            accept: spec.settings.accept,
            silent: spec.silent,
            addresses: addresses
                .map(|a| (a.address.address, a.interface.as_deref()))
                .collect(),
        }
    }

    pub(crate) fn of_setup(setup: &'a VrSetup, interface: &'a str) -> Self {
        let addresses = setup.addresses.iter();
        Self {
            interface,
            vrid: setup.key.vrid,
            mac_mode: setup.mac_mode,
            replace_mac: setup.replace_mac,
            accept: setup.accept,
            silent: setup.silent,
            addresses: addresses
                .map(|(a, device)| (a.address, device.as_deref()))
                .collect(),
        }
    }

    /// Whether its MAC needs an interface of its own.
    fn wants_carrier(&self) -> bool {
        self.mac_mode == MacMode::Virtual && !self.replace_mac
    }
}

/// Whether the MAC of a virtual router needs an interface of its own. What it sends must never leave
/// by the interface below: the bridge would learn that the MAC is there, and keep to it.
pub(crate) fn wants_carrier(setup: &VrSetup) -> bool {
    setup.mac_mode == MacMode::Virtual && !setup.replace_mac
}

/// Every reason that there is now, each a sentence that says what to do. `kind` tells the type of an
/// interface, [`IFT_LAGG`] for a lagg, and `ours` the addresses that this port has installed.
pub(crate) fn refusals(
    links: &Links,
    wish: &Wish<'_>,
    kind: impl Fn(KernelIf) -> u8,
    ours: impl Fn(KernelIf, IpAddr) -> bool,
) -> Vec<String> {
    let mut reasons = Vec::new();
    let name = wish.interface;
    let is_elsewhere = |device: Option<&str>| device.is_some_and(|device| device != name);
    if !wish.accept && wish.addresses.iter().any(|(_, on)| is_elsewhere(*on)) {
        reasons.push("an address on another interface needs accept mode".into());
    }
    if wish.silent && !wish.accept {
        reasons.push("silent addresses need accept mode".into());
    }
    let on_loopback = |device: Option<&str>| {
        let index = device.and_then(|device| links.find(device));
        index.is_some_and(|index| links.is_loopback(index))
    };
    if wish.silent && wish.addresses.iter().any(|(_, on)| on_loopback(*on)) {
        reasons.push(
            "silent addresses are on the loopback by themselves: leave out its name before the \
             address, or silent"
                .into(),
        );
    }
    if let Some(index) = links.find(name) {
        if wish.wants_carrier()
            && let Some(why) = no_carrier(kind(index))
        {
            reasons.push(format!("{name} cannot carry a virtual MAC: {why}"));
        }
        if links.has_vhid(index, wish.vrid.get()) {
            reasons.push(format!(
                "{name} has a virtual host of carp with vhid {0}, which has the same MAC and number; \
                 remove it (ifconfig {name} vhid {0} ... -alias) or choose another VRID",
                wish.vrid
            ));
        }
    }
    for &(ip, device) in &wish.addresses {
        let on = device.unwrap_or(name);
        let index = links.find(on);
        let known = index.and_then(|index| Some((index, links.address(index, ip)?)));
        let Some((index, known)) = known else {
            continue;
        };
        let family = family_word(ip);
        if known.vhid != 0 {
            reasons.push(format!(
                "{on} has {ip} by carp, vhid {}: take it out of rc.conf and run \"ifconfig {on} \
                 {family} {ip} -alias\"",
                known.vhid
            ));
        } else if wish.wants_carrier() && !is_elsewhere(device) && !ours(index, ip) {
            reasons.push(format!(
                "{on} has {ip} already, and would answer with its own MAC: take it out of rc.conf \
                 and run \"ifconfig {on} {family} {ip} -alias\", or use useVMAC = no"
            ));
        }
    }
    reasons
}

/// Why no carrier of a virtual MAC can be made on an interface of this type. `None`: it can.
pub(crate) fn no_carrier(kind: u8) -> Option<&'static str> {
    match kind {
        IFT_ETHER => None,
        // ng_eiface(4) sends from a thread that is not in the network epoch, and these demand it.
        IFT_L2VLAN | IFT_LAGG | IFT_BRIDGE => Some(
            "the kernel's vlan, lagg and bridge interfaces panic, or worse, on frames from \
             ng_eiface; use useVMAC = replace or no",
        ),
        _ => Some("it is no Ethernet interface, which VRRP needs"),
    }
}

/// The word of ifconfig(8) for the family of an address.
fn family_word(ip: IpAddr) -> &'static str {
    match ip {
        IpAddr::V4(_) => "inet",
        IpAddr::V6(_) => "inet6",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::{Address, Item, Link};
    use vrrp_core::MacAddr;

    fn index(number: u32) -> KernelIf {
        KernelIf::new(number).unwrap()
    }

    fn link(number: u32, name: &str, kind: u8) -> Item {
        Item::Link(Link {
            name: name.into(),
            kind,
            flags: if name == "lo0" { IFF_LOOPBACK } else { 0 },
            mac: MacAddr([2, 0, 0, 0, 0, number as u8]),
            ..Link::new(index(number))
        })
    }

    fn address(number: u32, address: &str, vhid: u8) -> Item {
        Item::Address(Address {
            index: index(number),
            address: address.parse().unwrap(),
            prefix_len: 24,
            vhid,
        })
    }

    fn host() -> Links {
        Links::new([
            link(1, "em0", IFT_ETHER),
            address(1, "10.0.0.2", 0),
            address(1, "10.0.0.80", 0),
            address(1, "10.0.0.81", 7),
            link(2, "vlan5", IFT_L2VLAN),
            link(3, "lo0", 0x18),
            link(4, "lagg0", IFT_ETHER),
        ])
    }

    fn wish(interface: &'static str, vrid: u8, addresses: &[&str]) -> Wish<'static> {
        Wish {
            interface,
            vrid: Vrid::new(vrid).unwrap(),
            mac_mode: MacMode::Virtual,
            replace_mac: false,
            accept: true,
            silent: false,
            addresses: addresses
                .iter()
                .map(|a| (a.parse().unwrap(), None))
                .collect(),
        }
    }

    fn reasons(wish: &Wish<'_>) -> Vec<String> {
        let links = host();
        let kind = |at: KernelIf| match at.number() {
            4 => IFT_LAGG,
            _ => links.get(at).map_or(0, |link| link.kind),
        };
        refusals(&links, wish, kind, |_, _| false)
    }

    #[test]
    fn all_that_is_in_the_way_is_named_at_once() {
        assert!(reasons(&wish("em0", 1, &["10.0.0.90"])).is_empty());
        let all = reasons(&wish("em0", 7, &["10.0.0.80", "10.0.0.81", "10.0.0.90"]));
        assert_eq!(all.len(), 3, "{all:#?}");
        assert!(all[0].contains("carp with vhid 7"), "{all:#?}");
        assert!(all[1].contains("em0 has 10.0.0.80 already"), "{all:#?}");
        assert!(
            all[2].contains("em0 has 10.0.0.81 by carp, vhid 7"),
            "{all:#?}"
        );
    }

    #[test]
    fn the_type_of_the_interface_matters_to_a_carrier_alone() {
        for (interface, word) in [("vlan5", "vlan"), ("lagg0", "lagg"), ("lo0", "no Ethernet")] {
            let mut wish = wish(interface, 1, &["10.0.0.90"]);
            let all = reasons(&wish);
            assert_eq!(all.len(), 1, "{all:#?}");
            assert!(
                all[0].starts_with(interface) && all[0].contains(word),
                "{all:#?}"
            );
            wish.replace_mac = true;
            assert!(reasons(&wish).is_empty());
            wish.replace_mac = false;
            wish.mac_mode = MacMode::Interface;
            assert!(reasons(&wish).is_empty());
        }
        // It is not known yet what it will be.
        assert!(reasons(&wish("em9", 1, &["10.0.0.90"])).is_empty());
    }

    #[test]
    fn an_address_that_is_ours_or_served_with_the_own_mac_is_in_nobodys_way() {
        let links = host();
        let mut wish = wish("em0", 1, &["10.0.0.80"]);
        let ours = |at, ip: IpAddr| at == index(1) && ip.to_string() == "10.0.0.80";
        assert!(refusals(&links, &wish, |_| IFT_ETHER, ours).is_empty());
        wish.mac_mode = MacMode::Interface;
        assert!(reasons(&wish).is_empty());
        wish.addresses = vec![("10.0.0.81".parse().unwrap(), None)];
        assert_eq!(reasons(&wish).len(), 1);
        wish.addresses = vec![("10.0.0.90".parse().unwrap(), Some("vlan5"))];
        assert!(reasons(&wish).is_empty());
        wish.accept = false;
        assert_eq!(reasons(&wish).len(), 1);
    }

    #[test]
    fn silent_addresses_are_accepted_and_name_no_loopback() {
        let mut wish = wish("em0", 1, &["10.0.0.90"]);
        wish.silent = true;
        assert!(reasons(&wish).is_empty());
        wish.accept = false;
        assert!(reasons(&wish)[0].contains("need accept mode"));
        wish.accept = true;
        wish.addresses[0].1 = Some("lo0");
        assert!(reasons(&wish)[0].contains("on the loopback by themselves"));
        wish.silent = false;
        assert!(reasons(&wish).is_empty());
    }
}
