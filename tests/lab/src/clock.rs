//! Wall clocks of their own for the daemons: a library that is preloaded into them (`tests/c/clock.c`).

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Lab;

/// Compiles the library.
///
/// # Panics
///
/// When that is not possible: it needs gcc and libc6-dev.
pub fn build_shim(lab: &Lab) -> PathBuf {
    let shim = lab.dir().join("clock.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../c/clock.c");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"])
        .arg(source)
        .arg("-o")
        .arg(&shim);
    let status = cc.status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "cannot compile {source}: it needs gcc and libc6-dev"
    );
    shim
}

/// The clock of one daemon. It begins as that of the machine, and not synchronised.
#[derive(Debug)]
pub struct Clock {
    file: File,
    path: PathBuf,
}

impl Clock {
    /// Makes one, kept in `path`.
    ///
    /// # Panics
    ///
    /// When the file cannot be written.
    pub fn new(path: PathBuf) -> Self {
        let file = File::create(&path).expect("make a clock");
        let clock = Self { file, path };
        clock.set(0, false);
        clock
    }

    /// Has it differ from the machine's by so many seconds.
    ///
    /// # Panics
    ///
    /// When the file cannot be written.
    pub fn set(&self, seconds: i64, synchronised: bool) {
        let state: i64 = if synchronised { 1 } else { 2 };
        let words = [seconds.to_ne_bytes(), state.to_ne_bytes()].concat();
        self.file.write_all_at(&words, 0).expect("set a clock");
    }

    /// Has a program that is about to be started go by it, with all that it executes.
    pub fn give(&self, command: &mut Command, shim: &Path) {
        command.env("LD_PRELOAD", shim);
        command.env("LAB_CLOCK_ALL", "1");
        command.env("LAB_CLOCK", &self.path);
    }
}
