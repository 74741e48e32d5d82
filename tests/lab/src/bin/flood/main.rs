//! A flood of bad and spoofed advertisements against a master that serves a client.
//!
//! ```text
//! flood facts [PER_SECOND [SECONDS]]   each kind of packet: what becomes of it, and of the master
//! flood rate [PER_SECOND [ROUNDS]]     answers a second under the flood, with vrrpd and without
//! ```
//!
//! Needs root, or a kernel that allows user namespaces.

mod facts;
mod rate;

use std::process::ExitCode;

use vrrp_lab::complain;
use vrrp_lab::netns;

fn main() -> ExitCode {
    vrrp_lab::output::program("flood", run)
}

fn run() -> ExitCode {
    if let Err(error) = netns::become_root() {
        complain!("flood: not root, and no user namespace to be had: {error}. Try sudo.");
        return ExitCode::FAILURE;
    }
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| {
        words
            .get(at)
            .map_or(Some(default), |word| word.parse().ok())
    };
    let done = match (words.first().map(String::as_str), number(1, 50_000)) {
        (Some("facts"), Some(per_second)) => {
            number(2, 3).map(|seconds| facts::run(per_second, seconds))
        }
        (Some("rate"), Some(per_second)) => {
            number(2, 5).map(|rounds| rate::run(per_second, rounds))
        }
        _ => None,
    };
    match done {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(problem)) => {
            complain!("flood: {problem}");
            ExitCode::FAILURE
        }
        None => {
            complain!("usage: flood facts [PER_SECOND [SECONDS]] | rate [PER_SECOND [ROUNDS]]");
            ExitCode::from(2)
        }
    }
}
