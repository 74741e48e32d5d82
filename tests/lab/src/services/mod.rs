//! The paper's services as Debian has them, with the check that fits each, and a client of each.
//!
//! [`Served`] runs one of them on two hosts behind a virtual address and moves the address by an [`Event`]:
//! the stories `services` judge the client's account, the program `measure` prints it.

mod client;
mod moves;
pub mod name_servers;
pub mod servers;

use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::time::Duration;

pub use client::{Account, Client, page};
pub use moves::{Event, Moved, Served};
pub use servers::certified_by;

use crate::host::Host;
use crate::linux::Stack;
use crate::{Daemon, Vr};

/// The advertisement interval of the virtual router, in centiseconds.
pub const INTERVAL_CS: u16 = 10;
/// The interval of the check.
pub const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// The number of failures in a row with which the check fails.
pub const FALL: u32 = 2;
/// The name for which the certificate of both web servers, and of both hosts of ssh, was made.
pub const SITE: &str = "www.example.org";

/// A service of the paper, in one of the ways to run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// apache2 on the wildcard.
    Apache,
    /// The same with mod_ssl, and one certificate on both hosts.
    ApacheTls,
    /// sendmail on the wildcard.
    Sendmail,
    /// tcpserver on the wildcard, as for qmail, and a shell that greets in the place of qmail-smtpd.
    Tcpserver,
    /// sshd on the wildcard, with a banner, and host certificates of one authority.
    Sshd,
    /// named as it comes.
    Named,
    /// named of a user without capabilities, on a silent address.
    NamedUnprivileged,
    /// named that is told of addresses by the paper's event scripts: `rndc reload`.
    NamedReloaded,
    /// tinydns on a silent address.
    Tinydns,
    /// tinydns that the paper's event scripts start and stop: `svc -u` and `svc -d`.
    TinydnsSupervised,
    /// axfrdns under tcpserver, on a silent address.
    Axfrdns,
    /// dnscache on a silent address, with a tinydns on the loopback that it asks.
    Dnscache,
}

