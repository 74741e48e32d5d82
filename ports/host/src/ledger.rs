//! The ledger: a file that says what a port installed, so that a later life can clean up after a
//! crash.
//!
//! The file is locked for life. A ledger that can be locked belongs to a process that is dead.
//! Each line begins with `+` (about to be installed) or `-` (removed again).

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

/// Lines about things that are no more before the file is written anew.
const STALE_LINES: usize = 1024;
/// A ledger that is longer is none.
const MAX_LEN: u64 = 4 * 1024 * 1024;

/// Something that a port installs, as one line of text.
pub trait Entry: Clone + Ord + fmt::Display + FromStr {}

impl<T: Clone + Ord + fmt::Display + FromStr> Entry for T {}

/// Locks a whole file for its open description, without waiting; `false`: another has it. The
/// standard library of the oldest supported compiler cannot.
pub type Lock = fn(&File) -> io::Result<bool>;

/// The entries of a ledger that are not taken back. Lines that make no sense (the last one may be
/// cut short) are passed over.
fn parse<E: Entry>(text: &str) -> BTreeSet<E> {
    let mut entries = BTreeSet::new();
    for line in text
        .split_inclusive('\n')
        .filter(|line| line.ends_with('\n'))
    {
        match line.trim_end().split_at_checked(2) {
            Some(("+ ", rest)) => entries.extend(rest.parse().ok()),
            Some(("- ", rest)) => {
                if let Ok(entry) = rest.parse::<E>() {
                    entries.remove(&entry);
                }
            }
            _ => {}
        }
    }
    entries
}

/// Our own ledger.
#[derive(Debug)]
pub struct Ledger<E> {
    directory: PathBuf,
    lock: Lock,
    file: File,
    token: String,
    entries: BTreeSet<E>,
    stale: usize,
}

impl<E: Entry> Ledger<E> {
    /// Makes and locks a ledger in `directory`, which is made when missing. `place` names the
    /// network that it is about: ledgers of other places are none of our business.
    pub fn create(directory: &Path, place: &str, lock: Lock) -> io::Result<Self> {
        fs::create_dir_all(directory)?;
        loop {
            let pid = std::process::id();
            let token = format!("{place}-{pid}-{}", now_us());
            let path = path(directory, &token);
            let file = match open_new(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                other => other?,
            };
            // Another may have found the file before we locked it, and taken it for a dead one's.
            if lock(&file)? && is_at(&file, &path) {
                return Ok(Self {
                    directory: directory.into(),
                    lock,
                    file,
                    token,
                    entries: BTreeSet::new(),
                    stale: 0,
                });
            }
        }
    }

    /// What names this life: a mark for what can carry one.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Notes what is about to be installed.
    pub fn add(&mut self, entries: impl IntoIterator<Item = E>) -> io::Result<()> {
        let mut lines = String::new();
        for entry in entries {
            if !self.entries.contains(&entry) {
                lines += &format!("+ {entry}\n");
                self.entries.insert(entry);
            }
        }
        self.file.write_all(lines.as_bytes())
    }

    /// Notes what is removed again.
    pub fn remove(&mut self, entry: &E) -> io::Result<()> {
        if !self.entries.remove(entry) {
            return Ok(());
        }
        self.stale += 1;
        if self.stale > STALE_LINES {
            return self.rewrite();
        }
        self.file.write_all(format!("- {entry}\n").as_bytes())
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

    /// Whether it is noted.
    pub fn contains(&self, entry: &E) -> bool {
        self.entries.contains(entry)
    }

    /// Removes the file, when everything in it is removed.
    pub fn close(&mut self) {
        // A file that stays is found by the next life, which has nothing to clean then.
        let _ = fs::remove_file(path(&self.directory, &self.token));
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let fresh = self.directory.join(format!("{}.new", self.token));
        let _ = fs::remove_file(&fresh);
        let mut file = open_new(&fresh)?;
        (self.lock)(&file)?;
        let lines: String = self.entries.iter().map(|e| format!("+ {e}\n")).collect();
        file.write_all(lines.as_bytes())?;
        fs::rename(&fresh, path(&self.directory, &self.token))?;
        self.file = file;
        self.stale = 0;
        Ok(())
    }
}

/// A ledger that a dead process left. It is ours, locked, until it is dropped.
#[derive(Debug)]
pub struct Leftover<E> {
    path: PathBuf,
    /// Holds the lock.
    _file: File,
    /// The mark of that life.
    pub token: String,
    /// What it had installed.
    pub entries: BTreeSet<E>,
}

impl<E> Leftover<E> {
    /// Removes the file, when everything in it has been dealt with.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The ledgers that dead processes of this place left in `directory`.
pub fn leftovers<E: Entry>(
    directory: &Path,
    place: &str,
    lock: Lock,
) -> io::Result<Vec<Leftover<E>>> {
    let prefix = format!("{place}-");
    let mut found = Vec::new();
    for item in fs::read_dir(directory)? {
        let path = item?.path();
        let Some(token) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let is_ledger = path.extension().is_some_and(|e| e == "ledger");
        if !is_ledger || !token.starts_with(&prefix) {
            continue;
        }
        // Gone meanwhile, or locked by the living: not ours.
        let Ok(file) = File::open(&path) else {
            continue;
        };
        if !lock(&file)? || !is_at(&file, &path) {
            continue;
        }
        let mut octets = Vec::new();
        (&file).take(MAX_LEN).read_to_end(&mut octets)?;
        found.push(Leftover {
            token: token.into(),
            entries: parse(&String::from_utf8_lossy(&octets)),
            path,
            _file: file,
        });
    }
    Ok(found)
}

/// Microseconds that tell the lives of a process number apart.
fn now_us() -> u128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_micros()
}

fn path(directory: &Path, token: &str) -> PathBuf {
    directory.join(format!("{token}.ledger"))
}

fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a port's lock: a second description of a file that is held does not get it.
    fn lock(file: &File) -> io::Result<bool> {
        let place = {
            let meta = file.metadata()?;
            (meta.dev(), meta.ino())
        };
        let mut held = HELD.lock().unwrap();
        Ok(held.insert(place))
    }

    static HELD: std::sync::Mutex<BTreeSet<(u64, u64)>> = std::sync::Mutex::new(BTreeSet::new());

    fn directory(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("vrrp-{name}-{}", std::process::id()))
    }

    #[test]
    fn what_is_taken_back_or_cut_short_does_not_count() {
        let text = "+ 1\n+ 2\nnonsense\n- 1\n+ not a number\n+ 3";
        assert_eq!(parse::<u32>(text), BTreeSet::from([2]));
    }

    #[test]
    fn a_long_life_does_not_make_a_long_ledger() {
        let directory = directory("rewrite");
        let mut ledger = Ledger::<u32>::create(&directory, "here", lock).unwrap();
        for _ in 0..2 * STALE_LINES {
            ledger.add([1, 2, 3]).unwrap();
            ledger.remove(&2).unwrap();
        }
        assert!(ledger.file.metadata().unwrap().len() < 20_000);
        assert!(
            leftovers::<u32>(&directory, "here", lock)
                .unwrap()
                .is_empty()
        );
        ledger.close();
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
        fs::remove_dir(&directory).unwrap();
    }
}
