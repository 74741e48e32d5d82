//! Turns the output of a script into log lines.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use log::Level;

use crate::sys;

/// A line is cut after so many octets.
const MAX_LINE: usize = 1024;
/// Lines logged in a second; the others are counted.
const LINES_PER_SECOND: u32 = 100;
/// Octets read in a second. A script that prints more waits, as it would for a slow terminal.
const BYTES_PER_SECOND: usize = 256 * 1024;
const SECOND: Duration = Duration::from_secs(1);

/// One stream of one script.
#[derive(Debug)]
pub(super) struct Pipe {
    file: File,
    label: String,
    level: Level,
    line: Vec<u8>,
    /// The line is longer than we keep: the rest up to its end is skipped.
    cut: bool,
    window: Instant,
    bytes: usize,
    lines: u32,
    suppressed: u64,
}

impl Pipe {
    /// Logs what comes from `fd` at `level`, each line after `label`.
    pub(super) fn new(fd: OwnedFd, label: String, level: Level, now: Instant) -> io::Result<Self> {
        sys::set_nonblocking(&fd)?;
        Ok(Self {
            file: File::from(fd),
            label,
            level,
            line: Vec::new(),
            cut: false,
            window: now,
            bytes: 0,
            lines: 0,
            suppressed: 0,
        })
    }

    /// The descriptor to wait for; `None` while the script has to wait for the next second.
    pub(super) fn fd(&self) -> Option<RawFd> {
        (self.bytes < BYTES_PER_SECOND).then(|| self.file.as_raw_fd())
    }

    /// When [`Pipe::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        (self.suppressed > 0 || self.bytes >= BYTES_PER_SECOND).then(|| self.window + SECOND)
    }

    /// Begins a new second when it is time, and reports what the last one suppressed.
    pub(super) fn tick(&mut self, now: Instant) {
        if now >= self.window + SECOND {
            self.report_suppressed();
            self.window = now;
            self.bytes = 0;
            self.lines = 0;
        }
    }

    /// Logs what is there. False: the script has closed the stream.
    pub(super) fn read(&mut self, now: Instant) -> bool {
        self.tick(now);
        self.take(4)
    }

    /// The script has ended: logs what it left in the pipe. False: nobody else holds the stream.
    pub(super) fn drain(&mut self, now: Instant) -> bool {
        self.tick(now);
        let open = self.take(32);
        if open {
            self.end_line();
            self.report_suppressed();
        }
        open
    }

    fn take(&mut self, reads: usize) -> bool {
        let mut buffer = [0u8; 4096];
        for _ in 0..reads {
            match self.file.read(&mut buffer) {
                Ok(n @ 1..) => {
                    self.bytes += n;
                    self.feed(buffer.get(..n).unwrap_or_default());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Ok(0) | Err(_) => {
                    self.end_line();
                    self.report_suppressed();
                    return false;
                }
            }
        }
        true
    }

    fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            let (text, ends) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = MAX_LINE - self.line.len();
            self.line.extend(text.iter().take(room));
            self.cut |= text.len() > room;
            if ends {
                self.log_line();
            }
        }
    }

    /// A last line without its end is a line.
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            self.log_line();
        }
    }

    fn log_line(&mut self) {
        if self.lines >= LINES_PER_SECOND {
            self.suppressed += 1;
        } else {
            self.lines += 1;
            let text = String::from_utf8_lossy(&self.line);
            let more = if self.cut { " [cut]" } else { "" };
            log::log!(self.level, "{}: {}{more}", self.label, printable(&text));
        }
        self.line.clear();
        self.cut = false;
    }

    fn report_suppressed(&mut self) {
        if self.suppressed > 0 {
            log::warn!("{}: {} more lines not logged", self.label, self.suppressed);
            self.suppressed = 0;
        }
    }
}

/// Without what could move a terminal's cursor.
fn printable(text: &str) -> String {
    let text = text.trim_end_matches('\r');
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c != '\t' {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::logging::capture;

    fn pipe(now: Instant) -> (io::PipeWriter, Pipe) {
        capture::start();
        let (read, write) = io::pipe().expect("pipe");
        let pipe = Pipe::new(read.into(), "s".into(), Level::Info, now).expect("non-blocking");
        (write, pipe)
    }

    #[test]
    fn lines_are_logged_whole_however_they_arrive() {
        let now = Instant::now();
        let (mut script, mut pipe) = pipe(now);
        script.write_all(b"one\ntw").expect("write");
        assert!(pipe.read(now));
        assert_eq!(capture::take(), ["INFO: s: one"]);
        script.write_all(b"o\n\xff\x1b[2J\r\nlast").expect("write");
        drop(script);
        assert!(!pipe.read(now), "the end is seen");
        assert_eq!(
            capture::take(),
            [
                "INFO: s: two",
                "INFO: s: \u{fffd}\\u{1b}[2J",
                "INFO: s: last"
            ]
        );
    }

    #[test]
    fn long_lines_are_cut_and_memory_stays_bounded() {
        let now = Instant::now();
        let (mut script, mut pipe) = pipe(now);
        for _ in 0..8 {
            script.write_all(&[b'x'; 2000]).expect("write");
            assert!(pipe.read(now));
        }
        assert!(pipe.line.capacity() <= 2 * MAX_LINE);
        script.write_all(b"\nnext\n").expect("write");
        pipe.read(now);
        let lines = capture::take();
        assert_eq!(lines[0], format!("INFO: s: {} [cut]", "x".repeat(1024)));
        assert_eq!(lines[1], "INFO: s: next");
    }

    #[test]
    fn a_flood_of_lines_is_counted_instead_of_logged() {
        let now = Instant::now();
        let (mut script, mut pipe) = pipe(now);
        script.write_all(&b"y\n".repeat(1000)).expect("write");
        assert!(pipe.read(now));
        assert_eq!(capture::take().len(), 100);
        let later = pipe.deadline().expect("something to report");
        assert_eq!(later, now + SECOND);
        pipe.tick(later);
        assert_eq!(capture::take(), ["WARN: s: 900 more lines not logged"]);
        script.write_all(b"z\n").expect("write");
        pipe.read(later);
        assert_eq!(capture::take(), ["INFO: s: z"], "a new second, new lines");
    }

    #[test]
    fn a_flood_of_octets_has_to_wait() {
        let now = Instant::now();
        let (mut script, mut pipe) = pipe(now);
        let mut turns = 0;
        while pipe.fd().is_some() {
            // In pieces: FreeBSD lets who writes more at once wait for the reader.
            for _ in 0..4 {
                script.write_all(&[b'x'; 4 * 1024]).expect("write");
            }
            assert!(pipe.read(now));
            turns += 1;
        }
        assert_eq!(turns, 16, "256 KB in one second");
        pipe.tick(now + SECOND);
        assert!(pipe.fd().is_some(), "the next second reads on");
    }
}
