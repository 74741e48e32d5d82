//! The number by which the kernel knows an interface.

use std::fmt;
use std::num::NonZeroU32;

/// The kernel's index of an interface (if_nametoindex(3)). It ends with the interface: the next one of
/// the same name has another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelIf(NonZeroU32);

impl KernelIf {
    /// Returns the index with this number, or `None` if it is 0, which stands for no interface.
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// Returns the number, for a system call.
    pub const fn number(self) -> u32 {
        self.0.get()
    }
}

impl fmt::Display for KernelIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
