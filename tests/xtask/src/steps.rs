//! The steps of `cargo xtask test`, in the order of what fails soonest.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::run::{self, Failure, cargo, root};
use crate::{bench, freebsd, packages};

type Step = (&'static str, fn() -> Result<(), Failure>);

const STEPS: &[Step] = &[
    ("format", format),
    ("lint", lint),
    ("docs", docs),
    ("features", features),
    ("no-std", no_std),
    ("manuals", manuals),
    ("cost", bench::check),
    ("freebsd", freebsd::check),
    ("units", units),
    ("lab", lab),
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

/// Every combination of the engine's features.
fn features() -> Result<(), Failure> {
    for features in ["", "log", "defmt", "log,defmt"] {
        let args = [
            "clippy",
            "--quiet",
            "--package",
            "vrrp-core",
            "--features",
            features,
        ];
        here(cargo().args(args).args(["--", "-D", "warnings"]))?;
    }
    Ok(())
}

/// The engine for a microcontroller, where there is no std to lean on by mistake.
fn no_std() -> Result<(), Failure> {
    const TARGET: &str = "thumbv7m-none-eabi";
    let build = ["--release", "--package", "vrrp-core", "--target", TARGET];
    let installed = Command::new("rustup")
        .args(["target", "list", "--installed"])
        .output();
    let own = installed.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
    if own.is_ok_and(|targets| targets.lines().any(|t| t == TARGET)) {
        return here(cargo().args(["build", "--quiet"]).args(build));
    }
    // Debian's Rust brings the source of core, from which it builds for any target.
    packages::install(packages::BARE_METAL)?;
    let target_dir: PathBuf = run::target_dir().join("bare-metal");
    let mut command = Command::new("/usr/bin/cargo");
    command
        .args(["build", "--quiet", "-Zbuild-std=core"])
        .args(build)
        .arg("--target-dir")
        .arg(target_dir)
        .env("PATH", "/usr/bin:/bin")
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTDOC");
    here(&mut command)
}

fn manuals() -> Result<(), Failure> {
    packages::install(packages::MANUALS)?;
    let mut pages: Vec<PathBuf> = Vec::new();
    for folder in ["ports/daemon/man", "ports/freebsd/man"] {
        let folder = root().join(folder);
        let found = std::fs::read_dir(&folder)
            .map_err(|e| Failure(format!("cannot read {}: {e}", folder.display())))?;
        let before = pages.len();
        pages.extend(found.flatten().map(|page| page.path()));
        if pages.len() < before + 3 {
            let found = pages.len() - before;
            let folder = folder.display();
            return Err(Failure(format!("{found} manual pages in {folder}")));
        }
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