impl Service {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 12] = [
        Self::Apache,
        Self::ApacheTls,
        Self::Sendmail,
        Self::Tcpserver,
        Self::Sshd,
        Self::Named,
        Self::NamedUnprivileged,
        Self::NamedReloaded,
        Self::Tinydns,
        Self::TinydnsSupervised,
        Self::Axfrdns,
        Self::Dnscache,
    ];

    /// Its name in tables.
    pub fn title(self) -> &'static str {
        match self {
            Self::Apache => "apache2, HTTP",
            Self::ApacheTls => "apache2, HTTPS",
            Self::Sendmail => "sendmail",
            Self::Tcpserver => "tcpserver, SMTP",
            Self::Sshd => "sshd",
            Self::Named => "named",
            Self::NamedUnprivileged => "named without capabilities, silent",
            Self::NamedReloaded => "named, rndc reload",
            Self::Tinydns => "tinydns, silent",
            Self::TinydnsSupervised => "tinydns, svc -u and -d",
            Self::Axfrdns => "axfrdns, silent",
            Self::Dnscache => "dnscache, silent",
        }
    }

    /// The virtual address.
    pub fn address(self) -> &'static str {
        match self {
            Self::Apache | Self::ApacheTls => "10.10.10.80",
            Self::Sendmail | Self::Tcpserver => "10.10.10.25",
            Self::Sshd => "10.10.10.22",
            _ => "10.10.10.53",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Apache => 80,
            Self::ApacheTls => 443,
            Self::Sendmail | Self::Tcpserver => 25,
            Self::Sshd => 22,
            _ => 53,
        }
    }

    /// Whether the address is silent: these servers know this one address.
    pub fn is_silent(self) -> bool {
        matches!(
            self,
            Self::NamedUnprivileged | Self::Tinydns | Self::Axfrdns | Self::Dnscache
        )
    }

    /// Whether event scripts tell it of the address, as in the paper: it answers a moment after the address
    /// has come, and it has no check.
    pub fn has_scripts(self) -> bool {
        matches!(self, Self::NamedReloaded | Self::TinydnsSupervised)
    }

    /// The question of its check on a host.
    fn question(self, host: &Host) -> String {
        match self {
            Self::Apache => "http = http://localhost/whoami".into(),
            Self::ApacheTls => format!(
                "http = https://localhost/whoami\nhost = {SITE}\nca = {}",
                servers::web_certificate(host).certificate.display()
            ),
            Self::Sendmail | Self::Tcpserver => {
                "tcp = localhost:25\nexpect = ^220[ -]\ntimeout = 1".into()
            }
            Self::Sshd => "tcp = localhost:22\nexpect = ^SSH-2\\.0-".into(),
            Self::Named => "dns = localhost who.ami TXT".into(),
            Self::Axfrdns => "tcp = virtual:53".into(),
            _ => format!("dns = virtual who.ami TXT\nanswer = {}", host.name()),
        }
    }

    /// The reason in the log when it has been killed.
    pub fn failure(self) -> String {
        let at = match self.is_silent() {
            true => self.address(),
            false => "127.0.0.1",
        };
        format!("check it failed: {at}:{} connection refused", self.port())
    }

    /// The virtual router of a host.
    fn virtual_router(self, host: &Host) -> Vr {
        let vr = Vr::new(1, self.address()).interval_cs(INTERVAL_CS);
        if self.has_scripts() {
            let scripts = servers::scripts(host, self);
            return scripts.iter().fold(vr, |vr, line| vr.line(line));
        }
        let vr = match self.is_silent() {
            true => vr.line("silent = yes"),
            false => vr,
        };
        let interval = CHECK_INTERVAL.as_secs_f64();
        vr.line("check = it")
            .line(&format!(
                "[CHECK]\nname = it\ninterval = {interval}\nfall = {FALL}"
            ))
            .line(&self.question(host))
    }

    /// Starts it on a host: first the program that clients ask, then those that it needs.
    fn start(self, host: &Host) -> Vec<Daemon> {
        let address = self.address();
        match self {
            Self::Apache => vec![servers::apache(host, false)],
            Self::ApacheTls => vec![servers::apache(host, true)],
            Self::Sendmail => vec![servers::sendmail(host)],
            Self::Tcpserver => {
                let greeting = format!("echo 220 {}.example.org ESMTP; sleep 0.2", host.name());
                vec![servers::tcpserver(host, "0", 25, &["sh", "-c", &greeting])]
            }
            Self::Sshd => vec![servers::sshd(host)],
            Self::Named => vec![name_servers::named(host, "")],
            Self::NamedUnprivileged => {
                vec![name_servers::named_without_capabilities(host, address)]
            }
            Self::NamedReloaded => vec![name_servers::named_for_rndc(host)],
            Self::Tinydns => vec![name_servers::tinydns(host, address)],
            Self::TinydnsSupervised => vec![name_servers::supervised_tinydns(host, address)],
            Self::Axfrdns => vec![name_servers::axfrdns(host, address)],
            Self::Dnscache => {
                let behind = name_servers::tinydns(host, "127.0.0.1");
                vec![name_servers::dnscache(host, address), behind]
            }
        }
    }

    /// Asks who is there, from a host's network.
    pub fn ask(self, from: &Stack, within: Duration) -> Option<&'static str> {
        from.enter(|| self.ask_here(within)).ok()
    }

    /// Asks who is there, from the network of the calling thread.
    fn ask_here(self, within: Duration) -> std::io::Result<&'static str> {
        let address: IpAddr = self.address().parse().expect("an address");
        let at = SocketAddr::new(address, self.port());
        let text = match self {
            Self::Apache => client::page(at, within),
            Self::ApacheTls => client::secure_page(at, within),
            Self::Sendmail | Self::Tcpserver | Self::Sshd => client::first_line(at, within),
            Self::Axfrdns => client::record_over_tcp(at, within),
            _ => client::record(at, within),
        }?;
        let names = ["clarinet", "fridge"];
        let found = names.into_iter().find(|name| text.contains(name));
        found.ok_or_else(|| std::io::Error::other("nobody's name"))
    }
}

/// A folder of a host for the files of a server.
fn folder(host: &Host, server: &str) -> std::path::PathBuf {
    let dir = host.dir().join(server);
    std::fs::create_dir_all(&dir).expect("a folder");
    dir
}

/// A folder for files that are the same on all hosts of a lab.
fn shared_folder(host: &Host, server: &str) -> std::path::PathBuf {
    let dir = host.dir().with_file_name("shared").join(server);
    std::fs::create_dir_all(&dir).expect("a folder");
    dir
}

fn write(path: &std::path::Path, text: impl AsRef<[u8]>) {
    std::fs::write(path, text).expect("write a file");
}

/// Writes a program.
fn write_program(path: &std::path::Path, text: &str) {
    write(path, text);
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(path, executable).expect("make a script executable");
}

/// Runs a program to its successful end.
fn succeed(command: &mut Command) {
    let output = command.stdin(std::process::Stdio::null()).output();
    let output = output.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// Waits until a server has said that it is ready.
fn ready(daemon: Daemon, words: &str) -> Daemon {
    daemon.wait_said(words);
    daemon
}
