//! Parts for authors of a [`Platform`](vrrp_host::Platform), the same on every operating system.

pub mod bpf;
pub mod ledger;
pub mod port;
pub mod remote;
mod wakeup;
