//! `cargo xtask`: everything that is run by hand or by CI, as named steps.

mod apart;
mod bare_c;
mod bare_metal;
mod bench;
mod capi;
mod capi_host;
mod compliance;
mod firmware;
mod freebsd;
mod fuzz;
mod install;
mod installed;
mod metrics;
mod mutants;
mod mutations;
mod packages;
mod port;
mod programs;
mod proof;
mod python;
mod run;
mod soak;
mod stack;
mod steps;

use std::process::ExitCode;

use run::{Failure, cargo, root};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo       build, make the paper's network, pull the cable, and show who answers
  test       install what is missing with the package manager and run everything
  test STEP  one step of it:
               STEPS
  install    build the programs and install them with manual pages, sample and service;
             --prefix PREFIX (/usr/local), --destdir FOLDER for packagers
  uninstall  remove what install with the same options has installed
  freebsd    make an archive for FreeBSD: the programs, their tests, and a script that
             runs them all there
  firmware   build the firmware and show it at work on QEMU's board
  size       what the engine and the firmware take of a microcontroller
  bench      the engine's cost in instructions, as counted by callgrind
  csize      what the engine costs a C program in code and storage
  cargo-c    install libvrrp with cargo-c, which has to be there, and test it
  install-c [--engine] PREFIX
             build libvrrp (or the engine alone) and install it with its headers
  simulate   many simulated networks, checked after every step; --seed N tells one story,
             --runs N as many as asked for
  model      every order of messages, losses and crashes among two and three routers;
             --long for bounds that take an hour, words for those whose name has one
  transitions
             writes the transition table and the state diagram anew
  compliance writes the table from rule to code to test; --mutate breaks each rule once
  measure    outages, precision and scale beside keepalived, on this machine (takes
             a while; 'cargo xtask measure --help' names its parts)
  soak [SECONDS]
             hosts in the lab, 72 virtual routers, and random faults, for two hours or as
             long as asked for; --seed N does what another run did
  flood [PER_SECOND]
             bad and spoofed advertisements, 50000 a second: what becomes of them, of the
             master, and of the service beside it
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
    let done = match command {
        "demo" => demo(rest),
        "test" => steps::test(rest),
        "install" => programs::install(rest),
        "uninstall" => programs::uninstall(rest),
        "freebsd" => freebsd::archive(),
        "bench" => bench::print(),
        "firmware" => firmware::demo(rest),
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
        "help" | "--help" | "-h" => {
            print!("{}", usage());
            Ok(())
        }
        unknown => {
            eprint!("xtask: there is no command '{unknown}'\n\n{}", usage());
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> String {
    USAGE.replace("STEPS", &steps::names().join(" "))
}

fn demo(args: &[String]) -> Result<(), Failure> {
    packages::install(&["iproute2"])?;
    steps::build_programs()?;
    lab_program("demo", args)
}

fn measure(args: &[String]) -> Result<(), Failure> {
    packages::install(packages::LAB)?;
    steps::build_programs()?;
    lab_program("measure", args)
}

/// Runs a program of the lab, built for release.
pub(crate) fn lab_program(name: &str, args: &[String]) -> Result<(), Failure> {
    let mut command = cargo();
    command
        .current_dir(root())
        .args(["run", "--quiet", "--release", "--package", "vrrp-tests"])
        .args(["--example", name, "--"])
        .args(args);
    run::run(&mut command)
}
