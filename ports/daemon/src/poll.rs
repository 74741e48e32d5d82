//! The set of descriptors that the main loop waits for.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::sys;

/// Filled anew for each turn of the loop; after [`PollSet::wait`] it knows which are ready.
#[derive(Debug, Default)]
pub struct PollSet {
    fds: Vec<libc::pollfd>,
}

impl PollSet {
    /// Forgets every descriptor.
    pub fn clear(&mut self) {
        self.fds.clear();
    }

    /// Waits for input on `fd`, too.
    pub fn read(&mut self, fd: RawFd) {
        self.add(fd, libc::POLLIN);
    }

    /// Waits for room to write to `fd`, too.
    pub fn write(&mut self, fd: RawFd) {
        self.add(fd, libc::POLLOUT);
    }

    fn add(&mut self, fd: RawFd, events: libc::c_short) {
        self.fds.push(libc::pollfd {
            fd,
            events,
            revents: 0,
        });
    }

    /// Waits until a descriptor is ready or `timeout` has passed; `None`: for ever.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        sys::poll(&mut self.fds, timeout)
    }

    /// Whether `fd` was ready: input, room, an error or its end.
    pub fn ready(&self, fd: RawFd) -> bool {
        self.fds
            .iter()
            .any(|entry| entry.fd == fd && entry.revents != 0)
    }
}
