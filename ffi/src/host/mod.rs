//! The host port for C: the library does the I/O.
//!
//! - `numbers` and `types` are what both sides see.
//! - `calls` and `views` are the functions.
//! - `handle` is what they are called on, and refuses who must not call.
//! - `spec` goes from the structs of C to a configuration, `text` from the text of one; `event` goes
//!   the other way. `message` is how either is explained.
//! - `os` is the operating system.

mod calls;
mod event;
mod handle;
mod message;
mod numbers;
mod os;
mod spec;
mod text;
mod types;
mod views;

pub(crate) use message::error_text;

pub use calls::*;
pub use handle::vrrp_host;
pub use numbers::*;
pub use types::*;
pub use views::*;
