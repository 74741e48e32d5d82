//! Cargo for targets without an operating system.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::run::{self, Failure, cargo, root};
use crate::tools::{debian_rust, packages};

/// The targets that the libraries are built for: Cortex-M0, M3, M4F and a RISC-V.
pub(crate) const TARGETS: &[&str] = &[
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "riscv32imac-unknown-none-elf",
];

/// The packages that are built for them.
pub(crate) const PACKAGES: &[&str] = &["vrrp-core", "vrrp-smoltcp", "vrrp-embassy"];

/// `cargo SUBCOMMAND` for `targets`, in the repository's root, for the caller to add arguments to.
///
/// It is the reader's own cargo where rustup has the targets installed. Elsewhere it is Debian's,
/// which brings the source of core and builds it for any target.
/// Both build into the folder [`target_dir`] names.
pub(crate) fn cargo_for(subcommand: &str, targets: &[&str]) -> Result<Command, Failure> {
    let mut list = Command::new("rustup");
    let installed = run::output(list.args(["target", "list", "--installed"]));
    // Without rustup there is nothing that it has installed.
    match Cargo::choose(targets, &installed.unwrap_or_default()) {
        Cargo::Readers => Ok(Cargo::Readers.command(subcommand, targets, &target_dir())),
        Cargo::Debian => {
            packages::need(packages::BARE_METAL)?;
            Ok(Cargo::Debian.command(subcommand, targets, &target_dir()))
        }
    }
}

/// As [`cargo_for`], but Debian's wherever it runs: the same compiler and a core that is built for the
/// program, for what is to be compared. It builds into `folder`.
pub(crate) fn cargo_with_core(
    subcommand: &str,
    target: &str,
    folder: &Path,
) -> Result<Command, Failure> {
    packages::need(packages::BARE_METAL)?;
    Ok(Cargo::Debian.command(subcommand, &[target], folder))
}

/// Whether a command of [`cargo_for`] builds core, too.
pub(crate) fn builds_core(command: &Command) -> bool {
    command.get_program() == debian_rust::CARGO
}

/// Where [`cargo_for`] builds: `TARGET/PROFILE/` below it holds what was made.
pub(crate) fn target_dir() -> PathBuf {
    run::target_dir().join("bare-metal")
}

/// Whose cargo builds for a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cargo {
    Readers,
    Debian,
}

impl Cargo {
    /// `installed` is what `rustup target list --installed` says.
    fn choose(targets: &[&str], installed: &str) -> Self {
        let is_installed = |target: &&str| installed.lines().any(|line| line.trim() == *target);
        match targets.iter().all(is_installed) {
            true => Self::Readers,
            false => Self::Debian,
        }
    }

    fn command(self, subcommand: &str, targets: &[&str], folder: &Path) -> Command {
        let mut command = match self {
            Self::Readers => {
                let mut command = cargo();
                command.arg(subcommand).current_dir(root());
                command.args(targets.iter().flat_map(|target| ["--target", target]));
                command.arg("--target-dir").arg(folder);
                command
            }
            Self::Debian => debian_rust::cargo(subcommand, "core", targets, folder),
        };
        // Flash is dear.
        command.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s");
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: &str = "thumbv7m-none-eabi";
    const OTHER_TARGET: &str = "thumbv6m-none-eabi";
    const WITH: &str =
        "riscv32imac-unknown-none-elf\nthumbv7m-none-eabi\nx86_64-unknown-linux-gnu\n";
    const WITHOUT: &str = "thumbv7em-none-eabihf\nx86_64-unknown-linux-gnu\n";

    fn arguments(command: &Command) -> Vec<&str> {
        command.get_args().filter_map(|arg| arg.to_str()).collect()
    }

    #[test]
    fn the_readers_own_cargo_builds_where_rustup_has_the_target() {
        assert_eq!(Cargo::choose(&[TARGET], WITH), Cargo::Readers);
        let command = Cargo::Readers.command("build", &[TARGET], Path::new("/out"));
        assert!(!builds_core(&command));
        assert_eq!(command.get_program(), cargo().get_program());
        assert_eq!(arguments(&command)[..3], ["build", "--target", TARGET]);
        // A stable toolchain takes no unstable option, and is not made to.
        let unstable = |arg: &&str| arg.starts_with("-Z");
        assert!(!arguments(&command).iter().any(unstable));
        assert!(
            command
                .get_envs()
                .all(|(name, _)| name != "RUSTC_BOOTSTRAP")
        );
    }

    #[test]
    fn debians_cargo_builds_core_elsewhere() {
        for installed in [WITHOUT, ""] {
            assert_eq!(Cargo::choose(&[TARGET], installed), Cargo::Debian);
        }
        assert_eq!(
            Cargo::choose(&[TARGET, OTHER_TARGET], WITH),
            Cargo::Debian,
            "one of two is installed"
        );
        let command = Cargo::Debian.command("build", &[TARGET, OTHER_TARGET], Path::new("/out"));
        assert!(builds_core(&command));
        let expected = ["build", "-Zbuild-std=core", "--target", TARGET];
        assert_eq!(arguments(&command)[..4], expected);
        assert_eq!(arguments(&command)[4..6], ["--target", OTHER_TARGET]);
        let rustc = ("RUSTC".as_ref(), Some("/usr/bin/rustc".as_ref()));
        assert!(command.get_envs().any(|env| env == rustc));
    }
}
