//! FRR's words. FRR wants the interfaces with the virtual MACs made beforehand, addresses included;
//! it turns them on and off.

use std::fmt::Write;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::host::{Host, INTERFACE};
use crate::vr::Vr;

/// Where Debian's FRR keeps its programs; they are not on the path.
const PROGRAMS: &str = "/usr/lib/frr";

pub(super) fn config(vrs: &[Vr]) -> String {
    let mut text = format!("interface {INTERFACE}\n");
    for vr in vrs {
        assert!(
            vr.vmac && vr.password.is_none(),
            "FRR has neither password nor physical MAC"
        );
        write(&mut text, vr).expect("writing to a String");
    }
    text
}

fn write(text: &mut String, vr: &Vr) -> std::fmt::Result {
    let vrid = vr.vrid;
    writeln!(text, " vrrp {vrid} version {}", vr.version)?;
    writeln!(text, " vrrp {vrid} priority {}", vr.priority)?;
    let interval_ms = u32::from(vr.interval_cs) * 10;
    writeln!(text, " vrrp {vrid} advertisement-interval {interval_ms}")?;
    if !vr.preempt {
        writeln!(text, " no vrrp {vrid} preempt")?;
    }
    for address in &vr.addresses {
        let family = if vr.is_v6() { "ipv6" } else { "ip" };
        writeln!(text, " vrrp {vrid} {family} {address}")?;
    }
    Ok(())
}

/// Makes the interfaces that carry the virtual MACs, and the folder writable for FRR's own user,
/// whose groups FRR insists on.
pub(super) fn prepare(host: &Host, vrs: &[Vr]) {
    let everybody = Permissions::from_mode(0o777);
    std::fs::set_permissions(host.dir(), everybody).expect("open the folder of a host");
    // Otherwise a backup answers ARP for the addresses that it holds in readiness, with the MAC of
    // its own interface. FRR leaves this to the administrator.
    host.netns().sysctl("net/ipv4/conf/xl0/arp_ignore", "1");
    for vr in vrs {
        let (family, prefix) = if vr.is_v6() { (6, 64) } else { (4, 24) };
        let name = format!("vrrp{family}-{}", vr.vrid);
        let mut script = format!(
            "link add {name} link {INTERFACE} type macvlan mode bridge\n\
             link set dev {name} address {:?}\n",
            vr.virtual_mac()
        );
        for address in &vr.addresses {
            let nodad = if vr.is_v6() { " nodad" } else { "" };
            script += &format!("addr add {address}/{prefix} dev {name}{nodad}\n");
        }
        script += &format!("link set {name} up");
        host.netns().ip(&script);
    }
}

pub(super) fn commands(host: &Host, config: &Path) -> Vec<Command> {
    let dir = host.dir();
    ["zebra", "vrrpd"]
        .into_iter()
        .map(|name| {
            let mut command = Command::new(format!("{PROGRAMS}/{name}"));
            command
                .args(["--log", "stdout"])
                .arg("--config_file")
                .arg(if name == "vrrpd" {
                    config
                } else {
                    Path::new("/dev/null")
                })
                .arg("--pid_file")
                .arg(dir.join(format!("{name}.pid")))
                .arg("--vty_socket")
                .arg(&dir)
                .args(["--vty_port", "0", "--socket"])
                .arg(dir.join("zserv.api"));
            command
        })
        .collect()
}
