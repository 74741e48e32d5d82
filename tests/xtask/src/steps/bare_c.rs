//! The C examples for microcontrollers: the superloop is built without a C library, run in QEMU and
//! measured; the page for lwIP, which the lab runs, is compiled as firmware configures lwIP.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::bare_metal;
use crate::tools::packages;
use crate::tools::run::{self, Failure, root};

const TARGET: &str = "thumbv7m-none-eabi";
const GCC: &[&str] = &[
    "-std=c99",
    "-Os",
    "-mcpu=cortex-m3",
    "-mthumb",
    "-ffreestanding",
    "-ffunction-sections",
    "-fdata-sections",
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
];
/// Nothing is linked but what the command line names: no C library, no start code.
const LINK: &[&str] = &["-nostdlib", "-Wl,--gc-sections", "-Wl,-z,noexecstack"];
/// Time in the machine is what its instructions take, and sleep passes at once: the story is the
/// same on every host, however busy.
const QEMU: &[&str] = &[
    "60",
    "qemu-system-arm",
    "-M",
    "lm3s6965evb",
    "-display",
    "none",
    "-monitor",
    "none",
    "-nic",
    "none",
    "-serial",
    "stdio",
    "-icount",
    "shift=0,sleep=off",
    "-semihosting-config",
    "enable=on,target=native",
    "-kernel",
];

/// Actor, action, start and end, in milliseconds of the machine.
type Scene = (&'static str, &'static str, u32, u32);

/// Every change of state. One has priority 200 and two 100, the interval is a second: their down
/// times are 3,218.75 and 3,609.375 ms, the skew time of two is 609.375 ms.
const STORY: &[Scene] = &[
    ("one", "init -> backup", 0, 0),
    ("two", "init -> backup", 0, 0),
    ("one", "backup -> master", 3219, 3219),
    // One fails at 10 s, at most an interval after it was last heard.
    ("two", "backup -> master", 12_609, 13_610),
    // It returns at 20 s, and preempts when it has listened for its down time.
    ("one", "init -> backup", 20_000, 20_000),
    ("one", "backup -> master", 23_219, 23_219),
    ("two", "master -> backup", 23_219, 23_219),
    // It resigns at 30 s, and serves until its successor is heard.
    ("two", "backup -> master", 30_610, 30_610),
    ("one", "master -> backup", 30_610, 30_610),
    // Two loses its link at 40 s.
    ("two", "master -> init", 40_000, 40_000),
    ("one", "backup -> master", 42_219, 43_219),
];
/// The delay that a clock of milliseconds and the turns of the loop may add.
const TURNS_MS: u32 = 5;

/// Builds the example, runs it and compares what it prints with the protocol.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::CORTEX_M)?;
    for target in bare_metal::TARGETS {
        library(target)?;
    }
    let firmware = build()?;
    no_panic_in(&firmware)?;
    let mut qemu = Command::new("timeout");
    let said = run::output(qemu.args(QEMU).arg(&firmware))?;
    compare(&said).map_err(|why| Failure(format!("{why}; the firmware said:\n{said}")))?;
    for line in said.lines().filter(|line| line.contains(" octets ")) {
        sayln!("{line}");
    }
    lwip_page()
}

/// The page for lwIP, whose options change what the headers declare.
fn lwip_page() -> Result<(), Failure> {
    packages::need(packages::LWIP)?;
    let example = root().join("ffi/examples/lwip");
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args(["-fsyntax-only", "-isystem", "/usr/include/lwip", "-I"])
        .arg(&example)
        .arg("-I")
        .arg(root().join("include"))
        .arg(example.join("vrrp_lwip.c"));
    run::run(&mut cc)
}

/// The engine alone, for boards of this target.
fn library(target: &str) -> Result<PathBuf, Failure> {
    let mut cargo = bare_metal::cargo_for("rustc", &[target])?;
    let package = ["--release", "--package", "vrrp-ffi"];
    cargo.args(package).arg("--no-default-features");
    // A microcontroller has no shared libraries.
    run::run(cargo.args(["--crate-type", "staticlib"]))?;
    let folder = bare_metal::target_dir().join(target).join("release");
    Ok(folder.join("libvrrp.a"))
}

fn build() -> Result<PathBuf, Failure> {
    let library = library(TARGET)?;
    let source = root().join("ffi/examples/cortex-m");
    let folder = bare_metal::target_dir().join("c");
    std::fs::create_dir_all(&folder)
        .map_err(|e| Failure(format!("cannot make {}: {e}", folder.display())))?;
    let gcc = || {
        let mut gcc = Command::new("arm-none-eabi-gcc");
        gcc.args(GCC).arg("-I").arg(root().join("include"));
        gcc
    };
    let objects = ["main", "board"].map(|name| folder.join(name).with_extension("o"));
    for object in &objects {
        let name = object.file_stem().unwrap_or_default();
        let file = source.join(name).with_extension("c");
        run::run(gcc().arg("-c").arg(file).arg("-o").arg(object))?;
    }
    let firmware = folder.join("superloop.elf");
    let script = source.join("board.ld");
    let mut link = gcc();
    link.args(LINK).arg("-T").arg(script).args(&objects);
    run::run(link.arg(&library).arg("-o").arg(&firmware))?;

    let own = text_of(&objects[0])? + text_of(&objects[1])?;
    let all = text_of(&firmware)?;
    sayln!(
        "the firmware has {all} octets of text, {} of them libvrrp's",
        all - own
    );
    Ok(firmware)
}

/// The octets of code and constants.
fn text_of(file: &Path) -> Result<u32, Failure> {
    let table = run::output(Command::new("arm-none-eabi-size").arg(file))?;
    let number = table
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| Failure(format!("no size in:\n{table}")))
}

/// Nothing in the linked engine can panic.
fn no_panic_in(firmware: &Path) -> Result<(), Failure> {
    let symbols = run::output(Command::new("arm-none-eabi-nm").arg("-C").arg(firmware))?;
    if !symbols.contains("vrrp_poll_output") {
        return Err(Failure("the firmware has no symbols to look at".into()));
    }
    match symbols.lines().find(|line| line.contains("panic")) {
        None => Ok(()),
        Some(line) => Err(Failure(format!("the engine can panic: {line}"))),
    }
}

fn compare(said: &str) -> Result<(), String> {
    let mut scenes = STORY.iter();
    for line in said.lines().filter(|line| line.contains(" -> ")) {
        let (who, what, from, to) = scenes.next().ok_or_else(|| format!("too much: {line}"))?;
        let mut words = line.split_whitespace();
        let at: Option<u32> = words.next().and_then(|word| word.parse().ok());
        let at = at.ok_or_else(|| format!("no time: {line}"))?;
        if !line.contains(&format!("  {who}  {what}: ")) {
            return Err(format!("expected {who} {what}: {line}"));
        }
        if !(*from..=to + TURNS_MS).contains(&at) {
            return Err(format!("expected at {from} to {to} ms: {line}"));
        }
    }
    match scenes.next() {
        Some((who, what, ..)) => Err(format!("{who} never went {what}")),
        None if said.lines().any(|line| line == "the end") => Ok(()),
        None => Err("it did not end".into()),
    }
}
