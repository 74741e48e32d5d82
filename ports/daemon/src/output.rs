//! The standard streams of a program whose reader may go away or whose disk may be full.
//!
//! `println!` panics in both cases. Here a reader that has gone, as with `| head`, is told to the
//! caller, who ends quietly, and everything else is an error to report.

use std::fmt::Display;
use std::io::{self, Write};

/// The fate of a text that was written to the standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Printed {
    /// It is written.
    Whole,
    /// Its reader has closed the pipe, and wants no more.
    ReaderGone,
}

/// Writes a text to the standard output.
///
/// # Errors
/// It cannot be written, with words to report.
pub fn print(text: &str) -> Result<Printed, String> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Printed::Whole),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Printed::ReaderGone),
        Err(error) => Err(format!("cannot write the standard output: {error}")),
    }
}

/// Writes a text to the standard error stream. There is nowhere to report that this failed.
pub fn complain(text: impl Display) {
    let _ = write!(io::stderr().lock(), "{text}");
}
