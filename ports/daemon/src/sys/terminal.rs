//! The terminal of `vrrpctl`: raw input, and its size.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::check;

/// A terminal whose keys are read one by one and not shown, until it is dropped.
pub struct RawTerminal {
    pub(super) input: RawFd,
    before: libc::termios,
}

impl RawTerminal {
    /// Reads every key of `input`, Ctrl-C too. `None`: `input` or `output` is no terminal.
    pub fn enter(input: &impl AsRawFd, output: &impl AsRawFd) -> io::Result<Option<Self>> {
        let (input, output) = (input.as_raw_fd(), output.as_raw_fd());
        // SAFETY: zeros are a valid value, which the call overwrites; the rest take plain numbers.
        unsafe {
            if libc::isatty(input) != 1 || libc::isatty(output) != 1 {
                return Ok(None);
            }
            let mut before: libc::termios = std::mem::zeroed();
            check(libc::tcgetattr(input, &mut before))?;
            let mut raw = before;
            raw.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG);
            check(libc::tcsetattr(input, libc::TCSANOW, &raw))?;
            Ok(Some(Self { input, before }))
        }
    }
}

impl std::fmt::Debug for RawTerminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RawTerminal").finish_non_exhaustive()
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        // SAFETY: the settings are those that the terminal had.
        unsafe { libc::tcsetattr(self.input, libc::TCSANOW, &self.before) };
    }
}

/// The rows and columns of a terminal.
pub fn terminal_size(terminal: &impl AsRawFd) -> Option<(usize, usize)> {
    let fd = terminal.as_raw_fd();
    // SAFETY: the kernel fills the struct, which outlives the call; zeros are a valid value.
    let (result, size) = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        (libc::ioctl(fd, libc::TIOCGWINSZ, &mut size), size)
    };
    let known = result == 0 && size.ws_row > 0 && size.ws_col > 0;
    known.then(|| (size.ws_row.into(), size.ws_col.into()))
}
