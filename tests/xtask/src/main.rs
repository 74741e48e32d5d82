//! `cargo xtask`: everything that is run by hand or by CI, as named steps.

/// `print!`: see [`output::say`].
macro_rules! say {
    ($($arg:tt)*) => { $crate::tools::output::say(format_args!($($arg)*)) };
}

/// `println!`: see [`output::say`].
macro_rules! sayln {
    ($($arg:tt)*) => { say!("{}\n", format_args!($($arg)*)) };
}

mod steps;
mod tools;

use std::path::Path;
use std::process::ExitCode;

use steps::{
    bench, capi, compliance, deb, firmware, freebsd, fuzz, imports, install, mutants, portable,
    programs, proof, soak,
};
use tools::run::{self, Failure};
use tools::{output, packages};

const USAGE: &str = "\
usage: cargo xtask COMMAND, or COMMAND --help

  demo       build, make the paper's network, pull the cable, and show who answers
  quick      format, lints, unit tests and the table of rules: no root, no packages
  test [--install] [STEP...]
             run everything that CI runs, or these steps of it, as root; names the Debian
             packages that are missing, or installs them, and starts none of their services:
               STEPS
  deep       what takes hours: each rule broken once, the long model, every fuzz target for
             ten minutes, a soak of two hours, and all mutants
  lab        the lab's stories, several at once, or those whose name has one of the words
             that are given; --at-once N for another number
  install    build the programs and install them with manual pages, sample and service;
             --prefix PREFIX (/usr/local), --destdir FOLDER and --arch arm64 for packagers
  uninstall  remove what install with the same options has installed
  package deb [--revision N] [--arch arm64]
             build Debian's packages vrrpd, libvrrp0, libvrrp-dev and libapache2-mod-vrrp;
             for arm64 on another processor all but the last, and run their programs
  package static [PROCESSOR...]
             build programs that need no library, for x86_64, aarch64, armv7 and riscv64,
             and run them; that of this machine in the lab (takes a while)
  freebsd    make an archive for FreeBSD: the programs, their tests, and a script that
             runs them all there
  firmware   build the firmware and show it at work on QEMU's board
  size       what the engine and the firmware take of a microcontroller
  bench      the engine's cost in instructions, as counted by callgrind
  csize      what the engine costs a C program in code and storage
  cargo-c    install libvrrp with cargo-c, which has to be there, and test it
  install-c [--engine] [--destdir FOLDER] [--libdir FOLDER] PREFIX
             build libvrrp (or the engine alone) and install it with its headers;
             --destdir is for packagers, --libdir (lib) is below the prefix
  simulate   many simulated networks, checked after every step; --seed N tells one story,
             --runs N as many as asked for
  model      every order of messages, losses and crashes among two and three routers;
             --long for bounds that take an hour, words for those whose name has one
  transitions
             writes the transition table and the state diagram anew
  compliance writes the table from rule to code to test; --mutate breaks each rule once
  measure    outages, precision and scale beside keepalived, on this machine (takes a
             while): outage [RUNS], exact [RUNS], scale [VRIDS] [--addresses N] [--signed],
             clients [VRIDS], checks [CHECKS], services [RUNS], connections [COUNT]; --only WORD for the rows with
             that word; --plot [FILE] draws a failover (tests/failover.svg)
  soak [SECONDS]
             hosts in the lab, 72 virtual routers, and random faults, for two hours or as
             long as asked for; --seed N does what another run did, --routers N takes
             fewer, --keep FOLDER is for what it leaves when it fails
  flood [PER_SECOND]
             bad and spoofed advertisements, 50000 a second: what becomes of them, of the
             master, and of the service beside it
  imports FOLDER
             a table of what vrrpd --import carries over of the keepalived.conf in a folder
  fuzz TARGET [SECONDS]
             looks for octets that break something
  mutants    breaks the engine in every place, one at a time, and sees a test fail (takes
             hours; arguments are those of cargo-mutants, such as --file PATH)
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let wants_help = rest.iter().any(|word| word == "--help" || word == "-h");
    // Its arguments are another program's.
    if wants_help && command != "mutants" && !help(command).is_empty() {
        say!("{}", help(command));
        return ExitCode::SUCCESS;
    }
    let takes_none = [
        "demo",
        "quick",
        "deep",
        "freebsd",
        "bench",
        "firmware",
        "size",
        "csize",
        "cargo-c",
        "transitions",
    ];
    let done = match command {
        alone if takes_none.contains(&alone) && !rest.is_empty() => Err(Failure(format!(
            "'{alone}' takes no arguments, found '{}'",
            rest.join(" ")
        ))),
        "demo" => demo(),
        "quick" => steps::quick(),
        "test" => steps::test(rest),
        "deep" => deep(),
        "lab" => steps::some_stories(rest),
        "install" => programs::install(rest),
        "uninstall" => programs::uninstall(rest),
        "package" => package(rest),
        "freebsd" => freebsd::archive(),
        "bench" => bench::print(),
        "firmware" => firmware::demo(),
        "size" => firmware::print_size(),
        "csize" => capi::size(),
        "cargo-c" => capi::cargo_c(),
        "install-c" => install::command(rest),
        "measure" => measure(rest),
        "compliance" => compliance::command(rest),
        "simulate" => proof::simulate(rest),
        "model" => proof::model(rest),
        "transitions" => proof::transitions(),
        "soak" => soak::soak(rest),
        "flood" => soak::flood(rest),
        "fuzz" => fuzz::fuzz(rest),
        "mutants" => mutants::mutants(rest),
        "imports" => imports::command(rest),
        "help" | "--help" | "-h" => {
            say!("{}", usage());
            Ok(())
        }
        unknown => {
            let usage = usage();
            output::complain(format_args!(
                "xtask: there is no command '{unknown}'\n\n{usage}"
            ));
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(format_args!("xtask: {failure}\n"));
            ExitCode::FAILURE
        }
    }
}

