//! The errors of a platform.

use std::fmt;
use std::io;

/// Something that the operating system refused.
#[derive(Debug)]
pub struct PlatformError {
    /// The attempt, with the names it was made on: "create macvlan vr4.3.1 on eth0".
    pub what: String,
    /// The error of the operating system.
    pub error: io::Error,
}

impl PlatformError {
    /// Pairs an attempt with its error.
    pub fn new(what: impl Into<String>, error: io::Error) -> Self {
        Self {
            what: what.into(),
            error,
        }
    }
}

impl fmt::Display for PlatformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.what, self.error)
    }
}

impl std::error::Error for PlatformError {}
