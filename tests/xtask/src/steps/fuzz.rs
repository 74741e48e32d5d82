//! `cargo xtask fuzz`: looks for octets that break something.

use std::process::Command;

use crate::tools::run::{self, Failure, cargo, root, target_dir};

pub(crate) const TARGETS: [&str; 15] = [
    "frames",
    "signed",
    "operations",
    "oracle",
    "gate",
    "config",
    "control",
    "netlink",
    "bpf",
    "routing",
    "netgraph",
    "ioctl",
    "remote",
    "answers",
    "imports",
];

/// `cargo xtask fuzz TARGET [SECONDS]`, a minute unless it is said otherwise.
pub(crate) fn fuzz(args: &[String]) -> Result<(), Failure> {
    let (target, seconds) = match args {
        [target] => (target, "60"),
        [target, seconds] => (target, seconds.as_str()),
        _ => return Err(usage()),
    };
    if !TARGETS.contains(&target.as_str()) || seconds.parse::<u32>().is_err() {
        return Err(usage());
    }
    if run::output(Command::new("cargo").args(["fuzz", "--version"])).is_err() {
        run::run(cargo().args(["install", "--locked", "cargo-fuzz"]))?;
    }
    // New inputs go here; the committed corpus is only read.
    let found = target_dir().join("fuzz").join(target);
    let folder = root().join("tests/fuzz");
    let corpus = folder.join("corpus");
    let unpacked = target_dir().join("fuzz-corpus").join(target);
    for made in [&found, &unpacked] {
        std::fs::create_dir_all(made).map_err(|e| Failure(format!("{}: {e}", made.display())))?;
    }
    let archive = corpus.join(format!("{target}.tar"));
    let mut unpack = Command::new("tar");
    run::run(unpack.arg("-C").arg(&unpacked).arg("-xf").arg(archive))?;
    let dictionary = folder.join("dictionaries").join(target);
    let mut command = Command::new("cargo");
    command
        .current_dir(root())
        .args(["fuzz", "run", "--fuzz-dir", "tests/fuzz"])
        // The code under test holds no unsafe code that a sanitizer would watch, and sanitizers need a
        // compiler that is not stable.
        .args(["--features", "libfuzzer", "--sanitizer", "none"])
        .arg(target)
        .arg(&found)
        .arg(&unpacked)
        // Cases with names: not every target has one.
        .args(Some(corpus.join(target)).filter(|folder| folder.is_dir()))
        .args(["--", "-max_len=2048", "-timeout=60"])
        .arg(format!("-max_total_time={seconds}"));
    if dictionary.exists() {
        command.arg(format!("-dict={}", dictionary.display()));
    }
    run::run(
        command
            // The counters of covered code and link-time optimisation do not go together.
            .env("CARGO_PROFILE_RELEASE_LTO", "false")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            // cargo-fuzz wants options that are not stable yet.
            .env("RUSTC_BOOTSTRAP", "1"),
    )
}

fn usage() -> Failure {
    let targets = TARGETS.join(", ");
    Failure(format!(
        "usage: cargo xtask fuzz TARGET [SECONDS]; the targets are {targets}"
    ))
}
