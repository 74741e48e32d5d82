//! `simulate`: stories of many seeds, or of one.

use std::process::{Command, ExitCode};
use std::time::Instant;

use vrrp_sim::output::{complain, say};
use vrrp_sim::plan::Plan;
use vrrp_sim::sayln;
use vrrp_sim::world::Outcome;
use vrrp_sim::{generate, shrink, world};

const USAGE: &str = "\
usage: simulate [--seed N] [--runs N] [--keep PLACES] [--story]

  --seed N       the first seed (1)
  --runs N       how many seeds, one after the other (1 with --seed, else 400)
  --keep PLACES  only these operations of the story, by their places: 0,4,17
  --story        print the story before it is told
";

struct Args {
    seed: u64,
    runs: u64,
    keep: Option<Vec<usize>>,
    story: bool,
}

fn main() -> ExitCode {
    let args = match parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(wrong) => {
            complain(format_args!("simulate: {wrong}\n\n{USAGE}"));
            return ExitCode::from(2);
        }
    };
    let started = Instant::now();
    let mut sum = Outcome::default();
    for seed in args.seed..args.seed.saturating_add(args.runs) {
        let mut plan = generate::plan(seed);
        if let Some(keep) = &args.keep {
            plan = shrink::only(&plan, keep);
        }
        if args.story {
            say(format_args!("{}", plan.story()));
        }
        match world::run(&plan) {
            Ok(outcome) => add(&mut sum, &outcome),
            Err((at, violation)) => {
                sayln!("seed {seed} at {:.6} s: {violation}", at as f64 / 1e6);
                if args.keep.is_none() {
                    explain(&plan, &violation);
                }
                return ExitCode::FAILURE;
            }
        }
    }
    let wall = started.elapsed().as_secs_f64();
    sayln!(
        "{} seeds from {}: {} simulated hours, {} events, {} frames sent, {} changes of state, \
         {} virtual routers at rest checked, {} frames of attackers; {wall:.1} s, {:.0} times real time",
        args.runs,
        args.seed,
        sum.time / 3_600_000_000,
        sum.events,
        sum.frames,
        sum.changes,
        sum.verdicts,
        sum.attacks,
        sum.time as f64 / 1e6 / wall
    );
    ExitCode::SUCCESS
}

fn add(sum: &mut Outcome, outcome: &Outcome) {
    sum.time += outcome.time;
    sum.events += outcome.events;
    sum.changes += outcome.changes;
    sum.frames += outcome.frames;
    sum.verdicts += outcome.verdicts;
    sum.attacks += outcome.attacks;
}

/// Shrinks the story and says how to see it again.
fn explain(plan: &Plan, violation: &vrrp_sim::port::Violation) {
    let kept = shrink::shrink(plan, violation);
    let small = shrink::only(plan, &kept);
    sayln!("\nthe operations that matter:\n{}", small.story());
    if let Err((at, violation)) = world::run(&small) {
        sayln!("at {:.6} s: {violation}\n", at as f64 / 1e6);
    }
    let places: Vec<String> = kept.iter().map(usize::to_string).collect();
    let places = places.join(",");
    let head = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let commit = head.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned());
    sayln!("commit {}", commit.unwrap_or_else(|_| "unknown".into()));
    sayln!("cargo xtask simulate --seed {}", plan.seed);
    sayln!("cargo xtask simulate --seed {} --keep {places}", plan.seed);
}

fn parse(args: impl Iterator<Item = String>) -> Result<Args, String> {
    let mut args = args;
    let (mut seed, mut runs, mut keep, mut story) = (None, None, None, false);
    while let Some(arg) = args.next() {
        let mut value = || args.next().ok_or(format!("{arg} needs a value"));
        let number = |text: String| {
            text.parse::<u64>()
                .map_err(|_| format!("no number: {text}"))
        };
        match arg.as_str() {
            "--seed" => seed = Some(number(value()?)?),
            "--runs" => runs = Some(number(value()?)?),
            "--keep" => {
                let places = value()?;
                let places = places
                    .split(',')
                    .map(|p| p.parse().map_err(|_| format!("no place: {p}")));
                keep = Some(places.collect::<Result<Vec<usize>, String>>()?);
            }
            "--story" => story = true,
            _ => return Err(format!("what is {arg}?")),
        }
    }
    Ok(Args {
        seed: seed.unwrap_or(1),
        runs: runs.unwrap_or(if seed.is_some() { 1 } else { 400 }),
        keep,
        story,
    })
}
