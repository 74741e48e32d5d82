//! From files to lines: `include`, `$` definitions, `~SEQ` and `~LST`, `@` conditions, comments.
//!
//! Everything is bounded: how much is read, how much definitions and sequences make of it, and how deep
//! one may use another. What goes beyond is a finding, and the rest is read.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::definitions::{self, Definition, Sequence};
use super::glob;
use super::words;
use crate::diagnostic::found;
use crate::import::report::{At, Report, Verdict};
use crate::import::surroundings::Surroundings;

/// The most lines after definitions and sequences.
const MAX_LINES: usize = 200_000;
/// The most octets of these lines, and of all files.
const MAX_OCTETS: usize = 8 << 20;
/// The most octets that are looked at, over all replacements and repetitions.
const MAX_WORK: usize = 24 << 20;
/// The longest line.
const MAX_LINE: usize = 16_384;
/// The deepest use of a definition, a sequence or a file by another.
const MAX_DEPTH: usize = 24;
/// The most files.
const MAX_FILES: usize = 1_000;
/// The most replacements in a line.
const MAX_REPLACEMENTS: usize = 500;

/// A line without comment: `{`, `}`, or words.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: At,
    pub(super) text: String,
}

/// The reader of lines.
#[derive(Debug)]
pub(super) struct Lines<'a, S: ?Sized> {
    surroundings: &'a S,
    report: &'a mut Report,
    id: Option<&'a str>,
    host_id: String,
    definitions: HashMap<String, Definition>,
    lines: Vec<Line>,
    octets: usize,
    /// Octets that were looked at, over all replacements and repetitions.
    work: usize,
    files: usize,
    /// Lines that used each other too deeply.
    deep: HashSet<At>,
    /// Whether a bound was met, after which nothing more is read.
    full: bool,
    asked_id: bool,
}

