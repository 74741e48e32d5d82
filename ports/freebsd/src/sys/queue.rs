//! Waiting for many things at once.

use std::ffi::c_void;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use vrrp_core::Instant;
use vrrp_host::Waited;
use vrrp_port_kit::WakeUp;

use super::{check, monotonic_us, own};

/// A report of a [`Queue`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// The timer has expired.
    Timer,
    /// The descriptor that was added with this token has something to read.
    Read(u64),
}

/// A kqueue: descriptors and a timer, as one descriptor that others wait on, or with a
/// [`wait`](Queue::wait) of its own.
#[derive(Debug)]
pub(crate) struct Queue {
    fd: OwnedFd,
    wakeup: WakeUp,
    /// No one waits on the descriptor, so that it is for the next wait to set the timer.
    waits: bool,
    /// Reports that were found and not taken.
    found: Vec<Ready>,
}

const TIMER_IDENT: usize = 1;
const MOST_READY: usize = 64;
/// The token of descriptors that are not the queue's own.
const OTHER: u64 = u64::MAX;

impl Queue {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes nothing.
        let fd = own(unsafe { libc::kqueue() })?;
        // SAFETY: takes plain numbers. A kqueue is not inherited by fork(2), but its number is.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
        Ok(Self {
            fd,
            wakeup: WakeUp::default(),
            waits: false,
            found: Vec::new(),
        })
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// Adds a descriptor, to be reported as `token` when readable. It leaves when it is closed.
    pub(crate) fn add(&self, fd: &impl AsRawFd, token: u64) -> io::Result<()> {
        let event = reading(fd.as_raw_fd(), libc::EV_ADD, token);
        self.exchange(&[event], &mut [], Some(Duration::ZERO))
            .map(drop)
    }

    /// The timer is to expire at `wakeup`, for the host, if [`arm`](Queue::arm) does not want it
    /// sooner. `None`: not for the host.
    pub(crate) fn set_wakeup(&mut self, wakeup: Option<Instant>) {
        self.wakeup.set_host(wakeup);
    }

    /// The deadline that the timer has, or is given by the next wait.
    pub(crate) fn wakeup(&self) -> Option<Instant> {
        self.wakeup.deadline()
    }

    /// Sets the timer: for the host, or for ourselves if that is sooner.
    pub(crate) fn arm(&mut self, own: Option<Instant>) -> io::Result<()> {
        self.wakeup.set_own(own);
        if self.waits {
            return Ok(());
        }
        if let Some(at) = self.wakeup.change() {
            self.exchange(&[expiry(at)], &mut [], Some(Duration::ZERO))?;
            self.wakeup.set_armed(at);
        }
        Ok(())
    }

    /// Waits until something of the queue's or one of `others` is ready or `timeout` has passed.
    /// `true`: there is something to [`take`](Queue::take). A signal ends the wait early.
    pub(crate) fn wait(
        &mut self,
        others: &mut [Waited],
        timeout: Option<Duration>,
    ) -> io::Result<bool> {
        self.waits = true;
        let change = self.wakeup.change();
        let mut changes: Vec<_> = change.map(expiry).into_iter().collect();
        // Each once. One that has not become ready stays, and ends one wait in vain if it becomes
        // ready when it is not waited for any more.
        changes.extend(others.iter().map(|other| {
            let mut event = reading(other.fd, libc::EV_ADD | libc::EV_ONESHOT, OTHER);
            if other.write {
                event.filter = libc::EVFILT_WRITE;
            }
            event
        }));
        let timeout = match self.found.is_empty() {
            true => timeout,
            false => Some(Duration::ZERO),
        };
        let mut events = room();
        let count = self.exchange(&changes, &mut events, timeout)?;
        if let Some(at) = change {
            self.wakeup.set_armed(at);
        }
        for event in events.iter().take(count) {
            if self.keep(event) {
                continue;
            }
            // One that the kernel refuses to wait for is ready, too: to fail.
            for other in others.iter_mut() {
                let write = event.filter == libc::EVFILT_WRITE;
                if (other.fd, other.write) == (event.ident as RawFd, write) {
                    other.ready = true;
                }
            }
        }
        Ok(!self.found.is_empty())
    }

    /// Takes into `ready` what a wait has found, or else what is ready now, at most 64.
    pub(crate) fn take(&mut self, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        if self.found.is_empty() {
            let mut events = room();
            let count = self.exchange(&[], &mut events, Some(Duration::ZERO))?;
            for event in events.iter().take(count) {
                // That of another is told again when it is waited for again.
                self.keep(event);
            }
        }
        std::mem::swap(ready, &mut self.found);
        if ready.contains(&Ready::Timer) {
            // It expires once. Until it is taken the deadline stands.
            self.wakeup.expired(Instant::from_micros(monotonic_us()));
        }
        Ok(())
    }

    /// Keeps what is the queue's own. `false`: it is not.
    fn keep(&mut self, event: &libc::kevent) -> bool {
        let ready = match (event.filter, event.udata as usize as u64) {
            (_, OTHER) => return false,
            (libc::EVFILT_TIMER, _) => Ready::Timer,
            (_, token) => Ready::Read(token),
        };
        if !self.found.contains(&ready) {
            self.found.push(ready);
        }
        true
    }

    /// Makes `changes`, then waits for `events`; gives the number of those that came, or of changes
    /// that could not be made.
    fn exchange(
        &self,
        changes: &[libc::kevent],
        events: &mut [libc::kevent],
        timeout: Option<Duration>,
    ) -> io::Result<usize> {
        let timeout = timeout.map(|timeout| libc::timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: timeout.subsec_nanos().into(),
        });
        let timeout = timeout.as_ref().map_or(std::ptr::null(), |t| t);
        // SAFETY: the pointers and lengths are those of slices, of which the call reads the first
        // and writes the second; the timeout is null or outlives the call.
        let count = check(unsafe {
            libc::kevent(
                self.raw(),
                changes.as_ptr(),
                changes.len() as libc::c_int,
                events.as_mut_ptr(),
                events.len() as libc::c_int,
                timeout,
            )
        });
        match count {
            Ok(count) => Ok(count as usize),
            // All changes have been made.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(error),
        }
    }
}

fn room() -> [libc::kevent; MOST_READY] {
    [event(0, 0, 0); MOST_READY]
}

/// The change that lets the timer expire at `at`, or not at all.
fn expiry(at: Option<Instant>) -> libc::kevent {
    let Some(at) = at else {
        return event(TIMER_IDENT, libc::EVFILT_TIMER, libc::EV_DELETE);
    };
    let flags = libc::EV_ADD | libc::EV_ONESHOT;
    let mut event = event(TIMER_IDENT, libc::EVFILT_TIMER, flags);
    event.fflags = libc::NOTE_USECONDS;
    let after = at.as_micros().saturating_sub(monotonic_us());
    event.data = i64::try_from(after).unwrap_or(i64::MAX / 1_000_000);
    event
}

fn reading(fd: RawFd, flags: u16, token: u64) -> libc::kevent {
    let mut event = event(fd as usize, libc::EVFILT_READ, flags);
    event.udata = token as usize as *mut c_void;
    event
}

fn event(ident: usize, filter: i16, flags: u16) -> libc::kevent {
    // SAFETY: zeros are a valid kevent.
    let mut event: libc::kevent = unsafe { zeroed() };
    event.ident = ident;
    event.filter = filter;
    event.flags = flags;
    event
}
