//! libvrrp for the programs of the lab that are written in C.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::lab::daemons::target_dir;

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
        None => {
            let prefix = out_dir("prefix");
            let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
                .args(["run", "--quiet", "--package", "xtask", "--", "install-c"])
                .arg(&prefix)
                .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
                .status()
                .expect("run cargo");
            assert!(built.success(), "cannot build libvrrp");
            prefix
        }
    })
}

/// A folder for what is built from C, below cargo's target folder.
///
/// # Panics
///
/// When it cannot be made.
pub fn out_dir(name: &str) -> PathBuf {
    let dir = target_dir().join("c").join(name);
    std::fs::create_dir_all(&dir).expect("make a folder for C programs");
    dir
}
