//! Errors that say what to do.

pub(crate) use vrrp_port_kit::{explain, refused};
