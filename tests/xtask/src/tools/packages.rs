//! Debian packages that the steps need. Only `cargo xtask demo` and `cargo xtask test --install` install.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use crate::tools::run::{self, Failure};

/// The packages of the lab: its tools and the daemons that it runs ours against.
pub(crate) const LAB: &[&str] = &["iproute2", "iputils-ping", "nftables", "keepalived", "frr"];
/// Makes the networks of the examples and of small tests.
pub(crate) const NETWORK: &[&str] = &["iproute2"];
/// Judges the unit.
pub(crate) const SYSTEMD: &[&str] = &["systemd"];
/// Builds Debian packages.
pub(crate) const DEB: &[&str] = &["apache2-dev", "debhelper", "dpkg-dev", "pkg-config"];
/// Judges Debian packages, and installs them in a root of their own.
pub(crate) const DEB_TESTS: &[&str] = &["debootstrap", "iputils-ping", "lintian"];
/// Boots systemd in a container with Debian packages of ours.
pub(crate) const BOOTED: &[&str] = &["debootstrap", "systemd-container"];
/// Builds for arm64 on another processor, and runs what was built.
pub(crate) const CROSS_ARM64: &[&str] = &[
    "cargo-web",
    "gcc-aarch64-linux-gnu",
    "libc6-dev-arm64-cross",
    "qemu-user-static",
    "rust-web-src",
    "rustc-web",
];
/// Builds static programs, and runs those of other processors.
pub(crate) const STATIC: &[&str] = &[
    "binutils",
    "cargo-web",
    "python3",
    "python3-venv",
    "qemu-user-static",
    "rust-web-src",
    "rustc-web",
];
/// Builds an image and runs it.
pub(crate) const CONTAINER: &[&str] = &["crun", "iproute2", "iputils-ping", "podman"];
/// Judges the services of OpenWrt and Alpine, and has their shell.
pub(crate) const INIT_SCRIPTS: &[&str] = &["busybox", "shellcheck"];
/// Makes the kernel refuse one system call after the other.
pub(crate) const REFUSALS: &[&str] = &["strace"];
/// The packages for the lab's C programs: httpd, as it comes.
pub(crate) const HTTPD: &[&str] = &["apache2-bin", "apache2-dev", "pkg-config"];
/// The packages for the lab's services, as they come: apache2-bin is among [`HTTPD`].
pub(crate) const LAB_SERVICES: &[&str] = &[
    "axfrdns",
    "bind9",
    "daemontools",
    "dnscache",
    "m4",
    "openssh-server",
    "python3",
    "sendmail-bin",
    "tinydns",
    "ucspi-tcp",
];
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
/// Links the firmware.
pub(crate) const BINUTILS: &[&str] = &["binutils-arm-none-eabi"];
/// The firmware's board.
pub(crate) const EMULATOR: &[&str] = &["qemu-system-arm"];
/// Lints the firmware, where Debian's Rust builds it.
pub(crate) const CLIPPY: &[&str] = &["rust-web-clippy"];
/// Scrapes metrics, and reads them as Prometheus does: curl, promtool.
pub(crate) const METRICS: &[&str] = &["curl", "prometheus"];
/// Brings what the Python package index has.
pub(crate) const PYTHON: &[&str] = &["python3", "python3-venv"];

/// The packages of ours that come with a service, and its name. None is to run on a machine because it
/// runs our tests.
const SERVICES: &[(&str, &str)] = &[
    ("keepalived", "keepalived"),
    ("frr", "frr"),
    ("prometheus", "prometheus"),
    ("bind9", "named"),
    ("axfrdns", "axfrdns"),
    ("dnscache", "dnscache"),
    ("sendmail-bin", "sendmail"),
    ("tinydns", "tinydns"),
    ("openssh-server", "ssh"),
    ("podman", "podman"),
];

/// The place where Debian's packages ask whether they may start a service.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// The packages that the running step of `cargo xtask test` declares; `None` outside of one.
static DECLARED: Mutex<Option<Vec<&'static str>>> = Mutex::new(None);

/// Notes the packages that the next step declares, for [`need`] to compare with.
pub(crate) fn declare(lists: &[&'static [&'static str]]) {
    let declared = lists.iter().copied().flatten().copied().collect();
    *DECLARED.lock().unwrap_or_else(|e| e.into_inner()) = Some(declared);
}

/// Fails when one of `packages` is missing, or when the step that needs it does not declare it.
pub(crate) fn need(packages: &[&'static str]) -> Result<(), Failure> {
    let declared = DECLARED.lock().unwrap_or_else(|e| e.into_inner());
    let undeclared = |package: &&&str| declared.as_ref().is_some_and(|d| !d.contains(package));
    if let Some(package) = packages.iter().find(undeclared) {
        return Err(Failure(format!(
            "the step needs the package {package} and does not declare it: see STEPS"
        )));
    }
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "install these packages first: apt-get install --no-install-recommends {}",
        missing.join(" ")
    )))
}

/// Those of `packages` that are not installed, each once.
pub(crate) fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let mut missing: Vec<&str> = packages.iter().copied().filter(|p| !installed(p)).collect();
    missing.sort_unstable();
    missing.dedup();
    missing
}

/// Installs those of `packages` that are missing with apt-get, and has none of their services run, now
/// or at the next start of the machine.
pub(crate) fn install(packages: &[&str]) -> Result<(), Failure> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    sayln!("installing {}", missing.join(" "));
    let update = run::output(as_root("apt-get").arg("update"));
    let wanted = ["install", "-y", "--no-install-recommends"];
    let quiet = forbid_services()?;
    let done = run::output(as_root("apt-get").args(wanted).args(&missing));
    if quiet {
        run::output(as_root("rm").args(["-f", POLICY]))?;
    }
    if let Err(failure) = done {
        // A failed update is no harm while the lists know the packages.
        update?;
        return Err(failure);
    }
    for (_, service) in SERVICES
        .iter()
        .filter(|(package, _)| missing.contains(package))
    {
        run::output(as_root("update-rc.d").args([service, "disable"]))?;
    }
    Ok(())
}

/// Has packages start no services while this process runs; `false`: the machine has a policy of its own.
fn forbid_services() -> Result<bool, Failure> {
    if Path::new(POLICY).exists() {
        return Ok(false);
    }
    // The file of a process that was killed no longer forbids anything.
    let script = format!(
        "#!/bin/sh\n[ -d /proc/{} ] && exit 101\nexit 0\n",
        std::process::id()
    );
    let draft = std::env::temp_dir().join(format!("vrrp-policy-{}", std::process::id()));
    let written = fs::write(&draft, script)
        .and_then(|()| fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)));
    written.map_err(|e| Failure(format!("{}: {e}", draft.display())))?;
    let moved = run::output(
        as_root("install")
            .args(["-m", "755"])
            .arg(&draft)
            .arg(POLICY),
    );
    let _ = fs::remove_file(&draft);
    moved.map(|_| true)
}

fn installed(package: &str) -> bool {
    let mut query = Command::new("dpkg-query");
    query.args(["-W", "-f", "${db:Status-Status}", package]);
    run::output(&mut query).is_ok_and(|status| status == "installed")
}

/// A command as root, by sudo where we are not.
fn as_root(program: &str) -> Command {
    let root = run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    let mut command = if root {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--preserve-env=DEBIAN_FRONTEND", program]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}
