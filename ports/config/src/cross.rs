//! Checks of sections against each other.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use vrrp_core::{Family, MAX_TRACKS, TrackEffect, Vrid};
use vrrp_host::{MAX_INTERFACES, MAX_VIRTUAL_ROUTERS, TrackSpec, Tracked, VrId};

use super::VirtualRouter;
use super::diagnostic::Report;
use super::keys::Key;
use super::vrid::VridSection;

/// Joins the sections: judges them against each other and turns `vridsdep` into tracked objects.
pub(super) fn join(sections: Vec<VridSection>, report: &mut Report) -> Vec<VirtualRouter> {
    let unclear = sections.iter().any(|section| section.failed);
    let mut depended = Vec::new();
    let mut routers = Vec::new();
    for section in sections {
        for router in section.virtual_routers {
            depended.push(Depended {
                id: router.spec.id.clone(),
                section_line: router.section_line,
                line: router.lines.of_key(Key::VridsDep),
                dependents: section.dependents.clone(),
            });
            routers.push(router);
        }
    }
    used_once(&routers, report);
    named_once(&routers, report);
    addresses_once(&routers, report);
    second_paths(&routers, report);
    route_sources(&routers, report);
    // A section that could not be read may be the one that is depended on.
    if !unclear {
        depend(&mut routers, &depended, report);
    }
    alone(&routers, report);
    limits(&routers, report);
    routers
}

/// A VRID exists once on an interface in each family.
fn used_once(routers: &[VirtualRouter], report: &mut Report) {
    let mut first: HashMap<&VrId, usize> = HashMap::new();
    for router in routers {
        let id = &router.spec.id;
        let line = router.lines.of_key(Key::ServerId);
        if let Some(before) = first.get(id) {
            let message = format!(
                "expected each VRID once on an interface, found {id} again, first in {}",
                report.place(*before)
            );
            report.error(line, Some(Key::ServerId.name()), message);
        } else {
            first.insert(id, line);
        }
    }
}

/// A name means one section: the virtual routers of both families that it makes, and no others.
fn named_once(routers: &[VirtualRouter], report: &mut Report) {
    let mut first: HashMap<&str, &VirtualRouter> = HashMap::new();
    for router in routers {
        let Some(name) = router.spec.id.name.as_deref() else {
            continue;
        };
        let before = *first.entry(name).or_insert(router);
        if before.section_line != router.section_line {
            let message = format!(
                "expected each name once, found `{name}` again, first in {}",
                report.place(before.lines.of_key(Key::Name))
            );
            report.error(
                router.lines.of_key(Key::Name),
                Some(Key::Name.name()),
                message,
            );
        }
    }
}

/// The kernel takes no route from an address that is on no interface, as one that is not accepted.
fn route_sources(routers: &[VirtualRouter], report: &mut Report) {
    for router in routers {
        for source in router.route_sources() {
            let has = |r: &&VirtualRouter| r.all_addresses().any(|a| a.address.address == source);
            let takes =
                |r: &VirtualRouter| r.spec.settings.accept || r.spec.settings.priority.is_owner();
            let mut owners = routers.iter().filter(has);
            let Some(first) = owners.next() else {
                continue;
            };
            if !takes(first) && !owners.any(takes) {
                let message = format!(
                    "expected `src` to be an address that this host takes packets for, found `{source}` of {}, which has `accept = no`: use `accept = yes` there, or leave `src` out",
                    first.spec.id
                );
                let line = router.lines.of_key(Key::Route);
                report.error_once(line, Some(Key::Route.name()), message);
            }
        }
    }
}

/// An address belongs to one virtual router: two could be Active on different hosts.
fn addresses_once(routers: &[VirtualRouter], report: &mut Report) {
    let mut first: HashMap<IpAddr, Vec<(&str, &VirtualRouter)>> = HashMap::new();
    for router in routers {
        for spec in router.all_addresses() {
            let address = spec.address.address;
            let place = spec
                .interface
                .as_deref()
                .unwrap_or(&router.spec.id.interface);
            let places = first.entry(address).or_default();
            let taken = places.iter().find(|(other, _)| *other == place);
            // Link-local addresses are distinct on distinct links.
            let elsewhere = places
                .first()
                .filter(|_| !matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()));
            let place_of =
                |router: &VirtualRouter| router.lines.of_key(router.key_of_address(address));
            let line = place_of(router);
            let key = Some(router.key_of_address(address).name());
            if let Some((_, other)) = taken {
                // The same virtual router again: said already.
                if other.spec.id != router.spec.id {
                    let message = format!(
                        "expected each address in one virtual router, found `{address}` of {} again, first in {}",
                        other.spec.id,
                        report.place(place_of(other))
                    );
                    report.error(line, key, message);
                }
            } else if let Some((_, other)) = elsewhere {
                let message = format!(
                    "`{address}` belongs to {} too, in {}",
                    other.spec.id,
                    report.place(place_of(other))
                );
                report.warning(line, key, message);
            }
            places.push((place, router));
        }
    }
}

