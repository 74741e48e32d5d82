//! Signals: a self-pipe that poll(2) sees, and the handlers.

use std::io;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::check;
use super::descriptors::set_nonblocking;

/// The signals that vrrpd listens to.
const HEARD: [libc::c_int; 5] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGCHLD,
];

/// One bit for each signal that has come and was not taken yet.
static PENDING: AtomicU32 = AtomicU32::new(0);

/// The end of the self-pipe that the handler writes to; -1 before [`Signals::install`].
static WAKE: AtomicI32 = AtomicI32::new(-1);

/// Signals turned into something that poll(2) sees.
#[derive(Debug)]
pub struct Signals {
    pub(super) read: OwnedFd,
}

/// The signals that came since they were last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken(u32);

impl Taken {
    /// Restores the value from [`bits`](Taken::bits) of another process.
    pub fn of(bits: u32) -> Self {
        Self(bits)
    }

    /// One bit for each signal.
    pub fn bits(self) -> u32 {
        self.0
    }

    fn has(self, signal: libc::c_int) -> bool {
        self.0 & (1 << signal) != 0
    }

    /// SIGTERM or SIGINT.
    pub fn stop(self) -> bool {
        self.has(libc::SIGTERM) || self.has(libc::SIGINT)
    }

    /// SIGHUP.
    pub fn reload(self) -> bool {
        self.has(libc::SIGHUP)
    }

    /// SIGUSR1.
    pub fn dump(self) -> bool {
        self.has(libc::SIGUSR1)
    }

    /// SIGCHLD.
    pub fn child(self) -> bool {
        self.has(libc::SIGCHLD)
    }
}

impl Signals {
    /// Installs the handlers, once in the life of a process. As PID 1 this is also what makes the
    /// kernel deliver SIGTERM at all.
    pub fn install() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        let (read, write) = (OwnedFd::from(read), OwnedFd::from(write));
        set_nonblocking(&read)?;
        set_nonblocking(&write)?;
        // The write end lives as long as the handlers, which are never taken back.
        WAKE.store(write.into_raw_fd(), Ordering::SeqCst);
        for signal in HEARD {
            // SAFETY: a zeroed sigaction is a valid value; the handler is an extern "C" function
            // that touches atomics and calls write(2) only, both async-signal-safe.
            unsafe {
                let mut action: libc::sigaction = std::mem::zeroed();
                action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize;
                action.sa_flags = libc::SA_RESTART;
                libc::sigemptyset(&mut action.sa_mask);
                check(libc::sigaction(signal, &action, std::ptr::null_mut()))?;
            }
        }
        Ok(Self { read })
    }

    /// Hears nothing, and leaves the handlers of a process of tests alone.
    #[cfg(test)]
    pub(crate) fn deaf() -> io::Result<Self> {
        let (read, write) = io::pipe()?;
        let read = OwnedFd::from(read);
        set_nonblocking(&read)?;
        std::mem::forget(write);
        Ok(Self { read })
    }

    /// The descriptor that becomes readable when a signal has come.
    pub fn fd(&self) -> RawFd {
        self.read.as_raw_fd()
    }

    /// Takes the signals that came since the last call.
    pub fn take(&self) -> Taken {
        let mut sink = [0u8; 64];
        // SAFETY: the buffer is ours and its length is given.
        while unsafe { libc::read(self.fd(), sink.as_mut_ptr().cast(), sink.len()) } > 0 {}
        Taken(PENDING.swap(0, Ordering::SeqCst))
    }
}

extern "C" fn on_signal(signal: libc::c_int) {
    let errno = errno_location();
    // SAFETY: the pointer names this thread's errno, which the interrupted code may be about to
    // read; write(2) on the non-blocking self-pipe is async-signal-safe, and a full pipe is as
    // good as a byte written.
    unsafe {
        let saved = *errno;
        PENDING.fetch_or(1 << signal, Ordering::SeqCst);
        libc::write(WAKE.load(Ordering::SeqCst), [0u8].as_ptr().cast(), 1);
        *errno = saved;
    }
}

fn errno_location() -> *mut libc::c_int {
    // SAFETY: returns the address of the calling thread's errno and cannot fail.
    #[cfg(target_os = "linux")]
    unsafe {
        libc::__errno_location()
    }
    // SAFETY: as above.
    #[cfg(not(target_os = "linux"))]
    unsafe {
        libc::__error()
    }
}

/// From now on the signals that vrrpd listens to are for another process to take.
pub(super) fn ignore_signals() {
    for signal in HEARD.into_iter().filter(|&signal| signal != libc::SIGCHLD) {
        // SAFETY: takes plain numbers; nothing is called when such a signal comes.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
