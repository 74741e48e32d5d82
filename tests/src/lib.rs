//! The lab: hosts, a hub and cables made from the network stacks of one machine, on which VRRP daemons are run,
//! disturbed, measured and listened to.
//!
//! [`lab`] is the house; [`lab::Lab`] its front door. The scenarios are in `tests/tests`, the
//! measuring program in `examples/measure`, the show for newcomers in `examples/demo.rs`.

#[cfg(target_os = "linux")]
pub mod built;
#[cfg(target_os = "linux")]
pub mod c;
pub mod lab;
pub mod output;
pub mod sys;
