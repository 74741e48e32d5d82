//! Takes the keys of one section one by one, and reports what is wrong with a value beside its key.

use super::diagnostic::Report;
use super::keys::Key;
use super::lexer::{Entry, Section};

/// One section being read.
pub(super) struct Reader<'s, 'r> {
    section: &'s Section<'s>,
    report: &'r mut Report,
    failed: bool,
}

impl<'s, 'r> Reader<'s, 'r> {
    pub(super) fn new(section: &'s Section<'s>, report: &'r mut Report) -> Self {
        Self {
            section,
            report,
            failed: false,
        }
    }

    /// Whether anything was reported as an error.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// Whether a line of the section could not be read.
    pub(super) fn damaged(&self) -> bool {
        self.section.damaged
    }

    /// The entry of a key in the section.
    pub(super) fn entry(&self, key: Key) -> Option<Entry<'s>> {
        self.section.entries.iter().copied().find(|e| e.key == key)
    }

    /// The value of a key. `None`: the key is absent, or its value is wrong and was reported.
    pub(super) fn value<T>(
        &mut self,
        key: Key,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let entry = self.entry(key)?;
        match parse(entry.value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.error(key, message);
                None
            }
        }
    }

    /// The items of a list, each parsed. Wrong items are reported and left out; an absent key is an
    /// empty list, and a key without an item is an error.
    pub(super) fn items<T>(
        &mut self,
        key: Key,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        let items = super::values::list(entry.value);
        if items.is_empty() {
            self.error(key, "expected at least one item, found nothing");
        }
        let mut values = Vec::new();
        for item in items {
            match parse(item) {
                Ok(value) => values.push(value),
                Err(message) => self.error(key, message),
            }
        }
        values
    }

    /// An error about a key that is there, or about the section when it is not.
    pub(super) fn error(&mut self, key: Key, message: impl Into<String>) {
        self.failed = true;
        self.report
            .error(self.line_of(key), Some(key.name()), message);
    }

    /// An error about the section as a whole.
    pub(super) fn section_error(&mut self, message: impl Into<String>) {
        self.failed = true;
        self.report.error(self.section.line, None, message);
    }

    pub(super) fn warning(&mut self, key: Key, message: impl Into<String>) {
        self.report
            .warning(self.line_of(key), Some(key.name()), message);
    }

    pub(super) fn note(&mut self, key: Key, message: impl Into<String>) {
        self.report
            .note(self.line_of(key), Some(key.name()), message);
    }

    fn line_of(&self, key: Key) -> usize {
        self.entry(key).map_or(self.section.line, |e| e.line)
    }
}
