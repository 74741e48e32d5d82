//! Starts processes beside the main loop.
//!
//! Starting a process waits until the kernel has read the program, from a file server perhaps that
//! has just gone with the host we are taking over from. One thread does the waiting; it is made
//! when the first script is started.

use std::io;
use std::os::fd::RawFd;
use std::process::Child;

use super::launch::Launch;
use crate::work_thread::WorkThread;

/// The outcome of a request.
pub(crate) struct Started {
    /// The number that the request had.
    pub(crate) ticket: u64,
    /// The process, or why there is none.
    pub(crate) result: io::Result<Child>,
}

/// The thread and the ways to it.
pub(crate) struct Spawner(WorkThread<(u64, Launch), Started>);

impl Spawner {
    /// Makes the thread. It ends when the spawner is dropped.
    pub(crate) fn new() -> io::Result<Self> {
        let start = |(ticket, launch): (u64, Launch)| Started {
            ticket,
            result: launch.spawn(),
        };
        WorkThread::new("spawner", start).map(Self)
    }

    /// Readable when [`Spawner::next`] has a result.
    pub(crate) fn fd(&self) -> RawFd {
        self.0.fd()
    }

    /// Requests that have no result yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.0.in_flight()
    }

    /// Asks for a process.
    pub(crate) fn start(&mut self, ticket: u64, launch: Launch) {
        // A thread that has ended counts as never asked.
        let _ = self.0.start((ticket, launch));
    }

    /// The next result.
    pub(crate) fn next(&mut self) -> Option<Started> {
        self.0.next()
    }
}
