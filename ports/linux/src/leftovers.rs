//! Removes what a dead process has left: what its ledger says, and where there is none, whatever
//! bears our marks.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use vrrp_core::VirtualAddress;
use vrrp_host::RoutingItem;
use vrrp_port_kit::KernelIf;

use crate::instances::Instance;
use crate::ledger::{self, Entry, Leftover};
use crate::links::Links;
use crate::names::{self, ALIAS, link_alias, link_group};
use crate::netlink::{self, Address, Event, Link, Netlink, OUR_PROTOCOL, Requests};
use crate::network::gone;
use crate::sys;
use crate::sysctl::apply::restore;

/// Removes what ledgers name and what bears our marks. What there is to say is added to `remarks`.
/// Returns the addresses that were served, with the interface of each, or without where it is not known.
pub(crate) fn clean_all(
    netlink: &mut Netlink,
    leftovers: Vec<Leftover>,
    living: &[Instance],
    remarks: &mut Vec<String>,
) -> Vec<(String, IpAddr)> {
    let failed = |error| format!("cannot clean up after a crash wholly: {error}");
    let mut served = Vec::new();
    for leftover in leftovers {
        if let Err(error) = clean(netlink, leftover, &mut served) {
            remarks.push(failed(error));
        }
    }
    match sweep(netlink, living) {
        Ok(swept) => remarks.extend(swept.remarks()),
        Err(error) => remarks.push(failed(error)),
    }
    served
}

/// The addresses on the macvlans of a life: it was master with them. An address on a macvlan is in no
/// ledger, as it goes with that.
fn on_macvlans(links: &Links, alias: &str) -> Vec<(String, IpAddr)> {
    let mut served = Vec::new();
    for link in links.iter().filter(|link| link.alias == alias) {
        let parent = names::parent(&link.name).and_then(|parent| links.get(parent));
        let Some(parent) = parent else { continue };
        let addresses = links.addresses().filter(|a| a.index == link.index);
        served.extend(addresses.map(|a| (parent.name.clone(), a.address)));
    }
    served
}

/// Removes everything in the ledger that still bears our mark, then the ledger. What refuses to go
/// is tried by the next life again.
fn clean(
    netlink: &mut Netlink,
    leftover: Leftover,
    served: &mut Vec<(String, IpAddr)>,
) -> io::Result<()> {
    let alias = link_alias(&leftover.token);
    served.extend(on_macvlans(&list(netlink)?, &alias));
    // Its macvlans at once, which is far quicker than one by one. No link but its own is in its
    // group; where there is none this is refused, and those that it had not marked yet follow.
    let group = link_group(&leftover.token);
    let _ = netlink.perform(|to| netlink::delete_group(to, group));
    let links = list(netlink)?;
    let marks = marks_addresses(&sys::kernel_release());
    let mut result = Ok(());
    for entry in &leftover.entries {
        let removed = match entry {
            Entry::Link { name, mac } => {
                let link = links.find(name).and_then(|index| links.get(index));
                // It was killed between making the link and marking it, if there is no mark.
                let ours = |link: &&Link| {
                    link.kind == "macvlan"
                        && link.mac == *mac
                        && (link.alias == alias || link.alias.is_empty() && link.group == group)
                };
                match link.filter(ours) {
                    Some(link) => remove(netlink, |to| netlink::delete_link(to, link.index)),
                    None => Ok(()),
                }
            }
            Entry::Address {
                device,
                address,
                prefix_len,
            } => {
                let index = links.find(device);
                let known = links.addresses().find(|known| {
                    // Without marks the prefix has to tell it from one that the host has by itself.
                    let ours = match marks {
                        true => known.protocol == OUR_PROTOCOL,
                        false => [*prefix_len, 32].contains(&known.prefix_len),
                    };
                    Some(known.index) == index && known.address == *address && ours
                });
                match known {
                    Some(known) => {
                        served.push((device.clone(), *address));
                        remove(netlink, |to| {
                            let address = VirtualAddress {
                                address: known.address,
                                prefix_len: known.prefix_len,
                            };
                            netlink::address(to, known.index, address, false);
                        })
                    }
                    None => Ok(()),
                }
            }
            // The route's protocol is part of the request: no route but ours fits it. An address that is not
            // accepted is on no interface, and its route is there while it is served.
            Entry::Route { address } => {
                match netlink.perform(|to| netlink::blackhole(to, *address, false)) {
                    Ok(()) => {
                        served.push((String::new(), *address));
                        Ok(())
                    }
                    failed => gone(failed),
                }
            }
            Entry::Routing(item) => {
                let device = match item {
                    RoutingItem::Route(route) => route.device.as_ref(),
                    RoutingItem::Rule(_) => None,
                };
                let index = device.map(|device| links.find(device));
                match index {
                    // It went with its interface.
                    Some(None) => Ok(()),
                    index => gone(netlink.perform(|to| {
                        netlink::item(to, item, index.flatten(), false);
                    })),
                }
            }
            Entry::Setting {
                device,
                name,
                old,
                new,
            } => match links.find(device) {
                Some(index) => restore(netlink, (index, device), name, old, new),
                None => Ok(()),
            },
        };
        result = result.and(removed);
    }
    if result.is_ok() {
        leftover.discard();
    }
    result
}

