//! Time limits of tests, for machines that are slow or busy.
#![allow(unreachable_pub)]

use std::time::Duration;

/// The longest that a test waits for something: `limit`, times the variable `VRRP_LAB_PATIENCE`.
pub fn patient(limit: Duration) -> Duration {
    let factor = std::env::var("VRRP_LAB_PATIENCE").map_or(1, |text| {
        let factor = text.parse().ok().filter(|factor| *factor > 0);
        factor.unwrap_or_else(|| {
            panic!("VRRP_LAB_PATIENCE: expected a number from 1, found `{text}`")
        })
    });
    limit * factor
}
