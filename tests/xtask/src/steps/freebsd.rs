//! FreeBSD, built here: by a Rust that brings its library's source, and by zig, which brings a linker
//! and FreeBSD's own headers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::steps::install::FREEBSD_LIBS;
use crate::steps::port;
use crate::tools::run::{self, Failure, cargo, root, target_dir};
use crate::tools::zig::Zig;
use crate::tools::{debian_rust, packages};

const AMD64: &str = "x86_64-unknown-freebsd";
const ARM64: &str = "aarch64-unknown-freebsd";
/// Libraries that the libc crate asks for and nothing of ours needs, as zig has no stubs for them; and the
/// target as clang names it.
const LEFT_OUT: &str = "-lkvm|-lmemstat|-lprocstat|-ldevstat|--target=*";

/// Test programs that run on a bare system: of the packages whose own tests do, of the port, and
/// the scenarios of the lab. Its programs, which cargo would build beside them, need Linux.
const TESTS: &[&str] = &[
    "-p",
    "vrrp-core",
    "-p",
    "vrrp-host",
    "-p",
    "vrrp-port-kit",
    "-p",
    "vrrp-config",
    "-p",
    "vrrp-control",
    "-p",
    "vrrp-freebsd",
    "-p",
    "vrrpd",
    "-p",
    "vrrp-checks",
    "-p",
    "vrrp-lab",
    "--lib",
    "--test",
    "platform",
    "--test",
    "lab",
    "--test",
    "paper",
    "--test",
    "failures",
    "--test",
    "conformance",
    "--test",
    "many",
    "--test",
    "replace",
    "--test",
    "c_host",
    "--no-default-features",
    "--features",
    "vrrp-core/default",
];

/// The programs that a user runs, and an example of libvrrp for the lab.
const PROGRAMS: &[&str] = &["vrrpd", "vrrpctl", "vrrp-checker", "poll"];

/// Makes an archive with the programs, their tests, and a script that runs them all.
pub(crate) fn archive() -> Result<(), Failure> {
    let zig = Zig::find()?;
    let name = format!("vrrp-{}-freebsd-amd64", env!("CARGO_PKG_VERSION"));
    let home = folder().join(&name);
    // An earlier build may have put other names there.
    let _ = fs::remove_dir_all(&home);
    let programs = programs(&zig)?;
    port::check(&folder(), &programs)?;
    for program in PROGRAMS {
        copy(&programs.join(program), &home.join("bin").join(program))?;
    }
    for (test, file) in tests(&zig)? {
        copy(&file, &home.join("tests").join(test))?;
    }
    copy(&root().join("ports/freebsd/run.sh"), &home.join("run.sh"))?;
    copy_folder("ports/daemon/etc", &home.join("etc"))?;
    copy_folder("ports/daemon/man", &home.join("man"))?;
    copy_folder("ports/freebsd/man", &home.join("man"))?;
    copy_folder("ports/freebsd/port", &home.join("port"))?;
    copy_folder("ports/freebsd/port/files", &home.join("port/files"))?;
    write(&home.join("port/Makefile.crates"), &crates()?)?;
    let file = folder().join(format!("{name}.tar.gz"));
    let mut tar = Command::new("tar");
    tar.arg("-C")
        .arg(folder())
        .arg("-czf")
        .arg(&file)
        .arg(&name);
    run::run(&mut tar)?;
    sayln!("{}", file.display());
    Ok(())
}

