//! keepalived's words.

use std::ffi::OsString;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use crate::host::Host;
use crate::vr::Vr;

pub(super) fn config(host: &Host, vrs: &[Vr]) -> String {
    let mut text = format!("global_defs {{\n  router_id {}\n}}\n", host.name());
    for vr in vrs {
        write(&mut text, vr).expect("writing to a String");
    }
    text
}

fn write(text: &mut String, vr: &Vr) -> std::fmt::Result {
    let family = if vr.is_v6() { "six" } else { "four" };
    let interface = &vr.interface;
    writeln!(text, "vrrp_instance {interface}_{family}_{} {{", vr.vrid)?;
    writeln!(text, "  interface {interface}\n  state BACKUP")?;
    writeln!(text, "  version {}", vr.version)?;
    writeln!(text, "  virtual_router_id {}", vr.vrid)?;
    writeln!(text, "  priority {}", vr.priority)?;
    writeln!(text, "  advert_int {}", f64::from(vr.interval_cs) / 100.0)?;
    if vr.vmac {
        writeln!(text, "  use_vmac")?;
    }
    if !vr.preempt {
        writeln!(text, "  nopreempt")?;
    }
    if let Some(password) = &vr.password {
        let password: String = password.chars().take(8).collect();
        writeln!(text, "  authentication {{\n    auth_type PASS")?;
        writeln!(text, "    auth_pass {password}\n  }}")?;
    }
    if let Some(key) = &vr.hmac_key {
        writeln!(text, "  auth_hmac {{\n    key 1 file:{}", key.display())?;
        writeln!(text, "    active_key 1\n    mode enforce\n  }}")?;
    }
    if vr.addresses.is_empty() {
        return writeln!(text, "}}");
    }
    writeln!(text, "  virtual_ipaddress {{")?;
    for address in &vr.addresses {
        writeln!(text, "    {address}/{}", if vr.is_v6() { 128 } else { 32 })?;
    }
    writeln!(text, "  }}\n}}")
}

/// The keepalived that signs advertisements, where `KEEPALIVED_HMAC` names one: 2.4.2 or later, built with
/// authentication.
pub fn hmac_binary() -> Option<OsString> {
    std::env::var_os("KEEPALIVED_HMAC")
}

/// In the foreground, VRRP only, everything logged to us, its files beside the configuration.
pub(super) fn command(host: &Host, config: &Path) -> Command {
    // The lab has ended the one before. Where process 1 does not reap orphans its worker is still a
    // zombie, and keepalived takes the number in its file for a daemon that runs.
    let files = ["keepalived.pid", "keepalived-vrrp.pid"].map(|name| host.dir().join(name));
    for file in &files {
        let _ = std::fs::remove_file(file);
    }
    let [pid, worker_pid] = &files;
    let signs = std::fs::read_to_string(config).is_ok_and(|text| text.contains("auth_hmac"));
    let program = hmac_binary().filter(|_| signs);
    let mut command = Command::new(program.unwrap_or_else(|| "keepalived".into()));
    command
        .args(["--dont-fork", "--log-console", "--log-detail", "--vrrp"])
        .arg("--use-file")
        .arg(config)
        .arg("--pid")
        .arg(pid)
        .arg("--vrrp_pid")
        .arg(worker_pid);
    command
}
