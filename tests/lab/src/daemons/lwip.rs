//! A program whose network stack is lwIP, with libvrrp between the stack and its driver.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::host::{Host, INTERFACE};
use crate::linux::host::TAP;
use crate::vr::Vr;
use crate::{built, c};

/// Where the repository begins.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The words of its command line.
pub(super) fn config(host: &Host, vrs: &[Vr]) -> String {
    let mut words = format!(
        "{} {INTERFACE} {:?} {} {}",
        host.name(),
        host.mac(),
        host.v4(),
        host.v6()
    );
    for vr in vrs {
        assert!(
            vr.version == 3 && vr.vmac && vr.preempt,
            "the program has no option for that"
        );
        let addresses: Vec<String> = vr.addresses.iter().map(ToString::to_string).collect();
        let (vrid, priority, interval_cs) = (vr.vrid, vr.priority, vr.interval_cs);
        let addresses = addresses.join(",");
        write!(words, " {vrid} {priority} {interval_cs} {addresses}").expect("a String");
    }
    words
}

pub(super) fn command(config: &Path) -> Command {
    let words = std::fs::read_to_string(config).expect("read back a configuration");
    let mut command = Command::new(binary());
    command
        .env("PRECONFIGURED_TAPIF", TAP)
        // lwIP frees nothing at the end.
        .env("ASAN_OPTIONS", "detect_leaks=0")
        .args(words.split_whitespace());
    command
}

/// Builds the example on the first call, so that it ends at once where C forbids what it does.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let library = c::installed_engine().join("lib/libvrrp.a");
        let binary = built::out_dir("lwip").join("lwip-vrrp");
        built::once("lwip", || compile(&library, &binary));
        binary
    })
}

fn compile(library: &Path, binary: &Path) {
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"])
        .args(["-fsanitize=address,undefined", "-fno-sanitize-recover"])
        .args(["-Iinclude", "-isystem", "/usr/include/lwip"])
        .args(["ffi/examples/lwip/main.c", "ffi/examples/lwip/vrrp_lwip.c"])
        .arg(library)
        .args(["-llwip", "-o"])
        .arg(binary);
    let output = cc
        .current_dir(ROOT)
        .output()
        .unwrap_or_else(|error| panic!("cannot run {cc:?}: {error}"));
    assert!(
        output.status.success(),
        "{cc:?}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
