//! Folders in the temporary folder that are removed however the program ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::tools::run::Failure;

/// Removes the folder `$0` when its standard input ends, which it does with the process at its other end,
/// however that ends. The second time takes what others wrote while they ended, too.
const JANITOR: &str = r#"trap "" INT TERM HUP; read -r _; rm -rf "$0"; sleep 1; rm -rf "$0""#;

/// A folder of this process's, and all that is in it. It is removed when this is dropped, or by another
/// process when this one is killed.
pub(crate) struct Scratch(PathBuf, Child);

impl Scratch {
    /// Makes it. Programs that run as other users may put files into it, too.
    pub(crate) fn new(name: &str) -> Result<Self, Failure> {
        let path = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        let failed = |e| Failure(format!("{}: {e}", path.display()));
        fs::create_dir_all(&path).map_err(failed)?;
        fs::set_permissions(&path, Permissions::from_mode(0o1777)).map_err(failed)?;
        let mut janitor = Command::new("sh");
        janitor
            .args(["-c", JANITOR])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let janitor = janitor
            .spawn()
            .map_err(|e| Failure(format!("cannot run sh: {e}")))?;
        Ok(Self(path, janitor))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // There is nowhere to report that this failed, and the janitor has nothing left to do.
        let _ = fs::remove_dir_all(&self.0);
        let _ = self.1.kill();
        let _ = self.1.wait();
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

    #[test]
    fn another_process_removes_what_is_left() {
        let mut scratch = Scratch::new("vrrp-xtask-left").expect("a folder");
        fs::write(scratch.path().join("a"), "").expect("a file");
        // As it is when this process is killed.
        drop(scratch.1.stdin.take());
        let ended = scratch.1.wait().expect("a child");
        assert!(ended.success() && !scratch.path().exists());
    }
}
