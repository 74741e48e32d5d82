//! The options -i, -4 and -6 of vrrpctl: the part of an answer that is wanted.

use std::collections::BTreeSet;
use std::fmt;

use vrrp_control::{Answer, Family, Record};

/// The virtual routers that are wanted; all of them where nothing is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those on this interface.
    pub interface: Option<String>,
    /// Those of this family.
    pub family: Option<Family>,
}

impl Filter {
    /// Whether all are wanted.
    pub const fn is_empty(&self) -> bool {
        self.interface.is_none() && self.family.is_none()
    }

    /// Whether a virtual router of this family on this interface is wanted.
    pub fn fits(&self, interface: &str, family: Family) -> bool {
        self.is_on(interface) && self.family.is_none_or(|wanted| wanted == family)
    }

    fn is_on(&self, interface: &str) -> bool {
        let wanted = self.interface.as_ref();
        wanted.is_none_or(|wanted| wanted == interface)
    }

    /// Whether a record is wanted: where virtual routers, an interface or a family are named, one that is
    /// about them. `vrids`: those of these VRIDs, or all if there are none.
    pub fn wants(&self, vrids: &[u8], record: &Record) -> bool {
        let (vrid, interface, family) = record.about();
        let vrid = vrids.is_empty() || vrid.is_some_and(|vrid| vrids.contains(&vrid));
        let interface = self.interface.is_none() || interface.is_some_and(|i| self.is_on(i));
        let family = self.family.is_none() || family == self.family;
        vrid && interface && family
    }

    /// Leaves of an answer what is wanted. False: it had virtual routers of this host, and none of
    /// them is.
    pub fn apply(&self, answer: &mut Answer) -> bool {
        match answer {
            Answer::Status(status) => {
                let routers = &mut status.virtual_routers;
                routers.retain(|r| self.fits(&r.interface, r.family));
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
                routers.retain(|r| self.fits(&r.interface, r.family));
                stats.interfaces.retain(|name, _| self.is_on(name));
                self.is_empty() || !routers.is_empty()
            }
            // An interface need not have a master of anything.
            Answer::Who(seen) => {
                seen.retain(|s| self.fits(&s.interface, s.family));
                true
            }
            _ => true,
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = self.interface.as_deref();
        match (interface, self.family) {
            (Some(interface), Some(family)) => write!(f, "on {interface} ({family})"),
            (Some(interface), None) => write!(f, "on {interface}"),
            (None, Some(family)) => write!(f, "of {family}"),
            (None, None) => f.write_str("at all"),
        }
    }
}
