//! The steps of `cargo xtask test`, in the order of what fails soonest.

pub(crate) mod bare_c;
pub(crate) mod bare_metal;
pub(crate) mod bench;
pub(crate) mod boards;
pub(crate) mod booted;
pub(crate) mod call_filter;
pub(crate) mod capi;
pub(crate) mod capi_host;
pub(crate) mod compliance;
pub(crate) mod container;
pub(crate) mod deb;
pub(crate) mod dependencies;
pub(crate) mod firmware;
pub(crate) mod freebsd;
pub(crate) mod fuzz;
pub(crate) mod imports;
pub(crate) mod init_scripts;
pub(crate) mod install;
pub(crate) mod installed;
pub(crate) mod manual;
pub(crate) mod metrics;
pub(crate) mod mutants;
pub(crate) mod mutations;
mod package;
pub(crate) mod port;
pub(crate) mod portable;
pub(crate) mod programs;
pub(crate) mod proof;
pub(crate) mod smoltcp;
pub(crate) mod soak;
pub(crate) mod stack;
pub(crate) mod stories;
pub(crate) mod words;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use crate::tools::packages;
use crate::tools::run::{self, Failure, PROOF, cargo, root};
use crate::tools::scratch::{self, Scratch};

/// A step of `cargo xtask test`.
struct Step {
    name: &'static str,
    /// The lists of the Debian packages that it needs: no others, see [`packages::need`].
    packages: &'static [&'static [&'static str]],
    run: fn() -> Result<(), Failure>,
}

const fn step(
    name: &'static str,
    packages: &'static [&'static [&'static str]],
    run: fn() -> Result<(), Failure>,
) -> Step {
    Step {
        name,
        packages,
        run,
    }
}

const STEPS: &[Step] = {
    use packages::*;
    &[
        step("format", &[], format),
        step("lint", &[], lint),
        step("docs", &[], docs),
        step("features", &[], features),
        step("no-std", &[BARE_METAL], no_std),
        step("compliance", &[], compliance::check),
        step("dependencies", &[], dependencies::check),
        step("package", &[], package::check),
        step("manuals", &[MANUALS], manuals),
        step("cost", &[COST, C], bench::check),
        step("stack", &[COST], stack::check),
        step("simulate", &[], proof::simulate_briefly),
        step("bare-c", &[CORTEX_M, LWIP, BARE_METAL, C], bare_c::check),
        step("c", &[C], capi::check),
        step("c-host", &[C, C_HOST], capi_host::check),
        step("freebsd", &[FREEBSD, PYTHON], freebsd::check),
        step("units", &[LAB, REFUSALS], units),
        step("install", &[LAB, REFUSALS, SYSTEMD], installed::check),
        step("deb", &[DEB, DEB_TESTS, NETWORK], deb::check),
        step("booted", &[DEB, BOOTED], booted::check),
        step("container", &[CONTAINER], container::check),
        step(
            "init-scripts",
            &[INIT_SCRIPTS, NETWORK],
            init_scripts::check,
        ),
        step("metrics", &[NETWORK, METRICS, PYTHON], metrics::check),
        step("lab", &[LAB, C_HOST, LWIP, HTTPD, LAB_SERVICES], lab),
        step("soak", &[LAB, C_HOST], soak::briefly),
        step("size", &[BARE_METAL, BINUTILS], firmware::check_size),
        step("boards", &[BARE_METAL, BINUTILS], boards::check),
        step(
            "firmware",
            &[LAB, BARE_METAL, BINUTILS, EMULATOR, CLIPPY],
            firmware::test,
        ),
    ]
};

/// The variable of a command that has a temporary folder of its own.
const WITHIN: &str = "XTASK_TEST_SCRATCH";

/// The crates whose tests need root or packages.
const NOT_QUICK: &[&str] = &["vrrp-linux", "vrrp-sim", "vrrp-lab"];

/// The steps, in their order.
pub(crate) fn names() -> Vec<&'static str> {
    STEPS.iter().map(|step| step.name).collect()
}

/// `cargo xtask quick`: what needs neither root nor packages, and little time.
pub(crate) fn quick() -> Result<(), Failure> {
    format()?;
    lint()?;
    compliance::check()?;
    let exclude = NOT_QUICK.iter().flat_map(|package| ["--exclude", package]);
    let args: Vec<&str> = std::iter::once("--workspace").chain(exclude).collect();
    run::test(&args, &[])
}

/// `cargo xtask test [--install] [STEP...]`: runs the steps that are named, or all.
pub(crate) fn test(args: &[String]) -> Result<(), Failure> {
    let (installs, names) = match args {
        [option, names @ ..] if option == "--install" => (true, names),
        names => (false, names),
    };
    for name in names {
        if !STEPS.iter().any(|step| step.name == name) {
            let known = self::names().join(", ");
            return Err(Failure(format!(
                "there is no step '{name}'; there are {known}"
            )));
        }
    }
    let wanted: Vec<&Step> = STEPS
        .iter()
        .filter(|step| names.is_empty() || names.iter().any(|name| name == step.name))
        .collect();
    if std::env::var_os(WITHIN).is_none() {
        have_packages(&wanted, installs)?;
        return within_scratch(names);
    }
    let mut took: Vec<(&str, f64)> = Vec::new();
    for step in wanted {
        let name = step.name;
        sayln!("=== {name}");
        packages::declare(step.packages);
        let started = Instant::now();
        let done = (step.run)().and_then(|()| nothing_left());
        let seconds = started.elapsed().as_secs_f64();
        took.push((name, seconds));
        if let Err(failure) = done {
            print_times(&took);
            return Err(Failure(format!("step {name}: {failure}")));
        }
        sayln!("=== {name}: passed in {seconds:.0} s");
    }
    print_times(&took);
    Ok(())
}

/// Installs the packages of all `steps`, or names those that are missing, before any step runs.
fn have_packages(steps: &[&Step], install: bool) -> Result<(), Failure> {
    let needed: Vec<&str> = steps
        .iter()
        .flat_map(|step| step.packages.iter().copied().flatten().copied())
        .collect();
    if install {
        return packages::install(&needed);
    }
    let missing = packages::missing(&needed);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "these packages are missing: {}\ninstall them yourself, or have `cargo xtask test --install` do it, as root or by sudo",
        missing.join(" ")
    )))
}

