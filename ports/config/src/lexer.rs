//! From octets to sections of `key = value` lines, each with its line number.
//!
//! The lines are freevrrpd's: `[VRID]` begins a section, `#` a comment, anything else is a key, `=`
//! and a value. Beyond it, blanks at the ends of a line mean nothing, keys may be in any case, and
//! a `#` after a blank begins a comment on a line that says something.

use super::diagnostic::{Report, found};
use super::keys::{Key, SectionKind, nearest_key, nearest_section};

/// The longest line, in octets. A section's addresses with names and prefixes fit it twice.
const MAX_LINE: usize = 65_536;
/// The largest file, in octets.
pub(super) const MAX_FILE: usize = 4 << 20;

/// A section and what it says.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub(super) kind: SectionKind,
    /// The line of its `[NAME]`.
    pub(super) line: usize,
    /// Its keys, no key twice.
    pub(super) entries: Vec<Entry<'a>>,
    /// Whether a line of it could not be read at all, so that a key may be there and not be seen.
    pub(super) damaged: bool,
}

/// A key and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) key: Key,
    pub(super) line: usize,
    /// Without blanks at its ends, without a comment. May be empty.
    pub(super) value: &'a str,
    /// The value with the comment, if it has one, and with the blanks that end the line.
    pub(super) raw: &'a str,
}

/// Splits a file. What is wrong with its form goes to `report`, what can be understood is returned.
pub(super) fn split<'a>(octets: &'a [u8], report: &mut Report) -> Vec<Section<'a>> {
    if octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]) {
        report.error(0, None, "expected UTF-8 text, found UTF-16");
        return Vec::new();
    }
    if octets.len() > MAX_FILE {
        let size = octets.len();
        report.error(
            0,
            None,
            format!("expected at most {MAX_FILE} octets, found {size}"),
        );
        return Vec::new();
    }
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    let mut splitter = Splitter {
        report,
        sections: Vec::new(),
        place: Place::Before,
    };
    for (index, line) in octets.split(|&octet| octet == b'\n').enumerate() {
        if splitter.report.begins_file(index + 1) {
            // The keys of a file stand in sections of its own.
            splitter.place = Place::Before;
        }
        splitter.line(index + 1, line);
    }
    splitter.sections
}

/// The part of the file that the next lines belong to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// No section yet.
    Before,
    /// No section yet, and it was said already.
    BeforeSaid,
    /// In the last of the sections.
    Inside,
    /// In a section whose name means nothing: its keys cannot be judged.
    Unknown,
}

struct Splitter<'r, 'a> {
    report: &'r mut Report,
    sections: Vec<Section<'a>>,
    place: Place,
}

