//! Measures what a client loses, what the daemons cost, and how exact a takeover is.
//!
//! ```text
//! measure outage [RUNS]    silence and lost probes: each disturbance, MAC mode and program
//! measure scale  [VRIDS]   255 virtual routers at 0.1 s: CPU, memory, start, takeover
//! measure exact  [RUNS]    the time from the last advertisement to the successor's first
//! ```
//!
//! `--only WORD` keeps the rows in which WORD occurs. Needs root, or a kernel that allows user
//! namespaces.

mod exact;
mod outage;
mod scale;

use std::process::ExitCode;

use vrrp_tests::lab::netns;

fn main() -> ExitCode {
    if let Err(error) = netns::become_root() {
        eprintln!("measure: not root, and no user namespace to be had: {error}");
        return ExitCode::FAILURE;
    }
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let only = words.iter().position(|word| word == "--only").map(|at| {
        words.remove(at);
        if at < words.len() {
            words.remove(at)
        } else {
            String::new()
        }
    });
    let only = only.unwrap_or_default();
    let number = |default| words.get(1).map_or(Some(default), |word| word.parse().ok());
    match (words.first().map(String::as_str), number(5), number(255)) {
        (Some("outage"), Some(runs), _) => outage::run(runs, &only),
        (Some("exact"), Some(runs), _) => exact::run(runs, &only),
        (Some("scale"), _, Some(count)) if count <= 255 => {
            scale::run(count as u8, &only);
        }
        _ => {
            eprintln!("usage: measure outage|exact [RUNS] | scale [VRIDS] [--only WORD]");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// The middle value; of an even number the upper of the two.
pub(crate) fn median<T: PartialOrd + Copy>(values: &[T]) -> Option<T> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| a.partial_cmp(b).expect("no NaN is measured"));
    sorted.get(sorted.len() / 2).copied()
}
