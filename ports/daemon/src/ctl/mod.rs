//! How vrrpctl shows answers.

pub mod openmetrics;
pub mod text;
