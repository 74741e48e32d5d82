//! Debian's name servers, which answer `who.ami TXT` with the name of their host.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::{Daemon, Host};

/// Starts named, with its defaults and `options`, which are statements of the block of that name.
pub fn named(host: &Host, options: &str) -> Daemon {
    let dir = folder(host, "Named");
    let name = host.name();
    let zone = format!("$TTL 0\n@ SOA . . 1 1 1 1 1\n@ NS ns.ami.\n@ TXT \"{name}\"\n");
    fs::write(dir.join("zone"), zone).expect("write a file");
    let dir = dir.display();
    let conf = format!(
        "options {{ directory \"{dir}\"; pid-file \"{dir}/pid\"; recursion no;\n\
         session-keyfile \"{dir}/key\"; {options} }};\ncontrols {{ }};\n\
         zone \"who.ami\" {{ type primary; file \"zone\"; }};\n"
    );
    let path = format!("{dir}/conf");
    fs::write(&path, conf).expect("write a file");
    let mut command = Command::new("/usr/sbin/named");
    command.args(["-g", "-n", "1", "-c", &path]);
    Daemon::run(host, "Named", command)
}

/// Starts tinydns on the address `on`.
pub fn tinydns(host: &Host, on: &str) -> Daemon {
    let dir = folder(host, "Tinydns");
    let data = format!(".who.ami::a:0\n'who.ami:{}:0\n", host.name());
    fs::write(dir.join("data"), data).expect("write a file");
    let compiled = Command::new("/usr/sbin/tinydns-data")
        .current_dir(&dir)
        .status();
    assert!(compiled.expect("run tinydns-data").success());
    let mut command = Command::new("/usr/sbin/tinydns");
    command.env("ROOT", dir);
    command.envs([("IP", on), ("UID", "0"), ("GID", "0")]);
    Daemon::run(host, "Tinydns", command)
}

/// A folder of a host for the files of a server.
fn folder(host: &Host, server: &str) -> PathBuf {
    let dir = host.dir().join(server);
    fs::create_dir_all(&dir).expect("a folder");
    dir
}
