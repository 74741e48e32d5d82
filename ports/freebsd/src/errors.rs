//! Errors that say what to do.

use std::io;

/// An error with advice behind it. Its kind stays, its number goes.
pub(crate) fn explain(error: io::Error, hint: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{error}: {hint}"))
}

/// An attempt that cannot succeed for a reason of our own.
pub(crate) fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why.into())
}
