//! The virtual addresses that are on lo0 at all times: those of virtual routers with
//! [`VrSetup::silent`](vrrp_host::VrSetup).
//!
//! The kernel answers ARP and NS for addresses of the interface that the request came by alone, so that
//! nobody is answered for them. Those that are served are on their interface, too, as without this.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use vrrp_core::Family;
use vrrp_host::{PlatformWarning, Subject};

use crate::installer::{Installer, is_gone};
use crate::ledger::Entry;
use crate::request;
use crate::state::State;
use crate::sys;

/// The addresses that are on the loopback for virtual routers.
#[derive(Debug, Default)]
pub(crate) struct LoopbackAddresses {
    /// The addresses that we put there.
    installed: BTreeSet<IpAddr>,
    /// The error of the last attempt. `None`: they are as they should be.
    failed: Option<String>,
}

impl LoopbackAddresses {
    /// Adds and removes addresses so that those are there that virtual routers want. An address that was
    /// there before us stays when it is wanted no more. What fails is a warning until it succeeds.
    pub(crate) fn tidy(&mut self, state: &mut State, installer: &mut Installer) {
        self.failed = self.apply(state, installer).err();
    }

    fn apply(&mut self, state: &mut State, installer: &mut Installer) -> Result<(), String> {
        let wanted: BTreeSet<IpAddr> = state.table.routers.silent_addresses().collect();
        if wanted.is_empty() && self.installed.is_empty() {
            return Ok(());
        }
        let link = state.links.loopback();
        let link = link.ok_or("cannot find the loopback interface for silent addresses")?;
        let (index, name) = (link.index, link.name.clone());
        let mut result = Ok(());
        for ip in self
            .installed
            .difference(&wanted)
            .copied()
            .collect::<Vec<_>>()
        {
            match change(installer, &name, ip, false) {
                Ok(()) => {
                    self.installed.remove(&ip);
                    state.links.removed(index, ip);
                }
                Err(why) => result = Err(why),
            }
        }
        // The note may have gone when a virtual router was released and its address held.
        let kept = self.installed.intersection(&wanted);
        let notes = kept.map(|ip| Entry::Address {
            device: name.clone(),
            address: *ip,
        });
        let noted = installer.ledger.add(notes.collect::<Vec<_>>());
        noted.map_err(|error| format!("cannot note the silent addresses: {error}"))?;
        for ip in wanted {
            // One that is there and not by us stays as it is.
            if state.links.address(index, ip).is_some() {
                continue;
            }
            match change(installer, &name, ip, true) {
                Ok(()) => {
                    self.installed.insert(ip);
                    state.links.added(index, ip);
                }
                Err(why) => result = Err(why),
            }
        }
        result
    }

    /// Whether none is there by us.
    pub(crate) fn is_empty(&self) -> bool {
        self.installed.is_empty()
    }

    /// Appends what keeps silent addresses from being reached.
    pub(crate) fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        if let Some(failed) = &self.failed {
            list.push(PlatformWarning {
                subject: Subject::Host,
                text: format!("{failed}; vrrpd tries it again every few seconds"),
            });
        }
    }
}

/// Adds an address to the loopback, noted before, or removes it and then the note.
fn change(installer: &mut Installer, device: &str, ip: IpAddr, add: bool) -> Result<(), String> {
    let entry = Entry::Address {
        device: device.into(),
        address: ip,
    };
    let mut changed = || -> io::Result<()> {
        let mut request = match add {
            true => {
                installer.ledger.add([entry.clone()])?;
                request::add_address(device, ip)?
            }
            false => request::remove_address(device, ip)?,
        };
        match sys::ioctl(installer.requester(Family::of(ip))?, &mut request) {
            Err(error) if !add && is_gone(&error) => {}
            // For IPv6 it means that another interface has the address, and that it was not added.
            Err(error) if add && ip.is_ipv4() && error.raw_os_error() == Some(libc::EEXIST) => {}
            other => other?,
        }
        if !add {
            installer.ledger.remove(&entry)?;
        }
        Ok(())
    };
    let verb = if add { "add" } else { "remove" };
    changed().map_err(|why| format!("cannot {verb} {ip}, which is silent, on {device}: {why}"))
}
