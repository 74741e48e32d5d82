//! The examples of libvrrp: programs in C that share addresses.

use std::path::{Path, PathBuf};
use std::process::Command;
#[cfg(target_os = "linux")]
use std::sync::OnceLock;

#[cfg(not(target_os = "linux"))]
use super::vrrpd;
use crate::host::{Host, INTERFACE};
use crate::vr::Vr;
#[cfg(target_os = "linux")]
use crate::{built, c};

/// The libraries that a program needs besides the archive.
#[cfg(target_os = "linux")]
const STATIC_LIBS: [&str; 6] = ["-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

/// The arguments of the program around poll(2), which has no file.
pub(super) fn arguments(host: &Host, vrs: &[Vr]) -> String {
    let [vr] = vrs else {
        panic!("poll has one virtual router");
    };
    assert!(
        vr.version == 3 && vr.password.is_none() && vr.preempt,
        "poll has neither VRRPv2 nor a password, and preempts"
    );
    let prefix = if vr.is_v6() { 128 } else { 32 };
    let addresses: Vec<String> = vr
        .addresses
        .iter()
        .map(|address| format!("{address}/{prefix}"))
        .collect();
    format!(
        "-p {} -i {}{} -r {} {INTERFACE} {} {}",
        vr.priority,
        vr.interval_cs,
        if vr.vmac { "" } else { " -m" },
        host.dir().join("run").display(),
        vr.vrid,
        addresses.join(" ")
    )
}

/// The program around poll(2), with the arguments in this file.
pub(super) fn poll(arguments: &Path) -> Command {
    let arguments = std::fs::read_to_string(arguments).expect("the arguments of a program");
    let mut command = Command::new(program("poll"));
    command.args(arguments.split_whitespace());
    command
}

/// The program in libevent's loop. It reads what vrrpd reads.
#[cfg(target_os = "linux")]
pub(super) fn libevent(config: &Path) -> Command {
    let mut command = Command::new(program("libevent"));
    command.arg(config);
    command
}

/// An example, which comes with vrrpd: the system may have no compiler.
#[cfg(not(target_os = "linux"))]
fn program(name: &str) -> PathBuf {
    vrrpd::binary(name)
}

/// An example, compiled on the first call.
#[cfg(target_os = "linux")]
fn program(name: &str) -> PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let lib = c::installed().join("lib");
        let dir = built::out_dir("examples-c");
        built::once("examples-c", || examples(&dir, &lib));
        dir
    })
    .join(name)
}

/// Compiles the examples. One is linked each way.
#[cfg(target_os = "linux")]
fn examples(dir: &Path, lib: &Path) {
    compile(dir, "poll", |command| {
        command.arg(lib.join("libvrrp.a")).args(STATIC_LIBS)
    });
    let runpath = format!("-Wl,-rpath,{}", lib.display());
    compile(dir, "libevent", |command| {
        let shared = [lib.join("libvrrp.so").into_os_string(), runpath.into()];
        command.args(shared).arg("-levent_core")
    });
}

#[cfg(target_os = "linux")]
fn compile(dir: &Path, name: &str, link: impl FnOnce(&mut Command) -> &mut Command) {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut command = Command::new("cc");
    command
        .args([
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-O1",
        ])
        .arg("-I")
        .arg(root.join("include"))
        .arg(root.join(format!("ffi/examples/{name}.c")))
        .arg("-o")
        .arg(dir.join(name));
    let status = link(&mut command).status();
    let status = status.unwrap_or_else(|error| panic!("cannot run cc ({error})"));
    assert!(
        status.success(),
        "cannot compile {name}.c: it needs libevent-dev"
    );
}
