//! A host: a network stack with an interface, `xl0` as in the paper, and a cable to the hub; with
//! further interfaces, where a scenario wants them ([`Host::join`]).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::WorkDir;
use super::daemons::{Daemon, Program};
use super::decode::Mac;
use super::nic::Nic;
use super::system::Stack;
use super::vr::Vr;
use crate::sys;

/// The first interface of every host.
pub const INTERFACE: &str = "xl0";

/// The UDP port of the service that tells its host's name.
pub(crate) const ECHO_PORT: u16 = 7;

/// How often a service looks whether it should end.
const SERVICE_POLL: Duration = Duration::from_millis(50);

/// A host on the segment. Its services end with it; its daemons are their own values.
#[derive(Debug)]
pub struct Host {
    name: String,
    pub(super) nic: Nic,
    stack: Stack,
    dir: Arc<WorkDir>,
    pub(super) stop: Arc<AtomicBool>,
    services: Mutex<Vec<JoinHandle<()>>>,
}

impl Host {
    pub(crate) fn new(name: &str, nic: Nic, dir: Arc<WorkDir>) -> Self {
        let host = Self {
            name: name.to_owned(),
            stack: nic.hub.stack(name),
            nic,
            dir,
            stop: Arc::new(AtomicBool::new(false)),
            services: Mutex::new(Vec::new()),
        };
        host.set_up();
        host
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its network stack.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// The MAC of its interface.
    pub fn mac(&self) -> Mac {
        self.nic.mac()
    }

    /// Its own IPv4 address.
    pub fn v4(&self) -> Ipv4Addr {
        self.nic.v4()
    }

    /// Its own IPv6 address.
    pub fn v6(&self) -> Ipv6Addr {
        self.nic.v6()
    }

    /// Its link-local IPv6 address.
    pub fn link_local(&self) -> Ipv6Addr {
        self.nic.link_local()
    }

    /// A folder for this host's files.
    pub fn dir(&self) -> std::path::PathBuf {
        let dir = self.dir.path().join(&self.name);
        std::fs::create_dir_all(&dir).expect("create a host's folder");
        dir
    }

    /// The hub's port ceases to pass frames; the host's carrier stays.
    pub fn fail_port(&self) {
        self.nic.fail_port();
    }

    /// The hub's port delivers frames to the host's own MAC and to groups alone, as hypervisors do; or to
    /// any MAC again.
    #[cfg(target_os = "linux")]
    pub fn confine_port(&self, on: bool) {
        self.nic.confine_port(on);
    }

    /// The hub's port works again.
    pub fn mend_port(&self) {
        self.nic.mend_port();
    }

    /// Whether `address` is on any of its interfaces.
    pub fn has_address(&self, address: &str) -> bool {
        self.addresses().iter().any(|have| have == address)
    }

    /// Runs a command line of simple words inside the host and returns what it prints.
    pub fn run(&self, line: &str) -> String {
        let mut words = line.split_whitespace();
        let program = words.next().expect("a program");
        self.stack.output(Command::new(program).args(words))
    }

    /// Asks the service at `address` for its host's name, from this host, for at most a second.
    /// `None`: nobody answered.
    pub fn ask(&self, address: &str) -> Option<String> {
        let address: IpAddr = address.parse().expect("an IP address");
        let socket = self.stack.datagrams(address.is_ipv6(), 0).ok()?;
        socket
            .set_read_timeout(Some(Duration::from_millis(100)))
            .ok()?;
        for _ in 0..10 {
            let mut answer = [0; 256];
            if socket.send_to(b"who?", (address, ECHO_PORT)).is_err() {
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
            match socket.recv_from(&mut answer) {
                Ok((len, from)) if from.ip() == address => {
                    let name = answer[..len].strip_prefix(b"who?")?;
                    return Some(String::from_utf8_lossy(name).into_owned());
                }
                _ => {}
            }
        }
        None
    }

    /// Makes the kernel ask who has `address`, afresh, and waits a moment for the answer.
    pub fn solicit(&self, address: IpAddr) {
        self.forget_neighbours();
        // The kernel sends a neighbour request before any packet. Port 9 discards.
        let scope = self.stack.interface_index(INTERFACE);
        let to: SocketAddr = match address {
            IpAddr::V4(address) => (address, 9).into(),
            IpAddr::V6(address) => SocketAddrV6::new(address, 9, 0, scope).into(),
        };
        let socket = self.stack.datagrams(address.is_ipv6(), 0);
        // A host that cannot be reached is not asked: the capture shows it.
        let _ = socket.expect("a socket").send_to(b"", to);
        std::thread::sleep(Duration::from_millis(50));
    }

    /// Starts the service that tells this host's name, on every address the host has and will have.
    pub fn serve(&self) {
        for v6 in [false, true] {
            let socket = self.stack.datagrams(v6, ECHO_PORT);
            let socket = socket.expect("bind the service");
            sys::want_destination(&socket, v6).expect("ask for destinations");
            socket
                .set_read_timeout(Some(SERVICE_POLL))
                .expect("set a timeout");
            let (stop, name) = (self.stop.clone(), self.name.clone());
            self.keep(std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    // Timeouts let us look at `stop`; an answer that cannot leave is a lost one.
                    let _ = sys::echo_once(&socket, name.as_bytes());
                }
            }));
        }
    }

    /// Starts `program` with these virtual routers on `xl0`.
    pub fn start(&self, program: Program, vrs: &[Vr]) -> Daemon {
        Daemon::start(program, self, &program.config(self, vrs), vrs)
    }

    pub(super) fn keep(&self, service: JoinHandle<()>) {
        self.services
            .lock()
            .expect("no panic while services are held")
            .push(service);
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let services = self
            .services
            .get_mut()
            .map(std::mem::take)
            .unwrap_or_default();
        for service in services {
            // A service that panicked has already been noticed by whoever asked it.
            let _ = service.join();
        }
    }
}
