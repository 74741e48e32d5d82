//! The standard streams of the programs, whose reader may go away and whose disk may be full.

use std::fmt;
use std::io::{self, Write};
use std::process;

/// The exit status of a program whose reader has gone before it was done: that of one which SIGPIPE
/// has ended.
pub const READER_GONE: i32 = 141;

/// Writes to the standard output. A reader that has gone, as with `| head`, ends the program
/// quietly; a full disk ends it with a message.
pub fn say(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    match out.write_fmt(text).and_then(|()| out.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => process::exit(READER_GONE),
        Err(error) => {
            complain(format_args!("cannot write the standard output: {error}\n"));
            process::exit(1);
        }
    }
}

/// Writes to the standard error stream. There is nowhere to report that this failed.
pub fn complain(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// `println!`: see [`say`].
#[macro_export]
macro_rules! sayln {
    ($($arg:tt)*) => { $crate::output::say(format_args!("{}\n", format_args!($($arg)*))) };
}
