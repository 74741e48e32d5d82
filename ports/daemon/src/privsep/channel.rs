//! Messages as JSON in a stream between the two processes. Some have keys: no copy of them is left in memory.

use std::io::{self, Write};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use vrrp_port_kit::privsep::Channel;

/// One end of the stream.
#[derive(Debug)]
pub(super) struct MessageChannel(Channel);

impl MessageChannel {
    /// Takes in messages of at most `longest` octets, and lets at most `most_queued` octets wait for
    /// the other end.
    pub(super) fn new(stream: UnixStream, longest: usize, most_queued: usize) -> Self {
        Self(Channel::new(stream, longest, most_queued).wiping())
    }

    pub(super) fn fd(&self) -> RawFd {
        self.0.fd()
    }

    pub(super) fn has_output(&self) -> bool {
        self.0.has_output()
    }

    /// Sends a message, or what there is room for; the rest goes with [`flush`](Self::flush).
    pub(super) fn send(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.0.send(&json(message)?, None)
    }

    /// Sends what could not be sent before.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    /// Sends a message, and waits for room.
    pub(super) fn send_all(&mut self, message: &impl Serialize) -> io::Result<()> {
        self.0.queue(&json(message)?, None)?;
        self.0.flush_all()
    }

    /// Takes the next message of the other end. `None`: nothing more for now.
    pub(super) fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        let message = self.0.receive()?;
        self.0.refuse_passed();
        let message = message.map(|octets| serde_json::from_slice(&Zeroizing::new(octets)));
        Ok(message.transpose()?)
    }

    /// Waits until the other end has sent something.
    pub(super) fn wait(&self) -> io::Result<()> {
        self.0.wait()
    }
}

/// A message as JSON, in memory that does not grow: it would leave copies.
fn json(message: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, message)?;
    let mut octets = Zeroizing::new(Vec::with_capacity(length.0));
    serde_json::to_writer(&mut *octets, message)?;
    Ok(octets)
}

/// Counts the octets of what is written.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0 += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
