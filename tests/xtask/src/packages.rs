//! Debian packages that the steps need.

use std::process::Command;

use crate::run::{self, Failure};

/// The packages of the lab: its tools and the daemons that it runs ours against.
pub(crate) const LAB: &[&str] = &["iproute2", "iputils-ping", "nftables", "keepalived", "frr"];
/// Makes the kernel refuse one system call after the other.
pub(crate) const REFUSALS: &[&str] = &["strace"];
/// The packages for the lab's C programs: httpd, as it comes.
pub(crate) const HTTPD: &[&str] = &["apache2-bin", "apache2-dev", "pkg-config"];
/// Renders and checks the manual pages.
pub(crate) const MANUALS: &[&str] = &["mandoc"];
/// Counts instructions.
pub(crate) const COST: &[&str] = &["valgrind"];
/// Builds C for a Cortex-M, and is one.
pub(crate) const CORTEX_M: &[&str] = &["gcc-arm-none-eabi", "qemu-system-arm"];
/// A network stack for microcontrollers.
pub(crate) const LWIP: &[&str] = &["liblwip-dev"];
/// Compiles, checks and drives the C interface.
pub(crate) const C: &[&str] = &[
    "gcc",
    "g++",
    "libc6-dev",
    "clang",
    "binutils",
    "valgrind",
    "pkg-config",
    "python3",
];
/// Compiles the C programs of the host port, makes their networks, and is the event loop of one.
pub(crate) const C_HOST: &[&str] = &["gcc", "libc6-dev", "iproute2", "libevent-dev"];
/// A Rust with the source of its library, to build for a target without one.
pub(crate) const BARE_METAL: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];
/// The same for a target with an operating system, and its lints.
pub(crate) const FREEBSD: &[&str] = &["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];
/// Reads metrics as Prometheus does: promtool.
pub(crate) const METRICS: &[&str] = &["prometheus"];
/// Brings what the Python package index has.
pub(crate) const PYTHON: &[&str] = &["python3", "python3-venv"];

/// Installs what is missing of `packages` with apt-get.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    let missing: Vec<&str> = packages.iter().copied().filter(|p| !installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    sayln!("installing {}", missing.join(" "));
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
