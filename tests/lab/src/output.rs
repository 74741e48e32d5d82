//! The standard streams of the lab's programs, whose reader may go away and whose disk may be full.
//!
//! `println!` panics in both cases. [`sayln!`](crate::sayln) unwinds, which takes down every host and
//! daemon, and [`program`] makes an exit status of it: quietly where a reader has gone, as with `| head`.

use std::fmt;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program whose reader has gone before it was done: that of one which SIGPIPE
/// has ended.
const READER_GONE: u8 = 141;

/// The output has ended: what unwinds then is no failure whose traces are of use.
static ENDED: AtomicBool = AtomicBool::new(false);

/// Text that could not be written to the standard output.
struct Unwritten(io::Error);

/// Runs the program `name` to its end, or to that of its output.
pub fn program(name: &str, run: impl FnOnce() -> ExitCode) -> ExitCode {
    let payload = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(code) => return code,
        Err(payload) => payload,
    };
    match payload.downcast::<Unwritten>() {
        Ok(unwritten) if unwritten.0.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::from(READER_GONE)
        }
        Ok(unwritten) => {
            let error = unwritten.0;
            complain(format_args!(
                "{name}: cannot write the standard output: {error}\n"
            ));
            ExitCode::FAILURE
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// Writes to the standard output, and unwinds to [`program`] when that fails.
pub fn say(text: fmt::Arguments<'_>) {
    let mut out = io::stdout().lock();
    if let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) {
        drop(out);
        ENDED.store(true, Ordering::Relaxed);
        resume_unwind(Box::new(Unwritten(error)));
    }
}

/// Writes to the standard error stream. There is nowhere to report that this failed.
pub fn complain(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Whether this thread unwinds for a failure, of which traces are to be shown.
pub(crate) fn is_failing() -> bool {
    std::thread::panicking() && !ENDED.load(Ordering::Relaxed)
}

/// `print!` for programs that run under [`output::program`](crate::output::program).
#[macro_export]
macro_rules! say {
    ($($arg:tt)*) => { $crate::output::say(format_args!($($arg)*)) };
}

/// `println!` for programs that run under [`output::program`](crate::output::program).
#[macro_export]
macro_rules! sayln {
    () => { $crate::output::say(format_args!("\n")) };
    ($($arg:tt)*) => { $crate::output::say(format_args!("{}\n", format_args!($($arg)*))) };
}

/// `eprintln!` that does not panic.
#[macro_export]
macro_rules! complain {
    ($($arg:tt)*) => { $crate::output::complain(format_args!("{}\n", format_args!($($arg)*))) };
}
