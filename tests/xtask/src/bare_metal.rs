//! Cargo for targets without an operating system.

use std::path::PathBuf;
use std::process::Command;

use crate::packages;
use crate::run::{self, Failure, cargo, root};

/// The targets that the libraries are built for: Cortex-M0, M3, M4F and a RISC-V.
pub(crate) const TARGETS: &[&str] = &[
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "riscv32imac-unknown-none-elf",
];

/// What is built for them.
pub(crate) const PACKAGES: &[&str] = &["vrrp-core", "vrrp-smoltcp", "vrrp-embassy"];

/// `cargo SUBCOMMAND` for `target`, in the repository's root, for the caller to add arguments to.
///
/// It is the reader's own cargo where rustup has the target installed. Elsewhere it is Debian's,
/// which brings the source of core and builds it for any target; it is installed if it is missing.
/// Both build into the folder [`target_dir`] names.
pub(crate) fn cargo_for(subcommand: &str, target: &str) -> Result<Command, Failure> {
    let mut command = match rustup_has(target) {
        true => {
            let mut command = cargo();
            command.arg(subcommand);
            command
        }
        false => {
            packages::install(packages::BARE_METAL)?;
            debian_cargo(subcommand)
        }
    };
    command
        .arg("--target")
        .arg(target)
        .arg("--target-dir")
        .arg(target_dir())
        // Flash is dear.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s")
        .current_dir(root());
    Ok(command)
}

/// Where [`cargo_for`] builds: `TARGET/PROFILE/` below it holds what was made.
pub(crate) fn target_dir() -> PathBuf {
    run::target_dir().join("bare-metal")
}

fn rustup_has(target: &str) -> bool {
    let mut list = Command::new("rustup");
    list.args(["target", "list", "--installed"]);
    run::output(&mut list).is_ok_and(|targets| targets.lines().any(|t| t == target))
}

fn debian_cargo(subcommand: &str) -> Command {
    let mut command = Command::new("/usr/bin/cargo");
    command
        .args([subcommand, "-Zbuild-std=core"])
        .env("PATH", "/usr/bin:/bin")
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTDOC");
    command
}
