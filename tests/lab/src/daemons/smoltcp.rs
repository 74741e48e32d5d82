//! A program whose network stack is smoltcp, with vrrp-smoltcp between the stack and a tap device.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::vrrpd::build;
use crate::host::Host;
use crate::linux::host::TAP;
use crate::vr::Vr;

/// The words of its command line.
pub(super) fn config(host: &Host, vrs: &[Vr]) -> String {
    let [vr] = vrs else {
        panic!("the program serves one virtual router");
    };
    assert!(
        vr.version == 3 && vr.vmac && vr.preempt,
        "the program has no option for that"
    );
    let addresses: Vec<String> = vr.addresses.iter().map(ToString::to_string).collect();
    format!(
        "{TAP} {} {:?} {} {} {} {} {} {}",
        host.name(),
        host.mac(),
        host.v4(),
        host.link_local(),
        vr.vrid,
        vr.priority,
        vr.interval_cs,
        addresses.join(" "),
    )
}

pub(super) fn command(config: &Path) -> Command {
    let words = std::fs::read_to_string(config).expect("read back a configuration");
    let mut command = Command::new(binary());
    command.args(words.split_whitespace());
    command
}

/// Builds the example on the first call.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let tap = ["-p", "vrrp-smoltcp", "--example", "tap"];
    // No product: the profile without link-time optimisation.
    BINARY.get_or_init(|| build("proof", &tap).join("examples/tap"))
}
