//! The engine's cost in instructions, counted by callgrind: the same on every run, whatever else
//! the machine does.

use std::path::Path;
use std::process::Command;

use crate::steps::capi;
use crate::tools::packages;
use crate::tools::run::{self, Failure};

/// The most that one advertisement may cost.
const MOST: f64 = 700.0;
/// The most that a full table may cost over a table of one.
const GROWTH: f64 = 1.15;
/// The most that the C interface may add to receiving and to sending: checked arguments, calls that
/// are not inlined since engine and gate share them, a verdict with room for a signature, and an output that
/// is written down whole.
const C_ADDS: [f64; 2] = [130.0, 235.0];
/// Advertisements counted in each run.
const ADVERTS: u32 = 20_480;

struct Cost {
    what: &'static str,
    one: f64,
    full: f64,
}

/// Prints the counts.
pub(crate) fn print() -> Result<(), Failure> {
    table().map(|_| ())
}

fn table() -> Result<Vec<Cost>, Failure> {
    let costs = measure()?;
    sayln!("instructions for one advertisement, release build:");
    sayln!(
        "{:13} {:>12} {:>16} {:>8}",
        "",
        "1 in table",
        "1024 in table",
        "growth"
    );
    for cost in &costs {
        let growth = (cost.full / cost.one - 1.0) * 100.0;
        sayln!(
            "{:13} {:12.0} {:16.0} {growth:7.1}%",
            cost.what,
            cost.one,
            cost.full
        );
    }
    Ok(costs)
}

/// Prints the counts and fails when they are above their bounds.
pub(crate) fn check() -> Result<(), Failure> {
    let costs = table()?;
    let (rust, c) = costs.split_at(C_ADDS.len());
    for ((rust, c), adds) in rust.iter().zip(c).zip(C_ADDS) {
        if c.one > rust.one + adds || c.full > rust.full + adds {
            return Err(Failure(format!(
                "to {} costs {:.0} instructions and {:.0} in a full table; \
                 at most {adds} more than {:.0} and {:.0} are allowed",
                c.what, c.one, c.full, rust.one, rust.full
            )));
        }
    }
    for cost in rust {
        if cost.one > MOST || cost.full > MOST || cost.full > cost.one * GROWTH {
            return Err(Failure(format!(
                "to {} costs {:.0} instructions and {:.0} in a full table; \
                 at most {MOST} and {GROWTH} times as much are allowed",
                cost.what, cost.one, cost.full
            )));
        }
    }
    Ok(())
}

fn measure() -> Result<Vec<Cost>, Failure> {
    packages::need(packages::COST)?;
    let rust = run::release_tool("engine-cost")?;
    let c = capi::cost_program()?;
    [
        ("receive", &rust, "receive", "engine_cost::counted*"),
        ("send", &rust, "send", "engine_cost::counted*"),
        ("receive in C", &c, "receive", "counted"),
        ("send in C", &c, "send", "counted"),
    ]
    .into_iter()
    .map(|(what, program, work, function)| {
        Ok(Cost {
            what,
            one: count(program, work, function, 1)?,
            full: count(program, work, function, 1024)?,
        })
    })
    .collect()
}

fn count(program: &Path, work: &str, function: &str, routers: u32) -> Result<f64, Failure> {
    let rounds = ADVERTS / routers;
    let text = run::output(
        Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg("--collect-atstart=no")
            .arg(format!("--toggle-collect={function}"))
            .arg(program)
            .args([work, &routers.to_string(), &rounds.to_string()]),
    )?;
    let collected = text
        .lines()
        .find_map(|line| line.split_once("Collected :"))
        .and_then(|(_, count)| count.trim().parse::<f64>().ok())
        .filter(|count| *count > 0.0)
        .ok_or_else(|| Failure(format!("callgrind did not say what it collected:\n{text}")))?;
    Ok(collected / f64::from(rounds * routers))
}
