//! The process that asks services whether they work: see the README of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match vrrp_checks::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vrrp-checker: {error}");
            ExitCode::FAILURE
        }
    }
}
