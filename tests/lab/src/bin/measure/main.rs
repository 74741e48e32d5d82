//! Measures what a client loses, what the daemons cost, and how exact a takeover is.
//!
//! ```text
//! measure outage [RUNS]    silence and lost probes: each disturbance, MAC mode and program
//! measure scale  [VRIDS] [--addresses N] [--signed]
//!                          255 virtual routers at 0.1 s, each of one address or N: CPU, memory,
//!                          start, takeover, and the longest silence of any of them on the wire; signed,
//!                          by a keepalived too that KEEPALIVED_HMAC names
//! measure clients [VRIDS]  how late advertisements are while 12 clients of the control socket ask each
//!                          10 ms, and while somebody forges thousands of masters
//! measure checks [CHECKS]  500 checks at 1 s of several kinds, and one that 255 virtual routers share: CPU,
//!                          memory
//! measure services [RUNS]  each service of the paper behind a virtual address, and each reason for which
//!                          the address moves: asks that a client loses, and the longest silence
//! measure connections [COUNT]  thousands of idle TCP connections at a handover: when their clients learn
//! measure exact  [RUNS]    the time from the last advertisement to the successor's first
//! measure --plot [FILE]    draws a failover, a return and a graceful stop as a client sees them, into
//!                          tests/failover.svg or FILE
//! ```
//!
//! `--only WORD` keeps the rows in which WORD occurs. Needs root, or a kernel that allows user
//! namespaces.

mod checks;
mod clients;
mod connections;
mod exact;
mod outage;
mod plot;
mod scale;
mod services;

use std::process::ExitCode;

use vrrp_lab::complain;
use vrrp_lab::netns;

fn main() -> ExitCode {
    vrrp_lab::output::program("measure", run)
}

fn run() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [connections::SERVICE, port] => {
            connections::serve(port.parse().expect("a port"));
            return ExitCode::SUCCESS;
        }
        [connections::CLIENT, port, count] => {
            let count = count.parse().expect("a number of connections");
            connections::hold(port.parse().expect("a port"), count);
            return ExitCode::SUCCESS;
        }
        _ => {}
    }
    if let Err(error) = netns::become_root() {
        complain!("measure: not root, and no user namespace to be had: {error}");
        return ExitCode::FAILURE;
    }
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let only = take_option(&mut words, "--only").unwrap_or_default();
    let addresses = take_option(&mut words, "--addresses").map_or(Ok(1), |word| word.parse());
    let signs = take_flag(&mut words, "--signed");
    let number = |default| words.get(1).map_or(Ok(default), |word| word.parse::<u32>());
    let command = words.first().map(String::as_str);
    if command == Some("--plot") {
        let file = words.get(1).map_or("tests/failover.svg", String::as_str);
        return match plot::run(file) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain!("measure: cannot write {file}: {error}");
                ExitCode::FAILURE
            }
        };
    }
    if command == Some("checks")
        && let Ok(count @ 1..=900) = number(500)
    {
        checks::run(count, &only);
        return ExitCode::SUCCESS;
    }
    if command == Some("connections")
        && let Ok(count @ 1..=150_000) = number(10_000)
    {
        connections::run(count);
        return ExitCode::SUCCESS;
    }
    match (command, number(5), number(255), addresses) {
        (Some("outage"), Ok(runs), _, _) => outage::run(runs, &only),
        (Some("clients"), _, Ok(count @ 1..=255), _) => clients::run(count.min(235) as u8),
        (Some("services"), Ok(runs @ 1..), _, _) => services::run(runs, &only),
        (Some("exact"), Ok(runs), _, _) => exact::run(runs, &only),
        (Some("scale"), _, Ok(count @ 1..=255), Ok(addresses @ 1..=64)) => {
            scale::run(count as u8, addresses, signs, &only);
        }
        _ => {
            complain!(
                "usage: measure outage|exact|services [RUNS] [--only WORD]\n       \
                 measure --plot [FILE]\n       \
                 measure connections [COUNT, 1 to 150000]\n       \
                 measure clients [VRIDS, 1 to 235]\n       \
                 measure checks [CHECKS, 1 to 900] [--only WORD]\n       \
                 measure scale [VRIDS, 1 to 255] [--addresses N, 1 to 64] [--signed] [--only WORD]"
            );
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// Takes an option and the word after it out of `words`. A missing word is an empty one.
fn take_option(words: &mut Vec<String>, option: &str) -> Option<String> {
    let at = words.iter().position(|word| word == option)?;
    words.remove(at);
    Some(if at < words.len() {
        words.remove(at)
    } else {
        String::new()
    })
}

/// Takes an option without a word out of `words`. False: it is not there.
fn take_flag(words: &mut Vec<String>, option: &str) -> bool {
    let before = words.len();
    words.retain(|word| word != option);
    words.len() < before
}

/// The middle value; of an even number the upper of the two.
pub(crate) fn median<T: PartialOrd + Copy>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).expect("no NaN is measured"));
    sorted.get(sorted.len() / 2).copied()
}