/// The result of a [`sweep`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Swept {
    macvlans: usize,
    addresses: usize,
    routes: usize,
    rules: usize,
    /// There are marked addresses, routes or rules, and a running platform whose ledger cannot be read.
    unsure: bool,
}

impl Swept {
    /// Remarks for the log.
    fn remarks(&self) -> Vec<String> {
        let parts = [
            (self.macvlans, "macvlan"),
            (self.addresses, "address"),
            (self.routes, "route"),
            (self.rules, "rule"),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(many, _)| *many > 0)
            .map(|(many, what)| match (many, what) {
                (1, what) => format!("1 {what}"),
                (many, "address") => format!("{many} addresses"),
                (many, what) => format!("{many} {what}s"),
            })
            .collect();
        let mut remarks = Vec::new();
        if !parts.is_empty() {
            remarks.push(format!(
                "removed what bears the marks of vrrpd and belongs to no running one: {}",
                parts.join(", ")
            ));
        }
        if self.unsure {
            remarks.push(
                "left addresses, routes or rules that bear the marks of vrrpd: another one runs in this \
                 network namespace, and its ledger cannot be read from here"
                    .into(),
            );
        }
        remarks
    }
}

/// Removes what bears our marks in this network namespace and belongs to none of the `living`: the
/// ledger that named it is lost. A macvlan bears the token of its process; addresses and routes
/// belong to the living whose ledgers name them. Where one of these cannot be read they all stay.
fn sweep(netlink: &mut Netlink, living: &[Instance]) -> io::Result<Swept> {
    let mut swept = Swept::default();
    let links = list(netlink)?;
    let aliases: Vec<String> = living.iter().map(|i| link_alias(&i.token)).collect();
    let groups: Vec<u32> = living.iter().map(|i| link_group(&i.token)).collect();
    let of_living = |link: &Link| {
        aliases.contains(&link.alias) || link.alias.is_empty() && groups.contains(&link.group)
    };
    let (kept, stray): (Vec<&Link>, Vec<&Link>) = links
        .iter()
        .filter(|l| is_marked(l))
        .partition(|l| of_living(l));
    // All of one life at once.
    let of_dead: BTreeSet<u32> = stray
        .iter()
        .filter_map(|link| Some(link_group(link.alias.strip_prefix(ALIAS)?)))
        .collect();
    for group in of_dead {
        let _ = netlink.perform(|to| netlink::delete_group(to, group));
    }
    for link in &stray {
        remove(netlink, |to| netlink::delete_link(to, link.index))?;
        swept.macvlans += 1;
    }

    // Everything that is listed by now has been noted before, and the ledgers are read after it.
    let on_macvlan = |index: KernelIf| {
        let mut ours = kept.iter().chain(&stray);
        ours.any(|link| link.index == index)
    };
    // An address or a route on a macvlan of ours goes or stays with it.
    let marked = links.addresses().filter(|a| a.protocol == OUR_PROTOCOL);
    let addresses: Vec<&Address> = marked.filter(|a| !on_macvlan(a.index)).collect();
    let mut routes = marked_items(
        netlink,
        [netlink::dump_routes_ipv4, netlink::dump_routes_ipv6],
    )?;
    let rules = marked_items(
        netlink,
        [netlink::dump_rules_ipv4, netlink::dump_rules_ipv6],
    )?;
    routes.retain(|route| !netlink::route_device(route).is_some_and(on_macvlan));
    let noted: Option<Vec<BTreeSet<Entry>>> = living
        .iter()
        .map(|i| ledger::entries_of(i.directory.as_ref()?, &i.token))
        .collect();
    let Some(noted) = noted else {
        swept.unsure = !addresses.is_empty() || !routes.is_empty() || !rules.is_empty();
        return Ok(swept);
    };
    let is_noted = |is: &dyn Fn(&Entry) -> bool| noted.iter().flatten().any(is);
    for known in addresses {
        let is = |entry: &Entry| match entry {
            Entry::Address { address, .. } => *address == known.address,
            _ => false,
        };
        if !is_noted(&is) {
            let address = VirtualAddress {
                address: known.address,
                prefix_len: known.prefix_len,
            };
            remove(netlink, |to| {
                netlink::address(to, known.index, address, false)
            })?;
            swept.addresses += 1;
        }
    }
    for route in &routes {
        let network = netlink::route_network(route);
        let is = |entry: &Entry| match entry {
            Entry::Route { address } => network.is_some_and(|(to, _)| to == *address),
            Entry::Routing(RoutingItem::Route(route)) => {
                network == Some((route.to.address, route.to.prefix_len))
            }
            _ => false,
        };
        if !is_noted(&is) {
            remove(netlink, |to| netlink::delete_route(to, route))?;
            swept.routes += 1;
        }
    }
    for rule in &rules {
        let priority = netlink::rule_priority(rule);
        let is = |entry: &Entry| matches!(entry, Entry::Routing(RoutingItem::Rule(rule)) if Some(rule.priority) == priority);
        if !is_noted(&is) {
            remove(netlink, |to| netlink::delete_rule(to, rule))?;
            swept.rules += 1;
        }
    }
    Ok(swept)
}

