//! The step `booted`: the service under systemd itself, which boots in a container with Debian's packages of
//! ours, and has an operator's day.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::steps::deb;
use crate::tools::packages;
use crate::tools::run::{self, Failure, failed};
use crate::tools::scratch::Scratch;

/// The packages of a root that boots, and those that the story uses.
const INCLUDE: &str = "--include=dbus,iproute2,procps,systemd-sysv,util-linux";

/// The seconds after which the container is ended.
const LIMIT: &str = "900";

/// The operator's day, as a script of the shell.
const STORY: &str = include_str!("booted.sh");

/// Runs the script after the boot; systemd ends with its exit status.
const UNIT: &str = "\
[Unit]
After=dbus.service systemd-user-sessions.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
ExecStart=/bin/sh /story/script
StandardOutput=file:/story/said
StandardError=inherit
Environment=LC_ALL=C.UTF-8
";

/// The step of `cargo xtask test`.
pub(crate) fn check() -> Result<(), Failure> {
    packages::need(packages::DEB)?;
    packages::need(packages::BOOTED)?;
    let built = deb::build(None, None)?;
    let scratch = Scratch::new("vrrp-booted")?;
    let root = scratch.path().join("root");
    deb::bootstrap(&root, INCLUDE)?;
    let story = root.join("story");
    fs::create_dir(&story).map_err(failed(&story))?;
    for package in built.packages()? {
        let name = package.file_name().unwrap_or_default();
        fs::copy(&package, story.join(name)).map_err(failed(&package))?;
    }
    write(&story.join("script"), STORY)?;
    let units = root.join("etc/systemd/system");
    write(&units.join("story.service"), UNIT)?;
    let wants = units.join("multi-user.target.wants");
    fs::create_dir_all(&wants).map_err(failed(&wants))?;
    symlink("../story.service", wants.join("story.service")).map_err(failed(&wants))?;
    let mut container = Command::new("timeout");
    container
        .args([LIMIT, "systemd-nspawn", "--boot", "--private-network"])
        // This machine's own service manager, if it has one, is told nothing.
        .args(["--register=no", "--keep-unit", "--console=pipe", "--quiet"])
        // Without it OOMScoreAdjust= has no effect.
        .arg("--capability=CAP_SYS_RESOURCE")
        .arg(format!("--machine=vrrp-booted-{}", std::process::id()))
        .arg("--directory")
        .arg(&root)
        .env_remove("NOTIFY_SOCKET");
    let booted = run::output(&mut container);
    let said = fs::read_to_string(story.join("said")).unwrap_or_default();
    match booted {
        Ok(_) if said.ends_with("== well\n") => {
            say!("{said}");
            Ok(())
        }
        Ok(text) => Err(Failure(format!("{text}\nthe story says:\n{said}"))),
        Err(failure) => Err(Failure(format!("{failure}\nthe story says:\n{said}"))),
    }
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(failed(path))
}
