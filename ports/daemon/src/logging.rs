//! The log: lines to the standard error stream, or to syslog when vrrpd is in the background or about to
//! go there.
//!
//! A log that does not take a line never holds up the protocol: the line is dropped and counted,
//! and the count is reported once lines are taken again.

use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::sync::{Mutex, PoisonError};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::sys;

/// A line longer than this is cut: a pipe takes so much in one piece or not at all.
pub const MAX_LINE: usize = 4000;

#[cfg(target_os = "linux")]
const SYSLOG: &str = "/dev/log";
#[cfg(not(target_os = "linux"))]
const SYSLOG: &str = "/var/run/log";

/// The destination of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The standard error stream, as text.
    Stderr,
    /// The standard error stream with a `<N>` priority before each line, as a service manager's
    /// journal reads it.
    Journal,
    /// The local syslog daemon, facility daemon.
    Syslog,
    /// As [`Syslog`](Target::Syslog), while somebody at the terminal waits for the start: errors, and
    /// lines that the syslog daemon does not take, are on the standard error stream, too.
    Starting,
    /// Another process, which [`pass_on`]s what it receives.
    Relay,
}

impl Target {
    /// The journal when it says that it reads our standard error stream, plain text otherwise.
    pub fn of_stderr() -> Self {
        match std::env::var_os("JOURNAL_STREAM") {
            Some(_) => Target::Journal,
            None => Target::Stderr,
        }
    }
}

/// The log of the process.
#[derive(Debug)]
pub struct Logger(Mutex<Sink>);

static LOGGER: Logger = Logger(Mutex::new(Sink {
    target: Target::Stderr,
    socket: None,
    lost: 0,
    line: String::new(),
}));

#[derive(Debug)]
struct Sink {
    target: Target,
    /// To the syslog daemon, or to the other process.
    socket: Option<UnixDatagram>,
    lost: u64,
    line: String,
}

/// Sends the lines of `log`'s macros to `target` from here on, up to debug ones if `debug`.
pub fn install(target: Target, debug: bool) {
    retarget(target);
    // A second call of set_logger fails because the first has done it.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(if debug {
        LevelFilter::Debug
    } else {
        LevelFilter::Info
    });
}

/// Sends the lines to another target from here on.
pub fn retarget(target: Target) {
    LOGGER.lock().target = target;
}

/// Sends the lines to another process from here on.
pub fn relay(socket: UnixDatagram) {
    let mut sink = LOGGER.lock();
    sink.target = Target::Relay;
    sink.socket = Some(socket);
}

/// Logs a line that another process has relayed.
pub fn pass_on(line: &[u8]) {
    let text = String::from_utf8_lossy(line);
    let mut chars = text.chars();
    let level = match chars.next() {
        Some('3') => Level::Error,
        Some('4') => Level::Warn,
        Some('6') => Level::Info,
        _ => Level::Debug,
    };
    let text = chars.as_str();
    // It was for the other process to decide whether it matters.
    LOGGER.lock().write(level, &format_args!("{text}"));
}

impl Logger {
    fn lock(&self) -> std::sync::MutexGuard<'_, Sink> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.lock().write(record.level(), record.args());
    }

    fn flush(&self) {}
}

impl Sink {
    fn write(&mut self, level: Level, args: &std::fmt::Arguments<'_>) {
        if self.lost > 0 {
            let lost = self.lost;
            let note = format_args!("{lost} log lines were lost: the log took no more").to_string();
            if self.send(Level::Warn, &format_args!("{note}")).is_ok() {
                self.lost = 0;
            }
        }
        if self.send(level, args).is_err() {
            self.lost += 1;
        }
    }

    fn send(&mut self, level: Level, args: &std::fmt::Arguments<'_>) -> io::Result<()> {
        if self.target != Target::Starting {
            return self.send_to(self.target, level, args);
        }
        let logged = self.send_to(Target::Syslog, level, args);
        if logged.is_ok() && level > Level::Error {
            return Ok(());
        }
        let shown = self.send_to(Target::Stderr, level, args);
        logged.or(shown)
    }

    fn send_to(
        &mut self,
        target: Target,
        level: Level,
        args: &std::fmt::Arguments<'_>,
    ) -> io::Result<()> {
        format_line(&mut self.line, target, level, args);
        match target {
            Target::Syslog | Target::Starting => self.send_syslog(),
            Target::Relay => match &self.socket {
                Some(socket) => sys::send_now(socket.as_fd(), self.line.as_bytes()).map(drop),
                None => Err(io::ErrorKind::NotConnected.into()),
            },
            Target::Stderr | Target::Journal => {
                let stderr = io::stderr();
                // Checked before rather than made non-blocking: the stream may be shared with
                // the shell that started us.
                if !sys::writable_now(stderr.as_raw_fd()) {
                    return Err(io::ErrorKind::WouldBlock.into());
                }
                io::Write::write_all(&mut stderr.lock(), self.line.as_bytes())
            }
        }
    }

