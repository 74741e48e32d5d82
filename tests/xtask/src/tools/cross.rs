//! Builds for a Debian of another processor: by Debian's Rust, which brings the source of its library, and
//! Debian's C compiler for that processor. qemu runs the outcome.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::run::{Failure, install_dir};
use crate::tools::{debian_rust, packages};

/// A processor that Debian can be built for from another.
pub(crate) struct Machine {
    /// Debian's name of it.
    pub(crate) name: &'static str,
    rust: &'static str,
    compiler: &'static str,
    emulator: &'static str,
    /// The folder that has `lib` of that machine.
    libraries: &'static str,
    packages: &'static [&'static str],
}

const MACHINES: [Machine; 1] = [Machine {
    name: "arm64",
    rust: "aarch64-unknown-linux-gnu",
    compiler: "/usr/bin/aarch64-linux-gnu-gcc",
    emulator: "qemu-aarch64-static",
    libraries: "/usr/aarch64-linux-gnu",
    packages: packages::CROSS_ARM64,
}];

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Machine {
    /// The machine that `--arch NAME` means.
    pub(crate) fn parse(name: &str) -> Result<&'static Self, Failure> {
        let found = MACHINES.iter().find(|machine| machine.name == name);
        found.ok_or_else(|| {
            let known = MACHINES.each_ref().map(|machine| machine.name).join(", ");
            Failure(format!("--arch: expected {known}, found '{name}'"))
        })
    }

    /// `cargo VERB` for it. One folder has all the output, so that Rust's library is built once.
    pub(crate) fn cargo(&self, verb: &str) -> Result<Command, Failure> {
        packages::need(self.packages)?;
        let library = "std,panic_abort";
        let mut command = debian_rust::cargo(verb, library, &[self.rust], &install_dir());
        debian_rust::link_with(&mut command, self.rust, Path::new(self.compiler));
        Ok(command)
    }

    /// The folder of profiles in which [`Self::cargo`] builds.
    pub(crate) fn folder(&self) -> PathBuf {
        install_dir().join(self.rust)
    }

    /// A command that runs a program for it here.
    pub(crate) fn emulate(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(self.emulator);
        command.args(["-L", self.libraries]).arg(program);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_found_by_debians_name() {
        let found = Machine::parse("arm64").map(|machine| machine.rust);
        assert_eq!(found.ok(), Some("aarch64-unknown-linux-gnu"));
        let fault = Machine::parse("aarch64").err().map(|fault| fault.0);
        let fault = fault.unwrap_or_default();
        assert!(fault.contains("arm64") && fault.contains("'aarch64'"));
    }
}
