//! Leases: virtual addresses that the kernel itself removes, unless they are renewed.
//!
//! An address of a vrrpd that is frozen or was killed, in a container without a supervisor above all, stays
//! in the kernel and answers ARP beside its successor's. With a lease it has a lifetime (IFA_CACHEINFO)
//! that the parent renews as long as the worker answers.
//!
//! Addresses that are on the loopback alone have none: no neighbour is answered for them.

use std::io;

use vrrp_core::{Duration, Instant};
use vrrp_host::{PlatformWarning, Subject};
use vrrp_port_kit::Serving;

use super::Network;
use crate::netlink::{self, Address};
use crate::sys;

/// The lease of the addresses that are installed.
#[derive(Debug, Default)]
pub(super) struct Leases {
    /// The lifetime in seconds. `None`: the addresses stay until they are removed.
    seconds: Option<u32>,
    /// The time of the last renewal.
    renewed: Instant,
    /// The error of the last renewal, and the address.
    failed: Option<String>,
}

impl Leases {
    /// The lifetime of an address that is installed now.
    pub(super) fn seconds(&self) -> Option<u32> {
        self.seconds
    }

    /// Appends what kept addresses from being renewed.
    pub(super) fn warnings(&self, list: &mut Vec<PlatformWarning>) {
        list.extend(self.failed.iter().map(|failed| PlatformWarning {
            subject: Subject::Host,
            text: format!("{failed}; the kernel removes it when its lease ends"),
        }));
    }
}

impl Network {
    /// Gives the installed addresses, and those to come, this lease.
    pub(crate) fn set_lease(&mut self, seconds: Option<u32>) {
        if std::mem::replace(&mut self.leases.seconds, seconds) != seconds {
            self.leases.renewed = Instant::from_micros(sys::monotonic_us());
            self.renew_each();
        }
    }

    /// Renews the leases, if a third of their time has gone.
    ///
    /// # Errors
    /// The addresses cannot be listed.
    pub(crate) fn renew_leases(&mut self) -> io::Result<()> {
        let Some(seconds) = self.leases.seconds else {
            return Ok(());
        };
        let lease = Duration::from_secs(seconds.into());
        let third = Duration::from_millis(u64::from(seconds) * 1_000 / 3);
        let now = Instant::from_micros(sys::monotonic_us());
        let elapsed = now.since(self.leases.renewed);
        if elapsed < third {
            return Ok(());
        }
        self.leases.renewed = now;
        // The kernel makes an address that is not there: none that has gone meanwhile may come back so,
        // when this process was frozen and another host serves.
        let listed = match elapsed < lease {
            true => self.take_notices(),
            false => self.resync(),
        };
        self.renew_each();
        listed
    }

    fn renew_each(&mut self) {
        let (state, seconds) = (&self.state, self.leases.seconds);
        let served = state.table.routers.served();
        let installed = served.filter(|served| served.how == Serving::Installed);
        let known: Vec<Address> = installed
            .filter_map(|served| {
                let mut same = state
                    .links
                    .same_addresses(served.index, served.address.address);
                same.find(|known| state.is_ours(known)).copied()
            })
            .collect();
        let answers = self.installer.netlink.perform_each(|to| {
            for address in &known {
                netlink::renew_address(to, address, seconds);
            }
        });
        let mut failed = known.iter().zip(answers).filter_map(|(known, answer)| {
            let error = answer.err()?;
            // With its interface it is gone, too, which a notice says.
            (error.raw_os_error() != Some(libc::ENODEV)).then(|| {
                let (ip, device) = (known.address, self.state.link_label(known.index));
                format!("cannot renew address {ip} of {device}: {error}")
            })
        });
        self.leases.failed = failed.next();
    }
}
