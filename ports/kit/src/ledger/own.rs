//! The ledger of this process.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::files::{is_at, now_us, open_new, path, prepare_directory};
use super::living::is_ending;
use super::{Entry, System};

/// Lines about things that are no more before the file is written anew.
pub(super) const STALE_LINES: usize = 1024;

/// Our own ledger.
#[derive(Debug)]
pub struct Ledger<E> {
    directory: PathBuf,
    system: System,
    pub(super) file: File,
    pub(super) token: String,
    entries: BTreeSet<E>,
    stale: usize,
    /// The length of the file up to the end of its last whole line.
    len: u64,
    /// A line was cut short behind that.
    pub(super) torn: bool,
}

impl<E: Entry> Ledger<E> {
    /// Makes and locks a ledger in `directory`, which is made when missing. `place` names the
    /// network that it is about: ledgers of other places are none of our business.
    ///
    /// # Errors
    /// Among others, when somebody else may write to the directory.
    pub fn create(directory: &Path, place: &str, system: System) -> io::Result<Self> {
        prepare_directory(directory, system)?;
        loop {
            let pid = std::process::id();
            let token = format!("{place}-{pid}-{}", now_us());
            let path = path(directory, &token);
            let file = match open_new(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            // Another may have found the file before we locked it, and taken it for a dead one's.
            if (system.lock)(&file)? && is_at(&file, &path) {
                return Ok(Self {
                    directory: directory.into(),
                    system,
                    file,
                    token,
                    entries: BTreeSet::new(),
                    stale: 0,
                    len: 0,
                    torn: false,
                });
            }
        }
    }

    /// The name of this life: a mark for interfaces that can carry one.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Notes what is about to be installed: all of it, or after an error nothing.
    pub fn add(&mut self, entries: impl IntoIterator<Item = E>) -> io::Result<()> {
        let new: Vec<E> = entries
            .into_iter()
            .filter(|entry| !self.entries.contains(entry))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut lines = String::new();
        for entry in &new {
            let line = entry.to_string();
            debug_assert!(line.parse::<E>().ok().as_ref() == Some(entry), "{line}");
            lines += &format!("+ {line}\n");
        }
        if !is_at(&self.file, &path(&self.directory, &self.token)) {
            // Somebody emptied the directory.
            self.rewrite()?;
        }
        self.append(&lines)?;
        self.entries.extend(new);
        Ok(())
    }

    /// Notes what is removed again.
    pub fn remove(&mut self, entry: &E) -> io::Result<()> {
        if !self.entries.contains(entry) {
            return Ok(());
        }
        self.append(&format!("- {entry}\n"))?;
        self.entries.remove(entry);
        self.stale += 1;
        if self.stale.is_multiple_of(STALE_LINES) {
            // Where it fails the file goes on growing, and the next try is as far away.
            let _ = self.rewrite();
        }
        Ok(())
    }

    /// Notes that everything is removed for which `gone` says so.
    pub fn remove_where(&mut self, gone: impl Fn(&E) -> bool) -> io::Result<()> {
        let entries: Vec<E> = self.entries.iter().filter(|e| gone(e)).cloned().collect();
        entries.iter().try_for_each(|entry| self.remove(entry))
    }

    /// Whether there is a ledger, of the living or the dead, for the life with this token.
    pub fn is_known(&self, token: &str) -> bool {
        path(&self.directory, token).exists()
    }

    /// Whether the process that has, or had, this token is dead or about to end.
    pub fn is_ending(&self, token: &str) -> bool {
        is_ending(token, self.system)
    }

    /// Whether it is noted.
    pub fn contains(&self, entry: &E) -> bool {
        self.entries.contains(entry)
    }

    /// Removes the file, when everything in it is removed.
    pub fn close(&mut self) {
        // A file that stays is found by the next life, which has nothing to clean then.
        let _ = fs::remove_file(path(&self.directory, &self.token));
    }

    /// Writes whole lines, or after an error nothing.
    pub(super) fn append(&mut self, lines: &str) -> io::Result<()> {
        if self.torn {
            // Makes a line of what was cut short, and one that is none.
            self.file.write_all(b"?\n")?;
            self.torn = false;
            self.len = self.file.metadata()?.len();
        }
        match self.file.write_all(lines.as_bytes()) {
            Ok(()) => {
                self.len += lines.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.torn = self.file.set_len(self.len).is_err();
                Err(error)
            }
        }
    }

    fn rewrite(&mut self) -> io::Result<()> {
        prepare_directory(&self.directory, self.system)?;
        let fresh = self.directory.join(format!("{}.new", self.token));
        let lines: String = self.entries.iter().map(|e| format!("+ {e}\n")).collect();
        let file = self.replace_by(&fresh, &lines).inspect_err(|_| {
            let _ = fs::remove_file(&fresh);
        })?;
        self.file = file;
        self.stale = 0;
        self.len = lines.len() as u64;
        self.torn = false;
        Ok(())
    }

    /// Puts a new file, locked, in the place of the ledger.
    fn replace_by(&self, fresh: &Path, lines: &str) -> io::Result<File> {
        let _ = fs::remove_file(fresh);
        let mut file = open_new(fresh)?;
        (self.system.lock)(&file)?;
        file.write_all(lines.as_bytes())?;
        fs::rename(fresh, path(&self.directory, &self.token))?;
        Ok(file)
    }
}
