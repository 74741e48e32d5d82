//! Debian packages that the steps need.

use std::process::Command;

use crate::run::{self, Failure};

/// What the lab needs: its tools and the daemons that it runs ours against.
pub(crate) const LAB: &[&str] = &["iproute2", "nftables", "keepalived", "frr"];
/// Renders and checks the manual pages.
pub(crate) const MANUALS: &[&str] = &["mandoc"];
/// Counts instructions.
pub(crate) const COST: &[&str] = &["valgrind"];
/// A Rust with the source of its library, to build for a target without one.
pub(crate) const BARE_METAL: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];
/// The same for a target with an operating system, and its lints.
pub(crate) const FREEBSD: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];
/// Brings what the Python package index has.
pub(crate) const PYTHON: &[&str] = &["python3", "python3-venv"];

/// Installs what is missing of `packages` with apt-get.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    let missing: Vec<&str> = packages.iter().copied().filter(|p| !installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    let update = run::output(apt().arg("update"));
    let wanted = ["install", "-y", "--no-install-recommends"];
    // A failed update is no harm while the lists know the packages.
    match run::output(apt().args(wanted).args(&missing)) {
        Ok(_) => Ok(()),
        Err(failure) => {
            update?;
            Err(failure)
        }
    }
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    run::output(&mut query).is_ok_and(|status| status == "installed")
}

fn apt() -> Command {
    let root = run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let mut command = match root {
        true => Command::new("apt-get"),
        false => {
            let mut sudo = Command::new("sudo");
            sudo.args(["--preserve-env=DEBIAN_FRONTEND", "apt-get"]);
            sudo
        }
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
