//! The firmware: built, run in the lab, and weighed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps;
use crate::steps::bare_metal::{builds_core, cargo_for, cargo_with_core, target_dir};
use crate::steps::stories;
use crate::tools::packages;
use crate::tools::run::{self, Failure, PROOF, cargo, root};

const TARGET: &str = "thumbv7m-none-eabi";

/// The board that QEMU emulates: its folder, its package and its program.
const BOARD: &str = "lm3s6965evb";

/// The options of a core that is built for the firmware: a panic is one instruction that faults,
/// without its words and its place.
pub(crate) const SMALL_CORE: &str =
    "-Zunstable-options -Cpanic=immediate-abort -Zlocation-detail=none";
/// SHA-256, where it is linked, is a loop: it saves 6,700 octets.
pub(crate) const SMALL_SHA256: &str =
    "--cfg sha2_backend=\"soft\" --cfg sha2_backend_soft=\"compact\"";

/// The most octets that the engine alone may have: four virtual routers of eight addresses.
const ENGINE: Budget = Budget {
    flash: 20 * 1024 + 512,
    memory: 2 * 1024,
};
/// The most octets of the whole firmware, its stack not counted: the lab measures that. To find that a
/// controller filters the virtual MACs took it past 80 KB.
const FIRMWARE: Budget = Budget {
    flash: 80 * 1024 + 512,
    memory: 18_100,
};

/// The same without IPv6, for the smallest chips. With its stack, 5.6 KB as QEMU's page says, it takes
/// less than 18 KB of memory.
const SMALL_FIRMWARE: Budget = Budget {
    flash: 60 * 1024,
    memory: 11 * 1024,
};

/// The firmware with keys and a boot count.
const SIGNING_FIRMWARE: Budget = Budget {
    flash: 93 * 1024,
    memory: 23 * 1024,
};

/// Parts of the names of all functions of core that panic.
const PANICS: &[&str] = &[
    "panic",
    "unwrap_failed",
    "expect_failed",
    "slice_index_fail",
    "len_mismatch_fail",
];

/// Signed advertisements, in the engine's own program and in firmware.
const KEYS: &[&str] = &["--features", "hmac"];

/// With what the lab has a microcontroller.
const FEATURE: &[&str] = &["--features", "firmware"];

/// The most memory that a linked program may take.
pub(crate) struct Budget {
    pub(crate) flash: u64,
    pub(crate) memory: u64,
}

impl Budget {
    /// Whether a program is within it.
    pub(crate) fn holds(&self, weight: &Weight) -> bool {
        weight.flash <= self.flash && weight.memory <= self.memory
    }
}

/// The memory that a linked program takes.
pub(crate) struct Weight {
    pub(crate) flash: u64,
    pub(crate) memory: u64,
}

/// Builds the firmware and shows it at work.
pub(crate) fn demo() -> Result<(), Failure> {
    packages::need(packages::LAB)?;
    packages::need(packages::EMULATOR)?;
    let elf = build_firmware()?;
    let vrrpd = steps::build_programs()?;
    let mut demo = run::program("vrrp-lab", "firmware", FEATURE)?;
    run::run(demo.env("VRRP_FIRMWARE", elf).env("VRRPD", vrrpd))
}

/// The firmware on QEMU's board, in the lab.
pub(crate) fn test() -> Result<(), Failure> {
    packages::need(packages::LAB)?;
    packages::need(packages::EMULATOR)?;
    run::run(
        cargo()
            .current_dir(folder())
            .args(["fmt", "--all", "--check"]),
    )?;
    guide()?;
    let signing = build_signing_firmware()?;
    let elf = build_firmware()?;
    lint(true)?;
    lint(false)?;
    let vrrpd = steps::build_programs()?;
    let package = ["--profile", PROOF, "--package", "vrrp-lab"];
    let stories = ["firmware", "firmware_faults", "firmware_signing"];
    let stories = stories.map(|name| ["--test", name]);
    let tests = [&package, FEATURE, stories.as_flattened()].concat();
    stories::run(&stories::Plan {
        build: &tests,
        words: &[],
        environment: &[
            ("VRRP_FIRMWARE", elf.as_os_str()),
            ("VRRP_FIRMWARE_HMAC", signing.as_os_str()),
            ("VRRPD", vrrpd.as_os_str()),
        ],
        at_once: Some(std::thread::available_parallelism().map_or(1, usize::from)),
    })
}

