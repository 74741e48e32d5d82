//! The history of a daemon: the last records, kept over a restart.
//!
//! ```text
//!   worker: History, the ring that questions are answered from
//!        |  ToParent::Record
//!   parent: Archive, a copy of the ring for the next worker
//!        |
//!   the file `history` in the state directory
//! ```

mod archive;
mod ring;

use std::time::{SystemTime, UNIX_EPOCH};

pub use archive::Archive;
pub use ring::History;

/// Milliseconds since 1970.
pub fn now_ms() -> u64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.map_or(0, |t| t.as_millis() as u64)
}
