//! The ledgers of processes that may still run: they are read, and nothing is changed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::content::read;
use super::files::{open_careful, path, pid};
use super::{Entry, System};

/// The entries in the ledger of a living process. `None`: it has none that can be read here.
pub fn entries_of<E: Entry>(directory: &Path, token: &str, system: System) -> Option<BTreeSet<E>> {
    let path = path(directory, token);
    let file = open_careful(&path, system).ok()??;
    let parsed = read(&file, &path, &mut Vec::new()).ok()?;
    Some(parsed.entries)
}

/// The entries in the ledgers of this place in `directory`, those of the living and of the dead.
/// Nothing is changed, and what cannot be read is left out.
pub fn entries_at<E: Entry>(directory: &Path, place: &str, system: System) -> BTreeSet<E> {
    let prefix = format!("{place}-");
    let paths = fs::read_dir(directory).into_iter().flatten();
    let paths = paths.flatten().map(|item| item.path());
    let ledgers = paths.filter(|path| path.extension().is_some_and(|e| e == "ledger"));
    let tokens = ledgers.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    tokens
        .filter(|token| token.starts_with(&prefix))
        .filter_map(|token| entries_of(directory, &token, system))
        .flatten()
        .collect()
}

/// Whether the process that has, or had, this token is dead or about to end.
pub fn is_ending(token: &str, system: System) -> bool {
    pid(token).is_some_and(system.is_ending)
}
