//! The paths of this machine, which a product must not name: the same source gives the same program
//! wherever it is built.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::run::{Failure, root};

/// The separator of the options in `CARGO_ENCODED_RUSTFLAGS`.
const SEPARATOR: &str = "\u{1f}";

/// Cargo's folder of sources and tools.
fn cargo_home() -> Option<PathBuf> {
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cargo"));
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(home)
}

/// Has a build name its sources without the paths of this machine: those in Rust and those in C.
/// Options that the environment sets stay.
pub(crate) fn remap(command: &mut Command) {
    remap_with(command, &[]);
}

/// As [`remap`], with further options for rustc.
pub(crate) fn remap_with(command: &mut Command, options: &[&str]) {
    let encoded = env::var("CARGO_ENCODED_RUSTFLAGS");
    let plain = || {
        let words = env::var("RUSTFLAGS").unwrap_or_default();
        words.split_whitespace().collect::<Vec<_>>().join(SEPARATOR)
    };
    let mut rust = encoded.unwrap_or_else(|_| plain());
    let mut c = env::var("CFLAGS").unwrap_or_default();
    let crates = cargo_home().map(|home| (home.join("registry/src"), "/crates"));
    for (from, to) in crates.into_iter().chain([(root(), "/vrrp")]) {
        if !rust.is_empty() {
            rust += SEPARATOR;
        }
        let from = from.display();
        rust += &format!("--remap-path-prefix={from}={to}");
        c += &format!(" -ffile-prefix-map={from}={to}");
    }
    for option in options {
        rust = rust + SEPARATOR + option;
    }
    command
        .env("CARGO_ENCODED_RUSTFLAGS", rust)
        .env("CFLAGS", c);
}

/// Fails if a program or library names a folder of this machine that it was built in or from.
pub(crate) fn check(file: &Path) -> Result<(), Failure> {
    let octets =
        fs::read(file).map_err(|e| Failure(format!("cannot read {}: {e}", file.display())))?;
    match [Some(root()), cargo_home()]
        .iter()
        .flatten()
        .find(|path| names(&octets, path))
    {
        Some(path) => Err(Failure(format!(
            "{} names {}: another machine would build another file",
            file.display(),
            path.display()
        ))),
        None => Ok(()),
    }
}

fn names(octets: &[u8], path: &Path) -> bool {
    let path = path.as_os_str().as_encoded_bytes();
    octets.windows(path.len()).any(|window| window == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_anywhere_in_a_file() {
        let octets = b"\x7fELF\0/root/.cargo/registry/src/lib.rs\0";
        assert!(names(octets, Path::new("/root/.cargo")));
        assert!(!names(octets, Path::new("/home/.cargo")));
    }

    #[test]
    fn a_build_is_told_of_the_sources_and_of_the_crates() {
        let mut command = Command::new("cargo");
        remap(&mut command);
        let variables: Vec<_> = command.get_envs().collect();
        assert_eq!(variables.len(), 2);
        for (name, value) in variables {
            let value = value.expect("a value").to_string_lossy();
            let ours = format!("={}=/vrrp", root().display());
            assert!(value.ends_with(&ours), "{name:?}: {value}");
            assert!(value.contains("registry/src=/crates"), "{name:?}: {value}");
        }
    }
}
