//! Jails with network stacks of their own.

use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use crate::sys;

/// A jail, alive for as long as a copy of this exists.
#[derive(Clone, Debug)]
pub struct Jail(Arc<Held>);

#[derive(Debug)]
struct Held {
    number: i32,
    /// The jail ends with it, and it with this process.
    keeper: Mutex<Child>,
}

impl Jail {
    /// Makes an empty jail with its loopback up, inside another if one is given.
    ///
    /// # Panics
    ///
    /// When the process may not; the message says what to do.
    pub fn new(name: &str, parent: Option<&Jail>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vrrp-lab-{}-{serial}-{name}", std::process::id());
        let made = sys::make_jail(&name, parent.map(Self::number));
        let (number, keeper) = made.unwrap_or_else(|error| {
            panic!("cannot make a jail ({error}). The lab needs root and a kernel with VIMAGE")
        });
        let keeper = Mutex::new(keeper);
        let jail = Self(Arc::new(Held { number, keeper }));
        jail.ifconfig("lo0 inet 127.0.0.1/8 up");
        jail
    }

    /// The number by which the system knows it.
    pub fn number(&self) -> i32 {
        self.0.number
    }

    /// Makes `command` start inside, in its own process group; it dies with this process.
    pub fn start_in(&self, command: &mut Command) {
        sys::start_in(command, self.number());
    }

    /// Runs ifconfig with each line of `script`, and returns what it prints.
    ///
    /// # Panics
    ///
    /// When a line fails: the lab's own wiring must work.
    pub fn ifconfig(&self, script: &str) -> String {
        script
            .lines()
            .map(|line| self.must("ifconfig", line))
            .collect()
    }

    /// Runs `program` with these words inside, and returns what it prints.
    ///
    /// # Panics
    ///
    /// When it fails.
    pub fn must(&self, program: &str, line: &str) -> String {
        let mut command = Command::new(program);
        self.start_in(command.args(line.split_whitespace()).stdin(Stdio::null()));
        let output = command.output();
        let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
        assert!(
            output.status.success(),
            "{program} {line}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Runs `program` inside and returns what it prints, whatever its exit status.
    ///
    /// # Panics
    ///
    /// When it cannot be run.
    pub fn output(&self, program: &mut Command) -> String {
        self.start_in(program.stdin(Stdio::null()));
        let output = program.output();
        let output = output.unwrap_or_else(|error| panic!("cannot run {program:?}: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A socket for datagrams, bound to every address of the family and to `port`; 0: to any port.
    pub fn datagrams(&self, v6: bool, port: u16) -> std::io::Result<UdpSocket> {
        sys::udp_socket_in(self.number(), v6, port)
    }

    /// A raw socket for ICMP: see [`sys::icmp_socket`].
    pub fn icmp(&self, v6: bool) -> std::io::Result<UdpSocket> {
        sys::icmp_socket_in(self.number(), v6)
    }

    /// The number of the interface `name`.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn interface_index(&self, name: &str) -> u32 {
        let index = sys::interface_index_in(self.number(), name);
        index.unwrap_or_else(|error| panic!("no interface {name}: {error}"))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It may have gone with the jail around it; its keeper then too.
        let _ = sys::remove_jail(self.number);
        if let Ok(keeper) = self.keeper.get_mut() {
            let _ = keeper.kill();
            let _ = keeper.wait();
        }
    }
}
