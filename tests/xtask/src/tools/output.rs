//! The standard streams, whose reader may go away and whose disk may be full.

use std::fmt;
use std::io::{self, Write};
use std::process;

/// The exit status of a program whose reader has gone before it was done: that of one which SIGPIPE
/// has ended.
pub(crate) const READER_GONE: i32 = 141;

/// Writes to the standard output. A reader that has gone, as with `| head`, ends the program
/// quietly; a full disk ends it with a message.
pub(crate) fn say(text: fmt::Arguments<'_>) {
    match try_say(text) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => process::exit(READER_GONE),
        Err(error) => {
            complain(format_args!("cannot write the standard output: {error}\n"));
            process::exit(1);
        }
    }
}

/// As [`say()`], for those who have something to put in order before the program ends.
pub(crate) fn try_say(text: fmt::Arguments<'_>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_fmt(text).and_then(|()| out.flush())
}

/// Writes to the standard error stream. There is nowhere to report that this failed.
pub(crate) fn complain(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}
