//! The ledger: a file that says what a port installed, so that a later life can clean up after a
//! crash.
//!
//! The file is locked for life. A ledger that can be locked belongs to a process that is dead.
//! Each line begins with `+` (about to be installed) or `-` (removed again).
//!
//! Root acts on what it reads here, so that nobody else may write it: the directory and its files
//! belong to the user of the process, and no other may write to them. A file that is no regular
//! one is left alone, a line that is none of a ledger's is passed over, and both are reported.

mod content;
mod files;
mod leftover;
mod living;
mod own;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::str::FromStr;

pub use leftover::{Leftover, leftovers};
pub use living::{entries_at, entries_of, is_ending};
pub use own::Ledger;

/// Something that a port installs, as one line of text.
///
/// Reading accepts a closed list: what a port does install, and how it was before. A line that asks
/// for anything else is none.
pub trait Entry: Clone + Ord + fmt::Display + FromStr {}

impl<T: Clone + Ord + fmt::Display + FromStr> Entry for T {}

/// The operating system, as far as the standard library does not have it.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// Locks a whole file for its open description, without waiting; `false`: another has it. It is
    /// [`try_lock`] but in tests, where a child that was forked would hold the lock for a moment.
    pub lock: fn(&File) -> io::Result<bool>,
    /// The effective user of this process.
    pub user: u32,
    /// Whether the process with this number is dead, or was killed and has not ended yet.
    pub is_ending: fn(u32) -> bool,
}

/// Locks a whole file for its open description, without waiting; `false`: another has it.
///
/// # Errors
/// The system's, such as a file system without locks.
pub fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
