//! The report of an import: findings with their lines, gathered while the input is read.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The most findings.
const MAX_FINDINGS: usize = 20_000;

/// The weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Has no effect here, or works in another way with the same result.
    Note,
    /// Works otherwise; the message says how.
    Differs,
    /// Is missing in what was written; the message says what to do.
    NotCarriedOver,
    /// The other daemon passes over it, too.
    Error,
}

impl Verdict {
    const fn word(self) -> &'static str {
        match self {
            Verdict::Note => "note",
            Verdict::Differs => "differs",
            Verdict::NotCarriedOver => "not carried over",
            Verdict::Error => "error",
        }
    }
}

/// A remark about a line of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file of the line.
    pub file: PathBuf,
    /// The line, from 1. 0: the file as a whole.
    pub line: usize,
    /// The weight.
    pub verdict: Verdict,
    /// The remark, on one line.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.file.display())?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
        }
        write!(f, " {}: {}", self.verdict.word(), self.message)
    }
}

/// A line of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct At {
    /// The file, by its number in the report.
    pub(super) file: usize,
    /// The line, from 1.
    pub(super) line: usize,
}

/// Words with their lines.
type Words = Vec<(String, At)>;

/// Collects the findings of an import.
#[derive(Debug, Default)]
pub(super) struct Report {
    files: Vec<PathBuf>,
    list: Vec<(At, Verdict, String)>,
    /// Remarks that many lines share: the remark, and by file the words with their lines.
    shared: BTreeMap<(Verdict, &'static str, usize), Words>,
    carried: usize,
    left_out: bool,
}

impl Report {
    /// Adds a file and returns its number.
    pub(super) fn add_file(&mut self, file: &Path) -> usize {
        if let Some(known) = self.files.iter().position(|known| known == file) {
            return known;
        }
        self.files.push(file.to_path_buf());
        self.files.len() - 1
    }

    /// The name of a file.
    pub(super) fn file(&self, number: usize) -> &Path {
        self.files.get(number).map_or(Path::new(""), |file| file)
    }

    /// A line in a message about another one of `file`.
    pub(super) fn place(&self, at: At, file: usize) -> String {
        if at.file == file {
            format!("line {}", at.line)
        } else {
            format!("line {} of {}", at.line, self.file(at.file).display())
        }
    }

    /// Adds a finding.
    pub(super) fn say(&mut self, at: At, verdict: Verdict, message: impl Into<String>) {
        // The text of the input may be in it.
        let message: String = message.into();
        let message = message.replace(|c: char| c.is_control(), " ");
        let new = (at, verdict, message);
        // A line that is repeated by a list or a sequence is said once.
        if self.list.last() == Some(&new) {
            return;
        }
        if self.list.len() < MAX_FINDINGS {
            self.list.push(new);
        } else {
            self.left_out = true;
        }
    }

    pub(super) fn note(&mut self, at: At, message: impl Into<String>) {
        self.say(at, Verdict::Note, message);
    }

    pub(super) fn differs(&mut self, at: At, message: impl Into<String>) {
        self.say(at, Verdict::Differs, message);
    }

    pub(super) fn lost(&mut self, at: At, message: impl Into<String>) {
        self.say(at, Verdict::NotCarriedOver, message);
    }

    pub(super) fn error(&mut self, at: At, message: impl Into<String>) {
        self.say(at, Verdict::Error, message);
    }

    /// Adds a word to a remark that several lines share.
    pub(super) fn share(&mut self, at: At, verdict: Verdict, word: &str, remark: &'static str) {
        let words = self.shared.entry((verdict, remark, at.file)).or_default();
        words.push((word.replace(|c: char| c.is_control(), " "), at));
    }

    /// Counts a statement that was carried over.
    pub(super) fn carry(&mut self) {
        self.carried += 1;
    }

    /// The number of statements that were carried over so far.
    pub(super) fn carried(&self) -> usize {
        self.carried
    }

    /// Counts statements no more: they are in what was taken out again.
    pub(super) fn carry_less(&mut self, count: usize) {
        self.carried = self.carried.saturating_sub(count);
    }

    /// Counts from a number again, as what was counted since was given up.
    pub(super) fn carry_again(&mut self, carried: usize) {
        self.carried = carried;
    }

    /// The findings in the order of files and lines, and the number of statements that were carried over.
    pub(super) fn finish(mut self) -> (Vec<Finding>, usize) {
        for ((verdict, remark, _), words) in std::mem::take(&mut self.shared) {
            let Some(first) = words.iter().map(|(_, at)| *at).min() else {
                continue;
            };
            let message = format!("{}: {remark}", with_lines(&words));
            self.list.push((first, verdict, message));
        }
        if self.left_out {
            let text =
                format!("there are more than {MAX_FINDINGS} findings; the others are left out");
            let place = At::default();
            self.list.push((place, Verdict::NotCarriedOver, text));
        }
        self.list.sort_by_key(|(at, _, _)| *at);
        self.list.dedup();
        let files = self.files;
        let findings = self.list.into_iter().map(|(at, verdict, message)| Finding {
            file: files.get(at.file).cloned().unwrap_or_default(),
            line: at.line,
            verdict,
            message,
        });
        (findings.collect(), self.carried)
    }
}

/// Words with their lines, each word once: `router_id, smtp_server (lines 3, 5)`.
fn with_lines(words: &[(String, At)]) -> String {
    let (mut names, mut lines): (Vec<&str>, Vec<usize>) = (Vec::new(), Vec::new());
    for (word, at) in words {
        if !names.contains(&word.as_str()) {
            names.push(word);
        }
        if !lines.contains(&at.line) {
            lines.push(at.line);
        }
    }
    lines.sort_unstable();
    let names = names.join(", ");
    if let [_] = lines.as_slice() {
        return names;
    }
    let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
    format!("{names} (lines {})", lines.join(", "))
}
