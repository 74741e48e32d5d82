//! The crates that are published, built from their packages alone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::here;
use crate::tools::run::{Failure, cargo};
use crate::tools::scratch::Scratch;

/// The crates that are no product, and libvrrp, which is installed from the repository.
const NOT_PUBLISHED: &[&str] = &[
    "vrrp-ffi",
    "vrrp-fuzz",
    "vrrp-sim",
    "vrrp-lab",
    "vrrp-tools",
    "xtask",
];

/// Packs every published crate and builds it from the packages of the others.
pub(crate) fn check() -> Result<(), Failure> {
    let home = Scratch::new("vrrp-cargo-home")?;
    share_downloads(&readers_home()?, home.path())
        .map_err(|e| Failure(format!("cannot make {}: {e}", home.path().display())))?;
    let mut command = cargo();
    command.args(["package", "--workspace", "--allow-dirty"]);
    for tool in NOT_PUBLISHED {
        command.args(["--exclude", tool]);
    }
    here(command.env("CARGO_HOME", home.path()))
}

/// The reader's own Cargo home.
fn readers_home() -> Result<PathBuf, Failure> {
    let own = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let usual = || std::env::home_dir().map(|home| home.join(".cargo"));
    own.or_else(usual)
        .ok_or_else(|| Failure("neither CARGO_HOME nor HOME is set".into()))
}

/// Fills `new` with links to what is in the Cargo home `old`, but for the folder of unpacked sources.
///
/// Cargo unpacks a crate of the same name and version once for each registry, which here is a folder below
/// `target`: in the reader's own home a later run of this step would build an earlier run's sources.
fn share_downloads(old: &Path, new: &Path) -> std::io::Result<()> {
    fs::create_dir(new.join("registry"))?;
    link_all(old, new, "registry")?;
    link_all(&old.join("registry"), &new.join("registry"), "src")
}

/// Links every entry of `from` but `except` into `into`; without `from` there is nothing to link.
fn link_all(from: &Path, into: &Path, except: &str) -> std::io::Result<()> {
    let entries = match fs::read_dir(from) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_name() != except {
            symlink(entry.path(), into.join(entry.file_name()))?;
        }
    }
    Ok(())
}
