//! The client's side of the control socket.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::protocol::{Answer, Request};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a running daemon.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<UnixStream>,
}

/// Why the daemon cannot be asked.
#[derive(Debug)]
pub struct ConnectError(String);

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ConnectError {}

impl Connection {
    /// Connects to the daemon at `path`.
    ///
    /// # Errors
    /// The daemon does not run, or this user may not ask it.
    pub fn open(path: &Path) -> Result<Self, ConnectError> {
        let shown = path.display();
        let stream = UnixStream::connect(path).map_err(|error| {
            ConnectError(match error.kind() {
                io::ErrorKind::NotFound => format!("vrrpd does not run: {shown} does not exist"),
                io::ErrorKind::ConnectionRefused => {
                    format!("vrrpd does not run: nobody listens at {shown}")
                }
                io::ErrorKind::PermissionDenied => {
                    format!("not allowed to use {shown}: be root or in its group")
                }
                _ => format!("{shown}: {error}"),
            })
        })?;
        let timeouts = stream
            .set_read_timeout(Some(PATIENCE))
            .and_then(|()| stream.set_write_timeout(Some(PATIENCE)));
        timeouts.map_err(|error| ConnectError(format!("{shown}: {error}")))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// As of [`next_answer`](Self::next_answer), and that the daemon hangs up.
    pub fn ask(&mut self, request: &Request) -> io::Result<Answer> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes())?;
        self.next_answer()?.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "vrrpd hung up before it answered",
            )
        })
    }

    /// From here on [`Connection::next_answer`] waits as long as it takes.
    ///
    /// # Errors
    /// The socket's.
    pub fn be_patient(&mut self) -> io::Result<()> {
        self.stream.get_ref().set_read_timeout(None)
    }

    /// Whether part of the next line is here already, so that there is nothing to wait for.
    pub fn has_buffered(&self) -> bool {
        !self.stream.buffer().is_empty()
    }

    /// The next line. `None`: the daemon has hung up.
    ///
    /// # Errors
    /// The socket's, a line that is no answer, and none within ten seconds.
    pub fn next_answer(&mut self) -> io::Result<Option<Answer>> {
        let mut line = String::new();
        match self.stream.read_line(&mut line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(serde_json::from_str(&line)?)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let text = format!("vrrpd did not answer within {} s", PATIENCE.as_secs());
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
            Err(error) => Err(error),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.get_ref().as_fd()
    }
}
