//! libvrrp for the programs of the lab that are written in C.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::built;
pub use crate::built::out_dir;

/// Where libvrrp is installed: `$VRRP_PREFIX` if that is set, otherwise in cargo's target folder, by
/// `cargo xtask install-c` on the first call.
///
/// # Panics
///
/// When it cannot be built.
pub fn installed() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| match std::env::var_os("VRRP_PREFIX") {
        Some(prefix) => prefix.into(),
        None => install("prefix", &[]),
    })
}

/// The same with the engine alone, which needs no operating system.
///
/// # Panics
///
/// When it cannot be built.
pub fn installed_engine() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| install("prefix-engine", &["--engine"]))
}

fn install(name: &str, options: &[&str]) -> PathBuf {
    let prefix = out_dir(name);
    built::once(name, || {
        let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["run", "--quiet", "--package", "xtask", "--", "install-c"])
            .args(options)
            .arg(&prefix)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .status()
            .expect("run cargo");
        assert!(built.success(), "cannot build libvrrp");
    });
    prefix
}
