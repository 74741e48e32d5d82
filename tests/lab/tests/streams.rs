//! The project's own programs when nobody reads what they say, as with `| head`, and when the disk is
//! full. The test of vrrpd and vrrpctl is in `ports/daemon/tests/cli.rs`. Needs root or a user namespace.

#![cfg(target_os = "linux")]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The exit status of a program that SIGPIPE has ended, as a shell tells it.
const READER_GONE: i32 = 141;

/// Builds a program with the profile of this test, and returns its path.
fn program(package: &str, name: &str) -> PathBuf {
    let exe = std::env::current_exe().expect("the path of this program");
    let folder = exe.ancestors().nth(2).expect("cargo's folder of a profile");
    let profile = folder.file_name().expect("a profile").to_string_lossy();
    let profile = if profile == "debug" { "dev" } else { &*profile };
    let target = folder.parent().expect("cargo's target folder");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--profile", profile, "--target-dir"])
        .arg(target)
        .args(["--package", package, "--bin", name])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    assert!(cargo.status().expect("run cargo").success(), "{cargo:?}");
    folder.join(name)
}

/// `program ARGS | head -1`, and `program ARGS > /dev/full`.
fn loses_its_output(program: &Path, args: &[&str]) {
    loses_it_after(1, program, args);
}

/// The same with a reader that goes after so many lines.
fn loses_it_after(lines: usize, program: &Path, args: &[&str]) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    // One that reads nothing has gone before the program begins.
    let reader = (lines > 0).then_some(reader);
    let mut command = Command::new(program);
    command.args(args).stdout(writer).stderr(Stdio::piped());
    let mut child = command.spawn().expect("a program");
    // The command holds our own end for writing.
    command.stdout(Stdio::null());
    let reader = reader.into_iter().flat_map(|r| BufReader::new(r).lines());
    let read: Vec<String> = reader.take(lines).map_while(Result::ok).collect();
    let (mut said, stderr) = (String::new(), child.stderr.take());
    let mut stderr = stderr.expect("stderr is piped");
    stderr.read_to_string(&mut said).expect("UTF-8");
    let status = child.wait().expect("a child");
    assert_eq!(
        (status.code(), said.as_str()),
        (Some(READER_GONE), ""),
        "{command:?} after {read:?}: {status}"
    );

    let mut command = Command::new(program);
    command.args(args).stdout(full()).stderr(Stdio::piped());
    let output = command.output().expect("a program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{command:?}: {said}");
    let words = "cannot write the standard output: ";
    assert!(said.contains(words), "{command:?}: {said}");
    assert_eq!(said.lines().count(), 1, "{command:?}: {said}");
}

/// A complaint that nobody reads changes no exit status.
fn complains_to_nobody(program: &Path, args: &[&str], code: i32) {
    let (reader, closed) = std::io::pipe().expect("a pipe");
    drop(reader);
    for stderr in [closed.into(), full()] {
        let mut command = Command::new(program);
        let status = command.args(args).stderr(stderr).status();
        let status = status.expect("a program");
        assert_eq!(status.code(), Some(code), "{command:?}: {status}");
    }
}

fn full() -> Stdio {
    let full = OpenOptions::new().write(true).open("/dev/full");
    full.expect("/dev/full").into()
}

fn of_the_lab(name: &str) -> PathBuf {
    program("vrrp-lab", name)
}

#[test]
fn demo() {
    loses_its_output(&of_the_lab("demo"), &[]);
}

#[test]
fn soak() {
    let soak = of_the_lab("soak");
    loses_its_output(&soak, &["3", "--seed", "2"]);
    complains_to_nobody(&soak, &["--bogus"], 2);
}

#[test]
fn flood_facts() {
    let flood = of_the_lab("flood");
    loses_its_output(&flood, &["facts", "1000", "1"]);
    complains_to_nobody(&flood, &["--bogus"], 2);
}

#[test]
fn flood_rate() {
    loses_its_output(&of_the_lab("flood"), &["rate", "1000", "1"]);
}

#[test]
fn measure_outage() {
    let measure = of_the_lab("measure");
    loses_its_output(&measure, &["outage", "1"]);
    complains_to_nobody(&measure, &["--bogus"], 2);
}

#[test]
fn measure_exact() {
    loses_its_output(&of_the_lab("measure"), &["exact", "1"]);
}

#[test]
fn measure_scale() {
    loses_its_output(&of_the_lab("measure"), &["scale", "3"]);
}

#[test]
fn the_simulators_programs() {
    let simulate = program("vrrp-sim", "simulate");
    loses_its_output(&simulate, &["--seed", "1", "--story"]);
    complains_to_nobody(&simulate, &["--bogus"], 2);
    let model = program("vrrp-sim", "model");
    loses_its_output(&model, &["[100, 200], preempt true, Virtual"]);
    complains_to_nobody(&model, &["--bogus"], 2);
}

#[test]
fn the_tools_of_the_engine() {
    // It is done before a reader of its first line has gone, and the pipe has room for all of it.
    loses_it_after(0, &program("vrrp-tools", "engine-stack"), &[]);
    let cost = program("vrrp-tools", "engine-cost");
    complains_to_nobody(&cost, &["--bogus"], 2);
}

#[test]
fn xtask() {
    let xtask = program("xtask", "xtask");
    // Help is written at once, and the pipe has room for it.
    loses_it_after(0, &xtask, &["help"]);
    loses_it_after(0, &xtask, &["lab", "--help"]);
    loses_its_output(&xtask, &["test", "format"]);
    complains_to_nobody(&xtask, &["bogus"], 2);
    complains_to_nobody(&xtask, &["test", "bogus"], 1);
    complains_to_nobody(&xtask, &["lab", "--at-once", "none"], 1);
}
