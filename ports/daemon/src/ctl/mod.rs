//! How vrrpctl shows answers.

pub mod doctor;
pub mod explain;
pub mod filter;
pub mod metrics;
pub mod text;
