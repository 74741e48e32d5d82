//! Changes the kernel, and notes what has to be undone.

use std::io;

use vrrp_core::{Duration, Instant};
use vrrp_host::PlatformError;

use crate::ledger::Ledger;
use crate::netlink::Netlink;
use crate::strays::Strays;
use crate::sys;

/// The time between two tries of a removal that failed.
pub(crate) const PAUSE: Duration = Duration::from_secs(1);

/// Changes the kernel, and notes what has to be undone.
#[derive(Debug)]
pub(crate) struct Installer {
    pub(crate) netlink: Netlink,
    pub(crate) ledger: Ledger,
    /// Removals that have failed.
    pub(crate) strays: Strays,
}

impl Installer {
    pub(crate) fn new(netlink: Netlink, ledger: Ledger) -> Self {
        Self {
            netlink,
            ledger,
            strays: Strays::default(),
        }
    }

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
                let now = Instant::from_micros(sys::monotonic_us());
                self.strays.refuse(&refused, now + PAUSE);
                Err(refused.error)
            }
            Ok(()) => Ok(()),
        }
    }
}
