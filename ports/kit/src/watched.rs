//! Interfaces that the host watches: they come and go, and have another number when they come back.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use vrrp_core::{Family, InterfaceState};
use vrrp_host::{HostIf, Incoming, PlatformError};

use crate::kernel_if::KernelIf;

/// The sockets of one interface that is there. All memberships end with them.
pub trait InterfaceSockets {
    /// The number of the error of an interface that does not exist.
    const NO_INTERFACE: i32;

    /// The kernel's index of the interface.
    fn index(&self) -> KernelIf;

    /// Joins or leaves the group of a family; to be asked twice is no error.
    fn set_group(&mut self, family: Family, on: bool) -> io::Result<()> {
        self.set_membership(family.group(), on)
    }

    /// Joins or leaves any group; to be asked twice is no error.
    fn set_membership(&mut self, group: IpAddr, on: bool) -> io::Result<()>;
}

/// An interface that the host watches, whether it exists or not.
#[derive(Debug)]
pub struct Watched<S> {
    /// Its name.
    pub name: String,
    /// `None` while the interface does not exist.
    pub sockets: Option<S>,
    /// The groups that the host wants joined, to be joined again when the interface returns.
    groups: [bool; 2],
    /// Other groups that are joined.
    others: BTreeSet<IpAddr>,
    /// The state that the host was told last.
    reported: Option<InterfaceState>,
    /// It went, and the host has not been told.
    departed: bool,
}

impl<S: InterfaceSockets> Watched<S> {
    /// Not there yet.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            sockets: None,
            groups: [false; 2],
            others: BTreeSet::new(),
            reported: None,
            departed: false,
        }
    }

    /// The kernel's index of the interface, while it is there.
    pub fn index(&self) -> Option<KernelIf> {
        self.sockets.as_ref().map(InterfaceSockets::index)
    }

    /// Joins or leaves the group of a family, now and whenever the interface returns.
    pub fn set_group(&mut self, family: Family, on: bool) -> Result<(), PlatformError> {
        self.groups[family as usize] = on;
        let result = match &mut self.sockets {
            Some(sockets) => sockets.set_group(family, on),
            None => Ok(()),
        };
        result.map_err(|error| PlatformError::new(group_change(family, on, &self.name), error))
    }

    /// Whether the host wants the group of a family joined.
    pub fn wants_group(&self, family: Family) -> bool {
        self.groups[family as usize]
    }

    /// Joins these groups beside those of the families, and leaves every other one.
    ///
    /// # Errors
    /// A group cannot be joined. The others are.
    pub fn join_others(&mut self, wanted: &BTreeSet<IpAddr>) -> Result<(), PlatformError> {
        let Some(sockets) = &mut self.sockets else {
            return Ok(());
        };
        for group in self.others.difference(wanted) {
            // It ends with the sockets at the latest.
            let _ = sockets.set_membership(*group, false);
        }
        self.others.retain(|group| wanted.contains(group));
        let mut result = Ok(());
        for group in wanted {
            if self.others.contains(group) {
                continue;
            }
            match sockets.set_membership(*group, true) {
                Ok(()) => {
                    self.others.insert(*group);
                }
                Err(error) => {
                    let what = format!("join {group} on {}", self.name);
                    result = Err(PlatformError::new(what, error));
                }
            }
        }
        result
    }

    /// The interface is there. What is returned are the groups that cannot be joined: IPv6 may be
    /// off on it, which is no reason to be deaf to IPv4.
    pub fn arrive(&mut self, mut sockets: S) -> Vec<Family> {
        let wanted = [Family::Ipv4, Family::Ipv6]
            .into_iter()
            .filter(|f| self.groups[*f as usize]);
        let refused = wanted.filter(|family| sockets.set_group(*family, true).is_err());
        let refused = refused.collect();
        self.sockets = Some(sockets);
        self.others.clear();
        refused
    }

    /// The interface is gone, or has another name.
    pub fn depart(&mut self) {
        self.departed |= self.sockets.take().is_some();
        self.others.clear();
    }

    /// Tells the host the state of the interface, unless it knows. A departure is told first, even
    /// when the interface is back already: everything on it has to be done again.
    pub fn report(
        &mut self,
        host_if: HostIf,
        state: InterfaceState,
        sink: &mut dyn FnMut(Incoming<'_>),
    ) {
        let departed = std::mem::take(&mut self.departed).then(InterfaceState::default);
        for state in departed.into_iter().chain([state]) {
            if self.reported != Some(state) {
                self.reported = Some(state);
                sink(Incoming::Interface { host_if, state });
            }
        }
    }

    /// Whether the host was told last that the interface is up.
    pub fn is_known_up(&self) -> bool {
        self.reported.is_some_and(|reported| reported.up)
    }
}

/// The error of joining or leaving a group on an interface that is not watched.
pub(crate) fn unwatched(host_if: HostIf, family: Family, on: bool) -> PlatformError {
    let what = group_change(family, on, &format!("interface {host_if}"));
    PlatformError::new(what, io::ErrorKind::NotFound.into())
}

