//! Waiting for many things at once.

use std::ffi::c_void;
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use super::{check, own};

/// What a [`Queue`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ready {
    /// The timer has expired.
    Timer,
    /// The descriptor that was added with this token has something to read.
    Read(u64),
}

/// A kqueue: descriptors and a timer that are together one descriptor to wait on.
#[derive(Debug)]
pub(crate) struct Queue(OwnedFd);

const TIMER_IDENT: usize = 1;

const MOST_READY: usize = 64;

impl Queue {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes nothing.
        let fd = own(unsafe { libc::kqueue() })?;
        // SAFETY: takes plain numbers. A kqueue is not inherited by fork(2), but its number is.
        check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) })?;
        Ok(Self(fd))
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Adds a descriptor, to be reported as `token` when readable. It leaves when it is closed.
    pub(crate) fn add(&self, fd: &impl AsRawFd, token: u64) -> io::Result<()> {
        let mut event = event(fd.as_raw_fd() as usize, libc::EVFILT_READ, libc::EV_ADD);
        event.udata = token as usize as *mut c_void;
        self.change(&event)
    }

    /// Expires `after_us` from now, once; `None`: never. Replaces what was set.
    pub(crate) fn arm(&self, after_us: Option<u64>) -> io::Result<()> {
        let Some(after_us) = after_us else {
            let event = event(TIMER_IDENT, libc::EVFILT_TIMER, libc::EV_DELETE);
            return match self.change(&event) {
                // It had expired, or was never set.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
                other => other,
            };
        };
        let flags = libc::EV_ADD | libc::EV_ONESHOT;
        let mut event = event(TIMER_IDENT, libc::EVFILT_TIMER, flags);
        event.fflags = libc::NOTE_USECONDS;
        event.data = i64::try_from(after_us).unwrap_or(i64::MAX / 1_000_000);
        self.change(&event)
    }

    fn change(&self, event: &libc::kevent) -> io::Result<()> {
        // SAFETY: one event to read, none to write.
        check(unsafe {
            libc::kevent(
                self.raw(),
                event,
                1,
                std::ptr::null_mut(),
                0,
                std::ptr::null(),
            )
        })?;
        Ok(())
    }

    /// What is ready now, at most 64, into `ready`.
    pub(crate) fn ready(&self, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        // SAFETY: zeros are valid kevents and a valid timespec.
        let (mut events, now): ([libc::kevent; MOST_READY], libc::timespec) =
            unsafe { (zeroed(), zeroed()) };
        // SAFETY: the array has room for as many events as the call may write.
        let count = check(unsafe {
            libc::kevent(
                self.raw(),
                std::ptr::null(),
                0,
                events.as_mut_ptr(),
                MOST_READY as libc::c_int,
                &now,
            )
        })?;
        let found = events.iter().take(count as usize);
        ready.extend(found.map(|event| match event.filter {
            libc::EVFILT_TIMER => Ready::Timer,
            _ => Ready::Read(event.udata as usize as u64),
        }));
        Ok(())
    }
}

fn event(ident: usize, filter: i16, flags: u16) -> libc::kevent {
    // SAFETY: zeros are a valid kevent.
    let mut event: libc::kevent = unsafe { zeroed() };
    event.ident = ident;
    event.filter = filter;
    event.flags = flags;
    event
}
