//! The virtual addresses that are on the loopback at all times: those of virtual routers with
//! [`VrSetup::silent`](vrrp_host::VrSetup).
//!
//! There the kernel answers neither ARP (see `arp_ignore` in the table of sysctls) nor NS for them.
//! Those that are served are on the interface or the macvlan, too, as without this.
//!
//! An address whose connections are being reset is parked there, so that its clients can still be told
//! while the successor serves.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use vrrp_core::{Duration, Instant, VirtualAddress};
use vrrp_host::{PlatformWarning, Subject};

use crate::installer::Installer;
use crate::ledger::Entry;
use crate::netlink::{self, Address};
use crate::state::State;

/// The time to the first look whether the connections of parked addresses have been reset, and the longest
/// between two looks; each takes twice the time of the one before.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LAST_LOOK: Duration = Duration::from_millis(20);

/// How long silent addresses stay without their virtual routers: longer than the pause before another
/// worker is started.
const HOLD: Duration = Duration::from_secs(15);

/// The addresses that are on the loopback for virtual routers.
#[derive(Debug, Default)]
pub(crate) struct LoopbackAddresses {
    /// They may not be those that the virtual routers want.
    doubtful: bool,
    /// Addresses that were given up, and whose connections are being reset.
    parked: BTreeSet<IpAddr>,
    /// When to look whether that has been done.
    look_at: Option<Instant>,
    /// The time from the look before that to this one.
    pause: Duration,
    /// Until when silent addresses stay whose virtual routers were released.
    held_until: Option<Instant>,
    /// The addresses that we put there.
    installed: BTreeSet<IpAddr>,
    /// The error of the last attempt. `None`: they are as they should be.
    failed: Option<String>,
}

impl LoopbackAddresses {
    /// Notes that other addresses may be wanted, or that one may have gone.
    pub(crate) fn doubt(&mut self) {
        self.doubtful = true;
    }

    /// Keeps addresses here that are given up. A link-local one, which is of one link, is left out.
    pub(crate) fn park(&mut self, addresses: impl Iterator<Item = IpAddr>, now: Instant) {
        let of_link = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let before = self.parked.len();
        self.parked.extend(addresses.filter(|ip| !of_link(ip)));
        if self.parked.len() > before {
            self.doubtful = true;
            self.pause = FIRST_LOOK;
            self.look_at = Some(now + self.pause);
        }
    }

    /// Whether addresses that were given up are here.
    pub(crate) fn is_parking(&self) -> bool {
        !self.parked.is_empty()
    }

    /// When to call [`look`](Self::look) or [`end_hold`](Self::end_hold).
    pub(crate) fn due(&self) -> Option<Instant> {
        self.look_at.into_iter().chain(self.held_until).min()
    }

    /// Notes that silent addresses stay for a while without their virtual routers.
    pub(crate) fn hold(&mut self, now: Instant) {
        self.held_until = Some(now + HOLD);
    }

    /// Whether that while has ended by now, which is told once.
    pub(crate) fn end_hold(&mut self, now: Instant) -> bool {
        self.held_until.take_if(|until| *until <= now).is_some()
    }

    /// Gives parked addresses up, if `done` with them and it is time to look.
    pub(crate) fn look(&mut self, now: Instant, done: impl FnOnce() -> bool) {
        if self.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.pause = LAST_LOOK.min(self.pause + self.pause);
        self.look_at = Some(now + self.pause);
        if done() {
            self.give_up_parked();
        }
    }

    /// Gives parked addresses up.
    pub(crate) fn give_up_parked(&mut self) {
        self.parked.clear();
        self.look_at = None;
        self.doubtful = true;
    }

    /// Notes what a notice says of an address: one of ours may be gone.
    pub(crate) fn note_gone(&mut self, address: &Address) {
        self.doubtful |= self.installed.contains(&address.address);
    }

    /// Tries again what has failed.
    pub(crate) fn retry(&mut self) {
        self.doubtful |= self.failed.is_some();
    }

