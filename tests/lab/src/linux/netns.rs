//! Network namespaces without names.

use std::fs::File;
use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::sys;

/// A network namespace, alive for as long as a copy of this exists.
#[derive(Clone, Debug)]
pub struct Netns(Arc<File>);

impl Netns {
    /// Makes an empty namespace with its loopback up.
    ///
    /// # Panics
    ///
    /// When the process may not; the message says what to do.
    pub fn new() -> Self {
        let file = std::thread::spawn(|| {
            sys::unshare_net()?;
            File::open("/proc/thread-self/ns/net")
        })
        .join()
        .expect("the thread that makes a namespace");
        let file = file.unwrap_or_else(|error| {
            panic!(
                "cannot make a network namespace ({error}). The lab needs root, or a user \
                 namespace: run it with sudo, or under `unshare --user --map-root-user`"
            )
        });
        let ns = Self(Arc::new(file));
        ns.ip("link set lo up");
        ns
    }

    /// Runs `work` in a thread inside the namespace and returns its result. Sockets that it opens
    /// belong to the namespace for ever.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    sys::set_netns(self.0.as_fd()).expect("enter a namespace of the lab");
                    work()
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Makes `command` start inside, in its own process group; it dies with the calling thread.
    pub fn start_in(&self, command: &mut Command) {
        sys::start_in(command, self.0.as_raw_fd());
    }

    /// A socket for datagrams, bound to every address of the family and to `port`; 0: to any port.
    pub fn datagrams(&self, v6: bool, port: u16) -> std::io::Result<UdpSocket> {
        if !v6 {
            return self.enter(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)));
        }
        if port == 0 {
            return self.enter(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)));
        }
        // Without this [::] would claim the port in IPv4 too.
        self.sysctl("net/ipv6/bindv6only", "1");
        let socket = self.enter(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, port)));
        self.sysctl("net/ipv6/bindv6only", "0");
        socket
    }

    /// A raw socket for ICMP: see [`sys::icmp_socket`].
    pub fn icmp(&self, v6: bool) -> std::io::Result<UdpSocket> {
        self.enter(|| sys::icmp_socket(v6))
    }

    /// The number of the interface `name`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn interface_index(&self, name: &str) -> u32 {
        let index = self.enter(|| sys::interface_index(name));
        index.unwrap_or_else(|error| panic!("no interface {name}: {error}"))
    }

    /// A path by which other programs of this lab can name the namespace.
    pub fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd())
    }

    /// Runs `ip` with each line of `script`.
    ///
    /// # Panics
    ///
    /// When a line fails: the lab's own wiring must work.
    pub fn ip(&self, script: &str) {
        self.feed(Command::new("ip").args(["-batch", "-"]), script);
    }

    /// Runs `program` inside and gives it `input`.
    ///
    /// # Panics
    ///
    /// When it cannot be run or fails.
    pub fn feed(&self, program: &mut Command, input: &str) {
        self.start_in(program);
        let mut child = program
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot run {program:?}: {error}"));
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A program that ends early says why itself.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        let output = child.wait_with_output().expect("wait for a child");
        assert!(
            output.status.success(),
            "{program:?} failed on:\n{input}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// Runs `program` inside and returns what it prints, whatever its exit status.
    ///
    /// # Panics
    ///
    /// When it cannot be run.
    pub fn output(&self, program: &mut Command) -> String {
        self.start_in(program);
        let output = program
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("cannot run {program:?}: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Writes `value` to the sysctl `name` (`net/ipv4/conf/xl0/arp_ignore`).
    ///
    /// # Panics
    ///
    /// When the kernel refuses.
    pub fn sysctl(&self, name: &str, value: &str) {
        self.enter(|| {
            std::fs::write(format!("/proc/sys/{name}"), value)
                .unwrap_or_else(|error| panic!("cannot set {name} to {value}: {error}"));
        });
    }

    /// Reads the sysctl `name`. `None`: there is none.
    pub fn read_sysctl(&self, name: &str) -> Option<String> {
        self.enter(|| std::fs::read_to_string(format!("/proc/sys/{name}")).ok())
            .map(|text| text.trim().to_owned())
    }
}

impl Default for Netns {
    fn default() -> Self {
        Self::new()
    }
}

/// Becomes root of a user namespace when the process is not root. Call it first in `main`, before
/// any thread exists.
///
/// # Errors
///
/// The kernel does not allow user namespaces.
pub fn become_root() -> std::io::Result<()> {
    let (user, group) = sys::user_and_group();
    if user == 0 {
        return Ok(());
    }
    sys::unshare_user()?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {group} 1"))
}
