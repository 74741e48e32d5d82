//! One end of the stream between parent and worker.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use zeroize::Zeroize;

use super::{Inbox, packed};
use crate::sys;

/// Octets taken by one read.
const READ: usize = 16 * 1024;

/// One end of a stream of datagrams, some with a descriptor. It never blocks unless it is told to.
#[derive(Debug)]
pub struct Channel {
    stream: UnixStream,
    inbox: Inbox,
    /// Descriptors, in the order of the datagrams that they belong to.
    passed: VecDeque<OwnedFd>,
    outgoing: VecDeque<Outgoing>,
    /// The octets in `outgoing`, and how many there may be.
    queued: usize,
    most_queued: usize,
    buffer: Vec<u8>,
    /// Nothing is left in memory of what has gone through it.
    wipes: bool,
}

/// Octets that the kernel has not taken yet, and a descriptor that goes with the first of them.
#[derive(Debug)]
struct Outgoing {
    octets: Vec<u8>,
    passed: Option<OwnedFd>,
}

impl Channel {
    /// An end that takes in datagrams of at most `longest` octets, and lets at most `most_queued`
    /// octets wait for a peer that takes in nothing.
    pub fn new(stream: UnixStream, longest: usize, most_queued: usize) -> Self {
        Self {
            stream,
            inbox: Inbox::new(longest),
            passed: VecDeque::new(),
            outgoing: VecDeque::new(),
            queued: 0,
            most_queued,
            buffer: vec![0; READ],
            wipes: false,
        }
    }

    /// The same for datagrams some of which are secret: no copy is left of what was sent, or was received and
    /// taken. Datagrams themselves are the caller's to wipe.
    #[must_use]
    pub fn wiping(mut self) -> Self {
        self.wipes = true;
        self.inbox.keep_secret();
        self
    }

    /// The descriptor to wait on: readable when [`receive`](Self::receive) has something.
    pub fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Whether octets wait for room: [`flush`](Self::flush) is due when the descriptor takes them.
    pub fn has_output(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Queues a datagram and a descriptor with it, for the next [`flush`](Self::flush).
    ///
    /// # Errors
    /// The peer has taken in nothing for long.
    pub fn queue(&mut self, datagram: &[u8], passed: Option<OwnedFd>) -> io::Result<()> {
        let octets = packed(datagram);
        self.queued += octets.len();
        if self.queued > self.most_queued {
            let why = "the other process takes in nothing";
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        match self.outgoing.back_mut() {
            // To grow would leave a copy.
            Some(last) if passed.is_none() && !self.wipes => last.octets.extend_from_slice(&octets),
            _ => self.outgoing.push_back(Outgoing { octets, passed }),
        }
        Ok(())
    }

    /// Sends what is queued, as far as there is room.
    pub fn flush(&mut self) -> io::Result<()> {
        while let Some(first) = self.outgoing.front_mut() {
            match sys::send_with(&self.stream, &first.octets, first.passed.as_ref()) {
                Ok(sent) => {
                    self.queued = self.queued.saturating_sub(sent);
                    first.passed = None;
                    first.octets.drain(..sent.min(first.octets.len()));
                    if first.octets.is_empty() {
                        if self.wipes {
                            first.octets.zeroize();
                        }
                        self.outgoing.pop_front();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Queues a datagram and sends what is queued, as far as there is room.
    pub fn send(&mut self, datagram: &[u8], passed: Option<OwnedFd>) -> io::Result<()> {
        self.queue(datagram, passed)?;
        self.flush()
    }

    /// Sends all that is queued, and waits for room. What comes meanwhile is taken in, or two
    /// processes could wait for each other: for the worker, which trusts the parent.
    pub fn flush_all(&mut self) -> io::Result<()> {
        self.flush()?;
        while self.has_output() {
            sys::wait(&self.stream, true, None)?;
            self.read()?;
            self.flush()?;
        }
        Ok(())
    }

    /// The next datagram that is there. `None`: none is.
    pub fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            let whole = self.inbox.take();
            if let Some(datagram) = whole.map_err(|_| io::ErrorKind::InvalidData)? {
                return Ok(Some(datagram));
            }
            if !self.read()? {
                return Ok(None);
            }
        }
    }

    /// Waits until there is something to receive, or room for what is queued.
    pub fn wait(&self) -> io::Result<()> {
        sys::wait(&self.stream, self.has_output(), None).map(drop)
    }

    /// Waits until there is something to receive. `false`: there is nothing within so many milliseconds.
    pub fn wait_to_receive(&self, patience_ms: u16) -> io::Result<bool> {
        sys::wait(&self.stream, false, Some(patience_ms))
    }

    /// Takes in octets. `false`: there are none now.
    fn read(&mut self) -> io::Result<bool> {
        loop {
            match sys::receive_with(&self.stream, &mut self.buffer) {
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((len, passed)) => {
                    let came = self.buffer.get_mut(..len).unwrap_or_default();
                    self.inbox.push(came);
                    if self.wipes {
                        came.zeroize();
                    }
                    self.passed.extend(passed);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// The descriptor that came with the oldest datagram that has one.
    pub fn passed(&mut self) -> Option<OwnedFd> {
        self.passed.pop_front()
    }

    /// Closes descriptors that nothing asked for.
    pub fn refuse_passed(&mut self) {
        self.passed.clear();
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if self.wipes {
            self.inbox.wipe();
            let left = self.outgoing.iter_mut();
            left.for_each(|outgoing| outgoing.octets.zeroize());
        }
    }
}
