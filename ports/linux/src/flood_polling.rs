//! How often a packet socket is read while very much comes in.
//!
//! Woken by each frame of a flood, the host would spend most of its time on waking up. So a socket
//! that brings more than so many frames in a short span is not waited for, but read every
//! millisecond until it brings less. Whenever the host receives for another reason, such as a timer
//! that has expired, it is read too: what has come is never overtaken.

use std::io;
use std::time::Duration;

use crate::sys::{self, Timer};

/// Frames are counted over this span.
const SPAN: Duration = Duration::from_millis(10);
/// Frames in a span that are a flood.
const FLOOD: usize = 100;
/// The time between two reads.
const TICK: Duration = Duration::from_millis(1);
/// A read that brings no more than this ends it.
const CALM: usize = 4;

/// The change of waiting for a socket that [`FloodPolling::note`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As before.
    Same,
    /// No more: the timer says when it is read.
    Not,
    /// Again.
    Again,
}

/// Which sockets are read by the clock.
#[derive(Debug)]
pub(crate) struct FloodPolling {
    timer: Timer,
    polled: Vec<u64>,
    span: Span,
}

/// A span of time and the frames in it.
#[derive(Debug, Default)]
struct Span {
    from_us: u64,
    frames: usize,
}

impl FloodPolling {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            timer: Timer::new()?,
            polled: Vec::new(),
            span: Span::default(),
        })
    }

    /// Expires when such sockets have to be read.
    pub(crate) fn timer(&self) -> &Timer {
        &self.timer
    }

    /// Sockets that are to be read though nobody waits for them.
    pub(crate) fn polled(&self) -> &[u64] {
        &self.polled
    }

    /// Takes note that a read of the socket `token` has brought so many frames.
    pub(crate) fn note(&mut self, token: u64, frames: usize) -> Wait {
        let is_flood = self.span.add(sys::monotonic_us(), frames);
        match self.polled.iter().position(|polled| *polled == token) {
            None if is_flood => {
                self.polled.push(token);
                Wait::Not
            }
            Some(place) if frames <= CALM => {
                self.polled.swap_remove(place);
                Wait::Again
            }
            _ => Wait::Same,
        }
    }

    /// Sets the timer for the next read.
    pub(crate) fn arm(&self) -> io::Result<()> {
        let next_us = sys::monotonic_us() + TICK.as_micros() as u64;
        self.timer.arm((!self.polled.is_empty()).then_some(next_us))
    }
}

impl Span {
    /// Counts frames; says whether they are a flood together with those of the span before them.
    fn add(&mut self, now_us: u64, frames: usize) -> bool {
        if now_us.saturating_sub(self.from_us) >= SPAN.as_micros() as u64 {
            self.from_us = now_us;
            self.frames = 0;
        }
        self.frames = self.frames.saturating_add(frames);
        self.frames > FLOOD
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_what_comes_within_a_span() {
        let mut span = Span::default();
        for now_us in (20_000..20_000_000).step_by(10_000) {
            assert!(!span.add(now_us, FLOOD));
            assert!(span.add(now_us + 9_999, 1));
        }
    }

    #[test]
    fn a_socket_is_polled_until_it_brings_little() {
        let mut polling = FloodPolling::new().unwrap();
        assert_eq!(polling.note(7, 64), Wait::Same);
        assert_eq!(polling.note(7, 64), Wait::Not);
        assert_eq!(polling.polled(), [7]);
        assert_eq!(polling.note(7, 64), Wait::Same);
        assert_eq!(polling.note(7, CALM + 1), Wait::Same);
        assert_eq!(polling.note(7, CALM), Wait::Again);
        assert_eq!(polling.polled(), []);
    }
}