/// Runs the same command once more with a temporary folder of its own, which is removed however the
/// command ends.
fn within_scratch(names: &[String]) -> Result<(), Failure> {
    let scratch = Scratch::new("vrrp-test")?;
    let ourselves = std::env::current_exe().map_err(|e| Failure(e.to_string()))?;
    let mut command = Command::new(ourselves);
    command.arg("test").args(names);
    command.env("TMPDIR", scratch.path()).env(WITHIN, "1");
    // Incremental data would be more than half of the octets written; the lines of a backtrace take time in each
    // crate and each link.
    for variable in ["CARGO_INCREMENTAL", "CARGO_PROFILE_DEV_DEBUG"] {
        if std::env::var_os(variable).is_none() {
            command.env(variable, "0");
        }
    }
    let status = command.status().map_err(|e| Failure(e.to_string()))?;
    drop(scratch);
    match status.code() {
        Some(0) => Ok(()),
        // It has said why it failed.
        Some(code) => std::process::exit(code),
        None => Err(Failure(format!("the tests ended with {status}"))),
    }
}

/// Fails when a step has left something of ours in the temporary folder.
fn nothing_left() -> Result<(), Failure> {
    let left = scratch::names(&std::env::temp_dir()).map_err(|e| Failure(e.to_string()))?;
    let left: Vec<String> = left.into_iter().filter(|n| n.starts_with("vrrp")).collect();
    if left.is_empty() {
        return Ok(());
    }
    Err(Failure(format!("left in the temporary folder: {left:?}")))
}

/// Tells how long each step took, where there are several.
fn print_times(took: &[(&str, f64)]) {
    if took.len() < 2 {
        return;
    }
    for (name, seconds) in took {
        sayln!("{seconds:7.0} s  {name}");
    }
    let sum: f64 = took.iter().map(|(_, seconds)| seconds).sum();
    sayln!("{sum:7.0} s  all steps");
}

/// The options that name the packages of vrrpd, vrrpctl and vrrp-checker.
pub(crate) const PROGRAMS: [&str; 4] = ["--package", "vrrpd", "--package", "vrrp-checks"];

/// The programs of these packages.
pub(crate) const PROGRAM_NAMES: [&str; 3] = ["vrrpd", "vrrpctl", "vrrp-checker"];

/// Builds vrrpd, vrrpctl and vrrp-checker as they are installed. The path of vrrpd, which has the others
/// beside it.
pub(crate) fn build_programs() -> Result<PathBuf, Failure> {
    Ok(programs::built()?.join("vrrpd"))
}

fn here(command: &mut Command) -> Result<(), Failure> {
    run::run(command.current_dir(root()))
}

fn format() -> Result<(), Failure> {
    here(cargo().args(["fmt", "--all", "--check"]))
}

fn lint() -> Result<(), Failure> {
    words::check()?;
    let args = ["clippy", "--workspace", "--all-targets"];
    let features = ["--features", "vrrp-lab/firmware"];
    let deny = ["--", "-D", "warnings"];
    here(cargo().args(args).args(features).args(deny))
}

fn docs() -> Result<(), Failure> {
    let args = ["doc", "--workspace", "--no-deps"];
    here(cargo().args(args).env("RUSTDOCFLAGS", "-D warnings"))
}

