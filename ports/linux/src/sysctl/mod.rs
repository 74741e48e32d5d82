//! Sysctls of network interfaces by which a virtual address can become unreachable. Here are the table of
//! the values that are needed, the code that applies and watches them, and the warnings about values
//! that cannot be set.
//!
//! Our macvlans get what the table says, and what the interface below them has. On interfaces of the
//! host only `arp_ignore` and `arp_announce` are changed, which is noted in the ledger and undone.
//! "all" is never changed.

pub(crate) mod apply;
pub(crate) mod files;
pub(crate) mod table;
mod warn;
