//! The middleware among smoltcp hosts and a client that share a segment in memory.

mod addresses;
mod controllers;
mod election;
mod hostile;
mod random;
mod signed;
mod world;
