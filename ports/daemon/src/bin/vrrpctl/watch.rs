//! `status --watch`: a live view, drawn anew at each event and each second.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use vrrp_control::{Answer, Connection, Request, Since};
use vrrpd::poll::PollSet;
use vrrpd::sys::{self, RawTerminal, Signals};

use crate::arguments::{Args, Work};
use crate::commands::Form;
use crate::{Failure, REFUSED, UNREACHABLE, USAGE_ERROR, show};

/// The time between two frames when nothing happens.
const SECOND: Duration = Duration::from_secs(1);
/// Another screen without a cursor, and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// `q`, and Ctrl-C as the terminal sends it while we read every key.
const KEYS: [u8; 2] = [b'q', 3];

/// Shows the status until a key or a signal ends it. `events`: a second connection.
pub(crate) fn run(
    ask: &mut dyn FnMut(&Request) -> Result<Answer, Failure>,
    events: &mut Connection,
    args: &Args,
) -> Result<(), Failure> {
    let unreachable = |error: io::Error| (UNREACHABLE, error.to_string().into());
    let failed = |error: io::Error| (REFUSED, format!("the terminal: {error}").into());
    let (input, output) = (io::stdin(), io::stdout());
    let Some(_raw) = RawTerminal::enter(&input, &output).map_err(failed)? else {
        let message = "--watch is for terminals".to_owned();
        return Err((USAGE_ERROR, message.into()));
    };
    let signals = Signals::install().map_err(failed)?;
    let subscribed = events.ask(&Request::Events(Since::default()));
    subscribed.map_err(unreachable)?;
    events.be_patient().map_err(unreachable)?;
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let screen = Screen::enter(&output).map_err(failed)?;
    let mut set = PollSet::default();
    loop {
        let mut answer = ask(&Request::Status)?;
        args.filter.apply(&mut answer);
        let text = show(args.form, &answer);
        let text = text.map_err(|e| (UNREACHABLE, e.to_string().into()))?;
        let (rows, columns) = sys::terminal_size(&output).unwrap_or((24, 80));
        screen
            .draw(&frame(&text, rows, columns, colours))
            .map_err(failed)?;
        set.clear();
        let (events_fd, input_fd) = (events.as_fd().as_raw_fd(), input.as_raw_fd());
        for fd in [events_fd, input_fd, signals.fd()] {
            set.read(fd);
        }
        set.wait(Some(SECOND)).map_err(failed)?;
        if set.ready(signals.fd()) && signals.take().stop() {
            return Ok(());
        }
        if set.ready(input_fd) {
            let mut keys = [0; 64];
            let n = input.lock().read(&mut keys).map_err(failed)?;
            let end = n == 0 || keys.iter().take(n).any(|key| KEYS.contains(key));
            if end {
                return Ok(());
            }
        }
        if set.ready(events_fd) {
            // The next frame shows what they tell.
            while {
                let next = events.next_answer().map_err(unreachable)?;
                if next.is_none() {
                    return Err((UNREACHABLE, "vrrpd has stopped".to_owned().into()));
                }
                events.has_buffered()
            } {}
        }
    }
}

/// The other screen, until it is dropped.
struct Screen<'a>(&'a io::Stdout);

impl<'a> Screen<'a> {
    fn enter(output: &'a io::Stdout) -> io::Result<Self> {
        let screen = Self(output);
        screen.draw(ENTER)?;
        Ok(screen)
    }

    fn draw(&self, text: &str) -> io::Result<()> {
        let mut output = self.0.lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let _ = self.draw(LEAVE);
    }
}

/// A text as it fits the terminal, drawn over what is there.
fn frame(text: &str, rows: usize, columns: usize, colours: bool) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let room = rows.max(2) - 1;
    let mut out = String::from("\x1b[H");
    for line in lines.iter().take(room) {
        let cut: String = line.chars().take(columns).collect();
        match colours {
            true => out += &coloured(&cut),
            false => out += &cut,
        }
        out += "\x1b[K\r\n";
    }
    let more = lines.len().saturating_sub(room);
    if more > 0 {
        out += &format!("{more} more lines; q ends");
    } else {
        out += "q ends";
    }
    out + "\x1b[K\x1b[J"
}

/// Green for master, yellow for init and warnings.
fn coloured(line: &str) -> String {
    let paint = |colour: u8, word: &str| format!("\x1b[{colour}m{word}\x1b[0m");
    if line.trim_start().starts_with("warning ") {
        return paint(33, line);
    }
    // The state follows the name of the virtual router, or stands in its column.
    for (word, colour) in [("master", 32), ("init", 33)] {
        for (before, after) in [(": ", " for "), (" ", " "), (" ", ",")] {
            let found = format!("{before}{word}{after}");
            let is_state = before == ": " || line.starts_with(|c: char| c.is_ascii_alphanumeric());
            if is_state && line.contains(&found) {
                let painted = format!("{before}{}{after}", paint(colour, word));
                return line.replacen(&found, &painted, 1);
            }
        }
    }
    line.to_owned()
}

impl Args {
    /// Whether a live view can be had of what was asked for.
    pub(crate) fn can_watch(&self) -> bool {
        matches!(self.work, Work::Ask(Request::Status)) && self.form != Form::Json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_fits_the_terminal_and_clears_what_was_there() {
        let text = "one\ntwo words\nthree\n";
        assert_eq!(
            frame(text, 24, 5, false),
            "\x1b[Hone\x1b[K\r\ntwo w\x1b[K\r\nthree\x1b[K\r\nq ends\x1b[K\x1b[J"
        );
        assert_eq!(
            frame(text, 3, 80, false),
            "\x1b[Hone\x1b[K\r\ntwo words\x1b[K\r\n1 more lines; q ends\x1b[K\x1b[J"
        );
        assert!(frame(text, 0, 0, true).ends_with("\x1b[J"));
    }

    #[test]
    fn states_and_warnings_have_quiet_colours() {
        for (line, expected) in [
            (
                "VRID 1 on eth0 (ipv4): master for 3 s",
                "VRID 1 on eth0 (ipv4): \x1b[32mmaster\x1b[0m for 3 s",
            ),
            (
                "1     eth0       ipv4    init, disabled  3 s",
                "1     eth0       ipv4    \x1b[33minit\x1b[0m, disabled  3 s",
            ),
            (
                "  warning    it burns",
                "\x1b[33m  warning    it burns\x1b[0m",
            ),
            ("  master     this host", "  master     this host"),
            (
                "1     eth0       ipv4    backup  3 s",
                "1     eth0       ipv4    backup  3 s",
            ),
        ] {
            assert_eq!(coloured(line), expected);
        }
    }
}
