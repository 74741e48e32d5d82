//! vrrp-smoltcp with the newest smoltcp that it takes. Cargo.lock has the oldest, which is embassy-net's.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::tools::run::{self, Failure, cargo, failed, root};

/// The requirement in the workspace's manifest, and the one that leaves the newest alone.
const RANGE: &str = "smoltcp = { version = \">=0.13, <0.15\"";
const NEWEST: &str = "smoltcp = { version = \"0.14\"";

/// The crates that it takes.
const MEMBERS: [&str; 2] = ["core", "ports/smoltcp"];

/// Tests vrrp-smoltcp in a workspace of its own: links to the sources, another requirement, and a
/// Cargo.lock that differs from ours in smoltcp alone.
pub(crate) fn check_newest() -> Result<(), Failure> {
    let workspace = run::target_dir().join("smoltcp-newest");
    fs::create_dir_all(workspace.join("ports")).map_err(failed(&workspace))?;
    for member in MEMBERS {
        let link = workspace.join(member);
        let _ = fs::remove_file(&link);
        symlink(root().join(member), &link).map_err(failed(&link))?;
    }
    let ours = root().join("Cargo.toml");
    let manifest = fs::read_to_string(&ours).map_err(failed(&ours))?;
    write(&workspace.join("Cargo.toml"), &with_newest(&manifest)?)?;
    let lock = root().join("Cargo.lock");
    let lock = fs::read_to_string(&lock).map_err(failed(&lock))?;
    write(&workspace.join("Cargo.lock"), &lock)?;
    let mut test = cargo();
    test.current_dir(&workspace)
        .args(["test", "--package", "vrrp-smoltcp"])
        .env("CARGO_TARGET_DIR", workspace.join("target"));
    run::run(&mut test)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(failed(path))
}

/// The workspace's manifest with these members and the newest smoltcp.
fn with_newest(manifest: &str) -> Result<String, Failure> {
    let wrong = |expected: &str| Failure(format!("Cargo.toml: expected {expected}"));
    let (before, rest) = manifest
        .split_once("members = [")
        .ok_or_else(|| wrong("members = ["))?;
    let (_, after) = rest
        .split_once(']')
        .ok_or_else(|| wrong("] after the members"))?;
    if !after.contains(RANGE) {
        return Err(wrong(RANGE));
    }
    Ok(format!(
        "{before}members = {MEMBERS:?}{}",
        after.replace(RANGE, NEWEST)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_the_range() {
        let manifest = include_str!("../../../../Cargo.toml");
        let newest = with_newest(manifest).expect("a manifest");
        assert!(newest.contains("members = [\"core\", \"ports/smoltcp\"]"));
        assert!(newest.contains(NEWEST) && !newest.contains(RANGE));
        assert!(with_newest("members = [\"core\"]\n").is_err());
    }
}
