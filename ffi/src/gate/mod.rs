//! The gate for C: the virtual MACs for a network stack that has one MAC.
//!
//! - `numbers` and `types` are what both sides see.
//! - `calls` are the functions that change a gate, `views` those that ask it.
//! - `convert` goes from the gate's values to the structs of C.

mod auth;
mod calls;
mod convert;
mod handle;
mod numbers;
mod types;
mod views;

pub use auth::*;
pub use calls::*;
pub use handle::vrrp_gate;
pub use numbers::*;
pub use types::*;
pub use views::*;