impl<'a> Lines<'a, dyn Surroundings + 'a> {
    pub(super) fn new(
        surroundings: &'a (dyn Surroundings + 'a),
        report: &'a mut Report,
        id: Option<&'a str>,
    ) -> Self {
        let name = surroundings.host_name();
        let host_id = name.split('.').next().unwrap_or_default().to_owned();
        Self {
            surroundings,
            report,
            id,
            host_id,
            definitions: HashMap::new(),
            lines: Vec::new(),
            octets: 0,
            work: 0,
            files: 0,
            deep: HashSet::new(),
            full: false,
            asked_id: false,
        }
    }

    /// Reads a text as the file of this name.
    pub(super) fn read(mut self, file: &Path, octets: &[u8]) -> Vec<Line> {
        self.file(file, octets, 0);
        self.lines
    }

    fn file(&mut self, file: &Path, octets: &[u8], depth: usize) {
        let number = self.report.add_file(file);
        self.files += 1;
        self.octets += octets.len();
        let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
        let text = String::from_utf8_lossy(octets);
        let mut lines = text.split('\n').enumerate();
        while let Some((index, line)) = lines.next() {
            let at = At {
                file: number,
                line: index + 1,
            };
            if self.is_full(at) {
                return;
            }
            let Some(bare) = self.bare(line, at) else {
                continue;
            };
            if !bare.continued {
                self.line(bare.text, at, file, depth);
                continue;
            }
            // The lines of a definition.
            let first = self.conditioned(&bare.text, at);
            if first
                .as_ref()
                .is_some_and(|text| !definitions::begins(text))
            {
                let text = "`\\` at the end goes on with the next line in `$` definitions alone; keepalived takes it for a word";
                self.report.error(at, text);
                self.line(bare.text, at, file, depth);
                continue;
            }
            let mut parts = Vec::new();
            for (index, line) in lines.by_ref() {
                let at = At {
                    file: number,
                    line: index + 1,
                };
                let Some(bare) = self.bare(line, at) else {
                    break;
                };
                if !bare.text.is_empty() {
                    parts.push((at, bare.text));
                }
                if !bare.continued {
                    break;
                }
            }
            if let Some(first) = first {
                self.define(&first, parts, at);
            }
        }
    }

    /// Takes comment and end of line away. `None`: the line cannot be used, which was said.
    fn bare(&mut self, line: &str, at: At) -> Option<words::Bare> {
        let line = line.trim_end_matches('\r');
        if line.len() > MAX_LINE {
            let text = format!("expected a line of at most {MAX_LINE} octets; it is passed over");
            self.report.lost(at, text);
            return None;
        }
        if line.contains('\0') {
            self.report.error(
                at,
                "a NUL octet in the line; keepalived passes over the line",
            );
            return None;
        }
        let bare = words::bare(line);
        if bare.open {
            self.report.error(at, "a `\"` is not closed on this line");
        }
        // A value that was to be filled in, as `priority #PRIORITY#`.
        let marks = line.matches('#').count();
        if bare.commented && marks > 1 && bare.text.split_whitespace().count() == 1 {
            let text = format!(
                "`#` begins a comment, so that {} has no value; is it a template that was not filled in?",
                found(&bare.text)
            );
            self.report.error(at, text);
        }
        Some(bare)
    }

    /// Whether a bound was met; said once.
    fn is_full(&mut self, at: At) -> bool {
        let long = self.lines.len() >= MAX_LINES || self.octets > MAX_OCTETS;
        let over = long || self.work > MAX_WORK;
        if over && !self.full {
            self.full = true;
            let text = format!(
                "expected at most {MAX_LINES} lines and {MAX_OCTETS} octets after includes, definitions and sequences; what follows is not read"
            );
            self.report.lost(at, text);
        }
        self.full
    }

    fn too_deep(&mut self, depth: usize, at: At) -> bool {
        let deep = depth > MAX_DEPTH;
        if deep && self.deep.insert(at) {
            let text = format!(
                "definitions, sequences or files use each other more than {MAX_DEPTH} deep; the line is passed over"
            );
            self.report.lost(at, text);
        }
        deep
    }

    fn define(&mut self, first: &str, rest: Vec<(At, String)>, at: At) {
        let Some((name, value)) = definitions::definition(first) else {
            return;
        };
        let value = Some((at, value.to_owned())).filter(|(_, v)| !v.is_empty());
        let lines = value.into_iter().chain(rest).collect();
        let name = name.to_owned();
        self.definitions.insert(name, Definition::Lines(lines));
        self.report.carry();
    }

    /// The line without its `@` conditions. `None`: it is for another id.
    fn conditioned(&mut self, text: &str, at: At) -> Option<String> {
        let mut text = text.to_owned();
        while let Some(rest) = text.strip_prefix('@') {
            let (negative, rest) = match rest.strip_prefix('^') {
                Some(rest) => (true, rest),
                None => (false, rest),
            };
            let word_end = rest.find([' ', '\t']);
            let id = self.id.unwrap_or(&self.host_id);
            if !self.asked_id && self.id.is_none() {
                self.asked_id = true;
                let text = format!(
                    "lines with `@` are read for the id {}, the name of this host; choose another with --config-id",
                    found(id)
                );
                self.report.note(at, text);
            }
            let matches = word_end.is_some_and(|end| {
                let word = rest.get(..end).unwrap_or_default();
                (word == id) != negative
            });
            if !matches {
                let word = format!(
                    "@{}",
                    text.split([' ', '\t'])
                        .next()
                        .unwrap_or_default()
                        .trim_start_matches('@')
                );
                let remark = "lines for other ids are left out, as keepalived does";
                self.report.share(at, Verdict::Note, &word, remark);
                return None;
            }
            let rest = word_end.and_then(|end| rest.get(end..)).unwrap_or_default();
            text = rest.trim_start_matches([' ', '\t']).to_owned();
        }
        Some(text)
    }

    fn line(&mut self, text: String, at: At, file: &Path, depth: usize) {
        self.work += 128 + text.len();
        if text.is_empty() || self.is_full(at) || self.too_deep(depth, at) {
            return;
        }
        let mut text = text;
        let mut left = MAX_REPLACEMENTS;
        loop {
            let Some(meant) = self.conditioned(&text, at) else {
                return;
            };
            text = meant;
            if let Some((name, value)) = definitions::definition(&text) {
                let (name, value) = (name.to_owned(), value.to_owned());
                self.definitions.insert(name, Definition::Text(value));
                return self.report.carry();
            }
            if text.starts_with("~SEQ") || text.starts_with("~LST") {
                return self.sequence(&text, at, file, depth);
            }
            let mut builtin = |name: &str, words: &[&str]| self.builtin(name, words, at, file);
            let own = definitions::find_builtin(&text, &mut builtin);
            if let Some((range, value)) = own {
                // A `#` or `!` that begins no comment needs no backslash in quotation marks.
                let before = text.get(..range.start).unwrap_or_default();
                let quoted = before.matches('"').count() % 2 == 1;
                let value = match value.strip_prefix('\\').filter(|_| quoted) {
                    Some(plain) => plain.to_owned(),
                    None => value,
                };
                text.replace_range(range, &value);
            } else {
                match definitions::find(&text, &self.definitions) {
                    None => break,
                    Some((range, Definition::Text(value))) => text.replace_range(range, value),
                    Some((range, Definition::Lines(lines))) => {
                        // It ends the line: the text before and its first line are one.
                        let lines = lines.clone();
                        let before = text.get(..range.start).unwrap_or_default().to_owned();
                        let mut lines = lines.into_iter();
                        let (place, first) = lines.next().unwrap_or_default();
                        let place = if before.is_empty() { place } else { at };
                        self.line(before + &first, place, file, depth + 1);
                        for (place, line) in lines {
                            self.line(line, place, file, depth + 1);
                        }
                        return;
                    }
                }
            }
            left -= 1;
            self.work += text.len();
            if left == 0 || text.len() > MAX_LINE {
                let text = "its definitions make it too long; the line is passed over";
                return self.report.lost(at, text);
            }
            let bare = words::bare(&text);
            text = bare.text;
            if text.is_empty() {
                return;
            }
        }
        if let Some(pattern) = included(&text) {
            return self.include(pattern, &text, at, file, depth);
        }
        if text.starts_with('~') {
            let text = format!("{} is neither `~SEQ` nor `~LST`", found(&text));
            return self.report.error(at, text);
        }
        for part in words::braces(&text) {
            self.octets += part.len();
            self.lines.push(Line {
                at,
                text: part.to_owned(),
            });
        }
    }

    /// The value of a definition that keepalived has by itself.
    fn builtin(&mut self, name: &str, words: &[&str], at: At, file: &Path) -> Option<String> {
        Some(match name {
            "_PWD" => {
                let folder = file.parent().unwrap_or(Path::new("."));
                let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.into());
                folder.display().to_string()
            }
            "_INSTANCE" => self.id.unwrap_or(&self.host_id).to_owned(),
            "_HASH" => r"\#".to_owned(),
            "_BANG" => r"\!".to_owned(),
            "_ENV" => {
                let variable = words.first().copied().unwrap_or_default();
                let value = self.surroundings.variable(variable);
                let text = format!("the variable `{variable}` has its value of this moment");
                self.report.differs(at, text);
                value.unwrap_or_default()
            }
            "_RANDOM" => {
                let number = |text: Option<&&str>| text.and_then(|t| t.parse::<u32>().ok());
                let least = number(words.first()).unwrap_or(0);
                self.report.differs(
                    at,
                    format!("a random number: keepalived takes another at each start, here it is {least}"),
                );
                least.to_string()
            }
            _ => return None,
        })
    }

    fn sequence(&mut self, text: &str, at: At, file: &Path, depth: usize) {
        let text = match text.split_once(')') {
            // Its own numbers may be definitions.
            Some((head, rest)) if text.starts_with("~SEQ") => {
                let head = self.replaced(head);
                format!("{head}){rest}")
            }
            _ => text.to_owned(),
        };
        let Some(sequence) = Sequence::parse(&text) else {
            let text = format!(
                "{} cannot be read; keepalived passes over the line",
                found(&text)
            );
            return self.report.error(at, text);
        };
        for values in sequence.values() {
            if self.is_full(at) {
                return;
            }
            for (name, value) in values {
                self.definitions.insert(name, Definition::Text(value));
            }
            self.line(sequence.rest.to_owned(), at, file, depth + 1);
        }
    }

    /// A text with its definitions of one line.
    fn replaced(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..MAX_REPLACEMENTS {
            let Some((range, Definition::Text(value))) =
                definitions::find(&text, &self.definitions)
            else {
                break;
            };
            text.replace_range(range, value);
            if text.len() > MAX_LINE {
                break;
            }
        }
        text
    }

    fn include(&mut self, pattern: &str, text: &str, at: At, file: &Path, depth: usize) {
        let pattern = pattern.trim_matches(['"', ' ', '\t']);
        let folder = file.parent().unwrap_or(Path::new(""));
        let base = if Path::new(pattern).is_absolute() {
            PathBuf::from(pattern)
        } else {
            folder.join(pattern)
        };
        let pattern = base.to_string_lossy().into_owned();
        let files = glob::matching(&pattern, self.surroundings);
        if files.is_empty() {
            let text = format!("{}: no file fits {}", found(text), found(&pattern));
            return self.report.error(at, text);
        }
        for file in files {
            if self.files >= MAX_FILES || self.is_full(at) || self.too_deep(depth + 1, at) {
                let text = format!(
                    "expected at most {MAX_FILES} files; {} is not read",
                    found(&file)
                );
                return self.report.lost(at, text);
            }
            let file = PathBuf::from(file);
            match self.surroundings.read(&file) {
                Ok(octets) => {
                    self.report.carry();
                    self.file(&file, &octets, depth + 1);
                }
                Err(error) => {
                    let text = format!("`{}` cannot be read: {error}", file.display());
                    self.report.error(at, text);
                }
            }
        }
    }
}

/// The pattern of an `include` line.
fn included(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("include")?;
    let rest = rest.strip_prefix(['r', 'm', 'w', 'b', 'a']).unwrap_or(rest);
    let pattern = rest.trim_start_matches([' ', '\t']);
    (pattern.len() < rest.len() && !pattern.is_empty()).then_some(pattern)
}
