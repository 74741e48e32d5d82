//! Diagnostics of the configuration's reader, each with its place.

use std::fmt;
use std::path::PathBuf;

use crate::source::{Files, Source};

/// How much a diagnostic matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Accepted, and worth knowing.
    Note,
    /// Accepted, and probably not what was meant.
    Warning,
    /// The file cannot be used, or not on this host as it is.
    Error,
}

/// One remark about a configuration file.
///
/// Its `Display` is one line: `vrrpd.conf:12: priority: expected a number from 1 to 255, found
/// `300``. Warnings and notes have the word before the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// The file as it was named by the caller.
    pub file: PathBuf,
    /// The line, from 1. 0: the file as a whole.
    pub line: usize,
    /// The key, spelled as in the manual page. `None`: the remark is not about one key.
    pub key: Option<String>,
    /// The expectation and the finding.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        match self.severity {
            Severity::Error => {}
            Severity::Warning => f.write_str(" warning:")?,
            Severity::Note => f.write_str(" note:")?,
        }
        if let Some(key) = &self.key {
            write!(f, " {key}:")?;
        }
        write!(f, " {}", self.message)
    }
}

/// Collects the diagnostics of a configuration. Lines are those of its whole text, see [`Source`].
#[derive(Debug)]
pub(super) struct Report {
    files: Files,
    /// Each with its line.
    list: Vec<(usize, Diagnostic)>,
}

impl Report {
    pub(super) fn new(source: &Source) -> Self {
        Self {
            files: source.files.clone(),
            list: Vec::new(),
        }
    }

    /// Another line in a message: `line 5`, or `line 5 of FILE` where that is an included one.
    pub(super) fn place(&self, line: usize) -> String {
        self.files.line(line)
    }

    /// Whether a line is the first of a file.
    pub(super) fn begins_file(&self, line: usize) -> bool {
        self.files.begins(line)
    }

    pub(super) fn error(&mut self, line: usize, key: Option<&str>, message: impl Into<String>) {
        self.push(Severity::Error, line, key, message.into());
    }

    pub(super) fn warning(&mut self, line: usize, key: Option<&str>, message: impl Into<String>) {
        self.push(Severity::Warning, line, key, message.into());
    }

    /// A warning that the two virtual routers of one section share.
    pub(super) fn warning_once(&mut self, line: usize, key: Option<&str>, message: String) {
        if !self.has_said(line, key, &message) {
            self.warning(line, key, message);
        }
    }

    /// An error that the two virtual routers of one section share.
    pub(super) fn error_once(&mut self, line: usize, key: Option<&str>, message: String) {
        if !self.has_said(line, key, &message) {
            self.error(line, key, message);
        }
    }

    fn has_said(&self, line: usize, key: Option<&str>, message: &str) -> bool {
        let mut list = self.list.iter();
        list.any(|(at, d)| *at == line && d.key.as_deref() == key && d.message == message)
    }

    pub(super) fn note(&mut self, line: usize, key: Option<&str>, message: impl Into<String>) {
        self.push(Severity::Note, line, key, message.into());
    }

    pub(super) fn has_errors(&self) -> bool {
        let mut list = self.list.iter();
        list.any(|(_, d)| d.severity == Severity::Error)
    }

    /// All diagnostics in the order of the files and their lines.
    pub(super) fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|(line, _)| *line);
        self.list.into_iter().map(|(_, d)| d).collect()
    }

    fn push(&mut self, severity: Severity, line: usize, key: Option<&str>, message: String) {
        let (file, number) = self.files.place(line);
        let diagnostic = Diagnostic {
            severity,
            file: file.to_path_buf(),
            line: number,
            key: key.map(str::to_owned),
            message,
        };
        self.list.push((line, diagnostic));
    }
}

/// A piece of the file as it appears in a message: in backquotes, on one line, not endless.
pub(super) fn found(text: &str) -> String {
    const SHOWN: usize = 60;
    if text.is_empty() {
        return "nothing".to_owned();
    }
    let mut shown = String::new();
    for c in text.chars().take(SHOWN) {
        // A control character would break the log's line; letters of any script stay.
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push_str("...");
    }
    format!("`{shown}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_names_file_line_key_and_message() {
        let source = Source::new("vrrpd.conf".as_ref(), "");
        let mut report = Report::new(&source);
        report.error(12, Some("priority"), "expected a number, found `x`");
        report.warning(3, Some("password"), "too long");
        report.note(0, None, "seen");
        let lines: Vec<String> = report.into_sorted().iter().map(|d| d.to_string()).collect();
        assert_eq!(
            lines,
            [
                "vrrpd.conf: note: seen",
                "vrrpd.conf:3: warning: password: too long",
                "vrrpd.conf:12: priority: expected a number, found `x`",
            ]
        );
    }

    #[test]
    fn what_was_found_is_short_and_on_one_line() {
        assert_eq!(found(""), "nothing");
        assert_eq!(found("a\tb\u{7}"), "`a\\tb\\u{7}`");
        assert_eq!(found(&"é".repeat(61)), format!("`{}...`", "é".repeat(60)));
        assert_eq!(found(&"é".repeat(60)), format!("`{}`", "é".repeat(60)));
    }
}
