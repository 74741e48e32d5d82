//! One client of the control socket, as the daemon sees it.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::pieces::{PIECE, Pieces};
use crate::history::History;
use vrrp_control::Answer;

/// The longest request.
const MAX_REQUEST: usize = 4096;
/// A client that neither asks nor takes its answer for so long is hung up on.
const IDLE: Duration = Duration::from_secs(30);

/// A client.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    /// Its number, which no other client has.
    pub(super) number: u64,
    /// The user whose it is.
    pub(super) uid: u32,
    /// Whether it may change things.
    pub(super) admin: bool,
    /// It wants records, and asks no more: the number of the next one for it.
    subscribed: Option<u64>,
    input: Vec<u8>,
    output: Vec<u8>,
    /// The rest of an answer that is given in pieces.
    rest: Option<Pieces>,
    /// The octets of the output that have been sent.
    sent: usize,
    /// Hang up when the output is sent.
    closing: bool,
    /// A request of it is being carried out.
    waits: bool,
    progress: Instant,
}

/// A client is to be hung up on.
#[derive(Debug)]
pub(super) struct Gone;

impl Client {
    pub(super) fn new(
        stream: UnixStream,
        number: u64,
        (uid, admin): (u32, bool),
        now: Instant,
    ) -> Self {
        Self {
            stream,
            number,
            uid,
            admin,
            subscribed: None,
            input: Vec::new(),
            output: Vec::new(),
            rest: None,
            sent: 0,
            closing: false,
            waits: false,
            progress: now,
        }
    }

    pub(super) fn fd(&self) -> RawFd {
        self.stream.as_raw_fd()
    }

    /// Whether an answer waits to be taken. No further request is read before it is.
    pub(super) fn has_output(&self) -> bool {
        self.sent < self.output.len()
    }

    /// Whether it may ask: no answer is under way.
    fn is_free(&self) -> bool {
        let between = !self.has_output() && self.rest.is_none();
        between && !self.closing && !self.waits && self.subscribed.is_none()
    }

    /// Whether more is to be read from it: a request, or its end.
    pub(super) fn is_read(&self) -> bool {
        self.subscribed.is_some()
            || !self.has_output() && self.rest.is_none() && self.line_end().is_none()
    }

    /// Whether a whole request waits that needs no more reading, or the next piece of an answer is to
    /// be made, or there are records for it that were not sent. `next` is the number of the next record.
    pub(super) fn has_work(&self, next: u64) -> bool {
        self.is_free() && self.line_end().is_some()
            || self.is_between_pieces()
            || self.is_behind(next)
    }

    fn is_behind(&self, next: u64) -> bool {
        self.subscribed.is_some_and(|first| first < next) && !self.has_output()
    }

    /// From now on it wants records, from number `first` on.
    pub(super) fn subscribe(&mut self, first: u64) {
        self.subscribed = Some(first);
    }

    fn is_between_pieces(&self) -> bool {
        self.rest.is_some() && !self.has_output()
    }

    /// When it will have been idle for too long. `None`: it waits for events, rightly.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.subscribed.is_none() || self.has_output()).then(|| self.progress + IDLE)
    }

    /// Reads what has come, as far as it may.
    pub(super) fn read(&mut self, now: Instant) -> Result<(), Gone> {
        let mut buffer = [0u8; 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Err(Gone),
            // Requests of a subscriber are ignored.
            Ok(_) if self.subscribed.is_some() || self.closing => Ok(()),
            Ok(n) => {
                self.input.extend(buffer.iter().take(n));
                if self.line_end().is_none() && self.input.len() > MAX_REQUEST {
                    self.input.clear();
                    let text = format!("a request has at most {MAX_REQUEST} octets");
                    self.answer(&Answer::error(text), now);
                    self.closing = true;
                }
                Ok(())
            }
            Err(error) => would_block(&error),
        }
    }

    /// The next whole request.
    pub(super) fn request(&mut self) -> Option<Vec<u8>> {
        if !self.is_free() {
            return None;
        }
        let end = self.line_end()?;
        let rest = self.input.split_off(end + 1);
        let mut line = std::mem::replace(&mut self.input, rest);
        line.pop();
        Some(line)
    }

    /// It has made a request whose answer is to come.
    pub(super) fn wait(&mut self) {
        self.waits = true;
    }

    /// Gives it an answer to take.
    pub(super) fn answer(&mut self, answer: &Answer, now: Instant) {
        self.waits = false;
        // Our own types always have a JSON form; if not, there is nothing to answer with.
        if serde_json::to_writer(&mut self.output, answer).is_ok() {
            self.output.push(b'\n');
        } else {
            self.closing = true;
        }
        self.progress = now;
    }

    /// Gives it an answer to take in pieces.
    pub(super) fn answer_in_pieces(&mut self, pieces: Pieces, now: Instant) {
        self.waits = false;
        self.rest = Some(pieces);
        self.go_on(now);
    }

    /// Makes the next piece of an answer. Returns whether one was under way.
    pub(super) fn go_on(&mut self, now: Instant) -> bool {
        if !self.is_between_pieces() {
            return false;
        }
        if let Some(rest) = &mut self.rest {
            let piece = rest.next();
            self.output = piece.octets;
            if piece.is_last {
                self.rest = None;
            }
        }
        self.progress = now;
        true
    }

    /// Gives a subscriber that has taken everything the next records, and tells it how many are forgotten.
    /// Returns whether there were any.
    pub(super) fn catch_up(&mut self, history: &History, now: Instant) -> bool {
        let Some(first) = self.subscribed.filter(|_| self.is_behind(history.next())) else {
            return false;
        };
        let count = history.forgotten(first);
        if count > 0 {
            self.answer(&Answer::Dropped { count }, now);
        }
        let mut next = history.next();
        for record in history.from(first) {
            if self.output.len() >= PIECE {
                next = record.seq();
                break;
            }
            // Its form is that of an answer.
            if serde_json::to_writer(&mut self.output, record).is_ok() {
                self.output.push(b'\n');
            }
        }
        self.subscribed = Some(next);
        self.progress = now;
        true
    }

    /// Sends what it will take.
    pub(super) fn flush(&mut self, now: Instant) -> Result<(), Gone> {
        while self.has_output() {
            match self
                .stream
                .write(self.output.get(self.sent..).unwrap_or_default())
            {
                Ok(0) => return Err(Gone),
                Ok(n) => {
                    self.sent += n;
                    self.progress = now;
                }
                Err(error) => {
                    return would_block(&error);
                }
            }
        }
        // A status of hundreds of virtual routers is large: its memory is given back.
        self.output = Vec::new();
        self.sent = 0;
        if self.closing { Err(Gone) } else { Ok(()) }
    }

    fn line_end(&self) -> Option<usize> {
        self.input.iter().position(|&b| b == b'\n')
    }
}

fn would_block(error: &io::Error) -> Result<(), Gone> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(()),
        _ => Err(Gone),
    }
}