/// Builds the test programs: their names and where they are.
fn tests(zig: &Zig) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut command = build("test", AMD64, zig)?;
    command
        .args(["--no-run", "--message-format", "json"])
        .args(TESTS)
        // Debug information would make each of them thirty times as large.
        .env("CARGO_PROFILE_DEV_STRIP", "debuginfo");
    let text = run::output(&mut command)?;
    let value = |line: &str, key: &str| {
        let (_, rest) = line.split_once(&format!("\"{key}\":\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let found: Vec<(String, PathBuf)> = text
        .lines()
        .filter_map(|line| {
            let file = PathBuf::from(value(line, "executable")?);
            let stem = file.file_name()?.to_str()?.rsplit_once('-')?.0.to_owned();
            Some((stem, file))
        })
        .collect();
    match found.is_empty() {
        true => Err(Failure("cargo names no test program".into())),
        false => Ok(found),
    }
}

/// The packages of Cargo.lock that come from a registry, as the ports tree lists them.
fn crates() -> Result<String, Failure> {
    let file = root().join("Cargo.lock");
    let lock = fs::read_to_string(&file)
        .map_err(|e| Failure(format!("cannot read {}: {e}", file.display())))?;
    let mut text = String::from("CARGO_CRATES=");
    for package in lock
        .split("[[package]]")
        .filter(|p| p.contains("\nsource = "))
    {
        let field = |name: &str| {
            let (_, rest) = package.split_once(&format!("\n{name} = \""))?;
            Some(rest.split_once('"')?.0)
        };
        if let (Some(name), Some(version)) = (field("name"), field("version")) {
            let first = text.ends_with('=');
            let space = if first { "\t" } else { " \\\n\t\t" };
            text += &format!("{space}{name}-{version}");
        }
    }
    Ok(text + "\n")
}

/// Copies the files of a folder of the workspace.
fn copy_folder(from: &str, to: &Path) -> Result<(), Failure> {
    let from = root().join(from);
    let files =
        fs::read_dir(&from).map_err(|e| Failure(format!("cannot read {}: {e}", from.display())))?;
    for file in files.flatten().filter(|file| file.path().is_file()) {
        copy(&file.path(), &to.join(file.file_name()))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let made = to.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| fs::copy(from, to))
        .map(drop)
        .map_err(|e| Failure(format!("cannot copy {}: {e}", from.display())))
}

/// The step of CI: the lints, the programs and tests for amd64, a check for arm64 with the C library, the
/// headers, and the port.
pub(crate) fn check() -> Result<(), Failure> {
    let zig = Zig::find()?;
    headers(&zig)?;
    let packages = [
        "-p",
        "vrrp-freebsd",
        "-p",
        "vrrpd",
        "-p",
        "vrrp-checks",
        "-p",
        "vrrp-ffi",
    ];
    // The programs are linked. Their tests, which few run, are not.
    let mut clippy = build("build", AMD64, &zig)?;
    run::run(lint(&mut clippy).args(packages))?;
    let mut clippy = build("check", AMD64, &zig)?;
    let targets = ["--lib", "--bins", "--examples", "--tests"];
    run::run(lint(&mut clippy).args(packages).args(targets))?;
    let mut clippy = build("check", AMD64, &zig)?;
    run::run(lint(&mut clippy).args(["--profile", "test"]).args(TESTS))?;
    run::run(build("check", ARM64, &zig)?.args(packages))?;
    let built = folder().join(AMD64).join("debug");
    example(&zig, &built)?;
    port::check(&folder(), &built)?;
    sayln!("FreeBSD's vrrpd and vrrpctl are in {}", built.display());
    Ok(())
}

/// Makes a cargo command that builds one that lints besides.
fn lint(command: &mut Command) -> &mut Command {
    let deny = "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__";
    command
        .env("RUSTC_WORKSPACE_WRAPPER", "/usr/bin/clippy-driver")
        .env("CLIPPY_ARGS", deny)
}

/// The release build for amd64; the folder that the programs are in.
fn programs(zig: &Zig) -> Result<PathBuf, Failure> {
    let packages = [
        "--release",
        "-p",
        "vrrpd",
        "-p",
        "vrrp-checks",
        "-p",
        "vrrp-ffi",
    ];
    run::run(build("build", AMD64, zig)?.args(packages))?;
    let built = folder().join(AMD64).join("release");
    example(zig, &built)?;
    Ok(built)
}

/// Links the program around poll(2) with libvrrp in `built`.
fn example(zig: &Zig, built: &Path) -> Result<(), Failure> {
    let mut compile = zig.cc(&zig_target("x86_64"));
    compile
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"])
        .args(["-O2", "-I"])
        .arg(root().join("include"))
        .arg(root().join("ffi/examples/poll.c"))
        .arg(built.join("libvrrp.a"))
        .args(FREEBSD_LIBS.split(' '))
        .arg("-lgcc_s")
        .arg("-o")
        .arg(built.join("poll"));
    run::run(&mut compile)
}

/// Compiles a C file of assertions against FreeBSD's headers: every number, size and offset that
/// the port writes down by itself.
fn headers(zig: &Zig) -> Result<(), Failure> {
    let mut print = cargo();
    let args = ["run", "--quiet", "--package", "vrrp-tools", "--bin"];
    let text = run::output(print.current_dir(root()).args(args).arg("freebsd-asserts"))?;
    let count = text.matches("_Static_assert").count();
    let file = folder().join("asserts.c");
    write(&file, &text)?;
    for machine in ["x86_64", "aarch64"] {
        let object = folder().join(format!("asserts-{machine}.o"));
        let mut compile = zig.cc(&zig_target(machine));
        run::run(compile.arg("-c").arg(&file).arg("-o").arg(object))?;
    }
    sayln!("{count} numbers, sizes and offsets are those of FreeBSD's headers");
    Ok(())
}

/// A cargo command for FreeBSD.
fn build(verb: &str, target: &str, zig: &Zig) -> Result<Command, Failure> {
    packages::need(packages::FREEBSD)?;
    let library = "std,test,panic_unwind,panic_abort";
    let mut command = debian_rust::cargo(verb, library, &[target], &folder());
    let machine = target.split('-').next().unwrap_or_default();
    debian_rust::link_with(&mut command, target, &compiler(zig, machine)?);
    // An incremental build would only cost space here.
    command.env("CARGO_INCREMENTAL", "0");
    Ok(command)
}

fn folder() -> PathBuf {
    target_dir().join("freebsd")
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    let written = file.parent().map_or(Ok(()), fs::create_dir_all);
    written
        .and_then(|()| fs::write(file, text))
        .map_err(|e| Failure(format!("cannot write {}: {e}", file.display())))
}

/// zig's name of FreeBSD on a processor.
fn zig_target(machine: &str) -> String {
    format!("{machine}-freebsd")
}

/// A script that rustc can call as its linker, and build scripts as the C compiler.
fn compiler(zig: &Zig, machine: &str) -> Result<PathBuf, Failure> {
    let file = folder().join(format!("cc-{machine}"));
    zig.script(&file, &zig_target(machine), LEFT_OUT)
}
