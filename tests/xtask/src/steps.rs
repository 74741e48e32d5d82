//! The steps of `cargo xtask test`, in the order of what fails soonest.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::run::{self, Failure, cargo, root};
use crate::{bare_metal, bench, firmware, packages};

type Step = (&'static str, fn() -> Result<(), Failure>);

const STEPS: &[Step] = &[
    ("format", format),
    ("lint", lint),
    ("docs", docs),
    ("features", features),
    ("no-std", no_std),
    ("manuals", manuals),
    ("cost", bench::check),
    ("units", units),
    ("lab", lab),
    ("size", firmware::check_size),
    ("firmware", firmware::test),
];

/// Runs the steps that are named, or all.
pub(crate) fn test(names: &[String]) -> Result<(), Failure> {
    for name in names {
        if !STEPS.iter().any(|(step, _)| step == name) {
            let known: Vec<&str> = STEPS.iter().map(|(step, _)| *step).collect();
            let known = known.join(", ");
            return Err(Failure(format!(
                "there is no step '{name}'; there are {known}"
            )));
        }
    }
    for (name, step) in STEPS {
        if !names.is_empty() && !names.iter().any(|n| n == name) {
            continue;
        }
        println!("=== {name}");
        let started = Instant::now();
        step().map_err(|failure| Failure(format!("step {name}: {failure}")))?;
        println!(
            "=== {name}: passed in {:.0} s",
            started.elapsed().as_secs_f64()
        );
    }
    Ok(())
}

/// Builds vrrpd and vrrpctl as they are installed.
pub(crate) fn build_programs() -> Result<(), Failure> {
    here(cargo().args(["build", "--quiet", "--release", "--package", "vrrpd"]))
}

fn here(command: &mut Command) -> Result<(), Failure> {
    run::run(command.current_dir(root()))
}

fn format() -> Result<(), Failure> {
    here(cargo().args(["fmt", "--all", "--check"]))
}

fn lint() -> Result<(), Failure> {
    let args = ["clippy", "--quiet", "--workspace", "--all-targets"];
    here(cargo().args(args).args(["--", "-D", "warnings"]))
}

fn docs() -> Result<(), Failure> {
    let args = ["doc", "--quiet", "--workspace", "--no-deps"];
    here(cargo().args(args).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Every combination of the features of the engine and of what stands on it without std.
fn features() -> Result<(), Failure> {
    for package in bare_metal::PACKAGES {
        for features in ["", "log", "defmt", "log,defmt"] {
            let args = ["clippy", "--quiet", "--package", package];
            let features = ["--features", features, "--", "-D", "warnings"];
            here(cargo().args(args).args(features))?;
        }
    }
    Ok(())
}

/// The libraries for microcontrollers, where there is no std to lean on by mistake.
fn no_std() -> Result<(), Failure> {
    for target in bare_metal::TARGETS {
        let mut build = bare_metal::cargo_for("build", target)?;
        let packages = [
            "-p",
            "vrrp-core",
            "-p",
            "vrrp-smoltcp",
            "-p",
            "vrrp-embassy",
        ];
        run::run(build.args(["--quiet", "--release"]).args(packages))?;
    }
    Ok(())
}

fn manuals() -> Result<(), Failure> {
    packages::install(packages::MANUALS)?;
    let folder = root().join("ports/daemon/man");
    let pages = std::fs::read_dir(&folder)
        .map_err(|e| Failure(format!("cannot read {}: {e}", folder.display())))?;
    let pages: Vec<PathBuf> = pages.flatten().map(|page| page.path()).collect();
    if pages.len() < 3 {
        let found = pages.len();
        return Err(Failure(format!(
            "{found} manual pages in {}",
            folder.display()
        )));
    }
    here(
        Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .args(pages),
    )
}

/// Everything but the lab. The Linux port's own tests need root, and say so.
fn units() -> Result<(), Failure> {
    packages::install(packages::LAB)?;
    let args = ["test", "--quiet", "--workspace", "--exclude", "vrrp-tests"];
    here(cargo().args(args))
}

/// The lab of network namespaces.
fn lab() -> Result<(), Failure> {
    packages::install(packages::LAB)?;
    build_programs()?;
    here(cargo().args(["test", "--quiet", "--release", "--package", "vrrp-tests"]))
}