/// The part of the usage that is about a command; empty: there is none of this name.
fn help(command: &str) -> String {
    let usage = usage();
    let mut wanted = false;
    let lines = usage.lines().filter(|line| {
        // A line that is indented further belongs to the command above.
        if let Some(line) = line.strip_prefix("  ").filter(|l| !l.starts_with(' ')) {
            wanted = line.split_whitespace().next() == Some(command);
        }
        wanted
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// `cargo xtask package KIND`.
fn package(args: &[String]) -> Result<(), Failure> {
    match args.split_first() {
        Some((kind, rest)) if kind == "deb" => deb::command(rest),
        Some((kind, rest)) if kind == "static" => portable::command(rest),
        _ => Err(Failure("package: expected deb or static".into())),
    }
}

fn usage() -> String {
    USAGE.replace("STEPS", &steps::names().join(" "))
}

fn demo() -> Result<(), Failure> {
    packages::install(packages::NETWORK)?;
    lab_program("demo", &[], &steps::build_programs()?)
}

/// `cargo xtask deep`: the commands that take hours, one after the other.
fn deep() -> Result<(), Failure> {
    compliance::command(&["--mutate".to_owned()])?;
    proof::model(&["--long".to_owned()])?;
    for target in fuzz::TARGETS {
        fuzz::fuzz(&[target.to_owned(), "600".to_owned()])?;
    }
    soak::soak(&[])?;
    mutants::mutants(&[])
}

fn measure(args: &[String]) -> Result<(), Failure> {
    packages::need(packages::LAB)?;
    if args
        .first()
        .is_some_and(|what| what == "checks" || what == "services")
    {
        packages::need(packages::HTTPD)?;
        packages::need(packages::LAB_SERVICES)?;
    }
    lab_program("measure", args, &steps::build_programs()?)
}

/// Builds and runs a program of the lab, with this vrrpd and the programs beside it.
pub(crate) fn lab_program(name: &str, args: &[String], vrrpd: &Path) -> Result<(), Failure> {
    let mut program = run::program("vrrp-lab", name, &[])?;
    run::run(program.args(args).env("VRRPD", vrrpd))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_its_help() {
        assert!(help("demo").contains("pull the cable"));
        assert!(help("test").contains("--install") && help("test").contains("units"));
        assert!(help("install").contains("--destdir"));
        assert!(!help("install").contains("install-c"));
        assert!(help("soak").contains("--seed") && !help("soak").contains("flood"));
        assert_eq!(help("nothing"), "");
    }
}
