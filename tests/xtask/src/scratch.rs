//! Folders in the temporary folder that are removed when they are dropped.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::run::Failure;

/// A folder of this process's, and all that is in it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes it. Programs that run as other users may put files into it, too.
    pub(crate) fn new(name: &str) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let failed = |e| Failure(format!("{}: {e}", path.display()));
        fs::create_dir_all(&path).map_err(failed)?;
        fs::set_permissions(&path, Permissions::from_mode(0o1777)).map_err(failed)?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // There is nowhere to report that this failed.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The names of what is in a folder, sorted.
pub(crate) fn names(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_ends_with_all_that_is_in_it() {
        let scratch = Scratch::new("vrrp-xtask-test").expect("a folder");
        let path = scratch.path().to_path_buf();
        fs::create_dir(path.join("b")).expect("a folder");
        fs::write(path.join("a"), "").expect("a file");
        assert_eq!(names(&path).expect("a folder"), ["a", "b"]);
        drop(scratch);
        assert!(!path.exists());
    }
}
