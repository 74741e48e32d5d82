//! The parts of the programs `vrrpd` and `vrrpctl`.
//!
//! vrrpd is two processes, each with one loop in one thread. [`privsep::Parent`] has the rights: it
//! waits for requests of the other, signals and the output of event scripts. A further thread of it
//! starts scripts, because starting a process can wait for a disk. [`daemon::Daemon`] is the worker: it
//! waits for the [`vrrp_host::Host`], the parent and the control socket, and never for anything else.
//!
//! - [`facts`] are those of this host, which a configuration is judged against.
//! - [`privsep`] is the parent, and the way between the two processes.
//! - [`daemon`] is the worker's loop, with reload and graceful stop.
//! - [`history`] remembers what happened, over a restart.
//! - [`scrape`] answers scrapers of metrics.
//! - [`scripts`] runs the event scripts.
//! - [`overrides`] are wishes of administrators that last.
//! - [`keeper`] writes what outlives a reboot to the state directory.
//! - [`checks`] knows whether services work.
//! - [`control`] is the control socket: its server, its words, and the client's side.
//! - [`output`] writes the standard streams, whoever reads them.
//! - [`logging`], [`notify`], [`poll`] and [`sys`] are the ground: log, service manager, poll(2),
//!   system calls.

pub mod checks;
pub mod control;
pub mod ctl;
pub mod daemon;
pub mod facts;
pub mod history;
pub mod keeper;
pub mod logging;
pub mod notify;
pub mod output;
pub mod overrides;
#[cfg(test)]
#[path = "../../host/tests/bench/patience.rs"]
mod patience;
pub mod poll;
pub mod privsep;
pub mod report;
pub mod scrape;
#[cfg(test)]
mod scratch;
pub mod scripts;
pub mod sys;
mod work_thread;
