//! Removes what a dead process has left.

use std::io;
use std::net::IpAddr;

use vrrp_core::{Family, VirtualAddress};

use crate::abi::ND6_IFF_NO_DAD;
use crate::installer::Installer;
use crate::installer::is_gone;
use crate::ledger::{Entry, Leftover};
use crate::left_served::{installed, left_served};
use crate::links::Links;
use crate::names::{self, is_marked};
use crate::request;
use crate::sys;

/// Removes everything in the ledger that is still as it was left, then the ledger. What refuses to go
/// is tried by the next life again. Adds to `served` the addresses that were served, with the interface of
/// each.
pub(crate) fn clean(
    installer: &mut Installer,
    links: &Links,
    leftover: Leftover,
    served: &mut Vec<(String, IpAddr)>,
) -> io::Result<()> {
    served.extend(left_served(&leftover.entries, links, |carrier| {
        is_carrier_of(installer, carrier, &leftover.token)
    }));
    // With a bridge the way between the wire and the host is free at once; carriers follow, but for
    // those that are known by their place on it.
    let mut result = Ok(());
    let mut note = |removed: io::Result<()>| match removed {
        Err(error) if !is_gone(&error) && result.is_ok() => result = Err(error),
        _ => {}
    };
    for entry in &leftover.entries {
        if let Entry::Bridge { node } = entry {
            note(clean_unborn(installer, node, &leftover));
        }
        note(clean_entry(installer, links, entry, &leftover.token));
    }
    if result.is_ok() {
        leftover.discard();
    }
    result
}

/// Removes the carriers that bear the mark of a process which is dead, and whose ledger is lost.
pub(crate) fn sweep(
    installer: &mut Installer,
    links: &Links,
    place: &str,
    remarks: &mut Vec<String>,
) {
    let names: Vec<String> = links.all().map(|(link, _)| link.name.clone()).collect();
    let mut swept = 0;
    for name in names {
        let Some(node) = names::node_of(&name) else {
            continue;
        };
        let mark = installer
            .any_requester()
            .and_then(|fd| sys::description(fd, &name))
            .unwrap_or_default();
        let stray = names::token_of(&mark).is_some_and(|token| {
            token.starts_with(&format!("{place}-"))
                && !installer.ledger.is_known(token)
                && installer.ledger.is_ending(token)
        });
        if !stray {
            continue;
        }
        match clean_node(installer, &node, "eiface") {
            Ok(()) => swept += 1,
            Err(error) => remarks.push(format!("cannot remove {name}, a leftover: {error}")),
        }
    }
    if swept > 0 {
        remarks.push(format!(
            "removed what bears the marks of vrrpd and belongs to no running one: interfaces \
             of virtual MACs, {swept} in number"
        ));
    }
}

fn clean_entry(
    installer: &mut Installer,
    links: &Links,
    entry: &Entry,
    token: &str,
) -> io::Result<()> {
    match entry {
        Entry::Bridge { node } => clean_node(installer, node, "bridge"),
        Entry::Carrier { node } => {
            let carrier = names::carrier_of(node);
            match carrier.is_some_and(|(name, _)| is_carrier_of(installer, &name, token)) {
                true => clean_node(installer, node, "eiface"),
                false => Ok(()),
            }
        }
        Entry::Source { device } if installer.graph.open_if_there() => {
            installer.graph.restore_auto_source(device)
        }
        Entry::Source { .. } => Ok(()),
        Entry::Address { device, address } => {
            if installed(links, device, *address).is_none() {
                return Ok(());
            }
            let mut request = request::remove_address(device, *address)?;
            sys::ioctl(installer.requester(Family::of(*address))?, &mut request)
        }
        Entry::Route { address } => {
            let prefix_len = if address.is_ipv4() { 32 } else { 128 };
            let address = VirtualAddress {
                address: *address,
                prefix_len,
            };
            installer.blackhole(address, false)
        }
        Entry::Routing(route) => {
            let index = route.device.as_ref().map(|device| links.find(device));
            match index {
                // It went with its interface.
                Some(None) => Ok(()),
                index => installer.route(route, index.flatten(), false),
            }
        }
        Entry::Mac { device, old, new } => {
            let index = links.find(device);
            let mac = index.and_then(|index| links.get(index)).map(|l| l.mac);
            if mac != Some(*new) {
                return Ok(());
            }
            sys::ioctl(
                installer.any_requester()?,
                &mut request::set_mac(device, *old)?,
            )
        }
        Entry::Detection { device } => {
            let flags = installer.nd_flags(device)?;
            installer.set_nd_flags(device, flags & !ND6_IFF_NO_DAD)
        }
    }
}

/// Whether an interface bears the mark of the life with this token, or none yet.
fn is_carrier_of(installer: &Installer, name: &str, token: &str) -> bool {
    let mark = installer
        .any_requester()
        .and_then(|fd| sys::description(fd, name));
    is_marked(&mark.unwrap_or_default(), token)
}

/// Removes the carriers that were just being made when the process was killed.
fn clean_unborn(installer: &mut Installer, bridge: &str, leftover: &Leftover) -> io::Result<()> {
    if !installer.graph.open_if_there() {
        return Ok(());
    }
    let places = leftover.entries.iter().filter_map(|entry| match entry {
        Entry::Carrier { node } => names::birthplace(node),
        _ => None,
    });
    let places = places.filter(|(on, _)| on == bridge).map(|(_, hook)| hook);
    installer
        .graph
        .remove_unborn(bridge, &places.collect::<Vec<_>>())
}

fn clean_node(installer: &mut Installer, node: &str, kind: &str) -> io::Result<()> {
    if !installer.graph.open_if_there() {
        return Ok(());
    }
    match installer.graph.node_type(node)? {
        Some(found) if found == kind => installer.graph.shutdown(node),
        _ => Ok(()),
    }
}
