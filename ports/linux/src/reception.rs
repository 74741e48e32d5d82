//! Reads the packet sockets: the same in the process that opened them and in a worker that they were
//! handed to.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use vrrp_host::{HostIf, Incoming};
use vrrp_port_kit::KernelIf;

use crate::flood_polling::{FloodPolling, Wait};
use crate::sockets::Sockets;
use crate::sys::{self, Epoll, ReceiveBatch, Timer};

/// Full batches that are taken of a socket at once. What a flood brings beyond that, sixty-four
/// thousand frames a second and more, the kernel may have to drop.
const BATCHES: usize = 4;
/// The time between two reads of a socket of announcements. A router with the MAC of its interface asks
/// for the MACs of its clients in the name of the virtual address, perhaps often, and that is none of
/// our business.
const REST: Duration = Duration::from_secs(1);

/// The facts that a frame is judged by.
pub(crate) trait Heard {
    /// The packet socket that a token stands for. `None`: closed since the token was made.
    fn socket(&self, token: u64) -> Option<&OwnedFd>;

    /// Whether a frame that `device` took in is for a watched interface: it may have come by one of our
    /// macvlans, but not by a VLAN on the interface.
    fn belongs(&self, host_if: HostIf, device: KernelIf) -> bool;

    /// Whether a frame comes from an interface of this host, perhaps one on the same segment.
    fn is_from_us(&self, frame: &[u8]) -> bool;
}

/// The reader of packet sockets.
#[derive(Debug)]
pub(crate) struct Reception {
    batch: ReceiveBatch,
    polling: FloodPolling,
    /// Sockets that are not waited for, and until when.
    resting: Vec<(u64, u64)>,
    /// Until when none rests: a neighbour probe waits for its answer.
    attentive_until_us: u64,
    received: u64,
    too_long: u64,
}

impl Reception {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            batch: ReceiveBatch::new(),
            polling: FloodPolling::new()?,
            resting: Vec::new(),
            attentive_until_us: 0,
            received: 0,
            too_long: 0,
        })
    }

    /// Expires when [`read`](Self::read) is due though no socket is reported.
    pub(crate) fn timer(&self) -> &Timer {
        self.polling.timer()
    }

    /// Frames received, and those that were too long.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.received, self.too_long)
    }

    /// Reads the sockets in `tokens`, and those that are read by the clock. `due`: the timer expired.
    pub(crate) fn read(
        &mut self,
        tokens: &mut Vec<u64>,
        due: bool,
        from: (&impl Heard, &Epoll),
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> io::Result<()> {
        let (heard, epoll) = from;
        let mut result = self.end_rests(heard, epoll);
        let polled = due || !self.polling.polled().is_empty();
        tokens.retain(|token| !self.polling.polled().contains(token));
        tokens.extend_from_slice(self.polling.polled());
        for &token in tokens.iter() {
            result = result.and(self.read_socket(token, (heard, epoll), sink));
        }
        if polled || !self.polling.polled().is_empty() {
            self.polling.timer().clear();
            result = result.and(self.polling.arm());
        }
        result
    }

    /// Reads a packet socket; while much comes in, by the clock.
    fn read_socket(
        &mut self,
        token: u64,
        (heard, epoll): (&impl Heard, &Epoll),
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> io::Result<()> {
        if Sockets::is_for_announcements(Sockets::split_token(token).1) {
            self.receive_frames(token, heard, sink)?;
            if sys::monotonic_us() < self.attentive_until_us {
                return Ok(());
            }
            return self.rest(token, (heard, epoll));
        }
        let mut frames = 0;
        for _ in 0..BATCHES {
            let taken = self.receive_frames(token, heard, sink)?;
            frames += taken;
            if taken < sys::RECEIVE_FRAMES {
                break;
            }
        }
        let reported = match self.polling.note(token, frames) {
            Wait::Same => return Ok(()),
            Wait::Not => false,
            Wait::Again => true,
        };
        match heard.socket(token) {
            Some(fd) => epoll.set_reported(fd, token, reported),
            None => Ok(()),
        }
    }

    /// Takes a batch of frames of a packet socket; returns how many.
    fn receive_frames(
        &mut self,
        token: u64,
        heard: &impl Heard,
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> io::Result<usize> {
        let (host_if, place) = Sockets::split_token(token);
        let announced = Sockets::is_for_announcements(place);
        let Some(fd) = heard.socket(token) else {
            return Ok(0);
        };
        match self.batch.receive(fd) {
            Ok(()) => {}
            // The interface went down: netlink tells, too.
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) => return Ok(0),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
            Err(error) => return Err(error),
        }
        let mut taken = 0;
        for frame in self.batch.frames() {
            taken += 1;
            let Some((device, frame)) = frame else {
                self.too_long += 1;
                continue;
            };
            if !heard.belongs(host_if, device) {
                continue;
            }
            self.received += 1;
            // Announcements come with VRRP over IPv6.
            let announced = announced || Sockets::is_announcement(place, frame);
            if !announced {
                sink(Incoming::Frame { host_if, frame });
            } else if is_from_virtual_mac(frame) || !heard.is_from_us(frame) {
                sink(Incoming::Announcement { host_if, frame });
            }
        }
        Ok(taken)
    }

    /// Makes ready for the answer to a neighbour probe that is about to be sent: no socket of announcements
    /// rests for a while. What such a socket has taken in before is no answer, and is discarded.
    pub(crate) fn attend(&mut self, (heard, epoll): (&impl Heard, &Epoll)) {
        self.attentive_until_us = sys::monotonic_us() + REST.as_micros() as u64;
        for (_, until_us) in &mut self.resting {
            *until_us = 0;
        }
        let resting = self.resting.iter().map(|(token, _)| *token);
        for token in resting.collect::<Vec<u64>>() {
            for _ in 0..BATCHES {
                let taken = self.receive_frames(token, heard, &mut |_| {});
                if taken.is_ok_and(|taken| taken < sys::RECEIVE_FRAMES) {
                    break;
                }
            }
        }
        // A socket that cannot be waited for is told by the next read.
        let _ = self.end_rests(heard, epoll);
    }

    /// Lets a socket rest that has been read.
    fn rest(&mut self, token: u64, (heard, epoll): (&impl Heard, &Epoll)) -> io::Result<()> {
        let until_us = sys::monotonic_us() + REST.as_micros() as u64;
        let Some(fd) = heard.socket(token) else {
            return Ok(());
        };
        epoll.set_reported(fd, token, false)?;
        self.resting.push((token, until_us));
        Ok(())
    }

    /// Waits again for sockets that have rested. The next call of the host will do: it need not be
    /// woken for that.
    fn end_rests(&mut self, heard: &impl Heard, epoll: &Epoll) -> io::Result<()> {
        if self.resting.is_empty() {
            return Ok(());
        }
        let now_us = sys::monotonic_us();
        let mut result = Ok(());
        self.resting.retain(|&(token, until_us)| {
            if until_us > now_us {
                return true;
            }
            if let Some(fd) = heard.socket(token)
                && let Err(error) = epoll.set_reported(fd, token, true)
            {
                result = Err(error);
            }
            false
        });
        result
    }
}

/// Whether a frame comes from a virtual MAC (RFC 9568 section 7.3). An interface of ours may have the same
/// and be down, while another router serves and answers a neighbour probe.
fn is_from_virtual_mac(frame: &[u8]) -> bool {
    matches!(frame.get(6..11), Some([0, 0, 0x5e, 0, 1 | 2]))
}