/// A copy of the folder, changed as its guide says, finds its crates: those of the commit that is
/// checked out.
fn guide() -> Result<(), Failure> {
    let copy = run::target_dir().join("appliance-copy");
    let _ = fs::remove_dir_all(&copy);
    copy_folder(&folder(), &copy)?;
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|e| Failure(format!("{}: {e}", path.display())))
    };
    let readme = read(&copy.join("README.md"))?;
    let block = readme.split("```toml\n").nth(1).unwrap_or_default();
    let block = block.split("```").next().unwrap_or_default();
    let commit = run::output(
        Command::new("git")
            .current_dir(root())
            .args(["rev-parse", "HEAD"]),
    )?;
    let here = format!("file://{}", root().display());
    let block = block
        .replace("https://.../vrrp.git", &here)
        .replace("rev = \"...\"", &format!("rev = \"{}\"", commit.trim()));
    let crates: Vec<(&str, &str)> = block
        .lines()
        .filter_map(|line| Some((line.trim().split_once(" = ")?.0, line.trim())))
        .collect();
    let manifest = read(&copy.join("Cargo.toml"))?;
    let manifest: String = manifest
        .replace("\"engine\", ", "")
        .lines()
        .map(|line| {
            let name = line.split_once(" = ").map(|(name, _)| name);
            let other = crates.iter().find(|(other, _)| Some(*other) == name);
            format!("{}\n", other.map_or(line, |(_, other)| other))
        })
        .collect();
    if crates.len() < 2 || manifest.contains("path = \"..") {
        return Err(Failure(format!("the guide leaves paths:\n{manifest}")));
    }
    fs::write(copy.join("Cargo.toml"), manifest).map_err(|e| Failure(e.to_string()))?;
    let mut fetch = cargo();
    run::run(fetch.current_dir(&copy).args(["fetch", "--target", TARGET]))
}

/// Copies what a guide says to copy: not the engine's own program, nor what was built.
fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure(format!("cannot copy {}: {e}", from.display()));
    fs::create_dir_all(to).map_err(failed)?;
    for item in fs::read_dir(from).map_err(failed)?.flatten() {
        let (path, to) = (item.path(), to.join(item.file_name()));
        if !path.is_dir() {
            fs::copy(&path, &to).map_err(failed)?;
        } else if item.file_name() != "engine" && item.file_name() != "target" {
            copy_folder(&path, &to)?;
        }
    }
    Ok(())
}

/// Prints what engine and firmware take.
pub(crate) fn print_size() -> Result<(), Failure> {
    weigh_all().map(|_| ())
}

/// Prints it and fails when it is above its bounds, or what must not be linked is.
pub(crate) fn check_size() -> Result<(), Failure> {
    let weights = weigh_all()?;
    for (name, weight, most) in [
        ("the engine", weights.engine, ENGINE),
        ("the firmware", weights.firmware, FIRMWARE),
        ("the firmware without IPv6", weights.small, SMALL_FIRMWARE),
        ("the firmware with keys", weights.signing, SIGNING_FIRMWARE),
    ] {
        if !most.holds(&weight) {
            return Err(Failure(format!(
                "{name} takes {} octets of flash and {} of memory; {} and {} are allowed",
                weight.flash, weight.memory, most.flash, most.memory
            )));
        }
    }
    Ok(())
}

/// The programs that have a budget.
struct Weights {
    engine: Weight,
    firmware: Weight,
    /// The firmware without IPv6.
    small: Weight,
    /// The firmware with keys.
    signing: Weight,
}

