//! `cargo xtask`: everything that is run by hand or by CI, as named steps.

mod bare_c;
mod bare_metal;
mod bench;
mod capi;
mod capi_host;
mod firmware;
mod install;
mod packages;
mod run;
mod steps;

use std::process::ExitCode;

use run::{Failure, cargo, root};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  demo       build, make the paper's network, pull the cable, and show who answers
  test       install what is missing with the package manager and run everything
  test STEP  one step of it:
               format lint docs features no-std bare-c units lab manuals cost c c-host
               size firmware
  firmware   build the firmware and show it at work on QEMU's board
  size       what the engine and the firmware take of a microcontroller
  bench      the engine's cost in instructions, as counted by callgrind
  csize      what the engine costs a C program in code and storage
  cargo-c    install libvrrp with cargo-c, which has to be there, and test it
  install-c [--engine] PREFIX
             build libvrrp (or the engine alone) and install it with its headers
  measure    outages, precision and scale beside keepalived, on this machine (takes
             a while; 'cargo xtask measure --help' names its parts)
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
        "bench" => bench::print(),
        "firmware" => firmware::demo(rest),
        "size" => firmware::print_size(),
        "csize" => capi::size(),
        "cargo-c" => capi::cargo_c(),
        "install-c" => install::command(rest),
        "measure" => measure(rest),
        "help" | "--help" | "-h" => {
            print!("{USAGE}");
            Ok(())
        }
        unknown => {
            eprint!("xtask: there is no command '{unknown}'\n\n{USAGE}");
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
fn lab_program(name: &str, args: &[String]) -> Result<(), Failure> {
    let mut command = cargo();
    command
        .current_dir(root())
        .args(["run", "--quiet", "--release", "--package", "vrrp-tests"])
        .args(["--bin", name, "--"])
        .args(args);
    run::run(&mut command)
}
