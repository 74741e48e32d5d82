//! Programs that stories build on their first use: examples, C programs, modules.

use std::fs::File;
use std::path::PathBuf;

use crate::daemons::target_dir;
use crate::sys;

/// A folder for what is built, below cargo's target folder.
///
/// # Panics
///
/// When it cannot be made.
pub fn out_dir(name: &str) -> PathBuf {
    let dir = target_dir().join("lab").join(name);
    std::fs::create_dir_all(&dir).expect("make a folder for what a story builds");
    dir
}

/// Runs `build` unless another story of the same run has done so. `cargo xtask test lab` runs stories in
/// processes of their own and at the same time: the first builds, the others wait. One thing is built
/// at a time; `build` must not call this.
///
/// # Panics
///
/// When the lock cannot be taken.
pub fn once(name: &str, build: impl FnOnce()) {
    let dir = out_dir("built");
    let lock = File::create(dir.join("lock")).expect("open the lock of what stories build");
    sys::lock(&lock).expect("lock what stories build");
    let note = dir.join(name);
    let run = std::env::var("VRRP_LAB_RUN").unwrap_or_default();
    let noted = std::fs::read_to_string(&note).unwrap_or_default();
    if run.is_empty() || noted != run {
        build();
        std::fs::write(&note, run).expect("note what a story has built");
    }
}