fn weigh_all() -> Result<Weights, Failure> {
    // Weighed before the next one takes its place.
    let ipv4 = weigh(&build_weighed("engine", &["--no-default-features"])?)?;
    let signing_engine = build_weighed("engine", KEYS)?;
    forbid(&signing_engine, PANICS)?;
    let signing_engine = weigh(&signing_engine)?;
    let engine = build_weighed("engine", &[])?;
    let small = weigh(&build_weighed(BOARD, &["--no-default-features"])?)?;
    let signing = build_weighed(BOARD, KEYS)?;
    forbid_panics(&signing)?;
    let signing = weigh(&signing)?;
    let firmware = build_weighed(BOARD, &[])?;
    forbid(&engine, PANICS)?;
    forbid(&engine, &["alloc"])?;
    // The network stack panics of its own accord; what is ours in the firmware must not.
    forbid(&firmware, &["__rust_alloc", "__rg_alloc", "alloc::alloc"])?;
    forbid_panics(&firmware)?;
    let weights = Weights {
        engine: weigh(&engine)?,
        firmware: weigh(&firmware)?,
        small,
        signing,
    };
    sayln!("octets on {TARGET}:");
    sayln!("{:36} {:>8} {:>8}", "", "flash", "memory");
    for (name, weight) in [
        ("engine, 4 virtual routers of 8", &weights.engine),
        ("the same without IPv6", &ipv4),
        ("the same with keys (no budget)", &signing_engine),
        ("firmware, without its stack", &weights.firmware),
        ("firmware without IPv6", &weights.small),
        ("firmware with keys", &weights.signing),
    ] {
        sayln!("{name:36} {:8} {:8}", weight.flash, weight.memory);
    }
    Ok(weights)
}

/// The firmware's workspace.
pub(crate) fn folder() -> PathBuf {
    root().join("ports/appliance")
}

/// `cargo SUBCOMMAND` in the firmware's own workspace.
fn bare_metal(subcommand: &str) -> Result<Command, Failure> {
    in_workspace(cargo_for(subcommand, &[TARGET])?)
}

fn in_workspace(mut command: Command) -> Result<Command, Failure> {
    packages::need(packages::BINUTILS)?;
    let flags = format!("{SMALL_CORE} {SMALL_SHA256}");
    in_board(&mut command, BOARD, TARGET, &flags);
    Ok(command)
}

/// Has cargo run in a board's folder, whose `.cargo/config.toml` has options for the compiler, and link
/// for its target. `small_core` is for a cargo that builds core.
pub(crate) fn in_board<'c>(
    command: &'c mut Command,
    board: &str,
    target: &str,
    small_core: &str,
) -> &'c mut Command {
    let variable = |option: &str| {
        let target = target.to_uppercase().replace(['-', '.'], "_");
        format!("CARGO_TARGET_{target}_{option}")
    };
    command
        .current_dir(folder().join("boards").join(board))
        // The firmware's own profile says how it is optimised.
        .env_remove("CARGO_PROFILE_RELEASE_OPT_LEVEL")
        .env(variable("LINKER"), "arm-none-eabi-ld");
    if builds_core(command) {
        command
            .arg("-Zbuild-std-features=optimize_for_size")
            .env(variable("RUSTFLAGS"), small_core);
    }
    command
}

/// Clippy over the firmware, with keys or without.
fn lint(keys: bool) -> Result<(), Failure> {
    let mut command = bare_metal("check")?;
    let mut driver = "clippy-driver";
    if builds_core(&command) {
        packages::need(packages::CLIPPY)?;
        driver = "/usr/bin/clippy-driver";
    }
    command
        .args(["--release", "--package", "engine", "--package", BOARD])
        .args(keys.then_some(KEYS).into_iter().flatten())
        .env("RUSTC_WORKSPACE_WRAPPER", driver)
        // The variables by which `cargo clippy -- -D warnings` instructs its driver.
        .env(
            "CLIPPY_ARGS",
            "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__",
        );
    run::run(&mut command)
}

