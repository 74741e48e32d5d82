//! Debian's name servers, which answer `who.ami TXT` with the name of their host.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{folder, ready, servers, write, write_program};
use crate::{Daemon, Host};

/// The port of DNS.
const PORT: u16 = 53;

/// Writes named's files: `options` are statements of the block of that name, `more` stands beside it.
fn named_conf(host: &Host, options: &str, more: &str) -> PathBuf {
    let dir = folder(host, "named");
    let name = host.name();
    let zone = format!("$TTL 0\n@ SOA . . 1 1 1 1 1\n@ NS ns.ami.\n@ TXT \"{name}\"\n");
    write(&dir.join("zone"), zone);
    let shown = dir.display();
    let conf = format!(
        "options {{ directory \"{shown}\"; pid-file \"{shown}/pid\"; recursion no;\n\
         session-keyfile \"{shown}/key\"; {options} }};\n{more}\n\
         zone \"who.ami\" {{ type primary; file \"zone\"; }};\n"
    );
    let path = dir.join("conf");
    write(&path, conf);
    path
}

fn run_named(host: &Host, mut command: Command, conf: &Path) -> Daemon {
    command.args(["-g", "-n", "1", "-c"]).arg(conf);
    ready(Daemon::run(host, "named", command), "all zones loaded")
}

/// Starts named, with its defaults and `options`, which are statements of the block of that name.
pub fn named(host: &Host, options: &str) -> Daemon {
    let conf = named_conf(host, options, "controls { };");
    run_named(host, Command::new("/usr/sbin/named"), &conf)
}

/// Starts named as a user without capabilities, on the address `on` alone, which it binds at its start and
/// could not bind again.
pub fn named_without_capabilities(host: &Host, on: &str) -> Daemon {
    /// nobody and nogroup.
    const NOBODY: u32 = 65534;
    const FIRST_FREE: &str = "net/ipv4/ip_unprivileged_port_start";
    // An address that goes for the moment of a restart of vrrpd is none that it should let go.
    let options = format!(
        "listen-on {{ {on}; }}; listen-on-v6 {{ none; }}; automatic-interface-scan no; \
         interface-interval 0;"
    );
    let conf = named_conf(host, &options, "controls { };");
    let dir = folder(host, "named");
    chown(&dir, Some(NOBODY), Some(NOBODY)).expect("give a folder away");
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]);
    command.args(["--inh-caps", "-all", "--bounding-set", "-all"]);
    command.args(["--no-new-privs", "/usr/sbin/named"]);
    host.netns().sysctl(FIRST_FREE, "53");
    let daemon = run_named(host, command, &conf);
    host.netns().sysctl(FIRST_FREE, "1024");
    daemon
}

/// Starts named so that it looks for addresses when rndc tells it to and at no other time.
pub fn named_for_rndc(host: &Host) -> Daemon {
    let secret =
        "key \"rndc-key\" { algorithm hmac-sha256; secret \"c2VjcmV0IG9mIHRoZSBsYWI=\"; };";
    let dir = folder(host, "named");
    let client = "options { default-key \"rndc-key\"; default-server 127.0.0.1; };";
    write(&dir.join("rndc.conf"), format!("{secret}\n{client}\n"));
    let controls = "controls { inet 127.0.0.1 allow { 127.0.0.1; } keys { \"rndc-key\"; }; };";
    let options = "automatic-interface-scan no; interface-interval 0;";
    let conf = named_conf(host, options, &format!("{secret}\n{controls}"));
    run_named(host, Command::new("/usr/sbin/named"), &conf)
}

/// Compiles the data of tinydns and axfrdns.
fn tinydns_data(host: &Host, server: &str) -> PathBuf {
    let dir = folder(host, server);
    let data = format!(".who.ami::a:0\n'who.ami:{}:0\n", host.name());
    write(&dir.join("data"), data);
    super::succeed(Command::new("/usr/sbin/tinydns-data").current_dir(&dir));
    dir
}

/// Starts tinydns on the address `on`.
pub fn tinydns(host: &Host, on: &str) -> Daemon {
    let dir = tinydns_data(host, "tinydns");
    let mut command = Command::new("/usr/sbin/tinydns");
    command.env("ROOT", dir);
    command.envs([("IP", on), ("UID", "0"), ("GID", "0")]);
    ready(Daemon::run(host, "tinydns", command), "starting tinydns")
}

/// Starts supervise, of daemontools, with a tinydns for the address `on` that is down at first.
pub fn supervised_tinydns(host: &Host, on: &str) -> Daemon {
    let dir = tinydns_data(host, "tinydns");
    let run = format!(
        "#!/bin/sh\nexec 2>&1\nROOT={} IP={on} UID=0 GID=0 exec /usr/sbin/tinydns\n",
        dir.display()
    );
    write_program(&dir.join("run"), &run);
    write(&dir.join("down"), "");
    let mut command = Command::new("supervise");
    command.arg(&dir);
    let daemon = Daemon::run(host, "supervise", command);
    let supervised = || {
        let asked = Command::new("svok").arg(&dir).status();
        asked.expect("run svok").success()
    };
    crate::wait_until(crate::pair::LIMIT, "supervise runs", supervised);
    daemon
}

/// Starts axfrdns on the address `on`.
pub fn axfrdns(host: &Host, on: &str) -> Daemon {
    let root = format!("ROOT={}", tinydns_data(host, "axfrdns").display());
    let program = ["env", &root, "UID=0", "GID=0", "/usr/sbin/axfrdns"];
    servers::tcpserver(host, on, PORT, &program)
}

/// Starts dnscache on the address `on`, for clients of the lab; it asks 127.0.0.1 for `ami`.
pub fn dnscache(host: &Host, on: &str) -> Daemon {
    let dir = folder(host, "dnscache");
    for (file, text) in [
        ("ip/10.10.10", ""),
        ("servers/@", "192.0.2.1\n"),
        ("servers/ami", "127.0.0.1\n"),
    ] {
        let path = dir.join(file);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        write(&path, text);
    }
    let mut command = Command::new("/usr/sbin/dnscache");
    command.env("ROOT", dir);
    command.envs([
        ("IP", on),
        ("IPSEND", "0.0.0.0"),
        ("UID", "0"),
        ("GID", "0"),
    ]);
    command.env("CACHESIZE", "100000");
    ready(Daemon::run(host, "dnscache", command), "starting")
}