/// On a second path the VRID is used by no virtual router, and by the copies of one.
fn second_paths(routers: &[VirtualRouter], report: &mut Report) {
    let ids: HashSet<&VrId> = routers.iter().map(|router| &router.spec.id).collect();
    let mut first: HashMap<VrId, usize> = HashMap::new();
    for router in routers {
        let Some(interface) = &router.spec.heartbeat else {
            continue;
        };
        let id = &router.spec.id;
        let copy = VrId {
            interface: interface.clone(),
            name: None,
            ..id.clone()
        };
        let line = router.lines.of_key(Key::Heartbeat);
        let key = Some(Key::Heartbeat.name());
        if ids.contains(&copy) {
            let message = format!(
                "expected an interface on which no virtual router has this VRID, found `{interface}`, where {copy} is"
            );
            report.error(line, key, message);
        } else if let Some(before) = first.get(&copy) {
            let message = format!(
                "expected one virtual router with a VRID on each second path, found `{interface}` again for VRID {}, first in {}",
                id.vrid,
                report.place(*before)
            );
            report.error(line, key, message);
        } else {
            first.insert(copy, line);
        }
    }
}

/// A virtual router and the VRIDs that its section's `vridsdep` names.
struct Depended {
    id: VrId,
    section_line: usize,
    line: usize,
    dependents: Vec<Vrid>,
}

/// `vridsdep = 2` in the section of VRID 1 holds VRID 2 back while VRID 1's interface fails.
fn depend(routers: &mut [VirtualRouter], depended: &[Depended], report: &mut Report) {
    let mut said = HashSet::new();
    for one in depended {
        for vrid in &one.dependents {
            let mut found = false;
            for router in routers.iter_mut().filter(|router| {
                router.spec.id.vrid == *vrid && router.section_line != one.section_line
            }) {
                found = true;
                if fits(one, depended, router.spec.id.family) {
                    hold_back(router, &one.id);
                }
            }
            if !found && said.insert((one.line, *vrid)) {
                let message = format!("expected the serverid of another section, found `{vrid}`");
                report.error(one.line, Some(Key::VridsDep.name()), message);
            }
        }
    }
}

/// Whether a virtual router of `family` depends on `one` rather than on the other of its section:
/// it is of the same family, or there is no other.
fn fits(one: &Depended, depended: &[Depended], family: Family) -> bool {
    let other_fits = depended
        .iter()
        .any(|other| other.section_line == one.section_line && other.id.family == family);
    one.id.family == family || !other_fits
}

fn hold_back(router: &mut VirtualRouter, depended: &VrId) {
    let track = TrackSpec {
        what: Tracked::VirtualRouter(depended.clone()),
        effect: TrackEffect::Fault,
    };
    if !router.spec.tracks.contains(&track) {
        router.spec.tracks.push(track);
    }
}

/// A virtual MAC that replaces the interface's own leaves no room for another.
fn alone(routers: &[VirtualRouter], report: &mut Report) {
    for router in routers.iter().filter(|r| r.spec.replace_mac) {
        let id = &router.spec.id;
        let other = routers
            .iter()
            .find(|o| o.spec.id != *id && o.spec.id.interface == id.interface);
        if let Some(other) = other {
            let message = format!(
                "`replace` allows one virtual router, of one family, on {}, found {} too",
                id.interface, other.spec.id
            );
            let line = router.lines.of_key(Key::UseVmac);
            report.error(line, Some(Key::UseVmac.name()), message);
        }
    }
}

fn limits(routers: &[VirtualRouter], report: &mut Report) {
    for router in routers {
        let count = router.spec.tracks.len();
        if count > MAX_TRACKS {
            let message = format!(
                "{} depends on {count} interfaces, virtual routers and checks, expected at most {MAX_TRACKS}",
                router.spec.id
            );
            report.error(router.section_line, None, message);
        }
    }
    if routers.len() > MAX_VIRTUAL_ROUTERS {
        let message = format!(
            "expected at most {MAX_VIRTUAL_ROUTERS} virtual routers, found {}",
            routers.len()
        );
        report.error(0, None, message);
    }
    let interfaces: HashSet<&str> = routers
        .iter()
        .map(|r| r.spec.id.interface.as_str())
        .collect();
    if interfaces.len() > MAX_INTERFACES {
        let message = format!(
            "expected virtual routers on at most {MAX_INTERFACES} interfaces, found {}",
            interfaces.len()
        );
        report.error(0, None, message);
    }
}
