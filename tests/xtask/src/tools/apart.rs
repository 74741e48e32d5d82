//! The engine in a workspace of its own, to be broken there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::tools::run::{Failure, root};

/// Makes `copy` a workspace of the engine as it is now.
pub(crate) fn lay_out(copy: &Path) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure(format!("{}: {e}", copy.display()));
    std::fs::create_dir_all(copy).map_err(failed)?;
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).map_err(failed)?;
    let alone = with_one_member(&manifest);
    write(&copy.join("Cargo.toml"), &alone)?;
    take_along(copy, "Cargo.lock")?;
    copy_folder(&root().join("core"), &copy.join("core")).map_err(failed)
}

/// Copies a file to the same place in `copy`.
pub(crate) fn take_along(copy: &Path, file: &str) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure(format!("{file}: {e}"));
    let text = std::fs::read_to_string(root().join(file)).map_err(failed)?;
    let to = copy.join(file);
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    write(&to, &text)
}

/// A manifest of the workspace with the engine in it and nothing else, and without profiles.
fn with_one_member(manifest: &str) -> String {
    let (before, list) = manifest
        .split_once("members = [")
        .unwrap_or((manifest, "]"));
    let (_, after) = list.split_once(']').unwrap_or_default();
    let after = after.split("[profile").next().unwrap_or_default();
    format!("{before}members = [\"core\"]{after}")
}

/// Makes one program of all the files of tests in `copy`: a break is built and linked once then.
pub(crate) fn join_tests(copy: &Path) -> Result<(), Failure> {
    let folder = root().join("core/tests");
    let failed = |e: std::io::Error| Failure(format!("{}: {e}", folder.display()));
    let mut all = String::new();
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for path in entries {
        let path = match path.join("main.rs") {
            main if main.exists() => main,
            _ if path.extension().is_some_and(|e| e == "rs") => path,
            _ => continue,
        };
        let file = path.strip_prefix(&folder).unwrap_or(&path);
        let name = file.parent().and_then(Path::file_name);
        let name = name.or(file.file_stem()).unwrap_or_default().display();
        // Formatting into a String cannot fail.
        let _ = writeln!(all, "#[path = \"{}\"]\nmod {name};", file.display());
    }
    write(&copy.join("core/tests/all.rs"), &all)?;
    let manifest = copy.join("core/Cargo.toml");
    let text = std::fs::read_to_string(&manifest).map_err(failed)?;
    let text = text.replacen("[package]\n", "[package]\nautotests = false\n", 1);
    write(&manifest, &format!("{text}\n[[test]]\nname = \"all\"\n"))
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target: PathBuf = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
            continue;
        }
        // A file that has not changed keeps its time, so that cargo need not build it again.
        let text = std::fs::read(entry.path())?;
        if std::fs::read(&target).ok().as_deref() != Some(&text[..]) {
            std::fs::write(&target, text)?;
        }
    }
    Ok(())
}

pub(crate) fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|e| Failure(format!("{}: {e}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_alone_in_the_workspace() {
        let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
        let alone = with_one_member(&manifest);
        assert!(alone.contains("members = [\"core\"]\n"));
        assert!(alone.contains("vrrp-core = { path = \"core\","));
        for other in ["\"tests/xtask\",", "[profile"] {
            assert!(manifest.contains(other) && !alone.contains(other));
        }
    }
}
