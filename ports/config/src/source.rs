//! A configuration of several files: the one that was named, and those that its `include` names.
//!
//! They are read as one text, the included files behind the first, so that a line has one number. Where it
//! stands is looked up when a message is made.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Report, found};
use crate::keys::{Key, SectionKind};
use crate::lexer::{self, MAX_FILE};
use crate::values;

/// The most files that `include` may name.
const MAX_FILES: usize = 1_000;

/// The text of a configuration, and the files that it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    text: Vec<u8>,
    pub(crate) files: Files,
    /// Faults of `include`, with the line.
    faults: Vec<(usize, String)>,
}

/// Each file with the number of its first line, from 1. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Files(Vec<(PathBuf, usize)>);

impl Source {
    /// One file of which the contents are known. Nothing is included.
    pub fn new(file: &Path, text: impl Into<Vec<u8>>) -> Self {
        Self {
            text: text.into(),
            files: Files(vec![(file.to_path_buf(), 1)]),
            faults: Vec::new(),
        }
    }

    /// Reads a file, and those that it includes. Faults of these are told by
    /// [`judge_source`](crate::judge_source).
    ///
    /// # Errors
    /// The file itself cannot be read.
    pub fn read(file: &Path) -> io::Result<Self> {
        let mut source = Self::new(file, fs::read(file)?);
        if let Some((line, patterns)) = source.included() {
            for pattern in values::list(&patterns) {
                source.include(line, pattern);
            }
        }
        Ok(source)
    }

    /// The text of all files together.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The text of all files together.
    pub fn into_text(self) -> Vec<u8> {
        self.text
    }

    /// The value of `include`, and its line.
    fn included(&self) -> Option<(usize, String)> {
        let mut report = Report::new(self);
        let sections = lexer::split(&self.text, &mut report);
        let mut of_global = sections.iter().filter(|s| s.kind == SectionKind::Global);
        let section = of_global.next()?;
        let entry = section.entries.iter().find(|e| e.key == Key::Include)?;
        Some((entry.line, entry.value.to_owned()))
    }

    /// Adds the files that a pattern names, in the order of their names.
    fn include(&mut self, line: usize, pattern: &str) {
        match matching(pattern) {
            Ok(files) => {
                for file in files {
                    if self.files.0.len() > MAX_FILES {
                        let text = format!("expected at most {MAX_FILES} files");
                        return self.faults.push((line, text));
                    }
                    self.append(line, file);
                }
            }
            Err(message) => self.faults.push((line, message)),
        }
    }

    fn append(&mut self, line: usize, file: PathBuf) {
        if let Some((twice, _)) = self.files.0.iter().find(|(known, _)| *known == file) {
            let text = format!("expected each file once, found `{}` again", twice.display());
            return self.faults.push((line, text));
        }
        let room = MAX_FILE.saturating_sub(self.text.len());
        match read_at_most(&file, room) {
            Ok(text) => {
                if self.text.last().is_some_and(|octet| *octet != b'\n') {
                    self.text.push(b'\n');
                }
                let lines = self.text.iter().filter(|octet| **octet == b'\n').count();
                self.files.0.push((file, lines + 1));
                // An included file may have been written by an editor of its own.
                let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
                self.text.extend_from_slice(text);
            }
            Err(error) => {
                let text = format!("`{}` cannot be read: {error}", file.display());
                self.faults.push((line, text));
            }
        }
    }

    /// Sorts diagnostics by file, in the order in which they are read, and line.
    pub fn sort(&self, diagnostics: &mut [Diagnostic]) {
        let place = |file: &Path| self.files.0.iter().position(|(known, _)| known == file);
        diagnostics.sort_by_key(|d| (place(&d.file), d.line));
    }

    /// Adds the faults of `include`.
    pub(crate) fn judge(&self, report: &mut Report) {
        for (line, message) in &self.faults {
            report.error(*line, Some(Key::Include.name()), message.as_str());
        }
    }
}

