//! libvrrp: the engine and the host port for C.
//!
//! The documentation for C programmers stands in `include/vrrp.h` and `include/vrrp_host.h`, which are
//! generated from the modules here: their documentation speaks of C. `README.md` has the
//! conventions. From top to bottom:
//!
//! - `numbers`, `types` and `host::types` are what both sides see.
//! - `engine`, `status`, `names` and `host::calls` are the functions.
//! - `auth` has the keys and clocks of signed advertisements.
//! - `gate` is the gate for stacks that have one MAC, `include/vrrp_gate.h`.
//! - `admin` has what the administrator's calls of engine and gate have in common.
//! - `handle` is the engine in the caller's storage.
//! - `raw` reads and writes what the caller points to, and nothing else does; `convert` goes from
//!   the octets of C to the legal values of the engine and back.
//!
//! # Panics
//!
//! None crosses the boundary. No function is known to panic; should one, `extern "C"` ends the
//! process, and without std the processor stops in a loop.
#![cfg_attr(not(feature = "std"), no_std)]
#![allow(unsafe_code)]
// Names of C.
#![allow(non_camel_case_types)]
// The top of each header says once for all functions what pointers must be.
#![allow(clippy::missing_safety_doc)]

mod admin;
mod auth;
mod convert;
mod engine;
mod gate;
mod handle;
#[cfg(feature = "host")]
mod host;
mod names;
mod numbers;
mod raw;
mod status;
mod types;

pub use auth::*;
pub use engine::*;
pub use gate::*;
pub use handle::{gate_storage_size, storage_size, vrrp};
#[cfg(feature = "host")]
pub use host::*;
pub use names::*;
pub use numbers::*;
pub use status::*;
pub use types::*;

/// There is nobody to tell.
#[cfg(not(feature = "std"))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        core::hint::spin_loop();
    }
}
