//! The lab: hosts, a hub and cables made from network namespaces, on which VRRP daemons are run,
//! disturbed, measured and listened to.
//!
//! [`lab`] is the house; [`lab::Lab`] its front door. The scenarios are in `tests/tests`, the
//! measuring program in `src/bin/measure.rs`, the show for newcomers in `src/bin/demo.rs`.

pub mod c;
pub mod lab;
pub mod sys;
