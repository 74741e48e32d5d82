//! Privilege separation: the parent has the rights, and the worker parses what strangers send.
//!
//! ```text
//!                        the network, control socket
//!                                   |
//!   Parent     <--- messages --->  Daemon with ParentHandle   reload, signals, script events
//!   its Server <--- requests --->  Worker (a Platform)        addresses, MACs, descriptors
//!              <--- log lines ---
//!      |
//!   scripts, service manager
//! ```
//!
//! The parent compares each request with the configuration that it read itself, and reads nothing else
//! that comes from outside. The worker is another execution of the same program.

mod channel;
mod handle;
mod heartbeat;
mod messages;
mod parent;
mod services;
#[cfg(test)]
pub(crate) mod tests;

pub use handle::{ParentHandle, ReadFile, Start};
pub use parent::{Parent, StartWorker, Turn, WorkerEnds};
pub use services::InForce;
