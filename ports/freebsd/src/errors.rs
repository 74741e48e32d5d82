//! Errors that say what to do.

pub(crate) use vrrp_host::port::{explain, refused};