/// Every combination of the features of the engine and of what stands on it without std, and the newest
/// smoltcp. The packages in one go: the ports ask for no feature of the engine's but those that they are given,
/// and share nothing else that has any.
fn features() -> Result<(), Failure> {
    let packages = bare_metal::PACKAGES.iter();
    let packages: Vec<&str> = packages
        .flat_map(|package| ["--package", package])
        .collect();
    for adds in [
        "",
        "ipv6",
        "vrrp-core/large",
        "ipv6,vrrp-core/large",
        "vrrp-core/hmac",
        "ipv6,vrrp-core/hmac",
    ] {
        for logs in ["", "log", "defmt", "log,defmt"] {
            let features = format!("{adds},{logs}");
            let features = ["--no-default-features", "--features", &features];
            let deny = ["--", "-D", "warnings"];
            let mut clippy = cargo();
            here(
                clippy
                    .arg("clippy")
                    .args(&packages)
                    .args(features)
                    .args(deny),
            )?;
        }
    }
    smoltcp::check_newest()
}

/// The libraries for microcontrollers, where there is no std to lean on by mistake.
fn no_std() -> Result<(), Failure> {
    let mut build = bare_metal::cargo_for("build", bare_metal::TARGETS)?;
    build.arg("--release");
    for package in bare_metal::PACKAGES {
        build.args(["--package", package]);
    }
    run::run(&mut build)
}

fn manuals() -> Result<(), Failure> {
    packages::need(packages::MANUALS)?;
    let mut pages: Vec<PathBuf> = Vec::new();
    for (folder, at_least) in [
        ("ports/daemon/man", 4),
        ("ports/freebsd/man", 3),
        ("ffi/man", 3),
    ] {
        let folder = root().join(folder);
        let found = std::fs::read_dir(&folder)
            .map_err(|e| Failure(format!("cannot read {}: {e}", folder.display())))?;
        let found: Vec<PathBuf> = found.flatten().map(|page| page.path()).collect();
        if found.len() < at_least {
            let found = found.len();
            return Err(Failure(format!(
                "{found} manual pages in {}",
                folder.display()
            )));
        }
        pages.extend(found);
    }
    for page in &pages {
        let text = std::fs::read_to_string(page)
            .map_err(|e| Failure(format!("cannot read {}: {e}", page.display())))?;
        if let Some(cell) = manual::overfull_cell(&text) {
            return Err(Failure(format!(
                "{}: '{cell}' is wider than its column, and groff runs it into the next",
                page.display()
            )));
        }
    }
    here(
        Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning"])
            .args(pages),
    )
}

/// Everything but the lab and what `simulate` runs. The Linux port's own tests need root, and say so.
fn units() -> Result<(), Failure> {
    packages::need(packages::LAB)?;
    packages::need(packages::REFUSALS)?;
    let apart = ["--exclude", "vrrp-lab", "--exclude", "vrrp-sim"];
    run::test(&[&["--workspace"][..], &apart].concat(), &[])?;
    // The example for readers ends with what it shows.
    let failover = ["run", "--package", "vrrp-core", "--example", "failover"];
    run::run(cargo().arg("--quiet").args(failover))?;
    // The engine once more as it is on a microcontroller.
    let package = ["--package", "vrrp-core", "--no-default-features"];
    run::test(&[&package[..], &["--features", "ipv6"]].concat(), &[])?;
    // And without IPv6, of which most tests are, too.
    run::test(&[&package[..], &["--test", "ipv4_only"]].concat(), &[])
}

/// The lab of network namespaces.
fn lab() -> Result<(), Failure> {
    tell_stories(&[], None)?;
    // The examples in its documentation.
    let package = ["--profile", PROOF, "--package", "vrrp-lab"];
    here(cargo().args(["test", "--quiet", "--doc"]).args(package))
}

/// `cargo xtask lab [--at-once N] [WORD...]`: the stories whose name has one of the words.
pub(crate) fn some_stories(args: &[String]) -> Result<(), Failure> {
    match args {
        [option, count, words @ ..] if option == "--at-once" => match count.parse() {
            Ok(count) if count > 0 => tell_stories(words, Some(count)),
            _ => Err(Failure(format!("lab: {count} stories at once?"))),
        },
        words => tell_stories(words, None),
    }
}

fn tell_stories(words: &[String], at_once: Option<usize>) -> Result<(), Failure> {
    packages::need(packages::LAB)?;
    packages::need(packages::C_HOST)?;
    packages::need(packages::LWIP)?;
    packages::need(packages::HTTPD)?;
    packages::need(packages::LAB_SERVICES)?;
    let vrrpd = build_programs()?;
    stories::run(&stories::Plan {
        build: &["--profile", PROOF, "--package", "vrrp-lab"],
        words,
        environment: &[("VRRPD", vrrpd.as_os_str())],
        at_once,
    })
}
