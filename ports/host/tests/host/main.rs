//! Hosts on machines that exist only in memory, in virtual time.

mod failover;
mod fake;
mod reload;
mod segment;
mod sim;
mod tracking;
mod trouble;
mod warnings;
