//! A thread that does what may wait, beside a loop that may not.

use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use crate::sys;

/// The thread and the ways to it. It does one job after the other, and ends when this is dropped.
#[derive(Debug)]
pub(crate) struct WorkThread<Job, Outcome> {
    jobs: Sender<Job>,
    outcomes: Receiver<Outcome>,
    wake: PipeReader,
    in_flight: usize,
}

impl<Job: Send + 'static, Outcome: Send + 'static> WorkThread<Job, Outcome> {
    /// Makes the thread.
    ///
    /// # Errors
    /// There is no thread or no pipe to be had.
    pub(crate) fn new(
        name: &str,
        mut work: impl FnMut(Job) -> Outcome + Send + 'static,
    ) -> io::Result<Self> {
        let (jobs, asked) = channel::<Job>();
        let (done, outcomes) = channel();
        let (wake, signal) = io::pipe()?;
        sys::set_nonblocking(&wake)?;
        sys::set_nonblocking(&signal)?;
        thread::Builder::new()
            .name(name.into())
            .stack_size(128 * 1024)
            .spawn(move || {
                for job in asked {
                    if done.send(work(job)).is_err() {
                        break;
                    }
                    // A full pipe wakes as well as one octet more.
                    let _ = (&signal).write(&[0]);
                }
            })?;
        Ok(Self {
            jobs,
            outcomes,
            wake,
            in_flight: 0,
        })
    }

    /// Readable when [`next`](Self::next) has an outcome.
    pub(crate) fn fd(&self) -> RawFd {
        self.wake.as_raw_fd()
    }

    /// Jobs that have no outcome yet.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Hands a job over. Returns `false` if the thread has ended.
    pub(crate) fn start(&mut self, job: Job) -> bool {
        let sent = self.jobs.send(job).is_ok();
        self.in_flight += usize::from(sent);
        sent
    }

    /// The next outcome, in the order of the jobs.
    pub(crate) fn next(&mut self) -> Option<Outcome> {
        let _ = (&self.wake).read(&mut [0; 64]);
        let outcome = self.outcomes.try_recv().ok()?;
        self.in_flight -= 1;
        Some(outcome)
    }
}
