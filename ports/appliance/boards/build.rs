//! How to link for a board: the build script of every board.
//!
//! Linker scripts (`*.x`) come from the board's own folder, and from its folder `chips/FEATURE` for the
//! feature that names the chip.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    copy_scripts(Path::new("."), &out)?;
    if let Ok(chips) = fs::read_dir("chips") {
        for chip in chips {
            let chip = chip?;
            let name = chip.file_name().to_string_lossy().to_uppercase();
            if env::var_os(format!("CARGO_FEATURE_{name}")).is_some() {
                copy_scripts(&chip.path(), &out)?;
            }
        }
    }
    println!("cargo:rustc-link-search={}", out.display());
    for arg in ["--nmagic", "-Tlink.x", "-Tdefmt.x"] {
        println!("cargo:rustc-link-arg-bins={arg}");
    }
    Ok(())
}

/// Puts the linker scripts of a folder where the linker looks first.
fn copy_scripts(folder: &Path, out: &Path) -> io::Result<()> {
    for item in fs::read_dir(folder)? {
        let path = item?.path();
        if path.extension().is_some_and(|extension| extension == "x") {
            fs::copy(&path, out.join(path.file_name().unwrap_or_default()))?;
            println!("cargo:rerun-if-changed={}", path.display());
        }
    }
    Ok(())
}