    fn send_syslog(&mut self) -> io::Result<()> {
        // Opened anew after an error: the syslog daemon may have been restarted.
        for _ in 0..2 {
            if self.socket.is_none() {
                let socket = UnixDatagram::unbound()?;
                socket.connect(SYSLOG)?;
                self.socket = Some(socket);
            }
            let Some(socket) = &self.socket else { break };
            match sys::send_now(socket.as_fd(), self.line.as_bytes()) {
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => self.socket = None,
            }
        }
        Err(io::ErrorKind::NotConnected.into())
    }
}

/// syslog(3)'s numbers.
fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

fn format_line(line: &mut String, target: Target, level: Level, args: &std::fmt::Arguments<'_>) {
    const DAEMON: u8 = 3 << 3;
    line.clear();
    let severity = severity(level);
    // Writing to a String cannot fail.
    let _ = match target {
        Target::Stderr => match level {
            Level::Error => write!(line, "vrrpd: error: {args}"),
            Level::Warn => write!(line, "vrrpd: warning: {args}"),
            _ => write!(line, "vrrpd: {args}"),
        },
        Target::Journal => write!(line, "<{severity}>{args}"),
        Target::Relay => write!(line, "{severity}{args}"),
        Target::Syslog | Target::Starting => {
            let priority = DAEMON | severity;
            write!(line, "<{priority}>vrrpd[{}]: {args}", std::process::id())
        }
    };
    // One message is one line, whatever is in it.
    while let Some(at) = line.find('\n') {
        line.replace_range(at..=at, " ");
    }
    if line.len() > MAX_LINE {
        let cut = (0..=MAX_LINE).rev().find(|&at| line.is_char_boundary(at));
        line.truncate(cut.unwrap_or(0));
    }
    if matches!(target, Target::Stderr | Target::Journal) {
        line.push('\n');
    }
}

#[cfg(test)]
pub(crate) mod capture {
    //! The log as the tests of this crate see it: each thread its own lines.

    use std::cell::RefCell;

    use super::*;

    thread_local! {
        static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
    }

    struct Capture;

    impl Log for Capture {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn log(&self, record: &Record<'_>) {
            let line = format!("{}: {}", record.level(), record.args());
            LINES.with(|lines| lines.borrow_mut().push(line));
        }

        fn flush(&self) {}
    }

    /// Begins to keep what this thread logs.
    pub(crate) fn start() {
        static CAPTURE: Capture = Capture;
        let _ = log::set_logger(&CAPTURE);
        log::set_max_level(LevelFilter::Debug);
        LINES.with(|lines| lines.borrow_mut().clear());
    }

    /// Takes the lines that this thread has logged.
    pub(crate) fn take() -> Vec<String> {
        LINES.with(|lines| lines.take())
    }

    /// Returns the lines that this thread has logged, without taking them.
    pub(crate) fn peek() -> Vec<String> {
        LINES.with(|lines| lines.borrow().clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(target: Target, level: Level, text: &str) -> String {
        let mut line = String::new();
        format_line(&mut line, target, level, &format_args!("{text}"));
        line
    }

    #[test]
    fn each_target_has_its_form() {
        let at = |target| formatted(target, Level::Warn, "VRID 1: odd");
        assert_eq!(at(Target::Stderr), "vrrpd: warning: VRID 1: odd\n");
        assert_eq!(at(Target::Journal), "<4>VRID 1: odd\n");
        assert_eq!(at(Target::Relay), "4VRID 1: odd");
        let pid = std::process::id();
        assert_eq!(at(Target::Syslog), format!("<28>vrrpd[{pid}]: VRID 1: odd"));
    }

    #[test]
    fn while_it_starts_every_line_goes_to_syslog() {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        let mut sink = Sink {
            target: Target::Starting,
            socket: Some(ours),
            lost: 0,
            line: String::new(),
        };
        let mut buffer = [0; 200];
        for (level, priority) in [(Level::Info, 30), (Level::Warn, 28), (Level::Error, 27)] {
            sink.write(level, &format_args!("odd"));
            let len = theirs.recv(&mut buffer).unwrap();
            let expected = format!("<{priority}>vrrpd[{}]: odd", std::process::id());
            assert_eq!(std::str::from_utf8(&buffer[..len]), Ok(expected.as_str()));
        }
        assert_eq!(sink.lost, 0);
    }

    #[test]
    fn a_message_is_one_line_of_bounded_length() {
        assert_eq!(formatted(Target::Journal, Level::Info, "a\nb"), "<6>a b\n");
        let long = "é".repeat(MAX_LINE);
        let line = formatted(Target::Stderr, Level::Info, &long);
        assert!(line.len() <= MAX_LINE + 1, "{}", line.len());
        assert!(line.ends_with("é\n"));
    }
}
