//! Reloads of hosts with several interfaces: stories, and chains of reloads and disturbances that end
//! as a fresh start does. Needs root or a user namespace.
#![cfg(target_os = "linux")]

mod chains;
mod files;
mod stories;
mod world;

use std::process::Command;

use vrrp_lab::daemons::{vrrpd_binary, vrrpd_control_socket};
use vrrp_lab::{Daemon, Host};

/// Has the daemon read this text as its configuration. Gives what is said about it.
fn reload(host: &Host, daemon: &Daemon, config: &str) -> String {
    daemon.write_config(config);
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$0\" -s \"$1\" reload 2>&1"]);
    shell.arg(vrrpd_binary("vrrpctl"));
    host.stack().output(shell.arg(vrrpd_control_socket(host)))
}
