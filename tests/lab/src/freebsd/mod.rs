//! The lab on FreeBSD: hosts are jails with network stacks of their own, cables epairs, the hub a
//! bridge in a jail that holds the others.

pub mod host;
pub mod hub;
pub mod jail;

pub use hub::Hub;
pub use jail::{Jail, Jail as Stack};
