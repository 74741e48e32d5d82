//! The sender of a flood.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::Host;
use crate::host::INTERFACE;
use crate::sys::{self, FrameSender};

/// Frames go out this often, as many at once as are due.
const TICK_US: u64 = 1_000;

/// A flood that goes on until it is stopped.
#[derive(Debug)]
pub struct Flooder {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
    began_us: u64,
}

/// The frames sent.
#[derive(Clone, Copy, Debug)]
pub struct Sent {
    /// Frames.
    pub frames: u64,
    /// Frames a second.
    pub per_second: u64,
}

impl Flooder {
    /// Sends each of `frames` once.
    ///
    /// # Panics
    ///
    /// When a frame cannot be sent.
    pub fn once(host: &Host, frames: &[Vec<u8>], per_second: u64) {
        let sender = open(host);
        let began_us = sys::now_us();
        for (number, frame) in (0..).zip(frames) {
            sys::sleep_until_us(began_us + number * 1_000_000 / per_second);
            let one = std::iter::once(frame.as_slice());
            sender.send(one).expect("send a frame");
        }
    }

    /// Begins to send `frames` in turn from `host`, so many a second.
    pub fn start(host: &Host, frames: Vec<Vec<u8>>, per_second: u64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let sender = open(host);
        let stopped = stop.clone();
        let began_us = sys::now_us();
        let thread = std::thread::spawn(move || send(&sender, &frames, per_second, &stopped));
        Self {
            stop,
            thread,
            began_us,
        }
    }

    /// Ends it.
    ///
    /// # Panics
    ///
    /// When a frame could not be sent.
    pub fn stop(self) -> Sent {
        self.stop.store(true, Ordering::Relaxed);
        let frames = self.thread.join().expect("the thread of the flood");
        let span_us = (sys::now_us() - self.began_us).max(1);
        let per_second = frames * 1_000_000 / span_us;
        Sent { frames, per_second }
    }
}

fn open(host: &Host) -> FrameSender {
    let sender = host.netns().enter(|| {
        let ifindex = sys::interface_index(INTERFACE)?;
        FrameSender::open(ifindex)
    });
    sender.expect("a socket for the flood")
}

fn send(sender: &FrameSender, frames: &[Vec<u8>], per_second: u64, stop: &AtomicBool) -> u64 {
    let began_us = sys::now_us();
    let mut sent = 0;
    let mut next = frames.iter().map(Vec::as_slice).cycle();
    while !stop.load(Ordering::Relaxed) {
        let due = (sys::now_us() - began_us) * per_second / 1_000_000;
        while sent < due && !stop.load(Ordering::Relaxed) {
            let batch = (due - sent).min(sys::SEND_FRAMES as u64) as usize;
            sent += sender
                .send(next.by_ref().take(batch))
                .expect("send the flood") as u64;
        }
        sys::sleep_until_us(sys::now_us() + TICK_US);
    }
    sent
}
