//! Strays: removals that failed, and are tried again until they succeed.

use std::io;
use std::net::IpAddr;
use vrrp_port_kit::{KernelIf, Served, Serving};

use vrrp_core::{Duration, Instant};
use vrrp_host::{PlatformError, PlatformWarning, Subject};

use crate::ledger::Entry;
use crate::netlink::{self, Address, OUR_PROTOCOL};
use crate::platform::LinuxPlatform;

/// The time between two tries.
const PAUSE: Duration = Duration::from_secs(1);

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

#[derive(Debug)]
struct Stray {
    served: Served<Entry>,
    /// We installed it. Otherwise we tried, and do not know what became of that.
    certain: bool,
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

impl LinuxPlatform {
    /// Has a removal tried again that failed. What is gone is no error.
    pub(crate) fn retry_removal(
        &mut self,
        result: io::Result<()>,
        what: impl FnOnce() -> String,
    ) -> io::Result<()> {
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            Err(error) => {
                let refused = PlatformError::new(what(), error);
                self.strays.refused = Some(refused.to_string());
                let now = vrrp_host::Platform::now(self);
                self.strays.look_at(now + PAUSE);
                Err(refused.error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// Removes what should be gone. After an error it is tried again.
    pub(crate) fn remove_strays(&mut self) -> Result<(), PlatformError> {
        let result = self.try_to_remove_strays();
        let now = vrrp_host::Platform::now(self);
        self.strays.due = result.is_err().then(|| now + PAUSE);
        self.strays.refused = result.as_ref().err().map(ToString::to_string);
        result
    }

    fn try_to_remove_strays(&mut self) -> Result<(), PlatformError> {
        let listed = self.resync();
        listed.map_err(|error| PlatformError::new("list the interfaces", error))?;
        let mut result = self.remove_stray_links();
        for stray in std::mem::take(&mut self.strays.served) {
            if !self.is_stray(&stray) {
                continue;
            }
            match self.give_up(&stray.served) {
                // A note that stays finds nothing to remove in the next life.
                Ok(()) => drop(self.ledger.remove(&stray.served.entry)),
                Err(error) => {
                    self.strays.served.push(stray);
                    result = result.and(Err(error));
                }
            }
        }
        result.and(self.restore_sysctls())
    }

    /// Removes macvlans of this life that no virtual router has, and closes those that should be.
    fn remove_stray_links(&mut self) -> Result<(), PlatformError> {
        let mut result = Ok(());
        let ours = self.links.iter().filter(|l| self.is_of_this_life(l));
        let ours: Vec<(KernelIf, String)> =
            ours.map(|link| (link.index, link.name.clone())).collect();
        for (index, name) in ours {
            let key = self.macvlans.get(&index);
            let on = key
                .and_then(|key| self.routers.get(key))
                .map(|router| router.mac_on);
            if self.janitor.has(index) || on == Some(true) {
                continue;
            }
            let (what, done) = match on {
                None => (
                    format!("remove {name}"),
                    self.netlink.perform(|to| netlink::delete_link(to, index)),
                ),
                Some(_) if self.links.is_up(index) => (
                    format!("set {name} down"),
                    self.netlink
                        .perform(|to| netlink::link_flags(to, index, false)),
                ),
                Some(_) => continue,
            };
            if let Err(error) = done
                && error.raw_os_error() != Some(libc::ENODEV)
            {
                result = result.and(Err(PlatformError::new(what, error)));
            }
        }
        result
    }

    /// Whether it is there, is ours, and no virtual router serves it again.
    fn is_stray(&self, Stray { served, certain }: &Stray) -> bool {
        let same = |other: &Served<Entry>| {
            let is_silent = |how| matches!(how, Serving::Silent { .. });
            other.entry == served.entry && is_silent(other.how) == is_silent(served.how)
        };
        let mut others = self
            .routers
            .values()
            .flat_map(|router| router.served.iter());
        if others.any(same) {
            return false;
        }
        match served.how {
            Serving::Adopted => false,
            // What names it names no route but ours.
            Serving::Silent { route } => route,
            Serving::Installed => {
                let on_macvlan = self.macvlans.contains_key(&served.index);
                let ours = |known: &Address| match self.marks_addresses {
                    true => known.protocol == OUR_PROTOCOL,
                    false => *certain || on_macvlan,
                };
                let mut known = self
                    .links
                    .same_addresses(served.index, served.address.address);
                known.any(ours)
            }
        }
    }
}
