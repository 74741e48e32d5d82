//! The ledgers that dead processes left.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::content::read;
use super::files::{is_at, open_careful, pid, prepare_directory};
use super::{Entry, System};

/// How long a process that is about to end is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// The pause between two looks at it.
const PAUSE: Duration = Duration::from_millis(10);

/// A ledger that a dead process left. It is ours, locked, until it is dropped.
#[derive(Debug)]
pub struct Leftover<E> {
    path: PathBuf,
    /// Holds the lock.
    pub(super) _lock: File,
    /// The mark of that life.
    pub token: String,
    /// The entries that it had installed.
    pub entries: BTreeSet<E>,
}

impl<E> Leftover<E> {
    /// Removes the file, when everything in it has been dealt with.
    pub fn discard(self) {
        let _ = fs::remove_file(&self.path);
        // It died while it wrote the ledger anew.
        let _ = fs::remove_file(self.path.with_extension("new"));
    }
}

/// Takes the ledgers that dead processes of this place left in `directory`, which is made when missing.
/// A process that was just killed is waited for. Oddities of the files are added to `remarks`.
pub fn leftovers<E: Entry>(
    directory: &Path,
    place: &str,
    system: System,
    remarks: &mut Vec<String>,
) -> io::Result<Vec<Leftover<E>>> {
    prepare_directory(directory, system)?;
    let prefix = format!("{place}-");
    let mut found = Vec::new();
    let patience = Instant::now() + PATIENCE;
    for item in fs::read_dir(directory)? {
        let path = item?.path();
        let Some(token) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let is_ledger = path.extension().is_some_and(|e| e == "ledger");
        if !is_ledger || !token.starts_with(&prefix) {
            continue;
        }
        let file = match open_careful(&path, system) {
            Ok(Some(file)) => file,
            Ok(None) => continue,
            Err(error) => {
                remarks.push(format!("{}: {error}; left alone", path.display()));
                continue;
            }
        };
        let mut locked = (system.lock)(&file)?;
        while !locked && Instant::now() < patience && pid(token).is_some_and(system.is_ending) {
            thread::sleep(PAUSE);
            locked = (system.lock)(&file)?;
        }
        // Gone meanwhile, or of the living: not ours.
        if !locked || !is_at(&file, &path) {
            continue;
        }
        let parsed = read(&file, &path, remarks)?;
        found.push(Leftover {
            token: token.into(),
            entries: parsed.entries,
            path,
            _lock: file,
        });
    }
    Ok(found)
}
