//! Parts for authors of a [`Platform`](vrrp_host::Platform), the same on every operating system.
//!
//! - [`boot_count`]: the boot count of `antireplay = monotonic`.
//! - [`bpf`]: classic BPF programs that let in what a host has to hear.
//! - [`clock`]: the wall clock, and whether it is right.
//! - [`ledger`]: the file that notes what is installed, for clean-up after a crash.
//! - [`privsep`]: a platform in two processes, of which one has the rights and the other parses.
//! - [`Port`]: the steps that every port takes in the same order, over a [`Table`] of interfaces and
//!   virtual routers.
//! - [`Resets`]: the thread that resets TCP connections of addresses that are given up.
//! - [`Routing`]: the routes and rules that come and go with addresses.
//! - [`state`]: the directory of what outlives a reboot.
//! - [`trust`]: whether others can have written a file or a directory.
//! - [`WakeUp`]: the one place that knows what the timer is set to.

mod announcement;
pub mod boot_count;
pub mod bpf;
pub mod clock;
mod connections;
mod counters;
mod errors;
mod interfaces;
mod kernel_if;
pub mod ledger;
mod port;
pub mod privsep;
mod routers;
mod routing;
mod served;
pub mod state;
mod sys;
pub mod trust;
mod wakeup;
mod watched;

pub use announcement::incoming;
pub use connections::{GivenUp, ResetConnections, Resets, Spawn};
pub use counters::Counters;
pub use errors::{explain, noted, refused, unprepared};
pub use interfaces::Interfaces;
pub use kernel_if::KernelIf;
pub use port::{Port, Table, VirtualMac};
pub use routers::{Router, Routers};
pub use routing::{Added, Routing, Step};
pub use served::{Change, Served, Serving};
pub use wakeup::WakeUp;
pub use watched::{InterfaceSockets, Watched};
