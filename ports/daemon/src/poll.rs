//! The set of descriptors that the main loop waits for.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use vrrp_host::{Host, Platform, Waited};

use crate::sys;

/// Filled anew for each turn of the loop; after [`PollSet::wait`] it knows which are ready.
#[derive(Debug, Default)]
pub struct PollSet {
    waited: Vec<Waited>,
    /// Kept, so that a turn of the loop allocates nothing.
    polled: Vec<libc::pollfd>,
}

impl PollSet {
    /// Forgets every descriptor.
    pub fn clear(&mut self) {
        self.waited.clear();
    }

    /// Waits for input on `fd`, too.
    pub fn read(&mut self, fd: RawFd) {
        self.add(fd, false);
    }

    /// Waits for room to write to `fd`, too.
    pub fn write(&mut self, fd: RawFd) {
        self.add(fd, true);
    }

    fn add(&mut self, fd: RawFd, write: bool) {
        let ready = false;
        self.waited.push(Waited { fd, write, ready });
    }

    /// Waits until a descriptor is ready or `timeout` has passed; `None`: for ever.
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        sys::poll(&mut self.waited, &mut self.polled, timeout)
    }

    /// Waits for `host`, too: `true` when it has something to do.
    pub fn wait_with<P: Platform>(
        &mut self,
        host: &mut Host<P>,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        if let Some(result) = host.wait(&mut self.waited, timeout) {
            return result;
        }
        self.read(host.fd());
        self.wait(timeout)?;
        Ok(self.ready(host.fd()))
    }

    /// Waits for `platform`, too: `true` when it has something to tell.
    pub fn wait_for(
        &mut self,
        platform: &mut impl Platform,
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        if let Some(result) = platform.wait(&mut self.waited, timeout) {
            return result;
        }
        self.read(platform.fd());
        self.wait(timeout)?;
        Ok(self.ready(platform.fd()))
    }

    /// Whether `fd` was ready: input, room, an error or its end.
    pub fn ready(&self, fd: RawFd) -> bool {
        self.waited
            .iter()
            .any(|waited| waited.fd == fd && waited.ready)
    }
}