fn build_firmware() -> Result<PathBuf, Failure> {
    run::run(bare_metal("build")?.args(["--release"]))?;
    Ok(release(BOARD))
}

/// The firmware with keys, beside the other one: both have the same name.
fn build_signing_firmware() -> Result<PathBuf, Failure> {
    let mut build = bare_metal("build")?;
    run::run(build.args(["--release", "--package", BOARD]).args(KEYS))?;
    let kept = release(&format!("{BOARD}-hmac"));
    fs::copy(release(BOARD), &kept).map_err(|e| Failure(format!("{}: {e}", kept.display())))?;
    Ok(kept)
}

/// Builds a package to be weighed: with the same compiler everywhere.
fn build_weighed(package: &str, features: &[&str]) -> Result<PathBuf, Failure> {
    let mut build = in_workspace(cargo_with_core("build", TARGET, &target_dir())?)?;
    let package_args = ["--release", "--package", package];
    run::run(build.args(package_args).args(features))?;
    Ok(release(package))
}

fn release(name: &str) -> PathBuf {
    target_dir().join(TARGET).join("release").join(name)
}

/// Fails when the program has a symbol with one of these words in it.
fn forbid(program: &Path, words: &[&str]) -> Result<(), Failure> {
    let symbols = run::output(Command::new("arm-none-eabi-nm").arg("-C").arg(program))?;
    let bad: Vec<&str> = symbols
        .lines()
        .filter(|symbol| words.iter().any(|word| symbol.contains(word)))
        .collect();
    match bad.is_empty() && !symbols.is_empty() {
        true => Ok(()),
        false => Err(Failure(format!(
            "{} must not have:\n{}",
            program.display(),
            bad.join("\n")
        ))),
    }
}

/// Fails when a function of the engine or of the port, or the task that runs them, calls what
/// panics.
fn forbid_panics(program: &Path) -> Result<(), Failure> {
    let mut objdump = Command::new("arm-none-eabi-objdump");
    let text = run::output(objdump.args(["-dC", "--no-show-raw-insn"]).arg(program))?;
    let mut ours = 0;
    let mut bad = Vec::new();
    let mut function = None;
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(">:").and_then(|l| l.split_once(" <")) {
            let name = name.1.trim_start_matches(['<', '&']);
            let of_ours = ["vrrp_core::", "vrrp_embassy::"]
                .iter()
                .any(|krate| name.starts_with(krate))
                || name.contains("run_vrrp");
            ours += usize::from(of_ours);
            function = of_ours.then_some(name);
        } else if let Some(function) = function
            && let Some(why) = panics(line)
        {
            bad.push(format!("{function} {why}"));
        }
    }
    // Dozens, so that a change of the names cannot make this look at nothing.
    match (bad.is_empty(), ours) {
        (true, 20..) => Ok(()),
        (true, few) => Err(Failure(format!("only {few} functions of ours are linked"))),
        (false, _) => Err(Failure(bad.join("\n"))),
    }
}

/// How an instruction of a listing panics. `None`: it does not.
fn panics(line: &str) -> Option<String> {
    if let Some((_, called)) = line.split_once(" <")
        && PANICS.iter().any(|word| called.contains(word))
    {
        return Some(format!("calls {called}"));
    }
    // The instruction of a panic where core is built for the firmware.
    line.contains("\tudf\t")
        .then(|| String::from("has an instruction that faults"))
}

/// The memory that a program takes, by its sections.
pub(crate) fn weigh(program: &Path) -> Result<Weight, Failure> {
    let text = run::output(Command::new("arm-none-eabi-size").arg("-A").arg(program))?;
    let size = |section: &str| {
        let line = text.lines().find(|line| line.starts_with(section));
        let size = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        size.ok_or_else(|| Failure(format!("no section {section} in\n{text}")))
    };
    let data = size(".data")?;
    Ok(Weight {
        // The vector table is the chip's, and the same for every program.
        flash: size(".text")? + size(".rodata")? + data,
        memory: data + size(".bss")? + size(".uninit")?,
    })
}
