//! `cargo xtask mutants`: breaks the engine in every place that a tool finds, one at a time, and sees
//! a test of vrrp-core fail. What may survive is in `.cargo/mutants.toml`, each with its reason.

use std::process::Command;

use crate::run::{self, Failure, cargo, root, target_dir};

/// `cargo xtask mutants [ARGUMENTS]`; the arguments are those of cargo-mutants, such as
/// `--file core/src/wire/arp.rs`.
pub(crate) fn mutants(args: &[String]) -> Result<(), Failure> {
    if run::output(Command::new("cargo").args(["mutants", "--version"])).is_err() {
        run::run(cargo().args(["install", "--locked", "cargo-mutants"]))?;
    }
    run::run(
        Command::new("cargo")
            .current_dir(root())
            .args(["mutants", "--package", "vrrp-core", "--output"])
            .arg(target_dir())
            .args(args)
            .env("CARGO_PROFILE_DEV_DEBUG", "0"),
    )
}
