//! Showing that the engine is right: simulated networks, the checklist, hostile input.

use crate::run::{self, Failure, cargo, root};

/// Seeds of the short form, a minute's worth on a slow machine.
const SHORT_RUNS: &str = "250";

/// Runs a program of a proof crate with the checks of a debug build.
fn program(package: &str, args: &[&str]) -> Result<(), Failure> {
    let mut command = cargo();
    command
        .current_dir(root())
        .args(["run", "--quiet", "--profile", "proof", "--package", package])
        .arg("--")
        .args(args);
    run::run(&mut command)
}

/// `cargo xtask simulate`: many simulated networks, or that of one seed.
pub(crate) fn simulate(args: &[String]) -> Result<(), Failure> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    program("vrrp-sim", &args)
}

/// The short form for CI, always the same seeds, and what else is checked without end: the oracle,
/// all timers, the transition table.
pub(crate) fn simulate_briefly() -> Result<(), Failure> {
    let tests = [
        "test",
        "--quiet",
        "--profile",
        "proof",
        "--package",
        "vrrp-sim",
    ];
    run::run(cargo().current_dir(root()).args(tests))?;
    program("vrrp-sim", &["--seed", "1", "--runs", SHORT_RUNS])
}
