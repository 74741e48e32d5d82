//! Simulated networks of engines.
//!
//! One seed makes a [`plan`]: segments with switches and clients, hosts with clocks of their own,
//! virtual routers, and a story of faults and operators. [`world`] tells it, event by event, with
//! the engine itself on every host; [`port`] checks after each step what must hold at any time, and
//! `check` what must hold once the protocol has had its time. A story in which a rule is broken is
//! shrunk to the operations that matter by [`shrink`].
//!
//! `cargo xtask simulate` runs many; `cargo xtask simulate --seed N` one.

mod check;
pub mod client;
pub mod config;
pub mod differential;
pub mod generate;
pub mod groups;
mod host;
pub mod intruder;
pub mod lan;
pub mod message;
pub mod model;
pub mod oracle;
pub mod output;
pub mod plan;
pub mod port;
pub mod rng;
pub mod shrink;
pub mod signature;
pub mod transitions;
pub mod world;
