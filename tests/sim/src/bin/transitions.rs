//! `transitions`: writes the transition table and the state diagram where they are committed.

use std::path::Path;

use vrrp_sim::transitions;

fn main() -> std::io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(here.join("transitions.txt"), transitions::table())?;
    std::fs::write(here.join("../../core/STATES.md"), transitions::diagram())
}
