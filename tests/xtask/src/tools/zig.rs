//! zig as a linker and C compiler for other systems, of which it brings the headers and libraries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::python;
use crate::tools::run::{self, Failure};

/// The compiler, linker and headers, from the Python package index.
const ZIG: &str = "ziglang>=0.15";

/// A Python that has zig.
pub(crate) struct Zig {
    python: PathBuf,
}

impl Zig {
    /// The system's, if it has it; else an environment of our own.
    pub(crate) fn find() -> Result<Self, Failure> {
        let python = python::with("ziglang", ZIG)?;
        Ok(Self { python })
    }

    /// The C compiler for a target as zig names it.
    pub(crate) fn cc(&self, target: &str) -> Command {
        let mut command = Command::new(&self.python);
        command.args(["-m", "ziglang", "cc", "-target", target]);
        command
    }

    /// A program at `file` that rustc can call as its linker, and build scripts as their C compiler. It
    /// leaves out the arguments that match a `case` pattern of the shell.
    pub(crate) fn script(
        &self,
        file: &Path,
        arguments: &str,
        left_out: &str,
    ) -> Result<PathBuf, Failure> {
        let file = std::path::absolute(file)
            .map_err(|e| Failure(format!("cannot find {}: {e}", file.display())))?;
        let python = run::output(
            Command::new(&self.python).args(["-c", "import sys; print(sys.executable)"]),
        )?;
        let script = format!(
            "#!/bin/sh\n\
             for arg in \"$@\"; do\n\
             \x20   shift\n\
             \x20   case $arg in {left_out}) ;; *) set -- \"$@\" \"$arg\" ;; esac\n\
             done\n\
             exec {} -m ziglang cc -target {arguments} \"$@\"\n",
            python.trim()
        );
        let made = file.parent().map_or(Ok(()), fs::create_dir_all);
        made.and_then(|()| fs::write(&file, script))
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)))
            .map_err(|e| Failure(format!("cannot make {} a program: {e}", file.display())))?;
        Ok(file)
    }
}
