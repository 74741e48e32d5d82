//! One virtual router of the file, with the places of its keys.

use std::net::IpAddr;
use std::time::Duration;

use vrrp_host::{AddressSpec, RoutingItem, VrSpec};

use crate::check::Use;
use crate::keys::Key;
use crate::lexer::Section;
use crate::script::Script;
use crate::script_security::ScriptUser;

/// One virtual router of the file. A section with addresses of both families makes two.
///
/// Two are equal when they ask for the same, wherever in a file they stand.
#[derive(Clone, Debug)]
pub struct VirtualRouter {
    /// The settings of the protocol.
    pub spec: VrSpec,
    /// Runs when this host has become master and the addresses are in place.
    pub master_script: Option<Script>,
    /// Runs when this host is not master any more, and at a start as backup.
    pub backup_script: Option<Script>,
    /// Runs when the virtual router cannot take part.
    pub fault_script: Option<Script>,
    /// Runs when vrrpd stops or the virtual router is taken out of the file.
    pub stop_script: Option<Script>,
    /// Runs before this host takes over from a master that is well.
    pub prepare_script: Option<Script>,
    /// Runs when this host stays master and another master has given way.
    pub reclaim_script: Option<Script>,
    /// Runs at every change of state, with the arguments that keepalived gives.
    pub notify_script: Option<Script>,
    /// How long a script may run.
    pub script_timeout: Duration,
    /// How long `prepare_script` may run.
    pub prepare_timeout: Duration,
    /// Whether a script that has failed is run again, until it succeeds or the state changes.
    pub script_retry: bool,
    /// The user that its scripts run as. `None`: the user of vrrpd.
    pub script_user: Option<ScriptUser>,
    /// The checks that it names.
    pub(crate) checks: Vec<Use>,
    /// The line of its `[VRID]`.
    pub section_line: usize,
    /// Where its keys stand, for messages.
    pub(crate) lines: Lines,
}

impl VirtualRouter {
    /// Its addresses, and those that follow it.
    pub(crate) fn all_addresses(&self) -> impl Iterator<Item = &AddressSpec> {
        self.spec.addresses.iter().chain(&self.spec.followers)
    }

    /// The addresses that its routes have as `src`.
    pub(crate) fn route_sources(&self) -> impl Iterator<Item = IpAddr> {
        self.spec.routing.iter().filter_map(|item| match item {
            RoutingItem::Route(route) => route.source,
            RoutingItem::Rule(_) => None,
        })
    }

    /// The key that gives it an address: `addr`, or `extra`.
    pub(crate) fn key_of_address(&self, address: IpAddr) -> Key {
        let unadvertised = self.spec.settings.unadvertised.into();
        let mut extra = self.spec.addresses.iter().rev().take(unadvertised);
        let followers = &self.spec.followers;
        let is_follower = || followers.iter().any(|spec| spec.address.address == address);
        match extra.any(|spec| spec.address.address == address) || is_follower() {
            true => Key::Extra,
            false => Key::Addr,
        }
    }
}

impl PartialEq for VirtualRouter {
    fn eq(&self, other: &Self) -> bool {
        let Self {
            spec,
            master_script,
            backup_script,
            fault_script,
            stop_script,
            prepare_script,
            reclaim_script,
            notify_script,
            script_timeout,
            prepare_timeout,
            script_retry,
            script_user,
            // Those of `spec` say the same.
            checks: _,
            section_line: _,
            lines: _,
        } = self;
        *spec == other.spec
            && *master_script == other.master_script
            && *backup_script == other.backup_script
            && *fault_script == other.fault_script
            && *stop_script == other.stop_script
            && *prepare_script == other.prepare_script
            && *reclaim_script == other.reclaim_script
            && *notify_script == other.notify_script
            && *script_timeout == other.script_timeout
            && *prepare_timeout == other.prepare_timeout
            && *script_retry == other.script_retry
            && *script_user == other.script_user
    }
}

impl Eq for VirtualRouter {}

/// The lines of a section's keys.
#[derive(Clone, Debug)]
pub(crate) struct Lines {
    section: usize,
    keys: Vec<(Key, usize)>,
}

impl Lines {
    pub(crate) fn new(section: &Section<'_>) -> Self {
        Self {
            section: section.line,
            keys: section.entries.iter().map(|e| (e.key, e.line)).collect(),
        }
    }

    /// Notes the line from which a key has its value where the section does not have it.
    pub(crate) fn or_default(mut self, key: Key, line: Option<usize>) -> Self {
        self.keys.extend(line.map(|line| (key, line)));
        self
    }

    /// The line of a key, or of the section when it does not have it.
    pub(crate) fn of_key(&self, key: Key) -> usize {
        self.keys
            .iter()
            .find(|(k, _)| *k == key)
            .map_or(self.section, |(_, line)| *line)
    }
}
