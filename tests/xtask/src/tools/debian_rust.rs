//! Debian's Rust, which brings the source of its library and builds it for any target.

use std::path::Path;
use std::process::Command;

use crate::tools::run::root;

/// Debian's cargo, wherever another one comes first.
pub(crate) const CARGO: &str = "/usr/bin/cargo";

/// `cargo VERB` for `targets` with its output in `folder`, for the caller to add arguments to. `library` names
/// the crates of Rust's library that are built as well, such as `std,panic_abort`.
pub(crate) fn cargo(verb: &str, library: &str, targets: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(CARGO);
    // `-Z` and `--target` come before everything else.
    command
        .current_dir(root())
        .arg(verb)
        .arg(format!("-Zbuild-std={library}"))
        .args(targets.iter().flat_map(|target| ["--target", target]))
        .arg("--target-dir")
        .arg(folder)
        .env("PATH", "/usr/bin:/bin")
        .env("RUSTC", "/usr/bin/rustc")
        .env("RUSTC_BOOTSTRAP", "1")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .env_remove("RUSTDOC");
    command
}

/// Sets the linker for `target`, which build scripts take as their C compiler, too.
pub(crate) fn link_with(command: &mut Command, target: &str, linker: &Path) {
    let name = target.replace('-', "_");
    let variable = format!("CARGO_TARGET_{}_LINKER", name.to_uppercase());
    command
        .env(variable, linker)
        // The cryptography of vrrp-checker is partly C.
        .env(format!("CC_{name}"), linker);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_has_its_linker_and_c_compiler() {
        let target = "riscv64gc-unknown-linux-musl";
        let mut command = cargo("build", "std", &[target], Path::new("/out"));
        link_with(&mut command, target, Path::new("/cc"));
        let arguments: Vec<_> = command.get_args().collect();
        let expected = ["build", "-Zbuild-std=std", "--target", target];
        assert_eq!(arguments[..4], expected);
        for name in [
            "CARGO_TARGET_RISCV64GC_UNKNOWN_LINUX_MUSL_LINKER",
            "CC_riscv64gc_unknown_linux_musl",
        ] {
            let linker = (name.as_ref(), Some("/cc".as_ref()));
            assert!(command.get_envs().any(|env| env == linker), "{name}");
        }
    }
}
