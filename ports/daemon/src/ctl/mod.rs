//! How vrrpctl shows answers.

pub mod explain;
pub mod filter;
pub mod metrics;
pub mod text;
