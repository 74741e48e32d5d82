//! Strays: removals that failed, and are tried again until they succeed.

use std::net::IpAddr;

use vrrp_core::Instant;
use vrrp_host::{PlatformError, PlatformWarning, Subject};
use vrrp_port_kit::{Served, Serving};

use crate::ledger::Entry;
use crate::netlink::{Address, OUR_PROTOCOL};
use crate::state::State;

/// Removals to be tried again.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    /// Addresses and routes that may be there and belong to no virtual router any more. Macvlans are
    /// known by their marks.
    served: Vec<Stray>,
    /// When to try again. `None`: nothing is left.
    due: Option<Instant>,
    /// A description of the stray.
    refused: Option<String>,
}

/// An address or a route that may be there.
#[derive(Debug)]
pub(crate) struct Stray {
    pub(crate) served: Served<Entry>,
    /// We installed it. Otherwise we tried, and do not know what became of that.
    certain: bool,
}

impl Stray {
    /// Whether it is there, is ours, and no virtual router serves it again.
    pub(crate) fn is_there(&self, state: &State) -> bool {
        let Self { served, certain } = self;
        let same = |other: &Served<Entry>| {
            let is_silent = |how| matches!(how, Serving::Silent { .. });
            other.entry == served.entry && is_silent(other.how) == is_silent(served.how)
        };
        if state.table.routers.served().any(same) {
            return false;
        }
        match served.how {
            Serving::Adopted => false,
            // The request that names it names no route but ours.
            Serving::Silent { route } => route,
            Serving::Installed => {
                let on_macvlan = state.is_macvlan(served.index);
                let ours = |known: &Address| match state.marks_addresses() {
                    true => known.protocol == OUR_PROTOCOL,
                    false => *certain || on_macvlan,
                };
                let ip = served.address.address;
                state.links.same_addresses(served.index, ip).any(ours)
            }
        }
    }
}

impl Strays {
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    pub(crate) fn are_there(&self) -> bool {
        self.due.is_some()
    }

    /// Tries again at `now`, if not before.
    pub(crate) fn look_at(&mut self, now: Instant) {
        self.due = Some(self.due.map_or(now, |due| due.min(now)));
    }

    /// Remembers a removal that was refused, to be tried again at `at` if not before.
    pub(crate) fn refuse(&mut self, error: &PlatformError, at: Instant) {
        self.refused = Some(error.to_string());
        self.look_at(at);
    }

    /// Takes what is to be removed: it is tried now.
    pub(crate) fn take(&mut self) -> Vec<Stray> {
        std::mem::take(&mut self.served)
    }

    /// Puts back what has refused to go.
    pub(crate) fn put_back(&mut self, stray: Stray) {
        self.served.push(stray);
    }

    /// Notes the result of a try. After an error there is another at `at`.
    pub(crate) fn tried(&mut self, result: &Result<(), PlatformError>, at: Instant) {
        self.due = result.is_err().then_some(at);
        self.refused = result.as_ref().err().map(ToString::to_string);
    }

    /// Remembers an address or a route that is to be removed. `error`: why it is still there.
    pub(crate) fn keep(&mut self, served: Served<Entry>, error: Option<&PlatformError>) {
        let certain = error.is_some();
        self.served.push(Stray { served, certain });
        self.look_at(Instant::default());
        if let Some(error) = error {
            self.refused = Some(error.to_string());
        }
    }

    /// Takes back that a blackhole route is to be removed. Returns whether it was.
    pub(crate) fn forget_route(&mut self, address: IpAddr) -> bool {
        let is_it = |Stray { served, .. }: &Stray| {
            matches!(served.how, Serving::Silent { .. }) && served.address.address == address
        };
        let before = self.served.len();
        self.served.retain(|stray| !is_it(stray));
        self.served.len() < before
    }

    /// A condition that holds while something refuses to go.
    pub(crate) fn warning(&self) -> Option<PlatformWarning> {
        let refused = self.refused.as_ref()?;
        Some(PlatformWarning {
            subject: Subject::Host,
            text: format!("{refused}; vrrpd tries it again each second"),
        })
    }
}
