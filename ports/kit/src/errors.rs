//! Errors that ports have in common.

use std::io;

use vrrp_core::VrKey;
use vrrp_host::PlatformError;

/// The error of what is asked for a virtual router that is not prepared.
pub fn unprepared(key: VrKey) -> PlatformError {
    let what = format!(
        "serve VRID {} ({}), which is not prepared",
        key.vrid, key.family
    );
    PlatformError::new(what, io::ErrorKind::NotFound.into())
}

/// An error with advice behind it. Its kind stays, its number goes.
pub fn explain(error: io::Error, advice: &str) -> io::Error {
    io::Error::new(error.kind(), format!("{error}: {advice}"))
}

/// The error of an attempt that cannot succeed, for the reason given.
pub fn refused(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, why.into())
}

/// The error of a ledger that cannot be written.
pub fn noted(error: io::Error) -> PlatformError {
    PlatformError::new("write the ledger", error)
}