impl<'a> Splitter<'_, 'a> {
    fn line(&mut self, number: usize, octets: &'a [u8]) {
        // A comment may be in any encoding.
        let trimmed = octets.trim_ascii();
        if trimmed.is_empty() || trimmed[0] == b'#' {
            return;
        }
        if octets.len() > MAX_LINE {
            let message = format!(
                "expected a line of at most {MAX_LINE} octets, found {}",
                octets.len()
            );
            self.unreadable(number, message);
            return;
        }
        let Some(text) = self.text(number, octets) else {
            return;
        };
        if text.trim_ascii_start().starts_with('[') {
            self.header(number, text.trim_ascii());
        } else {
            self.pair(number, text);
        }
    }

    /// The line as text. `None`: it is not, and that is reported.
    fn text(&mut self, number: usize, octets: &'a [u8]) -> Option<&'a str> {
        let octets = octets.strip_suffix(b"\r").unwrap_or(octets);
        let message = match std::str::from_utf8(octets) {
            Ok(text) => {
                let mut chars = text.char_indices();
                let Some((at, c)) = chars.find(|&(_, c)| c.is_control() && c != '\t') else {
                    return Some(text);
                };
                format!(
                    "expected text, found the control character {} at octet {}",
                    found(c.encode_utf8(&mut [0; 4])),
                    at + 1
                )
            }
            Err(error) => {
                let at = error.valid_up_to();
                let octet = octets.get(at).copied().unwrap_or_default();
                format!(
                    "expected UTF-8 text, found the octet 0x{octet:02x} at octet {}",
                    at + 1
                )
            }
        };
        self.unreadable(number, message);
        None
    }

    fn unreadable(&mut self, number: usize, message: String) {
        self.report.error(number, None, message);
        if let Some(section) = self.sections.last_mut() {
            section.damaged = true;
        }
    }

    fn header(&mut self, number: usize, text: &'a str) {
        self.place = Place::Unknown;
        let Some((name, rest)) = text[1..].split_once(']') else {
            let message = format!(
                "expected `[VRID]`, `[GROUP]`, `[CHECK]` or `[GLOBAL]`, found {}",
                found(text)
            );
            self.report.error(number, None, message);
            return;
        };
        let rest = rest.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with('#') {
            let message = format!("expected nothing after `]`, found {}", found(rest));
            self.report.error(number, None, message);
        }
        let name = name.trim_ascii();
        let Some(kind) = SectionKind::find(name) else {
            let mut message = format!(
                "expected `[VRID]`, `[GROUP]`, `[CHECK]` or `[GLOBAL]`, found {}",
                found(&format!("[{name}]"))
            );
            if let Some(meant) = nearest_section(name) {
                message.push_str(&format!("; did you mean `[{meant}]`?"));
            }
            self.report.error(number, None, message);
            return;
        };
        if kind == SectionKind::Global
            && let Some(first) = self.sections.iter().find(|s| s.kind == kind)
        {
            let place = self.report.place(first.line);
            let message = format!("expected one [GLOBAL], the first is in {place}");
            self.report.error(number, None, message);
        }
        self.sections.push(Section {
            kind,
            line: number,
            entries: Vec::new(),
            damaged: false,
        });
        self.place = Place::Inside;
    }

    fn pair(&mut self, number: usize, text: &'a str) {
        match self.place {
            Place::Inside => {}
            Place::Before => {
                let name = text.split('=').next().unwrap_or_default();
                let message = format!(
                    "expected `[VRID]`, `[GROUP]`, `[CHECK]` or `[GLOBAL]` before the first key, found {}",
                    found(name.split_ascii_whitespace().next().unwrap_or_default())
                );
                self.report.error(number, None, message);
                self.place = Place::BeforeSaid;
                return;
            }
            Place::BeforeSaid | Place::Unknown => return,
        }
        let Some(section) = self.sections.last_mut() else {
            return;
        };
        let Some((name, raw)) = text.split_once('=') else {
            // Not the whole line, which may hold a password.
            let word = text.split_ascii_whitespace().next().unwrap_or_default();
            let message = format!("expected `key = value`, found {} and no `=`", found(word));
            self.unreadable(number, message);
            return;
        };
        let name = name.trim_ascii();
        let Some(key) = known_key(name, section.kind, number, self.report) else {
            return;
        };
        if let Some(first) = section.entries.iter().find(|e| e.key == key) {
            let message = format!(
                "given twice in one section, first in {}; expected it once",
                self.report.place(first.line)
            );
            self.report.error(number, Some(key.name()), message);
            return;
        }
        section.entries.push(Entry {
            key,
            line: number,
            value: without_comment(raw).trim_ascii(),
            raw,
        });
    }
}

/// The key called `name`, if `section` may hold it; otherwise what is wrong is reported.
fn known_key(name: &str, section: SectionKind, line: usize, report: &mut Report) -> Option<Key> {
    if let Some(key) = Key::find(name) {
        if key.sections().contains(&section) {
            return Some(key);
        }
        let message = format!(
            "belongs in [{}], found in [{}]",
            key.sections()[0].name(),
            section.name()
        );
        report.error(line, Some(key.name()), message);
        return None;
    }
    let mut message = format!(
        "expected a key of [{}], found {}",
        section.name(),
        found(name)
    );
    if let Some(meant) = nearest_key(name, section) {
        message.push_str(&format!("; did you mean `{meant}`?"));
    }
    report.error(line, None, message);
    None
}

/// The text before a `#` that follows a blank.
fn without_comment(text: &str) -> &str {
    let mut after_blank = false;
    for (at, c) in text.char_indices() {
        if c == '#' && after_blank {
            return &text[..at];
        }
        after_blank = c == ' ' || c == '\t';
    }
    text
}
