//! The endpoint for scrapers of metrics: read only, and bounded in every way.
//!
//! The parent makes the socket; the worker accepts, reads one request of a connection and answers it piece
//! by piece, so that the protocol has its turn between two pieces.

mod http;
mod socket;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ctl::metrics::{Exposition, Form, Snapshot};
use crate::poll::PollSet;
use http::Request;
use socket::Stream;
pub use socket::{Kind, Listener, MetricsSocket};

/// Connections at the same time. The rest wait in the kernel.
const MAX_CLIENTS: usize = 4;
/// How long a connection may take, from its beginning to the end of the answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Scrapes that follow each other within this time get the same numbers.
const FRESH: Duration = Duration::from_millis(100);

/// The endpoint, as the worker has it.
#[derive(Debug)]
pub struct Scraper {
    listener: Listener,
    clients: Vec<Client>,
    recent: Option<(Instant, Arc<Snapshot>)>,
}

#[derive(Debug)]
struct Client {
    stream: Stream,
    until: Instant,
    input: Vec<u8>,
    output: Vec<u8>,
    sent: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    Asking,
    /// A request waits for its numbers.
    Asked {
        form: Form,
        chunks: bool,
    },
    Answering {
        rest: Exposition,
        chunks: bool,
    },
    /// Everything is in the output.
    Ending,
}

impl Scraper {
    /// Serves those who connect to a socket.
    pub fn new(listener: Listener) -> Self {
        Self {
            listener,
            clients: Vec::new(),
            recent: None,
        }
    }

    /// Adds what has to be waited for.
    pub fn register(&self, set: &mut PollSet) {
        if self.clients.len() < MAX_CLIENTS {
            set.read(self.listener.fd());
        }
        for client in &self.clients {
            match client.has_output() {
                true => set.write(client.stream.fd()),
                false => set.read(client.stream.fd()),
            }
        }
    }

    /// When [`serve`](Self::serve) is due even though nothing is ready.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.clients.iter().any(Client::has_work) {
            return Some(now);
        }
        let recent = self.recent.as_ref().map(|(at, _)| *at + FRESH);
        let clients = self.clients.iter().map(|client| client.until);
        clients.chain(recent).min()
    }

    /// Reads and writes what there is room for, and makes one piece of an answer. `snapshot` takes the
    /// numbers.
    pub fn serve(&mut self, set: &PollSet, now: Instant, snapshot: impl FnOnce() -> Snapshot) {
        self.recent = self.recent.take().filter(|(at, _)| *at + FRESH > now);
        let mut snapshot = Some(snapshot);
        let recent = &mut self.recent;
        let mut numbers = || {
            if let (None, Some(snapshot)) = (&recent, snapshot.take()) {
                *recent = Some((now, Arc::new(snapshot())));
            }
            recent.as_ref().map(|(_, snapshot)| Arc::clone(snapshot))
        };
        let mut served = None;
        let mut place = 0;
        self.clients.retain_mut(|client| {
            let ready = set.ready(client.stream.fd());
            let mut kept = client.transfer(ready);
            if kept.is_ok() && served.is_none() && client.has_work() {
                served = Some(place + 1);
                client.go_on(&mut numbers);
                kept = client.flush();
            }
            let stays = kept.is_ok() && client.until > now;
            place += usize::from(stays);
            stays
        });
        if let Some(served) = served {
            let served = served.min(self.clients.len());
            self.clients.rotate_left(served);
        }
        if set.ready(self.listener.fd()) {
            self.accept(now);
        }
    }

    fn accept(&mut self, now: Instant) {
        while self.clients.len() < MAX_CLIENTS {
            let Ok(stream) = self.listener.accept() else {
                return;
            };
            self.clients.push(Client {
                stream,
                until: now + PATIENCE,
                input: Vec::new(),
                output: Vec::new(),
                sent: 0,
                state: State::Asking,
            });
        }
    }
}

/// A connection is at its end.
#[derive(Debug)]
struct Gone;

impl Client {
    fn has_output(&self) -> bool {
        self.sent < self.output.len()
    }

    /// Whether a piece of its answer is to be made.
    fn has_work(&self) -> bool {
        let answers = matches!(self.state, State::Asked { .. } | State::Answering { .. });
        answers && !self.has_output()
    }

    fn transfer(&mut self, ready: bool) -> Result<(), Gone> {
        if ready && self.has_output() {
            return self.flush();
        }
        if ready && matches!(self.state, State::Asking) {
            self.read()?;
        }
        self.flush()
    }

    fn read(&mut self) -> Result<(), Gone> {
        let mut buffer = [0; 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(Gone),
            Ok(n) => self.input.extend(buffer.iter().take(n)),
            Err(error) => return would_block(&error),
        }
        match http::read(&self.input) {
            Request::Incomplete => {}
            Request::Get { form, chunks } => self.state = State::Asked { form, chunks },
            Request::Refused(status, reason) => {
                let body = format!("{status} {reason}\n");
                let length = body.len();
                self.output = format!(
                    "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                )
                .into_bytes();
                self.state = State::Ending;
            }
        }
        Ok(())
    }

    fn go_on(&mut self, numbers: &mut dyn FnMut() -> Option<Arc<Snapshot>>) {
        if let State::Asked { form, chunks } = self.state {
            let Some(snapshot) = numbers() else { return };
            let kind = form.content_type();
            let coding = if chunks {
                "Transfer-Encoding: chunked\r\n"
            } else {
                ""
            };
            self.output = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\n{coding}Connection: close\r\n\r\n"
            )
            .into_bytes();
            let rest = Exposition::new(form, snapshot);
            self.state = State::Answering { rest, chunks };
            return;
        }
        let State::Answering { rest, chunks } = &mut self.state else {
            return;
        };
        let chunks = *chunks;
        match rest.next() {
            Some(piece) if chunks => {
                let head = format!("{:x}\r\n", piece.len());
                self.output = [head.as_bytes(), piece.as_bytes(), b"\r\n"].concat();
            }
            Some(piece) => self.output = piece.into_bytes(),
            None => {
                if chunks {
                    self.output = b"0\r\n\r\n".to_vec();
                }
                self.state = State::Ending;
            }
        }
    }

    fn flush(&mut self) -> Result<(), Gone> {
        while self.has_output() {
            let rest = self.output.get(self.sent..).unwrap_or_default();
            match self.stream.write(rest) {
                Ok(0) => return Err(Gone),
                Ok(n) => self.sent += n,
                Err(error) => return would_block(&error),
            }
        }
        (self.output, self.sent) = (Vec::new(), 0);
        match self.state {
            State::Ending => Err(Gone),
            _ => Ok(()),
        }
    }
}

fn would_block(error: &io::Error) -> Result<(), Gone> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(Gone),
    }
}
