//! `cargo xtask package static`: the programs for Linux as files that need no library of the system, for
//! containers, routers and distributions without a package.
//!
//! A Rust of Debian's that brings its library's source builds them, and zig links them with musl.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::{PROGRAM_NAMES, PROGRAMS, container, stories};
use crate::tools::paths;
use crate::tools::run::{self, Failure, PROOF, failed, root, target_dir};
use crate::tools::zig::Zig;
use crate::tools::{debian_rust, packages};

/// The profile of the programs. Fat link-time optimisation of each would take twice the time.
const PROFILE: &str = "static";

/// The stories that are told with the static vrrpd of this machine's processor.
const STORIES: [&str; 2] = ["failures::a_lost_host", "failures::a_graceful_stop"];

/// A processor.
struct Target {
    /// As the option names it.
    name: &'static str,
    rust: &'static str,
    /// As zig names it, with the options that go with it.
    zig: &'static str,
    /// The program that runs programs for it.
    emulator: &'static str,
    /// The most octets of the three programs.
    most: u64,
}

const TARGETS: [Target; 4] = [
    Target {
        name: "x86_64",
        rust: "x86_64-unknown-linux-musl",
        zig: "x86_64-linux-musl",
        emulator: "qemu-x86_64-static",
        most: 7_000_000,
    },
    Target {
        name: "aarch64",
        rust: "aarch64-unknown-linux-musl",
        zig: "aarch64-linux-musl",
        emulator: "qemu-aarch64-static",
        most: 6_300_000,
    },
    Target {
        name: "armv7",
        rust: "armv7-unknown-linux-musleabihf",
        zig: "arm-linux-musleabihf -mcpu=generic+v7a+vfp3-d32+thumb2-neon",
        emulator: "qemu-arm-static",
        most: 6_450_000,
    },
    Target {
        name: "riscv64",
        rust: "riscv64gc-unknown-linux-musl",
        zig: "riscv64-linux-musl",
        emulator: "qemu-riscv64-static",
        most: 5_750_000,
    },
];

/// `cargo xtask package static [PROCESSOR...]`.
pub(crate) fn command(args: &[String]) -> Result<(), Failure> {
    let known = TARGETS.map(|target| target.name).join(", ");
    for arg in args {
        if !TARGETS.iter().any(|target| target.name == arg) {
            return Err(Failure(format!(
                "package static: there is no processor '{arg}'; there are {known}"
            )));
        }
    }
    packages::need(packages::STATIC)?;
    let zig = Zig::find()?;
    let wanted = |target: &&Target| args.is_empty() || args.iter().any(|arg| arg == target.name);
    for target in TARGETS.iter().filter(wanted) {
        let built = build(target, &zig)?;
        judge(target, &built)?;
        archive(target, &built)?;
        if target.name == std::env::consts::ARCH {
            tell_stories(&built)?;
            packages::need(packages::CONTAINER)?;
            container::tell(&built, &container::containerfile())?;
        }
    }
    Ok(())
}

/// Builds the programs; the folder that has them.
fn build(target: &Target, zig: &Zig) -> Result<PathBuf, Failure> {
    let folder = target_dir().join("static");
    let script = folder.join(format!("cc-{}", target.name));
    let linker = zig.script(&script, target.zig, "--target=*")?;
    let mut command = debian_rust::cargo("build", "std,panic_abort", &[target.rust], &folder);
    command.args(["--profile", PROFILE]).args(PROGRAMS);
    paths::remap_with(
        &mut command,
        // zig has musl's own files, which Rust's target would bring otherwise.
        // A panic ends the program and unwinds nothing: the tables for it would be a seventh of the octets.
        &[
            "-Ctarget-feature=+crt-static",
            "-Clink-self-contained=no",
            "-Cforce-unwind-tables=no",
        ],
    );
    debian_rust::link_with(&mut command, target.rust, &linker);
    command.env("CARGO_INCREMENTAL", "0");
    run::run(&mut command)?;
    Ok(folder.join(target.rust).join(PROFILE))
}

/// Compares the sizes with the bound, and has each program do something.
fn judge(target: &Target, built: &Path) -> Result<(), Failure> {
    let mut sum = 0;
    for name in PROGRAM_NAMES {
        let program = built.join(name);
        paths::check(&program)?;
        let size = fs::metadata(&program).map_err(failed(&program))?.len();
        sum += size;
        sayln!("{:>6} kB  {name} for {}", size / 1000, target.name);
        let text = run::output(
            Command::new("readelf")
                .arg("--program-headers")
                .arg(&program),
        )?;
        if text.contains("INTERP") {
            return Err(Failure(format!("{} is not static", program.display())));
        }
    }
    let most = target.most;
    if sum > most {
        return Err(Failure(format!(
            "the programs for {} have {sum} octets, at most {most} are allowed",
            target.name
        )));
    }
    let emulated = |name: &str| {
        let mut command = Command::new(target.emulator);
        command.current_dir(root()).arg(built.join(name));
        command
    };
    let sample = "ports/daemon/etc/vrrpd.conf.sample";
    let text = run::output(emulated("vrrpd").args(["--check", sample]))?;
    if !text.contains("correct, 2 virtual routers") {
        return Err(Failure(format!("vrrpd --check says:\n{text}")));
    }
    run::output(emulated("vrrpctl").arg("help"))?;
    // It is no program for people, and says so.
    let alone = emulated("vrrp-checker").output();
    let alone = alone.map_err(|e| Failure(format!("{}: {e}", target.emulator)))?;
    let words = String::from_utf8_lossy(&alone.stderr);
    if alone.status.code() != Some(1) || !words.contains("is started by vrrpd") {
        return Err(Failure(format!("vrrp-checker says:\n{words}")));
    }
    Ok(())
}

/// Puts the programs, the sample and the licences into an archive.
fn archive(target: &Target, built: &Path) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let name = format!("vrrpd-{version}-linux-{}.tar.gz", target.name);
    let file = target_dir().join("static").join(name);
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "-czf"])
        .arg(&file)
        .arg("-C")
        .arg(built)
        .args(PROGRAM_NAMES)
        .arg("-C")
        .arg(root().join("ports/daemon/etc"))
        .args(["vrrpd.conf.sample", "-C"])
        .arg(root())
        .args(["LICENSE-APACHE", "LICENSE-MIT"]);
    run::run(&mut tar)?;
    let size = fs::metadata(&file).map_err(failed(&file))?.len();
    sayln!("{:>6} kB  {}", size / 1000, file.display());
    Ok(())
}

/// An election and a takeover in the lab.
fn tell_stories(built: &Path) -> Result<(), Failure> {
    packages::need(packages::LAB)?;
    let vrrpd = std::path::absolute(built.join("vrrpd")).map_err(failed(built))?;
    stories::run(&stories::Plan {
        build: &[
            "--profile",
            PROOF,
            "--package",
            "vrrp-lab",
            "--test",
            "failures",
        ],
        words: &STORIES.map(str::to_owned),
        environment: &[("VRRPD", vrrpd.as_os_str())],
        at_once: None,
    })
}
