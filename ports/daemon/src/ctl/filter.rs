//! The options -i, -4 and -6 of vrrpctl, VRIDs and names: the part of an answer that is wanted.

use std::collections::BTreeSet;
use std::fmt;

use vrrp_control::{Answer, Family, Record, Status, VirtualRouter};

/// The virtual routers that are wanted; all of them where nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those on this interface.
    pub interface: Option<String>,
    /// Those of this family.
    pub family: Option<Family>,
    /// Those of these VRIDs, or of the names.
    pub vrids: Vec<u8>,
    /// Those of these names, or of the VRIDs.
    pub names: Vec<String>,
}

impl Filter {
    /// Whether all are wanted.
    pub const fn is_empty(&self) -> bool {
        self.interface.is_none() && self.family.is_none() && self.names_all()
    }

    /// Whether no VRID and no name is given.
    pub const fn names_all(&self) -> bool {
        self.vrids.is_empty() && self.names.is_empty()
    }

    /// Whether a virtual router is wanted.
    pub fn fits(&self, vrid: u8, name: Option<&str>, interface: &str, family: Family) -> bool {
        let by_name = || name.is_some_and(|name| self.names.iter().any(|one| one == name));
        let named = self.names_all() || self.vrids.contains(&vrid) || by_name();
        named && self.is_on(interface) && self.family.is_none_or(|wanted| wanted == family)
    }

    /// Whether this virtual router is wanted, by its own name or by that of its group.
    pub fn fits_router(&self, router: &VirtualRouter) -> bool {
        let group = router.group.as_ref().map(|group| group.name.as_str());
        self.fits_itself(router) || self.fits(router.vrid, group, &router.interface, router.family)
    }

    /// Whether this virtual router is wanted, by its own name.
    fn fits_itself(&self, router: &VirtualRouter) -> bool {
        let name = router.name.as_deref();
        self.fits(router.vrid, name, &router.interface, router.family)
    }

    fn is_on(&self, interface: &str) -> bool {
        let wanted = self.interface.as_ref();
        wanted.is_none_or(|wanted| wanted == interface)
    }

    /// Whether a record is wanted: where virtual routers, an interface or a family are named, one that is
    /// about them.
    pub fn wants(&self, record: &Record) -> bool {
        let (vrid, interface, family) = record.about();
        let by_name = record
            .name()
            .is_some_and(|name| self.names.iter().any(|n| n == name));
        let by_number = vrid.is_some_and(|vrid| self.vrids.contains(&vrid));
        let named = self.names_all() || by_name || by_number;
        let interface = self.interface.is_none() || interface.is_some_and(|i| self.is_on(i));
        let family = self.family.is_none() || family == self.family;
        named && interface && family
    }

    /// Whether a VRID or a name that is given is one of this host, or of what is left of the answer: a
    /// master elsewhere, or a record of the past.
    pub fn is_known(&self, status: &Status, answer: &Answer) -> bool {
        let mut here = status.virtual_routers.iter();
        let in_answer = match answer {
            Answer::Who(seen) => !seen.is_empty(),
            Answer::Log(log) => !log.records.is_empty(),
            _ => false,
        };
        // Masters and records do not tell of groups.
        self.names_all() || in_answer || here.any(|router| self.fits_itself(router))
    }

