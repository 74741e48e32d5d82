//! vrrpd as a background process (daemon).

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use super::check;
use super::descriptors::close_streams;

/// The rest of a [`daemonize`] in the background process: the word to its parent, which waits.
#[derive(Debug)]
pub struct Background {
    report: OwnedFd,
}

impl Background {
    /// Lets the waiting parent end with `code`. After success the standard streams are closed.
    pub fn report(self, code: u8) -> io::Result<()> {
        // SAFETY: one octet of a live buffer to a descriptor that we own.
        unsafe { libc::write(self.report.as_raw_fd(), [code].as_ptr().cast(), 1) };
        match code {
            0 => close_streams(),
            _ => Ok(()),
        }
    }
}

/// Goes into the background (daemon(7)). The caller returns in a process without a terminal, a child of
/// the session leader. The original process waits for [`Background::report`] and ends with that exit
/// status, or with 1 when the background process dies before it reports.
///
/// Must come before the first thread is made: fork(2) would lose it.
pub fn daemonize() -> io::Result<Background> {
    let (read, write) = io::pipe()?;
    // SAFETY: the process has one thread, so the child of fork may do anything.
    if check(unsafe { libc::fork() })? > 0 {
        drop(write);
        let mut code = [1u8];
        // SAFETY: one octet into a live buffer; _exit runs nothing of ours twice.
        unsafe {
            while libc::read(read.as_raw_fd(), code.as_mut_ptr().cast(), 1) < 0
                && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
            {}
            libc::_exit(i32::from(code[0]));
        }
    }
    drop(read);
    // SAFETY: setsid takes nothing; the second fork, as above, has one thread to copy.
    unsafe {
        check(libc::setsid())?;
        if check(libc::fork())? > 0 {
            libc::_exit(0);
        }
    }
    std::env::set_current_dir("/")?;
    Ok(Background {
        report: OwnedFd::from(write),
    })
}
