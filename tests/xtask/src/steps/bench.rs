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
/// The work with keys: its name here and in the program, and the most instructions of it. A signature is five
/// blocks of SHA-256, done without the processor's own instructions for it, which valgrind does not know. To refuse
/// what is stale costs none, but for one a second that is looked at.
const SIGNED: [(&str, &str, f64); 4] = [
    ("send signed", "send-signed", 20_500.0),
    ("receive signed", "receive-signed", 21_000.0),
    ("refuse stale", "refuse-stale", 1_050.0),
    ("refuse forged", "refuse-forged", 20_500.0),
];
/// Advertisements counted in each run with keys.
const SIGNED_ADVERTS: u32 = 2_000;
/// Advertisements counted in each run.
const ADVERTS: u32 = 20_480;

struct Cost {
    what: &'static str,
    one: f64,
    full: f64,
}

/// Prints the counts.
pub(crate) fn print() -> Result<(), Failure> {
    table()?;
    signed_table().map(|_| ())
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

/// Counts and prints the work with keys: of each the count.
fn signed_table() -> Result<Vec<f64>, Failure> {
    let program = run::release_tool_with("engine-cost", "hmac")?;
    sayln!("instructions with a key of 32 octets and one address, in a table of one:");
    let counts = SIGNED.into_iter().map(|(what, work, most)| {
        let count = count(&program, work, COUNTED, 1, SIGNED_ADVERTS)?;
        sayln!("{what:14} {count:8.0}, at most {most:.0}");
        Ok(count)
    });
    counts.collect()
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
    for ((what, _, most), count) in SIGNED.into_iter().zip(signed_table()?) {
        if count > most {
            return Err(Failure(format!(
                "to {what} costs {count:.0} instructions; at most {most} are allowed"
            )));
        }
    }
    Ok(())
}

/// The function of the program that is counted in.
const COUNTED: &str = "engine_cost::counted*";

fn measure() -> Result<Vec<Cost>, Failure> {
    packages::need(packages::COST)?;
    let rust = run::release_tool("engine-cost")?;
    let c = capi::cost_program()?;
    [
        ("receive", &rust, "receive", COUNTED),
        ("send", &rust, "send", COUNTED),
        ("receive in C", &c, "receive", "counted"),
        ("send in C", &c, "send", "counted"),
    ]
    .into_iter()
    .map(|(what, program, work, function)| {
        Ok(Cost {
            what,
            one: count(program, work, function, 1, ADVERTS)?,
            full: count(program, work, function, 1024, ADVERTS)?,
        })
    })
    .collect()
}

fn count(
    program: &Path,
    work: &str,
    function: &str,
    routers: u32,
    adverts: u32,
) -> Result<f64, Failure> {
    let rounds = adverts / routers;
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
