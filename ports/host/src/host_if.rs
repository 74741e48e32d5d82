//! The number by which a host and its platform know an interface.

use std::borrow::Borrow;
use std::fmt;

use vrrp_core::{Family, VrKey, Vrid};

/// The host's handle of an interface that it watches.
///
/// It stays the same when the interface goes and comes back, and it is never used again. The kernel's
/// index of the interface is another number, which the host does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostIf(u32);

impl HostIf {
    /// Returns the handle with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Returns the interface of a virtual router.
    pub fn of(key: impl Borrow<VrKey>) -> Self {
        Self(key.borrow().ifindex)
    }

    /// Returns the number, by which the engine knows the interface, too.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Returns the key of a virtual router on the interface.
    pub const fn key(self, vrid: Vrid, family: Family) -> VrKey {
        VrKey {
            ifindex: self.0,
            vrid,
            family,
        }
    }
}

impl fmt::Display for HostIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