/// Whether a link is a macvlan that a platform made, in whichever life: by its alias, or while it
/// has none yet by what it was born with.
pub(crate) fn is_marked(link: &Link) -> bool {
    let unborn = || {
        link.alias.is_empty() && names::is_group(link.group) && names::is_ours(&link.name, link.mac)
    };
    link.kind == "macvlan" && (link.alias.starts_with(ALIAS) || unborn())
}

fn list(netlink: &mut Netlink) -> io::Result<Links> {
    let mut links = Links::default();
    for ask in [netlink::dump_links, netlink::dump_addresses] {
        for event in netlink.dump(ask)? {
            links.apply(event);
        }
    }
    Ok(links)
}

/// The routes or rules that bear our mark, as dumps tell them.
pub(crate) fn marked_items(
    netlink: &mut Netlink,
    asks: [fn(&mut Requests); 2],
) -> io::Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for ask in asks {
        let events = match netlink.dump(ask) {
            // A kernel without the family, or without rules.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::EOPNOTSUPP | libc::EAFNOSUPPORT)
                ) =>
            {
                continue;
            }
            other => other?,
        };
        found.extend(events.into_iter().filter_map(|event| match event {
            Event::Route(one) | Event::Rule(one) => Some(one),
            _ => None,
        }));
    }
    Ok(found)
}

/// Has something removed that may be gone meanwhile.
fn remove(netlink: &mut Netlink, fill: impl FnOnce(&mut Requests)) -> io::Result<()> {
    match netlink.perform(fill) {
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ENODEV | libc::ESRCH | libc::ENOENT | libc::EADDRNOTAVAIL)
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// Whether a kernel keeps the mark on addresses (IFA_PROTO, since 5.18).
pub(crate) fn marks_addresses(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next()?.parse::<u32>().ok();
    (number(), number()) >= (Some(5), Some(18))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_bear_marks_since_5_18() {
        for (release, marks) in [
            ("5.17.9", false),
            ("5.18.0-rc1", true),
            ("6.1.0-18-amd64", true),
            ("4.19", false),
            ("10.0", true),
            ("?", false),
        ] {
            assert_eq!(marks_addresses(release), marks, "{release}");
        }
    }
}
