//! How vrrpctl shows answers.

pub mod filter;
pub mod metrics;
pub mod text;