impl Files {
    /// The file of a line, and its number there. Line 0 is the first file as a whole.
    pub(crate) fn place(&self, line: usize) -> (&Path, usize) {
        let after = self.0.partition_point(|(_, first)| *first <= line);
        let place = self.0.get(after.saturating_sub(1));
        place.map_or((Path::new(""), line), |(file, first)| {
            (file, if line == 0 { 0 } else { line - first + 1 })
        })
    }

    /// Whether a line is the first of a file.
    pub(crate) fn begins(&self, line: usize) -> bool {
        let found = self.0.binary_search_by_key(&line, |(_, first)| *first);
        found.is_ok()
    }

    /// A line for a message about another one: `line 5`, or, where there are several files,
    /// `line 5 of /etc/vrrpd.conf.d/a.conf`.
    pub(crate) fn line(&self, line: usize) -> String {
        let (file, number) = self.place(line);
        if self.0.len() > 1 {
            format!("line {number} of {}", file.display())
        } else {
            format!("line {number}")
        }
    }
}

/// Judges a pattern: an absolute path, with `*` in the name of the file alone.
pub(crate) fn pattern(text: &str) -> Result<(), String> {
    let fits = Path::new(text).is_absolute() && !text.ends_with('/');
    let folder = text.rsplit_once('/').map_or("", |(folder, _)| folder);
    if fits && !folder.contains('*') {
        return Ok(());
    }
    Err(format!(
        "expected an absolute path, with `*` in the last part alone, found {}",
        found(text)
    ))
}

/// The names that fit a pattern, sorted, files or not. Hidden ones are named by no `*`. Without a `*` the
/// file has to be there.
fn matching(text: &str) -> Result<Vec<PathBuf>, String> {
    // A wrong one is said when the key is read.
    if pattern(text).is_err() {
        return Ok(Vec::new());
    }
    let Some((folder, name)) = text.rsplit_once('/').filter(|(_, name)| name.contains('*')) else {
        return Ok(vec![text.into()]);
    };
    let folder = if folder.is_empty() { "/" } else { folder };
    let cannot = |error: io::Error| format!("`{folder}` cannot be read: {error}");
    let mut files = Vec::new();
    for item in fs::read_dir(folder).map_err(cannot)? {
        let item = item.map_err(cannot)?;
        let is_meant = item
            .file_name()
            .to_str()
            .is_some_and(|found| !found.starts_with('.') && is_like(name, found));
        if is_meant {
            files.push(item.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Whether a name fits a pattern in which `*` stands for any characters.
fn is_like(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

/// The octets of a file, of which at most `most` are read. A pipe is not opened: it might never end.
fn read_at_most(file: &Path, most: usize) -> io::Result<Vec<u8>> {
    if !fs::metadata(file)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut octets = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    fs::File::open(file)?.take(limit).read_to_end(&mut octets)?;
    if octets.len() > most {
        let message = format!("all files together have more than {MAX_FILE} octets");
        return Err(io::Error::other(message));
    }
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, name, fits) in [
            ("*.conf", "a.conf", true),
            ("*.conf", ".conf", true),
            ("*.conf", "a.conf~", false),
            ("a*b*c", "a1b2c", true),
            ("a*b*c", "abbc", true),
            ("a*b*c", "acb", false),
            ("a*a", "a", false),
            ("*", "x", true),
        ] {
            assert_eq!(is_like(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn a_line_is_one_of_its_file() {
        let mut source = Source::new("a".as_ref(), "1\n2");
        source.files.0.push(("b".into(), 3));
        source.files.0.push(("c".into(), 3));
        let place = |line| {
            let (file, line) = source.files.place(line);
            (file.to_str().unwrap().to_owned(), line)
        };
        assert_eq!(place(0), ("a".into(), 0));
        assert_eq!(place(2), ("a".into(), 2));
        // An empty file has no line.
        assert_eq!(place(3), ("c".into(), 1));
        assert_eq!(source.files.line(2), "line 2 of a");
        assert_eq!(source.files.line(4), "line 2 of c");
        assert_eq!(Source::new("a".as_ref(), "1\n2").files.line(2), "line 2");
    }
}
