//! Our own daemon.

#[cfg(target_os = "linux")]
use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::host::Host;
use crate::vr::Vr;

pub(super) fn config(host: &Host, vrs: &[Vr]) -> String {
    let socket = control_socket(host);
    // The file systems are those of this machine, whose own vrrpd is not to be met.
    let runtime_dir = host.dir().join("run");
    let state_dir = host.dir().join("state");
    let mut text = format!(
        "[GLOBAL]\ncontrolsocket = {}\nruntimedir = {}\nstatedir = {}\n",
        socket.display(),
        runtime_dir.display(),
        state_dir.display()
    );
    for vr in vrs {
        write(&mut text, vr).expect("writing to a String");
    }
    text
}

fn write(text: &mut String, vr: &Vr) -> std::fmt::Result {
    let prefix = if vr.is_v6() { 128 } else { 32 };
    let own = vr.addresses.iter().map(|ip| format!("{ip}/{prefix}"));
    let elsewhere = vr.elsewhere.iter();
    let elsewhere = elsewhere.map(|(device, ip)| match ip {
        IpAddr::V4(ip) => format!("{device}:{ip}/{prefix}"),
        IpAddr::V6(ip) => format!("{device}:[{ip}]/{prefix}"),
    });
    let addresses: Vec<String> = own.chain(elsewhere).collect();
    writeln!(text, "\n[VRID]\nserverid = {}", vr.vrid)?;
    writeln!(text, "interface = {}", vr.interface)?;
    writeln!(text, "priority = {}", vr.priority)?;
    match addresses.is_empty() {
        true => writeln!(text, "addr = none")?,
        false => writeln!(text, "addr = {}", addresses.join(","))?,
    }
    writeln!(text, "version = {}", vr.version)?;
    writeln!(
        text,
        "advertinterval = {}",
        f64::from(vr.interval_cs) / 100.0
    )?;
    writeln!(text, "useVMAC = {}", if vr.vmac { "yes" } else { "no" })?;
    if !vr.preempt {
        writeln!(text, "preempt = no")?;
    }
    if let Some(password) = &vr.password {
        writeln!(text, "password = {password}")?;
    }
    if let Some(key) = &vr.hmac_key {
        writeln!(text, "auth = hmac\nkeyfile = 1:{}", key.display())?;
    }
    for line in &vr.lines {
        writeln!(text, "{line}")?;
    }
    Ok(())
}

pub(super) fn command(config: &Path) -> Command {
    let mut command = Command::new(binary("vrrpd"));
    command.arg("-F").arg("-f").arg(config);
    command
}

/// Where the vrrpd of `host` is controlled.
pub fn control_socket(host: &Host) -> PathBuf {
    host.dir().join("vrrpd.sock")
}

/// Runs vrrpctl on `host` with these words and returns its output.
pub fn vrrpctl(host: &Host, words: &[&str]) -> String {
    let mut vrrpctl = Command::new(binary("vrrpctl"));
    vrrpctl.arg("-s").arg(control_socket(host)).args(words);
    host.stack().output(&mut vrrpctl)
}

/// The state of the first virtual router of a host, as vrrpctl says it. Empty: there is none.
#[cfg(target_os = "linux")]
pub fn vrrpctl_state(host: &Host) -> String {
    let status = vrrpctl(host, &["status"]);
    let line = status.lines().find(|line| line.starts_with("VRID "));
    let words = line.and_then(|line| line.split_once("): "));
    let state = words.and_then(|(_, state)| state.split_whitespace().next());
    state.unwrap_or_default().to_owned()
}

/// The packets that a host has discarded for its only virtual router, by reason.
#[cfg(target_os = "linux")]
pub fn vrrpctl_drops(host: &Host) -> BTreeMap<String, u64> {
    let stats = vrrpctl(host, &["stats"]);
    let of_router = stats
        .lines()
        .take_while(|line| !line.contains("all virtual routers"));
    let drops = of_router.filter_map(|line| {
        let mut words = line.trim().strip_prefix("rejected ")?.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
    });
    drops.collect()
}

/// Runs vrrpctl on a host and returns its exit status, -1 for a signal, and what it wrote to its standard
/// output and error.
///
/// # Panics
///
/// When it cannot be run.
#[cfg(target_os = "linux")]
pub fn vrrpctl_status(host: &Host, words: &[&str]) -> (i32, [String; 2]) {
    let mut vrrpctl = Command::new(binary("vrrpctl"));
    vrrpctl.arg("-s").arg(control_socket(host)).args(words);
    let output = host.netns().enter(|| vrrpctl.output());
    let output = output.expect("run vrrpctl");
    let texts = [output.stdout, output.stderr];
    let texts = texts.map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code().unwrap_or(-1), texts)
}

/// The path of `name`, `vrrpd`, `vrrpctl` or `vrrp-checker`: beside `$VRRPD` if that is set, otherwise in release
/// mode from this workspace, built on the first call.
///
/// # Panics
///
/// When it cannot be built.
pub fn binary(name: &str) -> PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    let dir = DIR.get_or_init(|| match std::env::var_os("VRRPD") {
        Some(path) => PathBuf::from(path).with_file_name(""),
        None => build("release", &["-p", "vrrpd", "-p", "vrrp-checks"]),
    });
    dir.join(name)
}

/// Builds what cargo calls `what` in a profile beside the running program, and returns the folder.
pub(super) fn build(profile: &str, what: &[&str]) -> PathBuf {
    let target = target_dir();
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--quiet", "--profile", profile, "--target-dir"])
        .arg(&target)
        .args(what)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .status()
        .expect("run cargo");
    assert!(built.success(), "cannot build {what:?}");
    target.join(profile)
}

/// Where cargo put the running program, and puts more.
pub(crate) fn target_dir() -> PathBuf {
    let exe = std::env::current_exe().expect("the path of this program");
    exe.ancestors()
        .find(|path| {
            ["debug", "release", "proof"]
                .iter()
                .any(|name| path.ends_with(name))
        })
        .and_then(Path::parent)
        .expect("this program is in cargo's target folder; set VRRPD otherwise")
        .to_path_buf()
}
