//! Counts TCP connections beside the main loop.

use std::io;
use std::net::IpAddr;

use vrrp_host::VrId;

use crate::poll::PollSet;
use crate::work_thread::WorkThread;

/// Questions that may wait.
const MOST_WAITING: usize = 2 * vrrp_host::MAX_VIRTUAL_ROUTERS;

/// The number of connections of a virtual router's addresses, or why it is not known.
pub(crate) type Counted = (VrId, Result<u64, String>);

/// A thread that counts, made when it is first asked.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    thread: Option<Counter>,
    refused: Vec<Counted>,
}

type Counter = WorkThread<(VrId, Vec<IpAddr>), Counted>;

impl Counting {
    /// Has the connections of these local addresses counted.
    pub(crate) fn count(&mut self, id: VrId, addresses: Vec<IpAddr>) {
        if let Err(error) = self.hand_over(&id, addresses) {
            self.refused.push((id, Err(error.to_string())));
        }
    }

    fn hand_over(&mut self, id: &VrId, addresses: Vec<IpAddr>) -> io::Result<()> {
        let thread = match &mut self.thread {
            Some(thread) => thread,
            none => none.insert(counter()?),
        };
        if thread.in_flight() >= MOST_WAITING {
            return Err(io::Error::other("the system does not answer"));
        }
        match thread.start((id.clone(), addresses)) {
            true => Ok(()),
            false => Err(io::Error::other("the thread that counts has ended")),
        }
    }

    /// Adds the descriptor that is readable when there is a result.
    pub(crate) fn register(&self, set: &mut PollSet) {
        if let Some(thread) = &self.thread {
            set.read(thread.fd());
        }
    }

    /// A result.
    pub(crate) fn take(&mut self) -> Option<Counted> {
        if let Some(refused) = self.refused.pop() {
            return Some(refused);
        }
        self.thread.as_mut()?.next()
    }
}

/// Makes the thread.
fn counter() -> io::Result<Counter> {
    WorkThread::new("counter", |(id, addresses): (VrId, Vec<IpAddr>)| {
        let counted = count(&addresses);
        (id, counted)
    })
}

#[cfg(target_os = "linux")]
fn count(addresses: &[IpAddr]) -> Result<u64, String> {
    vrrp_linux::count_connections(addresses).map_err(|error| error.to_string())
}

#[cfg(not(target_os = "linux"))]
fn count(_: &[IpAddr]) -> Result<u64, String> {
    Err("connections are not counted on this system".into())
}
