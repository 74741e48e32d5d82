//! Files and directories that nobody but this process's user can have written.

use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

pub use crate::sys::{CAREFUL, effective_uid};

/// Write permission of the group and of others.
const WRITABLE: u32 = 0o022;

/// Makes a directory, or finds out whether what is written in it can be trusted. `user` is the effective
/// user of this process.
///
/// # Errors
/// It is no directory, or others own it or may write to it; or the system's.
pub fn own_directory(directory: &Path, user: u32) -> io::Result<Metadata> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = fs::symlink_metadata(directory)?;
    if !meta.is_dir() {
        return distrusted("it is not a directory, or a symbolic link to one".into());
    }
    trust(&meta, user)?;
    Ok(meta)
}

/// Finds out whether nobody but `user` can have written it.
///
/// # Errors
/// Others own it or may write to it.
pub fn trust(meta: &Metadata, user: u32) -> io::Result<()> {
    let (owner, mode) = (meta.uid(), meta.mode() & 0o7777);
    if owner != user {
        return distrusted(format!(
            "it belongs to user {owner} and not to {user}, the user of this process"
        ));
    }
    if mode & WRITABLE != 0 {
        return distrusted(format!(
            "others may write to it (mode {mode:o}); it must be writable for its owner alone (chmod 700)"
        ));
    }
    Ok(())
}

/// The error for something that is not as it has to be.
///
/// # Errors
/// Always.
pub fn distrusted<T>(why: String) -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}
