//! `cargo xtask mutants`: breaks the engine in every place that a tool finds, one at a time, and sees
//! a test of vrrp-core fail. What may survive is in `.cargo/mutants.toml`, each with its reason.

use std::process::Command;

use crate::tools::apart;
use crate::tools::run::{self, Failure, cargo, target_dir};

/// `cargo xtask mutants [ARGUMENTS]`; the arguments are those of cargo-mutants, such as
/// `--file core/src/wire/arp.rs`, or `--iterate` to go on where the last run ended.
pub(crate) fn mutants(args: &[String]) -> Result<(), Failure> {
    if run::output(Command::new("cargo").args(["mutants", "--version"])).is_err() {
        run::run(cargo().args(["install", "--locked", "cargo-mutants"]))?;
    }
    // One that stays, so that each break is built upon the last.
    let copy = target_dir().join("mutants");
    apart::lay_out(&copy)?;
    apart::join_tests(&copy)?;
    apart::take_along(&copy, ".cargo/mutants.toml")?;
    run::run(
        Command::new("cargo")
            .current_dir(&copy)
            .args([
                "mutants",
                "--in-place",
                "--package",
                "vrrp-core",
                "--features",
                "hmac",
            ])
            .args(args)
            .env("CARGO_TARGET_DIR", copy.join("target"))
            .env("CARGO_PROFILE_DEV_DEBUG", "0"),
    )
}
