//! Sysctls of network interfaces that make a virtual address unreachable, whoever sets them and
//! whenever: the table of values that are needed, what applies and watches them, and the warnings
//! where a value cannot be had.
//!
//! Our macvlans get what the table says, and what the interface below them has. On interfaces of the
//! host only `arp_ignore` and `arp_announce` are changed, which is noted in the ledger and undone.
//! "all" is never changed.

mod files;
mod keep;
mod table;
mod warn;

pub(crate) use files::{has_ipv6, read, write, write_if_allowed};
pub(crate) use keep::{Sysctls, is_undoable, promotion, restore};
pub use table::names;
pub(crate) use table::{Answers, DEAF, Sysctl};
