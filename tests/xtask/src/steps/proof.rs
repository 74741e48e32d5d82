//! Showing that the engine is right: simulated networks, the checklist, hostile input.

use crate::tools::run::{self, Failure, PROOF};

/// Seeds of the short form, a minute's worth on a slow machine.
const SHORT_RUNS: &str = "150";

/// Runs a program of the simulator with the checks of a debug build.
fn program(name: &str, args: &[&str]) -> Result<(), Failure> {
    run::run(run::program("vrrp-sim", name, &[])?.args(args))
}

/// `cargo xtask simulate`: many simulated networks, or that of one seed.
pub(crate) fn simulate(args: &[String]) -> Result<(), Failure> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    program("simulate", &args)
}

/// `cargo xtask model [--long] [PART...]`: explores two and three routers; with `--long` as far as an
/// hour goes, with parts of names those models alone.
pub(crate) fn model(args: &[String]) -> Result<(), Failure> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    program("model", &args)
}

/// `cargo xtask transitions`: writes the transition table and the state diagram anew.
pub(crate) fn transitions() -> Result<(), Failure> {
    program("transitions", &[])
}

/// The short form for CI, always the same seeds, and what else is checked without end: the oracle,
/// all timers, the transition table.
pub(crate) fn simulate_briefly() -> Result<(), Failure> {
    run::test(&["--profile", PROOF, "--package", "vrrp-sim"], &[])?;
    program("model", &[])?;
    program("simulate", &["--seed", "1", "--runs", SHORT_RUNS])
}
