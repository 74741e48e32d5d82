//! Counts TCP connections beside the main loop.

use std::io::{self, PipeReader, Read, Write};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use vrrp_host::VrId;

use crate::poll::PollSet;
use crate::sys;

/// Questions that may wait.
const MOST_WAITING: usize = 2 * vrrp_host::MAX_VIRTUAL_ROUTERS;

/// The number of connections of a virtual router's addresses, or why it is not known.
pub(crate) type Counted = (VrId, Result<u64, String>);

/// A thread that counts, made when it is first asked.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    thread: Option<Counter>,
    in_flight: usize,
    refused: Vec<Counted>,
}

#[derive(Debug)]
struct Counter {
    jobs: Sender<(VrId, Vec<IpAddr>)>,
    results: Receiver<Counted>,
    wake: PipeReader,
}

impl Counting {
    /// Has the connections of these local addresses counted.
    pub(crate) fn count(&mut self, id: VrId, addresses: Vec<IpAddr>) {
        if let Err(error) = self.hand_over(&id, addresses) {
            self.refused.push((id, Err(error.to_string())));
        }
    }

    fn hand_over(&mut self, id: &VrId, addresses: Vec<IpAddr>) -> io::Result<()> {
        if self.in_flight >= MOST_WAITING {
            return Err(io::Error::other("the system does not answer"));
        }
        let counter = match &mut self.thread {
            Some(counter) => counter,
            none => none.insert(Counter::new()?),
        };
        let sent = counter.jobs.send((id.clone(), addresses));
        sent.map_err(|_| io::Error::other("the thread that counts has ended"))?;
        self.in_flight += 1;
        Ok(())
    }

    /// Adds the descriptor that is readable when there is a result.
    pub(crate) fn register(&self, set: &mut PollSet) {
        if let Some(counter) = &self.thread {
            set.read(counter.wake.as_raw_fd());
        }
    }

    /// A result.
    pub(crate) fn take(&mut self) -> Option<Counted> {
        if let Some(refused) = self.refused.pop() {
            return Some(refused);
        }
        let counter = self.thread.as_ref()?;
        let _ = (&counter.wake).read(&mut [0; 64]);
        let counted = counter.results.try_recv().ok()?;
        self.in_flight -= 1;
        Some(counted)
    }
}

impl Counter {
    fn new() -> io::Result<Self> {
        let (jobs, work) = channel::<(VrId, Vec<IpAddr>)>();
        let (done, results) = channel();
        let (wake, signal) = io::pipe()?;
        sys::set_nonblocking(&wake)?;
        sys::set_nonblocking(&signal)?;
        thread::Builder::new()
            .name("counter".into())
            .stack_size(128 * 1024)
            .spawn(move || {
                for (id, addresses) in work {
                    if done.send((id, count(&addresses))).is_err() {
                        break;
                    }
                    // A full pipe wakes as well as one octet more.
                    let _ = (&signal).write(&[0]);
                }
            })?;
        Ok(Self {
            jobs,
            results,
            wake,
        })
    }
}

#[cfg(target_os = "linux")]
fn count(addresses: &[IpAddr]) -> Result<u64, String> {
    vrrp_linux::count_connections(addresses).map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
fn count(_: &[IpAddr]) -> Result<u64, String> {
    Err("connections are not counted on this system".into())
}
