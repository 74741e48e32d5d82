//! Hosts on machines that exist only in memory, in virtual time.

mod chains;
mod conflicts;
mod devices;
mod failover;
mod fake;
mod followers;
mod groups;
mod holders;
mod planned;
mod random;
mod refused;
mod refused_peers;
mod reload;
mod second_path;
mod segment;
mod signing;
mod sim;
mod slow;
mod timer;
mod tracking;
mod trouble;
mod warnings;
mod wishes;