fn group_change(family: Family, on: bool, interface: &str) -> String {
    let verb = if on { "join" } else { "leave" };
    format!("{verb} {} on {interface}", family.group())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sockets of an interface whose kernel has no IPv6.
    #[derive(Debug, Default)]
    struct Ipv4Only {
        joined: bool,
    }

    impl InterfaceSockets for Ipv4Only {
        const NO_INTERFACE: i32 = 6;

        fn index(&self) -> KernelIf {
            KernelIf::new(3).unwrap()
        }

        fn set_membership(&mut self, group: IpAddr, on: bool) -> io::Result<()> {
            let family = Family::of(group);
            match family {
                Family::Ipv4 => self.joined = on,
                Family::Ipv6 => return Err(io::ErrorKind::Unsupported.into()),
            }
            Ok(())
        }
    }

    fn told(watched: &mut Watched<Ipv4Only>, state: InterfaceState) -> Vec<bool> {
        let mut told = Vec::new();
        watched.report(HostIf::new(700), state, &mut |incoming| match incoming {
            Incoming::Interface { host_if, state } => {
                assert_eq!(host_if, HostIf::new(700));
                told.push(state.up);
            }
            other => panic!("{other:?}"),
        });
        told
    }

    #[test]
    fn a_departure_is_told_even_when_the_interface_is_back() {
        let up = InterfaceState {
            up: true,
            ..InterfaceState::default()
        };
        let mut watched = Watched::new("a0");
        assert_eq!(told(&mut watched, InterfaceState::default()), [false]);
        watched.arrive(Ipv4Only::default());
        assert_eq!(watched.index(), KernelIf::new(3));
        assert_eq!(told(&mut watched, up), [true]);
        assert_eq!(told(&mut watched, up), []);
        watched.depart();
        watched.arrive(Ipv4Only::default());
        assert_eq!(told(&mut watched, up), [false, true]);
        watched.depart();
        assert_eq!(told(&mut watched, InterfaceState::default()), [false]);
    }

    #[test]
    fn groups_are_joined_again_as_far_as_they_can_be() {
        let mut watched = Watched::new("a0");
        assert!(!watched.wants_group(Family::Ipv4));
        watched.set_group(Family::Ipv4, true).unwrap();
        assert!(watched.wants_group(Family::Ipv4));
        watched.set_group(Family::Ipv6, true).unwrap();
        assert_eq!(watched.arrive(Ipv4Only::default()), [Family::Ipv6]);
        assert!(watched.sockets.as_ref().unwrap().joined);
        let error = watched.set_group(Family::Ipv6, true).unwrap_err();
        assert!(error.to_string().contains("join ff02::12 on a0"), "{error}");
        watched.set_group(Family::Ipv4, false).unwrap();
        watched.depart();
        watched.arrive(Ipv4Only::default());
        assert!(!watched.sockets.as_ref().unwrap().joined);
    }

    /// Sockets that note the groups they are members of, and know no more than two.
    #[derive(Debug, Default)]
    struct Few(BTreeSet<IpAddr>);

    impl InterfaceSockets for Few {
        const NO_INTERFACE: i32 = 6;

        fn index(&self) -> KernelIf {
            KernelIf::new(3).unwrap()
        }

        fn set_membership(&mut self, group: IpAddr, on: bool) -> io::Result<()> {
            if on && self.0.len() >= 2 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            match on {
                true => self.0.insert(group),
                false => self.0.remove(&group),
            };
            Ok(())
        }
    }

    #[test]
    fn other_groups_are_joined_and_left_as_they_are_wanted() {
        let wanted = |list: &[&str]| -> BTreeSet<IpAddr> {
            list.iter().map(|group| group.parse().unwrap()).collect()
        };
        let mut watched: Watched<Few> = Watched::new("a0");
        let two = wanted(&["224.0.0.99", "ff02::99"]);
        // There is no interface yet: it is joined when there is.
        watched.join_others(&two).unwrap();
        assert_eq!(watched.arrive(Few::default()), []);
        let joined = |watched: &Watched<Few>| watched.sockets.as_ref().unwrap().0.clone();
        watched.join_others(&two).unwrap();
        assert_eq!(joined(&watched), two);
        // One is left before another one is joined, and what cannot be joined has its name in the error.
        let other = wanted(&["224.0.0.98", "ff02::99"]);
        watched.join_others(&other).unwrap();
        assert_eq!(joined(&watched), other);
        let three = wanted(&["224.0.0.98", "224.0.0.97", "ff02::99"]);
        let error = watched.join_others(&three).unwrap_err();
        assert!(
            error.to_string().contains("join 224.0.0.97 on a0"),
            "{error}"
        );
        // An interface that comes back has joined none.
        watched.depart();
        assert_eq!(watched.arrive(Few::default()), []);
        watched.join_others(&two).unwrap();
        assert_eq!(joined(&watched), two);
    }
}
