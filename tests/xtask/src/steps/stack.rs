//! The largest stack use of any call of the engine, as valgrind sees it in a release build for
//! this machine.

use std::process::Command;

use crate::tools::packages;
use crate::tools::run::{self, Failure};

/// The most that a call may use, in octets.
const MOST: u64 = 2_048;
/// The stack that the second thread of the program is known to use.
const KNOWN: u64 = 4_096;

/// Measures every call, prints those that can be told from a thread's own use, and fails when one
/// uses too much.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::COST)?;
    let program = run::release_tool("engine-stack")?;
    let text = run::output(
        Command::new("valgrind")
            .args(["--tool=drd", "--show-stack-usage=yes"])
            .arg(program),
    )?;
    let calls: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("=="))
        .collect();
    let used: Vec<u64> = text.lines().filter_map(used_by_thread).collect();
    // The last thread is the program itself.
    if used.len() != calls.len() + 1 || calls.len() < 10 {
        return Err(Failure(format!(
            "valgrind did not tell of each thread:\n{text}"
        )));
    }
    // How deep a call begins.
    let depth = used.get(1).and_then(|known| known.checked_sub(KNOWN));
    let depth = depth.ok_or(Failure(format!("the known use was not seen:\n{text}")))?;
    // The stack that every thread uses to begin and to end hides a call that uses less.
    let least = used
        .iter()
        .min()
        .copied()
        .unwrap_or(0)
        .saturating_sub(depth);
    let mut most = 0;
    for (call, used) in calls.iter().zip(&used).skip(2) {
        let used = used.saturating_sub(depth);
        most = most.max(used);
        if used > least {
            sayln!("{call:28} {used:5} octets of stack");
        }
        if used > MOST {
            return Err(Failure(format!(
                "{call} uses {used} octets of stack, {MOST} are allowed"
            )));
        }
    }
    sayln!("at most {most} octets; every other call less than {least}");
    Ok(())
}

fn used_by_thread(line: &str) -> Option<u64> {
    let (_, rest) = line.split_once("finished and used ")?;
    rest.split(' ').next()?.parse().ok()
}