    /// Adds and removes addresses so that those are there that virtual routers want, where that may
    /// have changed. An address that was there before us stays when it is wanted no more. What fails
    /// is a warning until it succeeds.
    pub(crate) fn tidy(&mut self, state: &State, installer: &mut Installer) {
        if !std::mem::take(&mut self.doubtful) {
            return;
        }
        self.failed = self.apply(state, installer).err();
    }

    fn apply(&mut self, state: &State, installer: &mut Installer) -> Result<(), String> {
        let silent = state.table.routers.silent_addresses();
        let wanted: BTreeSet<IpAddr> = silent.chain(self.parked.iter().copied()).collect();
        if wanted.is_empty() && self.installed.is_empty() {
            return Ok(());
        }
        let Some(link) = state.links.loopback() else {
            return Err("cannot find the loopback interface for silent addresses".into());
        };
        let (index, name) = (link.index, link.name.as_str());
        let gone: Vec<IpAddr> = self.installed.difference(&wanted).copied().collect();
        let missing =
            |ip: &IpAddr| !self.installed.contains(ip) || !state.links.has_address(index, *ip);
        let new: Vec<IpAddr> = wanted.iter().copied().filter(missing).collect();
        // Those that are there too: the note goes when a virtual router is released and its address held.
        let noted = installer
            .ledger
            .add(wanted.iter().map(|ip| entry(name, *ip)));
        noted.map_err(|error| format!("cannot note the silent addresses: {error}"))?;
        let answers = installer.netlink.perform_each(|to| {
            for ip in &gone {
                netlink::loopback_address(to, index, *ip, false);
            }
            for ip in &new {
                netlink::loopback_address(to, index, *ip, true);
            }
        });
        let mut result = Ok(());
        let changes = gone.iter().map(|ip| (ip, false));
        let changes = changes.chain(new.iter().map(|ip| (ip, true)));
        for ((ip, add), answer) in changes.zip(answers) {
            let errno = answer.as_ref().map_err(io::Error::raw_os_error);
            match (add, errno) {
                (false, Ok(()) | Err(Some(libc::EADDRNOTAVAIL | libc::ENODEV))) => {
                    self.installed.remove(ip);
                    // If the ledger cannot be written the next life finds the address gone.
                    let _ = installer.ledger.remove(&entry(name, *ip));
                }
                (true, Ok(())) => drop(self.installed.insert(*ip)),
                (true, Err(Some(libc::EEXIST))) => {
                    let mut known = state.links.same_addresses(index, *ip);
                    if self.installed.contains(ip) || known.any(|a| state.is_ours(a)) {
                        self.installed.insert(*ip);
                    } else {
                        // Somebody else put it there, and it stays.
                        let _ = installer.ledger.remove(&entry(name, *ip));
                    }
                }
                (_, Err(_)) => {
                    let verb = if add { "add" } else { "remove" };
                    let failed =
                        |why| format!("cannot {verb} {ip}, which is silent, on {name}: {why}");
                    result = result.and(answer.map_err(failed));
                }
            }
        }
        result
    }

    /// Appends what keeps silent addresses from being reached.
    pub(crate) fn warnings(&self, state: &State, list: &mut Vec<PlatformWarning>) {
        let mut warn = |text| {
            list.push(PlatformWarning {
                subject: Subject::Host,
                text,
            });
        };
        if let Some(failed) = &self.failed {
            warn(format!("{failed}; vrrpd tries it again each second"));
        }
        if !self.installed.is_empty()
            && let Some(link) = state
                .links
                .loopback()
                .filter(|l| !state.links.is_up(l.index))
        {
            let name = &link.name;
            warn(format!(
                "{name} is down, so that nobody reaches the silent addresses: ip link set {name} up"
            ));
        }
    }
}

/// The entry of an address on the loopback.
fn entry(device: &str, address: IpAddr) -> Entry {
    let prefix_len = match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    };
    let address = VirtualAddress {
        address,
        prefix_len,
    };
    Entry::address(device, address)
}
