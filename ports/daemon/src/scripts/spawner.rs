//! Starts processes beside the main loop.
//!
//! Starting a process waits until the kernel has read the program, from a file server perhaps that
//! has just gone with the host we are taking over from. One thread does the waiting; it is made
//! when the first script is started.

use std::io::{self, PipeReader, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::process::Child;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::launch::Launch;
use crate::sys;

/// The outcome of a request.
pub(crate) struct Started {
    /// The number that the request had.
    pub(crate) ticket: u64,
    /// The process, or why there is none.
    pub(crate) result: io::Result<Child>,
}

/// The thread and the ways to it.
pub(crate) struct Spawner {
    requests: Sender<(u64, Launch)>,
    results: Receiver<Started>,
    wake: PipeReader,
    in_flight: usize,
}

impl Spawner {
    /// Makes the thread. It ends when the spawner is dropped.
    pub(crate) fn new() -> io::Result<Self> {
        let (requests, work) = channel::<(u64, Launch)>();
        let (done, results) = channel();
        let (wake, signal) = io::pipe()?;
        sys::set_nonblocking(&wake)?;
        sys::set_nonblocking(&signal)?;
        thread::Builder::new()
            .name("spawner".into())
            .stack_size(128 * 1024)
            .spawn(move || {
                for (ticket, launch) in work {
                    let result = launch.spawn();
                    if done.send(Started { ticket, result }).is_err() {
                        break;
                    }
                    // A full pipe wakes as well as one octet more.
                    let _ = io::Write::write(&mut &signal, &[0]);
                }
            })?;
        Ok(Self {
            requests,
            results,
            wake,
            in_flight: 0,
        })
    }

    /// Readable when [`Spawner::next`] has a result.
    pub(crate) fn fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }

    /// Requests that have no result yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Asks for a process.
    pub(crate) fn start(&mut self, ticket: u64, launch: Launch) {
        if self.requests.send((ticket, launch)).is_ok() {
            self.in_flight += 1;
        }
    }

    /// The next result.
    pub(crate) fn next(&mut self) -> Option<Started> {
        let _ = (&self.wake).read(&mut [0; 64]);
        let started = self.results.try_recv().ok()?;
        self.in_flight -= 1;
        Some(started)
    }
}
