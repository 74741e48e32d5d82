//! Puts the memory map and the names of the interrupts where the linker looks for them.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    for file in ["memory.x", "device.x"] {
        std::fs::copy(file, out.join(file))?;
        println!("cargo:rerun-if-changed={file}");
    }
    println!("cargo:rustc-link-search={}", out.display());
    Ok(())
}