    /// Leaves of an answer what is wanted. False: it had virtual routers of this host, and none of
    /// them is.
    pub fn apply(&self, answer: &mut Answer) -> bool {
        match answer {
            Answer::Status(status) => {
                let routers = &mut status.virtual_routers;
                routers.retain(|router| self.fits_router(router));
                if !self.is_empty() {
                    let used = routers.iter().flat_map(|r| &r.checks);
                    let used: BTreeSet<&str> = used.map(|used| used.name.as_str()).collect();
                    status
                        .checks
                        .retain(|check| used.contains(check.name.as_str()));
                }
                self.is_empty() || !routers.is_empty()
            }
            Answer::Stats(stats) => {
                let routers = &mut stats.virtual_routers;
                routers.retain(|r| self.fits(r.vrid, r.name.as_deref(), &r.interface, r.family));
                let all = self.names_all();
                stats.interfaces.retain(|name, _| all && self.is_on(name));
                self.is_empty() || !routers.is_empty()
            }
            // An interface need not have a master of anything.
            Answer::Who(seen) => {
                seen.retain(|s| self.fits(s.vrid, s.name.as_deref(), &s.interface, s.family));
                true
            }
            _ => true,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let vrids = self.vrids.iter().map(|vrid| format!("VRID {vrid} "));
        let names = self.names.iter().map(|name| format!("{name} "));
        let words: Vec<String> = vrids.chain(names).collect();
        f.write_str(&words.join("or "))?;
        let interface = self.interface.as_deref();
        match (interface, self.family) {
            (Some(interface), Some(family)) => write!(f, "on {interface} ({family})"),
            (Some(interface), None) => write!(f, "on {interface}"),
            (None, Some(family)) => write!(f, "of {family}"),
            (None, None) if words.is_empty() => f.write_str("at all"),
            (None, None) => f.write_str("here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vrrp_control::{Group, Log, Notice, Seen};

    #[test]
    fn vrids_and_names_choose_any_of_them() {
        let router = |vrid, name: Option<&str>, interface: &str| VirtualRouter {
            vrid,
            name: name.map(str::to_owned),
            interface: interface.to_owned(),
            ..VirtualRouter::default()
        };
        let mut member = router(2, None, "eth0");
        member.group = Some(Group {
            name: "gateway".into(),
            ..Group::default()
        });
        let all = Status {
            virtual_routers: vec![
                router(1, Some("web"), "eth0"),
                member,
                router(2, Some("mail"), "eth1"),
            ],
            ..Status::default()
        };
        let left = |filter: &Filter| {
            let mut answer = Answer::Status(all.clone());
            let found = filter.apply(&mut answer);
            let Answer::Status(status) = answer else {
                panic!("another answer");
            };
            assert_eq!(found, !status.virtual_routers.is_empty());
            let routers = status.virtual_routers.iter();
            let left: Vec<String> = routers
                .map(|r| format!("{}{}", r.interface, r.vrid))
                .collect();
            left.join(" ")
        };
        let by = |vrids: &[u8], names: &[&str], interface: Option<&str>| Filter {
            vrids: vrids.to_vec(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            interface: interface.map(str::to_owned),
            family: None,
        };
        assert_eq!(left(&by(&[], &[], None)), "eth01 eth02 eth12");
        assert_eq!(left(&by(&[2], &["web"], None)), "eth01 eth02 eth12");
        assert_eq!(left(&by(&[2], &[], None)), "eth02 eth12");
        assert_eq!(left(&by(&[2], &[], Some("eth1"))), "eth12");
        assert_eq!(left(&by(&[], &["web"], Some("eth1"))), "");
        assert_eq!(left(&by(&[], &["gateway"], None)), "eth02");
        assert_eq!(left(&by(&[], &["gateway", "web"], None)), "eth01 eth02");
        let nobody = by(&[9], &["dns"], Some("eth1"));
        assert_eq!(left(&nobody), "");
        assert_eq!(nobody.to_string(), "VRID 9 or dns on eth1");
    }

    #[test]
    fn a_vrid_is_known_here_or_elsewhere_or_of_old() {
        let status = Status {
            virtual_routers: vec![VirtualRouter {
                vrid: 1,
                group: Some(Group {
                    name: "gateway".into(),
                    ..Group::default()
                }),
                ..VirtualRouter::default()
            }],
            ..Status::default()
        };
        let by_group = Filter {
            names: vec!["gateway".into()],
            ..Filter::default()
        };
        let by = |vrid| Filter {
            vrids: vec![vrid],
            ..Filter::default()
        };
        let log = |records| {
            Answer::Log(Log {
                records,
                ..Log::default()
            })
        };
        for (nothing, something) in [
            (Answer::Who(vec![]), Answer::Who(vec![Seen::default()])),
            (log(vec![]), log(vec![Record::Notice(Notice::default())])),
        ] {
            assert!(by(1).is_known(&status, &nothing));
            assert!(!by(9).is_known(&status, &nothing));
            assert!(!by_group.is_known(&status, &nothing));
            assert!(by(9).is_known(&status, &something));
            assert!(Filter::default().is_known(&Status::default(), &nothing));
        }
    }
}
