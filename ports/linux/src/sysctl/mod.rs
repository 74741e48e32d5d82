//! Sysctls of network interfaces that make a virtual address unreachable, whoever sets them and
//! whenever: the table of values that are needed, what applies and watches them, and the warnings
//! where a value cannot be had.
//!
//! Our macvlans get what the table says, and what the interface below them has. On interfaces of the
//! host only `arp_ignore` and `arp_announce` are changed, which is noted in the ledger and undone.
//! "all" is never changed.

pub(crate) mod apply;
pub(crate) mod files;
pub(crate) mod table;
mod warn;
