//! How to link for the board.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    std::fs::copy("../boards/lm3s6965evb/memory.x", out.join("memory.x"))?;
    println!("cargo:rerun-if-changed=../boards/lm3s6965evb/memory.x");
    println!("cargo:rustc-link-search={}", out.display());
    for arg in ["--nmagic", "-Tlink.x"] {
        println!("cargo:rustc-link-arg-bins={arg}");
    }
    Ok(())
}
