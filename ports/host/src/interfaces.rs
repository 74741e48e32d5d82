//! Interfaces by name and by the number that the engine knows them under.

use std::collections::{BTreeMap, HashMap};

use vrrp_core::{DropReason, Family, InterfaceState};

use crate::host_if::HostIf;

/// The watched interfaces. Numbers go up and are never used again.
#[derive(Debug, Default)]
pub(crate) struct Interfaces {
    table: BTreeMap<HostIf, Interface>,
    numbers: HashMap<String, HostIf>,
    last: u32,
}

/// A watched interface.
#[derive(Debug)]
pub(crate) struct Interface {
    pub(crate) name: String,
    pub(crate) state: InterfaceState,
    /// Its state was reported at least once.
    pub(crate) reported: bool,
    /// The engine knows it, because virtual routers are or were on it.
    pub(crate) in_engine: bool,
    drops: [u64; DropReason::ALL.len()],
}

impl Interface {
    /// Whether a virtual router of this family has something to advertise from and with.
    pub(crate) fn serves(&self, family: Family) -> bool {
        self.state.up
            && match family {
                Family::Ipv4 => self.state.ipv4.is_some(),
                Family::Ipv6 => self.state.ipv6.is_some(),
            }
    }

    pub(crate) fn count_drop(&mut self, reason: DropReason) {
        if let Some(count) = self.drops.get_mut(reason as usize) {
            *count += 1;
        }
    }

    /// The reasons that occurred, and how often.
    pub(crate) fn drops(&self) -> Vec<(DropReason, u64)> {
        let counts = DropReason::ALL.iter().copied().zip(self.drops);
        counts.filter(|&(_, count)| count > 0).collect()
    }
}

impl Interfaces {
    /// Gives `name` a number, if it has none. Whether it is new.
    pub(crate) fn add(&mut self, name: &str) -> (HostIf, bool) {
        if let Some(&host_if) = self.numbers.get(name) {
            return (host_if, false);
        }
        self.last += 1;
        let host_if = HostIf::new(self.last);
        let interface = Interface {
            name: name.to_owned(),
            state: InterfaceState::default(),
            reported: false,
            in_engine: false,
            drops: [0; DropReason::ALL.len()],
        };
        self.table.insert(host_if, interface);
        self.numbers.insert(name.to_owned(), host_if);
        (host_if, true)
    }

    pub(crate) fn remove(&mut self, host_if: HostIf) {
        if let Some(interface) = self.table.remove(&host_if) {
            self.numbers.remove(&interface.name);
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<HostIf> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn get(&self, host_if: HostIf) -> Option<&Interface> {
        self.table.get(&host_if)
    }

    pub(crate) fn get_mut(&mut self, host_if: HostIf) -> Option<&mut Interface> {
        self.table.get_mut(&host_if)
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Interface> {
        self.get(self.number(name)?)
    }

    /// The name of an interface; empty when it is not watched.
    pub(crate) fn name(&self, host_if: HostIf) -> &str {
        self.get(host_if).map_or("", |interface| &interface.name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (HostIf, &Interface)> {
        self.table
            .iter()
            .map(|(&host_if, interface)| (host_if, interface))
    }
}
