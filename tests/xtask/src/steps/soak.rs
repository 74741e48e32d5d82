//! Hours of random faults, and floods, in the lab.

use std::path::{Path, PathBuf};

use crate::tools::packages;
use crate::tools::run::{self, Failure, PROOF};
use crate::{lab_program, steps};

/// As long as a soak has to be, unless another time is asked for.
const SECONDS: &str = "7200";

/// `cargo xtask soak [SECONDS] [--seed N] [--routers N] [--keep FOLDER]`.
pub(crate) fn soak(args: &[String]) -> Result<(), Failure> {
    let default = [SECONDS.to_owned()];
    checked(if args.is_empty() { &default } else { args })
}

/// Runs the soak with vrrpd in the profile that has every check of a debug build. Such a check sees what
/// the network does not show, as where a lost wake-up is made good by the next frame that comes.
fn checked(args: &[String]) -> Result<(), Failure> {
    packages::need(packages::LAB)?;
    packages::need(packages::C_HOST)?;
    run::build(&[&["build", "--profile", PROOF][..], &steps::PROGRAMS].concat())?;
    let vrrpd = run::target_dir().join(PROOF).join("vrrpd");
    lab_program("soak", args, &vrrpd)
}

/// `cargo xtask flood [PER_SECOND]`: what becomes of each packet, then what it costs the service.
pub(crate) fn flood(args: &[String]) -> Result<(), Failure> {
    let vrrpd = prepare()?;
    let per_second = args.first().map_or("50000", String::as_str);
    flood_part(&["facts", per_second, "3"], &vrrpd)?;
    flood_part(&["rate", per_second, "15"], &vrrpd)
}

/// Always the same faults and reloads: what fails is what was changed. This seed adds, moves and removes
/// virtual routers and interfaces. And the facts of a flood that a busy machine can send.
pub(crate) fn briefly() -> Result<(), Failure> {
    checked(&["35", "--seed", "9"].map(str::to_owned))?;
    // With one virtual router a host may be left to itself for a whole interval. This seed names an
    // interface for the first time soon: a wake-up that is lost by that is seen within nine seconds.
    checked(&["15", "--seed", "5", "--routers", "1"].map(str::to_owned))?;
    flood_part(&["facts", "5000", "1"], &prepare()?)
}

fn prepare() -> Result<PathBuf, Failure> {
    packages::need(packages::LAB)?;
    packages::need(packages::C_HOST)?;
    steps::build_programs()
}

fn flood_part(words: &[&str], vrrpd: &Path) -> Result<(), Failure> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    lab_program("flood", &words, vrrpd)
}
