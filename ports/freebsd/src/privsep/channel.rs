//! The channel between the process with the rights and the one without.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use vrrp_port_kit::privsep::{Inbox, MAX_DATAGRAM, packed};

use crate::sys;

/// The token of the channel in a queue, above those of interfaces.
pub(super) const CHANNEL: u64 = 1 << 41;

/// How long the other end may take in nothing.
const PATIENCE_MS: i32 = 10_000;

/// One end.
#[derive(Debug)]
pub(super) struct Channel {
    stream: UnixStream,
    inbox: Inbox,
    /// Descriptors, in the order of the datagrams that they belong to.
    passed: VecDeque<OwnedFd>,
    buffer: Vec<u8>,
}

impl Channel {
    pub(super) fn new(stream: UnixStream) -> Self {
        Self {
            stream,
            inbox: Inbox::new(MAX_DATAGRAM),
            passed: VecDeque::new(),
            buffer: vec![0; MAX_DATAGRAM],
        }
    }

    pub(super) fn fd(&self) -> &UnixStream {
        &self.stream
    }

    pub(super) fn raw(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Sends a datagram, and a descriptor with it. Waits while the other end is busy.
    pub(super) fn send(&self, datagram: &[u8], passed: Option<&OwnedFd>) -> io::Result<()> {
        let octets = packed(datagram);
        let (mut rest, mut passed) = (octets.as_slice(), passed);
        while !rest.is_empty() {
            match sys::send_with(&self.stream, rest, passed) {
                Ok(sent) => {
                    rest = rest.get(sent..).unwrap_or_default();
                    passed = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !sys::wait_writable(self.raw(), PATIENCE_MS)? {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next datagram that is there. `None`: none is.
    pub(super) fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let whole = self.inbox.take();
            if let Some(datagram) = whole.map_err(|_| io::ErrorKind::InvalidData)? {
                return Ok(Some(datagram));
            }
            match sys::receive_with(&self.stream, &mut self.buffer) {
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((len, passed)) => {
                    self.inbox.push(self.buffer.get(..len).unwrap_or_default());
                    self.passed.extend(passed);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// The descriptor that came with the oldest datagram that has one.
    pub(super) fn passed(&mut self) -> Option<OwnedFd> {
        self.passed.pop_front()
    }

    /// Forgets descriptors that nobody asked for.
    pub(super) fn refuse_passed(&mut self) {
        self.passed.clear();
    }
}
