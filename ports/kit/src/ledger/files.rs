//! The directory of ledgers and the files in it: their names, and who may have written them.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::System;
use crate::trust;

/// Makes the directory, or finds out whether what is written in it can be trusted.
pub(super) fn prepare_directory(directory: &Path, system: System) -> io::Result<()> {
    if let Some(parent) = directory.parent() {
        fs::create_dir_all(parent)?;
    }
    let meta = trust::own_directory(directory, system.user)?;
    // Where it is ours alone, nobody else need look into it. It may hold other files: /run.
    if meta.mode() & 0o077 != 0 && holds_ledgers_only(directory)? {
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

fn holds_ledgers_only(directory: &Path) -> io::Result<bool> {
    for item in fs::read_dir(directory)? {
        let path = item?.path();
        if path.extension().is_none_or(|e| e != "ledger" && e != "new") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Opens a regular file that is ours, and nothing else: opening a FIFO or a device may wait, or do
/// something. `None`: it is gone.
pub(super) fn open_careful(path: &Path, system: System) -> io::Result<Option<File>> {
    let check = |meta: &Metadata| match meta.is_file() {
        true => trust::trust(meta, system.user),
        false => trust::distrusted("it is not a regular file".into()),
    };
    let there = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Ok(None),
        _ => Err(error),
    };
    match fs::symlink_metadata(path) {
        Ok(meta) => check(&meta)?,
        Err(error) => return there(error),
    }
    let mut options = OpenOptions::new();
    match options.read(true).custom_flags(trust::CAREFUL).open(path) {
        Ok(file) => {
            check(&file.metadata()?)?;
            Ok(Some(file))
        }
        Err(error) => there(error),
    }
}

/// Microseconds that tell the lives of a process number apart.
pub(super) fn now_us() -> u128 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_micros()
}

/// The process number in a token.
pub(super) fn pid(token: &str) -> Option<u32> {
    token.rsplit('-').nth(1)?.parse().ok()
}

pub(super) fn path(directory: &Path, token: &str) -> PathBuf {
    directory.join(format!("{token}.ledger"))
}

pub(super) fn open_new(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

pub(super) fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}
