//! One end of the stream between the two processes.

use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use vrrp_host::Waited;
use vrrp_port_kit::privsep::{Inbox, packed};

use crate::sys;

/// How long the other end may take in nothing.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Line {
    stream: UnixStream,
    inbox: Inbox,
}

impl Line {
    /// Takes in what is at most `most` octets long.
    pub(super) fn new(stream: UnixStream, most: usize) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let inbox = Inbox::new(most);
        Ok(Self { stream, inbox })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Says something. Waits while the other end is busy.
    pub(super) fn say(&self, what: &impl Serialize) -> io::Result<()> {
        let octets = packed(&serde_json::to_vec(what)?);
        let mut rest = octets.as_slice();
        let until = Instant::now() + PATIENCE;
        while !rest.is_empty() {
            match sys::send_now(self.stream.as_fd(), rest) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait(true, Some(until))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes the next message of the other end. `None`: nothing more for now.
    pub(super) fn hear<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let mut buffer = [0; 16 * 1024];
        loop {
            let whole = self.inbox.take();
            if let Some(octets) = whole.map_err(|_| io::ErrorKind::InvalidData)? {
                return Ok(Some(serde_json::from_slice(&octets)?));
            }
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(len) => self.inbox.push(buffer.get(..len).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits until the other end has said something.
    pub(super) fn wait_to_hear(&self) -> io::Result<()> {
        self.wait(false, None)
    }

    fn wait(&self, write: bool, until: Option<Instant>) -> io::Result<()> {
        let left = until.map(|at| at.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let mut one = [Waited {
            fd: self.fd(),
            write,
            ready: false,
        }];
        sys::poll(&mut one, &mut Vec::new(), left)
    }
}
