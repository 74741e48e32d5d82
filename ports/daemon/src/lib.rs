//! The parts of the programs `vrrpd` and `vrrpctl`.
//!
//! One thread, one loop: [`daemon::Daemon`] waits for the [`vrrp_host::Host`], signals, the control
//! socket and the output of event scripts, and never for anything else. The only other thread is
//! the one that starts scripts, because starting a process can wait for a disk.
//!
//! - [`facts`] are those of this host, which a configuration is judged against.
//! - [`daemon`] is the loop, with reload and graceful stop.
//! - [`scripts`] runs the event scripts.
//! - [`checks`] knows whether services work.
//! - [`control`] is the control socket: its server, its words, and the client's side.
//! - [`privsep`] divides all this between two processes where a platform supports it.
//! - [`output`] writes the standard streams, whoever reads them.
//! - [`logging`], [`notify`], [`poll`] and [`sys`] are the ground: log, service manager, poll(2),
//!   system calls.

pub mod checks;
pub mod control;
pub mod ctl;
pub mod daemon;
pub mod facts;
pub mod logging;
pub mod notify;
pub mod output;
#[cfg(test)]
#[path = "../../host/tests/bench/patience.rs"]
mod patience;
pub mod poll;
pub mod privsep;
pub mod report;
pub mod scripts;
pub mod sys;
