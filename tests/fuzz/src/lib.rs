//! Properties that hold for any octets.
//!
//! Each module is a fuzz target: a `check` that takes any octets and panics when something is wrong.
//! `cargo xtask fuzz TARGET [SECONDS]` runs one; what it has found worth keeping is in `corpus`, and
//! the tests of this crate run all of that.

pub mod answers;
pub mod bpf;
pub mod config;
pub mod control;
mod engine;
mod facts;
pub mod frames;
pub mod gate;
mod guard;
pub mod imports;
pub mod ioctl;
pub mod netgraph;
pub mod netlink;
mod octets;
pub mod operations;
pub mod oracle;
mod packets;
pub mod remote;
pub mod routing;
pub mod signed;
